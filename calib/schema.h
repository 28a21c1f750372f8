/* One cost row, as the calibrator writes it and the simulator reads it: the CSV columns and the
 * SQLite schema, in this one file. See docs/calibration.md.
 *
 * `op` is a name of the table of ops (sim/cost/ops.c), which also says what its sizes in the
 * columns a, b, c and d are; unused ones are 0:
 *
 *   op                            a           b        c            d
 *   gemm, grouped_gemm            tokens M    N        K                    y = x(MxK) W(NxK)^T
 *   attention                     Tq          Tk       query heads  KV heads
 *   decode                        batch       context  query heads  KV heads
 *   merge                         rows        parts
 *   rmsnorm, rmsnorm_fp8, quantize_fp8, residual_add, swiglu, swiglu_fp8
 *                                 tokens      width
 *   rotary_kv                     tokens               query heads  KV heads
 *   copy                          bytes read + written
 *   send_recv, all_reduce, all_gather, reduce_scatter, all_to_all
 *                                 bytes       ranks    nodes
 *   mla_prefill, mla_absorbed     Tq          Tk       query heads  sequences
 *   mla_decode                    batch       context  query heads
 *   mla_bmm                       tokens      N        K            heads
 *   moe_ffn                       rows        hidden   width        tokens that come
 *   moe_route                     tokens
 *   moe_permute, moe_unpermute    tokens      width
 *   ep_dispatch, ep_combine       tokens      hidden   ranks        nodes
 *   dsa_index                     Tq          Tk       index heads  sequences
 *   dsa_topk                      Tq          Tk       keys kept    sequences
 *   dsa_attention                 queries     keys     query heads
 *   linear_attention              tokens      sequences heads
 *   launch, graph_launch, event, sync, nccl_group, gap
 *                                 calls
 *   compute_beside, transfer_beside
 *                                 bytes       SMs      ranks        CTAs
 *
 * In words: fp8 products have row-wise scales and leave the quantise step out, those of the type fp8-block have
 * scales of 128 elements of x and of 128 x 128 of W; a grouped GEMM
 * counts the rows of all its experts; attention is of variant full or causal (bottom-right); decode
 * is split and combined; rows of a merge are tokens times heads; the width of SwiGLU is that of its
 * output. Bytes of a transfer are those of the one message that each rank sends (send_recv), of the
 * buffer (all_reduce), of the gathered whole, of the whole input (reduce_scatter), or of one rank's
 * whole send buffer (all_to_all); its variant is the transport: nvlink, nvls, shm, socket, rdma or
 * tcp. compute_beside and transfer_beside have the variant compute+transfer, or one of them alone;
 * SMs 0 are all of them, CTAs 0 are NCCL's own choice. Latent attention is causal and bottom-right;
 * materialised (mla_prefill) every head has keys and values of its own, absorbed it reads one stream
 * of latents; mla_bmm is one product a head. moe_ffn is gate, up and down of the experts of one GPU
 * with gathering and scattering: rows are pairs of a token and an expert, `experts` those on this
 * GPU; tokens 0: rows / top_k. moe_permute and moe_unpermute are its gathering (in fp8: quantising, too)
 * and its weighted sum of a token's rows, with all experts on this GPU. Transfers of experts count the tokens of one GPU, and `experts` of all. dsa_attention keeps
 * `keys` keys a query.
 *
 * Five sizes have columns of their own, which schema 1 has not. head_k, head_v: elements of a query
 * and a key, and of a value and an output, of one head; 0 or left out: 128, for ops that have
 * heads. window: keys that a query sees at most; 0: all. experts, top_k: products of a grouped GEMM
 * or an FFN of experts on this GPU (of transfers and routing: of all), and experts that a token goes
 * to; 0 for other ops.
 *
 * A variant may end in "@" and a condition under which the op ran, which makes it a row apart:
 * @oneshot, @twoshot (an all-reduce of our own instead of NCCL's), @cold (as @apart, nothing in L2),
 * @blocks (quantised with a scale for each 128 elements), @streamsN (a product an expert by cuBLASLt, on N streams), @smsN (on N SMs), @ctasN (NCCL with N CTAs), @apart (a transfer between two compute kernels),
 * @nvlink, @shm (interference: the transport), @seqsN (attention: N sequences, each of the row's
 * axes), @restN (decode: all sequences but one have N tokens of context), @dutyN (at work N % of the
 * time), @freshN (the same, from rest and as early as in a ring), @hotN (the same, dense products in the rest of the time), @eagerN (gap: launched one by one,
 * N calls queued behind each other).
 *
 * Times are seconds for one call. `state` is burst (cool, short) or sustained (after seconds of
 * continuous load). `source` is "measured" or "published: WHO, WHAT" or "modelled: HOW".
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SCHEMA_H
#define RC_CALIB_SCHEMA_H

/* PRAGMA application_id ("RCST") and user_version of a calibration store. */
#define RC_STORE_APPLICATION_ID 0x52435354
#define RC_STORE_SCHEMA_VERSION 2

/* The columns of schema 1, in a CSV header with or without the sizes that schema 2 adds. */
#define RC_STORE_COLUMNS_1                                                                         \
    "machine", "gpu", "state", "op", "variant", "dtype", "a", "b", "c", "d", "p10_s", "p50_s",     \
        "p90_s", "samples", "sm_mhz", "power_w", "temp_c", "date", "driver", "cuda", "nccl",       \
        "kernel", "commit", "source"
#define RC_STORE_NCOLUMNS_1 24
#define RC_STORE_COLUMNS RC_STORE_COLUMNS_1, "head_k", "head_v", "window", "experts", "top_k"
#define RC_STORE_NCOLUMNS 29

/* What `ringcast ... --wanted` writes: the columns that say which point a row is of, and then why it
 * is wanted. `ringcast-calib run --points` reads the former. */
#define RC_POINT_COLUMNS                                                                           \
    "op", "variant", "dtype", "a", "b", "c", "d", "head_k", "head_v", "window", "experts", "top_k"
#define RC_WANTED_COLUMNS "time_pct", "interval_pct", "narrows_pct", "spread_pct", "basis"

#define RC_STORE_SQL                                                                               \
    "CREATE TABLE cost ("                                                                          \
    " machine TEXT NOT NULL, gpu TEXT NOT NULL,"                                                   \
    " state TEXT NOT NULL CHECK (state IN ('burst','sustained')),"                                 \
    " op TEXT NOT NULL, variant TEXT NOT NULL, dtype TEXT NOT NULL,"                               \
    " a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER NOT NULL, d INTEGER NOT NULL,"             \
    " p10_s REAL NOT NULL, p50_s REAL NOT NULL CHECK (p50_s > 0), p90_s REAL NOT NULL,"            \
    " samples INTEGER NOT NULL, sm_mhz REAL, power_w REAL, temp_c REAL,"                           \
    " date TEXT NOT NULL, driver TEXT NOT NULL, cuda TEXT NOT NULL, nccl TEXT NOT NULL,"           \
    " kernel TEXT NOT NULL, \"commit\" TEXT NOT NULL, source TEXT NOT NULL,"                       \
    " head_k INTEGER NOT NULL, head_v INTEGER NOT NULL, window INTEGER NOT NULL,"                  \
    " experts INTEGER NOT NULL, top_k INTEGER NOT NULL,"                                           \
    " UNIQUE (machine, state, op, variant, dtype, a, b, c, d, head_k, head_v, window, experts,"    \
    " top_k, source));"                                                                            \
    "CREATE INDEX cost_by_op ON cost (machine, op, variant, dtype, state);"

#endif
