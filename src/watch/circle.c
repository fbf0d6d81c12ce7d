/*-------------------------------------------------------------------------
 *
 * circle.c
 *	  Who has taken part in a deadlock?
 *
 * The process that finds a deadlock, after deadlock_timeout or when it is about
 * to wait, takes itself out of the queue, lets go of the lock manager's locks,
 * and only then reports (DeadLockReport).  An error context callback is called
 * within: before anything is handled or rolled back.  All that the process has
 * locked it still has, so the others wait for it, and what they are at stands in
 * their places in shared memory, which are read without a lock.
 *
 * Which processes they are, and what this one waited for, is known to nobody any
 * more but the detail of the message.  That may be in any language, but each
 * line of it, one for each process,
 *
 *	Process 17 waits for ShareLock on transaction 1043; blocked by process 18.
 *
 * begins with the number of one process and ends with that of the next, in every
 * translation the server has; if the numbers do not make a circle that begins
 * with this process, nothing is believed, and this one alone is told.  Names of
 * lock modes are not translated.  What is locked is described in words that
 * DescribeLockTag makes of the lock's tag, in the same language: so the tag is
 * that one among the locks of the process which blocks us whose description the
 * line contains.  What the others wait for, the lock manager knows.
 *
 * The detail for the log has the texts of their statements, with constants: it
 * is not looked at.
 *
 * Who waits for a row waits for the transaction that has it, but holds a lock on
 * the row meanwhile: that tells the table.
 *
 * Owns nothing.  Memory is of the message at hand; before any is asked for in a
 * way that would raise an error if there is none, a good piece is asked for in
 * a way that does not.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "lib/stringinfo.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "collect/deadlocks.h"
#include "watch/circle.h"
#include "watch/look.h"

#define PGV_MUCH_MEMORY (1024 * 1024)

/* ----- the message ----- */

/* The first number in a line, or the last. */
static int
number_in(const char *line, const char *end, bool last)
{
	int			number = 0;

	while (line < end)
	{
		int64		value = 0;

		if (*line < '0' || *line > '9')
		{
			line++;
			continue;
		}
		for (; line < end && *line >= '0' && *line <= '9'; line++)
			value = Min(value * 10 + (*line - '0'), PG_INT32_MAX);
		number = (int) value;
		if (!last)
			break;
	}
	return number;
}

/*
 * The processes in the circle, the first of them this one, as many as there is
 * room for; returns how many there are, or 0 if it is no circle.
 */
static int
read_pids(const char *detail, int *pids, int room)
{
	int			n = 0;
	int			next = MyProcPid;

	for (const char *line = detail; *line != '\0'; n++)
	{
		const char *end = line + strcspn(line, "\n");
		int			pid = number_in(line, end, false);

		if (pid != next || (n > 0 && pid == MyProcPid))
			return 0;
		next = number_in(line, end, true);
		if (n < room)
			pids[n] = pid;
		line = *end != '\0' ? end + 1 : end;
	}
	return next == MyProcPid ? n : 0;
}

/* The mode of the first line's lock: of all names in it the longest. */
static LOCKMODE
read_mode(const char *line)
{
	LOCKMODE	found = NoLock;
	size_t		longest = 0;

	for (LOCKMODE mode = 1; mode <= MaxLockMode; mode++)
	{
		const char *name = GetLockmodeName(DEFAULT_LOCKMETHOD, mode);

		if (strlen(name) > longest && strstr(line, name) != NULL)
		{
			found = mode;
			longest = strlen(name);
		}
	}
	return found;
}

/* ----- locks ----- */

static void
set_lock(PgvDeadlockParty *party, const LOCKTAG *tag, LOCKMODE mode)
{
	party->lock_type = tag->locktag_type;
	party->lock_mode = (uint8) mode;
	if (tag->locktag_type > LOCKTAG_TUPLE || tag->locktag_type == LOCKTAG_DATABASE_FROZEN_IDS)
		return;
	party->relation_dbid = tag->locktag_field1;
	party->relation = tag->locktag_field2;
}

