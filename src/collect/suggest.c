/*-------------------------------------------------------------------------
 *
 * suggest.c
 *	  What to do about a repeated statement: how its column is linked to its
 *	  parent's, and which single statement would do the work of all repeats.
 *
 * Works on the normal form of the text (single blanks, no comments, constants
 * as $n), in which "column = $n" can be found by reading; where it is not
 * found exactly once, or the statement is of a shape that the change would
 * break, words stand in for SQL.
 *
 *	 WHERE a.id = $1					WHERE a.id = ANY($1)
 *	 with LIMIT, aggregates ...			unnest($1) k CROSS JOIN LATERAL (...)
 *
 * Runs when a finding is made, not for every repeat.  The answers about
 * foreign keys are remembered per backend and forgotten when any relation's
 * definition changes.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "collect/suggest.h"

#define PGV_LINK_CACHE 64		/* power of two */

static PgvLinkColumns link_cache[PGV_LINK_CACHE];
static bool link_callback_set = false;

/* ----- links ----- */

static void
forget_links(Datum arg, Oid relid)
{
	memset(link_cache, 0, sizeof(link_cache));
}

/*
 * Open a table for a look, if nobody stands in the way of a lock; to be closed
 * with that lock.  NULL: not to be had, or gone.
 */
static Relation
glance_at(Oid relid)
{
	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return NULL;
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		return relation_open(relid, NoLock);
	UnlockRelationOid(relid, AccessShareLock);
	return NULL;
}

/*
 * The column that a column references by a foreign key, of several only the
 * one towards "target" if given.
 */
static bool
referenced_column(Oid relid, AttrNumber attno, Oid target,
				  Oid *confrelid, AttrNumber *confattno)
{
	Relation	rel = glance_at(relid);
	ListCell   *lc;
	bool		found = false;

	if (rel == NULL)
		return false;
	foreach(lc, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *fk = lfirst(lc);

		for (int i = 0; i < fk->nkeys && !found; i++)
		{
			if (fk->conkey[i] == attno &&
				(!OidIsValid(target) || fk->confrelid == target))
			{
				*confrelid = fk->confrelid;
				*confattno = fk->confkey[i];
				found = true;
			}
		}
	}
	relation_close(rel, AccessShareLock);
	return found;
}

bool
pgv_is_key_column(Oid relid, AttrNumber attno)
{
	Oid			confrelid;
	AttrNumber	confattno;
	Relation	rel;
	Bitmapset  *keys;
	bool		found;

	if (referenced_column(relid, attno, InvalidOid, &confrelid, &confattno))
		return true;
	rel = glance_at(relid);
	if (rel == NULL)
		return false;
	/* unique indexes only: what others may refer to */
	keys = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_KEY);
	found = bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, keys);
	bms_free(keys);
	relation_close(rel, AccessShareLock);
	return found;
}

static PgvLinkType
find_link(Oid child, AttrNumber child_att, Oid parent, AttrNumber parent_att)
{
	Oid			rel1;
	Oid			rel2;
	AttrNumber	att1;
	AttrNumber	att2;

	if (child == parent && child_att == parent_att)
		return PGV_LINK_SAME;
	if (referenced_column(child, child_att, parent, &rel1, &att1) &&
		att1 == parent_att)
		return PGV_LINK_CHILD_REFERENCES;
	if (referenced_column(parent, parent_att, child, &rel2, &att2) &&
		att2 == child_att)
		return PGV_LINK_PARENT_REFERENCES;
	if (referenced_column(child, child_att, InvalidOid, &rel1, &att1) &&
		referenced_column(parent, parent_att, rel1, &rel2, &att2) &&
		rel1 == rel2 && att1 == att2)
		return PGV_LINK_SHARED;
	return PGV_LINK_NONE;
}

const char *
pgv_link_type_name(int32 type)
{
	switch (type)
	{
		case PGV_LINK_SAME:
			return "same column";
		case PGV_LINK_CHILD_REFERENCES:
		case PGV_LINK_PARENT_REFERENCES:
			return "foreign key";
		case PGV_LINK_SHARED:
			return "both reference one column";
		default:
			return NULL;
	}
}

