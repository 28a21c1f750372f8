/* Plan files: what is read and filled in, what is refused in which words, and that the chosen plan
 * written as a scenario of `serve` is read as what the trial played.
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

#include "sim/plan/plan_file.h"

#define HEAD                                                                                       \
    "plan: p\nmodel: llama-3.1-70b\n"                                                              \
    "synthetic: {requests: 40, process: poisson, rate: 2, input: {kind: constant, mean: 2K}, "     \
    "output: {kind: constant, mean: 20}}\n"
#define OFFERS "offers: [{machine: h100-sxm, price: 2, gpus: 32}]\n"
#define SLO "slo: [{ttft: 2s}]\n"
#define SPACE "space: {tp: 8}\n"

static rc_plan_file file;

static rc_status read_as(const char *name, const char *text, rc_error *err) {
    rc_doc *doc = NULL;
    memset(err, 0, sizeof *err);
    RC_TRY(rc_doc_parse(name, text, strlen(text), &doc, err));
    return rc_plan_read(doc, NULL, 0, &file, err);
}

static rc_status read_text(const char *text, rc_error *err) {
    return read_as("p.yaml", text, err);
}

static void read_well(const char *text) {
    rc_error err;
    char words[1200];
    if (read_text(text, &err) != RC_OK)
        fail_msg("%s", rc_error_text(&err, words, sizeof words));
}

static void says(const char *text, const char *expected) {
    rc_error err;
    char got[1200];
    assert_int_not_equal(read_text(text, &err), RC_OK);
    assert_string_equal(rc_error_text(&err, got, sizeof got), expected);
}

static void test_defaults(void **state) {
    (void)state;
    read_well(HEAD OFFERS SLO SPACE);
    const rc_plan *p = &file.plan;
    assert_int_equal(p->offer_count, 1);
    assert_true(p->offers[0].price == 2.0 && p->offers[0].gpus == 32);
    assert_true(p->objective_count == 1 && !p->objectives[0].ttit &&
                p->objectives[0].limit == 2.0 && p->objectives[0].share == 0.95);
    assert_true(p->space.cp.n == 1 && p->space.cp.v[0] == 1 && p->space.replicas.n == 1);
    assert_true(p->growth == 1.0 && p->check_seeds == 10 && p->met == 0.9);
    assert_string_equal(rc_pick_name(&p->space.picks[0]), "oracle");
    assert_string_equal(file.serve.name, "p");
    assert_false(p->own_arrivals);
    rc_plan_close(&file);
    /* other seeds draw a trace with arrivals of its own anew */
    read_well(
        "plan: p\nmodel: llama-3.1-70b\narrivals: {trace: mooncake_conversation.jsonl.xz}\n" OFFERS
            SLO SPACE);
    assert_true(p->own_arrivals && p->check_seeds == 10);
    static rc_serve played;
    rc_plan_trial trial = {.option = {.prefill = 1, .tp = 8, .cp = 1, .max_batch = 8},
                           .growth = 1.0,
                           .matrix = 1.0,
                           .hbm = 1.0,
                           .network = 1.0,
                           .memory = 1.0,
                           .ring_step = -1.0};
    trial.seed = p->seed;
    rc_plan_serve(&file, &trial, &played);
    assert_false(played.resample);
    trial.seed++;
    rc_plan_serve(&file, &trial, &played);
    assert_true(played.resample);
    rc_plan_close(&file);
    /* clients send a trace's requests in its order, whatever the seed */
    read_well("plan: p\nmodel: llama-3.1-70b\nconcurrency: 4\n"
              "arrivals: {trace: mooncake_conversation.jsonl.xz}\n" OFFERS SLO SPACE);
    assert_true(!p->own_arrivals && p->check_seeds == 0);
    trial.growth = 2.0; /* of traffic: twice the clients */
    rc_plan_serve(&file, &trial, &played);
    assert_true(played.clients == 8 && played.rate_scale == 1.0 && !played.resample);
    rc_plan_close(&file);
}

