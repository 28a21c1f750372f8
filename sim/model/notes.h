/* Notes beside an answer: for people as lines, for programs in the JSON.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MODEL_NOTES_H
#define RC_MODEL_NOTES_H
#include <stdio.h>

#include "sim/base/json.h"
#include "sim/model/model.h"

/* A line "ringcast: note: ..." for each. */
void rc_notes_print(const rc_notes *n, FILE *f);
/* A list of texts under the key "notes"; empty when there is nothing to say. */
void rc_notes_json(rc_json *j, json_t *at, const rc_notes *n);

#endif
