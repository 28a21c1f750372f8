/* Names in the languages that are written, read back by a reader of each.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
// after the four above
#include <cmocka.h>
#include <jansson.h>
#include "sim/base/doc.h"
#include "sim/base/quote.h"
#include "tests/support/utf8.h"

static const char *const names[] = {"plain",
                                    "",
                                    " ",
                                    "a\"b",
                                    "a\\",
                                    "\\\"",
                                    "a: [b]",
                                    "- x",
                                    "null",
                                    "#c",
                                    "'",
                                    "%s",
                                    "*/",
                                    "/*",
                                    "/*/",
                                    "**/ x",
                                    "\xc3\xa9\xe4\xb8\x96\xf0\x9f\x9a\x80",
                                    "$(x)`y`",
                                    "{a=\"b\"}"};
enum { NAMES = sizeof names / sizeof names[0] };

static char *quoted(void (*quote)(FILE *, const char *), const char *s) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    quote(f, s);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void yaml_and_json_read_back(void **state) {
    (void)state;
    for (int i = 0; i < NAMES; i++) {
        char *text = quoted(rc_quote_yaml, names[i]), doc_text[256];
        json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
        rc_doc *doc = NULL;
        snprintf(doc_text, sizeof doc_text, "{k: %s}", text);
        assert_string_equal(json_string_value(json), names[i]);
        assert_int_equal(rc_doc_parse("t", doc_text, strlen(doc_text), &doc, NULL), RC_OK);
        const rc_node *n = rc_node_get(rc_doc_root(doc), "k");
        assert_string_equal(rc_node_text(n), names[i]);
        assert_false(rc_node_is_null(n));
        rc_doc_close(doc);
        json_decref(json);
        free(text);
    }
}

static void prometheus_by_its_grammar(void **state) {
    (void)state;
    char *text = quoted(rc_quote_prometheus, "a\"b\\c\nd");
    assert_string_equal(text, "\"a\\\"b\\\\c\\nd\"");
    free(text);
}

static void a_comment_stays_one(void **state) {
    (void)state;
    for (int i = 0; i < NAMES; i++) {
        char *text = quoted(rc_quote_c_comment, names[i]);
        assert_null(strstr(text, "*/"));
        assert_null(strstr(text, "/*"));
        free(text);
    }
}

