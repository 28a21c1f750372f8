/* The axes of a sweep: which keys of a scenario may hold a list or a range, and what they hold.
 *
 * Axes are ordered as in the table below whatever the order in the file, and the last runs fastest:
 * points of one machine and one layout stand next to each other, so that a worker meets few new
 * structures.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include "sim/sweep/sweep_internal.h"

/* The keys that may be axes, in the order of axes. Numbers of the machine come between `machine`
 * and `parallel.tp`. */
static const struct {
    const char *path;
    sweep_id id;
} axes_of[] = {
    {"model", SWEEP_MODEL},
    {"machine", SWEEP_MACHINE},
    {"parallel.tp", SWEEP_TP},
    {"parallel.cp", SWEEP_CP},
    {"parallel.dcp", SWEEP_DCP},
    {"parallel.ulysses", SWEEP_ULYSSES},
    {"parallel.dp_attention", SWEEP_DP},
    {"parallel.ep", SWEEP_EP},
    {"chunk", SWEEP_CHUNK},
    {"parallel.pp", SWEEP_PP},
    {"parallel.gpus", SWEEP_GPUS},
    {"parallel.variant", SWEEP_VARIANT},
    {"phase", SWEEP_PHASE},
    {"dtypes.attention_weights", SWEEP_ATTN_WEIGHTS},
    {"dtypes.ffn_weights", SWEEP_FFN_WEIGHTS},
    {"dtypes.activations", SWEEP_ACT},
    {"dtypes.kv", SWEEP_KV},
    {"host", SWEEP_HOST},
    {"ring", SWEEP_RING},
    {"what_if.slow_rank", SWEEP_SLOW_RANK},
    {"what_if.slow_speed", SWEEP_SLOW_SPEED},
    {"what_if.slow_link_rank", SWEEP_SLOW_LINK_RANK},
    {"what_if.slow_link", SWEEP_SLOW_LINK},
    {"what_if.overlap_compute", SWEEP_OVERLAP_COMPUTE},
    {"what_if.overlap_comm", SWEEP_OVERLAP_COMM},
    {"batch", SWEEP_BATCH},
    {"tokens.cached", SWEEP_CACHED},
    {"tokens.new", SWEEP_NEW},
};
enum {
    KEYS = sizeof axes_of / sizeof axes_of[0],
    AXIS_POINTS = 1 << 20, /* of one range: the messages call it 2^20 */
    PATH = 64              /* of a key in two parts, with its zero */
};
#define STEP_SLACK 1e-12 /* relative: the last step of 0.1, 0.2 ... must reach the end */

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory for the axes of a sweep");
}

/* ---- values ---------------------------------------------------------------------------- */

static rc_status read_value(const rc_node *n, const sweep_key *k, sweep_value *out, rc_error *err) {
    char name[64], all[256];
    if (k->kind == SWEEP_INT)
        return rc_node_int(n, k->path, (int64_t)k->rule->lo, (int64_t)k->rule->hi, &out->i, err);
    if (k->kind == SWEEP_REAL)
        return rc_node_quantity(n, k->path, k->rule->dim, k->rule->lo, k->rule->hi, &out->d, err);
    assert(k->kind == SWEEP_CHOICE);
    for (int i = 0; rc_key_choice_name(k->rule, i, name, sizeof name); i++) {
        if (strcmp(rc_node_text(n), name) == 0) {
            out->i = i;
            return RC_OK;
        }
    }
    return rc_node_fail(n, err, RC_E_INPUT, "key '%s': found '%.80s', expected one of %s", k->path,
                        rc_node_text(n), rc_key_values(k->rule, all, sizeof all));
}

static bool same_value(const sweep_key *k, sweep_value a, sweep_value b) {
    return k->kind == SWEEP_REAL ? a.d == b.d : a.i == b.i;
}

