/* The all-reduce among as many GPUs as there are; further ranks share them, each on a stream of its own, so
 * that one GPU checks it as well. Sequences of calls of both kinds and of any length run on the same buffers,
 * some in place, some in graphs: what one leaves behind must not disturb the next. The sums must be those of
 * fp32 in the order of the ranks, to the bit, on every rank.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"
#include "kernels/all_reduce.h"

enum { MOST = 1 << 18, CALLS = 12, SHARED_CTAS = 8 };

typedef struct Node {
    int ranks, gpus;
    void *buffer[RC_ALL_REDUCE_RANKS], *x[RC_ALL_REDUCE_RANKS], *y[RC_ALL_REDUCE_RANKS];
    cudaStream_t stream[RC_ALL_REDUCE_RANKS];
    uint16_t *sent[RC_ALL_REDUCE_RANKS];
} Node;

static void use(const Node *n, int rank) {
    CUDA_OK(cudaSetDevice(rank % n->gpus));
}

static void connect(int gpus) {
    for (int i = 0; i < gpus; i++)
        for (int j = 0; j < gpus; j++)
            if (i != j) {
                CUDA_OK(cudaSetDevice(i));
                cudaError_t e = cudaDeviceEnablePeerAccess(j, 0);
                assert_true(e == cudaSuccess || e == cudaErrorPeerAccessAlreadyEnabled);
                (void)cudaGetLastError();
            }
}

static void open_node(Node *n, int ranks) {
    int gpus = 0;
    CUDA_OK(cudaGetDeviceCount(&gpus));
    *n = (Node){.ranks = ranks, .gpus = gpus < ranks ? gpus : ranks};
    connect(n->gpus);
    for (int r = 0; r < ranks; r++) {
        use(n, r);
        CUDA_OK(cudaStreamCreateWithFlags(&n->stream[r], cudaStreamNonBlocking));
        CUDA_OK(cudaMalloc(&n->buffer[r], rc_all_reduce_buffer(ranks, MOST)));
        n->x[r] = device_poison(MOST * 2);
        n->y[r] = device_poison(MOST * 2);
        n->sent[r] = malloc(MOST * 2);
        assert_non_null(n->sent[r]);
        CUDA_OK(rc_all_reduce_prepare(n->buffer[r], ranks, MOST, NULL));
        CUDA_OK(cudaDeviceSynchronize());
    }
}

static void close_node(Node *n) {
    for (int r = 0; r < n->ranks; r++) {
        use(n, r);
        CUDA_OK(cudaFree(n->buffer[r]));
        CUDA_OK(cudaFree(n->x[r]));
        CUDA_OK(cudaFree(n->y[r]));
        CUDA_OK(cudaStreamDestroy(n->stream[r]));
        free(n->sent[r]);
    }
}

/* Normal numbers and, among them, pairs of -0, which mark what has not arrived. */
static void fill(const Node *n, int64_t count, uint64_t *random) {
    for (int r = 0; r < n->ranks; r++) {
        use(n, r);
        CUDA_OK(rc_fill_normal(n->x[r], count, next_random(random), 1, NULL));
        CUDA_OK(cudaMemcpy(n->sent[r], n->x[r], (size_t)count * 2, cudaMemcpyDeviceToHost));
        for (int64_t i = 0; i + 1 < count; i += 64)
            n->sent[r][i] = n->sent[r][i + 1] = 0x8000;
        CUDA_OK(cudaMemcpy(n->x[r], n->sent[r], (size_t)count * 2, cudaMemcpyHostToDevice));
        CUDA_OK(cudaDeviceSynchronize());
    }
}

static void enqueue(const Node *n, int rank, int64_t count, int two_shot, bool in_place, int ctas) {
    rc_all_reduce_args a = {.x = n->x[rank],
                            .y = in_place ? n->x[rank] : n->y[rank],
                            .n = count,
                            .most = MOST,
                            .rank = rank,
                            .ranks = n->ranks,
                            .two_shot = two_shot,
                            .ctas = n->gpus < n->ranks ? SHARED_CTAS : ctas,
                            .buffer = n->buffer};
    use(n, rank);
    CUDA_OK(rc_all_reduce(&a, n->stream[rank]));
}

static void finish(const Node *n) {
    for (int r = 0; r < n->ranks; r++) {
        use(n, r);
        CUDA_OK(cudaStreamSynchronize(n->stream[r]));
    }
}

