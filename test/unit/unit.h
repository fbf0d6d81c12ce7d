/*-------------------------------------------------------------------------
 *
 * unit.h
 *	  Unit tests of the pure parts: they link without the server.
 *
 * A case file is a .c with one function, named in unit.c, that makes checks.
 * A check that fails says where and what; the others are only counted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_UNIT_H
#define PGV_UNIT_H

#include "postgres.h"

/* the server's headers send these to its own library */
#undef printf
#undef fprintf
#undef sprintf
#undef snprintf
#undef vsnprintf
#undef vprintf
#undef qsort

#include "base/histogram.h"
#include "base/sqltext.h"
#include "base/tags.h"
#include "collect/orm.h"

/* --- harness --- */

#define CHECK(condition) \
	pgv_unit_check((condition), __FILE__, __LINE__, "%s", #condition)
#define CHECKF(condition, ...) \
	pgv_unit_check((condition), __FILE__, __LINE__, __VA_ARGS__)

/* Count a check; say what is wrong if it fails.  Returns whether it held. */
extern bool pgv_unit_check(bool held, const char *file, int line,
						   const char *format,...) __attribute__((format(printf, 4, 5)));

/* Random numbers, the same in every run: 0 to below - 1. */
extern uint64 pgv_unit_random(uint64 below);

/* Stands for functions of the server that must not be called. */
extern void pgv_unit_cannot_happen(void);

/* CPU time of this process in seconds. */
extern double pgv_unit_cpu_seconds(void);

/* --- normal forms --- */

/* Under standard_conforming_strings; sql is NUL-terminated. */
extern uint64 pgv_unit_fingerprint(const char *sql);

/* A statement and the normal form it must have. */
typedef struct NormalCase
{
	const char *sql;
	const char *text;
} NormalCase;

/* Statements that must share a fingerprint; NULL ends them. */
typedef struct SameCase
{
	const char *sql[8];
} SameCase;

extern void pgv_unit_check_text(const char *file, int line, bool std_strings,
								const char *sql, const char *text);
extern void pgv_unit_check_same(const char *file, int line, const SameCase *same);

#define CHECK_TEXTS(cases) \
	do { \
		for (int i_ = 0; i_ < (int) lengthof(cases); i_++) \
			pgv_unit_check_text(__FILE__, __LINE__, true, \
								(cases)[i_].sql, (cases)[i_].text); \
	} while (0)

#define CHECK_SAME(cases) \
	do { \
		for (int i_ = 0; i_ < (int) lengthof(cases); i_++) \
			pgv_unit_check_same(__FILE__, __LINE__, &(cases)[i_]); \
	} while (0)

#define CHECK_DIFFERENT(sql1, sql2) \
	CHECKF(pgv_unit_fingerprint(sql1) != pgv_unit_fingerprint(sql2), \
		   "the same fingerprint:\n\t%s\n\t%s", sql1, sql2)

/* --- case files --- */
extern void pgv_unit_histogram(void);
extern void pgv_unit_distinct(void);
extern void pgv_unit_shape(void);
extern void pgv_unit_scanner(void);
extern void pgv_unit_literals(void);
extern void pgv_unit_clauses(void);
extern void pgv_unit_lists(void);
extern void pgv_unit_utility(void);
extern void pgv_unit_inner(void);
extern void pgv_unit_orm(void);
extern void pgv_unit_fingerprints(void);
extern void pgv_unit_output(void);
extern void pgv_unit_random_texts(void);
extern void pgv_unit_long_texts(void);
extern void pgv_unit_tags_places(void);
extern void pgv_unit_tags_pairs(void);
extern void pgv_unit_tags_use(void);
extern void pgv_unit_tags_random(void);
extern void pgv_unit_statfile(void);

extern void pgv_unit_bench(void);
extern void pgv_unit_tags_bench(void);

#endif							/* PGV_UNIT_H */
