/* What the base assumes of its callers (tests/support/trips.h). Values that must be wrong stand in
 * variables, so that no compiler sees through the call.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/base/csv.h"
#include "sim/base/doc.h"
#include "sim/base/file.h"
#include "sim/base/json.h"
#include "sim/base/outputs.h"
#include "sim/base/parallel.h"
#include "sim/base/process.h"
#include "sim/base/progress.h"
#include "sim/base/quantile.h"
#include "sim/base/quote.h"
#include "sim/base/style.h"
#include "sim/base/table.h"

static const char *volatile no_text = NULL;
static char *volatile no_terminal = NULL;
static const char *const *volatile no_names = NULL;
static rc_error err;

static void test_csv(void **state) {
    (void)state;
    rc_csv *csv = NULL;
    trips("text != NULL || size == 0", (void)rc_csv_parse("x.csv", no_text, 1, &csv, &err));
    assert_int_equal(rc_csv_parse("x.csv", "a\n1\n", 4, &csv, &err), RC_OK);
    trips("c != NULL && names != NULL", (void)rc_csv_known(csv, no_names, &err));
    rc_csv_close(csv);
    trips("f != NULL && field != NULL", rc_csv_put(stderr, no_text));
}

static void test_errors(void **state) {
    (void)state;
    char *volatile no_buffer = NULL;
    trips("st != RC_OK", (void)rc_fail(&err, RC_OK, "no failure"));
    trips("st != RC_OK", (void)rc_fail_file(&err, RC_OK, "file", "no failure"));
    trips("st != RC_OK", (void)rc_fail_at(&err, RC_OK, "file", 1, 1, "no failure"));
    trips("line >= 0 && col >= 0", (void)rc_fail_at(&err, RC_E_INPUT, "file", -1, 0, "where?"));
    trips("buf != NULL || size == 0", (void)rc_error_text(&err, no_buffer, 1));
}

static void test_files(void **state) {
    (void)state;
    rc_outfile o = {0};
    char *text, *volatile no_place = NULL;
    trips("o != NULL && path != NULL", (void)rc_outfile_open(&o, no_text, false, &err));
    trips("o->tmp[0] != '\\0'", (void)rc_outfile_commit(&o, &err));
    trips("dir != NULL && names != NULL", (void)rc_outputs_check(".", no_names, false, &err));
    trips("path != NULL && text != NULL && size != NULL",
          (void)rc_file_read("x", &text, NULL, &err));
    trips("path != NULL && temp != NULL", (void)rc_temp_file("x", no_place, NULL, &err));
    trips("i < outputs.count && outputs.entries[i].kind == UNDER_WAY",
          (void)rc_temp_place("no temporary of ours", "x", false, &err));
}

static void test_processes(void **state) {
    (void)state;
    trips("outputs.expected > 0", rc_outputs_child_began(1));
    trips("child > 0", rc_outputs_child_ended(0));
    trips("child > 0", rc_outputs_child_ended(-1));
    trips("!outputs.collecting", rc_outputs_begin(); rc_outputs_begin());
    trips("fn != NULL", (void)rc_parallel(1, 1, NULL, NULL, &err));
    trips("program != NULL", rc_process_last_words(no_text, ""));
    trips("program != NULL && (st == RC_OK || err != NULL)",
          (void)rc_process_end("program", RC_E_INPUT, NULL));
    rc_progress p;
    trips("label != NULL", rc_progress_begin(&p, no_text, 0, true));
}

/* With its handler a broken contract ends a program as our fault. */
static void test_exit_code(void **state) {
    (void)state;
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        rc_process_begin();
        abort();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == rc_exit_code(RC_E_INTERNAL));
}

static void test_json(void **state) {
    (void)state;
    rc_json *j = rc_json_create();
    trips("key ? json_is_object(parent) : json_is_array(parent)",
          rc_json_int(j, rc_json_root(j), NULL, 1));
    trips("f != NULL", (void)rc_json_write(j, NULL, &err));
    rc_json_destroy(j);
}

