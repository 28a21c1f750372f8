/* Reading documents: every reader either gives a checked value or says, at the line and column
 * where the reader stands, which key is wrong, what was found and what was expected.
 *
 * The text of an error is an interface: people act on it and tests pin it. One shape for all:
 *     file:line:col: key 'hbm_rate': found '3.35 XB/s', expected a bandwidth such as 2.4TB/s
 *     file:line:col: unknown key 'hmb_rate' (did you mean 'hbm_rate'?)
 *     file:line:col: missing key 'hbm_rate' in 'gpu'
 * An unknown key points at the key, a wrong value at the value, a missing key at the map that lacks
 * it. A node that came from --set names that flag in place of a file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/doc_internal.h"
#include "sim/base/file.h"
#include "sim/base/quote.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening --------------------------------------------------------------------------------- */

/* `twice` is NULL for a document of ours, in which no key may stand twice. */
static rc_status parse(const char *name, const char *text, size_t size, rc_doc **out,
                       const char **twice, rc_error *err) {
    *out = NULL;
    rc_doc *d = calloc(1, sizeof *d);
    if (!d)
        return rc_fail_file(err, RC_E_NOMEM, name, "out of memory while reading");
    d->arena = rc_arena_create();
    d->name = rc_arena_strdup(d->arena, name);
    rc_status st = RC_OK;
    if (!d->arena || !d->name)
        st = rc_fail_file(err, RC_E_NOMEM, name, "out of memory while reading");
    if (st == RC_OK && twice)
        st = rc_doc_build_json(d->arena, d->name, text, size, &d->root, twice, err);
    else if (st == RC_OK)
        st = rc_doc_build(d->arena, d->name, false, text, size, &d->root, err);
    if (st == RC_OK && !d->root)
        st = rc_fail_at(err, RC_E_INPUT, name, 1, 1, "the file is empty, expected a map of keys");
    if (st == RC_OK && d->root->kind != RC_NODE_MAP)
        st = rc_node_fail(d->root, err, RC_E_INPUT, "found a %s, expected a map of keys",
                          d->root->kind == RC_NODE_LIST ? "list" : "single value");
    if (st != RC_OK) {
        rc_doc_close(d);
        return st;
    }
    *out = d;
    return RC_OK;
}

rc_status rc_doc_parse(const char *name, const char *text, size_t size, rc_doc **out,
                       rc_error *err) {
    return parse(name, text, size, out, NULL, err);
}

rc_status rc_doc_parse_json(const char *name, const char *text, size_t size, rc_doc **out,
                            const char **twice, rc_error *err) {
    *twice = NULL;
    return parse(name, text, size, out, twice, err);
}

rc_status rc_doc_open(const char *path, rc_doc **out, rc_error *err) {
    char *text = NULL;
    size_t size = 0;
    *out = NULL;
    RC_TRY(rc_file_read(path, &text, &size, err));
    rc_status st = rc_doc_parse(path, text, size, out, err);
    free(text);
    return st;
}

void rc_doc_close(rc_doc *d) {
    if (!d)
        return;
    rc_arena_destroy(d->arena);
    free(d);
}

const rc_node *rc_doc_root(const rc_doc *d) {
    return d->root;
}

const char *rc_doc_name(const rc_doc *d) {
    return d->name;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

rc_node_kind rc_node_kind_of(const rc_node *n) {
    assert(n != NULL);
    return n->kind;
}

static const rc_entry *find(const rc_node *map, const char *key) {
    if (!map || map->kind != RC_NODE_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->entries[i].key, key) == 0)
            return &map->entries[i];
    return NULL;
}

const rc_node *rc_node_get(const rc_node *map, const char *key) {
    const rc_entry *e = find(map, key);
    return e ? e->value : NULL;
}

bool rc_node_quoted(const rc_node *n) {
    return n && n->quoted;
}

bool rc_node_is_null(const rc_node *n) {
    if (!n || n->kind != RC_NODE_SCALAR || n->quoted)
        return false;
    return n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0;
}

const char *rc_node_text(const rc_node *scalar) {
    return scalar ? scalar->text : "";
}

size_t rc_node_count(const rc_node *n) {
    return n ? n->count : 0;
}

const rc_node *rc_node_at(const rc_node *list, size_t i) {
    return list && i < list->count ? list->entries[i].value : NULL;
}

const char *rc_node_key(const rc_node *map, size_t i) {
    return map && map->kind == RC_NODE_MAP && i < map->count ? map->entries[i].key : NULL;
}

