/* A value on an axis is the value stated: each axis of a sweep beside sweeps of files that hold one of its values in the place of the
 * list, which a scenario's own reader reads. And the two values do make a difference.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/sweep/sweep_internal.h"

static rc_error err;

/* `text` with `value` for its @. */
static rc_sweep *sweep_with(const char *text, const char *value) {
    char whole[1024];
    rc_doc *doc = NULL;
    rc_sweep *s = NULL;
    const char *at = strchr(text, '@');
    assert_non_null(at);
    (void)snprintf(whole, sizeof whole, "scenario: s\n%.*s%s%s", (int)(at - text), text, value,
                   at + 1);
    if (rc_doc_parse("s.yaml", whole, strlen(whole), &doc, &err) != RC_OK ||
        rc_sweep_read(doc, NULL, 0, NULL, &s, &err) != RC_OK)
        fail_msg("%s: %s", err.msg, whole);
    rc_doc_close(doc);
    return s;
}

static rc_sweep_row row_of(const rc_sweep *s, int64_t point) {
    rc_sweep_worker *w = NULL;
    rc_sweep_row row;
    assert_int_equal(rc_sweep_worker_create(s, &w, &err), RC_OK);
    assert_int_equal(rc_sweep_eval(w, point, &row, &err), RC_OK);
    rc_sweep_worker_free(w);
    return row;
}

static bool same(const rc_sweep_row *a, const rc_sweep_row *b) {
    return a->status == b->status && a->ticks == b->ticks && a->total == b->total &&
           a->kv == b->kv && a->weights == b->weights &&
           (a->status == RC_SWEEP_OK ? a->mfu == b->mfu : strcmp(a->why, b->why) == 0);
}

#define MODEL "model: llama-3.1-8b\n"
#define MACHINE "machine: h100-sxm\n"
#define PREFILL "phase: prefill\n"
#define TOKENS "tokens: {new: 4K, cached: 9000}\n"
#define RING "parallel: {tp: 2, cp: 4, variant: pass-kv}\n"
#define USUAL MODEL MACHINE PREFILL TOKENS
#define DEEP                                                                                       \
    "model: deepseek-v3\nmachine: h200-sxm\nphase: decode\ntokens: {cached: 9000}\nbatch: 16\n"
#define OTHER "machine_set: {launch: [3us]}\n" /* an axis of one value */

static const struct axis {
    const char *text, *a, *b;
} axes[] = {
    {"model: @\n" MACHINE PREFILL TOKENS RING OTHER, "llama-3.1-8b", "llama-3.1-70b"},
    {"model: @\nmachine: h200-sxm\n" PREFILL TOKENS "parallel: {tp: 8, cp: 1, variant: tp}\n" OTHER,
     "llama-3.1-70b", "deepseek-v3"},
    {"model: @\n" MACHINE PREFILL TOKENS RING
     "dtypes: {attention_weights: fp8, ffn_weights: fp8, kv: fp8}\n" OTHER,
     "llama-3.1-8b", "llama-3.1-70b"},
    {MODEL "machine: @\n" PREFILL TOKENS RING OTHER, "h100-sxm", "h200-sxm"},
    {USUAL "parallel: {tp: @, cp: 2, variant: pass-q}\n" OTHER, "2", "8"},
    {USUAL "parallel: {tp: 2, cp: @, variant: pass-q}\n" OTHER, "2", "4"},
    {USUAL "parallel: {tp: 2, cp: 4, ulysses: @, variant: usp}\n" OTHER, "2", "4"},
    {DEEP "parallel: {tp: 8, cp: 1, dcp: @, variant: dcp-ag-rs}\n" OTHER, "2", "4"},
    {"model: deepseek-v3\nmachine: h200-sxm\n"
     "phase: decode\ntokens: {cached: 9000}\nbatch: 16\n"
     "parallel: {tp: 8, cp: 1, ep: 8, dp_attention: @, variant: tp}\n" OTHER,
     "1", "2"},
    {"model: deepseek-v3\nmachine: h200-sxm\n" PREFILL TOKENS
     "parallel: {tp: 8, cp: 1, ep: @, variant: tp}\n" OTHER,
     "1", "8"},
    {USUAL "parallel: {tp: 2, cp: 2, pp: @, variant: pass-kv}\n" OTHER, "1", "2"},
    {USUAL RING "chunk: @\n" OTHER, "1024", "2048"},
    {USUAL "parallel: {tp: 2, cp: 4, variant: @}\n" OTHER, "pass-q", "all-gather-kv"},
    {USUAL RING "dtypes: {attention_weights: @}\n" OTHER, "bf16", "fp8"},
    {USUAL RING "dtypes: {ffn_weights: @}\n" OTHER, "bf16", "fp8"},
    {USUAL RING "dtypes: {kv: @}\n" OTHER, "bf16", "fp8"},
    {USUAL RING "host: @\n" OTHER, "eager", "graph"},
    {USUAL RING "ring: @\n" OTHER, "overlapped", "serial"},
    {USUAL RING
     "what_if: {slow_rank: @, slow_speed: 0.5, slow_link_rank: 1, slow_link: 0.1}\n" OTHER,
     "0", "2"},
    {USUAL RING "what_if: {slow_rank: 1, slow_speed: @}\n" OTHER, "0.5", "0.25"},
    {USUAL RING "what_if: {slow_link_rank: 1, slow_link: @}\n" OTHER, "0.01", "0.02"},
    {USUAL RING
     "what_if: {slow_link_rank: @, slow_link: 0.01, slow_rank: 1, slow_speed: 0.3}\n" OTHER,
     "0", "2"},
    {USUAL RING "what_if: {overlap_compute: @}\n" OTHER, "1", "0.5"},
    {USUAL RING "what_if: {overlap_comm: @}\n" OTHER, "1", "0.1"},
    {USUAL RING "batch: @\n" OTHER, "1", "3"},
    {MODEL MACHINE PREFILL RING "tokens: {new: @, cached: 9000}\n" OTHER, "4000", "5000"},
    {MODEL MACHINE PREFILL RING "tokens: {new: 4000, cached: @}\n" OTHER, "0", "7000"},
    {USUAL "parallel: {tp: 8, cp: 2, variant: pass-kv}\n"
           "machine_set: {peer_rate: @, launch: [3us]}\n",
     "[20GB/s]", "[40GB/s]"},
};

