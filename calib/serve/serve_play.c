/* The scheduler's passes on the GPUs: pages, tokens, times, checks.
 *
 * All processes of a run have the same scheduler on the same trace. Rank 0's time of each pass
 * is everybody's, so that they never part and none has to be told what to compute.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/serve_command.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a scenario asks for ---------------------------------------------------------------- */

static rc_status sizes_of(const rc_serve *s, rc_serve_shape *out, rc_error *err) {
    int n = 0;
    if (s->graph_count == 0)
        return rc_fail(err, RC_E_INPUT, "scheduler.graphs must list the batches that have a graph");
    for (int i = 0; i < s->graph_count && n < RC_SERVE_SIZES; i++)
        if (n == 0 || out->sizes[n - 1] < s->max_batch)
            out->sizes[n++] = s->graphs[i] < s->max_batch ? s->graphs[i] : s->max_batch;
    out->size_count = n;
    if (out->sizes[n - 1] < s->max_batch)
        return rc_fail(err, RC_E_INPUT, "scheduler.graphs must reach scheduler.max_batch");
    return RC_OK;
}

static rc_status layer_of(const rc_serve *s, rc_ring_case *c, rc_error *err) {
    const rc_model *m = &s->model;
    const rc_layer_kind *k = &m->kind[0];
    const int tp = s->pools[0].tp, cp = s->pools[0].cp;
    if (m->kinds != 1 || k->head_dim != RC_RING_HEAD || k->window > 0)
        return rc_fail(err, RC_E_INPUT, "only layers of one kind with heads of %d are served",
                       RC_RING_HEAD);
    if (cp > RC_RING_MAX_RANKS)
        return rc_fail(err, RC_E_INPUT, "cp may be %d at most", RC_RING_MAX_RANKS);
    if (k->heads % tp || k->kv_heads % tp || k->ffn % tp)
        return rc_fail(err, RC_E_INPUT, "tp must divide heads and the FFN");
    *c = (rc_ring_case){.name = "serve",
                        .schedule = RC_RING_TP,
                        .cp = cp,
                        .tp = tp,
                        .t = 1,
                        .batch = 1,
                        .hq = k->heads / tp,
                        .hkv = k->kv_heads / tp,
                        .width = (int)m->hidden,
                        .ffn = (int)(k->ffn / tp),
                        .layers = m->layers};
    return RC_OK;
}

/* Passes over several ranks run a ring, of one kind or as a rule says. */
static rc_status check_pool(const rc_pool *p, rc_error *err) {
    const bool named = p->pick.by == RC_BY_NAME;
    if (p->cp == 1)
        return RC_OK;
    if (p->dynamic_cp || p->pick.by == RC_BY_ORACLE || p->ffn_over_cp)
        return rc_fail(err, RC_E_INPUT,
                       "over several CP ranks a schedule or a rule is served, on all of them");
    if (named && strcmp(p->pick.schedule->name, "pass-kv") != 0 &&
        strcmp(p->pick.schedule->name, "pass-q") != 0)
        return rc_fail(err, RC_E_INPUT, "variant '%s' is not served: pass-kv, pass-q and rules are",
                       p->pick.schedule->name);
    return RC_OK;
}

