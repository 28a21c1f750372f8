/* The items that an attention launch of kernels/ is cut into, and when they leave SMs free.
 *
 * An item is the work of a CTA on one tile of 128 query rows (tokens times the query heads of one
 * KV head) over some of its key blocks of 128 keys. A CTA fills an SM and fetches one item after
 * the other, so a launch is a list schedule: every item goes to the SM that is free first. How
 * tiles are split is the kernel's own plan (kernels/attention_plan.h). Items of about the
 * same length are one class here, so that a launch of any size is a few of them.
 *
 * Times are in key blocks of one CTA; only their ratios mean something.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_TILES_H
#define RC_COST_TILES_H
#include <stdbool.h>
#include <stdint.h>

typedef struct rc_tile_call { /* one sequence of a launch */
    int64_t tq, tk;
    bool causal; /* aligned at the end */
} rc_tile_call;

enum { RC_TILE_CALLS = 8, RC_TILE_CLASSES = 8 * (RC_TILE_CALLS + 1) };

/* In the order in which they are handed out. */
typedef struct rc_tiles {
    int classes;
    int64_t items[RC_TILE_CLASSES];
    double blocks[RC_TILE_CLASSES]; /* of one item, with what it takes to begin */
} rc_tiles;

/* The items of a launch of 1 .. RC_TILE_CALLS sequences that is planned for `sms` SMs, with hq
 * query and hkv KV heads, hkv dividing hq. */
void rc_tiles_plan(const rc_tile_call *calls, int n, int hq, int hkv, int sms, rc_tiles *out);
/* How long the items take on `sms` SMs of which `held` (fewer than sms) come free only at time
 * `until`. *left: NULL, or the time from which on `most` SMs (1 .. sms) have nothing more to do. */
double rc_tiles_time(const rc_tiles *t, int sms, int held, double until, int most, double *left);

/* NCCL's kernel is launched in clusters of up to 4 CTAs, each of which needs SMs of one GPC. With so
 * many idle SMs on 8 GPCs some GPC surely has 4. */
enum { RC_CLUSTER_IDLE = 25 };

/* One launch of decode: `batch` queries of hq heads on hkv, hkv dividing hq, of which the longest sees
 * `keys`; row: bytes of a key of one head. */
typedef struct rc_tile_decode {
    int64_t batch, keys, row;
    int hq, hkv;
} rc_tile_decode;

/* The share of such a launch's time after which `most` SMs (1 .. all) of a chip of `all` have nothing
 * more to do; it is planned for `sms` of them (1 .. all). Its CTAs are alike and bound by memory.
 *
 * As many CTAs as SMs or fewer have an SM each and end together. SMs without one are idle from the
 * beginning, but for CTAs of the second kernel, which puts pieces of split sequences together: one for
 * each query and head, they come as soon as the first kernel has begun and wait there. More CTAs than
 * SMs go two to an SM, and as those end the next begin; an SM whose CTA is alone moves as many bytes
 * as one with two, so it is the sooner done. */
double rc_tiles_decode_left(const rc_tile_decode *d, int sms, int all, int most);

/* Whether decode over keys in pages (kernels/deal_plan.h), `keys` of them in all sequences together, leaves no
 * cluster of NCCL's idle SMs of a chip of `sms`: it is cut into pieces of at least RC_DECODE_DEAL_LEAST keys, each a
 * CTA for every of hkv KV heads. */
bool rc_tiles_decode_fills(int64_t keys, int hkv, int sms);

#endif
