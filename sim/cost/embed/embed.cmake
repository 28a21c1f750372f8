# What is compiled into every program that prices: the calibration store (results/**.csv -> rc_embed -> calibration.db ->
# .incbin), and the finished books of the machines in scenarios/machines (the same store -> rc_embed -> builtin_books.c).
# rc_embed is made of the program's own readers and builder: a CSV it takes is one the program takes, and a book it
# writes is the one that the program would build. So rc_cost is the code alone, which rc_embed is linked with, and
# rc_embedded what was made.
#
# What rc_embed makes is the same whatever the compiler and its options, and takes a quarter of a minute of processor time.
# A build that is given RC_EMBEDDED takes the calibration.db and builtin_books.c of that folder, which another build has
# made of these sources (`./dev` gives those of build/ to the builds beside it), and has no rc_embed.
set(RC_EMBEDDED "" CACHE PATH "Folder with what rc_embed of another build has made; none: this build makes it")
if(NOT TARGET rc_cost)
  return()
endif()
if(RC_EMBEDDED)
  get_filename_component(embedded ${RC_EMBEDDED} ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
else()
  set(embedded ${PROJECT_BINARY_DIR}/embed)
endif()
set(calibration_db ${embedded}/calibration.db)
set(builtin_books ${embedded}/builtin_books.c)
add_library(rc_embedded STATIC cost/embed/embedded.c ${builtin_books})
target_link_libraries(rc_embedded PRIVATE rc_options)
set_source_files_properties(cost/embed/embedded.c PROPERTIES OBJECT_DEPENDS ${calibration_db}
  COMPILE_DEFINITIONS "RC_EMBED_DB=\"${calibration_db}\"")
target_link_libraries(rc_cost INTERFACE rc_embedded)

if(NOT RC_EMBEDDED)
  file(GLOB calibration_csv CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/results/calibration/*/*.csv ${PROJECT_SOURCE_DIR}/results/published/*.csv)
  file(GLOB machine_yaml CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/scenarios/machines/*.yaml)
  add_executable(rc_embed cost/embed/embed_main.c cost/embed/book_text.c)
  set_target_properties(rc_embed PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${embedded})
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_dependencies(rc_embed rc_cost)
    target_link_libraries(rc_embed PRIVATE $<TARGET_FILE:rc_cost>)
  else() # half a minute where nothing is optimised, and minutes under sanitizers
    file(GLOB cost_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cost/*.c)
    target_sources(rc_embed PRIVATE ${cost_sources})
    target_compile_options(rc_embed PRIVATE -O2 -fno-sanitize=all)
  endif()
  target_link_libraries(rc_embed PRIVATE rc_machine rc_model rc_base rc_options PkgConfig::SQLITE PkgConfig::GSL)
  add_custom_command(OUTPUT ${calibration_db} ${builtin_books}
    COMMAND rc_embed ${calibration_db} ${builtin_books} ${calibration_csv} ${machine_yaml}
    DEPENDS rc_embed ${calibration_csv} ${machine_yaml} COMMENT "Building the embedded calibration store and books"
    VERBATIM)
endif()
