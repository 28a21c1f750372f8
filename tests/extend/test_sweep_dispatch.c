/* Points of a sweep handed out over ranks, in a world that is played: whoever asks is answered once, every point is
 * computed by one rank, three stops end a worker, and a rank that fails stops them all and leaves no message behind.
 *
 * The first part plays rank 0 to a worker, the second the workers to rank 0.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "sim/sweep/dispatch_mpi.c"

enum { MOST = 4096, MOST_RANKS = 5 };

static struct {
    int rank, size;
    int looks;           /* a message is seen at every other look */
    report said[MOST];   /* of a worker: all its reports, in order */
    int reports, orders; /* of a worker: sent, and received */
    order answers[16];   /* of a worker: what its first reports are answered with; then stops */
    struct {
        int from;
        report r;
    } waiting[MOST]; /* of rank 0: reports on their way to it */
    int first, last;
    int stops[MOST_RANKS];  /* of rank 0: sent to each worker */
    unsigned char by[MOST]; /* of rank 0: how often each point was handed out */
    int64_t longest;        /* of rank 0: points of a worker's longest run */
    int fails, after;       /* of rank 0: the worker that fails, after so many runs */
    double each;            /* of rank 0: seconds that a worker takes for a point */
} world;

/* ---- the messages ----------------------------------------------------------------------------- */

static void post(int from, report r) {
    assert_true(world.last < MOST);
    world.waiting[world.last].from = from;
    world.waiting[world.last++].r = r;
}

/* A worker that has got an order computes it and reports, or has failed. */
static void worker_takes(int rank, order o) {
    assert_in_range(rank, 1, world.size - 1);
    assert_true(world.stops[rank] < AHEAD);
    if (o.count == 0) {
        world.stops[rank]++;
        return;
    }
    assert_true(o.first >= 0 && o.count > 0 && o.first + o.count <= MOST);
    for (int64_t i = o.first; i < o.first + o.count; i++)
        world.by[i]++;
    world.longest = o.count > world.longest ? o.count : world.longest;
    const bool failed = rank == world.fails && world.after-- <= 0;
    post(rank, (report){failed ? 0 : o.count, failed ? 0.0 : world.each * (double)o.count, failed});
}

int MPI_Send(const void *buf, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm) {
    assert_true(type == MPI_BYTE && comm == MPI_COMM_WORLD);
    if (world.rank == 0) {
        order o;
        assert_true(tag == TAG_ORDER && count == (int)sizeof o);
        memcpy(&o, buf, sizeof o);
        worker_takes(to, o);
    } else {
        assert_true(tag == TAG_REPORT && to == 0 && count == (int)sizeof(report));
        memcpy(&world.said[world.reports++], buf, sizeof(report));
    }
    return 0;
}

int MPI_Iprobe(int from, int tag, MPI_Comm comm, int *waiting, MPI_Status *status) {
    assert_int_equal(comm, MPI_COMM_WORLD);
    const bool some = world.rank == 0 ? world.first < world.last : world.orders < world.reports;
    assert_true(world.looks++ < 100000); /* else somebody waits for a message that nobody sends */
    *waiting = some && world.looks % 2 == 0;
    if (world.rank == 0) {
        assert_true(from == MPI_ANY_SOURCE && tag == TAG_REPORT);
        if (*waiting)
            status->MPI_SOURCE = world.waiting[world.first].from;
    } else {
        assert_true(from == 0 && tag == TAG_ORDER && status == MPI_STATUS_IGNORE);
    }
    return 0;
}

int MPI_Recv(void *buf, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
             MPI_Status *status) {
    assert_true(type == MPI_BYTE && comm == MPI_COMM_WORLD && status == MPI_STATUS_IGNORE);
    if (world.rank == 0) {
        assert_true(world.first < world.last && from == world.waiting[world.first].from);
        assert_true(tag == TAG_REPORT && count == (int)sizeof(report));
        memcpy(buf, &world.waiting[world.first++].r, sizeof(report));
    } else {
        assert_true(world.orders < world.reports && from == 0 && tag == TAG_ORDER);
        assert_int_equal(count, sizeof(order));
        memcpy(buf, &world.answers[world.orders++], sizeof(order));
    }
    return 0;
}

