/*-------------------------------------------------------------------------
 *
 * tags_random.c
 *	  If this fails, some text makes the functions read or write where they must
 *	  not, give what is not UTF-8 or JSON, find a comment where none is, or
 *	  remember wrongly.
 *
 * Whether a comment is one says the scanner of sqltext.c: a word in its place
 * is then a word of the normal form, and a string in its place is none.
 *
 * The seed is fixed: what failed fails again.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_TEXT	1024

#define WORD	"zqx"
#define TEXTS	200000

typedef struct Text
{
	char		bytes[MAX_TEXT];
	int			len;
} Text;

#define ANY_OF(list) ((list)[pgv_unit_random(lengthof(list))])

static void
append_bytes(Text *text, const char *bytes, int len)
{
	Assert(text->len + len <= MAX_TEXT);
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static void
append(Text *text, const char *bytes)
{
	append_bytes(text, bytes, (int) strlen(bytes));
}

static bool
contains(const char *bytes, int len, const char *part)
{
	int			part_len = (int) strlen(part);

	for (int i = 0; i + part_len <= len; i++)
	{
		if (memcmp(bytes + i, part, part_len) == 0)
			return true;
	}
	return false;
}

/* --- what comes out is well formed --- */

/* Well-formed UTF-8 by another way than in tags.c: decode and encode again. */
static bool
is_utf8(const uint8 *p, int len)
{
	const uint8 *end = p + len;

	while (p < end)
	{
		int			more = *p < 0x80 ? 0 : *p >= 0xF0 ? 3 : *p >= 0xE0 ? 2 : 1;
		uint32		c = more == 0 ? *p : *p & (0x3F >> more);
		uint32		least = more == 0 ? 0 : more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;

		if ((*p >= 0x80 && *p < 0xC0) || *p >= 0xF8 || end - p <= more)
			return false;
		for (int i = 1; i <= more; i++)
		{
			if ((p[i] & 0xC0) != 0x80)
				return false;
			c = c << 6 | (p[i] & 0x3F);
		}
		if (c < least || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
			return false;
		p += more + 1;
	}
	return true;
}

/* Behind the JSON string at p, or NULL if there is none. */
static const char *
json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++)
	{
		if ((uint8) *p < ' ')
			return NULL;
		if (*p == '\\' && *++p != '"' && *p != '\\')
			return NULL;
	}
	return p + 1;
}

/* Is it an object of strings, written as jsonb is?  Returns its pairs, or -1. */
static int
json_pairs(const char *p)
{
	int			pairs = 0;

	if (strcmp(p, "{}") == 0)
		return 0;
	if (*p++ != '{')
		return -1;
	for (;;)
	{
		p = json_string(p);
		if (p == NULL || strncmp(p, ": ", 2) != 0)
			return -1;
		p = json_string(p + 2);
		if (p == NULL)
			return -1;
		pairs++;
		if (strcmp(p, "}") == 0)
			return pairs;
		if (strncmp(p, ", ", 2) != 0)
			return -1;
		p += 2;
	}
}

static void
check_tags(const PgvTags *tags, const Text *text)
{
	static char json[8192];
	int			size = (int) pgv_unit_random(100);
	char	   *buf = malloc(size > 0 ? size : 1);
	const char *trace;
	int			len;

	CHECKF(tags->n <= PGV_TAGS_MAX && tags->used <= PGV_TAGS_BYTES, "too many: %.*s",
		   text->len, text->bytes);
	for (int i = 0; i < tags->n; i++)
	{
		const PgvTag *tag = &tags->tag[i];

		CHECK(tag->key_len == strlen(PGV_TAG_KEY(tags, i)) && tag->key_len > 0);
		CHECK(tag->value_len == strlen(PGV_TAG_VALUE(tags, i)) && tag->value_len > 0);
		CHECK(tag->key_len <= PGV_TAGS_KEY_BYTES && tag->value_len <= PGV_TAGS_VALUE_BYTES);
	}
	len = pgv_tags_json(tags, true, json, sizeof(json));
	CHECKF(json_pairs(json) == tags->n && is_utf8((uint8 *) json, len), "JSON: %s", json);
	len = pgv_tags_json(tags, false, buf, size);
	CHECKF(size < 3 || (json_pairs(buf) >= 0 && is_utf8((uint8 *) buf, len) && len < size),
		   "JSON in %d bytes: %s", size, buf);
	if (pgv_tags_route(tags, buf, size) != NULL)
		CHECKF(is_utf8((uint8 *) buf, (int) strlen(buf)), "route: %s", buf);
	trace = pgv_tags_trace(tags, &len);
	if (trace != NULL)
		CHECK(trace >= tags->bytes && len > 0 && trace + len < tags->bytes + tags->used);
	free(buf);
}

