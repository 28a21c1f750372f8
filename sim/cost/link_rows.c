/* Whose rows. The machine's own come first, then those of the machine it names for collectives,
 * then its base's, then any machine with the same GPU, then any. On NVLink an all-reduce uses the
 * switches' own reduction (nvls) when the machine has it and rows of that many ranks exist, else
 * the ring or tree (nvlink).
 *
 * Hosts. NVLink is the part's; host memory and sockets are the host's. Three hosts of H200 differ,
 * at the 80th percentile of the points of two ranks and as the largest over the smallest of one
 * point, by 1.5 % over NVLink, 2.3 % over host memory and 30 % over sockets
 * (results/calibration/nodes). So rows over host memory or sockets that are not this machine's are
 * a model of it, RC_MODELLED, and carry half of that as spread.
 *
 * CTAs. Where the machine limits the CTAs of the ranks' communicator (ring_ctas), rows measured
 * with as many answer ("shm@ctas4"). They begin at 1 MiB; below, what a limit adds to the time
 * without one grows with the bytes. Without such rows, those of another number of ranks tell the rate
 * of a channel over NVLink, of which NCCL gives a peer the more the fewer ranks there are; without
 * any, and over host memory and sockets, which channels do not bound, the rows of NCCL's own choice
 * answer. Both are RC_MODELLED.
 *
 * In a pass. The rows that a curve is made of are of calls that follow each other at once and overlap
 * their beginnings and ends. What a call takes more between two kernels of the compute ("shm@apart",
 * the stream that it waits for and the one that waits for it included) is the difference of the two
 * curves at the points of the one that has fewer. Between these the difference goes straight, for
 * either curve may jump there, where NCCL changes its protocol; beyond them it is as much as at their
 * end. Rows of another number of ranks will do, for it is of kernels and streams, not of bytes.
 *
 * Between points. NCCL gives a message to one peer more channels as it grows, in jumps: nccl.h.
 * Between two points of unlike channels a message takes no less than the lower point's rate a
 * channel allows, and no less than the upper point's rate, which the link may bound.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/link_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/cost/nccl.h"

/* How near the machine of a series is to ours; lower is nearer. */
enum { OWN, NAMED, OF_BASE, OF_GPU, OF_ANY };

static int kinship(const rc_machine *m, const rc_grid *g) {
    if (strcmp(g->machine, m->name) == 0)
        return OWN;
    if (strcmp(g->machine, m->collectives) == 0)
        return NAMED;
    if (strcmp(g->machine, m->base) == 0)
        return OF_BASE;
    return strcmp(g->gpu, m->gpu) == 0 ? OF_GPU : OF_ANY;
}

static bool over_nvlink(const rc_machine *m) {
    return strcmp(m->intra_transport, "nvlink") == 0;
}

/* 0 for the transport wanted, 1 for one that will do, -1 for one that will not. */
static int transport_rank(const rc_machine *m, rc_op op, const rc_grid *g, bool between) {
    if (between)
        return strcmp(g->variant, m->inter_transport) == 0 ? 0 : -1;
    if (strcmp(g->variant, "nvls") == 0)
        return m->nvls && op != RC_COST_SEND_RECV && over_nvlink(m) ? 0 : -1;
    return strcmp(g->variant, m->intra_transport) == 0 ? 1 : -1;
}

const rc_grid *rc_link_find(const rc_costs *c, rc_op op, int64_t ranks, int64_t nodes, bool own) {
    const rc_grid *best = NULL;
    int lowest = 0;
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, op, &n);
    for (; n > 0; n--, g++) {
        if (rc_link_nodes(g) != nodes || rc_link_ranks(g) != ranks)
            continue;
        int t = transport_rank(&c->m, op, g, nodes > 1), kin = kinship(&c->m, g);
        if (t < 0 || (own && kin > OWN))
            continue;
        int rank = 10 * kin + t;
        if (best == NULL || rank < lowest) {
            best = g;
            lowest = rank;
        }
    }
    return best;
}

