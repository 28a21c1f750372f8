/* Tables of how far forecasts of whole passes are off.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/machine/model_errors.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/base/csv.h"

static const char *const kinds[RC_PASS_KINDS] = {"prefill", "decode", "tp"};

const char *rc_pass_kind_name(rc_pass_kind k) {
    assert(k < RC_PASS_KINDS);
    return kinds[k];
}

enum { TRANSPORT, KIND, SHARE, LAYER, COLUMNS };
static const char *const columns[COLUMNS] = {"transport", "kind", "share", "layer_s"};

static rc_status read_class(const rc_csv *csv, size_t row, const size_t *at, rc_model_error *out,
                            rc_error *err) {
    const char *transport = rc_csv_text(csv, row, at[TRANSPORT]);
    const char *kind = rc_csv_text(csv, row, at[KIND]);
    int k = 0;
    if (*transport == '\0' || strlen(transport) >= sizeof out->transport)
        return rc_csv_fail(csv, row, at[TRANSPORT], err, RC_E_INPUT,
                           "\"%.40s\": expected a transport", transport);
    (void)snprintf(out->transport, sizeof out->transport, "%s", transport);
    while (k < RC_PASS_KINDS && strcmp(kind, kinds[k]) != 0)
        k++;
    if (k == RC_PASS_KINDS)
        return rc_csv_fail(csv, row, at[KIND], err, RC_E_INPUT,
                           "\"%.40s\": expected prefill, decode or tp", kind);
    out->kind = (rc_pass_kind)k;
    RC_TRY(rc_csv_quantity(csv, row, at[SHARE], RC_DIM_RATIO, 0.0, 10.0, &out->share, err));
    return rc_csv_quantity(csv, row, at[LAYER], RC_DIM_TIME, 0.0, 1.0, &out->layer, err);
}

static rc_status read_all(const rc_csv *csv, rc_model_errors *out, rc_error *err) {
    size_t at[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        RC_TRY(rc_csv_column(csv, columns[i], &at[i], err));
    for (size_t row = 0; row < rc_csv_rows(csv); row++) {
        rc_model_error e = {.share = 0.0};
        RC_TRY(read_class(csv, row, at, &e, err));
        if (out->n == RC_MODEL_ERRORS || rc_model_error_find(out, e.transport, e.kind) != NULL)
            return rc_csv_fail(csv, row, at[KIND], err, RC_E_INPUT,
                               out->n == RC_MODEL_ERRORS ? "there are too many classes"
                                                         : "this class is there twice");
        out->of[out->n++] = e;
    }
    return RC_OK;
}

rc_status rc_model_errors_read(const char *path, rc_model_errors *out, rc_error *err) {
    assert(path != NULL && out != NULL);
    rc_csv *csv = NULL;
    memset(out, 0, sizeof *out);
    RC_TRY(rc_csv_open(path, &csv, err));
    rc_status st = read_all(csv, out, err);
    rc_csv_close(csv);
    return st;
}

const rc_model_error *rc_model_error_find(const rc_model_errors *e, const char *transport,
                                          rc_pass_kind kind) {
    assert(e != NULL && transport != NULL);
    for (int i = 0; i < e->n; i++)
        if (e->of[i].kind == kind && strcmp(e->of[i].transport, transport) == 0)
            return &e->of[i];
    return NULL;
}

double rc_model_error_half(const rc_model_error *e, double layer) {
    assert(e != NULL && layer > 0.0);
    return hypot(e->share, e->layer / layer);
}

void rc_model_error_widen(double half, double time, double *p5, double *p95) {
    assert(half >= 0.0 && *p5 > 0.0 && *p95 > 0.0);
    *p5 = time * exp(-hypot(half, fmax(log(time / *p5), 0.0)));
    *p95 = time * exp(hypot(half, fmax(log(*p95 / time), 0.0)));
}
