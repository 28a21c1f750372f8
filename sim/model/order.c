/* The order of a model's layers: runs of a pattern of kinds.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "sim/model/model.h"

int rc_model_runs(const rc_model *m) {
    assert(m->kinds >= 1 && m->kinds <= RC_KINDS && m->runs >= 0 && m->runs <= RC_RUNS);
    return m->runs > 0 ? m->runs : 1;
}

rc_layer_run rc_model_run(const rc_model *m, int i) {
    const rc_layer_run all = {.length = 1, .times = m->layers};
    assert(i >= 0 && i < rc_model_runs(m));
    if (m->runs == 0)
        return all;
    assert(m->run[i].length >= 1 && m->run[i].length <= RC_PATTERN && m->run[i].times >= 1);
    return m->run[i];
}

int rc_model_kind_of(const rc_model *m, int layer) {
    assert(layer >= 0 && layer < m->layers);
    for (int i = 0; i < m->runs; i++) {
        const rc_layer_run *r = &m->run[i];
        if (layer < r->length * r->times)
            return r->kind[layer % r->length];
        layer -= r->length * r->times;
    }
    return 0;
}

int rc_model_layers_of(const rc_model *m, int kind) {
    int layers = 0;
    assert(kind >= 0 && kind < m->kinds);
    for (int i = 0; i < rc_model_runs(m); i++) {
        const rc_layer_run r = rc_model_run(m, i);
        for (int k = 0; k < r.length; k++)
            layers += r.kind[k] == kind ? r.times : 0;
    }
    return layers;
}

bool rc_model_uniform(const rc_model *m) {
    return rc_model_runs(m) == 1 && rc_model_run(m, 0).length == 1;
}

/* How often the pattern of `length` kinds that stands at `from` comes there in a row. */
static int times_at(const uint8_t *kind_of, int layers, int from, int length) {
    int times = 1;
    while (from + (times + 1) * length <= layers &&
           memcmp(kind_of + from, kind_of + from + (ptrdiff_t)times * length, (size_t)length) == 0)
        times++;
    return times;
}

/* The run that begins at layer `from`: of the patterns that come at least twice the one that covers
 * most layers, and of equals the shortest. Where none does, the one layer alone. */
static rc_layer_run run_at(const uint8_t *kind_of, int layers, int from) {
    rc_layer_run best = {.length = 1, .times = times_at(kind_of, layers, from, 1)};
    for (int length = 2; length <= RC_PATTERN && from + 2 * length <= layers; length++) {
        int times = times_at(kind_of, layers, from, length);
        if (times > 1 && times * length > best.length * best.times)
            best = (rc_layer_run){.length = length, .times = times};
    }
    memcpy(best.kind, kind_of + from, (size_t)best.length);
    return best;
}

bool rc_model_set_order(rc_model *m, const uint8_t *kind_of, int layers) {
    rc_layer_run run[RC_RUNS];
    int runs = 0;
    assert(layers >= 1 && m->kinds >= 1 && m->kinds <= RC_KINDS);
    for (int at = 0; at < layers;) {
        assert(kind_of[at] < m->kinds);
        rc_layer_run next = run_at(kind_of, layers, at);
        at += next.length * next.times;
        /* A layer that repeats nothing joins the one before, as a pattern that comes once. */
        rc_layer_run *last = runs > 0 ? &run[runs - 1] : NULL;
        if (next.length * next.times == 1 && last && last->times == 1 && last->length < RC_PATTERN)
            last->kind[last->length++] = next.kind[0];
        else if (runs < RC_RUNS)
            run[runs++] = next;
        else
            return false;
    }
    m->layers = layers;
    m->runs = runs;
    memcpy(m->run, run, (size_t)runs * sizeof *run);
    return true;
}
