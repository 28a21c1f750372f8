/* Models with layers of several kinds: what a pass takes does not depend on how the kinds are named
 * or numbered, only on what stands where; kinds of equal numbers are one kind; and folded passes,
 * unfolded ones and the fast path agree to the tick.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define PROGRAMS_FAKE_COSTS
#include "sim/schedule/totals.h"
#include "tests/support/programs.h"

enum { MOST_LAYERS = 24 };

static int passes, evaluated; /* of several kinds of layers */

static bool run(prop_case *c, const fake_pass *f, const rc_model *m, bool unfold, rc_forward *out) {
    rc_spec s = f->spec;
    rc_error err = {0};
    s.model = m;
    s.unfold = unfold;
    PROP_CHECK(c, rc_forward_run(&s, out, &err) == RC_OK, "%s: %.300s", s.schedule->name, err.msg);
    return true;
}

static bool same_pass(prop_case *c, const fake_pass *f, const rc_model *a, const rc_model *b) {
    rc_forward x, y;
    if (!run(c, f, a, false, &x) || !run(c, f, b, false, &y))
        return false;
    PROP_CHECK(c, x.ticks == y.ticks, "%s: %ld and %ld ticks", f->spec.schedule->name,
               (long)x.ticks, (long)y.ticks);
    PROP_CHECK(c, x.memory.weights == y.memory.weights && x.memory.kv == y.memory.kv,
               "weights, KV");
    PROP_CHECK(c, x.memory.total == y.memory.total, "memory %g, %g", x.memory.total,
               y.memory.total);
    PROP_CHECK(c, x.gemm_flops == y.gemm_flops && x.attention_flops == y.attention_flops, "FLOPs");
    PROP_CHECK(c, x.mfu == y.mfu, "MFU %g, %g", x.mfu, y.mfu);
    PROP_CHECK(c, rc_model_params(a) == rc_model_params(b), "parameters");
    return true;
}

static void kinds_of(const rc_model *m, uint8_t *kind_of) {
    for (int i = 0; i < m->layers; i++)
        kind_of[i] = (uint8_t)rc_model_kind_of(m, i);
}

/* The same model with its kinds numbered otherwise. */
static bool numbers_of_kinds_change_nothing(prop_case *c) {
    fake_pass f;
    uint8_t kind_of[MOST_LAYERS], place[RC_KINDS] = {0};
    fake_draw(c, NULL, 16, MOST_LAYERS, &f);
    programs_draw_kinds(c, &f.x.model, f.x.model.layers);
    rc_model other = f.x.model;
    for (int k = 0; k < other.kinds; k++)
        place[k] = (uint8_t)k;
    for (int k = other.kinds - 1; k > 0; k--) {
        size_t i = (size_t)prop_below(c, (uint64_t)k + 1);
        uint8_t keep = place[k];
        place[k] = place[i];
        place[i] = keep;
    }
    kinds_of(&f.x.model, kind_of);
    for (int k = 0; k < other.kinds; k++)
        other.kind[place[k]] = f.x.model.kind[k];
    for (int i = 0; i < other.layers; i++)
        kind_of[i] = place[kind_of[i]];
    PROP_CHECK(c, rc_model_set_order(&other, kind_of, other.layers), "no order");
    return same_pass(c, &f, &f.x.model, &other);
}

/* Kinds that differ in nothing but their number, in any order. */
static bool equal_kinds_are_one(prop_case *c) {
    fake_pass f;
    fake_draw(c, NULL, 16, MOST_LAYERS, &f);
    rc_model many = f.x.model;
    programs_draw_kinds(c, &many, many.layers);
    for (int k = 1; k < many.kinds; k++)
        many.kind[k] = many.kind[0];
    return same_pass(c, &f, &f.x.model, &many);
}

/* On one rank in a graph every layer of a kind takes the same, so a few layers of each run tell the
 * interval of the whole pass: that of equal kinds is that of one. */
static bool equal_kinds_are_drawn_as_one(prop_case *c) {
    fake_pass f;
    rc_forward x, y;
    fake_draw(c, "tp", 8, MOST_LAYERS, &f);
    f.spec.eager = false;
    f.spec.draws = 9;
    rc_model many = f.x.model;
    programs_draw_kinds(c, &many, many.layers);
    for (int k = 1; k < many.kinds; k++)
        many.kind[k] = many.kind[0];
    if (!run(c, &f, &f.x.model, false, &x) || !run(c, &f, &many, false, &y))
        return false;
    PROP_CHECK(c, x.p5 == y.p5 && x.p95 == y.p95, "%d layers: %g..%g and %g..%g", many.layers, x.p5,
               x.p95, y.p5, y.p95);
    return true;
}

