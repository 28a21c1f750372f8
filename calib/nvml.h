/* Clock, power and temperature through NVML, found at run time: without libnvidia-ml every reading
 * is NAN.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_NVML_H
#define RC_CALIB_NVML_H
#include <stddef.h>

typedef struct rc_nvml rc_nvml;

typedef struct rc_health {
    double sm_mhz, power_w, temp_c; /* NAN when unknown */
    unsigned throttle; /* what held the clock down: bits of rc_throttle; 0 when unknown */
} rc_health;

/* NVML's clocks-event reasons that slow a loaded chip, by its own bits. */
typedef enum rc_throttle {
    RC_THROTTLE_POWER = 0x4,    /* the board's power limit */
    RC_THROTTLE_HARDWARE = 0x8, /* hardware slow-down */
    RC_THROTTLE_THERMAL = 0x60, /* too hot: software or hardware */
    RC_THROTTLE_BRAKE = 0x80    /* external power brake */
} rc_throttle;
/* "power cap, heat" into out; "" for none. */
void rc_throttle_text(unsigned throttle, char *out, size_t size);

/* For the GPU at a PCI bus id ("0000:0A:00.0"). NULL when NVML is not there: all calls take NULL.
 */
rc_nvml *rc_nvml_open(const char *pci_bus_id);
void rc_nvml_close(rc_nvml *n);
rc_health rc_nvml_read(rc_nvml *n);
/* "580.159.04", or "" */
void rc_nvml_driver(rc_nvml *n, char *out, size_t size);
/* Seconds that one rc_nvml_read took, the median of a few: a reading must not hold up the GPU. */
double rc_nvml_cost(const rc_nvml *n);

#endif
