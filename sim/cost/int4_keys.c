/* Attention over keys and values that are kept in int4, which nobody has measured.
 *
 * Three things are known of such a call. It reads fewer bytes than the same over bf16, of which there
 * are rows: what its time grows by with keys shrinks with them, and what it would take without any, by
 * a straight line through its time and that over half the keys, does not. Its operands
 * are multiplied in bf16 all the same, and before that every element of a key or a value is unpacked
 * in the ordinary lanes of the SMs: an and, half a shift (two elements of a register at a time), a
 * multiply-add by scale and zero point, and its share of a store to shared memory. The three overlap
 * in a kernel that keeps several blocks under way, so the longest of them decides. The answer is
 * RC_MODELLED, with a stated spread.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>

#include "sim/cost/rules.h"

static const double FLOOR = 4e-6;
static const double SPREAD = 0.25; /* stated, half of p10 to p90 */
static const double REACHED = 0.6; /* of the matrix units, as decode kernels reach (ops.c) */
/* Instructions of a lane for one element that is unpacked. */
static const double UNPACK = 1.5;
/* What the lanes of an SM do in a cycle over the dense bf16 FLOPs of its matrix units: 128 of 4,096 on
 * Hopper, 64 of 2,048 on Ampere. On Blackwell it is half as much. */
static const double LANES = 1.0 / 32.0;

/* The op over bf16; *fixed: of its time what does not grow with keys. */
static rc_status over_wide(const rc_costs *c, rc_price_rule rule, const rc_asked *a, rc_cost *out,
                           double *fixed, rc_error *err) {
    rc_axes fewer = *a->at;
    const rc_asked wide = {a->op, a->rows, RC_BF16, a->at},
                   half = {a->op, a->rows, RC_BF16, &fewer};
    rc_status (*price)(const rc_costs *, const rc_asked *, rc_cost *, rc_error *) =
        rule == RC_PRICE_DECODE ? rc_price_decode : rc_price_reach;
    rc_cost less;
    RC_TRY(price(c, &wide, out, err));
    *fixed = fmin(FLOOR, out->p50);
    if (fewer.at[RC_AXIS_CONTEXT] < 2)
        return RC_OK;
    fewer.at[RC_AXIS_CONTEXT] /= 2;
    fewer.at[RC_AXIS_LONGEST] /= 2;
    RC_TRY(price(c, &half, &less, err));
    const double share = (double)fewer.at[RC_AXIS_CONTEXT] / (double)a->at->at[RC_AXIS_CONTEXT];
    *fixed = fmin(fmax((less.p50 - share * out->p50) / (1.0 - share), *fixed), out->p50);
    return RC_OK;
}

rc_status rc_price_packed(const rc_costs *c, rc_price_rule rule, const rc_asked *a, rc_cost *out,
                          rc_error *err) {
    const rc_op_info *info = rc_op_info_of(a->op);
    rc_work full, packed;
    double fixed;
    assert(a->d == RC_INT4);
    RC_TRY(over_wide(c, rule, a, out, &fixed, err));
    info->work(info, a->at, rc_kv_element(RC_BF16), &full);
    info->work(info, a->at, rc_kv_element(RC_INT4), &packed);
    const double elements =
        (full.bytes - packed.bytes) / (rc_kv_element(RC_BF16) - rc_kv_element(RC_INT4));
    const double reading = fixed + (out->p50 - fixed) * packed.bytes / full.bytes;
    const double multiplying = packed.flops / (REACHED * c->m.bf16_rate);
    const double unpacking = UNPACK * elements / (LANES * c->m.bf16_rate);
    out->p50 = fmax(fmin(out->p50, fmax(reading, multiplying)), unpacking);
    out->effort.bytes *= packed.bytes / full.bytes;
    out->spread = fmax(out->spread, SPREAD);
    out->basis = rc_worse(out->basis, RC_MODELLED);
    return RC_OK;
}
