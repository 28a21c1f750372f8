/* A sweep run: what earlier runs left is taken over, and the rest is computed by threads of this
 * process or by ranks, each into a shard of its own. Then the shards are merged.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "sim/base/clock.h"
#include "sim/base/parallel.h"
#include "sim/base/process.h"
#include "sim/base/progress.h"
#include "sim/sweep/database.h"
#include "sim/sweep/dispatch.h"

/* ---- one worker ---------------------------------------------------------------------------- */

/* A worker that gets no point makes no file. */
static rc_status one_point(const sweep_job *j, rc_sweep_worker *w, int64_t point,
                           sweep_shard **shard, rc_error *err) {
    rc_sweep_row row;
    RC_TRY(rc_sweep_eval(w, point, &row, err));
    if (!*shard)
        RC_TRY(sweep_shard_create(j->s, j->opt, j->number, shard, err));
    return sweep_shard_put(*shard, rc_sweep_worker_at(w), &row, err);
}

static rc_status all_runs(const sweep_job *j, rc_sweep_worker *w, sweep_shard **shard,
                          rc_error *err) {
    int64_t first = 0, n = 0;
    double took = 0.0;
    while ((n = j->next(j->ctx, n, took, &first)) > 0) {
        double start = rc_clock_s();
        for (int64_t i = 0; i < n; i++) {
            if (j->between)
                j->between(j->ctx);
            RC_TRY(one_point(j, w, first + i, shard, err));
        }
        took = rc_clock_s() - start;
    }
    return RC_OK;
}

rc_status sweep_work(const sweep_job *j, sweep_shard *own, int *number, rc_error *err) {
    assert(j->next != NULL);
    rc_sweep_worker *w = NULL;
    sweep_shard *shard = own;
    rc_status st = rc_sweep_worker_create(j->s, &w, err);
    if (st == RC_OK)
        st = all_runs(j, w, &shard, err);
    rc_status closed = sweep_shard_close(shard, number, st == RC_OK ? err : NULL);
    rc_sweep_worker_free(w);
    return st != RC_OK ? st : closed;
}

/* ---- threads ------------------------------------------------------------------------------- */

typedef struct sweep_run {
    const rc_sweep *s;
    const rc_sweep_options *opt;
    sweep_points points;
    sweep_shard *own; /* the first worker's */
    int *numbers;     /* of each worker's shard; -1: it has none */
    int workers;
    pthread_mutex_t lock;
    bool failed;
    int64_t done;
    rc_progress progress;
} sweep_run;

static void show(void *ctx, int64_t rows) {
    sweep_run *c = ctx;
    c->done += rows;
    rc_progress_step(&c->progress, (size_t)c->done);
}

static int64_t next_run(void *ctx, int64_t done, double took, int64_t *first) {
    sweep_run *c = ctx;
    (void)pthread_mutex_lock(&c->lock);
    sweep_points_took(&c->points, done, took);
    show(c, done);
    int64_t n = c->failed ? 0 : sweep_points_next(&c->points, c->workers, first);
    (void)pthread_mutex_unlock(&c->lock);
    return n;
}

static rc_status one_thread(void *ctx, size_t item, rc_error *err) {
    sweep_run *c = ctx;
    const sweep_job job = {
        .s = c->s, .opt = c->opt, .number = (int)item, .next = next_run, .ctx = c};
    rc_status st = sweep_work(&job, item == 0 ? c->own : NULL, &c->numbers[item], err);
    (void)pthread_mutex_lock(&c->lock);
    c->failed = c->failed || st != RC_OK;
    (void)pthread_mutex_unlock(&c->lock);
    return st;
}

static rc_status run_threads(sweep_run *c, rc_error *err) {
    if (pthread_mutex_init(&c->lock, NULL) != 0)
        return rc_fail(err, RC_E_NOMEM, "cannot create a lock");
    rc_status st = rc_parallel((size_t)c->workers, c->workers, one_thread, c, err);
    (void)pthread_mutex_destroy(&c->lock);
    return st;
}

