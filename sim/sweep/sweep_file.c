/* Reading a sweep: the file, what it names, the machines that its points run on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/sweep.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/cost/store.h"
#include "sim/base/find.h"
#include "sim/schedule/layer.h"
#include "sim/sweep/sweep_internal.h"

#ifndef RC_VERSION
#define RC_VERSION "0.0.0"
#endif

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory for a sweep");
}

const char *rc_sweep_name(const rc_sweep *s) {
    return s->name;
}

uint64_t rc_sweep_hash(const rc_sweep *s) {
    return s->hash;
}

/* ---- the document ------------------------------------------------------------------------ */

enum { LONGEST_KEY = 200 };
#define MACHINE "machine."
#define MACHINES "machine_set."

/* "machine.X=V" means every machine of a sweep. */
static rc_status apply_sets(rc_doc *doc, const char *const *sets, size_t count, rc_error *err) {
    for (size_t i = 0; i < count; i++) {
        const char *eq = strchr(sets[i], '=');
        char path[LONGEST_KEY + sizeof MACHINES];
        if (!eq || eq == sets[i] || (size_t)(eq - sets[i]) > LONGEST_KEY)
            return rc_fail_file(err, RC_E_USAGE, "--set", "found '%s', expected key=value",
                                sets[i]);
        int n = (int)(eq - sets[i]);
        int prefix = (int)strlen(MACHINE);
        bool machine = strncmp(sets[i], MACHINE, (size_t)prefix) == 0;
        (void)snprintf(path, sizeof path, "%s%.*s", machine ? MACHINES : "",
                       machine ? n - prefix : n, sets[i] + (machine ? prefix : 0));
        RC_TRY(rc_doc_set(doc, path, eq + 1, err));
    }
    return RC_OK;
}

static rc_status read_settings(rc_doc *doc, rc_sweep *s, int64_t *samples, rc_error *err) {
    const rc_node *map = rc_doc_take(doc, "sweep");
    rc_section at;
    int sample, detail;
    int64_t draws;
    RC_TRY(rc_section_at(RC_KEYS_SWEEP, "sweep", map, &at, err));
    RC_TRY(rc_section_choice(&at, "sample", &sample, err));
    RC_TRY(rc_section_choice(&at, "detail", &detail, err));
    RC_TRY(rc_section_whole(&at, "draws", &draws, err));
    s->sobol = sample == 1;
    s->full = detail == 1;
    if (draws > 0 && !s->full)
        return rc_node_fail(rc_section_node(&at, "draws"), err, RC_E_INPUT,
                            "key 'draws': only with 'detail: full'");
    s->draws = (int)draws;
    if (s->sobol && !rc_section_has(&at, "points"))
        return rc_node_fail(map, err, RC_E_INPUT, "missing key 'points' in 'sweep'");
    if (!s->sobol && rc_section_has(&at, "points"))
        return rc_node_fail(rc_section_node(&at, "points"), err, RC_E_INPUT,
                            "key 'points': only with 'sample: sobol'; a grid has as many points "
                            "as its axes make");
    return rc_section_whole(&at, "points", samples, err);
}

static rc_status plot_text(const rc_section *at, const char *key, rc_arena *a, const char **out,
                           rc_error *err) {
    const char *text = NULL;
    RC_TRY(rc_section_name(at, key, &text, err));
    if (!text)
        return RC_OK;
    *out = rc_arena_strdup(a, text);
    return *out ? RC_OK : no_memory(err);
}

