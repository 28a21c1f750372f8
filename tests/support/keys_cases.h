/* A case for every key: a file in which the key matters, what else is set, two or three values, and
 * the result that a key with a direction moves.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_KEYS_CASES_H
#define RC_TESTS_KEYS_CASES_H
#include <math.h>
#include <stdbool.h>
#include "sim/keys/keys.h"

typedef struct keys_case {
    rc_key_file file;
    const char *path;
    const char *base;    /* of keys_files, without .yaml */
    const char *extra;   /* set as well, ";" between */
    const char *values;  /* "low|middle|high", rising; "-": left out */
    const char *observe; /* number in the JSON; of a sweep: SQL; "" for keys without order, or
                          * "refused" when the other value refuses what the case does */
    bool wide;           /* the ends of its range are too much work to try */
    bool slow;           /* no absurd numbers: a run takes long */
} keys_case;

typedef struct keys_file {
    const char *name, *text;
} keys_file;

#define PART(peaks)                                                                                \
    "description: a machine\n"                                                                     \
    "gpu: {name: H100 80GB, memory: 400GB, " peaks ", sms: 132, power: 700W}\n"                    \
    "node: {gpus: 8, nvlink_rate: 450GB/s, nvls: true}\n"                                          \
    "network: {transport: rdma, nic_rate: 400Gb/s, nic_line_rate: 42GB/s, peer_rate: 27GB/s, "     \
    "hop_latency: 35us}\n"                                                                         \
    "host: {launch: 5us}\nengine: {ring_step: 0.6ms, ring_step_cached: 0.6ms}\n"
#define PEAKS "hbm_rate: 3.35TB/s, bf16_rate: 989TFLOP/s, fp8_rate: 1979TFLOP/s"
#define FITTED                                                                                     \
    "inputs: [a]\nfitted:\n"                                                                       \
    "  - {name: gemm_ratio, meaning: why, unit: \"1\", rows: [a], value: 0.6, interval: "          \
    "[0.5, 0.7]}\n"
#define PASS(name, machine, layout, tokens)                                                        \
    "scenario: " name "\nmodel: llama-3.1-70b\nmachine: " machine "\n" layout tokens
#define SERVE                                                                                      \
    "serve: s\nmodel: llama-3.1-8b\nmachine: h100-sxm\n"                                           \
    "pools: [{name: all, tp: 1}]\n"
#define LINEAR                                                                                     \
    "costs: {prefill: 5ms, prefill_token: 10us, prefill_pair: 1ns, decode: 5ms, "                  \
    "decode_sequence: 100us, decode_key: 10ns}\n"
#define PLAN(slo)                                                                                  \
    "plan: p\nmodel: llama-3.1-8b\n"                                                               \
    "offers: [{machine: h100-sxm, price: 2, gpus: 8}]\n"                                           \
    "slo: [" slo "]\n"                                                                             \
    "synthetic: {requests: 60, rate: 4, input: {kind: uniform, lo: 100, hi: 4000}, "               \
    "output: {kind: constant, mean: 16}}\n"                                                        \
    "space: {tp: [1, 2], replicas: [1, 2]}\nsearch: {simulations: 8, seeds: 2}\n"
#define TUNE                                                                                       \
    "tune: t\nmodel: llama-3.1-70b\nmachine: gtt\ntp: 8\ncp: [1, 2, 4]\n"                          \
    "new: {from: 256, to: 128K, points: 10}\ntotal: {from: 256, to: 256K, points: 12}\n"           \
    "bootstrap: 4\ndraws: 2\n"                                                                     \
    "sensitivity: {total: 64K, cp: 4, models: [llama-3.1-8b]}\n"                                   \
    "requests: {files: [req.csv]}\n"
#define SWEEP                                                                                      \
    "scenario: w\nmodel: llama-3.1-8b\nmachine: gtt\n"                                             \
    "parallel: {tp: 8, cp: 2, variant: [pass-kv, pass-q]}\nphase: prefill\n"                       \
    "tokens: {new: [1K, 8K], cached: 0}\n"

#define MEET(op, time)                                                                             \
    "h100-sxm,H100,burst," op "," time "," time "," time                                           \
    ",9,,,,2026-11-26T00:00:00Z,1,1,,k,c,measured\n"

