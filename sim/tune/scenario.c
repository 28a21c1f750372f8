/* Reading a tuning scenario.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include "sim/forward/scenario.h"
#include "sim/tune/tune.h"

enum { MAX_POINTS = 1000, MAX_BOOTSTRAP = 10000 };
#define MAX_TOKENS 100000000

static rc_status read_axis(const rc_node *root, const char *key, rc_tune_axis *out, rc_error *err) {
    static const char *const keys[] = {"from", "to", "points", NULL};
    const rc_node *map;
    int64_t points;
    RC_TRY(rc_doc_map(root, key, &map, err));
    RC_TRY(rc_doc_known(map, keys, err));
    RC_TRY(rc_doc_int(map, "from", 1, MAX_TOKENS, &out->from, err));
    RC_TRY(rc_doc_int(map, "to", out->from + 1, MAX_TOKENS, &out->to, err));
    RC_TRY(rc_doc_int(map, "points", 2, MAX_POINTS, &points, err));
    out->points = (int)points;
    return RC_OK;
}

static rc_status read_rising(const rc_node *root, const char *key, int max, int64_t least,
                             int64_t most, int *out, int *count, rc_error *err) {
    const rc_node *list;
    RC_TRY(rc_doc_list(root, key, &list, err));
    *count = (int)rc_node_count(list);
    if (*count < 1 || *count > max)
        return rc_node_fail(list, err, RC_E_INPUT, "key '%s' has %d items, expected 1 to %d", key,
                            *count, max);
    for (int i = 0; i < *count; i++) {
        int64_t v;
        RC_TRY(rc_node_int(rc_node_at(list, (size_t)i), key, i ? out[i - 1] + 1 : least, most, &v,
                           err));
        out[i] = (int)v;
    }
    return RC_OK;
}

static rc_status read_prices(const rc_node *root, rc_tune_scenario *out, rc_error *err) {
    const rc_node *list;
    out->price[0] = 0.0;
    out->prices = 1;
    if (!rc_doc_has(root, "price"))
        return RC_OK;
    RC_TRY(rc_doc_list(root, "price", &list, err));
    size_t n = rc_node_count(list);
    if (n < 1 || n > RC_SELECT_PRICES)
        return rc_node_fail(list, err, RC_E_INPUT, "key 'price' has %zu items, expected 1 to %d", n,
                            RC_SELECT_PRICES);
    for (size_t i = 0; i < n; i++)
        RC_TRY(rc_node_quantity(rc_node_at(list, i), "price", RC_DIM_RATIO, 0.0, 1.0,
                                &out->price[i], err));
    out->prices = (int)n;
    return RC_OK;
}

static rc_status find(const rc_node *root, const char *key, const char *name, const char *folder,
                      const char *ext, char *path, size_t size, rc_error *err) {
    rc_status st = rc_share_path(folder, name, ext, path, size, err);
    if (st != RC_OK && err) {
        char text[sizeof err->msg];
        memcpy(text, err->msg, sizeof text);
        return rc_node_fail(rc_node_get(root, key), err, st, "key '%s': %.700s", key, text);
    }
    return st;
}

static rc_status read_parts(const rc_node *root, rc_tune_scenario *out, rc_error *err) {
    const char *name;
    char path[1024];
    int64_t tp;
    RC_TRY(rc_doc_string(root, "model", &name, err));
    RC_TRY(find(root, "model", name, "models", ".json", path, sizeof path, err));
    RC_TRY(rc_model_load(path, &out->model, err));
    RC_TRY(rc_doc_string(root, "machine", &name, err));
    RC_TRY(find(root, "machine", name, "scenarios/machines", ".yaml", path, sizeof path, err));
    RC_TRY(rc_machine_load(path, &out->machine, err));
    rc_model_dtypes(&out->model, &out->layout);
    RC_TRY(rc_scenario_dtypes(root, &out->layout, err));
    RC_TRY(rc_doc_int(root, "tp", 1, 4096, &tp, err));
    out->layout.tp = (int)tp;
    out->layout.cp = 1;
    rc_status st = rc_layout_check(&out->model, &out->layout, err);
    if (st != RC_OK && err) {
        char text[sizeof err->msg];
        memcpy(text, err->msg, sizeof text);
        return rc_node_fail(rc_node_get(root, "tp"), err, st, "%.700s", text);
    }
    return st;
}

static rc_status read_measured(const rc_node *root, rc_tune_scenario *out, rc_error *err) {
    static const char *const keys[] = {"file", "cp", NULL};
    const rc_node *map;
    const char *name;
    int64_t cp = 0;
    if (!rc_doc_has(root, "measured"))
        return RC_OK;
    RC_TRY(rc_doc_map(root, "measured", &map, err));
    RC_TRY(rc_doc_known(map, keys, err));
    RC_TRY(rc_doc_string(map, "file", &name, err));
    RC_TRY(find(map, "file", name, "scenarios/paper/data", ".csv", out->measured,
                sizeof out->measured, err));
    if (rc_doc_has(map, "cp"))
        RC_TRY(rc_doc_int(map, "cp", 2, 4096, &cp, err));
    out->measured_cp = (int)cp;
    return RC_OK;
}

static rc_status read_sense(const rc_node *root, rc_tune_scenario *out, rc_error *err) {
    static const char *const keys[] = {"total", "cp", "models", NULL};
    const rc_node *map, *list;
    const char *name;
    int64_t cp;
    if (!rc_doc_has(root, "sensitivity"))
        return RC_OK;
    RC_TRY(rc_doc_map(root, "sensitivity", &map, err));
    RC_TRY(rc_doc_known(map, keys, err));
    RC_TRY(rc_doc_int(map, "total", 2, MAX_TOKENS, &out->sense_total, err));
    RC_TRY(rc_doc_int(map, "cp", 2, 4096, &cp, err));
    out->sense_cp = (int)cp;
    if (!rc_doc_has(map, "models"))
        return RC_OK;
    RC_TRY(rc_doc_list(map, "models", &list, err));
    size_t n = rc_node_count(list);
    if (n > RC_TUNE_MODELS)
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'models' has %zu items, expected at most %d", n, RC_TUNE_MODELS);
    for (size_t i = 0; i < n; i++) {
        RC_TRY(rc_node_string(rc_node_at(list, i), "models", &name, err));
        RC_TRY(find(map, "models", name, "models", ".json", out->sense_model[i],
                    sizeof out->sense_model[i], err));
    }
    out->sense_models = (int)n;
    return RC_OK;
}

static rc_status read_requests(const rc_node *root, rc_tune_scenario *out, rc_error *err) {
    static const char *const keys[] = {"files", "limit", NULL};
    const rc_node *map, *list;
    const char *name;
    if (!rc_doc_has(root, "requests"))
        return RC_OK;
    RC_TRY(rc_doc_map(root, "requests", &map, err));
    RC_TRY(rc_doc_known(map, keys, err));
    RC_TRY(rc_doc_list(map, "files", &list, err));
    size_t n = rc_node_count(list);
    if (n > RC_TUNE_TRACES)
        return rc_node_fail(list, err, RC_E_INPUT, "key 'files' has %zu items, expected at most %d",
                            n, RC_TUNE_TRACES);
    for (size_t i = 0; i < n; i++) {
        RC_TRY(rc_node_string(rc_node_at(list, i), "files", &name, err));
        RC_TRY(find(map, "files", name, "scenarios/tune/requests", ".csv", out->request_file[i],
                    sizeof out->request_file[i], err));
    }
    out->request_files = (int)n;
    if (rc_doc_has(map, "limit"))
        RC_TRY(rc_doc_int(map, "limit", 1, MAX_TOKENS, &out->request_limit, err));
    return RC_OK;
}

static rc_status read_numbers(const rc_node *root, rc_tune_scenario *out, rc_error *err) {
    int64_t knots = 16, bootstrap = 100, seed = 1;
    RC_TRY(read_rising(root, "cp", RC_SELECT_DEGREES, 1, 4096, out->degree, &out->degrees, err));
    RC_TRY(read_axis(root, "new", &out->fresh, err));
    RC_TRY(read_axis(root, "total", &out->total, err));
    out->batch[0] = out->batches = 1;
    if (rc_doc_has(root, "batch"))
        RC_TRY(read_rising(root, "batch", RC_SELECT_BATCHES, 1, 65536, out->batch, &out->batches,
                           err));
    RC_TRY(read_prices(root, out, err));
    if (rc_doc_has(root, "knots"))
        RC_TRY(rc_doc_int(root, "knots", 3, RC_SELECT_KNOTS, &knots, err));
    if (rc_doc_has(root, "bootstrap"))
        RC_TRY(rc_doc_int(root, "bootstrap", 0, MAX_BOOTSTRAP, &bootstrap, err));
    if (rc_doc_has(root, "seed"))
        RC_TRY(rc_doc_int(root, "seed", 0, INT64_MAX, &seed, err));
    out->knots = (int)knots;
    out->bootstrap = (int)bootstrap;
    out->seed = (uint64_t)seed;
    if (out->degree[out->degrees - 1] < 2)
        return rc_node_fail(rc_node_get(root, "cp"), err, RC_E_INPUT,
                            "key 'cp': no degree above 1, there is nothing to choose");
    return RC_OK;
}

static rc_status read_document(const rc_node *root, rc_tune_scenario *out, rc_error *err) {
    static const char *const keys[] = {
        "tune",      "description", "model",    "machine",     "tp",       "cp",
        "dtypes",    "new",         "total",    "batch",       "price",    "knots",
        "bootstrap", "seed",        "measured", "sensitivity", "requests", NULL};
    RC_TRY(rc_doc_known(root, keys, err));
    RC_TRY(rc_doc_label(root, "tune", out->name, sizeof out->name, err));
    if (rc_doc_has(root, "description"))
        RC_TRY(rc_doc_prose(root, "description", out->description, sizeof out->description, err));
    RC_TRY(read_parts(root, out, err));
    RC_TRY(read_numbers(root, out, err));
    RC_TRY(read_measured(root, out, err));
    RC_TRY(read_requests(root, out, err));
    return read_sense(root, out, err);
}

static rc_status apply_set(rc_doc *doc, rc_machine *machine, const char *set, rc_error *err) {
    char key[256];
    const char *eq = strchr(set, '=');
    if (!eq || eq == set || (size_t)(eq - set) >= sizeof key)
        return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0, "found '%s', expected key=value", set);
    memcpy(key, set, (size_t)(eq - set));
    key[eq - set] = '\0';
    bool of_machine = strncmp(key, "machine.", 8) == 0;
    if (of_machine && machine)
        return rc_machine_set(machine, key + 8, eq + 1, err);
    return of_machine || machine ? RC_OK : rc_doc_set(doc, key, eq + 1, err);
}

rc_status rc_tune_scenario_read(rc_doc *doc, const char *const *sets, size_t set_count,
                                rc_tune_scenario *out, rc_error *err) {
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < set_count; i++)
        RC_TRY(apply_set(doc, NULL, sets[i], err));
    RC_TRY(read_document(rc_doc_root(doc), out, err));
    for (size_t i = 0; i < set_count; i++)
        RC_TRY(apply_set(doc, &out->machine, sets[i], err));
    return RC_OK;
}

rc_status rc_tune_scenario_load(const char *path, const char *const *sets, size_t set_count,
                                rc_tune_scenario *out, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = rc_tune_scenario_read(doc, sets, set_count, out, err);
    rc_doc_close(doc);
    return st;
}
