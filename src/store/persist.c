/*-------------------------------------------------------------------------
 *
 * persist.c
 *	  The statistics file: writing, reading.
 *
 *	 first | entries of all kinds | texts they refer to | last		(see statfile.c)
 *
 * Writing goes through a temporary file in the same directory, synced and
 * renamed into place, so that a crash leaves the old file or the new one.  No
 * lock is held while bytes are written: a partition of the store, or a text,
 * is copied under its lock, and then written.  When it fails, on a full disk
 * for instance, the old file stays, one line tells of the first failure in a
 * row, and one of its end.
 *
 * Reading takes what is sound.  Of a record that is damaged only that record
 * is lost; of an entry whose text is, the text.  An entry is taken if its kind
 * finds that all that is done with entries can be done with it.  So a second,
 * older file to fall back on would gain nothing: it is not kept.
 *
 * Whose statistics are they?  The file belongs to its data directory, wherever
 * that is moved, copied or restored to, and can be put into another by hand,
 * say after pg_upgrade.  One case is different: a standby made from a base
 * backup is another server, and what the primary did is not its work.  On the
 * first start of such a one both backup_label and standby.signal are there.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "port/atomics.h"
#include "storage/fd.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "store/persist.h"
#include "store/sane.h"
#include "store/statfile.h"
#include "store/store.h"
#include "store/texts.h"

#define PGV_PERSIST_TMP PGV_PERSIST_FILE ".tmp"

typedef struct PgvSharedPersist
{
	pg_atomic_uint64 last;		/* a TimestampTz */
	pg_atomic_uint32 failing;	/* did the last attempt to write fail? */
} PgvSharedPersist;

/* A file being written. */
typedef struct PgvWriter
{
	FILE	   *file;
	int			error;			/* errno of the first failure; 0: none */
	uint64		stamp;
	uint32		number;			/* of the next record */
	const PgvKind *kind;
	uint32		tag;			/* of the kind */
	uint64	   *ids;			/* of texts to write */
	Size		nids;
	Size		max_ids;
} PgvWriter;

/* Where a text is in a file that is being read. */
typedef struct PgvFoundText
{
	uint64		id;
	const char *text;
	int			len;
	int			encoding;
} PgvFoundText;

/* A file being read, whole in memory. */
typedef struct PgvRestore
{
	PgvFileReader file;
	PgvFoundText *texts;		/* sorted by id */
	Size		ntexts;
	Size		max_texts;
	PgvRestored *done;
} PgvRestore;

static PgvSharedPersist *shared = NULL;

Size
pgv_persist_shmem_size(void)
{
	return MAXALIGN(sizeof(PgvSharedPersist));
}

void
pgv_persist_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pg_vitals persist", sizeof(PgvSharedPersist), &found);
	if (found)
		return;
	pg_atomic_init_u64(&shared->last, 0);
	pg_atomic_init_u32(&shared->failing, 0);
}

TimestampTz
pgv_persist_last(void)
{
	return (TimestampTz) pg_atomic_read_u64(&shared->last);
}

static uint32
tag_of(const PgvKind *kind)
{
	return pgv_statfile_tag(kind->name, kind->version, kind->key_size,
							kind->entry_size, kind->tail_size);
}

/* ----- writing ----- */

static void
put(PgvWriter *w, const void *data, Size len)
{
	if (w->error != 0 || len == 0)
		return;
	errno = 0;
	if (fwrite(data, 1, len, w->file) != len)
		w->error = errno != 0 ? errno : ENOSPC;
}

static void
put_record(PgvWriter *w, uint32 tag, const PgvFilePart *parts, int nparts)
{
	PgvRecordHead head;

	pgv_statfile_seal(&head, w->stamp, w->number++, tag, parts, nparts);
	put(w, &head, sizeof(head));
	for (int i = 0; i < nparts; i++)
		put(w, parts[i].data, parts[i].len);
}

static void
put_summary(PgvWriter *w, uint32 tag)
{
	PgvFileSummary summary;
	PgvFilePart part = {&summary, sizeof(summary)};

	pgv_statfile_summary(&summary, pgv_store_reset_time());
	put_record(w, tag, &part, 1);
}

