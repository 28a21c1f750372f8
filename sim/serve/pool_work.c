/* What the requests that a pool served need of it at the least, in seconds of one group of GPUs.
 *
 * The share of time in which a pass runs says little: a batch of one keeps a pool at it all day, and it could
 * have carried a hundred more. So each request is charged the time that it takes in passes as full as
 * the scheduler lets them be, where what all passes cost (weights read, launches, the host) is shared by as
 * many as can be:
 *
 *   prompt   new tokens T after P found in a cache, as when it was let in: a pass of n such prompts over n,
 *            where n is `fuse`, or as many as fill the budget of tokens (or memory) when these are
 *            fewer. Prompts are taken in classes, half an octave of T and one of P wide, by the mean of
 *            T and of the pairs of a query and a key
 *   decode   a step of a sequence over the mean of the keys that were seen: a pass of B of them over B, at
 *            the best of B = 1, 2, 4, ... and the most that there is room for: `max_batch`, and the KV of
 *            a group over what a sequence has to itself (blocks of its prompt that other sessions have,
 *            too, are held once).
 *            Where prompts and decoding share passes, what B of them add to a pass of prompts counts
 *            instead where it is less
 *
 * Where a pass costs an amount of its own and so much for each token, query and key, no way to form passes
 * takes less, so a load under which the least work is all of the time is one that the pool cannot
 * exceed. Real passes rise by steps of tiles and graphs, and the bound is as good as that. What it leaves
 * out makes the load that can be carried less: limits on latency, arrivals that come in bursts, prompts
 * computed again, batches less full than that, waits for KV from elsewhere.
 *
 * Of a replica of several stages each stage has its own least work, and the one with most of it decides.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include "sim/serve/cluster.h"

enum { BINS_T = 64, BINS_P = 32 }; /* half octaves of T, octaves of P: up to 2^32 tokens */
enum { TOKENS_BESIDE = 2048 };     /* of prompts beside which sequences decode, without a budget */

typedef struct stage_seconds {
    double of[RC_SERVE_STAGES];
} stage_seconds;

/* ---- what can be shared ----------------------------------------------------------------- */

/* A session whose turns follow one another runs one at a time: what its turns share is held once anyway. */
static rc_status find_branched(const rc_trace *t, uint64_t **out, rc_error *err) {
    *out = calloc((size_t)t->sessions / 64 + 1, sizeof **out);
    if (!*out)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a pool's work");
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *q = &t->at[i];
        bool follows = q->turn == 0 || q->after != RC_NO_REQUEST;
        if (q->session != RC_NO_SESSION && (q->sibling != RC_NO_REQUEST || !follows))
            (*out)[q->session / 64] |= UINT64_C(1) << q->session % 64;
    }
    return RC_OK;
}

/* Marks the blocks that requests of different sessions have; `who` had each of them first. */
static void mark_shared(const rc_trace *t, const uint64_t *branched, int64_t *who,
                        uint64_t *shared) {
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *q = &t->at[i];
        bool alone =
            q->session == RC_NO_SESSION || (branched[q->session / 64] >> q->session % 64 & 1) != 0;
        int64_t me = alone ? -1 - (int64_t)i : 1 + (int64_t)q->session;
        for (uint32_t s = 0; s < q->spans; s++)
            for (uint32_t k = 0; k < t->spans[q->span + s].count; k++) {
                uint32_t b = t->spans[q->span + s].first + k;
                if (who[b] != 0 && who[b] != me)
                    shared[b / 64] |= UINT64_C(1) << b % 64;
                who[b] = me;
            }
    }
}

static rc_status find_shared(const rc_trace *t, uint64_t **out, rc_error *err) {
    uint64_t *branched = NULL;
    int64_t *who = calloc((size_t)t->blocks + 1, sizeof *who);
    *out = calloc((size_t)t->blocks / 64 + 1, sizeof **out);
    rc_status st = who && *out ? find_branched(t, &branched, err)
                               : rc_fail(err, RC_E_NOMEM, "out of memory for a pool's work");
    if (st == RC_OK)
        mark_shared(t, branched, who, *out);
    free(branched);
    free(who);
    return st;
}

