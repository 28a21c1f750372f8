/* The reader of JSON lines against a library's tree, over drawn texts that are whole and texts with a byte that is wrong: both
 * take the same ones, and find the same in them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include "sim/trace/reader.h"
#include "tests/support/prop.h"

enum { TEXT = 1 << 14 };

typedef struct writer {
    prop_case *c;
    char text[TEXT];
    size_t n;
    unsigned left; /* values that it may still have */
} writer;

static void put(writer *w, const char *s) {
    const size_t n = strlen(s);
    if (w->n + n < TEXT) {
        memcpy(w->text + w->n, s, n);
        w->n += n;
    }
}

static void put_blanks(writer *w) {
    static const char *const some[] = {"", "", "", " ", "\t", "  "};
    put(w, some[prop_below(w->c, 6)]);
}

static const char *pick(prop_case *c, const char *const *from, size_t n) {
    return from[prop_below(c, n)];
}
#define PICK(c, from) pick(c, from, sizeof(from) / sizeof(from)[0])

static const char *const keys[] = {"a", "b", "ab", "", "c\\\"", "in", "t"};
static const char *const texts[] = {
    "", "x", "a text", "\\\"", "\\\\", "\\/\\b\\f\\n\\r\\t", "\\u00e9", "[1,2]", "}"};
static const char *const numbers[] = {"0",   "-0",   "7",      "-12", "1.5",   "0.25",
                                      "1e3", "2E-2", "3.5e+1", "10",  "-1.0e0"};
static const char *const words[] = {"null", "true", "false"};

static void put_text(writer *w, const char *s) {
    put(w, "\"");
    put(w, s);
    put(w, "\"");
}

static void put_value(writer *w, unsigned depth);

static void put_nested(writer *w, bool object, unsigned depth) {
    const uint64_t n = prop_below(w->c, 4);
    put(w, object ? "{" : "[");
    put_blanks(w);
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0) {
            put(w, ",");
            put_blanks(w);
        }
        if (object) {
            put_text(w, PICK(w->c, keys));
            put_blanks(w);
            put(w, ":");
            put_blanks(w);
        }
        put_value(w, depth + 1);
        put_blanks(w);
    }
    put(w, object ? "}" : "]");
}

static void put_value(writer *w, unsigned depth) {
    const uint64_t kind = prop_below(w->c, depth > 6 || w->left == 0 ? 3 : 5);
    w->left -= w->left > 0;
    if (kind == 0)
        put(w, PICK(w->c, numbers));
    else if (kind == 1)
        put_text(w, PICK(w->c, texts));
    else if (kind == 2)
        put(w, PICK(w->c, words));
    else
        put_nested(w, kind == 3, depth);
}

/* A byte that comes to be another one, or is left out, or comes twice. */
static void spoil(writer *w) {
    static const char bytes[] = "{}[],:\"\\ 019.eE+-tnfx\x01";
    const size_t at = (size_t)prop_below(w->c, w->n);
    const uint64_t how = prop_below(w->c, 4);
    if (how == 0) {
        memmove(w->text + at, w->text + at + 1, --w->n - at);
    } else if (how == 1 && w->n + 1 < TEXT) {
        memmove(w->text + at + 1, w->text + at, w->n++ - at);
    } else if (how == 2) {
        w->n = at; /* the rest is missing */
    } else {
        w->text[at] = bytes[prop_below(w->c, sizeof bytes - 1)];
    }
}

static rc_reader reader_of(const char *text, size_t n) {
    return (rc_reader){.name = "line", .line = 1, .row = text, .end = text + n};
}

