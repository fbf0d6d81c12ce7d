/*-------------------------------------------------------------------------
 *
 * texts.c
 *	  Statement texts in shared memory: intern, count references, free.
 *
 *	 main shared memory                     dsa area, created in place
 *	+---------+----------------+          +---------------------------------+
 *	| control | bucket heads   | -------> | PgvText: next | id | refs | ... |
 *	+---------+----------------+          +---------------------------------+
 *
 * The area lives wholly inside the memory reserved at start (its size limit
 * is the size of the place), so texts can never take more than
 * pg_vitals.text_memory.
 *
 * Locks: the low bits of an id choose one of PGV_TEXTS_LOCKS locks; it guards
 * the chains of its buckets and the reference counts of the texts in them.
 * Under it only the allocator's own locks are taken.  Allocation and copying
 * of a new text happen before it is taken.
 *
 * When the area is full the text is dropped, the drop is counted, and the
 * statement lives on without it; the next time it is new somewhere the text
 * is offered again.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/dsa.h"
#include "utils/memutils.h"

#include "base/settings.h"
#include "store/texts.h"

#define PGV_TEXTS_LOCKS 64
#define PGV_TEXTS_TRANCHE "pg_vitals_texts"

/* One text, in the area. */
typedef struct PgvText
{
	dsa_pointer next;			/* chain of the bucket; guarded by its lock */
	uint64		id;
	int32		refs;			/* guarded by the bucket's lock */
	int32		len;			/* without the closing NUL */
	int32		encoding;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} PgvText;

/* What the texts of one lock add up to. */
typedef struct PgvTextsSum
{
	uint64		bytes;
	uint64		texts;
} PgvTextsSum;

typedef struct PgvSharedTexts
{
	uint32		nbuckets;		/* power of two; constant */
	Size		area_size;		/* constant */
	pg_atomic_uint64 dropped;
	PgvTextsSum sums[PGV_TEXTS_LOCKS];	/* each guarded by its lock */
	dsa_pointer buckets[FLEXIBLE_ARRAY_MEMBER];
} PgvSharedTexts;

static PgvSharedTexts *shared = NULL;
static LWLockPadded *locks = NULL;
static void *area_place = NULL;
static dsa_area *area = NULL;	/* attached when first needed */

static uint32
bucket_count(void)
{
	return pg_nextpower2_32(Max(pgv_max_statements, 1024));
}

static Size
control_size(void)
{
	return MAXALIGN(offsetof(PgvSharedTexts, buckets) +
					(Size) bucket_count() * sizeof(dsa_pointer));
}

static Size
area_size(void)
{
	return Max((Size) pgv_text_memory_kb * 1024, dsa_minimum_size());
}

Size
pgv_texts_shmem_size(void)
{
	return add_size(control_size(), MAXALIGN(area_size()));
}

int
pgv_texts_locks(void)
{
	return PGV_TEXTS_LOCKS;
}

int
pgv_texts_max_length(void)
{
	return (int) Min((Size) pgv_text_memory_kb * 1024 / 16, 1024 * 1024);
}

static void
create_area(void)
{
	dsa_area   *created;

	created = dsa_create_in_place(area_place, shared->area_size,
								  locks[0].lock.tranche, NULL);
	dsa_pin(created);
	dsa_set_size_limit(created, shared->area_size);
	dsa_detach(created);
}

void
pgv_texts_shmem_init(void)
{
	bool		found;

	locks = GetNamedLWLockTranche(PGV_TEXTS_TRANCHE);
	shared = ShmemInitStruct("pg_vitals texts", pgv_texts_shmem_size(), &found);
	area_place = (char *) shared + control_size();
	area = NULL;
	if (found)
		return;
	shared->nbuckets = bucket_count();
	shared->area_size = area_size();
	memset(shared->sums, 0, sizeof(shared->sums));
	pg_atomic_init_u64(&shared->dropped, 0);
	for (uint32 i = 0; i < shared->nbuckets; i++)
		shared->buckets[i] = InvalidDsaPointer;
	create_area();
}

