/* What follows from what among a machine's numbers.
 *
 * A machine file states rates (published) and, about the same parts, ratios and achieved rates
 * (measured or fitted). They belong together: half the nominal rate of a NIC is half of what one
 * connection achieved, and a part with half the matrix peak runs GEMMs at half the ratio. The table
 * below says which number moves with which; overrides, fits and draws all go through it.
 *
 * Why in proportion: what a link or a kernel achieves of its peak is a property of protocols and
 * code, and the share stays when the peak moves. Where it does not, set both numbers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/machine/fields.h"

typedef struct bond {
    const char *driver, *follower;
    size_t offset;     /* of the double that moves: the follower's own, or its factor for fp8 */
    bool against;      /* moves by 1/k when the driver moves by k */
    bool derived_only; /* only where the follower is left to published rates */
} bond;

#define AT(f) offsetof(rc_machine, f)
static const bond bonds[] = {
    {"nic_rate", "nic_line_rate", AT(nic_line_rate), false, false},
    {"nic_rate", "peer_rate", AT(peer_rate), false, false},
    {"hbm_rate", "hbm_ratio", AT(hbm_ratio), false, false},
    {"nvlink_rate", "nvlink_ratio", AT(nvlink_ratio), false, false},
    {"bf16_rate", "gemm_ratio", AT(gemm_ratio), false, false},
    {"bf16_rate", "gemm_ratio", AT(gemm_fp8), true, false}, /* fp8 stays where it was */
    {"bf16_rate", "attention_ratio", AT(attention_ratio), false, false},
    {"bf16_rate", "attention_ratio", AT(attention_fp8), true, false},
    {"fp8_rate", "gemm_ratio", AT(gemm_fp8), false, false},
    {"fp8_rate", "attention_ratio", AT(attention_fp8), false, false},
    {"base_hbm_rate", "hbm_ratio", AT(hbm_ratio), true, true},
    {"base_nvlink_rate", "nvlink_ratio", AT(nvlink_ratio), true, true},
    {"base_bf16_rate", "gemm_ratio", AT(gemm_ratio), true, true},
    {"base_bf16_rate", "gemm_ratio", AT(gemm_fp8), false, true},
    {"base_bf16_rate", "attention_ratio", AT(attention_ratio), true, true},
    {"base_bf16_rate", "attention_ratio", AT(attention_fp8), false, true},
    {"base_fp8_rate", "gemm_ratio", AT(gemm_fp8), true, true},
    {"base_fp8_rate", "attention_ratio", AT(attention_fp8), true, true},
};
enum { BONDS = sizeof bonds / sizeof bonds[0] };

/* Half-width of a transfer by published peaks alone, where the file states none. */
static const double DERIVED_SPREAD = 0.15;

static double *number_at(rc_machine *m, size_t offset) {
    return (double *)(void *)((char *)m + offset);
}

static rc_fitted *fitted_of(rc_machine *m, const char *key) {
    for (int i = 0; i < m->fitted_count; i++)
        if (strcmp(m->fitted[i].name, key) == 0)
            return &m->fitted[i];
    return NULL;
}

double rc_machine_usable(const rc_machine *m) {
    assert(m->memory_fraction >= 0.0 && m->memory_fraction <= 1.0);
    return m->memory * (m->memory_fraction > 0.0 ? m->memory_fraction : 1.0) - m->process_memory;
}

double rc_machine_own_limit(const rc_machine *m, int gpus) {
    return gpus < 2 ? 0.0 : m->own_limit[gpus <= 2 ? 0 : gpus <= 4 ? 1 : 2];
}

/* ---- when the file has been read ------------------------------------------------------------- */

static void derive_matrix(rc_machine *m, const char *key, double *ratio, double *fp8) {
    *fp8 = 1.0;
    if (!(m->derived & rc_machine_bit(key)))
        return;
    *ratio = m->bf16_rate / m->base_bf16_rate;
    *fp8 = m->fp8_rate / m->base_fp8_rate / *ratio;
}

static bool carried_by_peaks(const rc_machine *m) {
    return ((m->derived & rc_machine_bit("gemm_ratio")) && m->gemm_ratio != 1.0) ||
           ((m->derived & rc_machine_bit("attention_ratio")) && m->attention_ratio != 1.0) ||
           ((m->derived & rc_machine_bit("hbm_ratio")) && m->hbm_ratio != 1.0);
}

/* A fitted number that the file leaves to published rates would follow from them without the fit. */
static void state_derived(rc_machine *m) {
    rc_machine bare = *m;
    bare.fitted_count = 0;
    rc_machine_derive(&bare);
    for (int i = 0; i < m->fitted_count; i++) {
        unsigned bit = rc_machine_bit(m->fitted[i].name);
        if (m->derived & bit)
            m->fitted[i].stated = *rc_machine_field(&bare, m->fitted[i].name);
        m->derived &= ~bit;
    }
}

