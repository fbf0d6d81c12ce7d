"""The requests of test/soak: what web applications and their workers send, with
no N+1 in it.

A request is a generator.  It yields statements and is given their rows:

    rows = yield 'SELECT ...', value...     one statement
    answers = yield Pipeline([(sql, values), ...])
    yield CopyIn(sql, data)     yield CopyOut(sql)
    yield Pause(milliseconds)               its client does something else

Between BEGIN and COMMIT it has its connection for itself; elsewhere statements
of other clients may come between, as on a connection shared by transaction.

Each has a sign of whose it is, a lookup of the session or of the visitor's
address: requests that are all alike, as fast as they go, are a loop for whoever
only sees statements.  Those without are left out unless named.
"""

from collections import namedtuple

Pause = namedtuple('Pause', 'ms')
Pipeline = namedtuple('Pipeline', 'statements')
CopyIn = namedtuple('CopyIn', 'sql data')
CopyOut = namedtuple('CopyOut', 'sql')

REQUESTS = {}


def request(weight, pause_ms):
    """Take part in mixtures with this weight, not at all with none; pause that long
    on average behind it."""
    def register(function):
        REQUESTS[function.__name__] = (function, weight, pause_ms)
        return function
    return register


def array(values):
    return '{' + ','.join(str(v) for v in values) + '}'


def column(rows, i):
    return sorted({row[i] for row in rows}, key=str)


# ----- parts that many requests have ---------------------------------------

def who(random):
    """The session, and the account it belongs to."""
    account = random.randint(1, 500)
    yield 'SELECT * FROM sessions WHERE token = $1', f'tok{account}'
    yield 'SELECT id, tenant_id, email, role_id, country_id FROM accounts WHERE id = $1', account
    return account


def visitor(random):
    yield 'SELECT n FROM limits WHERE key = $1', f'ip{random.randint(1, 200)}'


HOME = 'SELECT id, name, price, category_id, brand_id FROM products ORDER BY sold DESC LIMIT 10'


def product_page(product):
    rows = yield 'SELECT * FROM products WHERE id = $1', product
    yield 'SELECT id, url FROM images WHERE product_id = $1 ORDER BY id', product
    yield 'SELECT id, rating FROM reviews WHERE product_id = $1 ORDER BY id LIMIT 5', product
    return rows[0]


def popular(random, n):
    """Few are asked for often."""
    return int(random.paretovariate(1.2)) % n + 1


# ----- lists and details -----------------------------------------------------

@request(4, 5)
def home(random):
    yield from visitor(random)
    yield (HOME,)
    yield ('SELECT id, name FROM categories ORDER BY id',)


@request(0, 5)
def anonymous_home(random):
    yield (HOME,)
    yield ('SELECT id, name FROM categories ORDER BY id',)


@request(4, 5)
def home_or_product(random):
    """The list by one visitor, its rows by others."""
    yield from visitor(random)
    if random.random() < .2:
        yield (HOME,)
    else:
        yield from product_page(random.randint(1, 10))


@request(0, 5)
def anonymous_home_or_product(random):
    if random.random() < .2:
        yield (HOME,)
    else:
        yield from product_page(random.randint(1, 10))


@request(4, 4)
def member_home_or_product(random):
    yield from who(random)
    if random.random() < .2:
        yield (HOME,)
    else:
        yield from product_page(popular(random, 800))


@request(3, 8)
def product_with_associations(random):
    row = yield from product_page(random.randint(1, 800))
    yield 'SELECT * FROM categories WHERE id = $1', row[1]
    yield 'SELECT * FROM brands WHERE id = $1', row[2]
    yield 'SELECT * FROM statuses WHERE id = $1', row[3]
    yield 'SELECT * FROM countries WHERE id = $1', row[4]
    yield 'UPDATE products SET views = views + 1 WHERE id = $1', row[0]


@request(3, 8)
def own_orders(random):
    account = yield from who(random)
    orders = yield ('SELECT id, total, status_id FROM orders WHERE account_id = $1'
                    ' ORDER BY id DESC LIMIT 10'), account
    if orders and random.random() < .6:
        yield 'SELECT * FROM order_lines WHERE order_id = $1', random.choice(orders)[0]


