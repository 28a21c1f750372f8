/* An op added as docs/extending.md says, one line: gelu stands in the table of this program. Its
 * rows are read, kept and built into curves, and tasks that name it are priced by them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/forward/internal.h"
#include "tests/support/cost_store.h"

/* 4 bytes an element, at 4 TB/s, and 3 us. */
static double truth(double tokens, double width) {
    return 3e-6 + tokens * width * 4.0 / 4e12;
}

static rc_costs *costs;

static void add_rows(FILE *f, int width) {
    for (int t = 256; t <= 65536; t *= 4) {
        double s = truth(t, width);
        (void)fprintf(
            f, "h200-sxm,g,burst,gelu,,bf16,%d,%d,0,0,%.9g,%.9g,%.9g,9,,,,d,r,c,n,k,x,measured\n",
            t, width, s, s, s);
    }
}

static int setup(void **state) {
    (void)state;
    char path[512], *text = NULL;
    size_t size = 0;
    rc_rows *rows = NULL;
    rc_machine m = syn_machine();
    FILE *f = open_memstream(&text, &size);
    (void)fputs(
        "machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,"
        "temp_c,date,driver,cuda,nccl,kernel,commit,source\n",
        f);
    add_rows(f, 4096);
    add_rows(f, 16384);
    (void)fclose(f);
    rc_status st = rc_store_parse_csv("gelu.csv", text, size, &rows, NULL);
    free(text);
    if (st != RC_OK)
        return -1;
    (void)unlink(syn_path(path, sizeof path, "extend_op"));
    st = rc_store_write(path, &rows, 1, NULL);
    rc_rows_free(rows);
    if (st == RC_OK)
        st = rc_costs_open(path, &m, &costs, NULL);
    (void)unlink(path);
    return st == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    rc_costs_close(costs);
    return 0;
}

static void near(double got, double want) {
    if (!(fabs(got / want - 1.0) < 0.01))
        fail_msg("got %.6g, expected %.6g", got, want);
}

static void test_look_ups(void **state) {
    (void)state;
    rc_cost c;
    rc_error err;
    assert_int_equal(syn_elementwise(costs, "gelu", 4096, 16384, &c, NULL), RC_OK);
    near(c.p50, truth(4096, 16384));
    assert_int_equal(c.basis, RC_MEASURED);
    assert_int_equal(syn_elementwise(costs, "gelu", 4096, 8192, &c, NULL), RC_OK);
    near(c.p50, truth(4096, 8192));
    assert_int_equal(c.basis, RC_MODELLED); /* another width: as many elements */
    assert_int_equal(syn_elementwise(costs, "gelu", 1000000, 16384, &c, NULL), RC_OK);
    near(c.p50, truth(1e6, 16384));
    assert_int_equal(c.basis, RC_EXTRAPOLATED);
    assert_int_equal(syn_elementwise(costs, "gellu", 1, 1, &c, &err), RC_E_INPUT);
    assert_string_equal(err.msg, "'gellu' is no op; did you mean 'gelu'?");
}

/* A machine of twice the HBM rate: the op is carried over as one that HBM binds. */
static void test_carried_over(void **state) {
    (void)state;
    rc_machine m = syn_machine();
    rc_costs *faster = NULL;
    rc_cost c;
    m.hbm_ratio = 2.0;
    assert_int_equal(rc_costs_view(costs, &m, &faster, NULL), RC_OK);
    assert_int_equal(syn_elementwise(faster, "gelu", 65536, 16384, &c, NULL), RC_OK);
    assert_true(c.p50 < 0.56 * truth(65536, 16384) && c.basis == RC_TRANSFERRED);
    rc_costs_close(faster);
}

/* As a task of a program. */
static void test_task(void **state) {
    (void)state;
    rc_program p = {0};
    rc_shape s = {
        .kind = RC_T_ELEMENTWISE, .part = RC_P_SWIGLU, .op = "gelu", .a = 4096, .b = 16384};
    rc_shape_cost c;
    assert_int_equal(rc_shape_price(costs, NULL, &p, &s, &c, NULL), RC_OK);
    near((double)c.duration, truth(4096, 16384) * RC_PS_PER_S);
    assert_int_equal(rc_family_of(&s), RC_F_ELEMENTWISE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look_ups),
        cmocka_unit_test(test_carried_over),
        cmocka_unit_test(test_task),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
