/*-------------------------------------------------------------------------
 *
 * sane.h
 *	  Can a value read from a file be worked with?  For the kinds' callbacks
 *	  "valid".
 *
 * The checksums of the file tell what was damaged.  This is about what was
 * written by another program, or on purpose: no later code is to fail, or to
 * make a view fail, on what was taken in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SANE_H
#define PGV_SANE_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* So that many of them can be added up. */
#define PGV_SANE_COUNT	(INT64CONST(1) << 56)
#define PGV_SANE_MS		1e18
#define PGV_SANE_SQUARE 1e60

/* To be asked before it is read as a bool, which has two values only. */
static inline bool
pgv_sane_bool(const bool *value)
{
	uint8		byte;

	memcpy(&byte, value, 1);
	return byte <= 1;
}

static inline bool
pgv_sane_counts(const int64 *counts, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (counts[i] < 0 || counts[i] > PGV_SANE_COUNT)
			return false;
	}
	return true;
}

static inline bool
pgv_sane_count(int64 count)
{
	return pgv_sane_counts(&count, 1);
}

/* Neither infinite nor no number; a clock that was set back makes negative ones. */
static inline bool
pgv_sane_times(const double *ms, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (!(ms[i] >= -PGV_SANE_MS && ms[i] <= PGV_SANE_MS))
			return false;
	}
	return true;
}

static inline bool
pgv_sane_time(double ms)
{
	return pgv_sane_times(&ms, 1);
}

/* 0 is none; what is out of range cannot be shown. */
static inline bool
pgv_sane_instant(TimestampTz at)
{
	return IS_VALID_TIMESTAMP(at);
}

/* A string of printable ASCII that ends within the array it is in. */
static inline bool
pgv_sane_string(const char *string, Size size)
{
	for (Size i = 0; i < size; i++)
	{
		if (string[i] == '\0')
			return true;
		if (string[i] < ' ' || string[i] > '~')
			return false;
	}
	return false;
}

/* A name of an application: the server lets nothing in it but this. */
static inline bool
pgv_sane_name(const char *name)
{
	return pgv_sane_string(name, NAMEDATALEN);
}

#endif							/* PGV_SANE_H */
