/* Names of nccl-tests, the ranks of a run, and the rows they become.
 *
 * The main process of a run lists its ranks 0, 1, 2, ... with host and process. A log can hold more
 * than one list in front of a table: a job that was started again, or processes that were built
 * without MPI and each ran alone, their lines mixed as they came. So the list is first read as
 * whole lists one behind the other, then as one list a process, and taken when all of them agree.
 * What is neither is an excerpt, or a mixture that nobody can take apart: refused.
 *
 * With NCCL_TESTS_SPLIT the ranks of a job form several communicators of the same size (column
 * `Group`); what is measured is one of them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/import_nccl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RANKS = 1 << 20 };

/* ---- tests ---------------------------------------------------------------------------------- */

/* Longer names first: the end of one may be another. */
static const struct {
    const char *test, *op;
} tests[] = {{"reduce_scatter_perf", "reduce_scatter"},
             {"all_gather_perf", "all_gather"},
             {"all_reduce_perf", "all_reduce"},
             {"alltoallv_perf", NULL},
             {"broadcast_perf", NULL},
             {"hypercube_perf", NULL},
             {"bisection_perf", NULL},
             {"alltoall_perf", "all_to_all"},
             {"sendrecv_perf", "send_recv"},
             {"scatter_perf", NULL},
             {"gather_perf", NULL},
             {"reduce_perf", NULL}};
enum { TESTS = sizeof tests / sizeof tests[0] };

const char *rc_nccl_test_name(int test) {
    assert(test >= 0 && test < TESTS);
    return tests[test].test;
}

const char *rc_nccl_test_op(int test) {
    assert(test >= 0 && test < TESTS);
    return tests[test].op;
}

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || c == '_';
}

/* The test whose name ends the word: "all_reduce_perf", but also "run_all_reduce_perf". */
static int test_at_end(rc_piece word) {
    for (int i = 0; i < TESTS; i++) {
        size_t n = strlen(tests[i].test);
        if (word.n < n || memcmp(word.p + word.n - n, tests[i].test, n) != 0)
            continue;
        if (word.n == n || word.p[word.n - n - 1] == '_')
            return i;
    }
    return RC_NCCL_NO_TEST;
}

int rc_nccl_test_in(rc_piece text) {
    static const char end[] = "_perf";
    int found = RC_NCCL_NO_TEST;
    for (size_t i = 0; i + sizeof end - 1 <= text.n; i++) {
        const char *p = memchr(text.p + i, '_', text.n - i - (sizeof end - 2));
        if (!p)
            break;
        i = (size_t)(p - text.p);
        if (memcmp(p, end, sizeof end - 1) != 0)
            continue;
        const char *from = p;
        while (from > text.p && letter(from[-1]))
            from--;
        int test = test_at_end((rc_piece){from, (size_t)(p - from) + sizeof end - 1});
        if (test == RC_NCCL_NO_TEST)
            continue;
        if (found != RC_NCCL_NO_TEST && found != test)
            return RC_NCCL_SEVERAL;
        found = test;
    }
    return found;
}

/* ---- ranks ---------------------------------------------------------------------------------- */

rc_status rc_nccl_ranks_add(rc_nccl_ranks *r, const rc_nccl_rank *rank, rc_error *err) {
    if (r->count == MOST_RANKS)
        return rc_fail(err, RC_E_INPUT, "more than %d ranks in one run", MOST_RANKS);
    if (r->count == r->room) {
        size_t room = 2 * r->room + 64;
        rc_nccl_rank *at = realloc(r->at, room * sizeof *at);
        if (!at)
            return rc_fail(err, RC_E_NOMEM, "out of memory for the ranks");
        r->at = at;
        r->room = room;
    }
    r->at[r->count++] = *rank;
    return RC_OK;
}

void rc_nccl_ranks_free(rc_nccl_ranks *r) {
    free(r->at);
    *r = (rc_nccl_ranks){0};
}

static int by_text(rc_piece a, rc_piece b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;
    return order != 0 ? order : a.n < b.n ? -1 : a.n > b.n;
}

static int by_host(const void *x, const void *y) {
    return by_text(((const rc_nccl_rank *)x)->host, ((const rc_nccl_rank *)y)->host);
}

static int by_group(const void *x, const void *y) {
    const rc_nccl_rank *a = x, *b = y;
    return a->group != b->group ? (a->group < b->group ? -1 : 1) : by_host(x, y);
}

static int by_process(const void *x, const void *y) {
    const rc_nccl_rank *a = x, *b = y;
    int order = by_host(x, y);
    if (order == 0 && a->pid != b->pid)
        order = a->pid < b->pid ? -1 : 1;
    return order != 0 ? order : a->rank < b->rank ? -1 : a->rank > b->rank;
}

static int hosts_of(rc_nccl_rank *v, size_t n) {
    int hosts = n > 0;
    qsort(v, n, sizeof *v, by_host);
    for (size_t i = 1; i < n; i++)
        hosts += by_host(&v[i - 1], &v[i]) != 0;
    return hosts;
}

/* Of a whole list, sorted by group: the ranks and nodes of each communicator, when all have the
 * same. */
static bool groups_agree(rc_nccl_rank *v, size_t n, int *ranks, int *nodes) {
    *ranks = *nodes = 0;
    qsort(v, n, sizeof *v, by_group);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && v[to].group == v[from].group;)
            to++;
        int r = (int)(to - from), h = hosts_of(v + from, to - from);
        if (from > 0 && (r != *ranks || h != *nodes))
            return false;
        *ranks = r;
        *nodes = h;
    }
    return true;
}

/* 0, 1, 2, ... */
static bool whole(const rc_nccl_rank *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (v[i].rank != (int64_t)i)
            return false;
    return n > 0;
}

