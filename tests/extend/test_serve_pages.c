/* Places of KV blocks of the real server: shared where blocks have an identity, given back, taken again
 * when the cache has evicted them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "calib/serve/serve_pages.h"

enum { BLOCK = 4, CAPACITY = 6 };
static rc_span spans[] = {{0, 2}, {0, 1}, {2, 1}, {3, 4}};
static rc_req requests[] = {
    {.input = 8, .output = 8, .span = 0, .spans = 1, .named = 2, .session = RC_NO_SESSION},
    {.input = 8, .output = 4, .span = 1, .spans = 2, .named = 2, .session = RC_NO_SESSION},
    {.input = 16, .output = 1, .span = 3, .spans = 1, .named = 4, .session = RC_NO_SESSION}};
static rc_trace trace = {
    .at = requests, .count = 3, .block = BLOCK, .blocks = 7, .spans = spans, .span_count = 4};

static rc_kv *cache(void) {
    const rc_kv_config c = {.block = BLOCK, .capacity = CAPACITY, .requests = 3};
    rc_kv *kv = NULL;
    assert_int_equal(rc_kv_create(&c, &kv, NULL), RC_OK);
    return kv;
}

static rc_kv_lease admitted(rc_kv *kv, int i) {
    rc_kv_lease lease;
    rc_kv_match match;
    assert_true(rc_kv_admit(kv, &trace, &requests[i], requests[i].input, &lease, &match));
    rc_kv_filled(kv, lease, requests[i].input);
    return lease;
}

/* Requests 0 and 1 have their first block in common, nothing else. */
static void test_shared(void **state) {
    (void)state;
    rc_serve_pages p;
    rc_kv *kv = cache();
    uint32_t a[4], b[4];
    rc_error err = {0};
    assert_int_equal(rc_serve_pages_open(&p, &trace, BLOCK, CAPACITY, &err), RC_OK);
    (void)admitted(kv, 0);
    (void)admitted(kv, 1);
    assert_int_equal(rc_serve_pages_list(&p, kv, 0, 9, a, &err), RC_OK);
    assert_int_equal(rc_serve_pages_list(&p, kv, 1, 8, b, &err), RC_OK);
    assert_int_equal(a[0], b[0]);
    assert_int_not_equal(a[1], b[1]);
    assert_true(a[2] != a[0] && a[2] != a[1] && a[2] != b[1]);
    assert_int_equal(p.free_count, CAPACITY - 4);
    for (int64_t at = 0; at < 4; at++)
        assert_true(rc_serve_token(&p, 0, at) == rc_serve_token(&p, 1, at));
    assert_true(rc_serve_token(&p, 0, 4) != rc_serve_token(&p, 1, 4));
    assert_true(rc_serve_token(&p, 0, 8) != rc_serve_token(&p, 1, 8));
    rc_serve_pages_release(&p, 0); /* its own block alone */
    assert_int_equal(p.free_count, CAPACITY - 3);
    rc_serve_pages_close(&p);
    rc_kv_destroy(kv);
}

/* Places run out: those whose blocks the cache gave up are found again. */
static void test_evicted(void **state) {
    (void)state;
    rc_serve_pages p;
    rc_kv *kv = cache();
    uint32_t list[4];
    rc_error err = {0};
    assert_int_equal(rc_serve_pages_open(&p, &trace, BLOCK, CAPACITY, &err), RC_OK);
    rc_kv_lease lease = admitted(kv, 0);
    assert_int_equal(rc_serve_pages_list(&p, kv, 0, 8, list, &err), RC_OK);
    rc_kv_release(kv, lease, false);
    lease = admitted(kv, 1);
    assert_int_equal(rc_serve_pages_list(&p, kv, 1, 8, list, &err), RC_OK);
    rc_kv_release(kv, lease, false);
    (void)admitted(kv, 2); /* four blocks; of those three before one has to go */
    assert_int_equal(rc_serve_pages_list(&p, kv, 2, 16, list, &err), RC_OK);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            assert_int_not_equal(list[i], list[k]);
    rc_serve_pages_close(&p);
    rc_kv_destroy(kv);
}

/* More than the cache would ever let in is refused, not handed out twice. */
static void test_full(void **state) {
    (void)state;
    rc_serve_pages p;
    rc_kv *kv = cache();
    uint32_t list[8];
    rc_error err = {0};
    assert_int_equal(rc_serve_pages_open(&p, &trace, BLOCK, 2, &err), RC_OK);
    (void)admitted(kv, 0);
    assert_int_equal(rc_serve_pages_list(&p, kv, 0, 8, list, &err), RC_OK);
    assert_int_equal(rc_serve_pages_list(&p, kv, 0, 9, list, &err), RC_E_INTERNAL);
    rc_serve_pages_close(&p);
    rc_kv_destroy(kv);
}

/* Identities are as many as the spans name, wherever the last of them stands. */
static void test_names(void **state) {
    static rc_span of[][2] = {
        {{5, 4}, {0, 1}}, {{0, 1}, {5, 4}}, {{3, 2}, {0, 5}}, {{0, 0}, {8, 0}}};
    static const uint32_t want[] = {9, 9, 5, 8};
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        const rc_trace t = {
            .at = requests, .count = 3, .block = BLOCK, .spans = of[i], .span_count = 2};
        rc_serve_pages p;
        assert_int_equal(rc_serve_pages_open(&p, &t, BLOCK, CAPACITY, NULL), RC_OK);
        assert_int_equal(p.names, want[i]);
        assert_int_equal(p.free_count, CAPACITY);
        rc_serve_pages_close(&p);
        rc_serve_pages_close(&p); /* nothing is left */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shared),
                                       cmocka_unit_test(test_evicted), cmocka_unit_test(test_full),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
