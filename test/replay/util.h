/*
 * util.h
 *	  Memory, growing texts and fatal errors for the replay client.
 */
#ifndef PGV_REPLAY_UTIL_H
#define PGV_REPLAY_UTIL_H

#include <stddef.h>

/* Exit statuses. */
#define PGV_EXIT_FAILED	1		/* a statement or a threshold failed */
#define PGV_EXIT_TROUBLE	2	/* wrong use, unreadable file, no server */

/* A text that grows; always NUL-terminated once something was added. */
typedef struct PgvText
{
	char	   *data;
	size_t		length;
	size_t		size;
} PgvText;

/* Zeroed memory; the program ends with a message when there is none. */
extern void *pgv_alloc(size_t size);
extern void *pgv_realloc(void *memory, size_t size);
extern char *pgv_strndup(const char *text, size_t length);

extern void pgv_text_add(PgvText *out, const char *bytes, size_t length);
extern void pgv_text_printf(PgvText *out, const char *format,...)
			__attribute__((format(printf, 2, 3)));

/* Prints "replay: message" on stderr and exits with PGV_EXIT_TROUBLE. */
extern void pgv_fatal(const char *format,...)
			__attribute__((format(printf, 1, 2), noreturn));

/* Milliseconds of the monotonic clock. */
extern double pgv_now_ms(void);

/* Returns when pgv_now_ms() has reached deadline_ms, within microseconds. */
extern void pgv_wait_until(double deadline_ms);

#endif							/* PGV_REPLAY_UTIL_H */
