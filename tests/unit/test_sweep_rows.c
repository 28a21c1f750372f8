/* Each column of a sweep's rows beside the pass that it tells of, the runs of points that workers get, and what a
 * picture is drawn from.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/sweep/database.h"
#include "sim/sweep/dispatch.h"
#include "tests/support/printed.h"

#define HEAD                                                                                       \
    "scenario: s\nmodel: llama-3.1-405b\nmachine: h200-sxm\nphase: prefill\n"                      \
    "dtypes: {ffn_weights: fp8}\n"

static rc_sweep *sweep_of(const char *text) {
    rc_doc *doc = NULL;
    rc_sweep *s = NULL;
    rc_error err = {0};
    assert_int_equal(rc_doc_parse("s.yaml", text, strlen(text), &doc, NULL), RC_OK);
    if (rc_sweep_read(doc, NULL, 0, NULL, &s, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_doc_close(doc);
    return s;
}

/* ---- columns ----------------------------------------------------------------------------------- */

static sqlite3 *db;
static sqlite3_stmt *row;

static int column(const char *name) {
    int at = 0;
    while (at < sqlite3_column_count(row) && strcmp(sqlite3_column_name(row, at), name) != 0)
        at++;
    if (at == sqlite3_column_count(row))
        fail_msg("no column %s", name);
    return at;
}

static void real_is(const char *name, double expected) {
    const int at = column(name);
    const double v = sqlite3_column_double(row, at);
    if (sqlite3_column_type(row, at) == SQLITE_NULL ||
        !(fabs(v - expected) <= 1e-12 * fabs(expected)))
        fail_msg("%s is %.12g, expected %.12g", name, v, expected);
}

static void text_is(const char *name, const char *expected) {
    assert_string_equal((const char *)sqlite3_column_text(row, column(name)), expected);
}

static void missing(const char *name) {
    assert_int_equal(sqlite3_column_type(row, column(name)), SQLITE_NULL);
}

static void values_of(const rc_sweep_worker *w, const rc_sweep_row *r, int64_t cached) {
    rc_spec spec = rc_sweep_pass(w);
    rc_forward f = {0};
    assert_int_equal(rc_forward_run(&spec, &f, NULL), RC_OK);
    const rc_machine *m = rc_costs_machine(spec.costs);
    text_is("model", "llama-3.1-405b"), text_is("machine", "h200-sxm");
    text_is("variant", "pass-q"), text_is("phase", "prefill");
    text_is("attention_weights", "bf16"), text_is("ffn_weights", "fp8");
    text_is("activations", "bf16"), text_is("kv", "bf16");
    text_is("host", "eager"), text_is("ring", "overlapped"), text_is("status", "ok");
    missing("why");
    real_is("gpus", 16), real_is("nodes", 2), real_is("tp", 8), real_is("cp", 2);
    real_is("batch", 3), real_is("new", 4000), real_is("cached", (double)cached);
    real_is("nic_rate", m->nic_rate), real_is("peer_rate", m->peer_rate);
    real_is("hop_latency", 2e-5);
    real_is("ticks", (double)f.ticks), real_is("time_s", f.time);
    real_is("tokens_per_gpu_s", 3 * 4000 / 16.0 / f.time);
    real_is("flop_rate", f.mfu * m->bf16_rate), real_is("mfu", f.mfu);
    real_is("memory_weights", f.memory.weights), real_is("memory_kv", f.memory.kv);
    real_is("memory_activations", f.memory.activations);
    real_is("memory_buffers", f.memory.buffers), real_is("memory_total", f.memory.total);
    real_is("p5_s", f.p5), real_is("p95_s", f.p95);
    real_is("exposed_comm_s", f.exposed_comm), real_is("hidden_comm_s", f.hidden_comm);
    static const char *const bases[] = {"measured",     "transferred", "published",
                                        "extrapolated", "modelled",    "stated"};
    for (int i = 0; i < RC_BASIS_COUNT; i++)
        real_is(bases[i], f.basis[i]);
    for (int i = 0; i < RC_P_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "critical_%s_s", rc_part_name((rc_part)i));
        real_is(name, f.critical[i]);
    }
    assert_true(f.p5 < f.time && f.p95 > f.p5 && r->ticks == f.ticks);
}

