/* How many numbers each projection of a layer holds, worked out by hand for every way to mix tokens and every FFN: a projection
 * that a layer does not have holds none.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/model/model.h"

enum { WIDTH = 10 };
static const rc_model model = {.hidden = WIDTH};

/* Of the layer, by projection; those that are not named are 0. */
static void holds(const char *what, const rc_layer_kind *l, const double want[RC_PROJS]) {
    for (int p = 0; p < RC_PROJS; p++) {
        double got = rc_projection_elements(&model, l, (rc_proj)p);
        if (got != want[p])
            fail_msg("%s, projection %d: %g, not %g", what, p, got, want[p]);
    }
}

static void test_attention(void **state) {
    (void)state;
    rc_layer_kind l = {.mixer = RC_MIX_ATTENTION,
                       .heads = 6,
                       .kv_heads = 2,
                       .head_dim = 5,
                       .value_dim = 3,
                       .after = RC_FFN_NONE};
    holds(
        "attention", &l,
        (double[RC_PROJS]){[RC_Q] = 10 * 30, [RC_K] = 10 * 10, [RC_V] = 10 * 6, [RC_O] = 10 * 18});
    l.output_gate = true;
    holds("a gate", &l,
          (double[RC_PROJS]){[RC_Q] = 10 * 30 + 10 * 18, [RC_K] = 100, [RC_V] = 60, [RC_O] = 180});
    l.output_gate = false;
    l.values_are_keys = true;
    holds("no values", &l, (double[RC_PROJS]){[RC_Q] = 300, [RC_K] = 100, [RC_O] = 180});
    l.values_are_keys = false;
    l.latent.q_rank = 4;
    l.latent.o_rank = 7;
    l.latent.o_groups = 2;
    holds("ranks", &l,
          (double[RC_PROJS]){[RC_Q] = 4 * 30,
                             [RC_Q_DOWN] = 40,
                             [RC_K] = 100,
                             [RC_V] = 60,
                             [RC_O] = 18 * 7 + 2 * 7 * 10});
}

static void test_latents(void **state) {
    (void)state;
    rc_layer_kind l = {.mixer = RC_MIX_LATENT,
                       .heads = 6,
                       .kv_heads = 6,
                       .head_dim = 5,
                       .value_dim = 3,
                       .latent = {.kv_rank = 8, .rope = 2},
                       .after = RC_FFN_NONE};
    /* of five columns of a key two are rotary, which are not made of latents */
    double plain[RC_PROJS] = {
        [RC_Q] = 300, [RC_KV_DOWN] = 10 * (8 + 2), [RC_KV_UP] = 6 * (3 + 3) * 8, [RC_O] = 180};
    holds("latents", &l, plain);
    l.selection = (rc_selection){.heads = 2, .dim = 9};
    plain[RC_INDEX] = 10 * 2 * 9 + 10 * (9 + 2);
    holds("an indexer", &l, plain);
    l.latent.q_rank = 4; /* its queries come from the queries' latents */
    plain[RC_Q] = 4 * 30;
    plain[RC_Q_DOWN] = 40;
    plain[RC_INDEX] = 4 * 2 * 9 + 10 * (9 + 2);
    holds("an indexer behind latents", &l, plain);
}

static void test_states(void **state) {
    (void)state;
    rc_layer_kind l = {
        .mixer = RC_MIX_STATE,
        .state =
            {.key_heads = 2, .key_dim = 3, .heads = 4, .value_dim = 5, .extra = 7, .low_rank = 1},
        .after = RC_FFN_NONE};
    /* keys and queries of 6, values and a gate of 20, and what else is projected */
    holds("a state", &l,
          (double[RC_PROJS]){
              [RC_STATE_IN] = 10 * (2 * 6 + 2 * 20 + 7) + 1 * (10 + 6), [RC_STATE_OUT] = 20 * 10});
    l.mixer = RC_MIX_NONE;
    holds("nothing", &l, (double[RC_PROJS]){0});
}

static void test_ffns(void **state) {
    (void)state;
    rc_layer_kind l = {.mixer = RC_MIX_NONE, .after = RC_FFN_GATED, .ffn = 13};
    holds("gated", &l, (double[RC_PROJS]){[RC_GATE] = 130, [RC_UP] = 130, [RC_DOWN] = 130});
    l.after = RC_FFN_PLAIN;
    holds("plain", &l, (double[RC_PROJS]){[RC_UP] = 130, [RC_DOWN] = 130});
    l.after = RC_FFN_EXPERTS;
    l.experts = (rc_experts){.count = 8, .width = 11, .gated = true};
    double want[RC_PROJS] = {[RC_ROUTER] = 80, [RC_EXPERT] = 3 * 8 * 10 * 11};
    holds("experts", &l, want);
    l.experts.gated = false;
    want[RC_EXPERT] = 2 * 8 * 10 * 11;
    holds("experts without gates", &l, want);
    l.experts.shared = 9;
    want[RC_SHARED] = 2 * 10 * 9;
    holds("shared experts", &l, want);
    l.experts.shared_gate = true;
    want[RC_SHARED] += 10;
    holds("a gate for shared experts", &l, want);
    l.experts.latent = 6; /* experts of another width, and the ways there and back */
    want[RC_EXPERT] = 2 * 8 * 6 * 11;
    want[RC_SHARED] += 2 * 10 * 6;
    holds("experts over latents", &l, want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_latents),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_ffns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
