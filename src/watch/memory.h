/*-------------------------------------------------------------------------
 *
 * memory.h
 *	  What the kernel says of each process's memory, and how much it grew.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_MEMORY_H
#define PGV_MEMORY_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* In bytes; as /proc/PID/status has it. */
typedef struct PgvProcessMemory
{
	int64		resident;
	int64		private;		/* anonymous, and resident */
	int64		swapped;
	int64		peak_resident;
} PgvProcessMemory;

extern Size pgv_memory_shmem_size(void);
extern int	pgv_memory_locks(void);

/* The caller holds AddinShmemInitLock. */
extern void pgv_memory_shmem_init(void);

/*
 * What a process of this server takes now, and how many bytes its private memory
 * (what is swapped included) has grown since it was first looked at, and when
 * that was: mostly within a second of its start.  False where the kernel does
 * not tell, as everywhere but on Linux, or the process is gone.  "started" is
 * when the process was.  Takes our lock.  Raises only what opening a file does.
 */
extern bool pgv_memory_of(int pid, TimestampTz started, PgvProcessMemory *now,
						  int64 *growth, TimestampTz *growth_since);

/* The worker's tick: looks at processes that it has not seen. */
extern int	pgv_memory_interval(void);
extern void pgv_memory_tick(void);

#endif							/* PGV_MEMORY_H */
