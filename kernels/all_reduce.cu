/* One-shot and two-shot all-reduce through peer memory, without barriers.
 *
 * nvcc -gencode arch=compute_90,code=sm_90 -O3 -std=c++17 -I. -c kernels/all_reduce.cu
 *
 * A buffer has a state and three generations, which calls use in turn. In a call a rank writes into the
 * others' generation k and reads what they wrote into its own, word by word, until no word is EMPTY. It
 * clears its generation k - 1, all of which it had read by the end of the call before. A rank ends call k when
 * it has the data of all others, so none is more than one call ahead of another: while this rank is in call k
 * the others write generations k and k + 1, and none is written that is being cleared.
 *
 * One-shot, of generation k: [from rank][vector]. Two-shot: parts of the other ranks [from rank][vector],
 * then sums [vector]. A vector is 16 bytes; its words arrive one by one.
 *
 * CTAs wait for those of other ranks with the same vectors, which begin in the same order; a grid is no larger
 * than what fits on the GPU at once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/all_reduce.h"
#include "kernels/kernels.h"
#include "kernels/launch.cuh"
#include "kernels/vec.cuh"

enum { THREADS = 512, MOST_CTAS = 96, GENERATIONS = 3 };
static const uint32_t EMPTY = 0x80008000u; /* (-0, -0) */
static const size_t STATE_BYTES = 1024;

/* At the start of a buffer; of its own rank alone. */
struct reduce_state {
    unsigned calls, used; /* calls so far; vectors of the last one's generation */
    unsigned ended;       /* CTAs of this call that are done */
};

struct reduce_params {
    const uint4 *x;
    uint4 *y;
    uint8_t *buffer[RC_ALL_REDUCE_RANKS];
    int64_t generation; /* vectors of one */
    int vectors, part;  /* of the message; of a rank's part */
    int rank, ranks;
};

__device__ __forceinline__ uint32_t not_empty(uint32_t x) {
    return x == EMPTY ? 0 : x;
}

__device__ __forceinline__ uint4 not_empty(uint4 v) {
    return make_uint4(not_empty(v.x), not_empty(v.y), not_empty(v.z), not_empty(v.w));
}

__device__ __forceinline__ void send(uint4 *to, uint4 v) {
    asm volatile("st.volatile.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(v.x), "r"(v.y),
                 "r"(v.z), "r"(v.w)
                 : "memory");
}

__device__ __forceinline__ uint4 look(const uint4 *at) {
    uint4 v;
    asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(at)
                 : "memory");
    return v;
}

__device__ __forceinline__ bool arrived(uint4 v) {
    return v.x != EMPTY && v.y != EMPTY && v.z != EMPTY && v.w != EMPTY;
}

__device__ __forceinline__ uint4 receive(const uint4 *at) {
    uint4 v;
    do
        v = look(at);
    while (!arrived(v));
    return v;
}

__device__ __forceinline__ uint4 *generation_of(const reduce_params &p, int rank, unsigned call) {
    return (uint4 *)(p.buffer[rank] + STATE_BYTES) + (call % GENERATIONS) * p.generation;
}

/* Sum over the ranks of vector v of own data and of what lies at from[rank * stride]. */
template <int Ranks>
__device__ __forceinline__ uint4 sum(const reduce_params &p, uint4 own, const uint4 *from,
                                     int64_t stride) {
    uint4 got[Ranks];
    float total[8] = {}, v[8];
#pragma unroll
    for (int r = 0; r < Ranks; r++)
        got[r] = r == p.rank ? own : look(from + r * stride);
#pragma unroll
    for (int r = 0; r < Ranks; r++) {
        if (r != p.rank && !arrived(got[r]))
            got[r] = receive(from + r * stride);
        unpack8(got[r], v);
#pragma unroll
        for (int e = 0; e < 8; e++)
            total[e] += v[e];
    }
    return pack8(total);
}

/* What a call before left in its generation; `used` vectors. */
__device__ __forceinline__ void clear(const reduce_params &p, unsigned call, unsigned used, int at,
                                      int step) {
    uint4 *old = generation_of(p, p.rank, call + GENERATIONS - 1);
    for (unsigned i = at; i < used; i += step)
        old[i] = make_uint4(EMPTY, EMPTY, EMPTY, EMPTY);
}

template <int Ranks>
__device__ __forceinline__ void one_shot(const reduce_params &p, unsigned call, unsigned used,
                                         int at, int step) {
    uint4 *own = generation_of(p, p.rank, call);
#pragma unroll 4
    for (int v = at; v < p.vectors; v += step) {
        const uint4 x = not_empty(p.x[v]);
#pragma unroll
        for (int i = 1; i < Ranks; i++) {
            const int r = (p.rank + i) % Ranks;
            send(generation_of(p, r, call) + (int64_t)p.rank * p.vectors + v, x);
        }
    }
    clear(p, call, used, at, step);
#pragma unroll 2
    for (int v = at; v < p.vectors; v += step)
        p.y[v] = sum<Ranks>(p, not_empty(p.x[v]), own + v, p.vectors);
}

