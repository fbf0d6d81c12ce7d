/*-------------------------------------------------------------------------
 *
 * tagging.c
 *	  The comment tags of what the client is executing.
 *
 * base/tags reads them; here is decided which part of a text is read, and
 * what was made of the comments seen last is kept, in a few sets private to
 * the backend, allocated at the first statement with a comment:
 *
 *	+------+-------+-------+---------------------------------+
 *	| memo | route | trace | name of the route \n {json} \0  |	 PGV_TAG_SETS
 *	+------+-------+-------+---------------------------------+	 of them
 *
 * A statement without a comment costs a look at both of its ends; one whose
 * comments are in a set, a comparison.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "base/tags.h"
#include "collect/tagging.h"
#include "store/texts.h"

#define PGV_TAG_SETS 4
#define PGV_TAG_JSON_BYTES 2048 /* pairs that don't fit are left out */
#define PGV_ROUTE_NAME_BYTES 256
#define PGV_ROUTE_SEED 0x726F757465

typedef struct PgvTagSet
{
	PgvTagsMemo memo;
	uint64		used;			/* when it was last used; 0: never */
	bool		any;			/* are there tags? */
	uint64		route;
	uint64		trace;			/* a hash; 0: none */
	int			json;			/* where it begins in the text */
	int			len;
	char		text[PGV_ROUTE_NAME_BYTES + PGV_TAG_JSON_BYTES];
} PgvTagSet;

static PgvTagSet *sets = NULL;
static PGV_HOT_DATA PgvTagSet *current = NULL;	/* of the present statement; NULL: no tags */
static Oid	current_userid = InvalidOid;
static uint64 uses = 0;
static uint64 last_trace = 0;

/* ----- which part of a text ----- */

static inline bool
is_void(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == ';';
}

/* Behind a comment, or NULL if none begins here or it has no end. */
static const char *
skip_comment(const char *p, const char *end)
{
	int			depth = 0;

	if (end - p >= 2 && p[0] == '-' && p[1] == '-')
	{
		while (p < end && *p != '\n' && *p != '\r')
			p++;
		return p;
	}
	for (; end - p >= 2; p++)
	{
		if (p[0] == '/' && p[1] == '*')
		{
			depth++;
			p++;
		}
		else if (depth == 0)
			return NULL;
		else if (p[0] == '*' && p[1] == '/')
		{
			p++;
			if (--depth == 0)
				return p + 1;
		}
	}
	return NULL;
}

/* Is there no statement in it? */
static bool
is_empty(const char *p, const char *end)
{
	if (end - p > PGV_TAGS_LOOK)
		return false;
	while (p != NULL && p < end)
	{
		if (is_void(*p))
			p++;
		else
			p = skip_comment(p, end);
	}
	return p != NULL;
}

/* The end of a statement's text, and of comments behind it if they are its own. */
static const char *
end_of(const char *end)
{
	const char *p = end;

	while (is_void(*p))
		p++;
	if (*p == '/' || *p == '-')
	{
		/* with more than that there would be no comment that is read */
		const char *behind = p + strnlen(p, PGV_TAGS_LOOK + 1);

		if (is_empty(p, behind))
			return behind;
	}
	return *p == '\0' ? p : end;
}

/*
 * The beginning of a statement, with comments before it if they are its own:
 * nothing but them is there behind the beginning of the text, or, in a string
 * of several statements, behind the one that ends "before".
 */
static const char *
start_of(const char *source, int before, int location)
{
	const char *start = source + location;

	if (is_empty(source, start))
		return source;
	if (before <= 0 || before > location || !is_empty(source + before, start))
		return start;
	start = source + before;
	while (is_void(*start))
		start++;
	return start;
}

/*
 * The text in which a statement's comments are to be sought.  PlannedStmt's
 * place ends at the semicolon, and begins, from 18 on, at the first word.
 */
static pg_noinline const char *
part_of(const char *source, int location, int length, int *len)
{
	/* where the statement noted last ended; of another text it does no harm */
	static int	before = 0;
	const char *start = source;

	if (location > 0)
		start = start_of(source, before, location);
	before = 0;
	if (location < 0 || length <= 0)
	{
		*len = (int) strlen(start);
		return start;
	}
	before = location + length;
	*len = (int) (end_of(source + before) - start);
	return start;
}

/* Mostly it is the whole source. */
static inline const char *
text_of(const char *source, int location, int length, int *len)
{
	if (likely(location <= 0 && length <= 0))
	{
		*len = (int) strlen(source);
		return source;
	}
	return part_of(source, location, length, len);
}

