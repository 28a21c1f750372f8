/* Traces reshaped: other rates, other lengths, arrivals where the file has none.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/workload.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/links.h"

#define LONGEST ((double)RC_TRACE_MAX_DAYS * 86400.0 * RC_PS_PER_S)

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
}

static rc_status too_long(rc_error *err) {
    return rc_fail(err, RC_E_INPUT, "the trace would last more than %d days", RC_TRACE_MAX_DAYS);
}

static bool arrives(const rc_req *q) {
    return q->arrival != RC_NO_ARRIVAL;
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

rc_status rc_trace_sort_arrivals(rc_trace *t, rc_error *err) {
    place *p = malloc((t->count + 1) * sizeof *p);
    uint32_t *from = malloc((t->count + 1) * sizeof *from);
    rc_status st = RC_OK;
    bool sorted = true;
    if (p && from) {
        for (size_t i = 0; i < t->count; i++) {
            p[i] = (place){arrives(&t->at[i]) ? t->at[i].arrival : RC_TIME_NEVER, (uint32_t)i};
            sorted = sorted && (i == 0 || p[i - 1].arrival <= p[i].arrival);
        }
        if (!sorted)
            qsort(p, t->count, sizeof *p, by_arrival);
        for (size_t i = 0; i < t->count; i++)
            from[i] = p[i].index;
        if (!sorted)
            st = rc_trace_keep(t, from, t->count, err);
    } else {
        st = no_memory(err);
    }
    free(p);
    free(from);
    return st;
}

/* ---- arrivals that are there ---------------------------------------------------------- */

rc_status rc_trace_scale_rate(rc_trace *t, double scale, rc_error *err) {
    if (!(scale > 0.0) || isinf(scale))
        return rc_fail(err, RC_E_INPUT, "rates cannot be scaled by %g", scale);
    for (size_t i = 0; i < t->count; i++)
        if (arrives(&t->at[i]) && (double)t->at[i].arrival / scale > LONGEST)
            return too_long(err);
    for (size_t i = 0; i < t->count; i++)
        if (arrives(&t->at[i]))
            t->at[i].arrival = llround((double)t->at[i].arrival / scale);
    return RC_OK;
}

