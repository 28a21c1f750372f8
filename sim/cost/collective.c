/* Transfers between GPUs: measured or published curves where they exist (link_rows.c says whose),
 * formulas where not.
 *
 * No rows of that many ranks anywhere: the nearest number of ranks, scaled by NCCL's bus-bandwidth
 * factor, 2(n-1)/n for all-reduce and (n-1)/n for the rest. No rows of the op over that transport
 * (shm, socket): composed of send_recv steps. Both are `modelled`.
 *
 * Clocks. Over host memory and sockets times do not follow the GPU's clock. Over NVLink NCCL's CTAs
 * copy, each some 20 GB/s on an H200, and the less they fill the link the more they are what bounds
 * a transfer: all of its time but the share of the link that it fills follows the clock.
 *
 * What a row takes beyond the shortest message of
 * its series follows the link: on NVLink by nvlink_ratio, or on rows of this very machine by what
 * an override has made of nvlink_rate; between nodes, where only this machine's own rows count, by
 * what it has made of peer_rate (nic_line_rate for an all-to-all), and the shortest message by
 * hop_latency.
 *
 * Groups abreast. Two groups of a node that reduce or gather at the same time share its host memory
 * or its loopback device, though no GPU: together they move no more than one group of all their
 * GPUs does. So each takes at least as long as such a group would at the same bus bandwidth. On
 * NVLink each GPU has links of its own, and messages of two groups were not seen to slow each
 * other: a message moves no more over host memory from one GPU than from all at once.
 *
 * Between nodes: the machine's own rows, if it has any, else nccl.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "sim/cost/link_rows.h"
#include "sim/cost/nccl.h"

/* What NCCL counts on of an NVLink: 20.6 of 25 GB/s. */
static const double LINK_USED = 20.6 / 25.0;

/* Of a call behind its like, what the kernel takes to begin and to end: of the smallest kernels in
 * rows of `gap` there is hardly more (swiglu 1.07 us, merge 1.23 us on an H200). */
static const double KERNEL = 1.1e-6;

/* The share of a transfer's time that follows the clock: `bytes` leave a GPU in t seconds. */
static double clock_bound(const rc_machine *m, double bytes, double t) {
    double link = LINK_USED * m->nvlink_rate;
    if (strcmp(m->intra_transport, "nvlink") != 0 || !(t > 0.0) || !(link > 0.0))
        return 0.0;
    return fmax(1.0 - bytes / t / link, 0.0);
}

static double bus_factor(rc_op op, double n) {
    if (op == RC_COST_SEND_RECV)
        return 1.0;
    return (op == RC_COST_ALL_REDUCE ? 2.0 : 1.0) * (n - 1.0) / n;
}

/* Steps of messages between neighbours, each as long as a send_recv of that size. */
static rc_status composed(const rc_costs *c, rc_op op, double bytes, int ranks, rc_cost *out,
                          rc_error *err) {
    const rc_grid *g = rc_link_find(c, RC_COST_SEND_RECV, 2, 1, false);
    if (g == NULL)
        return rc_fail(err, RC_E_INPUT,
                       "the calibration store has no rows of %s over %s for machine '%s', and none "
                       "of send_recv to compose it of",
                       rc_op_info_of(op)->name, c->m.intra_transport, c->m.name);
    double n = ranks, steps = n - 1.0, part = bytes / n;
    if (op == RC_COST_ALL_REDUCE)
        steps *= 2.0;
    if (op == RC_COST_ALL_TO_ALL) { /* all messages leave together */
        part = bytes * steps / n;
        steps = 1.0;
    }
    rc_probe p;
    rc_series_at(g->curves.series, log(fmax(part, 1.0)), &p);
    out->p50 = steps * exp(p.y);
    out->spread = p.spread;
    out->basis = RC_MODELLED;
    return RC_OK;
}

/* At the bus bandwidth of rows of another number of ranks: what is not latency follows the bytes
 * that a rank moves. */
