/* How predictions are judged, on runs made by hand; and what a results file may hold.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "sim/base/csv.h"
#include "sim/base/file.h"
#include "sim/validate/validate.h"

#define HEAD                                                                                       \
    "case,schedule,cp,tp,t,p,batch,hq,hkv,width,ffn,layers,launch,sms,transport,part,rank,p10_s,"  \
    "p50_s,p90_s,samples,check,machine,gpu,sm_mhz,power_w,temp_c,date,driver,cuda,nccl,kernel,"    \
    "commit\n"

static void add(rc_runs *r, const char *name, const char *schedule, const char *transport,
                int64_t t, double measured, double predicted, rc_run_set set) {
    char text[2048];
    rc_error err = {0};
    snprintf(text, sizeof text,
             HEAD
             "%s,%s,2,1,%lld,%lld,1,16,1,16384,6656,1,graph,0,%s,whole,-1,%.9g,%.9g,%.9g,7,0.003,"
             "h200-sxm,NVIDIA H200,,,,d,d,c,n,k,c\n",
             name, schedule, (long long)t, (long long)(65536 - t), transport, measured, measured,
             measured);
    assert_int_equal(rc_runs_parse(r, "runs.csv", text, strlen(text), &err), RC_OK);
    r->v[r->n - 1].time[RC_BY_SIMULATION] = predicted;
    r->v[r->n - 1].set = set;
}

static void test_errors(void **state) {
    (void)state;
    rc_runs r = {0};
    add(&r, "a", "tp", "nvlink", 64, 1.0, 1.02, RC_SET_UNSEEN);
    add(&r, "b", "tp", "nvlink", 64, 2.0, 1.92, RC_SET_UNSEEN);
    add(&r, "c", "tp", "shm", 64, 1.0, 1.06, RC_SET_UNSEEN);
    add(&r, "d", "tp", "shm", 64, 1.0, 2.0, RC_SET_SEEN);
    add(&r, "e", "tp", "shm", 64, 1.0, (double)NAN, RC_SET_UNSEEN);
    rc_accuracy a = rc_runs_accuracy(&r, RC_BY_SIMULATION, RC_SET_UNSEEN, NULL, NULL);
    assert_int_equal(a.n, 3);
    assert_true(fabs(a.median_pct - 4.0) < 1e-9);
    assert_true(fabs(a.p95_pct - 5.8) < 1e-9); /* 4 and 6, at 0.9 of the way */
    assert_true(fabs(a.mean_pct - 4.0 / 3.0) < 1e-9);
    assert_int_equal(rc_runs_accuracy(&r, RC_BY_SIMULATION, -1, "shm", NULL).n, 2);
    assert_int_equal(rc_runs_accuracy(&r, RC_BY_SIMULATION, -1, NULL, "prefill").n, 0);
    assert_int_equal(rc_runs_accuracy(&r, RC_BY_ROOFLINE, -1, NULL, NULL).n, 0);
    rc_error err = {0};
    rc_limits good = {4.1, 6.0}, median = {3.9, 6.0}, tail = {4.1, 5.7};
    assert_int_equal(rc_runs_check(&r, &good, &err), RC_OK);
    assert_int_equal(rc_runs_check(&r, &median, &err), RC_E_CHECK);
    assert_non_null(strstr(err.msg, "median error of the 3 unseen cases is 4.00 %"));
    assert_int_equal(rc_runs_check(&r, &tail, &err), RC_E_CHECK);
    rc_runs_free(&r);
}

