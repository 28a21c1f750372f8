/* Building a template: sections with their ports, and blocks in place of rings and exchanges.
 *
 * The shapes of a block are found by the schedule's own functions, which emit into nothing while
 * the builder only notes what shapes they ask for (`noting`). Which tasks there are is settled when
 * the template is built; refilling it writes shapes only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/schedule/builder.h"

static bool grow(void **array, size_t *room, size_t want, size_t item) {
    if (want <= *room)
        return true;
    size_t more = want > 2 * *room ? want : 2 * *room;
    void *bigger = realloc(*array, more * item);
    if (!bigger)
        return false;
    *array = bigger;
    *room = more;
    return true;
}

bool rc_template_begin(rc_builder *b) {
    assert(b->rq->as_template && b->g == 1);
    rc_program *p = b->p;
    if (!p->layers_of)
        p->layers_of = calloc(1, sizeof *p->layers_of);
    if (!p->layers_of)
        return false;
    p->layers_of->eager = b->rq->eager;
    /* Always the first shapes: on refilling, the tasks that have them are passed over. */
    const rc_shape first[] = {rc_shape_of(RC_T_PORT, RC_P_HOST),
                              rc_shape_of(RC_T_LAUNCH, RC_P_HOST)};
    (void)rc_shape_number(b, &first[0]);
    (void)rc_shape_number(b, &first[1]);
    return true;
}

/* Room for `n` more ids; their place. */
static uint32_t add_ids(rc_builder *b, size_t n) {
    rc_template *t = b->p->layers_of;
    if (!grow((void **)&t->ids, &t->id_room, t->id_count + n, sizeof *t->ids)) {
        b->p->failed = true;
        return 0;
    }
    t->id_count += n;
    return (uint32_t)(t->id_count - n);
}

static uint32_t add_cells(rc_builder *b, size_t n) {
    rc_template *t = b->p->layers_of;
    if (!grow((void **)&t->cells, &t->cell_room, t->cell_count + n, sizeof *t->cells)) {
        b->p->failed = true;
        return 0;
    }
    t->cell_count += n;
    return (uint32_t)(t->cell_count - n);
}

/* ---- classes of ranks ----------------------------------------------------------------------- */

/* Chunk c is one token longer than others where c < T mod 2N, and so are the cached tokens of rank
 * r where r < P mod N: the sizes of a rank's chunks change at three ranks for every sequence, and
 * ranks between two changes are of one class. */
void rc_pair_classes(rc_builder *b, uint8_t *class_of) {
    int n = b->n;
    memset(class_of, 0, (size_t)n);
    for (size_t i = 0; i < b->prompts_end; i++) {
        if (rc_decodes(b, i))
            continue;
        int64_t longer = b->rq->seqs[i].t % (2 * (int64_t)n), cached = b->rq->seqs[i].p % n;
        if (longer < n)
            class_of[longer] = 1; /* from here on the first chunk is short */
        else
            class_of[2 * n - longer < n ? 2 * n - longer : 0] = 1; /* the second one is long */
        class_of[cached] = 1;
    }
    class_of[0] = 0;
    int classes = 0;
    for (int r = 0; r < n && classes < RC_RANK_CLASSES; r++)
        class_of[r] = (uint8_t)(classes += class_of[r]);
    b->pairs.class_of = classes < RC_RANK_CLASSES ? class_of : NULL;
}

uint32_t rc_own_first(rc_builder *b) {
    b->own_at = b->at;
    return 0;
}

/* Whether the next GPU has as much work: of sequences that decode, classes do not tell. */
static bool next_is_alike(const rc_builder *b, uint32_t gpu) {
    const uint8_t *class_of = b->pairs.class_of;
    return b->refill && class_of && b->decodes == 0 && gpu + 1 < b->p->gpus &&
           class_of[rc_rank_of(b, gpu)] == class_of[rc_rank_of(b, gpu + 1)];
}

/* The tasks of a GPU stand together. */
uint32_t rc_own_next(rc_builder *b, uint32_t gpu) {
    rc_task *tasks = b->p->tasks;
    const uint32_t count = b->at - b->own_at;
    for (; next_is_alike(b, gpu); gpu++) {
        assert(b->at + count <= b->p->task_count);
        for (uint32_t i = 0; i < count; i++)
            tasks[b->at + i].shape = tasks[b->own_at + i].shape;
        b->at += count;
    }
    b->own_at = b->at;
    return gpu + 1;
}

uint32_t *rc_pair_shape(rc_builder *b, int q, int s) {
    const uint8_t *class_of = b->pairs.class_of;
    if (!b->noting || !class_of)
        return NULL;
    return &b->pairs.shape[(s >= q) + (s > q)][class_of[q]][class_of[s]];
}

