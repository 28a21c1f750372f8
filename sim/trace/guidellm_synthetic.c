/* GuideLLM's synthetic text as a file: the keys that follow `--data kind=synthetic_text,` as YAML or JSON.
 *
 *   prompt_tokens    mean; with _stdev normal, rounded, and kept within _min and _max (5 deviations to either
 *                    side, and 1, where they are not stated); with _min or _max alone uniform between them;
 *                    else the number itself
 *   output_tokens    likewise
 *   turns            of a conversation: each holds the same number of new tokens and all that went before
 *   prefix_buckets   [{bucket_weight, prefix_count, prefix_tokens}]: a bucket by its weight, one of its
 *                    prefixes at random; or prefix_count and prefix_tokens for a single bucket
 *   samples          conversations, 1000 where it is not stated
 *
 * When requests are sent is no part of it (GuideLLM's --profile is), so the trace has lengths alone, and who
 * plays it says a rate or a concurrency. Draws are by GuideLLM's seed of 42: of the same distributions, not the
 * same numbers. `source` changes no length and is not looked at; calls of tools are refused.
 *
 * Source: docs/guides/datasets.md and the deserializer of synthetic text in vllm-project/guidellm.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/links.h"
#include "sim/trace/workload_make.h"
#include "sim/trace/workload_spec.h"

enum { BUCKETS = 1024, SAMPLES = 1000, SEED = 42, DEVIATIONS = 5 };

typedef struct tokens {
    int64_t mean, deviation, lo, hi; /* deviation 0: uniform in [lo, hi] */
} tokens;

typedef struct bucket {
    int64_t weight, prefixes, tokens, first; /* first: group in the load */
} bucket;

typedef struct conversation {
    tokens input, output;
    uint32_t in, out; /* of the one in hand: each turn's */
    int64_t turns, samples;
    bucket *at;
    size_t buckets;
    int64_t weights;    /* sum */
    rc_workload groups; /* of prefixes, nothing else */
    rc_rng rng;
} conversation;

/* ---- reading ---------------------------------------------------------------------------------- */

static rc_status read_tokens(const rc_node *root, const char *name, int64_t most, tokens *t,
                             rc_error *err) {
    char key[3][32];
    const char *const ends[] = {"stdev", "min", "max"};
    int64_t *const of[] = {&t->deviation, &t->lo, &t->hi};
    bool said[3];
    RC_TRY(rc_doc_int(root, name, 1, most, &t->mean, err));
    for (int i = 0; i < 3; i++) {
        (void)snprintf(key[i], sizeof key[i], "%s_%s", name, ends[i]);
        said[i] = rc_doc_has(root, key[i]);
        if (said[i])
            RC_TRY(rc_doc_int(root, key[i], i > 0, most, of[i], err));
    }
    const int64_t reach = DEVIATIONS * t->deviation;
    if (!said[1])
        t->lo = t->mean - reach > 1 ? t->mean - reach : 1;
    if (!said[2])
        t->hi = t->mean + reach < most ? t->mean + reach : most;
    if (t->lo > t->hi)
        return rc_node_fail(rc_node_get(root, name), err, RC_E_INPUT,
                            "%s between %lld and %lld: min is above max", name, (long long)t->lo,
                            (long long)t->hi);
    return RC_OK;
}

static rc_status read_bucket(const rc_node *n, bucket *b, rc_error *err) {
    *b = (bucket){.weight = 100, .prefixes = 1};
    if (rc_doc_has(n, "bucket_weight"))
        RC_TRY(rc_doc_int(n, "bucket_weight", 1, 1000000, &b->weight, err));
    if (rc_doc_has(n, "prefix_count"))
        RC_TRY(rc_doc_int(n, "prefix_count", 1, 1 << 20, &b->prefixes, err));
    if (rc_doc_has(n, "prefix_tokens"))
        RC_TRY(rc_doc_int(n, "prefix_tokens", 0, RC_TRACE_MAX_INPUT / 2, &b->tokens, err));
    return RC_OK;
}

static rc_status read_buckets(const rc_node *root, conversation *c, rc_error *err) {
    static const char *const keys[] = {"bucket_weight", "prefix_count", "prefix_tokens", NULL};
    const rc_node *list = NULL;
    if (rc_doc_has(root, "prefix_buckets"))
        RC_TRY(rc_doc_list(root, "prefix_buckets", &list, err));
    if (list && (rc_doc_has(root, "prefix_tokens") || rc_doc_has(root, "prefix_count")))
        return rc_node_fail(list, err, RC_E_INPUT,
                            "prefix_buckets, or prefix_tokens and prefix_count, not both");
    c->buckets = list ? rc_node_count(list) : 1;
    if (c->buckets < 1 || c->buckets > BUCKETS)
        return rc_node_fail(list, err, RC_E_INPUT, "%zu buckets, expected 1 to %d", c->buckets,
                            BUCKETS);
    c->at = calloc(c->buckets, sizeof *c->at);
    if (!c->at)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    for (size_t i = 0; i < c->buckets; i++) {
        const rc_node *n = list ? rc_node_at(list, i) : root;
        bucket *b = &c->at[i];
        if (rc_node_kind_of(n) != RC_NODE_MAP)
            return rc_node_fail(n, err, RC_E_INPUT, "a bucket is no map");
        if (list)
            RC_TRY(rc_doc_known(n, keys, err));
        RC_TRY(read_bucket(n, b, err));
        c->weights += b->weight;
        RC_TRY(rc_workload_groups(&c->groups, (size_t)b->prefixes, b->tokens, &b->first, err));
    }
    return RC_OK;
}

