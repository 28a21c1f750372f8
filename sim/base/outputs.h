/* The outputs of one command: all of them appear together, or none does.
 *
 * Everything that is written goes first to a temporary name in the folder of its final name,
 *     .ringcast-tmp.HOST.PID.NUMBER
 * which is the only name that a killed process can leave behind. The next process that writes to
 * that folder on the same host removes those whose process is gone. A temporary may also be a
 * folder (pictures are drawn in one).
 *
 * Between rc_outputs_begin and rc_outputs_end finished files wait under their temporary names; the
 * end renames all of them, or removes all of them. Outside of that pair, as in tests and in
 * libraries' users, each file takes its final name at once.
 *
 * The list of what is under way belongs to the process, because a signal ends the process: see
 * process.h. All functions may be called from any thread.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_OUTPUTS_H
#define RC_BASE_OUTPUTS_H
#include <stdbool.h>
#include <sys/types.h>
#include "sim/base/error.h"

enum { RC_PATH_SIZE = 1024, RC_TEMP_SIZE = RC_PATH_SIZE + 128 };

/* Create an empty temporary file beside `path`, under a fresh name that goes to `temp`
 * (RC_TEMP_SIZE bytes). Leftovers of processes that are gone are removed from that folder first.
 * `fd` receives it open for writing; NULL closes it, for a library that opens names. It ends by
 * rc_temp_place or rc_temp_remove. */
rc_status rc_temp_file(const char *path, char *temp, int *fd, rc_error *err);
/* The same for a folder, which ends by rc_temp_remove. */
rc_status rc_temp_folder(const char *path, char *temp, rc_error *err);
/* Rename the file `from` to the temporary file `temp`, which it replaces. rename(2) itself might
 * bring back a temporary that a signal has just removed. */
rc_status rc_temp_fill(const char *temp, const char *from, rc_error *err);
/* Give the finished file `temp` the name `path`: at once, or at rc_outputs_end. Without `overwrite`
 * an existing `path` is refused, and so is a second output of one name in one command. On failure
 * the temporary is removed. */
rc_status rc_temp_place(const char *temp, const char *path, bool overwrite, rc_error *err);
/* Remove a temporary file, or a folder with the files in it. "" is fine. */
void rc_temp_remove(const char *temp);

/* mkdir(2), for a folder under its final name: 0, or -1 with errno. It is removed again, when it is
 * empty, if the command fails. */
int rc_output_folder(const char *path);
/* Children that write to temporaries are ended before those are removed. _begins is called before
 * fork(2), and _began after it with what fork returned to the parent: a signal that comes between
 * them waits for the second. */
void rc_outputs_child_begins(void);
void rc_outputs_child_began(pid_t child);
void rc_outputs_child_ended(pid_t child);

void rc_outputs_begin(void);
/* Rename all that waits, or, when `keep` is false or a rename fails, leave everything as it was
 * before: what was renamed already is taken back. */
rc_status rc_outputs_end(bool keep, rc_error *err);
/* The same as rc_outputs_end(false) for a process that is about to end by a signal: nothing can be
 * begun afterwards, every other thread that tries waits for ever. */
void rc_outputs_give_up(void);
/* Around fork(2): the list is locked before and unlocked after; the child forgets what is its
 * parent's. */
void rc_outputs_lock(void);
void rc_outputs_unlock(void);
void rc_outputs_forget(void);

#endif
