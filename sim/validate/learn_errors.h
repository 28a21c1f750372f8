/* The error of the model, learnt from seen runs (sim/machine/model_errors.h says what it is).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_VALIDATE_LEARN_ERRORS_H
#define RC_VALIDATE_LEARN_ERRORS_H
#include "sim/machine/model_errors.h"
#include "sim/validate/validate.h"

typedef struct rc_learnt_host { /* a host, by what the others teach */
    char name[48];
    int runs, held_before, held; /* in p5..p95 without and with the error of the model */
} rc_learnt_host;

typedef struct rc_learnt {
    rc_model_errors errors;
    int runs[RC_MODEL_ERRORS][2]; /* of each class, with long and with short layers */
    size_t n;
    double factor[RC_MODEL_ERRORS]; /* by which a class was made wider, so that other hosts are
                                       held */
    rc_learnt_host host[RC_RUN_FOLDERS];
    int hosts;
} rc_learnt;

/* From the seen runs that have intervals, which must be those of their costs alone (rc_predict_options,
 * errors). RC_E_INPUT for too few runs, or runs of one host alone. */
rc_status rc_runs_learn_errors(const rc_runs *r, rc_learnt *out, rc_error *err);
/* A table as a machine file names it. */
rc_status rc_learnt_write(const rc_learnt *l, const char *path, bool overwrite, rc_error *err);
/* By class, and how many runs of each host are held. */
rc_status rc_learnt_print(const rc_learnt *l, FILE *f, rc_error *err);

#endif
