/* Looking for files by their names.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/find.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sim/base/share.h"

static bool ends_with(const char *s, const char *end) {
    size_t a = strlen(s), b = strlen(end);
    return a >= b && strcmp(s + a - b, end) == 0;
}

/* ---- what is there ---------------------------------------------------------------------- */

static bool is_file(const char *path, const char *beside) {
    struct stat file, scenario;
    if (stat(path, &file) != 0 || !S_ISREG(file.st_mode))
        return false;
    return !beside || stat(beside, &scenario) != 0 || file.st_dev != scenario.st_dev ||
           file.st_ino != scenario.st_ino; /* a scenario does not name itself */
}

/* Has it a top-level key that only scenarios have? */
static bool is_scenario(const char *path) {
    static const char *const keys[] = {"scenario:", "serve:", "tune:", "plan:", "sweep:"};
    char line[256];
    bool found = false;
    FILE *f = fopen(path, "r");
    while (f && !found && fgets(line, sizeof line, f))
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            found = found || strncmp(line, keys[i], strlen(keys[i])) == 0;
    if (f)
        (void)fclose(f);
    return found;
}

static bool is_it(const char *path, const char *ext, const char *beside) {
    return is_file(path, beside) && (strcmp(ext, ".yaml") != 0 || !is_scenario(path));
}

/* folder/name when the name has its extension or is a path, else folder/name.ext. An empty folder
 * is the current one. */
static bool try_folder(const char *folder, const char *name, const char *ext, const char *beside,
                       char *out, size_t size) {
    bool whole = ends_with(name, ext) || strchr(name, '/');
    int n = snprintf(out, size, "%s%s%s%s", folder, folder[0] ? "/" : "", name, whole ? "" : ext);
    return n > 0 && (size_t)n < size && is_it(out, ext, beside);
}

/* The folder of a path, "" for the current one. */
static void folder_of(const char *path, char *out, size_t size) {
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    (void)snprintf(out, size, "%.*s", (int)(n < size ? n : 0), path);
    if (slash == path)
        (void)snprintf(out, size, "/.");
}

static rc_status not_there(const char *beside, const char *folder, const char *share,
                           const char *name, const char *ext, rc_error *err) {
    char hint[480];
    bool whole = ends_with(name, ext) || strchr(name, '/');
    rc_share_hint(share, name, ext, !strchr(name, '/'), hint, sizeof hint);
    return rc_fail(err, RC_E_IO, "no '%.100s%s' %sin the current folder or in %s%s", name,
                   whole ? "" : ext, beside ? "beside the scenario, " : "", folder, hint);
}

/* ---- the rule ---------------------------------------------------------------------------- */

rc_status rc_find_file(const char *beside, const char *folder, const char *name, const char *ext,
                       char *out, size_t size, rc_error *err) {
    char share[1024], own[1024];
    (void)snprintf(share, sizeof share, "%s/%s", rc_share_folder(), folder);
    if (name[0] == '/') {
        (void)snprintf(out, size, "%s", name);
        return RC_OK;
    }
    if (beside) {
        folder_of(beside, own, sizeof own);
        if (try_folder(own, name, ext, beside, out, size))
            return RC_OK;
    }
    if (try_folder("", name, ext, beside, out, size) ||
        try_folder(share, name, ext, beside, out, size))
        return RC_OK;
    return not_there(beside, folder, share, name, ext, err);
}

rc_status rc_find_named(const rc_node *at, const char *key, const char *folder, const char *ext,
                        char *out, size_t size, rc_error *err) {
    rc_error why = {0};
    rc_status st =
        rc_find_file(rc_node_document(at), folder, rc_node_text(at), ext, out, size, &why);
    return st == RC_OK ? RC_OK : rc_node_fail(at, err, st, "key '%s': %.700s", key, why.msg);
}

rc_status rc_share_path(const char *folder, const char *name, const char *ext, char *out,
                        size_t size, rc_error *err) {
    char full[768], hint[640];
    snprintf(full, sizeof full, "%s/%s", rc_share_folder(), folder);
    if (strchr(name, '/') || ends_with(name, ext)) {
        snprintf(out, size, "%s", name);
        rc_share_hint(full, name, ext, false, hint, sizeof hint);
        return access(name, F_OK) == 0 || !hint[0]
                   ? RC_OK
                   : rc_fail(err, RC_E_IO, "no file %s%s", name, hint);
    }
    snprintf(out, size, "%s/%s%s", full, name, ext);
    FILE *f = fopen(out, "r");
    if (f) {
        fclose(f);
        return RC_OK;
    }
    rc_share_hint(full, name, ext, true, hint, sizeof hint);
    return rc_fail(err, RC_E_IO, "no %s/%s%s%s", folder, name, ext, hint);
}

const char *rc_scenario_path(const char *name, char *buf, size_t size) {
    if (name[0] == '/' || access(name, F_OK) == 0)
        return name;
    int n = snprintf(buf, size, "%s/%s", rc_share_folder(), name);
    return n > 0 && (size_t)n < size && access(buf, F_OK) == 0 ? buf : name;
}
