/* Building a program: the checks, and the loop over layers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/schedule/builder.h"
#include "sim/schedule/layer.h"

const char *rc_part_name(rc_part p) {
    static const char *const names[RC_P_COUNT] = {
        "norm",    "qkv",        "rotary",     "attention",  "merge",
        "out",     "all-reduce", "gate-up",    "swiglu",     "down",
        "state",   "index",      "experts",    "dispatch",   "quantise",
        "lm-head", "send-recv",  "all-to-all", "all-gather", "reduce-scatter",
        "host"};
    assert(p < RC_P_COUNT);
    return names[p];
}

bool rc_part_is_comm(rc_part p) {
    return p == RC_P_ALL_REDUCE || p == RC_P_SENDRECV || p == RC_P_DISPATCH || p == RC_P_ALL2ALL ||
           p == RC_P_ALL_GATHER || p == RC_P_REDUCE_SCATTER;
}

static rc_status check_phase(const rc_request *rq, rc_error *err) {
    const rc_schedule *s = rq->schedule;
    char can[256];
    if (rc_schedule_takes(s, rq->phase, 1))
        return RC_OK;
    (void)rc_schedule_list(RC_PHASE_BIT(rq->phase), can, sizeof can);
    if (rq->phase == RC_DECODE)
        return rc_fail(err, RC_E_INPUT, "variant '%s' is a prefill schedule; decode takes %s",
                       s->name, can);
    if (rq->phase == RC_MIXED)
        return rc_fail(err, RC_E_INPUT, "variant '%s' takes no decode steps; a mixed pass takes %s",
                       s->name, can);
    return rc_fail(err, RC_E_INPUT, "variant '%s' is a decode schedule; prefill takes %s", s->name,
                   can);
}

rc_status rc_schedule_fits(const rc_schedule *s, const rc_model *m, const rc_layout *l,
                           rc_error *err) {
    assert(s && m && l);
    RC_TRY(rc_layout_check(m, l, err));
    if (l->cp > 1 && !s->many_ranks)
        return rc_fail(err, RC_E_INPUT, "variant '%s' takes cp 1, found cp %d", s->name, l->cp);
    if (rc_layout_ulysses(l) > 1 && l->cp > 1 && !s->two_levels)
        return rc_fail(err, RC_E_INPUT,
                       "variant '%s' has no groups within its ranks: it takes ulysses 1, found %d",
                       s->name, l->ulysses);
    if (rc_layout_dcp(l) > 1 && (s->groups & RC_OVER_TP) == 0)
        return rc_fail(err, RC_E_INPUT,
                       "variant '%s' cuts no sequence over the GPUs of a TP group: it takes dcp 1, "
                       "found dcp %d",
                       s->name, l->dcp);
    if (l->cp > 1 && l->ring_wire != RC_BF16 && !s->packs)
        return rc_fail(err, RC_E_UNMODELLED,
                       "messages in %s are modelled between the ranks of a ring (pass-kv, pass-q), "
                       "of which variant '%s' is none",
                       rc_dtype_name(l->ring_wire), s->name);
    return s->check ? s->check(m, l, err) : RC_OK;
}

bool rc_schedule_suit(const rc_schedule *s, const rc_model *m, int node, rc_layout *l) {
    assert(s && m && l);
    if (!s->two_levels)
        return true;
    for (int u = l->cp / 2 < node ? l->cp / 2 : node; u > 1; u--) {
        l->ulysses = u;
        if (rc_schedule_fits(s, m, l, NULL) == RC_OK)
            return true;
    }
    return false;
}

rc_status rc_schedule_check(const rc_request *rq, rc_error *err) {
    assert(rq->schedule && rq->model);
    RC_TRY(check_phase(rq, err));
    if (rq->seq_count == 0)
        return rc_fail(err, RC_E_INPUT, "a forward pass needs at least one sequence");
    for (size_t i = 0; i < rq->seq_count; i++) {
        if (rq->seqs[i].t < 1 || rq->seqs[i].p < 0)
            return rc_fail(err, RC_E_INPUT, "sequence %zu: T must be at least 1 and P at least 0",
                           i);
        if (rq->phase == RC_DECODE && rq->seqs[i].t != 1)
            return rc_fail(err, RC_E_INPUT,
                           "sequence %zu: a decode step adds one token, found T = %lld", i,
                           (long long)rq->seqs[i].t);
        bool decodes = rq->phase == RC_DECODE || (rq->phase == RC_MIXED && rq->seqs[i].t == 1);
        if (!decodes && rq->seqs[i].t < rq->layout.cp)
            return rc_fail(err, RC_E_INPUT,
                           "sequence %zu: T = %lld new tokens cannot be cut over cp %d ranks", i,
                           (long long)rq->seqs[i].t, rq->layout.cp);
    }
    return RC_OK;
}

/* What attention sees of the layer on one GPU, its heads cut over `tp`. */
static void set_heads(rc_builder *b, int tp) {
    rc_heads h = b->form->heads(b->kind, tp);
    b->latent = b->kind->mixer == RC_MIX_LATENT && h.query > 0;
    b->absorbed = b->latent && rc_absorbs(b->rq, b->kind);
    b->one = h;
    b->window = rc_kind_seen(b->kind);
    if (b->latent)
        b->one = (rc_heads){.query = h.query,
                            .kv = 1,
                            .key_size = b->kind->latent.kv_rank + b->kind->latent.rope,
                            .value_size = b->kind->latent.kv_rank};
    if (b->absorbed)
        h = b->one;
    b->hq = h.query;
    b->hkv = h.kv;
    b->key_size = h.key_size;
    b->value_size = h.value_size;
}