static void test_all_keys(void **state) {
    (void)state;
    read_well(HEAD "offers: [{machine: h100-sxm, price: 2, gpus: 32}, {machine: gti, price: 1.5, "
                   "gpus: 16}]\n"
                   "slo: [{ttft: 2s, share: 99%}, {ttit: 50ms}, {ttft: 1s, from: 0, to: 4K}]\n"
                   "space: {tp: [4, 8], cp: [1, 2], decode_cp: [1, 2], variant: [pass-q, "
                   "algorithm-5], dynamic_cp: [false, true], pools: [mixed, disaggregated], "
                   "scheduler: [prefill-first, chunked], budget: [2K, 4K], max_batch: 16, kv: "
                   "[fp8, bf16], replicas: {from: 2, to: 5}}\n"
                   "search: {simulations: 7, seeds: 3, met: 50%, growth: 1.5}\n");
    const rc_plan *p = &file.plan;
    assert_true(p->offer_count == 2 && p->objective_count == 3);
    assert_true(p->objectives[0].share == 0.99 && p->objectives[1].ttit);
    assert_true(p->objectives[2].from == 0 && p->objectives[2].to == 4000);
    assert_true(p->space.replicas.n == 4 && p->space.replicas.v[3] == 5);
    assert_true(p->space.kv.v[0] == RC_FP8 && p->space.kv.v[1] == RC_BF16);
    assert_true(p->space.split.n == 2 && p->space.dynamic.n == 2 && p->space.pick_count == 2);
    assert_true(p->simulations == 7 && p->check_seeds == 3 && p->met == 0.5 && p->growth == 1.5);
    rc_plan_close(&file);
}

/* Groups multiply the GPUs of what decodes: 2 replicas of 4 groups of 2 GPUs, and beside them 3 of 2 x 2. */
static void test_groups(void **state) {
    (void)state;
    const rc_plan_option mixed = {.tp = 2, .cp = 1, .prefill = 2, .dp = 4};
    const rc_plan_option apart = {
        .tp = 2, .cp = 2, .decode_cp = 1, .prefill = 3, .decode = 2, .dp = 4};
    assert_int_equal(rc_plan_gpus(&mixed), 2 * 4 * 2);
    assert_int_equal(rc_plan_gpus(&apart), 3 * 2 * 2 + 2 * 4 * 2);
    assert_true(rc_plan_groups(&mixed, false) == 8 && rc_plan_groups(&apart, false) == 3 &&
                rc_plan_groups(&apart, true) == 8);
    read_well(HEAD OFFERS SLO
              "space: {tp: 8, dcp: [1, 2], dp_attention: 2, ep: [1, 0], dcp_variant: "
              "dcp-a2a, expert_skew: 0.5, mla: absorbed}\n");
    const rc_plan_space *s = &file.plan.space;
    assert_true(s->dcp.n == 2 && s->dp.v[0] == 2 && s->ep.v[0] == 1 && s->ep.v[1] == -1);
    assert_string_equal(s->cut->name, "dcp-a2a");
    assert_true(s->expert_skew == 0.5 && s->mla == RC_MLA_ABSORBED);
    rc_plan_close(&file);
}

