/* Turns that keep a part of what went before: by hand, at the limits, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/serve.h"

#define MS ((rc_time)1000000000)

static rc_serve_result result, other;

/* One session of three turns, each of 100 tokens more and a reply of 50, in blocks of ten. */
static rc_served *run_with(const char *history, const char *synthetic) {
    char text[1024];
    rc_error err = {0};
    rc_served *rows = NULL;
    (void)snprintf(text, sizeof text,
                   SERVE_HEAD
                   "pools: [{name: one, tp: 8}]\nkv: {tokens: 10000}\n%s"
                   "synthetic: {requests: 1, rate: 1, block: 10, "
                   "turns: {kind: constant, mean: 3}, input: {kind: constant, mean: 100}, "
                   "output: {kind: constant, mean: 50}%s}\n"
                   "costs: {prefill_token: 1ms, decode: 10ms}\n",
                   history, synthetic);
    const rc_serve_options o = {.seed = 1};
    if (serve_text(text, o, &result, &rows, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return rows;
}

static rc_served *run(const char *history) {
    return run_with(history, "");
}

/* A turn: tokens of its prompt, those found, and ms from its arrival to its first token and its end. */
static void check(const rc_served *r, uint32_t input, uint32_t cached, rc_time first, rc_time end) {
    assert_int_equal(r->input, input);
    assert_int_equal(r->cached, cached);
    assert_int_equal(r->first - r->arrived, first * MS);
    assert_int_equal(r->end - r->arrived, end * MS);
}

/* 100, then 100 + 50 + 100, then 250 + 50 + 100, of which all full blocks of what was computed are found. */
static void test_all_of_it(void **state) {
    (void)state;
    rc_served *r = run("");
    check(&r[0], 100, 0, 100, 590);
    check(&r[1], 250, 140, 110, 600);
    check(&r[2], 400, 290, 110, 600);
    free(r);
    other = result;
    r = run("history: {share: 1}\n");
    assert_true(result.hash == other.hash && result.kv_hit_tokens == other.kv_hit_tokens);
    free(r);
}

/* Half of 150 are 75: a prompt of 175, of which seven blocks are found. Half of those 175 and 50 are 113, rounded up:
 * 213, of which eleven blocks are. */
static void test_half_as_keys(void **state) {
    (void)state;
    rc_served *r = run("history: {share: 0.5}\n");
    check(&r[0], 100, 0, 100, 590);
    check(&r[1], 175, 70, 105, 595);
    check(&r[2], 213, 110, 103, 593);
    free(r);
}

/* The same as text: nothing is found, and a summary of 20 tokens is made behind each reply but the last. */
static void test_half_as_text(void **state) {
    (void)state;
    rc_served *r = run("history: {share: 0.5, kept: new, summary: 20}\n");
    check(&r[0], 100, 0, 100, 790);
    check(&r[1], 175, 0, 175, 865);
    check(&r[2], 213, 0, 213, 703);
    assert_int_equal(r[0].output, 70);
    assert_int_equal(r[2].output, 50);
    free(r);
}

/* Nothing is kept: every turn is its own 100 tokens. All is kept, and computed again. */
static void test_ends(void **state) {
    (void)state;
    rc_served *r = run("history: {share: 0}\n");
    for (int i = 0; i < 3; i++)
        check(&r[i], 100, 0, 100, 590);
    free(r);
    r = run("history: {share: 1, kept: new}\n");
    check(&r[1], 250, 0, 250, 740);
    check(&r[2], 400, 0, 400, 890);
    free(r);
}

/* The first three blocks are of the group, and the next six the session's: 90 of 180 are kept. */
static void test_runs_of_blocks(void **state) {
    (void)state;
    rc_served *r = run_with("history: {share: 0.5}\n", ", shared_prefix: 30");
    check(&r[0], 130, 0, 130, 620);
    check(&r[1], 190, 90, 100, 590);
    free(r);
}

/* Two turns of one session whose blocks of ten are as given: what the second one has with its whole history, and how many of
 * its blocks are the first one's. */
typedef struct turns {
    uint32_t input[2], output, named[2],
        common; /* common: leading blocks that both have in the trace */
} turns;

static void second_turn(const turns *w, uint32_t input, uint32_t kept_blocks, uint32_t blocks) {
    const rc_kept_history all = {.share = 1.0}, none = {.share = 0.0};
    for (int i = 0; i < 2; i++) {
        rc_error err = {0};
        rc_trace *t = calloc(1, sizeof *t);
        if (!t)
            fail();
        *t = (rc_trace){.count = 2, .block = 10, .sessions = 1, .blocks = 1000, .span_count = 3};
        t->at = calloc(2, sizeof *t->at);
        t->spans = calloc(3, sizeof *t->spans);
        if (!t->at || !t->spans)
            fail();
        t->at[0] = (rc_req){.after = RC_NO_REQUEST,
                            .input = w->input[0],
                            .output = w->output,
                            .spans = w->named[0] > 0,
                            .named = w->named[0]};
        t->at[1] = (rc_req){.after = 0,
                            .input = w->input[1],
                            .output = 1,
                            .span = 1,
                            .spans = 2,
                            .named = w->named[1]};
        t->spans[0] = (rc_span){0, w->named[0]};
        t->spans[1] = (rc_span){0, w->common};
        t->spans[2] = (rc_span){500, w->named[1] - w->common};
        assert_int_equal(rc_trace_keep_history(t, i == 0 ? &all : &none, &err), RC_OK);
        const rc_req *q = &t->at[1];
        if (i == 1) {
            assert_int_equal(q->input, input);
        } else {
            assert_int_equal(q->input, w->input[1]);
            assert_int_equal(q->named, blocks);
            assert_int_equal(t->spans[q->span].first, kept_blocks > 0 ? 0 : 1000);
            assert_int_equal(t->spans[q->span].count, kept_blocks > 0 ? kept_blocks : blocks);
        }
        rc_trace_free(t);
    }
}

/* A reply is in the cache but for its last token: after 95 and 5 tokens nine blocks are full, of which the prompt's last one
 * has a name; after 95 and 6, ten are. What a turn of 200 has beyond its history of 100 or 101 is its own. */
static void test_full_blocks(void **state) {
    (void)state;
    second_turn(&(turns){{95, 200}, 5, {10, 20}, 10}, 100, 9, 20);
    second_turn(&(turns){{95, 200}, 6, {10, 20}, 10}, 99, 10, 20);
    second_turn(&(turns){{95, 200}, 16, {10, 20}, 10}, 89, 10, 20);
    second_turn(&(turns){{15, 200}, 1, {2, 20}, 2}, 184, 1, 20); /* one alone */
    second_turn(&(turns){{9, 200}, 1, {1, 20}, 1}, 190, 0, 20);  /* none */
}

/* Where a turn shares fewer blocks than the whole prompt before, its history is as long as those: five or eight of nine and a
 * half, but of nine all. Its prompt has one token more than its history at least. */
static void test_shared_in_part(void **state) {
    (void)state;
    second_turn(&(turns){{95, 200}, 5, {10, 20}, 5}, 150, 5, 20);
    second_turn(&(turns){{95, 200}, 5, {10, 20}, 8}, 120, 8, 20);
    second_turn(&(turns){{95, 200}, 5, {10, 20}, 9}, 100, 9, 20);
    second_turn(&(turns){{95, 60}, 5, {10, 6}, 6}, 1, 5, 6);
    second_turn(&(turns){{95, 61}, 5, {10, 6}, 6}, 1, 6, 6);
    second_turn(&(turns){{95, 99}, 6, {10, 10}, 10}, 1, 9, 9);
    second_turn(&(turns){{95, 102}, 6, {10, 10}, 10}, 1, 10, 10);
}

static void test_refused(void **state) {
    (void)state;
    static const char *const loads[] = {
        "synthetic: {requests: 2, rate: 1}\n",
        "concurrency: 2\nsynthetic: {requests: 2, turns: {kind: constant, mean: 3}}\n"};
    for (int i = 0; i < 2; i++) {
        char text[512];
        rc_error err = {0};
        static rc_serve s;
        (void)snprintf(text, sizeof text,
                       SERVE_HEAD "pools: [{name: one, tp: 8}]\nhistory: {share: 0.5}\n%s",
                       loads[i]);
        assert_int_equal(serve_parse(text, &s, &err), RC_E_INPUT);
        assert_non_null(strstr(err.msg, "it is of later turns of sessions, and there are none"));
    }
    rc_trace *t = NULL;
    rc_error err = {0};
    const char rows[] = "arrived_at,num_prefill_tokens,num_decode_tokens\n0,10,5\n";
    const rc_kept_history half = {.share = 0.5};
    assert_int_equal(rc_trace_parse("t.csv", rows, sizeof rows - 1, NULL, &t, &err), RC_OK);
    assert_int_equal(rc_trace_keep_history(t, &half, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "the trace has no sessions"));
    rc_trace_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),      cmocka_unit_test(test_half_as_keys),
        cmocka_unit_test(test_half_as_text),   cmocka_unit_test(test_ends),
        cmocka_unit_test(test_runs_of_blocks), cmocka_unit_test(test_full_blocks),
        cmocka_unit_test(test_shared_in_part), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
