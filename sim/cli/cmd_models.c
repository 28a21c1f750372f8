/* ringcast models, ringcast machines: what comes with the program, a row each.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/find.h"
#include "sim/base/share.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/cli/model_rows.h"
#include "sim/machine/machine.h"
#include "sim/schedule/layer.h"

typedef struct listing {
    const char *folder, *ext;
    rc_table *(*create)(void);
    /* A row of the file at `path`. */
    rc_status (*add)(rc_table *t, const char *path, rc_error *err);
    const char *schema, *usage;
} listing;

static rc_status add_model(rc_table *t, const char *path, rc_error *err) {
    rc_model m;
    RC_TRY(rc_model_open(path, &m, err));
    rc_model_row(t, &m);
    return RC_OK;
}

/* ---- machines -------------------------------------------------------------------------------- */

static rc_table *machines_table(void) {
    static const rc_column columns[] = {
        {"machine", "machine", "", RC_LEFT},
        {"gpu", "GPU", "", RC_LEFT},
        {"gpus_a_node", "GPUs", "a node", RC_RIGHT},
        {"memory_gb", "memory", "GB", RC_RIGHT},
        {"hbm_tb_s", "HBM", "TB/s", RC_RIGHT},
        {"bf16_tflop_s", "bf16", "TFLOP/s", RC_RIGHT},
        {"nvlink_gb_s", "NVLink", "GB/s", RC_RIGHT},
        {"nic_gb_s", "NIC", "GB/s", RC_RIGHT},
        {"base", "rows of", "", RC_LEFT},
    };
    return RC_TABLE_WITH(columns);
}

static rc_status add_machine(rc_table *t, const char *path, rc_error *err) {
    rc_machine m;
    RC_TRY(rc_machine_load_set(path, NULL, 0, &m, err));
    rc_table_text(t, m.name);
    rc_table_text(t, m.gpu);
    rc_table_int(t, m.gpus_per_node);
    rc_table_real(t, m.memory / 1e9, 1);
    rc_table_real(t, m.hbm_rate / 1e12, 2);
    rc_table_real(t, m.bf16_rate / 1e12, 0);
    rc_table_real(t, m.nvlink_rate > 0.0 ? m.nvlink_rate / 1e9 : NAN, 0);
    rc_table_real(t, m.nic_rate > 0.0 ? m.nic_rate / 1e9 : NAN, 1);
    rc_table_text(t, m.base);
    return RC_OK;
}

/* ---- both ------------------------------------------------------------------------------------ */

/* Those whose names have `part` in them; NULL: all. */
static rc_status rows(const listing *l, const char *part, rc_names *names, rc_table *t,
                      rc_error *err) {
    char folder[768], path[1024], hint[640];
    size_t shown = 0;
    (void)snprintf(folder, sizeof folder, "%s/%s", rc_share_folder(), l->folder);
    rc_share_names(folder, l->ext, names);
    for (size_t i = 0; i < names->count; i++) {
        if (part && !strstr(names->name[i], part))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s%s", folder, names->name[i], l->ext);
        RC_TRY(l->add(t, path, err));
        shown++;
    }
    if (shown > 0)
        return RC_OK;
    rc_share_hint(folder, part ? part : "", l->ext, true, hint, sizeof hint);
    return rc_fail(err, RC_E_INPUT, "%s: no name has '%.80s' in it%s", l->folder, part ? part : "",
                   hint);
}

static rc_status list(const listing *l, int argc, char **argv, rc_error *err) {
    bool json = false, csv = false, helped = false;
    const char *part = NULL;
    size_t count = 0;
    rc_form form;
    const rc_flag flags[] = {{"--json", RC_FLAG_BOOL, &json, NULL, "as JSON"},
                             {"--csv", RC_FLAG_BOOL, &csv, NULL, "as CSV"}};
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0], l->usage, &part, 1,
                          &count, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(rc_form_of(json, csv, &form, err));
    rc_names *names = calloc(1, sizeof *names);
    if (!names)
        return rc_fail(err, RC_E_NOMEM, "out of memory for names");
    rc_table *t = l->create();
    rc_status st = rows(l, count > 0 ? part : NULL, names, t, err);
    free(names);
    if (st == RC_OK)
        return rc_form_table(t, form, l->schema, err);
    rc_table_destroy(t);
    return st;
}

rc_status rc_cmd_models(int argc, char **argv, rc_error *err) {
    const listing l = {
        "models",
        ".json",
        rc_model_rows,
        add_model,
        "models-1",
        "usage: ringcast models [PART] [flags]\n"
        "Every model that comes with the program, or those with PART in their names."};
    return list(&l, argc, argv, err);
}

rc_status rc_cmd_machines(int argc, char **argv, rc_error *err) {
    const listing l = {
        "scenarios/machines",
        ".yaml",
        machines_table,
        add_machine,
        "machines-1",
        "usage: ringcast machines [PART] [flags]\n"
        "Every machine that comes with the program, or those with PART in their names."};
    return list(&l, argc, argv, err);
}
