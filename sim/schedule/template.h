/* A template: one layer of each kind of layer and the head, from which a whole pass is evaluated by
 * repetition, and in which a ring or an exchange of all ranks is one block in place of the N x N
 * tasks that it stands for.
 *
 * A template is a program (rc_request.as_template) whose tasks are cut into sections. A section
 * begins with ports: tasks of kind RC_T_PORT that stand for what the layer before it left on each
 * GPU. Whatever a task of the section waits for is then a task of the same section, so sections can
 * be put one after the other in any order: `left` says which task of a section the next section
 * finds at each of its ports. The first layer of a pass finds the beginning of time at all of them.
 *
 * A block is known by the tasks that it finds and by the ports in which it leaves what follows may
 * wait for. It says of the shapes of its ring steps only their numbers: 16 bits each, by step and
 * GPU, whatever the number of ranks.
 *
 * An evaluator must do with a block what the engine does with the tasks that rc_emit_ring,
 * rc_emit_gather and rc_emit_exchange emit into an ordinary program; the order in which they emit
 * them decides between causes that end together.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_TEMPLATE_H
#define RC_SCHEDULE_TEMPLATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RC_SHAPE_NONE UINT16_MAX

/* What a layer leaves on each GPU. */
typedef enum rc_left {
    RC_LEFT_HOST,    /* the last task on the host's lane, */
    RC_LEFT_COMPUTE, /* on the compute lane, */
    RC_LEFT_COMM,    /* and on the communication lane, or the end of an exchange after it */
    RC_LEFT_MESSAGE, /* the last message it sent in a ring */
    RC_LEFT_ATTENTION,
    RC_LEFT_COUNT
} rc_left;

typedef struct rc_template_section {
    uint32_t first, end;       /* tasks [first, end): gpus x RC_LEFT_COUNT ports come first */
    uint32_t block, block_end; /* its blocks */
    uint32_t left;             /* into template->ids: [RC_LEFT_COUNT][gpus] tasks of the section */
} rc_template_section;

typedef enum rc_block_kind {
    RC_BLOCK_RING,    /* N steps of attention, with the messages of the next step beside them */
    RC_BLOCK_GATHER,  /* N - 1 messages one after the other, which wait for no attention */
    RC_BLOCK_EXCHANGE /* an all-to-all: a message from every GPU to every other */
} rc_block_kind;

typedef struct rc_block {
    rc_block_kind kind;
    uint32_t first; /* the block comes before this task, and after all those that it finds */
    uint32_t in;    /* into template->ids: RING, GATHER: [RC_LEFT_COUNT][gpus], what they find;
                       EXCHANGE: [gpus], the marks that open it */
    uint32_t out;   /* likewise: [RC_LEFT_COUNT][gpus], ports or what was found; EXCHANGE: [gpus],
                       ports that stand for the marks that close it */
    uint32_t cells; /* into template->cells. RING, GATHER: [gpus], the shape of each GPU's messages;
                       RING: behind them [steps][gpus], of its attention */
    bool serial;    /* RING: messages ride on the compute lane */
    bool waits;     /* RING: a message waits for all attention of its step on its sender */
    bool alike;     /* EXCHANGE: all messages are of one shape, the first cell */
    /* Shapes of all GPUs and steps, or RC_SHAPE_NONE: */
    uint16_t host;   /* RING: the host's work that opens a step */
    uint16_t launch; /* of every message and attention; without launches one by one: of the graph
                        that follows the host's work */
    uint16_t decode; /* RING: the decode that follows each attention */
} rc_block;

typedef struct rc_template {
    rc_template_section *sections; /* one for each kind of layer, then the head */
    size_t section_count, section_room;
    rc_block *blocks;
    size_t block_count, block_room;
    uint32_t *ids;
    size_t id_count, id_room;
    uint16_t *cells;
    size_t cell_count, cell_room;
    bool eager;     /* tasks and messages of blocks are launched one by one */
    bool overflown; /* the shapes of a block are too many for its cells, which hold nonsense */
} rc_template;

#endif
