/* Calls as kernels cut them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/tile_plan.h"

#include <assert.h>
#include <math.h>

#include "kernels/attention_plan.h"
#include "kernels/deal_plan.h"

/* SMs of the chip: the attention kernels multiply with wgmma, which Hopper alone has, and rows of
 * its SXM parts are the only ones there are. */
enum { SMS = 132 };

/* ---- constants ------------------------------------------------------------------------------- */

enum { START, RATE, COMBINE, PIECE, BLOCK, ITEM, SPREAD, DRIFT }; /* attention */
enum { STREAM = BLOCK, SPLIT = ITEM, DECODE_CONSTANTS }; /* decode: the first four as above */

size_t rc_plan_start(const rc_plan_kind *kind, double c[RC_PLAN_CONSTANTS]) {
    bool narrow = kind->element < 2.0;
    for (int i = 0; i < RC_PLAN_CONSTANTS; i++)
        c[i] = 0.0;
    if (kind->decode) {
        c[START] = 4.3e-6;
        c[RATE] = 3.1e12;
        c[COMBINE] = 0.55e-6;
        c[PIECE] = 7e-9;
        c[STREAM] = RC_DECODE_ALONE;
        c[SPLIT] = 15e-9;
        return DECODE_CONSTANTS;
    }
    double size = (double)(kind->head_k + kind->head_v) / 256.0;
    c[START] = 3.3e-6;
    c[RATE] = 2.6e12;
    c[COMBINE] = 0.35e-6;
    c[PIECE] = 40e-9;
    c[BLOCK] = (narrow ? 0.7e-6 : 1.35e-6) * size;
    c[ITEM] = 2e-6;
    c[SPREAD] = (narrow ? 0.6e-6 : 1.2e-6) * size;
    c[DRIFT] = 0.05;
    return RC_PLAN_CONSTANTS;
}

/* ---- attention ------------------------------------------------------------------------------- */

typedef struct tiling {
    int64_t tokens, rows, heads; /* of a tile; row tiles of a sequence; KV heads of all sequences */
    int64_t tiles, whole;        /* in all; those that are not split, the heaviest */
    int64_t splits, pieces, window;
    const rc_plan_call *call;
} tiling;

/* Key blocks of the index-th heaviest tile. */
static int64_t blocks_of(const tiling *t, int64_t index) {
    const rc_plan_call *c = t->call;
    int64_t row = c->causal ? t->rows - 1 - index / t->heads : 0;
    int64_t blocks = rc_attn_tile_blocks(c->causal, row * t->tokens, t->tokens, c->tq, c->tk);
    if (t->window <= 0)
        return blocks;
    int64_t seen = (t->window + t->tokens + RC_ATTN_KEYS - 1) / RC_ATTN_KEYS;
    return blocks < seen ? blocks : seen;
}

/* No amount of work that may be asked for overflows. */
static int64_t times(int64_t a, int64_t b) {
    const double most = 0x1p60;
    return (double)a * (double)b < most ? a * b : (int64_t)most;
}

static void cut(const rc_plan_kind *kind, const rc_plan_call *c, tiling *t) {
    *t = (tiling){.tokens = rc_attn_tile_tokens(c->whole ? 1 : c->hq / c->hkv),
                  .heads = times(c->whole ? c->hq : c->hkv, c->sequences),
                  .splits = 1,
                  .window = kind->window,
                  .call = c};
    t->rows = (c->tq + t->tokens - 1) / t->tokens;
    t->tiles = times(t->rows, t->heads);
    t->whole = t->tiles / SMS * SMS;
    if (t->whole < t->tiles && !c->whole)
        t->splits = rc_attn_choose_splits(t->tiles - t->whole, blocks_of(t, t->whole), SMS);
    if (t->splits == 1)
        t->whole = t->tiles;
    t->pieces = (t->tiles - t->whole) * t->splits;
}

/* Key blocks of the mean tile of [from, to): tiles weigh evenly less and less. */
static double mean_of(const tiling *t, int64_t from, int64_t to) {
    return 0.5 * (double)(blocks_of(t, from) + blocks_of(t, to - 1));
}

/* Rounds that are as even as pairs of them are: an even number, all but the last few where there are
 * many. Adds their key blocks. */
static int64_t even_rounds(const tiling *t, int64_t rounds, int64_t grid, double *blocks) {
    const int64_t exact = 10, many = 14;
    if (rounds <= many)
        return 0;
    int64_t even = (rounds - exact) / 2 * 2, whole = t->whole / grid;
    whole = whole < even ? whole : even;
    if (whole > 0)
        *blocks += (double)whole * mean_of(t, 0, whole * grid);
    if (even > whole)
        *blocks += (double)(even - whole) * mean_of(t, t->whole, t->tiles) / (double)t->splits;
    return even;
}

