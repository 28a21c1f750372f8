/* Flows on links that are shared max-min fairly, where the answer is known: processor sharing of one link,
 * levels of a few links worked out by hand, caps, and a flow that starts later than it takes its share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
// clang-format off
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include "sim/serve/fair_links.h"

#define GB 1e9 /* of bytes, and of bytes/s */

static rc_error err;

static fair_links *links(const double *rate, uint32_t count) {
    fair_links *n = NULL;
    assert_int_equal(fair_links_create(rate, count, &n, &err), RC_OK);
    return n;
}

static void add(fair_links *n, fair_flow f, rc_time now) {
    assert_int_equal(fair_links_add(n, &f, now, &err), RC_OK);
}

static void near(double found, double expected) {
    if (fabs(found - expected) > 1e-9 * fabs(expected))
        fail_msg("found %.12g, expected %.12g", found, expected);
}

/* The next flow ends at `s` seconds and is this one. */
static void ends(fair_links *n, uint32_t arg, double s) {
    rc_time now = fair_links_next(n);
    near((double)now / RC_PS_PER_S, s);
    assert_int_equal(fair_links_take(n, now), arg);
}

/* Of n flows of one link the k smallest have ended when the link has moved them whole and as much of each
 * other as of the k-th: sum over i <= k of (n - i + 1) (b_i - b_(i-1)) / rate. */
static void processor_sharing(uint32_t senders) {
    enum { FLOWS = 40 };
    double rate[FLOWS + 1], time = 0.0, before = 0.0;
    for (uint32_t i = 0; i < senders; i++)
        rate[i] = 100 * GB;
    rate[senders] = 4 * GB;
    fair_links *n = links(rate, senders + 1);
    for (uint32_t i = 0; i < FLOWS; i++) /* the largest first */
        add(n,
            (fair_flow){.from = i % senders,
                        .to = senders,
                        .cap = 100 * GB,
                        .bytes = GB * (FLOWS - i),
                        .arg = i},
            0);
    for (uint32_t k = 1; k <= FLOWS; k++) {
        time += (FLOWS - k + 1) * (GB * k - before) / (4 * GB);
        before = GB * k;
        ends(n, FLOWS - k, time);
    }
    assert_int_equal(fair_links_next(n), RC_TIME_NEVER);
    fair_links_destroy(n);
}

static void test_one_pair(void **state) {
    (void)state;
    processor_sharing(1);
}

static void test_one_receiver(void **state) {
    (void)state;
    processor_sharing(40);
    processor_sharing(7);
}

/* Links a, b send 12 and 10; c, d receive 6 and 20; flows a-c, b-c, a-d twice, b-d. Receiver c has the least
 * share, 3 for each. What a has left is 9 for two flows, b 7 for one; d would give 20 / 3 to each: the
 * flows of a-d run at 4.5, and b-d at 7, which is less than the 11 that they leave. */
static void test_levels(void **state) {
    (void)state;
    static const double rate[] = {12 * GB, 10 * GB, 6 * GB, 20 * GB};
    fair_links *n = links(rate, 4);
    static const uint32_t from[] = {0, 1, 0, 0, 1}, to[] = {2, 2, 3, 3, 3};
    for (uint32_t i = 0; i < 5; i++)
        add(n,
            (fair_flow){.from = from[i], .to = to[i], .cap = 100 * GB, .bytes = 90 * GB, .arg = i},
            0);
    near(fair_links_rate(n, 0, 2), 3 * GB);
    near(fair_links_rate(n, 1, 2), 3 * GB);
    near(fair_links_rate(n, 0, 3), 4.5 * GB);
    near(fair_links_rate(n, 1, 3), 7 * GB);
    /* b-d ends: b has 7 more, which c does not take. */
    ends(n, 4, 90.0 / 7.0);
    near(fair_links_rate(n, 1, 2), 3 * GB);
    /* One of a-d is dropped: a has 9 for the other one. */
    assert_true(fair_links_drop(n, 2, 13 * (rc_time)RC_PS_PER_S));
    assert_false(fair_links_drop(n, 2, 13 * (rc_time)RC_PS_PER_S));
    near(fair_links_rate(n, 0, 3), 9 * GB);
    ends(n, 3, 13.0 + (90.0 - 13.0 * 4.5) / 9.0);
    ends(n, 0, 30.0);
    ends(n, 1, 30.0);
    fair_links_destroy(n);
}

/* A flow that its cap holds back leaves the rest of the link to the others, and a cap above the share says
 * nothing. */