static void test_quantities(void **state) {
    (void)state;
    double real;
    int64_t *volatile nowhere = NULL;
    char buf[8];
    rc_dim beyond = (rc_dim)(RC_DIM_RATIO + 1);
    trips("(size_t)d < sizeof dims / sizeof dims[0]", (void)rc_dim_name(beyond));
    trips("(size_t)d < sizeof units / sizeof units[0]", (void)rc_dim_unit(beyond));
    trips("text != NULL && out != NULL",
          (void)rc_quantity_parse(no_text, RC_DIM_TIME, &real, &err));
    trips("text != NULL && out != NULL", (void)rc_quantity_int("1", 0, 2, nowhere, &err));
    trips("buf != NULL && size > 0", (void)rc_quantity_format(1.0, RC_DIM_TIME, buf, 0));
    trips("s != NULL", (void)rc_text_has_control(no_text));
    trips("s != NULL", rc_quote_terminal(no_terminal));
}

static void test_quantiles(void **state) {
    (void)state;
    double one = 1.0, *volatile none = NULL;
    trips("v != NULL || n == 0", rc_sort(none, 1));
    trips("n > 0", (void)rc_quantile(&one, 0, 0.5));
    trips("q >= 0.0 && q <= 1.0", (void)rc_quantile(&one, 1, 1.5));
    trips("n > 0 && q >= 0.0 && q <= 1.0", (void)rc_nearest_rank(&one, 1, -0.5));
}

static void test_documents(void **state) {
    (void)state;
    static const char *const none[] = {NULL};
    const char *const text = "a: b\n";
    rc_doc *d = NULL;
    char out[8];
    int choice;
    assert_int_equal(rc_doc_parse("x.yaml", text, strlen(text), &d, &err), RC_OK);
    const rc_node *root = rc_doc_root(d);
    trips("n != NULL", (void)rc_node_kind_of(rc_node_get(root, "no such key")));
    trips("map->kind == RC_NODE_MAP && i < map->count",
          (void)rc_node_key_fail(root, 1, &err, "no such entry"));
    trips("map != NULL && keys != NULL", (void)rc_doc_known(root, no_names, &err));
    trips("out != NULL && size > 0", (void)rc_doc_label(root, "a", out, 0, &err));
    trips("out != NULL && size > 0", (void)rc_doc_prose(root, "a", out, 0, &err));
    trips("names != NULL && names[0] != NULL", (void)rc_doc_choice(root, "a", none, &choice, &err));
    trips("shown != NULL && path != NULL && value != NULL",
          (void)rc_doc_set(d, "a", no_text, &err));
    rc_doc_close(d);
}

static void test_style(void **state) {
    (void)state;
    trips("f != NULL && (unsigned)s <= RC_STYLE_END",
          (void)rc_style_on(stdout, (rc_style)(RC_STYLE_END + 1)));
}

static void test_tables(void **state) {
    (void)state;
    rc_table *t = rc_table_create();
    trips("t->column_count > 0", rc_table_int(t, 1));
    trips("t->column_count > 0", (void)rc_table_print(t, stderr, &err));
    rc_table_column(t, "a", "a", "", RC_LEFT);
    rc_table_column(t, "b", "b", "", RC_LEFT);
    trips("decimals >= 0", rc_table_real(t, 1.0, -1));
    rc_table_int(t, 1);
    trips("t->column_count < COLUMNS_MAX && t->cell_count == 0",
          rc_table_column(t, "late", "late", "", RC_LEFT));
    trips("t->cell_count % t->column_count == 0", (void)rc_table_csv(t, stderr, &err));
    rc_table_destroy(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_files),      cmocka_unit_test(test_processes),
        cmocka_unit_test(test_exit_code),  cmocka_unit_test(test_json),
        cmocka_unit_test(test_quantities), cmocka_unit_test(test_documents),
        cmocka_unit_test(test_style),      cmocka_unit_test(test_tables),
        cmocka_unit_test(test_quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
