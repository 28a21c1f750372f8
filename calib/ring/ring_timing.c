/* Timing a stack of layers.
 *
 * One sample is one pass: the processes meet, a small collective aligns the GPUs, then come an
 * event, the pass, an event. The time of a pass is that of the slowest rank. Passes of RING_WARM_S
 * seconds go before and are not counted: the chip is then in its sustained state, as under a
 * server's load. (An H100 moves from one clock to another within some 100 ms of matrix products,
 * and a median taken across that move describes neither clock.) Sampling ends when the median's
 * 95 % interval is under 1 % of it, or after RING_CAP_S seconds or RING_MOST passes. Parts are
 * timed in passes of their own with events around each part, because the events would slow the
 * whole.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_timing.h"
#include "calib/stats.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    RING_WARM = 2,  /* passes before the samples, whatever they take: modules load, NCCL connects */
    RING_LEAST = 7, /* samples: six are the fewest with a 95 % interval of the median (stats.c) */
    RING_FEW = 3,   /* samples of passes that take RING_LONG_S or more */
    RING_MOST = 400,
    RING_PROFILED = 3 /* passes whose parts are averaged */
};
#define RING_LONG_S 0.2
#define RING_WARM_S 0.3  /* an H100's clock has settled after 0.1 s of products */
#define RING_LEAST_S 0.2 /* the driver's reading of the clock lags by 0.1 s */
#define RING_CAP_S 0.6   /* of samples: a case then costs about a second of GPU time */

static rc_status launch_pass(rc_ring_layers *b, cudaGraphExec_t graph, rc_error *err) {
    if (!graph)
        return rc_ring_pass(b, err);
    RC_CUDA(cudaGraphLaunch(graph, b->ranks->r[0].compute));
    return RC_OK;
}

/* NCCL connects at the first call of a kind, which is better not done inside a capture: one pass
 * goes before, launched op by op. The inputs are made anew afterwards. */
static rc_status connect_first(rc_ring_layers *b, rc_error *err) {
    if (b->ranks->virtual_ranks || b->ranks->procs->size == 1)
        return RC_OK;
    RC_TRY(rc_ring_pass(b, err));
    RC_TRY(rc_ring_synchronize(b->ranks, err));
    return rc_ring_layers_reset(b, err);
}

static rc_status capture(rc_ring_layers *b, cudaGraphExec_t *graph, rc_error *err) {
    *graph = NULL;
    if (!b->c.graph)
        return RC_OK;
    RC_TRY(connect_first(b, err));
    RC_TRY(rc_ring_capture_begin(b->ranks, err));
    rc_status st = rc_ring_pass(b, err);
    rc_status end = rc_ring_capture_end(b->ranks, graph, st == RC_OK ? err : NULL);
    return st == RC_OK ? end : st;
}

static rc_status check_pass(rc_ring_layers *b, rc_error *err) {
    cudaGraphExec_t graph = NULL;
    RC_TRY(rc_ring_layers_reset(b, err));
    rc_status st = capture(b, &graph, err);
    if (st == RC_OK)
        st = launch_pass(b, graph, err);
    if (st == RC_OK)
        st = rc_ring_synchronize(b->ranks, err);
    if (graph)
        (void)cudaGraphExecDestroy(graph);
    return st;
}

#define NOT_A_RESULT 1e9 /* an error that fails every check */

rc_status rc_ring_check(rc_ring_layers *b, rc_ring_errors *errors, rc_error *err) {
    b->layers = 1;
    rc_status st = check_pass(b, err);
    if (st == RC_OK)
        st = rc_ring_compare(b, errors, err);
    b->layers = b->c.layers;
    /* A rank that failed must not leave the others waiting in what follows. */
    RC_TRY(rc_group_agree(b->ranks->procs, st, err));
    /* NAN loses every comparison, so rc_group_max would drop it: make it a large number. */
    double a = isfinite(errors->attention) ? errors->attention : NOT_A_RESULT;
    double h = isfinite(errors->hidden) ? errors->hidden : NOT_A_RESULT;
    RC_TRY(rc_group_max(b->ranks->procs, &a, err));
    RC_TRY(rc_group_max(b->ranks->procs, &h, err));
    *errors = (rc_ring_errors){a, h};
    if (a > RC_RING_TOLERANCE || h > RC_RING_TOLERANCE)
        return rc_fail(err, RC_E_CHECK,
                       "case \"%s\": wrong result: attention off by %.3g, hidden state by %.3g (at "
                       "most %g): nothing is timed",
                       b->c.name, a, h, RC_RING_TOLERANCE);
    return RC_OK;
}

