/* What an engine's profile changes of costs: waves of attention tiles that are not split, fp8
 * products that are not the library's best; and the algorithm of all-reduces between nodes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/base/find.h"
#include "sim/cost/cost.h"

static rc_machine gtt;
static rc_costs *costs;

static int setup(void **state) {
    char path[1024];
    (void)state;
    if (rc_share_path("scenarios/machines", "gtt", ".yaml", path, sizeof path, NULL) != RC_OK ||
        rc_machine_load(path, &gtt, NULL) != RC_OK)
        return -1;
    return rc_costs_open(NULL, &gtt, &costs, NULL) == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    rc_costs_close(costs);
    return 0;
}

static void near(double got, double want, double slack) {
    if (!(fabs(got / want - 1.0) <= slack))
        fail_msg("%.6g is not %.6g within %g", got, want, slack);
}

/* Full attention of so many queries over 32,000 keys, 16 heads on one KV head: s. */
static double attention(const rc_machine *m, int64_t queries) {
    rc_costs *view = NULL;
    rc_cost out;
    assert_int_equal(rc_costs_view(costs, m, &view, NULL), RC_OK);
    assert_int_equal(rc_cost_attention(view, RC_BF16, 0, queries, 32000,
                                       (rc_heads){16, 1, 128, 128}, &out, NULL),
                     RC_OK);
    rc_costs_close(view);
    return out.p50;
}

/* Tiles of 128 queries and a head: 16 a row of tiles, and 132 SMs. 3 rows (48 tiles) and 7 (112) are
 * a wave, 9 (144) and 13 (208) are two, 25 (400) are four. */
static void whole_tiles_run_in_waves(void **state) {
    (void)state;
    rc_machine split = gtt;
    split.whole_tiles = false;
    assert_true(gtt.whole_tiles);
    double wave = attention(&gtt, 800);
    near(attention(&gtt, 320), wave, 0.06);
    near(attention(&gtt, 896), wave, 0.06);
    near(attention(&gtt, 1040), 2.0 * wave, 0.08);
    near(attention(&gtt, 1600), 2.0 * wave, 0.08);
    near(attention(&gtt, 3200), 4.0 * wave, 0.1);
    assert_true(attention(&split, 320) < 0.6 * attention(&split, 800));
    near(attention(&gtt, 32000), attention(&split, 32000), 0.05); /* many waves: no matter */
}

static double product(const rc_machine *m, rc_dtype d, int64_t tokens) {
    rc_costs *view = NULL;
    rc_cost out;
    assert_int_equal(rc_costs_view(costs, m, &view, NULL), RC_OK);
    assert_int_equal(rc_cost_gemm(view, d, tokens, 13312, 16384, &out, NULL), RC_OK);
    rc_costs_close(view);
    return out.p50;
}

/* Of 48 experts of one GPU, 7,168 wide. */
static double experts(const rc_machine *m, int64_t at_rows) {
    rc_costs *view = NULL;
    rc_cost out;
    rc_axes at = {{[RC_AXIS_ROWS] = at_rows,
                   [RC_AXIS_INPUTS] = 7168,
                   [RC_AXIS_WIDTH] = 2048,
                   [RC_AXIS_EXPERTS] = 48,
                   [RC_AXIS_TOP_K] = 8}};
    assert_int_equal(rc_costs_view(costs, m, &view, NULL), RC_OK);
    assert_int_equal(rc_cost_named(view, "moe_ffn", RC_FP8, &at, &out, NULL), RC_OK);
    rc_costs_close(view);
    return out.p50;
}

/* Each ratio counts where it binds, and in fp8 alone. */
static void fp8_products_of_an_engine(void **state) {
    (void)state;
    rc_machine best = gtt, slow = gtt;
    best.fp8_matrix = best.fp8_stream = 1.0;
    slow.fp8_matrix = 0.5;
    slow.fp8_stream = 0.8;
    near(product(&slow, RC_FP8, 16384), 2.0 * product(&best, RC_FP8, 16384), 0.02);
    near(product(&slow, RC_FP8, 1), 1.25 * product(&best, RC_FP8, 1), 0.001);
    assert_true(product(&slow, RC_BF16, 16384) == product(&best, RC_BF16, 16384));
    assert_true(product(&slow, RC_BF16, 1) == product(&best, RC_BF16, 1));
    /* rows of experts are of an engine's kernels as they stand */
    assert_true(experts(&slow, 65536) == experts(&best, 65536));
    assert_true(experts(&slow, 64) == experts(&best, 64));
    best.fp8_matrix = best.fp8_stream = 0.0; /* of a machine that no file describes */
    slow.fp8_matrix = slow.fp8_stream = 1.0;
    assert_true(product(&slow, RC_FP8, 300) == product(&best, RC_FP8, 300));
}

static double reduced(const char *algorithm, double bytes, int nodes) {
    rc_machine m = gtt;
    rc_costs *view = NULL;
    rc_cost out;
    (void)snprintf(m.all_reduce, sizeof m.all_reduce, "%s", algorithm);
    assert_int_equal(rc_costs_view(costs, &m, &view, NULL), RC_OK);
    assert_int_equal(
        rc_cost_collective(view, "all_reduce",
                           &(rc_transfer){.bytes = bytes, .ranks = 8 * nodes, .nodes = nodes}, &out,
                           NULL),
        RC_OK);
    rc_costs_close(view);
    return out.p50;
}

/* A ring moves 2 (n - 1) / n of the bytes through a node's eight connections; a small one takes a
 * hop for each node it enters, a tree one for each level. */
static void all_reduces_between_nodes(void **state) {
    (void)state;
    const double large = 4e9, small = 32768;
    for (int nodes = 2; nodes <= 8; nodes *= 2) {
        double n = 8.0 * nodes;
        near(reduced("ring", large, nodes), 2.0 * (n - 1.0) / n * large / (8.0 * gtt.peer_rate),
             0.03);
        for (int i = 0; i < 2; i++) {
            double bytes = i ? large : small, ring = reduced("ring", bytes, nodes),
                   tree = reduced("tree", bytes, nodes);
            assert_true(reduced("auto", bytes, nodes) == fmin(ring, tree));
            assert_true(reduced("", bytes, nodes) == fmin(ring, tree));
        }
    }
    assert_string_equal(gtt.all_reduce, "ring");
    double hop = 0.5 * (gtt.hop_latency - 6.6e-6);
    double more = reduced("tree", small, 4) - reduced("tree", small, 2);
    near(more, 2.0 * hop, 0.02);
    assert_true(reduced("ring", small, 4) - reduced("ring", small, 2) > 3.9 * (hop - 2.3e-6));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_tiles_run_in_waves),
        cmocka_unit_test(fp8_products_of_an_engine),
        cmocka_unit_test(all_reduces_between_nodes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