/* --- what is found is a comment --- */

static void
normal_form(const Text *text, bool std_strings, char *dst, int size)
{
	PgvSqlNormal out;

	pgv_sqltext_normalise(text->bytes, text->len, std_strings, dst, size, &out);
}

/* Would the server's scanner accept it, and its grammar as far as it matters? */
static bool
could_be_accepted(const Text *text, bool std_strings)
{
	static char dst[8 * MAX_TEXT];
	Text		longer = *text;
	int			len;

	append(&longer, "\n " WORD);
	normal_form(&longer, std_strings, dst, sizeof(dst));
	len = (int) strlen(dst) - (int) strlen(WORD);
	if (len < 0 || strcmp(dst + len, WORD) != 0 || (len > 0 && dst[len - 1] != ' '))
		return false;

	/* it may also be the end of something in quotes that stays open */
	longer = *text;
	append(&longer, "\n '" WORD "'");
	normal_form(&longer, std_strings, dst, sizeof(dst));
	if (strstr(dst, WORD) != NULL)
		return false;

	/* no statement ends in a string (that shows as $n) and an operator */
	normal_form(text, std_strings, dst, sizeof(dst));
	len = (int) strlen(dst);
	while (len > 0 && (strchr(" ;*/", dst[len - 1]) != NULL))
		len--;
	while (len > 0 && dst[len - 1] >= '0' && dst[len - 1] <= '9')
		len--;
	return len == 0 || dst[len - 1] != '$';
}

static bool
shows_with(const Text *text, const PgvTagsComment *comment, const char *instead,
		   bool std_strings)
{
	static char dst[8 * MAX_TEXT];
	Text		other = {.len = 0};

	append_bytes(&other, text->bytes, comment->start);
	append(&other, instead);
	append_bytes(&other, text->bytes + comment->start + comment->len,
				 text->len - comment->start - comment->len);
	normal_form(&other, std_strings, dst, sizeof(dst));
	return strstr(dst, WORD) != NULL;
}

static bool
is_comment(const Text *text, const PgvTagsComment *comment, bool std_strings)
{
	return shows_with(text, comment, " " WORD " ", std_strings) &&
		!shows_with(text, comment, "'" WORD "'", std_strings);
}

/* The comments found are within the text, in order, and look like comments. */
static void
check_found(const Text *text, const PgvTagsComments *found)
{
	int			at = 0;

	CHECK(found->n >= 0 && found->n <= PGV_TAGS_COMMENTS && found->leading <= found->n);
	for (int i = 0; i < found->n; i++)
	{
		const PgvTagsComment *c = &found->comment[i];
		const char *p = text->bytes + c->start;

		CHECKF(c->start >= at && c->len >= 2 && c->start + c->len <= text->len,
			   "outside: %.*s", text->len, text->bytes);
		at = c->start + c->len;
		if (p[0] == '/')
			CHECK(c->len >= 4 && memcmp(p, "/*", 2) == 0 && memcmp(p + c->len - 2, "*/", 2) == 0);
		else
			CHECK(memcmp(p, "--", 2) == 0 && i < found->leading);
	}
}

