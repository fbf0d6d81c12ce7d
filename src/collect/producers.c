/*-------------------------------------------------------------------------
 *
 * producers.c
 *	  The recent results of this backend, found by the values in their rows.
 *
 * Private memory of a backend, allocated when it first sees a result of two
 * rows, about 62 kB:
 *
 *	 results[16]           cells of each: columns x rows of hashes
 *	+-----------------+   +---------------------------+
 *	| fingerprint ... |   | c0: h h h h h h ..        |    heads[hash] ->
 *	| columns         |   | c1: h h h h ..            |    cell -> next cell
 *	+-----------------+   +---------------------------+
 *
 * The index (heads and the "next" beside each hash) is filled when a value is
 * first looked for, so that a backend whose results are followed by no lookup
 * pays for none.  One-row results have a ring of their own, hashes only,
 * searched from end to end: they are kept only as links of a chain, when they
 * belong to a burst.
 *
 * The newest result of a statement takes the place of the older one, unless
 * both belong to the same burst.  Otherwise the one least recently linked to
 * gives way.  Nothing here raises an error: without memory nothing is
 * remembered.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/skey.h"
#include "access/stratnum.h"
#include "access/tupdesc.h"
#include "access/transam.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"
#include "nodes/primnodes.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/settings.h"
#include "collect/producers.h"
#include "collect/links.h"
#include "store/texts.h"

#define PGV_CELLS 512			/* of one result */
#define PGV_HEADS 2048			/* power of two */
#define PGV_SHAPES 64			/* power of two */

typedef struct PgvCells
{
	uint32		hash[PGV_CELLS];	/* 0: no value */
	uint16		next[PGV_CELLS];	/* reference of the next in the chain */
} PgvCells;

typedef struct PgvProducers
{
	uint64		clock;
	int			live;			/* results in use, singles included */
	PgvResult	results[PGV_RESULTS];
	PgvResult	singles[PGV_SINGLES];
	uint32		single_hash[PGV_SINGLES][PGV_RESULT_COLUMNS];
	int			next_single;
	PgvResult	plain[PGV_PLAIN_SINGLES];	/* not counted in live */
	uint32		plain_hash[PGV_PLAIN_SINGLES][PGV_RESULT_COLUMNS];
	int			next_plain;
	uint16		heads[PGV_HEADS];	/* references: 1 + result * CELLS + cell */
	PgvCells	cells[PGV_RESULTS];
} PgvProducers;

/* The shape of a statement's result, as last worked out. */
typedef struct PgvKnownShape
{
	uint64		queryid;
	int			natts;
	int			sample_rows;
	int			users;			/* executions that point to it: it is to stay */
	PgvShape	shape;
	Oid			declared[PGV_RESULT_COLUMNS];	/* types, domains as such */
} PgvKnownShape;

static PgvKnownShape shapes[PGV_SHAPES];	/* by queryid */
static const PgvShape no_shape;
static PGV_HOT_DATA PgvProducers *producers = NULL;
static uint64 next_serial = 1;

uint64
pgv_producers_tick(void)
{
	return next_serial++;
}

/* ----- shapes ----- */

/*
 * How much a column is worth remembering: keys first, then what comes from a
 * table, the usual types of keys more than texts, and amounts and times least.
 */
static int
column_worth(const TargetEntry *tle, PgvFamily family, bool ask_catalog)
{
	int			worth = 0;

	if (OidIsValid(tle->resorigtbl))
	{
		worth += 4;
		if (ask_catalog && pgv_is_key_column(tle->resorigtbl, tle->resorigcol))
			worth += 8;
	}
	if (family == PGV_FAMILY_INTEGER || family == PGV_FAMILY_UUID)
		worth += 2;
	else if (family != PGV_FAMILY_NUMERIC && family != PGV_FAMILY_TIMESTAMP)
		worth += 1;
	return worth;
}

/* Where a full shape can do without a column worth less; -1: nowhere. */
static int
least_worth(const int *worths, int n, int worth)
{
	int			least = -1;

	for (int i = 0; i < n; i++)
	{
		if (worths[i] < worth && (least < 0 || worths[i] <= worths[least]))
			least = i;
	}
	return least;
}

