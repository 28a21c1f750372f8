/* Links shared max-min fairly: flows come, end and are dropped. Each time the levels of the links that are
 * concerned are found again (fair_levels.c), bundles that another link holds back now change their holder,
 * and when the next flow ends is found for the holders that changed (fair_holders.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/fair_links.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/serve/fair_internal.h"

/* ---- rates ---------------------------------------------------------------------------- */

static void move_to(fair_links *n, uint32_t at, uint32_t holder, rc_time now) {
    fair_bundle *b = &n->bundles[at];
    fair_advance(n, b->holder, now);
    fair_advance(n, holder, now);
    fair_enter(n, at, holder, fair_exit(n, at));
    for (int side = 0; side < 2; side++)
        n->links[b->end[side]].at[b->at[side]].held = b->end[side] == holder;
}

/* The bundle's holder is what holds it back most: its cap or one of its links. Of those that are alike but for
 * rounding it stays at the one it has. */
static void find_holder(fair_links *n, uint32_t at, rc_time now) {
    const fair_bundle *b = &n->bundles[at];
    uint32_t best = b->cap;
    double rate = n->holders[best].rate;
    for (int side = 0; side < 2; side++) {
        if (n->links[b->end[side]].level >= rate)
            continue;
        best = b->end[side];
        rate = n->links[best].level;
    }
    double mine = b->holder == b->cap ? n->holders[b->cap].rate : n->links[b->holder].level;
    if (best != b->holder && mine > rate * (1.0 + FAIR_SAME))
        move_to(n, at, best, now);
}

/* Bundles that the link did not hold back and does now, or the other way round. */
static void find_held(fair_links *n, uint32_t link, rc_time now) {
    const fair_link *l = &n->links[link];
    double more = l->level * (1.0 + FAIR_SAME), less = l->level * (1.0 - FAIR_SAME);
    for (uint32_t i = 0; i < l->count; i++)
        if (l->at[i].held != (l->at[i].limit > (l->at[i].held ? less : more)))
            find_holder(n, l->at[i].bundle, now);
}

/* `bundle`: whose flows changed, or FAIR_NONE. */
static void share(fair_links *n, uint32_t bundle, rc_time now) {
    fair_find_levels(n);
    for (uint32_t i = 0; i < n->changed_count; i++) {
        uint32_t at = n->changed[i];
        fair_advance(n, at, now);
        fair_stale(n, at);
        if (!isinf(n->links[at].level))
            n->holders[at].rate = n->links[at].level;
    }
    for (uint32_t i = 0; i < n->changed_count; i++) {
        n->links[n->changed[i]].changed = false;
        find_held(n, n->changed[i], now);
    }
    n->changed_count = 0;
    if (bundle != FAIR_NONE)
        find_holder(n, bundle, now);
    fair_find_dues(n);
}

/* ---- memory --------------------------------------------------------------------------- */

static bool more(void **at, size_t size, uint32_t room) {
    void *grown = realloc(*at, size * room);
    if (grown)
        *at = grown;
    return grown != NULL;
}

static bool member_room(fair_links *n, uint32_t link) {
    fair_link *l = &n->links[link];
    uint32_t room = l->room ? 2 * l->room : 4;
    if (l->count < l->room)
        return true;
    if (!more((void **)&l->at, sizeof *l->at, room) ||
        !more((void **)&n->holders[link].heap, sizeof *n->holders[link].heap, room))
        return false;
    l->room = room;
    return true;
}

/* The holder of a cap may hold every bundle. */
static bool bundle_room(fair_links *n) {
    uint32_t room = n->bundle_room ? 2 * n->bundle_room : FAIR_FIRST_ROOM;
    if (n->free_bundle != FAIR_NONE || n->bundle_used < n->bundle_room)
        return true;
    if (!more((void **)&n->bundles, sizeof *n->bundles, room))
        return false;
    for (uint32_t i = n->link_count; i < n->holder_count; i++)
        if (!more((void **)&n->holders[i].heap, sizeof *n->holders[i].heap, room))
            return false;
    n->bundle_room = room;
    return true;
}

static bool heap_room(fair_bundle *b) {
    uint32_t room = b->room ? 2 * b->room : 2;
    if (b->count < b->room)
        return true;
    if (!more((void **)&b->heap, sizeof *b->heap, room))
        return false;
    b->room = room;
    return true;
}

