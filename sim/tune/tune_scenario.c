/* Reading a tuning scenario.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include "sim/forward/scenario.h"
#include "sim/base/find.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/layout.h"
#include "sim/trace/trace_options.h"
#include "sim/tune/tune.h"

static rc_status read_axis(const rc_section *root, const char *key, rc_tune_axis *out,
                           rc_error *err) {
    rc_section s;
    int64_t points;
    RC_TRY(rc_section_enter(root, key, &s, err));
    RC_TRY(rc_section_whole(&s, "from", &out->from, err));
    RC_TRY(rc_section_whole(&s, "to", &out->to, err));
    RC_TRY(rc_section_whole(&s, "points", &points, err));
    out->points = (int)points;
    if (out->to <= out->from)
        return rc_node_fail(rc_section_node(&s, "to"), err, RC_E_INPUT,
                            "key 'to': found %lld, expected more than 'from' (%lld)",
                            (long long)out->to, (long long)out->from);
    return RC_OK;
}

static rc_status read_rising(const rc_section *root, const char *key, size_t max, int64_t least,
                             int64_t most, int *out, int *count, rc_error *err) {
    size_t n;
    RC_TRY(rc_section_item_count(root, key, 1, max, &n, err));
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        RC_TRY(rc_section_whole_item(root, key, i, i ? out[i - 1] + 1 : least, most, &v, err));
        out[i] = (int)v;
    }
    *count = (int)n;
    return RC_OK;
}

static rc_status read_prices(const rc_section *root, rc_tune_scenario *out, rc_error *err) {
    size_t n;
    RC_TRY(rc_section_item_count(root, "price", 1, RC_SELECT_PRICES, &n, err));
    for (size_t i = 0; i < n; i++)
        RC_TRY(rc_section_number_item(root, "price", i, &out->price[i], err));
    out->prices = (int)n;
    return RC_OK;
}

static rc_status read_parts(const rc_section *root, const char *const *sets, size_t set_count,
                            rc_tune_scenario *out, rc_error *err) {
    int64_t tp;
    rc_error why = {0};
    RC_TRY(rc_scenario_parts(root, sets, set_count, &out->model, &out->machine, err));
    rc_model_dtypes(&out->model, &out->layout);
    RC_TRY(rc_scenario_dtypes(root, &out->layout, err));
    RC_TRY(rc_section_whole(root, "tp", &tp, err));
    out->layout.tp = (int)tp;
    out->layout.cp = 1;
    rc_status st = rc_layout_check(&out->model, &out->layout, &why);
    return st == RC_OK ? st : rc_node_fail(rc_section_node(root, "tp"), err, st, "%.700s", why.msg);
}

static rc_status read_measured(const rc_section *root, rc_tune_scenario *out, rc_error *err) {
    rc_section s;
    int64_t cp = 0;
    RC_TRY(rc_section_enter(root, "measured", &s, err));
    if (!s.map)
        return RC_OK;
    RC_TRY(rc_scenario_named(&s, "file", "scenarios/paper/data", ".csv", out->measured,
                             sizeof out->measured, err));
    RC_TRY(rc_section_whole(&s, "cp", &cp, err));
    out->measured_cp = (int)cp;
    return RC_OK;
}

/* A list of names of files; `other`: a second folder of the data folder, or NULL. */
static rc_status read_files(const rc_section *s, const char *key, const char *folder,
                            const char *ext, const char *other, size_t most, char *out, size_t size,
                            int *count, rc_error *err) {
    size_t n;
    rc_error why = {0};
    RC_TRY(rc_section_item_count(s, key, 0, most, &n, err));
    for (size_t i = 0; i < n; i++) {
        const rc_node *list = rc_section_node(s, key);
        const rc_node *at = rc_node_kind_of(list) == RC_NODE_LIST ? rc_node_at(list, i) : list;
        const char *name;
        RC_TRY(rc_node_string(at, key, &name, err));
        rc_status st = rc_find_named(at, key, folder, ext, out + i * size, size, &why);
        if (st != RC_OK && other)
            st = rc_find_named(at, key, other, "", out + i * size, size, NULL);
        if (st != RC_OK) {
            if (err)
                *err = why;
            return st;
        }
    }
    *count = (int)n;
    return RC_OK;
}

