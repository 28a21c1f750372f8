/* Traces reshaped. SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/workload.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAYS ((double)RC_TRACE_MAX_DAYS * 86400.0 * RC_PS_PER_S)

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
}

static rc_status too_long(rc_error *err) {
    return rc_fail(err, RC_E_INPUT, "the trace would last more than %d days", RC_TRACE_MAX_DAYS);
}

/* ---- order ---------------------------------------------------------------------------- */

typedef struct place {
    rc_time arrival; /* RC_TIME_NEVER: none */
    uint32_t index;
} place;

static int by_arrival(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->arrival != y->arrival)
        return x->arrival < y->arrival ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static uint32_t moved(const uint32_t *to, uint32_t i) {
    return i == RC_NO_REQUEST ? RC_NO_REQUEST : to[i];
}

/* Requests `from[0..count)` in that order; others go. `to` maps old to new, RC_NO_REQUEST: gone. */
static rc_status permute(rc_trace *t, const place *from, size_t count, rc_error *err) {
    rc_req *at = malloc((count ? count : 1) * sizeof *at);
    uint32_t *to = malloc((t->count ? t->count : 1) * sizeof *to);
    if (!at || !to) {
        free(at);
        free(to);
        return no_memory(err);
    }
    memset(to, 0xFF, t->count * sizeof *to);
    for (size_t i = 0; i < count; i++)
        to[from[i].index] = (uint32_t)i;
    for (size_t i = 0; i < count; i++) {
        at[i] = t->at[from[i].index];
        at[i].after = moved(to, at[i].after);
        at[i].child = moved(to, at[i].child);
        at[i].sibling = moved(to, at[i].sibling);
    }
    free(to);
    free(t->at);
    t->at = at;
    t->count = count;
    return RC_OK;
}

rc_status rc_trace_sort_arrivals(rc_trace *t, rc_error *err) {
    place *p = malloc((t->count ? t->count : 1) * sizeof *p);
    if (!p)
        return no_memory(err);
    for (size_t i = 0; i < t->count; i++) {
        rc_time a = t->at[i].arrival;
        p[i] = (place){a == RC_NO_ARRIVAL ? RC_TIME_NEVER : a, (uint32_t)i};
    }
    qsort(p, t->count, sizeof *p, by_arrival);
    rc_status st = permute(t, p, t->count, err);
    free(p);
    return st;
}

/* ---- arrivals ------------------------------------------------------------------------- */

rc_status rc_trace_scale_rate(rc_trace *t, double scale, rc_error *err) {
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].arrival != RC_NO_ARRIVAL && (double)t->at[i].arrival / scale > DAYS)
            return too_long(err);
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].arrival != RC_NO_ARRIVAL)
            t->at[i].arrival = llround((double)t->at[i].arrival / scale);
    return RC_OK;
}

static rc_time smallest_gap(const rc_trace *t) {
    rc_time least = 0, before = RC_NO_ARRIVAL;
    for (size_t i = 0; i < t->count; i++) {
        rc_time a = t->at[i].arrival;
        if (a == RC_NO_ARRIVAL)
            continue;
        if (before != RC_NO_ARRIVAL && a > before && (least == 0 || a - before < least))
            least = a - before;
        before = a;
    }
    return least;
}

rc_status rc_trace_spread(rc_trace *t, rc_time step, uint64_t seed, rc_error *err) {
    rc_rng rng;
    rc_rng_seed(&rng, seed);
    if (step == 0)
        step = smallest_gap(t);
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].arrival != RC_NO_ARRIVAL)
            t->at[i].arrival += (rc_time)(rc_rng_uniform(&rng) * (double)step);
    return rc_trace_sort_arrivals(t, err);
}

static double gamma_shape_below_1(rc_rng *r, double shape);

/* Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; scale 1. */
static double gamma_draw(rc_rng *r, double shape) {
    if (shape < 1.0)
        return gamma_shape_below_1(r, shape);
    double d = shape - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double x = rc_rng_normal(r), v = 1.0 + c * x;
        if (v <= 0.0)
            continue;
        v = v * v * v;
        double u = 1.0 - rc_rng_uniform(r);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

static double gamma_shape_below_1(rc_rng *r, double shape) {
    double u = 1.0 - rc_rng_uniform(r);
    return gamma_draw(r, shape + 1.0) * pow(u, 1.0 / shape);
}

double rc_arrival_gap(const rc_arrival_process *p, rc_rng *r) {
    double mean = 1.0 / p->rate, shape;
    switch (p->kind) {
    case RC_ARRIVE_EVEN:
        return mean;
    case RC_ARRIVE_GAMMA:
        shape = 1.0 / (p->cv * p->cv);
        return gamma_draw(r, shape) / shape * mean;
    default:
        return rc_rng_exponential(r, mean);
    }
}

const char *const *rc_arrivals_names(void) {
    static const char *const names[] = {"poisson", "gamma", "even", NULL};
    return names;
}

static rc_status next_arrival(const rc_arrival_process *p, rc_rng *r, double *now, rc_time *out,
                              rc_error *err) {
    *now += rc_arrival_gap(p, r) * RC_PS_PER_S;
    if (!(*now < DAYS))
        return too_long(err);
    *out = llround(*now);
    return RC_OK;
}

rc_status rc_trace_redraw_arrivals(rc_trace *t, const rc_arrival_process *p, uint64_t seed,
                                   rc_error *err) {
    rc_rng rng;
    double now = 0.0;
    rc_rng_seed(&rng, seed);
    for (size_t i = 0; i < t->count; i++)
        RC_TRY(next_arrival(p, &rng, &now, &t->at[i].arrival, err));
    return RC_OK;
}

rc_status rc_trace_start_sessions(rc_trace *t, const rc_arrival_process *p, bool shuffle,
                                  uint64_t seed, rc_error *err) {
    rc_rng rng;
    double now = 0.0;
    size_t starts = 0;
    uint32_t *start = malloc((t->count ? t->count : 1) * sizeof *start);
    if (!start)
        return no_memory(err);
    rc_rng_seed(&rng, seed);
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].after == RC_NO_REQUEST)
            start[starts++] = (uint32_t)i;
    for (size_t i = starts; shuffle && i > 1; i--) {
        size_t k = rc_rng_below(&rng, i);
        uint32_t swap = start[i - 1];
        start[i - 1] = start[k];
        start[k] = swap;
    }
    rc_status st = RC_OK;
    for (size_t i = 0; i < starts && st == RC_OK; i++)
        st = next_arrival(p, &rng, &now, &t->at[start[i]].arrival, err);
    free(start);
    return st;
}

