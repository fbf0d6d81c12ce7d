/*-------------------------------------------------------------------------
 *
 * plantree.c
 *	  A plan's JSON in the words of EXPLAIN's text form.
 *
 * The first line of a node is put together as explain.c does it; what else is
 * said of it follows as it stands in the JSON, one line each, but for what the
 * first line has said.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/builtins.h"

#include "surface/plantree.h"

static void write_node(StringInfo out, const PgvJson *node, int indent, bool arrow);

/* What the first line has said, and what text leaves out. */
static const char *const said[] = {
	"Node Type", "Strategy", "Partial Mode", "Operation", "Parent Relationship",
	"Subplan Name", "Custom Plan Provider", "Parallel Aware", "Async Capable",
	"Scan Direction", "Index Name", "Relation Name", "Schema", "Alias",
	"Function Name", "Table Function Name", "CTE Name", "Tuplestore Name",
	"Join Type", "Command", "Startup Cost", "Total Cost", "Plan Rows", "Plan Width",
	"Actual Rows", "Actual Loops", "Plans"
};

static bool
has_value(const PgvJson *node, const char *key, const char *value)
{
	const char *found = pgv_planjson_value(node, key);

	return found != NULL && strcmp(found, value) == 0;
}

static bool
is_said(const char *key)
{
	for (int i = 0; i < lengthof(said); i++)
	{
		if (strcmp(said[i], key) == 0)
			return true;
	}
	return false;
}

static const char *
join_name(const PgvJson *node, const char *type)
{
	const char *join = pgv_planjson_value(node, "Join Type");
	bool		inner = join == NULL || strcmp(join, "Inner") == 0;

	if (strcmp(type, "Nested Loop") == 0)
		return inner ? type : psprintf("%s %s Join", type, join);
	return psprintf("%s%s%s Join", strcmp(type, "Hash Join") == 0 ? "Hash" : "Merge",
					inner ? "" : " ", inner ? "" : join);
}

static const char *
aggregate_name(const PgvJson *node)
{
	const char *name = has_value(node, "Strategy", "Sorted") ? "GroupAggregate" :
		has_value(node, "Strategy", "Hashed") ? "HashAggregate" :
		has_value(node, "Strategy", "Mixed") ? "MixedAggregate" : "Aggregate";
	const char *mode = pgv_planjson_value(node, "Partial Mode");

	if (mode == NULL || strcmp(mode, "Simple") == 0)
		return name;
	return psprintf("%s %s", mode, name);
}

static const char *
operator_name(const PgvJson *node, const char *type)
{
	const char *operation = pgv_planjson_value(node, "Operation");
	const char *command = pgv_planjson_value(node, "Command");

	if (strcmp(type, "Nested Loop") == 0 || strcmp(type, "Hash Join") == 0 ||
		strcmp(type, "Merge Join") == 0)
		return join_name(node, type);
	if (strcmp(type, "Aggregate") == 0)
		return aggregate_name(node);
	if (strcmp(type, "SetOp") == 0)
		return psprintf("%s %s", has_value(node, "Strategy", "Hashed") ? "HashSetOp" : type,
						command != NULL ? command : "");
	if (strcmp(type, "ModifyTable") == 0 && operation != NULL)
		return operation;
	if (strcmp(type, "Foreign Scan") == 0 && operation != NULL && strcmp(operation, "Select") != 0)
		return psprintf("Foreign %s", operation);
	if (strcmp(type, "Custom Scan") == 0)
		return psprintf("%s (%s)", type, pgv_planjson_value(node, "Custom Plan Provider") ?
						pgv_planjson_value(node, "Custom Plan Provider") : "");
	return type;
}

/* On what, by which index. */
static void
write_target(StringInfo out, const PgvJson *node, const char *type)
{
	static const char *const keys[] = {"Relation Name", "Function Name",
	"Table Function Name", "CTE Name", "Tuplestore Name"};
	const char *index = pgv_planjson_value(node, "Index Name");
	const char *schema = pgv_planjson_value(node, "Schema");
	const char *alias = pgv_planjson_value(node, "Alias");
	const char *name = NULL;

	if (index != NULL && strcmp(type, "Bitmap Index Scan") == 0)
		appendStringInfo(out, " on %s", quote_identifier(index));
	else if (index != NULL)
		appendStringInfo(out, "%s using %s",
						 has_value(node, "Scan Direction", "Backward") ? " Backward" : "",
						 quote_identifier(index));
	for (int i = 0; name == NULL && i < lengthof(keys); i++)
		name = pgv_planjson_value(node, keys[i]);
	if (name == NULL && alias == NULL)
		return;
	appendStringInfoString(out, " on");
	if (name != NULL)
		appendStringInfo(out, " %s", schema != NULL ?
						 quote_qualified_identifier(schema, name) : quote_identifier(name));
	if (alias != NULL && (name == NULL || strcmp(alias, name) != 0))
		appendStringInfo(out, " %s", quote_identifier(alias));
}

