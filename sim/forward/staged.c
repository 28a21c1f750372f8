/* Passes made of passes.
 *
 * Chunks. A pass takes up at most so many new tokens of prompts, in the order of the sequences; chunk i of
 * a prompt finds all earlier ones cached. The time of a prompt is the sum over its chunks.
 *
 * Stages. Layers are cut into stages of as many GPUs each; chunks are their micro-batches. A chunk goes from
 * stage to stage as vLLM and SGLang send it: of each of two tensors, the rows' hidden states and the residual
 * stream, every GPU sends its share (1 / tp) to the GPU in its place, and the receiving TP group gathers it;
 * one tensor after the other. Stage s begins with chunk i when it has
 * come and chunk i - 1 is done; what stages wait for is the bubble. A decode step is one chunk: it passes
 * all stages one after the other.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/staged.h"
#include "sim/cost/basis.h"
#include "sim/engine/ticks.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CARRIED = 2, /* tensors of a token: hidden states and residual stream */
    MOST = 1 << 14,
    DRAWN = 16 /* pieces of a stage of which intervals are drawn; others take the nearest one's */
};

static rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

rc_time rc_pipeline_pass(rc_stage_clock *clock, int stages, rc_time comes, const rc_time *work,
                         const rc_time *send, int step, rc_time *end) {
    rc_time last = 0;
    assert(stages >= 1 && step >= 1);
    for (int s = 0; s < stages; s++) {
        last = end[s * step] = rc_ticks_add(later(clock[s].free, comes), work[s * step]);
        clock[s].free = last;
        if (s + 1 < stages)
            comes = clock[s].link = rc_ticks_add(later(clock[s].link, last), send[s * step]);
    }
    return last;
}

rc_time rc_pipeline_end(const rc_time *work, const rc_time *send, int stages, int chunks,
                        rc_time *end) {
    rc_time last = 0;
    assert(stages >= 1 && chunks >= 1);
    rc_stage_clock *clock = calloc((size_t)stages, sizeof *clock);
    rc_time *own = end ? NULL : calloc((size_t)stages * (size_t)chunks, sizeof *own);
    rc_time *at = end ? end : own;
    for (int i = 0; clock && at && i < chunks; i++)
        last = rc_pipeline_pass(clock, stages, 0, work + i, send + i, chunks, at + i);
    free(clock);
    free(own);
    return last;
}

/* ---- chunks ----------------------------------------------------------------------------------- */

void rc_chunks_free(rc_chunks *c) {
    free(c->seqs);
    free(c->first);
    *c = (rc_chunks){.count = 0};
}

/* Pieces of all sequences in their order; a chunk is full when it has `chunk` tokens. */
static void cut(const rc_spec *spec, int64_t chunk, rc_chunks *c) {
    int64_t room = chunk;
    size_t n = 0;
    c->count = 0;
    c->first[0] = 0;
    for (size_t i = 0; i < spec->seq_count; i++) {
        for (int64_t done = 0, t; done < spec->seqs[i].t; done += t) {
            if (room == 0) {
                c->first[++c->count] = n;
                room = chunk;
            }
            t = spec->seqs[i].t - done < room ? spec->seqs[i].t - done : room;
            /* at least a token for every rank */
            const int64_t least = t < spec->layout.cp ? spec->layout.cp : t;
            c->seqs[n++] = (rc_sequence){least, spec->seqs[i].p + done};
            room -= t;
        }
    }
    c->first[++c->count] = n;
}

rc_status rc_chunks_of(const rc_spec *spec, int64_t chunk, rc_chunks *out, rc_error *err) {
    size_t most = spec->seq_count + 1;
    assert(chunk >= 1);
    *out = (rc_chunks){.count = 0};
    if (spec->phase != RC_PREFILL)
        return rc_fail(err, RC_E_INPUT, "chunks are of prompts: phase prefill");
    if (rc_layout_dp(&spec->layout) > 1)
        return rc_fail(
            err, RC_E_UNMODELLED,
            "chunks of prompts of groups with dp_attention are not modelled here; serving "
            "has them (scheduler.budget)");
    for (size_t i = 0; i < spec->seq_count; i++)
        most += (size_t)(spec->seqs[i].t / chunk) + 2;
    out->seqs = calloc(most, sizeof *out->seqs);
    out->first = calloc(most + 1, sizeof *out->first);
    if (!out->seqs || !out->first) {
        rc_chunks_free(out);
        return rc_fail(err, RC_E_NOMEM, "out of memory for the chunks of a prompt");
    }
    cut(spec, chunk, out);
    return RC_OK;
}

