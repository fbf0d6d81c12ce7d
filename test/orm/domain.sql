-- The tables and rows of the application whose screens are tested: a blog and
-- a shop, with integer, bigint, uuid, text, varchar, numeric and date keys.
--
-- Rows are computed, not random, so that each screen knows how many children
-- it has.  Within the first 20 posts no author and no category occurs more
-- than twice: otherwise a lazy screen would rightly be a duplicate as well.

CREATE TABLE countries (
	code varchar(2) PRIMARY KEY,
	name text NOT NULL
);

CREATE TABLE authors (
	id serial PRIMARY KEY,
	name text NOT NULL,
	email text NOT NULL UNIQUE,
	country_code varchar(2) NOT NULL REFERENCES countries
);

CREATE TABLE profiles (
	id serial PRIMARY KEY,
	author_id int NOT NULL UNIQUE REFERENCES authors,
	bio text NOT NULL
);

CREATE TABLE categories (
	id serial PRIMARY KEY,
	parent_id int REFERENCES categories,
	name text NOT NULL
);

CREATE TABLE posts (
	id serial PRIMARY KEY,
	author_id int NOT NULL REFERENCES authors,
	category_id int NOT NULL REFERENCES categories,
	slug text NOT NULL UNIQUE,
	title text NOT NULL,
	body text NOT NULL
);

CREATE TABLE comments (
	id bigserial PRIMARY KEY,
	post_id int NOT NULL REFERENCES posts,
	author_id int NOT NULL REFERENCES authors,
	body text NOT NULL
);

CREATE TABLE tags (
	id serial PRIMARY KEY,
	name text NOT NULL UNIQUE
);

CREATE TABLE post_tags (
	post_id int NOT NULL REFERENCES posts,
	tag_id int NOT NULL REFERENCES tags,
	PRIMARY KEY (post_id, tag_id)
);

-- Polymorphic: no foreign key is possible.
CREATE TABLE attachments (
	id serial PRIMARY KEY,
	owner_type varchar(20) NOT NULL,
	owner_id int NOT NULL,
	filename text NOT NULL
);

CREATE TABLE users (
	id uuid PRIMARY KEY,
	email text NOT NULL UNIQUE,
	password_hash text NOT NULL,
	name text NOT NULL
);

CREATE TABLE sessions (
	token text PRIMARY KEY,
	user_id uuid NOT NULL REFERENCES users
);

CREATE TABLE products (
	id uuid PRIMARY KEY,
	sku text NOT NULL UNIQUE,
	name text NOT NULL,
	price numeric(10, 2) NOT NULL
);

CREATE TABLE orders (
	id uuid PRIMARY KEY,
	user_id uuid NOT NULL REFERENCES users,
	placed_on date NOT NULL
);

CREATE TABLE order_items (
	id uuid PRIMARY KEY,
	order_id uuid NOT NULL REFERENCES orders,
	product_id uuid NOT NULL REFERENCES products,
	quantity int NOT NULL
);

CREATE TABLE invoices (
	number numeric(12) PRIMARY KEY,
	order_id uuid NOT NULL REFERENCES orders
);

CREATE TABLE payments (
	id serial PRIMARY KEY,
	invoice_number numeric(12) NOT NULL REFERENCES invoices,
	amount numeric(10, 2) NOT NULL
);

CREATE TABLE settings (
	key text PRIMARY KEY,
	value text NOT NULL
);

-- Names a setting without a foreign key, as applications do.
CREATE TABLE menu_entries (
	id serial PRIMARY KEY,
	label text NOT NULL,
	setting_key text NOT NULL
);

-- A chain: each folder lies in the one before.
CREATE TABLE folders (
	id serial PRIMARY KEY,
	parent_id int REFERENCES folders,
	name text NOT NULL
);

