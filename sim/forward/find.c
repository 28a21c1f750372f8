/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/find.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "sim/base/share.h"

enum { MOST_NAMES = 256 };

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

/* folder/name, then folder/name.ext. An empty folder is the current one. */
static bool try_folder(const char *folder, const char *name, const char *ext, const char *beside,
                       char *out, size_t size) {
    bool whole = ext[0] == '\0' || ends_with(name, ext);
    int n = snprintf(out, size, "%s%s%s%s", folder, folder[0] ? "/" : "", name, whole ? "" : ext);
    if (n < 0 || (size_t)n >= size || !is_file(out, beside))
        return false;
    return strcmp(ext, ".yaml") != 0 || !is_scenario(out);
}

/* The folder of a path, "" for the current one. */
static void folder_of(const char *path, char *out, size_t size) {
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    (void)snprintf(out, size, "%.*s", (int)(n < size ? n : 0), path);
    if (slash == path)
        (void)snprintf(out, size, "/.");
}

/* ---- what the data folder has, for an error ---------------------------------------------- */

typedef struct names {
    char text[MOST_NAMES][96];
    const char *list[MOST_NAMES + 1];
    size_t count;
} names;

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_folder(const char *folder, const char *ext, names *out) {
    DIR *dir = opendir(folder);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e && out->count < MOST_NAMES;
         e = readdir(dir)) {
        size_t stem = strlen(e->d_name) - (ends_with(e->d_name, ext) ? strlen(ext) : 0);
        if (!ends_with(e->d_name, ext) || e->d_name[0] == '.' || stem >= sizeof out->text[0] ||
            ends_with(e->d_name, ".md") || ends_with(e->d_name, ".txt"))
            continue;
        (void)snprintf(out->text[out->count], sizeof out->text[0], "%.*s", (int)stem, e->d_name);
        out->list[out->count] = out->text[out->count];
        out->count++;
    }
    if (dir)
        (void)closedir(dir);
    out->list[out->count] = NULL;
    qsort(out->list, out->count, sizeof out->list[0], by_text);
}

static rc_status not_there(const char *beside, const char *folder, const char *share,
                           const char *name, const char *ext, rc_error *err) {
    char list[360] = "", near[128] = "";
    names *all = calloc(1, sizeof *all);
    size_t n = 0;
    if (!all)
        return rc_fail(err, RC_E_NOMEM, "out of memory while looking for '%.100s'", name);
    list_folder(share, ext, all);
    const char *nearest = rc_nearest(name, all->list);
    if (nearest)
        (void)snprintf(near, sizeof near, " (did you mean '%s'?)", nearest);
    for (size_t i = 0; i < all->count && n + 100 < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "; there are ",
                              all->list[i]);
    free(all);
    bool whole = ext[0] == '\0' || ends_with(name, ext);
    return rc_fail(err, RC_E_IO, "no '%.100s%s' %sin the current folder or in %s%s%s", name,
                   whole ? "" : ext, beside ? "beside the scenario, " : "", folder, near,
                   near[0] ? "" : list);
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
