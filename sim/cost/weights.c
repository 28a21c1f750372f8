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

#include "sim/cost/book.h"

enum { LARGE = 4096 }; /* tokens of a product that the matrix units bind */

static const double FLOOR = 2e-6; /* of a GEMM, what does not scale with its work */

/* Bytes a weight with its scales, in the group sizes that are usual. */
static double streamed(rc_dtype d) {
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

rc_status rc_cost_gemm_quantised(const rc_costs *c, rc_dtype d, int64_t m, int64_t n, int64_t k,
                                 rc_cost *out, rc_error *err) {
    rc_dtype math = rc_dtype_math(d);
    rc_cost large;
    assert(d != RC_BF16 && d != RC_FP8 && d != RC_FP32); /* of those there are rows, or nothing */
    RC_TRY(rc_cost_gemm(c, math, m, n, k, out, err));
    if (m == 0)
        return RC_OK;
    out->basis = rc_worse(out->basis, RC_MODELLED);
    if (streamed(d) >= rc_dtype_bytes(math) || m >= LARGE)
        return RC_OK;
    RC_TRY(rc_cost_gemm(c, math, LARGE, n, k, &large, err));
    double weights = (double)n * (double)k;
    double rest = (double)m * (rc_dtype_bytes(math) * (double)k + 2.0 * (double)n);
    double fewer = (weights * streamed(d) + rest) / (weights * rc_dtype_bytes(math) + rest);
    double reading = out->p50 > FLOOR ? FLOOR + (out->p50 - FLOOR) * fewer : out->p50;
    double multiplying = large.p50 * (double)m / LARGE;
    out->p50 = fmin(out->p50, fmax(reading, multiplying));
    return RC_OK;
}
