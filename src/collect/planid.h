/*-------------------------------------------------------------------------
 *
 * planid.h
 *	  Which plan is this?  An identity of plan trees.
 *
 * A plan's id is made from
 *
 *	- the operators, in the order in which they stand in the tree, with the
 *	  kind of a join, the strategy of an aggregation, the direction of a scan,
 *	  the number of keys of a sort, and whether they are parallel;
 *	- relations and indexes, by schema and name;
 *	- the conditions at each operator: which operators and functions, by name,
 *	  are applied to which columns, in any order.
 *
 * Not from constants, parameters, lengths of lists, costs, estimates, numbers
 * of workers, aliases, OIDs and what is selected.  What contains no column is a
 * constant, so a generic and a custom plan of one shape have one id; and = ANY
 * is =.  So the id is the same after a restart, on a standby, and after dump
 * and restore.
 *
 * Partitions (and children in inheritance) go by their root's name, and their
 * indexes by their columns, for their own names come and go.  What stands under
 * an Append or MergeAppend over them is a set: equal shapes count once, and of
 * one shape alone the Append does not count.  So it is one plan whichever
 * partition, and however many, a query reads, as long as it reads all of them
 * in one manner.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_PLANID_H
#define PGV_PLANID_H

#include "postgres.h"

#include "nodes/plannodes.h"

/* What this backend knows of a plan's text; see collect/plantext. */
typedef enum PgvPlanText
{
	PGV_PLANTEXT_UNKNOWN,		/* nothing */
	PGV_PLANTEXT_WANTED,		/* it was not there, when last looked for */
	PGV_PLANTEXT_DONE,			/* it was */
	PGV_PLANTEXT_NEVER			/* it cannot be had */
} PgvPlanText;

/* The plan of one execution, by value. */
typedef struct PgvPlanRef
{
	uint64		planid;			/* 0: there is none */
	double		startup_cost;
	double		total_cost;
	double		rows;			/* estimated */
	int			generic;		/* 1, 0 (custom), or -1: not known */
	PgvPlanText text;			/* of this statement and plan, when it began */
	bool		captured;		/* the text was captured for this execution */
	struct PgvKnownPlan *known;	/* where that is remembered */
} PgvPlanRef;

/*
 * Describe the plan of a query that was started: its relations are locked.
 * All but "generic" is filled in.  A plan that is known to this backend is
 * found by a hash of its tree as it is, without a look at expressions or at the
 * catalog.  A new one may raise what access to the catalog may: out of memory,
 * a cancel.
 */
extern void pgv_planid_identify(PgvPlanRef *ref, uint64 fingerprint,
								const PlannedStmt *stmt);

/* The name of a plan node's type in C. */
extern const char *pgv_planid_operator(const Plan *plan);

/* Remember what is known of its text now. */
extern void pgv_planid_set_text(PgvPlanRef *ref, PgvPlanText text);

#endif							/* PGV_PLANID_H */
