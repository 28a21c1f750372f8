/* A trace of two requests drawn anew, worked out by hand; what cannot be drawn; seeds of a scenario.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "sim/trace/workload.h"

#define S INT64_C(1000000000000)

/* A conversation of two turns at 0 and 6 s, and a request between them, at 4 s. */
static const char two[] =
    "{\"timestamp\":0,\"input_length\":512,\"output_length\":5,\"hash_ids\":[0]}\n"
    "{\"timestamp\":4000,\"input_length\":500,\"output_length\":7,\"hash_ids\":[1]}\n"
    "{\"timestamp\":6000,\"input_length\":1000,\"output_length\":6,\"hash_ids\":[0,2]}\n";

static rc_trace *parsed(const char *text) {
    rc_trace *t = NULL;
    rc_error e = {0};
    if (rc_trace_parse("t", text, strlen(text), NULL, &t, &e) != RC_OK)
        fail_msg("%d:%d: %s", e.line, e.col, e.msg);
    return t;
}

static uint32_t block(const rc_trace *t, uint32_t request, uint32_t index) {
    const rc_req *q = &t->at[request];
    for (uint32_t s = 0; s < q->spans; s++) {
        if (index < t->spans[q->span + s].count)
            return t->spans[q->span + s].first + index;
        index -= t->spans[q->span + s].count;
    }
    fail_msg("request %u has no such block", request);
    return 0;
}

/* A piece of each: of 4 s, and (the last) as long as the mean gap, 4 s as well. Whichever two come, 8 s are filled, and the
 * second turn is 6 s behind the first or, round the end, 2 s before it. It shares the first block with its own
 * first turn and with nobody else. */
static void test_two(void **state) {
    (void)state;
    int drawn[2][2] = {{0}};
    for (uint64_t seed = 0; seed < 64; seed++) {
        rc_trace *t = parsed(two);
        assert_int_equal(rc_trace_resample(t, seed, NULL), RC_OK);
        const rc_req *q = t->at;
        bool first = q[0].output == 5, other = t->count == 4 || (t->count == 3 && !first);
        drawn[first][other]++;
        if (t->count == 4) { /* the conversation twice: the second copy's later turn comes round */
            assert_true(q[0].arrival == 0 && q[1].arrival == 2 * S && q[2].arrival == 4 * S &&
                        q[3].arrival == 6 * S);
            assert_true(q[0].output == 5 && q[1].output == 6 && q[2].output == 5 &&
                        q[3].output == 6);
            assert_int_equal(block(t, 0, 0), block(t, 3, 0));
            assert_int_equal(block(t, 1, 0), block(t, 2, 0));
            assert_int_not_equal(block(t, 0, 0), block(t, 2, 0));
            assert_int_not_equal(block(t, 1, 1), block(t, 3, 1));
            assert_int_equal(t->blocks, 4);
        } else if (t->count == 3 && first) { /* as it was */
            assert_true(q[1].arrival == 4 * S && q[1].output == 7 && q[2].arrival == 6 * S);
            assert_int_equal(t->blocks, 3);
        } else if (t->count == 3) {
            assert_true(q[0].output == 7 && q[1].arrival == 2 * S && q[1].output == 6 &&
                        q[2].arrival == 4 * S && q[2].output == 5);
            assert_int_equal(block(t, 1, 0), block(t, 2, 0));
        } else {
            assert_true(t->count == 2 && q[1].arrival == 4 * S && q[1].output == 7);
            assert_int_not_equal(block(t, 0, 0), block(t, 1, 0));
        }
        rc_trace_free(t);
    }
    assert_true(drawn[0][0] > 4 && drawn[0][1] > 4 && drawn[1][0] > 4 && drawn[1][1] > 4);
}

/* A turn that comes when the reply before it is there is drawn with that reply: of each copy the own one. */
static void test_turns(void **state) {
    (void)state;
    bool twice = false, behind = false;
    for (uint64_t seed = 0; seed < 64; seed++) {
        rc_trace *t = parsed(two);
        t->sessions = 1;
        t->at[0].session = t->at[2].session = 0;
        t->at[2].after = 0;
        t->at[2].arrival = RC_NO_ARRIVAL;
        assert_int_equal(rc_trace_resample(t, seed, NULL), RC_OK);
        size_t turns = 0;
        for (size_t i = 0; i < t->count; i++) {
            const rc_req *q = &t->at[i];
            assert_true((q->output == 6) == (q->after != RC_NO_REQUEST));
            if (q->output != 6)
                continue;
            assert_true(q->after < t->count && t->at[q->after].output == 5);
            assert_int_equal(t->at[q->after].session, q->session);
            assert_int_equal(block(t, q->after, 0), block(t, (uint32_t)i, 0));
            behind = behind || q->after > 0;
            turns++;
        }
        twice = twice || turns == 2;
        rc_trace_free(t);
    }
    assert_true(twice && behind);
}

