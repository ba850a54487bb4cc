# Headers go to include/, everything else to share/: nothing here depends on the architecture.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/weir")
set(pkgconfig_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")

install(TARGETS weir EXPORT weirTargets
        FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT weirTargets NAMESPACE weir:: DESTINATION "${package_dir}")
# Each component has an export of its own: find_package(weir) without it never sees what it links.
foreach(component IN ITEMS Contract Redis Json)
    string(TOLOWER "weir_${component}" target)
    install(TARGETS ${target} EXPORT weir${component}Targets
            FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
    install(EXPORT weir${component}Targets NAMESPACE weir:: DESTINATION "${package_dir}")
endforeach()
install(FILES "${CMAKE_CURRENT_LIST_DIR}/weirHiredis.cmake" DESTINATION "${package_dir}")

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/weirConfig.cmake.in" "${PROJECT_BINARY_DIR}/weirConfig.cmake"
    INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break its users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/weirConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/weirConfig.cmake"
              "${PROJECT_BINARY_DIR}/weirConfigVersion.cmake" DESTINATION "${package_dir}")

# The .pc files find the prefix from their own place, so that an installed tree may be moved.
file(RELATIVE_PATH pc_to_prefix "/prefix/${pkgconfig_dir}" "/prefix")
foreach(module IN ITEMS weir weir-redis)
    configure_file("${CMAKE_CURRENT_LIST_DIR}/${module}.pc.in"
                   "${PROJECT_BINARY_DIR}/${module}.pc" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${module}.pc" DESTINATION "${pkgconfig_dir}")
endforeach()
