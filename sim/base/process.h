/* A program's beginning and end: nothing of its output is lost in silence, and a signal leaves
 * nothing half-written. Called by main functions only.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_PROCESS_H
#define RC_BASE_PROCESS_H
#include "sim/base/error.h"

/* First in main, before any thread or file. The standard streams that are closed are opened such
 * that using them fails, so that no output file takes their number. A reader that goes away is an
 * error of the stream and not a signal. SIGINT, SIGTERM and SIGHUP, where they are not ignored,
 * remove what is under way (outputs.h) and then end the process as they would by default, so that
 * its parent sees the signal. A forked child does nothing of that. */
void rc_process_begin(void);

/* What is to be said on standard error, in one line headed by `program`, when one of these signals
 * ends the process; the text is copied. NULL: nothing more is said. */
void rc_process_last_words(const char *program, const char *text);

/* Last in main: the exit code for `st`. When the command did what it was asked to (RC_OK, or
 * RC_E_CHECK) its standard output is flushed and its files take their names; when either fails,
 * or `st` is another status, no file appears. The one line about a failure goes to standard error,
 * headed by `program`. */
int rc_process_end(const char *program, rc_status st, const rc_error *err);

#endif
