#!/bin/bash
# The outside comparison with blackbox_exporter 0.28.0: probes, configuration, flags, endpoints.
#   run.sh BINARY
# Needs $MILLRACE_SHARED (or ../shared) with outside/blackbox, and for the targets Python packages
# that are put into a virtual environment when PYTHON_TARGETS does not name a Python that has them.
# Exit 77 = skipped.
set -eu
binary=$(realpath "$1")
root=$(cd "$(dirname "$0")/../../.." && pwd)
shared=${MILLRACE_SHARED:-$root/../shared}
kit=$shared/outside/blackbox
if [ ! -f "$kit/compare_probe.py" ]; then
  echo "SKIPPED: no outside tests at $kit (set MILLRACE_SHARED)" >&2
  exit 77
fi
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
python=${PYTHON_TARGETS:-}
if [ -z "$python" ]; then
  python3 -m venv "$work/venv"
  python=$work/venv/bin/python
  if ! "$python" -m pip install -q h2 brotli grpcio grpcio-health-checking hypercorn aioquic; then
    echo "SKIPPED: the packages of the target server cannot be installed" >&2
    exit 77
  fi
fi
cd "$work"
bash "$kit/mkcerts.sh" "$work/certs" >/dev/null
mkdir run
python3 "$kit/genconf.py" certs run/blackbox.yml
"$python" "$kit/targets.py" --certs "$work/certs" --ready "$work/ready" >targets.log 2>&1 &
pids+=($!)
for _ in $(seq 300); do [ -e ready ] && break; sleep 0.1; done
[ -e ready ] || { cat targets.log; exit 1; }
"$binary" --config.file=run/blackbox.yml --web.listen-address=127.0.0.1:29116 2>probe.log &
pids+=($!)
for _ in $(seq 100); do curl -fs http://127.0.0.1:29116/-/healthy >/dev/null && break; sleep 0.1; done
# Two cases differ for reasons that docs/uptime-probe.md gives; every other must be equal.
python3 "$kit/compare_probe.py" "$kit/reference-0.28.0.json" http://127.0.0.1:29116 --jobs 4 --json probes.json || true
python3 "$kit/config_check.py" record "$binary" config.json >/dev/null
python3 "$kit/config_check.py" diff "$kit/ref_config_0.28.0.json" config.json
python3 - <<'P'
import json, sys
known = {('http3', 'http://127.0.0.1:28461/200'), ('http_gzip', 'http://127.0.0.1:28080/truncgzip')}
bad = [r for r in json.load(open('probes.json')) if r['cls'] != 'equal' and (r['module'], r['target']) not in known]
sys.exit(f'{len(bad)} probes differ: {bad}' if bad else 0)
P
