/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  What a backend remembers of statements, so that a known one costs no
 *	  look at its text.
 *
 * A set-associative table, private to the backend and of fixed size, maps the
 * server's queryid to our fingerprint.  Statements that have no queryid are
 * known by a hash of their bytes.  What is pushed out is found again by
 * normalising the text once more: the fingerprint is a function of the text,
 * so nothing depends on what is remembered.  (But of a statement in a function
 * it depends on which names in it are variables: see collect/variables.)
 *
 * The normalised text of the statement seen last as new stays in a buffer
 * until the next one, because the collectors ask for it a moment later.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "base/sqltext.h"
#include "collect/identity.h"
#include "collect/values.h"
#include "collect/variables.h"
#include "store/texts.h"

#define PGV_SETS 512			/* power of two */
#define PGV_WAYS 4
#define PGV_NO_QUERYID UINT64CONST(0xA5A5A5A5A5A5A5A5)
#define PGV_OPTIMISABLE UINT64CONST(0x5851F42D4C957F2D)

/* Two lines of the cache, of which the first is enough to know a statement. */
typedef struct PgvKnownSet
{
	uint64		ids[PGV_WAYS];	/* 0: free */
	uint64		fingerprints[PGV_WAYS];
	uint64		queryids[PGV_WAYS];
	uint8		hints[PGV_WAYS][2]; /* by toplevel */
	uint16		shares[PGV_WAYS];	/* for collect/resources */
	uint32		next;			/* the way to replace next */
	char		pad[128 - 3 * PGV_WAYS * sizeof(uint64) - PGV_WAYS * 4 - sizeof(uint32)];
} PgvKnownSet;

/* Not in the heap: see src/README, Memory. */
static PgvKnownSet known[PGV_SETS] pg_attribute_aligned(PG_CACHE_LINE_SIZE);

/* The text normalised last. */
static char *last_text = NULL;
static int	last_text_room = 0;
static int	last_text_len = 0;
static uint64 last_fingerprint = 0;

/* The part of a source string that a statement is, by its location. */
static const char *
slice(const PgvStatementRef *ref, int *len)
{
	const char *text = ref->source;

	if (ref->location > 0)
		text += ref->location;
	/* of a tree from the catalog the place is not known, nor is the length */
	*len = ref->location >= 0 && ref->length > 0 ? ref->length : (int) strlen(text);
	return text;
}

static pg_attribute_hot uint64
id_of(const PgvStatementRef *ref)
{
	uint64		id = ref->queryid;

	if (unlikely(id == 0))
	{
		int			len;
		const char *text = slice(ref, &len);

		id = pgv_bytes_mix(PGV_NO_QUERYID, text, len);
	}
	if (ref->optimisable)
		id ^= PGV_OPTIMISABLE;
	return id != 0 ? id : 1;
}

static inline PgvKnownSet *
set_of(uint64 id)
{
	return &known[(id ^ (id >> 32)) & (PGV_SETS - 1)];
}

static inline int
find_known(const PgvKnownSet *set, uint64 id)
{
	for (int i = 0; i < PGV_WAYS; i++)
	{
		if (set->ids[i] == id)
			return i;
	}
	return -1;
}

static int
add_known(PgvKnownSet *set, uint64 id, uint64 fingerprint, uint64 queryid)
{
	int			way = set->next;

	set->next = (set->next + 1) % PGV_WAYS;
	set->ids[way] = id;
	set->hints[way][0] = set->hints[way][1] = 0;
	set->shares[way] = PGV_SHARE_NEW;
	set->fingerprints[way] = fingerprint;
	set->queryids[way] = queryid;
	return way;
}

/* A buffer for the normalised form of so many bytes; false without memory. */
static bool
have_room(int len)
{
	int			max = pgv_texts_max_length() + 1;
	int			want = len < max / 2 ? Max(len * 2 + 64, 1024) : max;
	char	   *room;

	want = Min(want, max);
	if (want <= last_text_room)
		return true;
	room = MemoryContextAllocExtended(TopMemoryContext, want, MCXT_ALLOC_NO_OOM);
	if (room == NULL)
		return last_text_room > 0;
	if (last_text != NULL)
		pfree(last_text);
	last_text = room;
	last_text_room = want;
	last_fingerprint = 0;
	return true;
}

/*
 * Strings with backslashes read differently under standard_conforming_strings
 * on and off, and the setting may have changed since the statement was parsed.
 * Where the two readings differ, what they have in common is kept: it cannot
 * contain what is inside a string for either.
 */
