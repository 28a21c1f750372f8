/* Turns of sessions: what each waits for, what it holds of the turns before, and which of its
 * blocks others can share, in the three formats that have sessions.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tests/support/kv_check.h"

#define S INT64_C(1000000000000)

static rc_trace *parsed(const char *text) {
    rc_trace *t = NULL;
    rc_error e = {0};
    if (rc_trace_parse("t", text, strlen(text), NULL, &t, &e) != RC_OK)
        fail_msg("%d:%d: %s", e.line, e.col, e.msg);
    return t;
}

static uint32_t block_of(const rc_trace *t, uint32_t request, uint32_t index) {
    const rc_req *q = &t->at[request];
    for (uint32_t s = 0; s < q->spans; s++) {
        if (index < t->spans[q->span + s].count)
            return t->spans[q->span + s].first + index;
        index -= t->spans[q->span + s].count;
    }
    fail_msg("request %u has no such block", request);
    return 0;
}

/* Leading blocks that two requests share. */
static uint32_t shared(const rc_trace *t, uint32_t a, uint32_t b) {
    uint32_t n = 0;
    while (n < t->at[a].named && n < t->at[b].named && block_of(t, a, n) == block_of(t, b, n))
        n++;
    return n;
}

static const char aiperf[] =
    "{\"session_id\":\"x\",\"timestamp\":0,\"input_length\":1100,\"output_length\":10,"
    "\"hash_ids\":[1,2,900]}\n"
    "{\"session_id\":\"y\",\"timestamp\":500,\"input_length\":1500,\"output_length\":10,"
    "\"hash_ids\":[1,2,40]}\n"
    "{\"session_id\":\"x\",\"delay\":2500,\"input_length\":500,\"output_length\":600,"
    "\"hash_ids\":[77]}\n"
    "{\"session_id\":\"x\",\"delay\":null,\"timestamp\":9000,\"input_length\":8,\"output_length\":"
    "1}\n";

static void aiperf_turns(void **state) {
    (void)state;
    rc_trace *t = parsed(aiperf);
    assert_int_equal(t->sessions, 2);
    const rc_req *q = t->at;
    assert_true(q[0].after == RC_NO_REQUEST && q[0].child == 2 && q[0].sibling == RC_NO_REQUEST);
    assert_true(q[1].arrival == S / 2 && q[1].child == RC_NO_REQUEST);
    assert_true(q[2].after == 0 && q[2].think == 5 * S / 2 && q[2].arrival == RC_NO_ARRIVAL);
    assert_int_equal(q[2].input, 1100 + 10 + 500); /* history, reply, what is new */
    assert_int_equal(q[3].input, 1610 + 600 + 8);
    assert_true(q[3].after == RC_NO_REQUEST && q[3].arrival == 9 * S); /* by the clock */
    assert_true(q[2].turn == 1 && q[3].turn == 2);
    assert_int_equal(shared(t, 0, 1), 2); /* the ids of first turns mean something to others */
    assert_int_equal(shared(t, 0, 2), 2); /* whole blocks of 1,100 tokens */
    assert_int_equal(q[2].named, (1610 + 600 - 1) / 512);
    assert_int_equal(shared(t, 2, 3), q[2].named); /* reply and all */
    assert_int_equal(shared(t, 1, 2), 2);
    rc_trace_free(t);
}

static const char lab[] =
    "session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms\n"
    "a,1000,0,128,640,100,1500\n"
    "b,2000,0,192,64,10,0\n"
    "a,4000,1,867,64,10,250\n" /* all of the 768 + 100 but the last */
    "a,6000,2,300,1000,30,0\n" /* most of its past is forgotten */
    "a,7000,3,1329,10,5,0\n";

static void tracelab_rounds(void **state) {
    (void)state;
    rc_trace *t = parsed(lab);
    rc_trace_stats stats;
    uint32_t p[5];
    const rc_req *q = t->at;
    assert_true(q[0].arrival == 0 && q[1].arrival == S && q[0].child == 2 && q[2].child == 3);
    assert_true(q[2].after == 0 && q[2].think == 3 * S / 2 && q[3].think == S / 4);
    assert_int_equal(q[0].input, 768);
    assert_int_equal(rc_trace_statistics(t, p, &stats, NULL), RC_OK);
    static const uint32_t given[] = {128, 192, 867, 300, 1329};
    assert_memory_equal(p, given, sizeof given);
    assert_int_equal(shared(t, 0, 1), 128 / 64); /* what first rounds share */
    assert_int_equal(shared(t, 0, 2), 867 / 64);
    assert_int_equal(shared(t, 2, 3), 300 / 64);
    assert_int_equal(shared(t, 3, 4), 1329 / 64); /* what came after the cut is kept, too */
    assert_int_equal(q[4].named, (1339 + 5 - 1) / 64);
    rc_trace_free(t);
}

