/* A sweep over MPI ranks: rank 0 owns the database, hands out runs of points and takes rows.
 *
 * A worker keeps three orders in hand, so that it never waits for its next run: it opens with
 * three empty results, and each result it sends is answered with one run, or with a stop; after
 * three stops it is done. Rank 0 serves whoever writes first; while nobody does it evaluates points
 * itself, looking for messages between two points, so that two ranks do the work of two and a
 * thousand keep rank 0 at writing. Order of arrival decides nothing but who computes a point.
 *
 * When something fails, the rows in flight are still taken, everybody is told to stop, and the
 * first failure is what the run reports. A rank that dies takes the job with it (the launcher does
 * that): what was committed stays, and the next start computes the rest.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plan/sweep_internal.h"
#ifdef RC_HAVE_MPI
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAG_RESULT = 1, TAG_ORDER = 2, IN_HAND = 3, RUN_MOST = 256, NAP_NS = 50000 };
static const double RUN_S = 0.05;

typedef struct order {
    int64_t first, count; /* count 0: stop */
} order;

typedef struct result { /* travels as bytes, cut behind its last row */
    int64_t count;
    double took; /* s */
    rc_error error;
    rc_sweep_row rows[RUN_MOST];
} result;

static size_t result_size(const result *r) {
    return offsetof(result, rows) + (size_t)r->count * sizeof r->rows[0];
}

static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- workers ------------------------------------------------------------------------------- */

static void evaluate(rc_sweep_worker *w, const order *o, result *r) {
    double start = now_s();
    r->count = 0;
    memset(&r->error, 0, sizeof r->error);
    for (int64_t i = 0; i < o->count; i++) {
        if (rc_sweep_eval(w, o->first + i, &r->rows[i], &r->error) != RC_OK)
            break;
        r->count++;
    }
    r->took = now_s() - start;
}

static void send_result(const result *r) {
    (void)MPI_Send(r, (int)result_size(r), MPI_BYTE, 0, TAG_RESULT, MPI_COMM_WORLD);
}

/* Not a blocking receive: most libraries burn a core while they wait, which the others could use.
 */
