/* How long serving takes, and how it grows with the trace.
 *
 *   growth     scenarios/serve/fleet-day.yaml cut to 50,000 and 400,000 requests on one thread: processor
 *              time and memory of the latter over those of the former
 *   mooncake   the scenario scenarios/serve/mooncake.yaml cut or repeated to n requests: reading
 *              and reshaping the trace, costs, run, all on one core
 *   queue      M/M/1 with a constant cost a token: the loop without pass times
 *   threads    two replications, one after the other and on two threads
 *   mixed      a chunked run with passes interpolated and with every pass simulated: how many times as long
 *              the latter takes, what share of the passes was simulated, and how far means are apart
 *   sessions   the scenario scenarios/serve/coding-mixed.yaml with 227 and 454 sessions, overloaded: how
 *              time grows, and what share of the passes was simulated
 *   flows      KV of n requests under way at once between 200 and 100 replicas, and how time grows
 *              when they are twice as many
 *   fleet      1,000 replicas that take turns, a request every 9 ms made as it is served: on one and on
 *              two threads, and whether both gave the same
 *
 *   bench_serve [folder of the project, default .]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "sim/serve/serve_report.h"

static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double peak_mb(void) {
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024.0;
}

static rc_serve serve;
static rc_serve_result result;

static rc_status timed(const char *what, const rc_costs *costs, double *wall, rc_error *err) {
    const rc_serve_options o = {.costs = costs, .seed = 1, .quiet = true};
    rc_trace *t = NULL;
    double start = now_s();
    RC_TRY(rc_serve_workload(&serve, 1, 0.0, &t, err));
    rc_status st = rc_serve_run(&serve, t, &o, &result, err);
    *wall = now_s() - start;
    rc_trace_free(t);
    RC_TRY(st);
    printf("%-10s %9llu requests  %8.3f s  %7.2f us a request  %10llu events  %6llu simulated  "
           "%7.1f MB peak\n",
           what, (unsigned long long)result.requests, *wall, 1e6 * *wall / (double)result.requests,
           (unsigned long long)result.events, (unsigned long long)result.passes.simulated,
           peak_mb());
    return RC_OK;
}

static rc_status mooncake(const char *folder, rc_error *err) {
    static const uint64_t sizes[] = {1000, 10000, 100000, 1000000};
    char path[512];
    rc_costs *costs = NULL;
    (void)snprintf(path, sizeof path, "%s/scenarios/serve/mooncake.yaml", folder);
    RC_TRY(rc_serve_load(path, NULL, 0, &serve, err));
    double start = now_s(), wall;
    RC_TRY(rc_costs_open(NULL, &serve.machine, &costs, err));
    printf("costs      opened in %.3f s\n", now_s() - start);
    double each[4] = {0.0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        clock_t from = clock();
        serve.requests = sizes[i];
        RC_TRY(timed("mooncake", costs, &wall, err));
        each[i] = (double)(clock() - from) / (double)sizes[i];
    }
    printf(
        "mooncake   a request of a million takes %.2f times the processor time of one of 10,000\n",
        each[3] / each[1]);
    serve.requests = 200000;
    double wall_of[2], cpu_of[2];
    for (int threads = 1; threads <= 2; threads++) {
        rc_replications r;
        clock_t cpu = clock();
        double from = now_s();
        RC_TRY(rc_replicate(&serve, costs, 0.0, 2, 1, threads, false, &r, err));
        wall_of[threads - 1] = now_s() - from;
        cpu_of[threads - 1] = (double)(clock() - cpu) / CLOCKS_PER_SEC;
        rc_replications_free(&r);
    }
    printf("threads    two replications of 200,000: %.3f s (%.3f s of CPU), on two threads %.3f s "
           "(%.3f s): %.2f times\n",
           wall_of[0], cpu_of[0], wall_of[1], cpu_of[1], wall_of[0] / wall_of[1]);
    rc_costs_close(costs);
    return RC_OK;
}

static rc_status read_text(const char *text, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_parse("bench.yaml", text, strlen(text), &doc, err));
    rc_status st = rc_serve_read(doc, NULL, 0, &serve, err);
    rc_doc_close(doc);
    return st;
}

static double cpu_s(void) {
    return (double)clock() / CLOCKS_PER_SEC;
}

static rc_status flows(rc_error *err) {
    static const char text[] =
        "serve: flows\nmodel: llama-3.1-8b\nmachine: h100-sxm\n"
        "pools: [{name: a, role: prefill, tp: 8, replicas: 200}, "
        "{name: b, role: decode, tp: 8, replicas: 100}]\n"
        "scheduler: {max_batch: 16384}\nkv: {tokens: 100M}\n"
        "costs: {prefill: 1ms, decode: 10ms}\n"
        "synthetic: {requests: 1000, rate: 100000, input: {kind: uniform, lo: 1000, hi: 30000}, "
        "output: {kind: constant, mean: 4}}\n";
    const rc_serve_options o = {.seed = 1, .quiet = true};
    double before = 0.0;
    RC_TRY(read_text(text, err));
    for (size_t n = 1000; n <= 16000; n *= 2) {
        double cpu = cpu_s();
        serve.synthetic.requests = n;
        RC_TRY(rc_serve_stream(&serve, 0.0, &o, &result, err));
        cpu = cpu_s() - cpu;
        printf("flows      %9zu requests  %8.3f s of CPU", n, cpu);
        if (before > 0.0)
            printf("  %5.2f times that of half as many", cpu / before);
        printf("\n");
        before = cpu;
    }
    return RC_OK;
}

static double simulated_share(const rc_serve_result *r) {
    const double all = (double)(r->passes.exact + r->passes.reused + r->passes.interpolated);
    return 100.0 * (double)r->passes.simulated / all;
}

static rc_status mixed(rc_error *err) {
    static const char text[] =
        "serve: mixed\nmodel: llama-3.1-70b\nmachine: h100-sxm\ndtypes: {ffn_weights: fp8}\n"
        "pools: [{name: one, tp: 8, cp: 2, variant: pass-kv}]\n"
        "scheduler: {policy: chunked, budget: 2048, fuse: 1, max_batch: 32}\n"
        "synthetic: {requests: 4000, rate: 1, input: {kind: lognormal, median: 12000, sigma: 0.6, "
        "hi: 60K}, output: {kind: lognormal, median: 120, sigma: 0.8, hi: 600}}\n";
    rc_costs *costs = NULL;
    double cpu[2], ttft[2], share = 0.0;
    RC_TRY(read_text(text, err));
    RC_TRY(rc_costs_open(NULL, &serve.machine, &costs, err));
    rc_status st = RC_OK;
    for (int i = 0; i < 2 && st == RC_OK; i++) {
        const rc_serve_options o = {.costs = costs, .seed = 1, .quiet = true, .exact = i == 1};
        const double from = cpu_s();
        st = rc_serve_stream(&serve, 0.0, &o, &result, err);
        cpu[i] = cpu_s() - from;
        ttft[i] = rc_hist_mean(&result.ttft);
        share = i == 0 ? simulated_share(&result) : share;
    }
    rc_costs_close(costs);
    RC_TRY(st);
    printf("mixed      %9llu requests  %8.3f s of CPU, every pass simulated %.3f s: %.2f times; "
           "%.1f %% "
           "simulated; mean TTFT %+.3f %%\n",
           (unsigned long long)result.requests, cpu[0], cpu[1], cpu[1] / cpu[0], share,
           100.0 * (ttft[0] / ttft[1] - 1.0));
    return RC_OK;
}

static rc_status sessions(const char *folder, rc_error *err) {
    char path[512];
    rc_costs *costs = NULL;
    double before = 0.0;
    (void)snprintf(path, sizeof path, "%s/scenarios/serve/coding-mixed.yaml", folder);
    RC_TRY(rc_serve_load(path, NULL, 0, &serve, err));
    RC_TRY(rc_costs_open(NULL, &serve.machine, &costs, err));
    rc_status st = RC_OK;
    for (serve.requests = 13180; serve.requests <= 26360 && st == RC_OK; serve.requests *= 2) {
        const rc_serve_options o = {.costs = costs, .seed = 1, .quiet = true};
        rc_trace *t = NULL;
        const double from = cpu_s();
        st = rc_serve_workload(&serve, 1, 0.1, &t, err);
        if (st == RC_OK)
            st = rc_serve_run(&serve, t, &o, &result, err);
        rc_trace_free(t);
        const double cpu = cpu_s() - from;
        printf("sessions   %9llu requests  %8.3f s of CPU, %.1f %% simulated",
               (unsigned long long)result.requests, cpu, simulated_share(&result));
        if (before > 0.0)
            printf("  %5.2f times that of half as many", cpu / before);
        printf("\n");
        before = cpu;
    }
    rc_costs_close(costs);
    return st;
}

static rc_status fleet(rc_error *err) {
    static const char text[] =
        "serve: fleet\nmodel: llama-3.1-70b\nmachine: h100-sxm\ndtypes: {ffn_weights: fp8}\n"
        "pools: [{name: all, replicas: 1000, tp: 8}]\nrouting: round-robin\n"
        "scheduler: {policy: chunked, budget: 8192, fuse: 16}\n"
        "synthetic: {requests: 400K, rate: 115.74, "
        "input: {kind: lognormal, median: 1000, sigma: 1, hi: 32K}, "
        "output: {kind: lognormal, median: 100, sigma: 0.8, hi: 2K}}\n";
    rc_costs *costs = NULL;
    uint64_t hash[2];
    double wall[2], cpu[2];
    RC_TRY(read_text(text, err));
    RC_TRY(rc_costs_open(NULL, &serve.machine, &costs, err));
    rc_status st = RC_OK;
    for (int i = 0; i < 2 && st == RC_OK; i++) {
        const rc_serve_options o = {.costs = costs, .seed = 1, .quiet = true, .threads = i + 1};
        double from = now_s(), used = cpu_s();
        st = rc_serve_stream(&serve, 0.0, &o, &result, err);
        wall[i] = now_s() - from;
        cpu[i] = cpu_s() - used;
        hash[i] = result.hash;
    }
    rc_costs_close(costs);
    RC_TRY(st);
    printf("fleet      %9llu requests  %8.3f s (%.3f s of CPU), on two threads %.3f s (%.3f s): "
           "%.2f times, %s; %.1f MB peak\n",
           (unsigned long long)result.requests, wall[0], cpu[0], wall[1], cpu[1], wall[0] / wall[1],
           hash[0] == hash[1] ? "the same bytes" : "OTHER BYTES", peak_mb());
    return RC_OK;
}

static rc_status queue(rc_error *err) {
    static const char text[] =
        "serve: queue\nmodel: llama-3.1-8b\nmachine: h100-sxm\npools: [{name: one, tp: 8}]\n"
        "scheduler: {fuse: 1, budget: 0}\nkv: {tokens: 1T}\ncosts: {prefill_token: 1ms}\n"
        "synthetic: {requests: 1M, rate: 0.7, output: {kind: constant, mean: 1}, "
        "input: {kind: exponential, mean: 1000}}\n";
    double wall;
    RC_TRY(read_text(text, err));
    return timed("queue", NULL, &wall, err);
}

static rc_status growth(const char *folder, rc_error *err) {
    static const size_t requests[] = {50000, 400000};
    char path[512];
    rc_costs *costs = NULL;
    double cpu[2], peak[2];
    (void)snprintf(path, sizeof path, "%s/scenarios/serve/fleet-day.yaml", folder);
    RC_TRY(rc_serve_load(path, NULL, 0, &serve, err));
    RC_TRY(rc_costs_open(NULL, &serve.machine, &costs, err));
    rc_status st = RC_OK;
    for (int i = 0; i < 2 && st == RC_OK; i++) {
        const rc_serve_options o = {.costs = costs, .seed = 1, .quiet = true, .threads = 1};
        double from = cpu_s();
        serve.synthetic.requests = requests[i];
        st = rc_serve_stream(&serve, 0.0, &o, &result, err);
        cpu[i] = cpu_s() - from;
        peak[i] = peak_mb();
    }
    rc_costs_close(costs);
    RC_TRY(st);
    printf("growth     eight times the requests: %.3f s of CPU for %.3f s, %.2f times; %.1f MB for "
           "%.1f MB, %.2f times\n",
           cpu[1], cpu[0], cpu[1] / cpu[0], peak[1], peak[0], peak[1] / peak[0]);
    return RC_OK;
}

int main(int argc, char **argv) {
    rc_error err = {0};
    /* peaks of memory are the program's so far: the small ones first */
    rc_status st = growth(argc > 1 ? argv[1] : ".", &err);
    if (st == RC_OK)
        st = flows(&err);
    if (st == RC_OK)
        st = fleet(&err);
    if (st == RC_OK)
        st = mixed(&err);
    if (st == RC_OK)
        st = sessions(argc > 1 ? argv[1] : ".", &err);
    if (st == RC_OK)
        st = mooncake(argc > 1 ? argv[1] : ".", &err);
    if (st == RC_OK)
        st = queue(&err);
    if (st != RC_OK)
        (void)fprintf(stderr, "bench_serve: %s\n", err.msg);
    return rc_exit_code(st);
}
