/* Look-ups against a synthetic store whose truth is known (tests/support/cost_store.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/cost/basis.h"
#include "tests/support/cost_store.h"

static rc_costs *costs;

static int setup(void **state) {
    (void)state;
    char path[512];
    rc_machine m = syn_machine();
    if (!syn_write(syn_path(path, sizeof path, "test_cost_lookup"), 0.0) ||
        rc_costs_open(path, &m, &costs, NULL) != RC_OK)
        return -1;
    return unlink(path);
}

static int teardown(void **state) {
    (void)state;
    rc_costs_close(costs);
    return 0;
}

#define RUNS 0.016 /* between two calibrations in bursts, on top of a run's own p10 to p90 */

static void near(double got, double want, double relative) {
    if (!(fabs(got / want - 1.0) <= relative))
        fail_msg("got %.6g, expected %.6g within %.3g %%", got, want, 100.0 * relative);
}

static void fails(rc_status got, rc_status want, const rc_error *err, const char *text) {
    assert_int_equal(got, want);
    assert_string_equal(err->msg, text);
}

static rc_costs *view(const rc_machine *m) {
    rc_costs *v = NULL;
    assert_int_equal(rc_costs_view(costs, m, &v, NULL), RC_OK);
    return v;
}

/* Made-up rows know no tiles: where none is near, the plan of a kernel that has them is off by as
 * much. */
static const double TILES = 0.12;