static void test_values(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof axes / sizeof axes[0]; i++) {
        const struct axis *x = &axes[i];
        char list[64];
        if (x->a[0] == '[')
            (void)snprintf(list, sizeof list, "[%.*s, %s", (int)strlen(x->a) - 2, x->a + 1,
                           x->b + 1);
        else
            (void)snprintf(list, sizeof list, "[%s, %s]", x->a, x->b);
        rc_sweep *both = sweep_with(x->text, list);
        assert_int_equal(both->points, 2);
        rc_sweep_row rows[2];
        for (int k = 0; k < 2; k++) {
            rc_sweep *one = sweep_with(x->text, k ? x->b : x->a);
            const rc_sweep_row stated = row_of(one, 0);
            rows[k] = row_of(both, k);
            if (stated.status != RC_SWEEP_OK || !same(&rows[k], &stated))
                fail_msg("%s: %s: %lld ticks, stated %lld: %s", x->text, k ? x->b : x->a,
                         (long long)rows[k].ticks, (long long)stated.ticks, stated.why);
            rc_sweep_free(one);
        }
        if (same(&rows[0], &rows[1]))
            fail_msg("%s: %s makes no difference", x->text, list);
        rc_sweep_free(both);
    }
}

/* A phase brings its own host and ring, unless the file says which. */
static void test_phases(void **state) {
    (void)state;
    static const char *const said[] = {"", "host: eager\n", "host: graph\n", "ring: overlapped\n",
                                       "ring: serial\n"};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       MODEL MACHINE "phase: @\ntokens: {new: 1, cached: 9000}\nbatch: 8\n"
                                     "parallel: {tp: 2, cp: 4, variant: pass-q}\n%s" OTHER,
                       said[i]);
        rc_sweep *both = sweep_with(text, "[prefill, decode]");
        for (int k = 0; k < 2; k++) {
            rc_sweep *one = sweep_with(text, k ? "decode" : "prefill");
            const rc_sweep_row stated = row_of(one, 0), row = row_of(both, k);
            if (!same(&row, &stated))
                fail_msg("%s: %s", said[i], k ? "decode" : "prefill");
            rc_sweep_free(one);
        }
        rc_sweep_free(both);
    }
}

/* All GPUs in groups of tp, where only their number is given. */
static void test_gpus(void **state) {
    (void)state;
    rc_sweep *gpus =
        sweep_with(USUAL "parallel: {tp: 2, gpus: @, variant: pass-q}\n" OTHER, "[8, 4]");
    rc_sweep *cp = sweep_with(USUAL "parallel: {tp: 2, cp: @, variant: pass-q}\n" OTHER, "[4, 2]");
    for (int k = 0; k < 2; k++) {
        const rc_sweep_row a = row_of(gpus, k), b = row_of(cp, k);
        assert_true(a.status == RC_SWEEP_OK && same(&a, &b));
    }
    rc_sweep_free(gpus);
    rc_sweep_free(cp);
}

/* A number of the machine that has no unit is what it is: a whole memory, and half of it. */
static void test_ratio(void **state) {
    (void)state;
    rc_sweep *both = sweep_with(USUAL RING "machine_set: {memory_fraction: @}\n", "[0.5, 1]");
    assert_int_equal(both->points, 2);
    for (int k = 0; k < 2; k++) {
        const rc_sweep_row row = row_of(both, k);
        assert_int_equal(row.status, RC_SWEEP_OK);
        assert_true(rc_costs_machine(both->costs[k])->memory_fraction == (k ? 1.0 : 0.5));
    }
    rc_sweep_free(both);
}

