/* Documents: places, refusals and readers, with the exact words of every error.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/support/parsed_doc.h"

/* The text does not parse, and says so in these words. */
static void refused(const char *text, size_t size, const char *expected) {
    rc_doc *d = (rc_doc *)text_of;
    rc_error e = {0};
    assert_int_equal(rc_doc_parse("s.yaml", text, size, &d, &e), RC_E_INPUT);
    assert_null(d);
    assert_string_equal(rc_error_text(&e, text_of, sizeof text_of), expected);
}

static void refuse(const char *text, const char *expected) {
    refused(text, strlen(text), expected);
}

static void tree_keeps_order_kind_and_quotes(void **state) {
    (void)state;
    rc_doc *d = parse("b: 1\na: 'x'\nlist: [1, {k: v}, ~]\nempty:\nq: \"\"\n");
    const rc_node *root = rc_doc_root(d);
    assert_string_equal(rc_doc_name(d), "s.yaml");
    assert_int_equal(rc_node_kind_of(root), RC_NODE_MAP);
    assert_int_equal(rc_node_count(root), 5);
    assert_string_equal(rc_node_key(root, 0), "b");
    assert_string_equal(rc_node_key(root, 1), "a");
    assert_null(rc_node_key(root, 5));
    assert_string_equal(rc_node_text(rc_node_value(root, 1)), "x");
    assert_true(rc_node_quoted(rc_node_get(root, "a")));
    assert_false(rc_node_quoted(rc_node_get(root, "b")));
    const rc_node *list = rc_node_get(root, "list");
    assert_int_equal(rc_node_kind_of(list), RC_NODE_LIST);
    assert_int_equal(rc_node_count(list), 3);
    assert_string_equal(rc_node_text(rc_node_get(rc_node_at(list, 1), "k")), "v");
    assert_true(rc_node_is_null(rc_node_at(list, 2)));
    assert_null(rc_node_at(list, 3));
    assert_string_equal(rc_node_text(list), "");
    assert_true(rc_node_is_null(rc_node_get(root, "empty")));
    assert_false(rc_node_is_null(rc_node_get(root, "q")));
    assert_true(rc_doc_has(root, "empty"));
    assert_false(rc_doc_has(root, "none"));
    char path[64];
    assert_string_equal(rc_node_path(rc_node_get(rc_node_at(list, 1), "k"), path, sizeof path),
                        "list[1].k");
    assert_string_equal(rc_node_path(root, path, sizeof path), "");
    rc_doc_close(d);
    rc_doc_close(NULL);
}

static void json_is_read_as_well(void **state) {
    (void)state;
    rc_doc *d = parse("{\n\t\"architectures\": [\"LlamaForCausalLM\"],\"hidden_size\":16384,\n"
                      "  \"rms_norm_eps\": 1e-05, \"tie\": false, \"x\": null,\n"
                      "  \"path\": \"a\\/b\\u00b5\", \"nested\": {\"a\":{\"b\":[]}}\n}\n");
    const rc_node *root = rc_doc_root(d);
    int64_t v = 0;
    double eps = 0;
    bool tie = true;
    assert_int_equal(rc_doc_int(root, "hidden_size", 1, INT64_MAX, &v, NULL), RC_OK);
    assert_true(v == 16384);
    assert_int_equal(rc_doc_quantity(root, "rms_norm_eps", RC_DIM_RATIO, 0, 1, &eps, NULL), RC_OK);
    assert_true(eps == 1e-5);
    assert_int_equal(rc_doc_bool(root, "tie", &tie, NULL), RC_OK);
    assert_false(tie);
    assert_true(rc_node_is_null(rc_node_get(root, "x")));
    assert_string_equal(rc_node_text(rc_node_get(root, "path")), "a/b\xC2\xB5");
    rc_doc_close(d);
}

