/*-------------------------------------------------------------------------
 *
 * values.c
 *	  Values of rows and predicates as comparable hashes.
 *
 * The predicates of a statement are read from its plan, not its text: there,
 * literals are constants of the column's type, parameters are either
 * constants (custom plan) or numbers into the parameter list (generic plan),
 * views are replaced by their tables, and what follows from a join's
 * equalities has been derived.  Of a plan the scan nodes are looked at, which
 * for the point lookups that matter are one or two; a plan of more than
 * PGV_MAX_NODES nodes is not looked at further.
 *
 * The key of the hashes is drawn at the server's start (collect/across) and the
 * same in all backends.  Nothing else here is shared.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/transam.h"
#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "nodes/nodeFuncs.h"
#include "nodes/params.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/uuid.h"

#include "collect/values.h"

#define PGV_MAX_NODES 24

static uint64 hash_key = 0;

/* State of one walk over a plan. */
typedef struct PgvWalk
{
	QueryDesc  *query;
	PgvPredicate *predicates;
	int			n;
	int			nodes;
	pg_uuid_t	uuid;			/* of the operand at hand */
} PgvWalk;

uint64
pgv_values_draw_key(void)
{
	uint64		key = 0;

	while (key == 0)
	{
		if (!pg_strong_random(&key, sizeof(key)))
			key = (uint64) MyProcPid * UINT64CONST(0x9E3779B97F4A7C15) +
				(uint64) MyStartTimestamp;
	}
	return key;
}

void
pgv_values_set_key(uint64 key)
{
	hash_key = key;
}

/* Finalizer of splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64
scramble(uint64 x)
{
	x ^= x >> 30;
	x *= UINT64CONST(0xBF58476D1CE4E5B9);
	x ^= x >> 27;
	x *= UINT64CONST(0x94D049BB133111EB);
	x ^= x >> 31;
	return x;
}

uint64
pgv_bytes_mix(uint64 sum, const char *bytes, Size len)
{
	uint64		word;

	sum ^= len * UINT64CONST(0x9E3779B97F4A7C15);
	while (len >= sizeof(word))
	{
		memcpy(&word, bytes, sizeof(word));
		sum = (sum ^ word) * UINT64CONST(0xD6E8FEB86659FD93);
		sum ^= sum >> 32;
		bytes += sizeof(word);
		len -= sizeof(word);
	}
	if (len > 0)
	{
		word = 0;
		memcpy(&word, bytes, len);
		sum = (sum ^ word) * UINT64CONST(0xD6E8FEB86659FD93);
		sum ^= sum >> 32;
	}
	return sum;
}

PgvFamily
pgv_value_family(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
			return PGV_FAMILY_INTEGER;
		case UUIDOID:
			return PGV_FAMILY_UUID;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return PGV_FAMILY_TEXT;
		case NUMERICOID:
			return PGV_FAMILY_NUMERIC;
		case DATEOID:
			return PGV_FAMILY_DATE;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return PGV_FAMILY_TIMESTAMP;
		case INETOID:
		case CIDROID:
			return PGV_FAMILY_NETWORK;
		case ANYENUMOID:
			return PGV_FAMILY_ENUM;
		default:
			return PGV_FAMILY_NONE;
	}
}

Oid
pgv_value_base_type(Oid type)
{
	char		category;
	bool		preferred;

	if (type >= FirstNormalObjectId)
		type = getBaseType(type);
	if (type < FirstNormalObjectId)
		return type;
	if (type_is_enum(type))
		return ANYENUMOID;
	get_type_category_preferred(type, &category, &preferred);
	return category == TYPCATEGORY_STRING && get_typlen(type) == -1 ? TEXTOID : type;
}

/* Bytes of a varlena that stands whole and plain in memory. */
static bool
plain_varlena(Datum value, const char **bytes, Size *len)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);

	if (VARATT_IS_EXTERNAL(v) || VARATT_IS_COMPRESSED(v))
		return false;
	*bytes = VARDATA_ANY(v);
	*len = VARSIZE_ANY_EXHDR(v);
	return true;
}

static bool
hash_text(Oid type, Datum value, uint64 seed, uint64 *hash)
{
	const char *bytes;
	Size		len;

	if (!plain_varlena(value, &bytes, &len))
		return false;
	if (type == BPCHAROID)
	{
		while (len > 0 && bytes[len - 1] == ' ')
			len--;
	}
	*hash = pgv_bytes_mix(seed, bytes, len);
	return true;
}

