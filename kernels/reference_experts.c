/* References in double precision on the CPU for the kernels of experts: slow and plain.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/experts.h"
#include <math.h>

void rc_grouped_reference(const float *x, const float *w, const int64_t *rows, const int *expert,
                          int64_t n_rows, int64_t n, int64_t k, double *out) {
    for (int64_t i = 0; i < n_rows; i++)
        for (int64_t c = 0; c < n; c++) {
            const float *a = x + rows[i] * k, *b = w + (expert[i] * n + c) * k;
            double sum = 0;
            for (int64_t j = 0; j < k; j++)
                sum += (double)a[j] * (double)b[j];
            out[i * n + c] = sum;
        }
}

/* Scores of one token. */
static void score(const rc_route_args *a, const float *logits, double *s) {
    double top = -INFINITY, sum = 0;
    for (int e = 0; e < a->experts; e++)
        top = fmax(top, (double)logits[e]);
    for (int e = 0; e < a->experts; e++) {
        s[e] = a->sigmoid ? 1 / (1 + exp(-(double)logits[e])) : exp((double)logits[e] - top);
        sum += s[e];
    }
    for (int e = 0; e < a->experts && !a->sigmoid; e++)
        s[e] /= sum;
}

/* The best of n that is not taken yet; its lead over the next goes to *lead where that is less. */
static int take_best(const double *v, int n, const char *taken, double *lead) {
    int best = -1;
    double next = -INFINITY;
    for (int i = 0; i < n; i++)
        if (!taken[i] && v[i] > -INFINITY && (best < 0 || v[i] > v[best]))
            best = i;
    for (int i = 0; i < n; i++)
        if (!taken[i] && i != best)
            next = fmax(next, v[i]);
    if (best >= 0 && v[best] - next < *lead)
        *lead = v[best] - next;
    return best;
}

/* Scores that choose of experts outside the best groups become -inf. */
static void keep_groups(const rc_route_args *a, double *choice, double *lead) {
    char taken[RC_EXPERTS_GROUPS_MAX] = {0};
    double worth[RC_EXPERTS_GROUPS_MAX];
    int size = a->experts / a->groups;
    for (int g = 0; g < a->groups; g++) {
        double best = -INFINITY, second = -INFINITY;
        for (int i = g * size; i < (g + 1) * size; i++) {
            second = fmax(second, fmin(best, choice[i]));
            best = fmax(best, choice[i]);
        }
        worth[g] = best + (size > 1 ? second : 0);
    }
    for (int j = 0; j < a->kept; j++)
        taken[take_best(worth, a->groups, taken, lead)] = 1;
    for (int e = 0; e < a->experts; e++)
        if (!taken[e / size])
            choice[e] = -INFINITY;
}

static void route_token(const rc_route_args *a, int64_t token, double *margin) {
    double s[RC_EXPERTS_MAX], choice[RC_EXPERTS_MAX], sum = 0, scale = a->scale, lead = INFINITY;
    char taken[RC_EXPERTS_MAX] = {0};
    int32_t *chosen = a->chosen + token * a->top_k;
    float *weight = a->weight + token * a->top_k;
    score(a, a->logits + token * a->experts, s);
    for (int e = 0; e < a->experts; e++)
        choice[e] = s[e] + (a->bias ? (double)a->bias[e] : 0);
    if (a->groups > 1)
        keep_groups(a, choice, &lead);
    for (int j = 0; j < a->top_k; j++) {
        chosen[j] = take_best(choice, a->experts, taken, &lead);
        taken[chosen[j]] = 1;
        sum += s[chosen[j]];
    }
    scale = scale > 0 || scale < 0 ? scale : 1;
    for (int j = 0; j < a->top_k; j++)
        weight[j] = (float)(s[chosen[j]] * (a->normalise ? scale / sum : scale));
    if (margin)
        margin[token] = lead;
}

void rc_route_reference(const rc_route_args *a, double *margin) {
    int here = a->here > 0 ? a->here : a->experts, from = a->here > 0 ? a->from : 0, row = 0;
    for (int64_t t = 0; t < a->tokens; t++)
        route_token(a, t, margin);
    for (int64_t i = 0; i < a->tokens * a->top_k; i++)
        a->place[i] = -1;
    for (int e = 0; e < here; e++) {
        a->first[e] = row;
        for (int64_t i = 0; i < a->tokens * a->top_k; i++)
            if (a->chosen[i] == from + e)
                a->place[i] = row++;
    }
    a->first[here] = row;
}
