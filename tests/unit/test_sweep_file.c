/* Sweeps: what an axis may hold, which points it makes, that each row is the pass `ringcast
 * forward` would have run, and what is refused in which words.
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
#include <sqlite3.h>

#include "sim/forward/scenario.h"
#include "sim/sweep/sweep_internal.h"

#define HEAD "scenario: s\nmodel: llama-3.1-405b\nmachine: h200-sxm\nphase: prefill\n"
#define FP8 "dtypes: {ffn_weights: fp8}\n"
#define PARALLEL "parallel: {tp: 8, cp: 2, variant: pass-kv}\n"

static rc_status read_text(const char *text, const char *set, rc_sweep **s, rc_error *err) {
    rc_doc *doc = NULL;
    memset(err, 0, sizeof *err);
    *s = NULL;
    rc_status st = rc_doc_parse("s.yaml", text, strlen(text), &doc, err);
    if (st == RC_OK)
        st = rc_sweep_read(doc, &set, set ? 1 : 0, NULL, s, err);
    rc_doc_close(doc);
    return st;
}

static rc_sweep *sweep_of(const char *text, const char *set) {
    rc_sweep *s;
    rc_error err;
    char words[1200];
    if (read_text(text, set, &s, &err) != RC_OK)
        fail_msg("%s", rc_error_text(&err, words, sizeof words));
    return s;
}

static void says(const char *text, const char *expected) {
    rc_sweep *s;
    rc_error err;
    char got[1200];
    assert_int_not_equal(read_text(text, NULL, &s, &err), RC_OK);
    assert_string_equal(rc_error_text(&err, got, sizeof got), expected);
}

static sweep_cursor cursor_of(const rc_sweep *s) {
    sweep_cursor c;
    assert_int_equal(sweep_cursor_init(&c, s, NULL), RC_OK);
    return c;
}

/* ---- axes ---------------------------------------------------------------------------------- */

static void axis_is(const char *value, const int64_t *expected, size_t n) {
    char text[512];
    snprintf(text, sizeof text, HEAD PARALLEL "tokens: {new: %s}\n", value);
    rc_sweep *s = sweep_of(text, NULL);
    assert_int_equal(s->points, n);
    sweep_cursor c = cursor_of(s);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(sweep_cursor_at(&c, (int64_t)i, NULL), RC_OK);
        assert_int_equal(c.t, expected[i]);
    }
    sweep_cursor_free(&c);
    rc_sweep_free(s);
}

static void test_axes(void **state) {
    (void)state;
    axis_is("[8, 128K, 64Ki]", (const int64_t[]){8, 128000, 65536}, 3);
    axis_is("{from: 10, to: 25, step: 5}", (const int64_t[]){10, 15, 20, 25}, 4);
    axis_is("{from: 10, to: 24, step: 5}", (const int64_t[]){10, 15, 20}, 3);
    axis_is("{from: 10, to: 20, points: 3}", (const int64_t[]){10, 15, 20}, 3);
    axis_is("{from: 1K, to: 1M, points: 4, scale: log}",
            (const int64_t[]){1000, 10000, 100000, 1000000}, 4);
    /* whole numbers that fall together are one point */
    axis_is("{from: 1, to: 3, points: 9}", (const int64_t[]){1, 2, 3}, 3);
}

/* Values of a number of the machine, which are no whole ones: the last of a range is its end, to the bit, and steps of a tenth reach
 * it though ten of them are not one. */
static void reals_are(const char *value, const double *expected, size_t n) {
    char text[512];
    snprintf(text, sizeof text, HEAD PARALLEL "tokens: {new: 8K}\nmachine_set: {launch: %s}\n",
             value);
    rc_sweep *s = sweep_of(text, NULL);
    assert_int_equal(s->axis_count, 1);
    assert_int_equal(s->axes[0].count, n);
    for (size_t i = 0; i < n; i++) {
        const double got = s->axes[0].values[i].d;
        if (!(fabs(got - expected[i]) <= 1e-12 * expected[i]))
            fail_msg("%s: value %zu is %.17g", value, i, got);
    }
    assert_true(n == 1 || s->axes[0].values[n - 1].d != s->axes[0].values[n - 2].d);
    rc_sweep_free(s);
}

