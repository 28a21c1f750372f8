/* The steps of ring_steps.c for times that change by a constant from one repetition to the next.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/forward/line.h"

enum { HOST, COMPUTE, COMM, MSG, ATT, NEXT, ARRAYS };

typedef struct drift {
    const rc_ring *k;
    rc_line *x[ARRAYS]; /* [n + 2] each, as in rc_ring_state */
    rc_time *most;
} drift;

static void close_ring(rc_line *x, int n) {
    x[0] = x[n];
    x[n + 1] = x[1];
}

static void host_work(const drift *d) {
    const rc_ring *k = d->k;
    rc_line *host = d->x[HOST];
    const rc_line *compute = d->x[COMPUTE], *comm = d->x[COMM];
    rc_time most = *d->most, work = k->host + (k->eager ? 0 : k->launch);
    for (int g = 1; g <= k->n; g++) {
        const rc_line w[] = {host[g], compute[g], comm[g]};
        host[g] = rc_line_plus(rc_line_latest(w, 3, &most), work);
    }
    *d->most = most;
}

static inline void send(const drift *d, int step, bool reuses) {
    const rc_ring *k = d->k;
    rc_line *host = d->x[HOST], *lane = d->x[k->serial ? COMPUTE : COMM], *next = d->x[NEXT];
    const rc_line *ready = step == 0 ? d->x[COMPUTE] : d->x[MSG] - 1;
    const rc_line *att = d->x[ATT] + 1, *msg = d->x[MSG] + 1;
    rc_time most = *d->most, launch = k->eager ? k->launch : 0;
    for (int g = 1; g <= k->n; g++) {
        rc_line launched = rc_line_plus(host[g], launch);
        const rc_line w[] = {lane[g], launched, ready[g], att[g], msg[g]};
        host[g] = launched;
        next[g] = lane[g] =
            rc_line_plus(rc_line_latest(w, reuses ? 5 : 3, &most), k->message[g - 1]);
    }
    *d->most = most;
}

/* ring_steps.c, where messages wait for the attention of their step. */
static void launch_ahead(const drift *d) {
    for (int g = 1; g <= d->k->n; g++)
        d->x[HOST][g] = rc_line_plus(d->x[HOST][g], d->k->eager ? d->k->launch : 0);
}

static void send_behind(const drift *d, int step) {
    const rc_ring *k = d->k;
    rc_line *lane = d->x[COMM], *next = d->x[NEXT];
    const rc_line *compute = d->x[COMPUTE], *ready = step == 0 ? compute : d->x[MSG] - 1;
    const rc_line *att = d->x[ATT] + 1, *msg = d->x[MSG] + 1;
    rc_time most = *d->most;
    for (int g = 1; g <= k->n; g++) {
        const rc_line w[] = {lane[g], compute[g], ready[g], att[g], msg[g]};
        next[g] = lane[g] = rc_line_plus(rc_line_latest(w, 5, &most), k->message[g - 1]);
    }
    *d->most = most;
}

static void attend(const drift *d, int step) {
    const rc_ring *k = d->k;
    const uint16_t *cell = k->cells + (size_t)step * (size_t)k->n;
    rc_line *host = d->x[HOST], *compute = d->x[COMPUTE];
    const rc_line *arrived = step == 0 ? d->x[COMPUTE] : d->x[MSG] - 1;
    rc_time most = *d->most, launch = k->eager ? k->launch : 0;
    for (int g = 1; g <= k->n; g++) {
        const rc_time *cost = rc_ring_costs(k, step, g - 1 == k->slow);
        host[g] = rc_line_plus(host[g], launch);
        const rc_line w[] = {compute[g], host[g], arrived[g]};
        compute[g] = rc_line_plus(rc_line_latest(w, 3, &most), cost[cell[g - 1]]);
    }
    *d->most = most;
}

static void decode(const drift *d) {
    const rc_ring *k = d->k;
    rc_line *host = d->x[HOST], *compute = d->x[COMPUTE];
    rc_time most = *d->most, launch = k->eager ? k->launch : 0;
    for (int g = 1; g <= k->n; g++) {
        const rc_time *cost = g - 1 == k->slow ? k->slowed : k->cost;
        host[g] = rc_line_plus(host[g], launch);
        const rc_line w[] = {compute[g], host[g]};
        compute[g] = rc_line_plus(rc_line_latest(w, 2, &most), cost[k->block->decode]);
    }
    *d->most = most;
}

static void step_ends(const drift *d) {
    memcpy(d->x[ATT] + 1, d->x[COMPUTE] + 1, (size_t)d->k->n * sizeof *d->x[ATT]);
    close_ring(d->x[ATT], d->k->n);
}

static void turn(drift *d) {
    rc_line *old = d->x[MSG];
    d->x[MSG] = d->x[NEXT];
    d->x[NEXT] = old;
    close_ring(d->x[MSG], d->k->n);
}

void rc_ring_drift(const rc_ring *k, rc_line *lines, rc_line *scratch, rc_time *most) {
    static const int of_left[RC_LEFT_COUNT] = {HOST, COMPUTE, COMM, MSG, ATT};
    size_t n = (size_t)k->n;
    drift d = {.k = k, .most = most};
    assert(k->n > 1);
    assert(*most >= 0);
    for (size_t i = 0; i < ARRAYS; i++)
        d.x[i] = scratch + i * (n + 2);
    for (size_t i = 0; i < RC_LEFT_COUNT; i++)
        memcpy(d.x[of_left[i]] + 1, lines + i * n, n * sizeof *lines);
    close_ring(d.x[MSG], k->n);
    close_ring(d.x[ATT], k->n);
    for (int j = 0; j<k->n && * most> 0; j++) {
        if (k->hosted)
            host_work(&d);
        if (j < k->n - 1 && k->waits)
            launch_ahead(&d);
        else if (j < k->n - 1)
            send(&d, j, k->attends || j == 0);
        if (k->attends)
            attend(&d, j);
        if (k->attends && k->decodes)
            decode(&d);
        if (j < k->n - 1 && k->waits)
            send_behind(&d, j);
        if (k->attends)
            step_ends(&d);
        if (j < k->n - 1)
            turn(&d);
    }
    for (size_t i = 0; i < RC_LEFT_COUNT; i++)
        memcpy(lines + i * n, d.x[of_left[i]] + 1, n * sizeof *lines);
}
