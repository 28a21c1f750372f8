/* What the two halves of the document reader share: the tree and the helpers that build it.
 * doc_parse.c fills it, doc.c reads it. Not for other rooms.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_DOC_INTERNAL_H
#define RC_BASE_DOC_INTERNAL_H
#include "sim/base/arena.h"
#include "sim/base/doc.h"

/* One entry of a map, or one item of a list (then `key` is NULL). */
typedef struct rc_entry {
    const char *key, *key_file;
    int key_line, key_col;
    rc_node *value;
} rc_entry;

struct rc_node {
    rc_node_kind kind;
    bool quoted;
    int line, col;      /* 1-based; 0 for a node that a flag made */
    const char *file;   /* the document's name, or "--set path=value" */
    const char *text;   /* scalars; "" otherwise */
    rc_node *parent;    /* NULL for the root */
    size_t slot;        /* index in the parent */
    size_t count, room; /* entries used and allocated */
    rc_entry *entries;
};

struct rc_doc {
    rc_arena *arena;
    const char *name;
    rc_node *root;
};

enum { RC_DOC_DEPTH_MAX = 64, RC_DOC_NODES_MAX = 1 << 20, RC_DOC_BYTES_MAX = 16 << 20 };

/* Parse one YAML document of any kind into the arena; places are in `file`, or carry no line when
 * `flag` is set. An empty text gives *out = NULL. */
rc_status rc_doc_build(rc_arena *a, const char *file, bool flag, const char *text, size_t size,
                       rc_node **out, rc_error *err);
/* The same for JSON of another program: a key may stand twice, its last value counts, and *twice
 * names one such key, or is NULL. */
rc_status rc_doc_build_json(rc_arena *a, const char *file, const char *text, size_t size,
                            rc_node **out, const char **twice, rc_error *err);
/* NULL when out of memory. */
rc_node *rc_doc_new_node(rc_arena *a, rc_node_kind kind, const char *file, int line, int col);
/* Append; the key (NULL in a list) must live in the arena. false when out of memory. */
bool rc_doc_append(rc_arena *a, rc_node *parent, const rc_entry *entry);

#endif