@request(3, 8)
def order_page(random):
    yield from who(random)
    order = yield 'SELECT * FROM orders WHERE id = $1', random.randint(1, 3000)
    yield 'SELECT * FROM accounts WHERE id = $1', order[0][2]
    yield ('SELECT l.id, l.quantity, p.name FROM order_lines l JOIN products p ON p.id = l.product_id'
           ' WHERE l.order_id = $1'), order[0][0]
    yield 'SELECT name FROM statuses WHERE id = $1', order[0][3]


@request(2, 10)
def menu_and_category(random):
    yield from visitor(random)
    yield ('SELECT id, name FROM categories ORDER BY id',)
    yield ('SELECT id, name, price FROM products WHERE category_id = $1'
           ' ORDER BY sold DESC LIMIT 12'), random.randint(1, 15)


@request(2, 10)
def tenant_ticket(random):
    """Composite keys; the list now and then, single rows by others."""
    tenant = random.randint(1, 2)
    yield from who(random)
    if random.random() < .2:
        yield 'SELECT tenant_id, id, title FROM tickets WHERE tenant_id = $1 ORDER BY id LIMIT 20', tenant
    else:
        ticket = random.randint(1, 100)
        yield 'SELECT * FROM tickets WHERE tenant_id = $1 AND id = $2', tenant, ticket
        yield 'SELECT * FROM answers WHERE tenant_id = $1 AND ticket_id = $2', tenant, ticket


@request(1, 10)
def inbox(random):
    account = yield from who(random)
    rows = yield 'SELECT id, is_read FROM notices WHERE account_id = $1 ORDER BY id DESC LIMIT 20', account
    if rows:
        yield Pause(random.uniform(20, 60))
        yield 'SELECT * FROM notices WHERE id = $1', random.choice(rows)[0]


@request(2, 10)
def country_of_order(random):
    """A drop-down list, filled once in a while, and the value of a record."""
    if random.random() < .1:
        yield ('SELECT id, name FROM countries ORDER BY name',)
    else:
        row = yield 'SELECT * FROM products WHERE id = $1', random.randint(1, 800)
        yield 'SELECT * FROM countries WHERE id = $1', row[0][4]


@request(1, 20)
def tree(random):
    """Somebody opens a category; a breadcrumb in one statement."""
    category = random.randint(1, 15)
    yield 'SELECT id, name FROM categories WHERE parent_id = $1 ORDER BY id', category
    yield ('WITH RECURSIVE up AS (SELECT * FROM categories WHERE id = $1'
           ' UNION ALL SELECT c.* FROM categories c JOIN up ON c.id = up.parent_id)'
           ' SELECT id, name FROM up'), category


@request(2, 4)
def random_lookup(random):
    yield 'SELECT name, price FROM products WHERE id = $1', random.randint(1, 800)


# ----- search and pages -----------------------------------------------------

@request(2, 15)
def search(random):
    word = 'prod ' + str(random.randint(1, 79))
    yield 'SELECT count(*) FROM products WHERE name LIKE $1', word + '%'
    yield ('SELECT id, name, price FROM products WHERE name LIKE $1 ORDER BY id LIMIT 20 OFFSET $2',
           word + '%', random.choice((0, 0, 20)))


@request(1, 60)
def typing(random):
    word = 'prod ' + str(random.randint(100, 800))
    for n in range(5, len(word) + 1):
        yield ('SELECT id, name FROM products WHERE name LIKE $1 AND status_id = $2 ORDER BY id LIMIT 8',
               word[:n] + '%', 2)
        yield Pause(random.uniform(60, 160))


@request(2, 10)
def facets(random):
    category = random.randint(1, 15)
    yield 'SELECT brand_id, count(*) FROM products WHERE category_id = $1 GROUP BY brand_id', category
    yield 'SELECT status_id, count(*) FROM products WHERE category_id = $1 GROUP BY status_id', category
    yield ('SELECT id, name FROM products WHERE category_id = $1 AND brand_id = $2 ORDER BY id LIMIT 20',
           category, random.randint(1, 25))