/* Returns how many comments were found at the end and proved to be some. */
static int
check_comments(const Text *text, bool std_strings)
{
	char	   *sql = malloc(text->len > 0 ? text->len : 1);
	PgvTagsComments found;
	int			proved = 0;

	memcpy(sql, text->bytes, text->len);
	pgv_tags_comments(sql, text->len, std_strings, &found);
	free(sql);
	check_found(text, &found);
	if (found.n == 0 || text->len > MAX_TEXT - 20 || !could_be_accepted(text, std_strings))
		return 0;
	for (int i = 0; i < found.n; i++)
	{
		CHECKF(is_comment(text, &found.comment[i], std_strings), "%s\n\tis no comment of: %.*s", found.evident ? "evidently" : "scanned",
			   text->len, text->bytes);
		proved += i >= found.leading;
	}
	return proved;
}

/* --- texts --- */

static const char *const pieces[] = {
	"SELECT ", "a ", ", ", " 1", "b", "e", "E", "u&", "n", "x", "$", "$$", "$q$", "$1", "'", "'", "'", "''",
	"\"", "\\", "\\'", "/*", "/*", "*/", "*/", "/", "*", "-", "--", "-- ", "\n", "\r", " ", ";", "k=", "k='v'",
	"k='v',", "route:", ",", "=", ":", "%", "%2", "%41", "%c3%a9", "%ff", "\xc3\xa9", "\xe2", "USING ", "+"
};
static const char *const tokens[] = {
	"SELECT ", "a", "b ", ", ", "'x'", "'/*k='", "'it''s /*'", "E'\\'/*a=1'", "e'\\\\'", "$$/*a='b'$$",
	"$q$'/*$q$", "\"/*a\"", "'*/'", "\"*/\"", "'--'", "\"--\"", "/* \" */", "/* ' */", "/* $$ */",
	"-- it's /*\n", "/", "*", " - ", "$1", " 12 ", "'8 /*k='", "--b\n", "n'x'", "U&'x'", "'\n'", "a$b ",
	" ORDER BY a USING ", "(", ")", "\xc3\xa9"
};
static const char *const comments[] = {
	"/*a='b'*/", "/*a='b',c='d'*/", "/*application:Blog,controller:posts*/", "/*line:f:12:in `foo'*/",
	"/*a='b\\'c'*/", "/*a='/a--b'*/", "/*a=\"b\"*/", "/*a='$1'*/", "/*a='$$',b='$$'*/", "/*a/*b*/c*/",
	"/*a='b/*c*/'*/", "/**/", "/***/", "/*/ x*/", "/*a b*/", "/*traceparent=00-1-1-01*/", "/*'*/", "/*''*/",
	"/*request_id='1'*/"
};
static const char *const gaps[] = {"", " ", "\n", ";", " ;\n", "\r\n"};

static void
random_pieces(Text *text)
{
	int			n = (int) pgv_unit_random(30);

	text->len = 0;
	while (n-- > 0)
	{
		if (pgv_unit_random(30) == 0)
		{
			char		byte = (char) pgv_unit_random(256);

			append_bytes(text, &byte, 1);
		}
		else
			append(text, ANY_OF(pieces));
	}
	if (pgv_unit_random(2) == 0)
		append(text, "*/");
}

/* Any pieces between comments. */
static void
random_between(Text *text)
{
	Text		inner;

	random_pieces(&inner);
	text->len = 0;
	if (pgv_unit_random(3) == 0)
		append(text, ANY_OF(comments));
	append_bytes(text, inner.bytes, inner.len);
	append(text, ANY_OF(comments));
}

static void
random_tokens(Text *text)
{
	int			n = (int) pgv_unit_random(12);

	text->len = 0;
	if (pgv_unit_random(4) == 0)
		append(text, ANY_OF(comments));
	while (n-- > 0)
		append(text, ANY_OF(tokens));
	append(text, " z");
	for (n = (int) pgv_unit_random(4); n > 0; n--)
	{
		append(text, ANY_OF(gaps));
		append(text, ANY_OF(comments));
	}
	append(text, ANY_OF(gaps));
}

/* --- the loops --- */

