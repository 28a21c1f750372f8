/* From a template to pieces: what each task waits for, in an order in which that comes first.
 *
 * Sections are put in order by themselves. A node of the order is a task, a rendezvous of tasks or
 * a block; among nodes that are ready, those that wait for as many others as the one before come
 * first, so that pieces are long. Whatever cannot be evaluated makes `works` false, which is no
 * error: the engine runs such a program.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/forward/replay.h"

#define NONE UINT32_MAX

/* Nodes that wait for so many others are in one bucket each; then come rendezvous, and blocks. */
enum { MANY = 8, RENDEZVOUS, BLOCK, BUCKETS };

typedef struct node {
    uint32_t waiting; /* for so many nodes, not counting repetitions */
    uint32_t task;    /* its first task; BLOCK: its number */
    uint32_t next;    /* in its bucket; before that, in the list of a group's tasks */
    uint32_t heirs;   /* into compiler->heir: nodes that wait for it end here, */
    uint32_t heir_count;
    uint8_t bucket;
} node;

typedef struct compiler {
    rc_replay *r;
    const rc_program *p;
    uint32_t *node_of; /* [tasks]; NONE: a port at the beginning of its section */
    uint32_t *mates;   /* [tasks]: the next task of the same rendezvous */
    node *nodes;       /* tasks, then blocks */
    uint32_t *heir;
    uint32_t first[BUCKETS], last[BUCKETS];
    size_t piece_room, wait_count;
    uint32_t placed; /* tasks in r->order */
} compiler;

static const rc_shape *shape_of(const rc_program *p, uint32_t task) {
    return &p->shapes[p->tasks[task].shape];
}

static bool is_port(const compiler *c, uint32_t task) {
    return shape_of(c->p, task)->kind == RC_T_PORT;
}

/* ---- what each task waits for --------------------------------------------------------------- */

/* Into first_wait how many, or into task_wait which: the task before it on its stream, and its
 * dependencies. */
static void each_wait(compiler *c, uint32_t *at, uint32_t *into, uint32_t *last) {
    const rc_program *p = c->p;
    for (size_t s = 0; s < p->layers_of->section_count; s++) {
        const rc_template_section *x = &p->layers_of->sections[s];
        memset(last, 0xff, (size_t)p->gpus * RC_LANE_COUNT * sizeof *last);
        for (uint32_t i = x->first; i < x->end; i++) {
            const rc_task *t = &p->tasks[i];
            if (t->lane >= RC_LANE_COUNT)
                continue;
            uint32_t *before = &last[t->gpu * RC_LANE_COUNT + t->lane];
            if (*before != NONE && !is_port(c, i)) {
                if (into)
                    into[at[i]] = *before;
                at[i]++;
            }
            *before = i;
        }
    }
    for (size_t d = 0; d < p->dep_count; d++) {
        uint32_t i = p->deps[d].task;
        if (is_port(c, i))
            continue;
        if (into)
            into[at[i]] = p->deps[d].before;
        at[i]++;
    }
}

