/* Lists of modules in a checkpoint: which projections a quantisation leaves out, or is for.
 *
 * Tools write the same thing in four ways, and all are read:
 *   model.layers.0.mlp.down_proj   a name, or any run of whole parts of one (mlp, lm_head)
 *   model.layers.*.self_attn       a glob over names; what it matches is left out with all inside
 *   re:.*self_attn.*               a regular expression that matches from the start of the name, in
 *                                  Python's syntax
 *   Linear                         a class: every projection and the LM head
 * A decoder inside a multi-modal model has longer names, and some models store q, k and v, or gate
 * and up, as one matrix; every name that a projection may have is tried.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <ctype.h>
#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model/reading.h"

/* A real list has a few names for every layer. Names to compare grow with items times layers. */
enum { ITEMS_MAX = 20000, REGEXES_MAX = 512, PATTERN_MAX = 256, NAME_MAX_LEN = 128 };

typedef enum item_kind { ITEM_PARTS, ITEM_GLOB, ITEM_REGEX, ITEM_LINEAR } item_kind;

typedef struct item {
    item_kind kind;
    char text[PATTERN_MAX];
    regex_t regex;
} item;

struct rc_modules {
    size_t count, regexes;
    item items[];
};

/* ---- regular expressions ------------------------------------------------------------- */

/* One class of characters, in brackets or on its own; NULL: not one that is known. */
static const char *class_of(char c, bool bracketed) {
    switch (c) {
    case 'd':
        return bracketed ? "0-9" : "[0-9]";
    case 'w':
        return bracketed ? "A-Za-z0-9_" : "[A-Za-z0-9_]";
    case 's':
        return bracketed ? " " : "[ ]";
    default:
        return NULL;
    }
}

/* Python's syntax as a POSIX extended expression, anchored at the start. False: it uses what POSIX
 * cannot say (look-ahead, counted repeats, references), or is too long. */
static bool to_posix(const char *from, char *to, size_t size) {
    bool bracketed = false;
    size_t n = (size_t)snprintf(to, size, "^(");
    for (; *from != '\0'; from++) {
        char one[3] = {*from, '\0', '\0'};
        const char *put = one;
        if (n + 16 > size)
            return false;
        if (*from == '\\') {
            from++;
            put = class_of(*from, bracketed);
            if (put == NULL && (*from == '\0' || isalnum((unsigned char)*from)))
                return false;
            if (put == NULL && !bracketed) {
                one[0] = '\\';
                one[1] = *from;
            } else if (put == NULL) {
                one[0] = *from;
            }
            put = put != NULL ? put : one;
        } else if (!bracketed && strncmp(from, "(?:", 3) == 0) {
            from += 2;
        } else if (!bracketed && (*from == '{' || strncmp(from, "(?", 2) == 0)) {
            return false;
        } else if (!bracketed && (*from == '*' || *from == '+' || *from == '?') && from[1] == '?') {
            from++; /* as much or as little as possible: the same names match */
        } else if (*from == '[' || *from == ']') {
            bracketed = *from == '[';
        }
        n += (size_t)snprintf(to + n, size - n, "%s", put);
    }
    return snprintf(to + n, size - n, ")") == 1;
}

static rc_status compile(const rc_node *at, const char *pattern, item *it, rc_error *err) {
    char posix[2 * PATTERN_MAX];
    if (to_posix(pattern, posix, sizeof posix) &&
        regcomp(&it->regex, posix, REG_EXTENDED | REG_NOSUB) == 0) {
        it->kind = ITEM_REGEX;
        return RC_OK;
    }
    return rc_node_fail(at, err, RC_E_UNMODELLED,
                        "pattern '%.160s' in a list of modules is not understood; write the names "
                        "out",
                        pattern);
}

/* ---- lists --------------------------------------------------------------------------- */

static rc_status read_item(const rc_node *at, item *it, rc_error *err) {
    const char *text = rc_node_text(at);
    if (rc_node_kind_of(at) != RC_NODE_SCALAR || strlen(text) >= PATTERN_MAX)
        return rc_node_fail(at, err, RC_E_INPUT,
                            "a list of modules: expected names of at most %d letters",
                            PATTERN_MAX - 1);
    (void)snprintf(it->text, sizeof it->text, "%s", text);
    it->kind = strcmp(text, "Linear") == 0    ? ITEM_LINEAR
               : strpbrk(text, "*?[") != NULL ? ITEM_GLOB
                                              : ITEM_PARTS;
    return strncmp(text, "re:", 3) == 0 ? compile(at, text + 3, it, err) : RC_OK;
}