static void test_winners(void **state) {
    (void)state;
    rc_runs r = {0};
    rc_error err = {0};
    rc_limits any = {100, 100};
    add(&r, "kv1", "pass-kv", "shm", 1024, 1.0, 1.0, RC_SET_UNSEEN); /* right: KV is faster */
    add(&r, "q1", "pass-q", "shm", 1024, 1.2, 1.1, RC_SET_UNSEEN);
    add(&r, "kv2", "pass-kv", "nvlink", 1024, 1.0, 1.0,
        RC_SET_UNSEEN);                                               /* other transport: no pair */
    add(&r, "kv3", "pass-kv", "shm", 4096, 1.00, 1.2, RC_SET_UNSEEN); /* a tie: not counted */
    add(&r, "q3", "pass-q", "shm", 4096, 1.02, 1.0, RC_SET_UNSEEN);
    rc_accuracy a = rc_runs_accuracy(&r, RC_BY_SIMULATION, -1, NULL, NULL);
    assert_true(a.winners_right == 1 && a.winners_total == 1);
    assert_int_equal(rc_runs_check(&r, &any, &err), RC_OK);
    add(&r, "kv4", "pass-kv", "shm", 512, 1.5, 1.0, RC_SET_UNSEEN); /* wrong */
    add(&r, "q4", "pass-q", "shm", 512, 1.0, 1.1, RC_SET_UNSEEN);
    a = rc_runs_accuracy(&r, RC_BY_SIMULATION, -1, NULL, NULL);
    assert_true(a.winners_right == 1 && a.winners_total == 2);
    assert_int_equal(rc_runs_check(&r, &any, &err), RC_E_CHECK);
    assert_non_null(strstr(err.msg, "1 of 2"));
    rc_runs_free(&r);
}

/* log(KV / Q) is a line in log T here: measured through 0 at T = 2048, predicted at 4096. */
static void test_crossover(void **state) {
    (void)state;
    rc_runs r = {0};
    rc_crossover c[4];
    static const int64_t t[] = {512, 8192, 1024};
    for (int i = 0; i < 3; i++) {
        char kv[16], q[16];
        snprintf(kv, sizeof kv, "kv%d", i);
        snprintf(q, sizeof q, "q%d", i);
        add(&r, kv, "pass-kv", "shm", t[i], sqrt(2048.0 / (double)t[i]),
            sqrt(4096.0 / (double)t[i]), RC_SET_SEEN);
        add(&r, q, "pass-q", "shm", t[i], 1.0, 1.0, RC_SET_SEEN);
    }
    assert_int_equal(rc_runs_crossovers(&r, c, 4), 1);
    assert_true(fabs(c[0].measured - 2048) < 1e-4); /* the file holds nine digits */
    assert_true(fabs(c[0].predicted - 4096) < 1e-4);
    assert_false(rc_crossover_right(&c[0]));
    /* Half of log T: where a ratio of medians is known to 1.4 %, T is known to 2.8 %. */
    assert_true(fabs(c[0].known - expm1(0.028)) < 1e-6);
    assert_true(rc_crossover_resolved(&c[0]) && !c[0].apart);
    c[0].known = 0.11;
    assert_false(rc_crossover_resolved(&c[0]));
    c[0].predicted = 2048 * 1.09;
    assert_true(rc_crossover_right(&c[0]));
    c[0].predicted = (double)NAN;
    assert_false(rc_crossover_right(&c[0]));
    c[0].measured = (double)NAN;
    assert_true(rc_crossover_right(&c[0]));
    assert_false(rc_crossover_resolved(&c[0]));
    for (int i = 0; i < 6;
         i += 2) /* pass-KV takes longer everywhere, or nearly as long somewhere */
        r.v[i].measured = 1.02;
    assert_int_equal(rc_runs_crossovers(&r, c, 4), 1);
    assert_true(!isfinite(c[0].measured) && c[0].apart && rc_crossover_resolved(&c[0]));
    r.v[2].measured = 1.01;
    assert_int_equal(rc_runs_crossovers(&r, c, 4), 1);
    assert_false(rc_crossover_resolved(&c[0]));
    /* Runs in which attention leaves SMs free are a series of their own. */
    r.v[0].sms = r.v[1].sms = r.v[2].sms = r.v[3].sms = 124;
    assert_int_equal(rc_runs_crossovers(&r, c, 4), 1);
    r.v[4].sms = r.v[5].sms = 124;
    assert_int_equal(rc_runs_crossovers(&r, c, 4), 1);
    rc_runs_free(&r);
}