/* The layers that follow are of kind `k`. */
static void set_kind(rc_builder *b, int k) {
    b->kind = &b->rq->model->kind[k];
    b->form = rc_layer_form_of(b->kind);
    set_heads(b, b->rq->layout.tp);
}

static void emit_layer(rc_builder *b) {
    const rc_layout *l = &b->rq->layout;
    bool whole = b->rq->schedule->whole_queries && rc_layout_dcp(l) > 1;
    if (whole)
        set_heads(b, rc_layout_kv_tp(l));
    const bool apart = rc_attends_apart(b);
    b->form->before(b);
    if (whole)
        set_heads(b, l->tp);
    for (uint32_t gpu = 0; gpu < b->p->gpus && b->hq > 0 && !apart; gpu++)
        rc_emit_ring_step(b, gpu, RC_HOST_ONCE);
    if (apart)
        rc_emit_apart(b);
    else if (b->hq > 0)
        b->rq->schedule->attention(b);
    b->form->after(b);
    b->layer++;
}

/* A section for each kind of layer, then the head. */
static void emit_template(rc_builder *b) {
    for (int k = 0; k < b->rq->model->kinds; k++) {
        rc_section_open(b);
        set_kind(b, k);
        emit_layer(b);
        rc_section_close(b);
    }
    rc_section_open(b);
    if (b->rq->head)
        rc_emit_head(b);
    rc_section_close(b);
}

static void emit_layers(rc_builder *b) {
    rc_program *p = b->p;
    if (b->rq->as_template) {
        emit_template(b);
        return;
    }
    for (int i = 0; i < p->runs; i++) {
        const rc_layer_run *r = &p->run[i];
        for (int l = 0; l < r->times * r->length && !p->failed; l++) {
            if (l == 0 || r->length > 1)
                set_kind(b, r->kind[l % r->length]);
            emit_layer(b);
        }
    }
    b->layer = (uint16_t)p->layers;
    if (b->rq->head)
        rc_emit_head(b);
}

/* Which layers the program has: those of the model, no run longer than the request says. A template
 * has one of each kind. */
static void set_order(const rc_request *rq, rc_program *p) {
    p->runs = rq->as_template ? 0 : rc_model_runs(rq->model);
    p->layers = rq->as_template ? rq->model->kinds : 0;
    for (int i = 0; i < p->runs; i++) {
        p->run[i] = rc_model_run(rq->model, i);
        if (rq->repeats > 0 && p->run[i].times > rq->repeats)
            p->run[i].times = rq->repeats;
        p->layers += p->run[i].times * p->run[i].length;
    }
}

int rc_request_layers(const rc_request *rq) {
    rc_program p;
    set_order(rq, &p);
    return p.layers;
}

