/* One case of `ringcast-calib ring`: which schedule, over how many GPUs, which layer. Cases come as
 * a CSV file with the columns of RC_RING_CASE_COLUMNS; `ringcast validate` reads the same files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_RING_RING_CASE_H
#define RC_CALIB_RING_RING_CASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef enum rc_ring_schedule {
    RC_RING_PASS_KV,
    RC_RING_PASS_Q,
    RC_RING_ALL_GATHER,
    RC_RING_TP,
    RC_RING_DECODE_PASS_Q,
    RC_RING_DECODE_TP,
    RC_RING_SCHEDULES
} rc_ring_schedule;
const char *rc_ring_schedule_name(rc_ring_schedule s);
/* false when there is no such schedule */
bool rc_ring_schedule_find(const char *name, rc_ring_schedule *out);

enum { RC_RING_MAX_RANKS = 64, RC_RING_HEAD = 128 };

typedef struct rc_ring_case {
    char name[64];
    rc_ring_schedule schedule;
    int cp, tp;     /* GPUs = cp * tp */
    int64_t t, p;   /* new tokens (prefill) and cached tokens of the sequence; decode: t = 1 */
    int64_t batch;  /* sequences of a decode step; prefill: 1 */
    int hq, hkv;    /* heads on one GPU, of 128 */
    int width, ffn; /* D; FFN width on one GPU */
    int layers;
    bool graph; /* one CUDA graph; else launched op by op */
    int sms;    /* SMs that attention may take while a message is under way; 0: all, by ticket */
    int ctas;   /* CTAs of NCCL's kernels in the CP group; 0: NCCL chooses */
} rc_ring_case;

#define RC_RING_CASE_COLUMNS                                                                       \
    "case", "schedule", "cp", "tp", "t", "p", "batch", "hq", "hkv", "width", "ffn", "layers",      \
        "launch", "sms", "ctas"

static inline bool rc_ring_is_decode(const rc_ring_case *c) {
    return c->schedule >= RC_RING_DECODE_PASS_Q;
}
/* Tokens of one rank, tokens of one of its two chunks, cached tokens of one rank. */
static inline int64_t rc_ring_tokens(const rc_ring_case *c) {
    return rc_ring_is_decode(c) ? c->batch / c->cp : c->t / c->cp;
}
static inline int64_t rc_ring_chunk(const rc_ring_case *c) {
    return c->t / (2 * c->cp);
}
static inline int64_t rc_ring_cached(const rc_ring_case *c) {
    return c->p / c->cp;
}

/* Shapes that the kernels take and shards that are equal: 2 cp divides t, cp divides p and the
 * batch, tp and cp fit the schedule. RC_E_INPUT says which does not. */
rc_status rc_ring_case_check(const rc_ring_case *c, rc_error *err);
/* All cases of a CSV file; *out is malloc'ed. */
rc_status rc_ring_cases_read(const char *path, rc_ring_case **out, size_t *n, rc_error *err);
rc_status rc_ring_cases_parse(const char *name, const char *text, size_t size, rc_ring_case **out,
                              size_t *n, rc_error *err);

#endif