-- Django's way to polymorphic associations.
CREATE TABLE django_content_type (
	id serial PRIMARY KEY,
	app_label varchar(100) NOT NULL,
	model varchar(100) NOT NULL,
	UNIQUE (app_label, model)
);

CREATE TABLE labels (
	id serial PRIMARY KEY,
	content_type_id int NOT NULL REFERENCES django_content_type,
	object_id int NOT NULL,
	label text NOT NULL
);

-- The tables that screens write to; restore() puts them back before each.
CREATE TABLE articles (
	id serial PRIMARY KEY,
	title text NOT NULL,
	views int NOT NULL DEFAULT 0,
	notes_count int NOT NULL DEFAULT 0
);

CREATE TABLE notes (
	id bigserial PRIMARY KEY,
	article_id int NOT NULL REFERENCES articles,
	body text NOT NULL
);

CREATE TABLE subscribers (
	id serial PRIMARY KEY,
	email text NOT NULL UNIQUE,
	visits int NOT NULL DEFAULT 0
);

-- Counted by a row trigger.
CREATE TABLE marks (
	id serial PRIMARY KEY,
	article_id int NOT NULL REFERENCES articles
);

INSERT INTO countries
	SELECT code, 'Country ' || code
	FROM unnest('{ar,be,ch,de,es,fr,it,jp,no,pl,pt,se,uk}'::varchar[]) code;

-- 13 authors, one in each country.
INSERT INTO authors (name, email, country_code)
	SELECT 'Author ' || i, 'author' || i || '@example.org',
		('{ar,be,ch,de,es,fr,it,jp,no,pl,pt,se,uk}'::varchar[])[i * 5 % 13 + 1]
	FROM generate_series(1, 13) i;

INSERT INTO profiles (author_id, bio)
	SELECT i, 'Wrote about ' || i FROM unnest('{2,9}'::int[]) i;

-- Six roots, with two children each, the last of which has one more below.
INSERT INTO categories (parent_id, name)
	SELECT NULL, 'Root ' || i FROM generate_series(1, 6) i;
INSERT INTO categories (parent_id, name)
	SELECT (i - 1) % 6 + 1, 'Shelf ' || i FROM generate_series(1, 12) i;
INSERT INTO categories (parent_id, name) VALUES (18, 'Drawer');

INSERT INTO posts (author_id, category_id, slug, title, body)
	SELECT i * 7 % 13 + 1, i * 5 % 19 + 1, 'post-' || i, 'Post ' || i,
		repeat('Body ' || i || '. ', 40)
	FROM generate_series(1, 120) i;

-- None for every fifth post, one to three for the others, nine for post 7.
INSERT INTO comments (post_id, author_id, body)
	SELECT p, (p * 3 + c * 4) % 13 + 1, 'Comment ' || c || ' on ' || p
	FROM generate_series(1, 120) p,
		generate_series(1, CASE WHEN p = 7 THEN 9
								WHEN p % 5 = 0 THEN 0
								ELSE p % 3 + 1 END) c;

INSERT INTO tags (name) SELECT 'tag-' || i FROM generate_series(1, 15) i;
INSERT INTO post_tags
	SELECT p, (p * 2 + t * 3) % 15 + 1
	FROM generate_series(1, 120) p, generate_series(1, 3) t;

-- Posts and authors in turn: 7 of each.
INSERT INTO attachments (owner_type, owner_id, filename)
	SELECT CASE WHEN i % 2 = 0 THEN 'post' ELSE 'author' END,
		CASE WHEN i % 2 = 0 THEN i * 4 ELSE (i + 1) / 2 END, 'file-' || i
	FROM generate_series(1, 14) i;

INSERT INTO users
	SELECT md5('user' || i)::uuid, 'user' || i || '@example.org',
		md5('secret' || i), 'User ' || i
	FROM generate_series(1, 30) i;

INSERT INTO sessions
	SELECT 'token-' || md5('token' || i), md5('user' || i)::uuid
	FROM generate_series(1, 30) i;

