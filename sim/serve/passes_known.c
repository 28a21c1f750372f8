/* Passes whose times are known exactly: a hash table from the pass to its time.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/base/mix.h"
#include "sim/serve/pass_store.h"
#include "sim/serve/passes_internal.h"

uint64_t rc_point_hash(const rc_point *k) {
    uint64_t h = rc_mix(UINT64_C(0x243F6A8885A308D3), (uint64_t)k->t);
    h = rc_mix(h, (uint64_t)k->p);
    return rc_mix(rc_mix(rc_mix(h, (uint64_t)k->b), (uint64_t)k->m), (uint64_t)k->l);
}

static bool same(const rc_point *a, const rc_point *b) {
    return a->t == b->t && a->p == b->p && a->b == b->b && a->m == b->m && a->l == b->l;
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

rc_status rc_passes_ask(rc_passes *p, const rc_pass *pass, bool keep, rc_pass_cost *out,
                        rc_error *err) {
    const bool shared = p->shelf && keep;
    assert(!keep || (pass->prefills <= 1 && !pass->contexts));
    rc_stored_pass key = {
        .decodes = pass->decodes, .context = pass->context, .longest = pass->longest};
    if (pass->prefills == 1) {
        key.t = pass->prefill->t;
        key.p = pass->prefill->p;
    }
    p->stats.simulated++;
    if (shared && rc_pass_shelf_find(p->shelf, &key, out))
        return RC_OK;
    RC_TRY(p->source(p->ctx, pass, out, err));
    assert(out->time > 0); /* 0 is an empty slot */
    if (shared)
        rc_pass_shelf_put(p->shelf, &key, out);
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
                        .context = k->b * k->m,
                        .longest = k->l};
        rc_pass_cost cost;
        RC_TRY(rc_passes_ask(p, &pass, true, &cost, err));
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
