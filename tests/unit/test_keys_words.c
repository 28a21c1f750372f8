/* What is said of a key, of rows made here for every kind and every form of a range; and reading maps and lists by the table: each
 * number of items, where a value may be left out, null, empty or of another kind.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <stdio.h>
#include <string.h>
#include "sim/keys/keys.h"

static const char *letter(int i) {
    static const char *const of[] = {"x", "y", NULL};
    return i < 2 ? of[i] : NULL;
}

static void values_are(rc_key k, const char *want) {
    char text[256];
    assert_string_equal(rc_key_values(&k, text, sizeof text), want);
}

static void test_values(void **state) {
    (void)state;
    values_are((rc_key){.kind = RC_KEY_SECTION}, "keys");
    values_are((rc_key){.kind = RC_KEY_ENTRIES}, "list of maps");
    values_are((rc_key){.kind = RC_KEY_TEXT}, "text");
    values_are((rc_key){.kind = RC_KEY_NAME}, "name or path");
    values_are((rc_key){.kind = RC_KEY_NAME, .many = true}, "list: name or path");
    values_are((rc_key){.kind = RC_KEY_SWITCH}, "true, false");
    values_are((rc_key){.kind = RC_KEY_CHOICE, .names = "one"}, "one");
    values_are((rc_key){.kind = RC_KEY_CHOICE, .names = "a bc d"}, "a, bc, d");
    values_are((rc_key){.kind = RC_KEY_CHOICE, .names = "a b", .more = letter}, "a, b, x, y");
    values_are((rc_key){.kind = RC_KEY_CHOICE, .names = "", .more = letter}, "x, y");
    values_are((rc_key){.kind = RC_KEY_WHOLE, .unit = ""}, "count");
    values_are((rc_key){.kind = RC_KEY_WHOLE, .unit = "GPUs", .many = true}, "list: GPUs");
    values_are((rc_key){.kind = RC_KEY_NUMBER, .unit = "", .dim = RC_DIM_TIME},
               rc_dim_name(RC_DIM_TIME));
    values_are((rc_key){.kind = RC_KEY_NUMBER, .unit = "of it", .dim = RC_DIM_TIME}, "of it");
}

/* Names that do not fit are cut, never written behind the end. */
static void test_long_values(void **state) {
    (void)state;
    char names[400], text[512];
    for (size_t i = 0; i + 1 < sizeof names; i++)
        names[i] = i % 50 == 49 ? ' ' : (char)('a' + i / 50);
    names[sizeof names - 1] = '\0';
    const rc_key k = {.kind = RC_KEY_CHOICE, .names = names};
    assert_int_equal(strlen(rc_key_values(&k, text, sizeof text)), 255);
    assert_memory_equal(text + 49, ", bbb", 5);
}

static void test_choice_names(void **state) {
    (void)state;
    const rc_key k = {.kind = RC_KEY_CHOICE, .names = "a bc", .more = letter};
    static const char *const want[] = {"a", "bc", "x", "y", NULL, NULL};
    char text[16];
    for (int i = 0; i < 6; i++) {
        const char *got = rc_key_choice_name(&k, i, text, sizeof text);
        if (want[i])
            assert_string_equal(got, want[i]);
        else
            assert_null(got);
    }
    const rc_key few = {.kind = RC_KEY_CHOICE, .names = "a bc"};
    assert_null(rc_key_choice_name(&few, 2, text, sizeof text));
}

static void range_is(rc_key k, const char *want) {
    char text[160];
    assert_string_equal(rc_key_range(&k, text, sizeof text), want);
}