static bool
hash_numeric_value(Datum value, uint64 seed, uint64 *hash)
{
	const char *bytes;
	Size		len;
	uint32		h;

	if (!plain_varlena(value, &bytes, &len))
		return false;
	/* the server's own: equal for 1.5 and 1.50 */
	h = DatumGetUInt32(DirectFunctionCall1(hash_numeric, value));
	*hash = seed ^ h;
	return true;
}

/* Equal bytes of different families are different values. */
static inline uint64
seed_of(PgvFamily family)
{
	return hash_key + family;
}

bool
pgv_value_hash(Oid type, Datum value, uint32 *hash)
{
	uint64		h;

	/* the family is in each case: a switch of its own would be passed every time */
	switch (type)
	{
		case INT2OID:
			h = seed_of(PGV_FAMILY_INTEGER) ^ (uint64) (int64) DatumGetInt16(value);
			break;
		case INT4OID:
			h = seed_of(PGV_FAMILY_INTEGER) ^ (uint64) (int64) DatumGetInt32(value);
			break;
		case INT8OID:
			h = seed_of(PGV_FAMILY_INTEGER) ^ (uint64) DatumGetInt64(value);
			break;
		case OIDOID:
			h = seed_of(PGV_FAMILY_INTEGER) ^ (uint64) DatumGetObjectId(value);
			break;
		case ANYENUMOID:
			h = seed_of(PGV_FAMILY_ENUM) ^ (uint64) DatumGetObjectId(value);
			break;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			h = seed_of(PGV_FAMILY_TIMESTAMP) ^ (uint64) DatumGetInt64(value);
			break;
		case DATEOID:
			h = seed_of(PGV_FAMILY_DATE) ^ (uint64) (int64) DatumGetInt32(value);
			break;
		case UUIDOID:
			h = pgv_bytes_mix(seed_of(PGV_FAMILY_UUID),
							  (const char *) DatumGetUUIDP(value)->data, UUID_LEN);
			break;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			if (!hash_text(type, value, seed_of(PGV_FAMILY_TEXT), &h))
				return false;
			break;
		case INETOID:
		case CIDROID:
			if (!hash_text(type, value, seed_of(PGV_FAMILY_NETWORK), &h))
				return false;
			break;
		case NUMERICOID:
			if (!hash_numeric_value(value, seed_of(PGV_FAMILY_NUMERIC), &h))
				return false;
			break;
		default:
			return false;
	}
	*hash = (uint32) scramble(h);
	return true;
}

uint64
pgv_value_mix(uint64 sum, Datum value, int16 typlen, bool byval)
{
	const char *bytes;
	Size		len;

	if (byval)
		return pgv_bytes_mix(sum, (const char *) &value, sizeof(value));
	if (typlen > 0)
		return pgv_bytes_mix(sum, DatumGetPointer(value), typlen);
	if (typlen == -2)
		return pgv_bytes_mix(sum, DatumGetCString(value),
							 strlen(DatumGetCString(value)));
	if (plain_varlena(value, &bytes, &len))
		return pgv_bytes_mix(sum, bytes, len);
	/* toasted: its pointer or compressed form stands for it */
	return pgv_bytes_mix(sum, DatumGetPointer(value),
						 VARSIZE_ANY(DatumGetPointer(value)));
}

/* The operators that compare two values of one family for equality. */
static bool
is_equality(Oid opno)
{
	switch (opno)
	{
		case 94:				/* int2 = int2 */
		case 532:				/* int2 = int4 */
		case 533:				/* int4 = int2 */
		case 96:				/* int4 = int4 */
		case 15:				/* int4 = int8 */
		case 416:				/* int8 = int4 */
		case 410:				/* int8 = int8 */
		case 1862:				/* int2 = int8 */
		case 1868:				/* int8 = int2 */
		case 607:				/* oid = oid */
		case 98:				/* text = text */
		case 1054:				/* char(n) = char(n) */
		case 2972:				/* uuid = uuid */
		case 1752:				/* numeric = numeric */
		case 1093:				/* date = date */
		case 2060:				/* timestamp = timestamp */
		case 1320:				/* timestamptz = timestamptz */
		case 1201:				/* inet = inet */
		case 3516:				/* anyenum = anyenum */
			return true;
		default:
			/* what can be hashed compares for equality, whoever made it */
			return opno >= FirstNormalObjectId && op_hashjoinable(opno, InvalidOid);
	}
}

