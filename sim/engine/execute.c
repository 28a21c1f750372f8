/* Running a program of ops.
 *
 * The end of an op moves its track on, and may let the track's next op start and those that waited
 * for it; an op that may start does so at once, inside that event. What an instant changes in the
 * rates (classes that came or left a domain, flows on links) is only noted; rates are set anew
 * once, before time advances. So a hundred flows that start together are shared out once, and an op
 * is moved once an instant.
 *
 * Ends that fall on one time and are scheduled one after another are one event of the queue, a
 * batch: the GPUs of a tensor-parallel group do everything together.
 *
 * Interference and domain speed stretch WORK ops; interference slows the bytes of flows, too. Ops
 * of every kind disturb by their class while they run; an op does not disturb itself, so a class
 * that disturbs itself needs two running ops.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/engine/sim_internal.h"
#include <string.h>

/* ---- events --------------------------------------------------------------------------------- */

static void finish(rc_sim *s, rc_id track, rc_time now);
static void move_bytes(rc_sim *s, rc_id track, rc_time now);

/* Fire what the batch holds, and what is added to it for the same time while that goes on. */
static void on_batch(void *ctx, uint64_t arg, rc_time now) {
    rc_sim *s = ctx;
    rc_batch *b = &s->batches[arg];
    assert(b->at == now);
    while (b->first != RC_NONE) {
        rc_id id = b->first;
        rc_track *t = &s->tracks[id];
        b->first = t->next;
        if (t->next != RC_NONE)
            s->tracks[t->next].prev = RC_NONE;
        t->batch = RC_NONE;
        if (t->state == RC_LATENCY) {
            s->events++;
            move_bytes(s, id, now);
        } else {
            finish(s, id, now);
        }
    }
    b->at = -1;
    b->first = s->free_batch;
    s->free_batch = (uint32_t)arg;
}

static uint32_t *recent_slot(rc_sim *s, rc_time at) {
    return &s->recent[(uint64_t)at * 0x9e3779b97f4a7c15u >> 54 & (RC_RECENT - 1)];
}

/* The track's op at hand has an event at `at`. A batch that can be found here is the last one that
 * was begun for its time, so an event that joins it keeps its turn. */
static void schedule(rc_sim *s, rc_id id, rc_time at) {
    rc_track *t = &s->tracks[id];
    assert(t->batch == RC_NONE);
    uint32_t *slot = recent_slot(s, at), i = *slot;
    rc_batch *b = &s->batches[i];
    t->next = RC_NONE;
    if (b->at == at) {
        t->prev = b->first == RC_NONE ? RC_NONE : b->last;
        if (b->first == RC_NONE)
            b->first = id;
        else
            s->tracks[b->last].next = id;
    } else {
        *slot = i = s->free_batch;
        b = &s->batches[i];
        s->free_batch = b->first;
        b->at = at;
        b->first = id;
        t->prev = RC_NONE;
        b->event = rc_eventq_at_inline(s->q, at, on_batch, s, i);
    }
    b->last = id;
    t->batch = i;
}

/* Take the track's event back. */
static void unschedule(rc_sim *s, rc_id id) {
    rc_track *t = &s->tracks[id];
    assert(t->batch != RC_NONE);
    rc_batch *b = &s->batches[t->batch];
    if (t->prev == RC_NONE)
        b->first = t->next;
    else
        s->tracks[t->prev].next = t->next;
    if (t->next == RC_NONE)
        b->last = t->prev;
    else
        s->tracks[t->next].prev = t->prev;
    if (b->first == RC_NONE && rc_eventq_cancel_inline(s->q, b->event)) {
        b->at = -1;
        b->first = s->free_batch;
        s->free_batch = t->batch;
    }
    t->batch = RC_NONE;
}

static void end_at(rc_sim *s, rc_id id, rc_time at) {
    if (s->tracks[id].batch != RC_NONE)
        unschedule(s, id);
    schedule(s, id, at);
}

