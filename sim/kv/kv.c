/* The prefix cache.
 *
 * Blocks with an identity that stand side by side (consecutive ids) and are alike, pinned by as many
 * leases or cached in one place, are one run: what happens to a prompt of thousands of blocks
 * happens to a few runs. A run is split where a part of it is treated apart, and joined with its
 * neighbour where they are listed one behind the other. Blocks without an identity (generated tokens,
 * prompts that the trace does not name) are only counted.
 *
 * A run is pinned by leases, or cached in GPU memory, or cached in host memory. Cached runs are in a
 * list with the next to be evicted at its head, and go block by block from their end: a released
 * lease lists its last block first, so that a prefix is evicted from its end.
 *
 * Which run a block belongs to stands in pages of PAGE blocks with consecutive ids, which a hash table
 * finds (open addressing; removal shifts the entries behind it back). The arrays of runs and pages
 * grow with what is cached, and both are reused.
 *
 * RC_KV_SESSION keeps one list a session: what a session left is evicted as a whole, ended sessions
 * first.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/kv/kv.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
enum {
    PAGE = 32, /* blocks */
    FIRST_PAGES = 64,
    FIRST_RUNS = 64,
    TABLE_LOAD = 4,   /* table entries a page: probes stay short */
    RUNS_A_PIECE = 3, /* that a piece of a request may need: its own, and two that it is cut from */
    RUNS_APART = 4    /* for eviction and rc_kv_filled, each of which cuts a run at most */
};

typedef struct run {       /* blocks first .. first + count - 1 */
    uint32_t first, count; /* count 0: free */
    uint32_t pins;
    uint32_t prev, next; /* in its list; free runs: next */
    uint32_t list;       /* index into lists, NONE when in none */
    bool filled, host;
} run;

typedef struct page {
    uint32_t number;    /* its blocks are number * PAGE and those behind it */
    uint32_t used;      /* of them, how many are in a run; 0: the page is free */
    uint32_t next;      /* free pages */
    uint32_t run[PAGE]; /* by block; NONE: it is neither held nor cached */
} page;

typedef struct list {
    uint32_t head, tail; /* runs */
    uint32_t count;      /* blocks; of the list of lists: lists */
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
    run *runs;
    uint32_t run_count, run_room; /* that have been in use; that there is memory for */
    uint32_t free_run, free_runs; /* the first of those free again; how many these are */
    page *pages;
    uint32_t page_count, page_room, free_page, free_pages; /* likewise */
    uint32_t *table;                                       /* page + 1; 0: empty */
    uint32_t mask;
    lease *leases; /* as many as were open at once */
    uint32_t lease_count, lease_room, free_lease;
    list *lists; /* host, ended, one a session */
    uint32_t list_count;
    uint32_t *idle_next, *idle_prev; /* of session lists with blocks, the longest idle first */
    list idle;
    uint32_t pinned, cached, host;
    bool starved;
};

/* ---- pages ---------------------------------------------------------------------------- */

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

static uint32_t new_page(rc_kv *kv, uint32_t number) {
    assert(kv->free_page != NONE || kv->page_count < kv->page_room);
    uint32_t p = kv->free_page;
    if (p != NONE) {
        kv->free_page = kv->pages[p].next;
        kv->free_pages--;
    } else {
        p = kv->page_count++;
    }
    kv->pages[p].number = number;
    kv->pages[p].used = 0;
    for (int i = 0; i < PAGE; i++)
        kv->pages[p].run[i] = NONE;
    table_add(kv, p);
    return p;
}

static void free_page_of(rc_kv *kv, uint32_t p) {
    table_remove(kv, p);
    kv->pages[p].next = kv->free_page;
    kv->free_page = p;
    kv->free_pages++;
}

/* The blocks first .. first + count - 1 belong to run `to`, or to none. */
static void mark(rc_kv *kv, uint32_t first, uint32_t count, uint32_t to) {
    while (count > 0) {
        const uint32_t at = first % PAGE, n = PAGE - at < count ? PAGE - at : count;
        uint32_t p = find_page(kv, first / PAGE);
        if (p == NONE)
            p = new_page(kv, first / PAGE);
        page *x = &kv->pages[p];
        for (uint32_t i = at; i < at + n; i++) {
            x->used = x->used + (to != NONE) - (x->run[i] != NONE);
            x->run[i] = to;
        }
        if (x->used == 0)
            free_page_of(kv, p);
        first += n;
        count -= n;
    }
}

static uint32_t run_of(const rc_kv *kv, uint32_t id) {
    const uint32_t p = find_page(kv, id / PAGE);
    return p == NONE ? NONE : kv->pages[p].run[id % PAGE];
}

