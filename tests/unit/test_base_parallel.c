/* Loops on threads: every item once, on as many threads as were asked for, and of several failures the first item's; and
 * quantiles of a few values.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "sim/base/parallel.h"
#include "sim/base/quantile.h"

enum { MOST = 400 };

typedef struct loop {
    atomic_int times[MOST]; /* that an item was done */
    atomic_int begun;
    pthread_mutex_t lock;
    pthread_t ids[MOST];
    size_t threads;
    pthread_barrier_t *meet; /* all items meet here */
    bool fails[MOST];
} loop;

static rc_status item(void *ctx, size_t i, rc_error *err) {
    loop *l = ctx;
    l->begun++;
    l->times[i]++;
    (void)pthread_mutex_lock(&l->lock);
    size_t k = 0;
    while (k < l->threads && !pthread_equal(l->ids[k], pthread_self()))
        k++;
    if (k == l->threads)
        l->ids[l->threads++] = pthread_self();
    (void)pthread_mutex_unlock(&l->lock);
    if (l->meet)
        (void)pthread_barrier_wait(l->meet);
    return l->fails[i] ? rc_fail(err, i % 2 ? RC_E_IO : RC_E_INPUT, "item %zu", i) : RC_OK;
}

static loop l;
static rc_error err;

static rc_status run(size_t count, int threads) {
    for (int i = 0; i < MOST; i++)
        l.times[i] = 0;
    l.begun = 0;
    l.threads = 0;
    return rc_parallel(count, threads, item, &l, &err);
}

static void once(void **state) {
    (void)state;
    static const int threads[] = {0, 1, 2, 3, 64, 100000};
    for (size_t k = 0; k < sizeof threads / sizeof threads[0]; k++)
        for (size_t count = 0; count <= MOST; count += count < 3 ? 1 : 397) {
            assert_int_equal(run(count, threads[k]), RC_OK);
            for (size_t i = 0; i < MOST; i++)
                assert_int_equal(l.times[i], i < count);
            assert_true(threads[k] == 0 || l.threads <= (size_t)threads[k]);
            assert_true(l.threads <= RC_PARALLEL_MAX && (count == 0 || l.threads > 0));
        }
}

/* As many items as threads that all wait for one another: with a thread fewer nobody would come back. One thread is the
 * caller's own. */
static void at_once(void **state) {
    (void)state;
    for (int n = 1; n <= 5; n++) {
        pthread_barrier_t meet;
        assert_int_equal(pthread_barrier_init(&meet, NULL, (unsigned)n), 0);
        l.meet = &meet;
        assert_int_equal(run((size_t)n, n), RC_OK);
        assert_int_equal(l.threads, n);
        bool own = false;
        for (size_t k = 0; k < l.threads; k++)
            own = own || pthread_equal(l.ids[k], pthread_self());
        assert_true(own);
        l.meet = NULL;
        (void)pthread_barrier_destroy(&meet);
    }
}

/* Nothing is begun behind a failure that is known, and what is said is what the first of all items that failed says. */
static void failures(void **state) {
    (void)state;
    l.fails[7] = l.fails[9] = true;
    assert_int_equal(run(20, 1), RC_E_IO);
    assert_int_equal(l.begun, 8);
    assert_string_equal(err.msg, "item 7");
    for (int tries = 0; tries < 20; tries++) {
        assert_int_equal(run(20, 4), RC_E_IO);
        assert_string_equal(err.msg, "item 7");
    }
    assert_int_equal(rc_parallel(20, 2, item, &l, NULL), RC_E_IO); /* nobody asks why */
    /* three at once, of which the last two fail */
    pthread_barrier_t meet;
    memset(l.fails, 0, sizeof l.fails);
    l.fails[1] = l.fails[2] = true;
    assert_int_equal(pthread_barrier_init(&meet, NULL, 3), 0);
    l.meet = &meet;
    for (int tries = 0; tries < 20; tries++) {
        assert_int_equal(run(3, 3), RC_E_IO);
        assert_string_equal(err.msg, "item 1");
    }
    l.meet = NULL;
    (void)pthread_barrier_destroy(&meet);
    memset(l.fails, 0, sizeof l.fails);
}

static void quantiles(void **state) {
    (void)state;
    double v[] = {4.0, -1.0, 2.0, 10.0};
    rc_sort(v, 4);
    assert_true(v[0] == -1.0 && v[1] == 2.0 && v[2] == 4.0 && v[3] == 10.0);
    rc_sort(NULL, 0);
    static const struct {
        double q, value, nearest;
    } want[] = {{0.0, -1.0, -1.0}, {0.16, 0.44, -1.0}, {0.17, 0.53, 2.0}, {0.5, 3.0, 4.0},
                {0.75, 5.5, 4.0},  {0.9, 8.2, 10.0},   {1.0, 10.0, 10.0}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        const double got = rc_quantile(v, 4, want[i].q);
        assert_true(got - want[i].value < 1e-12 && want[i].value - got < 1e-12);
        assert_true(rc_nearest_rank(v, 4, want[i].q) == want[i].nearest);
    }
    assert_true(rc_quantile(v, 1, 0.0) == -1.0 && rc_quantile(v, 1, 1.0) == -1.0 &&
                rc_quantile(v, 1, 0.3) == -1.0);
    assert_true(rc_nearest_rank(v, 1, 1.0) == -1.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once),
        cmocka_unit_test(at_once),
        cmocka_unit_test(failures),
        cmocka_unit_test(quantiles),
    };
    assert_int_equal(pthread_mutex_init(&l.lock, NULL), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
