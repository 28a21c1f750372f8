/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/page/page.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sim/base/file.h"
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/page_assets.h"
#include "sim/page/page_input.h"
#include "sim/page/sections.h"

enum { MOST_SECTIONS = 64, MOST_RINGS = 8 };

typedef struct section {
    const char *kind;
    char title[128];
    json_t *root;
    json_t *grid;              /* tune: its grid, or NULL */
    json_t *rings[MOST_RINGS]; /* timeline: a layer of each, */
    size_t ring_count;         /* root is NULL */
} section;

struct rc_page {
    section at[MOST_SECTIONS];
    size_t count;
};

rc_status rc_page_create(rc_page **out, rc_error *err) {
    *out = calloc(1, sizeof **out);
    return *out ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a page");
}

void rc_page_destroy(rc_page *p) {
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        json_decref(p->at[i].root);
        json_decref(p->at[i].grid);
        for (size_t k = 0; k < p->at[i].ring_count; k++)
            json_decref(p->at[i].rings[k]);
    }
    free(p);
}

size_t rc_page_sections(const rc_page *p) {
    return p->count;
}

const char *rc_page_title(const rc_page *p, size_t i) {
    assert(i < p->count);
    return p->at[i].title;
}

/* ---- inputs ----------------------------------------------------------------------------- */

static section *last_of(rc_page *p, const char *kind) {
    for (size_t i = p->count; i > 0; i--)
        if (strcmp(p->at[i - 1].kind, kind) == 0)
            return &p->at[i - 1];
    return NULL;
}

static rc_status add_section(rc_page *p, const char *kind, const json_t *root, section **out,
                             rc_error *err) {
    if (p->count == MOST_SECTIONS)
        return rc_fail(err, RC_E_INPUT, "a page has at most %d sections", MOST_SECTIONS);
    *out = &p->at[p->count++];
    (*out)->kind = kind;
    input_title(kind, root, (*out)->title, sizeof(*out)->title);
    return RC_OK;
}

/* Timelines stand beside each other in one section. */
static rc_status add_timeline(rc_page *p, const char *name, json_t *root, rc_error *err) {
    section *s = last_of(p, "timeline");
    json_t *ring = ring_of(root);
    const char *of = value_text(json_object_get(root, "ringcast"), "kind");
    if ((strcmp(of, "forward") != 0 && strcmp(of, "ring") != 0) || !ring ||
        json_array_size(json_object_get(ring, "spans")) == 0) {
        json_decref(ring);
        return rc_fail_at(err, RC_E_INPUT, name, 0, 0,
                          "this timeline has no layers (a page shows those of `ringcast forward "
                          "--trace` and `ringcast-calib ring --trace`; ui.perfetto.dev opens all)");
    }
    rc_status st = s ? RC_OK : add_section(p, "timeline", root, &s, err);
    if (st == RC_OK && s->ring_count == MOST_RINGS)
        st = rc_fail_at(err, RC_E_INPUT, name, 0, 0, "a page has at most %d timelines", MOST_RINGS);
    if (st == RC_OK)
        s->rings[s->ring_count++] = ring;
    else
        json_decref(ring);
    return st;
}

/* Takes over `root`. */
static rc_status add_document(rc_page *p, const char *name, json_t *root, rc_error *err) {
    const char *kind = input_kind(root);
    section *s = NULL;
    rc_status st = RC_OK;
    if (!kind) {
        st = rc_fail_at(err, RC_E_INPUT, name, 0, 0,
                        "is no output of forward, choose, tune, serve, plan, sweep, validate or "
                        "paper with --json, and no timeline");
    } else if (strcmp(kind, "timeline") == 0) {
        st = add_timeline(p, name, root, err);
    } else if (strcmp(kind, "grid") == 0 && (s = last_of(p, "tune")) != NULL && !s->grid) {
        s->grid = root;
        return RC_OK;
    } else {
        st = add_section(p, kind, root, &s, err);
        if (st == RC_OK) {
            *(strcmp(kind, "grid") == 0 ? &s->grid : &s->root) = root;
            return RC_OK;
        }
    }
    json_decref(root);
    return st;
}

rc_status rc_page_add_text(rc_page *p, const char *name, const char *text, size_t size,
                           rc_error *err) {
    assert(p != NULL && name != NULL && text != NULL);
    json_t *root;
    RC_TRY(input_parse(name, text, size, &root, err));
    return add_document(p, name, root, err);
}