static void
shape_remove(PgvShape *shape, int *worths, int at)
{
	int			rest = --shape->ncolumns - at;

	memmove(&shape->resno[at], &shape->resno[at + 1], rest * sizeof(shape->resno[0]));
	memmove(&shape->type[at], &shape->type[at + 1], rest * sizeof(shape->type[0]));
	memmove(&shape->column[at], &shape->column[at + 1], rest * sizeof(shape->column[0]));
	memmove(&worths[at], &worths[at + 1], rest * sizeof(int));
}

static void
shape_add(PgvShape *shape, int *worths, const TargetEntry *tle, Oid type,
		  int max, bool ask_catalog)
{
	Oid			base = pgv_value_base_type(type);
	PgvFamily	family = pgv_value_family(base);
	int			worth = column_worth(tle, family, ask_catalog);
	int			n;

	if (family == PGV_FAMILY_NONE)
		return;
	if (shape->ncolumns >= max)
	{
		int			at = least_worth(worths, shape->ncolumns, worth);

		if (at < 0)
			return;
		shape_remove(shape, worths, at);
	}
	n = shape->ncolumns++;
	shape->resno[n] = tle->resno;
	shape->type[n] = base;
	shape->column[n].relid = tle->resorigtbl;
	shape->column[n].attno = tle->resorigcol;
	shape->column[n].family = (uint8) family;
	worths[n] = worth;
}

static void
make_shape(QueryDesc *query, PgvShape *shape)
{
	TupleDesc	desc = query->tupDesc;
	int			worths[PGV_RESULT_COLUMNS];
	int			max = Min(PGV_RESULT_COLUMNS,
						  PGV_CELLS / Max(pgv_n_plus_one_sample_rows, 1));
	ListCell   *lc;

	shape->ncolumns = 0;
	foreach(lc, query->plannedstmt->planTree->targetlist)
	{
		TargetEntry *tle = lfirst_node(TargetEntry, lc);

		if (tle->resjunk || tle->resno > desc->natts)
			continue;
		if (OidIsValid(tle->resorigtbl) && tle->resorigtbl < FirstNormalObjectId)
			continue;			/* catalogs feed no application */
		shape_add(shape, worths, tle,
				  TupleDescAttr(desc, tle->resno - 1)->atttypid,
				  Max(max, 1), desc->natts > max);
	}
}

/* Is a remembered shape still true of this query's result? */
static bool
shape_fits(const PgvKnownShape *known, uint64 queryid, TupleDesc desc)
{
	if (known->queryid != queryid || known->natts != desc->natts ||
		known->sample_rows != pgv_n_plus_one_sample_rows)
		return false;
	for (int i = 0; i < known->shape.ncolumns; i++)
	{
		if (TupleDescAttr(desc, known->shape.resno[i] - 1)->atttypid != known->declared[i])
			return false;
	}
	return true;
}

/* The place of a statement's shape, made true; NULL: it is another's, in use. */
static PgvKnownShape *
known_shape(QueryDesc *query, uint64 queryid)
{
	PgvKnownShape *known = &shapes[(queryid ^ (queryid >> 32)) & (PGV_SHAPES - 1)];

	if (queryid != 0 && shape_fits(known, queryid, query->tupDesc))
		return known;
	if (known->users > 0)
		return NULL;
	known->queryid = 0;
	make_shape(query, &known->shape);
	known->queryid = queryid;
	known->natts = query->tupDesc->natts;
	known->sample_rows = pgv_n_plus_one_sample_rows;
	for (int i = 0; i < known->shape.ncolumns; i++)
		known->declared[i] =
			TupleDescAttr(query->tupDesc, known->shape.resno[i] - 1)->atttypid;
	return known;
}

/* A shape of the query's own, that lives as long as it does. */
static const PgvShape *
own_shape(QueryDesc *query)
{
	PgvShape   *shape = MemoryContextAllocExtended(query->estate->es_query_cxt,
												   sizeof(PgvShape),
												   MCXT_ALLOC_NO_OOM);

	if (shape == NULL)
		return &no_shape;
	make_shape(query, shape);
	return shape;
}

void
pgv_shape_of(QueryDesc *query, uint64 queryid, PgvCapture *capture)
{
	capture->shape = &no_shape;
	if (query->tupDesc == NULL || query->tupDesc->natts == 0)
		return;
	capture->known = known_shape(query, queryid);
	if (capture->known == NULL)
	{
		capture->shape = own_shape(query);
		return;
	}
	capture->known->users++;
	capture->shape = &capture->known->shape;
}

