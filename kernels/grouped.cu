/* Products of experts on Hopper: many matrices of one shape, each times rows of its own, in one launch.
 *
 * nvcc -gencode arch=compute_90a,code=sm_90a -O3 -std=c++17 -I. -c kernels/grouped.cu
 *
 * A persistent grid goes through the tiles of all experts, 128 rows by 256 (or 128) columns. Warpgroup 0
 * has one thread that fills a ring of stages by tensor copies; warpgroups 1 and 2 multiply 64 rows each
 * with the accumulator in registers. How many rows an expert has is known on the device alone: each CTA
 * sums up the tiles of all experts first, then finds the expert of a tile by bisection. Rows beyond an
 * expert's last are multiplied and not stored; where 64 rows or fewer are left, the second half of the
 * tile is neither loaded nor multiplied, so that few tokens an expert cost what their weights cost.
 *
 * Tiles of one expert go down 16 tiles of rows before the next columns: what runs at a time on all SMs then
 * shares rows and weights in L2.
 *
 * The accumulator's rows lie four lanes to 8 columns; lanes trade words so that each stores 16 bytes. Scales of
 * columns are fetched before the products and wait in shared memory: read as they are needed, they took as long
 * as eleven stages of e4m3.
 *
 * With scales of blocks (128 of a row of x, 128 x 128 of W) a stage is a block of k, and each stage's products are
 * summed apart and scaled before they are added up, so that a tile takes two accumulators and 128 columns.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/experts.h"
#include "kernels/hopper.cuh"
#include "kernels/kernels.h"
#include "kernels/launch.cuh"
#include "kernels/wgmma.cuh"

enum {
    ROWS = 128,    /* of a tile */
    HALF = 64,     /* of a warpgroup */
    K_BYTES = 128, /* of a stage: 64 bf16 or 128 e4m3 */
    STEP_BYTES = 32 /* of one product */,
    BAND = 16, /* tiles of rows before the next columns */
    THREADS = 384,
    WARPS = 8, /* that multiply */
    A_BYTES = ROWS * K_BYTES,
    BLOCK_COLUMNS = RC_SCALE_BLOCK /* of a tile under scales of blocks: it has one of W's a stage */
};

template <int Columns> struct ring {
    static const int stages = Columns == 256 ? 4 : 6;
    static const int b_bytes = Columns * K_BYTES, stage_bytes = A_BYTES + b_bytes;
    static const int shared = stages * stage_bytes + 1024;
};

struct grouped_params {
    CUtensorMap x, w;
    __nv_bfloat16 *y;
    const int32_t *first;
    const float *x_scale, *w_scale;
    int64_t scale_stride; /* of x's scales of blocks */
    int n, k_blocks, experts, column_tiles;
};

struct tile_at {
    int expert, row, rows, column; /* rows: left in the expert from `row` on */
};

/* tiles[e]: of all experts before e. The first warp sums. */
__device__ __forceinline__ void count_tiles(const grouped_params &p, int *tiles) {
    int lane = threadIdx.x % 32, sum = 0;
    for (int base = 0; base < p.experts; base += 32) {
        int e = base + lane, mine = 0;
        if (e < p.experts)
            mine = (p.first[e + 1] - p.first[e] + ROWS - 1) / ROWS * p.column_tiles;
        int to = mine;
        for (int d = 1; d < 32; d *= 2) {
            int before = __shfl_up_sync(0xffffffff, to, d);
            to += lane >= d ? before : 0;
        }
        if (e < p.experts)
            tiles[e] = sum + to - mine;
        sum += __shfl_sync(0xffffffff, to, 31);
    }
    if (lane == 0)
        tiles[p.experts] = sum;
}

