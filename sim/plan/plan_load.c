/* The workload in short: what the bounds and the estimate of a plan know of its requests.
 *
 * Two lists of classes. `classes` are as one cache that forgets nothing would see the requests in
 * the order of the trace: what is to be expected. `least` are for bounds: of each request as much
 * may be cached as any other request could have left there, whatever is served in which order.
 *
 * Which blocks another request could have left. Not those of later turns of the same session, for
 * they begin when this one has ended. And not those of a request that arrives longer than
 * `patience` after this one, when this one's own arrival is known: had it waited for that, its TTFT
 * would be over every limit. So the TTFT of a request is at least that of its least T and most P, or
 * more than every limit; either way it keeps no limit that this bound breaks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/plan/plan_internal.h"

enum { BINS_T = 64, BINS_P = 64 }; /* half octaves of T, octaves of P: up to 2^32 tokens */

/* ---- classes --------------------------------------------------------------------------------- */

/* Of a number from 1 on; below BINS_T for all that a request may have. */
static int half_octave(double x) {
    return (int)floor(2.0 * log2(x));
}

static bool speaks_of(const rc_objective *g, const rc_req *r) {
    return r->input >= g->from && r->input < g->to && !(g->ttit && r->output <= 1);
}

/* Requests alike within half an octave of T and an octave of P are one class, whose T and P are the
 * least of its members: a bound over classes is one over requests. */
static rc_status classify(const rc_plan *p, const rc_trace *t, const uint32_t *prefix,
                          rc_plan_class **out, size_t *count, rc_error *err) {
    assert(t->count >= 1);
    rc_plan_class *bins = calloc((size_t)BINS_T * BINS_P, sizeof *bins);
    if (!bins)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *r = &t->at[i];
        int64_t cached = prefix[i] < r->input ? prefix[i] : r->input - 1;
        int64_t n = (int64_t)r->input - cached;
        rc_plan_class *c =
            &bins[half_octave((double)n) * BINS_P + half_octave((double)cached + 1.0) / 2];
        c->t = c->count > 0.0 && c->t < n ? c->t : n;
        c->p = c->count > 0.0 && c->p < cached ? c->p : cached;
        c->count += 1.0;
        for (int g = 0; g < p->objective_count; g++)
            c->asked[g] += speaks_of(&p->objectives[g], r);
    }
    *count = 0;
    for (size_t i = 0; i < (size_t)BINS_T * BINS_P; i++)
        if (bins[i].count > 0.0)
            bins[(*count)++] = bins[i];
    *out = bins;
    return RC_OK;
}

/* ---- what may be cached at most -------------------------------------------------------------- */

#define NOBODY INT64_MIN

/* Who has a block: the earliest of all, and the earliest of another session than that one's. */
typedef struct holder {
    int64_t group, turn;  /* session, or the request itself; its first turn with the block */
    rc_time first, other; /* ps: earliest arrivals; RC_TIME_NEVER */
} holder;

/* Marks the sessions in which each turn follows the one before it, and nothing else does. */
static void find_chains(const rc_trace *t, bool *chained) {
    for (uint32_t s = 0; s < t->sessions; s++)
        chained[s] = true;
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *r = &t->at[i];
        if (r->session == RC_NO_SESSION)
            continue;
        const rc_req *before = r->after != RC_NO_REQUEST ? &t->at[r->after] : NULL;
        bool follows =
            before ? before->session == r->session && before->turn + 1 == r->turn : r->turn == 0;
        chained[r->session] = chained[r->session] && follows && r->sibling == RC_NO_REQUEST;
    }
}

/* A session that is a chain, else the request itself. */
static int64_t group_of(const rc_trace *t, const bool *chained, size_t i) {
    const uint32_t session = t->at[i].session;
    return session != RC_NO_SESSION && chained[session] ? session : -1 - (int64_t)i;
}

/* ps: no request arrives before. Turns follow the reply before them, which takes some time. */
static void earliest(const rc_trace *t, rc_time *out) {
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *r = &t->at[i];
        out[i] = r->arrival != RC_NO_ARRIVAL ? r->arrival : 0;
        if (r->after != RC_NO_REQUEST)
            out[i] = out[r->after] + r->think;
    }
}

static void add_holder(holder *h, int64_t group, int64_t turn, rc_time at) {
    if (h->group == group) {
        h->first = at < h->first ? at : h->first;
        h->turn = turn < h->turn ? turn : h->turn;
    } else if (h->group == NOBODY) {
        *h = (holder){group, turn, at, RC_TIME_NEVER};
    } else if (at < h->first) {
        *h = (holder){group, turn, at, h->first};
    } else if (at < h->other) {
        h->other = at;
    }
}

static void find_holders(const rc_trace *t, const bool *chained, const rc_time *at, holder *held) {
    for (uint32_t b = 0; b < t->blocks; b++)
        held[b].group = NOBODY;
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *r = &t->at[i];
        for (uint32_t s = 0; s < r->spans; s++)
            for (uint32_t k = 0; k < t->spans[r->span + s].count; k++)
                add_holder(&held[t->spans[r->span + s].first + k], group_of(t, chained, i), r->turn,
                           at[i]);
    }
}

/* `until`: the latest arrival of another session that counts. */
static bool may_find(const holder *h, int64_t group, int64_t turn, rc_time until) {
    if (h->group == group)
        return h->turn < turn || h->other <= until;
    return h->first <= until;
}