/* Through a cache that holds all, one after the other: P is the file's, to the token. */
static void tracelab_through_a_cache(void **state) {
    (void)state;
    rc_trace *t = parsed(lab);
    rc_kv *kv = NULL;
    const rc_kv_config c = {.block = 64, .capacity = 1000, .requests = 1, .policy = RC_KV_LRU};
    static const uint32_t expected[] = {0, 128, 867, 300, 1329}; /* none before the first */
    assert_int_equal(rc_kv_create(&c, &kv, NULL), RC_OK);
    for (uint32_t i = 0; i < 5; i++) {
        const rc_req *q = &t->at[i];
        rc_kv_lease held;
        rc_kv_match m;
        assert_true(rc_kv_admit(kv, t, q, q->input, &held, &m));
        assert_int_equal(m.tokens, expected[i]);
        assert_true(rc_kv_grow(kv, held, (uint64_t)q->input + q->output - 1));
        rc_kv_filled(kv, held, (uint64_t)q->input + q->output - 1);
        rc_kv_release(kv, held, false);
        assert_int_equal(kv_verify(kv, NULL), RC_OK);
    }
    rc_kv_destroy(kv);
    rc_trace_free(t);
}

#define ROW(id, ctx, t, in, out, api, think, ranges)                                               \
    "{\"id\":\"" id "\",\"ctx\":\"" ctx "\",\"t\":" #t ",\"in\":" #in ",\"out\":" #out             \
    ",\"api_time\":" #api ",\"think_time\":" #think ",\"hash_ranges\":" ranges "}\n"

static void sub_agents(void **state) {
    (void)state;
    rc_trace *t =
        parsed(ROW("s", "s", 0, 130, 5, 10, 0, "[[1,2]]") ROW("u", "u", 0, 130, 5, 10, 0, "[[1,2]]")
                   ROW("s", "s/1", 14.5, 70, 5, 1, 0, "[[7,1]]")
                       ROW("s", "s/1", 18, 140, 5, 1, 2, "[[7,1],[5,1]]")
                           ROW("s", "s", 30, 200, 0, null, 20, "[[1,3]]")
                               ROW("s", "s", 44, 300, 5, 1, null, "[[1,4]]")
                                   ROW("u", "1", 50, 70, 5, 1, 0, "[[9,1]]"));
    const rc_req *q = t->at;
    assert_int_equal(t->sessions, 2);
    assert_true(q[2].after == 0 && q[2].think == 9 * S / 2); /* 14.5 - (0 + 10) */
    assert_true(q[3].after == 2 && q[3].think == 2 * S);
    assert_true(q[4].after == 0 && q[4].think == 20 * S);
    assert_true(q[5].after == 4 && q[5].think == 14 * S); /* by the clock: 44 - 30 */
    assert_true(q[6].after == 1 && q[6].think == 40 * S);
    assert_true(q[0].child == 2 && q[2].sibling == 4 && q[4].sibling == RC_NO_REQUEST);
    assert_int_equal(t->derived, 3);
    assert_int_equal(t->raised, 1);
    assert_int_equal(q[4].output, 1);
    assert_int_equal(shared(t, 0, 4), 2);
    assert_int_equal(shared(t, 0, 1), 0); /* block numbers are local to a session */
    assert_true(q[0].arrival == RC_NO_ARRIVAL && q[5].arrival == RC_NO_ARRIVAL);
    rc_trace_free(t);
}

/* A session whose every row is left out has no number; those behind it move up. */
static void empty_sessions(void **state) {
    (void)state;
    const char *text = "session_id,arrival_time,round_idx,prefix_len,input_len,output_len,"
                       "tool_wait_after_ms\na,0,5,0,9,5,0\nb,0,0,0,9,5,0\nc,1,0,0,9,5,0\n"
                       "b,2,1,0,9,5,0\n";
    const rc_trace_options skip = {.on_bad_row = RC_BAD_ROW_SKIP};
    rc_trace *t = NULL;
    assert_int_equal(rc_trace_parse("t", text, strlen(text), &skip, &t, NULL), RC_OK);
    assert_int_equal(t->faults[RC_FAULT_IDS], 1);
    assert_int_equal(t->sessions, 2);
    assert_true(t->at[0].session == 0 && t->at[1].session == 1 && t->at[2].session == 0);
    assert_true(t->at[2].after == 0 && t->at[2].turn == 1);
    rc_trace_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aiperf_turns), cmocka_unit_test(tracelab_rounds),
        cmocka_unit_test(tracelab_through_a_cache), cmocka_unit_test(sub_agents),
        cmocka_unit_test(empty_sessions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
