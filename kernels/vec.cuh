/* Eight bf16 at a time: the 16-byte accesses that every streaming kernel here is made of.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_VEC_CUH
#define RC_VEC_CUH
#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>
#include <stdint.h>

/* Data used once: kept out of the way of what the caches should hold. */
__device__ __forceinline__ uint4 load_once(const uint4 *p) {
    return __ldcs(p);
}

__device__ __forceinline__ void store_once(uint4 *p, uint4 x) {
    __stcs(p, x);
}

/* A bf16 is the upper half of a float. */
__device__ __forceinline__ void unpack8(uint4 x, float (&v)[8]) {
    const uint32_t w[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        v[2 * i] = __uint_as_float(w[i] << 16);
        v[2 * i + 1] = __uint_as_float(w[i] & 0xffff0000u);
    }
}

__device__ __forceinline__ uint32_t pack2(float low, float high) {
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}

__device__ __forceinline__ uint4 pack8(const float (&v)[8]) {
    return make_uint4(pack2(v[0], v[1]), pack2(v[2], v[3]), pack2(v[4], v[5]), pack2(v[6], v[7]));
}

/* Eight e4m3, saturating. */
__device__ __forceinline__ uint2 pack8_e4m3(const float (&v)[8], float by) {
    uint32_t w[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
        w[i] = __nv_cvt_float2_to_fp8x2(make_float2(v[2 * i] * by, v[2 * i + 1] * by),
                                        __NV_SATFINITE, __NV_E4M3);
    return make_uint2(w[0] | w[1] << 16, w[2] | w[3] << 16);
}

__device__ __forceinline__ float warp_sum(float x) {
    for (int m = 16; m; m /= 2)
        x += __shfl_xor_sync(0xffffffff, x, m);
    return x;
}

__device__ __forceinline__ float warp_max(float x) {
    for (int m = 16; m; m /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, m));
    return x;
}

/* Over 16 lanes that lie together: of 8 elements each, those that share a scale of 128. */
__device__ __forceinline__ float half_warp_max(float x) {
    for (int m = 8; m; m /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, m));
    return x;
}

__device__ __forceinline__ float largest8(const float (&v)[8]) {
    float top = 0.f;
#pragma unroll
    for (int e = 0; e < 8; e++)
        top = fmaxf(top, fabsf(v[e]));
    return top;
}

/* Sum or maximum over the block, returned to all threads; `spare` holds 32 floats and is free
 * afterwards. */
template <bool Max> __device__ __forceinline__ float block_reduce(float x, float *spare) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = (int)(blockDim.x + 31) / 32;
    x = Max ? warp_max(x) : warp_sum(x);
    if (lane == 0)
        spare[warp] = x;
    __syncthreads();
    x = lane < warps ? spare[lane] : 0.f; /* maxima here are of absolute values */
    x = Max ? warp_max(x) : warp_sum(x);
    __syncthreads();
    return x;
}
#endif
