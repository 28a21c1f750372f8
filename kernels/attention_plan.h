/* How an attention launch is cut: plain C without state, shared by the kernel's host side, which
 * launches by it, and by the simulator, whose costs rest on it.
 *
 * Query rows lie in tiles of RC_ATTN_ROWS, tokens times the query heads of one KV head; a tile meets
 * its keys in blocks of RC_ATTN_KEYS. Tiles of full waves are whole; those that are left over are
 * split along the keys and combined in a second kernel. Lengths are below 2^30 and tile counts below
 * 2^31 in the kernel; the simulator asks for more, so counts are 64 bits wide here.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KERNELS_ATTENTION_PLAN_H
#define RC_KERNELS_ATTENTION_PLAN_H
#include <math.h>
#include <stdint.h>

enum { RC_ATTN_ROWS = 128, RC_ATTN_KEYS = 128, RC_ATTN_MAX_SPLITS = 128 };

/* In key blocks of one CTA: starting an item, the second kernel, and each piece in it. */
#define RC_ATTN_START 1.5
#define RC_ATTN_COMBINE 2.0
#define RC_ATTN_PIECE 0.02

/* Tokens of a tile: group = query heads a KV head. */
static inline int64_t rc_attn_tile_tokens(int64_t group) {
    return group < RC_ATTN_ROWS ? RC_ATTN_ROWS / group : 1;
}

/* Key blocks that the tile of tokens tok0 to tok0 + tokens meets; causal is bottom-right. */
static inline int64_t rc_attn_tile_blocks(int causal, int64_t tok0, int64_t tokens, int64_t tq,
                                          int64_t tk) {
    int64_t visible = tk;
    if (causal) {
        int64_t end = tok0 + tokens < tq ? tok0 + tokens : tq;
        visible = end + (tk - tq);
        visible = visible < 0 ? 0 : visible > tk ? tk : visible;
    }
    return (visible + RC_ATTN_KEYS - 1) / RC_ATTN_KEYS;
}

/* Cost, in key blocks of one CTA, of `tiles` tiles of `blocks` blocks split s ways on `sms` SMs. */
static inline double rc_attn_split_cost(int64_t tiles, int64_t blocks, int64_t s, int64_t sms) {
    int64_t rounds = (tiles * s + sms - 1) / sms, piece = (blocks + s - 1) / s;
    double combined =
        s > 1 ? RC_ATTN_COMBINE + RC_ATTN_PIECE * (double)(tiles * s) : 0.0; /* cannot overlap */
    return (double)rounds * ((double)piece + RC_ATTN_START) + combined;
}

/* What s splits cost at least, and more of them no less: all rounds full, all pieces even. */
static inline double rc_attn_split_least(int64_t tiles, int64_t blocks, int64_t s, int64_t sms) {
    double share = (double)tiles / (double)sms;
    return share * (double)blocks + RC_ATTN_START * share * (double)s + RC_ATTN_COMBINE +
           RC_ATTN_PIECE * (double)(tiles * s);
}

/* Splits of `tiles` tiles, fewer than a wave. A split more must win 2 %. */
static inline int rc_attn_choose_splits(int64_t tiles, int64_t blocks, int64_t sms) {
    const double win = 0.98;
    int best = 1;
    double least = rc_attn_split_cost(tiles, blocks, 1, sms);
    for (int s = 2; s <= RC_ATTN_MAX_SPLITS && s <= blocks; s++) {
        double cost = rc_attn_split_cost(tiles, blocks, s, sms);
        if (cost < win * least) {
            least = cost;
            best = s;
        }
        if (rc_attn_split_least(tiles, blocks, s, sms) >= win * least)
            break;
    }
    return best;
}

/* One sequence of a batch, in key blocks. */
typedef struct rc_attn_load {
    int64_t seq, tiles, most; /* which it is; its tiles; blocks of the heaviest */
    double mean;              /* blocks of a tile */
} rc_attn_load;

static inline rc_attn_load rc_attn_load_of(int causal, int64_t seq, int64_t tq, int64_t tk,
                                           int64_t tokens, int64_t hkv) {
    rc_attn_load load = {seq, 0, 0, 0.0};
    if (tq <= 0)
        return load;
    int64_t rows = (tq + tokens - 1) / tokens;
    int64_t least = rc_attn_tile_blocks(causal, 0, tokens, tq, tk);
    load.tiles = rows * hkv;
    load.most = rc_attn_tile_blocks(causal, (rows - 1) * tokens, tokens, tq, tk);
    load.mean = 0.5 * (double)(load.most + least);
    return load;
}

/* Splits of every tile of a sequence of which no item may be longer than `cap` blocks. */
static inline int rc_attn_splits_under(const rc_attn_load *load, double cap) {
    double s = ceil((double)load->most / cap);
    return s < 1.0 ? 1 : s > RC_ATTN_MAX_SPLITS ? RC_ATTN_MAX_SPLITS : (int)s;
}

/* Cost of a batch in which no item is longer than `cap` key blocks: even shares, half of the longest
 * item left over at the end, and the combination of what was split. */
static inline double rc_attn_batch_cost(const rc_attn_load *loads, int n, double cap, int64_t sms) {
    double work = 0.0, longest = 0.0, pieces = 0.0;
    for (int i = 0; i < n; i++) {
        int s = rc_attn_splits_under(&loads[i], cap);
        work += (double)loads[i].tiles * (loads[i].mean + RC_ATTN_START * s);
        longest = fmax(longest, (double)loads[i].most / s + RC_ATTN_START);
        pieces += s > 1 ? (double)loads[i].tiles * s : 0.0;
    }
    return fmax(work / (double)sms + 0.5 * longest, longest) +
           (pieces > 0.0 ? RC_ATTN_COMBINE + RC_ATTN_PIECE * pieces : 0.0);
}

/* The longest item of a batch, in key blocks: a few shares of the even one are tried. */
static inline double rc_attn_choose_cap(const rc_attn_load *loads, int n, int64_t sms) {
    static const double shares[] = {2, 1.4, 1, 0.7, 0.5, 0.35, 0.25, 0.125};
    double work = 0.0, best = 1e30, least = rc_attn_batch_cost(loads, n, best, sms);
    for (int i = 0; i < n; i++)
        work += (double)loads[i].tiles * loads[i].mean;
    for (int i = 0; i < (int)(sizeof shares / sizeof shares[0]); i++) {
        double cap = fmax(1.0, work / (double)sms * shares[i]);
        double cost = rc_attn_batch_cost(loads, n, cap, sms);
        if (cost < 0.98 * least) {
            least = cost;
            best = cap;
        }
    }
    return best;
}

#endif
