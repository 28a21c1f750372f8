/* Sharing links: max-min fair rates by water-filling (Bertsekas and Gallager, Data
 * Networks, 6.5.2).
 *
 * When flows come or leave, only what they reach through shared links can change: that connected
 * component is collected and filled anew, and only flows whose rate came out different are moved.
 * All flows that come or leave at one instant are dealt with at once, before time advances.
 *
 * Filling raises the rate of all flows together. In each round the level is the least share among
 * the links (what frozen flows leave, over the open hops) and the least cap among the open flows;
 * the flows that this level stops are frozen at it. A link's residual then falls by level times the
 * number frozen on it, in one step: the result does not depend on the order of flows or links, so
 * like flows get the same rate to the last bit. A path that crosses a link twice counts twice.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/engine/sim_internal.h"

/* Shares this near the level are the level: the difference is rounding, not capacity. */
#define NEAR (1.0 + 1e-12)

static double above_zero(double x) {
    return x > 0 ? x : 0;
}

static void mark_dirty(rc_sim *s, rc_id link) {
    rc_link *l = &RC_LINKS(s)[link];
    if (l->dirty)
        return;
    l->dirty = true;
    s->dirty_links[s->n_dirty_links++] = link;
}

void rc_flow_join_(rc_sim *s, rc_id id, rc_time now) {
    rc_track *t = &s->tracks[id];
    const rc_flow *f = rc_flow_of(s, t);
    const rc_id *path = RC_PATHS(s) + f->path;
    assert(f->path_len > 0 && f->bytes > 0);
    t->remaining = f->bytes;
    t->rate = 0;
    t->last = now;
    t->part = 0; /* in no component yet */
    t->hops = f->path_len;
    for (uint32_t i = 0; i < f->path_len; i++) {
        rc_link *l = &RC_LINKS(s)[path[i]];
        uint32_t hop = t->hop + i;
        s->hops[hop] = (rc_hop){path[i], id, l->first, RC_NONE};
        if (l->first != RC_NONE)
            s->hops[l->first].prev = hop;
        l->first = hop;
        l->active++;
        mark_dirty(s, path[i]);
    }
}

void rc_flow_leave_(rc_sim *s, rc_id id) {
    const rc_track *t = &s->tracks[id];
    rc_hop *hops = s->hops;
    for (uint32_t i = t->hop; i < t->hop + t->hops; i++) {
        rc_link *l = &RC_LINKS(s)[hops[i].link];
        assert(l->active > 0);
        if (hops[i].prev != RC_NONE)
            hops[hops[i].prev].next = hops[i].next;
        else
            l->first = hops[i].next;
        if (hops[i].next != RC_NONE)
            hops[hops[i].next].prev = hops[i].prev;
        if (--l->active > 0)
            mark_dirty(s, hops[i].link);
    }
}

void rc_flow_disturb_(rc_sim *s, rc_id id) {
    const rc_track *t = &s->tracks[id];
    for (uint32_t i = t->hop; i < t->hop + t->hops; i++)
        mark_dirty(s, s->hops[i].link);
}

typedef struct part { /* one connected component */
    size_t links, flows;
} part;

/* Add a link to the component once. */
static void collect_link(rc_sim *s, part *c, rc_id link) {
    rc_link *l = &RC_LINKS(s)[link];
    if (l->seen == s->part)
        return;
    l->seen = s->part;
    l->residual = l->capacity;
    l->open = l->active;
    s->part_links[c->links++] = link;
}

/* Everything reachable from `link` through flows that share links. A track's `part` marks, by the
 * component's number, the flows already collected. */
static part collect(rc_sim *s, rc_id link) {
    const rc_hop *hops = s->hops;
    part c = {0, 0};
    s->part++;
    collect_link(s, &c, link);
    for (size_t i = 0; i < c.links; i++) {
        for (uint32_t h = RC_LINKS(s)[s->part_links[i]].first; h != RC_NONE; h = hops[h].next) {
            rc_track *t = &s->tracks[hops[h].flow];
            if (t->part == s->part)
                continue;
            t->part = s->part;
            s->part_flows[c.flows++] = hops[h].flow;
            for (uint32_t k = t->hop; k < t->hop + t->hops; k++)
                collect_link(s, &c, hops[k].link);
        }
    }
    return c;
}

