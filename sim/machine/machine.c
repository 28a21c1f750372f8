/* Reading a machine file. Sections in the order of the file; one function each.
 *
 * Required keys are required: nothing that decides a time has a silent default. What may be left
 * out is what means "none": the whole network section (one node), the ring costs of the host, and,
 * for a machine that is its own base, the transfer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/machine/machine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sim/base/doc.h"
#include "sim/machine/fields.h"

/* Read one number by its field name from the section it belongs to. */
static rc_status number(const rc_node *section, const char *key, rc_machine *m, rc_error *err) {
    const rc_machine_number *n = rc_machine_number_find(key);
    return rc_doc_quantity(section, n->yaml, n->dim, n->lo, n->hi, rc_machine_field(m, key), err);
}

static rc_status optional(const rc_node *section, const char *key, double otherwise, rc_machine *m,
                          rc_error *err) {
    *rc_machine_field(m, key) = otherwise;
    if (!rc_doc_has(section, rc_machine_number_find(key)->yaml))
        return RC_OK;
    return number(section, key, m, err);
}

static rc_status text(const rc_node *map, const char *key, char *out, size_t size, rc_error *err) {
    const char *s = "";
    RC_TRY(rc_doc_string(map, key, &s, err));
    if (s[0] == '\0')
        return rc_node_fail(rc_node_get(map, key), err, RC_E_INPUT, "key '%s' is empty", key);
    if (strlen(s) >= size)
        return rc_node_fail(rc_node_get(map, key), err, RC_E_INPUT,
                            "key '%s' is longer than %zu characters", key, size - 1);
    memcpy(out, s, strlen(s) + 1);
    return RC_OK;
}

static rc_status choice(const rc_node *map, const char *key, const char *const *names, char *out,
                        size_t size, rc_error *err) {
    int i = 0;
    RC_TRY(rc_doc_choice(map, key, names, &i, err));
    (void)snprintf(out, size, "%s", names[i]);
    return RC_OK;
}

static rc_status read_gpu(const rc_node *root, rc_machine *m, rc_error *err) {
    static const char *const keys[] = {"name",     "memory", "hbm_rate", "bf16_rate",
                                       "fp8_rate", "sms",    "power",    NULL};
    const rc_node *s = NULL;
    int64_t sms = 0;
    RC_TRY(rc_doc_map(root, "gpu", &s, err));
    RC_TRY(rc_doc_known(s, keys, err));
    RC_TRY(text(s, "name", m->gpu, sizeof m->gpu, err));
    RC_TRY(number(s, "memory", m, err));
    RC_TRY(number(s, "hbm_rate", m, err));
    RC_TRY(number(s, "bf16_rate", m, err));
    RC_TRY(number(s, "fp8_rate", m, err));
    RC_TRY(rc_doc_int(s, "sms", 1, 10000, &sms, err));
    m->sms = (int)sms;
    return number(s, "power", m, err);
}

static rc_status read_node(const rc_node *root, rc_machine *m, rc_error *err) {
    static const char *const keys[] = {"gpus", "nvlink_rate", "nvls", "transport", NULL};
    static const char *const transports[] = {"nvlink", "shm", "socket", NULL};
    const rc_node *s = NULL;
    int64_t gpus = 0;
    RC_TRY(rc_doc_map(root, "node", &s, err));
    RC_TRY(rc_doc_known(s, keys, err));
    RC_TRY(rc_doc_int(s, "gpus", 1, 1024, &gpus, err));
    m->gpus_per_node = (int)gpus;
    RC_TRY(number(s, "nvlink_rate", m, err));
    RC_TRY(rc_doc_bool(s, "nvls", &m->nvls, err));
    (void)snprintf(m->intra_transport, sizeof m->intra_transport, "nvlink");
    if (rc_doc_has(s, "transport"))
        RC_TRY(
            choice(s, "transport", transports, m->intra_transport, sizeof m->intra_transport, err));
    return RC_OK;
}

static rc_status read_network(const rc_node *root, rc_machine *m, rc_error *err) {
    static const char *const keys[] = {
        "transport", "nic_rate", "nic_line_rate", "peer_rate", "hop_latency", "max_nodes", NULL};
    static const char *const transports[] = {"rdma", "tcp", NULL};
    const rc_node *s = NULL;
    int64_t nodes = 0;
    m->max_nodes = 1;
    if (!rc_doc_has(root, "network"))
        return RC_OK; /* one node */
    RC_TRY(rc_doc_map(root, "network", &s, err));
    RC_TRY(rc_doc_known(s, keys, err));
    RC_TRY(choice(s, "transport", transports, m->inter_transport, sizeof m->inter_transport, err));
    RC_TRY(number(s, "nic_rate", m, err));
    RC_TRY(number(s, "nic_line_rate", m, err));
    RC_TRY(number(s, "peer_rate", m, err));
    RC_TRY(number(s, "hop_latency", m, err));
    if (rc_doc_has(s, "max_nodes"))
        RC_TRY(rc_doc_int(s, "max_nodes", 2, 1000000, &nodes, err));
    m->max_nodes = (int)nodes;
    return RC_OK;
}

