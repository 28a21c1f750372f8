/* A whole run: suites in order, burst first, then sustained on a heated chip.
 *
 * The budget is shared out by the suites' usual times; what one leaves goes to the next. Each list
 * is in order of importance, so a suite that runs out of its share loses its least important
 * points, and says how many.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/run.h"
#include "calib/net.h"
#include "calib/suite.h"
#include "kernels/kernels.h"
#include "sim/base/progress.h"

#include <math.h>
#include <string.h>

#ifndef RC_GIT_COMMIT
#define RC_GIT_COMMIT "unknown"
#endif
#define HEAT_S 7.0

static const rc_suite *const suites[RC_SUITE_COUNT] = {
    &rc_suite_memory, &rc_suite_host,      &rc_suite_merge, &rc_suite_elementwise,
    &rc_suite_decode, &rc_suite_attention, &rc_suite_gemm,  &rc_suite_net};

typedef struct tally {
    size_t measured, there, skipped, cut;
} tally;

static double weight(const rc_calib_options *o, int id, bool sustained) {
    const rc_suite_info *s = rc_suite_info_of((rc_suite_id)id);
    if (!(o->suites & 1u << id))
        return 0;
    if (sustained)
        return o->sustained ? s->sustained_s : 0;
    return o->burst ? s->burst_s : 0;
}

static bool any(const rc_calib_options *o, bool sustained) {
    double w = 0;
    for (int i = 0; i < RC_SUITE_COUNT; i++)
        w += weight(o, i, sustained);
    return w > 0;
}

/* The end of this suite's share of what is left of the budget. */
static double deadline(const rc_calib *c, int id, bool sustained) {
    double mine = weight(c->opt, id, sustained), all = 0;
    if (isinf(c->opt->budget_s))
        return (double)INFINITY;
    for (int pass = sustained; pass < 2; pass++)
        for (int i = pass == (int)sustained ? id : 0; i < RC_SUITE_COUNT; i++)
            all += weight(c->opt, i, pass);
    double left = c->began + c->opt->budget_s - rc_now();
    if (!sustained && any(c->opt, true))
        left -= HEAT_S;
    return rc_now() + (all > 0 ? left * mine / all : 0);
}

/* ---- the points of one suite ----------------------------------------------------------------- */

static rc_status list(const rc_calib *c, int id, rc_points *out, rc_error *err) {
    rc_points all = {0};
    bool child = c->opt->net_child != NULL;
    rc_status st = rc_suite_info_of((rc_suite_id)id)->points(&all, c->gpus, err);
    for (size_t i = 0; i < all.n && st == RC_OK; i++) {
        rc_point *p = &all.v[i];
        if ((c->opt->quick && !p->quick) || (c->bench.sustained && !p->sustained))
            continue;
        if (child)
            p->variant = c->opt->net_child;
        st = rc_points_add(out, p, err);
    }
    rc_points_free(&all);
    return st;
}

static void say_skipped(const rc_point *p, const rc_error *err) {
    printf("# skipped: %s %s%s%s %lld %lld %lld %lld: %s\n", p->op, p->variant,
           *p->variant ? " " : "", p->dtype, (long long)p->a, (long long)p->b, (long long)p->c,
           (long long)p->d, err->msg);
}

static rc_status one_point(rc_calib *c, int id, void *self, const rc_point *p, tally *t,
                           rc_error *err) {
    rc_measured m;
    rc_record row;
    rc_error why = {0};
    memset(&m, 0, sizeof m);
    rc_calib_row(c, p, &m, &row);
    if (rc_sink_has(&c->sink, &row)) {
        t->there++;
        return RC_OK;
    }
    rc_status st = suites[id]->measure(c, self, p, &m, &why);
    if (st == RC_E_UNMODELLED) {
        t->skipped++;
        say_skipped(p, &why);
        return RC_OK;
    }
    if (st != RC_OK)
        return rc_fail(err, st, "%s %s %s a=%lld b=%lld c=%lld d=%lld: %s", p->op, p->variant,
                       p->dtype, (long long)p->a, (long long)p->b, (long long)p->c, (long long)p->d,
                       why.msg);
    rc_calib_row(c, p, &m, &row);
    if (rc_sink_has(&c->sink, &row)) { /* resumed, and its variant was known only now */
        t->there++;
        return RC_OK;
    }
    RC_TRY(rc_sink_add(&c->sink, &row, err));
    t->measured++;
    return RC_OK;
}

