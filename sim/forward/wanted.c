/* Which rows a time depends on: each pass once as it is, then once with each of its costs slowed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/wanted.h"
#include "sim/forward/internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define SLOWER 1.02             /* of one cost: far above rounding, far below what moves a path */
#define Z_80 1.2815515655446004 /* half-width of p10..p90 to the standard deviation of a normal */
#define Z_90 1.6448536269514722 /* the same of p5..p95 */
enum { MOST = 512 };            /* costs of one pass that are looked at one by one */

typedef enum family { GEMM, ATTENTION, MEMORY, COLLECTIVE, MESSAGE, FAMILIES } family;

/* Costs that err together, as families of draws do (rc_family_of in shape_price.c). */
static family family_of(const rc_ask *ask) {
    switch (rc_op_info_of(ask->op)->bound) {
    case RC_BOUND_GEMM:
        return GEMM;
    case RC_BOUND_ATTENTION:
        return ATTENTION;
    case RC_BOUND_LINK:
        return ask->op == RC_COST_SEND_RECV ? MESSAGE : COLLECTIVE;
    default:
        return MEMORY;
    }
}

typedef struct study {
    rc_asks *asks;
    rc_costs *costs; /* that `asks` hears */
    rc_forward_ctx *ctx;
    rc_wanted *out; /* row i is of the i-th ask until they are sorted */
    size_t row_room;
} study;

/* ---- one pass -------------------------------------------------------------------------------- */

static rc_status time_of(const study *s, const rc_spec *pass, const rc_costs *costs, double *time,
                         rc_error *err) {
    rc_forward_timing t;
    rc_spec here = *pass;
    here.costs = costs;
    rc_forward_ctx_forget(s->ctx);
    RC_TRY(rc_forward_time(s->ctx, &here, &t, err));
    *time = t.time;
    return RC_OK;
}

/* Relative variance of the pass's time by the fitted numbers of its machine. */
static rc_status fitted_variance(const study *s, const rc_spec *pass, double time, double *variance,
                                 rc_error *err) {
    const rc_machine *m = rc_costs_machine(pass->costs);
    *variance = 0.0;
    for (int i = 0; i < m->fitted_count; i++) {
        double value[RC_MAX_FITTED], at[2];
        const double ends[2] = {m->fitted[i].lo, m->fitted[i].hi};
        for (int k = 0; k < 2; k++) {
            rc_machine moved = *m;
            rc_costs *view = NULL;
            for (int j = 0; j < m->fitted_count; j++)
                value[j] = j == i ? ends[k] : m->fitted[j].value;
            rc_machine_set_fitted(&moved, value);
            moved.nic_line_rate = fmax(moved.nic_line_rate, moved.peer_rate);
            RC_TRY(rc_costs_view(pass->costs, &moved, &view, err));
            rc_status st = time_of(s, pass, view, &at[k], err);
            rc_costs_close(view);
            RC_TRY(st);
        }
        double deviation = (at[1] - at[0]) / 2.0 / Z_90 / time;
        *variance += deviation * deviation;
    }
    return RC_OK;
}

/* The p50 that a cost must reach to be among the MOST largest that were heard. */
static double least_looked_at(const rc_asks *asks, size_t heard) {
    double least = 0.0;
    while (heard > MOST) {
        double smallest = INFINITY;
        for (size_t i = 0; i < rc_asks_count(asks); i++) {
            const rc_ask *a = rc_asks_at(asks, i);
            if (a->heard && a->cost.p50 >= least)
                smallest = fmin(smallest, a->cost.p50);
        }
        heard = 0;
        least = nextafter(smallest, INFINITY);
        for (size_t i = 0; i < rc_asks_count(asks); i++)
            heard += rc_asks_at(asks, i)->heard && rc_asks_at(asks, i)->cost.p50 >= least;
    }
    return least;
}

static rc_status make_rows(study *s, rc_error *err) {
    size_t n = rc_asks_count(s->asks);
    if (n > s->row_room) {
        rc_wanted_row *more = realloc(s->out->row, 2 * n * sizeof *more);
        if (more == NULL)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu wanted rows", n);
        s->out->row = more;
        s->row_room = 2 * n;
    }
    for (size_t i = s->out->count; i < n; i++)
        s->out->row[i] = (rc_wanted_row){.then = NAN};
    s->out->count = n;
    return RC_OK;
}

/* Shares of the time by ask, 0 for those that the pass has not asked for. *time: of the pass. */
static rc_status shares(study *s, const rc_spec *pass, double **out, double *time, rc_error *err) {
    rc_asks_begin(s->asks);
    rc_asks_slow(s->asks, RC_ASKS_NONE, 1.0);
    RC_TRY(time_of(s, pass, s->costs, time, err));
    RC_TRY(make_rows(s, err));
    size_t n = s->out->count, heard = 0;
    double *share = *out = calloc(n + 1, sizeof *share);
    bool *mine = calloc(n + 1, sizeof *mine);
    rc_status st = share != NULL && mine != NULL
                       ? RC_OK
                       : rc_fail(err, RC_E_NOMEM, "out of memory for %zu shares of a time", n);
    for (size_t i = 0; i < n && st == RC_OK; i++)
        heard += mine[i] = rc_asks_at(s->asks, i)->heard;
    double least = st == RC_OK ? least_looked_at(s->asks, heard) : 0.0;
    for (size_t i = 0; i < n && st == RC_OK; i++) {
        double slowed = *time;
        if (!mine[i])
            continue;
        if (rc_asks_at(s->asks, i)->cost.p50 < least) {
            s->out->unseen++;
            continue;
        }
        rc_asks_slow(s->asks, i, SLOWER);
        st = time_of(s, pass, s->costs, &slowed, err);
        share[i] = (slowed / *time - 1.0) / (SLOWER - 1.0);
    }
    free(mine);
    return st;
}

