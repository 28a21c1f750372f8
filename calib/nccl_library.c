/* NCCL by dlopen.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/nccl_library.h"
#include "calib/suite.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#ifdef RC_HAVE_NCCL

static bool find(void *lib, const char *name, void *function) {
    void *p = dlsym(lib, name);
    memcpy(function, &p, sizeof p);
    return p != NULL;
}

const rc_nccl *rc_nccl_load(rc_error *err) {
    static rc_nccl n;
    static bool loaded;
    if (loaded)
        return &n;
    void *lib = dlopen("libnccl.so.2", RTLD_NOW | RTLD_GLOBAL);
    if (!lib) {
        (void)rc_fail(err, RC_E_UNMODELLED, "NCCL is not there: %.300s", dlerror());
        return NULL;
    }
    loaded = find(lib, "ncclGetVersion", &n.version) &&
             find(lib, "ncclGetErrorString", &n.error_string) &&
             find(lib, "ncclCommInitAll", &n.comm_init_all) &&
             find(lib, "ncclGetUniqueId", &n.unique_id) &&
             find(lib, "ncclCommInitRank", &n.comm_init_rank) &&
             find(lib, "ncclCommInitRankConfig", &n.comm_init_rank_config) &&
             find(lib, "ncclCommDestroy", &n.comm_destroy) &&
             find(lib, "ncclCommAbort", &n.comm_abort) &&
             find(lib, "ncclGroupStart", &n.group_start) &&
             find(lib, "ncclGroupEnd", &n.group_end) && find(lib, "ncclSend", &n.send) &&
             find(lib, "ncclRecv", &n.recv) && find(lib, "ncclAllReduce", &n.all_reduce) &&
             find(lib, "ncclAllGather", &n.all_gather) &&
             find(lib, "ncclReduceScatter", &n.reduce_scatter);
    if (!loaded) {
        dlclose(lib);
        (void)rc_fail(err, RC_E_UNMODELLED, "libnccl.so.2 lacks a function that is needed");
        return NULL;
    }
    return &n;
}

rc_status rc_nccl_fail(const rc_nccl *n, rc_error *err, ncclResult_t r, const char *call,
                       int line) {
    return rc_fail(err, RC_E_INTERNAL, "NCCL (line %d): %.120s: %s", line, call,
                   n->error_string(r));
}

rc_status rc_nccl_ready(rc_error *err) {
    return rc_nccl_load(err) ? RC_OK : RC_E_UNMODELLED;
}

void rc_nccl_version(char *out, size_t size) {
    const rc_nccl *n = rc_nccl_load(NULL);
    int v = 0;
    if (!n || n->version(&v) != ncclSuccess)
        snprintf(out, size, "%s", "");
    else
        snprintf(out, size, "%d.%d.%d", v / 10000, v / 100 % 100, v % 100);
}

#else

rc_status rc_nccl_ready(rc_error *err) {
    return rc_fail(err, RC_E_UNMODELLED, "built without NCCL: nccl.h was not found");
}

void rc_nccl_version(char *out, size_t size) {
    snprintf(out, size, "%s", "");
}

#endif
