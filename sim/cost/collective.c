/* Transfers between GPUs: measured or published curves where they exist, formulas where not.
 *
 * Whose rows. The machine's own come first, then those of the machine it names for collectives,
 * then its base's, then any machine with the same GPU, then any: links inside a node differ far
 * less between machines than kernels do between parts. On NVLink an all-reduce uses the switches'
 * own reduction (nvls) when the machine has it and rows of that many ranks exist, else the ring or
 * tree (nvlink).
 *
 * No rows of that many ranks anywhere: the nearest number of ranks, scaled by NCCL's bus-bandwidth
 * factor, 2(n-1)/n for all-reduce and (n-1)/n for the rest. No rows of the op over that transport
 * (shm, socket): composed of send_recv steps. Both are `modelled`. Times do not follow the GPU's
 * clocks, for a link does not depend on them, but what a row takes beyond the shortest message of
 * its series follows the link: on NVLink by nvlink_ratio, or on rows of this very machine by what
 * an override has made of nvlink_rate; between nodes, where only this machine's own rows count, by
 * what it has made of peer_rate (nic_line_rate for an all-to-all), and the shortest message by
 * hop_latency.
 *
 * Between nodes: the machine's own rows, if it has any, else nccl.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "sim/cost/costs.h"
#include "sim/cost/nccl.h"

static int64_t ranks_of(const rc_grid *g) {
    return g->fixed.at[RC_AXIS_RANKS];
}

static int64_t nodes_of(const rc_grid *g) {
    return g->fixed.at[RC_AXIS_NODES];
}

/* How near the machine of a series is to ours; lower is nearer. */
static int kinship(const rc_machine *m, const rc_grid *g) {
    if (strcmp(g->machine, m->name) == 0)
        return 0;
    if (strcmp(g->machine, m->collectives) == 0)
        return 1;
    if (strcmp(g->machine, m->base) == 0)
        return 2;
    return strcmp(g->gpu, m->gpu) == 0 ? 3 : 4;
}

/* 0 for the transport wanted, 1 for one that will do, -1 for one that will not. */
static int transport_rank(const rc_machine *m, rc_op op, const rc_grid *g, bool between) {
    if (between)
        return strcmp(g->variant, m->inter_transport) == 0 ? 0 : -1;
    if (strcmp(g->variant, "nvls") == 0)
        return m->nvls && op != RC_COST_SEND_RECV && strcmp(m->intra_transport, "nvlink") == 0 ? 0
                                                                                               : -1;
    return strcmp(g->variant, m->intra_transport) == 0 ? 1 : -1;
}

/* The best curve of `op` over exactly so many ranks and nodes. `own` admits this machine's only. */
static const rc_grid *find(const rc_costs *c, rc_op op, int64_t ranks, int64_t nodes, bool own) {
    const rc_grid *best = NULL;
    int lowest = 0;
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, op, &n);
    for (const rc_grid *end = g + n; g < end; g++) {
        if (nodes_of(g) != nodes || ranks_of(g) != ranks)
            continue;
        int t = transport_rank(&c->m, op, g, nodes > 1), kin = kinship(&c->m, g);
        if (t < 0 || (own && kin > 0))
            continue;
        int rank = 10 * kin + t;
        if (best == NULL || rank < lowest) {
            best = g;
            lowest = rank;
        }
    }
    return best;
}

/* The same over the nearest number of ranks. */
static const rc_grid *find_nearest(const rc_costs *c, rc_op op, int64_t ranks) {
    double far = INFINITY;
    const rc_grid *best = NULL;
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, op, &n);
    for (const rc_grid *end = g + n; g < end; g++) {
        double d = fabs(log((double)ranks_of(g) / (double)ranks));
        if (nodes_of(g) != 1 || ranks_of(g) < 2 || d >= far - 1e-9)
            continue;
        const rc_grid *t = find(c, op, ranks_of(g), 1, false);
        if (t != NULL) {
            best = t;
            far = d;
        }
    }
    return best;
}

static double change(double now, double file) {
    return file > 0.0 && now > 0.0 ? now / file : 1.0;
}

/* Rate of the link over the one that a series was measured on. */
static double link_ratio(const rc_machine *m, const rc_grid *g) {
    const rc_machine_links *file = &m->file;
    if (nodes_of(g) > 1)
        return g->op == RC_COST_ALL_TO_ALL ? change(m->nic_line_rate, file->nic_line_rate)
                                           : change(m->peer_rate, file->peer_rate);
    if (strcmp(m->intra_transport, "nvlink") != 0)
        return 1.0;
    if (kinship(m, g) == 0)
        return change(m->nvlink_rate, file->nvlink_rate);
    return m->nvlink_ratio > 0.0 ? m->nvlink_ratio : 1.0;
}

