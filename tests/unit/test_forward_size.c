/* Passes whose ops would take too much memory are refused at once and in words, by the engine, by
 * the evaluator and for alternatives; what is just small enough is not.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>
#include <cmocka.h>
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

#include "sim/forward/internal.h"

static fake_pass f;
static rc_error err;

static int setup(void **state) {
    (void)state;
    memset(&err, 0, sizeof err);
    fake_one_prompt(126, 16, 4, 4096, 1000000, &f);
    return 0;
}

static double seconds_since(const struct timespec *t) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + 1e-9 * (double)(now.tv_nsec - t->tv_nsec);
}

static void has(const char *text) {
    if (!strstr(err.msg, text))
        fail_msg("'%s' is not in '%s'", text, err.msg);
}

/* Within a second, with nothing laid out. */
static void refused(rc_status got, const struct timespec *start, const char *text) {
    assert_int_equal(got, RC_E_SIZE);
    assert_int_equal(rc_exit_code(got), 2);
    has(text);
    has("of memory, and a pass may take 4.0 GiB; take fewer ranks or layers");
    assert_true(seconds_since(start) < 1.0);
}

/* By hand: a layer of 4096 ranks launched op by op has 4096 ring steps, 4096 attentions and 4095
 * messages a rank, with a launch to each of the latter two: 20478 tasks; and 11 other ops, two of
 * them all-reduces, with theirs. 126 of them, and a head of two ops with launches. */
static void test_far_too_many_ranks(void **state) {
    (void)state;
    static const char *const all[] = {"pass-kv", "pass-q", "all-gather-kv"};
    rc_forward out;
    struct timespec start;
    f.spec.what_if.overlap_compute = 0.5; /* which the engine alone can do */
    for (int i = 0; i < 3; i++) {
        (void)clock_gettime(CLOCK_MONOTONIC, &start);
        f.spec.schedule = rc_schedule_named(all[i]);
        refused(rc_forward_run(&f.spec, &out, &err), &start, "cp 4096 x tp 2, ");
        if (i == 0)
            has("126 layers are 10580.0 million ops");
    }
    rc_program_size z;
    f.spec.schedule = rc_schedule_named("pass-kv");
    rc_request rq = rc_spec_request(&f.spec, 4);
    assert_int_equal(rc_schedule_size(&rq, &z, &err), RC_OK);
    assert_int_equal(z.tasks, (4 * (20478 + 2 * 11) + 4) * 4096);
}

static void test_the_evaluator_as_well(void **state) {
    (void)state;
    struct timespec start;
    rc_forward_timing out;
    rc_forward whole;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    assert_non_null(ctx);
    f.spec.layout.cp = 16384;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    refused(rc_forward_time(ctx, &f.spec, &out, &err), &start, "million ops");
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    refused(rc_forward_run(&f.spec, &whole, &err), &start, "cp 16384 x tp 2, ");
    f.spec.layout.cp = 8;
    assert_int_equal(rc_forward_time(ctx, &f.spec, &out, &err), RC_OK);
    rc_forward_ctx_destroy(ctx);
}

/* 126 layers of 128 ring steps that take 9 ms each: a pass of 145 s, and one of 10 hours. What all
 * GPUs take together, 5 and 1,300 hours, is no bound of it. One of 30 years is the engine's, which
 * refuses it in words. */
static void test_long_passes_are_evaluated(void **state) {
    (void)state;
    const int64_t step[] = {INT64_C(9000000000), INT64_C(2300000000000)};
    rc_forward_timing out;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    assert_non_null(ctx);
    f.spec.layout.cp = 128;
    for (int i = 0; i < 2; i++) {
        f.costs.fixed[FAKE_ATTENTION] = step[i];
        rc_forward_ctx_forget(ctx);
        assert_int_equal(rc_forward_time(ctx, &f.spec, &out, &err), RC_OK);
        assert_int_equal(out.path, RC_PATH_REPLAY);
        assert_true(out.ticks >= 126 * 128 * step[i]);
    }
    f.costs.fixed[FAKE_ATTENTION] = INT64_C(60000000000000000);
    rc_forward_ctx_forget(ctx);
    assert_int_equal(rc_forward_time(ctx, &f.spec, &out, &err), RC_E_INPUT);
    has("range of time");
    rc_forward_ctx_destroy(ctx);
}

