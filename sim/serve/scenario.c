/* Scenarios of `ringcast serve`: the file, section by section. Keys, units and defaults are in
 * docs/serving.md. Pools and faults are in scenario_pools.c, arrivals in scenario_arrivals.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <float.h>
#include <string.h>
#include "sim/forward/scenario.h"
#include "sim/serve/scenario_internal.h"

rc_status rc_opt_int(const rc_node *map, const char *key, int64_t lo, int64_t hi, int64_t *out,
                     rc_error *err) {
    return rc_doc_has(map, key) ? rc_doc_int(map, key, lo, hi, out, err) : RC_OK;
}

rc_status rc_opt_quantity(const rc_node *map, const char *key, rc_dim dim, double lo, double hi,
                          double *out, rc_error *err) {
    return rc_doc_has(map, key) ? rc_doc_quantity(map, key, dim, lo, hi, out, err) : RC_OK;
}

rc_status rc_opt_choice(const rc_node *map, const char *key, const char *const *names, int *out,
                        rc_error *err) {
    return rc_doc_has(map, key) ? rc_doc_choice(map, key, names, out, err) : RC_OK;
}

rc_status rc_opt_bool(const rc_node *map, const char *key, bool *out, rc_error *err) {
    return rc_doc_has(map, key) ? rc_doc_bool(map, key, out, err) : RC_OK;
}

rc_status rc_opt_map(const rc_node *root, const char *key, const char *const *keys,
                     const rc_node **out, rc_error *err) {
    *out = NULL;
    if (!rc_doc_has(root, key))
        return RC_OK;
    RC_TRY(rc_doc_map(root, key, out, err));
    return rc_doc_known(*out, keys, err);
}

static rc_status read_scheduler(const rc_node *root, rc_serve *s, rc_error *err) {
    static const char *const keys[] = {"policy",      "budget",     "max_batch", "fuse",
                                       "max_waiting", "preemption", NULL};
    static const char *const policies[] = {"prefill-first", "chunked", NULL};
    static const char *const preempts[] = {"recompute", "swap", NULL};
    const rc_node *map;
    int policy = 0, preempt = 0;
    RC_TRY(rc_opt_map(root, "scheduler", keys, &map, err));
    s->max_batch = 256;
    s->fuse = 16;
    s->budget = 8192;
    if (!map)
        return RC_OK;
    RC_TRY(rc_opt_choice(map, "policy", policies, &policy, err));
    RC_TRY(rc_opt_choice(map, "preemption", preempts, &preempt, err));
    s->sched = policy == 0 ? RC_SCHED_PREFILL_FIRST : RC_SCHED_CHUNKED;
    s->preempt = preempt == 0 ? RC_PREEMPT_RECOMPUTE : RC_PREEMPT_SWAP;
    for (int i = 0; s->sched == RC_SCHED_CHUNKED && i < s->pool_count; i++)
        if (strcmp(s->pools[i].variant, "all-gather-kv") == 0)
            return rc_node_fail(rc_node_get(map, "policy"), err, RC_E_INPUT,
                                "key 'policy': chunked passes decode beside prompts, which "
                                "all-gather-kv (pool '%s') does not do",
                                s->pools[i].name);
    RC_TRY(rc_opt_int(map, "budget", s->sched == RC_SCHED_CHUNKED, MAX_TOKENS, &s->budget, err));
    RC_TRY(rc_opt_int(map, "max_batch", 1, 1 << 20, &s->max_batch, err));
    RC_TRY(rc_opt_int(map, "fuse", 1, 4096, &s->fuse, err));
    return rc_opt_int(map, "max_waiting", 0, MAX_TOKENS, &s->max_waiting, err);
}

/* What the cache holds is stated once: under `dtypes`, or here, or alike in both. */
static rc_status read_kv_dtype(const rc_node *root, const rc_node *kv, rc_serve *s, rc_error *err) {
    static const char *const names[] = {"bf16", "fp8", "int4", NULL};
    static const rc_dtype values[] = {RC_BF16, RC_FP8, RC_INT4};
    const rc_node *dtypes = rc_node_get(root, "dtypes"), *at = rc_node_get(dtypes, "kv");
    int i = 0;
    if (kv != NULL && rc_doc_has(kv, "dtype")) {
        RC_TRY(rc_doc_choice(kv, "dtype", names, &i, err));
        if (at != NULL && s->layout.kv != values[i])
            return rc_node_fail(rc_node_get(kv, "dtype"), err, RC_E_INPUT,
                                "key 'dtype': KV is %s here and %s in dtypes.kv; state it once",
                                names[i], rc_dtype_name(s->layout.kv));
        s->layout.kv = values[i];
        at = rc_node_get(kv, "dtype");
    }
    if (s->layout.kv == RC_BF16 || s->layout.kv == RC_FP8)
        return RC_OK;
    if (at == NULL) /* the checkpoint's own */
        at = rc_node_get(root, "model");
    return rc_node_fail(at, err, RC_E_UNMODELLED,
                        "KV in %s is not modelled: attention was measured over bf16 and fp8 keys "
                        "and values",
                        rc_dtype_name(s->layout.kv));
}

