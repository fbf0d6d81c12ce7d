/*
 * corpus.c
 *	  Turns lines of JSON into scenarios.
 *
 * PgvPlace is where we are, for messages. Everything wrong with a file ends
 * the program here, so that the rest can trust what it gets: the member types,
 * known protocols, and pipelined events that continue the event before them
 * on the same session in the extended protocol.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "json.h"
#include "util.h"

typedef struct PgvPlace
{
	const char *path;
	int			line;
	int			event;			/* from 1; 0: not in an event */
} PgvPlace;

static void bad(const PgvPlace *place, const char *what, const char *name)
			__attribute__((noreturn));

static void
bad(const PgvPlace *place, const char *what, const char *name)
{
	if (place->event > 0)
		pgv_fatal("%s:%d: event %d: %s: %s", place->path, place->line,
				  place->event, what, name);
	pgv_fatal("%s:%d: %s: %s", place->path, place->line, what, name);
}

/* Refuses members that are not in the NULL-terminated list. */
static void
check_members(const PgvPlace *place, const PgvJson *object, const char *const *known)
{
	if (object->type != PGV_JSON_OBJECT)
		bad(place, "object expected", known[0]);
	for (int i = 0; i < object->nitems; i++)
	{
		int			k = 0;

		while (known[k] && strcmp(known[k], object->names[i]) != 0)
			k++;
		if (known[k] == NULL)
			bad(place, "unknown member", object->names[i]);
	}
}

/*
 * The member, or NULL when it is absent or null and not required; its type is
 * checked.
 */
static const PgvJson *
member(const PgvPlace *place, const PgvJson *object, const char *name,
	   PgvJsonType type, bool required)
{
	const PgvJson *value = pgv_json_get(object, name);

	if (value == NULL || value->type == PGV_JSON_NULL)
	{
		if (required)
			bad(place, "missing member", name);
		return NULL;
	}
	if (value->type != type)
		bad(place, "wrong type of member", name);
	return value;
}

static const char *
string_member(const PgvPlace *place, const PgvJson *object, const char *name, bool required)
{
	const PgvJson *value = member(place, object, name, PGV_JSON_STRING, required);

	return value ? value->text : NULL;
}

static bool
bool_member(const PgvPlace *place, const PgvJson *object, const char *name)
{
	const PgvJson *value = member(place, object, name, PGV_JSON_BOOL, false);

	return value && strcmp(value->text, "true") == 0;
}

static PgvStrings
strings_member(const PgvPlace *place, const PgvJson *object, const char *name)
{
	PgvStrings	list = {0, NULL};
	const PgvJson *array = member(place, object, name, PGV_JSON_ARRAY, false);

	if (array == NULL)
		return list;
	list.n = array->nitems;
	list.values = pgv_alloc((size_t) (list.n + 1) * sizeof(char *));
	for (int i = 0; i < list.n; i++)
	{
		if (array->items[i]->type != PGV_JSON_STRING)
			bad(place, "list of strings expected", name);
		list.values[i] = array->items[i]->text;
	}
	return list;
}

/* One element of an array literal, quoted unless it is a null or an array. */
static void
add_array_element(const PgvPlace *place, PgvText *out, const PgvJson *item)
{
	switch (item->type)
	{
		case PGV_JSON_NULL:
			pgv_text_add(out, "NULL", 4);
			break;
		case PGV_JSON_OBJECT:
			bad(place, "object in a list", "params");
		case PGV_JSON_ARRAY:
			pgv_text_add(out, "{", 1);
			for (int i = 0; i < item->nitems; i++)
			{
				if (i > 0)
					pgv_text_add(out, ",", 1);
				add_array_element(place, out, item->items[i]);
			}
			pgv_text_add(out, "}", 1);
			break;
		default:
			pgv_text_add(out, "\"", 1);
			for (const char *c = item->text; *c; c++)
			{
				if (*c == '"' || *c == '\\')
					pgv_text_add(out, "\\", 1);
				pgv_text_add(out, c, 1);
			}
			pgv_text_add(out, "\"", 1);
	}
}

/* Parameters as the text the wire carries; a list is an array literal. */
static PgvStrings
read_params(const PgvPlace *place, const PgvJson *event)
{
	PgvStrings	params = {0, NULL};
	const PgvJson *array = member(place, event, "params", PGV_JSON_ARRAY, false);

	if (array == NULL)
		return params;
	params.n = array->nitems;
	params.values = pgv_alloc((size_t) (params.n + 1) * sizeof(char *));
	for (int i = 0; i < params.n; i++)
	{
		const PgvJson *item = array->items[i];

		if (item->type == PGV_JSON_ARRAY || item->type == PGV_JSON_OBJECT)
		{
			PgvText		literal = {NULL, 0, 0};

			add_array_element(place, &literal, item);
			params.values[i] = literal.data;
		}
		else if (item->type != PGV_JSON_NULL)
			params.values[i] = item->text;
	}
	return params;
}

/* The dense number of a session: the order in which they first appear. */
static int
session_number(PgvScenario *scenario, int **names, const char *name)
{
	int			wanted = atoi(name);

	for (int i = 0; i < scenario->nsessions; i++)
		if ((*names)[i] == wanted)
			return i;
	*names = pgv_realloc(*names, (size_t) (scenario->nsessions + 1) * sizeof(int));
	(*names)[scenario->nsessions] = wanted;
	return scenario->nsessions++;
}

