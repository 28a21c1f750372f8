/* The keys that a plan adds to those of serving.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/keys/tables.h"
#include "sim/schedule/schedule.h"

/* A space's schedules are those for several ranks: on one rank there is no choice. */
static const char *name_of_many(int i) {
    const rc_schedule *s = rc_schedule_many_at(i);
    return s ? s->name : NULL;
}

const rc_key rc_keys_plan[] = {
    TEXT("plan", NEEDED, "reports", "name"),
    ENTRIES("offers", NEEDED, "what can be had; at most 16"),
    NAME("offers[].machine", NEEDED, "the plan", "as of a forward pass"),
    NUMBER("offers[].price", RATIO, DBL_MIN, 1e6, "money", NEEDED, "cost", UP, "of a GPU-hour"),
    WHOLE("offers[].gpus", 1, 1 << 20, "GPUs", NEEDED, "configurations", UP, "to be had"),
    SECTION("space", NEEDED,
            "lists, or `{from, to}` of whole numbers; every combination within the offers counts"),
    WHOLES("space.tp", 1, 1024, "GPUs", NEEDED, "configurations", NONE, "of a replica"),
    WHOLES("space.cp", 1, 1024, "ranks", "=1", "configurations", NONE, "of a replica"),
    WHOLES("space.decode_cp", 1, 1024, "ranks", "=1", "configurations", NONE,
           "CP of the decode pool, of disaggregated pools"),
    WHOLES("space.dcp", 1, 1024, "GPUs", "=1", "configurations", NONE,
           "of the pool that decodes, at CP 1: as `parallel.dcp` of a forward pass"),
    CHOICE("space.dcp_variant", "dcp-ag-rs dcp-a2a", "=dcp-ag-rs", "configurations",
           "schedule where `dcp` is above 1"),
    WHOLES("space.dp_attention", 1, 1024, "groups", "=1", "configurations", NONE,
           "of the pool that decodes: as `pools[].dp_attention` of serve"),
    WHOLES("space.ep", 0, 1 << 20, "GPUs", "=1", "configurations", NONE,
           "as `parallel.ep` of a forward pass; 0: all GPUs of a replica"),
    WHOLES("space.pp", 1, 64, "stages", "=1", "configurations", NONE,
           "of a replica: as `pools[].pp` of serve; not with dynamic CP or `dp_attention`"),
    CHOICE("space.pp_rest", "inner last", "=inner", "the plan",
           "as `parallel.pp_rest` of a forward pass"),
    NUMBER("space.expert_skew", RATIO, 0.0, 4.0, "", "=0", "the plan", NONE,
           "as `parallel.expert_skew` of a forward pass"),
    CHOICE("space.mla", "least-work materialised absorbed", "=least-work", "the plan",
           "as `parallel.mla` of a forward pass"),
    CHOICE_OF("space.variant", true, "oracle algorithm-1 algorithm-5 empirical", name_of_many,
              "=oracle", "configurations", "schedule of prefills, or who chooses it"),
    CHOICES("space.dynamic_cp", "false true", "=false", "configurations", ""),
    CHOICES("space.pools", "mixed disaggregated", "=mixed", "configurations", ""),
    CHOICES("space.scheduler", "prefill-first chunked", "=prefill-first", "configurations", ""),
    WHOLES("space.budget", 1, 1 << 30, "tokens", "=8192", "configurations", NONE,
           "of chunked passes"),
    WHOLES("space.max_batch", 1, 16384, "requests", "=256", "configurations", NONE, ""),
    CHOICES("space.kv", "bf16 fp8 int4", "the scenario's `dtypes.kv`", "configurations",
            "type of KV"),
    WHOLES("space.replicas", 1, 1024, "", "=1", "configurations", NONE,
           "of disaggregated pools every pair"),
    SECTION("search", "the defaults below", ""),
    WHOLE("search.simulations", 1, 100000, "", "=40", "simulations", UP, "at most"),
    WHOLE("search.seeds", 0, 64, "", "=10", "the check", NONE,
          "other seeds that the best is played with; where arrivals are the trace's own it is "
          "drawn anew by "
          "pieces of time (`arrivals.resample` of serve)"),
    NUMBER("search.met", RATIO, 0.0, 1.0, "", "=0.9", "the plan", NONE,
           "share of them that must hold"),
    NUMBER("search.growth", RATIO, 0.001, 1000.0, "", "=1", "the plan", NONE,
           "the plan is made for so many times the traffic"),
    END,
};
