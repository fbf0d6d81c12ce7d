/*-------------------------------------------------------------------------
 *
 * surface/rewrite.c
 *	  What vitals.rewrite reads: which statement, on whose behalf, with which
 *	  parameters as keys.
 *
 *	normal form -> acceptable text -> shape -> drafts -> checked -> rows
 *	 (texts)		(sqledit)		 (queryshape)  (rewrite_*)  (draft, sandbox)
 *
 * Nothing is executed.  A statement that cannot be derived gives a row that
 * says why.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "parser/parsetree.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "collect/findings.h"
#include "collect/pending.h"
#include "collect/statements.h"
#include "collect/suggest.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/rewrite_join.h"
#include "surface/rewrite_read.h"
#include "surface/rewrite_write.h"
#include "surface/rows.h"

PGV_FUNCTION(pgv_surface_rewrite);

typedef struct PgvRequest
{
	uint64		fingerprint;
	uint64		parent;			/* 0: none */
	Bitmapset  *vary;			/* what the caller says varies; NULL: nothing */
	/* what is known of it */
	bool		found;
	bool		parent_found;
	List	   *owners;			/* roles that executed it and may be seen */
	List	   *parent_owners;
	char	   *link;
	/* what comes of it */
	List	   *results;
	List	   *failures;
	char	   *join_failure;
} PgvRequest;

/* ----- the statement, and whose it is ----- */

static void
note_owner(PgvRequest *r, uint64 fingerprint, Oid userid)
{
	if (fingerprint == 0)
		return;
	if (fingerprint == r->fingerprint)
	{
		r->found = true;
		r->owners = list_append_unique_oid(r->owners, userid);
	}
	if (fingerprint == r->parent)
	{
		r->parent_found = true;
		r->parent_owners = list_append_unique_oid(r->parent_owners, userid);
	}
}

static bool
look_at_statement(const void *key_data, const void *entry, void *arg)
{
	const PgvStatementKey *key = key_data;
	PgvRequest *r = arg;

	if ((key->fingerprint == r->fingerprint || key->fingerprint == r->parent) &&
		!pgv_statements_is_residual(key) && pgv_may_see(key->userid))
		note_owner(r, key->fingerprint, key->userid);
	return true;
}

static bool
look_at_finding(const void *key_data, const void *entry, void *arg)
{
	const PgvFindingKey *key = key_data;
	const PgvFinding *f = entry;
	PgvRequest *r = arg;
	bool		same = key->fingerprint == r->fingerprint;

	if ((!same && key->parent_fingerprint != r->fingerprint &&
		 key->fingerprint != r->parent && key->parent_fingerprint != r->parent) ||
		!pgv_may_see(key->userid))
		return true;
	note_owner(r, key->fingerprint, key->userid);
	note_owner(r, key->parent_fingerprint, key->userid);
	if (same && (r->parent == 0 || key->parent_fingerprint == r->parent) &&
		key->dbid == MyDatabaseId && r->link == NULL && (f->texts & PGV_FINDING_LINK))
		r->link = pgv_texts_copy(f->link);
	return true;
}

static void
look_up(PgvRequest *r)
{
	pgv_pending_collect();
	pgv_store_scan(&pgv_kind_statements, look_at_statement, r);
	pgv_store_scan(&pgv_kind_findings, look_at_finding, r);
	if (!r->found || (r->parent != 0 && !r->parent_found))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no statement with fingerprint " INT64_FORMAT,
						(int64) (r->found ? r->parent : r->fingerprint)),
				 errhint("See vitals.statements for the statements that are known.")));
}

/*
 * How good is this role to plan on behalf of?  0: it must not be.  One's own
 * role, or the one with the least rights of those that one could become
 * anyway; never one whose rights one has not, as the statement's names are
 * looked up along the caller's search_path.
 */
static int
rank_of(Oid userid)
{
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(userid)) ||
		!has_privs_of_role(GetUserId(), userid))
		return 0;
	if (superuser_arg(userid))
		return userid == GetUserId() ? 2 : 1;
	return userid == GetUserId() ? 4 : 3;
}

/* The role to plan on behalf of, which executed both statements; 0: none. */
static Oid
choose_role(const PgvRequest *r)
{
	Oid			best = InvalidOid;
	int			best_rank = 0;
	ListCell   *lc;

	foreach(lc, r->owners)
	{
		Oid			userid = lfirst_oid(lc);
		int			rank = rank_of(userid);

		if (r->parent != 0 && !list_member_oid(r->parent_owners, userid))
			continue;
		if (rank > best_rank)
		{
			best = userid;
			best_rank = rank;
		}
	}
	return best;
}

/* ----- which parameters are the keys ----- */