PgvLinkType
pgv_link_type(Oid child_relid, AttrNumber child_attno,
			  Oid parent_relid, AttrNumber parent_attno)
{
	PgvLinkColumns *c;
	uint32		h;

	if (!OidIsValid(child_relid) || !OidIsValid(parent_relid))
		return PGV_LINK_NONE;
	if (!link_callback_set)
	{
		CacheRegisterRelcacheCallback(forget_links, (Datum) 0);
		link_callback_set = true;
	}
	h = child_relid * 31 + child_attno * 7 + parent_relid * 17 + parent_attno;
	c = &link_cache[h & (PGV_LINK_CACHE - 1)];
	if (c->type == PGV_LINK_UNKNOWN ||
		c->child_relid != child_relid || c->child_attno != child_attno ||
		c->parent_relid != parent_relid || c->parent_attno != parent_attno)
	{
		PgvLinkType type = find_link(child_relid, child_attno,
									 parent_relid, parent_attno);

		c->type = type;
		c->child_relid = child_relid;
		c->child_attno = child_attno;
		c->parent_relid = parent_relid;
		c->parent_attno = parent_attno;
		return type;
	}
	return c->type;
}

/* The name of a relation as the session would write it. */
static bool
append_relation(StringInfo buf, Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		return false;
	if (!RelationIsVisible(relid))
	{
		char	   *nsp = get_namespace_name(get_rel_namespace(relid));

		if (nsp != NULL)
			appendStringInfo(buf, "%s.", quote_identifier(nsp));
	}
	appendStringInfoString(buf, quote_identifier(name));
	return true;
}

static bool
append_column(StringInfo buf, Oid relid, AttrNumber attno)
{
	char	   *column = get_attname(relid, attno, true);

	if (column == NULL || !append_relation(buf, relid))
		return false;
	appendStringInfo(buf, ".%s", quote_identifier(column));
	return true;
}

void
pgv_link_text(StringInfo buf, const PgvLinkColumns *link)
{
	bool		from_child = (link->type == PGV_LINK_CHILD_REFERENCES);
	int			start = buf->len;

	if (link->type == PGV_LINK_NONE || link->type == PGV_LINK_UNKNOWN)
		return;
	if (!append_column(buf, from_child ? link->child_relid : link->parent_relid,
					   from_child ? link->child_attno : link->parent_attno))
		goto gone;
	/* an arrow, where the database can write one */
	appendStringInfoString(buf, GetDatabaseEncoding() == PG_UTF8 ?
						   " \xE2\x86\x92 " : " -> ");
	if (!append_column(buf, from_child ? link->parent_relid : link->child_relid,
					   from_child ? link->parent_attno : link->child_attno))
		goto gone;
	return;
gone:
	/* dropped meanwhile */
	buf->len = start;
	buf->data[start] = '\0';
}

/* ----- reading the statement ----- */

static inline bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

/* Does one of the words stand in the statement?  They are in lower case. */
static bool
has_word(const char *sql, const char *const *words)
{
	for (const char *p = sql; *p != '\0';)
	{
		const char *start = p;
		size_t		len;

		if (*p == '"')
		{
			for (p++; *p != '\0' && *p != '"'; p++)
				;
			if (*p == '"')
				p++;
			continue;
		}
		if (!is_word(*p))
		{
			p++;
			continue;
		}
		while (is_word(*p))
			p++;
		len = p - start;
		for (int i = 0; words[i] != NULL; i++)
		{
			if (strlen(words[i]) == len && pg_strncasecmp(words[i], start, len) == 0)
				return true;
		}
	}
	return false;
}

/* The name that ends just before p, compared with a column's name. */
static bool
ends_with_name(const char *sql, const char *p, const char *name)
{
	size_t		len = strlen(name);
	bool		quoted;

	while (p > sql && p[-1] == ' ')
		p--;
	quoted = (p > sql && p[-1] == '"');
	if (quoted)
		p--;
	if ((size_t) (p - sql) < len)
		return false;
	p -= len;
	if (quoted)
		return p > sql && p[-1] == '"' && strncmp(p, name, len) == 0;
	return (p == sql || !is_word(p[-1])) && pg_strncasecmp(p, name, len) == 0;
}

