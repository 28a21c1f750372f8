/* Schedules under test: random requests, and programs played on the engine with times of the test's
 * own choosing, so that what comes out can be worked out by hand, to the tick. No cost room is
 * involved.
 *
 *   programs_draw   a random request that every schedule accepts
 *   programs_play   one op a task; the test says how many ticks each task takes
 *   programs_index  where the attentions and messages of a ring stand in a program
 *
 * A test of the forward room defines PROGRAMS_FAKE_COSTS before it includes this: that puts a cost
 * room of whole ticks in the place of the real one (every function of cost.h is defined here, so
 * that the linker takes none of the library's), which makes a pass as exact as a program played by
 * hand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_PROGRAMS_H
#define RC_TESTS_SUPPORT_PROGRAMS_H
#include <stdlib.h>
#include <string.h>
#include "sim/engine/engine.h"
#include "sim/schedule/schedule.h"
#include "tests/support/prop.h"

enum { PROGRAMS_SEQS = 4, PROGRAMS_RANKS = 16 };

/* ---------------------------------------------------------------- requests ---------- */

typedef struct programs_case {
    rc_model model;
    rc_sequence seqs[PROGRAMS_SEQS * PROGRAMS_RANKS];
    rc_request rq;
    const char *variant;
} programs_case;

PROP_UNUSED static rc_model programs_model(int layers, int heads, int kv_heads, int head_dim,
                                           int64_t hidden, int64_t ffn) {
    rc_model m = {.layers = layers,
                  .hidden = hidden,
                  .kinds = 1,
                  .kind[0] = {.form = "dense",
                              .heads = heads,
                              .kv_heads = kv_heads,
                              .head_dim = head_dim,
                              .value_dim = head_dim,
                              .ffn = ffn},
                  .vocab = 997,
                  .max_positions = 1 << 30};
    strcpy(m.name, "test-model");
    strcpy(m.architecture, "LlamaForCausalLM");
    return m;
}

/* Heads, KV heads and a TP degree that rc_layout_check accepts: TP divides the KV heads or is a
 * multiple. */
PROP_UNUSED static void programs_draw_heads(prop_case *c, rc_model *m, rc_layout *l) {
    m->kind[0].kv_heads = (int)prop_range(c, 1, 8);
    do {
        l->tp = prop_one_in(c, 2) ? (int)prop_range(c, 1, m->kind[0].kv_heads)
                                  : m->kind[0].kv_heads * (int)prop_range(c, 1, 3);
    } while (m->kind[0].kv_heads % l->tp != 0 && l->tp % m->kind[0].kv_heads != 0);
    m->kind[0].heads =
        (m->kind[0].kv_heads > l->tp ? m->kind[0].kv_heads : l->tp) * (int)prop_range(c, 1, 4);
}

/* More kinds of layers beside the one that *m has, and an order of `layers` layers of them: a few
 * patterns, each repeated, or every layer as it comes. Half of the cases keep one kind. */
PROP_UNUSED static void programs_draw_kinds(prop_case *c, rc_model *m, int layers) {
    uint8_t kind_of[256];
    m->kinds = prop_one_in(c, 2) ? 1 : (int)prop_range(c, 2, 4);
    for (int k = 1; k < m->kinds; k++) {
        m->kind[k] = m->kind[0];
        m->kind[k].heads *= (int)prop_range(c, 1, 2);
        m->kind[k].ffn = prop_range(c, 1, 300);
        if (prop_one_in(c, 2))
            m->kind[k].value_dim = (int)prop_range(c, 1, 40);
    }
    for (int at = 0; at < layers;) {
        int length = prop_one_in(c, 3) ? 1 : (int)prop_range(c, 1, 4);
        int times = (int)prop_range(c, 1, 8), from = at;
        for (; at < layers && at < from + length * times; at++)
            kind_of[at] = at < from + length ? (uint8_t)prop_below(c, (uint64_t)m->kinds)
                                             : kind_of[at - length];
    }
    if (!rc_model_set_order(m, kind_of, layers))
        m->kinds = 1, m->runs = 0, m->layers = layers;
}

