/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/tiles.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

/* As kernels/attention.cu has them: rows of a tile, keys of a block, the most pieces of a tile; and
 * in key blocks what an item takes to begin, what combining pieces takes, and each piece of it. */
enum { TILE_ROWS = 128, BLOCK_KEYS = 128, MOST_PIECES = 128 };
static const double BEGIN = 1.5, COMBINE = 2.0, PIECE = 0.02;

/* Tiles of a causal sequence differ in length: by this many steps at most. */
enum { STEPS = 4 };

static int64_t up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* ---- the plan ------------------------------------------------------------------------------- */

typedef struct load { /* of a sequence; tiles from the longest to the shortest */
    int64_t tiles, most, least;
} load;

static load load_of(const rc_tile_call *c, int64_t tokens, int hkv) {
    load l = {.tiles = up(c->tq, tokens) * hkv, .most = up(c->tk, BLOCK_KEYS)};
    l.least = l.most;
    if (c->causal) {
        int64_t first = c->tk - c->tq + (tokens < c->tq ? tokens : c->tq);
        l.least = up(first > 0 ? first : 0, BLOCK_KEYS);
    }
    return l;
}

static double split_cost(int64_t tiles, int64_t blocks, int64_t pieces, int sms) {
    double each = (double)up(blocks, pieces) + BEGIN;
    double combined = pieces > 1 ? COMBINE + PIECE * (double)(tiles * pieces) : 0.0;
    return (double)up(tiles * pieces, sms) * each + combined;
}

/* No number of pieces costs less than its even share of the SMs, which grows with it. */
static int64_t choose_pieces(int64_t tiles, int64_t blocks, int sms) {
    int64_t best = 1;
    double least = split_cost(tiles, blocks, 1, sms), share = (double)tiles / sms;
    double even = share * (double)blocks + COMBINE;
    double piece = share * BEGIN + PIECE * (double)tiles;
    for (int64_t s = 2; s <= MOST_PIECES && s <= blocks; s++) {
        if (even + piece * (double)s >= least)
            break;
        double cost = split_cost(tiles, blocks, s, sms);
        if (cost < 0.98 * least) {
            least = cost;
            best = s;
        }
    }
    return best;
}

static void add(rc_tiles *out, int64_t items, double blocks) {
    if (items < 1)
        return;
    out->items[out->classes] = items;
    out->blocks[out->classes++] = blocks + BEGIN;
}

/* Tiles [from, to) of a load, whole or each in so many pieces. */
static void add_tiles(rc_tiles *out, const load *l, int64_t from, int64_t to, int64_t pieces) {
    int64_t n = to - from, steps = l->most == l->least ? 1 : n < STEPS ? n : STEPS;
    for (int64_t i = 0; i < steps; i++) {
        int64_t a = from + n * i / steps, b = from + n * (i + 1) / steps;
        double at = l->tiles > 1 ? 0.5 * (double)(a + b - 1) / (double)(l->tiles - 1) : 0.0;
        double blocks = (double)l->most - at * (double)(l->most - l->least);
        add(out, (b - a) * pieces, blocks / (double)pieces);
    }
}

/* One sequence: the tiles of full rounds are whole, the others are split. */
static void plan_one(const load *l, int sms, rc_tiles *out) {
    int64_t whole = l->tiles / sms * sms, pieces = 1;
    if (whole < l->tiles) {
        double at = l->tiles > 1 ? (double)whole / (double)(l->tiles - 1) : 0.0;
        int64_t blocks = l->most - (int64_t)(at * (double)(l->most - l->least));
        pieces = choose_pieces(l->tiles - whole, blocks, sms);
    }
    if (pieces == 1)
        whole = l->tiles;
    add_tiles(out, l, 0, whole, 1);
    add_tiles(out, l, whole, l->tiles, pieces);
}

static int64_t pieces_under(const load *l, double cap) {
    double s = ceil((double)l->most / cap);
    return s < 1.0 ? 1 : s > MOST_PIECES ? MOST_PIECES : (int64_t)s;
}

static double mean_of(const load *l) {
    return 0.5 * (double)(l->most + l->least);
}

static double batch_cost(const load *l, int n, double cap, int sms) {
    double work = 0.0, longest = 0.0, pieces = 0.0;
    for (int i = 0; i < n; i++) {
        int64_t s = pieces_under(&l[i], cap);
        work += (double)l[i].tiles * (mean_of(&l[i]) + BEGIN * (double)s);
        longest = fmax(longest, (double)l[i].most / (double)s + BEGIN);
        pieces += s > 1 ? (double)(l[i].tiles * s) : 0.0;
    }
    return fmax(work / sms + 0.5 * longest, longest) +
           (pieces > 0.0 ? COMBINE + PIECE * pieces : 0.0);
}

