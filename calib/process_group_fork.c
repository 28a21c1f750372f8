/* A group of processes on one machine without MPI. They are forked before CUDA is touched and share
 * one page of memory with a barrier in it. Only an id or one number a rank goes over that page;
 * tensors go over NCCL.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "calib/process_group.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FORK_RANKS = 64, GRACE_S = 5 };

struct rc_fork_page {
    pthread_barrier_t barrier;
    double values[FORK_RANKS];
    unsigned char shared[RC_GROUP_SHARE_MAX];
};

static rc_status meet(struct rc_fork_page *b, rc_error *err) {
    int e = pthread_barrier_wait(&b->barrier);
    return e == 0 || e == PTHREAD_BARRIER_SERIAL_THREAD
               ? RC_OK
               : rc_fail(err, RC_E_INTERNAL, "the processes cannot meet: %s", strerror(e));
}

rc_status rc_fork_share(const rc_group *g, void *data, size_t bytes, rc_error *err) {
    assert(bytes <= RC_GROUP_SHARE_MAX);
    if (g->rank == 0)
        memcpy(g->page->shared, data, bytes);
    RC_TRY(meet(g->page, err));
    memcpy(data, g->page->shared, bytes);
    return meet(g->page, err); /* nobody writes before everybody has read */
}

rc_status rc_fork_gather(const rc_group *g, double value, double *all, rc_error *err) {
    assert(g->size <= FORK_RANKS);
    g->page->values[g->rank] = value;
    RC_TRY(meet(g->page, err));
    memcpy(all, g->page->values, (size_t)g->size * sizeof *all);
    return meet(g->page, err);
}

static rc_status make_page(int n, struct rc_fork_page **out, rc_error *err) {
    pthread_barrierattr_t attr;
    /* cppcheck-suppress invalidFunctionArg ; -1 is what an anonymous mapping takes */
    void *p = mmap(NULL, sizeof **out, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return rc_fail(err, RC_E_NOMEM, "no shared memory: %s", strerror(errno));
    *out = p;
    int e = pthread_barrierattr_init(&attr);
    if (!e)
        e = pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    if (!e)
        e = pthread_barrier_init(&(*out)->barrier, &attr, (unsigned)n);
    (void)pthread_barrierattr_destroy(&attr);
    return e ? rc_fail(err, RC_E_INTERNAL, "no barrier: %s", strerror(e)) : RC_OK;
}

static void signal_all(const pid_t *pids, int n, int signal) {
    for (int i = 0; i < n; i++)
        if (pids[i] > 0)
            (void)kill(pids[i], signal);
}

/* The next process to end, and its code. Once `hurry` is set, those that do not heed SIGTERM within
 * GRACE_S are killed. */
static pid_t next_end(const pid_t *pids, int n, bool hurry, int *code) {
    const struct timespec nap = {0, 10 * 1000 * 1000};
    pid_t pid;
    if (!hurry) {
        while ((pid = waitpid(-1, code, 0)) < 0 && errno == EINTR)
            ;
        return pid;
    }
    for (int k = 0; k < 100 * GRACE_S; k++) {
        pid = waitpid(-1, code, WNOHANG);
        if (pid != 0)
            return pid;
        (void)nanosleep(&nap, NULL);
    }
    signal_all(pids, n, SIGKILL);
    return waitpid(-1, code, 0);
}

static rc_status ended_badly(int rank, int code, rc_error *err) {
    int exit_code = WIFEXITED(code) ? WEXITSTATUS(code) : 3;
    return rc_fail(err,
                   exit_code == 1   ? RC_E_CHECK
                   : exit_code == 2 ? RC_E_INPUT
                                    : RC_E_INTERNAL,
                   "the process of rank %d failed (%s %d)", rank,
                   WIFEXITED(code) ? "exit" : "signal",
                   WIFEXITED(code) ? WEXITSTATUS(code) : WTERMSIG(code));
}

/* The first failure decides, and ends those that would wait for it for ever. */
static rc_status wait_for(pid_t *pids, int n, rc_error *err) {
    rc_status st = RC_OK;
    for (int left = n; left > 0; left--) {
        int code = 0, who = -1;
        pid_t pid = next_end(pids, n, st != RC_OK, &code);
        if (pid < 0)
            return rc_fail(err, RC_E_INTERNAL, "cannot wait: %s", strerror(errno));
        for (int i = 0; i < n; i++)
            if (pids[i] == pid)
                who = i;
        if (who < 0) {
            left++;
            continue;
        }
        pids[who] = 0;
        if (st != RC_OK || (WIFEXITED(code) && WEXITSTATUS(code) == 0))
            continue;
        st = ended_badly(who, code, err);
        signal_all(pids, n, SIGTERM);
    }
    return st;
}

rc_status rc_group_fork(rc_group *g, int n, bool *parent, rc_error *err) {
    pid_t pids[FORK_RANKS];
    *parent = false;
    assert(n >= 1);
    if (n > FORK_RANKS)
        return rc_fail(err, RC_E_UNMODELLED, "more than %d processes", FORK_RANKS);
    struct rc_fork_page *page = NULL;
    RC_TRY(make_page(n, &page, err));
    pid_t here = getpid();
    for (int i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            /* A rank must not outlive the process that waits for it: it would hold its GPU. */
            (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
            if (getppid() != here)
                _exit(3);
            *g = (rc_group){.rank = i, .size = n, .local = i, .per_node = n, .page = page};
            return RC_OK;
        }
        if (pids[i] < 0) {
            signal_all(pids, i, SIGTERM);
            return rc_fail(err, RC_E_INTERNAL, "cannot fork: %s", strerror(errno));
        }
    }
    *parent = true;
    return wait_for(pids, n, err);
}
