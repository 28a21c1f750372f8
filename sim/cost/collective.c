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
#include <math.h>
#include <string.h>

#include "sim/cost/book.h"

/* How near the machine of a series is to ours; lower is nearer. */
static int kinship(const rc_machine *m, const rc_series *s) {
    if (strcmp(s->machine, m->name) == 0)
        return 0;
    if (strcmp(s->machine, m->collectives) == 0)
        return 1;
    if (strcmp(s->machine, m->base) == 0)
        return 2;
    return strcmp(s->gpu, m->gpu) == 0 ? 3 : 4;
}

/* 0 for the transport wanted, 1 for one that will do, -1 for one that will not. */
static int transport_rank(const rc_machine *m, rc_op op, const rc_series *s, bool between) {
    if (between)
        return strcmp(s->variant, m->inter_transport) == 0 ? 0 : -1;
    if (strcmp(s->variant, "nvls") == 0)
        return m->nvls && op != OP_SEND_RECV && strcmp(m->intra_transport, "nvlink") == 0 ? 0 : -1;
    return strcmp(s->variant, m->intra_transport) == 0 ? 1 : -1;
}

/* The best series of `op`; with ranks > 0 of exactly that many. `own` admits this machine's only.
 */
static const rc_series *find(const rc_costs *c, rc_op op, int64_t ranks, int64_t nodes, bool own) {
    const rc_series *best = NULL;
    int lowest = 0;
    for (size_t i = c->book->first[op]; i < c->book->first[op + 1]; i++) {
        const rc_series *s = &c->book->series[i];
        int t = transport_rank(&c->m, op, s, nodes > 1), kin = kinship(&c->m, s);
        if (t < 0 || s->k[1] != nodes || (ranks > 0 && s->k[0] != ranks) || (own && kin > 0))
            continue;
        int rank = 10 * kin + t;
        if (best == NULL || rank < lowest) {
            best = s;
            lowest = rank;
        }
    }
    return best;
}

