/* Memory that runs out while a program is built: the program must not run. A stream that could not
 * be made reads as "no stream", and its ops would run side by side without a word.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* RTLD_NEXT */
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <stdlib.h>

#include "sim/engine/engine.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OWN_ALLOCATOR 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define OWN_ALLOCATOR 1
#endif

#ifdef OWN_ALLOCATOR /* the sanitizer's: not to be replaced */
static void test_out_of_memory(void **state) {
    (void)state;
    skip();
}
#else

static long calls_left = -1; /* of realloc that succeed; negative: all */

void *realloc(void *p, size_t size) {
    static void *(*next)(void *, size_t);
    if (!next)
        *(void **)(void *)&next = dlsym(RTLD_NEXT, "realloc");
    if (calls_left == 0)
        return NULL;
    if (calls_left > 0)
        calls_left--;
    return next(p, size);
}

/* Two ops of 100 ps on one stream: 200 ps when it runs. */
static rc_status two_in_order(rc_time *end) {
    rc_error err = {0};
    rc_sim *s = rc_sim_create();
    if (s == NULL)
        return RC_E_NOMEM;
    rc_id stream = rc_sim_stream(s, rc_sim_domain(s));
    rc_op_desc d = {.kind = RC_OP_FIXED, .stream = stream, .duration = 100, .group = RC_NONE};
    (void)rc_sim_op(s, &d);
    (void)rc_sim_op(s, &d);
    (void)rc_sim_link(s, 1e9);
    calls_left = -1;
    rc_status st = rc_sim_run(s, &err);
    *end = rc_sim_end(s);
    rc_sim_destroy(s);
    return st;
}

static void test_out_of_memory(void **state) {
    (void)state;
    rc_time end = 0;
    int starved = 0;
    assert_int_equal(two_in_order(&end), RC_OK);
    assert_int_equal(end, 200);
    for (long n = 0; n < 5; n++) {
        calls_left = n;
        rc_status st = two_in_order(&end);
        assert_true(st == RC_E_NOMEM || (st == RC_OK && end == 200));
        starved += st == RC_E_NOMEM;
    }
    assert_int_equal(starved, 5); /* template, domain, stream, op, link: memory once each */
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
