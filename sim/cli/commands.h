/* The commands, and what completion and manual pages are made of: their names, usage and flags.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_COMMANDS_H
#define RC_CLI_COMMANDS_H
#include <stdio.h>
#include "sim/cli/flags.h"
#include "sim/keys/keys.h"

typedef struct rc_command {
    const char *name;
    rc_status (*run)(int argc, char **argv, rc_error *err);
    const char *help; /* one line; NULL: not listed */
} rc_command;

typedef struct rc_commands {
    const rc_command *all;
    size_t count;
} rc_commands;

/* What a command says of itself. Texts are those of its tables and live as long as the program. */
typedef struct rc_command_spec {
    const rc_command *command;
    const char *usage; /* lines; the first begins "usage: ringcast NAME" */
    rc_flag flags[RC_MAX_FLAGS];
    size_t count;
} rc_command_spec;

/* Asks the command for its flags, as its --help does. */
rc_status rc_command_spec_of(const rc_command *c, rc_command_spec *out, rc_error *err);
/* The words that may stand as the first argument, from the usage: "list|show|build" gives them
 * separated by blanks; "" when any may. Returns buf. */
const char *rc_command_words(const rc_command_spec *s, char *buf, size_t size);
/* The same of one alternative list: "bash|zsh|fish". */
const char *rc_words_of(const char *text, size_t length, char *buf, size_t size);
/* The kind of file whose keys --set of this command takes, by the tables of sim/keys; how many
 * kinds went to `out`. Keys of machines are written "machine.KEY". */
enum { RC_COMMAND_KEY_FILES = 3 };
int rc_command_key_files(const char *command, rc_key_file out[RC_COMMAND_KEY_FILES]);

/* `ringcast completion SHELL`, and the hidden `ringcast manual DIR`, which writes a page a command
 * and one a kind of file. */
rc_status rc_completion(const rc_commands *c, int argc, char **argv, rc_error *err);
rc_status rc_manual(const rc_commands *c, int argc, char **argv, rc_error *err);

#endif
