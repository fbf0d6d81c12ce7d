"""Runs the screens of a Python ORM and compares what they leave in
vitals.n_plus_one with what each of them declares (the rules are in check.sql).

A screen is a function of the session that its ORM's adapter opens, registered
with the findings it must make: none for an eager screen.

    @screen("lazy post list with author", find(repeated, parent, repeats, link))
    def _(db): ...

Each runs in three modes, unless it names its own:
    autocommit   in a session of its own, each statement its own transaction
    transaction  in a session of its own, all in one transaction
    pooled       all screens one after the other in one session
A session shared by all screens repeats many statements with the same
parameters, so a duplicate is asked for in the first two modes only.

A screen whose findings are of kinds that ORM_KINDS does not name is left out.
"""

import json
import os
import re
import sys

import psycopg2

MODES = ("autocommit", "transaction", "pooled")
KINDS = os.environ["ORM_KINDS"].split(",")
ANY = object()      # a parent that is not asked for

_screens = []


def screen(title, *finds, modes=MODES):
    def register(run):
        _screens.append((title, run, finds, modes))
        return run
    return register


def find(repeated, parent, repeats, link=None, kind="n_plus_one", inside=False):
    """inside: the server sends the statement itself (a function, a trigger)."""
    wanted = {"kind": kind, "repeated": repeated, "parent": parent,
              "repeats": repeats, "link": link, "inside": inside}
    if parent is ANY:
        del wanted["parent"]
    return wanted


def _wrong_statements(finds, sent):
    """A lazy screen must send each repeated statement as often as it says."""
    for wanted in finds:
        times = sum(bool(re.search(wanted["repeated"], text)) for text in sent)
        if times != wanted["repeats"] and not wanted["inside"]:
            yield "screen sends %d, not %d, of %s" % (
                times, wanted["repeats"], wanted["repeated"])


def _differences(admin, finds, mode):
    admin.execute("SELECT d FROM checks.differences(%s) d", [json.dumps(finds)])
    asked = any(wanted["kind"] == "duplicate" for wanted in finds)
    return [line for line, in admin.fetchall()
            if mode != "pooled" or asked or not re.match(r"got \d+ × duplicate ", line)]


def _report(title, wrong):
    print("%s - %s" % ("not ok" if wrong else "ok", title))
    for line in wrong:
        print("#   " + " ".join(line.split()))
    sys.stdout.flush()


class _Runner:
    """open_session gives a context manager of a session and appends each
    statement sent to a list; between screens a shared session is given to
    `between`."""

    def __init__(self, open_session, between):
        self.open_session, self.between = open_session, between
        connection = psycopg2.connect(dbname="orm")
        connection.autocommit = True
        self.admin = connection.cursor()

    def _own_session(self, mode, run):
        sent = []
        with self.open_session(mode == "transaction", sent) as db:
            run(db)
        return sent

    def _check(self, finds, mode, run_screen):
        self.admin.execute("SELECT restore(), vitals.reset()")
        try:
            sent = run_screen()
        except Exception as error:  # a broken screen must not hide the others
            return ["screen failed: %r" % error]
        return list(_wrong_statements(finds, sent)) + _differences(self.admin, finds, mode)

    def check(self, chosen, mode):
        for title, run, finds, _ in chosen:
            _report("%s (%s)" % (title, mode),
                    self._check(finds, mode, lambda: self._own_session(mode, run)))

    def check_pooled(self, chosen):
        sent = []
        with self.open_session(False, sent) as db:
            def in_shared(run):
                del sent[:]
                try:
                    run(db)
                finally:
                    self.between(db)
                return sent
            for title, run, finds, _ in chosen:
                _report("%s (pooled)" % title,
                        self._check(finds, "pooled", lambda: in_shared(run)))

    def print_statements(self, title, run, modes):
        self.admin.execute("SELECT restore()")
        print("\n" + title)
        shapes = {}
        for text in self._own_session(modes[0], run):
            shapes.setdefault(re.sub(r"\d+|'[^']*'", "…", text), []).append(text)
        for texts in shapes.values():
            print("  %d × %s" % (len(texts), " ".join(texts[0].split())))


def _with_kinds(orm, chosen):
    """The screens whose kinds of findings are there; says what others wait for."""
    waiting = [screen for screen in chosen if any(f["kind"] not in KINDS for f in screen[2])]
    if waiting:
        missing = {f["kind"] for screen in waiting for f in screen[2]} - set(KINDS)
        print("# %s: %d screens left out, of kinds %s" % (
            orm, len(waiting), ", ".join(sorted(missing))))
    return [screen for screen in chosen if screen not in waiting]


def main(orm, open_session, between=lambda db: None):
    """Runs all screens, or with --sql prints what they send."""
    arguments = [a for a in sys.argv[1:] if a != "--sql"]
    pattern = re.compile(arguments[0] if arguments else "")
    chosen = [("%s %s" % (orm, title), run, finds, modes)
              for title, run, finds, modes in _screens if pattern.search(orm + " " + title)]
    runner = _Runner(open_session, between)
    if "--sql" in sys.argv:
        for title, run, _, modes in chosen:
            runner.print_statements(title, run, modes)
        return
    chosen = _with_kinds(orm, chosen)
    for mode in MODES:
        of_mode = [screen for screen in chosen if mode in screen[3]]
        if mode == "pooled":
            runner.check_pooled(of_mode)
        else:
            runner.check(of_mode, mode)
