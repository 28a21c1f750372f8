/* What is shown of rows that a fit has not seen, of rows and predictions made here: every column of the three tables.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "sim/report/paper_leave_out.c"

enum { ROWS = 8 };
static rc_paper_row given[ROWS];
static double predicted[ROWS + 1];
static bool left_out[ROWS + 1], wanted[8];
static rc_plan plans[ROWS];
static rc_paper paper = {.rows = given, .plans = plans, .count = ROWS, .job_count = 8};
static leave_out x = {.p = &paper, .predicted = predicted, .left_out = left_out, .wanted = wanted};

static void set(int i, const char *table, const char *metric, double printed, double got,
                double shipped, bool scored) {
    rc_paper_row *r = &given[i];
    *r = (rc_paper_row){.paper = printed,
                        .error_pct = shipped,
                        .scored = scored,
                        .duplicate_of = -1,
                        .role = RC_ROLE_COMPARED};
    (void)snprintf(r->table, sizeof r->table, "%s", table);
    (void)snprintf(r->metric, sizeof r->metric, "%s", metric);
    (void)snprintf(r->id, sizeof r->id, "row%d", i);
    (void)snprintf(r->config, sizeof r->config, "CP%d", i);
    (void)snprintf(r->unit, sizeof r->unit, "ms");
    predicted[i] = got;
}

/* Errors of 10, -20 and 40 % of Table 4, 5 % of Table 6, and parts of a ring step 50 % off. */
static int setup(void **state) {
    (void)state;
    set(0, "4", "ttft", 100.0, 110.0, 1.0, true);
    set(1, "4", "ttft", 100.0, 80.0, -2.0, true);
    set(2, "4", "ttft", 100.0, 140.0, 6.0, true);
    set(3, "4", "ttft", 100.0, NAN, 99.0, true); /* was not left out */
    set(4, "4", "mfu", 100.0, 900.0, 99.0, true);
    set(5, "6", "ttft", 200.0, 210.0, -7.0, true);
    set(6, "5", "sendrecv_us", 10.0, 15.0, 3.0, false);
    set(7, "6", "ttft", 200.0, 900.0, 99.0, false);
    x.tables = 3;
    x.of[0].table = "4";
    x.of[1].table = "6";
    x.of[2].table = "5";
    return 0;
}

static void holds(rc_table *t, const char *const *lines, size_t count) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_int_equal(rc_table_finish(t, true, f, NULL), RC_OK);
    (void)fclose(f);
    const char *at = text;
    for (size_t i = 0; i < count; i++) {
        at = strstr(at, lines[i]);
        if (!at)
            fail_msg("no '%s' in its place of\n%s", lines[i], text);
        at += strlen(lines[i]);
    }
    if (*at != '\0')
        fail_msg("more than expected:\n%s", text);
    free(text);
}

static void test_summary(void **state) {
    (void)state;
    static const char *const lines[] = {
        "what,left_out,rows,mean_pct,max_pct,bias_pct,shipped_pct\n",
        "TTFT,4,3,23.33333333,40,10,3\n", "TTFT,6,1,5,5,5,7\n", "TTFT,all,4,18.75,40,8.75,4\n",
        "parts of a ring step,5,1,50,50,50,3\n"};
    holds(summary(&x), lines, sizeof lines / sizeof lines[0]);
    x.tables = 1; /* of one table there is no sum */
    static const char *const one[] = {"shipped_pct\n", "TTFT,4,3,23.33333333,40,10,3\n"};
    holds(summary(&x), one, 2);
}

static void test_rows(void **state) {
    (void)state;
    given[0].schedule = &rc_schedule_pass_kv;
    static const char *const lines[] = {
        "left_out,id,config,variant,metric,unit,paper,predicted,error_pct,shipped_error_pct\n",
        "4,row0,CP0,pass-kv,ttft,ms,100,110,10,1\n",
        "4,row1,CP1,-,ttft,ms,100,80,-20,-2\n",
        "4,row2,CP2,-,ttft,ms,100,140,40,6\n",
        "4,row4,CP4,-,mfu,ms,100,900,800,99\n",
        "6,row5,CP5,-,ttft,ms,200,210,5,-7\n",
        "5,row6,CP6,-,sendrecv_us,ms,10,15,50,3\n",
        "6,row7,CP7,-,ttft,ms,200,900,350,99\n"};
    holds(rows(&x), lines, sizeof lines / sizeof lines[0]);
}

/* The shipped number, and of each table left out what was fitted, with a mark where its own rows were gone. */
static void test_parameters(void **state) {
    (void)state;
    rc_machine *m = &paper.machine[RC_PAPER_GTT];
    m->fitted_count = 2;
    m->fitted[0] = (rc_fitted){.name = "gemm_ratio", .unit = "1", .value = 0.72345};
    m->fitted[1] = (rc_fitted){.name = "ring_step", .unit = "s", .value = 0.0005};
    x.of[2].table = "points";
    static const int from[3][2] = {{RC_REFIT_OWN, RC_REFIT_BORROWED},
                                   {RC_REFIT_STATED, RC_REFIT_OWN},
                                   {RC_REFIT_OWN, RC_REFIT_OWN}};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 2; k++) {
            x.of[i].fit.machine.fitted[k].value = m->fitted[k].value * (i + 2);
            x.of[i].fit.from[k] = (rc_refit_rows)from[i][k];
        }
    static const char *const lines[] = {"parameter,unit,shipped,4,6,points\n",
                                        "gemm_ratio,1,0.7235,1.447,2.17=,2.894\n",
                                        "ring_step,s,0.0005,0.001*,0.0015,0.002\n"};
    holds(parameters(&x), lines, 3);
}

/* A copy of a row of another table is left out with that one's, and so are the passes that it needs. */
static void test_marks(void **state) {
    (void)state;
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < RC_PLAN_JOBS; k++)
            plans[i].job[k] = k == 0 ? i : RC_JOB_NONE;
    plans[5].job[RC_PLAN_JOBS - 1] = 2;
    given[7].duplicate_of = 0;
    given[2].duplicate_of = 5;
    memset(wanted, 1, sizeof wanted);
    mark_left_out(&x, "6");
    static const bool out[ROWS] = {false, false, true, false, false, true, false, false};
    static const bool asked[ROWS] = {false, false, true, false, false, true, false, false};
    for (int i = 0; i < ROWS; i++)
        assert_true(left_out[i] == out[i] && wanted[i] == asked[i]);
    mark_left_out(&x, "4");
    assert_true(left_out[0] && !left_out[2] && !left_out[5] && left_out[7] && wanted[7] &&
                !wanted[5] && !wanted[2]);
    assert_true(is_judged(&paper, 0) && !is_judged(&paper, 7));
    given[0].error_pct = NAN;
    given[1].role = RC_ROLE_BOUND;
    assert_true(!is_judged(&paper, 0) && !is_judged(&paper, 1));
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {T(test_summary), T(test_rows), T(test_parameters),
                                       T(test_marks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
