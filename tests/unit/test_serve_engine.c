/* What engines differ in: when prompts are taken up and what they need to be let in, graphs of fixed
 * sizes, a host beside the GPU, several tokens a step; and profiles, which only fill in what a scenario
 * leaves out. Times are linear costs, worked out by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>
#include "sim/schedule/pass_memory.h"
#include "tests/support/serve.h"

#define MS INT64_C(1000000000) /* picoseconds */
#define POOL "pools: [{name: all, tp: 1}]\n"
/* `n` requests of `in` and `out` tokens, one each `gap` of a second */
#define LOAD(n, rate, in, out)                                                                     \
    "synthetic: {requests: " n ", process: even, rate: " rate                                      \
    ", input: {kind: constant, mean: " in "}, output: {kind: constant, mean: " out "}}\n"
#define STEPS "costs: {prefill_token: 1ms, decode: 10ms}\n"

static rc_serve_result result;

static rc_served *run(const char *text) {
    rc_error err = {0};
    rc_served *rows = NULL;
    const rc_serve_options o = {.seed = 1};
    if (serve_text(text, o, &result, &rows, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return rows;
}

static rc_time took(const rc_served *r) {
    return r->first - r->arrived;
}

/* A prompt of 8,000 tokens beside one sequence that decodes: a step of half as much again adds 5 ms
 * to the pass, not half of the pass. */
static void test_speculation_beside_a_prompt(void **state) {
    (void)state;
#define SPEC "speculative: {tokens: [0, 1], step_cost: 1.5}\n"
    rc_served *rows =
        run(SERVE_HEAD POOL "scheduler: {policy: chunked, budget: 10000}\n"
                            "kv: {tokens: 100000}\n" STEPS SPEC LOAD("2", "0.125", "8000", "400"));
    /* the first decodes from 8.000 s on in steps of 15 ms; the second arrives at 8 s and starts with
     * the step that begins then or next */
    rc_time alone = took(&rows[0]), beside = took(&rows[1]);
    assert_int_equal(alone, 8000 * MS);
    assert_in_range(beside, 8015 * MS, 8030 * MS);
    free(rows);
}

/* Two tokens a step of 10 ms are 5 ms a token, in the gaps as in the mean of a request. */
static void test_gaps_are_of_tokens(void **state) {
    (void)state;
    rc_served *rows =
        run(SERVE_HEAD POOL "kv: {tokens: 100000}\n" STEPS
                            "speculative: {tokens: [0, 1]}\n" LOAD("1", "1", "10", "201"));
    assert_int_equal(rows[0].end - rows[0].first, 1000 * MS);
    assert_true(rc_hist_mean(&result.gap) == 5e9);
    assert_true(rc_hist_mean(&result.ttit) == 5e9);
    free(rows);
}

/* The first sequence of a batch gets KV for its tokens as every other does: at its end it holds all four
 * blocks, and a request that came meanwhile is let in behind it. */
static void test_first_sequence_grows(void **state) {
    (void)state;
    rc_served *rows =
        run(SERVE_HEAD POOL "kv: {tokens: 64, block: 16}\n" STEPS
                            "speculative: {tokens: [0, 1]}\n" LOAD("2", "5", "16", "48"));
    assert_true(rows[1].arrived < rows[0].end);
    assert_true(rows[1].started >= rows[0].end);
    free(rows);
}

/* Draft tokens count: of a budget of 10 three a step leave 7 for a prompt. */
static void test_drafts_count_in_the_budget(void **state) {
    (void)state;
    rc_served *rows =
        run(SERVE_HEAD POOL "scheduler: {policy: chunked, budget: 10}\n"
                            "kv: {tokens: 10000}\n" STEPS
                            "speculative: {tokens: [0, 0, 1]}\n" LOAD("2", "100", "10", "400"));
    /* the first prompt takes 10 ms; the second arrives then: 7 tokens, then 3, each with a step */
    assert_int_equal(took(&rows[1]), (7 + 10) * MS + (3 + 10) * MS);
    free(rows);
}

/* Whole prompts wait for a pass with room for them; pieces do not. */
static void test_inflight_takes_whole_prompts(void **state) {
    (void)state;
#define THREE "kv: {tokens: 10000}\n" STEPS LOAD("3", "100000", "60", "40")
    rc_served *rows = run(SERVE_HEAD POOL "scheduler: {policy: inflight, budget: 100}\n" THREE);
    assert_true(rows[1].first > rows[0].first); /* 60 + 60 > 100 */
    assert_int_equal(rows[1].first - rows[0].first, 70 * MS);
    free(rows);
    rows = run(SERVE_HEAD POOL "scheduler: {policy: chunked, budget: 100}\n" THREE);
    assert_int_equal(rows[1].first, rows[0].first + (60 + 39 + 10) * MS);
    free(rows);
}

/* A place for the whole reply: nobody is ever preempted, and fewer are in at a time. */
static void test_admission(void **state) {
    (void)state;
#define FULL                                                                                       \
    "kv: {tokens: 1024, block: 16, policy: \"off\"}\n" STEPS LOAD("12", "1000", "100", "200")
    rc_served *rows = run(SERVE_HEAD POOL "scheduler: {policy: inflight, admission: reply}\n" FULL);
    assert_int_equal(result.preempted, 0);
    assert_int_equal(result.done, 12);
    free(rows);
    rows = run(SERVE_HEAD POOL "scheduler: {policy: chunked, admission: prompt}\n" FULL);
    assert_true(result.preempted > 0);
    assert_int_equal(result.done, 12);
    free(rows);
    rows = run(SERVE_HEAD POOL "scheduler: {policy: chunked, admission: chunk, budget: 64}\n" FULL);
    assert_true(result.preempted > 0);
    assert_int_equal(result.done, 12);
    free(rows);
}

/* So many that decode run as the next graph that there is, of no more than max_batch, and as they are where all graphs are
 * smaller. */
static void test_graphs(void **state) {
    (void)state;
    static const struct {
        const char *graphs;
        int max_batch, as[6]; /* of 1, 2, ... sequences */
    } t[] = {{"[1, 2, 4]", 8, {1, 2, 4, 4, 5, 6}}, {"[1, 2, 4]", 3, {1, 2, 3}},
             {"[2, 5]", 8, {2, 2, 5, 5, 5, 6}},    {"[3]", 8, {3, 3, 3, 4, 5, 6}},
             {"[4, 6]", 5, {4, 4, 4, 4, 5}},       {"[6]", 8, {6, 6, 6, 6, 6, 6}}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        for (int n = 1; n <= 6 && t[i].as[n - 1] > 0; n++) {
            char text[1024];
            (void)snprintf(
                text, sizeof text,
                SERVE_HEAD POOL
                "scheduler: {graphs: %s, max_batch: %d}\nkv: {tokens: 10000}\n"
                "costs: {prefill: 1ms, decode_sequence: 10ms}\n" LOAD("%d", "1000000", "10", "2"),
                t[i].graphs, t[i].max_batch, n);
            rc_served *rows = run(text);
            if (rows[n - 1].end - rows[n - 1].first != t[i].as[n - 1] * 10 * MS)
                fail_msg("%s: %d as %g", t[i].graphs, n,
                         (double)(rows[n - 1].end - rows[n - 1].first) / (double)(10 * MS));
            free(rows);
        }
}

/* Beside the GPU the host shows where it takes longer; a sequence that ended is in one pass more. */
static void test_overlap(void **state) {
    (void)state;
#define HOST(overlap, step)                                                                        \
    SERVE_HEAD POOL "scheduler: {policy: chunked, overlap: " overlap ", step: " step               \
                    "}\nkv: {tokens: 10000}\n"                                                     \
                    "costs: {prefill: 10ms, decode_sequence: 10ms}\n"
    rc_served *rows = run(HOST("false", "4ms") LOAD("1", "1", "10", "3"));
    assert_int_equal(rows[0].end - rows[0].arrived, 3 * 14 * MS);
    free(rows);
    rows = run(HOST("true", "4ms") LOAD("1", "1", "10", "3"));
    assert_int_equal(rows[0].end - rows[0].arrived, 3 * 10 * MS);
    free(rows);
    rows = run(HOST("true", "15ms") LOAD("1", "1", "10", "3"));
    assert_int_equal(rows[0].end - rows[0].arrived, 3 * 15 * MS);
    free(rows);
    /* the second comes while the first makes its last token: its prompt's pass holds the first, too */
    rows = run(HOST("true", "0s") LOAD("2", "40", "10", "3"));
    assert_int_equal(rows[0].end - rows[0].arrived, 30 * MS);
    assert_int_equal(rows[1].first, rows[0].end + 20 * MS);
    free(rows);
}

static void test_profiles(void **state) {
    (void)state;
    rc_error err = {0};
    rc_serve *s = malloc(sizeof *s);
    assert_non_null(s);
    assert_int_equal(
        serve_parse(SERVE_HEAD "engine: trtllm\n" POOL LOAD("1", "1", "10", "10"), s, &err), RC_OK);
    assert_int_equal(s->sched, RC_SCHED_INFLIGHT);
    assert_int_equal(s->admission, RC_ADMIT_REPLY);
    assert_int_equal(s->graph_count, 15);
    assert_int_equal(s->kv_block, 32);
    assert_true(s->overlap && s->kv_of_free && !s->machine.nvls);
    assert_string_equal(s->machine.engine, "trtllm");
    /* what the scenario says stands */
    assert_int_equal(serve_parse(SERVE_HEAD
                                 "engine: trtllm\nscheduler: {policy: chunked}\n" POOL LOAD(
                                     "1", "1", "10", "10"),
                                 s, &err),
                     RC_OK);
    assert_int_equal(s->sched, RC_SCHED_CHUNKED);
    assert_int_equal(s->admission, RC_ADMIT_REPLY);
    assert_int_equal(
        serve_parse(SERVE_HEAD "engine: nobody\n" POOL LOAD("1", "1", "10", "10"), s, &err),
        RC_E_IO);
    assert_non_null(strstr(err.msg, "trtllm"));
    free(s);
}

/* A profile of one's own by its path, which the machine is told as well: there is room for 136 bytes of it. */
static void test_path_of_a_profile(void **state) {
    enum { ROOM = 136 };
    char dir[] = "/tmp/ringcast-engine-XXXXXX";
    rc_serve *s = malloc(sizeof *s);
    (void)state;
    assert_non_null(s);
    assert_non_null(mkdtemp(dir));
    for (size_t length = ROOM; length <= ROOM + 1; length++) {
        char path[ROOM + 2], text[512];
        rc_error err = {0};
        memset(path, 'e', sizeof path);
        memcpy(path, dir, sizeof dir - 1);
        path[sizeof dir - 1] = '/';
        memcpy(path + length - 5, ".yaml", 6);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        if (f) {
            (void)fputs("description: one of its own\nserving:\n  scheduler: {policy: inflight}\n",
                        f);
            (void)fclose(f);
        }
        (void)snprintf(text, sizeof text, SERVE_HEAD "engine: %s\n" POOL LOAD("1", "1", "10", "10"),
                       path);
        const rc_status st = serve_parse(text, s, &err);
        (void)unlink(path);
        if (length == ROOM && (st != RC_OK || s->sched != RC_SCHED_INFLIGHT))
            fail_msg("%s", err.msg);
        if (length > ROOM && (st != RC_E_INPUT || !strstr(err.msg, "the name is too long")))
            fail_msg("status %d: %s", (int)st, err.msg);
    }
    (void)rmdir(dir);
    free(s);
}

/* The largest pass that was made beside a cache that is full fits the memory, whatever the policy. */
static void test_passes_fit(void **state) {
    (void)state;
    static const char *const schedulers[] = {
        "{budget: 0, fuse: 16}",          "{budget: 40000, fuse: 16}",
        "{budget: 8192, fuse: 1}",        "{policy: chunked, budget: 60000, fuse: 32}",
        "{policy: chunked, budget: 512}", "{policy: inflight, budget: 2048}"};
    for (size_t i = 0; i < sizeof schedulers / sizeof schedulers[0]; i++) {
        char text[1024];
        rc_error err = {0};
        rc_memory mem;
        rc_serve *s = malloc(sizeof *s);
        assert_non_null(s);
        (void)snprintf(text, sizeof text,
                       SERVE_HEAD POOL "scheduler: %s\n" STEPS LOAD("40", "1000", "9000", "3"),
                       schedulers[i]);
        assert_int_equal(serve_parse(text, s, &err), RC_OK);
        free(run(text));
        int64_t largest = (int64_t)rc_hist_quantile(&result.pass_tokens, 1.0);
        rc_layout l = s->layout;
        l.tp = l.cp = l.dcp = 1;
        int64_t kv = (int64_t)result.pools[0].kv_tokens;
        assert_true(largest > 0 && largest < kv);
        assert_int_equal(rc_pass_memory(rc_schedule_usual(RC_PREFILL, 1), &s->model, &l, largest,
                                        kv - largest, 1, rc_machine_usable(&s->machine), &mem,
                                        &err),
                         RC_OK);
        if (rc_memory_check(&mem, &s->model, &l, &err) != RC_OK)
            fail_msg("%s: %s", schedulers[i], err.msg);
        free(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_speculation_beside_a_prompt),
        cmocka_unit_test(test_gaps_are_of_tokens),
        cmocka_unit_test(test_first_sequence_grows),
        cmocka_unit_test(test_drafts_count_in_the_budget),
        cmocka_unit_test(test_inflight_takes_whole_prompts),
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_graphs),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_path_of_a_profile),
        cmocka_unit_test(test_passes_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
