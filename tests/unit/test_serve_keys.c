/* Serving scenarios key by key: each value stands where the simulation looks for it, what belongs to another key is refused,
 * and each limit holds at its value and not one beyond.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/serve/serve_engine.h"
#include "tests/support/serve.h"

static rc_serve s;
static rc_error err;

#define POOL "pools: [{name: a, tp: 8}]\n"
#define LOAD "synthetic: {requests: 10, rate: 1}\n"

static void reads(const char *text) {
    if (serve_parse(text, &s, &err) != RC_OK)
        fail_msg("%s:%d: %s\n%s", err.file, err.line, err.msg, text);
}

/* Status and a word of the message of what does not fit. */
static void refuses(const char *text, rc_status status, const char *word) {
    rc_error why = {0};
    const rc_status st = serve_parse(text, &s, &why);
    if (st != status || !strstr(why.msg, word))
        fail_msg("status %d, expected %d and '%s': %s\n%s", (int)st, (int)status, word, why.msg,
                 text);
}

static void test_head(void **state) {
    (void)state;
    reads(SERVE_HEAD
          "description: what it is\nrouting: prefix\non_loss: lose\nprice: 2.5\nseed: 77\n" POOL
              LOAD);
    assert_string_equal(s.description, "what it is");
    assert_int_equal(s.routing, RC_ROUTE_PREFIX);
    assert_true(s.lose);
    assert_true(s.price == 2.5);
    assert_int_equal(s.seed, 77);
    reads(SERVE_HEAD "routing: hash\non_loss: retry\n" POOL LOAD);
    assert_int_equal(s.routing, RC_ROUTE_HASH);
    assert_false(s.lose);
}

static void test_pools(void **state) {
    (void)state;
    reads(SERVE_HEAD
          "price: 2\n"
          "pools: [{name: p, role: prefill, replicas: 3, tp: 4, cp: 2, variant: empirical, "
          "coefficients: [-1.5, 2.25, 4.5], price: 3.5},\n"
          "  {name: d, role: decode, replicas: 5, tp: 2, pp: 4, pp_rest: last}]\n" LOAD);
    const rc_pool *p = &s.pools[0], *d = &s.pools[1];
    assert_int_equal(s.pool_count, 2);
    assert_int_equal(p->role, RC_POOL_PREFILL);
    assert_int_equal(p->replicas, 3);
    assert_int_equal(p->tp, 4);
    assert_int_equal(p->cp, 2);
    assert_int_equal(rc_pool_gpus(p), 8);
    assert_int_equal(rc_pool_stages(p), 1);
    assert_true(p->price == 3.5);
    assert_int_equal(p->pick.by, RC_BY_RULE);
    assert_int_equal(p->pick.rule.kind, RC_RULE_EMPIRICAL);
    assert_true(p->pick.rule.alpha == -1.5 && p->pick.rule.beta == 2.25 &&
                p->pick.rule.gamma == 4.5);
    assert_int_equal(d->role, RC_POOL_DECODE);
    assert_int_equal(d->replicas, 5);
    assert_true(d->price == 2.0);
    assert_int_equal(rc_pool_stages(d), 4);
    assert_int_equal(rc_pool_gpus(d), 8);
    char text[RC_STAGES_TEXT];
    assert_string_equal(rc_pool_stages_text(d, text), " x pp 4");
    assert_string_equal(rc_pool_stages_text(p, text), "");
    reads(SERVE_HEAD "pools: [{name: a, tp: 2, cp: 4, dynamic_cp: true, variant: pass-q}]\n" LOAD);
    assert_true(s.pools[0].dynamic_cp);
    assert_string_equal(s.pools[0].pick.schedule->name, "pass-q");
    reads(SERVE_HEAD "pools: [{name: a, tp: 2, dp_attention: 4}]\n" LOAD);
    assert_int_equal(rc_pool_groups(&s.pools[0]), 4);
    assert_int_equal(rc_pool_gpus(&s.pools[0]), 8);
}