/* ---- sections ------------------------------------------------------------------------------- */

static uint32_t port(rc_builder *b, uint32_t gpu, rc_lane lane) {
    if (b->refill)
        return b->at++;
    const rc_shape s = rc_shape_of(RC_T_PORT, RC_P_HOST);
    return rc_emit_port(b, gpu, lane, &s);
}

/* The ports of one kind, on every GPU; their numbers into `into`, `stride` apart. */
static void ports(rc_builder *b, rc_lane lane, uint32_t *into, size_t stride) {
    if (b->refill) {
        b->at += b->p->gpus;
        return;
    }
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        into[gpu * stride] = port(b, gpu, lane);
}

void rc_section_open(rc_builder *b) {
    rc_template *t = b->p->layers_of;
    assert(t != NULL);
    memset(b->pairs.shape, 0xff, sizeof b->pairs.shape);
    b->pairs.decode = RC_TASK_NONE;
    if (!b->refill) {
        if (!grow((void **)&t->sections, &t->section_room, t->section_count + 1,
                  sizeof *t->sections)) {
            b->p->failed = true;
            return;
        }
        t->sections[t->section_count++] =
            (rc_template_section){.first = b->at, .block = (uint32_t)t->block_count};
    }
    ports(b, RC_LANE_HOST, b->last + RC_LANE_HOST, RC_LANE_COUNT);
    ports(b, RC_LANE_COMPUTE, b->last + RC_LANE_COMPUTE, RC_LANE_COUNT);
    ports(b, RC_LANE_COMM, b->last + RC_LANE_COMM, RC_LANE_COUNT);
    ports(b, RC_LANE_NONE, b->msg, 1);
    ports(b, RC_LANE_NONE, b->att, 1);
    memcpy(b->mark, b->msg, b->p->gpus * sizeof *b->mark);
}

/* What there is on each GPU: [RC_LEFT_COUNT][gpus] ids. */
static uint32_t list_left(rc_builder *b) {
    static const rc_lane lanes[] = {[RC_LEFT_HOST] = RC_LANE_HOST,
                                    [RC_LEFT_COMPUTE] = RC_LANE_COMPUTE,
                                    [RC_LEFT_COMM] = RC_LANE_COMM};
    uint32_t gpus = b->p->gpus, at = add_ids(b, (size_t)RC_LEFT_COUNT * gpus);
    if (b->p->failed)
        return 0;
    uint32_t *ids = b->p->layers_of->ids + at;
    for (uint32_t gpu = 0; gpu < gpus; gpu++) {
        for (int k = 0; k <= RC_LEFT_COMM; k++)
            ids[(uint32_t)k * gpus + gpu] = b->last[gpu * RC_LANE_COUNT + lanes[k]];
        ids[RC_LEFT_MESSAGE * gpus + gpu] = b->msg[gpu];
        ids[RC_LEFT_ATTENTION * gpus + gpu] = b->att[gpu];
    }
    return at;
}