static void
read_event(const PgvPlace *place, const PgvJson *json, PgvEvent *event)
{
	static const char *const known[] = {
		"session", "gap_ms", "protocol", "sql", "params", "pipelined", "error", NULL
	};
	const PgvJson *gap;
	const char *protocol;

	check_members(place, json, known);
	gap = member(place, json, "gap_ms", PGV_JSON_NUMBER, false);
	event->gap_ms = gap ? strtod(gap->text, NULL) : 0;
	if (event->gap_ms < 0)
		bad(place, "negative", "gap_ms");
	protocol = string_member(place, json, "protocol", true);
	event->simple = strcmp(protocol, "simple") == 0;
	if (!event->simple && strcmp(protocol, "extended") != 0)
		bad(place, "unknown protocol", protocol);
	event->sql = string_member(place, json, "sql", true);
	event->params = read_params(place, json);
	event->pipelined = bool_member(place, json, "pipelined");
	event->error = bool_member(place, json, "error");
}

/* A pipelined event continues the one before it. */
static void
check_pipeline(const PgvPlace *place, const PgvScenario *scenario, int i)
{
	const PgvEvent *event = &scenario->events[i];
	const PgvEvent *before = event - 1;

	if (!event->pipelined)
		return;
	if (i == 0 || before->session != event->session)
		bad(place, "needs an event of its session right before it", "pipelined");
	if (event->simple || before->simple)
		bad(place, "needs the extended protocol, also of the event before it",
			"pipelined");
}

static void
read_events(PgvPlace *place, const PgvJson *json, PgvScenario *scenario)
{
	const PgvJson *array = member(place, json, "events", PGV_JSON_ARRAY, true);
	int		   *names = NULL;

	scenario->nevents = array->nitems;
	scenario->events = pgv_alloc((size_t) (array->nitems + 1) * sizeof(PgvEvent));
	for (int i = 0; i < array->nitems; i++)
	{
		const PgvJson *session;

		place->event = i + 1;
		read_event(place, array->items[i], &scenario->events[i]);
		session = member(place, array->items[i], "session", PGV_JSON_NUMBER, true);
		scenario->events[i].session = session_number(scenario, &names, session->text);
		check_pipeline(place, scenario, i);
	}
	place->event = 0;
	free(names);
	if (array->nitems == 0)
		bad(place, "empty", "events");
}

static void
read_expectations(const PgvPlace *place, const PgvJson *json, PgvScenario *scenario)
{
	static const char *const known[] = {"kind", "repeated", "n", "parent", NULL};
	const PgvJson *array = member(place, json, "expect", PGV_JSON_ARRAY, true);

	scenario->nexpect = array->nitems;
	scenario->expect = pgv_alloc((size_t) (array->nitems + 1) * sizeof(PgvExpectation));
	for (int i = 0; i < array->nitems; i++)
	{
		PgvExpectation *expect = &scenario->expect[i];
		const PgvJson *n;

		check_members(place, array->items[i], known);
		expect->kind = string_member(place, array->items[i], "kind", true);
		expect->repeated = string_member(place, array->items[i], "repeated", true);
		expect->parent = string_member(place, array->items[i], "parent", false);
		n = member(place, array->items[i], "n", PGV_JSON_NUMBER, false);
		expect->n = n ? atol(n->text) : PGV_ANY_N;
	}
}

static void
read_scenario(PgvPlace *place, const char *line, PgvCorpus *corpus)
{
	static const char *const known[] = {
		"id", "title", "setup", "teardown", "events", "expect", "tolerated", NULL
	};
	PgvScenario scenario = {0};
	const char *error;
	const PgvJson *json = pgv_json_parse(line, &error);

	if (json == NULL)
		bad(place, "not JSON", error);
	check_members(place, json, known);
	scenario.id = string_member(place, json, "id", true);
	if (pgv_corpus_find(corpus, scenario.id))
		bad(place, "id is there already", scenario.id);
	scenario.title = string_member(place, json, "title", true);
	scenario.setup = strings_member(place, json, "setup");
	scenario.teardown = strings_member(place, json, "teardown");
	scenario.tolerated = strings_member(place, json, "tolerated");
	read_events(place, json, &scenario);
	read_expectations(place, json, &scenario);
	corpus->scenarios = pgv_realloc(corpus->scenarios,
									(size_t) (corpus->n + 1) * sizeof(PgvScenario));
	corpus->scenarios[corpus->n++] = scenario;
}

void
pgv_corpus_load(PgvCorpus *corpus, const char *path)
{
	PgvPlace	place = {.path = path};
	FILE	   *file = fopen(path, "r");
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		length;

	if (file == NULL)
		pgv_fatal("could not open \"%s\": %s", path, strerror(errno));
	while ((length = getline(&line, &size, file)) >= 0)
	{
		place.line++;
		if (strlen(line) != (size_t) length)
			bad(&place, "not JSON", "zero byte");
		if (line[strspn(line, " \t\r\n")] != '\0')
			read_scenario(&place, line, corpus);
	}
	if (ferror(file))
		pgv_fatal("could not read \"%s\": %s", path, strerror(errno));
	free(line);
	fclose(file);
}

const PgvScenario *
pgv_corpus_find(const PgvCorpus *corpus, const char *id)
{
	for (int i = 0; i < corpus->n; i++)
		if (strcmp(corpus->scenarios[i].id, id) == 0)
			return &corpus->scenarios[i];
	return NULL;
}
