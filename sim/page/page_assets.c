/* The assembler includes the files as they are (sim/page/assets.cmake says where they lie), each
 * ended by a NUL.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/page/page_assets.h"
#include <stddef.h>

#define ASSET(name, file)                                                                          \
    __asm__(".section .rodata\n"                                                                   \
            ".type page_asset_" #name ", @object\n"                                                \
            "page_asset_" #name ":\n"                                                              \
            ".incbin \"" RC_PAGE_FOLDER "/" file "\"\n"                                            \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char page_asset_##name[]

ASSET(css, "page.css");
ASSET(plot, "plot.js");
ASSET(ring, "ring.js");
ASSET(map, "map.js");
ASSET(page, "page.js");

const char *page_css(void) {
    return page_asset_css;
}

const char *page_script(int i) {
    const char *const scripts[] = {page_asset_plot, page_asset_ring, page_asset_map,
                                   page_asset_page};
    return i >= 0 && (size_t)i < sizeof scripts / sizeof scripts[0] ? scripts[i] : NULL;
}
