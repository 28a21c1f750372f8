/* Stages of a pipeline: layers side by side.
 *
 * Stages have as many layers each. Those that are left over go one each to inner stages, from the last but
 * one forwards, as vLLM deals them (get_pp_indices of vllm/distributed/utils.py), or to the last stages, as
 * SGLang does (the same function of sglang/srt/distributed/utils.py). The first stage has the embedding, the
 * last the final norm and the LM head (of tied embeddings a copy).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/model/model.h"

int rc_model_stage_layers(const rc_model *m, const rc_stages *of, int stage, int *first) {
    const int stages = of->count;
    assert(stages >= 1 && stage >= 0 && stage < stages);
    const int each = m->layers / stages, more = m->layers % stages;
    const int end = of->rest == RC_REST_LAST || stages == 1 ? stages : stages - 1;
    int at = 0, count = 0;
    for (int s = 0; s <= stage; s++) {
        at += count;
        count = each + (s < end && s >= end - more);
    }
    *first = at;
    return count;
}

/* Only the kinds that the stage has, with their quantised layers cut down to its own. */
static void keep_kinds(const rc_model *m, rc_model *out, const int *own, uint8_t *number) {
    out->kinds = 0;
    for (int k = 0; k < m->kinds; k++) {
        if (own[k] == 0)
            continue;
        const int all = rc_model_layers_of(m, k);
        rc_layer_kind *to = &out->kind[out->kinds];
        *to = m->kind[k];
        for (int p = 0; p < RC_PROJS; p++)
            if (to->stored[p].layers == all || to->stored[p].layers > own[k])
                to->stored[p].layers = own[k];
        number[k] = (uint8_t)out->kinds++;
    }
}

rc_status rc_model_stage(const rc_model *m, const rc_stages *of, int stage, rc_model *out,
                         rc_error *err) {
    const int stages = of->count;
    int first, own[RC_KINDS] = {0};
    uint8_t number[RC_KINDS] = {0};
    if (m->layers < stages)
        return rc_fail(err, RC_E_INPUT, "%d stages of a pipeline, and %s has %d layers", stages,
                       m->name, m->layers);
    const int count = rc_model_stage_layers(m, of, stage, &first);
    uint8_t *kind_of = malloc((size_t)count);
    if (!kind_of)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %d layers", count);
    for (int i = 0; i < count; i++)
        own[rc_model_kind_of(m, first + i)]++;
    *out = *m;
    keep_kinds(m, out, own, number);
    for (int i = 0; i < count; i++)
        kind_of[i] = number[rc_model_kind_of(m, first + i)];
    bool fits = rc_model_set_order(out, kind_of, count);
    free(kind_of);
    out->without_embedding = stage > 0;
    out->without_head = stage < stages - 1;
    return fits ? RC_OK
                : rc_fail(err, RC_E_UNMODELLED, "the layers of stage %d of %s change too often",
                          stage, m->name);
}
