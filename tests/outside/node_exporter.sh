#!/usr/bin/env bash
# The original's end-to-end fixtures and its reference exposition, which nobody of this project
# wrote: every family and every series has to be equal.
# Usage: node_exporter.sh BINARY   (MILLRACE_SHARED: where outside/ is; exit 77 = skipped)
set -euo pipefail
binary=$(readlink -f "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
outside=${MILLRACE_SHARED:-$here/../../../shared}/outside
if [ ! -d "$outside/node_exporter" ]; then
  printf '\n*** SKIPPED: the outside cases of the node exporter are not here (%s) ***\n' "$outside"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Its own comparison is of bytes and ends with an error because our help texts are our own; what
# counts is the comparison below.
WORK=$work "$outside/node_exporter/run_e2e.sh" "$binary" "$work/out.txt" >"$work/log" 2>&1 || true
[ -s "$work/out.txt" ] || { cat "$work/log"; exit 1; }
exec python3 "$outside/compare/compare_metrics.py" "$outside/node_exporter/reference-1.12.1.txt" \
  "$work/out.txt" --fixtures
