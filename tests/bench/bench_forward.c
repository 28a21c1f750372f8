/* Forward passes a second on one core, Llama 3.1 405B with TP8 on GTT unless others are named: by phase, variant and N,
 * over a sweep of T and P, folded, without draws; which path each point took; whether a sample is
 * equal to every layer and every GPU as events, to the tick, and how much faster it is.
 *
 *   bench_forward [POINTS [MODEL MACHINE]]    a (variant, N) cell has so many (default 2000)
 *
 * T is log-uniform from 128 (256 at N = 16) to 128K and P is 0 or log-uniform from 1K to 1M - T,
 * any integer: most points cut unevenly over the ranks, which is the harder case. Points that do
 * not fit in memory are drawn again. Each cell is walked twice with one context: `drawn` includes
 * compiling the schedule and every look-up of costs, `grid` walks 64 values of T by POINTS/64 of P,
 * as a sweep does, and `warm` the same points once more.
 *
 * Then passes with their breakdown, up to 4,096 ranks (32,768 GPUs).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
#include <time.h>
#include "sim/base/find.h"
#include "sim/engine/engine.h"
#include "sim/forward/forward.h"
#include "sim/forward/scenario.h"
#include "sim/schedule/pass_memory.h"

enum { MOST_RANKS = 16, SAMPLE = 4, GRID = 64 };

typedef struct bench {
    rc_model model;
    rc_machine machine;
    rc_costs *costs;
    rc_forward_ctx *ctx;
    rc_sequence *seqs; /* [points] */
    size_t points;
    rc_rng rng;
} bench;

typedef struct tally {
    double seconds, slow_seconds, layers;
    size_t points, replayed, equal, sampled;
} tally;

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t log_uniform(rc_rng *rng, double lo, double hi) {
    return (int64_t)(lo * pow(hi / lo, rc_rng_uniform(rng)));
}

