/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/page/json_values.h"
#include <math.h>
#include <stdio.h>

const char *value_text(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

double value_real(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

bool value_true(const json_t *o, const char *key) {
    return json_is_true(json_object_get(o, key));
}

double value_below(const json_t *o, const char *key, const char *below) {
    return value_real(json_object_get(o, key), below);
}

const char *time_text(double seconds, char buf[TIME_TEXT]) {
    double size = fabs(seconds);
    if (!isfinite(seconds))
        (void)snprintf(buf, TIME_TEXT, "?");
    else if (size < 0.99995e-3)
        (void)snprintf(buf, TIME_TEXT, "%.1f us", 1e6 * seconds);
    else if (size < 0.99995)
        (void)snprintf(buf, TIME_TEXT, "%.1f ms", 1e3 * seconds);
    else if (size < 120.0)
        (void)snprintf(buf, TIME_TEXT, "%.2f s", seconds);
    else if (size < 7200.0)
        (void)snprintf(buf, TIME_TEXT, "%.1f min", seconds / 60.0);
    else
        (void)snprintf(buf, TIME_TEXT, "%.1f h", seconds / 3600.0);
    return buf;
}
