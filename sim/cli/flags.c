/* Flags are looked up in the command's own list; the same list prints the help.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/flags.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "sim/base/quantity.h"
#include "sim/base/style.h"
#include "sim/cli/examples.h"

/* Who reads the lists, and where to: rc_flags_read_by. */
static void (*reader)(void *to, const char *usage, const rc_flag *flags, size_t count);
static void *reader_to;

void rc_flags_read_by(void (*read)(void *to, const char *usage, const rc_flag *flags, size_t count),
                      void *to) {
    reader = read;
    reader_to = to;
}

static void print_examples(const char *command) {
    const rc_example *e = rc_examples_of(command);
    const char *aside = rc_style_on(stdout, RC_STYLE_ASIDE);
    const char *end = rc_style_on(stdout, RC_STYLE_END);
    if (e->line)
        printf("examples:\n");
    for (; e->line; e++)
        printf("  %s# %s%s\n  %s\n", aside, e->shows, end, e->line);
}

static void print_help(const char *command, const char *usage, const rc_flag *flags, size_t count) {
    if (reader) {
        reader(reader_to, usage, flags, count);
        return;
    }
    printf("%s%s%s\n", rc_style_on(stdout, RC_STYLE_ANSWER), usage,
           rc_style_on(stdout, RC_STYLE_END));
    for (size_t i = 0; i < count; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", flags[i].name, flags[i].value ? " " : "",
                 flags[i].value ? flags[i].value : "");
        printf("  %-22s %s\n", left, flags[i].help);
    }
    print_examples(command);
}

static rc_status unknown(const char *name, const rc_flag *flags, size_t count, rc_error *err) {
    const char *names[RC_MAX_FLAGS + 1];
    for (size_t i = 0; i < count; i++)
        names[i] = flags[i].name;
    names[count] = NULL;
    const char *near = rc_nearest(name, names);
    return rc_fail(err, RC_E_USAGE, "unknown flag '%s'%s%s%s", name, near ? " (did you mean '" : "",
                   near ? near : "", near ? "'?)" : "; --help lists the flags");
}

static rc_status store(const rc_flag *f, const char *value, rc_error *err) {
    rc_many *many = f->out;
    switch (f->kind) {
    case RC_FLAG_TEXT:
        *(const char **)f->out = value;
        return RC_OK;
    case RC_FLAG_INT: {
        const rc_whole *whole = f->out;
        assert(whole->lo <= whole->hi);
        rc_status st = rc_quantity_int(value, whole->lo, whole->hi, whole->out, err);
        if (st != RC_OK && err)
            snprintf(err->file, sizeof err->file, "%s", f->name);
        return st == RC_OK ? RC_OK : RC_E_USAGE;
    }
    default:
        assert(f->kind == RC_FLAG_MANY);
        if (many->count == RC_MAX_MANY)
            return rc_fail(err, RC_E_USAGE, "%s is given more than %d times", f->name, RC_MAX_MANY);
        many->values[many->count++] = value;
        return RC_OK;
    }
}

/* One flag at argv[*i]; *i ends on the last word it used. */
static rc_status take(int argc, char **argv, int *i, const rc_flag *flags, size_t count,
                      rc_error *err) {
    const char *word = argv[*i], *eq = strchr(word, '=');
    char name[64];
    snprintf(name, sizeof name, "%.*s", eq ? (int)(eq - word) : (int)strlen(word), word);
    for (size_t k = 0; k < count; k++) {
        if (strcmp(name, flags[k].name) != 0)
            continue;
        if (flags[k].kind == RC_FLAG_BOOL) {
            if (eq)
                return rc_fail(err, RC_E_USAGE, "%s takes no value, found '%s'", name, eq + 1);
            *(bool *)flags[k].out = true;
            return RC_OK;
        }
        assert(flags[k].value != NULL);
        if (!eq && *i + 1 >= argc)
            return rc_fail(err, RC_E_USAGE, "%s needs a value (%s)", name, flags[k].value);
        return store(&flags[k], eq ? eq + 1 : argv[++*i], err);
    }
    return unknown(name, flags, count, err);
}

rc_status rc_flags_parse(int argc, char **argv, const rc_flag *flags, size_t count,
                         const char *usage, const char **args, size_t max_args, size_t *arg_count,
                         bool *helped, rc_error *err) {
    assert(argc >= 1 && argv != NULL); /* argv[0] is the name of the command */
    assert(usage != NULL && helped != NULL);
    assert(count <= RC_MAX_FLAGS);
    assert(args != NULL || max_args == 0);
    bool open = true;
    *arg_count = 0;
    *helped = false;
    for (int i = 1; i < argc; i++) {
        if (open && strcmp(argv[i], "--") == 0) {
            open = false;
        } else if (open && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            print_help(argv[0], usage, flags, count);
            *helped = true;
            return RC_OK;
        } else if (open && argv[i][0] == '-' && argv[i][1] != '\0') {
            RC_TRY(take(argc, argv, &i, flags, count, err));
        } else if (*arg_count == max_args) {
            return rc_fail(err, RC_E_USAGE, "unexpected argument '%s'", argv[i]);
        } else {
            args[(*arg_count)++] = argv[i];
        }
    }
    return RC_OK;
}
