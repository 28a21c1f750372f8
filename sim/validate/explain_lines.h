/* The parts of a run beside those of its forecast, line by line.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_VALIDATE_EXPLAIN_LINES_H
#define RC_VALIDATE_EXPLAIN_LINES_H
#include "sim/validate/validate.h"

#define RC_KNOWN 0.02 /* medians that count are known to so much of them */

/* s that the events around a part add to each of its spans: by so much, over their spans, do the
 * parts of passes on one GPU in a graph exceed the pass (results/rings/h200x4/one-?.csv: 3.0 to 4.6
 * us in the 16 short ones, whose clock does not change while parts are timed, middle 3.8). */
#define RC_RUN_EVENTS 3.8e-6

typedef struct rc_part_line {
    char name[40];
    double measured, least, most, forecast; /* s; NAN: nobody has it */
    int spans;                              /* of the part, each between two events */
    bool communication;
    bool beside; /* other parts, or holds them: no part of the sum */
    bool waits;  /* lasts as long as it waits for others: says nothing of the pass */
} rc_part_line;

enum { RC_PART_LINES = RC_P_COUNT + 2 * RC_RUN_STEPS + 1 };

/* The lines of a run, in the order of a layer; how many. What communication and launches leave exposed
 * comes last. */
size_t rc_part_lines(const rc_measured_run *x, rc_part_line out[RC_PART_LINES]);
/* Spans of a part in the run: each had events around it, */
int rc_part_spans(const rc_measured_run *x, int part);
double rc_without_events(double seconds, int spans); /* which are taken off here */

#endif
