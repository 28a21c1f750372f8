/* The keys of a forward pass, and what a sweep of them adds.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/keys/tables.h"
#include "sim/schedule/schedule.h"

#define DTYPES "bf16 fp8 int4"
#define WEIGHTS DTYPES " fp8-block int8 w8a16 w4a8 mxfp4 nvfp4"

const rc_key rc_keys_forward[] = {
    TEXT("scenario", NEEDED, "reports", "name"),
    TEXT("description", "none", "reports", "one line, shown by --json"),
    NAME("model", NEEDED, "time", "`models/NAME.json`, or another config.json of Hugging Face"),
    NAME("machine", NEEDED, "time", "`scenarios/machines/NAME.yaml`, or another machine file"),
    SECTION("parallel", NEEDED, ""),
    WHOLE("parallel.tp", 1, 4096, "GPUs", NEEDED, "time", NONE,
          "GPUs of a TP group; more than a node has: the group spans nodes"),
    WHOLE("parallel.cp", 1, 4096, "ranks", "=1", "time", NONE, "context-parallel ranks"),
    WHOLE("parallel.dcp", 1, 4096, "GPUs", "=1", "time", NONE,
          "GPUs of a TP group among which the tokens of a sequence are cut, for the schedules that "
          "do "
          "([schedules.md](schedules.md)); divides `tp`"),
    WHOLE("parallel.ulysses", 1, 4096, "ranks", "=1", "time", NONE,
          "neighbouring ranks of a group in which `usp` swaps tokens for heads; divides `cp`"),
    WHOLE(
        "parallel.dp_attention", 1, 4096, "groups", "=1", "time, memory", NONE,
        "groups of tp x cp GPUs (with world tp: parts of tp GPUs) that each attend to sequences of "
        "their own; experts lie over the GPUs of all (`ep`) ([models.md](models.md))"),
    CHOICE(
        "parallel.world", "tp-x-cp tp", "=tp-x-cp", "time",
        "tp-x-cp: tp GPUs a rank (vLLM's prefill CP); tp: the ranks are parts of one TP group of "
        "`tp` GPUs, which has attention cut tp / cp ways and the FFN tp ways (SGLang's)"),
    WHOLE("parallel.pp", 1, 1024, "stages", "=1", "time, memory", NONE,
          "stages of as many layers each, of tp x cp x dp_attention GPUs; a chunk of a prompt is a "
          "micro-batch ([schedules.md](schedules.md))"),
    CHOICE("parallel.pp_rest", "inner last", "=inner", "time, memory",
           "which stages have one layer more where `pp` does not divide the layers: those before "
           "the last one (vLLM), or the last ones (SGLang)"),
    CHOICE_OF("parallel.variant", false, "", rc_schedule_name_at, NEEDED, "time",
              "schedule; [method.md](method.md) says which phases each takes"),
    WHOLE("parallel.ep", 0, 1 << 20, "GPUs", "=1", "time, memory", NONE,
          "GPUs, side by side, to which experts are dealt: a divisor of tp, or a "
          "multiple that divides tp x cp ([models.md](models.md)); 0: all"),
    NUMBER("parallel.expert_skew", RATIO, 0.0, 4.0, "", "=0", "time", NONE,
           "how unevenly experts are chosen: the i-th in proportion to i^-skew; the busiest GPU "
           "decides"),
    CHOICE("parallel.expert_transfer", "all-to-all all-gather", "=all-to-all", "time, memory",
           "where `ep` is more than tp: tokens go to the GPUs of their experts (DeepEP), or all of "
           "them to all GPUs (vLLM's default between ranks) ([models.md](models.md))"),
    CHOICE("parallel.mla", "least-work materialised absorbed", "=least-work", "time",
           "how prompts attend to latents; decode steps absorb them"),
    CHOICE("parallel.chosen_keys", "round-robin zigzag", "=round-robin", "time",
           "how tokens of a prompt lie on the ranks in layers that choose keys: in turn, or in two "
           "chunks each ([what-ifs.md](what-ifs.md))"),
    CHOICE("phase", "prefill decode mixed", NEEDED, "time",
           "mixed: prefill chunks, and a decode step of every sequence with `new` 1"),
    WHOLE("chunk", 0, TOKENS, "tokens", "=0", "time", NONE,
          "a prefill takes up at most so many new tokens in a pass, and its time is the sum over "
          "passes; 0: all in one"),
    SECTION("tokens", "`sequences`", "of each sequence"),
    WHOLE("tokens.new", 1, TOKENS, "tokens", "1 in decode, else required", "time", UP,
          "T; must be 1 in decode"),
    WHOLE("tokens.cached", 0, TOKENS, "tokens", "0; required in decode", "time", UP,
          "P; in decode the context"),
    WHOLE("batch", 1, 65536, "sequences", "=1", "time", UP,
          "equal sequences; their tokens together are at most 2Gi"),
    ENTRIES("sequences", "`tokens`",
            "instead of `tokens` and `batch`: one fused pass of different lengths"),
    WHOLE("sequences[].new", 1, TOKENS, "tokens", "1 in decode, else required", "time", UP, "T"),
    WHOLE("sequences[].cached", 0, TOKENS, "tokens", "0; required in decode", "time", UP, "P"),
    SECTION("dtypes", "the checkpoint's, else bf16", ""),
    CHOICE("dtypes.attention_weights", WEIGHTS, "the checkpoint's, else bf16", "time, memory",
           "fp8: row-wise scales, quantisation fused into norm and SwiGLU; fp8-block: scales of "
           "blocks, "
           "which a kernel of its own makes; others are modelled ([models.md](models.md))"),
    CHOICE("dtypes.ffn_weights", WEIGHTS, "the checkpoint's, else bf16", "time, memory",
           "as `attention_weights`"),
    CHOICE("dtypes.activations", DTYPES, "the checkpoint's, else bf16", "", "others are refused"),
    CHOICE(
        "dtypes.kv", DTYPES, "the checkpoint's, else bf16", "time, memory",
        "fp8: e4m3 keys, values and queries (`kernels/kernels.h`); needs a machine whose base has "
        "fp8 attention rows (the H100); int4: modelled ([what-ifs.md](what-ifs.md))"),
    CHOICE("dtypes.ring_messages", DTYPES, "=bf16", "time, memory",
           "what keys and values, or queries and outputs, of prompts are packed into between the "
           "ranks "
           "of a ring (pass-kv, pass-q); bf16: as they are ([what-ifs.md](what-ifs.md))"),
    CHOICE("dtypes.tp_transfers", DTYPES, "=bf16", "time",
           "the same of the part of a prompt's all-reduces that goes between nodes"),
    CHOICE("host", "eager graph", "graph in decode, else eager", "time",
           "who launches; the host work of a ring step stays in a prefill's graphs, of which there "
           "is then one for each step ([method.md](method.md))"),
    CHOICE("ring", "overlapped serial", "serial in decode, else overlapped", "time",
           "whether ring messages and attention run side by side"),
    WHOLE("ring_sms", 0, 1 << 20, "SMs", "all but 8", "time", NONE,
          "of attention beside a message; 0: all, and in a prefill it gives way, tile by tile; "
          "where the store has rows of both ([method.md](method.md))"),
    SECTION("attention", "as the model has it",
            "fewer keys for layers whose queries see all ([what-ifs.md](what-ifs.md))"),
    CHOICE("attention.pattern", "full window window-global top-k", NEEDED, "time, memory", ""),
    WHOLE("attention.window", 1, TOKENS, "tokens", "of window, window-global: required", "time", UP,
          "last keys seen"),
    WHOLE("attention.global", 0, TOKENS, "tokens", "of window-global: required", "time", UP,
          "first keys seen"),
    WHOLE("attention.keys", 1, 1 << 20, "tokens", "of top-k: required", "time", UP, "keys chosen"),
    WHOLE("attention.index_heads", 0, 1024, "heads", "=64", "time", UP,
          "of the indexer that scores all keys for top-k; 0: the choice is free"),
    WHOLE("attention.index_dim", 1, 1024, "elements", "=128", "time", UP,
          "of a head of the indexer, in fp8"),
    CHOICE("attention.keep", "seen all", "=seen", "memory", "of windows: what the KV cache keeps"),
    SECTION("history", "all of it", "how much of what went before a turn keeps"),
    NUMBER("history.share", RATIO, 0.0, 1.0, "", "=1", "time", UP, "of `cached`, rounded up"),
    CHOICE("history.kept", "cached new", "=cached", "time",
           "new: what is kept is computed again, as the text of a summary is"),
    SECTION("speculative", "none",
            "drafts by the model's own layers that predict further tokens; in decode"),
    WHOLE("speculative.drafts", 1, 16, "tokens", NEEDED, "reports", NONE,
          "drafted one after the other, and verified in one pass"),
    NUMBER("speculative.acceptance", RATIO, 0.0, 1.0, "", NEEDED, "reports", NONE,
           "probability that a draft is accepted where those before it were"),
    SECTION("what_if", "nothing", ""),
    WHOLE("what_if.slow_rank", 0, 4095, "rank", "none", "time", NONE,
          "a CP rank whose GPUs are slow; one TP group of all the GPUs, as an alternative, waits "
          "for them at every all-reduce; alternatives without that rank are not offered"),
    NUMBER("what_if.slow_speed", RATIO, 0.01, 1.0, "", "with `slow_rank`: required", "time", DOWN,
           "their speed"),
    WHOLE("what_if.slow_link_rank", 0, 4095, "rank", "none", "time", NONE,
          "a CP rank whose outgoing link is slow; alternatives without such links are not offered"),
    NUMBER("what_if.slow_link", RATIO, 0.001, 1.0, "", "with `slow_link_rank`: required", "time",
           DOWN, "its rate"),
    NUMBER("what_if.overlap_compute", RATIO, 0.01, 1.0, "", "1", "time", DOWN,
           "rate of compute while a message is under way"),
    NUMBER("what_if.overlap_comm", RATIO, 0.01, 1.0, "", "1", "time", DOWN,
           "rate of a message's bytes while its sender computes"),
    END,
};

const rc_key rc_keys_sweep[] = {
    WHOLES("parallel.gpus", 1, 1 << 20, "GPUs", "none", "points", NONE,
           "GPUs in all, in place of `cp`: cp = gpus / tp"),
    SECTION(
        "machine_set", "none",
        "numbers of the machine, for every machine of the sweep: any of `ringcast keys machine` "
        "by the name that `--set machine.` takes"),
    NUMBERS("machine_set.network_rate", BANDWIDTH, 1e6, 1e14, "", "none", "time", DOWN,
            "nominal NIC rate; `nic_line_rate` and `peer_rate` keep their share of it"),
    SECTION("sweep", "none", ""),
    CHOICE("sweep.sample", "grid sobol", "=grid", "points",
           "sobol: `points` samples of the space (GSL's generator, up to 40 axes)"),
    WHOLE("sweep.points", 1, 1099511627776.0, "points", "with sobol: required", "points", UP,
          "of a Sobol sample"),
    CHOICE("sweep.detail", "time full", "=time", "columns",
           "full: also the breakdown of the critical path, exposed communication, p5 and p95"),
    WHOLE("sweep.draws", 0, 4096, "draws", "=0", "p95", NONE,
          "behind p5 and p95; only with `detail: full`"),
    SECTION("plot", "none", "the picture that `--plot` draws; SQL is over the columns of a point"),
    TEXT("plot.title", "the sweep's name", "the picture", ""),
    TEXT("plot.x", NEEDED, "the picture", "SQL"),
    TEXT("plot.y", NEEDED, "the picture", "SQL"),
    TEXT("plot.series", "none", "the picture", "SQL: a line for each value"),
    TEXT("plot.panel", "none", "the picture", "SQL: a panel for each value"),
    TEXT("plot.where", "all rows", "the picture", "SQL: which rows"),
    TEXT("plot.xlabel", "`x`", "the picture", ""),
    TEXT("plot.ylabel", "`y`", "the picture", ""),
    CHOICE("plot.best", "least most", "=least", "the picture",
           "which of several rows at one place"),
    CHOICE("plot.log", "none x y xy", "=xy", "the picture", "axes with a log scale"),
    TEXT("plot.key", "left top", "the picture",
         "where the legend of one panel stands (left top, right top, left bottom, right "
         "bottom); of several it stands beside them"),
    END,
};
