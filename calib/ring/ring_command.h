/* ringcast-calib ring: schedules run for real, checked, timed, and written for `ringcast validate`.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_RING_RING_COMMAND_H
#define RC_CALIB_RING_RING_COMMAND_H
#include <stdbool.h>
#include <stdint.h>
#include "calib/process_group.h"
#include "calib/ring/ring_case.h"

/* The columns of results/validation/ *.csv: those of a case, then what was measured. `part` is
 * whole, or a part of the pass (docs/validation.md); `rank` -1 is the slowest of each pass. */
#define RC_RING_ROW_COLUMNS                                                                        \
    "transport", "part", "rank", "p10_s", "p50_s", "p90_s", "samples", "check", "machine", "gpu",  \
        "sm_mhz", "power_w", "temp_c", "date", "driver", "cuda", "nccl", "kernel", "commit"

typedef struct rc_ring_options {
    const char *cases, *out, *machine, *commit, *transport, *only, *trace;
    int virtual_ranks; /* 0: real GPUs */
    bool check_only, force, resume, help;
    uint64_t seed;
    double budget_s;
} rc_ring_options;

rc_status rc_ring_options_parse(int argc, char **argv, rc_ring_options *o, rc_error *err);
void rc_ring_usage(void);
/* Cases that exercise every schedule on `ranks` GPUs, for a run without --cases. malloc'ed. */
rc_status rc_ring_cases_builtin(int ranks, rc_ring_case **out, size_t *n, rc_error *err);
/* argv[0] is "ring". */
rc_status rc_ring_main(int argc, char **argv, rc_error *err);

/* ring_rows.c: FILE.part and its rows. */
struct rc_ring_times;
struct rc_calib;
typedef struct rc_ring_file {
    char path[1024], part[1040];
    char *there; /* text of FILE.part when taken up */
    const char *transport;
} rc_ring_file;
rc_status rc_ring_file_open(rc_ring_file *f, const rc_ring_options *o, rc_error *err);
bool rc_ring_file_has(const rc_ring_file *f, const rc_ring_case *c);
rc_status rc_ring_file_finish(rc_ring_file *f, bool force, rc_error *err);
/* Remove FILE.part when it holds no row; whether it did not. */
bool rc_ring_file_drop_empty(const rc_ring_file *f);
void rc_ring_file_close(rc_ring_file *f);

#endif
