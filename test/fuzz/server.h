/*-------------------------------------------------------------------------
 *
 * server.h
 *	  What units ask of the server, as far as the fuzz targets need it: memory,
 *	  strings, and a small catalog that never changes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_FUZZ_SERVER_H
#define PGV_FUZZ_SERVER_H

#include "fuzz.h"

/* Tables 1 and 2 have these columns; of 3 nothing is known. */
#define FUZZ_TABLE	1
#define FUZZ_OTHER	2
#define FUZZ_GONE	3

/* Free all that was palloc'd. */
extern void pgv_fuzz_free_all(void);

#endif							/* PGV_FUZZ_SERVER_H */
