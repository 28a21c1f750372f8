/* Reading one map of a quantization_config: what the readers of all tools share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>

#include "sim/model/quantisation.h"

const char *rc_quant_text(const rc_node *map, const char *key, const char *otherwise) {
    const rc_node *n = rc_config_given(map, key);
    return n != NULL && rc_node_kind_of(n) == RC_NODE_SCALAR ? rc_node_text(n) : otherwise;
}

bool rc_quant_true(const rc_node *map, const char *key) {
    const char *t = rc_quant_text(map, key, "false");
    return strcmp(t, "true") == 0 || strcmp(t, "True") == 0;
}

rc_status rc_quant_int(const rc_quant_reading *r, const rc_node *map, const char *key, int64_t lo,
                       int64_t hi, int64_t otherwise, int64_t *out) {
    *out = otherwise;
    return rc_config_given(map, key) != NULL ? rc_doc_int(map, key, lo, hi, out, r->err) : RC_OK;
}

rc_status rc_quant_leave_out(rc_quant_reading *r, const rc_node *map, const char *key) {
    const rc_node *list = rc_config_given(map, key);
    if (list == NULL)
        return RC_OK;
    int i = r->left[0] != NULL;
    if (r->left[i] != NULL)
        return rc_node_fail(list, r->err, RC_E_INPUT,
                            "a third list of modules that are not quantised");
    return rc_modules_open(list, &r->left[i], r->err);
}

void rc_quant_add(rc_quant_reading *r, rc_dtype d, int64_t rows, int64_t columns, double bytes) {
    assert(r->groups < RC_QUANT_GROUPS && rows >= 0 && columns >= 0 && bytes >= 0.0);
    r->group[r->groups].scheme = (rc_scheme){d, {rows, columns, bytes}};
    r->groups++;
}

rc_status rc_quant_refuse(const rc_quant_reading *r, const rc_node *at, const char *what) {
    return rc_node_fail(at != NULL ? at : r->map, r->err, RC_E_UNMODELLED,
                        "weights quantised by %s: %.80s is not modelled. Without this map, and "
                        "with `dtypes` in the scenario, other types can be tried",
                        r->m->quant.method, what);
}