/* ---- what the rest of the room does ------------------------------------------------------------ */

static order own[MOST];     /* runs that this rank has computed */
static int runs, own_fails; /* it fails in its run of this number; -1: never */
static int64_t shown;
static rc_status agreed;

rc_status sweep_work(const sweep_job *j, sweep_shard *shard, int *number, rc_error *err) {
    int64_t done = 0;
    (void)shard;
    *number = 40 + j->number;
    for (runs = 0;; runs++) {
        if (runs == own_fails)
            return rc_fail(err, RC_E_IO, "the disk is full");
        own[runs].count = j->next(j->ctx, done, 0.25 * runs, &own[runs].first);
        done = own[runs].count;
        if (done == 0)
            return RC_OK;
        if (j->between)
            j->between(j->ctx);
        for (int64_t i = own[runs].first; i < own[runs].first + done; i++)
            world.by[i]++;
    }
}

rc_status rc_ranks_agree(const rc_ranks *r, rc_status st, unsigned long long tag, rc_error *err) {
    (void)r, (void)err;
    assert_int_equal(tag, 0);
    agreed = st;
    return st;
}

void rc_ranks_gather(const rc_ranks *r, int number, int *all) {
    all[r->rank] = number;
}

static void show(void *ctx, int64_t rows) {
    (void)ctx;
    shown += rows;
}

static rc_error err;

static rc_status begin(int rank, int size, sweep_points *points, int *numbers) {
    const rc_ranks ranks = {.rank = rank, .size = size, .mpi = true};
    world.rank = rank;
    world.size = size;
    shown = 0;
    return sweep_mpi_run(NULL, NULL, &ranks, points, NULL, numbers, (sweep_show){show, NULL}, &err);
}

/* ---- a worker ---------------------------------------------------------------------------------- */

static rc_status work(const order *answers, int n, int fails) {
    int numbers[MOST_RANKS] = {0};
    memset(&world, 0, sizeof world);
    for (int i = 0; i < n; i++)
        world.answers[i] = answers[i];
    own_fails = fails;
    rc_status st = begin(2, 3, NULL, numbers);
    assert_int_equal(world.orders, world.reports); /* nothing is on its way */
    assert_int_equal(agreed, st);
    if (st == RC_OK)
        assert_int_equal(numbers[2], 42);
    for (int i = 0; i < AHEAD && fails != 0; i++) /* it opens with reports of nothing */
        assert_true(world.said[i].done == 0 && world.said[i].took == 0.0 && !world.said[i].failed);
    return st;
}

static const order three[] = {{0, 5}, {5, 7}, {40, 2}};

static void test_worker(void **state) {
    (void)state;
    assert_int_equal(work(three, 3, -1), RC_OK);
    assert_int_equal(runs, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(own[i].first == three[i].first && own[i].count == three[i].count);
        const report *r = &world.said[AHEAD + i];
        assert_true(r->done == three[i].count && r->took == 0.25 * (i + 1) && r->failed == 0);
    }
    assert_int_equal(world.reports, AHEAD + 3); /* three stops answer the last three */
    /* a run may come after a stop: it was on its way */
    static const order mixed[] = {{0, 5}, {0, 0}, {9, 1}, {0, 0}};
    assert_int_equal(work(mixed, 4, -1), RC_OK);
    assert_int_equal(runs, 2);
    assert_true(own[1].first == 9 && own[1].count == 1);
    assert_int_equal(world.reports, AHEAD + 2);
    assert_int_equal(work(NULL, 0, -1), RC_OK); /* nothing to do at all */
    assert_true(runs == 0 && world.reports == AHEAD);
}