/* Does the scan look for one value of each column of a unique index? */
static bool
is_unique_lookup(Relation index, ScanKey keys, int nkeys)
{
	if (index == NULL || !index->rd_index->indisunique ||
		!index->rd_index->indimmediate ||
		nkeys != index->rd_index->indnkeyatts)
		return false;
	for (int i = 0; i < nkeys; i++)
	{
		if (keys[i].sk_attno != i + 1 || keys[i].sk_flags != 0 ||
			keys[i].sk_strategy != BTEqualStrategyNumber)
			return false;
	}
	return true;
}

bool
pgv_is_lookup(QueryDesc *query)
{
	PlanState  *state = query->planstate;

	while (state != NULL && IsA(state, LimitState))
		state = outerPlanState(state);
	if (state == NULL)
		return false;
	if (IsA(state, IndexScanState))
	{
		IndexScanState *scan = (IndexScanState *) state;

		return is_unique_lookup(scan->iss_RelationDesc, scan->iss_ScanKeys,
								scan->iss_NumScanKeys);
	}
	if (IsA(state, IndexOnlyScanState))
	{
		IndexOnlyScanState *scan = (IndexOnlyScanState *) state;

		return is_unique_lookup(scan->ioss_RelationDesc, scan->ioss_ScanKeys,
								scan->ioss_NumScanKeys);
	}
	return false;
}

/* ----- the index ----- */

static inline uint16
reference(int result, int cell)
{
	return (uint16) (1 + result * PGV_CELLS + cell);
}

static inline uint16 *
head_of(uint32 hash)
{
	return &producers->heads[hash & (PGV_HEADS - 1)];
}

static inline bool
any_cell(uint32 hash)
{
	return hash != 0;
}

static void
index_cells(int result, int from_row)
{
	PgvResult  *r = &producers->results[result];
	PgvCells   *cells = &producers->cells[result];

	for (int c = 0; c < r->ncolumns; c++)
	{
		for (int row = from_row; row < r->sampled; row++)
		{
			int			cell = c * r->stride + row;
			uint16	   *head;

			if (!any_cell(cells->hash[cell]))
				continue;
			head = head_of(cells->hash[cell]);
			cells->next[cell] = *head;
			*head = reference(result, cell);
		}
	}
}

static void
index_result(int result)
{
	index_cells(result, 0);
	producers->results[result].indexed = true;
}

/* Take a result's cells out of the chains. */
static void
unindex_result(int result)
{
	PgvResult  *r = &producers->results[result];
	PgvCells   *cells = &producers->cells[result];

	if (!r->indexed)
		return;
	for (int cell = 0; cell < r->ncolumns * r->stride; cell++)
	{
		uint16	   *link;
		uint16		ref = reference(result, cell);

		if (cell % r->stride >= r->sampled || !any_cell(cells->hash[cell]))
			continue;
		for (link = head_of(cells->hash[cell]); *link != 0 && *link != ref;)
			link = &producers->cells[(*link - 1) / PGV_CELLS].next[(*link - 1) % PGV_CELLS];
		if (*link == ref)
			*link = cells->next[cell];
	}
	r->indexed = false;
}

/* ----- results ----- */

/* A result's reference to a text that nobody else keeps. */
static void
drop_text(PgvResult *r)
{
	if (r->holds_text)
		pgv_texts_release(r->fingerprint);
	r->holds_text = false;
}

static void
forget_result(int i)
{
	PgvResult  *r = &producers->results[i];

	if (r->serial == 0)
		return;
	unindex_result(i);
	drop_text(r);
	r->serial = 0;
	producers->live--;
}

/* Texts are shared: what this backend holds of them goes with it. */
static void
at_backend_exit(int code, Datum arg)
{
	pgv_producers_clear();
}

