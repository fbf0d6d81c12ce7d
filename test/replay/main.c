/*
 * main.c
 *	  Command line of the replay client.
 *
 * PgvArguments is what the options say; the three modes (list, replay, score)
 * take from it what they need.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "score.h"
#include "util.h"

typedef struct PgvArguments
{
	PgvPlayOptions play;
	PgvScoreOptions score;
	PgvStrings	ids;			/* wanted scenarios; none: all */
	long		repeat;
	bool		list;
	bool		do_score;
} PgvArguments;

enum
{
	OPT_CONNINFO = 256,
	OPT_CONTROL_CONNINFO,
	OPT_SCENARIO,
	OPT_REPEAT,
	OPT_SPEED,
	OPT_LIST,
	OPT_APPLICATION_NAME,
	OPT_QUIET,
	OPT_EXTENDED_NAMED,
	OPT_AS_SIMPLE,
	OPT_SCORE,
	OPT_KINDS,
	OPT_VERBOSE,
	OPT_MIN_PRECISION,
	OPT_MIN_RECALL,
	OPT_MIN_PARENTS,
	OPT_MIN_EXACT_N,
	OPT_MAX_EMPTY_FINDINGS,
	OPT_HELP
};

static const struct option long_options[] = {
	{"conninfo", required_argument, NULL, OPT_CONNINFO},
	{"control-conninfo", required_argument, NULL, OPT_CONTROL_CONNINFO},
	{"scenario", required_argument, NULL, OPT_SCENARIO},
	{"repeat", required_argument, NULL, OPT_REPEAT},
	{"speed", required_argument, NULL, OPT_SPEED},
	{"list", no_argument, NULL, OPT_LIST},
	{"application-name", required_argument, NULL, OPT_APPLICATION_NAME},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"extended-named", no_argument, NULL, OPT_EXTENDED_NAMED},
	{"as-simple", no_argument, NULL, OPT_AS_SIMPLE},
	{"score", no_argument, NULL, OPT_SCORE},
	{"kinds", required_argument, NULL, OPT_KINDS},
	{"verbose", no_argument, NULL, OPT_VERBOSE},
	{"min-precision", required_argument, NULL, OPT_MIN_PRECISION},
	{"min-recall", required_argument, NULL, OPT_MIN_RECALL},
	{"min-parents", required_argument, NULL, OPT_MIN_PARENTS},
	{"min-exact-n", required_argument, NULL, OPT_MIN_EXACT_N},
	{"max-empty-findings", required_argument, NULL, OPT_MAX_EMPTY_FINDINGS},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0}
};

static const char usage_text[] =
"Usage: replay [OPTION]... FILE...\n"
"Replays the scenarios of FILE (one JSON object a line) over the wire.\n"
"\n"
"  --conninfo=STRING          server of the sessions (default: PG* environment)\n"
"  --control-conninfo=STRING  superuser for setup, teardown and scoring\n"
"                             (default: as --conninfo)\n"
"  --scenario=ID[,ID...]      only these\n"
"  --repeat=N                 play everything N times\n"
"  --speed=F                  divide gaps of 5 ms and more by F, down to 5 ms\n"
"  --application-name=NAME    of the sessions (default: replay)\n"
"  --extended-named           extended protocol with named prepared statements\n"
"  --as-simple                parameters as literals, in the simple protocol\n"
"  --list                     print the scenarios and stop\n"
"  --quiet                    no line for each scenario, no notices\n"
"\n"
"  --score                    compare vitals.n_plus_one with what is expected\n"
"  --kinds=KIND[,KIND...]     score only these kinds\n"
"  --verbose                  print every finding\n"
"  --min-precision=F          thresholds (0.95)\n"
"  --min-recall=F             (0.90)\n"
"  --min-parents=F            (0.95)\n"
"  --min-exact-n=F            (0.90)\n"
"  --max-empty-findings=N     (0)\n";

/* Parts of a text between commas. */
static PgvStrings
split(const char *rest)
{
	PgvStrings	list = {0, NULL};

	while (*rest)
	{
		size_t		length = strcspn(rest, ",");

		list.values = pgv_realloc(list.values, (size_t) (list.n + 1) * sizeof(char *));
		list.values[list.n++] = pgv_strndup(rest, length);
		rest += length;
		rest += *rest == ',';
	}
	return list;
}

/* A finite number of at least minimum, or the end of the program. */
static double
number(const char *option, double minimum)
{
	char	   *end;
	double		value = strtod(optarg, &end);

	if (end == optarg || *end != '\0' || !isfinite(value) || value < minimum)
		pgv_fatal("--%s: wrong value \"%s\"", option, optarg);
	return value;
}

static long
whole_number(const char *option, long minimum)
{
	char	   *end;
	long		value;

	errno = 0;
	value = strtol(optarg, &end, 10);
	if (end == optarg || *end != '\0' || errno != 0 || value < minimum)
		pgv_fatal("--%s: wrong value \"%s\"", option, optarg);
	return value;
}

static void
set_wire(PgvArguments *args, PgvWire wire)
{
	if (args->play.wire != PGV_WIRE_RECORDED && args->play.wire != wire)
		pgv_fatal("--extended-named and --as-simple exclude each other");
	args->play.wire = wire;
}

