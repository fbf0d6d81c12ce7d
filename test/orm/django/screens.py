"""The screens on Django.  get() adds LIMIT 21."""

from models import Author, Comment, Order, Post, models, open_session
from django.core.paginator import Paginator
from vitals import find, main, screen

POSTS = 'FROM "posts" ORDER BY'
AUTHORS = find('FROM "authors" WHERE "authors"."id" = ', POSTS, 20,
               "posts\\.author_id → authors\\.id")
posts = Post.objects.order_by("id")


# 20 × … FROM "authors" WHERE "authors"."id" = 8 LIMIT 21
@screen("lazy post list with author", AUTHORS)
def _(db):
    for post in posts[:20]:
        post.author.name


@screen("lazy post list with author by get()", AUTHORS)
def _(db):
    for post in posts[:20]:
        Author.objects.get(pk=post.author_id)


# … FROM "posts" LEFT OUTER JOIN "authors" ON …
@screen("eager (select_related) post list with author")
def _(db):
    for post in posts.select_related("author")[:20]:
        post.author.name


# … FROM "authors" WHERE "authors"."id" IN (1, 2, …)
@screen("eager (prefetch_related) post list with author")
def _(db):
    for post in posts.prefetch_related("author")[:20]:
        post.author.name


# DECLARE … CURSOR [WITH HOLD] FOR SELECT … FROM "posts", then as above
@screen("lazy post list with author over a server-side cursor",
        dict(AUTHORS, parent='FROM "posts" WHERE "posts"."id" <= .* ORDER BY'))
def _(db):
    for post in posts.filter(id__lte=20).iterator():
        post.author.name


# 20 × … FROM "comments" WHERE "comments"."post_id" = 1
@screen("lazy post list with comments",
        find('FROM "comments" WHERE "comments"."post_id" = ', POSTS, 20,
             "comments\\.post_id → posts\\.id"))
def _(db):
    for post in posts[:20]:
        list(post.comments.all())


@screen("eager (prefetch_related) post list with comments")
def _(db):
    for post in posts.prefetch_related("comments")[:20]:
        list(post.comments.all())


# 20 × … FROM "comments" WHERE "comments"."post_id" IN (1)
@screen("lazy post list with comments prefetched for each post",
        find('FROM "comments" WHERE "comments"."post_id" IN ', POSTS, 20,
             "comments\\.post_id → posts\\.id"))
def _(db):
    for post in posts[:20]:
        models.prefetch_related_objects([post], "comments")


# Three loops in one, and one in them
@screen("lazy post list with author, their country, tags and comments",
        find('FROM "authors" WHERE "authors"."id" = ', POSTS, 10, "posts\\.author_id → authors\\.id"),
        find('FROM "tags" INNER JOIN "post_tags" ', POSTS, 10, "post_tags\\.post_id → posts\\.id"),
        find('^SELECT "comments".* FROM "comments" WHERE "comments"."post_id" = ', POSTS, 10,
             "comments\\.post_id → posts\\.id"),
        find('FROM "countries" WHERE "countries"."code" = ', 'FROM "authors" WHERE', 10,
             "authors\\.country_code → countries\\.code"))
def _(db):
    for post in posts[:10]:
        post.author.country.name
        list(post.tags.all())
        list(post.comments.all())


# 20 × SELECT COUNT(*) AS "__count" FROM "comments" WHERE "comments"."post_id" = 1
@screen("lazy post list with comment counts",
        find('SELECT COUNT.* FROM "comments" WHERE "comments"."post_id" = ', POSTS, 20,
             "comments\\.post_id → posts\\.id"))
def _(db):
    for post in posts[:20]:
        post.comments.count()


@screen("eager (annotate) post list with comment counts")
def _(db):
    list(posts.annotate(models.Count("comments"))[:20])


# 20 × … FROM "tags" INNER JOIN "post_tags" ON … WHERE "post_tags"."post_id" = 1
@screen("lazy post list with tags",
        find('FROM "tags" INNER JOIN "post_tags" ON .* WHERE "post_tags"."post_id" = ', POSTS, 20,
             "post_tags\\.post_id → posts\\.id"))
def _(db):
    for post in posts[:20]:
        list(post.tags.all())


@screen("eager (prefetch_related) post list with tags")
def _(db):
    for post in posts.prefetch_related("tags")[:20]:
        list(post.tags.all())


# 20 × SELECT "posts"."id", "posts"."body" FROM "posts" WHERE "posts"."id" = 1 LIMIT 21
@screen("lazy post list with deferred bodies",
        find('"posts"."body" FROM "posts" WHERE "posts"."id" = ', POSTS, 20))
def _(db):
    for post in posts.only("id", "title")[:20]:
        post.body


# 13 × … FROM "countries" WHERE "countries"."code" = 'fr' LIMIT 21
@screen("lazy authors with country by varchar key",
        find('FROM "countries" WHERE "countries"."code" = ', 'FROM "authors" ORDER BY', 13,
             "authors\\.country_code → countries\\.code"))
def _(db):
    for author in Author.objects.order_by("id"):
        author.country.name


# 6 × … FROM "order_items" WHERE "order_items"."order_id" = '3652…'::uuid
# 18 × … FROM "products" WHERE "products"."id" = '01dc…'::uuid LIMIT 21
@screen("lazy orders with items and products",
        find('FROM "order_items" WHERE "order_items"."order_id" = ', 'FROM "orders"', 6,
             "order_items\\.order_id → orders\\.id"),
        find('FROM "products" WHERE "products"."id" = ', 'FROM "order_items"', 18,
             "order_items\\.product_id → products\\.id"))
def _(db):
    for order in Order.objects.order_by("placed_on", "id")[:6]:
        for item in order.items.all():
            item.product.name


@screen("eager (prefetch_related) orders with items and products")
def _(db):
    for order in Order.objects.order_by("placed_on", "id").prefetch_related("items__product")[:6]:
        for item in order.items.all():
            item.product.name


# 9 × … FROM "authors" WHERE "authors"."id" = 13 LIMIT 21
@screen("lazy post page with the author of each comment",
        find('FROM "authors" WHERE "authors"."id" = ', 'FROM "comments" WHERE', 9,
             "comments\\.author_id → authors\\.id"))
def _(db):
    for comment in Post.objects.get(slug="post-7").comments.all():
        comment.author.name


@screen("plain post page")
def _(db):
    post = Post.objects.get(slug="post-7")
    post.author.name
    list(post.comments.select_related("author"))
    list(post.tags.all())


# 1 × SELECT COUNT(*), then 12 × … LIMIT 10 OFFSET …; no two pages have the same authors
@screen("plain pages of posts with prefetched authors")
def _(db):
    pages = Paginator(posts.prefetch_related("author"), 10)
    for number in pages.page_range:
        for post in pages.page(number):
            post.author.name


@screen("plain batches of keys")
def _(db):
    keys = list(posts.values_list("id", flat=True)[:60])
    for start in range(0, 60, 10):
        Post.objects.in_bulk(keys[start:start + 10])


if __name__ == "__main__":
    import kinds  # noqa: F401, registers its screens
    main("django", open_session)
