/* ringcast manual DIR: manual pages, made of the lists of flags, examples and keys: ringcast.1, a
 * page ringcast-COMMAND.1 a command, and ringcast-KIND.5 a kind of file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/cli/commands.h"
#include "sim/cli/examples.h"

#ifndef RC_VERSION
#define RC_VERSION "0.0.0"
#endif
#ifndef RC_RELEASED
#define RC_RELEASED "1970-01-01"
#endif

/* A request begins with a dot or a quote at the start of a line; a minus is one that can be copied. */
/* One character of UTF-8 as groff names it; returns its last byte. */
static const char *wide(FILE *f, const char *s) {
    unsigned char c = (unsigned char)*s;
    int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    unsigned long code = c & (0x3FU >> more);
    for (; more > 0 && s[1] != '\0'; more--)
        code = code << 6 | ((unsigned char)*++s & 0x3FU);
    (void)fprintf(f, "\\[u%04lX]", code);
    return s;
}

static void text(FILE *f, const char *s) {
    if (*s == '.' || *s == '\'')
        (void)fputs("\\&", f);
    for (; *s; s++) {
        if (*s == '\\')
            (void)fputs("\\e", f);
        else if (*s == '-')
            (void)fputs("\\-", f);
        else if (*s == '`')
            (void)fputs("\\(oq", f);
        else if (*s == '\n') {
            (void)fputs("\n.br\n", f);
            s += strspn(s + 1, " ");
        } else if ((unsigned char)*s >= 0x80)
            s = wide(f, s);
        else
            (void)fputc(*s, f);
    }
}

static void heading(FILE *f, const char *name, const char *section) {
    (void)fprintf(f, ".\\\" Written by `ringcast manual`.\n.TH \"");
    for (; *name; name++)
        (void)fputc(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name, f);
    (void)fprintf(f, "\" %s %s \"ringcast %s\" \"Ringcast\"\n", section, RC_RELEASED, RC_VERSION);
}

static void named(FILE *f, const char *name, const char *what) {
    (void)fputs(".SH NAME\n", f);
    text(f, name);
    (void)fputs(" \\- ", f);
    text(f, what);
    (void)fputc('\n', f);
}

static void tagged(FILE *f, const char *tag, const char *value, const char *what) {
    (void)fputs(".TP\n\\fB", f);
    text(f, tag);
    (void)fputs("\\fR", f);
    if (value) {
        (void)fputs(" \\fI", f);
        text(f, value);
        (void)fputs("\\fR", f);
    }
    (void)fputc('\n', f);
    text(f, what);
    (void)fputc('\n', f);
}

static void examples(FILE *f, const char *command) {
    const rc_example *e = rc_examples_of(command);
    if (e->line)
        (void)fputs(".SH EXAMPLES\n", f);
    for (; e->line; e++) {
        (void)fputs(".TP\n", f);
        text(f, e->shows);
        (void)fputs("\n.nf\n", f);
        text(f, e->line);
        (void)fputs("\n.fi\n", f);
    }
}

static void ends(FILE *f, const char *more) {
    (void)fputs(".SH EXIT STATUS\n"
                "0 done, 1 a check fell short, 2 bad usage or input, 3 a fault of the program.\n"
                ".SH SEE ALSO\n.BR ringcast (1)",
                f);
    if (more)
        (void)fprintf(f, ",\n.BR ringcast\\-%s (5)", more);
    (void)fputc('\n', f);
}

static rc_status page(const char *dir, const char *name, const char *section, rc_outfile *o,
                      rc_error *err) {
    char path[RC_PATH_SIZE];
    RC_TRY(rc_path_in(path, dir, err, "%s.%s", name, section));
    RC_TRY(rc_outfile_open(o, path, true, err));
    heading(o->f, name, section);
    return RC_OK;
}

static rc_status of_command(const char *dir, const rc_command_spec *s, rc_error *err) {
    rc_outfile o;
    char name[64];
    rc_key_file files[RC_COMMAND_KEY_FILES];
    const char *usage = s->usage;
    (void)snprintf(name, sizeof name, "ringcast-%s", s->command->name);
    RC_TRY(page(dir, name, "1", &o, err));
    named(o.f, name, s->command->help);
    (void)fputs(".SH SYNOPSIS\n", o.f);
    if (strncmp(usage, "usage: ", 7) == 0)
        usage += 7;
    text(o.f, usage);
    (void)fputs("\n.SH OPTIONS\n", o.f);
    for (size_t i = 0; i < s->count; i++)
        tagged(o.f, s->flags[i].name, s->flags[i].value, s->flags[i].help);
    tagged(o.f, "--help", NULL, "usage, flags and examples");
    examples(o.f, s->command->name);
    ends(o.f,
         rc_command_key_files(s->command->name, files) > 0 ? rc_keys_file_name(files[0]) : NULL);
    return rc_outfile_commit(&o, err);
}

