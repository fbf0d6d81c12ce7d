/*
 * json.c
 *	  Reads JSON text into a tree.
 *
 * Recursive descent over a NUL-terminated string. PgvJsonReader holds the
 * place and the first error; every reading function returns NULL once there
 * is one, so that callers need no further test. \uXXXX becomes UTF-8, pairs of
 * surrogates included; \u0000 is refused, since texts are C strings here.
 *
 * Memory: allocated with util's functions and kept until the program ends,
 * for the files are small and the program is short.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "util.h"

#define MAX_DEPTH	64

typedef struct PgvJsonReader
{
	const char *at;
	int			depth;
	const char *error;			/* NULL as long as all is well */
} PgvJsonReader;

static PgvJson *read_value(PgvJsonReader *r);

static void *
fail(PgvJsonReader *r, const char *message)
{
	if (r->error == NULL)
		r->error = message;
	return NULL;
}

static void
skip_space(PgvJsonReader *r)
{
	r->at += strspn(r->at, " \t\r\n");
}

/* Takes the character if it is next, after white space. */
static bool
accept(PgvJsonReader *r, char c)
{
	skip_space(r);
	if (*r->at != c)
		return false;
	r->at++;
	return true;
}

static PgvJson *
make(PgvJsonType type, char *string)
{
	PgvJson    *value = pgv_alloc(sizeof(PgvJson));

	value->type = type;
	value->text = string;
	return value;
}

static void
append(PgvJson *container, char *name, PgvJson *item)
{
	int			n = container->nitems++;

	container->items = pgv_realloc(container->items, (n + 1) * sizeof(PgvJson *));
	container->items[n] = item;
	if (container->type == PGV_JSON_OBJECT)
	{
		container->names = pgv_realloc(container->names, (n + 1) * sizeof(char *));
		container->names[n] = name;
	}
}

/* Four hexadecimal digits; -1 and an error if they are not there. */
static long
read_hex4(PgvJsonReader *r)
{
	char		digits[5] = "";

	for (int i = 0; i < 4; i++)
	{
		if (!isxdigit((unsigned char) r->at[i]))
		{
			fail(r, "\\u needs four hexadecimal digits");
			return -1;
		}
		digits[i] = r->at[i];
	}
	r->at += 4;
	return strtol(digits, NULL, 16);
}

