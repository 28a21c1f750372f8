/* Synthetic traces. The blocks of a request begin with the prefix that its group shares; then come
 * those of its session's own past.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/trace/links.h"
#include "sim/trace/workload.h"

static double lowest(const rc_length *l) {
    return l->lo > 0 ? l->lo : 1.0;
}

static double highest(const rc_length *l, uint32_t cap) {
    return l->hi > 0 && l->hi < cap ? l->hi : cap;
}

static uint32_t draw(const rc_length *l, rc_rng *r, uint32_t cap) {
    double v = l->mean, lo = lowest(l), hi = highest(l, cap);
    assert(lo <= hi);
    switch (l->kind) {
    case RC_LENGTH_UNIFORM:
        v = lo + floor(rc_rng_uniform(r) * (hi - lo + 1.0));
        break;
    case RC_LENGTH_LOGNORMAL:
        v = l->mean * exp(l->sigma * rc_rng_normal(r));
        break;
    case RC_LENGTH_EXPONENTIAL:
        v = rc_rng_exponential(r, l->mean);
        break;
    case RC_LENGTH_EMPIRICAL:
        v = l->values[rc_rng_below(r, l->value_count)];
        break;
    default:
        break;
    }
    return (uint32_t)fmin(fmax(nearbyint(v), lo), hi);
}

static rc_status check_length(const char *what, const rc_length *l, uint32_t cap, rc_error *err) {
    if (lowest(l) > highest(l, cap))
        return rc_fail(err, RC_E_INPUT, "%s: lo %u is above hi %.0f", what, l->lo, highest(l, cap));
    if (l->kind == RC_LENGTH_EMPIRICAL)
        return l->values && l->value_count > 0
                   ? RC_OK
                   : rc_fail(err, RC_E_INPUT, "%s: no values to draw from", what);
    if (l->kind != RC_LENGTH_UNIFORM && (!(l->mean > 0.0) || isinf(l->mean)))
        return rc_fail(err, RC_E_INPUT, "%s: a mean of %g, expected one above zero", what, l->mean);
    if (l->kind == RC_LENGTH_LOGNORMAL && (!(l->sigma >= 0.0) || isinf(l->sigma)))
        return rc_fail(err, RC_E_INPUT, "%s: a sigma of %g, expected 0 or more", what, l->sigma);
    return RC_OK;
}

enum { MAX_TURNS = 1 << 20, MAX_GROUPS = 1 << 20 };
#define LONGEST_THINK_S 86400.0 /* the error message calls it a day */

static bool one_turn(const rc_synthetic *s) {
    return s->turns.kind == RC_LENGTH_CONSTANT && s->turns.mean <= 1.0;
}

static rc_status check(const rc_synthetic *s, rc_error *err) {
    if (s->requests < 1 || s->requests > RC_TRACE_MAX_ROWS)
        return rc_fail(err, RC_E_INPUT, "%zu requests, expected 1 to %d", s->requests,
                       RC_TRACE_MAX_ROWS);
    RC_TRY(rc_arrivals_check(&s->arrivals, err));
    RC_TRY(check_length("input", &s->input, RC_TRACE_MAX_INPUT, err));
    RC_TRY(check_length("output", &s->output, RC_TRACE_MAX_OUTPUT, err));
    if (!one_turn(s))
        RC_TRY(check_length("turns", &s->turns, MAX_TURNS, err));
    if (!(s->think_s >= 0.0) || s->think_s > LONGEST_THINK_S)
        return rc_fail(err, RC_E_INPUT, "a think time of %g s, expected 0 to a day", s->think_s);
    if (s->block < 1 && (s->shared_prefix > 0 || !one_turn(s)))
        return rc_fail(err, RC_E_INPUT, "blocks of 0 tokens");
    if (s->shared_prefix >= RC_TRACE_MAX_INPUT)
        return rc_fail(err, RC_E_INPUT, "a shared prefix of %u tokens, expected less than %d",
                       s->shared_prefix, RC_TRACE_MAX_INPUT);
    if (s->shared_prefix > 0 && s->groups < 1)
        return rc_fail(err, RC_E_INPUT, "a shared prefix of no group");
    if (s->groups > MAX_GROUPS)
        return rc_fail(err, RC_E_INPUT, "%u shared prefixes, at most %d", s->groups, MAX_GROUPS);
    if (s->block > 0 && (uint64_t)s->groups * (s->shared_prefix / s->block) > UINT32_MAX / 2)
        return rc_fail(err, RC_E_INPUT, "%u shared prefixes: more than 2^31 blocks", s->groups);
    return RC_OK;
}

