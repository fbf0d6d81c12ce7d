"""The domain of ../domain.sql as SQLAlchemy classes, and sessions on it.
psycopg2 puts the parameters into the text: all statements go over the simple
protocol with literals."""

import contextlib
import os

from sqlalchemy import Column, Date, ForeignKey, Integer, String, Table, Text
from sqlalchemy import create_engine, event
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session, declarative_base, relationship

Base = declarative_base()


class Country(Base):
    __tablename__ = "countries"
    code = Column(String(2), primary_key=True)
    name = Column(Text)


class Author(Base):
    __tablename__ = "authors"
    id = Column(Integer, primary_key=True)
    name = Column(Text)
    country_code = Column(ForeignKey("countries.code"))
    country = relationship(Country)


post_tags = Table("post_tags", Base.metadata,
                  Column("post_id", ForeignKey("posts.id")),
                  Column("tag_id", ForeignKey("tags.id")))


class Tag(Base):
    __tablename__ = "tags"
    id = Column(Integer, primary_key=True)
    name = Column(Text)


class Post(Base):
    __tablename__ = "posts"
    id = Column(Integer, primary_key=True)
    author_id = Column(ForeignKey("authors.id"))
    title = Column(Text)
    author = relationship(Author)
    comments = relationship("Comment")
    tags = relationship(Tag, secondary=post_tags)


class Comment(Base):
    __tablename__ = "comments"
    id = Column(Integer, primary_key=True)
    post_id = Column(ForeignKey("posts.id"))
    author_id = Column(ForeignKey("authors.id"))
    author = relationship(Author)


class Product(Base):
    __tablename__ = "products"
    id = Column(UUID, primary_key=True)
    name = Column(Text)


class Order(Base):
    __tablename__ = "orders"
    id = Column(UUID, primary_key=True)
    placed_on = Column(Date)
    items = relationship("OrderItem")


class OrderItem(Base):
    __tablename__ = "order_items"
    id = Column(UUID, primary_key=True)
    order_id = Column(ForeignKey("orders.id"))
    product_id = Column(ForeignKey("products.id"))
    product = relationship(Product)


class Folder(Base):
    __tablename__ = "folders"
    id = Column(Integer, primary_key=True)
    parent_id = Column(ForeignKey("folders.id"))
    name = Column(Text)
    parent = relationship("Folder", remote_side=id)


class Setting(Base):
    __tablename__ = "settings"
    key = Column(Text, primary_key=True)
    value = Column(Text)


class Article(Base):
    __tablename__ = "articles"
    id = Column(Integer, primary_key=True)
    title = Column(Text)
    views = Column(Integer, default=0)
    notes = relationship("Note")


class Note(Base):
    __tablename__ = "notes"
    id = Column(Integer, primary_key=True)
    article_id = Column(ForeignKey("articles.id"))
    body = Column(Text)


class Subscriber(Base):
    __tablename__ = "subscribers"
    id = Column(Integer, primary_key=True)
    email = Column(Text)
    visits = Column(Integer, default=0)


class Mark(Base):
    __tablename__ = "marks"
    id = Column(Integer, primary_key=True)
    article_id = Column(ForeignKey("articles.id"))


@contextlib.contextmanager
def open_session(in_transaction, sent, **options):
    engine = create_engine(
        "postgresql+psycopg2://orm@/orm", pool_size=1, max_overflow=0,
        connect_args={"host": os.environ["PGHOST"], "port": os.environ["PGPORT"],
                      "application_name": "sqlalchemy"},
        isolation_level="READ COMMITTED" if in_transaction else "AUTOCOMMIT", **options)

    @event.listens_for(engine, "after_cursor_execute")
    def note(connection, cursor, statement, parameters, context, executemany):
        sent.append(" ".join(cursor.query.decode().split()))

    with Session(engine) as session:
        session.connection()
        del sent[:]  # what the dialect asked at its first connect
        yield session
        session.commit()
    engine.dispose()
