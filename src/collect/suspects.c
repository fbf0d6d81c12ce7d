/*-------------------------------------------------------------------------
 *
 * suspects.c
 *	  Which executions have the rows of their plan's nodes counted?
 *
 * To count rows (INSTRUMENT_ROWS, without a look at the clock) is to call two
 * functions for each row of each node: a bare count of a table took 46 % longer,
 * one that filters it, or a hash join, as long as without.  So it is done
 * for statements with a reason only, of whose executions one of
 * PGV_SUSPECT_SHARE, and the decision costs any other statement one look at a
 * word of shared memory.
 *
 * A reason, of an execution that took PGV_LOOK_MS (settings.c), is: a plan that
 * reads a large table to the end and filters it; that it was slow, wrote temporary
 * files, or had far more or fewer rows than its plan said, which shows without
 * counting; a node whose estimate was found to be far off.
 *
 * One place for statements whose fingerprints end alike: of two suspects in one
 * place the later one stays.  The place counts down whoever has it, so that of
 * what goes through it no more than the share is counted.  The words are read
 * and written without a lock: what is lost by that is a mark, or one in the
 * count.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "storage/shmem.h"

#include "base/settings.h"
#include "collect/suspects.h"

#define PGV_SUSPECT_SHARE 32
#define PGV_LARGE_COST 1000.0	/* of a scan; about 5 MB at default settings */

PGV_HOT_DATA PgvSuspect *pgv_suspects = NULL;

Size
pgv_suspects_shmem_size(void)
{
	return PGV_SUSPECTS * sizeof(PgvSuspect);
}

void
pgv_suspects_shmem_init(void)
{
	bool		found;

	pgv_suspects = ShmemInitStruct("pg_vitals suspects", pgv_suspects_shmem_size(), &found);
	if (!found)
		memset(pgv_suspects, 0, pgv_suspects_shmem_size());
}

pg_noinline bool
pgv_suspects_turn(PgvSuspect *place)
{
	/* what was left unknown looks like an empty place */
	if (!pgv_count_rows || place->fingerprint == 0)
		return false;
	if (place->left > 0)
	{
		place->left--;
		return false;
	}
	place->left = PGV_SUSPECT_SHARE - 1;
	return true;
}

void
pgv_suspects_mark(uint64 fingerprint)
{
	PgvSuspect *place = pgv_suspects_place(fingerprint);

	if (place->fingerprint != fingerprint)
		place->fingerprint = fingerprint;
}

void
pgv_suspects_reset(void)
{
	memset(pgv_suspects, 0, pgv_suspects_shmem_size());
}

static bool
large_filter_walker(PlanState *node, void *arg)
{
	if (IsA(node, SeqScanState) && node->plan->qual != NIL &&
		node->plan->total_cost >= PGV_LARGE_COST)
		return true;
	return planstate_tree_walker(node, large_filter_walker, arg);
}

bool
pgv_suspects_filters(QueryDesc *query)
{
	/* what costs less as a whole does not read it to the end */
	return query->planstate != NULL &&
		query->planstate->plan->total_cost >= PGV_LARGE_COST &&
		large_filter_walker(query->planstate, NULL);
}
