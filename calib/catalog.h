/* The suites by name, and how a GPU's marketing name becomes a machine name. No GPU is needed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_CATALOG_H
#define RC_CALIB_CATALOG_H
#include <stdio.h>
#include "calib/point_lists.h"

/* The order here is the order in which suites run. */
typedef enum rc_suite_id {
    RC_SUITE_MEMORY,
    RC_SUITE_HOST,
    RC_SUITE_GAP,
    RC_SUITE_MERGE,
    RC_SUITE_ELEMENTWISE,
    RC_SUITE_DECODE,
    RC_SUITE_ATTENTION,
    RC_SUITE_HEADS,
    RC_SUITE_MLA,
    RC_SUITE_GEMM,
    RC_SUITE_EXPERTS,
    RC_SUITE_SMS,
    RC_SUITE_CLOCK,
    RC_SUITE_INTERFERENCE,
    RC_SUITE_NET,
    RC_SUITE_COUNT
} rc_suite_id;

typedef struct rc_suite_info {
    const char *name, *what;
    rc_status (*points)(rc_points *p, int ranks, rc_error *err);
    double burst_s, sustained_s; /* about how long the full suite takes; shares of a budget */
    double quick_s;              /* the same for --quick, both states */
} rc_suite_info;

/* Suites that several GPUs run together, where there are several. */
#define RC_SUITES_TOGETHER (1u << RC_SUITE_INTERFERENCE | 1u << RC_SUITE_NET)

const rc_suite_info *rc_suite_info_of(rc_suite_id id);
/* Names in order, ended by NULL, for messages. */
const char *const *rc_suite_names(void);
/* "gemm,attention" or "all" into a bit set (1u << id). */
rc_status rc_suites_parse(const char *text, unsigned *set, rc_error *err);
/* The table that `ringcast-calib list` prints. */
rc_status rc_suites_print(FILE *f, rc_error *err);
/* "NVIDIA H100 80GB HBM3" -> "h100-sxm", "NVIDIA H200" -> "h200-sxm", "NVIDIA H100 PCIe" ->
 * "h100-pcie", "NVIDIA H200 NVL" -> "h200-nvl", "NVIDIA B300 SXM6 AC" -> "b300"; anything else in
 * lower case with dashes. */
void rc_machine_name(const char *gpu, char *out, size_t size);

#endif
