/* Kinds of layers: their order as runs of patterns, and files that state them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/model_file.h"
#include "tests/support/prop.h"

enum { MOST = 400 };

/* ---- orders ---------------------------------------------------------------------------------- */

/* The order that `word` spells, a letter a layer: "aab" are kinds 0, 0, 1. False: too many runs. */
static bool spell(const char *word, rc_model *m) {
    uint8_t kind_of[MOST];
    int layers = (int)strlen(word);
    *m = (rc_model){.kinds = 4};
    for (int i = 0; i < layers; i++)
        kind_of[i] = (uint8_t)(word[i] - 'a');
    return rc_model_set_order(m, kind_of, layers);
}

static void test_runs_of_an_order(void **state) {
    (void)state;
    static const struct {
        const char *order, *runs;
    } t[] = {
        {"a", "a*1"},
        {"aaaa", "a*4"},
        {"aaabbbbb", "a*3 b*5"},
        {"abababab", "ab*4"},
        {"aaaaabaaaaabaa", "aaaaab*2 a*2"},
        {"abcd", "abcd*1"},
        {"aababab", "a*2 ba*2 b*1"},
        {"abcaaad", "abc*1 a*3 d*1"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char got[256] = "";
        rc_model m;
        assert_true(spell(t[i].order, &m));
        for (int r = 0; r < rc_model_runs(&m); r++) {
            const rc_layer_run run = rc_model_run(&m, r);
            char word[RC_PATTERN + 1] = "";
            for (int k = 0; k < run.length; k++)
                word[k] = (char)('a' + run.kind[k]);
            (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s*%d", r ? " " : "",
                           word, run.times);
        }
        if (strcmp(got, t[i].runs) != 0)
            fail_msg("%s: %s, not %s", t[i].order, got, t[i].runs);
    }
}

static void test_one_kind(void **state) {
    (void)state;
    rc_model m;
    assert_true(spell("aaa", &m) && rc_model_uniform(&m));
    assert_true(spell("aba", &m) && !rc_model_uniform(&m));
    m = (rc_model){.layers = 7, .kinds = 1}; /* no runs: all of the first kind */
    assert_true(rc_model_uniform(&m) && rc_model_runs(&m) == 1);
    assert_int_equal(rc_model_run(&m, 0).times, 7);
    assert_int_equal(rc_model_layers_of(&m, 0), 7);
    assert_int_equal(rc_model_kind_of(&m, 6), 0);
}

/* Whatever the order, the runs give it back. */
static bool order_is_kept(prop_case *c) {
    uint8_t kind_of[MOST];
    int layers = (int)prop_range(c, 1, 40), count[4] = {0};
    rc_model m = {.kinds = 4};
    for (int i = 0; i < layers; i++)
        kind_of[i] = i > 3 && !prop_one_in(c, 4) ? kind_of[i - (int)prop_range(c, 1, 3)]
                                                 : (uint8_t)prop_below(c, 4);
    if (!rc_model_set_order(&m, kind_of, layers))
        return true;
    PROP_CHECK(c, m.layers == layers && m.runs >= 1 && m.runs <= RC_RUNS, "%d runs", m.runs);
    for (int i = 0; i < layers; i++) {
        count[kind_of[i]]++;
        PROP_CHECK(c, rc_model_kind_of(&m, i) == kind_of[i], "layer %d", i);
    }
    for (int k = 0; k < 4; k++)
        PROP_CHECK(c, rc_model_layers_of(&m, k) == count[k], "kind %d", k);
    return true;
}

static void test_order_is_kept(void **state) {
    (void)state;
    assert_true(prop_run("order_is_kept", order_is_kept, 24));
}

/* Pairs of layers, each pair of another kind than the one before, in no pattern: a run for each. */
static void test_too_many_runs(void **state) {
    (void)state;
    char word[MOST + 1] = "";
    unsigned x = 1;
    for (int i = 0; i + 2 < MOST; i += 2) {
        x = x * 1103515245U + 12345U;
        word[i] = word[i + 1] = (char)('a' + (x >> 16) % 4);
    }
    rc_model m = {.layers = 5};
    uint8_t kind_of[MOST];
    int layers = (int)strlen(word);
    m.kinds = 4;
    for (int i = 0; i < layers; i++)
        kind_of[i] = (uint8_t)(word[i] - 'a');
    assert_false(rc_model_set_order(&m, kind_of, layers));
    assert_true(m.layers == 5 && m.runs == 0); /* left alone */
}

/* ---- files ----------------------------------------------------------------------------------- */

#define BASE                                                                                       \
    "{architectures: [LlamaForCausalLM], hidden_size: 512, intermediate_size: 1024, "              \
    "num_attention_heads: 8, num_key_value_heads: 4, num_hidden_layers: 8, vocab_size: 1000, "

static void test_file(void **state) {
    (void)state;
    rc_model m;
    rc_error err = {0};
    if (model_text(BASE "layer_kinds: {first: {}, later: {intermediate_size: 256, head_dim: 96, "
                        "v_head_dim: 64, num_attention_heads: 4, num_key_value_heads: 2, form: "
                        "other}}, layer_order: [{kinds: [first], times: 3}, {kinds: [later]}, "
                        "{kinds: [first, later], times: 2}]}",
                   &m, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(m.kinds, 2);
    assert_int_equal(m.layers, 8);
    const rc_layer_kind *a = &m.kind[0], *b = &m.kind[1];
    assert_true(a->heads == 8 && a->kv_heads == 4 && a->head_dim == 64 && a->value_dim == 64);
    assert_true(a->ffn == 1024 && strcmp(a->form, "dense") == 0);
    assert_true(b->heads == 4 && b->kv_heads == 2 && b->head_dim == 96 && b->value_dim == 64);
    assert_true(b->ffn == 256 && strcmp(b->form, "other") == 0);
    static const uint8_t want[] = {0, 0, 0, 1, 0, 1, 0, 1};
    for (int i = 0; i < 8; i++)
        assert_int_equal(rc_model_kind_of(&m, i), want[i]);
}

/* The head size of a kind is that of its values, too, unless they have one of their own. */
static void test_head_sizes(void **state) {
    (void)state;
    rc_model m;
    rc_error err = {0};
    if (model_text(BASE "layer_kinds: {a: {head_dim: 32}, b: {v_head_dim: 16}}, layer_order: "
                        "[{kinds: [a, b], times: 4}]}",
                   &m, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_true(m.kind[0].head_dim == 32 && m.kind[0].value_dim == 32);
    assert_true(m.kind[1].head_dim == 64 && m.kind[1].value_dim == 16);
}

/* The layers that a checkpoint leaves as they were are counted in their own kind. */
static void test_quantised(void **state) {
    (void)state;
    rc_model m;
    rc_error err = {0};
    if (model_text(BASE "layer_kinds: {first: {}, later: {intermediate_size: 256}}, layer_order: "
                        "[{kinds: [first], times: 3}, {kinds: [later], times: 5}], "
                        "quantization_config: {quant_method: fp8, modules_to_not_convert: "
                        "[model.layers.0.mlp, model.layers.7.self_attn]}}",
                   &m, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(m.kind[0].stored[RC_UP].layers, 2);
    assert_int_equal(m.kind[1].stored[RC_UP].layers, 5);
    assert_int_equal(m.kind[0].stored[RC_Q].layers, 3);
    assert_int_equal(m.kind[1].stored[RC_Q].layers, 4);
    assert_true(m.quant.attn == RC_FP8 && m.quant.ffn == RC_FP8);
}

static void test_refusals(void **state) {
    (void)state;
#define ORDER "layer_order: [{kinds: [a], times: 8}]"
    static const struct {
        const char *keys, *says;
        rc_status status;
    } t[] = {
        {"layer_kinds: {a: {}}", "'layer_kinds' and 'layer_order' are stated together", RC_E_INPUT},
        {ORDER, "'layer_kinds' and 'layer_order' are stated together", RC_E_INPUT},
        {"layer_kinds: [a], " ORDER, "expected a map of 1 to 8 kinds", RC_E_INPUT},
        {"layer_kinds: {a: 5}, " ORDER, "kind 'a' of layers: expected a map", RC_E_INPUT},
        {"layer_kinds: {a: {intermediate: 5}}, " ORDER, "intermediate", RC_E_INPUT},
        {"layer_kinds: {a: {sliding_window: 5}}, " ORDER, "sliding_window", RC_E_INPUT},
        {"layer_kinds: {a: {num_attention_heads: 6}}, " ORDER,
         "kind 'a' of layers: 4 KV heads do not divide its 6 query heads", RC_E_INPUT},
        {"layer_kinds: {a: {}, b: {}}, " ORDER, "kind 'b' of layers is not in 'layer_order'",
         RC_E_INPUT},
        {"layer_kinds: {a: {}}, layer_order: [{kinds: [a], times: 7}]",
         "'layer_order' has 7 layers, 'num_hidden_layers' says 8", RC_E_INPUT},
        {"layer_kinds: {a: {}}, layer_order: [{kinds: [a], times: 5}, {kinds: [a, a], times: 2}]",
         "2 times 2 layers behind the first 5; 'num_hidden_layers' says 8", RC_E_INPUT},
        {"layer_kinds: {wide: {}}, layer_order: [{kinds: [wid], times: 8}]",
         "'wid' is no kind of 'layer_kinds'; did you mean 'wide'?", RC_E_INPUT},
        {"layer_kinds: {a: {}}, layer_order: [{kinds: [], times: 8}]", "8 times 0 layers",
         RC_E_INPUT},
        {"layer_kinds: {a: {}}, layer_order: [a]", "expected a map of 'kinds' and 'times'",
         RC_E_INPUT},
        {"layer_kinds: {a: {}}, layer_order: {kinds: [a]}", "'layer_order': expected a list",
         RC_E_INPUT},
        {"layer_kinds: {a: {}}, layer_order: [{kind: [a]}]", "did you mean 'kinds'", RC_E_INPUT},
        {"layer_kinds: {a: {}}, layer_order: [{kinds: [a], times: 0}]", "times", RC_E_INPUT},
        /* what is refused elsewhere is refused here, too */
        {"layer_kinds: {a: {}}, num_experts: 8, " ORDER, "mixture of experts", RC_E_UNMODELLED},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[1024];
        rc_model m;
        rc_error err = {0};
        (void)snprintf(text, sizeof text, "%s%s}", BASE, t[i].keys);
        if (model_text(text, &m, &err) != t[i].status || strstr(err.msg, t[i].says) == NULL)
            fail_msg("%s\n  said: %s", t[i].keys, err.msg);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_of_an_order),
        cmocka_unit_test(test_one_kind),
        cmocka_unit_test(test_order_is_kept),
        cmocka_unit_test(test_too_many_runs),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_head_sizes),
        cmocka_unit_test(test_quantised),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
