/* The processes of one run.
 *
 * MPI is started only under a launcher: a program that links MPI and runs alone must not depend on
 * a daemon. What launchers set: OMPI_COMM_WORLD_SIZE (Open MPI), PMI_SIZE (MPICH, Intel, Hydra),
 * SLURM_STEP_NUM_TASKS (srun; not SLURM_NTASKS, which a batch script has, too).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/process_group.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef RC_HAVE_MPI
#include <mpi.h>
#endif

static int launched(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *v = getenv(names[i]);
        if (v && atoi(v) > 0)
            return atoi(v);
    }
    return 0;
}

int rc_procs_nodes(const rc_group *g, int n) {
    assert(g->per_node >= 1);
    return (n + g->per_node - 1) / g->per_node;
}

bool rc_group_measures(const rc_group *g, int n) {
    assert(n >= 1);
    return n == g->size || n == g->per_node || (n & (n - 1)) == 0;
}

static bool says(const char *name, const char *value) {
    const char *v = getenv(name);
    return v && !strcmp(v, value);
}

const char *rc_group_transport(const rc_group *g) {
    if (g->size <= g->per_node)
        return "nvlink";
    bool forbidden = says("NCCL_NET", "Socket") || says("NCCL_IB_DISABLE", "1");
    return !forbidden && access("/sys/class/infiniband", F_OK) == 0 ? "rdma" : "tcp";
}

#ifdef RC_HAVE_MPI

static rc_status check(int code, const char *what, rc_error *err) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    if (code == MPI_SUCCESS)
        return RC_OK;
    (void)MPI_Error_string(code, text, &n);
    return rc_fail(err, RC_E_INTERNAL, "%s: %.400s", what, text);
}

static rc_status place(rc_group *g, rc_error *err) {
    MPI_Comm node;
    int here = 0;
    RC_TRY(check(MPI_Comm_rank(MPI_COMM_WORLD, &g->rank), "MPI_Comm_rank", err));
    RC_TRY(check(MPI_Comm_size(MPI_COMM_WORLD, &g->size), "MPI_Comm_size", err));
    RC_TRY(check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node),
                 "MPI_Comm_split_type", err));
    rc_status st = check(MPI_Comm_rank(node, &g->local), "MPI_Comm_rank", err);
    if (st == RC_OK)
        st = check(MPI_Comm_size(node, &here), "MPI_Comm_size", err);
    (void)MPI_Comm_free(&node);
    RC_TRY(st);
    return check(MPI_Allreduce(&here, &g->per_node, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD),
                 "MPI_Allreduce", err);
}

rc_status rc_group_join(rc_group *g, rc_error *err) {
    *g = (rc_group){.size = 1, .per_node = 1};
    if (launched() == 0)
        return RC_OK;
    RC_TRY(check(MPI_Init(NULL, NULL), "MPI_Init", err));
    g->mpi = true;
    RC_TRY(place(g, err));
    if (g->size != launched()) /* cut off from the launcher, MPI takes a process for the only one */
        return rc_fail(err, RC_E_IO, "MPI counts %d processes, but the launcher started %d",
                       g->size, launched());
    return RC_OK;
}

void rc_group_leave(rc_group *g, bool failed) {
    if (g->mpi && failed && g->size > 1)
        (void)MPI_Abort(MPI_COMM_WORLD, 3);
    if (g->mpi)
        (void)MPI_Finalize();
    g->mpi = false;
}

static rc_status mpi_share(void *data, size_t bytes, rc_error *err) {
    return check(MPI_Bcast(data, (int)bytes, MPI_BYTE, 0, MPI_COMM_WORLD), "MPI_Bcast", err);
}

static rc_status mpi_gather(double value, double *all, rc_error *err) {
    return check(MPI_Allgather(&value, 1, MPI_DOUBLE, all, 1, MPI_DOUBLE, MPI_COMM_WORLD),
                 "MPI_Allgather", err);
}

#else

rc_status rc_group_join(rc_group *g, rc_error *err) {
    *g = (rc_group){.size = 1, .per_node = 1};
    if (launched() > 1)
        return rc_fail(err, RC_E_USAGE,
                       "started as %d processes, but built without MPI: build with MPI, or start "
                       "one process, which takes all GPUs of its node",
                       launched());
    return RC_OK;
}

