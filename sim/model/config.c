/* Reading a Hugging Face config.json.
 *
 * The architecture decides which keys are read and what they are worth when they are missing
 * (families.c); refuse.c says why a file cannot be modelled. A multi-modal model keeps its text
 * decoder in a map of its own (text_config and its kin), which is read like a file: images and
 * sound enter the decoder as tokens, so its work is that of the text model.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sim/base/quote.h"
#include "sim/model/reading.h"

/* A number of the shape: the transformers library writes it into every file, and leaves it out of a
 * nested map where it equals the default. */
static rc_status shape(const rc_config *c, const char *key, int64_t hi, int64_t otherwise,
                       int64_t *out) {
    if (c->decoder == c->root && !c->family->mixed)
        return rc_doc_int(c->decoder, key, 1, hi, out, c->err);
    return rc_config_int(c, key, 1, hi, otherwise, out);
}

static rc_status read_bias(const rc_config *c, rc_bias b, bool *out) {
    *out = b.otherwise;
    return b.key != NULL ? rc_config_bool(c, b.key, b.otherwise, out) : RC_OK;
}

/* ---- which architecture -------------------------------------------------------------- */

static const rc_node *map_in(const rc_node *at, const char *key) {
    const rc_node *n = at != NULL ? rc_config_given(at, key) : NULL;
    return n != NULL && rc_node_kind_of(n) == RC_NODE_MAP ? n : NULL;
}

static const rc_node *decoder_of(const rc_node *root) {
    static const char *const keys[] = {"text_config", "llm_config", "language_config", NULL};
    for (int i = 0; keys[i] != NULL; i++)
        if (map_in(root, keys[i]) != NULL)
            return map_in(root, keys[i]);
    const rc_node *thinker = map_in(map_in(root, "thinker_config"), "text_config");
    return thinker != NULL ? thinker : root;
}

/* The only name in `architectures`; *out is NULL when there is no such key or its list is empty. */
static rc_status architecture_in(const rc_node *map, const rc_node **out, rc_error *err) {
    const rc_node *list = NULL;
    *out = NULL;
    if (rc_config_given(map, "architectures") == NULL)
        return RC_OK;
    RC_TRY(rc_doc_list(map, "architectures", &list, err));
    if (rc_node_count(list) > 1)
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'architectures' lists %zu names; expected one",
                            rc_node_count(list));
    if (rc_node_count(list) == 1)
        *out = rc_node_at(list, 0);
    return RC_OK;
}

static rc_status text_of(const rc_node *map, const char *key, const rc_node **out, rc_error *err) {
    const char *text = NULL;
    *out = rc_config_given(map, key);
    return *out != NULL ? rc_doc_string(map, key, &text, err) : RC_OK;
}

/* The architecture by name, else by model_type. A text decoder inside a multi-modal file goes by
 * its own names; the file's name is kept as the model's architecture. */
static rc_status find_family(rc_config *c) {
    const rc_node *outer = NULL, *inner = NULL, *type = NULL, *outer_type = NULL;
    RC_TRY(architecture_in(c->root, &outer, c->err));
    RC_TRY(text_of(c->decoder, "model_type", &type, c->err));
    RC_TRY(text_of(c->root, "model_type", &outer_type, c->err));
    if (c->decoder != c->root)
        RC_TRY(architecture_in(c->decoder, &inner, c->err));
    const rc_node *name = c->decoder != c->root ? inner : outer;
    c->named = outer != NULL ? outer : outer_type != NULL ? outer_type : type;
    if (c->named == NULL)
        return rc_node_fail(c->root, c->err, RC_E_INPUT,
                            "neither 'architectures' nor 'model_type' says what model this is; "
                            "write, for example, \"architectures\": [\"LlamaForCausalLM\"]");
    if (rc_text_has_control(rc_node_text(c->named)))
        return rc_node_fail(c->named, c->err, RC_E_INPUT,
                            "the name of an architecture is not plain text");
    (void)snprintf(c->m->architecture, sizeof c->m->architecture, "%s", rc_node_text(c->named));
    if (name != NULL)
        c->family = rc_family_of_architecture(rc_node_text(name));
    else if (type != NULL)
        c->family = rc_family_of_model_type(rc_node_text(type));
    if (c->family == NULL)
        return rc_config_unknown(c->root, c->decoder, c->named, rc_node_text(c->named), c->err);
    if (name == NULL || type == NULL)
        return RC_OK;
    const rc_family *other = rc_family_of_model_type(rc_node_text(type));
    if (other != NULL && other != c->family)
        return rc_node_fail(type, c->err, RC_E_INPUT,
                            "'architectures' names %s and 'model_type' %s, which are two "
                            "architectures with different formulas (%s, %s); keep the right one",
                            rc_node_text(name), rc_node_text(type), c->family->architecture,
                            other->architecture);
    if (other == NULL)
        rc_note(&c->m->notes, "model_type '%.60s' is not %s's: read by the name in 'architectures'",
                rc_node_text(type), c->family->architecture);
    return RC_OK;
}

