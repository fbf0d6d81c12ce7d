/*
 * One statement in place of many.
 */

CREATE FUNCTION rewrite(
	fingerprint bigint,
	parent_fingerprint bigint DEFAULT NULL,
	vary integer[] DEFAULT NULL,
	OUT method text,
	OUT statement text,
	OUT parameters text[],
	OUT note text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_rewrite'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 3;

COMMENT ON FUNCTION rewrite(bigint, bigint, integer[]) IS
'Derives, from a repeated statement''s stored text, the statements that do it once for all values, the best first, and checks by planning that each is valid in this database. Executes none. Statements of other roles are for members of pg_read_all_stats only.';
