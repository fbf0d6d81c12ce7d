-- Tables of test/soak: a shop of several tenants, small, with the foreign keys and
-- small integers that make links and coincidences easy to find.

CREATE TABLE tenants (id int PRIMARY KEY, name text);
CREATE TABLE countries (id int PRIMARY KEY, code char(2), name text);
CREATE TABLE statuses (id smallint PRIMARY KEY, name text);
CREATE TABLE brands (id int PRIMARY KEY, name text);
CREATE TABLE categories (id int PRIMARY KEY, parent_id int REFERENCES categories, name text);
CREATE TABLE roles (id int PRIMARY KEY, name text);
CREATE TABLE permissions (role_id int REFERENCES roles, name text, PRIMARY KEY (role_id, name));
CREATE TABLE accounts (id int PRIMARY KEY, tenant_id int REFERENCES tenants, email text UNIQUE,
	role_id int REFERENCES roles, country_id int REFERENCES countries, visits int DEFAULT 0);
CREATE TABLE sessions (token text PRIMARY KEY, account_id int REFERENCES accounts,
	seen timestamptz DEFAULT now());
CREATE TABLE api_keys (key text PRIMARY KEY, tenant_id int REFERENCES tenants);
CREATE TABLE flags (key text PRIMARY KEY, value bool);
CREATE TABLE limits (key text PRIMARY KEY, n int);
CREATE TABLE experiments (experiment_id int, account_id int REFERENCES accounts, variant int,
	PRIMARY KEY (experiment_id, account_id));
CREATE TABLE products (id int PRIMARY KEY, category_id int REFERENCES categories,
	brand_id int REFERENCES brands, status_id smallint REFERENCES statuses,
	country_id int REFERENCES countries, name text, price numeric, sold int, views int DEFAULT 0);
CREATE TABLE images (id int PRIMARY KEY, product_id int REFERENCES products, url text);
CREATE TABLE reviews (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	product_id int REFERENCES products, account_id int REFERENCES accounts, rating int);
CREATE TABLE stock (warehouse_id int, product_id int REFERENCES products, quantity int,
	PRIMARY KEY (warehouse_id, product_id));
CREATE TABLE cart_items (account_id int REFERENCES accounts, product_id int REFERENCES products,
	quantity int, PRIMARY KEY (account_id, product_id));
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tenant_id int REFERENCES tenants, account_id int REFERENCES accounts,
	status_id smallint REFERENCES statuses, created date, total numeric);
CREATE TABLE order_lines (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	order_id int REFERENCES orders, product_id int REFERENCES products, quantity int);
CREATE TABLE payments (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_number int, amount numeric);
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tenant_id int REFERENCES tenants, kind int, day date, value int);
CREATE TABLE messages (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, room_id int,
	account_id int REFERENCES accounts, body text);
CREATE TABLE notices (id int PRIMARY KEY, account_id int REFERENCES accounts, is_read bool);
CREATE TABLE jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state text DEFAULT 'new',
	order_id int REFERENCES orders, attempts int DEFAULT 0);
CREATE TABLE tickets (tenant_id int REFERENCES tenants, id int, account_id int REFERENCES accounts,
	title text, PRIMARY KEY (tenant_id, id));
CREATE TABLE answers (tenant_id int, id int, ticket_id int, body text, PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, ticket_id) REFERENCES tickets);

INSERT INTO tenants SELECT g, 't' || g FROM generate_series(1, 10) AS g;
INSERT INTO countries SELECT g, chr(65 + g) || 'X', 'c' || g FROM generate_series(1, 20) AS g;
INSERT INTO statuses SELECT g, 's' || g FROM generate_series(1, 6) AS g;
INSERT INTO brands SELECT g, 'b' || g FROM generate_series(1, 25) AS g;
INSERT INTO categories SELECT g, nullif(g / 4, 0), 'cat' || g FROM generate_series(1, 15) AS g;
INSERT INTO roles SELECT g, 'r' || g FROM generate_series(1, 5) AS g;
INSERT INTO permissions SELECT r, 'p' || p FROM generate_series(1, 5) AS r, generate_series(1, 8) AS p;
INSERT INTO accounts
	SELECT g, 1 + g % 10, 'u' || g || '@x', 1 + g % 5, 1 + g % 20 FROM generate_series(1, 500) AS g;
