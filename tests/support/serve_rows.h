/* Serving of requests that a test names row by row.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_SERVE_ROWS_H
#define RC_TESTS_SUPPORT_SERVE_ROWS_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>
#include "tests/support/serve.h"

/* `rows` of arrival (s), prompt and reply, or a file with a head of its own, as a trace. Costs are the
 * scenario's, else those of its machine. Result: malloc'ed, by request. */
SERVE_UNUSED static rc_served *serve_rows(const char *text, const char *rows, rc_serve_options o,
                                          rc_serve_result *out) {
    char path[] = "worked-XXXXXX", all[4096];
    rc_error err = {0};
    rc_served *served = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)snprintf(all, sizeof all, "%s%s",
                   rows[0] == '0' ? "arrived_at,num_prefill_tokens,num_decode_tokens\n" : "", rows);
    assert_int_equal(write(fd, all, strlen(all)), strlen(all));
    (void)close(fd);
    (void)snprintf(all, sizeof all, "%sarrivals: {trace: %s/%s}\n", text,
                   getcwd((char[1024]){0}, 1024), path);
    o.seed = 1;
    rc_serve *s = malloc(sizeof *s);
    rc_costs *costs = NULL;
    assert_non_null(s);
    rc_status st = serve_parse(all, s, &err);
    if (st == RC_OK && !strstr(all, "costs:"))
        st = rc_costs_open(NULL, &s->machine, &costs, &err);
    o.costs = costs;
    if (st == RC_OK)
        st = serve_text(all, o, out, &served, &err);
    rc_costs_close(costs);
    free(s);
    (void)unlink(path);
    if (st != RC_OK)
        fail_msg("%s", err.msg);
    return served;
}

#endif