static bool is_own(const char *variant) {
    static const char *const own[] = {"custom", "nvlink@oneshot", "nvlink@twoshot"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(variant, own[i]) == 0)
            return true;
    return false;
}

/* Kernels of engines change with the size of a message, so that nothing is said beyond their rows; of
 * several the engine takes the fastest. */
const rc_grid *rc_link_own(const rc_costs *c, rc_op op, int64_t ranks, double bytes) {
    const rc_grid *best = NULL;
    double least = 0.0, x = log(fmax(bytes, 1.0));
    int lowest = 0;
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, op, &n);
    if (!c->m.own_all_reduce || op != RC_COST_ALL_REDUCE || !over_nvlink(&c->m) ||
        bytes > rc_machine_own_limit(&c->m, (int)ranks))
        return NULL;
    for (const rc_grid *end = g + n; g < end; g++) {
        const rc_series *s = g->curves.series;
        rc_probe p;
        if (!is_own(g->variant) || rc_link_ranks(g) != ranks || rc_link_nodes(g) != 1 ||
            x > s->knot[s->n - 1].x + 1e-9)
            continue;
        int kin = kinship(&c->m, g);
        rc_series_at(s, x, &p);
        if (best != NULL && (kin > lowest || (kin == lowest && p.y >= least)))
            continue;
        best = g;
        lowest = kin;
        least = p.y;
    }
    return best;
}

const rc_grid *rc_link_nearest(const rc_costs *c, rc_op op, int64_t ranks) {
    double far = INFINITY;
    const rc_grid *best = NULL;
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, op, &n);
    for (; n > 0; n--, g++) {
        double d = fabs(log((double)rc_link_ranks(g) / (double)ranks));
        if (rc_link_nodes(g) != 1 || rc_link_ranks(g) < 2 || d >= far - 1e-9)
            continue;
        const rc_grid *t = rc_link_find(c, op, rc_link_ranks(g), 1, false);
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

double rc_link_ratio(const rc_costs *c, const rc_grid *g) {
    const rc_machine *m = &c->m;
    const rc_machine_links *file = &m->file;
    if (rc_link_nodes(g) > 1)
        return g->op == RC_COST_ALL_TO_ALL ? change(m->nic_line_rate, file->nic_line_rate)
                                           : change(m->peer_rate, file->peer_rate);
    if (!over_nvlink(m))
        return 1.0;
    if (kinship(m, g) == OWN)
        return change(m->nvlink_rate, file->nvlink_rate);
    return m->nvlink_ratio > 0.0 ? m->nvlink_ratio : 1.0;
}

static double shortest(const rc_grid *g) {
    return exp(g->curves.series->knot[0].y);
}

double rc_link_carried(const rc_costs *c, const rc_grid *g, double t) {
    const rc_machine *m = &c->m;
    double ratio = rc_link_ratio(c, g);
    double hop = rc_link_nodes(g) > 1 ? change(m->hop_latency, m->file.hop_latency) : 1.0;
    if (ratio == 1.0 && hop == 1.0)
        return t;
    double floor = fmin(t, shortest(g));
    return floor * hop + (t - floor) / ratio;
}

/* ---- between points -------------------------------------------------------------------------- */

static int channels(const rc_grid *g, int ctas, double bytes) {
    return rc_nccl_channels(strncmp(g->variant, "nvlink", 6) == 0, (int)rc_link_ranks(g), ctas,
                            bytes);
}

/* Messages by a curve of messages, with NCCL's jumps between its points. */
static void message_at(const rc_grid *g, int ctas, double bytes, rc_probe *p) {
    const rc_series *s = g->curves.series;
    double x = log(bytes);
    rc_series_at(s, x, p);
    bool jumps = strncmp(g->variant, "nvlink", 6) == 0 || strncmp(g->variant, "shm", 3) == 0;
    size_t i = 0;
    if (!jumps || x <= s->knot[0].x || x >= s->knot[s->n - 1].x)
        return;
    while (s->knot[i + 1].x < x)
        i++;
    const rc_knot *low = &s->knot[i], *high = &s->knot[i + 1];
    int least = channels(g, ctas, exp(low->x)), most = channels(g, ctas, exp(high->x));
    if (least == most)
        return;
    double now = channels(g, ctas, bytes);
    p->y = fmax(low->y + (x - low->x) + log(least / now), high->y - (high->x - x));
}

static void probe(const rc_grid *g, int ctas, double bytes, rc_probe *p) {
    if (g->op == RC_COST_SEND_RECV && rc_link_nodes(g) == 1)
        message_at(g, ctas, bytes, p);
    else
        rc_series_at(g->curves.series, log(bytes), p);
}

/* ---- in a pass ------------------------------------------------------------------------------- */

/* The curve of calls between compute kernels over the nearest number of ranks, of the machine that
 * is nearest. */
static const rc_grid *apart_of(const rc_costs *c, const rc_grid *like) {
    char variant[64];
    const rc_grid *best = NULL;
    double lowest = INFINITY;
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, like->op, &n);
    (void)snprintf(variant, sizeof variant, "%s@apart", like->variant);
    for (; n > 0; n--, g++) {
        if (strcmp(g->variant, variant) != 0 || rc_link_nodes(g) != 1)
            continue;
        double far = fabs(log((double)rc_link_ranks(g) / (double)rc_link_ranks(like)));
        double rank = 100.0 * kinship(&c->m, g) + far;
        if (rank < lowest) {
            best = g;
            lowest = rank;
        }
    }
    return best;
}

