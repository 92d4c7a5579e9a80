#!/usr/bin/env bash
# setup.sh - make .venv with the command .venv/bin/vireo and the developers' tools.
#
# Usage:  setup.sh
# Repeating it is harmless, and fast when nothing is to do: the stamp .venv/.installed
# is made anew when pyproject.toml is newer, or when the environment does not run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
stamp=.venv/.installed

if [ "$stamp" -nt pyproject.toml ] && [ "$(cat "$stamp")" = "$PWD" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi
"$here/packages.sh" build
if ! .venv/bin/python -m pip --version >/dev/null 2>&1 || [ "$(cat "$stamp" 2>/dev/null)" != "$PWD" ]; then
    rm -rf .venv # its interpreter is gone, or it was moved here
    python=$("$here/python.sh")
    echo "making .venv with $python"
    "$python" -m venv .venv
fi
rm -f "$stamp"
echo "installing vireo and its tools into .venv (libvirt-python is compiled: a minute the first time)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input --editable '.[dev]' </dev/null >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "${0##*/}: pip failed (above)" >&2
    exit 1
fi
echo "$PWD" >"$stamp"
echo "ready: .venv/bin/vireo"