/* The constant of a baseline is that of the seen runs, and unseen ones get it too. */
static void test_fit(void **state) {
    (void)state;
    rc_runs r = {0};
    rc_error err = {0};
    static const double roofline[] = {0.5, 0.4, 0.1, 0.2};
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "r%d", i);
        add(&r, name, "tp", "shm", 64, 1.0, 1.0, i < 3 ? RC_SET_SEEN : RC_SET_UNSEEN);
        r.v[i].time[RC_BY_ROOFLINE] = roofline[i];
    }
    assert_int_equal(rc_runs_fit_baselines(&r, &err), RC_OK);
    assert_true(fabs(r.scale[RC_BY_ROOFLINE] - 2.5) < 1e-12);
    assert_true(fabs(r.v[3].time[RC_BY_ROOFLINE] - 0.5) < 1e-12);
    assert_true(r.v[3].time[RC_BY_SIMULATION] == 1.0 && r.scale[RC_BY_ALPHA_BETA] == 0.0);
    for (int i = 0; i < 3; i++)
        r.v[i].set = RC_SET_UNSEEN; /* none is seen: that of all */
    assert_int_equal(rc_runs_fit_baselines(&r, &err), RC_OK);
    assert_true(fabs(r.scale[RC_BY_ROOFLINE] - 1.5) < 1e-12); /* of 1/1.25, 1, 1/0.25 and 1/0.5 */
    rc_runs_free(&r);
}

/* Runs of two folders are of two hosts: the same case may be in both, and neither is the other's
 * partner; the interval of a forecast holds a run or does not. */
static void test_hosts(void **state) {
    (void)state;
    rc_runs r = {.folders = 1, .folder = {"a", "b"}};
    add(&r, "kv", "pass-kv", "shm", 1024, 1.0, 1.0, RC_SET_SEEN);
    r.folders = 2;
    add(&r, "kv", "pass-kv", "shm", 1024, 1.5, 1.0, RC_SET_SEEN);
    add(&r, "q", "pass-q", "shm", 1024, 1.2, 0.9, RC_SET_SEEN);
    r.v[0].p5 = 0.9, r.v[0].p95 = 1.1;
    r.v[1].p5 = 0.9, r.v[1].p95 = 1.1;
    rc_accuracy a = rc_runs_accuracy(&r, RC_BY_SIMULATION, -1, NULL, NULL);
    assert_true(a.winners_total == 1 && a.winners_right == 1);
    assert_true(a.inside == 1 && a.drawn == 2);
    rc_error err = {0};
    const char *const stores[] = {"a.db", "b.db", "c.db"};
    const rc_predict_options three = {.stores = stores, .store_count = 3};
    assert_int_equal(rc_runs_predict(&r, &three, &err), RC_E_USAGE);
    rc_runs_free(&r);
}

static void refused(const char *rows, const char *word) {
    rc_runs r = {0};
    rc_error err = {0};
    char text[2048];
    snprintf(text, sizeof text, HEAD "%s", rows);
    assert_int_equal(rc_runs_parse(&r, "runs.csv", text, strlen(text), &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, word));
    assert_true(err.line > 0);
    rc_runs_free(&r);
}

#define ROW                                                                                        \
    "a,tp,1,1,64,0,1,16,1,16384,6656,1,graph,0,none,whole,-1,0.1,0.1,0.1,7,0,m,g,,,,d,d,c,,k,c\n"

