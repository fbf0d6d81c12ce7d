/*-------------------------------------------------------------------------
 *
 * batchwrite.c
 *	  The text of INSERT, UPDATE and DELETE changed to write many rows at once.
 *
 *	 INSERT INTO t (a, b) VALUES ($1, $2)
 *					INSERT INTO t (a, b) SELECT * FROM unnest($1::int[], $2::text[])
 *	 UPDATE t SET a = $1 WHERE id = $2
 *					UPDATE t SET a = k.value1
 *					FROM unnest($1::int[], $2::bigint[]) AS k(value1, value2)
 *					WHERE id = k.value2
 *	 DELETE FROM t WHERE id = $1
 *					DELETE FROM t WHERE id = ANY($1)
 *
 * Which of the values change from row to row is not known, so all that are
 * assigned come from arrays.  Their types are those of the columns assigned
 * to, or what they are cast to in the text.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "collect/batchwrite.h"

#define PGV_MAX_VALUES 100

/* A value of a row: a parameter, perhaps cast, DEFAULT, or what is none. */
typedef struct PgvValue
{
	int			first;			/* tokens */
	int			last;
	int			param;			/* 0: no parameter */
	char	   *type;
} PgvValue;

/* ----- values ----- */

/*
 * A parameter by itself, perhaps in brackets; its type is that of the column,
 * if no other is written.
 */
static bool
is_parameter(const PgvTokens *tokens, PgvValue *value, const char *type)
{
	int			i;

	while (pgv_token_is(tokens, value->first, "(") &&
		   pgv_token_close(tokens, value->first) == value->last)
	{
		value->first++;
		value->last--;
	}
	i = value->first;
	value->param = 0;
	if (i > value->last || tokens->token[i].param == 0)
		return false;
	value->type = type != NULL ? pstrdup(type) : NULL;
	if (value->last > i)
	{
		if (!pgv_token_is(tokens, i + 1, "::") ||
			pgv_token_type_end(tokens, i + 2) != value->last)
			return false;
		value->type = pgv_tokens_text(tokens, i + 2, value->last);
	}
	value->param = tokens->token[i].param;
	return value->type != NULL;
}

/* Does a parameter stand in these tokens? */
static bool
has_parameter(const PgvTokens *tokens, const PgvValue *value)
{
	for (int i = value->first; i <= value->last; i++)
	{
		if (tokens->token[i].param != 0)
			return true;
	}
	return false;
}

/* The columns of a table that INSERT without a list of columns fills. */
static int
all_columns(Oid relid, AttrNumber *attnos)
{
	Relation	rel = pgv_glance_at(relid);
	int			n = 0;

	if (rel == NULL)
		return 0;
	for (int i = 0; i < RelationGetNumberOfAttributes(rel) && n < PGV_MAX_VALUES; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), i);

		if (!attribute->attisdropped)
			attnos[n++] = attribute->attnum;
	}
	relation_close(rel, AccessShareLock);
	return n;
}

/* The columns between brackets; 0: there is something else. */
static int
named_columns(const PgvTokens *tokens, int open, int close, Oid relid,
			  AttrNumber *attnos)
{
	int			n = 0;

	for (int i = open + 1; i < close; i += 2)
	{
		if (n >= PGV_MAX_VALUES ||
			(i + 1 < close && !pgv_token_is(tokens, i + 1, ",")))
			return 0;
		attnos[n] = pgv_token_attno(tokens, i, relid);
		if (attnos[n++] == 0)
			return 0;
	}
	return n;
}

/* Divide what stands between brackets at its commas. */
static int
divide(const PgvTokens *tokens, int open, int close, PgvValue *values)
{
	int			n = 0;
	int			first = open + 1;

	for (int i = first; i <= close; i++)
	{
		if (i < close && (tokens->token[i].depth != tokens->token[open].depth + 1 ||
						  !pgv_token_is(tokens, i, ",")))
			continue;
		if (n >= PGV_MAX_VALUES || i == first)
			return 0;
		values[n].first = first;
		values[n++].last = i - 1;
		first = i + 1;
	}
	return n;
}

/* ----- INSERT ----- */

typedef struct PgvInsertText
{
	const PgvTokens *tokens;
	int			table_end;		/* the last token before columns or VALUES */
	int			open;			/* of VALUES */
	int			close;
	int			n;
	AttrNumber	attnos[PGV_MAX_VALUES];
	PgvValue	values[PGV_MAX_VALUES];
	bool		named;			/* columns are */
} PgvInsertText;