static void test_points_are_returned(void **state) {
    (void)state;
    rc_cost c;
    assert_int_equal(rc_cost_gemm(costs, RC_BF16, 4096, 2304, 16384, &c, NULL), RC_OK);
    near(c.p50, syn_gemm(4096, 2304, 16384, false), 1e-9);
    near(c.spread, hypot(0.02, RUNS), 1e-9);
    assert_int_equal(c.basis, RC_MEASURED);
    assert_int_equal(rc_cost_gemm(costs, RC_FP8, 64, 16384, 6656, &c, NULL), RC_OK);
    near(c.p50, syn_gemm(64, 16384, 6656, true), 1e-9);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 0, 800, 32000, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    near(c.p50, syn_full(800, 32000, 16), 1e-9);
    assert_int_equal(c.basis, RC_MEASURED);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 8192, 8192, SYN_HEADS(8, 1), &c, NULL),
                     RC_OK);
    near(c.p50, syn_square(8192, 8), 1e-9);
    assert_int_equal(rc_cost_decode(costs, RC_BF16, 4, 65536, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    near(c.p50, syn_decode(4, 65536, 1), 1e-9);
    assert_int_equal(rc_cost_merge(costs, 4096, 4, 128, &c, NULL), RC_OK);
    near(c.p50, syn_stream(4096.0 * (256 * 5 + 16)), 1e-9);
    assert_int_equal(syn_elementwise(costs, "rmsnorm_fp8", 16384, 16384, &c, NULL), RC_OK);
    near(c.p50, syn_stream(16384.0 * 16384 * 3), 1e-9);
    assert_int_equal(syn_rotary(costs, "rotary_kv", 4096, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    near(c.p50, syn_stream(4096.0 * 18 * 128 * 4), 1e-9);
    assert_int_equal(syn_copy(costs, 1048576, &c, NULL), RC_OK);
    near(c.p50, syn_stream(2097152.0), 1e-9);
    assert_int_equal(c.basis, RC_MEASURED);
}

static void test_between_points(void **state) {
    (void)state;
    rc_cost c;
    assert_int_equal(rc_cost_gemm(costs, RC_BF16, 3000, 2304, 16384, &c, NULL), RC_OK);
    near(c.p50, syn_gemm(3000, 2304, 16384, false), 0.01);
    assert_int_equal(c.basis, RC_MEASURED);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 0, 5000, 50000, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    near(c.p50, syn_full(5000, 50000, 16), 0.01);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 20000, 20000, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    near(c.p50, syn_square(20000, 16), 0.01);
    assert_int_equal(c.basis, RC_MEASURED);
    assert_int_equal(rc_cost_decode(costs, RC_BF16, 10, 100000, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    near(c.p50, syn_decode(10, 100000, 1), 0.05);
    assert_int_equal(rc_cost_merge(costs, 100000, 5, 128, &c, NULL), RC_OK);
    near(c.p50, syn_stream(100000.0 * (256 * 6 + 20)), 0.05);
}

static void test_beyond_points(void **state) {
    (void)state;
    rc_cost c;
    assert_int_equal(rc_cost_gemm(costs, RC_BF16, 1000000, 2304, 16384, &c, NULL), RC_OK);
    near(c.p50, syn_gemm(1000000, 2304, 16384, false), 0.01);
    assert_int_equal(c.basis, RC_EXTRAPOLATED);
    assert_int_equal(
        rc_cost_attention(costs, RC_BF16, 1, 1000000, 1000000, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    near(c.p50, syn_square(1e6, 16), TILES);
    assert_int_equal(c.basis, RC_EXTRAPOLATED);
    assert_int_equal(
        rc_cost_attention(costs, RC_BF16, 0, 100000, 1000000, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    near(c.p50, syn_full(1e5, 1e6, 16), TILES);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 0, 1, 16, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    assert_true(c.p50 > 2e-6 && c.p50 < 6e-6);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 3, 3, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    assert_true(c.p50 > 1e-6 && c.p50 < 6e-6);
    assert_int_equal(syn_copy(costs, 1000, &c, NULL), RC_OK);
    near(c.p50, syn_stream(2000.0), 0.01);
    assert_int_equal(c.basis, RC_EXTRAPOLATED);
}

static void test_prefix_is_modelled(void **state) {
    (void)state;
    rc_cost c;
    static const int64_t tq[] = {512, 3200, 12800}, p[] = {4096, 32000, 120000};
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, tq[i], tq[i] + p[j],
                                               SYN_HEADS(16, 1), &c, NULL),
                             RC_OK);
            double q = (double)tq[i], k = (double)p[j];
            near(c.p50, syn_square(q, 16) + syn_full(q, k, 16) - 5e-6, TILES);
            assert_int_equal(c.basis, RC_MODELLED);
        }
    }
    /* fewer keys than queries: the first queries see none */
    rc_cost d;
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 9000, 2048, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 2048, 2048, SYN_HEADS(16, 1), &d, NULL),
                     RC_OK);
    near(c.p50, d.p50, 1e-12);
}

/* Rows behind a prefix, 20 % slower than the model would have it. */
static void test_prefix_is_corrected(void **state) {
    (void)state;
    char path[512];
    rc_machine m = syn_machine();
    syn_store s = {.seed = 1};
    assert_int_equal(rc_rows_create(&s.rows, NULL), RC_OK);
    syn_attention(&s, "h200-sxm", 16);
    for (int64_t tq = 800; tq <= 12800; tq *= 4)
        for (int64_t p = 4096; p <= 131072; p *= 4)
            syn_add(&s, "h200-sxm", "burst", "attention", "causal", "bf16", tq, tq + p, 16, 1,
                    1.2 * (syn_square((double)tq, 16) + syn_full((double)tq, (double)p, 16) - 5e-6),
                    "measured");
    (void)unlink(syn_path(path, sizeof path, "test_cost_prefix"));
    rc_costs *v = NULL;
    assert_false(s.failed);
    assert_int_equal(rc_store_write(path, &s.rows, 1, NULL), RC_OK);
    assert_int_equal(rc_costs_open(path, &m, &v, NULL), RC_OK);
    rc_rows_free(s.rows);
    (void)unlink(path);
    rc_cost c, zero, one;
    assert_int_equal(
        rc_cost_attention(v, RC_BF16, 1, 3200, 3200 + 16384, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    near(c.p50, 1.2 * (syn_square(3200, 16) + syn_full(3200, 16384, 16) - 5e-6), 1e-9);
    assert_int_equal(c.basis, RC_MEASURED);
    assert_int_equal(
        rc_cost_attention(v, RC_BF16, 1, 2000, 2000 + 30000, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    near(c.p50, 1.2 * (syn_square(2000, 16) + syn_full(2000, 30000, 16) - 5e-6), TILES);
    assert_int_equal(rc_cost_attention(v, RC_BF16, 1, 3200, 3200, SYN_HEADS(16, 1), &zero, NULL),
                     RC_OK);
    assert_int_equal(rc_cost_attention(v, RC_BF16, 1, 3200, 3201, SYN_HEADS(16, 1), &one, NULL),
                     RC_OK);
    near(one.p50, zero.p50, 0.02); /* no jump at the first key of a prefix */
    assert_int_equal(rc_cost_attention(v, RC_BF16, 1, 100000, 400000, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    assert_int_equal(c.basis, RC_MODELLED);
    rc_costs_close(v);
}

static void test_other_heads(void **state) {
    (void)state;
    rc_cost c;
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 0, 3200, 32000, SYN_HEADS(32, 2), &c, NULL),
                     RC_OK);
    near(c.p50, syn_full(6400, 32000, 16), 0.01); /* the same group: twice the rows */
    assert_int_equal(c.basis, RC_MODELLED);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 0, 12800, 32000, SYN_HEADS(4, 1), &c, NULL),
                     RC_OK);
    near(c.p50, syn_full(12800, 32000, 4), 0.01);
    assert_int_equal(c.basis, RC_MODELLED);
    assert_int_equal(
        rc_cost_attention(costs, RC_BF16, 1, 32768, 32768, SYN_HEADS(128, 8), &c, NULL), RC_OK);
    near(c.p50, syn_square(32768, 128), 0.03);
    assert_int_equal(rc_cost_decode(costs, RC_BF16, 2, 65536, SYN_HEADS(32, 2), &c, NULL), RC_OK);
    near(c.p50, syn_decode(4, 65536, 1), 0.03);
    assert_int_equal(c.basis, RC_MODELLED);
}

/* A rule answers, whatever the rows under it rest on. */
static void test_rules_are_modelled(void **state) {
    (void)state;
    rc_cost one, half, c;
    rc_error err = {0};
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 3200, 3200, SYN_HEADS(16, 1), &one, NULL),
                     RC_OK);
    assert_int_equal(one.basis, RC_MEASURED);
    int64_t entries = 2 * (3200 * 3201 / 2); /* two sequences: 6400 rows of 1601 keys */
    assert_int_equal(
        rc_cost_attention_fused(costs, RC_BF16, 6400, entries, &one, SYN_HEADS(16, 1), &c, &err),
        RC_OK);
    assert_int_equal(c.basis, RC_MODELLED);
    assert_int_equal(
        rc_cost_attention(costs, RC_BF16, 0, 6400, 1601, SYN_HEADS(16, 1), &half, NULL), RC_OK);
    assert_true(half.basis != RC_MODELLED && c.p50 == half.p50);
    half.p50 *= 3.0; /* a call of its own that takes longer than both together */
    assert_int_equal(
        rc_cost_attention_fused(costs, RC_BF16, 6400, entries, &half, SYN_HEADS(16, 1), &c, &err),
        RC_OK);
    assert_true(c.p50 == half.p50);

    assert_int_equal(rc_cost_decode(costs, RC_BF16, 2, 65536, SYN_HEADS(16, 1), &one, NULL), RC_OK);
    assert_int_equal(
        rc_cost_decode_ragged(costs, RC_BF16, 2, 65536, 65536, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    assert_true(one.basis != RC_MODELLED && c.basis == RC_MODELLED && c.p50 == one.p50);

    assert_int_equal(syn_rotary(costs, "rotary_kv", 4096, SYN_HEADS(16, 1), &one, NULL), RC_OK);
    assert_int_equal(syn_rotary(costs, "rotary_kv_fp8", 4096, SYN_HEADS(16, 1), &c, NULL), RC_OK);
    assert_true(one.basis != RC_MODELLED && c.basis == RC_MODELLED && c.p50 == one.p50);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 6400, 3200, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    assert_int_equal(c.basis, RC_MODELLED); /* queries that see nothing, left out */
}

static void test_basis_words(void **state) {
    (void)state;
    char text[RC_BASIS_TEXT];
    double amount[RC_BASIS_COUNT] = {0}, share[RC_BASIS_COUNT];
    rc_basis_share(amount, share);
    assert_string_equal(rc_basis_text(share, text, sizeof text), "nothing");
    amount[RC_TRANSFERRED] = 6.0;
    amount[RC_STATED] = 2.0;
    amount[RC_MODELLED] = 0.001;
    rc_basis_share(amount, share);
    assert_string_equal(rc_basis_text(share, text, sizeof text),
                        "carried over from another GPU or clock 75.0 %, stated in a file 25.0 %");
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        amount[b] = 1.0;
    rc_basis_share(amount, share);
    assert_true(strlen(rc_basis_text(share, text, sizeof text)) < RC_BASIS_TEXT - 1);
}

static void test_other_shapes(void **state) {
    (void)state;
    rc_cost c;
    assert_int_equal(rc_cost_gemm(costs, RC_BF16, 8192, 7168, 8192, &c, NULL), RC_OK);
    near(c.p50, syn_gemm(8192, 7168, 8192, false), 0.05);
    assert_int_equal(c.basis, RC_MODELLED);
    assert_int_equal(rc_cost_gemm(costs, RC_BF16, 1, 16032, 16384, &c, NULL), RC_OK);
    near(c.p50, syn_gemm(1, 16032, 16384, false), 0.05);
    assert_int_equal(syn_elementwise(costs, "swiglu", 8192, 3584, &c, NULL), RC_OK);
    near(c.p50, syn_stream(8192.0 * 3584 * 6), 0.05);
    assert_int_equal(c.basis, RC_MODELLED);
    assert_int_equal(syn_rotary(costs, "rotary_kv", 8192, SYN_HEADS(8, 1), &c, NULL), RC_OK);
    near(c.p50, syn_stream(8192.0 * 10 * 128 * 4), 0.05);
}

static void test_nothing_costs_nothing(void **state) {
    (void)state;
    rc_cost c = {.p50 = 1.0};
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 0, 0, 100, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    assert_true(c.p50 == 0.0);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 100, 0, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    assert_true(c.p50 == 0.0);
    assert_int_equal(rc_cost_gemm(costs, RC_BF16, 0, 16, 16, &c, NULL), RC_OK);
    assert_true(c.p50 == 0.0);
    assert_int_equal(rc_cost_merge(costs, 1000, 1, 128, &c, NULL), RC_OK);
    assert_true(c.p50 == 0.0);
    assert_int_equal(syn_copy(costs, 0, &c, NULL), RC_OK);
    assert_true(c.p50 == 0.0);
}

/* Half the matrix rate doubles what the matrix units bind; a quarter of the HBM rate adds three
 * times the traffic to what HBM binds, and leaves the rest of it as it was. */
static void test_transfer(void **state) {
    (void)state;
    rc_machine m = syn_machine();
    (void)snprintf(m.name, sizeof m.name, "other");
    m.gemm_ratio = 0.5;
    m.attention_ratio = 0.8;
    m.hbm_ratio = 0.25;
    m.ratio_spread = 0.05;
    rc_costs *v = view(&m);
    rc_cost a, b;
    assert_int_equal(rc_cost_gemm(costs, RC_BF16, 16384, 13312, 16384, &a, NULL), RC_OK);
    assert_int_equal(rc_cost_gemm(v, RC_BF16, 16384, 13312, 16384, &b, NULL), RC_OK);
    near(b.p50, a.p50 * 2.0, 1e-4);
    assert_int_equal(b.basis, RC_TRANSFERRED);
    near(b.spread, hypot(hypot(0.02, RUNS), 0.05), 1e-9);
    assert_int_equal(rc_cost_gemm(costs, RC_FP8, 1, 13312, 16384, &a, NULL), RC_OK);
    assert_int_equal(rc_cost_gemm(v, RC_FP8, 1, 13312, 16384, &b, NULL), RC_OK);
    double copy = 0.9 * m.base_hbm_rate, weights = 13312.0 * 16384.0 + 16384.0 + 2.0 * 13312.0;
    near(b.p50, a.p50 + 3.0 * weights / copy, 1e-9);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 32768, 32768, SYN_HEADS(16, 1), &a, NULL),
                     RC_OK);
    assert_int_equal(rc_cost_attention(v, RC_BF16, 1, 32768, 32768, SYN_HEADS(16, 1), &b, NULL),
                     RC_OK);
    near(b.p50, a.p50 / 0.8, 1e-4);
    assert_int_equal(syn_elementwise(costs, "swiglu", 16384, 6656, &a, NULL), RC_OK);
    assert_int_equal(syn_elementwise(v, "swiglu", 16384, 6656, &b, NULL), RC_OK);
    near(b.p50, a.p50 + 3.0 * 16384.0 * 6656.0 * 6.0 / copy, 1e-9);
    rc_costs_close(v);
}

static void test_views(void **state) {
    (void)state;
    rc_machine m = syn_machine();
    rc_error err;
    rc_cost a, b;
    m.gemm_ratio = 0.5;
    assert_int_equal(rc_cost_gemm(costs, RC_BF16, 16384, 13312, 16384, &a, NULL), RC_OK);
    rc_costs *v = view(&m);
    assert_true(rc_costs_machine(v)->gemm_ratio == 0.5);
    rc_costs_close(v);
    m.gemm_ratio = 1.0;
    v = view(&m);
    assert_int_equal(rc_cost_gemm(v, RC_BF16, 16384, 13312, 16384, &b, NULL), RC_OK);
    assert_true(a.p50 == b.p50 && b.basis == RC_MEASURED);
    (void)snprintf(m.state, sizeof m.state, "sustained");
    rc_costs *none = NULL;
    fails(rc_costs_view(costs, &m, &none, &err), RC_E_INPUT, &err,
          "machine 'h200-sxm' rests on 'h200-sxm' (sustained); these costs are of 'h200-sxm' "
          "(burst)");
    rc_costs_close(v);
}

/* Hot rows exist of a few attention points, 10 % slower; they stand for the rest of attention. */
static void test_states(void **state) {
    (void)state;
    char path[512];
    rc_machine m = syn_machine();
    rc_costs *v = NULL;
    rc_cost c;
    (void)snprintf(m.state, sizeof m.state, "sustained");
    assert_true(syn_write(syn_path(path, sizeof path, "test_cost_states"), 0.0));
    assert_int_equal(rc_costs_open(path, &m, &v, NULL), RC_OK);
    (void)unlink(path);
    assert_int_equal(rc_cost_attention(v, RC_BF16, 0, 3200, 32000, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    near(c.p50, 1.1 * syn_full(3200, 32000, 16), 1e-9);
    assert_int_equal(c.basis, RC_MEASURED);
    assert_int_equal(rc_cost_attention(v, RC_BF16, 0, 3200, 128000, SYN_HEADS(16, 1), &c, NULL),
                     RC_OK);
    near(c.p50, 1.1 * syn_full(3200, 128000, 16), 1e-9);
    assert_int_equal(c.basis, RC_TRANSFERRED);
    assert_int_equal(rc_cost_gemm(v, RC_BF16, 4096, 2304, 16384, &c, NULL), RC_OK);
    near(c.p50, syn_gemm(4096, 2304, 16384, false), 1e-9);
    assert_int_equal(c.basis, RC_MODELLED); /* no GEMM was measured in both: the ratio is a guess */
    rc_costs_close(v);
}

/* Weights without rows: never slower than the type they are multiplied in, never faster than their
 * bytes or their multiplications allow, and never called measured. */
static void test_quantised_gemm(void **state) {
    (void)state;
    static const struct {
        rc_dtype dtype, math;
        double bytes; /* a weight, scales included */
    } t[] = {{RC_INT4, RC_BF16, 0.5 + 2.0 / 128.0},
             {RC_W8A16, RC_BF16, 1.0},
             {RC_MXFP4, RC_BF16, 0.5 + 1.0 / 32.0},
             {RC_NVFP4, RC_BF16, 0.5 + 1.0 / 16.0},
             {RC_W4A8, RC_FP8, 0.5 + 2.0 / 128.0},
             {RC_INT8, RC_FP8, 1.0},
             {RC_FP8_BLOCK, RC_FP8, 1.0}};
    const int64_t n = 2304, k = 16384;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        double before = 0.0;
        for (int64_t m = 1; m <= 65536; m *= 4) {
            rc_cost own, rows, large;
            assert_int_equal(rc_cost_gemm(costs, t[i].dtype, m, n, k, &own, NULL), RC_OK);
            assert_int_equal(rc_cost_gemm(costs, t[i].math, m, n, k, &rows, NULL), RC_OK);
            assert_int_equal(rc_cost_gemm(costs, t[i].math, 4096, n, k, &large, NULL), RC_OK);
            double fewer = t[i].bytes / rc_dtype_bytes(t[i].math);
            assert_int_equal(own.basis, RC_MODELLED);
            assert_true(own.p50 <= rows.p50);
            assert_true(own.p50 >= fewer * rows.p50 * 0.999);
            assert_true(m > 4096 || own.p50 >= large.p50 * (double)m / 4096 * 0.999);
            assert_true(m < 4096 || own.p50 == rows.p50);
            assert_true(own.p50 >= before * 0.999);
            before = own.p50;
        }
        /* one token: the weights are all the time there is above the floor of 2 us */
        rc_cost own, rows;
        assert_int_equal(rc_cost_gemm(costs, t[i].dtype, 1, n, k, &own, NULL), RC_OK);
        assert_int_equal(rc_cost_gemm(costs, t[i].math, 1, n, k, &rows, NULL), RC_OK);
        near((own.p50 - 2e-6) / (rows.p50 - 2e-6), t[i].bytes / rc_dtype_bytes(t[i].math), 2e-3);
    }
}

static void test_refusals(void **state) {
    (void)state;
    rc_cost c;
    rc_error err;
    fails(rc_cost_gemm(costs, RC_BF16, -1, 16, 16, &c, &err), RC_E_INPUT, &err,
          "gemm: tokens is -1; expected 0 to 2^52");
    fails(rc_cost_gemm(costs, RC_FP32, 1, 16, 16, &c, &err), RC_E_UNMODELLED, &err,
          "gemm in fp32 is not modelled: rows exist of bf16 and fp8 only");
    fails(rc_cost_attention(costs, RC_BF16, 0, 1, 16, SYN_HEADS(12, 8), &c, &err), RC_E_INPUT, &err,
          "attention: 12 query heads on 8 KV heads; expected a multiple of the KV heads");
    fails(rc_cost_merge(costs, 10, 0, 128, &c, &err), RC_E_INPUT, &err,
          "merge: parts is 0; expected 1 to 2^52");
    fails(syn_elementwise(costs, "swigluu", 1, 1, &c, &err), RC_E_INPUT, &err,
          "'swigluu' is no op; did you mean 'swiglu'?");
    fails(syn_rotary(costs, "rotary_kv", 1, SYN_HEADS(0, 1), &c, &err), RC_E_INPUT, &err,
          "rotary_kv: query heads is 0; expected 1 to 2^52");
    fails(syn_copy(costs, -1, &c, &err), RC_E_INPUT, &err, "copy: bytes is -2; expected 0 to 2^52");
}

/* What was measured with heads of 128 elements says nothing of others. */
static void test_other_head_sizes(void **state) {
    (void)state;
    rc_cost c;
    rc_error err;
    rc_heads small = {16, 1, 64, 64}, latent = {16, 1, 192, 128};
    rc_axes windowed = {{[RC_AXIS_BATCH] = 4,
                         [RC_AXIS_CONTEXT] = 1000,
                         [RC_AXIS_QUERY_HEADS] = 16,
                         [RC_AXIS_KV_HEADS] = 1,
                         [RC_AXIS_HEAD_K] = 128,
                         [RC_AXIS_HEAD_V] = 128,
                         [RC_AXIS_WINDOW] = 512}};
    /* other sizes: the rows of 128, in proportion to the elements but for 4 us */
    rc_cost usual;
    assert_int_equal(
        rc_cost_attention(costs, RC_BF16, 0, 800, 1000, SYN_HEADS(16, 1), &usual, &err), RC_OK);
    assert_int_equal(rc_cost_attention(costs, RC_BF16, 0, 800, 1000, small, &c, &err), RC_OK);
    near(c.p50, 4e-6 + (usual.p50 - 4e-6) * 0.5, 1e-9);
    assert_int_equal(c.basis, RC_MODELLED);
    assert_true(c.spread >= 0.2 &&
                usual.spread < 0.2); /* stated, of sizes that were not measured */
    for (int tk = 400; tk <= 1600; tk *= 2) {
        assert_int_equal(
            rc_cost_attention(costs, RC_BF16, 1, 800, tk, SYN_HEADS(16, 1), &usual, &err), RC_OK);
        assert_int_equal(rc_cost_attention(costs, RC_BF16, 1, 800, tk, latent, &c, &err), RC_OK);
        near(c.p50, 4e-6 + (usual.p50 - 4e-6) * 1.25, 1e-9);
        assert_true(c.spread >= 0.2 && usual.spread < 0.2);
    }
    assert_int_equal(rc_cost_decode(costs, RC_BF16, 4, 1000, SYN_HEADS(16, 1), &usual, &err),
                     RC_OK);
    assert_int_equal(rc_cost_decode(costs, RC_BF16, 4, 1000, small, &c, &err), RC_OK);
    near(c.p50, 4e-6 + (usual.p50 - 4e-6) * 0.5, 1e-9);
    assert_true(c.spread >= 0.2 && usual.spread < 0.2);
    const rc_heads large = {16, 1, 192, 192}; /* half as many elements more */
    for (int causal = 0; causal < 2; causal++) {
        assert_int_equal(rc_cost_attention(costs, RC_BF16, causal, 800, 1000, large, &c, &err),
                         RC_OK);
        assert_true(c.spread >= 0.2);
    }
    assert_int_equal(rc_cost_decode(costs, RC_BF16, 4, 1000, large, &c, &err), RC_OK);
    assert_true(c.spread >= 0.2);
    fails(
        rc_cost_op(costs, RC_COST_DECODE, RC_BF16, &windowed, &c, &err), RC_E_UNMODELLED, &err,
        "decode in bf16 with head dimension 128, window 512 has not been measured: there are rows "
        "of head dimension 128");
    assert_int_equal(rc_cost_merge(costs, 4096, 4, 128, &usual, &err), RC_OK);
    assert_int_equal(rc_cost_merge(costs, 8192, 4, 64, &c, &err), RC_OK); /* as many elements */
    near(c.p50, usual.p50, 1e-9);
    assert_int_equal(c.basis, RC_MODELLED);
}

/* An op that is an entry of the table and nothing else in the simulator: rows of it are read,
 * priced at the sizes that were measured, and refused at others. */
static void test_an_op_of_the_table_alone(void **state) {
    (void)state;
    static const char rows[] =
        "machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,temp_"
        "c,"
        "date,driver,cuda,nccl,kernel,commit,source,head_k,head_v,window,experts,top_k\n"
        "h200-sxm,g,burst,grouped_gemm,,fp8,1024,4096,7168,0,1e-4,1e-4,1e-4,9,,,,d,r,c,n,k,x,"
        "measured,0,"
        "0,0,32,8\n"
        "h200-sxm,g,burst,grouped_gemm,,fp8,4096,4096,7168,0,4e-4,4e-4,4e-4,9,,,,d,r,c,n,k,x,"
        "measured,0,"
        "0,0,32,8\n"
        "h200-sxm,g,burst,grouped_gemm,,fp8,4096,4096,7168,0,7e-4,7e-4,7e-4,9,,,,d,r,c,n,k,x,"
        "measured,0,"
        "0,0,64,8\n";
    char path[512];
    rc_rows *r = NULL;
    rc_costs *v = NULL;
    rc_machine m = syn_machine();
    rc_error err;
    rc_cost c;
    assert_int_equal(rc_store_parse_csv("t.csv", rows, sizeof rows - 1, &r, NULL), RC_OK);
    (void)unlink(syn_path(path, sizeof path, "test_cost_table"));
    assert_int_equal(rc_store_write(path, &r, 1, NULL), RC_OK);
    assert_int_equal(rc_costs_open(path, &m, &v, NULL), RC_OK);
    (void)unlink(path);
    assert_int_equal(rc_cost_row(v, rc_rows_at(r, 2), &c, NULL), RC_OK);
    near(c.p50, 7e-4, 1e-12);
    assert_int_equal(c.basis, RC_MEASURED);
    rc_axes at = {{[RC_AXIS_TOKENS] = 2048,
                   [RC_AXIS_OUTPUTS] = 4096,
                   [RC_AXIS_INPUTS] = 7168,
                   [RC_AXIS_EXPERTS] = 32,
                   [RC_AXIS_TOP_K] = 8}};
    assert_int_equal(rc_cost_named(v, "grouped_gemm", RC_FP8, &at, &c, NULL), RC_OK);
    near(c.p50, 2e-4, 1e-9);
    at.at[RC_AXIS_EXPERTS] = 16;
    fails(rc_cost_named(v, "grouped_gemm", RC_FP8, &at, &c, &err), RC_E_UNMODELLED, &err,
          "grouped_gemm in fp8 of these sizes has not been measured");
    fails(rc_cost_named(costs, "grouped_gemm", RC_FP8, &at, &c, &err), RC_E_INPUT, &err,
          "the calibration store has no rows of grouped_gemm for machine 'h200-sxm' (base of "
          "'h200-sxm')");
    rc_costs_close(v);
    rc_rows_free(r);
}

static void test_no_rows(void **state) {
    (void)state;
    char path[512];
    rc_machine m = syn_machine();
    rc_costs *v = NULL;
    rc_cost c;
    rc_error err;
    (void)snprintf(m.name, sizeof m.name, "mine");
    (void)snprintf(m.base, sizeof m.base, "nobody");
    assert_true(syn_write(syn_path(path, sizeof path, "test_cost_none"), 0.0));
    assert_int_equal(rc_costs_open(path, &m, &v, NULL), RC_OK);
    (void)unlink(path);
    fails(rc_cost_gemm(v, RC_FP8, 1, 16, 16, &c, &err), RC_E_INPUT, &err,
          "the calibration store has no rows of gemm in fp8 for machine 'nobody' (base of 'mine')");
    fails(rc_cost_attention(v, RC_BF16, 1, 1, 16, SYN_HEADS(16, 1), &c, &err), RC_E_INPUT, &err,
          "the calibration store has no rows of attention (causal) for machine 'nobody' (base of "
          "'mine')");
    fails(rc_cost_decode(v, RC_BF16, 1, 16, SYN_HEADS(16, 1), &c, &err), RC_E_INPUT, &err,
          "the calibration store has no rows of decode for machine 'nobody' (base of 'mine')");
    rc_costs_close(v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_are_returned),
        cmocka_unit_test(test_between_points),
        cmocka_unit_test(test_beyond_points),
        cmocka_unit_test(test_prefix_is_modelled),
        cmocka_unit_test(test_prefix_is_corrected),
        cmocka_unit_test(test_other_heads),
        cmocka_unit_test(test_rules_are_modelled),
        cmocka_unit_test(test_basis_words),
        cmocka_unit_test(test_other_shapes),
        cmocka_unit_test(test_nothing_costs_nothing),
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_quantised_gemm),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_other_head_sizes),
        cmocka_unit_test(test_an_op_of_the_table_alone),
        cmocka_unit_test(test_no_rows),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
