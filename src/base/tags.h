/*-------------------------------------------------------------------------
 *
 * tags.h
 *	  Comment tags of SQL texts: what the application says of a statement in
 *	  comments at its beginning and end, such as controller='posts'.
 *
 * Pure functions, like those of sqltext.h: they allocate nothing, raise
 * nothing, keep no state but the caller's, and read and write only what they
 * are given.  Any bytes will do.  Of a text they look at no more than
 * PGV_TAGS_LOOK bytes from either end, so the time does not grow with its
 * length.
 *
 * What is written
 *
 *	sqlcommenter, OpenTelemetry, Rails	key='value',key2='value2'
 *	Rails (legacy), Marginalia			key:value,key2:value2
 *	Prisma before 5.5					traceparent=00-...
 *
 *	- A key is a letter or underscore and letters, digits and _ . % - behind
 *	  it.  The separator and the value follow without blanks; the value is in
 *	  quotes (then \' is a quote) or bare, up to the next comma.
 *	- Behind = key and value are percent-encoded.  A percent sign doubled by a
 *	  driver counts once, what is no encoding is left as it is, and so is +.
 *	  Behind : nothing is encoded.
 *	- Prose is no tag.  Values with quotes count if the whole comment consists
 *	  of pairs.  Bare ones moreover need a second pair, none of them with blanks
 *	  in its value, or a well-known key (application, controller, traceparent
 *	  and so on) among them.  If something in the comment is no pair, the pairs
 *	  count if a well-known key is among them, but no bare value with blanks.
 *	- Optimizer hints, which begin with a plus sign, have no tags.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_TAGS_H
#define PGV_TAGS_H

#define PGV_TAGS_LOOK		4096	/* bytes; longer comments don't count */
#define PGV_TAGS_COMMENTS	4	/* two at the beginning, two at the end */
#define PGV_TAGS_MAX		32
#define PGV_TAGS_KEY_BYTES	64	/* pairs with a longer key are left out */
#define PGV_TAGS_VALUE_BYTES 256	/* longer values are cut */
#define PGV_TAGS_BYTES		4096	/* pairs that don't fit are left out */
#define PGV_TAGS_MEMO_BYTES 1024

/* Where a comment is in its text, with its delimiters but no newline. */
typedef struct PgvTagsComment
{
	int			start;
	int			len;
} PgvTagsComment;

typedef struct PgvTagsComments
{
	int			n;
	int			leading;		/* so many of them are at the beginning */
	bool		evident;		/* private: they themselves show that they are
								 * comments */
	PgvTagsComment comment[PGV_TAGS_COMMENTS];	/* in the order of the text */
} PgvTagsComments;

/* A pair: places in PgvTags.bytes, each NUL-terminated. */
typedef struct PgvTag
{
	uint16		key;
	uint16		value;
	uint16		value_len;
	uint8		key_len;
	uint8		role;			/* private: what the key means */
} PgvTag;

/*
 * Keys and values are not empty, valid UTF-8 and without control characters:
 * bytes that are neither became question marks.  In a database with another
 * encoding it is the caller who has to convert them.
 */
typedef struct PgvTags
{
	int			n;
	int			used;			/* of bytes */
	PgvTag		tag[PGV_TAGS_MAX];	/* each key once, as they were found */
	char		bytes[PGV_TAGS_BYTES];
} PgvTags;

#define PGV_TAG_KEY(tags, i)	((const char *) (tags)->bytes + (tags)->tag[i].key)
#define PGV_TAG_VALUE(tags, i)	((const char *) (tags)->bytes + (tags)->tag[i].value)

/* What pgv_tags_read() remembers.  It begins as zeroes. */
typedef struct PgvTagsMemo
{
	uint64		serial;			/* grows when tags are read anew */
	bool		valid;			/* the fields below say whose tags these are */
	uint8		n_head;			/* comments at the beginning, ... */
	uint8		n_tail;			/* ... at the end */
	int			head_len;
	int			tail_len;
	char		bytes[PGV_TAGS_MEMO_BYTES]; /* from the first to the last of
											 * those at the beginning, then of
											 * those at the end */
	PgvTags		tags;
} PgvTagsMemo;

