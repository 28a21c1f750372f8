/* Progress on stderr, so that stdout stays data, and only when stderr is a terminal: a log that is
 * full of carriage returns helps nobody. The line is wiped at the end; results speak for
 * themselves.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/progress.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec ts;
    if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
        return 0;
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

void rc_progress_begin(rc_progress *p, const char *label, size_t total, bool quiet) {
    assert(label != NULL);
    memset(p, 0, sizeof *p);
    p->label = label;
    p->total = total;
    p->enabled = !quiet && isatty(STDERR_FILENO);
    p->start = p->enabled ? now() : 0;
    p->shown = p->start + 0.9; /* first drawn after a second */
}

void rc_progress_step(rc_progress *p, size_t done) {
    if (!p->enabled)
        return;
    double t = now();
    if (t - p->shown < 0.1)
        return;
    p->shown = t;
    p->drawn = true;
    double elapsed = t - p->start;
    if (p->total > 0 && done > 0 && done <= p->total)
        (void)fprintf(stderr, "\r\033[K%s: %zu of %zu, %.*f/s, %.0f s, about %.0f s left", p->label,
                      done, p->total, (double)done < 10.0 * elapsed ? 2 : 0, (double)done / elapsed,
                      elapsed, elapsed * (double)(p->total - done) / (double)done);
    else
        (void)fprintf(stderr, "\r\033[K%s: %zu, %.0f s", p->label, done, elapsed);
    (void)fflush(stderr);
}

void rc_progress_end(rc_progress *p) {
    if (p->drawn)
        (void)fputs("\r\033[K", stderr);
    p->drawn = false;
    p->enabled = false;
}
