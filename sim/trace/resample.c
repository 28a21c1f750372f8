/* A trace drawn anew from itself, so that one trace can stand for others like it (a block bootstrap).
 *
 * What comes together stays together. The units are sessions, whole and with their order; where a trace names
 * blocks and no sessions, a request belongs to the unit of the last request before it that had the last block that it
 * finds again, unless more than COMMON requests have that block (a system prompt binds nobody together). In the order
 * of their first arrivals the units are cut into RC_TRACE_PIECES pieces of as many each, and as many pieces are
 * drawn with replacement and laid one behind the other. Inside a piece everything is as it was: gaps, bursts, who
 * shares a prefix with whom. Each piece is as likely as any other, so requests, tokens and the time from first to
 * last are what they were in expectation. What goes is the order of the pieces, and what is longer than a piece:
 * a trend over the whole trace.
 *
 * Later requests of a unit keep their distance to the first. Those of no session that would come behind the end come
 * at the beginning instead, as later turns of somebody who began before the trace did: so load neither
 * ebbs at the end nor has to build up at the start.
 *
 * A piece that comes a second time is other users with like requests: its blocks that no other piece has get new
 * ids. Blocks that several pieces have (a system prompt) stay one.
 *
 * Source: Künsch, "The Jackknife and the Bootstrap for General Stationary Observations", Ann. Statist. 17 (1989).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/links.h"
#include "sim/trace/workload.h"

#define LONGEST ((double)RC_TRACE_MAX_DAYS * 86400.0 * RC_PS_PER_S)
#define SHARED UINT32_MAX        /* of a block: several pieces have it */
#define UNSEEN (UINT32_MAX - 1U) /* none has */

typedef struct piece {
    size_t first, count; /* of `member`: its requests, in the order of the array */
    rc_time start, time; /* ps: of its first unit, and to that of the piece behind it */
    uint32_t own;        /* blocks that no other piece has */
    uint32_t drawn;      /* times so far */
} piece;

enum { COMMON = 64 }; /* requests: a block that more of them have is nobody's own */

typedef struct draw {
    const rc_trace *t;
    uint32_t *leader;   /* [requests]: the first one of its unit */
    uint32_t *piece_of; /* [requests] */
    uint32_t *member;   /* [requests], by piece */
    uint32_t *owner;    /* [blocks]: a piece, SHARED or UNSEEN */
    uint32_t *rank;     /* [blocks]: place among those of its owner */
    piece at[RC_TRACE_PIECES];
    uint32_t count;
    uint32_t drawn[RC_TRACE_PIECES];
    rc_time length; /* ps: of all that was drawn */
} draw;

/* ---- units and pieces ------------------------------------------------------------------------- */

typedef struct unit {
    rc_time arrival;
    uint32_t first; /* request */
} unit;

static int by_arrival(const void *a, const void *b) {
    const unit *x = a, *y = b;
    if (x->arrival != y->arrival)
        return x->arrival < y->arrival ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static void lead_sessions(draw *d, uint32_t *of_session) {
    const rc_trace *t = d->t;
    memset(of_session, 0xFF, ((size_t)t->sessions + 1) * sizeof *of_session);
    for (size_t i = 0; i < t->count; i++) {
        const uint32_t k = t->at[i].session;
        d->leader[i] = (uint32_t)i;
        if (k != RC_NO_SESSION && of_session[k] == UINT32_MAX)
            of_session[k] = (uint32_t)i;
        if (k != RC_NO_SESSION)
            d->leader[i] = of_session[k];
    }
}

/* `uses` and `last` [blocks]: requests that have a block, and the last of them so far. */
static void lead_by_blocks(draw *d, uint32_t *uses, uint32_t *last) {
    const rc_trace *t = d->t;
    for (size_t i = 0; i < t->count; i++)
        for (uint32_t s = 0; s < t->at[i].spans; s++)
            for (uint32_t k = 0; k < t->spans[t->at[i].span + s].count; k++)
                uses[t->spans[t->at[i].span + s].first + k]++;
    for (uint32_t b = 0; b < t->blocks; b++)
        last[b] = RC_NO_REQUEST;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t before = RC_NO_REQUEST;
        for (uint32_t s = 0; s < t->at[i].spans; s++)
            for (uint32_t k = 0; k < t->spans[t->at[i].span + s].count; k++) {
                const uint32_t b = t->spans[t->at[i].span + s].first + k;
                if (last[b] != RC_NO_REQUEST)
                    before = uses[b] <= COMMON ? last[b] : RC_NO_REQUEST;
                last[b] = (uint32_t)i;
            }
        if (t->at[i].session == RC_NO_SESSION && before != RC_NO_REQUEST &&
            t->at[before].session == RC_NO_SESSION)
            d->leader[i] = d->leader[before];
    }
}