/* Is it one of the columns that a link's text names? */
static bool
is_in_link(const PgvEquality *equality, const char *link)
{
	char	   *column = pgv_column_text(equality->relid, equality->attno);
	const char *at = column != NULL && link != NULL ? strstr(link, column) : NULL;
	const char *end;

	if (at == NULL)
		return false;
	end = at + strlen(column);
	return (at == link || at[-1] == ' ' || at[-1] == '.') && (*end == '\0' || *end == ' ');
}

/*
 * Constants and parameters look alike in the normal form.  Of what is compared
 * with a column by equality the keys are those that a finding's link or a
 * table's keys tell; where none does, all but booleans; where that is none,
 * all, and arrays last, which are lists for one repeat already.
 */
static Bitmapset *
compared_params(const PgvQueryShape *shape, const char *link, bool all)
{
	Bitmapset  *keys = NULL;
	Bitmapset  *likely = NULL;
	Bitmapset  *booleans = NULL;
	Bitmapset  *arrays = NULL;
	ListCell   *lc;

	foreach(lc, shape->equalities)
	{
		const PgvEquality *equality = lfirst(lc);
		Bitmapset **set = equality->array ? &arrays :
		equality->type == BOOLOID ? &booleans : &likely;

		*set = bms_add_member(*set, equality->param);
		if (set == &likely &&
			(is_in_link(equality, link) ||
			 (OidIsValid(equality->relid) &&
			  pgv_is_key_column(equality->relid, equality->attno))))
			keys = bms_add_member(keys, equality->param);
	}
	if (keys != NULL && !all)
		return keys;
	return likely != NULL ? likely : booleans != NULL ? booleans : arrays;
}

static Bitmapset *
default_keys(const PgvQueryShape *shape, const char *link)
{
	bool		read = shape->query->commandType == CMD_SELECT;
	Bitmapset  *keys;

	if (shape->query->commandType == CMD_INSERT)
		return pgv_written_params(shape);
	/* a write must not miss one: what is the same for all does no harm */
	keys = bms_union(compared_params(shape, link, !read), pgv_written_params(shape));
	if (bms_is_empty(keys) && read)
		keys = bms_difference(shape->params, shape->limit_params);
	return keys;
}

static void
check_vary(const PgvRequest *r, const PgvQueryShape *shape)
{
	int			param = -1;

	while ((param = bms_next_member(r->vary, param)) >= 0)
	{
		if (!bms_is_member(param, shape->params))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the statement has no parameter $%d", param),
					 errhint("Its parameters are the $n in its query in vitals.statements.")));
	}
}

/* ----- drafts ----- */

static void
fail(PgvRequest *r, const char *reason)
{
	r->failures = lappend(r->failures, unconstify(char *, reason));
}

static void
take_results(PgvRequest *r, const PgvDraft *draft)
{
	r->results = list_concat(r->results, draft->results);
	r->failures = list_concat(r->failures, draft->failures);
}

static void
draft_with(PgvRequest *r, const PgvSandbox *sandbox, PgvQueryShape *shape,
		   Bitmapset *keys, void (*function) (PgvDraft *draft))
{
	PgvDraft	draft = {0};

	if (pgv_draft_begin(&draft, sandbox, shape, keys))
		function(&draft);
	else
		pgv_rewrite_copy(&draft);
	take_results(r, &draft);
}

/* The statement with a given fingerprint, analysed; NULL: see the reason. */
static PgvQueryShape *
shape_of_fingerprint(uint64 fingerprint, char **reason)
{
	char	   *normal = pgv_texts_copy(fingerprint);
	char	   *sql;

	if (normal == NULL)
	{
		*reason = "its text was not kept (pg_vitals.text_memory)";
		return NULL;
	}
	sql = pgv_sql_acceptable(normal, (const char **) reason);
	return sql != NULL ? pgv_queryshape_analyse(sql, reason) : NULL;
}

/* Why a statement is not to be drafted at all; NULL: nothing is against it. */
static char *
obstacle_of(const PgvQueryShape *shape)
{
	char	   *message;
	List	   *queries;

	if (shape->query->commandType == CMD_UTILITY || shape->query->commandType == CMD_MERGE)
		return "it is not a SELECT, INSERT, UPDATE or DELETE";
	/* it is the drafts that are planned */
	queries = pgv_sandbox_rewrite(shape->query, shape->sql, &message);
	if (queries == NIL)
		return message;
	if (shape->query->commandType == CMD_SELECT)
		return pgv_query_obstacle(queries);
	return pgv_write_obstacle(shape->query, queries);
}

