# The calibration store compiled into rc_cost: results/**.csv -> rc_embed -> calibration.db -> .incbin.
# rc_embed is the store's own reader and writer, so a CSV it takes is one the program takes.
if(TARGET rc_cost)
  file(GLOB calibration_csv CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/results/calibration/*/*.csv ${PROJECT_SOURCE_DIR}/results/published/*.csv)
  set(calibration_db ${PROJECT_BINARY_DIR}/embed/calibration.db)
  add_executable(rc_embed cost/embed/embed_main.c cost/rows.c cost/store_csv.c cost/store_db.c)
  set_target_properties(rc_embed PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/embed)
  target_link_libraries(rc_embed PRIVATE rc_base rc_options PkgConfig::SQLITE)
  add_custom_command(OUTPUT ${calibration_db}
    COMMAND rc_embed ${calibration_db} ${calibration_csv}
    DEPENDS rc_embed ${calibration_csv} COMMENT "Building the embedded calibration store" VERBATIM)
  add_custom_target(rc_calibration_db DEPENDS ${calibration_db})
  target_sources(rc_cost PRIVATE cost/embed/embedded.c)
  set_source_files_properties(cost/embed/embedded.c PROPERTIES OBJECT_DEPENDS ${calibration_db}
    COMPILE_DEFINITIONS "RC_EMBED_DB=\"${calibration_db}\"")
  add_dependencies(rc_cost rc_calibration_db)
endif()