static void test_errors(void **state) {
    (void)state;
    says(HEAD OFFERS SLO, "p.yaml:1:1: missing key 'space' at the top level");
    says(HEAD SLO SPACE, "p.yaml:1:1: missing key 'offers' at the top level");
    says(HEAD "offers: []\n" SLO SPACE, "p.yaml:4:9: key 'offers': found 0, expected 1 to 16");
    says(HEAD OFFERS SPACE, "p.yaml:1:1: missing key 'slo' at the top level");
    says(HEAD OFFERS SLO "space: {cp: 2}\n", "p.yaml:6:8: missing key 'tp' in 'space'");
    says(HEAD OFFERS SLO SPACE "pools: []\n",
         "p.yaml:7:8: key 'pools': a plan finds that itself, from 'offers' and 'space'");
    says(HEAD OFFERS "slo: [{share: 50%}]\n" SPACE,
         "p.yaml:5:7: key 'slo': each entry limits 'ttft', 'ttit' or both");
    says(HEAD OFFERS "slo: 2s\n" SPACE, "p.yaml:5:6: key 'slo': found '2s', expected a list");
    says(HEAD OFFERS SLO "space: {tp: 8, kv: [fp9]}\n",
         "p.yaml:6:21: key 'kv': found 'fp9', expected one of bf16, fp8, int4 (did you mean "
         "'fp8'?)");
    says(HEAD OFFERS SLO "space: {tp: 8, kv: [bf16, fp8]}\ndtypes: {kv: fp8}\n",
         "p.yaml:6:20: key 'kv': the scenario states KV in fp8 besides; state it once");
    says(HEAD OFFERS SLO "space: {tp: 8, replicas: {from: 5, to: 2}}\n",
         "p.yaml:6:40: key 'to': found '2', expected a whole number from 5 to 132");
    says(HEAD "offers: [{machine: h100-sxn, price: 2, gpus: 8}]\n" SLO SPACE,
         "p.yaml:4:20: key 'machine': no 'h100-sxn.yaml' beside the scenario, in the current "
         "folder or in scenarios/machines (did you mean "
         "'h100-sxm'?)");
    says(HEAD OFFERS SLO SPACE "serch: {}\n",
         "p.yaml:7:1: unknown key 'serch' (did you mean 'serve'?)");
}

/* kv.memory speaks of all machines on offer. */
static void test_kv_memory(void **state) {
    (void)state;
    read_well(HEAD OFFERS SLO SPACE);
    assert_true(file.plan.offers[0].machine.memory_fraction == 0.9);
    rc_plan_close(&file);
    read_well(HEAD OFFERS SLO SPACE "kv: {memory: 85%}\n");
    assert_true(file.plan.offers[0].machine.memory_fraction == 0.85);
    rc_plan_close(&file);
}

/* What is stated of the memory twice must be the same; what is not stated stays each machine's own, whatever else is said of KV. */
static void test_memory_stated_twice(void **state) {
    (void)state;
    static const char *const set[] = {"machine.memory_fraction=0.8"};
    static const struct {
        const char *kv;
        double fraction; /* 0: refused */
    } t[] = {{"", 0.8},
             {"kv: {tokens: 5000}\n", 0.8},
             {"kv: {memory: 80%}\n", 0.8},
             {"kv: {memory: 85%}\n", 0.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[2048];
        rc_doc *doc = NULL;
        rc_error err = {0};
        (void)snprintf(text, sizeof text, HEAD OFFERS SLO SPACE "%s", t[i].kv);
        assert_int_equal(rc_doc_parse("p.yaml", text, strlen(text), &doc, &err), RC_OK);
        rc_status st = rc_plan_read(doc, set, 1, &file, &err);
        if (t[i].fraction > 0.0) {
            if (st != RC_OK)
                fail_msg("%s", err.msg);
            assert_true(file.plan.offers[0].machine.memory_fraction == t[i].fraction);
            rc_plan_close(&file);
        } else {
            assert_int_equal(st, RC_E_INPUT);
            assert_non_null(strstr(err.msg, "key 'memory': 0.85 here and 0.8 in "
                                            "machine.memory_fraction; state it once"));
        }
    }
}

/* A list of numbers from one to another has 128 at the most, and none beyond what the key may be. */
static void test_between(void **state) {
    (void)state;
    says(HEAD OFFERS SLO "space: {tp: 8, replicas: {from: 1, to: 129}}\n",
         "p.yaml:6:40: key 'to': found '129', expected a whole number from 1 to 128");
    says(HEAD OFFERS SLO "space: {tp: 8, replicas: {from: 1000, to: 1025}}\n",
         "p.yaml:6:43: key 'to': found '1025', expected a whole number from 1000 to 1024");
    read_well(HEAD OFFERS SLO "space: {tp: 8, replicas: {from: 897, to: 1024}}\n");
    const rc_plan_ints *r = &file.plan.space.replicas;
    assert_true(r->n == 128 && r->v[0] == 897 && r->v[127] == 1024);
    rc_plan_close(&file);
}

/* Types of KV to choose among are no matter of what else the scenario says of types, or of KV. */
static void test_kv_beside(void **state) {
    (void)state;
    static const char *const beside[] = {"dtypes: {ffn_weights: fp8}\n", "kv: {tokens: 5000}\n",
                                         ""};
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        char text[2048];
        (void)snprintf(text, sizeof text, HEAD OFFERS SLO "space: {tp: 8, kv: [int4, bf16]}\n%s",
                       beside[i]);
        read_well(text);
        assert_true(file.plan.space.kv.n == 2 && file.plan.space.kv.v[0] == RC_INT4 &&
                    file.plan.space.kv.v[1] == RC_BF16);
        assert_true(file.serve.price == 2.0);
        rc_plan_close(&file);
    }
}

