/* P and T with a cache that forgets nothing: which leading blocks of a request were in one before.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/quantile.h"
#include "sim/trace/trace.h"

enum { FEW_MISSES = 20 }; /* T/(T+P) <= 1/20 is 5 %: at_most_5pct */

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* As rc_quantile, of whole numbers. */
static uint32_t whole_at(const uint32_t *v, double q, size_t n) {
    double place = q * (double)(n - 1);
    size_t i = (size_t)place, next = i + 1 < n ? i + 1 : i;
    double low = v[i], high = v[next];
    return (uint32_t)(low + (high - low) * (place - (double)i));
}

/* How many leading blocks of the request were seen before; marks all its blocks as seen. */
static uint64_t leading(const rc_trace *t, const rc_req *r, bool *seen) {
    uint64_t count = 0;
    bool open = true;
    for (uint32_t s = 0; s < r->spans; s++) {
        const rc_span *span = &t->spans[r->span + s];
        assert((uint64_t)span->first + span->count <= t->blocks);
        for (uint32_t k = 0; k < span->count; k++) {
            open = open && seen[span->first + k];
            count += open;
            seen[span->first + k] = true;
        }
    }
    return count;
}

typedef struct columns {
    uint32_t *input, *output;
    double *miss;
    bool *seen;
} columns;

static void sums(const rc_trace *t, const columns *c, uint32_t *prefix, rc_trace_stats *out) {
    size_t few = 0;
    rc_time first = RC_TIME_NEVER, last = 0;
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *r = &t->at[i];
        assert(r->input >= 1);
        uint64_t p = leading(t, r, c->seen) * t->block;
        if (r->prefix >= 0)
            p = (uint64_t)r->prefix;
        if (p > r->input - 1)
            p = r->input - 1;
        if (prefix)
            prefix[i] = (uint32_t)p;
        c->input[i] = r->input;
        c->output[i] = r->output;
        c->miss[i] = 1.0 - (double)p / r->input;
        few += (r->input - p) * FEW_MISSES <= r->input;
        out->input += r->input;
        out->output += r->output;
        out->cached += p;
        if (r->arrival != RC_NO_ARRIVAL) {
            first = r->arrival < first ? r->arrival : first;
            last = r->arrival > last ? r->arrival : last;
        }
    }
    out->at_most_5pct = (double)few / (double)t->count;
    out->miss_sum = (double)(out->input - out->cached) / (double)out->input;
    out->span_s =
        t->closed_loop || first == RC_TIME_NEVER ? 0.0 : (double)(last - first) / RC_PS_PER_S;
}

static void quantiles(const rc_trace *t, const columns *c, rc_trace_stats *out) {
    size_t n = t->count;
    qsort(c->input, n, sizeof *c->input, by_value);
    qsort(c->output, n, sizeof *c->output, by_value);
    rc_sort(c->miss, n);
    out->input_p50 = whole_at(c->input, 0.5, n);
    out->input_p90 = whole_at(c->input, 0.9, n);
    out->input_p99 = whole_at(c->input, 0.99, n);
    out->input_max = c->input[n - 1];
    out->output_p50 = whole_at(c->output, 0.5, n);
    out->output_p90 = whole_at(c->output, 0.9, n);
    out->output_p99 = whole_at(c->output, 0.99, n);
    out->output_max = c->output[n - 1];
    out->miss_p50 = rc_quantile(c->miss, n, 0.5);
    out->miss_p90 = rc_quantile(c->miss, n, 0.9);
}

rc_status rc_trace_statistics(const rc_trace *t, uint32_t *prefix, rc_trace_stats *out,
                              rc_error *err) {
    memset(out, 0, sizeof *out);
    out->requests = t->count;
    out->sessions = t->sessions;
    if (t->count == 0)
        return RC_OK;
    columns c = {malloc(t->count * sizeof *c.input), malloc(t->count * sizeof *c.output),
                 malloc(t->count * sizeof *c.miss), calloc((size_t)t->blocks + 1, sizeof *c.seen)};
    rc_status st = RC_OK;
    if (c.input && c.output && c.miss && c.seen) {
        sums(t, &c, prefix, out);
        quantiles(t, &c, out);
    } else {
        st = rc_fail(err, RC_E_NOMEM, "out of memory for statistics");
    }
    free(c.input);
    free(c.output);
    free(c.miss);
    free(c.seen);
    return st;
}
