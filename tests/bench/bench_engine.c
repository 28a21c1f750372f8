/* How fast are pending events, and programs of ops? In one process, so that ratios hold from
 * machine to machine.
 *
 * Pending events: the engine's queue against a plain binary heap.
 *
 *   hold    n events pending; each event that fires schedules one more (Jones, 1986)
 *   M/M/1   a queue at load 0.9: an arrival and a departure for every customer, two events pending
 *
 * Both contenders run the same handlers on the same increments, read from a table drawn beforehand
 * (16384 numbers, 64 KiB): what is timed is the queue and the call, not the logarithm. The plain
 * heap is the textbook's: an array of {time, seq, fn, ctx, arg}, sifted up and down with a hole,
 * compiled and inlined like ours. Every row is the median of several repeats, the contenders taking
 * turns.
 *
 * Programs: a made-up ring of GPUs, eight of which do the same at the same time, through layers
 * that are all alike; once with the ops of all layers written out, once with one layer that is
 * played as often. Times are of building and running together.
 *
 *   bench_engine [seconds per measurement, default 0.15]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "sim/engine/eventq_inline.h"

#define DRAWS 16384u
#define REPEATS 7
#define MEAN 1000.0 /* mean of an increment, ps, times the pending events */

/* ------------------------------------------------------------------ the plain heap -------- */

typedef struct plain_event {
    rc_time time;
    uint64_t seq;
    rc_event_fn fn;
    void *ctx;
    uint64_t arg;
} plain_event;

typedef struct plain_heap {
    plain_event *at;
    size_t n;
    uint64_t seq;
} plain_heap;

static inline bool plain_less(const plain_event *a, const plain_event *b) {
    return a->time < b->time || (a->time == b->time && a->seq < b->seq);
}

