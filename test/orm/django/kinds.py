"""More screens on Django: writes in loops, walks, functions, and what resembles
them.  In autocommit save() and delete() send no BEGIN, get_or_create() does."""

from models import Article, ContentType, Folder, Label, Mark, Note, Post, Setting
from models import Subscriber, connection, models, transaction
from vitals import ANY, find, screen

POSTS = 'FROM "posts" ORDER BY'
ARTICLES = 'FROM "articles" ORDER BY'
articles = Article.objects.order_by("id").all  # a new query each time
EMAILS = ["new%d@example.org" % i for i in range(1, 13)]
KNOWN = ["known%d@example.org" % i for i in range(1, 13)]


def write(repeated, parent=ANY):
    return find(repeated, parent, 12, kind="n_plus_one_write")


# --- writes ---------------------------------------------------------------

# 12 × UPDATE "articles" SET "title" = …, "views" = 1, … WHERE "articles"."id" = 1
@screen("lazy articles saved one by one", write('UPDATE "articles" SET ', ARTICLES))
def _(db):
    for article in articles():
        article.views += 1
        article.save()


# 12 × UPDATE "articles" SET "views" = ("articles"."views" + 1) WHERE "articles"."id" = 1
@screen("lazy articles counted up by update() with F()", write('UPDATE "articles" SET ', ARTICLES))
def _(db):
    for article in articles():
        Article.objects.filter(pk=article.pk).update(views=models.F("views") + 1)


# Each save in a transaction of its own: BEGIN, UPDATE, COMMIT
@screen("lazy articles saved in a transaction each", write('UPDATE "articles" SET ', ARTICLES))
def _(db):
    for article in articles():
        with transaction.atomic():
            article.views += 1
            article.save()


# UPDATE "articles" SET "views" = (CASE WHEN ("articles"."id" = 1) THEN 1 … END) WHERE … IN (1, 2, …)
@screen("eager (bulk_update) articles saved")
def _(db):
    changed = list(articles())
    for article in changed:
        article.views += 1
    Article.objects.bulk_update(changed, ["views"])


@screen("eager (update) articles counted up")
def _(db):
    Article.objects.update(views=models.F("views") + 1)


# 12 × INSERT INTO "notes" ("article_id", "body") VALUES (1, …) RETURNING "notes"."id"
@screen("lazy notes created one by one in a transaction", write('INSERT INTO "notes"'),
        modes=["transaction"])
def _(db):
    for i in range(12):
        Note.objects.create(article_id=3, body="Note %d" % i)


@screen("lazy note created for each article", write('INSERT INTO "notes"'))
def _(db):
    for article in articles():
        article.notes.create(body="About " + article.title)


# INSERT INTO "notes" ("article_id", "body") VALUES (1, …), (2, …), …
@screen("eager (bulk_create) note created for each article")
def _(db):
    Note.objects.bulk_create(Note(article=article, body="Note") for article in articles())


# 6 × INSERT INTO "notes" … of two rows
@screen("eager (bulk_create) notes created in batches")
def _(db):
    Note.objects.bulk_create([Note(article_id=3, body="Note %d" % i) for i in range(12)], batch_size=2)


# 12 × DELETE FROM "articles" WHERE "articles"."id" = 1
@screen("lazy articles deleted one by one", write('DELETE FROM "articles"', ARTICLES))
def _(db):
    for article in articles():
        Article.objects.filter(pk=article.pk)._raw_delete("default")


@screen("eager (delete) articles deleted")
def _(db):
    Article.objects.filter(id__lte=12)._raw_delete("default")


# 12 × SELECT … FROM "subscribers" WHERE "subscribers"."email" = '…' LIMIT 21
# 12 × INSERT INTO "subscribers", in BEGIN and COMMIT, or SAVEPOINT and RELEASE
@screen("lazy subscribers by get_or_create(), all new", write('INSERT INTO "subscribers"'))
def _(db):
    for email in EMAILS:
        Subscriber.objects.get_or_create(email=email)


# 12 × SELECT … FROM "subscribers" WHERE … LIMIT 21 FOR UPDATE, 12 × UPDATE "subscribers" … WHERE "id" = 1
@screen("lazy subscribers by update_or_create(), all known", write('UPDATE "subscribers" SET '))
def _(db):
    for email in KNOWN:
        Subscriber.objects.update_or_create(email=email, defaults={"visits": 7})


# 12 × SELECT (1) AS "a" FROM "subscribers" WHERE "subscribers"."email" = '…' LIMIT 1, 12 × INSERT
@screen("lazy subscribers validated as unique and created in a transaction",
        write('INSERT INTO "subscribers"'), modes=["transaction"])
def _(db):
    for email in EMAILS:
        subscriber = Subscriber(email=email)
        subscriber.full_clean()
        subscriber.save()


@screen("plain one subscriber validated as unique and created")
def _(db):
    subscriber = Subscriber(email="one@example.org")
    subscriber.full_clean()
    subscriber.save()


# 12 × … FROM "subscribers" WHERE "subscribers"."email" = '…' LIMIT 21, and nothing else
@screen("lazy subscribers by get_or_create(), all known",
        find('FROM "subscribers" WHERE ', None, 12), modes=["transaction"])
def _(db):
    for email in KNOWN:
        Subscriber.objects.get_or_create(email=email)


# In autocommit, unproven: the values are from outside, each statement is alone
@screen("plain subscribers by get_or_create(), all known", modes=["autocommit", "pooled"])
def _(db):
    for email in KNOWN:
        Subscriber.objects.get_or_create(email=email)


