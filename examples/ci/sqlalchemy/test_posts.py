import pytest
from sqlalchemy import Column, ForeignKey, Integer, Text, select
from sqlalchemy.orm import declarative_base, relationship, selectinload

Base = declarative_base()
pytestmark = pytest.mark.usefixtures("no_n_plus_one")


class Author(Base):
    __tablename__ = "authors"
    id = Column(Integer, primary_key=True)
    name = Column(Text)


class Post(Base):
    __tablename__ = "posts"
    id = Column(Integer, primary_key=True)
    author_id = Column(ForeignKey("authors.id"))
    title = Column(Text)
    author = relationship(Author)


def bylines(session, posts):
    return ["%s by %s" % (post.title, post.author.name) for post in session.scalars(posts)]


def test_eager(session):
    assert len(bylines(session, select(Post).options(selectinload(Post.author)))) == 20


def test_lazy(session):
    assert len(bylines(session, select(Post))) == 20


@pytest.mark.allow_n_plus_one("%FROM authors%")
def test_allowed(session):
    assert len(bylines(session, select(Post))) == 20