static double square(double x) {
    return x * x;
}

/* The part of a spread that the costs of a family share (rc_draw). */
static double shared(const rc_cost *c) {
    return sqrt(fmax(square(c->spread) - square(c->own), 0.0));
}

/* Adds a pass's shares of time and interval to the rows. */
static void add_pass(study *s, const double *share, double fitted, size_t passes) {
    double now[FAMILIES] = {0}, then[FAMILIES] = {0}, variance = fitted, least = fitted;
    double weight = 1.0 / (double)passes;
    for (size_t i = 0; i < s->out->count; i++) {
        const rc_ask *a = rc_asks_at(s->asks, i);
        rc_wanted_row *r = &s->out->row[i];
        if (isnan(r->then))
            *r = (rc_wanted_row){.ask = *a, .then = rc_ask_measured_spread(s->costs, a)};
        now[family_of(a)] += share[i] * shared(&a->cost) / Z_80;
        variance += square(share[i] * a->cost.own / Z_80);
        then[family_of(a)] += share[i] * fmin(a->cost.spread, r->then) / Z_80;
    }
    for (int f = 0; f < FAMILIES; f++) {
        variance += square(now[f]);
        least += square(then[f]);
    }
    s->out->half += weight * Z_90 * sqrt(variance);
    s->out->half_then += weight * Z_90 * sqrt(least);
    s->out->rest += variance > 0.0 ? weight * fitted / variance : weight;
    for (size_t i = 0; i < s->out->count; i++) {
        rc_wanted_row *r = &s->out->row[i];
        const rc_cost *c = &r->ask.cost;
        double of_family = now[family_of(&r->ask)], own = square(share[i] * c->own / Z_80);
        double taken = share[i] * fmax(shared(c) - fmin(c->spread, r->then), 0.0) / Z_80;
        r->time += weight * share[i];
        if (!(variance > 0.0))
            continue;
        r->interval += weight * (share[i] * shared(c) / Z_80 * of_family + own) / variance;
        double left = variance - own - square(of_family) + square(of_family - taken);
        r->narrows += weight * (1.0 - sqrt(fmax(left, 0.0) / variance));
    }
}

static rc_status one_pass(study *s, const rc_spec *pass, size_t passes, rc_error *err) {
    double *share = NULL, time = 0.0, fitted = 0.0;
    rc_status st = shares(s, pass, &share, &time, err);
    if (st == RC_OK)
        st = fitted_variance(s, pass, time, &fitted, err);
    if (st == RC_OK) {
        add_pass(s, share, fitted, passes);
        s->out->model += rc_pass_model_error(pass, time) / (double)passes;
    }
    free(share);
    return st;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* What narrows more comes first; of equals what takes more of the time, then what comes first in
 * the table of ops and in its sizes, so that the order says nothing of addresses. */
static int more_wanted(const void *x, const void *y) {
    const rc_wanted_row *a = x, *b = y;
    if (a->narrows != b->narrows)
        return a->narrows > b->narrows ? -1 : 1;
    if (a->time != b->time)
        return a->time > b->time ? -1 : 1;
    if (a->ask.op != b->ask.op)
        return a->ask.op < b->ask.op ? -1 : 1;
    for (int i = 0; i < RC_AXIS_COUNT; i++)
        if (a->ask.at.at[i] != b->ask.at.at[i])
            return a->ask.at.at[i] < b->ask.at.at[i] ? -1 : 1;
    return 0;
}

rc_status rc_wanted_of(const rc_spec *passes, size_t n, rc_wanted *out, rc_error *err) {
    assert(passes != NULL && n >= 1 && out != NULL);
    *out = (rc_wanted){0};
    study s = {.asks = rc_asks_create(), .ctx = rc_forward_ctx_create(), .out = out};
    rc_status st = s.asks != NULL && s.ctx != NULL
                       ? rc_costs_listen(passes->costs, s.asks, &s.costs, err)
                       : rc_fail(err, RC_E_NOMEM, "out of memory for the wanted rows");
    for (size_t i = 0; i < n && st == RC_OK; i++)
        st = one_pass(&s, &passes[i], n, err);
    rc_costs_close(s.costs);
    rc_forward_ctx_destroy(s.ctx);
    rc_asks_destroy(s.asks);
    if (st != RC_OK) {
        rc_wanted_free(out);
        return st;
    }
    if (out->count > 0)
        qsort(out->row, out->count, sizeof *out->row, more_wanted);
    return RC_OK;
}

void rc_wanted_free(rc_wanted *w) {
    free(w->row);
    *w = (rc_wanted){0};
}
