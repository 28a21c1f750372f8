/* A pass in chunks and stages as a timeline: the timelines of its pieces, each where it stands.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include "sim/forward/pass_spans.h"

/* Threads of a stage's first GPU, beyond those of messages inside a piece. */
enum { T_STAGE_SEND = 200000, T_STAGE_RECEIVE };

typedef struct sheet {
    rc_spans *out;
    bool staged;
    uint32_t gpus; /* that a stage simulates */
    uint64_t flows;
    rc_time end;
} sheet;

/* To the first GPU of the next stage. */
static void add_transfer(sheet *x, const rc_piece_time *p) {
    const uint32_t own = (uint32_t)p->stage * x->gpus;
    const rc_track from = {own, T_STAGE_SEND}, to = {own + x->gpus, T_STAGE_RECEIVE};
    rc_span_args a = {.size = 0};
    rc_args_int(&a, "chunk", p->chunk);
    if (p->chunk == 0) {
        rc_spans_thread(x->out, from, "send to the next stage");
        rc_spans_thread(x->out, to, "receive from the stage before");
    }
    rc_spans_span(x->out, from, "stage transfer", "message", p->leaves, p->comes, &a);
    rc_spans_span(x->out, to, "stage transfer", "message", p->leaves, p->comes, &a);
    rc_spans_flow(x->out, x->flows++, "stage transfer", from, p->leaves, to, p->comes);
}

static rc_status add_piece(void *ctx, const rc_piece_time *p, rc_error *err) {
    sheet *x = ctx;
    char named[32] = "";
    uint64_t flows;
    rc_time end;
    if (x->staged)
        (void)snprintf(named, sizeof named, "stage %d, ", p->stage);
    x->gpus = (uint32_t)(p->spec->layout.cp * (p->spec->unfold ? p->spec->layout.tp : 1));
    const rc_pass_place at = {.process = (uint32_t)p->stage * x->gpus,
                              .start = p->start,
                              .flow = x->flows,
                              .named = named};
    RC_TRY(rc_pass_spans(p->spec, &at, x->out, &end, &flows, err));
    if (end != p->end)
        return rc_fail(err, RC_E_INTERNAL, "a timeline ends at %lld ps, its forecast at %lld",
                       (long long)end, (long long)p->end);
    x->flows += flows;
    if (p->comes > p->end || p->leaves > p->end)
        add_transfer(x, p);
    x->end = p->end > x->end ? p->end : x->end;
    return RC_OK;
}

rc_status rc_staged_spans(const rc_spec *spec, const rc_staging *how, rc_spans *out, rc_time *end,
                          rc_error *err) {
    sheet x = {.out = out, .staged = rc_stages_of(how) > 1, .flows = 1};
    if (how->chunk == 0 && !x.staged) {
        const rc_pass_place at = {.start = 0, .flow = 1, .named = ""};
        return rc_pass_spans(spec, &at, out, end, NULL, err);
    }
    RC_TRY(rc_staged_each(spec, how, add_piece, &x, err));
    *end = x.end;
    return RC_OK;
}