rc_status rc_modules_open(const rc_node *list, rc_modules **out, rc_error *err) {
    size_t n = list != NULL ? rc_node_count(list) : 0;
    *out = NULL;
    if (list != NULL && rc_node_kind_of(list) != RC_NODE_LIST)
        return rc_node_fail(list, err, RC_E_INPUT, "expected a list of modules");
    if (n > ITEMS_MAX)
        return rc_node_fail(list, err, RC_E_INPUT, "found %zu modules, expected at most %d", n,
                            ITEMS_MAX);
    rc_modules *m = calloc(1, sizeof *m + n * sizeof m->items[0]);
    if (m == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a list of modules");
    for (size_t i = 0; i < n; i++) {
        rc_status st = read_item(rc_node_at(list, i), &m->items[i], err);
        if (st != RC_OK) {
            rc_modules_close(m);
            return st;
        }
        m->count++;
        m->regexes += m->items[i].kind == ITEM_REGEX;
        if (m->regexes > REGEXES_MAX) {
            rc_modules_close(m);
            return rc_node_fail(list, err, RC_E_INPUT, "more than %d patterns in a list of modules",
                                REGEXES_MAX);
        }
    }
    *out = m;
    return RC_OK;
}

void rc_modules_close(rc_modules *m) {
    for (size_t i = 0; m != NULL && i < m->count; i++)
        if (m->items[i].kind == ITEM_REGEX)
            regfree(&m->items[i].regex);
    free(m);
}

size_t rc_modules_count(const rc_modules *m) {
    return m != NULL ? m->count : 0;
}

/* ---- names --------------------------------------------------------------------------- */

/* `parts` as a run of whole parts of `name`. */
static bool has_parts(const char *name, const char *parts) {
    size_t n = strlen(parts);
    if (n == 0)
        return false;
    for (const char *at = strstr(name, parts); at != NULL; at = strstr(at + 1, parts))
        if ((at == name || at[-1] == '.') && (at[n] == '.' || at[n] == '\0'))
            return true;
    return false;
}

static bool glob_matches(const char *glob, const char *name) {
    char inside[PATTERN_MAX + 2];
    (void)snprintf(inside, sizeof inside, "%s.*", glob);
    return fnmatch(glob, name, 0) == 0 || fnmatch(inside, name, 0) == 0;
}

static bool names(const item *it, const char *name) {
    switch (it->kind) {
    case ITEM_PARTS:
        return has_parts(name, it->text);
    case ITEM_GLOB:
        return glob_matches(it->text, name);
    case ITEM_REGEX:
        return regexec(&it->regex, name, 0, NULL, 0) == 0;
    case ITEM_LINEAR:
        return true;
    }
    return false;
}

static bool any_names(const rc_modules *m, const char *name) {
    for (size_t i = 0; i < m->count; i++)
        if (names(&m->items[i], name))
            return true;
    return false;
}

/* What projections are called inside a layer: one name where a library keeps them apart, others where
 * several are one matrix or another library calls them so. */
enum { NAMES = 4 };
static const char *const parts[RC_PROJS][NAMES] = {
    [RC_Q] = {"self_attn.q_proj", "self_attn.qkv_proj", "self_attn.q_b_proj"},
    [RC_K] = {"self_attn.k_proj", "self_attn.qkv_proj"},
    [RC_V] = {"self_attn.v_proj", "self_attn.qkv_proj"},
    [RC_O] = {"self_attn.o_proj"},
    [RC_Q_DOWN] = {"self_attn.q_a_proj"},
    [RC_KV_DOWN] = {"self_attn.kv_a_proj_with_mqa"},
    [RC_KV_UP] = {"self_attn.kv_b_proj"},
    [RC_INDEX] = {"self_attn.indexer.wq_b"},
    [RC_STATE_IN] = {"linear_attn.in_proj_qkvz", "mixer.in_proj", "self_attn.q_proj"},
    [RC_STATE_OUT] = {"linear_attn.out_proj", "mixer.out_proj", "self_attn.o_proj"},
    [RC_GATE] = {"mlp.gate_proj", "mlp.gate_up_proj"},
    [RC_UP] = {"mlp.up_proj", "mlp.gate_up_proj"},
    [RC_DOWN] = {"mlp.down_proj"},
    [RC_ROUTER] = {"mlp.gate"},
    [RC_SHARED] = {"mlp.shared_experts.gate_proj", "mlp.shared_expert.gate_proj"},
    [RC_EXPERT] = {"mlp.experts.0.gate_proj", "block_sparse_moe.experts.0.w1"},
};

bool rc_modules_name(const rc_modules *m, int layer, int p) {
    static const char *const paths[] = {"model.layers", "model.language_model.layers",
                                        "language_model.model.layers", "layers", NULL};
    char name[NAME_MAX_LEN];
    assert(layer >= 0 && p >= 0 && p <= RC_PROJS);
    if (m->count == 0)
        return false;
    if (p == RC_PROJS)
        return any_names(m, "lm_head") || any_names(m, "language_model.lm_head");
    for (int i = 0; paths[i] != NULL; i++) {
        for (int n = 0; n < NAMES && parts[p][n] != NULL; n++) {
            (void)snprintf(name, sizeof name, "%s.%d.%s", paths[i], layer, parts[p][n]);
            if (any_names(m, name))
                return true;
        }
    }
    return false;
}
