#!/bin/sh
# Every header below include/ is in the list of exactly one target of CMakeLists.txt; otherwise it
# would not be installed, and nobody would see it here.
#   headers_are_listed.sh <include directory> <file with the listed headers>
set -eu
found=$(mktemp) listed=$(mktemp)
trap 'rm -f "$found" "$listed"' EXIT
(cd "$1" && find . -name '*.hpp') | sed 's#^\./##' | LC_ALL=C sort > "$found"
LC_ALL=C sort "$2" > "$listed"
if ! diff "$found" "$listed"; then
    echo "< is missing in CMakeLists.txt; > is listed twice or does not exist" >&2
    exit 1
fi
