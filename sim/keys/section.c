/* Reading the maps of a document by the table of their keys.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "sim/keys/keys.h"

enum { MOST_KEYS = 64, PATH_MAX_LEN = 128, NAMES_MAX = 24, NAME_LEN = 48 };

/* ---- paths ---------------------------------------------------------------------------------- */

static void join(const char *section, const char *key, char *out, size_t size) {
    (void)snprintf(out, size, "%s%s%s", section, section[0] ? "." : "", key);
}

/* The key's last part when it stands directly in `section`, else NULL. */
static const char *name_in(const char *section, const char *path) {
    size_t n = strlen(section);
    const char *name = path;
    if (n > 0) {
        if (strncmp(path, section, n) != 0 || path[n] != '.')
            return NULL;
        name = path + n + 1;
    }
    return strchr(name, '.') ? NULL : name;
}

/* A list of maps stands in the table as "pools" and its items' keys as "pools[].tp". */
static const rc_key *key_of(const rc_section *s, const char *key) {
    char path[PATH_MAX_LEN];
    join(s->path, key, path, sizeof path);
    const rc_key *k = rc_key_find(s->file, path);
    assert(k != NULL); /* a reader asks for keys of the table only */
    return k;
}

static const char *default_of(const rc_key *k) {
    return k->otherwise && k->otherwise[0] == '=' ? k->otherwise + 1 : NULL;
}

/* ---- keys that do not belong ---------------------------------------------------------------- */

/* Where in the file a key of this name stands: "at the top level", "in 'tokens'"; NULL: nowhere. */
static const char *home_of(rc_key_file f, const char *name, char *buf, size_t size) {
    size_t count;
    const rc_key *k = rc_keys_of(f, &count);
    for (size_t i = 0; i < count; i++) {
        const char *dot = strrchr(k[i].path, '.');
        if (strcmp(dot ? dot + 1 : k[i].path, name) != 0)
            continue;
        if (dot)
            (void)snprintf(buf, size, "in '%.*s'", (int)(dot - k[i].path), k[i].path);
        else
            (void)snprintf(buf, size, "at the top level");
        return buf;
    }
    return NULL;
}

/* RC_OK when no other place of the file has such a key either. */
static rc_status misplaced(const rc_section *s, size_t i, rc_error *err) {
    const char *name = rc_node_key(s->map, i);
    char where[PATH_MAX_LEN];
    if (!home_of(s->file, name, where, sizeof where))
        return RC_OK;
    if (s->path[0] == '\0')
        return rc_node_key_fail(s->map, i, err, "key '%.80s' belongs %s, not at the top level",
                                name, where);
    return rc_node_key_fail(s->map, i, err, "key '%.80s' belongs %s, not in '%s'", name, where,
                            s->path);
}

static rc_status check_known(const rc_section *s, rc_error *err) {
    const char *names[MOST_KEYS + 1];
    size_t count, n = 0;
    const rc_key *k = rc_keys_of(s->file, &count);
    for (size_t i = 0; i < count && n < MOST_KEYS; i++) {
        const char *name = name_in(s->path, k[i].path);
        if (name)
            names[n++] = name;
    }
    names[n] = NULL;
    for (size_t i = 0; i < rc_node_count(s->map); i++) {
        bool known = false;
        for (size_t j = 0; j < n && !known; j++)
            known = strcmp(names[j], rc_node_key(s->map, i)) == 0;
        if (!known)
            RC_TRY(misplaced(s, i, err));
    }
    return rc_doc_known(s->map, names, err);
}

/* ---- sections ------------------------------------------------------------------------------- */

rc_status rc_section_at(rc_key_file f, const char *path, const rc_node *map, rc_section *out,
                        rc_error *err) {
    *out = (rc_section){.file = f, .map = map};
    (void)snprintf(out->path, sizeof out->path, "%s", path);
    assert(strlen(path) < sizeof out->path);
    if (!map)
        return RC_OK;
    if (rc_node_kind_of(map) != RC_NODE_MAP)
        return rc_node_fail(map, err, RC_E_INPUT, "key '%s': expected a map of keys", path);
    return check_known(out, err);
}

rc_status rc_section_root(rc_key_file f, const rc_node *root, rc_section *out, rc_error *err) {
    return rc_section_at(f, "", root, out, err);
}

