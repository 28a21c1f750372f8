/* A loop over items on threads: each thread takes the next item that nobody has begun, so a slow
 * item holds up no other.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/parallel.h"
#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

typedef struct loop {
    pthread_mutex_t lock;
    size_t count, next;
    size_t failed_item; /* SIZE_MAX: none */
    rc_status status;
    rc_error error;
    rc_parallel_fn fn;
    void *ctx;
} loop;

static void run_item(loop *l, size_t item) {
    rc_error err = {0};
    rc_status st = l->fn(l->ctx, item, &err);
    if (st == RC_OK)
        return;
    (void)pthread_mutex_lock(&l->lock);
    if (item < l->failed_item) {
        l->failed_item = item;
        l->status = st;
        l->error = err;
    }
    (void)pthread_mutex_unlock(&l->lock);
}

/* Items are begun in order, so every item below a failed one has been begun: its own failure, if
 * any, is seen before the threads are joined. */
static void *work(void *arg) {
    loop *l = arg;
    for (;;) {
        (void)pthread_mutex_lock(&l->lock);
        size_t item = l->failed_item == SIZE_MAX ? l->next++ : l->count;
        (void)pthread_mutex_unlock(&l->lock);
        if (item >= l->count)
            return NULL;
        run_item(l, item);
    }
}

static int thread_count(int asked, size_t count) {
    long n = asked > 0 ? asked : sysconf(_SC_NPROCESSORS_ONLN);
    if (n > RC_PARALLEL_MAX)
        n = RC_PARALLEL_MAX;
    if (n < 1)
        n = 1;
    return (size_t)n > count ? (int)count : (int)n;
}

rc_status rc_parallel(size_t count, int threads, rc_parallel_fn fn, void *ctx, rc_error *err) {
    assert(fn != NULL);
    loop l = {.count = count, .failed_item = SIZE_MAX, .fn = fn, .ctx = ctx};
    pthread_t id[RC_PARALLEL_MAX];
    int started = 0, wanted = thread_count(threads, count);
    if (pthread_mutex_init(&l.lock, NULL) != 0)
        return rc_fail(err, RC_E_NOMEM, "cannot create a lock");
    while (started < wanted - 1 && pthread_create(&id[started], NULL, work, &l) == 0)
        started++;
    (void)work(&l);
    for (int i = 0; i < started; i++)
        (void)pthread_join(id[i], NULL);
    (void)pthread_mutex_destroy(&l.lock);
    if (l.status != RC_OK && err)
        *err = l.error;
    return l.status;
}