static void test_files(void **state) {
    (void)state;
    refused(ROW ROW, "twice");
    refused("a,tp,1,1,64,0,1,16,1,16384,6656,1,grph,0,none,whole,-1,0.1,0.1,0.1,7,0,m,g,,,,d,d,c,,"
            "k,c\n",
            "eager or graph");
    refused("a,tp,0,1,64,0,1,16,1,16384,6656,1,graph,0,none,whole,-1,0.1,0.1,0.1,7,0,m,g,,,,d,d,c,,"
            "k,c\n",
            "0");
    refused(
        "a,tp,1,1,64,0,1,16,1,16384,6656,1,graph,0,none,whole,-1,0.1,0,0.1,7,0,m,g,,,,d,d,c,,k,c\n",
        "0");
    /* Rows of parts and of single ranks are not cases. */
    rc_runs r = {0};
    rc_error err = {0};
    const char *parts = HEAD
        "a,tp,1,1,64,0,1,16,1,16384,6656,1,graph,0,none,qkv,0,0.1,0.1,0.1,7,0,m,g,,,,d,d,c,,k,c\n"
        "a,tp,1,1,64,0,1,16,1,16384,6656,1,graph,0,none,whole,0,0.1,0.1,0.1,7,0,m,g,,,,d,d,c,,k,"
        "c\n";
    assert_int_equal(rc_runs_parse(&r, "runs.csv", parts, strlen(parts), &err), RC_OK);
    assert_int_equal(r.n, 0);
    rc_runs_free(&r);
}

/* What a ring demands of a case, and that pass-Q follows the pass-KV of its shape. */
static void check_cases(const char *path, int ranks, int least) {
    static const char *const names[] = {"case", "cp", "tp", "t", "p", "batch", "hq", "hkv", "ffn"};
    enum { CASE, CP, TP, T, P, BATCH, HQ, HKV, FFN, COLUMNS };
    rc_error err = {0};
    rc_csv *csv = NULL;
    size_t at[COLUMNS], rows;
    assert_int_equal(rc_csv_open(path, &csv, &err), RC_OK);
    for (int i = 0; i < COLUMNS; i++)
        assert_int_equal(rc_csv_column(csv, names[i], &at[i], &err), RC_OK);
    rows = rc_csv_rows(csv);
    assert_true(rows >= (size_t)least && rows <= (size_t)least + 1);
    for (size_t i = 0; i < rows; i++) {
        long v[COLUMNS] = {0};
        const char *name = rc_csv_text(csv, i, at[CASE]);
        for (int k = CP; k < COLUMNS; k++)
            v[k] = strtol(rc_csv_text(csv, i, at[k]), NULL, 10);
        assert_int_equal(v[CP] * v[TP], ranks);
        assert_true(v[P] % v[CP] == 0 && v[FFN] % 64 == 0 && v[HQ] % v[HKV] == 0);
        if (strstr(name, "-decode-"))
            assert_true(v[T] == 1 && v[P] > 0 && v[BATCH] % v[CP] == 0);
        else
            assert_true(v[BATCH] == 1 && (v[CP] == 1 || v[T] % (2 * v[CP]) == 0));
        if (strstr(name, "-decode-") || !strstr(name, "-pass-kv"))
            continue;
        assert_true(i + 1 < rows && strstr(rc_csv_text(csv, i + 1, at[CASE]), "-pass-q"));
        for (int k = CP; k < COLUMNS; k++)
            assert_string_equal(rc_csv_text(csv, i, at[k]), rc_csv_text(csv, i + 1, at[k]));
    }
    rc_csv_close(csv);
}

