/* A measuring backend without a GPU, for tests of all that is around measuring: the run, the store,
 * what a kill leaves, several processes.
 *
 * Every suite measures by arithmetic on the point's axes, so two runs over the same points give the
 * same times, and each point takes RC_FAKE_NAP_US (default 200) microseconds, so that a kill can
 * fall anywhere. `net` and `interference` go through the group as the real ones do: a time is the
 * largest of all ranks'. RC_FAKE_GPU names the GPU, RC_FAKE_CAPABILITY (80; default 90) is its compute
 * capability, RC_FAKE_GPUS says how many there are.
 *
 * RC_FAKE_DEADLINES=1: each suite says on which GPU it is and, in thousandths of a day, until when its share of the budget lets it
 * measure, so that no second more or less makes a difference.
 *
 * What can go wrong on a machine is asked for by name: RC_FAKE_NO_NCCL=1: there is none.
 * RC_FAKE_TROUBLE=KIND:OP:A:RANK: at the point of that op and axis a, that rank fails (KIND fail),
 * never comes back (hang), or cannot measure it (unable). With the suite's first point it never comes to that point (stuck), or
 * never leaves the suite (stays).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_command.h"
#include "calib/serve/serve_command.h"
#include "calib/stats.h"
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double rc_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static long nap_us(void) {
    const char *v = getenv("RC_FAKE_NAP_US");
    return v ? atol(v) : 200;
}

static double seconds(const rc_point *p) {
    return 1e-6 * (1 + (double)(p->a % 9973) + 0.5 * (double)(p->b % 997) + 0.25 * (double)p->c +
                   0.125 * (double)p->d);
}

/* Whether RC_FAKE_TROUBLE asks for trouble of this kind here. */
static bool trouble(const char *kind, const rc_calib *c, const rc_point *p) {
    char want[96];
    const char *v = getenv("RC_FAKE_TROUBLE");
    snprintf(want, sizeof want, "%s:%s:%lld:%d", kind, p->op, (long long)p->a, c->group.rank);
    return v && !strcmp(v, want);
}

/* Nobody waits so long for a rank that hangs. */
static void hang_if(bool asked) {
    for (int s = 0; asked && s < 3600; s++)
        (void)nanosleep(&(struct timespec){1, 0}, NULL);
}

/* A suite that hangs before its first point, or behind its last one, does so for the first one's OP and A. */
static rc_status fake_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    static bool stays;
    (void)err;
    if (getenv("RC_FAKE_DEADLINES"))
        printf("# %s %s on GPU %d: %.0f thousandths of a day\n", points->v[0].op,
               c->bench.sustained ? "sustained" : "burst", c->gpu.device,
               (c->deadline - rc_now()) / 86.4);
    hang_if(points->n > 0 && trouble("stuck", c, &points->v[0]));
    stays = points->n > 0 && trouble("stays", c, &points->v[0]);
    *self = &stays;
    return RC_OK;
}

static void fake_close(void *self) {
    hang_if(*(const bool *)self);
}

/* Of a suite that all ranks measure. */
static bool together(const rc_point *p) {
    static const char *const ops[] = {"send_recv",      "all_reduce",     "all_to_all",
                                      "all_gather",     "reduce_scatter", "compute_beside",
                                      "transfer_beside"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (!strcmp(p->op, ops[i]))
            return true;
    return false;
}

static rc_status fake_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                              rc_error *err) {
    struct timespec nap = {0, 1000 * nap_us()};
    (void)self;
    (void)nanosleep(&nap, NULL);
    double t = seconds(p) * (c->bench.sustained ? 1.1 : 1.0) * (1 + c->group.rank);
    rc_status st = RC_OK;
    if (trouble("fail", c, p))
        return rc_fail(err, RC_E_INTERNAL, "asked to fail");
    while (trouble("hang", c, p))
        (void)nanosleep(&nap, NULL);
    if (trouble("unable", c, p))
        st = rc_fail(err, RC_E_UNMODELLED, "asked to be unable");
    if (c->group.size > 1 && together(p)) {
        RC_TRY(rc_group_agree(&c->group, st, err));
        RC_TRY(rc_group_max(&c->group, &t, err));
    }
    RC_TRY(st);
    m->r.p10_s = 0.99 * t;
    m->r.p50_s = t;
    m->r.p90_s = 1.01 * t;
    m->r.samples = 7;
    m->r.interval = p->a % 7 ? 0.005 : p->a % 11 == 0 ? (double)INFINITY : p->a % 3 ? 0.02 : 0.03;
    m->r.outliers = p->a % 13 ? 0 : 2;
    m->r.health = (rc_health){1500, 400, 50, p->a % 5 ? 0 : RC_THROTTLE_POWER};
    rc_record_set(m->kernel, sizeof m->kernel, "fake-1");
    return RC_OK;
}