/* Returns how many units there are, in the order of their first arrivals. */
static size_t find_units(const draw *d, unit *out) {
    size_t n = 0;
    for (size_t i = 0; i < d->t->count; i++)
        if (d->leader[i] == i)
            out[n++] = (unit){d->t->at[i].arrival, (uint32_t)i};
    qsort(out, n, sizeof *out, by_arrival);
    return n;
}

static void cut(draw *d, const unit *units, size_t n) {
    const rc_trace *t = d->t;
    size_t next = 0;
    const rc_time all = units[n - 1].arrival - units[0].arrival;
    const rc_time gap = n > 1 ? all / (rc_time)(n - 1) : 0; /* behind the last: the mean */
    d->count = n < RC_TRACE_PIECES ? (uint32_t)n : RC_TRACE_PIECES;
    for (uint32_t p = 0; p < d->count; p++) {
        size_t from = n * p / d->count, to = n * (p + 1) / d->count;
        rc_time end = to < n ? units[to].arrival : units[n - 1].arrival + gap;
        d->at[p] = (piece){.start = units[from].arrival, .time = end - units[from].arrival};
        for (size_t u = from; u < to; u++)
            d->piece_of[units[u].first] = p;
    }
    for (size_t i = 0; i < t->count; i++) {
        d->piece_of[i] = d->piece_of[d->leader[i]];
        d->at[d->piece_of[i]].count++;
    }
    for (uint32_t p = 0; p < d->count; p++) {
        d->at[p].first = next;
        next += d->at[p].count;
        d->at[p].count = 0;
    }
    for (size_t i = 0; i < t->count; i++) {
        piece *p = &d->at[d->piece_of[i]];
        d->member[p->first + p->count++] = (uint32_t)i;
    }
}

static void find_owners(draw *d) {
    const rc_trace *t = d->t;
    for (uint32_t b = 0; b < t->blocks; b++)
        d->owner[b] = UNSEEN;
    for (size_t i = 0; i < t->count; i++)
        for (uint32_t s = 0; s < t->at[i].spans; s++) {
            const rc_span *x = &t->spans[t->at[i].span + s];
            for (uint32_t b = x->first; b < x->first + x->count; b++)
                d->owner[b] = d->owner[b] == UNSEEN || d->owner[b] == d->piece_of[i]
                                  ? d->piece_of[i]
                                  : SHARED;
        }
    for (uint32_t b = 0; b < t->blocks; b++)
        if (d->owner[b] < d->count)
            d->rank[b] = d->at[d->owner[b]].own++;
}

/* ---- the new trace ---------------------------------------------------------------------------- */

typedef struct copy { /* of one piece, being written */
    const piece *of;
    uint32_t fresh;    /* new ids of its own blocks begin here; 0: the old ones */
    uint32_t sessions; /* of the trace: the new numbers of this copy begin here */
    rc_time shift;
} copy;

static uint32_t id_of(const draw *d, const copy *c, uint32_t block) {
    return c->fresh == 0 || d->owner[block] == SHARED ? block : c->fresh + d->rank[block];
}

/* The blocks of a run under their new ids, as few runs as there can be. `out` may be NULL: counted only. */
static size_t write_span(const draw *d, const copy *c, const rc_span *x, rc_span *out) {
    size_t n = 0;
    rc_span now = {id_of(d, c, x->first), 0};
    for (uint32_t b = x->first; b < x->first + x->count; b++) {
        uint32_t id = id_of(d, c, b);
        if (id != now.first + now.count) {
            if (out)
                out[n] = now;
            n++;
            now = (rc_span){id, 0};
        }
        now.count++;
    }
    if (out && now.count > 0)
        out[n] = now;
    return n + (now.count > 0);
}