static void test_worker_fails(void **state) {
    (void)state;
    /* before its first run: all three orders are asked for and given back */
    assert_int_equal(work(three, 3, 0), RC_E_IO);
    assert_int_equal(world.reports, AHEAD + 3);
    for (int i = 0; i < world.reports; i++)
        assert_true(world.said[i].failed == 1 && world.said[i].done == 0);
    /* in its second run: the first is reported, that one and the third are given back */
    assert_int_equal(work(three, 3, 2), RC_E_IO);
    assert_int_equal(world.reports, AHEAD + 3);
    assert_true(world.said[AHEAD].done == 5 && !world.said[AHEAD].failed);
    for (int i = AHEAD + 1; i < world.reports; i++)
        assert_true(world.said[i].failed == 1 && world.said[i].done == 0);
}

/* A worker that fails when it has been told three times to stop owes nothing. */
static void test_worker_fails_at_the_end(void **state) {
    (void)state;
    worker_state h = {.begun = true, .stops = AHEAD};
    memset(&world, 0, sizeof world);
    world.rank = 1;
    drain_orders(&h);
    assert_int_equal(world.reports, 0);
}

/* ---- rank 0 ------------------------------------------------------------------------------------ */

static rc_status coordinate(int size, int64_t count, sweep_points *p, int fails, int after) {
    int numbers[MOST_RANKS] = {0};
    *p = (sweep_points){.taken = calloc(1, (size_t)count / 8 + 1), .count = count, .left = count};
    assert_non_null(p->taken);
    memset(&world, 0, sizeof world);
    world.fails = fails;
    world.after = after;
    world.each = 0.005; /* ten points in 50 ms */
    for (int rank = 1; rank < size; rank++)
        for (int i = 0; i < AHEAD; i++)
            post(rank, (report){0, 0.0, 0});
    rc_status st = begin(0, size, p, numbers);
    for (int rank = 1; rank < size; rank++)
        assert_int_equal(world.stops[rank], AHEAD);
    assert_int_equal(world.first, world.last); /* nothing is on its way */
    assert_int_equal(agreed, st);
    if (st == RC_OK)
        assert_int_equal(numbers[0], 40);
    sweep_points_free(p);
    return st;
}

static void test_all_points_once(void **state) {
    (void)state;
    sweep_points p;
    for (int size = 1; size <= MOST_RANKS; size++) {
        own_fails = -1;
        assert_int_equal(coordinate(size, 1000, &p, 0, 0), RC_OK);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(world.by[i], 1);
        assert_int_equal(world.by[1000], 0);
        assert_int_equal(shown, 1000);
        assert_true(runs > 0 && (size == 1) == (world.longest == 0));
        /* a run is 50 ms of a worker's work: the times of rank 0 do not count */
        assert_true(size == 1 || (p.per_point > 0.0049 && p.per_point < 0.0051));
        assert_true(size == 1 ? p.per_point == 0.0 : world.longest == 11);
    }
}

static void test_a_worker_stops_all(void **state) {
    (void)state;
    sweep_points p;
    own_fails = -1;
    assert_int_equal(coordinate(3, 4000, &p, 2, 2), RC_OK); /* rank 0 itself has not failed */
    int64_t handed = 0;
    for (int i = 0; i < 4000; i++) {
        assert_in_range(world.by[i], 0, 1);
        handed += world.by[i];
    }
    assert_true(handed > 0 && handed < 400 && p.left == 4000 - handed);
    assert_true(shown > 0 && shown < handed); /* what failed was not computed */
}

static void test_rank_0_fails(void **state) {
    (void)state;
    sweep_points p;
    own_fails = 0;
    assert_int_equal(coordinate(4, 1000, &p, 0, 0), RC_E_IO);
    assert_int_equal(p.left, 1000); /* nobody was given anything */
    own_fails = 2;
    assert_int_equal(coordinate(4, 4000, &p, 0, 0), RC_E_IO);
    assert_true(p.left < 4000 && p.left > 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker),
        cmocka_unit_test(test_worker_fails),
        cmocka_unit_test(test_worker_fails_at_the_end),
        cmocka_unit_test(test_all_points_once),
        cmocka_unit_test(test_a_worker_stops_all),
        cmocka_unit_test(test_rank_0_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
