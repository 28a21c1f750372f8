/* Files of measured runs: each column in its place, every bound of it, what makes two rows one case, which files of a folder are
 * read, and which lists name a case.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sim/validate/validate.h"

static const char *const names[] = {
    "case",   "schedule", "cp",     "tp",      "t",     "p",       "batch",     "hq",     "hkv",
    "width",  "ffn",      "layers", "launch",  "sms",   "ctas",    "transport", "part",   "rank",
    "p10_s",  "p50_s",    "p90_s",  "samples", "check", "machine", "gpu",       "sm_mhz", "power_w",
    "temp_c", "date",     "driver", "cuda",    "nccl",  "kernel",  "commit"};
enum { COLUMNS = sizeof names / sizeof names[0] };
static const char *const usual[COLUMNS] = {
    "a",    "pass-kv", "2",     "3",        "4096",        "512",  "5",     "16", "4",   "16384",
    "6656", "7",       "eager", "124",      "8",           "shm",  "whole", "-1", "0.1", "0.2",
    "0.4",  "9",       "0.003", "h200-sxm", "NVIDIA H200", "1980", "",      "",   "d",   "d",
    "c",    "n",       "k",     "c"};

static rc_error err;

/* A row with other values in some columns: pairs of a column's name and its value, then NULL. */
static void put_row(FILE *f, const char *const *other) {
    for (size_t i = 0; i < COLUMNS; i++) {
        const char *value = usual[i];
        for (size_t k = 0; other && other[k]; k += 2)
            value = strcmp(other[k], names[i]) == 0 ? other[k + 1] : value;
        (void)fprintf(f, "%s%s", i > 0 ? "," : "", value);
    }
    (void)fputc('\n', f);
}

static char text[65536];
static FILE *begin(void) {
    FILE *f = fmemopen(text, sizeof text, "w");
    assert_non_null(f);
    for (size_t i = 0; i < COLUMNS; i++)
        (void)fprintf(f, "%s%s", i > 0 ? "," : "", names[i]);
    (void)fputc('\n', f);
    return f;
}

static rc_status parse(rc_runs *r, FILE *f) {
    (void)fclose(f);
    return rc_runs_parse(r, "runs.csv", text, strlen(text), &err);
}

#define WITH(...)                                                                                  \
    (const char *const[]) {                                                                        \
        __VA_ARGS__, NULL                                                                          \
    }

static rc_status one(rc_runs *r, const char *const *other) {
    FILE *f = begin();
    put_row(f, other);
    return parse(r, f);
}

static void test_columns(void **state) {
    (void)state;
    rc_runs r = {0};
    assert_int_equal(one(&r, NULL), RC_OK);
    assert_int_equal(r.n, 1);
    const rc_measured_run *x = &r.v[0];
    assert_string_equal(x->name, "a");
    assert_string_equal(x->transport, "shm");
    assert_string_equal(x->machine, "h200-sxm");
    assert_ptr_equal(x->schedule, &rc_schedule_pass_kv);
    assert_true(!x->decode && !x->graph);
    const int64_t got[] = {x->cp,  x->tp,    x->t,   x->p,      x->batch, x->hq,
                           x->hkv, x->width, x->ffn, x->layers, x->sms,   x->ctas};
    const int64_t want[] = {2, 3, 4096, 512, 5, 16, 4, 16384, 6656, 7, 124, 8};
    assert_memory_equal(got, want, sizeof want);
    assert_true(x->p10 == 0.1 && x->measured == 0.2 && x->p90 == 0.4 && x->sm_mhz == 1980.0);
    assert_true(isnan(x->p5) && isnan(x->p95) && isnan(x->forecast_mhz));
    for (int m = 0; m < RC_METHODS; m++)
        assert_true(isnan(x->time[m]));
    rc_runs_free(&r);
    assert_int_equal(one(&r, WITH("schedule", "decode-pass-q", "launch", "graph", "sm_mhz", "")),
                     RC_OK);
    assert_ptr_equal(r.v[0].schedule, &rc_schedule_pass_q);
    assert_true(r.v[0].decode && r.v[0].graph && isnan(r.v[0].sm_mhz));
    rc_runs_free(&r);
}