static order next_order(void) {
    const struct timespec nap = {.tv_nsec = NAP_NS};
    int waiting = 0;
    order o;
    for (;;) {
        (void)MPI_Iprobe(0, TAG_ORDER, MPI_COMM_WORLD, &waiting, MPI_STATUS_IGNORE);
        if (waiting)
            break;
        (void)nanosleep(&nap, NULL);
    }
    (void)MPI_Recv(&o, (int)sizeof o, MPI_BYTE, 0, TAG_ORDER, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return o;
}

static rc_status obey(rc_sweep_worker *w, result *r) {
    rc_status st = RC_OK;
    r->count = 0;
    for (int i = 0; i < IN_HAND; i++)
        send_result(r);
    for (int stops = 0; stops < IN_HAND;) {
        order o = next_order();
        if (o.count == 0) {
            stops++;
            continue;
        }
        evaluate(w, &o, r);
        st = r->error.status != RC_OK ? r->error.status : st;
        send_result(r);
    }
    return st;
}

rc_status sweep_mpi_work(const rc_sweep *s, const rc_ranks *ranks, rc_error *err) {
    rc_sweep_worker *w = NULL;
    result *r = calloc(1, sizeof *r);
    rc_status st = r ? rc_sweep_worker_create(s, &w, err)
                     : rc_fail(err, RC_E_NOMEM, "out of memory for results");
    st = rc_ranks_agree(ranks, st, 0, err);
    if (st == RC_OK && r && w) {
        st = obey(w, r);
        if (st != RC_OK && err)
            memset(err, 0, sizeof *err); /* rank 0 says it */
    }
    rc_sweep_worker_free(w);
    free(r);
    return st;
}

/* ---- rank 0 -------------------------------------------------------------------------------- */

typedef struct desk {
    sweep_db *db;
    result *in, *own;
    rc_sweep_worker *w;
    int64_t own_next, own_end; /* points of its own run */
    double per_point;          /* s; 0: not known */
    int ranks, stops;          /* stops sent */
    rc_status status;
    rc_error error;
    void (*progress)(void *ctx, int64_t rows);
    void *ctx;
} desk;

static void fail(desk *d, rc_status st, const rc_error *why) {
    if (d->status != RC_OK)
        return;
    d->status = st;
    d->error = *why;
}

static int64_t next_run(desk *d, int64_t *first) {
    double fit = d->per_point > 0.0 ? RUN_S / d->per_point : 4.0;
    int64_t most = fit < RUN_MOST ? (int64_t)fit : RUN_MOST;
    int64_t share = sweep_db_left(d->db) / (4 * d->ranks) + 1;
    if (d->status != RC_OK)
        return 0;
    most = most < 1 ? 1 : most;
    return sweep_db_take(d->db, most < share ? most : share, first);
}

static void store(desk *d, const result *r) {
    rc_error why = {0};
    if (r->count > 0) {
        rc_status st = sweep_db_put(d->db, r->rows, r->count, &why);
        if (st != RC_OK)
            fail(d, st, &why);
        if (r->took > 0.0)
            d->per_point = r->took / (double)r->count;
        d->progress(d->ctx, r->count);
    }
    if (r->error.status != RC_OK)
        fail(d, r->error.status, &r->error);
}

/* One waiting message, if there is one. */
static bool serve_one(desk *d) {
    MPI_Status from;
    int waiting = 0;
    (void)MPI_Iprobe(MPI_ANY_SOURCE, TAG_RESULT, MPI_COMM_WORLD, &waiting, &from);
    if (!waiting)
        return false;
    (void)MPI_Recv(d->in, (int)sizeof *d->in, MPI_BYTE, from.MPI_SOURCE, TAG_RESULT, MPI_COMM_WORLD,
                   MPI_STATUS_IGNORE);
    order o = {0};
    o.count = next_run(d, &o.first); /* first the worker's, then the rows */
    d->stops += o.count == 0;
    (void)MPI_Send(&o, (int)sizeof o, MPI_BYTE, from.MPI_SOURCE, TAG_ORDER, MPI_COMM_WORLD);
    store(d, d->in);
    return true;
}

static void finish_own(desk *d, double took) {
    d->own->took = took;
    store(d, d->own);
    d->own->count = 0;
    d->own_next = d->own_end;
}

/* One point of its own run; false when there is none to be had. */
static bool compute_one(desk *d, double *took) {
    if (d->own_next == d->own_end) {
        int64_t first = 0, n = next_run(d, &first);
        if (n == 0)
            return false;
        d->own_next = first;
        d->own_end = first + n;
        *took = 0.0;
    }
    double start = now_s();
    result *r = d->own;
    if (rc_sweep_eval(d->w, d->own_next, &r->rows[r->count], &r->error) != RC_OK)
        d->own_end = d->own_next + 1;
    else
        r->count++;
    d->own_next++;
    *took += now_s() - start;
    if (d->own_next == d->own_end)
        finish_own(d, *took);
    return true;
}

static void run_desk(desk *d) {
    const struct timespec nap = {.tv_nsec = NAP_NS};
    double took = 0.0;
    for (;;) {
        bool busy = serve_one(d);
        if (!busy)
            busy = compute_one(d, &took);
        if (!busy && d->stops == IN_HAND * (d->ranks - 1))
            return;
        if (!busy)
            (void)nanosleep(&nap, NULL);
    }
}

rc_status sweep_mpi_serve(const rc_sweep *s, const rc_ranks *ranks, sweep_db *db,
                          void (*progress)(void *ctx, int64_t rows), void *ctx, rc_error *err) {
    desk d = {.db = db, .ranks = ranks->size, .progress = progress, .ctx = ctx};
    d.in = calloc(1, sizeof *d.in);
    d.own = calloc(1, sizeof *d.own);
    rc_status st = d.in && d.own ? rc_sweep_worker_create(s, &d.w, err)
                                 : rc_fail(err, RC_E_NOMEM, "out of memory for results");
    st = rc_ranks_agree(ranks, st, 0, err);
    if (st == RC_OK && d.in && d.own && d.w) {
        run_desk(&d);
        st = d.status;
        if (st != RC_OK && err)
            *err = d.error;
    }
    rc_sweep_worker_free(d.w);
    free(d.in);
    free(d.own);
    return st;
}

#else

rc_status sweep_mpi_serve(const rc_sweep *s, const rc_ranks *ranks, sweep_db *db,
                          void (*progress)(void *ctx, int64_t rows), void *ctx, rc_error *err) {
    (void)s;
    (void)ranks;
    (void)db;
    (void)progress;
    (void)ctx;
    return rc_fail(err, RC_E_INTERNAL, "built without MPI");
}

rc_status sweep_mpi_work(const rc_sweep *s, const rc_ranks *ranks, rc_error *err) {
    (void)s;
    (void)ranks;
    return rc_fail(err, RC_E_INTERNAL, "built without MPI");
}

#endif