static void test_real_axes(void **state) {
    (void)state;
    reals_are("[3us, 1us]", (const double[]){3e-6, 1e-6}, 2);
    reals_are("{from: 1us, to: 1.3us, step: 0.1us}", (const double[]){1e-6, 1.1e-6, 1.2e-6, 1.3e-6},
              4);
    reals_are("{from: 1us, to: 1.29us, step: 0.1us}", (const double[]){1e-6, 1.1e-6, 1.2e-6}, 3);
    reals_are("{from: 1us, to: 4us, points: 3}", (const double[]){1e-6, 2.5e-6, 4e-6}, 3);
    reals_are("{from: 1us, to: 4us, points: 3, scale: linear}",
              (const double[]){1e-6, 2.5e-6, 4e-6}, 3);
    reals_are("{from: 1us, to: 4us, points: 3, scale: log}", (const double[]){1e-6, 2e-6, 4e-6}, 3);
    reals_are("{from: 1us, to: 4us, points: 2, scale: log}", (const double[]){1e-6, 4e-6}, 2);
    reals_are("2us", (const double[]){2e-6}, 1);
}

/* The bounds of a range: so many points or steps, and not one more. */
static void test_range_bounds(void **state) {
    (void)state;
    rc_sweep *s = sweep_of(HEAD PARALLEL "tokens: {new: {from: 1, to: 1048576, step: 1}}\n", NULL);
    assert_int_equal(s->points, 1048576);
    rc_sweep_free(s);
    s = sweep_of(HEAD PARALLEL "tokens: {new: {from: 1, to: 2147483648, points: 1048576}}\n", NULL);
    assert_int_equal(s->points, 1048576);
    rc_sweep_free(s);
    says(HEAD PARALLEL "tokens: {new: {from: 1, to: 9, points: 1048577}}\n",
         "s.yaml:6:40: key 'points': found '1048577', expected a whole number from 2 to 1048576");
    says(HEAD PARALLEL "tokens: {new: {from: 1, to: 9, points: 1}}\n",
         "s.yaml:6:40: key 'points': found '1', expected a whole number from 2 to 1048576");
    axis_is("{from: 1, to: 9, points: 2}", (const int64_t[]){1, 9}, 2);
    says(HEAD PARALLEL "tokens: {new: {from: 9, to: 9, points: 2}}\n",
         "s.yaml:6:15: key 'tokens.new': 'to' must be above 'from'");
    static const char *const half[] = {"{from: 9, points: 2}", "{to: 9, points: 2}"};
    for (int i = 0; i < 2; i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD PARALLEL "tokens: {new: %s}\n", half[i]);
        says(text, "s.yaml:6:15: key 'tokens.new': expected one value, a list, or a range {from, "
                   "to, step | points, scale}");
    }
    says(HEAD PARALLEL "tokens: {new: 1K, cached: {from: 1, to: 9, points: 2, scale: cubic}}\n",
         "s.yaml:6:62: key 'scale': found 'cubic', expected one of linear, log");
    s = sweep_of(
        HEAD PARALLEL "tokens: {new: 1K, cached: {from: 1, to: 9, points: 2, scale: log}}\n", NULL);
    rc_sweep_free(s);
    says(HEAD "parallel: {tp: 8, cp: 2, variant: {from: 1, to: 2, points: 2}}\ntokens: {new: 1K}\n",
         "s.yaml:5:35: key 'parallel.variant': expected a name or a list of names");
    says(HEAD "parallel: {tp: 8, cp: 2, variant: [pass-q, pass-kv, pass-q]}\ntokens: {new: 1K}\n",
         "s.yaml:5:53: key 'parallel.variant': 'pass-q' stands there twice");
    says("scenario: s\nmodel: llama-3.1-405b\nmachine: [h200-sxm, h100-sxm, h200-sxm]\nphase: "
         "prefill\n" PARALLEL "tokens: {new: 1K}\n",
         "s.yaml:3:31: key 'machine': 'h200-sxm' stands there twice");
    says(HEAD PARALLEL "tokens: {new: 1K}\nmachine_set: 7\n",
         "s.yaml:7:14: key 'machine_set': expected a map of keys");
    says(HEAD PARALLEL "tokens: {new: 1K}\nmachine_set: {launch: [1us, 2us, 1us]}\n",
         "s.yaml:7:34: key 'machine_set.launch': '1us' stands there twice");
    says(HEAD PARALLEL "tokens: {new: 1K}\nsweep: {sample: sobol, points: 4}\nmachine_set: "
                       "{launch: {from: 1us, to: 2us}}\n",
         "s.yaml:8:23: key 'machine_set.launch': a range needs 'step' or 'points' (a number of the "
         "machine is not drawn "
         "continuously)");
}

