/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/scenario.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/base/share.h"

enum { MAX_SEQS = 65536 };
#define MAX_TOKENS ((int64_t)1 << 40)

/* ---- where models and machines are ---------------------------------------------------- */

static bool ends_with(const char *s, const char *end) {
    size_t a = strlen(s), b = strlen(end);
    return a >= b && strcmp(s + a - b, end) == 0;
}

rc_status rc_share_path(const char *folder, const char *name, const char *ext, char *out,
                        size_t size, rc_error *err) {
    char full[768], hint[640];
    snprintf(full, sizeof full, "%s/%s", rc_share_folder(), folder);
    if (strchr(name, '/') || ends_with(name, ext)) {
        snprintf(out, size, "%s", name);
        rc_share_hint(full, name, ext, false, hint, sizeof hint);
        return access(name, F_OK) == 0 || !hint[0]
                   ? RC_OK
                   : rc_fail(err, RC_E_IO, "no file %s%s", name, hint);
    }
    snprintf(out, size, "%s/%s%s", full, name, ext);
    FILE *f = fopen(out, "r");
    if (f) {
        fclose(f);
        return RC_OK;
    }
    rc_share_hint(full, name, ext, true, hint, sizeof hint);
    return rc_fail(err, RC_E_IO, "no %s/%s%s%s", folder, name, ext, hint);
}

/* ---- overrides of the machine --------------------------------------------------------- */

static rc_dim dim_of(const char *key) {
    if (strcmp(key, "bf16_rate") == 0 || strcmp(key, "fp8_rate") == 0)
        return RC_DIM_FLOPS;
    if (strcmp(key, "memory") == 0)
        return RC_DIM_BYTES;
    if (strcmp(key, "power") == 0)
        return RC_DIM_POWER;
    if (ends_with(key, "_rate"))
        return RC_DIM_BANDWIDTH;
    if (ends_with(key, "_latency") || ends_with(key, "_step") || strcmp(key, "launch") == 0)
        return RC_DIM_TIME;
    return RC_DIM_RATIO;
}

