/*-------------------------------------------------------------------------
 *
 * sqltext.h
 *	  Pure functions over the text of SQL statements.
 *
 * They allocate nothing, raise nothing, keep no state, read only
 * [sql, sql + len) and write only dst.  Any bytes will do: what the server's
 * scanner would refuse (an open quote, invalid encoding, NUL) is harmless, and
 * the time is linear in len.  Of the encoding they need only that a byte below
 * 0x80 is ASCII, as in every server encoding.
 *
 * The normal form of a text
 *
 *	- Comments (hints too) and the semicolons around the statement are left
 *	  out, and a run of white space or comments is one space.  The rest is
 *	  shown as written, letter case and spacing included.
 *	- A literal is shown as $n: a string of any kind (with its UESCAPE), a
 *	  number, a bit string, and TRUE, FALSE and NULL where they are values of
 *	  an optimisable statement.  Numbers go on from the highest $n of the text,
 *	  in order of appearance.  A sign belongs to the number after it unless it
 *	  stands between two operands.  $n itself is left alone.
 *	- TRUE, FALSE and NULL stay after IS and IS NOT, NULL stays in NOT NULL,
 *	  all three stay in the ON EMPTY, ON ERROR and ON NULL clauses of SQL/JSON,
 *	  and in utility statements (but not in the statement that EXPLAIN,
 *	  DECLARE, CREATE TABLE AS, CREATE MATERIALIZED VIEW, COPY or PREPARE
 *	  contains).
 *	- A whole number of at most four digits that is an item of ORDER BY or
 *	  GROUP BY by itself names a column and stays.
 *	- A list of constants and parameters (with a sign, casts, a type's name in
 *	  front, or in rows of such) is shown as one: IN ($1) if it has one element,
 *	  IN ($1, ...) if it has more; ARRAY[$1] and ARRAY[$1, ...] likewise.
 *	- A row of VALUES equal in form to the row before is left out: VALUES
 *	  ($1, $2), ... stands for two or more.
 *	- The name in SAVEPOINT, RELEASE, ROLLBACK TO and DEALLOCATE is shown as $n.
 *	- The body of DO, and of CREATE FUNCTION or PROCEDURE, if dollar-quoted and
 *	  in plpgsql or sql, is code: it is normalised too, and shown between $$.
 *	  (TRUE, FALSE and NULL stay in it.)  Every other dollar-quoted string, and
 *	  every body in quotes, is a literal.
 *	- Where the server's scanner would fail, the doubt goes against the text:
 *	  what follows a quote that is never closed, a number with letters behind it
 *	  and a $n with letters behind it are literals.  No byte of a literal ever
 *	  gets into dst.
 *
 * The fingerprint
 *
 * It is a promise: the same for the same normal form on every machine, server
 * version and release.  FNV-1a with 64 bits (offset basis 14695981039346656037,
 * prime 1099511628211) over the tokens of the normal form, for each its bytes
 * and then a zero byte:
 *
 *	- a word or keyword: as written, A to Z as a to z;
 *	- a quoted identifier: as written, quotes included (the U of U&"..." as u),
 *	  so that it never equals an unquoted one;
 *	- a parameter or literal: the byte 1, whatever its number or sign;
 *	- a whole number that stays: its digits;
 *	- an operator or other symbol: as written, but <> for !=;
 *	- $$ at both ends of a body;
 *	- a byte that begins no token: itself, a control character after a byte 2;
 *	- a semicolon between statements: itself, once for a run of them.
 *
 * A list counts as a list of one element, and the rows of VALUES left out do
 * not count.  Each row of VALUES that is left is hashed by itself, from the
 * offset basis and from its opening to its closing parenthesis, and enters as
 * the 8 bytes of that hash, least significant first, with no zero byte behind.
 * (Rows nested more than eight VALUES deep are hashed in line, and none is
 * left out.)  The sum goes through the finaliser of MurmurHash3, fmix64; if
 * that gives 0, the fingerprint is 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SQLTEXT_H
#define PGV_SQLTEXT_H

typedef struct PgvSqlNormal
{
	uint64		fingerprint;	/* never 0; always of the whole text */
	int			len;			/* bytes written to dst, without the NUL */
	bool		truncated;		/* the normal form did not fit into dst */
} PgvSqlNormal;

/*
 * Write the normal form of sql to dst, NUL-terminated, and its fingerprint to
 * out.
 *
 * sql is one statement, without a NUL at its end (several, with semicolons
 * between, are taken as one text).  std_strings is the setting
 * standard_conforming_strings under which it is to be read: if false, a
 * backslash in '...' escapes what follows.
 *
 * A normal form of dst_size bytes or more is cut behind a token and ends with
 * " ..."; with less room than 5 bytes it is cut to nothing.  Lists and rows
 * need no room for what is left out of them, so that an INSERT of megabytes
 * fits if its first row does.  Identifiers are copied as they are and whole,
 * but for a NUL, which becomes a question mark; so does a control character
 * between tokens.
 *
 * dst may be NULL, or dst_size 0, to get the fingerprint alone; then len is 0
 * and truncated false.  dst must not overlap sql.
 */
extern void pgv_sqltext_normalise(const char *sql, int len, bool std_strings,
								  char *dst, int dst_size, PgvSqlNormal *out);

/*
 * If sql is a statement around an optimisable one, give the place of the
 * latter and return true; otherwise return false and leave the place alone.
 *
 * The wrappers are EXPLAIN, DECLARE ... CURSOR ... FOR, CREATE TABLE and CREATE
 * MATERIALIZED VIEW ... AS, COPY (...) TO and PREPARE ... AS, also one in
 * another: the innermost statement counts.  It begins with SELECT, INSERT,
 * UPDATE, DELETE, MERGE, VALUES, TABLE, WITH or a parenthesis, and its place
 * has no blanks, comments or semicolons at its ends, nor the WITH [NO] DATA of
 * CREATE.  Statements around EXECUTE have none, nor has SELECT ... INTO.
 */
extern bool pgv_sqltext_inner(const char *sql, int len, bool std_strings,
							  int *inner_off, int *inner_len);

/*
 * The place of the first of the statements in sql, which semicolons separate,
 * without the comments and semicolons around it; false if there is none.  (The
 * semicolons in a body that is not a string, BEGIN ATOMIC, separate, too.)
 */
extern bool pgv_sqltext_first(const char *sql, int len, bool std_strings,
							  int *first_off, int *first_len);

#endif							/* PGV_SQLTEXT_H */
