/* Looking a threshold up. The same code, as text, is in sim/tune/header.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/choose/select.h"

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
    int i = 0;
    while (i + 1 < s->degrees && s->degree[i] < least && s->degree[i + 1] <= ranks)
        i++;
    while (i + 1 < s->degrees && s->degree[i + 1] <= ranks &&
           t >= at(s, s->more[price][i], t + p, batch))
        i++;
    return s->degree[i];
}