/* Tokens of the request that another session may hold at the same time. */
static double shared_tokens(const cluster *c, uint32_t j) {
    const rc_trace *t = c->live.whole;
    uint64_t blocks = 0;
    if (!t) /* made up as they come, of one turn each */
        return fmin(c->spec->synthetic.shared_prefix, c->trace->at[j].input);
    const rc_req *q = &t->at[c->jobs[j].number];
    for (uint32_t s = 0; s < q->spans; s++)
        for (uint32_t k = 0; k < t->spans[q->span + s].count; k++) {
            uint32_t b = t->spans[q->span + s].first + k;
            blocks += c->sharing.blocks[b / 64] >> b % 64 & 1;
        }
    return fmin((double)blocks * t->block, q->input);
}

/* ---- what is told ----------------------------------------------------------------------- */

rc_status work_create(cluster *c, rc_error *err) {
    if (!c->options->work)
        return RC_OK;
    for (int i = 0; i < c->pool_count; i++) {
        pool_work *w = &c->pools[i].work;
        w->classes = calloc((size_t)BINS_T * BINS_P, sizeof *w->classes);
        if (!w->classes)
            return rc_fail(err, RC_E_NOMEM, "out of memory for a pool's work");
    }
    return c->live.whole ? find_shared(c->live.whole, &c->sharing.blocks, err) : RC_OK;
}

void work_destroy(cluster *c) {
    for (int i = 0; i < c->pool_count; i++)
        free(c->pools[i].work.classes);
    free(c->sharing.blocks);
}

/* Of a number from 1 on that a request may have, of 32 bits. */
static int bin_of(double x, double an_octave) {
    return (int)floor(an_octave * log2(x));
}

void work_prompt(cluster *c, uint32_t j, uint32_t cached) {
    const rc_req *q = &c->trace->at[j];
    const pool *p = pool_of(c, home_of(c, j));
    const double n = (double)q->input - cached, steps = q->output - 1.0;
    if (!p->work.classes)
        return;
    prompt_class *k = &p->work.classes[bin_of(n, 2.0) * BINS_P + bin_of(cached + 1.0, 1.0)];
    k->count++;
    k->tokens += n;
    k->pairs += n * cached + 0.5 * n * (n + 1.0);
    if (steps > 0.0)
        c->sharing.tokens += shared_tokens(c, j) * steps;
    c->sharing.steps += steps;
}

/* s of a pass in each stage of a healthy replica whose other groups have as many tokens to compute. */
static rc_status pass_time(cluster *c, pool *p, rc_pass *pass, stage_seconds *out, rc_error *err) {
    replica probe = {.pool = (uint32_t)(p - c->pools), .stages = (uint32_t)rc_pool_stages(p->spec)};
    rc_pass_cost cost;
    int64_t tokens = pass->decodes;
    *out = (stage_seconds){{0.0}};
    for (uint32_t i = 0; i < pass->prefills; i++)
        tokens += pass->prefill[i].t;
    pass->elsewhere = tokens * (rc_pool_groups(p->spec) - 1);
    RC_TRY(pool_pass_time(c, &probe, pass, &cost, err));
    if (probe.stages == 1)
        c->scratch.work[0] = cost.time - cost.saved;
    for (uint32_t s = 0; s < probe.stages; s++)
        out->of[s] = (double)c->scratch.work[s] / RC_PS_PER_S;
    return RC_OK;
}

/* ---- prompts ---------------------------------------------------------------------------- */

/* As many prompts of t tokens as a pass can hold; the last may stick out of the budget, since others
 * would fill it to the brim. */
static uint32_t prompts_of_full(const rc_serve *s, const pool *p, int64_t t) {
    int64_t most = s->budget > 0 && s->budget < p->largest ? s->budget : p->largest;
    int64_t n = most / t + (most % t > 0);
    return (uint32_t)(n < 1 ? 1 : n < s->fuse ? n : s->fuse);
}

static rc_status add_class(cluster *c, pool *p, const prompt_class *k, stage_seconds *sum,
                           rc_error *err) {
    const double count = (double)k->count, t = floor(k->tokens / count);
    const double before = (k->pairs / count - 0.5 * t * (t + 1.0)) / t;
    const rc_sequence prompt = {(int64_t)t, before > 0.0 ? (int64_t)before : 0};
    rc_sequence *parts = c->scratch.parts;
    stage_seconds one;
    uint32_t n = prompts_of_full(c->spec, p, prompt.t);
    for (uint32_t i = 0; i < n; i++)
        parts[i] = prompt;
    rc_pass pass = {.prefill = parts, .prefills = n};
    RC_TRY(pass_time(c, p, &pass, &one, err));
    for (int s = 0; s < rc_pool_stages(p->spec); s++)
        sum->of[s] += one.of[s] * (count / n);
    return RC_OK;
}

