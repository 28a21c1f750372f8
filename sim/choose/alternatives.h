/* What else could be run: every CP degree and variant for one prefill, each simulated.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CHOOSE_ALTERNATIVES_H
#define RC_CHOOSE_ALTERNATIVES_H
#include "sim/forward/forward.h"

/* 1, 2, 4, ... 4096, or the powers of two below a degree and that degree; each with every
 * schedule. */
enum { RC_ALTERNATIVES_CP = 4096, RC_ALTERNATIVES = 14 * RC_SCHEDULES_MAX };

typedef struct rc_alternative {
    int cp;
    int ulysses; /* ranks of a group, for a schedule of two levels; else 0 or 1 */
    int dcp;     /* GPUs of the one TP group that hold different tokens; else 0 or 1 */
    int dp;      /* groups of sequences, of a TP group each; else 0 or 1 */
    int ep;      /* GPUs that experts are dealt to; else 0 or 1 */
    const rc_schedule *schedule;
    rc_status status; /* RC_OK; RC_E_NOFIT, RC_E_SIZE; RC_E_INPUT: fewer new tokens than ranks */
    double time;      /* s; NaN when it is not possible */
    double basis[RC_BASIS_COUNT]; /* share of the critical path by what its cost rests on */
    const char *caution;          /* rc_forward_caution; NULL: none */
    char why[256];
} rc_alternative;

/* Degrees 1, 2, 4, ... below `cp`, and `cp` itself, the largest first; `batch` equal sequences of
 * t new and p cached tokens, launched by the host. layout->cp is ignored. Besides, on one TP group: with
 * layout->dcp above 1 the schedules that cut sequences over so many of its GPUs; and with layout->dp
 * above 1 so many of these groups, over which the sequences are dealt. Experts go to layout->ep GPUs, or
 * to all of an alternative that has fewer. */
rc_status rc_choose_alternatives(const rc_model *m, const rc_costs *costs, const rc_layout *layout,
                                 int cp, int64_t t, int64_t p, int batch, rc_alternative *out,
                                 int *count, rc_error *err);
/* The pass of an alternative: all of them differ in degree and schedule alone. Borrows `seqs`. */
rc_spec rc_alternative_spec(const rc_model *m, const rc_costs *costs, const rc_layout *layout,
                            const rc_alternative *a, const rc_sequence *seqs, size_t seq_count);
/* Index of the fastest of those whose time rests on nothing that was only seen with other schedules
 * (caution); -1 when none fits. */
int rc_alternative_best(const rc_alternative *a, int count);
/* Index, or -1. */
int rc_alternative_find(const rc_alternative *a, int count, int cp, const rc_schedule *s);

/* C and BW of choose.h, per GPU, for n ranks of tp GPUs each. */
typedef struct rc_choose_rates {
    double c, achieved_c; /* the bf16 peak; what a large attention on one TP shard achieves */
    /* From rank to rank: as the machine states it, between nodes the NIC's, inside one NVLink's (0: it states
     * nothing, as of links through host memory); what a connection between nodes, or a large message inside
     * one, achieves. */
    double bw, achieved_bw;
} rc_choose_rates;
rc_status rc_choose_rates_of(const rc_costs *costs, const rc_model *m, int tp, int n,
                             rc_choose_rates *out, rc_error *err);
/* BW alone. */
rc_status rc_choose_link_rates(const rc_costs *costs, int tp, int n, rc_choose_rates *out,
                               rc_error *err);

#endif
