/* How long a matrix product takes by what the library does: tiles of the output in waves over the
 * SMs, or the matrices through HBM. The times of products that were measured differ from it by a
 * few per cent, smoothly in N and K, which is what look-ups between the rows rest on (gemm.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_GEMM_PLAN_H
#define RC_COST_GEMM_PLAN_H
#include "sim/model/model.h"

/* What products of one type reach on a GPU. All 0: there are no rows of the type. */
typedef struct rc_product_rates {
    double flops; /* FLOP/s of the best row */
    double bytes; /* bytes/s of the best row, each matrix counted once */
    double sms;
} rc_product_rates;

/* The types whose products have rows of their own: bf16, fp8, and fp8 with a scale for each block. */
enum { RC_PRODUCT_TYPES = 3 };
/* Which of them `d` is, from 0; RC_PRODUCT_TYPES: none. */
int rc_product_type_of(rc_dtype d);

/* SMs of a GPU by the name that its driver gives it; 132, of most Hopper parts, for others. */
double rc_gpu_sms(const char *gpu);
/* Log seconds of y[M,N] = x[M,K] W[N,K]^T in one of these types. m, n, k >= 1; rates of the type. */
double rc_gemm_plan(const rc_product_rates *r, rc_dtype d, double m, double n, double k);

#endif
