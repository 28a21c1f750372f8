/* What an answer should say besides its numbers: keeping, printing and writing it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "sim/model/notes.h"

void rc_note(rc_notes *n, const char *fmt, ...) {
    va_list ap;
    assert(n->count >= 0 && n->count <= RC_NOTES);
    if (n->count >= RC_NOTES)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(n->text[n->count], sizeof n->text[0], fmt, ap);
    va_end(ap);
    for (char *c = n->text[n->count]; *c != '\0'; c++) /* names of a file, for a terminal */
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    n->count++;
}

void rc_notes_print(const rc_notes *n, FILE *f) {
    for (int i = 0; i < n->count; i++)
        (void)fprintf(f, "ringcast: note: %s\n", n->text[i]);
}

void rc_notes_json(rc_json *j, json_t *at, const rc_notes *n) {
    json_t *list = rc_json_list(j, at, "notes");
    for (int i = 0; i < n->count; i++)
        rc_json_text(j, list, NULL, n->text[i]);
}
