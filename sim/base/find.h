/* Where a file is that a scenario or a flag names: a model, a machine, a trace, a table.
 *
 * One rule for all of them. A name is looked for beside the scenario file, then in the current
 * folder, then in the data folder of its kind (share.h): the first that is there is taken. A name without the
 * extension of its kind, and without a '/', stands for NAME and that extension. A name that starts with '/' is taken as it is.
 *
 * A scenario is no machine, even when it has the machine's name: a file with a top-level key
 * `scenario`, `serve`, `tune`, `plan` or `sweep` is passed over where a machine is looked for.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_FIND_H
#define RC_BASE_FIND_H
#include <stdbool.h>
#include <stddef.h>
#include "sim/base/doc.h"

/* `beside`: the path of the scenario file, or NULL. `folder`: of the kind, below the data folder.
 * `ext`: ".json", or "" when names carry their extension. The path goes to `out`. RC_E_IO when no
 * place has it: the error says what was meant, or what the data folder has. */
rc_status rc_find_file(const char *beside, const char *folder, const char *name, const char *ext,
                       char *out, size_t size, rc_error *err);
/* The same for the value of a scenario's key: `at` is the node with the name. The error names its
 * place and `key`. */
rc_status rc_find_named(const rc_node *at, const char *key, const char *folder, const char *ext,
                        char *out, size_t size, rc_error *err);

/* For what the program itself names (what users name: rc_find_file). Path of models/NAME.json or
 * scenarios/machines/NAME.yaml: a name with a '/' or the extension is a path and taken as it is;
 * else it is looked up in the data folder ($RINGCAST_SHARE, or where the program was built). A name
 * that is not there is an error that says what was meant, or what there is. */
rc_status rc_share_path(const char *folder, const char *name, const char *ext, char *out,
                        size_t size, rc_error *err);
/* Path of a scenario or a trace that a user named: as it stands where that is there, else below the
 * data folder where it is there, so that "scenarios/serve/mooncake.yaml" is found from any folder. A
 * name that is nowhere stays as it is. Returns buf. */
const char *rc_scenario_path(const char *name, char *buf, size_t size);

enum { RC_NAMES = 256, RC_NAME_SIZE = 96 };
typedef struct rc_names {
    char name[RC_NAMES][RC_NAME_SIZE];
    size_t count;
} rc_names;
/* find_hint.c: names, without their extension and in order, of a folder's files with it; those over
 * RC_NAMES, and those too long, are left out. */
void rc_share_names(const char *folder, const char *ext, rc_names *out);
/* What to say beside "there is no such file": the name that was meant, else, with
 * `list`, what `folder` holds; "" when there is nothing to say. */
void rc_share_hint(const char *folder, const char *name, const char *ext, bool list, char *out,
                   size_t size);

#endif
