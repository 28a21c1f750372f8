/* Attention on the base machine.
 *
 * Full (every query sees every key) is a grid over Tq and Tk: along Tk by the measured curves,
 * across Tq straight in log time. Log time, not log rate: time is what must not fall as either
 * grows, and along a straight line the two are the same interpolation, for their difference, log
 * FLOPs, is linear in log Tq and in log Tk.
 *
 * Heads. What the chip sees are rows: tokens times query heads, in tiles, each against all keys. So
 * heads that were not measured are the same as more or fewer tokens of heads that were,
 * Tq * Hq / Hq0. (Keys and values are then read for another number of KV heads; that traffic is
 * small beside the arithmetic except for a handful of queries, which is decode's business.)
 *
 * Causal with Tq = Tk (square) is a curve over T. With other heads it is the square of equal work,
 * T * sqrt(Hq / Hq0).
 *
 * Causal behind a prefix of P keys (bottom-right: Tk = P + Tq) costs the square and what P more
 * keys cost a kernel that already works. With F the full grid,
 *     causal(Tq, P) = square(Tq) + F(Tq, Tq/2 + P) - F(Tq, Tq/2),
 * for a square does the work of Tq/2 keys a query. Fixed overheads cancel in the difference, and at
 * P = 0 it is the square exactly. Measured rows with a prefix correct it: log(measured / model) is
 * interpolated straight over log(Tk/Tq), from 0 at P = 0, and over log Tq, and held beyond the
 * ends. Without such rows the answer is `modelled`.
 *
 * Continuous everywhere. Full is monotone in Tq and Tk; causal in Tk at fixed Tq and in Tq at fixed
 * P as far as the model and the corrections are (tests/property/prop_cost_lookup.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/prefix.h"

#include <assert.h>
#include <math.h>

static const double SLACK = 1e-9; /* logs nearer than this are the same size */

static double query_heads(const rc_heads_of_call *h) {
    return (double)h->at.at[RC_AXIS_QUERY_HEADS];
}

static double measured_heads(const rc_grid *g) {
    return (double)g->fixed.at[RC_AXIS_QUERY_HEADS];
}

/* Log of as many queries of the heads of a grid as tq are of those asked for; log_tq: log of tq. */
static double log_queries(const rc_grid *g, const rc_heads_of_call *h, double tq, double log_tq) {
    double asked = query_heads(h), measured = measured_heads(g);
    return asked == measured ? log_tq : log(tq * asked / measured);
}

bool rc_full_at(const rc_book *b, double tq, double tk, const rc_heads_of_call *h, rc_probe *out) {
    rc_basis heads;
    assert(tq > 0.0 && tk > 0.0);
    const rc_grid *g = rc_book_heads(b, RC_COST_FULL, h->dtype, &h->at, &heads);
    if (g == NULL)
        return false;
    rc_grid_at(&g->curves, log_queries(g, h, tq, log(tq)), log(tk), out);
    out->basis = rc_worse(out->basis, heads);
    return true;
}

static bool square_at(const rc_book *b, double t, double log_t, const rc_heads_of_call *h,
                      rc_probe *out) {
    rc_basis heads;
    const rc_grid *g = rc_book_heads(b, RC_COST_SQUARE, h->dtype, &h->at, &heads);
    if (g == NULL) {
        if (!rc_full_at(b, t, 0.5 * t, h, out))
            return false;
        out->basis = RC_MODELLED;
        return true;
    }
    double asked = query_heads(h), measured = measured_heads(g);
    double more_work = asked == measured ? 0.0 : 0.5 * log(asked / measured);
    rc_series_at(g->curves.series, log_t + more_work, out);
    out->basis = rc_worse(out->basis, heads);
    return true;
}

/* Adds to a square of tq queries what `prefix` more keys cost a kernel that already works. */
static void add_prefix(const rc_book *b, double tq, double log_tq, double prefix,
                       const rc_heads_of_call *h, rc_probe *out) {
    rc_probe more, less;
    rc_basis heads;
    const rc_grid *g = rc_book_heads(b, RC_COST_FULL, h->dtype, &h->at, &heads);
    out->basis = RC_MODELLED;
    if (g == NULL) {
        out->y += log1p(2.0 * prefix / tq); /* no full rows: as the work */
        return;
    }
    double u = log_queries(g, h, tq, log_tq);
    rc_grid_at(&g->curves, u, log(0.5 * tq + prefix), &more);
    rc_grid_at(&g->curves, u, log(0.5 * tq), &less);
    out->y = log(exp(out->y) + (exp(more.y) - exp(less.y)));
    out->spread = rc_most(out->spread, more.spread);
}

static bool model(const rc_book *b, double tq, double log_tq, double prefix,
                  const rc_heads_of_call *h, rc_probe *out) {
    if (!square_at(b, tq, log_tq, h, out))
        return false;
    if (prefix > 0.0)
        add_prefix(b, tq, log_tq, prefix, h, out);
    return true;
}

bool rc_prefix_model(const rc_book *b, double tq, double prefix, const rc_heads_of_call *h,
                     rc_probe *out) {
    assert(tq > 0.0);
    return model(b, tq, log(tq), prefix, h, out);
}

/* log(measured / model) of one Tq at x = log(Tk/Tq), 0 at x = 0; *inside when not beyond its rows.
 */
static double correction_of(const rc_series *s, double x, rc_probe *p, bool *inside) {
    double x0 = 0.0, y0 = 0.0;
    for (size_t i = 0; i < s->n; i++) {
        const rc_knot *k = &s->knot[i];
        p->spread = k->spread;
        p->basis = rc_worse(p->basis, k->basis);
        if (x <= k->x)
            return y0 + (k->y - y0) * (x - x0) / (k->x - x0);
        x0 = k->x;
        y0 = k->y;
    }
    *inside = *inside && x <= x0 + SLACK;
    return y0;
}

static void correct(const rc_book *b, double tq, double log_tq, double tk,
                    const rc_heads_of_call *h, rc_probe *out) {
    rc_probe p = {.basis = RC_MEASURED};
    const rc_grid *g = rc_book_heads(b, RC_COST_PREFIX, h->dtype, &h->at, &p.basis);
    if (g == NULL)
        return;
    double u = log_queries(g, h, tq, log_tq), x = log(tk / tq);
    const rc_series *from = g->curves.series, *to = from + g->curves.n, *hi = from;
    while (hi + 1 < to && hi->across < u)
        hi++;
    const rc_series *lo = hi > from && hi->across > u ? hi - 1 : hi;
    double ul = lo->across, uh = hi->across;
    bool inside = u >= from->across - SLACK && u <= uh + SLACK;
    double cl = correction_of(lo, x, &p, &inside), ch = correction_of(hi, x, &p, &inside);
    double f = uh > ul ? rc_least(rc_most((u - ul) / (uh - ul), 0.0), 1.0) : 0.0;
    out->y += cl + f * (ch - cl);
    out->spread = p.spread;
    if (inside)
        out->basis = p.basis;
}

bool rc_causal_at(const rc_book *b, double tq, double tk, const rc_heads_of_call *h,
                  rc_probe *out) {
    assert(tq > 0.0 && tk >= tq);
    double log_tq = log(tq);
    if (!model(b, tq, log_tq, tk - tq, h, out))
        return false;
    if (tk > tq)
        correct(b, tq, log_tq, tk, h, out);
    return true;
}
