/*-------------------------------------------------------------------------
 *
 * statfile.c
 *	  The form of the statistics file: records that are sealed one by one.
 *
 *	+-------+-------+-------+-- .. --+------+-- .. --+------+
 *	| first | entry | entry |        | text |        | last |
 *	+-------+-------+-------+-- .. --+------+-- .. --+------+
 *	 each: marker | head_crc | stamp | tag | number | len | data_crc | bytes
 *
 * Damage costs the records that it touches, and no other.  Each has checksums
 * of its own, one of its head, so that its length can be relied upon, and one
 * of its bytes.  Where no sound record stands, the next marker behind which one
 * does is looked for.  No record is needed to understand another: the tag of an
 * entry tells kind, version and sizes, and what concerns the whole file stands
 * in its first record and again in its last.
 *
 * Every file has a stamp, drawn at random, and its records carry it with their
 * number.  So blocks of an older file, records in another order or there twice
 * are not taken, gaps can be counted, and a text, which a client can make up as
 * it likes, cannot pose as a record when the search begins inside it.
 *
 * Numbers are in the machine's own order and sizes: a file from a machine of
 * another kind has none of our markers or none of our tags.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_crc32c.h"

#include "store/statfile.h"

#define PGV_MARKER 0x52564750	/* "PGVR" */
#define PGV_FORMAT 2

uint32
pgv_statfile_tag(const char *name, uint32 version, Size key_size,
				 Size entry_size, Size tail_size)
{
	uint64		form[4] = {version, key_size, entry_size, tail_size};
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, name, strlen(name));
	COMP_CRC32C(crc, form, sizeof(form));
	FIN_CRC32C(crc);
	return crc | PGV_TAG_KIND;
}

void
pgv_statfile_summary(PgvFileSummary *summary, TimestampTz reset_time)
{
	summary->format = PGV_FORMAT;
	summary->reset_time = reset_time;
}

/* ----- sealing ----- */

static uint32
crc_of(const char *data, Size len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, len);
	FIN_CRC32C(crc);
	return crc;
}

static uint32
head_crc(const PgvRecordHead *head)
{
	Size		start = offsetof(PgvRecordHead, stamp);

	return crc_of((const char *) head + start, sizeof(*head) - start);
}

void
pgv_statfile_seal(PgvRecordHead *head, uint64 stamp, uint32 number, uint32 tag,
				  const PgvFilePart *parts, int nparts)
{
	pg_crc32c	crc;

	head->marker = PGV_MARKER;
	head->stamp = stamp;
	head->tag = tag;
	head->number = number;
	head->len = 0;
	INIT_CRC32C(crc);
	for (int i = 0; i < nparts; i++)
	{
		COMP_CRC32C(crc, parts[i].data, parts[i].len);
		head->len += (uint32) parts[i].len;
	}
	FIN_CRC32C(crc);
	head->data_crc = crc;
	head->head_crc = head_crc(head);
}

/* ----- reading ----- */

/* Does a sound record stand there?  Of whatever file. */
static bool
record_at(const PgvFileReader *reader, Size at, PgvRecordHead *head)
{
	Size		left = reader->len - at;

	if (left < sizeof(*head))
		return false;
	memcpy(head, reader->data + at, sizeof(*head));
	left -= sizeof(*head);
	return head->marker == PGV_MARKER && head->head_crc == head_crc(head) &&
		head->len <= left &&
		head->data_crc == crc_of(reader->data + at + sizeof(*head), head->len);
}

/* The place of the next marker behind "at", or the end. */
static Size
marker_behind(const PgvFileReader *reader, Size at)
{
	const uint32 marker = PGV_MARKER;
	const char *p = reader->data + at + 1;
	const char *end = reader->data + reader->len;

	while (end - p >= (ptrdiff_t) sizeof(marker))
	{
		p = memchr(p, *(const char *) &marker, end - p - sizeof(marker) + 1);
		if (p == NULL)
			break;
		if (memcmp(p, &marker, sizeof(marker)) == 0)
			return p - reader->data;
		p++;
	}
	return reader->len;
}

/* The next sound record of whatever file. */
static bool
any_next(PgvFileReader *reader, PgvRecordHead *head, const char **bytes)
{
	while (reader->at < reader->len)
	{
		Size		at = reader->at;

		if (record_at(reader, at, head))
		{
			*bytes = reader->data + at + sizeof(*head);
			reader->at += sizeof(*head) + head->len;
			return true;
		}
		reader->at = marker_behind(reader, at);
		reader->skipped += reader->at - at;
	}
	return false;
}

void
pgv_statfile_rewind(PgvFileReader *reader)
{
	reader->at = 0;
	reader->next = 1;			/* behind the first record */
	reader->complete = false;
	reader->lost = reader->skipped = 0;
}

bool
pgv_statfile_open(PgvFileReader *reader, const char *data, Size len)
{
	PgvRecordHead head;
	const char *bytes;

	memset(reader, 0, sizeof(*reader));
	reader->data = data;
	reader->len = len;
	while (any_next(reader, &head, &bytes))
	{
		if ((head.tag != PGV_TAG_FIRST && head.tag != PGV_TAG_LAST) ||
			head.len != sizeof(reader->summary))
			continue;
		memcpy(&reader->summary, bytes, sizeof(reader->summary));
		if (reader->summary.format != PGV_FORMAT)
			continue;
		reader->stamp = head.stamp;
		pgv_statfile_rewind(reader);
		return true;
	}
	return false;
}

/* Does the record belong to this file, and here? */
static bool
is_due(const PgvFileReader *reader, const PgvRecordHead *head)
{
	if (head->stamp != reader->stamp || reader->complete)
		return false;
	return head->tag == PGV_TAG_FIRST ? head->number == 0 && reader->next == 1 :
		head->number >= reader->next;
}

bool
pgv_statfile_next(PgvFileReader *reader, PgvFileRecord *record)
{
	PgvRecordHead head;

	while (any_next(reader, &head, &record->data))
	{
		if (!is_due(reader, &head))
		{
			reader->skipped += sizeof(head) + head.len;
			continue;
		}
		if (head.tag == PGV_TAG_FIRST)
			continue;
		reader->lost += head.number - reader->next;
		reader->next = head.number + 1;
		reader->complete = (head.tag == PGV_TAG_LAST);
		if (reader->complete)
			continue;
		record->tag = head.tag;
		record->len = head.len;
		return true;
	}
	return false;
}
