/* Into how many shares a decode launch over latents cuts each sequence: plain C without state, shared by the
 * kernel's host side, which launches by it, and by whoever wants to know what it did.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KERNELS_MLA_PLAN_H
#define RC_KERNELS_MLA_PLAN_H
#include <math.h>
#include <stdint.h>

enum {
    RC_MLA_LATENT = 512, /* columns of a key that are its value, too */
    RC_MLA_KEY = 576,    /* with the rotary part */
    RC_MLA_ROWS = 64,    /* query heads of a tile */
    RC_MLA_KEYS = 32,    /* of a block */
    RC_MLA_MAX_SPLITS = 256
};

/* In key blocks of one CTA: starting a share, the second kernel, and what a share's output costs it. */
#define RC_MLA_START 6.0
#define RC_MLA_COMBINE 6.0
#define RC_MLA_PIECE 0.05

/* Cost, in key blocks of one CTA, of `units` (sequences times tiles of heads) of `blocks` key blocks each,
 * split s ways on `sms` SMs. */
static inline double rc_mla_split_cost(int64_t units, int64_t blocks, int64_t s, int64_t sms) {
    int64_t rounds = (units * s + sms - 1) / sms, share = (blocks + s - 1) / s;
    double combined = s > 1 ? RC_MLA_COMBINE + RC_MLA_PIECE * (double)(units * s) : 0.0;
    return (double)rounds * ((double)share + RC_MLA_START) + combined;
}

/* A split more must win 2 %. */
static inline int rc_mla_choose_splits(int64_t units, int64_t blocks, int64_t sms) {
    const double win = 0.98;
    int best = 1;
    double least = rc_mla_split_cost(units, blocks, 1, sms);
    for (int s = 2; s <= RC_MLA_MAX_SPLITS && s <= blocks; s++) {
        double cost = rc_mla_split_cost(units, blocks, s, sms);
        if (cost < win * least) {
            best = s;
            least = cost;
        }
    }
    return best;
}
#endif
