/* A machine's description and fitted numbers as JSON.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/cli/machine_json.h"

static void one_fitted(rc_json *j, json_t *list, const rc_fitted *f) {
    json_t *o = rc_json_object(j, list, NULL);
    rc_json_text(j, o, "name", f->name);
    rc_json_text(j, o, "meaning", f->meaning);
    rc_json_text(j, o, "unit", f->unit);
    rc_json_text(j, o, "rows", f->rows);
    rc_json_real(j, o, "value", f->value);
    rc_json_real(j, o, "low", f->lo);
    rc_json_real(j, o, "high", f->hi);
}

void rc_machine_json(rc_json *j, json_t *root, const rc_machine *m) {
    assert(m->fitted_count >= 0 && m->fitted_count <= RC_MAX_FITTED);
    json_t *o = rc_json_object(j, root, "part");
    rc_json_text(j, o, "machine", m->description);
    rc_json_text(j, o, "gpu", m->gpu);
    rc_json_real(j, o, "memory_bytes", m->memory);
    rc_json_int(j, o, "sms", m->sms);
    rc_json_real(j, o, "power_w", m->power);
    rc_json_text(j, o, "inputs", m->inputs);
    json_t *list = rc_json_list(j, o, "fitted");
    for (int i = 0; i < m->fitted_count; i++)
        one_fitted(j, list, &m->fitted[i]);
}