static void at_bus_rate(const rc_costs *c, const rc_grid *g, double bytes, int ranks,
                        rc_cost *out) {
    rc_cost shortest = {.p50 = 0.0};
    rc_link_cost(c, g, bytes, out);
    rc_link_cost(c, g, 1.0, &shortest);
    double floor = fmin(out->p50, shortest.p50);
    double more = bus_factor(g->op, ranks) / bus_factor(g->op, (double)rc_link_ranks(g));
    out->p50 = floor + (out->p50 - floor) * more;
    out->basis = RC_MODELLED;
}

/* What groups abreast take at least: the algorithms over a ring, not through a switch. */
static void beside_others(const rc_costs *c, rc_op op, const rc_transfer *x, rc_cost *out) {
    bool rings =
        op == RC_COST_ALL_REDUCE || op == RC_COST_ALL_GATHER || op == RC_COST_REDUCE_SCATTER;
    rc_cost shared = {.p50 = 0.0};
    if (x->abreast < 2 || !rings || strcmp(c->m.intra_transport, "nvlink") == 0)
        return;
    const rc_grid *g = rc_link_find(c, op, (int64_t)x->ranks * x->abreast, 1, false);
    if (g == NULL)
        return;
    at_bus_rate(c, g, x->bytes, x->ranks, &shared);
    if (shared.p50 > out->p50)
        *out = shared;
}

/* NCCL's kernel sends messages of one group to one peer one after the other: a channel works on no
 * two of them at once, and goes through all that a message takes for each. Only the kernel itself is
 * begun and ended once. */
static void in_two(const rc_costs *c, const rc_grid *g, const rc_transfer *x, rc_cost *out) {
    rc_cost second = {.p50 = 0.0};
    bool two = x->second > 0.0 && x->second < x->bytes;
    rc_link_cost(c, g, two ? x->bytes - x->second : x->bytes, out);
    if (!two)
        return;
    rc_link_cost(c, g, x->second, &second);
    out->p50 += fmax(second.p50 - KERNEL, 0.0);
    out->basis = rc_worse(out->basis, RC_MODELLED); /* nobody has measured such a group */
}

static rc_status inside_node(const rc_costs *c, rc_op op, const rc_transfer *x, rc_cost *out,
                             rc_error *err) {
    if (x->ranks > c->m.gpus_per_node)
        return rc_fail(err, RC_E_INPUT, "%s: %d ranks in one node; a node of '%s' has %d GPUs",
                       rc_op_info_of(op)->name, x->ranks, c->m.name, c->m.gpus_per_node);
    if ((c->m.without & RC_LINKS) && (op == RC_COST_ALL_TO_ALL || op == RC_COST_ALL_GATHER))
        return composed(c, op, x->bytes, x->ranks, out, err);
    const rc_grid *own = rc_link_own(c, op, x->ranks, x->bytes);
    if (own != NULL) {
        rc_link_cost(c, own, x->bytes, out);
        return RC_OK;
    }
    const rc_grid *g = rc_link_find(c, op, x->ranks, 1, false);
    if (g != NULL) {
        in_two(c, g, x, out);
        beside_others(c, op, x, out);
    } else {
        g = rc_link_nearest(c, op, x->ranks);
        if (g == NULL)
            return composed(c, op, x->bytes, x->ranks, out, err);
        at_bus_rate(c, g, x->bytes, x->ranks, out);
    }
    out->p50 += rc_link_apart(c, g, x->bytes);
    double sent = x->bytes * bus_factor(op, (double)x->ranks);
    out->effort = (rc_effort){.bound = clock_bound(&c->m, sent, out->p50), .class = RC_POWER_LINK};
    return RC_OK;
}

