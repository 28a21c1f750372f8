/* Which passes a plan asks the cost model for: of every layout and schedule that an option may take once, the fastest of which counts,
 * and of steps that are alike the first.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#define rc_pass_forward_create stated_create
#define rc_pass_forward_destroy stated_destroy
#define rc_pass_forward_time stated_time
#define rc_schedule_fits stated_fits
#include "sim/plan/plan_passes.c"

/* What was made, in turn, and what it was asked. */
enum { MADE = 512 };
struct rc_pass_forward {
    const rc_costs *costs;
    const rc_schedule *schedule;
    rc_layout layout;
    rc_sched sched;
    int64_t budget;
};
static struct rc_pass_forward made[MADE];
static int made_count, gone, asked;
static rc_pass last;
static int too_small; /* ranks that no schedule but tp fits */

rc_status stated_create(const rc_serve *s, const rc_costs *c, const rc_layout *layout,
                        const rc_schedule *schedule, const rc_pass_stage *stage,
                        const rc_what_if *what_if, rc_pass_forward **out, rc_error *err) {
    (void)err;
    assert_true(made_count < MADE && stage == NULL && what_if->slow_rank == -1 &&
                what_if->slow_link_rank == -1);
    made[made_count] = (struct rc_pass_forward){c, schedule, *layout, s->sched, s->budget};
    *out = &made[made_count++];
    return RC_OK;
}

void stated_destroy(rc_pass_forward *f) {
    (void)f;
    gone++;
}

/* us: by ranks and by the schedule's name. */
static double time_of(int cp, const rc_schedule *s) {
    return 100.0 * cp + (double)strlen(s->name);
}

rc_status stated_time(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *err) {
    const struct rc_pass_forward *f = ctx;
    (void)err;
    asked++;
    last = *pass;
    *out =
        (rc_pass_cost){.time = (rc_time)(time_of(f->layout.cp, f->schedule) * RC_PS_PER_S / 1e6) +
                               (rc_time)pass->decodes + pass->context + pass->longest};
    return RC_OK;
}

rc_status stated_fits(const rc_schedule *s, const rc_model *m, const rc_layout *l, rc_error *err) {
    (void)m, (void)err;
    return l->cp == too_small && l->cp > 1 && strcmp(s->name, "pass-kv") != 0 ? RC_E_INPUT : RC_OK;
}

static rc_plan plan;
static rc_serve serve;
static const rc_costs *costs[2];
static plan_passes *passes;

static int setup(void **state) {
    (void)state;
    memset(&plan, 0, sizeof plan);
    memset(&serve, 0, sizeof serve);
    plan.serve = &serve;
    plan.offer_count = 2;
    (void)snprintf(plan.offers[0].machine.name, sizeof plan.offers[0].machine.name, "big");
    (void)snprintf(plan.offers[1].machine.name, sizeof plan.offers[1].machine.name, "small");
    costs[0] = (const rc_costs *)(uintptr_t)&plan.offers[0]; /* passed on alone */
    costs[1] = (const rc_costs *)(uintptr_t)&plan.offers[1];
    serve.budget = 8192;
    assert_int_equal(rc_pick_named("oracle", &plan.space.picks[0], NULL), RC_OK);
    assert_int_equal(rc_pick_named("pass-q", &plan.space.picks[1], NULL), RC_OK);
    plan.space.pick_count = 2;
    plan.space.cut = rc_schedule_named("dcp-ag-rs");
    made_count = gone = asked = too_small = 0;
    return plan_passes_create(&plan, costs, &passes, NULL) == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    plan_passes_free(passes);
    assert_int_equal(gone, made_count);
    return 0;
}

static double prompts(const rc_plan_option *o) {
    const rc_sequence parts[] = {{100, 7}, {200, 8}};
    double t = -1.0;
    assert_int_equal(plan_prompts_time(passes, o, parts, 2, &t, NULL), RC_OK);
    assert_true(last.prefill == parts && last.prefills == 2 && last.decodes == 0);
    return t * 1e6;
}

static double step_of(const rc_plan_option *o, uint32_t n, int64_t context, int64_t longest) {
    double t = -1.0;
    assert_int_equal(plan_step_time(passes, o, n, context, longest, &t, NULL), RC_OK);
    return t;
}

