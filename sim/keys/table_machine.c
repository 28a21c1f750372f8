/* The keys of scenarios/machines/NAME.yaml.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/keys/tables.h"

#define RATE_LO 1e6
#define RATE_HI 1e14
#define PEAK_LO 1e9
#define PEAK_HI 1e18

const rc_key rc_keys_machine[] = {
    TEXT("machine", NEEDED, "reports",
         "name; of a file in scenarios/machines/, the file's name without .yaml"),
    TEXT("description", NEEDED, "reports", "one line"),
    SECTION("gpu", NEEDED, ""),
    TEXT("gpu.name", NEEDED, "time",
         "the part; rows of collectives prefer machines with the same one"),
    NUMBER("gpu.memory", BYTES, 1e9, 1e13, "", NEEDED, "memory", UP,
           "HBM of one GPU, as the driver reports it"),
    NUMBER("gpu.memory_fraction", RATIO, 0.01, 1.0, "", "=0.9", "memory", UP,
           "of it that one process may take for weights, KV, activations, buffers and the runtime "
           "together (vLLM: `gpu_memory_utilization`)"),
    NUMBER("gpu.hbm_rate", BANDWIDTH, PEAK_LO, 1e15, "", NEEDED, "time", DOWN, "published peak"),
    NUMBER("gpu.bf16_rate", FLOPS, PEAK_LO, PEAK_HI, "", NEEDED, "time", DOWN,
           "published dense peak; a time that would beat it is refused"),
    NUMBER("gpu.fp8_rate", FLOPS, PEAK_LO, PEAK_HI, "", NEEDED, "time", DOWN,
           "published dense peak; a time that would beat it is refused"),
    WHOLE("gpu.sms", 1, 10000, "", NEEDED, "reports", NONE,
          "streaming multiprocessors: describes the part, changes no time"),
    NUMBER("gpu.power", POWER, 1.0, 1e5, "", NEEDED, "reports", NONE,
           "board limit: describes the part, changes no time, and is not for `--set` (set "
           "`bf16_rate`, `fp8_rate`)"),
    SECTION("node", NEEDED, ""),
    WHOLE("node.gpus", 1, 1024, "", NEEDED, "time", NONE, "GPUs of a node"),
    NUMBER("node.nvlink_rate", BANDWIDTH, RATE_LO, RATE_HI, "", NEEDED, "time", DOWN,
           "a GPU and direction, published"),
    SWITCH("node.nvls", NEEDED, "time", "switches reduce (all-reduce)"),
    CHOICE("node.transport", "nvlink shm socket", "=nvlink", "time",
           "what GPUs of a node talk over"),
    WHOLE("node.ring_ctas", 0, 64, "", "=0", "time", NONE,
          "CTAs that NCCL may take for messages and all-to-alls between CP ranks; 0: as many as it "
          "chooses; a limit that no row was measured with changes what a cost rests on, not the "
          "cost"),
    SECTION("network", "no section: one node", "between nodes"),
    CHOICE("network.transport", "rdma tcp", NEEDED, "time",
           "over what messages between nodes were measured: which of this machine's own rows hold"),
    NUMBER("network.nic_rate", BANDWIDTH, RATE_LO, RATE_HI, "", NEEDED, "time", DOWN,
           "nominal, a GPU and direction"),
    NUMBER("network.nic_line_rate", BANDWIDTH, RATE_LO, RATE_HI, "", NEEDED, "time", DOWN,
           "best achieved with several peers; at most `nic_rate`"),
    NUMBER("network.peer_rate", BANDWIDTH, RATE_LO, RATE_HI, "", NEEDED, "time", DOWN,
           "achieved by one connection; at most `nic_line_rate`"),
    NUMBER("network.hop_latency", TIME, 0.0, 1.0, "", NEEDED, "time", UP,
           "one small NCCL send + recv between nodes, in a CUDA graph"),
    CHOICE(
        "network.all_reduce", "auto ring tree", "=auto", "time",
        "NCCL's algorithm of all-reduces between nodes, as NCCL_ALGO forces it; auto: the faster "
        "one by its size"),
    WHOLE("network.max_nodes", 2, 1000000, "", "any number", "what fits", NONE,
          "nodes of the cluster: more, of one pass or of all replicas together, are refused"),
    SECTION("host", NEEDED, ""),
    NUMBER("host.launch", TIME, 0.0, 1.0, "", NEEDED, "time", UP, "a launched kernel"),
    NUMBER(
        "host.eager_gap", TIME, 0.0, 1.0, "", "=0", "time", UP,
        "what each kernel that is launched by itself takes longer on the GPU than in a CUDA graph; "
        "0: by the rows of `gap`, and nothing without them"),
    SECTION("engine", "the kernels that were measured, and no host work at ring steps",
            "the serving engine, where it differs from the kernels that were measured"),
    NAME("engine.profile", "none", "time",
         "`scenarios/engines/NAME.yaml`: its `engine` and `fitted` hold, but for the keys that "
         "stand "
         "here"),
    NUMBER("engine.ring_step", TIME, 0.0, 1.0, "", "=0", "time", UP,
           "host work of a ring step of prefill, after the host has synchronised"),
    NUMBER("engine.ring_step_cached", TIME, 0.0, 1.0, "", "=0", "time", UP,
           "what it takes more where there are cached keys"),
    CHOICE("engine.attention", "split whole", "=split", "time",
           "prefill attention: tiles of its last wave split along the keys, as the kernel that was "
           "measured does, or every tile whole"),
    CHOICE("engine.ring_tokens", "zigzag stripes", "=zigzag", "time",
           "the new tokens of a prompt on the ranks of a ring (`pass-kv`, `pass-q`): two chunks "
           "each, or "
           "every N-th token each"),
    CHOICE("engine.ring_pages", "in-place copied", "=in-place", "time",
           "keys and values that a ring sends: from where they lie, or copied out of their pages "
           "into one message first"),
    WHOLE("engine.ring_sms", 0, 1 << 20, "SMs", "all but 8", "time", NONE,
          "of attention beside a message of a ring, where the scenario does not say; 0: all, and "
          "it gives "
          "way, tile by tile"),
    CHOICE(
        "engine.quantize", "fused apart with-all-reduce", "=fused", "time",
        "inputs of fp8 products: quantised by the norm before them, by a kernel of its own, or in "
        "one kernel with all-reduce and norm up to `all_reduce_limit`, and by one of its own "
        "beyond"),
    CHOICE("engine.all_reduce", "nccl custom", "=nccl", "time",
           "all-reduces inside a node: NCCL's, or the engine's own where there are rows of it"),
    NUMBERS("engine.all_reduce_limit", BYTES, 0.0, 1e12, "", "0", "time", NONE,
            "messages up to which the engine's own all-reduce goes, among 2, 4 and 8 GPUs"),
    NUMBER("engine.process_memory", BYTES, 0.0, 1e12, "", "=0B", "memory", DOWN,
           "memory of a GPU that its process holds beyond the runtime's 2 GB"),
    SWITCH("engine.nvls", "`node.nvls`", "time",
           "whether all-reduces of the engine are reduced by the switches"),
    NUMBER("engine.fp8_matrix", RATIO, 0.01, 2.0, "", "=1", "time", DOWN,
           "rate of fp8 products over those measured, where the matrix units bind them"),
    NUMBER("engine.fp8_stream", RATIO, 0.01, 2.0, "", "=1", "time", DOWN,
           "the same where reading the weights binds them"),
    SECTION("calibration", NEEDED, ""),
    TEXT("calibration.base", NEEDED, "time",
         "machine column of the store that compute costs rest on"),
    TEXT("calibration.collectives", "`base`", "time", "the same for collectives inside a node"),
    SECTION("calibration.costs", "all of `base`",
            "machine columns whose rows of single ops stand in place of the base's, as if measured "
            "on it, or `COLUMN@condition`, those measured under a condition; links: `collectives`"),
    TEXT("calibration.costs.gemm", "`base`", "time", "of products"),
    TEXT("calibration.costs.attention", "`base`", "time", "of prefill attention, full and causal"),
    TEXT("calibration.costs.decode", "`base`", "time", "of decode attention"),
    TEXT("calibration.costs.merge", "`base`", "time", "of merges of partial outputs"),
    TEXT("calibration.costs.elementwise", "`base`", "time",
         "of norms, additions, activations, rotary and quantisation"),
    TEXT("calibration.stand_in", "none", "time",
         "machine of a file whose rows of attention and of products by blocks, among those "
         "compiled in, "
         "answer for types that the base has none of, carried over by both parts' published peaks"),
    CHOICE(
        "calibration.state", "burst sustained power_limited", NEEDED, "time",
        "clock state of the costs: a cool chip, one after seconds of load, or the clock at which a "
        "pass draws what the board may"),
    NUMBER(
        "calibration.power_window", TIME, 0.0, 10.0, "", "=0", "time", NONE,
        "of power_limited, in serving: over which the board's limiter averages power, so that a "
        "pass behind "
        "lighter ones runs at the boost clock at first; 0: each pass at the clock of its own mean"),
    TEXT(
        "calibration.model_errors", "none", "p5, p95",
        "table of how far forecasts of whole passes of this machine are off, by transport and "
        "kind: "
        "a file beside this one, or in scenarios/machines, that `ringcast validate --learn` wrote"),
    SECTION("calibration.base_rates",
            "from the base's own machine file, found by its name as other files are",
            "published peaks of the base"),
    NUMBER("calibration.base_rates.bf16", FLOPS, PEAK_LO, PEAK_HI, "", "the base's own", "time", UP,
           "dense peak"),
    NUMBER("calibration.base_rates.fp8", FLOPS, PEAK_LO, PEAK_HI, "", "the base's own", "time", UP,
           "dense peak"),
    NUMBER("calibration.base_rates.hbm", BANDWIDTH, PEAK_LO, 1e15, "", "the base's own", "time", UP,
           "peak"),
    NUMBER("calibration.base_rates.nvlink", BANDWIDTH, RATE_LO, RATE_HI, "",
           "of the file of `collectives`", "time", UP,
           "that the rows of `collectives` were measured on"),
    SECTION("calibration.transfer", "by the published peaks", "achieved rate here over there"),
    NUMBER("calibration.transfer.gemm", RATIO, 0.01, 100.0, "",
           "`bf16_rate` over the base's (fp8: `fp8_rate`)", "time", DOWN, "products"),
    NUMBER("calibration.transfer.attention", RATIO, 0.01, 100.0, "",
           "`bf16_rate` over the base's (fp8: `fp8_rate`)", "time", DOWN, "attention"),
    NUMBER("calibration.transfer.hbm", RATIO, 0.01, 100.0, "", "`hbm_rate` over the base's", "time",
           DOWN, "ops bound by memory"),
    NUMBER("calibration.transfer.nvlink", RATIO, 0.01, 100.0, "",
           "`nvlink_rate` over `base_rates.nvlink`", "time", DOWN, "links inside a node"),
    NUMBER("calibration.transfer.spread", RATIO, 0.0, 1.0, "",
           "0; 0.15 when a ratio other than 1 comes from the peaks", "p95", UP,
           "relative 90 % half-width of the transfer"),
    TEXT("inputs", "none", "reports",
         "ids of published rows whose figures the file states: a list, or one id; `paper` does not "
         "compare with them"),
    ENTRIES("fitted", "none",
            "at most eight numbers that were fitted, with those of the engine's profile; each "
            "replaces the stated value"),
    TEXT("fitted[].name", NEEDED, "time", "which number: one of the names below"),
    TEXT("fitted[].meaning", NEEDED, "reports", "what it is, physically"),
    TEXT("fitted[].unit", NEEDED, "reports",
         "the number's base unit: `B`, `B/s`, `FLOP/s`, `s`, `W` or `\"1\"`"),
    TEXT("fitted[].rows", NEEDED, "reports", "ids of the rows it was fitted on: a list, or one id"),
    NUMBER("fitted[].value", RATIO, -DBL_MAX, DBL_MAX, "the number's", NEEDED, "time", NONE,
           "the fitted value; bare: in `unit`"),
    NUMBERS("fitted[].interval", RATIO, -DBL_MAX, DBL_MAX, "the number's", NEEDED, "p95", NONE,
            "`[low, high]`, the 90 % interval; holds the value"),
    END,
};
