/* Results of parts added up: every count, sum and histogram of both, the larger of two largest, a mean by what it is over; and
 * nothing of what is the caller's.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/serve/serve.h"

#define AT(field) offsetof(rc_serve_result, field)
#define OF(field) offsetof(rc_pool_result, field)

static const size_t counts[] = {AT(requests),
                                AT(done),
                                AT(rejected),
                                AT(lost),
                                AT(admitted),
                                AT(queue_full),
                                AT(too_large),
                                AT(preempted),
                                AT(retried),
                                AT(tokens_in),
                                AT(tokens_out),
                                AT(kv_hit_tokens),
                                AT(kv_miss_tokens),
                                AT(within_slo),
                                AT(recomputed_tokens),
                                AT(fetched_tokens),
                                AT(moved_tokens),
                                AT(events),
                                AT(passes.exact),
                                AT(passes.reused),
                                AT(passes.interpolated),
                                AT(passes.simulated),
                                AT(passes.cells)};
static const size_t sums[] = {AT(gpu_hours), AT(cost)};
static const size_t hists[] = {AT(ttft),    AT(ttit),  AT(e2e),         AT(gap),   AT(queue),
                               AT(service), AT(batch), AT(pass_tokens), AT(input), AT(output)};
static const size_t pool_counts[] = {OF(prefill_passes), OF(decode_passes), OF(mixed_passes),
                                     OF(prefill_tokens), OF(decode_tokens), OF(smaller_cp)};
static const size_t pool_sums[] = {OF(busy_s),    OF(up_s),      OF(work_s),
                                   OF(kv_held_s), OF(kv_room_s), OF(flops)};
#define COUNT(x) (sizeof(x) / sizeof(x)[0])

static uint64_t *whole(void *base, size_t at) {
    return (uint64_t *)(void *)((char *)base + at);
}
static double *real(void *base, size_t at) {
    return (double *)(void *)((char *)base + at);
}
static rc_hist *hist(void *base, size_t at) {
    return (rc_hist *)(void *)((char *)base + at);
}

/* Two pools, two objectives; every number is another one, and `by` times what it is of a part with by = 1. */
static rc_serve_result *part(uint64_t by) {
    rc_serve_result *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->pool_count = r->objective_count = 2;
    for (size_t i = 0; i < COUNT(counts); i++)
        *whole(r, counts[i]) = by * (100 + i);
    for (size_t i = 0; i < COUNT(sums); i++)
        *real(r, sums[i]) = (double)by * (200.5 + (double)i);
    for (size_t i = 0; i < COUNT(hists); i++)
        for (uint64_t k = 0; k < by * (i + 1); k++)
            rc_hist_add(hist(r, hists[i]), (int64_t)(1000 * (i + 1)));
    for (int g = 0; g < 2; g++) {
        r->objectives[g].asked = by * (uint64_t)(300 + g);
        r->objectives[g].kept = by * (uint64_t)(310 + g);
        for (uint64_t k = 0; k < by * (uint64_t)(g + 1); k++)
            rc_hist_add(&r->objectives[g].served, 7);
    }
    for (int p = 0; p < 2; p++) {
        rc_pool_result *pool = &r->pools[p];
        for (size_t i = 0; i < COUNT(pool_counts); i++)
            *whole(pool, pool_counts[i]) = by * (400 + 20 * (uint64_t)p + i);
        for (size_t i = 0; i < COUNT(pool_sums); i++)
            *real(pool, pool_sums[i]) = (double)by * (500.25 + 20.0 * p + (double)i);
        for (int k = 0; k < RC_BASIS_COUNT; k++)
            pool->rests[k] = (double)by * (600.0 + 20.0 * p + k);
        for (int k = 0; k < RC_SCHEDULES_MAX; k++)
            pool->by_schedule[k] = by * (uint64_t)(700 + 40 * p + k);
        pool->kv_peak = by == 1 ? 0.25 : 0.75;
        pool->batch_mean = by == 1 ? 8.0 : 4.0;
    }
    r->max_pass_error = by == 1 ? 0.25 : 0.125;
    r->goodput = r->mfu = r->wall_s = (double)by;
    r->hash = by;
    return r;
}

/* A part and another one three times as large are four times the first. */
static void test_sums(void **state) {
    (void)state;
    rc_serve_result *a = part(1), *b = part(3), *four = part(4), *one = part(1);
    rc_serve_result_add(a, b);
    for (size_t i = 0; i < COUNT(counts); i++)
        assert_int_equal(*whole(a, counts[i]), *whole(four, counts[i]));
    for (size_t i = 0; i < COUNT(sums); i++)
        assert_true(*real(a, sums[i]) == *real(four, sums[i]));
    for (size_t i = 0; i < COUNT(hists); i++)
        assert_memory_equal(hist(a, hists[i]), hist(four, hists[i]), sizeof(rc_hist));
    for (int g = 0; g < 2; g++) {
        assert_int_equal(a->objectives[g].asked, four->objectives[g].asked);
        assert_int_equal(a->objectives[g].kept, four->objectives[g].kept);
        assert_memory_equal(&a->objectives[g].served, &four->objectives[g].served, sizeof(rc_hist));
    }
    for (int p = 0; p < 2; p++) {
        rc_pool_result *got = &a->pools[p], *want = &four->pools[p];
        for (size_t i = 0; i < COUNT(pool_counts); i++)
            assert_int_equal(*whole(got, pool_counts[i]), *whole(want, pool_counts[i]));
        for (size_t i = 0; i < COUNT(pool_sums); i++)
            assert_true(*real(got, pool_sums[i]) == *real(want, pool_sums[i]));
        assert_memory_equal(got->rests, want->rests, sizeof got->rests);
        assert_memory_equal(got->by_schedule, want->by_schedule, sizeof got->by_schedule);
        assert_true(got->kv_peak == 0.75);
        assert_true(fabs(got->batch_mean - 5.0) <
                    1e-12); /* 8 over one part of the passes, 4 over three */
    }
    assert_true(a->max_pass_error == 0.25);
    assert_true(a->goodput == one->goodput && a->mfu == one->mfu && a->wall_s == one->wall_s &&
                a->hash == one->hash);
    free(a);
    free(b);
    free(four);
    free(one);
}

/* Nothing decodes in either part: the mean stays. Shares are of what there is, and none of nothing. */
static void test_nothing(void **state) {
    (void)state;
    rc_serve_result *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    assert_true(a && b);
    a->pool_count = b->pool_count = 1;
    a->pools[0].batch_mean = 2.5;
    rc_serve_result_add(a, b);
    assert_true(a->pools[0].batch_mean == 2.5);
    assert_true(isnan(rc_pool_computes(a, 0)) && isnan(rc_pool_work(a, 0)) &&
                isnan(rc_pool_kv_mean(a, 0)));
    b->pools[0] = (rc_pool_result){.replicas = 3,
                                   .groups = 2,
                                   .busy_s = 1.0,
                                   .work_s = 2.0,
                                   .up_s = 8.0,
                                   .kv_held_s = 3.0,
                                   .kv_room_s = 4.0};
    b->admitted = 5;
    assert_true(rc_pool_computes(b, 0) == 0.125 && rc_pool_work(b, 0) == 0.25 &&
                rc_pool_kv_mean(b, 0) == 0.75);
    assert_true(rc_pool_most_load(b, 0) ==
                15.0); /* 3 replicas of 2 groups, 5 requests of 2 s of work */
    free(a);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums), cmocka_unit_test(test_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