static int candidates(int cp, double *least) {
    const rc_pick pick = rc_pick_on(&plan.space.picks[0], cp);
    const rc_schedule *s;
    int n = 0;
    for (; (s = rc_pick_candidate(&pick, n)) != NULL; n++)
        *least = fmin(*least, time_of(cp, s));
    return n;
}

/* The fastest of all schedules that may be taken on all ranks; with dynamic CP on a half, a quarter and so on of them as well, where
 * the schedule fits. Each is made once. */
static void test_prompts(void **state) {
    (void)state;
    rc_plan_option o = {.tp = 8, .cp = 8, .prefill = 1};
    double least = INFINITY;
    const int on_eight = candidates(8, &least);
    assert_true(on_eight > 1);
    for (int round = 0; round < 2; round++) {
        assert_true(fabs(prompts(&o) - least) < 1e-6);
        assert_int_equal(made_count, on_eight);
        assert_int_equal(asked, on_eight * (round + 1));
    }
    for (int i = 0; i < made_count; i++)
        assert_true(made[i].costs == costs[0] && made[i].layout.cp == 8 && made[i].layout.tp == 8);
    o.pick = 1;
    o.cp = 4;
    assert_true(fabs(prompts(&o) - time_of(4, rc_schedule_named("pass-q"))) < 1e-6);
    assert_int_equal(made_count, on_eight + 1);
    /* on 1, 2 and 4 ranks, as well as on 8 */
    o.pick = 0;
    o.cp = 8;
    o.dynamic = true;
    const int before = made_count;
    int more = 0;
    double fewer = INFINITY;
    for (int cp = 1; cp < 8; cp *= 2)
        more += candidates(cp, &fewer);
    assert_true(fabs(prompts(&o) - fewer) < 1e-6);
    assert_int_equal(made_count, before + more);
}

static void test_fits(void **state) {
    (void)state;
    const rc_plan_option o = {.tp = 8, .cp = 4, .prefill = 1, .dynamic = true};
    double least = INFINITY;
    const int want =
        candidates(1, &least) + 1 + candidates(4, &least); /* on two ranks pass-kv alone */
    too_small = 2;
    (void)prompts(&o);
    assert_int_equal(made_count, want);
    plan_passes_free(passes);
    assert_int_equal(plan_passes_create(&plan, costs, &passes, NULL), RC_OK);
    made_count = gone = 0;
    too_small =
        4; /* all ranks are no choice: what does not fit there is cut before anything is timed */
    (void)prompts(&o);
    assert_int_equal(made_count,
                     candidates(1, &least) + candidates(2, &least) + candidates(4, &least));
}

/* Whatever cuts a pass has sources of its own, and what does not has none: replicas, batches. */
static void test_sources(void **state) {
    (void)state;
    const rc_plan_option base = {
        .tp = 16, .cp = 4, .decode_cp = 1, .prefill = 1, .decode = 1, .pick = 1, .max_batch = 8};
    rc_plan_option other[9], same = base;
    (void)prompts(&base);
    (void)step_of(&base, 1, 10, 10);
    assert_int_equal(made_count, 2); /* of either pool */
    same.prefill = 3, same.decode = 4, same.max_batch = 9;
    (void)prompts(&same);
    (void)step_of(&same, 1, 10, 10);
    assert_int_equal(made_count, 2);
    for (int i = 0; i < 9; i++)
        other[i] = base;
    other[0].offer = 1, other[1].tp = 8, other[2].cp = 8, other[3].decode_cp = 2, other[4].dcp = 2;
    other[5].dp = 2, other[6].ep = 8, other[7].decode = 0, other[8].kv = RC_FP8;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 9; i++) {
            (void)prompts(&other[i]);
            (void)step_of(&other[i], 1, 10, 10);
            /* where one pool does both, prompts and steps are of one source */
            const int seen = round > 0 ? 9 : i + 1;
            if (made_count != 2 + 2 * seen - (seen > 7))
                fail_msg("%d: %d sources", i, made_count);
        }
    assert_true(made[2].costs == costs[1] && made[3].costs == costs[1]);
    for (int i = 0; i < 40;
         i++) { /* more than there is room for at first, and all are still known */
        rc_plan_option more = base;
        more.ep = (int32_t)(100 + i);
        (void)prompts(&more);
        (void)step_of(&more, 1, 10, 10);
    }
    const int all = made_count;
    assert_int_equal(all, 19 + 80);
    (void)prompts(&base);
    (void)step_of(&other[8], 1, 10, 10);
    assert_int_equal(made_count, all);
}

