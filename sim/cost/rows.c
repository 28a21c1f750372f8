/* Sets of cost rows: storage, order, merging.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/store.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/arena.h"
#include "sim/base/quote.h"
#include "sim/cost/ops.h"

struct rc_rows {
    rc_arena *arena; /* owns the strings */
    rc_row *rows;
    size_t count, room;
};

/* Where the strings of a row are, for copying and comparing. */
enum { KEY_STRINGS = 5, STRINGS = 12 };
static const char *const *string_of(const rc_row *r, size_t i) {
    const char *const *at[STRINGS] = {&r->machine, &r->op,     &r->variant, &r->dtype,
                                      &r->state,   &r->source, &r->gpu,     &r->date,
                                      &r->driver,  &r->cuda,   &r->nccl,    &r->kernel};
    return at[i];
}

rc_status rc_rows_create(rc_rows **out, rc_error *err) {
    rc_rows *r = calloc(1, sizeof *r);
    if (r != NULL)
        r->arena = rc_arena_create();
    if (r == NULL || r->arena == NULL) {
        free(r);
        return rc_fail(err, RC_E_NOMEM, "out of memory for cost rows");
    }
    *out = r;
    return RC_OK;
}

void rc_rows_free(rc_rows *r) {
    if (r == NULL)
        return;
    rc_arena_destroy(r->arena);
    free(r->rows);
    free(r);
}

size_t rc_rows_count(const rc_rows *r) {
    return r->count;
}

const rc_row *rc_rows_at(const rc_rows *r, size_t i) {
    return i < r->count ? &r->rows[i] : NULL;
}

/* Neighbouring rows repeat most strings: reuse the previous row's copy. */
static const char *keep(rc_rows *r, const char *s, const char *before) {
    if (before != NULL && strcmp(s, before) == 0)
        return before;
    return rc_arena_strdup(r->arena, s);
}

/* What the row before has as well was looked at there. */
static rc_status check_texts(const rc_row *x, const rc_row *before, rc_error *err) {
    for (size_t i = 0; i < STRINGS; i++) {
        const char *s = *string_of(x, i);
        if ((before == NULL || s != *string_of(before, i)) && rc_text_has_control(s))
            return rc_fail(err, RC_E_INPUT,
                           "a text of the row of machine '%.40s', op '%.40s' holds a line break or "
                           "another control character",
                           x->machine, x->op);
    }
    return RC_OK;
}

static void set_defaults(rc_row *x) {
    rc_op op = rc_op_named(x->op);
    if (op == rc_op_count())
        return;
    const rc_op_info *info = rc_op_info_of(op);
    if (x->head_k == 0 && rc_op_has_axis(info, RC_AXIS_HEAD_K))
        x->head_k = RC_HEAD_DEFAULT;
    if (x->head_v == 0 && rc_op_has_axis(info, RC_AXIS_HEAD_V))
        x->head_v = RC_HEAD_DEFAULT;
}

/* Rows of any file come here, and the work of a transfer is that of rc_expert_ranks, which asks for at
 * least one GPU and no more experts a token than there are, and goes through them one by one. */
static rc_status check_transfer(const rc_row *x, rc_error *err) {
    enum { MOST_TOP_K = 1 << 16 };
    rc_op op = rc_op_named(x->op);
    if (op == rc_op_count() || rc_op_info_of(op)->rule != RC_PRICE_EXPERTS ||
        (x->c >= 1 && x->top_k >= 1 && x->top_k <= x->experts && x->top_k <= MOST_TOP_K))
        return RC_OK;
    return rc_fail(err, RC_E_INPUT,
                   "the row of machine '%.40s', op '%.40s' has ranks %lld, experts %lld and top_k "
                   "%lld, expected ranks of 1 or more and a top_k from 1 to the experts, %d at "
                   "most",
                   x->machine, x->op, (long long)x->c, (long long)x->experts, (long long)x->top_k,
                   MOST_TOP_K);
}

rc_status rc_rows_add(rc_rows *r, const rc_row *row, rc_error *err) {
    assert(r != NULL && row != NULL);
    assert(row->machine != NULL && row->op != NULL && row->variant != NULL && row->source != NULL);
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 256;
        rc_row *rows = realloc(r->rows, room * sizeof *rows);
        if (rows == NULL)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu cost rows", room);
        r->rows = rows;
        r->room = room;
    }
    rc_row *x = &r->rows[r->count];
    *x = *row;
    const rc_row *before = r->count > 0 ? &r->rows[r->count - 1] : NULL;
#define KEEP(f) x->f = keep(r, row->f, before != NULL ? before->f : NULL)
    KEEP(machine), KEEP(gpu), KEEP(state), KEEP(op), KEEP(variant), KEEP(dtype), KEEP(date);
    KEEP(driver), KEEP(cuda), KEEP(nccl), KEEP(kernel), KEEP(commit), KEEP(source);
#undef KEEP
    bool whole = x->commit != NULL;
    for (size_t i = 0; i < STRINGS; i++)
        whole = whole && *string_of(x, i) != NULL;
    if (!whole)
        return rc_fail(err, RC_E_NOMEM, "out of memory for cost rows");
    set_defaults(x);
    RC_TRY(check_texts(x, before, err));
    RC_TRY(check_transfer(x, err));
    r->count++;
    return RC_OK;
}

static int by_int(int64_t x, int64_t y) {
    return (x > y) - (x < y);
}

int rc_row_sizes_order(const rc_row *x, const rc_row *y) {
    int o = by_int(x->head_k, y->head_k);
    o = o != 0 ? o : by_int(x->head_v, y->head_v);
    o = o != 0 ? o : by_int(x->window, y->window);
    o = o != 0 ? o : by_int(x->experts, y->experts);
    return o != 0 ? o : by_int(x->top_k, y->top_k);
}

