/*-------------------------------------------------------------------------
 *
 * tags_pairs.c
 *	  If this fails, tags are read wrongly, prose is taken for tags, or what
 *	  comes out is not UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct PairCase
{
	const char *comment;
	const char *tags;			/* "key=value\n" for each, as found */
} PairCase;

static const PairCase cases[] = {
	/* sqlcommenter */
	{"/*action='index',controller='posts'*/", "action=index\ncontroller=posts\n"},
	{"/* action='index', controller='posts' */", "action=index\ncontroller=posts\n"},
	{"/*k='v'*/", "k=v\n"},
	{"/*route='%2Fposts%2F%3Aid'*/", "route=/posts/:id\n"},
	{"/*route='%2fa'*/", "route=/a\n"},
	{"/*route='%%2Fposts%%2F'*/", "route=/posts/\n"},
	{"/*a='100%25'*/", "a=100%\n"},
	{"/*a='100%',b='%zz%1',c='%%'*/", "a=100%\nb=%zz%1\nc=%%\n"},
	{"/*a='b+c%2Bd%20e'*/", "a=b+c+d e\n"},
	{"/*a='it\\'s',b='\\x\\\\',c='x'*/", ""},
	{"/*a='it\\'s',b='\\x\\\\ ',c='x'*/", "a=it's\nb=\\x\\\\ \nc=x\n"},
	{"/*a='b,c=d',e='f'*/", "a=b,c=d\ne=f\n"},
	{"/*a='%27b%2C'*/", "a='b,\n"},
	{"/*a%20b='c'*/", "a b=c\n"},
	{"/*db.driver='x',x-y='z',_p='q',a1='r'*/", "db.driver=x\nx-y=z\n_p=q\na1=r\n"},
	{"/*a=\"b\",c=\"d'\\\"e\"*/", "a=b\nc=d'\"e\n"},
	{"/*a='b',,c='d',*/", "a=b\nc=d\n"},
	{"/*a='',b='c'*/", "b=c\n"},
	{"/*a=''*/", ""},
	{"/*a='b',a='c'*/", "a=b\n"},
	{"/*aa='b',a%61='c'*/", "aa=b\n"},
	{"/*a='b',%61='c'*/", ""},
	{"-- a='b'", "a=b\n"},
	{"-- route=a%", "route=a%\n"},
	{"-- route=a%4", "route=a%4\n"},
	{"-- route=%%", "route=%%\n"},
	{"-- route='", ""},
	{"-- route=", ""},
	{"-- route", ""},
	{"/*dddbs='db',dde='prod',traceparent='00-0-1-01'*/", "dddbs=db\ndde=prod\ntraceparent=00-0-1-01\n"},
	{"/*a='b',c*/", ""},
	{"/*route='b',c*/", "route=b\n"},
	{"/*route='b'c*/", ""},
	{"/*route='b*/", ""},
	{"/*a='b',route='c*/", ""},
	{"/*a='b',c=d*/", "a=b\nc=d\n"},
	{"/*a='x/*y*/z'*/", "a=x/*y*/z\n"},

	/* Rails, Marginalia, Prisma */
	{"/*action:index,application:Blog,controller:posts*/", "action=index\napplication=Blog\ncontroller=posts\n"},
	{"/*application:BCX,controller:x,action:show,line:app/x.rb:12:in `foo'*/",
	"application=BCX\ncontroller=x\naction=show\nline=app/x.rb:12:in `foo'\n"},
	{"/*application:My App,line:/a/b.rb:1:in `block (2 levels) in c'*/",
	"application=My App\nline=/a/b.rb:1:in `block (2 levels) in c'\n"},
	{"/*namespaced_controller:Admin::PostsController,action:show*/",
	"namespaced_controller=Admin::PostsController\naction=show\n"},
	{"/*controller:a,action:100%25*/", "controller=a\naction=100%25\n"},
	{"/*action:b* /,controller:a*/", "action=b* /\ncontroller=a\n"},
	{"/*job:MailJob*/", "job=MailJob\n"},
	{"/*action:'it\\'s, so',controller:a*/", "action=it's, so\ncontroller=a\n"},
	{"/*application:a,b,controller:c*/", "application=a\ncontroller=c\n"},
	{"/*application:,controller:c*/", "controller=c\n"},
	{"/* traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 */",
	"traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"},
	{"/*tenant:a,shard:b*/", "tenant=a\nshard=b\n"},
	{"/*tenant=a,shard=b%20c*/", "tenant=a\nshard=b c\n"},
	{"/*url:http://h/x?a=b*/", "url=http://h/x?a=b\n"},

	/* no tags */
	{"/**/", ""},
	{"/* */", ""},
	{"/*,*/", ""},
	{"/*+ SeqScan(t) a='b' */", ""},
	{"/*+route='b'*/", ""},
	{"--+ route='b'", ""},
	{"/* hello */", ""},
	{"/* hello: world, this is */", ""},
	{"/* hello:world, this is */", ""},
	{"/* TODO: fix, note: later */", ""},
	{"/*TODO:fix*/", ""},
	{"/*noqa:L001*/", ""},
	{"/* a=b */", ""},
	{"/*NOTE:use the index,SEE:the manual*/", ""},
	{"/* see http://example.com/a=b */", ""},
	{"/* http://example.com/ */", ""},
	{"/* AND name='Bob' */", ""},
	{"/* name = 'Bob' */", ""},
	{"/* name = 'a, application:x' */", ""},
	{"/* WHERE a=1, b=2 */", ""},
	{"/* select u.id, u.name from User u where u.x=:p */", ""},
	{"/* load com.example.Post */", ""},
	{"/* don't, action:x */", ""},
	{"/* hello, action:index is slow */", ""},
	{"/* 12:30, 1=1 */", ""},
	{"/* a::b, c:=d, e==f, g=>h */", ""},
	{"/* {\"app\": \"dbt\", \"node_id\": \"x\"} */", ""},
	{"-- name: GetAuthor :one", ""},
	{"-- Metabase:: userID: 1 queryType: MBQL", ""},
	{"-- Username: a@b, Query ID: 3", ""},
	{"/* \xc3\xa9='a' */", ""},
	{"/* 'a'='b' */", ""},
	{"/* ='b', :c */", ""},

	/* no comments */
	{"", ""},
	{"route='a'", ""},
	{"/*route='a'", ""},
	{"/*/", ""},
	{"--", ""},

	/* bytes */
	{"/*a='%C3%A9\xc3\xa9'*/", "a=\xc3\xa9\xc3\xa9\n"},
	{"/*a='%F0%9F%98%80'*/", "a=\xf0\x9f\x98\x80\n"},
	{"/*a='%ff%c3x%80'*/", "a=??x?\n"},
	{"/*a='%C0%80%E0%80%80%ED%A0%80%F4%90%80%80%F8'*/", "a=????????????" "?\n"},
	{"/*a='%E2%82'*/", "a=??\n"},
	{"/*a='%00%01%0A%7Fx\t'*/", "a=????x?\n"},
	{"/*a%00b='c'*/", "a?b=c\n"},
	{"/*a%ff='c',a%fe='d'*/", "a?=c\n"},
	{"/*a='\xe9'*/", "a=?\n"},
};

