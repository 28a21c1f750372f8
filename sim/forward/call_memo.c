/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/call_memo.h"
#include <assert.h>
#include <stdlib.h>
#include "sim/base/mix.h"

enum { SLOTS = 8192 };

typedef struct known {
    rc_latent_call call;
    rc_cost cost;
    unsigned age; /* of the memory when it was kept */
} known;

struct rc_call_memo {
    unsigned age; /* one more each time it forgets; 0 is the age of empty slots */
    known known[SLOTS];
};

rc_call_memo *rc_call_memo_create(void) {
    rc_call_memo *m = calloc(1, sizeof *m);
    if (m)
        m->age = 1;
    return m;
}

void rc_call_memo_destroy(rc_call_memo *m) {
    free(m);
}

void rc_call_memo_forget(rc_call_memo *m) {
    m->age++;
}

static bool same_call(const rc_latent_call *a, const rc_latent_call *b) {
    return a->queries == b->queries && a->keys == b->keys && a->heads == b->heads &&
           a->op == b->op && a->dtype == b->dtype && a->key_size == b->key_size &&
           a->value_size == b->value_size;
}

static known *slot_of(rc_call_memo *m, const rc_latent_call *x) {
    const uint64_t h = rc_mix((uint64_t)x->heads, (uint64_t)x->queries);
    return &m->known[rc_mix(h, (uint64_t)x->keys) % SLOTS];
}

static rc_status ask(const rc_costs *c, const rc_latent_call *x, rc_cost *out, rc_error *err) {
    const rc_axes at = {{[RC_AXIS_QUERIES] = x->queries,
                         [RC_AXIS_KEYS] = x->keys,
                         [RC_AXIS_QUERY_HEADS] = x->heads,
                         [RC_AXIS_SEQUENCES] = 1,
                         [RC_AXIS_HEAD_K] = x->key_size,
                         [RC_AXIS_HEAD_V] = x->value_size}};
    return rc_cost_named(c, x->op, x->dtype, &at, out, err);
}

rc_status rc_call_memo_cost(rc_call_memo *m, const rc_costs *c, const rc_latent_call *call,
                            rc_cost *out, rc_error *err) {
    assert(c != NULL && call != NULL && call->op != NULL && out != NULL);
    if (!m)
        return ask(c, call, out, err);
    known *k = slot_of(m, call);
    if (k->age != m->age || !same_call(&k->call, call)) {
        k->age = 0;
        RC_TRY(ask(c, call, &k->cost, err));
        k->call = *call;
        k->age = m->age;
    }
    *out = k->cost;
    return RC_OK;
}
