/* The text that nccl-tests print, as it comes out of a launcher.
 *
 * A run prints lines that start with '#' (the arguments, a `Rank` line a GPU, the names of the
 * columns, in newer versions the name of the test), then one line a size. Columns differ between
 * collectives and versions, so the first `time` after `size` is looked for by name: the
 * out-of-place time, in microseconds. Sizes are bytes as the store counts them: the whole gathered
 * or scattered buffer, one rank's whole send buffer, the one message. A row with wrong results
 * (#wrong above zero) is left out.
 *
 * A log holds one run after the other, of different ranks and tests. A run ends where the next one
 * begins: at a line of its head after lines of sizes. Only then are its rows added, for some
 * versions name the test at the end. Where they do not name it at all, the command that stands
 * above the run does; a command above an earlier run only counts when the whole log names one test
 * and the bus bandwidths fit it.
 *
 * Launchers put a label in front of each line (mpirun --tag-output, srun --label, hydra -l, pdsh,
 * kubectl logs --prefix, times). Lines of different labels are different streams: processes that
 * were built without MPI print a run each, mixed line by line.
 *
 * Everything else (NCCL's own INFO and WARN lines, commands, dates) is passed over: a line of a
 * size is one whose first two fields are whole numbers and whose third is the name of a type.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/import_formats.h"
#include "sim/cost/import_nccl.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS = 4096 };

typedef struct size_line { /* a row that waits for the end of its run */
    double bytes, us, algbw, busbw;
    rc_piece type;
    int line;
} size_line;

typedef struct columns { /* by place; -1: not there. count 0: no line of names yet */
    int size, type, redop, time, algbw, busbw, wrong, count;
    int before; /* words of a label that was not understood, in front of every line */
} columns;

typedef struct stream {
    rc_piece label;
    rc_nccl_ranks ranks;
    rc_nccl_run run;
    columns col;
    int named;        /* the test that the run itself names */
    int command;      /* the test of the command above it */
    bool own_command; /* no earlier run of the stream had that command */
    bool begun;       /* a line of a size was there */
    int used_command; /* the number of the last command that a run had */
    size_line *row;
    size_t rows, room;
} stream;

typedef struct log_reader {
    rc_importer *m;
    rc_error *err;
    int line;
    stream *streams;
    size_t count, room, last;
    int command;    /* the test that the commands since the last row name */
    int command_id; /* counts them */
    bool rows_since_command;
    int only;       /* the one test that the whole log names, if it is one */
    bool told_fits; /* some run is, or may be, what --op says */
} log_reader;

/* ---- streams -------------------------------------------------------------------------------- */

static rc_status stream_of(log_reader *l, rc_piece label, stream **out) {
    for (size_t i = 0; i < l->count; i++) {
        size_t k = (l->last + i) % l->count;
        if (l->streams[k].label.n == label.n &&
            (label.n == 0 || memcmp(l->streams[k].label.p, label.p, label.n) == 0)) {
            l->last = k;
            *out = &l->streams[k];
            return RC_OK;
        }
    }
    if (l->count == LABELS)
        return rc_fail_at(l->err, RC_E_INPUT, l->m->name, l->line, 0,
                          "lines of more than %d different labels", LABELS);
    if (l->count == l->room) {
        size_t room = 2 * l->room + 8;
        stream *more = realloc(l->streams, room * sizeof *more);
        if (!more)
            return rc_fail(l->err, RC_E_NOMEM, "out of memory for the log");
        l->streams = more;
        l->room = room;
    }
    l->last = l->count++;
    l->streams[l->last] =
        (stream){.label = label, .named = RC_NCCL_NO_TEST, .command = RC_NCCL_NO_TEST};
    *out = &l->streams[l->last];
    return RC_OK;
}

/* ---- the end of a run ----------------------------------------------------------------------- */

/* Do the bus bandwidths fit the collective? They are algbw times a factor that depends on it; both
 * are printed with about three digits. */
static bool bandwidths_fit(const stream *s, const char *op) {
    double n = s->run.ranks, share = (n - 1) / n;
    double factor = strcmp(op, "all_reduce") == 0  ? 2 * share
                    : strcmp(op, "send_recv") == 0 ? 1
                                                   : share;
    for (size_t i = 0; i < s->rows; i++) {
        const size_line *r = &s->row[i];
        double step = r->algbw < 1000 ? 0.0051 : 0.51; /* half of the last digit */
        if (r->algbw > 0.5 && fabs(r->busbw - factor * r->algbw) > step * (1 + factor))
            return false;
    }
    return true;
}

