/* What choosing assumes of its callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include <math.h>
#include "sim/choose/alternatives.h"
#include "sim/choose/launch.c"
#include "sim/choose/pick.h"
#include "sim/choose/select.h"

static rc_error err;

static void test_rules(void **state) {
    (void)state;
    const rc_rule rule = {.kind = RC_RULE_ALGORITHM_1};
    const rc_choose_input none = {0};
    trips("(unsigned)c < RC_CHOICES", (void)rc_choice_name(RC_CHOICES));
    trips("(unsigned)k < RC_RULE_COUNT", (void)rc_rule_name(RC_RULE_COUNT));
    trips("in->t > 0.0 && in->p >= 0.0", (void)rc_miss_rate(&none));
    trips("in->t > 0.0 && in->n >= 1 && in->c > 0.0 && in->bw > 0.0",
          (void)rc_rule_frontier(&rule, &none));
    trips("in->kv_bytes > 0.0", (void)rc_gathers_latents(&none));
    trips("!isnan(pass_kv) && !isnan(pass_q)", (void)rc_choose_oracle(1.0, (double)NAN));
}

static void test_picks(void **state) {
    (void)state;
    const rc_pick nobody = {0};
    trips("s", (void)rc_pick_schedule(NULL));
    trips("p->schedule", (void)rc_pick_name(&nobody));
    trips("i >= 0", (void)rc_pick_candidate(&nobody, -1));
}

static void test_launches(void **state) {
    (void)state;
    char text[RC_LAUNCH_LINE];
    line full = {.text = text, .used = RC_LAUNCH_LINE - 2};
    const rc_launch nothing = {.gpus_per_node = 1};
    trips("(unsigned)e < sizeof written / sizeof written[0]",
          (void)rc_launcher_name((rc_launcher)2));
    trips("n >= 0 && l->used + (size_t)n < RC_LAUNCH_LINE", put(&full, "too long"));
    trips("x->model != NULL && x->layout != NULL && x->schedule != NULL && x->gpus_per_node >= 1",
          (void)rc_launch_line(RC_LAUNCH_VLLM, &nothing, text, &err));
}

static void test_alternatives(void **state) {
    (void)state;
    static rc_alternative out[RC_ALTERNATIVES];
    const rc_model m = {.layers = 1};
    const rc_layout l = {.tp = 1};
    rc_choose_rates rates;
    int count;
    trips("cp >= 1 && cp <= RC_ALTERNATIVES_CP",
          (void)rc_choose_alternatives(&m, NULL, &l, 2 * RC_ALTERNATIVES_CP, 1, 0, 1, out, &count,
                                       &err));
    trips("batch >= 1 && t >= 1 && p >= 0",
          (void)rc_choose_alternatives(&m, NULL, &l, 2, 1, 0, 0, out, &count, &err));
    trips("tp >= 1 && n >= 1", (void)rc_choose_rates_of(NULL, &m, 0, 1, &rates, &err));
    trips("tp >= 1 && n >= 1", (void)rc_choose_link_rates(NULL, 1, 0, &rates, &err));
}

static void test_tables(void **state) {
    (void)state;
    static rc_select_table s;
    const rc_select_query nobody = {.model = NULL};
    trips("s->knots >= 1 && s->batches >= 1 && s->degrees >= 1",
          (void)rc_select_threshold(&s, 1000.0, 1.0, 4));
    trips("price >= 0 && price < s->prices", (void)rc_select_degree(&s, 0, 1000.0, 0.0, 1.0, 1, 4));
    trips("q->model != NULL && q->machine != NULL",
          (void)rc_select_covers(&s, &nobody, NULL, &err));
    s.knots = RC_SELECT_KNOTS + 1;
    trips("s->knots <= RC_SELECT_KNOTS && s->degrees <= RC_SELECT_DEGREES",
          rc_select_json(&s, NULL, NULL));
    s.knots = RC_SELECT_KNOTS;
    s.prices = RC_SELECT_PRICES + 1;
    trips("s->batches <= RC_SELECT_BATCHES && s->prices <= RC_SELECT_PRICES",
          rc_select_json(&s, NULL, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),    cmocka_unit_test(test_picks),
        cmocka_unit_test(test_launches), cmocka_unit_test(test_alternatives),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
