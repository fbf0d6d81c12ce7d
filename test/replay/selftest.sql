-- A vitals schema that reports what this file says: the findings of step n are
-- those of the n-th scenario of selftest.jsonl. vitals.reset() takes the step.
CREATE SCHEMA vitals;
CREATE SEQUENCE vitals.step;
CREATE FUNCTION vitals.reset() RETURNS void LANGUAGE sql
AS $$ SELECT nextval('vitals.step') $$;
CREATE TABLE vitals.finding (
	step bigint, kind text, confidence text, query text, parent_query text,
	repeats bigint, bursts bigint DEFAULT 1, link text, suggestion text
);
CREATE VIEW vitals.n_plus_one AS
	SELECT f.* FROM vitals.finding f, vitals.step s WHERE f.step = s.last_value;

INSERT INTO vitals.finding (step, kind, confidence, query, parent_query, repeats) VALUES
	(1, 'n_plus_one', 'proven', E'SELECT x  FROM a\n\tWHERE id = $1', E'SELECT id\nFROM  p', 10),
	(3, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', 'SELECT id FROM q', 10),
	(4, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', NULL, 9),
	(5, 'n_plus_one', 'likely', 'SELECT x FROM a WHERE id = $1', 'SELECT id FROM q', 3),
	(6, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', 'SELECT id FROM p', 10),
	(7, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', 'SELECT id FROM p', 7),
	(7, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', 'SELECT id FROM q', 5),
	(8, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', 'SELECT id FROM r', 5),
	(8, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', 'SELECT id FROM q', 5),
	(10, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', NULL, 5),
	(10, 'duplicate', 'proven', 'SELECT x FROM b WHERE id = $1', NULL, 5),
	(11, 'spi_loop', 'proven', 'SELECT x FROM a WHERE id = $1', NULL, 5),
	(12, 'duplicate', 'proven', 'SELECT x FROM a WHERE id = $1', NULL, 5),
	(13, 'n_plus_one', 'likely', 'SELECT x FROM a WHERE id = $1', NULL, 5),
	(14, 'n_plus_one', 'proven', E'SELECT x FROM b\nWHERE id = $1', NULL, 5),
	(15, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', NULL, 5),
	(16, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', NULL, 5),
	(17, 'n_plus_one_write', 'proven', 'UPDATE a SET x = $1', NULL, 4),
	(19, 'n_plus_one', 'proven', 'SELECT $1, x FROM a WHERE id = $2', NULL, 5),
	(20, 'n_plus_one', 'proven', 'SELECT x FROM a WHERE id = $1', NULL, 5);
