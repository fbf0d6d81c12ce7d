/*-------------------------------------------------------------------------
 *
 * routine.c
 *	  Lookups that have led nowhere for long: looked at in part.
 *
 * A lookup in a unique index, in autocommit, while no result is remembered,
 * can be a duplicate, a step of a walk, or one of a loop that would only be
 * suspected.  For the statements that a server lives on it is none of these,
 * thousands of times a second.  So after PGV_ROUTINE_LOOK of them of one statement
 * without a sign of a pattern, PGV_ROUTINE_LOOK of each PGV_ROUTINE_PERIOD are
 * looked at, in one stretch, long enough for a burst.  At the first sign all are,
 * again.
 *
 *	 counts[fingerprint & 63]	+-----+-------+		a tag of the fingerprint, and
 *								| tag | count |		lookups since the last sign
 *								+-----+-------+
 *
 * Private to the backend.  A statement that another one takes the place of
 * begins anew, and is looked at.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "collect/routine.h"

#define PGV_ROUTINES 64			/* power of two */
#define PGV_ROUTINE_LOOK 256
#define PGV_ROUTINE_PERIOD 1024 /* power of two */

static struct
{
	uint32		tag;
	uint32		count;
}			counts[PGV_ROUTINES];

bool
pgv_routine_passes(uint64 fingerprint)
{
	uint32		tag = (uint32) (fingerprint >> 32);
	int			i = fingerprint & (PGV_ROUTINES - 1);

	if (counts[i].tag != tag)
	{
		counts[i].tag = tag;
		counts[i].count = 0;
	}
	return (counts[i].count++ & (PGV_ROUTINE_PERIOD - 1)) >= PGV_ROUTINE_LOOK;
}

bool
pgv_routine_is_old(uint64 fingerprint)
{
	int			i = fingerprint & (PGV_ROUTINES - 1);

	return counts[i].tag == (uint32) (fingerprint >> 32) &&
		counts[i].count >= PGV_ROUTINE_PERIOD;
}

void
pgv_routine_wake(uint64 fingerprint)
{
	int			i = fingerprint & (PGV_ROUTINES - 1);

	if (counts[i].tag == (uint32) (fingerprint >> 32))
		counts[i].count = 0;
}
