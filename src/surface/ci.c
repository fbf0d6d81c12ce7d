/*-------------------------------------------------------------------------
 *
 * surface/ci.c
 *	  N+1 findings for test suites: marks, findings since a mark, and the
 *	  assertion that there are none.
 *
 * Findings are those of the present database that the caller may see; the
 * suspected are left out, as in the view.
 *
 * A finding is allowed by patterns.  To say for good that one is known, the
 * key is the thing: kind, repeated statement and parent, by fingerprints,
 * which depend on nothing but the texts; figures are no part of it.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/value.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/settings.h"
#include "collect/findings.h"
#include "collect/recent.h"
#include "collect/since.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/findings.h"
#include "surface/rows.h"

PGV_FUNCTION(pgv_surface_mark);
PGV_FUNCTION(pgv_surface_since);
PGV_FUNCTION(pgv_surface_assert);

#define PGV_ERRCODE MAKE_SQLSTATE('V', 'T', '0', '0', '1')

/* What an error says of the findings: how many, in how many bytes each. */
#define PGV_NAMED 5				/* in the message */
#define PGV_NAMED_TEXT 120
#define PGV_LISTED 20			/* in the detail */
#define PGV_LISTED_TEXT 300
#define PGV_HINTS 5
#define PGV_HINT_TEXT 1000

Datum
pgv_surface_mark(PG_FUNCTION_ARGS)
{
	pgv_require_preload();
	PG_RETURN_INT64((int64) pgv_recent_mark());
}

/* ----- findings since ----- */

typedef struct PgvShow
{
	Oid			dbid;
	PgvScanCallback show;
	void	   *arg;
} PgvShow;

/* Of what there is, what the caller may see and the view would show. */
static bool
show_if_seen(const void *key_data, const void *entry, void *arg)
{
	PgvShow    *show = arg;
	const PgvFindingKey *key = key_data;

	if (key->dbid != show->dbid || !pgv_may_see(key->userid) ||
		((const PgvFinding *) entry)->confidence == PGV_SUSPECTED)
		return true;
	return show->show(key, entry, show->arg);
}

static void
check_mark(int64 mark)
{
	if (mark >= 0 && (uint64) mark <= pgv_recent_latest())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("" INT64_FORMAT " is no mark of this server", mark),
			 mark < 0 ? errhint("Marks are what vitals.mark() returns.") :
			 errhint("It is ahead of the server's clock. Take a mark of this server with vitals.mark().")));
}

/* Show the findings since the mark that is this argument; NULL: all. */
static void
show_since(FunctionCallInfo fcinfo, int argument, PgvScanCallback callback,
		   void *arg)
{
	PgvShow		show = {MyDatabaseId, callback, arg};

	if (PG_NARGS() <= argument || PG_ARGISNULL(argument))
	{
		pgv_store_scan(&pgv_kind_findings, show_if_seen, &show);
		return;
	}
	check_mark(PG_GETARG_INT64(argument));
	pgv_since_scan(MyDatabaseId, (uint64) PG_GETARG_INT64(argument),
				   show_if_seen, &show);
}

typedef struct PgvSinceRows
{
	PgvRows		rows;
	MemoryContext row_context;
} PgvSinceRows;

static void
set_name(PgvRows *rows, const char *column, const char *name)
{
	if (name != NULL)
		pgv_row_set(rows, column, DirectFunctionCall1(namein, CStringGetDatum(name)));
}

static bool
emit_row(const void *key_data, const void *entry, void *arg)
{
	PgvSinceRows *since = arg;
	const PgvFindingKey *key = key_data;
	MemoryContext old = MemoryContextSwitchTo(since->row_context);

	pgv_finding_row(&since->rows, key, entry);
	set_name(&since->rows, "datname", get_database_name(key->dbid));
	set_name(&since->rows, "username", GetUserNameFromId(key->userid, true));
	pgv_row_emit(&since->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(since->row_context);
	return true;
}

Datum
pgv_surface_since(PG_FUNCTION_ARGS)
{
	PgvSinceRows since;

	pgv_rows_begin(&since.rows, fcinfo);
	since.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals row",
											  ALLOCSET_DEFAULT_SIZES);
	show_since(fcinfo, 0, emit_row, &since);
	return (Datum) 0;
}

/* ----- what is allowed ----- */

typedef struct PgvAllowed
{
	Datum	   *patterns;
	int			npatterns;
} PgvAllowed;