INSERT INTO sessions SELECT 'tok' || g, g FROM generate_series(1, 500) AS g;
INSERT INTO api_keys SELECT 'key' || g, g FROM generate_series(1, 10) AS g;
INSERT INTO flags SELECT 'f' || g, g % 2 = 0 FROM generate_series(1, 12) AS g;
INSERT INTO limits SELECT 'ip' || g, 0 FROM generate_series(1, 200) AS g;
INSERT INTO experiments SELECT e, a, a % 2 FROM generate_series(1, 3) AS e, generate_series(1, 500) AS a;
INSERT INTO products
	SELECT g, 1 + g % 15, 1 + g % 25, 1 + g % 6, 1 + g % 20, 'prod ' || g, g, 1000 - g
	FROM generate_series(1, 800) AS g;
INSERT INTO images SELECT g, 1 + g % 800, 'u' || g FROM generate_series(1, 2400) AS g;
INSERT INTO reviews (product_id, account_id, rating)
	SELECT 1 + g % 800, 1 + g % 500, 1 + g % 5 FROM generate_series(1, 4000) AS g;
INSERT INTO stock SELECT w, p, 1000000 FROM generate_series(1, 2) AS w, generate_series(1, 800) AS p;
INSERT INTO cart_items
	SELECT a, 1 + (a * 7 + k * 13) % 800, k FROM generate_series(1, 500) AS a, generate_series(1, 6) AS k;
INSERT INTO orders (tenant_id, account_id, status_id, created, total)
	SELECT 1 + g % 10, 1 + g % 500, 1 + g % 6, date '2026-01-01' + g % 60, g FROM generate_series(1, 3000) AS g;
INSERT INTO order_lines (order_id, product_id, quantity)
	SELECT 1 + g % 3000, 1 + g % 800, 1 FROM generate_series(1, 9000) AS g;
INSERT INTO payments (order_number, amount) SELECT g, g FROM generate_series(1, 3000) AS g;
INSERT INTO events (tenant_id, kind, day, value)
	SELECT 1 + g % 10, 1 + g % 7, date '2026-01-01' + g % 60, g FROM generate_series(1, 6000) AS g;
INSERT INTO messages (room_id, account_id, body)
	SELECT 1 + g % 20, 1 + g % 500, 'm' FROM generate_series(1, 2000) AS g;
INSERT INTO notices SELECT g, 1 + g % 500, g % 3 = 0 FROM generate_series(1, 3000) AS g;
INSERT INTO jobs (order_id) SELECT g FROM generate_series(1, 3000) AS g;
INSERT INTO tickets SELECT t, g, 1 + g % 500, 'i' FROM generate_series(1, 10) AS t, generate_series(1, 100) AS g;
INSERT INTO answers SELECT t, g, 1 + g % 100, 's' FROM generate_series(1, 10) AS t, generate_series(1, 300) AS g;

CREATE INDEX ON images (product_id);
CREATE INDEX ON reviews (product_id);
CREATE INDEX ON orders (account_id);
CREATE INDEX ON orders (tenant_id, status_id);
CREATE INDEX ON order_lines (order_id);
CREATE INDEX ON events (tenant_id, day);
CREATE INDEX ON events (kind);
CREATE INDEX ON messages (room_id, id);
CREATE INDEX ON notices (account_id);
CREATE INDEX ON products (category_id);
CREATE INDEX ON products (name text_pattern_ops);
CREATE INDEX ON answers (tenant_id, ticket_id);
CREATE INDEX ON accounts (tenant_id);
CREATE INDEX ON jobs (id) WHERE state = 'new';
ANALYZE;
