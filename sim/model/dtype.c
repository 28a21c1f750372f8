/* How numbers are stored, and what multiplies them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/model/model.h"

#include <assert.h>

static const struct {
    const char *name;
    double bytes;
    rc_dtype math;
} dtypes[RC_DTYPES] = {
    [RC_BF16] = {"bf16", 2.0, RC_BF16},          [RC_FP8] = {"fp8", 1.0, RC_FP8},
    [RC_INT4] = {"int4", 0.5, RC_BF16},          [RC_FP32] = {"fp32", 4.0, RC_BF16},
    [RC_FP8_BLOCK] = {"fp8-block", 1.0, RC_FP8}, [RC_INT8] = {"int8", 1.0, RC_FP8},
    [RC_W8A16] = {"w8a16", 1.0, RC_BF16},        [RC_W4A8] = {"w4a8", 0.5, RC_FP8},
    [RC_MXFP4] = {"mxfp4", 0.5, RC_BF16},        [RC_NVFP4] = {"nvfp4", 0.5, RC_BF16}};

const char *rc_dtype_name(rc_dtype d) {
    assert((unsigned)d < RC_DTYPES);
    return dtypes[d].name;
}

double rc_dtype_bytes(rc_dtype d) {
    assert((unsigned)d < RC_DTYPES);
    return dtypes[d].bytes;
}

rc_dtype rc_dtype_stated(int i) {
    static const rc_dtype all[RC_DTYPES_STATED] = {
        RC_BF16, RC_FP8, RC_INT4, RC_FP8_BLOCK, RC_INT8, RC_W8A16, RC_W4A8, RC_MXFP4, RC_NVFP4};
    assert(i >= 0 && i < RC_DTYPES_STATED);
    return all[i];
}

rc_dtype rc_dtype_math(rc_dtype d) {
    assert((unsigned)d < RC_DTYPES);
    return dtypes[d].math;
}

/* Elements that share a scale, and its bytes with those of a zero point. */
static const double GROUP = 128.0, SCALE = 4.0;

double rc_kv_element(rc_dtype d) {
    return rc_dtype_bytes(d) + (d == RC_INT4 ? SCALE / GROUP : 0.0);
}

double rc_packed_element(rc_dtype d) {
    return rc_dtype_bytes(d) + (d == RC_FP8 || d == RC_INT4 ? SCALE / GROUP : 0.0);
}