template <int Ranks>
__device__ __forceinline__ void two_shot(const reduce_params &p, unsigned call, unsigned used,
                                         int at, int step) {
    uint4 *own = generation_of(p, p.rank, call);
    const int64_t sums = (int64_t)Ranks * p.part;
#pragma unroll
    for (int i = 1; i < Ranks; i++) {
        const int r = (p.rank + i) % Ranks, left = min(p.part, p.vectors - r * p.part);
        uint4 *to = generation_of(p, r, call) + (int64_t)p.rank * p.part;
#pragma unroll 4
        for (int v = at; v < left; v += step)
            send(to + v, not_empty(p.x[r * p.part + v]));
    }
    clear(p, call, used, at, step);
    const int mine = min(p.part, p.vectors - p.rank * p.part);
#pragma unroll 2
    for (int v = at; v < mine; v += step) {
        const int whole = p.rank * p.part + v;
        const uint4 s = not_empty(sum<Ranks>(p, not_empty(p.x[whole]), own + v, p.part));
#pragma unroll
        for (int i = 1; i < Ranks; i++)
            send(generation_of(p, (p.rank + i) % Ranks, call) + sums + whole, s);
        p.y[whole] = s;
    }
#pragma unroll
    for (int i = 1; i < Ranks; i++) {
        const int r = (p.rank + i) % Ranks, left = min(p.part, p.vectors - r * p.part);
#pragma unroll 4
        for (int v = at; v < left; v += step)
            p.y[r * p.part + v] = receive(own + sums + r * p.part + v);
    }
}

template <int Ranks, bool Two>
__global__ void __launch_bounds__(THREADS)
    all_reduce_kernel(const __grid_constant__ reduce_params p) {
    reduce_state *state = (reduce_state *)p.buffer[p.rank];
    const unsigned call = *(volatile unsigned *)&state->calls,
                   used = *(volatile unsigned *)&state->used;
    const int at = blockIdx.x * THREADS + threadIdx.x, step = gridDim.x * THREADS;
    if (Two)
        two_shot<Ranks>(p, call, used, at, step);
    else
        one_shot<Ranks>(p, call, used, at, step);
    __syncthreads();
    if (threadIdx.x == 0 && atomicAdd(&state->ended, 1) == gridDim.x - 1) {
        state->ended = 0;
        state->used = Two ? 2 * Ranks * p.part : Ranks * p.vectors;
        state->calls = call + 1;
    }
}

/* ---- host ------------------------------------------------------------------------------------- */

static int64_t generation_vectors(int ranks, int64_t most) {
    int64_t vectors = (most + 7) / 8, part = (vectors + ranks - 1) / ranks;
    return 2 * part * ranks > vectors * ranks ? 2 * part * ranks : vectors * ranks;
}

extern "C" size_t rc_all_reduce_buffer(int ranks, int64_t most) {
    return STATE_BYTES + 16 * GENERATIONS * (size_t)generation_vectors(ranks, most);
}

__global__ void __launch_bounds__(THREADS)
    prepare_kernel(uint4 *generations, int64_t vectors, reduce_state *state) {
    const int64_t step = (int64_t)gridDim.x * THREADS;
    for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < vectors; i += step)
        generations[i] = make_uint4(EMPTY, EMPTY, EMPTY, EMPTY);
    if (blockIdx.x == 0 && threadIdx.x == 0)
        *state = {};
}

static bool buffers_sound(int ranks, int64_t most) {
    return ranks >= 2 && ranks <= RC_ALL_REDUCE_RANKS && most >= 8 && most <= (int64_t)1 << 28;
}

extern "C" int rc_all_reduce_prepare(void *buffer, int ranks, int64_t most, void *stream) {
    if (!buffers_sound(ranks, most) || !buffer)
        return RC_KERNEL_EINVAL;
    prepare_kernel<<<MOST_CTAS, THREADS, 0, (cudaStream_t)stream>>>(
        (uint4 *)((uint8_t *)buffer + STATE_BYTES), GENERATIONS * generation_vectors(ranks, most),
        (reduce_state *)buffer);
    return (int)cudaGetLastError();
}

template <bool Two> static void (*kernel_of(int ranks))(const reduce_params) {
    switch (ranks) {
    case 2:
        return all_reduce_kernel<2, Two>;
    case 3:
        return all_reduce_kernel<3, Two>;
    case 4:
        return all_reduce_kernel<4, Two>;
    case 5:
        return all_reduce_kernel<5, Two>;
    case 6:
        return all_reduce_kernel<6, Two>;
    case 7:
        return all_reduce_kernel<7, Two>;
    default:
        return all_reduce_kernel<8, Two>;
    }
}

extern "C" int rc_all_reduce(const rc_all_reduce_args *a, void *stream) {
    if (!buffers_sound(a->ranks, a->most) || a->n < 0 || a->n % 8 || a->n > a->most ||
        a->rank < 0 || a->rank >= a->ranks || a->ctas < 0 || !a->buffer)
        return RC_KERNEL_EINVAL;
    if (a->n == 0)
        return 0;
    reduce_params p;
    p.x = (const uint4 *)a->x;
    p.y = (uint4 *)a->y;
    for (int r = 0; r < a->ranks; r++)
        p.buffer[r] = (uint8_t *)a->buffer[r];
    p.generation = generation_vectors(a->ranks, a->most);
    p.vectors = (int)(a->n / 8);
    p.part = (p.vectors + a->ranks - 1) / a->ranks;
    p.rank = a->rank;
    p.ranks = a->ranks;
    const int busy = a->two_shot ? p.part : p.vectors, most = a->ctas ? a->ctas : MOST_CTAS;
    int ctas = (busy + THREADS - 1) / THREADS, sms = rc_sm_count();
    ctas = ctas < most ? ctas : most;
    ctas = ctas < sms ? ctas : sms;
    auto kernel = a->two_shot ? kernel_of<true>(a->ranks) : kernel_of<false>(a->ranks);
    kernel<<<ctas, THREADS, 0, (cudaStream_t)stream>>>(p);
    return (int)cudaGetLastError();
}
