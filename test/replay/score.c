/*
 * score.c
 *	  Plays scenarios and compares vitals.n_plus_one with their expectations.
 *
 * For each scenario: setup, vitals.reset(), the events, wait until their
 * backends have ended, read the view, teardown. Every step of ours has a
 * connection of its own, used once, so that no statement of ours repeats on
 * one backend and is found itself.
 *
 * Comparing (pgv_score → score_scenario → match, judge):
 *	- A finding is right when its kind is the expected one and its query
 *	  contains the expected fragment. Expectations and findings are paired one
 *	  to one; pairs with the right parent, then those with the right N, come
 *	  first. A second finding for the same expectation is as wrong as any other
 *	  surplus one.
 *	- A finding without expectation is a false positive, unless tolerated.
 *	- White space is collapsed before texts are compared. With parameters
 *	  written into the text, the numbers after the dollar signs are not the
 *	  recorded ones and are left out as well.
 *
 * Memory: texts of a scenario are kept until the program ends.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "score.h"
#include "util.h"

#define EXIT_DEADLINE_MS	10000.0

typedef struct PgvFinding
{
	const char *kind;
	const char *confidence;
	const char *query;			/* as comparable() makes it, as the next */
	const char *parent;			/* NULL: none */
	long		repeats;
	long		bursts;
	const char *link;			/* NULL: none */
	const char *suggestion;		/* NULL: none */
	bool		paired;
} PgvFinding;

typedef struct PgvFindings
{
	int			n;
	PgvFinding *items;
} PgvFindings;

/* An expectation that is scored, and the finding that meets it. */
typedef struct PgvPair
{
	const PgvExpectation *expect;
	const char *repeated;
	const char *parent;			/* NULL: not asked */
	PgvFinding *finding;		/* NULL: missed */
} PgvPair;

typedef struct PgvTally
{
	int			true_positives;
	int			false_positives;
	int			false_negatives;
	int			parents_asked;
	int			parents_right;
	int			n_asked;
	int			n_right;
	int			empty_findings; /* on scenarios that expect none */
	int			statement_errors;
} PgvTally;

/* What is wrong with a scenario, as printed in front of its line. */
typedef struct PgvVerdict
{
	bool		miss;
	bool		false_positive;
	bool		wrong_parent;
	bool		wrong_n;
	bool		statement_error;
	PgvText		details;
} PgvVerdict;

typedef struct PgvScorer
{
	const PgvPlayOptions *play;
	const PgvScoreOptions *options;
	PgvTally	tally;
} PgvScorer;

/* White space to single blanks; without parameter numbers if that is asked. */
static char *
comparable(const PgvScorer *scorer, const char *in)
{
	bool		keep_numbers = scorer->play->wire != PGV_WIRE_LITERAL;
	char	   *copy;
	char	   *out;

	if (in == NULL)
		return NULL;
	out = copy = pgv_alloc(strlen(in) + 1);
	while (*in)
	{
		if (isspace((unsigned char) *in))
		{
			*out++ = ' ';
			in += strspn(in, " \t\r\n\f\v");
			continue;
		}
		*out = *in++;
		if (*out++ == '$' && !keep_numbers)
			in += strspn(in, "0123456789");
	}
	return copy;
}

static bool
contains(const PgvStrings *list, const char *value)
{
	for (int i = 0; i < list->n; i++)
		if (strcmp(list->values[i], value) == 0)
			return true;
	return false;
}

static bool
kind_counts(const PgvScorer *scorer, const char *kind)
{
	return scorer->options->kinds.n == 0 || contains(&scorer->options->kinds, kind);
}

/*
 * Reading the findings
 */

static PGconn *
connect_control(const PgvScorer *scorer)
{
	return pgv_connect(scorer->play->control_conninfo, "replay control", true);
}

static void
reset_vitals(const PgvScorer *scorer)
{
	PGconn	   *conn = connect_control(scorer);

	PQclear(pgv_control(conn, "SELECT vitals.reset()"));
	PQfinish(conn);
}

/*
 * What a backend knows is complete when it has ended, and libpq does not wait
 * for that: ask until none is left, in growing steps.
 */