/* The next level: the least share of a link and the least cap of the first `open` flows. */
static double next_level(rc_sim *s, const part *c, size_t open) {
    double level = INFINITY;
    for (size_t i = 0; i < c->links; i++) {
        rc_link *l = &RC_LINKS(s)[s->part_links[i]];
        l->freezing = 0;
        l->share = l->open > 0 ? l->residual / l->open : INFINITY;
        if (l->share < level)
            level = l->share;
    }
    for (size_t f = 0; f < open; f++) {
        double cap = rc_flow_of(s, &s->tracks[s->part_flows[f]])->max_rate;
        if (cap > 0 && cap < level)
            level = cap;
    }
    return level;
}

static bool stopped_at(const rc_sim *s, const rc_track *t, double cap, double level) {
    if (cap > 0 && cap <= level)
        return true;
    for (uint32_t k = t->hop; k < t->hop + t->hops; k++)
        if (RC_LINKS(s)[s->hops[k].link].share <= level * NEAR)
            return true;
    return false;
}

/* Rates of the component's flows into part_rates, by position in part_flows (which it reorders). */
static void fill(rc_sim *s, const part *c) {
    double floor = 0;
    for (size_t open = c->flows; open > 0;) {
        double level = next_level(s, c, open);
        if (level < floor)
            level = floor; /* shares never fall but for rounding */
        floor = level;
        for (size_t f = open; f-- > 0;) {
            rc_id flow = s->part_flows[f];
            const rc_track *t = &s->tracks[flow];
            double cap = rc_flow_of(s, t)->max_rate;
            if (!stopped_at(s, t, cap, level))
                continue;
            for (uint32_t k = t->hop; k < t->hop + t->hops; k++)
                RC_LINKS(s)[s->hops[k].link].freezing++;
            open--; /* frozen flows gather at the end */
            s->part_flows[f] = s->part_flows[open];
            s->part_flows[open] = flow;
            s->part_rates[open] = cap > 0 && cap < level ? cap : level;
        }
        for (size_t i = 0; i < c->links; i++) {
            rc_link *l = &RC_LINKS(s)[s->part_links[i]];
            l->residual = above_zero(l->residual - level * l->freezing);
            l->open -= l->freezing;
        }
    }
}

/* A flow that has all its links for itself needs no component: it gets the least of what they and
 * its cap allow. False when it has not. */
static bool share_alone(rc_sim *s, const rc_link *l, rc_set_share set, rc_time now) {
    rc_id flow = s->hops[l->first].flow;
    const rc_track *t = &s->tracks[flow];
    double rate = rc_flow_of(s, t)->max_rate;
    rate = rate > 0 ? rate : INFINITY;
    for (uint32_t k = t->hop; k < t->hop + t->hops; k++) {
        const rc_link *other = &RC_LINKS(s)[s->hops[k].link];
        if (other->active != 1)
            return false;
        rate = other->capacity < rate ? other->capacity : rate;
    }
    s->part++;
    for (uint32_t k = t->hop; k < t->hop + t->hops; k++)
        RC_LINKS(s)[s->hops[k].link].seen = s->part;
    set(s, flow, rate, now);
    return true;
}

void rc_flow_share_(rc_sim *s, rc_set_share set, rc_time now) {
    uint32_t before = s->part;
    for (size_t i = 0; i < s->n_dirty_links; i++) {
        rc_link *l = &RC_LINKS(s)[s->dirty_links[i]];
        l->dirty = false;
        if (l->active == 0 || l->seen > before)
            continue; /* nobody left to share it, or collected just now */
        if (l->active == 1 && share_alone(s, l, set, now))
            continue;
        part c = collect(s, s->dirty_links[i]);
        fill(s, &c);
        for (size_t f = 0; f < c.flows; f++)
            set(s, s->part_flows[f], s->part_rates[f], now);
    }
    s->n_dirty_links = 0;
}
