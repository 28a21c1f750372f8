/* Lines of a file that may be compressed and may be hostile: one buffer that never grows over
 * RC_TRACE_MAX_LINE, whatever stands in the file. Private to the room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_LINES_H
#define RC_TRACE_LINES_H
#include <stddef.h>
#include "sim/base/error.h"

typedef struct rc_lines rc_lines;
typedef enum rc_line_state {
    RC_LINE_OK,
    RC_LINE_END,
    RC_LINE_LONG, /* over the limit: the next call goes on behind it */
    RC_LINE_CUT   /* the data end early or are corrupt: nothing follows; see rc_lines_why */
} rc_line_state;

/* `path` to open, or `data` of `size` bytes (borrowed) under that name. */
rc_status rc_lines_open(const char *path, rc_lines **out, rc_error *err);
rc_status rc_lines_memory(const char *name, const void *data, size_t size, rc_lines **out,
                          rc_error *err);
void rc_lines_close(rc_lines *l); /* NULL is fine */
/* *line .. *line + *size - 1, without its end (LF or CRLF), until the next call. RC_E_IO and
 * RC_E_NOMEM go to the status, what is wrong with the content to *state. */
rc_status rc_lines_next(rc_lines *l, rc_line_state *state, const char **line, size_t *size,
                        rc_error *err);
const char *rc_lines_why(const rc_lines *l); /* what the decompressor said */

#endif
