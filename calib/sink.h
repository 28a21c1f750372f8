/* Rows on their way to a file.
 *
 * Device time is dear, so nothing measured is lost: every row goes at once, flushed, to FILE.part,
 * a CSV file in its own right. FILE itself appears whole at the end. A run that died is taken up
 * again with
 * --resume, which reads FILE.part (a torn last line is dropped) and skips its points.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SINK_H
#define RC_CALIB_SINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "calib/record.h"

typedef struct rc_sink {
    rc_record *rows;
    size_t n, cap;
    size_t resumed; /* rows that came from FILE.part */
    char path[1024], part[1040];
    FILE *f; /* FILE.part */
    bool force;
    const char *head; /* '#' lines; borrowed */
} rc_sink;

/* Refuses an existing FILE or FILE.part unless `force`; `resume` takes FILE.part up. `head` is
 * written above the header and must outlive the store. */
rc_status rc_sink_open(rc_sink *s, const char *path, const char *head, bool force, bool resume,
                       rc_error *err);
rc_status rc_sink_add(rc_sink *s, const rc_record *r, rc_error *err);
bool rc_sink_has(const rc_sink *s, const rc_record *point);
/* Write FILE (CSV, or SQLite when it ends in .db) and remove FILE.part. */
rc_status rc_sink_finish(rc_sink *s, rc_error *err);
void rc_sink_close(rc_sink *s); /* leaves FILE.part behind when not finished; safe twice */

#endif
