/*-------------------------------------------------------------------------
 *
 * server.h
 *	  What every statement asks the server, by one table of addresses.
 *
 * The linker scatters the addresses of the server's functions and variables
 * over the global offset table, in no order that can be chosen: each is a line
 * of the cache by itself.  Those that every statement needs stand side by side
 * in pgv_server, among our own variables that it needs.
 *
 * Whatever is included after this header says the server's names as ever, and
 * means the table.  It includes whatever declares them, so that no declaration
 * comes afterwards.  A name stands twice below: no macro can define another.
 * libc's string functions and sigsetjmp are not in it, for the compiler knows
 * them by name (that the latter returns twice, for one).
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SERVER_H
#define PGV_SERVER_H

#include "compat.h"

#include <time.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "optimizer/planner.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "storage/lwlock.h"
#include "tcop/pquery.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define PGV_SERVER_NAMES(name) \
	name(ActivePortal) \
	name(GetCurrentStatementStartTimestamp) \
	name(GetCurrentTransactionStartTimestamp) \
	name(GetTopTransactionIdIfAny) \
	name(GetUserId) \
	name(IsTransactionBlock) \
	name(LWLockAcquire) \
	name(LWLockRelease) \
	name(MemoryContextRegisterResetCallback) \
	name(MyDatabaseId) \
	name(MyXactFlags) \
	name(PG_exception_stack) \
	name(ParallelWorkerNumber) \
	name(application_name) \
	name(clock_gettime) \
	name(error_context_stack) \
	name(pgBufferUsage) \
	name(pgWalUsage) \
	name(standard_ExecutorEnd) \
	name(standard_ExecutorFinish) \
	name(standard_ExecutorRun) \
	name(standard_ExecutorStart) \
	name(standard_planner) \
	name(track_io_timing)

#define PGV_SERVER_MEMBER(name) __typeof__(name) *name##_;
typedef struct PgvServer
{
	PGV_SERVER_NAMES(PGV_SERVER_MEMBER)
} PgvServer;

extern PgvServer pgv_server;

#ifndef PGV_SERVER_ITSELF
#define ActivePortal (*pgv_server.ActivePortal_)
#define GetCurrentStatementStartTimestamp (*pgv_server.GetCurrentStatementStartTimestamp_)
#define GetCurrentTransactionStartTimestamp (*pgv_server.GetCurrentTransactionStartTimestamp_)
#define GetTopTransactionIdIfAny (*pgv_server.GetTopTransactionIdIfAny_)
#define GetUserId (*pgv_server.GetUserId_)
#define IsTransactionBlock (*pgv_server.IsTransactionBlock_)
#define LWLockAcquire (*pgv_server.LWLockAcquire_)
#define LWLockRelease (*pgv_server.LWLockRelease_)
#define MemoryContextRegisterResetCallback (*pgv_server.MemoryContextRegisterResetCallback_)
#define MyDatabaseId (*pgv_server.MyDatabaseId_)
#define MyXactFlags (*pgv_server.MyXactFlags_)
#define PG_exception_stack (*pgv_server.PG_exception_stack_)
#define ParallelWorkerNumber (*pgv_server.ParallelWorkerNumber_)
#define application_name (*pgv_server.application_name_)
#define clock_gettime (*pgv_server.clock_gettime_)
#define error_context_stack (*pgv_server.error_context_stack_)
#define pgBufferUsage (*pgv_server.pgBufferUsage_)
#define pgWalUsage (*pgv_server.pgWalUsage_)
#define standard_ExecutorEnd (*pgv_server.standard_ExecutorEnd_)
#define standard_ExecutorFinish (*pgv_server.standard_ExecutorFinish_)
#define standard_ExecutorRun (*pgv_server.standard_ExecutorRun_)
#define standard_ExecutorStart (*pgv_server.standard_ExecutorStart_)
#define standard_planner (*pgv_server.standard_planner_)
#define track_io_timing (*pgv_server.track_io_timing_)
#endif

#endif							/* PGV_SERVER_H */
