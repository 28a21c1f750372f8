/* Scenarios of `ringcast serve`: the file, section by section. Keys, units and defaults are in
 * docs/serving.md. Pools and faults are in serve_pools.c, arrivals in serve_arrivals.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/forward/scenario.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/layout.h"
#include "sim/serve/serve_engine.h"
#include "sim/serve/serve_scenario.h"

/* Sizes of the graphs, each larger than the one before. */
static rc_status read_graphs(const rc_section *map, rc_serve *s, rc_error *err) {
    size_t n = 0;
    if (!rc_section_has(map, "graphs"))
        return RC_OK;
    RC_TRY(rc_section_item_count(map, "graphs", 1, RC_SERVE_GRAPHS, &n, err));
    for (size_t i = 0; i < n; i++) {
        int64_t least = i > 0 ? s->graphs[i - 1] + 1 : 1;
        RC_TRY(rc_section_whole_item(map, "graphs", i, least, 1 << 20, &s->graphs[i], err));
    }
    s->graph_count = (int)n;
    return RC_OK;
}

static rc_status read_steps(const rc_section *map, rc_serve *s, rc_error *err) {
    int admission, ranks;
    RC_TRY(rc_section_choice(map, "admission", &admission, err));
    RC_TRY(rc_section_choice(map, "decode_ranks", &ranks, err));
    s->decode_by_position = ranks == 1;
    s->admission = (rc_admission)admission;
    RC_TRY(read_graphs(map, s, err));
    RC_TRY(rc_section_switch(map, "overlap", &s->overlap, err));
    RC_TRY(rc_section_number(map, "step", &s->step_host, err));
    return rc_section_number(map, "step_sequence", &s->step_host_sequence, err);
}

static rc_status read_scheduler(const rc_section *root, rc_serve *s, rc_error *err) {
    rc_section map;
    int policy, preempt;
    RC_TRY(rc_section_enter(root, "scheduler", &map, err));
    RC_TRY(rc_section_choice(&map, "policy", &policy, err));
    RC_TRY(rc_section_choice(&map, "preemption", &preempt, err));
    s->sched = (rc_sched)policy;
    s->preempt = preempt == 0 ? RC_PREEMPT_RECOMPUTE : RC_PREEMPT_SWAP;
    for (int i = 0; s->sched != RC_SCHED_PREFILL_FIRST && i < s->pool_count; i++)
        if (!rc_schedule_takes(s->pools[i].pick.schedule, RC_MIXED, s->pools[i].cp))
            return rc_node_fail(rc_section_node(&map, "policy"), err, RC_E_INPUT,
                                "key 'policy': %s passes decode beside prompts, which "
                                "%s (pool '%s') does not do",
                                s->sched == RC_SCHED_CHUNKED ? "chunked" : "inflight",
                                s->pools[i].pick.schedule->name, s->pools[i].name);
    RC_TRY(rc_section_whole(&map, "budget", &s->budget, err));
    if (s->sched != RC_SCHED_PREFILL_FIRST && s->budget == 0)
        return rc_node_fail(rc_section_node(&map, "budget"), err, RC_E_INPUT,
                            "key 'budget': found 0, but %s passes need one of at least 1",
                            s->sched == RC_SCHED_CHUNKED ? "chunked" : "inflight");
    RC_TRY(read_steps(&map, s, err));
    RC_TRY(rc_section_whole(&map, "max_batch", &s->max_batch, err));
    RC_TRY(rc_section_whole(&map, "fuse", &s->fuse, err));
    return rc_section_whole(&map, "max_waiting", &s->max_waiting, err);
}