static void syntax_errors_name_the_place(void **state) {
    (void)state;
    refuse("", "s.yaml:1:1: the file is empty, expected a map of keys");
    refuse("# only a comment\n", "s.yaml:1:1: the file is empty, expected a map of keys");
    refuse("- 1\n", "s.yaml:1:1: found a list, expected a map of keys");
    refuse("\n  hello\n", "s.yaml:2:3: found a single value, expected a map of keys");
    refuse("a: 1\nb: [1, 2\n", "s.yaml:3:1: YAML syntax: did not find expected ',' or ']' "
                               "(while parsing a flow sequence from 2:4)");
    refuse("a: 1\n\tb: 2\n", "s.yaml:2:1: YAML syntax: found a tab character that violates "
                             "indentation (while scanning a plain scalar from 1:4)");
    refuse("a: \"open\n", "s.yaml:2:1: YAML syntax: found unexpected end of stream "
                          "(while scanning a quoted scalar from 1:4)");
    refuse("a: 1\nb: \xFF\n", "s.yaml:2:4: invalid leading UTF-8 octet");
    refused("a: \"x\\0y\"\n", 10, "s.yaml:1:4: a NUL character in a value");
}

static void refuses_what_a_scenario_must_not_hold(void **state) {
    (void)state;
    refuse("a: 1\nb: 2\na: 3\n", "s.yaml:3:1: duplicate key 'a', first on line 1");
    refuse("m: {x: 1, y: 2, y: 3, x: 4}\n", "s.yaml:1:17: duplicate key 'y', first on line 1");
    refuse("a: &x 1\n", "s.yaml:1:4: anchors (&name) are not supported");
    refuse("a: &x [1]\n", "s.yaml:1:4: anchors (&name) are not supported");
    refuse("a: *x\n", "s.yaml:1:4: aliases (*name) are not supported");
    refuse("a: !!int 1\n", "s.yaml:1:4: tags (!name) are not supported");
    refuse("a: !m {b: 1}\n", "s.yaml:1:4: tags (!name) are not supported");
    refuse("a: 1\n---\nb: 2\n", "s.yaml:2:1: a second document (---) in one file");
    refuse("? [a]\n: 1\n", "s.yaml:1:3: a key must be plain text, not a list or a map");
    refuse("'': 1\n", "s.yaml:1:1: a key is empty");
}

static void depth_and_size_are_bounded(void **state) {
    (void)state;
    char deep[256];
    size_t n = 0;
    deep[n++] = 'a';
    deep[n++] = ':';
    deep[n++] = ' ';
    for (int i = 0; i < 70; i++)
        deep[n++] = '[';
    refused(deep, n, "s.yaml:1:67: nested more than 64 levels deep");
    size_t size = (16u << 20) + 1;
    char *big = calloc(1, size);
    assert_non_null(big);
    memset(big, ' ', size);
    refused(big, size, "s.yaml: larger than 16 MiB");
    free(big);
    /* A map of many keys is checked for duplicates in less than quadratic time. */
    const size_t keys = 50000;
    char *many = malloc(keys * 16);
    assert_non_null(many);
    n = 0;
    for (size_t i = 0; i < keys; i++)
        n += (size_t)snprintf(many + n, 16, "k%zu: 1\n", i);
    rc_doc *d = NULL;
    assert_int_equal(rc_doc_parse("many", many, n, &d, NULL), RC_OK);
    assert_int_equal(rc_node_count(rc_doc_root(d)), keys);
    rc_doc_close(d);
    free(many);
}

