/* What a dense decoder multiplies and holds: parameters, FLOPs, bytes of KV.
 *
 * A layer holds Wq (D x Hq*Dh), Wk and Wv (D x Hkv*Dh), Wo (Hq*Dh x D), gate and up (D x F), down
 * (F x D), two RMS norms (D) and, by architecture, biases and norms of q and k.
 * The counts agree with the publishers' to the last parameter (tests/unit/test_model_config.c).
 *
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
    return (unsigned)d < RC_DTYPES ? dtypes[d].name : "?";
}

double rc_dtype_bytes(rc_dtype d) {
    return (unsigned)d < RC_DTYPES ? dtypes[d].bytes : 0.0;
}

rc_dtype rc_dtype_stated(int i) {
    static const rc_dtype all[RC_DTYPES_STATED] = {
        RC_BF16, RC_FP8, RC_INT4, RC_FP8_BLOCK, RC_INT8, RC_W8A16, RC_W4A8, RC_MXFP4, RC_NVFP4};
    assert(i >= 0 && i < RC_DTYPES_STATED);
    return all[i];
}

rc_dtype rc_dtype_math(rc_dtype d) {
    return (unsigned)d < RC_DTYPES ? dtypes[d].math : RC_BF16;
}

static double q_width(const rc_model *m) {
    return (double)m->heads * m->head_dim;
}

static double kv_width(const rc_model *m) {
    return (double)m->kv_heads * m->head_dim;
}

double rc_model_attn_params(const rc_model *m) {
    return (double)m->layers * (double)m->hidden * 2.0 * (q_width(m) + kv_width(m));
}

double rc_model_ffn_params(const rc_model *m) {
    return (double)m->layers * 3.0 * (double)m->hidden * (double)m->ffn;
}

double rc_model_params(const rc_model *m) {
    double d = (double)m->hidden;
    double embed = (double)m->vocab * d * (m->tied_embeddings ? 1.0 : 2.0);
    double layer = 2.0 * d;
    if (m->attention_bias)
        layer += q_width(m) + 2.0 * kv_width(m);
    if (m->output_bias)
        layer += d;
    if (m->ffn_bias)
        layer += 2.0 * (double)m->ffn + d;
    if (m->qk_norm == RC_QK_NORM_HEAD)
        layer += 2.0 * m->head_dim;
    if (m->qk_norm == RC_QK_NORM_FULL)
        layer += q_width(m) + kv_width(m);
    return rc_model_attn_params(m) + rc_model_ffn_params(m) + embed + m->layers * layer + d;
}

double rc_model_kv_bytes(const rc_model *m, rc_dtype kv) {
    return (double)m->layers * 2.0 * kv_width(m) * rc_dtype_bytes(kv);
}

double rc_model_gemm_flops(const rc_model *m, int64_t t) {
    return 2.0 * (double)t * (rc_model_attn_params(m) + rc_model_ffn_params(m));
}

double rc_model_attention_flops(const rc_model *m, int64_t t, int64_t p) {
    double tt = (double)t, entries = tt * (double)p + tt * (tt + 1.0) / 2.0;
    return (double)m->layers * 4.0 * q_width(m) * entries;
}
