/* What is judged: quantiles users feel, and the model's times of single passes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/beside/server_runs.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "sim/base/quantile.h"

const char *rc_beside_kind_name(rc_beside_kind k) {
    static const char *const names[] = {"prompt", "mixed", "decode"};
    assert((unsigned)k < RC_BESIDE_KINDS);
    return names[k];
}

rc_beside_kind rc_beside_kind_of(const rc_played_row *row) {
    if (row->prompts == 0)
        return RC_BESIDE_DECODES;
    return row->decodes == 0 ? RC_BESIDE_PROMPTS : RC_BESIDE_MIXED;
}

static const struct {
    const char *key, *name, *unit;
} metrics[] = {{"ttft_p50", "TTFT p50", "ms"},
               {"ttft_p95", "TTFT p95", "ms"},
               {"gap_p50", "mean gap p50", "ms"},
               {"gap_p95", "mean gap p95", "ms"},
               {"throughput", "throughput", "tokens/s"}};

const char *rc_beside_metric_key(rc_beside_metric m) {
    assert((unsigned)m < RC_BESIDE_METRICS);
    return metrics[m].key;
}

const char *rc_beside_metric_name(rc_beside_metric m) {
    return metrics[m].name;
}

const char *rc_beside_metric_unit(rc_beside_metric m) {
    return metrics[m].unit;
}

static double quantile_ms(const rc_beside_times *t, double q) {
    return t->count > 0 ? 1e3 * rc_quantile(t->at, t->count, q) : NAN;
}

double rc_beside_value(const rc_beside_run *r, rc_beside_way way, rc_beside_metric m) {
    const rc_beside_play *p = &r->play[way];
    if (m == RC_BESIDE_THROUGHPUT)
        return p->tokens_per_s;
    const bool first = m == RC_BESIDE_TTFT_P50 || m == RC_BESIDE_TTFT_P95;
    const bool half = m == RC_BESIDE_TTFT_P50 || m == RC_BESIDE_GAP_P50;
    return quantile_ms(first ? &p->ttft : &p->gap, half ? 0.5 : 0.95);
}

double rc_beside_error(const rc_beside_run *r, rc_beside_way way, rc_beside_metric m) {
    const double measured = rc_beside_value(r, RC_BESIDE_MEASURED, m);
    return measured > 0.0 ? 100.0 * (rc_beside_value(r, way, m) / measured - 1.0) : NAN;
}

/* ---- passes --------------------------------------------------------------------------------- */

rc_time rc_beside_gpu_time(const rc_played_row *row) {
    return row->took - row->host;
}

/* A pass whose time is the host's alone has no time on the GPU to be judged by. */
static void add_pass(const rc_beside_run *r, size_t i, double *errors, rc_beside_spread *out) {
    const double measured = (double)rc_beside_gpu_time(&r->log.at[i]);
    const double model = (double)r->costs[i].gpu;
    if (measured <= 0.0)
        return;
    errors[out->passes++] = 100.0 * fabs(model / measured - 1.0);
    out->measured_s += measured / RC_PS_PER_S;
    out->model_s += model / RC_PS_PER_S;
}

rc_status rc_beside_spread_of(const rc_beside_run *r, rc_beside_taker takes, const void *ctx,
                              rc_beside_spread *out, rc_error *err) {
    *out = (rc_beside_spread){.bias = NAN, .median = NAN, .p95 = NAN};
    double *errors = malloc((r->log.count + 1) * sizeof *errors);
    if (!errors)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu passes", r->log.count);
    for (size_t i = 0; i < r->log.count; i++)
        if (!takes || takes(&r->log.at[i], ctx))
            add_pass(r, i, errors, out);
    if (out->passes > 0) {
        rc_sort(errors, out->passes);
        out->bias = 100.0 * (out->model_s / out->measured_s - 1.0);
        out->median = rc_quantile(errors, out->passes, 0.5);
        out->p95 = rc_quantile(errors, out->passes, 0.95);
    }
    free(errors);
    return RC_OK;
}

static bool is_of_kind(const rc_played_row *row, const void *ctx) {
    return rc_beside_kind_of(row) == *(const rc_beside_kind *)ctx;
}

rc_status rc_beside_kind_spread(const rc_beside_run *r, rc_beside_kind k, rc_beside_spread *out,
                                rc_error *err) {
    return rc_beside_spread_of(r, is_of_kind, &k, out, err);
}

/* ---- all runs ------------------------------------------------------------------------------- */

rc_beside_summary rc_beside_summarise(const rc_beside_run *runs, size_t count, int set,
                                      rc_beside_way way, rc_beside_metric m) {
    rc_beside_summary s = {.runs = 0};
    for (size_t i = 0; i < count; i++) {
        const double error = fabs(rc_beside_error(&runs[i], way, m));
        if ((set >= 0 && (int)runs[i].set != set) || isnan(error))
            continue;
        s.runs++;
        s.mean += error;
        s.most = fmax(s.most, error);
    }
    s.mean = s.runs > 0 ? s.mean / (double)s.runs : NAN;
    s.most = s.runs > 0 ? s.most : NAN;
    return s;
}
