/* Configurations from tests/data and from text.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_MODEL_FILE_H
#define RC_TESTS_MODEL_FILE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model/model.h"

/* tests/data/FOLDER/NAME.json */
__attribute__((unused)) static rc_status model_file(const char *folder, const char *name,
                                                    rc_model *m, rc_error *err) {
    char path[1024];
    const char *root = getenv("RC_SOURCE_DIR");
    (void)snprintf(path, sizeof path, "%s/tests/data/%s/%s.json", root != NULL ? root : ".", folder,
                   name);
    return rc_model_load(path, m, err);
}

__attribute__((unused)) static rc_status model_text(const char *text, rc_model *m, rc_error *err) {
    return rc_model_parse("t.json", text, strlen(text), m, err);
}

/* Does any note of the file hold `words`? */
__attribute__((unused)) static int model_says(const rc_notes *n, const char *words) {
    for (int i = 0; i < n->count; i++)
        if (strstr(n->text[i], words) != NULL)
            return 1;
    return 0;
}

#endif
