/*-------------------------------------------------------------------------
 *
 * across.c
 *	  What sessions tell each other of their results and lookups.
 *
 *	 slot of backend 0                            slot of backend 1
 *	+---------+--------+-------------+----------+ +---------+----
 *	| changes | sharers| 4 results   | 64       | | changes | ...
 *	|         |        | (hashes of  | lookups  | |         |
 *	|         |        | first rows) | (a ring) | |         |
 *	+---------+--------+-------------+----------+ +---------+----
 *
 * One slot for each possible backend, about 11 kB.  Only its backend writes to
 * it, without a lock: "changes" is odd while it does.  The worker copies the
 * slot and takes the copy if "changes" was the same even number before and
 * after, as the server does with the status of backends.  "heard" alone is the
 * worker's.  When half of the ring is not heard yet, the backend wakes the
 * worker; when that comes too late, the oldest lookups are lost.
 *
 * A slot outlives its backend, so that what short connections did is heard.
 * The next backend in the same place goes on writing to it: "sharers" tells
 * from which number on lookups and results are its own, and whose those
 * before them were, down to the number where that one began.
 *
 * So that one backend's values can be found in another's rows, the key of the
 * hashes is drawn once for all, at the server's start, and kept in shared
 * memory.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/backend_status.h"

#include "collect/across.h"

#define PGV_ACROSS_TRIES 100	/* to read a slot that is being written */

typedef struct PgvSharedAcross
{
	uint64		key;			/* of the hashes; constant */
	Latch	   *worker;			/* NULL: it has not asked to be woken */
	bool		wanted;			/* it has been */
} PgvSharedAcross;

static PgvSharedAcross *shared = NULL;
static PgvAcrossSlot *slots = NULL;
static PgvAcrossSlot *my_slot = NULL;

/* ----- memory ----- */

int
pgv_across_slots(void)
{
	return MaxBackends;
}

static Size
slots_offset(void)
{
	return CACHELINEALIGN(sizeof(PgvSharedAcross));
}

Size
pgv_across_shmem_size(void)
{
	return add_size(slots_offset(), mul_size(MaxBackends, sizeof(PgvAcrossSlot)));
}

void
pgv_across_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pg_vitals across", pgv_across_shmem_size(), &found);
	slots = (PgvAcrossSlot *) ((char *) shared + slots_offset());
	my_slot = NULL;
	if (!found)
	{
		memset(shared, 0, pgv_across_shmem_size());
		shared->key = pgv_values_draw_key();
	}
	pgv_values_set_key(shared->key);
}

/* ----- writing ----- */

static inline void
begin_change(PgvAcrossSlot *slot)
{
	(*(volatile uint32 *) &slot->changes)++;
	pg_write_barrier();
}

static inline void
end_change(PgvAcrossSlot *slot)
{
	pg_write_barrier();
	(*(volatile uint32 *) &slot->changes)++;
}

/* Where the client is: its address, but not its port. */
static uint64
client_address(void)
{
	const SockAddr *client;

	if (MyBEEntry == NULL)
		return 0;
	client = &MyBEEntry->st_clientaddr;
	switch (client->addr.ss_family)
	{
		case AF_INET:
			return pgv_bytes_mix(AF_INET,
								 (const char *) &((const struct sockaddr_in *) &client->addr)->sin_addr,
								 sizeof(struct in_addr));
		case AF_INET6:
			return pgv_bytes_mix(AF_INET6,
								 (const char *) &((const struct sockaddr_in6 *) &client->addr)->sin6_addr,
								 sizeof(struct in6_addr));
		default:
			return client->addr.ss_family;
	}
}

/* The worker has much to read. */
static void
wake_worker(void)
{
	if (shared->worker == NULL || shared->wanted)
		return;
	shared->wanted = true;
	SetLatch(shared->worker);
}

/* Another session, role or name: what was told before is not its own. */
static void
begin_sharer(PgvAcrossSlot *slot, Oid userid, const char *application)
{
	PgvSharer  *sharer = &slot->sharers[0];

	begin_change(slot);
	slot->sharers[1] = *sharer;
	memset(sharer, 0, sizeof(*sharer));
	sharer->first_lookup = slot->lookups;
	sharer->first_result = slot->results;
	sharer->group.dbid = MyDatabaseId;
	sharer->group.userid = userid;
	sharer->group.address = client_address();
	strlcpy(sharer->group.application, application, NAMEDATALEN);
	end_change(slot);
	/* there is room for two sharers only */
	wake_worker();
}

/* This backend's slot, told whose it is; NULL if there is none. */
static PgvAcrossSlot *
slot_for(Oid userid)
{
	const char *application = application_name ? application_name : "";
	bool		fresh = (my_slot == NULL);

	if (unlikely(fresh))
	{
		int			procno = PGV_PROCNO();

		if (slots == NULL || procno < 0 || procno >= MaxBackends)
			return NULL;
		my_slot = &slots[procno];
	}
	if (fresh || my_slot->sharers[0].group.userid != userid ||
		strncmp(my_slot->sharers[0].group.application, application, NAMEDATALEN - 1) != 0)
		begin_sharer(my_slot, userid, application);
	return my_slot;
}

static inline uint32
to_uint32(int64 n)
{
	return (uint32) Min(n, (int64) PG_UINT32_MAX);
}

void
pgv_across_note(PgvAcrossWatch *watch, const PgvPredicate *predicates, int n)
{
	watch->npredicates = Min(n, PGV_ACROSS_PREDICATES);
	for (int i = 0; i < watch->npredicates; i++)
	{
		watch->predicates[i] = predicates[i];
		/* as in results, where 0 is no value */
		if (watch->predicates[i].hash == 0)
			watch->predicates[i].hash = 1;
	}
}

