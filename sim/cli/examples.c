/* tests/unit/test_examples.sh runs every line.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/examples.h"
#include <stddef.h>
#include <string.h>

enum { MOST = 4 };

static const struct {
    const char *command;
    rc_example list[MOST];
} examples_of[] = {
    {"forward",
     {{"ringcast forward scenarios/paper/cp4-128k.yaml", "a prefill of 128K tokens on 4 nodes"},
      {"ringcast forward scenarios/paper/cp4-128k.yaml --set tokens.new=64K --set parallel.cp=2",
       "another length, on 2 nodes"},
      {"ringcast forward scenarios/paper/tp8-128k-decode.yaml --csv", "a decode step, by part"}}},
    {"serve",
     {{"ringcast serve scenarios/serve/mooncake.yaml --set arrivals.requests=500",
       "500 requests of a published trace"},
      {"ringcast serve scenarios/serve/mooncake.yaml --set arrivals.requests=200 --rates 1..4 "
       "--points 3",
       "at which rate the latency breaks"}}},
    {"trace",
     {{"ringcast trace scenarios/traces/mooncake_conversation.jsonl.xz", "lengths and cache hits"},
      {"ringcast trace scenarios/traces/azure_2023_code.csv.xz --json",
       "the same of another, as JSON"}}},
    {"paper",
     {{"ringcast paper --out paper --no-plots", "all tables, into the folder paper"},
      {"ringcast paper --csv --draws 0", "every row as CSV"}}},
    {"validate",
     {{"ringcast validate --by-part --draws 0", "where forecasts and runs on real GPUs part"},
      {"ringcast validate --draw 8 --seed 7 --out cases.csv", "cases at random, to be measured"}}},
    {"choose",
     {{"ringcast choose --T 8K --P 120K --machine h100-sxm --model llama-3.1-405b --cp 4",
       "which variant, on how many ranks"},
      {"ringcast choose --T 8K --machine h100-sxm --model llama-3.1-70b --cp 2 --csv",
       "the alternatives as CSV"}}},
    {"tune",
     {{"ringcast tune scenarios/tune/gtt.yaml --set new.points=4 --set total.points=4 --set "
       "requests.limit=20 --no-plots",
       "a coarse grid; the file's own takes a minute"}}},
    {"sweep",
     {{"ringcast sweep scenarios/sweep/tcp.yaml --out tcp.db", "every point into a database"},
      {"ringcast sweep scenarios/sweep/tcp.yaml --out tcp.db --csv", "its rows as CSV"}}},
    {"plan",
     {{"ringcast plan --model llama-3.1-8b --trace scenarios/traces/azure_2023_conv.csv.xz "
       "--requests "
       "200 --gpus h100-sxm:4@2.0 --ttft 2s --ttit 50ms --simulations 4",
       "the cheapest cluster for a trace, without a file"},
      {"ringcast plan scenarios/plan/mooncake-10k.yaml --set arrivals.requests=100 --set "
       "space.tp=8 --simulations 2 --quiet",
       "the same by a file; with all requests it takes a minute"}}},
    {"model",
     {{"ringcast model llama-3.1-405b", "what a model that comes with the program is"},
      {"ringcast model qwen3-32b --csv", "the same as a row"}}},
    {"models",
     {{"ringcast models", "the models that come with the program"},
      {"ringcast models qwen", "those with this in their names"}}},
    {"machines",
     {{"ringcast machines", "the machines that come with the program"},
      {"ringcast machines h200 --json", "those with this in their names, as JSON"}}},
    {"keys",
     {{"ringcast keys plan", "what a plan file may say"},
      {"ringcast keys schedules --json", "the schedules there are"}}},
    {"init",
     {{"ringcast init plan --out my-plan.yaml", "a plan file with a comment for each key"},
      {"ringcast init machine", "a machine file, to the terminal"}}},
    {"calibration",
     {{"ringcast calibration list --machine h100-sxm", "which ops were measured on this GPU"},
      {"ringcast calibration show --machine h100-sxm --op all_reduce --csv",
       "rows of one of them"}}},
    {"report",
     {{"ringcast report <(ringcast forward scenarios/paper/cp4-128k.yaml --json) --out cp4.html",
       "a forecast as one page"}}},
    {"completion", {{"ringcast completion bash", "a script that bash reads"}}},
};

const rc_example *rc_examples_of(const char *command) {
    static const rc_example none[1];
    for (size_t i = 0; i < sizeof examples_of / sizeof examples_of[0]; i++)
        if (strcmp(examples_of[i].command, command) == 0)
            return examples_of[i].list;
    return none;
}
