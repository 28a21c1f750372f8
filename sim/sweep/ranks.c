/* The processes of one run, by MPI or alone.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/ranks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef RC_HAVE_MPI
#include <mpi.h>
#include <time.h>
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

/* Until all ranks are here. Collective calls of most libraries burn a core while they wait, and one
 * rank may be busy for long with its last point or with the merge. */
static void wait_for_all(void) {
    const struct timespec nap = {.tv_nsec = 200000};
    MPI_Request all_here;
    int done = 0;
    (void)MPI_Ibarrier(MPI_COMM_WORLD, &all_here);
    for (;;) {
        (void)MPI_Test(&all_here, &done, MPI_STATUS_IGNORE);
        if (done)
            return;
        (void)nanosleep(&nap, NULL);
    }
}

void rc_ranks_stop(rc_ranks *r) {
    if (r->mpi) {
        wait_for_all();
        (void)MPI_Finalize();
    }
    r->mpi = false;
}

/* Rank 0 gets the words of the lowest rank that failed, whoever that is. */
static void bring_words(const rc_ranks *r, int from, rc_error *err) {
    rc_error words = {0};
    if (r->rank == from && err)
        words = *err;
    (void)MPI_Bcast(&words, (int)sizeof words, MPI_BYTE, from, MPI_COMM_WORLD);
    if (!err)
        return;
    if (r->rank != 0)
        memset(err, 0, sizeof *err);
    else if (from != 0)
        (void)rc_fail_at(err, words.status, words.file, words.line, words.col, "%s (rank %d)",
                         words.msg, from);
}

static rc_status agree(const rc_ranks *r, rc_status own, rc_error *err) {
    int lowest = own != RC_OK ? r->rank : r->size, first = 0, status = (int)own;
    wait_for_all();
    (void)MPI_Allreduce(&lowest, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    if (first == r->size)
        return RC_OK;
    (void)MPI_Bcast(&status, 1, MPI_INT, first, MPI_COMM_WORLD);
    bring_words(r, first, err);
    return (rc_status)status;
}

rc_status rc_ranks_agree(const rc_ranks *r, rc_status own, unsigned long long tag, rc_error *err) {
    unsigned long long first = tag;
    if (!r->mpi)
        return own;
    RC_TRY(agree(r, own, err));
    (void)MPI_Bcast(&first, 1, MPI_UNSIGNED_LONG_LONG, 0, MPI_COMM_WORLD);
    if (first != tag)
        own = rc_fail(err, RC_E_INPUT,
                      "other ranks have read another scenario, model, machine or calibration than "
                      "rank 0");
    return agree(r, own, err);
}

void rc_ranks_gather(const rc_ranks *r, int own, int *all) {
    if (r->mpi)
        (void)MPI_Gather(&own, 1, MPI_INT, all, 1, MPI_INT, 0, MPI_COMM_WORLD);
    else
        all[0] = own;
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

void rc_ranks_gather(const rc_ranks *r, int own, int *all) {
    (void)r;
    all[0] = own;
}

#endif
