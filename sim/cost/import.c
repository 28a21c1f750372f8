/* Measurements of others: which format a file is of, and its reader.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/import.h"

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/import_formats.h"
#include "sim/cost/import_words.h"

static const char *const names[] = {"nccl-tests", "aiconfigurator", "vidur", "kernel-tables", NULL};

const char *const *rc_import_names(void) {
    return names;
}

/* The text is not NUL-terminated everywhere it comes from. */
static bool has(const char *text, size_t size, const char *word) {
    return rc_piece_has((rc_piece){text, size}, word);
}

static bool is_json(const char *text, size_t size) {
    size_t i = 0;
    while (i < size && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n'))
        i++;
    return i < size && text[i] == '{';
}

/* ---- what a file is that cannot be imported ------------------------------------------------- */

static rc_status is_binary(const char *name, const char *text, size_t size, rc_error *err) {
    static const struct {
        const char *magic, *what;
    } kinds[] = {{"SQLite format 3", "an SQLite database: a store is read with --store, or merged "
                                     "by `ringcast calibration merge`"},
                 {"\x1F\x8B", "compressed (gzip): unpack it first"},
                 {"\xFD"
                  "7zXZ",
                  "compressed (xz): unpack it first"},
                 {"PK\x03\x04", "a ZIP archive: unpack it first"}};
    if (rc_piece_starts((rc_piece){text, size}, "PAR1"))
        return rc_fail_at(err, RC_E_INPUT, name, 0, 0,
                          "is a Parquet file, which is not read here (AIConfigurator's tables are "
                          "Parquet since 2026). As CSV it is: python3 -c \"import pandas; "
                          "pandas.read_parquet('FILE.parquet').to_csv('FILE.csv', index=False)\", "
                          "or: duckdb -c \"copy 'FILE.parquet' to 'FILE.csv'\"");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (rc_piece_starts((rc_piece){text, size}, kinds[i].magic))
            return rc_fail_at(err, RC_E_INPUT, name, 0, 0, "is %s", kinds[i].what);
    return RC_OK;
}

/* The keys of a JSON object, or a reason why there are none, for an error. */
static void json_keys(const char *text, size_t size, char *out, size_t room) {
    json_error_t why;
    json_t *root = json_loadb(text, size, JSON_DISABLE_EOF_CHECK, &why);
    const char *key;
    json_t *value;
    size_t n = 0;
    snprintf(out, room, root ? "JSON without keys" : "JSON that cannot be read: %s", why.text);
    json_object_foreach(root, key, value) {
        int more = snprintf(out + n, room - n, "%s'%.40s'", n ? ", " : "JSON with the keys ", key);
        if (more < 0 || n + (size_t)more + 8 >= room)
            break;
        n += (size_t)more;
    }
    json_decref(root);
}

static rc_status not_known(const char *name, const char *text, size_t size, size_t line,
                           rc_error *err) {
    char found[320] = "";
    if (is_json(text, size))
        json_keys(text, size, found, sizeof found);
    else if (has(text, line, ","))
        snprintf(found, sizeof found, "the columns %.*s", (int)(line < 240 ? line : 240), text);
    return rc_fail_at(err, RC_E_INPUT, name, 0, 0,
                      "is none of the formats that can be imported: nccl-tests output (text, or "
                      "JSON of -J), AIConfigurator or Vidur tables (CSV), kernel tables (CSV)%s%s",
                      found[0] ? "; found " : "", found);
}

rc_status rc_import_detect(const char *name, const char *text, size_t size, rc_import_format *out,
                           rc_error *err) {
    const char *end = size ? memchr(text, '\n', size) : NULL;
    size_t line = end ? (size_t)(end - text) : size;
    RC_TRY(is_binary(name, text, size, err));
    if (is_json(text, size) && has(text, size, "\"results\"") &&
        has(text, size, "\"out_of_place\""))
        *out = RC_IMPORT_NCCL_TESTS;
    else if (is_json(text, size))
        return not_known(name, text, size, line, err);
    else if (has(text, line, "time_stats."))
        *out = RC_IMPORT_VIDUR;
    else if (has(text, size, ",latency_ms") || has(text, size, ",dispatch_us"))
        *out = RC_IMPORT_KERNELS;
    else if (has(text, line, "latency") && has(text, line, ","))
        *out = RC_IMPORT_AICONFIGURATOR;
    else if (has(text, size, "busbw"))
        *out = RC_IMPORT_NCCL_TESTS;
    else
        return not_known(name, text, size, line, err);
    return RC_OK;
}

static bool plain(const char *s, size_t max) {
    return *s != '\0' && strlen(s) <= max && strpbrk(s, "\n\r\",") == NULL;
}

static rc_status check(const rc_import *how, rc_error *err) {
    const char *const texts[] = {how->machine, how->gpu, how->source, how->transport, how->op};
    static const char *const flags[] = {"--machine", "--gpu", "--source", "--transport", "--op"};
    static const size_t longest[] = {47, 63, 100, 23, 23};
    if (!how->machine)
        return rc_fail_at(err, RC_E_USAGE, "--machine", 0, 0,
                          "is missing: the name that the rows are to have");
    if (how->ranks < 0 || how->ranks > 1 << 20 || how->nodes < 0 || how->nodes > 1 << 20)
        return rc_fail_at(err, RC_E_USAGE,
                          how->ranks < 0 || how->ranks > 1 << 20 ? "--ranks" : "--nodes", 0, 0,
                          "expected 1 to %d", 1 << 20);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i] && !plain(texts[i], longest[i]))
            return rc_fail_at(err, RC_E_USAGE, flags[i], 0, 0,
                              "expected 1 to %zu characters without commas, quotes or line ends",
                              longest[i]);
    return RC_OK;
}

rc_status rc_import_parse(rc_import_format f, const char *name, const char *text, size_t size,
                          const rc_import *how, rc_rows *rows, rc_import_count *count,
                          rc_error *err) {
    assert(f < RC_IMPORT_FORMATS);
    assert(how != NULL && rows != NULL && count != NULL);
    rc_importer m = {.name = name, .how = how, .rows = rows, .count = count, .format = names[f]};
    memset(count, 0, sizeof *count);
    RC_TRY(check(how, err));
    snprintf(m.source, sizeof m.source, "published: %s", how->source ? how->source : names[f]);
    switch (f) {
    case RC_IMPORT_NCCL_TESTS:
        return is_json(text, size) ? rc_import_nccl_json(&m, text, size, err)
                                   : rc_import_nccl_tests(&m, text, size, err);
    case RC_IMPORT_AICONFIGURATOR:
        return rc_import_aiconfigurator(&m, text, size, err);
    case RC_IMPORT_KERNELS:
        return rc_import_kernels(&m, text, size, err);
    default:
        return rc_import_vidur(&m, text, size, err);
    }
}
