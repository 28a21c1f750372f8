/* Reading results whose shape nobody promises: a value that is missing or of another kind is none.
 * Strings returned live as long as the document.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PAGE_JSON_VALUES_H
#define RC_PAGE_JSON_VALUES_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

const char *value_text(const json_t *o, const char *key); /* "" */
double value_real(const json_t *o, const char *key);      /* NAN */
bool value_true(const json_t *o, const char *key);        /* false */
/* A key below another one: "ttft_ms", "p95". */
double value_below(const json_t *o, const char *key, const char *below);

enum { TIME_TEXT = 32 };
/* "82.1 ms", "11.03 s", "5.2 min"; "?" when not finite. Returns buf. */
const char *time_text(double seconds, char buf[TIME_TEXT]);

#endif
