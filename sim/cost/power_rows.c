/* The numbers of power.h from rows that say clock and power.
 *
 * A group is one call at work for several shares of the time. While the clock is the boost clock,
 * mean power is idle + share times what the call draws: a straight line for each group with one
 * intercept for all. Copies then tell the energy of a byte, elementwise ops and decode what a byte of theirs
 * takes, products and attention that of a FLOP.
 * Rows at lower clocks tell the two exponents of their class, each by least squares of logs through
 * the origin, and rows at work nearly always what the limiter holds. Rows between products (`hot`) tell what an
 * op takes at a lower clock, and nothing of its power, for the products draw that.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/points.h"
#include "sim/cost/power.h"

static const double FULL_SPEED = 0.995;  /* of the boost clock, which readings keep to 0.8 % */
static const double HELD_DOWN = 0.97;    /* of it: the limiter acts */
static const double NEARLY_ALWAYS = 0.9; /* at work */

typedef struct sample {
    const rc_row *row; /* the clock, power and time are its */
    char variant[48];  /* without the condition */
    rc_op op;
    rc_power_class class;
    double share; /* of the time at work */
    bool from_rest, hot;
    double flops, bytes;
    size_t group; /* the first sample of the same call */
    double x;     /* clock over the boost clock */
} sample;

typedef struct group { /* by its first sample; of others unused */
    double t;          /* s of a call at the boost clock; 0: not known */
    double watts;      /* that it draws then, beyond idle; 0: not known */
} group;

typedef struct samples {
    const rc_rows *rows;
    const char *base;
    sample *v;
    group *groups;
    size_t n;
} samples;

/* ---- reading ----------------------------------------------------------------------------------- */

static bool condition(const char *variant, sample *s) {
    const char *at = strchr(variant, '@');
    if (at == NULL)
        return false;
    bool duty = strncmp(at, "@duty", 5) == 0;
    s->from_rest = strncmp(at, "@fresh", 6) == 0;
    s->hot = strncmp(at, "@hot", 4) == 0;
    if (!duty && !s->from_rest && !s->hot)
        return false;
    s->share = 0.01 * strtod(at + (duty ? 5 : s->hot ? 4 : 6), NULL);
    return s->share > 0.0 && s->share <= 1.0;
}

/* The card that a row is of, behind the condition. */
static int card_of(const rc_row *r) {
    const char *at = strrchr(r->variant, '#');
    return at == NULL ? RC_NO_CARD : (int)strtol(at + 1, NULL, 10);
}

static bool read_sample(const rc_row *r, const char *base, int card, sample *s) {
    *s = (sample){.row = r};
    if (strcmp(r->machine, base) != 0 || card_of(r) != card || !(r->sm_mhz > 0.0) ||
        !(r->power_w > 0.0) || !condition(r->variant, s))
        return false;
    size_t n = (size_t)(strchr(r->variant, '@') - r->variant);
    if (n >= sizeof s->variant)
        return false;
    memcpy(s->variant, r->variant, n);
    rc_row bare = *r;
    rc_axes at = {{0}};
    rc_work w;
    bare.variant = s->variant;
    s->op = rc_row_op(&bare, &at);
    if (s->op >= rc_op_count() || rc_op_info_of(s->op)->work == NULL)
        return false;
    rc_dtype d;
    if (!rc_row_type(&bare, s->op, &d))
        return false;
    rc_op_info_of(s->op)->work(rc_op_info_of(s->op), &at, rc_dtype_bytes(d), &w);
    s->class = rc_power_class_of(s->op, d);
    s->flops = w.flops;
    s->bytes = w.bytes;
    return true;
}

static bool same_sizes(const rc_row *x, const rc_row *y) {
    return x->a == y->a && x->b == y->b && x->c == y->c && x->d == y->d &&
           rc_row_sizes_order(x, y) == 0;
}

static bool same_call(const sample *s, const rc_row *r, const char *variant) {
    return strcmp(s->row->op, r->op) == 0 && strcmp(s->variant, variant) == 0 &&
           strcmp(s->row->dtype, r->dtype) == 0 && same_sizes(s->row, r);
}

