/* Fuzz target: inputs of a page. What is accepted becomes a page whose scripts are those of the program
 * and one for each figure, whatever stands in the input.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sim/page/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const char *text, const char *what) {
    size_t n = 0;
    for (const char *s = text; (s = strstr(s, what)) != NULL; s++)
        n++;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_page *p = NULL;
    rc_error e = {0};
    char *text = NULL;
    size_t length = 0;
    if (rc_page_create(&p, &e) != RC_OK)
        return 0;
    rc_status st = rc_page_add_text(p, "fuzz", (const char *)data, size, &e);
    if (st != RC_OK && e.msg[0] == '\0')
        abort();
    FILE *f = st == RC_OK ? open_memstream(&text, &length) : NULL;
    if (f) {
        rc_page_write(p, NULL, f);
        (void)fclose(f);
        size_t figures = count(text, "data-figure=\"");
        if (count(text, "<script") != 4 + figures || count(text, "</script") != 4 + figures)
            abort();
        free(text);
    }
    rc_page_destroy(p);
    return 0;
}