/* now + ps; when that is beyond the range of time, note the op and stay at the end of time. */
static rc_time later(rc_sim *s, rc_id id, rc_time now, rc_time ps) {
    if (ps <= RC_TIME_NEVER - 1 - now)
        return now + ps;
    if (s->overflow == RC_NONE)
        s->overflow = rc_sim_number_at_(s, id, s->tracks[id].progress);
    return RC_TIME_NEVER - 1;
}

/* The track's op ends `ps` picoseconds from now, rounded once. */
static void end_in(rc_sim *s, rc_id id, double ps, rc_time now) {
    assert(ps >= 0);
    end_at(s, id, later(s, id, now, rc_ticks_round(ps)));
}

/* ---- rates of WORK -------------------------------------------------------------------------- */

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
    if ((s->disturbs >> klass & 1) && domain != RC_NONE &&
        RC_DOMAINS(s)[domain].running[klass]++ < 2)
        dirty_domain(s, domain);
}

static void class_leave(rc_sim *s, rc_id domain, unsigned klass) {
    if ((s->disturbs >> klass & 1) && domain != RC_NONE &&
        --RC_DOMAINS(s)[domain].running[klass] < 2)
        dirty_domain(s, domain);
}

static double disturbed(const rc_sim *s, const rc_domain *d, unsigned on, double rate) {
    for (unsigned by = 1; by < RC_CLASSES; by++)
        if ((s->disturbed_by[on] >> by & 1) && d->running[by] > (by == on ? 1u : 0u))
            rate *= s->factor[on][by];
    return rate;
}

/* `rate` times the factors of the classes that now disturb the track's op. */
static double disturbed_rate(const rc_sim *s, const rc_track *t, double rate) {
    unsigned on = RC_CLASS(&s->plan[t->at]);
    if (s->disturbed_by[on] == 0 || t->domain == RC_NONE)
        return rate;
    return disturbed(s, &RC_DOMAINS(s)[t->domain], on, rate);
}

/* Add a running op to those of its domain that others may disturb; false when none may. */
static bool enlist(rc_sim *s, rc_id id) {
    rc_track *t = &s->tracks[id];
    if (s->disturbed_by[RC_CLASS(&s->plan[t->at])] == 0 || t->domain == RC_NONE)
        return false;
    rc_domain *d = &RC_DOMAINS(s)[t->domain];
    t->peer_next = d->first;
    t->peer_prev = RC_NONE;
    if (d->first != RC_NONE)
        s->tracks[d->first].peer_prev = id;
    d->first = id;
    return true;
}

static void delist(rc_sim *s, const rc_track *t) {
    if (s->disturbed_by[RC_CLASS(&s->plan[t->at])] == 0 || t->domain == RC_NONE)
        return;
    if (t->peer_prev != RC_NONE)
        s->tracks[t->peer_prev].peer_next = t->peer_next;
    else
        RC_DOMAINS(s)[t->domain].first = t->peer_next;
    if (t->peer_next != RC_NONE)
        s->tracks[t->peer_next].peer_prev = t->peer_prev;
}

/* Schedule the end of a WORK op from its remaining work. Work that has not been touched since it
 * began takes `duration` exactly when its rate is 1, even where a double could not hold it. */
static void end_from_remaining(rc_sim *s, rc_id id, rc_time now) {
    const rc_track *t = &s->tracks[id];
    rc_time duration = s->plan[t->at].duration;
    if (t->rate == 1.0 && t->remaining == (double)duration)
        end_at(s, id, later(s, id, now, duration));
    else
        end_in(s, id, t->remaining / t->rate, now);
}

