SELECT title, author_id FROM posts ORDER BY id;
SELECT id, name FROM authors WHERE id = ANY (SELECT author_id FROM posts);
