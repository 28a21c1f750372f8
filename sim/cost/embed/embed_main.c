/* rc_embed OUT.db FILE.csv...: build the store that is compiled into the program. Runs at build
 * time. SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/cost/store.h"

/* The store is being built: there is none yet. */
const unsigned char *rc_store_embedded(size_t *size) {
    *size = 0;
    return NULL;
}

static rc_status build(const char *out, char **files, size_t n, rc_rows **sets, rc_error *err) {
    for (size_t i = 0; i < n; i++)
        RC_TRY(rc_store_read_csv(files[i], &sets[i], err));
    size_t dropped;
    RC_TRY(rc_rows_supersede(sets, n, &dropped, err));
    if (dropped > 0)
        (void)printf("rc_embed: %zu rows superseded by later ones of the same GPU\n", dropped);
    (void)unlink(out);
    return rc_store_write(out, sets, n, err);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        (void)fprintf(stderr, "usage: rc_embed OUT.db FILE.csv...\n");
        return 2;
    }
    size_t n = (size_t)argc - 2;
    rc_rows **sets = calloc(n + 1, sizeof *sets);
    if (sets == NULL)
        return 3;
    rc_error err = {0};
    rc_status st = build(argv[1], argv + 2, n, sets, &err);
    for (size_t i = 0; i < n; i++)
        rc_rows_free(sets[i]);
    free(sets);
    char text[1200];
    if (st != RC_OK)
        (void)fprintf(stderr, "rc_embed: %s\n", rc_error_text(&err, text, sizeof text));
    return rc_exit_code(st);
}
