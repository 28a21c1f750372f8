/* `--wanted FILE.csv`, as every command has it: the rows that would narrow its answer most, as a
 * file that `ringcast-calib run --points` measures and as a short table.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_WANTED_REPORT_H
#define RC_CLI_WANTED_REPORT_H
#include "sim/forward/wanted.h"

#define RC_WANTED_FLAG(out)                                                                        \
    {                                                                                              \
        "--wanted", RC_FLAG_TEXT, out, "FILE.csv",                                                 \
            "the rows that would narrow the answer most, for `ringcast-calib run --points`"        \
    }

/* Analyses the passes and writes FILE; shows the table, too, when `table`. The file is new: an
 * existing one is refused (ask rc_output_check before the work). */
rc_status rc_wanted_report(const rc_spec *passes, size_t n, const char *path, bool table,
                           rc_error *err);

#endif