rc_status rc_serve_shape_of(const rc_serve *s, const rc_trace *t, rc_serve_shape *out,
                            rc_error *err) {
    const uint32_t block = t->block > 0 ? t->block : s->kv_block;
    memset(out, 0, sizeof *out);
    RC_TRY(rc_pass_player_takes(s, err));
    RC_TRY(check_pool(&s->pools[0], err));
    RC_TRY(layer_of(s, &out->layer, err));
    RC_TRY(sizes_of(s, out, err));
    if (s->kv_tokens == 0 || s->budget == 0 || s->sched != RC_SCHED_CHUNKED)
        return rc_fail(err, RC_E_INPUT,
                       "kv.tokens, scheduler.budget and scheduler.policy: chunked must be stated");
    if (block % rc_serve_page(out))
        return rc_fail(err, RC_E_INPUT, "blocks of %u tokens: a multiple of %lld is needed", block,
                       (long long)rc_serve_page(out));
    for (size_t i = 0; i < t->count; i++) {
        const int64_t tokens = (int64_t)t->at[i].input + t->at[i].output;
        out->longest = tokens > out->longest ? tokens : out->longest;
    }
    out->longest += block;
    out->vocab = s->model.vocab / s->pools[0].tp;
    out->most_tokens = s->budget > s->max_batch ? s->budget : s->max_batch;
    out->most_sequences = s->max_batch + s->fuse;
    out->most_prompts = s->fuse < RC_ATTN_MAX_SEQS ? s->fuse : RC_ATTN_MAX_SEQS;
    out->pages = (int64_t)(s->kv_tokens / block) * (block / rc_serve_page(out));
    return RC_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* What the GPUs do for the first time takes long, as connections between them and code that is loaded: prompts of every
 * power of two of tokens, and a decode step behind the last, before the run's time begins. They leave keys in
 * the first pages, which whoever gets these writes before anybody reads them. */
static rc_status warm_up(rc_serve_play *p, rc_error *err) {
    rc_serve_sequence s = {.pages = p->page_lists, .tokens = p->tokens};
    const rc_serve_shape *x = &p->engine.shape;
    int64_t most = x->most_tokens < x->longest ? x->most_tokens : x->longest;
    rc_serve_times times;
    const int64_t room = x->pages * rc_serve_page(x);
    most = most < room ? most : room;
    for (int64_t i = 0; i < p->engine.stride && i < x->pages; i++)
        p->page_lists[i] = (int32_t)i;
    for (int64_t t = 1; s.t < most; t *= 2) {
        s.t = t < most ? t : most;
        for (int ring = RC_SERVE_PASS_KV; ring <= RC_SERVE_PASS_Q && (ring == 0 || x->layer.cp > 1);
             ring++)
            RC_TRY(rc_served_model_pass(&p->engine, &s, 1, (rc_serve_ring)ring, &times, err));
    }
    s = (rc_serve_sequence){
        .t = 1, .p = most - 1, .pages = s.pages, .tokens = s.tokens, .decodes = true};
    return rc_served_model_pass(&p->engine, &s, 1, RC_SERVE_PASS_Q, &times, err);
}

rc_status rc_serve_play_open(rc_serve_play *p, const rc_serve *s, const rc_trace *t,
                             rc_error *err) {
    const rc_serve_shape *x = &p->engine.shape;
    const uint32_t block = t->block > 0 ? t->block : s->kv_block;
    const size_t n = (size_t)x->most_sequences, tokens = (size_t)x->most_tokens + 1;
    p->trace = t;
    RC_TRY(rc_serve_pages_open(&p->pages, t, block, (uint32_t)(s->kv_tokens / block), err));
    p->sequences = calloc(n, sizeof *p->sequences);
    p->page_lists = calloc(n * (size_t)p->engine.stride, sizeof *p->page_lists);
    p->blocks = calloc((size_t)p->engine.stride + 1, sizeof *p->blocks);
    p->tokens = calloc(tokens, sizeof *p->tokens);
    p->checked = calloc(tokens, sizeof *p->checked);
    if (!p->sequences || !p->page_lists || !p->blocks || !p->tokens || !p->checked)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a run");
    return warm_up(p, err);
}

void rc_serve_play_close(rc_serve_play *p) {
    rc_served_model_close(&p->engine);
    rc_serve_pages_close(&p->pages);
    rc_played_log_free(&p->log);
    free(p->sequences);
    free(p->page_lists);
    free(p->blocks);
    free(p->tokens);
    free(p->checked);
    memset(p, 0, sizeof *p);
}

/* ---- a pass ---------------------------------------------------------------------------------- */

static rc_status pages_of(rc_serve_play *p, const rc_played_pass *pass, size_t i, rc_error *err) {
    const rc_played_sequence *s = &pass->at[i];
    const int64_t tokens = s->p + s->t;
    const int64_t page = rc_serve_page(&p->engine.shape);
    const int32_t each = (int32_t)(p->pages.block / page);
    int32_t *list = p->page_lists + i * (size_t)p->engine.stride;
    RC_TRY(rc_serve_pages_list(&p->pages, pass->kv, s->request, tokens, p->blocks, err));
    for (int64_t k = 0; k * page < tokens; k++)
        list[k] = (int32_t)p->blocks[k / each] * each + (int32_t)(k % each);
    p->sequences[i].pages = list;
    return RC_OK;
}

static rc_status prepare(rc_serve_play *p, const rc_played_pass *pass, rc_error *err) {
    uint64_t *at = p->tokens;
    if ((int64_t)pass->count > p->engine.shape.most_sequences)
        return rc_fail(err, RC_E_INTERNAL, "a pass of %zu sequences", pass->count);
    for (size_t i = 0; i < pass->count; i++) {
        const rc_played_sequence *s = &pass->at[i];
        if (at + s->t > p->tokens + p->engine.shape.most_tokens)
            return rc_fail(err, RC_E_INTERNAL, "a pass of more tokens than the budget");
        p->sequences[i] =
            (rc_serve_sequence){.t = s->t, .p = s->p, .tokens = at, .decodes = s->decodes};
        for (int64_t k = 0; k < s->t; k++)
            *at++ = rc_serve_token(&p->pages, s->request, s->p + k);
        RC_TRY(pages_of(p, pass, i, err));
    }
    return RC_OK;
}

static rc_status check_one(rc_serve_play *p, const rc_played_pass *pass, size_t i, rc_error *err) {
    const rc_played_sequence *s = &pass->at[i];
    const int64_t n = s->p + s->t;
    double error = NAN;
    for (int64_t k = 0; k < n; k++)
        p->checked[k] = rc_serve_token(&p->pages, s->request, k);
    RC_TRY(rc_served_model_check(&p->engine, p->checked, n, i, &error, err));
    /* Ranks have it to say one after the other, and none goes on before all have. */
    error = isnan(error) ? INFINITY : error;
    RC_TRY(rc_group_max(p->procs, &error, err));
    p->checks_done++;
    p->worst = error > p->worst ? error : p->worst;
    return error < RC_SERVE_CHECK_LIMIT
               ? RC_OK
               : rc_fail(err, RC_E_CHECK,
                         "pass %zu, request %llu, %s of %lld tokens behind %lld: off by %.3g",
                         p->log.count, (unsigned long long)s->request,
                         s->decodes ? "decode" : "prompt", (long long)s->t, (long long)s->p, error);
}

/* The first prompt and the last that decodes, where a reference has room for them. */
static rc_status check(rc_serve_play *p, const rc_played_pass *pass, rc_error *err) {
    bool of_kind[2] = {false, false};
    for (size_t n = 0; n < pass->count; n++) {
        const size_t i = pass->at[0].decodes ? pass->count - 1 - n : n;
        const rc_played_sequence *s = &pass->at[i];
        if (of_kind[s->decodes] || s->p + s->t > rc_serve_planned(&p->engine.shape))
            continue;
        of_kind[s->decodes] = true;
        RC_TRY(check_one(p, pass, i, err));
    }
    return RC_OK;
}

/* Which passes are checked: every one at first, then ever fewer, so that late ones are among them. */
static bool is_checked(const rc_serve_play *p) {
    const size_t n = p->log.count;
    return p->checks_done < p->checks && (n < 8 || n % 61 == 7);
}

static void wait_for(rc_serve_play *p, rc_time start) {
    if (!p->real_time)
        return;
    const double at = (double)start / RC_PS_PER_S;
    if (p->began == 0.0)
        p->began = rc_now() - at;
    const double nap = p->began + at - rc_now();
    if (nap > 0.0)
        rc_nap(nap);
}

static rc_serve_ring ring_of(const rc_played_pass *pass) {
    return pass->schedule && strcmp(pass->schedule->name, "pass-q") == 0 ? RC_SERVE_PASS_Q
                                                                         : RC_SERVE_PASS_KV;
}

rc_status rc_serve_play_pass(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *err) {
    rc_serve_play *p = ctx;
    rc_played_row row = rc_played_row_of(pass);
    rc_serve_times times;
    wait_for(p, pass->start);
    /* Behind a pass that has just ended, the scheduler's time since then belongs to this one. */
    const double from = p->log.count > 0 && pass->start == p->ended ? p->returned : rc_now();
    RC_TRY(prepare(p, pass, err));
    RC_TRY(rc_served_model_pass(&p->engine, p->sequences, pass->count, ring_of(pass), &times, err));
    row.took = llround((times.done - from - p->engine.captured_s) * RC_PS_PER_S);
    row.host = llround((times.launched - from - p->engine.captured_s) * RC_PS_PER_S);
    RC_TRY(rc_group_share(p->procs, &row.took, sizeof row.took, err));
    if (p->log.count % 64 == 0) {
        const rc_health h = rc_nvml_read(p->gpu->nvml);
        row.sm_mhz = h.sm_mhz;
        row.power_w = h.power_w;
    }
    if (is_checked(p))
        RC_TRY(check(p, pass, err));
    RC_TRY(rc_played_log_add(&p->log, &row, err));
    *took = row.took;
    p->ended = pass->start + row.took;
    p->returned = rc_now();
    return RC_OK;
}

void rc_serve_play_release(void *ctx, uint64_t request) {
    rc_serve_play *p = ctx;
    rc_serve_pages_release(&p->pages, request);
}
