/* The plan of a server's pass, carried out on the host: every query, wherever it is, must find each key
 * that it may see exactly once over all ranks, through pages and through messages alike.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calib/serve/serve_plan.h"
#include "sim/base/mix.h"

enum { RANKS = 8, SEQS = 12, LONGEST = 2600, POOL = 400, NOTHING = -1 };

typedef struct side { /* of one rank */
    rc_serve_inputs in;
    int32_t *memory;
    rc_serve_plan plan;
    rc_serve_seat seats[SEQS];
    int32_t pool[POOL * RC_KV_PAGE]; /* the token whose key is in a slot */
} side;

typedef struct world {
    rc_serve_shape shape;
    int ranks, n;
    rc_serve_sequence s[SEQS];
    int32_t pages[SEQS][LONGEST / RC_KV_PAGE + 2];
    uint64_t tokens[SEQS][LONGEST];
    unsigned char seen[LONGEST];
    side of[RANKS];
} world;

/* Token `at` of sequence i; 12 sequences of 2600 are more than the table has rows, so what tells them apart
 * is checked beside it: no two sequences share pages. */
static uint64_t token(int i, int64_t at) {
    return ((uint64_t)i * 677 + (uint64_t)at) % RC_SERVE_EMBEDDED;
}

static int64_t between(uint64_t draw, uint64_t what, int64_t lo, int64_t hi) {
    return lo + (int64_t)(rc_mix(draw, what) % (uint64_t)(hi - lo + 1));
}

static void draw_sequence(world *w, uint64_t draw, int i, int *page) {
    rc_serve_sequence *s = &w->s[i];
    const uint64_t at = 100 * (uint64_t)i;
    s->decodes = rc_mix(draw, at) % 2;
    s->p = between(draw, at + 1, 0, rc_mix(draw, at + 2) % 3 ? 40 : LONGEST / 2);
    s->t = s->decodes ? 1 : between(draw, at + 3, 1, rc_mix(draw, at + 4) % 3 ? 12 : LONGEST / 4);
    for (int64_t k = 0; k * rc_serve_page(&w->shape) < s->p + s->t; k++)
        w->pages[i][k] = (*page += 1 + (int)(rc_mix(draw, at + 5 + (uint64_t)k) % 2));
    for (int64_t k = 0; k < s->t; k++)
        w->tokens[i][k] = token(i, s->p + k);
    s->pages = w->pages[i];
    s->tokens = w->tokens[i];
}

static void draw_world(world *w, uint64_t draw) {
    int page = 0;
    memset(w, 0, sizeof *w);
    w->ranks = (int)between(draw, 7001, 1, RANKS);
    w->n = (int)between(draw, 7002, 1, SEQS);
    w->shape = (rc_serve_shape){.layer = {.cp = w->ranks, .tp = 1, .hq = 8, .hkv = 2},
                                .most_tokens = (int64_t)SEQS * LONGEST,
                                .most_sequences = SEQS,
                                .most_prompts = SEQS,
                                .longest = LONGEST,
                                .sizes = {1, 2, 4, 8, SEQS},
                                .size_count = 5,
                                .sms = 132};
    for (int i = 0; i < w->n; i++)
        draw_sequence(w, draw, i, &page);
    assert_true(page < POOL);
}

/* What earlier passes have left, by the rule and not by the plan. */
static void fill_cache(world *w) {
    for (int r = 0; r < w->ranks; r++)
        memset(w->of[r].pool, 0xff, sizeof w->of[r].pool);
    for (int i = 0; i < w->n; i++)
        for (int64_t x = 0; x < w->s[i].p; x++) {
            const int64_t own = x / w->ranks;
            w->of[x % w->ranks]
                .pool[w->pages[i][own / RC_KV_PAGE] * RC_KV_PAGE + own % RC_KV_PAGE] =
                (int32_t)token(i, x);
        }
}

static void plan_all(world *w) {
    int32_t lens[SEQS], order[SEQS];
    const rc_serve_scratch scratch = {lens, order};
    fill_cache(w);
    for (int r = 0; r < w->ranks; r++) {
        side *a = &w->of[r];
        rc_error err = {0};
        const size_t bytes = rc_serve_inputs_place(&w->shape, NULL, &a->in);
        a->memory = malloc(bytes);
        assert_non_null(a->memory);
        memset(a->memory, 0x7f, bytes); /* what is not written leads nowhere */
        (void)rc_serve_inputs_place(&w->shape, a->memory, &a->in);
        assert_int_equal(rc_serve_plan_make(&w->shape, r, w->s, (size_t)w->n, &scratch, &a->in,
                                            a->seats, &a->plan, &err),
                         RC_OK);
        for (int64_t row = 0; row < a->plan.rows; row++)
            if (a->in.slots[row] >= 0) {
                assert_int_equal(a->pool[a->in.slots[row]], NOTHING); /* written once */
                a->pool[a->in.slots[row]] = a->in.tokens[row];
            }
    }
}

