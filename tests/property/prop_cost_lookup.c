/* Look-ups are continuous, rise with work, and never leave the real numbers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/cost_store.h"
#include "tests/support/prop.h"

static const double NOISE = 0.03; /* of the rows of the second store */
static rc_costs *clean, *noisy;

/* What a kernel's plan may lose or win at once where it cuts a call otherwise: a wave more, a split
 * less. Calls of less than LEAST are a launch and the second kernel that puts pieces together: whether
 * there is one is all they depend on. */
static const double PLAN = 0.2, LEAST = 5e-5;

/* What a time that should rise may fall by: rows that disagree stand as they were measured, within
 * what pooling moves them. */
static double slack(const rc_costs *costs) {
    return costs == noisy ? 2.0 * NOISE : 1e-12;
}

static int setup(void **state) {
    (void)state;
    char path[512];
    rc_machine m = syn_machine();
    (void)syn_path(path, sizeof path, "prop_cost");
    if (!syn_write(path, 0.0) || rc_costs_open(path, &m, &clean, NULL) != RC_OK)
        return -1;
    if (!syn_write(path, NOISE) || rc_costs_open(path, &m, &noisy, NULL) != RC_OK)
        return -1;
    return unlink(path);
}

static int teardown(void **state) {
    (void)state;
    rc_costs_close(clean);
    rc_costs_close(noisy);
    return 0;
}

/* Log-uniform in 1 .. 2^bits. */
static int64_t draw(prop_case *c, unsigned bits) {
    return (int64_t)exp2(prop_unit(c) * bits);
}

static double attention(const rc_costs *costs, int causal, int64_t tq, int64_t tk, int hq,
                        int hkv) {
    rc_cost out;
    if (rc_cost_attention(costs, RC_BF16, causal, tq, tk, SYN_HEADS(hq, hkv), &out, NULL) != RC_OK)
        return NAN;
    return isfinite(out.spread) && out.spread >= 0.0 ? out.p50 : NAN;
}

static const int heads[][2] = {{16, 1}, {8, 1}, {32, 2}, {4, 1}, {64, 8}, {128, 8}};

static bool full_rises(prop_case *c) {
    const int *h = heads[prop_below(c, 6)];
    const rc_costs *costs = prop_one_in(c, 2) ? clean : noisy;
    unsigned bits = 1 + c->size * 21 / 100;
    int64_t tq = draw(c, bits), tk = 511 + draw(c, bits), dq = draw(c, bits), dk = draw(c, bits);
    double t = attention(costs, 0, tq, tk, h[0], h[1]);
    double more_q = attention(costs, 0, tq + dq, tk, h[0], h[1]);
    double more_k = attention(costs, 0, tq, tk + dk, h[0], h[1]);
    PROP_CHECK(c, t > 0.0 && (t < LEAST || more_q >= t * (1 - PLAN)),
               "tq %ld+%ld tk %ld: %g then %g", (long)tq, (long)dq, (long)tk, t, more_q);
    PROP_CHECK(c, t < LEAST || more_k >= t * (1 - PLAN), "tq %ld tk %ld+%ld: %g then %g", (long)tq,
               (long)tk, (long)dk, t, more_k);
    return true;
}

/* A causal call: more keys behind the same queries, and more queries behind the same prefix. */
static bool causal_rises(prop_case *c) {
    const int *h = heads[prop_below(c, 6)];
    const rc_costs *costs = prop_one_in(c, 2) ? clean : noisy;
    unsigned bits = 1 + c->size * 19 / 100;
    int64_t tq = draw(c, bits), p = draw(c, bits) - 1, dq = draw(c, bits), dp = draw(c, bits);
    double t = attention(costs, 1, tq, tq + p, h[0], h[1]);
    double more_k = attention(costs, 1, tq, tq + p + dp, h[0], h[1]);
    double more_q = attention(clean, 1, tq + dq, tq + dq + p, h[0], h[1]);
    double less_q = attention(clean, 1, tq, tq + p, h[0], h[1]);
    PROP_CHECK(c, t > 0.0 && (t < LEAST || more_k >= t * (1 - PLAN)),
               "tq %ld P %ld+%ld: %g then %g", (long)tq, (long)p, (long)dp, t, more_k);
    PROP_CHECK(c, less_q < LEAST || more_q >= less_q * (1 - PLAN), "tq %ld+%ld P %ld: %g then %g",
               (long)tq, (long)dq, (long)p, less_q, more_q);
    return true;
}

/* One token more is at most a step of the physical slope, or of the plan. */
static bool attention_is_continuous(prop_case *c) {
    const int *h = heads[prop_below(c, 6)];
    const rc_costs *costs = prop_one_in(c, 2) ? clean : noisy;
    int64_t tq = 64 + draw(c, 17), tk = tq + draw(c, 19);
    int causal = (int)prop_below(c, 2);
    double t = attention(costs, causal, tq, tk, h[0], h[1]);
    double q = attention(costs, causal, tq + 1, tk + 1, h[0], h[1]);
    double k = attention(costs, causal, tq, tk + 1, h[0], h[1]);
    double step = 6.0 / (double)tq + PLAN;
    PROP_CHECK(c, fabs(q / t - 1.0) < step, "causal %d tq %ld tk %ld: %g then %g", causal, (long)tq,
               (long)tk, t, q);
    PROP_CHECK(c, fabs(k / t - 1.0) < step, "causal %d tq %ld tk %ld: %g then %g", causal, (long)tq,
               (long)tk, t, k);
    return true;
}

