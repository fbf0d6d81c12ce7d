/*-------------------------------------------------------------------------
 *
 * tags.c
 *	  Fuzz target: hostile comments.  Any bytes as a text that begins and ends in
 *	  comments, and as a comment.
 *
 * What tags.h promises of any bytes: nothing outside is read or written, tags
 * are valid UTF-8 without control characters and JSON when written as such, a
 * memo answers as a fresh look does.  In a text that the server's scanner
 * accepts (reference.c) what is found is a comment.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "base/tags.h"

#define MAX_TEXT	(3 * PGV_TAGS_LOOK)

/* ----- comments of a text ----- */

static RefToken tokens[REF_MAX_TOKENS + 1];
static int	n_tokens;

/* The last token that is neither blank, comment nor semicolon, or NULL. */
static const RefToken *
last_token(const char *sql)
{
	for (int i = n_tokens - 1; i >= 0; i--)
	{
		if (tokens[i].type > REF_COMMENT && sql[tokens[i].start] != ';')
			return &tokens[i];
	}
	return NULL;
}

static bool
is_comment(const PgvTagsComment *c)
{
	for (int i = 0; i < n_tokens; i++)
	{
		if (tokens[i].start == c->start)
			return tokens[i].type == REF_COMMENT && tokens[i].end == c->start + c->len;
	}
	return false;
}

/*
 * In a text that the parser may have accepted they are comments.  (Of its
 * grammar, one thing matters: no statement ends in an operator.)
 */
static void
check_comments(const char *sql, int len, bool std_strings, const PgvTagsComments *found)
{
	const RefToken *last;

	if (!pgv_ref_scan(sql, len, std_strings, tokens, &n_tokens))
		return;
	last = last_token(sql);
	if (last != NULL && last->type == REF_OPERATOR)
		return;
	for (int i = 0; i < found->n; i++)
	{
		if (!is_comment(&found->comment[i]))
		{
			pgv_fuzz_tell("found", sql + found->comment[i].start, found->comment[i].len);
			pgv_fuzz_broken(__FILE__, __LINE__, "what is found is a comment");
		}
	}
}

static void
check_places(const char *sql, int len, bool std_strings)
{
	PgvTagsComments found;
	int			at = 0;

	FUZZ_CHECK(pgv_tags_comments(sql, len, std_strings, &found) == found.n);
	FUZZ_CHECK(found.n >= 0 && found.n <= PGV_TAGS_COMMENTS);
	FUZZ_CHECK(found.leading >= 0 && found.leading <= found.n);
	FUZZ_CHECK(found.leading <= 2 && found.n - found.leading <= 2);
	for (int i = 0; i < found.n; i++)
	{
		const PgvTagsComment *c = &found.comment[i];
		const char *p = sql + c->start;

		FUZZ_CHECK(c->start >= at && c->len >= 2 && c->len <= PGV_TAGS_LOOK);
		FUZZ_CHECK(c->start <= len - c->len);
		at = c->start + c->len;
		if (p[0] == '/')
			FUZZ_CHECK(c->len >= 4 && memcmp(p, "/*", 2) == 0 &&
					   memcmp(p + c->len - 2, "*/", 2) == 0);
		else
			FUZZ_CHECK(memcmp(p, "--", 2) == 0 && i < found.leading);
	}
	check_comments(sql, len, std_strings, &found);
}

/* ----- tags ----- */

/* Behind the JSON string at p. */
static const char *
json_string(const char *p)
{
	FUZZ_CHECK(*p++ == '"');
	for (; *p != '"'; p++)
	{
		FUZZ_CHECK((uint8) *p >= ' ');
		if (*p == '\\')
		{
			p++;
			FUZZ_CHECK(*p == '"' || *p == '\\');
		}
	}
	return p + 1;
}

/* An object of strings, written as jsonb is; returns its pairs. */
static int
json_pairs(const char *json, int len)
{
	const char *p = json + 1;
	int			pairs = 0;

	FUZZ_CHECK((int) strlen(json) == len && pgv_fuzz_is_utf8(json, len));
	FUZZ_CHECK(json[0] == '{');
	while (*p != '}')
	{
		if (pairs++ > 0)
		{
			FUZZ_CHECK(strncmp(p, ", ", 2) == 0);
			p += 2;
		}
		p = json_string(p);
		FUZZ_CHECK(strncmp(p, ": ", 2) == 0);
		p = json_string(p + 2);
	}
	FUZZ_CHECK(p[1] == '\0');
	return pairs;
}

static void
check_string(const char *bytes, int len, int max)
{
	FUZZ_CHECK(len > 0 && len <= max && (int) strlen(bytes) == len);
	FUZZ_CHECK(pgv_fuzz_is_utf8(bytes, len));
	for (int i = 0; i < len; i++)
		FUZZ_CHECK((uint8) bytes[i] >= ' ' && bytes[i] != 0x7F);
}

