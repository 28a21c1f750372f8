/* A whole run: suites in order, burst first, then sustained on a heated chip.
 *
 * The budget is shared out by the suites' usual times; what one leaves goes to the next. Each list
 * is in order of importance, so a suite that runs out of its share loses its least important
 * points, and says how many.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/calibrate.h"
#include "calib/gpu_needs.h"
#include "calib/nccl_transport.h"
#include "calib/node.h"
#include "calib/point_set.h"
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#ifndef RC_GIT_COMMIT
#define RC_GIT_COMMIT "unknown"
#endif
#define HEAT_S 7.0 /* of matrix products before the sustained pass (docs/calibration.md) */

static const rc_suite *const suites[RC_SUITE_COUNT] = {
    &rc_suite_memory,      &rc_suite_host,         &rc_suite_gap,       &rc_suite_merge,
    &rc_suite_elementwise, &rc_suite_decode,       &rc_suite_attention, &rc_suite_mixed,
    &rc_suite_mixed,       &rc_suite_gemm,         &rc_suite_experts,   &rc_suite_mixed,
    &rc_suite_mixed,       &rc_suite_interference, &rc_suite_net};

typedef struct tally {
    size_t measured, there, skipped, cut;
    size_t loose, outliers, throttled; /* rows: median not known to 1 %; with outliers; held back */
    double loosest;                    /* the widest interval of a median; 0: none is known */
    unsigned throttle;
} tally;

static bool any(const rc_calib_options *o, bool sustained) {
    double w = 0;
    for (int i = 0; i < RC_SUITE_COUNT; i++)
        w += rc_usual_s(o, i, sustained);
    return w > 0;
}

/* The end of this suite's share of what is left of the budget. */
static double deadline(const rc_calib *c, int id, bool sustained) {
    double mine = rc_usual_s(c->opt, id, sustained), all = 0;
    if (isinf(c->opt->budget_s))
        return (double)INFINITY;
    for (int pass = sustained; pass < 2; pass++)
        for (int i = pass == (int)sustained ? id : 0; i < RC_SUITE_COUNT; i++)
            all += rc_usual_s(c->opt, i, pass);
    double left = c->began + c->opt->budget_s - rc_now();
    if (!sustained && any(c->opt, true))
        left -= HEAT_S;
    return rc_now() + (all > 0 ? left * mine / all : 0);
}

static double total_weight(const rc_calib_options *o) {
    double all = 0;
    for (int i = 0; i < 2 * RC_SUITE_COUNT; i++)
        all += rc_usual_s(o, i / 2, i % 2);
    return all;
}

/* ---- the points of one suite ----------------------------------------------------------------- */

static bool is_together(int id) {
    return (RC_SUITES_TOGETHER & 1u << id) != 0;
}

/* What the rows call the network between the processes; NULL for one process. */
static const char *transport_of(const rc_calib *c) {
    if (c->group.size == 1)
        return NULL;
    if (c->opt->child)
        return c->opt->child;
    return c->opt->transport ? c->opt->transport : rc_group_transport(&c->group);
}

/* All points that were asked for by name, or that the suite knows for this many GPUs. A whole node of a job counts as a group even
 * where it is no power of two. */
static rc_status list_all(const rc_calib *c, int id, rc_points *all, rc_error *err) {
    const rc_suite_info *info = rc_suite_info_of((rc_suite_id)id);
    const rc_point_set *listed = c->opt->listed;
    for (size_t i = 0; listed && i < listed->of[id].n; i++)
        RC_TRY(rc_points_add(all, &listed->of[id].v[i], err));
    if (listed)
        return RC_OK;
    RC_TRY(info->points(all, is_together(id) ? c->gpus : 1, err));
    if (id == RC_SUITE_NET && c->group.mpi && c->group.per_node < c->group.size)
        RC_TRY(info->points(all, c->group.per_node, err));
    return RC_OK;
}

