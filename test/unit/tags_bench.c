/*-------------------------------------------------------------------------
 *
 * tags_bench.c
 *	  What it costs to look for tags: nanoseconds a call, best of several runs.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdio.h>
#include <time.h>

#define RUNS		7
#define CALLS		200000

/* so that the compiler cannot leave the work out */
static volatile uint64 sink;

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* Read it again and again; if forget, as if it were new each time. */
static double
time_read(const char *sql, int len, bool forget)
{
	static PgvTagsMemo memo;
	double		best = 1e18;

	for (int run = 0; run < RUNS; run++)
	{
		double		start = now_ns();
		double		ns;

		for (int i = 0; i < CALLS; i++)
		{
			if (forget)
				memo.valid = false;
			sink += pgv_tags_read(sql, len, true, &memo) != NULL;
		}
		ns = (now_ns() - start) / CALLS;
		best = Min(best, ns);
	}
	return best;
}

/* What is made of new tags. */
static double
time_use(const char *sql, int len)
{
	static PgvTagsMemo memo;
	const PgvTags *tags = pgv_tags_read(sql, len, true, &memo);
	double		start = now_ns();
	char		json[1024];
	char		route[256];
	int			trace_len;

	if (tags == NULL)
		return 0;
	for (int i = 0; i < CALLS; i++)
	{
		sink += pgv_tags_json(tags, false, json, sizeof(json));
		sink += pgv_tags_route(tags, route, sizeof(route)) != NULL;
		sink += pgv_tags_trace(tags, &trace_len) != NULL;
	}
	return (now_ns() - start) / CALLS;
}

static const char *const comments[] = {
	"",
	"/*action='show',application='Blog',controller='posts'*/",
	"/*action='show',application='Blog',controller='posts',framework='rails%3A7.1',route='%2Fposts%2F%3Aid',"
	"traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/",
	"/*application:Blog,controller:posts,action:show,line:app/models/post.rb:12:in `show'*/",
	"/*path='%2Fa--b'*/",
	"/* prose about the statement */"
};

void
pgv_unit_tags_bench(void)
{
	static char sql[4096];

	printf("ns read again | ns read anew | ns json, route, trace | bytes of statement | comment\n");
	for (int i = 0; i < (int) lengthof(comments); i++)
	{
		for (int size = 60; size <= 2000; size += 1940)
		{
			int			n = sprintf(sql, "SELECT a, b, c FROM items WHERE at > '2024-01-01' AND x IN (");

			memset(sql + n, '7', 2000);
			n = sprintf(sql + size - 1, ")%s", comments[i]) + size - 1;
			printf("%8.1f %8.1f %8.1f %6d  %.60s\n", time_read(sql, n, false),
				   time_read(sql, n, true), time_use(sql, n), size, comments[i]);
		}
	}
}
