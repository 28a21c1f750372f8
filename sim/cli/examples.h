/* Examples of each command, as its help, its manual page and a test have them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_EXAMPLES_H
#define RC_CLI_EXAMPLES_H

typedef struct rc_example {
    const char *line;  /* what is typed, from any folder */
    const char *shows; /* what it answers */
} rc_example;

/* Ends with a NULL line; no examples for a name that is no command. */
const rc_example *rc_examples_of(const char *command);

#endif
