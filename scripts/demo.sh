#!/usr/bin/env bash
# demo.sh - the main job on a real guest, with the real command.
#
# Usage:  demo.sh up|down
# "up" starts a private libvirt host and runs validate, plan, apply, plan again and status
# of manifests/quickstart on it, and of manifests/quickstart-network where the connection
# offers networks (qemu:///session does not); "down" removes the guest and everything that "up" made.
# Both may be repeated. The machine's own libvirt daemon is never used, unless CONNECT=URI
# in the environment names it (or another): then for "down", too.
#   As root, or with sudo: a libvirtd in namespaces of its own, as in tests/lab.
#   As another user: a session libvirtd with folders of its own.
# The host's folder is $VIREO_DEMO_DIR, else /tmp/vireo-demo-UID (a socket's path is short).
set -euo pipefail

cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin # libvirtd is there, which is not on every user's path
vireo=.venv/bin/vireo
manifests=(manifests/quickstart manifests/quickstart-network)
lab=$PWD/tests/lab
dir=${VIREO_DEMO_DIR:-/tmp/vireo-demo-$(id -u)}
session=$dir/session

die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
show() { # COMMAND...: says what it runs
    local said="$*"
    say "\$ ${said#.venv/bin/}"
    "$@"
}

sudo=()
# A lab needs root; a folder that exists says how it was begun.
with_lab() {
    [ "$(id -u)" != 0 ] || return 0
    [ ! -e "$session" ] && command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } || return 1
    sudo=(sudo)
}

own_folder() { # of root, or of this user: nobody else's, /tmp is open to all
    "$@" mkdir -p -m 755 "$dir"
    if ! "$@" test -O "$dir" || "$@" test -L "$dir"; then
        die "$dir belongs to somebody else; set VIREO_DEMO_DIR to another short path"
    fi
}

lab_up() {
    own_folder "${sudo[@]}"
    local group=()
    [ "$(id -u)" = 0 ] || group=("LAB_SOCK_GROUP=$(id -gn)")
    "${sudo[@]}" env "${group[@]}" "$lab/lab-up.sh" -n 1 "$dir" >/dev/null
    uri="qemu+unix:///system?socket=$dir/node1/run/libvirt/libvirt-sock"
}