static void
wait_for_exit(PGconn *conn, const int *pids, int npids)
{
	PgvText		sql = {NULL, 0, 0};
	double		deadline = pgv_now_ms() + EXIT_DEADLINE_MS;
	bool		gone = false;

	pgv_text_printf(&sql, "SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid IN (%d", pids[0]);
	for (int i = 1; i < npids; i++)
		pgv_text_printf(&sql, ",%d", pids[i]);
	pgv_text_printf(&sql, ")");
	for (double step = 1; !gone; step *= 2)
	{
		PGresult   *result = pgv_control(conn, sql.data);

		gone = PQntuples(result) == 0;
		PQclear(result);
		if (!gone && pgv_now_ms() > deadline)
			pgv_fatal("backends of a scenario did not end within %.0f s",
					  EXIT_DEADLINE_MS / 1000);
		if (!gone)
			pgv_wait_until(pgv_now_ms() + step);
	}
	free(sql.data);
}

/* A column of the result, copied; or what stands for the null value. */
static const char *
column(const PGresult *result, int row, int field, const char *if_null)
{
	const char *value = PQgetvalue(result, row, field);

	return PQgetisnull(result, row, field) ? if_null : pgv_strndup(value, strlen(value));
}

static PgvFindings
read_findings(const PgvScorer *scorer, const int *pids, int npids)
{
	PgvFindings findings = {0, NULL};
	PGconn	   *conn = connect_control(scorer);
	PGresult   *result;

	wait_for_exit(conn, pids, npids);
	result = pgv_control(conn,
						 "SELECT kind, confidence, query, parent_query, repeats, bursts, "
						 "link, suggestion FROM vitals.n_plus_one");
	findings.n = PQntuples(result);
	findings.items = pgv_alloc((size_t) (findings.n + 1) * sizeof(PgvFinding));
	for (int i = 0; i < findings.n; i++)
	{
		PgvFinding *f = &findings.items[i];

		f->kind = column(result, i, 0, "<null>");
		f->confidence = column(result, i, 1, "<null>");
		f->query = comparable(scorer, column(result, i, 2, "<null>"));
		f->parent = comparable(scorer, column(result, i, 3, NULL));
		f->repeats = atol(PQgetvalue(result, i, 4));
		f->bursts = atol(PQgetvalue(result, i, 5));
		f->link = column(result, i, 6, NULL);
		f->suggestion = column(result, i, 7, NULL);
	}
	PQclear(result);
	PQfinish(conn);
	return findings;
}

/*
 * Comparing
 */

static bool
parent_matches(const PgvPair *pair, const PgvFinding *finding)
{
	return pair->parent == NULL ||
		(finding->parent != NULL && strstr(finding->parent, pair->parent) != NULL);
}

static bool
n_matches(const PgvPair *pair, const PgvFinding *finding)
{
	return pair->expect->n == PGV_ANY_N || pair->expect->n == finding->repeats;
}

/* 0: not this finding; else the better, the higher. */
static int
rank(const PgvPair *pair, const PgvFinding *finding)
{
	if (finding->paired || strcmp(pair->expect->kind, finding->kind) != 0 ||
		strstr(finding->query, pair->repeated) == NULL)
		return 0;
	return 1 + 2 * parent_matches(pair, finding) + n_matches(pair, finding);
}

/* Pairs what is left, best pairs of the whole scenario first. */
static void
match(PgvPair *pairs, int npairs, PgvFindings *findings)
{
	for (int wanted = 4; wanted > 0; wanted--)
		for (int p = 0; p < npairs; p++)
			for (int f = 0; f < findings->n && pairs[p].finding == NULL; f++)
				if (rank(&pairs[p], &findings->items[f]) == wanted)
				{
					pairs[p].finding = &findings->items[f];
					findings->items[f].paired = true;
				}
}

/*
 * Names of kinds and confidences are single words; a tolerated text with
 * anything else in it is a fragment of the repeated statement.
 */