/* Name the network in a point; false when it is not one for this run. */
static bool place(const rc_calib *c, int id, const char *transport, rc_point *p) {
    if ((c->opt->quick && !p->quick) || (c->bench.sustained && !p->sustained))
        return false;
    if (id == RC_SUITE_INTERFERENCE)
        p->cond = transport;
    if (id != RC_SUITE_NET || !transport)
        return true;
    p->variant = transport;
    p->c = rc_procs_nodes(&c->group, (int)p->b);
    /* The loopback device is slower than any number of CTAs. */
    bool capped_socket = p->cond && !strcmp(transport, "socket");
    bool no_peers = rc_point_reads_peers(p) && (strcmp(transport, "nvlink") != 0 || p->c > 1);
    return rc_group_measures(&c->group, (int)p->b) && !capped_socket && !no_peers;
}

/* A point as messages name it. */
static void name_point(const rc_point *p, char *out, size_t size) {
    char variant[48];
    rc_point_variant(p, NULL, variant, sizeof variant);
    snprintf(out, size, "%s %s%s%s %lld %lld %lld %lld", p->op, variant, *variant ? " " : "",
             p->dtype, (long long)p->a, (long long)p->b, (long long)p->c, (long long)p->d);
}

static rc_status failed(rc_status st, const rc_error *why, const rc_point *p, rc_error *err) {
    char name[160];
    if (st == RC_OK)
        return RC_OK;
    name_point(p, name, sizeof name);
    return rc_fail(err, st, "%s: %s", name, why->msg);
}

static void say_skipped(const rc_point *p, const rc_error *err) {
    char name[160];
    name_point(p, name, sizeof name);
    printf("# skipped: %s: %s\n", name, err->msg);
}

/* Why a point that was asked for by name cannot be measured by this process; "" when another one
 * has to, NULL when this one can. */
static const char *cannot(const rc_calib *c, int id, const char *transport, const rc_point *p) {
    const char *said = id == RC_SUITE_NET ? p->variant : p->cond;
    bool joint = is_together(id) && transport;
    if (joint && said && rc_is_transport(said) && strcmp(said, transport) != 0)
        return "";
    if (rc_point_bytes(p) > RC_MEMORY_SHARE * (double)c->gpu.free_bytes)
        return "it needs more than 60 % of the memory that is free";
    if (id == RC_SUITE_INTERFERENCE && p->c != c->gpus)
        return "its number of ranks is not that of the GPUs of this run";
    if (id == RC_SUITE_INTERFERENCE && (strstr(p->variant, "copy") != NULL) != (c->gpus == 1) &&
        strcmp(p->op, "compute_beside") != 0)
        return "one GPU copies, several send";
    if (id != RC_SUITE_NET || !joint)
        return NULL;
    if (p->b > c->group.size)
        return "it needs more GPUs";
    if (!rc_group_measures(&c->group, (int)p->b))
        return "groups are powers of two, a whole node, or all";
    if (p->c > 1 && p->c != rc_procs_nodes(&c->group, (int)p->b))
        return "so many ranks span another number of nodes here";
    if (rc_point_reads_peers(p) && strcmp(transport, "nvlink") != 0)
        return "only over NVLink do GPUs reach each other's memory";
    return p->cond && !strcmp(transport, "socket") ? "sockets are slower than any number of CTAs"
                                                   : NULL;
}

static bool runs_here(const rc_calib *c, const rc_point *p) {
    return rc_capability_in(rc_point_needs(p), c->gpu.capability);
}

/* Why some of these points do not run on this GPU. */
static void lacking(const rc_calib *c, const rc_point *p, size_t n, char (*out)[RC_LACKS_MAX]) {
    char needs[RC_NEEDS_MAX];
    rc_points_needs_text(p, n, needs, sizeof needs);
    rc_lacks_text(c->gpu.name, c->gpu.capability, needs, *out, sizeof *out);
}

/* Whether all ranks can, as rank 0 sees it; it says why not. */
static rc_status can(const rc_calib *c, int id, const char *transport, const rc_point *p, bool *yes,
                     size_t *skipped, rc_error *err) {
    char lacks[RC_LACKS_MAX];
    const char *why = c->group.rank == 0 ? cannot(c, id, transport, p) : NULL;
    if (c->group.rank == 0 && !runs_here(c, p)) {
        lacking(c, p, 1, &lacks);
        why = lacks;
    }
    int left_out = why != NULL;
    bool again = c->bench.sustained && rc_usual_s(c->opt, id, false) > 0; /* said in bursts */
    if (why && *why && !again) {
        rc_error e = {0};
        (void)rc_fail(&e, RC_E_UNMODELLED, "%s", why);
        say_skipped(p, &e);
        (*skipped)++;
    }
    if (is_together(id))
        RC_TRY(rc_group_share(&c->group, &left_out, sizeof left_out, err));
    *yes = !left_out;
    return RC_OK;
}

