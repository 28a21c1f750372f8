/* A node of several GPUs.
 *
 * Why processes: NCCL picks a transport once, from its environment, and calls of a process that
 * drives several devices cannot be captured in a graph. So the program runs itself
 * (/proc/self/exe): first once a GPU (`--child gpu`), each with suites of its own; then once a
 * transport (`--child nvlink`), a process that forks one rank a GPU. Each writes a CSV beside the
 * output, row by row: FILE.gpu0.csv.part and so on. The parent takes the rows over, also those of a
 * process that failed or was killed, and removes the file. What a parent that was killed left is
 * taken over by the run that resumes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/node.h"
#include "calib/nccl_transport.h"
#include "calib/point_set.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_GPUS = 64, MAX_ARGS = 40 + 2 * RC_POINT_FILES };
#define LATE_S 60.0 /* beyond its budget a process is taken for lost and ended */
#define GRACE_S 5.0 /* from SIGTERM to SIGKILL */
#define TOO_LITTLE_S 5.0

/* A process at work. */
typedef struct child {
    pid_t pid; /* 0: ended */
    char name[24], out[1100];
    double deadline; /* rc_now() clock */
    bool told;       /* SIGTERM was sent */
} child;

typedef struct node {
    rc_calib *c;
    char have[1100]; /* what the children need not measure */
    size_t failed, children;
    rc_error first; /* of the failures */
} node;

/* ---- shares ---------------------------------------------------------------------------------- */

/* 0 for a suite that is not asked for, or that has no points in the states asked for. */
static double usual_s(const rc_calib_options *o, int id) {
    const rc_suite_info *s = rc_suite_info_of((rc_suite_id)id);
    double full = rc_usual_s(o, id, false) + rc_usual_s(o, id, true);
    return full > 0 && o->quick ? s->quick_s : full;
}

/* Of the suites in `set`, those with something to do. */
static unsigned busy(const rc_calib_options *o, unsigned set) {
    for (int id = 0; id < RC_SUITE_COUNT; id++)
        if (usual_s(o, id) <= 0)
            set &= ~(1u << id);
    return set;
}

void rc_node_spread(const rc_calib_options *o, int gpus, unsigned *sets) {
    double load[MAX_GPUS] = {0};
    unsigned left = busy(o, o->suites & ~RC_SUITES_TOGETHER);
    memset(sets, 0, (size_t)gpus * sizeof *sets);
    while (left) {
        int longest = -1, idle = 0;
        for (int id = 0; id < RC_SUITE_COUNT; id++)
            if ((left & 1u << id) && (longest < 0 || usual_s(o, id) > usual_s(o, longest)))
                longest = id;
        for (int g = 1; g < gpus; g++)
            if (load[g] < load[idle])
                idle = g;
        sets[idle] |= 1u << longest;
        load[idle] += usual_s(o, longest);
        left &= ~(1u << longest);
    }
}

bool rc_node_wanted(const rc_calib *c) {
    unsigned alone = c->opt->suites & ~RC_SUITES_TOGETHER;
    bool several = (alone & (alone - 1)) != 0;
    return c->gpus > 1 && c->group.size == 1 && !c->opt->child &&
           (several || (c->opt->suites & RC_SUITES_TOGETHER));
}

/* Whether the files of --points, where there are any, ask a transport for points of a suite. */
static bool asked(const rc_calib_options *o, int id, const char *transport) {
    const rc_points *p = o->listed ? &o->listed->of[id] : NULL;
    for (size_t i = 0; p && i < p->n; i++) {
        const char *said = id == RC_SUITE_NET ? p->v[i].variant : p->v[i].cond;
        if (!said || !*said || !strcmp(said, transport))
            return true;
    }
    return p == NULL;
}

/* Suites that a transport's processes measure: over sockets nothing overlaps that is worth it. */
static unsigned together(const rc_calib_options *o, int transport) {
    unsigned set = busy(o, o->suites & RC_SUITES_TOGETHER);
    for (int id = 0; id < RC_SUITE_COUNT; id++)
        if ((set & 1u << id) && !asked(o, id, rc_nccl_transports[transport]))
            set &= ~(1u << id);
    return transport == 2 ? set & (1u << RC_SUITE_NET) : set;
}

static double set_s(const rc_calib_options *o, unsigned set) {
    double s = 0;
    for (int id = 0; id < RC_SUITE_COUNT; id++)
        if (set & 1u << id)
            s += usual_s(o, id);
    return s;
}

/* Usual seconds of the transports from `from` on. */
static double transports_s(const rc_calib_options *o, int from) {
    double s = 0;
    for (int i = from; rc_nccl_transports[i]; i++)
        s += set_s(o, together(o, i));
    return s;
}

static double left_s(const rc_calib *c) {
    return c->began + c->opt->budget_s - rc_now();
}

/* ---- processes ------------------------------------------------------------------------------- */

