/* `ringcast calibration import`.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_CALIBRATION_IMPORT_H
#define RC_CLI_CALIBRATION_IMPORT_H
#include <stdbool.h>
#include "sim/cost/import.h"

/* `format` NULL: by each file's content. `out`: .csv or .db. */
rc_status rc_cmd_calibration_import(const char *const *files, size_t count, const char *format,
                                    const rc_import *how, const char *out, bool overwrite,
                                    rc_error *err);

#endif