/* A sequence prefills behind cached tokens, which the schedule has apart. */
static bool has_cached(const rc_request *rq) {
    if (!rq->schedule->cached_apart || rq->phase == RC_DECODE)
        return false;
    for (size_t i = 0; i < rq->seq_count; i++)
        if (rq->seqs[i].p > 0 && (rq->phase == RC_PREFILL || rq->seqs[i].t != 1))
            return true;
    return false;
}

/* The builder of `rq` on `p`, which holds its scratch; false when out of memory. */
static bool start(rc_builder *b, const rc_request *rq, rc_program *p) {
    *b = (rc_builder){.p = p, .rq = rq, .n = rq->layout.cp};
    b->g = rq->unfold_tp ? (uint32_t)rq->layout.tp : 1;
    for (size_t i = 0; i < rq->seq_count; i++) {
        b->decodes += rc_decodes(b, i);
        b->prompts_end = rc_decodes(b, i) ? b->prompts_end : i + 1;
    }
    b->cached = has_cached(rq);
    memset(b->recent, 0xff, sizeof b->recent);
    p->gpus_per_rank = b->g;
    p->gpus = b->g * (uint32_t)b->n;
    set_order(rq, p);
    if (rq->as_template && !rc_template_begin(b))
        return false;
    size_t scratch = p->gpus * (size_t)(RC_LANE_COUNT + 4); /* the last of them for classes */
    if (!p->scratch)
        p->scratch = malloc(scratch * sizeof *p->scratch);
    if (!p->scratch)
        return false;
    memset(p->scratch, 0xff, scratch * sizeof *p->scratch);
    b->last = p->scratch;
    b->mark = b->last + (size_t)p->gpus * RC_LANE_COUNT;
    b->msg = b->mark + p->gpus;
    b->att = b->msg + p->gpus;
    if (rq->as_template)
        rc_pair_classes(b, (uint8_t *)(b->att + p->gpus));
    return true;
}

rc_status rc_schedule_build(const rc_request *rq, rc_program *out, rc_error *err) {
    memset(out, 0, sizeof *out);
    RC_TRY(rc_schedule_fits(rq->schedule, rq->model, &rq->layout, err));
    RC_TRY(rc_schedule_check(rq, err));
    return rc_schedule_lay_out(rq, out, err);
}

rc_status rc_schedule_lay_out(const rc_request *rq, rc_program *out, rc_error *err) {
    rc_builder b;
    memset(out, 0, sizeof *out);
    bool have = start(&b, rq, out);
    if (have)
        emit_layers(&b);
    if (!have || out->failed) {
        rc_program_free(out);
        return rc_fail(err, RC_E_NOMEM, "out of memory while building the schedule");
    }
    return RC_OK;
}

rc_status rc_schedule_refill(const rc_request *rq, rc_program *p, rc_error *err) {
    rc_builder b;
    uint32_t gpus = p->gpus;
    p->shape_count = p->call_count = 0;
    p->groups = 0;
    p->failed = false;
    if (p->slots)
        memset(p->slots, 0xff, p->slot_count * sizeof *p->slots);
    if (rq->layout.cp * (rq->unfold_tp ? rq->layout.tp : 1) != (int)gpus || !start(&b, rq, p))
        return rc_fail(err, RC_E_INTERNAL, "a program of %u GPUs is refilled for another layout",
                       gpus);
    b.refill = true;
    emit_layers(&b);
    if (p->failed || b.at != p->task_count)
        return rc_fail(err, RC_E_INTERNAL, "a program is refilled for a request unlike its own");
    return RC_OK;
}

static uint64_t digest(uint64_t h, uint64_t word) {
    return (h ^ word) * UINT64_C(0x100000001b3);
}

