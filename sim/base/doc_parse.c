/* From YAML text to a tree of nodes that know their place.
 *
 * Built on libyaml's events rather than its documents: events still carry anchors and tags, which
 * are refused by name (a scenario that means more than it shows cannot be reviewed), and the stack
 * is ours, so depth is bounded without recursion. JSON is a subset of flow YAML, and a config.json
 * comes through here as well and gets the same places in its errors.
 *
 * Limits: 16 MiB of text, 64 levels, 2^20 nodes. The largest real input, a config.json with a label
 * table, has some 20 thousand nodes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/doc_internal.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

typedef struct builder {
    rc_arena *arena;
    const char *file, *text;
    size_t size, nodes;
    bool flag;
    bool last_counts;  /* of a key that stands twice; else it is an error */
    const char *twice; /* such a key */
    rc_node *root;
    rc_node *stack[RC_DOC_DEPTH_MAX];
    size_t depth;
    rc_entry key; /* a key that waits for its value; key.key is NULL when none does */
    rc_error *err;
} builder;

static int to_int(size_t n) {
    return n > 1000000000 ? 1000000000 : (int)n;
}

static rc_status no_memory(const builder *b) {
    return rc_fail_file(b->err, RC_E_NOMEM, b->file, "out of memory while reading");
}

static rc_status refuse(const builder *b, yaml_mark_t mark, const char *what) {
    int line = b->flag ? 0 : to_int(mark.line) + 1;
    return rc_fail_at(b->err, RC_E_INPUT, b->file, line, to_int(mark.column) + 1, "%s", what);
}

rc_node *rc_doc_new_node(rc_arena *a, rc_node_kind kind, const char *file, int line, int col) {
    rc_node *n = rc_arena_alloc(a, sizeof *n);
    if (!n)
        return NULL;
    n->kind = kind;
    n->file = file;
    n->line = line;
    n->col = col;
    n->text = "";
    return n;
}

bool rc_doc_append(rc_arena *a, rc_node *parent, const rc_entry *entry) {
    if (parent->count == parent->room) {
        size_t room = parent->room ? parent->room * 2 : 8;
        rc_entry *entries = rc_arena_alloc(a, room * sizeof *entries);
        if (!entries)
            return false;
        if (parent->count)
            memcpy(entries, parent->entries, parent->count * sizeof *entries);
        parent->entries = entries;
        parent->room = room;
    }
    entry->value->parent = parent;
    entry->value->slot = parent->count;
    parent->entries[parent->count++] = *entry;
    return true;
}

/* The problem libyaml reports, in our words and at its place. */
static rc_status syntax_error(const builder *b, const yaml_parser_t *p) {
    const char *problem = p->problem ? p->problem : "cannot be read";
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(b);
    if (p->error == YAML_READER_ERROR) { /* only an offset: find its line */
        yaml_mark_t mark = {0, 0, 0};
        for (size_t i = 0; i < p->problem_offset && i < b->size; i++) {
            mark.column = b->text[i] == '\n' ? 0 : mark.column + 1;
            mark.line += b->text[i] == '\n';
        }
        return refuse(b, mark, problem);
    }
    int line = b->flag ? 0 : to_int(p->problem_mark.line) + 1;
    int col = to_int(p->problem_mark.column) + 1;
    if (!p->context || b->flag)
        return rc_fail_at(b->err, RC_E_INPUT, b->file, line, col, "YAML syntax: %s", problem);
    return rc_fail_at(b->err, RC_E_INPUT, b->file, line, col, "YAML syntax: %s (%s from %d:%d)",
                      problem, p->context, to_int(p->context_mark.line) + 1,
                      to_int(p->context_mark.column) + 1);
}

static rc_status new_node(builder *b, rc_node_kind kind, const yaml_event_t *ev, rc_node **out) {
    if (++b->nodes > RC_DOC_NODES_MAX)
        return refuse(b, ev->start_mark, "more than 1048576 values in one file");
    int line = b->flag ? 0 : to_int(ev->start_mark.line) + 1;
    int col = b->flag ? 0 : to_int(ev->start_mark.column) + 1;
    *out = rc_doc_new_node(b->arena, kind, b->file, line, col);
    return *out ? RC_OK : no_memory(b);
}