@request(1, 15)
def offset_pages(random):
    yield from who(random)
    for page in range(6):
        yield 'SELECT id, account_id, total FROM orders ORDER BY id LIMIT 20 OFFSET $1', page * 20
        yield Pause(random.uniform(5, 40))


@request(1, 15)
def keyset_pages(random):
    tenant, last = random.randint(1, 10), 0
    for _ in range(6):
        rows = yield ('SELECT id, account_id, total FROM orders WHERE tenant_id = $1 AND id > $2'
                      ' ORDER BY id LIMIT 25'), tenant, last
        last = rows[-1][0]


@request(1, 20)
def batch_iteration(random):
    """All rows, in batches, each batch written back in one statement."""
    last = 0
    for _ in range(8):
        rows = yield 'SELECT id, tenant_id, kind, value FROM events WHERE id > $1 ORDER BY id LIMIT 200', last
        last = rows[-1][0]
        yield 'UPDATE events SET value = value WHERE id = ANY ($1)', array(r[0] for r in rows[:20])


@request(1, 200)
def cursor_export(random):
    yield ('BEGIN',)
    yield ('DECLARE export CURSOR FOR SELECT id, account_id, total FROM orders ORDER BY id',)
    for _ in range(6):
        yield ('FETCH 100 FROM export',)
    yield ('CLOSE export',)
    yield ('COMMIT',)


# ----- eager loading --------------------------------------------------------

@request(3, 10)
def dataloader(random):
    rows = yield ('SELECT id, category_id, brand_id FROM products ORDER BY id LIMIT 20 OFFSET $1',
                  random.randint(0, 700))
    yield 'SELECT * FROM categories WHERE id = ANY ($1)', array(column(rows, 1))
    yield 'SELECT * FROM brands WHERE id = ANY ($1)', array(column(rows, 2))
    yield 'SELECT id, product_id, url FROM images WHERE product_id = ANY ($1)', array(column(rows, 0))


@request(2, 8)
def dataloader_of_one(random):
    """Batches of one: each request asked for one object."""
    if random.random() < .15:
        yield (HOME,)
    product = random.randint(1, 800)
    yield 'SELECT * FROM products WHERE id = ANY ($1)', array([product])
    yield 'SELECT * FROM brands WHERE id = ANY ($1)', array([1 + product % 25])


@request(3, 10)
def preload(random):
    """Lists of literals, as most ORMs write them."""
    rows = yield ('SELECT id, account_id, total FROM orders WHERE id > $1 ORDER BY id LIMIT 20',
                  random.randint(1, 2900))
    yield ('SELECT * FROM accounts WHERE id IN (%s)' % ', '.join(column(rows, 1)),)
    lines = yield ('SELECT * FROM order_lines WHERE order_id IN (%s)' % ', '.join(column(rows, 0)),)
    yield ('SELECT * FROM products WHERE id IN (%s)' % ', '.join(column(lines, 2)),)


@request(2, 10)
def joined(random):
    yield from who(random)
    yield ('SELECT o.id, o.total, a.email, s.name FROM orders o JOIN accounts a ON a.id = o.account_id'
           ' JOIN statuses s ON s.id = o.status_id WHERE o.tenant_id = $1 ORDER BY o.id DESC LIMIT 20',
           random.randint(1, 10))


@request(1, 200)
def cache_warmer(random):
    rows = yield 'SELECT id FROM products ORDER BY id LIMIT 200 OFFSET $1', random.choice((0, 200, 400))
    for k in range(0, len(rows), 25):
        yield 'SELECT * FROM images WHERE product_id = ANY ($1)', array(r[0] for r in rows[k:k + 25])


# ----- dashboards ----------------------------------------------------------

@request(2, 20)
def dashboard(random):
    tenant = random.randint(1, 10)
    yield 'SELECT * FROM tenants WHERE id = $1', tenant
    yield 'SELECT count(*) FROM orders WHERE tenant_id = $1', tenant
    yield 'SELECT count(*) FROM accounts WHERE tenant_id = $1', tenant
    yield 'SELECT sum(value) FROM events WHERE tenant_id = $1 AND day > date \'2026-01-01\'', tenant
    yield 'SELECT id, total, account_id FROM orders WHERE tenant_id = $1 ORDER BY total DESC LIMIT 10', tenant
    yield 'SELECT id, email FROM accounts WHERE tenant_id = $1 ORDER BY id LIMIT 10', tenant


