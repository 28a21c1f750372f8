/* Where the model's times of passes are off: by kind, tokens and batch; and the worst passes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/beside/server_runs.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sim/base/table.h"

enum { WORST = 10, CLASSES = 64 /* of a count of 63 bits, and none */ };

/* Passes of one kind whose prompt tokens and sequences lie within one power of two each. */
typedef struct pass_class {
    rc_beside_kind kind;
    int tokens, decodes; /* 0: none; n: from 2^(n-1) to below 2^n */
} pass_class;

static int power_of(int64_t n) {
    int power = 0;
    for (; n > 0; n /= 2)
        power++;
    return power;
}

static bool is_in(const rc_played_row *row, const void *ctx) {
    const pass_class *c = ctx;
    return rc_beside_kind_of(row) == c->kind && power_of(row->prompt_tokens) == c->tokens &&
           power_of(row->decodes) == c->decodes;
}

static void range_cell(int power, rc_table *t) {
    if (power == 0)
        rc_table_missing(t);
    else if (power == 1)
        rc_table_text(t, "1");
    else
        rc_table_textf(t, "%llu..%llu", 1ULL << (power - 1), (1ULL << power) - 1);
}

static rc_status class_row(const rc_beside_run *r, const pass_class *c, rc_table *t,
                           rc_error *err) {
    rc_beside_spread s;
    RC_TRY(rc_beside_spread_of(r, is_in, c, &s, err));
    if (s.passes == 0)
        return RC_OK;
    rc_table_text(t, rc_beside_kind_name(c->kind));
    range_cell(c->tokens, t);
    range_cell(c->decodes, t);
    rc_table_int(t, (int64_t)s.passes);
    rc_table_real(t, s.measured_s, 3);
    rc_table_real(t, s.bias, 1);
    rc_table_real(t, s.median, 1);
    rc_table_real(t, s.p95, 1);
    return RC_OK;
}

/* One walk of the log marks which classes there are, so that none is looked for in vain. */
static rc_status class_rows(const rc_beside_run *r, rc_table *t, rc_error *err) {
    bool there[CLASSES][CLASSES] = {{false}};
    for (size_t i = 0; i < r->log.count; i++) {
        const rc_played_row *row = &r->log.at[i];
        there[power_of(row->prompt_tokens)][power_of(row->decodes)] = true;
    }
    for (int k = 0; k < RC_BESIDE_KINDS; k++)
        for (int a = 0; a < CLASSES; a++)
            for (int b = 0; b < CLASSES; b++) {
                const pass_class c = {(rc_beside_kind)k, a, b};
                if (there[a][b])
                    RC_TRY(class_row(r, &c, t, err));
            }
    return RC_OK;
}

static rc_status print_classes(const rc_beside_run *r, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"kind", "passes of", "", RC_LEFT},
        {"tokens", "tokens of prompts", "", RC_LEFT},
        {"decodes", "sequences", "", RC_LEFT},
        {"passes", "passes", "", RC_RIGHT},
        {"measured_s", "measured", "s", RC_RIGHT},
        {"bias_pct", "of the sum", "%", RC_RIGHT},
        {"median_abs_error_pct", "median", "%", RC_RIGHT},
        {"p95_abs_error_pct", "95th", "%", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t,
                  "%s: error of the model's time on the GPU, by kind, new tokens of prompts and "
                  "sequences that decode",
                  r->name);
    const rc_status st = class_rows(r, t, err);
    if (st == RC_OK)
        return rc_table_finish(t, false, f, err);
    rc_table_destroy(t);
    return st;
}

/* ---- the worst ------------------------------------------------------------------------------ */

static int64_t off_by(const rc_beside_run *r, size_t i) {
    return llabs((long long)(r->costs[i].gpu - rc_beside_gpu_time(&r->log.at[i])));
}

/* The passes that are furthest off, the worst first: the list is short, so that each pass finds its
 * place by steps. */
static size_t find_worst(const rc_beside_run *r, size_t worst[WORST]) {
    size_t n = 0;
    for (size_t i = 0; i < r->log.count; i++) {
        size_t at = n < WORST ? n++ : WORST;
        if (at == WORST && off_by(r, i) <= off_by(r, worst[WORST - 1]))
            continue;
        at = at == WORST ? WORST - 1 : at;
        for (; at > 0 && off_by(r, worst[at - 1]) < off_by(r, i); at--)
            worst[at] = worst[at - 1];
        worst[at] = i;
    }
    return n;
}

static rc_status print_worst(const rc_beside_run *r, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"pass", "pass", "", RC_RIGHT},
        {"at_s", "at", "s", RC_RIGHT},
        {"kind", "kind", "", RC_LEFT},
        {"prompts", "prompts", "", RC_RIGHT},
        {"tokens", "their tokens", "", RC_RIGHT},
        {"decodes", "sequences", "", RC_RIGHT},
        {"context", "their keys", "", RC_RIGHT},
        {"host_ms", "host", "ms", RC_RIGHT},
        {"measured_ms", "measured", "ms", RC_RIGHT},
        {"model_ms", "model", "ms", RC_RIGHT},
    };
    size_t worst[WORST];
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "the passes whose time on the GPU is furthest off, the worst first");
    const size_t n = find_worst(r, worst);
    for (size_t i = 0; i < n; i++) {
        const rc_played_row *x = &r->log.at[worst[i]];
        rc_table_int(t, (int64_t)worst[i] + 1);
        rc_table_real(t, (double)x->start / RC_PS_PER_S, 3);
        rc_table_text(t, rc_beside_kind_name(rc_beside_kind_of(x)));
        rc_table_int(t, x->prompts);
        rc_table_int(t, x->prompt_tokens);
        rc_table_int(t, x->decodes);
        rc_table_int(t, x->context);
        rc_table_real(t, (double)x->host / 1e9, 3);
        rc_table_real(t, (double)rc_beside_gpu_time(x) / 1e9, 3);
        rc_table_real(t, (double)r->costs[worst[i]].gpu / 1e9, 3);
    }
    return rc_table_finish(t, false, f, err);
}

rc_status rc_beside_explain(const rc_beside_run *r, FILE *f, rc_error *err) {
    RC_TRY(print_classes(r, f, err));
    (void)fputc('\n', f);
    return print_worst(r, f, err);
}
