/* How calls of each op are cut. Tiles are those of the published kernels as far as their times show
 * them: 128 rows of queries, 128 keys where latent attention is materialised and 64 where it is
 * absorbed, 64 heads of one sequence that decodes, 128 outputs of an expert and 16 to 128 of its rows.
 *
 * Scales and noise are near those of the least errors over left-out rows of both Hopper parts
 * (results/published), rounded; `ringcast calibration leave-out` shows what they reach.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/call_plan.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernels/attention_plan.h"
#include "kernels/mla_plan.h"
#include "sim/cost/series.h"
#include "sim/cost/tile_plan.h"

/* SMs of a Hopper chip of the SXM form: the only one that rows of these ops are of. */
static const double SMS = 132.0;

static double of(const rc_axes *at, rc_axis axis) {
    return (double)at->at[axis];
}

static double at_least_one(double x) {
    return rc_most(x, 1.0);
}

/* ---- latent attention ------------------------------------------------------------------------ */

/* Causal, bottom-right, `width` rows of queries times heads and `keys` keys a block; path: blocks of
 * the SM with most; average: blocks an SM; extra: waves. `rows`: of one sequence, of which `share`
 * are one token. */
typedef struct tiling {
    double rows, share, streams; /* streams: sequences, or sequences times heads */
    double queries, all, keys;   /* new ones; all keys; keys a block */
} tiling;

/* Key blocks of the tiles of one stream: tiles see evenly more and more keys. */
static double blocks_of(const tiling *t, double tiles) {
    double first = t->all - t->queries + rc_least(128.0 / t->share, t->queries);
    return tiles * 0.5 * (ceil(first / t->keys) + ceil(t->all / t->keys));
}

static void cut(const tiling *t, rc_call_plan *p) {
    double tiles = ceil(t->rows / 128.0), all = tiles * t->streams;
    double total = blocks_of(t, tiles) * t->streams, longest = ceil(t->all / t->keys);
    double waves = ceil(all / SMS);
    p->average = total / SMS;
    p->path = all <= SMS ? longest : rc_most(longest, waves * total / all);
    p->extra = waves;
}

static void place_latent(const rc_axes *at, rc_call_plan *p) {
    double q = of(at, RC_AXIS_QUERIES), h = of(at, RC_AXIS_QUERY_HEADS);
    double n = of(at, RC_AXIS_SEQUENCES);
    p->at[0] = log(q * h * n);
    p->at[1] = log(of(at, RC_AXIS_KEYS));
    p->at[2] = log(h);
    p->at[3] = log(n);
}

static void mla_prefill(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    const double element = rc_dtype_bytes(type);
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS), n = of(at, RC_AXIS_SEQUENCES);
    double h = of(at, RC_AXIS_QUERY_HEADS), dk = of(at, RC_AXIS_HEAD_K),
           dv = of(at, RC_AXIS_HEAD_V);
    double size = (dk + dv) / 320.0; /* of a head, over that of DeepSeek-V3 */
    cut(&(tiling){q, 1.0, n * h, rc_least(q, k), k, 128.0}, p);
    p->path *= size;
    p->average *= size;
    p->bytes = n * h * (element * k * (dk + dv) + 2.0 * q * (dk + dv));
    place_latent(at, p);
}

/* Our own kernel, whose SMs take tiles as they come free and which splits the keys of tiles that do not fill them
 * (kernels/attention_plan.h). extra: the second kernel; other: its pieces. */
static void mla_prefill_own(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS);
    double tiles = ceil(q / RC_ATTN_ROWS) * of(at, RC_AXIS_QUERY_HEADS) * of(at, RC_AXIS_SEQUENCES);
    mla_prefill(at, type, p);
    p->extra = 0.0;
    if (tiles >= SMS) {
        p->path = p->average;
        return;
    }
    int64_t blocks = (int64_t)ceil(k / RC_ATTN_KEYS);
    int splits = rc_attn_choose_splits((int64_t)tiles, blocks, (int64_t)SMS);
    p->path *= ceil(tiles * splits / SMS) / splits;
    p->extra = splits > 1 ? 1.0 : 0.0;
    p->other = splits > 1 ? tiles * splits : 0.0;
}

