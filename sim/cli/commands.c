/* What the commands say of themselves.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/commands.h"
#include <assert.h>
#include <ctype.h>
#include <string.h>

static void keep(void *to, const char *usage, const rc_flag *flags, size_t count) {
    rc_command_spec *s = to;
    s->usage = usage;
    s->count = count;
    for (size_t i = 0; i < count; i++) /* a command may have none */
        s->flags[i] = flags[i];
}

rc_status rc_command_spec_of(const rc_command *c, rc_command_spec *out, rc_error *err) {
    char name[32], help[] = "--help";
    char *argv[] = {name, help, NULL};
    (void)snprintf(name, sizeof name, "%s", c->name);
    *out = (rc_command_spec){.command = c, .usage = ""};
    rc_flags_read_by(keep, out);
    rc_status st = c->run(2, argv, err);
    rc_flags_read_by(NULL, NULL);
    return st;
}

const char *rc_words_of(const char *text, size_t length, char *buf, size_t size) {
    assert(buf != NULL && size > 0);
    buf[0] = '\0';
    if (length + 1 > size || memchr(text, '|', length) == NULL)
        return buf;
    for (size_t i = 0; i < length; i++)
        if (isupper((unsigned char)text[i]) || text[i] == '.')
            return buf; /* a word that stands for others */
    for (size_t i = 0; i < length; i++)
        buf[i] = text[i] == '|' ? ' ' : text[i];
    buf[length] = '\0';
    return buf;
}

const char *rc_command_words(const rc_command_spec *s, char *buf, size_t size) {
    char head[64];
    int n = snprintf(head, sizeof head, "ringcast %s ", s->command->name);
    const char *at = strstr(s->usage, head);
    buf[0] = '\0';
    if (at == NULL || n < 0)
        return buf;
    at += n;
    return rc_words_of(at, strcspn(at, " \n"), buf, size);
}

int rc_command_key_files(const char *command, rc_key_file out[RC_COMMAND_KEY_FILES]) {
    static const struct {
        const char *name;
        int count;
        rc_key_file files[RC_COMMAND_KEY_FILES];
    } takes[] = {
        {"forward", 2, {RC_KEYS_FORWARD, RC_KEYS_MACHINE}},
        {"sweep", 3, {RC_KEYS_FORWARD, RC_KEYS_SWEEP, RC_KEYS_MACHINE}},
        {"tune", 2, {RC_KEYS_TUNE, RC_KEYS_MACHINE}},
        {"serve", 2, {RC_KEYS_SERVE, RC_KEYS_MACHINE}},
        {"plan", 3, {RC_KEYS_PLAN, RC_KEYS_SERVE, RC_KEYS_MACHINE}},
        {"choose", 1, {RC_KEYS_MACHINE}},
        {"paper", 1, {RC_KEYS_MACHINE}},
    };
    for (size_t i = 0; i < sizeof takes / sizeof takes[0]; i++)
        if (strcmp(takes[i].name, command) == 0) {
            memcpy(out, takes[i].files, sizeof takes[i].files);
            return takes[i].count;
        }
    return 0;
}