bool rc_kv_has(const rc_kv *kv, uint32_t block) {
    const uint32_t r = run_of(kv, block);
    return r != NONE && !kv->runs[r].host;
}

/* ---- runs ----------------------------------------------------------------------------- */

static bool more_runs(rc_kv *kv) {
    uint32_t room = kv->run_room ? 2 * kv->run_room : FIRST_RUNS;
    run *runs = realloc(kv->runs, room * sizeof *runs);
    if (!runs)
        return false;
    kv->runs = runs;
    kv->run_room = room;
    return true;
}

/* Room for so many more, so that nothing can fail half way. */
static bool reserve(rc_kv *kv, uint32_t pages, uint32_t runs) {
    while (!kv->starved && kv->page_room - kv->page_count + kv->free_pages < pages)
        kv->starved = !more_pages(kv);
    while (!kv->starved && kv->run_room - kv->run_count + kv->free_runs < runs)
        kv->starved = !more_runs(kv);
    return !kv->starved;
}

bool rc_kv_starved(const rc_kv *kv) {
    return kv->starved;
}

static uint32_t take_run(rc_kv *kv) {
    assert(kv->free_run != NONE || kv->run_count < kv->run_room);
    uint32_t r = kv->free_run;
    if (r == NONE)
        return kv->run_count++;
    kv->free_run = kv->runs[r].next;
    kv->free_runs--;
    return r;
}

static void give_run(rc_kv *kv, uint32_t r) {
    kv->runs[r].count = 0;
    kv->runs[r].next = kv->free_run;
    kv->free_run = r;
    kv->free_runs++;
}

static uint32_t new_run(rc_kv *kv, uint32_t first, uint32_t count) {
    const uint32_t r = take_run(kv);
    kv->runs[r] = (run){.first = first, .count = count, .prev = NONE, .next = NONE, .list = NONE};
    mark(kv, first, count, r);
    return r;
}

/* A run in no list. */
static void drop_run(rc_kv *kv, uint32_t r) {
    mark(kv, kv->runs[r].first, kv->runs[r].count, NONE);
    give_run(kv, r);
}

/* The run keeps its first `keep` blocks; the others become a run of their own, ahead of it in its list.
 * Returns that one. */
static uint32_t split(rc_kv *kv, uint32_t r, uint32_t keep) {
    assert(keep >= 1 && keep < kv->runs[r].count);
    const uint32_t s = take_run(kv);
    run *x = &kv->runs[r], *y = &kv->runs[s];
    *y = *x;
    y->first += keep;
    y->count -= keep;
    x->count = keep;
    if (x->list != NONE) {
        y->next = r;
        *(x->prev == NONE ? &kv->lists[x->list].head : &kv->runs[x->prev].next) = s;
        x->prev = s;
    }
    mark(kv, y->first, y->count, s);
    return s;
}

/* Run `high` begins where `low` ends, and both are alike: they become one, which is returned and has
 * the larger one's number. The caller sees to lists. */