static void test_pools_refused(void **state) {
    (void)state;
    refuses(SERVE_HEAD
            "pools: [{name: a, tp: 4, cp: 2, variant: pass-kv, coefficients: [1, 2, 3]}]\n" LOAD,
            RC_E_INPUT, "of variant 'empirical'");
    refuses(
        SERVE_HEAD
        "pools: [{name: a, tp: 4, cp: 2, variant: algorithm-1, coefficients: [1, 2, 3]}]\n" LOAD,
        RC_E_INPUT, "of variant 'empirical'");
    refuses(SERVE_HEAD
            "pools: [{name: a, tp: 4, cp: 2, variant: empirical, coefficients: [1, 2]}]\n" LOAD,
            RC_E_INPUT, "coefficients");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 8, variant: pass-kv}]\n" LOAD, RC_E_INPUT,
            "it is for more ranks than one");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 4, cp: 2, variant: tp}]\n" LOAD, RC_E_INPUT,
            "it is for cp 1");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 2, cp: 2, pp: 2, dynamic_cp: true}]\n" LOAD,
            RC_E_UNMODELLED, "together with dynamic_cp");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 2, pp: 2, dp_attention: 2}]\n" LOAD, RC_E_UNMODELLED,
            "together with dp_attention");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 2, dp_attention: 2, dynamic_cp: true}]\n" LOAD,
            RC_E_INPUT, "dynamic_cp");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 2, cp: 2, world: tp-x-cp, dynamic_cp: true}, {name: "
                       "a, tp: 1}]\n" LOAD,
            RC_E_INPUT, "two pools are called 'a'");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 1}, {name: p, tp: 1, role: prefill}, {name: d, tp: "
                       "1, role: decode}]\n" LOAD,
            RC_E_INPUT, "found 1 mixed, 1 prefill, 1 decode");
    refuses(SERVE_HEAD "pools: [{name: p, tp: 1, role: prefill}]\n" LOAD, RC_E_INPUT,
            "found 0 mixed, 1 prefill, 0 decode");
    /* one node of four without a network: four GPUs are on it, eight are not */
#define ALONE "serve: test\nmodel: llama-3.1-8b\nmachine: h100x4\n" LOAD
    reads(ALONE "pools: [{name: a, tp: 2, cp: 2}]\n");
    refuses(ALONE "pools: [{name: a, tp: 4, cp: 2}]\n", RC_E_INPUT,
            "tp 4 x cp 2 needs 8 GPUs, but machine 'h100x4' is one node of 4 with no network");
    refuses(ALONE "pools: [{name: a, tp: 2, cp: 2, pp: 2}]\n", RC_E_INPUT,
            "tp 2 x cp 2 x pp 2 needs 8 GPUs");
    refuses(ALONE "pools: [{name: p, tp: 1, role: prefill}, {name: d, tp: 1, role: decode}]\n",
            RC_E_INPUT, "KV moves between pools over the network, but machine 'h100x4' has none");
    reads(SERVE_HEAD
          "pools: [{name: p, tp: 1, role: prefill}, {name: d, tp: 1, role: decode}]\n" LOAD);
}

