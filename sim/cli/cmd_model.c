/* ringcast model: what a configuration says, or why it cannot be modelled.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/cli/model_rows.h"
#include "sim/base/find.h"
#include "sim/model/notes.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/layout.h"
#include "sim/schedule/totals.h"

enum { MAX_MODELS = 256 };

static rc_status load(const char *name, rc_model *m, rc_error *err) {
    char path[1024];
    RC_TRY(rc_find_file(NULL, "models", name, ".json", path, sizeof path, err));
    return rc_model_open(path, m, err);
}

static void print_attention(const rc_layer_kind *l) {
    const rc_heads h = rc_layer_form_of(l)->heads(l, 1);
    const rc_selection *s = &l->selection;
    if (h.key_size == h.value_size)
        (void)printf("heads %d of %d, KV heads %d", h.query, h.key_size, h.kv);
    else
        (void)printf("heads %d of %d (values %d), KV heads %d", h.query, h.key_size, h.value_size,
                     h.kv);
    if (l->mixer == RC_MIX_LATENT)
        (void)printf(", latents of %d and a rotary key of %d", l->latent.kv_rank, l->latent.rope);
    if (l->window > 0)
        (void)printf(", window %lld", (long long)l->window);
    if (s->ratio > 1)
        (void)printf(", a key for every %d tokens", s->ratio);
    if (s->top_k > 0 && s->heads > 0)
        (void)printf(", %d keys chosen by %d heads of %d", s->top_k, s->heads, s->dim);
    else if (s->top_k > 0)
        (void)printf(", %d keys that a layer before has chosen", s->top_k);
}

static void print_ffn(const rc_layer_kind *l) {
    const rc_experts *x = &l->experts;
    if (l->after == RC_FFN_NONE)
        (void)printf("no FFN");
    else if (l->after != RC_FFN_EXPERTS)
        (void)printf("FFN %lld%s", (long long)l->ffn, l->after == RC_FFN_PLAIN ? " ungated" : "");
    else if (x->shared > 0)
        (void)printf("%d of %d experts of %lld beside %lld", x->top_k, x->count,
                     (long long)x->width, (long long)x->shared);
    else
        (void)printf("%d of %d experts of %lld", x->top_k, x->count, (long long)x->width);
}

/* The heads of a kind of layer; of several kinds, or of one that is not dense, also what else tells
 * them apart. */
static void print_kind(const rc_model *m, int k) {
    const rc_layer_kind *l = &m->kind[k];
    const rc_heads h = rc_layer_form_of(l)->heads(l, 1);
    if (m->kinds > 1 || l->after != RC_FFN_GATED) {
        (void)printf("%d layers %s, ", rc_model_layers_of(m, k), l->form);
        print_ffn(l);
        (void)printf(": ");
    }
    if (l->mixer == RC_MIX_STATE)
        (void)printf("a state of %d heads of %d x %d", l->state.heads, l->state.key_dim,
                     l->state.value_dim);
    else if (h.query == 0)
        (void)printf("no attention");
    else
        print_attention(l);
    (void)printf("\n");
}

/* What a sequence leaves. */
static void print_cache(const rc_model *m) {
    const rc_dtype kv = m->quant.kv;
    const double all = rc_model_kv_bytes(m, kv), index = rc_model_index_bytes(m);
    const double grows = rc_model_growth_gpu(m, 1, kv), fixed = rc_model_fixed_gpu(m, 1, kv);
    (void)printf("KV cache %.0f bytes a token (%s)\n", all, rc_dtype_name(kv));
    if (index > 0.0)
        (void)printf("keys of indexers %.0f bytes a token\n", index);
    if (fixed > 0.0)
        (void)printf(
            "of a long sequence %.0f bytes for each further token, and %.0f of windows and "
            "states\n",
            grows, fixed);
}

static void print(const rc_model *m, const rc_notes *notes) {
    const rc_quant *q = &m->quant;
    (void)printf("# model %s: %s\n", m->name, m->architecture);
    (void)printf("layers %d, hidden %lld, ", m->layers, (long long)m->hidden);
    if (m->kinds == 1 && m->kind[0].after == RC_FFN_GATED)
        (void)printf("FFN %lld, ", (long long)m->kind[0].ffn);
    (void)printf("vocabulary %lld%s\n", (long long)m->vocab,
                 m->tied_embeddings ? ", embeddings tied" : "");
    for (int k = 0; k < m->kinds; k++)
        print_kind(m, k);
    (void)printf("context %lld tokens\n", (long long)m->context);
    (void)printf("parameters %.4f billion", rc_model_params(m) / 1e9);
    if (rc_model_active_params(m) < rc_model_params(m))
        (void)printf(", %.4f of them for a token", rc_model_active_params(m) / 1e9);
    (void)printf("\n");
    (void)printf("weights %.2f GB (attention %s, FFN %s, LM head %s)\n",
                 rc_model_weight_bytes(m, q->attn, q->ffn) / 1e9, rc_dtype_name(q->attn),
                 rc_dtype_name(q->ffn), rc_dtype_name(q->head));
    print_cache(m);
    rc_notes_print(notes, stderr);
}

