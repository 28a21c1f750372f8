/* Models, machines and errors of libringcast.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "library/lib_internal.h"
#include "sim/base/find.h"
#include "sim/base/share.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/totals.h"

#ifndef RC_VERSION
#define RC_VERSION "0.0.0"
#endif

enum { PATH_LENGTH = 1024, SETS = 256, SET_LENGTH = 512 };

const char *ringcast_version(void) {
    return RC_VERSION;
}

const char *ringcast_share_folder(void) {
    return rc_share_folder();
}

/* ---- errors ---------------------------------------------------------------------------------- */

static ringcast_status status_of(rc_status st) {
    switch (st) {
    case RC_OK:
        return RINGCAST_OK;
    case RC_E_IO:
        return RINGCAST_E_IO;
    case RC_E_NOFIT:
        return RINGCAST_E_NOFIT;
    case RC_E_SIZE:
        return RINGCAST_E_SIZE;
    case RC_E_UNMODELLED:
        return RINGCAST_E_UNMODELLED;
    case RC_E_NOMEM:
        return RINGCAST_E_NOMEM;
    case RC_E_INTERNAL:
        return RINGCAST_E_INTERNAL;
    default:
        return RINGCAST_E_INPUT;
    }
}

ringcast_status lib_end(rc_status st, const rc_error *why, ringcast_error *err) {
    ringcast_status own = status_of(st);
    if (err && own != RINGCAST_OK) {
        err->status = own;
        (void)rc_error_text(why, err->text, sizeof err->text);
    }
    return own;
}

ringcast_status lib_bad(ringcast_error *err, const char *fmt, ...) {
    va_list ap;
    if (!err)
        return RINGCAST_E_INPUT;
    va_start(ap, fmt);
    err->status = RINGCAST_E_INPUT;
    (void)vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return RINGCAST_E_INPUT;
}

ringcast_status lib_give(void *out, size_t given, const void *own, size_t size,
                         ringcast_error *err) {
    if (given <= sizeof(size_t))
        return lib_bad(err, "the result says that it has %zu bytes: set its member size", given);
    memcpy((char *)out + sizeof(size_t), (const char *)own + sizeof(size_t),
           (given < size ? given : size) - sizeof(size_t));
    return RINGCAST_OK;
}

/* ---- models ---------------------------------------------------------------------------------- */

ringcast_status ringcast_model_load(const char *name, ringcast_model **out, ringcast_error *err) {
    char path[PATH_LENGTH];
    rc_error why = {0};
    if (!name || !out)
        return lib_bad(err, "ringcast_model_load: NULL");
    ringcast_model *m = calloc(1, sizeof *m);
    if (!m)
        return lib_end(rc_fail(&why, RC_E_NOMEM, "out of memory for a model"), &why, err);
    rc_status st = rc_find_file(NULL, "models", name, ".json", path, sizeof path, &why);
    if (st == RC_OK)
        st = rc_model_open(path, &m->own, &why);
    if (st == RC_OK)
        *out = m;
    else
        free(m);
    return lib_end(st, &why, err);
}

void ringcast_model_free(ringcast_model *m) {
    free(m);
}

const char *ringcast_model_name(const ringcast_model *m) {
    return m->own.name;
}

double ringcast_model_parameters(const ringcast_model *m) {
    return rc_model_params(&m->own);
}

double ringcast_model_active_parameters(const ringcast_model *m) {
    return rc_model_active_params(&m->own);
}

double ringcast_model_weight_bytes(const ringcast_model *m) {
    return rc_model_weight_bytes(&m->own, m->own.quant.attn, m->own.quant.ffn);
}

double ringcast_model_kv_bytes(const ringcast_model *m) {
    return rc_model_kv_bytes(&m->own, m->own.quant.kv);
}

int64_t ringcast_model_context(const ringcast_model *m) {
    return m->own.context;
}

/* ---- machines -------------------------------------------------------------------------------- */

/* "KEY=VALUE" as --set has it: "machine.KEY=VALUE". */
static rc_status load_machine(const char *path, const char *const *sets, size_t count,
                              rc_machine *out, rc_error *why) {
    const char *texts[SETS];
    if (count == 0)
        return rc_machine_load(path, out, why);
    if (count > SETS)
        return rc_fail(why, RC_E_INPUT, "%zu changes to a machine, at most %d", count, SETS);
    char(*own)[SET_LENGTH] = calloc(count, sizeof *own);
    rc_status st = own ? RC_OK : rc_fail(why, RC_E_NOMEM, "out of memory for a machine");
    for (size_t i = 0; i < count && st == RC_OK; i++) {
        int n = snprintf(own[i], sizeof own[i], "machine.%s", sets[i]);
        texts[i] = own[i];
        if (n < 0 || (size_t)n >= sizeof own[i] || !strchr(own[i], '='))
            st = rc_fail(why, RC_E_INPUT, "found '%.200s', expected KEY=VALUE", sets[i]);
    }
    if (st == RC_OK)
        st = rc_machine_load_set(path, texts, count, out, why);
    free(own);
    return st;
}

ringcast_status ringcast_machine_load(const char *name, const char *const *sets, size_t count,
                                      ringcast_machine **out, ringcast_error *err) {
    char path[PATH_LENGTH];
    rc_error why = {0};
    if (!name || !out || (count > 0 && !sets))
        return lib_bad(err, "ringcast_machine_load: NULL");
    ringcast_machine *m = calloc(1, sizeof *m);
    if (!m)
        return lib_end(rc_fail(&why, RC_E_NOMEM, "out of memory for a machine"), &why, err);
    rc_status st = rc_find_file(NULL, "scenarios/machines", name, ".yaml", path, sizeof path, &why);
    if (st == RC_OK)
        st = load_machine(path, sets, count, &m->own, &why);
    if (st == RC_OK)
        st = rc_costs_open(NULL, &m->own, &m->costs, &why);
    if (st == RC_OK)
        *out = m;
    else
        ringcast_machine_free(m);
    return lib_end(st, &why, err);
}

void ringcast_machine_free(ringcast_machine *m) {
    if (!m)
        return;
    rc_costs_close(m->costs);
    free(m);
}

const char *ringcast_machine_name(const ringcast_machine *m) {
    return m->own.name;
}

const char *ringcast_machine_gpu(const ringcast_machine *m) {
    return m->own.gpu;
}

int ringcast_machine_gpus_per_node(const ringcast_machine *m) {
    return m->own.gpus_per_node;
}

double ringcast_machine_memory_bytes(const ringcast_machine *m) {
    return m->own.memory;
}
