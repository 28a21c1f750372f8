/* Blocks taken together, by hand and against lists of what requests share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/base/mix.h"
#include "sim/trace/trace.h"

static rc_trace *read_text(const char *text) {
    rc_trace *t = NULL;
    rc_error err = {0};
    const rc_trace_options o = {.format = RC_TRACE_MOONCAKE, .any_ids = true};
    if (rc_trace_parse("t.jsonl", text, strlen(text), &o, &t, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return t;
}

static void expect_spans(const rc_trace *t, uint32_t request, const rc_span *want, uint32_t n) {
    const rc_req *q = &t->at[request];
    uint32_t named = 0;
    assert_int_equal(q->spans, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(t->spans[q->span + i].first, want[i].first);
        assert_int_equal(t->spans[q->span + i].count, want[i].count);
        named += want[i].count;
    }
    assert_int_equal(q->named, named);
}

#define ROW(at, in, ids)                                                                           \
    "{\"timestamp\": " #at ", \"input_length\": " #in                                              \
    ", \"output_length\": 1, \"hash_ids\": [" ids "]}\n"

/* Pairs: the second request shares two pairs with the first and the half of a third, which is another one to it; the
 * third request's fifth block is half a pair. */
static void test_pairs(void **state) {
    (void)state;
    rc_trace *t = read_text(ROW(0, 3072, "0, 1, 2, 3, 4, 5") ROW(1, 3072, "0, 1, 2, 3, 4, 6")
                                ROW(2, 2560, "7, 8, 0, 9, 10") ROW(3, 512, "11"));
    rc_error err = {0};
    assert_int_equal(rc_trace_together(t, 2, &err), RC_OK);
    assert_int_equal(t->block, 1024);
    assert_int_equal(t->blocks, 6);
    expect_spans(t, 0, (rc_span[]){{0, 3}}, 1);
    expect_spans(t, 1, (rc_span[]){{0, 2}, {3, 1}}, 2);
    expect_spans(t, 2, (rc_span[]){{4, 2}}, 1);
    expect_spans(t, 3, NULL, 0);
    rc_trace_free(t);
}

static void test_ones_stay(void **state) {
    (void)state;
    rc_trace *t = read_text(ROW(0, 1024, "0, 1") ROW(1, 1024, "0, 2"));
    rc_error err = {0};
    assert_int_equal(rc_trace_together(t, 1, &err), RC_OK);
    assert_int_equal(t->block, 512);
    assert_int_equal(t->blocks, 3);
    expect_spans(t, 1, (rc_span[]){{0, 1}, {2, 1}}, 2);
    assert_int_equal(rc_trace_together(t, 3, &err), RC_OK); /* nobody has so many */
    assert_int_equal(t->block, 1536);
    assert_int_equal(t->blocks, 0);
    expect_spans(t, 0, NULL, 0);
    rc_trace_free(t);
}

/* One at a time is as it is, the numbers of a trace that lost its first five blocks, too. */
static void test_gaps_stay(void **state) {
    (void)state;
    rc_trace *t = read_text(ROW(0, 1024, "0, 1") ROW(1, 1024, "0, 2"));
    rc_error err = {0};
    for (size_t i = 0; i < t->span_count; i++)
        t->spans[i].first += 5;
    t->blocks += 5;
    assert_int_equal(rc_trace_together(t, 1, &err), RC_OK);
    assert_int_equal(t->blocks, 8);
    expect_spans(t, 0, (rc_span[]){{5, 2}}, 1);
    expect_spans(t, 1, (rc_span[]){{5, 1}, {7, 1}}, 2);
    rc_trace_free(t);
}

/* Blocks of so many tokens are longer than any prompt: 100,000,000 over 512 is 195,312 and a half. */
static void test_too_long(void **state) {
    (void)state;
    rc_trace *t = read_text(ROW(0, 1024, "0, 1"));
    rc_error err = {0};
    assert_int_equal(rc_trace_together(t, 195313, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "blocks of 512 tokens: 195313 of them together are too many"));
    assert_int_equal(t->block, 512);
    assert_int_equal(rc_trace_together(t, 195312, &err), RC_OK);
    assert_int_equal(t->block, 99999744);
    rc_trace_free(t);
}

static uint32_t block_at(const rc_trace *t, uint32_t request, uint32_t at) {
    const rc_req *q = &t->at[request];
    for (uint32_t s = 0; s < q->spans; s++) {
        const rc_span x = t->spans[q->span + s];
        if (at < x.count)
            return x.first + at;
        at -= x.count;
    }
    return UINT32_MAX;
}

static uint32_t shared(const rc_trace *t, uint32_t a, uint32_t b) {
    uint32_t n = 0;
    while (n < t->at[a].named && n < t->at[b].named && block_at(t, a, n) == block_at(t, b, n))
        n++;
    return n;
}

enum { REQUESTS = 12, DEEP = 23 };

/* Requests that follow one another down a tree of prefixes: of each pair, whole groups of what they shared are shared
 * after it, and ids are dense by first appearance. */
static void draw(uint64_t seed, char *text, size_t size) {
    static uint32_t path[REQUESTS][DEEP];
    uint32_t next = 0;
    size_t used = 0;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        const uint32_t n = (uint32_t)(1 + rc_mix(seed, 10 * i) % DEEP);
        const uint32_t parent = i > 0 ? (uint32_t)(rc_mix(seed, 10 * i + 1) % i) : 0;
        const uint32_t common = i > 0 ? (uint32_t)(rc_mix(seed, 10 * i + 2) % DEEP) : 0;
        used += (size_t)snprintf(text + used, size - used,
                                 "{\"timestamp\": %u, \"input_length\": %u, \"output_length\": 1, "
                                 "\"hash_ids\": [",
                                 i, 512 * n);
        for (uint32_t k = 0; k < n; k++) {
            const bool as_parent = k < common && (k == 0 || path[i][k - 1] == path[parent][k - 1]);
            path[i][k] = as_parent && path[parent][k] > 0 ? path[parent][k] : ++next;
            used += (size_t)snprintf(text + used, size - used, "%s%u", k ? ", " : "", path[i][k]);
        }
        for (uint32_t k = n; k < DEEP; k++)
            path[i][k] = 0;
        used += (size_t)snprintf(text + used, size - used, "]}\n");
    }
}

static void test_what_is_shared(void **state) {
    (void)state;
    static char text[REQUESTS * (DEEP * 8 + 100)];
    for (uint64_t seed = 1; seed <= 50; seed++)
        for (uint32_t each = 2; each <= 5; each++) {
            rc_error err = {0};
            draw(seed, text, sizeof text);
            rc_trace *was = read_text(text), *is = read_text(text);
            assert_int_equal(rc_trace_together(is, each, &err), RC_OK);
            uint32_t most = 0;
            for (uint32_t a = 0; a < REQUESTS; a++) {
                assert_int_equal(is->at[a].named, was->at[a].named / each);
                for (uint32_t k = 0; k < is->at[a].named; k++) {
                    assert_true(block_at(is, a, k) <= most);
                    most += block_at(is, a, k) == most;
                }
                for (uint32_t b = 0; b < a; b++)
                    assert_int_equal(shared(is, a, b), shared(was, a, b) / each);
            }
            assert_int_equal(is->blocks, most);
            rc_trace_free(was);
            rc_trace_free(is);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs), cmocka_unit_test(test_ones_stay),
        cmocka_unit_test(test_gaps_stay), cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_what_is_shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