static void
remember_texts(PgvWriter *w, const void *key, const void *entry)
{
	if (w->nids + PGV_MAX_ENTRY_TEXTS > w->max_ids)
	{
		w->max_ids = Max(1024, w->max_ids * 2);
		w->ids = w->ids == NULL ?
			palloc_extended(w->max_ids * sizeof(uint64), MCXT_ALLOC_HUGE) :
			repalloc_huge(w->ids, w->max_ids * sizeof(uint64));
	}
	w->nids += w->kind->texts(key, entry, w->ids + w->nids);
}

static bool
put_entry(const void *key, const void *entry, void *arg)
{
	PgvWriter  *w = arg;
	const PgvKind *kind = w->kind;
	bool		tail = kind->uses_tail != NULL && kind->uses_tail(entry);
	PgvFilePart parts[3] = {{key, kind->key_size}, {entry, kind->entry_size}};

	if (tail)
	{
		parts[2].data = pgv_store_tail(kind, entry);
		parts[2].len = kind->tail_size;
	}
	put_record(w, w->tag, parts, tail ? 3 : 2);
	remember_texts(w, key, entry);
	return w->error == 0;
}

static int
compare_ids(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

static void
put_text(PgvWriter *w, uint64 id)
{
	int			len;
	int			encoding;
	char	   *text = pgv_texts_copy_raw(id, &len, &encoding);
	PgvFileText head;
	PgvFilePart parts[2] = {{&head, sizeof(head)}};

	if (text == NULL)
		return;					/* evicted meanwhile */
	head.id = id;
	head.encoding = encoding;
	parts[1].data = text;
	parts[1].len = len;
	put_record(w, PGV_TAG_TEXT, parts, 2);
	pfree(text);
}

static void
put_all(PgvWriter *w)
{
	const PgvKind *const *kinds;
	int			n = pgv_store_kinds(&kinds);

	put_summary(w, PGV_TAG_FIRST);
	for (int i = 0; i < n; i++)
	{
		w->kind = kinds[i];
		w->tag = tag_of(kinds[i]);
		pgv_store_scan(kinds[i], put_entry, w);
	}
	if (w->nids > 0)
		qsort(w->ids, w->nids, sizeof(uint64), compare_ids);
	for (Size i = 0; i < w->nids && w->error == 0; i++)
	{
		if (i == 0 || w->ids[i] != w->ids[i - 1])
			put_text(w, w->ids[i]);
	}
	put_summary(w, PGV_TAG_LAST);
}

int
pgv_persist_put(FILE *file)
{
	PgvWriter	w;
	MemoryContext context;
	MemoryContext old;

	memset(&w, 0, sizeof(w));
	w.file = file;
	if (!pg_strong_random(&w.stamp, sizeof(w.stamp)))
		w.stamp = (uint64) GetCurrentTimestamp();
	context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals persist",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	put_all(&w);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return w.error;
}

/* Write the temporary file; returns 0, or an errno. */
static int
write_tmp(void)
{
	FILE	   *file = AllocateFile(PGV_PERSIST_TMP, PG_BINARY_W);
	int			error;

	if (file == NULL)
		return errno;
	error = pgv_persist_put(file);
	/* what stood in the buffer may have failed only now */
	if (FreeFile(file) != 0 && error == 0)
		error = errno;
	return error;
}

/* Write it and put it into place; the first failure in a row is logged. */
static bool
write_file(bool was_failing)
{
	int			error = write_tmp();

	if (error != 0 && !was_failing)
	{
		errno = error;
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write statistics file \"%s\": %m",
						PGV_PERSIST_TMP)));
	}
	/* durable_rename syncs the file before, and its directory after */
	return error == 0 &&
		durable_rename(PGV_PERSIST_TMP, PGV_PERSIST_FILE,
					   was_failing ? DEBUG1 : LOG) == 0;
}

bool
pgv_persist_write(TimestampTz collected)
{
	bool		was_failing = pg_atomic_read_u32(&shared->failing) != 0;

	if (!write_file(was_failing))
	{
		unlink(PGV_PERSIST_TMP);
		pg_atomic_write_u32(&shared->failing, 1);
		return false;
	}
	if (was_failing)
		ereport(LOG,
				(errmsg("statistics file \"%s\" could be written again",
						PGV_PERSIST_FILE)));
	pg_atomic_write_u32(&shared->failing, 0);
	pg_atomic_write_u64(&shared->last, (uint64) collected);
	return true;
}

/* ----- reading ----- */