/* Sequences of T at least `n` and P >= 0; half of the cases have none cached, few are alike. */
PROP_UNUSED static size_t programs_draw_sequences(prop_case *c, int n, rc_sequence *out) {
    size_t count = (size_t)prop_range(c, 1, PROGRAMS_SEQS);
    bool cached = prop_one_in(c, 2);
    for (size_t i = 0; i < count; i++) {
        out[i].t = n + prop_range(c, 0, 4 * (int64_t)c->size);
        out[i].p = cached ? prop_range(c, 0, 4 * (int64_t)c->size) : 0;
    }
    return count;
}

static const char *const programs_prefill[] = {"pass-kv", "pass-q", "all-gather-kv", "tp"};
static const char *const programs_decode[] = {"pass-q", "tp"};

/* variant NULL: any of the phase. Not eager, folded; the test sets what else it wants. */
PROP_UNUSED static void programs_draw(prop_case *c, rc_phase phase, const char *variant,
                                      programs_case *out) {
    memset(out, 0, sizeof *out);
    if (!variant)
        variant = phase == RC_DECODE ? programs_decode[prop_below(c, 2)]
                                     : programs_prefill[prop_below(c, 4)];
    out->variant = variant;
    out->model = programs_model((int)prop_range(c, 1, 3), 1, 1, (int)prop_range(c, 1, 40),
                                prop_range(c, 1, 300), prop_range(c, 1, 300));
    rc_layout l = {.attn_weights = RC_BF16,
                   .ffn_weights = prop_one_in(c, 2) ? RC_FP8 : RC_BF16,
                   .act = RC_BF16,
                   .kv = RC_BF16};
    programs_draw_heads(c, &out->model, &l);
    l.cp = strcmp(variant, "tp") == 0 ? 1 : (int)prop_range(c, 1, c->size < 16 ? c->size : 16);
    out->rq = (rc_request){.model = &out->model,
                           .schedule = rc_schedule_named(variant),
                           .layout = l,
                           .phase = phase,
                           .seqs = out->seqs,
                           .nodes_per_rank = 1,
                           .head = prop_one_in(c, 2)};
    if (phase == RC_DECODE) {
        out->rq.seq_count = (size_t)prop_range(c, 1, 3 * l.cp);
        for (size_t i = 0; i < out->rq.seq_count; i++)
            out->seqs[i] = (rc_sequence){1, prop_range(c, 0, 20 * (int64_t)c->size)};
    } else {
        out->rq.seq_count = programs_draw_sequences(c, l.cp, out->seqs);
    }
}

/* ---------------------------------------------------------------- playing ---------- */

typedef rc_time (*programs_ticks)(void *ctx, const rc_program *p, size_t task);

static const rc_shape *programs_shape(const rc_program *p, size_t task) {
    return &p->shapes[p->tasks[task].shape];
}

typedef struct programs_wires {
    rc_id *streams; /* [gpus][RC_LANE_COUNT] */
    rc_id *links;   /* [gpus][2]: out and in */
} programs_wires;

static rc_id programs_op(rc_sim *sim, const rc_program *p, size_t i, rc_time ticks, bool wired,
                         const programs_wires *w) {
    const rc_task *t = &p->tasks[i];
    const rc_shape *s = programs_shape(p, i);
    rc_op_desc d = {.kind = RC_OP_WORK, .stream = RC_NONE, .duration = ticks, .group = RC_NONE};
    rc_id path[2] = {w->links[2 * t->gpu], w->links[2 * t->peer + 1]};
    if (t->lane < RC_LANE_COUNT)
        d.stream = w->streams[t->gpu * RC_LANE_COUNT + t->lane];
    if (s->kind == RC_T_MESSAGE) {
        d.kind = RC_OP_FLOW;
        d.bytes = wired ? s->bytes : 0.0;
        d.path = path;
        d.path_len = wired ? 2 : 0;
    } else if (s->kind == RC_T_COLLECTIVE) {
        d.kind = RC_OP_RENDEZVOUS;
        d.group = t->group;
        d.group_size = (uint32_t)s->members;
    }
    return rc_sim_op(sim, &d);
}

/* Every task takes ticks(ctx, p, task). `wired`: a message then crosses its sender's way out and
 * its receiver's way in, which pass one byte a tick; else its ticks are all it takes. NULL when the
 * engine refused or a cycle held the program up. The caller destroys the engine. */