static rc_status read_all(const rc_rows *rows, const char *base, int card, samples *s,
                          rc_error *err) {
    size_t count = rc_rows_count(rows);
    *s = (samples){.rows = rows, .base = base};
    for (size_t i = 0; i < count; i++)
        s->n += strchr(rc_rows_at(rows, i)->variant, '@') != NULL;
    s->v = calloc(s->n + 1, sizeof *s->v);
    s->groups = calloc(s->n + 1, sizeof *s->groups);
    if (s->v == NULL || s->groups == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows of power", s->n);
    s->n = 0;
    for (size_t i = 0; i < count; i++) {
        sample *x = &s->v[s->n];
        if (!read_sample(rc_rows_at(rows, i), base, card, x))
            continue;
        x->group = s->n;
        for (size_t k = s->n; k-- > 0;)
            if (same_call(&s->v[k], x->row, x->variant))
                x->group = s->v[k].group;
        s->n++;
    }
    return RC_OK;
}

/* ---- at the boost clock ------------------------------------------------------------------------ */

static void find_boost(samples *s, rc_power *p) {
    for (size_t i = 0; i < s->n; i++)
        p->boost = fmax(p->boost, s->v[i].row->sm_mhz);
    for (size_t i = 0; i < s->n; i++)
        s->v[i].x = s->v[i].row->sm_mhz / p->boost;
}

typedef struct sums {
    double n, s, ss, p, sp, t;
} sums;

static sums full_speed(const samples *s, size_t g) {
    sums a = {0};
    for (size_t i = 0; i < s->n; i++) {
        const sample *x = &s->v[i];
        if (x->group != g || x->x < FULL_SPEED || x->hot)
            continue;
        a.n += 1.0;
        a.s += x->share;
        a.ss += x->share * x->share;
        a.p += x->row->power_w;
        a.sp += x->share * x->row->power_w;
        a.t += x->row->p50;
    }
    return a;
}

/* The intercept of straight lines, one a group; false when no group has two shares. */
static bool find_idle(const samples *s, rc_power *p) {
    double over = 0.0, under = 0.0;
    for (size_t g = 0; g < s->n; g++) {
        sums a = full_speed(s, g);
        if (s->v[g].group != g || a.n < 2.0)
            continue;
        over += a.p - a.s * a.sp / a.ss;
        under += a.n - a.s * a.s / a.ss;
    }
    p->idle = under > 1e-3 ? over / under : 0.0;
    return under > 1e-3 && p->idle > 0.0;
}

/* What the call takes in a burst, when it never ran at the boost clock here. */
static double burst_time(const samples *s, const sample *x) {
    for (size_t i = 0; i < rc_rows_count(s->rows); i++) {
        const rc_row *r = rc_rows_at(s->rows, i);
        if (strcmp(r->machine, s->base) == 0 && strcmp(r->state, "burst") == 0 &&
            same_call(x, r, r->variant))
            return r->p50;
    }
    return 0.0;
}

static void find_groups(samples *s, const rc_power *p) {
    for (size_t g = 0; g < s->n; g++) {
        sums a = full_speed(s, g);
        if (s->v[g].group != g)
            continue;
        s->groups[g].t = a.n > 0.0 ? a.t / a.n : burst_time(s, &s->v[g]);
        if (a.n > 0.0)
            s->groups[g].watts = (a.sp - p->idle * a.s) / a.ss;
    }
}

/* Energies by least squares of power over rate: of a byte where memory binds, of a FLOP in each class from
 * what the bytes leave. */
static void find_energies(const samples *s, rc_power *p) {
    double over[RC_POWER_CLASSES] = {0}, under[RC_POWER_CLASSES] = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (size_t g = 0; g < s->n; g++) {
            const sample *x = &s->v[g];
            const group *k = &s->groups[g];
            bool bytes_alone = !rc_power_of_matrix(x->class);
            if (x->group != g || !(k->watts > 0.0) || bytes_alone != (pass == 0))
                continue;
            double rate = (bytes_alone ? x->bytes : x->flops) / k->t;
            double drawn = k->watts - (bytes_alone ? 0.0 : p->byte * x->bytes / k->t);
            over[x->class] += drawn * rate;
            under[x->class] += rate * rate;
        }
        if (pass == 0)
            p->byte =
                under[RC_POWER_OTHER] > 0.0 ? over[RC_POWER_OTHER] / under[RC_POWER_OTHER] : 0.0;
    }
    for (int c = 0; c < RC_POWER_CLASSES; c++) {
        const double each = under[c] > 0.0 ? over[c] / under[c] : 0.0;
        *(rc_power_of_matrix((rc_power_class)c) ? &p->law[c].flop : &p->law[c].byte) = each;
    }
}