/* As many pools, faults, objectives and sizes of graphs as there is room for, and one more. */
static void test_most(void **state) {
    static const struct {
        const char *head, *one, *more, *foot;
        int most;
    } lists[] = {
        {SERVE_HEAD LOAD "pools: [", "{name: p%d, tp: 1}", ", ", "]\n", RC_SERVE_POOLS},
        {SERVE_HEAD POOL LOAD "faults: [", "{kind: node-lost, at: 1%ds}", ", ", "]\n",
         RC_SERVE_FAULTS},
        {SERVE_HEAD POOL LOAD "slo: [", "{ttft: 1%ds}", ", ", "]\n", RC_SERVE_OBJECTIVES},
        {SERVE_HEAD POOL LOAD "slo: [", "{ttft: 1%ds, ttit: 1s}", ", ", "]\n",
         RC_SERVE_OBJECTIVES / 2},
        {SERVE_HEAD POOL LOAD "scheduler: {graphs: [", "1%02d", ", ", "]}\n", RC_SERVE_GRAPHS},
        {SERVE_HEAD POOL LOAD "speculative: {tokens: [1.0", ", %d0e-99", "", "]}\n",
         RC_SERVE_STEPS - 1},
    };
    static char text[8192];
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (int count = lists[i].most; count <= lists[i].most + 1; count++) {
            size_t at = (size_t)snprintf(text, sizeof text, "%s", lists[i].head);
            for (int k = 0; k < count; k++) {
                at +=
                    (size_t)snprintf(text + at, sizeof text - at, "%s", k > 0 ? lists[i].more : "");
                at += (size_t)snprintf(text + at, sizeof text - at, lists[i].one, k);
            }
            (void)snprintf(text + at, sizeof text - at, "%s", lists[i].foot);
            if (count == lists[i].most)
                reads(text);
            else if (serve_parse(text, &s, &err) != RC_E_INPUT)
                fail_msg("one too many is taken:\n%s", text);
        }
}

static void test_scheduler(void **state) {
    (void)state;
    reads(SERVE_HEAD POOL LOAD
          "scheduler: {policy: inflight, preemption: swap, budget: 700, admission: reply, graphs: "
          "[1, 4, 9], "
          "decode_ranks: position, overlap: true, step: 3ms, step_sequence: 5us, max_batch: 33, "
          "fuse: 7, max_waiting: 11}\n");
    assert_int_equal(s.sched, RC_SCHED_INFLIGHT);
    assert_int_equal(s.preempt, RC_PREEMPT_SWAP);
    assert_int_equal(s.budget, 700);
    assert_int_equal(s.admission, RC_ADMIT_REPLY);
    assert_int_equal(s.graph_count, 3);
    assert_true(s.graphs[0] == 1 && s.graphs[1] == 4 && s.graphs[2] == 9);
    assert_true(s.decode_by_position);
    assert_true(s.overlap);
    assert_true(s.step_host == 0.003 && s.step_host_sequence == 5e-6);
    assert_int_equal(s.max_batch, 33);
    assert_int_equal(s.fuse, 7);
    assert_int_equal(s.max_waiting, 11);
    reads(
        SERVE_HEAD POOL LOAD
        "scheduler: {policy: prefill-first, preemption: recompute, budget: 0, admission: chunk}\n");
    assert_int_equal(s.preempt, RC_PREEMPT_RECOMPUTE);
    assert_int_equal(s.budget, 0);
    assert_int_equal(s.admission, RC_ADMIT_CHUNK);
    reads(SERVE_HEAD POOL LOAD "scheduler: {policy: chunked, budget: 1}\n");
    refuses(SERVE_HEAD POOL LOAD "scheduler: {policy: chunked, budget: 0}\n", RC_E_INPUT,
            "chunked passes need one");
    refuses(SERVE_HEAD POOL LOAD "scheduler: {policy: inflight, budget: 0}\n", RC_E_INPUT,
            "inflight passes need one");
    refuses(SERVE_HEAD POOL LOAD "scheduler: {graphs: [1, 4, 4]}\n", RC_E_INPUT, "graphs");
    refuses(SERVE_HEAD POOL LOAD "scheduler: {graphs: [0, 4]}\n", RC_E_INPUT, "graphs");
    refuses(SERVE_HEAD
            "pools: [{name: a, tp: 8}, {name: b, tp: 8, cp: 2, variant: all-gather-kv}]\n" LOAD
            "scheduler: {policy: inflight}\n",
            RC_E_INPUT, "inflight passes decode beside prompts, which all-gather-kv (pool 'b')");
}

