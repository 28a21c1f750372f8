/* Simulated pass times shared by runs: a hash table for each way to run a pass, a lock for each.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/mix.h"
#include "sim/serve/pass_store.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024 };

typedef struct entry {
    rc_stored_pass pass;
    rc_pass_cost cost; /* time 0: an empty slot */
} entry;

struct rc_pass_shelf {
    rc_layout layout;
    rc_pass_stage stage;
    rc_what_if what_if;
    rc_machine machine;
    const rc_schedule *schedule;
    rc_pattern pattern;
    int64_t window, global;
    pthread_mutex_t lock;
    entry *slots;
    size_t slot_count, used;
    rc_pass_shelf *next;
};

struct rc_pass_store {
    pthread_mutex_t lock;
    rc_pass_shelf *first;
};

rc_status rc_pass_store_create(rc_pass_store **out, rc_error *err) {
    rc_pass_store *s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return rc_fail(err, RC_E_NOMEM, "out of memory for pass times");
    }
    *out = s;
    return RC_OK;
}

void rc_pass_store_destroy(rc_pass_store *s) {
    if (!s)
        return;
    while (s->first) {
        rc_pass_shelf *x = s->first;
        s->first = x->next;
        (void)pthread_mutex_destroy(&x->lock);
        free(x->slots);
        free(x);
    }
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Padding may differ between equal values: then there is one shelf more than needed. */
static bool same_bytes(const void *a, const void *b, size_t size) {
    return memcmp(a, b, size) == 0;
}

static bool same_way(const rc_pass_shelf *a, const rc_pass_shelf *b) {
    return a->schedule == b->schedule && a->pattern == b->pattern && a->window == b->window &&
           a->global == b->global && a->stage.of.count == b->stage.of.count &&
           a->stage.of.rest == b->stage.of.rest && a->stage.index == b->stage.index &&
           same_bytes(&a->layout, &b->layout, sizeof a->layout) &&
           same_bytes(&a->what_if, &b->what_if, sizeof a->what_if) &&
           same_bytes(&a->machine, &b->machine, sizeof a->machine);
}

static rc_pass_shelf *shelf_of(rc_pass_store *store, rc_pass_shelf *wanted) {
    rc_pass_shelf *x = store->first;
    while (x && !same_way(x, wanted))
        x = x->next;
    if (x)
        return x;
    wanted->slot_count = FIRST_SLOTS;
    wanted->slots = calloc(wanted->slot_count, sizeof *wanted->slots);
    if (!wanted->slots || pthread_mutex_init(&wanted->lock, NULL) != 0)
        return NULL;
    wanted->next = store->first;
    store->first = wanted;
    return wanted;
}

rc_pass_shelf *rc_pass_store_shelf(rc_pass_store *store, const rc_serve *s, const rc_costs *costs,
                                   const rc_layout *layout, const rc_schedule *schedule,
                                   const rc_pass_stage *stage, const rc_what_if *what_if) {
    rc_pass_shelf *wanted = calloc(1, sizeof *wanted);
    if (!wanted)
        return NULL;
    memcpy(&wanted->layout, layout, sizeof *layout);
    wanted->stage = *stage;
    memcpy(&wanted->what_if, what_if, sizeof *what_if);
    memcpy(&wanted->machine, rc_costs_machine(costs), sizeof wanted->machine);
    wanted->schedule = schedule;
    wanted->pattern = s->pattern;
    wanted->window = s->window;
    wanted->global = s->global;
    (void)pthread_mutex_lock(&store->lock);
    rc_pass_shelf *x = shelf_of(store, wanted);
    (void)pthread_mutex_unlock(&store->lock);
    if (x != wanted) {
        free(wanted->slots);
        free(wanted);
    }
    return x;
}

static uint64_t hash(const rc_stored_pass *k) {
    uint64_t h = rc_mix(rc_mix(UINT64_C(0x243F6A8885A308D3), (uint64_t)k->t), (uint64_t)k->p);
    return rc_mix(rc_mix(rc_mix(h, (uint64_t)k->decodes), (uint64_t)k->context),
                  (uint64_t)k->longest);
}

static bool same_pass(const rc_stored_pass *a, const rc_stored_pass *b) {
    return a->t == b->t && a->p == b->p && a->decodes == b->decodes && a->context == b->context &&
           a->longest == b->longest;
}

/* The pass, or the empty slot where it belongs. */
static entry *slot_of(entry *slots, size_t count, const rc_stored_pass *k) {
    size_t i = hash(k) & (count - 1);
    while (slots[i].cost.time > 0 && !same_pass(&slots[i].pass, k))
        i = (i + 1) & (count - 1);
    return &slots[i];
}

static bool grow(rc_pass_shelf *x) {
    size_t count = 2 * x->slot_count;
    entry *more = calloc(count, sizeof *more);
    if (!more)
        return false;
    for (size_t i = 0; i < x->slot_count; i++)
        if (x->slots[i].cost.time > 0)
            *slot_of(more, count, &x->slots[i].pass) = x->slots[i];
    free(x->slots);
    x->slots = more;
    x->slot_count = count;
    return true;
}

bool rc_pass_shelf_find(rc_pass_shelf *x, const rc_stored_pass *pass, rc_pass_cost *out) {
    (void)pthread_mutex_lock(&x->lock);
    *out = slot_of(x->slots, x->slot_count, pass)->cost;
    (void)pthread_mutex_unlock(&x->lock);
    return out->time > 0;
}

void rc_pass_shelf_put(rc_pass_shelf *x, const rc_stored_pass *pass, const rc_pass_cost *cost) {
    (void)pthread_mutex_lock(&x->lock);
    if (2 * x->used < x->slot_count || grow(x)) { /* else it is simulated again where it is asked */
        entry *e = slot_of(x->slots, x->slot_count, pass);
        x->used += e->cost.time == 0;
        *e = (entry){*pass, *cost};
    }
    (void)pthread_mutex_unlock(&x->lock);
}