static void
pattern_error(int code, const char *problem)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("%s", problem),
			 errhint("Elements of \"allow\" are LIKE patterns for kinds, statements, links or keys of findings.")));
}

/* LIKE would raise an error of its own, but only when it comes that far. */
static void
check_pattern(const char *pattern)
{
	for (; *pattern != '\0'; pattern++)
	{
		if (*pattern == '\\' && *++pattern == '\0')
			pattern_error(ERRCODE_INVALID_ESCAPE_SEQUENCE,
						  "element of \"allow\" ends with the escape character");
	}
}

static void
read_allowed(PgvAllowed *allowed, ArrayType *array)
{
	bool	   *nulls;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &allowed->patterns, &nulls, &allowed->npatterns);
	for (int i = 0; i < allowed->npatterns; i++)
	{
		if (nulls[i])
			pattern_error(ERRCODE_NULL_VALUE_NOT_ALLOWED,
						  "element of \"allow\" is null");
		check_pattern(TextDatumGetCString(allowed->patterns[i]));
	}
}

/* ----- one finding in words ----- */

typedef struct PgvNamed
{
	const char *kind;
	char	   *query;			/* these may be NULL */
	char	   *parent;
	char	   *link;
	char	   *tags;
	char	   *suggestion;
	char	   *key;
	PgvFinding	finding;
} PgvNamed;

static PgvNamed *
name_finding(const PgvFindingKey *key, const PgvFinding *f)
{
	PgvNamed   *named = palloc0(sizeof(PgvNamed));

	named->kind = pgv_finding_kind_name(key->kind);
	named->finding = *f;
	if (f->texts & PGV_FINDING_TEXT)
		named->query = pgv_texts_copy(f->fingerprint);
	if (f->parent_fingerprint != 0 && (f->texts & PGV_FINDING_PARENT))
		named->parent = pgv_texts_copy(f->parent_fingerprint);
	if (f->texts & PGV_FINDING_LINK)
		named->link = pgv_texts_copy(f->link);
	if (f->texts & PGV_FINDING_TAGS)
		named->tags = pgv_texts_copy(f->tags);
	if (f->texts & PGV_FINDING_SUGGESTION)
		named->suggestion = pgv_texts_copy(f->suggestion);
	named->key = psprintf("%s:" INT64_FORMAT ":" INT64_FORMAT, named->kind,
						  (int64) f->fingerprint, (int64) f->parent_fingerprint);
	return named;
}

static bool
is_like(const char *text, Datum pattern)
{
	return text != NULL &&
		DatumGetBool(DirectFunctionCall2Coll(textlike, C_COLLATION_OID,
											 CStringGetTextDatum(text), pattern));
}

static bool
is_allowed(const PgvNamed *named, const PgvAllowed *allowed)
{
	for (int i = 0; i < allowed->npatterns; i++)
	{
		Datum		pattern = allowed->patterns[i];

		if (is_like(named->kind, pattern) || is_like(named->query, pattern) ||
			is_like(named->parent, pattern) || is_like(named->link, pattern) ||
			is_like(named->key, pattern))
			return true;
	}
	return false;
}

/* Append a text, or its beginning. */
static void
append_cut(StringInfo buf, const char *text, int bytes)
{
	int			len = strlen(text);

	if (len <= bytes)
		appendBinaryStringInfo(buf, text, len);
	else
	{
		appendBinaryStringInfo(buf, text, pg_mbcliplen(text, len, bytes));
		appendStringInfoString(buf, " ...");
	}
}

static void
append_quoted(StringInfo buf, const char *statement, int bytes)
{
	if (statement == NULL)
	{
		appendStringInfoString(buf, "(text not kept)");
		return;
	}
	appendStringInfoChar(buf, '"');
	append_cut(buf, statement, bytes);
	appendStringInfoChar(buf, '"');
}

/* What was repeated, how often, and for the rows of what. */
static void
append_pattern(StringInfo buf, const PgvNamed *named, int bytes)
{
	const PgvFinding *f = &named->finding;

	appendStringInfo(buf, "%s: ", named->kind);
	append_quoted(buf, named->query, bytes);
	appendStringInfo(buf, " repeated " INT64_FORMAT " times", f->tally.repeats);
	if (f->bursts > 1)
		appendStringInfo(buf, " in " INT64_FORMAT " bursts", f->bursts);
	if (f->parent_fingerprint == 0)
		return;
	appendStringInfoString(buf, " for rows of ");
	append_quoted(buf, named->parent, bytes);
}

