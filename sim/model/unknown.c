/* An architecture that is not read: what its keys show, what its name tells, whether it is a
 * misspelling of one that is read, and else what the user can do.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sim/model/reading.h"

static void append(char *text, size_t size, const char *fmt, const char *a, const char *b) {
    size_t n = strlen(text);
    if (n < size)
        (void)snprintf(text + n, size - n, fmt, a, b);
}

/* The head dimension and the activation are reasons, too, once nothing else is. */
static void look_at_numbers(const rc_node *map, char *text, size_t size) {
    const rc_node *dim = rc_config_given(map, "head_dim"),
                  *act = rc_config_given(map, "hidden_act");
    int64_t width = 0, heads = 0, d = 0;
    char number[24];
    if (act == NULL)
        act = rc_config_given(map, "hidden_activation");
    if (act != NULL && strcmp(rc_node_text(act), "silu") != 0 &&
        strcmp(rc_node_text(act), "swish") != 0)
        append(text, size, "%sthe activation '%s', not silu", text[0] != '\0' ? "; " : "",
               rc_node_text(act));
    if (dim != NULL)
        (void)rc_node_int(dim, "head_dim", 1, 1 << 20, &d, NULL);
    else if (rc_doc_int(map, "hidden_size", 1, 1 << 24, &width, NULL) == RC_OK &&
             rc_doc_int(map, "num_attention_heads", 1, 4096, &heads, NULL) == RC_OK)
        d = width / heads;
    if (d == 0 || d == 128)
        return;
    (void)snprintf(number, sizeof number, "%lld", (long long)d);
    append(text, size, "%sa head dimension of %s (attention was measured for 128)",
           text[0] != '\0' ? "; " : "", number);
}

/* Letters alone, in lower case, and digits alone: "Qwen3ForCausalLM" is "qwenforcausallm", "3". */
static void parts_of(const char *word, char *letters, char *digits, size_t size) {
    size_t a = 0, b = 0;
    for (; *word != '\0' && a + 1 < size && b + 1 < size; word++) {
        if (isdigit((unsigned char)*word))
            digits[b++] = *word;
        else if (isalpha((unsigned char)*word))
            letters[a++] = (char)tolower((unsigned char)*word);
    }
    letters[a] = digits[b] = '\0';
}

/* One letter left out, put in, changed, or changed places with its neighbour. */
static bool one_slip(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b), i = 0;
    while (a[i] != '\0' && a[i] == b[i])
        i++;
    if (n == m)
        return strcmp(a + i, b + i) == 0 || strcmp(a + i + 1, b + i + 1) == 0 ||
               (a[i] == b[i + 1] && a[i + 1] == b[i] && strcmp(a + i + 2, b + i + 2) == 0);
    if (n == m + 1)
        return strcmp(a + i + 1, b + i) == 0;
    return m == n + 1 && strcmp(a + i, b + i + 1) == 0;
}

/* The architecture that `word` misspells: the same numbers, and at most one slip in the letters. A
 * model that has a name of its own, however near, is another model. */
static const char *misspelt(const char *word, const rc_node *decoder) {
    static const char *const others[] = {"llava", "mixtral", "phi", "gemma", NULL};
    char letters[96], digits[96], own[96], own_digits[96];
    const rc_node *type = rc_config_given(decoder, "model_type");
    parts_of(word, letters, digits, sizeof letters);
    for (int i = 0; others[i] != NULL; i++) {
        size_t n = strlen(others[i]);
        if (strncmp(letters, others[i], n) == 0 && strncmp(letters + n, "for", 3) == 0 &&
            digits[0] == '\0')
            return NULL;
    }
    for (int i = 0; rc_model_architecture(i) != NULL; i++) {
        const rc_family *f = rc_family_of_architecture(rc_model_architecture(i));
        parts_of(f->architecture, own, own_digits, sizeof own);
        if (strcmp(digits, own_digits) == 0 && one_slip(letters, own) &&
            (type == NULL || strcmp(rc_node_text(type), f->model_type) == 0))
            return f->architecture;
    }
    return NULL;
}

static void list_architectures(char *text, size_t size) {
    text[0] = '\0';
    for (int i = 0; rc_model_architecture(i) != NULL; i++) {
        char name[96];
        const char *full = rc_model_architecture(i), *end = strstr(full, "ForCausalLM");
        (void)snprintf(name, sizeof name, "%.*s", end != NULL ? (int)(end - full) : 95, full);
        append(text, size, "%s%s", i == 0 ? "" : ", ", name);
    }
}

rc_status rc_config_unknown(const rc_node *root, const rc_node *decoder, const rc_node *at,
                            const char *architecture, rc_error *err) {
    char why[512], names[256];
    assert(at != NULL && architecture != NULL);
    rc_config_reasons(root, decoder, why, sizeof why);
    if (why[0] == '\0' && rc_reason_of_name(architecture) != NULL)
        (void)snprintf(why, sizeof why, "%s", rc_reason_of_name(architecture));
    const char *near = why[0] == '\0' ? misspelt(architecture, decoder) : NULL;
    if (near != NULL)
        return rc_node_fail(at, err, RC_E_UNMODELLED,
                            "architecture '%.95s' is not known; did you mean '%s'?", architecture,
                            near);
    if (why[0] == '\0')
        look_at_numbers(decoder, why, sizeof why);
    if (why[0] != '\0')
        return rc_node_fail(at, err, RC_E_UNMODELLED, "architecture '%.95s' is not modelled: %s",
                            architecture, why);
    list_architectures(names, sizeof names);
    return rc_node_fail(at, err, RC_E_UNMODELLED,
                        "architecture '%.95s' is not known, so neither is what its layers compute; "
                        "known are %s (ForCausalLM). If its layers are those of one of them, write "
                        "that name here",
                        architecture, names);
}
