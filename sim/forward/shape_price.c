/* What the ops of a program cost: the cost room is asked once a shape.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/base/mix.h"
#include "sim/cost/tiles.h"
#include "sim/forward/internal.h"

/* Half-width of p10..p90 to the standard deviation of a normal. */
#define Z_80 1.2815515655446004

/* The family of an op by what bounds it. */
static rc_family op_family(const rc_shape *s) {
    switch (rc_op_info_of(rc_op_named(s->op))->bound) {
    case RC_BOUND_GEMM:
        return RC_F_GEMM;
    case RC_BOUND_ATTENTION:
        return RC_F_ATTENTION;
    default:
        return RC_F_ELEMENTWISE;
    }
}

rc_family rc_family_of(const rc_shape *s) {
    switch (s->kind) {
    case RC_T_GEMM:
        return RC_F_GEMM;
    case RC_T_ATTENTION:
    case RC_T_DECODE:
        return RC_F_ATTENTION;
    case RC_T_COLLECTIVE:
        return s->part == RC_P_ALL_REDUCE ? RC_F_ALL_REDUCE : RC_F_NETWORK;
    case RC_T_OP:
        return op_family(s);
    case RC_T_MESSAGE:
        return RC_F_NETWORK;
    case RC_T_LAUNCH:
    case RC_T_RING_STEP:
        return RC_F_HOST;
    default:
        return RC_F_ELEMENTWISE;
    }
}

/* A quarter of the clock's range: what an op may take, so that a factor of 2 stays inside. */
#define LONGEST_OP 0x1p61

static rc_status to_ticks(double seconds, rc_time *out, rc_error *err) {
    double ps = seconds * RC_PS_PER_S;
    if (!(ps < LONGEST_OP))
        return rc_fail(err, RC_E_INPUT,
                       "one op would take %.3g s, beyond the %.3g s that a pass may take", seconds,
                       LONGEST_OP / RC_PS_PER_S);
    *out = llround(ps);
    return RC_OK;
}

static rc_heads heads_of(const rc_shape *s) {
    return (rc_heads){s->hq, s->hkv, s->key_size, s->value_size};
}

/* What several ranges of keys in one launch take over one sequence of as many queries and score
 * entries, by the plans that the kernel makes of both: several are cut to even lengths at a whole
 * number of pieces a range, one by the tiles of its last round. 1 for more ranges than are planned
 * here, and where a machine states how fast its attention is over the base's: that is the kernel of
 * another part or engine, whose plan nobody knows. */
static double over_one_sequence(const rc_program *p, const rc_shape *s, int64_t rows,
                                int64_t entries, const rc_machine *m) {
    rc_tile_call calls[RC_TILE_CALLS], one = {rows, (entries + rows - 1) / rows, false};
    rc_tiles many, single;
    const int sms = m->sms;
    if (s->calls > RC_TILE_CALLS || sms < 1 || m->attention_ratio != 1.0)
        return 1.0;
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *call = &p->calls[s->first_call + i];
        calls[i] = (rc_tile_call){call->tq, call->tk, call->causal};
    }
    rc_tiles_plan(calls, (int)s->calls, s->hq, s->hkv, sms, &many);
    rc_tiles_plan(&one, 1, s->hq, s->hkv, sms, &single);
    return rc_tiles_time(&many, sms, 0, 0.0, 1, NULL) /
           rc_tiles_time(&single, sms, 0, 0.0, 1, NULL);
}

/* Whether all calls of a launch are alike, which two at least are. */
static bool calls_are_alike(const rc_program *p, const rc_shape *s) {
    const rc_call *first = &p->calls[s->first_call];
    for (uint32_t i = 1; i < s->calls; i++) {
        const rc_call *call = first + i;
        if (call->tq != first->tq || call->tk != first->tk || call->causal != first->causal)
            return false;
    }
    return s->calls > 1;
}

/* One cost behind the other. */
static void add_cost(rc_cost *sum, const rc_cost *x) {
    const double t = sum->p50 + x->p50;
    sum->spread = t > 0.0 ? (sum->spread * sum->p50 + x->spread * x->p50) / t : 0.0;
    sum->own = t > 0.0 ? (sum->own * sum->p50 + x->own * x->p50) / t : 0.0;
    sum->effort.bound =
        t > 0.0 ? (sum->effort.bound * sum->p50 + x->effort.bound * x->p50) / t : 0.0;
    sum->effort.flops += x->effort.flops;
    sum->effort.bytes += x->effort.bytes;
    if (x->p50 >= sum->p50)
        sum->effort.class = x->effort.class;
    sum->basis = sum->basis > x->basis ? sum->basis : x->basis;
    sum->p50 = t;
}

