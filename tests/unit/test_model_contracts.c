/* What the readers of models assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"

#include <string.h>

#include "sim/model/notes.h"
#include "sim/model/quantisation.h"
#include "sim/schedule/layout.h"

static rc_doc *doc_of(const char *text) {
    rc_doc *d = NULL;
    assert_int_equal(rc_doc_parse("x.json", text, strlen(text), &d, NULL), RC_OK);
    return d;
}

static void test_dtypes(void **state) {
    (void)state;
    trips("(unsigned)d < RC_DTYPES", (void)rc_dtype_name(RC_DTYPES));
    trips("(unsigned)d < RC_DTYPES", (void)rc_dtype_bytes(RC_DTYPES));
    trips("(unsigned)d < RC_DTYPES", (void)rc_dtype_math(RC_DTYPES));
    trips("i >= 0 && i < RC_DTYPES_STATED", (void)rc_dtype_stated(RC_DTYPES_STATED));
}

static void test_order(void **state) {
    (void)state;
    const uint8_t kind_of[] = {0, 1};
    rc_model none = {0}, m = {.layers = 2, .kinds = 1};
    rc_model bad = {.layers = 2, .kinds = 1, .runs = 1};
    trips("m->kinds >= 1 && m->kinds <= RC_KINDS && m->runs >= 0 && m->runs <= RC_RUNS",
          (void)rc_model_runs(&none));
    trips("i >= 0 && i < rc_model_runs(m)", (void)rc_model_run(&m, 1));
    trips("m->run[i].length >= 1 && m->run[i].length <= RC_PATTERN && m->run[i].times >= 1",
          (void)rc_model_run(&bad, 0));
    trips("layer >= 0 && layer < m->layers", (void)rc_model_kind_of(&m, 2));
    trips("kind >= 0 && kind < m->kinds", (void)rc_model_layers_of(&m, 1));
    trips("layers >= 1 && m->kinds >= 1 && m->kinds <= RC_KINDS",
          (void)rc_model_set_order(&m, kind_of, 0));
    trips("kind_of[at] < m->kinds", (void)rc_model_set_order(&m, kind_of, 2));
}

static void test_files(void **state) {
    (void)state;
    rc_model m;
    char path[64];
    trips("name != NULL && text != NULL", (void)rc_model_parse("x.json", NULL, 0, &m, NULL));
    trips("quant == NULL || quant_name != NULL",
          (void)rc_model_parse_quantised("x.json", "{}", 2, NULL, "{}", 2, &m, NULL));
    trips("path != NULL && size > 0", (void)rc_model_beside("x.json", path, 0));
    trips("i >= 0", (void)rc_model_architecture(-1));
    trips("word != NULL", (void)rc_family_of_architecture(NULL));
    trips("word != NULL", (void)rc_family_of_model_type(NULL));
}

static void test_configurations(void **state) {
    (void)state;
    rc_doc *d = doc_of("{a: 1}");
    const rc_node *root = rc_doc_root(d);
    rc_model read = {.layers = 1, .kinds = 1}, none = {0};
    char why[64];
    trips("m->layers == 0 && m->kinds == 0", (void)rc_config_read(root, &read, NULL));
    trips("m->kinds == 1 && m->layers >= 1", (void)rc_config_kinds(root, &none, NULL));
    trips("map != NULL && key != NULL", (void)rc_config_given(NULL, "a"));
    const rc_config nameless = {.root = root, .decoder = root, .m = &none};
    const rc_config dense = {.root = root,
                             .decoder = root,
                             .m = &read,
                             .family = rc_family_of_architecture("LlamaForCausalLM")};
    trips("c != NULL && c->family != NULL", (void)rc_config_check(&nameless, NULL));
    trips("c->family->mixed && c->m->kinds == 1 && c->m->layers >= 1",
          (void)rc_config_mixed(&dense));
    trips("p < RC_PROJS", (void)rc_projection_elements(&read, &read.kind[0], RC_PROJS));
    trips("root != NULL && decoder != NULL && size > 0", rc_config_reasons(root, root, why, 0));
    trips("architecture != NULL", (void)rc_reason_of_name(NULL));
    trips("at != NULL && architecture != NULL",
          (void)rc_config_unknown(root, root, NULL, "GptForCausalLM", NULL));
    rc_doc_close(d);
}

static void test_quantisation(void **state) {
    (void)state;
    rc_doc *d = doc_of("{quant_method: fp8, names: [lm_head]}");
    const rc_node *root = rc_doc_root(d);
    rc_model none = {0};
    rc_quant_reading full = {.groups = RC_QUANT_GROUPS};
    rc_modules *names = NULL;
    trips("r->m->layers >= 1 && r->m->kinds >= 1 && r->m->hidden >= 1",
          (void)rc_quant_read(root, &none, NULL));
    trips("r->groups < RC_QUANT_GROUPS && rows >= 0 && columns >= 0 && bytes >= 0.0",
          rc_quant_add(&full, RC_FP8, 1, 0, 4.0));
    assert_int_equal(rc_modules_open(rc_node_get(root, "names"), &names, NULL), RC_OK);
    trips("layer >= 0 && p >= 0 && p <= RC_PROJS", (void)rc_modules_name(names, 0, RC_PROJS + 1));
    rc_modules_close(names);
    rc_doc_close(d);
}

static void test_notes(void **state) {
    (void)state;
    rc_notes n = {.count = RC_NOTES + 1};
    trips("n->count >= 0 && n->count <= RC_NOTES", rc_note(&n, "text"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes),       cmocka_unit_test(test_order),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_quantisation), cmocka_unit_test(test_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
