/* Links shared max-min fairly.
 *
 * Why levels may be found link by link: the level of a link is that of water poured over the limits
 * of its flows, which are their caps and the levels of their other links. The link with the least
 * fair share of all has its level right once it was asked, whatever the others say, for no limit is
 * below; then the next least, and so on. A set of levels in which each follows from the others is
 * the max-min fair one (Bertsekas and Gallager, Data Networks, 6.5.2).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/fair_links.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define NONE UINT32_MAX
#define SAME 1e-12 /* relative: rates that differ by rounding are one */
#define SLACK 1e-4 /* of a link's rate: by so much its flows may change before it is asked again */
enum { FIRST_ROOM = 16 };

typedef struct moving { /* a flow */
    uint32_t arg, next; /* next: of those that start, of free ones */
    double bytes;
    double mark; /* bytes that a flow of the bundle has moved when this one ends */
    rc_time starts;
    uint64_t order;
} moving;

typedef struct bundle {
    uint32_t end[2];           /* links: sender's, receiver's */
    uint32_t next[2], prev[2]; /* bundles of the same sender, receiver */
    uint32_t count;            /* flows */
    double cap, rate;
    double moved; /* by each flow that has begun, at `last` */
    rc_time last;
    uint32_t *heap, begun, room; /* flows that have begun, by mark */
    uint32_t starting;           /* flows that have not: a list */
    rc_time due;                 /* when the first of them ends */
    uint32_t place;              /* in the heap of bundles */
    bool touched;
} bundle;

typedef struct link {
    double rate, level; /* level: INFINITY when it holds nobody back */
    double asked;       /* sum of the limits of its flows */
    double drift;       /* changes of what its flows take, since it was asked */
    uint32_t head, flows;
    int side; /* of its bundles: 0 sender, 1 receiver */
    bool waits;
} link;

struct fair_links {
    link *links;
    uint32_t link_count;
    moving *flows;
    uint32_t flow_room, flow_used, free_flow;
    bundle *bundles;
    uint32_t bundle_room, bundle_used, free_bundle;
    uint32_t *due; /* heap of bundles by due */
    uint32_t due_count;
    uint32_t *ask; /* links whose level is to be found: a ring of link_count */
    uint32_t ask_first, ask_count;
    uint32_t *touched; /* bundles whose rate may change */
    uint32_t touched_count;
    uint64_t order;
};

static double least(double a, double b) {
    return a < b ? a : b;
}

/* ---- heaps ---------------------------------------------------------------------------- */

static bool ends_before(const fair_links *n, uint32_t a, uint32_t b) {
    const moving *x = &n->flows[a], *y = &n->flows[b];
    return x->mark < y->mark || (!(x->mark > y->mark) && x->order < y->order);
}