static void unknown_keys_name_the_nearest(void **state) {
    (void)state;
    const char *const keys[] = {"name", "hbm_rate", "hbm_size", NULL};
    rc_doc *d = parse("gpu:\n  name: H100\n  # the typo\n  hmb_rate: 1\n");
    const rc_node *gpu = NULL;
    assert_int_equal(rc_doc_map(rc_doc_root(d), "gpu", &gpu, NULL), RC_OK);
    EXPECT_ERROR(rc_doc_known(gpu, keys, &e), RC_E_INPUT,
                 "s.yaml:4:3: unknown key 'hmb_rate' (did you mean 'hbm_rate'?)");
    rc_doc_close(d);
    d = parse("voltage: 3\n");
    EXPECT_ERROR(rc_doc_known(rc_doc_root(d), keys, &e), RC_E_INPUT,
                 "s.yaml:1:1: unknown key 'voltage', expected one of: name, hbm_rate, hbm_size");
    rc_doc_close(d);
    d = parse("name: 3\n");
    assert_int_equal(rc_doc_known(rc_doc_root(d), keys, NULL), RC_OK);
    EXPECT_ERROR(rc_doc_known(rc_node_get(rc_doc_root(d), "name"), keys, &e), RC_E_INPUT,
                 "s.yaml:1:7: expected a map of keys");
    rc_doc_close(d);
}

static void readers_say_what_was_expected(void **state) {
    (void)state;
    rc_doc *d = parse("gpu:\n  hbm_rate: 3.35 XB/s\n  power:\n  list: [1]\n  tp: 0\n"
                      "  flag: yes\n  variant: pass-kw\n  name: ~\n  map: {a: 1}\n");
    const rc_node *root = rc_doc_root(d), *gpu = rc_node_get(root, "gpu"), *n = NULL;
    const char *const variants[] = {"pass-kv", "pass-q", "auto", NULL};
    const char *s = NULL;
    double v = 0;
    int64_t i = 0;
    int c = 0;
    bool b = false;
    EXPECT_ERROR(rc_doc_quantity(gpu, "hbm_rate", RC_DIM_BANDWIDTH, 0, INFINITY, &v, &e),
                 RC_E_INPUT,
                 "s.yaml:2:13: key 'hbm_rate': found '3.35 XB/s', expected a bandwidth such as "
                 "2.4TB/s");
    EXPECT_ERROR(rc_doc_quantity(gpu, "power", RC_DIM_POWER, 0, 1e3, &v, &e), RC_E_INPUT,
                 "s.yaml:3:9: key 'power': found nothing, expected a power such as 500W");
    EXPECT_ERROR(rc_doc_quantity(gpu, "list", RC_DIM_POWER, 0, 1e3, &v, &e), RC_E_INPUT,
                 "s.yaml:4:9: key 'list': found a list, expected one value: a power");
    EXPECT_ERROR(rc_doc_quantity(gpu, "tp", RC_DIM_RATIO, DBL_MIN, 1, &v, &e), RC_E_INPUT,
                 "s.yaml:5:7: key 'tp': found '0', expected a ratio above 0 and at most 1");
    EXPECT_ERROR(rc_doc_int(gpu, "tp", 1, 8, &i, &e), RC_E_INPUT,
                 "s.yaml:5:7: key 'tp': found '0', expected a whole number from 1 to 8");
    EXPECT_ERROR(rc_doc_int(gpu, "map", 1, 8, &i, &e), RC_E_INPUT,
                 "s.yaml:9:8: key 'map': found a map, expected a whole number such as 128K");
    EXPECT_ERROR(rc_doc_bool(gpu, "flag", &b, &e), RC_E_INPUT,
                 "s.yaml:6:9: key 'flag': found 'yes', expected true or false");
    EXPECT_ERROR(rc_doc_choice(gpu, "variant", variants, &c, &e), RC_E_INPUT,
                 "s.yaml:7:12: key 'variant': found 'pass-kw', expected one of pass-kv, pass-q, "
                 "auto (did you mean 'pass-kv'?)");
    EXPECT_ERROR(rc_doc_choice(gpu, "map", variants, &c, &e), RC_E_INPUT,
                 "s.yaml:9:8: key 'map': found a map, expected one of pass-kv, pass-q, auto");
    EXPECT_ERROR(rc_doc_string(gpu, "name", &s, &e), RC_E_INPUT,
                 "s.yaml:8:9: key 'name': found '~', expected text");
    EXPECT_ERROR(rc_doc_list(gpu, "map", &n, &e), RC_E_INPUT,
                 "s.yaml:9:8: key 'map': found a map, expected a list");
    EXPECT_ERROR(rc_doc_map(gpu, "list", &n, &e), RC_E_INPUT,
                 "s.yaml:4:9: key 'list': found a list, expected a map of keys");
    EXPECT_ERROR(rc_doc_int(gpu, "nodes", 1, 8, &i, &e), RC_E_INPUT,
                 "s.yaml:2:3: missing key 'nodes' in 'gpu'");
    EXPECT_ERROR(rc_doc_map(root, "model", &n, &e), RC_E_INPUT,
                 "s.yaml:1:1: missing key 'model' at the top level");
    EXPECT_ERROR(rc_doc_int(rc_node_get(gpu, "tp"), "x", 1, 8, &i, &e), RC_E_INPUT,
                 "s.yaml:5:7: found '0', expected a map with the key 'x'");
    rc_doc_close(d);
}

