/* KV under way: between the replicas of two pools, and from host memory.
 *
 * Between pools each request's KV is one flow. A replica's GPUs send and receive together, each
 * over its own NIC, so a replica is two links (out, in) of GPUs x line rate, and a flow runs at
 * most at the per-connection rate of as many GPUs as the smaller end has. Flows share links max-min
 * fairly (fair_links.h). The host link of a replica takes one transfer after the other.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/serve/cluster.h"
#include "sim/serve/fair_links.h"

static double gpus_of(const cluster *c, uint32_t replica_index) {
    return pool_kv_gpus(c, &c->pools[c->replicas[replica_index].pool]);
}

static void flow_event(void *ctx, uint64_t arg, rc_time now);

/* Wait for the next flow to end. */
static void wait_for_next(cluster *c) {
    network *n = &c->net;
    rc_time next = fair_links_next(n->links);
    if (n->event)
        (void)rc_eventq_cancel(c->q, n->event);
    n->event = next == RC_TIME_NEVER ? 0 : cluster_at(c, next, flow_event, 0);
}

static void flow_event(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    (void)arg;
    c->net.event = 0;
    uint32_t j = fair_links_take(c->net.links, now);
    wait_for_next(c);
    spans_move_ends(c, j, true, now);
    admit_arrived(c, j, now);
}

void transfer_begin(cluster *c, uint32_t j, uint32_t from, uint32_t to, uint64_t tokens,
                    rc_time now) {
    const rc_machine *m = &c->spec->machine;
    assert(from < c->replica_count && to < c->replica_count);
    assert(from != to);
    const fair_flow f = {.from = from,
                         .to = c->replica_count + to,
                         .cap = fmin(gpus_of(c, from), gpus_of(c, to)) * m->peer_rate,
                         .bytes = (double)tokens * pool_of(c, &c->replicas[from])->token_bytes,
                         .starts = now + llround(m->hop_latency * RC_PS_PER_S),
                         .arg = j};
    rc_status st = fair_links_add(c->net.links, &f, now, c->err);
    if (st != RC_OK)
        cluster_fail(c, st);
    else
        wait_for_next(c);
    spans_move_begins(c, j, from, to, f.bytes, now);
}

void transfer_drop(cluster *c, uint32_t j, rc_time now) {
    if (fair_links_drop(c->net.links, j, now)) {
        spans_move_ends(c, j, false, now);
        wait_for_next(c);
    }
}

rc_time host_transfer(cluster *c, replica *r, uint64_t tokens, rc_time now) {
    const pool *p = pool_of(c, r);
    double rate = c->spec->host_rate * pool_kv_gpus(c, p);
    assert(rate > 0.0);
    rc_time from = r->host_free > now ? r->host_free : now;
    r->host_free = from + (rc_time)ceil((double)tokens * p->token_bytes / rate * RC_PS_PER_S);
    return r->host_free;
}

void host_reset(replica *r, rc_time now) {
    r->host_free = now;
}

/* A replica's GPUs send over one link and receive over another. Without a network there is nothing
 * to share, and no pools apart. */
rc_status network_create(cluster *c, rc_error *err) {
    uint32_t n = c->replica_count;
    double *rate = calloc(2 * (size_t)n, sizeof *rate);
    if (!rate)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the network");
    for (uint32_t i = 0; i < n; i++)
        rate[i] = rate[n + i] = gpus_of(c, i) * c->spec->machine.nic_line_rate;
    rc_status st = fair_links_create(rate, 2 * n, &c->net.links, err);
    free(rate);
    return st;
}

void network_destroy(cluster *c) {
    fair_links_destroy(c->net.links);
}
