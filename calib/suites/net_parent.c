/* The net suite as its parent sees it: one process a transport.
 *
 * NCCL picks a transport once, from its environment, when it starts. So the program runs itself
 * (/proc/self/exe) once for each: the child sets NCCL's variables before it touches CUDA, measures,
 * and writes a CSV file next to the output; the parent takes its rows over and removes it.
 *
 *     nvlink  direct peer access                 NCCL_NVLS_ENABLE=0
 *     shm     through host memory                and NCCL_P2P_DISABLE=1
 *     socket  TCP over the loopback device       and NCCL_SHM_DISABLE=1 NCCL_NET=Socket
 *                                                NCCL_IB_DISABLE=1 NCCL_SOCKET_IFNAME=lo
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/net.h"
#include "calib/suite.h"
#include "sim/base/file.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *const transports[] = {"nvlink", "shm", "socket", NULL};

rc_status rc_net_environment(const char *transport, rc_error *err) {
    static const char *const shm[][2] = {{"NCCL_P2P_DISABLE", "1"}};
    static const char *const socket[][2] = {{"NCCL_SHM_DISABLE", "1"},
                                            {"NCCL_NET", "Socket"},
                                            {"NCCL_IB_DISABLE", "1"},
                                            {"NCCL_SOCKET_IFNAME", "lo"}};
    int level = 0;
    while (transports[level] && strcmp(transports[level], transport))
        level++;
    if (!transports[level])
        return rc_fail_at(err, RC_E_USAGE, "--net-child", 0, 0, "no transport is called \"%s\"",
                          transport);
    int bad = setenv("NCCL_NVLS_ENABLE", "0", 1);
    if (level >= 1)
        bad |= setenv(shm[0][0], shm[0][1], 1);
    for (size_t i = 0; level >= 2 && i < sizeof socket / sizeof socket[0]; i++)
        bad |= setenv(socket[i][0], socket[i][1], 1);
    return bad ? rc_fail(err, RC_E_NOMEM, "cannot set NCCL's environment: %s", strerror(errno))
               : RC_OK;
}

/* Run the child and wait. RC_E_CHECK when it fails: what it said stands on stderr. */
static rc_status run_child(char **argv, const char *transport, rc_error *err) {
    char exe[1024];
    pid_t pid = 0;
    int code = 0;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return rc_fail(err, RC_E_INTERNAL, "cannot find this program: %s", strerror(errno));
    exe[n] = '\0';
    argv[0] = exe;
    int e = posix_spawn(&pid, exe, NULL, NULL, argv, environ);
    if (e)
        return rc_fail(err, RC_E_INTERNAL, "cannot start a process for %s: %s", transport,
                       strerror(e));
    while (waitpid(pid, &code, 0) < 0)
        if (errno != EINTR)
            return rc_fail(err, RC_E_INTERNAL, "cannot wait for %s: %s", transport,
                           strerror(errno));
    if (!WIFEXITED(code) || WEXITSTATUS(code) != 0)
        return rc_fail(err, RC_E_CHECK, "the process that measures %s failed (%s %d)", transport,
                       WIFEXITED(code) ? "exit" : "signal",
                       WIFEXITED(code) ? WEXITSTATUS(code) : WTERMSIG(code));
    return RC_OK;
}

static rc_status take_over(rc_calib *c, const char *path, size_t *done, rc_error *err) {
    char *text = NULL;
    rc_record *rows = NULL;
    size_t size = 0, n = 0;
    RC_TRY(rc_file_read(path, &text, &size, err));
    rc_status st = rc_records_parse(path, text, size, &rows, &n, err);
    for (size_t i = 0; i < n && st == RC_OK; i++) {
        if (rc_sink_has(&c->sink, &rows[i]))
            continue;
        st = rc_sink_add(&c->sink, &rows[i], err);
        *done += st == RC_OK;
    }
    free(rows);
    free(text);
    if (st == RC_OK)
        (void)remove(path);
    return st;
}

static rc_status one_transport(rc_calib *c, const char *transport, double budget, size_t *done,
                               rc_error *err) {
    char out[1100], seed[32], gpus[16], seconds[32];
    snprintf(out, sizeof out, "%s.%s.csv", c->sink.path, transport);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->opt->seed);
    snprintf(gpus, sizeof gpus, "%d", c->gpus);
    snprintf(seconds, sizeof seconds, "%.0f", budget);
    char *argv[24];
    int n = 1;
    const char *const fixed[] = {"run",         "--suite",  "net",     "--state", "burst",
                                 "--net-child", transport,  "--out",   out,       "--machine",
                                 c->machine,    "--commit", c->commit, "--gpus",  gpus,
                                 "--seed",      seed};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        argv[n++] = (char *)(size_t)fixed[i];
    argv[n++] = c->opt->resume ? "--resume" : "--force";
    if (c->opt->quick)
        argv[n++] = "--quick";
    if (c->opt->quiet)
        argv[n++] = "--quiet";
    if (budget < 86400) {
        argv[n++] = "--budget";
        argv[n++] = seconds;
    }
    argv[n] = NULL;
    fflush(stdout);
    RC_TRY(run_child(argv, transport, err));
    return take_over(c, out, done, err);
}

rc_status rc_net_parent(rc_calib *c, size_t *done, rc_error *err) {
    *done = 0;
    if (c->gpus < 2)
        return rc_fail(err, RC_E_UNMODELLED, "it needs two GPUs or more, and has %d", c->gpus);
    for (int i = 0; transports[i]; i++) {
        int peer = 0;
        RC_CUDA(cudaDeviceCanAccessPeer(&peer, 0, 1));
        if (i == 0 && !peer) {
            printf("# net nvlink: SKIPPED: these GPUs have no peer access\n");
            continue;
        }
        double left = c->deadline - rc_now();
        if (left < 5) {
            printf("# net %s: SKIPPED: the budget is spent\n", transports[i]);
            continue;
        }
        RC_TRY(one_transport(c, transports[i], left / (3 - i), done, err));
    }
    return RC_OK;
}
