/* The prefix cache.
 *
 * A block with an identity has a slot. Blocks without an identity (generated tokens, prompts that the
 * trace does not name) are only counted. A slot is pinned by leases, or cached in GPU memory, or
 * cached in host memory. Cached slots are in a list with the next to be evicted at its head. When a
 * lease is released, its last block is listed first, so that a prefix is evicted from its end.
 *
 * Slots lie in pages of PAGE blocks with consecutive ids, and a hash table finds pages (open
 * addressing; removal shifts the entries behind it back). A prompt's blocks have consecutive ids but
 * for few places, so a walk over thousands of them looks up a page now and then and otherwise reads
 * memory in order. The array of pages grows with what is cached, and pages are reused.
 *
 * RC_KV_SESSION keeps one list a session: what a session left is evicted as a whole, ended sessions
 * first.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/kv/kv.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
enum {
    PAGE = 16, /* slots */
    FIRST_PAGES = 64,
    TABLE_LOAD = 4 /* table entries a page: probes stay short */
};

typedef struct slot {
    uint32_t pins;
    uint32_t prev, next; /* in its list */
    uint32_t list;       /* index into lists, NONE when in none */
    bool there;          /* the block is held or cached; else the slot is empty */
    bool filled, host;
} slot;

typedef struct page {
    uint32_t number; /* its slots are of blocks number * PAGE and those behind it */
    uint32_t used;   /* slots with a block; 0: the page is free */
    uint32_t next;   /* free pages */
} page;

typedef struct list {
    uint32_t head, tail, count;
} list;

typedef struct lease {
    const rc_trace *trace;
    size_t request; /* its place there: the array may move while the lease is open */
    uint32_t named, private_blocks, filled; /* blocks; named: those held, of request->named */
    uint32_t next;                          /* free leases */
    bool open;
} lease;

enum { LIST_HOST, LIST_ENDED, LIST_FIRST_SESSION };

struct rc_kv {
    rc_kv_config c;
    slot *slots; /* PAGE for each page */
    page *pages;
    uint32_t page_count, page_room; /* that have been in use; that there is memory for */
    uint32_t free_page, free_pages; /* the first of those free again; how many these are */
    uint32_t *table;                /* page + 1; 0: empty */
    uint32_t mask;
    lease *leases;
    uint32_t free_lease;
    list *lists; /* host, ended, one a session */
    uint32_t list_count;
    uint32_t *idle_next, *idle_prev; /* of session lists with blocks, the longest idle first */
    list idle;
    uint32_t pinned, cached, host;
};

uint32_t rc_kv_capacity(double bytes, double token_bytes, int ranks, uint32_t block) {
    assert(ranks >= 1);
    assert(block >= 1);
    if (!(bytes > 0.0) || !(token_bytes > 0.0))
        return 0;
    double blocks = floor(floor(bytes / token_bytes) * ranks / block);
    return blocks < RC_KV_MOST_BLOCKS ? (uint32_t)blocks : RC_KV_MOST_BLOCKS;
}

/* ---- pages and slots ------------------------------------------------------------------ */

static uint32_t hash(uint32_t number) {
    uint64_t z = (number + UINT64_C(1)) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(z >> 32);
}

static uint32_t find_page(const rc_kv *kv, uint32_t number) {
    for (uint32_t i = hash(number) & kv->mask; kv->table && kv->table[i]; i = (i + 1) & kv->mask)
        if (kv->pages[kv->table[i] - 1].number == number)
            return kv->table[i] - 1;
    return NONE;
}

static void table_add(rc_kv *kv, uint32_t p) {
    uint32_t i = hash(kv->pages[p].number) & kv->mask;
    while (kv->table[i])
        i = (i + 1) & kv->mask;
    kv->table[i] = p + 1;
}