static void mla_absorbed(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    const double element = rc_dtype_bytes(type);
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS), n = of(at, RC_AXIS_SEQUENCES);
    double h = of(at, RC_AXIS_QUERY_HEADS), dk = of(at, RC_AXIS_HEAD_K),
           dv = of(at, RC_AXIS_HEAD_V);
    double size = (dk + dv) / 1088.0;
    cut(&(tiling){q * h, h, n, rc_least(q, k), k, 64.0}, p);
    p->path *= size;
    p->average *= size;
    p->bytes = n * (element * k * dk + 2.0 * q * h * (dk + dv));
    place_latent(at, p);
}

/* 64 heads of a sequence are a unit, its keys split among the SMs that units leave free. */
static void mla_decode(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    const double element = rc_dtype_bytes(type);
    double b = of(at, RC_AXIS_BATCH), k = of(at, RC_AXIS_CONTEXT);
    double h = of(at, RC_AXIS_QUERY_HEADS), dk = of(at, RC_AXIS_HEAD_K),
           dv = of(at, RC_AXIS_HEAD_V);
    double units = b * ceil(h / 64.0), blocks = ceil(k / 64.0), size = (dk + dv) / 1088.0;
    double splits = rc_least(at_least_one(floor(SMS / units)), blocks);
    p->extra = ceil(units * splits / SMS);
    p->path = size * p->extra * ceil(blocks / splits);
    p->average = size * units * blocks / SMS;
    p->other = splits > 1.0 ? units * splits : 0.0;
    p->bytes = b * (element * k * dk + 2.0 * h * (dk + dv));
    p->at[0] = log(b);
    p->at[1] = log(k);
    p->at[2] = log(h);
    p->at[3] = log(b * k);
    p->at[4] = log(b * h);
}

/* Our own kernel (kernels/mla_plan.h): blocks of 32 keys. extra: the second kernel; other: rows of its pieces. */
static void mla_decode_own(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    double b = of(at, RC_AXIS_BATCH), k = of(at, RC_AXIS_CONTEXT), h = of(at, RC_AXIS_QUERY_HEADS);
    double units = b * ceil(h / RC_MLA_ROWS), blocks = ceil(k / RC_MLA_KEYS);
    double size = (of(at, RC_AXIS_HEAD_K) + of(at, RC_AXIS_HEAD_V)) / 1088.0;
    mla_decode(at, type, p);
    double splits = rc_mla_choose_splits((int64_t)units, (int64_t)blocks, (int64_t)SMS);
    p->path = size * ceil(units * splits / SMS) * ceil(blocks / splits);
    p->average = size * units * blocks / SMS;
    p->extra = splits > 1.0 ? 1.0 : 0.0;
    p->other = splits > 1.0 ? splits * b * h : 0.0;
}

/* Published products in bf16 ran on inputs that lay in L2 where they fit there: of a call of up to
 * IN_L2 bytes a byte takes L2_SHARE of what it takes of one of OUT_OF_L2 and more. Written lines count
 * for a quarter more, for they are kept until they are written back. */
static const double IN_L2 = 34e6, OUT_OF_L2 = 52e6, L2_SHARE = 0.3, WRITTEN = 0.25;

static double beside_l2(double bytes, double written) {
    double beyond = (bytes + WRITTEN * written - IN_L2) / (OUT_OF_L2 - IN_L2);
    double out = rc_most(rc_least(beyond, 1.0), 0.0);
    return bytes * (L2_SHARE + (1.0 - L2_SHARE) * out);
}

/* Products of 128 x 128 tiles; steps of 64 along the sum. */
static void mla_bmm(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    const double element = rc_dtype_bytes(type);
    double t = of(at, RC_AXIS_TOKENS), n = of(at, RC_AXIS_OUTPUTS), k = of(at, RC_AXIS_INPUTS);
    double h = of(at, RC_AXIS_HEADS), tiles = ceil(t / 128.0) * ceil(n / 128.0) * h;
    double written = 2.0 * h * t * n, bytes = element * h * (t * k + n * k) + written;
    p->path = ceil(tiles / SMS) * k / 64.0;
    p->average = tiles / SMS * k / 64.0;
    p->bytes = element < 2.0 ? bytes : beside_l2(bytes, written);
    p->at[0] = log(t);
    p->at[1] = log(h);
    p->at[2] = log(n);
    p->at[3] = log(t * h);
}

/* ---- experts --------------------------------------------------------------------------------- */

