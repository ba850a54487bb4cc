#!/usr/bin/env bash
# weir at work, in one command: builds the example service, starts it on a free port, sends it real
# requests and shows what comes back. Ends with 0 only if every answer is as promised.
# Installs what is missing (Debian), asks nothing, leaves nothing behind but build/try.
# try_redis.sh shows two instances that share a Redis server.
set -euo pipefail
cd "$(dirname "$0")/.."
. examples/trying.sh

title "Building the example service"
cmake/install-dependencies.sh build
build

title "Starting it, with a new database on a free port"
start shop

# ---- limits -------------------------------------------------------------------------------------

title "25 quick searches by one client, of which 20 a minute are allowed"
wait_for_the_minute shop
codes=""
denied=""
for _ in $(seq 25); do
    ask shop GET "/search?q=lamp"
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
ask shop GET /reports/sales
say "first:  $code, X-Cache: $(header X-Cache),  $seconds s"
promise "the first is computed" is "$code $(header X-Cache)" "200 miss"
first_report=$body first_seconds=$seconds stock_before=$(lighting)
ask shop GET /reports/sales
say "second: $code, X-Cache: $(header X-Cache),   $seconds s"
promise "the second comes from the cache" is "$code $(header X-Cache)" "200 hit"
promise "they are the same" is "$body" "$first_report"
promise "the second is faster" \
    awk -v first="$first_seconds" -v second="$seconds" 'BEGIN { exit !(second < first) }'

title "An update of product 42, and everything that shows it"
ask shop GET /products/42
say "before: $body"
ask shop GET /products/42
promise "the product is cached" is "$(header X-Cache)" hit
ask shop GET /products/43
ask shop PUT /products/42 demo-admin "$brass_lamp"
say "PUT /products/42 as an administrator: $code"
promise "the update is accepted" is "$code" 200
ask shop GET /products/42
say "after:  $body"
promise "the product is read afresh" is "$(header X-Cache)" miss
promise "and shows the update" contains "$body" '"name":"Brass Lamp"'
ask shop GET /products/43
promise "another product is still cached" is "$(header X-Cache)" hit
ask shop GET /reports/sales
say "the report: $code, X-Cache: $(header X-Cache), $seconds s"
promise "the report is computed afresh" is "$code $(header X-Cache)" "200 miss"
promise "and shows it: lighting in stock was worth $stock_before, now $(lighting)" \
    is "$(lighting)" "$(lighting_after "$stock_before")"

title "The carts of two users"
ask shop PUT /me/cart/42 demo-alice '{"quantity":2}'
ask shop PUT /me/cart/7 demo-bob '{"quantity":1}'
ask shop GET /me/cart demo-alice
say "alice: $body"
promise "alice has two lamps, at the new price" is "$(number total_cents)" 9800
ask shop GET /me/cart demo-bob
say "bob:   $body"
promise "bob has something else" contains "$body" '"product_id":7,'
ask shop GET /me/cart demo-bob
promise "and his cart is cached" is "$(header X-Cache)" hit

title "What the caches and limiters counted: GET /stats"
ask shop GET /stats
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
stop shop
conclude
