/* What forms of layers, their sums and shards assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"

#include "sim/schedule/builder.h"
#include "sim/schedule/kept.h"
#include "sim/schedule/routing.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/totals.h"

static const rc_model model = {
    .layers = 2,
    .hidden = 64,
    .vocab = 100,
    .kinds = 1,
    .kind[0] = {
        .form = "dense", .heads = 2, .kv_heads = 1, .head_dim = 32, .value_dim = 32, .ffn = 128}};
static const rc_layout whole = {.tp = 1, .cp = 1};

static void test_forms(void **state) {
    (void)state;
    const rc_layer_kind none = {.form = "none"}, headless = {.form = "dense"};
    const rc_model empty = {0};
    trips("form != NULL", (void)rc_layer_form_of(&none));
    trips("m->kinds >= 1 && m->kinds <= RC_KINDS", (void)rc_layers_check(&empty, NULL));
    trips("tp >= 1 && l->heads >= 1 && l->kv_heads >= 1",
          (void)rc_layer_form_of(&headless)->heads(&headless, 1));
}

static void test_sums(void **state) {
    (void)state;
    rc_model odd = model;
    rc_memory mem;
    rc_notes notes;
    trips("longest >= 0 && m->kinds >= 1", rc_model_notes(&model, &whole, -1, &notes));
    trips("tp >= 1", (void)rc_model_kv_bytes_gpu(&model, 0, RC_BF16));
    trips("cut->tp >= 1", (void)rc_model_weight_bytes_gpu(&model, 0, RC_BF16, RC_BF16));
    trips("tp >= 1 && from <= to",
          (void)rc_model_matrix_bytes_gpu(&model, RC_O, RC_Q, 1, RC_BF16, RC_BF16));
    trips("t >= 0", (void)rc_model_gemm_flops(&model, -1));
    trips("t >= 0 && p >= 0", (void)rc_model_attention_flops(&model, 1, -1));
    trips("(unsigned)d < RC_DTYPES", (void)rc_model_weight_bytes(&model, RC_DTYPES, RC_BF16));
    odd.quant.method[0] = 'x';
    odd.kind[0].stored[RC_UP].layers = 3; /* of two */
    trips("0 <= n && n <= layers", (void)rc_model_weight_bytes(&odd, RC_BF16, RC_BF16));
    const rc_kv_passes negative = {.longest = -1};
    rc_kv_room room;
    trips("p->longest >= 0 && p->chunk >= 0 && p->decodes >= 0",
          (void)rc_pass_kv_room(rc_schedule_named("tp"), &model, &whole, &negative, 1e9, &mem,
                                &room, NULL));
    trips("s != NULL", (void)rc_pass_memory(NULL, &model, &whole, 1, 0, 1, 1e9, &mem, NULL));
}

static void test_shards(void **state) {
    (void)state;
    const rc_call negative = {-1, 1, 0};
    trips("a >= 0 && b >= 1", (void)rc_ceil_div(1, 0));
    trips("t >= 0 && c >= 0 && c < chunks", (void)rc_shard_chunk(10, 2, 4));
    trips("p >= 0 && rank >= 0 && rank < n", (void)rc_shard_cached(10, 2, 2));
    trips("c->tq >= 0 && c->tq <= RC_TOKENS_MAX && c->tk >= 0 && c->tk <= RC_TOKENS_MAX",
          (void)rc_call_entries(&negative));
}

static void test_sequences(void **state) {
    (void)state;
    const rc_layer_kind *l = &model.kind[0];
    const rc_call call = {10, 20, 1};
    trips("tokens >= 0.0 && sequences >= 0.0", (void)rc_layer_kept(l, 1, RC_BF16, -1.0, 1.0));
    trips("t >= 1.0 && p >= 0.0", (void)rc_layer_kept_mean(l, 0.0, 0.0));
    trips("window >= 0", (void)rc_call_entries_within(&call, -1));
    trips("experts >= 1 && top_k >= 1 && top_k <= experts && groups >= 1 && skew >= 0.0",
          (void)rc_busiest_share(8, 9, 1, 0.0));
}

static void test_pieces(void **state) {
    (void)state;
    rc_program p = {.gpus = 1};
    const rc_sequence seq = {10, 0};
    const rc_request rq = {.model = &model, .layout = whole, .seqs = &seq, .seq_count = 1};
    rc_builder b = {.p = &p, .rq = &rq, .n = 1, .g = 1, .hq = 2};
    trips("gpu < b->p->gpus && ranks_ahead >= 0", (void)rc_next_gpu(&b, 1, 1));
    trips("seq < b->rq->seq_count", (void)rc_decodes(&b, 1));
    trips("m >= 1 && n >= 1 && k >= 1", rc_emit_gemm(&b, 0, RC_P_QKV, RC_BF16, 0, 1, 1));
    trips("op != NULL && tokens >= 1 && width >= 1",
          rc_emit_elementwise(&b, 0, RC_P_SWIGLU, "swiglu", 1, 0));
    trips("tokens >= 1 && elements >= 1", rc_emit_packed(&b, 0, RC_FP8, 1, 0));
    trips("bytes >= 1.0", rc_emit_copy(&b, 0, RC_P_MERGE, 0.0));
    const rc_op_sizes no_tokens = {.a = 0};
    trips("op != NULL && at->a >= 1",
          rc_emit_op(&b, 0, RC_P_EXPERTS, "moe_route", RC_BF16, &no_tokens));
    trips("tokens >= 1 && parts >= 1 && b->hq >= 1", rc_emit_merge(&b, 0, 0, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),  cmocka_unit_test(test_sums),
        cmocka_unit_test(test_shards), cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