static rc_status list(const rc_calib *c, int id, rc_points *out, size_t *skipped, rc_error *err) {
    rc_points all = {0};
    char why[RC_LACKS_MAX];
    size_t lack = 0;
    const char *transport = transport_of(c);
    rc_status st = list_all(c, id, &all, err);
    for (size_t i = 0; i < all.n && st == RC_OK; i++) {
        bool yes = true;
        if (c->opt->listed)
            st = can(c, id, transport, &all.v[i], &yes, skipped, err);
        if (st != RC_OK || !yes || !place(c, id, transport, &all.v[i]))
            continue;
        if (runs_here(c, &all.v[i]))
            st = rc_points_add(out, &all.v[i], err);
        else
            lack++;
    }
    if (lack)
        lacking(c, all.v, all.n, &why);
    if (lack && c->group.rank == 0)
        printf("# %s: %zu points left out: it %s\n", rc_suite_info_of((rc_suite_id)id)->name, lack,
               why);
    rc_points_free(&all);
    return st;
}

/* What the quality of a row is, for the line at the end of its suite. */
static void judge(tally *t, const rc_result *r) {
    bool loose = !(r->interval < RC_BENCH_SPREAD);
    t->measured++;
    t->loose += loose;
    t->outliers += r->outliers > 0;
    t->throttled += r->health.throttle != 0;
    t->throttle |= r->health.throttle;
    if (loose && isfinite(r->interval) && r->interval > t->loosest)
        t->loosest = r->interval;
}

static rc_status save(rc_calib *c, const rc_record *row, const rc_result *r, rc_error *err) {
    RC_TRY(rc_row_file_add(&c->row_file, row, err));
    if (!c->opt->verbose)
        return RC_OK;
    rc_run_progress_clear(&c->progress);
    printf("saved %s %s %s %s %lld %lld %lld %lld: %.6g us (%lld samples, median within %.2g %%)\n",
           row->state, row->op, *row->variant ? row->variant : "-", *row->dtype ? row->dtype : "-",
           (long long)row->a, (long long)row->b, (long long)row->c, (long long)row->d,
           1e6 * row->p50_s, (long long)row->samples, 100 * r->interval);
    fflush(stdout);
    return RC_OK;
}

enum { POINT_STOP, POINT_SKIP, POINT_MEASURE };

/* Rank 0 holds the rows and the clock; the others do as it says, in suites that all measure. */
static rc_status next(rc_calib *c, int id, const rc_point *p, int *what, rc_error *err) {
    if (c->group.rank == 0) {
        const rc_measured none = {0};
        rc_record row;
        rc_calib_row(c, p, &none, &row);
        *what = rc_now() > c->deadline                ? POINT_STOP
                : rc_row_file_has(&c->row_file, &row) ? POINT_SKIP
                                                      : POINT_MEASURE;
    }
    return is_together(id) ? rc_group_share(&c->group, what, sizeof *what, err) : RC_OK;
}

static rc_status one_point(rc_calib *c, int id, void *self, const rc_point *p, tally *t,
                           rc_error *err) {
    rc_measured m = {0};
    rc_record row;
    rc_error why = {0};
    char step[200];
    name_point(p, step, sizeof step);
    rc_group_step(&c->group, step);
    rc_status st = suites[id]->measure(c, self, p, &m, &why);
    if (c->group.rank != 0)
        return st == RC_E_UNMODELLED ? RC_OK : failed(st, &why, p, err);
    if (st == RC_E_UNMODELLED) {
        t->skipped++;
        rc_run_progress_clear(&c->progress);
        say_skipped(p, &why);
        return RC_OK;
    }
    if (st != RC_OK)
        return failed(st, &why, p, err);
    rc_calib_row(c, p, &m, &row);
    if (rc_row_file_has(&c->row_file, &row)) { /* resumed, and its variant was known only now */
        t->there++;
        return RC_OK;
    }
    RC_TRY(save(c, &row, &m.r, err));
    judge(t, &m.r);
    return RC_OK;
}

