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

#include "sim/base/find.h"
#include "sim/base/share.h"
#include "sim/machine/change.h"
#include "sim/machine/fields.h"

/* Read one number by its name from the section that holds it. */
static rc_status number(const rc_section *s, const char *name, rc_machine *m, rc_error *err) {
    const rc_machine_number *n = rc_machine_number_find(name);
    return rc_section_number(s, strrchr(n->path, '.') + 1, rc_machine_field(m, name), err);
}

/* A choice is kept by its name. */
static rc_status choice(const rc_section *s, const char *key, char *out, size_t size,
                        rc_error *err) {
    char path[128];
    int i = 0;
    RC_TRY(rc_section_choice(s, key, &i, err));
    (void)snprintf(path, sizeof path, "%s.%s", s->path, key);
    (void)rc_key_choice_name(rc_key_find(s->file, path), i, out, size);
    return RC_OK;
}

static rc_status whole(const rc_section *s, const char *key, int *out, rc_error *err) {
    int64_t v = *out;
    RC_TRY(rc_section_whole(s, key, &v, err));
    *out = (int)v;
    return RC_OK;
}

static rc_status read_gpu(const rc_section *root, rc_machine *m, rc_error *err) {
    rc_section s;
    RC_TRY(rc_section_enter(root, "gpu", &s, err));
    RC_TRY(rc_section_text(&s, "name", m->gpu, sizeof m->gpu, err));
    RC_TRY(number(&s, "memory", m, err));
    RC_TRY(number(&s, "memory_fraction", m, err));
    RC_TRY(number(&s, "hbm_rate", m, err));
    RC_TRY(number(&s, "bf16_rate", m, err));
    RC_TRY(number(&s, "fp8_rate", m, err));
    RC_TRY(whole(&s, "sms", &m->sms, err));
    return number(&s, "power", m, err);
}

static rc_status read_node(const rc_section *root, rc_machine *m, rc_error *err) {
    rc_section s;
    RC_TRY(rc_section_enter(root, "node", &s, err));
    RC_TRY(whole(&s, "gpus", &m->gpus_per_node, err));
    RC_TRY(number(&s, "nvlink_rate", m, err));
    RC_TRY(rc_section_switch(&s, "nvls", &m->nvls, err));
    RC_TRY(choice(&s, "transport", m->intra_transport, sizeof m->intra_transport, err));
    return whole(&s, "ring_ctas", &m->ring_ctas, err);
}

static rc_status read_network(const rc_section *root, rc_machine *m, rc_error *err) {
    rc_section s;
    m->max_nodes = 1;
    if (!rc_section_has(root, "network"))
        return RC_OK; /* one node */
    m->max_nodes = 0;
    RC_TRY(rc_section_enter(root, "network", &s, err));
    RC_TRY(choice(&s, "transport", m->inter_transport, sizeof m->inter_transport, err));
    RC_TRY(number(&s, "nic_rate", m, err));
    RC_TRY(number(&s, "nic_line_rate", m, err));
    RC_TRY(number(&s, "peer_rate", m, err));
    RC_TRY(number(&s, "hop_latency", m, err));
    RC_TRY(choice(&s, "all_reduce", m->all_reduce, sizeof m->all_reduce, err));
    return whole(&s, "max_nodes", &m->max_nodes, err);
}

static rc_status read_host(const rc_section *root, rc_machine *m, rc_error *err) {
    rc_section s;
    RC_TRY(rc_section_enter(root, "host", &s, err));
    RC_TRY(number(&s, "launch", m, err));
    return number(&s, "eager_gap", m, err);
}

static rc_status read_ring(const rc_section *s, bool all, rc_machine *m, rc_error *err) {
    int i = 0;
    if (all || rc_section_has(s, "ring_tokens")) {
        RC_TRY(rc_section_choice(s, "ring_tokens", &i, err));
        m->ring_stripes = i == 1;
    }
    if (all || rc_section_has(s, "ring_pages")) {
        RC_TRY(rc_section_choice(s, "ring_pages", &i, err));
        m->ring_copies = i == 1;
    }
    if (all || rc_section_has(s, "ring_sms")) {
        RC_TRY(whole(s, "ring_sms", &m->ring_sms, err));
        m->ring_gives_way = m->ring_sms == 0 && rc_section_has(s, "ring_sms");
    }
    return RC_OK;
}