static void test_kv_of_the_scenario(void **state) {
    (void)state;
    read_well(HEAD OFFERS SLO SPACE "dtypes: {kv: fp8}\n");
    assert_true(file.plan.space.kv.n == 1 && file.plan.space.kv.v[0] == RC_FP8);
    rc_plan_close(&file);
    read_well(HEAD OFFERS SLO "space: {tp: 8, kv: fp8}\nkv: {dtype: fp8}\n");
    assert_true(file.plan.space.kv.n == 1 && file.plan.space.kv.v[0] == RC_FP8);
    rc_plan_close(&file);
}

static rc_plan_answer answer_of(const rc_plan_option *o) {
    rc_plan_answer a = {.best = 0, .all_count = 1};
    a.all = calloc(1, sizeof *a.all);
    assert_non_null(a.all);
    a.all[0].option = *o;
    return a;
}

static void round_trip(const rc_plan_option *o) {
    char path[] = "/tmp/ringcast-plan-XXXXXX";
    rc_plan_trial t = {.option = *o,
                       .seed = 1,
                       .growth = 1.0,
                       .matrix = 1.0,
                       .hbm = 1.0,
                       .network = 1.0,
                       .memory = 1.0,
                       .ring_step = -1.0};
    rc_serve *played = calloc(2, sizeof *played), *written = played + 1;
    rc_error err = {0};
    assert_non_null(played);
    read_well(HEAD OFFERS SLO "space: {tp: 8, cp: [1, 2], variant: [pass-q, algorithm-5]}\n");
    rc_plan_answer a = answer_of(o);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    rc_plan_serve(&file, &t, played);
    assert_int_equal(rc_plan_save_scenario(&file, &a, path, true, &err), RC_OK);
    assert_int_equal(rc_serve_load(path, NULL, 0, written, &err), RC_OK);
    assert_int_equal(played->pool_count, written->pool_count);
    for (int i = 0; i < played->pool_count; i++) {
        const rc_pool *x = &played->pools[i], *y = &written->pools[i];
        assert_true(x->role == y->role && x->replicas == y->replicas && x->tp == y->tp &&
                    x->cp == y->cp && x->dynamic_cp == y->dynamic_cp);
        const rc_layout mine = rc_pool_layout(played, x, x->cp),
                        read = rc_pool_layout(written, y, y->cp);
        assert_true(rc_layout_dcp(&mine) == rc_layout_dcp(&read) &&
                    rc_layout_dp(&mine) == rc_layout_dp(&read) &&
                    rc_layout_ep(&mine) == rc_layout_ep(&read));
        assert_true(x->dcp < 2 || strcmp(rc_pick_name(&x->pick), rc_pick_name(&y->pick)) == 0);
        assert_true(x->role == RC_POOL_DECODE || x->pick.by == y->pick.by);
        assert_string_equal(x->name, y->name);
    }
    assert_true(played->sched == written->sched && played->max_batch == written->max_batch);
    assert_true(played->layout.kv == written->layout.kv && played->price == written->price);
    assert_true(played->sched == RC_SCHED_PREFILL_FIRST || played->budget == written->budget);
    assert_string_equal(played->machine.name, written->machine.name);
    assert_true(played->synthetic.arrivals.rate == written->synthetic.arrivals.rate);
    unlink(path);
    free(a.all);
    free(played);
    rc_plan_close(&file);
}

