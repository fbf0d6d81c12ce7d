/*-------------------------------------------------------------------------
 *
 * edit.c
 *	  Fuzz target: any text, as it is and in its normal form, through all that
 *	  changes texts: base/sqledit, collect/comparisons, batch and batchwrite.
 *
 * Runs without a server, on a small catalog of its own (server.c) and plans that
 * have nothing but what those units look at.  Whatever they are given, they read
 * and write nothing outside and raise no error; what they derive has its brackets
 * in pairs, and its parameters are numbered from $1 without gaps.
 *
 *-------------------------------------------------------------------------
 */
#include "server.h"

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "nodes/plannodes.h"

#include "base/sqledit.h"
#include "base/sqltext.h"
#include "collect/batchwrite.h"

#define MAX_TEXT	2048

/* ----- plans ----- */

static void *
new_node(NodeTag tag, size_t size)
{
	Node	   *node = palloc0(size);

	node->type = tag;
	return node;
}

#define NEW(type) ((type *) new_node(T_##type, sizeof(type)))

static List *
make_list(void *first, void *second)
{
	List	   *list = new_node(T_List, offsetof(List, initial_elements) + 2 * sizeof(ListCell));

	list->elements = list->initial_elements;
	list->length = list->max_length = second != NULL ? 2 : 1;
	list->elements[0].ptr_value = first;
	list->elements[1].ptr_value = second;
	return list;
}

/* The alias, or the table's name, behind one of the words that it follows. */
static char *
table_name(const PgvTokens *tokens)
{
	static const char *const words[] = {"from", "into", "update", "join", NULL};

	for (int i = 0; i < tokens->n; i++)
	{
		int			end;

		if (!pgv_has_word(tokens, i, i + 1, words))
			continue;
		end = pgv_token_name_end(tokens, i + 1);
		if (end < 0)
			continue;
		if (pgv_token_is(tokens, end + 1, "as") && pgv_token_name_end(tokens, end + 2) > 0)
			end += 2;
		else if (end + 1 < tokens->n && tokens->token[end + 1].type == PGV_TOKEN_QUOTED)
			end++;
		if (tokens->token[end].type == PGV_TOKEN_QUOTED)
			return pnstrdup(tokens->sql + tokens->token[end].start + 1,
							tokens->token[end].end - tokens->token[end].start - 2);
		return pgv_tokens_text(tokens, end, end);
	}
	return pstrdup("t");
}

static RangeTblEntry *
make_table(Oid relid, char *name)
{
	RangeTblEntry *rte = NEW(RangeTblEntry);

	rte->rtekind = RTE_RELATION;
	rte->relkind = 'r';
	rte->relid = relid;
	rte->eref = NEW(Alias);
	rte->eref->aliasname = name;
	return rte;
}

static TargetEntry *
make_target(Oid relid, AttrNumber attno, char *name)
{
	TargetEntry *target = NEW(TargetEntry);

	target->resorigtbl = relid;
	target->resorigcol = attno;
	target->resname = name;
	return target;
}

/* The plan of a statement that is taken to be of one of these shapes. */
static PlannedStmt *
make_plan(const PgvTokens *tokens, int shape)
{
	PlannedStmt *stmt = NEW(PlannedStmt);
	Plan	   *plan;

	if (shape == 0)
		plan = (Plan *) NEW(SeqScan);
	else if (shape == 1)
		plan = (Plan *) NEW(Agg);
	else
		plan = (Plan *) NEW(Result);
	if (shape != 1)
		plan->targetlist = make_list(make_target(FUZZ_TABLE, shape + 1, pstrdup("id")),
									 shape == 0 ? NULL : make_target(FUZZ_OTHER, 4, NULL));
	stmt->planTree = plan;
	stmt->rtable = make_list(make_table(FUZZ_TABLE, table_name(tokens)),
							 shape == 2 ? make_table(FUZZ_OTHER, pstrdup("posts")) : NULL);
	return stmt;
}

/* ----- what comes out ----- */

