/* NVML by dlopen. Its header is not needed: the few types used are spelt out below as its ABI has
 * them.
 *
 * Power: Hopper's nvmlDeviceGetPowerUsage is an average over a second, longer than most points, so
 * the instantaneous field is asked for first.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/nvml.h"
#include "calib/stats.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct nvml_device *nvml_device;

typedef struct nvml_field {
    unsigned field, scope;
    long long timestamp, latency;
    unsigned type; /* 1: unsigned int */
    int status;
    union {
        double d;
        unsigned u;
        unsigned long long ull;
    } value;
} nvml_field;

enum { NVML_CLOCK_SM = 1, NVML_TEMPERATURE_GPU = 0, NVML_FIELD_POWER_INSTANT = 186 };

struct rc_nvml {
    void *lib;
    nvml_device device;
    double cost;
    int (*init)(void);
    int (*shutdown)(void);
    int (*by_bus)(const char *, nvml_device *);
    int (*clock)(nvml_device, int, unsigned *);
    int (*power)(nvml_device, unsigned *);
    int (*temperature)(nvml_device, int, unsigned *);
    int (*fields)(nvml_device, int, nvml_field *);
    int (*driver)(char *, unsigned);
    int (*reasons)(nvml_device, unsigned long long *);
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* POSIX lets a pointer from dlsym be stored as a function's; C needs the detour. */
static void find(void *lib, const char *name, void *function) {
    void *p = dlsym(lib, name);
    memcpy(function, &p, sizeof p);
}

rc_nvml *rc_nvml_open(const char *pci_bus_id) {
    void *lib = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    rc_nvml *n = lib ? calloc(1, sizeof *n) : NULL;
    if (!n) {
        if (lib)
            dlclose(lib);
        return NULL;
    }
    n->lib = lib;
    find(lib, "nvmlInit_v2", &n->init);
    find(lib, "nvmlShutdown", &n->shutdown);
    find(lib, "nvmlDeviceGetHandleByPciBusId_v2", &n->by_bus);
    find(lib, "nvmlDeviceGetClockInfo", &n->clock);
    find(lib, "nvmlDeviceGetPowerUsage", &n->power);
    find(lib, "nvmlDeviceGetTemperature", &n->temperature);
    find(lib, "nvmlDeviceGetFieldValues", &n->fields);
    find(lib, "nvmlSystemGetDriverVersion", &n->driver);
    find(lib, "nvmlDeviceGetCurrentClocksThrottleReasons", &n->reasons);
    if (!n->init || !n->shutdown || !n->by_bus || n->init() != 0) {
        dlclose(lib);
        free(n);
        return NULL;
    }
    if (n->by_bus(pci_bus_id, &n->device) != 0) {
        rc_nvml_close(n);
        return NULL;
    }
    double cost[5];
    for (int i = 0; i < 5; i++) {
        double t = now();
        (void)rc_nvml_read(n);
        cost[i] = now() - t;
    }
    rc_stats_sort(cost, 5);
    n->cost = cost[2];
    return n;
}

void rc_nvml_close(rc_nvml *n) {
    if (!n)
        return;
    n->shutdown();
    dlclose(n->lib);
    free(n);
}

static double power(rc_nvml *n) {
    nvml_field f;
    memset(&f, 0, sizeof f);
    f.field = NVML_FIELD_POWER_INSTANT;
    if (n->fields && n->fields(n->device, 1, &f) == 0 && f.status == 0 && f.type == 1)
        return 1e-3 * f.value.u;
    unsigned mw = 0;
    if (n->power && n->power(n->device, &mw) == 0)
        return 1e-3 * mw;
    return (double)NAN;
}

rc_health rc_nvml_read(rc_nvml *n) {
    rc_health h = {(double)NAN, (double)NAN, (double)NAN, 0};
    unsigned long long why = 0;
    unsigned v = 0;
    if (!n)
        return h;
    if (n->clock && n->clock(n->device, NVML_CLOCK_SM, &v) == 0)
        h.sm_mhz = v;
    h.power_w = power(n);
    if (n->temperature && n->temperature(n->device, NVML_TEMPERATURE_GPU, &v) == 0)
        h.temp_c = v;
    if (n->reasons && n->reasons(n->device, &why) == 0)
        h.throttle = (unsigned)(why & (RC_THROTTLE_POWER | RC_THROTTLE_HARDWARE |
                                       RC_THROTTLE_THERMAL | RC_THROTTLE_BRAKE));
    return h;
}

void rc_throttle_text(unsigned throttle, char *out, size_t size) {
    static const struct {
        unsigned bits;
        const char *text;
    } names[] = {{RC_THROTTLE_POWER, "power cap"},
                 {RC_THROTTLE_HARDWARE, "hardware slow-down"},
                 {RC_THROTTLE_THERMAL, "heat"},
                 {RC_THROTTLE_BRAKE, "power brake"}};
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((throttle & names[i].bits) && at < size)
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", names[i].text);
}

void rc_nvml_driver(rc_nvml *n, char *out, size_t size) {
    char text[96] = "";
    if (!n || !n->driver || n->driver(text, sizeof text) != 0)
        text[0] = '\0';
    snprintf(out, size, "%s", text);
}

double rc_nvml_cost(const rc_nvml *n) {
    return n ? n->cost : 0;
}