static void test_round_trip(void **state) {
    (void)state;
    const rc_plan_option options[] = {
        {.tp = 8, .cp = 1, .prefill = 3, .max_batch = 16},
        {.tp = 8,
         .cp = 2,
         .prefill = 2,
         .pick = 1,
         .max_batch = 8,
         .chunked = true,
         .budget = 4096,
         .kv = RC_FP8},
        {.tp = 8,
         .cp = 2,
         .decode_cp = 1,
         .prefill = 2,
         .decode = 3,
         .dynamic = true,
         .max_batch = 64},
        {.tp = 16, .cp = 1, .prefill = 1, .max_batch = 8, .dcp = 2},
        {.tp = 16, .cp = 1, .decode_cp = 1, .prefill = 1, .decode = 1, .max_batch = 8, .dcp = 2},
        {.tp = 8, .cp = 1, .decode_cp = 1, .prefill = 1, .decode = 1, .max_batch = 8, .dp = 2},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        round_trip(&options[i]);
}

static rc_plan_trial as_it_is(void) {
    return (rc_plan_trial){.option = {.prefill = 1, .tp = 8, .cp = 1, .max_batch = 8},
                           .seed = 1,
                           .growth = 1.0,
                           .matrix = 1.0,
                           .hbm = 1.0,
                           .network = 1.0,
                           .memory = 1.0,
                           .ring_step = -1.0};
}

static void times(double got, double than, double by) {
    const double want = than * by;
    if (!(got <= want * (1.0 + 1e-12) && got >= want * (1.0 - 1e-12)))
        fail_msg("%.12g, not %g times %.12g", got, by, than);
}

/* A trial changes of the machine what it asks for and nothing else: rates and what is achieved of them together. */
static void test_changes(void **state) {
    (void)state;
    static rc_serve base, s;
    read_well(HEAD OFFERS SLO SPACE);
    rc_plan_trial t = as_it_is();
    rc_plan_serve(&file, &t, &base);
    const rc_machine *m = &base.machine, *n = &s.machine;
    for (int i = 0; i < 6; i++) {
        t = as_it_is();
        double *const of[] = {&t.matrix, &t.hbm, &t.network, &t.memory};
        if (i < 4)
            *of[i] = 1.25;
        t.ring_step = i == 4 ? 0.0 : i == 5 ? 3e-4 : -1.0;
        rc_plan_serve(&file, &t, &s);
        times(n->bf16_rate, m->bf16_rate, i == 0 ? 1.25 : 1.0);
        times(n->fp8_rate, m->fp8_rate, i == 0 ? 1.25 : 1.0);
        times(n->gemm_ratio, m->gemm_ratio, i == 0 ? 1.25 : 1.0);
        times(n->attention_ratio, m->attention_ratio, i == 0 ? 1.25 : 1.0);
        times(n->hbm_ratio, m->hbm_ratio, i == 1 ? 1.25 : 1.0);
        times(n->nic_rate, m->nic_rate, i == 2 ? 1.25 : 1.0);
        times(n->nic_line_rate, m->nic_line_rate, i == 2 ? 1.25 : 1.0);
        times(n->peer_rate, m->peer_rate, i == 2 ? 1.25 : 1.0);
        times(n->memory, m->memory, i == 3 ? 1.25 : 1.0);
        assert_true(n->ring_step == (i == 4 ? 0.0 : i == 5 ? 3e-4 : m->ring_step));
        assert_true(s.price == 2.0 && s.seed == 1 && s.sched == RC_SCHED_PREFILL_FIRST &&
                    s.max_batch == 8 && !s.resample);
    }
    t = as_it_is();
    t.growth = 1.5;
    t.seed = 2;
    rc_plan_serve(&file, &t, &s);
    times(s.synthetic.arrivals.rate, 2.0, 1.5);
    times(s.rate_scale, base.rate_scale, 1.5);
    assert_true(s.seed == 2 && !s.resample); /* what is drawn anew has no arrivals of its own */
    static const struct {
        int64_t clients, grown;
        double growth;
    } c[] = {{10, 15, 1.5}, {3, 5, 1.5}, {1, 1, 0.4}, {1, 1, 1.4}, {1, 2, 1.5}};
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        file.serve.clients = c[i].clients;
        t.growth = c[i].growth;
        rc_plan_serve(&file, &t, &s);
        assert_int_equal(s.clients, c[i].grown);
        assert_true(s.synthetic.arrivals.rate == 2.0);
    }
    rc_plan_close(&file);
}