/* ---- what every layer must be -------------------------------------------------------- */

static rc_status check_activation(const rc_config *c) {
    const char *act = "silu";
    if (c->family->mixed)
        return RC_OK; /* whatever it is, it costs a pass over the same elements */
    if (rc_config_given(c->decoder, "hidden_act") != NULL)
        RC_TRY(rc_doc_string(c->decoder, "hidden_act", &act, c->err));
    if (strcmp(act, "silu") == 0 || strcmp(act, "swish") == 0)
        return RC_OK;
    return rc_node_fail(rc_node_get(c->decoder, "hidden_act"), c->err, RC_E_UNMODELLED,
                        "%s with hidden_act '%s' is not modelled: only 'silu' (gated, SwiGLU) is",
                        c->family->architecture, act);
}

/* sliding_window: *out is 0 when there is none. */
static rc_status window_of(const rc_config *c, int64_t *out) {
    const rc_node *n = rc_node_get(c->decoder, "sliding_window");
    *out = 0;
    if (n == NULL)
        *out = c->family->window_default;
    else if (!rc_node_is_null(n)) /* 0 and -1 are none */
        return rc_doc_int(c->decoder, "sliding_window", -1, (int64_t)1 << 40, out, c->err);
    return RC_OK;
}

static rc_status refuse_window(const rc_config *c, const rc_node *at, int64_t window) {
    const char *name = c->family->architecture;
    if (rc_node_get(c->decoder, "sliding_window") == NULL)
        return rc_node_fail(c->decoder, c->err, RC_E_UNMODELLED,
                            "%s without key 'sliding_window' has a window of %lld tokens (the "
                            "transformers library's default), which is not modelled; write null "
                            "for full attention",
                            name, (long long)window);
    return rc_node_fail(at, c->err, RC_E_UNMODELLED,
                        "%s with a sliding window of %lld tokens in a context of %lld is not "
                        "modelled: only full attention is. Where no sequence is longer than the "
                        "window, it changes nothing: write null for 'sliding_window' then",
                        name, (long long)window, (long long)c->m->context);
}

/* Layers that are named one by one. */
static rc_status check_layer_types(const rc_config *c, const rc_node *types, int64_t window) {
    for (size_t i = 0; i < rc_node_count(types); i++) {
        const rc_node *t = rc_node_at(types, i);
        const char *word = rc_node_text(t);
        if (strcmp(word, "full_attention") == 0 || strcmp(word, "attention") == 0)
            continue;
        if (strcmp(word, "sliding_attention") == 0 && window >= c->m->context)
            continue;
        return rc_node_fail(t, c->err, RC_E_UNMODELLED,
                            "%s with '%s' layers is not modelled: only full attention is",
                            c->family->architecture, word);
    }
    return RC_OK;
}

/* Every layer must see all earlier tokens: no window, or one that no sequence exceeds. */
static rc_status check_pattern(const rc_config *c) {
    const rc_node *types = rc_config_given(c->decoder, "layer_types");
    const rc_node *at = rc_config_given(c->decoder, "sliding_window");
    int64_t window = 0, from = 0;
    bool on = true;
    RC_TRY(window_of(c, &window));
    if (types != NULL && rc_node_count(types) > 0)
        RC_TRY(check_layer_types(c, types, window));
    if (c->family->window == RC_WINDOW_NONE)
        return RC_OK;
    if (c->family->window == RC_WINDOW_SWITCH) {
        if (types != NULL)
            return RC_OK;
        RC_TRY(rc_config_bool(c, "use_sliding_window", false, &on));
        RC_TRY(
            rc_config_int(c, "max_window_layers", 0, INT64_MAX, c->family->windowed_from, &from));
        on = on && from < c->m->layers;
    }
    return on && window > 0 && window < c->m->context ? refuse_window(c, at, window) : RC_OK;
}

/* ---- numbers ------------------------------------------------------------------------- */

