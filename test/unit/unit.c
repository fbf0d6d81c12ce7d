/*-------------------------------------------------------------------------
 *
 * unit.c
 *	  The program of the unit tests: the list of case files, and what they
 *	  share.
 *
 *	unit				run all, one line for each case file
 *	unit NAME...		run these
 *	unit --bench		measure instead
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct CaseFile
{
	const char *name;
	void		(*run) (void);
} CaseFile;

static const CaseFile case_files[] = {
	{"histogram", pgv_unit_histogram},
	{"distinct", pgv_unit_distinct},
	{"shape", pgv_unit_shape},
	{"scanner", pgv_unit_scanner},
	{"literals", pgv_unit_literals},
	{"clauses", pgv_unit_clauses},
	{"lists", pgv_unit_lists},
	{"utility", pgv_unit_utility},
	{"inner", pgv_unit_inner},
	{"orm", pgv_unit_orm},
	{"fingerprints", pgv_unit_fingerprints},
	{"output", pgv_unit_output},
	{"random_texts", pgv_unit_random_texts},
	{"long_texts", pgv_unit_long_texts},
	{"tags_places", pgv_unit_tags_places},
	{"tags_pairs", pgv_unit_tags_pairs},
	{"tags_use", pgv_unit_tags_use},
	{"tags_random", pgv_unit_tags_random},
	{"statfile", pgv_unit_statfile}
};

#ifdef USE_ASSERT_CHECKING
/* With the headers of a server that has assertions, ours need its answer to one. */
void
ExceptionalCondition(const char *condition,
#if PG_VERSION_NUM < 160000
					 const char *type,
#endif
					 const char *file, int line)
{
	printf("%s:%d: assertion failed: %s\n", file, line, condition);
	abort();
}
#endif

/* Failures told of in full; a broken loop should not fill the log. */
#define MAX_TOLD	20

static int	checks;
static int	failures;

bool
pgv_unit_check(bool held, const char *file, int line, const char *format,...)
{
	va_list		args;

	checks++;
	if (held || ++failures > MAX_TOLD)
		return held;
	printf("%s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	return false;
}

/* xorshift64* */
uint64
pgv_unit_random(uint64 below)
{
	static uint64 state = UINT64CONST(0x9e3779b97f4a7c15);

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * UINT64CONST(0x2545f4914f6cdd1d) >> 11) % below;
}

double
pgv_unit_cpu_seconds(void)
{
	return (double) clock() / CLOCKS_PER_SEC;
}

uint64
pgv_unit_fingerprint(const char *sql)
{
	PgvSqlNormal out;

	pgv_sqltext_normalise(sql, (int) strlen(sql), true, NULL, 0, &out);
	return out.fingerprint;
}

void
pgv_unit_check_text(const char *file, int line, bool std_strings,
					const char *sql, const char *text)
{
	char		dst[4096];
	PgvSqlNormal out;

	pgv_sqltext_normalise(sql, (int) strlen(sql), std_strings,
						  dst, sizeof(dst), &out);
	pgv_unit_check(strcmp(dst, text) == 0 && out.len == (int) strlen(text) &&
				   !out.truncated, file, line,
				   "\n\tstatement: %s\n\texpected:  %s\n\tgot:       %s",
				   sql, text, dst);
}

void
pgv_unit_check_same(const char *file, int line, const SameCase *same)
{
	uint64		first = pgv_unit_fingerprint(same->sql[0]);

	for (int i = 1; i < (int) lengthof(same->sql) && same->sql[i] != NULL; i++)
		pgv_unit_check(pgv_unit_fingerprint(same->sql[i]) == first, file, line,
					   "different fingerprints:\n\t%s\n\t%s",
					   same->sql[0], same->sql[i]);
}

/* Was the case file asked for? */
static bool
wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		if (strcmp(name, argv[i]) == 0)
			return true;
	}
	return argc < 2;
}

int
main(int argc, char **argv)
{
	int			failed = 0;
	int			ran = 0;

	if (argc == 2 && strcmp(argv[1], "--bench") == 0)
	{
		pgv_unit_bench();
		pgv_unit_tags_bench();
		return 0;
	}
	for (int i = 0; i < (int) lengthof(case_files); i++)
	{
		if (!wanted(case_files[i].name, argc, argv))
			continue;
		checks = failures = 0;
		case_files[i].run();
		if (failures > MAX_TOLD)
			printf("... and %d more\n", failures - MAX_TOLD);
		/* a case file that checks nothing tests nothing */
		if (failures > 0 || checks == 0)
		{
			printf("not ok %s: %d of %d checks failed\n",
				   case_files[i].name, failures, checks);
			failed++;
		}
		else
			printf("ok %s (%d checks)\n", case_files[i].name, checks);
		fflush(stdout);
		ran++;
	}
	return failed > 0 || ran == 0;
}
