/* How good it is to carry an H100's costs over to an A100 by published peaks: against what others measured on A100
 * (results/published/raw/a100_mlp_vidur.csv: products of Llama 3 70B on one, two and eight GPUs, and the residual add).
 * The only evidence across architectures that there is: the limits are what it shows, not what one would wish.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/csv.h"
#include "sim/base/quantile.h"
#include "sim/cost/cost.h"
#include "sim/machine/machine.h"

enum { D = 8192, F = 28672, HEADS = 64, KV = 8, HEAD = 128, MOST = 256 };

/* Which rows an error is of: few tokens, bound by the weights' traffic; many, by the matrix units. */
enum { FEW, SOME, MANY, ADD, CLASSES };

typedef struct errors {
    double v[CLASSES][MOST]; /* signed, relative */
    size_t n[CLASSES];
    double far[CLASSES * MOST]; /* absolute, all of them */
    size_t all, outside;        /* of p5..p95 */
} errors;

static void source_path(const char *name, char *out, size_t size) {
    const char *root = getenv("RC_SOURCE_DIR");
    (void)snprintf(out, size, "%s/%s", root ? root : ".", name);
}

static void add(errors *e, int class, double measured_ms, const rc_cost *cost) {
    double measured = 1e-3 * measured_ms;
    assert_true(e->n[class] < MOST);
    assert_true(cost->basis >= RC_TRANSFERRED); /* or worse: never as if measured */
    e->v[class][e->n[class]++] = cost->p50 / measured - 1;
    e->outside += fabs(cost->p50 / measured - 1) > cost->spread;
    e->far[e->all++] = fabs(cost->p50 / measured - 1);
}

static bool cell(const rc_csv *csv, size_t row, const char *column, double *out) {
    size_t at;
    assert_int_equal(rc_csv_column(csv, column, &at, NULL), RC_OK);
    if (rc_csv_text(csv, row, at)[0] == '\0')
        return false;
    assert_int_equal(rc_csv_quantity(csv, row, at, RC_DIM_COUNT, 0, 1e9, out, NULL), RC_OK);
    return true;
}

/* The four products of a layer on one of `tp` GPUs. */
static void products(errors *e, const rc_costs *c, const rc_csv *csv, size_t row, int64_t tp,
                     int64_t m) {
    const struct {
        const char *column;
        int64_t n, k;
    } of[] = {{"qkv_ms", (HEADS + 2 * KV) * HEAD / tp, D},
              {"out_ms", D, HEADS * HEAD / tp},
              {"gate_up_ms", 2 * F / tp, D},
              {"down_ms", D, F / tp}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        double ms = 0;
        rc_cost cost;
        assert_true(cell(csv, row, of[i].column, &ms));
        assert_int_equal(rc_cost_gemm(c, RC_BF16, m, of[i].n, of[i].k, &cost, NULL), RC_OK);
        add(e, m >= 2048 ? MANY : m >= 256 ? SOME : FEW, ms, &cost);
    }
}

static void residual_add(errors *e, const rc_costs *c, const rc_csv *csv, size_t row, int64_t m) {
    double ms = 0;
    rc_axes at;
    rc_cost cost;
    memset(&at, 0, sizeof at);
    if (!cell(csv, row, "add_ms", &ms))
        return;
    at.at[RC_AXIS_TOKENS] = m;
    at.at[RC_AXIS_WIDTH] = D;
    assert_int_equal(rc_cost_named(c, "residual_add", RC_BF16, &at, &cost, NULL), RC_OK);
    add(e, ADD, ms, &cost);
}

static void test_a100(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double median, p95; /* limits */
    } of[CLASSES] = {{"products, up to 255 tokens", 0.18, 0.34},
                     {"products, 256 to 2047", 0.06, 0.12},
                     {"products, 2048 and more", 0.11, 0.19},
                     {"residual add", 0.05, 0.14}};
    static errors e;
    char path[1200];
    rc_machine m;
    rc_costs *c = NULL;
    rc_csv *csv = NULL;
    source_path("scenarios/machines/a100-sxm.yaml", path, sizeof path);
    assert_int_equal(rc_machine_load(path, &m, NULL), RC_OK);
    assert_int_equal(rc_costs_open(NULL, &m, &c, NULL), RC_OK);
    source_path("results/published/raw/a100_mlp_vidur.csv", path, sizeof path);
    assert_int_equal(rc_csv_open(path, &csv, NULL), RC_OK);
    for (size_t row = 0; row < rc_csv_rows(csv); row++) {
        double tp = 0, tokens = 0;
        assert_true(cell(csv, row, "tp", &tp) && cell(csv, row, "tokens", &tokens));
        products(&e, c, csv, row, (int64_t)tp, (int64_t)tokens);
        residual_add(&e, c, csv, row, (int64_t)tokens);
    }
    for (int k = 0; k < CLASSES; k++) {
        double work[MOST];
        size_t n = e.n[k];
        rc_sort(e.v[k], n);
        for (size_t i = 0; i < n; i++)
            work[i] = fabs(e.v[k][i]);
        rc_sort(work, n);
        double median = rc_quantile(work, n, 0.5), p95 = rc_quantile(work, n, 0.95);
        printf("%-28s %3zu rows, error median %5.1f %%, 95th percentile %5.1f, signed %5.1f\n",
               of[k].name, n, 100 * median, 100 * p95, 100 * rc_quantile(e.v[k], n, 0.5));
        assert_true(n >= 10 && median < of[k].median && p95 < of[k].p95);
    }
    rc_sort(e.far, e.all);
    printf("all: median %.1f %%, 90 %% within %.1f\n", 100 * rc_quantile(e.far, e.all, 0.5),
           100 * rc_quantile(e.far, e.all, 0.9));
    printf("outside of the stated spread: %zu of %zu\n", e.outside, e.all);
    /* The file's spread is this one's: of a 90 % interval a tenth lies outside. */
    assert_true(e.outside >= e.all / 20 && e.outside <= e.all / 7);
    rc_csv_close(csv);
    rc_costs_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a100)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