static char *
put_utf8(char *out, unsigned long code)
{
	if (code < 0x80)
		*out++ = (char) code;
	else if (code < 0x800)
	{
		*out++ = (char) (0xC0 | (code >> 6));
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	else if (code < 0x10000)
	{
		*out++ = (char) (0xE0 | (code >> 12));
		*out++ = (char) (0x80 | ((code >> 6) & 0x3F));
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	else
	{
		*out++ = (char) (0xF0 | (code >> 18));
		*out++ = (char) (0x80 | ((code >> 12) & 0x3F));
		*out++ = (char) (0x80 | ((code >> 6) & 0x3F));
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	return out;
}

/* The rest of a \u escape; the place is after the u. */
static char *
read_unicode_escape(PgvJsonReader *r, char *out)
{
	long		high = read_hex4(r);
	long		low;

	if (high < 0)
		return out;
	if (high == 0)
	{
		fail(r, "\\u0000 cannot be stored");
		return out;
	}
	if (high < 0xD800 || high > 0xDFFF)
		return put_utf8(out, (unsigned long) high);
	if (high > 0xDBFF || r->at[0] != '\\' || r->at[1] != 'u')
	{
		fail(r, "surrogate without its pair");
		return out;
	}
	r->at += 2;
	low = read_hex4(r);
	if (low < 0xDC00 || low > 0xDFFF)
	{
		fail(r, "surrogate without its pair");
		return out;
	}
	return put_utf8(out, 0x10000 + ((unsigned long) (high - 0xD800) << 10) +
					(unsigned long) (low - 0xDC00));
}

/* One escape; the place is after the backslash. */
static char *
read_escape(PgvJsonReader *r, char *out)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *known;
	char		c = *r->at;

	if (c == '\0' || (c != 'u' && strchr(names, c) == NULL))
	{
		fail(r, "unknown escape in a string");
		return out;
	}
	r->at++;
	if (c == 'u')
		return read_unicode_escape(r, out);
	known = strchr(names, c);
	*out++ = values[known - names];
	return out;
}

/* A string without its quotes, or NULL. */
static char *
read_string(PgvJsonReader *r)
{
	char	   *string;
	char	   *out;

	if (!accept(r, '"'))
		return fail(r, "string expected");
	/* An escape is never shorter than what it stands for. */
	out = string = pgv_alloc(strlen(r->at) + 1);
	while (*r->at != '"' && r->error == NULL)
	{
		if ((unsigned char) *r->at < 0x20)
			return fail(r, "string without an end, or a control character in it");
		if (*r->at != '\\')
			*out++ = *r->at++;
		else
		{
			r->at++;
			out = read_escape(r, out);
		}
	}
	if (r->error)
		return NULL;
	r->at++;
	return pgv_realloc(string, (size_t) (out - string) + 1);
}

static const char *
skip_digits(PgvJsonReader *r, const char *at)
{
	const char *end = at + strspn(at, "0123456789");

	if (end == at)
		fail(r, "malformed number");
	return end;
}

static PgvJson *
read_number(PgvJsonReader *r)
{
	const char *start = r->at;
	const char *at = start;

	if (!isdigit((unsigned char) *at) && *at != '-')
		return fail(r, "value expected");
	if (*at == '-')
		at++;
	if (*at == '0' && isdigit((unsigned char) at[1]))
		return fail(r, "malformed number");
	at = skip_digits(r, at);
	if (*at == '.')
		at = skip_digits(r, at + 1);
	if (*at == 'e' || *at == 'E')
	{
		at++;
		if (*at == '+' || *at == '-')
			at++;
		at = skip_digits(r, at);
	}
	if (r->error)
		return NULL;
	r->at = at;
	return make(PGV_JSON_NUMBER, pgv_strndup(start, (size_t) (at - start)));
}

static PgvJson *
read_word(PgvJsonReader *r)
{
	static const char *const words[] = {"null", "true", "false"};

	for (int i = 0; i < 3; i++)
	{
		size_t		length = strlen(words[i]);

		if (strncmp(r->at, words[i], length) == 0)
		{
			r->at += length;
			return make(i == 0 ? PGV_JSON_NULL : PGV_JSON_BOOL,
						pgv_strndup(words[i], length));
		}
	}
	return fail(r, "value expected");
}

/* The place is on the bracket. */
static PgvJson *
read_array(PgvJsonReader *r)
{
	PgvJson    *array = make(PGV_JSON_ARRAY, NULL);

	r->at++;
	if (accept(r, ']'))
		return array;
	do
	{
		PgvJson    *item = read_value(r);

		if (item == NULL)
			return NULL;
		append(array, NULL, item);
	} while (accept(r, ','));
	return accept(r, ']') ? array : fail(r, "comma or ] expected");
}

static PgvJson *
read_object(PgvJsonReader *r)
{
	PgvJson    *object = make(PGV_JSON_OBJECT, NULL);

	r->at++;
	if (accept(r, '}'))
		return object;
	do
	{
		char	   *name = read_string(r);
		PgvJson    *item;

		if (name == NULL)
			return NULL;
		if (pgv_json_get(object, name))
			return fail(r, "the same member twice");
		if (!accept(r, ':'))
			return fail(r, "colon expected");
		item = read_value(r);
		if (item == NULL)
			return NULL;
		append(object, name, item);
	} while (accept(r, ','));
	return accept(r, '}') ? object : fail(r, "comma or } expected");
}

static PgvJson *
read_value(PgvJsonReader *r)
{
	PgvJson    *value;

	if (r->depth >= MAX_DEPTH)
		return fail(r, "nested too deeply");
	r->depth++;
	skip_space(r);
	switch (*r->at)
	{
		case '{':
			value = read_object(r);
			break;
		case '[':
			value = read_array(r);
			break;
		case '"':
			value = make(PGV_JSON_STRING, read_string(r));
			break;
		case 'n':
		case 't':
		case 'f':
			value = read_word(r);
			break;
		default:
			value = read_number(r);
	}
	r->depth--;
	return r->error ? NULL : value;
}

PgvJson *
pgv_json_parse(const char *json, const char **error)
{
	PgvJsonReader r = {.at = json};
	PgvJson    *value = read_value(&r);

	skip_space(&r);
	if (value && *r.at != '\0')
		value = fail(&r, "text after the value");
	*error = r.error;
	return value;
}

const PgvJson *
pgv_json_get(const PgvJson *value, const char *name)
{
	if (value == NULL || value->type != PGV_JSON_OBJECT)
		return NULL;
	for (int i = 0; i < value->nitems; i++)
		if (strcmp(value->names[i], name) == 0)
			return value->items[i];
	return NULL;
}