static void
write_costs(StringInfo out, const PgvJson *node)
{
	const char *startup = pgv_planjson_value(node, "Startup Cost");
	const char *total = pgv_planjson_value(node, "Total Cost");
	const char *rows = pgv_planjson_value(node, "Plan Rows");
	const char *width = pgv_planjson_value(node, "Plan Width");
	const char *actual = pgv_planjson_value(node, "Actual Rows");
	const char *loops = pgv_planjson_value(node, "Actual Loops");

	if (startup != NULL && total != NULL && rows != NULL && width != NULL)
		appendStringInfo(out, "  (cost=%s..%s rows=%s width=%s)", startup, total, rows, width);
	if (actual != NULL && loops != NULL && strcmp(loops, "0") == 0)
		appendStringInfoString(out, " (never executed)");
	else if (actual != NULL && loops != NULL)
		appendStringInfo(out, " (actual rows=%s loops=%s)", actual, loops);
}

/* Values of an array in a line; of nested ones, in as many. */
static void
write_values(StringInfo out, const PgvJson *json)
{
	for (const PgvJson *item = json->first; item != NULL; item = item->next)
	{
		if (item != json->first)
			appendStringInfoString(out, ", ");
		if (item->value != NULL)
			appendStringInfoString(out, item->value);
		else
		{
			appendStringInfoChar(out, '(');
			write_values(out, item);
			appendStringInfoChar(out, ')');
		}
	}
}

static void
write_property(StringInfo out, const PgvJson *json, int indent)
{
	/* what is not so, and what there is none of, is left out, as in text */
	if (json->type == PGV_JSON_WORD &&
		(strcmp(json->value, "false") == 0 || strcmp(json->value, "0") == 0))
		return;
	appendStringInfoSpaces(out, indent);
	appendStringInfo(out, "%s: ", json->key);
	if (json->value != NULL)
		appendStringInfoString(out, json->value);
	else
		write_values(out, json);
	appendStringInfoChar(out, '\n');
}

static void
write_properties(StringInfo out, const PgvJson *node, int indent)
{
	const PgvJson *plans = pgv_planjson_member(node, "Plans");

	for (const PgvJson *p = node->first; p != NULL; p = p->next)
	{
		if (!is_said(p->key))
			write_property(out, p, indent);
	}
	if (plans == NULL || plans->type != PGV_JSON_ARRAY)
		return;
	for (const PgvJson *p = plans->first; p != NULL; p = p->next)
	{
		if (p->type == PGV_JSON_OBJECT)
			write_node(out, p, indent, true);
	}
}

/* A node at an indentation, behind an arrow but for the topmost. */
static void
write_node(StringInfo out, const PgvJson *node, int indent, bool arrow)
{
	const char *type = pgv_planjson_value(node, "Node Type");
	const char *subplan = pgv_planjson_value(node, "Subplan Name");

	if (subplan != NULL)
	{
		appendStringInfoSpaces(out, indent);
		appendStringInfo(out, "%s\n", subplan);
		indent += 2;
	}
	if (arrow)
	{
		appendStringInfoSpaces(out, indent);
		appendStringInfoString(out, "->  ");
		indent += 4;
	}
	appendStringInfo(out, "%s%s%s", has_value(node, "Parallel Aware", "true") ? "Parallel " : "",
					 has_value(node, "Async Capable", "true") ? "Async " : "",
					 operator_name(node, type != NULL ? type : "?"));
	write_target(out, node, type != NULL ? type : "?");
	write_costs(out, node);
	appendStringInfoChar(out, '\n');
	write_properties(out, node, indent + 2);
}

char *
pgv_plantree_text(const PgvJson *json)
{
	StringInfoData out;
	const PgvJson *plan;

	if (json->type == PGV_JSON_ARRAY && json->first != NULL)
		json = json->first;
	plan = pgv_planjson_member(json, "Plan");
	if (plan == NULL || plan->type != PGV_JSON_OBJECT)
		return NULL;
	initStringInfo(&out);
	write_node(&out, plan, 0, false);
	out.data[out.len - 1] = '\0';
	return out.data;
}
