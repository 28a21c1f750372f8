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

/* ---- bounds ---------------------------------------------------------------------------------- */

/* Each number of a case at the ends of what its column takes, one below and one above: what is not of the column's range is refused
 * with the range, and a number at an end is not, whatever else is then wrong with the case. */
static void test_ranges_of_columns(void **state) {
    static const struct {
        int column;
        long long low, high;
    } of[] = {{2, 1, 64},        {3, 1, 64},    {4, 1, 1 << 24}, {5, 0, 1 << 24},
              {6, 1, 4096},      {7, 1, 256},   {8, 1, 256},     {9, 64, 32768},
              {10, 64, 1 << 20}, {11, 1, 1000}, {13, 0, 1024},   {14, 0, 64}};
    static const char *const usual[] = {"a", "tp", "1",  "1", "64",    "0", "1", "16",
                                        "1", "64", "64", "1", "graph", "0", "0"};
    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        const long long at[] = {of[i].low - 1, of[i].low, of[i].high, of[i].high + 1};
        char range[96];
        (void)snprintf(range, sizeof range, "expected a whole number from %lld to %lld", of[i].low,
                       of[i].high);
        for (int k = 0; k < 4; k++) {
            char text[512] = HEAD;
            rc_ring_case *c = NULL;
            size_t n = 0;
            rc_error err = {0};
            (void)strcpy(text + strlen(text) - 1, ",ctas\n");
            for (int column = 0; column < 15; column++) {
                char number[32];
                (void)snprintf(number, sizeof number, "%lld", at[k]);
                (void)strcat(strcat(text, column ? "," : ""),
                             column == of[i].column ? number : usual[column]);
            }
            rc_status st = rc_ring_cases_parse("cases.csv", text, strlen(text), &c, &n, &err);
            const bool outside = st != RC_OK && strstr(err.msg, range) != NULL;
            if (outside != (k == 0 || k == 3))
                fail_msg("column %d, %lld: %s", of[i].column, at[k], err.msg);
            if (st == RC_OK)
                free(c);
        }
    }
}

static const rc_ring_case sound = {.name = "a",
                                   .cp = 2,
                                   .tp = 2,
                                   .t = 64,
                                   .p = 64,
                                   .batch = 1,
                                   .hq = 16,
                                   .hkv = 1,
                                   .width = 128,
                                   .ffn = 64,
                                   .layers = 1};
static const rc_ring_case sound_step = {.name = "a",
                                        .schedule = RC_RING_DECODE_PASS_Q,
                                        .cp = 2,
                                        .tp = 2,
                                        .t = 1,
                                        .p = 8,
                                        .batch = 4,
                                        .hq = 16,
                                        .hkv = 1,
                                        .width = 128,
                                        .ffn = 64,
                                        .layers = 1};

/* Refused with these words, or (NULL) as sound. */
static void judged(const rc_ring_case *c, const char *changed, const char *says) {
    rc_error err = {0};
    rc_status st = rc_ring_case_check(c, &err);
    if (st != (says != NULL ? RC_E_INPUT : RC_OK) || (says != NULL && !strstr(err.msg, says)))
        fail_msg("%s: %s", changed, err.msg);
}

