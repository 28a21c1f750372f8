/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/beside.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/tiles.h"

/* N of a row of full or causal attention in bf16 on N SMs; 0: it is none. */
static int sms_of(const rc_row *r, bool *causal) {
    int sms = 0, end = 0;
    if (strcmp(r->op, "attention") != 0 || strcmp(r->dtype, "bf16") != 0)
        return 0;
    *causal = strncmp(r->variant, "causal@", 7) == 0;
    if (sscanf(r->variant, *causal ? "causal@sms%d%n" : "full@sms%d%n", &sms, &end) != 1 ||
        r->variant[end] != '\0')
        return 0;
    return r->c >= 1 && r->d >= 1 && r->c % r->d == 0 ? sms : 0;
}

static double length_on(const rc_row *r, bool causal, int sms) {
    const rc_tile_call call = {.tq = r->a, .tk = r->b, .causal = causal};
    rc_tiles t;
    rc_tiles_plan(&call, 1, (int)r->c, (int)r->d, sms, &t);
    return rc_tiles_time(&t, sms, 0, 0.0, 1, NULL);
}

/* The row of the same attention on all SMs. */
static const rc_row *on_all(const rc_rows *rows, const rc_row *x, int sms) {
    char variant[32];
    snprintf(variant, sizeof variant, "%.*ssms%d", (int)(strchr(x->variant, '@') - x->variant) + 1,
             x->variant, sms);
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (r->a == x->a && r->b == x->b && r->c == x->c && r->d == x->d &&
            strcmp(r->variant, variant) == 0 && strcmp(r->machine, x->machine) == 0 &&
            strcmp(r->state, x->state) == 0 && strcmp(r->op, x->op) == 0 &&
            strcmp(r->dtype, x->dtype) == 0)
            return r;
    }
    return NULL;
}

/* Least squares through the origin, of logarithms. */
static void fit_sms(const rc_rows *rows, const rc_machine *m, rc_beside *out) {
    double xy = 0.0, xx = 0.0;
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        bool causal;
        int sms = strcmp(r->machine, m->base) == 0 ? sms_of(r, &causal) : 0;
        const rc_row *all = sms >= 1 && sms < m->sms ? on_all(rows, r, m->sms) : NULL;
        if (!all || !(r->p50 > 0.0) || !(all->p50 > 0.0))
            continue;
        double x = log(length_on(r, causal, sms) / length_on(r, causal, m->sms));
        xy += x * log(r->p50 / all->p50);
        xx += x * x;
    }
    if (xx > 0.0) {
        out->known = true;
        out->sms = fmin(fmax(xy / xx, 0.0), 1.0);
    }
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The row of the same message alone, with as many CTAs. */
static const rc_row *alone(const rc_rows *rows, const rc_row *x, const char *variant) {
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (r->a == x->a && r->b == 0 && r->c == x->c && r->d == x->d &&
            strcmp(r->op, x->op) == 0 && strcmp(r->variant, variant) == 0 &&
            strcmp(r->machine, x->machine) == 0 && strcmp(r->state, x->state) == 0)
            return r;
    }
    return NULL;
}

/* The median, over sizes and shares of the chip. */
static void fit_message(const rc_rows *rows, const rc_machine *m, rc_beside *out) {
    enum { MOST = 64 };
    double ratio[MOST];
    size_t n = 0;
    char beside[64], single[64];
    snprintf(beside, sizeof beside, "attention+send_recv@%s", m->intra_transport);
    snprintf(single, sizeof single, "send_recv@%s", m->intra_transport);
    for (size_t i = 0; i < rc_rows_count(rows) && n < MOST; i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (r->b < 1 || strcmp(r->op, "transfer_beside") != 0 || strcmp(r->variant, beside) != 0 ||
            strcmp(r->machine, m->base) != 0)
            continue;
        const rc_row *x = alone(rows, r, single);
        if (x && x->p50 > 0.0 && r->p50 > 0.0)
            ratio[n++] = r->p50 / x->p50;
    }
    if (n == 0)
        return;
    qsort(ratio, n, sizeof ratio[0], by_size);
    out->known = true;
    out->message = fmax(1.0, n % 2 ? ratio[n / 2] : 0.5 * (ratio[n / 2 - 1] + ratio[n / 2]));
}

/* Seconds of a chain of kernels of a graph; NAN without a row. */
static double chain(const rc_rows *rows, const rc_machine *m, const char *variant) {
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (strcmp(r->op, "gap") == 0 && strcmp(r->variant, variant) == 0 &&
            strcmp(r->machine, m->base) == 0)
            return r->p50;
    }
    return NAN;
}

static double or_none(double t) {
    return isfinite(t) ? fmax(t, 0.0) : 0.0;
}

static void fit_gaps(const rc_rows *rows, const rc_machine *m, rc_beside *out) {
    double message = chain(rows, m, "norm|send_recv") - chain(rows, m, "norm");
    double attention = chain(rows, m, "attention"), decode = chain(rows, m, "decode");
    out->attention_behind = or_none(chain(rows, m, "attention|send_recv") - attention - message);
    out->decode_behind = or_none(chain(rows, m, "decode|send_recv") - decode - message);
    out->clear = or_none(chain(rows, m, "attention+clear") - attention);
}

rc_beside rc_beside_of(const rc_rows *rows, const rc_machine *m) {
    assert(rows != NULL && m != NULL);
    rc_beside out = {.known = false, .sms = 1.0, .message = 1.0};
    if (m->sms >= 1) {
        fit_sms(rows, m, &out);
        fit_message(rows, m, &out);
        fit_gaps(rows, m, &out);
    }
    return out;
}
