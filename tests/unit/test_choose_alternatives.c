/* Alternatives of one prefill on the paper's cluster: what is listed, and the limits P = 0, T = 1,
 * N = 1 and MHA.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/base/find.h"
#include "sim/choose/alternatives.h"
#include "sim/schedule/totals.h"
#include "sim/choose/choose.h"
#include "sim/forward/scenario.h"

static rc_model model;
static rc_machine machine;
static rc_costs *costs;
static rc_layout layout = {.tp = 8, .cp = 1, .ffn_weights = RC_FP8};

static int setup(void **state) {
    (void)state;
    char path[1024];
    if (rc_share_path("models", "llama-3.1-405b", ".json", path, sizeof path, NULL) != RC_OK ||
        rc_model_load(path, &model, NULL) != RC_OK ||
        rc_share_path("scenarios/machines", "gtt", ".yaml", path, sizeof path, NULL) != RC_OK ||
        rc_machine_load(path, &machine, NULL) != RC_OK)
        return -1;
    return rc_costs_open(NULL, &machine, &costs, NULL) == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    rc_costs_close(costs);
    return 0;
}

static int list(const rc_model *m, int cp, int64_t t, int64_t p, rc_alternative *out) {
    int count = 0;
    rc_error err = {0};
    assert_int_equal(rc_choose_alternatives(m, costs, &layout, cp, t, p, 1, out, &count, &err),
                     RC_OK);
    for (int i = 0; i < count; i++) /* where a group has no parts it is one */
        assert_true(out[i].dcp == 1 && out[i].dp == 1);
    return count;
}

static double time_of(const rc_alternative *a, int n, int cp, const char *variant) {
    int i = rc_alternative_find(a, n, cp, rc_schedule_named(variant));
    assert_true(i >= 0);
    return a[i].time;
}

static void lists_lower_degrees(void **state) {
    (void)state;
    rc_alternative a[RC_ALTERNATIVES];
    int all = list(&model, 6, 4000, 60000, a), count[7] = {0}, many = 0;
    while (rc_schedule_many_at(many))
        many++;
    for (int i = 0; i < all; i++) {
        count[a[i].cp]++;
        assert_true(i == 0 || a[i].cp <= a[i - 1].cp);
    }
    assert_int_equal(all,
                     count[6] + count[4] + count[2] + count[1]); /* with every schedule; none */
    assert_true(count[6] == many - 1 &&
                count[4] == many - 1);                  /* one KV head a GPU, one GPU a node's */
    assert_true(count[2] == many - 1 && count[1] == 1); /* rank: no groups */
    assert_int_equal(a[all - 1].cp, 1);
    assert_string_equal(a[all - 1].schedule->name, "tp");
    assert_int_equal(rc_alternative_find(a, all, 3, rc_schedule_named("pass-kv")), -1);
}

/* Sixteen GPUs, two of which hold the same KV head: dcp 2 adds the two schedules that cut a prompt's cached
 * tokens over them, and four groups of them one more, whose pass is that of the busiest: two prompts of 6
 * in a batch of six. */
static void lists_groups(void **state) {
    (void)state;
    rc_alternative a[RC_ALTERNATIVES];
    rc_layout l = layout;
    int plain = 0, count = 0;
    l.tp = 16;
    assert_int_equal(rc_choose_alternatives(&model, costs, &l, 1, 4000, 60000, 6, a, &plain, NULL),
                     RC_OK);
    l.dcp = 2;
    l.dp = 4;
    assert_int_equal(rc_choose_alternatives(&model, costs, &l, 1, 4000, 60000, 6, a, &count, NULL),
                     RC_OK);
    assert_int_equal(count, plain + 3);
    assert_true(a[1].dcp == 2 && a[2].dcp == 2 && a[1].dp == 1 && a[3].dp == 4 && a[3].dcp == 1);
    assert_string_equal(a[1].schedule->name, "dcp-ag-rs");
    assert_int_equal(rc_choose_alternatives(&model, costs,
                                            &(rc_layout){.tp = 16, .ffn_weights = RC_FP8}, 1, 4000,
                                            60000, 2, a + count, &plain, NULL),
                     RC_OK);
    assert_true(a[3].time == a[count].time); /* two each, at most: as two alone */
}