static void drop(world *w) {
    for (int r = 0; r < w->ranks; r++)
        free(w->of[r].memory);
}

/* A key that somebody sees: it must be of the sequence, not after `last`, and not seen before. */
static void see(world *w, int i, int rank, int32_t slot, int64_t place, int64_t last) {
    const int64_t x = place * w->ranks + rank;
    assert_true(x <= last);
    assert_int_equal(w->of[rank].pool[slot], token(i, x));
    assert_int_equal(w->seen[x]++, 0);
}

static void all_seen(world *w, int64_t last) {
    for (int64_t x = 0; x <= last; x++)
        assert_int_equal(w->seen[x], 1);
    memset(w->seen, 0, sizeof w->seen);
}

static void check_decode(world *w, int i) {
    const rc_serve_seat seat = w->of[0].seats[i];
    const int64_t stride = rc_serve_stride(&w->shape), dealt = w->of[0].plan.dealt;
    for (int at = 0; at < w->ranks; at++) {
        const side *a = &w->of[at];
        const rc_decode_piece *pieces =
            (const rc_decode_piece *)(const void *)(a->in.pieces + 4 * seat.rank * a->plan.room);
        const int32_t *pages = a->in.decode_pages + (seat.rank * dealt + seat.row) * stride;
        int32_t found = 0;
        for (int64_t k = 0; k < a->plan.room; k++) {
            if (pieces[k].sequence != seat.row)
                continue;
            assert_int_equal(a->in.first[seat.rank * dealt + seat.row] + found++, k);
            for (int32_t j = pieces[k].lo; j < pieces[k].hi; j++)
                see(w, i, at, pages[j / RC_KV_PAGE] * RC_KV_PAGE + j % RC_KV_PAGE, j, w->s[i].p);
        }
        assert_true(found >= 1);
    }
    all_seen(w, w->s[i].p);
}

/* One query row of rank `of`, which is at x, over the keys of all ranks, found in either way. */
static void check_query(world *w, int i, int of, int64_t row, int64_t x, bool paged) {
    for (int at = 0; at < w->ranks; at++) {
        const side *a = &w->of[at];
        rc_serve_calls c;
        rc_serve_calls_of(&a->plan, w->ranks, of, at, paged, &c);
        for (int k = 0; k < c.n; k++) {
            const int64_t q = row - c.q_start[k];
            if (q < 0 || q >= c.q_len[k])
                continue;
            for (int64_t j = 0; j < c.k_len[k] && j <= q + c.k_len[k] - c.q_len[k]; j++) {
                const int32_t slot =
                    paged ? a->in.prompt_pages[c.k_start[k] + j / RC_KV_PAGE] * RC_KV_PAGE +
                                (int32_t)(j % RC_KV_PAGE)
                          : a->in.packed[c.k_start[k] + j];
                see(w, i, at, slot, j, x);
            }
        }
    }
    all_seen(w, x);
}

static void check_prompt(world *w, int i, int k) {
    const rc_serve_sequence *s = &w->s[i];
    const int64_t row = w->of[0].plan.prompt[k].row;
    for (int64_t x = s->p; x < s->p + s->t; x++) {
        const int of = (int)(x % w->ranks);
        int64_t first = s->p;
        while (first % w->ranks != of)
            first++;
        const int64_t at = row + (x - first) / w->ranks;
        assert_int_equal(w->of[of].in.tokens[at], token(i, x));
        assert_int_equal(w->of[of].in.positions[at], x);
        check_query(w, i, of, at, x, true);
        if (w->ranks > 1)
            check_query(w, i, of, at, x, false);
    }
}

static void check_seat(const world *w, int i) {
    const rc_serve_seat seat = w->of[0].seats[i];
    const int64_t last = w->s[i].p + w->s[i].t - 1;
    const side *a = &w->of[seat.rank];
    assert_int_equal(a->in.positions[a->in.last[seat.row]], last);
    assert_int_equal(a->in.tokens[a->in.last[seat.row]], token(i, last));
}

