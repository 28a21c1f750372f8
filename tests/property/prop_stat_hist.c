/* The histogram against the sorted samples: quantiles within 1 %, mean, least and greatest exact,
 * and the same however the samples are split, ordered and merged.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include "sim/stat/stat.h"
#include "tests/support/prop.h"

enum { MOST = 2000 };

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* All magnitudes are as likely; ties and small values happen. */
static int64_t some_value(prop_case *c) {
    int bits = (int)prop_range(c, 0, 62);
    return (int64_t)prop_below(c, (uint64_t)1 << bits);
}

static bool near(double got, int64_t exact) {
    return fabs(got - (double)exact) <= 0.01 * (double)exact;
}

static bool quantiles_are_near(prop_case *c) {
    static const double q[] = {0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0};
    static rc_hist h;
    static int64_t v[MOST];
    size_t n = c->size;
    rc_hist_init(&h);
    for (size_t i = 0; i < n; i++)
        rc_hist_add(&h, v[i] = some_value(c));
    qsort(v, n, sizeof v[0], by_value);
    for (size_t i = 0; i < sizeof q / sizeof q[0]; i++) {
        double rank = ceil(q[i] * (double)n);
        size_t at = rank < 1.0 ? 0 : (size_t)rank - 1;
        double got = rc_hist_quantile(&h, q[i]);
        PROP_CHECK(c, near(got, v[at]), "q %g of %zu: %.17g, exact %lld", q[i], n, got,
                   (long long)v[at]);
    }
    PROP_CHECK(c, rc_hist_quantile(&h, 0.0) == (double)v[0], "the least is not exact");
    PROP_CHECK(c, rc_hist_quantile(&h, 1.0) == (double)v[n - 1], "the greatest is not exact");
    return true;
}

static bool mean_is_exact(prop_case *c) {
    static rc_hist h;
    long double sum = 0.0L;
    uint64_t count = 0;
    rc_hist_init(&h);
    for (unsigned i = 0; i < c->size; i++) {
        int64_t v = some_value(c);
        uint64_t times = prop_below(c, (uint64_t)1 << prop_range(c, 0, 40));
        rc_hist_add_many(&h, v, times);
        sum += (long double)v * (long double)times;
        count += times;
    }
    PROP_CHECK(c, h.count == count, "count");
    if (count == 0)
        return true;
    double exact = (double)(sum / (long double)count), got = rc_hist_mean(&h);
    PROP_CHECK(c, fabs(got - exact) <= 1e-15 * exact, "mean %.17g, exact %.17g", got, exact);
    return true;
}

/* Dealt out to three histograms in another order and merged: the same bytes. */
static bool merging_is_adding(prop_case *c) {
    static rc_hist whole, part[3];
    static int64_t v[MOST];
    size_t n = c->size;
    rc_hist_init(&whole);
    for (int k = 0; k < 3; k++)
        rc_hist_init(&part[k]);
    for (size_t i = 0; i < n; i++)
        rc_hist_add(&whole, v[i] = some_value(c));
    for (size_t i = n; i-- > 0;)
        rc_hist_add_many(&part[prop_below(c, 3)], v[i], 1);
    rc_hist_merge(&part[2], &part[0]);
    rc_hist_merge(&part[1], &part[2]);
    PROP_CHECK(c, memcmp(&whole, &part[1], sizeof whole) == 0, "%zu samples", n);
    return true;
}

/* Parts tile the whole numbers, each not wider than 1/128 of its lower end. */
static bool parts_tile(prop_case *c) {
    for (unsigned i = 0; i < c->size; i++) {
        uint64_t v = (uint64_t)some_value(c), low, high, next, unused;
        int part = rc_hist_part(v);
        rc_hist_bounds(part, &low, &high);
        PROP_CHECK(c, low <= v && v <= high, "%llu is not in part %d", (unsigned long long)v, part);
        PROP_CHECK(c, (high - low) <= low / 128, "part %d is wide", part);
        if (part + 1 < RC_HIST_BUCKETS) {
            rc_hist_bounds(part + 1, &next, &unused);
            PROP_CHECK(c, next == high + 1, "a gap behind part %d", part);
        }
    }
    return true;
}

/* A step function against the sum over all its pieces, and means over each interval. */
static bool timeline_is_the_integral(prop_case *c) {
    static rc_timeline s;
    enum { LENGTH = 4000 };
    static double at[LENGTH]; /* the value in each unit of time */
    int64_t interval = prop_range(c, 1, 5), now = 0;
    double value = 0.0, sum = 0.0;
    rc_timeline_init(&s, interval);
    for (unsigned i = 0; i < c->size && now < LENGTH; i++) {
        int64_t next = now + prop_range(c, 0, 99);
        next = next < LENGTH ? next : LENGTH;
        for (; now < next; now++)
            sum += at[now] = value;
        value = (double)prop_range(c, 0, 9);
        rc_timeline_set(&s, now, value);
    }
    rc_timeline_end(&s, now);
    PROP_CHECK(c, rc_timeline_count(&s) <= RC_TIMELINE_MAX, "too many intervals");
    PROP_CHECK(c, s.interval % interval == 0, "interval");
    for (int i = 0; i < rc_timeline_count(&s); i++) {
        int64_t from = i * s.interval, to = from + s.interval < now ? from + s.interval : now;
        double area = 0.0;
        for (int64_t k = from; k < to; k++)
            area += at[k];
        double mean = area / (double)(to - from), got = rc_timeline_at(&s, i);
        PROP_CHECK(c, fabs(got - mean) <= 1e-12 * (1.0 + mean), "interval %d: %g, exact %g", i, got,
                   mean);
    }
    double areas = 0.0;
    for (int i = 0; i < RC_TIMELINE_MAX; i++)
        areas += s.area[i];
    PROP_CHECK(c, fabs(areas - sum) <= 1e-9 * (1.0 + sum), "the whole area");
    return true;
}

static void run(void **state, const char *name, prop_fn fn, unsigned size) {
    (void)state;
    assert_true(prop_run(name, fn, size));
}

static void test_quantiles(void **state) {
    run(state, "quantiles_are_near", quantiles_are_near, MOST);
}

static void test_mean(void **state) {
    run(state, "mean_is_exact", mean_is_exact, 60);
}

static void test_merging(void **state) {
    run(state, "merging_is_adding", merging_is_adding, 300);
}

static void test_parts(void **state) {
    run(state, "parts_tile", parts_tile, 500);
}

static void test_timeline(void **state) {
    run(state, "timeline_is_the_integral", timeline_is_the_integral, 80);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quantiles),
                                       cmocka_unit_test(test_mean), cmocka_unit_test(test_merging),
                                       cmocka_unit_test(test_parts),
                                       cmocka_unit_test(test_timeline)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
