/* The CUDA kernels, behind plain C. One header for shapes, errors and ownership; one .cu file a
 * kernel.
 *
 * All pointers are device pointers owned by the caller; bf16 tensors are `void *`. Everything is
 * asynchronous on `stream` (a cudaStream_t passed as void * so that C needs no CUDA header).
 * Nothing is allocated inside a launch: where a kernel needs scratch, a ..._workspace function says
 * how many bytes. Return value: 0, or a cudaError_t, or RC_KERNEL_EINVAL for a shape that the
 * kernel does not take, or RC_KERNEL_ECAPABILITY on a GPU that it does not run on.
 *
 * Attention layout (token-major): Q [Tq][Hq][128], K and V [Tk][Hkv][128], O [Tq][Hq][128] bf16,
 * LSE [Tq][Hq] float, natural log; Hq % Hkv == 0. Strides are those of dense tensors.
 * e4m3: Q and K as above, a byte an element; V in blocks of 128 keys,
 * [ceil(Tk/128)][Hkv][128][128], where byte 16 g + 4 q + i of a column holds key 16 g + 2 q + i (i
 * < 2) or 16 g + 6 + 2 q + i (i
 * >= 2) of the block: the order in which the tensor cores hand out scores, so that no kernel has to
 * transpose or shuffle. rc_kv_fp8 and rc_rotary_kv_fp8 write it. What lies behind a sequence's last
 * key, in its last block too, may be anything for attention; decode wants no NaN in a block begun.
 * One scale a tensor: x = scale * x8. Causal is bottom-right aligned: query i sees keys j <= i +
 * (Tk - Tq). A row that sees no key has O = 0 and LSE = -inf.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KERNELS_H
#define RC_KERNELS_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define RC_KERNEL_EINVAL (-1)
/* The GPU lacks the instructions: capability.h says what a family needs. */
#define RC_KERNEL_ECAPABILITY (-2)
/* Version string of a kernel family, recorded with each measured row: "attention-1". */
const char *
rc_kernel_version(const char *family); /* attention decode mla merge elementwise; else NULL */

/* Tokens of a page of keys and values (bf16, heads of 128) that a table leads to. */
enum { RC_KV_PAGE = 128 };

/* ---- prefill attention ---------------------------------------------------------------- */
enum { RC_KERNEL_BF16 = 0, RC_KERNEL_E4M3 = 1, RC_KERNEL_E4M3_BLOCKS = 2 /* products alone */ };
/* Elements that share a scale in E4M3_BLOCKS: 128 of a row of x, 128 x 128 of W. */
enum { RC_SCALE_BLOCK = 128 };
enum { RC_ATTN_MAX_SEQS = 128, RC_ATTN_TICKET_BYTES = 8 };

