/* What cuts a configuration, of bounds that the test states: each limit just met and just missed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define plan_step_time stated_step_time
#define plan_prompts_time stated_prompts_time
#define plan_passes_serve stated_serve
#define rc_pool_room stated_room
#include "sim/plan/plan_bounds.c"
#include "tests/support/serve.h"

static double of_batch[16]; /* s of a step of 1, 2, 4, ... sequences */
static int steps;
static int64_t keys_asked;

rc_status stated_step_time(plan_passes *x, const rc_plan_option *o, uint32_t decodes,
                           int64_t context, int64_t longest, double *out, rc_error *err) {
    (void)x, (void)o, (void)err;
    int k = 0;
    while (k < 15 && 1U << k < decodes)
        k++;
    assert_true(1U << k == decodes && context == longest); /* others have next to none */
    *out = of_batch[k];
    steps++;
    keys_asked = longest;
    return RC_OK;
}

/* Passes of prompts that were asked for: how many prompts, of how many new and cached tokens. */
static struct {
    uint32_t count;
    int64_t t, p;
} passes[32];
static int pass_count;
static double of_pass[32]; /* s */

rc_status stated_prompts_time(plan_passes *x, const rc_plan_option *o, const rc_sequence *parts,
                              uint32_t count, double *out, rc_error *err) {
    (void)x, (void)o, (void)err;
    assert_true(pass_count < 32);
    for (uint32_t i = 1; i < count; i++)
        assert_true(parts[i].t == parts[0].t && parts[i].p == parts[0].p);
    passes[pass_count].count = count;
    passes[pass_count].t = parts[0].t;
    passes[pass_count].p = parts[0].p;
    *out = of_pass[pass_count++];
    return RC_OK;
}

static rc_serve of_option;
static double room_of_prompts, room_of_replies; /* tokens */

rc_status stated_serve(plan_passes *x, const rc_plan_option *o, const rc_serve **out,
                       rc_error *err) {
    (void)x, (void)o, (void)err;
    *out = &of_option;
    return RC_OK;
}

rc_status stated_room(const rc_serve *s, const rc_pool *p, int64_t longest, rc_memory *memory,
                      rc_kv_room *out, rc_error *err) {
    (void)memory, (void)err;
    assert_true(s == &of_option && longest == 700);
    *out = (rc_kv_room){.tokens = p->role == RC_POOL_PREFILL ? room_of_prompts : room_of_replies};
    return RC_OK;
}

static rc_plan plan;
static rc_plan_load load;
static rc_plan_bounds bounds = {.p = &plan, .load = &load};

static int setup(void **state) {
    (void)state;
    plan = (rc_plan){.objective_count = 2,
                     .objectives = {{.limit = 2.0, .share = 0.9, .to = INT64_MAX},
                                    {.limit = 0.05, .share = 0.9, .to = INT64_MAX, .ttit = true}}};
    load = (rc_plan_load){.objectives = {{.asked = 10, .tokens = 1000.0, .window = 8.0},
                                         {.asked = 10, .window = 8.0}}};
    return 0;
}

static rc_plan_cut cut(double ttft, double ttit, double token, int prefill, int pp) {
    const plan_layout l = {.token = token};
    const rc_plan_bound b = {.value = {ttft, ttit}};
    const rc_plan_option o = {.tp = 8, .cp = 1, .prefill = (int16_t)prefill, .pp = (int16_t)pp};
    return find_cut(&bounds, &o, &l, &b);
}

