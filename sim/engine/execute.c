/* Running a program of ops.
 *
 * An op waits for a count of others; the end that brings the count to zero makes it ready, and it
 * starts at once, inside that event. What an instant changes in the rates (classes that came or
 * left a domain, flows on links) is only noted; rates are set anew once, before time advances. So a
 * hundred flows that start together are shared out once, and an op is moved once an instant.
 *
 * Interference and domain speed stretch WORK ops; interference slows the bytes of flows, too. Ops
 * of every kind disturb by their class while they run; an op does not disturb itself, so a class
 * that disturbs itself needs two running ops.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/engine/sim_internal.h"
#include <math.h>
#include <stdio.h>

static void on_end(void *ctx, uint64_t arg, rc_time now);

/* ------------------------------------------------------------------ scheduling ends ------- */

static void end_at(rc_sim *s, rc_id op, rc_time at) {
    rc_op_state *st = &s->state[op];
    if (st->event == 0)
        st->event = rc_eventq_at_inline(s->q, at, on_end, s, op);
    else
        (void)rc_eventq_move_inline(s->q, st->event, at);
}

/* now + ps; when that is beyond the range of time, note the op and stay at the end of time. */
static rc_time later(rc_sim *s, rc_id op, rc_time now, rc_time ps) {
    if (ps <= RC_TIME_NEVER - 1 - now)
        return now + ps;
    if (s->overflow == RC_NONE)
        s->overflow = op;
    return RC_TIME_NEVER - 1;
}

/* Rounds half away from zero; what does not fit in an rc_time becomes RC_TIME_NEVER. */
static rc_time round_ps(double ps) {
    return ps < 0x1p63 - 1024 ? (rc_time)llround(ps) : RC_TIME_NEVER;
}

void rc_sim_end_in_(rc_sim *s, rc_id op, double ps, rc_time now) {
    end_at(s, op, later(s, op, now, round_ps(ps)));
}

/* ------------------------------------------------------------------ rates of WORK --------- */

static void dirty_domain(rc_sim *s, rc_id domain) {
    rc_domain *d = &RC_DOMAINS(s)[domain];
    if (d->dirty)
        return;
    d->dirty = true;
    s->dirty_domains[s->n_dirty_domains++] = domain;
}

/* An op of a class begins or ends to run. One op is present to others, two are present to each
 * other: beyond that, one more or less changes no rate. */
static void class_enter(rc_sim *s, rc_id domain, unsigned klass) {
    if (domain != RC_NONE && (s->disturbs >> klass & 1) &&
        RC_DOMAINS(s)[domain].running[klass]++ < 2)
        dirty_domain(s, domain);
}

static void class_leave(rc_sim *s, rc_id domain, unsigned klass) {
    if (domain != RC_NONE && (s->disturbs >> klass & 1) &&
        --RC_DOMAINS(s)[domain].running[klass] < 2)
        dirty_domain(s, domain);
}

static double disturbed(const rc_sim *s, const rc_domain *d, unsigned on, double rate) {
    for (unsigned by = 1; by < RC_CLASSES; by++)
        if ((s->disturbed_by[on] >> by & 1) && d->running[by] > (by == on ? 1u : 0u))
            rate *= s->factor[on][by];
    return rate;
}

double rc_sim_disturbed_(const rc_sim *s, rc_id op, double rate) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    if (p->domain == RC_NONE || s->disturbed_by[p->klass] == 0)
        return rate;
    return disturbed(s, &RC_DOMAINS(s)[p->domain], p->klass, rate);
}

/* Add a running op to those of its domain that others may disturb; false when none may. */
static bool enlist(rc_sim *s, rc_id op) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    if (p->domain == RC_NONE || s->disturbed_by[p->klass] == 0)
        return false;
    rc_domain *d = &RC_DOMAINS(s)[p->domain];
    s->peers[op] = (rc_peers){d->first, RC_NONE};
    if (d->first != RC_NONE)
        s->peers[d->first].prev = op;
    d->first = op;
    return true;
}

