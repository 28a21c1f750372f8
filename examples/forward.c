/* How long a prompt takes, on 1, 2 and 4 nodes:
 *     cc forward.c $(pkg-config --cflags --libs ringcast) -o forward && ./forward llama-3.1-405b gtt 128000
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <ringcast/ringcast.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    ringcast_model *model = NULL;
    ringcast_machine *machine = NULL;
    ringcast_error err;
    int failed = 1;
    if (argc != 4) {
        fprintf(stderr, "usage: forward MODEL MACHINE TOKENS\n");
        return 2;
    }
    if (ringcast_model_load(argv[1], &model, &err) != RINGCAST_OK ||
        ringcast_machine_load(argv[2], NULL, 0, &machine, &err) != RINGCAST_OK)
        goto end;
    printf("%s on %s: %.1f billion parameters\n", ringcast_model_name(model),
           ringcast_machine_name(machine), ringcast_model_parameters(model) / 1e9);
    for (int nodes = 1; nodes <= 4; nodes *= 2) {
        ringcast_pass pass;
        ringcast_forecast f = {.size = sizeof f};
        ringcast_pass_init(&pass);
        pass.tp = ringcast_machine_gpus_per_node(machine);
        pass.cp = nodes;
        pass.new_tokens = strtoll(argv[3], NULL, 10);
        pass.ffn_weights = "fp8";
        pass.draws = 100;
        ringcast_status st = ringcast_forward(model, machine, &pass, &f, &err);
        if (st == RINGCAST_E_NOFIT)
            printf("%d nodes: %s\n", nodes, err.text);
        else if (st != RINGCAST_OK)
            goto end;
        else
            printf("%d nodes: TTFT %.3f s (%.3f to %.3f), MFU %.0f %%, %.1f of %.1f GB a GPU\n",
                   nodes, f.time, f.p5, f.p95, 100.0 * f.mfu, f.memory / 1e9, f.memory_of / 1e9);
    }
    failed = 0;
end:
    if (failed)
        fprintf(stderr, "forward: %s\n", err.text);
    ringcast_machine_free(machine);
    ringcast_model_free(model);
    return failed;
}
