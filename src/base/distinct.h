/*-------------------------------------------------------------------------
 *
 * distinct.h
 *	  How many different things there were: pure, inline, of fixed size.
 *
 * Up to PGV_DISTINCT_EXACT of them are remembered, as 32 bits of a hash each,
 * and their number is exact (two of so few have the same bits once in eight
 * million times).  With one more, the place they took becomes the registers
 * of a HyperLogLog (Flajolet, Fusy, Gandouet and Meunier, 2007), whose
 * standard error is 1.04 / sqrt(registers), that is 9 %; for small numbers,
 * while registers are free, linear counting is more exact (Whang, Vander-Zanden
 * and Taylor, 1990).  Where one gives way to the other, at 2.5 things a
 * register, it is 10 %.
 *
 * Adding one set to another gives what adding all of their things to one
 * would have given, in whatever order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_DISTINCT_H
#define PGV_DISTINCT_H

#include <math.h>
#include <string.h>

#define PGV_DISTINCT_EXACT		32
#define PGV_DISTINCT_INDEX_BITS 7
#define PGV_DISTINCT_REGISTERS	(1 << PGV_DISTINCT_INDEX_BITS)
#define PGV_DISTINCT_MAX_RANK	(32 - PGV_DISTINCT_INDEX_BITS + 1)

/* All zero: empty. */
typedef struct PgvDistinct
{
	uint32		n;				/* remembered; one more than can be: a sketch */
	union
	{
		uint32		hash[PGV_DISTINCT_EXACT];
		uint8		rank[PGV_DISTINCT_REGISTERS];
	}			u;
} PgvDistinct;

static inline bool
pgv_distinct_is_sketch(const PgvDistinct *d)
{
	return d->n > PGV_DISTINCT_EXACT;
}

/* 32 good bits of 64 (the finalizer of MurmurHash3). */
static inline uint32
pgv_distinct_hash(uint64 thing)
{
	thing ^= thing >> 33;
	thing *= UINT64CONST(0xff51afd7ed558ccd);
	thing ^= thing >> 33;
	thing *= UINT64CONST(0xc4ceb9fe1a85ec53);
	return (uint32) (thing >> 32);
}

/* A register keeps the place of the first one bit, the highest of those seen. */
static inline void
pgv_distinct_sketch(PgvDistinct *d, uint32 hash)
{
	uint8	   *rank = &d->u.rank[hash >> (32 - PGV_DISTINCT_INDEX_BITS)];
	uint32		rest = hash << PGV_DISTINCT_INDEX_BITS;
	uint8		place = 1;

	while (place < PGV_DISTINCT_MAX_RANK && !(rest & ((uint32) 1 << 31)))
	{
		rest <<= 1;
		place++;
	}
	if (*rank < place)
		*rank = place;
}

/* It has become too many to remember. */
static inline void
pgv_distinct_to_sketch(PgvDistinct *d)
{
	uint32		hash[PGV_DISTINCT_EXACT];
	uint32		n = d->n;

	memcpy(hash, d->u.hash, sizeof(hash));
	memset(&d->u, 0, sizeof(d->u));
	for (uint32 i = 0; i < n; i++)
		pgv_distinct_sketch(d, hash[i]);
	d->n = PGV_DISTINCT_EXACT + 1;
}

static inline void
pgv_distinct_add_hash(PgvDistinct *d, uint32 hash)
{
	if (!pgv_distinct_is_sketch(d))
	{
		for (uint32 i = 0; i < d->n; i++)
		{
			if (d->u.hash[i] == hash)
				return;
		}
		if (d->n < PGV_DISTINCT_EXACT)
		{
			d->u.hash[d->n++] = hash;
			return;
		}
		pgv_distinct_to_sketch(d);
	}
	pgv_distinct_sketch(d, hash);
}

/* One more thing, known by 64 bits. */
static inline void
pgv_distinct_add(PgvDistinct *d, uint64 thing)
{
	pgv_distinct_add_hash(d, pgv_distinct_hash(thing));
}

/* All things of another set. */
static inline void
pgv_distinct_merge(PgvDistinct *into, const PgvDistinct *from)
{
	if (!pgv_distinct_is_sketch(from))
	{
		for (uint32 i = 0; i < from->n; i++)
			pgv_distinct_add_hash(into, from->u.hash[i]);
		return;
	}
	if (!pgv_distinct_is_sketch(into))
		pgv_distinct_to_sketch(into);
	for (int i = 0; i < PGV_DISTINCT_REGISTERS; i++)
	{
		if (into->u.rank[i] < from->u.rank[i])
			into->u.rank[i] = from->u.rank[i];
	}
}

/* How many there were. */
static inline int64
pgv_distinct_count(const PgvDistinct *d)
{
	const double m = PGV_DISTINCT_REGISTERS;
	double		sum = 0;
	int			free_registers = 0;
	double		estimate;

	if (!pgv_distinct_is_sketch(d))
		return d->n;
	for (int i = 0; i < PGV_DISTINCT_REGISTERS; i++)
	{
		sum += ldexp(1.0, -d->u.rank[i]);
		free_registers += (d->u.rank[i] == 0);
	}
	estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (estimate <= 2.5 * m && free_registers > 0)
		estimate = m * log(m / free_registers);
	/* it is a sketch because there were more than could be remembered */
	estimate = floor(estimate + 0.5);
	return (int64) (estimate > PGV_DISTINCT_EXACT ? estimate : PGV_DISTINCT_EXACT + 1);
}

/* Can it be used?  (From a file it may be not.) */
static inline bool
pgv_distinct_valid(const PgvDistinct *d)
{
	if (d->n > PGV_DISTINCT_EXACT + 1)
		return false;
	for (int i = 0; pgv_distinct_is_sketch(d) && i < PGV_DISTINCT_REGISTERS; i++)
	{
		if (d->u.rank[i] > PGV_DISTINCT_MAX_RANK)
			return false;
	}
	return true;
}

#endif							/* PGV_DISTINCT_H */
