/* A profile of scenarios/engines holds what an engine does differently on any machine (`engine`, read
 * with the machine) and how it serves (`serving`): sections and keys of a serving scenario, which
 * stand for those that the scenario leaves out.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/serve_engine.h"

#include <stdio.h>
#include <string.h>

#include "sim/base/find.h"

/* A value, or a list of values, as YAML has it. */
static rc_status as_text(const rc_node *n, const char *key, char *out, size_t size, rc_error *err) {
    int used = 0;
    if (rc_node_kind_of(n) == RC_NODE_SCALAR)
        used = snprintf(out, size, "%s", rc_node_text(n));
    else if (rc_node_kind_of(n) == RC_NODE_LIST) {
        for (size_t i = 0; i < rc_node_count(n) && used >= 0 && (size_t)used < size; i++)
            used += snprintf(out + used, size - (size_t)used, "%s%s", i > 0 ? ", " : "[",
                             rc_node_text(rc_node_at(n, i)));
        if (used >= 0 && (size_t)used < size)
            used += snprintf(out + used, size - (size_t)used, "]");
    }
    if (used <= 0 || (size_t)used >= size)
        return rc_node_fail(n, err, RC_E_INPUT, "key '%s': expected a value or a short list", key);
    return RC_OK;
}

/* `section` of the profile, into the scenario where that leaves a key out. */
static rc_status fill(rc_doc *doc, const rc_node *from, const char *section, rc_error *err) {
    const rc_node *here = rc_node_get(rc_doc_root(doc), section);
    if (rc_node_kind_of(from) != RC_NODE_MAP)
        return rc_node_fail(from, err, RC_E_INPUT, "key '%s': expected a map of keys", section);
    for (size_t i = 0; i < rc_node_count(from); i++) {
        char path[96], value[1024];
        const char *key = rc_node_key(from, i);
        if (here != NULL && rc_node_get(here, key) != NULL)
            continue;
        (void)snprintf(path, sizeof path, "%s.%s", section, key);
        RC_TRY(as_text(rc_node_value(from, i), key, value, sizeof value, err));
        RC_TRY(rc_doc_set(doc, path, value, err));
        here = rc_node_get(rc_doc_root(doc), section);
    }
    return RC_OK;
}

static rc_status fill_all(rc_doc *doc, const rc_doc *profile, rc_error *err) {
    static const char *const sections[] = {"scheduler", "kv", NULL};
    const rc_node *serving = rc_node_get(rc_doc_root(profile), "serving");
    if (serving == NULL)
        return RC_OK;
    if (rc_node_kind_of(serving) != RC_NODE_MAP)
        return rc_node_fail(serving, err, RC_E_INPUT, "key 'serving': expected a map of sections");
    RC_TRY(rc_doc_known(serving, sections, err));
    for (size_t i = 0; sections[i] != NULL; i++) {
        const rc_node *from = rc_node_get(serving, sections[i]);
        if (from != NULL)
            RC_TRY(fill(doc, from, sections[i], err));
    }
    return RC_OK;
}

rc_status rc_serve_engine(rc_doc *doc, const char *const *sets, size_t count, char text[160],
                          const char *with[RC_ENGINE_SETS], size_t *with_count, rc_error *err) {
    const rc_node *at = rc_node_get(rc_doc_root(doc), "engine");
    char path[1024];
    rc_doc *profile = NULL;
    *with_count = 0;
    if (count + 1 > RC_ENGINE_SETS)
        return rc_fail(err, RC_E_INPUT, "%zu overrides; expected at most %d", count,
                       RC_ENGINE_SETS - 1);
    if (at != NULL) {
        const char *name = rc_node_text(at);
        RC_TRY(rc_find_named(at, "engine", "scenarios/engines", ".yaml", path, sizeof path, err));
        if (snprintf(text, 160, "machine.engine.profile=%s", name) >= 160)
            return rc_node_fail(at, err, RC_E_INPUT, "key 'engine': the name is too long");
        RC_TRY(rc_doc_open(path, &profile, err));
        rc_status st = fill_all(doc, profile, err);
        rc_doc_close(profile);
        RC_TRY(st);
        with[(*with_count)++] = text;
    }
    for (size_t i = 0; i < count; i++)
        with[(*with_count)++] = sets[i];
    return RC_OK;
}