static rc_status prompts_least(cluster *c, pool *p, stage_seconds *sum, rc_error *err) {
    for (int i = 0; i < BINS_T * BINS_P; i++)
        if (p->work.classes[i].count > 0)
            RC_TRY(add_class(c, p, &p->work.classes[i], sum, err));
    return RC_OK;
}

/* ---- decoding --------------------------------------------------------------------------- */

/* Sequences that may decode in a group at a time, on average, when each sees `keys`. */
static uint32_t most_at_a_time(const cluster *c, const pool *p, double keys) {
    double own = keys - c->sharing.tokens / c->sharing.steps;
    double room = (double)p->capacity * c->block, most = (double)c->spec->max_batch;
    bool whole = c->spec->pattern == RC_PATTERN_FULL; /* else more is kept than seen */
    if (whole && own > 1.0 && room / own < most)
        most = ceil(room / own);
    return most < 1.0 ? 1 : (uint32_t)most;
}

/* Of a sequence, where that is less than what is known: a step of n of them over n. */
static rc_status step_alone(cluster *c, pool *p, uint32_t n, double keys, stage_seconds *least,
                            rc_error *err) {
    rc_pass pass = {.decodes = n, .context = (int64_t)(n * fmax(keys - 1.0, 0.0))};
    stage_seconds one;
    RC_TRY(pass_time(c, p, &pass, &one, err));
    for (int s = 0; s < rc_pool_stages(p->spec); s++)
        least->of[s] = fmin(least->of[s], one.of[s] / n);
    return RC_OK;
}

/* The same of what a step adds to a pass of prompts that has room left for n sequences. */
static rc_status step_beside(cluster *c, pool *p, uint32_t n, double keys, stage_seconds *least,
                             rc_error *err) {
    int64_t tokens = c->spec->budget > 0 ? c->spec->budget - n : TOKENS_BESIDE;
    const rc_sequence prompt = {tokens > 1 ? tokens : 1, 0};
    rc_pass with = {.prefill = &prompt,
                    .prefills = 1,
                    .decodes = n,
                    .context = (int64_t)(n * fmax(keys - 1.0, 0.0))};
    rc_pass without = {.prefill = &prompt, .prefills = 1};
    stage_seconds both, alone;
    RC_TRY(pass_time(c, p, &with, &both, err));
    RC_TRY(pass_time(c, p, &without, &alone, err));
    for (int s = 0; s < rc_pool_stages(p->spec); s++)
        least->of[s] = fmin(least->of[s], fmax(both.of[s] - alone.of[s], 0.0) / n);
    return RC_OK;
}

static rc_status steps_least(cluster *c, pool *p, stage_seconds *sum, rc_error *err) {
    double keys = p->sums.keys / (double)p->sums.batch;
    uint32_t most = most_at_a_time(c, p, keys);
    stage_seconds least;
    for (int s = 0; s < RC_SERVE_STAGES; s++)
        least.of[s] = INFINITY;
    for (uint32_t n = 1; n < most; n *= 2)
        RC_TRY(step_alone(c, p, n, keys, &least, err));
    RC_TRY(step_alone(c, p, most, keys, &least, err));
    if (c->spec->sched != RC_SCHED_PREFILL_FIRST && p->spec->role == RC_POOL_MIXED)
        RC_TRY(step_beside(c, p, most, keys, &least, err));
    for (int s = 0; s < rc_pool_stages(p->spec); s++)
        sum->of[s] += least.of[s] * (double)p->sums.batch;
    return RC_OK;
}

rc_status work_least(cluster *c, pool *p, double *seconds, rc_error *err) {
    stage_seconds sum = {{0.0}};
    *seconds = NAN;
    if (!p->work.classes)
        return RC_OK;
    RC_TRY(prompts_least(c, p, &sum, err));
    if (p->sums.batch > 0)
        RC_TRY(steps_least(c, p, &sum, err));
    *seconds = sum.of[0];
    for (int s = 1; s < rc_pool_stages(p->spec); s++)
        *seconds = fmax(*seconds, sum.of[s]);
    return RC_OK;
}
