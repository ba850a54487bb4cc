#!/usr/bin/env bash
# Two instances of the example service that share limits and caches in Redis, in one command: builds
# the service, starts a Redis server of its own and two instances, sends them real requests, takes
# Redis away and gives it back, and shows what comes of it. Ends with 0 only if every answer is as
# promised. Installs what is missing (Debian), asks nothing, leaves nothing behind but build/try.
set -euo pipefail
cd "$(dirname "$0")/.."
. examples/trying.sh

redis() { redis-cli -s "$work/redis.socket" "$@"; }

start_redis() {
    redis-server --port 0 --unixsocket "$work/redis.socket" --dir "$work" --save "" \
        --appendonly no --daemonize no >>"$work/redis.log" 2>&1 &
    pids[redis]=$!
    for _ in $(seq 200); do
        [ "$(redis PING 2>&1)" = PONG ] && return
        sleep 0.05
    done
    cat "$work/redis.log"
    exit 1
}

title "Building the example service"
cmake/install-dependencies.sh redis
build

title "Starting a Redis server on a Unix socket, and two instances of the service"
start_redis
say "REDIS_URL=unix://$work/redis.socket"
start first "REDIS_URL=unix://$work/redis.socket"
start second "REDIS_URL=unix://$work/redis.socket"

# ---- limits -------------------------------------------------------------------------------------

title "25 quick searches by one client, spread over both, of which 20 a minute are allowed"
wait_for_the_minute first
codes=""
for i in $(seq 25); do
    instance=$([ $((i % 2)) -eq 1 ] && echo first || echo second)
    ask "$instance" GET "/search?q=lamp"
    codes+="$code "
    say "$(printf '%2d  %-6s  %s  %s' "$i" "$instance" "$code" "$(header RateLimit)")"
done
promise "20 times 200, then 429, whoever is asked" \
    is "$codes" "$(printf '200 %.0s' $(seq 20))$(printf '429 %.0s' $(seq 5))"

# ---- caches -------------------------------------------------------------------------------------

# What product 42, the page of a list and the report are at.
shown=(/products/42 "/products?category=lighting&page=3" /reports/sales)

title "What one instance computed is in the cache of the other"
for path in "${shown[@]}" /products/43; do
    ask first GET "$path" demo-alice
    computed=$body states="$(header X-Cache)"
    ask first GET "$path" demo-alice
    states+=" $(header X-Cache)"
    ask second GET "$path" demo-alice
    states+=" $(header X-Cache)"
    promise "$path: miss and hit in the first, hit in the second" is "$states" "miss hit hit"
    promise "and the same answer" is "$body" "$computed"
done
ask second GET /reports/sales demo-alice
stock_before=$(lighting)

title "An update through the second, seen through the first at once"
ask second PUT /products/42 demo-admin "$brass_lamp"
say "PUT /products/42 to the second: $code"
promise "the update is accepted" is "$code" 200
for path in "${shown[@]}"; do
    ask first GET "$path" demo-alice
    promise "$path is read afresh" is "$code $(header X-Cache)" "200 miss"
    case $path in
        /reports/sales)
            promise "and shows it: lighting in stock was worth $stock_before, now $(lighting)" \
                is "$(lighting)" "$(lighting_after "$stock_before")"
            ;;
        *) promise "and shows it" contains "$body" '"name":"Brass Lamp"' ;;
    esac
done
ask first GET /products/43 demo-alice
promise "another product is still cached" is "$(header X-Cache)" hit

# ---- what is in Redis ---------------------------------------------------------------------------

title "The same as redis-cli sees it"
forever=0
printf '  %-50s %6s  %s\n' key TTL value
while read -r key; do
    ttl=$(redis TTL "$key")
    [ "$ttl" -gt 0 ] || forever=$((forever + 1))
    case $key in
        weir:rl:*) value="$(redis BITFIELD_RO "$key" GET u63 0) used" ;;
        *) value=$(redis GET "$key") ;;
    esac
    printf '  %-50s %6s  %s\n' "$key" "$ttl" "$(cut -c 1-60 <<<"$value")"
done < <(redis --scan | sort)
promise "every key has a time to live" is "$forever" 0
promise "a product is JSON" contains "$(redis GET weir:product:42)" '"name":"Brass Lamp"'

from_elsewhere='{"id":43,"name":"From elsewhere","category":"audio","description":"","price_cents":1,"stock":1}'
printf '\n'
say "redis-cli SETEX weir:product:43 3900 '$from_elsewhere'"
# 5 min (PRODUCT_TTL) for which it is fresh, and 1 h (GRACE) for which it may stand in for a product
# that the database fails to give.
redis SETEX weir:product:43 3900 "$from_elsewhere" >"$work/answer"
for instance in first second; do
    ask "$instance" GET /products/43 demo-alice
    promise "the $instance shows it" is "$(header X-Cache) $body" "hit $from_elsewhere"
done

# ---- without Redis ------------------------------------------------------------------------------

title "kill -9 of Redis: the service goes on, without limits and caches"
{
    kill -KILL "${pids[redis]}"
    wait "${pids[redis]}" || true
} 2>/dev/null # the shell would say that it was killed
unset "pids[redis]"
sleep 1.1 # each instance remembers for up to a second that this client has to wait
for instance in first second; do
    codes=""
    for _ in $(seq 25); do
        ask "$instance" GET "/search?q=lamp"
        codes+="$code "
    done
    promise "the $instance answers 25 searches" is "$codes" "$(printf '200 %.0s' $(seq 25))"
    ask "$instance" GET /products/42
    promise "and a product, from the database" is "$code $(header X-Cache)" "200 miss"
    ask "$instance" GET /healthz
    promise "and says so: $body" contains "$body" '"status":"degraded"'
done
ask first PUT /products/42 demo-admin "${brass_lamp/Brass/Silver}"
promise "an update through the first is accepted" is "$code" 200
ask second GET /products/42
promise "and seen through the second" contains "$body" '"name":"Silver Lamp"'

title "Redis is started again"
start_redis
begin=$(date +%s%N)
for instance in first second; do
    for _ in $(seq 500); do
        ask "$instance" GET "/search?q=lamp"
        [ -n "$(header RateLimit)" ] && break
    done
done
milliseconds=$((($(date +%s%N) - begin) / 1000000))
say "both count again after $milliseconds ms"
promise "within a second" [ "$milliseconds" -lt 1000 ]
for instance in first second; do
    ask "$instance" GET /products/42
    ask "$instance" GET /products/42
    promise "the $instance has the product in its cache again" \
        contains "$(header X-Cache) $body" 'hit {"id":42,"name":"Silver Lamp"'
    ask "$instance" GET /healthz
    promise "and is well" is "$body" '{"status":"ok"}'
    say "Its log:"
    sed -n 's/^product_service: /    /p' "$work/$instance.log"
done

title "GET /stats of the first"
ask first GET /stats
say "$(grep -o '"redis":{[^}]*}' <<<"$body")"
promise "it lost connections, and made others" \
    [ "$(number connections_made)" -gt "$(number connections_lost)" ]

# ---- the end ------------------------------------------------------------------------------------

title "Stopping both (SIGTERM)"
stop first
stop second
conclude