static uint16_t to_bf16(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static void compare(const Node *n, int64_t count, bool in_place, const char *what) {
    for (int r = 0; r < n->ranks; r++) {
        use(n, r);
        uint16_t *got = host_copy(in_place ? n->x[r] : n->y[r], (size_t)count * 2);
        for (int64_t i = 0; i < count; i++) {
            float sum = 0;
            for (int k = 0; k < n->ranks; k++)
                sum += from_bf16(n->sent[k][i]);
            float want = from_bf16(to_bf16(sum)), is = from_bf16(got[i]);
            if (!(is <= want && is >= want)) {
                printf("%s: ranks %d count %lld: rank %d has %g at %lld, not %g\n", what, n->ranks,
                       (long long)count, r, (double)is, (long long)i, (double)want);
                fail();
            }
        }
        free(got);
    }
}

static void test_sequences(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 31), random = seed;
    int calls = 0;
    for (int ranks = 2; ranks <= RC_ALL_REDUCE_RANKS; ranks++) {
        Node n;
        open_node(&n, ranks);
        for (int c = random_cases(20); c > 0; c--, calls++) {
            int64_t count = 8 * any_size(&random, 1, MOST / 8);
            int two_shot = (int)uniform(&random, 0, 1), ctas = (int)uniform(&random, 0, 40);
            bool in_place = uniform(&random, 0, 2) == 0;
            fill(&n, count, &random);
            for (int r = 0; r < ranks; r++)
                enqueue(&n, (r + c) % ranks, count, two_shot, in_place, ctas);
            finish(&n);
            compare(&n, count, in_place, two_shot ? "two shots" : "one shot");
        }
        close_node(&n);
    }
    printf("all-reduce: %d calls, seed %llu\n", calls, (unsigned long long)seed);
}

/* Several calls in one graph a rank, replayed with the ranks ahead of each other. */
static void test_graphs(void **state) {
    (void)state;
    uint64_t random = 32;
    for (int ranks = 2; ranks <= 4; ranks++) {
        Node n;
        cudaGraphExec_t exec[RC_ALL_REDUCE_RANKS];
        open_node(&n, ranks);
        int64_t count = 8192;
        fill(&n, count, &random);
        for (int r = 0; r < ranks; r++) {
            cudaGraph_t g = NULL;
            use(&n, r);
            CUDA_OK(cudaStreamBeginCapture(n.stream[r], cudaStreamCaptureModeThreadLocal));
            for (int k = 0; k < CALLS; k++)
                enqueue(&n, r, k % 3 ? count : 64, k % 2, false, 0);
            CUDA_OK(cudaStreamEndCapture(n.stream[r], &g));
            CUDA_OK(cudaGraphInstantiate(&exec[r], g, 0));
            CUDA_OK(cudaGraphDestroy(g));
        }
        for (int again = 0; again < 20; again++)
            for (int r = 0; r < ranks; r++) {
                use(&n, r);
                CUDA_OK(cudaGraphLaunch(exec[r], n.stream[r]));
            }
        finish(&n);
        compare(&n, count, false, "graph");
        for (int r = 0; r < ranks; r++)
            CUDA_OK(cudaGraphExecDestroy(exec[r]));
        close_node(&n);
    }
}

static void test_refusals(void **state) {
    (void)state;
    void *buffer[2] = {NULL, NULL};
    rc_all_reduce_args a = {.n = 12, .most = 64, .ranks = 2, .buffer = buffer};
    assert_int_equal(rc_all_reduce(&a, NULL), RC_KERNEL_EINVAL);
    a.n = 72;
    assert_int_equal(rc_all_reduce(&a, NULL), RC_KERNEL_EINVAL);
    a.n = 8, a.ranks = 9;
    assert_int_equal(rc_all_reduce(&a, NULL), RC_KERNEL_EINVAL);
    a.ranks = 2, a.rank = 2;
    assert_int_equal(rc_all_reduce(&a, NULL), RC_KERNEL_EINVAL);
    a.rank = 0, a.n = 0;
    assert_int_equal(rc_all_reduce(&a, NULL), 0);
    assert_int_equal(rc_all_reduce_prepare(NULL, 2, 64, NULL), RC_KERNEL_EINVAL);
}

int main(void) {
    need_gpu("test_gpu_all_reduce", "all_reduce");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequences),
                                       cmocka_unit_test(test_graphs),
                                       cmocka_unit_test(test_refusals)};
    printf("kernel %s\n", rc_kernel_version("all-reduce"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
