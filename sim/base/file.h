/* Files that appear whole or not at all.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_FILE_H
#define RC_BASE_FILE_H
#include <stdbool.h>
#include <stdio.h>
#include "sim/base/error.h"
#include "sim/base/outputs.h"

/* A file being written under a temporary name beside its final one (see outputs.h). */
typedef struct rc_outfile {
    FILE *f;        /* NULL when not open; write with stdio, errors are seen at commit */
    bool overwrite; /* as given to rc_outfile_open */
    char path[RC_PATH_SIZE], tmp[RC_TEMP_SIZE];
} rc_outfile;

/* Open for writing. With overwrite=false an existing `path` is refused (RC_E_IO, names the path).
 */
rc_status rc_outfile_open(rc_outfile *o, const char *path, bool overwrite, rc_error *err);
/* The same for a library that opens files by their name: `o->tmp` is an empty file, `o->f` NULL. */
rc_status rc_outfile_reserve(rc_outfile *o, const char *path, bool overwrite, rc_error *err);
/* Flush, fsync and rename into place (inside a command: at its end); on any error the temporary is
 * removed. */
rc_status rc_outfile_commit(rc_outfile *o, rc_error *err);
void rc_outfile_abort(rc_outfile *o); /* remove the temporary; safe after commit */
/* Commit after a writer that succeeded, abort after one that failed. Returns the first failure. */
rc_status rc_outfile_end(rc_outfile *o, rc_status written, rc_error *err);

/* What rc_outfile_open would say, for a command to ask before its work begins: that the file
 * exists, that its folder is missing or cannot be written to. NULL for `path` is fine: no such
 * output. */
rc_status rc_output_check(const char *path, bool overwrite, rc_error *err);
/* The same for files of a folder, which is created; `names` ends with NULL. */
rc_status rc_outputs_check(const char *dir, const char *const *names, bool overwrite,
                           rc_error *err);
/* "DIR/NAME" with `name` printed by the format; refused when longer than RC_PATH_SIZE - 1. */
rc_status rc_path_in(char out[RC_PATH_SIZE], const char *dir, rc_error *err, const char *name, ...)
    __attribute__((format(printf, 4, 5)));

/* Whole file into a malloc'ed NUL-terminated buffer (caller frees). RC_E_IO where it does not end
 * within a GiB or so. */
rc_status rc_file_read(const char *path, char **text, size_t *size, rc_error *err);
/* mkdir -p. */
rc_status rc_make_dirs(const char *path, rc_error *err);

#endif
