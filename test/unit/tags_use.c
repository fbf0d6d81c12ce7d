/*-------------------------------------------------------------------------
 *
 * tags_use.c
 *	  If this fails, a route or trace has the wrong name, ids of single requests
 *	  come to be part of a route, the JSON is none, or what is remembered of
 *	  one text is taken for another's.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#define TRACE	"0af7651916cd43dd8448eb211c80319c"
#define PARENT	"00-" TRACE "-b7ad6b7169203331-01"

typedef struct UseCase
{
	const char *comment;
	const char *result;			/* NULL if none */
} UseCase;

static const UseCase routes[] = {
	{"/*route='%2Fposts',controller='a',action='b',job='c'*/", "/posts"},
	{"/*http.route='%2Fposts',url='%2Fx'*/", "/posts"},
	{"/*action:index,controller:posts*/", "posts#index"},
	{"/*action:index,controller:posts,namespaced_controller:Admin::PostsController*/",
	"Admin::PostsController#index"},
	{"/*controller_with_namespace:Admin::PostsController,action:index*/", "Admin::PostsController#index"},
	{"/*controller:posts,job:MailJob*/", "MailJob"},
	{"/*job_class='MailJob'*/", "MailJob"},
	{"/*task_name='app.mail'*/", "app.mail"},
	{"/*endpoint='users.list'*/", "users.list"},
	{"/*application:web,endpoint_id:Projects%23show*/", "Projects%23show"},
	{"/*path='%2Fposts%2F7%3Fpage%3D2'*/", "/posts/7"},
	{"/*url='https%3A%2F%2Fexample.com%3A80%2Fposts%2F7%3Fa%3D%2F%23b'*/", "/posts/7"},
	{"/*url='https%3A%2F%2Fexample.com',action='a'*/", "a"},
	{"/*uri='posts%237'*/", "posts"},
	{"/*url='%3Fa%3D%2F%2Fb'*/", NULL},
	{"/*action='index'*/", "index"},
	{"/*controller='posts'*/", "posts"},
	{"/*operationName='x',application='y'*/", "x"},
	{"/*graphql_operation='x',application='y'*/", "x"},
	{"/*application='y',traceparent='" PARENT "',job_id='7'*/", NULL},
};

static const UseCase traces[] = {
	{"/*traceparent=" PARENT "*/", TRACE},
	{"/*request_id='r',trace_id='t',traceparent='" PARENT "'*/", TRACE},
	{"/*request_id='r',trace_id='t',traceparent='00-xyz'*/", "t"},
	{"/*traceparent='00-00000000000000000000000000000000-b7ad6b7169203331-01'*/", NULL},
	{"/*traceparent='00-0af7651916cd43dd8448eb211c80319x-b7ad6b7169203331-01'*/", NULL},
	{"/*traceparent='00-" TRACE "-b7ad6b7169203331'*/", NULL},
	{"/*b3='" TRACE "-b7ad6b7169203331-1'*/", TRACE},
	{"/*uber-trace-id='0af7651916cd43dd%3Ab7ad6b7169203331%3A0%3A1'*/", "0af7651916cd43dd"},
	{"/*_dd.trace_id='" TRACE "'*/", TRACE},
	{"/*X-Request-Id='0af76519-16cd-43dd-8448-eb211c80319c'*/", "0af76519-16cd-43dd-8448-eb211c80319c"},
	{"/*jid='j',correlation_id='c'*/", "c"},
	{"/*application:Blog,jid:j*/", "j"},
	{"/*session_id='s',span_id='p',pid='7'*/", NULL},
	{"/*action='a'*/", NULL},
};

static const char *const request_keys[] = {
	"traceparent", "tracestate", "trace_id", "traceid", "traceId", "trace-id", "trace.id", "span_id",
	"SpanID", "parent_span_id", "request_id", "request-id", "x-request-id", "X-Request-ID", "requestId",
	"req_id", "correlation_id", "x-correlation-id", "job_id", "provider_job_id", "jid", "session_id",
	"pid", "process_id", "thread", "thread_id", "tid", "b3", "x-b3-traceid", "x-b3-spanid", "user_id",
	"_dd.trace_id", "x-amzn-trace-id", "timestamp", "remote_ip", "task_id", "uuid", "transaction_id"
};
static const char *const other_keys[] = {
	"", "_", "route", "controller", "action", "job", "application", "endpoint_id", "framework", "db_driver",
	"line", "tenant", "request", "trace", "path", "service", "id", "spid", "jobs", "request_id_x", "pidx",
	"traceparents", "database", "dddbs", "kind"
};

static void
parse(const char *comment, PgvTags *tags)
{
	pgv_tags_clear(tags);
	pgv_tags_parse(comment, (int) strlen(comment), tags);
}