static inline void plain_push(plain_heap *h, rc_time at, rc_event_fn fn, void *ctx, uint64_t arg) {
    plain_event e = {at, h->seq++, fn, ctx, arg};
    size_t i = h->n++;
    while (i > 0 && plain_less(&e, &h->at[(i - 1) / 2])) {
        h->at[i] = h->at[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->at[i] = e;
}

static inline bool plain_step(plain_heap *h) {
    if (h->n == 0)
        return false;
    plain_event top = h->at[0], last = h->at[--h->n];
    size_t i = 0;
    for (size_t c = 1; c < h->n; c = 2 * i + 1) {
        if (c + 1 < h->n && plain_less(&h->at[c + 1], &h->at[c]))
            c++;
        if (!plain_less(&h->at[c], &last))
            break;
        h->at[i] = h->at[c];
        i = c;
    }
    h->at[i] = last;
    top.fn(top.ctx, top.arg, top.time);
    return true;
}

/* ------------------------------------------------------------------ the models ------------ */

typedef struct model {
    rc_eventq *q;
    plain_heap plain;
    uint32_t draw, waiting;
    uint64_t served;
    uint32_t gaps[DRAWS], services[DRAWS];
} model;

static inline rc_time gap(model *m) {
    return m->gaps[m->draw++ % DRAWS];
}

static inline rc_time service(model *m) {
    return m->services[m->draw++ % DRAWS];
}

#define MODELS(who, schedule)                                                                      \
    static void who##_hold(void *ctx, uint64_t arg, rc_time now) {                                 \
        model *m = ctx;                                                                            \
        schedule(now + gap(m), who##_hold, m, arg);                                                \
    }                                                                                              \
    static void who##_departure(void *ctx, uint64_t arg, rc_time now) {                            \
        model *m = ctx;                                                                            \
        m->served++;                                                                               \
        if (--m->waiting > 0)                                                                      \
            schedule(now + service(m), who##_departure, m, arg);                                   \
    }                                                                                              \
    static void who##_arrival(void *ctx, uint64_t arg, rc_time now) {                              \
        model *m = ctx;                                                                            \
        schedule(now + gap(m), who##_arrival, m, arg);                                             \
        if (m->waiting++ == 0)                                                                     \
            schedule(now + service(m), who##_departure, m, arg);                                   \
    }

#define OUR_AT(at, fn, m, arg) (void)rc_eventq_at_inline((m)->q, at, fn, m, arg)
#define PLAIN_AT(at, fn, m, arg) plain_push(&(m)->plain, at, fn, m, arg)
MODELS(our, OUR_AT)
MODELS(plain, PLAIN_AT)

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double our_run(model *m, uint64_t events) {
    double start = seconds();
    while (events-- > 0 && rc_eventq_step_inline(m->q))
        ;
    return seconds() - start;
}

static double plain_run(model *m, uint64_t events) {
    double start = seconds();
    while (events-- > 0 && plain_step(&m->plain))
        ;
    return seconds() - start;
}

/* ------------------------------------------------------------------ the table ------------- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void *need(void *p) {
    if (p == NULL) {
        (void)fputs("bench_engine: out of memory\n", stderr);
        exit(3);
    }
    return p;
}

/* One row: `pending` events of the hold model, or M/M/1 when it is 0. False when the contenders
 * disagree about what happened. */
static bool row(size_t pending, bool constant, double budget) {
    model *ours = need(calloc(1, sizeof *ours)), *plain = need(calloc(1, sizeof *plain));
    rc_rng rng;
    rc_rng_seed(&rng, 1);
    double mean = MEAN * (pending > 0 ? (double)pending : 1.0);
    if (mean > 1e8)
        mean = 1e8;
    for (uint32_t i = 0; i < DRAWS; i++) {
        double e = constant ? mean : rc_rng_exponential(&rng, mean);
        ours->gaps[i] = plain->gaps[i] = (uint32_t)e;
        ours->services[i] = plain->services[i] = (uint32_t)(0.9 * rc_rng_exponential(&rng, mean));
    }
    ours->q = need(rc_eventq_create(pending + 2));
    plain->plain.at = need(malloc((pending + 2) * sizeof *plain->plain.at));
    for (size_t i = 0; i < pending; i++) {
        rc_time first = constant ? (rc_time)(mean * (double)i / (double)pending)
                                 : (rc_time)rc_rng_exponential(&rng, mean);
        OUR_AT(first, our_hold, ours, i);
        PLAIN_AT(first, plain_hold, plain, i);
    }
    if (pending == 0) {
        OUR_AT(0, our_arrival, ours, 0);
        PLAIN_AT(0, plain_arrival, plain, 0);
    }
    uint64_t warm = 200000 + 3 * pending;
    double per_event = our_run(ours, warm) / (double)warm, a[REPEATS], b[REPEATS];
    (void)plain_run(plain, warm);
    uint64_t events = (uint64_t)(budget / per_event), per_item = pending > 0 ? 1 : 2;
    for (int r = 0; r < REPEATS; r++) {
        a[r] = (double)(events / per_item) / our_run(ours, events) / 1e6;
        b[r] = (double)(events / per_item) / plain_run(plain, events) / 1e6;
    }
    qsort(a, REPEATS, sizeof a[0], by_value);
    qsort(b, REPEATS, sizeof b[0], by_value);
    bool same = ours->served == plain->served && ours->draw == plain->draw &&
                (rc_time)rc_eventq_next_inline(ours->q) == plain->plain.at[0].time;
    printf("  %-6s %9zu  %-12s %10.2f %10.2f %8.2f  %6.1f  %s\n", pending > 0 ? "hold" : "M/M/1",
           pending > 0 ? pending : 2, constant ? "constant" : "exponential", a[REPEATS / 2],
           b[REPEATS / 2], a[REPEATS / 2] / b[REPEATS / 2],
           50.0 * (a[REPEATS - 1] - a[0]) / a[REPEATS / 2], same ? "OK" : "FAILED");
    (void)fflush(stdout);
    rc_eventq_destroy(ours->q);
    free(plain->plain.at);
    free(ours);
    free(plain);
    return same;
}

/* ------------------------------------------------------------------ programs -------------- */

enum { GPUS = 64, TOGETHER = 8, STEPS = 32, LAYERS = 60, LANES = 3 };

typedef struct ring {
    rc_sim *s;
    rc_id links[2 * GPUS];
    rc_id sent[GPUS], attended[GPUS]; /* of the step before; RC_NONE: none */
} ring;

static void ring_after(const ring *r, rc_id op, rc_id before, bool previous) {
    if (before != RC_NONE && !previous)
        (void)rc_sim_after(r->s, op, before, NULL);
    else if (before != RC_NONE)
        (void)rc_sim_after_previous(r->s, op, before, NULL);
}

/* A launch, then what it launches. */
static rc_id ring_op(const ring *r, rc_id gpu, rc_id lane, rc_op_desc d) {
    rc_id launch = rc_sim_op(
        r->s, &(rc_op_desc){.kind = RC_OP_FIXED, .stream = gpu * LANES + 2, .duration = 5000000});
    d.stream = gpu * LANES + lane;
    rc_id op = rc_sim_op(r->s, &d);
    (void)rc_sim_after(r->s, op, launch, NULL);
    return op;
}

/* One step of all GPUs; `previous`: what it waits for is of the layer before. */
static void ring_step(ring *r, unsigned step, bool previous) {
    rc_id sent[GPUS];
    for (rc_id g = 0; g < GPUS; g++) {
        rc_id to = (g + TOGETHER) % GPUS, from = (g + GPUS - TOGETHER) % GPUS;
        const rc_id path[2] = {r->links[2 * g], r->links[2 * to + 1]};
        sent[g] = ring_op(r, g, 1,
                          (rc_op_desc){.kind = RC_OP_FLOW,
                                       .duration = 36000000,
                                       .bytes = 1e6,
                                       .path = path,
                                       .path_len = 2});
        ring_after(r, sent[g], r->sent[from], previous);
        ring_after(r, sent[g], r->attended[to], previous);
    }
    for (rc_id g = 0; g < GPUS; g++) {
        rc_time takes = 90000000 + (rc_time)(g / TOGETHER * 1000 + step % 7 * 300);
        r->attended[g] =
            ring_op(r, g, 0, (rc_op_desc){.kind = RC_OP_WORK, .duration = takes, .account = 1});
        ring_after(r, r->attended[g], r->sent[(g + GPUS - TOGETHER) % GPUS], previous);
    }
    memcpy(r->sent, sent, sizeof sent);
}

static void ring_hardware(ring *r) {
    r->s = need(rc_sim_create());
    for (rc_id g = 0; g < GPUS; g++) {
        rc_id domain = rc_sim_domain(r->s);
        for (int lane = 0; lane < LANES; lane++)
            (void)rc_sim_stream(r->s, domain);
        for (int i = 0; i < 2; i++)
            r->links[2 * g + (rc_id)i] = rc_sim_link(r->s, 50e9);
        r->sent[g] = r->attended[g] = RC_NONE;
    }
}

static double ring_run(bool written_out, uint64_t *order, size_t *ops) {
    ring r;
    rc_error err;
    double start = seconds();
    ring_hardware(&r);
    for (unsigned layer = 0; layer < (written_out ? LAYERS : 2); layer++) {
        if (layer > 0 && !written_out)
            (void)rc_sim_template(r.s);
        for (unsigned step = 0; step < STEPS; step++)
            ring_step(&r, step, !written_out && layer > 0 && step == 0);
    }
    if (!written_out) {
        rc_sim_play(r.s, 0, 1);
        rc_sim_play(r.s, 1, LAYERS - 1);
    }
    if (rc_sim_run(r.s, &err) != RC_OK) {
        (void)fprintf(stderr, "bench_engine: %s\n", err.msg);
        exit(3);
    }
    *order = rc_sim_order_hash(r.s);
    *ops = rc_sim_op_count(r.s);
    rc_sim_destroy(r.s);
    return seconds() - start;
}

static bool programs(void) {
    double out[REPEATS], played[REPEATS];
    uint64_t order[2];
    size_t ops = 0;
    for (int i = 0; i < REPEATS; i++) {
        out[i] = ring_run(true, &order[0], &ops);
        played[i] = ring_run(false, &order[1], &ops);
    }
    qsort(out, REPEATS, sizeof out[0], by_value);
    qsort(played, REPEATS, sizeof played[0], by_value);
    double a = (double)ops / out[REPEATS / 2] / 1e6, b = (double)ops / played[REPEATS / 2] / 1e6;
    printf("# programs: %d GPUs, %d steps, %d layers: %zu ops\n", GPUS, STEPS, LAYERS, ops);
    printf("#                                  played  written out   ratio\n");
    printf("#                                   Mop/s        Mop/s\n");
    printf("  ring   %9d  %-12s %10.2f %12.2f %7.2f  %s\n", GPUS, "layers", b, a, b / a,
           order[0] == order[1] ? "OK" : "FAILED");
    return order[0] == order[1];
}

int main(int argc, char **argv) {
    double budget = argc > 1 ? atof(argv[1]) : 0.15;
    bool same = true;
    printf("# bench_engine: pending events, %zu bytes an event; medians of %d repeats of %.2f s\n",
           rc_eventq_bytes_per_event(), REPEATS, budget);
    printf("# increments from a table of %u, the same for both; hold: events, M/M/1: customers\n",
           DRAWS);
    printf("# model    pending  increments         ours      plain    ratio  spread\n");
    printf("#                                       M/s        M/s               %%\n");
    for (size_t n = 100; n <= 1000000; n *= 10)
        for (int constant = 0; constant < 2; constant++)
            same &= row(n, constant != 0, budget);
    same &= row(0, false, budget);
    same &= programs();
    printf("# both contenders fired the same events : %s\n", same ? "OK" : "FAILED");
    return same ? 0 : 1;
}
