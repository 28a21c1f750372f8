/* How tokens are spread over experts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_ROUTING_H
#define RC_SCHEDULE_ROUTING_H

/* Of the pairs of a token and one of its `top_k` different experts, the share that goes to the busiest
 * of `groups` GPUs, to which `experts` are dealt in turn from the one that is chosen most often: the
 * i-th is chosen in proportion to i^-skew, but by no token twice. skew 0: all alike, 1 / groups. */
double rc_busiest_share(int experts, int top_k, int groups, double skew);

#endif