/* Of a trace in the order of arrival; 0 when all arrive at once. */
static rc_time smallest_gap(const rc_trace *t) {
    rc_time least = 0, before = RC_NO_ARRIVAL;
    for (size_t i = 0; i < t->count; i++) {
        rc_time a = t->at[i].arrival;
        if (!arrives(&t->at[i]))
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
    RC_TRY(rc_trace_sort_arrivals(t, err));
    if (step == 0)
        step = smallest_gap(t);
    if (step < 0)
        return rc_fail(err, RC_E_INPUT, "a step below zero");
    for (size_t i = 0; i < t->count; i++)
        if (arrives(&t->at[i]) && (double)t->at[i].arrival + (double)step > LONGEST)
            return too_long(err);
    for (size_t i = 0; i < t->count; i++)
        if (arrives(&t->at[i]))
            t->at[i].arrival += (rc_time)(rc_rng_uniform(&rng) * (double)step);
    return rc_trace_sort_arrivals(t, err);
}

/* ---- arrivals by a process ------------------------------------------------------------ */

/* Take all of `arrival` when everything went well, else nothing: a trace is never half changed. */
static rc_status take_arrivals(rc_trace *t, rc_time *arrival, rc_status st) {
    for (size_t i = 0; st == RC_OK && i < t->count; i++)
        t->at[i].arrival = arrival[i];
    free(arrival);
    return st;
}

static rc_status copy_arrivals(const rc_trace *t, rc_time **out, rc_error *err) {
    *out = malloc((t->count + 1) * sizeof **out);
    if (!*out)
        return no_memory(err);
    for (size_t i = 0; i < t->count; i++)
        (*out)[i] = t->at[i].arrival;
    return RC_OK;
}

/* *now, in ps, moves on by one gap. */
static rc_status next_arrival(const rc_arrival_process *p, rc_rng *r, double *now, rc_time *out,
                              rc_error *err) {
    *now += rc_arrival_gap(p, r) * RC_PS_PER_S;
    if (!(*now < LONGEST))
        return too_long(err);
    *out = llround(*now);
    return RC_OK;
}

rc_status rc_trace_redraw_arrivals(rc_trace *t, const rc_arrival_process *p, uint64_t seed,
                                   rc_error *err) {
    rc_rng rng;
    double now = 0.0;
    rc_time *arrival = NULL;
    RC_TRY(rc_arrivals_check(p, err));
    if (t->closed_loop)
        return rc_fail(err, RC_E_INPUT,
                       "turns of sessions come after replies: only sessions can be drawn");
    rc_rng_seed(&rng, seed);
    RC_TRY(copy_arrivals(t, &arrival, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < t->count && st == RC_OK; i++)
        st = next_arrival(p, &rng, &now, &arrival[i], err);
    return take_arrivals(t, arrival, st);
}

rc_status rc_trace_clients(rc_trace *t, uint32_t clients, rc_error *err) {
    assert(clients >= 1);
    if (t->closed_loop)
        return rc_fail(
            err, RC_E_INPUT,
            "turns of sessions wait for replies already: they are not dealt out to clients");
    for (size_t i = 0; i < t->count; i++) {
        t->at[i].arrival = i < clients ? 0 : RC_NO_ARRIVAL;
        t->at[i].after = i < clients ? RC_NO_REQUEST : (uint32_t)(i - clients);
        t->at[i].think = 0;
    }
    rc_trace_link(t);
    return RC_OK;
}

/* The first request without `after` of every session, and every one of no session, in the order of
 * the array; `owner` of each request: which of them it follows. */
static size_t find_starts(const rc_trace *t, uint32_t *of_session, uint32_t *start) {
    size_t n = 0;
    memset(of_session, 0xFF, ((size_t)t->sessions + 1) * sizeof *of_session);
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *q = &t->at[i];
        if (q->after != RC_NO_REQUEST)
            continue;
        if (q->session != RC_NO_SESSION) {
            if (of_session[q->session] != UINT32_MAX)
                continue;
            of_session[q->session] = (uint32_t)i;
        }
        start[n++] = (uint32_t)i;
    }
    return n;
}

static void shuffled(uint32_t *v, size_t n, rc_rng *r) {
    for (size_t i = n; i > 1; i--) {
        size_t k = rc_rng_below(r, i);
        uint32_t swap = v[i - 1];
        v[i - 1] = v[k];
        v[k] = swap;
    }
}

static rc_status follow(const rc_trace *t, const uint32_t *of_session, rc_time *arrival,
                        rc_error *err) {
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *q = &t->at[i];
        uint32_t first = q->session == RC_NO_SESSION ? (uint32_t)i : of_session[q->session];
        if (q->after != RC_NO_REQUEST || first == i)
            continue;
        double from = arrives(q) && arrives(&t->at[first])
                          ? (double)q->arrival - (double)t->at[first].arrival
                          : 0.0;
        double to = (double)arrival[first] + fmax(from, 0.0);
        if (!(to < LONGEST))
            return too_long(err);
        arrival[i] = llround(to);
    }
    return RC_OK;
}

rc_status rc_trace_start_sessions(rc_trace *t, const rc_arrival_process *p, bool shuffle,
                                  uint64_t seed, rc_error *err) {
    rc_rng rng, order;
    double now = 0.0;
    RC_TRY(rc_arrivals_check(p, err));
    uint32_t *start = malloc((t->count + 1) * sizeof *start);
    uint32_t *of_session = malloc(((size_t)t->sessions + 1) * sizeof *of_session);
    rc_time *arrival = NULL;
    rc_status st = start && of_session ? copy_arrivals(t, &arrival, err) : no_memory(err);
    if (st == RC_OK) {
        size_t starts = find_starts(t, of_session, start);
        rc_rng_seed(&rng, seed);
        rc_rng_seed(&order, seed ^ UINT64_C(0x5EED0FD1CE));
        if (shuffle)
            shuffled(start, starts, &order);
        for (size_t i = 0; i < starts && st == RC_OK; i++)
            st = next_arrival(p, &rng, &now, &arrival[start[i]], err);
        if (st == RC_OK)
            st = follow(t, of_session, arrival, err);
        st = take_arrivals(t, arrival, st);
    }
    free(start);
    free(of_session);
    rc_trace_link(t);
    return st;
}

/* ---- size ----------------------------------------------------------------------------- */

/* The request that decides when `i` comes: itself, or the first of its session. */
static uint32_t decider(const rc_trace *t, const uint32_t *of_session, uint32_t i) {
    uint32_t k = t->at[i].session;
    return k == RC_NO_SESSION || of_session[k] == UINT32_MAX ? i : of_session[k];
}

static void first_of_sessions(const rc_trace *t, uint32_t *of_session) {
    memset(of_session, 0xFF, ((size_t)t->sessions + 1) * sizeof *of_session);
    for (size_t i = t->count; i-- > 0;)
        if (t->at[i].session != RC_NO_SESSION)
            of_session[t->at[i].session] = (uint32_t)i;
}

