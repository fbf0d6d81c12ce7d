/*-------------------------------------------------------------------------
 *
 * look.c
 *	  What is a process doing at this moment?
 *
 * Of each process three things are read, none under a lock:
 *
 *	PGPROC				the wait event (one word), database, role, and whose
 *						parallel worker it is
 *	PgBackendStatus		state, application, kind of process: under its change
 *						counter, as pg_stat_activity reads it
 *	collect/now			the statement and its phase: likewise
 *
 * They may be of slightly different moments: a statement can be charged with
 * the last instant of the one before it.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/wait_event.h"

#include "base/settings.h"
#include "base/sqltext.h"
#include "collect/now.h"
#include "collect/waits.h"
#include "watch/look.h"

#define PGV_STATUS_TRIES 20		/* to read what is being written */

/* Classes in which a background process waits for work. */
#define PGV_CLASS_ACTIVITY 0x05
#define PGV_CLASS_CLIENT 0x06

/* Where a process tells what it is doing, or NULL. */
static volatile PgBackendStatus *
status_place(const PgvSample *s)
{
	PgBackendStatus *statuses = pgv_now_statuses();
	PgBackendStatus *place;

	if (statuses == NULL)
		return NULL;
	place = PGV_STATUS_OF(statuses, s->procno, s->proc);

	for (int n = 0; place == NULL && PGV_STATUS_AUX(n) != 0; n++)
	{
		if (statuses[PGV_STATUS_AUX(n)].st_procpid == s->pid)
			place = &statuses[PGV_STATUS_AUX(n)];
	}
	return place;
}

static bool
read_status(PgvSample *s, volatile PgBackendStatus *place)
{
	PgvStatus  *status = &s->status;

	for (int tries = 0; tries < PGV_STATUS_TRIES; tries++)
	{
		int			before;
		int			after;
		int			pid;

		pgstat_begin_read_activity(place, before);
		pid = place->st_procpid;
		status->type = place->st_backendType;
		status->state = place->st_state;
		status->activity_start = place->st_activity_start_timestamp;
		status->xact_start = place->st_xact_start_timestamp;
		status->application[0] = '\0';
		if (place->st_appname != NULL)
			strlcpy(status->application, place->st_appname, NAMEDATALEN);
		pgstat_end_read_activity(place, after);
		if (pgstat_read_activity_complete(before, after))
			return pid == s->pid;
	}
	return false;
}

static inline bool
executes_statements(const PgvSample *s)
{
	return s->status.type == B_BACKEND || s->status.type == B_BG_WORKER;
}

/*
 * Is a session busy, or idle in a transaction, and what with?  Where the client
 * has sent something since the slot was written, it is not known yet what.
 */
static bool
judge_session(PgvSample *s)
{
	const PgvNowSlot *slot = &s->slot;
	uint8		at = s->has_slot ? slot->now.phase : PGV_PHASE_OTHER;
	bool		reads = (s->event == WAIT_EVENT_CLIENT_READ);

	s->phase = (PgvPhase) at;
	s->has_statement = true;
	if (at == PGV_PHASE_PLANNING || at == PGV_PHASE_EXECUTING || at == PGV_PHASE_COMMITTING)
		return true;
	switch (s->status.state)
	{
		case STATE_IDLEINTRANSACTION:
		case STATE_IDLEINTRANSACTION_ABORTED:
			s->phase = PGV_PHASE_IDLE;
			break;
		case STATE_RUNNING:
		case STATE_FASTPATH:
		case STATE_DISABLED:	/* track_activities is off */
			if (reads && !PGV_IN_TRANSACTION(s->proc))
				return false;
			s->phase = reads ? PGV_PHASE_IDLE : PGV_PHASE_OTHER;
			break;
		default:
			return false;
	}
	if (s->phase == PGV_PHASE_IDLE)
		s->has_statement = (at == PGV_PHASE_IDLE);
	else
		s->has_statement = s->has_slot && s->status.activity_start <= slot->ended;
	return true;
}

static bool
judge_background(PgvSample *s)
{
	s->phase = PGV_PHASE_BACKGROUND;
	s->has_statement = false;
	return PGV_WAIT_CLASS(s->event) != PGV_CLASS_ACTIVITY &&
		PGV_WAIT_CLASS(s->event) != PGV_CLASS_CLIENT;
}

/* A parallel worker is at what its leader is at. */
static void
read_slot(PgvSample *s)
{
	PGPROC	   *leader = *(PGPROC *volatile *) &s->proc->lockGroupLeader;
	int			procno = s->procno;
	int			pid = s->pid;

	s->parallel = (leader != NULL && leader != s->proc);
	if (s->parallel)
	{
		procno = (int) (leader - ProcGlobal->allProcs);
		pid = leader->pid;
	}
	s->slot_procno = procno;
	s->has_slot = procno >= 0 && procno < pgv_now_slots() &&
		pgv_now_read(procno, pid, &s->slot);
}

