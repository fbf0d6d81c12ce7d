/*-------------------------------------------------------------------------
 *
 * server.c
 *	  As much of the server as the store, the kinds and the reader and writer
 *	  of the statistics file need: memory, locks that are never contended, and
 *	  an account of texts.
 *
 * Sections of code that nothing refers to are not linked, nor, therefore, what
 * only they would need.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_crc32c.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "store/texts.h"

int			pgv_max_statements = 100;
int			pgv_max_plans = 100;

volatile sig_atomic_t InterruptPending = false;
MemoryContext CurrentMemoryContext = NULL;

/* ----- memory ----- */

static void *
have(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

void *
palloc(Size size)
{
	return have(malloc(size));
}

void *
palloc0(Size size)
{
	return have(calloc(1, size));
}

/*
 * What a scan copies to is large and asked for again and again: the C library
 * would have it from the system each time.
 */
#define KEPT	4
#define LARGE	65536

static struct
{
	void	   *place;
	Size		size;
	bool		used;
}			kept[KEPT];

void *
palloc_extended(Size size, int flags)
{
	for (int i = 0; size > LARGE && i < KEPT; i++)
	{
		if (kept[i].place == NULL)
		{
			kept[i].place = palloc(size);
			kept[i].size = size;
		}
		if (kept[i].size == size && !kept[i].used)
		{
			kept[i].used = true;
			return kept[i].place;
		}
	}
	return palloc(size);
}

void *
repalloc_huge(void *pointer, Size size)
{
	return have(realloc(pointer, size));
}

void
pfree(void *pointer)
{
	for (int i = 0; i < KEPT; i++)
	{
		if (kept[i].place == pointer)
		{
			kept[i].used = false;
			return;
		}
	}
	free(pointer);
}

/* What is not freed by itself is small, and the program ends soon. */
MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size minContextSize, Size initBlockSize,
							  Size maxBlockSize)
{
	return NULL;
}

void
MemoryContextDelete(MemoryContext context)
{
}

Size
add_size(Size a, Size b)
{
	return a + b;
}

Size
mul_size(Size a, Size b)
{
	return a * b;
}

/* ----- shared memory ----- */

void *
ShmemInitStruct(const char *name, Size size, bool *found)
{
	*found = false;
	/* what is not initialised shows */
	return memset(palloc(size), 0x7F, size);
}

LWLockPadded *
GetNamedLWLockTranche(const char *tranche_name)
{
	return palloc0(1024 * sizeof(LWLockPadded));
}

bool
LWLockAcquire(LWLock *lock, LWLockMode mode)
{
	return true;
}

bool
LWLockConditionalAcquire(LWLock *lock, LWLockMode mode)
{
	return true;
}

void
LWLockRelease(LWLock *lock)
{
}

/* ----- this and that ----- */

TimestampTz
GetCurrentTimestamp(void)
{
	return INT64CONST(800000000000000);
}

bool
pg_strong_random(void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8 *) buf)[i] = (uint8) pgv_unit_random(256);
	return true;
}

/* Another hash than the server's does as well. */
uint64
hash_bytes_extended(const unsigned char *k, int keylen, uint64 seed)
{
	uint64		hash = UINT64CONST(0xCBF29CE484222325) ^ seed;

	for (; keylen >= 8; k += 8, keylen -= 8)
	{
		uint64		word;

		memcpy(&word, k, 8);
		hash = (hash ^ word) * UINT64CONST(0x9E3779B97F4A7C15);
		hash ^= hash >> 29;
	}
	while (keylen-- > 0)
		hash = (hash ^ *k++) * UINT64CONST(0x100000001B3);
	return hash ^ (hash >> 32);
}

uint32
hash_bytes(const unsigned char *k, int keylen)
{
	return (uint32) hash_bytes_extended(k, keylen, 0);
}

void
pg_qsort(void *base, size_t nel, size_t elsize,
		 int (*cmp) (const void *, const void *))
{
	qsort(base, nel, elsize, cmp);
}

int
pg_snprintf(char *str, size_t count, const char *fmt,...)
{
	va_list		args;
	int			len;

	va_start(args, fmt);
	len = vsnprintf(str, count, fmt, args);
	va_end(args);
	return len;
}

