"""The screens on psycopg 3 without an ORM.  Parameters go over the extended
protocol, integers as int2, int4 or int8 by their size; from the sixth execution
on a statement is prepared under a name (_pg3_0).  executemany() is pipelined."""

import contextlib
import os

import psycopg
from vitals import ANY, find, main, screen


class Session:
    """Notes what is sent."""

    def __init__(self, connection, sent):
        self.connection, self.sent = connection, sent

    def __call__(self, sql, *parameters, cursor=None, **options):
        self.sent.append(sql)
        return (cursor or self.connection).execute(sql, parameters or None, **options)


@contextlib.contextmanager
def open_session(in_transaction, sent):
    with psycopg.connect(dbname="orm", user="orm", host=os.environ["PGHOST"],
                         port=os.environ["PGPORT"], application_name="psycopg",
                         autocommit=not in_transaction) as connection:
        yield Session(connection, sent)


LIST = "SELECT id, author_id, title FROM posts ORDER BY id LIMIT 20"
POSTS = "FROM posts ORDER BY"
AUTHORS = find("FROM authors WHERE id = ", POSTS, 20, "posts\\.author_id → authors\\.id")
COMMENTS = find("FROM comments WHERE post_id = ", POSTS, 20, "comments\\.post_id → posts\\.id")
ARTICLES = "SELECT id, views FROM articles ORDER BY id"


def write(repeated, parent=ANY):
    return find(repeated, parent, 12, kind="n_plus_one_write")


@screen("lazy post list with author, unnamed and then named", AUTHORS)
def _(db):
    for _, author, _ in db(LIST).fetchall():
        db("SELECT name FROM authors WHERE id = %s", author)


@screen("lazy post list with author, named from the first", AUTHORS)
def _(db):
    for _, author, _ in db(LIST).fetchall():
        db("SELECT name FROM authors WHERE id = %s", author, prepare=True)


@screen("lazy post list with author, never named", AUTHORS)
def _(db):
    for _, author, _ in db(LIST).fetchall():
        db("SELECT name FROM authors WHERE id = %s", author, prepare=False)


@screen("lazy post list with author, in binary", AUTHORS)
def _(db):
    for _, author, _ in db(LIST, binary=True).fetchall():
        db("SELECT name FROM authors WHERE id = %b", author, binary=True)


@screen("lazy post list with author, parameters put into the text", AUTHORS)
def _(db):
    cursor = psycopg.ClientCursor(db.connection)
    for _, author, _ in db(LIST, cursor=cursor).fetchall():
        db("SELECT name FROM authors WHERE id = %s", author, cursor=cursor)


# A list of one is no batch
@screen("lazy post list with author by an array of one",
        find("FROM authors WHERE id = ANY", POSTS, 20, "posts\\.author_id → authors\\.id"))
def _(db):
    for _, author, _ in db(LIST).fetchall():
        db("SELECT name FROM authors WHERE id = ANY(%s)", [author])


@screen("eager (ANY) post list with author")
def _(db):
    authors = [author for _, author, _ in db(LIST).fetchall()]
    db("SELECT id, name FROM authors WHERE id = ANY(%s)", authors)


@screen("lazy post list with comments", COMMENTS)
def _(db):
    for post, _, _ in db(LIST).fetchall():
        db("SELECT body FROM comments WHERE post_id = %s", post)


# DECLARE … CURSOR, then FETCH and lookups in turn
@screen("lazy post list over a server-side cursor with comments",
        find("FROM comments WHERE post_id = ", "FROM posts ORDER BY", 20), modes=["transaction"])
def _(db):
    with db.connection.cursor("posts") as cursor:
        cursor.itersize = 5
        cursor.execute(LIST)
        for post, _, _ in cursor:
            db("SELECT body FROM comments WHERE post_id = %s", post)


# 20 statements on their way before the first answer is looked at
@screen("eager (pipeline) post list with author")
def _(db):
    authors = [author for _, author, _ in db(LIST).fetchall()]
    with db.connection.pipeline():
        cursors = [db("SELECT name FROM authors WHERE id = %s", author, cursor=db.connection.cursor())
                   for author in authors]
        db.connection.pgconn.flush()
    for cursor in cursors:
        cursor.fetchone()