static rc_status read_kv(const rc_node *root, rc_serve *s, rc_error *err) {
    static const char *const keys[] = {"block",  "dtype",       "policy",    "memory",
                                       "tokens", "host_memory", "host_rate", NULL};
    const rc_node *map;
    int policy = 0;
    int64_t block = 16, tokens = 0;
    s->kv_memory = 0.95;
    s->kv_block = 16;
    s->host_rate = 50e9;
    RC_TRY(rc_opt_map(root, "kv", keys, &map, err));
    RC_TRY(read_kv_dtype(root, map, s, err));
    if (!map)
        return RC_OK;
    RC_TRY(rc_opt_int(map, "block", 1, 1 << 20, &block, err));
    RC_TRY(rc_opt_int(map, "tokens", 1, MAX_TOKENS, &tokens, err));
    RC_TRY(rc_opt_choice(map, "policy", rc_kv_policy_names(), &policy, err));
    RC_TRY(rc_opt_quantity(map, "memory", RC_DIM_RATIO, 0.01, 1.0, &s->kv_memory, err));
    RC_TRY(rc_opt_quantity(map, "host_memory", RC_DIM_BYTES, 0.0, 1e18, &s->host_memory, err));
    RC_TRY(rc_opt_quantity(map, "host_rate", RC_DIM_BANDWIDTH, 1.0, 1e18, &s->host_rate, err));
    s->kv_block = (uint32_t)block;
    s->kv_tokens = (uint64_t)tokens;
    s->kv_policy = (rc_kv_policy)policy;
    return RC_OK;
}

static rc_status read_pattern(const rc_node *root, rc_serve *s, rc_error *err) {
    static const char *const keys[] = {"pattern", "window", "global", "keys", NULL};
    static const char *const patterns[] = {"full", "window", "window-global", "top-k", NULL};
    const rc_node *map;
    int pattern = 0;
    RC_TRY(rc_opt_map(root, "attention", keys, &map, err));
    if (!map)
        return RC_OK;
    RC_TRY(rc_doc_choice(map, "pattern", patterns, &pattern, err));
    s->pattern = (rc_pattern)pattern;
    if (s->pattern == RC_PATTERN_WINDOW || s->pattern == RC_PATTERN_WINDOW_GLOBAL)
        RC_TRY(rc_doc_int(map, "window", 1, MAX_TOKENS, &s->window, err));
    if (s->pattern == RC_PATTERN_WINDOW_GLOBAL)
        RC_TRY(rc_doc_int(map, "global", 0, MAX_TOKENS, &s->global, err));
    if (s->pattern == RC_PATTERN_TOP_K)
        RC_TRY(rc_doc_int(map, "keys", 1, MAX_TOKENS, &s->window, err));
    return RC_OK;
}

/* `tokens`: the probability of 1, 2, ... tokens accepted in a step; together 1. */
static rc_status read_speculative(const rc_node *root, rc_serve *s, rc_error *err) {
    static const char *const keys[] = {"tokens", "step_cost", NULL};
    const rc_node *map, *list;
    double sum = 0.0;
    s->step_cost = 1.0;
    RC_TRY(rc_opt_map(root, "speculative", keys, &map, err));
    if (!map)
        return RC_OK;
    RC_TRY(rc_opt_quantity(map, "step_cost", RC_DIM_RATIO, 0.01, 100.0, &s->step_cost, err));
    RC_TRY(rc_doc_list(map, "tokens", &list, err));
    size_t n = rc_node_count(list);
    if (n < 1 || n > RC_SERVE_STEPS)
        return rc_node_fail(list, err, RC_E_INPUT, "key 'tokens': found %zu, expected 1 to %d", n,
                            RC_SERVE_STEPS);
    for (size_t i = 0; i < n; i++) {
        double p;
        RC_TRY(rc_node_quantity(rc_node_at(list, i), "tokens", RC_DIM_RATIO, 0.0, 1.0, &p, err));
        sum += p;
        s->step_tokens[i] = sum;
    }
    if (sum < 1.0 - 1e-9 || sum > 1.0 + 1e-9)
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'tokens': the probabilities add up to %.10g, expected 1", sum);
    s->step_kinds = (int)n;
    return RC_OK;
}