INSERT INTO products
	SELECT md5('product' || i)::uuid, 'SKU-' || i, 'Product ' || i, i * 3.5
	FROM generate_series(1, 24) i;

-- Four orders a day over 15 days, three items each.
INSERT INTO orders
	SELECT md5('order' || i)::uuid, md5('user' || (i % 30 + 1))::uuid,
		date '2024-03-01' + (i - 1) / 4
	FROM generate_series(1, 60) i;

INSERT INTO order_items
	SELECT md5('item' || o || '-' || k)::uuid, md5('order' || o)::uuid,
		md5('product' || ((o * 3 + k * 5) % 24 + 1))::uuid, k
	FROM generate_series(1, 60) o, generate_series(1, 3) k;

INSERT INTO invoices
	SELECT 202400000000 + i * 17, md5('order' || i)::uuid
	FROM generate_series(1, 60) i;

INSERT INTO payments (invoice_number, amount)
	SELECT 202400000000 + i * 17, i * 10 FROM generate_series(1, 60) i;

INSERT INTO settings
	SELECT 'ui.' || name, 'value of ' || name
	FROM unnest('{theme,locale,timezone,currency,logo,footer,banner,search,
		share,contact,imprint,privacy}'::text[]) name;

INSERT INTO menu_entries (label, setting_key)
	SELECT 'Entry ' || name, 'ui.' || name
	FROM unnest('{search,theme,contact,locale,share,footer,imprint,
		banner}'::text[]) name;

INSERT INTO folders (parent_id, name)
	SELECT nullif(i - 1, 0), 'Folder ' || i FROM generate_series(1, 12) i;

-- As many and in the same order as attachments.
INSERT INTO django_content_type (app_label, model) VALUES ('orm', 'author'), ('orm', 'post');
INSERT INTO labels (content_type_id, object_id, label)
	SELECT CASE owner_type WHEN 'author' THEN 1 ELSE 2 END, owner_id, 'label-' || id
	FROM attachments ORDER BY id;

-- Rows with low keys are there before a screen; what it inserts gets others.
ALTER SEQUENCE articles_id_seq RESTART 101;
ALTER SEQUENCE subscribers_id_seq RESTART 101;

CREATE FUNCTION restore()
RETURNS void LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM marks;
	DELETE FROM notes;
	DELETE FROM articles;
	DELETE FROM subscribers;
	INSERT INTO articles (id, title) SELECT i, 'Article ' || i FROM generate_series(1, 12) i;
	INSERT INTO subscribers (id, email)
		SELECT i, 'known' || i || '@example.org' FROM generate_series(1, 12) i;
END;

DO 'BEGIN PERFORM restore(); END';

-- Reads a table for each row it is called for.
CREATE FUNCTION comment_total(post int)
RETURNS bigint LANGUAGE plpgsql STABLE
AS $$
DECLARE
	total bigint;
BEGIN
	SELECT count(*) INTO total FROM comments c WHERE c.post_id = post;
	RETURN total;
END
$$;

-- A loop in the server: 30 lookups.
CREATE FUNCTION longest_comment()
RETURNS int LANGUAGE plpgsql STABLE
AS $$
DECLARE
	post record;
	longest int := 0;
	length int;
BEGIN
	FOR post IN SELECT p.id FROM posts p ORDER BY p.id LIMIT 30
	LOOP
		SELECT max(octet_length(c.body)) INTO length FROM comments c WHERE c.post_id = post.id;
		longest := greatest(longest, length);
	END LOOP;
	RETURN longest;
END
$$;

CREATE FUNCTION count_mark()
RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
	UPDATE articles SET views = views + 1 WHERE id = NEW.article_id;
	RETURN NULL;
END
$$;

CREATE TRIGGER count_mark AFTER INSERT ON marks
	FOR EACH ROW EXECUTE FUNCTION count_mark();

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO orm;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO orm;

ANALYZE;
