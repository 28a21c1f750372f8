/* The configurations of a plan's space: every combination that has a meaning once and no other, how many GPUs each takes, what it
 * is called, and its margin.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/plan/plan_internal.h"

static rc_plan plan;

#define LIST(...)                                                                                  \
    ((rc_plan_ints){.v = {__VA_ARGS__}, .n = (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int))})

static int setup(void **state) {
    (void)state;
    memset(&plan, 0, sizeof plan);
    (void)snprintf(plan.name, sizeof plan.name, "p");
    plan.offer_count = 1;
    plan.offers[0].price = 3.0;
    plan.offers[0].gpus = 64;
    plan.offers[0].machine.gpus_per_node = 8;
    rc_plan_space *s = &plan.space;
    s->tp = LIST(8);
    s->cp = s->decode_cp = s->dcp = s->dp = s->ep = s->replicas = LIST(1);
    s->dynamic = s->split = s->chunked = s->kv = LIST(0);
    s->budget = LIST(8192);
    s->max_batch = LIST(16);
    assert_int_equal(rc_pick_named("pass-kv", &s->picks[0], NULL), RC_OK);
    assert_int_equal(rc_pick_named("oracle", &s->picks[1], NULL), RC_OK);
    s->pick_count = 2;
    s->cut = rc_schedule_named("dcp-ag-rs");
    return 0;
}

static size_t options(rc_plan_option **out) {
    rc_error err = {0};
    size_t n;
    if (plan_options(&plan, out, &n, &err) != RC_OK)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(memcmp(&(*out)[i], &(*out)[k], sizeof **out) != 0);
    return n;
}

static size_t count_of(void) {
    rc_plan_option *o;
    size_t n = options(&o);
    free(o);
    return n;
}

/* What means nothing is no configuration of its own: variants and dynamic CP on one rank, a budget without chunks, CP of a pool that
 * there is not. */
static void test_counts(void **state) {
    (void)state;
    rc_plan_space *s = &plan.space;
    assert_int_equal(count_of(), 1);
    s->cp = LIST(1, 2);
    assert_int_equal(count_of(), 1 + 2); /* two variants on two ranks */
    s->dynamic = LIST(0, 1);
    assert_int_equal(count_of(), 1 + 4);
    s->max_batch = LIST(8, 16, 32);
    assert_int_equal(count_of(), 3 * 5);
    s->budget = LIST(4096, 8192);
    assert_int_equal(count_of(), 3 * 5);
    s->chunked = LIST(0, 1);
    assert_int_equal(count_of(), 3 * 3 * 5);
    s->decode_cp = LIST(1, 2);
    assert_int_equal(count_of(), 3 * 3 * 5);
    s->split = LIST(0, 1);
    assert_int_equal(count_of(), 3 * 3 * 5 * 3);
    s->replicas = LIST(1, 2);
    assert_int_equal(count_of(),
                     3 * 3 * 5 * (2 + 2 * 4)); /* mixed: two; apart: two CPs, four pairs */
    s->kv = LIST(0, 1);
    assert_int_equal(count_of(), 2 * 3 * 3 * 5 * (2 + 2 * 4));
    plan.offer_count = 2;
    plan.offers[1] = plan.offers[0];
    assert_int_equal(count_of(), 2 * 2 * 3 * 3 * 5 * (2 + 2 * 4));
}

/* What does not go together: tokens cut over the GPUs of a group beside CP of the pool that decodes; dynamic CP with groups, or
 * with experts beyond a rank; stages with groups or dynamic CP. */
static void test_together(void **state) {
    (void)state;
    static const struct {
        int cp, decode_cp, dcp, dp, ep, dynamic, pp, split;
        size_t count;
    } t[] = {
        {2, 1, 1, 1, 1, 0, 1, 0, 2},  {2, 1, 2, 1, 1, 0, 1, 0, 0},  {1, 1, 2, 1, 1, 0, 1, 0, 1},
        {2, 1, 2, 1, 1, 0, 1, 1, 2},  {2, 2, 2, 1, 1, 0, 1, 1, 0},  {2, 1, 1, 2, 1, 0, 1, 0, 2},
        {2, 1, 1, 2, 1, 1, 1, 0, 0},  {2, 1, 1, 1, 8, 1, 1, 0, 2},  {2, 1, 1, 1, 16, 1, 1, 0, 0},
        {2, 1, 1, 1, -1, 1, 1, 0, 0}, {2, 1, 1, 1, -1, 0, 1, 0, 2}, {2, 1, 1, 1, 1, 0, 2, 0, 2},
        {2, 1, 1, 1, 1, 1, 2, 0, 0},  {2, 1, 1, 2, 1, 0, 2, 0, 0},  {1, 1, 1, 1, 1, 1, 2, 0, 1}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_plan_space *s = &plan.space;
        s->cp = LIST(t[i].cp);
        s->decode_cp = LIST(t[i].decode_cp);
        s->dcp = LIST(t[i].dcp);
        s->dp = LIST(t[i].dp);
        s->ep = LIST(t[i].ep);
        s->dynamic = LIST(t[i].dynamic);
        s->pp = LIST(t[i].pp);
        s->split = LIST(t[i].split);
        rc_plan_option *o = NULL;
        size_t n = 0;
        rc_error err = {0};
        rc_status st = plan_options(&plan, &o, &n, &err);
        assert_int_equal(st, t[i].count > 0 ? RC_OK : RC_E_INPUT);
        if (n != t[i].count)
            fail_msg("space %zu: %zu configurations", i, n);
        if (st != RC_OK)
            assert_string_equal(
                err.msg,
                "plan 'p': no configuration of its space is within the GPUs and nodes on offer");
        free(o);
    }
}

