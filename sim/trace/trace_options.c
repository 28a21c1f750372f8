/* Options of a trace from text.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/trace_options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const *rc_trace_option_keys(void) {
    static const char *const keys[] = {"format",  "on_bad_row",  "any_ids", "time_unit", "sort",
                                       "columns", "zero_output", "block",   NULL};
    return keys;
}

static rc_status choice(const char *text, const char *const *names, int *out, rc_error *err) {
    char list[320] = "";
    size_t n = 0;
    for (*out = 0; names[*out]; ++*out)
        if (strcmp(names[*out], text) == 0)
            return RC_OK;
    for (int i = 0; names[i] && n + 32 < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", names[i]);
    const char *near = rc_nearest(text, names);
    return rc_fail(err, RC_E_USAGE, "unknown '%.60s'%s%s%s; expected one of %s", text,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "", list);
}

static rc_status yes_or_no(const char *text, bool *out, rc_error *err) {
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0
               ? RC_OK
               : rc_fail(err, RC_E_USAGE, "found '%.60s', expected true or false", text);
}

static rc_status block_of(const char *text, uint32_t *out, rc_error *err) {
    int64_t v;
    if (rc_quantity_int(text, 1, 1 << 20, &v, err) != RC_OK)
        return RC_E_USAGE;
    *out = (uint32_t)v;
    return RC_OK;
}

rc_status rc_trace_option_set(rc_trace_options *o, const char *key, const char *text,
                              rc_error *err) {
    int i = 0;
    if (strcmp(key, "any_ids") == 0)
        return yes_or_no(text, &o->any_ids, err);
    if (strcmp(key, "sort") == 0)
        return yes_or_no(text, &o->sort, err);
    if (strcmp(key, "block") == 0)
        return block_of(text, &o->block, err);
    if (strcmp(key, "columns") == 0) {
        if (strlen(text) >= sizeof o->columns)
            return rc_fail(err, RC_E_USAGE, "more than %zu characters", sizeof o->columns - 1);
        snprintf(o->columns, sizeof o->columns, "%s", text);
        return RC_OK;
    }
    if (strcmp(key, "format") == 0) {
        RC_TRY(choice(text, rc_trace_format_names(), &i, err));
        o->format = (rc_trace_format)i;
    } else if (strcmp(key, "on_bad_row") == 0) {
        RC_TRY(choice(text, rc_bad_row_names(), &i, err));
        o->on_bad_row = (rc_bad_row)i;
    } else if (strcmp(key, "time_unit") == 0) {
        RC_TRY(choice(text, rc_time_unit_names(), &i, err));
        o->unit = (rc_time_unit)i;
    } else if (strcmp(key, "zero_output") == 0) {
        RC_TRY(choice(text, rc_zero_output_names(), &i, err));
        o->zero_output = (rc_zero_output)i;
    } else {
        return rc_fail(err, RC_E_INTERNAL, "no option of traces '%s'", key);
    }
    return RC_OK;
}

rc_status rc_trace_options_read(const rc_node *map, rc_trace_options *o, rc_error *err) {
    const char *const *keys = rc_trace_option_keys();
    for (int i = 0; keys[i]; i++) {
        const rc_node *n = rc_node_get(map, keys[i]);
        rc_error why = {0};
        if (!n)
            continue;
        if (rc_node_kind_of(n) != RC_NODE_SCALAR)
            return rc_node_fail(n, err, RC_E_INPUT, "key '%s': expected one value", keys[i]);
        if (rc_trace_option_set(o, keys[i], rc_node_text(n), &why) != RC_OK)
            return rc_node_fail(n, err, RC_E_INPUT, "key '%s': %.700s", keys[i], why.msg);
    }
    return RC_OK;
}
