/* The Hopper warpgroup products, one function a shape.
 *
 * A warpgroup (128 threads) owns a 64-row accumulator. Thread t of a warp holds rows t/4 and t/4 +
 * 8 of the warp's 16: d[4j + 2h + e] is row t/4 + 8h, column 8j + 2(t mod 4) + e. Operands in
 * shared memory are described by 64-bit descriptors (hopper.cuh: swizzled_desc).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_WGMMA_CUH
#define RC_WGMMA_CUH
#include <stdint.h>

// clang-format off
/* The accumulator among the operands: its first so many names, and the registers that they stand for. */
#define WGMMA_NAMES_16 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define WGMMA_NAMES_32 WGMMA_NAMES_16 ", " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define WGMMA_NAMES_64 WGMMA_NAMES_32 ", " \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define WGMMA_NAMES_128 WGMMA_NAMES_64 ", " \
    "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
    "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, " \
    "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
    "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define WGMMA_OWN_8(d, i) \
    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define WGMMA_OWN_16(d, i) WGMMA_OWN_8(d, i), WGMMA_OWN_8(d, i + 8)
#define WGMMA_OWN_32(d, i) WGMMA_OWN_16(d, i), WGMMA_OWN_16(d, i + 16)
#define WGMMA_OWN_64(d, i) WGMMA_OWN_32(d, i), WGMMA_OWN_32(d, i + 32)
#define WGMMA_OWN_128(d, i) WGMMA_OWN_64(d, i), WGMMA_OWN_64(d, i + 64)

/* d[64 x 128] = (accumulate ? d : 0) + A * B^T, A and B K-major in shared memory. */
__device__ __forceinline__ void wgmma_ss(float (&d)[64], uint64_t da, uint64_t db, int accumulate)
{
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
        WGMMA_NAMES_64
        "}, %64, %65, p, 1, 1, 0, 0;\n}\n"
        : WGMMA_OWN_64(d, 0)
        : "l"(da), "l"(db), "r"(accumulate));
}

/* d[64 x 128] += A * B, A in registers, B MN-major in shared memory. */
__device__ __forceinline__ void wgmma_rs(float (&d)[64], const uint32_t a0, const uint32_t a1,
                                         const uint32_t a2, const uint32_t a3, uint64_t db)
{
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
        WGMMA_NAMES_64
        "}, {%64, %65, %66, %67}, %68, 1, 1, 1, 1;\n"
        : WGMMA_OWN_64(d, 0)
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(db));
}

/* d[64 x 128] = (accumulate ? d : 0) + A * B^T, both e4m3 and K-major in shared memory. */
__device__ __forceinline__ void wgmma_ss_e4m3(float (&d)[64], uint64_t da, uint64_t db, int accumulate)
{
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {"
        WGMMA_NAMES_64
        "}, %64, %65, p, 1, 1;\n}\n"
        : WGMMA_OWN_64(d, 0)
        : "l"(da), "l"(db), "r"(accumulate));
}

/* d[64 x 128] = (accumulate ? d : 0) + A * B^T, A in registers, B K-major in shared memory, e4m3. */
__device__ __forceinline__ void wgmma_rs_e4m3(float (&d)[64], const uint32_t a0, const uint32_t a1,
                                              const uint32_t a2, const uint32_t a3, uint64_t db,
                                              int accumulate)
{
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {"
        WGMMA_NAMES_64
        "}, {%64, %65, %66, %67}, %68, p, 1, 1;\n}\n"
        : WGMMA_OWN_64(d, 0)
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(db), "r"(accumulate));
}

/* d[64 x 32] = (accumulate ? d : 0) + A * B^T, A and B K-major in shared memory. */
__device__ __forceinline__ void wgmma_ss_n32(float (&d)[16], uint64_t da, uint64_t db, int accumulate)
{
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %18, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {"
        WGMMA_NAMES_16
        "}, %16, %17, p, 1, 1, 0, 0;\n}\n"
        : WGMMA_OWN_16(d, 0)
        : "l"(da), "l"(db), "r"(accumulate));
}

/* The same, d[64 x 64]. */
__device__ __forceinline__ void wgmma_ss_n64(float (&d)[32], uint64_t da, uint64_t db, int accumulate)
{
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
        WGMMA_NAMES_32
        "}, %32, %33, p, 1, 1, 0, 0;\n}\n"
        : WGMMA_OWN_32(d, 0)
        : "l"(da), "l"(db), "r"(accumulate));
}

/* d[64 x 256] = (accumulate ? d : 0) + A * B, A K-major and B MN-major in shared memory. */
__device__ __forceinline__ void wgmma_ss_v256(float (&d)[128], uint64_t da, uint64_t db, int accumulate)
{
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %130, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {"
        WGMMA_NAMES_128
        "}, %128, %129, p, 1, 1, 0, 1;\n}\n"
        : WGMMA_OWN_128(d, 0)
        : "l"(da), "l"(db), "r"(accumulate));
}

/* d[64 x 64] += A * B, A in registers, B MN-major in shared memory. */
__device__ __forceinline__ void wgmma_rs_v64(float (&d)[32], const uint32_t a0, const uint32_t a1,
    const uint32_t a2, const uint32_t a3, uint64_t db)
{
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
        WGMMA_NAMES_32
        "}, {%32, %33, %34, %35}, %36, 1, 1, 1, 1;\n"
        : WGMMA_OWN_32(d, 0)
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(db));
}

/* The same, d[64 x 256]. */
__device__ __forceinline__ void wgmma_rs_v256(float (&d)[128], const uint32_t a0, const uint32_t a1,
    const uint32_t a2, const uint32_t a3, uint64_t db)
{
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {"
        WGMMA_NAMES_128
        "}, {%128, %129, %130, %131}, %132, 1, 1, 1, 1;\n"
        : WGMMA_OWN_128(d, 0)
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "l"(db));
}

/* d[64 x 256] = (accumulate ? d : 0) + A * B^T, A and B bf16 and K-major in shared memory. */
__device__ __forceinline__ void wgmma_ss(float (&d)[128], uint64_t da, uint64_t db, int accumulate)
{
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %130, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {"
        WGMMA_NAMES_128
        "}, %128, %129, p, 1, 1, 0, 0;\n}\n"
        : WGMMA_OWN_128(d, 0)
        : "l"(da), "l"(db), "r"(accumulate));
}

/* The same in e4m3. */
__device__ __forceinline__ void wgmma_ss_e4m3(float (&d)[128], uint64_t da, uint64_t db, int accumulate)
{
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %130, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n256k32.f32.e4m3.e4m3 {"
        WGMMA_NAMES_128
        "}, %128, %129, p, 1, 1;\n}\n"
        : WGMMA_OWN_128(d, 0)
        : "l"(da), "l"(db), "r"(accumulate));
}
// clang-format on
#endif