static int workers_of(const rc_ranks *ranks, int threads) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (ranks->size > 1)
        return ranks->size;
    int n = threads > 0 ? threads : (int)(cores > 0 ? cores : 1);
    return n < RC_PARALLEL_MAX ? n : RC_PARALLEL_MAX;
}

/* ---- the whole run ------------------------------------------------------------------------- */

static rc_status prepare(sweep_run *c, const rc_ranks *ranks, bool *complete, rc_sweep_report *out,
                         rc_error *err) {
    if (c->opt->plot)
        RC_TRY(rc_sweep_plot_check(c->s, c->opt->plot, c->opt->overwrite, err));
    c->numbers = malloc((size_t)c->workers * sizeof *c->numbers);
    if (!c->numbers)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a sweep");
    for (int i = 0; i < c->workers; i++)
        c->numbers[i] = -1;
    if (ranks->rank != 0)
        return RC_OK;
    RC_TRY(sweep_take_over(c->s, c->opt, complete, &c->own, &out->held, err));
    return sweep_points_init(&c->points, c->s->points, c->own, err);
}

/* Rows stay where they are when a signal ends the process, and the user is told so. */
static void leave_words(const sweep_run *c, const rc_ranks *ranks) {
    char words[512], who[48] = "";
    if (ranks->size > 1)
        (void)snprintf(who, sizeof who, "rank %d of %d: ", ranks->rank, ranks->size);
    (void)snprintf(words, sizeof words,
                   "%srows computed so far are kept in %.300s.shard-*; the same command goes on",
                   who, c->opt->out);
    rc_process_last_words("ringcast", words);
}

static rc_status compute(sweep_run *c, const rc_ranks *ranks, rc_error *err) {
    leave_words(c, ranks);
    rc_progress_begin(&c->progress, c->s->name, (size_t)c->points.left, c->opt->quiet);
    rc_status st = ranks->size == 1 ? run_threads(c, err)
                                    : sweep_mpi_run(c->s, c->opt, ranks, &c->points, c->own,
                                                    c->numbers, (sweep_show){show, c}, err);
    c->own = NULL; /* closed by its worker */
    rc_progress_end(&c->progress);
    return st;
}

/* Rank 0 alone. */
static rc_status finish(sweep_run *c, bool complete, rc_sweep_report *out, rc_error *err) {
    sweep_db d = {0};
    size_t n = 0;
    out->points = c->s->points;
    out->present = c->points.present;
    for (int i = 0; i < c->workers; i++)
        if (c->numbers[i] >= 0)
            c->numbers[n++] = c->numbers[i];
    if (!complete)
        return sweep_merge(c->s, c->opt, c->numbers, n, out, err);
    RC_TRY(sweep_db_open(&d, c->opt->out, err));
    rc_status st = sweep_count_rows(&d, out, err);
    sweep_db_close(&d);
    return st;
}

static rc_status run(sweep_run *c, const rc_ranks *ranks, rc_sweep_report *out, rc_error *err) {
    bool complete = false;
    rc_status st = prepare(c, ranks, &complete, out, err);
    RC_TRY(rc_ranks_agree(ranks, st, (unsigned long long)c->s->hash, err));
    double start = rc_clock_s();
    RC_TRY(compute(c, ranks, err));
    if (ranks->rank != 0)
        return RC_OK;
    RC_TRY(finish(c, complete, out, err));
    out->wall = rc_clock_s() - start;
    rc_process_last_words("ringcast", NULL);
    return c->opt->plot
               ? rc_sweep_plot(c->s, c->opt->out, c->opt->plot, c->opt->overwrite, &out->drawn, err)
               : RC_OK;
}

rc_status rc_sweep_run(const rc_sweep *s, const rc_ranks *ranks, const rc_sweep_options *opt,
                       rc_sweep_report *out, rc_error *err) {
    assert(opt->out != NULL);
    assert(ranks->rank >= 0 && ranks->rank < ranks->size);
    sweep_run c = {.s = s, .opt = opt, .workers = workers_of(ranks, opt->threads)};
    *out = (rc_sweep_report){0};
    rc_status st = run(&c, ranks, out, err);
    (void)sweep_shard_close(c.own, NULL, NULL);
    sweep_points_free(&c.points);
    free(c.numbers);
    return st;
}