static void
check_texts(void (*make) (Text *text), int at_least)
{
	int			proved = 0;

	for (int i = 0; i < TEXTS; i++)
	{
		Text		text;

		make(&text);
		proved += check_comments(&text, pgv_unit_random(3) > 0);
	}
	/* or the texts are not what they are meant to be */
	CHECKF(proved > at_least, "only %d comments", proved);
}

/* Every comment at the end of a short text that could be accepted is found. */
static void
check_complete(void)
{
	int			looked = 0;

	for (int i = 0; i < TEXTS / 4; i++)
	{
		Text		text;
		const char *bytes = ANY_OF(comments);
		PgvTagsComments found;
		PgvTagsComment comment = {.len = (int) strlen(bytes)};

		random_tokens(&text);
		comment.start = text.len;
		append(&text, bytes);
		if (!could_be_accepted(&text, true) || !is_comment(&text, &comment, true))
			continue;
		looked++;
		pgv_tags_comments(text.bytes, text.len, true, &found);
		CHECKF(found.n > found.leading && found.comment[found.n - 1].start == comment.start,
			   "%s not found in: %.*s", bytes, text.len, text.bytes);
	}
	CHECKF(looked > TEXTS / 40, "only %d texts", looked);
}

/* Through a memo that saw other texts before comes what comes without. */
static void
check_memo(void)
{
	static PgvTagsMemo memo;
	static PgvTagsMemo fresh;
	char		json[2][8192];
	uint64		hits = 0;

	for (int i = 0; i < TEXTS; i++)
	{
		Text		text;
		Text		short_text = {.len = 0};
		uint64		serial = memo.serial;
		bool		std_strings = pgv_unit_random(3) > 0;
		const PgvTags *tags;

		if (pgv_unit_random(4) == 0)
			random_tokens(&text);
		else
		{
			append(&short_text, pgv_unit_random(4) == 0 ? ANY_OF(comments) : ANY_OF(tokens));
			append(&short_text, ANY_OF(tokens));
			append(&short_text, ANY_OF(gaps));
			append(&short_text, comments[pgv_unit_random(3)]);
			text = short_text;
		}
		json[0][0] = json[1][0] = '\0';
		tags = pgv_tags_read(text.bytes, text.len, std_strings, &memo);
		if (tags != NULL)
		{
			pgv_tags_json(tags, true, json[0], sizeof(json[0]));
			hits += memo.serial == serial;
		}
		fresh.valid = false;
		tags = pgv_tags_read(text.bytes, text.len, std_strings, &fresh);
		if (tags != NULL)
			pgv_tags_json(tags, true, json[1], sizeof(json[1]));
		CHECKF(strcmp(json[0], json[1]) == 0, "%s\n\tfor %s of: %.*s", json[0], json[1],
			   text.len, text.bytes);
	}
	CHECKF(hits > TEXTS / 50, "only " UINT64_FORMAT " times known", hits);
}

/* Comments of any bytes. */
static void
check_parsing(void)
{
	for (int i = 0; i < TEXTS; i++)
	{
		Text		text;
		Text		comment = {.len = 0};
		char	   *copy;
		PgvTags		tags;

		random_pieces(&text);
		append(&comment, pgv_unit_random(8) == 0 ? "--" : "/*");
		if (pgv_unit_random(3) == 0)
			append(&comment, "route='");
		append_bytes(&comment, text.bytes, text.len);
		append(&comment, pgv_unit_random(4) == 0 ? "'*/" : "*/");
		copy = malloc(comment.len);
		memcpy(copy, comment.bytes, comment.len);
		pgv_tags_clear(&tags);
		pgv_tags_parse(copy, comment.len, &tags);
		pgv_tags_parse(copy, comment.len, &tags);
		free(copy);
		check_tags(&tags, &comment);
		if (contains(comment.bytes, comment.len, "/*+"))
			CHECK(tags.n == 0 || comment.bytes[2] != '+');
	}
}

void
pgv_unit_tags_random(void)
{
	check_texts(random_pieces, 100);
	check_texts(random_between, 1000);
	check_texts(random_tokens, 1000);
	check_complete();
	check_memo();
	check_parsing();
}
