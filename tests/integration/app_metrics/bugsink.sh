#!/bin/bash
# bugsink.sh UNIT_TEST_BINARY: error reports reach a real Sentry-compatible server and are stored
# with type, request and the function that threw. Needs PyPI (or VENV with bugsink in it).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
server=$here/../../servers/bugsink.sh
binary=$1
work=$(mktemp -d)
trap '"$server" stop "$work" 2>/dev/null || true; rm -rf "$work"' EXIT
if ! "$server" start "$work" "${PORT:-24390}" >"$work/start.log" 2>&1; then
  tail -5 "$work/start.log" >&2
  echo "SKIPPED: bugsink could not be installed or started" >&2
  exit 77
fi
SENTRY_DSN=$("$server" dsn "$work") APP_VERSION=1.4.0 APP_ENV=staging "$binary" '[.bugsink]'
"$server" events "$work" >"$work/events"
for wanted in 'order 7 has no lines' 'std::runtime_error' 'GET /orders/:id' 'bugsink-1' 'ThrowFromHere' 'select order' \
  'a message' '"release": *"1.4.0"' '"environment": *"staging"' 'token=\*\*\*'; do
  grep -q -- "$wanted" "$work/events" || { echo "not stored: $wanted" >&2; head -c 3000 "$work/events" >&2; exit 1; }
done
if grep -q hunter2 "$work/events"; then echo "a secret was stored" >&2; exit 1; fi
echo "stored: $(wc -l <"$work/events") events"
