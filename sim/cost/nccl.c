/* Collectives between nodes: NCCL's own tuning model (its src/graph/tuning.cc), with the two
 * numbers that it takes from a table for every network, the hop and the rate, replaced by the
 * machine's own.
 *
 *     t = latency + bytes / bandwidth, the least over algorithms and protocols.
 *
 * n ranks, p of them a node on `nodes` nodes, each rank with its own NIC. S: bytes as in schema.h.
 * Protocol: LL, LL128, Simple, with base latency, hop inside a node, and efficiency (0.5, 0.92, 1).
 *
 * Hop between nodes. NCCL's table has 2.7/4/14 us (ring) and 5/8.5/14 us (tree). hop_latency is
 * what a stand-alone send + recv takes: one base latency (6.6 us) and two crossings of the network,
 * for the receiver must first tell the sender where to write. A collective posts its buffers ahead,
 * so each of its hops is one crossing: (hop_latency - 6.6 us) / 2 for tree LL, and what the table
 * adds to or takes from that for the rest. On a DGX H100, whose send + recv takes 17.5 us, that is
 * 5.4 us where NCCL's table has 5.
 *
 * Ring all-reduce, inter = 2(nodes-1)
 *     latency  base + (2(n-1) - inter) * intra + inter * hop
 *     traffic  2(n-1)/n * S over min(p * peer_rate, NVLink)
 * Ring all-gather, reduce-scatter
 *     the same with half the steps and half the traffic
 * Tree all-reduce
 *     latency  base + 2((p-1) * intra + ceil(log2 nodes) * hop)
 *     traffic  2 S over 0.92 * min(p * nic, NVLink), nic = peer_rate on two nodes and
 *              min(nic_line_rate, 2 * peer_rate) on more, for an inner node of a double binary
 *              tree has up to three connections
 * All-to-all
 *     latency  hop_latency
 *     traffic  S (n-p)/n leave each NIC for n-p peers at min(nic_line_rate, (n-p) * peer_rate);
 *              S (p-1)/n stay inside the node meanwhile
 * network.all_reduce of the machine's file names the algorithm, as NCCL_ALGO does; left out, the
 * faster one is taken, as NCCL's model does.
 * NVLink is what NCCL counts on: 20.6 of 25 GB/s a link, 0.824 of nvlink_rate; only with p > 1.
 *
 * With hop_latency 16.6 us and peer_rate = nic_line_rate = 50 GB/s this is NCCL's model of a DGX
 * H100; at 4 nodes of 8 and 1 GiB it says 5.89 ms, as NCCL's own prediction does.
 *
 * Channels of a message inside a node (its src/graph/paths.cc, ncclTopoComputeP2pChannels, and
 * src/enqueue.cc, calcP2pChannelCount). A communicator has a power of two of them for messages: 32
 * over NVLink and 4 over host memory, or as many as its CTAs. A peer gets an equal share of them,
 * at least one, and twice as many as long as a channel would carry more than 32 chunks; a chunk is
 * 512 KiB over NVLink and 128 KiB over host memory.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/nccl.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef struct protocol {
    double base, intra, network, efficiency;
} protocol;

static const protocol ring[] = {
    {6.6e-6, 0.6e-6, 2.7e-6, 0.5}, {14e-6, 1.9e-6, 4e-6, 0.92}, {8.4e-6, 3.4e-6, 14e-6, 1.0}};
static const protocol tree[] = {
    {6.8e-6, 0.6e-6, 5e-6, 0.5}, {14e-6, 1.25e-6, 8.5e-6, 0.92}, {8.4e-6, 4e-6, 14e-6, 1.0}};
enum { PROTOCOLS = 3 };

static const double NVLINK_USED = 20.6 / 25.0, TREE_USED = 0.92;

typedef struct group {
    double n, nodes, per_node, bytes;
} group;

static double hop(const rc_machine *m, const protocol *p) {
    double crossing = 0.5 * fmax(m->hop_latency - ring[0].base, 0.0);
    return fmax(crossing + (p->network - tree[0].network), 0.0);
}

/* What all NICs of a node, or its NVLinks, let through. */
static double node_rate(const rc_machine *m, const group *g, double nic) {
    double rate = g->per_node * nic;
    return g->per_node > 1.0 ? fmin(rate, NVLINK_USED * m->nvlink_rate) : rate;
}