static void add_heads(rc_json *j, json_t *o, const rc_layer_kind *l) {
    const rc_heads h = rc_layer_form_of(l)->heads(l, 1);
    rc_json_int(j, o, "heads", h.query);
    rc_json_int(j, o, "kv_heads", h.kv);
    rc_json_int(j, o, "head_dim", h.key_size);
    if (h.value_size != h.key_size)
        rc_json_int(j, o, "value_dim", h.value_size);
}

static void add_kinds(rc_json *j, json_t *o, const rc_model *m) {
    json_t *list = rc_json_list(j, o, "kinds");
    for (int k = 0; k < m->kinds; k++) {
        json_t *at = rc_json_object(j, list, NULL);
        rc_json_text(j, at, "form", m->kind[k].form);
        rc_json_int(j, at, "layers", rc_model_layers_of(m, k));
        rc_json_int(j, at, "ffn", m->kind[k].ffn);
        add_heads(j, at, &m->kind[k]);
    }
}

static void add_json(rc_json *j, json_t *o, const rc_model *m, const rc_notes *notes) {
    const rc_quant *q = &m->quant;
    rc_json_text(j, o, "schema", "model-1");
    rc_json_text(j, o, "model", m->name);
    rc_json_text(j, o, "architecture", m->architecture);
    rc_json_int(j, o, "layers", m->layers);
    rc_json_int(j, o, "hidden", m->hidden);
    if (m->kinds == 1)
        rc_json_int(j, o, "ffn", m->kind[0].ffn);
    rc_json_int(j, o, "vocabulary", m->vocab);
    if (m->kinds == 1)
        add_heads(j, o, &m->kind[0]);
    else
        add_kinds(j, o, m);
    rc_json_bool(j, o, "tied_embeddings", m->tied_embeddings);
    rc_json_int(j, o, "context_tokens", m->context);
    rc_json_int(j, o, "parameters", (int64_t)rc_model_params(m));
    rc_json_int(j, o, "active_parameters", (int64_t)rc_model_active_params(m));
    rc_json_real(j, o, "weight_bytes", rc_model_weight_bytes(m, q->attn, q->ffn));
    rc_json_real(j, o, "kv_bytes_per_token", rc_model_kv_bytes(m, q->kv));
    rc_json_real(j, o, "kv_bytes_per_further_token", rc_model_growth_gpu(m, 1, q->kv));
    rc_json_real(j, o, "index_bytes_per_token", rc_model_index_bytes(m));
    rc_json_real(j, o, "window_and_state_bytes", rc_model_fixed_gpu(m, 1, q->kv));
    rc_json_text(j, o, "quantised_by", q->method[0] ? q->method : NULL);
    json_t *d = rc_json_object(j, o, "dtypes");
    rc_json_text(j, d, "attention_weights", rc_dtype_name(q->attn));
    rc_json_text(j, d, "ffn_weights", rc_dtype_name(q->ffn));
    rc_json_text(j, d, "lm_head", rc_dtype_name(q->head));
    rc_json_text(j, d, "kv", rc_dtype_name(q->kv));
    rc_notes_json(j, o, notes);
}

rc_status rc_cmd_model(int argc, char **argv, rc_error *err) {
    const char *names[MAX_MODELS];
    bool json = false, csv = false, helped = false;
    rc_form form;
    size_t count = 0;
    const rc_flag flags[] = {{"--json", RC_FLAG_BOOL, &json, NULL, "everything, as JSON"},
                             {"--csv", RC_FLAG_BOOL, &csv, NULL, "the sizes, as CSV"}};
    RC_TRY(rc_flags_parse(argc, argv, flags, 2, "usage: ringcast model NAME|FILE... [flags]", names,
                          MAX_MODELS, &count, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(rc_form_of(json, csv, &form, err));
    if (count == 0)
        return rc_fail(err, RC_E_USAGE, "model needs the name of a model, or its config.json");
    rc_json *j = json ? rc_json_create_list() : NULL;
    rc_table *t = csv ? rc_model_rows() : NULL;
    rc_status st = RC_OK;
    for (size_t i = 0; i < count && st == RC_OK; i++) {
        rc_model m;
        rc_layout l = {.tp = 1, .cp = 1};
        rc_notes notes;
        st = load(names[i], &m, err);
        if (st != RC_OK)
            break;
        rc_model_dtypes(&m, &l);
        rc_model_notes(&m, &l, 0, &notes);
        if (json)
            add_json(j, rc_json_object(j, rc_json_root(j), NULL), &m, &notes);
        else if (csv)
            rc_model_row(t, &m);
        else
            print(&m, &notes);
    }
    if (st == RC_OK && json)
        return rc_json_finish(j, stdout, err);
    if (st == RC_OK && csv)
        return rc_table_finish(t, true, stdout, err);
    rc_table_destroy(t);
    rc_json_destroy(j);
    return st;
}
