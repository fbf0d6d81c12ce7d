/*-------------------------------------------------------------------------
 *
 * draft.c
 *	  Statements for all values at once: drafting, checking, keeping them.
 *
 * The parameters of a draft:
 *
 *	original		WHERE author_id = $2 AND tag = $5 LIMIT $1
 *	slots			1 for the key $2, bigint[]; 2 for $1; 3 for $5
 *
 * In the text a key is a column of unnest(), "k.v1", or, in = ANY, the array.
 * Slots that a draft does without are left out before it is analysed.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "surface/draft.h"

void
pgv_draft_fail(PgvDraft *draft, const char *reason)
{
	draft->failures = lappend(draft->failures, unconstify(char *, reason));
}

/* ----- parameters ----- */

/* What the values of a key are compared with, or assigned to. */
static char *
meaning_of(const PgvQueryShape *shape, int param, bool *array)
{
	char	   *means = NULL;
	ListCell   *lc;

	*array = false;
	foreach(lc, shape->equalities)
	{
		PgvEquality *equality = lfirst(lc);

		if (equality->param != param)
			continue;
		*array |= equality->array;
		if (means == NULL)
			means = pgv_column_text(equality->relid, equality->attno);
	}
	if (means != NULL || shape->query->commandType == CMD_SELECT)
		return means;
	foreach(lc, shape->query->targetList)
	{
		TargetEntry *target = lfirst(lc);

		if (target->resname != NULL &&
			bms_is_member(param, pgv_params_in((Node *) target->expr)))
			return pstrdup(quote_identifier(target->resname));
	}
	return NULL;
}

/* "bigint[]".  A type without length is to stay that: "character" is char(1). */
static char *
type_text(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN);
}

static bool
make_key(PgvDraft *draft, PgvKey *key, int param)
{
	Oid			type = draft->shape->types[param - 1];

	key->param = param;
	key->means = meaning_of(draft->shape, param, &key->array);
	key->type = key->array ? get_element_type(type) : type;
	key->array_type = key->array ? type : get_array_type(type);
	if (OidIsValid(key->type) && OidIsValid(key->array_type))
	{
		key->type_name = type_text(key->array_type);
		return true;
	}
	pgv_draft_fail(draft, psprintf("$%d is of type %s, and there is no array of such",
								   param, type_text(type)));
	return false;
}

/* Is it the name of an output column?  What "*" stands for is not in the text. */
static bool
is_output(const PgvQueryShape *shape, const char *name)
{
	ListCell   *lc;

	foreach(lc, shape->query->targetList)
	{
		TargetEntry *target = lfirst(lc);

		if (target->resname != NULL && strcmp(target->resname, name) == 0)
			return true;
	}
	return false;
}

char *
pgv_draft_name(const PgvDraft *draft, const char *stem)
{
	char	   *name = pgv_tokens_new_name(&draft->shape->tokens, stem);

	if (is_output(draft->shape, name))
		return pgv_draft_name(draft, psprintf("%s_", name));
	if (draft->parent == NULL)
		return name;
	if (is_output(draft->parent, name) ||
		strcmp(pgv_tokens_new_name(&draft->parent->tokens, name), name) != 0)
		return pgv_draft_name(draft, psprintf("%s_", name));
	return name;
}

/* A name that no column of the query's tables has either. */
static char *
new_column_name(const PgvDraft *draft, const char *stem)
{
	char	   *name = pgv_draft_name(draft, stem);
	ListCell   *lc;

	foreach(lc, draft->shape->query->rtable)
	{
		RangeTblEntry *rte = lfirst(lc);
		ListCell   *column;

		if (rte->eref == NULL)
			continue;
		foreach(column, rte->eref->colnames)
		{
			if (strcmp(strVal(lfirst(column)), name) == 0)
				return new_column_name(draft, psprintf("%s_", name));
		}
	}
	return name;
}

static int
add_slot(PgvDraft *draft, Oid type, char *text)
{
	draft->slots[draft->nslots] = (PgvSlot)
	{
		type, text
	};
	return ++draft->nslots;
}