static void test_ranges(void **state) {
    (void)state;
    const rc_key whole = {.kind = RC_KEY_WHOLE, .lo = 1, .hi = 4096};
    range_is(whole, "1 to 4Ki");
    range_is((rc_key){.kind = RC_KEY_WHOLE, .lo = 0, .hi = DBL_MAX}, "from 0");
    range_is((rc_key){.kind = RC_KEY_NUMBER, .dim = RC_DIM_COUNT, .lo = 0.0, .hi = 1.0}, "0 to 1");
    range_is((rc_key){.kind = RC_KEY_NUMBER, .dim = RC_DIM_COUNT, .lo = DBL_MIN, .hi = 1.0},
             "above 0, to 1");
    range_is((rc_key){.kind = RC_KEY_NUMBER, .dim = RC_DIM_COUNT, .lo = DBL_MIN, .hi = DBL_MAX},
             "above 0");
    range_is((rc_key){.kind = RC_KEY_NUMBER, .dim = RC_DIM_COUNT, .lo = 0.0, .hi = DBL_MAX},
             "from 0");
    range_is((rc_key){.kind = RC_KEY_NUMBER, .dim = RC_DIM_COUNT, .lo = 0.5, .hi = DBL_MAX},
             "from 0.5");
    range_is((rc_key){.kind = RC_KEY_NUMBER, .dim = RC_DIM_BANDWIDTH, .lo = 1e6, .hi = 1e12},
             "1MB/s to 1TB/s");
    range_is((rc_key){.kind = RC_KEY_SWITCH, .lo = 1, .hi = 2}, "");
    range_is((rc_key){.kind = RC_KEY_TEXT}, "");
}