static void suite_list(unsigned set, char *out, size_t size) {
    size_t at = 0;
    out[0] = '\0';
    for (int id = 0; id < RC_SUITE_COUNT; id++)
        if ((set & 1u << id) && at < size)
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? "," : "",
                                   rc_suite_info_of((rc_suite_id)id)->name);
}

static rc_status spawn(child *x, char *const *args, rc_error *err) {
    char exe[1024];
    char *argv[MAX_ARGS];
    int n = 1;
    ssize_t bytes = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (bytes <= 0)
        return rc_fail(err, RC_E_INTERNAL, "cannot find this program: %s", strerror(errno));
    exe[bytes] = '\0';
    argv[0] = exe;
    for (; args[n - 1] && n < MAX_ARGS - 1; n++)
        argv[n] = args[n - 1];
    argv[n] = NULL;
    fflush(stdout);
    int e = posix_spawn(&x->pid, exe, NULL, NULL, argv, environ);
    if (e) {
        x->pid = 0;
        return rc_fail(err, RC_E_INTERNAL, "cannot start a process for %s: %s", x->name,
                       strerror(e));
    }
    return RC_OK;
}

/* Start a process for `set`; `name` is gpuK or a transport, `budget` INFINITY or seconds. */
static rc_status start(node *v, child *x, const char *name, int gpu, unsigned set, double budget,
                       rc_error *err) {
    rc_calib *c = v->c;
    const rc_calib_options *o = c->opt;
    char suites[160], seed[32], gpus[16], which[16], seconds[32];
    snprintf(x->name, sizeof x->name, "%s", name);
    snprintf(x->out, sizeof x->out, "%s.%s.csv", c->row_file.path, name);
    suite_list(set, suites, sizeof suites);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    snprintf(gpus, sizeof gpus, "%d", gpu < 0 ? c->gpus : 1);
    snprintf(which, sizeof which, "%d", gpu < 0 ? 0 : gpu);
    snprintf(seconds, sizeof seconds, "%.0f", isinf(budget) ? 86400 : budget < 1 ? 1 : budget);
    const char *state = !o->sustained ? "burst" : !o->burst ? "sustained" : "both";
    const char *const fixed[] = {"run",
                                 "--suite",
                                 suites,
                                 "--out",
                                 x->out,
                                 "--child",
                                 gpu < 0 ? name : "gpu",
                                 "--have",
                                 v->have,
                                 "--state",
                                 state,
                                 "--machine",
                                 c->machine,
                                 "--commit",
                                 c->commit,
                                 "--gpus",
                                 gpus,
                                 "--gpu",
                                 which,
                                 "--seed",
                                 seed,
                                 "--budget",
                                 seconds,
                                 "--force",
                                 "--quiet",
                                 o->quick ? "--quick" : NULL};
    char *args[MAX_ARGS] = {0};
    int n = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (fixed[i])
            args[n++] = (char *)(size_t)fixed[i];
    if (o->verbose)
        args[n++] = (char *)(size_t) "--verbose";
    for (int i = 0; i < o->point_files; i++) {
        args[n++] = (char *)(size_t) "--points";
        args[n++] = (char *)(size_t)o->points[i];
    }
    x->told = false;
    x->deadline = isinf(budget) ? (double)INFINITY : rc_now() + budget + LATE_S;
    v->children++;
    printf("# %s: starts with %s\n", name, suites);
    return spawn(x, args, err);
}

static void note_failure(node *v, const child *x, rc_status st, const char *why) {
    rc_error e = {0};
    (void)rc_fail(&e, st, "the process that measures %s %s", x->name, why);
    fprintf(stderr, "# %s\n", e.msg);
    if (!v->failed++)
        v->first = e;
}

/* What an ended process was worth. Its rows are taken over either way. */
static rc_status settle(node *v, child *x, int code, rc_error *err) {
    char why[64];
    size_t rows = 0;
    bool good = WIFEXITED(code) && WEXITSTATUS(code) == 0;
    snprintf(why, sizeof why, "failed (%s %d)", WIFEXITED(code) ? "exit" : "signal",
             WIFEXITED(code) ? WEXITSTATUS(code) : WTERMSIG(code));
    if (!good && x->told)
        note_failure(v, x, RC_E_INTERNAL, "did not end in time and was ended");
    else if (!good)
        note_failure(v, x,
                     WIFEXITED(code) && WEXITSTATUS(code) == 1   ? RC_E_CHECK
                     : WIFEXITED(code) && WEXITSTATUS(code) == 2 ? RC_E_IO
                                                                 : RC_E_INTERNAL,
                     why);
    RC_TRY(rc_row_file_take_over(&v->c->row_file, x->out, &rows, err));
    printf("# %s: %zu rows%s\n", x->name, rows, good ? "" : ", and then it failed");
    fflush(stdout);
    return RC_OK;
}

