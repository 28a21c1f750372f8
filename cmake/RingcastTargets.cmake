# What a build leaves out is said at its end, where it is seen: rc_skipped(TEXT) keeps a line for it.
function(rc_skipped text)
  string(REPLACE ";" "," text "${text}") # a list's own sign
  set_property(GLOBAL APPEND PROPERTY RC_SKIPPED "${text}")
endfunction()
function(rc_say_skipped)
  get_property(skipped GLOBAL PROPERTY RC_SKIPPED)
  foreach(text ${skipped})
    message(STATUS "${text}")
  endforeach()
endfunction()

# rc_options: the flags every C target of the project is compiled with.
add_library(rc_options INTERFACE)
target_compile_options(rc_options INTERFACE
  $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wconversion -Wshadow -fno-math-errno -ffp-contract=off>
  $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>)
target_compile_definitions(rc_options INTERFACE _POSIX_C_SOURCE=200809L)
target_include_directories(rc_options INTERFACE ${PROJECT_SOURCE_DIR})
if(RC_WERROR)
  target_compile_options(rc_options INTERFACE $<$<COMPILE_LANGUAGE:C>:-Werror>)
endif()
if(RC_SANITIZE)
  target_compile_options(rc_options INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-fsanitize=${RC_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g>)
  target_link_options(rc_options INTERFACE -fsanitize=${RC_SANITIZE})
endif()

# RC_SHARED_ROOMS: each room is a shared library, so that another version of one source file costs one small link and
# every test and the program run with it (tests/mutate). Slower to start: not for use.
option(RC_SHARED_ROOMS "Rooms are shared libraries (for tests/mutate)" OFF)
if(RC_SHARED_ROOMS)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  set(CMAKE_LINK_DEPENDS_NO_SHARED ON)
  set(room_type SHARED)
else()
  set(CMAKE_C_VISIBILITY_PRESET hidden) # libringcast shows what its header declares
  set(room_type STATIC)
endif()

option(RC_COVERAGE "Rooms and the program count what of them is run (gcov)" OFF)

# rc_room(NAME DEPS room... LIBS lib...): one library per room of sim/. A room may include
# only the rooms it names here (the arrows of docs/design.md); tests/unit/test_arrows.sh checks it.
function(rc_room name)
  cmake_parse_arguments(R "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c)
  if(NOT sources)
    return()
  endif()
  add_library(rc_${name} ${room_type} ${sources})
  target_link_libraries(rc_${name} PUBLIC rc_options ${R_LIBS})
  if(RC_COVERAGE)
    target_compile_options(rc_${name} PRIVATE --coverage)
    target_link_options(rc_${name} PUBLIC --coverage)
  endif()
  foreach(dep ${R_DEPS})
    target_link_libraries(rc_${name} PUBLIC rc_${dep})
  endforeach()
endfunction()