rc_status rc_section_enter(const rc_section *s, const char *key, rc_section *out, rc_error *err) {
    char path[PATH_MAX_LEN];
    const rc_node *map = NULL;
    const rc_key *k = key_of(s, key);
    join(s->path, key, path, sizeof path);
    if (!k->otherwise || rc_section_has(s, key))
        RC_TRY(rc_doc_map(s->map, key, &map, err));
    return rc_section_at(s->file, path, map, out, err);
}

bool rc_section_has(const rc_section *s, const char *key) {
    (void)key_of(s, key);
    return s->map && rc_doc_has(s->map, key);
}

const rc_node *rc_section_node(const rc_section *s, const char *key) {
    (void)key_of(s, key);
    return s->map ? rc_node_get(s->map, key) : NULL;
}

static rc_status wrong_count(const rc_section *s, const char *key, size_t found, size_t least,
                             size_t most, rc_error *err) {
    if (found >= least && found <= most)
        return RC_OK;
    return rc_node_fail(rc_section_node(s, key), err, RC_E_INPUT,
                        "key '%s': found %zu, expected %zu to %zu", key, found, least, most);
}

rc_status rc_section_entries(const rc_section *s, const char *key, size_t least, size_t most,
                             size_t *count, rc_error *err) {
    const rc_node *list;
    assert(least <= most && key_of(s, key)->kind == RC_KEY_ENTRIES);
    *count = 0;
    if (key_of(s, key)->otherwise && !rc_section_has(s, key))
        return RC_OK;
    RC_TRY(rc_doc_list(s->map, key, &list, err));
    *count = rc_node_count(list);
    return wrong_count(s, key, *count, least, most, err);
}

rc_status rc_section_entry(const rc_section *s, const char *key, size_t i, rc_section *out,
                           rc_error *err) {
    char path[PATH_MAX_LEN], name[NAME_LEN];
    const rc_node *n = rc_node_at(rc_section_node(s, key), i);
    (void)snprintf(name, sizeof name, "%s[]", key);
    join(s->path, name, path, sizeof path);
    if (rc_node_kind_of(n) != RC_NODE_MAP)
        return rc_node_fail(n, err, RC_E_INPUT, "key '%s': expected a list of mappings", key);
    return rc_section_at(s->file, path, n, out, err);
}

/* ---- values --------------------------------------------------------------------------------- */

/* True when a key is left out and may be. */
static bool left_out(const rc_section *s, const char *key, const rc_key *k) {
    return k->otherwise && !rc_section_has(s, key);
}

rc_status rc_section_whole_in(const rc_section *s, const char *key, int64_t lo, int64_t hi,
                              int64_t *out, rc_error *err) {
    const rc_key *k = key_of(s, key);
    assert(k->kind == RC_KEY_WHOLE);
    if (!left_out(s, key, k))
        return rc_doc_int(s->map, key, lo, hi, out, err);
    return default_of(k) ? rc_quantity_int(default_of(k), lo, hi, out, err) : RC_OK;
}

rc_status rc_section_whole(const rc_section *s, const char *key, int64_t *out, rc_error *err) {
    const rc_key *k = key_of(s, key);
    return rc_section_whole_in(s, key, (int64_t)k->lo, (int64_t)k->hi, out, err);
}

rc_status rc_section_number(const rc_section *s, const char *key, double *out, rc_error *err) {
    const rc_key *k = key_of(s, key);
    assert(k->kind == RC_KEY_NUMBER);
    if (!left_out(s, key, k))
        return rc_doc_quantity(s->map, key, k->dim, k->lo, k->hi, out, err);
    return default_of(k) ? rc_quantity_parse(default_of(k), k->dim, out, err) : RC_OK;
}

rc_status rc_section_switch(const rc_section *s, const char *key, bool *out, rc_error *err) {
    const rc_key *k = key_of(s, key);
    assert(k->kind == RC_KEY_SWITCH);
    if (!left_out(s, key, k))
        return rc_doc_bool(s->map, key, out, err);
    if (default_of(k))
        *out = strcmp(default_of(k), "true") == 0;
    return RC_OK;
}

/* The names of a choice as the readers of documents take them. */
typedef struct names {
    char text[NAMES_MAX][NAME_LEN];
    const char *list[NAMES_MAX + 1];
} names;

static void names_of(const rc_key *k, names *out) {
    int n = 0;
    while (n < NAMES_MAX && rc_key_choice_name(k, n, out->text[n], NAME_LEN)) {
        out->list[n] = out->text[n];
        n++;
    }
    out->list[n] = NULL;
}

