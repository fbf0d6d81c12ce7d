-- One statement for the list with its authors.
\set ON_ERROR_STOP on
SELECT vitals.mark() AS mark \gset

SELECT posts.title, authors.name
FROM posts JOIN authors ON authors.id = posts.author_id
ORDER BY posts.id;

SELECT vitals.assert_no_n_plus_one(:mark);