static void table_remove(rc_kv *kv, uint32_t p) {
    uint32_t i = hash(kv->pages[p].number) & kv->mask;
    while (kv->table[i] != p + 1)
        i = (i + 1) & kv->mask;
    for (uint32_t k = (i + 1) & kv->mask; kv->table[k]; k = (k + 1) & kv->mask) {
        uint32_t home = hash(kv->pages[kv->table[k] - 1].number) & kv->mask;
        if (((k - home) & kv->mask) >= ((k - i) & kv->mask)) {
            kv->table[i] = kv->table[k];
            i = k;
        }
    }
    kv->table[i] = 0;
}

static bool more_pages(rc_kv *kv) {
    uint32_t room = kv->page_room ? 2 * kv->page_room : FIRST_PAGES;
    slot *slots = realloc(kv->slots, (size_t)PAGE * room * sizeof *slots);
    if (!slots)
        return false;
    kv->slots = slots;
    page *pages = realloc(kv->pages, room * sizeof *pages);
    if (!pages)
        return false;
    kv->pages = pages;
    uint32_t *table = calloc((size_t)TABLE_LOAD * room, sizeof *table);
    if (!table)
        return false;
    free(kv->table);
    kv->page_room = room;
    kv->table = table;
    kv->mask = TABLE_LOAD * room - 1;
    for (uint32_t i = 0; i < kv->page_count; i++)
        if (kv->pages[i].used > 0)
            table_add(kv, i);
    return true;
}

/* Room for `count` more pages, so that nothing can fail half way. */
static bool reserve(rc_kv *kv, uint32_t count) {
    while (kv->page_room - kv->page_count + kv->free_pages < count)
        if (!more_pages(kv))
            return false;
    return true;
}

static uint32_t new_page(rc_kv *kv, uint32_t number) {
    assert(kv->free_page != NONE || kv->page_count < kv->page_room);
    uint32_t p = kv->free_page;
    if (p != NONE) {
        kv->free_page = kv->pages[p].next;
        kv->free_pages--;
    } else {
        p = kv->page_count++;
    }
    kv->pages[p] = (page){.number = number, .next = NONE};
    memset(&kv->slots[(size_t)PAGE * p], 0, PAGE * sizeof *kv->slots);
    table_add(kv, p);
    return p;
}

/* The slot for a block of page `p`, which may be NONE: then the page is made. */
static uint32_t new_slot(rc_kv *kv, uint32_t id, uint32_t p) {
    if (p == NONE)
        p = new_page(kv, id / PAGE);
    uint32_t s = PAGE * p + id % PAGE;
    assert(!kv->slots[s].there);
    kv->slots[s] = (slot){.prev = NONE, .next = NONE, .list = NONE, .there = true};
    kv->pages[p].used++;
    return s;
}

static void drop_slot(rc_kv *kv, uint32_t s) {
    page *p = &kv->pages[s / PAGE];
    kv->slots[s].there = false;
    if (--p->used > 0)
        return;
    table_remove(kv, s / PAGE);
    p->next = kv->free_page;
    kv->free_page = s / PAGE;
    kv->free_pages++;
}

/* ---- lists ---------------------------------------------------------------------------- */

static void idle_remove(rc_kv *kv, uint32_t l) {
    uint32_t a = kv->idle_prev[l], b = kv->idle_next[l];
    *(a == NONE ? &kv->idle.head : &kv->idle_next[a]) = b;
    *(b == NONE ? &kv->idle.tail : &kv->idle_prev[b]) = a;
    kv->idle.count--;
}

static void idle_push(rc_kv *kv, uint32_t l) {
    kv->idle_prev[l] = kv->idle.tail;
    kv->idle_next[l] = NONE;
    *(kv->idle.tail == NONE ? &kv->idle.head : &kv->idle_next[kv->idle.tail]) = l;
    kv->idle.tail = l;
    kv->idle.count++;
}

static void list_push(rc_kv *kv, uint32_t l, uint32_t s) {
    assert(kv->slots[s].list == NONE);
    list *to = &kv->lists[l];
    kv->slots[s].list = l;
    kv->slots[s].prev = to->tail;
    kv->slots[s].next = NONE;
    *(to->tail == NONE ? &to->head : &kv->slots[to->tail].next) = s;
    to->tail = s;
    if (to->count++ == 0 && l >= LIST_FIRST_SESSION)
        idle_push(kv, l);
}