typedef struct rc_attn_args {
    const void *q, *k, *v;           /* of `dtype` */
    void *o;                         /* bf16 */
    float *lse;                      /* may be NULL */
    int64_t tq, tk;                  /* >= 1 and >= 0 */
    int hq, hkv;                     /* heads on this GPU; group = hq / hkv <= 16 */
    int causal;                      /* 0 or 1, bottom-right */
    float scale;                     /* softmax scale; 0 = 1/sqrt(columns of a key) */
    int sms;                         /* launch on at most this many SMs; 0 = all */
    int splits;                      /* KV splits of every row tile, at most 128; 0 = choose */
    void *workspace;                 /* rc_attn_workspace bytes, or NULL when that is 0 */
    int dtype;                       /* RC_KERNEL_BF16 or RC_KERNEL_E4M3 */
    float q_scale, k_scale, v_scale; /* e4m3; 0 = 1 */
    /* A batch: sequence i has q_len[i] queries from row q_start[i] of Q (and O and LSE), and
     * k_len[i] keys from row k_start[i] of K and V (e4m3: a multiple of 128); host arrays, read
     * during the call. Ranges may leave gaps (half of a CP rank's keys) but those of Q may not
     * overlap. Rows of no sequence are not written. seqs 0: one sequence, all of Q and K; else tq
     * and tk are the rows of the tensors. At most RC_ATTN_MAX_SEQS. */
    int seqs;
    const int32_t *q_start, *q_len, *k_start, *k_len;
    /* Two counters of tiles handed out, RC_ATTN_TICKET_BYTES of device memory that are zero before
     * the first launch; each launch leaves them zero, so launches that may overlap need counters of
     * their own. With them an SM takes its next tile when it is done with one, so that SMs held by
     * other kernels cost only their share. NULL: every SM has its tiles fixed beforehand. */
    void *tickets;
    /* 1: other kernels may hold SMs when this one starts (NCCL's), so that no tile is fixed
     * beforehand. Needs `tickets`. */
    int share;
    /* Columns of queries and keys, and of values and O. 0: 128, and as the keys have (192: 128). In bf16 also
     * 64, 256, and 192 with 128, which the layouts above then have for their 128. */
    int head_k, head_v;
    /* Keys and values in pages: K and V are [pages][RC_KV_PAGE][hkv][128], tk the rows of all pages,
     * and k_start[i] is the place in `table` (device, read by the launch) from which the pages of
     * sequence i follow. Causal, bf16, heads of 128, seqs at least 1. NULL: no pages. */
    const int32_t *table;
} rc_attn_args;
size_t rc_attn_workspace(const rc_attn_args *a);
int rc_attn_forward(const rc_attn_args *a, void *stream);
double rc_attn_pairs(int64_t tq, int64_t tk, int causal); /* (query, key) pairs that are visible */
double rc_attn_flops(int64_t tq, int64_t tk, int hq, int causal); /* 4*128*hq*pairs: heads of 128 */
double rc_attn_bytes(int64_t tq, int64_t tk, int hq, int hkv); /* each tensor once; heads of 128 */
/* fp64 on the CPU over host copies given as float (already rounded to bf16). o, lse: double. */
void rc_attn_reference(const float *q, const float *k, const float *v, double *o, double *lse,
                       int64_t tq, int64_t tk, int hq, int hkv, int causal, double scale);
/* The same for n rows only: rows[i] = token * hq + head, o [n][128], lse [n]. 0, or
 * RC_KERNEL_EINVAL when memory runs out. */
int rc_attn_reference_rows(const float *q, const float *k, const float *v, double *o, double *lse,
                           const int64_t *rows, int64_t n, int64_t tq, int64_t tk, int hq, int hkv,
                           int causal, double scale);
/* The same of heads of other sizes: q [..][head_k], k [tk][hkv][head_k], v [tk][hkv][head_v], o [n][head_v]. */
int rc_attn_reference_heads(const float *q, const float *k, const float *v, double *o, double *lse,
                            const int64_t *rows, int64_t n, int64_t tq, int64_t tk, int hq, int hkv,
                            int head_k, int head_v, int causal, double scale);

