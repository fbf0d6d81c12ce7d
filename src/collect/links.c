/*-------------------------------------------------------------------------
 *
 * links.c
 *	  How columns belong together by the catalog: foreign keys, shared keys,
 *	  the columns' names.
 *
 * The answers about foreign keys are remembered per backend and forgotten when
 * any relation's definition changes.  Nothing here is shared.
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
#include "catalog/pg_inherits.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "collect/links.h"

#define PGV_LINK_CACHE 64		/* power of two */

static PgvLinkColumns link_cache[PGV_LINK_CACHE];
static bool link_callback_set = false;

/* ----- links ----- */

static void
forget_links(Datum arg, Oid relid)
{
	memset(link_cache, 0, sizeof(link_cache));
}

Relation
pgv_glance_at(Oid relid)
{
	if (!OidIsValid(relid) || !ConditionalLockRelationOid(relid, AccessShareLock))
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
	Relation	rel = pgv_glance_at(relid);
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
	rel = pgv_glance_at(relid);
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

bool
pgv_append_relation(StringInfo buf, Oid relid)
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

/* Take back what was appended. */
static void
cut(StringInfo buf, int len)
{
	buf->len = len;
	buf->data[len] = '\0';
}

bool
pgv_append_column(StringInfo buf, Oid relid, AttrNumber attno)
{
	char	   *column = get_attname(relid, attno, true);

	if (column == NULL || !pgv_append_relation(buf, relid))
		return false;
	appendStringInfo(buf, ".%s", quote_identifier(column));
	return true;
}

/* Between the two columns: an arrow, where the database can write one. */
static const char *
link_sign(PgvLinkType type)
{
	if (type == PGV_LINK_SHARED)
		return " = ";
	return GetDatabaseEncoding() == PG_UTF8 ? " \xE2\x86\x92 " : " -> ";
}

/* Neither of the columns references the other: say what both reference. */
static void
append_shared(StringInfo buf, const PgvLinkColumns *link)
{
	int			start = buf->len;
	Oid			relid;
	AttrNumber	attno;

	appendStringInfoString(buf, " (both reference ");
	if (referenced_column(link->child_relid, link->child_attno, InvalidOid,
						  &relid, &attno) &&
		pgv_append_column(buf, relid, attno))
		appendStringInfoChar(buf, ')');
	else
		cut(buf, start);
}

void
pgv_link_text(StringInfo buf, const PgvLinkColumns *link)
{
	bool		from_child = (link->type == PGV_LINK_CHILD_REFERENCES);
	int			start = buf->len;

	if (link->type == PGV_LINK_NONE || link->type == PGV_LINK_UNKNOWN)
		return;
	if (!pgv_append_column(buf, from_child ? link->child_relid : link->parent_relid,
						   from_child ? link->child_attno : link->parent_attno))
		return;
	appendStringInfoString(buf, link_sign(link->type));
	if (!pgv_append_column(buf, from_child ? link->parent_relid : link->child_relid,
						   from_child ? link->parent_attno : link->child_attno))
	{
		/* dropped meanwhile */
		cut(buf, start);
		return;
	}
	if (link->type == PGV_LINK_SHARED)
		append_shared(buf, link);
}

bool
pgv_has_index(Oid relid, AttrNumber attno)
{
	Relation	rel = pgv_glance_at(relid);
	bool		found = false;
	ListCell   *lc;

	/* what cannot be looked at may have one */
	if (rel == NULL)
		return true;
	foreach(lc, RelationGetIndexList(rel))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		found |= index->indisvalid && index->indkey.values[0] == attno;
		ReleaseSysCache(tuple);
	}
	relation_close(rel, AccessShareLock);
	return found;
}

/* Are all columns of the index among these? */
static bool
is_within(Form_pg_index index, const AttrNumber *attnos, int n)
{
	for (int i = 0; i < index->indnkeyatts; i++)
	{
		bool		found = false;

		for (int j = 0; j < n; j++)
			found |= index->indkey.values[i] == attnos[j];
		if (!found)
			return false;
	}
	return true;
}

bool
pgv_is_unique(Oid relid, const AttrNumber *attnos, int n)
{
	Relation	rel = pgv_glance_at(relid);
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
		unique |= index->indisunique && index->indisvalid && index->indimmediate &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
			is_within(index, attnos, n);
		ReleaseSysCache(tuple);
	}
	/* what inherits from a table has indexes of its own */
	if (rel->rd_rel->relkind == RELKIND_RELATION && has_subclass(relid))
		unique = false;
	relation_close(rel, AccessShareLock);
	return unique;
}
