"""The domain of ../domain.sql as Django models, and sessions on it.  psycopg2
puts the parameters into the text: all statements go over the simple protocol
with literals."""

import contextlib
import os

import django
from django.apps import AppConfig
from django.conf import settings


class Orm(AppConfig):
    name = "models"
    label = "orm"
    path = os.path.dirname(os.path.abspath(__file__))


settings.configure(
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "orm",
        "USER": "orm",
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "OPTIONS": {"application_name": "django"},
        "CONN_MAX_AGE": None,
    }},
    INSTALLED_APPS=["models.Orm", "django.contrib.contenttypes"],
    USE_TZ=True,
)
django.setup()

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction


def table(name):
    """Meta of a model on a table of ../domain.sql."""
    return type("Meta", (), {"app_label": "orm", "db_table": name, "managed": False})


def belongs_to(model, column, related_name="+"):
    return models.ForeignKey(model, models.DO_NOTHING, db_column=column,
                             related_name=related_name, null=True)


class Country(models.Model):
    code = models.CharField(max_length=2, primary_key=True)
    name = models.TextField()
    Meta = table("countries")


class Author(models.Model):
    name = models.TextField()
    email = models.TextField()
    country = belongs_to(Country, "country_code")
    Meta = table("authors")


class Tag(models.Model):
    name = models.TextField()
    Meta = table("tags")


class Post(models.Model):
    author = belongs_to(Author, "author_id", "posts")
    slug = models.TextField()
    title = models.TextField()
    body = models.TextField()
    tags = models.ManyToManyField(Tag, db_table="post_tags")
    Meta = table("posts")


class Comment(models.Model):
    id = models.BigAutoField(primary_key=True)
    post = belongs_to(Post, "post_id", "comments")
    author = belongs_to(Author, "author_id")
    body = models.TextField()
    Meta = table("comments")


class Product(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.TextField()
    Meta = table("products")


class Order(models.Model):
    id = models.UUIDField(primary_key=True)
    placed_on = models.DateField()
    Meta = table("orders")


class OrderItem(models.Model):
    id = models.UUIDField(primary_key=True)
    order = belongs_to(Order, "order_id", "items")
    product = belongs_to(Product, "product_id")
    Meta = table("order_items")


class Folder(models.Model):
    parent = belongs_to("self", "parent_id", "children")
    name = models.TextField()
    Meta = table("folders")


class Setting(models.Model):
    key = models.TextField(primary_key=True)
    value = models.TextField()
    Meta = table("settings")


class Label(models.Model):
    content_type = belongs_to(ContentType, "content_type_id")
    object_id = models.IntegerField()
    target = GenericForeignKey()
    label = models.TextField()
    Meta = table("labels")


class Article(models.Model):
    title = models.TextField()
    views = models.IntegerField(default=0)
    notes_count = models.IntegerField(default=0)
    Meta = table("articles")


class Note(models.Model):
    id = models.BigAutoField(primary_key=True)
    article = belongs_to(Article, "article_id", "notes")
    body = models.TextField()
    Meta = table("notes")


class Subscriber(models.Model):
    email = models.TextField(unique=True)
    visits = models.IntegerField(default=0)
    Meta = table("subscribers")


class Mark(models.Model):
    article = belongs_to(Article, "article_id")
    Meta = table("marks")


@contextlib.contextmanager
def open_session(in_transaction, sent):
    def note(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        sent.append(context["cursor"].query.decode())
        return result

    connection.ensure_connection()
    with connection.execute_wrapper(note):
        with transaction.atomic() if in_transaction else contextlib.nullcontext():
            yield connection
    connection.close()
