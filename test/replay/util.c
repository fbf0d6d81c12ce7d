/*
 * util.c
 *	  Memory, growing texts, fatal errors and the clock of the replay client.
 *
 * Memory that cannot be had ends the program: a client that replays traces
 * has nothing sensible to do without.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util.h"

/*
 * The kernel wakes a sleeper up to this much late on a busy machine; the rest
 * of the wait is spent looking at the clock.
 */
#define SPIN_MS	0.2

void *
pgv_alloc(size_t size)
{
	void	   *memory = calloc(1, size);

	if (memory == NULL)
		pgv_fatal("out of memory");
	return memory;
}

void *
pgv_realloc(void *memory, size_t size)
{
	memory = realloc(memory, size);
	if (memory == NULL)
		pgv_fatal("out of memory");
	return memory;
}

char *
pgv_strndup(const char *text, size_t length)
{
	char	   *copy = pgv_alloc(length + 1);

	memcpy(copy, text, length);
	return copy;
}

void
pgv_text_add(PgvText *out, const char *bytes, size_t length)
{
	size_t		needed = out->length + length + 1;

	if (needed > out->size)
	{
		out->size = needed > 2 * out->size ? needed : 2 * out->size;
		out->data = pgv_realloc(out->data, out->size);
	}
	memcpy(out->data + out->length, bytes, length);
	out->length += length;
	out->data[out->length] = '\0';
}

void
pgv_text_printf(PgvText *out, const char *format,...)
{
	va_list		args;
	char	   *piece;
	int			length;

	va_start(args, format);
	length = vasprintf(&piece, format, args);
	va_end(args);
	if (length < 0)
		pgv_fatal("out of memory");
	pgv_text_add(out, piece, (size_t) length);
	free(piece);
}

void
pgv_fatal(const char *format,...)
{
	va_list		args;
	char	   *message = NULL;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	va_end(args);
	fflush(stdout);
	/* Messages of libpq bring their own end of line. */
	if (message && message[0] && message[strlen(message) - 1] == '\n')
		message[strlen(message) - 1] = '\0';
	fprintf(stderr, "replay: %s\n", message ? message : format);
	exit(PGV_EXIT_TROUBLE);
}

double
pgv_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

void
pgv_wait_until(double deadline_ms)
{
	double		sleep_until = deadline_ms - SPIN_MS;

	if (sleep_until > pgv_now_ms())
	{
		struct timespec at;

		at.tv_sec = (time_t) (sleep_until / 1e3);
		at.tv_nsec = (long) ((sleep_until - (double) at.tv_sec * 1e3) * 1e6);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
			;
	}
	while (pgv_now_ms() < deadline_ms)
		;
}