static bool
allocate_producers(void)
{
	if (likely(producers != NULL))
		return true;
	producers = MemoryContextAllocExtended(TopMemoryContext,
										   sizeof(PgvProducers),
										   MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
	if (producers == NULL)
		return false;
	before_shmem_exit(at_backend_exit, (Datum) 0);
	return true;
}

/* The slot for a new result: that of the same statement, a free one, the LRU. */
static int
choose_result(const PgvCapture *capture)
{
	int			best = 0;

	for (int i = 0; i < PGV_RESULTS; i++)
	{
		PgvResult  *r = &producers->results[i];

		if (r->serial != 0 && r->fingerprint == capture->fingerprint &&
			!r->growing && (r->burst == 0 || r->burst != capture->burst))
			return i;
		if (r->serial == 0)
		{
			if (producers->results[best].serial != 0)
				best = i;
		}
		else if (producers->results[best].serial != 0 &&
				 r->used < producers->results[best].used)
			best = i;
	}
	return best;
}

static void
describe_result(PgvResult *r, PgvCapture *capture)
{
	drop_text(r);
	r->holds_text = capture->holds_text;
	capture->holds_text = false;
	r->serial = capture->serial;
	r->fingerprint = capture->fingerprint;
	r->queryid = capture->queryid;
	r->rows = 0;
	r->used = ++producers->clock;
	r->burst = capture->burst;
	r->active = 0;
	r->sampled = 0;
	r->ncolumns = capture->shape->ncolumns;
	r->growing = capture->growing;
	r->indexed = false;
	memcpy(r->columns, capture->shape->column, sizeof(r->columns));
}

/* The second row has come, or will come: make it a result, the first row included. */
static void
begin_result(PgvCapture *capture)
{
	PgvResult  *r;
	int			i;

	if (!allocate_producers())
		return;
	i = choose_result(capture);
	forget_result(i);
	r = &producers->results[i];
	describe_result(r, capture);
	r->stride = Min(Max(capture->limit, 1), PGV_CELLS / Max(r->ncolumns, 1));
	for (int c = 0; c < r->ncolumns; c++)
		producers->cells[i].hash[c * r->stride] = capture->first[c];
	r->sampled = 1;
	producers->live++;
	capture->result = i;
}

/* The values of a row, as hashes; 0 for NULL and for what is not compared. */
static void
hash_row(PgvCapture *capture, TupleTableSlot *slot, uint32 *hashes)
{
	const PgvShape *shape = capture->shape;
	int			n = shape->ncolumns;

	slot_getsomeattrs(slot, shape->resno[n - 1]);
	for (int c = 0; c < n; c++)
	{
		int			att = shape->resno[c] - 1;
		uint32		hash = 0;

		if (!slot->tts_isnull[att] &&
			pgv_value_hash(shape->type[c], slot->tts_values[att], &hash) &&
			hash == 0)
			hash = 1;
		hashes[c] = hash;
	}
}

static void
keep_row(PgvCapture *capture, TupleTableSlot *slot)
{
	PgvResult  *r;
	PgvCells   *cells;
	uint32		hashes[PGV_RESULT_COLUMNS];

	if (capture->rows == 0)
	{
		hash_row(capture, slot, capture->first);
		return;
	}
	if (capture->rows == 1 && capture->result < 0)
		begin_result(capture);
	if (capture->result < 0)
		return;
	r = &producers->results[capture->result];
	if (r->serial != capture->serial || r->sampled >= r->stride)
		return;
	cells = &producers->cells[capture->result];
	hash_row(capture, slot, hashes);
	for (int c = 0; c < r->ncolumns; c++)
		cells->hash[c * r->stride + r->sampled] = hashes[c];
	r->sampled++;
	if (r->indexed)
		index_cells(capture->result, r->sampled - 1);
}

static void
sum_row(PgvCapture *capture, TupleTableSlot *slot)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;

	slot_getallattrs(slot);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (slot->tts_isnull[i])
			capture->checksum = pgv_bytes_mix(capture->checksum, "", 0);
		else
			capture->checksum = pgv_value_mix(capture->checksum,
											  slot->tts_values[i],
											  att->attlen, att->attbyval);
	}
}

/* ----- the receiver ----- */

static bool
capture_receive(TupleTableSlot *slot, DestReceiver *self)
{
	PgvCapture *capture = (PgvCapture *) self;

	if (capture->rows < (uint64) capture->limit)
	{
		if (capture->shape->ncolumns > 0)
			keep_row(capture, slot);
		if (capture->want_checksum)
			sum_row(capture, slot);
	}
	capture->rows++;
	return capture->inner->receiveSlot(slot, capture->inner);
}

static void
capture_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	PgvCapture *capture = (PgvCapture *) self;

	capture->inner->rStartup(capture->inner, operation, typeinfo);
}

static void
capture_shutdown(DestReceiver *self)
{
	PgvCapture *capture = (PgvCapture *) self;

	capture->inner->rShutdown(capture->inner);
}