static void delist(rc_sim *s, rc_id op) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    if (p->domain == RC_NONE || s->disturbed_by[p->klass] == 0)
        return;
    rc_peers peers = s->peers[op];
    if (peers.prev != RC_NONE)
        s->peers[peers.prev].next = peers.next;
    else
        RC_DOMAINS(s)[p->domain].first = peers.next;
    if (peers.next != RC_NONE)
        s->peers[peers.next].prev = peers.prev;
}

/* Schedule the end of a WORK op from its remaining work. Work that has not been touched since it
 * began takes `duration` exactly when its rate is 1, even where a double could not hold it. */
static void end_from_remaining(rc_sim *s, rc_id op, rc_time now) {
    const rc_op_state *st = &s->state[op];
    rc_time duration = RC_PLAN(s)[op].duration;
    if (st->rate == 1.0 && st->remaining == (double)duration)
        end_at(s, op, later(s, op, now, duration));
    else
        rc_sim_end_in_(s, op, st->remaining / st->rate, now);
}

/* New rates for the disturbed ops of a domain. */
static void set_rates(rc_sim *s, rc_domain *d, rc_time now) {
    double rates[RC_CLASSES];
    uint32_t known = 0;
    d->dirty = false;
    for (rc_id op = d->first; op != RC_NONE; op = s->peers[op].next) {
        rc_op_state *st = &s->state[op];
        unsigned on = RC_PLAN(s)[op].klass;
        if (RC_PLAN(s)[op].kind == RC_OP_FLOW) {
            rc_flow_disturb_(s, op);
            continue;
        }
        if (!(known >> on & 1)) {
            rates[on] = disturbed(s, d, on, d->speed);
            known |= 1u << on;
        }
        if (rates[on] == st->rate)
            continue;
        st->remaining -= st->rate * (double)(now - st->last);
        if (st->remaining < 0)
            st->remaining = 0;
        st->last = now;
        st->rate = rates[on];
        end_from_remaining(s, op, now);
    }
}

static void begin_work(rc_sim *s, rc_id op, rc_time now) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    rc_op_state *st = &s->state[op];
    st->remaining = (double)p->duration;
    st->last = now;
    st->rate = p->domain == RC_NONE ? 1.0 : RC_DOMAINS(s)[p->domain].speed;
    if (enlist(s, op)) {
        const rc_domain *d = &RC_DOMAINS(s)[p->domain];
        if (d->dirty) { /* its rate is being settled: set_rates will schedule the end */
            st->rate = 0;
            return;
        }
        st->rate = disturbed(s, d, p->klass, d->speed);
    }
    end_from_remaining(s, op, now);
}

/* ------------------------------------------------------------------ flows ----------------- */

static bool shares_links(const rc_op_plan *p) {
    return p->path_len > 0 && p->bytes > 0;
}

static void move_bytes(rc_sim *s, rc_id op, rc_time now) {
    rc_flow_join_(s, op, now);
    (void)enlist(s, op);
}

static void on_latency(void *ctx, uint64_t arg, rc_time now) {
    move_bytes(ctx, (rc_id)arg, now);
}

static void begin_flow(rc_sim *s, rc_id op, rc_time now) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    rc_time bytes_from = later(s, op, now, p->duration);
    if (!shares_links(p)) {
        double ps = p->max_rate > 0 ? p->bytes * RC_PS_PER_S / p->max_rate : 0;
        end_at(s, op, later(s, op, bytes_from, round_ps(ps)));
    } else if (p->duration == 0) {
        move_bytes(s, op, now);
    } else {
        (void)rc_eventq_at_inline(s->q, bytes_from, on_latency, s, op);
    }
}

/* ------------------------------------------------------------------ begin and end --------- */

static void begin(rc_sim *s, rc_id op, rc_time now) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    s->state[op].start = now;
    class_enter(s, p->domain, p->klass);
    if (p->kind == RC_OP_WORK)
        begin_work(s, op, now);
    else if (p->kind == RC_OP_FLOW)
        begin_flow(s, op, now);
    else if (p->kind == RC_OP_FIXED)
        end_at(s, op, later(s, op, now, p->duration));
}