static rc_status all_points(rc_calib *c, int id, const rc_points *points, tally *t, rc_error *err) {
    void *self = NULL;
    char label[64], last[200];
    double usual = rc_usual_s(c->opt, id, c->bench.sustained);
    snprintf(label, sizeof label, "%s opens", rc_suite_info_of((rc_suite_id)id)->name);
    if (is_together(id)) /* rank 0 may still measure alone: nobody is late before all are here */
        RC_TRY(rc_group_agree(&c->group, RC_OK, err));
    rc_group_step(&c->group, label);
    RC_TRY(suites[id]->open(c, points, &self, err));
    snprintf(label, sizeof label, "%s %s", rc_suite_info_of((rc_suite_id)id)->name,
             c->bench.sustained ? "sustained" : "burst");
    rc_status st = RC_OK;
    for (size_t i = 0; i < points->n && st == RC_OK; i++) {
        int what = POINT_STOP;
        st = next(c, id, &points->v[i], &what, err);
        if (st == RC_OK && what == POINT_STOP) {
            t->cut = points->n - i;
            break;
        }
        if (st == RC_OK && what == POINT_MEASURE)
            st = one_point(c, id, self, &points->v[i], t, err);
        t->there += what == POINT_SKIP;
        rc_run_progress_step(&c->progress, label, usual, (double)(i + 1) / (double)points->n);
    }
    rc_run_progress_clear(&c->progress);
    snprintf(last, sizeof last, "%s closes%s%s", rc_suite_info_of((rc_suite_id)id)->name,
             st == RC_OK || !err ? "" : " after: ", st == RC_OK || !err ? "" : err->msg);
    rc_group_step(&c->group, last);
    suites[id]->close(self);
    rc_group_step(&c->group, NULL);
    return st;
}

/* The line at the end of a suite. What is not as it should be is said here, with a reason. */
static void say(const rc_calib *c, const char *name, const tally *t, double seconds) {
    char why[96];
    printf("# %s %s: %zu rows in %.1f s", name, c->bench.sustained ? "sustained" : "burst",
           t->measured, seconds);
    if (t->there)
        printf(", %zu there already", t->there);
    if (t->skipped)
        printf(", %zu skipped", t->skipped);
    if (t->cut)
        printf(", %zu CUT by the budget", t->cut);
    if (t->loose)
        printf(", %zu medians not known to 1 %%", t->loose);
    if (t->loosest > 0)
        printf(" (at worst to %.1f %%)", 100 * t->loosest);
    if (t->outliers)
        printf(", outliers in %zu", t->outliers);
    rc_throttle_text(t->throttle, why, sizeof why);
    if (t->throttled)
        printf(", clock held down in %zu (%s)", t->throttled, why);
    printf("\n");
    fflush(stdout);
}

/* One suite in one state, and a line about it. */
static rc_status run_suite(rc_calib *c, int id, size_t *rows, rc_error *err) {
    rc_points points = {0};
    rc_error why = {0};
    tally t = {0};
    double t0 = rc_now();
    if (!is_together(id) && c->group.rank != 0)
        return RC_OK; /* one GPU is enough for what needs no other */
    rc_status st = RC_OK;
    c->deadline = deadline(c, id, c->bench.sustained);
    if (id == RC_SUITE_NET && c->group.size == 1)
        st = rc_fail(&why, RC_E_UNMODELLED, "it needs two GPUs or more, and has %d", c->gpus);
    else
        st = list(c, id, &points, &t.skipped, &why);
    if (st == RC_OK && points.n)
        st = all_points(c, id, &points, &t, &why);
    size_t n = points.n;
    rc_points_free(&points);
    const char *name = rc_suite_info_of((rc_suite_id)id)->name;
    *rows += t.measured + t.there;
    if (st == RC_E_UNMODELLED) {
        rc_run_progress_suite_done(&c->progress, rc_usual_s(c->opt, id, c->bench.sustained));
        if (c->group.rank == 0)
            printf("# %s: SKIPPED: %s\n", name, why.msg);
        return RC_OK;
    }
    if (st != RC_OK) {
        if (err)
            *err = why;
        return st;
    }
    if (!n)
        return RC_OK;
    rc_run_progress_suite_done(&c->progress, rc_usual_s(c->opt, id, c->bench.sustained));
    if (c->group.rank == 0)
        say(c, name, &t, rc_now() - t0);
    return RC_OK;
}

