/* The progress line of a calibration run.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/run_progress.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CELLS = 30 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void rc_run_progress_begin(rc_run_progress *b, double total_s, bool quiet) {
    memset(b, 0, sizeof *b);
    b->total_s = total_s;
    b->live = !quiet && isatty(STDERR_FILENO);
    b->began = now();
}

/* Until two seconds of usual time are behind us the usual times are all there is to go by. */
double rc_run_progress_left(double total_s, double past_s, double elapsed_s) {
    assert(elapsed_s >= 0);
    double rest = total_s > past_s ? total_s - past_s : 0;
    double pace = past_s > 2 ? elapsed_s / past_s : 1;
    return rest * pace;
}

void rc_run_progress_step(rc_run_progress *b, const char *label, double usual_s, double share) {
    assert(share >= 0 && share <= 1);
    double t = now(), past = b->past_s + usual_s * share;
    if (!b->live || t - b->shown < 0.1)
        return;
    double part = b->total_s > 0 ? past / b->total_s : 0;
    int full = (int)(CELLS * (part < 1 ? part : 1));
    double left = rc_run_progress_left(b->total_s, past, t - b->began);
    char cells[CELLS + 1];
    memset(cells, '.', CELLS);
    memset(cells, '#', (size_t)full);
    cells[CELLS] = '\0';
    (void)fprintf(stderr, "\r\033[K[%s] %3.0f %%  %s, about %d:%02d left", cells, 100 * part, label,
                  (int)left / 60, (int)left % 60);
    (void)fflush(stderr);
    b->shown = t;
    b->drawn = true;
}

void rc_run_progress_suite_done(rc_run_progress *b, double usual_s) {
    assert(usual_s >= 0);
    b->past_s += usual_s;
}

void rc_run_progress_clear(rc_run_progress *b) {
    if (b->drawn)
        (void)fputs("\r\033[K", stderr);
    b->drawn = false;
}
