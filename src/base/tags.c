/*-------------------------------------------------------------------------
 *
 * tags.c
 *	  Comment tags of SQL texts.
 *
 * Owns nothing: no memory, no globals, no settings.  What the functions
 * promise, and which comments have tags, is in tags.h.
 *
 * Five parts:
 *
 *	  places		finds the comments at both ends of a text
 *	  roles			what keys mean
 *	  pairs			a comment to keys and values
 *	  use			what is made of them: route, trace, JSON
 *	  memo			the comments parsed last
 *
 * At its beginning a text is outside of everything.  Where its end is cannot
 * always be told without reading all of it.  With slashes for the !,
 *
 *		SELECT '8 !*k='!a--b'*!
 *
 * looks as if it ended in a comment that says k='!a--b', but is a division.
 * Mostly it can: the server has accepted the text, so it ends outside of
 * strings, and no statement ends in a string and an operator.  If what looks
 * like a comment began inside a string, there would have to be a quote in it
 * that ends the string, and another way to read all that follows.
 * body_is_evident() says when there is none; then no byte before the comment
 * matters, but for a line comment that it may be part of, see is_clear().
 * Where it cannot say, the text is scanned from its beginning if it is short.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/tags.h"

/* Blanks (and semicolons) before or behind a comment that are skipped. */
#define MAX_BLANKS	256

/* Two comments at each end. */
#define AT_EACH_END	(PGV_TAGS_COMMENTS / 2)

/* ----------
 * Bytes
 * ----------
 */
static inline bool
is_newline(uint8 c)
{
	return c == '\n' || c == '\r';
}

