/* ringcast completion: scripts for bash, zsh and fish, made of the lists of flags and keys.
 *
 * What follows a flag goes by the name of its value: FILE... is a file, DIR a folder, KEY=VALUE a
 * key of the command's files, "a|b" one of the words; --model and --machine ask the program itself.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "sim/cli/commands.h"

enum { KEYS_TEXT = 32768, WORDS_TEXT = 512 };

typedef enum value_kind { V_NONE, V_FILE, V_FOLDER, V_KEY, V_WORDS, V_MODEL, V_MACHINE } value_kind;

/* The words go to `buf`, for V_WORDS. */
static value_kind value_of(const rc_flag *f, char *buf, size_t size) {
    const char *v = f->value ? f->value : "";
    if (strcmp(f->name, "--model") == 0)
        return V_MODEL;
    if (strcmp(f->name, "--machine") == 0)
        return V_MACHINE;
    if (strcmp(v, "ENGINE") == 0)
        (void)snprintf(buf, size, "vllm sglang");
    else if (rc_words_of(v, strlen(v), buf, size)[0] == '\0')
        return strncmp(v, "FILE", 4) == 0    ? V_FILE
               : strcmp(v, "DIR") == 0       ? V_FOLDER
               : strcmp(v, "KEY=VALUE") == 0 ? V_KEY
               : strstr(v, "FILE") != NULL   ? V_FILE
                                             : V_NONE;
    return V_WORDS;
}

/* What stands first behind the command. */
static value_kind argument_of(const rc_command_spec *s, char *buf, size_t size) {
    char head[64];
    if (rc_command_words(s, buf, size)[0] != '\0')
        return V_WORDS;
    (void)snprintf(head, sizeof head, "ringcast %s ", s->command->name);
    const char *at = strstr(s->usage, head);
    at = at ? at + strlen(head) : "";
    if (strncmp(at, "NAME|FILE", 9) == 0)
        return V_MODEL;
    return strstr(at, ".yaml") != NULL || strncmp(at, "FILE", 4) == 0 ? V_FILE : V_NONE;
}

/* "parallel.cp= machine.gpu..." of a command, separated by blanks; an item of a list is its first. */
static void keys_of(const char *command, char *buf, size_t size) {
    rc_key_file files[RC_COMMAND_KEY_FILES];
    int n = rc_command_key_files(command, files);
    size_t used = 0;
    buf[0] = '\0';
    for (int i = 0; i < n; i++) {
        size_t count;
        const rc_key *k = rc_keys_of(files[i], &count);
        for (size_t c = 0; c < count; c++) {
            const char *list = strstr(k[c].path, "[]");
            if (k[c].kind == RC_KEY_SECTION || k[c].kind == RC_KEY_ENTRIES)
                continue;
            int m =
                list ? snprintf(buf + used, size - used, "%.*s.0%s= ", (int)(list - k[c].path),
                                k[c].path, list + 2)
                     : snprintf(buf + used, size - used,
                                "%s%s= ", files[i] == RC_KEYS_MACHINE ? "machine." : "", k[c].path);
            if (m < 0 || used + (size_t)m >= size)
                return; /* never: KEYS_TEXT holds all tables three times */
            used += (size_t)m;
        }
    }
    if (used > 0)
        buf[used - 1] = '\0';
}

static bool listed(const rc_command_spec *s) {
    return s->command->help != NULL;
}

/* ---- bash ------------------------------------------------------------------------------------ */

static const char *const bash_models =
    "$(ringcast models --csv 2>/dev/null | tail -n +2 | cut -d, -f1)";
static const char *const bash_machines =
    "$(ringcast machines --csv 2>/dev/null | tail -n +2 | cut -d, -f1)";

static void bash_words(FILE *f, const char *words) {
    (void)fprintf(f, "mapfile -t COMPREPLY < <(compgen -W \"%s\" -- \"$cur\")", words);
}

static void bash_value(FILE *f, value_kind kind, const char *words, const char *command) {
    static char keys[KEYS_TEXT];
    if (kind == V_FILE)
        (void)fputs("mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")", f);
    else if (kind == V_FOLDER)
        (void)fputs("mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")", f);
    else if (kind == V_MODEL)
        bash_words(f, bash_models);
    else if (kind == V_MACHINE)
        bash_words(f, bash_machines);
    else if (kind == V_WORDS)
        bash_words(f, words);
    else if (kind == V_KEY) {
        keys_of(command, keys, sizeof keys);
        bash_words(f, keys);
        (void)fputs("; compopt -o nospace 2>/dev/null", f);
    } else {
        (void)fputs(":", f);
    }
}

