/* ringcast keys: the keys of a kind of file, as the table of keys has them (sim/keys), and the
 * schedules that keys name, as theirs has them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "sim/base/table.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/keys/keys.h"
#include "sim/schedule/schedule.h"

static const char *otherwise_of(const rc_key *k) {
    if (!k->otherwise)
        return "required";
    return k->otherwise + (k->otherwise[0] == '=');
}

/* "time falls": what a larger value does; "time": what another value does. */
static const char *changes_of(const rc_key *k, char *buf, size_t size) {
    assert(k->direction >= -1 && k->direction <= 1);
    (void)snprintf(buf, size, "%s%s", k->changes,
                   k->direction > 0 ? " rises" : (k->direction < 0 ? " falls" : ""));
    return buf;
}

/* ---- Markdown ------------------------------------------------------------------------------- */

/* A section has a line of its own, in bold; its keys go by their last part below it. */
static void print_row(const rc_key *k) {
    char values[320], range[160], changes[96];
    bool section = k->kind == RC_KEY_SECTION || k->kind == RC_KEY_ENTRIES;
    const char *dot = strrchr(k->path, '.'), *name = dot && !section ? dot + 1 : k->path;
    (void)printf("| %s`%s`%s | %s | %s | %s | %s | %s |\n", section ? "**" : "", name,
                 section ? "**" : "",
                 section && !k->many ? "" : rc_key_values(k, values, sizeof values),
                 rc_key_range(k, range, sizeof range), k->otherwise ? otherwise_of(k) : "",
                 k->meaning, changes_of(k, changes, sizeof changes));
}

static void print_markdown(const rc_key *k, size_t count) {
    assert(k != NULL || count == 0);
    (void)printf("| key | values | range | default | meaning | a larger value; another one |\n"
                 "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++)
        print_row(&k[i]);
}

/* ---- text ----------------------------------------------------------------------------------- */

static rc_status print_keys(const rc_key *k, size_t count, rc_form form, rc_error *err) {
    static const rc_column columns[] = {
        {"key", "key", "", RC_LEFT},     {"values", "values", "", RC_LEFT},
        {"range", "range", "", RC_LEFT}, {"default", "default", "", RC_LEFT},
        {"moves", "moves", "", RC_LEFT}, {"meaning", "meaning", "", RC_LEFT},
    };
    assert(k != NULL || count == 0);
    rc_table *t = RC_TABLE_WITH(columns);
    for (size_t i = 0; i < count; i++) {
        char values[320], range[160], changes[96];
        rc_table_text(t, k[i].path);
        rc_table_text(t, rc_key_values(&k[i], values, sizeof values));
        rc_table_text(t, rc_key_range(&k[i], range, sizeof range));
        rc_table_text(t, otherwise_of(&k[i]));
        rc_table_text(t, changes_of(&k[i], changes, sizeof changes));
        rc_table_text(t, k[i].meaning);
    }
    return rc_form_table(t, form, "keys-1", err);
}

/* ---- schedules ------------------------------------------------------------------------------ */

static const char *yes_if(bool takes) {
    return takes ? "yes" : "";
}

static const char *ranks_of(const rc_schedule *s) {
    return s->many_ranks ? "any" : (s->groups & RC_OVER_TP) != 0 ? "1, dcp" : "1";
}

static void print_schedules_markdown(void) {
    (void)printf("| schedule | ranks | prefill | decode | mixed | what it does |\n"
                 "|---|---|---|---|---|---|\n");
    for (int i = 0; rc_schedule_at(i); i++) {
        const rc_schedule *s = rc_schedule_at(i);
        (void)printf("| `%s` | %s | %s | %s | %s | %s |\n", s->name, ranks_of(s),
                     yes_if(rc_schedule_takes(s, RC_PREFILL, 1)),
                     yes_if(rc_schedule_takes(s, RC_DECODE, 1)),
                     yes_if(rc_schedule_takes(s, RC_MIXED, 1)), s->summary);
    }
}

static rc_status print_schedules(rc_form form, rc_error *err) {
    static const rc_column columns[] = {
        {"schedule", "schedule", "", RC_LEFT}, {"ranks", "ranks", "", RC_LEFT},
        {"prefill", "prefill", "", RC_LEFT},   {"decode", "decode", "", RC_LEFT},
        {"mixed", "mixed", "", RC_LEFT},       {"does", "what it does", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    for (int i = 0; rc_schedule_at(i); i++) {
        const rc_schedule *s = rc_schedule_at(i);
        rc_table_text(t, s->name);
        rc_table_text(t, ranks_of(s));
        rc_table_text(t, yes_if(rc_schedule_takes(s, RC_PREFILL, 1)));
        rc_table_text(t, yes_if(rc_schedule_takes(s, RC_DECODE, 1)));
        rc_table_text(t, yes_if(rc_schedule_takes(s, RC_MIXED, 1)));
        rc_table_text(t, s->summary);
    }
    return rc_form_table(t, form, "schedules-1", err);
}

rc_status rc_cmd_keys(int argc, char **argv, rc_error *err) {
    static const char schedules[] = "schedules";
    bool markdown = false, json = false, csv = false, helped;
    rc_form form = RC_FORM_TEXT;
    const rc_flag flags[] = {
        {"--markdown", RC_FLAG_BOOL, &markdown, NULL, "the table as it stands in docs/"},
        {"--json", RC_FLAG_BOOL, &json, NULL, "as JSON"},
        {"--csv", RC_FLAG_BOOL, &csv, NULL, "as CSV"}};
    const char *args[1], *names[RC_KEYS_FILES + 2] = {0};
    size_t count;
    RC_TRY(rc_flags_parse(
        argc, argv, flags, sizeof flags / sizeof flags[0],
        "usage: ringcast keys machine|forward|sweep|tune|serve|plan|schedules "
        "[flags]\n"
        "What a file of that kind may say, and `--set KEY=VALUE` may change; or what "
        "schedules there are.",
        args, 1, &count, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(rc_form_of(json, csv, &form, err));
    if (count == 0)
        return rc_fail(err, RC_E_USAGE,
                       "keys needs the kind of file: machine, forward, sweep, tune, serve or plan; "
                       "or schedules");
    if (strcmp(args[0], schedules) == 0) {
        if (!markdown)
            return print_schedules(form, err);
        print_schedules_markdown();
        return RC_OK;
    }
    names[RC_KEYS_FILES] = schedules;
    for (int f = 0; f < RC_KEYS_FILES; f++) {
        names[f] = rc_keys_file_name((rc_key_file)f);
        if (strcmp(names[f], args[0]) != 0)
            continue;
        const rc_key *k = rc_keys_of((rc_key_file)f, &count);
        if (!markdown)
            return print_keys(k, count, form, err);
        print_markdown(k, count);
        return RC_OK;
    }
    const char *near = rc_nearest(args[0], names);
    return rc_fail(err, RC_E_USAGE, "unknown kind of file '%.80s'%s%s%s", args[0],
                   near ? " (did you mean '"
                        : "; expected machine, forward, sweep, tune, serve, plan or schedules",
                   near ? near : "", near ? "'?)" : "");
}
