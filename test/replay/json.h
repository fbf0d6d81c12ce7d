/*
 * json.h
 *	  A small JSON reader: what the scenario files need, and no more.
 */
#ifndef PGV_REPLAY_JSON_H
#define PGV_REPLAY_JSON_H

typedef enum PgvJsonType
{
	PGV_JSON_NULL,
	PGV_JSON_BOOL,
	PGV_JSON_NUMBER,
	PGV_JSON_STRING,
	PGV_JSON_ARRAY,
	PGV_JSON_OBJECT
} PgvJsonType;

typedef struct PgvJson PgvJson;
struct PgvJson
{
	PgvJsonType type;
	char	   *text;			/* unescaped string; other scalars as written */
	int			nitems;			/* elements of an array, members of an object */
	char	  **names;			/* member names; objects only */
	PgvJson   **items;
};

/*
 * Reads one JSON value that fills the whole text. Returns NULL and points
 * *error at a constant message when it is not one. The value lives until the
 * program ends: nothing here is ever freed.
 */
extern PgvJson *pgv_json_parse(const char *json, const char **error);

/* The member of that name, or NULL when it is absent or value is no object. */
extern const PgvJson *pgv_json_get(const PgvJson *value, const char *name);

#endif							/* PGV_REPLAY_JSON_H */
