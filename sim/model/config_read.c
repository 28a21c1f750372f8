/* Reading single keys of a configuration: what the readers of layers share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/model/reading.h"

rc_status rc_config_bool(const rc_config *c, const char *key, bool otherwise, bool *out) {
    *out = otherwise;
    return rc_config_given(c->decoder, key) != NULL ? rc_doc_bool(c->decoder, key, out, c->err)
                                                    : RC_OK;
}

rc_status rc_config_int(const rc_config *c, const char *key, int64_t lo, int64_t hi,
                        int64_t otherwise, int64_t *out) {
    *out = otherwise;
    return rc_config_given(c->decoder, key) != NULL
               ? rc_doc_int(c->decoder, key, lo, hi, out, c->err)
               : RC_OK;
}

rc_status rc_config_first(const rc_config *c, const char *const *keys, int64_t lo, int64_t hi,
                          int64_t otherwise, int64_t *out) {
    *out = otherwise;
    for (int i = 0; keys[i] != NULL; i++)
        if (rc_config_given(c->decoder, keys[i]) != NULL)
            return rc_doc_int(c->decoder, keys[i], lo, hi, out, c->err);
    return RC_OK;
}

const char *rc_config_item(const rc_config *c, const char *key, int i) {
    const rc_node *list = rc_config_given(c->decoder, key);
    bool there = list != NULL && rc_node_kind_of(list) == RC_NODE_LIST && i >= 0 &&
                 (size_t)i < rc_node_count(list);
    return there ? rc_node_text(rc_node_at(list, (size_t)i)) : NULL;
}
