/* What to say when a model, a machine or another file of the data folder is not there.
 *
 * A name that differs in punctuation, capitals or a publisher's prefix alone is offered
 * ("meta-llama/Llama-3.1-8B" is llama-3.1-8b), and so is what the name is a part of ("H100" is a
 * part of h100-sxm). Another size or version is another model, however near its name: then, as for
 * any other name, the user is told what there is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/find.h"

enum { NAMES = RC_NAMES, NAME_SIZE = RC_NAME_SIZE, LISTED = 24 };

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

void rc_share_names(const char *folder, const char *ext, rc_names *out) {
    DIR *dir = opendir(folder);
    size_t end = strlen(ext);
    out->count = 0;
    if (!dir)
        return;
    for (const struct dirent *e = readdir(dir); e && out->count < NAMES; e = readdir(dir)) {
        size_t n = strlen(e->d_name);
        if (n <= end || n - end >= NAME_SIZE || strcmp(e->d_name + n - end, ext) != 0 ||
            e->d_name[0] == '.')
            continue; /* hidden files and the folders themselves are no names, either */
        (void)snprintf(out->name[out->count++], NAME_SIZE, "%.*s", (int)(n - end), e->d_name);
    }
    closedir(dir);
    qsort(out->name, out->count, sizeof out->name[0], by_name);
}

/* Letters and digits alone, in lower case, of what stands after the last '/' and before `ext`. */
static void plain(const char *name, const char *ext, char *out, size_t size) {
    const char *slash = strrchr(name, '/');
    const char *from = slash ? slash + 1 : name;
    size_t n = strlen(from), end = strlen(ext), k = 0;
    if (n > end && strcmp(from + n - end, ext) == 0)
        n -= end;
    for (size_t i = 0; i < n && k + 1 < size; i++)
        if (isalnum((unsigned char)from[i]))
            out[k++] = (char)tolower((unsigned char)from[i]);
    out[k] = '\0';
    for (int i = 0; i < 2; i++) { /* of a tuned model the shape is the same */
        static const char *const ends[] = {"instruct", "hf"};
        size_t m = strlen(ends[i]);
        if (k > m && strcmp(out + k - m, ends[i]) == 0)
            out[k -= m] = '\0';
    }
    if (strncmp(out, "metallama", 9) == 0)
        memmove(out, out + 4, k - 4 + 1);
}

static void add(char *out, size_t size, const char *before, const char *name, const char *after) {
    size_t n = strlen(out);
    if (n < size)
        (void)snprintf(out + n, size - n, "%s%s%s", before, name, after);
}

/* The name that is this one, else those that begin with it, up to three; false when there is none.
 * Appends "'a' or 'b'". */
static bool same_names(const rc_names *l, const char *word, char *out, size_t size) {
    char own[NAME_SIZE];
    int found = 0;
    for (size_t i = 0; i < l->count; i++) {
        plain(l->name[i], "", own, sizeof own);
        if (strcmp(own, word) == 0) {
            add(out, size, "'", l->name[i], "'");
            return true;
        }
    }
    for (size_t i = 0; i < l->count && strlen(word) >= 3 && found < 3; i++) {
        plain(l->name[i], "", own, sizeof own);
        if (strncmp(own, word, strlen(word)) != 0)
            continue;
        add(out, size, found > 0 ? " or '" : "'", l->name[i], "'");
        found++;
    }
    return found > 0;
}

/* One slip in the letters, and the same digits. */
static const char *misspelt(const rc_names *l, const char *word) {
    const char *list[NAMES + 1] = {NULL};
    char digits[NAME_SIZE], own[NAME_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++)
        list[i] = l->name[i];
    const char *near = rc_nearest(word, list);
    if (!near)
        return NULL;
    for (const char *p = word; *p && n + 1 < sizeof digits; p++)
        if (isdigit((unsigned char)*p))
            digits[n++] = *p;
    digits[n] = '\0';
    n = 0;
    for (const char *p = near; *p && n + 1 < sizeof own; p++)
        if (isdigit((unsigned char)*p))
            own[n++] = *p;
    own[n] = '\0';
    return strcmp(digits, own) == 0 ? near : NULL;
}

void rc_share_hint(const char *folder, const char *name, const char *ext, bool list, char *out,
                   size_t size) {
    char word[NAME_SIZE];
    rc_names *l = malloc(sizeof *l);
    out[0] = '\0';
    if (!l)
        return;
    rc_share_names(folder, ext, l);
    plain(name, ext, word, sizeof word);
    char near[4 * NAME_SIZE] = "";
    if (!same_names(l, word, near, sizeof near) && !strchr(name, '/') && misspelt(l, name))
        add(near, sizeof near, "'", misspelt(l, name), "'");
    if (near[0])
        add(out, size, " (did you mean ", near, "?)");
    for (size_t i = 0; !near[0] && list && i < l->count && i < LISTED; i++)
        add(out, size, i == 0 ? " (there are " : ", ", l->name[i], "");
    if (!near[0] && out[0])
        add(out, size, "", l->count > LISTED ? ", ..." : "", ")");
    free(l);
}