/* INSERT INTO t [AS a] [(columns)] VALUES (...) */
static bool
read_insert(PgvInsertText *text, const PgvTokens *tokens, Oid relid)
{
	int			values = pgv_token_find(tokens, 0, 0, "values");
	int			i = pgv_token_name_end(tokens, 2);

	text->tokens = tokens;
	if (!pgv_token_is(tokens, 0, "insert") || !pgv_token_is(tokens, 1, "into") ||
		i < 0 || values + 2 >= tokens->n)
		return false;
	if (pgv_token_is(tokens, i + 1, "as"))
		i += 2;
	text->table_end = i;
	text->open = values + 1;
	text->close = pgv_token_close(tokens, values + 1);
	text->named = pgv_token_is(tokens, i + 1, "(");
	/* nothing else, such as OVERRIDING, and no second row */
	if ((text->named ? pgv_token_close(tokens, i + 1) : i) + 1 != values ||
		pgv_token_is(tokens, text->close + 1, ","))
		return false;
	text->n = text->named ?
		named_columns(tokens, i + 1, values - 1, relid, text->attnos) :
		all_columns(relid, text->attnos);
	i = divide(tokens, text->open, text->close, text->values);
	/* without a list the last columns may be left out */
	if (text->named ? i != text->n : i > text->n)
		return false;
	text->n = i;
	return i > 0;
}

/* "a, b" of those that come from parameters; NULL: there are others. */
static char *
filled_columns(const PgvInsertText *text, Oid relid)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < text->n; i++)
	{
		const PgvValue *value = &text->values[i];
		char	   *name = get_attname(relid, text->attnos[i], true);

		if (value->param == 0 &&
			(value->first != value->last || !pgv_token_is(text->tokens, value->first, "default")))
			return NULL;
		if (value->param != 0 && name != NULL)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", quote_identifier(name));
	}
	return buf.len > 0 ? buf.data : NULL;
}

/* "$1::int[], $2::text[]"; false: there are no arrays of a type. */
static bool
append_arrays(StringInfo buf, const PgvTokens *tokens, const PgvValue *values, int n)
{
	bool		any = false;

	for (int i = 0; i < n; i++)
	{
		int			len;

		if (values[i].param == 0)
			continue;
		len = strlen(values[i].type);
		if (pgv_tokens_count_param(tokens, values[i].param, NULL) != 1 ||
			(len > 2 && strcmp(values[i].type + len - 2, "[]") == 0))
			return false;
		appendStringInfo(buf, "%s$%d::%s[]", any ? ", " : "", values[i].param,
						 values[i].type);
		any = true;
	}
	return any;
}

/* Find out which values are parameters; false: others depend on some. */
static bool
type_values(PgvInsertText *text, Oid relid)
{
	for (int i = 0; i < text->n; i++)
	{
		PgvValue   *value = &text->values[i];

		if (is_parameter(text->tokens, value, pgv_column_type(relid, text->attnos[i])))
			continue;
		if (has_parameter(text->tokens, value))
			return false;
	}
	return true;
}

/* The values as a SELECT: "*", or with what is computed for each row. */
static void
append_select(StringInfo buf, const PgvInsertText *text, bool plain, const char *k)
{
	int			number = 0;

	if (plain)
	{
		appendStringInfoChar(buf, '*');
		return;
	}
	for (int i = 0; i < text->n; i++)
	{
		const PgvValue *value = &text->values[i];

		if (i > 0)
			appendStringInfoString(buf, ", ");
		if (value->param != 0)
			appendStringInfo(buf, "%s.value%d", k, ++number);
		else
			appendStringInfoString(buf, pgv_tokens_text(text->tokens, value->first, value->last));
	}
}

static void
append_alias(StringInfo buf, const char *k, const PgvValue *values, int n)
{
	int			number = 0;

	appendStringInfo(buf, " AS %s(", k);
	for (int i = 0; i < n; i++)
	{
		if (values[i].param == 0)
			continue;
		number++;
		appendStringInfo(buf, "%svalue%d", number > 1 ? ", " : "", number);
	}
	appendStringInfoChar(buf, ')');
}

