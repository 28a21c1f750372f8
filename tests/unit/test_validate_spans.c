/* Measured runs and their forecasts in one timeline: each part as long as the run says, less what its
 * events took; the forecast's GPUs as they were simulated.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <unistd.h>
#include "sim/validate/explain_lines.h"
#include "sim/validate/explain_spans.h"
#include "tests/support/span_check.h"

static rc_error err;
static char path[] = "/tmp/test_validate_spans_XXXXXX";

static const char rows[] =
    "case,schedule,cp,tp,t,p,batch,hq,hkv,width,ffn,layers,launch,sms,ctas,transport,part,rank,"
    "p10_s,p50_s,p90_s,samples,check,machine,gpu,sm_mhz,power_w,temp_c,date,driver,cuda,nccl,"
    "kernel,commit\n"
#define ROW(part, rank, s)                                                                         \
    "ring,pass-kv,2,1,2048,0,1,16,1,16384,6656,2,graph,0,0,nvlink," part "," rank "," s "," s      \
    "," s ",3,0.003,h200-sxm,NVIDIA H200,,,,d,d,c,n,k,c\n"
    ROW("norm", "0", "1e-4") ROW("norm", "1", "3e-4") ROW("attention-alone-0", "0", "5e-4")
        ROW("attention-alone-1", "0", "6e-4") ROW("send-recv-alone-0", "0", "7e-4")
            ROW("attention", "0", "1.2e-3") ROW("whole", "-1", "0.02");

static void test_one_file(void **state) {
    (void)state;
    rc_runs r = {0};
    rc_span_args head = {.size = 0};
    rc_predict_options o = {.alone = true, .like = "ri*"};
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    assert_int_equal(rc_runs_parse(&r, "runs.csv", rows, strlen(rows), &err), RC_OK);
    assert_int_equal(rc_spans_open(path, true, &head, &o.spans, &err), RC_OK);
    assert_int_equal(rc_runs_predict(&r, &o, &err), RC_OK);
    assert_string_equal(r.v[0].why, "");
    rc_runs_part_spans(&r, "ri*", o.spans);
    rc_runs_part_spans(&r, "none", o.spans);
    assert_int_equal(rc_spans_close(o.spans, RC_OK, &err), RC_OK);

    json_t *root = spans_of(path);
    span_totals x = spans_check(root);
    assert_true(x.flows > 0); /* of the forecast's ring */
    json_t *measured = spans_sums(root, 0, false), *parts = spans_sums(root, 1, false);
    json_t *gpu = spans_sums(root, 2, false);
#define PS(sums, name) json_integer_value(json_object_get(sums, name))
    /* The mean of two ranks, less what the events around each span took. */
    int spans = rc_part_spans(&r.v[0], RC_P_NORM);
    assert_int_equal(PS(measured, "norm"), llround(1e12 * rc_without_events(2e-4, spans)));
    assert_int_equal(PS(measured, "whole pass"), 20000000000);
    assert_int_equal(PS(measured, "attention-alone-1"), llround(1e12 * rc_without_events(6e-4, 2)));
    assert_int_equal(PS(parts, "whole pass"), llround(1e12 * r.v[0].time[RC_BY_SIMULATION]));
    /* Of the forecast parts are the mean of what its GPUs did. */
    assert_true(llabs(PS(parts, "gate-up") - PS(gpu, "gate-up")) <= 1);
    int64_t both = PS(gpu, "attention") + spans_sum(root, 3, "attention");
    assert_true(llabs(2 * PS(parts, "attention") - both) <= 2);
    json_decref(measured);
    json_decref(parts);
    json_decref(gpu);
    json_decref(root);
    rc_runs_free(&r);
    (void)unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