/* New rates for the disturbed ops of a domain. */
static void set_rates(rc_sim *s, rc_domain *d, rc_time now) {
    double rates[RC_CLASSES];
    uint32_t known = 0;
    d->dirty = false;
    for (rc_id id = d->first; id != RC_NONE; id = s->tracks[id].peer_next) {
        rc_track *t = &s->tracks[id];
        unsigned on = RC_CLASS(&s->plan[t->at]);
        if (RC_KIND(&s->plan[t->at]) == RC_OP_FLOW) {
            rc_flow_disturb_(s, id);
            continue;
        }
        if (!(known >> on & 1)) {
            rates[on] = disturbed(s, d, on, d->speed);
            known |= 1u << on;
        }
        if (rates[on] == t->rate)
            continue;
        t->remaining -= t->rate * (double)(now - t->last);
        if (t->remaining < 0)
            t->remaining = 0;
        t->last = now;
        t->rate = rates[on];
        end_from_remaining(s, id, now);
    }
}

static void begin_work(rc_sim *s, rc_id id, rc_time now) {
    rc_track *t = &s->tracks[id];
    if (t->nominal && s->disturbed_by[RC_CLASS(&s->plan[t->at])] == 0) { /* nothing stretches it */
        schedule(s, id, later(s, id, now, s->plan[t->at].duration));
        return;
    }
    t->remaining = (double)s->plan[t->at].duration;
    t->last = now;
    t->rate = t->domain == RC_NONE ? 1.0 : RC_DOMAINS(s)[t->domain].speed;
    if (enlist(s, id)) {
        const rc_domain *d = &RC_DOMAINS(s)[t->domain];
        if (d->dirty) { /* its rate is being settled: set_rates will schedule the end */
            t->rate = 0;
            return;
        }
        t->rate = disturbed_rate(s, t, d->speed);
    }
    end_from_remaining(s, id, now);
}

/* ---- flows ---------------------------------------------------------------------------------- */

static bool shares_links(const rc_flow *f) {
    return f->path_len > 0 && f->bytes > 0;
}

static void move_bytes(rc_sim *s, rc_id id, rc_time now) {
    s->tracks[id].state = RC_RUNNING;
    rc_flow_join_(s, id, now);
    (void)enlist(s, id);
}

static void begin_flow(rc_sim *s, rc_id id, rc_time now) {
    rc_track *t = &s->tracks[id];
    const rc_flow *f = rc_flow_of(s, t);
    rc_time latency = s->plan[t->at].duration, bytes_from = later(s, id, now, latency);
    if (!shares_links(f)) {
        double ps = f->max_rate > 0 ? rc_flow_ps(f->bytes, f->max_rate) : 0;
        end_at(s, id, later(s, id, bytes_from, rc_ticks_round(ps)));
    } else if (latency == 0) {
        move_bytes(s, id, now);
    } else {
        t->state = RC_LATENCY;
        schedule(s, id, bytes_from);
    }
}

/* A flow gets what interference leaves it of its share of the links, and never more than the
 * share. */
static void set_share(rc_sim *s, rc_id id, double share, rc_time now) {
    rc_track *t = &s->tracks[id];
    double rate = fmin(disturbed_rate(s, t, share), share);
    if (rate == t->rate)
        return;
    t->remaining = rc_flow_left(t->remaining, t->rate, now - t->last);
    t->last = now;
    t->rate = rate;
    end_in(s, id, rc_flow_ps(t->remaining, rate), now);
}

/* ---- causes --------------------------------------------------------------------------------- */

/* Consider the op of `other` at this moment as what let *t start: it must have ended now. Of
 * several the lowest number counts. */
static void consider(const rc_sim *s, rc_track *t, rc_id other, uint64_t moment, rc_time now) {
    const rc_track *o = &s->tracks[other];
    if (o->ended != now || moment < o->since)
        return;
    rc_id number = moment == o->latest ? o->number : rc_sim_number_at_(s, other, moment);
    if (number < t->cause) {
        t->cause = number;
        t->cause_track = other;
    }
}

