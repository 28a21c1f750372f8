/* Cases of `ringcast-calib ring`: what is read, what is refused, and that the lists of this tree
 * are whole.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_case.c"
#include "calib/ring/ring_options.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HEAD "case,schedule,cp,tp,t,p,batch,hq,hkv,width,ffn,layers,launch,sms\n"

static rc_status parse(const char *rows, rc_ring_case **out, size_t *n, rc_error *err) {
    char text[2048];
    snprintf(text, sizeof text, "%s%s", HEAD, rows);
    *out = NULL;
    return rc_ring_cases_parse("cases.csv", text, strlen(text), out, n, err);
}

static void test_read(void **state) {
    (void)state;
    rc_ring_case *c = NULL;
    size_t n = 0;
    rc_error err = {0};
    assert_int_equal(parse("a,pass-q,2,1,4096,8192,1,16,1,16384,6656,8,graph,116\n", &c, &n, &err),
                     RC_OK);
    assert_int_equal(n, 1);
    assert_true(c->schedule == RC_RING_PASS_Q && c->cp == 2 && c->tp == 1 && c->graph);
    assert_true(rc_ring_tokens(c) == 2048 && rc_ring_chunk(c) == 1024 && rc_ring_cached(c) == 4096);
    assert_true(c->hq == 16 && c->hkv == 1 && c->width == 16384 && c->ffn == 6656 && c->sms == 116);
    free(c);
}

static void refused(const char *rows, const char *word) {
    rc_ring_case *c = NULL;
    size_t n = 0;
    rc_error err = {0};
    assert_int_equal(parse(rows, &c, &n, &err), RC_E_INPUT);
    if (!strstr(err.msg, word))
        print_error("%s\n", err.msg);
    assert_non_null(strstr(err.msg, word));
    assert_string_equal(err.file, "cases.csv");
    assert_true(err.line == 2 || err.line == 3);
}

static void test_refused(void **state) {
    (void)state;
    refused("a,pass-k,2,1,4096,0,1,16,1,16384,6656,8,graph,0\n", "pass-kv");
    refused("a,pass-kv,2,1,4098,0,1,16,1,16384,6656,8,graph,0\n", "2 cp must divide t");
    refused("a,pass-kv,2,1,4096,3,1,16,1,16384,6656,8,graph,0\n", "cp must divide p");
    refused("a,tp,2,1,4096,0,1,16,1,16384,6656,8,graph,0\n", "CP 1");
    refused("a,decode-tp,1,2,2,64,1,16,1,16384,6656,8,graph,0\n", "t 1");
    refused("a,decode-pass-q,2,1,1,64,3,16,1,16384,6656,8,graph,0\n", "divide the batch");
    refused("a,pass-kv,2,1,4096,0,1,17,2,16384,6656,8,graph,0\n", "hkv must divide hq");
    refused("a,pass-kv,2,1,4096,0,1,32,1,16384,6656,8,graph,0\n", "16 query heads");
    refused("a,pass-kv,2,1,4096,0,1,16,1,16390,6656,8,graph,0\n", "multiples of 64");
    refused("a,pass-kv,2,1,4096,0,1,16,1,16384,6656,8,grph,0\n", "eager or graph");
    refused("a,pass-kv,64,2,4096,0,1,16,1,16384,6656,8,graph,0\n", "1 to 64");
    refused(
        "a,tp,1,1,64,0,1,16,1,16384,6656,8,graph,0\na,tp,1,1,64,0,1,16,1,16384,6656,8,graph,0\n",
        "twice");
}

/* Every schedule has a case for any number of GPUs that it can run on, and all of them are sound.
 */
static void test_builtin(void **state) {
    (void)state;
    for (int ranks = 1; ranks <= 16; ranks++) {
        rc_ring_case *c = NULL;
        size_t n = 0, of[RC_RING_SCHEDULES] = {0};
        rc_error err = {0};
        assert_int_equal(rc_ring_cases_builtin(ranks, &c, &n, &err), RC_OK);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(rc_ring_case_check(&c[i], &err), RC_OK);
            assert_int_equal(c[i].cp * c[i].tp, ranks);
            of[c[i].schedule]++;
        }
        for (int s = 0; s < RC_RING_SCHEDULES; s++)
            assert_true(of[s] >= 3);
        free(c);
    }
}

static void test_lists_of_the_tree(void **state) {
    (void)state;
    static const char *const lists[] = {"seen", "unseen"};
    const char *root = getenv("RC_SOURCE_DIR");
    assert_non_null(root);
    for (int k = 0; k < 2; k++) {
        char path[1024];
        rc_ring_case *c = NULL;
        size_t n = 0;
        rc_error err = {0};
        snprintf(path, sizeof path, "%s/scenarios/validation/%s.csv", root, lists[k]);
        if (rc_ring_cases_read(path, &c, &n, &err) != RC_OK)
            fail_msg("%s:%d: %s", err.file, err.line, err.msg);
        assert_true(n >= 24);
        free(c);
    }
}

static void test_options(void **state) {
    (void)state;
    rc_ring_options o;
    rc_error err = {0};
    char *ok[] = {"ring",        "--cases", "a.csv",    "--out", "b.csv",
                  "--transport", "shm",     "--budget", "90 s"};
    assert_int_equal(rc_ring_options_parse(9, ok, &o, &err), RC_OK);
    assert_string_equal(o.transport, "shm");
    assert_true(o.budget_s == 90);
    char *none[] = {"ring"};
    assert_int_equal(rc_ring_options_parse(1, none, &o, &err), RC_E_USAGE);
    assert_string_equal(err.file, "--out");
    char *both[] = {"ring", "--virtual", "4", "--out", "b.csv"};
    assert_int_equal(rc_ring_options_parse(5, both, &o, &err), RC_E_USAGE);
    char *unknown[] = {"ring", "--case", "a.csv"};
    assert_int_equal(rc_ring_options_parse(3, unknown, &o, &err), RC_E_USAGE);
    assert_non_null(strstr(err.msg, "--cases"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_builtin), cmocka_unit_test(test_lists_of_the_tree),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
