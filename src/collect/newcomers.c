/*-------------------------------------------------------------------------
 *
 * newcomers.c
 *	  Statements that a backend has not met before.
 *
 * To say which statement it is takes a pass over its text, and to keep it takes
 * memory for the text and, in a full table, another's place.  An application
 * whose every statement is another (names of tables, of columns, of CTEs made
 * by a program) would have that done for each, and next to nothing of it is ever
 * looked at.  So there are three steps:
 *
 * 1. While there are free places, or it is met again soon, or the session has
 *	  not met too many others of late, it is identified by its text.
 *
 * 2. What any backend has identified is in a shared table of fingerprints, by
 *	  queryid and database.  If the statement has its place among the
 *	  statistics, that is who it is.
 *
 * 3. What remains has the fingerprint 0: counted, exactly, with what else has no
 *	  row of its own, in the residual of its database.
 *
 * "Soon" is among the next PGV_MARKS or so that this backend does not know, as
 * with the doorkeeper of TinyLFU (Einziger, Friedman and Manes, 2017): of two
 * statements the one that comes twice as often is four times as likely to be
 * met again so soon, so what deserves a place comes to have one.  A session
 * may have PGV_LOOKS others identified at once, and so many more per second: a
 * person at a prompt, or an application that starts, never comes to step 3.
 * Nor does a session that is told of its N+1 patterns, nor what fails or
 * takes long.  Nor does what the server gives no queryid, and utility
 * statements: their ids change with the constants in them, and so do not
 * tell a new statement from a known one.
 *
 *	 line of the shared table
 *	+-------------+------------------+-------------+------------------+---- 4 ways
 *	| fingerprint | fingerprint ^ id | fingerprint | fingerprint ^ id |
 *	+-------------+------------------+-------------+------------------+----
 *
 * Each look is one into memory that is in no cache, so the places are fetched
 * from when the queryid is known: the statement is rewritten meanwhile.
 *
 * Nobody locks it: a pair that two have written to at the same time does not
 * fit, and counts as not there (Hyatt and Mann, "A lockless transposition
 * table", 2002).  A full line gives up one of its pairs.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "collect/newcomers.h"
#include "collect/statements.h"

#define PGV_WAYS 4
#define PGV_ODD UINT64CONST(0x9E3779B97F4A7C15)
#define PGV_MARKS 256			/* power of two */
#define PGV_LOOKS 256			/* texts that a session may have read at once ... */
#define PGV_LOOK_US 50000		/* ... and one more so often */

typedef struct PgvSharedMet
{
	uint64		fingerprint;
	uint64		check;			/* fingerprint ^ id */
} PgvSharedMet;

/* How many a process has left unidentified: it alone adds, in a line of its own. */
typedef union PgvUnidentified
{
	pg_atomic_uint64 count;
	char		pad[PG_CACHE_LINE_SIZE];
} PgvUnidentified;

static PgvUnidentified *unidentified = NULL;
static PgvSharedMet *lines = NULL;

PGV_HOT_DATA bool pgv_newcomers_crowd = false;

/* This backend's. */
static uint32 marks[PGV_MARKS];
static int	looks = PGV_LOOKS;
static TimestampTz looks_at = 0;

/* Of an unknown statement: where its record was, how often it is measured. */
static uint8 unknown_hint = 0;
static uint16 unknown_share = PGV_SHARE_NEW;

static uint32
line_count(void)
{
	return pg_nextpower2_32(pgv_max_statements / 2);
}

static int
process_count(void)
{
	return MaxBackends + NUM_AUXILIARY_PROCS;
}

static Size
lines_offset(void)
{
	return mul_size(process_count(), sizeof(PgvUnidentified));
}

Size
pgv_newcomers_shmem_size(void)
{
	/* one more, for the place itself may not be aligned so */
	return add_size(add_size(lines_offset(), PG_CACHE_LINE_SIZE),
					mul_size(line_count(), PGV_WAYS * sizeof(PgvSharedMet)));
}

void
pgv_newcomers_shmem_init(void)
{
	bool		found;
	char	   *place = ShmemInitStruct("pg_vitals newcomers", pgv_newcomers_shmem_size(), &found);

	unidentified = (PgvUnidentified *) CACHELINEALIGN(place);
	lines = (PgvSharedMet *) ((char *) unidentified + lines_offset());
	if (found)
		return;
	memset(place, 0, pgv_newcomers_shmem_size());
	for (int i = 0; i < process_count(); i++)
		pg_atomic_init_u64(&unidentified[i].count, 0);
}

