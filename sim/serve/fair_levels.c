/* Levels of links that are shared max-min fairly.
 *
 * Why they may be found link by link: the level of a link is that of water poured over the limits of its
 * flows, which are their caps and the levels of their other links. The link with the least fair share of
 * all has its level right once it was asked, whatever the others say, for no limit is below; then the
 * next least, and so on. A set of levels in which each follows from the others is the max-min fair one
 * (Bertsekas and Gallager, Data Networks, 6.5.2).
 *
 * What flows take at a level, the sum of the lesser of the level and their limits, is a concave function of
 * the level in straight pieces. So Newton's method finds where it equals the link's rate, from any level to
 * begin with, in as many steps as there are pieces between; mostly the set of flows that the link holds
 * back is the one of before, and one step does.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include "sim/serve/fair_internal.h"

#define SLACK 1e-4 /* of a link's rate: by so much its flows may change before it is asked again */

static double least(double a, double b) {
    return a < b ? a : b;
}

void fair_ask(fair_links *n, uint32_t l) {
    if (n->links[l].waits)
        return;
    n->links[l].waits = true;
    n->ask[(n->ask_first + n->ask_count++) % n->link_count] = l;
}

/* Flows of a link at a level: those whose limit is below run at it, the others are held back. */
typedef struct poured {
    double asked;     /* sum of all limits */
    double left;      /* of the link's rate, for those that are held back */
    double held;      /* how many these are */
    double low, high; /* greatest limit below; least limit of those that are held back */
} poured;

static poured pour(const fair_link *l, double level) {
    poured w = {.left = l->rate, .low = 0.0, .high = INFINITY};
    double below = level * (1.0 + FAIR_SAME), taken = 0.0;
    for (uint32_t i = 0; i < l->count; i++) {
        double limit = l->at[i].limit, flows = l->at[i].flows, sum = flows * limit;
        bool under = limit <= below;
        w.asked += sum;
        taken += under ? sum : 0.0;
        w.held += under ? 0.0 : flows;
        w.low = under && limit > w.low ? limit : w.low;
        w.high = !under && limit < w.high ? limit : w.high;
    }
    w.left -= taken;
    return w;
}

/* INFINITY: the link holds nobody back. Else its flows ask for more than there is, and some are held. */
static double level_of(fair_link *l) {
    poured w = pour(l, isinf(l->level) ? 0.0 : l->level);
    l->drift = 0.0;
    l->asked = w.asked;
    if (w.asked <= l->rate * (1.0 + FAIR_SAME))
        return INFINITY;
    if (!(w.held > 0.0))
        w = pour(l, 0.0);
    for (;;) {
        double level = w.left / w.held, below = level * (1.0 + FAIR_SAME);
        if (w.low <= below && w.high > below) /* the same flows are held back at it */
            return level;
        poured next = pour(l, level);
        if (!(next.held > 0.0))
            return level;
        w = next;
    }
}

/* The other links of flows that see another limit now. A change that is little for a link is remembered
 * there; else every flow that comes or goes would reach every link of a full network. */
static void tell_others(fair_links *n, const fair_link *l, double before) {
    for (uint32_t i = 0; i < l->count; i++) {
        const fair_member *m = &l->at[i];
        fair_link *other = &n->links[m->other];
        double was = least(m->cap, before), is = least(m->cap, l->level);
        if (!(is > was) && !(is < was))
            continue;
        other->at[m->there].limit = is;
        other->asked += m->flows * (is - was);
        other->drift += m->flows * fabs(least(is, other->level) - least(was, other->level));
        if (isinf(other->level) ? other->asked > other->rate * (1.0 + SLACK)
                                : other->drift > other->rate * SLACK)
            fair_ask(n, m->other);
    }
}

void fair_find_levels(fair_links *n) {
    while (n->ask_count > 0) {
        uint32_t i = n->ask[n->ask_first];
        fair_link *l = &n->links[i];
        n->ask_first = (n->ask_first + 1) % n->link_count;
        n->ask_count--;
        l->waits = false;
        double before = l->level, level = level_of(l);
        if (isinf(level) ? isinf(before) : fabs(level - before) <= FAIR_SAME * level)
            continue;
        l->level = level;
        if (!l->changed)
            n->changed[n->changed_count++] = i;
        l->changed = true;
        tell_others(n, l, before);
    }
}