static void
draft_join(PgvRequest *r, const PgvSandbox *sandbox, PgvQueryShape *shape)
{
	PgvDraft	draft = {0};
	char	   *reason = NULL;
	PgvQueryShape *parent = shape_of_fingerprint(r->parent, &reason);
	Bitmapset  *keys;

	if (parent != NULL)
		reason = parent->query->commandType != CMD_SELECT ?
			"the parent is not a SELECT" : obstacle_of(parent);
	if (reason == NULL)
	{
		keys = pgv_join_keys(shape, parent, r->link);
		if (r->vary != NULL)
			keys = bms_intersect(keys, r->vary);
		if (bms_is_empty(keys))
			reason = "no column that the parent returns is linked to it by a foreign key, or more than one is";
		else if (pgv_draft_begin(&draft, sandbox, shape, keys))
			pgv_rewrite_join(&draft, parent, r->link);
		if (reason == NULL && draft.results == NIL && draft.failures != NIL)
			reason = llast(draft.failures);
	}
	r->results = list_concat(r->results, draft.results);
	r->join_failure = reason;
}

static void
draft_read(PgvRequest *r, const PgvSandbox *sandbox, PgvQueryShape *shape, Bitmapset *keys)
{
	draft_with(r, sandbox, shape, keys, pgv_rewrite_read);
	if (r->vary == NULL)
	{
		/* the keys were chosen; so that nothing is missed, also with all */
		Bitmapset  *all = compared_params(shape, r->link, true);

		if (!bms_is_subset(all, keys))
			draft_with(r, sandbox, shape, bms_union(all, keys), pgv_rewrite_lateral);
	}
	if (r->parent != 0)
		draft_join(r, sandbox, shape);
}

/* All that happens in the sandbox. */
static void
derive(const PgvSandbox *sandbox, void *arg)
{
	PgvRequest *r = arg;
	char	   *reason = NULL;
	PgvQueryShape *shape = shape_of_fingerprint(r->fingerprint, &reason);
	Bitmapset  *keys;

	if (shape != NULL)
		reason = obstacle_of(shape);
	if (reason != NULL)
	{
		fail(r, reason);
		return;
	}
	check_vary(r, shape);
	keys = r->vary != NULL ? r->vary : default_keys(shape, r->link);
	if (shape->params == NULL)
		fail(r, "it has no parameters, so each repeat does the same: once is enough");
	else if (bms_is_empty(keys))
		fail(r, "none of its parameters is written or compared with a column by equality");
	else if (shape->query->commandType == CMD_SELECT)
		draft_read(r, sandbox, shape, keys);
	else
		draft_with(r, sandbox, shape, keys, pgv_rewrite_write);
}

/* ----- rows ----- */

static void
set_parameters(PgvRows *rows, List *parameters)
{
	Datum	   *elements = palloc((list_length(parameters) + 1) * sizeof(Datum));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, parameters)
		elements[n++] = CStringGetTextDatum(lfirst(lc));
	pgv_row_set(rows, "parameters",
				PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT)));
}

static void
emit_reason(PgvRows *rows, const char *method, const char *reason)
{
	pgv_row_set_text(rows, "method", method);
	pgv_row_set_text(rows, "note", reason);
	pgv_row_emit(rows);
}

static void
emit(PgvRows *rows, const PgvRequest *r)
{
	ListCell   *lc;

	foreach(lc, r->results)
	{
		const PgvRewriting *result = lfirst(lc);

		pgv_row_set_text(rows, "method", result->method);
		pgv_row_set_text(rows, "statement", result->statement);
		set_parameters(rows, result->parameters);
		pgv_row_set_text(rows, "note", result->note);
		pgv_row_emit(rows);
	}
	if (r->results == NIL)
		emit_reason(rows, "none", r->failures != NIL ? linitial(r->failures) :
					"no way is known to do it once for all");
	if (r->join_failure != NULL)
		emit_reason(rows, "join", r->join_failure);
}

static Bitmapset *
read_vary(ArrayType *array)
{
	Bitmapset  *vary = NULL;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, INT4OID, 4, true, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i] || DatumGetInt32(elements[i]) <= 0 || DatumGetInt32(elements[i]) > 65535)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"vary\" must be numbers of parameters"),
					 errhint("'{1,3}' stands for $1 and $3 of the statement's query in vitals.statements.")));
		vary = bms_add_member(vary, DatumGetInt32(elements[i]));
	}
	return vary;
}

Datum
pgv_surface_rewrite(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	PgvRequest	request = {0};

	pgv_rows_begin(&rows, fcinfo);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("fingerprint must not be null"),
				 errhint("Take a fingerprint from vitals.n_plus_one or vitals.statements.")));
	request.fingerprint = (uint64) PG_GETARG_INT64(0);
	if (!PG_ARGISNULL(1))
		request.parent = (uint64) PG_GETARG_INT64(1);
	if (!PG_ARGISNULL(2))
		request.vary = read_vary(PG_GETARG_ARRAYTYPE_P(2));
	look_up(&request);
	pgv_sandbox_run(choose_role(&request), derive, &request);
	emit(&rows, &request);
	return (Datum) 0;
}
