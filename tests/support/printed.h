/* What a function prints, and what it hands to gnuplot, as texts that a test can hold against figures worked by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_PRINTED_H
#define RC_TESTS_PRINTED_H
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sim/base/file.h"

/* What `print` writes to the standard output; malloc'ed. */
static inline char *printed_by(void (*print)(void)) {
    char path[] = "/tmp/ringcast-printed-XXXXXX", *text = NULL;
    size_t size = 0;
    (void)fflush(stdout);
    const int fd = mkstemp(path), kept = dup(STDOUT_FILENO);
    assert_true(fd >= 0 && kept >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
    print();
    (void)fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(fd);
    (void)close(kept);
    assert_int_equal(rc_file_read(path, &text, &size, NULL), RC_OK);
    (void)unlink(path);
    return text;
}

/* A folder in which drawings are left as their data and their script, by a gnuplot that copies what it is given. */
typedef struct drawings {
    char dir[64];
    char *path; /* that the environment held */
} drawings;

static inline void drawings_begin(drawings *d) {
    char name[96];
    (void)snprintf(d->dir, sizeof d->dir, "/tmp/ringcast-drawn-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    (void)snprintf(name, sizeof name, "%s/gnuplot", d->dir);
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    (void)fprintf(f,
                  "#!/bin/sh\nn=${1%%.gp}\n/bin/cp \"$n.dat\" \"$n.body\" \"$n.gp\" '%s/' && "
                  ": >\"$n.png\" && : >\"$n.svg\"\n",
                  d->dir);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(name, 0700), 0);
    d->path = strdup(getenv("PATH") ? getenv("PATH") : "");
    assert_non_null(d->path);
    assert_int_equal(setenv("PATH", d->dir, 1), 0);
}

/* What a drawing was given: its end "dat", "body" or "gp"; malloc'ed. */
static inline char *drawing(const drawings *d, const char *stem, const char *end) {
    char name[256], *text = NULL;
    size_t size = 0;
    (void)snprintf(name, sizeof name, "%s/%s.%s", d->dir, stem, end);
    assert_int_equal(rc_file_read(name, &text, &size, NULL), RC_OK);
    return text;
}

static inline void drawings_end(drawings *d) {
    assert_int_equal(setenv("PATH", d->path, 1), 0);
    free(d->path);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", d->dir);
    assert_int_equal(system(command), 0);
}

/* Fails unless the text holds the part, and shows the text then. */
static inline void assert_holds(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("no `%s` in:\n%s", part, text);
}

#endif
