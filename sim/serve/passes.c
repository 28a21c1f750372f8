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

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 29);
}

uint64_t rc_point_hash(const rc_point *k) {
    uint64_t h = mix(UINT64_C(0x243F6A8885A308D3), (uint64_t)k->t);
    h = mix(h, (uint64_t)k->p);
    return mix(mix(h, (uint64_t)k->b), (uint64_t)k->m);
}

static bool same(const rc_point *a, const rc_point *b) {
    return a->t == b->t && a->p == b->p && a->b == b->b && a->m == b->m;
}

/* The slot of `k`, or the empty one where it belongs. */
static rc_known *slot_of(const rc_passes *p, const rc_point *k) {
    size_t i = rc_point_hash(k) & (p->known_slots - 1);
    while (p->known[i].cost.time > 0 && !same(&p->known[i].at, k))
        i = (i + 1) & (p->known_slots - 1);
    return &p->known[i];
}

static rc_status grow_known(rc_passes *p, rc_error *err) {
    rc_passes old = *p;
    p->known_slots *= 2;
    p->known = calloc(p->known_slots, sizeof *p->known);
    if (!p->known) {
        *p = old;
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu pass times", 2 * old.known_slots);
    }
    for (size_t i = 0; i < old.known_slots; i++)
        if (old.known[i].cost.time > 0)
            *slot_of(p, &old.known[i].at) = old.known[i];
    free(old.known);
    return RC_OK;
}

static rc_status ask(rc_passes *p, const rc_pass *pass, rc_pass_cost *out, rc_error *err) {
    p->stats.simulated++;
    RC_TRY(p->source(p->ctx, pass, out, err));
    assert(out->time > 0); /* 0 is an empty slot */
    return RC_OK;
}

rc_status rc_point_time(rc_passes *p, const rc_point *k, bool *met, rc_pass_cost *out,
                        rc_error *err) {
    rc_known *slot = slot_of(p, k);
    *met = slot->cost.time > 0;
    if (!*met) {
        rc_sequence chunk = {k->t, k->p};
        rc_pass pass = {.prefill = &chunk,
                        .prefills = k->t > 0,
                        .decodes = (uint32_t)k->b,
                        .context = k->b * k->m};
        rc_pass_cost cost;
        RC_TRY(ask(p, &pass, &cost, err));
        if (2 * p->known_count >= p->known_slots) {
            RC_TRY(grow_known(p, err));
            slot = slot_of(p, k);
        }
        *slot = (rc_known){*k, cost};
        p->known_count++;
    }
    *out = slot->cost;
    return RC_OK;
}

bool rc_point_known(const rc_passes *p, const rc_point *k, rc_pass_cost *out) {
    *out = slot_of(p, k)->cost;
    return out->time > 0;
}

/* Which family a pass belongs to, and where it lies in it. False: it belongs to none. */
static bool place(const rc_passes *p, const rc_pass *pass, rc_point *k, rc_family_at *f) {
    if (pass->prefills > 1 || (pass->prefills > 0 && pass->decodes > 0))
        return false;
    *k = (rc_point){0, 0, pass->decodes, 0};
    if (pass->prefills == 1) {
        k->t = pass->prefill->t;
        k->p = pass->prefill->p;
    }
    if (pass->decodes > 0)
        k->m = (pass->context + pass->decodes - 1) / pass->decodes;
    if (pass->prefills == 0)
        *f = (rc_family_at){RC_CELLS_DECODE, 1, k->b, {(double)k->m}};
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
        return ask(p, pass, out, err);
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
