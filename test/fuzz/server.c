/*-------------------------------------------------------------------------
 *
 * server.c
 *	  What units ask of the server, as far as the fuzz targets need it.
 *
 * Memory is that of malloc(), each piece of exactly its size, so that the
 * sanitizer sees what is read or written past it.  What would raise an error in
 * the server, and so in the client's statement, is a finding.
 *
 *-------------------------------------------------------------------------
 */
#include "server.h"

#include "access/attnum.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/keywords.h"
#include "common/kwlookup.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "nodes/nodeFuncs.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "collect/links.h"

/* ----- memory ----- */

static void **pieces;
static int	n_pieces;
static int	max_pieces;

static void *
remember(void *piece)
{
	if (n_pieces == max_pieces)
	{
		max_pieces = max_pieces * 2 + 64;
		pieces = realloc(pieces, max_pieces * sizeof(void *));
	}
	pieces[n_pieces++] = piece;
	return piece;
}

void
pgv_fuzz_free_all(void)
{
	while (n_pieces > 0)
		free(pieces[--n_pieces]);
}

void *
palloc(Size size)
{
	FUZZ_CHECK(AllocSizeIsValid(size));
	return remember(malloc(size > 0 ? size : 1));
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void *
palloc_extended(Size size, int flags)
{
	FUZZ_CHECK((flags & MCXT_ALLOC_HUGE) != 0 && AllocHugeSizeIsValid(size));
	return remember(malloc(size > 0 ? size : 1));
}

void *
repalloc(void *pointer, Size size)
{
	FUZZ_CHECK(AllocSizeIsValid(size));
	for (int i = n_pieces - 1; i >= 0; i--)
	{
		if (pieces[i] == pointer)
			return pieces[i] = realloc(pointer, size);
	}
	pgv_fuzz_broken(__FILE__, __LINE__, "what is repalloc'd was palloc'd");
}

char *
pnstrdup(const char *in, Size len)
{
	char	   *copy;

	/* as in the server: a negative length ends at the NUL */
	len = strnlen(in, len);
	copy = palloc(len + 1);
	memcpy(copy, in, len);
	copy[len] = '\0';
	return copy;
}

char *
pstrdup(const char *in)
{
	return pnstrdup(in, strlen(in));
}

/* ----- strings ----- */

char *
psprintf(const char *format,...)
{
	va_list		args;
	char	   *text;
	int			len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = palloc(len + 1);
	va_start(args, format);
	vsnprintf(text, len + 1, format, args);
	va_end(args);
	return text;
}

void
initStringInfo(StringInfo buf)
{
	buf->data = palloc(1);
	buf->data[0] = '\0';
	buf->len = buf->cursor = 0;
	buf->maxlen = 1;
}

void
appendBinaryStringInfo(StringInfo buf, const
#if PG_VERSION_NUM >= 160000
					   void
#else
					   char
#endif
					   *data, int len)
{
	FUZZ_CHECK(len >= 0 && (Size) len < MaxAllocSize - buf->len);
	buf->data = repalloc(buf->data, buf->len + len + 1);
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->maxlen = buf->len + 1;
	buf->data[buf->len] = '\0';
}

void
appendStringInfoString(StringInfo buf, const char *s)
{
	appendBinaryStringInfo(buf, s, (int) strlen(s));
}

#undef appendStringInfoChar
void
appendStringInfoChar(StringInfo buf, char c)
{
	appendBinaryStringInfo(buf, &c, 1);
}

void
appendStringInfo(StringInfo buf, const char *format,...)
{
	va_list		args;
	char	   *text;
	int			len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = palloc(len + 1);
	va_start(args, format);
	vsnprintf(text, len + 1, format, args);
	va_end(args);
	appendBinaryStringInfo(buf, text, len);
}

/* ----- sets ----- */

Bitmapset *
bms_add_member(Bitmapset *set, int x)
{
	const int	words = 65536 / BITS_PER_BITMAPWORD;

	FUZZ_CHECK(x >= 0 && x < 65536);
	if (set == NULL)
	{
		set = palloc0(offsetof(Bitmapset, words) + words * sizeof(bitmapword));
		set->nwords = words;
	}
	set->words[x / BITS_PER_BITMAPWORD] |= (bitmapword) 1 << (x % BITS_PER_BITMAPWORD);
	return set;
}

static bool
is_member(const Bitmapset *set, int x)
{
	return (set->words[x / BITS_PER_BITMAPWORD] >> (x % BITS_PER_BITMAPWORD)) & 1;
}

#if PG_VERSION_NUM >= 170000
int
bms_member_index(const Bitmapset *set, int x)
#else
int
bms_member_index(Bitmapset *set, int x)
#endif
{
	int			n = 0;

	if (set == NULL || !is_member(set, x))
		return -1;
	for (int i = 0; i < x; i++)
		n += is_member(set, i);
	return n;
}

/* ----- words ----- */

#define PG_KEYWORD(name, ...) name,
static const char *const keywords[] = {
#include "parser/kwlist.h"
};

const ScanKeywordList ScanKeywords = {0};

int
pg_strncasecmp(const char *a, const char *b, size_t n)
{
	return strncasecmp(a, b, n);
}

int
ScanKeywordLookup(const char *word, const ScanKeywordList *list)
{
	FUZZ_CHECK(list == &ScanKeywords);
	for (int i = 0; i < (int) lengthof(keywords); i++)
	{
		if (strcasecmp(word, keywords[i]) == 0)
			return i;
	}
	return -1;
}

void
truncate_identifier(char *name, int len, bool warn)
{
	if (len >= NAMEDATALEN)
		name[NAMEDATALEN - 1] = '\0';
}

char *
downcase_truncate_identifier(const char *name, int len, bool warn)
{
	char	   *copy = palloc(len + 1);

	for (int i = 0; i < len; i++)
		copy[i] = (name[i] >= 'A' && name[i] <= 'Z') ? name[i] + 32 : name[i];
	copy[len] = '\0';
	truncate_identifier(copy, len, warn);
	return copy;
}

const char *
quote_identifier(const char *name)
{
	return strpbrk(name, "\"ABCDEFGHIJKLMNOPQRSTUVWXYZ .$") != NULL ?
		psprintf("\"%s\"", name) : name;
}

/* ----- the catalog ----- */

typedef struct Column
{
	const char *name;			/* NULL: dropped */
	Oid			type;
} Column;

static const Column columns[] = {
	{"id", INT8OID}, {"author_id", INT8OID}, {"post_id", INT8OID}, {"name", TEXTOID},
	{NULL, InvalidOid}, {"tags", INT8ARRAYOID}, {"a", INT4OID}, {"b", TEXTOID}, {"r", RECORDOID},
	{"Title", VARCHAROID}
};

static const Column *
column(Oid relid, AttrNumber attno)
{
	if ((relid != FUZZ_TABLE && relid != FUZZ_OTHER) || attno < 1 ||
		attno > (int) lengthof(columns) || columns[attno - 1].name == NULL)
		return NULL;
	return &columns[attno - 1];
}

AttrNumber
get_attnum(Oid relid, const char *name)
{
	for (int i = 1; i <= (int) lengthof(columns); i++)
	{
		const Column *c = column(relid, i);

		if (c != NULL && strcmp(c->name, name) == 0)
			return i;
	}
	return InvalidAttrNumber;
}

char *
get_attname(Oid relid, AttrNumber attno, bool missing_ok)
{
	const Column *c = column(relid, attno);

	FUZZ_CHECK(c != NULL || missing_ok);
	return c != NULL ? pstrdup(c->name) : NULL;
}

Oid
get_atttype(Oid relid, AttrNumber attno)
{
	const Column *c = column(relid, attno);

	return c != NULL ? c->type : InvalidOid;
}

void
get_atttypetypmodcoll(Oid relid, AttrNumber attno, Oid *type, int32 *typmod, Oid *collation)
{
	FUZZ_CHECK(column(relid, attno) != NULL);
	*type = get_atttype(relid, attno);
	*typmod = -1;
	*collation = InvalidOid;
}

Oid
getBaseType(Oid type)
{
	return type;
}

Oid
get_array_type(Oid type)
{
	return type == INT8OID || type == INT4OID || type == TEXTOID || type == VARCHAROID ?
		type + 1000 : InvalidOid;
}

Oid
get_element_type(Oid type)
{
	return type == INT8ARRAYOID ? INT8OID : InvalidOid;
}

bool
type_is_rowtype(Oid type)
{
	return type == RECORDOID;
}

void
get_type_category_preferred(Oid type, char *category, bool *preferred)
{
	*category = type == INT8OID || type == INT4OID ? TYPCATEGORY_NUMERIC : TYPCATEGORY_STRING;
	*preferred = false;
}

char *
format_type_extended(Oid type, int32 typmod, bits16 flags)
{
	return pstrdup(type == INT8OID ? "bigint" : type == INT4OID ? "integer" :
				   type == TEXTOID ? "text" : "character varying");
}

char
get_rel_relkind(Oid relid)
{
	return relid == FUZZ_TABLE ? RELKIND_RELATION : RELKIND_VIEW;
}

Oid
exprType(const Node *expr)
{
	return expr != NULL ? INT8OID : RECORDOID;
}

TypeCacheEntry *
lookup_type_cache(Oid type, int flags)
{
	static TypeCacheEntry entry;

	entry.hash_proc = type == INT8OID ? 1 : InvalidOid;
	return &entry;
}

/* ----- collect/links ----- */

bool
pgv_append_relation(StringInfo buf, Oid relid)
{
	if (column(relid, 1) == NULL)
		return false;
	appendStringInfo(buf, "t%u", relid);
	return true;
}

bool
pgv_is_unique(Oid relid, const AttrNumber *attnos, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (attnos[i] == 1)
			return column(relid, 1) != NULL;
	}
	return false;
}

Relation
pgv_glance_at(Oid relid)
{
	Relation	rel;

	if (column(relid, 1) == NULL)
		return NULL;
	rel = palloc0(sizeof(RelationData));
	rel->rd_rel = palloc0(sizeof(FormData_pg_class));
	rel->rd_rel->relnatts = lengthof(columns);
	rel->rd_att = palloc0(sizeof(TupleDescData) + lengthof(columns) * 256);
	rel->rd_att->natts = lengthof(columns);
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		TupleDescAttr(rel->rd_att, i)->attnum = i + 1;
		TupleDescAttr(rel->rd_att, i)->attisdropped = columns[i].name == NULL;
	}
	return rel;
}

void
relation_close(Relation rel, LOCKMODE lock)
{
}
