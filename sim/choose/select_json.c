/* A tuned rule as JSON, both ways.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/doc.h"
#include "sim/choose/select.h"

#define MAX_TOKENS 1e12 /* more is no count of tokens */

/* ---- writing ---------------------------------------------------------------------------- */

static double rounded(double v) {
    char text[40];
    (void)snprintf(text, sizeof text, "%.6g", v);
    return strtod(text, NULL);
}

void rc_select_round(rc_select_table *s) {
    for (int k = 0; k < s->knots; k++)
        s->length[k] = rounded(s->length[k]);
    for (int i = 0; i < s->degrees; i++) {
        for (int b = 0; b < s->batches; b++) {
            for (int k = 0; k < s->knots; k++) {
                s->variant[i][b][k] = rounded(s->variant[i][b][k]);
                for (int w = 0; w < s->prices; w++)
                    s->more[w][i][b][k] = rounded(s->more[w][i][b][k]);
            }
        }
    }
}

static void put_table(const rc_select_table *s, rc_json *j, json_t *list,
                      const double (*table)[RC_SELECT_KNOTS]) {
    for (int b = 0; b < s->batches; b++) {
        json_t *row = rc_json_list(j, list, NULL);
        for (int k = 0; k < s->knots; k++)
            rc_json_real(j, row, NULL, table[b][k]);
    }
}

void rc_select_json(const rc_select_table *s, rc_json *j, json_t *parent) {
    assert(s->knots <= RC_SELECT_KNOTS && s->degrees <= RC_SELECT_DEGREES);
    assert(s->batches <= RC_SELECT_BATCHES && s->prices <= RC_SELECT_PRICES);
    rc_json_text(j, parent, "name", s->name);
    rc_json_text(j, parent, "machine", s->machine);
    rc_json_text(j, parent, "model", s->model);
    rc_json_int(j, parent, "tp", s->tp);
    json_t *types = rc_json_object(j, parent, "dtypes");
    rc_json_text(j, types, "attention_weights", rc_dtype_name(s->attn_weights));
    rc_json_text(j, types, "ffn_weights", rc_dtype_name(s->ffn_weights));
    rc_json_text(j, types, "kv", rc_dtype_name(s->kv));
    json_t *list = rc_json_list(j, parent, "new");
    rc_json_real(j, list, NULL, s->fresh_from);
    rc_json_real(j, list, NULL, s->fresh_to);
    list = rc_json_list(j, parent, "length");
    for (int k = 0; k < s->knots; k++)
        rc_json_real(j, list, NULL, s->length[k]);
    list = rc_json_list(j, parent, "degree");
    for (int i = 0; i < s->degrees; i++)
        rc_json_int(j, list, NULL, s->degree[i]);
    list = rc_json_list(j, parent, "batch");
    for (int b = 0; b < s->batches; b++)
        rc_json_int(j, list, NULL, s->batch[b]);
    list = rc_json_list(j, parent, "price");
    for (int w = 0; w < s->prices; w++)
        rc_json_real(j, list, NULL, s->price[w]);
    list = rc_json_list(j, parent, "pass_kv_from");
    for (int i = 0; i < s->degrees; i++)
        put_table(s, j, rc_json_list(j, list, NULL), s->variant[i]);
    list = rc_json_list(j, parent, "more_ranks_from");
    for (int w = 0; w < s->prices; w++) {
        json_t *of_price = rc_json_list(j, list, NULL);
        for (int i = 0; i + 1 < s->degrees; i++)
            put_table(s, j, rc_json_list(j, of_price, NULL), s->more[w][i]);
    }
}

/* ---- reading ---------------------------------------------------------------------------- */

static rc_status list_of(const rc_node *map, const char *key, size_t lo, size_t hi,
                         const rc_node **out, rc_error *err) {
    RC_TRY(rc_doc_list(map, key, out, err));
    size_t n = rc_node_count(*out);
    if (n < lo || n > hi)
        return rc_node_fail(*out, err, RC_E_INPUT, "key '%s' has %zu items, expected %zu to %zu",
                            key, n, lo, hi);
    return RC_OK;
}

static rc_status items(const rc_node *n, const char *key, size_t want, rc_error *err) {
    if (rc_node_kind_of(n) != RC_NODE_LIST || rc_node_count(n) != want)
        return rc_node_fail(n, err, RC_E_INPUT, "key '%s': expected a list of %zu", key, want);
    return RC_OK;
}

static rc_status read_ints(const rc_node *map, const char *key, size_t hi, int *out, int *count,
                           rc_error *err) {
    const rc_node *list;
    RC_TRY(list_of(map, key, 1, hi, &list, err));
    *count = (int)rc_node_count(list);
    for (int i = 0; i < *count; i++) {
        int64_t v, least = i ? out[i - 1] + 1 : 1;
        RC_TRY(rc_node_int(rc_node_at(list, (size_t)i), key, least, 65536, &v, err));
        out[i] = (int)v;
    }
    return RC_OK;
}

