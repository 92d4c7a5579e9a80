#!/usr/bin/env bash
# packages.sh - install the Debian packages that are missing, and nothing else.
#
# Usage:  packages.sh build|lab...
#   build  what libvirt-python is compiled with, and venv for Debian's own Python
#   lab    libvirt and QEMU for the demo and the tests; services are not started
# Does nothing, and needs no rights, when nothing is missing. Otherwise it needs root
# or sudo. On a system without apt it only says what to install.
set -euo pipefail

packages=()
for group; do
    case $group in
        build)
            packages+=(gcc libc6-dev libvirt-dev pkg-config)
            # Another interpreter (pyenv, uv) brings its own headers and venv.
            python=$("$(dirname "$0")/python.sh" --probe)
            [ "$python" != /usr/bin/python3 ] || packages+=(python3-dev python3-venv)
            ;;
        lab)
            packages+=(libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients
                qemu-system-x86 qemu-utils ovmf dnsmasq-base iproute2 procps util-linux binutils gcc libc6-dev
                e2fsprogs scrub)
            ;;
        *) echo "${0##*/}: no such group: $group" >&2 && exit 2 ;;
    esac
done

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "${0##*/}: this is no Debian or Ubuntu; what their packages ${packages[*]} hold must be there" >&2
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    # shellcheck disable=SC2016  # dpkg's own variable
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "${0##*/}: missing, and there is no sudo. As root: apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    sudo=(sudo)
fi
echo "installing: ${missing[*]}"
# SYSTEMD_OFFLINE: the packages' services (the machine's own libvirtd) are set up but not started.
apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "${0##*/}: apt-get failed (above); as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