/* What let the track's op start now: its predecessor on the stream or something it waited for. */
static void find_cause(rc_sim *s, rc_id id, rc_time now) {
    rc_track *t = &s->tracks[id];
    t->cause = RC_NONE;
    if (id < s->n_streams && t->ended == now && t->number != RC_NONE) {
        t->cause = t->number;
        t->cause_track = id;
    }
    for (uint32_t i = s->plan[t->at].waits; i < s->plan[t->at + 1].waits; i++) {
        const rc_wait *w = &s->waits[i];
        uint32_t previous = w->place >> 31;
        if (previous <= t->repetition)
            consider(s, t, w->track, rc_moment(t->repetition - previous, w->place & ~RC_PREVIOUS),
                     now);
    }
}

static rc_time *accounts_of(const rc_sim *s, rc_id track, unsigned side) {
    return s->booked + ((size_t)2 * track + side) * s->accounts;
}

/* The op at hand goes on from the accounts of its cause. Those of its own track are added to where
 * they are; others are copied to the track's other row, for until time advances an op may still
 * start from the last one here. */
static void take_accounts(rc_sim *s, rc_id id) {
    rc_track *t = &s->tracks[id];
    t->turn = t->cause != RC_NONE && t->cause_track != id;
    if (t->turn)
        memcpy(accounts_of(s, id, t->side ^ 1u),
               accounts_of(s, t->cause_track, s->tracks[t->cause_track].side),
               s->accounts * sizeof(rc_time));
}

static void book(rc_sim *s, rc_id id, const rc_plan *p, rc_time now) {
    rc_track *t = &s->tracks[id];
    unsigned account = p->account;
    rc_time took = now - t->start;
    if (p->account_slowed != p->account) {
        double alone = RC_KIND(p) == RC_OP_FLOW ? rc_flow_of(s, t)->alone : (double)p->duration;
        account = (double)took > alone + 1.0 ? p->account_slowed : account;
    }
    t->side ^= (uint8_t)t->turn;
    accounts_of(s, id, t->side)[account] += took;
}

/* ---- begin and end -------------------------------------------------------------------------- */

static void begin(rc_sim *s, rc_id id, rc_time now) {
    rc_track *t = &s->tracks[id];
    const rc_plan *p = &s->plan[t->at];
    t->start = now;
    t->state = RC_RUNNING;
    if (s->accounts > 1)
        take_accounts(s, id);
    class_enter(s, t->domain, RC_CLASS(p));
    if (RC_KIND(p) == RC_OP_FIXED)
        schedule(s, id, later(s, id, now, p->duration));
    else if (RC_KIND(p) == RC_OP_WORK)
        begin_work(s, id, now);
    else if (RC_KIND(p) == RC_OP_FLOW)
        begin_flow(s, id, now);
}

/* The last of a rendezvous has come: all start now, for the longest duration among them. The cause
 * of all is what let the last one come (the lowest such op when several came together). */
static void begin_group(rc_sim *s, rc_group *g, rc_time now) {
    const rc_id *members = s->members + g->member;
    rc_id cause = RC_NONE, cause_track = RC_NONE;
    rc_time longest = 0;
    for (uint32_t i = 0; i < g->size; i++) {
        const rc_track *t = &s->tracks[members[i]];
        if (t->ready == now && t->cause < cause) {
            cause = t->cause;
            cause_track = t->cause_track;
        }
        if (s->plan[t->at].duration > longest)
            longest = s->plan[t->at].duration;
    }
    for (uint32_t i = 0; i < g->size; i++) {
        rc_track *t = &s->tracks[members[i]];
        t->cause = cause;
        t->cause_track = cause_track;
        begin(s, members[i], now);
        schedule(s, members[i], later(s, members[i], now, longest));
    }
    g->came = 0;
    s->events++;
}

/* Nothing is waited for any longer. */
static void become_ready(rc_sim *s, rc_id id, rc_time now) {
    rc_track *t = &s->tracks[id];
    const rc_plan *p = &s->plan[t->at];
    if (s->causes)
        find_cause(s, id, now);
    if (RC_KIND(p) != RC_OP_RENDEZVOUS) {
        begin(s, id, now);
        return;
    }
    rc_group *g = &RC_GROUPS(s)[p->more];
    t->ready = now;
    t->state = RC_MEETING;
    if (++g->came == g->size)
        begin_group(s, g, now);
}

