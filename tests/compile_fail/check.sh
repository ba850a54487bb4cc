#!/bin/sh
# A file that must not compile: the compiler must refuse it, and its output must contain every
# sentence that the file announces in lines `// expect: <sentence>`; the first line must be one.
#   check.sh <compiler> <include directory> <file>
set -eu
cxx=$1 include=$2 file=$3

if ! head -n 1 "$file" | grep -q '^// expect: .'; then
    echo "$file: the first line must be \`// expect: <sentence>\`" >&2
    exit 1
fi
# Code is generated, not only checked: -fsyntax-only may leave templates uninstantiated.
if output=$("$cxx" -x c++ -std=c++20 -I"$include" -S -o /dev/null "$file" 2>&1); then
    echo "$file: it compiled, and must not" >&2
    exit 1
fi
missing=$(sed -n 's#^// expect: ##p' "$file" | while IFS= read -r sentence; do
    printf '%s\n' "$output" | grep -qF -- "$sentence" || echo "not in the output: $sentence"
done)
if [ -n "$missing" ]; then
    printf '%s\n%s: %s\n' "$output" "$file" "$missing" >&2
    exit 1
fi