static Node *
strip_relabel(Node *node)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

/* The value of an external parameter, if it has one now. */
static bool
parameter_value(ParamListInfo params, Param *param, Oid *type, Datum *value)
{
	ParamExternData *data;
	ParamExternData workspace;

	if (param->paramkind != PARAM_EXTERN || params == NULL ||
		param->paramid <= 0 || param->paramid > params->numParams)
		return false;
	if (params->paramFetch != NULL)
		data = params->paramFetch(params, param->paramid, true, &workspace);
	else
		data = &params->params[param->paramid - 1];
	if (data == NULL || !OidIsValid(data->ptype) || data->isnull)
		return false;
	*type = pgv_value_base_type(data->ptype);
	*value = data->value;
	return true;
}

/* "-12" as an integer. */
static bool
read_integer(const char *bytes, Size len, Datum *value)
{
	bool		negative = len > 1 && bytes[0] == '-';
	int64		n = 0;

	for (Size i = negative; i < len; i++)
	{
		if (bytes[i] < '0' || bytes[i] > '9')
			return false;
		n = n * 10 + (bytes[i] - '0');
	}
	*value = Int64GetDatum(negative ? -n : n);
	return true;
}

/* "0a1b2c3d-..." with its four hyphens as a uuid. */
static bool
read_uuid(const char *bytes, pg_uuid_t *uuid)
{
	int			n = 0;

	for (int i = 0; i < 36; i++)
	{
		char		c = bytes[i];
		int			digit;

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (c != '-')
				return false;
			continue;
		}
		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10;
		else
			return false;
		if (n % 2 == 0)
			uuid->data[n / 2] = (unsigned char) (digit << 4);
		else
			uuid->data[n / 2] |= (unsigned char) digit;
		n++;
	}
	return true;
}

/* "2026-01-31" as a date. */
static bool
read_date(const char *bytes, Datum *value)
{
	Datum		year;
	Datum		month;
	Datum		day;

	if (bytes[4] != '-' || bytes[7] != '-' || !read_integer(bytes, 4, &year) ||
		!read_integer(bytes + 5, 2, &month) || !read_integer(bytes + 8, 2, &day))
		return false;
	*value = Int32GetDatum(date2j((int) DatumGetInt64(year), (int) DatumGetInt64(month),
								  (int) DatumGetInt64(day)) - POSTGRES_EPOCH_JDATE);
	return true;
}

/*
 * A text that a generic plan will read as another type, as for $1::uuid.  The
 * usual ways of writing are read here: a type's own function may fail.
 */
static bool
read_as(PgvWalk *walk, Oid target, Oid *type, Datum *value)
{
	const char *bytes;
	Size		len;

	if (pgv_value_family(*type) != PGV_FAMILY_TEXT || !plain_varlena(*value, &bytes, &len))
		return false;
	switch (pgv_value_family(target))
	{
		case PGV_FAMILY_INTEGER:
			*type = INT8OID;
			return len > 0 && len < 19 && read_integer(bytes, len, value);
		case PGV_FAMILY_UUID:
			*type = UUIDOID;
			*value = UUIDPGetDatum(&walk->uuid);
			return len == 36 && read_uuid(bytes, &walk->uuid);
		case PGV_FAMILY_DATE:
			*type = DATEOID;
			return len == 10 && read_date(bytes, value);
		default:
			return false;
	}
}

/*
 * What is inside a cast between integers, as a generic plan has it around a
 * parameter.
 */
static Node *
strip_integer_cast(Node *node)
{
	node = strip_relabel(node);
	if (node != NULL && IsA(node, FuncExpr) &&
		((FuncExpr *) node)->funcformat != COERCE_EXPLICIT_CALL &&
		list_length(((FuncExpr *) node)->args) == 1 &&
		pgv_value_family(((FuncExpr *) node)->funcresulttype) == PGV_FAMILY_INTEGER)
	{
		Node	   *inside = strip_relabel(linitial(((FuncExpr *) node)->args));

		if (pgv_value_family(exprType(inside)) == PGV_FAMILY_INTEGER)
			return inside;
	}
	return node;
}

