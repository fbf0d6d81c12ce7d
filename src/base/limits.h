/*-------------------------------------------------------------------------
 *
 * limits.h
 *	  The indicators of vitals.health, and their limits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_LIMITS_H
#define PGV_LIMITS_H

#include "postgres.h"

#include "utils/guc.h"

/* NaN: there is no such limit. */
typedef struct PgvLimits
{
	double		warning;
	double		critical;
} PgvLimits;

typedef struct PgvIndicator
{
	const char *name;
	const char *unit;
	int			guc_unit;		/* units that its limits may be given with */
	bool		above;			/* worse above its limits, not below */
	PgvLimits	limits;			/* where the setting says nothing */
} PgvIndicator;

extern const PgvIndicator pgv_indicators[];
extern const int pgv_nindicators;

/* Those in force: one for each indicator, in the same order. */
extern const PgvLimits *pgv_limits;

/*
 * Hooks of the setting: "name = warning : critical, ...".  Each limit may be
 * left out, which switches it off.  What is not named keeps its own limits.
 */
extern bool pgv_limits_check(char **newval, void **extra, GucSource source);
extern void pgv_limits_assign(const char *newval, void *extra);

#endif							/* PGV_LIMITS_H */