static rc_status read_plot(rc_doc *doc, rc_sweep *s, rc_error *err) {
    static const char *const places[] = {"left top", "right top", "left bottom", "right bottom",
                                         NULL};
    const rc_node *map = rc_doc_take(doc, "plot");
    sweep_plot *p = &s->plot;
    rc_section at;
    int best, log, place = 0;
    if (!map)
        return RC_OK;
    RC_TRY(rc_section_at(RC_KEYS_SWEEP, "plot", map, &at, err));
    const struct {
        const char *key, **out;
    } texts[] = {{"x", &p->x},           {"y", &p->y},         {"title", &p->title},
                 {"series", &p->series}, {"panel", &p->panel}, {"xlabel", &p->xlabel},
                 {"ylabel", &p->ylabel}, {"where", &p->where}};
    for (size_t i = 0; i < 2; i++)
        if (!rc_section_has(&at, texts[i].key))
            return rc_node_fail(map, err, RC_E_INPUT, "missing key '%s' in 'plot'", texts[i].key);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        RC_TRY(plot_text(&at, texts[i].key, s->arena, texts[i].out, err));
    RC_TRY(rc_section_choice(&at, "best", &best, err));
    RC_TRY(rc_section_choice(&at, "log", &log, err));
    if (rc_section_has(&at, "key"))
        RC_TRY(rc_doc_choice(map, "key", places, &place, err));
    p->key = places[place];
    p->most = best == 1;
    p->logx = log & 1;
    p->logy = (log & 2) != 0;
    s->has_plot = true;
    return RC_OK;
}

static rc_status count_points(rc_sweep *s, int64_t samples, rc_error *err) {
    s->points = s->sobol ? samples : 1;
    s->max_batch = (int64_t)s->base.seq_count;
    for (size_t i = 0; i < s->axis_count; i++) {
        const sweep_axis *x = &s->axes[i];
        assert(s->sobol || x->count > 0);
        if (!s->sobol && (int64_t)x->count > SWEEP_POINTS / s->points)
            return rc_fail(err, RC_E_INPUT, "the grid of sweep '%s' has more than 2^40 points",
                           s->name);
        if (!s->sobol)
            s->points *= (int64_t)x->count;
        if (x->key.id != SWEEP_BATCH)
            continue;
        if (x->count == 0)
            s->max_batch = (int64_t)x->to;
        for (size_t k = 0; k < x->count; k++)
            s->max_batch = x->values[k].i > s->max_batch ? x->values[k].i : s->max_batch;
    }
    return RC_OK;
}

/* ---- what it names ----------------------------------------------------------------------- */

/* A model is its configuration and, where there is one, modelopt's file beside it. */
static rc_status hash_model(const char *path, rc_sweep *s, rc_error *err) {
    char beside[1200];
    RC_TRY(sweep_hash_file(&s->hash, path, err));
    return rc_model_beside(path, beside, sizeof beside) ? sweep_hash_file(&s->hash, beside, err)
                                                        : RC_OK;
}

static rc_status load_models(rc_sweep *s, rc_error *err) {
    const sweep_axis *x = sweep_axis_find(s->axes, s->axis_count, SWEEP_MODEL);
    char path[1024];
    s->model_count = x ? x->count : 1;
    s->models = rc_arena_alloc(s->arena, s->model_count * sizeof *s->models);
    rc_model *models = rc_arena_alloc(s->arena, s->model_count * sizeof *models);
    if (!s->models || !models)
        return no_memory(err);
    for (size_t i = 0; i < s->model_count; i++) {
        const char *name = x ? x->texts[i] : s->base.model.name;
        s->models[i] = &models[i];
        if (!x) {
            models[i] = s->base.model;
            continue;
        }
        RC_TRY(rc_find_file(s->from, "models", name, ".json", path, sizeof path, err));
        RC_TRY(rc_model_open(path, &models[i], err));
        RC_TRY(hash_model(path, s, err));
    }
    return RC_OK;
}

/* Costs of a machine over rows that are opened once for each base and clock state. */
static rc_status open_costs(rc_sweep *s, const char *store, const rc_machine *m, rc_costs **out,
                            rc_error *err) {
    for (size_t i = 0; i < s->book_count; i++) {
        if (rc_machine_same_rows(rc_costs_machine(s->books[i]), m))
            return rc_costs_view(s->books[i], m, out, err);
    }
    RC_TRY(rc_costs_open(store, m, &s->books[s->book_count], err));
    s->book_count++;
    return rc_costs_view(s->books[s->book_count - 1], m, out, err);
}

