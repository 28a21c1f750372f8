/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/page/page_input.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "sim/base/csv.h"
#include "sim/page/json_values.h"

enum { STEP = 1 << 20 };
#define MOST_BYTES                                                                                 \
    (UINT64_C(64) << 20) /* of an input, unpacked; parsed it takes ten times as much */

/* A document is of the first kind whose keys it has. */
static const struct {
    const char *kind, *keys[2], *name; /* name: the key of its title; NULL: it has none */
} kinds[] = {
    {"timeline", {"traceEvents", "ringcast"}, NULL},
    {"grid", {"columns", "rows"}, NULL},
    {"tune", {"tune", "rules"}, "tune"},
    {"choose", {"answer", "alternatives"}, NULL},
    {"forward", {"breakdown", "variant"}, "scenario"},
    {"rates", {"curves", "curves"}, NULL},
    {"serve", {"serve", "ttft_ms"}, "serve"},
    {"plan", {"plan", "considered"}, "plan"},
    {"validate", {"sets", "cases"}, NULL},
    {"paper", {"rows", "summary"}, NULL},
    {"sweep", {"sweep", "points"}, "sweep"},
};

const char *input_kind(const json_t *root) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (json_object_get(root, kinds[i].keys[0]) && json_object_get(root, kinds[i].keys[1]))
            return kinds[i].kind;
    return NULL;
}

void input_title(const char *kind, const json_t *root, char *buf, size_t size) {
    const char *name = "";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].kind, kind) == 0 && kinds[i].name)
            name = value_text(root, kinds[i].name);
    if (strcmp(kind, "timeline") == 0)
        name = "passes side by side";
    (void)snprintf(buf, size, "%s%s%.100s", kind, name[0] ? ": " : "", name);
}

rc_status input_read(const char *path, char **text, size_t *size, rc_error *err) {
    gzFile f = gzopen(path, "rb");
    size_t room = 0, n = 0;
    char *all = NULL;
    int got = 0;
    rc_status st = RC_OK;
    if (!f)
        return rc_fail_at(err, RC_E_IO, path, 0, 0, "%s", strerror(errno));
    do {
        if (n + STEP > room) {
            room = room ? 2 * room : 2 * (size_t)STEP;
            char *more = room <= MOST_BYTES ? realloc(all, room) : NULL;
            if (!more) {
                st = rc_fail_at(err, RC_E_SIZE, path, 0, 0,
                                "more than %llu MB are too much for a page",
                                (unsigned long long)(MOST_BYTES >> 20));
                break;
            }
            all = more;
        }
        got = gzread(f, all + n, STEP);
        n += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    if (st == RC_OK && got < 0)
        st = rc_fail_at(err, RC_E_IO, path, 0, 0, "cannot be read");
    if (gzclose(f) != Z_OK && st == RC_OK)
        st = rc_fail_at(err, RC_E_INPUT, path, 0, 0, "is cut short");
    if (st != RC_OK) {
        free(all);
        return st;
    }
    *text = all;
    *size = n;
    return RC_OK;
}

static rc_status parse_csv(const char *name, const char *text, size_t size, json_t **out,
                           rc_error *err) {
    static const char *const needed[] = {"T", "P", "batch", "cp", "pass_kv_ms", "pass_q_ms"};
    rc_csv *c = NULL;
    size_t at;
    RC_TRY(rc_csv_parse(name, text, size, &c, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0] && st == RC_OK; i++)
        st = rc_csv_column(c, needed[i], &at, err);
    json_t *columns = json_object(), *rows = json_array();
    for (size_t k = 0; k < rc_csv_columns(c) && st == RC_OK; k++)
        (void)json_object_set_new(columns, rc_csv_name(c, k), json_integer((json_int_t)k));
    for (size_t i = 0; i < rc_csv_rows(c) && st == RC_OK; i++) {
        json_t *row = json_array();
        for (size_t k = 0; k < rc_csv_columns(c); k++)
            (void)json_array_append_new(row, json_string(rc_csv_text(c, i, k)));
        (void)json_array_append_new(rows, row);
    }
    rc_csv_close(c);
    if (st == RC_OK)
        *out = json_pack("{s:o, s:o}", "columns", columns, "rows", rows);
    else {
        json_decref(columns);
        json_decref(rows);
    }
    return st != RC_OK || *out ? st : rc_fail(err, RC_E_NOMEM, "out of memory for %s", name);
}

static bool is_csv(const char *text, size_t size) {
    return size > 0 && text[0] != '{' && text[0] != '[' && text[0] != ' ' && text[0] != '\n';
}

rc_status input_parse(const char *name, const char *text, size_t size, json_t **out,
                      rc_error *err) {
    json_error_t why;
    *out = NULL;
    if (is_csv(text, size))
        return parse_csv(name, text, size, out, err);
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    return *out ? RC_OK : rc_fail_at(err, RC_E_INPUT, name, why.line, why.column, "%s", why.text);
}
