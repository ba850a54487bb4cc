#!/bin/sh
# A header may cost at most <budget> preprocessed lines more than a file with the standard headers
# that it reaches. Lines, unlike milliseconds, are the same on every machine.
#   check.sh <compiler> <include directory> <header> <budget>
set -eu
cxx=$1 include=$2 header=$3 budget=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

lines() { "$cxx" -std=c++20 -I"$include" -E -P "$1" | wc -l; }

echo "#include <$header>" > "$work/with.cpp"
# -MM lists the headers of this project that are reached, so the comparison follows every change.
"$cxx" -std=c++20 -I"$include" -MM "$work/with.cpp" |
    grep -o '[^ ]*\.hpp' > "$work/reached"
xargs sed -n 's/^#[ ]*include <\([^>]*\)>.*/#include <\1>/p' < "$work/reached" |
    grep -v '<weir/' | sort -u > "$work/without.cpp" || true

with=$(lines "$work/with.cpp")
without=$(lines "$work/without.cpp")
echo "$header: $with lines; its $(wc -l < "$work/without.cpp") standard headers: $without;" \
     "$((with - without)) more, at most $budget"
[ $((with - without)) -le "$budget" ]
