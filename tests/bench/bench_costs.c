/* Costs: opening them, and look-ups a second on one core, by rule.
 *
 *   bench_costs [LOOK-UPS]    of each rule (default 200000)
 *
 * `found` opens a base and clock state whose book is compiled in, `made` one whose book is built
 * from the rows that are compiled in; their ratio is what start-up saves. Look-ups are of GTT, of
 * sizes drawn log-uniformly: `product` of shapes that were measured, `other shape` of shapes
 * between them, `causal` behind a prefix. Grids are asked where their curves stand apart and the
 * same with every curve evaluated; the ratio is what marking saves.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/cost/builtin.h"
#include "sim/cost/cost.h"

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t seed = 7;

static double uniform(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-53;
}

static int64_t size_up_to(double most) {
    return (int64_t)exp(uniform() * log(most));
}

static double to_open(const rc_machine *m, int times) {
    double start = now();
    for (int i = 0; i < times; i++) {
        rc_costs *c = NULL;
        if (rc_costs_open(NULL, m, &c, NULL) != RC_OK)
            exit(3);
        rc_costs_close(c);
    }
    return (now() - start) / times;
}

enum { PRODUCT, OTHER_SHAPE, FULL, SQUARE, CAUSAL, DECODE, MERGE, NORM, ALL_REDUCE, KINDS };
static const char *const kinds[KINDS] = {"product", "other shape", "full", "square",    "causal",
                                         "decode",  "merge",       "norm", "all-reduce"};

static rc_status look_up(const rc_costs *c, int kind, rc_cost *out) {
    static const rc_heads heads = {16, 1, 128, 128};
    int64_t t = size_up_to(131072);
    rc_axes norm = {{[RC_AXIS_TOKENS] = t, [RC_AXIS_WIDTH] = 16384}};
    switch (kind) {
    case PRODUCT:
        return rc_cost_gemm(c, RC_FP8, t, 13312, 16384, out, NULL);
    case OTHER_SHAPE:
        return rc_cost_gemm(c, RC_BF16, t, 1 + size_up_to(3e4), 1 + size_up_to(3e4), out, NULL);
    case FULL:
        return rc_cost_attention(c, RC_BF16, 0, t, size_up_to(1e6), heads, out, NULL);
    case SQUARE:
        return rc_cost_attention(c, RC_BF16, 1, t, t, heads, out, NULL);
    case CAUSAL:
        return rc_cost_attention(c, RC_BF16, 1, t, t + size_up_to(1e6), heads, out, NULL);
    case DECODE:
        return rc_cost_decode(c, RC_BF16, size_up_to(256), size_up_to(1e6), heads, out, NULL);
    case MERGE:
        return rc_cost_merge(c, t, 2 + (int)(uniform() * 14.0), 128, out, NULL);
    case NORM:
        return rc_cost_named(c, "rmsnorm_fp8", RC_BF16, &norm, out, NULL);
    default:
        return rc_cost_collective(
            c, "all_reduce", &(rc_transfer){.bytes = (double)t * 32768.0, .ranks = 8, .nodes = 1},
            out, NULL);
    }
}

static void rules(const rc_costs *c, long count) {
    (void)printf("# look-up         ns  M look-ups/s\n");
    for (int kind = 0; kind < KINDS; kind++) {
        rc_cost out;
        double start = now();
        for (long i = 0; i < count; i++)
            if (look_up(c, kind, &out) != RC_OK)
                exit(3);
        double each = (now() - start) / (double)count;
        (void)printf("  %-11s %8.0f %13.2f\n", kinds[kind], 1e9 * each, 1e-6 / each);
    }
}

static double to_ask(const rc_curves *c, long count) {
    double start = now(), sum = 0.0;
    for (long i = 0; i < count; i++) {
        rc_probe p;
        rc_grid_at(c, log(1000.0) + uniform() * 3.0, log(10000.0) + uniform() * 3.0, &p);
        sum += p.y;
    }
    return isfinite(sum) ? (now() - start) / (double)count : 0.0;
}

static void grids(long count) {
    size_t n;
    const rc_book *book = rc_builtin_book("h100-sxm", "sustained");
    const rc_grid *g = book != NULL ? rc_book_grids(book, RC_COST_FULL, &n) : NULL;
    if (g == NULL)
        exit(3);
    rc_curves all = g->curves;
    memset(all.apart, 0, sizeof all.apart);
    double two = to_ask(&g->curves, count), every = to_ask(&all, count);
    (void)printf("# grid of %zu curves: marked %.0f ns, all %.0f ns, ratio %.1f\n", g->curves.n,
                 1e9 * two, 1e9 * every, every / two);
}

int main(int argc, char **argv) {
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 200000;
    rc_machine m;
    rc_costs *c = NULL;
    rc_error err = {0};
    if (count < 1 || rc_machine_load("scenarios/machines/gtt.yaml", &m, &err) != RC_OK ||
        rc_costs_open(NULL, &m, &c, &err) != RC_OK) {
        (void)fprintf(stderr, "bench_costs: %s (from the root of the source)\n", err.msg);
        return 2;
    }
    double found = to_open(&m, 1000);
    rules(c, count);
    grids(count);
    (void)snprintf(m.state, sizeof m.state, "burst");
    double made = to_open(&m, 3);
    (void)printf("# opening: found %.2f us, made %.1f ms, ratio %.0f\n", 1e6 * found, 1e3 * made,
                 made / found);
    rc_costs_close(c);
    return 0;
}
