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
/* The rows as a CSV file, for every command that writes one. */
rc_status rc_calibration_put_csv(const rc_rows *rows, const char *path, bool overwrite,
                                 rc_error *err);

#endif
