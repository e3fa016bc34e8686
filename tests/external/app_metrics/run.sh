#!/bin/sh
# run.sh BUILD_DIR: installs the middleware from BUILD_DIR into a fresh prefix and builds a back-end
# against it, once through CMake and once through pkg-config.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --component app_metrics_dev --prefix "$work/prefix" >/dev/null
cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Debug >/dev/null
cmake --build "$work/build" >/dev/null
"$work/build/outside"
export PKG_CONFIG_PATH="$work/prefix/lib/pkgconfig:$(echo "$work"/prefix/lib/*/pkgconfig)"
# The prefix was given at installation, so it is not the one that the file was written for.
flags=$(pkg-config --define-variable=prefix="$work/prefix" --cflags --libs millrace-app-metrics cpp-httplib)
# shellcheck disable=SC2086
"${CXX:-c++}" -std=c++20 "$here/main.cc" $flags -o "$work/outside"
"$work/outside"