static void on_group_end(void *ctx, uint64_t arg, rc_time now);

/* The last of a rendezvous has come: all start now, for the longest duration among them. The cause
 * of all is what let the last one come (the lowest such op when several came together). */
static void begin_group(rc_sim *s, rc_group *g, rc_time now) {
    const rc_op_plan *plan = RC_PLAN(s);
    rc_id cause = RC_NONE;
    rc_time longest = 0;
    for (rc_id op = g->first; op != RC_NONE; op = plan[op].path) {
        if (s->state[op].ready == now && s->state[op].cause < cause)
            cause = s->state[op].cause;
        if (plan[op].duration > longest)
            longest = plan[op].duration;
    }
    for (rc_id op = g->first; op != RC_NONE; op = plan[op].path) {
        s->state[op].cause = cause;
        begin(s, op, now);
    }
    (void)rc_eventq_at_inline(s->q, later(s, g->first, now, longest), on_group_end, s,
                              (uint64_t)(g - RC_GROUPS(s)));
}

static void become_ready(rc_sim *s, rc_id op, rc_time now) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    s->state[op].ready = now;
    if (p->kind != RC_OP_RENDEZVOUS) {
        begin(s, op, now);
        return;
    }
    rc_group *g = &RC_GROUPS(s)[p->group];
    if (++g->came == g->size)
        begin_group(s, g, now);
}

/* `by` ended now: `op` waits for one less. The cause is the latest to end, the lowest id of equals.
 */
static void release(rc_sim *s, rc_id op, rc_id by, rc_time now) {
    rc_op_state *st = &s->state[op];
    if (st->cause == RC_NONE || by < st->cause || s->state[st->cause].end < now)
        st->cause = by;
    if (--st->waiting == 0)
        become_ready(s, op, now);
}

static void finish(rc_sim *s, rc_id op, rc_time now) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    s->state[op].end = now;
    s->end = now;
    s->ended++;
    class_leave(s, p->domain, p->klass);
    if (p->kind == RC_OP_WORK)
        delist(s, op);
    if (p->kind == RC_OP_FLOW && shares_links(p)) {
        delist(s, op);
        rc_flow_leave_(s, op);
    }
    if (p->next != RC_NONE)
        release(s, p->next, op, now);
    for (uint32_t e = p->edge; e < p->edge_end; e++)
        release(s, s->edge_to[e], op, now);
}

static void on_end(void *ctx, uint64_t arg, rc_time now) {
    finish(ctx, (rc_id)arg, now);
}

static void on_group_end(void *ctx, uint64_t arg, rc_time now) {
    rc_sim *s = ctx;
    for (rc_id op = RC_GROUPS(s)[arg].first; op != RC_NONE; op = RC_PLAN(s)[op].path)
        finish(s, op, now);
}

/* ------------------------------------------------------------------ a whole run ----------- */

static void settle_rates(rc_sim *s) {
    rc_time now = s->q->now;
    for (size_t i = 0; i < s->n_dirty_domains; i++)
        set_rates(s, &RC_DOMAINS(s)[s->dirty_domains[i]], now);
    s->n_dirty_domains = 0;
    rc_flow_share_(s, now);
}

/* Say which ops hold one another up: from the first stuck op, go to something it waits for until an
 * op comes twice. */
