/* What the readers of a configuration share. Not for other rooms.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MODEL_READING_H
#define RC_MODEL_READING_H
#include "sim/base/doc.h"
#include "sim/model/model.h"

/* ---- families.c: the architectures that are read -------------------------------------------- */

/* A bias is read from a key of the file (`key`, worth `otherwise` when it is missing), or, where
 * key is NULL, always what `otherwise` says. */
typedef struct rc_bias {
    const char *key;
    bool otherwise;
} rc_bias;

typedef enum rc_window {
    RC_WINDOW_NONE,  /* the architecture reads no key for one */
    RC_WINDOW_ALL,   /* sliding_window is of every layer */
    RC_WINDOW_SWITCH /* sliding_window counts when use_sliding_window is true, from layer
                        max_window_layers on, or as layer_types says */
} rc_window;

/* Defaults as the transformers library's configuration class of that model_type has them
 * (src/transformers/models/MODEL_TYPE/configuration_*.py). 0 heads of K and V: as many as of Q.
 * 0 head_dim: hidden / heads. */
typedef struct rc_family {
    const char *architecture, *model_type;
    int64_t hidden, ffn, layers, heads, kv_heads, head_dim, vocab, positions;
    double rope_theta;
    bool tied;
    rc_bias qkv, out, mlp;
    rc_qk_norm qk_norm;
    rc_window window;
    int64_t window_default; /* sliding_window when the key is missing; 0: none */
    int64_t windowed_from;  /* max_window_layers when the key is missing */
    bool mixed;             /* its layers are read one by one, from more keys (mixed.c) */
} rc_family;

typedef struct rc_config rc_config; /* below */

const rc_family *rc_family_of_architecture(const char *word); /* NULL: not read */
const rc_family *rc_family_of_model_type(const char *word);   /* NULL: not read */

/* ---- refuse.c: why a file cannot be modelled ------------------------------------------------- */

/* A key present with a value other than null; NULL when there is none. */
const rc_node *rc_config_given(const rc_node *map, const char *key);
/* Refuse keys that change what a layer computes and that nothing reads. c->family is known. */
rc_status rc_config_check(const rc_config *c, rc_error *err);
/* Every reason that the keys give, with the key, one after the other; "" when there is none. */
void rc_config_reasons(const rc_node *root, const rc_node *decoder, char *text, size_t size);
/* What the name of an architecture tells; NULL: nothing. */
const char *rc_reason_of_name(const char *architecture);
/* unknown.c: refuse an architecture that is not read, with every reason that its name and keys
 * give. */
rc_status rc_config_unknown(const rc_node *root, const rc_node *decoder, const rc_node *at,
                            const char *architecture, rc_error *err);

/* ---- config.c ------------------------------------------------------------------------ */

/* What is known of a file while it is read. */
struct rc_config {
    const rc_node *root;    /* the file */
    const rc_node *decoder; /* the map of the text decoder; root when the file is one of text */
    const rc_node *named;   /* the node that names the architecture */
    const rc_family *family;
    rc_model *m;
    rc_error *err;
};
/* config_read.c: a number or a switch of the decoder, or what it is worth when it is missing. */
rc_status rc_config_int(const rc_config *c, const char *key, int64_t lo, int64_t hi,
                        int64_t otherwise, int64_t *out);
rc_status rc_config_bool(const rc_config *c, const char *key, bool otherwise, bool *out);

/* Read the root of a config.json into *m, which is zero but for its name and notes. */
rc_status rc_config_read(const rc_node *root, rc_model *m, rc_error *err);

/* ---- mixed.c, ffns.c, mixers.c: layers that are not alike, or not dense ------------------- */

/* Reads the kinds of layers of a family of which rc_family.mixed is set, and their order, into c->m,
 * whose first kind holds the numbers of the file. */
rc_status rc_config_mixed(const rc_config *c);
/* What such an architecture always has (experts, the order of its layers) its file states: else its
 * layers would pass for others. RC_OK of all other families. */
rc_status rc_config_whole(const rc_config *c);
/* ffns.c: what follows the mixer of layer i. */
rc_status rc_config_ffn(const rc_config *c, int i, rc_layer_kind *l);
/* mixers.c: how layer i mixes tokens. */
rc_status rc_config_mixer(const rc_config *c, int i, rc_layer_kind *l);
/* config_read.c: the first of `keys`, ended by NULL, that the decoder gives as a number from lo on; `otherwise`
 * where it gives none of them. */
rc_status rc_config_first(const rc_config *c, const char *const *keys, int64_t lo, int64_t hi,
                          int64_t otherwise, int64_t *out);
/* Item i of the list `key`, as text; NULL where there is no such list or item. */
const char *rc_config_item(const rc_config *c, const char *key, int i);

/* ---- kinds.c ------------------------------------------------------------------------- */

/* Read the kinds of layers that the file states, and their order, into *m, whose first kind holds
 * the numbers of the file. Nothing is changed where it states none. */
rc_status rc_config_kinds(const rc_node *decoder, rc_model *m, rc_error *err);

/* ---- quantisation.c, modules.c ------------------------------------------------------- */

/* Read a quantization_config into m->quant. Every shape of m must have been read. */
rc_status rc_quant_read(const rc_node *config, rc_model *m, rc_error *err);
/* The same from the root of modelopt's own file. */
rc_status rc_quant_read_modelopt(const rc_node *root, rc_model *m, rc_error *err);

/* How one kind of weights is stored. */
typedef struct rc_scheme {
    rc_dtype dtype;
    rc_scale scale;
} rc_scheme;

/* Which modules a list of a checkpoint names: exact names, parts of dotted names, globs, or regular
 * expressions after "re:". */
typedef struct rc_modules rc_modules;
/* `list` may be NULL: no module then. Copies what it needs. */
rc_status rc_modules_open(const rc_node *list, rc_modules **out, rc_error *err);
void rc_modules_close(rc_modules *m);         /* NULL is fine */
size_t rc_modules_count(const rc_modules *m); /* items of the list; 0 for NULL */
/* Does it name projection p of a layer? RC_PROJS: the LM head. */
bool rc_modules_name(const rc_modules *m, int layer, int p);

#endif
