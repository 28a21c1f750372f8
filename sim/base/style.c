/* Which streams get colour.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/style.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_colour(FILE *f) {
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(f)) == 1 && (no == NULL || no[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}

const char *rc_style_on(FILE *f, rc_style s) {
    static const char *const escapes[] = {[RC_STYLE_ANSWER] = "\033[1m",
                                          [RC_STYLE_ASIDE] = "\033[2m",
                                          [RC_STYLE_FAULT] = "\033[1;31m",
                                          [RC_STYLE_END] = "\033[0m"};
    assert(f != NULL && (unsigned)s <= RC_STYLE_END);
    return has_colour(f) ? escapes[s] : "";
}
