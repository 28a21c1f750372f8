# The style and scripts of a page are compiled in as they are (page_assets.c).
file(GLOB page_assets CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/page/*.css ${CMAKE_CURRENT_SOURCE_DIR}/page/*.js)
set_source_files_properties(page/page_assets.c PROPERTIES OBJECT_DEPENDS "${page_assets}"
  COMPILE_DEFINITIONS "RC_PAGE_FOLDER=\"${CMAKE_CURRENT_SOURCE_DIR}/page\"")
