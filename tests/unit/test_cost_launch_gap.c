/* What rows of the op `gap` say of kernels that are launched one by one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "sim/cost/cost.h"
#include "sim/cost/launch_gap.h"
#include "tests/support/cost_store.h"

#define NEAR(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * fabs(b))

static void add(rc_rows *rows, const char *machine, const char *variant, int64_t calls, double t) {
    const rc_row r = {.machine = machine,
                      .gpu = "GPU",
                      .state = "burst",
                      .op = "gap",
                      .variant = variant,
                      .dtype = "",
                      .a = calls,
                      .p10 = t,
                      .p50 = t,
                      .p90 = t,
                      .samples = 9,
                      .sm_mhz = NAN,
                      .power_w = NAN,
                      .temp_c = NAN,
                      .date = "2026-11-26T00:00:00Z",
                      .driver = "1",
                      .cuda = "1",
                      .nccl = "",
                      .kernel = "k",
                      .commit = "c",
                      .source = "measured"};
    assert_int_equal(rc_rows_add(rows, &r, NULL), RC_OK);
}

/* The longest stretch counts; kinds without rows of both get the mean of those that have them; no
 * gap is shorter than that of a graph. */
static void test_rows_read_back(void **state) {
    (void)state;
    rc_rows *rows;
    assert_int_equal(rc_rows_create(&rows, NULL), RC_OK);
    add(rows, "one", "norm", 1, 1.5e-6);
    add(rows, "one", "gemm@eager256", 1, 5.3e-6);
    add(rows, "one", "norm+gemm", 2, 5.1e-6);
    add(rows, "one", "norm+gemm@eager256", 2, 7.9e-6);
    add(rows, "one", "norm@eager", 1, 9e-6);
    add(rows, "one", "norm@eager2x", 1, 9e-6);
    add(rows, "one", "norm@ctas256", 1, 9e-6);
    add(rows, "another", "norm@eager256", 1, 9e-6);
    assert_false(rc_launch_gaps_of(rows, "one").known); /* no kind has both */
    add(rows, "one", "norm@eager256", 1, 2.9e-6);
    add(rows, "one", "norm@eager16", 1, 3.3e-6);
    add(rows, "one", "norm@eager64", 1, 3.0e-6);
    rc_launch_gaps g = rc_launch_gaps_of(rows, "one");
    assert_true(g.known);
    for (int k = 0; k < RC_LAUNCHED_KINDS; k++)
        NEAR(g.eager[k], 1.4e-6);
    add(rows, "one", "gemm", 1, 3.5e-6);
    add(rows, "one", "decode", 1, 8.0e-6);
    add(rows, "one", "decode@eager256", 1, 7.9e-6);
    g = rc_launch_gaps_of(rows, "one");
    NEAR(g.eager[RC_LAUNCHED_NORM], 1.4e-6);
    NEAR(g.eager[RC_LAUNCHED_GEMM], 1.8e-6);
    assert_true(g.eager[RC_LAUNCHED_DECODE] == 0.0);
    NEAR(g.eager[RC_LAUNCHED_MERGE], (1.4e-6 + 1.8e-6 + 0.0) / 3.0);
    assert_false(rc_launch_gaps_of(rows, "another").known);
    rc_rows_free(rows);
}

/* From a store, through the costs of a machine; what the machine states comes first. */
static void test_through_a_store(void **state) {
    (void)state;
    char path[64];
    rc_machine m = syn_machine();
    rc_rows *rows;
    rc_costs *c = NULL, *stated = NULL;
    assert_int_equal(rc_rows_create(&rows, NULL), RC_OK);
    (void)snprintf(path, sizeof path, "/tmp/rc_gap_%ld.db", (long)getpid());
    (void)unlink(path);
    add(rows, m.base, "send_recv", 1, 5.4e-6);
    add(rows, m.base, "send_recv@eager256", 1, 8.4e-6);
    assert_int_equal(rc_store_write(path, &rows, 1, NULL), RC_OK);
    assert_int_equal(rc_costs_open(path, &m, &c, NULL), RC_OK);
    NEAR(rc_cost_eager_gap(c, RC_LAUNCHED_NCCL), 3e-6);
    NEAR(rc_cost_eager_gap(c, RC_LAUNCHED_NORM), 3e-6);
    m.eager_gap = 2e-6;
    assert_int_equal(rc_costs_view(c, &m, &stated, NULL), RC_OK);
    NEAR(rc_cost_eager_gap(stated, RC_LAUNCHED_NCCL), 2e-6);
    rc_costs_close(stated);
    rc_costs_close(c);
    rc_rows_free(rows);
    (void)unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_read_back),
        cmocka_unit_test(test_through_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
