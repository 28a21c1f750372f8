/* KV caches as engines report them, against the memory model over the machine files.
 *
 * Sources, both vLLM's own logs, a block being 16 tokens:
 *   vllm-project/vllm pull request 12569: Llama 3.1 70B in w8a8 on one H100 80 GB,
 *     gpu-memory-utilization 0.98, max-model-len 2048: weights 67.7229 GiB, 1381 blocks
 *   vllm-project/vllm pull request 2031: Llama 2 7B in 16 bits on one A100 80 GB (81,920 MiB),
 *     gpu-memory-utilization 0.9: 7351 blocks
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/machine/machine.h"
#include "sim/schedule/pass_memory.h"

static const rc_model llama_70b = {.name = "llama-3.1-70b",
                                   .layers = 80,
                                   .hidden = 8192,
                                   .vocab = 128256,
                                   .kinds = 1,
                                   .kind[0] = {.form = "dense",
                                               .heads = 64,
                                               .kv_heads = 8,
                                               .head_dim = 128,
                                               .value_dim = 128,
                                               .ffn = 28672}};
static const rc_model llama_7b = {.name = "llama-2-7b",
                                  .layers = 32,
                                  .hidden = 4096,
                                  .vocab = 32000,
                                  .kinds = 1,
                                  .kind[0] = {.form = "dense",
                                              .heads = 32,
                                              .kv_heads = 32,
                                              .head_dim = 128,
                                              .value_dim = 128,
                                              .ffn = 11008}};

static rc_machine machine_of(const char *name) {
    const char *root = getenv("RC_SOURCE_DIR");
    char path[512];
    rc_machine m;
    (void)snprintf(path, sizeof path, "%s/scenarios/machines/%s.yaml", root != NULL ? root : ".",
                   name);
    assert_int_equal(rc_machine_load(path, &m, NULL), RC_OK);
    return m;
}

/* Tokens of KV on one GPU beside a pass of 2048 tokens. */
static double tokens(const rc_machine *m, const rc_model *model, rc_dtype weights, rc_memory *mem) {
    rc_layout l = {.tp = 1,
                   .cp = 1,
                   .attn_weights = weights,
                   .ffn_weights = weights,
                   .act = RC_BF16,
                   .kv = RC_BF16};
    rc_kv_room room;
    const rc_kv_passes passes = {.longest = 2048};
    assert_int_equal(rc_pass_kv_room(rc_schedule_named("tp"), model, &l, &passes,
                                     rc_machine_usable(m), mem, &room, NULL),
                     RC_OK);
    return room.bytes / room.token;
}

static void near(double got, double want, double relative) {
    if (!(fabs(got / want - 1.0) <= relative))
        fail_msg("got %.8g, published %.8g", got, want);
}

static void test_70b_on_one_h100(void **state) {
    (void)state;
    rc_machine m = machine_of("h100-sxm");
    rc_memory mem;
    assert_int_equal(rc_machine_override(&m, "memory_fraction", 0.98, NULL), RC_OK);
    near(tokens(&m, &llama_70b, RC_FP8, &mem), 1381.0 * 16.0, 0.25);
    near(mem.weights, 67.7229 * 0x1p30, 0.005); /* int8 takes as many bytes as fp8 */
}

static void test_7b_on_one_a100(void **state) {
    (void)state;
    rc_machine m = machine_of("h100-sxm");
    rc_memory mem;
    assert_true(m.memory_fraction == 0.9);
    m.memory = 81920.0 * 0x1p20;
    near(tokens(&m, &llama_7b, RC_BF16, &mem), 7351.0 * 16.0, 0.05);
}

/* What the driver reports, as stated in each file; a calibration found so much of it free. */
static void test_parts(void **state) {
    (void)state;
    rc_machine h100 = machine_of("h100-sxm"), h200 = machine_of("h200-sxm");
    assert_true(h100.memory == 81559.0 * 0x1p20 && h200.memory == 143771.0 * 0x1p20);
    assert_true(h100.memory > 84.4e9 && h100.memory - 84.4e9 < 2e9);
    assert_true(h200.memory > 149.4e9 && h200.memory - 149.4e9 < 2e9);
    near(rc_machine_usable(&h100), 0.9 * h100.memory, 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_70b_on_one_h100),
        cmocka_unit_test(test_7b_on_one_a100),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
