/* Host-side helpers of the kernel files: device facts, tensor maps, launches that overlap their
 * predecessor.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_LAUNCH_CUH
#define RC_LAUNCH_CUH
#include <cuda.h>
#include <cudaTypedefs.h>
#include <cuda_runtime.h>
#include <atomic>
#include "kernels/capability.h"
#include "kernels/kernels.h"

/* The capability that the code of a file was compiled for which the current device runs: of `kernel`
 * and of every other kernel of that file. It is less than the device's own where only PTX fits.
 * RC_KERNEL_ECAPABILITY: there is none for this device; 1000 and more: a CUDA error over 1000. */
static inline int rc_code_version(const void *kernel) {
    static std::atomic<int> known[64]; /* a device each; 0: not asked yet */
    int device = 0;
    cudaError_t e = cudaGetDevice(&device);
    if (e != cudaSuccess)
        return 1000 + (int)e;
    int version = device < 64 ? known[device].load(std::memory_order_relaxed) : 0;
    if (version)
        return version;
    cudaFuncAttributes of;
    e = cudaFuncGetAttributes(&of, kernel);
    if (e != cudaSuccess)
        (void)cudaGetLastError();
    version = e == cudaSuccess ? of.ptxVersion
              : e == cudaErrorNoKernelImageForDevice || e == cudaErrorInvalidDeviceFunction ||
                      e == cudaErrorUnsupportedPtxVersion
                  ? RC_KERNEL_ECAPABILITY
                  : 1000 + (int)e;
    if (device < 64 && version < 1000)
        known[device].store(version, std::memory_order_relaxed);
    return version;
}

/* 0 where the code that would run is of the range: what a kernel that needs it asks first. */
static inline int rc_code_check(const void *kernel, rc_capability_range needs) {
    int version = rc_code_version(kernel);
    if (version >= 1000)
        return version - 1000;
    return version > 0 && rc_capability_in(needs, version) ? 0 : RC_KERNEL_ECAPABILITY;
}

/* Shared memory that a CTA may ask for. */
static inline int rc_shared_most(void) {
    int device = 0, bytes = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) !=
            cudaSuccess)
        return 227 << 10;
    return bytes;
}

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
 * it; code of before 9.0 has no such wait, and is started when that one has ended. */
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
    config.numAttrs = rc_code_version((const void *)kernel) >= 90 ? 1 : 0;
    return (int)cudaLaunchKernelEx(&config, kernel, (Params)args...);
}
#endif