/* ---- decode attention: one query token per sequence, split-KV, then combine ------------- */
typedef struct rc_decode_args {
    const void *q;       /* [batch][hq][128] bf16 */
    const void *k, *v;   /* [batch][max_len][hkv][128] bf16 */
    const int32_t *lens; /* [batch] device; each 0..max_len */
    void *o;             /* [batch][hq][128] bf16 */
    float *lse;          /* [batch][hq]; may be NULL */
    int batch;
    int64_t max_len;
    int hq, hkv;
    float scale; /* 0 = 1/sqrt(columns of a key) */
    int splits;  /* at most 512; 0 = choose */
    void *workspace;
    int dtype; /* RC_KERNEL_BF16 or RC_KERNEL_E4M3; of q, k, v (v in blocks, ceil(max_len/128) a
                  sequence) */
    float q_scale, k_scale, v_scale; /* e4m3; 0 = 1 */
    int sms;                         /* launch on at most this many SMs; 0 = all */
    int head_k, head_v;              /* as in rc_attn_args */
    /* K and V in pages, as in rc_attn_args: those of sequence b from table[b * table_stride] on.
     * max_len then only bounds the lengths, and `lens` and `splits` are not looked at: the keys are
     * cut as rc_decode_deal (deal_plan.h) has dealt them, `pieces` [room] and `first` [batch] on
     * the device, `room` at least the batch. The kernel in front must write none of these: what they
     * lead to is asked for while that kernel still runs. NULL: no pages. */
    const int32_t *table;
    int64_t table_stride;
    const struct rc_decode_piece *pieces;
    const int32_t *first;
    int64_t room;
} rc_decode_args;
size_t rc_decode_workspace(const rc_decode_args *a);
int rc_decode_forward(const rc_decode_args *a, void *stream);

/* ---- decode attention over latents (MLA, absorbed) --------------------------------------- */
/* One query token a sequence, all heads on one stream of keys: a key is 576 numbers, its value the
 * first 512 of them. Q is what W_UK has made of the heads' queries, beside their rotary parts. */
typedef struct rc_mla_args {
    const void *q;       /* [batch][heads][576] bf16 */
    const void *kv;      /* [batch][max_len][576] bf16 */
    const int32_t *lens; /* [batch] device; each 0..max_len */
    void *o;             /* [batch][heads][512] bf16 */
    float *lse;          /* [batch][heads]; may be NULL */
    int batch;
    int64_t max_len; /* batch * max_len < 2^31 */
    int heads;       /* 8, 16, ... 64, or a multiple of 64 */
    float scale;     /* 0 = 1/sqrt(192) */
    int splits;      /* at most 256; 0 = choose */
    void *workspace; /* rc_mla_workspace bytes, or NULL when that is 0 */
    int sms;         /* launch on at most this many SMs; 0 = all */
} rc_mla_args;
size_t rc_mla_workspace(const rc_mla_args *a);
int rc_mla_decode(const rc_mla_args *a, void *stream);
double rc_mla_flops(int64_t keys, int heads); /* 2 (576 + 512) a head and key */
/* fp64 on the CPU for n rows of one sequence of `keys` keys; q [n][576], kv [keys][576], o [n][512], lse [n].
 * 0, or RC_KERNEL_EINVAL when memory runs out. */
int rc_mla_reference(const float *q, const float *kv, double *o, double *lse, int64_t n,
                     int64_t keys, double scale);

/* ---- merge of n partial outputs by log-sum-exp ------------------------------------------ */
/* o_part: n pointers (host array) to bf16 [rows][128]; lse_part: n pointers to float [rows];
 * o bf16 [rows][128], lse float [rows] or NULL. fp32 accumulation. n in 1..64. On at most `sms`
 * SMs' worth of CTAs; 0 = all. */
int rc_merge(const void *const *o_part, const float *const *lse_part, int n, int64_t rows, void *o,
             float *lse, int sms, void *stream);
/* One part more, as a ring step has it: acc (fp32, [rows][128], normalised) and acc_lse take in
 * o_part and lse_part. `first`: they are not read. With `o` the sum goes there (bf16, and lse
 * unless NULL) and acc and acc_lse are left as they are. On at most `sms` SMs' worth of CTAs; 0 =
 * all. Bytes a row: 260, and 516 for each reading or writing of acc, and 260 for o. */
int rc_merge_step(const void *o_part, const float *lse_part, int64_t rows, int first, float *acc,
                  float *acc_lse, void *o, float *lse, int sms, void *stream);
void rc_merge_reference(const float *const *o_part, const float *const *lse_part, int n,
                        int64_t rows, double *o, double *lse);

/* ---- elementwise, fused as engines fuse them --------------------------------------------- */
/* Row lengths d and f are multiples of 8; the norms take d up to 32768. An all-zero row has fp8
 * scale 0. */
