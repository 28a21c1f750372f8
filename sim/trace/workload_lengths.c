/* Reads distributions of token counts and draws from them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/workload_lengths.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/trace.h"

enum { BINS = 65536 };
static const char *const type_names[] = {"gaussian", "exponential", "pareto_lognormal",
                                         "constant", "empirical",   NULL};
static const char *const param_names[][RC_SPEC_PARAMS + 1] = {
    {"mean", "std_dev", "min", "max", NULL},
    {"mean", NULL},
    {"alpha", "xm", "mu", "sigma", "mix_weight", NULL},
    {"value", NULL},
    {NULL}};

static int by_value(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Token counts as keys, probabilities as values; sorted, summed up and divided by the sum. */
static rc_status read_bins(const rc_node *params, rc_spec_length *out, rc_error *err) {
    size_t n = rc_node_count(params);
    if (n == 0 || n > BINS)
        return rc_node_fail(params, err, RC_E_INPUT, "%zu token counts, expected 1 to %d", n, BINS);
    double(*bin)[2] = calloc(n, sizeof *bin);
    out->value = calloc(n, sizeof *out->value);
    out->up_to = calloc(n, sizeof *out->up_to);
    rc_status st = bin && out->value && out->up_to
                       ? RC_OK
                       : rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    double sum = 0.0;
    for (size_t i = 0; i < n && st == RC_OK; i++) {
        char *end;
        bin[i][0] = strtod(rc_node_key(params, i), &end);
        if (*end != '\0' || !(bin[i][0] >= 1.0) || bin[i][0] > RC_TRACE_MAX_OUTPUT)
            st = rc_node_key_fail(params, i, err, "found '%.40s', expected a number of tokens",
                                  rc_node_key(params, i));
        else
            st = rc_node_quantity(rc_node_value(params, i), rc_node_key(params, i), RC_DIM_RATIO,
                                  0.0, 1e9, &bin[i][1], err);
        sum += bin[i][1];
    }
    if (st == RC_OK && !(sum > 0.0))
        st = rc_node_fail(params, err, RC_E_INPUT, "all probabilities are 0");
    if (st == RC_OK)
        qsort(bin, n, sizeof *bin, by_value);
    double before = 0.0;
    for (size_t i = 0; i < n && st == RC_OK; i++) {
        before += bin[i][1] / sum;
        out->value[i] = bin[i][0];
        out->up_to[i] = before;
    }
    out->values = n;
    free(bin);
    return st;
}

rc_status rc_spec_length_read(const rc_node *map, const char *key, rc_spec_length *out,
                              rc_error *err) {
    static const char *const keys[] = {"type", "params", "file", NULL};
    const rc_node *n, *params;
    int type;
    RC_TRY(rc_doc_map(map, key, &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    if (rc_doc_has(n, "file"))
        return rc_node_fail(rc_node_get(n, "file"), err, RC_E_INPUT,
                            "key 'file': lengths from a file are not read; 'params' holds them");
    RC_TRY(rc_doc_choice(n, "type", type_names, &type, err));
    RC_TRY(rc_doc_map(n, "params", &params, err));
    out->type = (rc_spec_length_type)type;
    if (out->type == RC_SPEC_EMPIRICAL)
        return read_bins(params, out, err);
    RC_TRY(rc_doc_known(params, param_names[type], err));
    for (int i = 0; param_names[type][i]; i++) {
        const char *name = param_names[type][i];
        bool above = strcmp(name, "alpha") == 0, any = strcmp(name, "mu") == 0;
        bool share = strcmp(name, "mix_weight") == 0;
        RC_TRY(rc_doc_quantity(params, name, RC_DIM_RATIO,
                               any     ? -100.0
                               : above ? 1e-3
                                       : 0.0,
                               share ? 1.0 : 1e8, &out->param[i], err));
    }
    if (out->type == RC_SPEC_GAUSSIAN && out->param[2] > out->param[3])
        return rc_node_fail(params, err, RC_E_INPUT, "min is above max");
    return RC_OK;
}

static double draw_bin(const rc_spec_length *l, rc_rng *r) {
    double u = rc_rng_uniform(r);
    size_t lo = 0, hi = l->values - 1;
    while (lo < hi) { /* the first with more than u up to it */
        size_t k = lo + (hi - lo) / 2;
        if (l->up_to[k] > u)
            hi = k;
        else
            lo = k + 1;
    }
    return l->value[lo];
}

static double draw_tokens(const rc_spec_length *l, rc_rng *r) {
    const double *p = l->param;
    switch (l->type) {
    case RC_SPEC_GAUSSIAN:
        return fmin(fmax(p[0] + p[1] * rc_rng_normal(r), p[2]), p[3]);
    case RC_SPEC_EXPONENTIAL:
        return rc_rng_exponential(r, p[0]);
    case RC_SPEC_PARETO_LOGNORMAL:
        if (rc_rng_uniform(r) < p[4])
            return p[1] * pow(1.0 - rc_rng_uniform(r), -1.0 / p[0]);
        return exp(p[2] + p[3] * rc_rng_normal(r));
    case RC_SPEC_CONSTANT:
        return p[0];
    case RC_SPEC_EMPIRICAL:
        return draw_bin(l, r);
    }
    return 1.0;
}

uint32_t rc_spec_length_draw(const rc_spec_length *l, rc_rng *r, double most) {
    return (uint32_t)llround(fmin(fmax(draw_tokens(l, r), 1.0), most));
}

void rc_spec_length_free(rc_spec_length *l) {
    free(l->value);
    free(l->up_to);
    l->value = l->up_to = NULL;
}