static rc_status all_points(rc_calib *c, int id, const rc_points *points, tally *t, rc_error *err) {
    void *self = NULL;
    rc_progress bar;
    char label[64];
    RC_TRY(suites[id]->open(c, points, &self, err));
    snprintf(label, sizeof label, "%s %s", rc_suite_info_of((rc_suite_id)id)->name,
             c->bench.sustained ? "sustained" : "burst");
    rc_progress_begin(&bar, label, points->n, c->opt->quiet);
    rc_status st = RC_OK;
    for (size_t i = 0; i < points->n && st == RC_OK; i++) {
        if (rc_now() > c->deadline) {
            t->cut = points->n - i;
            break;
        }
        st = one_point(c, id, self, &points->v[i], t, err);
        rc_progress_step(&bar, i + 1);
    }
    rc_progress_end(&bar);
    suites[id]->close(self);
    return st;
}

/* One suite in one state, and a line about it. */
static rc_status run_suite(rc_calib *c, int id, size_t *rows, rc_error *err) {
    rc_points points = {0};
    rc_error why = {0};
    tally t = {0, 0, 0, 0};
    double t0 = rc_now();
    bool parent = id == RC_SUITE_NET && !c->opt->net_child;
    rc_status st = RC_OK;
    c->deadline = deadline(c, id, c->bench.sustained);
    if (parent) {
        st = c->bench.sustained ? RC_OK : rc_net_parent(c, &t.measured, &why);
    } else {
        st = list(c, id, &points, &why);
        if (st == RC_OK && points.n)
            st = all_points(c, id, &points, &t, &why);
    }
    size_t n = points.n;
    rc_points_free(&points);
    const char *name = rc_suite_info_of((rc_suite_id)id)->name;
    *rows += t.measured + t.there;
    if (st == RC_E_UNMODELLED) {
        printf("# %s: SKIPPED: %s\n", name, why.msg);
        return RC_OK;
    }
    if (st != RC_OK) {
        if (err)
            *err = why;
        return st;
    }
    if (!n && !parent)
        return RC_OK;
    printf("# %s %s: %zu rows in %.1f s", name, c->bench.sustained ? "sustained" : "burst",
           t.measured, rc_now() - t0);
    if (t.there)
        printf(", %zu there already", t.there);
    if (t.skipped)
        printf(", %zu skipped", t.skipped);
    if (t.cut)
        printf(", %zu CUT by the budget", t.cut);
    printf("\n");
    fflush(stdout);
    return RC_OK;
}

/* ---- the run -------------------------------------------------------------------------------- */

static rc_status run_all(rc_calib *c, rc_error *err) {
    size_t rows = 0;
    for (int pass = 0; pass < 2; pass++) {
        c->bench.sustained = pass == 1;
        if (!any(c->opt, pass))
            continue;
        if (pass == 1) {
            printf("# heating the chip for %.0f s\n", HEAT_S);
            fflush(stdout);
            RC_TRY(rc_gemm_heat(c, HEAT_S, err));
        }
        for (int id = 0; id < RC_SUITE_COUNT; id++)
            if (weight(c->opt, id, pass) > 0)
                RC_TRY(run_suite(c, id, &rows, err));
    }
    if (rows == 0)
        return rc_fail(err, RC_E_CHECK, "nothing could be measured: no file is written");
    return RC_OK;
}