static bool
is_tolerated(const PgvScorer *scorer, const PgvScenario *scenario, const PgvFinding *finding)
{
	for (int i = 0; i < scenario->tolerated.n; i++)
	{
		const char *what = scenario->tolerated.values[i];
		bool		word = what[strspn(what, "abcdefghijklmnopqrstuvwxyz_")] == '\0';

		if (word && (strcmp(what, finding->kind) == 0 ||
					 strcmp(what, finding->confidence) == 0))
			return true;
		if (!word && strstr(finding->query, comparable(scorer, what)))
			return true;
	}
	return false;
}

static void
describe(PgvText *out, const PgvFinding *finding)
{
	pgv_text_printf(out, "; saw %s (%s) %ld× %s", finding->kind, finding->confidence,
					finding->repeats, finding->query);
	if (finding->parent)
		pgv_text_printf(out, " for each row of %s", finding->parent);
}

static void
judge_pair(PgvScorer *scorer, const PgvPair *pair, PgvVerdict *verdict)
{
	PgvTally   *tally = &scorer->tally;
	bool		parent_right;
	bool		n_right;

	if (pair->finding == NULL)
	{
		tally->false_negatives++;
		verdict->miss = true;
		pgv_text_printf(&verdict->details, "; no %s on %s", pair->expect->kind, pair->repeated);
		return;
	}
	tally->true_positives++;
	parent_right = parent_matches(pair, pair->finding);
	n_right = n_matches(pair, pair->finding);
	tally->parents_asked += pair->parent != NULL;
	tally->parents_right += pair->parent != NULL && parent_right;
	tally->n_asked += pair->expect->n != PGV_ANY_N;
	tally->n_right += pair->expect->n != PGV_ANY_N && n_right;
	if (!parent_right)
		pgv_text_printf(&verdict->details, "; parent should be %s", pair->parent);
	if (!n_right)
		pgv_text_printf(&verdict->details, "; N should be %ld", pair->expect->n);
	if (!parent_right || !n_right)
		describe(&verdict->details, pair->finding);
	verdict->wrong_parent |= !parent_right;
	verdict->wrong_n |= !n_right;
}

/* A finding that met no expectation. */
static void
judge_surplus(PgvScorer *scorer, const PgvScenario *scenario, const PgvFinding *finding,
			  PgvVerdict *verdict)
{
	bool		empty = scenario->nexpect == 0;
	bool		counts = kind_counts(scorer, finding->kind);

	if (is_tolerated(scorer, scenario, finding) || (!counts && !empty))
		return;
	scorer->tally.false_positives += counts;
	scorer->tally.empty_findings += empty;
	verdict->false_positive = true;
	describe(&verdict->details, finding);
}

/*
 * Printing
 */

static void
print_verdict(const PgvScenario *scenario, const PgvVerdict *verdict)
{
	PgvText		head = {NULL, 0, 0};

	if (verdict->statement_error)
		pgv_text_printf(&head, ", statement error");
	if (verdict->miss)
		pgv_text_printf(&head, ", MISS");
	if (verdict->false_positive)
		pgv_text_printf(&head, ", FALSE POSITIVE");
	if (verdict->wrong_parent)
		pgv_text_printf(&head, ", wrong parent");
	if (verdict->wrong_n)
		pgv_text_printf(&head, ", wrong N");
	printf("%-5s %-14s %s", scenario->id, head.data ? head.data + 2 : "ok", scenario->title);
	/* Skip the first semicolon. */
	if (verdict->details.data)
		printf(" |%s", verdict->details.data + 1);
	printf("\n");
	fflush(stdout);
	free(head.data);
}

static void
print_findings(const PgvFindings *findings)
{
	for (int i = 0; i < findings->n; i++)
	{
		const PgvFinding *f = &findings->items[i];

		printf("      %s (%s): %ld repeats in %ld bursts\n", f->kind, f->confidence,
			   f->repeats, f->bursts);
		printf("        query       %s\n", f->query);
		printf("        parent      %s\n", f->parent ? f->parent : "-");
		printf("        link        %s\n", f->link ? f->link : "-");
		printf("        suggestion  %s\n", f->suggestion ? f->suggestion : "-");
	}
}

/*
 * Scoring
 */

