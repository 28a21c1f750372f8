/* Lists of jobs and heaps of steps: a job is in one list at a time, linked through itself.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/serve/cluster.h"

void list_init(job_list *l) {
    *l = (job_list){NONE, NONE, 0};
}

static void link_between(cluster *c, job_list *l, uint32_t j, uint32_t before, uint32_t after) {
    assert(j < c->live.used);
    assert(c->jobs[j].link.next == NONE && c->jobs[j].link.prev == NONE);
    c->jobs[j].link.prev = before;
    c->jobs[j].link.next = after;
    *(before == NONE ? &l->head : &c->jobs[before].link.next) = j;
    *(after == NONE ? &l->tail : &c->jobs[after].link.prev) = j;
    l->count++;
}

void list_push(cluster *c, job_list *l, uint32_t j) {
    link_between(c, l, j, l->tail, NONE);
}

void list_push_front(cluster *c, job_list *l, uint32_t j) {
    link_between(c, l, j, NONE, l->head);
}

void list_remove(cluster *c, job_list *l, uint32_t j) {
    assert(l->count > 0);
    uint32_t before = c->jobs[j].link.prev, after = c->jobs[j].link.next;
    *(before == NONE ? &l->head : &c->jobs[before].link.next) = after;
    *(after == NONE ? &l->tail : &c->jobs[after].link.prev) = before;
    c->jobs[j].link.prev = c->jobs[j].link.next = NONE;
    l->count--;
}

static bool earlier(const heap_item *a, const heap_item *b) {
    return a->step != b->step ? a->step < b->step : a->number < b->number;
}

static void sift_up(heap_item *h, uint32_t i) {
    heap_item item = h[i];
    for (; i > 0 && earlier(&item, &h[(i - 1) / 2]); i = (i - 1) / 2)
        h[i] = h[(i - 1) / 2];
    h[i] = item;
}

static void sift_down(heap_item *h, uint32_t count, uint32_t i) {
    heap_item item = h[i];
    for (uint32_t child = 2 * i + 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && earlier(&h[child + 1], &h[child]))
            child++;
        if (!earlier(&h[child], &item))
            break;
        h[i] = h[child];
        i = child;
    }
    h[i] = item;
}

void heap_push(heap_item *h, uint32_t *count, heap_item item) {
    h[*count] = item;
    sift_up(h, (*count)++);
}

heap_item heap_pop(heap_item *h, uint32_t *count) {
    assert(*count > 0);
    heap_item first = h[0];
    h[0] = h[--*count];
    if (*count > 0)
        sift_down(h, *count, 0);
    return first;
}

void heap_drop(heap_item *h, uint32_t *count, uint32_t j) {
    for (uint32_t i = 0; i < *count; i++) {
        if (h[i].job != j)
            continue;
        h[i] = h[--*count];
        if (i < *count) {
            sift_up(h, i);
            sift_down(h, *count, i);
        }
        return;
    }
}
