/* Flows in time. All flows of a holder move the same in the same time, so when its rate changes nothing is done
 * for each of them: a flow ends when those of its holder have moved so much, which is known when it starts.
 * The first to end of a bundle, of a holder and of all holders are at the tops of heaps.
 *
 * A flow that has not started yet has no such mark, for the rate may change until then; its bundle is in
 * its holder's list of early ones, whose keys are found again with every change.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/serve/fair_internal.h"

/* ---- heaps ---------------------------------------------------------------------------- */

static bool ends_before(const fair_links *n, uint32_t a, uint32_t b) {
    const fair_moving *x = &n->flows[a], *y = &n->flows[b];
    return x->mark < y->mark || (!(x->mark > y->mark) && x->order < y->order);
}

static void flow_sift(const fair_links *n, fair_bundle *b, uint32_t i) {
    uint32_t f = b->heap[i];
    for (; i > 0 && ends_before(n, f, b->heap[(i - 1) / 2]); i = (i - 1) / 2)
        b->heap[i] = b->heap[(i - 1) / 2];
    for (uint32_t c = 2 * i + 1; c < b->begun; c = 2 * i + 1) {
        if (c + 1 < b->begun && ends_before(n, b->heap[c + 1], b->heap[c]))
            c++;
        if (!ends_before(n, b->heap[c], f))
            break;
        b->heap[i] = b->heap[c];
        i = c;
    }
    b->heap[i] = f;
}

static bool by_ends(const uint32_t x[2], const uint32_t y[2]) {
    return x[0] != y[0] ? x[0] < y[0] : x[1] < y[1];
}

static bool key_before(const fair_links *n, uint32_t a, uint32_t b) {
    const fair_bundle *x = &n->bundles[a], *y = &n->bundles[b];
    return x->key < y->key || (!(x->key > y->key) && by_ends(x->end, y->end));
}

static void key_put(fair_links *n, fair_holder *p, uint32_t i, uint32_t b) {
    p->heap[i] = b;
    n->bundles[b].place = i;
}

static void key_sift(fair_links *n, fair_holder *p, uint32_t i) {
    uint32_t b = p->heap[i];
    for (; i > 0 && key_before(n, b, p->heap[(i - 1) / 2]); i = (i - 1) / 2)
        key_put(n, p, i, p->heap[(i - 1) / 2]);
    for (uint32_t c = 2 * i + 1; c < p->count; c = 2 * i + 1) {
        if (c + 1 < p->count && key_before(n, p->heap[c + 1], p->heap[c]))
            c++;
        if (!key_before(n, p->heap[c], b))
            break;
        key_put(n, p, i, p->heap[c]);
        i = c;
    }
    key_put(n, p, i, b);
}

static bool due_before(const fair_links *n, uint32_t a, uint32_t b) {
    const fair_holder *x = &n->holders[a], *y = &n->holders[b];
    return x->due != y->due ? x->due < y->due : by_ends(x->end, y->end);
}

static void due_put(fair_links *n, uint32_t i, uint32_t p) {
    n->due[i] = p;
    n->holders[p].place = i;
}

static void due_sift(fair_links *n, uint32_t i) {
    uint32_t p = n->due[i];
    for (; i > 0 && due_before(n, p, n->due[(i - 1) / 2]); i = (i - 1) / 2)
        due_put(n, i, n->due[(i - 1) / 2]);
    for (uint32_t c = 2 * i + 1; c < n->holder_count; c = 2 * i + 1) {
        if (c + 1 < n->holder_count && due_before(n, n->due[c + 1], n->due[c]))
            c++;
        if (!due_before(n, n->due[c], p))
            break;
        due_put(n, i, n->due[c]);
        i = c;
    }
    due_put(n, i, p);
}

/* ---- a bundle of a holder that was advanced ---------------------------------------------- */

static double moved_in(const fair_holder *p, rc_time span) {
    return p->rate * (double)span / RC_PS_PER_S;
}

/* What the flows of the holder have moved when this one ends, at the rate there is until it starts. */
static double end_of(const fair_holder *p, const fair_moving *f) {
    rc_time until = f->starts > p->last ? f->starts - p->last : 0;
    return p->moved + moved_in(p, until) + f->bytes;
}

static void early_push(fair_links *n, uint32_t at) {
    fair_bundle *b = &n->bundles[at];
    fair_holder *p = &n->holders[b->holder];
    b->early_prev = FAIR_NONE;
    b->early_next = p->early;
    if (p->early != FAIR_NONE)
        n->bundles[p->early].early_prev = at;
    p->early = at;
}

static void early_drop(fair_links *n, uint32_t at) {
    fair_bundle *b = &n->bundles[at];
    *(b->early_prev == FAIR_NONE ? &n->holders[b->holder].early
                                 : &n->bundles[b->early_prev].early_next) = b->early_next;
    if (b->early_next != FAIR_NONE)
        n->bundles[b->early_next].early_prev = b->early_prev;
}