/* Attention on latents: what makes keys and values of them, then one call after the other. A call in
 * which every query sees every key is priced as a causal one of as many pairs. */
static rc_status latent_cost(const rc_costs *c, rc_call_memo *memo, const rc_program *p,
                             const rc_shape *s, rc_cost *out, rc_error *err) {
    rc_cost sum = {.basis = RC_MEASURED}, one;
    if (s->a > 0) {
        RC_TRY(rc_cost_gemm(c, RC_BF16, s->a, s->b, s->c, &one, err));
        add_cost(&sum, &one);
    }
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *call = &p->calls[s->first_call + i];
        const rc_latent_call at = {.op = s->op,
                                   .dtype = s->dtype,
                                   .heads = s->hq,
                                   .key_size = s->key_size,
                                   .value_size = s->value_size,
                                   .queries = call->tq,
                                   .keys = call->tk + (call->causal ? 0 : (call->tq - 1) / 2)};
        RC_TRY(rc_call_memo_cost(memo, c, &at, &one, err));
        add_cost(&sum, &one);
    }
    *out = sum;
    return RC_OK;
}

static rc_status windowed_cost(const rc_costs *c, const rc_program *p, const rc_shape *s,
                               rc_cost *out, rc_error *err) {
    rc_cost sum = {.basis = RC_MEASURED}, one;
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *call = &p->calls[s->first_call + i];
        RC_TRY(rc_cost_attention_within(c, s->dtype, call->tq, call->tk, s->window, heads_of(s),
                                        &one, err));
        add_cost(&sum, &one);
    }
    *out = sum;
    return RC_OK;
}

static bool windowed(const rc_program *p, const rc_shape *s) {
    for (uint32_t i = 0; s->window > 0 && i < s->calls; i++)
        if (p->calls[s->first_call + i].tk > s->window)
            return true;
    return false;
}

/* What attention has to unpack comes before it, in passes over elements of HBM. */
static rc_status add_unpacking(const rc_costs *c, const rc_shape *s, rc_cost *sum, rc_error *err) {
    enum { WIDTH = 8192 }; /* of the rows; elements count, however they lie */
    const struct {
        const char *op;
        int64_t elements;
    } from[] = {{"dequantize_fp8", s->unpack_fp8}, {"dequantize_int4", s->unpack_int4}};
    for (int i = 0; i < 2; i++) {
        const rc_axes at = {
            {[RC_AXIS_TOKENS] = rc_ceil_div(from[i].elements, WIDTH), [RC_AXIS_WIDTH] = WIDTH}};
        rc_cost one;
        if (from[i].elements == 0)
            continue;
        RC_TRY(rc_cost_named(c, from[i].op, RC_BF16, &at, &one, err));
        add_cost(sum, &one);
    }
    return RC_OK;
}

static rc_status attention_cost(const rc_costs *c, rc_call_memo *memo, const rc_program *p,
                                const rc_shape *s, rc_cost *out, rc_error *err) {
    assert(s->first_call + (size_t)s->calls <= p->call_count);
    if (s->op != NULL)
        return latent_cost(c, memo, p, s, out, err);
    if (windowed(p, s))
        return windowed_cost(c, p, s, out, err);
    int64_t rows = 0, entries = 0;
    rc_cost longest = {.basis = RC_MEASURED};
    if (calls_are_alike(p, s)) {
        const rc_call *call = &p->calls[s->first_call];
        return rc_cost_attention_alike(c, s->dtype, call->causal, s->calls, call->tq, call->tk,
                                       heads_of(s), out, err);
    }
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *call = &p->calls[s->first_call + i];
        RC_TRY(rc_cost_attention(c, s->dtype, call->causal, call->tq, call->tk, heads_of(s), out,
                                 err));
        longest = out->p50 > longest.p50 ? *out : longest;
        rows += call->tq;
        entries += rc_call_entries(call);
    }
    if (s->calls < 2)
        return RC_OK;
    RC_TRY(rc_cost_attention_fused(c, s->dtype, rows, entries, &longest, heads_of(s), out, err));
    if (rows > 0 && entries > 0)
        out->p50 *= over_one_sequence(p, s, rows, entries, rc_costs_machine(c));
    return RC_OK;
}