static void
append_line(StringInfo buf, const PgvNamed *named)
{
	const PgvFinding *f = &named->finding;

	append_pattern(buf, named, PGV_LISTED_TEXT);
	if (named->link != NULL)
	{
		appendStringInfoString(buf, "; link ");
		append_cut(buf, named->link, PGV_LISTED_TEXT);
	}
	appendStringInfo(buf, "; %s", pgv_confidence_name(f->confidence));
	if (f->application[0] != '\0')
		appendStringInfo(buf, "; application \"%s\"", f->application);
	if (named->tags != NULL)
	{
		appendStringInfoString(buf, "; tags ");
		append_cut(buf, named->tags, PGV_LISTED_TEXT);
	}
	appendStringInfo(buf, "; key %s", named->key);
}

/* ----- the assertion ----- */

typedef struct PgvAssertion
{
	PgvAllowed	allowed;
	List	   *found;			/* of PgvNamed */
} PgvAssertion;

static bool
keep_unless_allowed(const void *key, const void *entry, void *arg)
{
	PgvAssertion *assertion = arg;
	PgvNamed   *named = name_finding(key, entry);

	if (!is_allowed(named, &assertion->allowed))
		assertion->found = lappend(assertion->found, named);
	return true;
}

/* In the order in which they happened. */
static int
compare_found(const ListCell *a, const ListCell *b)
{
	const PgvNamed *na = lfirst(a);
	const PgvNamed *nb = lfirst(b);

	if (na->finding.first_seen != nb->finding.first_seen)
		return na->finding.first_seen < nb->finding.first_seen ? -1 : 1;
	return strcmp(na->key, nb->key);
}

static char *
message_of(const List *found)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < list_length(found) && i < PGV_NAMED; i++)
	{
		if (i > 0)
			appendStringInfoString(&buf, "; ");
		append_pattern(&buf, list_nth(found, i), PGV_NAMED_TEXT);
	}
	if (list_length(found) > PGV_NAMED)
		appendStringInfo(&buf, "; and %d more", list_length(found) - PGV_NAMED);
	return buf.data;
}

static char *
detail_of(const List *found)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < list_length(found) && i < PGV_LISTED; i++)
	{
		if (i > 0)
			appendStringInfoChar(&buf, '\n');
		append_line(&buf, list_nth(found, i));
	}
	if (list_length(found) > PGV_LISTED)
		appendStringInfo(&buf, "\nand %d more, see vitals.n_plus_one_since",
						 list_length(found) - PGV_LISTED);
	return buf.data;
}

/* What to do about them; several may ask for the same. */
static char *
hint_of(const List *found)
{
	StringInfoData buf;
	List	   *said = NIL;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, found)
	{
		PgvNamed   *named = lfirst(lc);

		if (named->suggestion == NULL || list_length(said) == PGV_HINTS ||
			list_member(said, makeString(named->suggestion)))
			continue;
		append_cut(&buf, named->suggestion, PGV_HINT_TEXT);
		appendStringInfoChar(&buf, '\n');
		said = lappend(said, makeString(named->suggestion));
	}
	appendStringInfoString(&buf, "What is meant to be so can be allowed by its key.");
	return buf.data;
}

/* Nothing would be found: then to say that there is nothing is no answer. */
static void
require_detector(void)
{
	if (pgv_enabled && pgv_n_plus_one)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the N+1 detector is switched off"),
			 errhint("Set %s to \"on\".",
					 pgv_enabled ? "pg_vitals.n_plus_one" : "pg_vitals.enabled")));
}

Datum
pgv_surface_assert(PG_FUNCTION_ARGS)
{
	PgvAssertion assertion = {{NULL, 0}, NIL};
	int			n;

	pgv_require_preload();
	require_detector();
	if (!PG_ARGISNULL(1))
		read_allowed(&assertion.allowed, PG_GETARG_ARRAYTYPE_P(1));
	show_since(fcinfo, 0, keep_unless_allowed, &assertion);
	n = list_length(assertion.found);
	if (n == 0)
		PG_RETURN_VOID();
	list_sort(assertion.found, compare_found);
	ereport(ERROR,
			(errcode(PGV_ERRCODE),
			 errmsg_plural("%d N+1 finding: %s", "%d N+1 findings: %s", n, n,
						   message_of(assertion.found)),
			 errdetail("%s", detail_of(assertion.found)),
			 errhint("%s", hint_of(assertion.found))));
}