static void test_caps(void **state) {
    (void)state;
    static const double rate[] = {50 * GB, 50 * GB, 50 * GB, 10 * GB};
    static const double cap[] = {1 * GB, 4 * GB, 40 * GB};
    fair_links *n = links(rate, 4);
    for (uint32_t i = 0; i < 3; i++)
        add(n, (fair_flow){.from = i, .to = 3, .cap = cap[i], .bytes = 10 * GB, .arg = i}, 0);
    near(fair_links_rate(n, 0, 3), 1 * GB);
    near(fair_links_rate(n, 1, 3), 4 * GB);
    near(fair_links_rate(n, 2, 3), 5 * GB);
    ends(n, 2, 2.0);
    near(fair_links_rate(n, 1, 3), 4 * GB); /* its cap now, the link then */
    ends(n, 1, 2.5);
    ends(n, 0, 10.0);
    fair_links_destroy(n);
}

/* It takes its share at once and moves bytes from its start on, whatever comes and goes before that. */
static void test_start(void **state) {
    (void)state;
    static const double rate[] = {10 * GB, 10 * GB, 10 * GB};
    fair_links *n = links(rate, 3);
    const rc_time second = (rc_time)RC_PS_PER_S;
    add(n, (fair_flow){.from = 0, .to = 2, .cap = 10 * GB, .bytes = 20 * GB, .arg = 0}, 0);
    add(n,
        (fair_flow){
            .from = 1, .to = 2, .cap = 10 * GB, .bytes = 20 * GB, .starts = 2 * second, .arg = 1},
        0);
    near(fair_links_rate(n, 0, 2), 5 * GB);
    add(n, (fair_flow){.from = 0, .to = 2, .cap = 10 * GB, .bytes = 20 * GB, .arg = 2}, second);
    assert_true(fair_links_drop(n, 0, second));
    /* 1 starts at 2 s, when 2 has moved 5; both run at 5. */
    ends(n, 2, 5.0);
    ends(n, 1, 2.0 + 3.0 + (20.0 - 15.0) / 10.0);
    fair_links_destroy(n);
}

/* Flows that end at one time are taken by sender, then receiver, then as they came, in whatever order they were
 * added: `held_by_sender` of one sender whose link holds all of them, else each held by a receiver of its own. All
 * numbers are powers of two, so that no rounding tells them apart. */
static void ties(bool held_by_sender) {
    enum { SENDERS = 3, EACH = 5, PAIRS = SENDERS * EACH, TWICE = 2 * PAIRS };
    const double gib = 1073741824.0;
    double rate[SENDERS + PAIRS];
    for (int i = 0; i < SENDERS + PAIRS; i++)
        rate[i] = held_by_sender == (i < SENDERS) ? gib : 1024 * gib;
    for (uint32_t step = 1; step < PAIRS; step++) {
        if (step % 3 == 0 ||
            step % 5 == 0) /* as steps through 15 places these come by some of them only */
            continue;
        fair_links *n = links(rate, SENDERS + PAIRS);
        for (uint32_t i = 0; i < TWICE; i++) {
            const uint32_t pair = (i + 1) * step % PAIRS, from = held_by_sender ? 0 : pair / EACH;
            add(n,
                (fair_flow){.from = from,
                            .to = SENDERS + pair,
                            .cap = 1024 * gib,
                            .bytes = gib,
                            .arg = 2 * pair + i / PAIRS},
                0);
        }
        for (uint32_t i = 0; i < TWICE; i++)
            ends(n, i, held_by_sender ? TWICE : 2.0);
        assert_int_equal(fair_links_next(n), RC_TIME_NEVER);
        fair_links_destroy(n);
    }
}

static void test_ties(void **state) {
    (void)state;
    ties(true);
    ties(false);
}

/* Of three flows that start at 10 s the second goes before that: the other two share 4 GB/s. */
static void goes_before_it_starts(void **state) {
    (void)state;
    const double rate[] = {100 * GB, 4 * GB};
    fair_links *n = links(rate, 2);
    for (uint32_t i = 0; i < 3; i++)
        add(n,
            (fair_flow){.from = 0,
                        .to = 1,
                        .cap = 100 * GB,
                        .bytes = GB * (i + 1),
                        .starts = 10 * (rc_time)RC_PS_PER_S,
                        .arg = i},
            0);
    assert_true(fair_links_drop(n, 1, 0));
    assert_false(fair_links_drop(n, 1, 0));
    ends(n, 0, 10.5); /* 2 GB/s each */
    ends(n, 2, 11.0); /* 2 of 3 GB are left, for 4 GB/s */
    fair_links_destroy(n);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(goes_before_it_starts),
                                       cmocka_unit_test(test_one_pair),
                                       cmocka_unit_test(test_one_receiver),
                                       cmocka_unit_test(test_levels),
                                       cmocka_unit_test(test_caps),
                                       cmocka_unit_test(test_start),
                                       cmocka_unit_test(test_ties)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