/* ----- what others have met ----- */

/* The same queryid may be another statement's in another database. */
static inline uint64
id_of(uint64 queryid)
{
	return queryid ^ (MyDatabaseId * PGV_ODD);
}

static inline PgvSharedMet *
line_of(uint64 id)
{
	return lines + (id & (line_count() - 1)) * PGV_WAYS;
}

void
pgv_newcomers_expect(uint64 queryid)
{
	pgv_identity_expect(queryid);
	PGV_PREFETCH(line_of(id_of(queryid)));
}

/* The fingerprint that some backend has found, or 0. */
static uint64
recall(uint64 id)
{
	const volatile PgvSharedMet *line = line_of(id);

	for (int i = 0; i < PGV_WAYS; i++)
	{
		uint64		fingerprint = line[i].fingerprint;

		if (fingerprint != 0 && line[i].check == (fingerprint ^ id))
			return fingerprint;
	}
	return 0;
}

static void
tell_others(uint64 id, uint64 fingerprint)
{
	volatile PgvSharedMet *line = line_of(id);
	int			way = (int) ((fingerprint >> 32) & (PGV_WAYS - 1));

	for (int i = 0; i < PGV_WAYS; i++)
	{
		if (line[i].fingerprint == 0 || (line[i].fingerprint ^ line[i].check) == id)
		{
			way = i;
			break;
		}
	}
	line[way].fingerprint = fingerprint;
	line[way].check = fingerprint ^ id;
}

/* ----- who is let in ----- */

/* May this session have one more text read, as for how many it had of late? */
static bool
may_look(void)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();
	int64		earned = (now - looks_at) / PGV_LOOK_US;

	if (earned < 0 || earned >= PGV_LOOKS - looks)
	{
		looks = PGV_LOOKS;
		looks_at = now;
	}
	else
	{
		looks += (int) earned;
		looks_at += earned * PGV_LOOK_US;
	}
	if (looks == 0)
		return false;
	looks--;
	return true;
}

/* Was it met a short while ago?  It is, from now on. */
static bool
was_met(uint64 id)
{
	uint32		mark = (uint32) (id >> 32) | 1;
	uint32	   *place = &marks[id & (PGV_MARKS - 1)];

	if (*place == mark)
		return true;
	*place = mark;
	return false;
}

static bool
is_let_in(uint64 id)
{
	if (!pgv_store_is_full(&pgv_kind_statements) ||
		pgv_n_plus_one_action != PGV_ACTION_OFF)
		return true;
	return was_met(id) || may_look();
}

void
pgv_newcomers_identify(PgvStatementRef *ref)
{
	uint64		id;

	if (!ref->optimisable || !ref->toplevel || ref->queryid == 0)
	{
		pgv_identify(ref);
		return;
	}
	id = id_of(ref->queryid);
	pgv_newcomers_crowd = !is_let_in(id);
	if (!pgv_newcomers_crowd)
	{
		pgv_identify(ref);
		tell_others(id, ref->fingerprint);
		return;
	}
	ref->fingerprint = recall(id);
	if (ref->fingerprint != 0 && pgv_statements_has(ref))
	{
		pgv_identity_learn(ref);
		return;
	}
	ref->fingerprint = 0;
	ref->hint = &unknown_hint;
	ref->share = &unknown_share;
	ref->route = 0;
}

void
pgv_newcomers_reveal(PgvStatementRef *ref)
{
	uint64		route = ref->route;

	if (ref->fingerprint != 0 || ref->source == NULL)
		return;
	pgv_identify(ref);
	ref->route = route;
}

void
pgv_newcomers_count(void)
{
	pg_atomic_uint64 *mine = &unidentified[PGV_PROCNO()].count;

	pg_atomic_write_u64(mine, pg_atomic_read_u64(mine) + 1);
}

uint64
pgv_newcomers_unidentified(void)
{
	uint64		sum = 0;

	for (int i = 0; i < process_count(); i++)
		sum += pg_atomic_read_u64(&unidentified[i].count);
	return sum;
}