static void key(FILE *f, const rc_key *k) {
    char values[320], range[160];
    (void)rc_key_values(k, values, sizeof values);
    (void)rc_key_range(k, range, sizeof range);
    tagged(f, k->path, values[0] ? values : NULL, k->meaning[0] ? k->meaning : "as its name says");
    if (range[0]) {
        (void)fputs(".br\nrange: ", f);
        text(f, range);
        (void)fputc('\n', f);
    }
    (void)fputs(".br\n", f);
    if (k->otherwise) {
        (void)fputs("default: ", f);
        text(f, k->otherwise + (k->otherwise[0] == '='));
    } else {
        (void)fputs("required", f);
    }
    (void)fputc('\n', f);
}

static rc_status of_file(const char *dir, rc_key_file file, rc_error *err) {
    rc_outfile o;
    char name[64], what[96];
    size_t count;
    const rc_key *k = rc_keys_of(file, &count);
    (void)snprintf(name, sizeof name, "ringcast-%s", rc_keys_file_name(file));
    (void)snprintf(what, sizeof what, "keys of a %s file of ringcast", rc_keys_file_name(file));
    RC_TRY(page(dir, name, "5", &o, err));
    named(o.f, name, what);
    (void)fputs(
        ".SH DESCRIPTION\nThe file is YAML. A dot leads into a map, [] stands for each item "
        "of a list; numbers may carry their unit.\n.SH KEYS\n",
        o.f);
    for (size_t i = 0; i < count; i++)
        key(o.f, &k[i]);
    (void)fputs(".SH SEE ALSO\n.BR ringcast (1),\n.BR ringcast\\-keys (1)\n", o.f);
    return rc_outfile_commit(&o, err);
}

static rc_status overview(const char *dir, const rc_commands *c, rc_error *err) {
    rc_outfile o;
    RC_TRY(page(dir, "ringcast", "1", &o, err));
    named(o.f, "ringcast", "forecasts the latency of long-context LLM inference");
    (void)fputs(
        ".SH SYNOPSIS\n.B ringcast\n.I COMMAND\n.RI [ ARGUMENTS ]\n"
        ".SH DESCRIPTION\n"
        "Forecasts how long language models take to answer long prompts on GPU clusters, from "
        "costs that were measured, before anyone rents the GPUs.\n"
        ".SH COMMANDS\n",
        o.f);
    for (size_t i = 0; i < c->count; i++)
        if (c->all[i].help)
            tagged(o.f, c->all[i].name, NULL, c->all[i].help);
    (void)fputs(".SH ENVIRONMENT\n", o.f);
    tagged(o.f, "RINGCAST_SHARE", NULL,
           "the folder with models/, scenarios/ and schema/. Without it the program takes "
           "../share/ringcast beside its own folder, else the folder it was built from.");
    tagged(o.f, "NO_COLOR", NULL, "no colour on a terminal");
    ends(o.f, NULL);
    return rc_outfile_commit(&o, err);
}

rc_status rc_manual(const rc_commands *c, int argc, char **argv, rc_error *err) {
    const char *dir;
    size_t count;
    bool helped;
    RC_TRY(rc_flags_parse(argc, argv, NULL, 0,
                          "usage: ringcast manual DIR\nWrites manual pages into DIR.", &dir, 1,
                          &count, &helped, err));
    if (helped)
        return RC_OK;
    if (count == 0)
        return rc_fail(err, RC_E_USAGE, "manual needs a folder");
    rc_command_spec *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a command");
    rc_status st = rc_make_dirs(dir, err);
    if (st == RC_OK)
        st = overview(dir, c, err);
    for (size_t i = 0; i < c->count && st == RC_OK; i++) {
        if (!c->all[i].help)
            continue;
        st = rc_command_spec_of(&c->all[i], s, err);
        if (st == RC_OK)
            st = of_command(dir, s, err);
    }
    for (int i = 0; i < RC_KEYS_FILES && st == RC_OK; i++)
        st = of_file(dir, (rc_key_file)i, err);
    free(s);
    return st;
}