static rc_status read_heads(const rc_config *c, rc_layer_kind *l) {
    const rc_model *m = c->m;
    const rc_family *f = c->family;
    int64_t heads = 0, kv = 0, dim = 0;
    RC_TRY(shape(c, "num_attention_heads", 4096, f->heads, &heads));
    const rc_node *n = rc_node_get(c->decoder, "num_key_value_heads");
    int64_t otherwise = n == NULL && f->kv_heads > 0 ? f->kv_heads : heads;
    RC_TRY(rc_config_int(c, "num_key_value_heads", 1, 4096, otherwise, &kv));
    const rc_node *at = n != NULL ? n : c->decoder;
    if (heads % kv != 0)
        return rc_node_fail(at, c->err, RC_E_INPUT,
                            "key 'num_key_value_heads' is %lld, which does not divide the %lld "
                            "query heads ('num_attention_heads')",
                            (long long)kv, (long long)heads);
    /* null says hidden / heads, whatever the default of a missing key is */
    int64_t usual = rc_node_get(c->decoder, "head_dim") == NULL ? f->head_dim : 0;
    const bool latents = c->family->mixed && rc_config_given(c->decoder, "kv_lora_rank") != NULL;
    if (latents && rc_config_given(c->decoder, "head_dim") == NULL)
        usual = 1; /* their sizes have keys of their own */
    if (rc_config_given(c->decoder, "head_dim") == NULL && usual == 0 && m->hidden % heads != 0)
        return rc_node_fail(rc_node_get(c->decoder, "num_attention_heads"), c->err, RC_E_INPUT,
                            "%lld heads do not divide 'hidden_size' (%lld); write 'head_dim'",
                            (long long)heads, (long long)m->hidden);
    RC_TRY(rc_config_int(c, "head_dim", 1, 4096, usual > 0 ? usual : m->hidden / heads, &dim));
    l->heads = (int)heads;
    l->kv_heads = (int)kv;
    l->head_dim = l->value_dim = (int)dim;
    return RC_OK;
}

/* A number of RoPE: in the map of its own that transformers 5 writes, in the older map, or beside
 * the other keys. */
static const rc_node *rope_map(const rc_config *c) {
    const rc_node *n = map_in(c->decoder, "rope_parameters");
    return n != NULL ? n : map_in(c->decoder, "rope_scaling");
}

static rc_status rope_number(const rc_node *map, const char *key, double otherwise, double *out,
                             rc_error *err) {
    *out = otherwise;
    if (map == NULL || rc_config_given(map, key) == NULL)
        return RC_OK;
    return rc_doc_quantity(map, key, RC_DIM_COUNT, 1e-9, 1e15, out, err);
}

static rc_status read_rope(const rc_config *c) {
    const rc_node *at = c->decoder;
    if (rc_config_given(at, "rope_theta") == NULL)
        at = rope_map(c);
    return rope_number(at, "rope_theta", c->family->rope_theta, &c->m->rope_theta, c->err);
}

/* How far RoPE was stretched. yarn and the linear kinds multiply a length by a factor; the others
 * (llama3, longrope, mrope) state the stretched length as max_position_embeddings. */
static rc_status read_context(const rc_config *c) {
    rc_model *m = c->m;
    const rc_node *map = rope_map(c);
    double factor = 1.0, original = 0.0, longest = 0.0;
    RC_TRY(rc_config_int(c, "max_position_embeddings", 1, (int64_t)1 << 40, c->family->positions,
                         &m->max_positions));
    m->context = m->max_positions;
    const rc_node *type = map != NULL ? rc_config_given(map, "rope_type") : NULL;
    if (map != NULL && type == NULL)
        type = rc_config_given(map, "type");
    if (type == NULL)
        return RC_OK;
    const char *word = rc_node_text(type);
    bool yarn = strcmp(word, "yarn") == 0;
    if (!yarn && strcmp(word, "linear") != 0 && strcmp(word, "dynamic") != 0)
        return RC_OK;
    RC_TRY(rope_number(map, "factor", 1.0, &factor, c->err));
    RC_TRY(rope_number(map, "original_max_position_embeddings", (double)m->max_positions, &original,
                       c->err));
    longest = factor * (yarn ? original : (double)m->max_positions);
    if (longest > (double)m->context)
        m->context = longest < 1e12 ? (int64_t)longest : (int64_t)1e12;
    return RC_OK;
}

static rc_status read_shape(const rc_config *c) {
    rc_model *m = c->m;
    const rc_family *f = c->family;
    rc_layer_kind *l = &m->kind[0];
    int64_t layers = 0;
    m->kinds = 1;
    *l = (rc_layer_kind){.form = "dense", .qk_norm = f->qk_norm};
    RC_TRY(shape(c, "num_hidden_layers", 10000, f->layers, &layers));
    RC_TRY(shape(c, "hidden_size", 1 << 24, f->hidden, &m->hidden));
    RC_TRY(shape(c, "intermediate_size", 1 << 26, f->ffn, &l->ffn));
    RC_TRY(shape(c, "vocab_size", 1 << 26, f->vocab, &m->vocab));
    m->layers = (int)layers;
    RC_TRY(read_heads(c, l));
    RC_TRY(read_rope(c));
    RC_TRY(read_context(c));
    RC_TRY(read_bias(c, f->qkv, &l->attention_bias));
    RC_TRY(read_bias(c, f->out, &l->output_bias));
    RC_TRY(read_bias(c, f->mlp, &l->ffn_bias));
    /* a multi-modal file may say it once, outside the decoder */
    RC_TRY(rc_config_bool(c, "tie_word_embeddings", f->tied, &m->tied_embeddings));
    if (c->decoder != c->root && rc_config_given(c->decoder, "tie_word_embeddings") == NULL &&
        rc_config_given(c->root, "tie_word_embeddings") != NULL)
        return rc_doc_bool(c->root, "tie_word_embeddings", &m->tied_embeddings, c->err);
    return RC_OK;
}

