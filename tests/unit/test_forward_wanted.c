/* Which rows a time depends on: shares that are those of the breakdown, an interval that is that of
 * the draws, and nothing wanted where nothing hides in the time.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/forward/scenario.h"
#include "sim/forward/wanted.h"

static rc_error err;

typedef struct pass {
    rc_scenario scenario;
    rc_costs *costs;
    rc_spec spec;
} pass;

static void open_pass(pass *p, const char *yaml) {
    rc_doc *doc = NULL;
    assert_int_equal(rc_doc_parse("wanted.yaml", yaml, strlen(yaml), &doc, &err), RC_OK);
    if (rc_scenario_read(doc, NULL, 0, &p->scenario, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_doc_close(doc);
    assert_int_equal(rc_costs_open(NULL, &p->scenario.machine, &p->costs, &err), RC_OK);
    p->spec = rc_scenario_spec(&p->scenario, p->costs);
}

static void close_pass(pass *p) {
    rc_costs_close(p->costs);
    rc_scenario_free(&p->scenario);
}

static const char serial[] = "scenario: t\ndescription: t\nmodel: qwen2.5-72b-instruct\n"
                             "machine: h200-sxm\nphase: decode\nhost: graph\n"
                             "parallel: {tp: 4, cp: 1, variant: tp}\n"
                             "tokens: {cached: 8K}\nbatch: 16\n";

/* A graph on one stream hides nothing: shares of the time are those of the breakdown, part by part,
 * and sum to one. */
static void test_shares(void **state) {
    (void)state;
    pass p;
    open_pass(&p, serial);
    rc_forward f;
    rc_wanted w;
    double sum = 0, interval = 0, products = 0, links = 0;
    assert_int_equal(rc_forward_run(&p.spec, &f, &err), RC_OK);
    assert_int_equal(rc_wanted_of(&p.spec, 1, &w, &err), RC_OK);
    for (size_t i = 0; i < w.count; i++) {
        const rc_wanted_row *r = &w.row[i];
        sum += r->time;
        interval += r->interval;
        products += r->ask.op == RC_COST_GEMM ? r->time : 0;
        links += r->ask.op == RC_COST_ALL_REDUCE ? r->time : 0;
        assert_true(r->narrows >= 0 && r->narrows <= 1 && r->time > -1e-9);
        assert_true(i == 0 || w.row[i - 1].narrows >= r->narrows);
    }
    double parts = f.critical[RC_P_QKV] + f.critical[RC_P_OUT] + f.critical[RC_P_GATE_UP] +
                   f.critical[RC_P_DOWN] + f.critical[RC_P_LM_HEAD];
    assert_true(fabs(sum - 1) < 1e-3);
    assert_true(fabs(interval + w.rest - 1) < 1e-6);
    assert_true(fabs(products - parts / f.time) < 1e-3);
    assert_true(fabs(links - f.critical[RC_P_ALL_REDUCE] / f.time) < 1e-3);
    assert_true(w.half_then <= w.half && w.unseen == 0);
    rc_wanted_free(&w);
    close_pass(&p);
}

/* The interval to first order is that of the draws. */
static void test_interval(void **state) {
    (void)state;
    static const char *const all[] = {
        serial, "scenario: t\ndescription: t\nmodel: llama-3.1-405b\nmachine: gtt\nphase: prefill\n"
                "parallel: {tp: 8, cp: 2, variant: pass-kv}\ntokens: {new: 16K}\n"
                "dtypes: {ffn_weights: fp8}\n"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pass p;
        open_pass(&p, all[i]);
        rc_forward f;
        rc_wanted w;
        p.spec.draws = 1500;
        p.spec.seed = 7;
        assert_int_equal(rc_forward_run(&p.spec, &f, &err), RC_OK);
        assert_int_equal(rc_wanted_of(&p.spec, 1, &w, &err), RC_OK);
        double drawn = (f.p95 - f.p5) / 2 / f.time;
        double first = hypot(w.half, w.model); /* gtt has no table of the error of the model */
        assert_true((w.model > 0) == (i == 0));
        if (fabs(first / drawn - 1) > 0.15)
            fail_msg("%g to first order, %g by draws", first, drawn);
        assert_true(i == 0 ? w.rest == 0 : w.rest > 0.01); /* gtt has fitted numbers */
        rc_wanted_free(&w);
        close_pass(&p);
    }
}

/* Messages of a long ring hide behind attention: what they cost makes no difference. */
static void test_hidden(void **state) {
    (void)state;
    pass p;
    open_pass(&p, "scenario: t\ndescription: t\nmodel: llama-3.1-8b\nmachine: h200-sxm\n"
                  "phase: prefill\nhost: graph\nparallel: {tp: 1, cp: 4, variant: pass-kv}\n"
                  "tokens: {new: 256K}\n");
    rc_forward f;
    rc_wanted w;
    double messages = 0;
    assert_int_equal(rc_forward_run(&p.spec, &f, &err), RC_OK);
    assert_int_equal(rc_wanted_of(&p.spec, 1, &w, &err), RC_OK);
    for (size_t i = 0; i < w.count; i++)
        messages += w.row[i].ask.op == RC_COST_SEND_RECV ? w.row[i].time : 0;
    assert_true(f.busy[RC_P_SENDRECV] > 0.005 * f.time);
    assert_true(messages < 0.1 * f.busy[RC_P_SENDRECV] / f.time);
    rc_wanted_free(&w);
    close_pass(&p);
}

/* Several passes: each counts the same; twice the same is as once. */
static void test_several(void **state) {
    (void)state;
    pass p;
    open_pass(&p, serial);
    rc_sequence longer = {1, 64000};
    rc_spec all[] = {p.spec, p.spec, p.spec};
    rc_wanted once, twice, mixed;
    all[2].seqs = &longer;
    all[2].seq_count = 1;
    assert_int_equal(rc_wanted_of(all, 1, &once, &err), RC_OK);
    assert_int_equal(rc_wanted_of(all, 2, &twice, &err), RC_OK);
    assert_int_equal(rc_wanted_of(all + 1, 2, &mixed, &err), RC_OK);
    assert_int_equal(once.count, twice.count);
    assert_true(fabs(once.half - twice.half) < 1e-12);
    for (size_t i = 0; i < once.count; i++)
        assert_true(fabs(once.row[i].narrows - twice.row[i].narrows) < 1e-12);
    assert_true(mixed.count > once.count);
    double sum = 0;
    for (size_t i = 0; i < mixed.count; i++)
        sum += mixed.row[i].time;
    assert_true(fabs(sum - 1) < 1e-3);
    rc_wanted_free(&once);
    rc_wanted_free(&twice);
    rc_wanted_free(&mixed);
    close_pass(&p);
}

/* A pass that cannot be run is its own error, and nothing is left behind. */
static void test_refused(void **state) {
    (void)state;
    pass p;
    open_pass(&p, serial);
    rc_wanted w;
    rc_sequence many = {1, 900000000};
    p.spec.seqs = &many;
    p.spec.seq_count = 1;
    assert_int_equal(rc_wanted_of(&p.spec, 1, &w, &err), RC_E_NOFIT);
    assert_null(w.row);
    close_pass(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),  cmocka_unit_test(test_interval),
        cmocka_unit_test(test_hidden),  cmocka_unit_test(test_several),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
