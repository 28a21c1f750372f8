/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/page/html.h"
#include <stdint.h>
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LONG = 32 }; /* characters of a cell that is given room */

void html_text(FILE *f, const char *s) {
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        switch (c) {
        case '&':
            (void)fputs("&amp;", f);
            break;
        case '<':
            (void)fputs("&lt;", f);
            break;
        case '>':
            (void)fputs("&gt;", f);
            break;
        case '"':
            (void)fputs("&quot;", f);
            break;
        case '\'':
            (void)fputs("&#39;", f);
            break;
        default: /* a control character is no text */
            (void)fputc(c < 0x20 || c == 0x7F ? ' ' : c, f);
        }
    }
}

/* A number that nobody knows, "nan", is a question mark; a number and its per cent sign stay on one
 * line. */
static void put_sentence(FILE *f, char *text) {
    for (char *s = text; (s = strstr(s, "nan")) != NULL;) {
        bool word = (s > text && isalpha((unsigned char)s[-1])) || isalpha((unsigned char)s[3]);
        if (!word) {
            char *from = s > text && s[-1] == '-' ? s - 1 : s;
            *from = '?';
            memmove(from + 1, s + 3, strlen(s + 3) + 1);
        }
        s += word ? 3 : 0;
    }
    for (char *s; (s = strstr(text, " %")) != NULL; text = s + 1) {
        *s = '\0';
        html_text(f, text);
        (void)fputs("&nbsp;", f);
    }
    html_text(f, text);
}

void html_say(FILE *f, const char *kind, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)fprintf(f, "<p class=\"%s\">", kind);
    put_sentence(f, text);
    (void)fputs("</p>\n", f);
}

void html_heading(FILE *f, const char *text) {
    (void)fputs("<h3>", f);
    html_text(f, text);
    (void)fputs("</h3>\n", f);
}

/* ---- tables ----------------------------------------------------------------------------- */

void html_table(FILE *f, const char *caption, const html_column *columns, size_t count) {
    (void)fputs("<figure class=\"rows\"><figcaption>", f);
    html_text(f, caption);
    (void)fputs("</figcaption><div class=\"wide\"><table>\n<thead><tr>", f);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(f, "<th scope=\"col\"%s>", columns[i].number ? " class=\"n\"" : "");
        html_text(f, columns[i].name);
        (void)fputs("</th>", f);
    }
    (void)fputs("</tr></thead>\n<tbody>", f);
}

/* A row that is open is closed by the next one and by the end of the table, as HTML allows. */
void html_row(FILE *f, bool marked) {
    (void)fputs(marked ? "\n<tr class=\"this\">" : "\n<tr>", f);
}

void html_cell(FILE *f, const char *text) {
    (void)fputs(strlen(text) > LONG ? "<td class=\"long\">" : "<td>", f);
    html_text(f, text);
}

void html_cell_real(FILE *f, double v, int digits) {
    if (isfinite(v))
        (void)fprintf(f, "<td class=\"n\" data-v=\"%.9g\">%.*f", v, digits, v);
    else
        (void)fputs("<td class=\"n\">", f);
}

void html_cell_bar(FILE *f, double share) {
    double pct = isfinite(share) ? 100.0 * share : 0.0;
    double width = pct < 0.0 ? 0.0 : pct > 100.0 ? 100.0 : pct;
    (void)fprintf(f,
                  "<td class=\"n\" data-v=\"%.9g\"><span class=\"bar\" style=\"--w:%.2f%%\">"
                  "</span><span class=\"pct\">%.1f&nbsp;%%</span>",
                  pct, width, pct);
}

void html_table_end(FILE *f) {
    (void)fputs("\n</tbody></table></div></figure>\n", f);
}

/* ---- parts of a whole ------------------------------------------------------------------- */

void html_stack(FILE *f, const char *caption, const json_t *parts) {
    const char *name;
    const json_t *v;
    double whole = 0.0;
    int i = 0;
    json_object_foreach((json_t *)(uintptr_t)parts, name, v) {
        whole += json_number_value(v) > 0.0 ? json_number_value(v) : 0.0;
    }
    if (!(whole > 0.0) || !isfinite(whole))
        return;
    (void)fputs("<figure class=\"stack\"><figcaption>", f);
    html_text(f, caption);
    (void)fputs("</figcaption><div class=\"track\">", f);
    json_object_foreach((json_t *)(uintptr_t)parts, name, v) {
        double pct = 100.0 * json_number_value(v) / whole;
        if (pct > 0.0)
            (void)fprintf(f, "<i class=\"k%d\" style=\"width:%.3f%%\"></i>", i % 6, pct);
        i++;
    }
    (void)fputs("</div><ul>", f);
    i = 0;
    json_object_foreach((json_t *)(uintptr_t)parts, name, v) {
        double pct = 100.0 * json_number_value(v) / whole;
        if (pct >= 0.05) {
            (void)fprintf(f, "<li><i class=\"k%d\"></i>", i % 6);
            html_text(f, name);
            (void)fprintf(f, " %.1f&nbsp;%%</li>", pct);
        }
        i++;
    }
    (void)fputs("</ul></figure>\n", f);
}

/* ---- figures ---------------------------------------------------------------------------- */

/* JSON inside a script element: nothing in it may look like the end of one. */
static int put_json(const char *text, size_t size, void *to) {
    FILE *f = to;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '<' || text[i] == '>' || text[i] == '&')
            (void)fprintf(f, "\\u%04x", text[i]);
        else
            (void)fputc(text[i], f);
    }
    return 0;
}

void html_figure(FILE *f, const char *kind, const char *caption, json_t *data) {
    if (!data)
        return;
    (void)fprintf(f, "<figure class=\"%s\" data-figure=\"%s\"><figcaption>", kind, kind);
    html_text(f, caption);
    (void)fputs("</figcaption><script type=\"application/json\">", f);
    (void)json_dump_callback(data, put_json, f, JSON_COMPACT | JSON_REAL_PRECISION(9));
    (void)fputs("</script></figure>\n", f);
    json_decref(data);
}

json_t *plot_data(const html_axis *x, const html_axis *y) {
    return json_pack("{s:{s:s, s:b}, s:{s:s, s:b}, s:[], s:[]}", "x", "name", x->name, "log",
                     x->log, "y", "name", y->name, "log", y->log, "series", "lines");
}

json_t *plot_series(json_t *plot, const char *name, bool line) {
    json_t *s = json_pack("{s:s, s:b, s:[]}", "name", name, "line", line, "points");
    if (!plot || !s || json_array_append_new(json_object_get(plot, "series"), s) != 0)
        return NULL;
    return s;
}

static bool shows(const json_t *plot, const char *axis, double v) {
    bool log = json_is_true(json_object_get(json_object_get(plot, axis), "log"));
    return isfinite(v) && (!log || v > 0.0);
}

void plot_point(json_t *plot, json_t *series, double x, double y, const char *label) {
    if (!series || !shows(plot, "x", x) || !shows(plot, "y", y))
        return;
    (void)json_array_append_new(json_object_get(series, "points"),
                                label ? json_pack("[f, f, s]", x, y, label)
                                      : json_pack("[f, f]", x, y));
}

void plot_diagonal(json_t *plot) {
    if (plot)
        (void)json_array_append_new(json_object_get(plot, "lines"),
                                    json_pack("{s:b}", "diagonal", 1));
}

void plot_level(json_t *plot, double v, const char *name) {
    if (plot && isfinite(v))
        (void)json_array_append_new(json_object_get(plot, "lines"),
                                    json_pack("{s:f, s:s}", "level", v, "name", name));
}
