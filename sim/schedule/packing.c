/* Passes over elements that pack activations for the way between GPUs, and that unpack them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "sim/schedule/builder.h"

static void pass(rc_builder *b, uint32_t gpu, const char *op, int64_t tokens, int64_t elements) {
    rc_shape s = rc_shape_of(RC_T_ELEMENTWISE, RC_P_QUANTISE);
    assert(tokens >= 1 && elements >= 1);
    s.op = op;
    s.a = tokens;
    s.b = elements;
    rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
}

void rc_emit_packed(rc_builder *b, uint32_t gpu, rc_dtype to, int64_t tokens, int64_t elements) {
    pass(b, gpu, to == RC_INT4 ? "quantize_int4" : "quantize_fp8", tokens, elements);
}

void rc_emit_packing(rc_builder *b, rc_dtype to, int64_t tokens, int64_t elements) {
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_packed(b, gpu, to, tokens, elements);
}

void rc_emit_unpacking(rc_builder *b, uint32_t gpu, rc_dtype from, int64_t tokens,
                       int64_t elements) {
    pass(b, gpu, from == RC_INT4 ? "dequantize_int4" : "dequantize_fp8", tokens, elements);
}
