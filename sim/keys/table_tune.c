/* The keys of a tuning scenario.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/keys/tables.h"

#define WEIGHTS "bf16 fp8 int4 fp8-block int8 w8a16 w4a8 mxfp4 nvfp4"

#define LENGTHS 100000000.0

const rc_key rc_keys_tune[] = {
    TEXT("tune", NEEDED, "reports", "name"),
    TEXT("description", "none", "reports", "one line"),
    NAME("model", NEEDED, "the rule", "as of a forward pass"),
    NAME("machine", NEEDED, "the rule", "as of a forward pass"),
    SECTION("dtypes", "the checkpoint's, else bf16", "as of a forward pass"),
    CHOICE("dtypes.attention_weights", WEIGHTS, "the checkpoint's, else bf16", "the rule", ""),
    CHOICE("dtypes.ffn_weights", WEIGHTS, "the checkpoint's, else bf16", "the rule", ""),
    CHOICE("dtypes.activations", "bf16 fp8 int4", "the checkpoint's, else bf16", "",
           "others are refused"),
    CHOICE("dtypes.kv", "bf16 fp8 int4", "the checkpoint's, else bf16", "the rule", ""),
    CHOICE("dtypes.ring_messages", "bf16 fp8 int4", "=bf16", "the rule", ""),
    CHOICE("dtypes.tp_transfers", "bf16 fp8 int4", "=bf16", "the rule", ""),
    WHOLE("tp", 1, 4096, "GPUs", NEEDED, "the rule", NONE, "GPUs of a CP rank"),
    WHOLES("cp", 1, 4096, "ranks", NEEDED, "the rule", NONE,
           "degrees to choose from, rising; 1 is no CP"),
    SECTION("new", NEEDED, "the grid: T; cells with T above T + P are left out"),
    WHOLE("new.from", 1, LENGTHS, "tokens", NEEDED, "the rule", NONE, "least"),
    WHOLE("new.to", 1, LENGTHS, "tokens", NEEDED, "the rule", NONE, "most, included"),
    WHOLE("new.points", 2, 1000, "", NEEDED, "cells", UP, "log-spaced"),
    SECTION("total", NEEDED, "the grid: T + P"),
    WHOLE("total.from", 1, LENGTHS, "tokens", NEEDED, "the rule", NONE, "least"),
    WHOLE("total.to", 1, LENGTHS, "tokens", NEEDED, "the rule", NONE, "most, included"),
    WHOLE("total.points", 2, 1000, "", NEEDED, "cells", UP, "log-spaced"),
    WHOLES("batch", 1, 65536, "sequences", "=1", "the rule", NONE,
           "equal sequences of a pass, rising"),
    NUMBERS("price", RATIO, 0.0, 1.0, "", "=0", "the rule", NONE,
            "degrees are compared by time × ranks^price: 0 time alone, 1 GPU-seconds"),
    WHOLE("knots", 3, 24, "", "=16", "the rule", NONE, "lengths of the tuned rule's table"),
    WHOLE("bootstrap", 0, 10000, "", "=100", "intervals", NONE,
          "resampled fits behind the 90 % intervals; 0: none"),
    WHOLE("draws", 0, 4096, "", "=64", "expected regret", NONE,
          "of all uncertain costs, for the regret to be expected under them; 0: none"),
    WHOLE("seed", 0, 9.2e18, "", "=1", "the rule", NONE,
          "which half of the cells is fitted on, the resampling and the draws"),
    SECTION("measured", "none", "times to score the rules on; none is fitted on them"),
    NAME("measured.file", NEEDED, "scores",
         "`scenarios/paper/data/NAME.csv`, or another table: columns T, P, pass_kv_ms, pass_q_ms, "
         "maybe "
         "cp"),
    WHOLE("measured.cp", 2, 4096, "ranks", "the file's column cp", "scores", NONE,
          "degree of a file without a column cp"),
    SECTION("requests", "none", "requests to run the degree policies on"),
    NAMES(
        "requests.files", NEEDED, "policies",
        "tables of `scenarios/tune/requests/` (columns T and P, a row a request), or traces: P is "
        "what a cache that forgets nothing holds"),
    CHOICE(
        "requests.format",
        "auto mooncake azure vidur burstgpt sessions tracelab guidellm bailian weka llmservingsim "
        "splitwise vllm inference-perf aiperf-records guidellm-report blis "
        "blis-spec guidellm-synthetic columns",
        "=auto", "policies", "of traces: what the file is; auto: by its first line"),
    TEXT("requests.columns", "none", "policies",
         "of the format columns: `arrival=A,input=B,output=C,session=D`"),
    SWITCH("requests.sort", "the format's", "policies", "of traces: rows in any order of arrival"),
    CHOICE("requests.zero_output", "format one drop", "=format", "policies",
           "of traces: a reply of 0 tokens"),
    CHOICE("requests.on_bad_row", "refuse skip", "=refuse", "policies",
           "of traces: rows that are no requests"),
    SWITCH("requests.any_ids", "=false", "policies", "mooncake: block ids in any order"),
    WHOLE("requests.block", 1, 1 << 20, "tokens", "the format's", "policies", NONE,
          "of traces: of a block"),
    WHOLE("requests.limit", 1, LENGTHS, "requests", "all", "policies", NONE,
          "so many of each file, evenly spaced"),
    SECTION("sensitivity", "none", "how the threshold moves"),
    WHOLE("sensitivity.total", 32, LENGTHS, "tokens", NEEDED, "sensitivity", NONE, "at this T + P"),
    WHOLE("sensitivity.cp", 2, 4096, "ranks", NEEDED, "sensitivity", NONE, "at this degree"),
    NAMES("sensitivity.models", "none", "sensitivity", "models to show it for"),
    END,
};