typedef struct maker {
    const rc_synthetic *s;
    rc_trace *t;
    rc_rng rng;
    size_t room, span_room;
    uint32_t group_blocks; /* of one shared prefix */
    double now;            /* s */
} maker;

static rc_status push(maker *m, rc_req *q, uint32_t first, uint32_t count, rc_error *err) {
    rc_trace *t = m->t;
    if (count == 0)
        return RC_OK;
    if (t->span_count == m->span_room) {
        size_t room = 2 * m->span_room + 64;
        rc_span *more = realloc(t->spans, room * sizeof *more);
        if (!more)
            return rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
        t->spans = more;
        m->span_room = room;
    }
    t->spans[t->span_count++] = (rc_span){first, count};
    q->spans++;
    q->named += count;
    return RC_OK;
}

/* The whole blocks of the input, of sessions also of the reply, which the next turn holds (its last
 * token is never computed): the group's, then the session's own from `own` on. */
static rc_status blocks(maker *m, rc_req *q, uint32_t group, uint32_t own, rc_error *err) {
    uint64_t tokens = q->session == RC_NO_SESSION ? q->input : (uint64_t)q->input + q->output - 1;
    uint32_t all = (uint32_t)(tokens / m->s->block);
    uint32_t shared = m->group_blocks; /* an input holds the whole shared prefix */
    assert(all >= shared);
    q->span = (uint32_t)m->t->span_count;
    RC_TRY(push(m, q, group * shared, shared, err));
    RC_TRY(push(m, q, own, all - shared, err));
    if (own + (all - shared) > m->t->blocks)
        m->t->blocks = own + (all - shared);
    return RC_OK;
}

static rc_status start(maker *m, rc_time *arrival, rc_error *err) {
    m->now += rc_arrival_gap(&m->s->arrivals, &m->rng);
    if (!(m->now < RC_TRACE_MAX_DAYS * 86400.0))
        return rc_fail(err, RC_E_INPUT, "the trace would last more than %d days",
                       RC_TRACE_MAX_DAYS);
    *arrival = llround(m->now * RC_PS_PER_S);
    return RC_OK;
}

/* Room for that many more requests. */
static rc_status grow(maker *m, size_t more, rc_error *err) {
    rc_trace *t = m->t;
    if (t->count + more > RC_TRACE_MAX_ROWS)
        return rc_fail(err, RC_E_INPUT, "%zu sessions of several turns make more than %d requests",
                       m->s->requests, RC_TRACE_MAX_ROWS);
    if (t->count + more <= m->room)
        return RC_OK;
    size_t room = t->count + more + t->count / 2;
    rc_req *at = realloc(t->at, room * sizeof *at);
    if (!at)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", room);
    t->at = at;
    m->room = room;
    return RC_OK;
}

