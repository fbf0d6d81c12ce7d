/*-------------------------------------------------------------------------
 *
 * windows.h
 *	  The last hours: what was active in each 10 seconds, and each minute.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_WINDOWS_H
#define PGV_WINDOWS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "watch/differences.h"

typedef enum PgvResolution
{
	PGV_WINDOWS_10S,
	PGV_WINDOWS_MINUTE
} PgvResolution;

#define PGV_RESOLUTIONS (PGV_WINDOWS_MINUTE + 1)

typedef struct PgvWindow
{
	int			seconds;		/* nominal length */
	TimestampTz start;
	TimestampTz end;
	double		sampled_ms;		/* that the waits are of; 0: nothing was looked at */
	int			nrows;
} PgvWindow;

/*
 * Called for each window that ended after a time, oldest first, once with a
 * NULL row and then for each of its rows; with no lock held.
 */
typedef void (*PgvWindowCallback) (const PgvWindow *window,
								   const PgvActiveRow *row, void *arg);

/* Does this row go? */
typedef bool (*PgvWindowMatch) (const PgvActiveRow *row, void *arg);

extern Size pgv_windows_shmem_size(void);
extern int	pgv_windows_locks(void);

/* The caller holds AddinShmemInitLock. */
extern void pgv_windows_shmem_init(void);

/*
 * Raises what the callback does, and out of memory.  Holds a lock, shared, for as
 * long as it copies one window.
 */
extern void pgv_windows_scan(PgvResolution resolution, TimestampTz after,
							 PgvWindowCallback callback, void *arg);

/* Remove rows (NULL: all windows).  Raises nothing. */
extern void pgv_windows_remove(PgvWindowMatch match, void *arg);

/*
 * Have the worker end the present windows, and wait for it.  Raises an error
 * where it does not within a time, or there are no windows.
 */
extern void pgv_windows_close(void);

/* The worker's tick. */
extern int	pgv_windows_interval(void);
extern void pgv_windows_tick(void);

#endif							/* PGV_WINDOWS_H */