static char *
read_file(Size *len)
{
	FILE	   *file = NULL;
	char	   *data;
	struct stat st;

	if (stat(PGV_PERSIST_FILE, &st) == 0)
	{
		/* to open something else may take forever, and to read it, all memory */
		if (S_ISREG(st.st_mode))
			file = AllocateFile(PGV_PERSIST_FILE, PG_BINARY_R);
		else
			errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	}
	if (file == NULL)
	{
		if (errno != ENOENT)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not open statistics file \"%s\": %m",
							PGV_PERSIST_FILE)));
		return NULL;
	}
	data = palloc_extended(st.st_size + 1, MCXT_ALLOC_HUGE);
	*len = fread(data, 1, st.st_size, file);
	if (ferror(file))
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not read statistics file \"%s\": %m",
						PGV_PERSIST_FILE)));
	FreeFile(file);
	return data;
}

static const PgvKind *
kind_tagged(uint32 tag)
{
	const PgvKind *const *kinds;
	int			n = pgv_store_kinds(&kinds);

	for (int i = 0; i < n; i++)
	{
		if (tag_of(kinds[i]) == tag)
			return kinds[i];
	}
	return NULL;
}

static int
compare_texts(const void *a, const void *b)
{
	return compare_ids(&((const PgvFoundText *) a)->id,
					   &((const PgvFoundText *) b)->id);
}

/* Remember where a text is; false if it is none. */
static bool
find_text(PgvRestore *r, const PgvFileRecord *record)
{
	PgvFileText head;
	PgvFoundText *found;

	if (record->len < sizeof(head))
		return false;
	memcpy(&head, record->data, sizeof(head));
	if (head.encoding < 0 || head.encoding > _PG_LAST_ENCODING_ ||
		!PG_VALID_BE_ENCODING((int) head.encoding) ||
		record->len - sizeof(head) > MaxAllocSize ||
		memchr(record->data + sizeof(head), '\0', record->len - sizeof(head)) != NULL)
		return false;
	if (r->ntexts == r->max_texts)
	{
		r->max_texts = Max(1024, r->max_texts * 2);
		r->texts = r->texts == NULL ?
			palloc_extended(r->max_texts * sizeof(PgvFoundText), MCXT_ALLOC_HUGE) :
			repalloc_huge(r->texts, r->max_texts * sizeof(PgvFoundText));
	}
	found = &r->texts[r->ntexts++];
	found->id = head.id;
	found->text = record->data + sizeof(head);
	found->len = (int) (record->len - sizeof(head));
	found->encoding = (int) head.encoding;
	return true;
}

/* The text that the entry knows by the id, if it is there and can be that. */
static const PgvFoundText *
text_for(const PgvRestore *r, const PgvKind *kind, const void *entry, uint64 id)
{
	PgvFoundText probe = {id};
	const PgvFoundText *found = NULL;

	if (r->ntexts > 0)
		found = bsearch(&probe, r->texts, r->ntexts, sizeof(probe), compare_texts);
	if (found != NULL && kind->fits != NULL &&
		!kind->fits(entry, id, found->text, found->len, found->encoding))
		return NULL;
	return found;
}

/* Take the references to an entry's texts; it loses those that are not there. */
static void
restore_texts(PgvRestore *r, const PgvKind *kind, const void *key, void *entry)
{
	uint64		ids[PGV_MAX_ENTRY_TEXTS];
	int			n = kind->texts(key, entry, ids);

	for (int i = 0; i < n; i++)
	{
		const PgvFoundText *t = text_for(r, kind, entry, ids[i]);

		if (t == NULL || (!pgv_texts_reference(t->id) &&
						  !pgv_texts_intern(t->id, t->text, t->len, t->encoding)))
			kind->lose_text(entry, ids[i]);
	}
}

/* Since when it is there, as the store wrote into it, whatever its kind. */
static bool
since_is_sane(const PgvKind *kind, const char *entry)
{
	TimestampTz since;

	memcpy(&since, entry + kind->since_offset, sizeof(since));
	return pgv_sane_instant(since);
}

