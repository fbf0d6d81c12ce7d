/*-------------------------------------------------------------------------
 *
 * persist.c
 *	  The statistics file.
 *
 *	 magic | format | kind 'K' name version sizes | 'E' key entry | 'F' key entry tail ..
 *	       | 'K' .. | 'T' id encoding len bytes | 'T' .. | 'Z' | crc32c
 *
 * A checksum over all that stands before it closes the file; it is verified
 * before anything is believed.  Numbers are in the machine's own order and
 * sizes: a statistics file does not travel, and one that does is recognised
 * by its magic or its sizes and left out.
 *
 * Writing goes through a temporary file in the same directory, synced and
 * renamed into place, so that a crash leaves the old file or the new one.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <sys/stat.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "port/atomics.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "store/persist.h"
#include "store/store.h"
#include "store/texts.h"

#define PGV_PERSIST_TMP PGV_PERSIST_FILE ".tmp"
#define PGV_MAGIC UINT64CONST(0x31534C4154495650)	/* "PVITALS1" */
#define PGV_FORMAT 1

typedef struct PgvSharedPersist
{
	pg_atomic_uint64 last;		/* a TimestampTz */
} PgvSharedPersist;

/* Head of the file. */
typedef struct PgvFileHead
{
	uint64		magic;
	uint32		format;
	uint32		zero;
	uint64		place;			/* see this_place */
	TimestampTz reset_time;
} PgvFileHead;

/* Head of a kind's entries. */
typedef struct PgvFileKind
{
	char		name[NAMEDATALEN];
	uint32		version;
	uint32		key_size;
	uint32		entry_size;
	uint32		tail_size;
	uint32		zero;
} PgvFileKind;

typedef struct PgvFileText
{
	uint64		id;
	int32		encoding;
	int32		len;
} PgvFileText;

/* A file being written. */
typedef struct PgvWriter
{
	FILE	   *file;
	pg_crc32c	crc;
	bool		failed;
	const PgvKind *kind;
	uint64	   *ids;			/* of texts to write */
	Size		nids;
	Size		max_ids;
} PgvWriter;

/* A file being read, whole in memory. */
typedef struct PgvReader
{
	const char *data;
	Size		len;
	Size		at;
	const char **texts;			/* places of texts, sorted by id */
	Size		ntexts;
	uint64		entries;
	uint64		left_out;
	TimestampTz reset_time;
	bool		foreign;		/* it came with a copy of a data directory */
} PgvReader;

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
	if (!found)
		pg_atomic_init_u64(&shared->last, 0);
}

TimestampTz
pgv_persist_last(void)
{
	return (TimestampTz) pg_atomic_read_u64(&shared->last);
}

/*
 * What tells this data directory from a copy of it: a standby made from a
 * backup is another server, and what the primary did is not its work.
 */
static uint64
this_place(void)
{
	struct stat st;

	return stat("PG_VERSION", &st) == 0 ? (uint64) st.st_ino : 0;
}

/* ----- writing ----- */

static void
put(PgvWriter *w, const void *data, Size len)
{
	if (w->failed)
		return;
	COMP_CRC32C(w->crc, data, len);
	if (fwrite(data, 1, len, w->file) != len)
		w->failed = true;
}

static void
put_tag(PgvWriter *w, char tag)
{
	put(w, &tag, 1);
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
	bool		tail = w->kind->uses_tail != NULL && w->kind->uses_tail(entry);

	put_tag(w, tail ? 'F' : 'E');
	put(w, key, w->kind->key_size);
	put(w, entry, w->kind->entry_size);
	if (tail)
		put(w, pgv_store_tail(w->kind, entry), w->kind->tail_size);
	remember_texts(w, key, entry);
	return !w->failed;
}

static void
put_kind(PgvWriter *w, const PgvKind *kind)
{
	PgvFileKind head;

	memset(&head, 0, sizeof(head));
	strlcpy(head.name, kind->name, sizeof(head.name));
	head.version = kind->version;
	head.key_size = (uint32) kind->key_size;
	head.entry_size = (uint32) kind->entry_size;
	head.tail_size = (uint32) kind->tail_size;
	put_tag(w, 'K');
	put(w, &head, sizeof(head));
	w->kind = kind;
	pgv_store_scan(kind, put_entry, w);
}

