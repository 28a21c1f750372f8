/* Reading a machine file. Sections in the order of the file; one function each.
 *
 * Required keys are required: nothing that decides a time has a silent default. What may be left
 * out is what means "none" (the whole network section: one node; the ring costs of the host) and
 * what follows from published rates: the transfer from the base, and the base's rates where its own
 * file has them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/machine/machine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/base/doc.h"
#include "sim/base/share.h"
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
    RC_TRY(rc_doc_label(s, "name", m->gpu, sizeof m->gpu, err));
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

/* The published rates that others' rows are carried over from; see read_base. */
typedef struct peaks {
    double bf16, fp8, hbm, nvlink;
} peaks;

/* Of the machine that the file of this name describes; *found is false when there is none. The file
 * is looked for in `folder` (NULL: nowhere) and in the data folder. */
static rc_status peaks_of(const char *folder, const char *name, peaks *out, bool *found,
                          rc_error *err) {
    char beside[1100], shared[1100];
    rc_machine m = {0};
    rc_doc *doc = NULL;
    *found = false;
    if (strchr(name, '/') != NULL)
        return RC_OK;
    (void)snprintf(beside, sizeof beside, "%s/%s.yaml", folder != NULL ? folder : "", name);
    (void)snprintf(shared, sizeof shared, "%s/scenarios/machines/%s.yaml", rc_share_folder(), name);
    const char *path = folder != NULL && access(beside, R_OK) == 0 ? beside : shared;
    if (access(path, R_OK) != 0)
        return RC_OK;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = read_gpu(rc_doc_root(doc), &m, err);
    if (st == RC_OK)
        st = read_node(rc_doc_root(doc), &m, err);
    rc_doc_close(doc);
    *out = (peaks){m.bf16_rate, m.fp8_rate, m.hbm_rate, m.nvlink_rate};
    *found = st == RC_OK;
    return st;
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
    rc_error why = {0};
    if (s == NULL || rc_machine_check(m, &why) == RC_OK)
        return RC_OK;
    const char *key = m->nic_line_rate > m->nic_rate ? "nic_line_rate" : "peer_rate";
    return rc_node_fail(rc_node_get(s, key), err, RC_E_INPUT, "%.200s", why.msg);
}

static rc_status read_host(const rc_node *root, rc_machine *m, rc_error *err) {
    static const char *const keys[] = {"launch", "ring_step", NULL};
    const rc_node *s = NULL;
    RC_TRY(rc_doc_map(root, "host", &s, err));
    RC_TRY(rc_doc_known(s, keys, err));
    RC_TRY(number(s, "launch", m, err));
    return optional(s, "ring_step", 0.0, m, err);
}

/* Peaks of the base, and the NVLink rate of the machine whose collectives are used: stated here, or
 * those of their own files. Links of a machine that has no file are taken to be as fast as ours. */
static rc_status read_base(const rc_node *calibration, const char *folder, rc_machine *m,
                           rc_error *err) {
    static const char *const rates[] = {"bf16", "fp8", "hbm", "nvlink", NULL};
    const peaks own = {m->bf16_rate, m->fp8_rate, m->hbm_rate, m->nvlink_rate};
    peaks base = own, links = own;
    bool known = strcmp(m->base, m->name) == 0, linked = false;
    const rc_node *s = NULL;
    if (!known)
        RC_TRY(peaks_of(folder, m->base, &base, &known, err));
    if (strcmp(m->collectives, m->name) != 0)
        RC_TRY(peaks_of(folder, m->collectives, &links, &linked, err));
    if (!known && !rc_doc_has(calibration, "base_rates"))
        return rc_node_fail(rc_node_get(calibration, "base"), err, RC_E_INPUT,
                            "missing key 'base_rates' in 'calibration': there is no machine file "
                            "of '%s' to take its published rates from",
                            m->base);
    m->base_bf16_rate = base.bf16;
    m->base_fp8_rate = base.fp8;
    m->base_hbm_rate = base.hbm;
    m->base_nvlink_rate = linked ? links.nvlink : own.nvlink;
    if (!rc_doc_has(calibration, "base_rates"))
        return RC_OK;
    RC_TRY(rc_doc_map(calibration, "base_rates", &s, err));
    RC_TRY(rc_doc_known(s, rates, err));
    if (!known || rc_doc_has(s, "bf16"))
        RC_TRY(number(s, "base_bf16_rate", m, err));
    if (!known || rc_doc_has(s, "fp8"))
        RC_TRY(number(s, "base_fp8_rate", m, err));
    if (!known || rc_doc_has(s, "hbm"))
        RC_TRY(number(s, "base_hbm_rate", m, err));
    return optional(s, "base_nvlink_rate", m->base_nvlink_rate, m, err);
}