static rc_spec spec_of(const bench *b, const char *variant, int n, rc_phase phase,
                       const rc_sequence *seq) {
    return (rc_spec){.model = &b->model,
                     .costs = b->costs,
                     .layout = {.tp = 8,
                                .cp = n,
                                .attn_weights = RC_BF16,
                                .ffn_weights = RC_FP8,
                                .ep = b->model.kind[b->model.kinds - 1].experts.count > 0 ? 8 : 0,
                                .act = RC_BF16,
                                .kv = RC_BF16},
                     .phase = phase,
                     .schedule = rc_schedule_named(variant),
                     .seqs = seq,
                     .seq_count = 1,
                     .eager = phase == RC_PREFILL,
                     .serial_ring = phase == RC_DECODE,
                     .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
}

static rc_sequence draw(bench *b, rc_phase phase, int n) {
    rc_sequence s = {1, 0};
    if (phase == RC_DECODE) {
        s.p = log_uniform(&b->rng, 1e3, 1e6);
        return s;
    }
    s.t = log_uniform(&b->rng, n < 16 ? 128 : 256, 128e3);
    s.p = rc_rng_below(&b->rng, 4) == 0 ? 0 : log_uniform(&b->rng, 1e3, 1e6);
    return s;
}

static void draw_points(bench *b, const char *variant, int n, rc_phase phase) {
    rc_memory mem;
    for (size_t i = 0; i < b->points;) {
        rc_spec spec = spec_of(b, variant, n, phase, &b->seqs[i]);
        b->seqs[i] = draw(b, phase, n);
        if (rc_pass_memory(spec.schedule, &b->model, &spec.layout, b->seqs[i].t, b->seqs[i].p, 1,
                           rc_machine_usable(&b->machine), &mem, NULL) == RC_OK &&
            mem.total <= mem.capacity)
            i++;
    }
}

/* The drawn points' values of T and P, crossed. */
static void make_grid(bench *b, int n, const char *variant, rc_phase phase) {
    rc_memory mem;
    rc_spec spec = spec_of(b, variant, n, phase, NULL);
    for (size_t i = 0; i < b->points; i++) {
        rc_sequence s = {b->seqs[i % GRID].t, b->seqs[i - i % GRID].p};
        if (rc_pass_memory(spec.schedule, &b->model, &spec.layout, s.t, s.p, 1,
                           rc_machine_usable(&b->machine), &mem, NULL) == RC_OK &&
            mem.total <= mem.capacity)
            b->seqs[i].t = s.t, b->seqs[i].p = s.p;
    }
}

static void walk(bench *b, const char *variant, int n, rc_phase phase, tally *t) {
    double start = now();
    for (size_t i = 0; i < b->points; i++) {
        rc_spec spec = spec_of(b, variant, n, phase, &b->seqs[i]);
        rc_forward_timing out;
        rc_error err = {0};
        if (rc_forward_time(b->ctx, &spec, &out, &err) != RC_OK) {
            (void)fprintf(stderr, "%s N %d T %lld P %lld: %s\n", variant, n,
                          (long long)b->seqs[i].t, (long long)b->seqs[i].p, err.msg);
            exit(1);
        }
        t->points++;
        t->replayed += out.path == RC_PATH_REPLAY;
        t->layers += out.layers;
    }
    t->seconds += now() - start;
}

/* Some of the points, every layer and GPU as events. */
static void sample(bench *b, const char *variant, int n, rc_phase phase, tally *t) {
    for (size_t i = 0; i < SAMPLE; i++) {
        rc_spec spec = spec_of(b, variant, n, phase, &b->seqs[i * b->points / SAMPLE]);
        rc_forward_timing out;
        rc_forward whole;
        double start = now();
        spec.unfold = true;
        bool fine = rc_forward_run(&spec, &whole, NULL) == RC_OK;
        t->slow_seconds += now() - start;
        fine = fine && rc_forward_time(b->ctx, &spec, &out, NULL) == RC_OK;
        t->equal += fine && out.ticks == whole.ticks;
        t->sampled++;
    }
}

static void add(tally *sum, const tally *t) {
    sum->seconds += t->seconds;
    sum->slow_seconds += t->slow_seconds;
    sum->layers += t->layers;
    sum->points += t->points;
    sum->replayed += t->replayed;
    sum->equal += t->equal;
    sum->sampled += t->sampled;
}

static void print(const char *phase, const char *variant, const char *n, const tally *t) {
    const tally *drawn = &t[0], *grid = &t[1], *warm = &t[2];
    double us = 1e6 * drawn->seconds / (double)drawn->points;
    (void)printf("  %-8s %-13s %3s %9.0f %9.0f %9.0f %8.1f %7.1f %8.1f %5zu/%zu %9.0f\n", phase,
                 variant, n, 1e6 / us, (double)grid->points / grid->seconds,
                 (double)warm->points / warm->seconds, us, drawn->layers / (double)drawn->points,
                 100.0 * (double)drawn->replayed / (double)drawn->points, drawn->equal,
                 drawn->sampled, drawn->slow_seconds / (double)drawn->sampled / (1e-6 * us));
}

static void cell(bench *b, rc_phase phase, const char *variant, int n, tally *sum) {
    tally t[3] = {{.points = 0}};
    char ranks[8];
    draw_points(b, variant, n, phase);
    walk(b, variant, n, phase, &t[0]);
    sample(b, variant, n, phase, &t[0]);
    make_grid(b, n, variant, phase);
    walk(b, variant, n, phase, &t[1]);
    walk(b, variant, n, phase, &t[2]);
    (void)snprintf(ranks, sizeof ranks, "%d", n);
    print(phase == RC_PREFILL ? "prefill" : "decode", variant, ranks, t);
    (void)fflush(stdout);
    for (int i = 0; i < 3; i++)
        add(&sum[i], &t[i]);
}

static void sweep(bench *b) {
    static const char *const prefill[] = {"tp", "pass-kv", "pass-q"};
    tally all[3] = {{.points = 0}};
    (void)printf("# %s on %s, TP8, %zu points a row; points/s of one core\n"
                 "# phase    variant         N     drawn      grid      warm  us/point  layers "
                 "replayed  equal   speed-up\n",
                 b->model.name, b->machine.name, b->points);
    for (int phase = 0; phase < 2; phase++) {
        for (int v = 0; v < 3; v++) {
            tally sum[3] = {{.points = 0}};
            rc_phase p = phase == 0 ? RC_PREFILL : RC_DECODE;
            if (p == RC_DECODE && v == 1)
                continue;
            for (int n = v == 0 ? 1 : 2; n <= (v == 0 ? 1 : MOST_RANKS); n++)
                cell(b, p, prefill[v], n, sum);
            if (v > 0)
                print(phase == 0 ? "prefill" : "decode", prefill[v], "all", sum);
            for (int i = 0; i < 3; i++)
                add(&all[i], &sum[i]);
        }
    }
    print("all", "all", "all", all);
}

/* One pass with its breakdown, 32K tokens a rank; and what one draw adds to it. */
static void breakdown(bench *b, int n) {
    const rc_sequence seq = {32000 * (int64_t)(n < 64 ? n : 64), 0};
    enum { DRAWS = 20, MOST_PLAYED = 16 };
    rc_spec spec = spec_of(b, "pass-kv", n, RC_PREFILL, &seq);
    rc_forward out, played = {0};
    double start = now();
    bool fine = rc_forward_run(&spec, &out, NULL) == RC_OK;
    double one = now() - start;
    spec.draws = DRAWS;
    start = now();
    fine = fine && rc_forward_run(&spec, &out, NULL) == RC_OK;
    double draw = (now() - start - one) / DRAWS;
    spec.draws = 0;
    spec.unfold = true;
    start = now();
    if (fine && n <= MOST_PLAYED)
        fine = rc_forward_run(&spec, &played, NULL) == RC_OK && played.ticks == out.ticks;
    double all = now() - start;
    (void)printf("  %5d %10zu %7d %9.2f %9.3f", n, out.ops, out.layers_simulated, 1e3 * one,
                 1e3 * draw);
    if (n <= MOST_PLAYED)
        (void)printf(" %9.0f %6s", all / one, fine ? "yes" : "NO");
    (void)printf("%s\n", fine || n <= MOST_PLAYED ? "" : "  FAILED");
}

static void breakdowns(bench *b) {
    static const int ranks[] = {4, 16, 64, 128, 512, 4096};
    (void)printf(
        "# pass-kv with its breakdown, TP8: ops of all layers, layers evaluated, CPU time; "
        "speed-up over every GPU and layer as events\n"
        "#     N        ops  layers        ms   ms/draw  speed-up  equal\n");
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++)
        breakdown(b, ranks[i]);
}