/* A statement for many values: whole, and with its parameters in order. */
static void
check_derived(const char *sql)
{
	PgvTokens	tokens;
	int			params = 0;

	if (sql == NULL)
		return;
	if (!pgv_tokens_read(&tokens, sql))
	{
		pgv_fuzz_tell("derived", sql, (int) strlen(sql));
		pgv_fuzz_broken(__FILE__, __LINE__, "what is derived is a whole statement");
	}
	for (int i = 0; i < tokens.n; i++)
		params = Max(params, tokens.token[i].param);
	for (int i = 1; i <= params; i++)
		FUZZ_CHECK(pgv_tokens_count_param(&tokens, i, NULL) > 0);
	FUZZ_CHECK(strcmp(pgv_sql_renumber(sql), sql) == 0);
}

static void
check_tokens(const PgvTokens *tokens)
{
	int			end = 0;

	for (int i = 0; i < tokens->n; i++)
	{
		const PgvToken *t = &tokens->token[i];

		FUZZ_CHECK(t->start >= end && t->end > t->start && t->depth >= 0);
		FUZZ_CHECK(pgv_token_at(tokens, t->start) == i);
		FUZZ_CHECK(pgv_token_name_end(tokens, i) < tokens->n);
		FUZZ_CHECK(pgv_token_type_end(tokens, i) < tokens->n);
		end = t->end;
	}
	FUZZ_CHECK(end <= (int) strlen(tokens->sql));
}

static void
check_reads(PgvComparisons *all, const PgvLinkColumns *link)
{
	PgvBatchKeys keys;
	PgvReadKind kind;
	PgvEdits	edits = {0};

	for (int alone = 0; alone < 2; alone++)
	{
		if (!pgv_batch_keys(&keys, all, link, alone))
			continue;
		check_derived(pgv_batch_read(all, &keys, &kind));
		if (pgv_batch_match(&edits, all, &keys))
			check_derived(pgv_batch_apply(&edits, all));
		edits.n = 0;
		check_derived(pgv_batch_delete(all, &keys));
	}
	check_derived(pgv_batch_walk(all, link));
}

static void
check_writes(const PgvComparisons *all)
{
	for (Oid relid = FUZZ_TABLE; relid <= FUZZ_GONE; relid++)
	{
		PgvBatchInsert insert;

		pgv_batch_insert(&insert, all, relid);
		check_derived(insert.sql);
		check_derived(insert.copy);
		check_derived(pgv_batch_update(all, relid));
	}
}

static void
check_plan(const char *normal, const PgvTokens *tokens, int shape)
{
	PgvLinkColumns link = {PGV_LINK_SAME, FUZZ_TABLE, 1, FUZZ_TABLE, shape + 1};
	PgvComparisons all;

	if (!pgv_comparisons_read(&all, normal, make_plan(tokens, shape)))
		return;
	FUZZ_CHECK(all.n >= 0 && all.n <= PGV_MAX_COMPARISONS);
	for (int i = 0; i < all.n; i++)
	{
		const PgvComparison *c = &all.found[i];

		FUZZ_CHECK(c->first >= 0 && c->first <= c->last && c->last < all.tokens.n);
		FUZZ_CHECK(c->first <= c->column_first && c->column_first <= c->column_last &&
				   c->column_last <= c->last);
	}
	pgv_read_kind(&all);
	check_reads(&all, &link);
	check_writes(&all);
}

static void
check_text(const char *normal)
{
	const char *reason = NULL;
	char	   *acceptable = pgv_sql_acceptable(normal, &reason);
	PgvTokens	tokens;

	FUZZ_CHECK((acceptable == NULL) == (reason != NULL));
	if (!pgv_tokens_read(&tokens, normal))
		return;
	check_tokens(&tokens);
	if (acceptable == NULL)
		return;
	FUZZ_CHECK(pgv_tokens_read(&tokens, acceptable));
	check_tokens(&tokens);
	check_derived(pgv_sql_renumber(acceptable));
	for (int shape = 0; shape < 3; shape++)
		check_plan(normal, &tokens, shape);
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	PgvSqlNormal out;
	char	   *sql;
	char	   *normal;
	int			room = 16 * (int) size + 64;

	if (size > MAX_TEXT)
		return -1;
	sql = pnstrdup((const char *) data, size);
	normal = palloc(room);
	check_text(sql);
	pgv_sqltext_normalise((const char *) data, (int) size, true, normal, room, &out);
	check_text(pstrdup(normal));
	pgv_fuzz_free_all();
	return 0;
}