/* The '#' lines that open both the output and the terminal's. */
static void describe(const rc_calib *c, char *text, size_t size) {
    static const char *const families[] = {"attention", "decode", "merge", "elementwise", NULL};
    char nccl[24], kernels[256] = "", budget[32] = "none";
    size_t at = 0;
    for (int i = 0; families[i]; i++) {
        const char *v = rc_kernel_version(families[i]);
        at +=
            (size_t)snprintf(kernels + at, sizeof kernels - at, "%s%s", i ? " " : "", v ? v : "?");
    }
    rc_nccl_version(nccl, sizeof nccl);
    if (!isinf(c->opt->budget_s))
        snprintf(budget, sizeof budget, "%.0f s", c->opt->budget_s);
    snprintf(text, size,
             "# ringcast-calib %s, schema %d, commit %s\n"
             "# machine: %s; %d GPU%s used; %s, %d SMs, L2 %.0f MiB, %.1f GB free\n"
             "# driver: %s; CUDA runtime: %s; NCCL: %s; NVML: %s, %.0f us a reading\n"
             "# kernels: %s\n"
             "# options: states %s%s%s; %s points; budget %s; seed %llu\n"
             "# times are seconds for one call; columns and method: docs/calibration.md\n",
             RC_CALIB_VERSION_TEXT, RC_STORE_SCHEMA_VERSION, c->commit, c->machine, c->gpus,
             c->gpus == 1 ? "" : "s", c->gpu.name, c->gpu.sms, (double)c->gpu.l2_bytes / 1048576.0,
             (double)c->gpu.free_bytes / 1e9, c->gpu.driver, c->gpu.cuda, *nccl ? nccl : "none",
             c->gpu.nvml ? "yes" : "none", 1e6 * rc_nvml_cost(c->gpu.nvml), kernels,
             c->opt->burst ? "burst" : "", c->opt->burst && c->opt->sustained ? " and " : "",
             c->opt->sustained ? "sustained" : "", c->opt->quick ? "quick" : "all", budget,
             (unsigned long long)c->opt->seed);
}

static rc_status with_gpu(rc_calib *c, char *head, size_t size, rc_error *err) {
    if (c->opt->machine)
        rc_record_set(c->machine, sizeof c->machine, c->opt->machine);
    else
        rc_machine_name(c->gpu.name, c->machine, sizeof c->machine);
    describe(c, head, size);
    RC_TRY(rc_sink_open(&c->sink, c->opt->out, head, c->opt->force, c->opt->resume, err));
    fputs(head, stdout);
    if (c->sink.resumed)
        printf("# resumed: %zu rows from %s\n", c->sink.resumed, c->sink.part);
    fflush(stdout);
    rc_status st = run_all(c, err);
    if (st == RC_OK)
        st = rc_sink_finish(&c->sink, err);
    else if (c->sink.n == 0)
        (void)remove(c->sink.part);
    if (st == RC_OK)
        printf("# wrote %zu rows to %s in %.1f s\n", c->sink.n, c->sink.path, rc_now() - c->began);
    else if (c->sink.n)
        fprintf(stderr, "# %zu rows are kept in %s (--resume goes on from there)\n", c->sink.n,
                c->sink.part);
    return st;
}

rc_status rc_calib_run(const rc_calib_options *o, rc_error *err) {
    rc_calib c;
    char head[2048];
    memset(&c, 0, sizeof c);
    c.opt = o;
    c.began = rc_now();
    rc_record_set(c.commit, sizeof c.commit, o->commit ? o->commit : RC_GIT_COMMIT);
    if (o->net_child)
        RC_TRY(rc_net_environment(o->net_child, err));
    int there = rc_gpu_count();
    if (there == 0)
        return rc_fail(err, RC_E_IO,
                       "no CUDA GPU is visible here (driver missing, or CUDA_VISIBLE_DEVICES)");
    if (o->gpus > there)
        return rc_fail_at(err, RC_E_USAGE, "--gpus", 0, 0, "%d asked for, %d visible", o->gpus,
                          there);
    c.gpus = o->gpus ? o->gpus : there;
    rc_status st = rc_gpu_open(&c.gpu, 0, err);
    if (st == RC_OK)
        st = rc_bench_open(&c.bench, &c.gpu, err);
    if (st == RC_OK)
        st = with_gpu(&c, head, sizeof head, err);
    rc_sink_close(&c.sink);
    rc_bench_close(&c.bench);
    rc_gpu_close(&c.gpu);
    return st;
}