#define FAKE                                                                                       \
    { fake_open, fake_measure, fake_close }
const rc_suite rc_suite_gemm = FAKE, rc_suite_attention = FAKE, rc_suite_decode = FAKE,
               rc_suite_merge = FAKE, rc_suite_elementwise = FAKE, rc_suite_memory = FAKE,
               rc_suite_host = FAKE, rc_suite_gap = FAKE, rc_suite_net = FAKE,
               rc_suite_interference = FAKE, rc_suite_experts = FAKE, rc_suite_mixed = FAKE,
               rc_suite_mla = FAKE;

rc_status rc_gemm_heat(rc_calib *c, double s, rc_error *err) {
    (void)c;
    (void)s;
    (void)err;
    return RC_OK;
}

rc_status rc_ring_main(int argc, char **argv, rc_error *err) {
    (void)argc;
    (void)argv;
    return rc_fail(err, RC_E_UNMODELLED, "rings need a GPU");
}

rc_status rc_serve_main(int argc, char **argv, rc_error *err) {
    (void)argc;
    (void)argv;
    return rc_fail(err, RC_E_UNMODELLED, "a server needs a GPU");
}

int rc_gpu_count(void) {
    const char *v = getenv("RC_FAKE_GPUS");
    return v ? atoi(v) : 1;
}

bool rc_gpu_peers(void) {
    return true;
}

rc_status rc_gpu_open(rc_gpu *g, int device, rc_error *err) {
    const char *name = getenv("RC_FAKE_GPU"), *capability = getenv("RC_FAKE_CAPABILITY");
    (void)err;
    memset(g, 0, sizeof *g);
    g->device = device;
    g->sms = 132;
    g->capability = capability ? atoi(capability) : 90;
    g->free_bytes = 80000000000;
    rc_record_set(g->name, sizeof g->name, name ? name : "NVIDIA H100 80GB HBM3");
    rc_record_set(g->driver, sizeof g->driver, "0.0");
    rc_record_set(g->cuda, sizeof g->cuda, "0.0");
    return RC_OK;
}

void rc_gpu_close(rc_gpu *g) {
    (void)g;
}

rc_status rc_bench_open(rc_bench *b, rc_gpu *g, rc_error *err) {
    (void)err;
    memset(b, 0, sizeof *b);
    b->gpu = g;
    return RC_OK;
}

void rc_bench_close(rc_bench *b) {
    (void)b;
}

double rc_nvml_cost(const rc_nvml *n) {
    (void)n;
    return 0;
}

void rc_throttle_text(unsigned throttle, char *out, size_t size) {
    snprintf(out, size, "%s", throttle ? "power cap" : "");
}

rc_status rc_nccl_ready(rc_error *err) {
    return getenv("RC_FAKE_NO_NCCL") ? rc_fail(err, RC_E_UNMODELLED, "NCCL is not there: asked for")
                                     : RC_OK;
}

void rc_nccl_version(char *out, size_t size) {
    snprintf(out, size, "%s", "");
}

const char *rc_kernel_version(const char *family) {
    (void)family;
    return "fake-1";
}

void rc_row_date(char *out, size_t size) {
    snprintf(out, size, "%s", "2026-01-01T00:00:00Z");
}

void rc_nap(double s) {
    struct timespec t = {(time_t)s, (long)(1e9 * (s - (double)(time_t)s))};
    (void)nanosleep(&t, NULL);
}
