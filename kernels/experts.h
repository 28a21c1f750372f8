/* The kernels of a layer of experts: products of many matrices in one launch, the choice of experts, and
 * the moving of rows to where their expert finds them and back. Behind plain C; kernels.h says what holds
 * for all kernels.
 *
 * A token goes to `top_k` of `experts` experts. A row is a pair of a token and an expert; rows of one
 * expert lie together, those of expert e from first[e] to first[e + 1] - 1. place[token][j] is the row of
 * a token's j-th expert, or -1 where that expert is on another GPU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KERNELS_EXPERTS_H
#define RC_KERNELS_EXPERTS_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { RC_EXPERTS_MAX = 512, RC_EXPERTS_TOP_K_MAX = 16, RC_EXPERTS_GROUPS_MAX = 32 };

/* ---- products: y[row] = W[e] x[row] for the rows of each expert e ----------------------------- */
typedef struct rc_grouped_args {
    const void *x;        /* [rows][k] of `dtype` */
    const void *w;        /* [experts][n][k] of `dtype` */
    void *y;              /* [rows][n] bf16 */
    const int32_t *first; /* [experts + 1] on the device; ascends from 0 to at most `rows` */
    const float
        *x_scale; /* e4m3: [rows]; of blocks: [k / 128][scale_stride], of which `rows` count */
    const float
        *w_scale; /* e4m3: [experts][n]; of blocks: [experts][n / 128][k / 128]; both rounded up */
    int64_t rows, n, k;   /* n a multiple of 8, a row of k elements of 16 bytes */
    int experts;          /* 1 to RC_EXPERTS_MAX */
    int dtype;            /* RC_KERNEL_BF16, RC_KERNEL_E4M3 or RC_KERNEL_E4M3_BLOCKS */
    int sms;              /* launch on at most this many SMs; 0 = all */
    int64_t scale_stride; /* of blocks: at least `rows` */
} rc_grouped_args;
/* Hopper alone. fp32 accumulation; e4m3 in the tensor cores' own accumulator, scales at the end. Rows
 * behind first[experts] are not written. With scales of blocks the tensor cores sum 128 products, and the sums of
 * blocks, scaled, are added in fp32. */
int rc_grouped_gemm(const rc_grouped_args *a, void *stream);
/* fp64 on the CPU, of n_rows rows of y alone: rows[i], of the expert expert[i]; out [n_rows][n]. Operands as
 * float, scaled. */
void rc_grouped_reference(const float *x, const float *w, const int64_t *rows, const int *expert,
                          int64_t n_rows, int64_t n, int64_t k, double *out);

/* ---- the choice of experts ------------------------------------------------------------------- */
typedef struct rc_route_args {
    const float *logits; /* [tokens][experts] */
    const float
        *bias; /* [experts], added to the scores that choose, not to the weights; NULL: none */
    int32_t *chosen;    /* [tokens][top_k], out: experts by falling score */
    float *weight;      /* [tokens][top_k], out */
    int32_t *place;     /* [tokens][top_k], out */
    int32_t *first;     /* [here + 1], out */
    void *workspace;    /* rc_route_workspace bytes */
    int64_t tokens;     /* 1 to 2^24 */
    int experts, top_k; /* top_k <= experts and RC_EXPERTS_TOP_K_MAX */
    int groups,
        kept; /* only experts of the `kept` best of so many equal groups are chosen, a group being
                            as good as its two best experts together; groups 0 or 1: of all */
    int sigmoid;    /* scores are sigmoids; else a softmax over all experts */
    int normalise;  /* the weights of a token sum to `scale`; else they are scores times `scale` */
    float scale;    /* 0 = 1 */
    int from, here; /* rows are made for experts from .. from + here - 1; here 0: for all */
} rc_route_args;
size_t rc_route_workspace(const rc_route_args *a);
/* Of equal scores the lower expert is taken. Rows of an expert are in the order of their tokens, so equal
 * input gives equal bytes. */
int rc_route(const rc_route_args *a, void *stream);
/* The same on the CPU over host memory, in double; the workspace is not used. `margin` (tokens, may be NULL):
 * the least lead of a score taken over the next, groups included. */
void rc_route_reference(const rc_route_args *a, double *margin);

/* ---- rows to their experts and back ------------------------------------------------------------ */
/* out[place[t][j]] = x[t]; bf16, d a multiple of 8 up to 16384. With `scale` the rows are e4m3, one scale a
 * row, as rc_quantize_fp8 makes them. */
int rc_permute(const void *x, const int32_t *place, void *out, float *scale, int64_t tokens,
               int top_k, int64_t d, void *stream);
/* The same to e4m3 with one scale for each 128 elements of a row, as rc_quantize_fp8_blocks makes them;
 * `stride` is at least the rows. */
int rc_permute_blocks(const void *x, const int32_t *place, void *out, float *scale, int64_t stride,
                      int64_t tokens, int top_k, int64_t d, void *stream);
/* y[t] = sum over j of weight[t][j] * z[place[t][j]], in fp32, rows without a place left out. */
int rc_unpermute(const void *z, const int32_t *place, const float *weight, void *y, int64_t tokens,
                 int top_k, int64_t d, void *stream);

#ifdef __cplusplus
}
#endif
#endif