/* One peer gets no more than the line, the line no more than its nominal rate; fitted or stated. */
static rc_status check_rates(const rc_node *root, const rc_machine *m, rc_error *err) {
    const rc_node *s = rc_node_get(root, "network");
    if (s == NULL)
        return RC_OK;
    if (m->nic_line_rate > m->nic_rate)
        return rc_node_fail(rc_node_get(s, "nic_line_rate"), err, RC_E_INPUT,
                            "nic_line_rate (%.4g B/s) exceeds nic_rate (%.4g B/s)",
                            m->nic_line_rate, m->nic_rate);
    if (m->peer_rate > m->nic_line_rate)
        return rc_node_fail(rc_node_get(s, "peer_rate"), err, RC_E_INPUT,
                            "peer_rate (%.4g B/s) exceeds nic_line_rate (%.4g B/s)", m->peer_rate,
                            m->nic_line_rate);
    return RC_OK;
}

static rc_status read_host(const rc_node *root, rc_machine *m, rc_error *err) {
    static const char *const keys[] = {"launch", "ring_step", NULL};
    const rc_node *s = NULL;
    RC_TRY(rc_doc_map(root, "host", &s, err));
    RC_TRY(rc_doc_known(s, keys, err));
    RC_TRY(number(s, "launch", m, err));
    return optional(s, "ring_step", 0.0, m, err);
}

/* A machine that is its own base is carried over by nothing. */
static void own_base(rc_machine *m) {
    m->gemm_ratio = m->attention_ratio = m->hbm_ratio = 1.0;
    m->ratio_spread = 0.0;
    m->base_bf16_rate = m->bf16_rate;
    m->base_fp8_rate = m->fp8_rate;
    m->base_hbm_rate = m->hbm_rate;
}

static rc_status read_calibration(const rc_node *root, rc_machine *m, rc_error *err) {
    static const char *const keys[] = {"base",     "collectives", "state",
                                       "transfer", "base_rates",  NULL};
    static const char *const states[] = {"burst", "sustained", NULL};
    static const char *const ratios[] = {"gemm", "attention", "hbm", "spread", NULL};
    static const char *const rates[] = {"bf16", "fp8", "hbm", NULL};
    const rc_node *s = NULL, *t = NULL, *b = NULL;
    RC_TRY(rc_doc_map(root, "calibration", &s, err));
    RC_TRY(rc_doc_known(s, keys, err));
    RC_TRY(text(s, "base", m->base, sizeof m->base, err));
    (void)snprintf(m->collectives, sizeof m->collectives, "%s", m->base);
    if (rc_doc_has(s, "collectives"))
        RC_TRY(text(s, "collectives", m->collectives, sizeof m->collectives, err));
    RC_TRY(choice(s, "state", states, m->state, sizeof m->state, err));
    own_base(m);
    bool own = strcmp(m->base, m->name) == 0;
    if (!own || rc_doc_has(s, "transfer")) {
        RC_TRY(rc_doc_map(s, "transfer", &t, err));
        RC_TRY(rc_doc_known(t, ratios, err));
        RC_TRY(number(t, "gemm_ratio", m, err));
        RC_TRY(number(t, "attention_ratio", m, err));
        RC_TRY(number(t, "hbm_ratio", m, err));
        RC_TRY(optional(t, "ratio_spread", 0.0, m, err));
    }
    if (own && !rc_doc_has(s, "base_rates"))
        return RC_OK;
    RC_TRY(rc_doc_map(s, "base_rates", &b, err));
    RC_TRY(rc_doc_known(b, rates, err));
    RC_TRY(number(b, "base_bf16_rate", m, err));
    RC_TRY(number(b, "base_fp8_rate", m, err));
    return number(b, "base_hbm_rate", m, err);
}

/* Names of rows: one id or a list of them, joined with commas. */
static rc_status read_rows(const rc_node *map, const char *key, char *out, size_t size,
                           rc_error *err) {
    const rc_node *n = rc_node_get(map, key);
    if (n == NULL || rc_node_kind_of(n) != RC_NODE_LIST)
        return text(map, key, out, size, err);
    size_t used = 0;
    for (size_t i = 0; i < rc_node_count(n); i++) {
        const char *id = rc_node_text(rc_node_at(n, i));
        int w = id[0] == '\0' ? -1 : snprintf(out + used, size - used, "%s%s", i ? "," : "", id);
        if (w < 0 || used + (size_t)w >= size)
            return rc_node_fail(rc_node_at(n, i), err, RC_E_INPUT,
                                "key '%s': expected short names of rows, %zu characters in all",
                                key, size - 1);
        used += (size_t)w;
    }
    return used > 0 ? RC_OK
                    : rc_node_fail(n, err, RC_E_INPUT, "key '%s' is empty; name the rows", key);
}

