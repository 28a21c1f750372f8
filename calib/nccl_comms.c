/* NCCL communicators of a group of processes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/nccl_comms.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#ifdef RC_HAVE_NCCL

rc_status rc_comms_open(rc_comms *c, const rc_group *procs, rc_error *err) {
    memset(c, 0, sizeof *c);
    c->nccl = rc_nccl_load(err);
    c->procs = procs;
    return c->nccl ? RC_OK : RC_E_UNMODELLED;
}

void rc_comms_close(rc_comms *c, bool failed) {
    for (int i = 0; i < c->n; i++)
        if (c->v[i].comm)
            (void)(failed ? c->nccl->comm_abort(c->v[i].comm)
                          : c->nccl->comm_destroy(c->v[i].comm));
    c->n = 0;
}

/* Rank 0's id goes round, and the first `ranks` join. */
static rc_status join(rc_comms *c, struct rc_comms_one *one, rc_error *err) {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    ncclUniqueId id;
    memset(&id, 0, sizeof id);
    if (c->procs->rank == 0)
        RC_NCCL(c->nccl, unique_id(&id));
    RC_TRY(rc_group_share(c->procs, &id, sizeof id, err));
    if (c->procs->rank >= one->ranks)
        return RC_OK;
    if (one->ctas)
        config.minCTAs = config.maxCTAs = one->ctas;
    RC_NCCL(c->nccl, comm_init_rank_config(&one->comm, one->ranks, id, c->procs->rank, &config));
    return RC_OK;
}

rc_status rc_comms_get(rc_comms *c, int ranks, int ctas, ncclComm_t *out, rc_error *err) {
    assert(ranks >= 1 && ctas >= 0);
    char step[96];
    for (int i = 0; i < c->n; i++)
        if (c->v[i].ranks == ranks && c->v[i].ctas == ctas) {
            *out = c->v[i].comm;
            return RC_OK;
        }
    if (c->n == RC_COMMS_MAX)
        rc_comms_close(c, false);
    snprintf(step, sizeof step, "NCCL connects %d ranks (CTAs: %d, 0: its choice)", ranks, ctas);
    rc_group_step(c->procs, step);
    struct rc_comms_one *one = &c->v[c->n];
    *one = (struct rc_comms_one){.ranks = ranks, .ctas = ctas};
    RC_TRY(join(c, one, err));
    c->n++;
    *out = one->comm;
    return RC_OK;
}

#endif
