"""Runs the screens of a Python ORM and compares what they leave in
vitals.n_plus_one with what each of them declares (the rules are in check.sql).

A screen is a function of the session that its ORM's adapter opens, registered
with the findings it must make: none for an eager screen.

    @screen("lazy post list with author", find(repeated, parent, repeats, link))
    def _(db): ...

Each runs in a session of its own, once in autocommit and once in a transaction.
"""

import json
import re
import sys

import psycopg2

_screens = []


def screen(title, *finds):
    def register(run):
        _screens.append((title, run, finds))
        return run
    return register


def find(repeated, parent, repeats, link=None, kind="n_plus_one"):
    return {"kind": kind, "repeated": repeated, "parent": parent,
            "repeats": repeats, "link": link}


def _wrong_statements(finds, sent):
    """A lazy screen must send each repeated statement as often as it says."""
    for wanted in finds:
        times = sum(bool(re.search(wanted["repeated"], text)) for text in sent)
        if times != wanted["repeats"]:
            yield "screen sends %d, not %d, of %s" % (
                times, wanted["repeats"], wanted["repeated"])


def _differences(admin, finds):
    admin.execute("SELECT d FROM checks.differences(%s) d", [json.dumps(finds)])
    return [row[0] for row in admin.fetchall()]


def _report(title, wrong):
    print("%s - %s" % ("not ok" if wrong else "ok", title))
    for line in wrong:
        print("#   " + " ".join(line.split()))
    sys.stdout.flush()


def _check(admin, open_session, in_transaction, run, finds):
    sent = []
    admin.execute("SELECT vitals.reset()")
    try:
        with open_session(in_transaction, sent) as db:
            run(db)
    except Exception as error:  # a broken screen must not hide the others
        return ["screen failed: %r" % error]
    return list(_wrong_statements(finds, sent)) + _differences(admin, finds)


def _print_statements(open_session, title, run):
    sent = []
    with open_session(False, sent) as db:
        run(db)
    print("\n" + title)
    shapes = {}
    for text in sent:
        shapes.setdefault(re.sub(r"\d+|'[^']*'", "…", text), []).append(text)
    for texts in shapes.values():
        print("  %d × %s" % (len(texts), " ".join(texts[0].split())))


def main(orm, open_session):
    """Runs all screens, or with --sql prints what they send.  open_session
    gives a context manager and appends each statement sent to a list."""
    arguments = [a for a in sys.argv[1:] if a != "--sql"]
    pattern = re.compile(arguments[0] if arguments else "")
    chosen = [("%s %s" % (orm, title), run, finds)
              for title, run, finds in _screens if pattern.search(orm + " " + title)]
    if "--sql" in sys.argv:
        for title, run, _ in chosen:
            _print_statements(open_session, title, run)
        return
    connection = psycopg2.connect(dbname="orm")
    connection.autocommit = True
    admin = connection.cursor()
    for mode in ("autocommit", "transaction"):
        for title, run, finds in chosen:
            _report("%s (%s)" % (title, mode),
                    _check(admin, open_session, mode == "transaction", run, finds))
