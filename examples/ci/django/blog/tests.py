from django.test import TestCase

from .models import Author, Post
from .vitals import no_n_plus_one


def bylines(posts):
    return ["%s by %s" % (post.title, post.author.name) for post in posts]


class PostListTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        authors = Author.objects.bulk_create(Author(name="author %d" % n) for n in range(20))
        Post.objects.bulk_create(Post(title="post", author=author) for author in authors)

    def test_eager(self):
        with no_n_plus_one():
            self.assertEqual(len(bylines(Post.objects.select_related("author"))), 20)

    def test_lazy(self):
        with no_n_plus_one():
            self.assertEqual(len(bylines(Post.objects.all())), 20)

    def test_allowed(self):
        with no_n_plus_one(allow=["%.author_id → %.id"]):
            self.assertEqual(len(bylines(Post.objects.all())), 20)
