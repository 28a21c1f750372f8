/* What attention and the message beside it in a ring step take from each other.
 *
 * A CTA of attention fills an SM, and so does one of NCCL's. Which of the two has an SM first is the
 * same in every step of a ring (docs/method.md, "What meets in a ring"), so what a step takes is
 * known before the pass is played: attention beside a message has a price of its own, a message's
 * own price holds what attention slows it by, and where attention has all SMs first, the message
 * waits for it (rc_request.messages_wait). The evaluator and the engine play the same prices.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/cost/tiles.h"
#include "sim/engine/ticks.h"
#include "sim/forward/internal.h"

/* SMs that NCCL's kernel takes when nobody limits its CTAs: one for each channel between two peers.
 * Over NVLink the rows of `net` take no less time with more than 24 CTAs; over host memory and
 * sockets NCCL has two channels a peer, and rows take as long with 4 CTAs as with 32. */
enum { NVLINK_CTAS = 24, OTHER_CTAS = 2 };

static bool states(double factor) {
    return factor > 0.0 && factor != 1.0;
}

static int ctas_of(const rc_spec *spec, const rc_machine *m) {
    bool inside = spec->layout.cp * spec->layout.tp <= m->gpus_per_node;
    int most = inside && strcmp(m->intra_transport, "nvlink") == 0 ? NVLINK_CTAS : OTHER_CTAS;
    return m->ring_ctas > 0 && m->ring_ctas < most ? m->ring_ctas : most;
}

/* As the scenario says, else as the engine does. */
static rc_ring_share share_of(const rc_spec *spec, const rc_machine *m) {
    rc_ring_share x = spec->ring_share;
    if (!x.gives_way && x.sms == 0) {
        x.gives_way = m->ring_gives_way;
        x.sms = m->ring_sms;
    }
    return x;
}

static int sms_of(const rc_ring_share *share, const rc_machine *m) {
    int sms = share->sms > 0 ? share->sms : m->sms - RC_RING_FREE;
    if (share->gives_way || sms > m->sms)
        return m->sms;
    return sms > 1 ? sms : 1;
}

/* A graph of one layer. */
static bool single_graph(const rc_spec *spec) {
    return !spec->eager && spec->model->layers == 1;
}

rc_contention rc_contention_of(const rc_spec *spec) {
    rc_contention x = {.meets = false};
    const rc_machine *m = rc_costs_machine(spec->costs);
    const rc_beside beside = rc_cost_beside(spec->costs);
    const rc_ring_share share = share_of(spec, m);
    if (!beside.known || share.apart || spec->serial_ring || spec->layout.cp < 2 ||
        !spec->schedule->message || m->sms < 2 || states(spec->what_if.overlap_compute) ||
        states(spec->what_if.overlap_comm))
        return x;
    int ctas = ctas_of(spec, m);
    x.meets = true;
    x.sms = sms_of(&share, m);
    x.gives_way = share.gives_way;
    x.mixed = spec->phase == RC_MIXED;
    int spare = m->sms - x.sms;
    x.lost = ctas > spare ? ctas - spare : 0;
    x.lost = x.lost < x.sms ? x.lost : x.sms - 1;
    x.waits = x.lost > 0 &&
              (spec->phase == RC_DECODE || !(spec->schedule->returns && single_graph(spec)));
    return x;
}

/* ---- attention ------------------------------------------------------------------------------ */

/* What a launch takes beside a message, over what it takes alone on all SMs of the chip. */
typedef struct meeting {
    double slower; /* on the SMs that are left to it from the beginning */
    double left;   /* of that time, after which the message has its SMs */
    double shared; /* over `slower`: when it begins on the SMs that the message leaves it */
} meeting;

typedef struct launch {
    rc_tile_call call[RC_TILE_CALLS];
    int n, hq, hkv;
} launch;

static bool launch_of(const rc_program *p, const rc_shape *s, launch *out) {
    if (s->calls < 1 || s->calls > RC_TILE_CALLS || s->hkv < 1 || s->hq % s->hkv != 0)
        return false;
    *out = (launch){.n = (int)s->calls, .hq = s->hq, .hkv = s->hkv};
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *c = &p->calls[s->first_call + i];
        if (c->tq < 1 || c->tk < 1)
            return false;
        out->call[i] = (rc_tile_call){.tq = c->tq, .tk = c->tk, .causal = c->causal};
    }
    return true;
}

/* takes: of the message, over the launch alone. Without a plan of the launch (very many sequences)
 * its items count as short. */
static meeting meet(const rc_contention *x, const launch *l, int all, double takes) {
    int most = x->lost > 0 ? x->lost : 1;
    if (!l)
        return (meeting){(double)all / x->sms, 1.0, (double)x->sms / (x->sms - x->lost)};
    rc_tiles t;
    rc_tiles_plan(l->call, l->n, l->hq, l->hkv, all, &t);
    double left, alone = rc_tiles_time(&t, all, 0, 0.0, most, &left), time = alone, shared = alone;
    if (x->sms < all) {
        rc_tiles_plan(l->call, l->n, l->hq, l->hkv, x->sms, &t);
        time = rc_tiles_time(&t, x->sms, 0, 0.0, most, &left);
    }
    if (x->lost > 0 && !x->waits)
        shared = rc_tiles_time(&t, x->sms, x->lost, takes * alone, 1, NULL);
    return (meeting){time / alone, left / time, shared / time};
}

/* What a launch of decode takes beside a message: it has its SMs first, wherever the message is of use
 * (its CTAs come while the kernel before it ends), and slows down with none of them. */