/* ---- size ----------------------------------------------------------------------------- */

rc_status rc_trace_window(rc_trace *t, rc_time from, rc_time to, rc_error *err) {
    place *p = malloc((t->count ? t->count : 1) * sizeof *p);
    bool *keep = malloc(t->count ? t->count : 1);
    size_t count = 0;
    if (!p || !keep) {
        free(p);
        free(keep);
        return no_memory(err);
    }
    for (size_t i = 0; i < t->count; i++) { /* a turn stays when the one before it does */
        const rc_req *q = &t->at[i];
        keep[i] =
            q->after != RC_NO_REQUEST ? keep[q->after] : q->arrival >= from && q->arrival < to;
        if (keep[i])
            p[count++] = (place){0, (uint32_t)i};
    }
    rc_status st = permute(t, p, count, err);
    for (size_t i = 0; st == RC_OK && i < t->count; i++)
        if (t->at[i].arrival != RC_NO_ARRIVAL)
            t->at[i].arrival -= from;
    free(p);
    free(keep);
    return st;
}

static rc_status cut(rc_trace *t, size_t n) {
    for (size_t i = 0; i < n; i++) {
        rc_req *q = &t->at[i];
        if (q->child != RC_NO_REQUEST && q->child >= n)
            q->child = RC_NO_REQUEST;
        if (q->sibling != RC_NO_REQUEST && q->sibling >= n)
            q->sibling = RC_NO_REQUEST;
    }
    t->count = n;
    return RC_OK;
}

static rc_time last_arrival(const rc_trace *t) {
    rc_time last = 0;
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].arrival != RC_NO_ARRIVAL && t->at[i].arrival > last)
            last = t->at[i].arrival;
    return last;
}

static uint32_t shifted(uint32_t index, size_t by) {
    return index == RC_NO_REQUEST ? index : index + (uint32_t)by;
}

static void copy_requests(rc_trace *t, size_t count, size_t spans, uint32_t k, rc_time period,
                          uint32_t blocks, uint32_t sessions) {
    size_t by = count * k;
    for (size_t i = 0; i < count; i++) {
        rc_req *q = &t->at[by + i];
        *q = t->at[i];
        q->span += (uint32_t)(spans * k);
        q->after = shifted(q->after, by);
        q->child = shifted(q->child, by);
        q->sibling = shifted(q->sibling, by);
        q->session += q->session == RC_NO_SESSION ? 0 : sessions * k;
        q->arrival += q->arrival == RC_NO_ARRIVAL ? 0 : period * (rc_time)k;
    }
    for (size_t i = 0; i < spans; i++)
        t->spans[spans * k + i] = (rc_span){t->spans[i].first + blocks * k, t->spans[i].count};
}

rc_status rc_trace_resize(rc_trace *t, size_t n, rc_error *err) {
    if (n <= t->count)
        return cut(t, n);
    size_t count = t->count, spans = t->span_count, copies = (n + count - 1) / count;
    rc_time last = last_arrival(t), period = last + last / (rc_time)count;
    if ((double)period * (double)copies > DAYS)
        return too_long(err);
    if ((double)t->blocks * (double)copies > UINT32_MAX / 2.0 || copies * count >= RC_NO_REQUEST ||
        (double)spans * (double)copies > UINT32_MAX)
        return rc_fail(err, RC_E_INPUT, "%zu requests: too many blocks", n);
    rc_req *at = realloc(t->at, copies * count * sizeof *at);
    if (!at)
        return no_memory(err);
    t->at = at;
    rc_span *more = realloc(t->spans, (copies * spans + 1) * sizeof *more);
    if (!more)
        return no_memory(err);
    t->spans = more;
    for (uint32_t k = 1; k < copies; k++)
        copy_requests(t, count, spans, k, period, t->blocks, t->sessions);
    t->count = copies * count;
    t->span_count = copies * spans;
    t->blocks *= (uint32_t)copies;
    t->sessions *= (uint32_t)copies;
    return cut(t, n);
}