static void
check_result(const UseCase *c, const char *result, int len)
{
	if (result == NULL || c->result == NULL)
		CHECKF(result == c->result, "%s: %.*s", c->comment, result ? len : 4, result ? result : "none");
	else
		CHECKF((int) strlen(c->result) == len && memcmp(c->result, result, len) == 0,
			   "%s: %.*s", c->comment, len, result);
}

static void
check_routes(void)
{
	PgvTags		tags;
	char		buf[100];

	for (int i = 0; i < (int) lengthof(routes); i++)
	{
		const char *route;

		parse(routes[i].comment, &tags);
		route = pgv_tags_route(&tags, buf, sizeof(buf));
		check_result(&routes[i], route, route ? (int) strlen(route) : 0);
	}
	parse("/*controller='p%C3%A9',action='ab'*/", &tags);
	CHECK(strcmp(pgv_tags_route(&tags, buf, 7), "p\xc3\xa9#ab") == 0);
	CHECK(strcmp(pgv_tags_route(&tags, buf, 6), "p\xc3\xa9#a") == 0);
	CHECK(strcmp(pgv_tags_route(&tags, buf, 4), "p\xc3\xa9") == 0);
	CHECK(strcmp(pgv_tags_route(&tags, buf, 3), "p") == 0);
	CHECK(strcmp(pgv_tags_route(&tags, buf, 2), "p") == 0);
	CHECK(pgv_tags_route(&tags, buf, 1) == NULL);
	CHECK(pgv_tags_route(&tags, NULL, 0) == NULL);
}

static void
check_traces(void)
{
	PgvTags		tags;

	for (int i = 0; i < (int) lengthof(traces); i++)
	{
		int			len = 0;
		const char *trace;

		parse(traces[i].comment, &tags);
		trace = pgv_tags_trace(&tags, &len);
		check_result(&traces[i], trace, len);
	}
}

static void
check_keys(void)
{
	char		key[300];

	for (int i = 0; i < (int) lengthof(request_keys); i++)
		CHECKF(pgv_tags_is_request_id(request_keys[i], (int) strlen(request_keys[i])),
			   "no id: %s", request_keys[i]);
	for (int i = 0; i < (int) lengthof(other_keys); i++)
		CHECKF(!pgv_tags_is_request_id(other_keys[i], (int) strlen(other_keys[i])),
			   "an id: %s", other_keys[i]);
	memset(key, 'x', sizeof(key));
	CHECK(!pgv_tags_is_request_id(key, sizeof(key)));
}

/* --- JSON --- */

static void
check_json_of(const char *comment, bool request_ids, const char *json)
{
	int			whole = (int) strlen(json);
	PgvTags		tags;

	parse(comment, &tags);
	for (int size = 0; size < whole + 10; size++)
	{
		char	   *buf = malloc(size > 0 ? size : 1);
		int			len = pgv_tags_json(&tags, request_ids, buf, size);

		if (size > 0)
			CHECK(len == (int) strlen(buf) && len < size);
		if (size > whole)
			CHECKF(strcmp(buf, json) == 0, "%s: %s", comment, buf);
		else if (size >= 3)
			CHECK(buf[0] == '{' && buf[len - 1] == '}');
		else
			CHECK(len == 0);
		free(buf);
	}
}

static void
check_json(void)
{
	PgvTags		tags;
	char		buf[30];

	check_json_of("/* prose */", true, "{}");
	check_json_of("/*b='2',a='1',aa='3',B='4'*/", true,
				  "{\"B\": \"4\", \"a\": \"1\", \"aa\": \"3\", \"b\": \"2\"}");
	check_json_of("/*a='%22%5C%27%2F%C3%A9'*/", true, "{\"a\": \"\\\"\\\\'/\xc3\xa9\"}");
	check_json_of("/*a%22='%0A%00'*/", true, "{\"a\\\"\": \"??\"}");
	check_json_of("/*route='r',pid='7',trace_id='t',app='a'*/", true,
				  "{\"app\": \"a\", \"pid\": \"7\", \"route\": \"r\", \"trace_id\": \"t\"}");
	check_json_of("/*route='r',pid='7',trace_id='t',app='a'*/", false,
				  "{\"app\": \"a\", \"route\": \"r\"}");
	check_json_of("/*pid='7'*/", false, "{}");

	/* what fits stays, though something before it did not */
	parse("/*a='1',b='long long long long',c='3'*/", &tags);
	CHECK(pgv_tags_json(&tags, true, buf, sizeof(buf)) > 0 &&
		  strcmp(buf, "{\"a\": \"1\", \"c\": \"3\"}") == 0);
}

/* --- memo --- */

/* The tags, through a memo; "" for none. */
static const char *
read_json(const char *sql, PgvTagsMemo *memo)
{
	static char buf[4096];
	int			len = (int) strlen(sql);
	char	   *copy = malloc(len);
	const PgvTags *tags;

	memcpy(copy, sql, len);
	tags = pgv_tags_read(copy, len, true, memo);
	free(copy);
	buf[0] = '\0';
	if (tags != NULL)
		pgv_tags_json(tags, true, buf, sizeof(buf));
	return buf;
}