static void
tags_text(const PgvTags *tags, char *text, int size)
{
	int			n = 0;

	text[0] = '\0';
	for (int i = 0; i < tags->n && n < size; i++)
		n += snprintf(text + n, size - n, "%s=%s\n", PGV_TAG_KEY(tags, i),
					  PGV_TAG_VALUE(tags, i));
}

/* In memory of exactly that size, so that a read outside is noticed. */
static int
parse(const char *comment, int len, PgvTags *tags)
{
	char	   *copy = malloc(len > 0 ? len : 1);
	int			added;

	if (len > 0)
		memcpy(copy, comment, len);
	added = pgv_tags_parse(copy, len, tags);
	free(copy);
	return added;
}

static void
check_case(const PairCase *c)
{
	char		text[2000];
	PgvTags		tags;

	pgv_tags_clear(&tags);
	CHECK(parse(c->comment, (int) strlen(c->comment), &tags) == tags.n);
	tags_text(&tags, text, sizeof(text));
	CHECKF(strcmp(text, c->tags) == 0, "\n\tcomment:  %s\n\texpected:\n%s\n\tgot:\n%s",
		   c->comment, c->tags, text);
}

static void
check_several(void)
{
	PgvTags		tags;
	char		text[200];

	pgv_tags_clear(&tags);
	CHECK(parse("/*a='1',b='2'*/", 15, &tags) == 2);
	CHECK(parse("/*b='3',c='4'*/", 15, &tags) == 1);
	CHECK(parse("/* prose */", 11, &tags) == 0);
	CHECK(pgv_tags_parse(NULL, 0, &tags) == 0 && parse("/*d='5'*/", -1, &tags) == 0);
	tags_text(&tags, text, sizeof(text));
	CHECK(strcmp(text, "a=1\nb=2\nc=4\n") == 0);
	CHECK(parse("/*d='\0'*/", 9, &tags) == 1 && strcmp(PGV_TAG_VALUE(&tags, 3), "?") == 0);
}