void rc_section_close(rc_builder *b) {
    rc_template *t = b->p->layers_of;
    if (b->refill || b->p->failed)
        return;
    rc_template_section *s = &t->sections[t->section_count - 1];
    s->end = b->at;
    s->block_end = (uint32_t)t->block_count;
    s->left = list_left(b);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static uint16_t cell_of(rc_builder *b, uint32_t shape) {
    if (shape >= RC_SHAPE_NONE)
        b->p->layers_of->overflown = true;
    return (uint16_t)shape;
}

/* A new block or, on refilling, the one that stands there. NULL when out of memory. */
static rc_block *next_block(rc_builder *b, rc_block_kind kind, size_t cells) {
    rc_template *t = b->p->layers_of;
    if (b->p->failed)
        return NULL;
    if (b->refill) {
        assert(b->block < t->block_count && t->blocks[b->block].kind == kind);
        return &t->blocks[b->block++];
    }
    uint32_t at = add_cells(b, cells);
    if (!grow((void **)&t->blocks, &t->block_room, t->block_count + 1, sizeof *t->blocks))
        b->p->failed = true;
    if (b->p->failed)
        return NULL;
    rc_block *k = &t->blocks[t->block_count++];
    *k = (rc_block){.kind = kind, .first = b->at, .cells = at};
    return k;
}

static uint16_t launch_shape(rc_builder *b) {
    const rc_shape launch = rc_shape_of(RC_T_LAUNCH, RC_P_HOST);
    return cell_of(b, rc_shape_number(b, &launch));
}

/* The shape of the message from `gpu` to `peer`. */
static uint16_t message_shape(rc_builder *b, uint32_t gpu, uint32_t peer, rc_part part,
                              double bytes) {
    b->notes = 0;
    (void)rc_emit_message(b, gpu, peer, RC_LANE_NONE, part, bytes);
    return cell_of(b, b->noted[0]);
}

/* Messages to the next rank are all alike but for which of them stay inside a node. */
static void message_shapes(rc_builder *b, rc_block *k, rc_part part, double bytes) {
    uint16_t *cells = b->p->layers_of->cells + k->cells;
    bool alike = b->rq->ranks_per_node <= 1;
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        cells[gpu] = alike && gpu > 0 ? cells[0]
                                      : message_shape(b, gpu, rc_next_gpu(b, gpu, 1), part, bytes);
}

static uint32_t noted_attention(rc_builder *b, rc_attend_fn attend, int here, int from) {
    b->notes = 0;
    (void)attend(b, (uint32_t)here, here, from);
    return b->noted[0];
}

/* The shape of attention is that of the classes of both ranks, unless the schedule chooses the
 * calls of each rank itself: then `pairs.apart` tells. */
static void attention_shapes(rc_builder *b, rc_block *k, rc_attend_fn attend) {
    uint32_t known[3][RC_RANK_CLASSES][RC_RANK_CLASSES];
    const uint8_t *class_of = b->pairs.class_of;
    uint16_t *cell = b->p->layers_of->cells + k->cells + b->p->gpus;
    memset(known, 0xff, sizeof known);
    b->pairs.apart = false;
    for (int j = 0; j < b->n; j++) {
        for (int here = 0; here < b->n; here++) {
            int from = here >= j ? here - j : here - j + b->n;
            if (!class_of || b->pairs.apart) {
                *cell++ = cell_of(b, noted_attention(b, attend, here, from));
                continue;
            }
            uint32_t *shape =
                &known[(from >= here) + (from > here)][class_of[here]][class_of[from]];
            if (*shape == RC_TASK_NONE)
                *shape = noted_attention(b, attend, here, from);
            *cell++ = cell_of(b, *shape);
        }
    }
    k->decode = b->notes > 1 ? cell_of(b, b->noted[1]) : RC_SHAPE_NONE;
}

/* Ports for the tasks of a ring that something later waits for, in the order of those tasks: the
 * last messages, the host's last work, the last attention. With launches one by one the host's last
 * work is the launch of a GPU's last attention, behind which it stands. */
static void ring_ports(rc_builder *b, const rc_block *k) {
    uint32_t gpus = b->p->gpus;
    bool eager = b->rq->eager;
    for (uint32_t gpu = 0; gpu < gpus; gpu++)
        b->msg[gpu] = b->mark[gpu] = port(b, gpu, k->serial ? RC_LANE_NONE : RC_LANE_COMM);
    if (!k->serial)
        for (uint32_t gpu = 0; gpu < gpus; gpu++)
            b->last[gpu * RC_LANE_COUNT + RC_LANE_COMM] = b->msg[gpu];
    if (!eager && k->host != RC_SHAPE_NONE)
        ports(b, RC_LANE_HOST, b->last + RC_LANE_HOST, RC_LANE_COUNT);
    for (uint32_t gpu = 0; gpu < gpus && k->kind == RC_BLOCK_RING; gpu++) {
        b->att[gpu] = port(b, gpu, RC_LANE_COMPUTE);
        b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE] = b->att[gpu];
        if (eager)
            b->last[gpu * RC_LANE_COUNT + RC_LANE_HOST] = port(b, gpu, RC_LANE_HOST);
    }
    if (eager && k->kind == RC_BLOCK_GATHER)
        ports(b, RC_LANE_HOST, b->last + RC_LANE_HOST, RC_LANE_COUNT);
}

static void ring_or_gather(rc_builder *b, rc_block_kind kind, double bytes, rc_attend_fn attend) {
    size_t gpus = b->p->gpus;
    rc_part part = kind == RC_BLOCK_RING ? RC_P_SENDRECV : RC_P_ALL_GATHER;
    rc_block *k = next_block(b, kind, kind == RC_BLOCK_RING ? gpus * (gpus + 1) : gpus);
    if (!k)
        return;
    b->noting = true;
    message_shapes(b, k, part, bytes);
    k->host = k->decode = RC_SHAPE_NONE;
    k->serial = kind == RC_BLOCK_RING && b->rq->serial_ring;
    k->waits = kind == RC_BLOCK_RING && b->rq->messages_wait;
    if (kind == RC_BLOCK_RING) {
        b->notes = 0;
        rc_emit_ring_step(b, 0, RC_HOST_EACH_STEP);
        k->host = b->notes > 0 ? cell_of(b, b->noted[0]) : RC_SHAPE_NONE;
        attention_shapes(b, k, attend);
    }
    b->noting = false;
    k->launch =
        b->rq->eager || k->host != RC_SHAPE_NONE ? launch_shape(b) : (uint16_t)RC_SHAPE_NONE;
    k->in = b->refill ? k->in : list_left(b);
    ring_ports(b, k);
    k->out = b->refill ? k->out : list_left(b);
}

