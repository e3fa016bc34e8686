#!/bin/bash
# The example back-end with PostgreSQL and Redis from Debian packages, on loopback.
#   run.sh start            installs what is missing (as root), starts both databases and the back-end
#   run.sh load [SECONDS]   users register, log in, send and read messages (default 60 s)
#   run.sh break PART       database, redis: really stopped. slow, errors, login, messages: switches of
#   run.sh fix PART         the back-end. crash: the back-end dies (break only)
#   run.sh status           /health and the metrics that alerts look at
#   run.sh stop
# Everything lives in $EXAMPLE_DIR (default .example in this folder). Ports: EXAMPLE_PORT (2112),
# EXAMPLE_PG_PORT (25432), EXAMPLE_REDIS_PORT (26379). BACKEND: the binary.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
D=${EXAMPLE_DIR:-$here/.example}
port=${EXAMPLE_PORT:-2112} pg_port=${EXAMPLE_PG_PORT:-25432} redis_port=${EXAMPLE_REDIS_PORT:-26379}
root=$(cd "$here/../../.." && pwd)
binary=${BACKEND:-$root/build/release/bin/millrace-example-backend}
url=http://127.0.0.1:$port
mkdir -p "$D"
chmod 755 "$D"
pg_bin() { find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1; }
# PostgreSQL refuses to run as root.
as_pg() { if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

install_packages() {
  local missing=()
  [ -n "$(pg_bin)" ] || missing+=(postgresql)
  command -v redis-server >/dev/null || missing+=(redis-server)
  [ ${#missing[@]} -eq 0 ] && return
  echo "Installing ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >"$D/apt.log" 2>&1
}
start_database() {
  mkdir -p "$D/pg"
  [ "$(id -u)" -ne 0 ] || chown postgres "$D/pg"
  [ -f "$D/pg/data/PG_VERSION" ] || as_pg "$(pg_bin)/initdb" -D "$D/pg/data" -A trust -U postgres >"$D/initdb.log" 2>&1
  as_pg "$(pg_bin)/pg_ctl" -D "$D/pg/data" -l "$D/pg/log" -w -o "-c listen_addresses=127.0.0.1 -p $pg_port -k $D/pg" start >/dev/null
}
stop_database() { as_pg "$(pg_bin)/pg_ctl" -D "$D/pg/data" -m fast stop >/dev/null; }
start_redis() {
  mkdir -p "$D/redis"
  redis-server --bind 127.0.0.1 --port "$redis_port" --daemonize yes --dir "$D/redis" \
    --pidfile "$D/redis/pid" --logfile "$D/redis/log" --save '' >/dev/null
}
stop_redis() { redis-cli -p "$redis_port" shutdown nosave >/dev/null 2>&1 || true; }
start_backend() {
  SENTRY_SPOOL=$D/spool setsid nohup "$binary" "$port" \
    "host=127.0.0.1 port=$pg_port user=postgres dbname=postgres connect_timeout=2" "$redis_port" \
    "$D/access.log" >"$D/backend.log" 2>&1 </dev/null &
  echo $! >"$D/backend.pid"
  for _ in $(seq 120); do
    curl -sf -o /dev/null -m 2 "$url/health/ready" && return
    sleep .25
  done
  echo "the back-end is not ready; see $D/backend.log" >&2
  return 1
}
load() {
  local end=$((SECONDS + ${1:-60})) n=0 session
  while [ $SECONDS -lt $end ]; do
    n=$((n + 1))
    curl -s -o /dev/null -m 10 -d "name=user$n&password=secret$n" "$url/register" || true
    session=$(curl -s -m 10 -d "name=user$n&password=secret$n" "$url/login" || true)
    curl -s -o /dev/null -m 10 -d "name=user$n&password=wrong" "$url/login" || true
    curl -s -o /dev/null -m 10 -H "Authorization: $session" -d "to=user$n&text=hello" "$url/messages" || true
    curl -s -o /dev/null -m 10 -H "Authorization: $session" "$url/messages" || true
    curl -s -o /dev/null -m 10 "$url/not/there/$n" || true
  done
  echo "$n rounds"
}
case ${1:-} in
start)
  install_packages
  start_database
  start_redis
  start_backend
  echo "running: $url/metrics $url/health, access log in $D/access.log"
  ;;
load) load "${2:-60}" ;;
break)
  case ${2:-} in
  database) stop_database ;;
  redis) stop_redis ;;
  *) curl -s -m 5 "$url/break/${2:-}" || true ;;
  esac
  ;;
fix)
  case ${2:-} in
  database) start_database ;;
  redis) start_redis ;;
  crash) start_backend ;;
  *) curl -s -m 5 "$url/fix/${2:-}" ;;
  esac
  ;;
status)
  curl -s -m 5 "$url/health"
  curl -s -m 5 "$url/metrics" | grep -E '^(http_server_requests_total|app_events_total|app_dependency_(up|errors_total)|app_ready|http_server_exceptions_total)'
  ;;
stop)
  kill "$(cat "$D/backend.pid")" 2>/dev/null || true
  stop_redis
  stop_database || true
  ;;
*)
  sed -n '2,10s/^# //p' "$0"
  exit 2
  ;;
esac