/* The first n requests by session: whole sessions in the order of their first requests, the last
 * one cut. The kept ones stay in the order of the array. */
static rc_status cut_sessions(rc_trace *t, size_t n, rc_error *err) {
    assert(n < t->count);
    uint32_t *keep = malloc((n + 1) * sizeof *keep);
    uint32_t *of_session = malloc(((size_t)t->sessions + 1) * sizeof *of_session);
    uint32_t *size = calloc(t->count + 1, sizeof *size); /* by decider; then: requests to keep */
    rc_status st = keep && of_session && size ? RC_OK : no_memory(err);
    if (st == RC_OK) {
        size_t left = n, count = 0;
        first_of_sessions(t, of_session);
        for (size_t i = 0; i < t->count; i++)
            size[decider(t, of_session, (uint32_t)i)]++;
        for (size_t i = 0; i < t->count; i++) {
            size[i] = size[i] < left ? size[i] : (uint32_t)left;
            left -= size[i];
        }
        for (size_t i = 0; i < t->count; i++) {
            uint32_t *room = &size[decider(t, of_session, (uint32_t)i)];
            if (*room > 0) {
                keep[count++] = (uint32_t)i;
                --*room;
            }
        }
        st = rc_trace_keep(t, keep, count, err);
    }
    free(keep);
    free(of_session);
    free(size);
    return st;
}

/* ps from the first arrival of a copy to the first arrival of the next. */
static double period_of(const rc_trace *t) {
    rc_time first = RC_TIME_NEVER, last = 0;
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        rc_time a = t->at[i].arrival;
        if (!arrives(&t->at[i]))
            continue;
        first = a < first ? a : first;
        last = a > last ? a : last;
        n++;
    }
    double length = n > 0 ? (double)(last - first) : 0.0;
    return n > 1 ? length + length / (double)(n - 1) : length;
}

static uint32_t shifted(uint32_t index, uint32_t none, size_t by) {
    return index == none ? none : index + (uint32_t)by;
}

static void copy_requests(rc_trace *t, size_t count, size_t spans, uint32_t k, double period) {
    size_t by = count * k;
    for (size_t i = 0; i < count; i++) {
        rc_req *q = &t->at[by + i];
        *q = t->at[i];
        q->span += (uint32_t)(spans * k);
        q->after = shifted(q->after, RC_NO_REQUEST, by);
        q->session = shifted(q->session, RC_NO_SESSION, (size_t)t->sessions * k);
        q->arrival += arrives(q) ? llround(period * (double)k) : 0;
    }
    for (size_t i = 0; i < spans; i++) {
        rc_span *x = &t->spans[spans * k + i];
        *x = t->spans[i];
        x->first += t->blocks * k;
    }
}

static rc_status repeat(rc_trace *t, size_t copies, rc_error *err) {
    assert(copies >= 2);
    size_t count = t->count, spans = t->span_count;
    double period = period_of(t);
    if (period * (double)copies > LONGEST)
        return too_long(err);
    if ((double)t->blocks * (double)copies > UINT32_MAX / 2.0 ||
        (double)spans * (double)copies >= UINT32_MAX ||
        (double)count * (double)copies > RC_TRACE_MAX_ROWS)
        return rc_fail(err, RC_E_INPUT,
                       "%zu copies of %zu requests: at most %d requests and 2^31 blocks", copies,
                       count, RC_TRACE_MAX_ROWS);
    rc_req *at = realloc(t->at, copies * count * sizeof *at);
    if (!at)
        return no_memory(err);
    t->at = at;
    rc_span *more = realloc(t->spans, (copies * spans + 1) * sizeof *more);
    if (!more)
        return no_memory(err);
    t->spans = more;
    for (uint32_t k = 1; k < copies; k++)
        copy_requests(t, count, spans, k, period);
    t->count = copies * count;
    t->span_count = copies * spans;
    t->blocks *= (uint32_t)copies;
    t->sessions *= (uint32_t)copies;
    rc_trace_link(t);
    return RC_OK;
}

rc_status rc_trace_resize(rc_trace *t, size_t n, rc_error *err) {
    if (t->count == 0 && n > 0)
        return rc_fail(err, RC_E_INPUT, "no request to repeat");
    const rc_trace before = *t;
    if (n > t->count)
        RC_TRY(repeat(t, (n + t->count - 1) / t->count, err));
    rc_status st = n < t->count ? cut_sessions(t, n, err) : RC_OK;
    if (st != RC_OK) { /* the copies go again */
        t->count = before.count;
        t->span_count = before.span_count;
        t->blocks = before.blocks;
        t->sessions = before.sessions;
        rc_trace_link(t);
    }
    return st;
}
