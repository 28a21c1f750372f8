/* Documents and CSV at the ends of what they take: exactly there, one below, one above; and where an error stands.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/csv.h"
#include "tests/support/parsed_doc.h"

/* ---- values ---------------------------------------------------------------------------------- */

static void test_labels(void **state) {
    (void)state;
    rc_doc *d = parse("five: abcde\nsix: abcdef\none: x\n");
    const rc_node *root = rc_doc_root(d);
    char out[8] = "-------";
    assert_int_equal(rc_doc_label(root, "five", out, 6, NULL), RC_OK);
    assert_memory_equal(out, "abcde\0-", 8);
    assert_int_equal(rc_doc_label(root, "one", out, 2, NULL), RC_OK);
    assert_memory_equal(out, "x\0cde\0-", 8);
    EXPECT_ERROR(rc_doc_label(root, "six", out, 6, &e), RC_E_INPUT,
                 "s.yaml:2:6: key 'six' is longer than 5 bytes");
    EXPECT_ERROR(rc_doc_label(root, "one", out, 1, &e), RC_E_INPUT,
                 "s.yaml:3:6: key 'one' is longer than 0 bytes");
    assert_memory_equal(out, "x\0cde\0-", 8);
    rc_doc_close(d);
}

/* A description is cut to whole characters, and no blank stands at its end. */
static void test_prose(void **state) {
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"abcde", "abcde"},
        {"abcdef", "abcde"},
        {"a\\tb", "a b"},
        {"a\\nb\\n\\n", "a b"},
        {"   ", ""},
        {"abc\\u20ac", "abc"},
        {"ab\\u20ac", "ab\xe2\x82\xac"},
        {"\\U0001F600\\u00e9", "\xf0\x9f\x98\x80"},
        {"abcd \\u00e9", "abcd"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[64], out[8] = "-------";
        (void)snprintf(yaml, sizeof yaml, "p: \"%s\"", cases[i].text);
        rc_doc *d = parse(yaml);
        assert_int_equal(rc_doc_prose(rc_doc_root(d), "p", out, 6, NULL), RC_OK);
        assert_string_equal(out, cases[i].want);
        assert_memory_equal(out + 6, "-", 2);
        rc_doc_close(d);
    }
    char out[6];
    rc_doc *d = parse("p:\nq: [1]\nr: \"x\\e[1m\"\n");
    EXPECT_ERROR(rc_doc_prose(rc_doc_root(d), "p", out, sizeof out, &e), RC_E_INPUT,
                 "s.yaml:1:3: key 'p': found nothing, expected text");
    EXPECT_ERROR(rc_doc_prose(rc_doc_root(d), "q", out, sizeof out, &e), RC_E_INPUT,
                 "s.yaml:2:4: key 'q': found a list, expected text");
    EXPECT_ERROR(rc_doc_prose(rc_doc_root(d), "r", out, sizeof out, &e), RC_E_INPUT,
                 "s.yaml:3:4: key 'r': the text holds a control character");
    rc_doc_close(d);
}

/* What a list of names has no room for is cut, and what was found is cut at 80 bytes. */
static void test_long_lists_are_cut(void **state) {
    enum { NAMES = 20 };
    static char name[NAMES][41];
    const char *names[NAMES + 1] = {NULL};
    char found[121], text[300], want[1200] = "s.yaml:1:1: unknown key '";
    rc_error err = {0};
    int which = 0;
    (void)state;
    for (int i = 0; i < NAMES; i++) {
        memset(name[i], 'a' + i, 40);
        names[i] = name[i];
    }
    memset(found, 'z', 120);
    found[120] = '\0';
    (void)snprintf(text, sizeof text, "%s: 1\nk: %s\n", found, found);
    rc_doc *d = parse(text);
    const rc_node *root = rc_doc_root(d);
    assert_int_equal(rc_doc_known(root, names, &err), RC_E_INPUT);
    assert_int_equal(err.line, 1);
    assert_null(strstr(err.msg, "mean"));
    /* 511 bytes of names, two of them after each but the last: twelve whole ones, and seven bytes of the next */
    (void)snprintf(want, sizeof want, "unknown key '%.80s', expected one of: ", found);
    for (int i = 0; i < 13; i++)
        (void)snprintf(want + strlen(want), sizeof want - strlen(want), "%s%.*s", i ? ", " : "",
                       i < 12 ? 40 : 7, names[i]);
    assert_string_equal(err.msg, want);
    assert_int_equal(rc_doc_choice(root, "k", names, &which, &err), RC_E_INPUT);
    (void)snprintf(want, sizeof want, "key 'k': found '%.80s', expected one of ", found);
    for (int i = 0; i < 12; i++) /* 479 bytes, seven of which say "one of" */
        (void)snprintf(want + strlen(want), sizeof want - strlen(want), "%s%.*s", i ? ", " : "",
                       i < 11 ? 40 : 10, names[i]);
    assert_string_equal(err.msg, want);
    rc_doc_close(d);
}