@screen("lazy orders with items by uuid",
        find("FROM order_items WHERE order_id = ", "FROM orders", 8, "order_items\\.order_id → orders\\.id"))
def _(db):
    for order, in db("SELECT id FROM orders ORDER BY placed_on, id LIMIT 8").fetchall():
        db("SELECT product_id, quantity FROM order_items WHERE order_id = %s", order)


@screen("lazy days with their orders by date",
        find("FROM orders WHERE placed_on = ", "SELECT placed_on, count", 15))
def _(db):
    for day, _ in db("SELECT placed_on, count(*) FROM orders GROUP BY placed_on ORDER BY placed_on").fetchall():
        db("SELECT id FROM orders WHERE placed_on = %s", day)


@screen("lazy invoices with payments by numeric",
        find("FROM payments WHERE invoice_number = ", "FROM invoices", 10,
             "payments\\.invoice_number → invoices\\.number"))
def _(db):
    for number, in db("SELECT number FROM invoices ORDER BY number LIMIT 10").fetchall():
        db("SELECT amount FROM payments WHERE invoice_number = %s", number)


@screen("lazy locale loaded again for each part",
        find("FROM settings WHERE key = ", None, 8, kind="duplicate"))
def _(db):
    for _ in range(8):
        db("SELECT value FROM settings WHERE key = %s", "ui.locale")


@screen("plain all posts over a server-side cursor", modes=["transaction"])
def _(db):
    with db.connection.cursor("posts") as cursor:
        cursor.itersize = 10
        cursor.execute("SELECT id FROM posts")
        for _ in cursor:
            pass


# --- kinds of their own ---------------------------------------------------

@screen("lazy articles updated one by one", write("UPDATE articles SET", ARTICLES))
def _(db):
    for article, views in db(ARTICLES).fetchall():
        db("UPDATE articles SET views = %s WHERE id = %s", views + 1, article)


@screen("lazy articles updated in a transaction each", write("UPDATE articles SET", ARTICLES))
def _(db):
    for article, views in db(ARTICLES).fetchall():
        with db.connection.transaction():
            db("UPDATE articles SET views = %s WHERE id = %s", views + 1, article)


@screen("lazy notes inserted one by one in a transaction", write("INSERT INTO notes"), modes=["transaction"])
def _(db):
    for i in range(12):
        db("INSERT INTO notes (article_id, body) VALUES (3, %s)", "Note %d" % i)


# Bind and Execute 12 times, and one Sync
@screen("eager (executemany) articles updated")
def _(db):
    changes = [(views + 1, article) for article, views in db(ARTICLES).fetchall()]
    with db.connection.cursor() as cursor:
        cursor.executemany("UPDATE articles SET views = %s WHERE id = %s", changes)


@screen("eager (executemany) notes inserted")
def _(db):
    with db.connection.cursor() as cursor:
        cursor.executemany("INSERT INTO notes (article_id, body) VALUES (3, %s)",
                           [["Note %d" % i] for i in range(12)])


@screen("eager (COPY) notes inserted")
def _(db):
    with db.connection.cursor() as cursor:
        with cursor.copy("COPY notes (article_id, body) FROM STDIN") as copy:
            for i in range(12):
                copy.write_row((3, "Note %d" % i))


@screen("eager (unnest) articles updated")
def _(db):
    rows = db(ARTICLES).fetchall()
    db("UPDATE articles a SET views = n.views FROM unnest(%s::int[], %s::int[]) n(id, views) WHERE a.id = n.id",
       [article for article, _ in rows], [views + 1 for _, views in rows])


@screen("lazy way from a folder up to its root",
        find("FROM folders WHERE id = ", None, 12, kind="recursive_walk"))
def _(db):
    folder = 12
    while folder:
        folder, = db("SELECT parent_id FROM folders WHERE id = %s", folder).fetchone()


if __name__ == "__main__":
    main("psycopg", open_session)