static void readers_read(void **state) {
    (void)state;
    rc_doc *d =
        parse("rate: 400Gb/s\nt: 128Ki\nflag: true\nvariant: auto\nname: \"x y\"\nl: [5, 6]\n");
    const rc_node *root = rc_doc_root(d), *l = NULL;
    const char *const variants[] = {"pass-kv", "pass-q", "auto", NULL};
    const char *s = NULL;
    double v = 0;
    int64_t i = 0;
    int c = 0;
    bool b = false;
    assert_int_equal(rc_doc_quantity(root, "rate", RC_DIM_BANDWIDTH, 0, 1e12, &v, NULL), RC_OK);
    assert_true(v == 50e9);
    assert_int_equal(rc_doc_int(root, "t", 1, 1 << 20, &i, NULL), RC_OK);
    assert_true(i == 131072);
    assert_int_equal(rc_doc_bool(root, "flag", &b, NULL), RC_OK);
    assert_true(b);
    assert_int_equal(rc_doc_choice(root, "variant", variants, &c, NULL), RC_OK);
    assert_int_equal(c, 2);
    assert_int_equal(rc_doc_string(root, "name", &s, NULL), RC_OK);
    assert_string_equal(s, "x y");
    assert_int_equal(rc_doc_list(root, "l", &l, NULL), RC_OK);
    assert_int_equal(rc_node_int(rc_node_at(l, 1), "l", 0, 9, &i, NULL), RC_OK);
    assert_true(i == 6);
    EXPECT_ERROR(rc_node_int(rc_node_at(l, 1), "l[1]", 0, 5, &i, &e), RC_E_INPUT,
                 "s.yaml:6:8: key 'l[1]': found '6', expected a whole number from 0 to 5");
    rc_doc_close(d);
}