/* The model that a written plan names is the one that was planned with, wherever it is written to: a file beside the plan is named
 * from the root, where its own name would no longer be found; a name that is found again stays. */
static void test_names_of_files(void **state) {
    (void)state;
    char here[] = "/tmp/plan-here-XXXXXX", there[] = "/tmp/plan-there-XXXXXX", cwd[1024];
    char beside[512], own[512], told[512], from[1024], path[256], command[2048], text[4096];
    assert_true(mkdtemp(here) && mkdtemp(there) && getcwd(cwd, sizeof cwd));
    (void)snprintf(beside, sizeof beside, "%s/p.yaml", here);
    (void)snprintf(own, sizeof own, "%s/own.json", here);
    (void)snprintf(told, sizeof told, "model: %s\n", own);
    const char *root = getenv("RC_SOURCE_DIR");
    (void)snprintf(from, sizeof from, "%s/models/llama-3.1-70b.json", root ? root : ".");
    (void)snprintf(command, sizeof command, "cp '%s' '%s'", from, own);
    assert_int_equal(system(command), 0);
    const struct {
        const char *plan, *model, *told;
    } t[] = {{beside, "own.json", told},
             {beside + strlen("/tmp/"), "own.json", told},
             {"p.yaml", own, told},
             {beside, "llama-3.1-70b", "model: llama-3.1-70b\n"}};
    assert_int_equal(chdir("/tmp"), 0);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_error err = {0};
        (void)snprintf(
            text, sizeof text,
            "plan: p\nmodel: %s\nsynthetic: {requests: 40, process: poisson, rate: 2, input: "
            "{kind: "
            "constant, mean: 2K}, output: {kind: constant, mean: 20}}\n" OFFERS SLO SPACE,
            t[i].model);
        if (read_as(t[i].plan, text, &err) != RC_OK)
            fail_msg("%s", err.msg);
        rc_plan_answer a =
            answer_of(&(rc_plan_option){.tp = 8, .cp = 1, .prefill = 1, .max_batch = 16});
        (void)snprintf(path, sizeof path, "%s/plan.yaml", there);
        assert_int_equal(rc_plan_save_scenario(&file, &a, path, true, &err), RC_OK);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        (void)fclose(f);
        char *unquoted = strstr(text, "model: ");
        assert_non_null(unquoted);
        if (unquoted[7] == '"') { /* `model: "NAME"` is the same name */
            (void)memmove(unquoted + 7, unquoted + 8, strlen(unquoted + 8) + 1);
            char *quote = strchr(unquoted, '"');
            assert_non_null(quote);
            (void)memmove(quote, quote + 1, strlen(quote));
        }
        if (!strstr(text, t[i].told))
            fail_msg("%s of %s: %s", t[i].model, t[i].plan, text);
        free(a.all);
        rc_plan_close(&file);
    }
    assert_int_equal(chdir(cwd), 0);
    (void)snprintf(command, sizeof command, "rm -rf '%s' '%s'", here, there);
    assert_int_equal(system(command), 0);
}