const rc_node *rc_node_value(const rc_node *map, size_t i) {
    return rc_node_at(map, i);
}

const char *rc_node_path(const rc_node *n, char *buf, size_t size) {
    const rc_node *chain[RC_DOC_DEPTH_MAX * 2] = {NULL};
    size_t depth = 0, used = 0;
    for (; n && n->parent && depth < sizeof chain / sizeof chain[0]; n = n->parent)
        chain[depth++] = n;
    if (size > 0)
        buf[0] = '\0';
    while (depth-- > 0 && used < size) {
        const rc_node *at = chain[depth];
        int w;
        if (at->parent->kind == RC_NODE_LIST)
            w = snprintf(buf + used, size - used, "[%zu]", at->slot);
        else
            w = snprintf(buf + used, size - used, "%s%s", used ? "." : "",
                         at->parent->entries[at->slot].key);
        used += w > 0 ? (size_t)w : 0;
    }
    return buf;
}

const char *rc_node_document(const rc_node *n) {
    while (n->parent)
        n = n->parent;
    return n->file;
}

/* In brackets: not the macro for static analysers. */
rc_status(rc_node_fail)(const rc_node *n, rc_error *err, rc_status st, const char *fmt, ...) {
    char msg[sizeof err->msg];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (!n)
        return rc_fail(err, st, "%s", msg);
    return rc_fail_at(err, st, n->file, n->line, n->col, "%s", msg);
}