/* All GPUs of TP groups and all layers: 2 x 16 of them a rank. */
static void test_unfolded(void **state) {
    (void)state;
    rc_forward out;
    struct timespec start;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    f.spec.layout.tp = 16;
    f.spec.layout.cp = 1024;
    f.spec.unfold = true;
    refused(rc_forward_run(&f.spec, &out, &err), &start, "every GPU of a TP group simulated");
    has("or leave out --unfold");
}

static rc_program_size size_of(int cp, int layers, int64_t *bytes) {
    rc_program_size z;
    f.spec.layout.cp = cp;
    rc_request rq = rc_spec_request(&f.spec, layers);
    assert_int_equal(rc_schedule_size(&rq, &z, &err), RC_OK);
    *bytes = rc_engine_bytes(&z);
    return z;
}

/* Some 200 bytes an op; and 128 ranks through all layers are within the bound. */
static void test_what_is_within_the_bound(void **state) {
    (void)state;
    int64_t bytes;
    rc_program_size z = size_of(128, 126, &bytes);
    assert_true(bytes > 150 * z.tasks && bytes < 250 * z.tasks);
    assert_true(bytes < RC_PASS_BYTES);
    (void)size_of(256, 126, &bytes);
    assert_true(bytes > RC_PASS_BYTES);
}

/* What the estimate allows is as large as a program that is built. */
static void test_estimate_and_program(void **state) {
    (void)state;
    static const char *const all[] = {"pass-kv", "pass-q", "all-gather-kv"};
    for (int i = 0; i < 9; i++) {
        rc_program p;
        int64_t bytes;
        int cp = (int[]){3, 40, 96}[i / 3];
        f.spec.schedule = rc_schedule_named(all[i % 3]);
        rc_program_size z = size_of(cp, 5, &bytes);
        rc_request rq = rc_spec_request(&f.spec, 5);
        assert_int_equal(rc_build_program(&f.spec, &rq, &p, &err), RC_OK);
        assert_int_equal(z.tasks, p.task_count);
        assert_int_equal(z.deps, p.dep_count);
        rc_program_free(&p);
    }
}

static int64_t most_resident(void) {
    struct rusage u;
    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    return (int64_t)u.ru_maxrss * 1024;
}

/* A pass that is played takes the memory of what is laid out, not of all its layers. Four million
 * ops written out would be 800 MB and more. */
static void test_memory_goes_by_what_is_laid_out(void **state) {
    (void)state;
    int64_t bytes, before = most_resident();
    rc_forward out = {0};
    f.spec.unfold = true;
    rc_program_size z = size_of(32, 126, &bytes);
    assert_true(z.tasks > 1 << 20);
    assert_int_equal(rc_play(&f.spec, &out, &err), RC_OK);
    assert_int_equal(out.ops, z.tasks);
    int64_t kept = 24 * z.tasks; /* results: there are few enough to keep them all */
    assert_true(most_resident() - before < kept + bytes / 8);
}

/* 1,024 GPUs are laid out: two layers of them. */
static void test_many_gpus_are_within_the_bound(void **state) {
    (void)state;
    rc_program p;
    bool all = true;
    f.spec.layout.cp = 128;
    f.spec.layout.tp = 8;
    f.spec.unfold = true;
    assert_int_equal(rc_build_repeats(&f.spec, 2, &p, &all, &err), RC_OK);
    assert_false(all);
    assert_int_equal(p.layers, 2);
    rc_program_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_far_too_many_ranks, setup),
        cmocka_unit_test_setup(test_the_evaluator_as_well, setup),
        cmocka_unit_test_setup(test_long_passes_are_evaluated, setup),
        cmocka_unit_test_setup(test_unfolded, setup),
        cmocka_unit_test_setup(test_what_is_within_the_bound, setup),
        cmocka_unit_test_setup(test_estimate_and_program, setup),
        cmocka_unit_test_setup(test_memory_goes_by_what_is_laid_out, setup),
        cmocka_unit_test_setup(test_many_gpus_are_within_the_bound, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