/* ---- the run -------------------------------------------------------------------------------- */

static rc_status run_suites(rc_calib *c, size_t *rows, rc_error *err) {
    for (int pass = 0; pass < 2; pass++) {
        c->bench.sustained = pass == 1;
        if (!any(c->opt, pass))
            continue;
        if (pass == 1 && c->group.rank == 0) {
            printf("# heating the chip for %.0f s\n", HEAT_S);
            fflush(stdout);
            RC_TRY(rc_gemm_heat(c, HEAT_S, err));
        }
        for (int id = 0; id < RC_SUITE_COUNT; id++)
            if (rc_usual_s(c->opt, id, pass) > 0)
                RC_TRY(run_suite(c, id, rows, err));
    }
    return RC_OK;
}

static rc_status run_all(rc_calib *c, rc_error *err) {
    size_t rows = 0;
    RC_TRY(rc_node_wanted(c) ? rc_node_run(c, &rows, err) : run_suites(c, &rows, err));
    if (rows == 0 && c->group.rank == 0)
        return rc_fail(err, RC_E_CHECK, "nothing could be measured: no file is written");
    return RC_OK;
}

static void describe_points(const rc_calib_options *o, char *text, size_t size) {
    size_t n = 0;
    for (int id = 0; o->listed && id < RC_SUITE_COUNT; id++)
        n += o->suites & 1u << id ? o->listed->of[id].n : 0;
    if (o->listed)
        snprintf(text, size, "%zu points of %.150s%s", n, o->points[0],
                 o->point_files > 1 ? " and others" : "");
    else
        snprintf(text, size, "%s points", o->quick ? "quick" : "all");
}

/* The '#' lines that open both the output and the terminal's. */
static void describe(const rc_calib *c, char *text, size_t size) {
    static const char *const families[] = {"attention", "decode",      "mla",
                                           "merge",     "elementwise", NULL};
    char nccl[24], kernels[256] = "", budget[32] = "none", points[256];
    size_t at = 0;
    describe_points(c->opt, points, sizeof points);
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
             "# options: states %s%s%s; %s; budget %s; seed %llu\n"
             "# times are seconds for one call; columns and method: docs/calibration.md\n",
             RC_CALIB_VERSION_TEXT, RC_STORE_SCHEMA_VERSION, c->commit, c->machine, c->gpus,
             c->gpus == 1 ? "" : "s", c->gpu.name, c->gpu.sms, (double)c->gpu.l2_bytes / 1048576.0,
             (double)c->gpu.free_bytes / 1e9, c->gpu.driver, c->gpu.cuda, *nccl ? nccl : "none",
             c->gpu.nvml ? "yes" : "none", 1e6 * rc_nvml_cost(c->gpu.nvml), kernels,
             c->opt->burst ? "burst" : "", c->opt->burst && c->opt->sustained ? " and " : "",
             c->opt->sustained ? "sustained" : "", points, budget,
             (unsigned long long)c->opt->seed);
}

/* Rows that are taken up must be of this machine and this GPU. */
static rc_status same_machine(const rc_calib *c, rc_error *err) {
    for (size_t i = 0; i < c->row_file.n; i++) {
        const rc_record *r = &c->row_file.rows[i];
        if (strcmp(r->machine, c->machine) != 0 || strcmp(r->gpu, c->gpu.name) != 0)
            return rc_fail_file(err, RC_E_INPUT, c->row_file.part,
                                "holds rows of %s (%s); this is %s (%s): another --out, or --force "
                                "to start anew",
                                r->machine, r->gpu, c->machine, c->gpu.name);
    }
    return RC_OK;
}