static void test_kv(void **state) {
    (void)state;
    reads(SERVE_HEAD POOL LOAD "kv: {block: 48, tokens: 12345, policy: session, memory_of: free, "
                               "hits: blocks, transfer: by-layer, "
                               "host_memory: 7GB, host_rate: 9GB/s}\n");
    assert_int_equal(s.kv_block, 48);
    assert_int_equal(s.kv_tokens, 12345);
    assert_int_equal(s.kv_policy, RC_KV_SESSION);
    assert_true(s.kv_of_free && s.kv_whole_hits && s.kv_by_layer);
    assert_true(s.host_memory == 7e9 && s.host_rate == 9e9);
    reads(SERVE_HEAD POOL LOAD
          "kv: {memory_of: all, hits: tokens, transfer: whole, dtype: int4}\n");
    assert_true(!s.kv_of_free && !s.kv_whole_hits && !s.kv_by_layer);
    assert_int_equal(s.layout.kv, RC_INT4);
    static const char *const same[] = {"machine.memory_fraction=0.85"};
    static const char text[] = SERVE_HEAD POOL LOAD "kv: {memory: 85%}\n";
    rc_doc *doc = NULL;
    assert_int_equal(rc_doc_parse("test.yaml", text, strlen(text), &doc, &err), RC_OK);
    assert_int_equal(rc_serve_read(doc, same, 1, &s, &err), RC_OK); /* stated twice, alike */
    assert_true(s.machine.memory_fraction == 0.85);
    rc_doc_close(doc);
}

static void test_arrivals(void **state) {
    (void)state;
    reads(SERVE_HEAD POOL "arrivals: {trace: azure_2023_code.csv.xz, rate_scale: 1.5, requests: "
                          "321, spread: true, shuffle: true, "
                          "together: 3, rate: 2.5, process: gamma, cv: 0.7}\n"
                          "history: {share: 0.25, kept: new, summary: 17}\n");
    assert_true(s.rate_scale == 1.5);
    assert_int_equal(s.requests, 321);
    assert_true(s.spread && s.shuffle && !s.resample);
    assert_int_equal(s.together, 3);
    assert_true(s.draw && s.shaped);
    assert_true(s.process.rate == 2.5 && s.process.cv == 0.7);
    assert_int_equal(s.process.kind, RC_ARRIVE_GAMMA);
    assert_true(s.history.share == 0.25 && s.history.anew && s.history.summary == 17);
    reads(SERVE_HEAD POOL "arrivals: {trace: azure_2023_code.csv.xz, resample: true, cv: "
                          "2}\nhistory: {kept: cached}\n");
    assert_true(s.rate_scale == 1.0 && s.history.share == 1.0);
    assert_true(!s.spread && !s.shuffle && s.resample && !s.draw && s.shaped && !s.history.anew);
    assert_int_equal(s.together, 1);
    assert_int_equal(s.requests, 0);
    reads(SERVE_HEAD POOL "arrivals: {trace: azure_2023_code.csv.xz, process: even}\n");
    assert_true(s.shaped && !s.draw);
    reads(SERVE_HEAD POOL "arrivals: {trace: azure_2023_code.csv.xz}\n");
    assert_true(!s.shaped && !s.draw);
    refuses(SERVE_HEAD POOL LOAD "history: {share: 0.5}\n", RC_E_INPUT, "there are none");
    refuses(SERVE_HEAD POOL
            "concurrency: 3\narrivals: {trace: azure_2023_code.csv.xz}\nhistory: {share: 0.5}\n",
            RC_E_INPUT, "there are none");
    reads(SERVE_HEAD POOL "synthetic: {requests: 9, rate: 1, turns: {kind: constant, mean: "
                          "2}}\nhistory: {share: 0.5}\n");
    refuses(SERVE_HEAD POOL LOAD "arrivals: {trace: azure_2023_code.csv.xz}\n", RC_E_INPUT,
            "expected one of the keys");
    refuses(SERVE_HEAD POOL, RC_E_INPUT, "expected one of the keys");
}

