/* The identity of a sweep: one canonical text of a document, and a hash over it and over the files
 * that the rows rest on. Comments, spacing and quotes do not change it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/sweep/sweep_internal.h"

#define FNV_PRIME UINT64_C(0x100000001b3)

static void write_text(const char *s, FILE *f) {
    (void)fputc('"', f);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            (void)fputc('\\', f);
        if ((unsigned char)*s < 0x20)
            (void)fprintf(f, "\\u%04x", (unsigned)(unsigned char)*s);
        else
            (void)fputc(*s, f);
    }
    (void)fputc('"', f);
}

void sweep_write_node(const rc_node *n, FILE *f) {
    bool map = rc_node_kind_of(n) == RC_NODE_MAP;
    if (rc_node_kind_of(n) == RC_NODE_SCALAR) {
        write_text(rc_node_text(n), f);
        return;
    }
    (void)fputc(map ? '{' : '[', f);
    for (size_t i = 0; i < rc_node_count(n); i++) {
        if (i > 0)
            (void)fputs(", ", f);
        if (map) {
            write_text(rc_node_key(n, i), f);
            (void)fputs(": ", f);
        }
        sweep_write_node(rc_node_at(n, i), f);
    }
    (void)fputc(map ? '}' : ']', f);
}

uint64_t sweep_hash(uint64_t h, const void *bytes, size_t size) {
    assert(bytes != NULL || size == 0);
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++)
        h = (h ^ b[i]) * FNV_PRIME;
    return h;
}

rc_status sweep_hash_file(uint64_t *h, const char *path, rc_error *err) {
    rc_doc *doc = NULL;
    char *text = NULL;
    size_t size = 0;
    RC_TRY(rc_doc_open(path, &doc, err));
    FILE *f = open_memstream(&text, &size);
    if (f) {
        sweep_write_node(rc_doc_root(doc), f);
        if (fclose(f) == 0)
            *h = sweep_hash(*h, text, size);
    }
    rc_doc_close(doc);
    bool bad = !f || !text;
    free(text);
    return bad ? rc_fail(err, RC_E_NOMEM, "out of memory for the identity of a sweep") : RC_OK;
}
