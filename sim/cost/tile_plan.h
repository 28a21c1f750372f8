/* What a kernel's own plan says of a call: how it is cut into tiles, pieces and waves (kernels/
 * attention_plan.h, decode_plan.h), and how long it takes by that with a few constants, which are
 * fitted to rows (field_fit.h). Times between rows follow the plan: a wave begun, a split more. What
 * is left between plan and rows is smooth, and field.h has it.
 *
 * Attention:
 *     t = start + smooth4(smooth8(block * path + item * items, spread * average),
 *                         bytes / rate) + [split] (combine + piece * pieces), and times
 *     (1 + t / 30 ms)^drift, for the clock falls under long load.
 * path, items: key blocks and items of the SM that has most; average: key blocks an SM. smoothN(a, b)
 * = (a^N + b^N)^(1/N).
 *
 * Decode:
 *     t = start + smooth4(stream * bytes of a CTA, bytes / rate)
 *         + [split] (combine + split * splits + piece * pieces).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_TILE_PLAN_H
#define RC_COST_TILE_PLAN_H
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RC_PLAN_CONSTANTS = 8 };

/* (a^4 + b^4)^(1/4) and (a^8 + b^8)^(1/8) without powers that overflow. */
static inline double rc_smooth4(double a, double b) {
    double most = fmax(a, b), q = most > 0.0 ? fmin(a, b) / most : 0.0;
    q *= q;
    return most * sqrt(sqrt(1.0 + q * q));
}

static inline double rc_smooth8(double a, double b) {
    double most = fmax(a, b), q = most > 0.0 ? fmin(a, b) / most : 0.0;
    q *= q;
    q *= q;
    return most * sqrt(sqrt(sqrt(1.0 + q * q)));
}

/* Heads and types, the same for all calls of a field. */
typedef struct rc_plan_kind {
    bool decode;
    bool smooth;    /* work spreads over all SMs without a rest, to show what waves are worth */
    double element; /* bytes of one of Q, K and V */
    int64_t head_k, head_v, window; /* elements; keys that a query sees at most, 0: all */
} rc_plan_kind;

/* One launch. Attention: `sequences` alike of tq queries and tk keys. Decode: `sequences`, of tk keys
 * in the mean and `longest` in the longest. Heads divide: hq % hkv == 0. */
typedef struct rc_plan_call {
    int64_t tq, tk, sequences, longest, hq, hkv;
    bool causal;
    bool whole;  /* attention by another kernel: a tile is 128 tokens of one query head, never split
                    along the keys; else by the plan of kernels/attention_plan.h */
    int version; /* of the decode kernel whose rule holds */
} rc_plan_call;

/* A call as its plan has it, whatever the constants. */
typedef struct rc_tile_plan {
    double path, items, average; /* attention; decode: bytes of the busiest CTA in `path` */
    double pieces, splits;
    double bytes;
    bool decode, split;
} rc_tile_plan;

void rc_plan_of(const rc_plan_kind *kind, const rc_plan_call *call, rc_tile_plan *out);
/* Log of the seconds that it takes. longest: the time above which the clock falls no further. */
double rc_plan_time(const rc_tile_plan *p, const double constants[RC_PLAN_CONSTANTS],
                    double longest);
/* Constants to begin with, those of an H100: all over 0, in seconds and bytes/s. How many there
 * are. */
size_t rc_plan_start(const rc_plan_kind *kind, double constants[RC_PLAN_CONSTANTS]);

#endif
