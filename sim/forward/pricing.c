/* A memory of prices, by all that decides them. Ops are static strings of the schedules, so the
 * same op is the same pointer.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/base/mix.h"
#include "sim/forward/pricing.h"
#include <stdlib.h>
#include <string.h>

enum { MEMO_SLOTS = 8192, MEMO_CALLS = 2 };

typedef struct memo { /* one shape's cost */
    rc_shape shape;   /* without part and calls */
    rc_call calls[MEMO_CALLS];
    rc_shape_cost cost;
    unsigned age; /* of the memory when it was kept */
} memo;

struct rc_pricing {
    memo *memos;  /* [MEMO_SLOTS] */
    unsigned age; /* one more each time it forgets; 0 is the age of empty slots */
    rc_call_memo *calls;
    const rc_costs *costs; /* whose costs the memos hold, */
    rc_machine machine;    /* on this machine */
    rc_shape_cost *price;  /* by shape, of the program at hand */
    size_t price_room;
};

rc_pricing *rc_pricing_create(void) {
    rc_pricing *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->age = 1;
    m->memos = calloc(MEMO_SLOTS, sizeof *m->memos);
    m->calls = rc_call_memo_create();
    if (m->memos && m->calls)
        return m;
    rc_pricing_destroy(m);
    return NULL;
}

void rc_pricing_destroy(rc_pricing *m) {
    if (!m)
        return;
    free(m->memos);
    rc_call_memo_destroy(m->calls);
    free(m->price);
    free(m);
}

void rc_pricing_forget(rc_pricing *m) {
    m->age++;
    rc_call_memo_forget(m->calls);
    m->costs = NULL;
}

/* Padding that differs only makes two things look different that are not: looked up once more. */
static bool same_bytes(const void *a, const void *b, size_t n) {
    return memcmp(a, b, n) == 0;
}

static void follow_costs(rc_pricing *m, const rc_costs *costs) {
    const rc_machine *machine = rc_costs_machine(costs);
    if (m->costs == costs && same_bytes(&m->machine, machine, sizeof *machine))
        return;
    rc_pricing_forget(m);
    m->costs = costs;
    memcpy(&m->machine, machine, sizeof *machine);
}

static size_t memo_slot(const rc_program *p, const rc_shape *s) {
    uint64_t bits;
    memcpy(&bits, &s->bytes, sizeof bits);
    uint64_t h = rc_mix((uint64_t)s->kind * 4 + (uint64_t)s->dtype, (uint64_t)s->a);
    h = rc_mix(rc_mix(h, (uint64_t)s->b), (uint64_t)s->c ^ bits);
    h = rc_mix(h, (uint64_t)s->hq * 4096u + (uint64_t)s->hkv);
    h = rc_mix(h, (uint64_t)s->d + ((uint64_t)s->window << 24) + (uint64_t)s->experts * 65537u);
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *c = &p->calls[s->first_call + i];
        h = rc_mix(rc_mix(h, (uint64_t)c->tq), (uint64_t)c->tk * 2u + (uint64_t)c->causal);
    }
    return h % MEMO_SLOTS;
}

/* Ops are static strings of the schedule: the same op is the same pointer. */
static bool is_memo_of(const memo *m, unsigned age, const rc_program *p, const rc_shape *s) {
    const rc_shape *k = &m->shape;
    if (m->age != age || k->kind != s->kind || k->dtype != s->dtype || k->op != s->op ||
        k->a != s->a || k->b != s->b || k->c != s->c || k->d != s->d || k->window != s->window ||
        k->experts != s->experts || k->top_k != s->top_k || k->key_size != s->key_size ||
        k->value_size != s->value_size || k->hq != s->hq || k->hkv != s->hkv ||
        k->ranks != s->ranks || k->nodes != s->nodes || k->abreast != s->abreast ||
        k->unpack_fp8 != s->unpack_fp8 || k->unpack_int4 != s->unpack_int4 ||
        k->stand_in != s->stand_in || (k->part == RC_P_ALL2ALL) != (s->part == RC_P_ALL2ALL) ||
        k->calls != s->calls || !same_bytes(&k->bytes, &s->bytes, sizeof k->bytes))
        return false;
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *a = &m->calls[i], *b = &p->calls[s->first_call + i];
        if (a->tq != b->tq || a->tk != b->tk || a->causal != b->causal)
            return false;
    }
    return true;
}

static rc_status price(rc_pricing *all, const rc_program *p, const rc_shape *s, rc_shape_cost *out,
                       rc_error *err) {
    if (s->calls > MEMO_CALLS)
        return rc_shape_price(all->costs, all->calls, p, s, out, err);
    memo *m = &all->memos[memo_slot(p, s)];
    if (!is_memo_of(m, all->age, p, s)) {
        m->age = 0;
        RC_TRY(rc_shape_price(all->costs, all->calls, p, s, &m->cost, err));
        m->shape = *s;
        if (s->calls > 0)
            memcpy(m->calls, &p->calls[s->first_call], s->calls * sizeof *m->calls);
        m->age = all->age;
    }
    *out = m->cost;
    return RC_OK;
}

/* From prices of shapes by themselves to those in a pass at this pace. */
static rc_status in_the_pass(rc_pricing *m, const rc_spec *spec, const rc_program *p, rc_pace pace,
                             rc_error *err) {
    for (size_t i = 0; i < p->shape_count && pace.clock < 1.0; i++)
        RC_TRY(rc_shape_at_pace(pace, &m->price[i], err));
    rc_contend(spec, spec->costs, p, m->price);
    rc_space_launches(spec, spec->costs, p, m->price);
    return RC_OK;
}

rc_status rc_pricing_all(rc_pricing *m, const rc_spec *spec, const rc_program *p,
                         const rc_shape_cost **out, rc_error *err) {
    assert(m != NULL && spec != NULL && p != NULL);
    follow_costs(m, rc_costs_root(spec->costs));
    if (p->shape_count > m->price_room) {
        free(m->price);
        m->price_room = 2 * p->shape_count;
        m->price = malloc(m->price_room * sizeof *m->price);
        if (!m->price) {
            m->price_room = 0;
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu costs", p->shape_count);
        }
    }
    for (size_t i = 0; i < p->shape_count; i++)
        RC_TRY(price(m, p, &p->shapes[i], &m->price[i], err));
    *out = m->price;
    return in_the_pass(m, spec, p, rc_costs_pace(spec->costs), err);
}

rc_status rc_pricing_at_pace(rc_pricing *m, const rc_spec *spec, const rc_program *p, rc_pace pace,
                             rc_error *err) {
    assert(p->shape_count <= m->price_room);
    return pace.clock < 1.0 ? in_the_pass(m, spec, p, pace, err) : RC_OK;
}