static void test_synthetic(void **state) {
    (void)state;
    const rc_synthetic *y = &s.synthetic;
    reads(SERVE_HEAD POOL
          "synthetic: {requests: 12, rate: 3.5, process: gamma, cv: 2.5, think: 4s, block: 24, "
          "shared_prefix: 99, "
          "groups: 6, input: {kind: lognormal, median: 700, sigma: 1.25, lo: 5, hi: 9000}, "
          "output: {kind: uniform, lo: 3, hi: 4}, turns: {kind: exponential, mean: 2.5}}\n");
    assert_int_equal(y->requests, 12);
    assert_true(y->arrivals.rate == 3.5 && y->arrivals.cv == 2.5);
    assert_int_equal(y->arrivals.kind, RC_ARRIVE_GAMMA);
    assert_true(y->think_s == 4.0);
    assert_int_equal(y->block, 24);
    assert_int_equal(y->shared_prefix, 99);
    assert_int_equal(y->groups, 6);
    assert_int_equal(y->input.kind, RC_LENGTH_LOGNORMAL);
    assert_true(y->input.mean == 700.0 && y->input.sigma == 1.25);
    assert_int_equal(y->input.lo, 5);
    assert_int_equal(y->input.hi, 9000);
    assert_int_equal(y->output.kind, RC_LENGTH_UNIFORM);
    assert_int_equal(y->output.lo, 3);
    assert_int_equal(y->output.hi, 4);
    assert_int_equal(y->turns.kind, RC_LENGTH_EXPONENTIAL);
    assert_true(y->turns.mean == 2.5);
    reads(SERVE_HEAD POOL LOAD);
    assert_true(y->input.mean == 1024.0 && y->output.mean == 128.0 && y->turns.mean == 1.0);
    assert_true(y->input.lo == 1 && y->input.kind == RC_LENGTH_CONSTANT);
    reads(SERVE_HEAD POOL
          "synthetic: {requests: 2, rate: 1, input: {kind: uniform, lo: 4, hi: 4}}\n");
    refuses(SERVE_HEAD POOL
            "synthetic: {requests: 2, rate: 1, input: {kind: uniform, lo: 4, hi: 3}}\n",
            RC_E_INPUT, "expected at least 'lo' (4)");
    refuses(SERVE_HEAD POOL "synthetic: {requests: 2}\n", RC_E_INPUT, "missing key 'rate'");
    reads(SERVE_HEAD POOL "concurrency: 3\nsynthetic: {requests: 2}\n");
    assert_true(s.clients == 3 && y->arrivals.rate == 1.0);
    refuses(SERVE_HEAD POOL
            "synthetic: {requests: 2, rate: 1, input: {kind: lognormal, sigma: 1}}\n",
            RC_E_INPUT, "missing key 'median'");
    refuses(SERVE_HEAD POOL
            "synthetic: {requests: 2, rate: 1, input: {kind: lognormal, median: 1}}\n",
            RC_E_INPUT, "missing key 'sigma'");
    refuses(SERVE_HEAD POOL "synthetic: {requests: 2, rate: 1, input: {kind: exponential}}\n",
            RC_E_INPUT, "missing key 'mean'");
}