static void overrides_replace_and_create(void **state) {
    (void)state;
    rc_doc *d = parse("parallel: {cp: 2, tp: 8}\nseq: [{T: 1}, {T: 2}]\n");
    const rc_node *root = rc_doc_root(d);
    assert_int_equal(rc_doc_set(d, "parallel.cp", "4", NULL), RC_OK);
    assert_int_equal(rc_doc_set(d, "what_if.link.rate", "100Gb/s", NULL), RC_OK);
    assert_int_equal(rc_doc_set(d, "seq.1.T", "128K", NULL), RC_OK);
    assert_int_equal(rc_doc_set(d, "extra", "{a: [1, 2]}", NULL), RC_OK);
    assert_int_equal(rc_doc_set(d, "none", "", NULL), RC_OK);
    const rc_node *parallel = rc_node_get(root, "parallel");
    assert_string_equal(rc_node_text(rc_node_get(parallel, "cp")), "4");
    assert_string_equal(rc_node_text(rc_node_get(parallel, "tp")), "8");
    assert_int_equal(rc_node_count(parallel), 2);
    const rc_node *link = rc_node_get(rc_node_get(root, "what_if"), "link");
    double v = 0;
    assert_int_equal(rc_doc_quantity(link, "rate", RC_DIM_BANDWIDTH, 0, 1e12, &v, NULL), RC_OK);
    assert_true(v == 12.5e9);
    const rc_node *second = rc_node_at(rc_node_get(root, "seq"), 1);
    assert_string_equal(rc_node_text(rc_node_get(second, "T")), "128K");
    assert_int_equal(rc_node_count(rc_node_get(rc_node_get(root, "extra"), "a")), 2);
    assert_true(rc_node_is_null(rc_node_get(root, "none")));
    char path[64];
    assert_string_equal(rc_node_path(rc_node_get(second, "T"), path, sizeof path), "seq[1].T");
    /* Errors about such a value name the flag. */
    int64_t i = 0;
    assert_int_equal(rc_doc_set(d, "parallel.cp", "0", NULL), RC_OK);
    EXPECT_ERROR(rc_doc_int(parallel, "cp", 1, 64, &i, &e), RC_E_INPUT,
                 "--set parallel.cp=0: key 'cp': found '0', expected a whole number from 1 to 64");
    const char *const keys[] = {"parallel", "seq", "what_if", "none", NULL};
    EXPECT_ERROR(rc_doc_known(root, keys, &e), RC_E_INPUT,
                 "--set extra={a: [1, 2]}: unknown key 'extra', expected one of: parallel, seq, "
                 "what_if, none");
    EXPECT_ERROR(rc_doc_int(link, "latency", 1, 64, &i, &e), RC_E_INPUT,
                 "--set what_if.link.rate=100Gb/s: missing key 'latency' in 'what_if.link'");
    rc_doc_close(d);
}

static void overrides_that_cannot_be_meant_are_refused(void **state) {
    (void)state;
    rc_doc *d = parse("model: llama\nseq: [1, 2]\n");
    EXPECT_ERROR(rc_doc_set(d, "a..b", "1", &e), RC_E_USAGE,
                 "--set: found path 'a..b', expected keys with dots between such as parallel.cp");
    EXPECT_ERROR(rc_doc_set(d, "", "1", &e), RC_E_USAGE,
                 "--set: found path '', expected keys with dots between such as parallel.cp");
    EXPECT_ERROR(rc_doc_set(d, "model.layers", "1", &e), RC_E_USAGE,
                 "--set: path 'model.layers': 'model' is 'llama', not a map, in s.yaml line 1");
    EXPECT_ERROR(rc_doc_set(d, "seq.2", "1", &e), RC_E_USAGE,
                 "--set: path 'seq.2': '2' is not one of the 2 items of the list, which are "
                 "numbered from 0");
    EXPECT_ERROR(rc_doc_set(d, "seq", "[1", &e), RC_E_INPUT,
                 "--set seq=[1: YAML syntax: did not find expected ',' or ']'");
    EXPECT_ERROR(rc_doc_set(d, "seq", "*x", &e), RC_E_INPUT,
                 "--set seq=*x: aliases (*name) are not supported");
    EXPECT_ERROR(rc_doc_set(d, "seq", "{a: 1, a: 2}", &e), RC_E_INPUT,
                 "--set seq={a: 1, a: 2}: duplicate key 'a'");
    assert_string_equal(rc_node_text(rc_node_get(rc_doc_root(d), "model")), "llama");
    rc_doc_close(d);
}

static void files_that_cannot_be_read_say_so(void **state) {
    (void)state;
    rc_doc *d = NULL;
    EXPECT_ERROR(rc_doc_open("no/such.yaml", &d, &e), RC_E_IO,
                 "no/such.yaml: cannot open: No such file or directory");
    EXPECT_ERROR(rc_doc_open("/tmp", &d, &e), RC_E_IO,
                 "/tmp: cannot read: is a folder, not a file");
    char path[] = "/tmp/rc_test_doc_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: 1\n", 5), 5);
    assert_int_equal(close(fd), 0);
    assert_int_equal(rc_doc_open(path, &d, NULL), RC_OK);
    assert_string_equal(rc_doc_name(d), path);
    rc_doc_close(d);
    assert_int_equal(unlink(path), 0);
}

