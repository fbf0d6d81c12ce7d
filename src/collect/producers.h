/*-------------------------------------------------------------------------
 *
 * producers.h
 *	  The recent results of this backend, found by the values in their rows.
 *
 * A statement that returns rows is a producer: its first rows are remembered
 * as hashes, each with the column of a table that it came from, so that a
 * later statement's predicate can be traced to the row that fed it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_PRODUCERS_H
#define PGV_PRODUCERS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/execdesc.h"
#include "tcop/dest.h"

#include "collect/values.h"

#define PGV_RESULT_COLUMNS 8
#define PGV_RESULT_MAX_ROWS 256
#define PGV_RESULTS 16			/* results of several rows */
#define PGV_SINGLES 32			/* one-row results of repeated statements */
#define PGV_PLAIN_SINGLES 8		/* one-row results of others */

/* Where a column of a result came from: relid 0 where that is not known. */
typedef struct PgvColumn
{
	Oid			relid;
	AttrNumber	attno;
	uint8		family;
} PgvColumn;

/* The columns of a statement's result that are worth remembering. */
typedef struct PgvShape
{
	int			ncolumns;
	AttrNumber	resno[PGV_RESULT_COLUMNS];	/* ascending */
	Oid			type[PGV_RESULT_COLUMNS];
	PgvColumn	column[PGV_RESULT_COLUMNS];
} PgvShape;

/* One remembered result. */
typedef struct PgvResult
{
	uint64		serial;			/* of the execution; 0: not in use */
	uint64		fingerprint;
	uint64		queryid;
	uint64		rows;			/* in all */
	uint64		used;			/* clock of the last link to it, or its making */
	uint64		burst;			/* serial of the burst it was a repeat of; 0 */
	TimestampTz active;			/* its end, or that of the last child */
	int			sampled;		/* rows remembered */
	int			ncolumns;
	int			stride;			/* rows there is room for */
	bool		growing;		/* a cursor that may be fetched on */
	bool		holds_text;		/* a reference to its statement's text */
	bool		indexed;
	PgvColumn	columns[PGV_RESULT_COLUMNS];
} PgvResult;

/* The receiver that stands before the client's and looks at the rows. */
typedef struct PgvCapture
{
	DestReceiver pub;
	DestReceiver *inner;
	const PgvShape *shape;		/* never NULL, once asked for */
	struct PgvKnownShape *known;	/* that it is a part of, or NULL */
	uint64		serial;			/* of the execution; kept between fetches */
	uint64		fingerprint;
	uint64		queryid;
	uint64		burst;
	uint64		rows;
	uint64		checksum;
	int			limit;			/* rows to remember */
	int			result;			/* index of the result, or -1 */
	bool		want_checksum;
	bool		growing;
	bool		holds_text;		/* a reference to give on, or back */
	uint32		first[PGV_RESULT_COLUMNS];	/* hashes of the first row */
} PgvCapture;

/* One place where a value was found. */
typedef struct PgvHit
{
	int			result;			/* index for pgv_producers_result */
	int			column;
	int			row;
} PgvHit;

/*
 * The clock of executions: results, bursts and credits are told apart, and put
 * in order, by its ticks.
 */
extern uint64 pgv_producers_tick(void);

/*
 * Set capture->shape: which columns of a query's result to remember; ncolumns
 * is 0 where none are.  The query must have been started.  The answer is
 * remembered by queryid; making it may look into the catalog, and raise what
 * that raises.  pgv_capture_over gives it back.
 */
extern void pgv_shape_of(QueryDesc *query, uint64 queryid, PgvCapture *capture);

/*
 * Will the query, which has been started, give one row at the most?  Told by
 * its plan: a lookup in a unique index.  Raises nothing.
 */
extern bool pgv_is_lookup(QueryDesc *query);

/*
 * Put a capture before the query's receiver.  "capture" is initialised by the
 * first call for an execution (serial 0 tells) and goes on with later fetches.
 * Returns the receiver to use.  Raises nothing.
 */
extern DestReceiver *pgv_capture_begin(PgvCapture *capture, DestReceiver *inner,
									   bool growing);

/*
 * More of the result will be asked for: a single row is one of several.
 * Raises nothing.
 */
extern void pgv_capture_grow(PgvCapture *capture);

/*
 * The run is over: what was captured becomes findable.  Raises nothing.
 */
extern void pgv_capture_end(PgvCapture *capture, TimestampTz now);

/*
 * The execution is over, whichever way: give back what the capture still
 * holds, and the shape.  Raises nothing.
 */
extern void pgv_capture_over(PgvCapture *capture);

/* Is anything remembered that a value could be found in? */
extern bool pgv_producers_any(void);

/*
 * Where the value of a predicate stands in remembered results: up to max hits,
 * newest results first within reason.  Returns how many.  Raises nothing.
 */
extern int	pgv_producers_find(const PgvPredicate *predicate, PgvHit *hits,
							   int max);

extern PgvResult *pgv_producers_result(int index);

/* The hashes of a column of a result of several rows, "sampled" of them. */
extern const uint32 *pgv_producers_column(const PgvResult *result, int column);

/*
 * Is there a one-row result, no repeat itself and later than the one with the
 * given serial, that has the predicate's value in the same column, or in one
 * that is linked to the predicate's?  A statement with the given fingerprint
 * is not asked.  May look into the catalog (see pgv_link_type).
 */
extern bool pgv_producers_absorbed(const PgvPredicate *predicate,
								   const PgvColumn *column, uint64 serial,
								   uint64 fingerprint);

/* Results that belong to one burst now belong to another. */
extern void pgv_producers_relabel(uint64 burst, uint64 new_burst);

/* The result is the origin of a child: keep it longer. */
extern void pgv_producers_touch(PgvResult *result, TimestampTz now);

/* A result by the serial of its execution; NULL when it is gone. */
extern PgvResult *pgv_producers_by_serial(uint64 serial);

/* Forget all results. */
extern void pgv_producers_clear(void);

#endif							/* PGV_PRODUCERS_H */