/* GPUs of both pools, over groups and stages, and what they cost. */
static void test_gpus(void **state) {
    (void)state;
    static const struct {
        rc_plan_option o;
        int gpus, prefill, decode;
    } t[] = {{{.tp = 8, .cp = 2, .prefill = 3}, 48, 3, 3},
             {{.tp = 8, .cp = 2, .prefill = 3, .dp = 4}, 192, 12, 12},
             {{.tp = 4, .cp = 2, .prefill = 3, .decode = 5, .decode_cp = 1}, 44, 3, 5},
             {{.tp = 4, .cp = 2, .prefill = 3, .decode = 5, .decode_cp = 2, .dp = 2}, 104, 3, 10},
             {{.tp = 4, .cp = 2, .prefill = 3, .pp = 2}, 48, 3, 3},
             {{.tp = 4, .cp = 2, .prefill = 3, .pp = 1, .dp = 1}, 24, 3, 3}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const rc_plan_option *o = &t[i].o;
        assert_int_equal(rc_plan_gpus(o), t[i].gpus);
        assert_int_equal(rc_plan_groups(o, false), t[i].prefill);
        assert_int_equal(rc_plan_groups(o, true), t[i].decode);
        assert_true(rc_plan_price(&plan, o) == 3.0 * t[i].gpus);
        plan.offers[0].gpus = t[i].gpus;
        assert_true(plan_on_offer(&plan, o));
        plan.offers[0].gpus = t[i].gpus - 1;
        assert_false(plan_on_offer(&plan, o));
    }
    const rc_plan_option six = {.tp = 8, .cp = 2, .prefill = 3}; /* six nodes of eight */
    rc_machine *m = &plan.offers[0].machine;
    plan.offers[0].gpus = 64;
    m->nic_rate = 1e9;
    static const int most[] = {0, 5, 6};
    for (int i = 0; i < 3; i++) {
        m->max_nodes = most[i];
        assert_int_equal(plan_on_offer(&plan, &six), most[i] != 5);
    }
    m->max_nodes = 5;
    m->nic_rate = 0.0; /* nodes without a network are not counted together */
    assert_true(plan_on_offer(&plan, &six));
}

/* Of what each pool is made. */
static void test_pools(void **state) {
    (void)state;
    rc_pool pools[2];
    rc_plan_option o = {.tp = 8, .cp = 2, .prefill = 3, .pick = 1, .dynamic = true, .ep = -1};
    plan.space.expert_skew = 0.5;
    assert_int_equal(plan_pools(&plan, &o, pools), 1);
    assert_string_equal(pools[0].name, "all");
    assert_true(pools[0].role == RC_POOL_MIXED && pools[0].replicas == 3 && pools[0].cp == 2 &&
                pools[0].dynamic_cp && pools[0].price == 3.0 && pools[0].ep == 16 &&
                pools[0].expert_skew == 0.5 && pools[0].dcp == 1 && pools[0].dp == 1);
    o = (rc_plan_option){.tp = 8,
                         .cp = 4,
                         .decode_cp = 1,
                         .prefill = 3,
                         .decode = 5,
                         .dcp = 2,
                         .dp = 2,
                         .ep = 4,
                         .dynamic = true};
    assert_int_equal(plan_pools(&plan, &o, pools), 2);
    assert_string_equal(pools[0].name, "prefill");
    assert_string_equal(pools[1].name, "decode");
    assert_true(pools[0].role == RC_POOL_PREFILL && pools[0].replicas == 3 && pools[0].cp == 4 &&
                pools[0].dcp == 1 && pools[0].dp == 1 && pools[0].ep == 4 && pools[0].dynamic_cp);
    assert_true(pools[1].role == RC_POOL_DECODE && pools[1].replicas == 5 && pools[1].cp == 1 &&
                pools[1].dcp == 2 && pools[1].dp == 2 && pools[1].ep == 4 && !pools[1].dynamic_cp);
    o.ep = 0;
    (void)plan_pools(&plan, &o, pools);
    assert_true(pools[0].ep == 1 && pools[1].ep == 1);
}