/* Values over their limits; nine tenths of the work of 1,000 tokens, which one replica has the window of 8 s and a limit of 2 s for. */
static void test_limits(void **state) {
    (void)state;
    assert_int_equal(cut(2.0, 0.05, 1e-6, 1, 1), RC_CUT_NONE);
    assert_int_equal(cut(2.0001, 0.05, 1e-6, 1, 1), RC_CUT_PREFILL);
    assert_int_equal(cut(2.0, 0.0501, 1e-6, 1, 1), RC_CUT_DECODE);
    assert_int_equal(cut(0.0, 0.0, 0.0111, 1, 1), RC_CUT_NONE); /* 9.99 s of work */
    assert_int_equal(cut(0.0, 0.0, 0.01112, 1, 1), RC_CUT_WORK);
    assert_int_equal(cut(0.0, 0.0, 0.0222, 2, 1), RC_CUT_NONE);
    assert_int_equal(cut(0.0, 0.0, 0.02224, 2, 1), RC_CUT_WORK);
    assert_int_equal(cut(0.0, 0.0, 0.0444, 1, 4),
                     RC_CUT_NONE); /* four stages are at work at a time */
    assert_int_equal(cut(0.0, 0.0, 0.04448, 1, 4), RC_CUT_WORK);
    const plan_layout rate = {
        .token =
            0.03}; /* 27 s of work, by two replicas or by three; those that decode are no help */
    const rc_plan_bound bound = {.value = {0.0, 0.0}};
    rc_plan_option o = {.tp = 8, .cp = 1, .prefill = 2, .decode = 7, .decode_cp = 1};
    assert_int_equal(find_cut(&bounds, &o, &rate, &bound), RC_CUT_WORK);
    o.prefill = 3, o.decode = 1;
    assert_int_equal(find_cut(&bounds, &o, &rate, &bound), RC_CUT_NONE);
    load.objectives[0].window = 0.0; /* all at once */
    assert_int_equal(cut(0.0, 0.0, 0.0022, 1, 1), RC_CUT_NONE);
    assert_int_equal(cut(0.0, 0.0, 0.00223, 1, 1), RC_CUT_WORK);
    load.objectives[0].window = -1.0; /* arrivals wait for replies */
    assert_int_equal(cut(0.0, 0.0, 1.0, 1, 1), RC_CUT_NONE);
    plan.objectives[0].ttit = true; /* gaps know no window */
    load.objectives[0].window = 8.0;
    assert_int_equal(cut(0.0, 0.0, 1.0, 1, 1), RC_CUT_NONE);
}