/* Calls at once behind each other, of the machine and the ranks of `apart`. */
static const rc_grid *at_once(const rc_costs *c, const rc_grid *apart, const rc_grid *like) {
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, apart->op, &n);
    for (; n > 0; n--, g++)
        if (strcmp(g->variant, like->variant) == 0 && strcmp(g->machine, apart->machine) == 0 &&
            rc_link_ranks(g) == rc_link_ranks(apart) && rc_link_nodes(g) == 1)
            return g;
    return NULL;
}

/* What a call takes more at a point of the curve of calls between kernels. */
static double more_at(const rc_knot *k, const rc_grid *once) {
    rc_probe without;
    probe(once, 0, exp(k->x), &without);
    return exp(k->y) - exp(without.y);
}

double rc_link_apart(const rc_costs *c, const rc_grid *g, double bytes) {
    bool told = rc_link_nodes(g) == 1 && !(c->m.without & RC_LINKS);
    const rc_grid *apart = told ? apart_of(c, g) : NULL;
    const rc_grid *once = apart != NULL ? at_once(c, apart, g) : NULL;
    if (once == NULL)
        return 0.0;
    const rc_series *s = apart->curves.series;
    double x = fmin(fmax(log(fmax(bytes, 1.0)), s->knot[0].x), s->knot[s->n - 1].x);
    size_t i = 0;
    while (i + 2 < s->n && s->knot[i + 1].x < x)
        i++;
    const rc_knot *low = &s->knot[i], *high = s->n > 1 ? low + 1 : low;
    double f = high->x > low->x ? (x - low->x) / (high->x - low->x) : 0.0,
           more = more_at(low, once);
    return fmax(more + f * (more_at(high, once) - more), 0.0);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* The curve of the same op, machine, ranks and transport with NCCL limited to `ctas`. */
static const rc_grid *limited(const rc_costs *c, const rc_grid *like, int ctas) {
    char variant[64];
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, like->op, &n);
    (void)snprintf(variant, sizeof variant, "%s@ctas%d", like->variant, ctas);
    for (; n > 0; n--, g++)
        if (strcmp(g->variant, variant) == 0 && strcmp(g->machine, like->machine) == 0 &&
            rc_link_ranks(g) == rc_link_ranks(like) && rc_link_nodes(g) == rc_link_nodes(like))
            return g;
    return NULL;
}