/* ---- places ---------------------------------------------------------------------------------- */

static void test_paths(void **state) {
    (void)state;
    rc_doc *d = parse("abc: {de: [[{x: 1}]]}\n");
    const rc_node *de = rc_node_get(rc_node_get(rc_doc_root(d), "abc"), "de"),
                  *x = rc_node_get(rc_node_at(rc_node_at(de, 0), 0), "x");
    char path[32];
    assert_string_equal(rc_node_path(x, path, sizeof path), "abc.de[0][0].x");
    for (size_t size = 1; size <= 15; size++) { /* cut, and ended, wherever the room ends */
        char want[32];
        memset(path, '~', sizeof path);
        (void)snprintf(want, sizeof want, "%.*s", (int)size - 1, "abc.de[0][0].x");
        assert_string_equal(rc_node_path(x, path, size), want);
        assert_true(path[size] == '~');
    }
    path[0] = '~';
    assert_ptr_equal(rc_node_path(x, path, 0), path);
    assert_true(path[0] == '~');
    assert_string_equal(rc_node_document(x), "s.yaml");
    rc_doc_close(d);
}

/* An error about a key stands at the key, one of a value of a flag at the flag. */
static void test_place_of_a_key(void **state) {
    (void)state;
    rc_doc *d = parse("a: 1\nmap:\n  x: 1\n  long:   2\n");
    const rc_node *map = rc_node_get(rc_doc_root(d), "map");
    EXPECT_ERROR(rc_node_key_fail(map, 0, &e, "no"), RC_E_INPUT, "s.yaml:3:3: no");
    EXPECT_ERROR(rc_node_key_fail(map, 1, &e, "no %d", 2), RC_E_INPUT, "s.yaml:4:3: no 2");
    EXPECT_ERROR(rc_node_fail(rc_node_value(map, 1), &e, RC_E_IO, "no"), RC_E_IO,
                 "s.yaml:4:11: no");
    EXPECT_ERROR(rc_node_fail(NULL, &e, RC_E_IO, "no %s", "node"), RC_E_IO, "no node");
    assert_int_equal(rc_doc_set(d, "map", "{k: {y: 1}}", NULL), RC_OK);
    map = rc_node_get(rc_doc_root(d), "map");
    EXPECT_ERROR(rc_node_key_fail(map, 0, &e, "no"), RC_E_INPUT, "--set map={k: {y: 1}}: no");
    EXPECT_ERROR(rc_node_fail(rc_node_value(map, 0), &e, RC_E_IO, "no"), RC_E_IO,
                 "--set map={k: {y: 1}}: no");
    assert_int_equal(rc_doc_set_as(d, "shown", "map.k", "3", NULL), RC_OK);
    EXPECT_ERROR(rc_node_fail(rc_node_value(map, 0), &e, RC_E_IO, "no"), RC_E_IO,
                 "--set shown=3: no");
    rc_doc_close(d);
}

/* ---- overrides ------------------------------------------------------------------------------- */

#define PATH_EXPECTED "', expected keys with dots between such as parallel.cp"

