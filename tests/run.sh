#!/usr/bin/env bash
# The test command: installs what is missing, then every check there is, and a summary at the end.
# Builds go to build/<preset>; a second run builds only what changed. A step that fails does not stop
# the ones after it: one run shows all that is wrong.
#
# There is no ccache here: ninja already keeps what did not change, and a first build finds an empty
# cache. Whoever wants it exports CMAKE_CXX_COMPILER_LAUNCHER=ccache.
set -euo pipefail
cd "$(dirname "$0")/.."

jobs=$(nproc)
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$jobs}
export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$jobs}

summary=()
failures=0

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

step() { # title, command...
    local title=$1 start=$SECONDS status=0
    printf '\n=== [%s] %s\n' "$(clock "$SECONDS")" "$title"
    # As a condition the command would run with errexit off; so it gets a subshell of its own.
    set +e
    (
        set -e
        "${@:2}"
    )
    status=$?
    set -e
    local verdict=ok
    [ "$status" -eq 0 ] || { verdict=FAILED; failures=$((failures + 1)); }
    summary+=("$(printf '%-6s %6s  %s' "$verdict" "$(clock $((SECONDS - start)))" "$title")")
    printf '=== [%s] %s: %s\n' "$(clock "$SECONDS")" "$title" "$verdict"
}

sources() { find include examples tests \( -name '*.hpp' -o -name '*.cpp' \) -print0; }

check_format() {
    local formatter=clang-format
    command -v clang-format-14 >/dev/null && formatter=clang-format-14
    if ! "$formatter" --version | grep -q 'version 14\.'; then
        echo "not checked: .clang-format is made for version 14, here is $("$formatter" --version)"
        return
    fi
    sources | xargs -0 -r "$formatter" --dry-run -Werror
}

# configure, build (all headers one by one, too) and test
run_preset() { cmake --workflow --preset "$1"; }

# ThreadSanitizer keeps its shadow at fixed addresses. With the address randomisation of newer kernels
# (vm.mmap_rnd_bits above 28) programs end with "unexpected memory mapping"; without any they start.
# Containers may forbid to switch it off; then it has to work as it is.
run_tsan() {
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        setarch "$(uname -m)" -R cmake --workflow --preset tsan
    else
        run_preset tsan
    fi
}

# Every header through one file that includes all, and the examples, which make the templates real.
run_tidy() {
    {
        echo tests/one_definition/main.cpp
        find examples -name '*.cpp'
    } | sort | xargs -n 1 -P "$CMAKE_BUILD_PARALLEL_LEVEL" clang-tidy -p build/dev-clang --config-file=.clang-tidy --quiet
}

step "packages" cmake/install-dependencies.sh test
step "clang-format" check_format
step "g++: build, tests, examples, consumers, README" run_preset dev
step "clang++: the same" run_preset dev-clang
step "AddressSanitizer and UndefinedBehaviorSanitizer (clang++)" run_preset asan
step "ThreadSanitizer (g++)" run_tsan
step "clang-tidy" run_tidy
step "examples/try.sh" examples/try.sh
step "examples/try_redis.sh" examples/try_redis.sh

printf '\n=== Summary\n'
printf '%s\n' "${summary[@]}"
if [ "$failures" -gt 0 ]; then
    printf '%d of %d steps FAILED after %s\n' "$failures" "${#summary[@]}" "$(clock "$SECONDS")"
    exit 1
fi
printf 'All %d steps passed in %s\n' "${#summary[@]}" "$(clock "$SECONDS")"