/* At the bound, and one beyond it. */
static void test_bounds(void **state) {
    (void)state;
    static const struct {
        const char *column, *within, *beyond;
    } bounds[] = {
        {"cp", "1024", "1025"},
        {"cp", "1", "0"},
        {"tp", "1024", "1025"},
        {"tp", "1", "0"},
        {"t", "1", "0"},
        {"t", "1099511627776", "1099511627777"},
        {"p", "0", "-1"},
        {"p", "1099511627776", "1099511627777"},
        {"batch", "1", "0"},
        {"batch", "1099511627776", "1099511627777"},
        {"hq", "1", "0"},
        {"hq", "1024", "1025"},
        {"hkv", "1", "0"},
        {"hkv", "1024", "1025"},
        {"width", "1", "0"},
        {"width", "1099511627776", "1099511627777"},
        {"ffn", "1", "0"},
        {"ffn", "1099511627776", "1099511627777"},
        {"layers", "1", "0"},
        {"layers", "1000", "1001"},
        {"sms", "0", "-1"},
        {"sms", "1024", "1025"},
        {"ctas", "0", "-1"},
        {"ctas", "1024", "4294967296"},
        {"p10_s", "1e-9", "0.9e-9"},
        {"p10_s", "1e5", "100001"},
        {"p50_s", "1e-9", "0.9e-9"},
        {"p50_s", "1e5", "100001"},
        {"p90_s", "1e-9", "0.9e-9"},
        {"p90_s", "1e5", "100001"},
        {"sm_mhz", "1", "0.9"},
        {"sm_mhz", "1e5", "100001"},
        {"launch", "graph", "Graph"},
        {"launch", "eager", ""},
        {"schedule", "usp", "decode"},
        {"transport", "x", ""},
        {"case", "b", ""},
        {"machine", "m", ""},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        rc_runs r = {0};
        if (one(&r, WITH(bounds[i].column, bounds[i].within)) != RC_OK)
            fail_msg("%s = %s: %s", bounds[i].column, bounds[i].within, err.msg);
        rc_runs_free(&r);
        if (one(&r, WITH(bounds[i].column, bounds[i].beyond)) != RC_E_INPUT)
            fail_msg("%s = %s is read", bounds[i].column, bounds[i].beyond);
        assert_int_equal(err.line, 2);
        rc_runs_free(&r);
    }
}

/* Names fill their room to the last byte, and not further. */
static void test_lengths(void **state) {
    (void)state;
    static const struct {
        const char *column;
        size_t most;
    } texts[] = {{"case", 63}, {"transport", 23}, {"machine", 47}};
    char name[80];
    for (size_t i = 0; i < 3; i++)
        for (size_t n = texts[i].most; n <= texts[i].most + 1; n++) {
            rc_runs r = {0};
            (void)snprintf(name, sizeof name, "%0*d", (int)n, 7);
            assert_int_equal(one(&r, WITH(texts[i].column, name)),
                             n == texts[i].most ? RC_OK : RC_E_INPUT);
            if (n == texts[i].most) {
                const rc_measured_run *x = &r.v[0];
                assert_string_equal(i == 0 ? x->name : i == 1 ? x->transport : x->machine, name);
            }
            rc_runs_free(&r);
        }
}

/* One case over two transports, or on two machines, is two runs; a part belongs to the run of its case, transport and machine,
 * whatever was read before it, and to none where there is no whole. */
static void test_whose_part(void **state) {
    (void)state;
    static const char *const whose[][3] = {{"a", "shm", "h200-sxm"},
                                           {"a", "nvlink", "h200-sxm"},
                                           {"a", "shm", "h100-sxm"},
                                           {"b", "shm", "h200-sxm"}};
    rc_runs r = {0};
    FILE *f = begin();
    for (size_t i = 0; i < 4; i++)
        put_row(f, WITH("case", whose[i][0], "transport", whose[i][1], "machine", whose[i][2]));
    for (size_t k = 0; k < 4; k++) {
        static const char *const seconds[] = {"0.5", "0.25", "0.125", "2"};
        const size_t i = (3 * k + 2) % 4;
        put_row(f, WITH("case", whose[i][0], "transport", whose[i][1], "machine", whose[i][2],
                        "part", "norm", "rank", "0", "p50_s", seconds[i]));
        put_row(f, WITH("case", whose[i][0], "transport", whose[i][1], "machine", whose[i][2],
                        "part", "send-recv-alone-1", "rank", "1", "p50_s", seconds[i]));
    }
    put_row(f, WITH("case", "cut", "part", "norm", "rank", "0"));
    put_row(f, WITH("part", "whole", "rank", "0", "p50_s", "9")); /* a rank's own time is no case */
    assert_int_equal(parse(&r, f), RC_OK);
    assert_int_equal(r.n, 4);
    for (size_t i = 0; i < 4; i++) {
        static const double seconds[] = {0.5, 0.25, 0.125, 2.0};
        rc_over_ranks *o = NULL;
        assert_true(rc_run_part_find(&r.v[i].parts[0], "norm", &o));
        assert_true(o->n == 1 && o->sum == seconds[i]);
        assert_true(rc_run_part_find(&r.v[i].parts[0], "send-recv-alone-1", &o));
        assert_true(o->n == 1 && o->sum == seconds[i]);
    }
    rc_runs_free(&r);
    f = begin();
    put_row(f, NULL);
    put_row(f, WITH("part", "sleep", "rank", "0"));
    assert_int_equal(parse(&r, f), RC_E_INPUT);
    assert_string_equal(err.msg, "column 'part': \"sleep\" is no part");
    rc_runs_free(&r);
    f = begin();
    put_row(f, NULL);
    put_row(f, WITH("cp", "4")); /* whatever else differs */
    assert_int_equal(parse(&r, f), RC_E_INPUT);
    assert_string_equal(err.msg, "column 'case': case \"a\" over shm on h200-sxm is there twice");
    assert_int_equal(err.line, 3);
    rc_runs_free(&r);
}