/* Points of transports that none of this run's processes is for. */
static void say_elsewhere(const rc_calib *c) {
    const rc_points *net = c->opt->listed ? &c->opt->listed->of[RC_SUITE_NET] : NULL;
    for (size_t i = 0; net && c->gpus > 1 && i < net->n; i++) {
        const char *said = net->v[i].variant, *here = transport_of(c);
        bool ours = !*said || (here && !strcmp(said, here));
        for (int k = 0; !here && rc_nccl_transports[k]; k++)
            ours = ours || !strcmp(said, rc_nccl_transports[k]);
        if (ours || !(c->opt->suites & 1u << RC_SUITE_NET))
            continue;
        rc_error e = {0};
        (void)rc_fail(&e, RC_E_UNMODELLED, "this run does not send over %s", said);
        say_skipped(&net->v[i], &e);
    }
}

static rc_status with_gpu(rc_calib *c, char *head, size_t size, rc_error *err) {
    if (c->opt->machine)
        rc_record_set(c->machine, sizeof c->machine, c->opt->machine);
    else
        rc_machine_name(c->gpu.name, c->machine, sizeof c->machine);
    rc_run_progress_begin(&c->progress, total_weight(c->opt), c->opt->quiet || c->group.rank != 0);
    if (c->group.rank != 0) {
        size_t none = 0;
        return run_suites(c, &none, err);
    }
    describe(c, head, size);
    RC_TRY(rc_row_file_open(&c->row_file, c->opt->out, head, c->opt->force, c->opt->resume, err));
    RC_TRY(same_machine(c, err));
    if (c->opt->have)
        RC_TRY(rc_row_file_leave_out(&c->row_file, c->opt->have, err));
    if (!c->opt->child) {
        fputs(head, stdout);
        say_elsewhere(c);
    }
    if (c->row_file.resumed)
        printf("# resumed: %zu rows from %s\n", c->row_file.resumed, c->row_file.part);
    fflush(stdout);
    rc_status st = run_all(c, err);
    if (st == RC_OK)
        st = rc_row_file_finish(&c->row_file, err);
    else if (c->row_file.n == 0 && c->row_file.is_db)
        rc_row_file_db_remove(&c->row_file);
    else if (c->row_file.n == 0)
        (void)remove(c->row_file.part);
    if (st == RC_OK && !c->opt->child)
        printf("# wrote %zu rows to %s in %.1f s\n", c->row_file.n, c->row_file.path,
               rc_now() - c->began);
    else if (st != RC_OK && c->row_file.n && !c->opt->child)
        fprintf(stderr, "# %zu rows are kept in %s (--resume goes on from there)\n", c->row_file.n,
                c->row_file.part);
    return st;
}

/* The GPU of this process, and how many net and interference run over. */
static rc_status find_gpu(rc_calib *c, int *device, rc_error *err) {
    const rc_calib_options *o = c->opt;
    int there = rc_gpu_count(), wanted = c->group.mpi || c->group.size == 1 ? 1 : c->group.size;
    if (there == 0)
        return rc_fail(err, RC_E_IO,
                       "no CUDA GPU is visible here (driver missing, or CUDA_VISIBLE_DEVICES)");
    if (o->gpus > there || wanted > there)
        return rc_fail_file(err, RC_E_USAGE, "--gpus", "%d asked for, %d visible",
                            o->gpus > wanted ? o->gpus : wanted, there);
    if (o->gpu >= there)
        return rc_fail_file(err, RC_E_USAGE, "--gpu", "%d asked for, %d visible", o->gpu, there);
    *device = c->group.size > 1 ? c->group.local % there : o->gpu > 0 ? o->gpu : 0;
    c->gpus = c->group.size > 1 ? c->group.size : o->gpus ? o->gpus : o->gpu >= 0 ? 1 : there;
    return RC_OK;
}

/* Asked before anything is measured: without NCCL several GPUs have nothing to measure together. */
static rc_status check_nccl(const rc_calib *c, rc_error *err) {
    rc_error why = {0};
    if (c->gpus < 2 || !(c->opt->suites & RC_SUITES_TOGETHER) || rc_nccl_ready(&why) == RC_OK)
        return RC_OK;
    return rc_fail(err, RC_E_IO,
                   "net and interference on several GPUs need NCCL: %s (or name the suites to "
                   "measure without it)",
                   why.msg);
}