static char *
insert_of_arrays(const PgvInsertText *text, const char *sql, const char *columns)
{
	const PgvTokens *tokens = text->tokens;
	const char *k = pgv_tokens_new_name(tokens, "k");
	StringInfoData buf;

	initStringInfo(&buf);
	if (columns != NULL)
		appendStringInfo(&buf, "%s (%s)", pgv_tokens_text(tokens, 0, text->table_end), columns);
	else
		appendStringInfoString(&buf, pgv_tokens_text(tokens, 0, text->open - 2));
	appendStringInfoString(&buf, " SELECT ");
	append_select(&buf, text, columns != NULL, k);
	appendStringInfoString(&buf, " FROM unnest(");
	if (!append_arrays(&buf, tokens, text->values, text->n))
		return NULL;
	appendStringInfoChar(&buf, ')');
	if (columns == NULL)
		append_alias(&buf, k, text->values, text->n);
	appendStringInfoString(&buf, sql + tokens->token[text->close].end);
	return pgv_sql_renumber(buf.data);
}

void
pgv_batch_insert(PgvBatchInsert *insert, const PgvComparisons *all, Oid relid)
{
	const PgvTokens *tokens = &all->tokens;
	PgvInsertText *text = palloc(sizeof(PgvInsertText));
	char	   *columns;

	memset(insert, 0, sizeof(*insert));
	if (!read_insert(text, tokens, relid) || !type_values(text, relid))
		return;
	columns = filled_columns(text, relid);
	/* DEFAULT can stand in VALUES only */
	if (columns == NULL && pgv_token_find(tokens, text->open, 1, "default") < tokens->n)
		return;
	insert->sql = insert_of_arrays(text, all->sql, columns);
	insert->on_conflict = pgv_token_is(tokens, text->close + 1, "on");
	if (columns != NULL && text->close + 1 == tokens->n)
	{
		StringInfoData copy;

		initStringInfo(&copy);
		appendStringInfoString(&copy, "COPY ");
		if (pgv_append_relation(&copy, relid))
		{
			appendStringInfo(&copy, " (%s) FROM STDIN", columns);
			insert->copy = copy.data;
		}
	}
}

/* ----- UPDATE ----- */

/*
 * "n + $1" of a number: the parameter can come from an array of the column's
 * type.  Gives its token, or -1.
 */
static int
find_summand(const PgvTokens *tokens, const PgvValue *value, Oid relid, AttrNumber attno)
{
	Oid			type = attno > 0 ? get_atttype(relid, attno) : InvalidOid;
	int			param = -1;
	char		category;
	bool		preferred;

	if (!OidIsValid(type))
		return -1;
	get_type_category_preferred(type, &category, &preferred);
	for (int i = value->first; i <= value->last; i++)
	{
		if (tokens->token[i].param != 0)
		{
			if (param >= 0)
				return -1;
			param = i;
		}
		else if (i % 2 != value->first % 2 ?
				 !pgv_token_is(tokens, i, "+") && !pgv_token_is(tokens, i, "-") &&
				 !pgv_token_is(tokens, i, ".") :
				 pgv_token_attno(tokens, i, relid) == 0 && !pgv_token_is(tokens, i + 1, "."))
			return -1;
	}
	return category == TYPCATEGORY_NUMERIC ? param : -1;
}

/*
 * The value of one assignment.  False: what an expression makes of a parameter
 * has a type that is not known.
 */
static bool
read_assigned(const PgvTokens *tokens, PgvValue *value, Oid relid, AttrNumber attno)
{
	int			summand;

	if (is_parameter(tokens, value, pgv_column_type(relid, attno)) ||
		!has_parameter(tokens, value))
		return true;
	summand = find_summand(tokens, value, relid, attno);
	if (summand < 0)
		return false;
	value->first = value->last = summand;
	return is_parameter(tokens, value, pgv_column_type(relid, attno));
}

/* The assignments, "SET a = $1, b = $2": those of parameters. */
static int
read_assignments(const PgvTokens *tokens, int set, int end, Oid relid, PgvValue *values)
{
	int			n = 0;
	int			first = set + 1;

	for (int i = first; i <= end; i++)
	{
		PgvValue	value;

		if (i < end && (tokens->token[i].depth != 0 || !pgv_token_is(tokens, i, ",")))
			continue;
		value.first = first + 2;
		value.last = i - 1;
		if (n >= PGV_MAX_VALUES || !pgv_token_is(tokens, first + 1, "="))
			return -1;
		if (!read_assigned(tokens, &value, relid, pgv_token_attno(tokens, first, relid)))
			return -1;
		if (value.param != 0)
			values[n++] = value;
		first = i + 1;
	}
	return n;
}

