"""More screens on SQLAlchemy: what the unit of work writes, walks, functions, and
what resembles them.

A flush with psycopg2 sends INSERTs of one class as one statement with many rows
(execute_values), but UPDATEs and DELETEs one by one, unless the engine is made
with executemany_mode="values_plus_batch": then they are one message."""

from classes import Article, Comment, Folder, Mark, Note, Post, Setting, Subscriber, open_session
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload, selectinload
from vitals import ANY, find, screen

POSTS = "FROM posts ORDER BY"
ARTICLES = "FROM articles ORDER BY"
articles = select(Article).order_by(Article.id)
EMAILS = ["new%d@example.org" % i for i in range(1, 13)]


def write(repeated, parent=ANY, executemany=False):
    # executemany() is noted as one statement, whatever the driver sends
    return find(repeated, parent, 12, kind="n_plus_one_write", inside=executemany)


def rows(db, statement):
    return db.scalars(statement).unique().all()


# --- writes ---------------------------------------------------------------

# 12 × UPDATE articles SET views=1 WHERE articles.id = 1, each waited for
@screen("lazy articles changed and flushed at once", write("UPDATE articles SET ", ARTICLES, executemany=True))
def _(db):
    for article in rows(db, articles):
        article.views += 1
    db.flush()


@screen("lazy articles flushed one by one", write("UPDATE articles SET ", ARTICLES))
def _(db):
    for article in rows(db, articles):
        article.views += 1
        db.flush()


# In a session of its own: the 12 UPDATEs go in one message
@screen("eager (values_plus_batch) articles changed and flushed at once", modes=["transaction"])
def _(db):
    with open_session(True, [], executemany_mode="values_plus_batch") as batching:
        for article in rows(batching, articles):
            article.views += 1
        batching.flush()


@screen("eager (update) articles changed")
def _(db):
    db.execute(update(Article).values(views=Article.views + 1).execution_options(synchronize_session=False))


# INSERT INTO notes (article_id, body) VALUES (1, …), (2, …), … RETURNING notes.id
@screen("eager (flush) note added for each article")
def _(db):
    for article in rows(db, articles):
        db.add(Note(article_id=article.id, body="About " + article.title))
    db.flush()


# 12 × INSERT INTO notes (article_id, body) VALUES (1, …) RETURNING notes.id
@screen("lazy note added and flushed for each article", write("INSERT INTO notes"))
def _(db):
    for article in rows(db, articles):
        db.add(Note(article_id=article.id, body="About " + article.title))
        db.flush()


# psycopg2's executemany() sends one statement after the other
@screen("lazy notes inserted by text and a list, in a transaction",
        write("INSERT INTO notes", executemany=True), modes=["transaction"])
def _(db):
    db.execute(text("INSERT INTO notes (article_id, body) VALUES (:article, :body)"),
               [{"article": 3, "body": "Note %d" % i} for i in range(12)])


@screen("eager (insert with a list) notes inserted")
def _(db):
    db.execute(Note.__table__.insert(), [{"article_id": 3, "body": "Note %d" % i} for i in range(12)])


# 12 × INSERT INTO subscribers … ON CONFLICT (email) DO UPDATE …
@screen("lazy subscribers by upsert, in a transaction", write("INSERT INTO subscribers"),
        modes=["transaction"])
def _(db):
    for email in EMAILS:
        new = insert(Subscriber).values(email=email, visits=1)
        db.execute(new.on_conflict_do_update(index_elements=["email"], set_={"visits": 2}))


@screen("eager (one upsert) subscribers")
def _(db):
    new = insert(Subscriber).values([{"email": email, "visits": 1} for email in EMAILS])
    db.execute(new.on_conflict_do_update(index_elements=["email"], set_={"visits": 2}))


# 12 × DELETE FROM articles WHERE articles.id = 1, each waited for
@screen("lazy articles deleted and flushed one by one",
        find("FROM notes WHERE .* = notes.article_id", ARTICLES, 12, "notes\\.article_id → articles\\.id"),
        write("DELETE FROM articles", ARTICLES))
def _(db):
    for article in rows(db, articles):
        db.delete(article)
        db.flush()


# 12 × SELECT … WHERE subscribers.email = '…', 12 × INSERT
@screen("lazy subscribers looked up and added in a transaction", write("INSERT INTO subscribers"),
        modes=["transaction"])
