/* A form of layer added as docs/extending.md says, one file and one line: layer_mixer.c stands in
 * the table of this program, and models in which its layers alternate with dense ones are read,
 * counted and run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define PROGRAMS_FAKE_COSTS
#include "sim/schedule/layer.h"
#include "sim/schedule/totals.h"
#include "tests/support/programs.h"

/* Five pairs: D 4096; a mixer of 32 x 128 and an FFN of 8192, then 32 heads on 8 KV heads of 128
 * and an FFN of 11008. */
static const char text[] =
    "{architectures: [LlamaForCausalLM], hidden_size: 4096, intermediate_size: 11008, "
    "num_attention_heads: 32, num_key_value_heads: 8, num_hidden_layers: 10, vocab_size: 1000, "
    "layer_kinds: {mixed: {form: mixer, intermediate_size: 8192}, full: {}}, "
    "layer_order: [{kinds: [mixed, full], times: 5}]}";

static void read_model(rc_model *m) {
    rc_error err = {0};
    if (rc_model_parse("toy.json", text, strlen(text), m, &err) != RC_OK)
        fail_msg("%s", err.msg);
    if (rc_layers_check(m, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

static const double mixer = 4096.0 * 2 * 4096 + 4096.0 * 4096 + 3.0 * 4096 * 8192;
static const double dense = 4096.0 * (4096 + 2 * 1024) + 4096.0 * 4096 + 3.0 * 4096 * 11008;

static void test_counts(void **state) {
    (void)state;
    rc_model m;
    read_model(&m);
    assert_int_equal(m.kinds, 2);
    assert_int_equal(rc_model_runs(&m), 1);
    double all = 5 * (mixer + dense) + 10 * 2 * 4096 + 2.0 * 1000 * 4096 + 4096;
    assert_true(rc_model_params(&m) == all);
    assert_true(rc_model_gemm_flops(&m, 7) == 14 * 5 * (mixer + dense));
    assert_true(rc_model_attention_flops(&m, 10, 90) == 5 * 4.0 * 4096 * 955); /* dense alone */
    assert_true(rc_model_kv_bytes(&m, RC_BF16) == 5 * 8 * 256 * 2.0);
    assert_ptr_equal(rc_model_typical(&m), &m.kind[1]);
}

/* One GPU of 2 ranks of TP4; 1,001 new and 2,000 cached tokens, 501 and 1,000 on a rank. */
static void test_memory(void **state) {
    (void)state;
    rc_model m;
    rc_memory mem;
    rc_layout l = {.tp = 4, .cp = 2};
    read_model(&m);
    assert_int_equal(
        rc_pass_memory(rc_schedule_named("pass-kv"), &m, &l, 1001, 2000, 1, 80e9, &mem, NULL),
        RC_OK);
    double weights = 5 * (mixer + dense) / 4 + 10 * 2 * 4096 + 2 * 250 * 4096 + 4096;
    assert_true(mem.weights == 2.0 * weights);
    assert_true(mem.kv == 1501.0 * 5 * 2 * 256 * 2);
    assert_true(mem.activations == 501.0 * 2 * (2 * 4096 + 2 * 2752));
    assert_true(mem.buffers == 2 * 1501.0 * 2 * 256 * 2 + 2 * 501.0 * 8 * (128 * 2 + 4));
}

/* How many sequences fit is a matter of KV, which the mixer does not keep. */
static void test_no_kv(void **state) {
    (void)state;
    rc_model m;
    rc_memory mem;
    rc_kv_room room;
    rc_error err = {0};
    const rc_layout l = {.tp = 4, .cp = 2};
    const rc_schedule *s = rc_schedule_named("pass-kv");
    const rc_kv_passes passes = {.longest = 1000};
    read_model(&m);
    assert_int_equal(rc_pass_kv_room(s, &m, &l, &passes, 80e9, &mem, &room, NULL), RC_OK);
    assert_true(room.token == 5 * 2 * 256 * 2);
    m.kind[1] = m.kind[0];
    assert_int_equal(rc_pass_kv_room(s, &m, &l, &passes, 80e9, &mem, &room, &err), RC_E_UNMODELLED);
    assert_non_null(strstr(err.msg, "no layer of toy keeps keys and values"));
}

static void run(const rc_spec *spec, const rc_model *m, bool unfold, rc_forward *out) {
    rc_spec s = *spec;
    rc_error err = {0};
    s.model = m;
    s.unfold = unfold;
    if (rc_forward_run(&s, out, &err) != RC_OK)
        fail_msg("%s: %s", s.schedule->name, err.msg);
}

/* The forms of *m, one after the other in a random order. */
static void mix_forms(prop_case *c, rc_model *m) {
    uint8_t kind_of[64];
    m->kinds = 2;
    m->kind[1] = m->kind[0];
    strcpy(m->kind[(int)prop_below(c, 2)].form, "mixer");
    bool alternate = prop_one_in(c, 2);
    for (int i = 0; i < m->layers; i++) {
        int kind = alternate ? i % 2 : (int)prop_below(c, 2);
        kind_of[i] = (uint8_t)kind;
    }
    if (!rc_model_set_order(m, kind_of, m->layers))
        m->runs = 0;
}

static bool every_path_agrees(prop_case *c) {
    fake_pass f;
    rc_forward folded, all;
    rc_forward_timing fast;
    rc_error err = {0};
    fake_draw(c, NULL, 16, 24, &f);
    mix_forms(c, &f.x.model);
    run(&f.spec, &f.x.model, false, &folded);
    run(&f.spec, &f.x.model, true, &all);
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    rc_status st = ctx ? rc_forward_time(ctx, &f.spec, &fast, &err) : RC_E_NOMEM;
    rc_forward_ctx_destroy(ctx);
    PROP_CHECK(c, st == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, folded.ticks == all.ticks && fast.ticks == all.ticks,
               "%s N %d, %d layers: %ld folded, %ld fast, %ld unfolded", f.spec.schedule->name,
               f.spec.layout.cp, f.x.model.layers, (long)folded.ticks, (long)fast.ticks,
               (long)all.ticks);
    return true;
}

/* On one rank in a graph nothing overlaps: a pass over both forms takes what a pass over the layers
 * of each takes, less one head. */
static bool times_add_up(prop_case *c) {
    fake_pass f;
    rc_forward both, part;
    rc_time sum = 0, head = 0;
    fake_draw(c, "tp", 8, 24, &f);
    f.spec.eager = false;
    mix_forms(c, &f.x.model);
    run(&f.spec, &f.x.model, true, &both);
    for (int k = 0; k < 2; k++) {
        rc_model one = f.x.model;
        one.kind[0] = one.kind[k];
        one.kinds = 1;
        one.runs = 0;
        one.layers = 1;
        run(&f.spec, &one, true, &part);
        rc_time first = part.ticks;
        one.layers = 2;
        run(&f.spec, &one, true, &part);
        sum += rc_model_layers_of(&f.x.model, k) * (part.ticks - first);
        head = 2 * first - part.ticks;
    }
    PROP_CHECK(c, both.ticks == sum + head, "%ld ticks, not %ld", (long)both.ticks,
               (long)(sum + head));
    return true;
}

/* Only dense layers attend, and only they send. */
static void test_attention(void **state) {
    (void)state;
    rc_model m;
    rc_program p;
    const rc_sequence seq = {1000, 0};
    read_model(&m);
    const rc_request rq = {.model = &m,
                           .schedule = rc_schedule_named("pass-q"),
                           .layout = {.tp = 4, .cp = 2},
                           .nodes_per_rank = 1,
                           .phase = RC_PREFILL,
                           .seqs = &seq,
                           .seq_count = 1};
    assert_int_equal(rc_schedule_build(&rq, &p, NULL), RC_OK);
    for (size_t i = 0; i < p.task_count; i++) {
        rc_part part = programs_shape(&p, i)->part;
        if (part == RC_P_ATTENTION || part == RC_P_SENDRECV || part == RC_P_ALL2ALL)
            assert_int_equal(p.tasks[i].layer % 2, 1);
    }
    rc_counts n = rc_program_counts(&p, 0);
    assert_int_equal(n.attention_launches, 5 * 2);
    assert_int_equal(n.messages, 5 * 3);
    assert_true(n.gemm_flops == 2.0 * 500 * 5 * (mixer + dense) / 4);
    rc_program_free(&p);
}

/* Requests are alike, so that one program serves both, where the same forms follow each other as
 * often; a template, where the kinds are of the same forms. */
static void test_alike(void **state) {
    (void)state;
    rc_model m, other;
    const rc_sequence seq = {1000, 0};
    rc_request a = {.model = &m,
                    .schedule = rc_schedule_named("tp"),
                    .layout = {.tp = 4, .cp = 1},
                    .seqs = &seq,
                    .seq_count = 1};
    read_model(&m);
    for (int t = 0; t < 2; t++) {
        a.as_template = t == 1;
        rc_request b = a;
        rc_schedule_key of_a = rc_schedule_key_of(&a), of_b;
        b.model = &other;
        other = m;
        other.kind[1].ffn = 4096;
        of_b = rc_schedule_key_of(&b);
        assert_true(rc_schedule_key_equal(&of_a, &of_b));
        strcpy(other.kind[0].form, "dense");
        of_b = rc_schedule_key_of(&b);
        assert_false(rc_schedule_key_equal(&of_a, &of_b));
        other = m;
        other.run[0].times = 4;
        other.layers = 8;
        of_b = rc_schedule_key_of(&b);
        assert_true(rc_schedule_key_equal(&of_a, &of_b) == a.as_template);
    }
}

static void test_paths(void **state) {
    (void)state;
    assert_true(prop_run("every_path_agrees", every_path_agrees, 24));
}

static void test_times(void **state) {
    (void)state;
    assert_true(prop_run("times_add_up", times_add_up, 24));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),    cmocka_unit_test(test_memory),
        cmocka_unit_test(test_no_kv),     cmocka_unit_test(test_alike),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_paths),
        cmocka_unit_test(test_times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
