/* The time of a pass alone. SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "sim/forward/internal.h"

struct rc_forward_ctx {
    uint64_t engine_passes;
};

rc_forward_ctx *rc_forward_ctx_create(void) {
    return calloc(1, sizeof(rc_forward_ctx));
}

void rc_forward_ctx_destroy(rc_forward_ctx *ctx) {
    free(ctx);
}

void rc_forward_ctx_forget(rc_forward_ctx *ctx) {
    (void)ctx;
}

rc_status rc_forward_time(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward_timing *out,
                          rc_error *err) {
    rc_forward whole;
    rc_spec s = *spec;
    s.draws = 0;
    s.unfold = false;
    memset(out, 0, sizeof *out);
    rc_status st = rc_forward_run(&s, &whole, err);
    out->memory = whole.memory;
    RC_TRY(st);
    ctx->engine_passes++;
    out->ticks = whole.ticks;
    out->time = whole.time;
    out->path = RC_PATH_ENGINE;
    out->layers = whole.layers_simulated;
    return RC_OK;
}