/* The value of an operand that is known before the query runs. */
static bool
known_value(PgvWalk *walk, Node *node, Oid *type, Datum *value)
{
	node = strip_integer_cast(node);
	if (node == NULL)
		return false;
	if (IsA(node, CoerceViaIO))
	{
		CoerceViaIO *cast = (CoerceViaIO *) node;

		node = strip_relabel((Node *) cast->arg);
		return node != NULL && IsA(node, Param) &&
			parameter_value(walk->query->params, (Param *) node, type, value) &&
			read_as(walk, pgv_value_base_type(cast->resulttype), type, value);
	}
	if (IsA(node, Const))
	{
		Const	   *c = (Const *) node;

		*type = pgv_value_base_type(c->consttype);
		*value = c->constvalue;
		return !c->constisnull;
	}
	if (IsA(node, Param))
		return parameter_value(walk->query->params, (Param *) node, type, value);
	return false;
}

/* The table and column of a Var at scan level; partitions give their root's. */
static bool
column_of(PgvWalk *walk, Index relid, AttrNumber attno, PgvPredicate *predicate)
{
	PlannedStmt *stmt = walk->query->plannedstmt;
	RangeTblEntry *rte;
	ListCell   *lc;

	if (attno <= 0 || relid == 0 || relid > list_length(stmt->rtable))
		return false;
	foreach(lc, stmt->appendRelations)
	{
		AppendRelInfo *info = lfirst_node(AppendRelInfo, lc);

		if (info->child_relid != relid)
			continue;
		if (attno > info->num_child_cols || info->parent_colnos[attno - 1] == 0)
			return false;
		return column_of(walk, info->parent_relid,
						 info->parent_colnos[attno - 1], predicate);
	}
	rte = rt_fetch(relid, stmt->rtable);
	if (rte->rtekind != RTE_RELATION)
		return false;
	predicate->relid = rte->relid;
	predicate->attno = attno;
	return true;
}

/* The only element of an array, which must not be NULL. */
static bool
only_element(Datum value, Oid *type, Datum *element)
{
	ArrayType  *array;
	int16		typlen;
	bool		byval;
	char		align;

	if (VARATT_IS_EXTENDED(DatumGetPointer(value)))
		return false;
	array = (ArrayType *) DatumGetPointer(value);
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != 1 || ARR_HASNULL(array))
		return false;
	*type = pgv_value_base_type(ARR_ELEMTYPE(array));
	if (pgv_value_family(*type) == PGV_FAMILY_NONE)
		return false;
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &typlen, &byval, &align);
	*element = fetch_att(ARR_DATA_PTR(array), byval, typlen);
	return true;
}

/* The column that an operand is; index_tlist maps those of an index. */
static bool
operand_column(PgvWalk *walk, Node *node, Index scanrelid, List *index_tlist,
			   PgvPredicate *predicate)
{
	Var		   *var = (Var *) node;

	if (node == NULL || !IsA(node, Var))
		return false;
	if (var->varno == INDEX_VAR)
	{
		TargetEntry *tle;

		if (var->varattno <= 0 || var->varattno > list_length(index_tlist))
			return false;
		tle = list_nth_node(TargetEntry, index_tlist, var->varattno - 1);
		if (!IsA(tle->expr, Var))
			return false;
		var = (Var *) tle->expr;
	}
	return (Index) var->varno == scanrelid &&
		column_of(walk, scanrelid, var->varattno, predicate);
}

/* Take "column = value", either way round, into the list. */
static void
take_equality(PgvWalk *walk, OpExpr *op, Index scanrelid, List *index_tlist)
{
	PgvPredicate *predicate = &walk->predicates[walk->n];
	Node	   *column;
	Node	   *operand;
	Oid			type;
	Datum		value;

	if (!is_equality(op->opno) || list_length(op->args) != 2)
		return;
	column = strip_relabel(linitial(op->args));
	operand = strip_relabel(lsecond(op->args));
	if (column == NULL || !IsA(column, Var))
	{
		Node	   *swap = column;

		column = operand;
		operand = swap;
	}
	if (!known_value(walk, operand, &type, &value) ||
		!operand_column(walk, column, scanrelid, index_tlist, predicate) ||
		!pgv_value_hash(type, value, &predicate->hash))
		return;
	predicate->family = (uint8) pgv_value_family(type);
	predicate->either = false;
	walk->n++;
}

