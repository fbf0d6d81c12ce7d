/*-------------------------------------------------------------------------
 *
 * shape.h
 *	  The shape of a sequence of statements: what comes after what, whatever
 *	  the number of times it is repeated.
 *
 * Statements come one by one.  If the last p of them are the same as the p
 * before (p from 1 to 8), one of the two goes: so what a loop executes has the
 * same shape for any number of rounds, loops inside loops included.  Greedy, as
 * the statements come: a loop of more than 8 different statements, or one whose
 * rounds differ, has as many shapes as it has lengths.
 *
 * Pure and inline.  A statement that repeats the last one costs a comparison.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SHAPE_H
#define PGV_SHAPE_H

#include "postgres.h"

#include "common/hashfn.h"

#define PGV_SHAPE_FIRST 8		/* statements that are told */
#define PGV_SHAPE_PERIOD 8		/* the longest repetition that is seen */
#define PGV_SHAPE_STEPS (4 * PGV_SHAPE_PERIOD)
#define PGV_SHAPE_EMPTY UINT64CONST(0x9E3779B97F4A7C15) /* hash of no statement */

typedef struct PgvStep
{
	uint64		fingerprint;
	uint64		before;			/* hash of what came before it */
} PgvStep;

typedef struct PgvSequence
{
	uint64		hash;			/* never 0 */
	uint32		length;			/* statements, repetitions left out */
	uint32		n;				/* of the last of them in "steps" */
	uint64		first[PGV_SHAPE_FIRST];
	PgvStep		steps[PGV_SHAPE_STEPS];
} PgvSequence;

static inline void
pgv_shape_begin(PgvSequence *shape)
{
	shape->hash = PGV_SHAPE_EMPTY;
	shape->length = 0;
	shape->n = 0;
}

/* Does this statement only repeat the last one? */
static inline bool
pgv_shape_repeats(const PgvSequence *shape, uint64 fingerprint)
{
	return shape->n > 0 && shape->steps[shape->n - 1].fingerprint == fingerprint;
}

/* Are the last p statements the same as the p before? */
static inline bool
pgv_shape_is_double(const PgvSequence *shape, uint32 p)
{
	const PgvStep *last = &shape->steps[shape->n - p];

	for (uint32 i = 0; i < p; i++)
	{
		if (last[i].fingerprint != last[(int) i - (int) p].fingerprint)
			return false;
	}
	return true;
}

/* Only the last steps are needed. */
pg_attribute_unused() static pg_noinline void
pgv_shape_shift(PgvSequence *shape)
{
	shape->n = 2 * PGV_SHAPE_PERIOD;
	memmove(shape->steps, &shape->steps[PGV_SHAPE_STEPS - shape->n],
			shape->n * sizeof(PgvStep));
}

static inline void
pgv_shape_append(PgvSequence *shape, uint64 fingerprint)
{
	if (unlikely(shape->n == PGV_SHAPE_STEPS))
		pgv_shape_shift(shape);
	if (shape->length < PGV_SHAPE_FIRST)
		shape->first[shape->length] = fingerprint;
	shape->steps[shape->n].fingerprint = fingerprint;
	shape->steps[shape->n].before = shape->hash;
	shape->hash = hash_combine64(shape->hash, fingerprint);
	if (unlikely(shape->hash == 0))
		shape->hash = 1;
	shape->length++;
	shape->n++;
}

/* Have the last statements only repeated those before them? */
pg_attribute_unused() static pg_noinline void
pgv_shape_fold(PgvSequence *shape, uint64 fingerprint)
{
	for (uint32 p = 2; p <= PGV_SHAPE_PERIOD && 2 * p <= shape->n; p++)
	{
		if (shape->steps[shape->n - 1 - p].fingerprint != fingerprint ||
			!pgv_shape_is_double(shape, p))
			continue;
		shape->n -= p;
		shape->length -= p;
		shape->hash = shape->steps[shape->n].before;
		return;
	}
}

/* The next statement of the sequence. */
static inline void
pgv_shape_add(PgvSequence *shape, uint64 fingerprint)
{
	if (pgv_shape_repeats(shape, fingerprint))
		return;
	pgv_shape_append(shape, fingerprint);
	/* two of the shortest period */
	if (shape->n >= 4)
		pgv_shape_fold(shape, fingerprint);
}

#endif							/* PGV_SHAPE_H */