static uint32_t most_cached(const rc_trace *t, const rc_req *r, int64_t group, const holder *held,
                            rc_time until) {
    uint64_t tokens = 0;
    bool found = true;
    for (uint32_t s = 0; s < r->spans; s++) {
        const rc_span *x = &t->spans[r->span + s];
        for (uint32_t k = 0; k < x->count && found; k++) {
            found = may_find(&held[x->first + k], group, r->turn, until);
            tokens += found ? t->block : 0;
        }
    }
    const uint32_t most = r->input - 1;
    return tokens < most ? (uint32_t)tokens : most;
}

#define LONG_TIME 1e6 /* s: longer limits are as good as none */

/* ps: when a request that arrives at `at` would be over every limit on its TTFT. */
static rc_time patience(const rc_plan *p, rc_time at) {
    double most = 0.0;
    for (int g = 0; g < p->objective_count; g++)
        if (!p->objectives[g].ttit)
            most = fmax(most, p->objectives[g].limit);
    return most < LONG_TIME ? at + llround(most * RC_PS_PER_S) : RC_TIME_NEVER - 1;
}

static rc_status find_most_cached(const rc_plan *p, const rc_trace *t, uint32_t *out,
                                  rc_error *err) {
    holder *held = calloc((size_t)t->blocks + 1, sizeof *held);
    rc_time *at = malloc(t->count * sizeof *at);
    bool *chained = malloc((size_t)t->sessions + 1);
    rc_status st =
        held && at && chained ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    if (st == RC_OK) {
        earliest(t, at);
        find_chains(t, chained);
        find_holders(t, chained, at, held);
        for (size_t i = 0; i < t->count; i++) {
            const rc_req *r = &t->at[i];
            rc_time until = r->after == RC_NO_REQUEST ? patience(p, at[i]) : RC_TIME_NEVER - 1;
            out[i] = most_cached(t, r, group_of(t, chained, i), held, until);
        }
    }
    free(held);
    free(chained);
    free(at);
    return st;
}

/* ---- quantiles of single objectives ---------------------------------------------------------- */

static int by_size(const void *x, const void *y) {
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

/* For TTIT the input that the share of the requests is within; for TTFT the new tokens of the
 * requests that must keep the limit, were those the ones with the fewest, and the seconds in which
 * all of them arrive. */
static void of_objective(const rc_objective *g, const rc_trace *t, const uint32_t *cached,
                         int64_t *work, rc_plan_least *out) {
    rc_time first = RC_TIME_NEVER, last = 0;
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *r = &t->at[i];
        if (!speaks_of(g, r))
            continue;
        work[n++] = g->ttit ? r->input : (int64_t)r->input - cached[i];
        first = r->arrival < first ? r->arrival : first;
        last = r->arrival > last ? r->arrival : last;
    }
    uint64_t rank = rc_objective_rank(g, n);
    qsort(work, n, sizeof *work, by_size);
    *out = (rc_plan_least){.asked = n, .window = -1.0};
    if (n == 0)
        return;
    out->input = work[rank - 1]; /* some share of some requests is one at the least */
    for (uint64_t i = 0; i < rank && !g->ttit; i++)
        out->tokens += (double)work[i];
    if (!t->closed_loop)
        out->window = (double)(last - first) / RC_PS_PER_S;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Seconds over which requests arrive. Closed loops go on after the last session has begun, for
 * as long as the session with the longest pauses. */
static double span_of(const rc_trace *t) {
    rc_time first = INT64_MAX, last = INT64_MIN, pauses = 0, most = 0;
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *r = &t->at[i];
        if (r->arrival != RC_NO_ARRIVAL) {
            first = r->arrival < first ? r->arrival : first;
            last = r->arrival > last ? r->arrival : last;
        }
        pauses = r->after == RC_NO_REQUEST ? 0 : pauses + r->think;
        most = pauses > most ? pauses : most;
    }
    return last > first ? (double)(last - first + most) / RC_PS_PER_S : 0.0;
}

static rc_status find_least(const rc_plan *p, const rc_trace *t, uint32_t *cached, rc_plan_load *w,
                            rc_error *err) {
    int64_t *work = malloc(t->count * sizeof *work);
    if (!work)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    rc_status st = find_most_cached(p, t, cached, err);
    if (st == RC_OK)
        st = classify(p, t, cached, &w->least, &w->least_count, err);
    for (int g = 0; g < p->objective_count && st == RC_OK; g++)
        of_objective(&p->objectives[g], t, cached, work, &w->objectives[g]);
    free(work);
    return st;
}

rc_status plan_load(const rc_plan *p, const rc_trace *t, rc_plan_load *w, rc_error *err) {
    rc_trace_stats stats;
    double keys = 0.0;
    uint32_t *cached = malloc(t->count * sizeof *cached);
    *w = (rc_plan_load){0};
    rc_status st = cached ? rc_trace_statistics(t, cached, &stats, err)
                          : rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    if (st == RC_OK)
        st = classify(p, t, cached, &w->classes, &w->class_count, err);
    if (st == RC_OK)
        st = find_least(p, t, cached, w, err);
    free(cached);
    RC_TRY(st);
    w->requests = (double)t->count;
    w->input = (double)stats.input;
    w->output = (double)stats.output;
    w->cached = (double)stats.cached;
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *r = &t->at[i];
        int64_t held = (int64_t)r->input + r->output - 1; /* the last token is not computed on */
        keys += (double)r->output * (r->input + 0.5 * r->output);
        w->longest = held > w->longest ? held : w->longest;
        w->longest_input = r->input > w->longest_input ? r->input : w->longest_input;
    }
    w->context = keys / w->output;
    w->span = span_of(t);
    return RC_OK;
}

void plan_load_free(rc_plan_load *w) {
    free(w->classes);
    free(w->least);
    *w = (rc_plan_load){0};
}