static bool list_waits(compiler *c) {
    const rc_program *p = c->p;
    rc_replay *r = c->r;
    size_t n = p->task_count;
    uint32_t *at = calloc(n + 1, sizeof *at);
    uint32_t *last = malloc((size_t)p->gpus * RC_LANE_COUNT * sizeof *last);
    r->first_wait = calloc(n + 1, sizeof *r->first_wait);
    r->task_wait = calloc(n + p->dep_count + 1, sizeof *r->task_wait);
    bool have = at && last && r->first_wait && r->task_wait;
    if (have) {
        each_wait(c, at, NULL, last);
        for (size_t i = 0; i < n; i++)
            r->first_wait[i + 1] = r->first_wait[i] + at[i];
        memcpy(at, r->first_wait, n * sizeof *at);
        each_wait(c, at, r->task_wait, last);
    }
    free(at);
    free(last);
    return have;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static void number_ports(compiler *c, const rc_template_section *s) {
    const rc_template *t = c->p->layers_of;
    for (uint32_t i = 0; i < RC_LEFT_COUNT * c->p->gpus; i++)
        c->node_of[s->first + i] = NONE;
    for (uint32_t b = s->block; b < s->block_end; b++)
        for (uint32_t i = t->blocks[b].first; i < s->end && is_port(c, i); i++)
            c->node_of[i] = (uint32_t)c->p->task_count + b;
}

/* Tasks of one group become one node, that of its first task. */
static bool join_groups(compiler *c) {
    const rc_program *p = c->p;
    uint32_t *leader = malloc((p->groups + (size_t)1) * sizeof *leader);
    uint32_t *tail = malloc((p->groups + (size_t)1) * sizeof *tail);
    bool have = leader && tail;
    if (have)
        memset(leader, 0xff, (p->groups + (size_t)1) * sizeof *leader);
    for (uint32_t i = 0; have && i < p->task_count; i++) {
        if (shape_of(p, i)->kind != RC_T_COLLECTIVE)
            continue;
        uint32_t g = p->tasks[i].group;
        assert(g < p->groups);
        if (leader[g] == NONE) {
            leader[g] = tail[g] = i;
            continue;
        }
        c->node_of[i] = leader[g];
        c->mates[tail[g]] = i;
        tail[g] = i;
        c->nodes[leader[g]].bucket = RENDEZVOUS;
    }
    free(leader);
    free(tail);
    return have;
}

static uint32_t block_waits(const rc_template *t, const rc_block *b, uint32_t gpus,
                            const uint32_t **ids) {
    *ids = t->ids + b->in;
    return b->kind == RC_BLOCK_EXCHANGE ? gpus : RC_LEFT_COUNT * gpus;
}

/* One edge, counted or listed. */
static void edge(compiler *c, uint32_t from, uint32_t to, bool list) {
    if (c->node_of[from] == NONE || c->node_of[from] == to)
        return;
    node *n = &c->nodes[c->node_of[from]];
    if (list)
        c->heir[n->heirs++] = to;
    else
        n->heir_count++, c->nodes[to].waiting++;
}

static void edges(compiler *c, bool list) {
    const rc_program *p = c->p;
    const rc_template *t = p->layers_of;
    for (uint32_t i = 0; i < p->task_count; i++)
        for (uint32_t k = c->r->first_wait[i]; k < c->r->first_wait[i + 1]; k++)
            edge(c, c->r->task_wait[k], c->node_of[i], list);
    for (uint32_t b = 0; b < t->block_count; b++) {
        const uint32_t *ids;
        uint32_t n = block_waits(t, &t->blocks[b], p->gpus, &ids);
        for (uint32_t i = 0; i < n; i++)
            edge(c, ids[i], (uint32_t)p->task_count + b, list);
    }
}

static bool make_nodes(compiler *c) {
    const rc_program *p = c->p;
    const rc_template *t = p->layers_of;
    size_t n = p->task_count + t->block_count;
    c->node_of = malloc((p->task_count + 1) * sizeof *c->node_of);
    c->mates = malloc((p->task_count + 1) * sizeof *c->mates);
    c->nodes = calloc(n + 1, sizeof *c->nodes);
    if (!c->node_of || !c->mates || !c->nodes)
        return false;
    memset(c->mates, 0xff, (p->task_count + 1) * sizeof *c->mates);
    for (uint32_t i = 0; i < p->task_count; i++) {
        uint32_t waits = c->r->first_wait[i + 1] - c->r->first_wait[i];
        c->node_of[i] = i;
        c->nodes[i] = (node){.task = i, .bucket = (uint8_t)(waits < MANY ? waits : MANY)};
    }
    for (uint32_t b = 0; b < t->block_count; b++)
        c->nodes[p->task_count + b] = (node){.task = b, .bucket = BLOCK};
    for (size_t s = 0; s < t->section_count; s++)
        number_ports(c, &t->sections[s]);
    if (!join_groups(c))
        return false;
    edges(c, false);
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        c->nodes[i].heirs = at;
        at += c->nodes[i].heir_count;
    }
    c->heir = malloc((at + (size_t)1) * sizeof *c->heir);
    if (c->heir)
        edges(c, true); /* now `heirs` of a node is where its list ends */
    return c->heir != NULL;
}