static void test_text(void **state) {
    (void)state;
    char text[256];
    static const struct {
        rc_plan_option o;
        const char *says;
    } t[] = {
        {{.tp = 8, .cp = 2, .prefill = 3, .max_batch = 16},
         "3 x CP2 x TP8, pass-kv, prefill first, batch 16, KV bf16"},
        {{.tp = 8,
          .cp = 2,
          .prefill = 3,
          .max_batch = 16,
          .pick = 1,
          .dynamic = true,
          .chunked = true,
          .budget = 512,
          .kv = RC_FP8},
         "3 x CP2 x TP8, oracle, dynamic CP, chunks of 512, batch 16, KV fp8"},
        {{.tp = 8, .cp = 2, .prefill = 3, .max_batch = 16, .dcp = 1, .dp = 1, .ep = 1, .pp = 1},
         "3 x CP2 x TP8, pass-kv, prefill first, batch 16, KV bf16"},
        {{.tp = 8, .cp = 2, .decode_cp = 4, .prefill = 3, .decode = 5, .max_batch = 16, .pp = 2},
         "3 prefill CP2 + 5 decode CP4 x TP8 x PP2, pass-kv, prefill first, batch 16, KV bf16"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_string_equal(rc_plan_option_text(&plan, &t[i].o, text, sizeof text), t[i].says);
    for (int k = 0; k < 4; k++) {
        const rc_plan_option o = {.decode = k & 1, .dynamic = k > 1};
        static const char *const names[] = {"mixed", "disaggregated", "mixed, dynamic CP",
                                            "disaggregated, dynamic CP"};
        assert_string_equal(rc_plan_kind_name(rc_plan_kind(&o)), names[k]);
    }
}

/* The least of limit over value, and which that is; what nobody asked for does not bind, and a run with requests that did not come to
 * their end meets nothing, and is no better than one that is late. */
static void test_margin(void **state) {
    (void)state;
    static const struct {
        double value[3], rejected, lost;
        bool fits;
        double margin;
        int tightest;
    } t[] = {{{1.0, 1.0, 1.0}, 0, 0, true, 0.0, 0},
             {{0.5, 1.0, 8.0}, 0, 0, true, -0.5, 2},
             {{0.5, 1.0, 1.0}, 0, 0, true, 1.0, 0},
             {{0.5, 0.5, 0.5}, 0, 0, true, 1.0, 0},
             {{0.0, 0.0, 0.0}, 0, 0, true, 1e9, 0},
             {{0.0, 0.0, 1.0}, 0, 0, true, 3.0, 2},
             {{0.5, 1.0, 1.0}, 1, 0, true, RC_PLAN_UNFINISHED, 0},
             {{0.5, 1.0, 1.0}, 0, 1, true, RC_PLAN_UNFINISHED, 0},
             {{1e9, 1.0, 1.0}, 1, 0, true, 1.0 / 1e9 - 1.0, 0},
             {{0.5, 1.0, 1.0}, 0, 0, false, RC_PLAN_NO_FIT, 0}};
    plan.objective_count = 3;
    plan.objectives[0].limit = 1.0;
    plan.objectives[1].limit = 2.0;
    plan.objectives[2].limit = 4.0;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_plan_outcome o = {.fits = t[i].fits, .rejected = t[i].rejected, .lost = t[i].lost};
        int tightest = -1;
        memcpy(o.value, t[i].value, sizeof t[i].value);
        const double margin = rc_plan_margin(&plan, &o, &tightest);
        if (!(fabs(margin - t[i].margin) < 1e-12) || tightest != t[i].tightest)
            fail_msg("%zu: %g of objective %d", i, margin, tightest);
    }
}

/* Of one family are those that differ in replicas alone. */
static void test_families(void **state) {
    (void)state;
    const rc_plan_option base = {
        .tp = 8, .cp = 2, .decode_cp = 1, .prefill = 3, .decode = 1, .max_batch = 16};
    rc_plan_option same = base, other[15];
    same.prefill = 7;
    same.decode = 9;
    assert_true(plan_same_family(&base, &same));
    for (int i = 0; i < 15; i++)
        other[i] = base;
    other[0].offer = 1, other[1].tp = 4, other[2].cp = 1, other[3].decode_cp = 2,
    other[4].decode = 0;
    other[5].dcp = 2, other[6].dp = 2, other[7].ep = 2, other[8].pp = 2, other[9].pick = 1;
    other[10].kv = 1, other[11].dynamic = true, other[12].chunked = true, other[13].budget = 1,
    other[14].max_batch = 1;
    for (int i = 0; i < 15; i++)
        if (plan_same_family(&base, &other[i]))
            fail_msg("%d is of the family", i);
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {T(test_counts),  T(test_together), T(test_gpus),
                                       T(test_pools),   T(test_text),     T(test_margin),
                                       T(test_families)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
