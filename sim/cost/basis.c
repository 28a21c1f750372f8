/* What an answer rests on, in words and as JSON: the same for every command.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include "sim/cost/basis.h"

static const double LEAST_SHOWN = 0.0005; /* what is less would show as 0.0 % */

const char *rc_basis_name(rc_basis b) {
    assert(b < RC_BASIS_COUNT);
    static const char *const names[RC_BASIS_COUNT] = {"measured",     "transferred", "published",
                                                      "extrapolated", "modelled",    "stated"};
    return names[b];
}

const char *rc_basis_words(rc_basis b) {
    assert(b < RC_BASIS_COUNT);
    static const char *const words[RC_BASIS_COUNT] = {"measured",
                                                      "carried over from another GPU or clock",
                                                      "published by others",
                                                      "extrapolated",
                                                      "modelled",
                                                      "stated in a file"};
    return words[b];
}

void rc_basis_share(const double amount[RC_BASIS_COUNT], double share[RC_BASIS_COUNT]) {
    double sum = 0.0;
    assert(amount != NULL && share != NULL);
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        sum += amount[b];
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        share[b] = sum > 0.0 ? amount[b] / sum : 0.0;
}

const char *rc_basis_text(const double share[RC_BASIS_COUNT], char *buf, size_t size) {
    size_t used = 0;
    assert(buf != NULL && size >= RC_BASIS_TEXT);
    (void)snprintf(buf, size, "nothing");
    for (int b = 0; b < RC_BASIS_COUNT && used < size; b++) {
        if (!(share[b] >= LEAST_SHOWN))
            continue;
        int n = snprintf(buf + used, size - used, "%s%s %.1f %%", used > 0 ? ", " : "",
                         rc_basis_words((rc_basis)b), 100.0 * share[b]);
        used += n > 0 ? (size_t)n : 0;
    }
    return buf;
}

void rc_basis_json(rc_json *j, json_t *parent, const double share[RC_BASIS_COUNT]) {
    json_t *o = rc_json_object(j, parent, "cost_sources");
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        rc_json_real(j, o, rc_basis_name((rc_basis)b), share[b]);
}