/* The whole pass as one chunk. */
static rc_status one_chunk(const rc_spec *spec, rc_chunks *out, rc_error *err) {
    out->seqs = calloc(spec->seq_count + 1, sizeof *out->seqs); /* none: the schedule says so */
    out->first = calloc(2, sizeof *out->first);
    if (!out->seqs || !out->first) {
        rc_chunks_free(out);
        return rc_fail(err, RC_E_NOMEM, "out of memory for the sequences of a pass");
    }
    memcpy(out->seqs, spec->seqs, spec->seq_count * sizeof *out->seqs);
    out->first[1] = spec->seq_count;
    out->count = 1;
    return RC_OK;
}

/* ---- the pieces ------------------------------------------------------------------------------- */

typedef struct pieces {
    const rc_spec *spec;
    rc_forward_ctx *ctx;
    int stages;
    rc_chunks chunks;
    rc_stages cut;
    rc_model *models; /* [stages]; NULL: the whole */
    double *kv;       /* [stages], bytes of all sequences in the end */
    rc_time *work, *send, *end;
    rc_cost *sent; /* [stages * chunks], what a send costs */
} pieces;

static void close_pieces(pieces *p) {
    rc_chunks_free(&p->chunks);
    free(p->models);
    free(p->kv);
    free(p->work);
    free(p->send);
    free(p->end);
    free(p->sent);
}

static const rc_model *model_of(const pieces *p, int stage) {
    return p->models ? &p->models[stage] : p->spec->model;
}

/* A chunk's own memory knows its own sequences: those of other chunks are kept beside it. */
static rc_status find_kv(pieces *p, rc_error *err) {
    const rc_spec *s = p->spec;
    int64_t fresh = 0, cached = 0;
    rc_memory whole;
    for (size_t i = 0; i < s->seq_count; i++) {
        fresh += s->seqs[i].t;
        cached += s->seqs[i].p;
    }
    for (int k = 0; k < p->stages && p->chunks.count > 1; k++) {
        RC_TRY(rc_pass_memory(s->schedule, model_of(p, k), &s->layout, fresh, cached,
                              (int64_t)s->seq_count, rc_machine_usable(rc_costs_machine(s->costs)),
                              &whole, err));
        p->kv[k] = whole.kv;
    }
    return RC_OK;
}

static rc_status open_pieces(pieces *p, const rc_staging *how, rc_error *err) {
    p->stages = rc_stages_of(how);
    p->cut = (rc_stages){p->stages, how->rest};
    RC_TRY(how->chunk > 0 ? rc_chunks_of(p->spec, how->chunk, &p->chunks, err)
                          : one_chunk(p->spec, &p->chunks, err));
    const size_t n = (size_t)p->stages * (size_t)p->chunks.count;
    if (n > MOST)
        return rc_fail(err, RC_E_SIZE, "%d chunks in %d stages are more than %d passes",
                       p->chunks.count, p->stages, MOST);
    p->work = calloc(n, sizeof *p->work);
    p->send = calloc(n, sizeof *p->send);
    p->end = calloc(n, sizeof *p->end);
    p->sent = calloc(n, sizeof *p->sent);
    p->models = p->stages > 1 ? calloc((size_t)p->stages, sizeof *p->models) : NULL;
    p->kv = calloc((size_t)p->stages, sizeof *p->kv);
    if (!p->work || !p->send || !p->end || !p->sent || !p->kv || (p->stages > 1 && !p->models))
        return rc_fail(err, RC_E_NOMEM, "out of memory for the stages of a pass");
    for (int s = 0; p->stages > 1 && s < p->stages; s++)
        RC_TRY(rc_model_stage(p->spec->model, &p->cut, s, &p->models[s], err));
    return find_kv(p, err);
}

static rc_spec spec_of(const pieces *p, int stage, int chunk) {
    rc_spec s = *p->spec;
    s.model = model_of(p, stage);
    s.seqs = p->chunks.seqs + p->chunks.first[chunk];
    s.seq_count = p->chunks.first[chunk + 1] - p->chunks.first[chunk];
    s.drawn = NULL;
    return s;
}

bool rc_stage_sends_far(const rc_machine *m, const rc_layout *l, int stage) {
    const int gpus = rc_layout_gpus(l), node = m->gpus_per_node;
    return stage * gpus / node != ((stage + 2) * gpus - 1) / node;
}