PROP_UNUSED static rc_sim *programs_play(const rc_program *p, programs_ticks ticks, void *ctx,
                                         bool wired) {
    rc_sim *sim = rc_sim_create();
    programs_wires w = {calloc(p->gpus, RC_LANE_COUNT * sizeof(rc_id)),
                        calloc(p->gpus, 2 * sizeof(rc_id))};
    bool fine = sim && w.streams && w.links;
    for (uint32_t g = 0; fine && g < p->gpus; g++) {
        rc_id domain = rc_sim_domain(sim);
        for (uint32_t lane = 0; lane < RC_LANE_COUNT; lane++)
            w.streams[g * RC_LANE_COUNT + lane] = rc_sim_stream(sim, domain);
        w.links[2 * g] = rc_sim_link(sim, RC_PS_PER_S);
        w.links[2 * g + 1] = rc_sim_link(sim, RC_PS_PER_S);
    }
    if (fine)
        rc_sim_keep_all(sim);
    for (size_t i = 0; fine && i < p->task_count; i++)
        fine = programs_op(sim, p, i, ticks(ctx, p, i), wired, &w) == i;
    for (size_t i = 0; fine && i < p->dep_count; i++)
        fine = rc_sim_after(sim, p->deps[i].task, p->deps[i].before, NULL) == RC_OK;
    rc_error err = {0};
    if (fine && rc_sim_run(sim, &err) != RC_OK) {
        (void)fprintf(stderr, "the engine refused the program: %s\n", err.msg);
        fine = false;
    }
    free(w.streams);
    free(w.links);
    if (!fine) {
        rc_sim_destroy(sim);
        return NULL;
    }
    return sim;
}

/* ---------------------------------------------------------------- looking up ---------- */

/* Tasks of a ring by (gpu, layer, step); RC_NONE where there is none. */
typedef struct programs_index {
    int layers, steps;
    rc_id *attention, *message, *ready; /* ready: the rotary task of (gpu, layer), at step 0 */
} programs_index;

static size_t programs_at(const programs_index *x, uint32_t gpu, int layer, int step) {
    return ((size_t)gpu * (size_t)x->layers + (size_t)layer) * (size_t)x->steps + (size_t)step;
}

/* The caller frees x->attention, which holds all three. */
PROP_UNUSED static bool programs_index_of(const rc_program *p, int steps, programs_index *x) {
    *x = (programs_index){.layers = p->layers, .steps = steps};
    size_t room = (size_t)p->gpus * (size_t)p->layers * (size_t)steps;
    x->attention = malloc(3 * room * sizeof *x->attention);
    if (!x->attention)
        return false;
    memset(x->attention, 0xff, 3 * room * sizeof *x->attention);
    x->message = x->attention + room;
    x->ready = x->message + room;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        if (t->layer >= p->layers || t->step >= steps)
            continue;
        size_t at = programs_at(x, t->gpu, t->layer, t->step);
        rc_part part = programs_shape(p, i)->part;
        if (part == RC_P_ATTENTION)
            x->attention[at] = (rc_id)i;
        else if (part == RC_P_SENDRECV || part == RC_P_ALL_GATHER)
            x->message[at] = (rc_id)i;
        else if (part == RC_P_ROTARY)
            x->ready[at] = (rc_id)i;
    }
    return true;
}

/* ---------------------------------------------------------------- fake costs ---------- */
#ifdef PROGRAMS_FAKE_COSTS
#include "sim/cost/cost.h"
#include "sim/forward/forward.h"

typedef enum fake_kind {
    FAKE_GEMM,
    FAKE_ATTENTION,
    FAKE_DECODE,
    FAKE_MERGE,
    FAKE_ELEMENTWISE,
    FAKE_COLLECTIVE,
    FAKE_KINDS
} fake_kind;

/* An op of `size` takes fixed + size * slope ticks. */
struct rc_costs {
    rc_machine machine;
    int64_t fixed[FAKE_KINDS], slope[FAKE_KINDS], latency;
    int64_t per_key; /* of attention, besides */
    double peer_rate, link_rate, spread;
    rc_basis basis;
    rc_beside beside;
    rc_launch_gaps gaps;
    int fail; /* a fake_kind that errs, FAKE_KINDS: messages do; -1: none does */
    rc_power
        power;    /* none unless known: then every tick of compute draws 1 kW at the boost clock */
    rc_pace pace; /* clock 0 reads as 1 */
    rc_power card[8]; /* of which card_count have a law of their own */
    int card_count;
    const rc_costs *root;
};

