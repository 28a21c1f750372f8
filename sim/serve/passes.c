/* The memo of pass times: families of passes, exact answers, counting. The cells are in
 * passes_cells.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/serve/passes_internal.h"

enum {
    FIRST_SLOTS = 1024,
    GRAINS = 256 /* shorter prompts: rounding T to a grain would show */
};

/* Which family a pass belongs to, and where it lies in it. False: it belongs to none. */
static bool place(const rc_passes *p, const rc_pass *pass, rc_point *k, rc_family_at *f) {
    if (pass->prefills > 1 || (pass->prefills > 0 && pass->decodes > 0))
        return false;
    *k = (rc_point){0, 0, pass->decodes, 0};
    if (pass->prefills == 1) {
        k->t = pass->prefill->t;
        k->p = pass->prefill->p;
    }
    if (pass->decodes > 0) {
        k->m = (pass->context + pass->decodes - 1) / pass->decodes;
        k->p = pass->longest > k->m ? pass->longest : k->m;
    }
    if (pass->prefills == 0)
        *f = (rc_family_at){
            RC_CELLS_DECODE, k->b > 1 ? 2 : 1, k->b, {(double)k->m, (double)(k->p - k->m)}};
    else if (k->p == 0)
        *f = (rc_family_at){RC_CELLS_FRESH, 1, 0, {(double)k->t}};
    else
        *f = (rc_family_at){RC_CELLS_PROMPT, 2, 0, {(double)k->t, (double)k->p}};
    if (f->kind == RC_CELLS_FRESH && k->t < (int64_t)GRAINS * p->grain)
        f->dims = 0; /* every T its own: one simulation each */
    if (f->kind == RC_CELLS_PROMPT && k->t < (int64_t)GRAINS * p->grain)
        *f = (rc_family_at){RC_CELLS_SHORT, 1, k->t, {(double)k->p}};
    return true;
}

rc_status rc_passes_time(rc_passes *p, const rc_pass *pass, rc_pass_cost *out, rc_error *err) {
    rc_point k;
    rc_family_at f;
    bool met;
    assert(pass->prefills > 0 || pass->decodes > 0);
    if (p->exact || !place(p, pass, &k, &f)) {
        p->stats.exact++;
        return rc_passes_ask(p, pass, out, err);
    }
    if (rc_point_known(p, &k, out)) {
        p->stats.reused++;
        return RC_OK;
    }
    if (f.dims > 0) {
        bool done = false;
        RC_TRY(rc_cells_time(p, &f, &done, out, err));
        p->stats.interpolated += done;
        if (done)
            return RC_OK;
    }
    p->stats.exact++;
    return rc_point_time(p, &k, &met, out, err);
}

rc_status rc_passes_create(rc_pass_fn source, void *ctx, int grain, bool exact, rc_passes **out,
                           rc_error *err) {
    assert(source != NULL);
    assert(grain >= 1);
    rc_passes *p = calloc(1, sizeof *p);
    if (p) {
        *p = (rc_passes){.source = source, .ctx = ctx, .grain = grain, .exact = exact};
        p->known_slots = FIRST_SLOTS;
        p->known = calloc(p->known_slots, sizeof *p->known);
    }
    if (!p || !p->known || !rc_cells_create(p)) {
        rc_passes_destroy(p);
        return rc_fail(err, RC_E_NOMEM, "out of memory for pass times");
    }
    *out = p;
    return RC_OK;
}

void rc_passes_share(rc_passes *p, rc_pass_shelf *shelf) {
    p->shelf = shelf;
}

void rc_passes_destroy(rc_passes *p) {
    if (!p)
        return;
    free(p->known);
    rc_cells_destroy(p);
    free(p);
}

const rc_pass_stats *rc_passes_statistics(const rc_passes *p) {
    return &p->stats;
}

rc_status rc_pass_linear(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *err) {
    const rc_linear_costs *c = ctx;
    double s = 0.0;
    assert(c->on);
    (void)err;
    for (uint32_t i = 0; i < pass->prefills; i++) {
        double t = (double)pass->prefill[i].t, p = (double)pass->prefill[i].p;
        s += c->prefill_token * t + c->prefill_pair * (t * p + 0.5 * t * (t + 1.0));
    }
    if (pass->prefills > 0)
        s += c->prefill;
    if (pass->decodes > 0)
        s += c->decode + c->decode_sequence * pass->decodes + c->decode_key * (double)pass->context;
    rc_time time = llround(s * RC_PS_PER_S);
    *out = (rc_pass_cost){.time = time < 1 ? 1 : time, .rests = {[RC_STATED] = 1.0F}};
    return RC_OK;
}