/* What the cache holds is stated once: under `dtypes`, or here, or alike in both. */
static rc_status read_kv_dtype(const rc_section *root, const rc_section *kv, rc_serve *s,
                               rc_error *err) {
    static const rc_dtype values[] = {RC_BF16, RC_FP8, RC_INT4};
    const rc_node *at = rc_node_get(rc_section_node(root, "dtypes"), "kv");
    int i = 0;
    if (rc_section_has(kv, "dtype")) {
        RC_TRY(rc_section_choice(kv, "dtype", &i, err));
        if (at != NULL && s->layout.kv != values[i])
            return rc_node_fail(rc_section_node(kv, "dtype"), err, RC_E_INPUT,
                                "key 'dtype': KV is %s here and %s in dtypes.kv; state it once",
                                rc_dtype_name(values[i]), rc_dtype_name(s->layout.kv));
        s->layout.kv = values[i];
        at = rc_section_node(kv, "dtype");
    }
    if (rc_layout_check_types(&s->layout, NULL) == RC_OK)
        return RC_OK;
    if (at == NULL) /* the checkpoint's own */
        at = rc_section_node(root, "model");
    return rc_node_fail(at, err, RC_E_UNMODELLED,
                        "KV in %s is not modelled: attention was measured over bf16 and fp8 keys "
                        "and values, and int4 is modelled; activations are bf16, found %s",
                        rc_dtype_name(s->layout.kv), rc_dtype_name(s->layout.act));
}

/* `memory` is the machine's memory_fraction under the name that serving has for it. */
static rc_status read_kv_memory(const rc_section *kv, rc_serve *s, rc_error *err) {
    double fraction = s->machine.memory_fraction;
    RC_TRY(rc_section_number(kv, "memory", &fraction, err));
    if (rc_machine_overridden(&s->machine, "memory_fraction") &&
        fraction != s->machine.memory_fraction)
        return rc_node_fail(rc_section_node(kv, "memory"), err, RC_E_INPUT,
                            "key 'memory': %.4g here and %.4g in machine.memory_fraction; state it "
                            "once",
                            fraction, s->machine.memory_fraction);
    s->machine.memory_fraction = fraction;
    return RC_OK;
}

static rc_status read_kv(const rc_section *root, rc_serve *s, rc_error *err) {
    rc_section map;
    int policy, of, hits, transfer;
    int64_t block, tokens = 0;
    RC_TRY(rc_section_enter(root, "kv", &map, err));
    RC_TRY(read_kv_dtype(root, &map, s, err));
    RC_TRY(rc_section_whole(&map, "block", &block, err));
    RC_TRY(rc_section_whole(&map, "tokens", &tokens, err));
    RC_TRY(rc_section_choice(&map, "policy", &policy, err));
    RC_TRY(read_kv_memory(&map, s, err));
    RC_TRY(rc_section_choice(&map, "memory_of", &of, err));
    s->kv_of_free = of == 1;
    RC_TRY(rc_section_choice(&map, "hits", &hits, err));
    s->kv_whole_hits = hits == 1;
    RC_TRY(rc_section_choice(&map, "transfer", &transfer, err));
    s->kv_by_layer = transfer == 1;
    RC_TRY(rc_section_number(&map, "host_memory", &s->host_memory, err));
    RC_TRY(rc_section_number(&map, "host_rate", &s->host_rate, err));
    s->kv_block = (uint32_t)block;
    s->kv_tokens = (uint64_t)tokens;
    s->kv_policy = (rc_kv_policy)policy;
    return RC_OK;
}

static rc_status needed(const rc_section *s, const char *key, int64_t *out, rc_error *err) {
    if (!rc_section_has(s, key))
        return rc_node_fail(s->map, err, RC_E_INPUT, "missing key '%s' in '%s'", key, s->path);
    return rc_section_whole(s, key, out, err);
}

/* Keys that an indexer chooses are layers of the model, which scores all keys in every pass. A choice
 * that is free is a limit on the keys alone. */
static rc_status read_top_k(const rc_section *map, rc_serve *s, rc_error *err) {
    int64_t heads = 0, dim = 0;
    RC_TRY(needed(map, "keys", &s->window, err));
    RC_TRY(rc_section_whole(map, "index_heads", &heads, err));
    RC_TRY(rc_section_whole(map, "index_dim", &dim, err));
    if (heads == 0)
        return RC_OK;
    s->pattern = RC_PATTERN_FULL;
    return rc_model_see_fewer(
        &s->model,
        &(rc_fewer_keys){.top_k = s->window, .index_heads = (int)heads, .index_dim = (int)dim},
        err);
}

