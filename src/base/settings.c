/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  Every setting of pg_vitals: one row each, defined in one place.
 *
 * The list of applications to ignore is kept parsed (a run of NUL-terminated
 * names ended by an empty one) as the setting's "extra", so that asking is a
 * few comparisons and never an allocation.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <limits.h>

#include "base/limits.h"
#include "base/settings.h"

PGV_HOT_DATA bool pgv_enabled = true;
PGV_HOT_DATA int pgv_track = PGV_TRACK_TOP;
int			pgv_max_statements = 5000;
int			pgv_text_memory_kb = 16384;
PGV_HOT_DATA bool pgv_track_plans = true;
int			pgv_max_plans = 2500;
PGV_HOT_DATA bool pgv_n_plus_one = true;
int			pgv_n_plus_one_min_repeats = 5;
PGV_HOT_DATA int pgv_n_plus_one_max_gap_ms = 250;
int			pgv_n_plus_one_sample_rows = 64;
PGV_HOT_DATA int pgv_n_plus_one_action = PGV_ACTION_OFF;
PGV_HOT_DATA bool pgv_n_plus_one_across_sessions = false;
PGV_HOT_DATA bool pgv_track_resources = true;
double		pgv_max_overhead = 2.0;
int			pgv_persist_interval_s = 60;
PGV_HOT_DATA int pgv_sample_interval_ms = 10;
int			pgv_window_memory_kb = 12288;
int			pgv_slow_threshold_ms = 1000;
int			pgv_max_slow_statements = 500;
bool		pgv_slow_log = false;
bool		pgv_slow_parameters = false;
bool		pgv_count_rows = true;
PGV_HOT_DATA double pgv_slow_look_ms = 10.0;

#define PGV_LOOK_MS 10.0		/* what is shorter is not worth a look */

static bool all_defined = false;
static char *ignore_applications = NULL;
static char *health_limits = NULL;
PGV_HOT_DATA const char *pgv_ignored_applications = NULL;

static const struct config_enum_entry track_options[] = {
	{"none", PGV_TRACK_NONE, false},
	{"top", PGV_TRACK_TOP, false},
	{"all", PGV_TRACK_ALL, false},
	{NULL, 0, false}
};

static const struct config_enum_entry action_options[] = {
	{"off", PGV_ACTION_OFF, false},
	{"log", PGV_ACTION_LOG, false},
	{"notice", PGV_ACTION_NOTICE, false},
	{"warning", PGV_ACTION_WARNING, false},
	{"error", PGV_ACTION_ERROR, false},
	{NULL, 0, false}
};

/*
 * Copy one name of the list, without the blanks around it, behind "dst".
 * Returns the place behind its NUL, or dst where the name is empty.
 */
static char *
copy_name(char *dst, const char *name, size_t len)
{
	while (len > 0 && (*name == ' ' || *name == '\t'))
	{
		name++;
		len--;
	}
	while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '\t'))
		len--;
	if (len == 0)
		return dst;
	memcpy(dst, name, len);
	dst[len] = '\0';
	return dst + len + 1;
}

static bool
check_ignore_applications(char **newval, void **extra, GucSource source)
{
	const char *p = *newval;
	char	   *names = guc_malloc(LOG, strlen(p) + 2);
	char	   *dst = names;

	if (names == NULL)
		return false;
	while (*p != '\0')
	{
		size_t		len = strcspn(p, ",");

		dst = copy_name(dst, p, len);
		p += len;
		if (*p == ',')
			p++;
	}
	*dst = '\0';
	*extra = names;
	return true;
}

static void
assign_ignore_applications(const char *newval, void *extra)
{
	const char *names = extra;

	pgv_ignored_applications = (names != NULL && *names != '\0') ? names : NULL;
}

bool
pgv_settings_names(const char *application)
{
	const char *name;

	if (pgv_ignored_applications == NULL || application == NULL)
		return false;
	for (name = pgv_ignored_applications; *name != '\0'; name += strlen(name) + 1)
	{
		if (strcmp(name, application) == 0)
			return true;
	}
	return false;
}

/*
 * Ask the server for queryids when they are wanted: a server that is started
 * with pg_vitals.enabled = off does not compute them for us.
 */
static void
assign_enabled(bool newval, void *extra)
{
	if (newval && all_defined)
		EnableQueryId();
}

