/*-------------------------------------------------------------------------
 *
 * surface/deadlocks.c
 *	  What the view on deadlocks reads: rights, copies, a row for each party.
 *
 * That there was a deadlock, between whom and over which locks, everybody may
 * see, as with vitals.blocking; what a role executed, itself and those who may
 * read all statistics.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "storage/lock.h"
#include "utils/builtins.h"

#include "collect/deadlocks.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/scan.h"

PGV_FUNCTION(pgv_surface_deadlocks);

#define COUNTER(name, field, type) \
	{name, offsetof(PgvDeadlockEntry, field), type}

static const PgvField fields[] = {
	COUNTER("deadlocks", deadlocks, PGV_INT64),
	COUNTER("first_seen", first_seen, PGV_TIMESTAMPTZ),
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ)
};

static void
show_sum(PgvRows *rows, const void *sum, TimestampTz stats_since)
{
	pgv_row_set_fields(rows, fields, lengthof(fields), sum);
	pgv_row_set(rows, "stats_since", TimestampTzGetDatum(stats_since));
}

static void
set_lock(PgvRows *rows, const PgvDeadlockParty *party)
{
	if (party->lock_mode == NoLock)
		return;
	pgv_row_set_text(rows, "lock_type", party->lock_type <= LOCKTAG_LAST_TYPE ?
					 LockTagTypeNames[party->lock_type] : "unknown");
	pgv_row_set_text(rows, "lock_mode", GetLockmodeName(DEFAULT_LOCKMETHOD, party->lock_mode));
	if (party->relation == InvalidOid)
		return;
	pgv_row_set(rows, "lock_dbid", ObjectIdGetDatum(party->relation_dbid));
	pgv_row_set(rows, "lock_relation", ObjectIdGetDatum(party->relation));
}

static void
set_statement(PgvRows *rows, const PgvDeadlockParty *party)
{
	if (!pgv_may_see(party->userid))
	{
		pgv_row_set_text(rows, "query", "<insufficient privilege>");
		return;
	}
	pgv_row_set_text(rows, "application_name", party->application);
	if (party->queryid != 0)
		pgv_row_set(rows, "queryid", Int64GetDatum((int64) party->queryid));
	if (party->fingerprint == 0)
		return;
	pgv_row_set(rows, "fingerprint", Int64GetDatum((int64) party->fingerprint));
	/* where there is no reference, the statement's own row may keep the text */
	pgv_row_set_text(rows, "query", pgv_texts_copy(party->fingerprint));
}

/* A row for each party; the last is left to the caller. */
static void
show_deadlock(PgvRows *rows, const void *key_data, const void *entry_data)
{
	const PgvDeadlockKey *key = key_data;
	const PgvDeadlockEntry *entry = entry_data;

	for (uint32 i = 0; i < entry->n; i++)
	{
		const PgvDeadlockParty *party = &entry->party[i];

		if (i > 0)
			pgv_row_emit(rows);
		pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
		pgv_row_set(rows, "deadlock", Int64GetDatum((int64) key->circle));
		pgv_row_set(rows, "participants", Int32GetDatum((int32) entry->parties));
		pgv_row_set(rows, "participant", Int32GetDatum((int32) i + 1));
		if (party->userid != InvalidOid)
			pgv_row_set(rows, "userid", ObjectIdGetDatum(party->userid));
		pgv_row_set(rows, "victims", Int64GetDatum(party->victims));
		set_lock(rows, party);
		set_statement(rows, party);
		show_sum(rows, entry, entry->stats_since);
	}
}

static void
add_deadlock(void *sum_data, const void *entry_data)
{
	PgvDeadlockEntry *sum = sum_data;
	const PgvDeadlockEntry *entry = entry_data;

	if (sum->deadlocks == 0 || entry->first_seen < sum->first_seen)
		sum->first_seen = entry->first_seen;
	sum->last_seen = Max(sum->last_seen, entry->last_seen);
	sum->deadlocks += entry->deadlocks;
}

static const PgvSurface surface = {
	.kind = &pgv_kind_deadlocks,
	.shows_others = true,
	.show = show_deadlock,
	.sum_size = sizeof(PgvDeadlockEntry),
	.add = add_deadlock,
	.show_sum = show_sum,
	.label_column = "query",
	.label = "<other>",
};

Datum
pgv_surface_deadlocks(PG_FUNCTION_ARGS)
{
	pgv_surface_scan(fcinfo, &surface);
	return (Datum) 0;
}