template <int Columns>
__device__ __forceinline__ tile_at find_tile(const grouped_params &p, const int *tiles, int t) {
    int low = 0, high = p.experts; /* tiles[low] <= t < tiles[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (tiles[middle] <= t)
            low = middle;
        else
            high = middle;
    }
    int begin = p.first[low], count = p.first[low + 1] - begin;
    int in = t - tiles[low], row_tiles = (count + ROWS - 1) / ROWS;
    int band = in / (BAND * p.column_tiles), left = in - band * BAND * p.column_tiles;
    int deep = min(BAND, row_tiles - band * BAND), row = (band * BAND + left % deep) * ROWS;
    return {low, begin + row, count - row, left / deep * Columns};
}

__device__ __forceinline__ void tma_load_2d(uint32_t dst, const CUtensorMap *map, uint32_t bar,
                                            int c0, int c1) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4}], [%2];" ::"r"(dst),
                 "l"(map), "r"(bar), "r"(c0), "r"(c1)
                 : "memory");
}

template <bool Fp8, int Columns>
__device__ __forceinline__ void produce(const grouped_params &p, const int *tiles, uint32_t buffers,
                                        uint32_t full, uint32_t empty) {
    const int elements = Fp8 ? K_BYTES : K_BYTES / 2;
    typedef ring<Columns> r;
    int stage = 0, phase = 1;
    for (int t = blockIdx.x; t < tiles[p.experts]; t += gridDim.x) {
        tile_at at = find_tile<Columns>(p, tiles, t);
        const bool both = at.rows > HALF;
        const int w_row = at.expert * p.n + at.column;
        for (int k = 0; k < p.k_blocks; k++) {
            uint32_t a = buffers + stage * r::stage_bytes, bar = full + 8 * stage;
            mbar_wait(empty + 8 * stage, phase);
            mbar_expect(bar, (both ? A_BYTES : A_BYTES / 2) + r::b_bytes);
            tma_load_2d(a, &p.x, bar, k * elements, at.row);
            if (both)
                tma_load_2d(a + A_BYTES / 2, &p.x, bar, k * elements, at.row + HALF);
            tma_load_2d(a + A_BYTES, &p.w, bar, k * elements, w_row);
            if (++stage == r::stages) {
                stage = 0;
                phase ^= 1;
            }
        }
    }
}

template <bool Fp8, int Columns>
__device__ __forceinline__ void multiply_block(float (&d)[Columns / 2], uint32_t a, uint32_t b,
                                               int accumulate) {
#pragma unroll
    for (int s = 0; s < K_BYTES / STEP_BYTES; s++) {
        uint64_t da = swizzled_desc(a + s * STEP_BYTES, 16, 1024);
        uint64_t db = swizzled_desc(b + s * STEP_BYTES, 16, 1024);
        if (Fp8)
            wgmma_ss_e4m3(d, da, db, accumulate || s > 0);
        else
            wgmma_ss(d, da, db, accumulate || s > 0);
    }
}

/* Of four lanes each holding word j of four rows' worth of columns, lane q gets all words of block q. */
__device__ __forceinline__ uint4 trade(uint32_t v0, uint32_t v1, uint32_t v2, uint32_t v3, int q) {
    bool odd = q & 1, high = q & 2;
    uint32_t got01 = __shfl_xor_sync(0xffffffff, odd ? v0 : v1, 1);
    uint32_t got23 = __shfl_xor_sync(0xffffffff, odd ? v2 : v3, 1);
    uint32_t a0 = odd ? got01 : v0, a1 = odd ? v1 : got01;
    uint32_t a2 = odd ? got23 : v2, a3 = odd ? v3 : got23;
    uint32_t b0 = __shfl_xor_sync(0xffffffff, high ? a0 : a2, 2);
    uint32_t b1 = __shfl_xor_sync(0xffffffff, high ? a1 : a3, 2);
    return high ? make_uint4(b0, b1, a2, a3) : make_uint4(a0, a1, b0, b1);
}

/* Rows of a warp: lane / 4 and 8 more. `scale`: of the tile's columns, in shared memory. */
template <bool Fp8, int Columns>
__device__ __forceinline__ void store_tile(const grouped_params &p, const tile_at &at,
                                           float (&d)[Columns / 2], int row0, const float2 *scale) {
    const int lane = threadIdx.x % 32, q = lane % 4;
    float by[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const int row = row0 + lane / 4 + 8 * h;
        by[h] = Fp8 && row < at.rows ? p.x_scale[at.row + row] : 1.f;
    }
#pragma unroll
    for (int i = 0; i < Columns / 32; i++) {
        float2 s[4];
#pragma unroll
        for (int j = 0; j < 4; j++)
            s[j] = Fp8 ? scale[4 * (4 * i + j) + q] : make_float2(1.f, 1.f);
        const int column = at.column + 8 * (4 * i + q);
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int row = row0 + lane / 4 + 8 * h;
            uint32_t v[4];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                float low = d[4 * (4 * i + j) + 2 * h], high = d[4 * (4 * i + j) + 2 * h + 1];
                if (Fp8) {
                    low *= by[h] * s[j].x;
                    high *= by[h] * s[j].y;
                }
                v[j] = pack_bf16(low, high);
            }
            const uint4 out = trade(v[0], v[1], v[2], v[3], q);
            if (row < at.rows && column < p.n)
                *(uint4 *)(p.y + (int64_t)(at.row + row) * p.n + column) = out;
        }
    }
}