static PgvPair *
make_pairs(const PgvScorer *scorer, const PgvScenario *scenario, int *npairs)
{
	PgvPair    *pairs = pgv_alloc((size_t) (scenario->nexpect + 1) * sizeof(PgvPair));

	*npairs = 0;
	for (int i = 0; i < scenario->nexpect; i++)
	{
		const PgvExpectation *expect = &scenario->expect[i];

		if (!kind_counts(scorer, expect->kind))
			continue;
		pairs[*npairs].expect = expect;
		pairs[*npairs].repeated = comparable(scorer, expect->repeated);
		pairs[*npairs].parent = comparable(scorer, expect->parent);
		(*npairs)++;
	}
	return pairs;
}

/* Plays it, between setup and teardown, and reads what was found. */
static PgvFindings
find(PgvScorer *scorer, const PgvScenario *scenario, PgvVerdict *verdict)
{
	int		   *pids = pgv_alloc((size_t) scenario->nsessions * sizeof(int));
	PgvFindings findings;
	int			errors;

	pgv_play_control(scorer->play, &scenario->setup);
	reset_vitals(scorer);
	errors = pgv_play_events(scorer->play, scenario, pids);
	scorer->tally.statement_errors += errors;
	verdict->statement_error = errors > 0;
	findings = read_findings(scorer, pids, scenario->nsessions);
	pgv_play_control(scorer->play, &scenario->teardown);
	free(pids);
	return findings;
}

static void
score_scenario(PgvScorer *scorer, const PgvScenario *scenario)
{
	PgvVerdict	verdict = {0};
	PgvFindings findings = find(scorer, scenario, &verdict);
	int			npairs;
	PgvPair    *pairs = make_pairs(scorer, scenario, &npairs);

	match(pairs, npairs, &findings);
	for (int i = 0; i < npairs; i++)
		judge_pair(scorer, &pairs[i], &verdict);
	for (int i = 0; i < findings.n; i++)
		if (!findings.items[i].paired)
			judge_surplus(scorer, scenario, &findings.items[i], &verdict);
	print_verdict(scenario, &verdict);
	if (scorer->options->verbose)
		print_findings(&findings);
	free(verdict.details.data);
	free(pairs);
}

/* Prints one share and its threshold; counts it unless it is a share of none. */
static void
test_share(const char *name, int part, int whole, double minimum, int *passed, int *failed)
{
	double		share = whole > 0 ? (double) part / whole : 0;
	bool		ok = share >= minimum;

	if (whole == 0)
	{
		printf("%-28s   n/a (0 of 0)\n", name);
		return;
	}
	printf("%-28s %5.3f (%d of %d), at least %.3f: %s\n", name, share, part, whole,
		   minimum, ok ? "passed" : "FAILED");
	*(ok ? passed : failed) += 1;
}

static void
test_count(const char *name, long count, long maximum, int *passed, int *failed)
{
	bool		ok = count <= maximum;

	printf("%-28s %5ld, at most %ld: %s\n", name, count, maximum, ok ? "passed" : "FAILED");
	*(ok ? passed : failed) += 1;
}

static bool
print_score(const PgvTally *t, const PgvScoreOptions *o)
{
	int			passed = 0;
	int			failed = 0;

	printf("\n");
	test_share("precision", t->true_positives, t->true_positives + t->false_positives,
			   o->min_precision, &passed, &failed);
	test_share("recall", t->true_positives, t->true_positives + t->false_negatives,
			   o->min_recall, &passed, &failed);
	test_share("right parents", t->parents_right, t->parents_asked, o->min_parents,
			   &passed, &failed);
	test_share("exact N", t->n_right, t->n_asked, o->min_exact_n, &passed, &failed);
	test_count("findings where none are due", t->empty_findings, o->max_empty_findings,
			   &passed, &failed);
	test_count("statement errors", t->statement_errors, 0, &passed, &failed);
	printf("%d passed, %d failed\n", passed, failed);
	return failed == 0;
}

bool
pgv_score(const PgvPlayOptions *play, const PgvScoreOptions *options,
		  const PgvScenario *const *scenarios, int nscenarios)
{
	PgvScorer	scorer = {play, options, {0}};

	for (int i = 0; i < nscenarios; i++)
		score_scenario(&scorer, scenarios[i]);
	return print_score(&scorer.tally, options);
}
