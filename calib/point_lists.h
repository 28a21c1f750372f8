/* What is to be measured: lists of points, one list a suite, in order of importance (a budget that
 * runs out cuts the tail). No GPU is needed to make them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_POINT_LISTS_H
#define RC_CALIB_POINT_LISTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef struct rc_point {
    const char *op, *variant, *dtype; /* static strings; op and axes as in schema.h */
    int64_t a, b, c, d;
    /* What else was set, beyond op, variant and axes: "sms" and 124, "ctas" and 8 (schema.h lists
     * them). NULL: nothing. A static string; value 0: it has no number. */
    const char *cond;
    int64_t value;
    int64_t head_k,
        head_v; /* as in schema.h; 0 for ops without heads, and 128 for those with them */
    int64_t experts, top_k; /* as in schema.h; 0 for ops that have none */
    bool sustained;         /* measured hot as well */
    bool quick;             /* kept by --quick */
} rc_point;

typedef struct rc_points {
    rc_point *v;
    size_t n, cap;
} rc_points;

void rc_points_free(rc_points *p); /* leaves an empty list; a zeroed one is fine */
/* Append, unless the same point is there: then only its flags are added to that one. */
rc_status rc_points_add(rc_points *p, const rc_point *x, rc_error *err);

/* The row's variant: `base` (NULL: the point's own), then "@", the condition and its number. */
void rc_point_variant(const rc_point *p, const char *base, char *out, size_t size);

/* An all-reduce of our own, whose ranks reach each other's memory: GPUs of one node over NVLink. */
bool rc_point_reads_peers(const rc_point *p);

/* One a suite. `ranks`: GPUs that net and interference run over; nothing else looks at it. */
rc_status rc_points_gemm(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_attention(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_decode(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_heads(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_mla(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_merge(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_elementwise(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_experts(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_memory(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_host(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_gap(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_interference(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_net(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_sms(rc_points *p, int ranks, rc_error *err);
rc_status rc_points_clock(rc_points *p, int ranks, rc_error *err);

#endif
