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

/* What serving comes down to: the mean prompt, prefilled by itself, and a decode pass of the usual
 * batch at the usual context. Sizes of 0 leave a pass out. */
typedef struct rc_served_passes {
    const rc_model *model;
    const rc_costs *costs;
    rc_layout prefill, decode;   /* of the pools that do either */
    const rc_schedule *schedule; /* of prefills */
    double fresh, cached;        /* tokens of the prompt */
    double batch, context;       /* sequences; keys of each */
} rc_served_passes;
rc_status rc_wanted_served(const rc_served_passes *x, const char *path, bool table, rc_error *err);

#endif
