/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/tiles.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

#include "kernels/attention_plan.h"
#include "kernels/deal_plan.h"

/* Tiles of a causal sequence differ in length: by this many steps at most. */
enum { STEPS = 4 };

/* ---- the plan ------------------------------------------------------------------------------- */

static double lightest(const rc_attn_load *l) {
    return 2.0 * l->mean - (double)l->most;
}

/* Key blocks of the tile that stands `at` (0: the heaviest, 1: the lightest). */
static double blocks_at(const rc_attn_load *l, double at) {
    return (double)l->most - at * ((double)l->most - lightest(l));
}

static void add(rc_tiles *out, int64_t items, double blocks) {
    if (items < 1)
        return;
    out->items[out->classes] = items;
    out->blocks[out->classes++] = blocks + RC_ATTN_START;
}

/* Tiles [from, to) of a load, whole or each in so many pieces. */
static void add_tiles(rc_tiles *out, const rc_attn_load *l, int64_t from, int64_t to, int pieces) {
    bool alike = !((double)l->most > lightest(l));
    int64_t n = to - from, steps = alike ? 1 : n < STEPS ? n : STEPS;
    for (int64_t i = 0; i < steps; i++) {
        int64_t a = from + n * i / steps, b = from + n * (i + 1) / steps;
        double at = l->tiles > 1 ? 0.5 * (double)(a + b - 1) / (double)(l->tiles - 1) : 0.0;
        add(out, (b - a) * pieces, blocks_at(l, at) / pieces);
    }
}

/* One sequence: the tiles of full rounds are whole, the others are split. */
static void plan_one(const rc_attn_load *l, int sms, rc_tiles *out) {
    int64_t whole = l->tiles / sms * sms;
    int pieces = 1;
    if (whole < l->tiles) {
        double at = l->tiles > 1 ? (double)whole / (double)(l->tiles - 1) : 0.0;
        pieces = rc_attn_choose_splits(l->tiles - whole, (int64_t)ceil(blocks_at(l, at)), sms);
    }
    if (pieces == 1)
        whole = l->tiles;
    add_tiles(out, l, 0, whole, 1);
    add_tiles(out, l, whole, l->tiles, pieces);
}

static void longest_first(rc_attn_load *l, int n) {
    for (int i = 1; i < n; i++) {
        rc_attn_load x = l[i];
        int at = i;
        for (; at > 0 && l[at - 1].most < x.most; at--)
            l[at] = l[at - 1];
        l[at] = x;
    }
}

/* Several sequences: the longest first, every tile of a sequence in as many pieces. */
static void plan_many(rc_attn_load *l, int n, int sms, rc_tiles *out) {
    longest_first(l, n);
    double cap = rc_attn_choose_cap(l, n, sms);
    for (int i = 0; i < n; i++)
        add_tiles(out, &l[i], 0, l[i].tiles, rc_attn_splits_under(&l[i], cap));
}

void rc_tiles_plan(const rc_tile_call *calls, int n, int hq, int hkv, int sms, rc_tiles *out) {
    assert(n >= 1 && n <= RC_TILE_CALLS);
    assert(hkv >= 1 && hq >= hkv && sms >= 1);
    rc_attn_load l[RC_TILE_CALLS];
    int64_t tokens = rc_attn_tile_tokens(hq / hkv);
    out->classes = 0;
    for (int i = 0; i < n; i++)
        l[i] = rc_attn_load_of(calls[i].causal, i, calls[i].tq, calls[i].tk, tokens, hkv);
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

/* ---- decode --------------------------------------------------------------------------------- */

/* CTAs that are done before SMs go idle, of `ctas` that go two to an SM of `sms`. */
static int64_t before_idle(int64_t ctas, int64_t sms) {
    int64_t rounds = ctas / (RC_DECODE_CTAS * sms), more = ctas % (RC_DECODE_CTAS * sms);
    int64_t full = rounds * RC_DECODE_CTAS * sms;
    if (more == 0)
        return ctas;
    return more > sms || rounds == 0 ? full + (more < sms ? more : sms) : full;
}

double rc_tiles_decode_left(const rc_tile_decode *d, int sms, int all, int most) {
    assert(d->batch >= 1 && d->keys >= 1 && d->row >= 1);
    assert(d->hkv >= 1 && d->hq >= d->hkv && sms >= 1 && sms <= all);
    int64_t units = d->batch * d->hkv, idle;
    int64_t splits = rc_decode_choose_splits(units, d->keys, d->row, sms, RC_DECODE_VERSION);
    int64_t ctas = units * splits;
    if (ctas > sms)
        return all - sms >= most ? 0.0 : (double)before_idle(ctas, sms) / (double)ctas;
    idle = all - ctas - (splits > 1 ? d->batch * d->hq : 0);
    return idle >= most ? 0.0 : 1.0;
}

bool rc_tiles_decode_fills(int64_t keys, int hkv, int sms) {
    assert(keys >= 0 && hkv >= 1 && sms >= 1);
    const int64_t pieces = (keys + RC_DECODE_DEAL_LEAST - 1) / RC_DECODE_DEAL_LEAST;
    return pieces > (sms - RC_CLUSTER_IDLE) / hkv;
}
