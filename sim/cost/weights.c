/* GEMM with quantised weights of which no row exists.
 *
 * Two things are known of such a product. Its operands are multiplied in bf16 or in fp8, of which
 * there are rows, and it reads fewer bytes of weights. While it waits for weights, its time above
 * the floor (launch and tail) shrinks with the bytes; it never comes below the time that the
 * multiplications of so many tokens take at the rate of a large product, and never above the time
 * of the rows themselves. What unpacking the weights costs is not known and left out. Every answer
 * is RC_MODELLED.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>

#include "sim/cost/rules.h"
#include "sim/cost/weights.h"

enum { LARGE = 4096 }; /* tokens of a product that the matrix units bind */

static const double FLOOR = 2e-6; /* of a GEMM, what does not scale with its work */

double rc_weight_bytes(rc_dtype d) {
    switch (d) {
    case RC_INT4:
    case RC_W4A8:
        return 0.5 + 2.0 / 128.0;
    case RC_MXFP4:
        return 0.5 + 1.0 / 32.0;
    case RC_NVFP4:
        return 0.5 + 1.0 / 16.0;
    default:
        return rc_dtype_bytes(d);
    }
}

rc_status rc_price_quantised(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    rc_dtype math = rc_dtype_math(a->d);
    rc_cost large;
    assert(a->d != RC_BF16 && a->d != RC_FP8 && a->d != RC_FP32); /* these have rows, or nothing */
    rc_asked rows = {a->op, a->rows, math, a->at};
    RC_TRY(rc_price_product(c, &rows, out, err));
    out->basis = rc_worse(out->basis, RC_MODELLED);
    int64_t tokens = a->at->at[RC_AXIS_TOKENS];
    if (rc_weight_bytes(a->d) >= rc_dtype_bytes(math) || tokens >= LARGE)
        return RC_OK;
    rc_axes many = *a->at;
    many.at[RC_AXIS_TOKENS] = LARGE;
    rows.at = &many;
    RC_TRY(rc_price_product(c, &rows, &large, err));
    double m = (double)tokens, n = (double)many.at[RC_AXIS_OUTPUTS];
    double k = (double)many.at[RC_AXIS_INPUTS], weights = n * k;
    double rest = m * (rc_dtype_bytes(math) * k + 2.0 * n);
    double fewer =
        (weights * rc_weight_bytes(a->d) + rest) / (weights * rc_dtype_bytes(math) + rest);
    double reading = out->p50 > FLOOR ? FLOOR + (out->p50 - FLOOR) * fewer : out->p50;
    double multiplying = large.p50 * m / LARGE;
    out->p50 = fmin(out->p50, fmax(reading, multiplying));
    return RC_OK;
}