/* (machine, op, variant, dtype, state, c, d, sizes, b, a, source) */
static int by_key(const rc_row *x, const rc_row *y) {
    for (size_t i = 0; i < KEY_STRINGS; i++) {
        int o = strcmp(*string_of(x, i), *string_of(y, i));
        if (o != 0)
            return o;
    }
    int o = by_int(x->c, y->c);
    o = o != 0 ? o : by_int(x->d, y->d);
    o = o != 0 ? o : rc_row_sizes_order(x, y);
    o = o != 0 ? o : by_int(x->b, y->b);
    o = o != 0 ? o : by_int(x->a, y->a);
    return o != 0 ? o : strcmp(x->source, y->source);
}

static int by_real(double x, double y) {
    if (x != x || y != y)
        return (x != x) - (y != y);
    return (x > y) - (x < y);
}

/* The rest, so that the order of equal keys does not depend on the order of the files. */
static int by_rest(const rc_row *x, const rc_row *y) {
    const double rx[] = {x->p50, x->p10, x->p90, x->sm_mhz, x->power_w, x->temp_c};
    const double ry[] = {y->p50, y->p10, y->p90, y->sm_mhz, y->power_w, y->temp_c};
    for (size_t i = 0; i < sizeof rx / sizeof rx[0]; i++) {
        if (by_real(rx[i], ry[i]) != 0)
            return by_real(rx[i], ry[i]);
    }
    for (size_t i = KEY_STRINGS; i < STRINGS; i++) {
        int o = strcmp(*string_of(x, i), *string_of(y, i));
        if (o != 0)
            return o;
    }
    int o = strcmp(x->commit, y->commit);
    return o != 0 ? o : by_int(x->samples, y->samples);
}

static int by_all(const void *a, const void *b) {
    int o = by_key(a, b);
    return o != 0 ? o : by_rest(a, b);
}

static rc_status two_measurements(const rc_row *x, const rc_row *y, rc_error *err) {
    return rc_fail(err, RC_E_INPUT,
                   "two measurements of the same point (machine %s, %s, op %s, variant '%s', dtype "
                   "'%s', a=%lld b=%lld c=%lld d=%lld, source '%s'): %.6g s (%s, commit %s) and "
                   "%.6g s (%s, commit %s)",
                   x->machine, x->state, x->op, x->variant, x->dtype, (long long)x->a,
                   (long long)x->b, (long long)x->c, (long long)x->d, x->source, x->p50, x->date,
                   x->commit, y->p50, y->date, y->commit);
}

/* Drop equal rows; refuse different ones of one key. */
static rc_status unique(rc_rows *r, rc_error *err) {
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        const rc_row *last = kept > 0 ? &r->rows[kept - 1] : NULL;
        if (last != NULL && by_key(last, &r->rows[i]) == 0) {
            if (by_rest(last, &r->rows[i]) != 0)
                return two_measurements(last, &r->rows[i], err);
            continue;
        }
        r->rows[kept++] = r->rows[i];
    }
    r->count = kept;
    return RC_OK;
}

rc_status rc_rows_merge(rc_rows *const *sets, size_t n, rc_rows **out, rc_error *err) {
    assert((sets != NULL || n == 0) && out != NULL);
    rc_rows *all = NULL;
    RC_TRY(rc_rows_create(&all, err));
    rc_status st = RC_OK;
    for (size_t s = 0; s < n && st == RC_OK; s++) {
        for (size_t i = 0; i < sets[s]->count && st == RC_OK; i++)
            st = rc_rows_add(all, &sets[s]->rows[i], err);
    }
    if (st == RC_OK && all->count > 0) {
        qsort(all->rows, all->count, sizeof all->rows[0], by_all);
        st = unique(all, err);
    }
    if (st != RC_OK) {
        rc_rows_free(all);
        return st;
    }
    *out = all;
    return RC_OK;
}

/* By key, then GPU, then the latest date first. */
static int by_date(const void *a, const void *b) {
    const rc_row *x = *(rc_row *const *)a, *y = *(rc_row *const *)b;
    int o = by_key(x, y);
    o = o != 0 ? o : strcmp(x->gpu, y->gpu);
    return o != 0 ? o : strcmp(y->date, x->date);
}

static void keep_marked(rc_rows *r) {
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->rows[i].p50 > 0.0)
            r->rows[kept++] = r->rows[i];
    r->count = kept;
}

rc_status rc_rows_supersede(rc_rows *const *sets, size_t n, size_t *dropped, rc_error *err) {
    size_t count = 0, at = 0;
    assert((sets != NULL || n == 0) && dropped != NULL);
    *dropped = 0;
    for (size_t s = 0; s < n; s++)
        count += sets[s]->count;
    rc_row **rows = malloc((count + 1) * sizeof *rows);
    if (rows == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu cost rows", count);
    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < sets[s]->count; i++)
            rows[at++] = &sets[s]->rows[i];
    qsort(rows, count, sizeof *rows, by_date);
    for (size_t i = 1, latest = 0; i < count; i++) {
        const rc_row *x = rows[latest];
        bool same = by_key(x, rows[i]) == 0 && strcmp(x->gpu, rows[i]->gpu) == 0 &&
                    strcmp(x->source, "measured") == 0;
        if (!same) {
            latest = i;
        } else if (strcmp(x->date, rows[i]->date) != 0) {
            rows[i]->p50 = -1.0; /* no real row has it: the store refuses p50 <= 0 */
            ++*dropped;
        }
    }
    free(rows);
    for (size_t s = 0; s < n; s++)
        keep_marked(sets[s]);
    return RC_OK;
}
