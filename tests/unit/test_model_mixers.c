/* Layers read one by one: what mixes their tokens, with every number of a state as a file gives it and as it is without the key,
 * and which layers are of one kind.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/model/mixed.c"
#include "tests/support/model_file.h"

#define NUMBERS                                                                                    \
    "hidden_size: 512, intermediate_size: 1024, num_attention_heads: 8, num_key_value_heads: 8, "  \
    "num_hidden_layers: 2, vocab_size: 1000"
#define NEMOTRON "{architectures: [NemotronHForCausalLM], hybrid_override_pattern: 'M*', " NUMBERS
#define DELTA                                                                                      \
    "{architectures: [Qwen3_5ForCausalLM], layer_types: [linear_attention, "                       \
    "full_attention], " NUMBERS
#define KIMI                                                                                       \
    "{architectures: [KimiLinearForCausalLM], num_experts: 4, num_experts_per_token: 2, "          \
    "moe_intermediate_size: 64, kv_lora_rank: 64, qk_rope_head_dim: 32, qk_nope_head_dim: 64, "    \
    "v_head_dim: 64, linear_attn_config: {kda_layers: [1], " /* and the rest */

static const rc_state_dims *state_of(const char *text, rc_model *m) {
    rc_error err = {0};
    if (model_text(text, m, &err) != RC_OK)
        fail_msg("%s: %s", text, err.msg);
    assert_int_equal(m->kinds, 2);
    assert_int_equal(m->kind[0].mixer, RC_MIX_STATE);
    assert_int_not_equal(m->kind[1].mixer, RC_MIX_STATE);
    assert_int_equal(m->kind[0].heads + m->kind[0].kv_heads + m->kind[0].head_dim, 0);
    return &m->kind[0].state;
}

static void test_numbers_of_states(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rc_state_dims s;
    } t[] = {
        {NEMOTRON ", mamba_num_heads: 6, n_groups: 3, ssm_state_size: 7, mamba_head_dim: 9, "
                  "conv_kernel: 5}",
         {.heads = 6, .key_heads = 3, .key_dim = 7, .value_dim = 9, .conv = 5, .extra = 6}},
        {NEMOTRON ", mamba_num_heads: 6}",
         {.heads = 6, .key_heads = 1, .key_dim = 128, .value_dim = 64, .conv = 4, .extra = 6}},
        {NEMOTRON ", mamba_num_heads: 1, n_groups: 1, ssm_state_size: 1, mamba_head_dim: 1, "
                  "conv_kernel: 0}",
         {.heads = 1, .key_heads = 1, .key_dim = 1, .value_dim = 1, .conv = 0, .extra = 1}},
        {DELTA ", linear_num_value_heads: 6, linear_num_key_heads: 3, linear_key_head_dim: 7, "
               "linear_value_head_dim: 9, linear_conv_kernel_dim: 5}",
         {.heads = 6, .key_heads = 3, .key_dim = 7, .value_dim = 9, .conv = 5, .extra = 12}},
        {DELTA ", linear_num_value_heads: 6}",
         {.heads = 6, .key_heads = 6, .key_dim = 128, .value_dim = 128, .conv = 4, .extra = 12}},
        {KIMI "num_heads: 6, head_dim: 7, short_conv_kernel_size: 5}, " NUMBERS "}",
         {.heads = 6,
          .key_heads = 6,
          .key_dim = 7,
          .value_dim = 7,
          .conv = 5,
          .extra = 6,
          .low_rank = 7}},
        {KIMI "num_heads: 6}, " NUMBERS "}",
         {.heads = 6,
          .key_heads = 6,
          .key_dim = 128,
          .value_dim = 128,
          .conv = 4,
          .extra = 6,
          .low_rank = 128}},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_model m;
        if (!same_state(state_of(t[i].text, &m), &t[i].s))
            fail_msg("%s", t[i].text);
    }
}

/* A state has heads, of keys and of values, and both have elements. */
static void test_states_without_numbers(void **state) {
    (void)state;
    static const char *const t[] = {
        NEMOTRON "}",
        NEMOTRON ", mamba_num_heads: 0}",
        NEMOTRON ", mamba_num_heads: 6, n_groups: 0}",
        NEMOTRON ", mamba_num_heads: 6, ssm_state_size: 0}",
        NEMOTRON ", mamba_num_heads: 6, mamba_head_dim: 0}",
        DELTA "}",
        KIMI "head_dim: 7}, " NUMBERS "}",
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_model m;
        rc_error err = {0};
        if (model_text(t[i], &m, &err) != RC_E_INPUT ||
            !strstr(err.msg, "a layer with a state without the numbers of its heads"))
            fail_msg("%s: %s", t[i], err.msg);
    }
}

