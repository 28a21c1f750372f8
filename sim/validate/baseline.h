/* Two baselines, for contrast, over the very tasks that are simulated.
 *
 *   roofline     the largest of: FLOPs over the published peak, least HBM traffic over the
 * published rate, bytes sent over the link's nominal rate. No latency, everything overlapped.
 *   alpha-beta   products and attention at the published peak, memory-bound ops at the published
 * rate, one after another; each message alpha + bytes / nominal rate, hidden behind the attention
 * of its own ring step as far as that lasts; each collective likewise, exposed.
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

void rc_baselines(const rc_program *p, const rc_machine *m, const char *transport, double *roofline,
                  double *alpha_beta);

#endif