/* Ratios that the file does not state follow from published rates (derive.c). */
static rc_status read_transfer(const rc_node *calibration, rc_machine *m, rc_error *err) {
    static const char *const keys[] = {"gemm", "attention", "hbm", "nvlink", "spread", NULL};
    static const char *const names[] = {"gemm_ratio",   "attention_ratio", "hbm_ratio",
                                        "nvlink_ratio", "ratio_spread",    NULL};
    const rc_node *s = NULL;
    if (rc_doc_has(calibration, "transfer")) {
        RC_TRY(rc_doc_map(calibration, "transfer", &s, err));
        RC_TRY(rc_doc_known(s, keys, err));
    }
    for (int i = 0; names[i] != NULL; i++) {
        if (s != NULL && rc_doc_has(s, keys[i]))
            RC_TRY(number(s, names[i], m, err));
        else
            m->derived |= rc_machine_bit(names[i]);
    }
    return RC_OK;
}

static rc_status read_calibration(const rc_node *root, const char *folder, rc_machine *m,
                                  rc_error *err) {
    static const char *const keys[] = {"base",     "collectives", "state",
                                       "transfer", "base_rates",  NULL};
    static const char *const states[] = {"burst", "sustained", NULL};
    const rc_node *s = NULL;
    RC_TRY(rc_doc_map(root, "calibration", &s, err));
    RC_TRY(rc_doc_known(s, keys, err));
    RC_TRY(rc_doc_label(s, "base", m->base, sizeof m->base, err));
    (void)snprintf(m->collectives, sizeof m->collectives, "%s", m->base);
    if (rc_doc_has(s, "collectives"))
        RC_TRY(rc_doc_label(s, "collectives", m->collectives, sizeof m->collectives, err));
    RC_TRY(choice(s, "state", states, m->state, sizeof m->state, err));
    RC_TRY(read_transfer(s, m, err));
    return read_base(s, folder, m, err);
}

/* Names of rows: one id or a list of them, joined with commas. */
static rc_status read_rows(const rc_node *map, const char *key, char *out, size_t size,
                           rc_error *err) {
    const rc_node *n = rc_node_get(map, key);
    if (n == NULL || rc_node_kind_of(n) != RC_NODE_LIST)
        return rc_doc_label(map, key, out, size, err);
    size_t used = 0;
    for (size_t i = 0; i < rc_node_count(n); i++) {
        const char *id;
        RC_TRY(rc_node_string(rc_node_at(n, i), key, &id, err));
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
    RC_TRY(rc_doc_label(entry, "name", f->name, sizeof f->name, err));
    const rc_machine_number *n = rc_machine_number_find(f->name);
    const rc_node *at = rc_node_get(entry, "name");
    if (n == NULL) {
        const char *near = rc_nearest(f->name, rc_machine_fields());
        return rc_node_fail(at, err, RC_E_INPUT, "fitted '%s' is not a number of a machine%s%s%s",
                            f->name, near ? "; did you mean '" : "", near ? near : "",
                            near ? "'?" : "");
    }
    const char *inert = rc_machine_inert(m, f->name);
    if (inert != NULL)
        return rc_node_fail(at, err, RC_E_INPUT, "fitted '%s': %s", f->name, inert);
    for (int i = 0; i < m->fitted_count; i++) {
        if (strcmp(m->fitted[i].name, f->name) == 0)
            return rc_node_fail(at, err, RC_E_INPUT, "'%s' is fitted twice", f->name);
    }
    RC_TRY(rc_doc_label(entry, "meaning", f->meaning, sizeof f->meaning, err));
    RC_TRY(rc_doc_label(entry, "unit", f->unit, sizeof f->unit, err));
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

static rc_status read_machine(const rc_node *root, const char *folder, rc_machine *m,
                              rc_error *err) {
    static const char *const keys[] = {"machine", "description", "gpu",    "node",   "network",
                                       "host",    "calibration", "fitted", "inputs", NULL};
    RC_TRY(rc_doc_known(root, keys, err));
    RC_TRY(rc_doc_label(root, "machine", m->name, sizeof m->name, err));
    RC_TRY(rc_doc_label(root, "description", m->description, sizeof m->description, err));
    RC_TRY(read_gpu(root, m, err));
    RC_TRY(read_node(root, m, err));
    RC_TRY(read_network(root, m, err));
    RC_TRY(read_host(root, m, err));
    RC_TRY(read_calibration(root, folder, m, err));
    RC_TRY(read_fitted(root, m, err));
    rc_machine_derive(m);
    if (rc_doc_has(root, "inputs"))
        RC_TRY(read_rows(root, "inputs", m->inputs, sizeof m->inputs, err));
    return check_rates(root, m, err);
}

static rc_status finish(rc_doc *doc, const char *folder, rc_machine *out, rc_error *err) {
    rc_machine m = {0};
    rc_status st = read_machine(rc_doc_root(doc), folder, &m, err);
    rc_doc_close(doc);
    if (st == RC_OK)
        *out = m;
    return st;
}

rc_status rc_machine_parse(const char *name, const char *text_, unsigned long size, rc_machine *out,
                           rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_parse(name, text_, size, &doc, err));
    return finish(doc, NULL, out, err);
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
    char folder[1024];
    const char *slash = strrchr(path, '/');
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1,
                   slash ? path : ".");
    return finish(doc, folder, out, err);
}
