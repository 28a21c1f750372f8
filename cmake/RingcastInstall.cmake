# What `cmake --install` puts where, and the packages that `cpack` makes of it. The program finds its data from its own
# place (sim/base/share.c), so the whole may be moved.
set(data ${CMAKE_INSTALL_DATADIR}/ringcast)
install(TARGETS ringcast RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET ringcast-calib)
  install(TARGETS ringcast-calib RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT calibrator)
endif()
install(DIRECTORY models scenarios schema DESTINATION ${data})
install(DIRECTORY results/validation DESTINATION ${data}/results)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

# Manual pages and completion are what the program itself writes.
set(written ${PROJECT_BINARY_DIR}/written)
add_custom_command(OUTPUT ${written}/done
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${written}
  COMMAND ringcast manual ${written}/man
  COMMAND sh -c "'$<TARGET_FILE:ringcast>' completion bash > ${written}/ringcast"
  COMMAND sh -c "'$<TARGET_FILE:ringcast>' completion zsh > ${written}/_ringcast"
  COMMAND sh -c "'$<TARGET_FILE:ringcast>' completion fish > ${written}/ringcast.fish"
  COMMAND ${CMAKE_COMMAND} -E touch ${written}/done
  DEPENDS ringcast VERBATIM COMMENT "Writing manual pages and completion")
add_custom_target(ringcast_written ALL DEPENDS ${written}/done)
install(DIRECTORY ${written}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
install(DIRECTORY ${written}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 FILES_MATCHING PATTERN "*.5")
install(FILES ${written}/ringcast DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${written}/_ringcast DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${written}/ringcast.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# The library.
install(TARGETS libringcast EXPORT RingcastTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${RC_STATIC_LIBRARY} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/ringcast/ringcast.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ringcast)
file(RELATIVE_PATH RC_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" RC_TO_PREFIX ${RC_TO_PREFIX})
configure_file(cmake/ringcast.pc.in ${PROJECT_BINARY_DIR}/ringcast.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ringcast.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
include(CMakePackageConfigHelpers)
set(config ${CMAKE_INSTALL_LIBDIR}/cmake/Ringcast)
configure_package_config_file(cmake/RingcastConfig.cmake.in ${PROJECT_BINARY_DIR}/RingcastConfig.cmake
  INSTALL_DESTINATION ${config} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/RingcastConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/RingcastConfig.cmake ${PROJECT_BINARY_DIR}/RingcastConfigVersion.cmake
  DESTINATION ${config})
install(EXPORT RingcastTargets NAMESPACE ringcast:: DESTINATION ${config})

# `cpack`: a Debian package that depends on the libraries that the linker named.
set(CPACK_GENERATOR "DEB;TGZ")
set(CPACK_PACKAGE_NAME ringcast)
set(CPACK_PACKAGE_VENDOR "Ringcast")
set(CPACK_PACKAGE_CONTACT "Ringcast <ringcast@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Forecasts the latency of long-context LLM inference")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS gnuplot-nox)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "A discrete-event simulator replays ring attention, tensor parallelism and serving
over costs that were measured on real GPUs: how long a prompt takes, which
variant is the faster one, what the cheapest cluster for a load is. Needs no GPU.
Holds the program, the C library libringcast, models, machines and scenarios.")
include(CPack)