static rc_status add_file(rc_page *p, const char *path, rc_error *err) {
    char *text = NULL;
    size_t size = 0;
    RC_TRY(input_read(path, &text, &size, err));
    rc_status st = rc_page_add_text(p, path, text, size, err);
    free(text);
    return st;
}

static rc_status add_folder(rc_page *p, const char *path, rc_error *err) {
    static const char *const names[] = {"summary.json", "result.json", "rates.json", "grid.csv"};
    size_t found = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[RC_PATH_SIZE];
        RC_TRY(rc_path_in(file, path, err, "%s", names[i]));
        if (access(file, F_OK) != 0)
            continue;
        RC_TRY(add_file(p, file, err));
        found++;
    }
    return found ? RC_OK
                 : rc_fail_at(err, RC_E_INPUT, path, 0, 0,
                              "holds no summary.json, result.json, rates.json or grid.csv");
}

rc_status rc_page_add(rc_page *p, const char *path, rc_error *err) {
    struct stat at;
    assert(p != NULL && path != NULL);
    if (stat(path, &at) == 0 && S_ISDIR(at.st_mode))
        return add_folder(p, path, err);
    return add_file(p, path, err);
}

/* ---- the page --------------------------------------------------------------------------- */

static void write_section(const section *s, FILE *f) {
    static const struct {
        const char *kind;
        void (*write)(FILE *f, const json_t *root);
    } plain[] = {{"forward", section_forward},   {"choose", section_choose},
                 {"serve", section_serve},       {"rates", section_rates},
                 {"plan", section_plan},         {"paper", section_paper},
                 {"validate", section_validate}, {"sweep", section_sweep}};
    if (strcmp(s->kind, "tune") == 0)
        section_tune(f, s->root, s->grid);
    else if (strcmp(s->kind, "grid") == 0)
        section_grid(f, s->root, s->grid);
    else if (strcmp(s->kind, "timeline") == 0)
        section_rings(f, (const json_t *const *)s->rings, s->ring_count);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(s->kind, plain[i].kind) == 0)
            plain[i].write(f, s->root);
}

/* `tab`: what a browser calls the page; `title`: what stands above it. */
static void write_head(FILE *f, const char *tab, const char *title) {
    (void)fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>",
                f);
    html_text(f, tab);
    (void)fputs("</title>\n<style>\n", f);
    (void)fputs(page_css(), f);
    (void)fputs("</style>\n</head>\n<body>\n<header><h1>", f);
    html_text(f, title);
    (void)fputs("</h1></header>\n", f);
}

static void write_contents(const rc_page *p, FILE *f) {
    if (p->count < 2)
        return;
    (void)fputs("<nav aria-label=\"Sections\"><ol>", f);
    for (size_t i = 0; i < p->count; i++) {
        (void)fprintf(f, "<li><a href=\"#s%zu\">", i);
        html_text(f, p->at[i].title);
        (void)fputs("</a></li>", f);
    }
    (void)fputs("</ol></nav>\n", f);
}

void rc_page_write(const rc_page *p, const char *title, FILE *f) {
    assert(p != NULL && f != NULL);
    char own[192] = "Ringcast";
    if (p->count == 1)
        (void)snprintf(own, sizeof own, "Ringcast, %s", p->at[0].title);
    write_head(f, title ? title : own, title ? title : "Ringcast");
    write_contents(p, f);
    (void)fputs("<main>\n", f);
    for (size_t i = 0; i < p->count; i++) {
        (void)fprintf(f, "<section id=\"s%zu\">\n<h2>", i);
        html_text(f, p->at[i].title);
        (void)fputs("</h2>\n", f);
        write_section(&p->at[i], f);
        (void)fputs("</section>\n", f);
    }
    (void)fputs(
        "</main>\n<footer>Forecasts by Ringcast. A cost was <em>measured</em> on such a "
        "GPU, <em>carried over</em> from another one by physical ratios, <em>published</em> by "
        "others, <em>extrapolated</em> beyond what was measured, <em>modelled</em>, or "
        "<em>stated</em> in a file.</footer>\n",
        f);
    for (int i = 0; page_script(i); i++) {
        (void)fputs("<script>\n", f);
        (void)fputs(page_script(i), f);
        (void)fputs("</script>\n", f);
    }
    (void)fputs("</body>\n</html>\n", f);
}

rc_status rc_page_save(const rc_page *p, const char *title, const char *path, bool overwrite,
                       rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    rc_page_write(p, title, o.f);
    return rc_outfile_commit(&o, err);
}