bool
pgv_look_at(PgvSample *s)
{
	volatile PgBackendStatus *place = status_place(s);

	memset(&s->status, 0, sizeof(s->status));
	s->has_slot = s->has_statement = s->parallel = false;
	s->phase = PGV_PHASE_OTHER;
	s->by_text = 0;
	s->event = *(volatile uint32 *) &s->proc->wait_event_info;
	if (place == NULL)
		return false;
	/* most sessions of most servers; what is read once more below, is so rightly */
	if (place->st_state == STATE_IDLE && s->event == WAIT_EVENT_CLIENT_READ)
		return false;
	if (!read_status(s, place))
	{
		/* the process has gone, and the place may be another's: nothing of it is ours */
		memset(&s->status, 0, sizeof(s->status));
		return false;
	}
	if (!executes_statements(s))
	{
		s->parallel = false;
		return judge_background(s);
	}
	read_slot(s);
	return judge_session(s);
}

/* Copy the text of the client's message; NULL if it is not whole or not the same. */
static char *
read_text(const PgvSample *s, int *len)
{
	volatile PgBackendStatus *place = status_place(s);
	Size		size = pgstat_track_activity_query_size;
	char	   *text = palloc(size);

	for (int tries = 0; place != NULL && tries < PGV_STATUS_TRIES; tries++)
	{
		int			before;
		int			after;
		bool		same;

		pgstat_begin_read_activity(place, before);
		memcpy(text, place->st_activity_raw, size);
		same = place->st_procpid == s->pid &&
			place->st_activity_start_timestamp == s->status.activity_start;
		pgstat_end_read_activity(place, after);
		if (!pgstat_read_activity_complete(before, after))
			continue;
		text[size - 1] = '\0';
		*len = (int) strlen(text);
		return same && *len < size - 1 ? text : NULL;
	}
	return NULL;
}

/* Normalise a message into dst, or only for the fingerprint; 0: it cannot be. */
static uint64
normalise_text(const char *text, int len, char *dst, int room, int *dst_len)
{
	PgvSqlNormal normal;
	int			start;
	int			length;
	int			next;
	int			next_length;

	if (memchr(text, '\\', len) != NULL ||
		!pgv_sqltext_first(text, len, true, &start, &length) ||
		pgv_sqltext_first(text + start + length, len - start - length, true, &next, &next_length))
		return 0;
	pgv_sqltext_normalise(text + start, length, true, dst, room, &normal);
	*dst_len = normal.len;
	return normal.fingerprint;
}

/* Is its statement one that only the text can tell? */
static bool
is_by_text(const PgvSample *s)
{
	if (s->parallel || s->status.state != STATE_RUNNING)
		return false;
	/* one of a crowd, left unknown: see collect/newcomers */
	if (s->has_statement)
		return s->slot.now.fingerprint == 0;
	return s->phase == PGV_PHASE_OTHER && PGV_WAIT_CLASS(s->event) == PGV_CLASS_LOCK;
}

void
pgv_look_at_text(PgvSample *s)
{
	char	   *text;
	int			len;

	if (!is_by_text(s))
		return;
	/* as far as can be told from here: are its statements looked at? */
	if (!pgv_enabled || pgv_track == PGV_TRACK_NONE || pgv_settings_ignores(s->status.application))
		return;
	text = read_text(s, &len);
	if (text != NULL)
		s->by_text = normalise_text(text, len, NULL, 0, &len);
}

char *
pgv_look_text(const PgvSample *s, uint64 fingerprint, int *len)
{
	int			text_len;
	char	   *text = s->parallel ? NULL : read_text(s, &text_len);
	int			room;
	char	   *normal;

	if (text == NULL)
		return NULL;
	/* a constant of one character takes several as a parameter */
	room = 2 * text_len + 64;
	normal = palloc(room);
	return normalise_text(text, text_len, normal, room, len) == fingerprint ? normal : NULL;
}

Oid
pgv_look_role(const PgvSample *s)
{
	if (s->phase == PGV_PHASE_BACKGROUND)
		return InvalidOid;
	return s->has_statement ? s->slot.now.userid : s->proc->roleId;
}

bool
pgv_look_next(PgvSample *s, int *procno)
{
	int			n = Min((int) ProcGlobal->allProcCount, pgv_now_slots());

	while (*procno < n)
	{
		s->procno = (*procno)++;
		s->proc = &ProcGlobal->allProcs[s->procno];
		s->pid = *(volatile int *) &s->proc->pid;
		if (s->pid != 0)
			return true;
	}
	return false;
}

const LOCKTAG *
pgv_look_row(const LockData *locks, int pid)
{
	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];

		if (lock->pid == pid && lock->holdMask != 0 &&
			lock->locktag.locktag_type == LOCKTAG_TUPLE)
			return &lock->locktag;
	}
	return NULL;
}