/* All ranks know the same rows. */
static void check_alike(const world *w) {
    for (int r = 1; r < w->ranks; r++) {
        const rc_serve_plan *a = &w->of[0].plan, *b = &w->of[r].plan;
        assert_int_equal(a->dealt, b->dealt);
        assert_int_equal(a->rows, b->rows);
        assert_int_equal(a->padded, b->padded);
        assert_int_equal(a->room, b->room);
        assert_int_equal(a->size, b->size);
        assert_int_equal(a->bucket, b->bucket);
        assert_int_equal(a->packed, b->packed);
        assert_memory_equal(w->of[0].seats, w->of[r].seats,
                            (size_t)w->n * sizeof w->of[r].seats[0]);
    }
    assert_true(w->of[0].plan.padded >= w->of[0].plan.rows);
}

static void test_every_key_once(void **state) {
    (void)state;
    world *w = malloc(sizeof *w);
    assert_non_null(w);
    for (uint64_t draw = 1; draw <= 60; draw++) {
        int prompts = 0;
        draw_world(w, draw);
        plan_all(w);
        check_alike(w);
        for (int i = 0; i < w->n; i++) {
            if (w->s[i].decodes)
                check_decode(w, i);
            else
                check_prompt(w, i, prompts++);
            check_seat(w, i);
        }
        assert_int_equal(prompts, w->of[0].plan.prompts);
        drop(w);
    }
    free(w);
}

/* Five sequences that decode on two ranks, three of them at odd positions: three rows a rank, which the graph
 * of 8 has room for (4 a rank) and that of 4 has not (2). */
static void test_graph(void **state) {
    (void)state;
    const int64_t p[] = {1, 4, 3, 6, 301};
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    draw_world(w, 1);
    w->ranks = w->shape.layer.cp = 2;
    w->n = 5;
    for (int i = 0; i < w->n; i++) {
        w->s[i] = (rc_serve_sequence){
            .t = 1, .p = p[i], .decodes = true, .pages = w->pages[i], .tokens = w->tokens[i]};
        w->pages[i][0] = 2 * i;
        w->pages[i][1] = 2 * i + 1;
        w->tokens[i][0] = token(i, p[i]);
    }
    plan_all(w);
    const rc_serve_plan *x = &w->of[0].plan;
    assert_int_equal(x->size, 3);
    assert_int_equal(x->dealt, 4);
    assert_int_equal(x->rows, 4);
    assert_int_equal(x->padded, 4);
    assert_int_equal(x->bucket, 0); /* 151 keys a rank at most */
    assert_int_equal(x->longest, 256);
    assert_int_equal(w->of[0].in.slots[1],
                     2 * 3 * RC_KV_PAGE + 3); /* position 6 is rank 0's fourth */
    assert_int_equal(w->of[0].in.slots[2], -1);
    for (int i = 0; i < w->n; i++)
        check_decode(w, i);
    drop(w);
    free(w);
}

static rc_status planned(world *w, int n, rc_error *err) {
    int32_t lens[SEQS], order[SEQS];
    const rc_serve_scratch scratch = {lens, order};
    side *a = &w->of[0];
    const size_t bytes = rc_serve_inputs_place(&w->shape, NULL, &a->in);
    a->memory = calloc(1, bytes);
    assert_non_null(a->memory);
    (void)rc_serve_inputs_place(&w->shape, a->memory, &a->in);
    const rc_status st = rc_serve_plan_make(&w->shape, 0, w->s, (size_t)n, &scratch, &a->in,
                                            a->seats, &a->plan, err);
    free(a->memory);
    return st;
}

/* What the shape has no room for is refused before anything is written. */
static void test_room(void **state) {
    (void)state;
    world *w = malloc(sizeof *w);
    rc_error err = {0};
    assert_non_null(w);
    draw_world(w, 3);
    w->ranks = w->shape.layer.cp = 2;
    for (int i = 0; i < 3; i++)
        w->s[i] = (rc_serve_sequence){.t = 6, .p = 0, .pages = w->pages[i], .tokens = w->tokens[i]};
    w->shape.most_prompts = 2;
    assert_int_equal(planned(w, 2, &err), RC_OK);
    assert_int_equal(planned(w, 3, &err), RC_E_INPUT);
    w->shape.most_prompts = 3;
    w->shape.most_sequences = 3;
    w->shape.most_tokens = 6; /* 3 rows a prompt and rank, and most_sequences beside the tokens */
    assert_int_equal(planned(w, 3, &err), RC_OK);
    w->shape.most_tokens = 5;
    assert_int_equal(planned(w, 3, &err), RC_E_INTERNAL);
    w->shape.most_tokens = 6;
    w->shape.most_sequences = 2;
    assert_int_equal(planned(w, 3, &err), RC_E_INTERNAL);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_key_once),
                                       cmocka_unit_test(test_graph), cmocka_unit_test(test_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