/* Take "column = ANY (array of one)" into the list. */
static void
take_any(PgvWalk *walk, ScalarArrayOpExpr *op, Index scanrelid, List *index_tlist)
{
	PgvPredicate *predicate = &walk->predicates[walk->n];
	Oid			type;
	Datum		value;

	if (!op->useOr || !is_equality(op->opno) ||
		!known_value(walk, strip_relabel(lsecond(op->args)), &type, &value) ||
		!only_element(value, &type, &value) ||
		!operand_column(walk, strip_relabel(linitial(op->args)), scanrelid,
						index_tlist, predicate) ||
		!pgv_value_hash(type, value, &predicate->hash))
		return;
	predicate->family = (uint8) pgv_value_family(type);
	predicate->either = false;
	walk->n++;
}

/* Take "a = value or b = value", all of one value, as the first of them. */
static void
take_or(PgvWalk *walk, BoolExpr *clause, Index scanrelid, List *index_tlist)
{
	int			n = walk->n;
	ListCell   *lc;

	if (n + 2 > PGV_MAX_PREDICATES)
		return;
	foreach(lc, clause->args)
	{
		bool		first = (walk->n == n);

		if (IsA(lfirst(lc), OpExpr))
			take_equality(walk, lfirst_node(OpExpr, lc), scanrelid, index_tlist);
		if (walk->n != n + (first ? 1 : 2) ||
			walk->predicates[n].hash != walk->predicates[walk->n - 1].hash ||
			walk->predicates[n].family != walk->predicates[walk->n - 1].family)
		{
			walk->n = n;
			return;
		}
		walk->n = n + 1;
	}
	walk->predicates[n].either = true;
}

static void
take_quals(PgvWalk *walk, List *quals, Index scanrelid, List *index_tlist)
{
	ListCell   *lc;

	foreach(lc, quals)
	{
		Node	   *clause = lfirst(lc);

		if (walk->n >= PGV_MAX_PREDICATES)
			return;
		if (IsA(clause, OpExpr))
			take_equality(walk, (OpExpr *) clause, scanrelid, index_tlist);
		else if (IsA(clause, ScalarArrayOpExpr))
			take_any(walk, (ScalarArrayOpExpr *) clause, scanrelid, index_tlist);
		else if (IsA(clause, BoolExpr) && ((BoolExpr *) clause)->boolop == OR_EXPR)
			take_or(walk, (BoolExpr *) clause, scanrelid, index_tlist);
	}
}

static void walk_plan(PgvWalk *walk, Plan *plan);

static void
walk_plans(PgvWalk *walk, List *plans)
{
	ListCell   *lc;

	foreach(lc, plans)
		walk_plan(walk, (Plan *) lfirst(lc));
}

static void
walk_plan(PgvWalk *walk, Plan *plan)
{
	Index		relid;
	List	   *tlist = NIL;

	if (plan == NULL || walk->n >= PGV_MAX_PREDICATES ||
		++walk->nodes > PGV_MAX_NODES)
		return;
	switch (nodeTag(plan))
	{
		case T_IndexScan:
			relid = ((Scan *) plan)->scanrelid;
			take_quals(walk, ((IndexScan *) plan)->indexqualorig, relid, NIL);
			break;
		case T_IndexOnlyScan:
			relid = ((Scan *) plan)->scanrelid;
			tlist = ((IndexOnlyScan *) plan)->indextlist;
			take_quals(walk, ((IndexOnlyScan *) plan)->indexqual, relid, tlist);
			break;
		case T_BitmapHeapScan:
			relid = ((Scan *) plan)->scanrelid;
			take_quals(walk, ((BitmapHeapScan *) plan)->bitmapqualorig, relid, NIL);
			take_quals(walk, plan->qual, relid, NIL);
			return;
		case T_SeqScan:
		case T_SampleScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_ForeignScan:
			relid = ((Scan *) plan)->scanrelid;
			break;
		case T_SubqueryScan:
			walk_plan(walk, ((SubqueryScan *) plan)->subplan);
			return;
		case T_Append:
			walk_plans(walk, ((Append *) plan)->appendplans);
			return;
		case T_MergeAppend:
			walk_plans(walk, ((MergeAppend *) plan)->mergeplans);
			return;
		default:
			walk_plan(walk, plan->lefttree);
			walk_plan(walk, plan->righttree);
			return;
	}
	take_quals(walk, plan->qual, relid, tlist);
}

