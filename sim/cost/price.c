/* Look-ups: the sizes are checked, then the rule of the op answers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "sim/cost/points.h"
#include "sim/cost/rules.h"

#define AXIS_MAX (INT64_C(1) << 52)

/* ---- sizes ----------------------------------------------------------------------------------- */

/* Amounts of work: without any, an op costs nothing. */
static bool is_amount(rc_axis axis) {
    switch (axis) {
    case RC_AXIS_TOKENS:
    case RC_AXIS_QUERIES:
    case RC_AXIS_KEYS:
    case RC_AXIS_BATCH:
    case RC_AXIS_CONTEXT:
    case RC_AXIS_ROWS:
    case RC_AXIS_BYTES:
        return true;
    default:
        return false;
    }
}

static rc_status check(const rc_op_info *info, rc_axis axis, const rc_axes *at, bool *nothing,
                       rc_error *err) {
    int64_t v = at->at[axis];
    if (v >= 1 && v <= AXIS_MAX)
        return RC_OK;
    int64_t least = is_amount(axis) || rc_axis_may_be_zero(axis) ? 0 : 1;
    if (v < least || v > AXIS_MAX)
        return rc_fail(err, RC_E_INPUT, "%s: %s is %lld; expected %lld to 2^52", info->name,
                       rc_axis_name(axis), (long long)v, (long long)least);
    *nothing = *nothing || (v == 0 && is_amount(axis));
    return RC_OK;
}

static rc_status check_heads(const rc_op_info *info, const rc_axes *at, rc_error *err) {
    int64_t hq = at->at[RC_AXIS_QUERY_HEADS], hkv = at->at[RC_AXIS_KV_HEADS];
    if (info->bound != RC_BOUND_ATTENTION || (hq >= 1 && hkv >= 1 && hq % hkv == 0))
        return RC_OK;
    if (!rc_op_has_axis(info, RC_AXIS_KV_HEADS) && hq >= 1)
        return RC_OK; /* one stream of latents */
    return rc_fail(err, RC_E_INPUT,
                   "%s: %lld query heads on %lld KV heads; expected a multiple of the KV heads",
                   info->name, (long long)hq, (long long)hkv);
}

static rc_status check_all(const rc_op_info *info, const rc_axes *at, bool *nothing,
                           rc_error *err) {
    *nothing = false;
    for (int i = 0; i < RC_COLUMNS; i++) {
        bool heads = info->bound == RC_BOUND_ATTENTION && (info->column[i] == RC_AXIS_QUERY_HEADS ||
                                                           info->column[i] == RC_AXIS_KV_HEADS);
        if (info->column[i] != RC_AXIS_NONE && !heads)
            RC_TRY(check(info, info->column[i], at, nothing, err));
    }
    RC_TRY(check_heads(info, at, err));
    for (int i = 0; info->fixed[i] != RC_AXIS_NONE; i++)
        RC_TRY(check(info, info->fixed[i], at, nothing, err));
    return RC_OK;
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* The costs whose rows of products in the type answer: these, or those of the part that stands in. */
static bool have_products(const rc_costs *c, rc_dtype d, rc_costs *of) {
    *of = *c;
    return rc_book_products(c->book, d) != NULL ||
           (rc_costs_on_stand_in(c, of) && rc_book_products(of->book, d) != NULL);
}

bool rc_cost_has_products(const rc_costs *c, rc_dtype d) {
    rc_costs of;
    assert(c != NULL);
    return have_products(c, d, &of);
}

/* Without rows bf16 and fp8 are refused; the others are multiplied in a type that may have some. */
static rc_status product(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    rc_costs of;
    if (a->d == RC_BF16 || a->d == RC_FP8)
        return rc_price_product(c, a, out, err);
    if (have_products(c, a->d, &of))
        return rc_price_product(&of, a, out, err);
    return rc_price_quantised(c, a, out, err);
}

/* Attention over keys that are kept in int4, in ops whose rows are of wider ones. */
static bool over_packed(rc_price_rule rule, const rc_asked *a) {
    return a->d == RC_INT4 && rc_op_info_of(a->op)->bound == RC_BOUND_ATTENTION &&
           (rule == RC_PRICE_DECODE || rule == RC_PRICE_REACH);
}

static rc_status by_rule(const rc_costs *c, rc_price_rule rule, const rc_asked *a, rc_cost *out,
                         rc_error *err) {
    if (over_packed(rule, a))
        return rc_price_packed(c, rule, a, out, err);
    switch (rule) {
    case RC_PRICE_PRODUCT:
        return product(c, a, out, err);
    case RC_PRICE_FULL:
        return rc_price_full(c, a, out, err);
    case RC_PRICE_CAUSAL:
        return rc_price_causal(c, a, out, err);
    case RC_PRICE_DECODE:
        return rc_price_decode(c, a, out, err);
    case RC_PRICE_MERGE:
        return rc_price_merge(c, a, out, err);
    case RC_PRICE_WIDTH:
        return rc_price_width(c, a, out, err);
    case RC_PRICE_COPY:
        return rc_price_copy(c, a, out, err);
    case RC_PRICE_REACH:
        return rc_price_reach(c, a, out, err);
    case RC_PRICE_SAME:
        return rc_price_same(c, a, out, err);
    default:
        return rc_fail(err, RC_E_UNMODELLED, "%s has no price of its own",
                       rc_op_info_of(a->op)->name);
    }
}

rc_status rc_cost_op(const rc_costs *c, rc_op op, rc_dtype d, const rc_axes *at, rc_cost *out,
                     rc_error *err) {
    assert(c != NULL && at != NULL && out != NULL && op < rc_op_count());
    const rc_op_info *info = rc_op_info_of(op);
    bool nothing;
    RC_TRY(check_all(info, at, &nothing, err));
    if (info->type == RC_TYPE_OWN && d == RC_FP32)
        return rc_fail(err, RC_E_UNMODELLED,
                       "%s in fp32 is not modelled: rows exist of bf16 and fp8 only", info->name);
    if (nothing)
        return rc_cost_nothing(out);
    rc_op rows = info->stands != NULL ? rc_op_named(info->stands) : op;
    rc_asked a = {op, rows, info->type == RC_TYPE_IGNORED ? RC_BF16 : d, at};
    return by_rule(c, info->rule, &a, out, err);
}

rc_status rc_cost_row(const rc_costs *c, const rc_row *row, rc_cost *out, rc_error *err) {
    rc_axes at;
    assert(c != NULL && row != NULL);
    rc_op op = rc_row_op(row, &at);
    if (op < rc_op_count() && rc_op_info_of(op)->rule == RC_PRICE_EXPERTS)
        return rc_price_expert_row(c, row, &at, op, out, err);
    if (op == rc_op_count() || rc_op_info_of(op)->bound == RC_BOUND_LINK)
        return rc_fail(err, RC_E_UNMODELLED, "%s is not carried over", row->op);
    rc_dtype d;
    if (!rc_row_type(row, op, &d))
        return rc_fail(err, RC_E_UNMODELLED, "%s in %s has no price", row->op, row->dtype);
    return rc_cost_op(c, op, d, &at, out, err);
}