/* The engine's own all-reduce, what it is fused with, and how far it goes. */
static rc_status read_all_reduce(const rc_section *s, bool all, rc_machine *m, rc_error *err) {
    size_t n = 0;
    int i = 0;
    if (all || rc_section_has(s, "quantize")) {
        RC_TRY(rc_section_choice(s, "quantize", &i, err));
        m->quantise = (rc_quantise)i;
    }
    if (all || rc_section_has(s, "all_reduce")) {
        RC_TRY(rc_section_choice(s, "all_reduce", &i, err));
        m->own_all_reduce = i == 1;
    }
    if (!rc_section_has(s, "all_reduce_limit"))
        return RC_OK;
    RC_TRY(rc_section_item_count(s, "all_reduce_limit", 1, 3, &n, err));
    for (size_t k = 0; k < 3; k++)
        RC_TRY(rc_section_number_item(s, "all_reduce_limit", k < n ? k : n - 1, &m->own_limit[k],
                                      err));
    return RC_OK;
}

/* Keys that are left out stand for their defaults in a profile and for the profile beside one. */
static rc_status read_engine_keys(const rc_section *s, bool all, rc_machine *m, rc_error *err) {
    static const char *const numbers[] = {"ring_step", "ring_step_cached", "fp8_matrix",
                                          "fp8_stream", "process_memory"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (all || rc_section_has(s, numbers[i]))
            RC_TRY(number(s, numbers[i], m, err));
    char word[8];
    if (all || rc_section_has(s, "attention")) {
        RC_TRY(choice(s, "attention", word, sizeof word, err));
        m->whole_tiles = strcmp(word, "whole") == 0;
    }
    RC_TRY(read_ring(s, all, m, err));
    RC_TRY(read_all_reduce(s, all, m, err));
    if (rc_section_has(s, "nvls"))
        RC_TRY(rc_section_switch(s, "nvls", &m->nvls, err));
    return RC_OK;
}

static rc_status read_fitted(const rc_section *root, bool of_engine, rc_machine *m, rc_error *err);

/* What it says of serving is for scenarios of serving to read. */
static rc_status read_profile(rc_doc *doc, rc_machine *m, rc_error *err) {
    rc_section root, s;
    (void)rc_doc_take(doc, "serving");
    RC_TRY(rc_section_root(RC_KEYS_MACHINE, rc_doc_root(doc), &root, err));
    RC_TRY(rc_section_enter(&root, "engine", &s, err));
    if (rc_section_has(&s, "profile"))
        return rc_node_fail(rc_section_node(&s, "profile"), err, RC_E_INPUT,
                            "key 'profile': a profile names no other");
    RC_TRY(read_engine_keys(&s, true, m, err));
    return read_fitted(&root, true, m, err);
}

/* The profile first, with its fitted numbers, then what the machine's own file says of its engine. */
static rc_status read_engine(const rc_section *root, rc_machine *m, rc_error *err) {
    char path[1024];
    const char *name = "";
    rc_section s;
    rc_doc *doc = NULL;
    RC_TRY(rc_section_enter(root, "engine", &s, err));
    if (!rc_section_has(&s, "profile"))
        return read_engine_keys(&s, true, m, err);
    RC_TRY(rc_section_name(&s, "profile", &name, err));
    RC_TRY(rc_find_named(rc_section_node(&s, "profile"), "profile", "scenarios/engines", ".yaml",
                         path, sizeof path, err));
    (void)snprintf(m->engine, sizeof m->engine, "%s", name);
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = read_profile(doc, m, err);
    rc_doc_close(doc);
    RC_TRY(st);
    return read_engine_keys(&s, false, m, err);
}

/* The published rates that others' rows are carried over from; see read_base. */
typedef struct peaks {
    double bf16, fp8, hbm, nvlink;
} peaks;

static rc_status read_peaks(const rc_node *top, peaks *out, rc_error *err) {
    rc_section root;
    rc_machine m = {0};
    RC_TRY(rc_section_root(RC_KEYS_MACHINE, top, &root, err));
    RC_TRY(read_gpu(&root, &m, err));
    RC_TRY(read_node(&root, &m, err));
    *out = (peaks){m.bf16_rate, m.fp8_rate, m.hbm_rate, m.nvlink_rate};
    return RC_OK;
}

/* Of the machine that the file of this name describes; *found is false when there is none. The file
 * is looked for in `folder`, that of the machine that names it, then in the current folder (NULL:
 * in neither), then in the data folder. */
static rc_status peaks_of(const char *folder, const char *name, peaks *out, bool *found,
                          rc_error *err) {
    char beside[1100], here[1100], shared[1100];
    rc_doc *doc = NULL;
    *found = false;
    if (strchr(name, '/') != NULL)
        return RC_OK;
    (void)snprintf(beside, sizeof beside, "%s/%s.yaml", folder != NULL ? folder : "", name);
    (void)snprintf(here, sizeof here, "%s.yaml", name);
    (void)snprintf(shared, sizeof shared, "%s/scenarios/machines/%s.yaml", rc_share_folder(), name);
    const char *path = shared;
    if (folder != NULL && access(beside, R_OK) == 0)
        path = beside;
    else if (folder != NULL && access(here, R_OK) == 0)
        path = here;
    if (access(path, R_OK) != 0)
        return RC_OK;
    RC_TRY(rc_doc_open(path, &doc, err));
    rc_status st = read_peaks(rc_doc_root(doc), out, err);
    rc_doc_close(doc);
    *found = st == RC_OK;
    return st;
}

/* A rate of the base: what its own file says, unless it is stated here. */
static rc_status base_rate(const rc_section *s, const char *name, bool known, double own,
                           rc_machine *m, rc_error *err) {
    const char *key = strrchr(rc_machine_number_find(name)->path, '.') + 1;
    *rc_machine_field(m, name) = own;
    if (!known && !rc_section_has(s, key))
        return rc_node_fail(s->map, err, RC_E_INPUT, "missing key '%s' in 'calibration.base_rates'",
                            key);
    return number(s, name, m, err);
}

/* Peaks of the base, and the NVLink rate of the machine whose collectives are used: stated here, or
 * those of their own files. Links of a machine that has no file are taken to be as fast as ours. */
static rc_status read_base(const rc_section *calibration, const char *folder, rc_machine *m,
                           rc_error *err) {
    const peaks own = {m->bf16_rate, m->fp8_rate, m->hbm_rate, m->nvlink_rate};
    peaks base = own, links = own;
    bool known = strcmp(m->base, m->name) == 0, linked = false;
    rc_section s;
    if (!known)
        RC_TRY(peaks_of(folder, m->base, &base, &known, err));
    if (strcmp(m->collectives, m->name) != 0)
        RC_TRY(peaks_of(folder, m->collectives, &links, &linked, err));
    if (!known && !rc_section_has(calibration, "base_rates"))
        return rc_node_fail(rc_section_node(calibration, "base"), err, RC_E_INPUT,
                            "missing key 'base_rates' in 'calibration': there is no machine file "
                            "of '%s' to take its published rates from",
                            m->base);
    RC_TRY(rc_section_enter(calibration, "base_rates", &s, err));
    RC_TRY(base_rate(&s, "base_bf16_rate", known, base.bf16, m, err));
    RC_TRY(base_rate(&s, "base_fp8_rate", known, base.fp8, m, err));
    RC_TRY(base_rate(&s, "base_hbm_rate", known, base.hbm, m, err));
    return base_rate(&s, "base_nvlink_rate", true, linked ? links.nvlink : own.nvlink, m, err);
}

/* Ratios that the file does not state follow from published rates (derive.c). */
static rc_status read_transfer(const rc_section *calibration, rc_machine *m, rc_error *err) {
    static const char *const names[] = {"gemm_ratio", "attention_ratio", "hbm_ratio",
                                        "nvlink_ratio", "ratio_spread"};
    rc_section s;
    RC_TRY(rc_section_enter(calibration, "transfer", &s, err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *key = strrchr(rc_machine_number_find(names[i])->path, '.') + 1;
        if (!rc_section_has(&s, key))
            m->derived |= rc_machine_bit(names[i]);
        RC_TRY(number(&s, names[i], m, err));
    }
    return RC_OK;
}

/* What is not named is the base's, and so is what names the base. */
static rc_status read_sources(const rc_section *calibration, rc_machine *m, rc_error *err) {
    rc_section s;
    RC_TRY(rc_section_enter(calibration, "costs", &s, err));
    for (rc_source i = 0; i < RC_SOURCES; i++) {
        RC_TRY(rc_section_text(&s, rc_source_name(i), m->costs[i], sizeof m->costs[i], err));
        if (strcmp(m->costs[i], m->base) == 0)
            m->costs[i][0] = '\0';
    }
    return RC_OK;
}

/* Its own file must be there: its peaks are what its rows are carried over by. */
static rc_status read_stand_in(const rc_section *calibration, const char *folder, rc_machine *m,
                               rc_error *err) {
    peaks there = {0};
    bool found = false;
    RC_TRY(rc_section_text(calibration, "stand_in", m->stand_in, sizeof m->stand_in, err));
    if (m->stand_in[0] == '\0')
        return RC_OK;
    RC_TRY(peaks_of(folder, m->stand_in, &there, &found, err));
    if (!found)
        return rc_node_fail(rc_section_node(calibration, "stand_in"), err, RC_E_INPUT,
                            "key 'stand_in': there is no machine file of '%s' to take its "
                            "published rates from",
                            m->stand_in);
    m->stand_in_bf16_rate = there.bf16;
    m->stand_in_fp8_rate = there.fp8;
    m->stand_in_hbm_rate = there.hbm;
    return RC_OK;
}

/* The table lies beside the file that names it, or with the machines of the data folder. */
static rc_status read_model_errors(const rc_section *calibration, const char *folder, rc_machine *m,
                                   rc_error *err) {
    char name[128] = "", beside[1300], shared[1300];
    RC_TRY(rc_section_text(calibration, "model_errors", name, sizeof name, err));
    if (name[0] == '\0')
        return RC_OK;
    (void)snprintf(beside, sizeof beside, "%s/%s", folder != NULL ? folder : "", name);
    (void)snprintf(shared, sizeof shared, "%s/scenarios/machines/%s", rc_share_folder(), name);
    bool here = folder != NULL && access(beside, R_OK) == 0;
    return rc_model_errors_read(here ? beside : shared, &m->errors, err);
}

static rc_status read_calibration(const rc_section *root, const char *folder, rc_machine *m,
                                  rc_error *err) {
    rc_section s;
    RC_TRY(rc_section_enter(root, "calibration", &s, err));
    RC_TRY(rc_section_text(&s, "base", m->base, sizeof m->base, err));
    (void)snprintf(m->collectives, sizeof m->collectives, "%s", m->base);
    RC_TRY(rc_section_text(&s, "collectives", m->collectives, sizeof m->collectives, err));
    RC_TRY(read_sources(&s, m, err));
    RC_TRY(choice(&s, "state", m->state, sizeof m->state, err));
    RC_TRY(number(&s, "power_window", m, err));
    RC_TRY(read_stand_in(&s, folder, m, err));
    RC_TRY(read_model_errors(&s, folder, m, err));
    RC_TRY(read_transfer(&s, m, err));
    return read_base(&s, folder, m, err);
}

/* Names of rows: one id or a list of them, joined with commas. */
static rc_status read_rows(const rc_section *s, const char *key, char *out, size_t size,
                           rc_error *err) {
    const rc_node *n = rc_section_node(s, key);
    if (n == NULL || rc_node_kind_of(n) != RC_NODE_LIST)
        return rc_section_text(s, key, out, size, err);
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

/* A fitted number: with a unit, or bare and then in the unit that its entry names. */
static rc_status read_fitted_number(const rc_node *n, const char *key, const rc_key *k, double *out,
                                    rc_error *err) {
    rc_error why = {0};
    double v = 0.0;
    const char *text = rc_node_text(n);
    rc_status st =
        n ? rc_quantity_parse(text, k->dim, &v, &why) : rc_fail(&why, RC_E_INPUT, "is missing");
    if (st == RC_OK)
        st = rc_quantity_range(v, text, k->dim, k->lo, k->hi, &why);
    if (st != RC_OK)
        return rc_node_fail(n, err, st, "key '%s': %s", key, why.msg);
    *out = v;
    return RC_OK;
}

static rc_status read_interval(const rc_section *entry, const rc_key *k, rc_fitted *f,
                               rc_error *err) {
    const rc_node *list = NULL;
    RC_TRY(rc_doc_list(entry->map, "interval", &list, err));
    if (rc_node_count(list) != 2)
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'interval' has %zu values; expected [low, high]",
                            rc_node_count(list));
    RC_TRY(read_fitted_number(rc_node_at(list, 0), "interval", k, &f->lo, err));
    RC_TRY(read_fitted_number(rc_node_at(list, 1), "interval", k, &f->hi, err));
    if (!(f->lo <= f->value && f->value <= f->hi))
        return rc_node_fail(list, err, RC_E_INPUT,
                            "key 'interval' [%.6g, %.6g] does not hold the value %.6g", f->lo,
                            f->hi, f->value);
    return RC_OK;
}

/* Which number an entry is about; once only. */
static rc_status read_which(const rc_section *entry, const rc_machine *m, rc_fitted *f,
                            const rc_machine_number **out, rc_error *err) {
    RC_TRY(rc_section_text(entry, "name", f->name, sizeof f->name, err));
    const rc_node *at = rc_section_node(entry, "name");
    *out = rc_machine_number_find(f->name);
    if (*out == NULL) {
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
    return RC_OK;
}

static rc_status read_entry(const rc_section *entry, rc_machine *m, rc_fitted *f, rc_error *err) {
    const rc_machine_number *n = NULL;
    const rc_node *value = NULL;
    RC_TRY(read_which(entry, m, f, &n, err));
    const rc_key *k = rc_machine_number_key(n);
    RC_TRY(rc_section_text(entry, "meaning", f->meaning, sizeof f->meaning, err));
    RC_TRY(rc_section_text(entry, "unit", f->unit, sizeof f->unit, err));
    if (strcmp(f->unit, rc_machine_number_unit(n)) != 0)
        return rc_node_fail(rc_section_node(entry, "unit"), err, RC_E_INPUT,
                            "key 'unit' is '%s'; '%s' is in '%s'", f->unit, f->name,
                            rc_machine_number_unit(n));
    RC_TRY(read_rows(entry, "rows", f->rows, sizeof f->rows, err));
    value = rc_section_node(entry, "value");
    if (!value)
        return rc_node_fail(entry->map, err, RC_E_INPUT, "missing key 'value' in a fitted entry");
    RC_TRY(read_fitted_number(value, "value", k, &f->value, err));
    RC_TRY(read_interval(entry, k, f, err));
    f->stated = *rc_machine_field(m, f->name);
    *rc_machine_field(m, f->name) = f->value;
    return RC_OK;
}

static rc_status read_fitted(const rc_section *root, bool of_engine, rc_machine *m, rc_error *err) {
    size_t count = 0, before = (size_t)m->fitted_count;
    if (rc_section_has(root, "fitted"))
        RC_TRY(rc_section_entries(root, "fitted", 0, SIZE_MAX, &count, err));
    if (before + count > RC_MAX_FITTED)
        return rc_node_fail(rc_section_node(root, "fitted"), err, RC_E_INPUT,
                            "key 'fitted' lists %zu parameters%s; at most %d may be fitted", count,
                            before > 0 ? ", with those of the engine's profile more" : "",
                            RC_MAX_FITTED);
    for (size_t i = 0; i < count; i++) {
        rc_section entry;
        RC_TRY(rc_section_entry(root, "fitted", i, &entry, err));
        RC_TRY(read_entry(&entry, m, &m->fitted[m->fitted_count], err));
        m->fitted[m->fitted_count++].of_engine = of_engine;
    }
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

static rc_status read_machine(const rc_node *top, const char *folder, rc_machine *m,
                              rc_error *err) {
    rc_section root;
    RC_TRY(rc_section_root(RC_KEYS_MACHINE, top, &root, err));
    RC_TRY(rc_section_text(&root, "machine", m->name, sizeof m->name, err));
    RC_TRY(rc_section_text(&root, "description", m->description, sizeof m->description, err));
    RC_TRY(read_gpu(&root, m, err));
    RC_TRY(read_node(&root, m, err));
    RC_TRY(read_network(&root, m, err));
    RC_TRY(read_host(&root, m, err));
    RC_TRY(read_calibration(&root, folder, m, err));
    RC_TRY(read_engine(&root, m, err));
    RC_TRY(read_fitted(&root, false, m, err));
    rc_machine_derive(m);
    if (rc_section_has(&root, "inputs"))
        RC_TRY(read_rows(&root, "inputs", m->inputs, sizeof m->inputs, err));
    return check_rates(top, m, err);
}

/* ---- a file and what is changed of it -------------------------------------------------------- */

typedef struct changes {
    const char *const *sets;
    size_t count;
} changes;

static rc_status finish(rc_doc *doc, const char *folder, changes c, rc_machine *out,
                        rc_error *err) {
    rc_machine m = {0};
    rc_status st = rc_machine_change_file(doc, c.sets, c.count, err);
    if (st == RC_OK)
        st = read_machine(rc_doc_root(doc), folder, &m, err);
    rc_doc_close(doc);
    if (st == RC_OK)
        st = rc_machine_change_numbers(&m, c.sets, c.count, err);
    if (st == RC_OK)
        *out = m;
    return st;
}

rc_status rc_machine_parse(const char *name, const char *text, unsigned long size, rc_machine *out,
                           rc_error *err) {
    return rc_machine_parse_set(name, text, size, NULL, 0, out, err);
}

rc_status rc_machine_parse_set(const char *name, const char *text, unsigned long size,
                               const char *const *sets, size_t set_count, rc_machine *out,
                               rc_error *err) {
    assert(sets != NULL || set_count == 0);
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_parse(name, text, size, &doc, err));
    return finish(doc, NULL, (changes){sets, set_count}, out, err);
}

rc_status rc_machine_load(const char *path, rc_machine *out, rc_error *err) {
    return rc_machine_load_set(path, NULL, 0, out, err);
}

rc_status rc_machine_load_set(const char *path, const char *const *sets, size_t set_count,
                              rc_machine *out, rc_error *err) {
    assert(sets != NULL || set_count == 0);
    char folder[1024];
    const char *slash = strrchr(path, '/');
    rc_doc *doc = NULL;
    RC_TRY(rc_doc_open(path, &doc, err));
    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1,
                   slash ? path : ".");
    return finish(doc, folder, (changes){sets, set_count}, out, err);
}

int rc_machine_nodes(const rc_machine *m, int tp, int cp) {
    int node = m->gpus_per_node;
    assert(node > 0 && tp > 0 && cp > 0);
    if (tp >= node)
        return cp * ((tp + node - 1) / node);
    int together = node / tp; /* whole ranks of one node */
    return (cp + together - 1) / together;
}

/* ---- whose rows ------------------------------------------------------------------------------ */

const char *rc_source_name(rc_source s) {
    static const char *const names[RC_SOURCES] = {"gemm", "attention", "decode", "merge",
                                                  "elementwise"};
    assert(s < RC_SOURCES);
    return names[s];
}

rc_machine rc_machine_on_stand_in(const rc_machine *m) {
    rc_machine there = *m;
    assert(strlen(m->stand_in) > 0);
    (void)snprintf(there.base, sizeof there.base, "%s", m->stand_in);
    there.stand_in[0] = '\0';
    there.base_bf16_rate = m->stand_in_bf16_rate;
    there.base_fp8_rate = m->stand_in_fp8_rate;
    there.base_hbm_rate = m->stand_in_hbm_rate;
    there.fitted_count = 0;
    there.derived = ~0u; /* by published peaks alone */
    rc_machine_derive(&there);
    return there;
}

bool rc_machine_has_sources(const rc_machine *m) {
    for (rc_source s = 0; s < RC_SOURCES; s++)
        if (m->costs[s][0] != '\0')
            return true;
    return false;
}

bool rc_machine_same_rows(const rc_machine *x, const rc_machine *y) {
    bool same = strcmp(x->base, y->base) == 0 && strcmp(x->state, y->state) == 0 &&
                strcmp(x->stand_in, y->stand_in) == 0;
    for (rc_source s = 0; s < RC_SOURCES && same; s++)
        same = strcmp(x->costs[s], y->costs[s]) == 0;
    return same;
}
