#!/usr/bin/env bash
# The ways in which another project gets weir, each from nothing to a program that runs.
#   check.sh plain_include | add_subdirectory | add_subdirectory_with_components | install
#   check.sh find_package | contract | redis | json | pkg_config | pkg_config_redis |
#            other_version_is_refused | contract_without_gtest_is_refused |
#            redis_without_hiredis_is_refused | json_without_nlohmann_is_refused
#                                                        (these need `install` before them)
# The environment says with what: CXX, CMAKE, CMAKE_GENERATOR, WEIR_VERSION, WEIR_BUILD (a configured
# build of weir), WORK (a directory to use).
set -euo pipefail
kind=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
moved=$WORK/moved
work=$WORK/$kind
rm -rf "$work"
mkdir -p "$work"
export CMAKE_PREFIX_PATH=$moved PKG_CONFIG_PATH=$moved/share/pkgconfig CXX CMAKE_GENERATOR
# What a developer exported for weir itself is not for its users.
unset CXXFLAGS CMAKE_BUILD_TYPE

fail() { echo "consumer.$kind: $*" >&2; exit 1; }

configure() { "$CMAKE" -S "$here/$1" -B "$work/build" "${@:2}"; }

# Weir without its components must do without what they need.
no_gtest=-DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON
no_json=-DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON
no_hiredis=-Dweir_hiredis_LIBRARY=OFF
without_dependencies=("$no_gtest" "$no_json" "$no_hiredis")

configure_must_fail_with() { # message, then arguments of configure
    if configure "${@:2}" > "$work/log" 2>&1; then fail "configured, and must not: ${*:2}"; fi
    # CMake wraps its messages.
    tr -s ' \n' ' ' < "$work/log" | grep -qF -- "$1" || { cat "$work/log"; fail "other reason than: $1"; }
}

use_pkg_config() { # module, source
    [ "$(pkg-config --modversion "$1")" = "$WEIR_VERSION" ] || fail "another version"
    local flags dependencies
    read -ra flags <<< "$(pkg-config --cflags --libs "$1")"
    "$CXX" -std=c++20 "$2" "${flags[@]}" -o "$work/program"
    "$work/program"
    # Not by chance from the source tree: the flags lead to the moved place and nowhere else.
    dependencies=$("$CXX" -std=c++20 "${flags[@]}" -MM "$2")
    ! grep -qF "$root/include" <<< "$dependencies" || fail "used the source tree"
}

case $kind in
plain_include)
    "$CXX" -std=c++20 -I"$root/include" "$here/main.cpp" -pthread -o "$work/main"
    "$work/main"
    ;;
add_subdirectory)
    configure add_subdirectory "-DWEIR_ROOT=$root" "${without_dependencies[@]}"
    "$CMAKE" --build "$work/build"
    "$work/build/main"
    tests=$(cd "$work/build" && "${CMAKE%cmake}ctest" -N)
    grep -q 'Total Tests: 0' <<< "$tests" || fail "embedding brought tests along: $tests"
    [ ! -e "$work/build/weir/tests" ] || fail "embedding configured the tests"
    [ ! -e "$work/build/weir/examples" ] || fail "embedding configured the examples"
    "$CMAKE" --install "$work/build" --prefix "$work/installed"
    [ ! -e "$work/installed" ] || fail "embedding installs: $(find "$work/installed")"
    ;;
add_subdirectory_with_components)
    configure add_subdirectory "-DWEIR_ROOT=$root" "-DCOMPONENTS=redis;json"
    "$CMAKE" --build "$work/build"
    "$work/build/redis"
    "$work/build/json"
    ;;
install)
    rm -rf "$moved"
    "$CMAKE" --install "$WEIR_BUILD" --prefix "$work/first_place"
    mv "$work/first_place" "$moved"
    if grep -rlF -e "$work" -e "$root" "$moved"; then fail "these files know where they were"; fi
    ;;
find_package)
    configure find_package "-DWANTED=${WEIR_VERSION%.*}" "${without_dependencies[@]}"
    "$CMAKE" --build "$work/build"
    "$work/build/main"
    ;;
contract | redis | json)
    configure find_package "-DWANTED=$WEIR_VERSION" "-DCOMPONENTS=$kind"
    "$CMAKE" --build "$work/build"
    "$work/build/$kind"
    ;;
pkg_config)
    use_pkg_config weir "$here/main.cpp"
    ;;
pkg_config_redis)
    use_pkg_config weir-redis "$here/redis.cpp"
    ;;
other_version_is_refused)
    IFS=. read -r major minor patch <<< "$WEIR_VERSION"
    for version in "$((major + 1)).0" "$major.$((minor + 1))" "$major.$minor.$((patch + 1))"; do
        configure_must_fail_with "compatible with requested version \"$version\"" \
            find_package "-DWANTED=$version"
    done
    ;;
contract_without_gtest_is_refused)
    configure_must_fail_with "The component contract needs GoogleTest" \
        find_package "-DWANTED=$WEIR_VERSION" -DCOMPONENTS=contract $no_gtest
    ;;
redis_without_hiredis_is_refused)
    configure_must_fail_with "The component redis needs hiredis" \
        find_package "-DWANTED=$WEIR_VERSION" -DCOMPONENTS=redis $no_hiredis
    ;;
json_without_nlohmann_is_refused)
    configure_must_fail_with "The component json needs nlohmann_json" \
        find_package "-DWANTED=$WEIR_VERSION" -DCOMPONENTS=json $no_json
    ;;
*)
    fail "no such kind"
    ;;
esac