/* Key blocks and items of the SM that is `lane`-th in its round; rounds snake. */
static void walk(const tiling *t, int64_t lane, double *blocks, double *items) {
    int64_t all = t->whole + t->pieces, grid = all < SMS ? all : SMS;
    int64_t rounds = (all + grid - 1) / grid;
    *blocks = 0.0;
    int64_t from = even_rounds(t, rounds, grid, blocks);
    *items = (double)from;
    for (int64_t r = from; r < rounds; r++) {
        int64_t i = r * grid + (r % 2 != 0 ? grid - 1 - lane : lane);
        if (i >= all)
            continue;
        *items += 1.0;
        if (i < t->whole) {
            *blocks += (double)blocks_of(t, i);
            continue;
        }
        int64_t tile = t->whole + (i - t->whole) / t->splits, nth = (i - t->whole) % t->splits;
        int64_t b = blocks_of(t, tile);
        int64_t start = b * nth / t->splits, end = b * (nth + 1) / t->splits;
        *blocks += (double)(end - start);
    }
}

/* Of the first SM, the last, and the one that takes the last item. */
static void busiest(const tiling *t, rc_tile_plan *p) {
    int64_t all = t->whole + t->pieces, grid = all < SMS ? all : SMS;
    int64_t last = (all - 1) % grid, rounds = (all + grid - 1) / grid;
    int64_t lanes[] = {0, grid - 1, rounds % 2 == 0 ? grid - 1 - last : last};
    for (int i = 0; i < 3; i++) {
        double blocks, items;
        walk(t, lanes[i], &blocks, &items);
        if (i == 0 || blocks + items > p->path + p->items) {
            p->path = blocks;
            p->items = items;
        }
    }
}

static void attention(const rc_plan_kind *kind, const rc_plan_call *c, rc_tile_plan *p) {
    tiling t;
    cut(kind, c, &t);
    double first = (double)blocks_of(&t, 0);
    p->split = t.splits > 1;
    p->splits = (double)t.splits;
    p->pieces = (double)t.pieces;
    p->average = (double)t.tiles * 0.5 * (first + (double)blocks_of(&t, t.tiles - 1)) / SMS;
    double q = (double)c->tq * (double)c->hq * (double)c->sequences;
    double k = (double)c->tk * (double)c->hkv * (double)c->sequences;
    double hk = (double)kind->head_k, hv = (double)kind->head_v;
    p->bytes = kind->element * (q * hk + k * (hk + hv)) + 2.0 * q * hv;
    if (kind->smooth) {
        p->path = p->average;
        p->items = (double)t.tiles / SMS;
        p->split = false;
        p->pieces = 0.0;
        return;
    }
    if (c->causal) {
        busiest(&t, p);
        return;
    }
    int64_t full_waves = (t.whole + SMS - 1) / SMS, split_waves = (t.pieces + SMS - 1) / SMS;
    double waves = (double)full_waves, more = p->split ? (double)split_waves : 0.0;
    p->path = waves * first + more * ceil(first / p->splits);
    p->items = waves + more;
}

/* ---- decode ---------------------------------------------------------------------------------- */

static void decode(const rc_plan_kind *kind, const rc_plan_call *c, rc_tile_plan *p) {
    int64_t units = times(c->sequences, c->hkv),
            row = (int64_t)(kind->element * (double)kind->head_k);
    bool dealt = c->version >= RC_DECODE_DEALT; /* then a long sequence holds nobody up */
    int64_t longest = dealt ? c->tk : c->longest;
    int s = dealt ? (int)rc_decode_dealt_splits(c->sequences, c->tk, c->hkv, SMS)
                  : rc_decode_choose_splits(units, longest, row, SMS, c->version);
    double key = kind->element * (double)(kind->head_k + kind->head_v);
    double waves = (double)(units * s) / (RC_DECODE_CTAS * SMS);
    waves = kind->smooth ? fmax(waves, 1.0) : ceil(waves);
    p->split = s > 1;
    p->splits = s;
    p->pieces = (double)units * s;
    p->bytes = (double)units * (double)c->tk * key;
    p->path = key / s * ((double)longest + (waves - 1.0) * (double)c->tk);
}

/* ---- both ------------------------------------------------------------------------------------ */

void rc_plan_of(const rc_plan_kind *kind, const rc_plan_call *call, rc_tile_plan *out) {
    assert(kind != NULL && call != NULL && out != NULL);
    assert(call->tk >= 1 && call->sequences >= 1 && call->hkv >= 1 && call->hq >= call->hkv);
    *out = (rc_tile_plan){.decode = kind->decode};
    if (kind->decode)
        decode(kind, call, out);
    else
        attention(kind, call, out);
}

double rc_plan_time(const rc_tile_plan *p, const double c[RC_PLAN_CONSTANTS], double longest) {
    const double warm = 30e-3; /* s, from where the clock is seen to fall */
    double by_memory = p->bytes / c[RATE], t = c[START];
    if (p->decode) {
        t += rc_smooth4(c[STREAM] * p->path, by_memory);
        if (p->split)
            t += c[COMBINE] + c[SPLIT] * p->splits + c[PIECE] * p->pieces;
        return log(t);
    }
    t += rc_smooth4(rc_smooth8(c[BLOCK] * p->path + c[ITEM] * p->items, c[SPREAD] * p->average),
                    by_memory);
    if (p->split)
        t += c[COMBINE] + c[PIECE] * p->pieces;
    return log(t) + c[DRIFT] * log1p(fmin(t, longest) / warm);
}
