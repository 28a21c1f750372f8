/* Looking keys up, and telling what they take.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/keys/keys.h"
#include <assert.h>
#include <float.h>
#include <stdio.h>
#include <string.h>
#include "sim/keys/tables.h"

static const char *const file_names[RC_KEYS_FILES] = {"machine", "forward", "sweep",
                                                      "tune",    "serve",   "plan"};

const char *rc_keys_file_name(rc_key_file f) {
    assert((unsigned)f < RC_KEYS_FILES);
    return file_names[f];
}

const rc_key *rc_keys_of(rc_key_file f, size_t *count) {
    assert((unsigned)f < RC_KEYS_FILES);
    const rc_key *k = rc_key_tables[f];
    *count = 0;
    while (k[*count].path)
        ++*count;
    return k;
}

/* "pools[0].tp" is the key "pools[].tp". */
static bool is_called(const char *key, const char *path) {
    for (; *key != '\0' && *key == *path; key++, path++)
        if (*path == '[')
            path += strcspn(path + 1, "]");
    return *key == *path;
}

const rc_key *rc_key_find(rc_key_file f, const char *path) {
    for (const rc_key *k = rc_key_tables[f]; k->path; k++)
        if (is_called(k->path, path))
            return k;
    return NULL;
}

const char *rc_key_choice_name(const rc_key *k, int i, char *buf, size_t size) {
    const char *p = k->names;
    int n = 0;
    assert(i >= 0);
    for (; *p; n++) {
        size_t length = strcspn(p, " ");
        if (n == i) {
            (void)snprintf(buf, size, "%.*s", (int)length, p);
            return buf;
        }
        p += length;
        p += *p == ' ';
    }
    const char *name = k->more ? k->more(i - n) : NULL;
    if (name)
        (void)snprintf(buf, size, "%s", name);
    return name ? buf : NULL;
}

/* The names with commas between. */
static void list_names(const rc_key *k, char *buf, size_t size) {
    char name[64];
    size_t used = 0;
    buf[0] = '\0';
    for (int i = 0; used < size && rc_key_choice_name(k, i, name, sizeof name); i++) {
        int w = snprintf(buf + used, size - used, "%s%s", i ? ", " : "", name);
        used += w > 0 ? (size_t)w : 0;
    }
}

const char *rc_key_values(const rc_key *k, char *buf, size_t size) {
    static const char *const kinds[] = {[RC_KEY_SECTION] = "keys",
                                        [RC_KEY_ENTRIES] = "list of maps",
                                        [RC_KEY_TEXT] = "text",
                                        [RC_KEY_NAME] = "name or path",
                                        [RC_KEY_SWITCH] = "true, false"};
    char one[256];
    const char *what;
    if (k->kind == RC_KEY_CHOICE) {
        list_names(k, one, sizeof one);
        what = one;
    } else if (k->kind == RC_KEY_WHOLE) {
        what = k->unit[0] ? k->unit : "count";
    } else if (k->kind == RC_KEY_NUMBER) {
        what = k->unit[0] ? k->unit : rc_dim_name(k->dim);
    } else {
        what = kinds[k->kind];
    }
    (void)snprintf(buf, size, "%s%s", k->many ? "list: " : "", what);
    return buf;
}

const char *rc_key_range(const rc_key *k, char *buf, size_t size) {
    char lo[64], hi[64];
    bool whole = k->kind == RC_KEY_WHOLE;
    buf[0] = '\0';
    if (!whole && k->kind != RC_KEY_NUMBER)
        return buf;
    bool above = !whole && k->lo > 0.0 && k->lo <= DBL_MIN, open = k->hi >= DBL_MAX;
    rc_dim dim = whole ? RC_DIM_COUNT : k->dim;
    (void)rc_quantity_format(above ? 0.0 : k->lo, dim, lo, sizeof lo);
    (void)rc_quantity_format(k->hi, dim, hi, sizeof hi);
    if (open)
        (void)snprintf(buf, size, above ? "above %s" : "from %s", lo);
    else if (above)
        (void)snprintf(buf, size, "above %s, to %s", lo, hi);
    else
        (void)snprintf(buf, size, "%s to %s", lo, hi);
    return buf;
}

rc_status rc_key_number(const rc_key *k, const char *text, double *out, rc_error *err) {
    assert(k->kind == RC_KEY_NUMBER);
    double v;
    RC_TRY(rc_quantity_stated(text, k->dim, &v, err));
    RC_TRY(rc_quantity_range(v, text, k->dim, k->lo, k->hi, err));
    *out = v;
    return RC_OK;
}
