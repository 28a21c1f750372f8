/* Traces as they are in the field, and all that can be wrong with one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <cmocka.h>
#include "sim/trace/workload.h"

/* ---- what the README of scenarios/traces says ----------------------------------------- */

static void check_stats(const char *file, size_t requests, const uint32_t *input, double p50,
                        double p90, double share, double few) {
    char path[512];
    rc_trace *t = NULL;
    rc_trace_stats s;
    rc_error err = {0};
    (void)snprintf(path, sizeof path, "%s/scenarios/traces/%s", getenv("RC_SOURCE_DIR"), file);
    if (rc_trace_read(path, NULL, &t, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(rc_trace_statistics(t, NULL, &s, &err), RC_OK);
    assert_int_equal(s.requests, requests);
    assert_int_equal(s.input_p50, input[0]);
    assert_int_equal(s.input_p90, input[1]);
    assert_int_equal(s.input_p99, input[2]);
    assert_true(fabs(s.miss_p50 - p50) < 0.0005 && fabs(s.miss_p90 - p90) < 0.0005);
    assert_true(fabs(s.miss_sum - share) < 0.0005 && fabs(s.at_most_5pct - few) < 0.0005);
    rc_trace_free(t);
}

static void test_statistics(void **state) {
    (void)state;
    check_stats("mooncake_conversation.jsonl.xz", 12031, (const uint32_t[]){6909, 27367, 85400},
                0.637, 0.972, 0.626, 0.098);
    check_stats("azure_2023_code.csv.xz", 8819, (const uint32_t[]){1469, 5187, 7436}, 1, 1, 1, 0);
    check_stats("azure_2023_conv.csv.xz", 19366, (const uint32_t[]){1020, 2734, 4142}, 1, 1, 1, 0);
    check_stats("weka_sessions_58.jsonl.xz", 3295, (const uint32_t[]){109102, 230306, 461010},
                0.007, 0.069, 0.043, 0.872);
}

/* ---- formats -------------------------------------------------------------------------- */

static rc_trace *parsed(const char *text) {
    rc_trace *t = NULL;
    rc_error err = {0};
    if (rc_trace_parse("t", text, strlen(text), NULL, &t, &err) != RC_OK)
        fail_msg("%d:%d: %s", err.line, err.col, err.msg);
    return t;
}

static void test_formats(void **state) {
    (void)state;
    rc_trace *t = parsed("{\"timestamp\": 1000, \"input_length\": 600, \"output_length\": 2, "
                         "\"hash_ids\": [0, 1]}\n{\"timestamp\": 2500, \"input_length\": 1100, "
                         "\"output_length\": 3, \"hash_ids\": [0, 2, 3]}");
    assert_int_equal(t->format, RC_TRACE_MOONCAKE);
    assert_int_equal(t->at[1].arrival, INT64_C(1500000000000));
    assert_int_equal(t->blocks, 4);
    assert_int_equal(t->at[1].spans, 2);
    rc_trace_free(t);
    t = parsed("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n"
               "2023-11-16 18:15:50+00:00,396,109\n");
    assert_int_equal(t->format, RC_TRACE_AZURE);
    assert_int_equal(t->at[1].arrival, INT64_C(3319410000000));
    rc_trace_free(t);
    t = parsed("arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,10,2\n0.75,11,3\n");
    assert_int_equal(t->format, RC_TRACE_VIDUR);
    rc_trace_free(t);
    t = parsed("Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
               "5,ChatGPT,472,18,490,Conversation log\n6,GPT-4,10,0,10,Conversation log\n"
               "8,GPT-4,11,2,13,API log\n");
    assert_int_equal(t->format, RC_TRACE_BURSTGPT);
    assert_int_equal(t->count, 2);
    assert_int_equal(t->dropped, 1);
    rc_trace_free(t);
    t = parsed("{\"id\":\"a\",\"t\":0,\"in\":130,\"out\":5,\"hash_ranges\":[[1,2]],"
               "\"think_time\":0}\n{\"id\":\"a\",\"t\":9,\"in\":200,\"out\":6,"
               "\"hash_ranges\":[[1,3]],\"think_time\":2.5}\n");
    assert_int_equal(t->format, RC_TRACE_SESSIONS);
    assert_true(t->closed_loop && t->at[0].child == 1 && t->at[1].after == 0);
    assert_int_equal(t->at[1].think, INT64_C(2500000000000));
    rc_trace_free(t);
    t = parsed("session_id,arrival_time,round_idx,prefix_len,input_len,output_len,"
               "tool_wait_after_ms\ns,0,0,0,640,10,1000\ns,5000,1,640,64,10,0\n");
    assert_int_equal(t->format, RC_TRACE_TRACELAB);
    assert_int_equal(t->at[1].prefix, 640);
    assert_int_equal(t->at[1].think, INT64_C(1000000000000));
    rc_trace_free(t);
}

/* ---- bad rows ------------------------------------------------------------------------- */

#define HEAD "arrived_at,num_prefill_tokens,num_decode_tokens\n"
#define MOON                                                                                       \
    "{\"timestamp\": 5, \"input_length\": 600, \"output_length\": 2, \"hash_ids\": [0, 1]}\n"

static void test_bad_rows(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rc_fault fault;
        int line;
    } bad[] = {
        {HEAD "1,5,5\n1,,5\n", RC_FAULT_MISSING, 3},
        {HEAD "1,5,5\n1,5\n", RC_FAULT_MISSING, 3},
        {HEAD "1,5,5\n1,-3,5\n", RC_FAULT_NEGATIVE, 3},
        {HEAD "1,5,5\n1,0,5\n", RC_FAULT_ZERO, 3},
        {HEAD "1,5,5\n1,5e12,5\n", RC_FAULT_ABSURD, 3},
        {HEAD "1,5,5\n1,2.5,5\n", RC_FAULT_ABSURD, 3},
        {HEAD "1,5,5\n1e15,5,5\n", RC_FAULT_ABSURD, 3},
        {HEAD "2,5,5\n1,5,5\n", RC_FAULT_BACKWARDS, 3},
        {HEAD "2,5,5\nx,5,5\n", RC_FAULT_SYNTAX, 3},
        {MOON "{\"timestamp\": 6, \"input_length\": 600}\n", RC_FAULT_MISSING, 2},
        {MOON
         "{\"timestamp\": 6, \"input_length\": 9, \"output_length\": 2, \"hash_ids\": [0, 1]}\n",
         RC_FAULT_ABSURD, 2},
        {MOON MOON "{\"timestamp\": 6, \"input_length\": 1600, \"output_length\": 2, "
                   "\"hash_ids\": [0, 9, 8]}\n",
         RC_FAULT_IDS, 3},
        {MOON "{\"timestamp\": 6, \"input_length\": 600, \"output\n", RC_FAULT_SYNTAX, 2},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rc_trace *t = NULL;
        rc_error err = {0};
        size_t n = strlen(bad[i].text);
        assert_int_equal(rc_trace_parse("t", bad[i].text, n, NULL, &t, &err), RC_E_INPUT);
        if (err.line != bad[i].line || err.msg[0] == '\0')
            fail_msg("case %zu: line %d: %s", i, err.line, err.msg);
        const rc_trace_options skip = {.on_bad_row = RC_BAD_ROW_SKIP};
        assert_int_equal(rc_trace_parse("t", bad[i].text, n, &skip, &t, &err), RC_OK);
        assert_int_equal(rc_trace_refused(t), 1);
        if (t->faults[bad[i].fault] != 1)
            fail_msg("case %zu: not counted as %s", i, rc_fault_name(bad[i].fault));
        assert_int_equal(t->first_fault_line, bad[i].line);
        rc_trace_free(t);
    }
}

static void test_nothing_in_it(void **state) {
    (void)state;
    static const char *const texts[] = {"", "\n\n", HEAD, "what is this\n"};
    const rc_trace_options skip = {.on_bad_row = RC_BAD_ROW_SKIP};
    for (size_t i = 0; i < 4; i++) {
        rc_trace *t = NULL;
        rc_error err = {0};
        assert_int_equal(rc_trace_parse("t", texts[i], strlen(texts[i]), &skip, &t, &err),
                         RC_E_INPUT);
    }
}

static size_t squeeze(const char *text, size_t size, unsigned char *out, size_t room) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t made = z.total_out;
    (void)deflateEnd(&z);
    return made;
}