static uint32_t new_holder(fair_links *n, double cap) {
    uint32_t at = n->holder_count, count = at + 1;
    if (!more((void **)&n->holders, sizeof *n->holders, count) ||
        !more((void **)&n->due, sizeof *n->due, count) ||
        !more((void **)&n->stale, sizeof *n->stale, count))
        return FAIR_NONE;
    fair_holder *p = &n->holders[at];
    *p = (fair_holder){.rate = cap, .due = RC_TIME_NEVER, .early = FAIR_NONE, .place = at};
    if (!more((void **)&p->heap, sizeof *p->heap, n->bundle_room))
        return FAIR_NONE;
    n->due[at] = at;
    n->holder_count = count;
    return at;
}

/* There are as many caps as kinds of pairs: few. */
static uint32_t holder_of_cap(fair_links *n, double cap) {
    for (uint32_t i = n->link_count; i < n->holder_count; i++)
        if (!(n->holders[i].rate > cap) && !(n->holders[i].rate < cap))
            return i;
    return new_holder(n, cap);
}

/* ---- bundles -------------------------------------------------------------------------- */

static uint32_t find_bundle(const fair_links *n, uint32_t from, uint32_t to) {
    const fair_link *a = &n->links[from], *b = &n->links[to];
    const fair_link *fewer = a->count <= b->count ? a : b;
    uint32_t other = fewer == a ? to : from;
    for (uint32_t i = 0; i < fewer->count; i++)
        if (fewer->at[i].other == other && n->bundles[fewer->at[i].bundle].end[0] == from)
            return fewer->at[i].bundle;
    return FAIR_NONE;
}

static void join_link(fair_links *n, uint32_t at, int side, double cap) {
    fair_bundle *b = &n->bundles[at];
    fair_link *l = &n->links[b->end[side]];
    uint32_t other = b->end[1 - side];
    double level = n->links[other].level;
    b->at[side] = l->count;
    l->at[l->count++] = (fair_member){.limit = cap < level ? cap : level,
                                      .cap = cap,
                                      .other = other,
                                      .there = b->at[1 - side],
                                      .bundle = at};
}

static void leave_link(fair_links *n, const fair_bundle *b, int side) {
    uint32_t link = b->end[side], i = b->at[side];
    fair_link *l = &n->links[link];
    const fair_member last = l->at[--l->count];
    if (i == l->count)
        return;
    fair_bundle *moved = &n->bundles[last.bundle];
    l->at[i] = last;
    moved->at[moved->end[0] == link ? 0 : 1] = i;
    n->links[last.other].at[last.there].there = i;
}

static uint32_t new_bundle(fair_links *n, const fair_flow *f, rc_time now) {
    if (!bundle_room(n) || !member_room(n, f->from) || !member_room(n, f->to))
        return FAIR_NONE;
    uint32_t cap = holder_of_cap(n, f->cap), at = n->free_bundle;
    uint32_t *heap = NULL, room = 0;
    if (cap == FAIR_NONE)
        return FAIR_NONE;
    if (at != FAIR_NONE) {
        n->free_bundle = n->bundles[at].early_next;
        heap = n->bundles[at].heap; /* memory that it had before */
        room = n->bundles[at].room;
    } else {
        at = n->bundle_used++;
    }
    n->bundles[at] = (fair_bundle){
        .end = {f->from, f->to}, .cap = cap, .heap = heap, .room = room, .starting = FAIR_NONE};
    join_link(n, at, 0, f->cap);
    join_link(n, at, 1, f->cap);
    n->links[f->from].at[n->bundles[at].at[0]].there = n->bundles[at].at[1];
    fair_advance(n, cap, now);
    fair_enter(n, at, cap, 0.0);
    return at;
}

static void drop_bundle(fair_links *n, uint32_t at) {
    fair_bundle *b = &n->bundles[at];
    (void)fair_exit(n, at);
    leave_link(n, b, 0);
    leave_link(n, b, 1);
    b->early_next = n->free_bundle;
    n->free_bundle = at;
}

/* One flow more or less: its links are asked. */
static void count_flow(fair_links *n, uint32_t at, int change) {
    fair_bundle *b = &n->bundles[at];
    b->count += (uint32_t)change;
    for (int side = 0; side < 2; side++) {
        fair_link *l = &n->links[b->end[side]];
        l->at[b->at[side]].flows += change;
        fair_ask(n, b->end[side]);
    }
}

/* ---- flows ---------------------------------------------------------------------------- */

static uint32_t new_flow(fair_links *n) {
    uint32_t f = n->free_flow, room = n->flow_room ? 2 * n->flow_room : FAIR_FIRST_ROOM;
    if (f != FAIR_NONE) {
        n->free_flow = n->flows[f].next;
        return f;
    }
    if (n->flow_used == n->flow_room) {
        if (!more((void **)&n->flows, sizeof *n->flows, room))
            return FAIR_NONE;
        n->flow_room = room;
    }
    return n->flow_used++;
}

