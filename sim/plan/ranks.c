/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plan/ranks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef RC_HAVE_MPI
#include <mpi.h>
#endif

/* What Open MPI, MPICH and its kin (Hydra), and Slurm set for the processes they start. */
static bool launched(void) {
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (getenv(sizes[i]))
            return true;
    /* srun sets SLURM_PROCID also for a single step; only its PMI plugins speak MPI. */
    return getenv("PMIX_RANK") || getenv("PMI_RANK");
}

#ifdef RC_HAVE_MPI

const char *rc_ranks_library(char *buf, unsigned long size) {
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0, version = 0, sub = 0;
    (void)MPI_Get_library_version(text, &length);
    (void)MPI_Get_version(&version, &sub);
    text[strcspn(text, ",\n")] = '\0';
    (void)snprintf(buf, size, "MPI %d.%d (%.60s)", version, sub, text);
    return buf;
}

rc_status rc_ranks_start(rc_ranks *out, rc_error *err) {
    *out = (rc_ranks){.rank = 0, .size = 1};
    if (!launched())
        return RC_OK;
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS)
        return rc_fail(err, RC_E_INTERNAL, "MPI_Init failed");
    out->mpi = true;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &out->rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &out->size);
    return RC_OK;
}

void rc_ranks_stop(rc_ranks *r) {
    if (r->mpi)
        (void)MPI_Finalize();
    r->mpi = false;
}

/* The failure of the lowest rank is the one that is said; the others lose their words. */
static rc_status worst_of(const rc_ranks *r, rc_status own, rc_error *err) {
    int mine[2] = {(int)own, own != RC_OK ? -r->rank : -r->size}, all[2];
    (void)MPI_Allreduce(mine, all, 2, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    if (all[0] == (int)RC_OK)
        return RC_OK;
    if (-all[1] != r->rank && err)
        memset(err, 0, sizeof *err);
    return own != RC_OK ? own : (rc_status)all[0];
}

rc_status rc_ranks_agree(const rc_ranks *r, rc_status own, unsigned long long tag, rc_error *err) {
    unsigned long long first = tag;
    if (!r->mpi)
        return own;
    RC_TRY(worst_of(r, own, err));
    (void)MPI_Bcast(&first, 1, MPI_UNSIGNED_LONG_LONG, 0, MPI_COMM_WORLD);
    if (first != tag)
        own =
            rc_fail(err, RC_E_INPUT,
                    "rank %d has read another scenario, model, machine or calibration than rank 0",
                    r->rank);
    return worst_of(r, own, err);
}

#else

const char *rc_ranks_library(char *buf, unsigned long size) {
    (void)snprintf(buf, size, "none");
    return buf;
}

rc_status rc_ranks_start(rc_ranks *out, rc_error *err) {
    *out = (rc_ranks){.rank = 0, .size = 1};
    if (launched())
        return rc_fail(err, RC_E_USAGE,
                       "started by an MPI launcher, but this program was built without MPI "
                       "(install libopenmpi-dev or libmpich-dev and build again)");
    return RC_OK;
}

void rc_ranks_stop(rc_ranks *r) {
    (void)r;
}

rc_status rc_ranks_agree(const rc_ranks *r, rc_status own, unsigned long long tag, rc_error *err) {
    (void)r;
    (void)tag;
    (void)err;
    return own;
}

#endif
