/*-------------------------------------------------------------------------
 *
 * values.h
 *	  Values of rows and predicates as comparable hashes.
 *
 * A value is reduced to 32 bits under a random key of this server's run: equal
 * values of one family give equal hashes whatever way they travelled (int4
 * parameter on an int8 column, literal, row of a result), and no value can be
 * read back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_VALUES_H
#define PGV_VALUES_H

#include "postgres.h"

#include "access/attnum.h"
#include "executor/execdesc.h"

typedef enum PgvFamily
{
	PGV_FAMILY_NONE,			/* not compared */
	PGV_FAMILY_INTEGER,			/* int2, int4, int8, oid */
	PGV_FAMILY_UUID,
	PGV_FAMILY_TEXT,			/* text, varchar, char(n), citext */
	PGV_FAMILY_NUMERIC,
	PGV_FAMILY_DATE,
	PGV_FAMILY_TIMESTAMP,		/* with and without time zone */
	PGV_FAMILY_NETWORK,			/* inet, cidr */
	PGV_FAMILY_ENUM
} PgvFamily;

/* "column = value", found in a plan. */
typedef struct PgvPredicate
{
	Oid			relid;
	AttrNumber	attno;
	uint8		family;
	bool		either;			/* or another column has the value */
	uint32		hash;
} PgvPredicate;

#define PGV_MAX_PREDICATES 8

/* A random key for hashes, never 0; and the one to use in this process. */
extern uint64 pgv_values_draw_key(void);
extern void pgv_values_set_key(uint64 key);

/* The family of a type; PGV_FAMILY_NONE where its values are not compared. */
extern PgvFamily pgv_value_family(Oid type);

/*
 * The type that values of this one are compared as: the one under a domain,
 * anyenum for an enum, text for what is stored as text.  May read the catalog
 * for a type made by users.
 */
extern Oid	pgv_value_base_type(Oid type);

/*
 * The hash of a value that is not NULL.  Returns false for a value that would
 * have to be fetched or decompressed first.  May allocate (numeric), in the
 * current memory context.
 */
extern bool pgv_value_hash(Oid type, Datum value, uint32 *hash);

/* Mix the bytes of any value into a running checksum. */
extern uint64 pgv_value_mix(uint64 sum, Datum value, int16 typlen, bool byval);

/* Mix bytes into a running checksum; fast, not for storage. */
extern uint64 pgv_bytes_mix(uint64 sum, const char *bytes, Size len);

/*
 * The equality predicates of a plan between columns of tables and values that
 * are known now: constants and the query's parameters.  Returns how many of
 * at most PGV_MAX_PREDICATES were found.  Of a row to be inserted the values
 * count as such, each with its column.  A column of a partition is given as
 * the partitioned table's.  Looks at no catalog, takes no lock.
 */
extern int	pgv_values_predicates(QueryDesc *query, PgvPredicate *predicates);

/* The same without those of its subqueries that are executed by themselves. */
extern int	pgv_values_own_predicates(QueryDesc *query, PgvPredicate *predicates);

/*
 * A checksum of all parameters of a query; its text stands in where it has
 * none.
 */
extern uint64 pgv_values_parameters(QueryDesc *query);

#endif							/* PGV_VALUES_H */
