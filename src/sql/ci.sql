/*
 * N+1 findings since a mark, for test suites.
 */

CREATE FUNCTION mark()
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgv_surface_mark'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION mark() IS
'A number that stands for this moment, for n_plus_one_since and assert_no_n_plus_one. Holds for as long as one likes, also after a restart.';

CREATE FUNCTION n_plus_one_since(mark bigint)
RETURNS SETOF n_plus_one
AS 'MODULE_PATHNAME', 'pgv_surface_since'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION n_plus_one_since(bigint) IS
'The findings of vitals.n_plus_one in the current database since a mark, with the figures of what came after it; NULL: all. Findings of other roles are shown to members of pg_read_all_stats only.';

CREATE FUNCTION assert_no_n_plus_one(
	since bigint DEFAULT NULL,
	allow text[] DEFAULT '{}')
RETURNS void
AS 'MODULE_PATHNAME', 'pgv_surface_assert'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION assert_no_n_plus_one(bigint, text[]) IS
'Raises VT001 and names what n_plus_one_since(since) shows, unless that is nothing, or all allowed: a finding is where an element of "allow" is like (LIKE) its kind, query, parent_query or link, or like kind:fingerprint:parent_fingerprint (0: no parent).';