/* Rows of a rank over 1 / tp of the width, then a gather in the TP group. */
rc_status rc_stage_send(const rc_costs *costs, const rc_layout *l, int64_t hidden, double rows,
                        bool far, rc_cost *out, rc_error *err) {
    const int node = rc_costs_machine(costs)->gpus_per_node;
    const double bytes = rows * (double)hidden * rc_dtype_bytes(l->act); /* of one tensor */
    const rc_transfer x = {.bytes = bytes / l->tp, .ranks = 2, .nodes = far ? 2 : 1};
    rc_p2p link;
    RC_TRY(rc_cost_p2p(costs, &x, &link, err));
    const double message = link.latency + x.bytes / fmin(link.peer_rate, link.link_rate);
    *out = (rc_cost){.p50 = CARRIED * message, .spread = link.spread, .basis = link.basis};
    if (l->tp == 1)
        return RC_OK;
    rc_cost gather;
    const rc_transfer all = {.bytes = bytes, .ranks = l->tp, .nodes = (l->tp + node - 1) / node};
    RC_TRY(rc_cost_collective(costs, "all_gather", &all, &gather, err));
    out->p50 += CARRIED * gather.p50;
    out->spread = fmax(out->spread, gather.spread);
    out->basis = gather.basis > out->basis ? gather.basis : out->basis;
    return RC_OK;
}

double rc_stage_rows(const rc_layout *l, const rc_sequence *seqs, size_t count) {
    double rows = 0.0;
    for (size_t i = 0; i < count; i++)
        rows += ceil((double)seqs[i].t / l->cp);
    return rows;
}

static rc_status send_cost(const pieces *p, int stage, int chunk, rc_cost *out, rc_error *err) {
    const rc_spec s = spec_of(p, stage, chunk);
    const bool far = rc_stage_sends_far(rc_costs_machine(s.costs), &s.layout, stage);
    return rc_stage_send(s.costs, &s.layout, s.model->hidden,
                         rc_stage_rows(&s.layout, s.seqs, s.seq_count), far, out, err);
}

static rc_status find_sends(pieces *p, rc_error *err) {
    const int chunks = p->chunks.count;
    for (int s = 0; s + 1 < p->stages; s++)
        for (int i = 0; i < chunks; i++) {
            RC_TRY(send_cost(p, s, i, &p->sent[s * chunks + i], err));
            p->send[s * chunks + i] = llround(p->sent[s * chunks + i].p50 * RC_PS_PER_S);
        }
    return RC_OK;
}

static rc_status check_gpus(const rc_spec *spec, int stages, rc_error *err) {
    const rc_machine *m = rc_costs_machine(spec->costs);
    const int gpus = rc_layout_gpus(&spec->layout) * stages;
    if (gpus > m->gpus_per_node && m->nic_rate <= 0.0)
        return rc_fail(err, RC_E_INPUT,
                       "%d stages of %d GPUs, but machine '%s' is one node of %d with no network",
                       stages, gpus / stages, m->name, m->gpus_per_node);
    const int nodes = (gpus + m->gpus_per_node - 1) / m->gpus_per_node;
    if (m->max_nodes > 0 && nodes > m->max_nodes)
        return rc_fail(err, RC_E_INPUT,
                       "%d stages take %d nodes: machine '%s' has at most %d (max_nodes)", stages,
                       nodes, m->name, m->max_nodes);
    return RC_OK;
}

/* ---- the time ---------------------------------------------------------------------------------- */

static void keep_memory(const pieces *p, int stage, const rc_memory *piece, rc_memory *most) {
    rc_memory x = *piece;
    const double more = p->kv[stage] - x.kv;
    if (more > 0.0 && x.total > 0.0) {
        x.kv += more;
        x.total += more;
    }
    if (x.total > most->total)
        *most = x;
}

static rc_status time_pieces(pieces *p, rc_forward_timing *out, rc_error *err) {
    const int chunks = p->chunks.count;
    double rests[RC_BASIS_COUNT] = {0.0};
    for (int s = 0; s < p->stages; s++)
        for (int i = 0; i < chunks; i++) {
            rc_forward_timing one = {0};
            const rc_spec spec = spec_of(p, s, i);
            rc_status st = rc_forward_time(p->ctx, &spec, &one, err);
            keep_memory(p, s, &one.memory, &out->memory);
            RC_TRY(st);
            p->work[s * chunks + i] = one.ticks;
            out->layers += one.layers;
            out->path = one.path == RC_PATH_ENGINE ? RC_PATH_ENGINE : out->path;
            for (int b = 0; b < RC_BASIS_COUNT; b++)
                rests[b] += one.busy_basis[b] * (double)one.ticks;
        }
    RC_TRY(rc_memory_check(&out->memory, p->spec->model, &p->spec->layout, err));
    RC_TRY(find_sends(p, err));
    out->ticks = rc_pipeline_end(p->work, p->send, p->stages, chunks, p->end);
    out->time = (double)out->ticks / RC_PS_PER_S;
    rc_basis_share(rests, out->busy_basis);
    return RC_OK;
}

