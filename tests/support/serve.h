/* Serving scenarios as text, for tests.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_SERVE_H
#define RC_TESTS_SUPPORT_SERVE_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/serve/serve.h"

#if defined(__GNUC__)
#define SERVE_UNUSED __attribute__((unused))
#else
#define SERVE_UNUSED
#endif

#define SERVE_HEAD "serve: test\nmodel: llama-3.1-8b\nmachine: h100-sxm\n"

SERVE_UNUSED static rc_status serve_parse(const char *text, rc_serve *s, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_parse("test.yaml", text, strlen(text), &doc, err));
    rc_status st = rc_serve_read(doc, NULL, 0, s, err);
    rc_doc_close(doc);
    return st;
}

/* Read and run; `costs` may be NULL with costs of its own. `rows`, when not NULL, receives
 * malloc'ed rows. */
SERVE_UNUSED static rc_status serve_text(const char *text, rc_serve_options o, rc_serve_result *out,
                                         rc_served **rows, rc_error *err) {
    rc_serve *s = malloc(sizeof *s);
    rc_trace *trace = NULL;
    rc_served *all = NULL;
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = serve_parse(text, s, err);
    if (st == RC_OK)
        st = rc_serve_workload(s, o.seed, 0.0, &trace, err);
    if (st == RC_OK) {
        all = calloc(trace->count, sizeof *all);
        o.rows = all;
        o.quiet = true;
        st = rc_serve_run(s, trace, &o, out, err);
    }
    rc_trace_free(trace);
    free(s);
    if (rows)
        *rows = all;
    else
        free(all);
    return st;
}

#endif
