/* What the files that read scenarios share. SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_SCENARIO_INTERNAL_H
#define RC_SERVE_SCENARIO_INTERNAL_H
#include "sim/serve/serve.h"

#define MAX_TOKENS (INT64_C(1) << 40)

/* Optional keys: *out is left alone when the key is absent. */
rc_status rc_opt_int(const rc_node *map, const char *key, int64_t lo, int64_t hi, int64_t *out,
                     rc_error *err);
rc_status rc_opt_quantity(const rc_node *map, const char *key, rc_dim dim, double lo, double hi,
                          double *out, rc_error *err);
rc_status rc_opt_choice(const rc_node *map, const char *key, const char *const *names, int *out,
                        rc_error *err);
rc_status rc_opt_bool(const rc_node *map, const char *key, bool *out, rc_error *err);
/* NULL when absent. */
rc_status rc_opt_map(const rc_node *root, const char *key, const char *const *keys,
                     const rc_node **out, rc_error *err);

rc_status rc_serve_read_pools(const rc_node *root, rc_serve *s, rc_error *err);
rc_status rc_serve_read_faults(const rc_node *root, rc_serve *s, rc_error *err);
rc_status rc_serve_read_arrivals(const rc_node *root, rc_serve *s, rc_error *err);

#endif