static void
check_json(const PgvTags *tags, int size)
{
	static char whole[8 * PGV_TAGS_BYTES];
	char	   *buf = malloc(size);
	int			n = 0;
	int			len;

	for (int i = 0; i < tags->n; i++)
		n += !pgv_tags_is_request_id(PGV_TAG_KEY(tags, i), tags->tag[i].key_len);
	len = pgv_tags_json(tags, true, whole, sizeof(whole));
	FUZZ_CHECK(json_pairs(whole, len) == tags->n);
	len = pgv_tags_json(tags, false, whole, sizeof(whole));
	FUZZ_CHECK(json_pairs(whole, len) == n);
	len = pgv_tags_json(tags, true, buf, size);
	FUZZ_CHECK(len < size && (len == 0) == (size < 3));
	if (len > 0)
		FUZZ_CHECK(json_pairs(buf, len) <= tags->n);
	free(buf);
}

static void
check_use(const PgvTags *tags, int size)
{
	char	   *buf = malloc(size);
	const char *trace;
	int			len;

	check_json(tags, size);
	if (pgv_tags_route(tags, buf, size) != NULL)
		check_string(buf, (int) strlen(buf), size - 1);
	trace = pgv_tags_trace(tags, &len);
	if (trace != NULL)
		FUZZ_CHECK(trace >= tags->bytes && len > 0 &&
				   trace + len < tags->bytes + tags->used);
	free(buf);
}

static void
check_tags(const PgvTags *tags)
{
	FUZZ_CHECK(tags->n >= 0 && tags->n <= PGV_TAGS_MAX);
	FUZZ_CHECK(tags->used >= 0 && tags->used <= PGV_TAGS_BYTES);
	for (int i = 0; i < tags->n; i++)
	{
		const PgvTag *tag = &tags->tag[i];

		FUZZ_CHECK(tag->key + tag->key_len < tags->used);
		FUZZ_CHECK(tag->value + tag->value_len < tags->used);
		check_string(PGV_TAG_KEY(tags, i), tag->key_len, PGV_TAGS_KEY_BYTES);
		check_string(PGV_TAG_VALUE(tags, i), tag->value_len, PGV_TAGS_VALUE_BYTES);
		for (int j = 0; j < i; j++)
			FUZZ_CHECK(strcmp(PGV_TAG_KEY(tags, i), PGV_TAG_KEY(tags, j)) != 0);
	}
	check_use(tags, 1 + (tags->used + 7 * tags->n) % 90);
}

/* The text as the inside of a comment. */
static void
check_parsing(const char *bytes, int len)
{
	PgvTags    *tags = malloc(sizeof(PgvTags));
	char	   *comment = malloc(len + 4);
	int			n;

	memcpy(comment, "/*", 2);
	memcpy(comment + 2, bytes, len);
	memcpy(comment + 2 + len, "*/", 2);
	pgv_tags_clear(tags);
	n = pgv_tags_parse(comment, len + 4, tags);
	FUZZ_CHECK(n == tags->n);
	check_tags(tags);
	if (len > 0 && bytes[0] == '+')
		FUZZ_CHECK(n == 0);
	/* what is there stays, and keys are there but once */
	FUZZ_CHECK(pgv_tags_parse(comment, len + 4, tags) + n == tags->n);
	check_tags(tags);
	free(comment);
	free(tags);
}

/* ----- the memo ----- */

static void
tags_of(const char *sql, int len, bool std_strings, PgvTagsMemo *memo, char *json, int size)
{
	bool		same = pgv_tags_same(sql, len, memo);
	uint64		serial = memo->serial;
	const PgvTags *tags = pgv_tags_read(sql, len, std_strings, memo);

	json[0] = '\0';
	if (tags == NULL)
		return;
	FUZZ_CHECK(!same || memo->serial == serial);
	check_tags(tags);
	pgv_tags_json(tags, true, json, size);
}

/* Texts one after the other through a memo, and each through a fresh one. */
static void
check_memo(const char *sql, int len, bool std_strings)
{
	static PgvTagsMemo memo;
	static PgvTagsMemo fresh;
	static char json[2][8 * PGV_TAGS_BYTES];
	const int	starts[] = {0, len / 3, 0, len / 2, 0};
	const int	ends[] = {len, len, len / 2, len, len};

	memset(&memo, 0, sizeof(memo));
	for (int i = 0; i < (int) lengthof(starts); i++)
	{
		int			part_len = ends[i] - starts[i];
		char	   *part = pgv_fuzz_exactly(sql + starts[i], part_len);

		memset(&fresh, 0, sizeof(fresh));
		tags_of(part, part_len, std_strings, &memo, json[0], sizeof(json[0]));
		tags_of(part, part_len, std_strings, &fresh, json[1], sizeof(json[1]));
		FUZZ_CHECK(strcmp(json[0], json[1]) == 0);
		free(part);
	}
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	char	   *sql;
	int			len = (int) size;

	if (size > MAX_TEXT)
		return -1;
	sql = pgv_fuzz_exactly((const char *) data, len);
	for (int std_strings = 0; std_strings < 2; std_strings++)
	{
		check_places(sql, len, std_strings);
		check_memo(sql, len, std_strings);
	}
	check_parsing(sql, len);
	free(sql);
	return 0;
}
