/* Looking a threshold up. The same code, as text, is in sim/tune/select_header.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/choose/select.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Where x lies in the rising v[0..n-1]: *f of the way from v[*i] to v[*j]. */
static void place(const double *v, int n, double x, int *i, int *j, double *f) {
    int k = 0;
    while (k < n - 1 && x >= v[k + 1])
        k++;
    *i = *j = k;
    *f = 0.0;
    if (k < n - 1 && x > v[k]) {
        *j = k + 1;
        *f = (x - v[k]) / (v[k + 1] - v[k]);
    }
}

static void place_int(const int *v, int n, double x, int *i, int *j, double *f) {
    double copy[RC_SELECT_DEGREES] = {0};
    for (int k = 0; k < n; k++)
        copy[k] = v[k];
    place(copy, n, x, i, j, f);
}

static double join(double a, double b, double f) {
    return a + f * (b - a);
}

/* At one degree: over length and batch. */
static double at(const rc_select_table *s, const double (*table)[RC_SELECT_KNOTS], double length,
                 double batch) {
    int i, j, b, c;
    double f, g;
    place(s->length, s->knots, length, &i, &j, &f);
    place_int(s->batch, s->batches, batch, &b, &c, &g);
    double low = join(table[b][i], table[b][j], f);
    return b == c ? low : join(low, join(table[c][i], table[c][j], f), g);
}

/* Degree 1 has no variant: its row takes no part. */
double rc_select_threshold(const rc_select_table *s, double length, double batch, int n) {
    assert(s->knots >= 1 && s->batches >= 1 && s->degrees >= 1);
    int first = s->degree[0] == 1 && s->degrees > 1 ? 1 : 0, i, j;
    double f;
    place_int(s->degree + first, s->degrees - first, n, &i, &j, &f);
    double low = at(s, s->variant[i + first], length, batch);
    return i == j ? low : join(low, at(s, s->variant[j + first], length, batch), f);
}

rc_choice rc_select_variant(const rc_select_table *s, double t, double p, double batch, int n) {
    if (n <= 1)
        return RC_CHOOSE_PASS_KV;
    return t >= rc_select_threshold(s, t + p, batch, n) ? RC_CHOOSE_PASS_KV : RC_CHOOSE_PASS_Q;
}

int rc_select_degree(const rc_select_table *s, int price, double t, double p, double batch,
                     int least, int ranks) {
    assert(price >= 0 && price < s->prices);
    int i = 0;
    while (i + 1 < s->degrees && s->degree[i] < least && s->degree[i + 1] <= ranks)
        i++;
    while (i + 1 < s->degrees && s->degree[i + 1] <= ranks &&
           t >= at(s, s->more[price][i], t + p, batch))
        i++;
    return s->degree[i];
}

/* ---- what a table covers -------------------------------------------------------------------- */

static rc_status not_covered(const rc_select_table *s, const char *from, rc_error *err,
                             const char *found) {
    return rc_fail(
        err, RC_E_INPUT,
        "%s covers %s on %s (attention weights %s, FFN weights %s, KV %s), TP%d, CP%d to "
        "CP%d, T %.0f to %.0f, T + P %.0f to %.0f, batches %d to %d; found %s",
        from ? from : s->name, s->model, s->machine, rc_dtype_name(s->attn_weights),
        rc_dtype_name(s->ffn_weights), rc_dtype_name(s->kv), s->tp, s->degree[0],
        s->degree[s->degrees - 1], s->fresh_from, s->fresh_to, s->length[0],
        s->length[s->knots - 1], s->batch[0], s->batch[s->batches - 1], found);
}

/* A table's numbers have six digits, so its ends are met to as many. */
static bool outside(double v, double lo, double hi) {
    const double slack = 1e-5;
    return !(v >= lo * (1.0 - slack) && v <= hi * (1.0 + slack));
}

rc_status rc_select_covers(const rc_select_table *s, const rc_select_query *q, const char *from,
                           rc_error *err) {
    assert(q->model != NULL && q->machine != NULL);
    char found[160] = "";
    if (strcmp(s->model, q->model) != 0)
        (void)snprintf(found, sizeof found, "model %.100s", q->model);
    else if (strcmp(s->machine, q->machine) != 0)
        (void)snprintf(found, sizeof found, "machine %.100s", q->machine);
    else if (s->attn_weights != q->attn_weights)
        (void)snprintf(found, sizeof found, "attention weights %s", rc_dtype_name(q->attn_weights));
    else if (s->ffn_weights != q->ffn_weights)
        (void)snprintf(found, sizeof found, "FFN weights %s", rc_dtype_name(q->ffn_weights));
    else if (s->kv != q->kv)
        (void)snprintf(found, sizeof found, "KV %s", rc_dtype_name(q->kv));
    else if (s->tp != q->tp)
        (void)snprintf(found, sizeof found, "TP%d", q->tp);
    else if (outside(q->n, s->degree[0], s->degree[s->degrees - 1]))
        (void)snprintf(found, sizeof found, "CP%d", q->n);
    else if (outside(q->t, s->fresh_from, s->fresh_to))
        (void)snprintf(found, sizeof found, "T = %.0f", q->t);
    else if (outside(q->t + q->p, s->length[0], s->length[s->knots - 1]))
        (void)snprintf(found, sizeof found, "T + P = %.0f", q->t + q->p);
    else if (outside(q->batch, s->batch[0], s->batch[s->batches - 1]))
        (void)snprintf(found, sizeof found, "a batch of %.0f", q->batch);
    return found[0] ? not_covered(s, from, err, found) : RC_OK;
}