/* Of three classes with 4, 3 and 3 requests that the objective speaks of: within which time nine, seven, four are prefilled. */
static void test_quantile(void **state) {
    (void)state;
    static const rc_plan_class classes[] = {
        {.asked = {4}}, {.asked = {3}}, {.asked = {0}}, {.asked = {3}}};
    const timed at[] = {
        {1.0, &classes[0]}, {2.0, &classes[1]}, {2.5, &classes[2]}, {3.0, &classes[3]}};
    static const struct {
        double share, time;
    } t[] = {{1.0, 3.0}, {0.9, 3.0}, {0.71, 3.0}, {0.7, 2.0}, {0.41, 2.0}, {0.4, 1.0}, {0.01, 1.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        plan.objectives[0].share = t[i].share;
        if (prompt_quantile(&plan, 0, at, 4) != t[i].time)
            fail_msg("%g: %g", t[i].share, prompt_quantile(&plan, 0, at, 4));
    }
    assert_true(prompt_quantile(&plan, 0, &at[2], 1) == 0.0); /* nobody is asked */
    static const rc_plan_class lone = {.asked = {1}};
    const timed only = {4.0, &lone};
    assert_true(prompt_quantile(&plan, 0, &only, 1) == 4.0);
    assert_true(by_time(&at[0], &at[1]) < 0 && by_time(&at[1], &at[0]) > 0 &&
                by_time(&at[0], &at[0]) == 0);
}

/* A tenth is taken off what passes take; chunks go through the stages one behind the other. Of whom nobody asks, nothing is bounded. */
static void test_values(void **state) {
    (void)state;
    const plan_layout l = {.least = {1.5}};
    rc_plan_bound b = {.cut = RC_CUT_NONE};
    rc_plan_option o = {.tp = 8, .cp = 1, .prefill = 1, .pp = 3};
    plan.objective_count = 1;
    assert_int_equal(fill_values(&bounds, &o, &l, &b, NULL), RC_OK);
    assert_true(fabs(b.value[0] - 1.35) < 1e-12);
    o.chunked = true;
    assert_int_equal(fill_values(&bounds, &o, &l, &b, NULL), RC_OK);
    assert_true(fabs(b.value[0] - 0.45) < 1e-12);
    load.objectives[0].asked = 0;
    b.value[0] = 7.0;
    assert_int_equal(fill_values(&bounds, &o, &l, &b, NULL), RC_OK);
    assert_true(b.value[0] == 0.0);
}

/* The best of all batches up to the most that there may be; of a speculative step what one token takes, which is no more than the
 * step. */
static void test_least_step(void **state) {
    (void)state;
    static rc_serve serve;
    const rc_serve none = {.max_batch = 0};
    static const struct {
        int32_t max_batch;
        int steps;
        double time;
    } t[] = {{1, 1, 9.0},        {2, 2, 8.0},           {3, 2, 8.0},  {4, 3, 5.0},
             {7, 3, 5.0},        {8, 4, 5.0},           {64, 7, 4.0}, {BATCHES - 1, 14, 4.0},
             {BATCHES, 15, 4.0}, {2 * BATCHES, 15, 4.0}};
    static const double times[] = {9.0, 8.0, 5.0, 6.0, 7.0, 4.0, 4.5};
    serve = none;
    plan.serve = &serve;
    for (int i = 0; i < 16; i++)
        of_batch[i] = i < 7 ? times[i] : 100.0;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const rc_plan_option o = {.tp = 8, .cp = 1, .prefill = 1, .max_batch = t[i].max_batch};
        double out = -1.0;
        steps = 0;
        assert_int_equal(least_step(&bounds, &o, 1000, &out, NULL), RC_OK);
        assert_true(out == t[i].time && steps == t[i].steps && keys_asked == 1000);
    }
    static const int64_t inputs[][2] = {
        {498, 498}, {499, 499}, {500, 499}, {1000, 499}}; /* of which a window of 500 sees */
    serve.pattern = RC_PATTERN_WINDOW;
    serve.window = 500;
    for (size_t i = 0; i < 4; i++) {
        const rc_plan_option o = {.tp = 8, .cp = 1, .prefill = 1, .max_batch = 1};
        double out;
        assert_int_equal(least_step(&bounds, &o, inputs[i][0], &out, NULL), RC_OK);
        assert_int_equal(keys_asked, inputs[i][1]);
    }
    serve = none;
    static const struct {
        double cost;
        int kinds;
        double time;
    } drafts[] = {{1.0, 1, 9.0}, {1.5, 3, 3.0}, {0.5, 3, 1.5}, {2.0, 1, 9.0}};
    const rc_plan_option one = {.tp = 8, .cp = 1, .prefill = 1, .max_batch = 1};
    for (size_t i = 0; i < sizeof drafts / sizeof drafts[0]; i++) {
        double out = -1.0;
        serve.step_cost = drafts[i].cost;
        serve.step_kinds = drafts[i].kinds;
        assert_int_equal(least_step(&bounds, &one, 1000, &out, NULL), RC_OK);
        assert_true(fabs(out - drafts[i].time) < 1e-12);
    }
}

/* Llama 3.1 8B, of 32 layers and eight heads of keys, on nodes of eight: TP within a node or over whole ones, groups that nodes
 * hold whole or that are whole nodes, no more stages than layers. Without a network no more than a node, and no pools apart. */