/* ---- folders and lists ------------------------------------------------------------------- */

static char root[] = "/tmp/rc_runs_XXXXXX";

static void save(const char *name, const char *what) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    (void)fputs(what, f);
    assert_int_equal(fclose(f), 0);
}

static void drop(const char *name) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    assert_int_equal(remove(path), 0);
}

static void save_run(const char *file, const char *name) {
    FILE *f = begin();
    put_row(f, WITH("case", name));
    (void)fclose(f);
    save(file, text);
}

/* Files that end in .csv, in the order of their names; of two folders the same case may be in both. */
static void test_folder(void **state) {
    (void)state;
    rc_runs r = {0};
    char path[128];
    assert_non_null(mkdtemp(root));
    assert_int_equal(rc_runs_read(&r, root, &err), RC_E_INPUT);
    assert_string_equal(err.msg, "holds no run of a whole pass");
    rc_runs_free(&r);
    save_run("2.csv", "second");
    save_run("1.csv", "first");
    save_run(".csv", "no name");
    save_run("3.csv.bak", "no csv");
    save_run("csv", "no point");
    assert_int_equal(rc_runs_read(&r, root, &err), RC_OK);
    (void)snprintf(path, sizeof path, "%s/", root);
    assert_int_equal(rc_runs_read(&r, path, &err), RC_OK);
    assert_int_equal(r.n, 4);
    assert_int_equal(r.folders, 2);
    assert_string_equal(r.folder[0], strrchr(root, '/') + 1);
    assert_string_equal(r.folder[1] + strlen(r.folder[1]) - 1,
                        "/"); /* nothing behind the last one */
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(r.v[i].name, i % 2 ? "second" : "first");
        assert_int_equal(r.v[i].folder, (int)i / 2);
    }
    while (r.folders < RC_RUN_FOLDERS)
        assert_int_equal(rc_runs_read(&r, root, &err), RC_OK);
    assert_int_equal(rc_runs_read(&r, root, &err), RC_E_USAGE);
    rc_runs_free(&r);
    (void)snprintf(path, sizeof path, "%s/nowhere", root);
    assert_int_equal(rc_runs_read(&r, path, &err), RC_E_IO);
    rc_runs_free(&r);
    save("3.csv", "case,schedule\n"); /* the first that is wrong ends it */
    assert_int_equal(rc_runs_read(&r, root, &err), RC_E_INPUT);
    rc_runs_free(&r);
    static const char *const all[] = {"1.csv", "2.csv", "3.csv", ".csv", "3.csv.bak", "csv"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        drop(all[i]);
}

static void assigned(const char *seen, const char *unseen, const char *message) {
    char path[2][128];
    const char *lists[2] = {path[0], path[1]};
    rc_runs r = {0};
    FILE *f = begin();
    put_row(f, NULL);
    put_row(f, WITH("case", "b"));
    assert_int_equal(parse(&r, f), RC_OK);
    save("seen", seen);
    save("unseen", unseen);
    for (int i = 0; i < 2; i++)
        (void)snprintf(path[i], sizeof path[i], "%s/%s", root, i ? "unseen" : "seen");
    rc_status st = rc_runs_assign(&r, &lists[0], 1, &lists[1], 1, &err);
    assert_int_equal(st, message ? RC_E_INPUT : RC_OK);
    if (message)
        assert_string_equal(err.msg, message);
    else
        assert_true(r.v[0].set == RC_SET_SEEN && r.v[1].set == RC_SET_UNSEEN);
    rc_runs_free(&r);
}

static void test_lists(void **state) {
    (void)state;
    assigned("case\na\nc\n", "x,case\n1,b\n", NULL);
    assigned("case\na\nb\n", "case\nb\n", "case \"b\" is in both of the lists of cases");
    assigned("case\n", "case\nb\n", "case \"a\" is in neither of the lists of cases");
    drop("seen");
    drop("unseen");
    assert_int_equal(rmdir(root), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_whose_part),
        cmocka_unit_test(test_folder),  cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