/* Wait for all; one that is late is ended. */
static rc_status wait_all(node *v, child *all, int n, rc_error *err) {
    rc_status st = RC_OK;
    for (int left = n; left > 0;) {
        left = 0;
        for (int i = 0; i < n; i++) {
            child *x = &all[i];
            int code = 0;
            if (!x->pid)
                continue;
            pid_t ended = waitpid(x->pid, &code, WNOHANG);
            if (ended < 0 && errno != EINTR)
                return rc_fail(err, RC_E_INTERNAL, "cannot wait for %s: %s", x->name,
                               strerror(errno));
            if (ended == x->pid) {
                x->pid = 0;
                rc_status got = settle(v, x, code, st == RC_OK ? err : NULL);
                st = st == RC_OK ? got : st;
                continue;
            }
            left++;
            if (rc_now() < x->deadline)
                continue;
            (void)kill(x->pid, x->told ? SIGKILL : SIGTERM);
            x->told = true;
            x->deadline = rc_now() + GRACE_S;
        }
        if (left)
            rc_nap(0.02);
    }
    return st;
}

/* ---- the two stages -------------------------------------------------------------------------- */

static rc_status spread_out(node *v, rc_error *err) {
    rc_calib *c = v->c;
    const rc_calib_options *o = c->opt;
    unsigned sets[MAX_GPUS];
    child all[MAX_GPUS] = {0};
    char name[24];
    double longest = 0, after = transports_s(o, 0), budget = (double)INFINITY;
    int gpus = c->gpus < MAX_GPUS ? c->gpus : MAX_GPUS;
    rc_node_spread(o, gpus, sets);
    for (int g = 0; g < gpus; g++)
        longest = fmax(longest, set_s(o, sets[g]));
    if (longest <= 0)
        return RC_OK;
    if (!isinf(o->budget_s))
        budget = left_s(c) * longest / (longest + after);
    rc_status st = RC_OK;
    for (int g = 0; g < gpus && st == RC_OK; g++) {
        snprintf(name, sizeof name, "gpu%d", g);
        if (sets[g])
            st = start(v, &all[g], name, g, sets[g], budget, err);
    }
    rc_status waited = wait_all(v, all, gpus, st == RC_OK ? err : NULL);
    return st == RC_OK ? waited : st;
}

static rc_status one_transport(node *v, int i, rc_error *err) {
    const rc_calib_options *o = v->c->opt;
    const char *name = rc_nccl_transports[i];
    unsigned set = together(o, i);
    double budget = (double)INFINITY;
    child x = {0};
    if (!set)
        return RC_OK;
    if (i == 0 && !rc_gpu_peers()) {
        printf("# %s: SKIPPED: these GPUs have no peer access\n", name);
        return RC_OK;
    }
    if (!isinf(o->budget_s)) {
        if (left_s(v->c) < TOO_LITTLE_S) {
            printf("# %s: SKIPPED: the budget is spent\n", name);
            return RC_OK;
        }
        budget = left_s(v->c) * set_s(o, set) / transports_s(o, i);
    }
    RC_TRY(start(v, &x, name, -1, set, budget, err));
    return wait_all(v, &x, 1, err);
}

/* ---- the run --------------------------------------------------------------------------------- */

/* What the processes of a run that was killed have left. */
static rc_status take_up(node *v, rc_error *err) {
    char path[1100];
    size_t rows = 0;
    for (int i = 0; i < v->c->gpus + 3; i++) {
        if (i < 3)
            snprintf(path, sizeof path, "%s.%s.csv", v->c->row_file.path, rc_nccl_transports[i]);
        else
            snprintf(path, sizeof path, "%s.gpu%d.csv", v->c->row_file.path, i - 3);
        RC_TRY(rc_row_file_take_over(&v->c->row_file, path, &rows, err));
    }
    if (rows)
        printf("# resumed: %zu rows that processes of the run before had left\n", rows);
    return RC_OK;
}

static rc_status both_stages(node *v, rc_error *err) {
    if (v->c->opt->resume)
        RC_TRY(take_up(v, err));
    RC_TRY(rc_row_file_export(&v->c->row_file, v->have, err));
    RC_TRY(spread_out(v, err));
    RC_TRY(rc_row_file_export(&v->c->row_file, v->have, err));
    for (int i = 0; rc_nccl_transports[i]; i++)
        RC_TRY(one_transport(v, i, err));
    return RC_OK;
}

rc_status rc_node_run(rc_calib *c, size_t *rows, rc_error *err) {
    node v = {.c = c};
    snprintf(v.have, sizeof v.have, "%s.have.csv", c->row_file.path);
    rc_status st = both_stages(&v, err);
    (void)remove(v.have);
    *rows = c->row_file.n;
    if (st == RC_OK && v.failed)
        return rc_fail(err, v.first.status, "%s (%zu of %zu processes failed)", v.first.msg,
                       v.failed, v.children);
    return st;
}
