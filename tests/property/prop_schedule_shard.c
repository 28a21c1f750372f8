/* Load-balanced sharding against brute force: every pair of query and key of small sequences.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/schedule/shard.h"
#include "tests/support/prop.h"
#include "tests/support/shard_entries.h"

enum { MAX_TOKENS = 400 };

typedef struct deal { /* who owns what, dealt token by token */
    int64_t t, p;
    int n;
    int64_t own[16], cached[16];
    int64_t at[16][MAX_TOKENS]; /* positions of a rank's new tokens, ascending */
} deal;

/* Chunk by chunk, in order of position: the first T mod 2N chunks are one longer. */
static void deal_tokens(deal *d) {
    int64_t pos = 0, chunks = 2 * (int64_t)d->n;
    memset(d->own, 0, sizeof d->own);
    for (int c = 0; c < chunks; c++) {
        int owner = c < d->n ? c : 2 * d->n - 1 - c;
        for (int64_t left = d->t / chunks + (c < d->t % chunks ? 1 : 0); left > 0; left--)
            d->at[owner][d->own[owner]++] = pos++;
    }
    memset(d->cached, 0, sizeof d->cached);
    for (int64_t i = 0; i < d->p; i++)
        d->cached[i % d->n]++;
}

static void draw_deal(prop_case *c, deal *d) {
    d->n = (int)prop_range(c, 1, 16);
    d->t = prop_range(c, 0, 3 * (int64_t)c->size);
    d->p = prop_one_in(c, 3) ? 0 : prop_range(c, 0, 2 * (int64_t)c->size);
    deal_tokens(d);
}

static bool sees(const deal *d, int q, int64_t row, int s, int64_t key) {
    return key < d->cached[s] || d->at[s][key - d->cached[s]] <= d->at[q][row];
}

static bool chunks_partition(prop_case *c) {
    deal d;
    draw_deal(c, &d);
    int64_t sum = 0, tokens = 0, cached = 0;
    for (int i = 0; i < 2 * d.n; i++) {
        PROP_CHECK(c, rc_shard_chunk_start(d.t, d.n, i) == sum, "chunk %d of T %ld N %d", i,
                   (long)d.t, d.n);
        sum += rc_shard_chunk(d.t, d.n, i);
    }
    PROP_CHECK(c, sum == d.t, "chunks hold %ld of T %ld", (long)sum, (long)d.t);
    for (int r = 0; r < d.n; r++) {
        int64_t own = rc_shard_tokens(d.t, d.n, r), held = rc_shard_cached(d.p, d.n, r);
        PROP_CHECK(c, own == d.own[r], "rank %d owns %ld, dealt %ld", r, (long)own, (long)d.own[r]);
        PROP_CHECK(c, own == rc_shard_first(d.t, d.n, r) + rc_shard_second(d.t, d.n, r), "rank %d",
                   r);
        /* no rank is more than one token from any other, and ceil(T/N) is enough for a padded
         * message */
        PROP_CHECK(c, own >= d.t / d.n && own <= rc_ceil_div(d.t, d.n),
                   "rank %d of %d owns %ld of %ld", r, d.n, (long)own, (long)d.t);
        PROP_CHECK(c, held == d.cached[r], "rank %d of %d holds %ld of %ld", r, d.n, (long)held,
                   (long)d.p);
        tokens += own;
        cached += held;
    }
    PROP_CHECK(c, tokens == d.t && cached == d.p, "%ld of %ld, %ld of %ld", (long)tokens, (long)d.t,
               (long)cached, (long)d.p);
    return true;
}

