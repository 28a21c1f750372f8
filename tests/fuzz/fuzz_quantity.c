/* Fuzz target: the parser of quantities. Beyond "no crash": what is accepted is finite, and what
 * is written back is accepted with the same value to ten digits.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, rc_dim dim) {
    double v = 0, back = 0;
    rc_error e;
    char shown[64];
    if (rc_quantity_parse(text, dim, &v, &e) != RC_OK) {
        if (e.msg[0] == '\0')
            abort();
        return;
    }
    if (!isfinite(v))
        abort();
    rc_quantity_format(v, dim, shown, sizeof shown);
    if (rc_quantity_parse(shown, dim, &back, NULL) == RC_OK) {
        if (fabs(back - v) > 1e-9 * fabs(v))
            abort();
    } else if (fabs(v) > 1e-280 && fabs(v) < 1e280) {
        abort(); /* only at the ends of the range may ten digits fall outside it */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    for (int dim = RC_DIM_COUNT; dim <= RC_DIM_RATIO; dim++)
        check(text, (rc_dim)dim);
    int64_t whole = 0;
    double v = 0;
    if (rc_quantity_int(text, INT64_MIN, INT64_MAX, &whole, NULL) == RC_OK &&
        (rc_quantity_parse(text, RC_DIM_COUNT, &v, NULL) != RC_OK || v != (double)whole))
        abort(); /* both readers agree on a whole number */
    free(text);
    return 0;
}
