/* Contracts of what-ifs on keys, history and drafts, each broken on purpose.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/fewer.h"
#include "sim/forward/speculate.h"
#include "sim/model/model.h"
#include "tests/support/trips.h"

static void test_shares(void **state) {
    (void)state;
    const rc_history more = {.share = 1.5};
    trips("h->share >= 0.0 && h->share <= 1.0", (void)rc_history_left(&more, (rc_sequence){1, 10}));
}

static void test_drafts(void **state) {
    (void)state;
    static rc_model model;
    rc_error err;
    rc_speculated out;
    const rc_speculation sure = {.drafts = 1, .acceptance = 2.0}, none = {.drafts = 0};
    const rc_spec spec = {.model = &model};
    trips("how->drafts >= 0 && how->acceptance >= 0.0 && how->acceptance <= 1.0",
          (void)rc_speculated_tokens(&sure));
    trips("how->drafts >= 1", (void)rc_speculate(NULL, &spec, &none, &out, &err));
}

static void test_keys(void **state) {
    (void)state;
    static rc_model model;
    rc_error err;
    const rc_fewer_keys both = {.window = 1, .top_k = 1};
    trips("how->window >= 0 && how->top_k >= 0 && (how->window == 0 || how->top_k == 0)",
          (void)rc_model_see_fewer(&model, &both, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares), cmocka_unit_test(test_drafts),
                                       cmocka_unit_test(test_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