/* ---- whole passes ---------------------------------------------------------------------------- */

typedef struct pass_timer {
    cudaEvent_t start, stop;
    cudaGraphExec_t graph;
} pass_timer;

/* One timed pass. */
static rc_status time_pass(rc_ring_layers *b, pass_timer *k, double *seconds, rc_error *err) {
    cudaStream_t s = b->ranks->r[0].compute;
    float ms = 0;
    double meet = 0;
    RC_TRY(rc_group_max(b->ranks->procs, &meet, err));
    RC_TRY(rc_ring_barrier(b->ranks, err));
    RC_CUDA(cudaEventRecord(k->start, s));
    RC_TRY(launch_pass(b, k->graph, err));
    RC_CUDA(cudaEventRecord(k->stop, s));
    RC_TRY(rc_ring_synchronize(b->ranks, err));
    RC_CUDA(cudaEventElapsedTime(&ms, k->start, k->stop));
    *seconds = 1e-3 * (double)ms;
    return RC_OK;
}

static rc_status sample(rc_ring_layers *b, pass_timer *k, rc_ring_times *t, rc_error *err) {
    static double x[RC_RING_MAX_RANKS + 1][RING_MOST]; /* the last row: the slowest */
    double sorted[RING_MOST], all[RC_GROUP_MAX], spent = 0, mine = 0;
    int ranks = b->ranks->procs->size, n = 0;
    rc_health sum = {0, 0, 0, 0};
    for (int i = 0; i < RING_WARM || spent < RING_WARM_S; i++) {
        RC_TRY(time_pass(b, k, &mine, err));
        RC_TRY(rc_group_max(b->ranks->procs, &mine, err));
        spent += mine;
    }
    spent = 0;
    while (n < RING_MOST) {
        RC_TRY(time_pass(b, k, &mine, err));
        RC_TRY(rc_group_gather(b->ranks->procs, mine, all, err));
        x[ranks][n] = 0;
        for (int r = 0; r < ranks; r++) {
            x[r][n] = all[r];
            x[ranks][n] = all[r] > x[ranks][n] ? all[r] : x[ranks][n];
        }
        rc_health h = rc_nvml_read(b->ranks->gpu->nvml);
        sum.sm_mhz += h.sm_mhz, sum.power_w += h.power_w, sum.temp_c += h.temp_c;
        sum.throttle |= h.throttle;
        spent += x[ranks][n++];
        memcpy(sorted, x[ranks], (size_t)n * sizeof *sorted);
        rc_stats_sort(sorted, (size_t)n);
        bool sure = rc_stats_median_spread(sorted, (size_t)n) < RC_BENCH_SPREAD;
        int least = x[ranks][0] > RING_LONG_S ? RING_FEW : RING_LEAST;
        if (n >= least && spent > RING_LEAST_S && (sure || spent > RING_CAP_S))
            break;
    }
    for (int r = 0; r <= ranks; r++)
        rc_result_set(r < ranks ? &t->rank[r] : &t->whole, x[r], (size_t)n);
    t->whole.health = (rc_health){sum.sm_mhz / n, sum.power_w / n, sum.temp_c / n, sum.throttle};
    rc_health_drop_stale(&t->whole.health, spent);
    return RC_OK;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static bool of_a_step(rc_ring_part p) {
    return p == RC_RING_ATTENTION || p == RC_RING_SENDRECV;
}

/* Into part, or with `alone` into what each ring step's attention and message took. */
static rc_status sum_spans(rc_ring_layers *b, double *part, bool *seen, double (*alone)[2],
                           rc_error *err) {
    for (size_t i = 0; i < b->span_count; i++) {
        const rc_ring_span *m = &b->spans[i];
        float ms = 0;
        if (alone && !of_a_step(m->part))
            continue;
        RC_CUDA(cudaEventElapsedTime(&ms, m->start, m->stop));
        double mean = 1e-3 * (double)ms / RING_PROFILED;
        if (alone)
            alone[m->step][m->part == RC_RING_ATTENTION ? 0 : 1] += mean;
        else
            part[m->part] += mean, seen[m->part] = true;
    }
    return RC_OK;
}

/* One pass in a mode, launched op by op: events inside a graph cannot be read. */
static rc_status profiled_pass(rc_ring_layers *b, rc_ring_mode mode, rc_error *err) {
    double meet = 0;
    b->mode = mode;
    rc_status st = rc_group_max(b->ranks->procs, &meet, err);
    if (st == RC_OK)
        st = rc_ring_barrier(b->ranks, err);
    if (st == RC_OK)
        st = rc_ring_pass(b, err);
    if (st == RC_OK)
        st = rc_ring_synchronize(b->ranks, err);
    b->mode = RC_RING_WHOLE;
    return st;
}

/* Means of a few passes, whole ones and those of compute and of messages alone by turns, so that
 * all are taken at one clock. */
static rc_status profile_passes(rc_ring_layers *b, double *part, bool *seen, double (*alone)[2],
                                rc_error *err) {
    bool ring = b->c.cp > 1 && !b->ranks->virtual_ranks && b->c.schedule != RC_RING_ALL_GATHER;
    for (int i = -1; i < RING_PROFILED; i++)
        for (int mode = RC_RING_WHOLE; mode <= (ring ? RC_RING_MESSAGES : RC_RING_WHOLE); mode++) {
            RC_TRY(profiled_pass(b, (rc_ring_mode)mode, err));
            if (i >= 0)
                RC_TRY(sum_spans(b, part, seen, mode == RC_RING_WHOLE ? NULL : alone, err));
        }
    return RC_OK;
}

static rc_status profile(rc_ring_layers *b, rc_ring_times *t, rc_error *err) {
    double part[RC_RING_PARTS] = {0}, alone[RC_RING_MAX_RANKS][2] = {{0}}, all[RC_GROUP_MAX];
    bool seen[RC_RING_PARTS] = {false};
    b->profiling = true;
    rc_status st = profile_passes(b, part, seen, alone, err);
    b->profiling = false;
    RC_TRY(st);
    for (int p = 0; p < RC_RING_PARTS; p++) {
        RC_TRY(rc_group_gather(b->ranks->procs, seen[p] ? part[p] : (double)NAN, all, err));
        for (int r = 0; r < b->ranks->procs->size; r++)
            t->part[r][p] = all[r];
    }
    for (int j = 0; j < b->c.cp; j++)
        for (int k = 0; k < 2; k++) {
            RC_TRY(rc_group_gather(b->ranks->procs, alone[j][k], all, err));
            for (int r = 0; r < b->ranks->procs->size; r++)
                t->alone[r][j][k] = all[r];
        }
    return RC_OK;
}

rc_status rc_ring_profile_once(rc_ring_layers *b, rc_error *err) {
    b->profiling = true;
    rc_status st = profiled_pass(b, RC_RING_WHOLE, err);
    b->profiling = false;
    return st;
}

rc_status rc_ring_time(rc_ring_layers *b, rc_ring_times *t, rc_error *err) {
    assert(b->ranks->procs->size <= RC_RING_MAX_RANKS);
    pass_timer k = {NULL, NULL, NULL};
    if (b->ranks->virtual_ranks && b->ranks->local > 1)
        return rc_fail(err, RC_E_INTERNAL, "virtual ranks have no time");
    RC_CUDA(cudaEventCreate(&k.start));
    RC_CUDA(cudaEventCreate(&k.stop));
    rc_status st = rc_ring_layers_reset(b, err);
    if (st == RC_OK)
        st = capture(b, &k.graph, err);
    if (st == RC_OK)
        st = sample(b, &k, t, err);
    if (st == RC_OK)
        st = profile(b, t, err);
    if (k.graph)
        (void)cudaGraphExecDestroy(k.graph);
    (void)cudaEventDestroy(k.start);
    (void)cudaEventDestroy(k.stop);
    return st;
}