static double ring_time(const rc_machine *m, const group *g, double rounds) {
    double best = INFINITY, steps = rounds * (g->n - 1.0), inter = rounds * (g->nodes - 1.0);
    double rate = node_rate(m, g, m->peer_rate);
    for (int i = 0; i < PROTOCOLS; i++) {
        const protocol *p = &ring[i];
        double latency = p->base + (steps - inter) * p->intra + inter * hop(m, p);
        best = fmin(best, latency + steps / g->n * g->bytes / (rate * p->efficiency));
    }
    return best;
}

static double tree_time(const rc_machine *m, const group *g) {
    double best = INFINITY, depth = ceil(log2(g->nodes));
    double nic = g->nodes > 2.0 ? fmin(m->nic_line_rate, 2.0 * m->peer_rate) : m->peer_rate;
    double rate = TREE_USED * node_rate(m, g, nic);
    for (int i = 0; i < PROTOCOLS; i++) {
        const protocol *p = &tree[i];
        double latency = p->base + 2.0 * ((g->per_node - 1.0) * p->intra + depth * hop(m, p));
        best = fmin(best, latency + 2.0 * g->bytes / (rate * p->efficiency));
    }
    return best;
}

static double exchange_time(const rc_machine *m, const group *g) {
    double peers = g->n - g->per_node, out = g->bytes * peers / g->n;
    double within = g->bytes * (g->per_node - 1.0) / g->n / (NVLINK_USED * m->nvlink_rate);
    double nic = fmin(m->nic_line_rate, peers * m->peer_rate);
    return m->hop_latency + fmax(out / nic, within);
}

static double all_reduce_time(const rc_machine *m, const group *g) {
    if (strcmp(m->all_reduce, "ring") == 0)
        return ring_time(m, g, 2.0);
    if (strcmp(m->all_reduce, "tree") == 0)
        return tree_time(m, g);
    return fmin(ring_time(m, g, 2.0), tree_time(m, g));
}

rc_status rc_nccl_between_nodes(const rc_machine *m, rc_op op, double bytes, int ranks, int nodes,
                                rc_cost *out, rc_error *err) {
    assert(nodes > 1 && ranks >= nodes && ranks % nodes == 0 && bytes >= 0.0);
    int per_node = ranks / nodes;
    group g = {.n = ranks, .nodes = nodes, .per_node = per_node, .bytes = bytes};
    double t = 0.0;
    if (op == RC_COST_ALL_REDUCE)
        t = all_reduce_time(m, &g);
    else if (op == RC_COST_ALL_GATHER || op == RC_COST_REDUCE_SCATTER)
        t = ring_time(m, &g, 1.0);
    else if (op == RC_COST_ALL_TO_ALL)
        t = exchange_time(m, &g);
    else
        t = m->hop_latency + bytes / m->peer_rate;
    if (!isfinite(t) || !(t >= 0.0))
        return rc_fail(err, RC_E_INPUT,
                       "%s over %d nodes is out of range on machine '%s': check peer_rate (%g B/s) "
                       "and nic_line_rate (%g B/s)",
                       rc_op_info_of(op)->name, nodes, m->name, m->peer_rate, m->nic_line_rate);
    *out = (rc_cost){.p50 = t, .spread = m->ratio_spread, .basis = RC_MODELLED};
    return RC_OK;
}

static int power_of_two(int least) {
    int n = 1;
    while (n < least)
        n *= 2;
    return n;
}

int rc_nccl_channels(bool nvlink, int ranks, int ctas, double bytes) {
    enum { NVLINK = 32, HOST_MEMORY = 4 };
    const double chunk = nvlink ? 524288.0 : 131072.0;
    const double most = 32.0 * chunk * (1.0 + 1e-9); /* sizes may come out of logarithms */
    assert(ranks >= 2 && ctas >= 0 && bytes >= 0.0);
    int all = nvlink ? NVLINK : HOST_MEMORY;
    if (ctas > 0 && power_of_two(ctas) < NVLINK)
        all = power_of_two(ctas);
    int n = all;
    while (n > 1 && n * ranks > all)
        n /= 2;
    while (n <= all / 2 && bytes / n > most)
        n *= 2;
    return n;
}
