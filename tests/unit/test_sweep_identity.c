/* What a sweep's identity is made of: what files say, not how they are written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/sweep/sweep_internal.h"

static uint64_t hash_of(const char *text) {
    char path[] = "/tmp/test_sweep_identity_XXXXXX";
    uint64_t h = SWEEP_HASH_START;
    rc_error err;
    const int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
    if (sweep_hash_file(&h, path, &err) != RC_OK)
        fail_msg("%s", err.msg);
    (void)unlink(path);
    return h;
}

static void test_files(void **state) {
    (void)state;
    static const char *const same[] = {"a: {b: [1, x], c: 2}\n",
                                       "# said\na:\n  b:\n    - 1\n    - x\n  c:   2\n"};
    static const char *const other[] = {
        "a: {b: [1, x], c: 3}\n", "a: {b: [1, y], c: 2}\n",   "a: {b: [1], c: 2}\n",
        "a: {c: [1, x], b: 2}\n", "a: {b: [1, [x]], c: 2}\n", "a: {b: [1, x]}\n",
        "b: {b: [1, x], c: 2}\n", "a: {b: [x, 1], c: 2}\n",   "a: {b: ['1, x'], c: 2}\n"};
    enum { OTHERS = sizeof other / sizeof other[0] };
    uint64_t h[OTHERS];
    assert_true(hash_of(same[1]) == hash_of(same[0]));
    for (size_t i = 0; i < OTHERS; i++) {
        h[i] = hash_of(other[i]);
        assert_true(h[i] != hash_of(same[0]) && h[i] != SWEEP_HASH_START);
        for (size_t k = 0; k < i; k++)
            assert_true(h[i] != h[k]);
    }
}

/* FNV-1a of 64 bits, by its published values. */
static void test_bytes(void **state) {
    (void)state;
    assert_true(SWEEP_HASH_START == UINT64_C(0xcbf29ce484222325));
    assert_true(sweep_hash(SWEEP_HASH_START, "", 0) == SWEEP_HASH_START);
    assert_true(sweep_hash(SWEEP_HASH_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(sweep_hash(SWEEP_HASH_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(sweep_hash(sweep_hash(SWEEP_HASH_START, "foo", 3), "bar", 3) ==
                UINT64_C(0x85944171f73967e8));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
