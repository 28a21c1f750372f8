/* The time of a pass alone: a replay where one layer's arithmetic is all there is, else the engine.
 *
 * A context keeps, by what decides a program's structure, the compiled replays; and by size, the
 * costs of shapes, for sweeps ask for the same few again and again. A pass then is: refill the
 * shapes of one layer, look up their costs, evaluate layers until they repeat.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/cost/basis.h"
#include "sim/forward/replay.h"

enum { MEMO_SLOTS = 4096, MEMO_CALLS = 2, MOST_REPLAYS = 256 };
/* Times are added up in 64 bits: a pass whose ops, over all GPUs and layers, last longer than this
 * one after the other is left to the engine, which says so. No path through them is longer. */
static const double LONGEST = 0x1p61;

typedef struct memo { /* one shape's cost */
    rc_shape shape;   /* without part and calls */
    rc_call calls[MEMO_CALLS];
    rc_shape_cost cost;
    bool used;
} memo;

struct rc_forward_ctx {
    rc_replay **replays;
    size_t replay_count, replay_room;
    int64_t replay_bytes;  /* what they took to compile: no less than what they keep */
    memo *memos;           /* [MEMO_SLOTS] */
    const rc_costs *costs; /* whose costs the memos hold, */
    rc_machine machine;    /* on this machine */
    rc_shape_cost *price;  /* by shape, of the pass at hand */
    size_t price_room;
};

rc_forward_ctx *rc_forward_ctx_create(void) {
    rc_forward_ctx *ctx = calloc(1, sizeof *ctx);
    if (ctx)
        ctx->memos = calloc(MEMO_SLOTS, sizeof *ctx->memos);
    if (ctx && !ctx->memos) {
        free(ctx);
        return NULL;
    }
    return ctx;
}

static void drop_replays(rc_forward_ctx *ctx) {
    for (size_t i = 0; i < ctx->replay_count; i++) {
        rc_replay_free(ctx->replays[i]);
        free(ctx->replays[i]);
    }
    ctx->replay_count = 0;
    ctx->replay_bytes = 0;
}

void rc_forward_ctx_destroy(rc_forward_ctx *ctx) {
    if (!ctx)
        return;
    drop_replays(ctx);
    free(ctx->replays);
    free(ctx->memos);
    free(ctx->price);
    free(ctx);
}

void rc_forward_ctx_forget(rc_forward_ctx *ctx) {
    for (size_t i = 0; i < MEMO_SLOTS; i++)
        ctx->memos[i].used = false;
    ctx->costs = NULL;
}

/* ---- costs ---------------------------------------------------------------------------------- */

/* Padding that differs only makes two things look different that are not: looked up once more. */
static bool same_bytes(const void *a, const void *b, size_t n) {
    return memcmp(a, b, n) == 0;
}

static void follow_costs(rc_forward_ctx *ctx, const rc_costs *costs) {
    const rc_machine *m = rc_costs_machine(costs);
    if (ctx->costs == costs && same_bytes(&ctx->machine, m, sizeof *m))
        return;
    rc_forward_ctx_forget(ctx);
    ctx->costs = costs;
    memcpy(&ctx->machine, m, sizeof *m);
}

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 32);
}

static size_t memo_slot(const rc_program *p, const rc_shape *s) {
    uint64_t bits;
    memcpy(&bits, &s->bytes, sizeof bits);
    uint64_t h = mix((uint64_t)s->kind * 4 + (uint64_t)s->dtype, (uint64_t)s->a);
    h = mix(mix(h, (uint64_t)s->b), (uint64_t)s->c ^ bits);
    h = mix(h, (uint64_t)s->hq * 4096u + (uint64_t)s->hkv);
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *c = &p->calls[s->first_call + i];
        h = mix(mix(h, (uint64_t)c->tq), (uint64_t)c->tk * 2u + (uint64_t)c->causal);
    }
    return h % MEMO_SLOTS;
}

/* Ops are static strings of the schedule: the same op is the same pointer. */
static bool is_memo_of(const memo *m, const rc_program *p, const rc_shape *s) {
    const rc_shape *k = &m->shape;
    if (!m->used || k->kind != s->kind || k->dtype != s->dtype || k->op != s->op || k->a != s->a ||
        k->b != s->b || k->c != s->c || k->hq != s->hq || k->hkv != s->hkv ||
        k->ranks != s->ranks || k->nodes != s->nodes || k->stand_in != s->stand_in ||
        (k->part == RC_P_ALL2ALL) != (s->part == RC_P_ALL2ALL) || k->calls != s->calls ||
        !same_bytes(&k->bytes, &s->bytes, sizeof k->bytes))
        return false;
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *a = &m->calls[i], *b = &p->calls[s->first_call + i];
        if (a->tq != b->tq || a->tk != b->tk || a->causal != b->causal)
            return false;
    }
    return true;
}

