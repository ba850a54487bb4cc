#!/usr/bin/env bash
# weir at work, in one command: builds the example service, starts it on a free port, sends it real
# requests and shows what comes back. Ends with 0 only if every answer is as promised.
# Installs what is missing (Debian), asks nothing, leaves nothing behind but build/try.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
service=""
broken=0

clean_up() {
    status=$?
    trap - EXIT INT TERM
    if [ -n "$service" ]; then
        kill -TERM "$service" 2>/dev/null || true
        wait "$service" 2>/dev/null || true
    fi
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# ---- showing ------------------------------------------------------------------------------------

bold="" plain=""
if [ -t 1 ]; then
    bold=$'\e[1m' plain=$'\e[0m'
fi

title() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
say() { printf '  %s\n' "$@"; }

# promise <sentence> <command...>: says whether it holds.
promise() {
    local sentence=$1
    shift
    if "$@"; then
        printf '  ok: %s\n' "$sentence"
    else
        printf '  NOT AS PROMISED: %s\n' "$sentence"
        broken=$((broken + 1))
    fi
}

is() { [ "$1" = "$2" ]; }
contains() { grep -qF -- "$2" <<<"$1"; }

# ---- asking -------------------------------------------------------------------------------------

# ask <method> <path> [<token> [<JSON>]]: sets $code, $seconds, $body and what `header` reads.
ask() {
    local options=(-X "$1")
    [ -n "${3:-}" ] && options+=(-H "Authorization: Bearer $3")
    [ -n "${4:-}" ] && options+=(-H "Content-Type: application/json" -d "$4")
    read -r code seconds < <(curl -sS --noproxy '*' --max-time 60 -D "$work/head" -o "$work/body" \
        -w '%{http_code} %{time_total}\n' "${options[@]}" "$url$2")
    body=$(tr -d '\0' <"$work/body")
}

header() { tr -d '\r' <"$work/head" | sed -n "s/^$1: //Ip"; }
status_line() { head -n 1 "$work/head" | tr -d '\r'; }
# What the goods of the category are worth, by the report in $body.
lighting() { body=$(grep -o '"category":"lighting"[^}]*' <<<"$body") number stock_value_cents; }
# The value of a member of the JSON in $body, good enough for one number.
number() { grep -o "\"$1\":[0-9]*" <<<"$body" | head -n 1 | cut -d: -f2; }

# ---- building and starting ----------------------------------------------------------------------

title "Building the example service"
cmake/install-dependencies.sh build
build() {
    cmake -S examples/product_service -B build/try -G Ninja -DCMAKE_BUILD_TYPE=Release &&
        cmake --build build/try --target product_service
}
if ! build >"$work/build.log" 2>&1; then
    cat "$work/build.log"
    exit 1
fi
say "build/try/product_service"

title "Starting it, with a new database on a free port"
mkfifo "$work/output"
exec 3<>"$work/output"
# Nothing in your environment shall change what you see.
env -i "PATH=$PATH" PORT=0 "DATABASE=$work/products.db" \
    build/try/product_service >&3 2>&1 3>&- &
service=$!

url=""
for _ in $(seq 120); do
    if read -r -t 1 line <&3; then
        say "$line"
        url=$(sed -n 's/^product_service listening on //p' <<<"$line")
        [ -n "$url" ] && break
    elif ! kill -0 "$service" 2>/dev/null; then
        break
    fi
done
if [ -z "$url" ]; then
    say "it did not start"
    exit 1
fi

# ---- limits -------------------------------------------------------------------------------------

title "25 quick searches by one client, of which 20 a minute are allowed"
ask GET /products/1 demo-admin
left=$(header RateLimit | sed 's/.*;t=//')
if [ "$left" -lt 10 ]; then
    say "(the limit counts by the minute of the clock; this one ends in $left s, so let it pass)"
    sleep "$left"
fi
codes=""
denied=""
for _ in $(seq 25); do
    ask GET "/search?q=lamp"
    codes+="$code "
    if [ "$code" = 429 ] && [ -z "$denied" ]; then
        denied=$({
            status_line
            echo "Retry-After: $(header Retry-After)"
            echo "RateLimit-Policy: $(header RateLimit-Policy)"
            echo "RateLimit: $(header RateLimit)"
            echo
            echo "$body"
        })
    fi
done
say "$codes"
printf '\n  The first denial in full:\n\n'
sed '/./s/^/    /' <<<"$denied"
printf '\n'
promise "20 times 200, then 429" \
    is "$codes" "$(printf '200 %.0s' $(seq 20))$(printf '429 %.0s' $(seq 5))"
promise "the denial says when to come back" grep -qE '^Retry-After: [1-9][0-9]*$' <<<"$denied"
promise "its body is a problem document" contains "$denied" '#quota-exceeded'

# ---- caches -------------------------------------------------------------------------------------

title "A slow report, twice"
ask GET /reports/sales
say "first:  $code, X-Cache: $(header X-Cache),  $seconds s"
promise "the first is computed" is "$code $(header X-Cache)" "200 miss"
first_report=$body first_seconds=$seconds stock_before=$(lighting)
ask GET /reports/sales
say "second: $code, X-Cache: $(header X-Cache),   $seconds s"
promise "the second comes from the cache" is "$code $(header X-Cache)" "200 hit"
promise "they are the same" is "$body" "$first_report"
promise "the second is faster" \
    awk -v first="$first_seconds" -v second="$seconds" 'BEGIN { exit !(second < first) }'

title "An update of product 42, and everything that shows it"
ask GET /products/42
say "before: $body"
ask GET /products/42
promise "the product is cached" is "$(header X-Cache)" hit
ask GET /products/43
ask PUT /products/42 demo-admin \
    '{"name":"Brass Lamp","category":"lighting","description":"","price_cents":4900,"stock":3}'
say "PUT /products/42 as an administrator: $code"
promise "the update is accepted" is "$code" 200
ask GET /products/42
say "after:  $body"
promise "the product is read afresh" is "$(header X-Cache)" miss
promise "and shows the update" contains "$body" '"name":"Brass Lamp"'
ask GET /products/43
promise "another product is still cached" is "$(header X-Cache)" hit
ask GET /reports/sales
say "the report: $code, X-Cache: $(header X-Cache), $seconds s"
promise "the report is computed afresh" is "$code $(header X-Cache)" "200 miss"
# 157 chandeliers at 23899 before, 3 lamps at 4900 now.
promise "and shows it: lighting in stock was worth $stock_before, now $(lighting)" \
    is "$(lighting)" "$((stock_before - 157 * 23899 + 3 * 4900))"

title "The carts of two users"
ask PUT /me/cart/42 demo-alice '{"quantity":2}'
ask PUT /me/cart/7 demo-bob '{"quantity":1}'
ask GET /me/cart demo-alice
say "alice: $body"
promise "alice has two lamps, at the new price" is "$(number total_cents)" 9800
ask GET /me/cart demo-bob
say "bob:   $body"
promise "bob has something else" contains "$body" '"product_id":7,'
ask GET /me/cart demo-bob
promise "and his cart is cached" is "$(header X-Cache)" hit

title "What the caches and limiters counted: GET /stats"
ask GET /stats
stats=$body
printf '  %-14s %8s %8s %14s %9s\n' cache hits misses computations entries
for cache in product product_page sales_report cart; do
    body=$(grep -o "\"$cache\":{[^}]*}" <<<"$stats")
    printf '  %-14s %8s %8s %14s %9s\n' "$cache" "$(number hits)" "$(number misses)" \
        "$(number computations)" "$(number entries)"
done
body=$(grep -o '"limiters":{[^}]*}' <<<"$stats")
say "the limiters' table: room for $(number capacity) clients in $(number bytes) bytes"
promise "nobody was displaced from it" is "$(number displaced)" 0
promise "the report was asked for three times and computed twice" \
    contains "$(grep -o '"sales_report":{[^}]*}' <<<"$stats")" '"computations":2'

# ---- the end ------------------------------------------------------------------------------------

title "Stopping it (SIGTERM)"
kill -TERM "$service"
status=0
wait "$service" || status=$?
service=""
promise "it ends with 0" is "$status" 0

title "$([ "$broken" -eq 0 ] && echo "All as promised." || echo "$broken not as promised.")"
exit "$((broken != 0))"
