/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The background worker: a latch loop that calls ticks when they are due.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_WORKER_H
#define PGV_WORKER_H

#include "postgres.h"

typedef struct PgvTick
{
	const char *name;
	int			(*interval_ms) (void);	/* 0 or less: not at all, for now */
	void		(*run) (void);	/* may raise: it rests for a while */
} PgvTick;

/*
 * Register the worker with its ticks, which must stay where they are.  From
 * _PG_init in the postmaster's start.
 */
extern void pgv_worker_register(const PgvTick *ticks, int n);

/* Its entry point. */
extern PGDLLEXPORT void pgv_worker_main(Datum arg);

#endif							/* PGV_WORKER_H */