/* Flows of the bundle that have started by `now`, at the rate there was until then, begin. */
static void begin(fair_links *n, fair_bundle *b, rc_time now) {
    const fair_holder *p = &n->holders[b->holder];
    for (uint32_t *at = &b->starting; *at != FAIR_NONE;) {
        uint32_t f = *at;
        fair_moving *x = &n->flows[f];
        if (x->starts > now) {
            at = &x->next;
            continue;
        }
        x->mark = end_of(p, x) - b->offset;
        *at = x->next;
        b->heap[b->begun++] = f; /* there is room for all flows of the bundle */
        flow_sift(n, b, b->begun - 1);
    }
}

static void find_key(fair_links *n, fair_bundle *b) {
    fair_holder *p = &n->holders[b->holder];
    b->key = b->begun > 0 ? b->offset + n->flows[b->heap[0]].mark : INFINITY;
    for (uint32_t f = b->starting; f != FAIR_NONE; f = n->flows[f].next)
        b->key = fmin(b->key, end_of(p, &n->flows[f]));
    key_sift(n, p, b->place);
}

void fair_enter(fair_links *n, uint32_t at, uint32_t holder, double moved) {
    fair_bundle *b = &n->bundles[at];
    fair_holder *p = &n->holders[holder];
    b->holder = holder;
    b->offset = p->moved - moved;
    key_put(n, p, p->count++, at); /* there is room for all bundles that may come */
    if (b->starting != FAIR_NONE)
        early_push(n, at);
    find_key(n, b);
    fair_stale(n, holder);
}

double fair_exit(fair_links *n, uint32_t at) {
    fair_bundle *b = &n->bundles[at];
    fair_holder *p = &n->holders[b->holder];
    uint32_t i = b->place, last = p->heap[--p->count];
    if (last != at) {
        key_put(n, p, i, last);
        key_sift(n, p, i);
    }
    if (b->starting != FAIR_NONE)
        early_drop(n, at);
    fair_stale(n, b->holder);
    return p->moved - b->offset;
}

void fair_start(fair_links *n, uint32_t at, uint32_t flow) {
    fair_bundle *b = &n->bundles[at];
    if (b->starting == FAIR_NONE)
        early_push(n, at);
    n->flows[flow].next = b->starting;
    b->starting = flow;
    fair_stale(n, b->holder);
}

bool fair_stop(fair_links *n, uint32_t at, uint32_t flow) {
    fair_bundle *b = &n->bundles[at];
    uint32_t i = 0, *link = &b->starting;
    while (i < b->begun && b->heap[i] != flow)
        i++;
    while (i == b->begun && *link != FAIR_NONE && *link != flow)
        link = &n->flows[*link].next;
    if (i < b->begun) {
        b->heap[i] = b->heap[--b->begun];
        if (i < b->begun)
            flow_sift(n, b, i);
    } else if (*link == flow) {
        *link = n->flows[flow].next;
        if (b->starting == FAIR_NONE)
            early_drop(n, at);
    } else {
        return false;
    }
    find_key(n, b);
    fair_stale(n, b->holder);
    return true;
}

/* ---- holders ---------------------------------------------------------------------------- */

void fair_advance(fair_links *n, uint32_t holder, rc_time now) {
    fair_holder *p = &n->holders[holder];
    assert(now >= p->last);
    for (uint32_t at = p->early; at != FAIR_NONE;) {
        uint32_t next = n->bundles[at].early_next;
        begin(n, &n->bundles[at], now);
        find_key(n, &n->bundles[at]);
        if (n->bundles[at].starting == FAIR_NONE)
            early_drop(n, at);
        at = next;
    }
    p->moved = p->count > 0 ? p->moved + moved_in(p, now - p->last) : 0.0;
    p->last = now;
}

void fair_stale(fair_links *n, uint32_t holder) {
    if (!n->holders[holder].stale)
        n->stale[n->stale_count++] = holder;
    n->holders[holder].stale = true;
}

static void find_due(fair_links *n, fair_holder *p) {
    p->due = RC_TIME_NEVER;
    if (p->count > 0) {
        const fair_bundle *first = &n->bundles[p->heap[0]];
        double bytes = fmax(first->key - p->moved, 0.0);
        assert(p->rate > 0.0);
        p->due = p->last + (rc_time)ceil(bytes / p->rate * RC_PS_PER_S);
        p->end[0] = first->end[0];
        p->end[1] = first->end[1];
    }
    due_sift(n, p->place);
}

void fair_find_dues(fair_links *n) {
    while (n->stale_count > 0) {
        fair_holder *p = &n->holders[n->stale[--n->stale_count]];
        for (uint32_t at = p->early; at != FAIR_NONE; at = n->bundles[at].early_next)
            find_key(n, &n->bundles[at]);
        p->stale = false;
        find_due(n, p);
    }
}