static json_t *tree_of(const char *text, size_t n) {
    return json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static rc_value_kind kind_of(const json_t *v) {
    if (json_is_number(v))
        return RC_VALUE_NUMBER;
    if (json_is_string(v))
        return RC_VALUE_TEXT;
    if (json_is_null(v))
        return RC_VALUE_NULL;
    return json_is_boolean(v) ? RC_VALUE_OTHER : RC_VALUE_NESTED;
}

/* Whether what was found is that value: its own text, without the quotes of a text. */
static bool is_value(const rc_value *found, const json_t *v) {
    if (found->kind != kind_of(v))
        return false;
    const bool quoted = found->kind == RC_VALUE_TEXT;
    json_t *own = tree_of(found->text.p - quoted, found->text.n + 2 * (size_t)quoted);
    const bool same = own && json_equal(own, v);
    json_decref(own);
    return same;
}

static bool values_are_json(prop_case *c) {
    writer w = {.c = c, .left = c->size};
    put_blanks(&w);
    put_value(&w, 0);
    put_blanks(&w);
    if (prop_one_in(c, 2))
        spoil(&w);
    rc_reader r = reader_of(w.text, w.n);
    rc_value found = {0};
    const char *p = w.text;
    const bool taken = rc_json_value(&r, &p, r.end, &found) && p == r.end;
    json_t *tree = tree_of(w.text, w.n);
    PROP_CHECK(c, taken == (tree != NULL), "%s: '%.*s'", taken ? "taken" : r.why, (int)w.n, w.text);
    PROP_CHECK(c, !tree || is_value(&found, tree), "found '%.*s' in '%.*s'", (int)found.text.n,
               found.text.p, (int)w.n, w.text);
    json_decref(tree);
    return true;
}

/* The items of a list, one after the other, up to what is wrong. */
static bool items_are_the_list(prop_case *c) {
    writer w = {.c = c, .left = c->size};
    put_nested(&w, false, 0);
    const size_t whole = w.n;
    if (prop_one_in(c, 2))
        spoil(&w);
    json_t *tree = tree_of(w.text, w.n);
    if (w.n == 0 || w.text[0] != '[' || (tree && !json_is_array(tree)))
        return json_decref(tree), true;
    rc_reader r = reader_of(w.text, w.n);
    const char *p = w.text;
    bool more = true, fine = true;
    size_t n = 0;
    for (; fine && more; n += fine && more) {
        rc_value item = {0};
        fine = rc_json_item(&r, &p, r.end, &item, &more);
        PROP_CHECK(c, !fine || !more || !tree || is_value(&item, json_array_get(tree, n)),
                   "item %zu of '%.*s' is '%.*s'", n, (int)w.n, w.text, (int)item.text.n,
                   item.text.p);
    }
    while (fine && p < r.end && (*p == ' ' || *p == '\t'))
        p++;
    PROP_CHECK(c, (fine && p == r.end) == (tree != NULL), "%s: '%.*s' (%zu bytes were drawn)",
               fine ? "taken" : r.why, (int)w.n, w.text, whole);
    PROP_CHECK(c, !tree || n == json_array_size(tree), "%zu items in '%.*s'", n, (int)w.n, w.text);
    json_decref(tree);
    return true;
}

/* Of an object the members that are asked for: as the tree has them, none where it has none, and refused where one that is asked
 * for is there twice. */
static bool members_are_the_object(prop_case *c) {
    writer w = {.c = c, .left = c->size};
    put_blanks(&w);
    put_nested(&w, true, 0);
    put_blanks(&w);
    if (prop_one_in(c, 3))
        spoil(&w);
    rc_reader r = reader_of(w.text, w.n);
    const rc_value before = {RC_VALUE_NUMBER, {"1", 1}}; /* of the line above, as a reader has it */
    rc_member known[] = {{"a", before}, {"ab", before}, {"in", before}};
    const bool taken = rc_json_line(&r, known, 3);
    json_t *tree = tree_of(w.text, w.n),
           *once = json_loadb(w.text, w.n,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    const bool twice = tree && !once; /* somewhere: of the members asked for, or deeper */
    const bool object = json_is_object(tree);
    PROP_CHECK(c, twice || taken == object, "%s: '%.*s'", taken ? "taken" : r.why, (int)w.n,
               w.text);
    PROP_CHECK(c, !taken || object, "taken: '%.*s'", (int)w.n, w.text);
    for (int i = 0; i < 3 && taken && !twice; i++) {
        const json_t *v = json_object_get(tree, known[i].name);
        PROP_CHECK(c, v ? is_value(&known[i].value, v) : known[i].value.kind == RC_VALUE_NONE,
                   "'%s' of '%.*s'", known[i].name, (int)w.n, w.text);
    }
    json_decref(tree);
    json_decref(once);
    return true;
}

/* The keys of a line that no format fits, as far as there is room for them. */
static bool keys_are_listed(prop_case *c) {
    writer w = {.c = c, .left = c->size};
    char want[256] = "", got[256];
    const int n = 1 + (int)prop_below(c, 5);
    put_blanks(&w);
    for (int i = 0; i < n; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%d", (int)prop_below(c, 1000));
        put(&w, i > 0 ? "," : "{");
        put_blanks(&w);
        put_text(&w, key);
        put_blanks(&w);
        put(&w, ":");
        put_value(&w, 1);
        put_blanks(&w);
        (void)snprintf(want + strlen(want), sizeof want - strlen(want), "%s%s", i > 0 ? ", " : "",
                       key);
    }
    put(&w, "}");
    rc_reader r = reader_of(w.text, w.n);
    rc_json_keys(&r, got, sizeof got);
    PROP_CHECK(c, strcmp(got, want) == 0, "'%s', not '%s', of '%.*s'", got, want, (int)w.n, w.text);
    const size_t room = 1 + (size_t)prop_below(c, 40);
    memset(got, '#', sizeof got);
    rc_json_keys(&r, got, room);
    const size_t length = strnlen(got, sizeof got);
    PROP_CHECK(c, length < room && strncmp(got, want, length) == 0, "'%.40s' in %zu bytes of '%s'",
               got, room, want);
    for (size_t i = room; i < sizeof got; i++)
        PROP_CHECK(c, got[i] == '#', "more than %zu bytes are written", room);
    return true;
}

/* ---- lists of blocks ---------------------------------------------------------------------- */

/* Drawn ids that often follow one another: read back one by one, in runs that cannot be longer. */
static bool ids_read_back(prop_case *c) {
    writer w = {.c = c};
    uint64_t id[64], at = 0;
    const size_t n = 1 + (size_t)prop_below(c, c->size < 63 ? c->size : 63);
    char text[32];
    for (size_t i = 0; i < n; i++) {
        at = prop_one_in(c, 3) ? prop_u64(c) >> prop_below(c, 64) : at + 1;
        id[i] = at;
        put(&w, i > 0 ? "," : "[");
        put_blanks(&w);
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)at);
        put(&w, text);
        put_blanks(&w);
    }
    put(&w, "]");
    rc_reader r = reader_of(w.text, w.n);
    PROP_CHECK(c, rc_json_ids(&r, (rc_slice){w.text, w.n}), "%s", r.why);
    size_t k = 0;
    for (size_t i = 0; i < r.raws; i++) {
        for (uint32_t j = 0; j < r.raw[i].count; j++, k++)
            PROP_CHECK(c, k < n && id[k] == r.raw[i].first + j, "block %zu of %.*s", k, (int)w.n,
                       w.text);
        PROP_CHECK(c, k == n || id[k] != id[k - 1] + 1 || id[k] == 0, "a run of %.*s ends at %zu",
                   (int)w.n, w.text, k);
    }
    PROP_CHECK(c, k == n, "%zu blocks of %zu", k, n);
    free(r.raw);
    return true;
}

