/* What `ringcast init` writes: for each kind of file the keys that it sets, and to what.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_STARTERS_H
#define RC_CLI_STARTERS_H
#include "sim/keys/keys.h"

typedef struct rc_starter_value {
    const char *path, *value; /* a section's value is its whole content, in one line */
} rc_starter_value;

#define RC_STARTER_RING "=ring" /* stands for the usual schedule of prefills on several ranks */

enum { RC_STARTER_VALUES = 24 };
typedef struct rc_starter {
    const char *kind, *about; /* "plan"; a line at the top of the file */
    rc_key_file files[2];     /* whose keys are shown, in this order */
    int file_count;
    const char *without; /* sections and keys of the second that this kind has not, " a b " */
    rc_starter_value values[RC_STARTER_VALUES]; /* ends with a NULL path */
} rc_starter;

const rc_starter *rc_starter_at(int i); /* NULL when there are fewer */

#endif