rc_status(rc_node_key_fail)(const rc_node *map, size_t i, rc_error *err, const char *fmt, ...) {
    assert(map->kind == RC_NODE_MAP && i < map->count);
    char msg[sizeof err->msg];
    const rc_entry *e = &map->entries[i];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return rc_fail_at(err, RC_E_INPUT, e->key_file, e->key_line, e->key_col, "%s", msg);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static rc_status unknown_key(const rc_entry *e, const char *const *keys, rc_error *err) {
    const char *near = rc_nearest(e->key, keys);
    if (near)
        return rc_fail_at(err, RC_E_INPUT, e->key_file, e->key_line, e->key_col,
                          "unknown key '%.80s' (did you mean '%s'?)", e->key, near);
    char list[512] = "";
    size_t used = 0;
    for (size_t i = 0; keys[i] && used < sizeof list; i++) {
        int w = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", keys[i]);
        used += w > 0 ? (size_t)w : 0;
    }
    return rc_fail_at(err, RC_E_INPUT, e->key_file, e->key_line, e->key_col,
                      "unknown key '%.80s', expected one of: %s", e->key, list);
}

rc_status rc_doc_known(const rc_node *map, const char *const *keys, rc_error *err) {
    assert(map != NULL && keys != NULL);
    if (map->kind != RC_NODE_MAP)
        return rc_node_fail(map, err, RC_E_INPUT, "expected a map of keys");
    for (size_t i = 0; i < map->count; i++) {
        bool known = false;
        for (size_t k = 0; keys[k] && !known; k++)
            known = strcmp(keys[k], map->entries[i].key) == 0;
        if (!known)
            return unknown_key(&map->entries[i], keys, err);
    }
    return RC_OK;
}

bool rc_doc_has(const rc_node *map, const char *key) {
    return find(map, key) != NULL;
}

/* "found a list", "found nothing", "found '3'": the front half of every message about a value. */
static const char *found(const rc_node *n, char *buf, size_t size) {
    if (n->kind == RC_NODE_LIST)
        (void)snprintf(buf, size, "a list");
    else if (n->kind == RC_NODE_MAP)
        (void)snprintf(buf, size, "a map");
    else if (n->text[0] == '\0' && !n->quoted)
        (void)snprintf(buf, size, "nothing");
    else
        (void)snprintf(buf, size, "'%.80s'", n->text);
    return buf;
}

static rc_status unexpected(const rc_node *n, const char *key, const char *expected,
                            rc_error *err) {
    char buf[100];
    return rc_node_fail(n, err, RC_E_INPUT, "key '%s': found %s, expected %s", key,
                        found(n, buf, sizeof buf), expected);
}

static rc_status need(const rc_node *map, const char *key, const rc_node **out, rc_error *err) {
    char path[256];
    if (map->kind != RC_NODE_MAP)
        return rc_node_fail(map, err, RC_E_INPUT, "found %s, expected a map with the key '%s'",
                            found(map, path, sizeof path), key);
    *out = rc_node_get(map, key);
    if (*out)
        return RC_OK;
    (void)rc_node_path(map, path, sizeof path);
    if (path[0] == '\0')
        return rc_node_fail(map, err, RC_E_INPUT, "missing key '%s' at the top level", key);
    return rc_node_fail(map, err, RC_E_INPUT, "missing key '%s' in '%s'", key, path);
}

static rc_status need_kind(const rc_node *map, const char *key, rc_node_kind kind,
                           const char *expected, const rc_node **out, rc_error *err) {
    RC_TRY(need(map, key, out, err));
    return (*out)->kind == kind ? RC_OK : unexpected(*out, key, expected, err);
}

/* ---- values ---------------------------------------------------------------------------------- */

rc_status rc_doc_map(const rc_node *map, const char *key, const rc_node **out, rc_error *err) {
    return need_kind(map, key, RC_NODE_MAP, "a map of keys", out, err);
}

rc_status rc_doc_list(const rc_node *map, const char *key, const rc_node **out, rc_error *err) {
    return need_kind(map, key, RC_NODE_LIST, "a list", out, err);
}

rc_status rc_node_string(const rc_node *n, const char *key, const char **out, rc_error *err) {
    if (n->kind != RC_NODE_SCALAR || rc_node_is_null(n))
        return unexpected(n, key, "text", err);
    if (rc_text_has_control(n->text))
        return rc_node_fail(n, err, RC_E_INPUT,
                            "key '%s': the text holds a line break or another control character",
                            key);
    *out = n->text;
    return RC_OK;
}

rc_status rc_doc_string(const rc_node *map, const char *key, const char **out, rc_error *err) {
    const rc_node *n = NULL;
    RC_TRY(need_kind(map, key, RC_NODE_SCALAR, "text", &n, err));
    return rc_node_string(n, key, out, err);
}

rc_status rc_node_label(const rc_node *n, const char *key, char *out, size_t size, rc_error *err) {
    assert(out != NULL && size > 0);
    const char *text = "";
    RC_TRY(rc_node_string(n, key, &text, err));
    size_t length = strlen(text);
    if (length == 0)
        return rc_node_fail(n, err, RC_E_INPUT, "key '%s' is empty", key);
    if (length >= size)
        return rc_node_fail(n, err, RC_E_INPUT, "key '%s' is longer than %zu bytes", key, size - 1);
    memcpy(out, text, length + 1);
    return RC_OK;
}

rc_status rc_doc_label(const rc_node *map, const char *key, char *out, size_t size, rc_error *err) {
    const rc_node *n = NULL;
    RC_TRY(need_kind(map, key, RC_NODE_SCALAR, "text", &n, err));
    return rc_node_label(n, key, out, size, err);
}

rc_status rc_doc_prose(const rc_node *map, const char *key, char *out, size_t size, rc_error *err) {
    assert(out != NULL && size > 0);
    const rc_node *n = NULL;
    RC_TRY(need_kind(map, key, RC_NODE_SCALAR, "text", &n, err));
    if (rc_node_is_null(n))
        return unexpected(n, key, "text", err);
    size_t i = 0;
    for (; n->text[i] != '\0' && i + 1 < size; i++)
        out[i] = n->text[i] == '\n' || n->text[i] == '\t' ? ' ' : n->text[i];
    while (i > 0 && ((unsigned char)n->text[i] & 0xc0) == 0x80)
        i--; /* not through the middle of a UTF-8 character */
    while (i > 0 && out[i - 1] == ' ')
        i--;
    out[i] = '\0';
    if (rc_text_has_control(out))
        return rc_node_fail(n, err, RC_E_INPUT, "key '%s': the text holds a control character",
                            key);
    return RC_OK;
}

rc_status rc_doc_bool(const rc_node *map, const char *key, bool *out, rc_error *err) {
    const rc_node *n = NULL;
    RC_TRY(need_kind(map, key, RC_NODE_SCALAR, "true or false", &n, err));
    bool yes = strcmp(n->text, "true") == 0;
    if (!yes && strcmp(n->text, "false") != 0)
        return unexpected(n, key, "true or false", err);
    *out = yes;
    return RC_OK;
}

rc_status rc_node_int(const rc_node *n, const char *key, int64_t lo, int64_t hi, int64_t *out,
                      rc_error *err) {
    rc_error local;
    if (n->kind != RC_NODE_SCALAR)
        return unexpected(n, key, "a whole number such as 128K", err);
    rc_status st = rc_quantity_int(n->text, lo, hi, out, &local);
    return st == RC_OK ? st : rc_node_fail(n, err, st, "key '%s': %s", key, local.msg);
}

rc_status rc_node_quantity(const rc_node *n, const char *key, rc_dim dim, double lo, double hi,
                           double *out, rc_error *err) {
    rc_error local;
    double v = 0;
    if (n->kind != RC_NODE_SCALAR) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "one value: a %s", rc_dim_name(dim));
        return unexpected(n, key, expected, err);
    }
    rc_status st = rc_quantity_stated(n->text, dim, &v, &local);
    if (st == RC_OK)
        st = rc_quantity_range(v, n->text, dim, lo, hi, &local);
    if (st != RC_OK)
        return rc_node_fail(n, err, st, "key '%s': %s", key, local.msg);
    *out = v;
    return RC_OK;
}