/* ---- below it ---------------------------------------------------------------------------------- */

static void find_limits(const samples *s, rc_power *p) {
    double sum[2] = {0}, n[2] = {0};
    for (size_t i = 0; i < s->n; i++) {
        const sample *x = &s->v[i];
        if (x->x >= HELD_DOWN || x->share < NEARLY_ALWAYS - 1e-9 || x->hot)
            continue;
        sum[x->from_rest] += x->row->power_w;
        n[x->from_rest] += 1.0;
    }
    p->limit = n[0] > 0.0 ? sum[0] / n[0] : n[1] > 0.0 ? sum[1] / n[1] : 0.0;
    p->from_rest = n[1] > 0.0 ? sum[1] / n[1] : p->limit;
}

/* Power of the matrix units of a group at the boost clock. */
static double core_of(const rc_power *p, const sample *x, const group *k) {
    double watts =
        k->watts > 0.0 ? k->watts : (p->law[x->class].flop * x->flops + p->byte * x->bytes) / k->t;
    return watts - p->byte * x->bytes / k->t;
}

static void find_exponents(const samples *s, rc_power *p) {
    double tt[RC_POWER_CLASSES] = {0}, xt[RC_POWER_CLASSES] = {0}; /* of the time */
    double pp[RC_POWER_CLASSES] = {0}, xp[RC_POWER_CLASSES] = {0}; /* of the power */
    for (size_t i = 0; i < s->n; i++) {
        const sample *x = &s->v[i];
        const group *k = &s->groups[x->group];
        const bool matrix = rc_power_of_matrix(x->class);
        if (x->x >= HELD_DOWN || x->class == RC_POWER_OTHER || !(k->t > 0.0) || !(matrix || x->hot))
            continue;
        double core = core_of(p, x, k), t = x->row->p50, l = log(x->x);
        double drawn = (x->row->power_w - p->idle) / x->share - p->byte * x->bytes / t;
        if (!x->hot && (!(core > 0.0) || !(drawn > 0.0)))
            continue;
        tt[x->class] += l * l;
        xt[x->class] -= l * log(t / k->t);
        pp[x->class] += x->hot ? 0.0 : l * l;
        xp[x->class] += x->hot ? 0.0 : l * log(drawn / core);
    }
    for (int c = 0; c < RC_POWER_CLASSES; c++) {
        p->law[c].slows = tt[c] > 0.0 ? fmax(xt[c] / tt[c], 0.0) : 0.0;
        p->law[c].saves = pp[c] > 0.0 ? fmax(xp[c] / pp[c], 0.0) : 0.0;
    }
}

/* What lasting load makes of a call that draws `core` W in the matrix units and `memory` W beside
 * them at the boost clock. */
static double alone(const rc_power *p, const rc_power_law *law, double core, double memory) {
    double left = (p->limit - p->idle - memory) / core;
    return left > 0.0 && left < 1.0 && law->saves > 0.0 ? pow(left, -law->slows / law->saves) : 1.0;
}

static void find_alone(const samples *s, rc_power *p) {
    double sum[RC_POWER_CLASSES] = {0}, n[RC_POWER_CLASSES] = {0};
    for (size_t g = 0; g < s->n; g++) {
        const sample *x = &s->v[g];
        const group *k = &s->groups[g];
        if (x->group != g || !rc_power_of_matrix(x->class) || !(k->watts > 0.0))
            continue;
        sum[x->class] +=
            log(alone(p, &p->law[x->class], core_of(p, x, k), p->byte * x->bytes / k->t));
        n[x->class] += 1.0;
    }
    for (int c = 0; c < RC_POWER_CLASSES; c++)
        p->law[c].alone = n[c] > 0.0 ? exp(sum[c] / n[c]) : 1.0;
}