#define CHECK_READ(sql, json, same) \
	do { \
		uint64		serial_ = memo.serial; \
		const char *read_ = read_json(sql, &memo); \
		CHECKF(strcmp(read_, json) == 0, "%s: %s", sql, read_); \
		CHECKF((memo.serial == serial_) == (same), "read anew or not: %s", sql); \
	} while (0)

static void
check_memo(void)
{
	static PgvTagsMemo memo;

	CHECK_READ("SELECT 1", "", true);
	CHECK_READ("SELECT 1 /*a='b'*/", "{\"a\": \"b\"}", false);
	CHECK_READ("SELECT 1 /*a='b'*/", "{\"a\": \"b\"}", true);
	CHECK_READ("SELECT 2", "", true);
	CHECK_READ("SELECT 'x', 3 /*a='b'*/ ;", "{\"a\": \"b\"}", true);
	CHECK_READ("SELECT '--x', 3 /*a='b'*/", "{\"a\": \"b\"}", false);
	CHECK_READ("SELECT 3 /*a='b'*/", "{\"a\": \"b\"}", false);
	CHECK_READ("SELECT 3 -- /*a='b'*/", "", true);
	CHECK_READ("SELECT 3 /*c='d'*/ /*a='b'*/", "{\"a\": \"b\", \"c\": \"d\"}", false);
	CHECK_READ("SELECT 4 /*c='d'*/ /*a='b'*/", "{\"a\": \"b\", \"c\": \"d\"}", true);
	CHECK_READ("SELECT 4 /*e='f'*/ /*c='d'*/ /*a='b'*/", "{\"a\": \"b\", \"c\": \"d\"}", true);
	CHECK_READ("SELECT 4 /*a='b'*/", "{\"a\": \"b\"}", false);
	CHECK_READ("/*e='f'*/ SELECT 4 /*a='b'*/", "{\"a\": \"b\", \"e\": \"f\"}", false);
	CHECK_READ("/*e='f'*/ SELECT 5 /*a='b'*/", "{\"a\": \"b\", \"e\": \"f\"}", true);
	CHECK_READ("/*e='f'*/ /*g='h'*/ SELECT 5 /*a='b'*/", "{\"a\": \"b\", \"e\": \"f\", \"g\": \"h\"}", false);
	CHECK_READ("/*e='f'*/ /*g='h'*/ SELECT 6", "{\"e\": \"f\", \"g\": \"h\"}", false);
	CHECK_READ(" /*e='f'*/ /*g='h'*/ SELECT 6", "{\"e\": \"f\", \"g\": \"h\"}", true);
	CHECK_READ("/*e='f'*/ SELECT 6", "{\"e\": \"f\"}", false);
	CHECK_READ("/*e='f'*/", "{\"e\": \"f\"}", true);
	CHECK_READ("-- e='f'\nSELECT 6", "{\"e\": \"f\"}", false);
	CHECK_READ("-- e='f'\nSELECT 7", "{\"e\": \"f\"}", true);
	CHECK_READ("-- e='f', g='h'\nSELECT 7", "{\"e\": \"f\", \"g\": \"h\"}", false);
	CHECK_READ("-- e='f'", "{\"e\": \"f\"}", false);
	CHECK_READ("-- e='f'g", "", false);
	CHECK_READ("SELECT 1 /* prose */", "", false);
	CHECK_READ("SELECT 2 /* prose */", "", true);
	CHECK_READ("SELECT 2 /* c=\"d\" */", "{\"c\": \"d\"}", false);
	CHECK_READ("SELECT \" /* c=\", 1 --\" */", "", true);
	CHECK_READ("SELECT 1 /*a='1',b='2'*/ /*b='3'*/", "{\"a\": \"1\", \"b\": \"2\"}", false);
	CHECK_READ("/*b='3'*/ SELECT 1 /*a='1',b='2'*/", "{\"a\": \"1\", \"b\": \"3\"}", false);
}

/* What is too long to be remembered is read again. */
static void
check_long_memo(void)
{
	static PgvTagsMemo memo;
	char		sql[PGV_TAGS_MEMO_BYTES + 100];

	for (int len = PGV_TAGS_MEMO_BYTES - 1; len <= PGV_TAGS_MEMO_BYTES + 1; len++)
	{
		int			n = sprintf(sql, "SELECT 1 /*a='b'");
		bool		fits = len <= PGV_TAGS_MEMO_BYTES;

		memset(sql + n, ' ', len - (n - 9) - 2);
		strcpy(sql + 9 + len - 2, "*/");
		CHECK_READ(sql, "{\"a\": \"b\"}", false);
		CHECK_READ(sql, "{\"a\": \"b\"}", fits);
	}
}

void
pgv_unit_tags_use(void)
{
	check_routes();
	check_traces();
	check_keys();
	check_json();
	check_memo();
	check_long_memo();
}