static void list_remove(rc_kv *kv, uint32_t s) {
    slot *x = &kv->slots[s];
    assert(x->list < kv->list_count);
    list *from = &kv->lists[x->list];
    *(x->prev == NONE ? &from->head : &kv->slots[x->prev].next) = x->next;
    *(x->next == NONE ? &from->tail : &kv->slots[x->next].prev) = x->prev;
    if (--from->count == 0 && x->list >= LIST_FIRST_SESSION)
        idle_remove(kv, x->list);
    x->list = x->prev = x->next = NONE;
}

/* ---- eviction ------------------------------------------------------------------------- */

static void evict_slot(rc_kv *kv, uint32_t s) {
    list_remove(kv, s);
    kv->cached--;
    if (kv->c.host == 0) {
        drop_slot(kv, s);
        return;
    }
    if (kv->host == kv->c.host) {
        uint32_t oldest = kv->lists[LIST_HOST].head;
        list_remove(kv, oldest);
        drop_slot(kv, oldest);
        kv->host--;
    }
    kv->slots[s].host = true;
    kv->host++;
    list_push(kv, LIST_HOST, s);
}

/* Evict one block of ended sessions (where no sessions are kept apart, all blocks are in that
 * list); when there is none, everything of the session that has been idle longest. */
static void evict(rc_kv *kv) {
    if (kv->lists[LIST_ENDED].count > 0) {
        evict_slot(kv, kv->lists[LIST_ENDED].head);
        return;
    }
    uint32_t l = kv->idle.head;
    assert(l != NONE); /* whoever makes room has asked whether that is possible */
    for (uint32_t n = kv->lists[l].count; n > 0; n--)
        evict_slot(kv, kv->lists[l].head);
}

static void count_pinned(rc_kv *kv, uint32_t more, uint32_t less) {
    kv->pinned += more - less;
    if (kv->c.held)
        *kv->c.held += (uint64_t)more - less;
}

static uint32_t free_blocks(const rc_kv *kv) {
    return kv->c.capacity - kv->pinned - kv->cached;
}

/* Can `need` blocks be had? `own` cached ones are about to be pinned and must stay. */
static bool possible(const rc_kv *kv, uint64_t need, uint32_t own) {
    uint64_t evictable = kv->c.policy == RC_KV_NONE ? 0 : kv->cached - own;
    return need <= free_blocks(kv) + evictable;
}

static void make_room(rc_kv *kv, uint64_t need) {
    while (free_blocks(kv) < need)
        evict(kv);
}

/* ---- a request's blocks --------------------------------------------------------------- */

/* A walk over a request's named blocks. */
typedef struct walk {
    const rc_span *run; /* that holds the next block */
    uint32_t at;        /* its place there */
    uint32_t id;        /* of the block that next_slot has passed last */
    uint32_t page;      /* that block's page, or NONE */
} walk;

/* From the request's block `index` on. */
static walk walk_from(const rc_trace *t, const rc_req *r, uint32_t index) {
    walk w = {.run = &t->spans[r->span], .at = index, .id = NONE, .page = NONE};
    for (uint32_t left = r->spans; left > 0 && w.at >= w.run->count; left--) {
        w.at -= w.run->count;
        w.run++;
    }
    return w;
}

/* The slot of the next block, or NONE. */
static uint32_t next_slot(const rc_kv *kv, walk *w) {
    const uint32_t before = w->id;
    w->id = w->run->first + w->at;
    if (++w->at == w->run->count) {
        w->at = 0;
        w->run++;
    }
    if (before == NONE || before / PAGE != w->id / PAGE)
        w->page = find_page(kv, w->id / PAGE);
    if (w->page == NONE)
        return NONE;
    const uint32_t s = PAGE * w->page + w->id % PAGE;
    return kv->slots[s].there ? s : NONE;
}

