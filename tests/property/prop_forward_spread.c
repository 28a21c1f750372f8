/* Dealing sequences to groups: longest first to the group with least, by a search from end to end. What is left of the pass is the
 * group with most, its sequences and the others in the order in which they were given, and the sums over the others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/forward/forward.h"
#include "sim/schedule/totals.h"
#include "tests/support/prop.h"

enum { MOST = 60, GROUPS = 12 };

static const rc_model model = {
    .name = "m",
    .layers = 2,
    .hidden = 512,
    .vocab = 1000,
    .kinds = 1,
    .kind[0] = {
        .form = "dense", .heads = 8, .kv_heads = 2, .head_dim = 64, .value_dim = 64, .ffn = 1024}};

/* The most of any group. */
static double most_of(const rc_sequence *s, size_t n, int groups) {
    double load[GROUPS] = {0.0}, most = 0.0;
    bool done[MOST] = {false};
    for (size_t k = 0; k < n; k++) {
        size_t next = n;
        int least = 0;
        for (size_t i = 0; i < n; i++)
            if (!done[i] &&
                (next == n || rc_forward_flops(&model, s[i]) > rc_forward_flops(&model, s[next])))
                next = i;
        for (int g = 1; g < groups; g++)
            least = load[g] < load[least] ? g : least;
        load[least] += rc_forward_flops(&model, s[next]);
        done[next] = true;
    }
    for (int g = 0; g < groups; g++)
        most = fmax(most, load[g]);
    return most;
}

/* Whether `part` are some of `all`, in their order; marks which. */
static bool is_part(const rc_sequence *part, size_t n, const rc_sequence *all, size_t count,
                    bool *taken) {
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        while (at < count && (taken[at] || all[at].t != part[i].t || all[at].p != part[i].p))
            at++;
        if (at == count)
            return false;
        taken[at++] = true;
    }
    return true;
}

static bool longest_first(prop_case *c) {
    rc_sequence given[MOST], s[MOST];
    rc_elsewhere e;
    size_t n = (size_t)prop_range(c, 1, 1 + (c->size < MOST - 1 ? c->size : MOST - 1)), own;
    const int groups = (int)prop_range(c, 2, GROUPS);
    const bool alike = prop_one_in(c, 6);
    double flops, rest = 0.0, kept = 0.0;
    int64_t tokens = 0;
    n = n < MOST ? n : MOST;
    for (size_t i = 0; i < n; i++) {
        given[i] =
            (rc_sequence){prop_range(c, 1, 4000), prop_one_in(c, 2) ? 0 : prop_range(c, 1, 100000)};
        if (i > 0 && (alike || prop_one_in(c, 4)))
            given[i] = given[i - 1];
        s[i] = given[i];
    }
    PROP_CHECK(c, rc_spread_sequences(&model, groups, s, n, &own, &e, &flops, NULL) == RC_OK,
               "no memory");
    bool taken[MOST] = {false};
    PROP_CHECK(c, own >= 1 && own <= n && is_part(s, own, given, n, taken), "own ones");
    PROP_CHECK(c, is_part(s + own, n - own, given, n, taken), "the others");
    for (size_t i = 0; i < n; i++) {
        if (i < own)
            kept += rc_forward_flops(&model, s[i]);
        else
            rest += rc_forward_flops(&model, s[i]);
        tokens += i < own ? 0 : s[i].t;
    }
    PROP_CHECK(c, e.tokens == tokens && e.sequences == (int64_t)(n - own), "%lld tokens",
               (long long)e.tokens);
    PROP_CHECK(c, fabs(flops - rest) <= 1e-12 * rest, "%g FLOPs, not %g", flops, rest);
    const double most = most_of(given, n, groups);
    PROP_CHECK(c, fabs(kept - most) <= 1e-12 * most, "%g FLOPs are kept, not %g", kept, most);
    return true;
}

static void test_longest_first(void **state) {
    (void)state;
    assert_true(prop_run("longest_first", longest_first, 60));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_longest_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
