# Libraries the simulator rests on. All are Debian packages; `./dev` installs them.
find_package(PkgConfig REQUIRED)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(GSL REQUIRED IMPORTED_TARGET gsl)
pkg_check_modules(LZMA REQUIRED IMPORTED_TARGET liblzma)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)

# MPI (3 or newer, any implementation) spreads `ringcast sweep` over processes and nodes, and lets
# ringcast-calib measure across nodes, one process a GPU. Never needed on one machine.
option(RC_MPI "Use MPI when it is found" ON)
if(RC_MPI)
  find_package(MPI 3.0 COMPONENTS C QUIET)
endif()
if(NOT MPI_C_FOUND)
  rc_skipped("MPI: SKIPPED (not found, or RC_MPI=OFF): sweeps run in one process, the calibrator on one node")
endif()

# RC_STATIC_DEPS: the libraries above go into the binaries, which then start on a machine that has
# none of them (a GPU machine that holds CUDA and little else). --as-needed drops what is only named.
option(RC_STATIC_DEPS "Link libyaml, jansson, sqlite3, gsl, lzma and zlib statically" OFF)
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
  rc_static(LZMA LZMA lzma)
  rc_static(ZLIB ZLIB z)
  add_link_options(-Wl,--as-needed)
endif()