int main(int argc, char **argv) {
    bench b = {.points = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000};
    const char *model = argc > 3 ? argv[2] : "llama-3.1-405b",
               *machine = argc > 3 ? argv[3] : "gtt";
    char path[1024];
    rc_error err = {0};
    bool ready =
        b.points >= SAMPLE &&
        rc_share_path("models", model, ".json", path, sizeof path, &err) == RC_OK &&
        rc_model_load(path, &b.model, &err) == RC_OK &&
        rc_share_path("scenarios/machines", machine, ".yaml", path, sizeof path, &err) == RC_OK &&
        rc_machine_load(path, &b.machine, &err) == RC_OK &&
        rc_costs_open(NULL, &b.machine, &b.costs, &err) == RC_OK;
    b.seqs = calloc(b.points + 1, sizeof *b.seqs);
    b.ctx = rc_forward_ctx_create();
    if (ready && b.seqs && b.ctx) {
        rc_rng_seed(&b.rng, 1);
        sweep(&b);
        breakdowns(&b);
    } else {
        (void)fprintf(stderr, "bench_forward: %s\n", err.msg);
        ready = false;
    }
    rc_forward_ctx_destroy(b.ctx);
    rc_costs_close(b.costs);
    free(b.seqs);
    return ready ? 0 : 1;
}