/* Put a finished or opened node where the parser stands. */
static rc_status place(builder *b, rc_node *n) {
    if (b->depth == 0) {
        b->root = n;
        return RC_OK;
    }
    rc_node *parent = b->stack[b->depth - 1];
    rc_entry entry = {.value = n};
    if (parent->kind == RC_NODE_MAP) {
        entry = b->key;
        entry.value = n;
        b->key.key = NULL;
    }
    return rc_doc_append(b->arena, parent, &entry) ? RC_OK : no_memory(b);
}

static bool expects_key(const builder *b) {
    const rc_node *top = b->depth > 0 ? b->stack[b->depth - 1] : NULL;
    return top && top->kind == RC_NODE_MAP && !b->key.key;
}

static rc_status scalar(builder *b, const yaml_event_t *ev) {
    const char *value = (const char *)ev->data.scalar.value;
    if (ev->data.scalar.anchor)
        return refuse(b, ev->start_mark, "anchors (&name) are not supported");
    if (ev->data.scalar.tag)
        return refuse(b, ev->start_mark, "tags (!name) are not supported");
    if (strlen(value) != ev->data.scalar.length)
        return refuse(b, ev->start_mark, "a NUL character in a value");
    const char *text = rc_arena_strdup(b->arena, value);
    if (!text)
        return no_memory(b);
    if (expects_key(b)) {
        if (!text[0])
            return refuse(b, ev->start_mark, "a key is empty");
        b->key = (rc_entry){.key = text,
                            .key_file = b->file,
                            .key_line = b->flag ? 0 : to_int(ev->start_mark.line) + 1,
                            .key_col = b->flag ? 0 : to_int(ev->start_mark.column) + 1};
        return RC_OK;
    }
    rc_node *n = NULL;
    RC_TRY(new_node(b, RC_NODE_SCALAR, ev, &n));
    n->text = text;
    n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return place(b, n);
}

static rc_status open_node(builder *b, const yaml_event_t *ev, rc_node_kind kind,
                           const void *anchor, const void *tag) {
    if (anchor)
        return refuse(b, ev->start_mark, "anchors (&name) are not supported");
    if (tag)
        return refuse(b, ev->start_mark, "tags (!name) are not supported");
    if (expects_key(b))
        return refuse(b, ev->start_mark, "a key must be plain text, not a list or a map");
    if (b->depth == RC_DOC_DEPTH_MAX)
        return refuse(b, ev->start_mark, "nested more than 64 levels deep");
    rc_node *n = NULL;
    RC_TRY(new_node(b, kind, ev, &n));
    RC_TRY(place(b, n));
    b->stack[b->depth++] = n;
    return RC_OK;
}

static int by_key_then_order(const void *x, const void *y) {
    const rc_entry *a = *(const rc_entry *const *)x, *b = *(const rc_entry *const *)y;
    int c = strcmp(a->key, b->key);
    return c ? c : (a->value->slot > b->value->slot) - (a->value->slot < b->value->slot);
}

/* Leave the entries that still have a value, in their order. */
static void compact(rc_node *map) {
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++) {
        rc_node *value = map->entries[i].value;
        if (!value)
            continue;
        value->slot = kept;
        map->entries[kept++] = map->entries[i];
    }
    map->count = kept;
}

/* Of equal keys, which stand next to each other in `sorted`, the last value counts. */
static void drop_earlier(builder *b, rc_node *map, rc_entry *const *sorted) {
    const char *twice = NULL;
    for (size_t i = 1; i < map->count; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0)
            continue;
        twice = sorted[i]->key;
        sorted[i - 1]->value = NULL;
    }
    if (twice) {
        b->twice = twice;
        compact(map);
    }
}

/* Refuse the first repeated key of a finished map, or drop its earlier values. Sorted, so that a
 * hostile map costs n log n. */