static void test_pools(void **state) {
    static const struct {
        bool network, chunked, dynamic;
        int drafts, decode, tp, cp, dp, pp;
        const char *schedule;
        bool possible;
    } t[] = {
        {1, 0, 0, 0, 0, 8, 1, 1, 1, "tp", true},
        {1, 0, 0, 0, 0, 3, 1, 1, 1, "tp", false}, /* no cut of 32 heads */
        {1, 0, 0, 0, 0, 8, 2, 1, 1, "pass-kv", true},
        {1, 0, 0, 0, 1, 8, 1, 1, 1, "tp", true},
        {0, 0, 0, 0, 0, 8, 1, 1, 1, "tp", true},
        {0, 0, 0, 0, 1, 8, 1, 1, 1, "tp", false},
        {0, 0, 0, 0, 2, 4, 1, 1, 1, "tp", false},
        {0, 0, 0, 0, 0, 4, 2, 1, 1, "pass-kv", true},
        {0, 0, 0, 0, 0, 8, 2, 1, 1, "pass-kv", false},
        {0, 0, 0, 0, 0, 4, 1, 2, 1, "tp", true},
        {0, 0, 0, 0, 0, 4, 1, 4, 1, "tp", false},
        {0, 0, 0, 0, 0, 1, 1, 1, 8, "tp", true},
        {0, 0, 0, 0, 0, 1, 1, 1, 9, "tp", false},
        {1, 0, 0, 0, 0, 1, 1, 1, 32, "tp", true},
        {1, 0, 0, 0, 0, 1, 1, 1, 33, "tp", false},
        {1, 0, 0, 0, 0, 2, 3, 1, 1, "pass-kv", true},
        {1, 0, 0, 0, 0, 2, 3, 2, 1, "pass-kv", false},
        {1, 0, 0, 0, 0, 2, 2, 2, 1, "pass-kv", true},
        {1, 0, 0, 0, 0, 8, 2, 2, 1, "pass-kv", true},
        {1, 1, 0, 0, 0, 8, 2, 1, 1, "pass-kv", true},
        {1, 1, 0, 0, 0, 8, 2, 1, 1, "all-gather-kv", false},
        {1, 0, 0, 0, 0, 8, 2, 1, 1, "all-gather-kv", true},
        {1, 0, 0, 3, 0, 8, 1, 1, 1, "tp", true},
        {1, 0, 0, 3, 0, 4, 1, 2, 1, "tp", false},
        {1, 0, 0, 3, 0, 4, 1, 1, 2, "tp", false},
        {1, 0, 1, 3, 0, 4, 2, 1, 1, "pass-kv", false},
        {1, 0, 1, 0, 0, 4, 2, 1, 1, "pass-kv", true},
    };
    static rc_serve serve;
    rc_error err;
    (void)state;
    assert_int_equal(serve_parse(SERVE_HEAD
                                 "pools: [{name: a, tp: 8}]\nsynthetic: {requests: 1, rate: 1}\n"
                                 "speculative: {drafts: 3, acceptance: 0.5, model: llama-3.1-8b}\n",
                                 &serve, &err),
                     RC_OK);
    plan.serve = &serve;
    plan.model = serve.model;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const rc_plan_option o = {
            .tp = (int16_t)t[i].tp, .decode = (int16_t)t[i].decode, .chunked = t[i].chunked};
        const rc_pool pool = {.tp = t[i].tp,
                              .cp = t[i].cp,
                              .dp = t[i].dp,
                              .dynamic_cp = t[i].dynamic,
                              .stages = {.count = t[i].pp},
                              .pick = rc_pick_schedule(rc_schedule_named(t[i].schedule))};
        plan.offers[0].machine = serve.machine;
        if (!t[i].network)
            plan.offers[0].machine.nic_rate = 0.0;
        serve.drafts = t[i].drafts;
        if (pool_possible(&plan, &o, &pool) != t[i].possible)
            fail_msg("case %zu: %s", i, t[i].possible ? "not possible" : "possible");
    }
}

/* TP of whole nodes, or of which a node has a whole number. */
static void test_nodes(void **state) {
    (void)state;
    static rc_serve serve;
    rc_error err;
    assert_int_equal(serve_parse(SERVE_HEAD
                                 "pools: [{name: a, tp: 8}]\nsynthetic: {requests: 1, rate: 1}\n",
                                 &serve, &err),
                     RC_OK);
    plan.serve = &serve;
    plan.model = serve.model;
    static const struct {
        int node, tp;
        bool possible;
    } t[] = {{8, 8, true}, {8, 4, true}, {4, 8, true},  {3, 4, false}, {3, 2, false},
             {2, 2, true}, {2, 1, true}, {7, 8, false}, {1, 8, true}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const rc_plan_option o = {.tp = (int16_t)t[i].tp};
        const rc_pool pool = {
            .tp = t[i].tp, .cp = 1, .dp = 1, .pick = rc_pick_schedule(rc_schedule_named("tp"))};
        plan.offers[0].machine = serve.machine;
        plan.offers[0].machine.gpus_per_node = t[i].node;
        if (pool_possible(&plan, &o, &pool) != t[i].possible)
            fail_msg("TP%d on nodes of %d", t[i].tp, t[i].node);
    }
}