/* The clock of a trace begins where it likes: later by a day, all that is drawn is the same. */
static void test_clock(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 32; seed++) {
        rc_trace *a = parsed(two), *b = parsed(two);
        for (size_t i = 0; i < b->count; i++)
            b->at[i].arrival += 86400 * S;
        assert_int_equal(rc_trace_resample(a, seed, NULL), RC_OK);
        assert_int_equal(rc_trace_resample(b, seed, NULL), RC_OK);
        assert_int_equal(a->count, b->count);
        for (size_t i = 0; i < a->count; i++) {
            assert_int_equal(a->at[i].arrival - a->at[0].arrival,
                             b->at[i].arrival - b->at[0].arrival);
            assert_int_equal(a->at[i].output, b->at[i].output);
        }
        rc_trace_free(a);
        rc_trace_free(b);
    }
}

/* A block that 65 requests have is nobody's own, and stays one; one that 64 have makes them one unit. */
static void test_common(void **state) {
    (void)state;
    for (int n = 64; n <= 65; n++) {
        char text[65 * 96], *at = text;
        for (int i = 0; i < n; i++)
            at += snprintf(at, 96,
                           "{\"timestamp\":%d,\"input_length\":100,\"output_length\":5,"
                           "\"hash_ids\":[0]}\n",
                           1000 * i);
        int changed = 0;
        for (uint64_t seed = 0; seed < 20; seed++) {
            rc_trace *t = parsed(text);
            assert_int_equal(rc_trace_resample(t, seed, NULL), RC_OK);
            assert_int_equal(t->blocks, 1);
            changed += t->count != (size_t)n; /* one of the 32 pieces has three requests, not two */
            rc_trace_free(t);
        }
        assert_true((changed > 0) == (n > 64));
    }
}

/* Seventy requests behind one block that all of them have, each with a block of its own: so have all that are drawn, also where a
 * run of both blocks is drawn a second time. */
static void test_own_blocks(void **state) {
    (void)state;
    enum { REQUESTS = 70 };
    char text[REQUESTS * 96], *at = text;
    for (int i = 0; i < REQUESTS; i++)
        at += snprintf(
            at, 96,
            "{\"timestamp\":%d,\"input_length\":1000,\"output_length\":5,\"hash_ids\":[0,%d]}\n",
            1000 * i, i + 1);
    for (uint64_t seed = 0; seed < 40; seed++) {
        bool seen[4 * REQUESTS] = {false};
        rc_trace *t = parsed(text);
        assert_int_equal(rc_trace_resample(t, seed, NULL), RC_OK);
        assert_true(t->count < 2 * REQUESTS && t->blocks == t->count + 1);
        for (uint32_t i = 0; i < t->count; i++) {
            uint32_t blocks = 0;
            for (uint32_t s = 0; s < t->at[i].spans; s++)
                blocks += t->spans[t->at[i].span + s].count;
            assert_int_equal(blocks, 2);
            const uint32_t own = block(t, i, 1);
            assert_int_equal(block(t, i, 0), block(t, 0, 0));
            assert_true(own < t->blocks && own != block(t, 0, 0) && !seen[own]);
            seen[own] = true;
        }
        rc_trace_free(t);
    }
}

/* One request is the trace that it was. */
static void test_one(void **state) {
    (void)state;
    rc_trace *t =
        parsed("{\"timestamp\":9000,\"input_length\":10,\"output_length\":5,\"hash_ids\":[0]}\n");
    const rc_time at = t->at[0].arrival;
    assert_int_equal(rc_trace_resample(t, 3, NULL), RC_OK);
    assert_true(t->count == 1 && t->at[0].arrival == at && t->at[0].input == 10);
    rc_trace_free(t);
}

/* Without arrivals there are no pieces of time, and the trace stays as it is. */
static void test_without_arrivals(void **state) {
    (void)state;
    rc_trace *t = parsed(
        "{\"input_length\":10,\"output_length\":5}\n{\"input_length\":12,\"output_length\":5}\n");
    rc_error e = {0};
    assert_int_equal(rc_trace_resample(t, 3, &e), RC_E_INPUT);
    assert_non_null(strstr(e.msg, "arrival times of their own"));
    assert_true(t->count == 2 && t->at[1].input == 12);
    rc_trace_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_common),
        cmocka_unit_test(test_own_blocks),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_without_arrivals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