static rc_status fake_cost(const rc_costs *c, fake_kind kind, int64_t size, rc_cost *out,
                           rc_error *err) {
    if (c->fail == (int)kind)
        return rc_fail(err, RC_E_INPUT, "no cost of kind %d", (int)kind);
    double spread = c->basis == RC_MEASURED ? c->spread : c->spread + c->machine.ratio_spread;
    *out = (rc_cost){.p50 = (double)(c->fixed[kind] + size * c->slope[kind]) / RC_PS_PER_S,
                     .spread = spread,
                     .basis = c->basis};
    if (c->power.known && (kind == FAKE_GEMM || kind == FAKE_ATTENTION))
        out->effort = (rc_effort){
            .flops = out->p50,
            .bytes = 0.1 * out->p50,
            .bound = kind == FAKE_GEMM ? 0.9 : 1.0,
            .class = kind == FAKE_GEMM ? RC_POWER_GEMM : RC_POWER_ATTENTION,
        };
    return RC_OK;
}

const rc_power *rc_costs_power(const rc_costs *c) {
    return c->power.known ? &c->power : NULL;
}

const rc_power *rc_costs_cards(const rc_costs *c, int *count) {
    *count = c->card_count;
    return c->card;
}

double rc_costs_power_limit(const rc_costs *c, const rc_power *power) {
    (void)c;
    return power->limit;
}

rc_pace rc_costs_pace(const rc_costs *c) {
    return c->pace.clock > 0.0 ? c->pace : (rc_pace){1.0, rc_costs_power(c)};
}

const rc_costs *rc_costs_root(const rc_costs *c) {
    return c->root ? c->root : c;
}

rc_status rc_costs_at_pace(const rc_costs *c, rc_pace pace, rc_costs **out, rc_error *err) {
    RC_TRY(rc_costs_view(c, &c->machine, out, err));
    (*out)->pace = pace;
    (*out)->root = rc_costs_root(c);
    return RC_OK;
}

rc_status rc_costs_open(const char *store, const rc_machine *m, rc_costs **out, rc_error *err) {
    (void)store;
    (void)m;
    *out = NULL;
    return rc_fail(err, RC_E_INTERNAL, "no store here");
}

void rc_costs_close(rc_costs *c) {
    free(c);
}

const rc_machine *rc_costs_machine(const rc_costs *c) {
    return &c->machine;
}

rc_beside rc_cost_beside(const rc_costs *c) {
    return c->beside;
}

double rc_cost_eager_gap(const rc_costs *c, rc_launched kind) {
    return c->gaps.eager[kind];
}

rc_status rc_costs_view(const rc_costs *c, const rc_machine *m, rc_costs **out, rc_error *err) {
    *out = malloc(sizeof **out);
    if (!*out)
        return rc_fail(err, RC_E_NOMEM, "no memory");
    **out = *c;
    (*out)->machine = *m;
    return RC_OK;
}

static rc_status fake_attention(const rc_costs *c, int causal, const int64_t *at, rc_cost *out,
                                rc_error *err) {
    int64_t tq = at[RC_AXIS_QUERIES], tk = at[RC_AXIS_KEYS];
    int64_t entries = rc_call_entries(&(rc_call){tq, tk, causal}) * at[RC_AXIS_QUERY_HEADS];
    rc_status st = fake_cost(c, FAKE_ATTENTION, entries, out, err);
    out->p50 += (double)(c->per_key * tk) / RC_PS_PER_S;
    return st;
}