static void refused_of(void) {
    static const char *const unknown[] = {"ticks",         "time_s",           "mfu",
                                          "flop_rate",     "tokens_per_gpu_s", "p5_s",
                                          "hidden_comm_s", "measured",         "critical_norm_s"};
    text_is("status", "nofit");
    assert_true(sqlite3_column_count(row) > 38);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        missing(unknown[i]);
    assert_true(sqlite3_column_double(row, column("memory_total")) > 141e9);
    assert_true(strlen((const char *)sqlite3_column_text(row, column("why"))) > 10);
}

static void test_columns(void **state) {
    (void)state;
    char path[] = "/tmp/ringcast-sweep-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    rc_sweep *s = sweep_of(
        HEAD "parallel: {tp: 8, cp: 2, variant: pass-q}\nbatch: 3\nmachine_set: {hop_latency: "
             "[20us]}\nsweep: {detail: full, draws: 20}\n"
             "tokens: {new: 4K, cached: [0, 8000, 20M]}\n");
    const rc_sweep_options opt = {.out = path, .quiet = true, .threads = 1};
    rc_sweep_report report;
    rc_sweep_worker *w = NULL;
    rc_sweep_row r;
    assert_int_equal(rc_sweep_run(s, &(rc_ranks){.size = 1}, &opt, &report, NULL), RC_OK);
    assert_true(report.points == 3 && report.ok == 2 && report.nofit == 1 && report.refused == 0);
    assert_int_equal(rc_sweep_worker_create(s, &w, NULL), RC_OK);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM point ORDER BY point", -1, &row, NULL),
                     SQLITE_OK);
    double sum = 0.0, measured = 0.0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sqlite3_step(row), SQLITE_ROW);
        assert_int_equal(rc_sweep_eval(w, i, &r, NULL), RC_OK);
        real_is("point", i);
        if (i < 2)
            values_of(w, &r, i * 8000);
        else
            refused_of();
        sum += r.time, measured += r.time * r.rests[RC_MEASURED];
    }
    assert_true(fabs(report.rests[RC_MEASURED] - measured / sum) < 1e-9);
    assert_int_equal(sqlite3_step(row), SQLITE_DONE);
    sqlite3_finalize(row);
    sqlite3_close(db);
    rc_sweep_worker_free(w);
    rc_sweep_free(s);
    unlink(path);
}

