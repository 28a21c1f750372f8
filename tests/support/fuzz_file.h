/* The input of a fuzz target as a file, for readers that take a path.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TEST_FUZZ_FILE_H
#define RC_TEST_FUZZ_FILE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "sim/base/error.h"

/* False when the file could not be written: then there is nothing to try. The caller removes it. */
static inline bool fuzz_file(char path[128], const char *name, const uint8_t *data, size_t size) {
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(path, 128, "%.80s/fuzz_%s.%ld", tmp ? tmp : "/tmp", name, (long)getpid());
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return false;
    const bool whole = fwrite(data, 1, size, f) == size;
    if (fclose(f) == 0 && whole)
        return true;
    (void)unlink(path);
    return false;
}

/* An error has words and is the one that was returned. */
static inline void fuzz_check_error(rc_status st, const rc_error *e) {
    if (st != RC_OK && (e->msg[0] == '\0' || e->status != st))
        abort();
}

#endif