/* Both products of all experts that rows go to, dealt out evenly: the tile is the one of 16 to 128
 * rows that is done first. extra: elements of the tokens that come; other: of all their chosen pairs,
 * which kernels gather and add up whether their experts are on this GPU or not. */
static void moe_ffn(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    const double element = rc_dtype_bytes(type);
    double m = of(at, RC_AXIS_ROWS), d = of(at, RC_AXIS_INPUTS), w = of(at, RC_AXIS_WIDTH);
    double experts = at_least_one(of(at, RC_AXIS_EXPERTS)), k = at_least_one(of(at, RC_AXIS_TOP_K));
    double tokens = of(at, RC_AXIS_ENTERING) > 0.0 ? of(at, RC_AXIS_ENTERING) : m / k;
    double hit = rc_least(m, experts), best = INFINITY;
    for (int rows = 16; rows <= 128; rows *= 2) {
        double tiles = ceil(m / hit / rows) * hit;
        double steps =
            ceil(tiles * ceil(w / 64.0) / SMS) * d + ceil(tiles * ceil(d / 128.0) / SMS) * w;
        double time = steps * (rows + 16.0);
        if (time < best) {
            best = time;
            p->average = tiles * rows * 3.0 * w * d / 128.0 / SMS / 4096.0;
        }
    }
    p->path = best / 4096.0;
    p->bytes = element * (hit * 3.0 * d * w + m * (d + w)) + 2.0 * m * (2.0 * d + 3.0 * w);
    p->extra = tokens * d * 1e-3;
    p->other = tokens * k * (d + w) * 1e-3;
    p->at[0] = log(m);
    p->at[1] = log(d);
    p->at[2] = log(w);
    p->at[3] = log(experts);
    p->at[4] = log(at_least_one(tokens * k / m));
}

/* Our own kernel under scales of blocks (kernels/grouped.cu): tiles of WHOLE rows and columns, or of HALF the rows
 * where fewer are left, by stages of STAGE elements of the sum. */
enum { WHOLE = 128, HALF = 64, STAGE = 128 };

/* Chosen by the errors of rows left out, not measured by themselves, so that those errors are on the good side.
 * Of a tile's stages: its first loads and last stores take as long as so many more; a half takes so much of
 * a whole one, and as much again where every SM has one, for then they wait for one another's loads. */
static const double AROUND = 3.0, HALF_TILE = 0.5;

/* One of the products: rows dealt to experts in turn, k elements summed up to each of n outputs. */
typedef struct grouped {
    double rows, experts, n, k;
} grouped;

/* Adds stages: of the SM with most to the path, of all over the SMs to the average. SMs take tiles by turns, so
 * that those of one expert's last, half tiles do not make up for the others' whole ones. */
static void add_grouped(const grouped *g, rc_call_plan *p) {
    double each = floor(g->rows / g->experts), more = g->rows - each * g->experts;
    double deep = more * ceil((each + 1.0) / WHOLE) + (g->experts - more) * ceil(each / WHOLE);
    double tiles = ceil(g->n / WHOLE) * deep, stages = ceil(g->k / STAGE) + AROUND;
    if (each < HALF)
        stages *= HALF_TILE * (1.0 + rc_least(tiles / SMS, 1.0));
    p->path += ceil(tiles / SMS) * stages;
    p->average += tiles / SMS * stages;
}

/* Where an expert ends with half a tile behind whole ones, its weights count twice, as if SMs with halves ran ahead and
 * fetched them by themselves. That is inferred: 8,192 rows on 48 experts of DeepSeek-V3 take 1,817 us, 16,384 rows
 * 2,233. extra: bytes of the passes
 * over rows before, between and behind the products; other: pairs of the tokens that come, each of which is
 * looked up. */
