/* What a set of costs was asked for: a list of look-ups, found by hash.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/mix.h"
#include "sim/cost/asks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "calib/schema.h"

struct rc_asks {
    rc_ask *v;
    size_t n, room;
    uint32_t *slots; /* indexes + 1 into v, by hash; a power of two, at most half full */
    size_t slot_count;
    size_t slowed;
    double factor;
};

rc_asks *rc_asks_create(void) {
    rc_asks *a = calloc(1, sizeof *a);
    if (a != NULL)
        a->slowed = RC_ASKS_NONE;
    return a;
}

void rc_asks_destroy(rc_asks *a) {
    if (a == NULL)
        return;
    free(a->v);
    free(a->slots);
    free(a);
}

size_t rc_asks_count(const rc_asks *a) {
    assert(a != NULL);
    return a->n;
}

const rc_ask *rc_asks_at(const rc_asks *a, size_t i) {
    assert(i < a->n);
    return &a->v[i];
}

void rc_asks_begin(rc_asks *a) {
    for (size_t i = 0; i < a->n; i++)
        a->v[i].heard = false;
}

void rc_asks_slow(rc_asks *a, size_t i, double factor) {
    assert(factor >= 1.0);
    a->slowed = i;
    a->factor = factor;
}

/* ---- finding --------------------------------------------------------------------------------- */

static uint64_t hash(const rc_ask *x) {
    uint64_t h = rc_mix((uint64_t)x->op, (uint64_t)x->dtype);
    for (int i = 0; i < RC_AXIS_COUNT; i++)
        h = rc_mix(h, (uint64_t)x->at.at[i]);
    return h;
}

static bool same(const rc_ask *x, const rc_ask *y) {
    return x->op == y->op && x->dtype == y->dtype && memcmp(&x->at, &y->at, sizeof x->at) == 0 &&
           strcmp(x->transport, y->transport) == 0;
}

/* The slot of an ask: where it stands, or an empty one. */
static uint32_t *slot_of(const rc_asks *a, const rc_ask *x) {
    size_t i = hash(x) & (a->slot_count - 1);
    while (a->slots[i] != 0 && !same(&a->v[a->slots[i] - 1], x))
        i = (i + 1) & (a->slot_count - 1);
    return &a->slots[i];
}

static bool grow(rc_asks *a) {
    size_t room = a->room > 0 ? 2 * a->room : 64;
    rc_ask *v = realloc(a->v, room * sizeof *v);
    if (v == NULL)
        return false;
    a->v = v;
    a->room = room;
    uint32_t *slots = calloc(2 * room, sizeof *slots);
    if (slots == NULL)
        return false;
    free(a->slots);
    a->slots = slots;
    a->slot_count = 2 * room;
    for (size_t i = 0; i < a->n; i++)
        *slot_of(a, &a->v[i]) = (uint32_t)i + 1;
    return true;
}

/* ---- hearing --------------------------------------------------------------------------------- */

/* The sizes that the op has; a caller may have filled others. */
static void own_axes(const rc_op_info *info, const rc_axes *from, rc_axes *to) {
    memset(to, 0, sizeof *to);
    for (int axis = RC_AXIS_NONE + 1; axis < RC_AXIS_COUNT; axis++)
        if (rc_op_has_axis(info, (rc_axis)axis))
            to->at[axis] = from->at[axis];
}

rc_status rc_asks_hear(rc_asks *a, rc_op op, rc_dtype d, const rc_axes *at, const char *transport,
                       rc_cost *answer, rc_error *err) {
    assert(a != NULL && op < rc_op_count() && at != NULL && answer != NULL);
    const rc_op_info *info = rc_op_info_of(op);
    rc_ask x = {.op = op, .dtype = d, .cost = *answer, .heard = true};
    own_axes(info, at, &x.at);
    (void)snprintf(x.transport, sizeof x.transport, "%s", transport);
    if (a->n == a->room && !grow(a))
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu look-ups of costs", a->n);
    uint32_t *slot = slot_of(a, &x);
    if (*slot == 0) {
        a->v[a->n++] = x;
        *slot = (uint32_t)a->n;
    }
    rc_ask *known = &a->v[*slot - 1];
    known->heard = true;
    if (a->slowed == *slot - 1)
        answer->p50 *= a->factor;
    else if (a->slowed == RC_ASKS_NONE)
        known->cost = *answer;
    return RC_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

const char *const *rc_wanted_columns(void) {
    static const char *const columns[] = {RC_POINT_COLUMNS, RC_WANTED_COLUMNS, NULL};
    return columns;
}

/* As the calibrator writes them: elements of ops without a type of their own are bf16, bytes have
 * none. */
static const char *type_text(const rc_op_info *info, rc_dtype d) {
    if (info->type == RC_TYPE_OWN || info->type == RC_TYPE_FP8)
        return rc_dtype_name(d == RC_FP8 || d == RC_FP8_BLOCK ? d : RC_BF16);
    return info->rule == RC_PRICE_COPY ? "" : rc_dtype_name(RC_BF16);
}

void rc_ask_row(const rc_ask *ask, rc_row *out) {
    assert(ask != NULL && out != NULL);
    const rc_op_info *info = rc_op_info_of(ask->op);
    int64_t *const column[RC_COLUMNS] = {&out->a, &out->b, &out->c, &out->d};
    *out = (rc_row){.machine = "",
                    .gpu = "",
                    .state = "",
                    .date = "",
                    .driver = "",
                    .cuda = "",
                    .nccl = "",
                    .kernel = "",
                    .commit = "",
                    .source = ""};
    out->op = info->row_name != NULL ? info->row_name : info->name;
    out->variant = info->variant != NULL ? info->variant : ask->transport;
    out->dtype = type_text(info, ask->dtype);
    for (int i = 0; i < RC_COLUMNS; i++)
        if (info->column[i] != RC_AXIS_NONE)
            *column[i] = ask->at.at[info->column[i]];
    out->head_k = ask->at.at[RC_AXIS_HEAD_K];
    out->head_v = ask->at.at[RC_AXIS_HEAD_V];
    out->window = ask->at.at[RC_AXIS_WINDOW];
    out->experts = ask->at.at[RC_AXIS_EXPERTS];
    out->top_k = ask->at.at[RC_AXIS_TOP_K];
}