static uint64_t blocks_for(const rc_kv *kv, uint64_t tokens) {
    return (tokens + kv->c.block - 1) / kv->c.block;
}

/* Named blocks among the first `blocks`. */
static uint32_t named_of(const rc_req *r, uint64_t blocks) {
    return r->named < blocks ? r->named : (uint32_t)blocks;
}

/* P, the cached tokens of the prompt: whole blocks. Where the trace gives the prefix in tokens,
 * it is exact as soon as all of its blocks are there. At least one token is left to compute. */
static uint32_t matched_tokens(const rc_kv *kv, const rc_req *r, uint32_t blocks) {
    uint64_t tokens = (uint64_t)blocks * kv->c.block;
    if (r->prefix >= 0 && blocks >= (uint32_t)r->prefix / kv->c.block && blocks > 0)
        tokens = (uint64_t)r->prefix;
    return tokens < r->input ? (uint32_t)tokens : r->input - 1;
}

rc_kv_match rc_kv_lookup(const rc_kv *kv, const rc_trace *t, const rc_req *r) {
    assert(r->input >= 1);
    assert((uint64_t)r->span + r->spans <= t->span_count);
    rc_kv_match m = {0, 0, 0};
    uint64_t fetch = 0;
    const uint32_t most = named_of(r, blocks_for(kv, r->input));
    if (kv->c.policy == RC_KV_OFF || kv->table == NULL)
        return m;
    walk w = walk_from(t, r, 0);
    while (m.blocks < most) {
        uint32_t s = next_slot(kv, &w);
        if (s == NONE || !kv->slots[s].filled)
            break;
        fetch += kv->slots[s].host ? kv->c.block : 0;
        m.blocks++;
    }
    m.tokens = matched_tokens(kv, r, m.blocks);
    if (kv->c.whole_hits) /* a block that is not wholly found, or whose last token is asked for */
        m.tokens -= m.tokens % kv->c.block;
    m.fetch = fetch < m.tokens ? (uint32_t)fetch : m.tokens;
    return m;
}

typedef struct reach { /* blocks from .. upto-1 of a request */
    const rc_trace *t;
    const rc_req *r;
    uint32_t from, upto;
} reach;

/* What the blocks of a reach ask for. */
typedef struct wants {
    uint32_t absent; /* blocks that need new room in GPU memory, */
    uint32_t pages;  /* and new pages that these may need */
    uint32_t own;    /* cached blocks that the request will pin */
} wants;

static wants survey(const rc_kv *kv, const reach *x) {
    wants out = {0, 0, 0};
    walk w = walk_from(x->t, x->r, x->from);
    uint32_t new_at = NONE; /* number of the last new page */
    for (uint32_t i = x->from; i < x->upto; i++) {
        uint32_t s = next_slot(kv, &w);
        if (s == NONE || kv->slots[s].host)
            out.absent++;
        else if (kv->slots[s].pins == 0)
            out.own++;
        if (w.page == NONE && w.id / PAGE != new_at) {
            new_at = w.id / PAGE;
            out.pages++;
        }
    }
    return out;
}

static void detach(rc_kv *kv, uint32_t s) {
    slot *x = &kv->slots[s];
    if (x->list == NONE)
        return;
    list_remove(kv, s);
    *(x->host ? &kv->host : &kv->cached) -= 1;
}

static void pin(rc_kv *kv, uint32_t s) {
    if (kv->slots[s].pins++ > 0)
        return;
    detach(kv, s);
    kv->slots[s].host = false;
    count_pinned(kv, 1, 0);
}

/* What is there already is taken out of the lists first, so that making room cannot evict it. */
static void pin_present(rc_kv *kv, const reach *x) {
    walk w = walk_from(x->t, x->r, x->from);
    for (uint32_t i = x->from; i < x->upto; i++) {
        uint32_t s = next_slot(kv, &w);
        if (s == NONE)
            continue;
        if (kv->slots[s].host)
            detach(kv, s);
        else
            pin(kv, s);
    }
}