/* --- limits --- */

/* The tags of a comment with a key and a value of these many characters. */
static void
parse_sizes(int key_len, int value_len, const char *character, PgvTags *tags)
{
	static char comment[PGV_TAGS_LOOK * 4];
	char	   *p = comment + sprintf(comment, "/*");

	for (int i = 0; i < key_len; i++)
		*p++ = 'k';
	p += sprintf(p, "='");
	for (int i = 0; i < value_len; i++)
		p += sprintf(p, "%s", character);
	p += sprintf(p, "'*/");
	pgv_tags_clear(tags);
	parse(comment, (int) (p - comment), tags);
}

static void
check_sizes(void)
{
	PgvTags		tags;

	parse_sizes(PGV_TAGS_KEY_BYTES, 1, "v", &tags);
	CHECK(tags.n == 1 && tags.tag[0].key_len == PGV_TAGS_KEY_BYTES);
	parse_sizes(PGV_TAGS_KEY_BYTES + 1, 1, "v", &tags);
	CHECK(tags.n == 0);
	parse_sizes(1, PGV_TAGS_VALUE_BYTES, "v", &tags);
	CHECK(tags.n == 1 && tags.tag[0].value_len == PGV_TAGS_VALUE_BYTES);
	parse_sizes(1, PGV_TAGS_VALUE_BYTES + 1, "v", &tags);
	CHECK(tags.n == 1 && tags.tag[0].value_len == PGV_TAGS_VALUE_BYTES);
	parse_sizes(1, 1000, "%C3%A9", &tags);
	CHECK(tags.n == 0);			/* the comment is too long */
	parse_sizes(1, 200, "%C3%A9", &tags);
	CHECK(tags.n == 1 && tags.tag[0].value_len >= PGV_TAGS_VALUE_BYTES - 2);
	CHECK(strchr(PGV_TAG_VALUE(&tags, 0), '?') == NULL);
	parse_sizes(1, 200, "%E2%82%AC", &tags);
	CHECK(tags.n == 1 && tags.tag[0].value_len == 255);
	CHECK(strchr(PGV_TAG_VALUE(&tags, 0), '?') == NULL);
	parse_sizes(1, 300, "\xf0\x9f\x98\x80", &tags);
	CHECK(tags.n == 1 && tags.tag[0].value_len >= 252);
	CHECK(strchr(PGV_TAG_VALUE(&tags, 0), '?') == NULL);
	parse_sizes(1, 400, "\x80", &tags);
	CHECK(tags.n == 1 && tags.tag[0].value_len == PGV_TAGS_VALUE_BYTES);
}

/* Many comments, many tags: what does not fit is left out, the rest is whole. */
static void
check_many(void)
{
	PgvTags		tags;
	char		comment[400];

	pgv_tags_clear(&tags);
	for (int i = 0; i < 100; i++)
	{
		int			len = sprintf(comment, "/*k%d='v%d'*/", i, i);

		parse(comment, len, &tags);
	}
	CHECK(tags.n == PGV_TAGS_MAX);
	CHECK(strcmp(PGV_TAG_VALUE(&tags, PGV_TAGS_MAX - 1), "v31") == 0);

	pgv_tags_clear(&tags);
	for (int i = 0; i < 100; i++)
	{
		int			len = sprintf(comment, "/*k%d='%0250d'*/", i, i);

		parse(comment, len, &tags);
	}
	CHECK(tags.n == 16 && tags.used <= PGV_TAGS_BYTES);
	CHECK(parse("/*small='1'*/", 13, &tags) == 1);
}

void
pgv_unit_tags_pairs(void)
{
	for (int i = 0; i < (int) lengthof(cases); i++)
		check_case(&cases[i]);
	check_several();
	check_sizes();
	check_many();
}