static bool
restore_entry(PgvRestore *r, const PgvKind *kind, const PgvFileRecord *record)
{
	Size		plain = kind->key_size + kind->entry_size;
	bool		tail = kind->tail_size > 0 && record->len == plain + kind->tail_size;
	uint64		key[PGV_MAX_KEY_SIZE / sizeof(uint64)];
	char	   *entry;
	bool		valid;

	if (record->len != plain && !tail)
		return false;
	entry = palloc0(MAXALIGN(kind->entry_size) + kind->tail_size);
	memcpy(key, record->data, kind->key_size);
	memcpy(entry, record->data + kind->key_size, kind->entry_size);
	if (tail)
		memcpy(pgv_store_tail(kind, entry), record->data + plain, kind->tail_size);
	valid = kind->valid(key, entry) && since_is_sane(kind, entry) &&
		tail == (kind->uses_tail != NULL && kind->uses_tail(entry));
	if (valid)
	{
		restore_texts(r, kind, key, entry);
		pgv_store_restore(kind, key, entry);
	}
	pfree(entry);
	return valid;
}

/* Texts stand behind what refers to them, so they are looked for first. */
static void
find_texts(PgvRestore *r)
{
	PgvFileRecord record;

	while (pgv_statfile_next(&r->file, &record))
	{
		if (record.tag == PGV_TAG_TEXT && !find_text(r, &record))
			r->done->lost++;
	}
	if (r->ntexts > 0)
		qsort(r->texts, r->ntexts, sizeof(PgvFoundText), compare_texts);
	pgv_statfile_rewind(&r->file);
}

static void
restore_entries(PgvRestore *r)
{
	PgvFileRecord record;

	while (pgv_statfile_next(&r->file, &record))
	{
		const PgvKind *kind = kind_tagged(record.tag);

		if (record.tag == PGV_TAG_TEXT)
			continue;
		if (kind == NULL)
			r->done->left_out++;
		else if (restore_entry(r, kind, &record))
			r->done->entries++;
		else
			r->done->lost++;
	}
}

void
pgv_persist_restore(const char *data, Size len, PgvRestored *done)
{
	PgvRestore	r;

	memset(&r, 0, sizeof(r));
	memset(done, 0, sizeof(*done));
	r.done = done;
	if (!pgv_statfile_open(&r.file, data, len))
		return;
	done->is_ours = true;
	if (IS_VALID_TIMESTAMP(r.file.summary.reset_time))
		pgv_store_set_reset_time(r.file.summary.reset_time);
	find_texts(&r);
	restore_entries(&r);
	done->cut_short = !r.file.complete;
	done->lost += r.file.lost;
	done->skipped = r.file.skipped;
	if (r.texts != NULL)
		pfree(r.texts);
}

static void
report(const PgvRestored *done)
{
	if (!done->is_ours)
		ereport(LOG,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("ignoring invalid statistics file \"%s\"", PGV_PERSIST_FILE)));
	else if (done->cut_short || done->lost > 0 || done->skipped > 0)
		ereport(LOG,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("statistics file \"%s\" is %s (entries kept: " UINT64_FORMAT
						", records lost: " UINT64_FORMAT ")",
						PGV_PERSIST_FILE, done->cut_short ? "cut short" : "damaged",
						done->entries, done->lost + done->left_out)));
	else if (done->left_out > 0)
		ereport(LOG,
				(errmsg("statistics file \"%s\": " UINT64_FORMAT " entries of another version left out",
						PGV_PERSIST_FILE, done->left_out)));
}

/* Is this the first start of a standby that was made from a base backup? */
static bool
is_new_standby(void)
{
	struct stat st;

	return stat(BACKUP_LABEL_FILE, &st) == 0 && stat(STANDBY_SIGNAL_FILE, &st) == 0;
}

/* The next start is not the first: what is not ours must be gone by then. */
static void
remove_foreign(void)
{
	struct stat st;

	if (stat(PGV_PERSIST_FILE, &st) != 0 ||
		durable_unlink(PGV_PERSIST_FILE, LOG) != 0)
		return;
	ereport(LOG,
			(errmsg("removed statistics file \"%s\" of the server this standby was made from",
					PGV_PERSIST_FILE)));
}

static void
read_and_restore(void)
{
	PgvRestored done;
	Size		len;
	char	   *data = read_file(&len);

	if (data == NULL)
		return;
	pgv_persist_restore(data, len, &done);
	report(&done);
}

void
pgv_persist_read(void)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext context;

	unlink(PGV_PERSIST_TMP);
	if (is_new_standby())
	{
		remove_foreign();
		return;
	}
	context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals persist",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		read_and_restore();
	}
	PG_CATCH();
	{
		/* memory does not suffice: the server starts without */
		MemoryContextSwitchTo(old);
		EmitErrorReport();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
