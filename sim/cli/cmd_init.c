/* ringcast init: a file of one's own to begin with. Every key of its kind stands there with what it
 * means, those that the starter does not set as comments.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/cli/flags.h"
#include "sim/cli/starters.h"
#include "sim/schedule/schedule.h"

enum { COMMENT_COLUMN = 36 };

typedef struct init_flags {
    const char *kind, *name, *model, *machine, *out;
    bool overwrite;
} init_flags;

typedef struct writer {
    FILE *f;
    const rc_starter *s;
    const init_flags *flags;
    char item[64]; /* the list whose item has begun; "" for none */
} writer;

/* ---- what the starter sets ------------------------------------------------------------------- */

static const char *value_of(const writer *w, const char *path) {
    if (w->flags->name && strcmp(path, w->s->values[0].path) == 0)
        return w->flags->name;
    if (w->flags->model && strcmp(path, "model") == 0)
        return w->flags->model;
    bool machine = (strcmp(path, "machine") == 0 && strcmp(w->s->kind, "machine") != 0) ||
                   strcmp(path, "offers[].machine") == 0;
    if (w->flags->machine && machine)
        return w->flags->machine;
    for (const rc_starter_value *v = w->s->values; v->path; v++)
        if (strcmp(v->path, path) == 0)
            return strcmp(v->value, RC_STARTER_RING) == 0 ? rc_schedule_usual(RC_PREFILL, 2)->name
                                                          : v->value;
    return NULL;
}

/* Is a key inside this section, or inside an item of this list, set? */
static bool holds_values(const writer *w, const char *path) {
    size_t n = strlen(path);
    for (const rc_starter_value *v = w->s->values; v->path; v++)
        if (strncmp(v->path, path, n) == 0 && (v->path[n] == '.' || v->path[n] == '['))
            return true;
    return false;
}

/* ---- a line ---------------------------------------------------------------------------------- */

static int indent_of(const char *path) {
    int n = 0;
    for (; *path; path++)
        n += *path == '.' ? 2 : (*path == '[' && path[1] == ']' && path[2] == '.') ? 2 : 0;
    return n;
}