static void
define_collection(void)
{
	DefineCustomBoolVariable("pg_vitals.enabled",
							 "Collects statistics.",
							 "Off, the library costs one test in each hook.",
							 &pgv_enabled, true,
							 PGC_SUSET, 0, NULL, assign_enabled, NULL);
	DefineCustomEnumVariable("pg_vitals.track",
							 "Selects which statements are counted.",
							 "\"top\" counts what clients send, \"all\" also the statements inside functions.",
							 &pgv_track, PGV_TRACK_TOP, track_options,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("pg_vitals.track_resources",
							 "Measures CPU, kernel I/O and memory of a sample of the executions.",
							 NULL,
							 &pgv_track_resources, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_vitals.max_statements",
							"Sets how many different statements are kept.",
							"The counters of those pushed out are added to the rows <evicted>.",
							&pgv_max_statements, 5000, 100, 1000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_vitals.text_memory",
							"Sets the memory for the texts of statements.",
							"When it is full, new statements are counted without their text.",
							&pgv_text_memory_kb, 16384, 1024, MAX_KILOBYTES,
							PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomStringVariable("pg_vitals.ignore_applications",
							   "Lists application names that are left alone.",
							   "Names are separated by commas and compared with application_name.",
							   &ignore_applications, "",
							   PGC_SUSET, 0,
							   check_ignore_applications,
							   assign_ignore_applications, NULL);
	DefineCustomIntVariable("pg_vitals.persist_interval",
							"Sets how often the statistics are written to disk.",
							"Zero writes them at a clean shutdown only.",
							&pgv_persist_interval_s, 60, 0, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomRealVariable("pg_vitals.max_overhead",
							 "Sets how many percent of a session's time pg_vitals may take.",
							 "Above it, a share of the statements is looked at for N+1 patterns; all are counted. Zero sets no limit.",
							 &pgv_max_overhead, 2.0, 0.0, 100.0,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}

static void
define_plans(void)
{
	DefineCustomBoolVariable("pg_vitals.track_plans",
							 "Counts executions by the plan they had.",
							 "The plans that repeat, and the slow ones, are explained once.",
							 &pgv_track_plans, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_vitals.max_plans",
							"Sets how many different plans are kept.",
							"The counters of those pushed out are added to the rows <evicted>.",
							&pgv_max_plans, 2500, 100, 1000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
}

static void
define_n_plus_one(void)
{
	DefineCustomBoolVariable("pg_vitals.n_plus_one",
							 "Looks for N+1 patterns and repeated identical statements.",
							 NULL,
							 &pgv_n_plus_one, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_vitals.n_plus_one_min_repeats",
							"Sets how many repeats make a finding.",
							NULL,
							&pgv_n_plus_one_min_repeats, 5, 2, 1000,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_vitals.n_plus_one_max_gap",
							"Sets the idle time that ends a burst of repeats.",
							NULL,
							&pgv_n_plus_one_max_gap_ms, 250, 1, 60000,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_vitals.n_plus_one_sample_rows",
							"Sets how many rows of a result are remembered.",
							"Beyond 64, fewer columns of each result are remembered.",
							&pgv_n_plus_one_sample_rows, 64, 8, 256,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("pg_vitals.n_plus_one_action",
							 "Tells the session that makes an N+1 at once.",
							 "At \"error\" the statement that crosses the threshold fails with SQLSTATE VT001.",
							 &pgv_n_plus_one_action, PGV_ACTION_OFF, action_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("pg_vitals.n_plus_one_across_sessions",
							 "Looks for N+1 patterns whose repeats are spread over several sessions.",
							 "The sessions are of one database, role, application_name and client address.",
							 &pgv_n_plus_one_across_sessions, false,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
}

static void
define_sampling(void)
{
	DefineCustomIntVariable("pg_vitals.sample_interval",
							"Sets how often is looked at what every session is doing.",
							"Zero does not look at all: no waits are collected.",
							&pgv_sample_interval_ms, 10, 0, 10000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
}

static void
assign_slow_threshold(int newval, void *extra)
{
	pgv_slow_look_ms = PGV_LOOK_MS;
	/* an execution of exactly so long is slow, too */
	if (newval >= 0)
		pgv_slow_look_ms = Min(pgv_slow_look_ms, newval - 0.001);
}

static void
define_slow(void)
{
	DefineCustomIntVariable("pg_vitals.slow_threshold",
							"Sets how long an execution takes that is recorded by itself.",
							"Zero records all executions, -1 none.",
							&pgv_slow_threshold_ms, 1000, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, assign_slow_threshold, NULL);
	DefineCustomIntVariable("pg_vitals.max_slow_statements",
							"Sets how many slow executions are kept.",
							"New ones take the place of the oldest. Zero keeps none.",
							&pgv_max_slow_statements, 500, 0, 1000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("pg_vitals.slow_log",
							 "Writes a line to the server log for each slow execution.",
							 "The line has a JSON object, without constants and values of parameters.",
							 &pgv_slow_log, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("pg_vitals.slow_parameters",
							 "Keeps the values of parameters of slow executions.",
							 "They are shown to superusers and to the role that executed the statement.",
							 &pgv_slow_parameters, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("pg_vitals.count_rows",
							 "Counts the rows of plan nodes in a share of the executions of suspicious statements.",
							 NULL,
							 &pgv_count_rows, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}

static void
define_health(void)
{
	DefineCustomIntVariable("pg_vitals.window_memory",
							"Sets the memory for windows of the last hours.",
							"The less there is, the fewer statements have a row of their own in each window.  Zero keeps no windows.",
							&pgv_window_memory_kb, 12288, 0, MAX_KILOBYTES,
							PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomStringVariable("pg_vitals.health_limits",
							   "Sets limits of the indicators in vitals.health.",
							   "A list of name = warning : critical, separated by commas.",
							   &health_limits, "",
							   PGC_USERSET, 0,
							   pgv_limits_check, pgv_limits_assign, NULL);
}

void
pgv_settings_define(void)
{
	define_collection();
	define_sampling();
	define_plans();
	define_n_plus_one();
	define_slow();
	define_health();
	MarkGUCPrefixReserved("pg_vitals");
	all_defined = true;
	assign_enabled(pgv_enabled, NULL);
}