static uint32_t join(rc_kv *kv, uint32_t low, uint32_t high) {
    run *a = &kv->runs[low], *b = &kv->runs[high];
    assert(a->first + a->count == b->first);
    const bool into_low = a->count >= b->count;
    if (into_low) {
        mark(kv, b->first, b->count, low);
    } else {
        mark(kv, a->first, a->count, high);
        b->first = a->first;
    }
    a->count = b->count = a->count + b->count;
    give_run(kv, into_low ? high : low);
    return into_low ? low : high;
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

/* What list `l` ends with goes on below with run r. */
static bool continues(const rc_kv *kv, uint32_t l, uint32_t r) {
    const uint32_t t = kv->lists[l].tail;
    const run *a = &kv->runs[r], *b = t == NONE ? NULL : &kv->runs[t];
    return b && a->first + a->count == b->first && a->filled == b->filled;
}

static void list_push(rc_kv *kv, uint32_t l, uint32_t r) {
    assert(kv->runs[r].list == NONE);
    list *to = &kv->lists[l];
    const bool was_empty = to->count == 0, one = continues(kv, l, r);
    const uint32_t before = one ? kv->runs[to->tail].prev : to->tail;
    to->count += kv->runs[r].count;
    if (one)
        r = join(kv, r, to->tail);
    kv->runs[r].list = l;
    kv->runs[r].prev = before;
    kv->runs[r].next = NONE;
    *(before == NONE ? &to->head : &kv->runs[before].next) = r;
    to->tail = r;
    if (was_empty && l >= LIST_FIRST_SESSION)
        idle_push(kv, l);
}

static void list_remove(rc_kv *kv, uint32_t r) {
    run *x = &kv->runs[r];
    assert(x->list < kv->list_count);
    list *from = &kv->lists[x->list];
    *(x->prev == NONE ? &from->head : &kv->runs[x->prev].next) = x->next;
    *(x->next == NONE ? &from->tail : &kv->runs[x->next].prev) = x->prev;
    from->count -= x->count;
    if (from->count == 0 && x->list >= LIST_FIRST_SESSION)
        idle_remove(kv, x->list);
    x->list = x->prev = x->next = NONE;
}

/* Out of its list, and no longer counted as cached there. */
static void detach(rc_kv *kv, uint32_t r) {
    run *x = &kv->runs[r];
    if (x->list == NONE)
        return;
    list_remove(kv, r);
    *(x->host ? &kv->host : &kv->cached) -= x->count;
}

/* ---- eviction ------------------------------------------------------------------------- */

/* The last `count` blocks of a cached run are given up. */
static void give_up(rc_kv *kv, uint32_t r, uint32_t count) {
    const uint32_t all = kv->runs[r].count;
    const uint32_t s = count < all ? split(kv, r, all - count) : r;
    detach(kv, s);
    drop_run(kv, s);
}

/* The last blocks of a cached run go, to host memory where there is some: `most`, if it has as many. */
static void evict_end(rc_kv *kv, uint32_t r, uint64_t most) {
    uint32_t count = kv->runs[r].count < most ? kv->runs[r].count : (uint32_t)most;
    if (kv->c.host == 0) {
        give_up(kv, r, count);
        return;
    }
    count = count < kv->c.host ? count : kv->c.host;
    while (kv->c.host - kv->host < count) {
        const uint32_t oldest = kv->lists[LIST_HOST].head;
        const uint32_t over = count - (kv->c.host - kv->host), its = kv->runs[oldest].count;
        give_up(kv, oldest, its < over ? its : over);
    }
    const uint32_t all = kv->runs[r].count;
    const uint32_t s = count < all ? split(kv, r, all - count) : r;
    detach(kv, s);
    kv->runs[s].host = true;
    kv->host += count;
    list_push(kv, LIST_HOST, s);
}

/* Evict up to `most` blocks of ended sessions (where no sessions are kept apart, all blocks are in that
 * list); when there are none, everything of the session that has been idle longest. */
static void evict(rc_kv *kv, uint64_t most) {
    if (kv->lists[LIST_ENDED].count > 0) {
        evict_end(kv, kv->lists[LIST_ENDED].head, most);
        return;
    }
    uint32_t l = kv->idle.head;
    assert(l != NONE); /* whoever makes room has asked whether that is possible */
    while (kv->lists[l].count > 0)
        evict_end(kv, kv->lists[l].head, UINT32_MAX);
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
        evict(kv, need - free_blocks(kv));
}

/* ---- a request's blocks --------------------------------------------------------------- */

/* A walk over a request's named blocks, piece by piece: blocks side by side of one run, or of none. */
typedef struct walk {
    const rc_span *span; /* that holds the next block */
    uint32_t at;         /* its place there */
    uint32_t left;       /* blocks to come */
} walk;
typedef struct piece {
    uint32_t first, count, run;
    uint32_t pages; /* of no run: pages that are not there */
} piece;

/* The request's blocks from .. upto - 1. */
static walk walk_over(const rc_trace *t, const rc_req *r, uint32_t from, uint32_t upto) {
    walk w = {.at = from, .left = upto > from ? upto - from : 0};
    if (r->spans > 0) /* else there are no blocks, and the trace may have no spans at all */
        w.span = &t->spans[r->span];
    for (uint32_t left = r->spans; left > 0 && w.at >= w.span->count; left--) {
        w.at -= w.span->count;
        w.span++;
    }
    return w;
}

/* How many blocks from x->first on, at most `most`, are in no run. */
static uint32_t absent_from(const rc_kv *kv, piece *x, uint32_t most) {
    uint32_t n = 0;
    while (n < most) {
        const uint32_t id = x->first + n, p = find_page(kv, id / PAGE);
        const uint32_t rest = PAGE - id % PAGE, last = n + (rest < most - n ? rest : most - n);
        x->pages += p == NONE;
        while (n < last && (p == NONE || kv->pages[p].run[(x->first + n) % PAGE] == NONE))
            n++;
        if (n < last)
            break;
    }
    return n;
}

static bool next_piece(const rc_kv *kv, walk *w, piece *out) {
    if (w->left == 0)
        return false;
    const uint32_t rest = w->span->count - w->at, most = rest < w->left ? rest : w->left;
    *out = (piece){.first = w->span->first + w->at};
    out->run = run_of(kv, out->first);
    if (out->run == NONE) {
        out->count = absent_from(kv, out, most);
    } else {
        const run *x = &kv->runs[out->run];
        const uint32_t behind = x->first + x->count - out->first;
        out->count = behind < most ? behind : most;
    }
    w->left -= out->count;
    w->at += out->count;
    if (w->at == w->span->count) {
        w->at = 0;
        w->span++;
    }
    return true;
}

/* The run that is just this piece. */
static uint32_t isolate(rc_kv *kv, const piece *x) {
    uint32_t r = x->run;
    if (kv->runs[r].first < x->first)
        r = split(kv, r, x->first - kv->runs[r].first);
    if (kv->runs[r].count > x->count)
        (void)split(kv, r, x->count);
    return r;
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
    walk w = walk_over(t, r, 0, most);
    piece x;
    while (next_piece(kv, &w, &x) && x.run != NONE && kv->runs[x.run].filled) {
        fetch += kv->runs[x.run].host ? (uint64_t)x.count * kv->c.block : 0;
        m.blocks += x.count;
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
    uint32_t absent;      /* blocks that need new room in GPU memory */
    uint32_t own;         /* cached blocks that the request will pin */
    uint32_t pages, runs; /* that may be needed, at most */
} wants;

static wants survey(const rc_kv *kv, const reach *x) {
    wants out = {.runs = RUNS_APART};
    walk w = walk_over(x->t, x->r, x->from, x->upto);
    piece part;
    while (next_piece(kv, &w, &part)) {
        if (part.run == NONE || kv->runs[part.run].host)
            out.absent += part.count;
        else if (kv->runs[part.run].pins == 0)
            out.own += part.count;
        out.pages += part.pages;
        out.runs += RUNS_A_PIECE;
    }
    return out;
}

static void pin(rc_kv *kv, uint32_t r) {
    if (kv->runs[r].pins++ > 0)
        return;
    detach(kv, r);
    kv->runs[r].host = false;
    count_pinned(kv, kv->runs[r].count, 0);
}

/* What is there already is taken out of the lists first, so that making room cannot evict it. */
static void pin_present(rc_kv *kv, const reach *x) {
    walk w = walk_over(x->t, x->r, x->from, x->upto);
    piece part;
    while (next_piece(kv, &w, &part)) {
        if (part.run == NONE)
            continue;
        const uint32_t r = isolate(kv, &part);
        if (kv->runs[r].host)
            detach(kv, r);
        else
            pin(kv, r);
    }
}

/* `again`: they are to be computed, whatever there is of them. */
static void take_absent(rc_kv *kv, const reach *x, bool again) {
    walk w = walk_over(x->t, x->r, x->from, x->upto);
    piece part;
    while (next_piece(kv, &w, &part)) {
        if (part.run != NONE && !kv->runs[part.run].host)
            continue;
        const uint32_t r =
            part.run == NONE ? new_run(kv, part.first, part.count) : isolate(kv, &part);
        if (again)
            kv->runs[r].filled = false;
        pin(kv, r);
    }
}

/* Pin the blocks of `x` and count `rest` private ones. False: no room, nothing has changed. */
static bool take(rc_kv *kv, const reach *x, uint64_t rest, uint32_t matched) {
    const wants need = survey(kv, x);
    if (!possible(kv, need.absent + rest, need.own) || !reserve(kv, need.pages, need.runs))
        return false;
    pin_present(kv, x);
    make_room(kv, need.absent + rest);
    const uint32_t known = matched < x->upto ? matched : x->upto;
    const reach found = {x->t, x->r, x->from, known};
    const reach missed = {x->t, x->r, x->from > known ? x->from : known, x->upto};
    take_absent(kv, &found, false);
    take_absent(kv, &missed, true);
    count_pinned(kv, (uint32_t)rest, 0);
    return true;
}

/* A lease that may be opened; NONE: all are open, or no memory is left. */
static uint32_t closed_lease(rc_kv *kv) {
    enum { FIRST_LEASES = 8 };
    if (kv->free_lease != NONE || kv->lease_count == kv->c.requests)
        return kv->free_lease;
    if (kv->lease_count == kv->lease_room) {
        uint32_t room = kv->lease_room ? 2 * kv->lease_room : FIRST_LEASES;
        lease *leases = realloc(kv->leases, room * sizeof *leases);
        kv->starved = kv->starved || !leases;
        if (!leases)
            return NONE;
        kv->leases = leases;
        kv->lease_room = room;
    }
    kv->leases[kv->lease_count] = (lease){.next = NONE};
    return kv->free_lease = kv->lease_count++;
}

bool rc_kv_admit(rc_kv *kv, const rc_trace *t, const rc_req *r, uint64_t tokens, rc_kv_lease *out,
                 rc_kv_match *match) {
    assert(tokens >= 1);
    *match = rc_kv_lookup(kv, t, r);
    uint64_t all = blocks_for(kv, tokens > match->tokens ? tokens : match->tokens);
    all = all > match->blocks ? all : match->blocks;
    const reach x = {t, r, 0, named_of(r, all)};
    if (closed_lease(kv) == NONE)
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
    assert(at < kv->lease_count);
    assert(kv->leases[at].open);
    return &kv->leases[at];
}

/* The piece is computed, and goes on with what is before it in the same span, where both are this
 * lease's alone. */
static void fill(rc_kv *kv, const piece *part, uint32_t span_first) {
    const uint32_t r = isolate(kv, part);
    kv->runs[r].filled = true;
    if (part->first == span_first)
        return;
    const uint32_t before = run_of(kv, part->first - 1);
    const run *a = &kv->runs[before], *b = &kv->runs[r];
    if (a->filled && a->pins == 1 && b->pins == 1)
        (void)join(kv, before, r);
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
    if (!reserve(kv, 0, RUNS_APART))
        return;
    walk w = walk_over(l->trace, r, l->filled, upto);
    piece part;
    while (w.left > 0) {
        const uint32_t first = w.span->first; /* of the span that the piece is of */
        (void)next_piece(kv, &w, &part);
        fill(kv, &part, first);
    }
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

static void unpin(rc_kv *kv, uint32_t r, uint32_t to) {
    run *x = &kv->runs[r];
    if (--x->pins > 0)
        return;
    count_pinned(kv, 0, x->count);
    if (x->filled && kv->c.policy != RC_KV_OFF) {
        kv->cached += x->count;
        list_push(kv, to, r);
    } else {
        drop_run(kv, r);
    }
}

/* The blocks first .. first + count - 1, the last one first. */
static void unpin_blocks(rc_kv *kv, uint32_t first, uint32_t count, uint32_t to) {
    while (count > 0) {
        const uint32_t r = run_of(kv, first + count - 1), begin = kv->runs[r].first;
        const piece part = {.first = begin > first ? begin : first,
                            .count = first + count - (begin > first ? begin : first),
                            .run = r};
        unpin(kv, isolate(kv, &part), to);
        count -= part.count;
    }
}

void rc_kv_release(rc_kv *kv, rc_kv_lease at_lease, bool last) {
    lease *l = open_lease(kv, at_lease);
    const rc_req *r = &l->trace->at[l->request];
    bool by_session = kv->c.policy == RC_KV_SESSION && !last && r->session < kv->c.sessions;
    uint32_t to = by_session ? LIST_FIRST_SESSION + r->session : LIST_ENDED;
    uint32_t beyond = r->named - l->named;        /* named blocks that were never taken */
    for (uint32_t span = r->spans; span-- > 0;) { /* the end of the prefix goes first */
        const rc_span *x = &l->trace->spans[r->span + span];
        uint32_t skip = beyond < x->count ? beyond : x->count;
        beyond -= skip;
        unpin_blocks(kv, x->first, x->count - skip, to);
    }
    count_pinned(kv, 0, l->private_blocks);
    l->open = false;
    l->next = kv->free_lease;
    kv->free_lease = at_lease;
}

static void clear_list(rc_kv *kv, uint32_t l) {
    while (kv->lists[l].count > 0)
        give_up(kv, kv->lists[l].head, kv->runs[kv->lists[l].head].count);
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
    kv->free_page = kv->free_run = NONE;
    kv->idle = (list){NONE, NONE, 0};
    kv->list_count = LIST_FIRST_SESSION + (c->policy == RC_KV_SESSION ? c->sessions : 0);
    kv->lists = calloc(kv->list_count, sizeof *kv->lists);
    kv->idle_next = calloc(kv->list_count, sizeof *kv->idle_next);
    kv->idle_prev = calloc(kv->list_count, sizeof *kv->idle_prev);
    if (!kv->lists || !kv->idle_next || !kv->idle_prev) {
        rc_kv_destroy(kv);
        return rc_fail(err, RC_E_NOMEM, "out of memory for a KV cache");
    }
    for (uint32_t i = 0; i < kv->list_count; i++)
        kv->lists[i] = (list){NONE, NONE, 0};
    kv->free_lease = NONE;
    *out = kv;
    return RC_OK;
}

void rc_kv_destroy(rc_kv *kv) {
    if (!kv)
        return;
    free(kv->runs);
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
