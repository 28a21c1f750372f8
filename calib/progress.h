/* How far a whole run is, and how long it still takes: one line on a terminal, nothing elsewhere.
 *
 * Suites differ by a factor of a hundred in time and points of one suite by ten, so points are not
 * counted: each suite weighs its usual seconds, and what is left is scaled by how this machine has
 * kept to them so far.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_PROGRESS_H
#define RC_CALIB_PROGRESS_H
#include <stdbool.h>
#include <stddef.h>

typedef struct rc_bar {
    double total_s, past_s; /* usual seconds: of the run, of the suites behind us */
    double began, shown;    /* monotonic clock */
    bool live, drawn;
} rc_bar;

void rc_bar_begin(rc_bar *b, double total_s, bool quiet);
/* `share` 0..1 of a suite that usually takes `usual_s`. Draws at most ten times a second. */
void rc_bar_step(rc_bar *b, const char *label, double usual_s, double share);
void rc_bar_suite_done(rc_bar *b, double usual_s);
void rc_bar_clear(rc_bar *b); /* wipes the line, so that text may follow */
/* Seconds left when `past` of `total` usual seconds took `elapsed`. */
double rc_bar_left(double total_s, double past_s, double elapsed_s);

#endif