static rc_status between_nodes(const rc_costs *c, rc_op op, const rc_transfer *x, rc_cost *out,
                               rc_error *err) {
    const rc_machine *m = &c->m;
    const int ranks = x->ranks, nodes = x->nodes;
    if (!(m->nic_rate > 0.0) || (m->max_nodes > 0 && nodes > m->max_nodes))
        return rc_fail(err, RC_E_INPUT, "%s over %d nodes: machine '%s' has %s%d",
                       rc_op_info_of(op)->name, nodes, m->name, m->nic_rate > 0.0 ? "at most " : "",
                       m->max_nodes);
    if (ranks % nodes != 0 || ranks / nodes > m->gpus_per_node)
        return rc_fail(err, RC_E_INPUT,
                       "%s: %d ranks over %d nodes of %d GPUs; expected the same number, at most "
                       "%d, on each",
                       rc_op_info_of(op)->name, ranks, nodes, m->gpus_per_node, m->gpus_per_node);
    const rc_grid *g = rc_link_find(c, op, ranks, nodes, true);
    if (g == NULL)
        return rc_nccl_between_nodes(m, op, x->bytes, ranks, nodes, out, err);
    rc_link_cost(c, g, x->bytes, out);
    return RC_OK;
}

/* A row of that transfer is over the transport that the machine says. */
static rc_status hear(const rc_costs *c, rc_op op, const rc_transfer *x, int ranks, rc_cost *out,
                      rc_error *err) {
    rc_axes at = {
        {[RC_AXIS_BYTES] = llround(x->bytes), [RC_AXIS_RANKS] = ranks, [RC_AXIS_NODES] = x->nodes}};
    const rc_machine *m = &c->m;
    return rc_asks_hear(c->asks, op, RC_BF16, &at,
                        x->nodes > 1 ? m->inter_transport : m->intra_transport, out, err);
}