static rc_status read_pattern(const rc_section *root, rc_serve *s, rc_error *err) {
    rc_section map;
    int pattern = 0;
    RC_TRY(rc_section_enter(root, "attention", &map, err));
    if (!map.map)
        return RC_OK;
    RC_TRY(rc_section_choice(&map, "pattern", &pattern, err));
    s->pattern = (rc_pattern)pattern;
    if (s->pattern == RC_PATTERN_WINDOW || s->pattern == RC_PATTERN_WINDOW_GLOBAL)
        RC_TRY(needed(&map, "window", &s->window, err));
    if (s->pattern == RC_PATTERN_WINDOW_GLOBAL)
        RC_TRY(needed(&map, "global", &s->global, err));
    if (s->pattern == RC_PATTERN_TOP_K)
        return read_top_k(&map, s, err);
    return RC_OK;
}

#define SUM_SLACK 1e-9 /* decimal fractions that add up to 1 do so to this */

/* `tokens`: the probability of 1, 2, ... tokens accepted in a step; together 1. */
static rc_status read_step_tokens(const rc_section *map, rc_serve *s, rc_error *err) {
    double sum = 0.0;
    size_t n;
    if (!rc_section_has(map, "tokens"))
        return rc_node_fail(map->map, err, RC_E_INPUT,
                            "missing key 'tokens' in 'speculative', or 'drafts'");
    RC_TRY(rc_section_number(map, "step_cost", &s->step_cost, err));
    RC_TRY(rc_section_item_count(map, "tokens", 1, RC_SERVE_STEPS, &n, err));
    for (size_t i = 0; i < n; i++) {
        double p;
        RC_TRY(rc_section_number_item(map, "tokens", i, &p, err));
        sum += p;
        s->step_tokens[i] = sum;
    }
    if (sum < 1.0 - SUM_SLACK || sum > 1.0 + SUM_SLACK)
        return rc_node_fail(rc_section_node(map, "tokens"), err, RC_E_INPUT,
                            "key 'tokens': the probabilities add up to %.10g, expected 1", sum);
    s->step_kinds = (int)n;
    return RC_OK;
}

static rc_status read_drafter(const rc_section *map, rc_serve *s, rc_error *err) {
    char path[1024];
    if (!rc_section_has(map, "model")) {
        rc_error why = {0};
        return rc_drafter_own(&s->model, &s->drafter, &why) == RC_OK
                   ? RC_OK
                   : rc_node_fail(map->map, err, RC_E_INPUT, "key 'drafts': %.300s", why.msg);
    }
    RC_TRY(rc_scenario_named(map, "model", "models", ".json", path, sizeof path, err));
    s->drafter.joins = false;
    s->drafter.copies = 1;
    return rc_model_open(path, &s->drafter.model, err);
}

rc_status rc_pool_takes_drafts(const rc_serve *s, const rc_pool *p, rc_error *err) {
    const rc_layout l = rc_pool_layout(s, p, p->cp);
    if (rc_pool_stages(p) > 1 || rc_pool_groups(p) > 1 || p->dynamic_cp)
        return rc_fail(err, RC_E_UNMODELLED,
                       "drafts together with pp, dp_attention or dynamic_cp are not modelled");
    return rc_schedule_fits(rc_schedule_on(p->pick.schedule, p->cp), &s->drafter.model, &l, err);
}

static rc_status check_drafts(const rc_section *map, const rc_serve *s, rc_error *err) {
    const rc_node *at = rc_section_node(map, "drafts");
    for (int i = 0; i < s->pool_count; i++) {
        rc_error why = {0};
        const rc_status st = rc_pool_takes_drafts(s, &s->pools[i], &why);
        if (st != RC_OK)
            return rc_node_fail(at, err, st, "key 'drafts', pool '%s': %.300s", s->pools[i].name,
                                why.msg);
    }
    return s->pattern == RC_PATTERN_FULL
               ? RC_OK
               : rc_node_fail(at, err, RC_E_UNMODELLED,
                              "key 'drafts': drafts under an attention pattern are not modelled");
}

/* Each draft is accepted with probability a where those before it were. */
static rc_status read_drafts(const rc_section *map, rc_serve *s, rc_error *err) {
    int64_t drafts;
    double acceptance, rest = 1.0;
    RC_TRY(rc_section_whole(map, "drafts", &drafts, err));
    if (rc_section_has(map, "tokens") || rc_section_has(map, "step_cost"))
        return rc_node_fail(rc_section_node(map, "drafts"), err, RC_E_INPUT,
                            "key 'drafts' stands beside 'tokens' or 'step_cost': what a step makes "
                            "and takes follows from it");
    if (!rc_section_has(map, "acceptance"))
        return rc_node_fail(map->map, err, RC_E_INPUT, "missing key 'acceptance' in 'speculative'");
    RC_TRY(rc_section_number(map, "acceptance", &acceptance, err));
    if (drafts == 0)
        return RC_OK;
    s->drafts = (int)drafts;
    s->step_kinds = s->drafts + 1;
    for (int i = 0; i < s->drafts; i++) {
        rest *= acceptance;
        s->step_tokens[i] = 1.0 - rest;
    }
    s->step_tokens[s->drafts] = 1.0;
    RC_TRY(read_drafter(map, s, err));
    return check_drafts(map, s, err);
}

