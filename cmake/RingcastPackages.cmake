# Libraries the simulator rests on. All are Debian packages; `./dev` installs them.
find_package(PkgConfig REQUIRED)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(GSL REQUIRED IMPORTED_TARGET gsl)
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)

# MPI lets ringcast-calib measure across nodes, one process a GPU. Never needed for one node.
option(RC_MPI "Build ringcast-calib with MPI when it is there" ON)
set(RC_MPI_FOUND OFF)
if(RC_MPI)
  find_package(MPI COMPONENTS C QUIET)
  set(RC_MPI_FOUND ${MPI_C_FOUND})
endif()
if(NOT RC_MPI_FOUND)
  message(STATUS "MPI: SKIPPED (not found, or RC_MPI=OFF): ringcast-calib measures one node only")
endif()

# RC_STATIC_DEPS: the four libraries above go into the binaries, which then start on a machine that has
# none of them (a GPU machine that holds CUDA and little else). --as-needed drops what is only named.
option(RC_STATIC_DEPS "Link libyaml, jansson, sqlite3 and gsl statically" OFF)
if(RC_STATIC_DEPS)
  function(rc_static target prefix)
    set(archives "")
    foreach(name ${ARGN})
      find_library(RC_STATIC_${name} NAMES lib${name}.a HINTS ${${prefix}_LIBDIR} REQUIRED)
      list(APPEND archives ${RC_STATIC_${name}})
    endforeach()
    set_property(TARGET PkgConfig::${target} PROPERTY INTERFACE_LINK_LIBRARIES
      ${archives} m ${CMAKE_DL_LIBS} pthread)
  endfunction()
  rc_static(YAML YAML yaml)
  rc_static(JANSSON JANSSON jansson)
  rc_static(SQLITE SQLITE sqlite3)
  rc_static(GSL GSL gsl gslcblas)
  add_link_options(-Wl,--as-needed)
endif()
