/* Measurements of others: which format, and what all formats share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/import.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"nccl-tests", "aiconfigurator", "vidur", NULL};

const char *const *rc_import_names(void) {
    return names;
}

/* The text is not NUL-terminated everywhere it comes from. */
static bool has(const char *text, size_t size, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= size; i++)
        if (memcmp(text + i, word, n) == 0)
            return true;
    return false;
}

rc_status rc_import_detect(const char *name, const char *text, size_t size, rc_import_format *out,
                           rc_error *err) {
    const char *end = size ? memchr(text, '\n', size) : NULL;
    size_t line = end ? (size_t)(end - text) : size;
    if (has(text, line, "time_stats."))
        *out = RC_IMPORT_VIDUR;
    else if (has(text, line, "latency") && has(text, line, ","))
        *out = RC_IMPORT_AICONFIGURATOR;
    else if (has(text, size, "busbw"))
        *out = RC_IMPORT_NCCL_TESTS;
    else
        return rc_fail_at(err, RC_E_INPUT, name, 0, 0,
                          "is none of the formats that can be imported: nccl-tests output, "
                          "AIConfigurator or Vidur tables");
    return RC_OK;
}

rc_row rc_import_row(const rc_importer *m) {
    return (rc_row){.machine = m->how->machine,
                    .gpu = m->how->gpu ? m->how->gpu : "unknown",
                    .state = "burst",
                    .op = "",
                    .variant = "",
                    .dtype = "",
                    .sm_mhz = NAN,
                    .power_w = NAN,
                    .temp_c = NAN,
                    .date = "unknown",
                    .driver = "unknown",
                    .cuda = "unknown",
                    .nccl = "",
                    .kernel = m->format,
                    .commit = "unknown",
                    .source = m->source};
}

static bool same_point(const rc_row *x, const rc_row *y) {
    return x->a == y->a && x->b == y->b && x->c == y->c && x->d == y->d &&
           strcmp(x->op, y->op) == 0 && strcmp(x->variant, y->variant) == 0 &&
           strcmp(x->dtype, y->dtype) == 0 && strcmp(x->state, y->state) == 0 &&
           strcmp(x->machine, y->machine) == 0 && strcmp(x->source, y->source) == 0;
}

rc_status rc_import_add(rc_importer *m, const rc_row *row, rc_error *err) {
    if (!(row->p10 > 0.0 && row->p10 <= row->p50 && row->p50 <= row->p90 && row->p90 < 1e6)) {
        rc_import_skip(m, "a time that is not above zero, or out of order");
        return RC_OK;
    }
    for (size_t i = rc_rows_count(m->rows); i-- > 0;)
        if (same_point(rc_rows_at(m->rows, i), row)) {
            m->count->doubled++;
            return RC_OK;
        }
    m->count->rows++;
    return rc_rows_add(m->rows, row, err);
}

void rc_import_skip(rc_importer *m, const char *why) {
    if (m->count->skipped++ == 0)
        snprintf(m->count->why, sizeof m->count->why, "%s", why);
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
    rc_importer m = {.name = name, .how = how, .rows = rows, .count = count, .format = names[f]};
    memset(count, 0, sizeof *count);
    RC_TRY(check(how, err));
    snprintf(m.source, sizeof m.source, "published: %s", how->source ? how->source : names[f]);
    switch (f) {
    case RC_IMPORT_NCCL_TESTS:
        return rc_import_nccl_tests(&m, text, size, err);
    case RC_IMPORT_AICONFIGURATOR:
        return rc_import_aiconfigurator(&m, text, size, err);
    default:
        return rc_import_vidur(&m, text, size, err);
    }
}
