/* Names in the languages that Ringcast writes: one function a language, so that no name, however
 * odd, ends the string or comment that holds it and becomes part of a program or a document.
 *
 * Who quotes the other languages: JSON sim/base/json.h (jansson), CSV rc_csv_put in sim/base/csv.h,
 * gnuplot rc_plot_text in sim/plot/gnuplot.h, HTML html_text in sim/page/html.h, timelines
 * sim/timeline/span_file.h; SQL takes names as bound parameters only.
 *
 * `s` is UTF-8 without control characters where it came through rc_doc_string or rc_doc_label;
 * other text is taken too, and written so that the result still reads as one value. Failures of the
 * stream are left to whoever closes it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_QUOTE_H
#define RC_BASE_QUOTE_H
#include <stdbool.h>
#include <stdio.h>

/* True when `s` holds a control character (C0, DEL, C1 in UTF-8) or is not UTF-8: such text is no
 * name. Readers of names refuse it, whatever the file. */
bool rc_text_has_control(const char *s);

/* As a YAML or JSON scalar in double quotes: it reads back as this text, never as a number or a
 * flag. */
void rc_quote_yaml(FILE *f, const char *s);

/* As a label value of Prometheus' text exposition format, with its quotes. */
void rc_quote_prometheus(FILE *f, const char *s);

/* For a terminal, in place: what is no UTF-8 and all control characters but line ends and tabs become
 * '?', so that no text of a file moves a cursor or sets a title. */
void rc_quote_terminal(char *s);

/* Inside a C block comment: what would end it or begin another one is pulled apart by a space. */
void rc_quote_c_comment(FILE *f, const char *s);

#endif
