/* Rows as text, CSV or JSON.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/form.h"
#include <assert.h>
#include <stdio.h>

rc_status rc_form_of(bool json, bool csv, rc_form *out, rc_error *err) {
    if (json && csv)
        return rc_fail(err, RC_E_USAGE, "--json and --csv exclude each other");
    *out = json ? RC_FORM_JSON : csv ? RC_FORM_CSV : RC_FORM_TEXT;
    return RC_OK;
}

rc_json *rc_form_json(const char *schema) {
    rc_json *j = rc_json_create();
    assert(schema != NULL);
    rc_json_text(j, rc_json_root(j), "schema", schema);
    return j;
}

rc_status rc_form_document(rc_json *j, const char *schema, rc_error *err) {
    rc_json *own = rc_form_json(schema);
    bool whole = json_object_update(rc_json_root(own), rc_json_root(j)) == 0;
    rc_json_destroy(j);
    if (whole)
        return rc_json_finish(own, stdout, err);
    rc_json_destroy(own);
    return rc_fail(err, RC_E_NOMEM, "out of memory while building JSON");
}

rc_status rc_form_table(rc_table *t, rc_form form, const char *schema, rc_error *err) {
    if (form != RC_FORM_JSON)
        return rc_table_finish(t, form == RC_FORM_CSV, stdout, err);
    rc_json *j = rc_form_json(schema);
    rc_status st = rc_table_json(t, j, rc_json_root(j), "rows", err);
    rc_table_destroy(t);
    if (st == RC_OK)
        return rc_json_finish(j, stdout, err);
    rc_json_destroy(j);
    return st;
}

static void pair(rc_table *t, const char *key, const json_t *value) {
    rc_table_text(t, key);
    if (json_is_integer(value))
        rc_table_int(t, json_integer_value(value));
    else if (json_is_real(value))
        rc_table_real(t, json_real_value(value), 6);
    else if (json_is_boolean(value))
        rc_table_text(t, json_is_true(value) ? "true" : "false");
    else
        rc_table_text(t, json_string_value(value));
}

rc_status rc_form_pairs(rc_json *j, rc_error *err) {
    static const rc_column columns[] = {{"key", "key", "", RC_LEFT},
                                        {"value", "value", "", RC_LEFT}};
    rc_table *t = RC_TABLE_WITH(columns);
    const char *key, *inner;
    json_t *value, *own;
    json_object_foreach(rc_json_root(j), key, value) {
        if (!json_is_object(value)) {
            pair(t, key, value);
            continue;
        }
        json_object_foreach(value, inner, own) {
            char path[128];
            (void)snprintf(path, sizeof path, "%s.%s", key, inner);
            pair(t, path, own);
        }
    }
    rc_json_destroy(j);
    return rc_table_finish(t, true, stdout, err);
}