static rc_status read_table(const rc_select_table *s, const rc_node *list, const char *key,
                            double (*out)[RC_SELECT_KNOTS], rc_error *err) {
    RC_TRY(items(list, key, (size_t)s->batches, err));
    for (int b = 0; b < s->batches; b++) {
        const rc_node *row = rc_node_at(list, (size_t)b);
        RC_TRY(items(row, key, (size_t)s->knots, err));
        for (int k = 0; k < s->knots; k++)
            RC_TRY(rc_node_quantity(rc_node_at(row, (size_t)k), key, RC_DIM_COUNT, 0.0, MAX_TOKENS,
                                    &out[b][k], err));
    }
    return RC_OK;
}

static rc_status read_type(const rc_node *map, const char *key, rc_dtype *out, rc_error *err) {
    const char *names[RC_DTYPES_STATED + 1] = {NULL};
    int which;
    for (int i = 0; i < RC_DTYPES_STATED; i++)
        names[i] = rc_dtype_name(rc_dtype_stated(i));
    RC_TRY(rc_doc_choice(map, key, names, &which, err));
    *out = rc_dtype_stated(which);
    return RC_OK;
}

/* What the table was made for, beside machine and model. */
static rc_status read_scope(const rc_node *root, rc_select_table *s, rc_error *err) {
    const rc_node *map, *list;
    RC_TRY(rc_doc_map(root, "dtypes", &map, err));
    RC_TRY(read_type(map, "attention_weights", &s->attn_weights, err));
    RC_TRY(read_type(map, "ffn_weights", &s->ffn_weights, err));
    RC_TRY(read_type(map, "kv", &s->kv, err));
    RC_TRY(list_of(root, "new", 2, 2, &list, err));
    RC_TRY(rc_node_quantity(rc_node_at(list, 0), "new", RC_DIM_COUNT, 1.0, MAX_TOKENS,
                            &s->fresh_from, err));
    return rc_node_quantity(rc_node_at(list, 1), "new", RC_DIM_COUNT, s->fresh_from, MAX_TOKENS,
                            &s->fresh_to, err);
}

static rc_status read_axes(const rc_node *root, rc_select_table *s, rc_error *err) {
    const rc_node *list;
    RC_TRY(list_of(root, "length", 1, RC_SELECT_KNOTS, &list, err));
    s->knots = (int)rc_node_count(list);
    for (int k = 0; k < s->knots; k++) {
        double least = k ? s->length[k - 1] * (1.0 + 1e-9) : 1.0;
        RC_TRY(rc_node_quantity(rc_node_at(list, (size_t)k), "length", RC_DIM_COUNT, least,
                                MAX_TOKENS, &s->length[k], err));
    }
    RC_TRY(read_ints(root, "degree", RC_SELECT_DEGREES, s->degree, &s->degrees, err));
    RC_TRY(read_ints(root, "batch", RC_SELECT_BATCHES, s->batch, &s->batches, err));
    RC_TRY(list_of(root, "price", 1, RC_SELECT_PRICES, &list, err));
    s->prices = (int)rc_node_count(list);
    for (int w = 0; w < s->prices; w++)
        RC_TRY(rc_node_quantity(rc_node_at(list, (size_t)w), "price", RC_DIM_RATIO, 0.0, 1.0,
                                &s->price[w], err));
    return RC_OK;
}

static rc_status read_thresholds(const rc_node *root, rc_select_table *s, rc_error *err) {
    const rc_node *list;
    size_t degrees = (size_t)s->degrees;
    RC_TRY(list_of(root, "pass_kv_from", degrees, degrees, &list, err));
    for (size_t i = 0; i < degrees; i++)
        RC_TRY(read_table(s, rc_node_at(list, i), "pass_kv_from", s->variant[i], err));
    RC_TRY(list_of(root, "more_ranks_from", (size_t)s->prices, (size_t)s->prices, &list, err));
    for (size_t w = 0; w < (size_t)s->prices; w++) {
        const rc_node *of_price = rc_node_at(list, w);
        RC_TRY(items(of_price, "more_ranks_from", degrees - 1, err));
        for (size_t i = 0; i + 1 < degrees; i++)
            RC_TRY(read_table(s, rc_node_at(of_price, i), "more_ranks_from", s->more[w][i], err));
    }
    return RC_OK;
}

static rc_status read_root(const rc_node *root, rc_select_table *s, rc_error *err) {
    int64_t tp;
    memset(s, 0, sizeof *s);
    RC_TRY(rc_doc_label(root, "name", s->name, sizeof s->name, err));
    RC_TRY(rc_doc_label(root, "machine", s->machine, sizeof s->machine, err));
    RC_TRY(rc_doc_label(root, "model", s->model, sizeof s->model, err));
    RC_TRY(rc_doc_int(root, "tp", 1, 4096, &tp, err));
    s->tp = (int)tp;
    RC_TRY(read_scope(root, s, err));
    RC_TRY(read_axes(root, s, err));
    return read_thresholds(root, s, err);
}

rc_status rc_select_parse(const char *name, const char *text, size_t size, rc_select_table *out,
                          rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_parse(name, text, size, &doc, err));
    rc_status st = read_root(rc_doc_root(doc), out, err);
    rc_doc_close(doc);
    return st;
}

rc_status rc_select_load(const char *path, rc_select_table *out, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = read_root(rc_doc_root(doc), out, err);
    rc_doc_close(doc);
    return st;
}