static const char *name_of(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* "see [method.md](method.md)" without the brackets and what follows them. */
static void plain_text(FILE *f, const char *s) {
    for (; *s; s++) {
        const char *end = *s == '[' ? strstr(s, "](") : NULL;
        const char *close = end ? strchr(end, ')') : NULL;
        if (!close) {
            (void)fputc(*s, f);
            continue;
        }
        (void)fprintf(f, "%.*s", (int)(end - s - 1), s + 1);
        s = close;
    }
}

static void comment(FILE *f, int used, const rc_key *k) {
    char values[320], range[160];
    bool section = k->kind == RC_KEY_SECTION || k->kind == RC_KEY_ENTRIES;
    const char *between = k->meaning[0] ? "; " : "";
    (void)fprintf(f, "%*s# ", used < COMMENT_COLUMN ? COMMENT_COLUMN - used : 1, "");
    plain_text(f, k->meaning);
    if (!section) {
        (void)fprintf(f, "%s%s", between, rc_key_values(k, values, sizeof values));
        if (rc_key_range(k, range, sizeof range)[0])
            (void)fprintf(f, ", %s", range);
        between = "; ";
    }
    if (k->otherwise && k->otherwise[0] != '=') {
        (void)fprintf(f, "%sdefault: ", between);
        plain_text(f, k->otherwise);
    }
    (void)fputc('\n', f);
}

/* "- " before the first key that an item has. */
static const char *item_mark(writer *w, const char *path) {
    const char *list = strstr(path, "[].");
    if (!list)
        return "";
    size_t n = (size_t)(list - path);
    if (strlen(w->item) == n && strncmp(w->item, path, n) == 0)
        return "";
    (void)snprintf(w->item, sizeof w->item, "%.*s", (int)n, path);
    return "- ";
}

static void line(writer *w, const rc_key *k) {
    const char *value = value_of(w, k->path);
    bool section = k->kind == RC_KEY_SECTION || k->kind == RC_KEY_ENTRIES;
    bool open = section && !value && holds_values(w, k->path);
    int indent = indent_of(k->path);
    const char *shown = k->otherwise && k->otherwise[0] == '=' ? k->otherwise + 1 : "", *mark = "";
    if (value || open) {
        mark = item_mark(w, k->path);
        shown = value ? value : "";
        indent -= (int)strlen(mark);
    } else {
        mark = "# ";
    }
    int used = fprintf(w->f, "%*s%s%s:%s%s", indent, "", mark, name_of(k->path),
                       shown[0] ? " " : "", shown);
    comment(w->f, used, k);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The first part of a path is among the words of `list`. */
static bool left_out(const char *list, const char *path) {
    char word[64];
    size_t n = strcspn(path, ".[");
    int m = snprintf(word, sizeof word, " %.*s ", (int)n, path);
    return m > 0 && strstr(list, word) != NULL;
}

static void write_file(FILE *f, const rc_starter *s, const init_flags *flags) {
    writer w = {.f = f, .s = s, .flags = flags};
    (void)fprintf(
        f,
        "# %s.\n# Keys that stand as comments may be set; what each means and its default "
        "stands behind it.\n",
        s->about);
    for (int i = 0; i < s->file_count; i++) {
        size_t count;
        const rc_key *k = rc_keys_of(s->files[i], &count);
        for (size_t c = 0; c < count; c++)
            if (i == 0 || !left_out(s->without, k[c].path))
                line(&w, &k[c]);
    }
}

static rc_status find(const char *kind, const rc_starter **out, rc_error *err) {
    const char *names[RC_KEYS_FILES + 1] = {NULL};
    for (int i = 0; rc_starter_at(i); i++) {
        names[i] = rc_starter_at(i)->kind;
        *out = rc_starter_at(i);
        if (strcmp(names[i], kind) == 0)
            return RC_OK;
    }
    const char *near = rc_nearest(kind, names);
    return rc_fail(err, RC_E_USAGE, "unknown kind of file '%.80s'%s%s%s", kind,
                   near ? " (did you mean '"
                        : "; expected forward, sweep, tune, serve, plan or machine",
                   near ? near : "", near ? "'?)" : "");
}

static rc_status parse(int argc, char **argv, init_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--out", RC_FLAG_TEXT, &f->out, "FILE.yaml", "write it there (default: to the terminal)"},
        {"--name", RC_FLAG_TEXT, &f->name, "NAME", "of the scenario"},
        {"--model", RC_FLAG_TEXT, &f->model, "NAME", "a model, or its config.json"},
        {"--machine", RC_FLAG_TEXT, &f->machine, "NAME", "a machine, or its file"},
        {"--overwrite", RC_FLAG_BOOL, &f->overwrite, NULL, "replace an existing file"},
    };
    size_t count;
    RC_TRY(rc_flags_parse(
        argc, argv, flags, sizeof flags / sizeof flags[0],
        "usage: ringcast init forward|sweep|tune|serve|plan|machine [flags]\n"
        "Writes a file of that kind which runs as it is, with a comment for each key.",
        &f->kind, 1, &count, helped, err));
    if (!*helped && count == 0)
        return rc_fail(err, RC_E_USAGE,
                       "init needs the kind of file: forward, sweep, tune, serve, plan or machine");
    return RC_OK;
}

rc_status rc_cmd_init(int argc, char **argv, rc_error *err) {
    init_flags f = {0};
    const rc_starter *s = NULL;
    rc_outfile o;
    bool helped;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(find(f.kind, &s, err));
    if (!f.out) {
        write_file(stdout, s, &f);
        return RC_OK;
    }
    RC_TRY(rc_outfile_open(&o, f.out, f.overwrite, err));
    write_file(o.f, s, &f);
    RC_TRY(rc_outfile_commit(&o, err));
    (void)printf("# written: %s\n", f.out);
    return RC_OK;
}
