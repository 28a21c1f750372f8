/* From files to a model: config.json, and modelopt's quantisation file beside it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/file.h"
#include "sim/base/quote.h"
#include "sim/model/reading.h"

/* The model's name is the file's without its end: "a/b/llama-3.1-8b.json" -> "llama-3.1-8b". */
static rc_status stem(const char *path, char *out, size_t size, rc_error *err) {
    const char *slash = strrchr(path, '/');
    const char *from = slash != NULL ? slash + 1 : path;
    size_t n = strlen(from);
    if (n > 5 && strcmp(from + n - 5, ".json") == 0)
        n -= 5;
    if (n >= size)
        return rc_fail_at(err, RC_E_INPUT, path, 0, 0,
                          "the file's name, which names the model, is longer than %zu bytes",
                          size - 1);
    memcpy(out, from, n);
    out[n] = '\0';
    if (rc_text_has_control(out))
        return rc_fail_at(err, RC_E_INPUT, path, 0, 0,
                          "the file's name, which names the model, is not plain text");
    return RC_OK;
}

/* JSON as Python reads it. */
static rc_status parse_json(const char *name, const char *text, unsigned long size, rc_doc **doc,
                            rc_notes *notes, rc_error *err) {
    const char *twice = NULL;
    RC_TRY(rc_doc_parse_json(name, text, size, doc, &twice, err));
    if (twice != NULL)
        rc_note(notes, "key '%.60s' stands twice in %.160s; the last one counts", twice, name);
    return RC_OK;
}

static rc_status read_modelopt(const char *name, const char *text, unsigned long size, rc_model *m,
                               rc_error *err) {
    rc_doc *doc = NULL;
    RC_TRY(parse_json(name, text, size, &doc, &m->notes, err));
    rc_status st = rc_quant_read_modelopt(rc_doc_root(doc), m, err);
    rc_doc_close(doc);
    return st;
}

rc_status rc_model_parse_quantised(const char *name, const char *text, unsigned long size,
                                   const char *quant_name, const char *quant,
                                   unsigned long quant_size, rc_model *out, rc_error *err) {
    rc_doc *doc = NULL;
    rc_model m = {0};
    assert(name != NULL && text != NULL);
    assert(quant == NULL || quant_name != NULL);
    RC_TRY(stem(name, m.name, sizeof m.name, err));
    RC_TRY(parse_json(name, text, size, &doc, &m.notes, err));
    rc_status st = rc_config_read(rc_doc_root(doc), &m, err);
    rc_doc_close(doc);
    if (st == RC_OK && quant != NULL && m.quant.method[0] == '\0')
        st = read_modelopt(quant_name, quant, quant_size, &m, err);
    if (st == RC_OK)
        *out = m;
    return st;
}

rc_status rc_model_parse(const char *name, const char *text, unsigned long size, rc_model *out,
                         rc_error *err) {
    return rc_model_parse_quantised(name, text, size, NULL, NULL, 0, out, err);
}

bool rc_model_beside(const char *path, char *out, unsigned long size) {
    assert(path != NULL && size > 0);
    const char *slash = strrchr(path, '/');
    size_t n = strlen(path), folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    if (n > folder + 5 && strcmp(path + n - 5, ".json") == 0)
        n -= 5;
    for (int i = 0; i < 2; i++) {
        int took = i == 0 ? snprintf(out, size, "%.*s.hf_quant_config.json", (int)n, path)
                          : snprintf(out, size, "%.*shf_quant_config.json", (int)folder, path);
        FILE *f = took > 0 && (size_t)took < size ? fopen(out, "r") : NULL;
        if (f != NULL) {
            (void)fclose(f);
            return true;
        }
    }
    return false;
}

rc_status rc_model_load(const char *path, rc_model *out, rc_error *err) {
    char *text = NULL, *quant = NULL, beside[1200];
    size_t size = 0, quant_size = 0;
    RC_TRY(rc_file_read(path, &text, &size, err));
    rc_status st = RC_OK;
    if (rc_model_beside(path, beside, sizeof beside))
        st = rc_file_read(beside, &quant, &quant_size, err);
    if (st == RC_OK)
        st = rc_model_parse_quantised(path, text, size, beside, quant, quant_size, out, err);
    free(text);
    free(quant);
    return st;
}
