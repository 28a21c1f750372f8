/* An all-to-all in closed form.
 *
 * Ranks in the order in which they open; the flow between two begins when the later one opens. With
 * k ranks open the flows are a complete digraph, every link carries k - 1 and all get one rate,
 * min(peer_rate, link_rate / (k - 1)). When all are open, those between the first two end first,
 * and so on; whatever has ended, each flow left touches a rank whose links are still full, so the
 * rate stays as it was to the end. Flows that begin together are one class, one after another in
 * the engine's own arithmetic: what is left is updated when the rate changes, and the end is
 * rounded from there once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include "sim/forward/replay.h"

enum { MAX_RANKS = 256 };

typedef struct flow_class { /* the flows that begin together */
    double remaining, rate;
    rc_time last, end;
} flow_class;

/* Ranks by when they open; equal ones in any order. */
static void order(const rc_time *open, int n, int *by) {
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && open[by[at - 1]] > open[i]; at--)
            by[at] = by[at - 1];
        by[at] = i;
    }
}

static rc_time in_ticks(double ps) {
    return ps < 0x1p62 ? (rc_time)llround(ps) : (rc_time)1 << 62;
}

static void set_rate(flow_class *c, double rate, rc_time now) {
    if (rate == c->rate)
        return;
    double moved = c->rate * (double)(now - c->last) / RC_PS_PER_S;
    c->remaining = c->remaining - moved > 0 ? c->remaining - moved : 0;
    c->last = now;
    c->rate = rate;
    c->end = now + in_ticks(c->remaining * RC_PS_PER_S / rate);
}

static double rate_among(const rc_exchange *x, int ranks) {
    double share = x->link_rate / ranks;
    return x->peer_rate > 0 && x->peer_rate < share ? x->peer_rate : share;
}

bool rc_exchange_ends(const rc_exchange *x, const rc_time *open, rc_time *close) {
    int by[MAX_RANKS], classes = 0, of[MAX_RANKS];
    flow_class class[MAX_RANKS];
    if (x->n < 2 || x->n > MAX_RANKS)
        return false;
    order(open, x->n, by);
    for (int k = 1; k < x->n;) { /* rank by[k] and all that open with it join */
        rc_time now = open[by[k]] + x->latency;
        int together = k;
        while (together + 1 < x->n && open[by[together + 1]] == open[by[k]])
            together++;
        class[classes] = (flow_class){.remaining = x->bytes, .last = now};
        for (int c = 0; c < classes; c++)
            if (class[c].end <= now)
                return false;
        for (int c = 0; c <= classes; c++)
            set_rate(&class[c], rate_among(x, together), now);
        for (; k <= together; k++)
            of[k] = classes;
        classes++;
    }
    for (int c = 1; c < classes; c++)
        if (class[c].end < class[c - 1].end) /* rounding has put them in the other order */
            return false;
    of[0] = 0;
    for (int i = x->n - 1; i >= 0; i--) {
        rc_time end = 0; /* of all flows from and to this rank: its own class and the later ones */
        for (int c = of[i]; c < classes; c++)
            end = class[c].end > end ? class[c].end : end;
        close[by[i]] = end;
    }
    return true;
}
