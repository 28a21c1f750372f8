/* What a line says of a model.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/model_rows.h"
#include "sim/schedule/totals.h"

rc_table *rc_model_rows(void) {
    static const rc_column columns[] = {
        {"model", "model", "", RC_LEFT},
        {"architecture", "architecture", "", RC_LEFT},
        {"parameters_billion", "parameters", "billion", RC_RIGHT},
        {"active_billion", "for a token", "billion", RC_RIGHT},
        {"weights_gb", "weights", "GB", RC_RIGHT},
        {"kv_bytes_a_token", "KV a token", "bytes", RC_RIGHT},
        {"layers", "layers", "", RC_RIGHT},
        {"context", "context", "tokens", RC_RIGHT},
    };
    return RC_TABLE_WITH(columns);
}

void rc_model_row(rc_table *t, const rc_model *m) {
    rc_table_text(t, m->name);
    rc_table_text(t, m->architecture);
    rc_table_real(t, rc_model_params(m) / 1e9, 2);
    rc_table_real(t, rc_model_active_params(m) / 1e9, 2);
    rc_table_real(t, rc_model_weight_bytes(m, m->quant.attn, m->quant.ffn) / 1e9, 1);
    rc_table_int(t, (int64_t)rc_model_kv_bytes(m, m->quant.kv));
    rc_table_int(t, m->layers);
    rc_table_int(t, m->context);
}
