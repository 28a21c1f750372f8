/* Values of a JSON text by their paths: "best/objectives/0/limit_s".
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_JSON_FIGURES_H
#define RC_TESTS_JSON_FIGURES_H
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct json_figure {
    const char *path;
    double value;
} json_figure;

static inline const json_t *json_at(const json_t *o, const char *path) {
    for (const char *p = path; *p;) {
        char part[64];
        const size_t n = strcspn(p, "/");
        assert_true(n < sizeof part);
        memcpy(part, p, n);
        part[n] = '\0';
        o = json_is_array(o) ? json_array_get(o, strtoul(part, NULL, 10))
                             : json_object_get(o, part);
        if (!o)
            fail_msg("the JSON has no %s", path);
        p += n + (p[n] == '/');
    }
    return o;
}

static inline void assert_json_number(const json_t *o, const char *path, double expected) {
    const json_t *found = json_at(o, path);
    const double v = json_number_value(found);
    if (!json_is_number(found) || !(fabs(v - expected) <= 1e-9 * fmax(1.0, fabs(expected))))
        fail_msg("%s is %.12g, expected %.12g", path, v, expected);
}

static inline void assert_json_text(const json_t *o, const char *path, const char *expected) {
    assert_string_equal(json_string_value(json_at(o, path)), expected);
}

#endif