/* The last axis of the table (tokens.new) runs fastest, whatever the order in the file. */
static void test_order(void **state) {
    (void)state;
    rc_sweep *s = sweep_of("scenario: s\ntokens: {new: [1K, 2K], cached: [0, 5]}\n"
                           "phase: prefill\nparallel: {cp: [1, 4], tp: 8, variant: pass-q}\n"
                           "machine: h200-sxm\nmodel: llama-3.1-405b\n",
                           NULL);
    const int64_t expected[8][3] = {{1, 0, 1000}, {1, 0, 2000}, {1, 5, 1000}, {1, 5, 2000},
                                    {4, 0, 1000}, {4, 0, 2000}, {4, 5, 1000}, {4, 5, 2000}};
    sweep_cursor c = cursor_of(s);
    assert_int_equal(s->points, 8);
    for (int i = 7; i >= 0; i--) { /* any order will do */
        assert_int_equal(sweep_cursor_at(&c, i, NULL), RC_OK);
        assert_true(c.layout.cp == expected[i][0] && c.p == expected[i][1] &&
                    c.t == expected[i][2]);
    }
    sweep_cursor_free(&c);
    rc_sweep_free(s);
}

static void test_machine_numbers(void **state) {
    (void)state;
    rc_sweep *s = sweep_of(HEAD PARALLEL "tokens: {new: 8K}\nmachine_set: {network_rate: [100Gb/s, "
                                         "800Gb/s], hop_latency: [10us, 20us]}\n",
                           "machine.launch=7us");
    sweep_cursor c = cursor_of(s);
    const double nic[] = {12.5e9, 12.5e9, 100e9, 100e9}, hop[] = {1e-5, 2e-5, 1e-5, 2e-5};
    assert_int_equal(s->points, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sweep_cursor_at(&c, i, NULL), RC_OK);
        const rc_machine *m = rc_costs_machine(c.costs);
        assert_true(fabs(m->nic_rate / nic[i] - 1) < 1e-12);
        assert_true(fabs(m->peer_rate / (nic[i] * 36.0 / 50.0) - 1) < 1e-12);
        assert_true(fabs(m->nic_line_rate / (nic[i] * 46.0 / 50.0) - 1) < 1e-12);
        assert_true(fabs(m->hop_latency / hop[i] - 1) < 1e-12 && m->launch == 7e-6);
    }
    sweep_cursor_free(&c);
    rc_sweep_free(s);
}

static void test_sobol(void **state) {
    (void)state;
    rc_sweep *s = sweep_of(HEAD "sweep: {sample: sobol, points: 64}\n"
                                "parallel: {tp: 8, cp: [1, 2, 4, 8], variant: [pass-kv, pass-q]}\n"
                                "tokens: {new: {from: 1K, to: 1M, scale: log}, cached: {from: 0, "
                                "to: 100K}}\n",
                           NULL);
    sweep_cursor c = cursor_of(s), back = cursor_of(s);
    int cps[9] = {0}, below = 0;
    assert_int_equal(s->points, 64);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(sweep_cursor_at(&c, i, NULL), RC_OK);
        assert_int_equal(sweep_cursor_at(&back, 63 - i, NULL), RC_OK);
        assert_int_equal(sweep_cursor_at(&back, i, NULL), RC_OK);
        assert_true(c.t == back.t && c.p == back.p && c.layout.cp == back.layout.cp);
        assert_true(c.t >= 1000 && c.t <= 1000000 && c.p >= 0 && c.p <= 100000);
        cps[c.layout.cp]++;
        below += c.t < 31623;
    }
    assert_true(cps[1] >= 14 && cps[2] >= 14 && cps[4] >= 14 && cps[8] >= 14);
    assert_in_range(below, 29, 35); /* half of the decades */
    sweep_cursor_free(&c);
    sweep_cursor_free(&back);
    rc_sweep_free(s);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* Each row is what the scenario with the point's values gives, read from scratch. */
