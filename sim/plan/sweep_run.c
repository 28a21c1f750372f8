/* A sweep run: in one process on several threads, or spread over ranks.
 *
 * Each worker takes a run of points, evaluates it, and hands its rows to the one database under a
 * lock. Runs are kept to about 50 ms, so that little is lost to a kill and all workers end
 * together.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "sim/base/parallel.h"
#include "sim/base/progress.h"
#include "sim/plan/sweep_internal.h"

enum { RUN_MOST = 256, THREADS_MOST = 8 /* of rc_parallel */ };
static const double RUN_S = 0.05;

typedef struct crew {
    const rc_sweep *s;
    sweep_db *db;
    pthread_mutex_t lock;
    int workers;
    bool failed;
    double per_point; /* s, of the last run; 0: not known */
    int64_t done;
    rc_progress progress;
} crew;

static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t take(crew *c, int64_t *first) {
    (void)pthread_mutex_lock(&c->lock);
    double fit = c->per_point > 0.0 ? RUN_S / c->per_point : 8.0;
    int64_t most = fit < RUN_MOST ? (int64_t)fit : RUN_MOST;
    int64_t share = sweep_db_left(c->db) / (4 * c->workers) + 1;
    most = most < 1 ? 1 : most;
    int64_t n = c->failed ? 0 : sweep_db_take(c->db, most < share ? most : share, first);
    (void)pthread_mutex_unlock(&c->lock);
    return n;
}

static rc_status give(crew *c, const rc_sweep_row *rows, int64_t n, double took, rc_status st,
                      rc_error *err) {
    (void)pthread_mutex_lock(&c->lock);
    if (st == RC_OK && !c->failed)
        st = sweep_db_put(c->db, rows, n, err);
    c->failed = c->failed || st != RC_OK;
    c->per_point = took / (double)n;
    c->done += n;
    rc_progress_step(&c->progress, (size_t)c->done);
    (void)pthread_mutex_unlock(&c->lock);
    return st;
}

static rc_status work(crew *c, rc_sweep_worker *w, rc_sweep_row *rows, rc_error *err) {
    int64_t first, n;
    while ((n = take(c, &first)) > 0) {
        double start = now_s();
        rc_status st = RC_OK;
        for (int64_t i = 0; i < n && st == RC_OK; i++)
            st = rc_sweep_eval(w, first + i, &rows[i], err);
        RC_TRY(give(c, rows, n, now_s() - start, st, err));
    }
    return RC_OK;
}

static rc_status one_worker(void *ctx, size_t item, rc_error *err) {
    crew *c = ctx;
    rc_sweep_worker *w = NULL;
    (void)item;
    RC_TRY(rc_sweep_worker_create(c->s, &w, err));
    rc_sweep_row *rows = malloc(RUN_MOST * sizeof *rows);
    rc_status st = rows ? work(c, w, rows, err) : rc_fail(err, RC_E_NOMEM, "out of memory");
    free(rows);
    rc_sweep_worker_free(w);
    return st;
}

static void show(void *ctx, int64_t rows) {
    crew *c = ctx;
    c->done += rows;
    rc_progress_step(&c->progress, (size_t)c->done);
}

static rc_status run_here(crew *c, const rc_ranks *ranks, int threads, rc_error *err) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (ranks->size > 1)
        return sweep_mpi_serve(c->s, ranks, c->db, show, c, err);
    c->workers = threads > 0 ? threads : (int)(cores > 0 ? cores : 1);
    if (c->workers > THREADS_MOST)
        c->workers = THREADS_MOST;
    if (pthread_mutex_init(&c->lock, NULL) != 0)
        return rc_fail(err, RC_E_NOMEM, "cannot create a lock");
    rc_status st = rc_parallel((size_t)c->workers, c->workers, one_worker, c, err);
    (void)pthread_mutex_destroy(&c->lock);
    return st;
}

static rc_status run_first(const rc_sweep *s, const rc_ranks *ranks, sweep_db *db,
                           const rc_sweep_options *opt, rc_sweep_report *out, rc_error *err) {
    crew c = {.s = s, .db = db};
    double start = now_s();
    rc_progress_begin(&c.progress, rc_sweep_name(s), (size_t)sweep_db_left(db), opt->quiet);
    rc_status st = run_here(&c, ranks, opt->threads, err);
    rc_progress_end(&c.progress);
    double wall = now_s() - start;
    if (st != RC_OK) {
        (void)sweep_db_close(db, NULL, NULL);
        return st;
    }
    RC_TRY(sweep_db_close(db, out, err));
    out->wall = wall;
    return RC_OK;
}

rc_status rc_sweep_run(const rc_sweep *s, const rc_ranks *ranks, const rc_sweep_options *opt,
                       rc_sweep_report *out, rc_error *err) {
    sweep_db *db = NULL;
    *out = (rc_sweep_report){0};
    rc_status st = RC_OK;
    if (opt->plot && !s->has_plot)
        st = rc_fail(err, RC_E_INPUT, "sweep '%s' has no section 'plot' to draw by", s->name);
    if (st == RC_OK && ranks->rank == 0)
        st = sweep_db_open(s, opt, &db, err);
    st = rc_ranks_agree(ranks, st, (unsigned long long)s->hash, err);
    if (st != RC_OK) {
        (void)sweep_db_close(db, NULL, NULL);
        return st;
    }
    if (ranks->rank != 0)
        return sweep_mpi_work(s, ranks, err);
    RC_TRY(run_first(s, ranks, db, opt, out, err));
    return opt->plot ? rc_sweep_plot(s, opt->out, opt->plot, opt->overwrite, &out->drawn, err)
                     : RC_OK;
}
