/*-------------------------------------------------------------------------
 *
 * resources.h
 *	  The kind "resources": CPU, kernel I/O and memory, from a sample of the
 *	  executions and plannings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_RESOURCES_H
#define PGV_RESOURCES_H

#include "postgres.h"

#include <sys/resource.h>

#include "executor/execdesc.h"

#include "base/settings.h"
#include "collect/identity.h"
#include "collect/pending.h"
#include "collect/statements.h"
#include "store/store.h"

/* Sizes of memory: half octaves, from below 8 kB to 64 GB and more. */
#define PGV_MEMORY_BUCKETS 48

/* What was used, each measurement times what it stands for. */
typedef struct PgvResourceUse
{
	double		elapsed_ms;
	double		user_ms;
	double		system_ms;
	double		cpu_variance;	/* of user_ms + system_ms, as an estimate */
	double		read_bytes;
	double		written_bytes;
	double		major_faults;
	double		voluntary;		/* context switches */
	double		involuntary;
} PgvResourceUse;

/* The key is a PgvStatementKey; a delta is an entry. */
typedef struct PgvResourceEntry
{
	uint64		queryid;		/* the last seen that is not 0 */
	int64		measured;		/* executions, plannings */
	double		stand_for;		/* so many, as an estimate */
	PgvResourceUse total;
	PgvResourceUse nested;		/* of that, in statements inside that are counted */
	double		workers_cpu_ms; /* of parallel workers, beside "total" */
	double		memory_count;	/* executions whose memory was seen, weighted */
	double		memory_bytes;	/* their sum */
	double		memory_max;
	uint32		memory[PGV_MEMORY_BUCKETS];
	TimestampTz stats_since;	/* written by the store; not in a delta */
} PgvResourceEntry;

extern const PgvKind pgv_kind_resources;
extern PgvPendingPart pgv_pending_resources;

/* Where a measurement began. */
typedef struct PgvReading
{
	double		weight;			/* executions it stands for; 0: not measured */
	struct rusage at;
} PgvReading;

/* Private to the inline function below. */
extern int32 pgv_resources_left;
extern void pgv_resources_read(PgvReading *reading, const PgvStatementRef *ref,
							   QueryDesc *query);

/*
 * Begin: is this execution, or planning, one of those to be measured?  Each is
 * by chance, with a probability that follows from *ref->share, so that measuring
 * takes about the same part of every statement's time.  ref: NULL if it is not
 * counted.  query: NULL if it is no run of the executor.  Raises nothing.
 */
static inline void
pgv_resources_begin(PgvReading *reading, const PgvStatementRef *ref,
					QueryDesc *query)
{
	reading->weight = 0;
	if (ref == NULL || !pgv_track_resources)
		return;
	if (unlikely((pgv_resources_left -= *ref->share) < 0))
		pgv_resources_read(reading, ref, query);
}

/*
 * It has taken so long, unmeasured.  What takes long is measured each time, so
 * the next is.
 */
static inline void
pgv_resources_passed(const PgvStatementRef *ref, double elapsed_ms)
{
	if (unlikely(elapsed_ms > 1.0))
		*ref->share = PG_UINT16_MAX;
}

/*
 * End a measurement whose weight is not 0, of an execution that has taken so long
 * inside of it.  outer: the statement around it that is counted, or NULL.  query:
 * as when it began; its memory is looked at.  Raises nothing.  Takes the lock of
 * the backend's pending slot.
 */
extern void pgv_resources_end(const PgvReading *reading, const PgvStatementRef *ref,
							  const PgvStatementRef *outer, QueryDesc *query,
							  double elapsed_ms);

/*
 * A parallel worker has done its share of this statement of its leader's, from
 * this reading on: its CPU time is added.  Raises nothing; locks as above.
 */
extern void pgv_resources_worker(const PgvStatementRef *leaders,
								 const struct rusage *start);

/* Is this the key of a residual entry? */
extern bool pgv_resources_is_residual(const void *key);

/* Add one set of sums to another. */
extern void pgv_resources_add(PgvResourceEntry *into, const PgvResourceEntry *from);

/*
 * The memory, in bytes, that a share q of the executions seen did not exceed:
 * the geometric middle of its bucket, within 19 %, and not above the highest
 * seen; 0 if none was seen.
 */
extern double pgv_resources_memory(const PgvResourceEntry *entry, double q);

#endif							/* PGV_RESOURCES_H */