static const keys_file keys_files[] = {
    /* machine `own` is its own base: ratios follow from its peaks */
    {"own.yaml", "machine: own\n" PART(PEAKS) "calibration: {base: h100-sxm, state: sustained}\n"},
    {"fit.yaml",
     "machine: fit\n" PART(PEAKS) "calibration: {base: h100-sxm, state: sustained, transfer: "
                                  "{gemm: 0.6, attention: 0.8, hbm: 0.7, spread: 0.05}}\n" FITTED},
    {"watt.yaml",
     "machine: fit\n" PART(PEAKS) "calibration: {base: h100-sxm, state: sustained, transfer: "
                                  "{gemm: 0.6, attention: 0.8, hbm: 0.7, spread: 0.05}}\n" FITTED},
    {"pre.yaml",
     PASS("pre", "./own.yaml", "parallel: {tp: 8, cp: 1, variant: tp}\nphase: prefill\n",
          "tokens: {new: 8K, cached: 0}\n")},
    {"ring.yaml",
     PASS("ring", "./own.yaml", "parallel: {tp: 8, cp: 4, variant: pass-q}\nphase: prefill\n",
          "tokens: {new: 2K, cached: 64K}\n")},
    {"kv.yaml",
     PASS("kv", "./own.yaml", "parallel: {tp: 8, cp: 4, variant: pass-kv}\nphase: prefill\n",
          "tokens: {new: 32K, cached: 0}\n")},
    {"meet.yaml", /* with the rows of meet.csv for its store */
     PASS("meet", "./own.yaml", "parallel: {tp: 1, cp: 2, variant: pass-kv}\nphase: prefill\n",
          "tokens: {new: 32K, cached: 0}\n")},
    {"meet.csv",
     "machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,temp_c,"
     "date,driver,cuda,nccl,kernel,commit,source\n" MEET(
         "attention,full@sms132,bf16,1056,32000,16,1",
         "1e-3") MEET("attention,full@sms66,bf16,1056,32000,16,1",
                      "2e-3") MEET("send_recv,nvlink,bf16,65536,2,1,0",
                                   "1e-5") MEET("send_recv,nvlink,bf16,67108864,2,1,0", "1e-3")
         MEET("send_recv,nvlink@ctas4,bf16,65536,2,1,0",
              "1e-5") MEET("send_recv,nvlink@ctas4,bf16,67108864,2,1,0", "4e-3")
             MEET("transfer_beside,send_recv@nvlink,bf16,16777216,0,2,8", "1e-3")
                 MEET("transfer_beside,attention+send_recv@nvlink,bf16,16777216,124,2,8", "2e-3")},
    {"fits.yaml",
     PASS("fits", "./fit.yaml", "parallel: {tp: 8, cp: 2, variant: pass-kv}\nphase: prefill\n",
          "tokens: {new: 32K, cached: 0}\n")},
    {"dec.yaml", PASS("dec", "./own.yaml", "parallel: {tp: 8, cp: 1, variant: tp}\nphase: decode\n",
                      "tokens: {cached: 32K}\n")},
    {"pick.yaml",
     PASS("pick", "./own.yaml", "parallel: {tp: 8, cp: 4, variant: pass-kv}\nphase: prefill\n",
          "tokens: {new: 64K, cached: 0}\nattention: {pattern: top-k, keys: 8K}\n")},
    {"mtp.yaml",
     "scenario: mtp\nmodel: deepseek-v3\nmachine: h200-sxm\nparallel: {tp: 8, variant: "
     "tp}\nphase: decode\ntokens: {cached: 8K}\nspeculative: {drafts: 1, acceptance: 0.8}\n"},
    {"seq.yaml",
     PASS("seq", "./own.yaml", "parallel: {tp: 8, cp: 1, variant: tp}\nphase: prefill\n",
          "sequences: [{new: 4K, cached: 4K}, {new: 1K}]\n")},
    {"syn.yaml", SERVE "synthetic: {requests: 40, rate: 6}\n"},
    {"warm.yaml",
     SERVE "synthetic: {requests: 40, rate: 6, input: {kind: constant, mean: 4000}}\n"},
    {"lin.yaml", SERVE "synthetic: {requests: 40, rate: 6}\n" LINEAR},
    {"slo.yaml", SERVE "synthetic: {requests: 200, rate: 60, input: {kind: uniform, lo: 10, hi: "
                       "4000}}\nslo: [{ttft: 900ms}]\n" LINEAR},
    {"len.yaml",
     SERVE "synthetic: {requests: 40, rate: 6, input: {kind: constant, mean: 1000}, output: {kind: "
           "constant, mean: 40}, turns: {kind: constant, mean: 4}, think: 1s}\n" LINEAR},
    {"apart.yaml", "serve: s\nmodel: llama-3.1-8b\nmachine: h100-sxm\npools: [{name: a, role: "
                   "prefill, tp: 1}, {name: b, role: prefill, tp: 1}, {name: c, role: decode, tp: "
                   "1}]\nsynthetic: {requests: 40, rate: 6}\n"},
    {"cp.yaml",
     "serve: s\nmodel: llama-3.1-8b\nmachine: gtt\npools: [{name: all, tp: 8, cp: 4}]\nsynthetic: "
     "{requests: 30, rate: 2, input: {kind: uniform, lo: 100, hi: 60000}}\n"},
    {"two.yaml",
     "serve: s\nmodel: llama-3.1-8b\nmachine: h100-sxm\npools: [{name: a, tp: 8, cp: 2, replicas: "
     "2}, {name: b, tp: 4, replicas: 2}]\nsynthetic: {requests: 60, rate: 6}\n"},
    {"tight.yaml", SERVE "synthetic: {requests: 60, rate: 20, input: {kind: constant, mean: 1000}, "
                         "output: {kind: constant, mean: 200}}\nkv: {tokens: 8000}\n" LINEAR},
    {"share.yaml", SERVE "synthetic: {requests: 60, rate: 6, turns: {kind: constant, mean: 4}, "
                         "shared_prefix: 600, groups: 2, input: {kind: constant, mean: 1000}, "
                         "output: {kind: constant, mean: 100}}\nkv: {tokens: 12000}\n" LINEAR},
    {"trace.yaml", SERVE "arrivals: {trace: ./t.csv}\n" LINEAR},
    {"coarse.yaml", SERVE "arrivals: {trace: ./m.jsonl}\n" LINEAR},
    {"loop.yaml", SERVE "arrivals: {trace: ./s.csv, rate: 1}\n" LINEAR},
    {"fault.yaml",
     "serve: s\nmodel: llama-3.1-8b\nmachine: h100-sxm\npools: [{name: a, tp: 8, cp: 2, replicas: "
     "2}, {name: b, tp: 8, cp: 2, replicas: 2}]\nsynthetic: {requests: 60, rate: 20}\nfaults: "
     "[{kind: slow-rank, pool: a, replica: 0, rank: 0, at: 0.5s, speed: 0.5}]\n"},
    {"window.yaml", SERVE "synthetic: {requests: 20, rate: 2, input: {kind: constant, mean: "
                          "8000}}\nattention: {pattern: window, window: 1000}\n"},
    {"plan.yaml", PLAN("{ttft: 200ms}, {ttit: 20ms}")},
    {"tune.yaml", TUNE},
    {"score.yaml", TUNE "measured: {file: table4_ttft_passkv_passq, cp: 4}\n"},
    {"times.csv", "T,P,pass_kv_ms,pass_q_ms\n1000,50000,30,20\n64000,0,900,1000\n"},
    {"sweep.yaml", SWEEP},
    {"sobol.yaml", "scenario: w\nmodel: llama-3.1-8b\nmachine: gtt\nparallel: {tp: 8, cp: 2, "
                   "variant: pass-kv}\nphase: prefill\ntokens: {new: {from: 1K, to: 64K}, cached: "
                   "0}\nsweep: {sample: sobol, points: 8}\n"},
    {"gpus.yaml", "scenario: w\nmodel: llama-3.1-8b\nmachine: gtt\nparallel: {tp: 8, gpus: [16, "
                  "32], variant: pass-kv}\nphase: prefill\ntokens: {new: 8K, cached: 0}\n"},
    {"plot.yaml", SWEEP "plot: {x: new, y: time_s, series: variant, panel: cp, title: t}\n"},
    {"t.csv", "arrived_at,num_prefill_tokens,num_decode_tokens\n0,1000,20\n0.1,2000,30\n0.2,500,"
              "10\n1.5,4000,40\n1.6,300,5\n"},
    {"u.csv", "arrived_at,num_prefill_tokens,num_decode_tokens\n0,1000,20\n0.3,2000,30\n0.2,500,"
              "10\n1.5,4000,0\n1.6,300,x\n"},
    {"own.csv", "sent_s,prompt,reply\n0,100,20\n1,200,30\n"},
    {"m.jsonl", "{\"timestamp\": 0, \"input_length\": 1024, \"output_length\": 20, \"hash_ids\": "
                "[0, 1]}\n{\"timestamp\": 0, \"input_length\": 1024, \"output_length\": 20, "
                "\"hash_ids\": [0, 2]}\n{\"timestamp\": 3000, \"input_length\": 1024, "
                "\"output_length\": 20, \"hash_ids\": [0, 3]}\n{\"timestamp\": 3000, "
                "\"input_length\": 1024, \"output_length\": 20, \"hash_ids\": [0, 4]}\n"},
    {"ids.jsonl", "{\"timestamp\": 0, \"input_length\": 1024, \"output_length\": 20, \"hash_ids\": "
                  "[7, 9]}\n{\"timestamp\": 3000, \"input_length\": 1024, \"output_length\": 20, "
                  "\"hash_ids\": [7, 3]}\n"},
    {"big.csv", "sent_s,prompt,reply\n0,1000,4000\n1,2000,9000\n"},
    {"s.csv", "session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_"
              "ms\na,0,0,0,1000,20,500\na,600,1,900,300,20,500\nb,100,0,0,3000,200,500\nc,200,0,0,"
              "500,20,500\nd,300,0,0,900,70,500\n"},
    {"req.csv", "T,P\n1000,0\n2000,50000\n500,100000\n8000,1000\n"},
    {"wider.csv", "transport,kind,share,layer_s\nnone,tp,0.5,0\nnvlink,tp,0.5,0\n"
                  "nvlink,prefill,0.5,0\nnvlink,decode,0.5,0\n"},
    {"req2.csv", "T,P\n30000,0\n20000,0\n"},
    {NULL, NULL},
};