/* An op by its name: a to d are its columns. */
static rc_status op_cost(const rc_costs *c, const rc_shape *s, rc_cost *out, rc_error *err) {
    const rc_op_info *info = rc_op_info_of(rc_op_named(s->op));
    const int64_t column[RC_COLUMNS] = {s->a, s->b, s->c, s->d};
    rc_axes at = {{[RC_AXIS_HEAD_K] = s->key_size,
                   [RC_AXIS_HEAD_V] = s->value_size,
                   [RC_AXIS_EXPERTS] = s->experts,
                   [RC_AXIS_TOP_K] = s->top_k}};
    for (int i = 0; i < RC_COLUMNS; i++)
        if (info->column[i] != RC_AXIS_NONE)
            at.at[info->column[i]] = column[i];
    return rc_cost_named(c, s->op, s->dtype, &at, out, err);
}

static rc_status decode_cost(const rc_costs *c, const rc_shape *s, rc_cost *out, rc_error *err) {
    if (s->op != NULL) {
        const rc_axes at = {{[RC_AXIS_BATCH] = s->a,
                             [RC_AXIS_CONTEXT] = s->b,
                             [RC_AXIS_QUERY_HEADS] = s->hq,
                             [RC_AXIS_HEAD_K] = s->key_size,
                             [RC_AXIS_HEAD_V] = s->value_size}};
        return rc_cost_named(c, s->op, s->dtype, &at, out, err);
    }
    return s->stand_in ? rc_cost_decode_ragged(c, s->dtype, s->a, s->b, s->c > s->b ? s->c : s->b,
                                               heads_of(s), out, err)
                       : rc_cost_decode(c, s->dtype, s->a, s->b, heads_of(s), out, err);
}

/* An op over tokens, of a width or of heads: of these sizes the op has some. */
static rc_status named_cost(const rc_costs *c, const rc_shape *s, rc_cost *out, rc_error *err) {
    int64_t launches = s->c > 1 ? s->c : 1;
    rc_axes at = {{[RC_AXIS_BYTES] = llround(s->bytes),
                   [RC_AXIS_TOKENS] = rc_ceil_div(s->a, launches),
                   [RC_AXIS_WIDTH] = s->b,
                   [RC_AXIS_QUERY_HEADS] = s->hq,
                   [RC_AXIS_KV_HEADS] = s->hkv,
                   [RC_AXIS_HEAD_K] = s->key_size,
                   [RC_AXIS_HEAD_V] = s->value_size}};
    RC_TRY(rc_cost_named(c, s->op, s->dtype, &at, out, err));
    out->p50 *= (double)launches;
    out->effort.flops *= (double)launches;
    out->effort.bytes *= (double)launches;
    return RC_OK;
}

/* One copy after the other. */
static rc_status copy_cost(const rc_costs *c, const rc_shape *s, rc_cost *out, rc_error *err) {
    const int64_t piece[RC_MESSAGE_PIECES] = {s->a, s->b, s->c};
    rc_cost sum = {.basis = RC_MEASURED};
    for (int i = 0; i < RC_MESSAGE_PIECES; i++) {
        rc_axes at = {{[RC_AXIS_BYTES] = 2 * piece[i]}}; /* read and written */
        if (piece[i] == 0)
            continue;
        RC_TRY(rc_cost_named(c, "copy", RC_BF16, &at, out, err));
        sum.p50 += RC_PIECE_COPIES * out->p50;
        sum.spread = fmax(sum.spread, out->spread);
        sum.basis = out->basis > sum.basis ? out->basis : sum.basis;
    }
    *out = sum;
    return RC_OK;
}

static rc_transfer transfer_of(const rc_shape *s) {
    rc_transfer x = {
        .bytes = s->bytes, .ranks = s->ranks, .nodes = s->nodes, .abreast = s->abreast};
    if (s->kind == RC_T_MESSAGE) {
        const double piece[RC_MESSAGE_PIECES] = {(double)s->a, (double)s->b, (double)s->c};
        memcpy(x.piece, piece, sizeof piece);
    }
    if (s->kind == RC_T_COLLECTIVE)
        x.second = (double)s->a;
    return x;
}