/* Biases that this architecture does not read, though the file asks for them. */
static rc_status check_bias(const rc_config *c) {
    bool on = false;
    if (c->family->mlp.key != NULL)
        return RC_OK;
    RC_TRY(rc_config_bool(c, "mlp_bias", false, &on));
    if (on)
        return rc_node_fail(rc_node_get(c->decoder, "mlp_bias"), c->err, RC_E_UNMODELLED,
                            "%s with key 'mlp_bias' is not modelled: the architecture has no "
                            "biases in the FFN",
                            c->family->architecture);
    return RC_OK;
}

/* ---- what is left out, and said so --------------------------------------------------- */

static rc_status note_more(const rc_config *c) {
    static const char *const mtp[] = {"num_nextn_predict_layers", "mtp_num_hidden_layers",
                                      "num_mtp_modules", NULL};
    if (c->decoder != c->root)
        rc_note(&c->m->notes,
                "the text decoder of %s alone: weights and work of its other parts "
                "(images, sound) are not counted",
                c->m->architecture);
    for (int i = 0; mtp[i] != NULL; i++) {
        int64_t n = 0;
        RC_TRY(rc_config_int(c, mtp[i], 0, 1000, 0, &n));
        c->m->nextn += (int)n;
        if (n > 0)
            rc_note(&c->m->notes,
                    "%lld layers that predict further tokens (key '%s') are not "
                    "counted, neither their weights nor their work",
                    (long long)n, mtp[i]);
    }
    return RC_OK;
}

/* A type of the experts alone, beside the map that says how all else is quantised. */
static rc_status expert_type(const rc_config *c) {
    const rc_node *n = rc_config_given(c->decoder, "expert_dtype");
    if (n == NULL)
        return RC_OK;
    if (strcmp(rc_node_text(n), "fp4") != 0)
        return rc_node_fail(n, c->err, RC_E_UNMODELLED,
                            "experts in '%.40s' are not modelled: 'fp4' is", rc_node_text(n));
    for (int k = 0; k < c->m->kinds; k++) {
        rc_layer_kind *l = &c->m->kind[k];
        l->stored[RC_EXPERT].dtype = RC_MXFP4;
        l->stored[RC_EXPERT].scale = (rc_scale){1, 32, 1.0};
        l->stored[RC_EXPERT].layers = rc_model_layers_of(c->m, k);
    }
    c->m->quant.ffn = RC_MXFP4;
    return RC_OK;
}

static rc_status read_quantisation(const rc_config *c) {
    const rc_node *q = rc_config_given(c->decoder, "quantization_config");
    if (q == NULL)
        q = rc_config_given(c->root, "quantization_config");
    if (q == NULL)
        q = rc_config_given(c->root,
                            "compression_config"); /* an older name of compressed-tensors */
    if (q == NULL)
        return RC_OK;
    RC_TRY(rc_quant_read(q, c->m, c->err));
    return expert_type(c);
}

rc_status rc_config_read(const rc_node *root, rc_model *m, rc_error *err) {
    rc_config all = {.root = root, .decoder = decoder_of(root), .m = m, .err = err}, *c = &all;
    assert(m->layers == 0 && m->kinds == 0);
    RC_TRY(find_family(c));
    if (c->family == NULL)
        return rc_fail(err, RC_E_INTERNAL, "an architecture without a family");
    RC_TRY(rc_config_check(c, c->err));
    RC_TRY(rc_config_whole(c));
    RC_TRY(check_activation(c));
    RC_TRY(check_bias(c));
    RC_TRY(read_shape(c));
    RC_TRY(c->family->mixed ? rc_config_mixed(c) : check_pattern(c));
    if (c->family->mixed) {
        RC_TRY(note_more(c));
        return read_quantisation(c);
    }
    RC_TRY(rc_config_kinds(c->decoder, c->m, c->err));
    RC_TRY(note_more(c));
    return read_quantisation(c);
}