/* Lists one behind the other (`process` false), or one a process of the list that is sorted by
 * process. True when each is whole and all agree. Puts `v` out of order. */
static bool lists_agree(rc_nccl_rank *v, size_t n, bool process, int *ranks, int *nodes) {
    for (size_t from = 0, to; from < n; from = to) {
        int r, h;
        for (to = from + 1; to < n; to++)
            if (process ? v[to].pid != v[from].pid || by_host(&v[to], &v[from]) != 0
                        : v[to].rank <= v[to - 1].rank)
                break;
        if (!whole(v + from, to - from) || !groups_agree(v + from, to - from, &r, &h) ||
            (from > 0 && (r != *ranks || h != *nodes)))
            return false;
        *ranks = r;
        *nodes = h;
    }
    return n > 0;
}

typedef struct listed { /* what the lines say */
    bool agree;
    int ranks, nodes;       /* when they agree */
    int64_t highest;        /* rank */
    int hosts, first_ranks; /* different hosts; lines of rank 0 */
} listed;

static rc_status read_list(const rc_nccl_ranks *r, listed *out, rc_error *err) {
    *out = (listed){.highest = -1};
    rc_nccl_rank *v = malloc((r->count + 1) * sizeof *v);
    if (!v)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the ranks");
    if (r->count > 0) {
        memcpy(v, r->at, r->count * sizeof *v);
        out->agree = lists_agree(v, r->count, false, &out->ranks, &out->nodes);
        if (!out->agree) {
            memcpy(v, r->at, r->count * sizeof *v);
            qsort(v, r->count, sizeof *v, by_process);
            out->agree = lists_agree(v, r->count, true, &out->ranks, &out->nodes);
        }
        out->hosts = hosts_of(v, r->count);
    }
    for (size_t i = 0; i < r->count; i++) {
        out->highest = r->at[i].rank > out->highest ? r->at[i].rank : out->highest;
        out->first_ranks += r->at[i].rank == 0;
    }
    free(v);
    return RC_OK;
}

static rc_status unknown(const rc_importer *m, const rc_nccl_ranks *r, const listed *l, int line,
                         rc_error *err) {
    if (r->count == 0)
        return rc_fail_at(err, RC_E_INPUT, m->name, line, 0,
                          "no line says which ranks took part (\"#  Rank  0 ...\"): say it with "
                          "--ranks and --nodes");
    if (l->first_ranks > 1)
        return rc_fail_at(err, RC_E_INPUT, m->name, line, 0,
                          "the ranks of different jobs are mixed (rank 0 is listed %d times): put "
                          "each job into a file of its own, or say --ranks and --nodes of one",
                          l->first_ranks);
    return rc_fail_at(err, RC_E_INPUT, m->name, line, 0,
                      "the list of ranks is an excerpt (%zu lines, up to rank %lld): how many took "
                      "part, and on how many nodes, it does not say; say it with --ranks and "
                      "--nodes",
                      r->count, (long long)l->highest);
}

rc_status rc_nccl_ranks_settle(const rc_importer *m, const rc_nccl_ranks *r, int line, int *ranks,
                               int *nodes, rc_error *err) {
    const rc_import *how = m->how;
    listed l;
    RC_TRY(read_list(r, &l, err));
    if (l.agree) {
        *ranks = l.ranks;
        *nodes = l.nodes;
        if ((how->ranks > 0 && how->ranks != l.ranks) || (how->nodes > 0 && how->nodes != l.nodes))
            return rc_fail_at(err, RC_E_INPUT, m->name, line, 0,
                              "the log lists %d ranks on %d nodes, but --ranks or --nodes says "
                              "otherwise",
                              l.ranks, l.nodes);
        return RC_OK;
    }
    if (how->ranks < 1 || how->nodes < 1)
        return unknown(m, r, &l, line, err);
    if (l.highest >= how->ranks || (l.first_ranks < 2 && l.hosts > how->nodes))
        return rc_fail_at(err, RC_E_INPUT, m->name, line, 0,
                          "the log lists rank %lld and %d hosts, more than --ranks and --nodes say",
                          (long long)l.highest, l.hosts);
    *ranks = (int)how->ranks;
    *nodes = (int)how->nodes;
    return RC_OK;
}

/* ---- rows ----------------------------------------------------------------------------------- */

rc_status rc_nccl_row(rc_importer *m, const rc_nccl_run *run, double bytes, double us,
                      rc_piece dtype, rc_error *err) {
    char type[24];
    assert(run->op && run->ranks > 0 && run->nodes > 0);
    if (run->ranks < 2) {
        rc_import_skip(m, "a run of one rank (each process alone, a build without MPI?): nothing "
                          "is sent");
        return RC_OK;
    }
    if (bytes < 1) {
        rc_import_skip(m, "a message of no bytes");
        return RC_OK;
    }
    snprintf(type, sizeof type, "%.*s", (int)(dtype.n < sizeof type ? dtype.n : 0), dtype.p);
    rc_row x = rc_import_row(m);
    x.gpu = m->how->gpu ? m->how->gpu : run->gpu[0] ? run->gpu : "unknown";
    x.op = run->op;
    x.variant = m->how->transport ? m->how->transport
                : run->nodes == 1 ? "nvlink"
                : run->sockets    ? "tcp"
                                  : "rdma";
    x.dtype = type[0] ? type : "bytes";
    x.a = (int64_t)bytes, x.b = run->ranks, x.c = run->nodes;
    x.p10 = x.p50 = x.p90 = 1e-6 * us;
    x.samples = run->iters > 0 ? run->iters : 0;
    x.nccl = run->nccl[0] ? run->nccl : "unknown";
    return rc_import_add(m, &x, err);
}
