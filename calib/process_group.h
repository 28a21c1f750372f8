/* The processes of one run: alone; one process a GPU under mpirun or srun; or one a GPU of this
 * machine, forked by the program itself, which needs no MPI.
 *
 * Built without MPI there is always one process; started as several all the same, that is said
 * instead of each of them writing the same file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_PROCESS_GROUP_H
#define RC_CALIB_PROCESS_GROUP_H
#include <stdbool.h>
#include <stddef.h>
#include "sim/base/error.h"

typedef struct rc_group {
    int rank, size;
    int local;                 /* rank among the processes of this node: the GPU to take */
    int per_node;              /* processes on a node, the most of any */
    bool mpi;                  /* MPI was started */
    struct rc_fork_page *page; /* forked: what the processes share */
} rc_group;

/* Call once, early. Alone unless a launcher started several processes. */
rc_status rc_group_join(rc_group *g, rc_error *err);
/* `failed`: this process cannot go on, and the others must not wait for it: all are ended. */
void rc_group_leave(rc_group *g, bool failed);
/* Become n processes, before anything touches CUDA. Each returns with its rank, and the one that
 * called waits: *parent is true there, and the status says how the others ended. When one fails the
 * rest are ended. */
rc_status rc_group_fork(rc_group *g, int n, bool *parent, rc_error *err);
/* `bytes` bytes of rank 0 to all; forked: at most RC_GROUP_SHARE_MAX. */
enum { RC_GROUP_SHARE_MAX = 4096, RC_GROUP_MAX = 1024 };
rc_status rc_group_share(const rc_group *g, void *data, size_t bytes, rc_error *err);
/* The largest of all ranks' values, on every rank. */
rc_status rc_group_max(const rc_group *g, double *value, rc_error *err);
/* Every rank's value, on every rank: all[0..size). */
rc_status rc_group_gather(const rc_group *g, double value, double *all, rc_error *err);
/* Did it work for all? RC_OK on every rank, or the worst status of any on every rank. What does not
 * fit on one GPU must be left out on all, or the others wait for it in their next transfer. */
rc_status rc_group_agree(const rc_group *g, rc_status st, rc_error *err);
/* Name what this process is about to do, for the watchdog: when nothing new is named for
 * RC_GROUP_HANG_S seconds, the process says on stderr which rank hangs at which step and ends with
 * exit status 3. NULL: nothing is watched any more. The environment's RC_HANG_S says another number
 * of seconds; 0 watches nothing. */
#define RC_GROUP_HANG_S 90
void rc_group_step(const rc_group *g, const char *step);
/* Nodes that the first n ranks span, when ranks fill nodes one after another. */
int rc_procs_nodes(const rc_group *g, int n);
/* Whether groups of the first n ranks are measured: powers of two, a whole node, all. */
bool rc_group_measures(const rc_group *g, int n);
/* What NCCL will take, by what is there and what its environment forbids: nvlink inside a node,
 * else rdma with an InfiniBand or RoCE device, else tcp. Static string. */
const char *rc_group_transport(const rc_group *g);

/* process_group_fork.c: the forked kind. */
rc_status rc_fork_share(const rc_group *g, void *data, size_t bytes, rc_error *err);
rc_status rc_fork_gather(const rc_group *g, double value, double *all, rc_error *err);

#endif
