/* From a scenario to what a server has room for, and from a pass of its scheduler to sequences with
 * their pages and tokens.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/serve_prepare.h"

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
    *out = (rc_serve_shape){0};
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

/* ---- a pass ---------------------------------------------------------------------------------- */

rc_status rc_serve_prepare_open(rc_serve_prepared *p, const rc_serve *s, const rc_trace *t,
                                const rc_serve_shape *shape, rc_error *err) {
    const uint32_t block = t->block > 0 ? t->block : s->kv_block;
    const size_t n = (size_t)shape->most_sequences, stride = (size_t)rc_serve_stride(shape);
    *p = (rc_serve_prepared){.shape = shape};
    RC_TRY(rc_serve_pages_open(&p->pages, t, block, (uint32_t)(s->kv_tokens / block), err));
    p->sequences = calloc(n, sizeof *p->sequences);
    p->page_lists = calloc(n * stride, sizeof *p->page_lists);
    p->blocks = calloc(stride + 1, sizeof *p->blocks);
    p->tokens = calloc((size_t)shape->most_tokens + 1, sizeof *p->tokens);
    return p->sequences && p->page_lists && p->blocks && p->tokens
               ? RC_OK
               : rc_fail(err, RC_E_NOMEM, "out of memory for passes of %zu sequences", n);
}

void rc_serve_prepare_close(rc_serve_prepared *p) {
    rc_serve_pages_close(&p->pages);
    free(p->sequences);
    free(p->page_lists);
    free(p->blocks);
    free(p->tokens);
    memset(p, 0, sizeof *p);
}

static rc_status pages_of(rc_serve_prepared *p, const rc_played_pass *pass, size_t i,
                          rc_error *err) {
    const rc_played_sequence *s = &pass->at[i];
    const int64_t tokens = s->p + s->t, page = rc_serve_page(p->shape);
    const int32_t each = (int32_t)(p->pages.block / page);
    int32_t *list = p->page_lists + i * (size_t)rc_serve_stride(p->shape);
    RC_TRY(rc_serve_pages_list(&p->pages, pass->kv, s->request, tokens, p->blocks, err));
    for (int64_t k = 0; k * page < tokens; k++)
        list[k] = (int32_t)p->blocks[k / each] * each + (int32_t)(k % each);
    p->sequences[i].pages = list;
    return RC_OK;
}

rc_status rc_serve_prepare(rc_serve_prepared *p, const rc_played_pass *pass, rc_error *err) {
    uint64_t *at = p->tokens;
    if ((int64_t)pass->count > p->shape->most_sequences)
        return rc_fail(err, RC_E_INTERNAL, "a pass of %zu sequences", pass->count);
    for (size_t i = 0; i < pass->count; i++) {
        const rc_played_sequence *s = &pass->at[i];
        if (at + s->t > p->tokens + p->shape->most_tokens)
            return rc_fail(err, RC_E_INTERNAL, "a pass of more tokens than the budget");
        p->sequences[i] =
            (rc_serve_sequence){.t = s->t, .p = s->p, .tokens = at, .decodes = s->decodes};
        for (int64_t k = 0; k < s->t; k++)
            *at++ = rc_serve_token(&p->pages, s->request, s->p + k);
        RC_TRY(pages_of(p, pass, i, err));
    }
    return RC_OK;
}
