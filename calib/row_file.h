/* Rows on their way to a file.
 *
 * Device time is dear, so nothing measured is lost: every row goes at once to FILE.part and is
 * there before anybody is told. FILE itself appears whole at the end. A run that died is taken up
 * again with --resume, which reads FILE.part and skips its points.
 *
 *     FILE.csv  FILE.part is a CSV file in its own right, flushed row by row; a torn last line is
 *               dropped when it is taken up
 *     FILE.db   FILE.part is a store in its own right: each row is one transaction, synced to the
 *               disk (write-ahead log), so a kill leaves rows whole or absent. In a write-ahead log
 *               because a reader that may not write can open it after a kill; a rollback journal
 *               would have to be rolled back first.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_ROW_FILE_H
#define RC_CALIB_ROW_FILE_H
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "calib/record.h"

typedef struct rc_sink {
    rc_record *rows;
    size_t n, cap;
    size_t resumed;  /* rows that came from FILE.part */
    rc_record *have; /* rows of other files: not measured again, and not written */
    size_t nhave;
    char path[1024], part[1040];
    FILE *f;     /* FILE.part as CSV, */
    sqlite3 *db; /* or as a store */
    sqlite3_stmt *insert;
    bool force, is_db;
    const char *head; /* '#' lines; borrowed */
} rc_sink;

/* Refuses an existing FILE or FILE.part unless `force`; `resume` takes FILE.part up. `head` is
 * written above the header (CSV) and must outlive the sink. */
rc_status rc_sink_open(rc_sink *s, const char *path, const char *head, bool force, bool resume,
                       rc_error *err);
/* The row is saved when this returns RC_OK. */
rc_status rc_sink_add(rc_sink *s, const rc_record *r, rc_error *err);
/* Whether the point is among the rows or among those to leave out. */
bool rc_sink_has(const rc_sink *s, const rc_record *point);
/* Points of the CSV file at `path` are left out. Once, after rc_sink_open. */
rc_status rc_sink_leave_out(rc_sink *s, const char *path, rc_error *err);
/* Take over the rows of another run's CSV at `path`, or else of its PATH.part (up to the last whole
 * line), and remove it. A file that is not there holds none. *added: rows that were new. */
rc_status rc_sink_take_over(rc_sink *s, const char *path, size_t *added, rc_error *err);
/* All that rc_sink_has knows, as a CSV file at `path`, which is replaced. */
rc_status rc_sink_export(const rc_sink *s, const char *path, rc_error *err);
/* FILE.part becomes FILE. */
rc_status rc_sink_finish(rc_sink *s, rc_error *err);
void rc_sink_close(rc_sink *s); /* leaves FILE.part behind when not finished; safe twice */

/* row_file_db.c: the store form. `keep` receives each row that is there. */
typedef rc_status (*rc_sink_keep)(rc_sink *s, const rc_record *r, rc_error *err);
rc_status rc_sink_db_open(rc_sink *s, rc_sink_keep keep, rc_error *err);
rc_status rc_sink_db_add(rc_sink *s, const rc_record *r, rc_error *err);
rc_status rc_sink_db_finish(rc_sink *s, rc_error *err);
void rc_sink_db_close(rc_sink *s);
/* Remove FILE.part and what SQLite keeps beside it. */
void rc_sink_db_remove(const rc_sink *s);

#endif