# Ten different statements of one request
@screen("plain one article with its notes written")
def _(db):
    with transaction.atomic():
        article = Article.objects.create(title="New")
        Note.objects.create(article=article, body="One")
        Note.objects.create(article=article, body="Two")
        Article.objects.filter(pk=article.pk).update(notes_count=2)
        Subscriber.objects.filter(email=KNOWN[3]).update(visits=models.F("visits") + 1)
        article.refresh_from_db()


# --- walks ----------------------------------------------------------------

# 12 × … FROM "folders" WHERE "folders"."id" = 12 LIMIT 21
@screen("lazy way from a folder up to its root",
        find('FROM "folders" WHERE "folders"."id" = ', None, 12, kind="recursive_walk"))
def _(db):
    folder = Folder.objects.get(pk=12)
    while folder:
        folder = folder.parent


# 12 × … FROM "folders" WHERE "folders"."parent_id" = 1
@screen("lazy way from a folder down to the last",
        find('FROM "folders" WHERE "folders"."parent_id" = ', None, 12, kind="recursive_walk"))
def _(db):
    folders = [Folder.objects.get(name="Folder 1")]
    while folders:
        folders = list(folders[0].children.all())


# WITH RECURSIVE …
@screen("eager (recursive CTE) way from a folder up to its root")
def _(db):
    list(Folder.objects.raw("""WITH RECURSIVE up AS (
        SELECT * FROM folders WHERE id = 12
        UNION ALL SELECT f.* FROM up JOIN folders f ON f.id = up.parent_id)
        SELECT * FROM up"""))


# folders LEFT OUTER JOIN folders T2 LEFT OUTER JOIN folders T3 …
@screen("eager (select_related) three folders up")
def _(db):
    Folder.objects.select_related("parent__parent__parent").get(pk=12).parent.parent.parent.name


# --- memoisable -----------------------------------------------------------

# 8 × … FROM "settings" WHERE "settings"."key" = 'ui.currency' LIMIT 21
@screen("lazy currency loaded again for each line",
        find('FROM "settings" WHERE "settings"."key" = ', None, 8, kind="duplicate"))
def _(db):
    for _ in range(8):
        Setting.objects.get(key="ui.currency")


# 8 × the setting, and 8 × … FROM "comments"
@screen("lazy posts with comments, the locale loaded for each",
        find('FROM "settings" WHERE "settings"."key" = ', None, 8, kind="duplicate"),
        find('FROM "comments" WHERE "comments"."post_id" = ', POSTS, 8, "comments\\.post_id → posts\\.id"))
def _(db):
    for post in Post.objects.order_by("id")[:8]:
        Setting.objects.get(key="ui.locale")
        list(post.comments.all())


# The setting is written in between: each read is needed
@screen("plain visits read again after each change", modes=["autocommit", "pooled"])
def _(db):
    for i in range(4):
        Subscriber.objects.filter(email=KNOWN[0]).update(visits=i)
        Subscriber.objects.get(email=KNOWN[0])


# --- polymorphic ----------------------------------------------------------

# 7 × … FROM "authors" WHERE "authors"."id" = 1 LIMIT 21, 7 × the same FROM "posts"
@screen("lazy labels with their target, of two types",
        find('FROM "authors" WHERE "authors"."id" = ', 'FROM "labels"', 7),
        find('FROM "posts" WHERE "posts"."id" = ', 'FROM "labels"', 7))
def _(db):
    ContentType.objects.clear_cache()
    for label in Label.objects.order_by("id"):
        label.target.pk


@screen("eager (prefetch_related) labels with their target, of two types")
def _(db):
    ContentType.objects.clear_cache()
    for label in Label.objects.order_by("id").prefetch_related("target"):
        label.target.pk


# --- inside the server ----------------------------------------------------

@screen("lazy posts with a function that reads comments",
        find("FROM comments c WHERE c.post_id = post", r"comment_total\(", 20,
             kind="function_per_row", inside=True))
def _(db):
    total = models.Func(models.F("id"), function="comment_total", output_field=models.BigIntegerField())
    list(Post.objects.order_by("id").annotate(total=total)[:20])


@screen("lazy function that reads the comments of post after post",
        find("FROM comments c WHERE c.post_id = post.id", ANY, 30, kind="spi_loop", inside=True))
def _(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT longest_comment()")


@screen("lazy marks created at once, counted by a row trigger",
        find("UPDATE articles SET views", 'INSERT INTO "marks"', 12,
             kind="function_per_row", inside=True))
def _(db):
    Mark.objects.bulk_create([Mark(article_id=i) for i in range(1, 13)])


# --- reading in portions --------------------------------------------------

# DECLARE … CURSOR, FETCH 10 …
@screen("plain all posts over a server-side cursor")
def _(db):
    for post in Post.objects.order_by("id").iterator(chunk_size=10):
        post.title


@screen("plain all posts in slices with prefetched comments")
def _(db):
    posts = Post.objects.order_by("id").prefetch_related("comments", "tags")
    for start in range(0, 120, 20):
        for post in posts[start:start + 20]:
            list(post.comments.all())


# Key after key
@screen("plain all posts in keyset pages")
def _(db):
    last = 0
    while True:
        page = list(Post.objects.filter(id__gt=last).order_by("id")[:10])
        if not page:
            return
        last = page[-1].id
