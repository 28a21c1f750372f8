/* The parts of a run beside those of its forecast: what a results file says of them, that those of
 * a forecast add up to its time where nothing overlaps, and where a run and its forecast part.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sim/machine/machine.h"
#include "sim/validate/launches.h"
#include "sim/validate/validate.h"

#define HEAD                                                                                       \
    "case,schedule,cp,tp,t,p,batch,hq,hkv,width,ffn,layers,launch,sms,ctas,transport,part,rank,"   \
    "p10_s,p50_s,p90_s,samples,check,machine,gpu,sm_mhz,power_w,temp_c,date,driver,cuda,nccl,"     \
    "kernel,commit\n"

/* One row: `schedule` over `cp` ranks, 2,048 new tokens, two layers. */
static void row(char *to, size_t size, const char *schedule, int cp, const char *part, int rank,
                double seconds, const char *mhz) {
    size_t n = strlen(to);
    snprintf(to + n, size - n,
             "c-%s,%s,%d,1,2048,0,1,16,1,16384,6656,2,graph,0,0,%s,%s,%d,%.9g,%.9g,%.9g,3,0.003,"
             "h200-sxm,NVIDIA H200,%s,,,d,d,c,n,k,c\n",
             schedule, schedule, cp, cp > 1 ? "nvlink" : "none", part, rank, seconds, seconds,
             seconds, mhz);
}

static rc_status parse(rc_runs *r, const char *text, rc_error *err) {
    return rc_runs_parse(r, "runs.csv", text, strlen(text), err);
}

static void test_measured(void **state) {
    (void)state;
    char text[8192] = HEAD;
    rc_runs r = {0};
    rc_error err = {0};
    for (int rank = 0; rank < 2; rank++) {
        row(text, sizeof text, "pass-kv", 2, "norm", rank, 1e-3 * (rank + 1), "");
        row(text, sizeof text, "pass-kv", 2, "send-recv", rank, 1e-3 * (rank + 4), "");
        row(text, sizeof text, "pass-kv", 2, "attention-alone-1", rank, 7e-3, "");
    }
    row(text, sizeof text, "pass-kv", 2, "whole", -1, 0.02, "1550.5");
    row(text, sizeof text, "tp", 1, "norm", 0, 1e-3, ""); /* cut off: it has no whole pass */
    assert_int_equal(parse(&r, text, &err), RC_OK);
    assert_int_equal(r.n, 1);
    const rc_run_parts *p = &r.v[0].parts[0];
    assert_true(r.v[0].sm_mhz == 1550.5 && isnan(r.v[0].forecast_mhz));
    assert_true(fabs(rc_over_ranks_value(&p->part[RC_P_NORM], false) - 1.5e-3) < 1e-12);
    assert_true(fabs(rc_over_ranks_value(&p->part[RC_P_SENDRECV], true) - 4e-3) < 1e-12);
    assert_true(p->attention_alone[1].n == 2 && p->attention_alone[0].n == 0);
    assert_true(isnan(rc_over_ranks_value(&p->part[RC_P_QKV], false)));
    rc_runs_free(&r);
    static const char *const none[] = {"rotation", "attention-alone-", "send-recv-alone-64"};
    for (size_t i = 0; i < 3; i++) {
        strcpy(text, HEAD);
        row(text, sizeof text, "tp", 1, none[i], 0, 1e-3, "");
        row(text, sizeof text, "tp", 1, "whole", -1, 0.02, "");
        assert_int_equal(parse(&r, text, &err), RC_E_INPUT);
        assert_non_null(strstr(err.msg, "is no part"));
        rc_runs_free(&r);
    }
}

/* The forecast of one run of `schedule`, which measured `whole` seconds and gate-up `gate`. */
static void forecast(rc_runs *r, const char *schedule, int cp, double whole, double gate) {
    char text[4096] = HEAD;
    rc_error err = {0};
    row(text, sizeof text, schedule, cp, "gate-up", 0, gate, "");
    row(text, sizeof text, schedule, cp, "whole", -1, whole, "");
    assert_int_equal(parse(r, text, &err), RC_OK);
    assert_int_equal(rc_runs_predict(r, &(rc_predict_options){0}, &err), RC_OK);
    assert_string_equal(r->v[0].why, "");
}

/* One GPU, one graph: ops follow one another, so they add up to the pass; two norms a layer. */
static void test_adds_up(void **state) {
    (void)state;
    rc_runs r = {0};
    forecast(&r, "tp", 1, 0.01, 0.001);
    const rc_run_parts *p = &r.v[0].parts[1];
    double sum = 0;
    for (int i = 0; i < RC_P_COUNT; i++)
        sum += p->part[i].sum;
    assert_true(fabs(sum - r.v[0].time[RC_BY_SIMULATION]) < 1e-10);
    assert_int_equal(p->calls[RC_P_NORM], 4);
    assert_true(p->attention_alone[0].n == 0); /* there are no ring steps */
    rc_runs_free(&r);
}