static void take_absent(rc_kv *kv, const reach *x, uint32_t matched) {
    walk w = walk_from(x->t, x->r, x->from);
    for (uint32_t i = x->from; i < x->upto; i++) {
        uint32_t s = next_slot(kv, &w);
        if (s != NONE && !kv->slots[s].host)
            continue;
        if (s == NONE)
            s = new_slot(kv, w.id, w.page);
        w.page = s / PAGE;
        if (i >= matched)
            kv->slots[s].filled = false; /* computed again */
        pin(kv, s);
    }
}

/* Pin the blocks of `x` and count `rest` private ones. False: no room, nothing has changed. */
static bool take(rc_kv *kv, const reach *x, uint64_t rest, uint32_t matched) {
    const wants need = survey(kv, x);
    if (!possible(kv, need.absent + rest, need.own) || !reserve(kv, need.pages))
        return false;
    pin_present(kv, x);
    make_room(kv, need.absent + rest);
    take_absent(kv, x, matched);
    count_pinned(kv, (uint32_t)rest, 0);
    return true;
}

bool rc_kv_admit(rc_kv *kv, const rc_trace *t, const rc_req *r, uint64_t tokens, rc_kv_lease *out,
                 rc_kv_match *match) {
    assert(tokens >= 1);
    *match = rc_kv_lookup(kv, t, r);
    uint64_t all = blocks_for(kv, tokens > match->tokens ? tokens : match->tokens);
    all = all > match->blocks ? all : match->blocks;
    const reach x = {t, r, 0, named_of(r, all)};
    if (kv->free_lease == NONE)
        return false;
    if (!take(kv, &x, all - x.upto, match->blocks))
        return false;
    *out = kv->free_lease;
    lease *l = &kv->leases[*out];
    kv->free_lease = l->next;
    *l = (lease){.trace = t,
                 .request = (size_t)(r - t->at),
                 .named = x.upto,
                 .private_blocks = (uint32_t)(all - x.upto),
                 .filled = match->blocks,
                 .open = true};
    return true;
}

static lease *open_lease(rc_kv *kv, rc_kv_lease at) {
    assert(at < kv->c.requests);
    assert(kv->leases[at].open);
    return &kv->leases[at];
}

void rc_kv_filled(rc_kv *kv, rc_kv_lease at_lease, uint64_t tokens) {
    lease *l = open_lease(kv, at_lease);
    const rc_req *r = &l->trace->at[l->request];
    uint64_t whole = tokens / kv->c.block;
    if (tokens >= r->input && whole < blocks_for(kv, r->input))
        whole = blocks_for(kv, r->input); /* a partial last block of the input has a name, too */
    uint32_t upto = named_of(r, whole);
    if (upto > l->named)
        upto = l->named;
    if (upto <= l->filled)
        return;
    walk w = walk_from(l->trace, r, l->filled);
    for (uint32_t i = l->filled; i < upto; i++)
        kv->slots[next_slot(kv, &w)].filled = true;
    l->filled = upto;
}

bool rc_kv_grow(rc_kv *kv, rc_kv_lease at_lease, uint64_t tokens) {
    lease *l = open_lease(kv, at_lease);
    uint64_t all = blocks_for(kv, tokens), have = (uint64_t)l->named + l->private_blocks;
    if (all <= have)
        return true;
    const rc_req *r = &l->trace->at[l->request];
    const reach x = {l->trace, r, l->named, named_of(r, all)};
    uint64_t rest = all - have - (x.upto - x.from);
    if (!take(kv, &x, rest, x.upto))
        return false;
    l->named = x.upto;
    l->private_blocks += (uint32_t)rest;
    return true;
}

static void unpin(rc_kv *kv, uint32_t s, uint32_t to) {
    slot *x = &kv->slots[s];
    if (--x->pins > 0)
        return;
    count_pinned(kv, 0, 1);
    if (x->filled && kv->c.policy != RC_KV_OFF) {
        kv->cached++;
        list_push(kv, to, s);
    } else {
        drop_slot(kv, s);
    }
}