/* Of the tile's columns, two a thread. */
template <int Columns>
__device__ __forceinline__ float2 column_scales(const grouped_params &p, const tile_at &at) {
    const int mine = 2 * (threadIdx.x % 128), c = at.column + mine;
    return mine < Columns && c < p.n
               ? __ldg((const float2 *)(p.w_scale + (int64_t)at.expert * p.n + c))
               : make_float2(0.f, 0.f);
}

template <bool Fp8, int Columns>
__device__ __forceinline__ void consume(const grouped_params &p, const int *tiles, uint32_t buffers,
                                        uint32_t full, uint32_t empty,
                                        float2 (*scales)[2][Columns / 2]) {
    typedef ring<Columns> r;
    const int group = threadIdx.x / 128 - 1, warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
    int stage = 0, phase = 0, turn = 0;
    for (int t = blockIdx.x; t < tiles[p.experts]; t += gridDim.x, turn ^= 1) {
        const tile_at at = find_tile<Columns>(p, tiles, t);
        float d[Columns / 2];
        const bool works = at.rows > group * HALF;
        const float2 scale = Fp8 ? column_scales<Columns>(p, at) : make_float2(0.f, 0.f);
        int before = -1;
        for (int k = 0; k < p.k_blocks; k++) {
            const uint32_t a = buffers + stage * r::stage_bytes;
            mbar_wait(full + 8 * stage, phase);
            if (works) {
                wgmma_fence();
                multiply_block<Fp8, Columns>(d, a + group * (A_BYTES / 2), a + A_BYTES, k > 0);
                wgmma_commit();
                wgmma_wait<1>();
            }
            if (before >= 0 && lane == 0)
                mbar_arrive(empty + 8 * before);
            before = stage;
            if (++stage == r::stages) {
                stage = 0;
                phase ^= 1;
            }
        }
        wgmma_wait<0>();
        pin(d);
        if (lane == 0)
            mbar_arrive(empty + 8 * before);
        float2 *of = scales[group][turn]; /* a warp may still read those of the tile before */
        if (Fp8) {
            if (2 * (threadIdx.x % 128) < Columns)
                of[threadIdx.x % 128] = scale;
            named_sync(1 + group, 128);
        }
        if (works)
            store_tile<Fp8, Columns>(p, at, d, group * HALF + warp * 16, of);
    }
}

/* Scales of blocks, in e4m3: what the tensor cores sum over one stage's 128 elements of k is multiplied by the
 * scales of the rows and of the tile's columns, and added up in registers. One warpgroup does that while the
 * other one multiplies. */