/* Does it begin or end with what may be a comment? */
static pg_noinline bool
may_have_comment(const char *p, int len)
{
	const char *end = p + len;

	while (p < end && is_void(*p))
		p++;
	while (end > p && is_void(end[-1]))
		end--;
	return end > p && (end[-1] == '/' || *p == '/' || *p == '-');
}

/* Can it not, as its first and last bytes show?  Nearly always it is so. */
static inline bool
is_plain(const char *text, int len)
{
	uint8		first = (uint8) text[0];
	uint8		last = (uint8) text[Max(len, 1) - 1];

	return first > '/' && first != ';' &&
		last > ' ' && last != '/' && last != ';';
}

/* ----- what is made of them ----- */

static uint64
hash_of(const char *bytes, int len)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) bytes, len,
										   PGV_ROUTE_SEED);

	return hash != 0 ? hash : 1;
}

/* A set has read new comments. */
static void
use_tags(PgvTagSet *set, const PgvTags *tags)
{
	const char *trace;
	int			trace_len;
	int			json_len;

	set->any = (tags != NULL);
	set->route = set->trace = 0;
	if (tags == NULL)
		return;
	trace = pgv_tags_trace(tags, &trace_len);
	if (trace != NULL)
		set->trace = hash_of(trace, trace_len);
	if (pgv_tags_route(tags, set->text, PGV_ROUTE_NAME_BYTES) == NULL)
		set->text[0] = '\0';
	set->json = (int) strlen(set->text) + 1;
	set->text[set->json - 1] = '\n';
	json_len = pgv_tags_json(tags, false, set->text + set->json, PGV_TAG_JSON_BYTES);
	set->len = set->json + json_len;
	/* an empty object is no route */
	if (json_len > 2)
		set->route = hash_of(set->text + set->json, json_len);
}

static bool
have_sets(void)
{
	if (unlikely(sets == NULL))
		sets = MemoryContextAllocExtended(TopMemoryContext,
										  PGV_TAG_SETS * sizeof(PgvTagSet),
										  MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
	return sets != NULL;
}

/* The set of a text with comments: one that has them, or another's place. */
static PgvTagSet *
set_of(const char *text, int len)
{
	PgvTagSet  *oldest = &sets[0];
	uint64		serial;
	const PgvTags *tags;

	for (int i = 0; i < PGV_TAG_SETS; i++)
	{
		if (pgv_tags_same(text, len, &sets[i].memo))
			return &sets[i];
		if (sets[i].used < oldest->used)
			oldest = &sets[i];
	}
	serial = oldest->memo.serial;
	tags = pgv_tags_read(text, len, PGV_STANDARD_STRINGS(), &oldest->memo);
	if (oldest->memo.serial == serial)
		return NULL;			/* what looked like a comment is none */
	use_tags(oldest, tags);
	return oldest;
}

/* The statement has, or seems to have, comments. */
static pg_noinline uint64
note_comments(const char *text, int len, bool frozen, bool *new_request)
{
	PgvTagSet  *set = have_sets() ? set_of(text, len) : NULL;

	if (set == NULL)
		return 0;
	set->used = ++uses;
	if (!set->any)
		return 0;
	current = set;
	current_userid = GetUserId();
	if (set->trace != 0 && !frozen && set->trace != last_trace)
	{
		*new_request = (last_trace != 0);
		last_trace = set->trace;
	}
	return set->route;
}

uint64
pgv_tagging_note(const char *source, int location, int length, bool frozen,
				 bool *new_request)
{
	int			len;
	const char *text = text_of(source, location, length, &len);

	*new_request = false;
	current = NULL;
	if (likely(is_plain(text, len)) || !may_have_comment(text, len))
		return 0;
	return note_comments(text, len, frozen, new_request);
}

uint64
pgv_tagging_route(void)
{
	return current != NULL ? current->route : 0;
}

Oid
pgv_tagging_userid(void)
{
	return current_userid;
}

const char *
pgv_tagging_json(void)
{
	return pgv_tagging_route() != 0 ? current->text + current->json : NULL;
}

bool
pgv_tagging_reference_text(uint64 route)
{
	if (pgv_texts_reference(route))
		return true;
	for (int i = 0; sets != NULL && i < PGV_TAG_SETS; i++)
	{
		if (sets[i].route == route)
			return pgv_texts_intern(route, sets[i].text, sets[i].len, PG_UTF8);
	}
	return false;
}
