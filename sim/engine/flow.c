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
#include <math.h>

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

void rc_flow_join_(rc_sim *s, rc_id op, rc_time now) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    rc_op_state *st = &s->state[op];
    rc_hop *hops = RC_HOPS(s);
    st->remaining = p->bytes;
    st->rate = 0;
    st->last = now;
    st->waiting = 0; /* in no component yet */
    for (uint32_t i = p->path; i < p->path + p->path_len; i++) {
        rc_link *l = &RC_LINKS(s)[hops[i].link];
        hops[i].prev = RC_NONE;
        hops[i].next = l->first;
        if (l->first != RC_NONE)
            hops[l->first].prev = i;
        l->first = i;
        l->active++;
        mark_dirty(s, hops[i].link);
    }
}

void rc_flow_leave_(rc_sim *s, rc_id op) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    rc_hop *hops = RC_HOPS(s);
    for (uint32_t i = p->path; i < p->path + p->path_len; i++) {
        rc_link *l = &RC_LINKS(s)[hops[i].link];
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

void rc_flow_disturb_(rc_sim *s, rc_id op) {
    const rc_op_plan *p = &RC_PLAN(s)[op];
    for (uint32_t i = p->path; i < p->path + p->path_len; i++)
        mark_dirty(s, RC_HOPS(s)[i].link);
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

/* Everything reachable from `link` through flows that share links. state[flow].waiting marks, by
 * the component's number, the flows already collected. */
static part collect(rc_sim *s, rc_id link) {
    const rc_hop *hops = RC_HOPS(s);
    part c = {0, 0};
    s->part++;
    collect_link(s, &c, link);
    for (size_t i = 0; i < c.links; i++) {
        for (uint32_t h = RC_LINKS(s)[s->part_links[i]].first; h != RC_NONE; h = hops[h].next) {
            rc_id flow = hops[h].flow;
            if (s->state[flow].waiting == s->part)
                continue;
            s->state[flow].waiting = s->part;
            s->part_flows[c.flows++] = flow;
            const rc_op_plan *p = &RC_PLAN(s)[flow];
            for (uint32_t k = p->path; k < p->path + p->path_len; k++)
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
        double cap = RC_PLAN(s)[s->part_flows[f]].max_rate;
        if (cap > 0 && cap < level)
            level = cap;
    }
    return level;
}

static bool stopped_at(const rc_sim *s, const rc_op_plan *p, double level) {
    if (p->max_rate > 0 && p->max_rate <= level)
        return true;
    for (uint32_t k = p->path; k < p->path + p->path_len; k++)
        if (RC_LINKS(s)[RC_HOPS(s)[k].link].share <= level * NEAR)
            return true;
    return false;
}

/* Rates of the component's flows into part_rates, by position in part_flows (which it reorders). */
static void fill(rc_sim *s, const part *c) {
    rc_hop *hops = RC_HOPS(s);
    double floor = 0;
    for (size_t open = c->flows; open > 0;) {
        double level = next_level(s, c, open);
        if (level < floor)
            level = floor; /* shares never fall but for rounding */
        floor = level;
        for (size_t f = open; f-- > 0;) {
            rc_id flow = s->part_flows[f];
            const rc_op_plan *p = &RC_PLAN(s)[flow];
            if (!stopped_at(s, p, level))
                continue;
            for (uint32_t k = p->path; k < p->path + p->path_len; k++)
                RC_LINKS(s)[hops[k].link].freezing++;
            open--; /* frozen flows gather at the end */
            s->part_flows[f] = s->part_flows[open];
            s->part_flows[open] = flow;
            s->part_rates[open] = p->max_rate > 0 && p->max_rate < level ? p->max_rate : level;
        }
        for (size_t i = 0; i < c->links; i++) {
            rc_link *l = &RC_LINKS(s)[s->part_links[i]];
            l->residual = above_zero(l->residual - level * l->freezing);
            l->open -= l->freezing;
        }
    }
}

static void set_rate(rc_sim *s, rc_id flow, double rate, rc_time now) {
    rc_op_state *st = &s->state[flow];
    if (rate == st->rate)
        return;
    double moved = st->rate * (double)(now - st->last) / RC_PS_PER_S;
    st->remaining = above_zero(st->remaining - moved);
    st->last = now;
    st->rate = rate;
    rc_sim_end_in_(s, flow, st->remaining * RC_PS_PER_S / rate, now);
}

/* What interference leaves a flow of its share of the links; never more than the share. */
static double slowed(const rc_sim *s, rc_id flow, double share) {
    return fmin(rc_sim_disturbed_(s, flow, share), share);
}

void rc_flow_share_(rc_sim *s, rc_time now) {
    uint32_t before = s->part;
    for (size_t i = 0; i < s->n_dirty_links; i++) {
        rc_link *l = &RC_LINKS(s)[s->dirty_links[i]];
        l->dirty = false;
        if (l->active == 0 || l->seen > before)
            continue; /* nobody left to share it, or collected just now */
        part c = collect(s, s->dirty_links[i]);
        fill(s, &c);
        for (size_t f = 0; f < c.flows; f++)
            set_rate(s, s->part_flows[f], slowed(s, s->part_flows[f], s->part_rates[f]), now);
    }
    s->n_dirty_links = 0;
}
