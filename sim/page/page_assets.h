/* The style and the scripts of a page: the files page.css, plot.js, ring.js, map.js and page.js of
 * this folder, which are compiled in.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PAGE_PAGE_ASSETS_H
#define RC_PAGE_PAGE_ASSETS_H

const char *page_css(void);
const char *page_script(int i); /* in the order in which they run; NULL past the last */

#endif