static void test_compressed(void **state) {
    (void)state;
    static unsigned char gz[4096];
    const char *text = HEAD "1,5,5\n2,6,6\n3,7,7\n";
    size_t n = squeeze(text, strlen(text), gz, sizeof gz);
    rc_trace *t = NULL;
    rc_error err = {0};
    assert_int_equal(rc_trace_parse("t.gz", gz, n, NULL, &t, &err), RC_OK);
    assert_int_equal(t->count, 3);
    rc_trace_free(t);
    assert_int_equal(rc_trace_parse("t.gz", gz, n - 9, NULL, &t, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "end early"));
    gz[n / 2] ^= 0x55;
    assert_int_equal(rc_trace_parse("t.gz", gz, n, NULL, &t, &err), RC_E_INPUT);
    static const unsigned char xz[] = {0xFD, '7', 'z', 'X', 'Z', 0, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8};
    assert_int_equal(rc_trace_parse("t.xz", xz, sizeof xz, NULL, &t, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "corrupt"));
}

/* A line of 64 MiB in 64 KiB of gz: never in memory whole, refused, and the next row is read. */
static void test_long_line(void **state) {
    (void)state;
    size_t size = (size_t)64 << 20;
    char *text = malloc(size + 64);
    unsigned char *gz = malloc(1 << 20);
    assert_true(text && gz);
    memset(text, '1', size);
    memcpy(text, HEAD, strlen(HEAD));
    memcpy(text + size, "\n1,5,5\n", 8);
    size_t n = squeeze(text, size + 7, gz, 1 << 20);
    free(text);
    rc_trace *t = NULL;
    rc_error err = {0};
    const rc_trace_options skip = {.on_bad_row = RC_BAD_ROW_SKIP};
    assert_int_equal(rc_trace_parse("t.gz", gz, n, NULL, &t, &err), RC_E_INPUT);
    assert_int_equal(err.line, 2);
    assert_int_equal(rc_trace_parse("t.gz", gz, n, &skip, &t, &err), RC_OK);
    assert_int_equal(t->faults[RC_FAULT_LONG], 1);
    assert_int_equal(t->count, 1);
    rc_trace_free(t);
    free(gz);
}

