/* Ordered, byte-stable JSON.
 *
 * Results are compared by diff and pinned by tests, so the text must depend on the values alone:
 * jansson keeps insertion order, and ten significant digits hide the last bits, which may differ
 * between compilers, while keeping far more than any measurement holds.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/json.h"
#include "sim/base/file.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 10 };

struct rc_json {
    json_t *root;
    bool failed;
};

static rc_json *create(json_t *root) {
    rc_json *j = root ? calloc(1, sizeof *j) : NULL;
    if (j)
        j->root = root;
    else
        json_decref(root);
    return j;
}

rc_json *rc_json_create(void) {
    return create(json_object());
}

rc_json *rc_json_create_list(void) {
    return create(json_array());
}

void rc_json_destroy(rc_json *j) {
    if (!j)
        return;
    json_decref(j->root);
    free(j);
}

json_t *rc_json_root(rc_json *j) {
    return j ? j->root : NULL;
}

/* Hand `value` to the parent. NULL (out of memory) makes the writer fail, and so does a key that is
 * not UTF-8. */
static json_t *put(rc_json *j, json_t *parent, const char *key, json_t *value) {
    if (!j || !parent) {
        json_decref(value);
        return NULL;
    }
    assert(key ? json_is_object(parent) : json_is_array(parent));
    int rc = -1;
    if (key)
        rc = json_object_set_new(parent, key, value);
    else
        rc = json_array_append_new(parent, value);
    if (rc != 0)
        j->failed = true;
    return rc == 0 ? value : NULL;
}

json_t *rc_json_object(rc_json *j, json_t *parent, const char *key) {
    return put(j, parent, key, json_object());
}

json_t *rc_json_list(rc_json *j, json_t *parent, const char *key) {
    return put(j, parent, key, json_array());
}

void rc_json_real(rc_json *j, json_t *parent, const char *key, double v) {
    if (!isfinite(v))
        (void)put(j, parent, key, json_null());
    else
        (void)put(j, parent, key, json_real(v == 0 ? 0.0 : v));
}

void rc_json_int(rc_json *j, json_t *parent, const char *key, int64_t v) {
    (void)put(j, parent, key, json_integer(v));
}

void rc_json_bool(rc_json *j, json_t *parent, const char *key, bool v) {
    (void)put(j, parent, key, json_boolean(v));
}

void rc_json_null(rc_json *j, json_t *parent, const char *key) {
    (void)put(j, parent, key, json_null());
}

/* File names and host strings may hold any bytes; JSON may not. */
static json_t *repaired(const char *s) {
    size_t n = strlen(s);
    char *copy = malloc(n + 1);
    if (!copy)
        return NULL;
    for (size_t i = 0; i <= n; i++)
        copy[i] = (unsigned char)s[i] < 0x80 ? s[i] : '?';
    json_t *value = json_string(copy);
    free(copy);
    return value;
}

void rc_json_text(rc_json *j, json_t *parent, const char *key, const char *s) {
    json_t *value = s ? json_string(s) : json_null();
    if (!value && s)
        value = repaired(s);
    (void)put(j, parent, key, value);
}

void rc_json_textf(rc_json *j, json_t *parent, const char *key, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : malloc((size_t)n + 1);
    if (s) {
        (void)vsnprintf(s, (size_t)n + 1, fmt, again);
        rc_json_text(j, parent, key, s);
        free(s);
    } else if (j) {
        j->failed = true;
    }
    va_end(again);
}

rc_status rc_json_write(const rc_json *j, FILE *f, rc_error *err) {
    assert(f != NULL);
    if (!j || j->failed)
        return rc_fail(err, RC_E_NOMEM, "out of memory while building JSON");
    errno = 0;
    const bool dumped = json_dumpf(j->root, f, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS)) == 0;
    if (!dumped && errno == ENOMEM)
        return rc_fail(err, RC_E_NOMEM, "out of memory while writing JSON");
    if (!dumped || fputc('\n', f) == EOF)
        return rc_fail(err, RC_E_IO, "cannot write JSON");
    return RC_OK;
}

rc_status rc_json_save(const rc_json *j, const char *path, bool overwrite, rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    rc_status st = rc_json_write(j, o.f, err);
    if (st == RC_OK)
        return rc_outfile_commit(&o, err);
    if (st == RC_E_IO)
        st = rc_fail_file(err, RC_E_IO, path, "cannot write: %s", strerror(errno));
    rc_outfile_abort(&o);
    return st;
}

rc_status rc_json_finish(rc_json *j, FILE *f, rc_error *err) {
    rc_status st = rc_json_write(j, f, err);
    rc_json_destroy(j);
    return st;
}

rc_status rc_json_finish_as(rc_json *j, const char *path, bool overwrite, rc_error *err) {
    rc_status st = rc_json_save(j, path, overwrite, err);
    rc_json_destroy(j);
    return st;
}