static void test_paths_of_flags(void **state) {
    static const char *const refused[] = {".a", "a.", ".", "a..b", "a[0]."};
    static const char *const brackets[] = {"l]x", "l[0]x", "l[0]0"};
    (void)state;
    rc_doc *d = parse("l: [{x: 1}, {x: 2}, [5, 6]]\n");
    const rc_node *root = rc_doc_root(d), *l = rc_node_get(root, "l");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        rc_error err = {0};
        assert_int_equal(rc_doc_set(d, refused[i], "1", &err), RC_E_USAGE);
        assert_non_null(strstr(err.msg, PATH_EXPECTED));
    }
    for (size_t i = 0; i < sizeof brackets / sizeof brackets[0]; i++) {
        char want[128];
        (void)snprintf(want, sizeof want, "--set: found path '%s', expected '.' or '[' after ']'",
                       brackets[i]);
        EXPECT_ERROR(rc_doc_set(d, brackets[i], "1", &e), RC_E_USAGE, want);
    }
    assert_int_equal(rc_doc_set(d, "l[0].x", "7", NULL), RC_OK);
    assert_int_equal(rc_doc_set(d, "l[2][1]", "8", NULL), RC_OK);
    assert_int_equal(rc_doc_set(d, "l[1]", "9", NULL), RC_OK);
    assert_string_equal(rc_node_text(rc_node_get(rc_node_at(l, 0), "x")), "7");
    assert_string_equal(rc_node_text(rc_node_at(rc_node_at(l, 2), 1)), "8");
    assert_string_equal(rc_node_text(rc_node_at(rc_node_at(l, 2), 0)), "5");
    assert_string_equal(rc_node_text(rc_node_at(l, 1)), "9");
    EXPECT_ERROR(rc_doc_set(d, "l[3]", "1", &e), RC_E_USAGE,
                 "--set: path 'l[3]': '3' is not one of the 3 items of the list, which are "
                 "numbered from 0");
    EXPECT_ERROR(rc_doc_set(d, "l.-1", "1", &e), RC_E_USAGE,
                 "--set: path 'l.-1': '-1' is not one of the 3 items of the list, which are "
                 "numbered from 0");
    EXPECT_ERROR(rc_doc_set_text(d, "l[1].y", "1", &e), RC_E_USAGE,
                 "--set: path 'l[1].y': 'l[1]' is '9', not a map, in --set l[1]=9 line 0");
    rc_doc_close(d);
}

/* 255 bytes and 32 levels. */
static void test_longest_paths(void **state) {
    char path[300];
    (void)state;
    rc_doc *d = parse("a: 1\n");
    memset(path, 'x', sizeof path);
    path[256] = '\0';
    assert_int_equal(rc_doc_set(d, path, "1", NULL), RC_E_USAGE);
    assert_int_equal(rc_doc_set_text(d, path, "1", NULL), RC_E_USAGE);
    path[255] = '\0';
    assert_int_equal(rc_doc_set(d, path, "1", NULL), RC_OK);
    assert_string_equal(rc_node_text(rc_node_get(rc_doc_root(d), path)), "1");
    for (int i = 0; i < 33; i++)
        memcpy(path + 2 * i, "y.", 2);
    path[65] = '\0';
    assert_int_equal(rc_doc_set(d, path, "1", NULL), RC_E_USAGE);
    path[63] = '\0';
    assert_int_equal(rc_doc_set(d, path, "1", NULL), RC_OK);
    const rc_node *n = rc_doc_root(d);
    int levels = 0;
    for (; rc_node_get(n, "y"); n = rc_node_get(n, "y"))
        levels++;
    assert_int_equal(levels, 32);
    char all[100];
    assert_string_equal(rc_node_path(n, all, sizeof all), path);
    rc_doc_close(d);
}

/* What is behind a key that is taken keeps its order and its number. */
static void test_take_from_the_middle(void **state) {
    char path[16];
    (void)state;
    rc_doc *d = parse("m: {a: [1], b: [2], c: [3], d: [4]}\n");
    const rc_node *m = rc_node_get(rc_doc_root(d), "m"), *b = rc_doc_take(d, "m.b");
    static const char *const left[] = {"a", "c", "d"};
    assert_string_equal(rc_node_text(rc_node_at(b, 0)), "2");
    assert_string_equal(rc_node_path(b, path, sizeof path), "");
    assert_int_equal(rc_node_count(m), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(rc_node_key(m, i), left[i]);
        assert_string_equal(rc_node_path(rc_node_value(m, i), path, sizeof path) + 2, left[i]);
    }
    assert_null(rc_node_key(m, 3));
    assert_null(rc_node_value(m, 3));
    rc_doc_close(d);
}

/* ---- the text -------------------------------------------------------------------------------- */