static void test_faults(void **state) {
    (void)state;
    static const char two[] = SERVE_HEAD LOAD
        "pools: [{name: a, tp: 4, replicas: 2}, {name: b, tp: 2, cp: 2, replicas: 3}]\n"
        "faults: [{kind: slow-link, pool: b, replica: 2, rank: 1, at: 5s, speed: 0.5},\n"
        "  {kind: node-lost, pool: a, replica: 1, at: 6s, back: 8.5s}, {kind: slow-rank, pool: b, "
        "at: 7s, speed: 0.25}]\n";
    reads(two);
    const rc_serve_fault *f = s.faults;
    assert_int_equal(s.fault_count, 3);
    assert_int_equal(f[0].kind, RC_SLOW_LINK);
    assert_true(f[0].pool == 1 && f[0].replica == 2 && f[0].rank == 1 && f[0].speed == 0.5);
    assert_true(f[0].at == 5 * (rc_time)RC_PS_PER_S && f[0].back == RC_TIME_NEVER);
    assert_int_equal(f[1].kind, RC_NODE_LOST);
    assert_true(f[1].pool == 0 && f[1].replica == 1 && f[1].at == 6 * (rc_time)RC_PS_PER_S);
    assert_true(f[1].back == 17 * (rc_time)RC_PS_PER_S / 2);
    assert_int_equal(f[2].kind, RC_SLOW_RANK);
    assert_true(f[2].replica == 0 && f[2].rank == 0 && f[2].speed == 0.25);
    /* ranks of a replica: CP ranks of each stage, or of each group */
    reads(SERVE_HEAD "pools: [{name: a, tp: 1, cp: 2, pp: 2}]\n" LOAD
                     "faults: [{kind: slow-rank, at: 1s, speed: 0.5, rank: 3}]\n");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 1, cp: 2, pp: 2}]\n" LOAD
                       "faults: [{kind: slow-rank, at: 1s, speed: 0.5, rank: 4}]\n",
            RC_E_INPUT, "rank");
    reads(SERVE_HEAD "pools: [{name: a, tp: 1, dp_attention: 2}]\n" LOAD
                     "faults: [{kind: slow-rank, at: 1s, speed: 0.5, rank: 1}]\n");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 1, dp_attention: 2}]\n" LOAD
                       "faults: [{kind: slow-rank, at: 1s, speed: 0.5, rank: 2}]\n",
            RC_E_INPUT, "rank");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 1, cp: 2, pp: 2}]\n" LOAD
                       "faults: [{kind: slow-link, at: 1s, speed: 0.5}]\n",
            RC_E_UNMODELLED, "slow link of a replica with stages");
    refuses(SERVE_HEAD POOL LOAD "faults: [{kind: node-lost, at: 9s, back: 9s}]\n", RC_E_INPUT,
            "after 'at'");
    reads(SERVE_HEAD POOL LOAD "faults: [{kind: node-lost, at: 9s, back: 9.001s}]\n");
    refuses(SERVE_HEAD LOAD
            "pools: [{name: a, tp: 4}, {name: b, tp: 2}]\nfaults: [{kind: node-lost, at: 9s}]\n",
            RC_E_INPUT, "pool");
}

