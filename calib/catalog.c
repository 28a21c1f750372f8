/* The suites by name.
 *
 * Cheap suites run first: if the device is taken away half-way, what is missing is the tail of the
 * largest one (gemm), whose own list is in order of importance. The seconds were read off one H200
 * and serve to share out a budget.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/catalog.h"
#include "calib/gpu_needs.h"

#include <ctype.h>
#include <string.h>

static const rc_suite_info suites[RC_SUITE_COUNT] = {
    {"memory", "device-to-device copies, 64 KiB to 8 GiB", rc_points_memory, 1, 1, 1},
    {"host", "what the host pays: launches, graphs, events, synchronisation, NCCL group calls",
     rc_points_host, 2, 0, 2},
    {"gap", "what lies between kernels, in a graph and launched one by one, and between streams",
     rc_points_gap, 5, 0, 5},
    {"merge", "merge of partial attention outputs by log-sum-exp", rc_points_merge, 3, 0, 1},
    {"elementwise", "norms, residual, fp8 quantisation, SwiGLU, rotary and KV write",
     rc_points_elementwise, 11, 7, 3},
    {"decode", "split-KV attention of one token a sequence", rc_points_decode, 10, 0, 1},
    {"attention", "prefill attention, full and causal, with and without a cached prefix",
     rc_points_attention, 63, 56, 11},
    {"heads", "attention and decode of heads of 64, of 192 with values of 128, and of 256",
     rc_points_heads, 30, 0, 4},
    {"mla", "latents: steps that read them as they are, prompts that make keys and values of them",
     rc_points_mla, 40, 0, 3},
    {"gemm",
     "cuBLASLt products of layers of Llama, TP 1 to 64, and of models stored in fp8 by blocks",
     rc_points_gemm, 100, 125, 28},
    {"experts", "layers of experts: products of many matrices, the choice, moving rows, the whole",
     rc_points_experts, 30, 20, 10},
    {"sms", "attention, decode, products and merge on fewer SMs than there are", rc_points_sms, 12,
     0, 4},
    {"clock", "clock, power and time of attention, products and copies at work part of the time",
     rc_points_clock, 0, 79, 17},
    {"interference", "attention and products beside transfers: what each loses, by SMs and message",
     rc_points_interference, 30, 0, 10},
    {"net", "NCCL send/recv and collectives over NVLink, shared memory, sockets (2 GPUs or more)",
     rc_points_net, 60, 0, 40},
};

const rc_suite_info *rc_suite_info_of(rc_suite_id id) {
    return &suites[id];
}

const char *const *rc_suite_names(void) {
    static const char *names[RC_SUITE_COUNT + 2];
    if (!names[0]) {
        for (int i = 0; i < RC_SUITE_COUNT; i++)
            names[i] = suites[i].name;
        names[RC_SUITE_COUNT] = "all";
    }
    return names;
}

rc_status rc_suites_parse(const char *text, unsigned *set, rc_error *err) {
    *set = 0;
    const char *s = text;
    do {
        size_t n = strcspn(s, ",");
        char word[32];
        unsigned found = 0;
        if (n >= sizeof word)
            n = sizeof word - 1;
        memcpy(word, s, n);
        word[n] = '\0';
        if (!strcmp(word, "all"))
            found = (1u << RC_SUITE_COUNT) - 1;
        for (unsigned i = 0; i < RC_SUITE_COUNT; i++)
            if (!strcmp(word, suites[i].name))
                found = 1u << i;
        if (!found) {
            const char *near = rc_nearest(word, rc_suite_names());
            return rc_fail_file(err, RC_E_USAGE, "--suite",
                                "no suite is called \"%s\"%s%s%s; `ringcast-calib list` shows them",
                                word, near ? "; did you mean \"" : "", near ? near : "",
                                near ? "\"?" : "");
        }
        *set |= found;
        s += strcspn(s, ",");
    } while (*s++ == ',');
    return RC_OK;
}

rc_status rc_suites_print(FILE *f, rc_error *err) {
    double total = 0, quick = 0;
    fprintf(f, "# %-12s %7s %7s %9s %9s  %-35s  %s\n", "suite", "points", "hot", "full", "--quick",
            "GPU", "measures");
    for (int i = 0; i < RC_SUITE_COUNT; i++) {
        rc_points p = {0};
        char needs[RC_NEEDS_MAX];
        rc_status st = suites[i].points(&p, 8, err);
        size_t hot = 0;
        rc_points_needs_text(p.v, p.n, needs, sizeof needs);
        for (size_t k = 0; k < p.n; k++)
            hot += p.v[k].sustained;
        if (st == RC_OK)
            fprintf(f, "  %-12s %7zu %7zu %7.0f s %7.0f s  %-35s  %s\n", suites[i].name, p.n, hot,
                    suites[i].burst_s + suites[i].sustained_s, suites[i].quick_s, needs,
                    suites[i].what);
        rc_points_free(&p);
        RC_TRY(st);
        total += suites[i].burst_s + suites[i].sustained_s;
        quick += suites[i].quick_s;
    }
    fprintf(f, "  %-12s %7s %7s %7.0f s %7.0f s  %-35s  every suite (--all)\n", "all", "", "",
            total, quick, "");
    fprintf(
        f,
        "# points: measured in short bursts; hot: measured again on a heated chip (--state). Times "
        "are about what one H200 takes; net: a transport on 8 GPUs.\n"
        "# GPU: compute capability that the points need, 8.0+ meaning that or newer; the others "
        "are "
        "left out, aloud. A100 has 8.0, L40S 8.9, H100, H200 and H20 9.0, B200 10.0, B300 10.3.\n");
    return RC_OK;
}

void rc_machine_name(const char *gpu, char *out, size_t size) {
    char low[96];
    size_t n = 0;
    bool dash = false;
    if (!strncmp(gpu, "NVIDIA ", 7))
        gpu += 7;
    for (; *gpu && n + 2 < sizeof low; gpu++) {
        if (isalnum((unsigned char)*gpu)) {
            if (dash && n)
                low[n++] = '-';
            dash = false;
            low[n++] = (char)tolower((unsigned char)*gpu);
        } else {
            dash = true;
        }
    }
    low[n] = '\0';
    static const char *const chips[] = {"h100", "h200", "h800", "b200", "gh200", "a100", NULL};
    static const char *const one_form[] = {"h20", "b300", "l40s", NULL};
    size_t chip = strcspn(low, "-");
    for (int i = 0; one_form[i]; i++)
        if (strlen(one_form[i]) == chip && !strncmp(low, one_form[i], chip))
            low[chip] = '\0'; /* its form says nothing more */
    for (int i = 0; chips[i]; i++) {
        if (strlen(chips[i]) != chip || strncmp(low, chips[i], chip) != 0)
            continue;
        const char *form = strstr(low, "pcie") ? "pcie" : strstr(low, "nvl") ? "nvl" : "sxm";
        snprintf(out, size, "%s-%s", chips[i], form);
        return;
    }
    snprintf(out, size, "%s", low);
}
