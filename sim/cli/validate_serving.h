/* ringcast validate --serving: runs of a real server beside their forecast.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_VALIDATE_SERVING_H
#define RC_CLI_VALIDATE_SERVING_H
#include "sim/cli/flags.h"

typedef struct rc_validate_serving {
    const rc_many *folders;
    const char *store; /* or NULL */
    const char *json, *plot;
    const char *explain; /* runs of this name, or "all"; NULL: none */
    bool csv, overwrite;
} rc_validate_serving;
rc_status rc_validate_serving_run(const rc_validate_serving *o, rc_error *err);

#endif