static inline bool
is_blank(uint8 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool
is_digit(uint8 c)
{
	return c >= '0' && c <= '9';
}

/* As for the server's scanner: the upper half are letters. */
static inline bool
is_word_start(uint8 c)
{
	return (uint8) ((c | 0x20) - 'a') < 26 || c == '_' || c >= 0x80;
}

static inline bool
is_word(uint8 c)
{
	return is_word_start(c) || is_digit(c) || c == '$';
}

static inline bool
at_pair(const uint8 *p, const uint8 *end, char first, char second)
{
	return end - p >= 2 && p[0] == (uint8) first && p[1] == (uint8) second;
}

/* ----------
 * Places
 * ----------
 */

/* What is left of a text, and how far to look into it. */
static inline const uint8 *
look_ahead(const uint8 *p, const uint8 *end)
{
	return end - p > PGV_TAGS_LOOK ? p + PGV_TAGS_LOOK : end;
}

static inline const uint8 *
look_back(const uint8 *p, const uint8 *start)
{
	return p - start > PGV_TAGS_LOOK ? p - PGV_TAGS_LOOK : start;
}

static inline const uint8 *
skip_blanks(const uint8 *p, const uint8 *end)
{
	for (int i = 0; i < MAX_BLANKS && p < end && is_blank(*p); i++)
		p++;
	return p;
}

/* Before the blanks and semicolons that end at end. */
static inline const uint8 *
trim_end(const uint8 *start, const uint8 *end)
{
	for (int i = 0; i < MAX_BLANKS && end > start; i++)
	{
		if (!is_blank(end[-1]) && end[-1] != ';')
			break;
		end--;
	}
	return end;
}

static inline bool
begins_comment(const uint8 *p, const uint8 *end)
{
	return at_pair(p, end, '/', '*') || at_pair(p, end, '-', '-');
}

static inline bool
ends_comment(const uint8 *start, const uint8 *end)
{
	return end - start >= 4 && end[-1] == '/' && end[-2] == '*';
}

/* Behind the block comment that begins at p; NULL if it does not end. */
static const uint8 *
block_comment_end(const uint8 *p, const uint8 *end)
{
	int			depth = 0;

	while (end - p >= 2)
	{
		if (p[0] == '/' && p[1] == '*')
		{
			depth++;
			p += 2;
		}
		else if (p[0] == '*' && p[1] == '/')
		{
			p += 2;
			if (--depth == 0)
				return p;
		}
		else
			p++;
	}
	return NULL;
}

static const uint8 *
line_end(const uint8 *p, const uint8 *end)
{
	while (p < end && !is_newline(*p))
		p++;
	return p;
}

/* Behind the comment that begins at p; NULL if it is too long or has no end. */
static const uint8 *
comment_end(const uint8 *p, const uint8 *end)
{
	const uint8 *limit = look_ahead(p, end);
	const uint8 *newline;

	if (*p == '/')
		return block_comment_end(p, limit);
	newline = line_end(p, limit);
	return newline == limit && limit < end ? NULL : newline;
}

static void
add_place(PgvTagsComments *found, const uint8 *sql, const uint8 *p,
		  const uint8 *end)
{
	PgvTagsComment *comment = &found->comment[found->n++];

	comment->start = (int) (p - sql);
	comment->len = (int) (end - p);
}

/* The comments at the beginning.  Returns the place behind them. */
static const uint8 *
find_leading(const uint8 *sql, const uint8 *end, PgvTagsComments *found)
{
	const uint8 *behind = sql;

	while (found->n < AT_EACH_END)
	{
		const uint8 *p = skip_blanks(behind, end);
		const uint8 *q = begins_comment(p, end) ? comment_end(p, end) : NULL;

		if (q == NULL)
			break;
		add_place(found, sql, p, q);
		behind = q;
	}
	found->leading = found->n;
	return behind;
}

/*
 * Where the comment that ends at end begins, if one does, looking backward
 * from its end.  NULL if it is not within [start, end), or if what is forward
 * one comment is not what it is backward.
 */
static const uint8 *
comment_start(const uint8 *start, const uint8 *end)
{
	ptrdiff_t	i = end - start - 4;
	int			depth = 1;

	while (i >= 0)
	{
		const uint8 *p = start + i;

		if (p[0] == '/' && p[1] == '*')
		{
			if (--depth == 0)
				return block_comment_end(p, end) == end ? p : NULL;
			i -= 2;
		}
		else if (p[0] == '*' && p[1] == '/')
		{
			depth++;
			i -= 2;
		}
		else
			i--;
	}
	return NULL;
}

/*
 * [p, end) looks like a block comment.  Can a text the server has accepted end
 * in it, and p be inside of
 *
 *	- a quoted identifier?  Not if no double quote ends it.
 *	- a dollar-quoted string?  Not if there are no two dollars to end it.
 *	- a comment?  Not a block comment: what is opened from p on is closed, so it
 *	  would stay open.  See is_clear() for the others.
 *	- a string?  Not without a single quote.  If there are any, each ends or
 *	  begins a string, as long as no backslash escapes it and nothing else
 *	  (double quotes, dollars, comments) begins outside of them.  If their
 *	  number is even, a string stays open.  If it is odd, and nothing follows
 *	  the last, the statement ends in a string and an operator; none does.
 */
static bool
body_is_evident(const uint8 *p, const uint8 *end)
{
	const uint8 *last = end - 2;
	const uint8 *behind_quote = NULL;
	int			quotes = 0;
	int			dollars = 0;
	bool		doubtful = false;

	for (p += 2; p < last; p++)
	{
		if (*p == '\'')
		{
			quotes++;
			behind_quote = p + 1;
		}
		else if (*p == '"')
			return false;
		else if (*p == '$')
			dollars++;
		else if (*p == '\\' || begins_comment(p, end))
			doubtful = true;
	}
	if (dollars > 1 || (quotes > 0 && doubtful))
		return false;
	return quotes % 2 == 0 || skip_blanks(behind_quote, last) == last;
}

/*
 * Is the slash at p the beginning of a comment if it is not in quotes?  Not if
 * it ends one, nor if it is in a line comment.  Two dashes in its line could
 * begin one.  (If the line is longer than we look, it is taken for none: what
 * is found is a comment then, too, only not that one.)
 */
static bool
is_clear(const uint8 *start, const uint8 *p)
{
	const uint8 *q = look_back(p, start);

	if (p > start && p[-1] == '*')
		return false;
	while (q < p && (q = memchr(q, '-', p - q)) != NULL)
	{
		if (at_pair(q, p, '-', '-'))
		{
			q = line_end(q, p);
			if (q == p)
				return false;
		}
		q++;
	}
	return true;
}

/* Behind the quote that ends the string p is in. */
static const uint8 *
skip_quoted(const uint8 *p, const uint8 *end, uint8 quote, bool backslash)
{
	while (p < end && *p != quote)
		p += *p == '\\' && backslash && end - p >= 2 ? 2 : 1;
	return p < end ? p + 1 : end;
}

/*
 * Behind a string with this letter before its quote, which p is behind.  It may
 * go on behind a newline, in its own way.
 */
static const uint8 *
skip_prefixed(const uint8 *p, const uint8 *end, int letter)
{
	for (;;)
	{
		bool		newline = false;
		const uint8 *q;

		p = skip_quoted(p, end, '\'', letter == 'e');
		for (q = p; q < end; q++)
		{
			if (at_pair(q, end, '-', '-'))
				q = line_end(q, end);
			if (q == end || !is_blank(*q))
				break;
			newline |= is_newline(*q);
		}
		if (q == end || *q != '\'')
			return p;
		/* a doubled quote goes on, too, but in bit strings there is none */
		if (!newline && (q > p || letter == 'b' || letter == 'x'))
			return p;
		p = q + 1;
	}
}

/* Behind the dollar-quoted string that begins at p, or behind the dollar. */
static const uint8 *
skip_dollar(const uint8 *p, const uint8 *end)
{
	const uint8 *q = p + 1;
	ptrdiff_t	len;

	if (q < end && is_word_start(*q))
	{
		while (q < end && is_word(*q) && *q != '$')
			q++;
	}
	if (q == end || *q != '$')
		return p + 1;
	q++;
	for (len = q - p; (q = memchr(q, '$', end - q)) != NULL; q++)
	{
		if (end - q >= len && memcmp(q, p, len) == 0)
			return q + len;
	}
	return end;
}

static const uint8 *
skip_word(const uint8 *p, const uint8 *end)
{
	while (p < end && is_word(*p))
		p++;
	return p;
}

/*
 * Behind the token at p, or a part of it that no quote or comment is in.  A
 * shorter version of the scanner in sqltext.c: here only matters what is
 * outside of quotes.
 */
static const uint8 *
skip_token(const uint8 *p, const uint8 *end, bool std_strings)
{
	int			letter = *p | 0x20;

	if (*p == '\'')
		return skip_quoted(p + 1, end, '\'', !std_strings);
	if (*p == '"')
		return skip_quoted(p + 1, end, '"', false);
	if (*p == '$')
		return skip_dollar(p, end);
	if (end - p >= 2 && p[1] == '\'' &&
		(letter == 'e' || letter == 'b' || letter == 'x'))
		return skip_prefixed(p + 2, end, letter);
	if (letter == 'u' && end - p >= 3 && p[1] == '&' && p[2] == '\'')
		return skip_prefixed(p + 3, end, letter);
	if (is_word_start(*p))
		return skip_word(p, end);
	if (is_digit(*p))
	{
		/* letters glued to digits are no E of a string */
		while (p < end && is_digit(*p))
			p++;
		return p < end && is_word_start(*p) ? skip_word(p, end) : p;
	}
	return p + 1;
}

/*
 * The comments before end, by scanning all from start, which is outside of
 * everything.  Adds to found the last ones with nothing but blanks and
 * semicolons between and behind them.
 */
static void
scan_trailing(const uint8 *sql, const uint8 *start, const uint8 *end,
			  bool std_strings, PgvTagsComments *found)
{
	const uint8 *begin[AT_EACH_END] = {NULL};
	const uint8 *behind[AT_EACH_END] = {NULL};
	const uint8 *p = start;

	while (p < end)
	{
		if (is_blank(*p) || *p == ';')
			p++;
		else if (at_pair(p, end, '-', '-'))
		{
			p = line_end(p, end);
			begin[0] = begin[1] = NULL;
		}
		else if (at_pair(p, end, '/', '*'))
		{
			const uint8 *q = block_comment_end(p, end);

			begin[0] = begin[1];
			behind[0] = behind[1];
			begin[1] = q != NULL ? p : NULL;
			behind[1] = p = q != NULL ? q : end;
		}
		else
		{
			p = skip_token(p, end, std_strings);
			begin[0] = begin[1] = NULL;
		}
	}
	for (int i = 0; i < AT_EACH_END; i++)
	{
		if (begin[i] != NULL)
			add_place(found, sql, begin[i], behind[i]);
	}
}

/*
 * The comments before end, from backward.  Returns false if that cannot be
 * told so.
 */
static bool
find_trailing(const uint8 *sql, const uint8 *start, const uint8 *end,
			  PgvTagsComments *found)
{
	const uint8 *begin[AT_EACH_END];
	const uint8 *behind[AT_EACH_END];
	int			n = 0;

	while (n < AT_EACH_END && ends_comment(start, end))
	{
		const uint8 *p = comment_start(look_back(end, start), end);

		if (p == NULL || !body_is_evident(p, end) || !is_clear(start, p))
			break;
		begin[n] = p;
		behind[n++] = end;
		end = trim_end(start, p);
	}
	found->evident = n == AT_EACH_END || !ends_comment(start, end);
	for (int i = n; i-- > 0;)
		add_place(found, sql, begin[i], behind[i]);
	return found->evident;
}

int
pgv_tags_comments(const char *sql, int len, bool std_strings,
				  PgvTagsComments *found)
{
	const uint8 *text = (const uint8 *) sql;
	const uint8 *start;
	const uint8 *end;

	found->n = found->leading = 0;
	found->evident = true;
	if (sql == NULL || len <= 0)
		return 0;
	start = find_leading(text, text + len, found);
	end = trim_end(start, text + len);
	if (!ends_comment(start, end) || find_trailing(text, start, end, found) ||
		end - start > PGV_TAGS_LOOK)
		return found->n;
	found->n = found->leading;
	scan_trailing(text, start, end, std_strings, found);
	return found->n;
}

/* ----------
 * Roles
 * ----------
 */

/*
 * What a key means.  Those that name a place in the application come first,
 * the best before the others; then those of single requests, and first of
 * these what tells one request from another.
 */
typedef enum Role
{
	ROLE_ROUTE,
	ROLE_NAMESPACED_CONTROLLER, /* together with an action */
	ROLE_CONTROLLER_OF_ACTION,	/* the same, of a plain controller */
	ROLE_JOB,
	ROLE_ENDPOINT,
	ROLE_PATH,
	ROLE_URL,
	ROLE_ACTION,
	ROLE_CONTROLLER,
	ROLE_OPERATION,
	NUM_PLACES,

	ROLE_TRACEPARENT = NUM_PLACES,
	ROLE_TRACE_ID,
	ROLE_REQUEST_ID,
	ROLE_CORRELATION_ID,
	ROLE_JOB_ID,
	NUM_TRACES,

	ROLE_OF_REQUEST = NUM_TRACES,	/* any other id of a request */
	ROLE_WELL_KNOWN,			/* such keys are used for tags */
	ROLE_NONE
} Role;

/* A key without what is not a letter or digit, in small letters. */
typedef struct KnownKey
{
	char		name[24];
	uint8		len;
	uint8		role;
} KnownKey;

#define KEY(name, role)	{name, sizeof(name) - 1, role}

static const KnownKey known_keys[] = {
	KEY("action", ROLE_ACTION),
	KEY("app", ROLE_WELL_KNOWN),
	KEY("appname", ROLE_WELL_KNOWN),
	KEY("application", ROLE_WELL_KNOWN),
	KEY("controller", ROLE_CONTROLLER),
	KEY("controllerwithnamespace", ROLE_NAMESPACED_CONTROLLER),
	KEY("database", ROLE_WELL_KNOWN),
	KEY("dbdriver", ROLE_WELL_KNOWN),
	KEY("dbhost", ROLE_WELL_KNOWN),
	KEY("endpoint", ROLE_ENDPOINT),
	KEY("endpointid", ROLE_ENDPOINT),
	KEY("framework", ROLE_WELL_KNOWN),
	KEY("graphqloperation", ROLE_OPERATION),
	KEY("graphqloperationname", ROLE_OPERATION),
	KEY("hostname", ROLE_WELL_KNOWN),
	KEY("httproute", ROLE_ROUTE),
	KEY("httptarget", ROLE_URL),
	KEY("httpurl", ROLE_URL),
	KEY("job", ROLE_JOB),
	KEY("jobclass", ROLE_JOB),
	KEY("jobname", ROLE_JOB),
	KEY("line", ROLE_WELL_KNOWN),
	KEY("namespacedcontroller", ROLE_NAMESPACED_CONTROLLER),
	KEY("namespacedjob", ROLE_JOB),
	KEY("operation", ROLE_OPERATION),
	KEY("operationname", ROLE_OPERATION),
	KEY("path", ROLE_PATH),
	KEY("requestpath", ROLE_PATH),
	KEY("requesturi", ROLE_URL),
	KEY("route", ROLE_ROUTE),
	KEY("service", ROLE_WELL_KNOWN),
	KEY("servicename", ROLE_WELL_KNOWN),
	KEY("socket", ROLE_WELL_KNOWN),
	KEY("sourcelocation", ROLE_WELL_KNOWN),
	KEY("task", ROLE_JOB),
	KEY("taskname", ROLE_JOB),
	KEY("uri", ROLE_URL),
	KEY("url", ROLE_URL),
	KEY("urlpath", ROLE_PATH),
	KEY("worker", ROLE_JOB),

	KEY("b3", ROLE_TRACE_ID),
	KEY("clientip", ROLE_OF_REQUEST),
	KEY("connectionid", ROLE_OF_REQUEST),
	KEY("fiber", ROLE_OF_REQUEST),
	KEY("fiberid", ROLE_OF_REQUEST),
	KEY("ip", ROLE_OF_REQUEST),
	KEY("jid", ROLE_JOB_ID),
	KEY("parentid", ROLE_OF_REQUEST),
	KEY("pid", ROLE_OF_REQUEST),
	KEY("processid", ROLE_OF_REQUEST),
	KEY("remoteip", ROLE_OF_REQUEST),
	KEY("reqid", ROLE_REQUEST_ID),
	KEY("sid", ROLE_OF_REQUEST),
	KEY("thread", ROLE_OF_REQUEST),
	KEY("threadid", ROLE_OF_REQUEST),
	KEY("threadname", ROLE_OF_REQUEST),
	KEY("tid", ROLE_OF_REQUEST),
	KEY("time", ROLE_OF_REQUEST),
	KEY("timestamp", ROLE_OF_REQUEST),
	KEY("traceparent", ROLE_TRACEPARENT),
	KEY("tracestate", ROLE_OF_REQUEST),
	KEY("transactionid", ROLE_OF_REQUEST),
	KEY("ts", ROLE_OF_REQUEST),
	KEY("txid", ROLE_OF_REQUEST),
	KEY("user", ROLE_OF_REQUEST),
	KEY("uuid", ROLE_OF_REQUEST)
};

/* Keys that end so, such as _dd.trace_id. */
static const KnownKey known_endings[] = {
	KEY("traceid", ROLE_TRACE_ID),
	KEY("requestid", ROLE_REQUEST_ID),
	KEY("correlationid", ROLE_CORRELATION_ID),
	KEY("jobid", ROLE_JOB_ID),
	KEY("taskid", ROLE_JOB_ID),
	KEY("sessionid", ROLE_OF_REQUEST),
	KEY("spanid", ROLE_OF_REQUEST),
	KEY("userid", ROLE_OF_REQUEST)
};

/* The key in small letters and without all else; its length. */
static int
fold_key(const char *key, int len, char folded[PGV_TAGS_KEY_BYTES])
{
	int			n = 0;

	for (int i = 0; i < len && n < PGV_TAGS_KEY_BYTES; i++)
	{
		uint8		c = (uint8) key[i];

		if (is_digit(c))
			folded[n++] = (char) c;
		else if ((uint8) ((c | 0x20) - 'a') < 26)
			folded[n++] = (char) (c | 0x20);
	}
	return n;
}

static Role
role_of(const char *key, int len)
{
	char		folded[PGV_TAGS_KEY_BYTES];
	int			n = fold_key(key, len, folded);

	for (int i = 0; i < (int) lengthof(known_keys); i++)
	{
		const KnownKey *known = &known_keys[i];

		if (known->len == n && memcmp(known->name, folded, n) == 0)
			return known->role;
	}
	for (int i = 0; i < (int) lengthof(known_endings); i++)
	{
		const KnownKey *known = &known_endings[i];

		if (known->len <= n &&
			memcmp(known->name, folded + n - known->len, known->len) == 0)
			return known->role;
	}
	return ROLE_NONE;
}

static inline bool
is_of_request(uint8 role)
{
	return role >= ROLE_TRACEPARENT && role <= ROLE_OF_REQUEST;
}

bool
pgv_tags_is_request_id(const char *key, int len)
{
	return is_of_request(role_of(key, len));
}

/* ----------
 * Pairs
 * ----------
 */

/* What stands between two commas. */
typedef struct Segment
{
	const uint8 *key;
	const uint8 *value;
	int			key_len;
	int			value_len;
	char		separator;
	char		quote;			/* 0 if bare */
	bool		is_pair;
	bool		has_blanks;		/* in a bare value */
	bool		ends_all;		/* nothing after it can be trusted */
} Segment;

static inline bool
is_key_byte(uint8 c)
{
	return (uint8) ((c | 0x20) - 'a') < 26 || is_digit(c) ||
		c == '_' || c == '.' || c == '%' || c == '-';
}

static const uint8 *
to_comma(const uint8 *p, const uint8 *end)
{
	while (p < end && *p != ',')
		p++;
	return p;
}

/* A value in quotes; p is at the first.  Returns the place behind all. */
static const uint8 *
quoted_value(const uint8 *p, const uint8 *end, Segment *segment)
{
	segment->ends_all = true;
	segment->quote = (char) *p;
	segment->value = ++p;
	while (p < end && *p != (uint8) segment->quote)
		p += *p == '\\' && end - p >= 2 && p[1] == (uint8) segment->quote ? 2 : 1;
	segment->value_len = (int) (p - segment->value);
	if (p == end)
		return end;
	for (p++; p < end && is_blank(*p);)
		p++;
	segment->is_pair = p == end || *p == ',';
	segment->ends_all = !segment->is_pair;
	return p;
}

/* A bare value, which begins at p and is not the rest of an operator or URL. */
static const uint8 *
bare_value(const uint8 *p, const uint8 *end, Segment *segment)
{
	const uint8 *comma = to_comma(p, end);
	const uint8 *behind = comma;

	while (behind > p && is_blank(behind[-1]))
		behind--;
	segment->value = p;
	segment->value_len = (int) (behind - p);
	segment->is_pair = p == behind ||
		(!is_blank(*p) && *p != '=' && *p != ':' && *p != '>' &&
		 !at_pair(p, behind, '/', '/'));
	for (; p < behind; p++)
		segment->has_blanks |= is_blank(*p);
	return comma;
}

/* Read the segment at p.  Returns the place of its comma, or end. */
static const uint8 *
read_segment(const uint8 *p, const uint8 *end, Segment *segment)
{
	const uint8 *comma;

	memset(segment, 0, sizeof(*segment));
	segment->key = p;
	if (p < end && is_word_start(*p))
	{
		while (p < end && is_key_byte(*p))
			p++;
		segment->key_len = (int) (p - segment->key);
	}
	if (segment->key_len > 0 && p < end && (*p == '=' || *p == ':'))
	{
		segment->separator = (char) *p++;
		if (p < end && (*p == '\'' || *p == '"'))
			return quoted_value(p, end, segment);
		return bare_value(p, end, segment);
	}
	comma = to_comma(p, end);
	for (; p < comma; p++)
		segment->ends_all |= *p == '\'' || *p == '"';
	return comma;
}

/*
 * Read the next segment that is not empty and move *p behind it; false if
 * there is none.
 */
static bool
next_segment(const uint8 **p, const uint8 *end, Segment *segment)
{
	while (*p < end && (is_blank(**p) || **p == ','))
		(*p)++;
	if (*p == end)
		return false;
	*p = read_segment(*p, end, segment);
	if (segment->ends_all)
		*p = end;
	return true;
}

/* What a comment consists of decides what of it counts. */
typedef struct Contents
{
	int			pairs;
	bool		quoted;			/* a pair has quotes */
	bool		blanks;			/* a bare value has blanks in it */
	bool		well_known;		/* a pair has a well-known key */
	bool		other;			/* something is no pair */
} Contents;

static void
survey(const uint8 *p, const uint8 *end, Contents *contents)
{
	Segment		segment;

	memset(contents, 0, sizeof(*contents));
	while (next_segment(&p, end, &segment))
	{
		if (!segment.is_pair)
		{
			contents->other = true;
			continue;
		}
		contents->pairs++;
		contents->quoted |= segment.quote != 0;
		contents->blanks |= segment.has_blanks;
		contents->well_known |= role_of((const char *) segment.key,
										segment.key_len) != ROLE_NONE;
	}
}

static inline bool
counts(const Segment *segment, const Contents *contents)
{
	if (!segment->is_pair || segment->value_len == 0)
		return false;
	if (contents->other)
		return contents->well_known && !segment->has_blanks;
	return contents->quoted || contents->well_known ||
		(contents->pairs > 1 && !contents->blanks);
}

/* --- bytes of keys and values --- */

static int
hex_digit(uint8 c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the two digits at p stand for, or -1. */
static int
hex_byte(const uint8 *p, const uint8 *end)
{
	int			high = end - p >= 2 ? hex_digit(p[0]) : -1;
	int			low = high >= 0 ? hex_digit(p[1]) : -1;

	return low >= 0 ? high * 16 + low : -1;
}

/*
 * Decode [p, end) into dst, at most room bytes; returns how many.  Where there
 * are more, *cut is set.
 */
static int
decode(const uint8 *p, const uint8 *end, char quote, bool percent,
	   char *dst, int room, bool *cut)
{
	int			n = 0;

	*cut = false;
	while (p < end)
	{
		int			byte = *p++;

		if (byte == '\\' && quote != 0 && p < end && *p == (uint8) quote)
			byte = *p++;
		else if (byte == '%' && percent)
		{
			/* drivers that format texts want %% for % */
			int			doubled = p < end && *p == '%' ? 1 : 0;
			int			decoded = hex_byte(p + doubled, end);

			if (decoded >= 0)
			{
				byte = decoded;
				p += doubled + 2;
			}
		}
		if (n == room)
		{
			*cut = true;
			break;
		}
		dst[n++] = (char) byte;
	}
	return n;
}

/* The length of the UTF-8 character at p; 0 if it is none. */
static int
utf8_len(const uint8 *p, const uint8 *end)
{
	uint8		low = 0x80;
	uint8		high = 0xBF;
	int			len;

	if (*p < 0x80)
		return 1;
	if (*p < 0xC2 || *p > 0xF4)
		return 0;
	len = *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
	/* no overlong ones, surrogates or what is above U+10FFFF */
	if (*p == 0xE0)
		low = 0xA0;
	else if (*p == 0xED)
		high = 0x9F;
	else if (*p == 0xF0)
		low = 0x90;
	else if (*p == 0xF4)
		high = 0x8F;
	if (end - p < len || p[1] < low || p[1] > high)
		return 0;
	for (int i = 2; i < len; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	return len;
}

/* Put question marks for what is not UTF-8 and for control characters. */
static void
clean(char *bytes, int len)
{
	uint8	   *p = (uint8 *) bytes;
	const uint8 *end = p + len;

	while (p < end)
	{
		int			n = *p >= ' ' && *p != 0x7F ? utf8_len(p, end) : 0;

		if (n == 0)
			*p = '?';
		p += n > 0 ? n : 1;
	}
}

/* How many of len bytes are left without the character that may be cut off. */
static int
whole_characters(const char *bytes, int len)
{
	int			n = len;

	while (n > 0 && len - n < 3 && ((uint8) bytes[n - 1] & 0xC0) == 0x80)
		n--;
	return n > 0 && (uint8) bytes[n - 1] >= 0xC0 ? n - 1 : len;
}

static bool
has_key(const PgvTags *tags, const char *key, int len)
{
	for (int i = 0; i < tags->n; i++)
	{
		if (tags->tag[i].key_len == len &&
			memcmp(PGV_TAG_KEY(tags, i), key, len) == 0)
			return true;
	}
	return false;
}

static int
add_bytes(PgvTags *tags, const char *bytes, int len)
{
	int			place = tags->used;

	memcpy(tags->bytes + place, bytes, len);
	tags->bytes[place + len] = '\0';
	tags->used += len + 1;
	return place;
}

/* Add a pair, unless its key is there or it does not fit. */
static bool
add_pair(PgvTags *tags, const Segment *segment)
{
	char		key[PGV_TAGS_KEY_BYTES];
	char		value[PGV_TAGS_VALUE_BYTES];
	bool		percent = segment->separator == '=';
	bool		cut;
	int			key_len;
	int			value_len;
	PgvTag	   *tag;

	key_len = decode(segment->key, segment->key + segment->key_len, 0, percent,
					 key, sizeof(key), &cut);
	clean(key, key_len);
	if (cut || has_key(tags, key, key_len))
		return false;

	value_len = decode(segment->value, segment->value + segment->value_len,
					   segment->quote, percent, value, sizeof(value), &cut);
	if (cut)
		value_len = whole_characters(value, value_len);
	clean(value, value_len);
	if (key_len + value_len + 2 > PGV_TAGS_BYTES - tags->used)
		return false;

	tag = &tags->tag[tags->n++];
	tag->key = (uint16) add_bytes(tags, key, key_len);
	tag->key_len = (uint8) key_len;
	tag->value = (uint16) add_bytes(tags, value, value_len);
	tag->value_len = (uint16) value_len;
	tag->role = (uint8) role_of(key, key_len);
	return true;
}

int
pgv_tags_parse(const char *comment, int len, PgvTags *tags)
{
	const uint8 *p = (const uint8 *) comment;
	const uint8 *end;
	int			before = tags->n;
	Contents	contents;
	Segment		segment;

	if (comment == NULL || len < 3 || len > PGV_TAGS_LOOK)
		return 0;
	end = p + len;
	if (at_pair(p, end, '/', '*') && ends_comment(p, end))
		end -= 2;
	else if (!at_pair(p, end, '-', '-'))
		return 0;
	p += 2;
	if (p < end && *p == '+')
		return 0;				/* a hint */

	survey(p, end, &contents);
	if (contents.pairs == 0)
		return 0;
	while (tags->n < PGV_TAGS_MAX && next_segment(&p, end, &segment))
	{
		if (counts(&segment, &contents))
			add_pair(tags, &segment);
	}
	return tags->n - before;
}

/* ----------
 * Use
 * ----------
 */

/* The first tag with that role, or -1. */
static int
find_role(const PgvTags *tags, Role role)
{
	for (int i = 0; i < tags->n; i++)
	{
		if (tags->tag[i].role == role)
			return i;
	}
	return -1;
}

/* Append to buf what fits, in whole characters; returns the new length. */
static int
append_cut(char *buf, int size, int n, const char *bytes, int len)
{
	if (len > size - 1 - n)
	{
		len = size - 1 - n;
		/* what is left out may be whole characters: bytes has more */
		while (len > 0 && ((uint8) bytes[len] & 0xC0) == 0x80)
			len--;
	}
	memcpy(buf + n, bytes, len);
	buf[n + len] = '\0';
	return n + len;
}

static int
append_value(const PgvTags *tags, int i, char *buf, int size, int n)
{
	return append_cut(buf, size, n, PGV_TAG_VALUE(tags, i),
					  tags->tag[i].value_len);
}

/* The path of an URL, which may lack its scheme and host, without query. */
static int
append_path(const char *url, int len, char *buf, int size)
{
	const char *end = url + len;
	const char *p = url;

	while (p < end && *p != ':' && *p != '/' && *p != '?' && *p != '#')
		p++;
	if (end - p >= 3 && memcmp(p, "://", 3) == 0)
	{
		p = memchr(p + 3, '/', end - p - 3);
		url = p != NULL ? p : end;
	}
	for (p = url; p < end && *p != '?' && *p != '#';)
		p++;
	return append_cut(buf, size, 0, url, (int) (p - url));
}

/* Write what that role gives to buf; 0 if nothing. */
static int
place_of_role(const PgvTags *tags, Role role, char *buf, int size)
{
	int			action = -1;
	int			i;
	int			n;

	if (role == ROLE_NAMESPACED_CONTROLLER || role == ROLE_CONTROLLER_OF_ACTION)
		action = find_role(tags, ROLE_ACTION);
	if (role == ROLE_CONTROLLER_OF_ACTION)
		i = action >= 0 ? find_role(tags, ROLE_CONTROLLER) : -1;
	else
		i = find_role(tags, role);
	if (i < 0)
		return 0;
	if (role == ROLE_URL || role == ROLE_PATH)
		return append_path(PGV_TAG_VALUE(tags, i), tags->tag[i].value_len, buf, size);
	n = append_value(tags, i, buf, size, 0);
	if (action >= 0 && n == tags->tag[i].value_len)
	{
		n = append_cut(buf, size, n, "#", 1);
		n = append_value(tags, action, buf, size, n);
	}
	return n;
}

const char *
pgv_tags_route(const PgvTags *tags, char *buf, int size)
{
	if (size < 2)
		return NULL;
	for (int role = 0; role < NUM_PLACES; role++)
	{
		if (place_of_role(tags, role, buf, size) > 0)
			return buf;
	}
	return NULL;
}

/*
 * The trace id in a traceparent, 00-<32 digits>-<16 digits>-<2 digits> (later
 * versions may have more behind), if it is one.
 */
static const char *
trace_of_traceparent(const char *value, int value_len, int *len)
{
	bool		zero = true;

	if (value_len < 55 || value[2] != '-' || value[35] != '-' || value[52] != '-')
		return NULL;
	for (int i = 3; i < 35; i++)
	{
		if (hex_digit((uint8) value[i]) < 0)
			return NULL;
		zero &= value[i] == '0';
	}
	*len = 32;
	return zero ? NULL : value + 3;
}

/* An id, without that of the span that b3 and uber-trace-id have behind it. */
static const char *
trace_of_id(const char *value, int value_len, int *len)
{
	int			n = 0;

	while (n < value_len && hex_digit((uint8) value[n]) >= 0)
		n++;
	if ((n != 16 && n != 32) || n == value_len ||
		(value[n] != '-' && value[n] != ':'))
		n = value_len;
	*len = n;
	return value;
}

const char *
pgv_tags_trace(const PgvTags *tags, int *len)
{
	for (int role = ROLE_TRACEPARENT; role < NUM_TRACES; role++)
	{
		for (int i = 0; i < tags->n; i++)
		{
			const char *value = PGV_TAG_VALUE(tags, i);
			int			value_len = tags->tag[i].value_len;

			if (tags->tag[i].role != role)
				continue;
			if (role == ROLE_TRACEPARENT)
				value = trace_of_traceparent(value, value_len, len);
			else
				value = trace_of_id(value, value_len, len);
			if (value != NULL)
				return value;
		}
	}
	return NULL;
}

/* --- JSON --- */

/* Sort the numbers of tags by their keys; few, so by insertion. */
static void
sort_tags(const PgvTags *tags, uint8 order[PGV_TAGS_MAX])
{
	for (int i = 0; i < tags->n; i++)
	{
		int			j = i;

		/* keys have no NUL in them but the one behind */
		for (; j > 0; j--)
		{
			const PgvTag *other = &tags->tag[order[j - 1]];

			if (memcmp(tags->bytes + other->key, PGV_TAG_KEY(tags, i),
					   Min(other->key_len, tags->tag[i].key_len) + 1) < 0)
				break;
			order[j] = order[j - 1];
		}
		order[j] = (uint8) i;
	}
}

/* A JSON string at p; NULL if it does not fit before end. */
static char *
put_string(char *p, const char *end, const char *bytes, int len)
{
	if (end - p < len + 2)
		return NULL;
	*p++ = '"';
	for (int i = 0; i < len; i++)
	{
		bool		escape = bytes[i] == '"' || bytes[i] == '\\';

		/* and the quote behind all */
		if (end - p < (escape ? 3 : 2))
			return NULL;
		if (escape)
			*p++ = '\\';
		*p++ = bytes[i];
	}
	*p++ = '"';
	return p;
}

/* "key": "value" at p; NULL if it does not fit before end. */
static char *
put_pair(char *p, const char *end, const PgvTags *tags, int i)
{
	p = put_string(p, end, PGV_TAG_KEY(tags, i), tags->tag[i].key_len);
	if (p == NULL || end - p < 2)
		return NULL;
	*p++ = ':';
	*p++ = ' ';
	return put_string(p, end, PGV_TAG_VALUE(tags, i), tags->tag[i].value_len);
}

int
pgv_tags_json(const PgvTags *tags, bool request_ids, char *buf, int size)
{
	uint8		order[PGV_TAGS_MAX];
	char	   *p = buf;
	const char *end;

	if (size < 3)
	{
		if (size > 0)
			*buf = '\0';
		return 0;
	}
	end = buf + size - 2;		/* room for the last brace and the NUL */
	*p++ = '{';
	sort_tags(tags, order);
	for (int n = 0; n < tags->n; n++)
	{
		int			comma = p > buf + 1 ? 2 : 0;
		char	   *behind = NULL;

		if (!request_ids && is_of_request(tags->tag[order[n]].role))
			continue;
		if (end - p > comma)
			behind = put_pair(p + comma, end, tags, order[n]);
		if (behind == NULL)
			continue;
		memcpy(p, ", ", comma);
		p = behind;
	}
	*p++ = '}';
	*p = '\0';
	return (int) (p - buf);
}

/* Behind the string that begins at p as put_string() writes it, or NULL. */
static const char *
skip_string(const char *p, const char *end)
{
	if (p == NULL || p >= end || *p != '"')
		return NULL;
	while (++p < end && *p != '"')
	{
		if ((uint8) *p < ' ')
			return NULL;
		if (*p == '\\' && (++p >= end || (*p != '"' && *p != '\\')))
			return NULL;
	}
	return p < end ? p + 1 : NULL;
}

/* Behind two bytes, or NULL if they are not there. */
static const char *
skip_two(const char *p, const char *end, const char *two)
{
	return p != NULL && end - p >= 2 && memcmp(p, two, 2) == 0 ? p + 2 : NULL;
}

bool
pgv_tags_is_json(const char *json, int len)
{
	const char *p = json;
	const char *end = json + len;

	if (len < 2 || *p++ != '{')
		return false;
	if (*p == '}')
		return len == 2;
	for (;;)
	{
		p = skip_string(skip_two(skip_string(p, end), end, ": "), end);
		if (p == NULL || p >= end)
			return false;
		if (*p == '}')
			return p + 1 == end;
		p = skip_two(p, end, ", ");
	}
}

/* ----------
 * Memo
 * ----------
 */

/* Does the text begin with the comments of the memo, and no others? */
static bool
same_head(const uint8 *p, const uint8 *end, const PgvTagsMemo *memo,
		  const uint8 **behind)
{
	*behind = p;
	if (memo->n_head > 0)
	{
		p = skip_blanks(p, end);
		if (end - p < memo->head_len ||
			memcmp(p, memo->bytes, memo->head_len) != 0)
			return false;
		*behind = p += memo->head_len;
	}
	return memo->n_head == AT_EACH_END ||
		!begins_comment(skip_blanks(p, end), end);
}

/* Does it end in those of the memo, and no others? */
static bool
same_tail(const uint8 *start, const uint8 *end, const PgvTagsMemo *memo)
{
	const char *tail = memo->bytes + memo->head_len;

	end = trim_end(start, end);
	if (memo->n_tail > 0)
	{
		if (end - start < memo->tail_len ||
			memcmp(end - memo->tail_len, tail, memo->tail_len) != 0 ||
			!is_clear(start, end - memo->tail_len))
			return false;
		end -= memo->tail_len;
		if (memo->n_tail == AT_EACH_END)
			return true;
		end = trim_end(start, end);
	}
	return !ends_comment(start, end);
}

/*
 * Behind the comments at the beginning: a newline that ends the last belongs to
 * them.  Without it, there is nothing to recognise the end by.
 */
static int
head_end(const char *sql, int len, const PgvTagsComments *found)
{
	const PgvTagsComment *last = &found->comment[found->leading - 1];
	int			end = last->start + last->len;

	if (sql[last->start] == '/')
		return end;
	return end < len ? end + 1 : -1;
}

/* Remember whose tags these are, if the next text can be recognised by it. */
static void
remember(PgvTagsMemo *memo, const char *sql, int len,
		 const PgvTagsComments *found)
{
	const PgvTagsComment *tail = &found->comment[found->leading];
	const PgvTagsComment *last = &found->comment[found->n - 1];
	int			head_len = 0;
	int			tail_len = 0;

	memo->valid = false;
	memo->n_head = (uint8) found->leading;
	memo->n_tail = (uint8) (found->n - found->leading);
	if (memo->n_head > 0)
		head_len = head_end(sql, len, found) - found->comment[0].start;
	if (memo->n_tail > 0)
		tail_len = last->start + last->len - tail->start;
	if (head_len < 0 || head_len + tail_len > PGV_TAGS_MEMO_BYTES ||
		!found->evident)
		return;
	if (head_len > 0)
		memcpy(memo->bytes, sql + found->comment[0].start, head_len);
	if (tail_len > 0)
		memcpy(memo->bytes + head_len, sql + tail->start, tail_len);
	memo->head_len = head_len;
	memo->tail_len = tail_len;
	memo->valid = true;
}

bool
pgv_tags_same(const char *sql, int len, const PgvTagsMemo *memo)
{
	const uint8 *start = (const uint8 *) sql;
	const uint8 *behind;

	return memo->valid && same_head(start, start + len, memo, &behind) &&
		same_tail(behind, start + len, memo);
}

const PgvTags *
pgv_tags_read(const char *sql, int len, bool std_strings, PgvTagsMemo *memo)
{
	PgvTagsComments found;

	if (sql == NULL || len <= 0)
		return NULL;
	if (!pgv_tags_same(sql, len, memo))
	{
		if (pgv_tags_comments(sql, len, std_strings, &found) == 0)
			return NULL;
		pgv_tags_clear(&memo->tags);
		for (int i = 0; i < found.n; i++)
			pgv_tags_parse(sql + found.comment[i].start, found.comment[i].len,
						   &memo->tags);
		memo->serial++;
		remember(memo, sql, len, &found);
	}
	return memo->tags.n > 0 ? &memo->tags : NULL;
}