static rc_status disagree(log_reader *l, int line, int a, int b) {
    return rc_fail_at(l->err, RC_E_INPUT, l->m->name, line, 0,
                      "a run of two tests, %s and %s: put each into a file of its own",
                      rc_nccl_test_name(a), rc_nccl_test_name(b));
}

/* The op of the run; *left_out when its test has none. */
static rc_status find_op(log_reader *l, const stream *s, const char **op, int *left_out) {
    const char *told = l->m->how->op;
    int line = s->row[0].line, test = s->named;
    bool guessed = false;
    *left_out = RC_NCCL_NO_TEST;
    if (test == RC_NCCL_NO_TEST && s->command >= 0 && s->own_command)
        test = s->command;
    if (test == RC_NCCL_NO_TEST && !told && s->command != RC_NCCL_SEVERAL && l->only >= 0) {
        test = l->only;
        guessed = true;
    }
    if (test == RC_NCCL_NO_TEST) {
        *op = told;
        l->told_fits = told != NULL;
        if (told)
            return RC_OK;
        return rc_fail_at(l->err, RC_E_INPUT, l->m->name, line, 0,
                          "no line names the collective of this run%s: say it with --op "
                          "(all_reduce, all_gather, reduce_scatter, all_to_all, send_recv)",
                          s->command == RC_NCCL_SEVERAL ? " (the commands above it name several)"
                                                        : "");
    }
    *op = rc_nccl_test_op(test);
    if (!*op)
        *left_out = test;
    else if (told && strcmp(told, *op) == 0)
        l->told_fits = true;
    else if (guessed && !bandwidths_fit(s, *op))
        return rc_fail_at(l->err, RC_E_INPUT, l->m->name, line, 0,
                          "no line names the collective of this run, and its bandwidths are not "
                          "those of %s, which the log names elsewhere: say it with --op",
                          rc_nccl_test_name(test));
    return RC_OK;
}

static rc_status add_rows(log_reader *l, stream *s) {
    char why[96];
    int left_out;
    RC_TRY(rc_nccl_ranks_settle(l->m, &s->ranks, s->row[0].line, &s->run.ranks, &s->run.nodes,
                                l->err));
    RC_TRY(find_op(l, s, &s->run.op, &left_out));
    for (size_t i = 0; i < s->rows; i++) {
        const size_line *r = &s->row[i];
        if (left_out >= 0) {
            snprintf(why, sizeof why, "%s, a collective without an op here",
                     rc_nccl_test_name(left_out));
            rc_import_skip(l->m, why);
        } else {
            RC_TRY(rc_nccl_row(l->m, &s->run, r->bytes, r->us, r->type, l->err));
        }
    }
    return RC_OK;
}

