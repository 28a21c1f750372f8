/* The table of keys itself: well formed, and in agreement with the rooms whose names it lists; the
 * readers over it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sim/choose/choose.h"
#include "sim/keys/keys.h"
#include "sim/kv/kv.h"
#include "sim/machine/machine.h"
#include "sim/schedule/schedule.h"
#include "sim/trace/trace.h"
#include "sim/trace/workload.h"

/* ---- the rows -------------------------------------------------------------------------------- */

static void check_default(const rc_key *k) {
    double v;
    int64_t n;
    rc_error err = {0};
    if (!k->otherwise || k->otherwise[0] != '=')
        return;
    const char *text = k->otherwise + 1;
    if (k->kind == RC_KEY_WHOLE)
        assert_int_equal(rc_quantity_int(text, (int64_t)k->lo, (int64_t)k->hi, &n, &err), RC_OK);
    if (k->kind == RC_KEY_NUMBER)
        assert_int_equal(rc_key_number(k, text, &v, &err), RC_OK);
    if (k->kind == RC_KEY_SWITCH)
        assert_true(strcmp(text, "true") == 0 || strcmp(text, "false") == 0);
    if (k->kind == RC_KEY_CHOICE)
        assert_non_null(strstr(k->names, text));
}

static void test_rows(void **state) {
    (void)state;
    for (int f = 0; f < RC_KEYS_FILES; f++) {
        size_t count;
        const rc_key *k = rc_keys_of((rc_key_file)f, &count);
        for (size_t i = 0; i < count; i++) {
            bool value = k[i].kind != RC_KEY_SECTION && k[i].kind != RC_KEY_ENTRIES;
            if (rc_key_find((rc_key_file)f, k[i].path) != &k[i])
                fail_msg("%s: '%s' stands there twice", rc_keys_file_name((rc_key_file)f),
                         k[i].path);
            assert_true(value || k[i].direction == 0);
            if (k[i].direction != 0)
                assert_true(k[i].changes[0] != '\0');
            if (k[i].kind == RC_KEY_WHOLE || k[i].kind == RC_KEY_NUMBER)
                assert_true(k[i].lo < k[i].hi);
            assert_int_equal(k[i].kind == RC_KEY_CHOICE, k[i].names[0] != '\0' || k[i].more);
            check_default(&k[i]);
        }
    }
}

/* ---- names that other rooms own -------------------------------------------------------------- */

static void same_names(rc_key_file f, const char *path, size_t skip, const char *const *names) {
    const rc_key *k = rc_key_find(f, path);
    char name[64];
    assert_non_null(k);
    for (size_t i = 0; names[i]; i++) {
        const char *have = rc_key_choice_name(k, (int)(i + skip), name, sizeof name);
        assert_non_null(have);
        assert_string_equal(have, names[i]);
    }
}

/* A scenario's choice becomes the enum by its number. */
static const char *const arrival_processes[] = {[RC_ARRIVE_POISSON] = "poisson",
                                                [RC_ARRIVE_GAMMA] = "gamma",
                                                [RC_ARRIVE_EVEN] = "even",
                                                [RC_ARRIVE_EVEN + 1] = NULL};
static const char *const kv_policies[] = {[RC_KV_LRU] = "lru",
                                          [RC_KV_NONE] = "none",
                                          [RC_KV_SESSION] = "session",
                                          [RC_KV_OFF] = "off",
                                          [RC_KV_OFF + 1] = NULL};

static void same_schedules(rc_key_file f, const char *path, int skip,
                           const rc_schedule *(*at)(int i)) {
    const rc_key *k = rc_key_find(f, path);
    char name[64];
    assert_non_null(k);
    int i = 0;
    for (; at(i); i++) {
        assert_non_null(rc_key_choice_name(k, i + skip, name, sizeof name));
        assert_string_equal(name, at(i)->name);
    }
    assert_null(rc_key_choice_name(k, i + skip, name, sizeof name));
}

static void test_names(void **state) {
    (void)state;
    same_schedules(RC_KEYS_FORWARD, "parallel.variant", 0, rc_schedule_at);
    same_names(RC_KEYS_SERVE, "pools[].variant", 1, rc_rule_names());
    same_schedules(RC_KEYS_SERVE, "pools[].variant", 4, rc_schedule_at);
    same_names(RC_KEYS_PLAN, "space.variant", 1, rc_rule_names());
    same_schedules(RC_KEYS_PLAN, "space.variant", 4, rc_schedule_many_at);
    same_names(RC_KEYS_SERVE, "kv.policy", 0, kv_policies);
    same_names(RC_KEYS_SERVE, "arrivals.process", 0, arrival_processes);
    same_names(RC_KEYS_SERVE, "synthetic.process", 0, arrival_processes);
    same_names(RC_KEYS_SERVE, "arrivals.format", 0, rc_trace_format_names());
    same_names(RC_KEYS_SERVE, "arrivals.time_unit", 0, rc_time_unit_names());
    same_names(RC_KEYS_SERVE, "arrivals.zero_output", 0, rc_zero_output_names());
    same_names(RC_KEYS_SERVE, "arrivals.on_bad_row", 0, rc_bad_row_names());
    for (const char *const *f = rc_machine_fields(); *f; f++)
        assert_non_null(rc_machine_field_key(*f));
    const rc_key *tokens = rc_key_find(RC_KEYS_FORWARD, "tokens.new");
    assert_true((int64_t)tokens->hi == RC_TOKENS_MAX);
}

