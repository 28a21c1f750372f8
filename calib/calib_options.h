/* The command line of ringcast-calib.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_CALIB_OPTIONS_H
#define RC_CALIB_CALIB_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "sim/base/error.h"

#define RC_CALIB_VERSION_TEXT "0.1.0"

typedef enum rc_calib_command {
    RC_CALIB_HELP,
    RC_CALIB_VERSION,
    RC_CALIB_LIST,
    RC_CALIB_RUN
} rc_calib_command;

enum { RC_POINT_FILES = 8 };

typedef struct rc_calib_options {
    rc_calib_command command;
    unsigned suites;     /* bit set of rc_suite_id */
    const char *out;     /* FILE.csv or FILE.db; never NULL for run */
    const char *machine; /* NULL: from the GPU's name */
    const char *commit;  /* NULL: the one compiled in */
    bool burst, sustained;
    bool quick, force, resume, quiet;
    bool verbose;          /* a line for each row, once it is saved */
    const char *transport; /* several processes: what the rows call the network; NULL: looked up */
    double budget_s;       /* INFINITY: none */
    uint64_t seed;
    int gpus;         /* 0: all */
    int gpu;          /* the one GPU to measure on; -1: not said */
    const char *have; /* a CSV file whose points are left out; NULL: none */
    const char
        *points[RC_POINT_FILES]; /* files of points to measure in place of the suites' lists */
    int point_files;
    const struct rc_point_set
        *listed;       /* what they hold, once rc_calib_run has read them; or NULL */
    const char *child; /* internal: started by another run, for a transport, or for one GPU */
} rc_calib_options;

/* Strings point into argv. Errors name the flag. */
rc_status rc_calib_options_parse(int argc, char **argv, rc_calib_options *o, rc_error *err);
void rc_calib_usage(FILE *f);

#endif