@request(1, 20)
def counts_by_state(random):
    """The same count for a few states that the program knows."""
    yield from who(random)
    tenant = random.randint(1, 10)
    yield 'SELECT id, status_id, total FROM orders WHERE tenant_id = $1 ORDER BY id DESC LIMIT 20', tenant
    for status in (1, 2, 3):
        yield 'SELECT count(*) FROM orders WHERE tenant_id = $1 AND status_id = $2', tenant, status


@request(1, 30)
def calendar(random):
    day = f'2026-01-{random.randint(1, 25):02d}'
    yield ('SELECT day, count(*) FROM events WHERE day BETWEEN $1::date AND $1::date + 6'
           ' GROUP BY day ORDER BY day'), day
    yield 'SELECT id, kind, value FROM events WHERE day = $1 ORDER BY id LIMIT 10', day


@request(1, 15)
def leaderboard(random):
    if random.random() < .1:
        yield ('SELECT account_id, count(*) AS n FROM orders WHERE id <= 3000'
               ' GROUP BY account_id ORDER BY n DESC, account_id LIMIT 50',)
    else:
        yield from who(random)
        yield 'SELECT count(*), sum(total) FROM orders WHERE account_id = $1', random.randint(1, 60)


# ----- what every request asks ----------------------------------------------

@request(3, 6)
def login(random):
    account = random.randint(1, 500)
    yield 'SELECT id, role_id FROM accounts WHERE email = $1', f'u{account}@x'
    yield 'SELECT * FROM roles WHERE id = $1', 1 + account % 5
    yield 'SELECT name FROM permissions WHERE role_id = $1', 1 + account % 5
    yield 'UPDATE sessions SET seen = now() WHERE token = $1', f'tok{account}'


@request(2, 8)
def feature_flags(random):
    for flag in ('f1', 'f2', 'f3'):
        yield 'SELECT value FROM flags WHERE key = $1', flag
    yield from who(random)


@request(2, 8)
def all_flags(random):
    yield ('SELECT key, value FROM flags',)
    yield from who(random)
    yield 'SELECT * FROM products WHERE id = $1', random.randint(1, 800)


@request(2, 8)
def variants(random):
    account = yield from who(random)
    for experiment in (1, 2, 3):
        yield ('SELECT variant FROM experiments WHERE experiment_id = $1 AND account_id = $2',
               experiment, account)


@request(2, 8)
def api_call(random):
    """One busy client of an interface: always the same key and tenant."""
    yield 'SELECT * FROM api_keys WHERE key = $1', 'key3'
    if random.random() < .4:
        yield ('SELECT id, total FROM orders WHERE tenant_id = $1 ORDER BY id DESC LIMIT 20 OFFSET $2',
               3, random.randint(0, 100))
    else:
        yield 'SELECT * FROM orders WHERE tenant_id = $1 AND id = $2', 3, random.randint(1, 3000)


@request(2, 8)
def only_tenant(random):
    """An installation for one customer: the tenant is always the same."""
    yield 'SELECT * FROM tenants WHERE id = $1', 3
    yield ('SELECT id, tenant_id, total FROM orders WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT 20',
           3, random.randint(1, 2500))


@request(1, 8)
def flash_sale(random):
    """Everybody wants the same."""
    yield from who(random)
    yield 'SELECT * FROM products WHERE id = $1', 42
    yield 'SELECT quantity FROM stock WHERE warehouse_id = $1 AND product_id = $2', 1, 42


@request(2, 8)
def row_security(random):
    yield ('BEGIN',)
    yield "SELECT set_config('app.tenant', $1, true)", f't{random.randint(1, 10)}'
    yield 'SELECT id, total FROM orders WHERE account_id = $1 ORDER BY id LIMIT 10', random.randint(1, 500)
    yield ('COMMIT',)


