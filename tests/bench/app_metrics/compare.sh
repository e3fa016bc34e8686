#!/bin/bash
# compare.sh SERVER_BENCH [ROUNDS [SECONDS]]: the three servers under wrk in turns. Prints requests/s
# and CPU of the server a request (medians), each with its ratio to the bare server. On a busy machine only the CPU means something.
set -euo pipefail
binary=$1 rounds=${2:-5} seconds=${3:-3} port=${PORT:-24310}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tick=$(getconf CLK_TCK)
cpu() { awk '{print $14 + $15}' "/proc/$1/stat"; }
for _ in $(seq "$rounds"); do
  for mode in bare middleware byhand; do
    "$binary" $mode "$port" &
    pid=$!
    for _ in $(seq 100); do curl -sf -o /dev/null "127.0.0.1:$port/users/1" && break; sleep .05; done
    before=$(cpu $pid)
    wrk -t1 -c4 -d"${seconds}s" "http://127.0.0.1:$port/users/42" >"$work/out"
    after=$(cpu $pid)
    awk '/Requests\/sec/{print $2}' "$work/out" >>"$work/$mode.rate"
    awk -v ticks=$((after - before)) -v hz="$tick" '/requests in/{print ticks / hz * 1e6 / $1}' "$work/out" >>"$work/$mode.cpu"
    kill $pid
    wait $pid 2>/dev/null || true
  done
done
median() { sort -n "$1" | awk '{v[NR]=$1} END{print v[int((NR+1)/2)]}'; }
for mode in bare middleware byhand; do
  awk -v n=$mode -v r="$(median "$work/$mode.rate")" -v b="$(median "$work/bare.rate")" \
    -v c="$(median "$work/$mode.cpu")" -v d="$(median "$work/bare.cpu")" \
    'BEGIN{printf "%s requests/s=%.0f ratio=%.3f cpu_us=%.2f ratio=%.3f\n", n, r, r/b, c, c/d}'
done