static void moe_ffn_blocks(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    const double element = rc_dtype_bytes(type);
    double m = of(at, RC_AXIS_ROWS), d = of(at, RC_AXIS_INPUTS), w = of(at, RC_AXIS_WIDTH);
    double experts = at_least_one(of(at, RC_AXIS_EXPERTS)), hit = rc_least(m, experts);
    double k = at_least_one(of(at, RC_AXIS_TOP_K)), each = ceil(m / experts);
    double tokens = of(at, RC_AXIS_ENTERING) > 0.0 ? of(at, RC_AXIS_ENTERING) : m / k;
    double left = each - floor(each / WHOLE) * WHOLE;
    double fetched = each > WHOLE && left > 0.0 && left <= HALF ? 2.0 : 1.0;
    moe_ffn(at, type, p);
    p->path = p->average = 0.0;
    add_grouped(&(grouped){m, experts, 2.0 * w, d}, p);
    add_grouped(&(grouped){m, experts, d, w}, p);
    p->bytes = element * (fetched * hit * 3.0 * d * w + m * (d + w)) + 2.0 * m * (d + 2.0 * w);
    p->extra = tokens * d * 4.0 + m * (d * (element + 2.0) + w * (4.0 + element));
    p->other = tokens * k;
}

/* Tokens to the other GPUs that have one of their experts. path: copies; average: tokens; extra:
 * experts. */
static void transfer(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    const double element = rc_dtype_bytes(type);
    double t = of(at, RC_AXIS_TOKENS), d = of(at, RC_AXIS_WIDTH), e = of(at, RC_AXIS_EXPERTS);
    double k = of(at, RC_AXIS_TOP_K), copies = rc_expert_ranks(e, k, of(at, RC_AXIS_RANKS));
    p->path = t * copies;
    p->average = t;
    p->bytes = element * t * copies * d;
    p->extra = e;
    p->at[0] = log(t);
    p->at[1] = log(d);
    p->at[2] = log(rc_most(copies, 1e-3));
    p->at[3] = log(e);
    p->at[4] = log(k);
}

/* ---- sparse attention ------------------------------------------------------------------------- */

static double pairs_of(const rc_axes *at) {
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS);
    return of(at, RC_AXIS_SEQUENCES) * (q * (k - q) + q * (q + 1.0) / 2.0);
}

static void place_selection(const rc_axes *at, rc_call_plan *p) {
    p->at[0] = log(of(at, RC_AXIS_QUERIES) * of(at, RC_AXIS_SEQUENCES));
    p->at[1] = log(of(at, RC_AXIS_KEYS));
    p->at[2] = log(of(at, RC_AXIS_SEQUENCES));
}

/* path: products of a query's head with a key, in those of GLM-5's 32 heads of 128. Sequences of one
 * launch are laid side by side: average counts all queries against all keys. */
static void dsa_index(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    const double element = rc_dtype_bytes(type);
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS), n = of(at, RC_AXIS_SEQUENCES);
    double heads = of(at, RC_AXIS_HEADS), d = of(at, RC_AXIS_HEAD_K), pairs = pairs_of(at);
    p->path = pairs * heads * d / 4096.0;
    p->average = n * q * n * k;
    p->bytes = 4.0 * pairs + n * k * (element * d + 4.0);
    place_selection(at, p);
}

/* path: queries; average: pairs; extra: waves of queries. */
static void dsa_topk(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    double q = of(at, RC_AXIS_QUERIES) * of(at, RC_AXIS_SEQUENCES);
    (void)type;
    p->path = q;
    p->average = pairs_of(at);
    p->bytes = 4.0 * p->average;
    p->extra = ceil(q / SMS);
    place_selection(at, p);
}

/* A query is the work of one SM. */
static void dsa_attention(const rc_axes *at, rc_dtype type, rc_call_plan *p) {
    const double element = rc_dtype_bytes(type);
    double q = of(at, RC_AXIS_QUERIES), kept = of(at, RC_AXIS_KEPT),
           h = of(at, RC_AXIS_QUERY_HEADS);
    double dk = of(at, RC_AXIS_HEAD_K), dv = of(at, RC_AXIS_HEAD_V);
    double size = kept / 2048.0 * ceil(h / 64.0) * (dk + dv) / 1088.0;
    p->path = ceil(q / SMS) * size;
    p->average = q / SMS * size;
    p->bytes = element * q * kept * dk + 2.0 * q * h * (dk + dv);
    p->at[0] = log(q);
    p->at[1] = log(kept);
    p->at[2] = log(h);
}

/* ---- the table -------------------------------------------------------------------------------- */

