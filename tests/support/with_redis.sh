#!/usr/bin/env bash
# Runs a command with REDIS_URL set to a server of its own: empty, without persistence, on a Unix
# socket in a directory that goes away with it. Ends with the command's status.
#   with_redis.sh <command> [<argument>...]
# WEIR_REDIS_SERVER names another server than redis-server.
set -euo pipefail
server=${WEIR_REDIS_SERVER:-redis-server}
if ! command -v "$server" >/dev/null; then
    echo "$0: there is no $server; cmake/install-dependencies.sh test installs it" >&2
    exit 1
fi
work=$(mktemp -d /tmp/weir-redis.XXXXXX)
"$server" --port 0 --unixsocket "$work/socket" --dir "$work" --save "" --appendonly no \
    --daemonize no >"$work/log" 2>&1 &
pid=$!
# shellcheck disable=SC2064  # the values of now
trap "kill $pid 2>/dev/null || true; wait $pid 2>/dev/null || true; rm -rf '$work'" EXIT
for _ in $(seq 200); do
    [ -S "$work/socket" ] && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
done
if [ ! -S "$work/socket" ]; then
    echo "$0: $server did not start:" >&2
    cat "$work/log" >&2
    exit 1
fi
REDIS_URL="unix://$work/socket?db=0" "$@"
