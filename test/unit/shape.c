/*-------------------------------------------------------------------------
 *
 * shape.c
 *	  If this fails, the same program makes transactions of many shapes, or
 *	  different ones of the same.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "base/shape.h"

/* Each character is a statement. */
static void
add_all(PgvSequence *shape, const char *statements)
{
	for (const char *p = statements; *p != '\0'; p++)
		pgv_shape_add(shape, (uint64) *p * UINT64CONST(0x9E3779B97F4A7C15));
}

static void
make(PgvSequence *shape, const char *statements)
{
	pgv_shape_begin(shape);
	add_all(shape, statements);
}

/* The first statements that are told. */
static void
check_first(const char *statements, const char *expected)
{
	PgvSequence shape;
	int			length = (int) strlen(expected);

	make(&shape, statements);
	CHECKF(shape.length == length, "%s: %u statements", statements, shape.length);
	for (int i = 0; i < Min(length, PGV_SHAPE_FIRST); i++)
		CHECKF(shape.first[i] == (uint64) expected[i] * UINT64CONST(0x9E3779B97F4A7C15),
			   "%s: statement %d", statements, i);
}

static void
check_same(const char *one, const char *other, bool same)
{
	PgvSequence a;
	PgvSequence b;

	make(&a, one);
	make(&b, other);
	CHECKF((a.hash == b.hash) == same, "%s and %s", one, other);
	CHECKF(!same || a.length == b.length, "%s and %s: length", one, other);
}

/* A loop of up to 8 statements between others: the same for any number of rounds. */
static void
check_loops(void)
{
	for (int body = 1; body <= PGV_SHAPE_PERIOD; body++)
	{
		char		once[32] = "xy";

		memcpy(once + 2, "abcdefgh", body);
		for (int rounds = 1; rounds <= 100; rounds++)
		{
			PgvSequence one;
			PgvSequence many;

			make(&one, once);
			add_all(&one, "z");
			make(&many, once);
			for (int i = 1; i < rounds; i++)
				add_all(&many, once + 2);
			add_all(&many, "z");
			CHECKF(one.hash == many.hash && one.length == many.length &&
				   many.length == body + 3, "%d rounds of %d", rounds, body);
		}
	}
}

/* What is not repeated is all told apart, however long. */
static void
check_long(void)
{
	PgvSequence a;
	PgvSequence b;

	pgv_shape_begin(&a);
	pgv_shape_begin(&b);
	for (int i = 0; i < 1000; i++)
	{
		pgv_shape_add(&a, i + 1);
		pgv_shape_add(&b, i == 500 ? 5000 : i + 1);
		CHECKF((a.hash == b.hash) == (i < 500), "after %d", i);
	}
	CHECK(a.length == 1000 && a.first[7] == 8);
}

/* Nothing is read or written elsewhere, whatever comes; and it is never 0. */
static void
check_random(void)
{
	PgvSequence shape;

	for (int run = 0; run < 2000; run++)
	{
		int			different = 1 + (int) pgv_unit_random(12);

		pgv_shape_begin(&shape);
		for (int i = 0; i < 300; i++)
		{
			pgv_shape_add(&shape, pgv_unit_random(different));
			if (shape.hash == 0 || shape.n > PGV_SHAPE_STEPS || shape.n > shape.length ||
				shape.n == 0)
				CHECKF(false, "of %d, after %d", different, i);
		}
	}
}

void
pgv_unit_shape(void)
{
	check_first("", "");
	check_first("aaaa", "a");
	check_first("abab", "ab");
	check_first("aabaab", "ab");
	check_first("abcabcabd", "abcabd");
	check_first("xababyababz", "xabyabz");
	check_first("abcdefghijabcdefghij", "abcdefghijabcdefghij");
	check_first("abcdefghijijk", "abcdefghijk");
	check_same("ab", "ba", false);
	check_same("ab", "abc", false);
	check_same("", "a", false);
	check_same("aba", "ab", false);
	check_same("abaaabaa", "abaaa", true);
	check_loops();
	check_long();
	check_random();
}
