"""The load of test/soak: see there.  Its kinds:

    alone     one request of soak_requests.py, over and over, on a connection
    mixed     all of them in turn, as one process of an application sends them
    shared    2 to 6 clients on one backend, their statements mingled
    pooled    5 clients at once through pgbouncer, on 1 or 2 backends
    pgbench   its scripts in its protocols, directly and through pgbouncer

Each connection lasts a few seconds and has the application_name "KIND REQUEST".
Where the server says that it found something, what the connection sent last is
kept, so that a false finding comes with its cause.
"""

import argparse
import itertools
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import deque

from soak_libpq import Connection, Failure, with_literals
from soak_requests import REQUESTS, CopyIn, CopyOut, Pause, Pipeline

KINDS = ('alone', 'mixed', 'shared', 'pooled', 'pgbench')
RETRY = ('40001', '40P01')      # serialization failure, deadlock
KEPT = 40                       # statements before a finding
SLICE = 2.5                     # seconds of a connection


class Tally:
    """What all threads have done and found."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = dict.fromkeys(KINDS, 0)
        self.failures = []
        self.causes = {}        # (application_name, message) -> what was sent before

    def count(self, kind, n=1):
        with self.lock:
            self.requests[kind] += n

    def fail(self, what):
        with self.lock:
            self.failures.append(what)

    def found(self, message, application, history):
        """The first cause of each finding; messages differ in the number of repeats."""
        what = re.sub(r'repeated \d+ times', 'repeated', message.splitlines()[0])
        with self.lock:
            self.causes.setdefault((application, what), list(history))


class Backend:
    """A connection, with the history of what was sent over it."""

    def __init__(self, tally, application, conninfo, protocol):
        self.history = deque(maxlen=KEPT)
        self.last = time.monotonic()
        self.connection = Connection(
            f"{conninfo} application_name='{application}'", protocol,
            lambda message: tally.found(message, application, self.history))

    def do(self, what):
        begun = time.monotonic()
        self.history.append(((begun - self.last) * 1000, what))
        try:
            if isinstance(what, Pipeline):
                return self.connection.pipeline(what.statements)
            if isinstance(what, CopyIn):
                return self.connection.copy_in(what.sql, what.data)
            if isinstance(what, CopyOut):
                return self.connection.copy_out(what.sql)
            return self.connection.run(*what)
        finally:
            self.last = time.monotonic()


class Client:
    """One of the clients of a connection, at some place in its request."""

    def __init__(self, choose, rng):
        self.choose, self.rng = choose, rng
        self.request = None
        self.answer = None
        self.ready = time.monotonic() + rng.uniform(0, .2)
        self.in_transaction = False

    def step(self, backend):
        """Send one statement; true when a request has ended."""
        if self.request is None:
            name = self.choose()
            self.request = REQUESTS[name][0](self.rng)
            self.pause = REQUESTS[name][2]
            self.answer = None
        try:
            what = self.request.send(self.answer)
        except StopIteration:
            self.request = None
            self.ready = time.monotonic() + self.rng.expovariate(1000 / self.pause)
            return True
        self.answer = None
        if isinstance(what, Pause):
            self.ready = time.monotonic() + what.ms / 1000
            return False
        self.in_transaction = what[0] == 'BEGIN' or (self.in_transaction and what[0] != 'COMMIT')
        try:
            self.answer = backend.do(what)
        except Failure as failure:
            if failure.state not in RETRY:
                raise
            self.request = None
            if self.in_transaction:
                backend.do(('ROLLBACK',))
            self.in_transaction = False
        return False


def serve(backend, clients, rng, until):
    """Let the clients use the backend in any order, but not within transactions.
    Returns the number of requests."""
    requests = 0
    while True:
        now = time.monotonic()
        holder = [c for c in clients if c.in_transaction]
        # what is under way is brought to its end
        waiting = holder or [c for c in clients if now < until or c.request is not None]
        if not waiting:
            return requests
        ready = [c for c in waiting if c.ready <= now]
        if ready:
            requests += rng.choice(ready).step(backend)
        else:
            time.sleep(max(0, min(c.ready for c in waiting) - now))


class Soak:
    def __init__(self, options):
        self.options = options
        self.tally = Tally()
        self.names = options.only or [name for name, (_, weight, _) in REQUESTS.items() if weight > 0]
        self.end = time.monotonic() + options.seconds
        self.turn = []          # names not yet used in this turn

    def mixture(self, rng):
        weights = [max(REQUESTS[name][1], 1) for name in self.names]
        return lambda: rng.choices(self.names, weights)[0]

    def application(self, rng):
        """Part of the requests, as one application has."""
        some = rng.sample(self.names, min(len(self.names), rng.randint(3, 12)))
        return lambda: rng.choice(some)

    def next_name(self, rng):
        """All requests in turn, whoever asks, each time in another order."""
        with self.tally.lock:
            if not self.turn:
                self.turn = rng.sample(self.names, len(self.names))
            return self.turn.pop()

    def slice(self, kind, rng):
        protocols = ('simple', 'extended') if kind == 'pooled' else ('simple', 'extended', 'named')
        application, count, seconds = kind, 1, SLICE
        if kind == 'alone':
            name = self.next_name(rng)
            application, choose, seconds = f'alone {name}', lambda: name, SLICE / 2
        elif kind == 'shared':
            name = self.next_name(rng) if rng.random() < .4 else None
            application = f'shared {name or "all"}'
            choose = (lambda: name) if name else rng.choice((self.mixture, self.application))(rng)
            count = rng.randint(2, 6)
        else:
            choose = self.mixture(rng)
        conninfo = self.options.pooled if kind == 'pooled' else 'user=soak'
        if kind == 'pooled':
            conninfo += f" dbname={rng.choice(('one', 'two'))}"
        backend = Backend(self.tally, application, conninfo, rng.choice(protocols))
        try:
            clients = [Client(choose, rng) for _ in range(count)]
            self.tally.count(kind, serve(backend, clients, rng, min(self.end, time.monotonic() + seconds)))
        except Failure as failure:
            raise Failure(f'{application}: {failure}\n\t{show(backend.history[-1])}', failure.state) from None
        finally:
            backend.connection.close()

    def worker(self, kind, number):
        rng = random.Random(f'{self.options.seed} {kind} {number}')
        while time.monotonic() < self.end:
            try:
                self.slice(kind, rng)
            except Failure as failure:
                self.tally.fail(str(failure))
                return

    def pgbench(self):
        rng = random.Random(f'{self.options.seed} pgbench')
        runs = [run for run in itertools.product(
            ('tpcb-like', 'simple-update', 'select-only'), ('simple', 'extended', 'prepared'), (False, True),
            ('0', '400')) if not (run[1] == 'prepared' and run[2])]
        while time.monotonic() + 1 < self.end:
            rng.shuffle(runs)
            for run in runs:
                left = int(self.end - time.monotonic())
                if left < 1:
                    break
                self.pgbench_run(*run, min(left, 2), rng)

    def pgbench_run(self, script, protocol, pooled, rate, seconds, rng):
        application = f'pgbench {script} {protocol}{" pooled" if pooled else ""}'
        conninfo = f"{self.options.pooled if pooled else 'user=soak'} dbname={'bench_pool' if pooled else 'bench'}"
        command = ['pgbench', '-n', '-b', script, '-M', protocol, '-c', '4', '-T', str(seconds),
                   f'--random-seed={rng.randint(1, 10**6)}', f"{conninfo} application_name='{application}'"]
        if rate != '0':
            command[1:1] = ['-R', rate]
        done = subprocess.run(command, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            if line.startswith('number of transactions actually processed:'):
                self.tally.count('pgbench', int(line.split(':')[1].split('/')[0]))
        for line in done.stderr.splitlines():
            if 'NOTICE:' in line:
                self.tally.found(line, application, [])
        if done.returncode != 0:
            self.tally.fail(f'{application}: {done.stderr}')

    def run(self):
        threads = []
        for kind, number in (('alone', 3), ('mixed', 1), ('shared', 3), ('pooled', 5)):
            if kind in self.options.kinds:
                threads += [threading.Thread(target=self.worker, args=(kind, i)) for i in range(number)]
        if 'pgbench' in self.options.kinds:
            threads.append(threading.Thread(target=self.pgbench))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


# ----- what came of it -------------------------------------------------------

FINDINGS = '''
    SELECT application_name, kind, confidence, bursts, repeats, max_repeats,
        coalesce(link, '-'), query, coalesce(parent_query, '-')
    FROM vitals.n_plus_one
    WHERE confidence IN ('proven', 'likely') ORDER BY application_name, query'''


def show(entry):
    gap, what = entry
    text = repr(what) if isinstance(what, (Pipeline, CopyIn, CopyOut)) else with_literals(what[0], what[1:])
    return f'{gap:8.1f} ms  {text[:200]}'


def control(connection):
    """A loop: was anybody looking?  True if it was found."""
    loop = Connection("application_name='control'")
    for row in loop.run('SELECT id, name FROM brands ORDER BY id LIMIT 12'):
        loop.run('SELECT count(*) FROM products WHERE brand_id = $1', row[0])
    loop.close()
    return [row[:2] for row in connection.run(FINDINGS)] == [('control', 'n_plus_one')]


def report(findings, tally):
    for row in findings:
        print('%s: %s %s, %s bursts, %s repeats, at most %s, %s\n\t%s\n\tof: %s' % row)
    for (application, message), history in tally.causes.items():
        print(f'\n{application}: {message}\n\tsent before it, with the pause before each:')
        for entry in history:
            print('\t' + show(entry))
    for failure in tally.failures:
        print(failure)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument('seconds', type=float)
    parser.add_argument('--pooled', required=True)
    parser.add_argument('--seed', default=str(random.randrange(10 ** 6)))
    parser.add_argument('--kinds', type=lambda s: s.split(','), default=KINDS)
    parser.add_argument('--only', type=lambda s: s.split(','))
    options = parser.parse_args()
    for name in options.only or ():
        name in REQUESTS or parser.error(f'there is no request "{name}"')
    for kind in options.kinds:
        kind in KINDS or parser.error(f'there is no kind "{kind}"')
    return options


def main():
    options = arguments()
    reader = Connection("application_name='reader'")
    tests = []

    reader.run('SELECT vitals.reset()')
    tests.append((control(reader), 'a loop is found before the load'))
    reader.run('SELECT vitals.reset()')
    print(f'seed {options.seed}')
    soak = Soak(options)
    soak.run()
    findings = reader.run(FINDINGS)
    report(findings, soak.tally)
    for kind in options.kinds:
        n = sum(row[0].split()[0] == kind for row in findings)
        tests.append((n == 0 and soak.tally.requests[kind] > 0,
                      f'{kind}: {soak.tally.requests[kind]} requests, {n} findings'))
    tests.append((not soak.tally.failures, f'{len(soak.tally.failures)} failures'))
    reader.run('SELECT vitals.reset()')
    tests.append((control(reader), 'a loop is found after the load'))
    for passed, what in tests:
        print(('ok - ' if passed else 'not ok - ') + what)
    failed = sum(not passed for passed, _ in tests)
    print(f'{len(tests) - failed} passed, {failed} failed')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
