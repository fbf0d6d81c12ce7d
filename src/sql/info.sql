/*
 * pg_vitals about itself.
 */

CREATE FUNCTION _info(
	OUT version text,
	OUT stats_reset timestamptz,
	OUT statements bigint,
	OUT statements_max bigint,
	OUT evictions bigint,
	OUT refused bigint,
	OUT unidentified bigint,
	OUT findings bigint,
	OUT findings_max bigint,
	OUT findings_evicted bigint,
	OUT routes bigint,
	OUT routes_max bigint,
	OUT routes_evicted bigint,
	OUT transactions bigint,
	OUT transactions_max bigint,
	OUT transactions_evicted bigint,
	OUT errors bigint,
	OUT errors_max bigint,
	OUT errors_evicted bigint,
	OUT deadlocks bigint,
	OUT deadlocks_max bigint,
	OUT deadlocks_evicted bigint,
	OUT waits bigint,
	OUT waits_max bigint,
	OUT waits_evicted bigint,
	OUT plans bigint,
	OUT plans_max bigint,
	OUT plans_evicted bigint,
	OUT slow_statements bigint,
	OUT slow_statements_max bigint,
	OUT misestimates bigint,
	OUT misestimates_max bigint,
	OUT misestimates_evicted bigint,
	OUT texts_bytes bigint,
	OUT texts_dropped bigint,
	OUT executions bigint,
	OUT coverage double precision,
	OUT executions_sampled bigint,
	OUT hook_time double precision,
	OUT statements_unwatched bigint,
	OUT last_braked timestamptz,
	OUT memory_bytes bigint,
	OUT memory_used_bytes bigint,
	OUT last_persisted timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_info'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION _info() IS
'What vitals.info reads.';

CREATE VIEW info AS
SELECT
	i.version,
	i.stats_reset,
	i.statements,
	i.statements_max,
	i.evictions,
	i.refused,
	i.unidentified,
	i.findings,
	i.findings_max,
	i.findings_evicted,
	i.routes,
	i.routes_max,
	i.routes_evicted,
	i.transactions,
	i.transactions_max,
	i.transactions_evicted,
	i.errors,
	i.errors_max,
	i.errors_evicted,
	i.deadlocks,
	i.deadlocks_max,
	i.deadlocks_evicted,
	i.waits,
	i.waits_max,
	i.waits_evicted,
	i.plans,
	i.plans_max,
	i.plans_evicted,
	i.slow_statements,
	i.slow_statements_max,
	i.misestimates,
	i.misestimates_max,
	i.misestimates_evicted,
	i.texts_bytes,
	i.texts_dropped,
	i.executions,
	i.coverage,
	i.executions_sampled,
	i.hook_time,
	i.statements_unwatched,
	i.last_braked,
	i.memory_bytes,
	i.memory_used_bytes,
	i.last_persisted
FROM _info() AS i;

COMMENT ON VIEW info IS
'One row about pg_vitals itself. Everybody may read it.';
COMMENT ON COLUMN info.version IS
'version of the library that is loaded';
COMMENT ON COLUMN info.stats_reset IS
'when all statistics were last reset, or first collected';
COMMENT ON COLUMN info.statements IS
'rows in the table of statements, those of what was pushed out included, which may stand beside the maximum';
COMMENT ON COLUMN info.statements_max IS
'rows that the table of statements can hold (pg_vitals.max_statements)';
COMMENT ON COLUMN info.evictions IS
'statements pushed out since the server started; their counters are in the rows <evicted>';
COMMENT ON COLUMN info.refused IS
'of the evictions: statements that found the table full and got no row, nearly all because they ran once and were quick';
COMMENT ON COLUMN info.unidentified IS
'of those refused: executions whose text was not even looked at, because their session sent a crowd of statements that it had not sent before';
COMMENT ON COLUMN info.findings IS
'rows in the table of N+1 findings';
COMMENT ON COLUMN info.findings_max IS
'rows that the table of N+1 findings can hold';
COMMENT ON COLUMN info.findings_evicted IS
'findings pushed out and lost since the server started';
COMMENT ON COLUMN info.routes IS
'rows in the table of routes, those of what was pushed out included, which may stand beside the maximum';
COMMENT ON COLUMN info.routes_max IS
'rows that the table of routes can hold';
COMMENT ON COLUMN info.routes_evicted IS
'routes pushed out since the server started; their counters are in the rows <other>';
COMMENT ON COLUMN info.transactions IS
'rows in the table of transactions, those of what was pushed out included, which may stand beside the maximum';
COMMENT ON COLUMN info.transactions_max IS
'rows that the table of transactions can hold';
COMMENT ON COLUMN info.transactions_evicted IS
'rows of transactions pushed out since the server started; their counters are in the rows <other>';
COMMENT ON COLUMN info.errors IS
'rows in the table of errors, those of what was pushed out included, which may stand beside the maximum';
COMMENT ON COLUMN info.errors_max IS
'rows that the table of errors can hold';
COMMENT ON COLUMN info.errors_evicted IS
'rows of errors pushed out since the server started; their counters are in the rows <other>';
COMMENT ON COLUMN info.deadlocks IS
'rows in the table of deadlocks, one for each circle of statements, those of what was pushed out included, which may stand beside the maximum';
COMMENT ON COLUMN info.deadlocks_max IS
'rows that the table of deadlocks can hold';
COMMENT ON COLUMN info.deadlocks_evicted IS
'rows of deadlocks pushed out since the server started; their number is in the rows <other>';
COMMENT ON COLUMN info.waits IS
'rows in the table of waits, those of what was pushed out included, which may stand beside the maximum';
COMMENT ON COLUMN info.waits_max IS
'rows that the table of waits can hold';
COMMENT ON COLUMN info.waits_evicted IS
'rows of waits pushed out since the server started; their figures are in the rows <other>';
COMMENT ON COLUMN info.plans IS
'rows in the table of plans, those of what was pushed out included, which may stand beside the maximum';
COMMENT ON COLUMN info.plans_max IS
'rows that the table of plans can hold';
COMMENT ON COLUMN info.plans_evicted IS
'plans pushed out since the server started, or not let in; their counters are in the rows <evicted>';
COMMENT ON COLUMN info.slow_statements IS
'slow executions recorded since the server started';
COMMENT ON COLUMN info.slow_statements_max IS
'how many of them, the last ones, are kept';
COMMENT ON COLUMN info.misestimates IS
'rows in the table of misestimates';
COMMENT ON COLUMN info.misestimates_max IS
'rows that the table of misestimates can hold';
COMMENT ON COLUMN info.misestimates_evicted IS
'misestimates pushed out, and so lost, since the server started';
COMMENT ON COLUMN info.texts_bytes IS
'bytes of statement texts kept';
COMMENT ON COLUMN info.texts_dropped IS
'texts that were not kept since the server started because pg_vitals.text_memory was full';
COMMENT ON COLUMN info.executions IS
'executions counted, of all statements';
COMMENT ON COLUMN info.coverage IS
'share of the executions, from 0 to 1, that are in rows of their own and not in a row <evicted>; NULL if there are none';
COMMENT ON COLUMN info.executions_sampled IS
'statements that clients sent whose hooks were timed, one of 128, since the server started or everything was reset';
COMMENT ON COLUMN info.hook_time IS
'ms that pg_vitals'' own code took in its hooks for all that clients sent, estimated from executions_sampled, since then';
COMMENT ON COLUMN info.statements_unwatched IS
'statements that clients sent and that were counted, but not looked at for N+1 patterns, because pg_vitals took more of the session than pg_vitals.max_overhead, since the server started or everything was reset';
COMMENT ON COLUMN info.last_braked IS
'when a session last began to look at fewer statements for that reason, or to look at more again; NULL if none has since the server started or everything was reset';
COMMENT ON COLUMN info.memory_bytes IS
'shared memory reserved by pg_vitals, in bytes';
COMMENT ON COLUMN info.memory_used_bytes IS
'bytes of it in use by rows, whole, and by texts, without the overhead of storing them';
COMMENT ON COLUMN info.last_persisted IS
'what had ended by this time is on disk; NULL if nothing was written since the server started';

GRANT SELECT ON info TO PUBLIC;