/* Queue at track `other` until it has passed the moment t->need; behind those that need the
 * same. */
static void queue_at(rc_sim *s, rc_track *o, rc_id id) {
    rc_track *t = &s->tracks[id];
    t->next_waiter = RC_NONE;
    if (o->first_waiter == RC_NONE) {
        o->first_waiter = o->last_waiter = id;
    } else if (s->tracks[o->last_waiter].need <= t->need) {
        s->tracks[o->last_waiter].next_waiter = id;
        o->last_waiter = id;
    } else {
        rc_id *at = &o->first_waiter;
        while (s->tracks[*at].need <= t->need)
            at = &s->tracks[*at].next_waiter;
        t->next_waiter = *at;
        *at = id;
    }
}

/* Look at what the track's op waits for, from t->wait on: start it, or queue. */
static void look_on(rc_sim *s, rc_id id, rc_time now) {
    rc_track *t = &s->tracks[id];
    uint32_t end = s->plan[t->at + 1].waits;
    for (; t->wait < end; t->wait++) {
        const rc_wait *w = &s->waits[t->wait];
        uint32_t previous = w->place >> 31;
        rc_track *o = &s->tracks[w->track];
        if (previous > t->repetition)
            continue;
        t->need = rc_moment(t->repetition - previous, w->place & ~RC_PREVIOUS);
        if (o->progress <= t->need) {
            queue_at(s, o, id);
            return;
        }
    }
    become_ready(s, id, now);
}

/* An op without a stream may start at once only when the last thing that it waits for has ended
 * just now: else it would have started before, while the op of the repetition before was
 * running. */
static bool overtaken(const rc_sim *s, const rc_track *t, rc_time now) {
    for (uint32_t i = s->plan[t->at].waits; i < s->plan[t->at + 1].waits; i++) {
        const rc_wait *w = &s->waits[i];
        uint32_t previous = w->place >> 31;
        const rc_track *o = &s->tracks[w->track];
        if (previous > t->repetition)
            continue;
        uint64_t need = rc_moment(t->repetition - previous, w->place & ~RC_PREVIOUS);
        if (o->progress <= need || (o->ended == now && need >= o->since))
            return false;
    }
    return true;
}

/* To the track's first op in this repetition or a later one. False when none is left. */
static bool next_repetition(rc_sim *s, rc_id id, uint32_t repetition) {
    rc_track *t = &s->tracks[id];
    for (; repetition < s->n_repetitions; repetition++) {
        const uint32_t *start = RC_LISTS(s)[s->repetitions[repetition].template].start + id;
        if (start[0] == start[1])
            continue;
        t->at = start[0];
        t->end = start[1];
        t->repetition = repetition;
        t->progress = rc_moment(repetition, 0);
        return true;
    }
    t->progress = rc_moment(repetition, 0);
    t->state = RC_DONE;
    return false;
}

/* The track's next op waits or starts. */
static void go_on(rc_sim *s, rc_id id, rc_time now) {
    rc_track *t = &s->tracks[id];
    t->state = RC_WAITING;
    t->wait = s->plan[t->at].waits;
    const rc_plan *next = &s->plan[t->at + 1];
    /* What follows the last op reads as a flow, even where there are none: an address, no element. */
    if (RC_KIND(next) == RC_OP_FLOW)
        RC_PREFETCH((const void *)((uintptr_t)s->flows.at + next->more * sizeof(rc_flow)));
    RC_PREFETCH(&s->plan[t->at + RC_AHEAD]);
    RC_PREFETCH(&s->waits[t->wait + 2 * RC_AHEAD]);
    if (id >= s->n_streams && t->number != RC_NONE && overtaken(s, t, now) &&
        s->overtaken == RC_NONE)
        s->overtaken = rc_sim_number_at_(s, id, t->progress);
    look_on(s, id, now);
}