/* The numbers of combination `c`, as changes to the machine's file; the last runs fastest. */
static size_t changes_of(const rc_sweep *s, size_t c, char text[][SWEEP_CHANGE],
                         const char **sets) {
    size_t n = 0;
    assert(c < s->combos);
    for (size_t i = s->axis_count; i-- > 0;) {
        const sweep_axis *x = &s->axes[i];
        if (x->key.id != SWEEP_NUMBER)
            continue;
        const char *unit = rc_dim_unit(x->key.rule->dim);
        (void)snprintf(text[n], SWEEP_CHANGE, "machine.%s=%.17g%s",
                       strcmp(x->field, "network_rate") == 0 ? "nic_rate" : x->field,
                       x->values[c % x->count].d, strcmp(unit, "1") == 0 ? "" : unit);
        sets[n] = text[n];
        n++;
        c /= x->count;
    }
    return n;
}

/* All combinations of the machine's numbers. */
static rc_status vary_machine(rc_sweep *s, const char *store, const char *path, rc_error *err) {
    char text[SWEEP_AXES][SWEEP_CHANGE];
    const char *sets[SWEEP_AXES];
    for (size_t c = 0; c < s->combos; c++) {
        rc_machine varied;
        size_t n = changes_of(s, c, text, sets);
        RC_TRY(rc_machine_load_set(path, sets, n, &varied, err));
        RC_TRY(open_costs(s, store, &varied, &s->costs[s->cost_count], err));
        s->cost_count++;
    }
    return RC_OK;
}

static rc_status load_machines(rc_sweep *s, const char *store, rc_error *err) {
    const sweep_axis *x = sweep_axis_find(s->axes, s->axis_count, SWEEP_MACHINE);
    size_t machines = x ? x->count : 1;
    char path[1024];
    s->combos = 1;
    for (size_t i = 0; i < s->axis_count && s->combos <= SWEEP_MACHINES; i++)
        if (s->axes[i].key.id == SWEEP_NUMBER)
            s->combos *= s->axes[i].count;
    if (machines > SWEEP_MACHINES || s->combos > SWEEP_MACHINES / machines)
        return rc_fail(err, RC_E_INPUT,
                       "sweep '%s': its machines and their numbers make more than %d machines",
                       s->name, SWEEP_MACHINES);
    s->costs = calloc(machines * s->combos, sizeof(rc_costs *));
    s->books = calloc(machines * s->combos, sizeof(rc_costs *));
    if (!s->costs || !s->books)
        return no_memory(err);
    for (size_t i = 0; i < machines; i++) {
        const char *name = x ? x->texts[i] : s->machine;
        RC_TRY(rc_find_file(s->from, "scenarios/machines", name, ".yaml", path, sizeof path, err));
        if (x)
            RC_TRY(sweep_hash_file(&s->hash, path, err));
        RC_TRY(vary_machine(s, store, path, err));
    }
    return RC_OK;
}

/* ---- identity ------------------------------------------------------------------------------ */

/* The file as it stands after --set, without what no row depends on. */
static rc_status resolve_text(rc_doc *doc, rc_sweep *s, rc_error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return no_memory(err);
    sweep_write_node(rc_doc_root(doc), f);
    bool ok = fclose(f) == 0 && text;
    s->text = ok ? rc_arena_strdup(s->arena, text) : NULL;
    free(text);
    if (!s->text)
        return no_memory(err);
    s->hash = sweep_hash(SWEEP_HASH_START, RC_VERSION, strlen(RC_VERSION));
    s->hash = sweep_hash(s->hash, s->text, strlen(s->text));
    return RC_OK;
}

static rc_status hash_named(const rc_doc *doc, const char *key, const char *folder, const char *ext,
                            rc_sweep *s, rc_error *err) {
    const rc_node *n = rc_node_get(rc_doc_root(doc), key);
    char path[1024];
    if (!n || rc_node_kind_of(n) != RC_NODE_SCALAR)
        return RC_OK;
    RC_TRY(rc_find_named(n, key, folder, ext, path, sizeof path, err));
    return strcmp(key, "model") == 0 ? hash_model(path, s, err)
                                     : sweep_hash_file(&s->hash, path, err);
}