/* All ops but transfers: the functions of cost.h that name an op call this one. */
rc_status rc_cost_op(const rc_costs *c, rc_op op, rc_dtype d, const rc_axes *axes, rc_cost *out,
                     rc_error *err) {
    const int64_t *at = axes->at;
    (void)d;
    switch (rc_op_info_of(op)->rule) {
    case RC_PRICE_PRODUCT:
        return fake_cost(c, FAKE_GEMM,
                         at[RC_AXIS_TOKENS] * (at[RC_AXIS_OUTPUTS] + at[RC_AXIS_INPUTS]) / 64, out,
                         err);
    case RC_PRICE_FULL:
    case RC_PRICE_CAUSAL:
        return fake_attention(c, op != RC_COST_FULL, at, out, err);
    case RC_PRICE_DECODE:
        return fake_cost(c, FAKE_DECODE,
                         at[RC_AXIS_BATCH] * at[RC_AXIS_CONTEXT] * at[RC_AXIS_QUERY_HEADS], out,
                         err);
    case RC_PRICE_MERGE:
        return fake_cost(c, FAKE_MERGE, at[RC_AXIS_ROWS] * at[RC_AXIS_PARTS], out, err);
    case RC_PRICE_COPY:
        return fake_cost(c, FAKE_ELEMENTWISE, at[RC_AXIS_BYTES] / 64, out, err);
    default:
        return fake_cost(c, FAKE_ELEMENTWISE,
                         at[RC_AXIS_TOKENS] * (int64_t)rc_op_info_of(op)->width(axes) / 64, out,
                         err);
    }
}

rc_status rc_cost_collective(const rc_costs *c, const char *op, const rc_transfer *x, rc_cost *out,
                             rc_error *err) {
    (void)op;
    return fake_cost(c, FAKE_COLLECTIVE, (int64_t)x->bytes / 64 * x->nodes + x->ranks, out, err);
}

rc_status rc_cost_p2p(const rc_costs *c, const rc_transfer *x, rc_p2p *out, rc_error *err) {
    (void)x;
    if (c->fail == (int)FAKE_KINDS)
        return rc_fail(err, RC_E_INPUT, "no cost of messages");
    *out = (rc_p2p){
        (double)c->latency / RC_PS_PER_S, c->peer_rate, c->link_rate, c->spread, 0.0, c->basis};
    return RC_OK;
}

/* Everything that a forward pass needs; `x` holds the model and the sequences. */
typedef struct fake_pass {
    programs_case x;
    rc_costs costs;
    rc_spec spec;
} fake_pass;

PROP_UNUSED static void fake_costs(prop_case *c, rc_costs *k) {
    memset(k, 0, sizeof *k);
    strcpy(k->machine.name, "fake");
    k->machine.memory = 1e18;
    k->machine.bf16_rate = 1e15;
    k->machine.sms = 132;
    k->machine.gpus_per_node = 1 << prop_range(c, 0, 3); /* all ranks in a node, or not */
    k->machine.nic_rate = 1e9;
    k->machine.launch = (double)prop_range(c, 0, 3000) / RC_PS_PER_S;
    k->machine.ring_step = (double)prop_range(c, 0, 5000) / RC_PS_PER_S;
    for (int i = 0; i < FAKE_KINDS; i++) {
        k->fixed[i] = prop_range(c, 0, 2000);
        k->slope[i] = prop_range(c, 0, 9);
    }
    k->latency = prop_range(c, 0, 4000);
    k->link_rate = 1e11 * (double)prop_range(c, 1, 1000);
    k->peer_rate = k->link_rate * (0.3 + prop_unit(c));
    k->basis = RC_MEASURED;
    k->fail = -1;
    for (int i = 0; i < RC_LAUNCHED_KINDS; i++)
        k->gaps.eager[i] = (double)prop_range(c, 0, 500) / RC_PS_PER_S;
}

/* In half of the cases costs with a power model, whose limit most passes exceed: time and power of
 * products and attention follow the clock. */
PROP_UNUSED static void fake_power(prop_case *c, rc_costs *k) {
    const rc_power_law law = {1000.0 * (0.2 + prop_unit(c)), prop_unit(c), 2.0 * prop_unit(c), 1.0,
                              0.0};
    if (prop_one_in(c, 2))
        return;
    k->power = (rc_power){.known = true,
                          .boost = (double)prop_range(c, 100, 3000),
                          .idle = 100.0,
                          .limit = (double)prop_range(c, 101, 1000),
                          .byte = 10.0};
    for (int i = 0; i < RC_POWER_OTHER; i++)
        k->power.law[i] = law;
    if (prop_one_in(c, 2)) /* cards of one host differ */
        return;
    k->card_count = 8;
    for (int card = 0; card < k->card_count; card++) {
        k->card[card] = k->power;
        k->card[card].limit *= 0.7 + 0.6 * prop_unit(c);
        for (int i = 0; i < RC_POWER_OTHER; i++) {
            k->card[card].law[i].flop *= 0.5 + prop_unit(c);
            k->card[card].law[i].slows = prop_unit(c);
        }
    }
}

