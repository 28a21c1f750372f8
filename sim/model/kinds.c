/* Kinds of layers that a file states: keys of this project beside those of the transformers
 * library.
 *
 *     "num_hidden_layers": 61, "intermediate_size": 18432, ...
 *     "layer_kinds": {"first": {}, "later": {"intermediate_size": 2048}},
 *     "layer_order": [{"kinds": ["first"], "times": 3}, {"kinds": ["later"], "times": 58}]
 *
 * A kind has the numbers of the file but for those that it states, and is of the form "dense"
 * unless it names another. The order lists patterns of kinds, each as often as it is repeated;
 * together they are the layers of the file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model/reading.h"

typedef struct kinds_reading {
    rc_model *m;
    rc_error *err;
    const rc_node *kinds, *order;
    uint8_t *kind_of; /* [m->layers] */
    int layers;       /* of the order, so far */
} kinds_reading;

static rc_status int_or_leave(const rc_node *map, const char *key, int64_t hi, int *out,
                              rc_error *err) {
    int64_t v = *out;
    if (rc_config_given(map, key) != NULL)
        RC_TRY(rc_doc_int(map, key, 1, hi, &v, err));
    *out = (int)v;
    return RC_OK;
}

/* `l` holds the numbers of the file. */
static rc_status read_kind(const rc_node *map, const char *name, rc_layer_kind *l, rc_error *err) {
    static const char *const keys[] = {"form",     "num_attention_heads", "num_key_value_heads",
                                       "head_dim", "v_head_dim",          "intermediate_size",
                                       NULL};
    if (rc_node_kind_of(map) != RC_NODE_MAP)
        return rc_node_fail(map, err, RC_E_INPUT, "kind '%.60s' of layers: expected a map", name);
    RC_TRY(rc_doc_known(map, keys, err));
    if (rc_config_given(map, "form") != NULL)
        RC_TRY(rc_doc_label(map, "form", l->form, sizeof l->form, err));
    RC_TRY(int_or_leave(map, "num_attention_heads", 4096, &l->heads, err));
    RC_TRY(int_or_leave(map, "num_key_value_heads", 4096, &l->kv_heads, err));
    RC_TRY(int_or_leave(map, "head_dim", 4096, &l->head_dim, err));
    l->value_dim = l->head_dim;
    RC_TRY(int_or_leave(map, "v_head_dim", 4096, &l->value_dim, err));
    if (rc_config_given(map, "intermediate_size") != NULL)
        RC_TRY(rc_doc_int(map, "intermediate_size", 1, 1 << 26, &l->ffn, err));
    if (l->heads % l->kv_heads != 0)
        return rc_node_fail(map, err, RC_E_INPUT,
                            "kind '%.60s' of layers: %d KV heads do not divide its %d query heads",
                            name, l->kv_heads, l->heads);
    return RC_OK;
}

static rc_status read_kinds(kinds_reading *r) {
    const rc_layer_kind common = r->m->kind[0];
    size_t count = rc_node_count(r->kinds);
    if (rc_node_kind_of(r->kinds) != RC_NODE_MAP || count < 1 || count > RC_KINDS)
        return rc_node_fail(r->kinds, r->err, RC_E_INPUT,
                            "key 'layer_kinds': expected a map of 1 to %d kinds of layers",
                            RC_KINDS);
    for (size_t i = 0; i < count; i++) {
        r->m->kind[i] = common;
        RC_TRY(read_kind(rc_node_value(r->kinds, i), rc_node_key(r->kinds, i), &r->m->kind[i],
                         r->err));
    }
    r->m->kinds = (int)count;
    return RC_OK;
}

