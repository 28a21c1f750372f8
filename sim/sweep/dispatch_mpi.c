/* A sweep over MPI ranks: rank 0 hands out runs of points, and every rank writes its own shard.
 *
 * A worker holds three orders, so that it never waits for its next run: it opens with three
 * reports, and each report is answered with one order, a run or a stop; after three stops it is
 * done. Rank 0 computes, too, and answers all that waits between two of its points; so two ranks do
 * the work of two. Which rank computes a point depends on timing, and the result does not.
 *
 * When something fails on a rank, its report says so, everybody is told to stop, and rank 0 tells
 * the words of the lowest rank that failed. A rank that is killed cannot be waited for: the
 * launcher ends the others (mpirun does, srun with --kill-on-bad-exit), whose shards stay for the
 * next start.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/dispatch.h"
#ifdef RC_HAVE_MPI
#include <mpi.h>
#include <time.h>

enum {
    TAG_REPORT = 1,
    TAG_ORDER = 2,
    AHEAD = 3,     /* orders that a worker holds, the one it works on among them */
    NAP_NS = 50000 /* between two looks for a message: little beside a run of 50 ms */
};

typedef struct order {
    int64_t first, count; /* count 0: stop */
} order;

typedef struct report {
    int64_t done; /* points of the run before */
    double took;  /* s */
    int64_t failed;
} report;

static void nap(void) {
    const struct timespec t = {.tv_nsec = NAP_NS};
    (void)nanosleep(&t, NULL);
}

/* ---- workers ------------------------------------------------------------------------------- */

typedef struct worker_state {
    bool begun;
    int stops;
} worker_state;

static void send_report(int64_t done, double took, bool failed) {
    const report r = {done, took, failed};
    (void)MPI_Send(&r, (int)sizeof r, MPI_BYTE, 0, TAG_REPORT, MPI_COMM_WORLD);
}

/* Not a blocking receive: most libraries burn a core while they wait, which others could use. */
static order receive_order(void) {
    int waiting = 0;
    order o;
    for (;;) {
        (void)MPI_Iprobe(0, TAG_ORDER, MPI_COMM_WORLD, &waiting, MPI_STATUS_IGNORE);
        if (waiting)
            break;
        nap();
    }
    (void)MPI_Recv(&o, (int)sizeof o, MPI_BYTE, 0, TAG_ORDER, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return o;
}

static int64_t next_order(void *ctx, int64_t done, double took, int64_t *first) {
    worker_state *h = ctx;
    for (int i = h->begun ? 1 : AHEAD; i > 0; i--)
        send_report(done, took, false);
    h->begun = true;
    while (h->stops < AHEAD) {
        order o = receive_order();
        *first = o.first;
        if (o.count > 0)
            return o.count;
        h->stops++;
    }
    return 0;
}

/* A rank that has failed answers the orders that it still holds, so that rank 0 waits for
 * nothing. */
static void drain_orders(worker_state *h) {
    for (int i = h->begun ? 1 : AHEAD; i > 0 && h->stops < AHEAD; i--)
        send_report(0, 0.0, true);
    while (h->stops < AHEAD) {
        if (receive_order().count == 0)
            h->stops++;
        else
            send_report(0, 0.0, true);
    }
}

static rc_status run_worker(sweep_job job, int *number, rc_error *err) {
    worker_state h = {0};
    job.next = next_order;
    job.ctx = &h;
    rc_status st = sweep_work(&job, NULL, number, err);
    if (st != RC_OK)
        drain_orders(&h);
    return st;
}

/* ---- rank 0 -------------------------------------------------------------------------------- */

typedef struct coordinator {
    sweep_points *points;
    sweep_show show;
    int ranks, stops; /* stops sent */
    bool failed;      /* some rank, so that no more is handed out */
} coordinator;

static int64_t next_run(coordinator *d, int64_t *first) {
    return d->failed ? 0 : sweep_points_next(d->points, d->ranks, first);
}

/* One waiting report, if there is one. */
static bool answer_one(coordinator *d) {
    MPI_Status from;
    report r;
    int waiting = 0;
    (void)MPI_Iprobe(MPI_ANY_SOURCE, TAG_REPORT, MPI_COMM_WORLD, &waiting, &from);
    if (!waiting)
        return false;
    (void)MPI_Recv(&r, (int)sizeof r, MPI_BYTE, from.MPI_SOURCE, TAG_REPORT, MPI_COMM_WORLD,
                   MPI_STATUS_IGNORE);
    d->failed = d->failed || r.failed;
    sweep_points_took(d->points, r.done, r.took);
    order o = {0};
    o.count = next_run(d, &o.first);
    d->stops += o.count == 0;
    (void)MPI_Send(&o, (int)sizeof o, MPI_BYTE, from.MPI_SOURCE, TAG_ORDER, MPI_COMM_WORLD);
    d->show.fn(d->show.ctx, r.done);
    return true;
}

static void answer_all(void *ctx) {
    while (answer_one(ctx)) {
    }
}

static void answer_until_stopped(coordinator *d) {
    while (d->stops < AHEAD * (d->ranks - 1))
        if (!answer_one(d))
            nap();
}

/* Its own times hold those of the answers, so they do not count for the length of runs. */
static int64_t next_own(void *ctx, int64_t done, double took, int64_t *first) {
    coordinator *d = ctx;
    (void)took;
    d->show.fn(d->show.ctx, done);
    int64_t n = next_run(d, first);
    if (n == 0)
        answer_until_stopped(d);
    return n;
}

static rc_status run_coordinator(sweep_job job, coordinator *d, sweep_shard *own, int *number,
                                 rc_error *err) {
    job.next = next_own;
    job.between = answer_all;
    job.ctx = d;
    rc_status st = sweep_work(&job, own, number, err);
    d->failed = d->failed || st != RC_OK;
    answer_until_stopped(d);
    return st;
}

rc_status sweep_mpi_run(const rc_sweep *s, const rc_sweep_options *opt, const rc_ranks *ranks,
                        sweep_points *points, sweep_shard *own, int *numbers, sweep_show show,
                        rc_error *err) {
    coordinator d = {.points = points, .show = show, .ranks = ranks->size};
    const sweep_job job = {.s = s, .opt = opt, .number = ranks->rank};
    int number = -1;
    rc_status st = ranks->rank == 0 ? run_coordinator(job, &d, own, &number, err)
                                    : run_worker(job, &number, err);
    RC_TRY(rc_ranks_agree(ranks, st, 0, err));
    rc_ranks_gather(ranks, number, numbers);
    return RC_OK;
}

#else

rc_status sweep_mpi_run(const rc_sweep *s, const rc_sweep_options *opt, const rc_ranks *ranks,
                        sweep_points *points, sweep_shard *own, int *numbers, sweep_show show,
                        rc_error *err) {
    (void)s;
    (void)opt;
    (void)ranks;
    (void)points;
    (void)own;
    (void)numbers;
    (void)show;
    return rc_fail(err, RC_E_INTERNAL, "built without MPI");
}

#endif