static rc_status report_stuck(rc_sim *s, rc_error *err) {
    const rc_op_plan *plan = RC_PLAN(s);
    rc_id first = RC_NONE;
    for (rc_id op = 0; op < s->n_run; op++) /* `peers` is free now: what a stuck op waits for */
        s->peers[op] = (rc_peers){RC_NONE, 0};
    for (rc_id op = (rc_id)s->n_run; op-- > 0;) {
        if (s->state[op].end != RC_TIME_NEVER)
            continue;
        first = op;
        if (plan[op].next != RC_NONE)
            s->peers[plan[op].next].next = op;
        for (uint32_t e = plan[op].edge; e < plan[op].edge_end; e++)
            s->peers[s->edge_to[e]].next = op;
        if (plan[op].kind != RC_OP_RENDEZVOUS || s->state[op].ready != RC_TIME_NEVER)
            continue;
        rc_id m = RC_GROUPS(s)[plan[op].group].first; /* the others that came wait for this one */
        for (; m != RC_NONE; m = plan[m].path)
            if (s->state[m].ready != RC_TIME_NEVER)
                s->peers[m].next = op;
    }
    rc_id op = first;
    while (op != RC_NONE && s->peers[op].prev == 0) {
        s->peers[op].prev = 1;
        op = s->peers[op].next;
    }
    char text[400];
    int used = 0;
    rc_id at = op;
    for (int i = 0; i < 8 && at != RC_NONE; i++) {
        int n = snprintf(text + used, sizeof text - (size_t)used, "op %u (tag %u) waits for ", at,
                         plan[at].tag);
        if (n < 0 || (size_t)used + (size_t)n >= sizeof text)
            break;
        used += n;
        at = s->peers[at].next;
        if (at == op)
            break;
    }
    text[used] = '\0';
    return rc_fail(err, RC_E_INTERNAL, "%zu of %zu ops never ran, held up by a cycle: %s%s %u",
                   s->n_run - s->ended, s->n_run, text, at == op ? "op" : "... op", at);
}

rc_status rc_sim_run(rc_sim *s, rc_error *err) {
    RC_TRY(rc_sim_prepare_(s, err));
    s->ran = true;
    for (rc_id op = 0; op < s->n_run; op++)
        if (RC_PLAN(s)[op].waits == 0)
            become_ready(s, op, 0);
    do {
        if (s->n_dirty_domains + s->n_dirty_links > 0 && rc_eventq_next_inline(s->q) > s->q->now)
            settle_rates(s);
    } while (rc_eventq_step_inline(s->q));
    if (s->overflow != RC_NONE)
        return rc_fail(err, RC_E_INPUT,
                       "op %u (tag %u) would end after 106 days, the range of time", s->overflow,
                       RC_PLAN(s)[s->overflow].tag);
    return s->ended == s->n_run ? RC_OK : report_stuck(s, err);
}

/* ------------------------------------------------------------------ results --------------- */

size_t rc_sim_op_count(const rc_sim *s) {
    return s->plan.n;
}

uint32_t rc_sim_op_tag(const rc_sim *s, rc_id op) {
    return op < s->plan.n ? RC_PLAN(s)[op].tag : 0;
}

static const rc_op_state *result(const rc_sim *s, rc_id op) {
    static const rc_op_state never = {
        .ready = RC_TIME_NEVER, .start = RC_TIME_NEVER, .end = RC_TIME_NEVER, .cause = RC_NONE};
    return s->ran && op < s->n_run ? &s->state[op] : &never;
}

rc_time rc_sim_op_start(const rc_sim *s, rc_id op) {
    return result(s, op)->start;
}

rc_time rc_sim_op_ready(const rc_sim *s, rc_id op) {
    return result(s, op)->ready;
}

rc_time rc_sim_op_end(const rc_sim *s, rc_id op) {
    return result(s, op)->end;
}

rc_time rc_sim_end(const rc_sim *s) {
    return s->ran ? s->end : 0;
}

rc_id rc_sim_op_cause(const rc_sim *s, rc_id op) {
    return result(s, op)->cause;
}

uint64_t rc_sim_events(const rc_sim *s) {
    return s->q != NULL ? s->q->fired : 0;
}

static uint64_t fnv1a(uint64_t hash, uint64_t x) {
    for (int i = 0; i < 8; i++)
        hash = (hash ^ (x >> (8 * i) & 0xff)) * 0x100000001b3u;
    return hash;
}

/* Each of op, start and end as 8 bytes, lowest first. */
uint64_t rc_sim_trace_hash(const rc_sim *s) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (rc_id op = 0; op < s->n_run; op++) {
        hash = fnv1a(hash, op);
        hash = fnv1a(hash, (uint64_t)result(s, op)->start);
        hash = fnv1a(hash, (uint64_t)result(s, op)->end);
    }
    return hash;
}