static bool entries_are_counted(prop_case *c) {
    deal d;
    draw_deal(c, &d);
    int64_t all = 0;
    for (int q = 0; q < d.n; q++) {
        for (int s = 0; s < d.n; s++) {
            int64_t count = 0;
            for (int64_t row = 0; row < d.own[q]; row++)
                for (int64_t key = 0; key < d.cached[s] + d.own[s]; key++)
                    count += sees(&d, q, row, s, key);
            int64_t e = shard_entries(d.t, d.p, d.n, q, s);
            PROP_CHECK(c, e == count, "%ld for q %d s %d, counted %ld: T %ld P %ld N %d", (long)e,
                       q, s, (long)count, (long)d.t, (long)d.p, d.n);
            all += e;
        }
    }
    PROP_CHECK(c, all == d.t * d.p + d.t * (d.t + 1) / 2, "%ld in all: T %ld P %ld", (long)all,
               (long)d.t, (long)d.p);
    return true;
}

/* Calls cover the last rows of q in order, and the first keys of s (cached, then by position):
 * together they must let each query see each key that it sees by position, once, and no other. */
static bool calls_see_what_they_should(prop_case *c, const deal *d, int q, int s) {
    static int seen[MAX_TOKENS][2 * MAX_TOKENS];
    memset(seen, 0, sizeof seen);
    rc_call calls[2];
    int count = rc_shard_calls(d->t, d->p, d->n, q, s, calls);
    int64_t rows = 0, entries = 0;
    PROP_CHECK(c, count >= 0 && count <= 2, "%d calls", count);
    for (int i = 0; i < count; i++) {
        PROP_CHECK(c, calls[i].tq > 0 && calls[i].tk > 0, "an empty call for q %d s %d", q, s);
        rows += calls[i].tq;
        entries += rc_call_entries(&calls[i]);
    }
    PROP_CHECK(c, entries == shard_entries(d->t, d->p, d->n, q, s), "%ld entries in calls",
               (long)entries);
    PROP_CHECK(c, rows <= d->own[q], "%ld rows of %ld", (long)rows, (long)d->own[q]);
    int64_t row = d->own[q] - rows;
    for (int i = 0; i < count; i++)
        for (int64_t r = 0; r < calls[i].tq; r++, row++)
            for (int64_t k = 0; k < calls[i].tk; k++)
                seen[row][k] += !calls[i].causal || k <= r + calls[i].tk - calls[i].tq;
    for (int64_t r = 0; r < d->own[q]; r++)
        for (int64_t k = 0; k < d->cached[s] + d->own[s]; k++)
            PROP_CHECK(c, seen[r][k] == sees(d, q, r, s, k),
                       "query %ld of rank %d, key %ld of rank %d: %d", (long)r, q, (long)k, s,
                       seen[r][k]);
    return true;
}

static bool calls_cover_the_mask(prop_case *c) {
    deal d;
    draw_deal(c, &d);
    for (int q = 0; q < d.n; q++)
        for (int s = 0; s < d.n; s++)
            if (!calls_see_what_they_should(c, &d, q, s))
                return false;
    return true;
}

static bool work_is_balanced(prop_case *c) {
    int n = (int)prop_range(c, 1, 16);
    int64_t len = prop_range(c, 1, 100000), held = prop_one_in(c, 2) ? 0 : prop_range(c, 0, 100000);
    int64_t t = 2 * n * len, p = n * held;
    for (int q = 0; q < n; q++) {
        for (int s = 0; s < n; s++) {
            int64_t want = 2 * len * len + 2 * len * held + (s == q ? len : 0);
            int64_t e = shard_entries(t, p, n, q, s);
            PROP_CHECK(c, e == want, "%ld, not %ld: N %d c %ld P/N %ld q %d s %d", (long)e,
                       (long)want, n, (long)len, (long)held, q, s);
        }
    }
    return true;
}

static void test_chunks(void **state) {
    (void)state;
    assert_true(prop_run("chunks_partition", chunks_partition, 100));
}

static void test_entries(void **state) {
    (void)state;
    assert_true(prop_run("entries_are_counted", entries_are_counted, 30));
}

static void test_calls(void **state) {
    (void)state;
    assert_true(prop_run("calls_cover_the_mask", calls_cover_the_mask, 30));
}

static void test_balance(void **state) {
    (void)state;
    assert_true(prop_run("work_is_balanced", work_is_balanced, 10));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_balance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