/*
 * Attach to the area once per process.  The mapping is for good; the count of
 * attached processes is given back at exit, or it would overflow in a server
 * with many short connections.
 */
static dsa_area *
attached_area(void)
{
	MemoryContext old;

	if (likely(area != NULL))
		return area;
	old = MemoryContextSwitchTo(TopMemoryContext);
	area = dsa_attach_in_place(area_place, NULL);
	dsa_pin_mapping(area);
	MemoryContextSwitchTo(old);
	if (IsUnderPostmaster)
		on_shmem_exit(dsa_on_shmem_exit_release_in_place,
					  PointerGetDatum(area_place));
	return area;
}

static inline LWLock *
lock_of(uint64 id)
{
	return &locks[id % PGV_TEXTS_LOCKS].lock;
}

static inline PgvTextsSum *
sum_of(uint64 id)
{
	return &shared->sums[id % PGV_TEXTS_LOCKS];
}

static inline dsa_pointer *
bucket_of(uint64 id)
{
	/* nbuckets is a power of two not below the number of locks */
	return &shared->buckets[id & (shared->nbuckets - 1)];
}

/* Find a text in its chain; the caller holds its lock. */
static PgvText *
find_text(uint64 id)
{
	dsa_pointer p = *bucket_of(id);

	while (DsaPointerIsValid(p))
	{
		PgvText    *text = dsa_get_address(area, p);

		if (text->id == id)
			return text;
		p = text->next;
	}
	return NULL;
}

bool
pgv_texts_reference(uint64 id)
{
	LWLock	   *lock = lock_of(id);
	PgvText    *text;

	attached_area();
	LWLockAcquire(lock, LW_EXCLUSIVE);
	text = find_text(id);
	if (text != NULL)
		text->refs++;
	LWLockRelease(lock);
	return text != NULL;
}

/* Allocate and fill a text that nobody else can see yet. */
static dsa_pointer
make_text(uint64 id, const char *data, int len, int encoding)
{
	Size		size = offsetof(PgvText, data) + len + 1;
	dsa_pointer p;
	PgvText    *text;

	p = dsa_allocate_extended(area, size, DSA_ALLOC_NO_OOM);
	if (!DsaPointerIsValid(p))
		return InvalidDsaPointer;
	text = dsa_get_address(area, p);
	text->id = id;
	text->refs = 1;
	text->len = len;
	text->encoding = encoding;
	memcpy(text->data, data, len);
	text->data[len] = '\0';
	return p;
}

bool
pgv_texts_intern(uint64 id, const char *data, int len, int encoding)
{
	LWLock	   *lock = lock_of(id);
	dsa_pointer fresh;
	PgvText    *text;

	attached_area();
	if (len > pgv_texts_max_length())
		len = pg_encoding_mbcliplen(encoding, data, len, pgv_texts_max_length());
	fresh = make_text(id, data, len, encoding);
	if (!DsaPointerIsValid(fresh))
	{
		pg_atomic_fetch_add_u64(&shared->dropped, 1);
		return false;
	}
	LWLockAcquire(lock, LW_EXCLUSIVE);
	text = find_text(id);
	if (text != NULL)
		text->refs++;			/* another backend was faster */
	else
	{
		((PgvText *) dsa_get_address(area, fresh))->next = *bucket_of(id);
		*bucket_of(id) = fresh;
		sum_of(id)->bytes += len;
		sum_of(id)->texts++;
	}
	LWLockRelease(lock);
	if (text != NULL)
		dsa_free(area, fresh);
	return true;
}

/* Take a text without references out of its chain; the lock is held. */
static dsa_pointer
unlink_text(uint64 id)
{
	dsa_pointer *link = bucket_of(id);

	while (DsaPointerIsValid(*link))
	{
		dsa_pointer p = *link;
		PgvText    *text = dsa_get_address(area, p);

		if (text->id == id)
		{
			*link = text->next;
			return p;
		}
		link = &text->next;
	}
	return InvalidDsaPointer;
}

