/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  One source for PostgreSQL 15 to 19.
 *
 * The only file that looks at PG_VERSION_NUM.  Whatever differs between the
 * servers gets one name here, with the newest server's meaning where the old
 * ones can be given it, so that the rest of the code reads as if there were
 * one version.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_COMPAT_H
#define PGV_COMPAT_H

#include "postgres.h"

#include "commands/explain.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "port/pg_bitutils.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/backend_status.h"
#include "utils/guc.h"

#if PG_VERSION_NUM < 150000
#error "pg_vitals needs PostgreSQL 15 or newer"
#endif

/* The query jumble's header moved in 16; 19 hands the state out as const. */
#if PG_VERSION_NUM < 160000
#include "utils/queryjumble.h"
#else
#include "nodes/queryjumble.h"
#endif
#if PG_VERSION_NUM >= 190000
typedef const JumbleState PgvJumbleState;
#else
typedef JumbleState PgvJumbleState;
#endif

/* queryId is uint64 up to 17 and int64 from 18: it is a key, hence unsigned. */
#define PGV_QUERYID(x) ((uint64) (x))

/* EXPLAIN's state and formats have headers of their own from 18 on. */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* planner(): 19 adds the ExplainState. */
#if PG_VERSION_NUM >= 190000
#define PGV_PLANNER_ARGS \
	Query *parse, const char *query_string, int cursorOptions, \
	ParamListInfo boundParams, struct ExplainState *es
#define PGV_PLANNER_PASS parse, query_string, cursorOptions, boundParams, es
#else
#define PGV_PLANNER_ARGS \
	Query *parse, const char *query_string, int cursorOptions, \
	ParamListInfo boundParams
#define PGV_PLANNER_PASS parse, query_string, cursorOptions, boundParams
#endif

/* standard_planner() without EXPLAIN. */
#if PG_VERSION_NUM >= 190000
#define PGV_STANDARD_PLANNER(query, string, options, params) \
	standard_planner(query, string, options, params, NULL)
#else
#define PGV_STANDARD_PLANNER(query, string, options, params) \
	standard_planner(query, string, options, params)
#endif

/* What GROUP BY has: from 18 on a range table entry of its own. */
#if PG_VERSION_NUM >= 180000
#define PGV_GROUP_EXPRESSIONS(rte) \
	((rte)->rtekind == RTE_GROUP ? (rte)->groupexprs : NIL)
#else
#define PGV_GROUP_EXPRESSIONS(rte) NIL
#endif

/* ExecutorRun(): 18 drops execute_once. */
#if PG_VERSION_NUM >= 180000
#define PGV_RUN_ARGS QueryDesc *queryDesc, ScanDirection direction, uint64 count
#define PGV_RUN_PASS queryDesc, direction, count
#else
#define PGV_RUN_ARGS \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count, \
	bool execute_once
#define PGV_RUN_PASS queryDesc, direction, count, execute_once
#endif

/* Times of block I/O: shared and local were one figure before 17. */
#if PG_VERSION_NUM >= 170000
#define PGV_SHARED_READ_TIME(b) ((b)->shared_blk_read_time)
#define PGV_SHARED_WRITE_TIME(b) ((b)->shared_blk_write_time)
#define PGV_HAS_LOCAL_TIMES 1
#else
#define PGV_SHARED_READ_TIME(b) ((b)->blk_read_time)
#define PGV_SHARED_WRITE_TIME(b) ((b)->blk_write_time)
#define PGV_HAS_LOCAL_TIMES 0
#endif

#if PG_VERSION_NUM >= 180000
#define PGV_WAL_BUFFERS_FULL(w) ((w)->wal_buffers_full)
#define PGV_WORKERS_TO_LAUNCH(estate) ((estate)->es_parallel_workers_to_launch)
#define PGV_WORKERS_LAUNCHED(estate) ((estate)->es_parallel_workers_launched)
#else
#define PGV_WAL_BUFFERS_FULL(w) 0
#define PGV_WORKERS_TO_LAUNCH(estate) 0
#define PGV_WORKERS_LAUNCHED(estate) 0
#endif

#if PG_VERSION_NUM >= 170000
#define PGV_JIT_DEFORM(j) ((j)->deform_counter)
#define PGV_HAS_JIT_DEFORM 1
#else
#define PGV_HAS_JIT_DEFORM 0
#endif

/* Whether the plan was generic (1), custom (0), or not told (-1). */
#if PG_VERSION_NUM >= 190000
#define PGV_PLAN_IS_GENERIC(p) \
	((p)->planOrigin == PLAN_STMT_CACHE_GENERIC ? 1 : \
	 (p)->planOrigin == PLAN_STMT_CACHE_CUSTOM ? 0 : -1)
#else
#define PGV_PLAN_IS_GENERIC(p) (-1)
#endif

/*
 * Utility statements that pg_stat_statements of this version does not count
 * by themselves: EXECUTE and PREPARE belong to the statement inside, and
 * DEALLOCATE was left out until 17.
 */
#if PG_VERSION_NUM >= 170000
#define PGV_UTILITY_COUNTS(n) (!IsA(n, ExecuteStmt) && !IsA(n, PrepareStmt))
#else
#define PGV_UTILITY_COUNTS(n) \
	(!IsA(n, ExecuteStmt) && !IsA(n, PrepareStmt) && !IsA(n, DeallocateStmt))
