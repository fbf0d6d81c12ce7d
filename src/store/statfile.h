/*-------------------------------------------------------------------------
 *
 * statfile.h
 *	  The form of the statistics file: records that are sealed one by one.
 *	  Pure: bytes in, records out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_STATFILE_H
#define PGV_STATFILE_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Tags of records that are no entries; those of kinds have the highest bit. */
#define PGV_TAG_FIRST	1		/* PgvFileSummary */
#define PGV_TAG_LAST	2		/* PgvFileSummary once more */
#define PGV_TAG_TEXT	3		/* PgvFileText and the bytes of the text */
#define PGV_TAG_KIND	((uint32) 1 << 31)

/* Stands before the bytes of every record. */
typedef struct PgvRecordHead
{
	uint32		marker;
	uint32		head_crc;		/* of what follows in the head */
	uint64		stamp;			/* of the file */
	uint32		tag;
	uint32		number;			/* 0, 1, 2, ... */
	uint32		len;
	uint32		data_crc;
} PgvRecordHead;

/* What concerns the file as a whole. */
typedef struct PgvFileSummary
{
	uint64		format;
	TimestampTz reset_time;
} PgvFileSummary;

typedef struct PgvFileText
{
	uint64		id;
	int64		encoding;
} PgvFileText;

/* A stretch of a record's bytes. */
typedef struct PgvFilePart
{
	const void *data;
	Size		len;
} PgvFilePart;

/* A sound record; its bytes have no alignment. */
typedef struct PgvFileRecord
{
	uint32		tag;
	Size		len;
	const char *data;
} PgvFileRecord;

/* A file in memory that is being read. */
typedef struct PgvFileReader
{
	const char *data;
	Size		len;
	Size		at;
	uint64		stamp;
	uint32		next;			/* number of the record that should follow */
	PgvFileSummary summary;
	/* once all has been read: */
	bool		complete;		/* has the last record come? */
	uint64		lost;			/* records that are known to be missing */
	uint64		skipped;		/* bytes that belong to no sound record */
} PgvFileReader;

/* The tag of a kind's entries: another name, version or size, another tag. */
extern uint32 pgv_statfile_tag(const char *name, uint32 version, Size key_size,
							   Size entry_size, Size tail_size);

/* A summary of a file in this format. */
extern void pgv_statfile_summary(PgvFileSummary *summary, TimestampTz reset_time);

/* The head of a record that is made of these parts. */
extern void pgv_statfile_seal(PgvRecordHead *head, uint64 stamp, uint32 number,
							  uint32 tag, const PgvFilePart *parts, int nparts);

/*
 * Begin to read.  Takes any bytes.  Returns false if there is no sound first
 * or last record in them: nothing of them can be believed.
 */
extern bool pgv_statfile_open(PgvFileReader *reader, const char *data, Size len);

/*
 * The next sound record of the file, in the order in which they were written,
 * none twice; first and last records are not shown.  Returns false at the end.
 */
extern bool pgv_statfile_next(PgvFileReader *reader, PgvFileRecord *record);

/* Begin anew. */
extern void pgv_statfile_rewind(PgvFileReader *reader);

#endif							/* PGV_STATFILE_H */