static void test_rows_are_forward_passes(void **state) {
    (void)state;
    rc_sweep *s = sweep_of(HEAD FP8 "parallel: {tp: 8, cp: [1, 3], variant: [pass-kv, pass-q]}\n"
                                    "tokens: {new: [900, 20K], cached: [0, 50K]}\nbatch: [1, 2]\n",
                           NULL);
    rc_sweep_worker *w = NULL;
    assert_int_equal(rc_sweep_worker_create(s, &w, NULL), RC_OK);
    int64_t point = 0;
    for (int cp = 1; cp <= 3; cp += 2)
        for (int variant = 0; variant < 2; variant++)
            for (int batch = 1; batch <= 2; batch++)
                for (int cached = 0; cached <= 50000; cached += 50000)
                    for (int t = 900; t <= 20000; t += 19100, point++) {
                        char text[512];
                        rc_doc *doc = NULL;
                        rc_scenario one;
                        rc_costs *costs = NULL;
                        rc_forward f;
                        rc_sweep_row row;
                        snprintf(text, sizeof text,
                                 HEAD FP8 "parallel: {tp: 8, cp: %d, variant: %s}\ntokens: {new: "
                                          "%d, cached: %d}\nbatch: %d\n",
                                 cp, variant ? "pass-q" : "pass-kv", t, cached, batch);
                        assert_int_equal(rc_doc_parse("x", text, strlen(text), &doc, NULL), RC_OK);
                        assert_int_equal(rc_scenario_read(doc, NULL, 0, &one, NULL), RC_OK);
                        assert_int_equal(rc_costs_open(NULL, &one.machine, &costs, NULL), RC_OK);
                        rc_spec spec = rc_scenario_spec(&one, costs);
                        assert_int_equal(rc_forward_run(&spec, &f, NULL), RC_OK);
                        assert_int_equal(rc_sweep_eval(w, point, &row, NULL), RC_OK);
                        assert_int_equal(row.status, RC_SWEEP_OK);
                        assert_int_equal(row.ticks, f.ticks);
                        assert_true(row.total == f.memory.total && row.kv == f.memory.kv);
                        assert_true(fabs(row.mfu / f.mfu - 1) < 1e-12);
                        rc_costs_close(costs);
                        rc_scenario_free(&one);
                        rc_doc_close(doc);
                    }
    assert_int_equal(point, s->points);
    rc_sweep_worker_free(w);
    rc_sweep_free(s);
}

static void row_says(const char *text, int64_t point, rc_sweep_status status, const char *why) {
    rc_sweep *s = sweep_of(text, NULL);
    rc_sweep_worker *w = NULL;
    rc_sweep_row row;
    assert_int_equal(rc_sweep_worker_create(s, &w, NULL), RC_OK);
    assert_int_equal(rc_sweep_eval(w, point, &row, NULL), RC_OK);
    assert_int_equal(row.status, status);
    assert_ptr_equal(strstr(row.why, why), row.why);
    rc_sweep_worker_free(w);
    rc_sweep_free(s);
}

static void test_refused_rows(void **state) {
    (void)state;
    row_says(HEAD FP8 PARALLEL "tokens: {new: [1K, 100M]}\n", 1, RC_SWEEP_NOFIT, "");
    row_says(HEAD FP8 "parallel: {tp: 8, gpus: [16, 20], variant: pass-kv}\ntokens: {new: 1K}\n", 1,
             RC_SWEEP_REFUSED, "20 GPUs cannot be cut into groups of tp 8");
    row_says(HEAD FP8 "parallel: {tp: 8, cp: [2, 4], variant: pass-kv}\ntokens: {new: 1K}\n"
                      "what_if: {slow_rank: 3, slow_speed: 0.9}\n",
             0, RC_SWEEP_REFUSED, "what_if: rank 3 of cp 2");
    row_says(HEAD "parallel: {tp: [3, 8], cp: 2, variant: pass-kv}\ntokens: {new: 1K}\n", 0,
             RC_SWEEP_REFUSED, "tp");
}

/* ---- identity ------------------------------------------------------------------------------ */

static uint64_t hash_of(const char *text, const char *set) {
    rc_sweep *s = sweep_of(text, set);
    uint64_t h = rc_sweep_hash(s);
    rc_sweep_free(s);
    return h;
}