static void test_what_ifs(void **state) {
    (void)state;
    reads(SERVE_HEAD POOL LOAD "attention: {pattern: window, window: 300}\n");
    assert_true(s.pattern == RC_PATTERN_WINDOW && s.window == 300 && s.global == 0);
    reads(SERVE_HEAD POOL LOAD "attention: {pattern: window-global, window: 300, global: 40}\n");
    assert_true(s.pattern == RC_PATTERN_WINDOW_GLOBAL && s.window == 300 && s.global == 40);
    reads(SERVE_HEAD POOL LOAD "attention: {pattern: top-k, keys: 500, index_heads: 0}\n");
    assert_true(s.pattern == RC_PATTERN_TOP_K && s.window == 500);
    reads(SERVE_HEAD POOL LOAD
          "attention: {pattern: top-k, keys: 512, index_heads: 32, index_dim: 128}\n");
    assert_true(s.pattern == RC_PATTERN_FULL && s.window == 512);
    refuses(SERVE_HEAD POOL LOAD "attention: {pattern: window-global, window: 300}\n", RC_E_INPUT,
            "missing key 'global'");
    refuses(SERVE_HEAD POOL LOAD "attention: {pattern: window-global, global: 300}\n", RC_E_INPUT,
            "missing key 'window'");
    refuses(SERVE_HEAD POOL LOAD "attention: {pattern: top-k}\n", RC_E_INPUT, "missing key 'keys'");
    reads(SERVE_HEAD POOL LOAD "speculative: {tokens: [0.5, 0.25, 0.25], step_cost: 1.75}\n");
    assert_true(s.step_kinds == 3 && s.step_cost == 1.75);
    assert_true(s.step_tokens[0] == 0.5 && s.step_tokens[1] == 0.75 && s.step_tokens[2] == 1.0);
    reads(SERVE_HEAD POOL LOAD "speculative: {tokens: [0.9999999995]}\n");
    reads(SERVE_HEAD POOL LOAD "speculative: {tokens: [0.5, 0.5000000005]}\n");
    refuses(SERVE_HEAD POOL LOAD "speculative: {tokens: [0.999999998]}\n", RC_E_INPUT, "add up");
    refuses(SERVE_HEAD POOL LOAD "speculative: {tokens: [0.5, 0.500000002]}\n", RC_E_INPUT,
            "add up");
    refuses(SERVE_HEAD POOL LOAD "speculative: {step_cost: 2}\n", RC_E_INPUT,
            "missing key 'tokens'");
    refuses(SERVE_HEAD POOL LOAD "speculative: {drafts: 2, acceptance: 0.5, tokens: [1]}\n",
            RC_E_INPUT, "stands beside");
    refuses(SERVE_HEAD POOL LOAD "speculative: {drafts: 2, acceptance: 0.5, step_cost: 2}\n",
            RC_E_INPUT, "stands beside");
    refuses(SERVE_HEAD POOL LOAD "speculative: {drafts: 2}\n", RC_E_INPUT,
            "missing key 'acceptance'");
    refuses(SERVE_HEAD POOL LOAD "speculative: {drafts: 2, acceptance: 0.5}\n", RC_E_INPUT,
            "drafts");
#define DRAFTS "speculative: {drafts: 2, acceptance: 0.5, model: llama-3.1-8b}\n"
    reads(SERVE_HEAD POOL LOAD DRAFTS "costs: {draft: 2ms}\n");
    assert_true(s.drafts == 2 && s.step_kinds == 3);
    assert_true(s.step_tokens[0] == 0.5 && s.step_tokens[1] == 0.75 && s.step_tokens[2] == 1.0);
    assert_true(s.drafter.copies == 1 && !s.drafter.joins);
    assert_true(s.linear.draft == 0.004);
    refuses(SERVE_HEAD POOL LOAD DRAFTS "attention: {pattern: window, window: 9}\n",
            RC_E_UNMODELLED, "attention pattern");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 1, pp: 2}]\n" LOAD DRAFTS, RC_E_UNMODELLED,
            "pool 'a'");
    refuses(SERVE_HEAD "pools: [{name: a, tp: 1, dp_attention: 2}]\n" LOAD DRAFTS, RC_E_UNMODELLED,
            "pool 'a'");
    refuses(SERVE_HEAD "pools: [{name: b, tp: 1, cp: 2, dynamic_cp: true}]\n" LOAD DRAFTS,
            RC_E_UNMODELLED, "pool 'b'");
    reads(SERVE_HEAD POOL LOAD "speculative: {drafts: 0, acceptance: 0.5}\n");
    assert_true(s.drafts == 0 && s.step_kinds == 0);
}

static void test_costs(void **state) {
    (void)state;
    const rc_linear_costs *c = &s.linear;
    reads(SERVE_HEAD POOL LOAD "costs: {prefill: 1ms, prefill_token: 2ms, prefill_pair: 3ms, "
                               "decode: 4ms, decode_sequence: 5ms, "
                               "decode_key: 6ms, draft: 7ms}\n");
    assert_true(c->on && c->prefill == 0.001 && c->prefill_token == 0.002 &&
                c->prefill_pair == 0.003);
    assert_true(c->decode == 0.004 && c->decode_sequence == 0.005 && c->decode_key == 0.006);
    assert_true(c->draft == 0.0); /* of a pass without drafts */
    reads(SERVE_HEAD POOL LOAD);
    assert_false(c->on);
}

