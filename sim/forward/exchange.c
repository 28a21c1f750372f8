/* An all-to-all in closed form.
 *
 * Ranks in the order in which they open; the flow between two begins when the later one opens. With
 * k ranks open the flows are a complete digraph, every link carries k - 1 and all get one rate,
 * min(peer_rate, link_rate / (k - 1)). Flows that begin together are a class. Classes end in the
 * order in which they began, for the later ones have moved less at the same rate. Whatever has
 * ended, each flow left touches the rank that opened when its class began, whose links still carry
 * all their flows: so the rate of all flows left is as if none had ended, also when another rank
 * opens. Each class goes through the engine's own arithmetic: what is left is updated when the rate
 * changes, and the end is rounded from there once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/engine/ticks.h"
#include "sim/forward/replay.h"

/* Ranks by when they open; equal ones by number. */
static int by_opening(const void *a, const void *b) {
    const rc_time *x = *(const rc_time *const *)a, *y = *(const rc_time *const *)b;
    if (*x != *y)
        return *x < *y ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void order(const rc_exchange *x, rc_exchange_state *s) {
    enum { SHORT = 64 };
    if (x->n > SHORT) {
        for (int i = 0; i < x->n; i++)
            s->sorted[i] = &s->open[i];
        qsort(s->sorted, (size_t)x->n, sizeof *s->sorted, by_opening);
        for (int i = 0; i < x->n; i++)
            s->by[i] = (int)(s->sorted[i] - s->open);
        return;
    }
    for (int i = 0; i < x->n; i++) {
        int at = i;
        for (; at > 0 && s->open[s->by[at - 1]] > s->open[i]; at--)
            s->by[at] = s->by[at - 1];
        s->by[at] = i;
    }
}

static void set_rate(rc_flow_class *c, double rate, rc_time now) {
    if (rate == c->rate)
        return;
    c->remaining = rc_flow_left(c->remaining, c->rate, now - c->last);
    c->last = now;
    c->rate = rate;
    c->end = rc_ticks_add(now, rc_ticks_round(rc_flow_ps(c->remaining, rate)));
}

static double rate_among(const rc_exchange *x, int ranks) {
    double share = x->link_rate / ranks;
    return x->peer_rate > 0 && x->peer_rate < share ? x->peer_rate : share;
}

/* A class begins with each group of ranks that open together; the first of them has no flows yet
 * unless it is of two or more. How many classes. */
static int begin_classes(const rc_exchange *x, rc_exchange_state *s) {
    int classes = 0, ended = 0; /* the classes before `ended` have ended: they keep their order */
    for (int k = 1; k < x->n; classes++) { /* rank by[k] and all that open with it join */
        rc_time now = s->open[s->by[k]] + x->latency;
        int together = k;
        while (together + 1 < x->n && s->open[s->by[together + 1]] == s->open[s->by[k]])
            together++;
        s->classes[classes] = (rc_flow_class){.remaining = x->bytes, .last = now};
        while (ended < classes && s->classes[ended].end <= now)
            ended++;
        double rate = rate_among(x, together);
        for (int c = ended; c <= classes; c++)
            set_rate(&s->classes[c], rate, now);
        for (; k <= together; k++)
            s->class_of[s->by[k]] = classes;
    }
    s->class_of[s->by[0]] = 0;
    return classes;
}

bool rc_exchange_ends(const rc_exchange *x, rc_exchange_state *s) {
    assert(x->n > 1 && x->link_rate > 0.0);
    order(x, s);
    int classes = begin_classes(x, s);
    for (int c = 1; c < classes; c++)
        if (s->classes[c].end < s->classes[c - 1].end)
            return false;
    /* Every rank has a flow with the rank that opened last, and these end last. */
    s->close = s->classes[classes - 1].end;
    return true;
}