static rc_status hash_store(const char *store, rc_sweep *s, rc_error *err) {
    size_t size = 0;
    char *bytes = NULL;
    if (!store) {
        const unsigned char *embedded = rc_store_embedded(&size);
        s->hash = sweep_hash(s->hash, embedded, size);
        return RC_OK;
    }
    RC_TRY(rc_file_read(store, &bytes, &size, err));
    s->hash = sweep_hash(s->hash, bytes, size);
    free(bytes);
    return RC_OK;
}

/* ---- together ------------------------------------------------------------------------------ */

static rc_status read_sweep(rc_doc *doc, rc_sweep *s, int64_t *samples, rc_error *err) {
    const rc_node *root = rc_doc_root(doc);
    RC_TRY(read_plot(doc, s, err));
    if (rc_doc_has(root, "description"))
        RC_TRY(rc_doc_prose(root, "description", s->description, sizeof s->description, err));
    (void)rc_doc_take(doc, "description");
    RC_TRY(resolve_text(doc, s, err));
    RC_TRY(hash_named(doc, "model", "models", ".json", s, err));
    RC_TRY(hash_named(doc, "machine", "scenarios/machines", ".yaml", s, err));
    RC_TRY(read_settings(doc, s, samples, err));
    RC_TRY(sweep_axes_read(doc, s->arena, s->sobol, s->axes, &s->axis_count, err));
    if (s->axis_count == 0)
        return rc_node_fail(root, err, RC_E_INPUT,
                            "nothing to sweep: no key holds a list or a range");
    s->has_host = rc_doc_has(root, "host");
    s->has_ring = rc_doc_has(root, "ring");
    const rc_node *machine = rc_node_get(root, "machine");
    s->machine = machine ? rc_arena_strdup(s->arena, rc_node_text(machine)) : "";
    if (!s->machine)
        return no_memory(err);
    const rc_node *dtypes = rc_node_get(root, "dtypes");
    s->has_attn_weights = dtypes && rc_doc_has(dtypes, "attention_weights");
    s->has_ffn_weights = dtypes && rc_doc_has(dtypes, "ffn_weights");
    s->has_kv = dtypes && rc_doc_has(dtypes, "kv");
    RC_TRY(rc_scenario_read(doc, NULL, 0, &s->base, err));
    (void)snprintf(s->name, sizeof s->name, "%s", s->base.name);
    return RC_OK;
}

static rc_status resolve(rc_doc *doc, const char *const *sets, size_t set_count, const char *store,
                         rc_sweep *s, rc_error *err) {
    int64_t samples = 0;
    RC_TRY(apply_sets(doc, sets, set_count, err));
    RC_TRY(read_sweep(doc, s, &samples, err));
    RC_TRY(count_points(s, samples, err));
    RC_TRY(load_models(s, err));
    RC_TRY(load_machines(s, store, err));
    return hash_store(store, s, err);
}

rc_status rc_sweep_read(rc_doc *doc, const char *const *sets, size_t set_count, const char *store,
                        rc_sweep **out, rc_error *err) {
    assert(doc != NULL);
    assert(sets != NULL || set_count == 0);
    rc_sweep *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s)
        s->arena = rc_arena_create();
    if (!s || !s->arena) {
        free(s);
        return no_memory(err);
    }
    s->from = rc_arena_strdup(s->arena, rc_doc_name(doc));
    rc_status st = s->from ? resolve(doc, sets, set_count, store, s, err) : no_memory(err);
    if (st == RC_OK)
        *out = s;
    else
        rc_sweep_free(s);
    return st;
}

rc_status rc_sweep_load(const char *path, const char *const *sets, size_t set_count,
                        const char *store, rc_sweep **out, rc_error *err) {
    rc_doc *doc = NULL;
    *out = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = rc_sweep_read(doc, sets, set_count, store, out, err);
    rc_doc_close(doc);
    return st;
}

void rc_sweep_free(rc_sweep *s) {
    if (!s)
        return;
    for (size_t i = 0; i < s->cost_count; i++)
        rc_costs_close(s->costs[i]);
    for (size_t i = 0; i < s->book_count; i++)
        rc_costs_close(s->books[i]);
    free(s->costs);
    free(s->books);
    rc_scenario_free(&s->base);
    rc_arena_destroy(s->arena);
    free(s);
}
