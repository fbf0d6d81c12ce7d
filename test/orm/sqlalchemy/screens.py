"""The screens on SQLAlchemy.  The identity map loads no row twice, so that 20
posts of 13 authors make 13 lookups; collections are compared with the operands
in the other order (8 = comments.post_id)."""

from classes import Author, Comment, Order, OrderItem, Post, open_session
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, selectinload, subqueryload
from vitals import find, main, screen

POSTS = "FROM posts ORDER BY"
posts = select(Post).order_by(Post.id).limit(20)
AUTHORS = find("FROM authors WHERE authors.id = ", POSTS, 13, "posts\\.author_id → authors\\.id")


def rows(db, statement):
    return db.scalars(statement).unique().all()


# 13 × … FROM authors WHERE authors.id = 8
@screen("lazy post list with author", AUTHORS)
def _(db):
    for post in rows(db, posts):
        post.author.name


# The map is weak, and nothing keeps these authors: 20 lookups
@screen("lazy post list with author by get()", dict(AUTHORS, repeats=20))
def _(db):
    for post in rows(db, posts):
        db.get(Author, post.author_id)


# … FROM posts LEFT OUTER JOIN authors AS authors_1 ON …
@screen("eager (joinedload) post list with author")
def _(db):
    for post in rows(db, posts.options(joinedload(Post.author))):
        post.author.name


# … FROM authors WHERE authors.id IN (1, 2, …)
@screen("eager (selectinload) post list with author")
def _(db):
    for post in rows(db, posts.options(selectinload(Post.author))):
        post.author.name


# 20 × … FROM comments WHERE 1 = comments.post_id
@screen("lazy post list with comments",
        find("FROM comments WHERE .* = comments.post_id", POSTS, 20,
             "comments\\.post_id → posts\\.id"))
def _(db):
    for post in rows(db, posts):
        len(post.comments)


@screen("eager (selectinload) post list with comments")
def _(db):
    for post in rows(db, posts.options(selectinload(Post.comments))):
        len(post.comments)


# … FROM (SELECT … FROM posts … LIMIT 20) AS anon_1 JOIN comments ON …
@screen("eager (subqueryload) post list with comments")
def _(db):
    for post in rows(db, posts.options(subqueryload(Post.comments))):
        len(post.comments)


# 20 × … FROM tags, post_tags WHERE 1 = post_tags.post_id AND tags.id = post_tags.tag_id
@screen("lazy post list with tags",
        find("FROM tags, post_tags WHERE .* = post_tags.post_id", POSTS, 20,
             "post_tags\\.post_id → posts\\.id"))
def _(db):
    for post in rows(db, posts):
        len(post.tags)


@screen("eager (selectinload) post list with tags")
def _(db):
    for post in rows(db, posts.options(selectinload(Post.tags))):
        len(post.tags)


# 20 × SELECT count(comments.id) AS count_1 FROM comments WHERE comments.post_id = 1
@screen("lazy post list with comment counts",
        find("SELECT count.* FROM comments WHERE comments.post_id = ", POSTS, 20,
             "comments\\.post_id → posts\\.id"))
def _(db):
    for post in rows(db, posts):
        db.scalar(select(func.count(Comment.id)).where(Comment.post_id == post.id))


# 13 × … FROM countries WHERE countries.code = 'fr'
@screen("lazy authors with country by varchar key",
        find("FROM countries WHERE countries.code = ", "FROM authors ORDER BY", 13,
             "authors\\.country_code → countries\\.code"))
def _(db):
    for author in rows(db, select(Author).order_by(Author.id)):
        author.country.name


# 6 × … FROM order_items WHERE '3652…' = order_items.order_id
# 18 × … FROM products WHERE products.id = '01dc…'
@screen("lazy orders with items and products",
        find("FROM order_items WHERE .* = order_items.order_id", "FROM orders", 6,
             "order_items\\.order_id → orders\\.id"),
        find("FROM products WHERE products.id = ", "FROM order_items", 18,
             "order_items\\.product_id → products\\.id"))
def _(db):
    for order in rows(db, select(Order).order_by(Order.placed_on, Order.id).limit(6)):
        for item in order.items:
            item.product.name


@screen("eager (selectinload) orders with items and products")
def _(db):
    loading = selectinload(Order.items).selectinload(OrderItem.product)
    for order in rows(db, select(Order).order_by(Order.placed_on, Order.id).limit(6).options(loading)):
        for item in order.items:
            item.product.name


# 9 × … FROM authors WHERE authors.id = 13
@screen("lazy post page with the author of each comment",
        find("FROM authors WHERE authors.id = ", "FROM comments WHERE", 9,
             "comments\\.author_id → authors\\.id"))
def _(db):
    for comment in db.get(Post, 7).comments:
        comment.author.name


@screen("plain post page")
def _(db):
    post = db.get(Post, 7)
    post.author.name
    rows(db, select(Comment).where(Comment.post_id == 7).options(joinedload(Comment.author)))
    len(post.tags)


# 12 × … LIMIT 10 OFFSET …; no two pages have the same authors
@screen("plain pages of posts with loaded authors")
def _(db):
    for page in range(12):
        statement = select(Post).order_by(Post.id).limit(10).offset(page * 10)
        db.expunge_all()
        rows(db, statement.options(selectinload(Post.author)))


if __name__ == "__main__":
    import kinds  # noqa: F401, registers its screens
    main("sqlalchemy", open_session, between=lambda session: session.close())
