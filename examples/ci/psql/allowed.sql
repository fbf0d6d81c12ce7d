-- The same, known and meant.
\set ON_ERROR_STOP on
SELECT vitals.mark() AS mark \gset

SELECT title, author_id FROM posts ORDER BY id;
SELECT format('SELECT name FROM authors WHERE id = %s', author_id) FROM posts ORDER BY id \gexec

SELECT vitals.assert_no_n_plus_one(:mark, ARRAY['posts.author_id → authors.id']);
