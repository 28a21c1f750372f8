/* All-to-alls in closed form: ranks in the order in which they open, up to a few and beyond; each class of flows ends when a
 * walk through all changes of the rate says so, and the last one when its bytes have passed at the rate of all.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/forward/exchange.c"
#include "tests/support/prop.h"
#include <math.h>

enum { MOST = 100 };

typedef struct world {
    rc_exchange x;
    rc_exchange_state s;
    rc_time open[MOST];
    int by[MOST], class_of[MOST];
    rc_flow_class classes[MOST];
    const rc_time *sorted[MOST];
} world;

static void begin(world *w, int n) {
    w->x = (rc_exchange){
        .n = n, .latency = 5000000, .bytes = 3e6, .peer_rate = 0.0, .link_rate = 4e11};
    w->s = (rc_exchange_state){.open = w->open,
                               .by = w->by,
                               .class_of = w->class_of,
                               .classes = w->classes,
                               .sorted = w->sorted};
}

static double fair(const rc_exchange *x, int ranks) {
    double share = x->link_rate / (ranks - 1);
    return x->peer_rate > 0.0 ? fmin(share, x->peer_rate) : share;
}

/* When the flows that began with group `g` of the ranks in order end, by hand through what opens later. */
static double end_of(const world *w, const rc_time *at, const int *ranks, int groups, int g) {
    double left = w->x.bytes, now = (double)(at[g] + w->x.latency);
    for (int k = g; k < groups; k++) {
        double rate = fair(&w->x, ranks[k]) / 1e12,
               until = k + 1 < groups ? (double)(at[k + 1] + w->x.latency) : INFINITY;
        if (left / rate <= until - now)
            return now + left / rate;
        left -= rate * (until - now);
        now = until;
    }
    return now;
}

static bool ends_as_by_hand(prop_case *c) {
    world w;
    begin(&w, 2 + (int)(c->size % (MOST - 1)));
    w.x.bytes = exp(log(1e3) + log(1e6) * prop_unit(c));
    w.x.peer_rate = prop_one_in(c, 2) ? 1e11 * prop_unit(c) + 1e9 : 0.0;
    for (int i = 0; i < w.x.n; i++)
        w.open[i] = prop_range(c, 0, 9) * 1000000;
    bool holds = rc_exchange_ends(&w.x, &w.s);
    rc_time at[MOST];
    int ranks[MOST], groups = 0, class_of_group[MOST];
    for (int i = 0; i < w.x.n; i++) {
        int r = w.by[i];
        if (i > 0) {
            int before = w.by[i - 1];
            PROP_CHECK(c, w.open[before] < w.open[r] || (w.open[before] == w.open[r] && before < r),
                       "rank %d before %d", before, r);
        }
        if (i < 2 || w.open[r] != at[groups - 1]) { /* the first rank alone has no flows yet */
            if (i == 1)
                groups = 0;
            at[groups] = w.open[r];
            groups++;
        }
        ranks[groups - 1] = i + 1;
        class_of_group[groups - 1] = groups - 1;
        PROP_CHECK(c, w.class_of[r] == (i == 0 ? 0 : class_of_group[groups - 1]),
                   "class of rank %d", r);
    }
    for (int g = 0; g < groups && holds; g++) {
        double end = end_of(&w, at, ranks, groups, g);
        PROP_CHECK(c, fabs((double)w.classes[g].end - end) <= 2.0 + groups,
                   "class %d of %d: %lld, not %.0f", g, groups, (long long)w.classes[g].end, end);
    }
    rc_time last = w.open[w.by[w.x.n - 1]] + w.x.latency;
    double least = w.x.bytes / fair(&w.x, w.x.n) * 1e12;
    PROP_CHECK(c, !holds || fabs((double)(w.s.close - last) - least) <= 1.0, "closes after %lld",
               (long long)w.s.close);
    return true;
}

static void test_ends(void **state) {
    (void)state;
    assert_true(prop_run("ends_as_by_hand", ends_as_by_hand, MOST));
}

/* Four ranks at once: three flows on each link of 400 GB/s, 3 MB each: 22.5 us behind 5 us of latency. */
static void test_by_hand(void **state) {
    (void)state;
    world w;
    begin(&w, 4);
    for (int i = 0; i < 4; i++)
        w.open[i] = 7000000;
    assert_true(rc_exchange_ends(&w.x, &w.s));
    assert_int_equal(w.s.close, 7000000 + 5000000 + 22500000);
    /* one is 10 us late: two flows a link till then at 200 GB/s, 2 of 3 MB; the rest at a third in 7.5 us */
    w.open[2] = 17000000;
    assert_true(rc_exchange_ends(&w.x, &w.s));
    assert_int_equal(w.classes[0].end, 7000000 + 5000000 + 10000000 + 7500000);
    assert_int_equal(w.s.close, 17000000 + 5000000 + 22500000);
    assert_true(w.by[3] == 2 && w.class_of[2] == 1 && w.class_of[0] == 0 && w.class_of[3] == 0);
    w.x.peer_rate = 1e11; /* a connection's own rate: 30 us whatever the others do */
    assert_true(rc_exchange_ends(&w.x, &w.s));
    assert_int_equal(w.classes[0].end, 7000000 + 5000000 + 30000000);
    assert_int_equal(w.s.close, 17000000 + 5000000 + 30000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends), cmocka_unit_test(test_by_hand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
