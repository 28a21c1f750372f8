/* ringcast-calib ring: the cases, one after another, on as many processes as each needs.
 *
 * Without MPI the program forks one process a GPU for each number of GPUs that the cases ask for,
 * before CUDA is touched; under mpirun the job's processes are the ranks and cases of another
 * number are left out, aloud. Virtual ranks need one process.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_command.h"
#include "calib/catalog.h"
#include "calib/gpu_needs.h"
#include "calib/nccl_transport.h"
#include "calib/ring/ring_rows.h"
#include "calib/ring/ring_spans.h"
#include "calib/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifndef RC_GIT_COMMIT
#define RC_GIT_COMMIT "unknown"
#endif

typedef struct job {
    const rc_ring_options *o;
    rc_ring_case *cases;
    size_t count;
    rc_ring_file file;
    rc_group group;
    rc_gpu gpu;
    char machine[48];
    double began;
    size_t ran, failed;
    bool cut;
    rc_ring_ranks ranks; /* of the latest case: communicators are made anew only for other groups */
} job;

static bool wanted(const job *j, const rc_ring_case *c, int ranks) {
    if (c->cp * c->tp != ranks)
        return false;
    return !j->o->only || !strncmp(c->name, j->o->only, strlen(j->o->only));
}

static void say(const job *j, const rc_ring_case *c, const char *text) {
    if (j->group.rank == 0)
        printf("%-32s %s\n", c->name, text);
    fflush(stdout);
}

static rc_status write_rows(job *j, const rc_ring_case *c, const rc_ring_times *t, rc_error *err) {
    rc_ring_source s = {.gpu = &j->gpu,
                        .machine = j->machine,
                        .transport = j->file.transport,
                        .commit = j->o->commit ? j->o->commit : RC_GIT_COMMIT};
    if (j->group.rank != 0 || !j->o->out)
        return RC_OK;
    rc_nccl_version(s.nccl, sizeof s.nccl);
    return rc_ring_file_add(&j->file, c, &s, t, err);
}

static rc_status measure(job *j, rc_ring_layers *b, rc_error *err) {
    static rc_ring_times t;
    char text[160];
    rc_ring_errors e;
    memset(&t, 0, sizeof t);
    RC_TRY(rc_ring_check(b, &e, err));
    t.errors = e;
    if (j->o->check_only || j->o->virtual_ranks > 1) {
        snprintf(text, sizeof text, "right: attention off by %.2g, hidden state by %.2g",
                 e.attention, e.hidden);
        say(j, &b->c, text);
        return RC_OK;
    }
    RC_TRY(rc_ring_time(b, &t, err));
    snprintf(text, sizeof text,
             "%.3f ms, %lld passes, median within %.2g %%, %.0f MHz; off by %.2g",
             1e3 * t.whole.p50_s, (long long)t.whole.samples, 100 * t.whole.interval,
             t.whole.health.sm_mhz, e.attention);
    say(j, &b->c, text);
    if (j->o->trace)
        RC_TRY(rc_ring_trace(b, j->o->trace, j->machine, t.whole.p50_s, err));
    return write_rows(j, &b->c, &t, err);
}

/* The ranks of a case, kept from the case before where that had the same groups. */
static rc_status open_ranks(job *j, const rc_ring_case *c, rc_error *err) {
    rc_ring_ranks *g = &j->ranks;
    if (g->local > 0 && g->cp == c->cp && g->tp == c->tp && g->ctas == c->ctas)
        return RC_OK;
    rc_ring_ranks_close(g);
    return rc_ring_ranks_open(g, &j->group, &j->gpu, j->o->virtual_ranks > 0, c->cp, c->tp, c->ctas,
                              err);
}

static rc_status one_case(job *j, const rc_ring_case *c, rc_error *err) {
    rc_ring_layers layers;
    memset(&layers, 0, sizeof layers);
    const char *family = rc_ring_is_decode(c) ? "decode" : "attention";
    rc_capability_range needs = rc_capability_of(family, false);
    char text[RC_NEEDS_MAX], why[RC_LACKS_MAX];
    if (!rc_capability_in(needs, j->gpu.capability)) {
        rc_lacks_text(j->gpu.name, j->gpu.capability, rc_capability_text(needs, text, sizeof text),
                      why, sizeof why);
        return rc_fail(err, RC_E_UNMODELLED, "%s %s", family, why);
    }
    rc_group_step(&j->group, c->name);
    rc_status st = rc_group_agree(&j->group, open_ranks(j, c, err), err);
    if (st == RC_OK)
        st = rc_group_agree(&j->group, rc_ring_layers_open(&layers, &j->ranks, c, j->o->seed, err),
                            err);
    if (st == RC_OK)
        st = measure(j, &layers, err);
    rc_ring_layers_close(&layers);
    rc_group_step(&j->group, NULL);
    return st;
}

/* RC_OK when the next case may be tried. */
static rc_status judge(job *j, const rc_ring_case *c, rc_status st, const rc_error *why,
                       rc_error *err) {
    char text[1000];
    if (st == RC_OK) {
        j->ran++;
        return RC_OK;
    }
    snprintf(text, sizeof text, "%s: %s", st == RC_E_CHECK ? "FAILED" : "SKIPPED", why->msg);
    if (st == RC_E_CHECK || st == RC_E_UNMODELLED) {
        say(j, c, text);
        j->failed += st == RC_E_CHECK;
        return RC_OK;
    }
    return rc_fail(err, st, "case \"%s\": %s", c->name, why->msg);
}

static rc_status time_is_up(const job *j, int *up, rc_error *err) {
    *up = rc_now() - j->began > j->o->budget_s;
    return rc_group_share(&j->group, up, sizeof *up, err);
}