/* Of JSON's keys that stand twice the last value counts, where it stands; such a key is named. */
static void test_keys_that_stand_twice(void **state) {
    static const char text[] =
        "{\"b\": 1, \"a\": [2], \"b\": 3, \"c\": {\"x\": 1}, \"b\": [4], \"d\": 5}";
    static const char *const keys[] = {"a", "c", "b", "d"};
    rc_doc *d = NULL;
    const char *twice = "none";
    char path[16];
    (void)state;
    assert_int_equal(rc_doc_parse_json("t.json", text, sizeof text - 1, &d, &twice, NULL), RC_OK);
    const rc_node *root = rc_doc_root(d);
    assert_string_equal(twice, "b");
    assert_int_equal(rc_node_count(root), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(rc_node_key(root, i), keys[i]);
        assert_string_equal(rc_node_path(rc_node_value(root, i), path, sizeof path), keys[i]);
    }
    assert_string_equal(rc_node_path(rc_node_at(rc_node_get(root, "b"), 0), path, sizeof path),
                        "b[0]");
    assert_string_equal(rc_node_text(rc_node_at(rc_node_get(root, "b"), 0)), "4");
    rc_doc_close(d);
    assert_int_equal(rc_doc_parse_json("t.json", "{\"a\": 1, \"b\": 1}", 16, &d, &twice, NULL),
                     RC_OK);
    assert_null(twice);
    rc_doc_close(d);
    /* Of several that stand twice the one that is repeated first is named. */
    EXPECT_ERROR(rc_doc_parse("s", "{a: 1, b: 2, b: 3, a: 4, a: 5}", 30, &d, &e), RC_E_INPUT,
                 "s:1:14: duplicate key 'b', first on line 1");
    EXPECT_ERROR(rc_doc_parse("s", "a: 1\nb: 2\na: 3\na: 4\n", 20, &d, &e), RC_E_INPUT,
                 "s:3:1: duplicate key 'a', first on line 1");
}

/* Escapes of half a character are read wherever they stand, at the very end of the text as well. */
static void test_halves_of_characters_at_the_end(void **state) {
    static const char *const texts[] = {"{\"a\": \"\\ud83d\"}", "{\"a\": \"\\uDBFF\"}",
                                        "{\"a\": \"\\udfff\"}", "{\"a\": \"\\uD800\"}"};
    rc_doc *d = NULL;
    const char *twice;
    rc_error err;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(rc_doc_parse_json("t", texts[i], strlen(texts[i]), &d, &twice, NULL),
                         RC_OK);
        assert_string_equal(rc_node_text(rc_node_get(rc_doc_root(d), "a")), "\xef\xbf\xbd");
        rc_doc_close(d);
    }
    for (size_t size = 1; size + 1 < strlen(texts[0]); size++) /* cut anywhere: refused, not read */
        assert_int_equal(rc_doc_parse_json("t", texts[0], size, &d, &twice, &err), RC_E_INPUT);
}

static void test_deepest(void **state) {
    char text[256] = "a: ";
    rc_doc *d = NULL;
    (void)state;
    memset(text + 3, '[', 63); /* the document's own map is a level */
    memset(text + 66, ']', 63);
    assert_int_equal(rc_doc_parse("s", text, 129, &d, NULL), RC_OK);
    int levels = 0;
    for (const rc_node *n = rc_node_get(rc_doc_root(d), "a"); n; n = rc_node_at(n, 0))
        levels++;
    assert_int_equal(levels, 63);
    rc_doc_close(d);
    memset(text + 3, '[', 64);
    memset(text + 67, ']', 64);
    EXPECT_ERROR(rc_doc_parse("s", text, 131, &d, &e), RC_E_INPUT,
                 "s:1:67: nested more than 64 levels deep");
}