/* Latents are of keys with a part that has no position, and of values; one element each is enough. */
static void test_latents(void **state) {
    (void)state;
    static const struct {
        const char *numbers;
        bool read;
    } t[] = {{"qk_nope_head_dim: 1, v_head_dim: 1", true},
             {"qk_nope_head_dim: 7", true}, /* values as large */
             {"qk_nope_head_dim: 0, v_head_dim: 8", false},
             {"qk_nope_head_dim: 8, v_head_dim: 0", false},
             {"v_head_dim: 8", false}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[512];
        rc_model m;
        rc_error err = {0};
        (void)snprintf(text, sizeof text,
                       "{architectures: [DeepseekV3ForCausalLM], n_routed_experts: 8, "
                       "num_experts_per_tok: 2, kv_lora_rank: 64, q_lora_rank: 5, "
                       "qk_rope_head_dim: 3, %s, " NUMBERS "}",
                       t[i].numbers);
        if (model_text(text, &m, &err) != (t[i].read ? RC_OK : RC_E_INPUT) ||
            (!t[i].read && !strstr(err.msg, "latent attention ('kv_lora_rank') without "
                                            "'qk_nope_head_dim' and 'v_head_dim'")))
            fail_msg("%s: %s", t[i].numbers, err.msg);
        if (!t[i].read)
            continue;
        const rc_layer_kind *l = &m.kind[0];
        assert_int_equal(l->mixer, RC_MIX_LATENT);
        assert_int_equal(l->head_dim, i == 0 ? 4 : 10);
        assert_int_equal(l->value_dim, i == 0 ? 1 : 7);
        assert_true(l->kv_heads == 8 && l->latent.kv_rank == 64 && l->latent.q_rank == 5 &&
                    l->latent.rope == 3);
    }
}

/* Chunks of attention are a window, which is said once, however many layers have them; and not where they are as long as the
 * context. */
static void test_chunks(void **state) {
    (void)state;
    static const char text[] =
        "{architectures: [Llama4ForCausalLM], num_local_experts: 8, num_experts_per_tok: 1, "
        "hidden_size: 512, intermediate_size: 1024, num_attention_heads: 8, "
        "num_key_value_heads: 8, num_hidden_layers: 8, vocab_size: 1000, "
        "max_position_embeddings: 4096, attention_chunk_size: %d}";
    for (int chunk = 4095; chunk <= 4096; chunk++) {
        char file[512];
        rc_model m;
        rc_error err = {0};
        int said = 0;
        (void)snprintf(file, sizeof file, text, chunk);
        if (model_text(file, &m, &err) != RC_OK)
            fail_msg("%s", err.msg);
        for (int i = 0; i < m.notes.count; i++)
            said += strstr(m.notes.text[i], "attention in chunks of 4095 tokens is taken as a "
                                            "window of as many") != NULL;
        assert_int_equal(said, chunk == 4095);
        int layers = 0;
        for (int i = 0; i < 8; i++) {
            const int64_t window = m.kind[rc_model_kind_of(&m, i)].window;
            assert_true(window == (chunk == 4095 && i % 4 != 3 ? 4095 : 0));
            layers += window > 0;
        }
        assert_int_equal(layers, chunk == 4095 ? 6 : 0);
    }
}

/* Layers are of one kind when they have all numbers in common: one that differs is enough for two. */
static void test_kinds(void **state) {
    (void)state;
    rc_layer_kind a, b;
    memset(&a, 0, sizeof a);
    strcpy(a.form, "mixed");
    int *const ints[] = {
        &b.heads,           &b.kv_heads,        &b.head_dim,        &b.value_dim,
        &b.more_norms,      &b.latent.q_rank,   &b.latent.kv_rank,  &b.latent.rope,
        &b.latent.o_rank,   &b.latent.o_groups, &b.selection.heads, &b.selection.dim,
        &b.selection.top_k, &b.selection.ratio, &b.state.heads,     &b.state.key_heads,
        &b.state.key_dim,   &b.state.value_dim, &b.state.conv,      &b.state.extra,
        &b.state.low_rank,  &b.experts.count,   &b.experts.top_k};
    bool *const flags[] = {
        &b.sinks,          &b.output_gate,         &b.kept_once,          &b.values_are_keys,
        &b.attention_bias, &b.output_bias,         &b.ffn_bias,           &b.experts.gated,
        &b.experts.bias,   &b.experts.shared_gate, &b.experts.router_bias};
    int64_t *const sizes[] = {&b.ffn, &b.window, &b.experts.width, &b.experts.shared,
                              &b.experts.latent};
    b = a;
    assert_true(same_kind(&a, &b));
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        b = a;
        *ints[i] = 1;
        assert_false(same_kind(&a, &b) || same_kind(&b, &a));
        assert_true(same_kind(&b, &b));
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        b = a;
        *flags[i] = true;
        assert_false(same_kind(&a, &b) || same_kind(&b, &a));
        assert_true(same_kind(&b, &b));
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        b = a;
        *sizes[i] = 1;
        assert_false(same_kind(&a, &b) || same_kind(&b, &a));
        assert_true(same_kind(&b, &b));
    }
    b = a;
    strcpy(b.form, "dense");
    assert_false(same_kind(&a, &b));
    b = a;
    b.mixer = RC_MIX_STATE;
    assert_false(same_kind(&a, &b));
    b = a;
    b.after = RC_FFN_PLAIN;
    assert_false(same_kind(&a, &b));
    b = a;
    b.qk_norm = RC_QK_NORM_HEAD;
    assert_false(same_kind(&a, &b));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers_of_states),
                                       cmocka_unit_test(test_states_without_numbers),
                                       cmocka_unit_test(test_latents),
                                       cmocka_unit_test(test_chunks), cmocka_unit_test(test_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
