#!/bin/bash
# databases.sh UNIT_TEST_BINARY: the ready-made checks against real PostgreSQL, MariaDB and Redis on
# loopback. Needs their Debian packages; skipped (77) without.
set -euo pipefail
binary=$1
pg_bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1)
for tool in redis-server mariadbd mariadb-install-db "${pg_bin:-/none}/initdb"; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: $tool is missing" >&2; exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "SKIPPED: needs root to start servers as their users" >&2; exit 77; }
base=${PORT:-24340}
export PG_PORT=$base MYSQL_PORT=$((base + 1)) REDIS_PORT=$((base + 2)) MUTE_PORT=$((base + 2))
work=$(mktemp -d)
chmod 755 "$work"
pids=()
stop() {
  runuser -u postgres -- "$pg_bin/pg_ctl" -D "$work/pg/data" -m fast stop >/dev/null 2>&1 || true
  for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
mkdir "$work/pg" "$work/maria"
chown postgres "$work/pg"
chown mysql "$work/maria"
runuser -u postgres -- "$pg_bin/initdb" -D "$work/pg/data" -A trust -U postgres >"$work/log" 2>&1
runuser -u postgres -- "$pg_bin/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w \
  -o "-c listen_addresses=127.0.0.1 -p $PG_PORT -k $work/pg" start >/dev/null
redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --dir "$work" --save '' >>"$work/log" &
pids+=($!)
mariadb-install-db --user=mysql --datadir="$work/maria/data" --auth-root-authentication-method=normal \
  --skip-test-db >>"$work/log" 2>&1
mariadbd --no-defaults --user=mysql --datadir="$work/maria/data" --bind-address=127.0.0.1 --port="$MYSQL_PORT" \
  --socket="$work/maria/s.sock" --pid-file="$work/maria/pid" >>"$work/log" 2>&1 &
pids+=($!)
for _ in $(seq 240); do
  mariadb-admin --no-defaults -h127.0.0.1 -P"$MYSQL_PORT" -uroot ping >/dev/null 2>&1 && break
  sleep .25
done
"$binary" '[.databases]'