/* residual += x (x may be NULL); y = rmsnorm(residual) * w. bf16, [t][d]. */
int rc_rmsnorm(void *residual, const void *x, const void *w, void *y, int64_t t, int d, float eps,
               void *stream);
/* The same, y quantised to e4m3 with one float scale a row. */
int rc_rmsnorm_fp8(void *residual, const void *x, const void *w, void *y8, float *scale, int64_t t,
                   int d, float eps, void *stream);
/* Rotary (half-split pairs, base theta) in place on the q and k parts of a packed QKV
 * [t][hq+2*hkv][128]; q goes to q_out [t][hq][128], k and v to the cache at row pos0. */
int rc_rotary_kv(const void *qkv, void *q_out, void *k_cache, void *v_cache, int64_t t,
                 int64_t pos0, int hq, int hkv, float theta, void *stream);
/* The same for tokens of many sequences: token i is at positions[i], and its key and value go to row
 * slots[i] of the pages (page * RC_KV_PAGE + place in it), or nowhere when that is below 0. Both
 * arrays are on the device. */
int rc_rotary_paged(const void *qkv, void *q_out, void *k_pages, void *v_pages,
                    const int32_t *positions, const int32_t *slots, int64_t t, int hq, int hkv,
                    float theta, void *stream);
/* The same to e4m3: q8 [t][hq][128], K and V caches in the layouts above; x8 = x / scale,
 * saturating. V's blocks must be zero (or hold older keys) beforehand: only the t rows are written.
 */
int rc_rotary_kv_fp8(const void *qkv, void *q8, void *k8_cache, void *v8_cache, int64_t t,
                     int64_t pos0, int hq, int hkv, float theta, float q_scale, float k_scale,
                     float v_scale, void *stream);
/* bf16 K and V [t][hkv][128] into rows pos0.. of e4m3 caches, without rotation. */
int rc_kv_fp8(const void *k, const void *v, void *k8_cache, void *v8_cache, int64_t t, int64_t pos0,
              int hkv, float k_scale, float v_scale, void *stream);
/* y = silu(gate) * up from packed [t][2*f] (gate first), bf16 -> bf16 [t][f]. */
int rc_swiglu(const void *gate_up, void *y, int64_t t, int f, void *stream);
/* The same, quantised to e4m3 with one float scale a row. */
int rc_swiglu_fp8(const void *gate_up, void *y8, float *scale, int64_t t, int f, void *stream);
/* Row-wise e4m3 quantisation: scale[row] = max|x| / 448. */
int rc_quantize_fp8(const void *x, void *y8, float *scale, int64_t t, int d, void *stream);
/* The same with one float scale for each 128 elements of a row: those of block b of row r at
 * scale[b * stride + r], as products with scales of blocks take them; stride >= t. */
int rc_quantize_fp8_blocks(const void *x, void *y8, float *scale, int64_t stride, int64_t t, int d,
                           void *stream);
int rc_swiglu_fp8_blocks(const void *gate_up, void *y8, float *scale, int64_t stride, int64_t t,
                         int f, void *stream);
/* x += y, bf16, n elements (n % 8 == 0). */
int rc_residual_add(void *x, const void *y, int64_t n, void *stream);
/* y[i] = x[rows[i]], rows of d bf16 numbers (d % 8 == 0); rows[n] on the device. */
int rc_gather_rows(const void *x, const int32_t *rows, void *y, int64_t n, int d, void *stream);
/* Fill with standard normal numbers (Philox-like counter hash), bf16. */
int rc_fill_normal(void *x, int64_t n, uint64_t seed, float sigma, void *stream);
/* Write `value` bytes over a scrub buffer to evict L2. */
int rc_scrub(void *buf, size_t bytes, void *stream);

#ifdef __cplusplus
}
#endif
#endif