/* A time of the series on this machine's link. */
static double on_link(const rc_machine *m, const rc_grid *g, double t) {
    double ratio = link_ratio(m, g);
    double hop = nodes_of(g) > 1 ? change(m->hop_latency, m->file.hop_latency) : 1.0;
    if (ratio == 1.0 && hop == 1.0)
        return t;
    double floor = fmin(t, exp(g->curves.series->knot[0].y));
    return floor * hop + (t - floor) / ratio;
}

static double bus_factor(rc_op op, double n) {
    if (op == RC_COST_SEND_RECV)
        return 1.0;
    return (op == RC_COST_ALL_REDUCE ? 2.0 : 1.0) * (n - 1.0) / n;
}

static void as_cost(const rc_costs *c, const rc_grid *g, const rc_probe *p, rc_cost *out) {
    out->p50 = on_link(&c->m, g, exp(p->y));
    out->spread = p->spread;
    out->basis = p->basis;
    bool ours = kinship(&c->m, g) == 0 || strcmp(g->machine, c->m.base) == 0;
    if (!ours || link_ratio(&c->m, g) != 1.0)
        out->basis = rc_worse(out->basis, RC_TRANSFERRED);
    if (kinship(&c->m, g) == 4) /* of another GPU, whose links nobody has named as alike */
        out->basis = rc_worse(out->basis, RC_MODELLED);
}