static bool every_path_agrees(prop_case *c) {
    fake_pass f;
    rc_forward folded, all;
    rc_forward_timing fast;
    rc_error err = {0};
    fake_draw(c, NULL, 16, MOST_LAYERS, &f);
    programs_draw_kinds(c, &f.x.model, f.x.model.layers);
    if (!run(c, &f, &f.x.model, false, &folded) || !run(c, &f, &f.x.model, true, &all))
        return false;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    rc_status st = ctx ? rc_forward_time(ctx, &f.spec, &fast, &err) : RC_E_NOMEM;
    rc_forward_ctx_destroy(ctx);
    PROP_CHECK(c, st == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, folded.ticks == all.ticks && fast.ticks == all.ticks,
               "%s, %d layers of %d kinds: %ld folded, %ld fast, %ld unfolded",
               f.spec.schedule->name, f.x.model.layers, f.x.model.kinds, (long)folded.ticks,
               (long)fast.ticks, (long)all.ticks);
    PROP_CHECK(c, all.layers_simulated == f.x.model.layers, "%d layers", all.layers_simulated);
    passes += f.x.model.kinds > 1;
    evaluated += f.x.model.kinds > 1 && fast.path == RC_PATH_REPLAY;
    return true;
}

/* One context is asked for models of several orders and forms in turn. */
static bool a_context_keeps_models_apart(prop_case *c) {
    fake_pass f;
    rc_forward all;
    rc_error err = {0};
    fake_draw(c, NULL, 12, MOST_LAYERS, &f);
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    bool fine = ctx != NULL;
    for (int i = 0; fine && i < 6; i++) {
        rc_forward_timing fast = {0};
        rc_model m = f.x.model;
        programs_draw_kinds(c, &m, (int)prop_range(c, 1, MOST_LAYERS));
        fine = run(c, &f, &m, true, &all);
        rc_spec s = f.spec;
        s.model = &m;
        rc_forward_ctx_forget(ctx);
        fine = fine && rc_forward_time(ctx, &s, &fast, &err) == RC_OK && fast.ticks == all.ticks;
    }
    rc_forward_ctx_destroy(ctx);
    PROP_CHECK(c, fine, "%s: a context mixed up two models", f.spec.schedule->name);
    return true;
}

/* What a GPU multiplies in a program is the sum over its layers, and with one rank that of the
 * model: a model of two kinds does what two models of one kind do. */
static bool work_is_the_sum_of_layers(prop_case *c) {
    fake_pass f;
    rc_forward whole;
    fake_draw(c, "tp", 8, MOST_LAYERS, &f);
    programs_draw_kinds(c, &f.x.model, f.x.model.layers);
    if (!run(c, &f, &f.x.model, false, &whole))
        return false;
    const rc_model *m = &f.x.model;
    double gemm = 0.0, attention = 0.0;
    for (int k = 0; k < m->kinds; k++) {
        rc_model one = *m;
        rc_forward part;
        one.kind[0] = m->kind[k];
        one.kinds = 1;
        one.runs = 0;
        one.layers = 1;
        if (!run(c, &f, &one, false, &part))
            return false;
        one.layers = 2;
        rc_forward two;
        if (!run(c, &f, &one, false, &two))
            return false;
        gemm += rc_model_layers_of(m, k) * (two.gemm_flops - part.gemm_flops);
        attention += rc_model_layers_of(m, k) * part.attention_flops;
        if (k == 0)
            gemm += 2.0 * part.gemm_flops - two.gemm_flops; /* the head */
    }
    PROP_CHECK(c, whole.gemm_flops == gemm && whole.attention_flops == attention,
               "%g and %g FLOPs, not %g and %g", whole.gemm_flops, whole.attention_flops, gemm,
               attention);
    return true;
}

static void test_numbers(void **state) {
    (void)state;
    assert_true(prop_run("numbers_of_kinds_change_nothing", numbers_of_kinds_change_nothing, 24));
}

static void test_equal(void **state) {
    (void)state;
    assert_true(prop_run("equal_kinds_are_one", equal_kinds_are_one, 24));
}

static void test_draws(void **state) {
    (void)state;
    assert_true(prop_run("equal_kinds_are_drawn_as_one", equal_kinds_are_drawn_as_one, 24));
}

static void test_paths(void **state) {
    (void)state;
    assert_true(prop_run("every_path_agrees", every_path_agrees, 24));
    if (2 * evaluated < passes) /* the engine is for what shares links in other ways */
        fail_msg("%d of %d passes were evaluated without the engine", evaluated, passes);
}

static void test_context(void **state) {
    (void)state;
    assert_true(prop_run("a_context_keeps_models_apart", a_context_keeps_models_apart, 24));
}

static void test_sum(void **state) {
    (void)state;
    assert_true(prop_run("work_is_the_sum_of_layers", work_is_the_sum_of_layers, 24));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_equal),
                                       cmocka_unit_test(test_draws),   cmocka_unit_test(test_paths),
                                       cmocka_unit_test(test_context), cmocka_unit_test(test_sum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
