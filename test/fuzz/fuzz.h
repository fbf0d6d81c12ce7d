/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *	  What the fuzz targets share.
 *
 * A target is a .c with LLVMFuzzerTestOneInput().  What it looks for, besides
 * what the sanitizers find, are promises of the headers: FUZZ_CHECK().
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_FUZZ_H
#define PGV_FUZZ_H

#include "postgres.h"

/* the server's headers send these to its own library */
#undef printf
#undef fprintf
#undef sprintf
#undef snprintf
#undef vsnprintf
#undef vfprintf
#undef strerror
#undef qsort

#include <stdio.h>
#include <stdlib.h>

extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

/* A promise that must hold; otherwise the input is a finding. */
#define FUZZ_CHECK(condition) \
	do { \
		if (!(condition)) \
			pgv_fuzz_broken(__FILE__, __LINE__, #condition); \
	} while (0)

extern void pgv_fuzz_broken(const char *file, int line, const char *what) pg_attribute_noreturn();

/*
 * For the report: the bytes on stderr, with a name, before a check that has to
 * do with them fails.
 */
extern void pgv_fuzz_tell(const char *name, const char *bytes, int len);

/* A copy of exactly that size, so that a byte read or written past it is noticed. */
extern char *pgv_fuzz_exactly(const char *bytes, int len);

extern bool pgv_fuzz_is_utf8(const char *bytes, int len);
extern bool pgv_fuzz_contains(const char *bytes, int len, const char *part);

/* ----- the server's scanner, written a second time (reference.c) ----- */

typedef enum RefType
{
	REF_SPACE,
	REF_COMMENT,
	REF_WORD,
	REF_QUOTED,					/* identifier in quotes */
	REF_STRING,					/* of any kind, with what continues it */
	REF_DOLLAR,					/* string in dollars */
	REF_NUMBER,
	REF_PARAM,
	REF_OPERATOR,
	REF_SYMBOL
} RefType;

typedef struct RefToken
{
	RefType		type;
	int			start;
	int			end;
} RefToken;

#define REF_MAX_TOKENS 4096

/*
 * Take a text apart as scan.l does.  False: the server's scanner refuses it in
 * some version, its grammar surely (a lone dollar, a control character), or it
 * has too many tokens.
 */
extern bool pgv_ref_scan(const char *sql, int len, bool std_strings,
						 RefToken *tokens, int *n);

/* Is it this word, given in lower case? */
extern bool pgv_ref_is(const char *sql, const RefToken *t, const char *word);

#endif							/* PGV_FUZZ_H */