/* Suites of which nothing runs on this GPU are left out, aloud: of its own list or of the file's. */
static rc_status leave_out(rc_calib *c, rc_calib_options *own, rc_error *err) {
    *own = *c->opt;
    for (int id = 0; id < RC_SUITE_COUNT; id++) {
        char needs[RC_NEEDS_MAX], why[RC_LACKS_MAX];
        bool any = false;
        if (!(own->suites & 1u << id))
            continue;
        RC_TRY(rc_suite_needs((rc_suite_id)id, c->gpu.capability, &any, needs, sizeof needs, err));
        if (any)
            continue;
        own->suites &= ~(1u << id);
        rc_lacks_text(c->gpu.name, c->gpu.capability, needs, why, sizeof why);
        if (c->group.rank == 0)
            printf("# %s: SKIPPED: it %s\n", rc_suite_info_of((rc_suite_id)id)->name, why);
    }
    c->opt = own;
    return RC_OK;
}

static rc_status run_here(rc_calib *c, rc_error *err) {
    char head[2048];
    int device = 0;
    rc_calib_options own;
    rc_group_step(&c->group, "CUDA starts");
    RC_TRY(find_gpu(c, &device, err));
    RC_TRY(check_nccl(c, err));
    rc_status st = rc_gpu_open(&c->gpu, device, err);
    if (st == RC_OK)
        st = rc_bench_open(&c->bench, &c->gpu, err);
    rc_group_step(&c->group, NULL);
    if (st == RC_OK)
        st = leave_out(c, &own, err);
    if (st == RC_OK)
        st = with_gpu(c, head, sizeof head, err);
    rc_row_file_close(&c->row_file);
    rc_bench_close(&c->bench);
    rc_gpu_close(&c->gpu);
    return st;
}

/* The processes of this run. A process that another run started ends with that one, and forks its
 * own ranks when it is one for a transport, whatever launcher there was: *parent is then true in
 * the one that waits for them. */
static rc_status join(rc_calib *c, bool *parent, rc_error *err) {
    const rc_calib_options *o = c->opt;
    if (!o->child)
        return rc_group_join(&c->group, err);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    c->group = (rc_group){.size = 1, .per_node = 1};
    if (!strcmp(o->child, "gpu"))
        return RC_OK;
    RC_TRY(rc_nccl_transport_set(o->child, err));
    fflush(stdout);
    return rc_group_fork(&c->group, o->gpus, parent, err);
}

static rc_status run(const rc_calib_options *o, rc_error *err) {
    rc_calib c = {.opt = o, .began = rc_now()};
    rc_record_set(c.commit, sizeof c.commit, o->commit ? o->commit : RC_GIT_COMMIT);
    bool parent = false;
    RC_TRY(join(&c, &parent, err));
    if (parent)
        return RC_OK;
    rc_status st = run_here(&c, err);
    rc_group_leave(&c.group, st != RC_OK && st != RC_E_CHECK);
    return st;
}

/* The suites that the files have points for, and of them those that were named. */
static rc_status take_points(rc_calib_options *o, rc_point_set *set, rc_error *err) {
    unsigned there = 0;
    RC_TRY(rc_point_set_read(o->points, (size_t)o->point_files, set, err));
    for (int id = 0; id < RC_SUITE_COUNT; id++)
        there |= set->of[id].n > 0 ? 1u << id : 0;
    o->listed = set;
    o->suites = o->suites ? o->suites & there : there;
    if (o->suites)
        return RC_OK;
    return rc_fail_file(err, RC_E_INPUT, o->points[0], "holds no points%s",
                        there ? " of the suites that were named" : "");
}

rc_status rc_calib_run(const rc_calib_options *o, rc_error *err) {
    rc_calib_options mine = *o;
    rc_point_set set = {0};
    rc_status st = o->point_files > 0 ? take_points(&mine, &set, err) : RC_OK;
    if (st == RC_OK)
        st = run(&mine, err);
    rc_point_set_free(&set);
    return st;
}
