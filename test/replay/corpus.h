/*
 * corpus.h
 *	  Scenarios: what clients send, and what must be found in it.
 */
#ifndef PGV_REPLAY_CORPUS_H
#define PGV_REPLAY_CORPUS_H

#include <stdbool.h>

#define PGV_ANY_N	(-1)

typedef struct PgvStrings
{
	int			n;
	char	  **values;			/* an element can be NULL where it says so */
} PgvStrings;

typedef struct PgvEvent
{
	int			session;		/* 0 … nsessions - 1 */
	double		gap_ms;			/* think time before the event */
	bool		simple;			/* simple protocol; else Parse/Bind/Execute */
	bool		pipelined;		/* sent without waiting for the answer before */
	bool		error;			/* the statement must fail */
	const char *sql;
	PgvStrings	params;			/* as text; NULL is the null value */
} PgvEvent;

typedef struct PgvExpectation
{
	const char *kind;
	const char *repeated;		/* fragment of the repeated statement */
	long		n;				/* repeats, or PGV_ANY_N */
	const char *parent;			/* fragment of the parent, or NULL: not asked */
} PgvExpectation;

typedef struct PgvScenario
{
	const char *id;
	const char *title;
	PgvStrings	setup;			/* run by a control session before the events */
	PgvStrings	teardown;		/* and after them */
	int			nsessions;
	int			nevents;
	PgvEvent   *events;
	int			nexpect;
	PgvExpectation *expect;
	PgvStrings	tolerated;		/* kinds, confidences, or fragments */
} PgvScenario;

typedef struct PgvCorpus
{
	int			n;
	PgvScenario *scenarios;
} PgvCorpus;

/*
 * Adds the scenarios of a file, one JSON object a line, to the corpus. Ends
 * the program with file and line when one is malformed, has an unknown member
 * or an id that is there already: a misspelt member would silently replay
 * something else.
 */
extern void pgv_corpus_load(PgvCorpus *corpus, const char *path);

/* The scenario of that id, or NULL. */
extern const PgvScenario *pgv_corpus_find(const PgvCorpus *corpus, const char *id);

#endif							/* PGV_REPLAY_CORPUS_H */
