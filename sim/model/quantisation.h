/* What the readers of a quantization_config share. Not for other rooms.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_MODEL_QUANTISATION_H
#define RC_MODEL_QUANTISATION_H
#include "sim/model/reading.h"

enum { RC_QUANT_GROUPS = 8 };

/* What one map says, while it is read. */
typedef struct rc_quant_reading {
    rc_model *m;
    rc_error *err;
    const rc_node *map;
    rc_modules *left[2]; /* modules that are not quantised: any that a list names */
    struct {
        rc_scheme scheme;
        rc_modules *of; /* NULL: every projection */
    } group[RC_QUANT_GROUPS];
    int groups;
    bool head; /* the LM head is quantised unless a list leaves it out */
} rc_quant_reading;

/* quantisation_read.c. A text, a switch and a whole number of a map, or what they are worth when
 * they are missing. */
const char *rc_quant_text(const rc_node *map, const char *key, const char *otherwise);
bool rc_quant_true(const rc_node *map, const char *key);
rc_status rc_quant_int(const rc_quant_reading *r, const rc_node *map, const char *key, int64_t lo,
                       int64_t hi, int64_t otherwise, int64_t *out);
/* The list under `key`, if there is one, names modules that are not quantised. */
rc_status rc_quant_leave_out(rc_quant_reading *r, const rc_node *map, const char *key);
/* One more way in which weights are stored; r->groups must be below RC_QUANT_GROUPS. */
void rc_quant_add(rc_quant_reading *r, rc_dtype d, int64_t rows, int64_t columns, double bytes);
/* RC_E_UNMODELLED at `at` (NULL: the map): "weights quantised by TOOL: WHAT is not modelled". */
rc_status rc_quant_refuse(const rc_quant_reading *r, const rc_node *at, const char *what);

/* quantisation_groups.c: the tools that write groups of their own making. */
rc_status rc_quant_compressed(rc_quant_reading *r);
rc_status rc_quant_modelopt(rc_quant_reading *r);

#endif