/* How often does the parameter that is written at "param" occur? */
static int
uses_parameter(const char *sql, const char *param, int len)
{
	int			n = 0;

	for (const char *p = strchr(sql, '$'); p != NULL; p = strchr(p + 1, '$'))
	{
		if (strncmp(p, param, len) == 0 && !is_word(p[len]))
			n++;
	}
	return n;
}

/*
 * Find "name = $n" (a cast may follow), once.  Gives where "$n" begins and
 * ends, or returns false.
 */
static bool
find_equality(const char *sql, const char *name, int *start, int *end)
{
	int			found = 0;

	*start = *end = 0;

	for (const char *p = strchr(sql, '$'); p != NULL; p = strchr(p + 1, '$'))
	{
		const char *q = p;

		if (p[1] < '0' || p[1] > '9')
			continue;
		while (q > sql && q[-1] == ' ')
			q--;
		if (q - 1 <= sql || q[-1] != '=' || strchr("<>!=:~", q[-2]) != NULL)
			continue;
		if (!ends_with_name(sql, q - 1, name))
			continue;
		found++;
		*start = p - sql;
		for (q = p + 1; *q >= '0' && *q <= '9'; q++)
			;
		*end = q - sql;
	}
	return found == 1 && strncmp(sql + *end, "::", 2) != 0 &&
		uses_parameter(sql, sql + *start, *end - *start) == 1;
}

/* Is the column by itself a key, so that a LIMIT beside it does nothing? */
static bool
is_unique(Oid relid, AttrNumber attno)
{
	Relation	rel = try_relation_open(relid, NoLock);
	bool		unique = false;
	ListCell   *lc;

	if (rel == NULL)
		return false;
	foreach(lc, RelationGetIndexList(rel))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indisunique && index->indisvalid &&
			index->indnkeyatts == 1 && index->indkey.values[0] == attno &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
			unique = true;
		ReleaseSysCache(tuple);
	}
	relation_close(rel, NoLock);
	return unique;
}

/* The text without a closing "LIMIT $n [OFFSET $m]". */
static char *
without_limit(const char *sql)
{
	char	   *copy = pstrdup(sql);
	int			len = strlen(copy);
	int			i = len;

	/* back over what a limit clause is made of */
	while (i > 0 && (is_word(copy[i - 1]) || copy[i - 1] == ' ' || copy[i - 1] == '$'))
	{
		i--;
		if (i > 0 && copy[i - 1] == ' ' && pg_strncasecmp(copy + i, "limit ", 6) == 0)
		{
			const char *lock = NULL;

			/* a locking clause behind it stays */
			for (int j = i; lock == NULL && j < len; j++)
			{
				if (pg_strncasecmp(copy + j, " for ", 5) == 0)
					lock = sql + j;
			}
			strcpy(copy + i - 1, lock != NULL ? lock : "");
			return copy;
		}
	}
	return copy;
}

static const char *const breaks_any[] = {
	"limit", "offset", "fetch", "group", "having", "distinct", "union",
	"intersect", "except", "with", "over", "window", "select", NULL
};

/* Does the plan put rows together, so that one for all values would differ? */
static bool
combines_rows(const Plan *plan)
{
	if (plan == NULL)
		return false;
	switch (nodeTag(plan))
	{
		case T_Agg:
		case T_Group:
		case T_WindowAgg:
		case T_Unique:
		case T_SetOp:
		case T_RecursiveUnion:
			return true;
		default:
			return combines_rows(plan->lefttree) || combines_rows(plan->righttree);
	}
}

static bool
is_of_one_table(const PlannedStmt *stmt)
{
	return list_length(stmt->rtable) == 1 && stmt->subplans == NIL;
}

static void
append_join(StringInfo buf, const PgvLinkColumns *link)
{
	if (link->type < PGV_LINK_SAME || link->child_relid == link->parent_relid)
		return;
	appendStringInfoString(buf, "; or add to the parent: JOIN ");
	append_relation(buf, link->child_relid);
	appendStringInfoString(buf, " ON ");
	append_column(buf, link->child_relid, link->child_attno);
	appendStringInfoString(buf, " = ");
	append_column(buf, link->parent_relid, link->parent_attno);
}