__device__ __forceinline__ void consume_blocks(const grouped_params &p, const int *tiles,
                                               uint32_t buffers, uint32_t full, uint32_t empty) {
    typedef ring<BLOCK_COLUMNS> r;
    const int group = threadIdx.x / 128 - 1, warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
    const int low = group * HALF + warp * 16 + lane / 4, high = low + 8;
    int stage = 0, phase = 0;
    for (int t = blockIdx.x; t < tiles[p.experts]; t += gridDim.x) {
        const tile_at at = find_tile<BLOCK_COLUMNS>(p, tiles, t);
        const bool works = at.rows > group * HALF;
        const float *x_scale = p.x_scale + at.row;
        const float *w_scale =
            p.w_scale +
            (int64_t)(at.expert * p.column_tiles + at.column / BLOCK_COLUMNS) * p.k_blocks;
        float sum[BLOCK_COLUMNS / 2] = {}, part[BLOCK_COLUMNS / 2];
        for (int k = 0; k < p.k_blocks; k++, x_scale += p.scale_stride) {
            const float by = __ldg(w_scale + k);
            const float by_low = low < at.rows ? by * __ldg(x_scale + low) : 0.f;
            const float by_high = high < at.rows ? by * __ldg(x_scale + high) : 0.f;
            const uint32_t a = buffers + stage * r::stage_bytes;
            mbar_wait(full + 8 * stage, phase);
            if (works) {
                wgmma_fence();
                multiply_block<true, BLOCK_COLUMNS>(part, a + group * (A_BYTES / 2), a + A_BYTES,
                                                    0);
                wgmma_commit();
                wgmma_wait<0>();
                pin(part);
            }
            if (lane == 0)
                mbar_arrive(empty + 8 * stage);
            if (works) {
#pragma unroll
                for (int i = 0; i < BLOCK_COLUMNS / 2; i++)
                    sum[i] = fmaf(part[i], i % 4 < 2 ? by_low : by_high, sum[i]);
            }
            if (++stage == r::stages) {
                stage = 0;
                phase ^= 1;
            }
        }
        if (works)
            store_tile<false, BLOCK_COLUMNS>(p, at, sum, group * HALF + warp * 16, nullptr);
    }
}

/* Type: RC_KERNEL_BF16, RC_KERNEL_E4M3 or RC_KERNEL_E4M3_BLOCKS. */
template <int Type, int Columns>
__global__ void __launch_bounds__(THREADS, 1)
    grouped_kernel(const __grid_constant__ grouped_params p) {
    typedef ring<Columns> r;
    extern __shared__ uint8_t dynamic[];
    __shared__ uint64_t barriers[2 * r::stages];
    __shared__ int tiles[RC_EXPERTS_MAX + 1];
    __shared__ float2 scales[2][2][Columns / 2]; /* of each warpgroup that multiplies, by turns */
    const uint32_t buffers = (smem_address(dynamic) + 1023) & ~1023u;
    const uint32_t full = smem_address(barriers), empty = full + 8 * r::stages;
    if (threadIdx.x < 32)
        count_tiles(p, tiles);
    if (threadIdx.x == 32) {
        for (int i = 0; i < r::stages; i++) {
            mbar_init(full + 8 * i, 1);
            mbar_init(empty + 8 * i, WARPS);
        }
        fence_barrier_init();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        registers_down<40>();
        if (threadIdx.x == 0)
            produce<Type != RC_KERNEL_BF16, Columns>(p, tiles, buffers, full, empty);
    } else {
        registers_up<232>();
        if constexpr (Type == RC_KERNEL_E4M3_BLOCKS)
            consume_blocks(p, tiles, buffers, full, empty);
        else
            consume<Type == RC_KERNEL_E4M3, Columns>(p, tiles, buffers, full, empty, scales);
    }
}

/* ---- host ------------------------------------------------------------------------------------- */

static int map_rows(CUtensorMap *map, const void *x, int64_t rows, int64_t k, bool fp8,
                    int box_rows) {
    const cuuint64_t dims[2] = {(cuuint64_t)k, (cuuint64_t)rows};
    const cuuint64_t strides[1] = {(cuuint64_t)k * (fp8 ? 1 : 2)};
    const cuuint32_t box[2] = {(cuuint32_t)(fp8 ? K_BYTES : K_BYTES / 2), (cuuint32_t)box_rows};
    return rc_tensor_map(map, fp8 ? RC_MAP_BYTES_128 : RC_MAP_BF16_128, x, 2, dims, strides, box);
}

