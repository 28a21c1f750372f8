/* One cost row, as the calibrator writes it and the simulator reads it: the CSV columns and the
 * SQLite schema, in this one file. See docs/calibration.md.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SCHEMA_H
#define RC_CALIB_SCHEMA_H

/* PRAGMA application_id ("RCST") and user_version of a calibration store. */
#define RC_STORE_APPLICATION_ID 0x52435354
#define RC_STORE_SCHEMA_VERSION 1

/* op, and what the axes a..d mean (unused axes are 0):
 *   gemm        dtype bf16|fp8        a=M (tokens)  b=N  c=K           y = x(MxK) * W(NxK)^T, fp8
 * row-wise scales, without the quantise step attention   dtype bf16|fp8        a=Tq  b=Tk  c=Hq
 * d=Hkv           variant full|causal (bottom-right) decode      dtype bf16|fp8        a=batch
 * b=context  c=Hq  d=Hkv   (split and combine) merge       dtype bf16            a=rows (tokens x
 * heads)  b=parts rmsnorm, rmsnorm_fp8, quantize_fp8, residual_add                    a=tokens
 * b=width swiglu, swiglu_fp8                a=tokens  b=ffn width (of the output) rotary_kv
 * a=tokens  c=Hq  d=Hkv copy                              a=bytes read + written (device to device)
 *   send_recv all_reduce all_gather reduce_scatter all_to_all           a=bytes b=ranks c=nodes
 *       bytes: send_recv: of the one message each rank sends; all_reduce: of the buffer;
 * all_gather: of the gathered whole; reduce_scatter: of the whole input; all_to_all: of one rank's
 * whole send buffer. variant = transport: nvlink | nvls | shm | socket | rdma | tcp launch,
 * graph_launch, event, sync, nccl_group                       host costs, a=count in the call
 *   compute_beside, transfer_beside   variant compute+transfer, or one of them alone
 *       a=message bytes b=SMs for the compute (0: all) c=ranks d=CTAs of NCCL (0: its choice)
 *
 * A variant may end in "@" and a condition under which the op ran, which makes it a row apart:
 * @smsN (on N SMs), @ctasN (NCCL with N CTAs), @nvlink, @shm (interference: the transport), @seqsN
 * (attention: N sequences, each of the row's axes), @restN (decode: all sequences but one have N
 * tokens of context), @dutyN (at work N % of the time).
 *
 * Times are seconds for one call. `state` is burst (cool, short) or sustained (after seconds of
 * continuous load). `source` is "measured" or "published: WHO, WHAT" or "modelled: HOW". */
#define RC_STORE_COLUMNS                                                                           \
    "machine", "gpu", "state", "op", "variant", "dtype", "a", "b", "c", "d", "p10_s", "p50_s",     \
        "p90_s", "samples", "sm_mhz", "power_w", "temp_c", "date", "driver", "cuda", "nccl",       \
        "kernel", "commit", "source"
#define RC_STORE_NCOLUMNS 24

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
    " UNIQUE (machine, state, op, variant, dtype, a, b, c, d, source));"                           \
    "CREATE INDEX cost_by_op ON cost (machine, op, variant, dtype, state);"

#endif