static rc_status read_config(const rc_node *root, conversation *c, rc_error *err) {
    static const char *const keys[] = {"kind",
                                       "prompt_tokens",
                                       "prompt_tokens_stdev",
                                       "prompt_tokens_min",
                                       "prompt_tokens_max",
                                       "output_tokens",
                                       "output_tokens_stdev",
                                       "output_tokens_min",
                                       "output_tokens_max",
                                       "turns",
                                       "prefix_tokens",
                                       "prefix_count",
                                       "prefix_buckets",
                                       "samples",
                                       "source",
                                       NULL};
    static const char *const kinds[] = {"synthetic_text", NULL};
    int kind;
    RC_TRY(rc_doc_known(root, keys, err));
    if (rc_doc_has(root, "kind"))
        RC_TRY(rc_doc_choice(root, "kind", kinds, &kind, err));
    RC_TRY(read_tokens(root, "prompt_tokens", RC_TRACE_MAX_INPUT / 2, &c->input, err));
    RC_TRY(read_tokens(root, "output_tokens", RC_TRACE_MAX_OUTPUT, &c->output, err));
    c->turns = 1;
    c->samples = SAMPLES;
    if (rc_doc_has(root, "turns"))
        RC_TRY(rc_doc_int(root, "turns", 1, RC_WORKLOAD_ROUNDS, &c->turns, err));
    if (rc_doc_has(root, "samples"))
        RC_TRY(rc_doc_int(root, "samples", 1, RC_TRACE_MAX_ROWS, &c->samples, err));
    if (c->samples > RC_TRACE_MAX_ROWS / c->turns)
        return rc_node_fail(root, err, RC_E_INPUT,
                            "%lld samples of %lld turns: more than %d requests",
                            (long long)c->samples, (long long)c->turns, RC_TRACE_MAX_ROWS);
    return read_buckets(root, c, err);
}

/* ---- making ----------------------------------------------------------------------------------- */

static uint32_t draw_tokens(const tokens *t, rc_rng *r) {
    if (t->deviation == 0)
        return (uint32_t)(t->lo + (int64_t)rc_rng_below(r, (uint64_t)(t->hi - t->lo) + 1));
    const double v = (double)t->mean + (double)t->deviation * rc_rng_normal(r);
    return (uint32_t)llround(fmin(fmax(v, (double)t->lo), (double)t->hi));
}

static const rc_workload_group *draw_prefix(conversation *c) {
    int64_t at = (int64_t)rc_rng_below(&c->rng, (uint64_t)c->weights);
    const bucket *b = c->at;
    while (at >= b->weight)
        at -= (b++)->weight;
    const int64_t which = (int64_t)rc_rng_below(&c->rng, (uint64_t)b->prefixes);
    return b->tokens > 0 ? &c->groups.group[b->first + which] : NULL;
}

static void same_turn(void *of, uint32_t *input, uint32_t *output) {
    const conversation *c = of;
    *input = c->in;
    *output = c->out;
}

static rc_status converse(conversation *c, uint64_t limit, rc_trace *t, rc_error *err) {
    size_t room = 0;
    rc_rng_seed(&c->rng, SEED);
    t->blocks = rc_workload_shared(&c->groups);
    for (int64_t i = 0; i < c->samples && (limit == 0 || t->count < limit); i++) {
        c->in = draw_tokens(&c->input, &c->rng);
        c->out = draw_tokens(&c->output, &c->rng);
        const rc_workload_rounds x = {.arrival = RC_NO_ARRIVAL,
                                      .rounds = c->turns > 1 ? c->turns : 0,
                                      .history = c->turns > 1,
                                      .group = draw_prefix(c),
                                      .draw = same_turn,
                                      .of = c};
        RC_TRY(rc_workload_add(t, &room, limit > 0 ? limit : UINT64_MAX, &x, err));
    }
    t->block = t->blocks > 0 ? RC_WORKLOAD_BLOCK : 0;
    t->rows = t->count;
    rc_trace_link(t);
    return RC_OK;
}

rc_status rc_guidellm_synthetic_read(const char *name, const char *text, size_t size,
                                     uint64_t limit, rc_trace *out, rc_error *err) {
    rc_doc *doc = NULL;
    conversation c = {0};
    RC_TRY(rc_doc_parse(name, text, size, &doc, err));
    rc_status st = read_config(rc_doc_root(doc), &c, err);
    rc_doc_close(doc);
    if (st == RC_OK)
        st = converse(&c, limit, out, err);
    rc_workload_free(&c.groups);
    free(c.at);
    return st;
}