/* The fullest pass is the longest prompt, or as many of them as are fused within the budget, whichever configuration's that is; of
 * that, half and a quarter of it the best rate counts, in pieces of a 256th, of 128 tokens at the least. */
static void test_rates(void **state) {
    (void)state;
    static rc_serve serve;
    static const struct {
        int64_t budget, fuse, longest, budgets[2];
        int64_t count[3], each[3];
    } t[] = {{8192, 16, 1000, {0, 0}, {64, 32, 16}, {128, 128, 128}},
             {8192, 16, 1000, {2048, 16384}, {128, 64, 32}, {128, 128, 128}},
             {8192, 16, 1000, {16384, 2048}, {128, 64, 32}, {128, 128, 128}},
             {8192, 16, 9000, {0, 0}, {70, 35, 17}, {128, 128, 128}},
             {0, 16, 1000, {0, 0}, {125, 62, 31}, {128, 128, 128}},
             {1, 16, 1000, {0, 0}, {7, 3, 1}, {128, 128, 128}},
             {100, 16, 50, {0, 0}, {1, 1, 1}, {128, 128, 128}},
             {2, 16, 1, {0, 0}, {1, 1, 1}, {128, 128, 128}},
             {65536, 16, 1000, {0, 0}, {256, 256, 128}, {256, 128, 128}},
             {33023, 16, 1000, {0, 0}, {256, 128, 64}, {128, 128, 128}},
             {33024, 16, 1000, {0, 0}, {256, 129, 64}, {129, 128, 128}}};
    const rc_plan_option o = {.tp = 8, .cp = 1, .prefill = 1};
    plan.serve = &serve;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        double rate = 0.0;
        serve.budget = t[i].budget;
        serve.fuse = t[i].fuse;
        load.longest_input = t[i].longest;
        plan.space.budget = (rc_plan_ints){.v = {t[i].budgets[0], t[i].budgets[1]}, .n = 2};
        for (int best = 0; best < 3; best++) {
            pass_count = 0;
            for (int k = 0; k < 3; k++)
                of_pass[k] = (k == best ? 1e-3 : 2e-3) * (double)(t[i].count[k] * t[i].each[k]);
            assert_int_equal(best_rate(&bounds, &o, &rate, NULL), RC_OK);
            assert_true(fabs(rate - 1e-3) < 1e-15 && pass_count == 3);
        }
        for (int k = 0; k < 3; k++)
            if (passes[k].count != t[i].count[k] || passes[k].t != t[i].each[k] || passes[k].p != 0)
                fail_msg("case %zu, pass %d: %u of %lld", i, k, passes[k].count,
                         (long long)passes[k].t);
    }
}

/* A layout's passes are asked for once, whoever has it: three for the rate, one for each class of either list. By the quickest
 * classes first, whatever their order, so many requests are done. */