/* The same over the nearest number of ranks. */
static const rc_series *find_nearest(const rc_costs *c, rc_op op, int64_t ranks) {
    double far = INFINITY;
    const rc_series *best = NULL;
    for (size_t i = c->book->first[op]; i < c->book->first[op + 1]; i++) {
        const rc_series *s = &c->book->series[i];
        double d = fabs(log((double)s->k[0] / (double)ranks));
        if (s->k[1] != 1 || s->k[0] < 2 || d >= far - 1e-9)
            continue;
        const rc_series *t = find(c, op, s->k[0], 1, false);
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
static double link_ratio(const rc_machine *m, const rc_series *s) {
    const rc_machine_links *file = &m->file;
    if (s->k[1] > 1)
        return s->op == OP_ALL_TO_ALL ? change(m->nic_line_rate, file->nic_line_rate)
                                      : change(m->peer_rate, file->peer_rate);
    if (strcmp(m->intra_transport, "nvlink") != 0)
        return 1.0;
    if (kinship(m, s) == 0)
        return change(m->nvlink_rate, file->nvlink_rate);
    return m->nvlink_ratio > 0.0 ? m->nvlink_ratio : 1.0;
}

/* A time of the series on this machine's link. */
static double on_link(const rc_machine *m, const rc_series *s, double t) {
    double ratio = link_ratio(m, s);
    double hop = s->k[1] > 1 ? change(m->hop_latency, m->file.hop_latency) : 1.0;
    if (ratio == 1.0 && hop == 1.0)
        return t;
    double floor = fmin(t, exp(s->y[0]));
    return floor * hop + (t - floor) / ratio;
}

static double bus_factor(rc_op op, double n) {
    if (op == OP_SEND_RECV)
        return 1.0;
    return (op == OP_ALL_REDUCE ? 2.0 : 1.0) * (n - 1.0) / n;
}

static void as_cost(const rc_costs *c, const rc_series *s, const rc_probe *p, rc_cost *out) {
    out->p50 = on_link(&c->m, s, exp(p->y));
    out->spread = p->spread;
    out->basis = p->basis;
    bool ours = kinship(&c->m, s) == 0 || strcmp(s->machine, c->m.base) == 0;
    if (!ours || link_ratio(&c->m, s) != 1.0)
        out->basis = rc_worse(out->basis, RC_TRANSFERRED);
    if (kinship(&c->m, s) == 4) /* of another GPU, whose links nobody has named as alike */
        out->basis = rc_worse(out->basis, RC_MODELLED);
}

/* Steps of messages between neighbours, each as long as a send_recv of that size. */
static rc_status composed(const rc_costs *c, rc_op op, double bytes, int ranks, rc_cost *out,
                          rc_error *err) {
    const rc_series *s = find(c, OP_SEND_RECV, 2, 1, false);
    if (s == NULL)
        return rc_fail(err, RC_E_INPUT,
                       "the calibration store has no rows of %s over %s for machine '%s', and none "
                       "of send_recv to compose it of",
                       rc_op_name(op), c->m.intra_transport, c->m.name);
    double n = ranks, steps = n - 1.0, part = bytes / n;
    if (op == OP_ALL_REDUCE)
        steps *= 2.0;
    if (op == OP_ALL_TO_ALL) { /* all messages leave together */
        part = bytes * steps / n;
        steps = 1.0;
    }
    rc_probe p;
    rc_series_at(s, log(fmax(part, 1.0)), &p);
    out->p50 = steps * exp(p.y);
    out->spread = p.spread;
    out->basis = RC_MODELLED;
    return RC_OK;
}

static rc_status inside_node(const rc_costs *c, rc_op op, double bytes, int ranks, rc_cost *out,
                             rc_error *err) {
    if (ranks > c->m.gpus_per_node)
        return rc_fail(err, RC_E_INPUT, "%s: %d ranks in one node; a node of '%s' has %d GPUs",
                       rc_op_name(op), ranks, c->m.name, c->m.gpus_per_node);
    rc_probe p;
    double x = log(fmax(bytes, 1.0));
    const rc_series *s = find(c, op, op == OP_SEND_RECV ? 2 : ranks, 1, false);
    if (s != NULL) {
        rc_series_at(s, x, &p);
        as_cost(c, s, &p, out);
        return RC_OK;
    }
    s = find_nearest(c, op, ranks);
    if (s == NULL)
        return composed(c, op, bytes, ranks, out, err);
    rc_series_at(s, x, &p);
    double floor = fmin(exp(p.y), exp(s->y[0]));
    double t = exp(p.y), more = bus_factor(op, ranks) / bus_factor(op, (double)s->k[0]);
    out->p50 = on_link(&c->m, s, floor + (t - floor) * more);
    out->spread = p.spread;
    out->basis = RC_MODELLED;
    return RC_OK;
}

static rc_status between_nodes(const rc_costs *c, rc_op op, double bytes, int ranks, int nodes,
                               rc_cost *out, rc_error *err) {
    const rc_machine *m = &c->m;
    if (!(m->nic_rate > 0.0) || (m->max_nodes > 0 && nodes > m->max_nodes))
        return rc_fail(err, RC_E_INPUT, "%s over %d nodes: machine '%s' has %s%d", rc_op_name(op),
                       nodes, m->name, m->nic_rate > 0.0 ? "at most " : "", m->max_nodes);
    if (ranks % nodes != 0 || ranks / nodes > m->gpus_per_node)
        return rc_fail(err, RC_E_INPUT,
                       "%s: %d ranks over %d nodes of %d GPUs; expected the same number, at most "
                       "%d, on each",
                       rc_op_name(op), ranks, nodes, m->gpus_per_node, m->gpus_per_node);
    const rc_series *s = find(c, op, ranks, nodes, true);
    if (s == NULL)
        return rc_nccl_between_nodes(m, op, bytes, ranks, nodes, out, err);
    rc_probe p;
    rc_series_at(s, log(fmax(bytes, 1.0)), &p);
    as_cost(c, s, &p, out);
    return RC_OK;
}

static rc_op op_named(const char *name) {
    for (int op = OP_SEND_RECV; op < OP_COUNT; op++) {
        if (strcmp(name, rc_op_name((rc_op)op)) == 0)
            return (rc_op)op;
    }
    return OP_COUNT;
}

rc_status rc_cost_collective(const rc_costs *c, const char *op, double bytes, int ranks, int nodes,
                             rc_cost *out, rc_error *err) {
    static const char *const names[] = {"send_recv",      "all_reduce", "all_gather",
                                        "reduce_scatter", "all_to_all", NULL};
    rc_op o = op_named(op);
    if (o == OP_COUNT) {
        const char *near = rc_nearest(op, names);
        return rc_fail(err, RC_E_INPUT, "'%.40s' is no collective%s%s%s", op,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (!(bytes >= 0.0) || bytes > 1e18)
        return rc_fail(err, RC_E_INPUT, "%s: bytes is %g; expected 0 to 1e18", op, bytes);
    if (ranks < 1 || nodes < 1 || nodes > ranks)
        return rc_fail(err, RC_E_INPUT, "%s: %d ranks on %d nodes; expected at least one of each",
                       op, ranks, nodes);
    if (ranks == 1 || bytes <= 0.0)
        return rc_cost_nothing(out);
    if (nodes > 1)
        return between_nodes(c, o, bytes, ranks, nodes, out, err);
    return inside_node(c, o, bytes, ranks, out, err);
}

/* ---- one message ----------------------------------------------------------------------------- */

/* A measured curve as latency and rate: at these bytes latency + bytes / rate is the curve's time.
 */
static void curve_as_flow(const rc_costs *c, const rc_series *s, double bytes, double link,
                          rc_p2p *out) {
    rc_probe p;
    rc_cost cost;
    rc_series_at(s, log(fmax(bytes, 1.0)), &p);
    as_cost(c, s, &p, &cost);
    out->latency = fmin(on_link(&c->m, s, exp(s->y[0])), cost.p50);
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

rc_status rc_cost_p2p(const rc_costs *c, double bytes, int same_node, rc_p2p *out, rc_error *err) {
    const rc_machine *m = &c->m;
    if (!(bytes >= 0.0) || bytes > 1e18)
        return rc_fail(err, RC_E_INPUT, "send_recv: bytes is %g; expected 0 to 1e18", bytes);
    if (!same_node && !(m->nic_rate > 0.0))
        return rc_fail(err, RC_E_INPUT, "send_recv between nodes: machine '%s' has one", m->name);
    const rc_series *s = find(c, OP_SEND_RECV, 2, same_node ? 1 : 2, !same_node);
    if (s != NULL) {
        curve_as_flow(c, s, bytes, same_node ? m->nvlink_rate : m->nic_line_rate, out);
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
