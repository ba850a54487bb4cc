#!/bin/sh
# Installs the Debian packages that weir's own programs need; those that are there stay as they are.
#   cmake/install-dependencies.sh build       compiler, CMake and what the example service links
#   cmake/install-dependencies.sh redis       all of that, and a Redis server to try it with
#   cmake/install-dependencies.sh test        all of that, and what tests/run.sh uses
#   cmake/install-dependencies.sh benchmarks  all of that, and what the benchmarks compare with
# The library itself needs a C++20 compiler and nothing else; weir::redis needs libhiredis-dev and
# weir::json nlohmann-json3-dev. Asks no question; works as root or through sudo.
set -eu

build="g++ cmake ninja-build pkgconf curl libcpp-httplib-dev libsqlite3-dev
    nlohmann-json3-dev libhiredis-dev"
redis="redis-server"
test="clang libclang-rt-dev clang-format clang-tidy libgtest-dev libgmock-dev librapidcheck-dev
    python3 python3-redis iproute2"
benchmarks="libbenchmark-dev libtbb-dev"

case "${1:-}" in
    build) packages="$build" ;;
    redis) packages="$build $redis" ;;
    test) packages="$build $redis $test" ;;
    benchmarks) packages="$build $redis $test $benchmarks" ;;
    *) echo "usage: $0 build|redis|test|benchmarks" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "$0: this script knows Debian and its relatives only. Please install the equivalents of:" >&2
    echo "    $packages" >&2
    exit 1
fi

missing=""
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status} ' "$package" 2>/dev/null) || status=""
    case "$status" in
        "installed "*) ;;
        *) missing="$missing $package" ;;
    esac
done
if [ -z "$missing" ]; then
    exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "$0: neither root nor sudo. Please have someone install:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

# sudo drops the environment, so the variables are set behind it. The lock timeout is for machines
# whose automatic updates run at this very moment.
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
        apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null
}
echo "$0: installing$missing"
# A mirror that does not answer is no reason to stop while the others do: install tells.
apt update || echo "$0: apt-get update failed; trying with the lists that are there" >&2
# shellcheck disable=SC2086  # a list of names without spaces
apt install --no-install-recommends $missing

# Debian starts the server of this package at once and whenever the machine starts. The tests start
# servers of their own and need the program only, so whoever had no server before has none now. A
# server that was there before is not touched: then the package was not missing.
case "$missing " in
    *" redis-server "*) ;;
    *) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
    $as_root systemctl --quiet disable --now redis-server.service
elif /sbin/runlevel >/dev/null 2>&1; then # another init system; in a container there is none
    $as_root service redis-server stop
    $as_root update-rc.d redis-server disable
fi