static rc_status check_duplicates(builder *b, rc_node *map) {
    if (map->count < 2)
        return RC_OK;
    rc_entry **sorted = malloc(map->count * sizeof *sorted);
    if (!sorted)
        return no_memory(b);
    for (size_t i = 0; i < map->count; i++)
        sorted[i] = &map->entries[i];
    qsort((void *)sorted, map->count, sizeof *sorted, by_key_then_order);
    if (b->last_counts) {
        drop_earlier(b, map, sorted);
        free((void *)sorted);
        return RC_OK;
    }
    const rc_entry *first = NULL, *second = NULL;
    for (size_t i = 1; i < map->count; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0)
            continue;
        if (!second || sorted[i]->value->slot < second->value->slot) {
            first = sorted[i - 1];
            second = sorted[i];
        }
    }
    rc_status st = RC_OK;
    if (second && b->flag)
        st = rc_fail_file(b->err, RC_E_INPUT, b->file, "duplicate key '%s'", second->key);
    else if (second)
        st = rc_fail_at(b->err, RC_E_INPUT, b->file, second->key_line, second->key_col,
                        "duplicate key '%s', first on line %d", second->key, first->key_line);
    free((void *)sorted);
    return st;
}

/* libyaml pairs ends with starts. */
static rc_status close_node(builder *b) {
    rc_node *n = b->depth > 0 ? b->stack[--b->depth] : NULL;
    if (!n || n->kind != RC_NODE_MAP)
        return RC_OK;
    return check_duplicates(b, n);
}

static rc_status handle(builder *b, const yaml_event_t *ev) {
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->root)
            return refuse(b, ev->start_mark, "a second document (---) in one file");
        return RC_OK;
    case YAML_ALIAS_EVENT:
        return refuse(b, ev->start_mark, "aliases (*name) are not supported");
    case YAML_SCALAR_EVENT:
        return scalar(b, ev);
    case YAML_SEQUENCE_START_EVENT:
        return open_node(b, ev, RC_NODE_LIST, ev->data.sequence_start.anchor,
                         ev->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_node(b, ev, RC_NODE_MAP, ev->data.mapping_start.anchor,
                         ev->data.mapping_start.tag);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return close_node(b);
    default:
        return RC_OK;
    }
}

static rc_status build(builder *b) {
    if (b->size > RC_DOC_BYTES_MAX)
        return rc_fail_file(b->err, RC_E_INPUT, b->file, "larger than 16 MiB");
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return no_memory(b);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)b->text, b->size);
    rc_status st = RC_OK;
    bool done = false;
    while (st == RC_OK && !done) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&parser, &ev)) {
            st = syntax_error(b, &parser);
            break;
        }
        done = ev.type == YAML_STREAM_END_EVENT;
        st = handle(b, &ev);
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&parser);
    return st;
}

rc_status rc_doc_build(rc_arena *a, const char *file, bool flag, const char *text, size_t size,
                       rc_node **out, rc_error *err) {
    builder b = {.arena = a, .file = file, .flag = flag, .text = text, .size = size, .err = err};
    rc_status st = build(&b);
    *out = st == RC_OK ? b.root : NULL;
    return st;
}

/* JSON writes a character beyond U+FFFF as two escapes that libyaml, which has longer ones,
 * refuses. No name that is read holds one: each half becomes U+FFFD, which takes as many bytes, so
 * that places in errors stay right. */
static void mask_surrogates(char *text, size_t size) {
    for (size_t i = 0; i + 5 < size; i++) {
        if (text[i] != '\\')
            continue;
        if (text[i + 1] == 'u' && strchr("dD", text[i + 2]) &&
            strchr("89abcdefABCDEF", text[i + 3]))
            text[i + 2] = text[i + 3] = text[i + 4] = 'f', text[i + 5] = 'd';
        i++; /* the escaped character, which may be another backslash */
    }
}

rc_status rc_doc_build_json(rc_arena *a, const char *file, const char *text, size_t size,
                            rc_node **out, const char **twice, rc_error *err) {
    *out = NULL;
    *twice = NULL;
    char *copy = malloc(size + 1);
    if (!copy)
        return rc_fail_file(err, RC_E_NOMEM, file, "out of memory while reading");
    memcpy(copy, text, size);
    copy[size] = '\0';
    mask_surrogates(copy, size);
    builder b = {
        .arena = a, .file = file, .last_counts = true, .text = copy, .size = size, .err = err};
    rc_status st = build(&b);
    free(copy);
    *out = st == RC_OK ? b.root : NULL;
    *twice = b.twice;
    return st;
}
