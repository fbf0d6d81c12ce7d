/*-------------------------------------------------------------------------
 *
 * planjson.h
 *	  Plans as EXPLAIN (FORMAT JSON) shows them: read, without constants,
 *	  written.
 *
 * The functions allocate in the current memory context and know nothing of the
 * server but that.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_PLANJSON_H
#define PGV_PLANJSON_H

#include "postgres.h"

#include "lib/stringinfo.h"

typedef enum PgvJsonType
{
	PGV_JSON_OBJECT,
	PGV_JSON_ARRAY,
	PGV_JSON_STRING,
	PGV_JSON_WORD				/* a number, true, false or null */
} PgvJsonType;

typedef struct PgvJson
{
	PgvJsonType type;
	char	   *key;			/* of a member of an object; not escaped */
	char	   *value;			/* of a string (not escaped) or a word */
	struct PgvJson *first;		/* of an object or an array */
	struct PgvJson *next;
} PgvJson;

/*
 * Read JSON; NULL if it is anything but that, to the letter, or too deep.
 * Escapes of characters beyond ASCII are refused: EXPLAIN writes none.
 */
extern PgvJson *pgv_planjson_read(const char *json, int len);

/* The member of an object, or NULL. */
extern PgvJson *pgv_planjson_member(const PgvJson *object, const char *key);

/* The value of a member that is a string or a word, or NULL. */
extern const char *pgv_planjson_value(const PgvJson *object, const char *key);

/*
 * Replace every constant by a parameter, as in the normal form of a statement,
 * and leave out what a plan returns, and what each parallel worker did.  Of strings, only those are left as they
 * are that EXPLAIN is known to make of names; whatever else a server or an
 * extension has to say is taken for an expression.
 */
extern void pgv_planjson_mask(PgvJson *json);

/* Write it, without blanks. */
extern void pgv_planjson_write(const PgvJson *json, StringInfo out);

#endif							/* PGV_PLANJSON_H */
