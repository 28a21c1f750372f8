/* The form in which a command prints its rows: text for people, CSV, or JSON that names the schema
 * it follows (schema/NAME.json of the data folder).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_FORM_H
#define RC_CLI_FORM_H
#include <stdbool.h>
#include "sim/base/json.h"
#include "sim/base/table.h"

typedef enum rc_form { RC_FORM_TEXT, RC_FORM_CSV, RC_FORM_JSON } rc_form;

/* RC_E_USAGE when both are asked for. */
rc_status rc_form_of(bool json, bool csv, rc_form *out, rc_error *err);
/* A JSON document whose first key, "schema", says what it follows: "forward-1". A larger number at
 * the end is a form that breaks readers of the one before; keys may be added without one. */
rc_json *rc_form_json(const char *schema);
/* A document that a room made, with that key put before its own, to the standard output. It is
 * destroyed. */
rc_status rc_form_document(rc_json *j, const char *schema, rc_error *err);
/* The table in that form to the standard output; JSON has its rows as the list "rows". The table is
 * destroyed. */
rc_status rc_form_table(rc_table *t, rc_form form, const char *schema, rc_error *err);
/* A document of values and objects as CSV with the columns `key` and `value`; a key inside an object
 * is written "object.key". The document is destroyed. */
rc_status rc_form_pairs(rc_json *j, rc_error *err);

#endif
