/*-------------------------------------------------------------------------
 *
 * tell.c
 *	  Tell a session at once what it does: n_plus_one_action.
 *
 * The message names the statements by their normalised texts, so that it
 * holds no values, cut to what fits a line of a log.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "mb/pg_wchar.h"

#include "base/settings.h"
#include "collect/tell.h"
#include "store/texts.h"

#define PGV_MESSAGE_TEXT 300	/* bytes of a statement in a message */
#define PGV_ERRCODE MAKE_SQLSTATE('V', 'T', '0', '0', '1')

/* A statement's text for a message: its beginning, or what there is to say. */
static char *
text_for_message(uint64 fingerprint)
{
	char	   *text = pgv_texts_copy(fingerprint);

	if (text == NULL)
		return pstrdup("(text not kept)");
	if (strlen(text) > PGV_MESSAGE_TEXT)
	{
		text[pg_mbcliplen(text, strlen(text), PGV_MESSAGE_TEXT)] = '\0';
		return psprintf("%s ...", text);
	}
	return text;
}

static int
action_level(void)
{
	switch (pgv_n_plus_one_action)
	{
		case PGV_ACTION_LOG:
			return LOG_SERVER_ONLY;
		case PGV_ACTION_NOTICE:
			return NOTICE;
		case PGV_ACTION_WARNING:
			return WARNING;
		default:
			return ERROR;
	}
}

/* What is said before the statement: "N+1" for most kinds. */
static const char *
subject(PgvFindingKind kind)
{
	return kind == PGV_FINDING_N_PLUS_ONE ? "N+1" : pgv_finding_kind_name(kind);
}

/* What the parent has to do with it. */
static const char *
relation(PgvFindingKind kind)
{
	return kind == PGV_FINDING_SPI_LOOP ? "in a loop of" : "for rows of";
}

/* How it was repeated, where there is no parent. */
static const char *
manner(PgvFindingKind kind)
{
	switch (kind)
	{
		case PGV_FINDING_N_PLUS_ONE:
			return "with single values in one transaction";
		case PGV_FINDING_DUPLICATE:
			return "with the same parameters and the same result";
		case PGV_FINDING_WRITE:
			return "for single rows";
		case PGV_FINDING_WALK:
			return "with a value of its previous result";
		default:
			return "in a loop";
	}
}

static const char *
remedy(PgvFindingKind kind)
{
	switch (kind)
	{
		case PGV_FINDING_N_PLUS_ONE:
			return "Fetch the rows for all values in one statement.";
		case PGV_FINDING_DUPLICATE:
			return "Keep the result of the first time.";
		case PGV_FINDING_WRITE:
			return "Write all rows in one statement.";
		case PGV_FINDING_WALK:
			return "Fetch the whole path with one recursive query.";
		default:
			return "Join the tables in one statement.";
	}
}

void
pgv_tell(PgvFindingKind kind, uint64 fingerprint, int64 repeats,
		 uint64 parent_fingerprint)
{
	char	   *child;

	if (pgv_n_plus_one_action == PGV_ACTION_OFF)
		return;
	child = text_for_message(fingerprint);
	if (parent_fingerprint != 0)
		ereport(action_level(),
				(errcode(PGV_ERRCODE),
				 errmsg("%s: \"%s\" repeated " INT64_FORMAT " times %s \"%s\"",
						subject(kind), child, repeats, relation(kind),
						text_for_message(parent_fingerprint)),
				 errhint("%s", remedy(kind))));
	else
		ereport(action_level(),
				(errcode(PGV_ERRCODE),
				 errmsg("%s: \"%s\" repeated " INT64_FORMAT " times %s",
						subject(kind), child, repeats, manner(kind)),
				 errhint("%s", remedy(kind))));
}
