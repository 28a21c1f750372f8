/* What is printed of the parts of a run beside those of its forecast, worked by hand: 3.8 us for events go off each
 * span, a part is apart when it is off by more than 2 % beyond its ranks and by more than 0.5 % of the pass.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/validate/validate.h"
#include "tests/support/printed.h"

static rc_run_parts parts[2];
static rc_measured_run run;
static rc_runs all;

static void over(rc_over_ranks *o, double first_ms, double second_ms) {
    rc_over_ranks_add(o, 1e-3 * first_ms);
    rc_over_ranks_add(o, 1e-3 * second_ms);
}

static void part(rc_part p, int calls, double first, double second, double forecast) {
    over(&parts[0].part[p], first, second);
    over(&parts[1].part[p], forecast, forecast);
    parts[1].calls[p] = calls;
}

/* Two ranks, two layers, 20 ms measured and 21 ms forecast. */
static int setup(void **state) {
    (void)state;
    memset(parts, 0, sizeof parts);
    part(RC_P_NORM, 4, 1, 2, 1.6);
    part(RC_P_QKV, 2, 2, 2, 2.5);
    part(RC_P_ATTENTION, 4, 6, 6, 6);
    part(RC_P_SENDRECV, 2, 4, 5, 3);
    part(RC_P_GATE_UP, 2, 5, 5, 3.5);
    over(&parts[0].attention_alone[0], 3, 3), over(&parts[1].attention_alone[0], 3, 3);
    over(&parts[0].attention_alone[1], 2, 2), over(&parts[1].attention_alone[1], 3, 3);
    over(&parts[0].message_alone[0], 1.5, 1.6), over(&parts[1].message_alone[0], 1.4, 1.4);
    run = (rc_measured_run){.name = "case",
                            .transport = "nvlink",
                            .machine = "h200-sxm",
                            .schedule = &rc_schedule_pass_kv,
                            .cp = 2,
                            .tp = 1,
                            .layers = 2,
                            .t = 2048,
                            .measured = 0.02,
                            .p10 = 0.0195,
                            .p90 = 0.0205,
                            .time = {0.021, NAN, NAN},
                            .sm_mhz = 1550.4,
                            .forecast_mhz = 1705,
                            .parts = parts};
    all = (rc_runs){.v = &run, .n = 1, .room = 1};
    return 0;
}

static void explain(void) {
    assert_int_equal(rc_runs_explain(&all, "ca*", stdout, NULL), RC_OK);
}
static void by_part(void) {
    assert_int_equal(rc_runs_explain_parts(&all, "*", stdout, NULL), RC_OK);
}

static void holds(void (*what)(void), const char *text) {
    char *printed = printed_by(what);
    assert_holds(printed, text);
    free(printed);
}

/* The least of both ranks where a rank waits for the other; a part that waits is never apart. Exposed is what norm, qkv,
 * attention and gate-up leave: 20,000 - 14,454.4 and 21,000 - 13,600 us, known to 2 % of the pass. */
static void test_lines(void **state) {
    (void)state;
    holds(explain, "# case over nvlink on h200-sxm\n");
    holds(
        explain,
        "  norm                 1484.8    984.8   1984.8    1600.0    7.8      0.58      4  \n"
        "  qkv                  1992.4   1992.4   1992.4    2500.0   25.5      2.54      2  apart\n"
        "  attention-alone-0    2992.4   2992.4   2992.4    3000.0    0.3      0.04      2  \n"
        "  send-recv-alone-0    1492.4   1492.4   1592.4    1400.0   -6.2     -0.46      2  \n"
        "  attention-alone-1    1992.4   1992.4   1992.4    3000.0   50.6      5.04      2  apart\n"
        "  attention            5984.8   5984.8   5984.8    6000.0    0.3      0.08      4  \n"
        "  send-recv            3992.4   3992.4   4992.4    3000.0  -24.9     -4.96      2  \n"
        "  gate-up              4992.4   4992.4   4992.4    3500.0  -29.9     -7.46      2  apart\n"
        "  exposed              5545.6   5145.6   5945.6    7400.0   33.4      9.27      -  apart\n"
        "  whole               20000.0  19500.0  20500.0   21000.0    5.0      5.00      -  "
        "apart\n");
    holds(explain, "# clock: measured 1550 MHz, forecast 1705 MHz\n"
                   "# they part first at qkv (+25.5 %), most at exposed (+33.4 %)\n");
    run.sm_mhz = run.forecast_mhz = NAN;
    snprintf(run.why, sizeof run.why, "no rows");
    holds(explain, "# clock: measured not known, forecast without one\n");
    holds(explain, "# no forecast: no rows\n");
}