void
pgv_across_lookup(const PgvAcrossWatch *watch, const PgvStatementRef *ref,
				  const PgvArrival *arrival, const PgvUsage *usage,
				  uint64 rows, bool explained)
{
	PgvAcrossSlot *slot = slot_for(ref->userid);
	PgvLookup  *lookup;

	if (slot == NULL || watch->npredicates == 0)
		return;
	lookup = &slot->lookup[slot->lookups % PGV_ACROSS_LOOKUPS];
	begin_change(slot);
	lookup->fingerprint = ref->fingerprint;
	lookup->queryid = ref->queryid;
	lookup->begin = arrival->at;
	lookup->exec_ms = (float) usage->time_ms;
	lookup->plan_ms = (float) arrival->plan_ms;
	lookup->wait_ms = (float) arrival->wait_ms;
	lookup->rows = to_uint32(rows);
	lookup->blocks_hit = to_uint32(pgv_usage_blocks(usage, PGV_SHARED_HIT));
	lookup->blocks_read = to_uint32(pgv_usage_blocks(usage, PGV_SHARED_READ));
	memcpy(lookup->predicates, watch->predicates, sizeof(lookup->predicates));
	lookup->npredicates = (uint8) watch->npredicates;
	lookup->pipelined = pgv_did_not_wait(arrival);
	lookup->explained = explained;
	slot->lookups++;
	end_change(slot);
	/* before the ring goes round */
	if (slot->lookups - slot->heard >= PGV_ACROSS_LOOKUPS / 2)
		wake_worker();
}

/*
 * The place for a result.  A lookup's takes that of the same statement's last
 * one: there may be many of those, and lists are not to be pushed out by them.
 */
static PgvSharedResult *
place_for(PgvAcrossSlot *slot, uint64 fingerprint, bool looked_up)
{
	uint64		oldest = slot->results - Min(slot->results, PGV_ACROSS_RESULTS);

	for (uint64 i = Max(oldest, slot->sharers[0].first_result); looked_up && i < slot->results; i++)
	{
		PgvSharedResult *r = &slot->result[i % PGV_ACROSS_RESULTS];

		if (r->looked_up && r->fingerprint == fingerprint)
			return r;
	}
	return &slot->result[slot->results++ % PGV_ACROSS_RESULTS];
}

void
pgv_across_result(const PgvResult *result, const PgvStatementRef *ref,
				  const PgvArrival *arrival, TimestampTz end, bool looked_up)
{
	PgvAcrossSlot *slot = slot_for(ref->userid);
	PgvSharedResult *r;

	if (slot == NULL || result->ncolumns == 0)
		return;
	begin_change(slot);
	r = place_for(slot, ref->fingerprint, looked_up);
	r->fingerprint = ref->fingerprint;
	r->queryid = ref->queryid;
	r->rows = result->rows;
	r->begin = arrival->at;
	r->end = end;
	r->looked_up = looked_up;
	r->ncolumns = result->ncolumns;
	r->sampled = Min(result->sampled, PGV_ACROSS_CELLS / result->ncolumns);
	memcpy(r->columns, result->columns, sizeof(r->columns));
	for (int c = 0; c < r->ncolumns; c++)
		memcpy(&r->hashes[c * r->sampled], pgv_producers_column(result, c),
			   r->sampled * sizeof(uint32));
	end_change(slot);
}

void
pgv_across_explained(uint64 fingerprint, int64 n)
{
	PgvAcrossSlot *slot = my_slot;

	if (slot == NULL)
		return;
	begin_change(slot);
	for (uint64 i = slot->lookups; n > 0 && i > slot->sharers[0].first_lookup &&
		 i + PGV_ACROSS_LOOKUPS > slot->lookups; i--)
	{
		PgvLookup  *lookup = &slot->lookup[(i - 1) % PGV_ACROSS_LOOKUPS];

		if (lookup->fingerprint != fingerprint)
			continue;
		lookup->explained = true;
		n--;
	}
	end_change(slot);
}

/* ----- reading ----- */

void
pgv_across_attend(void)
{
	shared->worker = MyLatch;
	shared->wanted = false;
	pg_memory_barrier();
}

bool
pgv_across_hurries(void)
{
	return shared->wanted;
}

bool
pgv_across_read(int i, uint32 *changes, PgvAcrossSlot *copy)
{
	PgvAcrossSlot *slot = &slots[i];

	if (*(volatile uint32 *) &slot->changes == *changes)
		return false;
	for (int tries = 0; tries < PGV_ACROSS_TRIES; tries++)
	{
		uint32		before = *(volatile uint32 *) &slot->changes;

		pg_read_barrier();
		if (before % 2 != 0)
			continue;
		memcpy(copy, slot, sizeof(PgvAcrossSlot));
		pg_read_barrier();
		if (*(volatile uint32 *) &slot->changes != before)
			continue;
		slot->heard = copy->lookups;
		*changes = before;
		return true;
	}
	return false;
}

bool
pgv_across_is_explained(int i, uint64 number)
{
	const PgvAcrossSlot *slot = &slots[i];
	bool		explained = slot->lookup[number % PGV_ACROSS_LOOKUPS].explained;

	pg_read_barrier();
	/* one that was overwritten meanwhile tells of another */
	return explained && number + PGV_ACROSS_LOOKUPS > *(volatile uint64 *) &slot->lookups;
}