rc_status rc_machine_set(rc_machine *m, const char *key, const char *value, rc_error *err) {
    double v;
    if (!rc_machine_field(m, key)) {
        const char *near = rc_nearest(key, rc_machine_fields());
        return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0, "unknown machine key '%s'%s%s%s", key,
                          near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    rc_status st = rc_quantity_parse(value, dim_of(key), &v, err);
    if (st == RC_OK && v < 0.0)
        st = rc_fail(err, RC_E_INPUT, "found '%s', expected a value of at least 0", value);
    if (st == RC_OK)
        st = rc_machine_override(m, key, v, err);
    if (st != RC_OK) {
        if (err) {
            char text[sizeof err->msg];
            snprintf(text, sizeof text, "%s", err->msg);
            rc_fail_at(err, RC_E_USAGE, "--set", 0, 0, "machine.%s: %.600s", key, text);
        }
        return RC_E_USAGE;
    }
    return RC_OK;
}

/* ---- the document --------------------------------------------------------------------- */

static rc_status read_dtype(const rc_node *map, const char *key, rc_dtype *out, rc_error *err) {
    static const char *const names[] = {"bf16", "fp8", "int4", NULL};
    static const rc_dtype values[] = {RC_BF16, RC_FP8, RC_INT4};
    int i = 0;
    if (!rc_doc_has(map, key))
        return RC_OK;
    RC_TRY(rc_doc_choice(map, key, names, &i, err));
    *out = values[i];
    return RC_OK;
}

rc_status rc_scenario_dtypes(const rc_node *root, rc_layout *l, rc_error *err) {
    static const char *const keys[] = {"attention_weights", "ffn_weights", "activations", "kv",
                                       NULL};
    const rc_node *map;
    if (!rc_doc_has(root, "dtypes"))
        return RC_OK;
    RC_TRY(rc_doc_map(root, "dtypes", &map, err));
    RC_TRY(rc_doc_known(map, keys, err));
    RC_TRY(read_dtype(map, "attention_weights", &l->attn_weights, err));
    RC_TRY(read_dtype(map, "ffn_weights", &l->ffn_weights, err));
    RC_TRY(read_dtype(map, "activations", &l->act, err));
    return read_dtype(map, "kv", &l->kv, err);
}

static rc_status read_parallel(const rc_node *root, rc_scenario *out, rc_error *err) {
    static const char *const keys[] = {"tp", "cp", "variant", NULL};
    const rc_node *map;
    int64_t tp, cp = 1;
    int variant;
    RC_TRY(rc_doc_map(root, "parallel", &map, err));
    RC_TRY(rc_doc_known(map, keys, err));
    RC_TRY(rc_doc_int(map, "tp", 1, 4096, &tp, err));
    if (rc_doc_has(map, "cp"))
        RC_TRY(rc_doc_int(map, "cp", 1, 4096, &cp, err));
    RC_TRY(rc_doc_choice(map, "variant", rc_schedule_names(), &variant, err));
    out->layout.tp = (int)tp;
    out->layout.cp = (int)cp;
    snprintf(out->variant, sizeof out->variant, "%s", rc_schedule_names()[variant]);
    rc_status st = rc_layout_check(&out->model, &out->layout, err);
    if (st != RC_OK && err) {
        char text[sizeof err->msg];
        snprintf(text, sizeof text, "%s", err->msg);
        return rc_node_fail(rc_node_get(map, "tp"), err, st, "%.700s", text);
    }
    return st;
}

static rc_status read_tokens(const rc_node *map, rc_phase phase, rc_sequence *out, rc_error *err) {
    static const char *const keys[] = {"new", "cached", NULL};
    RC_TRY(rc_doc_known(map, keys, err));
    *out = (rc_sequence){1, 0};
    if (phase != RC_DECODE || rc_doc_has(map, "new"))
        RC_TRY(rc_doc_int(map, "new", 1, phase == RC_DECODE ? 1 : MAX_TOKENS, &out->t, err));
    if (phase == RC_DECODE || rc_doc_has(map, "cached"))
        RC_TRY(rc_doc_int(map, "cached", 0, MAX_TOKENS, &out->p, err));
    return RC_OK;
}

/* Either `tokens` and `batch` (equal sequences), or `sequences`: a list of {new, cached}. */
static rc_status read_sequences(const rc_node *root, rc_scenario *out, rc_error *err) {
    const rc_node *node;
    if (rc_doc_has(root, "sequences")) {
        if (rc_doc_has(root, "tokens") || rc_doc_has(root, "batch"))
            return rc_node_fail(
                rc_node_get(root, "sequences"), err, RC_E_INPUT,
                "key 'sequences' stands beside 'tokens' or 'batch'; give one or the other");
        RC_TRY(rc_doc_list(root, "sequences", &node, err));
        out->seq_count = rc_node_count(node);
        if (out->seq_count == 0 || out->seq_count > MAX_SEQS)
            return rc_node_fail(node, err, RC_E_INPUT,
                                "key 'sequences': found %zu, expected 1 to %d", out->seq_count,
                                MAX_SEQS);
    } else {
        int64_t batch = 1;
        RC_TRY(rc_doc_map(root, "tokens", &node, err));
        if (rc_doc_has(root, "batch"))
            RC_TRY(rc_doc_int(root, "batch", 1, MAX_SEQS, &batch, err));
        out->seq_count = (size_t)batch;
    }
    out->seqs = calloc(out->seq_count, sizeof *out->seqs);
    if (!out->seqs)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu sequences", out->seq_count);
    bool list = rc_node_kind_of(node) == RC_NODE_LIST;
    for (size_t i = 0; i < out->seq_count; i++) {
        const rc_node *map = list ? rc_node_at(node, i) : node;
        if (rc_node_kind_of(map) != RC_NODE_MAP)
            return rc_node_fail(map, err, RC_E_INPUT,
                                "key 'sequences': expected a mapping {new, cached}");
        RC_TRY(read_tokens(map, out->phase, &out->seqs[i], err));
    }
    return RC_OK;
}

static rc_status read_what_if(const rc_node *root, const rc_layout *l, rc_what_if *w,
                              rc_error *err) {
    static const char *const keys[] = {"slow_rank", "slow_speed",      "slow_link_rank",
                                       "slow_link", "overlap_compute", "overlap_comm",
                                       NULL};
    const rc_node *map;
    int64_t rank;
    *w = (rc_what_if){.slow_rank = -1, .slow_link_rank = -1};
    if (!rc_doc_has(root, "what_if"))
        return RC_OK;
    RC_TRY(rc_doc_map(root, "what_if", &map, err));
    RC_TRY(rc_doc_known(map, keys, err));
    if (rc_doc_has(map, "slow_rank")) {
        RC_TRY(rc_doc_int(map, "slow_rank", 0, l->cp - 1, &rank, err));
        RC_TRY(rc_doc_quantity(map, "slow_speed", RC_DIM_RATIO, 0.01, 1.0, &w->slow_speed, err));
        w->slow_rank = (int)rank;
    }
    if (rc_doc_has(map, "slow_link_rank")) {
        RC_TRY(rc_doc_int(map, "slow_link_rank", 0, l->cp - 1, &rank, err));
        RC_TRY(rc_doc_quantity(map, "slow_link", RC_DIM_RATIO, 0.001, 1.0, &w->slow_link, err));
        w->slow_link_rank = (int)rank;
    }
    if (rc_doc_has(map, "overlap_compute"))
        RC_TRY(rc_doc_quantity(map, "overlap_compute", RC_DIM_RATIO, 0.01, 1.0, &w->overlap_compute,
                               err));
    if (rc_doc_has(map, "overlap_comm"))
        RC_TRY(
            rc_doc_quantity(map, "overlap_comm", RC_DIM_RATIO, 0.01, 1.0, &w->overlap_comm, err));
    return RC_OK;
}

static rc_status load_named(const rc_node *root, const char *key, const char *folder,
                            const char *ext, char *path, size_t size, rc_error *err) {
    const char *name;
    RC_TRY(rc_doc_string(root, key, &name, err));
    rc_status st = rc_share_path(folder, name, ext, path, size, err);
    if (st != RC_OK && err) {
        char text[sizeof err->msg];
        snprintf(text, sizeof text, "%s", err->msg);
        return rc_node_fail(rc_node_get(root, key), err, st, "key '%s': %.700s", key, text);
    }
    return st;
}

rc_status rc_scenario_parts(const rc_node *root, rc_model *model, rc_machine *machine,
                            rc_error *err) {
    char path[1024];
    RC_TRY(load_named(root, "model", "models", ".json", path, sizeof path, err));
    RC_TRY(rc_model_load(path, model, err));
    RC_TRY(load_named(root, "machine", "scenarios/machines", ".yaml", path, sizeof path, err));
    return rc_machine_load(path, machine, err);
}

static rc_status read_document(const rc_node *root, rc_scenario *out, rc_error *err) {
    static const char *const keys[] = {
        "scenario", "description", "model",  "machine", "parallel", "phase",   "tokens",
        "batch",    "sequences",   "dtypes", "host",    "ring",     "what_if", NULL};
    static const char *const phases[] = {"prefill", "decode", "mixed", NULL};
    static const rc_phase phase_of[] = {RC_PREFILL, RC_DECODE, RC_MIXED};
    static const char *const hosts[] = {"eager", "graph", NULL};
    static const char *const rings[] = {"overlapped", "serial", NULL};
    int phase, host, ring;
    RC_TRY(rc_doc_known(root, keys, err));
    RC_TRY(rc_doc_label(root, "scenario", out->name, sizeof out->name, err));
    if (rc_doc_has(root, "description"))
        RC_TRY(rc_doc_prose(root, "description", out->description, sizeof out->description, err));
    RC_TRY(rc_scenario_parts(root, &out->model, &out->machine, err));
    RC_TRY(rc_doc_choice(root, "phase", phases, &phase, err));
    out->phase = phase_of[phase];
    out->eager = out->phase != RC_DECODE;
    if (rc_doc_has(root, "host")) {
        RC_TRY(rc_doc_choice(root, "host", hosts, &host, err));
        out->eager = host == 0;
    }
    out->serial_ring = out->phase == RC_DECODE;
    if (rc_doc_has(root, "ring")) {
        RC_TRY(rc_doc_choice(root, "ring", rings, &ring, err));
        out->serial_ring = ring == 1;
    }
    rc_model_dtypes(&out->model, &out->layout);
    RC_TRY(rc_scenario_dtypes(root, &out->layout, err));
    RC_TRY(read_parallel(root, out, err));
    RC_TRY(read_sequences(root, out, err));
    return read_what_if(root, &out->layout, &out->what_if, err);
}

static rc_status split_set(const char *set, char *key, size_t size, const char **value,
                           rc_error *err) {
    const char *eq = strchr(set, '=');
    if (!eq || eq == set || (size_t)(eq - set) >= size)
        return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0, "found '%s', expected key=value", set);
    memcpy(key, set, (size_t)(eq - set));
    key[eq - set] = '\0';
    *value = eq + 1;
    return RC_OK;
}