static int
compare_ids(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

static void
put_texts(PgvWriter *w)
{
	if (w->nids > 0)
		qsort(w->ids, w->nids, sizeof(uint64), compare_ids);
	for (Size i = 0; i < w->nids && !w->failed; i++)
	{
		PgvFileText head;
		char	   *text;
		int			len;
		int			encoding;

		if (i > 0 && w->ids[i] == w->ids[i - 1])
			continue;
		text = pgv_texts_copy_raw(w->ids[i], &len, &encoding);
		if (text == NULL)
			continue;			/* evicted meanwhile */
		memset(&head, 0, sizeof(head));
		head.id = w->ids[i];
		head.encoding = encoding;
		head.len = len;
		put_tag(w, 'T');
		put(w, &head, sizeof(head));
		put(w, text, len);
		pfree(text);
	}
}

static void
put_all(PgvWriter *w)
{
	const PgvKind *const *kinds;
	int			n = pgv_store_kinds(&kinds);
	PgvFileHead head = {PGV_MAGIC, PGV_FORMAT, 0, this_place(), pgv_store_reset_time()};

	INIT_CRC32C(w->crc);
	put(w, &head, sizeof(head));
	for (int i = 0; i < n; i++)
		put_kind(w, kinds[i]);
	put_texts(w);
	put_tag(w, 'Z');
	FIN_CRC32C(w->crc);
	if (!w->failed && fwrite(&w->crc, 1, sizeof(w->crc), w->file) != sizeof(w->crc))
		w->failed = true;
}

bool
pgv_persist_write(void)
{
	PgvWriter	w;
	MemoryContext context;
	MemoryContext old;

	memset(&w, 0, sizeof(w));
	w.file = AllocateFile(PGV_PERSIST_TMP, PG_BINARY_W);
	if (w.file == NULL)
		w.failed = true;
	else
	{
		context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals persist",
										ALLOCSET_DEFAULT_SIZES);
		old = MemoryContextSwitchTo(context);
		put_all(&w);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		if (FreeFile(w.file) != 0)
			w.failed = true;
	}
	if (w.failed)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write statistics file \"%s\": %m",
						PGV_PERSIST_TMP)));
	/* durable_rename syncs the file before, and its directory after */
	if (w.failed || durable_rename(PGV_PERSIST_TMP, PGV_PERSIST_FILE, LOG) != 0)
	{
		unlink(PGV_PERSIST_TMP);
		return false;
	}
	pg_atomic_write_u64(&shared->last, (uint64) GetCurrentTimestamp());
	return true;
}

/* ----- reading ----- */

/* The next so many bytes, or NULL if the file ends before. */
static const char *
get(PgvReader *r, Size len)
{
	const char *p = r->data + r->at;

	if (len > r->len - r->at)
		return NULL;
	r->at += len;
	return p;
}

static char *
read_file(Size *len)
{
	FILE	   *file = AllocateFile(PGV_PERSIST_FILE, PG_BINARY_R);
	char	   *data = NULL;
	long		size;

	if (file == NULL)
	{
		if (errno != ENOENT)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not open statistics file \"%s\": %m",
							PGV_PERSIST_FILE)));
		return NULL;
	}
	if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 &&
		fseek(file, 0, SEEK_SET) == 0)
	{
		data = palloc_extended(size + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
		if (data != NULL && fread(data, 1, size, file) != (size_t) size)
		{
			pfree(data);
			data = NULL;
		}
		*len = size;
	}
	if (data == NULL)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not read statistics file \"%s\": %m",
						PGV_PERSIST_FILE)));
	FreeFile(file);
	return data;
}

/* Is the file whole, and ours?  Takes its checksum off the end. */
static bool
is_sound(PgvReader *r)
{
	pg_crc32c	crc;
	pg_crc32c	stored;
	PgvFileHead head;

	if (r->len < sizeof(head) + 1 + sizeof(stored))
		return false;
	r->len -= sizeof(stored);
	memcpy(&stored, r->data + r->len, sizeof(stored));
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, r->data, r->len);
	FIN_CRC32C(crc);
	memcpy(&head, get(r, sizeof(head)), sizeof(head));
	if (!EQ_CRC32C(crc, stored) || head.magic != PGV_MAGIC ||
		head.format != PGV_FORMAT)
		return false;
	r->foreign = head.place != this_place();
	r->reset_time = head.reset_time;
	return true;
}

static const PgvKind *
kind_named(const PgvFileKind *head)
{
	const PgvKind *const *kinds;
	int			n = pgv_store_kinds(&kinds);

	for (int i = 0; i < n; i++)
	{
		if (strncmp(kinds[i]->name, head->name, NAMEDATALEN) == 0 &&
			kinds[i]->version == head->version &&
			kinds[i]->key_size == head->key_size &&
			kinds[i]->entry_size == head->entry_size &&
			kinds[i]->tail_size == head->tail_size)
			return kinds[i];
	}
	return NULL;
}

static int
compare_texts(const void *a, const void *b)
{
	PgvFileText x;
	PgvFileText y;

	memcpy(&x, *(const char *const *) a, sizeof(x));
	memcpy(&y, *(const char *const *) b, sizeof(y));
	return x.id < y.id ? -1 : x.id > y.id ? 1 : 0;
}

static void
add_text(PgvReader *r, const char *place)
{
	Size		n = r->ntexts++;

	if (r->texts == NULL)
		r->texts = palloc(1024 * sizeof(char *));
	else if (n >= 1024 && (n & (n - 1)) == 0)
		r->texts = repalloc_huge(r->texts, n * 2 * sizeof(char *));
	r->texts[n] = place;
}

