/*-------------------------------------------------------------------------
 *
 * tags_places.c
 *	  If this fails, comments at the ends of a text are missed, something in a
 *	  literal is taken for one, or a long text takes long.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct PlaceCase
{
	const char *sql;
	const char *places;			/* those found, "|" behind each at the
								 * beginning and "!" behind each at the end */
} PlaceCase;

static const PlaceCase cases[] = {
	{"", ""},
	{" ", ""},
	{";", ""},
	{"SELECT 1", ""},
	{"SELECT 1;\n", ""},
	{"/", ""},
	{"*/", ""},
	{"/*/", ""},
	{"-", ""},
	{"/**/", "/**/|"},
	{"--", "--|"},
	{"/*a*/", "/*a*/|"},
	{"/*a*/ /*b*/", "/*a*/|/*b*/|"},
	{"/*a*//*b*//*c*/", "/*a*/|/*b*/|/*c*/!"},
	{"/*a*//*b*//*c*//*d*//*e*/", "/*a*/|/*b*/|/*d*/!/*e*/!"},

	/* the beginning */
	{"/*a*/SELECT 1", "/*a*/|"},
	{" \t\r\n\f\v/*a*/ SELECT 1", "/*a*/|"},
	{"/* a /* b */ c */ SELECT 1", "/* a /* b */ c */|"},
	{"/* a /* b */ SELECT 1", ""},
	{"/*/ a */ SELECT 1", "/*/ a */|"},
	{"/*a", ""},
	{"-- a\nSELECT 1", "-- a|"},
	{"--a\r\n--b\r\nSELECT 1", "--a|--b|"},
	{"-- a", "-- a|"},
	{"-- a /* b */", "-- a /* b */|"},
	{"-- a\n/*b*/ SELECT 1", "-- a|/*b*/|"},
	{"- -1 /*b*/", "/*b*/!"},
	{"(/*a*/ SELECT 1)", ""},
	{"; /*a*/ SELECT 1", ""},

	/* the end */
	{"SELECT 1/*a*/", "/*a*/!"},
	{"SELECT 1 /*a*/;", "/*a*/!"},
	{"SELECT 1; /*a*/", "/*a*/!"},
	{"SELECT 1 /*a*/ ;\n ; ", "/*a*/!"},
	{"SELECT 1 /*a*/ ; /*b*/", "/*a*/!/*b*/!"},
	{"SELECT 1 /*a*/ /*b*//*c*/", "/*b*/!/*c*/!"},
	{"SELECT 1 /* a /* b */ c */", "/* a /* b */ c */!"},
	{"SELECT 1 /**/", "/**/!"},
	{"SELECT 1 /***/", "/***/!"},
	{"SELECT 1 /*/ a */", "/*/ a */!"},
	{"SELECT 1 /* a **/", "/* a **/!"},
	{"SELECT 1 //* a */", "/* a */!"},
	{"SELECT 1 * /* a */", "/* a */!"},
	{"SELECT */* a */", "/* a */!"},
	{"SELECT 1 /* a */ /* b", ""},
	{"SELECT 1 a */", ""},
	{"SELECT 1 /* a */ -- b", ""},
	{"SELECT 1 -- b\n/* a */", "/* a */!"},
	{"SELECT 1 -- b\r/* a */", "/* a */!"},
	{"SELECT 1 -- /* a */", ""},
	{"SELECT 1 -- it's\n , 2 /* a */", "/* a */!"},
	{"SELECT 1 -- /* a\n , 2 */", ""},
	{"SELECT '--' /* a */", "/* a */!"},
	{"SELECT \"--\" /* a */", "/* a */!"},
	{"SELECT $$--$$ /* a */", "/* a */!"},
	{"SELECT 1 /*--*/ /* a */", "/*--*/!/* a */!"},
	{"SELECT 1 - -1 /* a--b */", "/* a--b */!"},
	{"/*a*/ SELECT 1 /*b*/", "/*a*/|/*b*/!"},
	{"--a\nSELECT 1 /*b*/", "--a|/*b*/!"},

	/* quotes in the comment */
	{"SELECT 1 /*a='b'*/", "/*a='b'*/!"},
	{"SELECT 'x' /*a='b',c='d'*/", "/*a='b',c='d'*/!"},
	{"SELECT 'x' /*line:f.rb:12:in `foo'*/", "/*line:f.rb:12:in `foo'*/!"},
	{"SELECT 'x' /*a='b' 'c*/", "/*a='b' 'c*/!"},
	{"SELECT 'x' /*a='b\\'c'*/", "/*a='b\\'c'*/!"},
	{"SELECT 'x' /*a='b--c'*/", "/*a='b--c'*/!"},
	{"SELECT 'x' /*a=\"b\"*/", "/*a=\"b\"*/!"},
	{"SELECT 'x' /*a='$1',b='$2'*/", "/*a='$1',b='$2'*/!"},
	{"SELECT $$x$$ /*a='$$',b='$$'*/", "/*a='$$',b='$$'*/!"},
	{"SELECT 'x' /*a='b/*c*/'*/", "/*a='b/*c*/'*/!"},
	{"SELECT 'x' /*a*/ /*a=\"b\"*/", "/*a*/!/*a=\"b\"*/!"},

	/* what is in literals */
	{"SELECT '/*a*/'", ""},
	{"SELECT '/*a*/;'", ""},
	{"SELECT '/*' || 'a*/'", ""},
	{"SELECT $$/*a*/$$", ""},
	{"SELECT 1 AS \"/*a*/\"", ""},
	{"SELECT '/*a' /* b */", "/* b */!"},
	{"SELECT '8 /*k='/a--b'*/", ""},
	{"SELECT '8 /*k='/*a--b'*/", "/*a--b'*/!"},
	{"SELECT '/*k='/*'*/", "/*'*/!"},
	{"SELECT '/*k=' /*''*/", "/*''*/!"},
	{"SELECT '/*k=',$$'*/$$ /* b */", "/* b */!"},
	{"SELECT \" /*k=\", 2 --\" */", ""},
	{"SELECT $a$ /*k=$a$, 2 --$a$ */", ""},
	{"SELECT $a$ /*k=$a$, 2 /*$a$ */", "/*$a$ */!"},
	{"SELECT E'\\' /*k=', a --' */", ""},
	{"SELECT E'x'\n'\\' /*k=', a --' */", ""},
	{"SELECT E'x' -- c\n'\\' /*k=', a --' */", ""},
	{"SELECT E'x' '\\', a /* ' -- */", "/* ' -- */!"},
	{"SELECT E'x''\\' /*k=', a --' */", ""},
	{"SELECT fe'\\', a /* ' -- */", "/* ' -- */!"},
	{"SELECT 1e'\\', a /* ' -- */", "/* ' -- */!"},
	{"SELECT a$b$, a /* $b$ -- \" */", "/* $b$ -- \" */!"},
	{"SELECT $1$b$/*$b$, a /* $b$ -- \" */", "/* $b$ -- \" */!"},
	{"SELECT $1, $, $a /* $b$ -- \" */", "/* $b$ -- \" */!"},
	{"SELECT U&\"\\\", a /* \" -- */", "/* \" -- */!"},
	{"SELECT a ORDER BY b USING /* k='v' */*/", ""},
	{"SELECT '/* k=1', a /* ' */ ORDER BY b USING */", ""},
	{"SELECT 2 /*a*/*k ORDER BY b USING */", ""},
};

