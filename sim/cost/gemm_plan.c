/* The plan of a matrix product.
 *
 * The output is cut into tiles, each the work of one SM; where they are fewer than the SMs, each
 * tile's sum over K may be split among several. Of the tiles that the library has, the ones that
 * are done first are taken. As many tiles as there are SMs are a wave, and the last one takes as
 * long as a full one: a product of 133 tiles takes twice as long as one of 132. A chip at work on
 * all SMs is held back a little against one that works on some (`full`: clock and L2). Reading and
 * writing the matrices overlaps with that, the more the more one of the two outweighs the other,
 * and calls that last run into the power limit (`hot`).
 *
 * In fp8 with a scale a row the rows show tiles of 128 x 128 alone, for few tokens, too, and HBM
 * reached less by 64 tokens and fewer. With a scale for each block they show these tiles again, the
 * sums over K split where tiles are few, and a wave that takes longer the more SMs work in it: then
 * `full` is under 1, and `blend` adds up what a wave takes by itself and what a full chip does.
 *
 * The constants are the best fit to the burst rows of results/calibration/{h100-sxm,h200-sxm}
 * (939 and 1,434 products, and 208 by blocks on the H100): robust least squares of log time. Rates
 * are relative to the best that the rows of a store show, so that other parts take their own. What
 * the fit leaves is 2 to 3 % in the median, 10 % at the 95th percentile (by blocks 8 %; fp8 on the
 * H200: 22 %, few tokens).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/gemm_plan.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "sim/cost/series.h"

typedef struct plan_constants {
    double tile_rate; /* of an SM at work on one tile while others idle, of its share of the best */
    double full;      /* how much slower it is when all work */
    double blend;     /* exponent that joins waves with a full chip; 0: the larger of the two */
    double tile;      /* s, a tile's start and end */
    double start;     /* s, of the call */
    double split;     /* s, adding up the parts of a sum that was split */
    double few, many; /* of the best bytes/s: by up to 64 tokens, and by 128 and more */
    double overlap;   /* exponent that joins multiplying with reading */
    double hot;       /* log time a log1p(time / HOT_AFTER) */
    double step;      /* elements of K that are multiplied at once */
    int tiles, splits; /* of the lists below: how many are used, from the first */
} plan_constants;

static const double HOT_AFTER = 30e-3;

static const double tile_of[][2] = {{128, 128}, {64, 64},  {64, 128},  {128, 64},
                                    {64, 256},  {256, 64}, {128, 256}, {256, 128}};
static const double split_of[] = {1, 2, 4, 8};

static const plan_constants bf16 = {.tile_rate = 1.0668,
                                    .full = 1.0608,
                                    .blend = 0.0,
                                    .tile = 0.342e-6,
                                    .start = 2.564e-6,
                                    .split = 3.63e-6,
                                    .few = 0.9888,
                                    .many = 1.0444,
                                    .overlap = 2.466,
                                    .hot = 0.171,
                                    .step = 64,
                                    .tiles = 8,
                                    .splits = 4};
static const plan_constants fp8 = {.tile_rate = 1.2537,
                                   .full = 1.1803,
                                   .blend = 6.272,
                                   .tile = 0.328e-6,
                                   .start = 3.803e-6,
                                   .split = 0.0,
                                   .few = 0.9672,
                                   .many = 1.1641,
                                   .overlap = 2.585,
                                   .hot = 0.1752,
                                   .step = 128,
                                   .tiles = 1,
                                   .splits = 1};

static const plan_constants blocks = {.tile_rate = 1.3607,
                                      .full = 0.6321,
                                      .blend = 1.518,
                                      .tile = 0.734e-6,
                                      .start = 2.987e-6,
                                      .split = 7.25e-6,
                                      .few = 1.0436,
                                      .many = 1.0613,
                                      .overlap = 7.79,
                                      .hot = 0.0883,
                                      .step = 128,
                                      .tiles = 1,
                                      .splits = 3};

int rc_product_type_of(rc_dtype d) {
    return d == RC_BF16 ? 0 : d == RC_FP8 ? 1 : d == RC_FP8_BLOCK ? 2 : RC_PRODUCT_TYPES;
}

double rc_gpu_sms(const char *gpu) {
    /* From the vendor's data sheets; the first name that is part of the driver's. */
    static const struct {
        const char *name;
        double sms;
    } parts[] = {{"H200", 132}, {"H20", 78},   {"H100 PCIe", 114},
                 {"A100", 108}, {"L40S", 142}, {"B200", 148}};
    assert(gpu != NULL);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(gpu, parts[i].name) != NULL)
            return parts[i].sms;
    return 132.0;
}

/* Time of the tiles alone, by the tile and the split that are done first. */
static double multiplying(const rc_product_rates *r, const plan_constants *c, double m, double n,
                          double k) {
    double per_flop = r->sms / (c->tile_rate * r->flops), best = INFINITY, other = 0.0;
    for (int t = 0; t < c->tiles; t++) {
        double bm = tile_of[t][0], bn = tile_of[t][1], tiles = ceil(m / bm) * ceil(n / bn);
        for (int s = 0; s < c->splits; s++) {
            double parts = tiles * split_of[s], steps = ceil(k / (split_of[s] * c->step));
            double one = c->tile + 2.0 * bm * bn * steps * c->step * per_flop;
            double waves = ceil(parts / r->sms) * one + (s > 0 ? c->split : 0.0);
            double full = parts / r->sms * one * c->full, here = rc_most(waves, full);
            if (here >= best)
                continue;
            best = here;
            other = rc_least(waves, full);
        }
    }
    return c->blend > 0.0 ? best * pow(1.0 + pow(other / best, c->blend), 1.0 / c->blend) : best;
}

double rc_gemm_plan(const rc_product_rates *r, rc_dtype d, double m, double n, double k) {
    assert(r != NULL && r->flops > 0.0 && r->bytes > 0.0 && r->sms >= 1.0);
    assert(m >= 1.0 && n >= 1.0 && k >= 1.0);
    static const plan_constants *const of_type[RC_PRODUCT_TYPES] = {&bf16, &fp8, &blocks};
    assert(rc_product_type_of(d) < RC_PRODUCT_TYPES);
    const plan_constants *c = of_type[rc_product_type_of(d)];
    double element = rc_dtype_bytes(d);
    double tokens = rc_least(rc_most(log2(m / 64.0), 0.0), 1.0);
    double rate = r->bytes * c->few * pow(c->many / c->few, tokens);
    double reading = (element * (m * k + n * k) + 2.0 * m * n) / rate;
    double units = multiplying(r, c, m, n, k);
    double larger = rc_most(units, reading), smaller = rc_least(units, reading);
    double t = c->start + larger * pow(1.0 + pow(smaller / larger, c->overlap), 1.0 / c->overlap);
    return log(t) + c->hot * log1p(t / HOT_AFTER);
}
