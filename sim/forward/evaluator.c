/* A context keeps compiled templates by what decides their structure, and prices by shape. A pass
 * then is: refill the shapes of the template, look up their prices, evaluate.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/forward/evaluator.h"
#include <stdlib.h>
#include <string.h>
#include "sim/forward/pricing.h"

enum { MOST_REPLAYS = 256 };

struct rc_forward_ctx {
    rc_replay **replays;
    size_t replay_count, replay_room;
    int64_t replay_bytes;
    rc_pricing *pricing;
};

rc_forward_ctx *rc_forward_ctx_create(void) {
    rc_forward_ctx *ctx = calloc(1, sizeof *ctx);
    if (ctx)
        ctx->pricing = rc_pricing_create();
    if (ctx && !ctx->pricing) {
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
    rc_pricing_destroy(ctx->pricing);
    free(ctx);
}

void rc_forward_ctx_forget(rc_forward_ctx *ctx) {
    assert(ctx != NULL);
    rc_pricing_forget(ctx->pricing);
}

static rc_status add_replay(rc_forward_ctx *ctx, const rc_spec *spec, const rc_request *rq,
                            rc_replay **out, rc_error *err) {
    int64_t bytes = 0;
    RC_TRY(rc_replay_room(spec, &bytes, err));
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
    r->key = rc_schedule_key_of(rq);
    rc_status st = rc_schedule_build(rq, &r->one, err);
    if (st == RC_OK)
        st = rc_replay_compile(r, err);
    if (st != RC_OK) {
        rc_replay_free(r);
        free(r);
        return st;
    }
    ctx->replays[ctx->replay_count++] = *out = r;
    ctx->replay_bytes += bytes;
    return RC_OK;
}

/* *fresh: it has just been built, for this very pass. */
static rc_status replay_for(rc_forward_ctx *ctx, const rc_spec *spec, const rc_request *rq,
                            rc_replay **out, bool *fresh, rc_error *err) {
    rc_schedule_key key = rc_schedule_key_of(rq);
    *fresh = false;
    for (size_t i = 0; i < ctx->replay_count; i++) {
        *out = ctx->replays[i];
        if (rc_schedule_key_equal(&(*out)->key, &key))
            return RC_OK;
    }
    *fresh = true;
    return add_replay(ctx, spec, rq, out, err);
}

static bool changes(double factor) {
    return factor > 0.0 && factor != 1.0;
}

rc_status rc_evaluator_prepare(rc_forward_ctx *ctx, const rc_spec *spec, rc_replay **out,
                               rc_error *err) {
    assert(ctx != NULL && spec != NULL && out != NULL);
    rc_request rq = rc_spec_request(spec, 1);
    const rc_shape_cost *prices = NULL;
    rc_replay *r = NULL;
    bool fresh;
    *out = NULL;
    rq.unfold_tp = false;
    rq.as_template = true;
    if (changes(spec->what_if.overlap_compute) || changes(spec->what_if.overlap_comm))
        return RC_OK;
    RC_TRY(replay_for(ctx, spec, &rq, &r, &fresh, err));
    if (!r->works)
        return RC_OK;
    if (!fresh)
        RC_TRY(rc_schedule_refill(&rq, &r->one, err));
    if (r->one.layers_of->overflown)
        return RC_OK;
    RC_TRY(rc_pricing_all(ctx->pricing, spec, &r->one, &prices, err));
    if (rc_replay_price(r, spec, prices))
        *out = r;
    return RC_OK;
}

rc_status rc_evaluator_at_pace(rc_forward_ctx *ctx, const rc_spec *spec, rc_replay *r, rc_pace pace,
                               bool *done, rc_error *err) {
    assert(ctx != NULL && r != NULL);
    RC_TRY(rc_pricing_at_pace(ctx->pricing, spec, &r->one, pace, err));
    *done = rc_replay_price(r, spec, r->prices);
    return RC_OK;
}
