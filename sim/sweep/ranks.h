/* The processes of one run. Under an MPI launcher they are its ranks; otherwise there is one.
 *
 * MPI is started only where a launcher's environment is found, so that everything else pays
 * nothing for it. Built without MPI, a run under a launcher is refused: K copies would each do all
 * of the work.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SWEEP_RANKS_H
#define RC_SWEEP_RANKS_H
#include <stdbool.h>
#include "sim/base/error.h"

typedef struct rc_ranks {
    int rank, size; /* 0 and 1 without MPI */
    bool mpi;       /* started */
} rc_ranks;

/* "MPI 3.1 (Open MPI 4.1.4)" or "none". */
const char *rc_ranks_library(char *buf, unsigned long size);
rc_status rc_ranks_start(rc_ranks *out, rc_error *err);
void rc_ranks_stop(rc_ranks *r); /* safe when not started */
/* Every rank gives its status; when one has failed, all fail with the status of the lowest rank
 * that did. Rank 0 gets that rank's words; the others get an error without words. `tag` must be
 * equal everywhere (a hash of what is run), else RC_E_INPUT: the ranks read different files.
 *
 * A launcher kills the other ranks as soon as one ends with a status other than 0, before they have
 * said why. So after an agreed failure only rank 0 may end with it: the others end with 0. */
rc_status rc_ranks_agree(const rc_ranks *r, rc_status own, unsigned long long tag, rc_error *err);
/* Every rank's number to rank 0, in the order of ranks; `all` is not used elsewhere. */
void rc_ranks_gather(const rc_ranks *r, int own, int *all);

#endif