/* The rows of a sweep, one after the other; NULL at the end. */
static char rows_path[] = "/tmp/ringcast-rows-XXXXXX";
static void run_rows(const char *text, const char *order) {
    char query[128];
    const int fd = mkstemp(strcpy(rows_path, "/tmp/ringcast-rows-XXXXXX"));
    assert_true(fd >= 0);
    close(fd);
    rc_sweep *s = sweep_of(text);
    const rc_sweep_options opt = {.out = rows_path, .quiet = true, .threads = 1};
    rc_sweep_report report;
    rc_error err = {0};
    if (rc_sweep_run(s, &(rc_ranks){.size = 1}, &opt, &report, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_sweep_free(s);
    assert_int_equal(sqlite3_open_v2(rows_path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    snprintf(query, sizeof query, "SELECT * FROM point ORDER BY %s", order);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &row, NULL), SQLITE_OK);
}

static void next_row(void) {
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
}

static void end_rows(void) {
    assert_int_equal(sqlite3_step(row), SQLITE_DONE);
    sqlite3_finalize(row);
    sqlite3_close(db);
    unlink(rows_path);
}

/* GPUs of all stages: tokens of both sequences over so many of them and the time. */
static void test_stages(void **state) {
    (void)state;
    run_rows(
        HEAD
        "parallel: {tp: 8, cp: 2, pp: [1, 3], variant: pass-kv}\nbatch: 2\ntokens: {new: 6000}\n",
        "pp");
    for (int pp = 1; pp <= 3; pp += 2) {
        next_row();
        real_is("pp", pp), real_is("gpus", 16 * pp), real_is("nodes", 2 * pp);
        real_is("tokens_per_gpu_s",
                12000.0 / (16 * pp) / sqlite3_column_double(row, column("time_s")));
    }
    end_rows();
}

/* What no fixed column shows has one of its own, named by the last part of its key. */
static void test_own_columns(void **state) {
    (void)state;
    run_rows(
        HEAD
        "parallel: {tp: 8, cp: [4], ulysses: [2], ep: [1], dcp: [1], dp_attention: [1], variant: "
        "usp}\n"
        "tokens: {new: [4096]}\nchunk: [2048]\nmachine_set: {nic_rate: [50GB/s], hbm_rate: "
        "[4TB/s]}\n"
        "what_if: {slow_rank: [1], slow_speed: [0.5], slow_link_rank: [3], slow_link: [0.25]}\n",
        "point");
    next_row();
    text_is("status", "ok"), text_is("variant", "usp");
    real_is("ulysses", 2), real_is("ep", 1), real_is("dcp", 1), real_is("dp_attention", 1),
        real_is("chunk", 2048);
    real_is("slow_rank", 1), real_is("slow_speed", 0.5), real_is("slow_link_rank", 3),
        real_is("slow_link", 0.25);
    real_is("hbm_rate", 4e12), real_is("nic_rate", 50e9);
    const int all = 38 + 9 + 1; /* nic_rate is among the fixed ones */
    assert_int_equal(sqlite3_column_count(row), all);
    end_rows();
    run_rows("scenario: s\nmodel: llama-3.1-405b\nmachine: h100-sxm\nphase: prefill\nring: "
             "serial\nhost: graph\n"
             "parallel: {tp: 8, cp: 2, variant: pass-kv}\ntokens: {new: 4096}\n"
             "dtypes: {attention_weights: fp8, ffn_weights: fp8, kv: fp8, activations: bf16}\n"
             "what_if: {overlap_compute: [0.75], overlap_comm: [0.5]}\n",
             "point");
    next_row();
    real_is("overlap_compute", 0.75), real_is("overlap_comm", 0.5);
    text_is("ring", "serial"), text_is("host", "graph"), text_is("attention_weights", "fp8"),
        text_is("kv", "fp8");
    end_rows();
}

/* A point that cannot be is there with its reason; of it nothing is known, not even its memory. */
static void test_refused(void **state) {
    (void)state;
    run_rows(HEAD "parallel: {tp: [8, 7], cp: 1, variant: tp}\ntokens: {new: 4096}\n", "tp");
    next_row();
    text_is("status", "refused"), real_is("tp", 7);
    assert_non_null(strstr((const char *)sqlite3_column_text(row, column("why")), "7"));
    static const char *const unknown[] = {"ticks",          "time_s",       "mfu",
                                          "memory_weights", "memory_kv",    "memory_activations",
                                          "memory_buffers", "memory_total", "measured",
                                          "stated"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        missing(unknown[i]);
    next_row();
    text_is("status", "ok"), missing("why");
    end_rows();
}

/* In a decode step the new token of each sequence counts. */
static void test_decode(void **state) {
    (void)state;
    run_rows("scenario: s\nmodel: llama-3.1-8b\nmachine: h200-sxm\nphase: decode\n"
             "parallel: {tp: 1, variant: tp}\nbatch: [7]\ntokens: {cached: 1000}\n",
             "point");
    next_row();
    text_is("phase", "decode"), text_is("host", "graph"), text_is("ring", "serial"),
        text_is("variant", "tp");
    real_is("batch", 7), real_is("new", 1), real_is("cached", 1000), real_is("nodes", 0.125);
    real_is("tokens_per_gpu_s", 7.0 / sqlite3_column_double(row, column("time_s")));
    end_rows();
}

/* ---- runs of points ------------------------------------------------------------------------------ */

static void run_is(sweep_points *p, int workers, int64_t first, int64_t count) {
    int64_t from = -1;
    assert_int_equal(sweep_points_next(p, workers, &from), count);
    if (count > 0)
        assert_int_equal(from, first);
}

/* A run is 50 ms of work, and one point more; at most 256 points, and a point more than a quarter of a worker's share. */
static void test_runs(void **state) {
    (void)state;
    unsigned char taken[1000 / 8 + 1] = {0};
    sweep_points p = {.taken = taken, .count = 1000, .left = 1000};
    run_is(&p, 1, 0, 6); /* 10 ms a point, as long as none was timed */
    sweep_points_took(&p, 6, 0.6);
    run_is(&p, 1, 6, 1); /* 100 ms */
    sweep_points_took(&p, 4, 0.02);
    run_is(&p, 1, 7, 11); /* 5 ms */
    sweep_points_took(&p, 0, 3.0);
    sweep_points_took(&p, 3, 0.0);
    assert_true(p.per_point == 0.005); /* neither tells anything */
    sweep_points_took(&p, 1000, 1e-3);
    run_is(&p, 1, 18, 982 / 4 + 1); /* of what is left */
    run_is(&p, 2, 264, 736 / 8 + 1);
    taken[45] = 0x18; /* 363 and 364 were stored */
    p.left -= 2;
    run_is(&p, 1, 357, 6);
    run_is(&p, 1, 365, 635 / 4 + 1);
    for (int64_t n = 1, from; n > 0;)
        n = sweep_points_next(&p, 1, &from);
    assert_true(p.left == 0 && p.next == 1000);
    p = (sweep_points){.taken = taken, .count = 1000, .left = 100000, .per_point = 1e-6};
    run_is(&p, 1, 0, 256);
    p = (sweep_points){.taken = taken, .count = 1000, .left = 100000, .per_point = 0.05 / 256.0};
    run_is(&p, 1, 0, 256); /* just as many fit, and one more would be too many */
    p = (sweep_points){.taken = taken, .count = 1000, .left = 100000, .per_point = 0.05 / 254.5};
    run_is(&p, 1, 0, 255);
}

/* ---- picture --------------------------------------------------------------------------------------- */

static void make_rows(const char *path) {
    sqlite3 *to = NULL;
    assert_int_equal(sqlite3_open(path, &to), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(to,
                     "CREATE TABLE point (point INTEGER, status TEXT, gpus INTEGER, time_s REAL, "
                     "machine TEXT, new "
                     "INTEGER);INSERT INTO point VALUES (0, 'ok', 8, 4, 'h200', 1000), (1, 'ok', "
                     "8, 5, 'h200', 1000),"
                     "(2, 'ok', 16, 2.5, 'h200', 1000), (3, 'ok', 8, 3, 'b200', 1000),"
                     "(4, 'nofit', 16, 1, 'b200', 1000), (5, 'ok', 8, 8, 'b200', 64000),"
                     "(6, 'ok', 16, 6.5, 'b200', 64000)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(to);
}

static void draws(const char *plot, const char *data, const char *const *parts) {
    drawings d;
    bool drawn = false;
    char path[128], text[1024];
    rc_error err = {0};
    snprintf(text, sizeof text,
             HEAD
             "parallel: {tp: 8, cp: 2, variant: pass-q}\ntokens: {new: [1K, 2K]}\nplot: {%s}\n",
             plot);
    rc_sweep *s = sweep_of(text);
    drawings_begin(&d);
    snprintf(path, sizeof path, "%s/rows.db", d.dir);
    make_rows(path);
    if (rc_sweep_plot(s, path, d.dir, false, &drawn, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_true(drawn);
    char *dat = drawing(&d, "s", "dat"), *body = drawing(&d, "s", "body");
    assert_string_equal(dat, data);
    for (; *parts; parts++)
        assert_holds(body, *parts);
    free(dat);
    free(body);
    drawings_end(&d);
    rc_sweep_free(s);
}
#define DRAWS(plot, data, ...) draws(plot, data, (const char *const[]){__VA_ARGS__, NULL})

#define OF_B200 "8 8\n16 6.5\n\n\n"
/* The least time of each place counts, and what did not fit is not drawn. Ranges are 8 to 16 and 2.5 to 8, a little
 * wider; heights are shares of one row of panels, 480 high. */
static void test_panels(void **state) {
    (void)state;
    DRAWS("x: gpus, y: time_s, series: machine, panel: new, title: T",
          "8 4\n16 2.5\n\n\n8 3\n\n\n" OF_B200,
          "set logscale x\nset xrange [7.40741:17.28]\nset xtics ('10' 10)\nset xtics ('8' 8, '16' "
          "16)\n",
          "set logscale y\nset yrange [2.17391:9.2]\nset ytics ('5' 5)\n",
          "set xlabel \"gpus\"\nset ylabel \"time\\134\\137s\"\nset key left top\n",
          "set label 1 \"T\" at screen 0.5, screen 0.9479 center font ',18'\n"
          "set key at screen 0.862, screen 0.8229 left top samplen 2.5\n",
          "set multiplot layout 1,2 margins 0.065,0.85,0.1667,0.8229 spacing 0.065,0.2604\nset "
          "title \"1000\"\n",
          "plot NaN with linespoints lt 1 dt 1 pt 7 ps 0.9 title \"h200\", NaN with linespoints lt "
          "2 dt 2 pt 5 ps 0.9 "
          "title \"b200\", 's.dat' index 0 using 1:2 with linespoints lt 1 dt 1 pt 7 ps 0.9 "
          "notitle, 's.dat' index 1 "
          "using 1:2 with linespoints lt 2 dt 2 pt 5 ps 0.9 notitle\nunset label\nset key off\n",
          "set title \"64000\"\nplot 's.dat' index 2 using 1:2 with linespoints lt 2 dt 2 pt 5 ps "
          "0.9 notitle\nunset "
          "label\nset key off\nunset multiplot\n");
}

static void test_alone(void **state) {
    (void)state;
    DRAWS("x: gpus, y: time_s, best: most, log: none, key: right bottom, xlabel: X, ylabel: Y, "
          "where: new < 2000",
          "8 5\n16 2.5\n\n\n",
          "set format x '%.0s%c'\nset xtics ('8' 8, '16' 16)\nset format y '%g'\nset yrange "
          "[0:5.25]\nset xlabel "
          "\"X\"\nset ylabel \"Y\"\nset key right bottom\nset title \"s\"\n",
          "plot 's.dat' index 0 using 1:2 with linespoints lt 1 dt 1 pt 7 ps 0.9 notitle\n");
    DRAWS("x: gpus, y: 0 - time_s, panel: machine, series: new, log: x, where: new > 2000",
          "8 -8\n16 -6.5\n\n\n", "set logscale x\n", "set yrange [-8.4:1]\n",
          "set title \"s: b200\"\n", "ps 0.9 title \"64000\"\n");
    DRAWS("x: point * 1.5, y: time_s, log: y", "0 4\n1.5 5\n3 2.5\n4.5 3\n7.5 8\n9 6.5\n\n\n",
          "set format x '%.0s%c'\nset xtics ('0' 0, '1.5' 1.5, '3' 3, '4.5' 4.5, '7.5' 7.5, '9' "
          "9)\nset logscale y\n");
}

/* Four panels are two by two, six three a row; the least of two times at one place counts. */
static void test_layouts(void **state) {
    (void)state;
    DRAWS("x: gpus, y: time_s, panel: point % 4", "8 4\n\n\n8 5\n\n\n16 2.5\n\n\n8 3\n\n\n",
          "at screen 0.5, screen 0.974 center",
          "layout 2,2 margins 0.065,0.85,0.08333,0.9115 spacing 0.065,0.1302\n",
          "set title \"3\"\nplot 's.dat' index 3 ");
    DRAWS("x: gpus, y: time_s, panel: point",
          "8 4\n\n\n8 5\n\n\n16 2.5\n\n\n8 3\n\n\n8 8\n\n\n16 6.5\n\n\n", "layout 2,3 margins");
}

/* Before the work: a picture that is there already is refused by its name, unless it may be replaced. */
static void test_plot_check(void **state) {
    (void)state;
    char dir[] = "/tmp/ringcast-plot-XXXXXX", file[64];
    rc_error err = {0};
    assert_non_null(mkdtemp(dir));
    rc_sweep *s = sweep_of(HEAD "parallel: {tp: 8, cp: 2, variant: pass-q}\ntokens: {new: [1K, "
                                "2K]}\nplot: {x: new, y: time_s}\n");
    assert_int_equal(rc_sweep_plot_check(s, dir, false, &err), RC_OK);
    snprintf(file, sizeof file, "%s/s.svg", dir);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rc_sweep_plot_check(s, dir, false, &err), RC_E_IO);
    assert_string_equal(err.file, file);
    assert_int_equal(rc_sweep_plot_check(s, dir, true, &err), RC_OK);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(dir), 0);
    rc_sweep_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),     cmocka_unit_test(test_stages),
        cmocka_unit_test(test_own_columns), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_decode),      cmocka_unit_test(test_runs),
        cmocka_unit_test(test_panels),      cmocka_unit_test(test_alone),
        cmocka_unit_test(test_layouts),     cmocka_unit_test(test_plot_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