/* ---- reading --------------------------------------------------------------------------------- */

static rc_doc *document(const char *text) {
    rc_doc *d = NULL;
    assert_int_equal(rc_doc_parse("s.yaml", text, strlen(text), &d, NULL), RC_OK);
    return d;
}

static void says(const char *text, const char *expected) {
    rc_section s, t;
    rc_error err = {0};
    char got[1200];
    rc_doc *d = document(text);
    rc_status st = rc_section_root(RC_KEYS_SERVE, rc_doc_root(d), &s, &err);
    int64_t v = 0;
    if (st == RC_OK)
        st = rc_section_enter(&s, "scheduler", &t, &err);
    if (st == RC_OK)
        st = rc_section_whole(&t, "budget", &v, &err);
    assert_int_equal(st, RC_E_INPUT);
    assert_string_equal(rc_error_text(&err, got, sizeof got), expected);
    rc_doc_close(d);
}

static void test_misplaced(void **state) {
    (void)state;
    says("scheduler: {slo: 1}\n",
         "s.yaml:1:13: key 'slo' belongs at the top level, not in 'scheduler'");
    says("max_batch: 4\n",
         "s.yaml:1:1: key 'max_batch' belongs in 'scheduler', not at the top level");
    says("scheduler: {budgte: 4}\n", "s.yaml:1:13: unknown key 'budgte' (did you mean 'budget'?)");
    says("scheduler: {budget: 3G}\n",
         "s.yaml:1:21: key 'budget': found '3G', expected a whole number from 0 to 2147483648");
    says("pp: 2\n", "s.yaml:1:1: key 'pp' belongs in 'pools[]', not at the top level");
    says("scheduler: 4\n", "s.yaml:1:12: key 'scheduler': found '4', expected a map of keys");
}

static void test_defaults(void **state) {
    (void)state;
    rc_section s, t;
    rc_doc *d = document("kv: {host_rate: 20GB/s}\n");
    double rate = 0, second_tier = -1;
    int64_t budget = 0, tokens = 7;
    int policy = -1;
    assert_int_equal(rc_section_root(RC_KEYS_SERVE, rc_doc_root(d), &s, NULL), RC_OK);
    assert_int_equal(rc_section_enter(&s, "kv", &t, NULL), RC_OK);
    assert_int_equal(rc_section_number(&t, "host_rate", &rate, NULL), RC_OK);
    assert_int_equal(rc_section_number(&t, "host_memory", &second_tier, NULL), RC_OK);
    assert_int_equal(rc_section_whole(&t, "tokens", &tokens, NULL), RC_OK);
    assert_int_equal(rc_section_choice(&t, "policy", &policy, NULL), RC_OK);
    assert_true(rate == 20e9 && second_tier == 0 && tokens == 7 && policy == 0);
    assert_int_equal(rc_section_enter(&s, "scheduler", &t, NULL), RC_OK);
    assert_int_equal(rc_section_whole(&t, "budget", &budget, NULL), RC_OK);
    assert_int_equal(budget, 8192);
    rc_doc_close(d);
}

/* Both ways of writing the item of a list. */
static void test_items_by_number(void **state) {
    (void)state;
    static const char *const paths[] = {"pools.1.tp", "pools[1].tp"};
    for (size_t i = 0; i < 2; i++) {
        rc_doc *d = document("pools: [{tp: 1}, {tp: 2}]\n");
        assert_int_equal(rc_doc_set(d, paths[i], "8", NULL), RC_OK);
        const rc_node *pool = rc_node_at(rc_node_get(rc_doc_root(d), "pools"), 1);
        assert_string_equal(rc_node_text(rc_node_get(pool, "tp")), "8");
        assert_int_equal(rc_doc_set(d, "pools[2].tp", "8", NULL), RC_E_USAGE);
        assert_int_equal(rc_doc_set(d, "pools[1]tp", "8", NULL), RC_E_USAGE);
        rc_doc_close(d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_misplaced),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_items_by_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
