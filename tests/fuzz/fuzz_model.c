/* Fuzz target: config.json. What is accepted must have sensible numbers; what is refused, a
 * message.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/schedule/layer.h"
#include "sim/schedule/layout.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/totals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same bytes as modelopt's file beside a good configuration. */
static void beside(const uint8_t *data, size_t size) {
    static const char good[] =
        "{architectures: [LlamaForCausalLM], hidden_size: 512, intermediate_size: 1024, "
        "num_attention_heads: 4, num_hidden_layers: 2, vocab_size: 1000}";
    rc_model m;
    rc_error e = {0};
    rc_status st = rc_model_parse_quantised("fuzz.json", good, strlen(good), "quant.json",
                                            (const char *)data, size, &m, &e);
    if (st != RC_OK ? e.msg[0] == '\0' || e.status != st
                    : !(rc_model_weight_bytes(&m, m.quant.attn, m.quant.ffn) > 0.0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    beside(data, size);
    rc_model m;
    rc_memory mem;
    rc_error e = {0};
    rc_status st = rc_model_parse("fuzz.json", (const char *)data, size, &m, &e);
    if (st != RC_OK) {
        if (e.msg[0] == '\0' || e.status != st)
            abort();
        return 0;
    }
    if (rc_layers_check(&m, &e) != RC_OK) { /* kinds of a form that there is not */
        if (e.msg[0] == '\0')
            abort();
        return 0;
    }
    for (int k = 0; k < m.kinds; k++)
        if ((m.kind[k].heads > 0 && m.kind[k].heads % m.kind[k].kv_heads != 0) ||
            rc_model_layers_of(&m, k) < 1)
            abort();
    rc_layout l = {.tp = 1,
                   .cp = 4,
                   .attn_weights = RC_BF16,
                   .ffn_weights = RC_FP8,
                   .act = RC_BF16,
                   .kv = RC_BF16};
    if (!(rc_model_params(&m) > 0.0) || !isfinite(rc_model_params(&m)) ||
        !isfinite(rc_model_attention_flops(&m, 1 << 20, 1 << 20)))
        abort();
    rc_model_dtypes(&m, &l);
    double bytes = rc_model_weight_bytes(&m, l.attn_weights, l.ffn_weights);
    if (!isfinite(bytes) || !(bytes > 0.0) || m.context < m.max_positions)
        abort();
    if (rc_pass_memory(rc_schedule_named("pass-kv"), &m, &l, 1000, 1000, 1, 96e9, &mem, &e) !=
            RC_OK ||
        !isfinite(mem.total))
        abort();
    return 0;
}
