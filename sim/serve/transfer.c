/* KV under way: between the replicas of two pools, and from host memory.
 *
 * Between pools each request's KV is one flow. A replica's GPUs send and receive together, each
 * over its own NIC, so a replica is two links (out, in) of GPUs x line rate, and a flow runs at
 * most at the per-connection rate of as many GPUs as the smaller end has. Flows share links max-min
 * fairly, by water-filling (Bertsekas and Gallager, Data Networks, 6.5.2): every time a flow comes
 * or goes. The host link of a replica takes one transfer after the other.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/serve/cluster.h"

static double gpus_of(const cluster *c, uint32_t replica_index) {
    const rc_pool *p = c->pools[c->replicas[replica_index].pool].spec;
    return (double)p->tp * p->cp;
}

static uint32_t in_of(const cluster *c, const flow *f) {
    return c->replica_count + f->to;
}

/* ---- sharing -------------------------------------------------------------------------- */

static double least_level(const cluster *c) {
    const network *n = &c->net;
    double level = INFINITY;
    for (uint32_t i = 0; i < n->count; i++) {
        const flow *f = &n->flows[i];
        if (!f->open)
            continue;
        level = fmin(level, f->cap);
        level = fmin(level, n->left[f->from] / n->users[f->from]);
        level = fmin(level, n->left[in_of(c, f)] / n->users[in_of(c, f)]);
    }
    return level;
}

#define SAME_LEVEL 1e-12 /* relative: rates that differ by rounding stop together */

static bool stopped(const cluster *c, const flow *f, double level) {
    const network *n = &c->net;
    double at = level * (1.0 + SAME_LEVEL);
    return f->cap <= at || n->left[f->from] / n->users[f->from] <= at ||
           n->left[in_of(c, f)] / n->users[in_of(c, f)] <= at;
}

/* All flows rise together. Those at the least level stop there, and what they leave is shared by
 * the others. */
static void share(cluster *c) {
    network *n = &c->net;
    uint32_t open = n->count;
    for (uint32_t i = 0; i < c->replica_count; i++) {
        double line = gpus_of(c, i) * c->spec->machine.nic_line_rate;
        n->left[i] = n->left[c->replica_count + i] = line;
        n->users[i] = n->users[c->replica_count + i] = 0;
    }
    for (uint32_t i = 0; i < n->count; i++) {
        n->flows[i].open = true;
        n->users[n->flows[i].from]++;
        n->users[in_of(c, &n->flows[i])]++;
    }
    while (open > 0) {
        double level = least_level(c);
        uint32_t before = open;
        for (uint32_t i = 0; i < n->count; i++)
            n->flows[i].stops = n->flows[i].open && stopped(c, &n->flows[i], level);
        for (uint32_t i = 0; i < n->count; i++) {
            flow *f = &n->flows[i];
            if (!f->stops)
                continue;
            f->open = false;
            f->rate = level;
            n->left[f->from] -= level;
            n->left[in_of(c, f)] -= level;
            n->users[f->from]--;
            n->users[in_of(c, f)]--;
            open--;
        }
        if (open == before)
            break;
    }
}

/* ---- time ----------------------------------------------------------------------------- */

static void advance(cluster *c, rc_time now) {
    network *n = &c->net;
    assert(now >= n->last);
    for (uint32_t i = 0; i < n->count; i++) {
        flow *f = &n->flows[i];
        rc_time from = f->starts > n->last ? f->starts : n->last;
        if (now > from)
            f->bytes -= f->rate * (double)(now - from) / RC_PS_PER_S;
    }
    n->last = now;
}

static rc_time end_of(const flow *f, rc_time now) {
    assert(f->rate > 0.0);
    rc_time from = f->starts > now ? f->starts : now;
    double left = f->bytes > 0.0 ? f->bytes : 0.0;
    return from + (rc_time)ceil(left / f->rate * RC_PS_PER_S);
}

static void flow_event(void *ctx, uint64_t arg, rc_time now);

/* Share the links anew and wait for the first flow to end. */
static void reschedule(cluster *c, rc_time now) {
    network *n = &c->net;
    rc_time first = RC_TIME_NEVER;
    if (n->event)
        (void)rc_eventq_cancel(c->q, n->event);
    n->event = 0;
    share(c);
    for (uint32_t i = 0; i < n->count; i++) {
        rc_time end = end_of(&n->flows[i], now);
        first = end < first ? end : first;
    }
    if (n->count > 0)
        n->event = cluster_at(c, first, flow_event, 0);
}

static void flow_event(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    network *n = &c->net;
    uint32_t done = NONE;
    (void)arg;
    n->event = 0;
    advance(c, now);
    for (uint32_t i = 0; i < n->count && done == NONE; i++)
        if (end_of(&n->flows[i], now) <= now)
            done = i;
    if (done == NONE) {
        reschedule(c, now);
        return;
    }
    uint32_t j = n->flows[done].job;
    n->flows[done] = n->flows[--n->count];
    reschedule(c, now);
    admit_arrived(c, j, now);
}

void transfer_begin(cluster *c, uint32_t j, uint32_t from, uint32_t to, uint64_t tokens,
                    rc_time now) {
    network *n = &c->net;
    assert(from < c->replica_count && to < c->replica_count);
    assert(from != to);
    if (n->count == n->room) {
        uint32_t room = n->room ? 2 * n->room : 64;
        flow *more = realloc(n->flows, room * sizeof *more);
        if (!more) {
            cluster_fail(c, rc_fail(c->err, RC_E_NOMEM, "out of memory for KV transfers"));
            return;
        }
        n->flows = more;
        n->room = room;
    }
    const rc_machine *m = &c->spec->machine;
    advance(c, now);
    n->flows[n->count++] =
        (flow){.job = j,
               .from = from,
               .to = to,
               .bytes = (double)tokens * pool_of(c, &c->replicas[from])->token_bytes,
               .cap = fmin(gpus_of(c, from), gpus_of(c, to)) * m->peer_rate,
               .starts = now + llround(m->hop_latency * RC_PS_PER_S)};
    reschedule(c, now);
}

void transfer_drop(cluster *c, uint32_t j, rc_time now) {
    network *n = &c->net;
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->flows[i].job != j)
            continue;
        advance(c, now);
        n->flows[i] = n->flows[--n->count];
        reschedule(c, now);
        return;
    }
}

rc_time host_transfer(cluster *c, replica *r, uint64_t tokens, rc_time now) {
    const pool *p = pool_of(c, r);
    double rate = c->spec->host_rate * p->spec->tp * p->spec->cp;
    assert(rate > 0.0);
    rc_time from = r->host_free > now ? r->host_free : now;
    r->host_free = from + (rc_time)ceil((double)tokens * p->token_bytes / rate * RC_PS_PER_S);
    return r->host_free;
}

void host_reset(replica *r, rc_time now) {
    r->host_free = now;
}

rc_status network_create(cluster *c, rc_error *err) {
    c->net.left = calloc(2 * (size_t)c->replica_count, sizeof *c->net.left);
    c->net.users = calloc(2 * (size_t)c->replica_count, sizeof *c->net.users);
    return c->net.left && c->net.users ? RC_OK
                                       : rc_fail(err, RC_E_NOMEM, "out of memory for the network");
}

void network_destroy(cluster *c) {
    free(c->net.flows);
    free(c->net.left);
    free(c->net.users);
}