rc_status rc_staged_time(rc_forward_ctx *ctx, const rc_spec *spec, const rc_staging *how,
                         rc_forward_timing *out, rc_error *err) {
    assert(how->chunk >= 0 && how->stages >= 0);
    if (how->chunk == 0 && rc_stages_of(how) == 1)
        return rc_forward_time(ctx, spec, out, err);
    pieces p = {.spec = spec, .ctx = ctx};
    memset(out, 0, sizeof *out);
    rc_status st = check_gpus(spec, rc_stages_of(how), err);
    if (st == RC_OK)
        st = open_pieces(&p, how, err);
    if (st == RC_OK)
        st = time_pieces(&p, out, err);
    close_pieces(&p);
    return st;
}

/* ---- everything ------------------------------------------------------------------------------- */

/* What every piece adds, whether or not the pass waits for it. */
static void add_busy(const rc_forward *one, rc_forward *out) {
    for (int k = 0; k < RC_P_COUNT; k++)
        out->busy[k] += one->busy[k];
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        out->busy_basis[b] += one->busy_basis[b] * one->time;
    out->hidden_comm += one->hidden_comm;
    out->shares = out->shares || one->shares;
    out->gemm_flops += one->gemm_flops;
    out->attention_flops += one->attention_flops;
    out->ops += one->ops;
    out->events += one->events;
    out->trace_hash = (out->trace_hash ^ one->trace_hash) * UINT64_C(0x100000001b3);
    out->layers_simulated += one->layers_simulated;
    out->gpus = one->gpus > out->gpus ? one->gpus : out->gpus;
}

static void add_critical(const rc_forward *one, rc_forward *out) {
    for (int k = 0; k < RC_P_COUNT; k++)
        out->critical[k] += one->critical[k];
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        out->basis[b] += one->basis[b] * one->time;
    out->exposed_comm += one->exposed_comm;
    out->shared += one->shared;
    out->p5 += one->p5;
    out->p95 += one->p95;
}

static void add_send(const rc_cost *c, rc_forward *out) {
    out->critical[RC_P_SENDRECV] += c->p50;
    out->basis[c->basis] += c->p50;
    out->exposed_comm += c->p50;
    out->p5 += c->p50 * exp(-1.645 * c->spread); /* quantiles of a lognormal */
    out->p95 += c->p50 * exp(1.645 * c->spread);
}

/* Back from the end over what each piece waited for: the chunk before it, or its own arrival, and that for
 * the link or for the stage before. */
static void walk(const pieces *p, const rc_forward *all, rc_forward *out) {
    const int chunks = p->chunks.count;
    int s = p->stages - 1, i = chunks - 1;
    for (;;) {
        const int here = s * chunks + i;
        const rc_time start = p->end[here] - p->work[here];
        add_critical(&all[here], out);
        if (i > 0 && p->end[here - 1] == start) {
            i--;
            continue;
        }
        if (s == 0)
            return;
        int k = i; /* the link carried chunks k to i without a pause */
        rc_time begun = start;
        for (;; k--) {
            add_send(&p->sent[here - chunks - (i - k)], out);
            begun -= p->send[here - chunks - (i - k)];
            if (k == 0 || p->end[here - chunks - (i - k)] == begun)
                break;
        }
        i = k;
        s--;
    }
}

/* Of the pieces of a stage at most DRAWN are drawn. */
static bool is_drawn(int i, int chunks) {
    const int every = (chunks + DRAWN - 1) / DRAWN;
    return i % every == 0;
}