/* The transfer of that name. */
static rc_status transfer_named(const char *name, rc_op *out, rc_error *err) {
    const char *names[RC_OPS_MAX + 1] = {NULL};
    size_t n = 0;
    for (rc_op op = 0; op < rc_op_count(); op++) {
        const rc_op_info *info = rc_op_info_of(op);
        if (info->rule != RC_PRICE_LINK)
            continue;
        *out = op;
        if (name[0] == info->name[0] && strcmp(name, info->name) == 0)
            return RC_OK;
        names[n++] = info->name;
    }
    const char *near = rc_nearest(name, names);
    return rc_fail(err, RC_E_INPUT, "'%.40s' is no collective%s%s%s", name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Sizes that a caller may have read from a user. */
static rc_status sound(const char *op, const rc_transfer *x, rc_error *err) {
    if (!(x->bytes >= 0.0) || x->bytes > 1e18)
        return rc_fail(err, RC_E_INPUT, "%s: bytes is %g; expected 0 to 1e18", op, x->bytes);
    if (x->ranks < 1 || x->nodes < 1 || x->nodes > x->ranks)
        return rc_fail(err, RC_E_INPUT, "%s: %d ranks on %d nodes; expected at least one of each",
                       op, x->ranks, x->nodes);
    return RC_OK;
}

rc_status rc_cost_collective(const rc_costs *c, const char *op, const rc_transfer *x, rc_cost *out,
                             rc_error *err) {
    rc_op o;
    assert(c != NULL && op != NULL && x != NULL && out != NULL);
    RC_TRY(transfer_named(op, &o, err));
    RC_TRY(sound(op, x, err));
    if (x->ranks == 1 || x->bytes <= 0.0)
        return rc_cost_nothing(out);
    RC_TRY(x->nodes > 1 ? between_nodes(c, o, x, out, err) : inside_node(c, o, x, out, err));
    return c->asks == NULL ? RC_OK : hear(c, o, x, x->ranks, out, err);
}

/* ---- messages -------------------------------------------------------------------------------- */

/* A message that goes as several, in one group to the same peer: one after the other. */
static void in_pieces(const rc_costs *c, const rc_grid *g, const rc_transfer *x, rc_cost *out) {
    rc_cost one = {.p50 = 0.0};
    double sum = 0.0;
    rc_link_cost(c, g, x->bytes, out);
    for (int i = 0; i < RC_MESSAGE_PIECES; i++) {
        if (!(x->piece[i] > 0.0))
            continue;
        rc_link_cost(c, g, x->piece[i], &one);
        sum += RC_PIECE_COPIES * fmax(one.p50 - KERNEL, 0.0);
    }
    if (!(sum > 0.0))
        return;
    out->p50 = KERNEL + sum;
    out->basis = rc_worse(out->basis, RC_MODELLED); /* nobody has measured such a group */
}

/* A measured curve as latency and rate: at these bytes latency + bytes / rate is the curve's time.
 */
static void curve_as_flow(const rc_costs *c, const rc_grid *g, const rc_transfer *x, double link,
                          rc_p2p *out) {
    rc_cost cost = {.p50 = 0.0};
    in_pieces(c, g, x, &cost);
    out->latency = fmin(rc_link_carried(c, g, exp(g->curves.series->knot[0].y)), cost.p50);
    out->spread = cost.spread;
    out->basis = cost.basis;
    double rest = cost.p50 - out->latency;
    out->peer_rate = rest > 0.0 ? x->bytes / rest : link;
    if (!(out->peer_rate < link))
        out->peer_rate = link;
    if (!(out->peer_rate > 1.0)) /* no bytes to speak of */
        out->peer_rate = link;
    out->link_rate = link;
    /* The messages of a ring follow each other on one stream, which waits for the compute before
     * the first and is waited for after the last. */
    out->latency += rc_link_apart(c, g, x->bytes) / fmax(x->ranks - 1, 1);
    out->bound = rc_link_nodes(g) > 1 ? 0.0 : clock_bound(&c->m, x->bytes, cost.p50);
}

/* Rows of as many ranks, else of the nearest number: *exact says which. */
static const rc_grid *messages_of(const rc_costs *c, const rc_transfer *x, bool *exact) {
    if (x->nodes > 1) {
        *exact = true;
        return rc_link_find(c, RC_COST_SEND_RECV, 2, 2, true);
    }
    const int ranks = (c->m.without & RC_LINKS) ? 2 : x->ranks;
    const rc_grid *g = rc_link_find(c, RC_COST_SEND_RECV, ranks, 1, false);
    *exact = g != NULL;
    return g != NULL ? g : rc_link_nearest(c, RC_COST_SEND_RECV, ranks);
}

static rc_status message(const rc_costs *c, const rc_transfer *x, rc_p2p *out, rc_error *err) {
    const rc_machine *m = &c->m;
    bool inside = x->nodes == 1, exact = false;
    if (!(x->bytes >= 0.0) || x->bytes > 1e18)
        return rc_fail(err, RC_E_INPUT, "send_recv: bytes is %g; expected 0 to 1e18", x->bytes);
    if (!inside && !(m->nic_rate > 0.0))
        return rc_fail(err, RC_E_INPUT, "send_recv between nodes: machine '%s' has one", m->name);
    const rc_grid *g = messages_of(c, x, &exact);
    if (g != NULL) {
        curve_as_flow(c, g, x, inside ? m->nvlink_rate : m->nic_line_rate, out);
        if (!exact)
            out->basis = rc_worse(out->basis, RC_MODELLED);
        return RC_OK;
    }
    if (inside)
        return rc_fail(err, RC_E_INPUT,
                       "the calibration store has no rows of send_recv over %s for machine '%s'",
                       m->intra_transport, m->name);
    *out = (rc_p2p){.latency = m->hop_latency,
                    .peer_rate = m->peer_rate,
                    .link_rate = m->nic_line_rate,
                    .spread = m->ratio_spread,
                    .basis = RC_MODELLED};
    return RC_OK;
}

rc_status rc_cost_p2p(const rc_costs *c, const rc_transfer *x, rc_p2p *out, rc_error *err) {
    assert(c != NULL && x != NULL && out != NULL);
    RC_TRY(message(c, x, out, err));
    if (c->asks == NULL)
        return RC_OK;
    rc_cost cost = {.p50 = out->latency + x->bytes / out->peer_rate,
                    .spread = out->spread,
                    .basis = out->basis};
    double before = cost.p50;
    RC_TRY(hear(c, RC_COST_SEND_RECV, x, x->nodes > 1 ? 2 : x->ranks, &cost, err));
    double slower = before > 0.0 ? cost.p50 / before : 1.0;
    out->latency *= slower;
    out->peer_rate /= slower;
    return RC_OK;
}