static void flow_sift(const fair_links *n, bundle *b, uint32_t i) {
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

static bool due_before(const fair_links *n, uint32_t a, uint32_t b) {
    const bundle *x = &n->bundles[a], *y = &n->bundles[b];
    if (x->due != y->due)
        return x->due < y->due;
    return x->end[0] != y->end[0] ? x->end[0] < y->end[0] : x->end[1] < y->end[1];
}

static void due_put(fair_links *n, uint32_t i, uint32_t b) {
    n->due[i] = b;
    n->bundles[b].place = i;
}

static void due_sift(fair_links *n, uint32_t i) {
    uint32_t b = n->due[i];
    for (; i > 0 && due_before(n, b, n->due[(i - 1) / 2]); i = (i - 1) / 2)
        due_put(n, i, n->due[(i - 1) / 2]);
    for (uint32_t c = 2 * i + 1; c < n->due_count; c = 2 * i + 1) {
        if (c + 1 < n->due_count && due_before(n, n->due[c + 1], n->due[c]))
            c++;
        if (!due_before(n, n->due[c], b))
            break;
        due_put(n, i, n->due[c]);
        i = c;
    }
    due_put(n, i, b);
}

static void due_remove(fair_links *n, uint32_t b) {
    uint32_t i = n->bundles[b].place, last = n->due[--n->due_count];
    if (last == b)
        return;
    due_put(n, i, last);
    due_sift(n, i);
}

/* ---- a bundle in time ----------------------------------------------------------------- */

static void begin_flow(fair_links *n, bundle *b, uint32_t f) {
    b->heap[b->begun++] = f; /* there is room for all flows of the bundle */
    flow_sift(n, b, b->begun - 1);
}

/* Move what was moved until `now`, at the rate there was; flows that have started begin. */
static void settle(fair_links *n, bundle *b, rc_time now) {
    assert(now >= b->last);
    for (uint32_t *at = &b->starting; *at != NONE;) {
        moving *f = &n->flows[*at];
        uint32_t i = *at;
        if (f->starts > now) {
            at = &f->next;
            continue;
        }
        rc_time since = f->starts > b->last ? f->starts - b->last : 0;
        f->mark = b->moved + b->rate * (double)since / RC_PS_PER_S + f->bytes;
        *at = f->next;
        begin_flow(n, b, i);
    }
    b->moved += b->rate * (double)(now - b->last) / RC_PS_PER_S;
    b->last = now;
}

static rc_time after(rc_time from, double bytes, double rate) {
    assert(rate > 0.0);
    return from + (rc_time)ceil(fmax(bytes, 0.0) / rate * RC_PS_PER_S);
}

static void find_due(fair_links *n, uint32_t at) {
    bundle *b = &n->bundles[at];
    b->due = RC_TIME_NEVER;
    if (b->begun > 0)
        b->due = after(b->last, n->flows[b->heap[0]].mark - b->moved, b->rate);
    for (uint32_t i = b->starting; i != NONE; i = n->flows[i].next) {
        rc_time end = after(n->flows[i].starts, n->flows[i].bytes, b->rate);
        b->due = end < b->due ? end : b->due;
    }
    due_sift(n, b->place);
}

/* ---- levels --------------------------------------------------------------------------- */

static void ask(fair_links *n, uint32_t l) {
    if (n->links[l].waits)
        return;
    n->links[l].waits = true;
    n->ask[(n->ask_first + n->ask_count++) % n->link_count] = l;
}

static void touch(fair_links *n, uint32_t b) {
    if (n->bundles[b].touched)
        return;
    n->bundles[b].touched = true;
    n->touched[n->touched_count++] = b;
}

/* What holds a flow of the bundle back beside the link on that side. */
static double limit(const fair_links *n, const bundle *b, int side) {
    return least(b->cap, n->links[b->end[1 - side]].level);
}

/* Water over the limits: flows whose limit is below the level run at their limit. */
static double level_of(fair_links *n, link *l) {
    double level = 0.0;
    l->asked = l->drift = 0.0;
    for (uint32_t i = l->head; i != NONE; i = n->bundles[i].next[l->side])
        l->asked += n->bundles[i].count * limit(n, &n->bundles[i], l->side);
    if (l->asked <= l->rate * (1.0 + SAME))
        return INFINITY;
    for (uint32_t held = 0, before = NONE; held != before;) {
        double left = l->rate;
        before = held;
        held = l->flows;
        for (uint32_t i = l->head; i != NONE; i = n->bundles[i].next[l->side]) {
            const bundle *b = &n->bundles[i];
            double most = limit(n, b, l->side);
            if (most > level * (1.0 + SAME))
                continue;
            left -= b->count * most;
            held -= b->count;
        }
        if (held > 0)
            level = left / held;
    }
    return level;
}

/* The other links of flows that see another limit now. A change that is little for a link is
 * remembered there; else every flow that comes or goes would reach every link of a full network. */
static void tell_others(fair_links *n, const link *l, double before) {
    for (uint32_t i = l->head; i != NONE; i = n->bundles[i].next[l->side]) {
        const bundle *b = &n->bundles[i];
        link *other = &n->links[b->end[1 - l->side]];
        double was = least(b->cap, before), is = least(b->cap, l->level);
        touch(n, i);
        if (!(is > was) && !(is < was))
            continue;
        other->asked += b->count * (is - was);
        other->drift += b->count * fabs(least(is, other->level) - least(was, other->level));
        if (isinf(other->level) ? other->asked > other->rate * (1.0 + SLACK)
                                : other->drift > other->rate * SLACK)
            ask(n, b->end[1 - l->side]);
    }
}

static void find_levels(fair_links *n) {
    while (n->ask_count > 0) {
        link *l = &n->links[n->ask[n->ask_first]];
        n->ask_first = (n->ask_first + 1) % n->link_count;
        n->ask_count--;
        l->waits = false;
        double before = l->level, level = level_of(n, l);
        if (isinf(level) ? isinf(before) : fabs(level - before) <= SAME * level)
            continue;
        l->level = level;
        tell_others(n, l, before);
    }
}

static void share(fair_links *n, rc_time now) {
    find_levels(n);
    for (uint32_t i = 0; i < n->touched_count; i++) {
        bundle *b = &n->bundles[n->touched[i]];
        b->touched = false;
        if (b->count == 0)
            continue;
        settle(n, b, now);
        b->rate = least(limit(n, b, 0), n->links[b->end[0]].level);
        find_due(n, n->touched[i]);
    }
    n->touched_count = 0;
}

/* ---- bundles -------------------------------------------------------------------------- */

static uint32_t find_bundle(const fair_links *n, uint32_t from, uint32_t to) {
    uint32_t i = n->links[from].head;
    while (i != NONE && n->bundles[i].end[1] != to)
        i = n->bundles[i].next[0];
    return i;
}

static bool more_bundles(fair_links *n) {
    uint32_t room = n->bundle_room ? 2 * n->bundle_room : FIRST_ROOM;
    bundle *bundles = realloc(n->bundles, room * sizeof *bundles);
    if (!bundles)
        return false;
    n->bundles = bundles;
    uint32_t *due = realloc(n->due, room * sizeof *due);
    if (!due)
        return false;
    n->due = due;
    uint32_t *touched = realloc(n->touched, room * sizeof *touched);
    if (!touched)
        return false;
    n->touched = touched;
    n->bundle_room = room;
    return true;
}

static uint32_t new_bundle(fair_links *n, const fair_flow *f, rc_time now) {
    uint32_t at = n->free_bundle;
    uint32_t *heap = NULL, room = 0;
    if (at != NONE) {
        n->free_bundle = n->bundles[at].next[0];
        heap = n->bundles[at].heap; /* memory that it had before */
        room = n->bundles[at].room;
    } else if (n->bundle_used < n->bundle_room || more_bundles(n)) {
        at = n->bundle_used++;
    } else {
        return NONE;
    }
    bundle *b = &n->bundles[at];
    *b = (bundle){.end = {f->from, f->to},
                  .cap = f->cap,
                  .last = now,
                  .heap = heap,
                  .room = room,
                  .starting = NONE,
                  .due = RC_TIME_NEVER};
    for (int side = 0; side < 2; side++) {
        link *l = &n->links[b->end[side]];
        l->side = side;
        b->prev[side] = NONE;
        b->next[side] = l->head;
        if (l->head != NONE)
            n->bundles[l->head].prev[side] = at;
        l->head = at;
    }
    due_put(n, n->due_count++, at);
    return at;
}

static void drop_bundle(fair_links *n, uint32_t at) {
    bundle *b = &n->bundles[at];
    for (int side = 0; side < 2; side++) {
        *(b->prev[side] == NONE ? &n->links[b->end[side]].head
                                : &n->bundles[b->prev[side]].next[side]) = b->next[side];
        if (b->next[side] != NONE)
            n->bundles[b->next[side]].prev[side] = b->prev[side];
    }
    due_remove(n, at);
    b->next[0] = n->free_bundle;
    n->free_bundle = at;
}

/* One flow more or less: its links are asked, and what it asked for is in their sums. */
static void count_flow(fair_links *n, uint32_t at, int change) {
    bundle *b = &n->bundles[at];
    b->count += (uint32_t)change;
    for (int side = 0; side < 2; side++) {
        n->links[b->end[side]].flows += (uint32_t)change;
        ask(n, b->end[side]);
    }
    touch(n, at);
}

/* ---- flows ---------------------------------------------------------------------------- */

static uint32_t new_flow(fair_links *n) {
    uint32_t f = n->free_flow;
    if (f != NONE) {
        n->free_flow = n->flows[f].next;
        return f;
    }
    if (n->flow_used == n->flow_room) {
        uint32_t room = n->flow_room ? 2 * n->flow_room : FIRST_ROOM;
        moving *more = realloc(n->flows, room * sizeof *more);
        if (!more)
            return NONE;
        n->flows = more;
        n->flow_room = room;
    }
    return n->flow_used++;
}

static bool heap_room(bundle *b) {
    if (b->count < b->room)
        return true;
    uint32_t room = b->room ? 2 * b->room : 2;
    uint32_t *more = realloc(b->heap, room * sizeof *more);
    if (!more)
        return false;
    b->heap = more;
    b->room = room;
    return true;
}

rc_status fair_links_add(fair_links *n, const fair_flow *f, rc_time now, rc_error *err) {
    assert(f->from < n->link_count && f->to < n->link_count);
    assert(f->from != f->to);
    uint32_t at = find_bundle(n, f->from, f->to), i = new_flow(n);
    if (at == NONE && i != NONE)
        at = new_bundle(n, f, now);
    if (i == NONE || at == NONE || !heap_room(&n->bundles[at]))
        return rc_fail(err, RC_E_NOMEM, "out of memory for KV transfers");
    bundle *b = &n->bundles[at];
    settle(n, b, now);
    n->flows[i] = (moving){.arg = f->arg,
                           .next = b->starting,
                           .bytes = f->bytes,
                           .starts = f->starts,
                           .order = n->order++};
    b->starting = i;
    count_flow(n, at, +1);
    share(n, now);
    return RC_OK;
}

static void end_flow(fair_links *n, uint32_t at, uint32_t f, rc_time now) {
    n->flows[f].next = n->free_flow;
    n->flows[f].arg = NONE;
    n->free_flow = f;
    count_flow(n, at, -1);
    if (n->bundles[at].count == 0)
        drop_bundle(n, at);
    share(n, now);
}

/* Out of its bundle's heap, or out of those that start. */
static bool leave_bundle(fair_links *n, bundle *b, uint32_t f) {
    for (uint32_t *at = &b->starting; *at != NONE; at = &n->flows[*at].next) {
        if (*at != f)
            continue;
        *at = n->flows[f].next;
        return true;
    }
    for (uint32_t i = 0; i < b->begun; i++) {
        if (b->heap[i] != f)
            continue;
        b->heap[i] = b->heap[--b->begun];
        if (i < b->begun)
            flow_sift(n, b, i);
        return true;
    }
    return false;
}

/* Rare: a node was lost. So it looks through all flows. */
bool fair_links_drop(fair_links *n, uint32_t arg, rc_time now) {
    uint32_t f = 0;
    while (f < n->flow_used && n->flows[f].arg != arg)
        f++;
    for (uint32_t i = 0; i < n->due_count && f < n->flow_used; i++) {
        uint32_t at = n->due[i];
        if (!leave_bundle(n, &n->bundles[at], f))
            continue;
        end_flow(n, at, f, now);
        return true;
    }
    return false;
}

rc_time fair_links_next(const fair_links *n) {
    return n->due_count > 0 ? n->bundles[n->due[0]].due : RC_TIME_NEVER;
}

uint32_t fair_links_take(fair_links *n, rc_time now) {
    assert(fair_links_next(n) == now);
    uint32_t at = n->due[0];
    bundle *b = &n->bundles[at];
    settle(n, b, now);
    uint32_t f = b->heap[0], arg = n->flows[f].arg;
    (void)leave_bundle(n, b, f);
    end_flow(n, at, f, now);
    return arg;
}

double fair_links_rate(const fair_links *n, uint32_t from, uint32_t to) {
    uint32_t at = find_bundle(n, from, to);
    assert(at != NONE);
    return n->bundles[at].rate;
}

/* ---- life ----------------------------------------------------------------------------- */

rc_status fair_links_create(const double *rate, uint32_t count, fair_links **out, rc_error *err) {
    fair_links *n = calloc(1, sizeof *n);
    *out = n;
    if (n) {
        n->free_flow = n->free_bundle = NONE;
        n->link_count = count;
        n->links = calloc(count, sizeof *n->links);
        n->ask = calloc(count, sizeof *n->ask);
    }
    if (!n || !n->links || !n->ask)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the network");
    for (uint32_t i = 0; i < count; i++)
        n->links[i] = (link){.rate = rate[i], .level = INFINITY, .head = NONE};
    return RC_OK;
}

void fair_links_destroy(fair_links *n) {
    if (!n)
        return;
    for (uint32_t i = 0; i < n->bundle_used; i++)
        free(n->bundles[i].heap);
    free(n->bundles);
    free(n->due);
    free(n->touched);
    free(n->flows);
    free(n->links);
    free(n->ask);
    free(n);
}