def _(db):
    for email in EMAILS:
        if not db.scalar(select(Subscriber).where(Subscriber.email == email)):
            db.add(Subscriber(email=email))
            db.flush()


@screen("plain one article with its notes written")
def _(db):
    article = Article(title="New", notes=[Note(body="One"), Note(body="Two")])
    db.add(article)
    db.flush()
    article.views = 2
    db.flush()
    db.refresh(article)


# --- walks ----------------------------------------------------------------

# 12 × … FROM folders WHERE folders.id = 12
@screen("lazy way from a folder up to its root",
        find("FROM folders WHERE folders.id = ", None, 12, kind="recursive_walk"))
def _(db):
    folder = db.get(Folder, 12)
    while folder:
        folder = folder.parent


@screen("eager (recursive CTE) way from a folder up to its root")
def _(db):
    up = select(Folder).where(Folder.id == 12).cte("up", recursive=True)
    up = up.union_all(select(Folder).join(up, Folder.id == up.c.parent_id))
    db.execute(select(up)).all()


# folders LEFT OUTER JOIN folders AS folders_1 …
@screen("eager (joinedload) three folders up")
def _(db):
    up = joinedload(Folder.parent).joinedload(Folder.parent).joinedload(Folder.parent)
    db.get(Folder, 12, options=[up]).parent.parent.parent.name


# --- memoisable -----------------------------------------------------------

# 8 × … FROM settings WHERE settings.value = 'value of currency'
@screen("lazy currency loaded again for each line",
        find("FROM settings WHERE settings.value = ", None, 8, kind="duplicate"))
def _(db):
    for _ in range(8):
        db.scalars(select(Setting).where(Setting.value == "value of currency")).one()


@screen("lazy posts with comments, the locale loaded for each",
        find("FROM settings WHERE settings.value = ", None, 8, kind="duplicate"),
        find("FROM comments WHERE .* = comments.post_id", POSTS, 8, "comments\\.post_id → posts\\.id"))
def _(db):
    for post in rows(db, select(Post).order_by(Post.id).limit(8)):
        db.scalars(select(Setting).where(Setting.value == "value of locale")).one()
        len(post.comments)


# --- inside the server ----------------------------------------------------

@screen("lazy posts with a function that reads comments",
        find("FROM comments c WHERE c.post_id = post", r"comment_total\(", 20,
             kind="function_per_row", inside=True))
def _(db):
    db.execute(select(Post.id, func.comment_total(Post.id)).order_by(Post.id).limit(20)).all()


@screen("lazy function that reads the comments of post after post",
        find("FROM comments c WHERE c.post_id = post.id", ANY, 30, kind="spi_loop", inside=True))
def _(db):
    db.scalar(select(func.longest_comment()))


@screen("lazy marks added at once, counted by a row trigger",
        find("UPDATE articles SET views", "INSERT INTO marks", 12, kind="function_per_row", inside=True))
def _(db):
    db.add_all([Mark(article_id=i) for i in range(1, 13)])
    db.flush()


# --- reading in portions --------------------------------------------------

# DECLARE … CURSOR, FETCH 10 …
@screen("plain all posts by yield_per over a server-side cursor", modes=["transaction"])
def _(db):
    statement = select(Post).order_by(Post.id).execution_options(stream_results=True, yield_per=10)
    for post in db.scalars(statement):
        post.title


# FETCH from the cursor and comments of ten posts, in turn
@screen("plain portions of a cursor with the comments of ten posts each", modes=["transaction"])
def _(db):
    result = db.execute(select(Post.id).order_by(Post.id), execution_options={"stream_results": True})
    for keys in result.scalars().partitions(10):
        rows(db, select(Comment).where(Comment.post_id.in_(keys)))


# Two loaders, one of them nested
@screen("plain pages of posts with comments, their authors and tags")
def _(db):
    loading = selectinload(Post.comments).joinedload(Comment.author), selectinload(Post.tags)
    for page in range(6):
        db.expunge_all()
        rows(db, select(Post).order_by(Post.id).limit(20).offset(page * 20).options(*loading))


@screen("plain all posts in keyset pages")
def _(db):
    last = 0
    while True:
        page = rows(db, select(Post).where(Post.id > last).order_by(Post.id).limit(10))
        if not page:
            return
        last = page[-1].id