static uint64_t mixed(uint64_t hash, uint64_t x) {
    return (hash ^ x) * 0x100000001b3u;
}

static void keep(rc_sim *s, const rc_track *t, const rc_plan *p, rc_id number, rc_time now) {
    const rc_repetition *r = &s->repetitions[t->repetition];
    size_t at = number;
    if (!s->keep_all)
        at = r->kept + s->kept_at[RC_LISTS(s)[r->template].first + p->number];
    s->results[at] = (rc_result){t->start, now, t->cause};
}

/* What is noted of an op that ends. */
static void note(rc_sim *s, rc_id id, const rc_plan *p, rc_time now) {
    rc_track *t = &s->tracks[id];
    rc_id number = s->repetitions[t->repetition].number + p->number;
    if (t->ended != now) {
        t->ended = now;
        t->since = t->progress;
    }
    t->latest = t->progress;
    t->number = number;
    if (now != s->end || number < s->last) {
        s->end = now;
        s->last = number;
        s->last_track = id;
    }
    s->order_hash = mixed(mixed(mixed(s->order_hash, number), (uint64_t)t->start), (uint64_t)now);
    s->ended++;
    if (s->accounts > 1)
        book(s, id, p, now);
    if (p->keep)
        keep(s, t, p, number, now);
}

static void finish(rc_sim *s, rc_id id, rc_time now) {
    rc_track *t = &s->tracks[id];
    const rc_plan *p = &s->plan[t->at];
    assert(t->state == RC_RUNNING);
    note(s, id, p, now);
    class_leave(s, t->domain, RC_CLASS(p));
    if (RC_KIND(p) == RC_OP_WORK) {
        delist(s, t);
    } else if (RC_KIND(p) == RC_OP_FLOW && shares_links(rc_flow_of(s, t))) {
        delist(s, t);
        rc_flow_leave_(s, id);
    }
    s->events += RC_KIND(p) != RC_OP_RENDEZVOUS;
    bool more = true;
    if (++t->at < t->end)
        t->progress++;
    else
        more = next_repetition(s, id, t->repetition + 1);
    if (more)
        go_on(s, id, now);
    while (t->first_waiter != RC_NONE && s->tracks[t->first_waiter].need < t->progress) {
        rc_id waiter = t->first_waiter;
        t->first_waiter = s->tracks[waiter].next_waiter;
        look_on(s, waiter, now);
    }
}

/* ---- a whole run ---------------------------------------------------------------------------- */

static void settle_rates(rc_sim *s) {
    rc_time now = s->q->now;
    for (size_t i = 0; i < s->n_dirty_domains; i++)
        set_rates(s, &RC_DOMAINS(s)[s->dirty_domains[i]], now);
    s->n_dirty_domains = 0;
    rc_flow_share_(s, set_share, now);
}

static void run(rc_sim *s) {
    s->order_hash = 0xcbf29ce484222325u;
    for (rc_id id = 0; id < s->n_tracks; id++)
        if (next_repetition(s, id, 0))
            go_on(s, id, 0);
    do {
        if (s->n_dirty_domains + s->n_dirty_links > 0 && rc_eventq_next_inline(s->q) > s->q->now)
            settle_rates(s);
    } while (rc_eventq_step_inline(s->q));
}

rc_status rc_sim_run(rc_sim *s, rc_error *err) {
    assert(s != NULL);
    RC_TRY(rc_sim_prepare_(s, err));
    run(s);
    if (s->overtaken != RC_NONE)
        return rc_fail(err, RC_E_INTERNAL,
                       "op %u, which is on no stream, could begin before that of the repetition "
                       "before had ended: give it a stream, or something to wait for",
                       s->overtaken);
    if (s->overflow != RC_NONE)
        return rc_fail(err, RC_E_INPUT, "op %u would end after 106 days, the range of time",
                       s->overflow);
    return s->ended == s->n_ops ? RC_OK : rc_sim_report_stuck_(s, err);
}
