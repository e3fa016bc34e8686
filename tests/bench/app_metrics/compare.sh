#!/bin/bash
# compare.sh SERVER_BENCH [ROUNDS [SECONDS]]: requests/s with wrk, the three servers in turns, and the
# ratio of each to the bare one (median of rounds).
set -euo pipefail
binary=$1 rounds=${2:-5} seconds=${3:-3} port=${PORT:-24310}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for _ in $(seq "$rounds"); do
  for mode in bare middleware byhand; do
    "$binary" $mode "$port" &
    pid=$!
    for _ in $(seq 100); do curl -sf -o /dev/null "127.0.0.1:$port/users/1" && break; sleep .05; done
    wrk -t1 -c4 -d"${seconds}s" "http://127.0.0.1:$port/users/42" | awk '/Requests\/sec/{print $2}' >>"$work/$mode"
    kill $pid
    wait $pid 2>/dev/null || true
  done
done
median() { sort -n "$1" | awk '{v[NR]=$1} END{print v[int((NR+1)/2)]}'; }
bare=$(median "$work/bare")
for mode in bare middleware byhand; do
  m=$(median "$work/$mode")
  awk -v n=$mode -v m="$m" -v b="$bare" 'BEGIN{printf "%s requests/s=%.0f ratio=%.3f\n", n, m, m/b}'
done
