/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  Every setting of pg_vitals, as C variables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SETTINGS_H
#define PGV_SETTINGS_H

typedef enum PgvTrack
{
	PGV_TRACK_NONE,				/* no statements */
	PGV_TRACK_TOP,				/* what clients send */
	PGV_TRACK_ALL				/* also what functions run */
} PgvTrack;

typedef enum PgvAction
{
	PGV_ACTION_OFF,
	PGV_ACTION_LOG,
	PGV_ACTION_NOTICE,
	PGV_ACTION_WARNING,
	PGV_ACTION_ERROR
} PgvAction;

extern bool pgv_enabled;
extern int	pgv_track;
extern int	pgv_max_statements;
extern int	pgv_text_memory_kb;
extern bool pgv_track_plans;
extern int	pgv_max_plans;
extern bool pgv_n_plus_one;
extern int	pgv_n_plus_one_min_repeats;
extern int	pgv_n_plus_one_max_gap_ms;
extern int	pgv_n_plus_one_sample_rows;
extern int	pgv_n_plus_one_action;
extern bool pgv_n_plus_one_across_sessions;
extern int	pgv_persist_interval_s;
extern bool pgv_track_resources;
extern int	pgv_window_memory_kb;
extern double pgv_max_overhead;		/* percent; 0: no limit */
extern int	pgv_sample_interval_ms;
extern int	pgv_slow_threshold_ms;	/* -1: nothing is slow */
extern int	pgv_max_slow_statements;
extern bool pgv_slow_log;
extern bool pgv_slow_parameters;
extern bool pgv_count_rows;

/*
 * An execution that takes longer than this is looked at when it ends: whether it
 * is slow, whether its plan is captured, and whether its rows are to be counted
 * next time.  Follows from slow_threshold.
 */
extern double pgv_slow_look_ms;

/*
 * Define all settings, reserve the prefix "pg_vitals", and have the server
 * compute queryids if we are enabled.  To be called once,
 * from _PG_init, while the postmaster loads its preload libraries.
 */
extern void pgv_settings_define(void);

/* The parsed list of pg_vitals.ignore_applications; NULL when it is empty. */
extern const char *pgv_ignored_applications;

/* Does that list name this application?  Never raises. */
extern bool pgv_settings_names(const char *application);

static inline bool
pgv_settings_ignores(const char *application)
{
	return pgv_ignored_applications != NULL && pgv_settings_names(application);
}

#endif							/* PGV_SETTINGS_H */