/*
 * The values of a row to be inserted, as if its columns were compared with
 * them; or those by which the rows to be inserted are selected.
 */
static void
take_row(PgvWalk *walk, ModifyTable *insert)
{
	Plan	   *source = outerPlan(insert);
	ListCell   *lc;

	if (source == NULL || !IsA(source, Result) || outerPlan(source) != NULL)
	{
		walk_plan(walk, source);
		return;
	}
	foreach(lc, source->targetlist)
	{
		TargetEntry *tle = lfirst_node(TargetEntry, lc);
		PgvPredicate *predicate = &walk->predicates[walk->n];
		Oid			type;
		Datum		value;

		if (walk->n >= PGV_MAX_PREDICATES)
			return;
		if (tle->resjunk ||
			!known_value(walk, (Node *) tle->expr, &type, &value) ||
			!column_of(walk, insert->nominalRelation, tle->resno, predicate) ||
			!pgv_value_hash(type, value, &predicate->hash))
			continue;
		predicate->family = (uint8) pgv_value_family(type);
		predicate->either = false;
		walk->n++;
	}
}

static void
begin_walk(PgvWalk *walk, QueryDesc *query, PgvPredicate *predicates)
{
	Plan	   *plan = query->plannedstmt->planTree;

	walk->query = query;
	walk->predicates = predicates;
	walk->n = 0;
	walk->nodes = 0;
	if (query->operation == CMD_INSERT && IsA(plan, ModifyTable))
		take_row(walk, (ModifyTable *) plan);
	else
		walk_plan(walk, plan);
}

int
pgv_values_own_predicates(QueryDesc *query, PgvPredicate *predicates)
{
	PgvWalk		walk;

	begin_walk(&walk, query, predicates);
	return walk.n;
}

int
pgv_values_predicates(QueryDesc *query, PgvPredicate *predicates)
{
	PgvWalk		walk;

	begin_walk(&walk, query, predicates);
	/* subqueries and CTEs that were not pulled up */
	walk_plans(&walk, query->plannedstmt->subplans);
	return walk.n;
}

/* The bytes of a statement's text, but not of a comment at its end. */
static uint64
mix_text(uint64 sum, QueryDesc *query)
{
	const char *text = query->sourceText;
	Size		len;

	if (text == NULL)
		return sum;
	if (query->plannedstmt->stmt_location > 0)
		text += query->plannedstmt->stmt_location;
	len = query->plannedstmt->stmt_len > 0 ?
		(Size) query->plannedstmt->stmt_len : strlen(text);
	if (len > 4 && memcmp(text + len - 2, "*/", 2) == 0)
	{
		Size		start = len - 2;

		while (start > 1 && !(text[start - 1] == '*' && text[start - 2] == '/'))
			start--;
		if (start > 1)
			len = start - 2;
	}
	return pgv_bytes_mix(sum, text, len);
}

/* Is a value of this type a Datum itself, of the size of a word? */
static inline bool
is_word(Oid type)
{
	switch (type)
	{
		case INT4OID:
		case INT2OID:
		case OIDOID:
		case DATEOID:
			return true;
		case INT8OID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return FLOAT8PASSBYVAL;
		default:
			return false;
	}
}

uint64
pgv_values_parameters(QueryDesc *query)
{
	ParamListInfo params = query->params;
	uint64		sum = hash_key;

	if (params == NULL || params->numParams == 0 || params->paramFetch != NULL)
		return mix_text(sum, query);
	for (int i = 0; i < params->numParams; i++)
	{
		ParamExternData *p = &params->params[i];
		int16		typlen;
		bool		byval;

		if (p->isnull || !OidIsValid(p->ptype))
		{
			sum = pgv_bytes_mix(sum, "", 0);
			continue;
		}
		if (likely(is_word(p->ptype)))
		{
			sum = pgv_bytes_mix(sum, (const char *) &p->value, sizeof(p->value));
			continue;
		}
		/* the usual types without a look into the catalog */
		if (pgv_value_family(p->ptype) != PGV_FAMILY_NONE)
		{
			uint32		hash;

			if (pgv_value_hash(p->ptype, p->value, &hash))
				sum = pgv_bytes_mix(sum, (const char *) &hash, sizeof(hash));
			continue;
		}
		get_typlenbyval(p->ptype, &typlen, &byval);
		sum = pgv_value_mix(sum, p->value, typlen, byval);
	}
	return sum;
}