#define M RC_KEYS_MACHINE
#define F RC_KEYS_FORWARD
#define W RC_KEYS_SWEEP
#define T RC_KEYS_TUNE
#define S RC_KEYS_SERVE
#define P RC_KEYS_PLAN
#define TTFT "ttft_ms"
#define TTIT "ttit_ms"

static const keys_case keys_cases[] = {
    {M, "machine", "pre", "", "own|mine", "", 0, 0},
    {M, "description", "pre", "", "a|b", "", 0, 0},
    {M, "gpu.name", "pre", "", "H100 80GB|B", "", 0, 0},
    {M, "gpu.memory", "pre", "", "200GB|400GB|800GB", "memory_bytes.capacity", 0, 0},
    {M, "gpu.memory_fraction", "pre", "", "0.4|0.8|1", "memory_bytes.capacity", 0, 0},
    {M, "gpu.hbm_rate", "dec", "", "1.675TB/s|3.35TB/s|6.7TB/s", TTIT, 0, 0},
    {M, "gpu.bf16_rate", "pre", "", "500TFLOP/s|1000TFLOP/s|2000TFLOP/s", TTFT, 0, 0},
    {M, "gpu.fp8_rate", "pre", "dtypes.ffn_weights=fp8", "1000TFLOP/s|2000TFLOP/s|4000TFLOP/s",
     TTFT, 0, 0},
    {M, "gpu.sms", "pre", "", "132|100", "", 0, 0},
    {M, "gpu.power", "pre", "", "-|500W", "", 0, 0},
    {M, "node.gpus", "kv", "", "8|4", "", 0, 0},
    {M, "node.nvlink_rate", "pre", "", "225GB/s|450GB/s|900GB/s", TTFT, 0, 0},
    {M, "node.nvls", "pre", "", "true|false", "", 0, 0},
    {M, "node.transport", "pre", "", "nvlink|shm|socket", "", 0, 0},
    {M, "node.ring_ctas", "meet", "", "0|4", "", 0, 0},
    {M, "network.transport", "ring", "machine.machine=dgx-h100", "rdma|tcp", "", 0, 0},
    {M, "network.nic_rate", "ring", "", "200Gb/s|400Gb/s|800Gb/s", TTFT, 0, 0},
    {M, "network.nic_line_rate", "ring", "", "28GB/s|40GB/s|50GB/s", TTFT, 0, 0},
    {M, "network.peer_rate", "ring", "", "10GB/s|20GB/s|40GB/s", TTFT, 0, 0},
    {M, "network.hop_latency", "ring", "", "17us|34us|68us", TTFT, 0, 0},
    {M, "network.all_reduce", "dec", "parallel.tp=32", "ring|tree", "", 0, 0},
    {M, "network.max_nodes", "ring", "", "4|2", "", 0, 0},
    {M, "host.launch", "ring", "", "50us|100us|200us", TTFT, 0, 0},
    {M, "host.eager_gap", "ring", "", "0|2us|4us", TTFT, 0, 0},
    {M, "engine.profile", "ring", "", "-|paper", "", 0, 0},
    {M, "engine.ring_step", "ring", "", "0.3ms|0.6ms|1.2ms", TTFT, 0, 0},
    {M, "engine.ring_step_cached", "ring", "", "0.3ms|0.6ms|1.2ms", TTFT, 0, 0},
    {M, "engine.attention", "ring", "", "split|whole", "", 0, 0},
    {M, "engine.ring_tokens", "ring", "", "zigzag|stripes", "", 0, 0},
    {M, "engine.ring_pages", "ring", "", "in-place|copied", "", 0, 0},
    {M, "engine.ring_sms", "meet", "", "-|0", "", 0, 0},
    {M, "engine.quantize", "pre", "dtypes.ffn_weights=fp8", "fused|apart|with-all-reduce", "", 0,
     0},
    {M, "engine.nvls", "pre", "", "true|false", "", 0, 0},
    {M, "engine.all_reduce", "dec", "machine.engine.all_reduce_limit=1MB", "nccl|custom", "", 0, 0},
    {M, "engine.all_reduce_limit", "dec", "machine.engine.all_reduce=custom", "0B|1MB", "", 0, 0},
    {M, "engine.process_memory", "pre", "", "2GB|4GB|8GB", "memory_bytes.capacity", 0, 0},
    {M, "engine.fp8_matrix", "pre", "dtypes.ffn_weights=fp8", "0.4|0.8|1.2", TTFT, 0, 0},
    {M, "engine.fp8_stream", "dec", "dtypes.ffn_weights=fp8", "0.4|0.8|1", TTIT, 0, 0},
    {M, "calibration.base", "pre", "", "h100-sxm|h200-sxm", "", 0, 0},
    {M, "calibration.collectives", "pre", "", "h100-sxm|h200-sxm", "", 0, 0},
    {M, "calibration.costs.gemm", "pre", "", "h100-sxm|h200-sxm", "", 0, 0},
    {M, "calibration.costs.attention", "pre", "", "h100-sxm|h200-sxm", "", 0, 0},
    {M, "calibration.costs.decode", "dec", "", "h100-sxm|h200-sxm", "", 0, 0},
    {M, "calibration.costs.merge", "ring", "", "h100-sxm|h200-sxm", "", 0, 0},
    {M, "calibration.costs.elementwise", "pre", "", "h100-sxm|h200-sxm", "", 0, 0},
    {M, "calibration.stand_in", "pre", "machine.calibration.base=h200-sxm", "-|no-such-machine",
     "refused", 0, 0},
    {M, "calibration.power_window", "warm", "", "0|60ms", "", 0, 0},
    {M, "calibration.state", "pre", "", "sustained|burst", "", 0, 0},
    {M, "calibration.model_errors", "pre", "", "model-errors.csv|wider.csv", "p95", 0, 0},
    {M, "calibration.base_rates.bf16", "pre", "", "1000TFLOP/s|2000TFLOP/s|4000TFLOP/s", TTFT, 0,
     0},
    {M, "calibration.base_rates.fp8", "pre", "dtypes.ffn_weights=fp8",
     "2000TFLOP/s|4000TFLOP/s|8000TFLOP/s", TTFT, 0, 0},
    {M, "calibration.base_rates.hbm", "dec", "", "3.35TB/s|6.7TB/s|13.4TB/s", TTIT, 0, 0},
    {M, "calibration.base_rates.nvlink", "pre", "", "450GB/s|900GB/s|1800GB/s", TTFT, 0, 0},
    {M, "calibration.transfer.gemm", "pre", "", "0.25|0.5|1", TTFT, 0, 0},
    {M, "calibration.transfer.attention", "pre", "tokens.new=64K", "0.25|0.5|1", TTFT, 0, 0},
    {M, "calibration.transfer.hbm", "dec", "", "0.25|0.5|1", TTIT, 0, 0},
    {M, "calibration.transfer.nvlink", "pre", "", "0.25|0.5|1", TTFT, 0, 0},
    {M, "calibration.transfer.spread", "fits", "", "0.1|0.2|0.4", "p95", 0, 0},
    {M, "inputs", "fits", "", "a|b", "", 0, 0},
    {M, "fitted[].name", "fits", "", "gemm_ratio|hbm_ratio", "", 0, 0},
    {M, "fitted[].meaning", "fits", "", "why|because", "", 0, 0},
    {M, "fitted[].unit", "fits", "", "\"1\"|s", "", 0, 0},
    {M, "fitted[].rows", "fits", "", "a|[a, b]", "", 0, 0},
    {M, "fitted[].value", "fits", "", "0.6|0.55", "", 0, 0},
    {M, "fitted[].interval", "fits", "", "[0.5, 0.7]|[0.59, 0.61]", "", 0, 0},

    {F, "scenario", "pre", "", "pre|other", "", 0, 0},
    {F, "description", "pre", "", "-|words", "", 0, 0},
    {F, "model", "pre", "", "llama-3.1-70b|llama-3.1-8b", "", 0, 0},
    {F, "machine", "pre", "", "./own.yaml|./fit.yaml", "", 0, 0},
    {F, "parallel.tp", "kv", "", "8|4", "", 0, 0},
    {F, "parallel.cp", "kv", "", "4|2", "", 0, 0},
    {F, "parallel.dcp", "dec", "parallel.tp=16;parallel.variant=dcp-a2a", "1|2", "", 0, 0},
    {F, "parallel.ulysses", "kv", "parallel.tp=2;parallel.variant=usp", "2|4", "", 0, 0},
    {F, "parallel.world", "kv", "parallel.variant=pcp", "tp-x-cp|tp", "", 0, 0},
    {F, "parallel.ep", "kv", "model=mixtral-8x7b", "1|8", "", 0, 0},
    {F, "parallel.dp_attention", "dec", "model=mixtral-8x7b;parallel.tp=1;batch=32;parallel.ep=0",
     "4|8", "", 0, 0},
    {F, "parallel.pp", "kv", "chunk=8K", "1|2", "", 0, 0},
    {F, "parallel.pp_rest", "kv", "chunk=8K;parallel.cp=1;parallel.variant=tp;parallel.pp=3",
     "inner|last", "", 0, 0},
    {F, "chunk", "kv", "", "0|8K", "", 0, 0},
    {F, "parallel.expert_skew", "kv", "model=mixtral-8x7b;parallel.ep=8", "0|0.5|1", "", 0, 0},
    {F, "parallel.expert_transfer", "kv", "model=mixtral-8x7b;parallel.tp=2;parallel.ep=8",
     "all-to-all|all-gather", "", 0, 0},
    {F, "parallel.mla", "kv", "model=deepseek-v3;machine=h200-sxm;dtypes.attention_weights=fp8",
     "materialised|absorbed", "", 0, 0},
    {F, "parallel.variant", "kv", "", "pass-kv|pass-q|all-gather-kv", "", 0, 0},
    {F, "phase", "pre", "tokens.new=1;tokens.cached=8K", "prefill|decode|mixed", "", 0, 0},
    {F, "tokens.new", "pre", "", "4K|8K|16K", TTFT, 0, 0},
    {F, "tokens.cached", "pre", "", "32K|64K|128K", TTFT, 0, 0},
    {F, "batch", "pre", "", "1|2|4", TTFT, 0, 0},
    {F, "sequences[].new", "seq", "", "2K|4K|8K", TTFT, 0, 0},
    {F, "sequences[].cached", "seq", "", "16K|32K|64K", TTFT, 0, 0},
    {F, "dtypes.attention_weights", "pre", "", "bf16|fp8|int4", "", 0, 0},
    {F, "dtypes.ffn_weights", "pre", "", "bf16|fp8|int4", "", 0, 0},
    {F, "dtypes.activations", "pre", "", "bf16|fp8|int4", "", 0, 0},
    {F, "dtypes.kv", "pre", "", "bf16|fp8|int4", "", 0, 0},
    {F, "dtypes.ring_messages", "kv", "", "bf16|fp8|int4", "", 0, 0},
    {F, "dtypes.tp_transfers", "pre", "parallel.tp=16", "bf16|fp8|int4", "", 0, 0},
    {F, "parallel.chosen_keys", "pick", "", "round-robin|zigzag", "", 0, 0},
    {F, "attention.pattern", "kv", "attention.window=4K;attention.global=1K;attention.keys=2K",
     "full|window|top-k", "", 0, 0},
    {F, "attention.window", "kv", "attention.pattern=window", "2K|4K|8K", TTFT, 0, 0},
    {F, "attention.global", "kv", "attention.pattern=window-global;attention.window=2K", "1K|2K|4K",
     TTFT, 0, 0},
    {F, "attention.keys", "pick", "", "4K|8K|16K", TTFT, 0, 0},
    {F, "attention.index_heads", "pick", "", "16|32|64", TTFT, 0, 0},
    {F, "attention.index_dim", "pick", "", "64|128|256", TTFT, 0, 0},
    {F, "attention.keep", "kv", "attention.pattern=window;attention.window=4K", "seen|all", "", 0,
     0},
    {F, "history.share", "ring", "", "0.25|0.5|1", TTFT, 0, 0},
    {F, "history.kept", "ring", "history.share=0.5", "cached|new", "", 0, 0},
    {F, "speculative.drafts", "mtp", "", "1|2", "", 0, 0},
    {F, "speculative.acceptance", "mtp", "", "0.8|0.9", "", 0, 0},
    {F, "host", "ring", "", "eager|graph", "", 0, 0},
    {F, "ring", "kv", "", "overlapped|serial", "", 0, 0},
    {F, "ring_sms", "meet", "", "-|0", "", 0, 0},
    {F, "what_if.slow_rank", "kv", "what_if.slow_speed=0.5", "0|3", "", 0, 0},
    {F, "what_if.slow_speed", "kv", "what_if.slow_rank=0", "0.25|0.5|1", TTFT, 0, 0},
    {F, "what_if.slow_link_rank", "ring", "what_if.slow_link=0.1", "0|3", "", 0, 0},
    {F, "what_if.slow_link", "ring", "what_if.slow_link_rank=1", "0.05|0.1|0.2", TTFT, 0, 0},
    {F, "what_if.overlap_compute", "kv", "", "0.25|0.5|1", TTFT, 0, 0},
    {F, "what_if.overlap_comm", "kv", "machine.peer_rate=2GB/s", "0.25|0.5|1", TTFT, 0, 0},

    {W, "parallel.gpus", "gpus", "", "[16, 32]|[16]", "", 0, 0},
    {W, "machine_set.network_rate", "sweep", "parallel.variant=pass-q",
     "[50Gb/s]|[100Gb/s]|[200Gb/s]", "SELECT sum(time_s) FROM point", 0, 1},
    {W, "sweep.sample", "sobol", "", "sobol|grid", "", 0, 0},
    {W, "sweep.points", "sobol", "", "4|8|16", "SELECT count(*) FROM point", 1, 0},
    {W, "sweep.detail", "sweep", "", "time|full", "", 0, 0},
    {W, "sweep.draws", "sweep", "sweep.detail=full", "8|16", "", 0, 0},
    {W, "plot.title", "plot", "", "t|u", "", 0, 1},
    {W, "plot.x", "plot", "", "new|new * 2", "", 0, 1},
    {W, "plot.y", "plot", "", "time_s|time_s * 2", "", 0, 1},
    {W, "plot.series", "plot", "", "variant|phase", "", 0, 1},
    {W, "plot.panel", "plot", "", "cp|variant", "", 0, 1},
    {W, "plot.where", "plot", "", "-|new > 1000", "", 0, 1},
    {W, "plot.xlabel", "plot", "", "-|words", "", 0, 1},
    {W, "plot.ylabel", "plot", "", "-|words", "", 0, 1},
    {W, "plot.best", "plot", "plot.series=phase", "least|most", "", 0, 1},
    {W, "plot.log", "plot", "", "xy|none|x", "", 0, 1},
    {W, "plot.key", "plot", "", "left top|right bottom", "", 0, 1},

    {T, "tune", "tune", "", "t|u", "", 0, 1},
    {T, "description", "tune", "", "-|words", "", 0, 1},
    {T, "model", "tune", "", "llama-3.1-70b|llama-3.1-8b", "", 0, 1},
    {T, "machine", "tune", "", "gtt|gti", "", 0, 1},
    {T, "dtypes.attention_weights", "tune", "", "bf16|fp8", "", 0, 1},
    {T, "dtypes.ffn_weights", "tune", "", "bf16|fp8", "", 0, 1},
    {T, "dtypes.activations", "tune", "", "bf16|fp8", "", 0, 1},
    {T, "dtypes.kv", "tune", "", "bf16|fp8", "", 0, 1},
    {T, "dtypes.ring_messages", "tune", "", "bf16|fp8", "", 0, 1},
    {T, "dtypes.tp_transfers", "tune", "tp=16", "bf16|fp8", "", 0, 1},
    {T, "tp", "tune", "", "8|4", "", 0, 1},
    {T, "cp", "tune", "", "[1, 2, 4]|[2, 4]", "", 0, 1},
    {T, "new.from", "tune", "", "256|512", "", 0, 1},
    {T, "new.to", "tune", "", "128K|110K", "", 0, 1},
    {T, "new.points", "tune", "", "5|10|20", "cells", 0, 1},
    {T, "total.from", "tune", "", "256|1K", "", 0, 1},
    {T, "total.to", "tune", "", "256K|200K", "", 0, 1},
    {T, "total.points", "tune", "", "6|12|24", "cells", 0, 1},
    {T, "batch", "tune", "", "[1]|[1, 4]", "", 0, 1},
    {T, "price", "tune", "", "[0]|[0, 1]", "", 0, 1},
    {T, "knots", "tune", "", "8|16", "", 0, 1},
    {T, "bootstrap", "tune", "", "4|8", "", 0, 1},
    {T, "draws", "tune", "", "4|8", "", 0, 1},
    {T, "seed", "tune", "", "1|2", "", 0, 1},
    {T, "measured.file", "score", "", "table4_ttft_passkv_passq|./times.csv", "", 0, 1},
    {T, "measured.cp", "score", "", "4|2", "", 0, 1},
    {T, "requests.files", "tune", "", "[./req.csv]|[./req2.csv]", "", 0, 1},
    {T, "requests.format", "tune", "requests.files=[./m.jsonl]", "auto|azure", "refused", 0, 1},
    {T, "requests.columns", "tune", "requests.files=[./big.csv];requests.format=columns",
     "arrival=sent_s,input=prompt,output=reply|arrival=sent_s,input=reply,output=prompt", "", 0, 1},
    {T, "requests.sort", "tune", "requests.files=[./u.csv];requests.on_bad_row=skip", "true|false",
     "", 0, 1},
    {T, "requests.zero_output", "tune",
     "requests.files=[./u.csv];requests.on_bad_row=skip;requests.sort=true", "one|drop", "", 0, 1},
    {T, "requests.on_bad_row", "tune", "requests.files=[./u.csv];requests.sort=true", "skip|refuse",
     "refused", 0, 1},
    {T, "requests.any_ids", "tune", "requests.files=[./ids.jsonl]", "true|false", "refused", 0, 1},
    {T, "requests.block", "tune", "requests.files=[./m.jsonl]", "512|1K", "", 0, 1},
    {T, "requests.limit", "tune", "", "-|2", "", 0, 1},
    {T, "sensitivity.total", "tune", "", "64K|32K", "", 0, 1},
    {T, "sensitivity.cp", "tune", "", "4|2", "", 0, 1},
    {T, "sensitivity.models", "tune", "", "[llama-3.1-8b]|[qwen2.5-72b-instruct]", "", 0, 1},

    {S, "serve", "syn", "", "s|t", "", 0, 0},
    {S, "description", "syn", "", "-|words", "", 0, 0},
    {S, "model", "syn", "", "llama-3.1-8b|qwen2.5-7b-instruct-1m", "", 0, 0},
    {S, "machine", "syn", "", "h100-sxm|h200-sxm", "", 0, 0},
    {S, "engine", "syn", "", "-|trtllm|vllm|sglang|ideal", "", 0, 0},
    {S, "dtypes.attention_weights", "syn", "", "bf16|fp8", "", 0, 0},
    {S, "dtypes.ffn_weights", "syn", "", "bf16|fp8", "", 0, 0},
    {S, "dtypes.activations", "syn", "", "bf16|fp8", "", 0, 0},
    {S, "dtypes.kv", "syn", "", "bf16|fp8|int4", "", 0, 0},
    {S, "dtypes.ring_messages", "cp", "", "bf16|fp8|int4", "", 0, 0},
    {S, "dtypes.tp_transfers", "cp", "pools[0].tp=16", "bf16|fp8|int4", "", 0, 0},
    {S, "pools[].name", "syn", "", "all|each", "", 0, 0},
    {S, "pools[].role", "apart", "", "prefill|decode", "", 0, 0},
    {S, "pools[].replicas", "syn", "synthetic.rate=40;slo.ttft=200ms", "1|2|4", "goodput", 0, 0},
    {S, "pools[].tp", "syn", "", "1|2", "", 0, 0},
    {S, "pools[].cp", "cp", "", "4|2", "", 1, 0},
    {S, "pools[].dcp", "cp", "pools[0].cp=1;pools[0].tp=16;pools[0].variant=dcp-a2a", "1|2", "", 0,
     0},
    {S, "pools[].ulysses", "cp", "pools[0].tp=2;pools[0].variant=usp", "2|4", "", 0, 0},
    {S, "pools[].pp", "syn", "pools[0].tp=2", "1|4", "", 1, 0},
    {S, "pools[].pp_rest", "syn", "pools[0].pp=3", "inner|last", "", 0, 0},
    {S, "pools[].world", "cp", "pools[0].variant=pcp", "tp-x-cp|tp", "", 0, 0},
    {S, "pools[].ep", "syn", "model=mixtral-8x7b;pools[0].tp=8", "1|8", "", 0, 0},
    {S, "pools[].dp_attention", "syn", "model=mixtral-8x7b;pools[0].tp=1;pools[0].ep=0", "4|8", "",
     0, 0},
    {S, "pools[].expert_skew", "syn", "model=mixtral-8x7b;pools[0].tp=8;pools[0].ep=8", "0|0.5|1",
     "", 0, 0},
    {S, "pools[].expert_transfer", "cp",
     "model=mixtral-8x7b;pools[0].tp=2;pools[0].ep=4;pools[0].variant=pass-kv",
     "all-to-all|all-gather", "", 0, 0},
    {S, "pools[].mla", "syn",
     "model=deepseek-v3;machine=h200-sxm;pools[0].tp=8;dtypes.attention_weights=fp8",
     "materialised|absorbed", "", 0, 0},
    {S, "pools[].variant", "cp", "", "pass-kv|pass-q|oracle", "", 0, 0},
    {S, "pools[].coefficients", "cp", "pools.0.variant=empirical", "[0, 0, 1]|[0, 0, -1]", "", 0,
     0},
    {S, "pools[].dynamic_cp", "cp", "", "false|true", "", 0, 0},
    {S, "pools[].price", "syn", "", "1|2|4", "cost", 0, 0},
    {S, "scheduler.policy", "lin", "", "prefill-first|chunked", "", 0, 0},
    {S, "scheduler.budget", "lin", "scheduler.policy=chunked", "2K|1K", "", 0, 0},
    {S, "scheduler.max_batch", "lin", "", "256|2", "", 0, 0},
    {S, "scheduler.fuse", "lin", "synthetic.rate=40", "16|1", "", 0, 0},
    {S, "scheduler.max_waiting", "lin", "synthetic.rate=400", "0|2", "", 0, 0},
    {S, "scheduler.admission", "tight", "scheduler.policy=chunked;scheduler.budget=256",
     "prompt|chunk|reply", "", 0, 0},
    {S, "scheduler.decode_ranks", "cp", "", "even|position", "", 0, 0},
    {S, "scheduler.graphs", "lin", "synthetic.rate=40", "[1, 2]|[8, 16]", "", 0, 0},
    {S, "scheduler.overlap", "lin", "scheduler.step=1ms", "false|true", "", 0, 0},
    {S, "scheduler.step", "lin", "", "1ms|2ms|4ms", "e2e_ms.mean", 0, 0},
    {S, "scheduler.step_sequence", "lin", "", "1ms|2ms|4ms", "e2e_ms.mean", 0, 0},
    {S, "scheduler.preemption", "tight", "", "recompute|swap", "", 0, 0},
    {S, "kv.dtype", "syn", "", "bf16|fp8|int4", "", 0, 0},
    {S, "kv.block", "tight", "", "16|256", "", 0, 0},
    {S, "kv.policy", "share", "", "lru|off", "", 0, 0},
    {S, "kv.memory", "syn", "", "0.4|0.8|1", "pools.0.kv_tokens", 0, 0},
    {S, "kv.memory_of", "syn", "", "all|free", "", 0, 0},
    {S, "kv.transfer", "apart", "", "whole|by-layer", "", 0, 0},
    {S, "kv.hits", "share", "kv.block=64", "tokens|blocks", "", 0, 0},
    {S, "kv.tokens", "tight", "", "4000|8000|16000", "pools.0.kv_tokens", 0, 0},
    {S, "kv.host_memory", "share", "", "200MB|400MB|800MB", "kv_hit_tokens", 0, 0},
    {S, "kv.host_rate", "share", "kv.host_memory=10GB", "10MB/s|20MB/s|40MB/s", "e2e_ms.mean", 0,
     0},
    {S, "routing", "share", "pools[0].replicas=2", "load|prefix|round-robin", "", 0, 0},
    {S, "concurrency", "lin", "", "2|8", "", 0, 0},
    {S, "arrivals.trace", "trace", "", "./t.csv|./m.jsonl", "", 0, 0},
    {S, "arrivals.format", "coarse", "", "auto|guidellm", "", 0, 0},
    {S, "arrivals.time_unit", "trace", "", "auto|ms", "", 0, 0},
    {S, "arrivals.columns", "trace", "arrivals.trace=./own.csv;arrivals.format=columns",
     "arrival=sent_s,input=prompt,output=reply|arrival=sent_s,input=reply,output=prompt", "", 0, 0},
    {S, "arrivals.sort", "trace", "arrivals.trace=./u.csv;arrivals.on_bad_row=skip", "true|false",
     "", 0, 0},
    {S, "arrivals.zero_output", "trace", "arrivals.trace=./u.csv;arrivals.on_bad_row=skip",
     "one|drop", "", 0, 0},
    {S, "arrivals.on_bad_row", "trace", "arrivals.trace=./u.csv;arrivals.sort=true", "skip|refuse",
     "refused", 0, 0},
    {S, "arrivals.any_ids", "coarse", "arrivals.trace=./ids.jsonl", "true|false", "refused", 0, 0},
    {S, "arrivals.block", "coarse", "", "512|1K", "", 0, 0},
    {S, "arrivals.requests", "trace", "", "2|4|8", "requests", 1, 0},
    {S, "arrivals.spread", "coarse", "", "false|true", "", 0, 0},
    {S, "arrivals.rate_scale", "trace", "", "0.05|0.1|0.2", "makespan_s", 1, 0},
    {S, "arrivals.process", "trace", "arrivals.rate=1", "poisson|gamma|even", "", 0, 0},
    {S, "arrivals.rate", "trace", "", "0.25|0.5|1", "makespan_s", 1, 0},
    {S, "arrivals.cv", "trace", "arrivals.rate=1;arrivals.process=gamma", "1|3", "", 0, 0},
    {S, "arrivals.together", "trace", "arrivals.trace=./m.jsonl", "1|2", "", 0, 0},
    {S, "arrivals.shuffle", "loop", "", "false|true", "", 0, 0},
    {S, "arrivals.resample", "trace", "", "false|true", "", 0, 0},
    {S, "synthetic.requests", "lin", "", "20|40|80", "requests", 1, 0},
    {S, "synthetic.process", "lin", "", "poisson|gamma|even", "", 0, 0},
    {S, "synthetic.rate", "lin", "", "0.5|1|2", "makespan_s", 1, 0},
    {S, "synthetic.cv", "lin", "synthetic.process=gamma", "1|3", "", 0, 0},
#define LENGTH_CASES(section, result)                                                              \
    {S,                                                                                            \
     section ".kind",                                                                              \
     "len",                                                                                        \
     section ".median=3;" section ".sigma=1;" section ".hi=5",                                     \
     "constant|uniform|lognormal",                                                                 \
     "",                                                                                           \
     0,                                                                                            \
     0},                                                                                           \
        {S, section ".mean", "len", "", "2|4|8", result, 1, 0},                                    \
        {S,          section ".median",                                                            \
         "len",      section ".kind=lognormal;" section ".sigma=0.1",                              \
         "10|20|40", result,                                                                       \
         1,          0},                                                                           \
        {S,       section ".sigma",                                                                \
         "len",   section ".kind=lognormal;" section ".median=20",                                 \
         "0.1|1", "",                                                                              \
         1,       0},                                                                              \
        {S,         section ".lo", "len", section ".kind=uniform;" section ".hi=40",               \
         "5|10|20", result,        1,     0},                                                      \
    {                                                                                              \
        S, section ".hi", "len", section ".kind=uniform;" section ".lo=1", "10|20|40", result, 1,  \
            0                                                                                      \
    }
    LENGTH_CASES("synthetic.input", "tokens_in"),
    LENGTH_CASES("synthetic.output", "tokens_out"),
    LENGTH_CASES("synthetic.turns", "requests"),
    {S, "synthetic.think", "len", "", "1s|2s|4s", "makespan_s", 0, 0},
    {S, "synthetic.block", "share", "", "16|128", "", 0, 0},
    {S, "synthetic.shared_prefix", "lin", "", "128|256|512", "kv_hit_tokens", 1, 0},
    {S, "synthetic.groups", "lin", "synthetic.shared_prefix=512", "1|2|4", "kv_hit_tokens", 0, 0},
    {S, "faults[].kind", "fault", "", "slow-rank|node-lost|slow-link", "", 0, 0},
    {S, "faults[].pool", "fault", "pools[0].replicas=1", "a|b", "", 0, 0},
    {S, "faults[].replica", "fault", "", "0|1", "", 0, 0},
    {S, "faults[].rank", "fault", "", "0|1", "", 0, 0},
    {S, "faults[].at", "fault", "", "0.5s|1s", "", 0, 0},
    {S, "faults[].back", "fault", "", "-|1s", "", 0, 0},
    {S, "faults[].speed", "fault", "", "0.1|0.2|0.4", "e2e_ms.mean", 0, 0},
    {S, "on_loss", "fault", "faults[0].kind=node-lost", "retry|lose", "", 0, 0},
    {S, "history.share", "len", "", "0|0.5|1", "tokens_in", 0, 0},
    {S, "history.kept", "len", "history.share=0.5", "cached|new", "", 0, 0},
    {S, "history.summary", "len", "", "0|20|40", "e2e_ms.mean", 1, 0},
    {S, "speculative.tokens", "lin", "", "-|[0.5, 0.5]", "", 0, 0},
    {S, "speculative.drafts", "lin", "speculative.acceptance=0.5;speculative.model=llama-3.1-8b",
     "1|3", "", 0, 0},
    {S, "speculative.acceptance", "lin", "speculative.drafts=2;speculative.model=llama-3.1-8b",
     "0.2|0.8", "", 0, 0},
    {S, "speculative.model", "syn",
     "pools[0].tp=8;model=llama-3.1-70b;speculative.drafts=2;speculative.acceptance=0.5",
     "llama-3.1-8b|llama-3.1-70b", "", 1, 0},
    {S, "costs.draft", "lin",
     "speculative.drafts=2;speculative.acceptance=0.5;speculative.model=llama-3.1-8b",
     "1ms|5ms|9ms", "e2e_ms.mean", 0, 0},
    {S, "speculative.step_cost", "lin", "speculative.tokens=[0.5, 0.5]", "1|2|4", "e2e_ms.mean", 0,
     0},
    {S, "attention.pattern", "window", "attention.global=100;attention.keys=500",
     "window|window-global|full", "", 0, 0},
    {S, "attention.window", "window", "", "1000|2000|4000", "e2e_ms.mean", 0, 0},
    {S, "attention.global", "window", "attention.pattern=window-global", "500|1000|2000",
     "e2e_ms.mean", 0, 0},
    {S, "attention.keys", "window", "attention.pattern=top-k", "1000|2000|4000", "e2e_ms.mean", 0,
     0},
    {S, "attention.index_heads", "window", "attention.pattern=top-k;attention.keys=1000",
     "16|32|64", "e2e_ms.mean", 0, 0},
    {S, "attention.index_dim", "window", "attention.pattern=top-k;attention.keys=1000",
     "64|128|256", "e2e_ms.mean", 0, 0},
    {S, "slo[].ttft", "slo", "", "450ms|900ms|1800ms", "goodput", 0, 0},
    {S, "slo[].ttit", "slo", "", "25ms|50ms|100ms", "goodput", 0, 0},
    {S, "slo[].share", "slo", "", "0.01|1", "", 0, 0},
    {S, "slo[].from", "slo", "", "0|1000|2000", "goodput", 0, 0},
    {S, "slo[].to", "slo", "", "1000|2000|4000", "goodput", 0, 0},
    {S, "price", "lin", "", "1|2|4", "cost", 0, 0},
    {S, "seed", "lin", "", "1|2", "", 0, 0},
    {S, "costs.prefill", "lin", "", "5ms|10ms|20ms", "ttft_ms.mean", 0, 0},
    {S, "costs.prefill_token", "lin", "", "10us|20us|40us", "ttft_ms.mean", 0, 0},
    {S, "costs.prefill_pair", "lin", "", "10ns|20ns|40ns", "ttft_ms.mean", 0, 0},
    {S, "costs.decode", "lin", "", "5ms|10ms|20ms", "e2e_ms.mean", 0, 0},
    {S, "costs.decode_sequence", "lin", "", "100us|200us|400us", "e2e_ms.mean", 0, 0},
    {S, "costs.decode_key", "lin", "", "100ns|200ns|400ns", "e2e_ms.mean", 0, 0},

    {P, "plan", "plan", "", "p|q", "", 0, 1},
    {P, "offers[].machine", "plan", "", "h100-sxm|h200-sxm", "", 0, 1},
    {P, "offers[].price", "plan", "", "1|2|4", "best.price_per_hour", 0, 1},
    {P, "offers[].gpus", "plan", "", "1|2|4", "considered", 0, 1},
    {P, "space.tp", "plan", "", "[1, 2]|4", "", 0, 1},
    {P, "space.cp", "plan", "offers[0].gpus=16;space.tp=8", "1|[1, 2]", "", 0, 1},
    {P, "space.decode_cp", "plan",
     "space.pools=disaggregated;offers[0].gpus=32;space.tp=8;space.cp=[1, 2]", "1|[1, 2]", "", 0,
     1},
    {P, "space.dcp", "plan", "offers[0].gpus=16;space.tp=16;space.replicas=1", "1|2", "", 0, 1},
    {P, "space.dcp_variant", "plan", "offers[0].gpus=16;space.tp=16;space.replicas=1;space.dcp=2",
     "dcp-ag-rs|dcp-a2a", "", 0, 1},
    {P, "space.pp", "plan", "space.tp=1;space.replicas=1", "1|2", "", 0, 1},
    {P, "space.pp_rest", "plan", "space.tp=1;space.replicas=1;space.pp=3", "inner|last", "", 0, 1},
    {P, "space.dp_attention", "plan", "model=mixtral-8x7b;space.tp=1;space.replicas=1;space.ep=0",
     "4|8", "", 0, 1},
    {P, "space.ep", "plan", "model=mixtral-8x7b;space.tp=8;space.replicas=1", "1|8", "", 0, 1},
    {P, "space.expert_skew", "plan", "model=mixtral-8x7b;space.tp=8;space.replicas=1;space.ep=8",
     "0|0.5|1", "", 0, 1},
    {P, "space.mla", "plan",
     "model=deepseek-v3;offers[0].machine=h200-sxm;space.tp=8;space.replicas=1;"
     "dtypes.attention_weights=fp8",
     "materialised|absorbed", "", 0, 1},
    {P, "space.variant", "plan", "offers[0].gpus=16;space.tp=8;space.cp=2", "pass-kv|pass-q", "", 0,
     1},
    {P, "space.dynamic_cp", "plan", "offers[0].gpus=16;space.tp=8;space.cp=2", "false|true", "", 0,
     1},
    {P, "space.pools", "plan", "", "mixed|[mixed, disaggregated]", "", 0, 1},
    {P, "space.scheduler", "plan", "", "prefill-first|chunked", "", 0, 1},
    {P, "space.budget", "plan", "space.scheduler=chunked", "8K|1K", "", 0, 1},
    {P, "space.max_batch", "plan", "", "256|2", "", 0, 1},
    {P, "space.kv", "plan", "", "bf16|fp8|int4", "", 0, 1},
    {P, "space.replicas", "plan", "", "[1, 2]|{from: 1, to: 4}", "", 0, 1},
    {P, "search.simulations", "plan", "", "1|2|4", "simulated", 0, 1},
    {P, "search.seeds", "plan", "", "2|4", "", 0, 1},
    {P, "search.met", "plan", "slo[0].ttft=64ms;search.seeds=6", "1|0.1", "", 0, 1},
    {P, "search.growth", "plan", "", "1|8", "", 0, 1},
    {0, NULL, NULL, NULL, NULL, NULL, 0, 0},
};

#undef M
#undef F
#undef W
#undef T
#undef S
#undef P
#endif