static void bash_command(FILE *f, const rc_command_spec *s) {
    char words[WORDS_TEXT];
    const char *name = s->command->name;
    for (size_t i = 0; i < s->count; i++) {
        if (s->flags[i].kind == RC_FLAG_BOOL)
            continue;
        (void)fprintf(f, "    %s:%s) ", name, s->flags[i].name);
        bash_value(f, value_of(&s->flags[i], words, sizeof words), words, name);
        (void)fputs("; return ;;\n", f);
    }
}

static void bash_rest(FILE *f, const rc_command_spec *s) {
    char words[WORDS_TEXT];
    value_kind kind = argument_of(s, words, sizeof words);
    (void)fprintf(f, "    %s)\n        flags=\"", s->command->name);
    for (size_t i = 0; i < s->count; i++)
        (void)fprintf(f, "%s ", s->flags[i].name);
    (void)fputs("--help\"\n        if [[ $cur != -* ]]; then ", f);
    bash_value(f, kind, words, s->command->name);
    (void)fputs("; return; fi ;;\n", f);
}

static void bash(FILE *f, const rc_command_spec *all, size_t n) {
    (void)fputs("# bash completion for ringcast, written by `ringcast completion bash`\n"
                "_ringcast() {\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} flags=\n"
                "    COMPREPLY=()\n"
                "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                "        mapfile -t COMPREPLY < <(compgen -W \"",
                f);
    for (size_t i = 0; i < n; i++)
        if (listed(&all[i]))
            (void)fprintf(f, "%s ", all[i].command->name);
    (void)fputs("--help --version\" -- \"$cur\")\n"
                "        return\n"
                "    fi\n"
                "    # --flag=value comes in three words\n"
                "    if [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
                "    if [ \"$cur\" = = ]; then cur=; fi\n"
                "    case ${COMP_WORDS[1]}:$prev in\n",
                f);
    for (size_t i = 0; i < n; i++)
        bash_command(f, &all[i]);
    (void)fputs("    esac\n    case ${COMP_WORDS[1]} in\n", f);
    for (size_t i = 0; i < n; i++)
        if (listed(&all[i]))
            bash_rest(f, &all[i]);
    (void)fputs("    esac\n"
                "    mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$cur\")\n"
                "}\n"
                "complete -o filenames -F _ringcast ringcast\n",
                f);
}

/* ---- zsh and fish ---------------------------------------------------------------------------- */

/* Inside single quotes; `special` characters get a backslash. */
static void quoted(FILE *f, const char *text, const char *special, const char *quote) {
    for (; *text; text++) {
        if (*text == '\'') {
            (void)fputs(quote, f);
            continue;
        }
        if (strchr(special, *text))
            (void)fputc('\\', f);
        (void)fputc(*text, f);
    }
}

static const char zsh_quote[] = "'\\''", fish_quote[] = "\\'";

static void zsh_value(FILE *f, value_kind kind, const char *words, const char *command) {
    static char keys[KEYS_TEXT];
    if (kind == V_KEY)
        keys_of(command, keys, sizeof keys);
    if (kind == V_FILE)
        (void)fputs("_files", f);
    else if (kind == V_FOLDER)
        (void)fputs("_files -/", f);
    else if (kind == V_MODEL || kind == V_MACHINE)
        (void)fprintf(f,
                      "{compadd -- ${(f)\"$(ringcast %s --csv 2>/dev/null | tail -n +2 | cut -d, "
                      "-f1)\"}}",
                      kind == V_MODEL ? "models" : "machines");
    else if (kind == V_WORDS)
        (void)fprintf(f, "(%s)", words);
    else if (kind == V_KEY)
        (void)fprintf(f, "{compadd -S \"\" -- %s}", keys);
    else
        (void)fputc(' ', f);
}

static void zsh_command(FILE *f, const rc_command_spec *s) {
    char words[WORDS_TEXT];
    const char *name = s->command->name;
    (void)fprintf(f, "    %s) _arguments", name);
    for (size_t i = 0; i < s->count; i++) {
        const rc_flag *x = &s->flags[i];
        (void)fprintf(f, " \\\n        '%s%s%s[", x->kind == RC_FLAG_MANY ? "*" : "", x->name,
                      x->kind == RC_FLAG_BOOL ? "" : "=");
        quoted(f, x->help, "[]:\\", zsh_quote);
        (void)fputc(']', f);
        if (x->kind != RC_FLAG_BOOL) {
            (void)fputc(':', f);
            quoted(f, x->value, ":", zsh_quote);
            (void)fputc(':', f);
            zsh_value(f, value_of(x, words, sizeof words), words, name);
        }
        (void)fputc('\'', f);
    }
    value_kind kind = argument_of(s, words, sizeof words);
    (void)fprintf(f, " \\\n        '--help[what it takes, and examples]' \\\n        '*:argument:");
    zsh_value(f, kind, words, name);
    (void)fputs("' ;;\n", f);
}

static void zsh(FILE *f, const rc_command_spec *all, size_t n) {
    (void)fputs("#compdef ringcast\n"
                "# zsh completion for ringcast, written by `ringcast completion zsh`\n"
                "_ringcast() {\n"
                "    local -a commands\n"
                "    commands=(\n",
                f);
    for (size_t i = 0; i < n; i++)
        if (listed(&all[i])) {
            (void)fprintf(f, "        '%s:", all[i].command->name);
            quoted(f, all[i].command->help, ":\\", zsh_quote);
            (void)fputs("'\n", f);
        }
    (void)fputs("    )\n"
                "    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
                "    shift words\n"
                "    (( CURRENT-- ))\n"
                "    case $words[1] in\n",
                f);
    for (size_t i = 0; i < n; i++)
        if (listed(&all[i]))
            zsh_command(f, &all[i]);
    (void)fputs(
        "    esac\n}\n"
        "if [ \"$funcstack[1]\" = _ringcast ]; then _ringcast \"$@\"; else compdef _ringcast "
        "ringcast; fi\n",
        f);
}

static void fish_value(FILE *f, value_kind kind, const char *words, const char *command) {
    static char keys[KEYS_TEXT];
    if (kind == V_KEY)
        keys_of(command, keys, sizeof keys);
    if (kind == V_FILE || kind == V_FOLDER)
        (void)fputs(" -r -F", f);
    else if (kind == V_MODEL || kind == V_MACHINE)
        (void)fprintf(f, " -x -a '(ringcast %s --csv 2>/dev/null | tail -n +2 | cut -d, -f1)'",
                      kind == V_MODEL ? "models" : "machines");
    else
        (void)fprintf(f, " -x -a '%s'", kind == V_WORDS ? words : kind == V_KEY ? keys : "");
}

static void fish_command(FILE *f, const rc_command_spec *s) {
    char words[WORDS_TEXT];
    const char *name = s->command->name;
    (void)fprintf(f, "complete -c ringcast -n __fish_use_subcommand -f -a %s -d '", name);
    quoted(f, s->command->help, "\\", fish_quote);
    (void)fputs("'\n", f);
    value_kind kind = argument_of(s, words, sizeof words);
    (void)fprintf(f, "complete -c ringcast -n '__fish_seen_subcommand_from %s'", name);
    if (kind == V_FILE)
        (void)fputs(" -F", f);
    else if (kind == V_NONE)
        (void)fputs(" -f", f);
    else
        fish_value(f, kind, words, name);
    (void)fputc('\n', f);
    for (size_t i = 0; i < s->count; i++) {
        const rc_flag *x = &s->flags[i];
        (void)fprintf(f, "complete -c ringcast -n '__fish_seen_subcommand_from %s' -l %s -d '",
                      name, x->name + 2);
        quoted(f, x->help, "\\", fish_quote);
        (void)fputc('\'', f);
        if (x->kind != RC_FLAG_BOOL)
            fish_value(f, value_of(x, words, sizeof words), words, name);
        (void)fputc('\n', f);
    }
}

static void fish(FILE *f, const rc_command_spec *all, size_t n) {
    (void)fputs("# fish completion for ringcast, written by `ringcast completion fish`\n", f);
    for (size_t i = 0; i < n; i++)
        if (listed(&all[i]))
            fish_command(f, &all[i]);
}

/* ---- the command ----------------------------------------------------------------------------- */

rc_status rc_completion(const rc_commands *c, int argc, char **argv, rc_error *err) {
    static const struct {
        const char *name;
        void (*write)(FILE *f, const rc_command_spec *all, size_t n);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    const char *args[1];
    size_t count;
    bool helped;
    RC_TRY(rc_flags_parse(argc, argv, NULL, 0,
                          "usage: ringcast completion bash|zsh|fish\n"
                          "Prints a script: source <(ringcast completion bash).",
                          args, 1, &count, &helped, err));
    if (helped)
        return RC_OK;
    for (size_t i = 0; i < sizeof shells / sizeof shells[0] && count == 1; i++) {
        if (strcmp(args[0], shells[i].name) != 0)
            continue;
        rc_command_spec *all = calloc(c->count, sizeof *all);
        rc_status st = all ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for the commands");
        for (size_t k = 0; k < c->count && st == RC_OK; k++)
            st = rc_command_spec_of(&c->all[k], &all[k], err);
        if (st == RC_OK)
            shells[i].write(stdout, all, c->count);
        free(all);
        return st;
    }
    return rc_fail(err, RC_E_USAGE, "completion needs a shell: bash, zsh or fish");
}