/* Slots for the parameters of a statement that are no keys. */
static int *
add_slots(PgvDraft *draft, const PgvQueryShape *shape, const Bitmapset *keys,
		  const char *whose)
{
	int		   *number = palloc0((shape->ntypes + 1) * sizeof(int));
	int			param = -1;

	while ((param = bms_next_member(shape->params, param)) >= 0)
	{
		Oid			type = shape->types[param - 1];

		if (!bms_is_member(param, keys))
			number[param] = add_slot(draft, type, psprintf("%s: $%d%s", type_text(type),
														   param, whose));
	}
	return number;
}

bool
pgv_draft_begin(PgvDraft *draft, const PgvSandbox *sandbox, PgvQueryShape *shape,
				Bitmapset *keys)
{
	int			param = -1;
	bool		good = true;

	draft->sandbox = sandbox;
	draft->shape = shape;
	draft->keys = palloc0((bms_num_members(keys) + 1) * sizeof(PgvKey));
	draft->slots = palloc0((bms_num_members(shape->params) + 1) * sizeof(PgvSlot));
	draft->alias = pgv_draft_name(draft, "k");
	draft->ord = new_column_name(draft, "ord");
	while ((param = bms_next_member(keys, param)) >= 0)
	{
		PgvKey	   *key = &draft->keys[draft->nkeys++];

		good &= make_key(draft, key, param);
		key->name = new_column_name(draft, psprintf("v%d", draft->nkeys));
		(void) add_slot(draft, key->array_type,
						psprintf("%s: the %s of $%d%s%s", key->type_name,
								 key->array ? "elements" : "values", param,
								 key->means != NULL ? ", " : "",
								 key->means != NULL ? key->means : ""));
	}
	draft->number = add_slots(draft, shape, keys, ", the same for all");
	return good;
}

void
pgv_draft_add_parent(PgvDraft *draft, PgvQueryShape *parent)
{
	draft->parent = parent;
	draft->slots = repalloc(draft->slots,
							(draft->nslots + bms_num_members(parent->params) + 1) *
							sizeof(PgvSlot));
	draft->parent_number = add_slots(draft, parent, NULL, " of the parent");
}

PgvKey *
pgv_draft_key(const PgvDraft *draft, int param)
{
	for (int i = 0; i < draft->nkeys; i++)
	{
		if (draft->keys[i].param == param)
			return &draft->keys[i];
	}
	return NULL;
}

/* ----- pieces of text ----- */

char *
pgv_draft_unnest(const PgvDraft *draft)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < draft->nkeys; i++)
		appendStringInfo(&buf, "%s$%d::%s", i == 0 ? "unnest(" : ", ", i + 1,
						 draft->keys[i].type_name);
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

char *
pgv_draft_alias(const PgvDraft *draft, bool ordinality)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s(", draft->alias);
	for (int i = 0; i < draft->nkeys; i++)
		appendStringInfo(&buf, "%s%s", i == 0 ? "" : ", ", draft->keys[i].name);
	if (ordinality)
		appendStringInfo(&buf, ", %s", draft->ord);
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

char *
pgv_draft_columns(const PgvDraft *draft)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < draft->nkeys; i++)
		appendStringInfo(&buf, "%s%s.%s", i == 0 ? "" : ", ", draft->alias,
						 draft->keys[i].name);
	return buf.data;
}

void
pgv_draft_edit_params(const PgvDraft *draft, PgvEdits *edits, int from, int to,
					  bool keys)
{
	for (int i = from; i < to; i++)
	{
		const PgvToken *t = &draft->shape->tokens.token[i];
		PgvKey	   *key;

		/* one that analysis has not seen stays, and makes the draft invalid */
		if (t->param == 0 || t->param > draft->shape->ntypes)
			continue;
		key = pgv_draft_key(draft, t->param);
		if (key == NULL && draft->number[t->param] != t->param)
			pgv_edit_add(edits, t->start, t->end,
						 psprintf("$%d", draft->number[t->param]));
		else if (key != NULL && keys)
			pgv_edit_add(edits, t->start, t->end,
						 psprintf(key->array ? "ARRAY[%s.%s]" : "%s.%s",
								  draft->alias, key->name));
	}
}

/* ----- column = $n ----- */

