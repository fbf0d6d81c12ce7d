/*-------------------------------------------------------------------------
 *
 * sqledit.h
 *	  Changing the text of a statement in normal form (see base/sqltext.h).
 *
 * Pure: no catalog, no parser.  What is returned is palloc'd.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SQLEDIT_H
#define PGV_SQLEDIT_H

#include "postgres.h"

#include "lib/stringinfo.h"

typedef enum PgvTokenType
{
	PGV_TOKEN_WORD,				/* keyword or identifier */
	PGV_TOKEN_QUOTED,			/* identifier in quotes */
	PGV_TOKEN_PARAM,
	PGV_TOKEN_NUMBER,
	PGV_TOKEN_OPERATOR,
	PGV_TOKEN_SYMBOL			/* a bracket, comma, dot, :: or ... */
} PgvTokenType;

typedef struct PgvToken
{
	PgvTokenType type;
	int			start;
	int			end;			/* one past the last byte */
	int			depth;			/* brackets open around it */
	int			param;			/* n of $n, else 0 */
} PgvToken;

typedef struct PgvTokens
{
	const char *sql;
	int			n;
	PgvToken   *token;
} PgvTokens;

/* Take a text apart.  False: it is not a whole statement in normal form. */
extern bool pgv_tokens_read(PgvTokens *tokens, const char *sql);

/*
 * Is token i this word (given in lower case), operator or symbol?  No token is
 * anything outside the text.
 */
extern bool pgv_token_is(const PgvTokens *tokens, int i, const char *what);

/* The first token from "from" on that is so, with this depth; n: none. */
extern int	pgv_token_find(const PgvTokens *tokens, int from, int depth,
						   const char *what);

/* The token that begins at this place of the text; -1: none does. */
extern int	pgv_token_at(const PgvTokens *tokens, int offset);

/* The bracket that closes the one at i; n: none. */
extern int	pgv_token_close(const PgvTokens *tokens, int i);

/* The last token of the name, qualified or not, that begins at i; -1: none. */
extern int	pgv_token_name_end(const PgvTokens *tokens, int i);

/* The last token of the type's name that begins at i; -1: there is none. */
extern int	pgv_token_type_end(const PgvTokens *tokens, int i);

/* The text from token "from" to token "to". */
extern char *pgv_tokens_text(const PgvTokens *tokens, int from, int to);

/* How often does $n occur?  "last" (may be NULL) is its last token. */
extern int	pgv_tokens_count_param(const PgvTokens *tokens, int param, int *last);

/* A name that begins with "stem" and that the text does not contain. */
extern char *pgv_tokens_new_name(const PgvTokens *tokens, const char *stem);

/*
 * The normal form made acceptable to the parser:
 *
 *	date $1, interval $1 day	CAST($1 AS date), CAST($1::text AS interval day)
 *	IN ($1, ...)				= ANY ($1), $1 being an array then
 *	ARRAY[$1, ...]				$1, likewise
 *	VALUES ($1), ...			VALUES ($1)
 *
 * NULL, with a reason: it cannot be made so.
 */
extern char *pgv_sql_acceptable(const char *normal, const char **reason);

/* The text with its parameters numbered from $1 on without gaps, in their order. */
extern char *pgv_sql_renumber(const char *sql);

/* Changes to a text, in any order; they must not overlap. */
typedef struct PgvEdit
{
	int			start;
	int			end;			/* as start: insertion */
	const char *text;
} PgvEdit;

typedef struct PgvEdits
{
	int			n;
	int			allocated;
	PgvEdit    *edit;
} PgvEdits;

extern void pgv_edit_add(PgvEdits *edits, int start, int end, const char *text);

/* Append [from, to) of the text, with those changes that are within. */
extern void pgv_edits_apply(StringInfo buf, const PgvEdits *edits,
							const char *sql, int from, int to);

#endif							/* PGV_SQLEDIT_H */