static void test_draw(void **state) {
    (void)state;
    char dir[] = "/tmp/rc_draw_XXXXXX", path[3][64];
    const int ranks[] = {1, 4}, three[] = {3};
    char *text[3] = {NULL, NULL, NULL};
    size_t size[3];
    rc_error err = {0};
    rc_draw d = {.cases = 60,
                 .ranks = ranks,
                 .count = 2,
                 .transport = "shm",
                 .longest = 40e-3,
                 .prefix = "d"};
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 3; i++) {
        snprintf(path[i], sizeof path[i], "%s/%d.csv", dir, i);
        d.seed = i < 2 ? 7 : 8;
        assert_int_equal(rc_draw_cases(&d, path[i], false, &err), RC_OK);
        assert_int_equal(rc_file_read(path[i], &text[i], &size[i], &err), RC_OK);
    }
    assert_true(size[0] == size[1] && memcmp(text[0], text[1], size[0]) == 0);
    assert_false(size[0] == size[2] && memcmp(text[0], text[2], size[0]) == 0);
    assert_int_equal(rc_draw_cases(&d, path[0], false, &err), RC_E_IO);
    for (d.count = 1; d.ranks <= &ranks[1]; d.ranks++) {
        assert_int_equal(rc_draw_cases(&d, path[0], true, &err), RC_OK);
        check_cases(path[0], *d.ranks, d.cases);
    }
    d.ranks = three;
    assert_int_equal(rc_draw_cases(&d, path[0], true, &err), RC_E_USAGE);
    d.ranks = ranks, d.transport = "pigeon";
    assert_int_equal(rc_draw_cases(&d, path[0], true, &err), RC_E_USAGE);
    d.transport = "shm", d.cases = 0;
    assert_int_equal(rc_draw_cases(&d, path[0], true, &err), RC_E_USAGE);
    d.cases = 20, d.prefix = "d-";
    assert_int_equal(rc_draw_cases(&d, path[0], true, &err), RC_E_USAGE);
    d.prefix = "d", d.longest = 1e-5;
    assert_int_equal(rc_draw_cases(&d, path[0], true, &err), RC_E_USAGE);
    for (int i = 0; i < 3; i++) {
        free(text[i]);
        (void)remove(path[i]);
    }
    (void)rmdir(dir);
}

/* Every committed run is in a list, was right before it was timed, and is predicted, twice alike,
 * with an interval, and nearer than by either baseline with its one constant. */
static void test_committed(void **state) {
    (void)state;
    const char *root = getenv("RC_SOURCE_DIR");
    char path[3][1024];
    static const char *const parts[] = {"results/validation", "scenarios/validation/seen.csv",
                                        "scenarios/validation/unseen.csv"};
    rc_runs r[2] = {{0}, {0}};
    rc_error err = {0};
    assert_non_null(root);
    for (int i = 0; i < 3; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", root, parts[i]);
    const char *const seen[] = {path[1]}, *const unseen[] = {path[2]};
    for (int k = 0; k < 2; k++) {
        assert_int_equal(rc_runs_read(&r[k], path[0], &err), RC_OK);
        assert_int_equal(rc_runs_assign(&r[k], seen, 1, unseen, 1, &err), RC_OK);
        assert_int_equal(rc_runs_predict(&r[k], &(rc_predict_options){.draws = 20}, &err), RC_OK);
    }
    assert_true(r[0].n >= 40 && r[0].n == r[1].n);
    for (size_t i = 0; i < r[0].n; i++)
        assert_memory_equal(r[0].v[i].time, r[1].v[i].time, sizeof r[0].v[i].time);
    assert_int_equal(rc_runs_fit_baselines(&r[0], &err), RC_OK);
    for (int set = 0; set < RC_SET_COUNT; set++) {
        rc_accuracy a = rc_runs_accuracy(&r[0], RC_BY_SIMULATION, set, NULL, NULL);
        assert_true(a.n > 0 && a.median_pct < 10.0);
        assert_true((size_t)a.drawn == a.n && a.inside >= 0);
        for (int m = RC_BY_ROOFLINE; m < RC_METHODS; m++)
            assert_true(rc_runs_accuracy(&r[0], (rc_method)m, set, NULL, NULL).median_pct >
                        a.median_pct);
    }
    /* A run that no list names is refused by name. */
    assert_int_equal(rc_runs_assign(&r[0], seen, 1, NULL, 0, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "neither"));
    rc_runs_free(&r[0]);
    rc_runs_free(&r[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_winners),
        cmocka_unit_test(test_crossover), cmocka_unit_test(test_files),
        cmocka_unit_test(test_fit),       cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_draw),      cmocka_unit_test(test_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
