/* Changes to a machine's file: "machine.nic_rate=100Gb/s".
 *
 * A number is checked as the file's own and then given to rc_machine_override, for other numbers of
 * the file rest on it. Everything else is written into the document before it is read.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/machine/change.h"

#include <stdio.h>
#include <string.h>

#include "sim/machine/fields.h"

#define PREFIX "machine."
enum { KEY_LEN = 128 };

/* ---- keys ------------------------------------------------------------------------------------ */

static bool ends_in(const char *path, const char *key) {
    size_t a = strlen(path), b = strlen(key);
    return a > b && path[a - b - 1] == '.' && strcmp(path + a - b, key) == 0;
}

static rc_status unknown(const char *key, rc_error *err) {
    const char *names[256];
    size_t count, n = 0;
    const rc_key *k = rc_keys_of(RC_KEYS_MACHINE, &count);
    for (const char *const *f = rc_machine_fields(); *f; f++)
        names[n++] = *f;
    for (size_t i = 0; i < count && n + 2 < sizeof names / sizeof names[0]; i++) {
        const char *dot = strrchr(k[i].path, '.');
        names[n++] = k[i].path;
        if (dot)
            names[n++] = dot + 1;
    }
    names[n] = NULL;
    const char *near = rc_nearest(key, names);
    return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0, "unknown machine key '%.80s'%s%s%s", key,
                      near ? " (did you mean '" : "", near ? near : "",
                      near ? "'?)" : "; `ringcast keys machine` lists them");
}

/* The key of the file that `key` means. */
static rc_status resolve(const char *key, char *path, rc_error *err) {
    const rc_machine_number *number = rc_machine_number_find(key);
    const char *found = number ? number->path : NULL;
    size_t count;
    const rc_key *k = rc_keys_of(RC_KEYS_MACHINE, &count);
    if (!found && rc_key_find(RC_KEYS_MACHINE, key))
        found = key;
    for (size_t i = 0; !number && found != key && i < count; i++) {
        if (!ends_in(k[i].path, key) || strchr(k[i].path, '['))
            continue;
        if (found)
            return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0,
                              "machine key '%.80s' may be '%s' or '%s'", key, found, k[i].path);
        found = k[i].path;
    }
    if (!found)
        return unknown(key, err);
    (void)snprintf(path, KEY_LEN, "%s", found);
    return RC_OK;
}

/* ---- applying -------------------------------------------------------------------------------- */

typedef struct change {
    char key[KEY_LEN], path[KEY_LEN]; /* as it was given; in the file */
    const char *value;
    const rc_machine_number *number; /* NULL when the key is not a number that others reach */
} change;

static const rc_machine_number *number_at(const char *path) {
    size_t count;
    const rc_machine_number *n = rc_machine_numbers(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(n[i].path, path) == 0)
            return &n[i];
    return NULL;
}

/* *ours is false for a text that is not about the machine. */
static rc_status read_change(const char *set, change *out, bool *ours, rc_error *err) {
    *ours = strncmp(set, PREFIX, strlen(PREFIX)) == 0;
    if (!*ours)
        return RC_OK;
    const char *text = set + strlen(PREFIX), *eq = strchr(text, '=');
    if (!eq || eq == text || (size_t)(eq - text) >= sizeof out->key)
        return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0,
                          "found '%.200s', expected machine.KEY=VALUE", set);
    (void)snprintf(out->key, sizeof out->key, "%.*s", (int)(eq - text), text);
    RC_TRY(resolve(out->key, out->path, err));
    out->value = eq + 1;
    out->number = number_at(out->path);
    return RC_OK;
}

rc_status rc_machine_change_file(rc_doc *doc, const char *const *sets, size_t set_count,
                                 rc_error *err) {
    char shown[KEY_LEN + sizeof PREFIX];
    for (size_t i = 0; i < set_count; i++) {
        change c;
        bool ours;
        RC_TRY(read_change(sets[i], &c, &ours, err));
        if (!ours || c.number)
            continue;
        (void)snprintf(shown, sizeof shown, PREFIX "%s", c.key);
        RC_TRY(rc_doc_set_as(doc, shown, c.path, c.value, err));
    }
    return RC_OK;
}

rc_status rc_machine_change_numbers(rc_machine *m, const char *const *sets, size_t set_count,
                                    rc_error *err) {
    rc_error why = {0};
    bool any = false;
    for (size_t i = 0; i < set_count; i++) {
        change c;
        bool ours;
        double v = 0.0;
        RC_TRY(read_change(sets[i], &c, &ours, err));
        if (!ours || !c.number)
            continue;
        any = true;
        if (rc_key_number(rc_machine_number_key(c.number), c.value, &v, &why) != RC_OK ||
            rc_machine_override(m, c.number->name, v, &why) != RC_OK)
            return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0, PREFIX "%s: %.600s", c.key, why.msg);
    }
    if (any && rc_machine_check(m, &why) != RC_OK)
        return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0, "machine '%s': %.600s", m->name, why.msg);
    return RC_OK;
}