/* The blocks first .. first + count - 1, the last one first. */
static void unpin_run(rc_kv *kv, uint32_t first, uint32_t count, uint32_t to) {
    uint32_t number = NONE, p = NONE;
    for (uint32_t k = count; k-- > 0;) {
        if (number != (first + k) / PAGE) {
            number = (first + k) / PAGE;
            p = find_page(kv, number);
        }
        unpin(kv, PAGE * p + (first + k) % PAGE, to);
    }
}

void rc_kv_release(rc_kv *kv, rc_kv_lease at_lease, bool last) {
    lease *l = open_lease(kv, at_lease);
    const rc_req *r = &l->trace->at[l->request];
    bool by_session = kv->c.policy == RC_KV_SESSION && !last && r->session < kv->c.sessions;
    uint32_t to = by_session ? LIST_FIRST_SESSION + r->session : LIST_ENDED;
    uint32_t beyond = r->named - l->named;        /* named blocks that were never taken */
    for (uint32_t span = r->spans; span-- > 0;) { /* the end of the prefix goes first */
        const rc_span *run = &l->trace->spans[r->span + span];
        uint32_t skip = beyond < run->count ? beyond : run->count;
        beyond -= skip;
        unpin_run(kv, run->first, run->count - skip, to);
    }
    count_pinned(kv, 0, l->private_blocks);
    l->open = false;
    l->next = kv->free_lease;
    kv->free_lease = at_lease;
}

static void clear_list(rc_kv *kv, uint32_t l) {
    while (kv->lists[l].count > 0) {
        uint32_t s = kv->lists[l].head;
        detach(kv, s);
        drop_slot(kv, s);
    }
}

void rc_kv_clear(rc_kv *kv, bool host) {
    assert(kv->pinned == 0);
    for (uint32_t l = LIST_ENDED; l < kv->list_count; l++)
        clear_list(kv, l);
    if (host)
        clear_list(kv, LIST_HOST);
}

/* ---- life ----------------------------------------------------------------------------- */

rc_status rc_kv_create(const rc_kv_config *c, rc_kv **out, rc_error *err) {
    assert(c->block >= 1);
    assert(c->capacity >= 1 && c->capacity <= RC_KV_MOST_BLOCKS);
    assert(c->requests >= 1);
    rc_kv *kv = calloc(1, sizeof *kv);
    if (!kv)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a KV cache");
    kv->c = *c;
    kv->free_page = NONE;
    kv->idle = (list){NONE, NONE, 0};
    kv->list_count = LIST_FIRST_SESSION + (c->policy == RC_KV_SESSION ? c->sessions : 0);
    kv->leases = calloc(c->requests, sizeof *kv->leases);
    kv->lists = calloc(kv->list_count, sizeof *kv->lists);
    kv->idle_next = calloc(kv->list_count, sizeof *kv->idle_next);
    kv->idle_prev = calloc(kv->list_count, sizeof *kv->idle_prev);
    if (!kv->leases || !kv->lists || !kv->idle_next || !kv->idle_prev) {
        rc_kv_destroy(kv);
        return rc_fail(err, RC_E_NOMEM, "out of memory for a KV cache");
    }
    for (uint32_t i = 0; i < c->requests; i++)
        kv->leases[i].next = i + 1 < c->requests ? i + 1 : NONE;
    for (uint32_t i = 0; i < kv->list_count; i++)
        kv->lists[i] = (list){NONE, NONE, 0};
    *out = kv;
    return RC_OK;
}

void rc_kv_destroy(rc_kv *kv) {
    if (!kv)
        return;
    free(kv->slots);
    free(kv->pages);
    free(kv->table);
    free(kv->leases);
    free(kv->lists);
    free(kv->idle_next);
    free(kv->idle_prev);
    free(kv);
}

uint32_t rc_kv_pinned_blocks(const rc_kv *kv) {
    return kv->pinned;
}