/* Take the references to an entry's texts; it loses those that are not there. */
static void
restore_texts(PgvReader *r, const PgvKind *kind, const void *key, void *entry)
{
	uint64		ids[PGV_MAX_ENTRY_TEXTS];
	int			n = kind->texts(key, entry, ids);

	for (int i = 0; i < n; i++)
	{
		PgvFileText probe = {ids[i], 0, 0};
		const char *probe_place = (const char *) &probe;
		const char **found = NULL;

		if (r->ntexts > 0)
			found = bsearch(&probe_place, r->texts, r->ntexts,
							sizeof(char *), compare_texts);
		if (found != NULL)
			memcpy(&probe, *found, sizeof(probe));
		if (!pgv_texts_reference(ids[i]) &&
			(found == NULL || !pgv_texts_intern(ids[i], *found + sizeof(probe), probe.len,
							  probe.encoding)))
			kind->lose_text(entry, ids[i]);
	}
}

static void
restore_entry(PgvReader *r, const PgvKind *kind, const char *place, bool tail)
{
	char		key[PGV_MAX_KEY_SIZE];
	char	   *entry = palloc0(MAXALIGN(kind->entry_size) + kind->tail_size);

	memcpy(key, place, kind->key_size);
	memcpy(entry, place + kind->key_size, kind->entry_size);
	if (tail)
		memcpy(pgv_store_tail(kind, entry),
			   place + kind->key_size + kind->entry_size, kind->tail_size);
	if (kind->valid(key, entry) &&
		tail == (kind->uses_tail != NULL && kind->uses_tail(entry)))
	{
		restore_texts(r, kind, key, entry);
		pgv_store_restore(kind, key, entry);
		r->entries++;
	}
	else
		r->left_out++;
	pfree(entry);
}

/* An entry, with its tail or without. */
static bool
walk_entry(PgvReader *r, const PgvKind *kind, const PgvFileKind *head,
		   bool tail, bool restore)
{
	const char *place = get(r, (Size) head->key_size + head->entry_size +
							(tail ? head->tail_size : 0));

	if (place == NULL || head->entry_size == 0)
		return false;
	if (restore && kind != NULL)
		restore_entry(r, kind, place, tail);
	else if (restore)
		r->left_out++;
	return true;
}

static bool
walk_text(PgvReader *r, bool restore)
{
	const char *place = get(r, sizeof(PgvFileText));
	PgvFileText head;

	if (place == NULL)
		return false;
	memcpy(&head, place, sizeof(head));
	if (head.len < 0 || get(r, head.len) == NULL ||
		!PG_VALID_BE_ENCODING(head.encoding))
		return false;
	if (!restore)
		add_text(r, place);
	return true;
}

/*
 * Go through the records: first to find the texts, then to restore.  Returns
 * false if the records do not fit together.
 */
static bool
walk_records(PgvReader *r, bool restore)
{
	PgvFileKind head;
	const PgvKind *kind = NULL;
	const char *place;

	memset(&head, 0, sizeof(head));
	r->at = sizeof(PgvFileHead);
	while ((place = get(r, 1)) != NULL)
	{
		switch (*place)
		{
			case 'K':
				if ((place = get(r, sizeof(head))) == NULL)
					return false;
				memcpy(&head, place, sizeof(head));
				kind = kind_named(&head);
				break;
			case 'E':
			case 'F':
				if (!walk_entry(r, kind, &head, *place == 'F', restore))
					return false;
				break;
			case 'T':
				if (!walk_text(r, restore))
					return false;
				break;
			case 'Z':
				return r->at == r->len;
			default:
				return false;
		}
	}
	return false;
}

void
pgv_persist_read(void)
{
	PgvReader	r;
	MemoryContext context;
	MemoryContext old;

	memset(&r, 0, sizeof(r));
	context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals persist",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	r.data = read_file(&r.len);
	if (r.data != NULL)
	{
		bool		sound = is_sound(&r) && !r.foreign && walk_records(&r, false);

		if (sound && r.ntexts > 0)
			qsort(r.texts, r.ntexts, sizeof(char *), compare_texts);
		if (sound)
		{
			pgv_store_set_reset_time(r.reset_time);
			walk_records(&r, true);
		}
		if (r.foreign)
			ereport(LOG,
					(errmsg("ignoring statistics file \"%s\" of the server this one was copied from",
							PGV_PERSIST_FILE)));
		else if (!sound)
			ereport(LOG,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("ignoring invalid statistics file \"%s\"", PGV_PERSIST_FILE)));
		else if (r.left_out > 0)
			ereport(LOG,
					(errmsg("statistics file \"%s\": " UINT64_FORMAT " entries of another version left out",
							PGV_PERSIST_FILE, r.left_out)));
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
