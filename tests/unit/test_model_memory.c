/* What fits: the paper's layout of Llama 405B, every term by hand, and the refusals.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/schedule/pass_memory.h"
#include "sim/schedule/layer.h"

static const rc_model llama = {.name = "llama-3.1-405b",
                               .layers = 126,
                               .hidden = 16384,
                               .vocab = 128256,
                               .kinds = 1,
                               .kind[0] = {.form = "dense",
                                           .heads = 128,
                                           .kv_heads = 8,
                                           .head_dim = 128,
                                           .value_dim = 128,
                                           .ffn = 53248}};
static const rc_layout tp8 = {.tp = 8,
                              .cp = 1,
                              .attn_weights = RC_BF16,
                              .ffn_weights = RC_FP8,
                              .act = RC_BF16,
                              .kv = RC_BF16};

static rc_memory memory(const rc_layout *l, const char *variant, int64_t t, int64_t p) {
    rc_memory mem;
    rc_error err = {0};
    if (rc_pass_memory(rc_schedule_named(variant), &llama, l, t, p, 1, 96e9, &mem, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return mem;
}

static void near(double got, double want, double relative) {
    if (!(fabs(got / want - 1.0) <= relative))
        fail_msg("got %.8g, expected %.8g", got, want);
}

/* One node of the paper: 59.2 GB of matrices, 1.05 GB of embeddings, 128K of context in 96 GB. */
static void test_paper_node(void **state) {
    (void)state;
    rc_memory mem = memory(&tp8, "pass-kv", 128000, 0);
    near(mem.weights, 59.19e9 + 1.05e9, 0.001);
    near(mem.kv, 128000.0 * 126 * 2 * 128 * 2, 1e-12);
    /* residual, fp8 input, gate and up of the FFN */
    near(mem.activations, 128000.0 * (16384 * 2 + 16384 + 2 * 6656 * 2), 1e-12);
    assert_true(mem.buffers == 0.0); /* a ring of one passes nothing */
    near(mem.total, mem.weights + mem.kv + mem.activations + mem.runtime, 1e-12);
    assert_true(mem.total < 96e9);
    assert_int_equal(rc_memory_check(&mem, &llama, &tp8, NULL), RC_OK);
}

static void test_ring_buffers(void **state) {
    (void)state;
    rc_layout l = tp8;
    l.cp = 4;
    double t = 3200.0, p = 28800.0, kv = 2 * 128 * 2.0, q = 16 * 128 * 2.0, part = t * (q + 16 * 4);
    near(memory(&l, "pass-kv", 12800, 115200).buffers, 2 * (t + p) * kv + 4 * part, 1e-12);
    near(memory(&l, "pass-q", 12800, 115200).buffers, 2 * t * q + 8 * part, 1e-12);
    near(memory(&l, "all-gather-kv", 12800, 115200).buffers, 4 * (t + p) * kv, 1e-12);
    assert_true(memory(&l, "tp", 12800, 115200).buffers == 0.0);
    near(memory(&l, "pass-kv", 12801, 115200).kv, 32001.0 * 126 * 2 * 128 * 2, 1e-12);
}

static void test_replicated_kv_heads(void **state) {
    (void)state;
    rc_layout l = tp8;
    l.tp = 16; /* 8 KV heads on 16 GPUs: each still holds one */
    near(memory(&l, "tp", 1, 128000).kv, 128001.0 * 126 * 2 * 128 * 2, 1e-12);
    l.kv = RC_FP8;
    near(memory(&l, "tp", 1, 128000).kv, 128001.0 * 126 * 2 * 128, 1e-12);
}

static void test_weight_types(void **state) {
    (void)state;
    rc_layout l = tp8;
    double fp8 = memory(&l, "tp", 1, 0).weights;
    l.ffn_weights = RC_BF16;
    near(memory(&l, "tp", 1, 0).weights - fp8, 329.75e9 / 8, 0.001);
    l.ffn_weights = RC_INT4; /* half a byte, and a scale of two bytes for 128 */
    near(fp8 - memory(&l, "tp", 1, 0).weights, 329.75e9 / 8 * (0.5 - 2.0 / 128), 0.001);
}

static void refuses(const rc_layout *l, const char *variant, int64_t t, const char *text) {
    rc_memory mem;
    rc_error err = {0};
    assert_int_equal(
        rc_pass_memory(rc_schedule_named(variant), &llama, l, t, 0, 1, 96e9, &mem, &err),
        RC_E_INPUT);
    assert_string_equal(err.msg, text);
}

static void test_refusals(void **state) {
    (void)state;
    rc_layout l = tp8;
    l.tp = 7;
    refuses(&l, "tp", 1, "tp is 7, which does not divide the 128 query heads of llama-3.1-405b");
    l.tp = 0;
    refuses(&l, "tp", 1, "tp is 0 and cp is 1; both must be at least 1");
    refuses(&tp8, "tp", -1, "-1 new and 0 cached tokens; neither may be negative");
    rc_model odd = llama;
    rc_error err;
    odd.kind[0].heads = 96, odd.kind[0].kv_heads = 12;
    assert_int_equal(rc_layout_check(&odd, &tp8, &err), RC_E_INPUT);
    assert_string_equal(err.msg,
                        "tp is 8, which neither divides nor is a multiple of the 12 KV heads "
                        "of llama-3.1-405b");
}

static void test_no_fit(void **state) {
    (void)state;
    rc_error err;
    rc_layout l = tp8;
    l.cp = 4;
    rc_memory mem = memory(&l, "pass-kv", 1000000, 0);
    assert_int_equal(rc_memory_check(&mem, &llama, &l, &err), RC_E_NOFIT);
    assert_string_equal(err.msg,
                        "llama-3.1-405b does not fit on tp 8 x cp 4: weights 60.3 + KV cache "
                        "16.1 + activations 18.9 + buffers 4.4 + runtime 2.0 = 101.8 GB a GPU, "
                        "of which memory_fraction leaves 96.0 GB");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paper_node),
        cmocka_unit_test(test_ring_buffers),
        cmocka_unit_test(test_replicated_kv_heads),
        cmocka_unit_test(test_weight_types),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