/* An operand of a comparison: the tokens from first to last. */
typedef struct PgvOperand
{
	int			first;
	int			last;
} PgvOperand;

/*
 * Widen the operand by one layer of what can stand around a parameter without
 * another meaning: a cast (analysis saw none that does something), brackets.
 */
static bool
widen(const PgvTokens *tokens, PgvOperand *o)
{
	if (pgv_token_is(tokens, o->last + 1, "::"))
	{
		int			end = pgv_token_type_end(tokens, o->last + 2);

		if (end < 0)
			return false;
		o->last = end;
		return true;
	}
	if (!pgv_token_is(tokens, o->first - 1, "("))
		return false;
	if (pgv_token_is(tokens, o->first - 2, "cast") &&
		pgv_token_is(tokens, o->last + 1, "as"))
	{
		o->last = pgv_token_close(tokens, o->first - 1);
		o->first -= 2;
		return true;
	}
	/* plain brackets stand behind an operator */
	if (!pgv_token_is(tokens, o->last + 1, ")") ||
		!(pgv_token_is(tokens, o->first - 2, "=") ||
		  pgv_token_is(tokens, o->first - 2, "(") ||
		  pgv_token_is(tokens, o->first - 2, "and") ||
		  pgv_token_is(tokens, o->first - 2, "where")))
		return false;
	if (pgv_token_is(tokens, o->first - 2, "("))
	{
		const char *const *word;
		static const char *const lists[] = {"in", "any", "some", NULL};

		for (word = lists; *word != NULL; word++)
		{
			if (pgv_token_is(tokens, o->first - 3, *word))
				return false;
		}
	}
	o->first--;
	o->last++;
	return true;
}

/* The first token of the column that a condition is about; -1: unknown. */
static int
column_token(const PgvDraft *draft, const PgvEquality *condition)
{
	if (condition->column == NULL || condition->column->location < 0)
		return -1;
	return pgv_token_at(&draft->shape->tokens, condition->column->location);
}

char *
pgv_draft_column(const PgvDraft *draft, const PgvEquality *condition)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	int			first = column_token(draft, condition);
	int			last = first >= 0 ? pgv_token_name_end(tokens, first) : -1;

	return last >= 0 ? pgv_tokens_text(tokens, first, last) : NULL;
}

/* Replace the operand, with what precedes it, so that "= ANY (array)" stands. */
static bool
replace_operand(const PgvTokens *tokens, PgvEdits *edits, PgvOperand o,
				const char *column, int column_first, const char *any)
{
	const PgvToken *t = tokens->token;
	int			column_last = pgv_token_name_end(tokens, column_first);

	if (pgv_token_is(tokens, o.first - 1, "[") && pgv_token_is(tokens, o.first - 2, "array") &&
		pgv_token_is(tokens, o.last + 1, "]"))
	{
		/* ANY (ARRAY[$1]), with or without a cast */
		o.first -= 2;
		o.last++;
		if (pgv_token_is(tokens, o.last + 1, "::"))
			o.last = pgv_token_type_end(tokens, o.last + 2);
		if (o.last < 0)
			return false;
	}
	if (pgv_token_is(tokens, o.first - 1, "(") && pgv_token_is(tokens, o.last + 1, ")"))
	{
		if (pgv_token_is(tokens, o.first - 2, "in"))
		{
			o.first--;
			pgv_edit_add(edits, t[o.first - 1].start, t[o.last + 1].end,
						 psprintf("= %s", any));
			return true;
		}
		if ((pgv_token_is(tokens, o.first - 2, "any") || pgv_token_is(tokens, o.first - 2, "some")) &&
			pgv_token_is(tokens, o.first - 3, "="))
		{
			pgv_edit_add(edits, t[o.first - 2].start, t[o.last + 1].end, any);
			return true;
		}
	}
	if (pgv_token_is(tokens, o.first - 1, "="))
	{
		pgv_edit_add(edits, t[o.first].start, t[o.last].end, any);
		return true;
	}
	if (pgv_token_is(tokens, o.last + 1, "=") && column_first == o.last + 2)
	{
		/* $1 = column: the other way round */
		pgv_edit_add(edits, t[o.first].start, t[column_last].end,
					 psprintf("%s = %s", column, any));
		return true;
	}
	return false;
}