static rc_status all_cases(job *j, int ranks, rc_error *err) {
    for (size_t i = 0; i < j->count; i++) {
        const rc_ring_case *c = &j->cases[i];
        rc_error why = {0};
        int up = 0;
        if (!wanted(j, c, ranks) || rc_ring_file_has(&j->file, c))
            continue;
        RC_TRY(time_is_up(j, &up, err));
        if (up) {
            say(j, c, "CUT by the budget, and all behind it");
            j->cut = true;
            break;
        }
        rc_status st = one_case(j, c, &why);
        RC_TRY(judge(j, c, st, &why, err));
    }
    if (j->ran == 0 && j->failed == 0 && !j->cut)
        return rc_fail(err, RC_E_CHECK, "no case could be run");
    return j->failed ? rc_fail(err, RC_E_CHECK, "%zu cases gave a wrong result", j->failed) : RC_OK;
}

/* On this process's GPU. */
static rc_status on_gpu(job *j, int ranks, rc_error *err) {
    int there = rc_gpu_count();
    if (there == 0)
        return rc_fail(err, RC_E_IO,
                       "no CUDA GPU is visible here (driver missing, or CUDA_VISIBLE_DEVICES)");
    if (j->group.local >= there)
        return rc_fail(err, RC_E_IO, "%d GPUs are needed on this machine, %d are visible",
                       j->group.per_node, there);
    rc_status st = rc_gpu_open(&j->gpu, j->group.local, err);
    if (st == RC_OK) {
        if (j->o->machine)
            rc_record_set(j->machine, sizeof j->machine, j->o->machine);
        else
            rc_machine_name(j->gpu.name, j->machine, sizeof j->machine);
        if (j->group.rank == 0)
            printf("# %s (%s), %d rank%s%s, transport %s\n", j->machine, j->gpu.name, ranks,
                   ranks == 1 ? "" : "s", j->o->virtual_ranks ? " on one GPU" : "",
                   j->o->virtual_ranks ? "device copies" : j->file.transport);
        st = all_cases(j, ranks, err);
    }
    rc_ring_ranks_close(&j->ranks);
    rc_gpu_close(&j->gpu);
    return st;
}

/* The processes of one number of GPUs. A forked child leaves through main, with its status. */
static rc_status with_ranks(job *j, int ranks, bool *child, rc_error *err) {
    bool parent = false;
    RC_TRY(rc_group_fork(&j->group, ranks, &parent, err));
    if (parent)
        return RC_OK;
    *child = true;
    return on_gpu(j, ranks, err);
}

static rc_status set_transport(const rc_ring_options *o, rc_error *err) {
    static const char *const forced[] = {"nvlink", "shm", "socket"};
    const char *name = o->transport ? o->transport : "nvlink";
    for (size_t i = 0; i < sizeof forced / sizeof forced[0]; i++)
        if (!strcmp(name, forced[i]))
            return rc_nccl_transport_set(name, err);
    return RC_OK;
}

static rc_status read_cases(job *j, rc_error *err) {
    if (j->o->cases)
        return rc_ring_cases_read(j->o->cases, &j->cases, &j->count, err);
    int ranks = j->o->virtual_ranks ? j->o->virtual_ranks : j->group.mpi ? j->group.size : 1;
    return rc_ring_cases_builtin(ranks, &j->cases, &j->count, err);
}

static rc_status run_all(job *j, bool *child, rc_error *err) {
    if (j->o->virtual_ranks || j->group.mpi)
        return on_gpu(j, j->o->virtual_ranks ? j->o->virtual_ranks : j->group.size, err);
    rc_status worst = RC_OK;
    for (int ranks = 1; ranks <= RC_RING_MAX_RANKS; ranks++) {
        bool any = false;
        rc_error why = {0};
        for (size_t i = 0; i < j->count; i++)
            any = any ||
                  (wanted(j, &j->cases[i], ranks) && !rc_ring_file_has(&j->file, &j->cases[i]));
        if (!any)
            continue;
        rc_status st = with_ranks(j, ranks, child, &why);
        if (st != RC_OK && (worst == RC_OK || *child)) {
            worst = st;
            if (err)
                *err = why;
        }
        if (*child)
            return worst;
    }
    return worst;
}

static rc_status run_job(job *j, rc_error *err) {
    bool child = false;
    RC_TRY(read_cases(j, err));
    if (j->group.rank == 0)
        RC_TRY(rc_ring_file_open(&j->file, j->o, err));
    else
        j->file.transport = j->o->transport ? j->o->transport : "nvlink";
    fflush(stdout);
    rc_status st = run_all(j, &child, err);
    if (child || j->group.rank != 0 || !j->o->out)
        return st;
    if (st == RC_OK)
        st = rc_ring_file_finish(&j->file, j->o->force, err);
    else if (!rc_ring_file_drop_empty(&j->file))
        fprintf(stderr, "# what was measured is kept in %s (--resume goes on from there)\n",
                j->file.part);
    return st;
}

rc_status rc_ring_main(int argc, char **argv, rc_error *err) {
    rc_ring_options o;
    job j;
    RC_TRY(rc_ring_options_parse(argc, argv, &o, err));
    if (o.help) {
        rc_ring_usage();
        return RC_OK;
    }
    RC_TRY(set_transport(&o, err));
    memset(&j, 0, sizeof j);
    j.o = &o;
    j.began = rc_now();
    RC_TRY(rc_group_join(&j.group, err));
    rc_status st = run_job(&j, err);
    free(j.cases);
    rc_ring_file_close(&j.file);
    rc_group_leave(&j.group, st != RC_OK && st != RC_E_CHECK);
    return st;
}