/* ---- order ---------------------------------------------------------------------------------- */

static void push(compiler *c, uint32_t i) {
    uint8_t b = c->nodes[i].bucket;
    c->nodes[i].next = NONE;
    if (c->first[b] == NONE)
        c->first[b] = i;
    else
        c->nodes[c->last[b]].next = i;
    c->last[b] = i;
}

static uint32_t pop(compiler *c, int bucket) {
    uint32_t i = c->first[bucket];
    c->first[bucket] = c->nodes[i].next;
    return i;
}

static void release_heirs(compiler *c, uint32_t i) {
    const node *n = &c->nodes[i];
    for (uint32_t k = n->heirs - n->heir_count; k < n->heirs; k++)
        if (--c->nodes[c->heir[k]].waiting == 0)
            push(c, c->heir[k]);
}

/* Room for one more piece: how many there can be is known. */
static rc_piece *add_piece(compiler *c, rc_piece_kind kind) {
    rc_piece *x = &c->r->pieces[c->r->piece_count++];
    *x = (rc_piece){.kind = kind, .task = c->placed, .wait = (uint32_t)c->wait_count};
    return x;
}

static uint32_t place(compiler *c, uint32_t task) {
    rc_replay *r = c->r;
    uint32_t n = r->first_wait[task + 1] - r->first_wait[task];
    r->order[c->placed++] = task;
    memcpy(r->waits + c->wait_count, r->task_wait + r->first_wait[task], n * sizeof *r->waits);
    c->wait_count += n;
    return n;
}

static void place_node(compiler *c, uint32_t i, bool fresh) {
    const node *n = &c->nodes[i];
    rc_replay *r = c->r;
    rc_piece *x =
        fresh || n->bucket >= MANY || r->piece_count == 0 ? NULL : &r->pieces[r->piece_count - 1];
    if (n->bucket == BLOCK) {
        x = add_piece(c, RC_PIECE_BLOCK);
        x->task = n->task;
        x->count = 1;
    } else if (n->bucket == RENDEZVOUS) {
        x = add_piece(c, RC_PIECE_RENDEZVOUS);
        for (uint32_t t = n->task; t != NONE; t = c->mates[t]) {
            r->piece_of[t] = (uint32_t)r->piece_count - 1;
            x->waits += place(c, t);
            x->count++;
        }
    } else {
        if (!x)
            x = add_piece(c, RC_PIECE_TASKS);
        x->count++;
        x->waits = place(c, n->task);
    }
}

/* Kahn's order. False when tasks wait for one another in a circle. */
static bool order_section(compiler *c, const rc_template_section *s) {
    uint32_t tasks = (uint32_t)c->p->task_count, left = s->block_end - s->block;
    memset(c->first, 0xff, sizeof c->first);
    for (uint32_t i = s->first; i < s->end; i++) {
        left += c->node_of[i] == i;
        if (c->node_of[i] == i && c->nodes[i].waiting == 0)
            push(c, i);
    }
    for (uint32_t b = tasks + s->block; b < tasks + s->block_end; b++)
        if (c->nodes[b].waiting == 0)
            push(c, b);
    for (bool fresh = true; left > 0;) {
        int bucket = 0;
        while (bucket < BUCKETS && c->first[bucket] == NONE)
            bucket++;
        if (bucket == BUCKETS)
            return false;
        while (c->first[bucket] != NONE) {
            uint32_t i = pop(c, bucket);
            place_node(c, i, fresh);
            release_heirs(c, i);
            fresh = false;
            left--;
        }
        fresh = true;
    }
    return true;
}

static bool order_all(compiler *c) {
    const rc_template *t = c->p->layers_of;
    for (size_t s = 0; s < t->section_count; s++) {
        c->r->section_piece[s] = c->r->piece_count;
        if (!order_section(c, &t->sections[s]))
            return false;
    }
    c->r->section_piece[t->section_count] = c->r->piece_count;
    return true;
}

