/* `ringcast calibration leave-out`.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_CALIBRATION_LEAVE_OUT_H
#define RC_CLI_CALIBRATION_LEAVE_OUT_H
#include <stdbool.h>
#include <stddef.h>
#include "sim/base/error.h"
#include "sim/cli/form.h"

typedef struct rc_leave_out_flags {
    const char *store;   /* where no file is named; NULL: the embedded one */
    const char *machine; /* of the rows; NULL: each that has measured rows of ops */
    const char *op, *by; /* NULL: all; row */
    const char *state;   /* NULL: burst */
    bool each;
    rc_form form;
} rc_leave_out_flags;

rc_status rc_cmd_calibration_leave_out(const char *const *files, size_t count,
                                       const rc_leave_out_flags *f, rc_error *err);

#endif