#endif

/*
 * How long the clock of instr_time keeps step with the time of day, in
 * microseconds.  From 19 on it may count the processor's cycles, whose rate the
 * server only estimates: off by 200 us a second has been seen.
 */
#if PG_VERSION_NUM >= 190000
#define PGV_CLOCK_US 1000
#else
#define PGV_CLOCK_US 1000000
#endif

/* A process's place in the array of all processes: 0-based everywhere. */
#define PGV_PROCNO() ((int) (MyProc - ProcGlobal->allProcs))

/*
 * The array of what every process says it is doing, taken from this backend's
 * own place in it; and another's place.  Up to 16, auxiliary processes have no
 * number of their own in it: NULL for them, see PGV_STATUS_AUX.
 */
#if PG_VERSION_NUM >= 170000
#define PGV_STATUSES() (MyBEEntry - MyProcNumber)
#define PGV_STATUS_OF(statuses, procno, proc) (&(statuses)[procno])
#define PGV_STATUS_AUX(n) ((void) (n), 0)
#else
#include "storage/backendid.h"
#define PGV_STATUSES() (MyBEEntry - (MyBackendId - 1))
#define PGV_STATUS_OF(statuses, procno, proc) \
	((proc)->backendId > 0 && (proc)->backendId <= MaxBackends ? \
	 &(statuses)[(proc)->backendId - 1] : NULL)
#define PGV_STATUS_AUX(n) ((n) < NUM_AUXPROCTYPES ? MaxBackends + (n) : 0)
#endif

/* Is it in a transaction, as seen by another process? */
#if PG_VERSION_NUM >= 170000
#define PGV_IN_TRANSACTION(proc) LocalTransactionIdIsValid((proc)->vxid.lxid)
#else
#define PGV_IN_TRANSACTION(proc) LocalTransactionIdIsValid((proc)->lxid)
#endif

/* The local transaction id of this backend. */
#if PG_VERSION_NUM >= 170000
#define PGV_LXID() (MyProc->vxid.lxid)
#else
#define PGV_LXID() (MyProc->lxid)
#endif

/* An entry of what the server tells of its processes; 1-based everywhere. */
#if PG_VERSION_NUM >= 160000
#define PGV_LOCAL_BEENTRY(i) pgstat_get_local_beentry_by_index(i)
#else
#define PGV_LOCAL_BEENTRY(i) pgstat_fetch_stat_local_beentry(i)
#endif

/* String GUCs' memory: libc's before 16. */
#if PG_VERSION_NUM < 160000
#define guc_malloc(elevel, size) malloc(size)
#define guc_free(ptr) free(ptr)
#endif

#if PG_VERSION_NUM >= 180000
#define PGV_MODULE_MAGIC(n, v) PG_MODULE_MAGIC_EXT(.name = n, .version = v)
#else
#define PGV_MODULE_MAGIC(n, v) PG_MODULE_MAGIC
#endif

/* Whether plain strings take backslashes literally; always so from 19. */
#if PG_VERSION_NUM >= 190000
#define PGV_STANDARD_STRINGS() true
#else
#include "parser/parser.h"
#define PGV_STANDARD_STRINGS() (standard_conforming_strings)
#endif

/*
 * From 16 on symbols are hidden unless exported, and the server declares
 * _PG_init.  We hide ours everywhere.
 */
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
extern PGDLLEXPORT void _PG_init(void);
#endif

/* A function that SQL calls: exported, which 15 leaves out. */
#define PGV_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

/*
 * Has the client sent more than the message being executed?  Before 17 a Sync
 * alone, which always follows in the extended protocol, counts as more.  The
 * declarations are repeated because libpq/libpq.h wants GSSAPI's headers.
 */
#if PG_VERSION_NUM >= 170000
extern ssize_t pq_buffer_remaining_data(void);
#define PGV_MORE_SENT() (pq_buffer_remaining_data() > 5)
#define PGV_MORE_AFTER_SYNC() (pq_buffer_remaining_data() > 0)
#else
extern bool pq_buffer_has_data(void);
#define PGV_MORE_SENT() (pq_buffer_has_data())
#define PGV_MORE_AFTER_SYNC() (pq_buffer_has_data())
#endif

/*
 * For what each statement reads or writes in our own variables: in a section of their
 * own they share lines of the cache, wherever they are defined.
 */
#if defined(__ELF__)
#define PGV_HOT_DATA __attribute__((section("pgv_hot_data")))
#else
#define PGV_HOT_DATA
#endif

/* Have a line of memory fetched into the cache: it is about to be read. */
#if defined(__GNUC__)
#define PGV_PREFETCH(address) __builtin_prefetch(address)
#else
#define PGV_PREFETCH(address) ((void) (address))
#endif

/* A wait event of our own where the server can name one. */
#if PG_VERSION_NUM >= 170000
#include "utils/wait_event.h"
static inline uint32
pgv_wait_event(const char *name)
{
	static uint32 id = 0;

	if (id == 0)
		id = WaitEventExtensionNew(name);
	return id;
}
#else
#include "utils/wait_event.h"
static inline uint32
pgv_wait_event(const char *name)
{
	return PG_WAIT_EXTENSION;
}
#endif

#endif							/* PGV_COMPAT_H */