bool
pgv_draft_edit_any(const PgvDraft *draft, PgvEdits *edits,
				   const PgvEquality *condition)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	PgvKey	   *key = pgv_draft_key(draft, condition->param);
	char	   *column = pgv_draft_column(draft, condition);
	PgvOperand	o;

	if (key == NULL || column == NULL ||
		pgv_tokens_count_param(tokens, condition->param, &o.first) != 1)
		return false;
	o.last = o.first;
	while (widen(tokens, &o))
		;
	if (!replace_operand(tokens, edits, o, column, column_token(draft, condition),
						 psprintf("ANY ($%d::%s)", (int) (key - draft->keys) + 1,
								  key->type_name)))
		return false;
	pgv_draft_edit_params(draft, edits, 0, tokens->n, false);
	return true;
}

char *
pgv_draft_apply(const PgvDraft *draft, const PgvEdits *edits)
{
	StringInfoData buf;

	initStringInfo(&buf);
	pgv_edits_apply(&buf, edits, draft->shape->sql, 0, strlen(draft->shape->sql));
	return buf.data;
}

/* ----- checking ----- */

/* Number the parameters that are used from 1 on; notes their slots. */
static char *
numbered(PgvDraft *draft, const char *sql)
{
	PgvTokens	tokens;
	PgvEdits	edits = {0};
	StringInfoData buf;
	int			n = 0;

	if (!pgv_tokens_read(&tokens, sql))
		return NULL;
	draft->used = NIL;
	for (int slot = 1; slot <= draft->nslots; slot++)
	{
		if (pgv_tokens_count_param(&tokens, slot, NULL) == 0)
			continue;
		draft->used = lappend_int(draft->used, slot);
		n++;
		for (int i = 0; n != slot && i < tokens.n; i++)
		{
			if (tokens.token[i].param == slot)
				pgv_edit_add(&edits, tokens.token[i].start, tokens.token[i].end,
							 psprintf("$%d", n));
		}
	}
	initStringInfo(&buf);
	pgv_edits_apply(&buf, &edits, sql, 0, strlen(sql));
	return buf.data;
}

PgvQueryShape *
pgv_draft_shape(PgvDraft *draft, const char *sql)
{
	char	   *message = "its text cannot be read";
	Oid		   *types = palloc((draft->nslots + 1) * sizeof(Oid));
	Query	   *query = NULL;
	PgvQueryShape *shape = NULL;

	sql = numbered(draft, sql);
	if (sql != NULL)
	{
		for (int i = 0; i < list_length(draft->used); i++)
			types[i] = draft->slots[list_nth_int(draft->used, i) - 1].type;
		query = pgv_sandbox_analyse_fixed(sql, types, list_length(draft->used), &message);
	}
	if (query != NULL)
		shape = pgv_queryshape_from_query(sql, query, types, list_length(draft->used));
	if (shape == NULL)
		pgv_draft_fail(draft, message);
	return shape;
}

/* The parameters in words. */
static List *
describe_parameters(const PgvDraft *draft)
{
	List	   *list = NIL;

	for (int i = 0; i < list_length(draft->used); i++)
		list = lappend(list, psprintf("$%d %s", i + 1,
									  draft->slots[list_nth_int(draft->used, i) - 1].text));
	return list;
}

bool
pgv_draft_keep(PgvDraft *draft, const char *method, const PgvQueryShape *shape,
			   const char *note)
{
	PgvRewriting *result;
	char	   *message;
	char	   *unplanned;

	if (!pgv_sandbox_plan(draft->sandbox, shape->query, shape->sql, &unplanned, &message))
	{
		pgv_draft_fail(draft, message);
		return false;
	}
	result = palloc0(sizeof(PgvRewriting));
	result->method = method;
	result->statement = shape->sql;
	result->parameters = describe_parameters(draft);
	result->note = unplanned == NULL ? note :
		psprintf("%s; checked by parse analysis only: %s", note, unplanned);
	draft->results = lappend(draft->results, result);
	return true;
}