static void test_identity(void **state) {
    (void)state;
    const char *text = HEAD PARALLEL "tokens: {new: [1K, 2K]}\n";
    uint64_t h = hash_of(text, NULL);
    assert_true(h == hash_of(text, NULL));
    assert_true(h == hash_of("# remark\n" HEAD PARALLEL "tokens: {new: ['1K', 2K]}\n"
                             "description: words\nplot: {x: new, y: time_s}\n",
                             NULL));
    assert_true(h != hash_of(text, "tokens.new=[1K, 3K]"));
    assert_true(h != hash_of(text, "machine.peer_rate=20GB/s"));
    assert_true(h != hash_of(text, "machine=h100-sxm"));
    assert_true(h != hash_of(text, "model=llama-3.1-70b"));
}

/* ---- words --------------------------------------------------------------------------------- */

static void test_errors(void **state) {
    (void)state;
    says(HEAD PARALLEL "tokens: {new: 1K}\n",
         "s.yaml:1:1: nothing to sweep: no key holds a list or a range");
    says(HEAD PARALLEL "tokens: {new: []}\n", "s.yaml:6:15: key 'tokens.new': an empty list");
    says(HEAD PARALLEL "tokens: {new: [1K, x]}\n",
         "s.yaml:6:20: key 'tokens.new': found 'x', expected a whole number from 1 to "
         "2147483648");
    says(HEAD PARALLEL "tokens: {new: [1K, 1000]}\n",
         "s.yaml:6:20: key 'tokens.new': '1000' stands there twice");
    says(HEAD PARALLEL "tokens: {new: {from: 1, to: 9}}\n",
         "s.yaml:6:15: key 'tokens.new': a range needs 'step' or 'points' (only a Sobol sample "
         "draws from all of it)");
    says(HEAD PARALLEL "tokens: {new: {from: 9, to: 1, points: 2}}\n",
         "s.yaml:6:15: key 'tokens.new': 'to' must be above 'from'");
    says(HEAD PARALLEL "tokens: {new: {from: 1, to: 9, points: 2, step: 1}}\n",
         "s.yaml:6:15: key 'tokens.new': 'step' or 'points', not both");
    says(HEAD PARALLEL "tokens: {new: {from: 1, to: 9, step: 1, scale: log}}\n",
         "s.yaml:6:15: key 'tokens.new': a log scale takes 'points', not 'step'");
    says(HEAD PARALLEL "tokens: {new: {from: 1, to: 1048577, step: 1, scale: linear}}\n",
         "s.yaml:6:15: key 'tokens.new': more than 2^20 steps");
    says(HEAD PARALLEL "tokens: {new: 1K, cached: {from: 0, to: 9, points: 2, scale: log}}\n",
         "s.yaml:6:27: key 'tokens.cached': a log scale starts above 0");
    says(HEAD "parallel: {tp: 8, variant: [pass-kv, pass-x]}\ntokens: {new: 1K}\n",
         "s.yaml:5:38: key 'parallel.variant': found 'pass-x', expected one of pass-kv, pass-q, "
         "all-gather-kv, pcp, ulysses, usp, gather-q, gather-kv, tp, dcp-ag-rs, dcp-a2a, helix");
    says(HEAD "parallel: {tp: 8, cp: 2, gpus: [8, 16], variant: pass-kv}\ntokens: {new: 1K}\n",
         "s.yaml:5:32: key 'parallel.gpus' stands beside 'parallel.cp'; give one or the other: cp "
         "is then gpus / tp");
    says(HEAD PARALLEL "tokens: {new: [1, 2]}\nmachine_set: {pear_rate: 1GB/s}\n",
         "s.yaml:7:26: unknown number 'pear_rate' of a machine (did you mean 'peer_rate'?)");
    says(HEAD PARALLEL "tokens: {new: [1, 2]}\nsweep: {points: 5}\n",
         "s.yaml:7:17: key 'points': only with 'sample: sobol'; a grid has as many points as its "
         "axes make");
    says(HEAD PARALLEL "tokens: {new: [1, 2]}\nplot: {x: new}\n",
         "s.yaml:7:7: missing key 'y' in 'plot'");
    says("scenario: s\nmodel: llama-3.1-405b\nmachine: [h200-sxm, h100-sxn]\nphase: "
         "prefill\n" PARALLEL "tokens: {new: 1K}\n",
         "no 'h100-sxn.yaml' beside the scenario, in the current folder or in scenarios/machines "
         "(did you mean 'h100-sxm'?)");
}

