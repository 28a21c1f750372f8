/* The timeline of a measured ring, over events whose times are known: two layers of two ranks, parts on
 * two streams, a reading that overlaps by what events round to. No GPU is needed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <unistd.h>

#include "calib/ring/ring_spans.h"
#include "calib/ring/ring_timing.h"
#include "tests/support/span_check.h"

/* ---- what is played: an event is the number of microseconds at which it was reached ------------- */

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) {
    *ms = (float)(1e-3 * ((double)(uintptr_t)to - (double)(uintptr_t)from));
    return cudaSuccess;
}

rc_status rc_cuda_fail(rc_error *e, cudaError_t code, const char *call, const char *file,
                       int line) {
    return rc_fail_at(e, RC_E_INTERNAL, file, line, 0, "%s: %d", call, (int)code);
}

static rc_status agreed = RC_OK;

rc_status rc_group_agree(const rc_group *g, rc_status st, rc_error *err) {
    (void)g;
    if (agreed != RC_OK)
        return rc_fail(err, agreed, "another rank failed");
    return st;
}

rc_status rc_group_max(const rc_group *g, double *value, rc_error *err) {
    (void)g, (void)value, (void)err;
    return RC_OK;
}

/* Both ranks did the same at the same time. */
rc_status rc_group_gather(const rc_group *g, double value, double *all, rc_error *err) {
    (void)err;
    for (int r = 0; r < g->size; r++)
        all[r] = value;
    return RC_OK;
}

const char *rc_ring_part_name(rc_ring_part p) {
    static const char *const names[] = {
        "norm",    "qkv",    "rotary", "attention", "merge",   "out",       "all-reduce",
        "gate-up", "swiglu", "down",   "send-recv", "all2all", "all-gather"};
    return names[p];
}

static int passes;

rc_status rc_ring_profile_once(rc_ring_layers *b, rc_error *err) {
    (void)b, (void)err;
    passes++;
    return RC_OK;
}

/* ---- a pass ---------------------------------------------------------------------------------- */

static rc_error err;
static rc_group group = {.rank = 0, .size = 2};
static rc_ring_ranks ranks = {.procs = &group, .cp = 2, .tp = 1, .local = 1};
static rc_ring_span spans[16];

static void part(rc_ring_layers *b, rc_ring_part p, int step, uintptr_t from, uintptr_t to) {
    spans[b->span_count++] = (rc_ring_span){
        .part = p, .step = step, .start = (cudaEvent_t)from, .stop = (cudaEvent_t)to};
}

static rc_ring_layers two_layers(void) {
    rc_ring_layers b = {.ranks = &ranks, .spans = spans};
    b.c = (rc_ring_case){
        .name = "a-case", .cp = 2, .tp = 8, .t = 2048, .p = 64, .batch = 3, .layers = 2};
    for (uintptr_t at = 1000; at < 3000; at += 1000) {
        part(&b, RC_RING_NORM, 0, at, at + 10);
        part(&b, RC_RING_SENDRECV, 0, at + 20, at + 60);
        part(&b, RC_RING_ATTENTION, 0, at + 20, at + 120);
        part(&b, RC_RING_ATTENTION, 1, at + 119, at + 200); /* read half a tick too early */
        part(&b, RC_RING_NORM, 0, at + 210, at + 220);
    }
    return b;
}

/* CUDA reads events as single precision. */
static void about(int64_t ps, int64_t us) {
    assert_true(llabs(ps - 1000000 * us) < 1000);
}

static void test_file(void **state) {
    (void)state;
    char folder[] = "/tmp/test_ring_spans_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a-case.json", folder);
    rc_ring_layers b = two_layers();
    assert_int_equal(rc_ring_trace(&b, folder, "h100-sxm", 1.25e-3, &err), RC_OK);
    assert_int_equal(passes, 1);
    json_t *root = spans_of(path), *head = json_object_get(root, "ringcast");
    span_totals x = spans_check(root);
    assert_int_equal(x.spans, 2 * 10);
    about(1000 * x.end, 1220);
    json_t *whole = json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:I}", "kind", "ring",
                              "scenario", "a-case", "machine", "h100-sxm", "variant", "pass-kv",
                              "phase", "prefill", "tp", 8, "cp", 2, "layers", 2, "sequences", 3,
                              "T", 2048, "P", 64, "time_ps", (json_int_t)1250000000);
    assert_true(json_equal(head, whole));
    json_decref(whole);
    about(spans_sum(root, 1, "send-recv"), 2 * 40);
    about(spans_sum(root, 0, "attention"), 2 * (100 + 80)); /* one begins where the other ends */
    /* The second layer begins with the third norm; a message goes to the next rank. */
    const json_t *e;
    size_t i, of[2] = {0, 0}, sent = 0;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e) {
        const json_t *args = json_object_get(e, "args");
        if (span_string(e, "ph")[0] != 'X')
            continue;
        of[span_int(args, "layer")]++;
        if (strcmp(span_string(e, "name"), "send-recv") == 0) {
            assert_int_equal(span_int(args, "to"), 1 - span_int(e, "pid"));
            sent++;
        }
    }
    assert_true(of[0] == 10 && of[1] == 10 && sent == 4);
    json_decref(root);
    (void)unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

/* A rank that is not the first tells what it has and writes nothing. */
static void test_other_ranks(void **state) {
    (void)state;
    rc_ring_layers b = two_layers();
    assert_int_equal(rc_ring_spans(&b, NULL, &err), RC_OK);
}

/* Where another rank has failed there is no file. */
static void test_failure(void **state) {
    (void)state;
    char folder[] = "/tmp/test_ring_spans_XXXXXX";
    assert_non_null(mkdtemp(folder));
    rc_ring_layers b = two_layers();
    agreed = RC_E_INTERNAL;
    assert_int_equal(rc_ring_trace(&b, folder, "h100-sxm", 1e-3, &err), RC_E_INTERNAL);
    agreed = RC_OK;
    assert_int_equal(rmdir(folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_other_ranks),
        cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