static rc_status read_interval(const rc_node *entry, const rc_machine_number *n, rc_fitted *f,
                               rc_error *err) {
    const rc_node *list = NULL;
    RC_TRY(rc_doc_list(entry, "interval", &list, err));
    if (rc_node_count(list) != 2)
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'interval' has %zu values; expected [low, high]",
                            rc_node_count(list));
    RC_TRY(rc_node_quantity(rc_node_at(list, 0), "interval", n->dim, n->lo, n->hi, &f->lo, err));
    RC_TRY(rc_node_quantity(rc_node_at(list, 1), "interval", n->dim, n->lo, n->hi, &f->hi, err));
    if (!(f->lo <= f->value && f->value <= f->hi))
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'interval' [%.6g, %.6g] does not hold the value %.6g", f->lo,
                            f->hi, f->value);
    return RC_OK;
}

static rc_status read_entry(const rc_node *entry, rc_machine *m, rc_fitted *f, rc_error *err) {
    static const char *const keys[] = {"name",  "meaning",  "unit", "rows",
                                       "value", "interval", NULL};
    RC_TRY(rc_doc_known(entry, keys, err));
    RC_TRY(text(entry, "name", f->name, sizeof f->name, err));
    const rc_machine_number *n = rc_machine_number_find(f->name);
    const rc_node *at = rc_node_get(entry, "name");
    if (n == NULL) {
        const char *near = rc_nearest(f->name, rc_machine_fields());
        return rc_node_fail(at, err, RC_E_INPUT, "fitted '%s' is not a number of a machine%s%s%s",
                            f->name, near ? "; did you mean '" : "", near ? near : "",
                            near ? "'?" : "");
    }
    for (int i = 0; i < m->fitted_count; i++) {
        if (strcmp(m->fitted[i].name, f->name) == 0)
            return rc_node_fail(at, err, RC_E_INPUT, "'%s' is fitted twice", f->name);
    }
    RC_TRY(text(entry, "meaning", f->meaning, sizeof f->meaning, err));
    RC_TRY(text(entry, "unit", f->unit, sizeof f->unit, err));
    if (strcmp(f->unit, n->unit) != 0)
        return rc_node_fail(rc_node_get(entry, "unit"), err, RC_E_INPUT,
                            "key 'unit' is '%s'; '%s' is in '%s'", f->unit, f->name, n->unit);
    RC_TRY(read_rows(entry, "rows", f->rows, sizeof f->rows, err));
    RC_TRY(rc_doc_quantity(entry, "value", n->dim, n->lo, n->hi, &f->value, err));
    RC_TRY(read_interval(entry, n, f, err));
    *rc_machine_field(m, f->name) = f->value;
    return RC_OK;
}

static rc_status read_fitted(const rc_node *root, rc_machine *m, rc_error *err) {
    const rc_node *list = NULL;
    if (!rc_doc_has(root, "fitted"))
        return RC_OK;
    RC_TRY(rc_doc_list(root, "fitted", &list, err));
    if (rc_node_count(list) > RC_MAX_FITTED)
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'fitted' lists %zu parameters; at most %d may be fitted",
                            rc_node_count(list), RC_MAX_FITTED);
    for (size_t i = 0; i < rc_node_count(list); i++) {
        RC_TRY(read_entry(rc_node_at(list, i), m, &m->fitted[m->fitted_count], err));
        m->fitted_count++;
    }
    return RC_OK;
}

static rc_status read_machine(const rc_node *root, rc_machine *m, rc_error *err) {
    static const char *const keys[] = {"machine", "description", "gpu",    "node",   "network",
                                       "host",    "calibration", "fitted", "inputs", NULL};
    RC_TRY(rc_doc_known(root, keys, err));
    RC_TRY(text(root, "machine", m->name, sizeof m->name, err));
    RC_TRY(text(root, "description", m->description, sizeof m->description, err));
    RC_TRY(read_gpu(root, m, err));
    RC_TRY(read_node(root, m, err));
    RC_TRY(read_network(root, m, err));
    RC_TRY(read_host(root, m, err));
    RC_TRY(read_calibration(root, m, err));
    RC_TRY(read_fitted(root, m, err));
    if (rc_doc_has(root, "inputs"))
        RC_TRY(read_rows(root, "inputs", m->inputs, sizeof m->inputs, err));
    return check_rates(root, m, err);
}

static rc_status finish(rc_doc *doc, rc_machine *out, rc_error *err) {
    rc_machine m = {0};
    rc_status st = read_machine(rc_doc_root(doc), &m, err);
    rc_doc_close(doc);
    if (st == RC_OK)
        *out = m;
    return st;
}

rc_status rc_machine_parse(const char *name, const char *text_, unsigned long size, rc_machine *out,
                           rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_parse(name, text_, size, &doc, err));
    return finish(doc, out, err);
}

int rc_machine_nodes(const rc_machine *m, int tp, int cp) {
    int node = m->gpus_per_node;
    assert(node > 0 && tp > 0 && cp > 0);
    if (tp >= node)
        return cp * ((tp + node - 1) / node);
    int together = node / tp; /* whole ranks of one node */
    return (cp + together - 1) / together;
}

rc_status rc_machine_load(const char *path, rc_machine *out, rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    return finish(doc, out, err);
}