/* One number of a sound case changed. */
#define CHANGED(of, member, number, says)                                                          \
    do {                                                                                           \
        rc_ring_case c = of;                                                                       \
        c.member = (number);                                                                       \
        judged(&c, #member " " #number, says);                                                     \
    } while (0)

static void test_numbers_of_a_case(void **state) {
    static const char *const none = NULL;
    static const char *const gpus = "the number of GPUs must be 1 to 64",
                             *const heads = "hkv must divide hq", *const width = "multiples of 64",
                             *const layers = "layers must be 1 or more",
                             *const sizes = "batch and p must be 1 or more";
    (void)state;
    CHANGED(sound, cp, 0, gpus);
    CHANGED(sound, cp, 32, none);
    CHANGED(sound, cp, 33, gpus);
    CHANGED(sound, tp, 0, gpus);
    CHANGED(sound, tp, 32, none);
    CHANGED(sound, tp, 33, gpus);
    CHANGED(sound, schedule, RC_RING_TP, "tensor parallel alone has CP 1");
    CHANGED(sound_step, schedule, RC_RING_DECODE_TP, "tensor parallel alone has CP 1");
    CHANGED(sound, hq, 0, heads);
    CHANGED(sound, hq, 1, none);
    CHANGED(sound, hq, 17, heads);
    CHANGED(sound, hkv, 0, heads);
    CHANGED(sound, hkv, 3, heads);
    CHANGED(sound, hkv, 16, none);
    CHANGED(sound, hkv, 32, heads);
    CHANGED(sound, width, 96, width);
    CHANGED(sound, width, 32768, none);
    CHANGED(sound, width, 32832, width);
    CHANGED(sound, ffn, 65, width);
    CHANGED(sound, ffn, 128, none);
    CHANGED(sound, layers, 0, layers);
    CHANGED(sound, sms, -1, layers);
    CHANGED(sound, sms, 1, none);
    CHANGED(sound, p, 65, "cp must divide p");
    CHANGED(sound, p, 0, none);
    CHANGED(sound, batch, 2, "a prefill has batch 1");
    CHANGED(sound, batch, 0, "a prefill has batch 1");
    CHANGED(sound, t, 0, "2 cp must divide t");
    CHANGED(sound, t, 62, "2 cp must divide t");
    CHANGED(sound, t, 4, none);
    CHANGED(sound_step, batch, 2, none);
    CHANGED(sound_step, batch, 3, "cp must divide the batch");
    CHANGED(sound_step, batch, 0, sizes);
    CHANGED(sound_step, p, 0, sizes);
    CHANGED(sound_step, p, 2, none);
    CHANGED(sound_step, t, 2, "a decode step has t 1");
    rc_ring_case one = sound; /* a prompt of one rank may have any length */
    one.cp = 1;
    CHANGED(one, t, 3, none);
    CHANGED(one, t, 1, none);
}

static void test_shares(void **state) {
    (void)state;
    assert_int_equal(rc_ring_tokens(&sound), 32);
    assert_int_equal(rc_ring_chunk(&sound), 16);
    assert_int_equal(rc_ring_cached(&sound), 32);
    assert_int_equal(rc_ring_tokens(&sound_step), 2);
    assert_false(rc_ring_is_decode(&sound));
    assert_true(rc_ring_is_decode(&sound_step));
}

static void test_names_of_cases(void **state) {
    char row[160], name[70];
    (void)state;
    memset(name, 'n', sizeof name);
    for (int n = 63; n <= 64; n++) {
        rc_ring_case *c = NULL;
        size_t count = 0;
        rc_error err = {0};
        (void)snprintf(row, sizeof row, "%.*s,tp,1,1,64,0,1,16,1,64,64,1,eager,0\n", n, name);
        assert_int_equal(parse(row, &c, &count, &err), n == 63 ? RC_OK : RC_E_INPUT);
        if (n == 63) {
            assert_int_equal(strlen(c->name), 63);
            assert_false(c->graph);
            assert_true(c->sms == 0 && c->ctas == 0); /* a file may lack that column */
            free(c);
        } else {
            assert_non_null(strstr(err.msg, "a name of 1 to 63 characters without blanks"));
        }
    }
    refused(",tp,1,1,64,0,1,16,1,64,64,1,eager,0\n", "a name of 1 to 63 characters");
    refused("a b,tp,1,1,64,0,1,16,1,64,64,1,eager,0\n", "without blanks");
}

/* ---- options --------------------------------------------------------------------------------- */

typedef struct asked {
    const char *words[7], *file, *says;
} asked;

static rc_status parsed(const asked *a, rc_ring_options *o, rc_error *err) {
    char *argv[8] = {(char *)(uintptr_t) "ring"};
    int n = 1;
    for (; a->words[n - 1]; n++)
        argv[n] = (char *)(uintptr_t)a->words[n - 1];
    return rc_ring_options_parse(n, argv, o, err);
}

static void test_refused_options(void **state) {
    static const asked of[] = {
        {{"--out", ".csv"}, "--out", "\".csv\": expected a name ending in .csv"},
        {{"--out", "a.cs"}, "--out", "expected a name ending in .csv"},
        {{"--out", "a.csv.gz"}, "--out", "expected a name ending in .csv"},
        {{"--out", "a.csv", "--virtual", "2"}, "--out", "a run that only checks has no rows"},
        {{"--out", "a.csv", "--check-only"}, "--out", "a run that only checks has no rows"},
        {{"--trace", "d", "--virtual", "2"}, "--trace", "a run that only checks has no timeline"},
        {{"--trace", "d", "--check-only"}, "--trace", "a run that only checks has no timeline"},
        {{"--out", "a.csv", "--force", "--resume"}, "--resume", "contradicts --force"},
        {{"--out"}, "--out", "needs a value"},
        {{"--virtual", "0"}, "--virtual", "expected a whole number from 1 to 64"},
        {{"--virtual", "65"}, "--virtual", "expected a whole number from 1 to 64"},
        {{"--seed", "-1"}, "--seed", "expected a whole number from 0 to 4611686018427387903"},
        {{"--budget", "x"}, "--budget", "expected a time"},
        {{"--budget", "3GB"}, "--budget", "expected a time"},
        {{"--machine", "a b"}, "--machine", "\"a b\": expected a name"},
        {{"--machine", ""}, "--machine", "expected a name"},
        {{"--only", "123456789012345678901234567890123456789012345678"},
         "--only",
         "expected a name"},
        {{"--cases", ""}, "--cases", "expected a name"},
        {{"--zzzz"}, "--zzzz", "unknown option (see ringcast-calib ring --help)"},
        {{"--seeds"}, "--seeds", "unknown option; did you mean --seed?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        rc_ring_options o;
        rc_error err = {0};
        rc_status st = parsed(&of[i], &o, &err);
        if (st != RC_E_USAGE || strcmp(err.file, of[i].file) != 0 ||
            (of[i].says && !strstr(err.msg, of[i].says)))
            fail_msg("%zu: %s: %s", i, err.file, err.msg);
    }
}

static void test_taken_options(void **state) {
    static const asked of[] = {
        {{"--out", "a.csv"}, NULL, NULL},
        {{"--virtual", "1", "--out", "a.csv", "--trace", "d"}, NULL, NULL},
        {{"--virtual", "64"}, NULL, NULL},
        {{"--check-only"}, NULL, NULL},
        {{"--out", "a.csv", "--trace", "a dir, with blanks"}, NULL, NULL},
        {{"--out", "a.csv", "--only", "12345678901234567890123456789012345678901234567"},
         NULL,
         NULL},
        {{"--help"}, NULL, NULL},
        {{"--out", "a.csv", "--seed", "0", "--resume"}, NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        rc_ring_options o;
        rc_error err = {0};
        if (parsed(&of[i], &o, &err) != RC_OK)
            fail_msg("%zu: %s: %s", i, err.file, err.msg);
        assert_int_equal(o.help, i == 6);
        assert_int_equal(o.check_only, i == 3);
        assert_int_equal(o.resume, i == 7);
        assert_false(o.force);
        assert_int_equal(o.virtual_ranks, i == 1 ? 1 : i == 2 ? 64 : 0);
        assert_true(o.seed == (i == 7 ? 0 : 1) && isinf(o.budget_s));
    }
}

/* ---- cases of a run that names none ---------------------------------------------------------- */

/* Name, tokens, cached ones, batch, heads, graph: shapes grow by ranks of CP so that each has whole chunks. */
static void built_in(int ranks, const char *const *want, size_t count) {
    rc_ring_case *c = NULL;
    size_t n = 0;
    assert_int_equal(rc_ring_cases_builtin(ranks, &c, &n, NULL), RC_OK);
    for (size_t i = 0; i < n && i < count; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "%s %lld %lld %lld %d/%d%s", c[i].name, (long long)c[i].t,
                       (long long)c[i].p, (long long)c[i].batch, c[i].hq, c[i].hkv,
                       c[i].graph ? " graph" : "");
        assert_string_equal(text, want[i]);
        assert_true(c[i].width == 4096 && c[i].ffn == 1792 && c[i].layers == 2 && c[i].sms == 0 &&
                    c[i].ctas == 0);
    }
    assert_int_equal(n, count);
    free(c);
}

static void test_built_in_cases(void **state) {
    static const char *const two[] = {
        "pass-kv-cp2-tp1-0 8192 0 1 16/1",         "pass-kv-cp2-tp1-1 1024 8192 1 8/1 graph",
        "pass-kv-cp2-tp1-2 4096 2048 1 8/2",       "pass-q-cp2-tp1-0 8192 0 1 16/1",
        "pass-q-cp2-tp1-1 1024 8192 1 8/1 graph",  "pass-q-cp2-tp1-2 4096 2048 1 8/2",
        "all-gather-kv-cp2-tp1-0 8192 0 1 16/1",   "all-gather-kv-cp2-tp1-1 1024 8192 1 8/1 graph",
        "all-gather-kv-cp2-tp1-2 4096 2048 1 8/2", "tp-cp1-tp2-0 4096 0 1 16/1",
        "tp-cp1-tp2-1 512 8192 1 8/1 graph",       "tp-cp1-tp2-2 2048 2048 1 8/2",
        "decode-pass-q-cp2-tp1-0 1 8192 64 16/1",  "decode-pass-q-cp2-tp1-1 1 4096 64 8/1 graph",
        "decode-pass-q-cp2-tp1-2 1 2048 64 8/2",   "decode-tp-cp1-tp2-0 1 8192 64 16/1",
        "decode-tp-cp1-tp2-1 1 4096 64 8/1 graph", "decode-tp-cp1-tp2-2 1 2048 64 8/2"};
    (void)state;
    built_in(2, two, sizeof two / sizeof two[0]);
    rc_ring_case *c = NULL;
    size_t n = 0;
    /* Six GPUs are cut for CP6, CP3 x TP2 and CP2 x TP3 by a ring, for TP6 by tensor parallel: (4 x 3 + 2) x 3 shapes. */
    assert_int_equal(rc_ring_cases_builtin(6, &c, &n, NULL), RC_OK);
    assert_int_equal(n, 42);
    assert_string_equal(c[0].name, "pass-kv-cp6-tp1-0");
    assert_string_equal(c[3].name, "pass-kv-cp3-tp2-0");
    assert_string_equal(c[6].name, "pass-kv-cp2-tp3-0");
    assert_true(c[4].t == 1536 && c[4].p == 8190); /* 8192 in thirds, rounded down */
    assert_string_equal(c[30].name, "decode-pass-q-cp6-tp1-0");
    assert_true(c[30].batch == 60 && c[30].p == 8190 && c[33].batch == 63);
    free(c);
    assert_int_equal(rc_ring_cases_builtin(1, &c, &n, NULL), RC_OK);
    assert_int_equal(n, 18); /* every schedule, of one rank */
    free(c);
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
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_builtin),
        cmocka_unit_test(test_lists_of_the_tree),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_ranges_of_columns),
        cmocka_unit_test(test_numbers_of_a_case),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_names_of_cases),
        cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_taken_options),
        cmocka_unit_test(test_built_in_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
