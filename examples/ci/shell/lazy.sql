SELECT title, author_id FROM posts ORDER BY id;
SELECT format('SELECT name FROM authors WHERE id = %s', author_id) FROM posts ORDER BY id \gexec
