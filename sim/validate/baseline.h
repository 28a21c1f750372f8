/* Two baselines, for contrast, over the tasks that are simulated.
 *
 *   roofline     The largest of three times: FLOPs over the published peak, least HBM traffic over
 *                the published rate, bytes sent over the link's nominal rate. No latency, and
 *                everything overlaps.
 *   alpha-beta   GEMMs and attention at the published peak, memory-bound ops at the published rate,
 *                one after another. A message takes alpha + bytes / nominal rate, and is hidden by
 *                the attention of its own ring step as far as that lasts. A collective takes the
 *                same and is never hidden.
 *
 * Nominal: NVLink and network rates of the machine file; host memory and sockets of one host by
 * PCIe 5.0 x16, 64 GB/s a direction. alpha = 11.8 us: NCCL's own tuning constants for the Simple
 * protocol, 8.4 us base and 3.4 us an NVLink hop (docs/method-cost.md).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_VALIDATE_BASELINE_H
#define RC_VALIDATE_BASELINE_H
#include "sim/machine/machine.h"
#include "sim/schedule/schedule.h"
#include "sim/validate/validate.h"

/* Seconds of the program's layers on GPU 0 by either; `transport` as a run names it ("nvlink"). */
void rc_baselines(const rc_program *p, const rc_machine *m, const char *transport, double *roofline,
                  double *alpha_beta);

#endif