static void
keep_common_reading(const char *text, int len)
{
	PgvSqlNormal normal;
	char	   *other;
	int			same = 0;

	if (memchr(text, '\\', len) == NULL)
		return;
	other = MemoryContextAllocExtended(TopMemoryContext, last_text_room,
									   MCXT_ALLOC_NO_OOM);
	if (other == NULL)
	{
		last_text_len = 0;
		return;
	}
	pgv_sqltext_normalise(text, len, !PGV_STANDARD_STRINGS(),
						  other, last_text_room, &normal);
	while (same < last_text_len && same < normal.len && last_text[same] == other[same])
		same++;
	if (same < last_text_len || same < normal.len)
	{
		last_text_len = pg_mbcliplen(last_text, last_text_len, Max(same - 4, 0));
		memcpy(last_text + last_text_len, " ...", 5);
		last_text_len += 4;
	}
	pfree(other);
}

/* Normalise a statement's text into the buffer; returns its fingerprint. */
static uint64
normalise(const PgvStatementRef *ref)
{
	PgvSqlNormal normal;
	int			len;
	const char *text = slice(ref, &len);
	char	   *replaced = pgv_variables_replace(ref->queryid, text, len, &len);
	int			inner_start;
	int			inner_len;
	bool		room;

	if (replaced != NULL)
		text = replaced;
	if (ref->optimisable &&
		pgv_sqltext_inner(text, len, PGV_STANDARD_STRINGS(),
						  &inner_start, &inner_len))
	{
		text += inner_start;
		len = inner_len;
	}
	room = have_room(len);
	pgv_sqltext_normalise(text, len, PGV_STANDARD_STRINGS(),
						  room ? last_text : NULL, room ? last_text_room : 0,
						  &normal);
	last_text_len = room ? normal.len : 0;
	if (room)
		keep_common_reading(text, len);
	if (replaced != NULL)
		pfree(replaced);
	last_fingerprint = normal.fingerprint;
	return normal.fingerprint;
}

static inline void
fill_in(PgvStatementRef *ref, PgvKnownSet *set, int way)
{
	ref->route = 0;
	ref->fingerprint = set->fingerprints[way];
	if (ref->queryid == 0)
		ref->queryid = set->queryids[way];
	ref->hint = &set->hints[way][ref->toplevel ? 1 : 0];
	ref->share = &set->shares[way];
}

pg_attribute_hot bool
pgv_identity_recall(PgvStatementRef *ref)
{
	uint64		id;
	PgvKnownSet *set;
	int			way;

	id = id_of(ref);
	set = set_of(id);
	way = find_known(set, id);
	if (unlikely(way < 0))
		return false;
	fill_in(ref, set, way);
	return true;
}

void
pgv_identity_expect(uint64 queryid)
{
	PGV_PREFETCH(set_of(queryid ^ PGV_OPTIMISABLE));
}

void
pgv_identity_learn(PgvStatementRef *ref)
{
	uint64		id = id_of(ref);
	PgvKnownSet *set = set_of(id);

	fill_in(ref, set, add_known(set, id, ref->fingerprint, ref->queryid));
}

void
pgv_identify(PgvStatementRef *ref)
{
	if (likely(pgv_identity_recall(ref)))
		return;
	ref->fingerprint = normalise(ref);
	pgv_identity_learn(ref);
}

void
pgv_identity_note_utility(const char *source, int location, int length,
						  uint64 queryid)
{
	PgvStatementRef ref;
	PgvKnownSet *set;
	uint64		id;
	int			way;

	memset(&ref, 0, sizeof(ref));
	ref.source = source;
	ref.location = location;
	ref.length = length;
	id = id_of(&ref);
	set = set_of(id);
	way = find_known(set, id);
	if (way < 0)
		way = add_known(set, id, normalise(&ref), queryid);
	set->queryids[way] = queryid;
}

bool
pgv_identity_reference_text(const PgvStatementRef *ref)
{
	/* of what was left unknown there is none, and no text has this id */
	if (ref->fingerprint == 0)
		return false;
	/* of a text just normalised it is likely that nobody has it yet */
	if (last_fingerprint != ref->fingerprint &&
		pgv_texts_reference(ref->fingerprint))
		return true;
	if (last_fingerprint != ref->fingerprint)
	{
		/*
		 * Statements of one queryid may be written differently; this backend
		 * counts them all under the spelling it saw first.
		 */
		if (ref->source == NULL)
			return false;
		normalise(ref);
	}
	/* once: afterwards it is no longer new */
	last_fingerprint = 0;
	return last_text_len > 0 &&
		pgv_texts_intern(ref->fingerprint, last_text, last_text_len,
						 GetDatabaseEncoding());
}