/* Rounds of the grid that tiles of so many columns take under an even load, in the time of 128 columns. */
static double rounds(const rc_grouped_args *a, int columns, int sms) {
    int64_t hit = a->rows < a->experts ? a->rows : a->experts, each = (a->rows + hit - 1) / hit;
    int64_t tiles = hit * ((each + ROWS - 1) / ROWS) * ((a->n + columns - 1) / columns);
    double time =
        columns == 256 ? 2.0 : 1.1; /* a narrow tile reads its rows for half the products */
    return (double)((tiles + sms - 1) / sms) * time;
}

template <int Type, int Columns>
static int launch(const rc_grouped_args *a, int sms, cudaStream_t stream) {
    static std::atomic<bool> ready[64];
    const bool fp8 = Type != RC_KERNEL_BF16;
    void (*kernel)(const grouped_params) = grouped_kernel<Type, Columns>;
    int device = 0;
    grouped_params p;
    int e = rc_code_check((const void *)kernel, {90, 90});
    if (e == 0)
        e = (int)cudaGetDevice(&device);
    if (e == 0 && (device >= 64 || !ready[device].load(std::memory_order_relaxed))) {
        e = (int)cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      ring<Columns>::shared);
        if (e == 0 && device < 64)
            ready[device].store(true, std::memory_order_relaxed);
    }
    if (e == 0)
        e = map_rows(&p.x, a->x, a->rows, a->k, fp8, HALF);
    if (e == 0)
        e = map_rows(&p.w, a->w, a->experts * a->n, a->k, fp8, Columns);
    if (e != 0)
        return e;
    p.y = (__nv_bfloat16 *)a->y;
    p.first = a->first;
    p.x_scale = a->x_scale;
    p.w_scale = a->w_scale;
    p.scale_stride = a->scale_stride;
    p.n = (int)a->n;
    p.k_blocks = (int)((a->k * (fp8 ? 1 : 2) + K_BYTES - 1) / K_BYTES);
    p.experts = a->experts;
    p.column_tiles = (int)((a->n + Columns - 1) / Columns);
    kernel<<<sms, THREADS, ring<Columns>::shared, stream>>>(p);
    return (int)cudaGetLastError();
}

static bool sound(const rc_grouped_args *a) {
    const bool blocks = a->dtype == RC_KERNEL_E4M3_BLOCKS;
    const bool fp8 = blocks || a->dtype == RC_KERNEL_E4M3;
    const int64_t element = fp8 ? 1 : 2;
    return a->rows >= 0 && a->rows <= 0x40000000 && a->n >= 8 && a->n % 8 == 0 &&
           a->n <= 0x1000000 && a->k >= 1 && a->k <= 0x1000000 && a->k * element % 16 == 0 &&
           a->experts >= 1 && a->experts <= RC_EXPERTS_MAX && a->n * a->experts <= 0x7fffffff &&
           a->sms >= 0 && (a->dtype == RC_KERNEL_BF16 || fp8) &&
           (!blocks || a->scale_stride >= a->rows);
}

extern "C" int rc_grouped_gemm(const rc_grouped_args *a, void *stream) {
    if (!sound(a))
        return RC_KERNEL_EINVAL;
    if (a->rows == 0)
        return 0;
    int sms = rc_sm_count();
    if (a->sms > 0 && a->sms < sms)
        sms = a->sms;
    const bool wide = rounds(a, 256, sms) <= rounds(a, 128, sms);
    cudaStream_t s = (cudaStream_t)stream;
    if (a->dtype == RC_KERNEL_E4M3_BLOCKS)
        return launch<RC_KERNEL_E4M3_BLOCKS, BLOCK_COLUMNS>(a, sms, s);
    if (a->dtype == RC_KERNEL_E4M3)
        return wide ? launch<RC_KERNEL_E4M3, 256>(a, sms, s)
                    : launch<RC_KERNEL_E4M3, 128>(a, sms, s);
    return wide ? launch<RC_KERNEL_BF16, 256>(a, sms, s) : launch<RC_KERNEL_BF16, 128>(a, sms, s);
}