/* Options of scoring; false: it is none of them. */
static bool
set_score_option(PgvArguments *args, int option)
{
	switch (option)
	{
		case OPT_SCORE:
			args->do_score = true;
			return true;
		case OPT_KINDS:
			args->score.kinds = split(optarg);
			return true;
		case OPT_VERBOSE:
			args->score.verbose = true;
			return true;
		case OPT_MIN_PRECISION:
			args->score.min_precision = number("min-precision", 0);
			return true;
		case OPT_MIN_RECALL:
			args->score.min_recall = number("min-recall", 0);
			return true;
		case OPT_MIN_PARENTS:
			args->score.min_parents = number("min-parents", 0);
			return true;
		case OPT_MIN_EXACT_N:
			args->score.min_exact_n = number("min-exact-n", 0);
			return true;
		case OPT_MAX_EMPTY_FINDINGS:
			args->score.max_empty_findings = whole_number("max-empty-findings", 0);
			return true;
	}
	return false;
}

static void
set_option(PgvArguments *args, int option)
{
	switch (option)
	{
		case OPT_CONNINFO:
			args->play.conninfo = optarg;
			break;
		case OPT_CONTROL_CONNINFO:
			args->play.control_conninfo = optarg;
			break;
		case OPT_SCENARIO:
			args->ids = split(optarg);
			break;
		case OPT_REPEAT:
			args->repeat = whole_number("repeat", 1);
			break;
		case OPT_SPEED:
			args->play.speed = number("speed", 0.001);
			break;
		case OPT_LIST:
			args->list = true;
			break;
		case OPT_APPLICATION_NAME:
			args->play.application_name = optarg;
			break;
		case OPT_QUIET:
			args->play.quiet = true;
			break;
		case OPT_EXTENDED_NAMED:
			set_wire(args, PGV_WIRE_NAMED);
			break;
		case OPT_AS_SIMPLE:
			set_wire(args, PGV_WIRE_LITERAL);
			break;
		case OPT_HELP:
			fputs(usage_text, stdout);
			exit(0);
		default:
			if (!set_score_option(args, option))
			{
				fputs(usage_text, stderr);
				exit(PGV_EXIT_TROUBLE);
			}
	}
}

static PgvArguments
read_arguments(int argc, char **argv)
{
	PgvArguments args = {
		.play.conninfo = "",
		.play.application_name = "replay",
		.play.speed = 1,
		.score.min_precision = 0.95,
		.score.min_recall = 0.90,
		.score.min_parents = 0.95,
		.score.min_exact_n = 0.90,
		.repeat = 1,
	};
	int			option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		set_option(&args, option);
	if (args.play.control_conninfo == NULL)
		args.play.control_conninfo = args.play.conninfo;
	if (args.do_score && args.repeat != 1)
		pgv_fatal("--score and --repeat exclude each other");
	if (optind == argc)
		pgv_fatal("no file of scenarios given; see --help");
	return args;
}

/* The wanted scenarios in the order of the files, or of --scenario. */
static const PgvScenario **
select_scenarios(const PgvCorpus *corpus, const PgvStrings *ids, int *n)
{
	const PgvScenario **chosen;

	*n = ids->n > 0 ? ids->n : corpus->n;
	chosen = pgv_alloc((size_t) (*n + 1) * sizeof(PgvScenario *));
	for (int i = 0; i < *n; i++)
	{
		chosen[i] = ids->n > 0 ? pgv_corpus_find(corpus, ids->values[i])
			: &corpus->scenarios[i];
		if (chosen[i] == NULL)
			pgv_fatal("there is no scenario \"%s\"", ids->values[i]);
	}
	if (*n == 0)
		pgv_fatal("there are no scenarios");
	return chosen;
}

static void
list_scenarios(const PgvScenario *const *scenarios, int n)
{
	for (int i = 0; i < n; i++)
		printf("%-5s %4d events %2d session%c %2d expected  %s\n", scenarios[i]->id,
			   scenarios[i]->nevents, scenarios[i]->nsessions,
			   scenarios[i]->nsessions == 1 ? ' ' : 's', scenarios[i]->nexpect,
			   scenarios[i]->title);
}

static bool
replay(const PgvArguments *args, const PgvScenario *const *scenarios, int n)
{
	int			errors = 0;

	for (long round = 0; round < args->repeat; round++)
		for (int i = 0; i < n; i++)
		{
			double		start;

			pgv_play_control(&args->play, &scenarios[i]->setup);
			start = pgv_now_ms();
			errors += pgv_play_events(&args->play, scenarios[i], NULL);
			if (!args->play.quiet)
				printf("%-5s %4d events %8.1f ms  %s\n", scenarios[i]->id,
					   scenarios[i]->nevents, pgv_now_ms() - start, scenarios[i]->title);
			fflush(stdout);
			pgv_play_control(&args->play, &scenarios[i]->teardown);
		}
	return errors == 0;
}

int
main(int argc, char **argv)
{
	PgvArguments args = read_arguments(argc, argv);
	PgvCorpus	corpus = {0, NULL};
	const PgvScenario **scenarios;
	bool		ok = true;
	int			n;

	for (int i = optind; i < argc; i++)
		pgv_corpus_load(&corpus, argv[i]);
	scenarios = select_scenarios(&corpus, &args.ids, &n);
	/* Wake from sleeps when they end, not up to 50 microseconds later. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	if (args.list)
		list_scenarios(scenarios, n);
	else if (args.do_score)
		ok = pgv_score(&args.play, &args.score, scenarios, n);
	else
		ok = replay(&args, scenarios, n);
	return ok ? 0 : PGV_EXIT_FAILED;
}
