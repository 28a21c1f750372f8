/* Documents of a test, parsed from their text, and the words of errors. A test includes cmocka.h before this.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_PARSED_DOC_H
#define RC_TESTS_SUPPORT_PARSED_DOC_H
#include <string.h>

#include "sim/base/doc.h"

static char text_of[1200]; /* of the last error */

/* Of "s.yaml", which must be sound; closed by the caller. */
static rc_doc *parse(const char *text) {
    rc_doc *d = NULL;
    rc_error e = {0};
    if (rc_doc_parse("s.yaml", text, strlen(text), &d, &e) != RC_OK)
        fail_msg("%s", rc_error_text(&e, text_of, sizeof text_of));
    return d;
}

/* `call` reports to &e. */
#define EXPECT_ERROR(call, st, text)                                                               \
    do {                                                                                           \
        rc_error e = {0};                                                                          \
        assert_int_equal((call), (st));                                                            \
        assert_string_equal(rc_error_text(&e, text_of, sizeof text_of), (text));                   \
    } while (0)

#endif
