/*-------------------------------------------------------------------------
 *
 * limits.c
 *	  The indicators of vitals.health, and their limits.
 *
 * The list of indicators is a constant.  The setting changes limits of some; it
 * is kept parsed, as an array with the limits of all, as the setting's "extra".
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <ctype.h>
#include <math.h>

#include "utils/float.h"

#include "base/limits.h"

#define PGV_MAX_LIMIT_LEN 64	/* of one limit's text */

const PgvIndicator pgv_indicators[] = {
	{"p95_exec_time", "ms", GUC_UNIT_MS, true, {200, 1000}},
	{"p99_exec_time", "ms", GUC_UNIT_MS, true, {1000, 5000}},
	{"error_rate", "%", 0, true, {1, 5}},
	{"cache_hit_ratio", "%", 0, false, {95, 80}},
	{"deadlock_rate", "%", 0, true, {0.1, 1}},
	{"connections_used", "%", 0, true, {80, 95}},
	{"lock_waits", "sessions", 0, true, {5, 20}},
	{"longest_lock_wait", "ms", GUC_UNIT_MS, true, {10000, 60000}},
	{"idle_in_transaction", "sessions", 0, true, {5, 20}},
	{"longest_idle_in_transaction", "ms", GUC_UNIT_MS, true, {60000, 600000}},
	{"oldest_snapshot", "ms", GUC_UNIT_MS, true, {600000, 3600000}},
	{"oldest_xmin", "transactions", 0, true, {10000000, 100000000}},
	{"temp_spill_rate", "bytes/s", GUC_UNIT_BYTE, true, {10485760, 104857600}},
	{"autovacuum_due", "tables", 0, true, {10, 100}},
	{"autovacuum_worst", "%", 0, true, {200, 1000}},
	{"xid_age", "%", 0, true, {120, 400}},
	{"multixact_age", "%", 0, true, {120, 400}},
	{"replication_lag_bytes", "bytes", GUC_UNIT_BYTE, true, {104857600, 1073741824}},
	{"replication_lag", "ms", GUC_UNIT_MS, true, {10000, 60000}},
	{"own_overhead", "ms", GUC_UNIT_MS, true, {0.05, 0.5}},
};

const int	pgv_nindicators = lengthof(pgv_indicators);
const PgvLimits *pgv_limits = NULL;

static const char *
skip_blanks(const char *p)
{
	while (isspace((unsigned char) *p))
		p++;
	return p;
}

/* The indicator whose name the text begins with, or -1; *len is its length. */
static int
indicator_at(const char *p, size_t *len)
{
	*len = 0;
	while (isalnum((unsigned char) p[*len]) || p[*len] == '_')
		(*len)++;
	for (int i = 0; i < pgv_nindicators; i++)
	{
		if (strlen(pgv_indicators[i].name) == *len &&
			memcmp(pgv_indicators[i].name, p, *len) == 0)
			return i;
	}
	return -1;
}

/*
 * Read one limit, which ends at ':', ',' or the end; nothing means none.
 * Returns what follows it, or NULL if it is none.
 */
static const char *
read_limit(const char *p, const PgvIndicator *indicator, double *limit)
{
	char		text[PGV_MAX_LIMIT_LEN];
	size_t		len;
	const char *hint = NULL;

	p = skip_blanks(p);
	len = strcspn(p, ":,");
	*limit = get_float8_nan();
	if (len >= sizeof(text))
		return NULL;
	memcpy(text, p, len);
	text[len] = '\0';
	while (*text != '\0' && isspace((unsigned char) text[strlen(text) - 1]))
		text[strlen(text) - 1] = '\0';
	if (*text != '\0' &&
		(!parse_real(text, limit, indicator->guc_unit, &hint) ||
		 !(*limit >= 0) || isinf(*limit)))
	{
		GUC_check_errdetail("\"%s\" is no limit for \"%s\", which is in %s.",
							text, indicator->name, indicator->unit);
		return NULL;
	}
	return p + len;
}

/* Is what is critical no better than what is worth a warning? */
static bool
in_order(const PgvIndicator *indicator, const PgvLimits *limits)
{
	if (isnan(limits->warning) || isnan(limits->critical))
		return true;
	if (indicator->above ? limits->warning <= limits->critical :
		limits->warning >= limits->critical)
		return true;
	GUC_check_errdetail("The limits of \"%s\" are in the wrong order: first comes that of a warning.",
						indicator->name);
	return false;
}

/* Read "name = warning : critical"; returns what follows it, or NULL. */
static const char *
read_item(const char *p, PgvLimits *limits)
{
	size_t		len;
	int			i = indicator_at(p, &len);
	const char *item = p;

	if (i < 0)
	{
		GUC_check_errdetail("There is no indicator \"%.*s\".", (int) len, p);
		GUC_check_errhint("vitals.health shows all indicators.");
		return NULL;
	}
	p = skip_blanks(p + len);
	if (*p == '=')
		p = read_limit(p + 1, &pgv_indicators[i], &limits[i].warning);
	else
		p = NULL;
	if (p != NULL && *p == ':')
		p = read_limit(p + 1, &pgv_indicators[i], &limits[i].critical);
	else
		p = NULL;
	if (p == NULL || *p == ':')
	{
		if (GUC_check_errdetail_string == NULL)
			GUC_check_errdetail("\"%.*s\" is not of the form name = warning : critical.",
								(int) strcspn(item, ","), item);
		return NULL;
	}
	return in_order(&pgv_indicators[i], &limits[i]) ? p : NULL;
}

bool
pgv_limits_check(char **newval, void **extra, GucSource source)
{
	PgvLimits  *limits = guc_malloc(LOG, sizeof(PgvLimits) * lengthof(pgv_indicators));
	const char *p = skip_blanks(*newval);

	if (limits == NULL)
		return false;
	for (int i = 0; i < pgv_nindicators; i++)
		limits[i] = pgv_indicators[i].limits;
	while (p != NULL && *p != '\0')
	{
		p = read_item(p, limits);
		if (p != NULL && *p == ',')
			p = skip_blanks(p + 1);
	}
	if (p == NULL)
	{
		guc_free(limits);
		return false;
	}
	*extra = limits;
	return true;
}

void
pgv_limits_assign(const char *newval, void *extra)
{
	pgv_limits = extra;
}
