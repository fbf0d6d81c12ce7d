import contextlib

from django.db import connection


@contextlib.contextmanager
def no_n_plus_one(allow=()):
    """What is done inside must not repeat statements where one would do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT vitals.mark()")
        [mark] = cursor.fetchone()
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT vitals.assert_no_n_plus_one(%s, %s)", [mark, list(allow)])