static void test_objectives(void **state) {
    (void)state;
    const rc_objective *g = s.objectives;
    char text[RC_OBJECTIVE_TEXT];
    reads(SERVE_HEAD POOL LOAD "slo: [{ttft: 2s, ttit: 30ms, share: 0.9, from: 10, to: 11}, {ttit: "
                               "50ms, from: 7}, {ttft: 1s}]\n");
    assert_int_equal(s.objective_count, 4);
    assert_true(!g[0].ttit && g[0].limit == 2.0 && g[0].share == 0.9 && g[0].from == 10 &&
                g[0].to == 11);
    assert_true(g[1].ttit && g[1].limit == 0.03 && g[1].share == 0.9 && g[1].from == 10 &&
                g[1].to == 11);
    assert_true(g[2].ttit && g[2].limit == 0.05 && g[2].from == 7 && g[2].to == INT64_MAX);
    assert_true(!g[3].ttit && g[3].from == 0);
    assert_string_equal(rc_objective_text(&g[0], text), "TTFT p90 <= 2 s, inputs of 10 to 11");
    assert_string_equal(rc_objective_text(&g[2], text), "TTIT p95 <= 0.05 s, inputs of 7 and more");
    assert_string_equal(rc_objective_text(&g[3], text), "TTFT p95 <= 1 s");
    reads(SERVE_HEAD POOL LOAD "slo: {ttit: 20ms, to: 9}\n"); /* a map for a list of one */
    assert_int_equal(s.objective_count, 1);
    assert_string_equal(rc_objective_text(&g[0], text), "TTIT p95 <= 0.02 s, inputs of 0 to 9");
    refuses(SERVE_HEAD POOL LOAD "slo: [{ttft: 2s, from: 10, to: 10}]\n", RC_E_INPUT,
            "more than 'from' (10)");
    refuses(SERVE_HEAD POOL LOAD "slo: [{share: 0.5}]\n", RC_E_INPUT, "each entry limits");
    refuses(SERVE_HEAD POOL LOAD "slo: {share: 0.5}\n", RC_E_INPUT, "each entry limits");
}

/* As many values set from outside as there is room for beside a profile's own, and one more. */
static void test_sets(void **state) {
    static const char text[] = SERVE_HEAD "engine: vllm\npools: [{name: a, tp: 4}]\n" LOAD;
    static const char *sets[1024];
    rc_doc *doc = NULL;
    (void)state;
    assert_true(RC_ENGINE_SETS <= 1024);
    for (size_t i = 0; i < RC_ENGINE_SETS; i++)
        sets[i] = "machine.network.max_nodes=4";
    assert_int_equal(rc_doc_parse("test.yaml", text, strlen(text), &doc, &err), RC_OK);
    assert_int_equal(rc_serve_read(doc, sets, RC_ENGINE_SETS, &s, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "overrides; expected at most"));
    rc_doc_close(doc);
    assert_int_equal(rc_doc_parse("test.yaml", text, strlen(text), &doc, &err), RC_OK);
    if (rc_serve_read(doc, sets, RC_ENGINE_SETS - 1, &s, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(s.machine.max_nodes, 4);
    rc_doc_close(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),          cmocka_unit_test(test_pools),
        cmocka_unit_test(test_pools_refused), cmocka_unit_test(test_most),
        cmocka_unit_test(test_scheduler),     cmocka_unit_test(test_kv),
        cmocka_unit_test(test_arrivals),      cmocka_unit_test(test_synthetic),
        cmocka_unit_test(test_faults),        cmocka_unit_test(test_what_ifs),
        cmocka_unit_test(test_costs),         cmocka_unit_test(test_objectives),
        cmocka_unit_test(test_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