@request(2, 8)
def request_in_transaction(random):
    yield ('BEGIN',)
    account = yield from who(random)
    yield 'SELECT * FROM roles WHERE id = $1', 1 + account % 5
    if random.random() < .3:
        yield (HOME,)
    else:
        yield from product_page(random.randint(1, 10))
    yield ('COMMIT',)


# ----- writes --------------------------------------------------------------

@request(3, 10)
def checkout(random):
    account = yield from who(random)
    items = yield ('SELECT product_id, quantity FROM cart_items WHERE account_id = $1'
                   ' ORDER BY product_id'), account
    products = [row[0] for row in items]
    yield 'SELECT id, price FROM products WHERE id = ANY ($1)', array(products)
    yield ('BEGIN',)
    yield ('UPDATE stock s SET quantity = s.quantity - v.n'
           ' FROM unnest($1::int[], $2::int[]) AS v(id, n)'
           ' WHERE s.warehouse_id = 1 AND s.product_id = v.id'), array(products), array(r[1] for r in items)
    order = yield ('INSERT INTO orders (tenant_id, account_id, status_id, created, total)'
                   ' VALUES ($1, $2, 1, $3, $4) RETURNING id'), 1 + account % 10, account, '2026-02-01', 7
    for k in range(0, len(products), 2):
        yield ('INSERT INTO order_lines (order_id, product_id, quantity) VALUES ($1, $2, 1), ($1, $3, 1)',
               order[0][0], products[k], products[(k + 1) % len(products)])
    yield 'INSERT INTO payments (order_number, amount) VALUES ($1, $2)', order[0][0], 7
    yield ('COMMIT',)


@request(2, 6)
def comment(random):
    account = yield from who(random)
    row = yield ('INSERT INTO reviews (product_id, account_id, rating) VALUES ($1, $2, 5) RETURNING id',
                 random.randint(1, 800), account)
    yield 'SELECT * FROM reviews WHERE id = $1', row[0][0]


@request(2, 5)
def telemetry(random):
    yield ('INSERT INTO events (tenant_id, kind, day, value) VALUES ($1, $2, $3, 1)',
           random.randint(1, 10), random.randint(1, 7), '2026-03-01')
    yield 'SELECT value FROM flags WHERE key = $1', random.choice(('f1', 'f2', 'f3', 'f4'))


@request(2, 5)
def presence(random):
    account = random.randint(1, 500)
    yield 'UPDATE sessions SET seen = now() WHERE token = $1', f'tok{account}'
    yield 'SELECT count(*) FROM notices WHERE account_id = $1 AND NOT is_read', account


@request(2, 5)
def rate_limit(random):
    key = f'ip{random.randint(1, 20)}'
    yield 'SELECT n FROM limits WHERE key = $1', key
    yield 'UPDATE limits SET n = n + 1 WHERE key = $1', key


@request(1, 8)
def upsert(random):
    yield ('INSERT INTO limits (key, n) VALUES ($1, 1)'
           ' ON CONFLICT (key) DO UPDATE SET n = limits.n + 1'), f'ip{random.randint(1, 300)}'


@request(1, 10)
def read_own_write(random):
    order = random.randint(1, 3000)
    yield ('BEGIN',)
    yield 'UPDATE orders SET total = total + 1 WHERE id = $1', order
    yield 'SELECT * FROM orders WHERE id = $1', order
    yield 'SELECT sum(quantity) FROM order_lines WHERE order_id = $1', order
    yield ('COMMIT',)


@request(1, 10)
def savepoints(random):
    order = random.randint(1, 3000)
    yield ('BEGIN',)
    yield 'SELECT total FROM orders WHERE id = $1 FOR UPDATE', order
    yield ('SAVEPOINT s',)
    yield 'UPDATE orders SET total = total + 1 WHERE id = $1', order
    yield ('ROLLBACK TO s',)
    yield ('COMMIT',)


@request(1, 15)
def import_rows(random):
    """Many rows in few statements; each row's foreign keys are checked."""
    yield ('INSERT INTO reviews (product_id, account_id, rating) VALUES '
           + ', '.join(f'({random.randint(1, 800)}, {random.randint(1, 500)}, 3)' for _ in range(20)),)