static rc_status expert_cost(const rc_costs *c, const rc_shape *s, rc_cost *out, rc_error *err) {
    const rc_expert_transfer x = {.tokens = s->a,
                                  .width = s->b,
                                  .element = s->bytes,
                                  .experts = s->experts,
                                  .top_k = s->top_k,
                                  .ranks = s->ranks,
                                  .nodes = s->nodes,
                                  .abreast = s->abreast};
    RC_TRY(rc_cost_expert_transfer(c, s->op, &x, out, err));
    out->effort.bytes =
        2.0 * (double)(s->a * s->b) * s->bytes * rc_expert_ranks(s->experts, s->top_k, s->ranks);
    out->effort.class = RC_POWER_LINK;
    return RC_OK;
}

/* Of its power no row tells: what a rank sends is read from its HBM and what it gets is written
 * there, with the energy of a byte that copies have. */
static rc_status collective_cost(const rc_costs *c, const rc_shape *s, rc_cost *out,
                                 rc_error *err) {
    rc_transfer x = transfer_of(s);
    if (s->experts > 0)
        return expert_cost(c, s, out, err);
    RC_TRY(rc_cost_collective(c, s->op, &x, out, err));
    double sent = s->bytes * (s->ranks - 1) / s->ranks;
    double times = strcmp(s->op, "all_reduce") == 0 ? 2.0 : 1.0;
    out->effort.bytes = 2.0 * times * sent;
    out->effort.class = RC_POWER_LINK;
    return RC_OK;
}

/* A number of the machine's file: stated there or for this run, or fitted, which makes it a model's. */
static rc_basis basis_of_number(const rc_machine *m, const char *name) {
    if (rc_machine_overridden(m, name))
        return RC_STATED;
    for (int i = 0; i < m->fitted_count; i++)
        if (strcmp(m->fitted[i].name, name) == 0)
            return RC_MODELLED;
    return RC_STATED;
}

/* s->a: whether there are cached keys. */
static rc_status ring_step_cost(const rc_machine *m, const rc_shape *s, rc_cost *out) {
    rc_basis own = basis_of_number(m, "ring_step"), more = basis_of_number(m, "ring_step_cached");
    *out = (rc_cost){.p50 = m->ring_step, .basis = own};
    if (s->a == 0)
        return RC_OK;
    out->p50 += m->ring_step_cached;
    out->basis = own > more ? own : more;
    return RC_OK;
}

static rc_status timed_cost(const rc_costs *c, rc_call_memo *memo, const rc_program *p,
                            const rc_shape *s, rc_cost *out, rc_error *err) {
    const rc_machine *m = rc_costs_machine(c);
    *out = (rc_cost){.basis = RC_MODELLED};
    switch (s->kind) {
    case RC_T_GEMM:
        return rc_cost_gemm(c, s->dtype, s->a, s->b, s->c, out, err);
    case RC_T_ATTENTION:
        RC_TRY(attention_cost(c, memo, p, s, out, err));
        return add_unpacking(c, s, out, err);
    case RC_T_DECODE:
        return decode_cost(c, s, out, err);
    case RC_T_MERGE:
        return rc_cost_merge(c, s->a, (int)s->b, s->value_size, out, err);
    case RC_T_ELEMENTWISE:
        return named_cost(c, s, out, err);
    case RC_T_OP:
        return op_cost(c, s, out, err);
    case RC_T_COPY:
        return copy_cost(c, s, out, err);
    case RC_T_COLLECTIVE:
        return collective_cost(c, s, out, err);
    case RC_T_LAUNCH:
        *out = (rc_cost){.p50 = m->launch, .basis = basis_of_number(m, "launch")};
        return RC_OK;
    case RC_T_RING_STEP:
        return ring_step_cost(m, s, out);
    default: /* marks take no time; messages are asked for by the caller */
        return RC_OK;
    }
}

/* How well what the clock adds to a time is known, in half-widths of p10 to p90: products at work
 * all of the time take 1.19 to 1.28 of their time at the boost clock on six H200
 * (results/calibration/nodes), for one card needs more power than another. */
static const double CLOCK_SPREAD = 0.2;

static double slows(rc_pace pace, const rc_shape_cost *x) {
    return pace.power != NULL ? rc_power_slows(pace.power, x->load.class, x->bound, pace.clock)
                              : 1.0;
}