/* ---- what can be evaluated ------------------------------------------------------------------ */

/* Messages on streams: links out are used from one stream, links in by one stream's messages, so no
 * two are ever on one link at a time. */
static bool one_stream(uint32_t *link, uint32_t stream) {
    bool free_or_same = *link == NONE || *link == stream;
    *link = stream;
    return free_or_same;
}

static bool links_have_one_stream(compiler *c) {
    const rc_program *p = c->p;
    const rc_template *t = p->layers_of;
    uint32_t gpus = p->gpus, *out = malloc(2 * (size_t)gpus * sizeof *out);
    uint32_t *in = out ? out + gpus : NULL;
    bool fine = out != NULL;
    if (out)
        memset(out, 0xff, 2 * (size_t)gpus * sizeof *out);
    for (uint32_t i = 0; fine && i < p->task_count; i++) {
        const rc_task *x = &p->tasks[i];
        if (shape_of(p, i)->kind != RC_T_MESSAGE)
            continue;
        uint32_t stream = x->gpu * RC_LANE_COUNT + x->lane;
        fine = x->lane < RC_LANE_COUNT && !c->r->exchanges && one_stream(&out[x->gpu], stream) &&
               one_stream(&in[x->peer], stream);
    }
    for (size_t b = 0; b < t->block_count; b++) {
        uint32_t lane = t->blocks[b].serial ? RC_LANE_COMPUTE : RC_LANE_COMM;
        for (uint32_t g = 0; fine && g < gpus && t->blocks[b].kind != RC_BLOCK_EXCHANGE; g++)
            fine = one_stream(&out[g], g * RC_LANE_COUNT + lane) &&
                   one_stream(&in[(g + 1) % gpus], g * RC_LANE_COUNT + lane);
    }
    free(out);
    return fine;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void list_own(rc_replay *r) {
    const rc_template *t = r->one.layers_of;
    uint32_t n = 0;
    for (size_t s = 0; s < t->section_count; s++) {
        r->section_own[s] = n;
        for (uint32_t i = t->sections[s].first; i < t->sections[s].end; i++)
            if (r->one.tasks[i].gpu == 0 && shape_of(&r->one, i)->kind != RC_T_PORT)
                r->own[n++] = i;
    }
    r->section_own[t->section_count] = n;
}

static bool reserve_exchange(rc_exchange_state *x, size_t n) {
    x->open = calloc(n, sizeof *x->open);
    x->by = calloc(n, sizeof *x->by);
    x->class_of = calloc(n, sizeof *x->class_of);
    x->classes = calloc(n, sizeof *x->classes);
    x->sorted = calloc(n, sizeof *x->sorted);
    return x->open && x->by && x->class_of && x->classes && x->sorted;
}

static bool reserve_rings(rc_replay *r) {
    const rc_template *t = r->one.layers_of;
    size_t n = r->gpus, blocks = t->block_count;
    rc_time *scratch = calloc(7 * (n + 2), sizeof *scratch);
    r->ring_scratch = r->ring.host = scratch; /* the other arrays stand behind it */
    r->ring_line = calloc((RC_LEFT_COUNT + 7) * (n + 2), sizeof *r->ring_line);
    r->rings = calloc(blocks + 1, sizeof *r->rings);
    r->exchange = calloc(blocks + 1, sizeof *r->exchange);
    r->exchanged = calloc(blocks + 1, sizeof *r->exchanged);
    r->first = calloc(2 * blocks + 1, sizeof *r->first);
    r->opens = calloc(blocks * n + 1, sizeof *r->opens);
    if (!r->opens || !scratch || !r->ring_line || !r->rings || !r->exchange || !r->exchanged ||
        !r->first)
        return false;
    rc_time **arrays[] = {&r->ring.host, &r->ring.compute, &r->ring.comm, &r->ring.att,
                          &r->ring.msg,  &r->ring.next,    &r->ring.row};
    for (size_t i = 0; i < 7; i++)
        *arrays[i] = scratch + i * (n + 2);
    for (size_t b = 0; b < blocks; b++) {
        if (t->blocks[b].kind == RC_BLOCK_EXCHANGE) {
            if (!reserve_exchange(&r->exchanged[b], n))
                return false;
        } else {
            r->rings[b].message = calloc(n, sizeof *r->rings[b].message);
            if (!r->rings[b].message)
                return false;
        }
    }
    return true;
}

static bool reserve(compiler *c) {
    rc_replay *r = c->r;
    const rc_template *t = r->one.layers_of;
    size_t tasks = r->one.task_count, blocks = t->block_count;
    c->piece_room = tasks + blocks;
    r->pieces = calloc(c->piece_room + 1, sizeof *r->pieces);
    r->section_piece = calloc(t->section_count + 1, sizeof *r->section_piece);
    r->order = calloc(tasks + 1, sizeof *r->order);
    r->waits = calloc(r->first_wait[tasks] + (size_t)1, sizeof *r->waits);
    r->piece_of = malloc((tasks + 1) * sizeof *r->piece_of);
    r->own = calloc(tasks + 1, sizeof *r->own);
    r->section_own = calloc(t->section_count + 1, sizeof *r->section_own);
    r->duration = calloc(tasks + 1, sizeof *r->duration);
    r->value = calloc(tasks + 1, sizeof *r->value);
    r->state = calloc(r->width, sizeof *r->state);
    if (r->state && r->exchanges)
        r->busy = r->state + (size_t)RC_LEFT_COUNT * r->gpus;
    if (r->piece_of)
        memset(r->piece_of, 0xff, (tasks + 1) * sizeof *r->piece_of);
    return r->pieces && r->section_piece && r->order && r->waits && r->piece_of && r->own &&
           r->section_own && r->duration && r->value && r->state && reserve_rings(r);
}

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory while compiling a schedule");
}

