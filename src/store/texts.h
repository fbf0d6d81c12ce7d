/*-------------------------------------------------------------------------
 *
 * texts.h
 *	  Statement texts (and other long strings) in shared memory, shared by
 *	  all who refer to them.
 *
 * A text has an id, which its owner derives from the content (a statement's
 * fingerprint), and a count of references.  Whoever stores an id in shared
 * memory holds one reference to it, and gives it back when the id goes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_TEXTS_H
#define PGV_TEXTS_H

#include "postgres.h"

typedef struct PgvTextsStats
{
	uint64		bytes;			/* in use by texts, without overhead */
	uint64		texts;			/* how many */
	uint64		dropped;		/* how often memory did not suffice */
} PgvTextsStats;

/* Shared memory to ask for, and the number of locks in its named tranche. */
extern Size pgv_texts_shmem_size(void);
extern int	pgv_texts_locks(void);

/*
 * Create or attach.  The caller holds AddinShmemInitLock.  May raise an error
 * (postmaster start only).
 */
extern void pgv_texts_shmem_init(void);

/*
 * Take a reference to the text "id", storing the given bytes, with their
 * encoding, if nobody has yet.  Costs an allocation either way: ask
 * pgv_texts_reference first where the text may well be there.  Returns false, and counts the drop, when memory does not suffice: no
 * reference is held then.  Raises nothing.  Takes one lock of this unit and,
 * inside it, none but the allocator's own: may be called with a lock of
 * pending or store held.
 */
extern bool pgv_texts_intern(uint64 id, const char *text, int len, int encoding);

/*
 * Take one more reference to a text that is there.  Returns false if it is
 * not.  Raises nothing; locks as pgv_texts_intern.
 */
extern bool pgv_texts_reference(uint64 id);

/* Give back one reference; the last one frees the text.  Raises nothing. */
extern void pgv_texts_release(uint64 id);

/*
 * A palloc'd, NUL-terminated copy of a text in the encoding of the present
 * database, or NULL where there is none; a character that has no equivalent
 * there becomes a question mark.  Needs a transaction.  May raise out of
 * memory; holds no lock while it allocates.
 */
extern char *pgv_texts_copy(uint64 id);

/* The same as it is stored, with its length and encoding. */
extern char *pgv_texts_copy_raw(uint64 id, int *len, int *encoding);

/*
 * A text of another encoding in that of the present database, likewise: itself,
 * if nothing has to be done.
 */
extern char *pgv_texts_convert(char *text, int len, int encoding);

/* The longest text that is kept whole. */
extern int	pgv_texts_max_length(void);

/* Figures for vitals.info. */
extern void pgv_texts_stats(PgvTextsStats *stats);

#endif							/* PGV_TEXTS_H */
