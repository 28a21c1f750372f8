/* How the points of a sweep are dispatched to workers: threads of one process (sweep_run.c) or
 * ranks (dispatch_mpi.c). A worker asks for a run of points, computes it into its shard, and asks
 * again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SWEEP_DISPATCH_H
#define RC_SWEEP_DISPATCH_H
#include "sim/sweep/database.h"
#include "sim/sweep/ranks.h"

/* ---- pending_points.c ------------------------------------------------------------------------ */

typedef struct sweep_points {
    unsigned char *taken; /* a bit a point: stored or handed out; owned */
    int64_t count;
    int64_t present;  /* were stored when the run began */
    int64_t next;     /* where to look for the next one */
    int64_t left;     /* neither stored nor handed out */
    double per_point; /* s, of the last run that was told; 0: none yet */
} sweep_points;

/* `have` holds the rows that need not be computed; NULL: all are there. Free also after failure. */
rc_status sweep_points_init(sweep_points *p, int64_t count, const sweep_shard *have, rc_error *err);
void sweep_points_free(sweep_points *p);
/* The next run for one of so many workers; 0 when nothing is left. */
int64_t sweep_points_next(sweep_points *p, int workers, int64_t *first);
/* How long a run of `n` points took, from which the length of the next ones follows. */
void sweep_points_took(sweep_points *p, int64_t n, double seconds);

/* ---- sweep_run.c --------------------------------------------------------------------------- */

typedef struct sweep_job { /* of one worker */
    const rc_sweep *s;
    const rc_sweep_options *opt;
    int number; /* of its shard, or the next that is free */
    /* The next run, given that the last one's `done` points took so long; 0: no more. */
    int64_t (*next)(void *ctx, int64_t done, double took, int64_t *first);
    void (*between)(void *ctx); /* called before each point; NULL: nothing */
    void *ctx;
} sweep_job;

/* Work until there are no more runs. `own` is a shard to go on with, or NULL; it is closed, as is
 * one that was created here. *number: the shard with the rows, -1 when there is none. */
rc_status sweep_work(const sweep_job *j, sweep_shard *own, int *number, rc_error *err);

/* ---- dispatch_mpi.c -------------------------------------------------------------------------- */

typedef struct sweep_show { /* is told how many more rows are computed */
    void (*fn)(void *ctx, int64_t rows);
    void *ctx;
} sweep_show;

/* All ranks together. `points`, `own` and `show` are used on rank 0 only, which gets the numbers of
 * all ranks' shards in `numbers`. */
rc_status sweep_mpi_run(const rc_sweep *s, const rc_sweep_options *opt, const rc_ranks *ranks,
                        sweep_points *points, sweep_shard *own, int *numbers, sweep_show show,
                        rc_error *err);

#endif
