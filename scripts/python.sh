#!/usr/bin/env bash
# python.sh - print the path of the Python that the virtual environment is made with.
#
# Usage:  python.sh [--probe]
# The first of $PYTHON, python3, /usr/bin/python3, python3.11 ... python3.14 that is 3.11
# or newer, has its C headers, and can make virtual environments. With --probe, if there
# is none: /usr/bin/python3, whose missing parts Debian has as packages.
set -euo pipefail

fits() {
    "$1" -c '
import sys, os, sysconfig
ok = sys.version_info >= (3, 11) and os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
if ok:
    import ensurepip, venv
sys.exit(not ok)' >/dev/null 2>&1
}

for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3 python3.11 python3.12 python3.13 python3.14; do
    path=$(command -v "$candidate") || continue
    if fits "$path"; then
        echo "$path"
        exit 0
    fi
done
if [ "${1:-}" = --probe ]; then
    echo /usr/bin/python3
    exit 0
fi
echo "${0##*/}: no Python 3.11 or newer with C headers and venv found; install one and name it: make setup PYTHON=/path/to/python3" >&2
exit 1
