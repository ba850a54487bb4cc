# What try.sh and try_redis.sh share: to be sourced. Makes a directory, $work, which goes away at the
# end together with all programs that were started.
#
# shellcheck shell=bash disable=SC2034 # some variables are for those who source it

work=$(mktemp -d /tmp/weir-try.XXXXXX)
broken=0
declare -A pids=() # what runs
declare -A urls=() # where the services listen

clean_up() {
    status=$?
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
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

# The last line, and the exit status.
conclude() {
    title "$([ "$broken" -eq 0 ] && echo "All as promised." || echo "$broken not as promised.")"
    exit "$((broken != 0))"
}

# ---- building, starting, stopping ---------------------------------------------------------------

build() {
    if ! {
        cmake -S examples/product_service -B build/try -G Ninja -DCMAKE_BUILD_TYPE=Release &&
            cmake --build build/try --target product_service
    } >"$work/build.log" 2>&1; then
        cat "$work/build.log"
        exit 1
    fi
    say "build/try/product_service"
}

# start <name> [<setting>=<value>...]: starts a service on a free port, and returns when it listens.
# What it prints is in $work/<name>.log.
start() {
    local name=$1 log=$work/$1.log line
    shift
    # Nothing in your environment shall change what you see.
    env -i "PATH=$PATH" PORT=0 "DATABASE=$work/products.db" "$@" \
        build/try/product_service >"$log" 2>&1 &
    pids[$name]=$!
    for _ in $(seq 1200); do
        line=$(grep -m 1 '^product_service listening on http' "$log") && break
        kill -0 "${pids[$name]}" 2>/dev/null || break
        sleep 0.1
    done
    sed '/^Try:/,$d' "$log" | while read -r shown; do say "$shown"; done
    if [ -z "$line" ]; then
        say "it did not start"
        exit 1
    fi
    urls[$name]=${line#product_service listening on }
}

# stop <name>: as an administrator would; checks that it ends well.
stop() {
    local status=0
    kill -TERM "${pids[$1]}"
    wait "${pids[$1]}" || status=$?
    unset "pids[$1]"
    promise "it ends with 0" is "$status" 0
}

# ---- asking -------------------------------------------------------------------------------------

# ask <name> <method> <path> [<token> [<JSON>]]: asks a service. Sets $code, $seconds, $body and what
# `header` reads.
ask() {
    local options=(-X "$2")
    [ -n "${4:-}" ] && options+=(-H "Authorization: Bearer $4")
    [ -n "${5:-}" ] && options+=(-H "Content-Type: application/json" -d "$5")
    read -r code seconds < <(curl -sS --noproxy '*' --max-time 60 -D "$work/head" -o "$work/body" \
        -w '%{http_code} %{time_total}\n' "${options[@]}" "${urls[$1]}$3")
    body=$(tr -d '\0' <"$work/body")
}

header() { tr -d '\r' <"$work/head" | sed -n "s/^$1: //Ip"; }
status_line() { head -n 1 "$work/head" | tr -d '\r'; }
# The value of a member of the JSON in $body, good enough for one number.
number() { grep -o "\"$1\":[0-9]*" <<<"$body" | head -n 1 | cut -d: -f2; }
# What the goods of the category are worth, by the report in $body.
lighting() { body=$(grep -o '"category":"lighting"[^}]*' <<<"$body") number stock_value_cents; }

# Waits, if need be, until the present minute has 10 seconds left: limits count by the minute.
wait_for_the_minute() {
    local left
    ask "$1" GET /products/1 demo-admin
    left=$(header RateLimit | sed 's/.*;t=//')
    if [ "$left" -lt 10 ]; then
        say "(the limit counts by the minute of the clock; this one ends in $left s, so let it pass)"
        sleep "$left"
    fi
}

# A product as an update says it, and what it replaces: 157 chandeliers at 23899.
brass_lamp='{"name":"Brass Lamp","category":"lighting","description":"","price_cents":4900,"stock":3}'
# lighting_after <before>: what the goods of the category are worth after the update.
lighting_after() { echo "$(($1 - 157 * 23899 + 3 * 4900))"; }