static void
capture_destroy(DestReceiver *self)
{
	PgvCapture *capture = (PgvCapture *) self;

	capture->inner->rDestroy(capture->inner);
}

DestReceiver *
pgv_capture_begin(PgvCapture *capture, DestReceiver *inner, bool growing)
{
	if (capture->serial == 0)
	{
		capture->serial = pgv_producers_tick();
		capture->rows = 0;
		capture->checksum = 0;
		capture->result = -1;
		capture->limit = Min(pgv_n_plus_one_sample_rows, PGV_RESULT_MAX_ROWS);
	}
	capture->growing = growing;
	capture->inner = inner;
	capture->pub.receiveSlot = capture_receive;
	capture->pub.rStartup = capture_startup;
	capture->pub.rShutdown = capture_shutdown;
	capture->pub.rDestroy = capture_destroy;
	capture->pub.mydest = inner->mydest;
	return &capture->pub;
}

static void
fill_single(PgvResult *r, uint32 *hashes, PgvCapture *capture, TimestampTz now)
{
	describe_result(r, capture);
	r->rows = 1;
	r->sampled = 1;
	r->stride = 1;
	r->active = now;
	memcpy(hashes, capture->first, sizeof(capture->first));
}

/*
 * A one-row result: one of a burst is a link of a chain.  Another matters
 * only for having come after a result of several rows.
 */
static void
keep_single(PgvCapture *capture, TimestampTz now)
{
	int			i;

	if (capture->burst == 0)
	{
		if (!pgv_producers_any())
			return;
		i = producers->next_plain;
		producers->next_plain = (i + 1) % PGV_PLAIN_SINGLES;
		fill_single(&producers->plain[i], producers->plain_hash[i], capture, now);
		return;
	}
	if (!allocate_producers())
		return;
	i = producers->next_single;
	producers->next_single = (i + 1) % PGV_SINGLES;
	if (producers->singles[i].serial == 0)
		producers->live++;
	fill_single(&producers->singles[i], producers->single_hash[i], capture, now);
}

/* A reference to a text that no result took over. */
static void
release_text(PgvCapture *capture)
{
	if (capture->holds_text)
		pgv_texts_release(capture->fingerprint);
	capture->holds_text = false;
}

void
pgv_capture_grow(PgvCapture *capture)
{
	if (capture->rows == 1 && capture->result < 0 && capture->shape->ncolumns > 0)
		begin_result(capture);
}

void
pgv_capture_end(PgvCapture *capture, TimestampTz now)
{
	if (capture->result >= 0)
	{
		PgvResult  *r = &producers->results[capture->result];

		if (r->serial != capture->serial)
			return;
		r->rows = capture->rows;
		r->growing = capture->growing;
		r->active = now;
		return;
	}
	if (capture->rows == 1 && capture->shape->ncolumns > 0 && !capture->growing)
		keep_single(capture, now);
	if (!capture->growing)
		release_text(capture);
}

void
pgv_capture_over(PgvCapture *capture)
{
	if (capture->serial != 0 && capture->result >= 0 &&
		producers->results[capture->result].serial == capture->serial)
		producers->results[capture->result].growing = false;
	release_text(capture);
	if (capture->known != NULL)
		capture->known->users--;
	capture->known = NULL;
}

/* ----- looking up ----- */

bool
pgv_producers_any(void)
{
	return producers != NULL && producers->live > 0;
}

static int
find_in_singles(const PgvPredicate *predicate, PgvHit *hits, int max)
{
	int			n = 0;

	for (int i = 0; i < PGV_SINGLES && n < max; i++)
	{
		PgvResult  *r = &producers->singles[i];

		if (r->serial == 0)
			continue;
		for (int c = 0; c < r->ncolumns && n < max; c++)
		{
			if (producers->single_hash[i][c] != predicate->hash ||
				r->columns[c].family != predicate->family)
				continue;
			hits[n].result = PGV_RESULTS + i;
			hits[n].column = c;
			hits[n].row = 0;
			n++;
		}
	}
	return n;
}

