/* rc_embed OUT.db OUT.c FILE...: what is compiled into the program, made at build time. FILE.csv
 * are calibrations, whose rows become the store OUT.db; FILE.yaml are machine files, and each base
 * and clock state that one of them rests on becomes a book of OUT.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/base/parallel.h"
#include "sim/cost/builtin.h"
#include "sim/cost/class_errors.h"
#include "sim/cost/embed/book_text.h"
#include "sim/machine/machine.h"

/* What is compiled in is being made: there is none yet. */
const rc_book rc_builtin_books[1];
const size_t rc_builtin_count = 0;
const unsigned char *rc_store_embedded(size_t *size) {
    *size = 0;
    return NULL;
}

typedef struct made {
    rc_rows **sets; /* of the CSV files */
    size_t set_count;
    rc_rows *rows;      /* of the store that was made of them */
    rc_machine *wanted; /* with the base and the state of each book */
    rc_built_book **books;
    const rc_book **views;
    size_t book_count;
} made;

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), k = strlen(end);
    return n >= k && strcmp(name + n - k, end) == 0;
}

static rc_status make_store(const char *out, char **files, size_t n, made *m, rc_error *err) {
    for (size_t i = 0; i < n; i++)
        if (ends_with(files[i], ".csv"))
            RC_TRY(rc_store_read_csv(files[i], &m->sets[m->set_count++], err));
    size_t dropped;
    RC_TRY(rc_rows_supersede(m->sets, m->set_count, &dropped, err));
    if (dropped > 0)
        (void)printf("rc_embed: %zu rows superseded by later ones of the same GPU\n", dropped);
    (void)unlink(out);
    return rc_store_write(out, m->sets, m->set_count, err);
}

/* The base and clock state of each machine file, each pair once, in the order of the files. */
static rc_status read_wanted(char **files, size_t n, made *m, rc_error *err) {
    for (size_t i = 0; i < n; i++) {
        rc_machine machine;
        if (!ends_with(files[i], ".yaml"))
            continue;
        RC_TRY(rc_machine_load(files[i], &machine, err));
        bool have = false;
        for (size_t k = 0; k < m->book_count && !have; k++)
            have = strcmp(m->wanted[k].base, machine.base) == 0 &&
                   strcmp(m->wanted[k].state, machine.state) == 0;
        if (!have)
            m->wanted[m->book_count++] = machine;
    }
    return RC_OK;
}

static rc_status make_book(void *ctx, size_t i, rc_error *err) {
    made *m = ctx;
    RC_TRY(rc_book_build(m->rows, m->wanted[i].base, m->wanted[i].state, &m->books[i], err));
    RC_TRY(rc_book_learn(m->books[i], m->rows, RC_LEARN_WELL, err));
    m->views[i] = rc_built_book_of(m->books[i]);
    return RC_OK;
}

/* Books know nothing of each other: as many at a time as there are cores. */
static rc_status make_books(const char *store, char **files, size_t n, made *m, rc_error *err) {
    RC_TRY(rc_store_rows(store, NULL, &m->rows, err)); /* read back, as the program reads a store */
    RC_TRY(read_wanted(files, n, m, err));
    return rc_parallel(m->book_count, 0, make_book, m, err);
}

static rc_status write_books(const char *out, const made *m, rc_error *err) {
    FILE *f = fopen(out, "w");
    if (f == NULL)
        return rc_fail_at(err, RC_E_IO, out, 0, 0, "cannot be written");
    rc_status st = rc_book_write_text(f, m->views, m->book_count, err);
    if (fclose(f) != 0 && st == RC_OK)
        st = rc_fail_at(err, RC_E_IO, out, 0, 0, "cannot be written");
    return st;
}

static rc_status make(char **argv, size_t n, made *m, rc_error *err) {
    m->sets = calloc(n + 1, sizeof(rc_rows *));
    m->wanted = calloc(n + 1, sizeof *m->wanted);
    m->books = calloc(n + 1, sizeof(rc_built_book *));
    m->views = calloc(n + 1, sizeof(rc_book *));
    if (m->sets == NULL || m->wanted == NULL || m->books == NULL || m->views == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu files", n);
    RC_TRY(make_store(argv[1], argv + 3, n, m, err));
    RC_TRY(make_books(argv[1], argv + 3, n, m, err));
    return write_books(argv[2], m, err);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        (void)fprintf(stderr, "usage: rc_embed OUT.db OUT.c FILE.csv... FILE.yaml...\n");
        return 2;
    }
    made m = {0};
    rc_error err = {0};
    rc_status st = make(argv, (size_t)argc - 3, &m, &err);
    for (size_t i = 0; i < m.set_count; i++)
        rc_rows_free(m.sets[i]);
    for (size_t i = 0; i < m.book_count; i++)
        rc_built_book_free(m.books[i]);
    rc_rows_free(m.rows);
    free(m.sets);
    free(m.wanted);
    free(m.books);
    free(m.views);
    char text[1200];
    if (st != RC_OK)
        (void)fprintf(stderr, "rc_embed: %s\n", rc_error_text(&err, text, sizeof text));
    return rc_exit_code(st);
}
