/*-------------------------------------------------------------------------
 *
 * statfile.h
 *	  A reader of statistics files that needs no server, for tests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_UNIT_STATFILE_H
#define PGV_UNIT_STATFILE_H

#include "unit.h"

#include "store/persist.h"
#include "store/statfile.h"
#include "store/store.h"

/* What is in the store: a hash of each entry, in no order. */
typedef struct StatfileEntries
{
	int			n;
	uint64		hash[1000];
	int64		calls;			/* of all statements */
} StatfileEntries;

/* Make the store, with all kinds; to be called first. */
extern void pgv_statfile_prepare(void);

/* Empty it; aborts if references to texts were lost, or given back twice. */
extern void pgv_statfile_empty(void);

/*
 * Read the bytes of a file into the empty store, do with what was taken all
 * that the server would do with it, tell what it was, and empty the store.
 * Aborts if something that later code relies on does not hold.
 */
extern void pgv_statfile_take(const char *data, Size len, PgvRestored *done,
							  StatfileEntries *entries);

/* The same for a fuzzer: any bytes.  Returns 0. */
extern int	pgv_statfile_target(const uint8_t *data, size_t size);

#endif							/* PGV_UNIT_STATFILE_H */