static rc_status find_kind(const kinds_reading *r, const rc_node *at, uint8_t *out) {
    const char *names[RC_KINDS + 1] = {NULL}, *word = NULL;
    RC_TRY(rc_node_string(at, "kinds", &word, r->err));
    for (int i = 0; i < r->m->kinds; i++) {
        names[i] = rc_node_key(r->kinds, (size_t)i);
        if (strcmp(names[i], word) == 0) {
            *out = (uint8_t)i;
            return RC_OK;
        }
    }
    const char *near = rc_nearest(word, names);
    return rc_node_fail(at, r->err, RC_E_INPUT,
                        "'layer_order': '%.60s' is no kind of 'layer_kinds'%s%.60s%s", word,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* One pattern, and as many copies of it as it says. */
static rc_status read_pattern(kinds_reading *r, const rc_node *map) {
    static const char *const keys[] = {"kinds", "times", NULL};
    const rc_node *list = NULL;
    int times = 1;
    if (rc_node_kind_of(map) != RC_NODE_MAP)
        return rc_node_fail(map, r->err, RC_E_INPUT,
                            "an item of 'layer_order': expected a map of 'kinds' and 'times'");
    RC_TRY(rc_doc_known(map, keys, r->err));
    RC_TRY(rc_doc_list(map, "kinds", &list, r->err));
    RC_TRY(int_or_leave(map, "times", r->m->layers, &times, r->err));
    size_t length = rc_node_count(list), left = (size_t)(r->m->layers - r->layers);
    if (length == 0 || length > left / (size_t)times)
        return rc_node_fail(list, r->err, RC_E_INPUT,
                            "'layer_order': %d times %zu layers behind the first %d; "
                            "'num_hidden_layers' says %d in all",
                            times, length, r->layers, r->m->layers);
    for (size_t i = 0; i < length; i++)
        RC_TRY(find_kind(r, rc_node_at(list, i), &r->kind_of[r->layers + (int)i]));
    for (int t = 1; t < times; t++)
        memcpy(r->kind_of + r->layers + (size_t)t * length, r->kind_of + r->layers, length);
    r->layers += times * (int)length;
    return RC_OK;
}

static rc_status check_order(const kinds_reading *r) {
    bool used[RC_KINDS] = {false};
    if (r->layers != r->m->layers)
        return rc_node_fail(r->order, r->err, RC_E_INPUT,
                            "'layer_order' has %d layers, 'num_hidden_layers' says %d", r->layers,
                            r->m->layers);
    for (int i = 0; i < r->layers; i++)
        used[r->kind_of[i]] = true;
    for (int k = 0; k < r->m->kinds; k++)
        if (!used[k])
            return rc_node_fail(rc_node_value(r->kinds, (size_t)k), r->err, RC_E_INPUT,
                                "kind '%.60s' of layers is not in 'layer_order'",
                                rc_node_key(r->kinds, (size_t)k));
    if (!rc_model_set_order(r->m, r->kind_of, r->layers))
        return rc_node_fail(r->order, r->err, RC_E_UNMODELLED,
                            "'layer_order' repeats itself too little: it takes more than %d "
                            "patterns of at most %d layers",
                            RC_RUNS, RC_PATTERN);
    return RC_OK;
}

static rc_status read_order(kinds_reading *r) {
    if (rc_node_kind_of(r->order) != RC_NODE_LIST)
        return rc_node_fail(r->order, r->err, RC_E_INPUT, "key 'layer_order': expected a list");
    for (size_t i = 0; i < rc_node_count(r->order); i++)
        RC_TRY(read_pattern(r, rc_node_at(r->order, i)));
    return check_order(r);
}

rc_status rc_config_kinds(const rc_node *decoder, rc_model *m, rc_error *err) {
    kinds_reading r = {.m = m,
                       .err = err,
                       .kinds = rc_config_given(decoder, "layer_kinds"),
                       .order = rc_config_given(decoder, "layer_order")};
    assert(m->kinds == 1 && m->layers >= 1);
    if (r.kinds == NULL && r.order == NULL)
        return RC_OK;
    if (r.kinds == NULL || r.order == NULL)
        return rc_node_fail(r.kinds ? r.kinds : r.order, err, RC_E_INPUT,
                            "'layer_kinds' and 'layer_order' are stated together");
    r.kind_of = malloc((size_t)m->layers);
    if (!r.kind_of)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the order of %d layers", m->layers);
    rc_status st = read_kinds(&r);
    if (st == RC_OK)
        st = read_order(&r);
    free(r.kind_of);
    return st;
}