static rc_status run_pieces(pieces *p, rc_forward *all, rc_forward *out, rc_error *err) {
    const int chunks = p->chunks.count;
    for (int s = 0; s < p->stages; s++)
        for (int i = 0; i < chunks; i++) {
            rc_forward *one = &all[s * chunks + i];
            rc_spec spec = spec_of(p, s, i);
            if (!is_drawn(i, chunks))
                spec.draws = 0;
            rc_status st = rc_forward_run_with(p->ctx, &spec, one, err);
            keep_memory(p, s, &one->memory, &out->memory);
            RC_TRY(st);
            if (spec.draws < p->spec->draws) { /* as wide as the one before it */
                one->p5 = one->time * one[-1].p5 / one[-1].time;
                one->p95 = one->time * one[-1].p95 / one[-1].time;
            }
            p->work[s * chunks + i] = one->ticks;
            add_busy(one, out);
        }
    RC_TRY(rc_memory_check(&out->memory, p->spec->model, &p->spec->layout, err));
    RC_TRY(find_sends(p, err));
    for (int i = 0; i < (p->stages - 1) * chunks; i++)
        out->busy[RC_P_SENDRECV] += p->sent[i].p50;
    return RC_OK;
}

static void set_whole(const pieces *p, rc_forward *out) {
    const rc_spec *s = p->spec;
    const rc_machine *m = rc_costs_machine(s->costs);
    double flops = s->elsewhere_flops, ticks[RC_BASIS_COUNT];
    out->ticks = rc_pipeline_end(p->work, p->send, p->stages, p->chunks.count, p->end);
    out->time = (double)out->ticks / RC_PS_PER_S;
    for (size_t i = 0; i < s->seq_count; i++)
        flops += rc_forward_flops(s->model, s->seqs[i]);
    out->flop_rate = flops / (rc_layout_gpus(&s->layout) * p->stages) / out->time;
    out->mfu = out->flop_rate / m->bf16_rate;
    memcpy(ticks, out->busy_basis, sizeof ticks);
    rc_basis_share(ticks, out->busy_basis);
}

static rc_status run_all(pieces *p, rc_forward *out, rc_error *err) {
    const size_t n = (size_t)p->stages * (size_t)p->chunks.count;
    double ticks[RC_BASIS_COUNT];
    rc_forward *all = calloc(n, sizeof *all);
    rc_status st = all ? run_pieces(p, all, out, err)
                       : rc_fail(err, RC_E_NOMEM, "out of memory for %zu pieces of a pass", n);
    if (st == RC_OK) {
        set_whole(p, out);
        walk(p, all, out);
        out->clock = all[n - 1].clock;
        memcpy(ticks, out->basis, sizeof ticks);
        rc_basis_share(ticks, out->basis);
    }
    free(all);
    return st;
}

rc_status rc_staged_run(rc_forward_ctx *ctx, const rc_spec *spec, const rc_staging *how,
                        rc_forward *out, rc_error *err) {
    if (how->chunk == 0 && rc_stages_of(how) == 1)
        return rc_forward_run_with(ctx, spec, out, err);
    pieces p = {.spec = spec, .ctx = ctx};
    memset(out, 0, sizeof *out);
    rc_status st = check_gpus(spec, rc_stages_of(how), err);
    if (st == RC_OK)
        st = open_pieces(&p, how, err);
    if (st == RC_OK)
        st = run_all(&p, out, err);
    close_pieces(&p);
    return st;
}

/* ---- piece by piece --------------------------------------------------------------------------- */

static rc_status visit(const pieces *p, rc_piece_fn each, void *arg, rc_error *err) {
    const int chunks = p->chunks.count;
    for (int s = 0; s < p->stages; s++) {
        rc_time link = 0; /* free from then on */
        for (int i = 0; i < chunks; i++) {
            const int here = s * chunks + i;
            const rc_spec spec = spec_of(p, s, i);
            rc_piece_time x = {.spec = &spec, .stage = s, .chunk = i, .end = p->end[here]};
            x.start = x.end - p->work[here];
            x.leaves = s + 1 < p->stages ? later(link, x.end) : x.end;
            x.comes = link = x.leaves + (s + 1 < p->stages ? p->send[here] : 0);
            RC_TRY(each(arg, &x, err));
        }
    }
    return RC_OK;
}

rc_status rc_staged_each(const rc_spec *spec, const rc_staging *how, rc_piece_fn each, void *arg,
                         rc_error *err) {
    rc_forward_timing whole = {0};
    pieces p = {.spec = spec, .ctx = rc_forward_ctx_create()};
    if (!p.ctx)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a forward pass");
    rc_status st = check_gpus(spec, rc_stages_of(how), err);
    if (st == RC_OK)
        st = open_pieces(&p, how, err);
    if (st == RC_OK)
        st = time_pieces(&p, &whole, err);
    if (st == RC_OK)
        st = visit(&p, each, arg, err);
    close_pieces(&p);
    rc_forward_ctx_destroy(p.ctx);
    return st;
}