/* The same of the nearest number of ranks. */
static const rc_grid *limited_near(const rc_costs *c, const rc_grid *like, int ctas) {
    char variant[64];
    const rc_grid *best = NULL;
    double least = INFINITY;
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, like->op, &n);
    (void)snprintf(variant, sizeof variant, "%s@ctas%d", like->variant, ctas);
    for (; n > 0; n--, g++) {
        double far = fabs(log((double)rc_link_ranks(g) / (double)rc_link_ranks(like)));
        if (strcmp(g->variant, variant) != 0 || strcmp(g->machine, like->machine) != 0 ||
            rc_link_nodes(g) != 1 || far >= least)
            continue;
        best = g;
        least = far;
    }
    return best;
}

/* By rows of another number of ranks under the same limit: at the rate of a channel that they have,
 * with the channels that a peer gets of the limit here. Bytes to a peer are those of a message, or
 * of an all-to-all's over its ranks. */
static void by_channels(const rc_grid *g, const rc_grid *few, int ctas, double bytes, rc_probe *p) {
    bool whole = g->op == RC_COST_SEND_RECV;
    double here = bytes / (whole ? 1.0 : (double)rc_link_ranks(g));
    double there = here * (whole ? 1.0 : (double)rc_link_ranks(few));
    int mine = channels(g, ctas, here), theirs = channels(few, ctas, here);
    rc_probe limit = *p;
    probe(few, ctas, there, &limit);
    double first = shortest(g), more = fmax(exp(limit.y) - first, 0.0);
    p->y = fmax(p->y, log(first + more * theirs / mine));
    p->spread = fmax(p->spread, limit.spread);
    p->basis = RC_MODELLED;
}

/* Ops of the communicator of the CP ranks. */
static bool of_the_ranks(rc_op op) {
    return op == RC_COST_SEND_RECV || op == RC_COST_ALL_TO_ALL;
}

static void with_ctas(const rc_costs *c, const rc_grid *g, double bytes, rc_probe *p) {
    int ctas = c->m.ring_ctas;
    const rc_grid *few = limited(c, g, ctas);
    rc_probe least, edge;
    probe(g, 0, bytes, p);
    if (few == NULL) {
        few = over_nvlink(&c->m) ? limited_near(c, g, ctas) : NULL;
        if (few != NULL)
            by_channels(g, few, ctas, bytes, p);
        p->basis = rc_worse(p->basis, RC_MODELLED);
        return;
    }
    const rc_knot *first = &few->curves.series->knot[0];
    if (log(bytes) >= first->x) {
        probe(few, ctas, bytes, p);
        return;
    }
    least = *p;
    probe(g, 0, exp(first->x), &edge);
    double more = exp(first->y) - exp(edge.y);
    p->y = log(fmax(exp(least.y) + more * bytes / exp(first->x), exp(least.y)));
    p->basis = rc_worse(least.basis, RC_EXTRAPOLATED);
}

/* ---- as a cost ------------------------------------------------------------------------------- */

/* Half of what hosts differ in, relative. */
static const double SHM = 0.011, SOCKET = 0.15;

void rc_link_cost(const rc_costs *c, const rc_grid *g, double bytes, rc_cost *out) {
    const rc_machine *m = &c->m;
    rc_probe p;
    double at = fmax(bytes, 1.0);
    int kin = kinship(m, g);
    bool inside = rc_link_nodes(g) == 1;
    if (inside && m->ring_ctas > 0 && of_the_ranks(g->op))
        with_ctas(c, g, at, &p);
    else
        probe(g, 0, at, &p);
    out->p50 = rc_link_carried(c, g, exp(p.y));
    out->spread = p.spread;
    out->basis = p.basis;
    bool ours = kin == OWN || strcmp(g->machine, m->base) == 0;
    if (!ours || rc_link_ratio(c, g) != 1.0)
        out->basis = rc_worse(out->basis, RC_TRANSFERRED);
    if (kin == OF_ANY) /* of another GPU, whose links nobody has named as alike */
        out->basis = rc_worse(out->basis, RC_MODELLED);
    if (!inside || kin == OWN || over_nvlink(m))
        return;
    out->spread = hypot(out->spread, strcmp(m->intra_transport, "shm") == 0 ? SHM : SOCKET);
    out->basis = rc_worse(out->basis, RC_MODELLED);
}