static size_t spans_of(const draw *d, const copy *c, const rc_req *q, rc_span *out) {
    size_t n = 0;
    for (uint32_t s = 0; s < q->spans; s++)
        n += write_span(d, c, &d->t->spans[q->span + s], out ? out + n : NULL);
    return n;
}

typedef struct sizes {
    size_t requests, spans;
    double blocks, time; /* doubles: they may be beyond what a trace holds */
    double tail;         /* ps: of a request behind the start of its piece, at most */
} sizes;

static void begin_copy(const draw *d, uint32_t place, uint32_t times, const sizes *so_far,
                       copy *out) {
    *out = (copy){.of = &d->at[d->drawn[place]],
                  .fresh = times > 0 ? (uint32_t)so_far->blocks : 0,
                  .sessions = d->t->sessions * place,
                  .shift = llround(so_far->time) - d->at[d->drawn[place]].start};
}

/* place_of [requests]: where each request of the piece is in the new array. */
static void write_copy(const draw *d, const copy *c, rc_trace *out, uint32_t *place_of) {
    const rc_trace *t = d->t;
    for (size_t k = 0; k < c->of->count; k++)
        place_of[d->member[c->of->first + k]] = (uint32_t)(out->count + k);
    for (size_t k = 0; k < c->of->count; k++) {
        rc_req *q = &out->at[out->count + k];
        *q = t->at[d->member[c->of->first + k]];
        q->arrival += q->arrival == RC_NO_ARRIVAL ? 0 : c->shift;
        if (q->session == RC_NO_SESSION && q->arrival >= d->at[0].start + d->length)
            q->arrival -= d->length;
        q->after = q->after == RC_NO_REQUEST ? RC_NO_REQUEST : place_of[q->after];
        q->session += q->session == RC_NO_SESSION ? 0 : c->sessions;
        size_t spans = spans_of(d, c, q, out->spans + out->span_count);
        q->span = (uint32_t)out->span_count;
        q->spans = (uint32_t)spans;
        out->span_count += spans;
    }
    out->count += c->of->count;
}

/* Over all that was drawn; `out` NULL: what it would take. */
static void lay_out(draw *d, rc_trace *out, uint32_t *place_of, sizes *all) {
    *all = (sizes){.blocks = d->t->blocks, .time = (double)d->at[0].start};
    for (uint32_t p = 0; p < d->count; p++)
        d->at[p].drawn = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        piece *p = &d->at[d->drawn[i]];
        copy c;
        begin_copy(d, i, p->drawn, all, &c);
        if (out)
            write_copy(d, &c, out, place_of);
        for (size_t k = 0; k < p->count && !out; k++) {
            const rc_req *q = &d->t->at[d->member[p->first + k]];
            all->spans += spans_of(d, &c, q, NULL);
            if (q->arrival != RC_NO_ARRIVAL)
                all->tail = fmax(all->tail, (double)(q->arrival - p->start));
        }
        all->requests += p->count;
        all->blocks += p->drawn++ > 0 ? p->own : 0;
        all->time += (double)p->time;
    }
}

static rc_status check_sizes(const draw *d, const sizes *all, rc_error *err) {
    double sessions = (double)d->t->sessions * d->count;
    if (all->requests > RC_TRACE_MAX_ROWS || all->blocks > UINT32_MAX / 2.0 ||
        (double)all->spans >= UINT32_MAX || sessions >= UINT32_MAX ||
        all->time + all->tail > LONGEST)
        return rc_fail(
            err, RC_E_INPUT,
            "the trace drawn anew has %zu requests in %.0f s: at most %d, 2^31 blocks and "
            "%d days",
            all->requests, all->time / RC_PS_PER_S, RC_TRACE_MAX_ROWS, RC_TRACE_MAX_DAYS);
    return RC_OK;
}