static meeting meet_decode(const rc_contention *x, const rc_shape *s, int all) {
    const rc_tile_decode d = {.batch = s->a,
                              .keys = s->c > s->b ? s->c : s->b,
                              .row = (int64_t)(s->key_size * rc_dtype_bytes(s->dtype)),
                              .hq = s->hq,
                              .hkv = s->hkv};
    int most = x->lost > RC_CLUSTER_IDLE ? x->lost : RC_CLUSTER_IDLE;
    return (meeting){1.0, rc_tiles_decode_left(&d, x->sms, all, most < all ? most : all), 1.0};
}

/* The price of attention that meets a message which takes `message` ps. Where the message waits,
 * what is left of attention once the message has begun runs beside it and is not counted; but for a mixed
 * pass, where decode waits for all of it, and the message for decode. */
static rc_time attention_beside(const rc_contention *x, double exponent, const meeting *m,
                                double alone, double message) {
    double time = alone * pow(m->slower, exponent);
    if (x->lost == 0)
        return rc_ticks_round(time);
    if (x->waits)
        return rc_ticks_round(x->mixed ? time : fmax(time * m->left, time - message));
    return rc_ticks_round(time * pow(m->shared, exponent));
}

/* Attention of every step but the first begins behind a message, and so without overlapping the end
 * of a kernel before it. One that gives way begins behind the clearing of its counters instead. All
 * steps but the last have one price, so the first bears its share of what those behind it take. What
 * is launched by the host overlaps little of the kernel before it anyhow: that is in its gap
 * (rc_space_launches). */
static void behind_message(const rc_contention *x, const rc_spec *spec, const rc_costs *costs,
                           const rc_beside *beside, const rc_shape *s, rc_shape_cost *price) {
    bool decode = s->kind == RC_T_DECODE;
    double behind = decode ? beside->decode_behind : beside->attention_behind;
    if (spec->eager)
        behind = fmax(
            behind - rc_cost_eager_gap(costs, decode ? RC_LAUNCHED_DECODE : RC_LAUNCHED_ATTENTION),
            0.0);
    double steps = spec->layout.cp - 1;
    double first = x->gives_way && !decode ? beside->clear : behind * (steps - 1.0) / steps;
    price->duration = rc_ticks_add(price->alone, rc_ticks_round(behind * RC_PS_PER_S));
    price->beside = rc_ticks_add(price->beside, rc_ticks_round(first * RC_PS_PER_S));
}

/* ---- messages ------------------------------------------------------------------------------- */

static double message_takes(const rc_shape *s, const rc_shape_cost *c) {
    double rate = c->peer_rate > 0.0 ? fmin(c->peer_rate, c->link_rate) : c->link_rate;
    return (double)c->alone + rc_flow_ps(s->bytes, rate);
}

/* A message takes `factor` of its time while attention runs, for `attention` ps; the price holds
 * what it takes longer as latency. */
static void slow_message(const rc_shape *s, double factor, double attention, rc_shape_cost *c) {
    double all = message_takes(s, c) * (factor - 1.0), most = attention * (1.0 - 1.0 / factor);
    c->duration = c->beside = rc_ticks_add(c->alone, rc_ticks_round(fmin(all, most)));
}

static bool ring_message(const rc_shape *s) {
    return s->kind == RC_T_MESSAGE && s->part == RC_P_SENDRECV;
}

/* In a step of prompts with sequences that decode beside them the message shares the chip with the prompts'
 * attention: decode is launched behind it. */
static bool meets_message(const rc_spec *spec, const rc_shape *s) {
    const bool decode = s->kind == RC_T_DECODE && spec->phase != RC_MIXED;
    return (s->kind == RC_T_ATTENTION || decode) && s->part == RC_P_ATTENTION;
}

void rc_contend(const rc_spec *spec, const rc_costs *costs, const rc_program *p,
                rc_shape_cost *prices) {
    assert(spec != NULL && p != NULL && prices != NULL);
    const rc_contention x = rc_contention_of(spec);
    const rc_beside beside = rc_cost_beside(costs);
    double message = 0.0, sum = 0.0;
    int launches = 0;
    for (size_t i = 0; i < p->shape_count && x.meets; i++)
        if (ring_message(&p->shapes[i]))
            message = fmax(message, message_takes(&p->shapes[i], &prices[i]));
    if (!(message > 0.0))
        return;
    for (size_t i = 0; i < p->shape_count; i++) {
        const rc_shape *s = &p->shapes[i];
        double alone = (double)prices[i].alone;
        launch l;
        if (!meets_message(spec, s) || !(alone > 0.0))
            continue;
        int all = rc_costs_machine(costs)->sms;
        meeting m = s->kind == RC_T_DECODE
                        ? meet_decode(&x, s, all)
                        : meet(&x, launch_of(p, s, &l) ? &l : NULL, all, message / alone);
        prices[i].beside = attention_beside(&x, beside.sms, &m, alone, message);
        sum += (double)prices[i].beside;
        behind_message(&x, spec, costs, &beside, s, &prices[i]);
        if ((prices[i].beside != prices[i].alone || prices[i].duration != prices[i].alone) &&
            prices[i].basis < RC_MODELLED)
            prices[i].basis = RC_MODELLED;
        launches++;
    }
    for (size_t i = 0; i < p->shape_count && launches > 0 && !x.waits; i++)
        if (ring_message(&p->shapes[i]))
            slow_message(&p->shapes[i], beside.message, sum / launches, &prices[i]);
}