@request(1, 200)
def copy(random):
    yield CopyIn('COPY messages (room_id, account_id, body) FROM STDIN',
                 ''.join(f'{100 + random.randint(1, 20)}\t{random.randint(1, 500)}\tx\n' for _ in range(50)))
    yield CopyOut('COPY (SELECT id, name FROM products WHERE id <= 100) TO STDOUT')


@request(1, 15)
def pipelined(random):
    """Many statements, sent without waiting for the answers."""
    first = random.randint(1, 700)
    yield Pipeline([('SELECT * FROM products WHERE id = $1', (first + k,)) for k in range(20)])
    yield Pipeline([('INSERT INTO events (tenant_id, kind, day, value) VALUES ($1, $2, $3, 2)',
                     (1 + k % 10, 1 + k % 7, '2026-03-02')) for k in range(20)])


# ----- workers and machines -----------------------------------------------

@request(2, 3)
def queue_worker(random):
    """A few jobs, each in a transaction of its own."""
    for _ in range(random.randint(1, 12)):
        yield ('BEGIN',)
        rows = yield ("SELECT id, order_id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1"
                      ' FOR UPDATE SKIP LOCKED',)
        if rows:
            yield 'SELECT id, total FROM orders WHERE id = $1', rows[0][1]
            yield "UPDATE jobs SET attempts = attempts + 1, state = 'done' WHERE id = $1", rows[0][0]
        yield ('COMMIT',)
    yield ("UPDATE jobs SET state = 'new' WHERE id IN (SELECT id FROM jobs WHERE state = 'done' LIMIT 50"
           ' FOR UPDATE SKIP LOCKED)',)


@request(1, 3)
def queue_in_one_statement(random):
    for _ in range(random.randint(1, 12)):
        yield ("UPDATE jobs SET attempts = attempts + 1 WHERE id = (SELECT id FROM jobs"
               " WHERE state = 'new' ORDER BY attempts, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *",)


@request(1, 3)
def advisory_queue(random):
    """A job belongs to whom gets the lock of its number."""
    for _ in range(random.randint(1, 8)):
        yield ('BEGIN',)
        rows = yield ("SELECT id, order_id FROM jobs WHERE state = 'new' AND pg_try_advisory_xact_lock(id)"
                      ' ORDER BY id LIMIT 1',)
        if rows:
            yield 'UPDATE jobs SET attempts = attempts + 1 WHERE id = $1', rows[0][0]
        yield ('COMMIT',)


@request(1, 200)
def poll_messages(random):
    yield 'SELECT id, account_id, body FROM messages WHERE room_id = $1 AND id > $2 ORDER BY id', \
        random.randint(1, 5), 1990


@request(1, 300)
def poll(random):
    """The same question, again and again."""
    for _ in range(4):
        yield "SELECT count(*) FROM jobs WHERE state = $1", 'new'
        yield Pause(random.uniform(300, 500))


@request(2, 500)
def health(random):
    yield ('SELECT 1',)
    yield ('SELECT pg_is_in_recovery()',)
    yield ('SELECT 1 FROM tenants LIMIT 1',)


@request(1, 500)
def exporter(random):
    yield ('SELECT state, count(*) FROM jobs GROUP BY state',)
    yield ('SELECT datname, numbackends, xact_commit FROM pg_stat_database',)
    yield ('SELECT relname, n_live_tup FROM pg_stat_user_tables',)
    yield ('SELECT max(id) FROM events',)


@request(1, 300)
def driver(random):
    """What drivers look up in the catalogs, for each type and table."""
    yield ('SET search_path = public',)
    yield ("SELECT t.oid, t.typname FROM pg_type t WHERE t.typname IN ('int4', 'text', 'numeric', 'date')",)
    for type_ in (23, 25, 1700, 1082, 20, 16):
        yield 'SELECT typname, typlen FROM pg_type WHERE oid = $1', type_
    rows = yield ("SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                  " AND relkind = 'r' ORDER BY oid",)
    for row in rows[:8]:
        yield ('SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0', row[0])
    yield 'SELECT * FROM orders WHERE id > $1 ORDER BY id LIMIT 50', random.randint(1, 2900)