static rc_status compile(compiler *c, rc_error *err) {
    rc_replay *r = c->r;
    const rc_template *t = c->p->layers_of;
    r->gpus = c->p->gpus;
    for (size_t b = 0; b < t->block_count; b++)
        r->exchanges = r->exchanges || t->blocks[b].kind == RC_BLOCK_EXCHANGE;
    r->width = (size_t)r->gpus * (size_t)(RC_LEFT_COUNT + (r->exchanges ? 2 : 0));
    if (t->overflown || !links_have_one_stream(c))
        return RC_OK;
    if (!list_waits(c) || !make_nodes(c) || !reserve(c))
        return no_memory(err);
    list_own(r);
    r->works = order_all(c);
    return RC_OK;
}

rc_status rc_replay_compile(rc_replay *r, rc_error *err) {
    assert(r->one.layers_of != NULL && r->one.gpus_per_rank == 1);
    compiler c = {.r = r, .p = &r->one};
    rc_status st = compile(&c, err);
    free(c.node_of);
    free(c.mates);
    free(c.nodes);
    free(c.heir);
    return st;
}

static void free_blocks(rc_replay *r) {
    size_t blocks = r->one.layers_of ? r->one.layers_of->block_count : 0;
    for (size_t b = 0; b < blocks; b++) {
        if (r->rings)
            free(r->rings[b].message);
        if (!r->exchanged)
            continue;
        free(r->exchanged[b].open);
        free(r->exchanged[b].by);
        free(r->exchanged[b].class_of);
        free(r->exchanged[b].classes);
        free(r->exchanged[b].sorted);
    }
    free(r->rings);
    free(r->exchange);
    free(r->exchanged);
    free(r->first);
    free(r->opens);
    free(r->ring_scratch);
    free(r->ring_line);
    rc_replay_trace_free(r);
}

void rc_replay_free(rc_replay *r) {
    free_blocks(r);
    rc_program_free(&r->one);
    free(r->pieces);
    free(r->section_piece);
    free(r->order);
    free(r->waits);
    free(r->first_wait);
    free(r->task_wait);
    free(r->piece_of);
    free(r->own);
    free(r->section_own);
    free(r->cost);
    free(r->duration);
    free(r->value);
    free(r->line);
    free(r->state);
    free(r->history);
    free(r->digest);
    *r = (rc_replay){0};
}
