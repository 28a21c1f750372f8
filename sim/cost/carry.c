/* From the base to the machine asked for.
 *
 * A call on the base takes t. C = flops / the base's peak and B = least bytes / the
 * rate its own device copy reaches bound it; w = C^4 / (C^4 + B^4) says how far it is bound by the
 * matrix units. On a machine whose matrix units run at r_m and whose HBM at r_h of the base's:
 *   - bound by the matrix units, all of the call follows their clock: t (1 + w (1/r_m - 1));
 *   - bound by HBM, only the traffic itself takes longer or shorter, while launch, latencies and
 * issue stay as they are: t + B/r_h - max(B, C). The larger of the two is taken; on faster memory
 * the second falls no lower than t r with r = max(C/r_m, B/r_h) / max(C, B), as if all of the call
 * followed; and the first counts only as far as the matrix units would still bound the call, C/B,
 * but for 1/r_h of it. And no call beats the matrix units: t is at least C, and then C/r_m. With
 * both ratios 1 this is t exactly.
 *
 * An engine whose fp8 products are not the base's best (machine.h: fp8_matrix, fp8_stream) takes
 * 1/fp8_matrix of the time where the matrix units bind, as if they were so much slower, and
 * 1/fp8_stream where reading the weights does; between them by w. Rows of experts are of other
 * engines' kernels already, so they are carried by the part's ratios alone.
 *
 * A time that would beat the machine's own published peak is refused, for then the file's ratio and
 * its peak contradict each other, and a forecast would claim more than 100 % of the part.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/carry.h"

#include <assert.h>
#include <math.h>

/* What a large device copy reaches of the HBM peak: 4.3 of 4.8 TB/s on the H200
 * (results/calibration). */
static const double COPY_SHARE = 0.9;

static double fourth_power(double share) {
    return share < 1.0 ? pow(share, 4.0) : 1.0; /* the larger of the two is 1 */
}

/* How far a call is bound by the matrix units: w of the file's head. */
static double matrix_bound(double arithmetic, double traffic) {
    double bound = rc_most(arithmetic, traffic);
    if (bound <= 0.0)
        return 0.0;
    double c4 = fourth_power(arithmetic / bound), b4 = fourth_power(traffic / bound);
    return c4 / (c4 + b4);
}

static double carry(double t, double arithmetic, double traffic, double matrix, double hbm) {
    double bound = rc_most(arithmetic, traffic);
    if (bound <= 0.0)
        return t;
    double by_matrix = t;
    if (matrix != 1.0)
        by_matrix = t * (1.0 + matrix_bound(arithmetic, traffic) * (1.0 / matrix - 1.0));
    double by_hbm = t + traffic / hbm - bound;
    double all = t * rc_most(arithmetic / matrix, traffic / hbm) / bound;
    double kept = traffic > 0.0 ? rc_least(rc_most(arithmetic / traffic, 1.0 / hbm), 1.0) : 1.0;
    double carried =
        rc_most(rc_most(by_matrix * (hbm > 1.0 ? kept : 1.0), by_hbm), rc_least(all, t));
    return rc_most(carried, arithmetic / matrix);
}

static double or_one(double ratio) {
    return ratio > 0.0 ? ratio : 1.0;
}

/* Whether the rows are the library's products, which the engine's ratios are over. Rows of experts
 * and the like are of kernels of engines as they stand. */
static bool is_library_product(rc_op op, rc_dtype d) {
    return op == RC_COST_GEMM && d != RC_BF16;
}

/* Matrix rate of this machine over that of its base, for the op and type at hand. */
static double matrix_ratio(const rc_machine *m, rc_op op, rc_dtype d) {
    bool fp8 = d != RC_BF16;
    rc_bound bound = rc_op_info_of(op)->bound;
    if (bound == RC_BOUND_GEMM)
        return m->gemm_ratio * (fp8 ? or_one(m->gemm_fp8) : 1.0) *
               (is_library_product(op, d) ? or_one(m->fp8_matrix) : 1.0);
    if (bound == RC_BOUND_ATTENTION)
        return m->attention_ratio * (fp8 ? or_one(m->attention_fp8) : 1.0);
    return 1.0;
}