/* Of several kinds of an op the first whose rows they are. */
static const rc_call_kind kinds[] = {
    {"mla_prefill",
     mla_prefill_own,
     {5e-6, 2.3e-6, 1.9e-6, 2e12, 4e-6, 5e-9},
     {1.3, 0.9, 4.5, 4.5},
     2.3e-3,
     true,
     false},
    {"mla_prefill",
     mla_prefill,
     {14e-6, 2.3e-6, 2.4e-6, 2e12, 1e-6, 1e-9},
     {1.3, 0.9, 4.5, 4.5},
     2.3e-3,
     false,
     false},
    {"mla_absorbed",
     mla_absorbed,
     {6.5e-6, 1.8e-6, 4e-6, 2.2e12, 4.5e-6, 1e-9},
     {1.3, 2.0, 3.0, 4.5},
     2.3e-3,
     false,
     false},
    {"mla_decode",
     mla_decode_own,
     {7e-6, 1.05e-6, 1.05e-6, 3.1e12, 3e-6, 5e-10},
     {3.0, 2.3, 2.0, 2.0, 7.0},
     1e-3,
     true,
     false},
    {"mla_decode",
     mla_decode,
     {7.5e-6, 4.5e-8, 2e-6, 3e12, 4.7e-6, 1e-9},
     {3.0, 2.3, 2.0, 2.0, 7.0},
     1e-3,
     false,
     false},
    {"mla_bmm",
     mla_bmm,
     {3.5e-6, 1.4e-7, 9.7e-7, 3e12, 1e-8, 1e-9},
     {3.0, 0.9, 6.0, 4.5},
     1.5e-3,
     false,
     false},
    {"moe_ffn",
     moe_ffn_blocks,
     {15e-6, 4.5e-7, 4.5e-7, 2.7e12, 4e-13, 1e-10},
     {2.5, 1.2, 1.5, 1.8, 1.3},
     2e-3,
     true,
     true},
    {"moe_ffn",
     moe_ffn,
     {35e-6, 6e-8, 2.5e-7, 2.8e12, 6e-9, 1e-9},
     {2.5, 1.2, 1.5, 1.8, 1.3},
     2e-3,
     false,
     false},
    {"ep_dispatch",
     transfer,
     {20e-6, 1e-10, 1e-9, 2.5e11, 1e-9, 1e-9},
     {4.5, 1.0, 2.0, 4.0, 4.0},
     1e-3,
     false,
     false},
    {"ep_combine",
     transfer,
     {20e-6, 1e-10, 1e-9, 2.5e11, 1e-9, 1e-9},
     {4.5, 1.0, 2.0, 4.0, 4.0},
     1e-3,
     false,
     false},
    {"dsa_index",
     dsa_index,
     {5e-6, 9e-12, 2e-14, 1e12, 1e-8, 1e-9},
     {2.0, 3.0, 3.0},
     1.5e-3,
     false,
     false},
    {"dsa_topk",
     dsa_topk,
     {7e-6, 1e-12, 4e-12, 2.7e12, 5e-6, 1e-9},
     {4.5, 0.9, 4.5},
     1e-3,
     false,
     false},
    {"dsa_attention",
     dsa_attention,
     {6e-6, 6e-5, 5.5e-5, 2e13, 1e-8, 1e-9},
     {4.5, 3.0, 3.0},
     2.3e-3,
     false,
     false},
};

const rc_call_kind *rc_call_kind_of(rc_op op, rc_dtype d, rc_basis basis) {
    const char *name = rc_op_info_of(op)->name;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].op, name) == 0 && (!kinds[i].own || basis == RC_MEASURED) &&
            (!kinds[i].blocks || d == RC_FP8_BLOCK))
            return &kinds[i];
    return NULL;
}

void rc_call_scaled(const rc_call_kind *kind, const rc_axes *at, rc_dtype type, rc_call_plan *out) {
    assert(kind != NULL && at != NULL && out != NULL);
    *out = (rc_call_plan){.path = 0.0};
    kind->of(at, type, out);
    for (int k = 0; k < RC_CALL_AXES && kind->scale[k] > 0.0; k++)
        out->at[k] /= kind->scale[k];
}

enum { START, PATH, AVERAGE, RATE, EXTRA, OTHER };

double rc_call_time(const rc_call_plan *p, const double c[RC_CALL_CONSTANTS]) {
    assert(p != NULL && c != NULL && c[RATE] > 0.0);
    double units = rc_smooth8(c[PATH] * p->path, c[AVERAGE] * p->average);
    return log(c[START] + rc_smooth4(units, p->bytes / c[RATE]) + c[EXTRA] * p->extra +
               c[OTHER] * p->other);
}