static bool memory_ops_rise(prop_case *c) {
    static const char *const ops[] = {"rmsnorm", "swiglu_fp8", "residual_add"};
    const char *op = ops[prop_below(c, 3)];
    int64_t tokens = draw(c, 20), width = draw(c, 16), more = draw(c, 18);
    int parts = (int)draw(c, 5);
    rc_cost a, b;
    PROP_CHECK(c, syn_elementwise(noisy, op, tokens, width, &a, NULL) == RC_OK, "%s", op);
    PROP_CHECK(c, syn_elementwise(noisy, op, tokens + more, width, &b, NULL) == RC_OK, "%s", op);
    PROP_CHECK(c, b.p50 >= a.p50 * (1 - slack(noisy)) && a.p50 > 0.0,
               "%s %ld+%ld x %ld: %g then %g", op, (long)tokens, (long)more, (long)width, a.p50,
               b.p50);
    PROP_CHECK(c, rc_cost_merge(noisy, tokens, parts, 128, &a, NULL) == RC_OK, "merge");
    PROP_CHECK(c, rc_cost_merge(noisy, tokens, parts + 1, 128, &b, NULL) == RC_OK, "merge");
    PROP_CHECK(c, b.p50 >= a.p50 * (1 - slack(noisy)), "merge %ld, %d parts: %g then %g",
               (long)tokens, parts, a.p50, b.p50);
    PROP_CHECK(c,
               rc_cost_decode(noisy, RC_BF16, 1 + tokens % 300, width, SYN_HEADS(16, 1), &a,
                              NULL) == RC_OK,
               "decode");
    PROP_CHECK(c,
               rc_cost_decode(noisy, RC_BF16, 2 + tokens % 300, width, SYN_HEADS(16, 1), &b,
                              NULL) == RC_OK,
               "decode");
    PROP_CHECK(c, b.p50 >= a.p50 * (1 - PLAN), "decode %ld", (long)width);
    return true;
}

/* Whatever is asked, the answer is a positive time or an error with a text. */
static bool answers_or_says_why(prop_case *c) {
    int64_t m = prop_range(c, -2, 4) * draw(c, 60), n = prop_range(c, -1, 3) * draw(c, 40);
    int64_t k = prop_range(c, -1, 3) * draw(c, 40);
    int hq = (int)prop_range(c, -1, 300), hkv = (int)prop_range(c, -1, 20);
    rc_cost out = {0};
    rc_error err = {0};
    for (int i = 0; i < 6; i++) {
        rc_status st = RC_OK;
        if (i == 0)
            st = rc_cost_gemm(clean, prop_one_in(c, 2) ? RC_BF16 : RC_FP8, m, n, k, &out, &err);
        else if (i == 1)
            st = rc_cost_attention(clean, RC_BF16, (int)(n & 1), m, k, SYN_HEADS(hq, hkv), &out,
                                   &err);
        else if (i == 2)
            st = rc_cost_decode(clean, RC_BF16, n, m, SYN_HEADS(hq, hkv), &out, &err);
        else if (i == 3)
            st = rc_cost_merge(clean, m, hq, 128, &out, &err);
        else if (i == 4)
            st = syn_elementwise(clean, "swiglu", m, n, &out, &err);
        else
            st = syn_copy(clean, m, &out, &err);
        bool fine = st != RC_OK ? err.msg[0] != '\0'
                                : isfinite(out.p50) && out.p50 >= 0.0 && out.spread >= 0.0;
        PROP_CHECK(c, fine, "call %d, m %ld n %ld k %ld heads %d/%d: status %d, %g", i, (long)m,
                   (long)n, (long)k, hq, hkv, (int)st, out.p50);
    }
    return true;
}

/* Carried over by ratios 1 a time is itself; by better ratios it does not grow. */
static bool transfer_is_monotone(prop_case *c) {
    rc_machine m = syn_machine();
    rc_costs *v = NULL;
    int64_t t = draw(c, 17), n = 1024 + draw(c, 14), k = 1024 + draw(c, 14);
    rc_cost base, fast;
    m.gemm_ratio = 1.0 + prop_unit(c);
    m.bf16_rate *= m.gemm_ratio;
    m.hbm_ratio = 1.0 + prop_unit(c);
    PROP_CHECK(c, rc_costs_view(clean, &m, &v, NULL) == RC_OK, "view");
    bool ok = rc_cost_gemm(clean, RC_BF16, t, n, k, &base, NULL) == RC_OK &&
              rc_cost_gemm(v, RC_BF16, t, n, k, &fast, NULL) == RC_OK;
    rc_costs_close(v);
    PROP_CHECK(c, ok && fast.p50 <= base.p50 * (1 + 1e-12), "%g then %g", base.p50, fast.p50);
    double least = base.p50 / fmax(m.gemm_ratio, m.hbm_ratio);
    PROP_CHECK(c, fast.p50 >= least * (1 - 1e-12), "%g is below %g", fast.p50, least);
    return true;
}

#define PROPERTY(name, size)                                                                       \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        assert_true(prop_run(#name, name, size));                                                  \
    }
PROPERTY(full_rises, 100)
PROPERTY(causal_rises, 100)
PROPERTY(attention_is_continuous, 100)
PROPERTY(memory_ops_rise, 100)
PROPERTY(answers_or_says_why, 100)
PROPERTY(transfer_is_monotone, 100)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_rises),
        cmocka_unit_test(test_causal_rises),
        cmocka_unit_test(test_attention_is_continuous),
        cmocka_unit_test(test_memory_ops_rise),
        cmocka_unit_test(test_answers_or_says_why),
        cmocka_unit_test(test_transfer_is_monotone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
