/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  Rows for set-returning functions, and who may see what.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "surface/rows.h"

static bool loaded = false;

void
pgv_surface_set_loaded(void)
{
	loaded = true;
}

void
pgv_require_preload(void)
{
	if (!loaded)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_vitals must be loaded via \"shared_preload_libraries\""),
				 errhint("Add pg_vitals to shared_preload_libraries in postgresql.conf and restart the server.")));
}

void
pgv_rows_begin(PgvRows *rows, FunctionCallInfo fcinfo)
{
	pgv_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	rows->info = (ReturnSetInfo *) fcinfo->resultinfo;
	rows->desc = rows->info->setDesc;
	rows->values = palloc0(rows->desc->natts * sizeof(Datum));
	rows->nulls = palloc(rows->desc->natts * sizeof(bool));
	rows->last = -1;
	memset(rows->nulls, true, rows->desc->natts * sizeof(bool));
}

/* As columns are set about in their order, it is most often the one after the last. */
static int
column_named(PgvRows *rows, const char *name)
{
	int			i = rows->last;

	for (int n = rows->desc->natts; n > 0; n--)
	{
		const char *candidate;

		i = i + 1 < rows->desc->natts ? i + 1 : 0;
		candidate = NameStr(TupleDescAttr(rows->desc, i)->attname);
		if (candidate[0] == name[0] && strcmp(candidate, name) == 0)
		{
			rows->last = i;
			return i;
		}
	}
	return -1;
}

void
pgv_row_set(PgvRows *rows, const char *name, Datum value)
{
	int			i = column_named(rows, name);

	if (i < 0)
		return;
	rows->values[i] = value;
	rows->nulls[i] = false;
}

void
pgv_row_set_text(PgvRows *rows, const char *name, const char *text)
{
	if (text != NULL)
		pgv_row_set(rows, name, CStringGetTextDatum(text));
}

static void
set_field(PgvRows *rows, int column, const PgvField *field, const char *at)
{
	bool		null = false;

	switch (field->type)
	{
		case PGV_INT64:
			rows->values[column] = Int64GetDatum(*(const int64 *) at);
			break;
		case PGV_UINT64:
			rows->values[column] = Int64GetDatum((int64) *(const uint64 *) at);
			null = (*(const uint64 *) at == 0);
			break;
		case PGV_FLOAT8:
			rows->values[column] = Float8GetDatum(*(const double *) at);
			break;
		case PGV_TIMESTAMPTZ:
			rows->values[column] = TimestampTzGetDatum(*(const TimestampTz *) at);
			null = (*(const TimestampTz *) at == 0);
			break;
	}
	rows->nulls[column] = null;
}

void
pgv_row_set_fields(PgvRows *rows, const PgvField *fields, int n,
				   const void *structure)
{
	for (int i = 0; i < n; i++)
	{
		int			column = column_named(rows, fields[i].name);

		if (column >= 0)
			set_field(rows, column, &fields[i],
					  (const char *) structure + fields[i].offset);
	}
}

/*
 * Clocks tell nanoseconds, so what a number has behind its sixth decimal is the
 * noise of adding up.  -0 becomes 0.
 */
static double
without_noise(double x)
{
	return fabs(x) < 1e9 ? rint(x * 1e6) / 1e6 + 0.0 : x;
}

void
pgv_row_emit(PgvRows *rows)
{
	for (int i = 0; i < rows->desc->natts; i++)
	{
		if (TupleDescAttr(rows->desc, i)->atttypid == FLOAT8OID && !rows->nulls[i])
			rows->values[i] = Float8GetDatum(without_noise(DatumGetFloat8(rows->values[i])));
	}
	tuplestore_putvalues(rows->info->setResult, rows->desc,
						 rows->values, rows->nulls);
	memset(rows->nulls, true, rows->desc->natts * sizeof(bool));
}

bool
pgv_may_see(Oid userid)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
		(OidIsValid(userid) && has_privs_of_role(GetUserId(), userid));
}
