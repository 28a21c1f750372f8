/* Loads as inference-perf makes them, in the words of BLIS's workload specifications:
 *
 *   stages           [{rate, duration (s)}], one behind the other
 *   shared_prefix    num_unique_system_prompts (groups), num_users_per_system_prompt (clients of each),
 *                    system_prompt_len, question_len, output_len (tokens), enable_multi_turn_chat
 *
 * One stage: rate x duration requests, dealt out evenly to the clients, whose exponential gaps are stretched so
 * that each one's last comes at the end. Several stages: each has clients of its own, whose arrivals are
 * Poisson's while it lasts. Chats: a client is one session that begins with a Poisson gap; the stage's requests
 * are its rounds, clients / rate seconds apart, and none repeats what went before. aggregate_rate does nothing.
 *
 * Source: docs/reference/workload-spec.md and sim/workload/inference_perf.go of inference-sim/inference-sim.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/workload_perf.h"
#include <stdlib.h>

enum { STAGES = 1024 };

typedef struct stage {
    double rate, from; /* 1/s, s */
    int64_t lasts;     /* s */
    int64_t requests;
} stage;

typedef struct prefixes {
    int64_t groups, users, prefix, input, output; /* counts; tokens */
    bool chat;
} prefixes;

static rc_status read_prefixes(const rc_node *map, prefixes *p, rc_error *err) {
    static const char *const keys[] = {"num_unique_system_prompts",
                                       "num_users_per_system_prompt",
                                       "system_prompt_len",
                                       "question_len",
                                       "output_len",
                                       "enable_multi_turn_chat",
                                       NULL};
    const rc_node *n;
    RC_TRY(rc_doc_map(map, "shared_prefix", &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(rc_doc_int(n, keys[0], 1, RC_WORKLOAD_CLIENTS, &p->groups, err));
    RC_TRY(rc_doc_int(n, keys[1], 1, RC_WORKLOAD_CLIENTS, &p->users, err));
    RC_TRY(rc_doc_int(n, keys[2], 0, RC_TRACE_MAX_INPUT / 2, &p->prefix, err));
    RC_TRY(rc_doc_int(n, keys[3], 1, RC_TRACE_MAX_INPUT / 2, &p->input, err));
    RC_TRY(rc_doc_int(n, keys[4], 1, RC_TRACE_MAX_OUTPUT, &p->output, err));
    if (rc_doc_has(n, keys[5]))
        RC_TRY(rc_doc_bool(n, keys[5], &p->chat, err));
    if (p->groups * p->users > RC_WORKLOAD_CLIENTS)
        return rc_node_fail(n, err, RC_E_INPUT, "%lld clients, expected at most %d",
                            (long long)(p->groups * p->users), RC_WORKLOAD_CLIENTS);
    return RC_OK;
}

static rc_status read_stage(const rc_node *n, int64_t clients, bool dealt, stage *s,
                            rc_error *err) {
    static const char *const keys[] = {"rate", "duration", NULL};
    if (rc_node_kind_of(n) != RC_NODE_MAP)
        return rc_node_fail(n, err, RC_E_INPUT, "a stage is no map");
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(rc_doc_quantity(n, "rate", RC_DIM_RATIO, 1e-6, 1e9, &s->rate, err));
    RC_TRY(rc_doc_int(n, "duration", 1, (int64_t)RC_WORKLOAD_LONGEST, &s->lasts, err));
    const double requests = s->rate * (double)s->lasts;
    if (requests > RC_TRACE_MAX_ROWS)
        return rc_node_fail(n, err, RC_E_INPUT, "a stage of %.4g requests, expected at most %d",
                            requests, RC_TRACE_MAX_ROWS);
    s->requests = (int64_t)requests;
    if (dealt && s->requests < clients)
        return rc_node_fail(n, err, RC_E_INPUT,
                            "a stage of %lld requests for %lld clients: some would have none",
                            (long long)s->requests, (long long)clients);
    return RC_OK;
}

/* The class of one group in one stage. */
static rc_status fill_class(rc_workload_class *c, const prefixes *p, int64_t group, const stage *s,
                            bool windowed, rc_error *err) {
    c->process = RC_WORKLOAD_POISSON;
    c->cv = c->fraction = 1.0;
    c->input = (rc_spec_length){.type = RC_SPEC_CONSTANT, .param = {(double)p->input}};
    c->output = (rc_spec_length){.type = RC_SPEC_CONSTANT, .param = {(double)p->output}};
    c->rounds = p->chat;
    c->think = p->chat ? (double)(p->groups * p->users) / s->rate : 0.0;
    c->group = p->prefix > 0 ? group : -1;
    if (!windowed)
        return RC_OK;
    c->window = malloc(sizeof *c->window);
    if (!c->window)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a workload");
    *c->window = (rc_workload_window){s->from, s->from + (double)s->lasts};
    c->windows = 1;
    return RC_OK;
}

static rc_status add_stage(rc_workload *l, const prefixes *p, const stage *s, bool only,
                           rc_error *err) {
    const int64_t clients = p->groups * p->users;
    const size_t before = l->classes;
    rc_workload_class *class;
    rc_workload_client *client;
    RC_TRY(rc_workload_classes(l, (size_t)p->groups, &class, err));
    for (int64_t g = 0; g < p->groups; g++)
        RC_TRY(fill_class(&class[g], p, g, s, !only, err));
    RC_TRY(rc_workload_clients(l, (size_t)clients, &client, err));
    for (int64_t i = 0; i < clients; i++) {
        const int64_t share = s->requests / clients + (i < s->requests % clients);
        client[i].of = before + (size_t)(i / p->users);
        client[i].rate = s->rate / (double)clients;
        if (p->chat) {
            client[i].arrivals = 1;
            client[i].rounds = share;
        } else if (only) {
            client[i].arrivals = share;
            client[i].over = (double)s->lasts;
        }
    }
    return RC_OK;
}

rc_status rc_workload_perf_read(const rc_node *root, rc_workload *l, rc_error *err) {
    static const char *const keys[] = {"stages", "shared_prefix", NULL};
    const rc_node *n, *list;
    prefixes p = {0};
    int64_t first;
    double from = 0.0;
    if (rc_doc_has(root, "clients") || rc_doc_has(root, "cohorts"))
        return rc_node_fail(
            rc_node_get(root, "inference_perf"), err, RC_E_INPUT,
            "inference_perf stands instead of clients and cohorts, not beside them");
    RC_TRY(rc_doc_map(root, "inference_perf", &n, err));
    RC_TRY(rc_doc_known(n, keys, err));
    RC_TRY(read_prefixes(n, &p, err));
    RC_TRY(rc_workload_groups(l, (size_t)p.groups, p.prefix, &first, err));
    RC_TRY(rc_doc_list(n, "stages", &list, err));
    const size_t count = rc_node_count(list);
    if (count == 0 || count > STAGES)
        return rc_node_fail(list, err, RC_E_INPUT, "%zu stages, expected 1 to %d", count, STAGES);
    for (size_t i = 0; i < count; i++) {
        stage s = {.from = from};
        RC_TRY(read_stage(rc_node_at(list, i), p.groups * p.users, p.chat || count == 1, &s, err));
        RC_TRY(add_stage(l, &p, &s, count == 1, err));
        from += (double)s.lasts;
    }
    return RC_OK;
}