/* Over a ring: each step has its attention, all but the last a message; an exchange is one span. */
static void test_ring(void **state) {
    (void)state;
    rc_runs r = {0};
    forecast(&r, "pass-q", 2, 0.01, 0.001);
    const rc_run_parts *p = &r.v[0].parts[1];
    assert_true(p->attention_alone[0].n == 2 && p->attention_alone[1].n == 2);
    assert_true(p->message_alone[0].n == 2 && p->message_alone[1].n == 0);
    double steps = p->attention_alone[0].sum + p->attention_alone[1].sum;
    assert_true(fabs(steps - p->part[RC_P_ATTENTION].sum) < 1e-12);
    assert_true(p->part[RC_P_ALL2ALL].n == 2 && p->part[RC_P_ALL2ALL].least > 0);
    assert_true(p->part[RC_P_ALL2ALL].most < r.v[0].time[RC_BY_SIMULATION]);
    rc_runs_free(&r);
}

/* What is printed of the run into `text`. */
static rc_status print(const rc_runs *r, bool parts, const char *pattern, char *text, size_t size,
                       rc_error *err) {
    FILE *f = tmpfile();
    assert_non_null(f);
    rc_status st =
        parts ? rc_runs_explain_parts(r, pattern, f, err) : rc_runs_explain(r, pattern, f, err);
    rewind(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    (void)fclose(f);
    return st;
}

static void test_first(void **state) {
    (void)state;
    char text[16384];
    rc_runs r = {0};
    rc_error err = {0};
    forecast(&r, "tp", 1, 0.01, 0.001);
    double gate = rc_over_ranks_value(&r.v[0].parts[1].part[RC_P_GATE_UP], false);
    double whole = r.v[0].time[RC_BY_SIMULATION];
    const double events = 2 * 3.8e-6; /* those around gate-up of two layers */
    rc_runs_free(&r);
    forecast(&r, "tp", 1, whole, gate / 1.1 + events); /* 10 % of much of the pass */
    assert_int_equal(print(&r, false, "c-t?", text, sizeof text, &err), RC_OK);
    assert_non_null(strstr(text, "they part first at gate-up (+10.0 %)"));
    assert_int_equal(print(&r, true, "*", text, sizeof text, &err), RC_OK);
    assert_non_null(strstr(text, "gate-up"));
    assert_non_null(strstr(text, "10.00"));
    rc_runs_free(&r);
    forecast(&r, "tp", 1, whole, gate / 1.01 + events); /* within what is known of a median */
    assert_int_equal(print(&r, false, "*", text, sizeof text, &err), RC_OK);
    assert_non_null(strstr(text, "no part is further off"));
    assert_int_equal(print(&r, false, "other", text, sizeof text, &err), RC_E_INPUT);
    rc_runs_free(&r);
}

/* The time of `text`, forecast without some mechanisms. */
static double without(const char *text, unsigned bits) {
    rc_runs r = {0};
    rc_error err = {0};
    const rc_predict_options o = {.without = bits};
    assert_int_equal(parse(&r, text, &err), RC_OK);
    assert_int_equal(rc_runs_predict(&r, &o, &err), RC_OK);
    assert_string_equal(r.v[0].why, "");
    double time = r.v[0].time[RC_BY_SIMULATION];
    rc_runs_free(&r);
    return time;
}

/* A mechanism that is left out makes another forecast, where the case has to do with it. */
static void test_without(void **state) {
    (void)state;
    unsigned bits = 0;
    rc_error err = {0};
    assert_int_equal(rc_mechanism_find("waves", &bits, &err), RC_OK);
    assert_int_equal(bits, RC_WAVES);
    assert_int_equal(rc_mechanism_find("wave", &bits, &err), RC_E_USAGE);
    assert_non_null(strstr(err.msg, "waves"));
    /* A width that no row has: its products rest on the plan of tiles. */
    static const char other[] =
        HEAD "c,tp,1,1,2048,0,1,40,8,5120,27648,2,graph,0,0,none,whole,-1,0.1,0.1,0.1,3,0.003,"
             "h200-sxm,NVIDIA H200,,,,d,d,c,n,k,c\n";
    assert_true(fabs(without(other, RC_WAVES) / without(other, 0) - 1.0) > 1e-3);
    /* Products of known shapes, and attention of so few rows that the last wave is a part of all. */
    static const char known[] =
        HEAD "d,tp,1,1,2048,30720,1,16,1,16384,6656,1,graph,0,0,none,whole,-1,0.1,0.1,0.1,3,0.003,"
             "h200-sxm,NVIDIA H200,,,,d,d,c,n,k,c\n";
    assert_true(fabs(without(known, RC_WAVES) / without(known, 0) - 1.0) > 1e-4);
    assert_true(without(other, RC_CLOCKS) != without(other, 0));
    assert_true(without(other, RC_CONTENTION) == without(other, 0)); /* one GPU: no messages */
}

/* A run on a machine that nobody knows says so, and those around it are forecast all the same; a machine without rows of its
 * own rests on another's, one with rows on itself. */
static void test_runs_of_one_file(void **state) {
    (void)state;
    static const char *const machines[] = {"h200-sxm", "nobody", "gtt", "h100-sxm"};
    char text[4096] = HEAD;
    rc_runs r = {0};
    rc_error err = {0};
    for (int i = 0; i < 4; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "c%d,tp,1,1,2048,0,1,16,1,16384,6656,2,graph,0,0,none,whole,-1,0.01,0.01,0.01,3,0."
                 "003,%s,g,,,,d,d,c,n,k,c\n",
                 i, machines[i]);
    assert_int_equal(parse(&r, text, &err), RC_OK);
    assert_int_equal(rc_runs_predict(&r, &(rc_predict_options){0}, &err), RC_OK);
    assert_int_equal(r.n, 4);
    assert_non_null(strstr(r.v[1].why, "nobody"));
    assert_true(isnan(r.v[1].time[RC_BY_SIMULATION]));
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            continue;
        assert_string_equal(r.v[i].why, "");
        for (int m = 0; m < RC_METHODS; m++)
            assert_true(r.v[i].time[m] > 0.0);
        assert_true(r.v[i].transferred == (i == 2 ? 1.0 : 0.0));
    }
    rc_runs_free(&r);
}

