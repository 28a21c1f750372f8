/* References in double precision on the CPU, for the tests: slow, plain, and independent of the
 * kernels.
 *
 * Inputs are host copies as float, already rounded to bf16. The row form lets a test check a sample
 * of the rows of a shape whose full answer would take minutes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { D = 128 }; /* of a head; of latents it is stated */

/* Visible keys of a query: [0, count). */
static int64_t visible_keys(int64_t token, int64_t tq, int64_t tk, int causal) {
    int64_t n = causal ? token + 1 + (tk - tq) : tk;
    return n < 0 ? 0 : n > tk ? tk : n;
}

/* Keys and values of one head: the first of each, from one to the next, and their sizes. */
typedef struct head_rows {
    const float *k, *v;
    int64_t key_stride, value_stride;
    int key_size, value_size;
} head_rows;

/* One (token, head) row in two passes over the keys: scores and their maximum, then weights and
 * values. */
static int one_row(const float *q, const head_rows *of, double *o, double *lse, int64_t keys,
                   double scale) {
    memset(o, 0, (size_t)of->value_size * sizeof *o);
    *lse = -INFINITY;
    if (keys == 0)
        return 0;
    double *score = malloc((size_t)keys * sizeof *score);
    if (!score)
        return RC_KERNEL_EINVAL;
    double top = -INFINITY, sum = 0;
    for (int64_t j = 0; j < keys; j++) {
        const float *kj = of->k + j * of->key_stride;
        double part[4] = {0, 0, 0, 0};
        for (int d = 0; d < of->key_size; d += 4)
            for (int e = 0; e < 4; e++)
                part[e] += (double)q[d + e] * (double)kj[d + e];
        score[j] = scale * ((part[0] + part[1]) + (part[2] + part[3]));
        top = score[j] > top ? score[j] : top;
    }
    for (int64_t j = 0; j < keys; j++) {
        const float *vj = of->v + j * of->value_stride;
        double w = exp(score[j] - top);
        sum += w;
        for (int d = 0; d < of->value_size; d++)
            o[d] += w * (double)vj[d];
    }
    for (int d = 0; d < of->value_size; d++)
        o[d] /= sum;
    /* cppcheck-suppress invalidFunctionArg ; a row without keys returned above */
    *lse = top + log(sum);
    free(score);
    return 0;
}

int rc_attn_reference_heads(const float *q, const float *k, const float *v, double *o, double *lse,
                            const int64_t *rows, int64_t n, int64_t tq, int64_t tk, int hq, int hkv,
                            int head_k, int head_v, int causal, double scale) {
    if (!(scale > 0))
        scale = 1.0 / sqrt((double)head_k);
    for (int64_t i = 0; i < n; i++) {
        int64_t token = rows[i] / hq, head = rows[i] % hq, kv = head / (hq / hkv);
        head_rows of = {k + kv * head_k,       v + kv * head_v, (int64_t)hkv * head_k,
                        (int64_t)hkv * head_v, head_k,          head_v};
        int e = one_row(q + rows[i] * head_k, &of, o + i * head_v, lse + i,
                        visible_keys(token, tq, tk, causal), scale);
        if (e)
            return e;
    }
    return 0;
}

int rc_attn_reference_rows(const float *q, const float *k, const float *v, double *o, double *lse,
                           const int64_t *rows, int64_t n, int64_t tq, int64_t tk, int hq, int hkv,
                           int causal, double scale) {
    return rc_attn_reference_heads(q, k, v, o, lse, rows, n, tq, tk, hq, hkv, D, D, causal, scale);
}

void rc_attn_reference(const float *q, const float *k, const float *v, double *o, double *lse,
                       int64_t tq, int64_t tk, int hq, int hkv, int causal, double scale) {
    for (int64_t row = 0; row < tq * hq; row++)
        (void)rc_attn_reference_rows(q, k, v, o + row * D, lse + row, &row, 1, tq, tk, hq, hkv,
                                     causal, scale);
}

int rc_mla_reference(const float *q, const float *kv, double *o, double *lse, int64_t n,
                     int64_t keys, double scale) {
    if (!(scale > 0))
        scale = 1.0 / sqrt(192.0);
    head_rows of = {kv, kv, 576, 576, 576, 512};
    for (int64_t i = 0; i < n; i++)
        if (one_row(q + i * 576, &of, o + i * 512, lse + i, keys, scale))
            return RC_KERNEL_EINVAL;
    return 0;
}

void rc_merge_reference(const float *const *o_part, const float *const *lse_part, int n,
                        int64_t rows, double *o, double *lse) {
    for (int64_t r = 0; r < rows; r++) {
        double top = -INFINITY, sum = 0, *out = o + r * D;
        memset(out, 0, D * sizeof *out);
        for (int i = 0; i < n; i++)
            top = fmax(top, (double)lse_part[i][r]);
        for (int i = 0; i < n && top > -INFINITY; i++) {
            double w = exp((double)lse_part[i][r] - top);
            sum += w;
            for (int d = 0; w > 0 && d < D; d++)
                out[d] += w * (double)o_part[i][r * D + d];
        }
        for (int d = 0; d < D && sum > 0; d++)
            out[d] /= sum;
        if (lse)
            lse[r] = sum > 0 ? top + log(sum) : -INFINITY;
    }
}
