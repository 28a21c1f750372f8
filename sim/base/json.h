/* JSON for writing: a thin layer over jansson that keeps insertion order and gives the same bytes
 * every time. Reading JSON goes through sim/base/doc.h.
 *
 * Failure is sticky: setters never report, and rc_json_write says RC_E_NOMEM if any of them ran out
 * of memory. A parent is an object (give `key`) or a list (give key = NULL: appends). NULL parents
 * are ignored, so a chain of calls needs no checks.
 *     rc_json *j = rc_json_create();
 *     json_t *m = rc_json_object(j, rc_json_root(j), "machine");
 *     rc_json_real(j, m, "hbm_rate", 3.35e12);
 *     return rc_json_finish_as(j, "out.json", false, err);
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_JSON_H
#define RC_BASE_JSON_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "sim/base/error.h"

typedef struct rc_json rc_json;

rc_json *rc_json_create(void);      /* root is an object; NULL when out of memory */
rc_json *rc_json_create_list(void); /* root is a list */
void rc_json_destroy(rc_json *j);   /* NULL is fine */
json_t *rc_json_root(rc_json *j);   /* borrowed; NULL when j is NULL */

/* New child containers, borrowed from the tree. */
json_t *rc_json_object(rc_json *j, json_t *parent, const char *key);
json_t *rc_json_list(rc_json *j, json_t *parent, const char *key);
/* Reals are written with 10 significant digits; nan and infinities become null, -0 becomes 0. */
void rc_json_real(rc_json *j, json_t *parent, const char *key, double v);
void rc_json_int(rc_json *j, json_t *parent, const char *key, int64_t v);
void rc_json_bool(rc_json *j, json_t *parent, const char *key, bool v);
void rc_json_null(rc_json *j, json_t *parent, const char *key);
/* NULL becomes null; bytes that are not UTF-8 become '?'. */
void rc_json_text(rc_json *j, json_t *parent, const char *key, const char *s);
void rc_json_textf(rc_json *j, json_t *parent, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The whole tree, indented by two, with a newline at the end. `f` may be an rc_outfile's. */
rc_status rc_json_write(const rc_json *j, FILE *f, rc_error *err);
/* The same into a file that appears whole or not at all. */
rc_status rc_json_save(const rc_json *j, const char *path, bool overwrite, rc_error *err);
/* Both, and the tree is destroyed. */
rc_status rc_json_finish(rc_json *j, FILE *f, rc_error *err);
rc_status rc_json_finish_as(rc_json *j, const char *path, bool overwrite, rc_error *err);

#endif
