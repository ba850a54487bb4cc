# Makes the imported target weir::hiredis if hiredis is there. Says nothing if it is not.
#
# Not find_package(Hiredis): Debian's HiredisConfig.cmake ends in an error if it is asked for no
# version, has no one version that is right for all releases, and makes no target.
if(NOT TARGET weir::hiredis)
    find_path(weir_hiredis_INCLUDE_DIR hiredis/read.h)
    find_library(weir_hiredis_LIBRARY hiredis)
    mark_as_advanced(weir_hiredis_INCLUDE_DIR weir_hiredis_LIBRARY)
    if(weir_hiredis_INCLUDE_DIR AND weir_hiredis_LIBRARY)
        # GLOBAL, because a project that embeds weir links it in another directory.
        add_library(weir::hiredis UNKNOWN IMPORTED GLOBAL)
        set_target_properties(weir::hiredis PROPERTIES
            IMPORTED_LOCATION "${weir_hiredis_LIBRARY}"
            INTERFACE_INCLUDE_DIRECTORIES "${weir_hiredis_INCLUDE_DIR}")
    endif()
endif()