static rc_status read_names(const rc_node *list, rc_arena *a, sweep_axis *x, rc_error *err) {
    const char **texts = rc_arena_alloc(a, rc_node_count(list) * sizeof *texts);
    if (!texts)
        return no_memory(err);
    for (size_t i = 0; i < rc_node_count(list); i++) {
        const rc_node *n = rc_node_at(list, i);
        const char *text;
        RC_TRY(rc_node_string(n, x->key.path, &text, err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(texts[k], text) == 0)
                return rc_node_fail(n, err, RC_E_INPUT, "key '%s': '%.80s' stands there twice",
                                    x->key.path, text);
        texts[i] = rc_arena_strdup(a, text);
        if (!texts[i])
            return no_memory(err);
    }
    x->texts = texts;
    return RC_OK;
}

static rc_status read_list(const rc_node *list, rc_arena *a, sweep_axis *x, rc_error *err) {
    size_t n = rc_node_count(list);
    if (n == 0)
        return rc_node_fail(list, err, RC_E_INPUT, "key '%s': an empty list", x->key.path);
    sweep_value *v = rc_arena_alloc(a, n * sizeof *v);
    if (!v)
        return no_memory(err);
    x->values = v;
    x->count = n;
    if (x->key.kind == SWEEP_NAME) {
        for (size_t i = 0; i < n; i++)
            v[i].i = (int64_t)i;
        return read_names(list, a, x, err);
    }
    for (size_t i = 0; i < n; i++) {
        RC_TRY(read_value(rc_node_at(list, i), &x->key, &v[i], err));
        for (size_t k = 0; k < i; k++)
            if (same_value(&x->key, v[k], v[i]))
                return rc_node_fail(rc_node_at(list, i), err, RC_E_INPUT,
                                    "key '%s': '%.80s' stands there twice", x->key.path,
                                    rc_node_text(rc_node_at(list, i)));
    }
    return RC_OK;
}

/* ---- ranges ------------------------------------------------------------------------------ */

static double as_real(const sweep_key *k, sweep_value v) {
    return k->kind == SWEEP_INT ? (double)v.i : v.d;
}

sweep_value sweep_as_value(const sweep_key *k, double d) {
    sweep_value v = {0};
    if (k->kind == SWEEP_INT)
        v.i = (int64_t)llround(d);
    else
        v.d = d;
    return v;
}

/* Values between the ends, both included; whole numbers that fall together are taken once. */
static rc_status fill_range(rc_arena *a, sweep_axis *x, int64_t points, double step,
                            rc_error *err) {
    assert(points >= 1);
    assert(x->to > x->from);
    sweep_value *v = rc_arena_alloc(a, (size_t)points * sizeof *v);
    if (!v)
        return no_memory(err);
    x->count = 0;
    for (int64_t i = 0; i < points; i++) {
        double f = points > 1 ? (double)i / (double)(points - 1) : 0.0;
        double d = step > 0.0 ? x->from + (double)i * step
                   : x->log   ? x->from * pow(x->to / x->from, f)
                              : x->from + f * (x->to - x->from);
        sweep_value at = sweep_as_value(&x->key, i == points - 1 && step <= 0.0 ? x->to : d);
        if (x->count == 0 || !same_value(&x->key, v[x->count - 1], at))
            v[x->count++] = at;
    }
    x->values = v;
    return RC_OK;
}

static rc_status range_ends(const rc_node *map, sweep_axis *x, rc_error *err) {
    sweep_value from, to;
    if (!rc_doc_has(map, "from") || !rc_doc_has(map, "to"))
        return rc_node_fail(map, err, RC_E_INPUT,
                            "key '%s': expected one value, a list, or a range {from, to, step | "
                            "points, scale}",
                            x->key.path);
    RC_TRY(read_value(rc_node_get(map, "from"), &x->key, &from, err));
    RC_TRY(read_value(rc_node_get(map, "to"), &x->key, &to, err));
    x->from = as_real(&x->key, from);
    x->to = as_real(&x->key, to);
    if (x->to <= x->from)
        return rc_node_fail(map, err, RC_E_INPUT, "key '%s': 'to' must be above 'from'",
                            x->key.path);
    return RC_OK;
}

static rc_status range_scale(const rc_node *map, sweep_axis *x, rc_error *err) {
    static const char *const scales[] = {"linear", "log", NULL};
    int scale = 0;
    if (rc_doc_has(map, "scale"))
        RC_TRY(rc_doc_choice(map, "scale", scales, &scale, err));
    x->log = scale == 1;
    if (x->log && x->from <= 0.0)
        return rc_node_fail(map, err, RC_E_INPUT, "key '%s': a log scale starts above 0",
                            x->key.path);
    return RC_OK;
}

static rc_status read_range(const rc_node *map, rc_arena *a, bool sobol, sweep_axis *x,
                            rc_error *err) {
    static const char *const known[] = {"from", "to", "step", "points", "scale", NULL};
    int64_t points = 0;
    if (x->key.kind == SWEEP_NAME || x->key.kind == SWEEP_CHOICE)
        return rc_node_fail(map, err, RC_E_INPUT, "key '%s': expected a name or a list of names",
                            x->key.path);
    RC_TRY(range_ends(map, x, err));
    RC_TRY(rc_doc_known(map, known, err));
    RC_TRY(range_scale(map, x, err));
    bool has_points = rc_doc_has(map, "points"), has_step = rc_doc_has(map, "step");
    if (has_points && has_step)
        return rc_node_fail(map, err, RC_E_INPUT, "key '%s': 'step' or 'points', not both",
                            x->key.path);
    if (has_points) {
        RC_TRY(rc_doc_int(map, "points", 2, AXIS_POINTS, &points, err));
        return fill_range(a, x, points, 0.0, err);
    }
    if (has_step) {
        double step;
        RC_TRY(rc_doc_quantity(map, "step", x->key.rule->dim, DBL_MIN, DBL_MAX, &step, err));
        double n = floor((x->to - x->from) / step * (1.0 + STEP_SLACK)) + 1.0;
        if (x->log || n > AXIS_POINTS)
            return rc_node_fail(map, err, RC_E_INPUT, "key '%s': %s", x->key.path,
                                x->log ? "a log scale takes 'points', not 'step'"
                                       : "more than 2^20 steps");
        return fill_range(a, x, (int64_t)n, step, err);
    }
    if (!sobol || x->key.id == SWEEP_NUMBER)
        return rc_node_fail(map, err, RC_E_INPUT, "key '%s': a range needs 'step' or 'points'%s",
                            x->key.path,
                            sobol ? " (a number of the machine is not drawn continuously)"
                                  : " (only a Sobol sample draws from all of it)");
    x->count = 0;
    return RC_OK;
}

static rc_status read_axis(const rc_node *n, rc_arena *a, bool sobol, sweep_axis *x,
                           rc_error *err) {
    if (rc_node_kind_of(n) == RC_NODE_LIST)
        return read_list(n, a, x, err);
    if (rc_node_kind_of(n) == RC_NODE_MAP)
        return read_range(n, a, sobol, x, err);
    sweep_value *v = rc_arena_alloc(a, sizeof *v);
    if (!v)
        return no_memory(err);
    x->values = v;
    x->count = 1;
    return read_value(n, &x->key, v, err);
}

/* ---- numbers of the machine -------------------------------------------------------------- */

/* network_rate is the nominal rate of a NIC, under the name by which studies ask for it. */
static rc_status number_key(const rc_node *map, size_t i, rc_arena *a, sweep_axis *x,
                            rc_error *err) {
    const char *field = rc_node_key(map, i);
    bool network = strcmp(field, "network_rate") == 0;
    const rc_key *rule = network ? rc_key_find(RC_KEYS_SWEEP, "machine_set.network_rate")
                                 : rc_machine_field_key(field);
    if (!rule) {
        const char *near = rc_nearest(field, rc_machine_fields());
        return rc_node_fail(rc_node_value(map, i), err, RC_E_INPUT,
                            "unknown number '%.80s' of a machine%s%s%s", field,
                            near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    x->field = rc_arena_strdup(a, field);
    x->key = (sweep_key){.path = rc_arena_printf(a, "machine_set.%s", field),
                         .id = SWEEP_NUMBER,
                         .kind = SWEEP_REAL,
                         .rule = rule};
    return x->field && x->key.path ? RC_OK : no_memory(err);
}

static rc_status read_numbers(rc_doc *doc, rc_arena *a, bool sobol, sweep_axis *axes, size_t *count,
                              rc_error *err) {
    const rc_node *map = rc_doc_take(doc, "machine_set");
    if (!map)
        return RC_OK;
    if (rc_node_kind_of(map) != RC_NODE_MAP)
        return rc_node_fail(map, err, RC_E_INPUT, "key 'machine_set': expected a map of keys");
    for (size_t i = 0; i < rc_node_count(map); i++) {
        sweep_axis *x = &axes[*count];
        if (*count == SWEEP_AXES)
            return rc_node_fail(map, err, RC_E_INPUT, "more than %d axes", SWEEP_AXES);
        *x = (sweep_axis){0};
        RC_TRY(number_key(map, i, a, x, err));
        RC_TRY(read_axis(rc_node_value(map, i), a, sobol, x, err));
        (*count)++;
    }
    return RC_OK;
}

/* ---- the document -------------------------------------------------------------------------- */

/* What stands in for an axis while the rest of the scenario is read: the mildest of its values. */
static const char *stand_in(const sweep_axis *x, char *buf, size_t size) {
    assert(x->count > 0 || x->key.kind == SWEEP_INT || x->key.kind == SWEEP_REAL);
    int64_t v = x->count > 0 ? x->values[0].i : (int64_t)x->from;
    switch (x->key.id) {
    case SWEEP_MODEL:
    case SWEEP_MACHINE:
        return x->texts[0];
    case SWEEP_TP:
    case SWEEP_DCP:
    case SWEEP_DP:
    case SWEEP_EP:
    case SWEEP_PP:
        return "1";
    case SWEEP_CP:
        for (size_t i = 0; i < x->count; i++)
            v = x->values[i].i > v ? x->values[i].i : v;
        break;
    case SWEEP_PHASE:
        for (size_t i = 0; i < x->count; i++)
            v = x->values[i].i < v ? x->values[i].i : v;
        return rc_key_choice_name(x->key.rule, (int)v, buf, size);
    case SWEEP_SLOW_RANK:
    case SWEEP_SLOW_LINK_RANK:
        return "0";
    default:
        if (x->key.kind == SWEEP_CHOICE)
            return rc_key_choice_name(x->key.rule, (int)v, buf, size);
        if (x->key.kind == SWEEP_REAL)
            return "1";
    }
    (void)snprintf(buf, size, "%lld", (long long)v);
    return buf;
}

static const rc_node *at_path(const rc_doc *doc, const char *path) {
    const rc_node *n = rc_doc_root(doc);
    const char *dot = strchr(path, '.');
    if (!dot)
        return rc_node_get(n, path);
    char key[PATH];
    assert(dot - path < PATH);
    (void)snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
    n = rc_node_get(n, key);
    return n ? rc_node_get(n, dot + 1) : NULL;
}

static sweep_key key_at(size_t i) {
    static const sweep_kind kinds[] = {[RC_KEY_NAME] = SWEEP_NAME,
                                       [RC_KEY_WHOLE] = SWEEP_INT,
                                       [RC_KEY_NUMBER] = SWEEP_REAL,
                                       [RC_KEY_CHOICE] = SWEEP_CHOICE};
    assert(i < KEYS);
    const char *path = axes_of[i].path;
    const rc_key *rule = rc_key_find(RC_KEYS_FORWARD, path);
    if (!rule)
        rule = rc_key_find(RC_KEYS_SWEEP, path); /* every key of the table is in one of them */
    return (sweep_key){.path = path, .id = axes_of[i].id, .kind = kinds[rule->kind], .rule = rule};
}

static rc_status read_key(rc_doc *doc, rc_arena *a, bool sobol, const sweep_key *k,
                          sweep_axis *axes, size_t *count, rc_error *err) {
    const rc_node *n = at_path(doc, k->path);
    char text[64];
    if (!n || (rc_node_kind_of(n) == RC_NODE_SCALAR && k->id != SWEEP_GPUS))
        return RC_OK;
    if (*count == SWEEP_AXES)
        return rc_node_fail(n, err, RC_E_INPUT, "more than %d axes", SWEEP_AXES);
    sweep_axis *x = &axes[*count];
    *x = (sweep_axis){.key = *k};
    if (k->id == SWEEP_GPUS && at_path(doc, "parallel.cp"))
        return rc_node_fail(n, err, RC_E_INPUT,
                            "key 'parallel.gpus' stands beside 'parallel.cp'; give one or the "
                            "other: cp is then gpus / tp");
    RC_TRY(read_axis(n, a, sobol, x, err));
    (*count)++;
    if (k->id == SWEEP_GPUS)
        return rc_doc_take(doc, k->path) ? RC_OK : rc_fail(err, RC_E_INTERNAL, "lost a key");
    return rc_doc_set_text(doc, k->path, stand_in(x, text, sizeof text), err);
}

rc_status sweep_axes_read(rc_doc *doc, rc_arena *arena, bool sobol, sweep_axis *axes, size_t *count,
                          rc_error *err) {
    *count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        sweep_key k = key_at(i);
        if (k.id == SWEEP_TP)
            RC_TRY(read_numbers(doc, arena, sobol, axes, count, err));
        RC_TRY(read_key(doc, arena, sobol, &k, axes, count, err));
    }
    return RC_OK;
}

const sweep_axis *sweep_axis_find(const sweep_axis *axes, size_t count, sweep_id id) {
    assert(count <= SWEEP_AXES);
    for (size_t i = 0; i < count; i++)
        if (axes[i].key.id == id)
            return &axes[i];
    return NULL;
}
