/* Sweeps: one forward pass at every point of a grid or of a Sobol sample, a row a point in SQLite.
 *
 * A sweep file is a scenario of `ringcast forward` in which any key may hold a list or a range;
 * keys and columns are in docs/planning.md. The scenario is read once; a point is then a handful of
 * numbers written over it, so that the passes, not the reading, set the speed.
 *
 * A database holds one sweep, known by a hash over everything its rows depend on: the resolved
 * scenario, the models, the machines, the calibration, the program. Threads, or the ranks that
 * mpirun or srun started (ranks.h), write shards of their own, which are merged when all points are
 * done: database.h tells how, and why a process killed at any moment costs no more than the rows of
 * a quarter of a second. The bytes of the database depend neither on the number of threads and
 * ranks nor on the order in which they finished nor on interruptions.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SWEEP_SWEEP_H
#define RC_SWEEP_SWEEP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "sim/base/doc.h"
#include "sim/base/error.h"
#include "sim/cost/cost.h"
#include "sim/forward/forward.h"
#include "sim/model/model.h"
#include "sim/sweep/ranks.h"

typedef struct rc_sweep rc_sweep;

/* Read a sweep, its models, machines and costs. `sets` as for a scenario ("tokens.new=[1K, 2K]");
 * `store` is a calibration database, NULL: the embedded one. The caller frees. */
rc_status rc_sweep_load(const char *path, const char *const *sets, size_t set_count,
                        const char *store, rc_sweep **out, rc_error *err);
/* The same on a document in memory, which is changed by it (tests, fuzzing). */
rc_status rc_sweep_read(rc_doc *doc, const char *const *sets, size_t set_count, const char *store,
                        rc_sweep **out, rc_error *err);
void rc_sweep_free(rc_sweep *s); /* NULL is fine */
const char *rc_sweep_name(const rc_sweep *s);
uint64_t rc_sweep_hash(const rc_sweep *s);
/* What its models, their types and the longest sequence give reason to say. Where an axis is of
 * types, they are those of its first point. */
void rc_sweep_notes(const rc_sweep *s, rc_notes *out);

typedef struct rc_sweep_options {
    const char *out;  /* the database; never NULL */
    bool overwrite;   /* replace a database of another sweep */
    bool quiet;       /* no progress */
    int threads;      /* within one process; 0: one a core. One a rank under MPI */
    int64_t batch;    /* rows a transaction, at most; 0: by time, about four a second */
    const char *plot; /* folder for the picture that the sweep describes; NULL: none */
} rc_sweep_options;

typedef struct rc_sweep_report {
    int64_t points, present; /* all; those that were in the database already */
    int64_t ok, nofit, refused;
    int held; /* shards that another process had locked: their rows were computed again */
    double rests[RC_BASIS_COUNT]; /* share of all points' time by what its costs rest on */
    double wall;                  /* s, of the points computed now and of the merge */
    bool drawn;                   /* the picture */
} rc_sweep_report;

/* Run what is missing. On other ranks than 0 the report is empty, and a failure has no words: rank
 * 0 has those of the lowest rank that failed. */
rc_status rc_sweep_run(const rc_sweep *s, const rc_ranks *ranks, const rc_sweep_options *opt,
                       rc_sweep_report *out, rc_error *err);

/* Before the work: has the file a `plot` section (else RC_E_INPUT), and may its picture be
 * written? */
rc_status rc_sweep_plot_check(const rc_sweep *s, const char *dir, bool overwrite, rc_error *err);
/* Draw the picture of the file's `plot` section from a database as DIR/NAME.png and .svg.
 * RC_E_INPUT when the file has none. */
rc_status rc_sweep_plot(const rc_sweep *s, const char *database, const char *dir, bool overwrite,
                        bool *drawn, rc_error *err);

/* All rows of a finished database, with a line of column names: docs/planning.md has them. */
rc_status rc_sweep_csv(const char *database, FILE *f, rc_error *err);

/* ---- one point ----------------------------------------------------------------------------- */
typedef struct rc_sweep_worker rc_sweep_worker; /* one per thread */
typedef enum rc_sweep_status { RC_SWEEP_OK, RC_SWEEP_NOFIT, RC_SWEEP_REFUSED } rc_sweep_status;

typedef struct rc_sweep_row {
    int64_t point, ticks;
    rc_sweep_status status;
    double time, flop_rate, mfu;                     /* s, FLOP/s of one GPU */
    double weights, kv, activations, buffers, total; /* bytes of one GPU; none when refused */
    double p5, p95, exposed, hidden;                 /* s; `detail: full` only */
    double critical[24];                             /* by part, s; `detail: full` only */
    double rests[RC_BASIS_COUNT]; /* share of a GPU's work, `detail: full`: of the critical path */
    char why[120];                /* "" when ok */
} rc_sweep_row;

rc_status rc_sweep_worker_create(const rc_sweep *s, rc_sweep_worker **out, rc_error *err);
void rc_sweep_worker_free(rc_sweep_worker *w); /* NULL is fine */
/* The point 0 .. of the sweep. One that cannot be simulated is a row that says why, not an
 * error. */
rc_status rc_sweep_eval(rc_sweep_worker *w, int64_t point, rc_sweep_row *out, rc_error *err);
/* Where the worker stands after rc_sweep_eval, as a pass: it borrows from the worker and holds until
 * the next point. */
rc_spec rc_sweep_pass(const rc_sweep_worker *w);

#endif
