/* Progress: one line on a terminal for anything over a second; silent everywhere else.
 *     rc_progress p;
 *     rc_progress_begin(&p, "sweep", total, quiet);
 *     for (...) { ...; rc_progress_step(&p, done); }
 *     rc_progress_end(&p);
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_PROGRESS_H
#define RC_BASE_PROGRESS_H
#include <stdbool.h>
#include <stddef.h>

typedef struct rc_progress {
    const char *label;   /* borrowed */
    size_t total;        /* 0 when unknown */
    double start, shown; /* seconds of the monotonic clock */
    bool enabled, drawn; /* on a terminal and not quiet; a line stands there now */
} rc_progress;

void rc_progress_begin(rc_progress *p, const char *label, size_t total, bool quiet);
void rc_progress_step(rc_progress *p, size_t done); /* cheap: draws at most ten times a second */
void rc_progress_end(rc_progress *p);               /* wipes the line; safe to repeat */

#endif