static void test_take(void **state) {
    (void)state;
    const char *text = "a: 1\nb: {x: 2, y: {z: 3}}\nc: [4]\n";
    rc_doc *d = NULL;
    char path[64];
    assert_int_equal(rc_doc_parse("t.yaml", text, strlen(text), &d, NULL), RC_OK);
    assert_null(rc_doc_take(d, "d"));
    assert_null(rc_doc_take(d, "a.x"));
    assert_null(rc_doc_take(d, "b.y.q"));
    assert_string_equal(rc_node_text(rc_doc_take(d, "a")), "1");
    assert_false(rc_doc_has(rc_doc_root(d), "a"));
    const rc_node *y = rc_doc_take(d, "b.y");
    assert_string_equal(rc_node_text(rc_node_get(y, "z")), "3");
    const rc_node *b = rc_node_get(rc_doc_root(d), "b"), *c = rc_node_get(rc_doc_root(d), "c");
    assert_true(rc_node_count(b) == 1 && rc_node_count(rc_doc_root(d)) == 2);
    assert_string_equal(rc_node_path(rc_node_at(c, 0), path, sizeof path), "c[0]");
    rc_doc_close(d);
}

/* Two escapes of a character beyond U+FFFF, either case of their digits: each is read as U+FFFD; other escapes, and what looks
 * like one behind a backslash of its own, stay. */
static void test_surrogates(void **state) {
    (void)state;
    static const char text[] =
        "{\"a\": \"x\\ud83d\\uDE00y\", \"b\": \"\\u00b5\\\\ud83d\", \"c\": \"\\uD7FF\\ue000\"}";
    static const char *const want[] = {"x\xef\xbf\xbd\xef\xbf\xbdy", "\xc2\xb5\\ud83d",
                                       "\xed\x9f\xbf\xee\x80\x80"};
    rc_doc *d = NULL;
    rc_error e;
    const char *twice;
    if (rc_doc_parse_json("a.json", text, sizeof text - 1, &d, &twice, &e) != RC_OK)
        fail_msg("%s", e.msg);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(rc_node_text(rc_node_at(rc_doc_root(d), i)), want[i]);
    rc_doc_close(d);
}

/* A comment fills the document up to what may be read; a byte more is refused. */
static void test_largest(void **state) {
    (void)state;
    enum { MOST = 16 << 20 };
    char *text = malloc(MOST + 2);
    rc_doc *d = NULL;
    rc_error e;
    assert_non_null(text);
    memset(text, 'x', MOST + 2);
    memcpy(text, "a: 1\n# ", 7);
    for (size_t i = 100; i < MOST; i += 100)
        memcpy(text + i, "\n#", 2);
    assert_int_equal(rc_doc_parse("s.yaml", text, MOST, &d, &e), RC_OK);
    rc_doc_close(d);
    assert_int_equal(rc_doc_parse("s.yaml", text, MOST + 1, &d, &e), RC_E_INPUT);
    assert_non_null(strstr(e.msg, "larger than 16 MiB"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_keeps_order_kind_and_quotes),
        cmocka_unit_test(json_is_read_as_well),
        cmocka_unit_test(syntax_errors_name_the_place),
        cmocka_unit_test(refuses_what_a_scenario_must_not_hold),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(readers_say_what_was_expected),
        cmocka_unit_test(readers_read),
        cmocka_unit_test(overrides_replace_and_create),
        cmocka_unit_test(overrides_that_cannot_be_meant_are_refused),
        cmocka_unit_test(files_that_cannot_be_read_say_so),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_surrogates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