static rc_status price(rc_forward_ctx *ctx, const rc_program *p, const rc_shape *s,
                       rc_shape_cost *out, rc_error *err) {
    if (s->calls > MEMO_CALLS)
        return rc_shape_price(ctx->costs, p, s, out, err);
    memo *m = &ctx->memos[memo_slot(p, s)];
    if (!is_memo_of(m, p, s)) {
        m->used = false;
        RC_TRY(rc_shape_price(ctx->costs, p, s, &m->cost, err));
        m->shape = *s;
        if (s->calls > 0)
            memcpy(m->calls, &p->calls[s->first_call], s->calls * sizeof *m->calls);
        m->used = true;
    }
    *out = m->cost;
    return RC_OK;
}

static rc_status price_all(rc_forward_ctx *ctx, const rc_program *p, rc_error *err) {
    if (p->shape_count > ctx->price_room) {
        rc_shape_cost *more = realloc(ctx->price, 2 * p->shape_count * sizeof *more);
        if (!more)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu costs", p->shape_count);
        ctx->price = more;
        ctx->price_room = 2 * p->shape_count;
    }
    for (size_t i = 0; i < p->shape_count; i++)
        RC_TRY(price(ctx, p, &p->shapes[i], &ctx->price[i], err));
    return RC_OK;
}

/* ---- durations ------------------------------------------------------------------------------ */

static rc_time round_ps(double ps) {
    return ps < 0x1p62 ? (rc_time)llround(ps) : (rc_time)1 << 62;
}

static double slower(double factor, int rank, uint32_t gpu) {
    return factor > 0.0 && rank >= 0 && gpu == (uint32_t)rank ? factor : 1.0;
}

/* How long a lone message is on its links: at the least of what it, its sender's and its receiver's
 * link allow. */
static rc_time transfer_of(const rc_what_if *w, const rc_task *t, const rc_shape *s,
                           const rc_shape_cost *c) {
    double rate =
        fmin(c->link_rate * slower(w->slow_link, w->slow_link_rank, t->gpu), c->link_rate);
    if (c->peer_rate > 0.0)
        rate = fmin(rate, c->peer_rate);
    return round_ps(s->bytes * RC_PS_PER_S / rate);
}

static rc_time duration_of(const rc_what_if *w, const rc_task *t, const rc_shape *s,
                           const rc_shape_cost *c) {
    switch (s->kind) {
    case RC_T_COLLECTIVE:
    case RC_T_MARK:
    case RC_T_LAUNCH:
    case RC_T_RING_STEP:
    case RC_T_MESSAGE:
        return c->duration;
    default:
        break;
    }
    double speed = slower(w->slow_speed, w->slow_rank, t->gpu);
    return speed == 1.0 ? c->duration : round_ps((double)c->duration / speed);
}

/* Adds the work of one task of GPU 0, in all layers, to what it rests on. */
static void add_basis(const rc_replay *r, const rc_spec *spec, size_t task, rc_basis of_shape,
                      double *basis) {
    const rc_task *t = &r->one.tasks[task];
    const rc_shape *s = &r->one.shapes[t->shape];
    if (t->gpu != 0 || !rc_task_works(s))
        return;
    double times = task < r->body ? spec->model->layers : 1.0;
    basis[rc_task_basis(&spec->what_if, t, 1, s, of_shape)] += times * (double)r->duration[task];
}

/* False when the sum of all is beyond what is added up safely. */
static bool set_durations(const rc_forward_ctx *ctx, rc_replay *r, const rc_spec *spec,
                          double *basis) {
    const rc_program *p = &r->one;
    double sum = 0.0;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        const rc_shape_cost *c = &ctx->price[t->shape];
        const rc_shape *s = &p->shapes[t->shape];
        r->duration[i] = duration_of(&spec->what_if, t, s, c);
        if (s->kind == RC_T_MESSAGE) {
            r->transfer[i] = transfer_of(&spec->what_if, t, s, c);
            r->duration[i] += r->transfer[i];
        }
        sum += (double)r->duration[i];
        add_basis(r, spec, i, c->basis, basis);
    }
    return sum * spec->model->layers < LONGEST;
}

/* ---- structures ----------------------------------------------------------------------------- */

static rc_status build(const rc_request *rq, rc_replay *r, rc_error *err) {
    rc_program three;
    rc_model tall = *rq->model; /* all its layers are alike; a shorter one is compiled from three */
    rc_request more = *rq;
    tall.kind[0] = rq->model->kind[rc_model_kind_of(rq->model, 0)];
    tall.runs = 0;
    tall.layers = tall.layers < 3 ? 3 : tall.layers;
    more.model = &tall;
    more.repeats = 3;
    RC_TRY(rc_schedule_build(rq, &r->one, err));
    r->key = rc_schedule_key_of(rq);
    rc_status st = rc_schedule_build(&more, &three, err);
    if (st == RC_OK)
        st = rc_replay_compile(r, &three, err);
    rc_program_free(&three);
    return st;
}

