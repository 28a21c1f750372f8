# What is compiled into rc_cost: the calibration store (results/**.csv -> rc_embed -> calibration.db -> .incbin), and the
# finished books of the machines in scenarios/machines (the same store -> rc_embed -> builtin_books.c).
# rc_embed is made of the program's own readers and builder: a CSV it takes is one the program takes, and a book it
# writes is the one that the program would build.
if(TARGET rc_cost)
  file(GLOB calibration_csv CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/results/calibration/*/*.csv ${PROJECT_SOURCE_DIR}/results/published/*.csv)
  file(GLOB machine_yaml CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/scenarios/machines/*.yaml)
  set(calibration_db ${PROJECT_BINARY_DIR}/embed/calibration.db)
  set(builtin_books ${PROJECT_BINARY_DIR}/embed/builtin_books.c)
  file(GLOB cost_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cost/*.c)
  add_executable(rc_embed cost/embed/embed_main.c cost/embed/book_text.c ${cost_sources})
  # It runs once in each build, for half a minute where nothing is optimised and minutes under sanitizers; what it is made
  # of is tested with the program.
  target_compile_options(rc_embed PRIVATE -O2 -fno-sanitize=all)
  set_target_properties(rc_embed PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/embed)
  target_link_libraries(rc_embed PRIVATE rc_machine rc_model rc_base rc_options PkgConfig::SQLITE PkgConfig::GSL)
  add_custom_command(OUTPUT ${calibration_db} ${builtin_books}
    COMMAND rc_embed ${calibration_db} ${builtin_books} ${calibration_csv} ${machine_yaml}
    DEPENDS rc_embed ${calibration_csv} ${machine_yaml} COMMENT "Building the embedded calibration store and books"
    VERBATIM)
  add_custom_target(rc_calibration_db DEPENDS ${calibration_db} ${builtin_books})
  target_sources(rc_cost PRIVATE cost/embed/embedded.c ${builtin_books})
  set_source_files_properties(cost/embed/embedded.c PROPERTIES OBJECT_DEPENDS ${calibration_db}
    COMPILE_DEFINITIONS "RC_EMBED_DB=\"${calibration_db}\"")
  add_dependencies(rc_cost rc_calibration_db)
endif()
