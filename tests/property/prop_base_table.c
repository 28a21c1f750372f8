/* Tables and documents: any text survives being written as CSV or as a quoted scalar and read back.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "sim/base/csv.h"
#include "sim/base/doc.h"
#include "sim/base/json.h"
#include "sim/base/table.h"
#include "tests/support/prop.h"

enum { CELLS_MAX = 64, TEXT_MAX = 12 };

/* Bytes that matter to a quoting rule, more often than others. */
static void any_text(prop_case *c, char *out) {
    static const char special[] = ",\"\n\r# '\\:{}[]&*!|>%@`~-?";
    size_t n = (size_t)prop_below(c, TEXT_MAX);
    for (size_t i = 0; i < n; i++)
        out[i] = prop_one_in(c, 2) ? special[prop_below(c, sizeof special - 1)]
                                   : (char)prop_range(c, 'a', 'z');
    out[n] = '\0';
}

static bool csv_round_trip(prop_case *c) {
    static char cells[CELLS_MAX][TEXT_MAX];
    static const char *const names[] = {"a", "b", "c", "d"};
    const size_t columns = (size_t)prop_range(c, 1, 4);
    size_t rows = c->size < CELLS_MAX / columns ? c->size : CELLS_MAX / columns;
    rc_table *t = rc_table_create();
    for (size_t i = 0; i < columns; i++)
        rc_table_column(t, names[i], names[i], "", RC_LEFT);
    for (size_t i = 0; i < rows * columns; i++) {
        any_text(c, cells[i]);
        /* An empty cell alone on its line is written as missing. */
        if (columns == 1 && cells[i][0] == '\0')
            rc_table_missing(t);
        else
            rc_table_text(t, cells[i]);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    rc_status st = rc_table_csv(t, f, NULL);
    rc_table_destroy(t);
    PROP_CHECK(c, fclose(f) == 0 && st == RC_OK, "write");
    rc_csv *csv = NULL;
    rc_error e = {0};
    st = rc_csv_parse("p", text, size, &csv, &e);
    PROP_CHECK(c, st == RC_OK, "%d:%d: %.200s in\n%s", e.line, e.col, e.msg, text);
    PROP_CHECK(c, rc_csv_rows(csv) == rows && rc_csv_columns(csv) == columns, "shape of\n%s", text);
    for (size_t i = 0; i < rows * columns; i++) {
        const char *got = rc_csv_text(csv, i / columns, i % columns);
        PROP_CHECK(c, strcmp(got, cells[i]) == 0, "'%.80s' came back as '%.80s'", cells[i], got);
    }
    rc_csv_close(csv);
    free(text);
    return true;
}

/* The JSON we write is read by the reader of scenarios with the same keys and texts, in order. */
static bool json_round_trip(prop_case *c) {
    static char cells[CELLS_MAX][TEXT_MAX];
    size_t n = c->size < CELLS_MAX ? c->size : CELLS_MAX;
    rc_json *j = rc_json_create();
    for (size_t i = 0; i < n; i++) {
        char key[24];
        any_text(c, cells[i]);
        (void)snprintf(key, sizeof key, "k%zu", i);
        rc_json_text(j, rc_json_root(j), key, cells[i]);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    rc_status st = rc_json_write(j, f, NULL);
    rc_json_destroy(j);
    PROP_CHECK(c, fclose(f) == 0 && st == RC_OK, "write");
    rc_doc *d = NULL;
    rc_error e = {0};
    st = rc_doc_parse("p", text, size, &d, &e);
    PROP_CHECK(c, st == RC_OK, "%d:%d: %.200s in\n%s", e.line, e.col, e.msg, text);
    const rc_node *root = rc_doc_root(d);
    PROP_CHECK(c, rc_node_count(root) == n, "%zu keys of %zu", rc_node_count(root), n);
    for (size_t i = 0; i < n; i++) {
        const char *got = rc_node_text(rc_node_value(root, i));
        PROP_CHECK(c, strcmp(got, cells[i]) == 0, "'%.80s' came back as '%.80s'", cells[i], got);
    }
    rc_doc_close(d);
    free(text);
    return true;
}

/* A set value is the value read, wherever the path leads; the rest of the tree stays. */
static bool set_then_get(prop_case *c) {
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    rc_doc *d = NULL;
    PROP_CHECK(c, rc_doc_parse("p", "keep: 1\n", 8, &d, NULL) == RC_OK, "parse");
    for (unsigned i = 0; i < c->size; i++) {
        char path[64] = "r", value[24];
        size_t used = 1;
        const rc_node *at = rc_doc_root(d);
        for (int64_t depth = prop_range(c, 1, 5); depth > 0; depth--)
            used +=
                (size_t)snprintf(path + used, sizeof path - used, ".%s", names[prop_below(c, 5)]);
        (void)snprintf(value, sizeof value, "%d", (int)prop_range(c, 0, 99999));
        rc_status st = rc_doc_set(d, path, value, NULL);
        PROP_CHECK(c, st == RC_OK || st == RC_E_USAGE, "%s=%s gives %d", path, value, (int)st);
        if (st == RC_E_USAGE) /* the path goes through a value that was set before */
            continue;
        char copy[64];
        memcpy(copy, path, sizeof copy);
        char *rest = NULL;
        for (char *key = strtok_r(copy, ".", &rest); key && at; key = strtok_r(NULL, ".", &rest))
            at = rc_node_get(at, key);
        PROP_CHECK(c, at && strcmp(rc_node_text(at), value) == 0, "%s is not %s", path, value);
        char shown[64];
        PROP_CHECK(c, strcmp(rc_node_path(at, shown, sizeof shown), path) == 0, "%s is shown as %s",
                   path, shown);
    }
    const rc_node *keep = rc_node_get(rc_doc_root(d), "keep");
    PROP_CHECK(c, keep && strcmp(rc_node_text(keep), "1") == 0, "keep");
    rc_doc_close(d);
    return true;
}

#define RUN(name)                                                                                  \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        assert_true(prop_run(#name, name, 40));                                                    \
    }
RUN(csv_round_trip)
RUN(json_round_trip)
RUN(set_then_get)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_round_trip),
        cmocka_unit_test(test_json_round_trip),
        cmocka_unit_test(test_set_then_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