/* Without standard_conforming_strings. */
static const PlaceCase old_cases[] = {
	{"SELECT '\\' /*k=', a --' */", ""},
	{"SELECT 'a' '\\' /*k=', a --' */", ""},
	{"SELECT 'x\\\\', a /* ' -- */", "/* ' -- */!"},
	{"SELECT n'\\' /*k=', a --' */", ""},
	{"SELECT b'1''\\', a /* ' -- */", ""},
	{"SELECT b'1'\n'\\', a /* ' -- */", "/* ' -- */!"},
	{"SELECT $$\\$$, a /* ' -- */", "/* ' -- */!"},
};

/* In memory of exactly that size, so that a read outside is noticed. */
static char *
exactly(const char *bytes, int len)
{
	char	   *copy = malloc(len > 0 ? len : 1);

	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static void
check_places(const PlaceCase *c, bool std_strings)
{
	int			len = (int) strlen(c->sql);
	char	   *sql = exactly(c->sql, len);
	char		places[1000] = "";
	char	   *p = places;
	PgvTagsComments found;

	CHECK(pgv_tags_comments(sql, len, std_strings, &found) == found.n);
	for (int i = 0; i < found.n; i++)
		p += snprintf(p, places + sizeof(places) - p, "%.*s%s", found.comment[i].len,
					  sql + found.comment[i].start, i < found.leading ? "|" : "!");
	CHECKF(strcmp(places, c->places) == 0,
		   "\n\tstatement: %s\n\texpected:  %s\n\tgot:       %s", c->sql, c->places, places);
	free(sql);
}

static void
check_no_text(void)
{
	PgvTagsComments found;
	static PgvTagsMemo memo;

	CHECK(pgv_tags_comments(NULL, 0, true, &found) == 0 && found.n == 0);
	CHECK(pgv_tags_comments("/**/", 0, true, &found) == 0 && found.n == 0);
	CHECK(pgv_tags_comments("/**/", -1, true, &found) == 0 && found.n == 0);
	CHECK(pgv_tags_comments("/**/", 3, true, &found) == 0 && found.n == 0);
	CHECK(pgv_tags_comments("/*\0*/", 5, true, &found) == 1);
	CHECK(pgv_tags_read(NULL, 0, true, &memo) == NULL);
	CHECK(pgv_tags_read("/*a='b'*/", -1, true, &memo) == NULL);
}

/* --- sizes --- */

/* A text: begin, n times fill, end. */
static char *
long_text(const char *begin, char fill, int n, const char *end, int *len)
{
	int			begin_len = (int) strlen(begin);
	int			end_len = (int) strlen(end);
	char	   *sql = malloc(begin_len + n + end_len);

	memcpy(sql, begin, begin_len);
	memset(sql + begin_len, fill, n);
	memcpy(sql + begin_len + n, end, end_len);
	*len = begin_len + n + end_len;
	return sql;
}

/* How many comments are found, and whether those at the end evidently. */
static int
count_found(const char *begin, char fill, int n, const char *end)
{
	int			len;
	char	   *sql = long_text(begin, fill, n, end, &len);
	PgvTagsComments found;

	pgv_tags_comments(sql, len, true, &found);
	free(sql);
	return found.n;
}

static void
check_limits(void)
{
	int			room = PGV_TAGS_LOOK - 4;

	CHECK(count_found("/*", 'x', room, "*/ SELECT 1") == 1);
	CHECK(count_found("/*", 'x', room + 1, "*/ SELECT 1") == 0);
	CHECK(count_found("--", 'x', room, "\nSELECT 1") == 1);
	CHECK(count_found("--", 'x', PGV_TAGS_LOOK, "\nSELECT 1") == 0);
	CHECK(count_found("SELECT 1 /*", 'x', room, "*/") == 1);
	CHECK(count_found("SELECT 1 /*", 'x', room + 1, "*/") == 0);
	CHECK(count_found("", ' ', 256, "/*a*/ SELECT 1") == 1);
	CHECK(count_found("", ' ', 257, "/*a*/ SELECT 1") == 0);
	CHECK(count_found("SELECT 1 /*a*/", ';', 256, "") == 1);
	CHECK(count_found("SELECT 1 /*a*/", ' ', 257, "") == 0);

	/* what is evident is found behind any text, the doubtful behind a short */
	CHECK(count_found("SELECT '", 'x', 100000, "' /*a='b'*/") == 1);
	CHECK(count_found("SELECT '", 'x', 100000, "' /*in `b'*/") == 1);
	CHECK(count_found("SELECT '", 'x', 100000, "' /*a='b--c'*/") == 0);
	CHECK(count_found("SELECT '", 'x', 4000, "' /*a='b--c'*/") == 1);
	CHECK(count_found("SELECT '", 'x', 100000, "' /*a='b\"c'*/") == 0);
	CHECK(count_found("SELECT '", 'x', 100000, "' /*a='b\"c'*/ /*d='e'*/") == 1);
	CHECK(count_found("SELECT '--", 'x', 4000, "' /*a='b'*/") == 1);
	CHECK(count_found("SELECT '--", 'x', 4090, "' /*a='b'*/") == 0);
	CHECK(count_found("SELECT '--", '\n', 4090, "' /*a='b'*/") == 1);
}

/* --- time --- */

#if defined(__SANITIZE_ADDRESS__)
#define LONG_TEXT	(1024 * 1024)
#define LIMIT_US	10000.0
#else
#define LONG_TEXT	(10 * 1024 * 1024)
#define LIMIT_US	1000.0
#endif

static const char *const ends[][2] = {
	{"", ""}, {"/*", ""}, {"/*", "*/"}, {"SELECT '", "*/"}, {"SELECT 1 /*", "*/"}, {"--", ""},
	{"--", "*/"}, {"SELECT \"", "/*\"a\"*/"}, {"", "/*a='b'*/"}, {"/*a='b'*/", "/*a='--'*/"}
};
static const char *const pieces[] = {
	"/*", "*/", "/**/", "/* */ ", "*", "/", "/*/", "-", "--", "- ", "-- \n", "\n", " ", ";", "'", "''",
	"\\", "\\'", "\"", "$", "$$", "$a", "$a$ ", "a", ",", "a,", "=", "a=", "a='", "a='b',", "a:b,", "a:",
	"aaaa=bbbb,", "%", "%%", "%41", "a=%", "a='%41%", "\xff", "a='\xff\xc3\xe2\x82',", "line:1:in `a',"
};

/* Hundreds of calls' worth would be seconds if it were not bounded. */
static void
check_time(char *text, int size, const char *piece, const char *const end[2])
{
	static PgvTagsMemo memo;
	int			len = (int) strlen(piece);
	int			end_len = (int) strlen(end[1]);
	double		start;
	double		us;

	for (int i = 0; i + len <= size; i += len)
		memcpy(text + i, piece, len);
	memcpy(text, end[0], strlen(end[0]));
	memcpy(text + size - end_len, end[1], end_len);

	start = pgv_unit_cpu_seconds();
	pgv_tags_read(text, size, true, &memo);
	pgv_tags_read(text, Min(size, 4000), false, &memo);
	us = (pgv_unit_cpu_seconds() - start) * 1e6;
	CHECKF(us < LIMIT_US, "%.0f us: \"%s%s...%s\"", us, end[0], piece, end[1]);
}

void
pgv_unit_tags_places(void)
{
	char	   *text = malloc(LONG_TEXT);

	for (int i = 0; i < (int) lengthof(cases); i++)
		check_places(&cases[i], true);
	for (int i = 0; i < (int) lengthof(old_cases); i++)
		check_places(&old_cases[i], false);
	check_no_text();
	check_limits();
	for (int i = 0; i < (int) lengthof(pieces); i++)
	{
		for (int j = 0; j < (int) lengthof(ends); j++)
		{
			check_time(text, 4000, pieces[i], ends[j]);
			if ((i + j) % 5 == 0)
				check_time(text, LONG_TEXT, pieces[i], ends[j]);
		}
	}
	free(text);
}