/* Just within and just beyond what is known, and what matters. */
static void test_apart(void **state) {
    (void)state;
    memset(parts, 0, sizeof parts);
    part(RC_P_QKV, 0, 10, 10, 10.199); /* of 20 ms, 2 % of its own */
    run.time[0] = 0.0202;
    holds(explain, "# no part is further off than is known of it\n");
    over(&parts[1].part[RC_P_QKV], 10.21, 10.21);
    parts[1].part[RC_P_QKV].sum = 4 * 10.21e-3;
    holds(explain, "# they part first at qkv (+2.1 %), most at qkv (+2.1 %)\n");
    memset(parts, 0, sizeof parts);
    part(RC_P_QKV, 0, 1, 1, 1.099); /* a tenth of its own, but less than 0.5 % of the pass */
    holds(explain, "# no part is further off than is known of it\n");
    memset(parts, 0, sizeof parts);
    part(RC_P_QKV, 0, 1, 1, 1.101);
    holds(explain, "# they part first at qkv (+10.1 %)");
    memset(parts, 0, sizeof parts);
    part(RC_P_QKV, 0, 1, 1, 0.899);
    holds(explain, "# they part first at qkv (-10.1 %)");
    part(RC_P_ALL2ALL, 7, 1, 1, 1); /* an exchange is one span a layer, whatever its messages */
    holds(explain,
          "  all-to-all     992.4    992.4    992.4    1000.0    0.8      0.04      2  \n");
}

/* By kind of pass: a step later than the first counts with all that are. */
static void test_parts(void **state) {
    (void)state;
    holds(by_part, "3.8 us a span taken off for events\n");
    holds(by_part, "  nvlink     prefill  norm                   1    7.76      0.58    7.76   "
                   "7.76    7.4   371.2\n"
                   "  nvlink     prefill  qkv                    1   25.48      2.54   25.48  "
                   "25.48   10.0   996.2\n");
    holds(by_part, "  nvlink     prefill  send-recv              1  -24.86     -4.96   24.86  "
                   "24.86   20.0  1996.2\n"
                   "  nvlink     prefill  attention-alone-0      1    0.25      0.04    0.25   "
                   "0.25   15.0  1496.2\n"
                   "  nvlink     prefill  attention-alone-1+     1   50.57      5.04   50.57  "
                   "50.57   10.0   996.2\n"
                   "  nvlink     prefill  send-recv-alone-0      1   -6.19     -0.46    6.19   "
                   "6.19    7.5   746.2\n"
                   "  nvlink     prefill  whole                  1    5.00      5.00    5.00   "
                   "5.00  100.0       -\n"
                   "  nvlink     prefill  clock                  1    9.97         -    9.97   "
                   "9.97      -       -\n");
    rc_measured_run two[3] = {run, run, run};
    two[1].time[0] = 0.018, two[2].time[0] = 0.5; /* -10 %; another name */
    snprintf(two[2].name, sizeof two[2].name, "other");
    all.v = two, all.n = 3;
    char *text;
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(rc_runs_explain_parts(&all, "ca*", f, NULL), RC_OK);
    rewind(f);
    text = calloc(1, 1 << 16);
    assert_true(text && fread(text, 1, (1 << 16) - 1, f) > 0);
    (void)fclose(f);
    /* 5 and -10: the middle of 5 and 10, and 95 % of the way from one to the other */
    assert_holds(text, "  nvlink     prefill  whole                  2   -2.50     -2.50    7.50   "
                       "9.75  100.0       -\n");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines, setup),
        cmocka_unit_test_setup(test_apart, setup),
        cmocka_unit_test_setup(test_parts, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