/* What a layer of a kind emits: by its form, and with attention or without. */
static uint64_t digest_kind(uint64_t h, const rc_request *rq, int k) {
    const rc_layer_kind *l = &rq->model->kind[k];
    for (const char *c = l->form; *c != '\0'; c++)
        h = digest(h, (unsigned char)*c);
    const uint64_t parts[] = {rc_layer_form_of(l)->heads(l, rq->layout.tp).query > 0,
                              (uint64_t)l->mixer,
                              (uint64_t)l->after,
                              l->window > 0,
                              l->output_gate,
                              l->latent.q_rank > 0,
                              l->latent.o_rank > 0,
                              l->selection.heads > 0,
                              l->selection.top_k > 0,
                              l->selection.ratio > 0,
                              l->state.conv > 0,
                              l->state.low_rank > 0,
                              l->experts.shared > 0,
                              l->experts.latent > 0,
                              l->mixer == RC_MIX_LATENT && rc_absorbs(rq, l),
                              (uint64_t)rc_layout_ep(&rq->layout),
                              (uint64_t)rq->layout.expert_transfer};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        h = digest(h, parts[i]);
    return h;
}

/* A digest (FNV-1a) of which layers are emitted and what each emits. */
static uint64_t order_of(const rc_request *rq) {
    const rc_model *m = rq->model;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (int k = 0; rq->as_template && k < m->kinds; k++)
        h = digest_kind(h, rq, k);
    for (int i = 0; !rq->as_template && i < rc_model_runs(m); i++) {
        const rc_layer_run r = rc_model_run(m, i);
        bool cut = rq->repeats > 0 && r.times > rq->repeats;
        h = digest(h, (uint64_t)(cut ? rq->repeats : r.times));
        for (int k = 0; k < r.length; k++)
            h = digest_kind(h, rq, r.kind[k]);
    }
    return h;
}

rc_schedule_key rc_schedule_key_of(const rc_request *rq) {
    rc_schedule_key k = {.schedule = rq->schedule,
                         .tp = rq->layout.tp,
                         .cp = rq->layout.cp,
                         .dcp = rc_layout_dcp(&rq->layout),
                         .ulysses = rc_layout_ulysses(&rq->layout),
                         .dp = rc_layout_dp(&rq->layout),
                         .nodes_per_rank = rq->nodes_per_rank,
                         .ranks_per_node = rq->ranks_per_node,
                         .order = order_of(rq),
                         .ffn_over_cp = rq->layout.ffn_over_cp,
                         .keys_packed = rc_layout_packs_keys(&rq->layout),
                         .queries_packed = rc_layout_packs_queries(&rq->layout),
                         .tp_packed = rq->layout.tp_wire != RC_BF16,
                         .zigzag = rq->layout.zigzag,
                         .decode_phase = rq->phase == RC_DECODE,
                         .head = rq->head,
                         .unfold_tp = rq->unfold_tp,
                         .eager = rq->eager,
                         .ring_host = rq->ring_host,
                         .serial_ring = rq->serial_ring,
                         .messages_wait = rq->messages_wait,
                         .as_template = rq->as_template};
    k.decodes = k.decode_phase;
    k.prefills = rq->phase == RC_PREFILL;
    for (size_t i = 0; rq->phase == RC_MIXED && i < rq->seq_count; i++) {
        k.decodes = k.decodes || rq->seqs[i].t == 1;
        k.prefills = k.prefills || rq->seqs[i].t != 1;
    }
    k.cached = has_cached(rq);
    return k;
}

bool rc_schedule_key_equal(const rc_schedule_key *a, const rc_schedule_key *b) {
    return a->schedule == b->schedule && a->tp == b->tp && a->cp == b->cp && a->dcp == b->dcp &&
           a->ulysses == b->ulysses && a->dp == b->dp && a->cached == b->cached &&
           a->ffn_over_cp == b->ffn_over_cp && a->nodes_per_rank == b->nodes_per_rank &&
           a->ranks_per_node == b->ranks_per_node && a->order == b->order &&
           a->keys_packed == b->keys_packed && a->queries_packed == b->queries_packed &&
           a->tp_packed == b->tp_packed && a->zigzag == b->zigzag && a->prefills == b->prefills &&
           a->decodes == b->decodes && a->decode_phase == b->decode_phase && a->head == b->head &&
           a->unfold_tp == b->unfold_tp && a->eager == b->eager && a->ring_host == b->ring_host &&
           a->serial_ring == b->serial_ring && a->messages_wait == b->messages_wait &&
           a->as_template == b->as_template;
}