static rc_status read_speculative(const rc_section *root, rc_serve *s, rc_error *err) {
    rc_section map;
    s->step_cost = 1.0;
    RC_TRY(rc_section_enter(root, "speculative", &map, err));
    if (!map.map)
        return RC_OK;
    return rc_section_has(&map, "drafts") ? read_drafts(&map, s, err)
                                          : read_step_tokens(&map, s, err);
}

static rc_status read_costs(const rc_section *root, rc_serve *s, rc_error *err) {
    rc_linear_costs *c = &s->linear;
    const struct {
        const char *key;
        double *out;
    } costs[] = {{"prefill", &c->prefill},
                 {"prefill_token", &c->prefill_token},
                 {"prefill_pair", &c->prefill_pair},
                 {"decode", &c->decode},
                 {"decode_sequence", &c->decode_sequence},
                 {"decode_key", &c->decode_key},
                 {"draft", &c->draft}};
    rc_section map;
    RC_TRY(rc_section_enter(root, "costs", &map, err));
    c->on = map.map != NULL;
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
        RC_TRY(rc_section_number(&map, costs[i].key, costs[i].out, err));
    c->draft *= s->drafts;
    return RC_OK;
}

static rc_status read_head(const rc_section *root, rc_serve *s, rc_error *err) {
    int routing, loss;
    int64_t seed;
    RC_TRY(rc_section_text(root, "serve", s->name, sizeof s->name, err));
    RC_TRY(rc_section_prose(root, "description", s->description, sizeof s->description, err));
    RC_TRY(rc_section_choice(root, "routing", &routing, err));
    RC_TRY(rc_section_choice(root, "on_loss", &loss, err));
    RC_TRY(rc_section_number(root, "price", &s->price, err));
    RC_TRY(rc_section_whole(root, "seed", &seed, err));
    s->routing = (rc_routing)routing;
    s->lose = loss == 1;
    s->seed = (uint64_t)seed;
    return RC_OK;
}

rc_status rc_serve_read(rc_doc *doc, const char *const *sets, size_t set_count, rc_serve *out,
                        rc_error *err) {
    rc_section root;
    char engine[160];
    const char *all[RC_ENGINE_SETS];
    assert(doc != NULL);
    memset(out, 0, sizeof *out);
    RC_TRY(rc_scenario_set(doc, sets, set_count, err));
    RC_TRY(rc_serve_engine(doc, sets, set_count, engine, all, &set_count, err));
    RC_TRY(rc_section_root(RC_KEYS_SERVE, rc_doc_root(doc), &root, err));
    RC_TRY(read_head(&root, out, err));
    RC_TRY(rc_scenario_parts(&root, all, set_count, &out->model, &out->machine, err));
    rc_model_dtypes(&out->model, &out->layout);
    RC_TRY(rc_scenario_dtypes(&root, &out->layout, err));
    RC_TRY(rc_serve_read_pools(&root, out, err));
    RC_TRY(read_scheduler(&root, out, err));
    RC_TRY(read_kv(&root, out, err));
    RC_TRY(rc_serve_read_arrivals(&root, out, err));
    RC_TRY(rc_serve_read_history(&root, out, err));
    RC_TRY(rc_serve_read_faults(&root, out, err));
    RC_TRY(read_pattern(&root, out, err));
    RC_TRY(read_speculative(&root, out, err));
    RC_TRY(rc_serve_read_slo(&root, out, err));
    return read_costs(&root, out, err);
}

rc_status rc_serve_load(const char *path, const char *const *sets, size_t set_count, rc_serve *out,
                        rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = rc_serve_read(doc, sets, set_count, out, err);
    rc_doc_close(doc);
    return st;
}