/*
 * Find the comments with which a text begins and ends.  Returns their number.
 *
 * Not more than two are found at each end; of more, the outermost.  Those at
 * the beginning are of either kind; those at the end, before or after a
 * semicolon, are only sought in slashes and stars.  A comment counts once, and
 * not at all if it is longer than PGV_TAGS_LOOK.  Nor are comments found behind
 * or before more than 256 blanks.  A text that does neither begin nor end in
 * one costs a few instructions.
 *
 * sql must be a text that the server's parser has accepted, or a statement out
 * of one: from that follows in most cases, with a look at nothing but the
 * comment and the line before it, that the end of a text is not inside a
 * string.  What can be doubtful (a comment with a double quote, two dollars, or
 * single quotes together with a backslash, -- or a nested comment; two dashes
 * in the same line before it) is scanned from the beginning if it is not longer
 * than PGV_TAGS_LOOK, and otherwise not found.  So what is found never stands
 * in a literal or quoted identifier.  (In a text that was not accepted it can,
 * but nothing worse happens.)
 *
 * std_strings is as for pgv_sqltext_normalise().
 */
extern int	pgv_tags_comments(const char *sql, int len, bool std_strings,
							  PgvTagsComments *found);

/* Make it empty; it need not be initialised. */
static inline void
pgv_tags_clear(PgvTags *tags)
{
	tags->n = tags->used = 0;
}

/*
 * Add the tags of a comment, given with its delimiters, to those that are
 * there.  A key that is already there keeps its value.  Returns how many came
 * to be added.
 */
extern int	pgv_tags_parse(const char *comment, int len, PgvTags *tags);

/*
 * The tags of a text, or NULL if it has none: both functions above in one.
 * Of a key in several comments the first counts.
 *
 * They stay in memo until the next call, which does not parse anew what it has
 * just parsed, even if statements without tags came between; memo->serial tells
 * whether it did.
 */
extern const PgvTags *pgv_tags_read(const char *sql, int len, bool std_strings,
									PgvTagsMemo *memo);

/*
 * Does the text have the very comments that memo remembers, so that
 * pgv_tags_read() would not parse anything?
 */
extern bool pgv_tags_same(const char *sql, int len, const PgvTagsMemo *memo);

/*
 * Does the key name what differs from request to request, and so is no part of
 * a route: a trace, span, request, job run, session, process, thread, user,
 * address or time?  Letter case, and what is not a letter or digit, make no
 * difference: X-Request-Id is request_id.
 */
extern bool pgv_tags_is_request_id(const char *key, int len);

/*
 * The best name of the place in the application: route, controller#action,
 * job, endpoint, path of an URL (without host and query), action, controller or
 * operation.  Written to buf, NUL-terminated and cut to fit; returns buf, or
 * NULL if there is none (or no room for a byte of it).
 */
extern const char *pgv_tags_route(const PgvTags *tags, char *buf, int size);

/*
 * What tells this request from the next: the trace id of a traceparent, or
 * another's, or the id of the request, its correlation or the job.  Returns
 * where it is in tags, not NUL-terminated, and its length; or NULL.
 */
extern const char *pgv_tags_trace(const PgvTags *tags, int *len);

/*
 * Write the tags as a JSON object with sorted keys, NUL-terminated, with those
 * that pgv_tags_is_request_id() or without.  Pairs that do not fit any more are
 * left out.  Returns the length; 0 if there is no room for {}.  Equal tags give
 * equal texts, in whatever order they were found.
 */
extern int	pgv_tags_json(const PgvTags *tags, bool request_ids, char *buf,
						  int size);

/*
 * Is it such an object, as far as its form goes: one that every parser of JSON
 * accepts?  (From a file it may be not.)
 */
extern bool pgv_tags_is_json(const char *json, int len);

#endif							/* PGV_TAGS_H */