static rc_status read_sensitivity(const rc_section *root, rc_tune_scenario *out, rc_error *err) {
    rc_section s;
    int64_t cp;
    RC_TRY(rc_section_enter(root, "sensitivity", &s, err));
    if (!s.map)
        return RC_OK;
    RC_TRY(rc_section_whole(&s, "total", &out->sensitivity_total, err));
    RC_TRY(rc_section_whole(&s, "cp", &cp, err));
    out->sensitivity_cp = (int)cp;
    return read_files(&s, "models", "models", ".json", NULL, RC_TUNE_MODELS,
                      out->sensitivity_model[0], sizeof out->sensitivity_model[0],
                      &out->sensitivity_models, err);
}

static rc_status read_requests(const rc_section *root, rc_tune_scenario *out, rc_error *err) {
    rc_section s;
    RC_TRY(rc_section_enter(root, "requests", &s, err));
    if (!s.map)
        return RC_OK;
    RC_TRY(rc_trace_options_read(s.map, &out->request_options, err));
    RC_TRY(read_files(&s, "files", "scenarios/tune/requests", ".csv", "scenarios/traces",
                      RC_TUNE_TRACES, out->request_file[0], sizeof out->request_file[0],
                      &out->request_files, err));
    return rc_section_whole(&s, "limit", &out->request_limit, err);
}

static rc_status read_numbers(const rc_section *root, rc_tune_scenario *out, rc_error *err) {
    int64_t knots, bootstrap, draws, seed;
    RC_TRY(read_rising(root, "cp", RC_SELECT_DEGREES, 1, 4096, out->degree, &out->degrees, err));
    RC_TRY(read_axis(root, "new", &out->fresh, err));
    RC_TRY(read_axis(root, "total", &out->total, err));
    RC_TRY(read_rising(root, "batch", RC_SELECT_BATCHES, 1, 65536, out->batch, &out->batches, err));
    RC_TRY(read_prices(root, out, err));
    RC_TRY(rc_section_whole(root, "knots", &knots, err));
    RC_TRY(rc_section_whole(root, "bootstrap", &bootstrap, err));
    RC_TRY(rc_section_whole(root, "draws", &draws, err));
    RC_TRY(rc_section_whole(root, "seed", &seed, err));
    out->knots = (int)knots;
    out->bootstrap = (int)bootstrap;
    out->draws = (int)draws;
    out->seed = (uint64_t)seed;
    if (out->degree[out->degrees - 1] < 2)
        return rc_node_fail(rc_section_node(root, "cp"), err, RC_E_INPUT,
                            "key 'cp': no degree above 1, there is nothing to choose");
    return RC_OK;
}

rc_status rc_tune_scenario_read(rc_doc *doc, const char *const *sets, size_t set_count,
                                rc_tune_scenario *out, rc_error *err) {
    rc_section root;
    memset(out, 0, sizeof *out);
    RC_TRY(rc_scenario_set(doc, sets, set_count, err));
    RC_TRY(rc_section_root(RC_KEYS_TUNE, rc_doc_root(doc), &root, err));
    RC_TRY(rc_section_text(&root, "tune", out->name, sizeof out->name, err));
    RC_TRY(rc_section_prose(&root, "description", out->description, sizeof out->description, err));
    RC_TRY(read_parts(&root, sets, set_count, out, err));
    RC_TRY(read_numbers(&root, out, err));
    RC_TRY(read_measured(&root, out, err));
    RC_TRY(read_requests(&root, out, err));
    return read_sensitivity(&root, out, err);
}

rc_status rc_tune_scenario_load(const char *path, const char *const *sets, size_t set_count,
                                rc_tune_scenario *out, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = rc_tune_scenario_read(doc, sets, set_count, out, err);
    rc_doc_close(doc);
    return st;
}