rc_status rc_section_choice(const rc_section *s, const char *key, int *out, rc_error *err) {
    const rc_key *k = key_of(s, key);
    names have = {.list = {NULL}};
    assert(k->kind == RC_KEY_CHOICE);
    names_of(k, &have);
    if (!left_out(s, key, k))
        return rc_doc_choice(s->map, key, have.list, out, err);
    for (int i = 0; default_of(k) && have.list[i]; i++)
        if (strcmp(have.list[i], default_of(k)) == 0)
            *out = i;
    return RC_OK;
}

rc_status rc_section_name(const rc_section *s, const char *key, const char **out, rc_error *err) {
    const rc_key *k = key_of(s, key);
    if (!left_out(s, key, k)) {
        RC_TRY(rc_doc_string(s->map, key, out, err));
        return **out ? RC_OK
                     : rc_node_fail(rc_section_node(s, key), err, RC_E_INPUT, "key '%s' is empty",
                                    key);
    }
    if (default_of(k))
        *out = default_of(k);
    return RC_OK;
}

rc_status rc_section_text(const rc_section *s, const char *key, char *out, size_t size,
                          rc_error *err) {
    return left_out(s, key, key_of(s, key)) ? RC_OK : rc_doc_label(s->map, key, out, size, err);
}

rc_status rc_section_prose(const rc_section *s, const char *key, char *out, size_t size,
                           rc_error *err) {
    return left_out(s, key, key_of(s, key)) ? RC_OK : rc_doc_prose(s->map, key, out, size, err);
}

/* ---- lists of values ------------------------------------------------------------------------ */

rc_status rc_section_item_count(const rc_section *s, const char *key, size_t least, size_t most,
                                size_t *count, rc_error *err) {
    const rc_key *k = key_of(s, key);
    const rc_node *n = rc_section_node(s, key);
    assert(k->many);
    *count = default_of(k) ? 1 : 0;
    if (left_out(s, key, k))
        return RC_OK;
    if (n && rc_node_kind_of(n) == RC_NODE_SCALAR && !rc_node_is_null(n)) {
        *count = 1;
        return RC_OK;
    }
    RC_TRY(rc_doc_list(s->map, key, &n, err));
    *count = rc_node_count(n);
    return wrong_count(s, key, *count, least, most, err);
}

static const rc_node *item(const rc_section *s, const char *key, size_t i) {
    const rc_node *n = rc_section_node(s, key);
    return n && rc_node_kind_of(n) == RC_NODE_LIST ? rc_node_at(n, i) : n;
}

rc_status rc_section_whole_item(const rc_section *s, const char *key, size_t i, int64_t lo,
                                int64_t hi, int64_t *out, rc_error *err) {
    const rc_key *k = key_of(s, key);
    assert(k->kind == RC_KEY_WHOLE && k->many);
    if (left_out(s, key, k))
        return rc_quantity_int(default_of(k), lo, hi, out, err);
    return rc_node_int(item(s, key, i), key, lo, hi, out, err);
}

rc_status rc_section_number_item(const rc_section *s, const char *key, size_t i, double *out,
                                 rc_error *err) {
    const rc_key *k = key_of(s, key);
    assert(k->kind == RC_KEY_NUMBER && k->many);
    if (left_out(s, key, k))
        return rc_quantity_parse(default_of(k), k->dim, out, err);
    return rc_node_quantity(item(s, key, i), key, k->dim, k->lo, k->hi, out, err);
}

rc_status rc_section_choice_item(const rc_section *s, const char *key, size_t i, int *out,
                                 rc_error *err) {
    const rc_key *k = key_of(s, key);
    names have = {.list = {NULL}};
    assert(k->kind == RC_KEY_CHOICE && k->many);
    names_of(k, &have);
    const char *text = left_out(s, key, k) ? default_of(k) : rc_node_text(item(s, key, i));
    for (int n = 0; have.list[n]; n++) {
        if (strcmp(have.list[n], text) == 0) {
            *out = n;
            return RC_OK;
        }
    }
    char all[256];
    const char *near = rc_nearest(text, have.list);
    return rc_node_fail(item(s, key, i), err, RC_E_INPUT,
                        "key '%s': found '%.80s', expected one of %s%s%s%s", key, text,
                        rc_key_values(k, all, sizeof all) + (k->many ? strlen("list: ") : 0),
                        near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}