/* The number of an item counts as any; all else of a path must be there. */
static void test_found(void **state) {
    (void)state;
    const rc_key *tp = rc_key_find(RC_KEYS_SERVE, "pools[].tp");
    assert_non_null(tp);
    assert_string_equal(tp->path, "pools[].tp");
    assert_ptr_equal(rc_key_find(RC_KEYS_SERVE, "pools[0].tp"), tp);
    assert_ptr_equal(rc_key_find(RC_KEYS_SERVE, "pools[1234].tp"), tp);
    static const char *const none[] = {"pools[",   "pools[0",      "pools[0]",   "pools[]tp",
                                       "pools.tp", "pool",         "pools[0].t", "pools[0].tpx",
                                       "",         "pools[0].tp.x"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (rc_key_find(RC_KEYS_SERVE, none[i]))
            fail_msg("'%s' was found", none[i]);
    char deep[400]; /* longer than any key */
    (void)memset(deep, 'x', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    assert_null(rc_key_find(RC_KEYS_SERVE, deep));
}

/* ---- reading ------------------------------------------------------------------------------------ */

static rc_doc *doc;
static rc_section top;

static void opened(rc_key_file f, const char *text) {
    rc_error err = {0};
    if (rc_doc_parse("s.yaml", text, strlen(text), &doc, &err) != RC_OK ||
        rc_section_root(f, rc_doc_root(doc), &top, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

static void refused(rc_status st, rc_error *err, const char *want) {
    char got[1200];
    assert_int_equal(st, RC_E_INPUT);
    assert_string_equal(rc_error_text(err, got, sizeof got), want);
    rc_doc_close(doc);
}

/* A list of two where so many are asked for. */
static void test_counts(void **state) {
    (void)state;
    static const struct {
        size_t least, most;
        const char *says;
    } of[] = {{1, 2, NULL}, {2, 2, NULL}, {2, 9, NULL}, {3, 9, "3 to 9"}, {0, 1, "0 to 1"}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
        for (int list = 0; list < 2; list++) {
            rc_error err = {0};
            char want[128];
            size_t n = 77;
            opened(RC_KEYS_PLAN, "offers: [{}, {}]\nspace: {tp: [1, 2]}\n");
            rc_section space;
            assert_int_equal(rc_section_enter(&top, "space", &space, NULL), RC_OK);
            rc_status st =
                list ? rc_section_item_count(&space, "tp", of[i].least, of[i].most, &n, &err)
                     : rc_section_entries(&top, "offers", of[i].least, of[i].most, &n, &err);
            assert_int_equal(n, 2);
            if (of[i].says) {
                (void)snprintf(want, sizeof want, "s.yaml:%s key '%s': found 2, expected %s",
                               list ? "2:13:" : "1:9:", list ? "tp" : "offers", of[i].says);
                refused(st, &err, want);
            } else {
                assert_int_equal(st, RC_OK);
                rc_doc_close(doc);
            }
        }
}

/* A value stands for a list of one, none for the default's, where there is one. */
static void test_lists_of_one(void **state) {
    (void)state;
    rc_section space;
    size_t n = 7;
    int64_t v = -1;
    int pick = -1;
    rc_error err = {0};
    opened(RC_KEYS_PLAN, "space: {tp: 4, cp: [1, 2, 8], pools: [mixed, disaggregated], kv: fp8}\n");
    assert_int_equal(rc_section_enter(&top, "space", &space, NULL), RC_OK);
    assert_int_equal(rc_section_item_count(&space, "tp", 1, 9, &n, NULL), RC_OK);
    assert_int_equal(n, 1);
    assert_int_equal(rc_section_whole_item(&space, "tp", 0, 1, 1024, &v, NULL), RC_OK);
    assert_int_equal(v, 4);
    assert_int_equal(rc_section_item_count(&space, "cp", 1, 9, &n, NULL), RC_OK);
    assert_int_equal(n, 3);
    assert_int_equal(rc_section_whole_item(&space, "cp", 2, 1, 8, &v, NULL), RC_OK);
    assert_int_equal(v, 8);
    assert_int_equal(rc_section_whole_item(&space, "cp", 2, 1, 7, &v, NULL), RC_E_INPUT);
    assert_int_equal(rc_section_whole_item(&space, "cp", 1, 3, 7, &v, NULL), RC_E_INPUT);
    assert_int_equal(rc_section_item_count(&space, "ep", 1, 9, &n, NULL), RC_OK);
    assert_int_equal(n, 1); /* left out: its default */
    assert_int_equal(rc_section_whole_item(&space, "ep", 0, 0, 9, &v, NULL), RC_OK);
    assert_int_equal(v, 1);
    assert_int_equal(rc_section_item_count(&space, "replicas", 1, 9, &n, NULL), RC_OK);
    assert_int_equal(n, 1);
    assert_int_equal(rc_section_choice_item(&space, "pools", 1, &pick, NULL), RC_OK);
    assert_int_equal(pick, 1);
    assert_int_equal(rc_section_choice_item(&space, "scheduler", 0, &pick, NULL), RC_OK);
    assert_int_equal(pick, 0);
    assert_int_equal(rc_section_choice_item(&space, "kv", 0, &pick, NULL), RC_OK);
    assert_int_equal(pick, 1);
    rc_doc_close(doc);
    opened(RC_KEYS_PLAN,
           "space: {tp: 4}\n"); /* left out, and what stands for it is said in words */
    assert_int_equal(rc_section_enter(&top, "space", &space, NULL), RC_OK);
    assert_int_equal(rc_section_item_count(&space, "kv", 1, 9, &n, NULL), RC_OK);
    assert_int_equal(n, 0);
    rc_doc_close(doc);
    opened(RC_KEYS_PLAN, "space: {tp: 4, kv: [fp8, fp9]}\n");
    assert_int_equal(rc_section_enter(&top, "space", &space, NULL), RC_OK);
    refused(rc_section_choice_item(&space, "kv", 1, &pick, &err), &err,
            "s.yaml:1:26: key 'kv': found 'fp9', expected one of bf16, fp8, int4 (did you mean "
            "'fp8'?)");
    opened(RC_KEYS_PLAN, "space: {tp: ~}\n");
    assert_int_equal(rc_section_enter(&top, "space", &space, NULL), RC_OK);
    assert_int_equal(rc_section_item_count(&space, "tp", 1, 9, &n, &err), RC_E_INPUT);
    rc_doc_close(doc);
}

static void test_entries(void **state) {
    (void)state;
    rc_section pool;
    rc_error err = {0};
    int64_t v = -1;
    size_t n = 7;
    opened(RC_KEYS_SERVE, "pools: [{tp: 2}, {tp: 4}, 7]\n");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rc_section_entry(&top, "pools", i, &pool, NULL), RC_OK);
        assert_string_equal(pool.path, "pools[]");
        assert_int_equal(rc_section_whole(&pool, "tp", &v, NULL), RC_OK);
        assert_int_equal(v, 2 + 2 * (int)i);
    }
    assert_int_equal(rc_section_entries(&top, "faults", 0, 9, &n, NULL), RC_OK);
    assert_int_equal(n, 0);
    assert_true(rc_section_has(&top, "pools") && !rc_section_has(&top, "faults"));
    assert_true(rc_section_node(&top, "pools") && !rc_section_node(&top, "faults"));
    refused(rc_section_entry(&top, "pools", 2, &pool, &err), &err,
            "s.yaml:1:27: key 'pools': expected a list of mappings");
    opened(RC_KEYS_SERVE, "kv: {}\n");
    refused(rc_section_entries(&top, "pools", 1, 9, &n, &err), &err,
            "s.yaml:1:1: missing key 'pools' at the top level");
    opened(RC_KEYS_SERVE, "pools: [{tp: 2, slo: 3}]\n");
    refused(rc_section_entry(&top, "pools", 0, &pool, &err), &err,
            "s.yaml:1:17: key 'slo' belongs at the top level, not in 'pools[]'");
}

/* A section that is needed, one that may be left out, and values of each kind there and left out. */
static void test_sections(void **state) {
    (void)state;
    rc_section parallel, again, serve;
    rc_error err = {0};
    const char *name = NULL;
    char text[64] = "as before";
    bool on = false;
    int pick = 5;
    opened(RC_KEYS_FORWARD, "scenario: told\nmodel: ''\nmachine: h200\nparallel: {world: tp}\n");
    assert_int_equal(rc_section_enter(&top, "parallel", &parallel, NULL), RC_OK);
    assert_string_equal(parallel.path, "parallel");
    assert_int_equal(rc_section_choice(&parallel, "world", &pick, NULL), RC_OK);
    assert_int_equal(pick, 1);
    assert_int_equal(rc_section_choice(&parallel, "pp_rest", &pick, NULL), RC_OK);
    assert_int_equal(pick, 0);
    assert_int_equal(rc_section_text(&top, "description", text, sizeof text, NULL), RC_OK);
    assert_string_equal(text, "as before");
    assert_int_equal(rc_section_prose(&top, "description", text, sizeof text, NULL), RC_OK);
    assert_string_equal(text, "as before");
    assert_int_equal(rc_section_text(&top, "scenario", text, sizeof text, NULL), RC_OK);
    assert_string_equal(text, "told");
    assert_int_equal(rc_section_name(&top, "machine", &name, NULL), RC_OK);
    assert_string_equal(name, "h200");
    assert_int_equal(rc_section_whole(&parallel, "tp", &(int64_t){0}, NULL), RC_E_INPUT);
    refused(rc_section_name(&top, "model", &name, &err), &err, "s.yaml:2:8: key 'model' is empty");
    opened(RC_KEYS_FORWARD, "scenario: told\n");
    refused(rc_section_enter(&top, "parallel", &again, &err), &err,
            "s.yaml:1:1: missing key 'parallel' at the top level");
    opened(RC_KEYS_SERVE, "arrivals: {shuffle: true}\n");
    assert_int_equal(rc_section_enter(&top, "arrivals", &serve, NULL), RC_OK);
    assert_int_equal(rc_section_switch(&serve, "shuffle", &on, NULL), RC_OK);
    assert_true(on);
    assert_int_equal(rc_section_switch(&serve, "sort", &on, NULL), RC_OK);
    assert_true(on); /* said in words: as it was */
    assert_int_equal(rc_section_switch(&serve, "any_ids", &on, NULL), RC_OK);
    assert_false(on);
    rc_doc_close(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),       cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_choice_names), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_found),        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_lists_of_one), cmocka_unit_test(test_entries),
        cmocka_unit_test(test_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
