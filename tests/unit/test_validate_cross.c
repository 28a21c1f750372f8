/* Rows of one machine predicted from another's, over stores whose times are formulas: the H200's as they are, the H100's by the
 * ratios of published rates and a factor, which is the error.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/validate/validate.h"
#include "tests/support/cost_store.h"

static char path[] = "/tmp/rc_cross_XXXXXX";
static rc_error err;

static int set_up(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int tear_down(void **state) {
    (void)state;
    return unlink(path);
}

static syn_store begin(void) {
    syn_store s = {.seed = 7};
    assert_int_equal(rc_rows_create(&s.rows, &err), RC_OK);
    return s;
}

static rc_status predict(syn_store *s, rc_cross *out) {
    rc_rows *sets[1] = {s->rows};
    assert_false(s->failed);
    (void)unlink(path);
    assert_int_equal(rc_store_write(path, sets, 1, &err), RC_OK);
    rc_rows_free(s->rows);
    return rc_cross_predict(path, "h200-sxm", "h100-sxm", out, &err);
}

/* Both parts have the same peak of bf16, so a product takes as long on either. */
static void add_gemm(syn_store *s, const char *machine, int64_t rows, double factor,
                     const char *source) {
    syn_add(s, machine, "burst", "gemm", "", "bf16", rows, 2304, 16384, 0,
            factor * syn_gemm((double)rows, 2304, 16384, false), source);
}

/* HBM of 3.35 and 4.8 TB/s, of which a copy reaches nine tenths: the traffic takes longer, what starts it does not. */
static void add_copy(syn_store *s, int64_t bytes, double factor, const char *source) {
    const double b = (double)bytes, longer = b / (0.9 * 3.35e12) - b / (0.9 * 4.8e12);
    syn_add(s, "h100-sxm", "burst", "copy", "", "", bytes, 0, 0, 0,
            factor * (syn_stream(b) + longer), source);
}

static void is(const rc_cross_op *o, const char *op, size_t n, double bias, double median,
               double p95) {
    assert_string_equal(o->op, op);
    assert_int_equal(o->n, n);
    if (fabs(o->bias_pct - bias) > 1e-6 || fabs(o->median_pct - median) > 1e-6 ||
        fabs(o->p95_pct - p95) > 1e-6)
        fail_msg("%s: %.9f, %.9f and %.9f", op, o->bias_pct, o->median_pct, o->p95_pct);
}

/* Products that took 1.25, 1 and 0.8 times as long as predicted: errors of -20, 0 and 25 %, the middle one 0, of their sizes the
 * middle one 20 and the 95th of a hundred nine tenths of the way from 20 to 25. A copy at 25 %; of all four the middle lies
 * between 0 and 25, and of their sizes between 20 and 25. */
static void test_errors(void **state) {
    (void)state;
    syn_store s = begin();
    rc_cross x;
    syn_attention(&s, "h200-sxm", 16);
    syn_matrices(&s, "h200-sxm");
    syn_memory(&s, "h200-sxm");
    add_gemm(&s, "h100-sxm", 512, 1.25, "measured");
    add_copy(&s, 131072, 0.8, "measured");
    add_gemm(&s, "h100-sxm", 2048, 1.0, "measured");
    add_gemm(&s, "h100-sxm", 8192, 0.8, "measured");
    add_gemm(&s, "h100-sxm", 16384, 7.0, "published"); /* nobody measured it */
    if (predict(&s, &x) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(x.ops, 2);
    const rc_cross_op *gemm = strcmp(x.op[0].op, "gemm") == 0 ? &x.op[0] : &x.op[1];
    is(gemm, "gemm", 3, 0.0, 20.0, 24.5);
    is(gemm == &x.op[0] ? &x.op[1] : &x.op[0], "copy", 1, 25.0, 25.0, 25.0);
    is(&x.all, "all", 4, 12.5, 22.5, 25.0);
}

static void refused(syn_store *s, const char *why) {
    rc_cross x;
    assert_int_equal(predict(s, &x), RC_E_INPUT);
    assert_string_equal(err.msg, why);
}

/* Published products are no base, and neither is a machine of which other ops alone were measured. */
static void test_refusals(void **state) {
    (void)state;
    syn_store s = begin();
    syn_memory(&s, "h200-sxm");
    add_gemm(&s, "h200-sxm", 512, 1.0, "published");
    add_gemm(&s, "h100-sxm", 512, 1.0, "measured");
    refused(&s, "the store has no measured GEMM of machine 'h200-sxm'");
    s = begin();
    syn_memory(&s, "h200-sxm");
    syn_matrices(&s, "h200-sxm");
    add_gemm(&s, "h100-sxm", 512, 1.0, "published");
    refused(&s, "the store has no measured rows of machine 'h100-sxm'");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