/* A step is remembered by its layout, its sequences and their keys. */
static void test_steps(void **state) {
    (void)state;
    const rc_plan_option a = {.tp = 8, .cp = 1, .prefill = 1}, b = {.tp = 4, .cp = 1, .prefill = 1};
    double times[4];
    for (int round = 0; round < 2; round++) {
        const double got[] = {step_of(&a, 4, 400, 100), step_of(&a, 8, 400, 100),
                              step_of(&a, 4, 500, 100), step_of(&a, 4, 400, 101)};
        assert_true(got[0] != got[1] && got[0] != got[2] && got[0] != got[3]);
        for (int i = 0; i < 4; i++) {
            assert_true(round == 0 || got[i] == times[i]);
            times[i] = got[i];
        }
        assert_int_equal(asked, 4);
    }
    assert_true(last.decodes == 4 && last.context == 400 && last.longest == 101 &&
                last.prefills == 0);
    (void)step_of(&b, 4, 400, 100);
    assert_int_equal(asked, 5);
    for (int64_t i = 0; i < 600; i++)
        (void)step_of(&a, 1, 1000 + i, 1000 + i);
    assert_int_equal(asked, 605);
    for (int64_t i = 0; i < 600; i++) {
        const double want = time_of(1, made[0].schedule) / 1e6 + (2001.0 + 2.0 * (double)i) / 1e12;
        assert_true(fabs(step_of(&a, 1, 1000 + i, 1000 + i) - want) < 1e-15);
    }
    assert_int_equal(asked, 605);
}

/* The scenario of an option: the offer's machine, its type of KV, its scheduler, whose budget is the scenario's own again where it
 * cuts no chunks. */
static void test_scenario(void **state) {
    (void)state;
    const rc_serve *s;
    rc_plan_option o = {.offer = 1,
                        .tp = 8,
                        .cp = 1,
                        .prefill = 1,
                        .kv = RC_FP8,
                        .chunked = true,
                        .budget = 512,
                        .max_batch = 33};
    assert_int_equal(plan_passes_serve(passes, &o, &s, NULL), RC_OK);
    assert_string_equal(s->machine.name, "small");
    assert_true(s->layout.kv == RC_FP8 && s->sched == RC_SCHED_CHUNKED && s->budget == 512 &&
                s->max_batch == 33);
    o.chunked = false;
    assert_int_equal(plan_passes_serve(passes, &o, &s, NULL), RC_OK);
    assert_true(s->sched == RC_SCHED_PREFILL_FIRST && s->budget == 8192);
    o.offer = 0, o.kv = RC_BF16;
    assert_int_equal(plan_passes_serve(passes, &o, &s, NULL), RC_OK);
    assert_string_equal(s->machine.name, "big");
    assert_true(s->layout.kv == RC_BF16);
}

/* Stated costs are asked instead of any layout's. */
static void test_linear(void **state) {
    (void)state;
    const rc_plan_option o = {.tp = 8, .cp = 2, .prefill = 1};
    const rc_sequence parts[] = {{100, 7}, {200, 8}};
    double prompt, reply, more;
    serve.linear.on = true;
    serve.linear.prefill = 2e-3, serve.linear.decode = 3e-3;
    assert_int_equal(plan_prompts_time(passes, &o, parts, 2, &prompt, NULL), RC_OK);
    assert_int_equal(plan_step_time(passes, &o, 2, 100, 50, &reply, NULL), RC_OK);
    serve.linear.decode = 5e-3;
    assert_int_equal(plan_step_time(passes, &o, 2, 100, 50, &more, NULL), RC_OK);
    assert_true(fabs(prompt - 2e-3) < 1e-12 && fabs(reply - 3e-3) < 1e-12 &&
                fabs(more - 5e-3) < 1e-12);
    assert_true(made_count == 0 && asked == 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_prompts), T(test_fits),     T(test_sources),
                                       T(test_steps),   T(test_scenario), T(test_linear)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
