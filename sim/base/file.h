/* Files that appear whole or not at all.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_FILE_H
#define RC_BASE_FILE_H
#include <stdbool.h>
#include <stdio.h>
#include "sim/base/error.h"

/* A file being written next to its final name as "<path>.tmp.<pid>". */
typedef struct rc_outfile {
    FILE *f;        /* NULL when not open; write with stdio, errors are seen at commit */
    bool overwrite; /* as given to rc_outfile_open */
    char path[1024], tmp[1088];
} rc_outfile;

/* Open for writing. With overwrite=false an existing `path` is refused (RC_E_IO, names the path).
 */
rc_status rc_outfile_open(rc_outfile *o, const char *path, bool overwrite, rc_error *err);
/* Flush, fsync and rename into place; on any error the temporary is removed. */
rc_status rc_outfile_commit(rc_outfile *o, rc_error *err);
void rc_outfile_abort(rc_outfile *o); /* remove the temporary; safe after commit */

/* Whole file into a malloc'ed NUL-terminated buffer (caller frees). */
rc_status rc_file_read(const char *path, char **text, size_t *size, rc_error *err);
/* mkdir -p. */
rc_status rc_make_dirs(const char *path, rc_error *err);

#endif
