/* The progress line of a whole calibration run: how far it is and how long it still takes. It is
 * drawn on a terminal only.
 *
 * Suites differ by a factor of a hundred in time, and points of one suite by ten, so points are not
 * counted. Each suite weighs its usual seconds (catalog.h), and the time left is scaled by how this
 * machine has kept to them so far.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_RUN_PROGRESS_H
#define RC_CALIB_RUN_PROGRESS_H
#include <stdbool.h>
#include <stddef.h>

typedef struct rc_run_progress {
    double total_s, past_s; /* usual seconds: of the run, of the suites behind us */
    double began, shown;    /* monotonic clock */
    bool live, drawn;
} rc_run_progress;

void rc_run_progress_begin(rc_run_progress *b, double total_s, bool quiet);
/* `share` 0..1 of a suite that usually takes `usual_s`. Draws at most ten times a second. */
void rc_run_progress_step(rc_run_progress *b, const char *label, double usual_s, double share);
void rc_run_progress_suite_done(rc_run_progress *b, double usual_s);
void rc_run_progress_clear(rc_run_progress *b); /* wipes the line, so that text may follow */
/* Seconds left when `past` of `total` usual seconds took `elapsed`. */
double rc_run_progress_left(double total_s, double past_s, double elapsed_s);

#endif