rc_status fair_links_add(fair_links *n, const fair_flow *f, rc_time now, rc_error *err) {
    assert(f->from < n->link_count && f->to < n->link_count);
    assert(f->from != f->to);
    uint32_t at = find_bundle(n, f->from, f->to), i = new_flow(n);
    if (at == FAIR_NONE && i != FAIR_NONE)
        at = new_bundle(n, f, now);
    if (i == FAIR_NONE || at == FAIR_NONE || !heap_room(&n->bundles[at]))
        return rc_fail(err, RC_E_NOMEM, "out of memory for KV transfers");
    n->flows[i] = (fair_moving){
        .arg = f->arg, .bytes = f->bytes, .starts = f->starts, .order = n->order++, .bundle = at};
    fair_advance(n, n->bundles[at].holder, now);
    fair_start(n, at, i);
    count_flow(n, at, +1);
    share(n, at, now);
    return RC_OK;
}

/* Its holder was advanced. */
static void end_flow(fair_links *n, uint32_t f, rc_time now) {
    uint32_t at = n->flows[f].bundle;
    fair_stop(n, at, f);
    n->flows[f].next = n->free_flow;
    n->flows[f].arg = FAIR_NONE;
    n->free_flow = f;
    count_flow(n, at, -1);
    if (n->bundles[at].count == 0) {
        drop_bundle(n, at);
        at = FAIR_NONE;
    }
    share(n, at, now);
}

/* Rare: a node was lost. So it looks through all flows. */
bool fair_links_drop(fair_links *n, uint32_t arg, rc_time now) {
    uint32_t f = 0;
    while (f < n->flow_used && n->flows[f].arg != arg)
        f++;
    if (f == n->flow_used)
        return false;
    fair_advance(n, n->bundles[n->flows[f].bundle].holder, now);
    end_flow(n, f, now);
    return true;
}

rc_time fair_links_next(const fair_links *n) {
    return n->holders[n->due[0]].due;
}

uint32_t fair_links_take(fair_links *n, rc_time now) {
    assert(fair_links_next(n) == now);
    fair_holder *p = &n->holders[n->due[0]];
    fair_advance(n, n->due[0], now);
    uint32_t f = n->bundles[p->heap[0]].heap[0], arg = n->flows[f].arg;
    end_flow(n, f, now);
    return arg;
}

double fair_links_rate(const fair_links *n, uint32_t from, uint32_t to) {
    uint32_t at = find_bundle(n, from, to);
    assert(at != FAIR_NONE);
    return n->holders[n->bundles[at].holder].rate;
}

/* ---- life ----------------------------------------------------------------------------- */

rc_status fair_links_create(const double *rate, uint32_t count, fair_links **out, rc_error *err) {
    fair_links *n = calloc(1, sizeof *n);
    *out = n;
    if (n) {
        n->free_flow = n->free_bundle = FAIR_NONE;
        n->link_count = n->holder_count = count;
        n->links = calloc(count, sizeof *n->links);
        n->holders = calloc(count, sizeof *n->holders);
        n->due = calloc(count, sizeof *n->due);
        n->stale = calloc(count, sizeof *n->stale);
        n->ask = calloc(count, sizeof *n->ask);
        n->changed = calloc(count, sizeof *n->changed);
    }
    if (!n || !n->links || !n->holders || !n->due || !n->stale || !n->ask || !n->changed)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the network");
    for (uint32_t i = 0; i < count; i++) {
        n->links[i] = (fair_link){.rate = rate[i], .level = INFINITY};
        n->holders[i] = (fair_holder){.due = RC_TIME_NEVER, .early = FAIR_NONE, .place = i};
        n->due[i] = i;
    }
    return RC_OK;
}

void fair_links_destroy(fair_links *n) {
    if (!n)
        return;
    for (uint32_t i = 0; i < n->bundle_used; i++)
        free(n->bundles[i].heap);
    for (uint32_t i = 0; n->links && i < n->link_count; i++)
        free(n->links[i].at);
    for (uint32_t i = 0; n->holders && i < n->holder_count; i++)
        free(n->holders[i].heap);
    free(n->bundles);
    free(n->due);
    free(n->stale);
    free(n->changed);
    free(n->holders);
    free(n->flows);
    free(n->links);
    free(n->ask);
    free(n);
}
