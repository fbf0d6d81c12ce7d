-- The tables that the examples read: 20 posts, each by another author.

CREATE TABLE authors (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE posts (id int PRIMARY KEY, author_id int NOT NULL REFERENCES authors, title text NOT NULL);
INSERT INTO authors SELECT n, 'author ' || n FROM generate_series(1, 20) AS n;
INSERT INTO posts SELECT n, n, 'post ' || n FROM generate_series(1, 20) AS n;