void rc_machine_derive(rc_machine *m) {
    if (m->fitted_count > 0)
        state_derived(m);
    derive_matrix(m, "gemm_ratio", &m->gemm_ratio, &m->gemm_fp8);
    derive_matrix(m, "attention_ratio", &m->attention_ratio, &m->attention_fp8);
    if (m->derived & rc_machine_bit("hbm_ratio"))
        m->hbm_ratio = m->hbm_rate / m->base_hbm_rate;
    if (m->derived & rc_machine_bit("nvlink_ratio"))
        m->nvlink_ratio = m->nvlink_rate / m->base_nvlink_rate;
    if (m->derived & rc_machine_bit("ratio_spread"))
        m->ratio_spread = carried_by_peaks(m) ? DERIVED_SPREAD : 0.0;
    m->file = (rc_machine_links){m->nvlink_rate, m->nic_line_rate, m->peer_rate, m->hop_latency};
    m->file_power = m->power;
}

/* ---- overrides, fits, draws ------------------------------------------------------------------ */

static void scale_fitted(rc_machine *m, const char *key, double by) {
    rc_fitted *f = fitted_of(m, key);
    if (f == NULL)
        return;
    f->value *= by;
    f->lo *= by;
    f->hi *= by;
}

static void move_followers(rc_machine *m, const char *driver, double by, unsigned still) {
    for (size_t i = 0; i < BONDS; i++) {
        const bond *b = &bonds[i];
        unsigned bit = rc_machine_bit(b->follower);
        if (strcmp(b->driver, driver) != 0 || (still & bit) ||
            (b->derived_only && !(m->derived & bit)))
            continue;
        double *at = number_at(m, b->offset), factor = b->against ? 1.0 / by : by;
        *at = (*at > 0.0 ? *at : 1.0) * factor;
        if (at == rc_machine_field(m, b->follower))
            scale_fitted(m, b->follower, factor);
    }
}

static void move(rc_machine *m, const char *key, double value, unsigned still) {
    double *field = rc_machine_field(m, key), by = *field > 0.0 ? value / *field : 0.0;
    if (by > 0.0 && isfinite(by))
        move_followers(m, key, by, still);
    *field = value;
}

const char *rc_machine_inert(const rc_machine *m, const char *key) {
    assert(rc_machine_number_find(key) != NULL);
    static const char *const network[] = {"nic_rate", "nic_line_rate", "peer_rate", "hop_latency"};
    if (strcmp(key, "power") == 0 && strcmp(m->state, "power_limited") != 0)
        return "a board limit changes no time in this clock state; take calibration.state "
               "power_limited, or set bf16_rate and fp8_rate, which its clocks decide";
    if (strcmp(key, "nvlink_rate") == 0 || strcmp(key, "nvlink_ratio") == 0 ||
        strcmp(key, "base_nvlink_rate") == 0)
        return m->intra_transport[0] != '\0' && strcmp(m->intra_transport, "nvlink") != 0
                   ? "the GPUs of a node of this machine do not talk over NVLink; name one whose "
                     "node.transport is nvlink"
                   : NULL;
    for (size_t i = 0; i < sizeof network / sizeof network[0]; i++)
        if (strcmp(key, network[i]) == 0 && m->max_nodes == 1)
            return "this machine is one node without a network; name one whose file has the "
                   "section 'network'";
    return NULL;
}

rc_status rc_machine_override(rc_machine *m, const char *key, double value, rc_error *err) {
    if (rc_machine_field(m, key) == NULL)
        return rc_fail(err, RC_E_INPUT, "unknown machine key '%s'", key);
    const char *why = rc_machine_inert(m, key);
    if (why != NULL)
        return rc_fail(err, RC_E_INPUT, "machine '%s': %s", m->name, why);
    move(m, key, value, m->held);
    m->held |= rc_machine_bit(key);
    if (strcmp(key, "gemm_ratio") == 0) /* a ratio that is stated is of both types */
        m->gemm_fp8 = 1.0;
    if (strcmp(key, "attention_ratio") == 0)
        m->attention_fp8 = 1.0;
    rc_fitted *f = fitted_of(m, key);
    if (f != NULL) /* a what-if is not uncertain */
        f->value = f->lo = f->hi = value;
    return RC_OK;
}

bool rc_machine_overridden(const rc_machine *m, const char *key) {
    assert(rc_machine_number_find(key) != NULL);
    return (m->held & rc_machine_bit(key)) != 0;
}

void rc_machine_set_fitted(rc_machine *m, const double *values) {
    assert(m->fitted_count >= 0 && m->fitted_count <= RC_MAX_FITTED);
    assert(values != NULL || m->fitted_count == 0);
    unsigned still = m->held;
    for (int i = 0; i < m->fitted_count; i++)
        still |= rc_machine_bit(m->fitted[i].name);
    for (int i = 0; i < m->fitted_count; i++)
        move(m, m->fitted[i].name, values[i], still);
}

rc_status rc_machine_check(const rc_machine *m, rc_error *err) {
    if (m->nic_line_rate > m->nic_rate)
        return rc_fail(err, RC_E_INPUT, "nic_line_rate (%.4g B/s) exceeds nic_rate (%.4g B/s)",
                       m->nic_line_rate, m->nic_rate);
    if (m->peer_rate > m->nic_line_rate)
        return rc_fail(err, RC_E_INPUT, "peer_rate (%.4g B/s) exceeds nic_line_rate (%.4g B/s)",
                       m->peer_rate, m->nic_line_rate);
    return RC_OK;
}
