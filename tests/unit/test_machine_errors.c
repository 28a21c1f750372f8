/* Tables of how far forecasts are off: what is read of them, what is refused in which words, and how an interval widens.
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
#include <unistd.h>
#include "sim/machine/model_errors.h"

#define HEADER "# seen\ntransport,kind,cases,share,layer_s\n"

static rc_status read_text(const char *text, rc_model_errors *out, rc_error *err) {
    char path[] = "/tmp/test-machine-errors-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    *err = (rc_error){0};
    rc_status st = rc_model_errors_read(path, out, err);
    (void)unlink(path);
    return st;
}

static void test_read(void **state) {
    (void)state;
    rc_model_errors e;
    rc_error err;
    if (read_text(HEADER "nvlink,prefill,9,5%,12us\nnvlink,decode,9,0.25,0\nnone,tp,1,10,1s\n", &e,
                  &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(e.n, 3);
    const rc_model_error *x = rc_model_error_find(&e, "nvlink", RC_PASS_PREFILL);
    assert_true(x && x->share == 0.05 && fabs(x->layer - 12e-6) < 1e-18);
    x = rc_model_error_find(&e, "nvlink", RC_PASS_DECODE);
    assert_true(x && x->share == 0.25 && x->layer == 0.0);
    x = rc_model_error_find(&e, "none", RC_PASS_TP);
    assert_true(x && x->share == 10.0 && x->layer == 1.0);
    assert_null(rc_model_error_find(&e, "none", RC_PASS_DECODE));
    assert_null(rc_model_error_find(&e, "shm", RC_PASS_PREFILL));
    assert_null(rc_model_error_find(&(rc_model_errors){.n = 0}, "nvlink", RC_PASS_PREFILL));
    static const char *const names[] = {"prefill", "decode", "tp"};
    for (int k = 0; k < RC_PASS_KINDS; k++)
        assert_string_equal(rc_pass_kind_name((rc_pass_kind)k), names[k]);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *rows, *says;
    } t[] = {
        {",prefill,1,0,0\n", "column 'transport': \"\": expected a transport"},
        {"a23456789012345,prefill,1,0,0\n", NULL},
        {"a234567890123456,prefill,1,0,0\n",
         "column 'transport': \"a234567890123456\": expected a transport"},
        {"shm,mixed,1,0,0\n", "column 'kind': \"mixed\": expected prefill, decode or tp"},
        {"shm,prefill,1,-0.1,0\n", "column 'share': found '-0.1'"},
        {"shm,prefill,1,10.1,0\n", "column 'share': found '10.1'"},
        {"shm,prefill,1,0,1.1s\n", "column 'layer_s': found '1.1s'"},
        {"shm,prefill,1,0,-1us\n", "column 'layer_s': found '-1us'"},
        {"shm,prefill,1,0,0\nshm,prefill,1,0,0\n", "column 'kind': this class is there twice"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[512];
        rc_model_errors e;
        rc_error err;
        (void)snprintf(text, sizeof text, HEADER "%s", t[i].rows);
        rc_status st = read_text(text, &e, &err);
        assert_int_equal(st, t[i].says ? RC_E_INPUT : RC_OK);
        if (t[i].says && !strstr(err.msg, t[i].says))
            fail_msg("%s: %s", t[i].rows, err.msg);
    }
}

/* As many classes as there is room for, and one more. */
static void test_most(void **state) {
    (void)state;
    for (int n = RC_MODEL_ERRORS; n <= RC_MODEL_ERRORS + 1; n++) {
        char text[2048] = HEADER;
        rc_model_errors e;
        rc_error err;
        for (int i = 0; i < n; i++)
            (void)snprintf(text + strlen(text), sizeof text - strlen(text), "t%d,tp,1,0.%d,0\n", i,
                           i);
        rc_status st = read_text(text, &e, &err);
        assert_int_equal(st, n == RC_MODEL_ERRORS ? RC_OK : RC_E_INPUT);
        if (st == RC_OK)
            assert_true(e.n == n && rc_model_error_find(&e, "t15", RC_PASS_TP)->share == 0.15);
        else
            assert_non_null(strstr(err.msg, "there are too many classes"));
    }
}

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("%.12g, by hand %.12g", got, want);
}

/* A share of 3 % and 4 us of layers of 100 us are 5 %. Logarithms of an interval's ends and of what widens it add like sides of a
 * right angle; an end on the wrong side of the time counts as none. */
static void test_widen(void **state) {
    (void)state;
    const rc_model_error e = {.share = 0.03, .layer = 4e-6};
    near(rc_model_error_half(&e, 100e-6), 0.05);
    near(rc_model_error_half(&e, 1e9), 0.03);
    static const struct {
        double half, lo, hi, p5, p95;
    } t[] = {{0.4, 0.3, 0.3, 0.5, 0.5},
             {0.0, 0.3, 0.2, 0.3, 0.2},
             {0.5, 1.2, 0.0, 1.3, 0.5},
             {0.4, -0.1, 0.3, 0.4, 0.5},
             {0.4, 0.3, -0.1, 0.5, 0.4}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        double p5 = 7.0 * exp(-t[i].lo), p95 = 7.0 * exp(t[i].hi);
        rc_model_error_widen(t[i].half, 7.0, &p5, &p95);
        near(p5, 7.0 * exp(-t[i].p5));
        near(p95, 7.0 * exp(t[i].p95));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_most), cmocka_unit_test(test_widen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