/* What a product takes over the base's kernel where reading its weights binds it: that the engine's
 * kernel streams them more slowly. */
static double streamed(const rc_machine *m, rc_op op, rc_dtype d, double bound_share) {
    if (!is_library_product(op, d))
        return 1.0;
    return 1.0 + (1.0 - bound_share) * (1.0 / or_one(m->fp8_stream) - 1.0);
}

/* Rounding of ratios and peaks that files give to three or four digits. */
static const double PEAK_SLACK = 1.005;

static rc_status below_peak(const rc_machine *m, rc_op op, rc_dtype d, double rate, rc_error *err) {
    bool fp8 = d != RC_BF16, gemm = rc_op_info_of(op)->bound == RC_BOUND_GEMM;
    double peak = fp8 ? m->fp8_rate : m->bf16_rate;
    if (!(peak > 0.0) || rate <= peak * PEAK_SLACK)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT,
                   "%s in %s would run at %.4g TFLOP/s on machine '%s', over its %s of %.4g "
                   "TFLOP/s: %s (%.4g, over '%s') is too high or %s too low; a file that leaves "
                   "calibration.transfer.%s out takes it from the peaks",
                   gemm ? "a GEMM" : "attention", rc_dtype_name(d), rate / 1e12, m->name,
                   fp8 ? "fp8_rate" : "bf16_rate", peak / 1e12,
                   gemm ? "gemm_ratio" : "attention_ratio", matrix_ratio(m, op, d), m->base,
                   fp8 ? "fp8_rate" : "bf16_rate", gemm ? "gemm" : "attention");
}

rc_status rc_carry(const rc_machine *m, const rc_probe *found, rc_op op, rc_dtype d,
                   const rc_axes *at, rc_cost *out, rc_error *err) {
    const rc_op_info *info = rc_op_info_of(op);
    rc_work w;
    assert(d == RC_BF16 || d == RC_FP8 || d == RC_FP8_BLOCK);
    assert(info->work != NULL && info->bound != RC_BOUND_LINK);
    info->work(info, at, rc_dtype_bytes(d), &w);
    double matrix = matrix_ratio(m, op, d);
    double peak = d != RC_BF16 ? m->base_fp8_rate : m->base_bf16_rate;
    double t = rc_most(exp(found->y), w.flops / peak); /* extrapolated rows may promise too much */
    double arithmetic = w.flops / peak, traffic = w.bytes / (COPY_SHARE * m->base_hbm_rate);
    double w_base = matrix_bound(arithmetic, traffic), slower = streamed(m, op, d, w_base);
    bool carried = matrix != 1.0 || m->hbm_ratio != 1.0 || slower != 1.0;
    if (carried)
        t = slower * carry(t, arithmetic, traffic, matrix, m->hbm_ratio);
    if (!isfinite(t))
        return rc_fail(err, RC_E_INPUT, "a cost is out of range on machine '%s'", m->name);
    if (info->bound != RC_BOUND_MEMORY)
        RC_TRY(below_peak(m, op, d, w.flops / t, err));
    out->p50 = t;
    out->effort = (rc_effort){w.flops, w.bytes, w_base, rc_power_class_of(op, d)};
    const rc_power_class class = out->effort.class;
    if (!rc_power_of_matrix(class)) /* copies never follow the clock, others by their law */
        out->effort.bound = class == RC_POWER_OTHER ? 0.0 : 1.0;
    out->basis = carried ? rc_worse(found->basis, RC_TRANSFERRED) : found->basis;
    out->spread = carried ? hypot(found->spread, m->ratio_spread) : found->spread;
    return RC_OK;
}
