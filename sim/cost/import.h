/* Measurements of others as rows of a store: what public tools print, each kept under its own
 * `source`.
 *
 * - nccl-tests: the text that all_reduce_perf and its sisters print, and the JSON of their -J.
 * - aiconfigurator: its tables gemm_perf, context_attention_perf, generation_attention_perf,
 *   nccl_perf and custom_allreduce_perf, as CSV.
 * - vidur: its CSV tables mlp and attention (compute), all_reduce and send_recv (network).
 * - kernel-tables: tables of single kernels of experts, latent and sparse attention
 *   (results/published/raw; import_kernels.c).
 *
 * What a format cannot say (date, driver, clocks) is "unknown" or missing. Rows that have no
 * counterpart here (batched prefill, quantisations other than bf16, fp16 and fp8) are counted, not
 * guessed at. Where a table has a point more than once, the first is kept and the others are
 * counted.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_IMPORT_H
#define RC_COST_IMPORT_H
#include "sim/cost/import_rows.h"

typedef enum rc_import_format {
    RC_IMPORT_NCCL_TESTS,
    RC_IMPORT_AICONFIGURATOR,
    RC_IMPORT_VIDUR,
    RC_IMPORT_KERNELS,
    RC_IMPORT_FORMATS
} rc_import_format;
const char *const *rc_import_names(void); /* NULL-terminated */

/* By its content: RC_E_INPUT, with what was found instead, when it is none of them. */
rc_status rc_import_detect(const char *name, const char *text, size_t size, rc_import_format *out,
                           rc_error *err);
/* Add the file's rows to `rows`. */
rc_status rc_import_parse(rc_import_format f, const char *name, const char *text, size_t size,
                          const rc_import *how, rc_rows *rows, rc_import_count *count,
                          rc_error *err);

#endif