static int
find_in_results(const PgvPredicate *predicate, PgvHit *hits, int max)
{
	uint16		ref;
	int			n = 0;

	for (int i = 0; i < PGV_RESULTS; i++)
	{
		if (producers->results[i].serial != 0 && !producers->results[i].indexed)
			index_result(i);
	}
	ref = *head_of(predicate->hash);
	while (ref != 0 && n < max)
	{
		int			result = (ref - 1) / PGV_CELLS;
		int			cell = (ref - 1) % PGV_CELLS;
		PgvResult  *r = &producers->results[result];
		PgvCells   *cells = &producers->cells[result];

		if (cells->hash[cell] == predicate->hash &&
			r->columns[cell / r->stride].family == predicate->family)
		{
			hits[n].result = result;
			hits[n].column = cell / r->stride;
			hits[n].row = cell % r->stride;
			n++;
		}
		ref = cells->next[cell];
	}
	return n;
}

int
pgv_producers_find(const PgvPredicate *predicate, PgvHit *hits, int max)
{
	PgvPredicate p = *predicate;
	int			n;

	if (!pgv_producers_any())
		return 0;
	if (p.hash == 0)
		p.hash = 1;
	n = find_in_results(&p, hits, max);
	return n + find_in_singles(&p, hits + n, max - n);
}

/* Does a plain single have the value where it would lead to the predicate? */
static bool
single_leads_to(int i, const PgvPredicate *predicate, const PgvColumn *column)
{
	PgvResult  *r = &producers->plain[i];

	for (int c = 0; c < r->ncolumns; c++)
	{
		const PgvColumn *own = &r->columns[c];

		if (producers->plain_hash[i][c] != predicate->hash ||
			own->family != predicate->family)
			continue;
		if ((OidIsValid(own->relid) && own->relid == column->relid &&
			 own->attno == column->attno) ||
			pgv_link_type(predicate->relid, predicate->attno,
						  own->relid, own->attno) >= PGV_LINK_SAME)
			return true;
	}
	return false;
}

bool
pgv_producers_absorbed(const PgvPredicate *predicate, const PgvColumn *column,
					   uint64 serial, uint64 fingerprint)
{
	for (int i = 0; i < PGV_PLAIN_SINGLES; i++)
	{
		PgvResult  *r = &producers->plain[i];

		if (r->serial > serial && r->fingerprint != fingerprint &&
			single_leads_to(i, predicate, column))
			return true;
	}
	return false;
}

void
pgv_producers_relabel(uint64 burst, uint64 new_burst)
{
	for (int i = 0; i < PGV_RESULTS; i++)
	{
		if (producers->results[i].burst == burst)
			producers->results[i].burst = new_burst;
	}
	for (int i = 0; i < PGV_SINGLES; i++)
	{
		if (producers->singles[i].burst == burst)
			producers->singles[i].burst = new_burst;
	}
}

PgvResult *
pgv_producers_result(int index)
{
	return index < PGV_RESULTS ? &producers->results[index] :
		&producers->singles[index - PGV_RESULTS];
}

const uint32 *
pgv_producers_column(const PgvResult *result, int column)
{
	int			i = (int) (result - producers->results);

	Assert(i >= 0 && i < PGV_RESULTS);
	return &producers->cells[i].hash[column * result->stride];
}

void
pgv_producers_touch(PgvResult *result, TimestampTz now)
{
	result->used = ++producers->clock;
	result->active = Max(result->active, now);
}

PgvResult *
pgv_producers_by_serial(uint64 serial)
{
	if (producers == NULL || serial == 0)
		return NULL;
	for (int i = 0; i < PGV_RESULTS; i++)
	{
		if (producers->results[i].serial == serial)
			return &producers->results[i];
	}
	for (int i = 0; i < PGV_SINGLES; i++)
	{
		if (producers->singles[i].serial == serial)
			return &producers->singles[i];
	}
	return NULL;
}

void
pgv_producers_clear(void)
{
	if (producers == NULL)
		return;
	for (int i = 0; i < PGV_RESULTS; i++)
	{
		drop_text(&producers->results[i]);
		producers->results[i].serial = 0;
		producers->results[i].indexed = false;
	}
	for (int i = 0; i < PGV_SINGLES; i++)
	{
		drop_text(&producers->singles[i]);
		producers->singles[i].serial = 0;
	}
	for (int i = 0; i < PGV_PLAIN_SINGLES; i++)
	{
		drop_text(&producers->plain[i]);
		producers->plain[i].serial = 0;
	}
	memset(producers->heads, 0, sizeof(producers->heads));
	producers->live = 0;
}