void
pgv_texts_release(uint64 id)
{
	LWLock	   *lock = lock_of(id);
	dsa_pointer gone = InvalidDsaPointer;
	PgvText    *text;

	attached_area();
	LWLockAcquire(lock, LW_EXCLUSIVE);
	text = find_text(id);
	if (text != NULL && --text->refs <= 0)
	{
		sum_of(id)->bytes -= text->len;
		sum_of(id)->texts--;
		gone = unlink_text(id);
	}
	LWLockRelease(lock);
	if (DsaPointerIsValid(gone))
		dsa_free(area, gone);
}

char *
pgv_texts_copy_raw(uint64 id, int *text_len, int *encoding)
{
	LWLock	   *lock = lock_of(id);
	char	   *copy = NULL;
	int			room = 0;

	attached_area();
	for (;;)
	{
		PgvText    *text;
		int			len;

		LWLockAcquire(lock, LW_SHARED);
		text = find_text(id);
		len = text != NULL ? text->len : -1;
		if (len >= 0 && len < room)
		{
			memcpy(copy, text->data, len + 1);
			*text_len = len;
			*encoding = text->encoding;
		}
		LWLockRelease(lock);
		if (len < room)
			return len >= 0 ? copy : NULL;
		room = len + 1;
		copy = palloc(room);
	}
}

/*
 * Convert as much as can be; what cannot becomes a question mark.  A text of
 * a database with another encoding is shown, not a reason to fail.
 */
static char *
convert(const char *text, int len, int encoding, Oid proc)
{
	int			to = GetDatabaseEncoding();
	int			room = len * MAX_CONVERSION_GROWTH + 1;
	char	   *out = palloc(room);
	int			done = 0;
	int			written = 0;

	while (done < len)
	{
		int			n = 0;

		if (OidIsValid(proc))
			n = pg_do_encoding_conversion_buf(proc, encoding, to,
											  (unsigned char *) unconstify(char *, text + done),
											  len - done,
											  (unsigned char *) out + written,
											  room - written, true);
		written += n > 0 ? strlen(out + written) : 0;
		done += n;
		if (done >= len)
			break;
		/* one character, or byte, that has no equivalent */
		n = OidIsValid(proc) ? pg_encoding_mblen(encoding, text + done) : 1;
		out[written++] = n == 1 && !IS_HIGHBIT_SET(text[done]) ? text[done] : '?';
		done += Max(n, 1);
	}
	out[written] = '\0';
	return out;
}

char *
pgv_texts_convert(char *text, int len, int encoding)
{
	int			to = GetDatabaseEncoding();

	if (to == PG_SQL_ASCII)
		return text;
	if ((encoding == to || encoding == PG_SQL_ASCII) &&
		pg_verify_mbstr(to, text, len, true))
		return text;
	if (encoding == to || encoding == PG_SQL_ASCII)
		return convert(text, len, encoding, InvalidOid);
	return convert(text, len, encoding, FindDefaultConversionProc(encoding, to));
}

char *
pgv_texts_copy(uint64 id)
{
	int			len;
	int			encoding;
	char	   *copy = pgv_texts_copy_raw(id, &len, &encoding);

	return copy != NULL ? pgv_texts_convert(copy, len, encoding) : NULL;
}

void
pgv_texts_stats(PgvTextsStats *stats)
{
	stats->bytes = stats->texts = 0;
	for (int i = 0; i < PGV_TEXTS_LOCKS; i++)
	{
		LWLockAcquire(&locks[i].lock, LW_SHARED);
		stats->bytes += shared->sums[i].bytes;
		stats->texts += shared->sums[i].texts;
		LWLockRelease(&locks[i].lock);
	}
	stats->dropped = pg_atomic_read_u64(&shared->dropped);
}
