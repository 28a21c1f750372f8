/* Host-side helpers of the kernel files: device facts, tensor maps, launches that overlap their
 * predecessor.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_LAUNCH_CUH
#define RC_LAUNCH_CUH
#include <cuda.h>
#include <cudaTypedefs.h>
#include <cuda_runtime.h>

static inline int rc_sm_count(void) {
    int device = 0, sms = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device) != cudaSuccess)
        return 132;
    return sms;
}

/* The driver's encoder, found through the runtime so that nothing links against libcuda. */
static inline PFN_cuTensorMapEncodeTiled_v12000 rc_tensor_map_encoder(void) {
    static const PFN_cuTensorMapEncodeTiled_v12000 encoder = [] {
        void *f = nullptr;
        cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
        cudaError_t e = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &f, 12000,
                                                         cudaEnableDefault, &found);
        return e == cudaSuccess && found == cudaDriverEntryPointSuccess
                   ? (PFN_cuTensorMapEncodeTiled_v12000)f
                   : nullptr;
    }();
    return encoder;
}

/* Element type of a tensor map; rows of 128 bytes, swizzled. */
enum rc_map_type { RC_MAP_BF16_128, RC_MAP_BYTES_128 };

/* Map of `rank` dimensions; out-of-range elements read as zero. */
static inline int rc_tensor_map(CUtensorMap *map, rc_map_type type, const void *x, int rank,
                                const cuuint64_t *dims, const cuuint64_t *strides,
                                const cuuint32_t *box) {
    const cuuint32_t steps[5] = {1, 1, 1, 1, 1};
    PFN_cuTensorMapEncodeTiled_v12000 encode = rc_tensor_map_encoder();
    if (!encode)
        return (int)cudaErrorNotSupported;
    CUresult e = encode(map,
                        type == RC_MAP_BF16_128 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                                : CU_TENSOR_MAP_DATA_TYPE_UINT8,
                        (cuuint32_t)rank, const_cast<void *>(x), dims, strides, box, steps,
                        CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                        CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    return e == CUDA_SUCCESS ? 0 : (int)cudaErrorInvalidValue;
}

/* Launches a kernel that may start early and itself waits (griddepcontrol.wait) for the one before
 * it. */
template <class... Params, class... Args>
static int rc_launch_dependent(void (*kernel)(Params...), int grid, int threads, size_t shared,
                               cudaStream_t stream, Args... args) {
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((unsigned)grid);
    config.blockDim = dim3((unsigned)threads);
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    cudaLaunchAttribute attribute;
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    config.attrs = &attribute;
    config.numAttrs = 1;
    return (int)cudaLaunchKernelEx(&config, kernel, (Params)args...);
}
#endif