/* A small plan from end to end: what it chooses holds, and the trials repeat to the bit. */
static void test_play(void **state) {
    (void)state;
    rc_plan_player *player = NULL;
    rc_plan_bounds *b = NULL;
    rc_plan_answer a;
    rc_error err = {0};
    read_well(HEAD OFFERS SLO
              "space: {tp: [4, 8], cp: [1, 2], max_batch: [8, 32], replicas: {from: "
              "1, to: 4}}\nsearch: {simulations: 12, seeds: 2}\n");
    file.plan.quiet = true;
    assert_int_equal(rc_plan_player_create(&file, NULL, &player, &err), RC_OK);
    const rc_plan_load *load = rc_plan_player_load(player);
    assert_true(load->requests == 40.0 && load->output == 800.0 && load->longest == 2019);
    assert_int_equal(
        rc_plan_bounds_create(&file.plan, load, rc_plan_player_costs(player), &b, &err), RC_OK);
    assert_int_equal(rc_plan_search(&file.plan, b, rc_plan_simulate, player, &a, &err), RC_OK);
    assert_true(a.best >= 0 && a.all[a.best].margin >= 0.0 && a.all[a.best].outcome.done == 40.0);
    for (size_t i = 0; i < a.all_count; i++) {
        rc_plan_trial t = {.option = a.all[i].option,
                           .seed = file.plan.seed,
                           .growth = 1.0,
                           .matrix = 1.0,
                           .hbm = 1.0,
                           .network = 1.0,
                           .memory = 1.0,
                           .ring_step = -1.0};
        rc_plan_outcome again = {0};
        rc_plan_bound bound;
        assert_int_equal(rc_plan_simulate(player, &t, &again, &err), RC_OK);
        assert_true(again.value[0] == a.all[i].outcome.value[0]);
        /* no outcome is below its bound */
        assert_int_equal(rc_plan_bound_of(b, &t.option, &bound, &err), RC_OK);
        assert_true(again.value[0] >= bound.value[0] && bound.value[0] > 0.0);
    }
    rc_plan_answer_free(&a);
    rc_plan_bounds_free(b);
    rc_plan_player_free(player);
    rc_plan_close(&file);
}

/* A trial's outcome is that of the run, whether or not only a verdict is asked, as long as it holds; of one that is sure to miss no
 * objective has a value then. A replica that is lost at the start leaves nobody to answer. */
static void test_trials(void **state) {
    rc_plan_player *player = NULL;
    rc_error err = {0};
    rc_plan_outcome whole, verdict;
    (void)state;
    read_well(HEAD OFFERS "slo: [{ttft: 2s}, {ttit: 50ms}]\n" SPACE);
    assert_int_equal(rc_plan_player_create(&file, NULL, &player, &err), RC_OK);
    rc_plan_trial t = as_it_is();
    t.seed = file.plan.seed;
    assert_int_equal(rc_plan_simulate(player, &t, &whole, &err), RC_OK);
    assert_true(whole.done == 40.0 && whole.lost == 0.0 && whole.rejected == 0.0);
    assert_true(whole.value[0] > 0.0 && whole.value[0] < 2.0 && whole.value[1] > 0.0 &&
                whole.value[1] < 0.05);
    assert_true(whole.ttft_p50 <= whole.ttft_p95 && whole.ttft_p95 <= whole.ttft_p99);
    t.verdict = true;
    assert_int_equal(rc_plan_simulate(player, &t, &verdict, &err), RC_OK);
    assert_true(verdict.value[0] == whole.value[0] && verdict.value[1] == whole.value[1] &&
                verdict.makespan == whole.makespan);
    t.growth = 1000.0; /* all at once */
    assert_int_equal(rc_plan_simulate(player, &t, &verdict, &err), RC_OK);
    assert_true(isinf(verdict.value[0]) && isinf(verdict.value[1]));
    t.verdict = false;
    assert_int_equal(rc_plan_simulate(player, &t, &whole, &err), RC_OK);
    assert_true(whole.value[0] > 2.0 && isfinite(whole.value[0]) && isfinite(whole.value[1]));
    t = as_it_is();
    t.seed = file.plan.seed;
    t.lost_at = 1e-6;
    assert_int_equal(rc_plan_simulate(player, &t, &whole, &err), RC_OK);
    assert_true(whole.done == 0.0 && whole.lost + whole.rejected == 40.0);
    rc_plan_player_free(player);
    rc_plan_close(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trials),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_kv_of_the_scenario),
        cmocka_unit_test(test_kv_memory),
        cmocka_unit_test(test_memory_stated_twice),
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_kv_beside),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_names_of_files),
        cmocka_unit_test(test_play),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