static rc_status end_run(log_reader *l, stream *s) {
    rc_status st = s->rows > 0 ? add_rows(l, s) : RC_OK;
    s->rows = 0;
    s->ranks.count = 0;
    s->named = s->command = RC_NCCL_NO_TEST;
    s->own_command = s->begun = false;
    s->run = (rc_nccl_run){0};
    s->col = (columns){0};
    return st;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* Rank  0 Group  0 Pid 123 on host-a device  0 [0000:0f:00] NVIDIA H100 80GB HBM3 */
static rc_status rank_line(log_reader *l, stream *s, rc_piece t) {
    rc_piece host = rc_piece_from_word(rc_piece_after(t, " on ")),
             name = rc_piece_from_word(rc_piece_after(t, "]"));
    const rc_nccl_rank r = {.rank = rc_piece_leading(rc_piece_after(t, "Rank ")),
                            .group = rc_piece_leading(rc_piece_after(t, "Group ")),
                            .pid = rc_piece_leading(rc_piece_after(t, "Pid ")),
                            .host = {host.p, rc_piece_word(host)}};
    while (name.n > 0 && rc_blank(name.p[name.n - 1]))
        name.n--;
    if (name.n > 0 && !s->run.gpu[0])
        snprintf(s->run.gpu, sizeof s->run.gpu, "%.*s",
                 (int)(name.n < sizeof s->run.gpu ? name.n : sizeof s->run.gpu - 1), name.p);
    return rc_nccl_ranks_add(&s->ranks, &r, l->err);
}

static void header_line(stream *s, rc_piece t, int words) {
    rc_piece f[RC_PIECES];
    int n = rc_piece_split(t, f);
    s->col = (columns){-1, -1, -1, -1, -1, -1, -1, n, words};
    for (int i = 0; i < n; i++) {
        static const char *const names[] = {"size",  "type",  "redop", "time",
                                            "algbw", "busbw", "#wrong"};
        int *const at[] = {&s->col.size,  &s->col.type,  &s->col.redop, &s->col.time,
                           &s->col.algbw, &s->col.busbw, &s->col.wrong};
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            if (*at[k] < 0 && (rc_piece_is(f[i], names[k]) ||
                               (at[k] == &s->col.wrong && rc_piece_is(f[i], "error"))))
                *at[k] = i;
    }
}

static void versions(stream *s, rc_piece t) {
    rc_piece library = rc_piece_after(t, "nccl-library");
    long long v = rc_piece_leading(rc_piece_skip(library, "=: "));
    if (library.n > 0 && v > 10000 && v < 1000000)
        snprintf(s->run.nccl, sizeof s->run.nccl, "%lld.%lld.%lld", v / 10000, v / 100 % 100,
                 v % 100);
}

/* A name that the run itself prints, before its rows or behind them. */
static rc_status named_line(log_reader *l, stream *s, rc_piece t) {
    int test = rc_nccl_test_in(t);
    if (test < 0)
        return RC_OK;
    if (s->named >= 0 && s->named != test)
        return disagree(l, l->line, s->named, test);
    s->named = test;
    return RC_OK;
}

static rc_status comment(log_reader *l, stream *s, rc_piece t, int words) {
    while (t.n > 0 && (*t.p == '#' || rc_blank(*t.p)))
        t = rc_piece_behind(t, 1);
    bool rank = rc_piece_starts(t, "Rank "), names = rc_piece_starts(t, "Collective test");
    bool starts = rank || rc_piece_starts(t, "nThread") || rc_piece_starts(t, "nccl-tests") ||
                  rc_piece_starts(t, "Using devices") ||
                  rc_piece_starts(t, "Collective test starting");
    if (starts && s->begun)
        RC_TRY(end_run(l, s));
    if (rank)
        return rank_line(l, s, t);
    if (names)
        return named_line(l, s, t);
    rc_piece iters = rc_piece_after(t, " iters:"), warmup = rc_piece_after(t, "warmup iters:");
    if (warmup.n > 0 && iters.p == warmup.p)
        iters = rc_piece_after(warmup, " iters:");
    if (iters.n > 0)
        s->run.iters = rc_piece_leading(iters);
    versions(s, t);
    if (rc_piece_starts(t, "size") && rc_piece_has(t, "busbw"))
        header_line(s, t, words);
    return RC_OK;
}

/* Two whole numbers and the name of a type. */
static bool is_size_line(const rc_piece *f, int n) {
    double size, count;
    if (n < 3 || !rc_piece_whole(f[0], &size) || !rc_piece_whole(f[1], &count))
        return false;
    for (size_t i = 0; i < f[2].n; i++)
        if (!(f[2].p[i] >= 'a' && f[2].p[i] <= 'z') && (i == 0 || !rc_digit(f[2].p[i])) &&
            (i == 0 || f[2].p[i] != '_'))
            return false;
    return f[2].n < 16;
}

static rc_status keep_row(log_reader *l, stream *s, const size_line *row) {
    if (s->rows == s->room) {
        size_t room = 2 * s->room + 64;
        size_line *more = realloc(s->row, room * sizeof *more);
        if (!more)
            return rc_fail(l->err, RC_E_NOMEM, "out of memory for the log");
        s->row = more;
        s->room = room;
    }
    s->row[s->rows++] = *row;
    return RC_OK;
}

/* Some versions leave `redop` and `root` blank where a collective has none, under their names. By
 * how much the other columns are shifted; then the bandwidth must be that of the size and time. */
static int shift_of(const columns *c, const rc_piece *f, int n) {
    bool blank_redop = c->redop >= 0 && c->redop < n && !isalpha((unsigned char)f[c->redop].p[0]);
    return blank_redop && n < c->count && c->count - n <= 2 && c->time - c->redop >= c->count - n
               ? c->count - n
               : 0;
}

/* Column `at` of a line; empty when the line has none there. */
static rc_piece cell(const rc_piece *f, int n, int at) {
    return at >= 0 && at < n ? f[at] : (rc_piece){f[0].p, 0};
}

static bool read_columns(const columns *c, const rc_piece *f, int n, size_line *row) {
    int shift = shift_of(c, f, n);
    if (n + shift < c->count || !rc_piece_whole(cell(f, n, c->size), &row->bytes) ||
        !rc_piece_number(cell(f, n, c->time - shift), &row->us))
        return false;
    row->type = cell(f, n, c->type);
    if (c->algbw < 0 || c->busbw < 0 ||
        !rc_piece_number(cell(f, n, c->algbw - shift), &row->algbw) ||
        !rc_piece_number(cell(f, n, c->busbw - shift), &row->busbw))
        row->algbw = row->busbw = 0;
    double rate = 1e-3 * row->bytes / row->us;
    return shift == 0 || fabs(rate - row->algbw) <= 0.01 + 0.01 * rate;
}

static rc_status size_row(log_reader *l, stream *s, const rc_piece *f, int n) {
    const columns *c = &s->col;
    size_line row = {.line = l->line, .type = {f[0].p, 0}};
    double wrong = 0;
    if (c->count == 0 || c->size < 0 || c->time < 0)
        return rc_fail_at(l->err, RC_E_INPUT, l->m->name, l->line, 0,
                          "numbers before the line of column names");
    if (!read_columns(c, f, n, &row))
        return rc_fail_at(l->err, RC_E_INPUT, l->m->name, l->line, 0,
                          "expected %d columns with a size and a time in columns %d and %d, found "
                          "%d",
                          c->count, c->size + 1, c->time + 1, n);
    if (!s->begun) {
        s->command = l->command;
        s->own_command = s->used_command != l->command_id;
        s->used_command = l->command_id;
    }
    s->begun = l->rows_since_command = true;
    int at = c->wrong >= 0 ? c->wrong - shift_of(c, f, n) : -1;
    if (rc_piece_number(cell(f, n, at), &wrong) && wrong > 0) {
        rc_import_skip(l->m, "a row whose results were wrong");
        return RC_OK;
    }
    return keep_row(l, s, &row);
}

/* A command or anything else: only the names of tests and NCCL's choice of network count. */
static void other_line(log_reader *l, rc_piece t) {
    int test = rc_nccl_test_in(t);
    if (test != RC_NCCL_NO_TEST) {
        if (l->rows_since_command || l->command == RC_NCCL_NO_TEST) {
            l->command = test;
            l->command_id++;
        } else if (l->command != test) {
            l->command = RC_NCCL_SEVERAL;
        }
        l->rows_since_command = false;
    }
    if (rc_piece_has(t, "NCCL INFO") && rc_piece_has(t, "Using network Socket"))
        for (size_t i = 0; i < l->count; i++)
            l->streams[i].run.sockets = true;
}

static rc_status one_line(log_reader *l, rc_piece line) {
    rc_piece label, f[RC_PIECES];
    int words;
    stream *s = NULL;
    rc_piece t = rc_nccl_payload(line, &label, &words);
    if (t.n > 0 && t.p[0] == '#' && rc_nccl_head_word(rc_piece_behind(t, 1))) {
        RC_TRY(stream_of(l, label, &s));
        return comment(l, s, t, words);
    }
    int n = rc_piece_split(t, f), skip = 0;
    if (!is_size_line(f, n) && l->count > 0) {
        skip = l->streams[l->last].col.before;
        label = skip > 0 ? l->streams[l->last].label : label;
    }
    if (n > skip && is_size_line(f + skip, n - skip)) {
        RC_TRY(stream_of(l, label, &s));
        return size_row(l, s, f + skip, n - skip);
    }
    other_line(l, line);
    return RC_OK;
}

static rc_status all_lines(log_reader *l, const char *text, size_t size) {
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        rc_piece line = {text + at, end ? (size_t)(end - (text + at)) : size - at};
        l->line++;
        if (memchr(line.p, '\0', line.n))
            return rc_fail_at(l->err, RC_E_INPUT, l->m->name, l->line, 0,
                              "a line that is not text (a zero byte; UTF-16?)");
        RC_TRY(one_line(l, line));
        at += line.n + 1;
    }
    for (size_t i = 0; i < l->count; i++)
        RC_TRY(end_run(l, &l->streams[i]));
    return RC_OK;
}

rc_status rc_import_nccl_tests(rc_importer *m, const char *text, size_t size, rc_error *err) {
    log_reader l = {.m = m,
                    .err = err,
                    .command = RC_NCCL_NO_TEST,
                    .only = rc_nccl_test_in((rc_piece){text, size})};
    rc_status st = all_lines(&l, text, size);
    for (size_t i = 0; i < l.count; i++) {
        rc_nccl_ranks_free(&l.streams[i].ranks);
        free(l.streams[i].row);
    }
    free(l.streams);
    if (st == RC_OK && m->how->op && m->count->rows > 0 && !l.told_fits)
        st = rc_fail_at(err, RC_E_INPUT, m->name, 0, 0,
                        "--op says %s, but the log names other tests", m->how->op);
    if (st == RC_OK && m->count->rows + m->count->skipped == 0)
        st = rc_fail_at(err, RC_E_INPUT, m->name, 0, 0,
                        "holds no row of nccl-tests (a size, a count, a type, ... and times under "
                        "a line of column names)");
    return st;
}