/* What this process waited for: a lock of "blocker" that the line describes. */
static void
find_own_lock(PgvDeadlockParty *party, const LockData *locks, const char *line, int blocker)
{
	StringInfoData text;
	size_t		longest = 0;

	initStringInfo(&text);
	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];

		if (lock->pid != blocker)
			continue;
		resetStringInfo(&text);
		DescribeLockTag(&text, &lock->locktag);
		/* "relation 1 of ..." is within "page 1 of relation 1 of ..." */
		if ((size_t) text.len <= longest || strstr(line, text.data) == NULL)
			continue;
		longest = text.len;
		set_lock(party, &lock->locktag, read_mode(line));
	}
	pfree(text.data);
}

/* What another one waits for; and the table of the row that anyone waits for. */
static void
find_locks(PgvDeadlockParty *party, const LockData *locks, int pid)
{
	const LOCKTAG *row;

	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];

		if (lock->pid == pid && lock->waitLockMode != NoLock)
			set_lock(party, &lock->locktag, lock->waitLockMode);
	}
	row = party->lock_type == LOCKTAG_TRANSACTION ? pgv_look_row(locks, pid) : NULL;
	if (row == NULL || party->relation != InvalidOid)
		return;
	party->relation_dbid = row->locktag_field1;
	party->relation = row->locktag_field2;
}

/* ----- statements ----- */

static bool
look_at_process(PgvSample *sample, int pid)
{
	int			procno = 0;

	while (pgv_look_next(sample, &procno))
	{
		if (sample->pid == pid)
		{
			pgv_look_at(sample);
			return true;
		}
	}
	return false;
}

static void
set_party(PgvDeadlockParty *party, int pid)
{
	PgvSample	sample;

	if (!look_at_process(&sample, pid))
		return;
	/* it has just waited */
	if (pid == MyProcPid)
		sample.event = PG_WAIT_LOCK;
	pgv_look_at_text(&sample);
	party->fingerprint = pgv_look_fingerprint(&sample);
	if (sample.has_statement)
		party->queryid = sample.slot.now.queryid;
	party->userid = pgv_look_role(&sample);
	strlcpy(party->application, sample.status.application, NAMEDATALEN);
}

static void
count_deadlock(const char *detail)
{
	PgvDeadlockEntry *d = palloc0(sizeof(PgvDeadlockEntry));
	int			pids[PGV_DEADLOCK_PARTIES] = {MyProcPid};
	int			n = read_pids(detail, pids, PGV_DEADLOCK_PARTIES);
	LockData   *locks = GetLockStatusData();
	char	   *line = pnstrdup(detail, strcspn(detail, "\n"));

	d->parties = (uint32) Max(n, 1);
	d->n = Min(d->parties, PGV_DEADLOCK_PARTIES);
	if (d->n > 1)
		find_own_lock(&d->party[0], locks, line, pids[1]);
	for (uint32 i = 0; i < d->n; i++)
	{
		set_party(&d->party[i], pids[i]);
		find_locks(&d->party[i], locks, pids[i]);
	}
	pgv_deadlocks_add(MyDatabaseId, d);
	pfree(line);
	pfree(locks->locks);
	pfree(locks);
	pfree(d);
}

void
pgv_circle_raised(void)
{
	MemoryContext context = MessageContext != NULL ? MessageContext : TopMemoryContext;
	void	   *memory = MemoryContextAllocExtended(context, PGV_MUCH_MEMORY, MCXT_ALLOC_NO_OOM);
	MemoryContext old;
	ErrorData  *error;

	if (memory == NULL)
		return;
	pfree(memory);
	old = MemoryContextSwitchTo(context);
	error = CopyErrorData();
	/* anybody may raise an error with this SQLSTATE */
	if (error->elevel == ERROR && error->detail != NULL && error->funcname != NULL &&
		strcmp(error->funcname, "DeadLockReport") == 0)
		count_deadlock(error->detail);
	FreeErrorData(error);
	MemoryContextSwitchTo(old);
}