rc_status rc_scenario_set(rc_doc *doc, const char *const *sets, size_t set_count, rc_error *err) {
    char key[256];
    const char *value = NULL;
    for (size_t i = 0; i < set_count; i++) {
        RC_TRY(split_set(sets[i], key, sizeof key, &value, err));
        if (strncmp(key, "machine.", 8) != 0)
            RC_TRY(rc_doc_set(doc, key, value, err));
    }
    return RC_OK;
}

rc_status rc_scenario_set_machine(rc_machine *m, const char *const *sets, size_t set_count,
                                  rc_error *err) {
    char key[256];
    const char *value = NULL;
    for (size_t i = 0; i < set_count; i++) {
        RC_TRY(split_set(sets[i], key, sizeof key, &value, err));
        if (strncmp(key, "machine.", 8) == 0)
            RC_TRY(rc_machine_set(m, key + 8, value, err));
    }
    return RC_OK;
}

rc_status rc_scenario_read(rc_doc *doc, const char *const *sets, size_t set_count, rc_scenario *out,
                           rc_error *err) {
    memset(out, 0, sizeof *out);
    RC_TRY(rc_scenario_set(doc, sets, set_count, err));
    rc_status st = read_document(rc_doc_root(doc), out, err);
    if (st == RC_OK)
        st = rc_scenario_set_machine(&out->machine, sets, set_count, err);
    if (st != RC_OK)
        rc_scenario_free(out);
    return st;
}

rc_status rc_scenario_load(const char *path, const char *const *sets, size_t set_count,
                           rc_scenario *out, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = rc_scenario_read(doc, sets, set_count, out, err);
    rc_doc_close(doc);
    return st;
}

void rc_scenario_free(rc_scenario *s) {
    if (!s)
        return;
    free(s->seqs);
    s->seqs = NULL;
    s->seq_count = 0;
}

rc_spec rc_scenario_spec(const rc_scenario *s, const rc_costs *costs) {
    return (rc_spec){.model = &s->model,
                     .costs = costs,
                     .layout = s->layout,
                     .phase = s->phase,
                     .variant = s->variant,
                     .seqs = s->seqs,
                     .seq_count = s->seq_count,
                     .eager = s->eager,
                     .serial_ring = s->serial_ring,
                     .what_if = s->what_if};
}