rc_status rc_doc_int(const rc_node *map, const char *key, int64_t lo, int64_t hi, int64_t *out,
                     rc_error *err) {
    const rc_node *n = NULL;
    RC_TRY(need(map, key, &n, err));
    return rc_node_int(n, key, lo, hi, out, err);
}

rc_status rc_doc_quantity(const rc_node *map, const char *key, rc_dim dim, double lo, double hi,
                          double *out, rc_error *err) {
    const rc_node *n = NULL;
    RC_TRY(need(map, key, &n, err));
    return rc_node_quantity(n, key, dim, lo, hi, out, err);
}

rc_status rc_doc_choice(const rc_node *map, const char *key, const char *const *names, int *out,
                        rc_error *err) {
    assert(names != NULL && names[0] != NULL);
    const rc_node *n = NULL;
    RC_TRY(need(map, key, &n, err));
    for (int i = 0; n->kind == RC_NODE_SCALAR && names[i]; i++) {
        if (strcmp(n->text, names[i]) == 0) {
            *out = i;
            return RC_OK;
        }
    }
    char expected[480] = "one of ";
    size_t used = strlen(expected);
    for (size_t i = 0; names[i] && used < sizeof expected; i++) {
        int w = snprintf(expected + used, sizeof expected - used, "%s%s", i ? ", " : "", names[i]);
        used += w > 0 ? (size_t)w : 0;
    }
    const char *near = n->kind == RC_NODE_SCALAR ? rc_nearest(n->text, names) : NULL;
    if (near && used < sizeof expected)
        (void)snprintf(expected + used, sizeof expected - used, " (did you mean '%s'?)", near);
    return unexpected(n, key, expected, err);
}

/* ---- overrides ------------------------------------------------------------------------------- */

/* The value of an override as a tree of its own; an empty value is null. */
static rc_status override_value(rc_doc *d, const char *path, const char *value, rc_node **out,
                                rc_error *err) {
    const char *place = rc_arena_printf(d->arena, "--set %s=%s", path, value);
    if (!place)
        return rc_fail_file(err, RC_E_NOMEM, "--set", "out of memory");
    RC_TRY(rc_doc_build(d->arena, place, true, value, strlen(value), out, err));
    if (!*out)
        *out = rc_doc_new_node(d->arena, RC_NODE_SCALAR, place, 0, 0);
    return *out ? RC_OK : rc_fail_file(err, RC_E_NOMEM, "--set", "out of memory");
}

/* The slot of `key` in `at`: an existing entry, a new one in a map, or an item of a list by number.
 * NULL on failure, with *st. */
static rc_entry *override_slot(rc_doc *d, rc_node *at, const char *key, const char *file,
                               const char *path, rc_status *st, rc_error *err) {
    if (at->kind == RC_NODE_LIST) {
        int64_t i = -1;
        if (rc_quantity_int(key, 0, INT64_MAX, &i, NULL) == RC_OK && (size_t)i < at->count)
            return &at->entries[i];
        *st = rc_fail_file(err, RC_E_USAGE, "--set",
                           "path '%s': '%s' is not one of the %zu items of the list, which are "
                           "numbered from 0",
                           path, key, at->count);
        return NULL;
    }
    for (size_t i = 0; i < at->count; i++)
        if (strcmp(at->entries[i].key, key) == 0)
            return &at->entries[i];
    rc_entry fresh = {.key = rc_arena_strdup(d->arena, key),
                      .key_file = file,
                      .value = rc_doc_new_node(d->arena, RC_NODE_MAP, file, 0, 0)};
    if (fresh.key && fresh.value && rc_doc_append(d->arena, at, &fresh))
        return &at->entries[at->count - 1];
    *st = rc_fail_file(err, RC_E_NOMEM, "--set", "out of memory");
    return NULL;
}