static rc_status add_replay(rc_forward_ctx *ctx, const rc_spec *spec, const rc_request *rq,
                            rc_replay **out, rc_error *err) {
    int64_t bytes = 0;
    RC_TRY(rc_replay_room(spec, rq, &bytes, err));
    if (ctx->replay_count == MOST_REPLAYS || ctx->replay_bytes + bytes > RC_PASS_BYTES)
        drop_replays(ctx);
    if (ctx->replay_count == ctx->replay_room) {
        size_t room = ctx->replay_room ? 2 * ctx->replay_room : 16;
        rc_replay **more = realloc(ctx->replays, room * sizeof *more);
        if (!more)
            return rc_fail(err, RC_E_NOMEM, "out of memory for another schedule");
        ctx->replays = more;
        ctx->replay_room = room;
    }
    rc_replay *r = calloc(1, sizeof *r);
    if (!r)
        return rc_fail(err, RC_E_NOMEM, "out of memory for another schedule");
    rc_status st = build(rq, r, err);
    if (st != RC_OK) {
        rc_replay_free(r);
        free(r);
        return st;
    }
    ctx->replays[ctx->replay_count++] = *out = r;
    ctx->replay_bytes += bytes;
    return RC_OK;
}

static rc_status replay_for(rc_forward_ctx *ctx, const rc_spec *spec, const rc_request *rq,
                            rc_replay **out, rc_error *err) {
    rc_schedule_key key = rc_schedule_key_of(rq);
    for (size_t i = 0; i < ctx->replay_count; i++) {
        *out = ctx->replays[i];
        if (rc_schedule_key_equal(&(*out)->key, &key))
            return RC_OK;
    }
    return add_replay(ctx, spec, rq, out, err);
}

/* ---- a pass --------------------------------------------------------------------------------- */

static bool changes(double factor) {
    return factor > 0.0 && factor != 1.0;
}

/* The flows of an exchange must be alike, and so must the links they share. */
static bool exchanges_alike(const rc_replay *r, const rc_what_if *w) {
    if (!r->exchanges)
        return true;
    if (rc_what_if_slows_link(w))
        return false;
    for (size_t i = 0; i < r->run_count; i++) {
        const rc_task *t = &r->one.tasks[r->runs[i].task];
        for (uint32_t f = 1; r->runs[i].kind == RC_STEP_EXCHANGE && f < r->gpus * (r->gpus - 1);
             f++)
            if (t[f].shape != t[0].shape)
                return false;
    }
    return true;
}

/* *done is false when the engine must run. */
static rc_status replay(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward_timing *out,
                        bool *done, rc_error *err) {
    rc_request rq = rc_spec_request(spec, 1);
    rc_replay *r = NULL;
    rq.unfold_tp = false;
    *done = false;
    if (!rc_model_uniform(spec->model) || changes(spec->what_if.overlap_compute) ||
        changes(spec->what_if.overlap_comm))
        return RC_OK;
    RC_TRY(replay_for(ctx, spec, &rq, &r, err));
    if (!r->works)
        return RC_OK;
    RC_TRY(rc_schedule_refill(&rq, &r->one, err));
    RC_TRY(price_all(ctx, &r->one, err));
    double basis[RC_BASIS_COUNT] = {0};
    if (!exchanges_alike(r, &spec->what_if) || !set_durations(ctx, r, spec, basis))
        return RC_OK;
    rc_basis_share(basis, out->busy_basis);
    *done = rc_replay_run(r, spec->model->layers, ctx->price, &out->ticks, &out->layers);
    out->path = RC_PATH_REPLAY;
    return RC_OK;
}

static rc_status engine(const rc_spec *spec, rc_forward_timing *out, rc_error *err) {
    rc_forward whole;
    rc_spec s = *spec;
    s.draws = 0;
    s.unfold = false;
    RC_TRY(rc_forward_run(&s, &whole, err));
    out->ticks = whole.ticks;
    out->path = RC_PATH_ENGINE;
    out->layers = whole.layers_simulated;
    memcpy(out->busy_basis, whole.busy_basis, sizeof out->busy_basis);
    return RC_OK;
}

rc_status rc_forward_time(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward_timing *out,
                          rc_error *err) {
    bool done;
    memset(out, 0, sizeof *out);
    RC_TRY(rc_forward_check(spec, &out->memory, err));
    follow_costs(ctx, spec->costs);
    RC_TRY(replay(ctx, spec, out, &done, err));
    if (!done)
        RC_TRY(engine(spec, out, err));
    out->time = (double)out->ticks / RC_PS_PER_S;
    return RC_OK;
}