static void same_as_forward(void **state) {
    (void)state;
    rc_alternative a[RC_ALTERNATIVES];
    int n = list(&model, 4, 12800, 115200, a);
    rc_sequence s = {12800, 115200};
    rc_spec spec = {.model = &model,
                    .costs = costs,
                    .layout = layout,
                    .phase = RC_PREFILL,
                    .schedule = rc_schedule_named("pass-q"),
                    .seqs = &s,
                    .seq_count = 1,
                    .eager = true,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    rc_forward f;
    spec.layout.cp = 4;
    assert_int_equal(rc_forward_run(&spec, &f, NULL), RC_OK);
    assert_true(time_of(a, n, 4, "pass-q") == f.time);
}

static void no_cp(void **state) {
    (void)state;
    rc_alternative a[RC_ALTERNATIVES];
    assert_int_equal(list(&model, 1, 1, 0, a), 1); /* N = 1, T = 1, P = 0 */
    assert_int_equal(rc_alternative_best(a, 1), 0);
    assert_true(a[0].time > 0.0);
}

static void full_prefill_takes_pass_kv(void **state) {
    (void)state;
    rc_alternative a[RC_ALTERNATIVES];
    for (int64_t t = 256; t <= 131072; t *= 8) { /* P = 0: KV is an eighth of Q */
        int n = list(&model, 4, t, 0, a);
        assert_true(time_of(a, n, 4, "pass-kv") < time_of(a, n, 4, "pass-q"));
    }
}

/* T = 1 cannot be cut over ranks; one token a rank can, and there the cache decides. */
static void few_tokens_take_pass_q(void **state) {
    (void)state;
    rc_alternative a[RC_ALTERNATIVES];
    int n = list(&model, 4, 1, 127999, a);
    assert_true(isnan(time_of(a, n, 4, "pass-q")));
    assert_string_equal(a[0].why, "fewer new tokens than ranks");
    assert_int_equal(rc_alternative_best(a, n), n - 1);
    n = list(&model, 4, 4, 127996, a);
    assert_true(time_of(a, n, 4, "pass-q") < time_of(a, n, 4, "pass-kv"));
}

/* With as many KV heads as query heads K and V are twice Q: in a full prefill, too, pass-Q has
 * the smaller message, and the rules' miss-rate test never holds. */
static void mha(void **state) {
    (void)state;
    rc_model m = model;
    rc_rule rule;
    rc_decision d;
    m.kind[0].kv_heads = m.kind[0].heads;
    rc_choose_input in = {.t = 2000,
                          .p = 0,
                          .n = 4,
                          .heads = m.kind[0].heads,
                          .kv_heads = m.kind[0].kv_heads,
                          .e = 2,
                          .c = 800e12,
                          .bw = 26e9};
    assert_true(rc_equation_1(&in).holds);
    assert_true(fabs(rc_equation_1(&in).right - 2.0) < 1e-12);
    assert_int_equal(rc_rule_named("algorithm-1", &rule, NULL), RC_OK);
    assert_int_equal(rc_choose(&rule, &in, &d, NULL), RC_OK);
    assert_int_equal(d.choice, RC_CHOOSE_PASS_Q);
    rc_alternative a[RC_ALTERNATIVES];
    int n = list(&m, 4, 2000, 20000, a);
    assert_true(time_of(a, n, 4, "pass-q") < time_of(a, n, 4, "pass-kv"));
}

/* A schedule that gains by host work which nobody saw with it is listed, and not the fastest. */
static void cautioned_ones_are_not_the_fastest(void **state) {
    (void)state;
    rc_alternative a[RC_ALTERNATIVES];
    int n = list(&model, 4, 3200, 124800, a), best = rc_alternative_best(a, n);
    double gathered = time_of(a, n, 4, "all-gather-kv");
    assert_true(gathered < a[best].time);
    assert_true(a[best].caution == NULL && a[best].schedule == rc_schedule_named("pass-q"));
    for (int i = 0; i < n; i++)
        a[i].caution = "all of them";
    assert_int_equal(rc_alternative_best(a, n), -1);
}

static void says_what_does_not_fit(void **state) {
    (void)state;
    rc_alternative a[RC_ALTERNATIVES];
    int n = list(&model, 2, 100000, 900000, a),
        none = rc_alternative_find(a, n, 1, rc_schedule_named("tp"));
    assert_int_equal(a[none].status, RC_E_NOFIT);
    assert_true(isnan(a[none].time));
    assert_non_null(strstr(a[none].why, "GB"));
}

static void achieved_rates(void **state) {
    (void)state;
    rc_choose_rates r;
    assert_int_equal(rc_choose_rates_of(costs, &model, 8, 2, &r, NULL), RC_OK);
    assert_true(r.bw == machine.nic_rate && r.achieved_bw == machine.peer_rate);
    assert_true(r.c == machine.bf16_rate);
    assert_true(r.achieved_c > 0.5 * r.c && r.achieved_c < r.c);
}

/* Three sequences alike in two groups: two are here, and one elsewhere with all that it computes, attention too. */
static void sequences_elsewhere(void **state) {
    (void)state;
    const rc_sequence seqs[] = {{1000, 500}, {1000, 500}, {1000, 500}};
    const rc_alternative a = {.cp = 1, .dp = 2, .dcp = 1, .schedule = rc_schedule_named("tp")};
    const rc_layout l = {.tp = 8, .cp = 1, .dp = 1};
    const rc_spec spec = rc_alternative_spec(&model, costs, &l, &a, seqs, 3);
    const double attention = rc_model_attention_flops(&model, 1000, 500);
    assert_true(attention > 0.0);
    assert_int_equal(spec.seq_count, 2);
    assert_true(spec.elsewhere.tokens == 1000 && spec.elsewhere.sequences == 1);
    assert_true(spec.elsewhere_flops == rc_model_gemm_flops(&model, 1000) + attention);
}

/* Eight GPUs a node: two ranks of four talk over NVLink, four of them over the NICs. */
static void rates_by_where_ranks_are(void **state) {
    (void)state;
    rc_choose_rates r;
    assert_int_equal(machine.gpus_per_node, 8);
    assert_int_equal(rc_choose_link_rates(costs, 4, 2, &r, NULL), RC_OK);
    assert_true(r.bw == machine.nvlink_rate);
    assert_true(r.achieved_bw > 0.5 * r.bw && r.achieved_bw < r.bw);
    assert_int_equal(rc_choose_link_rates(costs, 4, 4, &r, NULL), RC_OK);
    assert_true(r.bw == machine.nic_rate && r.achieved_bw == machine.peer_rate);
    assert_int_equal(rc_choose_link_rates(costs, 8, 1, &r, NULL),
                     RC_OK); /* the next is elsewhere */
    assert_true(r.bw == machine.nic_rate && r.achieved_bw == machine.peer_rate);
}

/* Two GPUs through their host's memory: nothing is stated, and a large message gets 20 to 26 GB/s of what PCIe
 * gives; over sockets a tenth of that. */
static void rates_of_links_that_state_none(void **state) {
    (void)state;
    static const char *const transports[] = {"shm", "socket"};
    const double most[] = {26e9, 5e9}, least[] = {18e9, 0.5e9};
    for (int i = 0; i < 2; i++) {
        char path[1024];
        rc_machine m;
        rc_costs *own = NULL;
        rc_choose_rates r;
        assert_int_equal(
            rc_share_path("scenarios/machines", "h200x2", ".yaml", path, sizeof path, NULL), RC_OK);
        assert_int_equal(rc_machine_load(path, &m, NULL), RC_OK);
        (void)snprintf(m.intra_transport, sizeof m.intra_transport, "%s", transports[i]);
        assert_int_equal(rc_costs_open(NULL, &m, &own, NULL), RC_OK);
        assert_int_equal(rc_choose_link_rates(own, 1, 2, &r, NULL), RC_OK);
        assert_true(r.bw == 0.0);
        if (!(r.achieved_bw > least[i] && r.achieved_bw < most[i]))
            fail_msg("%s: %.3g B/s", transports[i], r.achieved_bw);
        rc_costs_close(own);
    }
}

/* Of two that take as long the first of the list counts; those that do not fit, or have a note, never. */
static void ties(void **state) {
    (void)state;
    rc_alternative a[] = {{.status = RC_E_NOFIT, .time = 1.0},
                          {.status = RC_OK, .time = 2.0, .caution = "a note"},
                          {.status = RC_OK, .time = 4.0},
                          {.status = RC_OK, .time = 3.0},
                          {.status = RC_OK, .time = 3.0}};
    assert_int_equal(rc_alternative_best(a, 5), 3);
    assert_int_equal(rc_alternative_best(a, 3), 2);
    assert_int_equal(rc_alternative_best(a, 2), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_lower_degrees),
        cmocka_unit_test(lists_groups),
        cmocka_unit_test(same_as_forward),
        cmocka_unit_test(no_cp),
        cmocka_unit_test(full_prefill_takes_pass_kv),
        cmocka_unit_test(few_tokens_take_pass_q),
        cmocka_unit_test(mha),
        cmocka_unit_test(cautioned_ones_are_not_the_fastest),
        cmocka_unit_test(says_what_does_not_fit),
        cmocka_unit_test(achieved_rates),
        cmocka_unit_test(sequences_elsewhere),
        cmocka_unit_test(rates_by_where_ranks_are),
        cmocka_unit_test(rates_of_links_that_state_none),
        cmocka_unit_test(ties),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
