/* The table of the forms of layers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>

#include "sim/schedule/layer.h"

/* A new form is one file that defines `const rc_layer_form rc_layer_NAME`, and one line here
 * (docs/extending.md). */
/* clang-format off */
#define FORMS(X) \
    X(dense)  \
    X(mixed)
/* clang-format on */

#define DECLARE(name) extern const rc_layer_form rc_layer_##name;
FORMS(DECLARE)

#define ADDRESS(name) &rc_layer_##name,
static const rc_layer_form *const forms[] = {FORMS(ADDRESS)};
enum { COUNT = sizeof forms / sizeof forms[0] };

static const rc_layer_form *find(const char *name) {
    for (int i = 0; i < COUNT; i++)
        if (strcmp(forms[i]->name, name) == 0)
            return forms[i];
    return NULL;
}

const rc_layer_form *rc_layer_form_of(const rc_layer_kind *l) {
    const rc_layer_form *form = find(l->form);
    assert(form != NULL);
    return form;
}

static rc_status unknown(const rc_model *m, const rc_layer_kind *l, rc_error *err) {
    const char *names[COUNT + 1] = {NULL};
    for (int i = 0; i < COUNT; i++)
        names[i] = forms[i]->name;
    const char *near = rc_nearest(l->form, names);
    return rc_fail(err, RC_E_UNMODELLED,
                   "model %s has layers of the form '%s', which is not modelled%s%s%s", m->name,
                   l->form, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

rc_status rc_layers_check(const rc_model *m, rc_error *err) {
    assert(m->kinds >= 1 && m->kinds <= RC_KINDS);
    for (int k = 0; k < m->kinds; k++)
        if (find(m->kind[k].form) == NULL)
            return unknown(m, &m->kind[k], err);
    return RC_OK;
}

rc_status rc_model_open(const char *path, rc_model *out, rc_error *err) {
    RC_TRY(rc_model_load(path, out, err));
    return rc_layers_check(out, err);
}

static rc_status check_heads(const rc_model *m, const rc_layer_kind *k, int tp, rc_error *err) {
    const rc_heads all = rc_layer_form_of(k)->heads(k, 1);
    if (all.query % tp != 0)
        return rc_fail(err, RC_E_INPUT, "tp is %d, which does not divide the %d query heads of %s",
                       tp, all.query, m->name);
    if (all.query > 0 && all.kv % tp != 0 && tp % all.kv != 0)
        return rc_fail(err, RC_E_INPUT,
                       "tp is %d, which neither divides nor is a multiple of the %d KV heads of %s",
                       tp, all.kv, m->name);
    return RC_OK;
}

static rc_status check_experts(const rc_model *m, const rc_layout *l, rc_error *err) {
    const int ep = rc_layout_ep(l), gpus = rc_layout_gpus(l);
    bool routed = false;
    if (l->tp % ep != 0 && (ep % l->tp != 0 || gpus % ep != 0))
        return rc_fail(err, RC_E_INPUT,
                       "ep is %d: it must divide tp (%d), or be a multiple of it that divides %s "
                       "(%d)",
                       ep, l->tp, rc_layout_dp(l) > 1 ? "tp x cp x dp_attention" : "tp x cp", gpus);
    for (int k = 0; k < m->kinds; k++) {
        const rc_layer_kind *kind = &m->kind[k];
        routed = routed || kind->after == RC_FFN_EXPERTS;
        if (kind->after == RC_FFN_EXPERTS && kind->experts.count % ep != 0)
            return rc_fail(err, RC_E_INPUT, "ep is %d, which does not divide the %d experts of %s",
                           ep, kind->experts.count, m->name);
    }
    if (ep > 1 && !routed)
        return rc_fail(err, RC_E_INPUT, "ep is %d, and %s has no experts", ep, m->name);
    if (l->ffn_over_cp && rc_layout_dp(l) > 1 && l->cp > 1)
        return rc_fail(
            err, RC_E_UNMODELLED,
            "dp_attention is %d and cp is %d: with an FFN over the GPUs of all groups (world "
            "tp) one of the two is 1",
            l->dp, l->cp);
    if (routed && l->ffn_over_cp && gpus > l->tp && ep != gpus)
        return rc_fail(
            err, RC_E_UNMODELLED,
            "with an FFN over the GPUs of all ranks (world tp), the experts of %s are dealt "
            "to all of them: ep is %d, expected %d",
            m->name, ep, gpus);
    return RC_OK;
}

/* Chosen keys are cut over the GPUs of a TP group where they are latents and nothing is compressed. */
static rc_status check_selections(const rc_model *m, const rc_layout *l, rc_error *err) {
    for (int k = 0; k < m->kinds && rc_layout_dcp(l) > 1; k++) {
        const rc_layer_kind *kind = &m->kind[k];
        if (kind->selection.ratio > 0 && !rc_selects_latents(kind))
            return rc_fail(err, RC_E_UNMODELLED,
                           "dcp is %d: chosen keys that are compressed (%s) over the GPUs of a TP "
                           "group are not "
                           "modelled",
                           rc_layout_dcp(l), m->name);
    }
    return RC_OK;
}

rc_status rc_layout_check(const rc_model *m, const rc_layout *l, rc_error *err) {
    if (l->tp < 1 || l->cp < 1)
        return rc_fail(err, RC_E_INPUT, "tp is %d and cp is %d; both must be at least 1", l->tp,
                       l->cp);
    RC_TRY(rc_layers_check(m, err));
    for (int k = 0; k < m->kinds; k++)
        RC_TRY(check_heads(m, &m->kind[k], l->tp, err));
    RC_TRY(check_selections(m, l, err));
    return check_experts(m, l, err);
}