/* variant NULL: any. At most `gpus` GPUs and `layers` layers (8 at least). */
PROP_UNUSED static void fake_draw(prop_case *c, const char *variant, int gpus, int layers,
                                  fake_pass *f) {
    do
        programs_draw(c, !variant && prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, variant, &f->x);
    while (f->x.rq.layout.tp * f->x.rq.layout.cp > gpus);
    f->x.model.kind[0].head_dim = f->x.model.kind[0].value_dim = 128;
    f->x.model.layers = (int)prop_range(c, 8, layers);
    fake_costs(c, &f->costs);
    f->spec = (rc_spec){.model = &f->x.model,
                        .costs = &f->costs,
                        .layout = f->x.rq.layout,
                        .phase = f->x.rq.phase,
                        .schedule = f->x.rq.schedule,
                        .seqs = f->x.seqs,
                        .seq_count = f->x.rq.seq_count,
                        .eager = prop_one_in(c, 2),
                        .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
}

/* Attention and messages that take something from each other, and every way to share the chip. */
PROP_UNUSED static void fake_share(prop_case *c, fake_pass *f) {
    f->costs.beside = (rc_beside){.known = true,
                                  .sms = prop_unit(c),
                                  .message = 1.0 + 2.0 * prop_unit(c),
                                  .attention_behind = 1e-6 * prop_unit(c),
                                  .decode_behind = 1e-6 * prop_unit(c),
                                  .clear = 1e-6 * prop_unit(c)};
    f->costs.machine.sms = (int)prop_range(c, 1, 40);
    f->spec.ring_share.gives_way = prop_one_in(c, 2);
    if (prop_one_in(c, 2))
        f->spec.ring_share.sms = (int)prop_range(c, 1, 40);
    if (prop_one_in(c, 2))
        f->costs.machine.ring_ctas = (int)prop_range(c, 1, 40);
    if (prop_one_in(c, 2))
        strcpy(f->costs.machine.intra_transport, "nvlink");
}

/* Decode steps among the sequences of a prefill. */
PROP_UNUSED static void fake_mix_phases(prop_case *c, fake_pass *f) {
    if (f->spec.phase != RC_PREFILL || f->spec.schedule == rc_schedule_named("all-gather-kv") ||
        !prop_one_in(c, 3))
        return;
    f->spec.phase = RC_MIXED;
    for (size_t i = 0; i < f->spec.seq_count; i++)
        if (prop_one_in(c, 2))
            f->x.seqs[i].t = 1;
    for (int more = (int)prop_range(c, 0, 12); more > 0; more--)
        f->x.seqs[f->spec.seq_count++] = (rc_sequence){1, prop_range(c, 0, 200)};
}

/* One prompt, launched by the host, on TP2 and so many ranks of a ring, at costs drawn from a fixed
 * seed, on nodes of eight. */
PROP_UNUSED static void fake_one_prompt(int layers, int heads, int kv_heads, int cp, int64_t tokens,
                                        fake_pass *f) {
    prop_case c = {.state = 1, .size = 8};
    memset(f, 0, sizeof *f);
    f->x.model = programs_model(layers, heads, kv_heads, 128, 256, 512);
    f->x.seqs[0] = (rc_sequence){tokens, 0};
    fake_costs(&c, &f->costs);
    f->costs.machine.gpus_per_node = 8;
    f->spec = (rc_spec){.model = &f->x.model,
                        .costs = &f->costs,
                        .schedule = rc_schedule_named("pass-kv"),
                        .seqs = f->x.seqs,
                        .seq_count = 1,
                        .eager = true,
                        .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    f->spec.layout = (rc_layout){.tp = 2,
                                 .cp = cp,
                                 .attn_weights = RC_BF16,
                                 .ffn_weights = RC_BF16,
                                 .act = RC_BF16,
                                 .kv = RC_BF16};
}

#endif

#endif
