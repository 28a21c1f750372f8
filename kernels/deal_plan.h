/* How the keys of sequences that decode together are dealt to the CTAs of one launch, where they lie
 * in pages: plain C without state, for the host that fills what the kernel reads, and for the
 * simulator, whose costs rest on it.
 *
 * Cut into equally many shares, a batch takes as long as its longest sequence. Here all pieces are of
 * about the same number of keys instead, whatever sequence they are of, and the longest are launched
 * first. A piece has all KV heads, a CTA each.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KERNELS_DEAL_PLAN_H
#define RC_KERNELS_DEAL_PLAN_H
#include "kernels/decode_plan.h"

enum {
    RC_DECODE_DEALT = 6,       /* the version whose rows are of launches like these: decode-6 */
    RC_DECODE_DEAL_ROUND = 64, /* keys: pieces end at a multiple of them, or with the sequence */
    RC_DECODE_DEAL_LEAST = 256 /* keys of a piece of several: with fewer the merge costs more than
                                  it saves */
};

typedef struct rc_decode_piece {
    int32_t sequence; /* below 0: nothing to do */
    int32_t lo, hi;   /* keys [lo, hi) of it; none of an empty sequence */
    int32_t parts;    /* pieces that the sequence is cut into; they stand behind each other */
} rc_decode_piece;

/* Pieces that a launch has room for: one a sequence, and two CTAs more for each SM, so that pieces
 * of an even share of all keys always fit. None more where the longest sequence is too short to be
 * cut: then no second kernel is launched. */
static inline int64_t rc_decode_room(int64_t batch, int64_t longest, int64_t hkv, int64_t sms) {
    if (longest <= 2 * RC_DECODE_DEAL_LEAST)
        return batch;
    return batch + (RC_DECODE_CTAS * sms + hkv - 1) / hkv;
}

static inline int64_t rc_decode_parts(int64_t len, int64_t most) {
    return len <= most ? 1 : (len + most - 1) / most;
}

/* The least keys that a piece may have so that all fit into `room`. */
static inline int64_t rc_decode_deal_most(const int32_t *lens, int64_t batch, int64_t room) {
    int64_t longest = 0, few = RC_DECODE_DEAL_LEAST / RC_DECODE_DEAL_ROUND - 1, enough;
    for (int64_t i = 0; i < batch; i++)
        longest = lens[i] > longest ? lens[i] : longest;
    enough = (longest + RC_DECODE_DEAL_ROUND - 1) / RC_DECODE_DEAL_ROUND;
    if (room <= batch || enough <= few + 1)
        return enough * RC_DECODE_DEAL_ROUND;
    while (enough - few > 1) { /* `few` is too few, `enough` fits */
        int64_t middle = (few + enough) / 2, pieces = 0;
        for (int64_t i = 0; i < batch; i++)
            pieces += rc_decode_parts(lens[i], middle * RC_DECODE_DEAL_ROUND);
        if (pieces > room)
            few = middle;
        else
            enough = middle;
    }
    return enough * RC_DECODE_DEAL_ROUND;
}

/* Keys of the longest piece of a sequence that is cut so. */
static inline int64_t rc_decode_piece_keys(int64_t len, int64_t parts) {
    int64_t rounds = (len + RC_DECODE_DEAL_ROUND - 1) / RC_DECODE_DEAL_ROUND;
    return (rounds + parts - 1) / parts * RC_DECODE_DEAL_ROUND;
}

/* pieces [room]; first [batch]: the first piece of each sequence; order [batch]: scratch. room is at
 * least batch. */
static inline void rc_decode_deal(const int32_t *lens, int64_t batch, int64_t room,
                                  rc_decode_piece *pieces, int32_t *first, int32_t *order) {
    const int64_t most = rc_decode_deal_most(lens, batch, room);
    int64_t used = 0;
    for (int64_t i = 0; i < batch; i++) { /* first[] holds the keys of a piece meanwhile */
        int64_t at = i;
        first[i] = (int32_t)rc_decode_piece_keys(lens[i], rc_decode_parts(lens[i], most));
        for (; at > 0 && first[order[at - 1]] < first[i]; at--)
            order[at] = order[at - 1];
        order[at] = (int32_t)i;
    }
    for (int64_t k = 0; k < batch; k++) {
        const int32_t i = order[k], each = first[i];
        const int32_t parts = (int32_t)rc_decode_parts(lens[i], most);
        first[i] = (int32_t)used;
        for (int32_t n = 0; n < parts; n++) {
            int32_t lo = n * each, hi = lo + each;
            lo = lo < lens[i] ? lo : lens[i];
            hi = hi < lens[i] ? hi : lens[i];
            pieces[used++] = (rc_decode_piece){i, lo, hi, parts};
        }
    }
    for (; used < room; used++)
        pieces[used] = (rc_decode_piece){-1, 0, 0, 0};
}

/* Pieces of each of `batch` equal sequences. */
static inline int64_t rc_decode_dealt_splits(int64_t batch, int64_t len, int64_t hkv, int64_t sms) {
    int64_t room = rc_decode_room(batch, len, hkv, sms), parts = room / batch;
    int64_t most = (len + RC_DECODE_DEAL_LEAST - 1) / RC_DECODE_DEAL_LEAST;
    if (parts <= 1 || most <= 1)
        return 1;
    most = parts < most ? parts : most;
    return rc_decode_parts(len, rc_decode_piece_keys(len, most));
}

#endif