static void control_characters(void **state) {
    static const char *const bad[] = {"a\nb", "\t", "a\x1b[2J", "\x7f", "\xc2\x85", "\xff", "\xc3"};
    (void)state;
    for (int i = 0; i < NAMES; i++)
        assert_false(rc_text_has_control(names[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(rc_text_has_control(bad[i]));
}

/* Text is UTF-8 where jansson, which has a reader of its own, says so: all strings of one and two bytes, and 200,000
 * of four, a byte of any kind and continuations, which hold characters of each length. */
static void text_is_utf8(void **state) {
    (void)state;
    uint64_t seed = 20261127;
    unsigned long good = 0;
    for (uint32_t i = 1; i < 0x10000U + 200000U; i++) {
        char s[5] = {(char)(i & 0xff), (char)(i >> 8 & 0xff), 0, 0, 0};
        if (i >= 0x10000U) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            uint32_t x = (uint32_t)(seed >> 32);
            for (int k = 0; k < 4; k++)
                s[k] = (char)(0x80 | (x >> (8 * k) & (k == 0 ? 0x7f : 0x3f)));
        }
        json_t *reference = json_string(s);
        bool bad = reference == NULL;
        for (const unsigned char *at = (const unsigned char *)s; *at && !bad; at++)
            bad = *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0);
        json_decref(reference);
        good += !bad;
        if (rc_text_has_control(s) != bad)
            fail_msg("%02x %02x %02x %02x: %d", (unsigned char)s[0], (unsigned char)s[1],
                     (unsigned char)s[2], (unsigned char)s[3], bad);
    }
    assert_true(good > 9000);
}

/* Line ends and tabs stay, as do letters of any language; a byte that is none becomes one '?'. */
static void terminals_are_not_moved(void **state) {
    static const char *const cases[][2] = {
        {"a\x1b[2Jb", "a?[2Jb"},
        {"\a\r\x7f", "???"},
        {"x\ny\tz", "x\ny\tz"},
        {"\xc2\x9b"
         "31m",
         "??31m"},
        {"\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac"},
        {"\xff\xc3", "??"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%s", cases[i][0]);
        rc_quote_terminal(text);
        assert_string_equal(text, cases[i][1]);
    }
    rc_error err = {0};
    char all[64];
    (void)rc_fail_at(&err, RC_E_INPUT, "f\x1b", 1, 2, "found '\x1b[1m'");
    assert_string_equal(rc_error_text(&err, all, sizeof all), "f?:1:2: found '?[1m'");
}

static void labels_and_prose(void **state) {
    static const char text[] = "{a: \"x\\ny\", long: abcdef, empty: '', prose: \"x\\n  y\\n\", "
                               "bell: \"\\a\", cut: \"abcd\xc3\xa9\"}";
    char out[6];
    rc_doc *doc = NULL;
    rc_error err = {0};
    (void)state;
    assert_int_equal(rc_doc_parse("t", text, strlen(text), &doc, NULL), RC_OK);
    const rc_node *root = rc_doc_root(doc);
    assert_int_equal(rc_doc_label(root, "a", out, sizeof out, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "control character"));
    assert_int_equal(rc_doc_label(root, "long", out, sizeof out, &err), RC_E_INPUT);
    assert_string_equal(err.msg, "key 'long' is longer than 5 bytes");
    assert_int_equal(rc_doc_label(root, "empty", out, sizeof out, &err), RC_E_INPUT);
    assert_int_equal(rc_doc_prose(root, "prose", out, sizeof out, &err), RC_OK);
    assert_string_equal(out, "x   y");
    assert_int_equal(rc_doc_prose(root, "bell", out, sizeof out, &err), RC_E_INPUT);
    assert_int_equal(rc_doc_prose(root, "cut", out, sizeof out, &err), RC_OK);
    assert_string_equal(out, "abcd"); /* not half of the last character */
    rc_doc_close(doc);
}

static void text_that_yaml_would_read_otherwise(void **state) {
    rc_doc *doc = NULL;
    (void)state;
    assert_int_equal(rc_doc_parse("t", "a: 1", 4, &doc, NULL), RC_OK);
    for (int i = 0; i < NAMES; i++) {
        assert_int_equal(rc_doc_set_text(doc, "b.c", names[i], NULL), RC_OK);
        const rc_node *n = rc_node_get(rc_node_get(rc_doc_root(doc), "b"), "c");
        assert_string_equal(rc_node_text(n), names[i]);
        assert_false(rc_node_is_null(n));
    }
    rc_doc_close(doc);
}

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

/* Every number up to 2^21 - 1 in its shortest form: characters but for controls, surrogates and what lies above U+10FFFF. */
static void test_every_character(void **state) {
    (void)state;
    for (uint32_t u = 1; u < 1 << 21; u++) {
        char text[8] = {0}, shown[8];
        size_t n = utf8_encoded(u, text);
        text[n] = '.';
        memcpy(shown, text, sizeof text);
        bool control = u < 0x20 || (u >= 0x7f && u < 0xa0), none = !utf8_is_character(u);
        if (rc_text_has_control(text) != (control || none))
            fail_msg("U+%04X", (unsigned)u);
        rc_quote_terminal(shown);
        if ((memcmp(shown, text, sizeof text) == 0) !=
            ((!control && !none) || u == '\n' || u == '\t'))
            fail_msg("U+%04X on a terminal", (unsigned)u);
    }
}

/* Three bytes of which the last is an end of its half: characters where some number is written so, alone. */
static void test_three_bytes(void **state) {
    (void)state;
    static const unsigned char last[] = {0x01, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    for (unsigned a = 0x80; a < 0x100; a++)
        for (unsigned b = 1; b < 0x100; b++)
            for (size_t k = 0; k < sizeof last; k++) {
                const char text[] = {(char)a, (char)b, (char)last[k], 0};
                uint32_t u = (a & 0x0fu) << 12 | (b & 0x3fu) << 6 | (last[k] & 0x3fu);
                char back[5] = {0};
                bool one = a >= 0xe0 && a < 0xf0 && utf8_encoded(u, back) == 3 &&
                           memcmp(text, back, 3) == 0;
                if (rc_text_has_control(text) == (one && utf8_is_character(u)))
                    fail_msg("bytes %02x %02x %02x", a, b, (unsigned)last[k]);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_and_json_read_back),
        cmocka_unit_test(prometheus_by_its_grammar),
        cmocka_unit_test(a_comment_stays_one),
        cmocka_unit_test(control_characters),
        cmocka_unit_test(text_is_utf8),
        cmocka_unit_test(terminals_are_not_moved),
        cmocka_unit_test(labels_and_prose),
        cmocka_unit_test(text_that_yaml_would_read_otherwise),
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_three_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