/* Where the ranks are parts of a TP group, no number of GPUs stands beside it, not even one. */
static void test_world(void **state) {
    (void)state;
    rc_sweep *s =
        sweep_with(USUAL "parallel: {tp: 8, cp: @, world: tp, variant: pcp}\n" OTHER, "[2, 4]");
    for (int k = 0; k < 2; k++) {
        const rc_sweep_row row = row_of(s, k);
        if (row.status != RC_SWEEP_OK)
            fail_msg("%s", row.why);
    }
    rc_sweep_free(s);
    s = sweep_with(USUAL "parallel: {tp: 8, world: tp, gpus: @, variant: pcp}\n" OTHER, "[1, 8]");
    for (int k = 0; k < 2; k++) {
        const rc_sweep_row row = row_of(s, k);
        assert_true(row.status != RC_SWEEP_OK &&
                    strstr(row.why, "key 'gpus' is for world tp-x-cp"));
    }
    rc_sweep_free(s);
}

/* A sample has its values from between the ends: the half of Sobol's first point is the middle of each axis, the logarithm's on a
 * log scale, and of a list the value at its place. Points may be asked for in any order. */
static void test_sample(void **state) {
    (void)state;
    rc_sweep *s = sweep_with("sweep: {sample: sobol, points: 64}\n" MODEL MACHINE PREFILL
                             "parallel: {tp: 2, cp: 2, variant: [pass-kv, pass-q, "
                             "all-gather-kv]}\nbatch: {from: 1, to: 9}\n"
                             "tokens: {new: {from: 100, to: 10000, scale: log}, cached: @}\n",
                             "{from: 0, to: 1000}");
    sweep_cursor c;
    int seen[3] = {0, 0, 0};
    assert_int_equal(sweep_cursor_init(&c, s, &err), RC_OK);
    assert_int_equal(sweep_cursor_at(&c, 0, &err), RC_OK);
    assert_true(c.t == 1000 && c.p == 500 && c.batch == 5);
    assert_string_equal(c.schedule->name, "pass-q");
    int64_t sum = 0, first[64];
    for (int64_t i = 0; i < 64; i++) {
        assert_int_equal(sweep_cursor_at(&c, i, &err), RC_OK);
        assert_true(c.t >= 100 && c.t <= 10000 && c.p >= 0 && c.p <= 1000 && c.batch >= 1 &&
                    c.batch <= 9);
        seen[strcmp(c.schedule->name, "pass-kv") == 0  ? 0
             : strcmp(c.schedule->name, "pass-q") == 0 ? 1
                                                       : 2]++;
        sum += c.p;
        first[i] = c.t;
    }
    assert_true(labs((long)sum - 64 * 500) < 64 * 20);
    for (int k = 0; k < 3; k++)
        assert_true(seen[k] >= 20 && seen[k] <= 23);
    for (int64_t i = 63; i >= 0; i -= 7) { /* backwards */
        assert_int_equal(sweep_cursor_at(&c, i, &err), RC_OK);
        assert_int_equal(c.t, first[i]);
    }
    sweep_cursor_free(&c);
    rc_sweep_free(s);
}

/* The longest sequence of any point is what a note tells of: of a list, of a range that is cut, and of one that a sample draws from.
 * The model is meant for 131,072 tokens. */
static void test_notes(void **state) {
    (void)state;
    static const struct {
        const char *tokens;
        bool sample;
        int notes;
    } all[] = {{"{new: [1K, 31072], cached: 100K}", false, 0},
               {"{new: [31073, 1K], cached: 100K}", false, 1},
               {"{new: 1K, cached: [0, 130073]}", false, 1},
               {"{new: 1K, cached: [0, 130072]}", false, 0},
               {"{new: {from: 1K, to: 131072, points: 3}, cached: 0}", false, 0},
               {"{new: {from: 1K, to: 131073, points: 3}, cached: 0}", false, 1},
               {"{new: {from: 1K, to: 31072}, cached: 100K}", true, 0},
               {"{new: {from: 1K, to: 31073}, cached: 100K}", true, 1}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char text[512];
        rc_notes notes;
        (void)snprintf(text, sizeof text, MODEL MACHINE PREFILL RING "%stokens: @\n",
                       all[i].sample ? "sweep: {sample: sobol, points: 4}\n" : "");
        rc_sweep *s = sweep_with(text, all[i].tokens);
        rc_sweep_notes(s, &notes);
        if (notes.count != all[i].notes)
            fail_msg("%s: %d notes", all[i].tokens, notes.count);
        rc_sweep_free(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_phases), cmocka_unit_test(test_gpus),
        cmocka_unit_test(test_sample), cmocka_unit_test(test_notes),  cmocka_unit_test(test_ratio),
        cmocka_unit_test(test_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