static rc_status read_slo(const rc_node *root, rc_serve *s, rc_error *err) {
    static const char *const keys[] = {"ttft", "ttit", NULL};
    const rc_node *map;
    RC_TRY(rc_opt_map(root, "slo", keys, &map, err));
    if (!map)
        return RC_OK;
    RC_TRY(rc_opt_quantity(map, "ttft", RC_DIM_TIME, DBL_MIN, 1e9, &s->slo_ttft, err));
    return rc_opt_quantity(map, "ttit", RC_DIM_TIME, DBL_MIN, 1e9, &s->slo_ttit, err);
}

static rc_status read_costs(const rc_node *root, rc_serve *s, rc_error *err) {
    static const char *const keys[] = {"prefill", "prefill_token",   "prefill_pair",
                                       "decode",  "decode_sequence", "decode_key",
                                       NULL};
    rc_linear_costs *c = &s->linear;
    double *const out[] = {&c->prefill, &c->prefill_token,   &c->prefill_pair,
                           &c->decode,  &c->decode_sequence, &c->decode_key};
    const rc_node *map;
    RC_TRY(rc_opt_map(root, "costs", keys, &map, err));
    if (!map)
        return RC_OK;
    c->on = true;
    for (int i = 0; keys[i]; i++)
        RC_TRY(rc_opt_quantity(map, keys[i], RC_DIM_TIME, 0.0, 1e6, out[i], err));
    return RC_OK;
}

static rc_status read_head(const rc_node *root, rc_serve *s, rc_error *err) {
    static const char *const keys[] = {
        "serve", "description", "model",       "machine",   "dtypes", "pools",   "scheduler",
        "kv",    "routing",     "arrivals",    "synthetic", "faults", "on_loss", "slo",
        "price", "seed",        "speculative", "attention", "costs",  NULL};
    static const char *const routings[] = {"load", "prefix", NULL};
    static const char *const losses[] = {"retry", "lose", NULL};
    int routing = 0, loss = 0;
    int64_t seed = 1;
    RC_TRY(rc_doc_known(root, keys, err));
    RC_TRY(rc_doc_label(root, "serve", s->name, sizeof s->name, err));
    if (rc_doc_has(root, "description"))
        RC_TRY(rc_doc_prose(root, "description", s->description, sizeof s->description, err));
    RC_TRY(rc_opt_choice(root, "routing", routings, &routing, err));
    RC_TRY(rc_opt_choice(root, "on_loss", losses, &loss, err));
    RC_TRY(rc_opt_quantity(root, "price", RC_DIM_RATIO, 0.0, 1e9, &s->price, err));
    RC_TRY(rc_opt_int(root, "seed", 0, INT64_C(1) << 40, &seed, err));
    s->routing = routing == 0 ? RC_ROUTE_LOAD : RC_ROUTE_PREFIX;
    s->lose = loss == 1;
    s->seed = (uint64_t)seed;
    return RC_OK;
}

rc_status rc_serve_read(rc_doc *doc, const char *const *sets, size_t set_count, rc_serve *out,
                        rc_error *err) {
    memset(out, 0, sizeof *out);
    RC_TRY(rc_scenario_set(doc, sets, set_count, err));
    const rc_node *root = rc_doc_root(doc);
    RC_TRY(read_head(root, out, err));
    RC_TRY(rc_scenario_parts(root, &out->model, &out->machine, err));
    RC_TRY(rc_scenario_set_machine(&out->machine, sets, set_count, err));
    rc_model_dtypes(&out->model, &out->layout);
    RC_TRY(rc_scenario_dtypes(root, &out->layout, err));
    RC_TRY(rc_serve_read_pools(root, out, err));
    RC_TRY(read_scheduler(root, out, err));
    RC_TRY(read_kv(root, out, err));
    RC_TRY(rc_serve_read_arrivals(root, out, err));
    RC_TRY(rc_serve_read_faults(root, out, err));
    RC_TRY(read_pattern(root, out, err));
    RC_TRY(read_speculative(root, out, err));
    RC_TRY(read_slo(root, out, err));
    return read_costs(root, out, err);
}

rc_status rc_serve_load(const char *path, const char *const *sets, size_t set_count, rc_serve *out,
                        rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = rc_serve_read(doc, sets, set_count, out, err);
    rc_doc_close(doc);
    return st;
}