/* Numbers of sessions and blocks without gaps. */
static rc_status keep_what_is_used(rc_trace *t, rc_error *err) {
    uint32_t *all = malloc((t->count + 1) * sizeof *all);
    if (!all)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
    for (size_t i = 0; i < t->count; i++)
        all[i] = (uint32_t)i;
    rc_status st = rc_trace_keep(t, all, t->count, err);
    free(all);
    return st;
}

static rc_status build(draw *d, rc_trace *t, rc_error *err) {
    sizes all;
    lay_out(d, NULL, NULL, &all);
    RC_TRY(check_sizes(d, &all, err));
    d->length = llround(all.time) - d->at[0].start;
    rc_trace out = *t;
    out.count = out.span_count = 0;
    out.blocks = (uint32_t)all.blocks;
    out.sessions = t->sessions * d->count;
    out.at = calloc(all.requests + 1, sizeof *out.at);
    out.spans = calloc(all.spans + 1, sizeof *out.spans);
    uint32_t *place_of = calloc(t->count + 1, sizeof *place_of);
    if (!out.at || !out.spans || !place_of) {
        free(out.at);
        free(out.spans);
        free(place_of);
        return rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
    }
    lay_out(d, &out, place_of, &all);
    free(place_of);
    rc_trace_link(&out);
    rc_status st = rc_trace_sort_arrivals(&out, err);
    if (st == RC_OK)
        st = keep_what_is_used(&out, err);
    rc_trace *gone = st == RC_OK ? t : &out;
    free(gone->at);
    free(gone->spans);
    if (st == RC_OK)
        *t = out;
    return st;
}

static rc_status check_arrivals(const rc_trace *t, const unit *units, size_t n, rc_error *err) {
    bool told = true;
    for (size_t i = 0; i < n; i++)
        told = told && units[i].arrival != RC_NO_ARRIVAL;
    for (size_t i = 0; i < t->count; i++)
        told = told && (t->at[i].session != RC_NO_SESSION || t->at[i].after == RC_NO_REQUEST);
    return told ? RC_OK
                : rc_fail(
                      err, RC_E_INPUT,
                      "a trace is drawn anew by pieces of time: its sessions, and requests of no "
                      "session, need arrival times of their own");
}

static rc_status resample(draw *d, rc_trace *t, unit *units, uint32_t *of_session, uint64_t seed,
                          rc_error *err) {
    rc_rng rng;
    lead_sessions(d, of_session);
    lead_by_blocks(d, d->owner, d->rank);
    memset(d->rank, 0, ((size_t)t->blocks + 1) * sizeof *d->rank);
    size_t n = find_units(d, units);
    RC_TRY(check_arrivals(t, units, n, err));
    cut(d, units, n);
    find_owners(d);
    rc_rng_seed(&rng, seed);
    for (uint32_t i = 0; i < d->count; i++)
        d->drawn[i] = (uint32_t)rc_rng_below(&rng, d->count);
    return build(d, t, err);
}

static bool make_room(draw *d, const rc_trace *t) {
    d->t = t;
    d->leader = calloc(t->count, sizeof *d->leader);
    d->piece_of = calloc(t->count, sizeof *d->piece_of);
    d->member = calloc(t->count, sizeof *d->member);
    d->owner = calloc((size_t)t->blocks + 1, sizeof *d->owner);
    d->rank = calloc((size_t)t->blocks + 1, sizeof *d->rank);
    return d->leader && d->piece_of && d->member && d->owner && d->rank;
}

rc_status rc_trace_resample(rc_trace *t, uint64_t seed, rc_error *err) {
    assert(t->count >= 1);
    draw d = {0};
    unit *units = malloc(t->count * sizeof *units);
    uint32_t *of_session = malloc(((size_t)t->sessions + 1) * sizeof *of_session);
    rc_status st = make_room(&d, t) && units && of_session
                       ? resample(&d, t, units, of_session, seed, err)
                       : rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
    free(d.leader);
    free(d.piece_of);
    free(d.member);
    free(d.owner);
    free(d.rank);
    free(units);
    free(of_session);
    return st;
}
