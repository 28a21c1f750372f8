/* The same scenario with several seeds, each run by itself on a thread.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/base/mix.h"
#include "sim/base/parallel.h"
#include "sim/serve/serve_report.h"

typedef struct work {
    const rc_serve *serve;
    const rc_costs *costs;
    double rate;
    uint64_t seed;
    bool exact;
    rc_serve_result *runs;
    rc_pass_store *store;
} work;

static rc_status one(void *ctx, size_t item, rc_error *err) {
    const work *w = ctx;
    rc_trace *trace = NULL;
    rc_serve_options o = {
        .costs = w->costs, .seed = w->seed + item, .exact = w->exact, .store = w->store};
    o.quiet = o.work = true;
    RC_TRY(rc_serve_workload(w->serve, o.seed, w->rate, &trace, err));
    rc_status st = rc_serve_run(w->serve, trace, &o, &w->runs[item], err);
    rc_trace_free(trace);
    return st;
}

/* Rates are means over the runs, weighted by their length. */
static void merge_rates(rc_replications *r) {
    rc_serve_result *a = r->all;
    double time = (double)a->makespan, mfu = 0.0, per_gpu = 0.0, l = 0.0, lw = 0.0;
    for (int i = 0; i < r->count; i++) {
        double w = (double)r->runs[i].makespan / time;
        mfu += w * r->runs[i].mfu;
        per_gpu += w * r->runs[i].tokens_per_gpu_s;
        l += w * r->runs[i].little_l;
        lw += w * r->runs[i].little_lw;
    }
    a->mfu = mfu;
    a->tokens_per_gpu_s = per_gpu;
    a->little_l = l;
    a->little_lw = lw;
    a->goodput = (double)a->within_slo / (time / RC_PS_PER_S);
    double tokens = (double)(a->tokens_in + a->tokens_out);
    a->cost_per_mtoken = tokens > 0.0 ? a->cost / (tokens / 1e6) : 0.0;
}

rc_status rc_replicate(const rc_serve *s, const rc_costs *costs, double rate, int count,
                       uint64_t seed, int threads, bool exact, rc_replications *out,
                       rc_error *err) {
    assert(count >= 1);
    *out = (rc_replications){.count = count};
    out->runs = calloc((size_t)count, sizeof *out->runs);
    out->all = malloc(sizeof *out->all);
    if (!out->runs || !out->all) {
        rc_replications_free(out);
        return rc_fail(err, RC_E_NOMEM, "out of memory for %d replications", count);
    }
    work w = {s, costs, rate, seed, exact, out->runs, NULL};
    rc_status st = rc_pass_store_create(&w.store, err);
    if (st == RC_OK)
        st = rc_parallel((size_t)count, threads, one, &w, err);
    rc_pass_store_destroy(w.store);
    if (st != RC_OK) {
        rc_replications_free(out);
        return st;
    }
    *out->all = out->runs[0];
    for (int i = 1; i < count; i++) {
        rc_serve_result_add(out->all, &out->runs[i]);
        out->all->makespan += out->runs[i].makespan;
        out->all->hash = rc_mix(out->all->hash, out->runs[i].hash);
    }
    merge_rates(out);
    return RC_OK;
}

void rc_replications_free(rc_replications *r) {
    free(r->runs);
    free(r->all);
    *r = (rc_replications){0};
}

/* Student's t at 97.5 %, 1 to 30 degrees of freedom; beyond, the normal's. */
static double student(int degrees) {
    static const double t[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                               2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                               2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                               2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
    return degrees < 1 ? NAN : degrees <= 30 ? t[degrees - 1] : 1.96;
}

void rc_replications_spread(const rc_replications *r, double (*of)(const rc_serve_result *),
                            double *mean, double *half) {
    double sum = 0.0, squares = 0.0;
    assert(r->count >= 1);
    for (int i = 0; i < r->count; i++)
        sum += of(&r->runs[i]);
    *mean = sum / r->count;
    for (int i = 0; i < r->count; i++)
        squares += (of(&r->runs[i]) - *mean) * (of(&r->runs[i]) - *mean);
    *half = student(r->count - 1) * sqrt(squares / (r->count - 1.0) / r->count);
}