static void
append_lateral(StringInfo buf, const char *child, int start, int end,
			   const PgvLinkColumns *link)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(link->child_relid, link->child_attno,
						  &type, &typmod, &collation);
	appendStringInfo(buf, "run it once for all rows: SELECT k.value, x.* FROM unnest($%d::%s[]) AS k(value) CROSS JOIN LATERAL (%.*sk.value%s) AS x",
					 atoi(child + start + 1), format_type_with_typemod(type, typmod),
					 start, child, child + end);
}

void
pgv_suggest_batch(StringInfo buf, const char *child, const PlannedStmt *stmt,
				  const PgvLinkColumns *link, bool alone)
{
	char	   *column = get_attname(link->child_relid, link->child_attno, true);
	char	   *sql;
	int			start = 0;
	int			end = 0;

	if (child == NULL || column == NULL || !alone)
		goto words;
	sql = is_of_one_table(stmt) && is_unique(link->child_relid, link->child_attno) ?
		without_limit(child) : pstrdup(child);
	if (pg_strncasecmp(sql, "select ", 7) != 0 ||
		!find_equality(sql, column, &start, &end))
		goto words;
	if (has_word(sql + 7, breaks_any) || combines_rows(stmt->planTree) ||
		stmt->subplans != NIL)
		append_lateral(buf, sql, start, end, link);
	else
		appendStringInfo(buf, "run it once for all rows: %.*sANY(%.*s)%s",
						 start, sql, end - start, sql + start, sql + end);
	append_join(buf, link);
	return;
words:
	appendStringInfoString(buf, "fetch the rows for all values in one statement, with a join or = ANY of an array");
	append_join(buf, link);
}

/*
 * UPDATE and DELETE by a key take it from an array alike, if they set the same
 * for all; what they set may come from a second array.
 */
void
pgv_suggest_write(StringInfo buf, const char *child, const PlannedStmt *stmt,
				  const PgvLinkColumns *link, bool alone, bool one_transaction)
{
	char	   *column = get_attname(link->child_relid, link->child_attno, true);
	int			start = 0;
	int			end = 0;

	if (stmt->commandType == CMD_INSERT)
		appendStringInfoString(buf, "insert all rows with one statement: several rows of VALUES, INSERT ... SELECT from unnest of arrays, or COPY");
	else if (child != NULL && column != NULL && alone && !has_word(child, breaks_any) &&
			 find_equality(child, column, &start, &end))
		appendStringInfo(buf, "run it once for all rows: %.*sANY(%.*s)%s",
						 start, child, end - start, child + start, child + end);
	else if (stmt->commandType == CMD_UPDATE)
		appendStringInfoString(buf, "update all rows with one statement: UPDATE ... FROM unnest of arrays with the keys and the new values");
	else if (stmt->commandType == CMD_DELETE)
		appendStringInfoString(buf, "delete all rows with one statement, with = ANY of an array");
	else
		appendStringInfoString(buf, "write all rows with one statement");
	if (!one_transaction)
		appendStringInfoString(buf, "; or at least in one transaction: each of its own waits for the disk");
}

void
pgv_suggest_walk(StringInfo buf, const char *child, const PlannedStmt *stmt,
				 const PgvLinkColumns *link)
{
	appendStringInfoString(buf, "walk all steps in one statement, WITH RECURSIVE");
	if (!OidIsValid(link->child_relid) || !OidIsValid(link->parent_relid))
		return;
	appendStringInfoString(buf, ", from step to step ON ");
	append_column(buf, link->child_relid, link->child_attno);
	appendStringInfoString(buf, " = ");
	append_column(buf, link->parent_relid, link->parent_attno);
}

void
pgv_suggest_run(StringInfo buf, const char *child, const PlannedStmt *stmt,
				const PgvLinkColumns *link)
{
	PgvLinkColumns own = *link;

	own.type = PGV_LINK_NONE;
	pgv_suggest_batch(buf, child, stmt, &own, true);
}

void
pgv_suggest_duplicate(StringInfo buf)
{
	appendStringInfoString(buf, "keep the result: the same statement with the same parameters returned the same rows each time");
}
