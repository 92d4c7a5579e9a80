#!/usr/bin/env bash
# test.sh - run all tests, those on real libvirt hosts included.
#
# Usage:  test.sh [PYTEST-ARGUMENT...]
# The lab of real hosts needs root. As another user: with sudo the tests that need the
# lab run under it, the others as they are; without sudo the lab's tests are skipped,
# and the summary says so. With CI=true in the environment a skipped test is a failure.
set -euo pipefail

cd "$(dirname "$0")/.."
scripts/packages.sh build lab
pytest=(.venv/bin/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal)

if [ "$(id -u)" = 0 ]; then
    exec "${pytest[@]}" "$@"
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
    failed=0
    "${pytest[@]}" -m 'not qemu' "$@" || failed=$?
    echo "with sudo, for namespaces and mounts of their own: the tests on real hosts"
    sudo env PYTHONDONTWRITEBYTECODE=1 CI="${CI:-}" "${pytest[@]}" -p no:cacheprovider -m qemu "$@" || failed=$?
    exit "$failed"
else
    exec "${pytest[@]}" "$@"
fi