/* Steps of messages between neighbours, each as long as a send_recv of that size. */
static rc_status composed(const rc_costs *c, rc_op op, double bytes, int ranks, rc_cost *out,
                          rc_error *err) {
    const rc_grid *g = find(c, RC_COST_SEND_RECV, 2, 1, false);
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

static rc_status inside_node(const rc_costs *c, rc_op op, double bytes, int ranks, rc_cost *out,
                             rc_error *err) {
    if (ranks > c->m.gpus_per_node)
        return rc_fail(err, RC_E_INPUT, "%s: %d ranks in one node; a node of '%s' has %d GPUs",
                       rc_op_info_of(op)->name, ranks, c->m.name, c->m.gpus_per_node);
    rc_probe p;
    double x = log(fmax(bytes, 1.0));
    const rc_grid *g = find(c, op, op == RC_COST_SEND_RECV ? 2 : ranks, 1, false);
    if (g != NULL) {
        rc_series_at(g->curves.series, x, &p);
        as_cost(c, g, &p, out);
        return RC_OK;
    }
    g = find_nearest(c, op, ranks);
    if (g == NULL)
        return composed(c, op, bytes, ranks, out, err);
    rc_series_at(g->curves.series, x, &p);
    double floor = fmin(exp(p.y), exp(g->curves.series->knot[0].y));
    double t = exp(p.y), more = bus_factor(op, ranks) / bus_factor(op, (double)ranks_of(g));
    out->p50 = on_link(&c->m, g, floor + (t - floor) * more);
    out->spread = p.spread;
    out->basis = RC_MODELLED;
    return RC_OK;
}

static rc_status between_nodes(const rc_costs *c, rc_op op, double bytes, int ranks, int nodes,
                               rc_cost *out, rc_error *err) {
    const rc_machine *m = &c->m;
    if (!(m->nic_rate > 0.0) || (m->max_nodes > 0 && nodes > m->max_nodes))
        return rc_fail(err, RC_E_INPUT, "%s over %d nodes: machine '%s' has %s%d",
                       rc_op_info_of(op)->name, nodes, m->name, m->nic_rate > 0.0 ? "at most " : "",
                       m->max_nodes);
    if (ranks % nodes != 0 || ranks / nodes > m->gpus_per_node)
        return rc_fail(err, RC_E_INPUT,
                       "%s: %d ranks over %d nodes of %d GPUs; expected the same number, at most "
                       "%d, on each",
                       rc_op_info_of(op)->name, ranks, nodes, m->gpus_per_node, m->gpus_per_node);
    const rc_grid *g = find(c, op, ranks, nodes, true);
    if (g == NULL)
        return rc_nccl_between_nodes(m, op, bytes, ranks, nodes, out, err);
    rc_probe p;
    rc_series_at(g->curves.series, log(fmax(bytes, 1.0)), &p);
    as_cost(c, g, &p, out);
    return RC_OK;
}

/* A row of that transfer is over the transport that the machine says. */
static rc_status hear(const rc_costs *c, rc_op op, double bytes, int ranks, int nodes, rc_cost *out,
                      rc_error *err) {
    rc_axes at = {
        {[RC_AXIS_BYTES] = llround(bytes), [RC_AXIS_RANKS] = ranks, [RC_AXIS_NODES] = nodes}};
    const rc_machine *m = &c->m;
    return rc_asks_hear(c->asks, op, RC_BF16, &at,
                        nodes > 1 ? m->inter_transport : m->intra_transport, out, err);
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

rc_status rc_cost_collective(const rc_costs *c, const char *op, double bytes, int ranks, int nodes,
                             rc_cost *out, rc_error *err) {
    rc_op o;
    assert(c != NULL && op != NULL && out != NULL);
    RC_TRY(transfer_named(op, &o, err));
    if (!(bytes >= 0.0) || bytes > 1e18)
        return rc_fail(err, RC_E_INPUT, "%s: bytes is %g; expected 0 to 1e18", op, bytes);
    if (ranks < 1 || nodes < 1 || nodes > ranks)
        return rc_fail(err, RC_E_INPUT, "%s: %d ranks on %d nodes; expected at least one of each",
                       op, ranks, nodes);
    if (ranks == 1 || bytes <= 0.0)
        return rc_cost_nothing(out);
    if (nodes > 1)
        RC_TRY(between_nodes(c, o, bytes, ranks, nodes, out, err));
    else
        RC_TRY(inside_node(c, o, bytes, ranks, out, err));
    return c->asks == NULL ? RC_OK : hear(c, o, bytes, ranks, nodes, out, err);
}

/* ---- one message ----------------------------------------------------------------------------- */

/* A measured curve as latency and rate: at these bytes latency + bytes / rate is the curve's time.
 */
static void curve_as_flow(const rc_costs *c, const rc_grid *g, double bytes, double link,
                          rc_p2p *out) {
    rc_probe p;
    rc_cost cost;
    rc_series_at(g->curves.series, log(fmax(bytes, 1.0)), &p);
    as_cost(c, g, &p, &cost);
    out->latency = fmin(on_link(&c->m, g, exp(g->curves.series->knot[0].y)), cost.p50);
    out->spread = cost.spread;
    out->basis = cost.basis;
    double rest = cost.p50 - out->latency;
    out->peer_rate = rest > 0.0 ? bytes / rest : link;
    if (!(out->peer_rate < link))
        out->peer_rate = link;
    if (!(out->peer_rate > 1.0)) /* no bytes to speak of */
        out->peer_rate = link;
    out->link_rate = link;
}

static rc_status message(const rc_costs *c, double bytes, int same_node, rc_p2p *out,
                         rc_error *err) {
    const rc_machine *m = &c->m;
    if (!(bytes >= 0.0) || bytes > 1e18)
        return rc_fail(err, RC_E_INPUT, "send_recv: bytes is %g; expected 0 to 1e18", bytes);
    if (!same_node && !(m->nic_rate > 0.0))
        return rc_fail(err, RC_E_INPUT, "send_recv between nodes: machine '%s' has one", m->name);
    const rc_grid *g = find(c, RC_COST_SEND_RECV, 2, same_node ? 1 : 2, !same_node);
    if (g != NULL) {
        curve_as_flow(c, g, bytes, same_node ? m->nvlink_rate : m->nic_line_rate, out);
        return RC_OK;
    }
    if (same_node)
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

rc_status rc_cost_p2p(const rc_costs *c, double bytes, int same_node, rc_p2p *out, rc_error *err) {
    assert(c != NULL && out != NULL);
    RC_TRY(message(c, bytes, same_node, out, err));
    if (c->asks == NULL)
        return RC_OK;
    rc_cost cost = {
        .p50 = out->latency + bytes / out->peer_rate, .spread = out->spread, .basis = out->basis};
    double before = cost.p50;
    RC_TRY(hear(c, RC_COST_SEND_RECV, bytes, 2, same_node ? 1 : 2, &cost, err));
    double slower = before > 0.0 ? cost.p50 / before : 1.0;
    out->latency *= slower;
    out->peer_rate /= slower;
    return RC_OK;
}