void rc_block_ring(rc_builder *b, double bytes, rc_attend_fn attend) {
    assert(b->n > 1);
    ring_or_gather(b, RC_BLOCK_RING, bytes, attend);
}

void rc_block_gather(rc_builder *b, double bytes) {
    assert(b->n > 1);
    ring_or_gather(b, RC_BLOCK_GATHER, bytes, NULL);
}

/* What closes the exchange is of the same NCCL call as what opened it: no launch. b->mark holds the
 * marks that open it. */
void rc_block_exchange(rc_builder *b, double bytes_per_peer) {
    uint32_t gpus = b->p->gpus;
    assert(b->n > 1);
    rc_block *k = next_block(b, RC_BLOCK_EXCHANGE, 1);
    if (!k)
        return;
    b->noting = true;
    uint16_t near = message_shape(b, 0, rc_next_gpu(b, 0, 1), RC_P_ALL2ALL, bytes_per_peer);
    uint16_t far = message_shape(b, 0, rc_next_gpu(b, 0, b->n - 1), RC_P_ALL2ALL, bytes_per_peer);
    b->noting = false;
    /* Ranks that share a node are neighbours: where the first and the last rank send alike, either
     * all ranks share one or none do. */
    k->alike = near == far;
    b->p->layers_of->cells[k->cells] = near;
    uint32_t in = b->refill ? k->in : add_ids(b, gpus), out = b->refill ? k->out : add_ids(b, gpus);
    if (b->p->failed)
        return;
    k->in = in;
    k->out = out;
    if (b->refill) {
        b->at += gpus;
        return;
    }
    memcpy(b->p->layers_of->ids + in, b->mark, gpus * sizeof *b->mark);
    ports(b, RC_LANE_NONE, b->mark, 1);
    memcpy(b->p->layers_of->ids + out, b->mark, gpus * sizeof *b->mark);
    for (uint32_t gpu = 0; gpu < gpus; gpu++)
        b->last[gpu * RC_LANE_COUNT + RC_LANE_COMM] = b->mark[gpu];
}

/* ---- what a section comes to ---------------------------------------------------------------- */

static void count_block(const rc_program *p, const rc_block *k, rc_counts *n) {
    const uint16_t *cells = p->layers_of->cells + k->cells;
    uint32_t gpus = p->gpus;
    rc_counts_add(p, cells[0], gpus - 1, n); /* of each exchange, gather or ring */
    for (uint32_t j = 0; j < gpus && k->kind == RC_BLOCK_RING; j++)
        rc_counts_add(p, cells[gpus + (size_t)j * gpus], 1.0, n);
    if (k->decode != RC_SHAPE_NONE && k->kind == RC_BLOCK_RING)
        rc_counts_add(p, k->decode, gpus, n);
}

rc_counts rc_template_counts(const rc_program *p, size_t section) {
    rc_counts n = {0};
    assert(p->layers_of && section < p->layers_of->section_count);
    const rc_template_section *s = &p->layers_of->sections[section];
    for (uint32_t i = s->first; i < s->end; i++)
        if (p->tasks[i].gpu == 0)
            rc_counts_add(p, p->tasks[i].shape, 1.0, &n);
    for (uint32_t b = s->block; b < s->block_end; b++)
        count_block(p, &p->layers_of->blocks[b], &n);
    return n;
}

static int64_t block_tasks(const rc_template *t, const rc_block *k, int64_t n) {
    int64_t messages = n * (n - 1), launches = t->eager ? 2 : 1; /* with its own */
    if (k->kind == RC_BLOCK_EXCHANGE)
        return messages + n;
    if (k->kind == RC_BLOCK_GATHER)
        return messages * launches;
    int64_t attention = n * n * (k->decode == RC_SHAPE_NONE ? 1 : 2);
    int64_t host = k->host == RC_SHAPE_NONE ? 0 : n * n * (t->eager ? 1 : 2);
    return host + launches * (messages + attention);
}

int64_t rc_template_tasks(const rc_program *p, size_t section) {
    assert(p->layers_of && section < p->layers_of->section_count);
    const rc_template_section *s = &p->layers_of->sections[section];
    int64_t n = 0;
    for (uint32_t i = s->first; i < s->end; i++)
        n += p->shapes[p->tasks[i].shape].kind != RC_T_PORT;
    for (uint32_t b = s->block; b < s->block_end; b++)
        n += block_tasks(p->layers_of, &p->layers_of->blocks[b], p->gpus);
    return n;
}
