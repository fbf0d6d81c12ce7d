/*-------------------------------------------------------------------------
 *
 * memory.c
 *	  What the kernel says of each process's memory, and how much it grew.
 *
 * Owns an array in shared memory with the first reading of each process, at
 * the place of its PGPROC.  The worker fills it once a second for processes that
 * are new, so that nobody has to do it on the way of a query; a reader that
 * comes before the worker fills it as well.  A place keeps its reading until the
 * next process in it is read: who looks compares the pid, and that the reading
 * is not from before the process started.
 *
 * All fields are guarded by the one lock, which is held for a few stores or
 * while the array is searched, and never while a file is read.  The array has a
 * place for each process there can be, so it is never full.
 *
 * /proc/PID/status costs the kernel no walk through the page tables, as
 * smaps_rollup does, under a lock that the process itself needs for its faults.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <fcntl.h>
#include <unistd.h>

#include "storage/fd.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "watch/memory.h"

#define PGV_MEMORY_TRANCHE "pg_vitals_memory"
#define PGV_MEMORY_INTERVAL_MS 1000
#define PGV_STATUS_SIZE 8192	/* /proc/PID/status has about 1.5 kB */

typedef struct PgvSharedFirstReading
{
	int			pid;			/* 0: none yet */
	TimestampTz at;
	int64		bytes;			/* private and swapped */
} PgvSharedFirstReading;

static PgvSharedFirstReading *readings = NULL;
static LWLock *lock = NULL;

static int
place_count(void)
{
	return MaxBackends + NUM_AUXILIARY_PROCS;
}

Size
pgv_memory_shmem_size(void)
{
	return mul_size(place_count(), sizeof(PgvSharedFirstReading));
}

int
pgv_memory_locks(void)
{
	return 1;
}

void
pgv_memory_shmem_init(void)
{
	bool		found;

	lock = &GetNamedLWLockTranche(PGV_MEMORY_TRANCHE)->lock;
	readings = ShmemInitStruct("pg_vitals memory", pgv_memory_shmem_size(), &found);
	if (!found)
		memset(readings, 0, pgv_memory_shmem_size());
}

#ifdef __linux__

/* The whole of /proc/PID/status, as a string; false if there is none. */
static bool
read_status(int pid, char *text)
{
	char		path[64];
	int			fd;
	ssize_t		len;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = OpenTransientFile(path, O_RDONLY);
	if (fd < 0)
		return false;
	len = read(fd, text, PGV_STATUS_SIZE - 1);
	CloseTransientFile(fd);
	if (len <= 0)
		return false;
	text[len] = '\0';
	return true;
}

/* A line such as "VmRSS:	   12345 kB", in bytes; false if there is none. */
static bool
status_bytes(const char *text, const char *name, int64 *bytes)
{
	size_t		len = strlen(name);
	const char *p = text;

	while (strncmp(p, name, len) != 0)
	{
		p = strchr(p, '\n');
		if (p == NULL)
			return false;
		p++;
	}
	*bytes = strtoll(p + len, NULL, 10) * 1024;
	return true;
}

static bool
read_memory(int pid, PgvProcessMemory *m)
{
	char		text[PGV_STATUS_SIZE];

	/* a process that is at its end has no such lines any more */
	return read_status(pid, text) &&
		status_bytes(text, "VmRSS:", &m->resident) &&
		status_bytes(text, "RssAnon:", &m->private) &&
		status_bytes(text, "VmSwap:", &m->swapped) &&
		status_bytes(text, "VmHWM:", &m->peak_resident);
}

int
pgv_memory_interval(void)
{
	return PGV_MEMORY_INTERVAL_MS;
}

#else

static bool
read_memory(int pid, PgvProcessMemory *m)
{
	return false;
}

int
pgv_memory_interval(void)
{
	return 0;
}

#endif

/*
 * The first reading at a place: what is there if it is of this process, and
 * otherwise the one given.
 */
static PgvSharedFirstReading
first_reading(int place, int pid, TimestampTz started, const PgvProcessMemory *now)
{
	PgvSharedFirstReading first;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (readings[place].pid != pid || readings[place].at < started)
	{
		readings[place].pid = pid;
		readings[place].at = GetCurrentTimestamp();
		readings[place].bytes = now->private + now->swapped;
	}
	first = readings[place];
	LWLockRelease(lock);
	return first;
}

bool
pgv_memory_of(int pid, TimestampTz started, PgvProcessMemory *now,
			  int64 *growth, TimestampTz *growth_since)
{
	PgvSharedFirstReading first;
	int			place = 0;

	while (place < place_count() && ProcGlobal->allProcs[place].pid != pid)
		place++;
	if (place == place_count() || !read_memory(pid, now))
		return false;
	first = first_reading(place, pid, started, now);
	*growth = now->private + now->swapped - first.bytes;
	*growth_since = first.at;
	return true;
}

void
pgv_memory_tick(void)
{
	for (int i = 0; i < place_count(); i++)
	{
		int			pid = ProcGlobal->allProcs[i].pid;
		PgvProcessMemory now;

		/* only this process and readers write, so a look needs no lock */
		if (pid != 0 && readings[i].pid != pid && read_memory(pid, &now))
			first_reading(i, pid, 0, &now);
	}
}
