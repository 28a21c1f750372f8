/* How fast timelines are written, in ns of processor time a span, plain and compressed. What the
 * kernel takes to put the bytes on a disk is left out.
 * Run by `./dev bench`, or by hand: bench_spans [SPANS].
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "sim/timeline/span_file.h"

static double processor_s(void) {
    struct rusage r;
    (void)getrusage(RUSAGE_SELF, &r);
    return (double)r.ru_utime.tv_sec + 1e-6 * (double)r.ru_utime.tv_usec;
}

static double ns_a_span(const char *path, long spans) {
    const rc_span_args head = {.size = 0};
    rc_spans *s;
    rc_error err;
    rc_span_args shape = {.size = 0};
    rc_args_int(&shape, "T", 128000);
    rc_args_int(&shape, "P", 0);
    rc_args_real(&shape, "flops", 1.234e12);
    if (rc_spans_open(path, true, &head, &s, &err) != RC_OK)
        return -1.0;
    double start = processor_s();
    for (long i = 0; i < spans; i++) {
        rc_span_args a = shape;
        rc_args_int(&a, "layer", i / 20);
        rc_args_text(&a, "rests_on", "measured");
        rc_spans_span(s, (rc_track){(uint32_t)i % 32, 2}, "attention", "compute", i * 7654321,
                      (i + 1) * 7654321, &a);
    }
    if (rc_spans_close(s, RC_OK, &err) != RC_OK)
        return -1.0;
    return 1e9 * (processor_s() - start) / (double)spans;
}

int main(int argc, char **argv) {
    long spans = argc > 1 ? strtol(argv[1], NULL, 10) : 2000000;
    static const char *const names[] = {"bench_spans.json", "bench_spans.json.gz"};
    if (spans < 1)
        return 2;
    for (int i = 0; i < 2; i++) {
        double ns = ns_a_span(names[i], spans);
        if (ns < 0.0)
            return 3;
        printf("%-22s %8.1f ns a span, %6.2f M spans/s\n", names[i], ns, 1e3 / ns);
        (void)unlink(names[i]);
    }
    return 0;
}
