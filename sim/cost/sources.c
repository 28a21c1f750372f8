/* Rows of several sources in one book.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/sources.h"

#include <assert.h>
#include <string.h>

#include "sim/cost/points.h"

rc_source rc_op_source(rc_op op) {
    const rc_op_info *info = rc_op_info_of(op);
    if (info->along == RC_AXIS_NONE || info->bound == RC_BOUND_LINK || op == RC_COST_COPY)
        return RC_SOURCES;
    if (info->bound == RC_BOUND_GEMM)
        return RC_SOURCE_GEMM;
    switch (info->rule) {
    case RC_PRICE_FULL:
    case RC_PRICE_CAUSAL:
        return RC_SOURCE_ATTENTION;
    case RC_PRICE_DECODE:
        return RC_SOURCE_DECODE;
    case RC_PRICE_MERGE:
        return RC_SOURCE_MERGE;
    default:
        return RC_SOURCE_ELEMENTWISE;
    }
}

/* Whether a row is one of those that `name` stands for: a machine column, or "COLUMN@condition", its rows
 * that were measured so. Then *out is the row without the condition, as if there were none. */
static bool is_of(const rc_row *r, const char *name, rc_row *out) {
    size_t column = strcspn(name, "@");
    *out = *r;
    if (strncmp(r->machine, name, column) != 0 || r->machine[column] != '\0')
        return false;
    if (name[column] == '\0')
        return true;
    out->variant = "";
    return strcmp(r->variant, name + column) == 0;
}

/* The source of a row's op; RC_SOURCES for rows of none. */
static rc_source source_of(const rc_row *r) {
    rc_axes at;
    rc_op op = rc_row_op(r, &at);
    return op < rc_op_count() ? rc_op_source(op) : RC_SOURCES;
}

enum { MOST_NAMES = 64 };

static rc_status no_rows(const rc_rows *rows, const rc_machine *m, rc_source source,
                         rc_error *err) {
    const char *names[MOST_NAMES + 1] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < rc_rows_count(rows) && n < MOST_NAMES; i++) {
        const rc_row *r = rc_rows_at(rows, i);
        bool known = source_of(r) != source;
        for (size_t k = 0; k < n && !known; k++)
            known = strcmp(names[k], r->machine) == 0;
        if (!known)
            names[n++] = r->machine;
    }
    const char *near = rc_nearest(m->costs[source], names);
    if (near == NULL && n > 0)
        near = names[0];
    return rc_fail(err, RC_E_INPUT,
                   "calibration.costs.%s of machine '%s': the calibration store has no rows of %s "
                   "for '%s'%s%s%s",
                   rc_source_name(source), m->name, rc_source_name(source), m->costs[source],
                   near ? "; it has some of '" : "", near ? near : "", near ? "'" : "");
}

rc_status rc_rows_by_source(const rc_rows *rows, const rc_machine *m, rc_rows **out,
                            rc_error *err) {
    assert(rows != NULL && m != NULL && out != NULL);
    size_t taken[RC_SOURCES] = {0};
    rc_rows *all = NULL;
    RC_TRY(rc_rows_create(&all, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < rc_rows_count(rows) && st == RC_OK; i++) {
        rc_row r = *rc_rows_at(rows, i), other = {0};
        rc_source from = RC_SOURCES;
        for (rc_source s = 0; s < RC_SOURCES && from == RC_SOURCES; s++)
            if (m->costs[s][0] != '\0' && is_of(&r, m->costs[s], &other) && source_of(&other) == s)
                from = s;
        rc_source own = source_of(&r);
        if (from < RC_SOURCES) {
            r = other;
            r.machine = m->base;
            taken[from]++;
        } else if (own < RC_SOURCES && m->costs[own][0] != '\0' &&
                   strcmp(r.machine, m->base) == 0) {
            continue;
        }
        st = rc_rows_add(all, &r, err);
    }
    for (rc_source s = 0; s < RC_SOURCES && st == RC_OK; s++)
        if (m->costs[s][0] != '\0' && taken[s] == 0)
            st = no_rows(rows, m, s, err);
    if (st != RC_OK) {
        rc_rows_free(all);
        return st;
    }
    *out = all;
    return RC_OK;
}