/* ---- fp8 --------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Products in fp8 are not among the groups. They follow the clock as those in bf16 do, and the clock
 * that sustained rows ran at under the limit tells their energy: the median over these rows. */
static rc_status find_fp8(const samples *s, rc_power *p, rc_error *err) {
    rc_power_law *law = &p->law[RC_POWER_GEMM_FP8];
    size_t count = rc_rows_count(s->rows), n = 0;
    if (law->flop > 0.0 && law->saves > 0.0)
        return RC_OK;
    *law = p->law[RC_POWER_GEMM];
    law->flop *= 0.5; /* half the bits; for want of rows */
    double *flop = malloc((count + 1) * sizeof *flop);
    if (flop == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows of power", count);
    for (size_t i = 0; i < count; i++) {
        const rc_row *r = rc_rows_at(s->rows, i);
        rc_axes at = {{0}};
        rc_work w;
        if (strcmp(r->machine, s->base) != 0 || strcmp(r->state, "sustained") != 0 ||
            strcmp(r->dtype, rc_dtype_name(RC_FP8)) != 0 || rc_row_op(r, &at) != RC_COST_GEMM)
            continue;
        double x = r->sm_mhz / p->boost;
        if (!(x > 0.0 && x < HELD_DOWN))
            continue;
        rc_op_info_of(RC_COST_GEMM)->work(rc_op_info_of(RC_COST_GEMM), &at, 1.0, &w);
        double core = (p->limit - p->idle) * r->p50 - p->byte * w.bytes;
        if (core > 0.0)
            flop[n++] = core / w.flops / pow(x, law->saves - law->slows);
    }
    if (n > 0) {
        qsort(flop, n, sizeof *flop, by_size);
        law->flop = flop[n / 2];
    }
    free(flop);
    return RC_OK;
}

/* ---- all --------------------------------------------------------------------------------------- */

static bool tells(const rc_power *p) {
    const rc_power_law *g = &p->law[RC_POWER_GEMM], *a = &p->law[RC_POWER_ATTENTION];
    return p->limit > p->idle && p->byte > 0.0 && g->flop > 0.0 && a->flop > 0.0 &&
           g->saves > 0.0 && a->saves > 0.0;
}

rc_status rc_power_cards(const rc_rows *rows, const char *base, int *cards, rc_error *err) {
    assert(rows != NULL && base != NULL && cards != NULL);
    *cards = 0;
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        int card = strcmp(r->machine, base) == 0 ? card_of(r) : RC_NO_CARD;
        if (card >= RC_CARDS_MOST || card < RC_NO_CARD)
            return rc_fail(err, RC_E_INPUT, "rows \"%.40s\" are of card %d; cards are 0 to %d",
                           r->variant, card, RC_CARDS_MOST - 1);
        *cards = card >= *cards ? card + 1 : *cards;
    }
    return RC_OK;
}

rc_status rc_power_of_rows(const rc_rows *rows, const char *base, int card, rc_power *out,
                           rc_error *err) {
    samples s;
    rc_power p = {0};
    assert(rows != NULL && base != NULL && out != NULL);
    memset(out, 0, sizeof *out);
    rc_status st = read_all(rows, base, card, &s, err);
    if (st == RC_OK && s.n > 0) {
        find_boost(&s, &p);
        bool idle = find_idle(&s, &p);
        find_groups(&s, &p);
        find_energies(&s, &p);
        find_limits(&s, &p);
        find_exponents(&s, &p);
        find_alone(&s, &p);
        p.law[RC_POWER_LINK].slows = 1.0; /* as a program that waits for no memory of its own */
        p.known = idle && tells(&p);
        p.rows = (int)s.n;
        if (p.known)
            st = find_fp8(&s, &p, err);
    }
    if (st == RC_OK && p.known)
        *out = p;
    free(s.v);
    free(s.groups);
    return st;
}
