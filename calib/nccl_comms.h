/* NCCL communicators over the first n processes of a group, with or without a fixed number of CTAs,
 * made when first asked for and kept.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_NCCL_COMMS_H
#define RC_CALIB_NCCL_COMMS_H
#include "calib/process_group.h"
#include "calib/nccl_library.h"

#ifdef RC_HAVE_NCCL

enum { RC_COMMS_MAX = 16 };

typedef struct rc_comms {
    const rc_nccl *nccl;
    const rc_group *procs;
    struct rc_comms_one {
        int ranks, ctas;
        ncclComm_t comm; /* NULL in a process that is not of the first `ranks` */
    } v[RC_COMMS_MAX];
    int n;
} rc_comms;

/* RC_E_UNMODELLED without NCCL. `procs` must outlive it. */
rc_status rc_comms_open(rc_comms *c, const rc_group *procs, rc_error *err);
/* Called by all processes alike. ctas 0: as many as NCCL chooses; else minCTAs = maxCTAs = ctas.
 * *out is owned by `c`. */
rc_status rc_comms_get(rc_comms *c, int ranks, int ctas, ncclComm_t *out, rc_error *err);
/* `failed`: other ranks may be gone, so nobody is waited for. Safe on a zeroed one. */
void rc_comms_close(rc_comms *c, bool failed);

#endif
#endif