static uint32 table[4][256];

static void
fill_table(void)
{
	for (int i = 0; i < 4 * 256; i++)
	{
		uint32		crc = i < 256 ? i : table[i / 256 - 1][i % 256];

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78 : 0);
		table[i / 256][i % 256] = crc;
	}
}

/* CRC-32C, four bytes at a time; whatever instruction the server would use. */
static pg_crc32c
crc32c(pg_crc32c crc, const void *data, size_t len)
{
	const uint8 *p = data;

	if (table[0][1] == 0)
		fill_table();
	for (; len >= 4; p += 4, len -= 4)
		crc = table[3][(crc ^ p[0]) & 0xFF] ^ table[2][((crc >> 8) ^ p[1]) & 0xFF] ^
			table[1][((crc >> 16) ^ p[2]) & 0xFF] ^ table[0][(crc >> 24) ^ p[3]];
	while (len-- > 0)
		crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xFF];
	return crc;
}

#if defined(USE_SSE42_CRC32C_WITH_RUNTIME_CHECK) || defined(USE_ARMV8_CRC32C_WITH_RUNTIME_CHECK)
pg_crc32c	(*pg_comp_crc32c) (pg_crc32c crc, const void *data, size_t len) = crc32c;
#else
#if defined(USE_ARMV8_CRC32C)
#define pg_comp_crc32c_any pg_comp_crc32c_armv8
#elif defined(USE_SSE42_CRC32C)
#define pg_comp_crc32c_any pg_comp_crc32c_sse42
#else
#define pg_comp_crc32c_any pg_comp_crc32c_sb8
#endif
pg_crc32c
pg_comp_crc32c_any(pg_crc32c crc, const void *data, size_t len)
{
	return crc32c(crc, data, len);
}
#endif

/*
 * What the server calls when something cannot be, or waits for somebody; "run"
 * gives it the names of those functions, whose types differ with versions.
 */
void
pgv_unit_cannot_happen(void)
{
	abort();
}

/* ----- texts ----- */

typedef struct Text
{
	uint64		id;
	int			refs;			/* 0: free */
	int			len;
	int			encoding;
	char	   *bytes;
} Text;

static Text texts[40];

static Text *
text_of(uint64 id)
{
	for (int i = 0; i < (int) lengthof(texts); i++)
	{
		if (texts[i].refs > 0 && texts[i].id == id)
			return &texts[i];
	}
	return NULL;
}

bool
pgv_texts_reference(uint64 id)
{
	Text	   *text = text_of(id);

	if (text != NULL)
		text->refs++;
	return text != NULL;
}

bool
pgv_texts_intern(uint64 id, const char *bytes, int len, int encoding)
{
	Text	   *text = texts;

	if (pgv_texts_reference(id))
		return true;
	while (text->refs > 0)
	{
		if (++text == texts + lengthof(texts))
			return false;
	}
	text->id = id;
	text->refs = 1;
	text->len = len;
	text->encoding = encoding;
	text->bytes = palloc(len + 1);
	memcpy(text->bytes, bytes, len);
	text->bytes[len] = '\0';
	return true;
}

void
pgv_texts_release(uint64 id)
{
	Text	   *text = text_of(id);

	if (text == NULL)
		abort();				/* given back more often than taken */
	if (--text->refs == 0)
		free(text->bytes);
}

char *
pgv_texts_copy_raw(uint64 id, int *len, int *encoding)
{
	Text	   *text = text_of(id);
	char	   *copy;

	if (text == NULL)
		return NULL;
	*len = text->len;
	*encoding = text->encoding;
	copy = palloc(text->len + 1);
	memcpy(copy, text->bytes, text->len + 1);
	return copy;
}

void
pgv_texts_stats(PgvTextsStats *stats)
{
	memset(stats, 0, sizeof(*stats));
	for (int i = 0; i < (int) lengthof(texts); i++)
	{
		stats->texts += texts[i].refs > 0;
		stats->bytes += texts[i].refs > 0 ? texts[i].len : 0;
	}
}
