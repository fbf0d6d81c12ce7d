/*-------------------------------------------------------------------------
 *
 * planjson.c
 *	  Plans as EXPLAIN (FORMAT JSON) shows them: read, without constants,
 *	  written.
 *
 * Owns nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "base/planjson.h"
#include "base/sqltext.h"

#define PGV_JSON_DEPTH 500

/* ----- reading ----- */

typedef struct PgvJsonReader
{
	const char *p;
	const char *end;
	int			depth;
} PgvJsonReader;

static PgvJson *read_value(PgvJsonReader *r);

static void
skip_blanks(PgvJsonReader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool
take(PgvJsonReader *r, char c)
{
	skip_blanks(r);
	if (r->p >= r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* Four hexadecimal digits that make an ASCII character; 0 if they do not. */
static int
read_hex(PgvJsonReader *r)
{
	int			c = 0;

	if (r->end - r->p < 4)
		return 0;
	for (int i = 0; i < 4; i++, r->p++)
	{
		char		d = *r->p;

		if (d >= '0' && d <= '9')
			c = c * 16 + (d - '0');
		else if (d >= 'a' && d <= 'f')
			c = c * 16 + (d - 'a' + 10);
		else if (d >= 'A' && d <= 'F')
			c = c * 16 + (d - 'A' + 10);
		else
			return 0;
	}
	return c < 0x80 ? c : 0;
}

/* The character behind a backslash; 0 if there is none such. */
static int
read_escape(PgvJsonReader *r)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (r->p >= r->end)
		return 0;
	if (*r->p == 'u')
	{
		r->p++;
		return read_hex(r);
	}
	found = *r->p != '\0' ? strchr(from, *r->p) : NULL;
	if (found == NULL)
		return 0;
	r->p++;
	return to[found - from];
}

/* A string behind its first quote; NULL if it is none. */
static char *
read_string(PgvJsonReader *r)
{
	StringInfoData s;

	initStringInfo(&s);
	while (r->p < r->end && *r->p != '"')
	{
		int			c = (unsigned char) *r->p++;

		if (c < ' ')
			return NULL;
		if (c == '\\')
			c = read_escape(r);
		if (c == 0)
			return NULL;
		appendStringInfoChar(&s, (char) c);
	}
	return take(r, '"') ? s.data : NULL;
}

static int
digits(const char *s)
{
	return (int) strspn(s, "0123456789");
}

/* Is it a number as JSON has it? */
static bool
is_number(const char *s)
{
	int			n;

	if (*s == '-')
		s++;
	n = digits(s);
	if (n == 0 || (n > 1 && *s == '0'))
		return false;
	s += n;
	if (*s == '.')
	{
		n = digits(s + 1);
		if (n == 0)
			return false;
		s += 1 + n;
	}
	if (*s == 'e' || *s == 'E')
	{
		s++;
		if (*s == '+' || *s == '-')
			s++;
		n = digits(s);
		if (n == 0)
			return false;
		s += n;
	}
	return *s == '\0';
}

static bool
read_word(PgvJsonReader *r, PgvJson *json)
{
	const char *start = r->p;

	while (r->p < r->end && *r->p != '\0' && strchr(",]} \t\r\n", *r->p) == NULL)
		r->p++;
	json->type = PGV_JSON_WORD;
	json->value = pnstrdup(start, r->p - start);
	return strcmp(json->value, "true") == 0 || strcmp(json->value, "false") == 0 ||
		strcmp(json->value, "null") == 0 || is_number(json->value);
}

/* What is in an object or an array, behind its opening. */
static bool
read_members(PgvJsonReader *r, PgvJson *json, char closing)
{
	PgvJson   **link = &json->first;

	if (take(r, closing))
		return true;
	do
	{
		char	   *key = NULL;

		if (closing == '}' &&
			(!take(r, '"') || (key = read_string(r)) == NULL || !take(r, ':')))
			return false;
		*link = read_value(r);
		if (*link == NULL)
			return false;
		(*link)->key = key;
		link = &(*link)->next;
	} while (take(r, ','));
	return take(r, closing);
}

static bool
read_nested(PgvJsonReader *r, PgvJson *json, char closing)
{
	bool		sound;

	if (++r->depth > PGV_JSON_DEPTH)
		return false;
	sound = read_members(r, json, closing);
	r->depth--;
	return sound;
}

static PgvJson *
read_value(PgvJsonReader *r)
{
	PgvJson    *json = palloc0(sizeof(PgvJson));
	bool		sound;

	if (take(r, '{'))
	{
		json->type = PGV_JSON_OBJECT;
		sound = read_nested(r, json, '}');
	}
	else if (take(r, '['))
	{
		json->type = PGV_JSON_ARRAY;
		sound = read_nested(r, json, ']');
	}
	else if (take(r, '"'))
	{
		json->type = PGV_JSON_STRING;
		json->value = read_string(r);
		sound = json->value != NULL;
	}
	else
		sound = read_word(r, json);
	return sound ? json : NULL;
}

PgvJson *
pgv_planjson_read(const char *json, int len)
{
	PgvJsonReader r = {json, json + len, 0};
	PgvJson    *value = read_value(&r);

	skip_blanks(&r);
	return r.p == r.end ? value : NULL;
}

PgvJson *
pgv_planjson_member(const PgvJson *object, const char *key)
{
	PgvJson    *member = object->first;

	if (object->type != PGV_JSON_OBJECT)
		return NULL;
	while (member != NULL && strcmp(member->key, key) != 0)
		member = member->next;
	return member;
}

const char *
pgv_planjson_value(const PgvJson *object, const char *key)
{
	const PgvJson *member = pgv_planjson_member(object, key);

	return member != NULL ? member->value : NULL;
}

/* ----- constants ----- */

/* What EXPLAIN makes of names and of words of its own. */
static const char *const names[] = {
	"Node Type", "Strategy", "Partial Mode", "Operation", "Parent Relationship",
	"Subplan Name", "Custom Plan Provider", "Scan Direction", "Index Name",
	"Relation Name", "Schema", "Alias", "Function Name", "Table Function Name",
	"CTE Name", "Tuplestore Name", "Join Type", "Command", "Cache Mode",
	"Conflict Resolution", "Conflict Arbiter Indexes", "Sampling Method",
	"Params Evaluated", "Storage", "Sort Method", "Sort Methods Used", "Sort Space Type"
};

/* What is not kept: long, of another identity, or in the figures of nodes. */
static const char *const left_out[] = {"Output", "Query Identifier", "Workers"};

static bool
is_one_of(const char *key, const char *const *list, int n)
{
	for (int i = 0; key != NULL && i < n; i++)
	{
		if (strcmp(key, list[i]) == 0)
			return true;
	}
	return false;
}

/*
 * EXPLAIN says "SubPlan 1" for what is no constant.  Hide the blank from the
 * lexer, and bring it back.
 */
static char *
swap(const char *text, const char *from, const char *to)
{
	StringInfoData s;
	const char *found;

	initStringInfo(&s);
	while ((found = strstr(text, from)) != NULL)
	{
		appendBinaryStringInfo(&s, text, (int) (found - text));
		appendStringInfoString(&s, to);
		text = found + strlen(from);
	}
	appendStringInfoString(&s, text);
	return s.data;
}

#define SUBPLAN_BLANK "SubPlan "
#define SUBPLAN_HIDDEN "SubPlan_pgv_"
#define INITPLAN_BLANK "InitPlan "
#define INITPLAN_HIDDEN "InitPlan_pgv_"

/*
 * An expression's normal form.  As an expression it is read where values of
 * optimisable statements stand: behind SELECT.
 */
static char *
without_constants(const char *expression)
{
	static const char before[] = "SELECT ";
	char	   *hidden = swap(swap(expression, SUBPLAN_BLANK, SUBPLAN_HIDDEN),
							  INITPLAN_BLANK, INITPLAN_HIDDEN);
	char	   *text = psprintf("%s%s", before, hidden);
	int			len = (int) strlen(text);
	int			room = len * 2 + 64;
	char	   *out = palloc(room);
	PgvSqlNormal normal;

	/* deparsed by the server, with E'' where a backslash stands */
	pgv_sqltext_normalise(text, len, true, out, room, &normal);
	if (normal.truncated || normal.len < (int) strlen(before) ||
		strncmp(out, before, strlen(before)) != 0)
		return pstrdup("?");
	return swap(swap(out + strlen(before), SUBPLAN_HIDDEN, SUBPLAN_BLANK),
				INITPLAN_HIDDEN, INITPLAN_BLANK);
}

static void
mask_value(PgvJson *json, const char *key)
{
	if (json->type == PGV_JSON_STRING)
	{
		if (!is_one_of(key, names, lengthof(names)))
			json->value = without_constants(json->value);
		return;
	}
	for (PgvJson *member = json->first; member != NULL; member = member->next)
		mask_value(member, member->key != NULL ? member->key : key);
}

static void
leave_out(PgvJson *json)
{
	PgvJson   **link = &json->first;

	while (*link != NULL)
	{
		leave_out(*link);
		if (is_one_of((*link)->key, left_out, lengthof(left_out)))
			*link = (*link)->next;
		else
			link = &(*link)->next;
	}
}

void
pgv_planjson_mask(PgvJson *json)
{
	leave_out(json);
	mask_value(json, NULL);
}

/* ----- writing ----- */

static void
write_string(const char *s, StringInfo out)
{
	appendStringInfoChar(out, '"');
	for (; *s != '\0'; s++)
	{
		if (*s == '"' || *s == '\\')
			appendStringInfo(out, "\\%c", *s);
		else if ((unsigned char) *s < ' ')
			appendStringInfo(out, "\\u%04x", *s);
		else
			appendStringInfoChar(out, *s);
	}
	appendStringInfoChar(out, '"');
}

void
pgv_planjson_write(const PgvJson *json, StringInfo out)
{
	bool		object = json->type == PGV_JSON_OBJECT;

	if (json->type == PGV_JSON_STRING)
		write_string(json->value, out);
	else if (json->type == PGV_JSON_WORD)
		appendStringInfoString(out, json->value);
	else
	{
		appendStringInfoChar(out, object ? '{' : '[');
		for (const PgvJson *member = json->first; member != NULL; member = member->next)
		{
			if (member != json->first)
				appendStringInfoChar(out, ',');
			if (object)
			{
				write_string(member->key, out);
				appendStringInfoChar(out, ':');
			}
			pgv_planjson_write(member, out);
		}
		appendStringInfoChar(out, object ? '}' : ']');
	}
}