# Its sockets, definitions and images are below $session, none in the user's own folders.
session_environment() {
    env XDG_RUNTIME_DIR="$session/run" XDG_CONFIG_HOME="$session/config" XDG_CACHE_HOME="$session/cache" \
        XDG_DATA_HOME="$session/data" "$@"
}
session_pid() { # DAEMON: its pid, if it runs
    local pid
    pid=$(cat "$session/run/libvirt/$1.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] && echo "$pid"
}
session_stop() { # DAEMON
    local pid
    pid=$(session_pid "$1") || return 0
    kill "$pid"
    for ((i = 0; i < 100; i++)); do
        session_pid "$1" >/dev/null || return 0
        sleep 0.1
    done
    die "$1 (pid $pid) does not end"
}
session_up() {
    own_folder
    mkdir -p "$session"/{run,config,cache,data}
    chmod 700 "$session"
    uri="qemu+unix:///session?socket=$session/run/libvirt/libvirt-sock"
    session_pid libvirtd >/dev/null && return
    # An unusable /dev/kvm makes libvirt slow, seconds a call: give this daemon a /dev without it, where the kernel lets us.
    local hide=()
    if [ -e /dev/kvm ] && ! { [ -r /dev/kvm ] && [ -w /dev/kvm ]; }; then
        # shellcheck disable=SC2016  # expanded by the inner shell
        hide=(unshare --user --map-current-user --keep-caps --mount sh -euc '
            new=$1
            shift
            mkdir -p "$new"
            mount -t tmpfs dev "$new"
            for device in null zero full random urandom tty; do
                touch "$new/$device"
                mount --bind "/dev/$device" "$new/$device"
            done
            mkdir "$new/pts" "$new/shm"
            mount --rbind /dev/pts "$new/pts"
            mount -t tmpfs shm "$new/shm"
            ln -s pts/ptmx "$new/ptmx"
            ln -s /proc/self/fd "$new/fd"
            mount --move "$new" /dev
            exec setpriv --ambient-caps -all --inh-caps -all "$@"' hide "$session/dev")
        "${hide[@]}" true 2>/dev/null || hide=()
    fi
    session_environment "${hide[@]}" libvirtd --daemon --timeout 0 </dev/null >"$dir/libvirtd.out" 2>&1 ||
        die "no libvirtd: $(cat "$dir/libvirtd.out")"
    for ((i = 0; i < 100; i++)); do
        virsh -q -c "$uri" list >/dev/null 2>&1 && return
        sleep 0.1
    done
    die "libvirtd does not answer on $uri"
}
session_down() {
    local name
    if session_pid libvirtd >/dev/null; then
        uri="qemu+unix:///session?socket=$session/run/libvirt/libvirt-sock"
        virsh -q -c "$uri" list --name | while read -r name; do [ -z "$name" ] || virsh -q -c "$uri" destroy "$name"; done
    fi
    session_stop libvirtd
    session_stop virtlogd # libvirtd started it
    rm -rf --one-file-system -- "${session:?}" "$dir/libvirtd.out"
    rmdir -- "$dir" 2>/dev/null || true
}

# What the connection can do: no networks in a session, and no right to the folder that the pool names.
choose_manifests() {
    case ${uri%%\?*} in */session) manifests=(manifests/quickstart) ;; esac
    [ -e "$session" ] && [ -z "${CONNECT:-}" ] || return 0
    mkdir -p "$session/quickstart"
    for file in "${manifests[0]}"/*.yaml; do
        sed "s|/var/lib/libvirt/images/|$session/images/|" "$file" >"$session/quickstart/${file##*/}"
    done
    manifests=("$session/quickstart")
    echo "(its manifests are those of manifests/quickstart with the pool's folder below $session)"
}

up() {
    if [ -n "${CONNECT:-}" ]; then
        uri=$CONNECT
    else
        scripts/packages.sh lab
        if with_lab; then lab_up; else session_up; fi
        say "A private libvirt host runs: $uri"
    fi
    choose_manifests
    export VIREO_CONNECT=$uri
    echo "(below, VIREO_CONNECT is set to it)"
    show "$vireo" validate "${manifests[@]}"
    show "$vireo" plan "${manifests[@]}"
    show "$vireo" apply --yes "${manifests[@]}"
    show "$vireo" plan --detailed-exitcode "${manifests[@]}" || die "the second plan is not empty"
    show "$vireo" status "${manifests[@]}"
    ! command -v virsh >/dev/null || show virsh -c "$uri" list --all
    local down="make demo-down"
    [ -z "${CONNECT:-}" ] || down="make demo-down CONNECT='$CONNECT'"
    cat <<EOT

Look around:
  export VIREO_CONNECT='$uri'
  virsh -c "\$VIREO_CONNECT" dumpxml hello
  virsh -c "\$VIREO_CONNECT" destroy hello; $vireo drift ${manifests[*]}
  $vireo apply ${manifests[*]}
End it:
  $down
EOT
}

down() {
    if [ -n "${CONNECT:-}" ]; then
        uri=$CONNECT
        choose_manifests
        VIREO_CONNECT=$uri show "$vireo" destroy --yes "${manifests[@]}"
    elif [ ! -e "$dir" ]; then
        echo "There is no demo."
        return
    elif with_lab; then
        "${sudo[@]}" "$lab/lab-down.sh" -p "$dir"
    else
        session_down
    fi
    echo "The demo is gone."
}

case ${1:-} in
    up | down) "$1" ;;
    *) sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "$0" >&2 && exit 2 ;;
esac
