/* A machine in the JSON of an answer: what it is, and which of its numbers were fitted on what.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_MACHINE_JSON_H
#define RC_CLI_MACHINE_JSON_H
#include "sim/base/json.h"
#include "sim/machine/machine.h"

/* Adds the object "part" to `root`. */
void rc_machine_json(rc_json *j, json_t *root, const rc_machine *m);

#endif
