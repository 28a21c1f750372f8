/* Fuzz target: documents. Walks what was accepted with every reader, sets overrides on it, and
 * requires each refusal to carry a message.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include "sim/base/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void refused_with_a_message(rc_status st, const rc_error *e) {
    if (st != RC_OK && (e->msg[0] == '\0' || e->status != st))
        abort();
}

/* Depth is bounded by the parser, so recursion is. */
static void walk(const rc_node *n) {
    static const char *const keys[] = {"model", "machine", "parallel", NULL};
    rc_error e = {0};
    char path[128];
    rc_node_path(n, path, sizeof path);
    if (rc_node_kind_of(n) == RC_NODE_MAP)
        refused_with_a_message(rc_doc_known(n, keys, &e), &e);
    for (size_t i = 0; i < rc_node_count(n); i++) {
        const rc_node *child = rc_node_at(n, i);
        const char *key = rc_node_key(n, i);
        double v = 0;
        int64_t whole = 0;
        bool yes = false;
        int choice = 0;
        const char *text = NULL;
        if (key) {
            refused_with_a_message(rc_doc_quantity(n, key, RC_DIM_BANDWIDTH, 1, INFINITY, &v, &e),
                                   &e);
            refused_with_a_message(rc_doc_int(n, key, 1, 64, &whole, &e), &e);
            refused_with_a_message(rc_doc_bool(n, key, &yes, &e), &e);
            refused_with_a_message(rc_doc_string(n, key, &text, &e), &e);
            refused_with_a_message(rc_doc_choice(n, key, keys, &choice, &e), &e);
        }
        walk(child);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_doc *d = NULL;
    rc_error e = {0};
    rc_status st = rc_doc_parse("fuzz", (const char *)data, size, &d, &e);
    refused_with_a_message(st, &e);
    if (st != RC_OK)
        return 0;
    walk(rc_doc_root(d));
    refused_with_a_message(rc_doc_set(d, "parallel.cp", "4", &e), &e);
    char *value = malloc(size + 1); /* the input as an override of itself */
    if (value) {
        for (size_t i = 0; i < size; i++)
            value[i] = (char)data[i];
        value[size] = '\0';
        refused_with_a_message(rc_doc_set(d, "parallel.again", value, &e), &e);
        free(value);
    }
    walk(rc_doc_root(d));
    rc_doc_close(d);
    return 0;
}
