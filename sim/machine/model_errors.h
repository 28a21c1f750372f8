/* How far forecasts of whole passes are off beyond what their costs say of themselves.
 *
 * The interval of a pass comes from the spreads of its costs. What nobody drew from them is the
 * error of the model: work that it does not know of, launches and gaps above all, which comes to
 * about as much in every layer, long or short; and rules about schedules, contention and clocks,
 * links and cards that differ between hosts, which are off in proportion to the time. So the error
 * has two parts, a time a layer and a share of the whole, one pair for each transport and kind of
 * pass. They are learnt from real runs that were looked at (`ringcast validate --learn`) and widen
 * an interval on both sides; they never move the time itself. A machine file names the table that
 * holds for it (`calibration.model_errors`).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MACHINE_MODEL_ERRORS_H
#define RC_MACHINE_MODEL_ERRORS_H
#include <stdbool.h>
#include "sim/base/error.h"

typedef enum rc_pass_kind {
    RC_PASS_PREFILL, /* over several CP ranks, alone or with TP */
    RC_PASS_DECODE,
    RC_PASS_TP, /* prefill by TP alone, or on one GPU */
    RC_PASS_KINDS
} rc_pass_kind;
const char *rc_pass_kind_name(rc_pass_kind k);

typedef struct rc_model_error { /* nine passes of ten are off by less */
    char transport[16];         /* between the GPUs of a node; "none": one GPU */
    rc_pass_kind kind;
    double share; /* of the time of the pass */
    double layer; /* s in each layer */
} rc_model_error;

enum { RC_MODEL_ERRORS = 16 };
typedef struct rc_model_errors {
    int n;
    rc_model_error of[RC_MODEL_ERRORS];
} rc_model_errors;

/* A CSV file with the columns transport, kind, share, layer_s, and as many others as one likes;
 * lines that begin with '#' are passed over. RC_E_INPUT where a class is there twice. */
rc_status rc_model_errors_read(const char *path, rc_model_errors *out, rc_error *err);
/* NULL: no pass of this class was ever looked at. */
const rc_model_error *rc_model_error_find(const rc_model_errors *e, const char *transport,
                                          rc_pass_kind kind);
/* Half the width from p5 to p95, of the logarithm of the time, of a pass whose layers take `layer` s
 * each. */
double rc_model_error_half(const rc_model_error *e, double layer);
/* Widens an interval of `time` by such a half, which knows nothing of what made the interval. */
void rc_model_error_widen(double half, double time, double *p5, double *p95);

#endif