static void host_row(rc_rows *rows, const char *op, const char *variant, int64_t a,
                     double seconds) {
    rc_error err = {0};
    const rc_row r = {.machine = "m",
                      .gpu = "g",
                      .state = "burst",
                      .op = op,
                      .variant = variant,
                      .date = "",
                      .driver = "",
                      .cuda = "",
                      .nccl = "",
                      .kernel = "",
                      .commit = "",
                      .source = "",
                      .dtype = "",
                      .a = a,
                      .p50 = seconds};
    assert_int_equal(rc_rows_add(rows, &r, &err), RC_OK);
}

/* Two products and a norm, a message and its two ends in groups of calls: by hand. */
static void test_launches(void **state) {
    (void)state;
    rc_rows *rows = NULL;
    rc_error err = {0};
    rc_shape shapes[] = {{.kind = RC_T_LAUNCH, .part = RC_P_HOST},
                         {.kind = RC_T_GEMM, .part = RC_P_QKV},
                         {.kind = RC_T_ELEMENTWISE, .part = RC_P_NORM},
                         {.kind = RC_T_MESSAGE, .part = RC_P_SENDRECV, .ranks = 2},
                         {.kind = RC_T_COLLECTIVE, .part = RC_P_ALL2ALL, .ranks = 3},
                         {.kind = RC_T_GEMM, .part = RC_P_LM_HEAD}};
    rc_task tasks[11] = {{.shape = 0}};
    for (uint32_t i = 0; i < 5; i++) {
        tasks[i] = (rc_task){.shape = 0};
        tasks[5 + i] = (rc_task){.shape = i < 2 ? 1 : i};
    }
    tasks[10] = (rc_task){.shape = 5, .layer = 1}; /* behind the layers */
    const rc_program p = {.tasks = tasks, .task_count = 11, .shapes = shapes, .layers = 1};
    assert_int_equal(rc_rows_create(&rows, &err), RC_OK);
    assert_true(rc_mean_launch(rows, "m", &p, 4.0) == 4.0); /* no rows: all are plain */
    host_row(rows, "launch", "gemm", 1, 9.0);
    host_row(rows, "nccl_group", "", 2, 8.0);
    host_row(rows, "nccl_group", "", 8, 11.0);
    host_row(rows, "event", "", 1, 0.25);
    host_row(rows, "event", "wait", 1, 0.75);
    /* 9 + 9 + 4, a message of two calls 8 + 2, an all-to-all of eight 11 + 2 */
    assert_true(fabs(rc_mean_launch(rows, "m", &p, 4.0) - 45.0 / 5.0) < 1e-12);
    rc_rows_free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_adds_up),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_without),
        cmocka_unit_test(test_launches),
        cmocka_unit_test(test_runs_of_one_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