/* An override may not go through a value: {model: x} and model.name=y cannot both be meant. */
static rc_status override_through(const rc_node *n, const char *path, rc_error *err) {
    char where[256], what[100];
    (void)rc_node_path(n, where, sizeof where);
    return rc_fail_file(err, RC_E_USAGE, "--set", "path '%s': '%s' is %s, not a map, in %s line %d",
                        path, where, found(n, what, sizeof what), n->file, n->line);
}

static rc_status check_path(const char *path, rc_error *err) {
    size_t n = strlen(path), levels = 1;
    bool bad = n == 0 || n > 255 || path[0] == '.' || path[n - 1] == '.' || strstr(path, "..");
    for (size_t i = 0; i < n; i++)
        levels += path[i] == '.';
    if (bad || levels > RC_DOC_DEPTH_MAX / 2)
        return rc_fail_file(
            err, RC_E_USAGE, "--set",
            "found path '%.80s', expected keys with dots between such as parallel.cp", path);
    return RC_OK;
}

/* "pools[0].tp" as "pools.0.tp", in the arena: "[" begins a key of its own, "]" ends one. */
static rc_status dotted(rc_doc *d, const char *path, char **out, rc_error *err) {
    char *text = rc_arena_strdup(d->arena, path), *to = text;
    *out = text;
    if (!text)
        return rc_fail_file(err, RC_E_NOMEM, "--set", "out of memory");
    for (const char *p = path; *p; p++) {
        bool closes = *p == ']';
        if (closes && p[1] != '.' && p[1] != '[' && p[1] != '\0')
            return rc_fail_file(err, RC_E_USAGE, "--set",
                                "found path '%.80s', expected '.' or '[' after ']'", path);
        if (!closes)
            *to++ = *p == '[' ? '.' : *p;
    }
    *to = '\0';
    return check_path(text, err);
}

/* Hang `fresh` into the tree at `path`. */
static rc_status override_with(rc_doc *d, const char *path, rc_node *fresh, rc_error *err) {
    char *rest = NULL;
    RC_TRY(dotted(d, path, &rest, err));
    rc_node *at = d->root;
    rc_entry *slot = NULL;
    do {
        char *dot = strchr(rest, '.');
        if (dot)
            *dot = '\0';
        if (slot)
            at = slot->value;
        if (at->kind == RC_NODE_SCALAR)
            return override_through(at, path, err);
        rc_status st = RC_OK;
        slot = override_slot(d, at, rest, fresh->file, path, &st, err);
        if (!slot)
            return st;
        rest = dot ? dot + 1 : NULL;
    } while (rest);
    fresh->parent = at;
    fresh->slot = (size_t)(slot - at->entries);
    slot->value = fresh;
    return RC_OK;
}

rc_status rc_doc_set(rc_doc *d, const char *path, const char *value, rc_error *err) {
    return rc_doc_set_as(d, path, path, value, err);
}

rc_status rc_doc_set_as(rc_doc *d, const char *shown, const char *path, const char *value,
                        rc_error *err) {
    assert(shown != NULL && path != NULL && value != NULL);
    rc_node *fresh = NULL;
    char *checked = NULL;
    RC_TRY(dotted(d, path, &checked, err));
    RC_TRY(override_value(d, shown, value, &fresh, err));
    return override_with(d, path, fresh, err);
}

rc_status rc_doc_set_text(rc_doc *d, const char *path, const char *text, rc_error *err) {
    const char *place = rc_arena_printf(d->arena, "--set %s=%s", path, text);
    rc_node *fresh = place ? rc_doc_new_node(d->arena, RC_NODE_SCALAR, place, 0, 0) : NULL;
    if (fresh)
        fresh->text = rc_arena_strdup(d->arena, text);
    if (!fresh || !fresh->text)
        return rc_fail_file(err, RC_E_NOMEM, "--set", "out of memory");
    fresh->quoted = true;
    return override_with(d, path, fresh, err);
}

const rc_node *rc_doc_take(rc_doc *d, const char *path) {
    rc_node *map = d->root;
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(path, '.')) {
        char key[256];
        (void)snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
        const rc_entry *e = find(map, key);
        if (!e)
            return NULL;
        map = e->value;
        path = dot + 1;
    }
    const rc_entry *e = find(map, path);
    if (!e)
        return NULL;
    rc_node *taken = e->value;
    size_t at = (size_t)(e - map->entries);
    map->count--;
    for (size_t i = at; i < map->count; i++) {
        map->entries[i] = map->entries[i + 1];
        map->entries[i].value->slot = i;
    }
    taken->parent = NULL;
    return taken;
}