/* One session: turns that each hold all before them. */
static rc_status session(maker *m, rc_error *err) {
    const rc_synthetic *s = m->s;
    rc_trace *t = m->t;
    bool sessions = !one_turn(s);
    uint32_t turns = sessions ? draw(&s->turns, &m->rng, MAX_TURNS) : 1;
    uint32_t group = s->groups > 1 ? (uint32_t)rc_rng_below(&m->rng, s->groups) : 0;
    uint64_t past = s->shared_prefix;
    rc_time arrival = 0;
    uint32_t own = t->blocks;
    RC_TRY(start(m, &arrival, err));
    RC_TRY(grow(m, turns, err));
    for (uint32_t k = 0; k < turns; k++) {
        uint32_t i = (uint32_t)t->count;
        rc_req q = {.arrival = k == 0 ? arrival : RC_NO_ARRIVAL,
                    .after = k == 0 ? RC_NO_REQUEST : i - 1,
                    .child = RC_NO_REQUEST,
                    .sibling = RC_NO_REQUEST,
                    .session = sessions ? t->sessions : RC_NO_SESSION,
                    .turn = k,
                    .prefix = -1};
        uint64_t input = past + draw(&s->input, &m->rng, RC_TRACE_MAX_INPUT);
        q.input = input < RC_TRACE_MAX_INPUT ? (uint32_t)input : RC_TRACE_MAX_INPUT;
        q.output = draw(&s->output, &m->rng, RC_TRACE_MAX_OUTPUT);
        past = (uint64_t)q.input + q.output;
        if (k > 0)
            q.think = llround(rc_rng_exponential(&m->rng, s->think_s) * RC_PS_PER_S);
        if (sessions || s->shared_prefix > 0)
            RC_TRY(blocks(m, &q, group, own, err));
        t->at[t->count++] = q;
        if (t->blocks > UINT32_MAX / 2)
            return rc_fail(err, RC_E_INPUT, "too many blocks");
    }
    t->sessions += sessions;
    return RC_OK;
}

static rc_status begin(maker *m, const rc_synthetic *s, size_t room, rc_error *err) {
    *m = (maker){.s = s, .group_blocks = s->block > 0 ? s->shared_prefix / s->block : 0};
    m->t = calloc(1, sizeof *m->t);
    if (!m->t)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
    rc_rng_seed(&m->rng, s->seed);
    m->t->blocks = m->group_blocks * s->groups;
    return grow(m, room, err);
}

static rc_status make(maker *m, const rc_synthetic *s, rc_error *err) {
    RC_TRY(begin(m, s, s->requests, err));
    for (size_t i = 0; i < s->requests; i++)
        RC_TRY(session(m, err));
    m->t->rows = m->t->count;
    m->t->block = m->t->blocks > 0 ? s->block : 0;
    rc_trace_link(m->t);
    return RC_OK;
}

rc_status rc_trace_synthesise(const rc_synthetic *s, rc_trace **out, rc_error *err) {
    RC_TRY(check(s, err));
    maker m = {0};
    rc_status st = make(&m, s, err);
    if (st == RC_OK)
        *out = m.t;
    else
        rc_trace_free(m.t);
    return st;
}

/* ---- one session after the other ------------------------------------------------------- */

struct rc_synthetic_stream {
    rc_synthetic s;
    maker m;
    size_t made;
};

rc_status rc_synthetic_open(const rc_synthetic *s, rc_synthetic_stream **out, rc_error *err) {
    RC_TRY(check(s, err));
    rc_synthetic_stream *x = calloc(1, sizeof *x);
    if (!x)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
    x->s = *s;
    rc_status st = begin(&x->m, &x->s, 1, err);
    if (st == RC_OK)
        *out = x;
    else
        rc_synthetic_close(x);
    return st;
}

rc_status rc_synthetic_next(rc_synthetic_stream *x, const rc_trace **out, rc_error *err) {
    rc_trace *t = x->m.t;
    t->count = t->span_count = 0;
    *out = t;
    if (x->made == x->s.requests)
        return RC_OK;
    x->made++;
    RC_TRY(session(&x->m, err));
    t->block = t->blocks > 0 ? x->s.block : 0;
    return RC_OK;
}

void rc_synthetic_close(rc_synthetic_stream *x) {
    if (!x)
        return;
    rc_trace_free(x->m.t);
    free(x);
}
