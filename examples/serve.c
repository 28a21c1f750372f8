/* At which rate a cluster still keeps its objectives, by halving:
 *     cc serve.c $(pkg-config --cflags --libs ringcast) -o serve && ./serve my-cluster.yaml
 * where `ringcast init serve --out my-cluster.yaml` has written the file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ringcast/ringcast.h>
#include <stdio.h>

int main(int argc, char **argv) {
    double low = 0.0, high = 32.0; /* requests per second: kept, not kept */
    if (argc != 2) {
        fprintf(stderr, "usage: serve SCENARIO.yaml\n");
        return 2;
    }
    for (int i = 0; i < 8; i++) {
        ringcast_served run = {.size = sizeof run};
        ringcast_error err;
        char rate[64];
        const char *sets[] = {rate};
        snprintf(rate, sizeof rate, "synthetic.rate=%g", (low + high) / 2.0);
        if (ringcast_serve(argv[1], sets, 1, &run, &err) != RINGCAST_OK) {
            fprintf(stderr, "serve: %s\n", err.text);
            return 1;
        }
        double kept = (double)run.within_slo / (double)run.requests;
        printf("%s: TTFT p95 %.3f s, TTIT p95 %.1f ms, %.1f %% within the SLO\n", rate,
               run.ttft.p95, 1e3 * run.ttit.p95, 100.0 * kept);
        if (kept >= 0.95)
            low = (low + high) / 2.0;
        else
            high = (low + high) / 2.0;
    }
    printf("holds up to %.2f requests/s\n", low);
    return 0;
}