static void test_layouts(void **state) {
    (void)state;
    static rc_serve serve;
    static const rc_plan_class expected[] = {{.t = 300, .p = 5, .count = 2.0, .asked = {2}},
                                             {.t = 200, .p = 6, .count = 6.0, .asked = {6}},
                                             {.t = 100, .p = 7, .count = 2.0, .asked = {2}}};
    static const rc_plan_class least[] = {{.t = 90, .p = 8, .count = 1.0, .asked = {1}},
                                          {.t = 80, .p = 9, .count = 9.0, .asked = {9}}};
    plan.serve = &serve;
    serve.budget = 1024;
    plan.space.budget.n = 0;
    plan.objective_count = 1;
    plan.objectives[0].share = 0.4;
    load.classes = (rc_plan_class *)(uintptr_t)expected, load.class_count = 3;
    load.least = (rc_plan_class *)(uintptr_t)least, load.least_count = 2;
    load.longest_input = 100;
    static const double times[] = {1.0, 1.0, 1.0, 0.3, 0.5, 0.4, 0.2, 0.1};
    const plan_layout *l[4];
    pass_count = 0;
    for (int i = 0; i < 4; i++) { /* a, b, a, b */
        const rc_plan_option o = {
            .tp = i % 2 ? 4 : 8, .cp = 1, .prefill = (int16_t)(i + 1), .max_batch = i};
        for (int k = 0; k < 8 && i < 2; k++)
            of_pass[8 * i + k] = times[k] * (i + 1);
        assert_int_equal(layout_of(&bounds, &o, &l[i], NULL), RC_OK);
        assert_int_equal(pass_count, i == 0 ? 8 : 16);
    }
    assert_true(l[0] == l[2] && l[1] == l[3] && l[0] != l[1]);
    static const int64_t t[] = {300, 200, 100, 90, 80}, p[] = {5, 6, 7, 8, 9};
    for (int k = 0; k < 5; k++)
        assert_true(passes[3 + k].t == t[k] && passes[3 + k].p == p[k] && passes[3 + k].count == 1);
    for (int i = 0; i < 2; i++) {
        /* four of ten: 2 in 0.3 s, 2 in 0.4, 6 in 0.5; of the others 9 in 0.1 s */
        assert_true(fabs(l[i]->expected[0] - 0.4 * (i + 1)) < 1e-12 &&
                    fabs(l[i]->least[0] - 0.1 * (i + 1)) < 1e-12);
        assert_true(l[i]->count == 10.0 && fabs(l[i]->work - 4.4 * (i + 1)) < 1e-12);
    }
    bounds.layout_count = LAYOUTS; /* there is no room for another */
    rc_error err = {0};
    const rc_plan_option other = {.tp = 2, .cp = 1, .prefill = 1};
    (void)snprintf(plan.name, sizeof plan.name, "p");
    assert_int_equal(layout_of(&bounds, &other, &l[0], &err), RC_E_INPUT);
    assert_string_equal(err.msg, "plan 'p': more than 1024 layouts");
    bounds.layout_count = 0;
}

/* The pool that decodes has room for the longest request, the one that takes prompts for the longest prompt; where the room is stated
 * it is each replica's, and groups share it. */
static void test_memory(void **state) {
    (void)state;
    static const struct {
        bool apart;
        int dp;
        uint64_t stated;
        double prompts, replies;
        bool cut;
    } t[] = {{false, 1, 0, 0.0, 900.0, false},  {false, 1, 0, 0.0, 899.0, true},
             {true, 1, 0, 700.0, 900.0, false}, {true, 1, 0, 699.0, 900.0, true},
             {true, 1, 0, 700.0, 899.0, true},  {false, 1, 900, 1.0, 1.0, false},
             {false, 1, 899, 1e9, 1e9, true},   {false, 2, 1800, 1.0, 1.0, false},
             {false, 2, 1799, 1.0, 1.0, true},  {true, 2, 1800, 1.0, 1.0, false},
             {false, 1, 1, 1e9, 1e9, true}};
    static rc_serve serve;
    plan.serve = &serve;
    assert_int_equal(rc_pick_named("pass-kv", &plan.space.picks[0], NULL), RC_OK);
    plan.space.pick_count = 1;
    load.longest = 900;
    load.longest_input = 700;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const rc_plan_option o = {.tp = 8,
                                  .cp = 1,
                                  .decode_cp = 1,
                                  .prefill = 1,
                                  .decode = t[i].apart,
                                  .dp = (int16_t)t[i].dp};
        bool cuts = !t[i].cut;
        double tokens = -1.0;
        of_option.kv_tokens = t[i].stated;
        room_of_prompts = t[i].prompts, room_of_replies = t[i].replies;
        assert_int_equal(memory_cut(&bounds, &o, &cuts, &tokens, NULL), RC_OK);
        if (cuts != t[i].cut)
            fail_msg("case %zu", i);
        assert_true(tokens ==
                    (t[i].stated > 0 ? floor((double)t[i].stated / t[i].dp) : t[i].replies));
    }
}

static void test_cut_names(void **state) {
    (void)state;
    static const char *const names[] = {"none",    "layout", "KV dtype", "memory",
                                        "prefill", "decode", "work"};
    for (int i = 0; i < RC_CUT_COUNT; i++)
        assert_string_equal(rc_plan_cut_name((rc_plan_cut)i), names[i]);
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(test_limits),    T(test_quantile), T(test_values), T(test_least_step), T(test_pools),
        T(test_cut_names), T(test_nodes),    T(test_rates),  T(test_layouts),    T(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