/* ---- the database -------------------------------------------------------------------------- */

static int64_t query(const char *path, const char *text) {
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return v;
}

static void forget(const char *path, const char *text) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Rows that are missing are computed, rows that are there are not touched. */
static void test_resume(void **state) {
    (void)state;
    char path[] = "/tmp/ringcast-sweep-XXXXXX";
    int fd = mkstemp(path); /* an empty file is a new database */
    assert_true(fd >= 0);
    close(fd);
    rc_sweep *s = sweep_of(HEAD FP8 "parallel: {tp: 8, cp: [1, 2], variant: pass-kv}\n"
                                    "tokens: {new: {from: 1K, to: 20K, points: 20}}\n",
                           NULL);
    rc_sweep *other = sweep_of(HEAD FP8 PARALLEL "tokens: {new: [1K, 2K]}\n", NULL);
    const rc_ranks one = {.size = 1};
    const rc_sweep_options opt = {.out = path, .quiet = true, .threads = 2, .batch = 7};
    rc_sweep_report r;
    rc_error err = {0};
    assert_int_equal(rc_sweep_run(s, &one, &opt, &r, &err), RC_OK);
    assert_true(r.points == 40 && r.present == 0 && r.ok == 40 && r.nofit == 0 && r.refused == 0);
    int64_t sum = query(path, "SELECT sum(ticks) FROM point");
    forget(path, "DELETE FROM point WHERE point IN (0, 7, 8, 9, 39)");
    forget(path, "UPDATE point SET ticks = 1 WHERE point = 20");
    int64_t was = query(path, "SELECT count(*) FROM point");
    assert_int_equal(rc_sweep_run(s, &one, &opt, &r, &err), RC_OK);
    assert_true(was == 35 && r.present == 35 && r.ok == 40);
    assert_int_equal(query(path, "SELECT ticks FROM point WHERE point = 20"), 1);
    forget(path, "DELETE FROM point WHERE point = 20");
    assert_int_equal(rc_sweep_run(s, &one, &opt, &r, &err), RC_OK);
    assert_int_equal(query(path, "SELECT sum(ticks) FROM point"), sum);
    assert_int_equal(rc_sweep_run(other, &one, &opt, &r, &err), RC_E_IO);
    assert_non_null(strstr(err.msg, "holds another sweep"));
    assert_int_equal(query(path, "SELECT count(*) FROM point"), 40);
    rc_sweep_options over = opt;
    over.overwrite = true;
    assert_int_equal(rc_sweep_run(other, &one, &over, &r, &err), RC_OK);
    assert_int_equal(query(path, "SELECT count(*) FROM point"), 2);
    rc_sweep_free(s);
    rc_sweep_free(other);
    unlink(path);
}

/* The studies that come with the project are read, have a plot, and begin with a point that runs.
 */
static void test_studies(void **state) {
    (void)state;
    static const struct {
        const char *file;
        int64_t points;
    } studies[] = {{"nodes", 480}, {"network", 288}, {"context", 360}};
    for (size_t i = 0; i < sizeof studies / sizeof studies[0]; i++) {
        char path[1024];
        rc_sweep *s = NULL;
        rc_sweep_worker *w = NULL;
        rc_sweep_row row;
        snprintf(path, sizeof path, "%s/scenarios/sweep/%s.yaml", getenv("RC_SOURCE_DIR"),
                 studies[i].file);
        assert_int_equal(rc_sweep_load(path, NULL, 0, NULL, &s, NULL), RC_OK);
        assert_int_equal(s->points, studies[i].points);
        assert_true(s->has_plot);
        assert_int_equal(rc_sweep_worker_create(s, &w, NULL), RC_OK);
        assert_int_equal(rc_sweep_eval(w, 0, &row, NULL), RC_OK);
        assert_int_equal(row.status, RC_SWEEP_OK);
        rc_sweep_worker_free(w);
        rc_sweep_free(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_real_axes),
        cmocka_unit_test(test_range_bounds),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_machine_numbers),
        cmocka_unit_test(test_sobol),
        cmocka_unit_test(test_rows_are_forward_passes),
        cmocka_unit_test(test_refused_rows),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_studies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