void rc_group_leave(rc_group *g, bool failed) {
    (void)g;
    (void)failed;
}

static rc_status mpi_share(void *data, size_t bytes, rc_error *err) {
    (void)data;
    (void)bytes;
    return rc_fail(err, RC_E_INTERNAL, "built without MPI");
}

static rc_status mpi_gather(double value, double *all, rc_error *err) {
    (void)value;
    (void)all;
    return rc_fail(err, RC_E_INTERNAL, "built without MPI");
}

#endif

rc_status rc_group_share(const rc_group *g, void *data, size_t bytes, rc_error *err) {
    assert(data != NULL || bytes == 0);
    assert(g->rank >= 0 && g->rank < g->size);
    if (g->size == 1)
        return RC_OK;
    return g->page ? rc_fork_share(g, data, bytes, err) : mpi_share(data, bytes, err);
}

rc_status rc_group_gather(const rc_group *g, double value, double *all, rc_error *err) {
    if (g->size == 1) {
        all[0] = value;
        return RC_OK;
    }
    return g->page ? rc_fork_gather(g, value, all, err) : mpi_gather(value, all, err);
}

rc_status rc_group_max(const rc_group *g, double *value, rc_error *err) {
    double all[RC_GROUP_MAX];
    if (g->size > RC_GROUP_MAX)
        return rc_fail(err, RC_E_UNMODELLED, "more than %d processes", RC_GROUP_MAX);
    RC_TRY(rc_group_gather(g, *value, all, err));
    for (int i = 0; i < g->size; i++)
        if (all[i] > *value)
            *value = all[i];
    return RC_OK;
}

rc_status rc_group_agree(const rc_group *g, rc_status st, rc_error *err) {
    double all[RC_GROUP_MAX];
    int worst = 0;
    rc_error unmet = {0};
    if (g->size == 1)
        return st;
    if (g->size > RC_GROUP_MAX)
        return rc_fail(err, RC_E_UNMODELLED, "more than %d processes", RC_GROUP_MAX);
    if (st != RC_OK && g->rank != 0 && err)
        fprintf(stderr, "# rank %d: %s\n", g->rank, err->msg);
    rc_status met = rc_group_gather(g, st, all, &unmet);
    if (met != RC_OK)
        return st != RC_OK ? st : rc_fail(err, met, "%s", unmet.msg);
    for (int i = 1; i < g->size; i++)
        if (all[i] > all[worst])
            worst = i;
    rc_status most = (rc_status)all[worst];
    if (st == RC_OK && most != RC_OK)
        return rc_fail(err, most, "rank %d could not", worst);
    if (err && st != RC_OK)
        err->status = most;
    return most;
}

/* ---- the watchdog ---------------------------------------------------------------------------- */

/* What the handler writes: composed beforehand, for it may call next to nothing. */
static char last_step[256];
static volatile sig_atomic_t last_step_bytes;

static void on_alarm(int signal) {
    (void)signal;
    (void)!write(STDERR_FILENO, last_step, (size_t)last_step_bytes);
    _exit(3);
}

static unsigned patience(void) {
    const char *v = getenv("RC_HANG_S");
    char *end = NULL;
    long seconds = v ? strtol(v, &end, 10) : RC_GROUP_HANG_S;
    bool number = !v || (end != v && *end == '\0' && seconds >= 0 && seconds <= 86400);
    return number ? (unsigned)seconds : RC_GROUP_HANG_S;
}

void rc_group_step(const rc_group *g, const char *step) {
    struct sigaction act;
    unsigned seconds = step ? patience() : 0;
    (void)alarm(0); /* the text below must not change under the handler */
    if (!seconds)
        return;
    int n = snprintf(last_step, sizeof last_step,
                     "ringcast-calib: rank %d hangs: nothing new for %u s since: %.180s\n", g->rank,
                     seconds, step);
    last_step_bytes = n < (int)sizeof last_step ? n : (int)sizeof last_step - 1;
    memset(&act, 0, sizeof act);
    act.sa_handler = on_alarm;
    (void)sigaction(SIGALRM, &act, NULL);
    (void)alarm(seconds);
}