rc_status rc_shape_at_pace(rc_pace pace, rc_shape_cost *out, rc_error *err) {
    assert(pace.clock > 0.0 && pace.clock <= 1.0);
    double slower = slows(pace, out);
    RC_TRY(to_ticks(out->boost * slower, &out->duration, err));
    out->peer_rate = out->boost_rate / slower;
    out->alone = out->beside = out->duration;
    if (slower > 1.0 && out->basis < RC_TRANSFERRED)
        out->basis = RC_TRANSFERRED;
    return RC_OK;
}

/* A standard normal number that is the same wherever an op of these sizes is drawn. */
static double own_normal(uint64_t seed, const rc_program *p, const rc_shape *s) {
    const int64_t sizes[] = {(int64_t)s->kind, (int64_t)s->dtype, s->a,         s->b, s->c, s->hq,
                             s->hkv,           s->key_size,       s->value_size};
    const int64_t more[] = {s->d, s->window, s->experts, s->top_k};
    uint64_t h = seed;
    rc_rng rng;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        h = rc_mix(h, (uint64_t)sizes[i]);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        h = more[i] != 0 ? rc_mix(h, (uint64_t)more[i]) : h;
    for (const char *c = s->op; c != NULL && *c != '\0'; c++)
        h = rc_mix(h, (uint64_t)*c);
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *call = &p->calls[s->first_call + i];
        h = rc_mix(rc_mix(rc_mix(h, (uint64_t)call->causal), (uint64_t)call->tq),
                   (uint64_t)call->tk);
    }
    rc_rng_seed(&rng, h);
    return rc_rng_normal(&rng);
}

static double drawn_factor(const rc_cost *cost, const rc_program *p, const rc_shape *s,
                           const rc_draw *z) {
    if (z == NULL)
        return 1.0;
    double shared = sqrt(fmax(cost->spread * cost->spread - cost->own * cost->own, 0.0));
    double own = cost->own > 0.0 ? cost->own * own_normal(z->own, p, s) : 0.0;
    return exp((shared * z->family[rc_family_of(s)] + own) / Z_80);
}

static rc_status draw_shape(const rc_costs *costs, rc_call_memo *memo, const rc_program *p,
                            const rc_shape *s, const rc_draw *z, rc_shape_cost *out,
                            rc_error *err) {
    assert(costs != NULL && p != NULL && s != NULL);
    rc_cost cost = {.basis = RC_MODELLED};
    const rc_power *power = rc_costs_power(costs);
    *out = (rc_shape_cost){0};
    if (s->kind == RC_T_MESSAGE) {
        rc_p2p p2p;
        rc_transfer x = transfer_of(s);
        RC_TRY(rc_cost_p2p(costs, &x, &p2p, err));
        cost = (rc_cost){
            .p50 = p2p.latency,
            .spread = p2p.spread,
            .basis = p2p.basis,
            .effort = {.bytes = 2.0 * s->bytes, .bound = p2p.bound, .class = RC_POWER_LINK}};
        out->boost_rate = p2p.peer_rate;
        out->link_rate = p2p.link_rate;
    } else {
        RC_TRY(timed_cost(costs, memo, p, s, &cost, err));
    }
    bool shared = s->kind == RC_T_MESSAGE && s->part == RC_P_ALL2ALL; /* links, by a rule */
    if (s->stand_in || shared)
        cost.basis = cost.basis > RC_MODELLED ? cost.basis : RC_MODELLED;
    out->bound = cost.effort.bound;
    if (power != NULL)
        rc_power_load(power, &cost.effort, cost.p50, &out->load);
    double slower = slows(rc_costs_pace(costs), out);
    cost.spread = out->spread = hypot(cost.spread, CLOCK_SPREAD * (slower - 1.0));
    double factor = drawn_factor(&cost, p, s, z);
    out->boost_rate /= factor;
    out->basis = cost.basis;
    out->boost = cost.p50 * factor;
    return rc_shape_at_pace(rc_costs_pace(costs), out, err);
}

rc_status rc_shape_draw(const rc_costs *costs, const rc_program *p, const rc_shape *s,
                        const rc_draw *z, rc_shape_cost *out, rc_error *err) {
    return draw_shape(costs, NULL, p, s, z, out, err);
}

rc_status rc_shape_price(const rc_costs *costs, rc_call_memo *memo, const rc_program *p,
                         const rc_shape *s, rc_shape_cost *out, rc_error *err) {
    return draw_shape(costs, memo, p, s, NULL, out, err);
}