/* The comparisons by which the row is found. */
static int
read_conditions(const PgvComparisons *all, PgvValue *values, int n)
{
	for (int i = 0; i < all->n; i++)
	{
		const PgvComparison *c = &all->found[i];
		PgvValue   *value = &values[n];

		if (!c->conjunct || pgv_comparison_type(c) == NULL || n >= PGV_MAX_VALUES)
			return -1;
		value->first = c->first;
		value->last = c->last;
		value->param = c->param;
		value->type = pgv_comparison_type(c);
		n++;
	}
	return n;
}

/* "RETURNING *" would return the arrays' values, too. */
static void
keep_returning(PgvEdits *edits, const PgvTokens *tokens, int set)
{
	int			star = pgv_token_find(tokens, set, 0, "returning") + 1;

	if (pgv_token_is(tokens, star, "*"))
		pgv_edit_add(edits, tokens->token[star].start, tokens->token[star].start,
					 psprintf("%s.", pgv_tokens_text(tokens, set - 1, set - 1)));
}

/* "FROM unnest(...) AS k(value1, value2) "; NULL: that cannot be. */
static char *
from_arrays(const PgvTokens *tokens, const PgvValue *values, int n, const char *k)
{
	StringInfoData from;

	for (int i = 0; i < n; i++)
	{
		char	   *name = psprintf("value%d", i + 1);

		/* a column of that name would be ambiguous then */
		if (strcmp(pgv_tokens_new_name(tokens, name), name) != 0)
			return NULL;
	}
	initStringInfo(&from);
	appendStringInfoString(&from, "FROM unnest(");
	if (!append_arrays(&from, tokens, values, n))
		return NULL;
	appendStringInfoChar(&from, ')');
	append_alias(&from, k, values, n);
	appendStringInfoChar(&from, ' ');
	return from.data;
}

static char *
update_from_arrays(const PgvComparisons *all, const PgvValue *values, int n,
				   int assignments, int where)
{
	const PgvTokens *tokens = &all->tokens;
	const char *k = pgv_tokens_new_name(tokens, "k");
	char	   *from = from_arrays(tokens, values, n, k);
	PgvEdits	edits = {0};

	if (from == NULL)
		return NULL;
	for (int i = 0; i < n; i++)
	{
		char	   *value = psprintf("%s.value%d", k, i + 1);

		if (i >= assignments)
			value = psprintf("%s = %s",
							 pgv_comparison_column(all, &all->found[i - assignments]), value);
		pgv_edit_add(&edits, tokens->token[values[i].first].start,
					 tokens->token[values[i].last].end, value);
	}
	pgv_edit_add(&edits, tokens->token[where].start, tokens->token[where].start, from);
	keep_returning(&edits, tokens, pgv_token_find(tokens, 0, 0, "set"));
	return pgv_batch_apply(&edits, all);
}

char *
pgv_batch_update(const PgvComparisons *all, Oid relid)
{
	static const char *const others[] = {"select", "from", "current", "row", NULL};
	const PgvTokens *tokens = &all->tokens;
	int			set = pgv_token_find(tokens, 0, 0, "set");
	int			where = pgv_token_find(tokens, set, 0, "where");
	PgvValue   *values = palloc(PGV_MAX_VALUES * sizeof(PgvValue));
	int			assignments;
	int			n;

	if (!pgv_token_is(tokens, 0, "update") || where == tokens->n ||
		pgv_has_word(tokens, 0, tokens->n, others))
		return NULL;
	assignments = read_assignments(tokens, set, where, relid, values);
	if (assignments < 0)
		return NULL;
	n = read_conditions(all, values, assignments);
	/* without a key from an array each would update the rows of all */
	if (n <= assignments)
		return NULL;
	return update_from_arrays(all, values, n, assignments, where);
}

/* ----- DELETE ----- */

char *
pgv_batch_delete(const PgvComparisons *all, const PgvBatchKeys *keys)
{
	static const char *const others[] = {"select", "using", "current", NULL};
	PgvEdits	edits = {0};

	if (!pgv_token_is(&all->tokens, 0, "delete") ||
		pgv_has_word(&all->tokens, 0, all->tokens.n, others) ||
		!pgv_batch_match(&edits, all, keys))
		return NULL;
	return pgv_batch_apply(&edits, all);
}
