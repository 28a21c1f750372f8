/* How long one decision takes, by the exported header.
 *
 *   bench_select [calls, default 4 million]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "results/tune/gtt/ringcast_select.h"

enum { REQUESTS = 4096 };

typedef struct request {
    double t, p, batch;
    int n;
} request;

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* Requests from all over the table, in no order that a branch predictor could learn. */
static void draw(request *r) {
    uint64_t s = 1;
    for (int i = 0; i < REQUESTS; i++) {
        double u[4];
        for (int k = 0; k < 4; k++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            u[k] = (double)(s >> 40) * 0x1p-24;
        }
        r[i] = (request){64.0 * (double)(1u << (int)(11.0 * u[0])) * (1.0 + u[1]),
                         1e6 * u[2] * u[2] * u[2], 1.0 + (double)(int)(4.0 * u[3]),
                         2 << (int)(4.0 * u[1])};
    }
}

int main(int argc, char **argv) {
    static request r[REQUESTS];
    long calls = argc > 1 ? strtol(argv[1], NULL, 10) : 4000000, kv = 0, ranks = 0;
    draw(r);
    double a = now_ns();
    for (long i = 0; i < calls; i++) {
        const request *q = &r[i % REQUESTS];
        kv += ringcast_select_variant(q->t, q->p, q->batch, q->n) == RINGCAST_PASS_KV;
    }
    double b = now_ns();
    for (long i = 0; i < calls; i++) {
        const request *q = &r[i % REQUESTS];
        ranks += ringcast_select_degree(0, q->t, q->p, q->batch, 1, 16);
    }
    double c = now_ns();
    printf("# one decision of the exported header, %ld calls on %d requests\n", calls, REQUESTS);
    printf("  variant  %6.1f ns   pass-KV %.1f %%\n", (b - a) / (double)calls,
           100.0 * (double)kv / (double)calls);
    printf("  degree   %6.1f ns   mean ranks %.2f\n", (c - b) / (double)calls,
           (double)ranks / (double)calls);
    return 0;
}