static void lists(bool (*read)(rc_reader *, rc_slice), const char *text, rc_fault fault,
                  const char *why) {
    rc_reader r = reader_of(text, strlen(text));
    const bool taken = read(&r, (rc_slice){text, strlen(text)});
    if (taken != (why == NULL) || (why && (r.fault != fault || !strstr(r.why, why))))
        fail_msg("%s: %d, '%s'", text, (int)r.fault, r.why);
    free(r.raw);
}

static void test_lists(void **state) {
    (void)state;
    lists(rc_json_ids, "[]", 0, NULL);
    lists(rc_json_ids, "[ ]", 0, NULL);
    lists(rc_json_ids, "[18446744073709551615]", 0, NULL);
    lists(rc_json_ids, "[18446744073709551616]", RC_FAULT_ABSURD,
          "a block id of more than 64 bits");
    lists(rc_json_ids, "[99999999999999999999]", RC_FAULT_ABSURD,
          "a block id of more than 64 bits");
    lists(rc_json_ids, "[1,-1]", RC_FAULT_NEGATIVE, "a block id below zero");
    lists(rc_json_ids, "[1.0]", RC_FAULT_ABSURD, "a block id that is not whole");
    lists(rc_json_ids, "[1e3]", RC_FAULT_ABSURD, "a block id that is not whole");
    lists(rc_json_ids, "[1E3]", RC_FAULT_ABSURD, "a block id that is not whole");
    lists(rc_json_ids, "[\"1\"]", RC_FAULT_SYNTAX, "a block id that is no number");
    lists(rc_json_ids, "{\"a\":1}", RC_FAULT_SYNTAX, "blocks are not in a list");
    lists(rc_json_ranges, "[]", 0, NULL);
    lists(rc_json_ranges, "[ [ 1 , 2 ] , [5,1] ]", 0, NULL);
    lists(rc_json_ranges, "[[0,100000000]]", 0, NULL);
    lists(rc_json_ranges, "[[0,100000001]]", RC_FAULT_ABSURD, "a range beyond block 100000000");
    lists(rc_json_ranges, "[[100000000,1]]", 0, NULL);
    lists(rc_json_ranges, "[[100000001,1]]", RC_FAULT_ABSURD, "a range beyond block 100000000");
    lists(rc_json_ranges, "[[7,0]]", RC_FAULT_ZERO, "a range of 0 blocks");
    lists(rc_json_ranges, "[[-7,1]]", RC_FAULT_NEGATIVE, "a block id below zero");
    lists(rc_json_ranges, "[[7,-1]]", RC_FAULT_NEGATIVE, "a block count below zero");
    static const char *const none[] = {"[7]",       "[[]]",      "[[7]]",
                                       "[[7,1,2]]", "[[7,1],8]", "[[7,1],[]]"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        lists(rc_json_ranges, none[i], RC_FAULT_SYNTAX, "a range is not [first, count]");
    lists(rc_json_ranges, "{}", RC_FAULT_SYNTAX, "ranges of blocks are not in a list");
}

/* The runs themselves: one ends where the next id is not the next number, also past the last of all numbers. */
static void test_runs(void **state) {
    (void)state;
    static const char text[] = "[1,2,3,7,8,2,18446744073709551614,18446744073709551615,0,1]";
    static const rc_raw_span want[] = {{1, 3}, {7, 2}, {2, 1}, {UINT64_MAX - 1, 2}, {0, 2}};
    rc_reader r = reader_of(text, sizeof text - 1);
    assert_true(rc_json_ids(&r, (rc_slice){text, sizeof text - 1}));
    assert_int_equal(r.raws, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(r.raw[i].first == want[i].first && r.raw[i].count == want[i].count);
    static const char ranges[] = "[[3,4],[9,1]]";
    assert_true(rc_json_ranges(&r, (rc_slice){ranges, sizeof ranges - 1}));
    assert_int_equal(r.raws, 2);
    assert_true(r.raw[0].first == 3 && r.raw[0].count == 4 && r.raw[1].first == 9 &&
                r.raw[1].count == 1);
    free(r.raw);
}

/* A member on a way of keys; none where the way ends at something that is no object, or at a key of 64 bytes. */
static void test_paths(void **state) {
    (void)state;
    static const char text[] =
        "{\"a\":{\"b\":{\"c\":7},\"d\":[1]},\"e\":\"x\","
        "\"k23456789012345678901234567890123456789012345678901234567890123\":1,"
        "\"k234567890123456789012345678901234567890123456789012345678901234\":2}";
    static const struct {
        const char *path;
        rc_value_kind kind;
        const char *text;
    } ways[] = {
        {"a.b.c", RC_VALUE_NUMBER, "7"},
        {"a.d", RC_VALUE_NESTED, "[1]"},
        {"e", RC_VALUE_TEXT, "x"},
        {"a.b.x", RC_VALUE_NONE, ""},
        {"a.d.x", RC_VALUE_NONE, ""},
        {"e.x", RC_VALUE_NONE, ""},
        {"x.y", RC_VALUE_NONE, ""},
        {"k23456789012345678901234567890123456789012345678901234567890123", RC_VALUE_NUMBER, "1"},
        {"k234567890123456789012345678901234567890123456789012345678901234", RC_VALUE_NONE, ""}};
    rc_reader r = reader_of(text, sizeof text - 1);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        rc_value v;
        assert_true(rc_json_path(&r, (rc_slice){text, sizeof text - 1}, ways[i].path, &v));
        if (v.kind != ways[i].kind ||
            (v.kind != RC_VALUE_NONE &&
             (v.text.n != strlen(ways[i].text) || memcmp(v.text.p, ways[i].text, v.text.n) != 0)))
            fail_msg("%s is of kind %d", ways[i].path, (int)v.kind);
    }
}

#define RUN(name, property, size)                                                                  \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        assert_true(prop_run(#property, property, size));                                          \
    }
RUN(test_values, values_are_json, 40)
RUN(test_items, items_are_the_list, 40)
RUN(test_members, members_are_the_object, 40)
RUN(test_keys, keys_are_listed, 40)
RUN(test_ids, ids_read_back, 40)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_items), cmocka_unit_test(test_members),
        cmocka_unit_test(test_keys),   cmocka_unit_test(test_ids),   cmocka_unit_test(test_lists),
        cmocka_unit_test(test_runs),   cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