/* ---- reshaping ------------------------------------------------------------------------ */

static void test_reshaping(void **state) {
    (void)state;
    rc_error err = {0};
    rc_trace *t = parsed(MOON "{\"timestamp\": 3005, \"input_length\": 600, \"output_length\": 2, "
                              "\"hash_ids\": [0, 2]}\n");
    assert_int_equal(rc_trace_resize(t, 5, &err), RC_OK);
    assert_int_equal(t->count, 5);
    assert_int_equal(t->blocks, 8); /* the sixth request is gone, and with it its own block */
    assert_int_equal(t->spans[t->at[2].span].first, 3); /* fresh */
    assert_true(t->at[2].arrival > t->at[1].arrival);
    assert_int_equal(rc_trace_scale_rate(t, 2.0, &err), RC_OK);
    assert_int_equal(t->at[1].arrival, INT64_C(1500000000000));
    const rc_arrival_process p = {RC_ARRIVE_GAMMA, 10.0, 2.0};
    assert_int_equal(rc_trace_redraw_arrivals(t, &p, 1, &err), RC_OK);
    assert_int_equal(rc_trace_spread(t, 0, 1, &err), RC_OK);
    for (size_t i = 1; i < t->count; i++)
        assert_true(t->at[i].arrival >= t->at[i - 1].arrival);
    rc_trace_free(t);
}

/* Gaps have the mean and the coefficient of variation asked for. */
static void test_gaps(void **state) {
    (void)state;
    static const rc_arrival_process all[] = {
        {RC_ARRIVE_POISSON, 4.0, 1.0}, {RC_ARRIVE_GAMMA, 4.0, 2.0}, {RC_ARRIVE_GAMMA, 4.0, 0.5}};
    for (size_t k = 0; k < 3; k++) {
        rc_rng r;
        double sum = 0.0, squares = 0.0, n = 200000.0;
        rc_rng_seed(&r, 1);
        for (int i = 0; i < (int)n; i++) {
            double gap = rc_arrival_gap(&all[k], &r);
            sum += gap;
            squares += gap * gap;
        }
        double mean = sum / n, cv = sqrt(squares / n - mean * mean) / mean;
        assert_true(fabs(mean * 4.0 - 1.0) < 0.02);
        assert_true(fabs(cv / all[k].cv - 1.0) < 0.02);
    }
}

/* The last arrival is 100 days behind the first at most, or before it where rows may come in any order. */
static void test_longest(void **state) {
    (void)state;
    for (int beyond = 0; beyond < 2; beyond++)
        for (int back = 0; back < 2; back++) {
            char text[256];
            rc_trace *t = NULL;
            rc_error e = {0};
            const rc_trace_options o = {.sort = back};
            const int end = 100 * 86400 + beyond;
            (void)snprintf(text, sizeof text,
                           "arrived_at,num_prefill_tokens,num_decode_tokens\n%d,10,1\n%d,10,1\n",
                           back ? end : 0, back ? 0 : end);
            const rc_status st = rc_trace_parse("t.csv", text, strlen(text), &o, &t, &e);
            if (beyond) {
                assert_int_equal(st, RC_E_INPUT);
                assert_non_null(strstr(e.msg, "more than 100 days"));
            } else {
                assert_int_equal(st, RC_OK);
                assert_true(t->at[1].arrival - t->at[0].arrival == 8640000 * (rc_time)RC_PS_PER_S);
            }
            rc_trace_free(t);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest),       cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_formats),       cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_nothing_in_it), cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_long_line),     cmocka_unit_test(test_reshaping),
        cmocka_unit_test(test_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