/* 2^20 values: the map, the list and what is in it. */
static void test_most_values(void **state) {
    enum { MOST = 1 << 20, ITEMS = MOST - 2, SIZE = 4 + 2 * ITEMS };
    char *text = malloc(SIZE + 3);
    rc_doc *d = NULL;
    rc_error err;
    (void)state;
    assert_non_null(text);
    memcpy(text, "a: [", 4);
    for (size_t i = 0; i < ITEMS; i++)
        memcpy(text + 4 + 2 * i, "1,", 2);
    text[SIZE] = ']';
    assert_int_equal(rc_doc_parse("s", text, SIZE + 1, &d, &err), RC_OK);
    assert_int_equal(rc_node_count(rc_node_get(rc_doc_root(d), "a")), ITEMS);
    rc_doc_close(d);
    memcpy(text + SIZE, "1,]", 3);
    assert_int_equal(rc_doc_parse("s", text, SIZE + 3, &d, &err), RC_E_INPUT);
    assert_string_equal(err.msg, "more than 1048576 values in one file");
    assert_true(err.line == 1 && err.col == SIZE + 1);
    free(text);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void test_most_columns(void **state) {
    enum { MOST = 1024, ROOM = 8 * (MOST + 1) };
    static char text[ROOM];
    rc_csv *c = NULL;
    size_t col = 0, end = 0, n = 0;
    rc_error err;
    (void)state;
    for (size_t i = 0; i <= MOST; i++) {
        end = i == MOST ? n : 0;
        n += (size_t)snprintf(text + n, ROOM - n, "%sc%zu", i ? "," : "", i);
    }
    assert_int_equal(rc_csv_parse("p", text, end, &c, NULL), RC_OK);
    assert_true(rc_csv_columns(c) == MOST && rc_csv_rows(c) == 0);
    assert_int_equal(rc_csv_column(c, "c1023", &col, NULL), RC_OK);
    assert_int_equal(col, 1023);
    assert_int_equal(rc_csv_column(c, "c 1023", &col, &err), RC_E_INPUT);
    assert_string_equal(err.msg, "missing column 'c 1023' (found 'c1023')");
    rc_csv_close(c);
    assert_int_equal(rc_csv_parse("p", text, n, &c, &err), RC_E_INPUT);
    assert_string_equal(err.msg, "more than 1024 columns");
    assert_true(err.line == 1 && err.col == 1);
}

/* A cell that is not there has no text and no place; an error still names its column. */
static void test_cells_that_are_not_there(void **state) {
    rc_csv *c = NULL;
    (void)state;
    assert_int_equal(rc_csv_parse("p", "a,b\r\n1,2\r\n", 10, &c, NULL), RC_OK);
    assert_int_equal(rc_csv_rows(c), 1);
    assert_string_equal(rc_csv_text(c, 0, 1), "2");
    assert_string_equal(rc_csv_text(c, 0, 2), "");
    assert_string_equal(rc_csv_text(c, 1, 0), "");
    assert_string_equal(rc_csv_name(c, 2), "");
    assert_int_equal(rc_csv_line(c, 1), 0);
    EXPECT_ERROR(rc_csv_fail(c, 1, 1, &e, RC_E_IO, "x"), RC_E_IO, "p: column 'b': x");
    EXPECT_ERROR(rc_csv_fail(c, 0, 0, &e, RC_E_IO, "x"), RC_E_IO, "p:2:1: column 'a': x");
    rc_csv_close(c);
}

/* Places behind fields of several bytes a character, over several lines, behind a byte order mark. */
static void test_places_of_cells(void **state) {
    static const struct {
        const char *text, *error;
        size_t size;
    } cases[] = {
        {"\xEF\xBB\xBF"
         "a,b\n1,\"x\n\n\xE2\x82\xAC\",3\n",
         "p:2:1: found 3 fields, expected 2 as in the header on line 1", 0},
        {"a,b\n\"x\ny\",\"z\n\xC3\xA9\"w\n",
         "p:4:3: text after a closing quote, expected a comma or the end of the line", 0},
        {"a\n\n\xC3\xA9\0", "p:3:2: a NUL character", 6},
        {"\0", "p:1:1: a NUL character", 1},
        {"\xEF\xBB\xBF", "p:1:1: the file has no header, expected a line of column names", 3},
        {"# c\r\n\r", "p:2:1: a carriage return without a line feed", 0},
        {"#", "p:1:2: the file has no header, expected a line of column names", 0},
        {"a,b\n#1\n", "p:2:1: found 1 fields, expected 2 as in the header on line 1", 0},
    };
    rc_csv *c = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        EXPECT_ERROR(rc_csv_parse("p", cases[i].text,
                                  cases[i].size ? cases[i].size : strlen(cases[i].text), &c, &e),
                     RC_E_INPUT, cases[i].error);
}

/* A field is quoted where it would be read as something else, and no field else is. */
static void test_fields_as_they_are_written(void **state) {
    static const char *const fields[][2] = {
        {"plain", "plain"},
        {"", ""},
        {"a#", "a#"},
        {"#a", "\"#a\""},
        {"a,b", "\"a,b\""},
        {"\r", "\"\r\""},
        {"a\nb", "\"a\nb\""},
        {"\"", "\"\"\"\""},
        {"\xEF\xBB\xBFx", "\"\xEF\xBB\xBFx\""},
        {"x\xEF\xBB\xBF", "x\xEF\xBB\xBF"},
        {"\xEF\xBB\xBE", "\xEF\xBB\xBE"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        char *buf = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&buf, &size);
        assert_non_null(f);
        rc_csv_put(f, fields[i][0]);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(buf, fields[i][1]);
        free(buf);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_prose),
        cmocka_unit_test(test_long_lists_are_cut),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_place_of_a_key),
        cmocka_unit_test(test_paths_of_flags),
        cmocka_unit_test(test_longest_paths),
        cmocka_unit_test(test_take_from_the_middle),
        cmocka_unit_test(test_keys_that_stand_twice),
        cmocka_unit_test(test_halves_of_characters_at_the_end),
        cmocka_unit_test(test_deepest),
        cmocka_unit_test(test_most_values),
        cmocka_unit_test(test_most_columns),
        cmocka_unit_test(test_cells_that_are_not_there),
        cmocka_unit_test(test_places_of_cells),
        cmocka_unit_test(test_fields_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
