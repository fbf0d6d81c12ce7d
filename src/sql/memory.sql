/*
 * The memory of the server's processes.
 */

CREATE FUNCTION _memory(
	OUT pid integer,
	OUT resident_bytes bigint,
	OUT private_bytes bigint,
	OUT swapped_bytes bigint,
	OUT peak_resident_bytes bigint,
	OUT growth_bytes bigint,
	OUT growth_since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_memory'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION _memory() IS
'What vitals.memory reads. Shows nothing of other roles'' sessions but to members of pg_read_all_stats.';

CREATE VIEW memory AS
SELECT
	m.pid,
	a.backend_type,
	a.usename AS username,
	a.datname,
	CASE WHEN a.usesysid IS NOT NULL THEN a.application_name END AS application_name,
	a.state,
	a.backend_start,
	m.resident_bytes,
	m.private_bytes,
	m.swapped_bytes,
	m.peak_resident_bytes,
	m.growth_bytes,
	m.growth_since
FROM _memory() AS m
JOIN pg_catalog.pg_stat_activity AS a ON a.pid = m.pid;

COMMENT ON VIEW memory IS
'The memory of each process of the server, as the kernel counts it. A role sees its own sessions, members of pg_read_all_stats see all, and the server''s own processes. The figures are NULL where there is no /proc as on Linux.';
COMMENT ON COLUMN memory.pid IS
'process ID';
COMMENT ON COLUMN memory.backend_type IS
'type of the process, as in pg_stat_activity';
COMMENT ON COLUMN memory.username IS
'role that is logged in; NULL for the server''s own processes, but for those that are background workers';
COMMENT ON COLUMN memory.datname IS
'database it is connected to; NULL if to none';
COMMENT ON COLUMN memory.application_name IS
'name of the application that is connected, empty if it has none; NULL for the server''s own processes, but for those that are background workers: there it is their name or empty';
COMMENT ON COLUMN memory.state IS
'state of the session, as in pg_stat_activity; NULL for the server''s own processes';
COMMENT ON COLUMN memory.backend_start IS
'when the process started';
COMMENT ON COLUMN memory.resident_bytes IS
'bytes of physical memory that the process has mapped, what it shares with others included (VmRSS); NULL where the kernel does not tell';
COMMENT ON COLUMN memory.private_bytes IS
'bytes of it that are no shared memory and no file (RssAnon): its own, and what it still has in common with the postmaster it was forked from; NULL where the kernel does not tell';
COMMENT ON COLUMN memory.swapped_bytes IS
'bytes of its private memory that are swapped out (VmSwap); NULL where the kernel does not tell';
COMMENT ON COLUMN memory.peak_resident_bytes IS
'the most bytes that were ever resident (VmHWM); NULL where the kernel does not tell';
COMMENT ON COLUMN memory.growth_bytes IS
'bytes that private_bytes and swapped_bytes together have grown since growth_since; negative if they shrank; NULL where the kernel does not tell';
COMMENT ON COLUMN memory.growth_since IS
'when the process was first looked at, mostly within a second of its start; NULL where the kernel does not tell';

GRANT SELECT ON memory TO PUBLIC;

CREATE FUNCTION memory_contexts(
	pid integer,
	OUT name text,
	OUT contexts bigint,
	OUT total_bytes bigint,
	OUT used_bytes bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_memory_contexts'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 50;

COMMENT ON FUNCTION memory_contexts(integer) IS
'The memory contexts of a process of the server at this moment, added up by name: how many there are, and their bytes. The process is interrupted to tell.';

REVOKE EXECUTE ON FUNCTION memory_contexts(integer) FROM PUBLIC;