static void longest_first(load *l, int n) {
    for (int i = 1; i < n; i++) {
        load x = l[i];
        int at = i;
        for (; at > 0 && l[at - 1].most < x.most; at--)
            l[at] = l[at - 1];
        l[at] = x;
    }
}

/* Several sequences: the longest first, every tile of a sequence in as many pieces. */
static void plan_many(load *l, int n, int sms, rc_tiles *out) {
    static const double shares[] = {2, 1.4, 1, 0.7, 0.5, 0.35, 0.25, 0.125};
    double work = 0.0, best = 1e30, least;
    longest_first(l, n);
    least = batch_cost(l, n, best, sms);
    for (int i = 0; i < n; i++)
        work += (double)l[i].tiles * mean_of(&l[i]);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double cap = fmax(1.0, work / sms * shares[i]), cost = batch_cost(l, n, cap, sms);
        if (cost < 0.98 * least) {
            least = cost;
            best = cap;
        }
    }
    for (int i = 0; i < n; i++)
        add_tiles(out, &l[i], 0, l[i].tiles, pieces_under(&l[i], best));
}

void rc_tiles_plan(const rc_tile_call *calls, int n, int hq, int hkv, int sms, rc_tiles *out) {
    assert(n >= 1 && n <= RC_TILE_CALLS);
    assert(hkv >= 1 && hq >= hkv && sms >= 1);
    load l[RC_TILE_CALLS];
    int64_t group = hq / hkv, tokens = group < TILE_ROWS ? TILE_ROWS / group : 1;
    out->classes = 0;
    for (int i = 0; i < n; i++)
        l[i] = load_of(&calls[i], tokens, hkv);
    if (n == 1)
        plan_one(&l[0], sms, out);
    else
        plan_many(l, n, sms, out);
}

/* ---- the list schedule ---------------------------------------------------------------------- */

enum { LEVELS = 2 * RC_TILE_CLASSES + 4 };

/* SMs that come free at the same time are a level; from the soonest to the latest. */
typedef struct levels {
    int n;
    double at[LEVELS];
    int64_t sms[LEVELS];
} levels;

static void join(levels *l, double at, int64_t sms) {
    int i = l->n;
    while (i > 0 && l->at[i - 1] > at)
        i--;
    if (i > 0 && at - l->at[i - 1] < 1e-9 * at + 1e-12) {
        l->sms[i - 1] += sms;
        return;
    }
    for (int k = l->n++; k > i; k--) {
        l->at[k] = l->at[k - 1];
        l->sms[k] = l->sms[k - 1];
    }
    l->at[i] = at;
    l->sms[i] = sms;
}

/* The soonest SMs take an item each, or rounds of items while they stay the soonest. When these
 * items are done. */
static double take(levels *l, int64_t *items, double blocks) {
    double at = l->at[0];
    int64_t sms = l->sms[0], rounds = 1;
    if (*items < sms) {
        l->sms[0] -= *items;
        join(l, at + blocks, *items);
        *items = 0;
        return at + blocks;
    }
    int64_t most = *items / sms;
    if (l->n == 1)
        rounds = most;
    else if (l->at[1] > at + blocks)
        rounds = (int64_t)fmin((double)most, ceil((l->at[1] - at) / blocks));
    rounds = rounds < 1 ? 1 : rounds;
    for (int k = 1; k < l->n; k++) {
        l->at[k - 1] = l->at[k];
        l->sms[k - 1] = l->sms[k];
    }
    l->n--;
    join(l, at + (double)rounds * blocks, sms);
    *items -= rounds * sms;
    return at + (double)rounds * blocks;
}

/* While all SMs come free within one item's time, a round later they do so in the same order. */
static int64_t skip_rounds(levels *l, int64_t items, int sms, double blocks) {
    if (items < 2 * (int64_t)sms || l->at[l->n - 1] - l->at[0] > blocks)
        return items;
    int64_t rounds = items / sms - 1;
    for (int k = 0; k < l->n; k++)
        l->at[k] += (double)rounds * blocks;
    return items - rounds * sms;
}

double rc_tiles_time(const rc_tiles *t, int sms, int held, double until, int most, double *left) {
    assert(sms >= 1 && held >= 0 && held < sms);
    assert(most >= 1 && most <= sms);
    levels l = {.n = 0};
    double end = 0.0;
    join(&l, 0.0, sms - held);
    if (held > 0)
        join(&l, until, held);
    for (int i = 0; i < t->classes; i++)
        for (int64_t items = t->items[i]; items > 0;) {
            items = skip_rounds(&l, items, sms, t->blocks[i]);
            end = fmax(end, take(&l, &items, t->blocks[i]));
        }
    int64_t idle = 0;
    for (int k = 0; left && k < l.n; k++) {
        idle += l.sms[k];
        if (idle >= most) {
            *left = l.at[k];
            break;
        }
    }
    return end;
}
