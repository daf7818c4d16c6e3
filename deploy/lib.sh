# Shell functions of the commands in this folder; sourced, never run.
# shellcheck shell=bash

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

# Debian's names of what a Swift toolchain runs on, of what the build needs beside it, and of what the tests and the
# demonstration need.
toolchain_packages=(libcurl4 libedit2 libncurses6 libsqlite3-0 libxml2 tzdata)
build_packages=(libsqlite3-dev libmicrohttpd-dev libcurl4-openssl-dev pkg-config curl ca-certificates git binutils
    libstdc++-12-dev)
# shellcheck disable=SC2034  # for those who source this
test_packages=(sip-tester jq sqlite3 openssl python3 python3-venv)

say() { printf 'tandem: %s\n' "$*"; }

# One clear line and an exit code: 2 when the surroundings are wrong, 1 when the work failed.
give_up() {
    local code=$1
    shift
    printf 'tandem: %s\n' "$*" >&2
    exit "$code"
}

need_swift() {
    command -v swift >/dev/null 2>&1 ||
        give_up 2 "no Swift toolchain: install Swift 6.3 (https://www.swift.org/install/linux/) and put its 'swift' on PATH"
    local version
    version=$(swift --version 2>/dev/null)
    if [ -z "$version" ]; then
        need_packages "${toolchain_packages[@]}"
        version=$(swift --version 2>/dev/null)
    fi
    [[ $version =~ Swift\ version\ ([0-9]+)\.([0-9]+) ]] ||
        give_up 2 "'swift --version' of $(command -v swift) names no version: is the toolchain complete?"
    if ((BASH_REMATCH[1] < 6 || (BASH_REMATCH[1] == 6 && BASH_REMATCH[2] < 2))); then
        give_up 2 "Swift ${BASH_REMATCH[1]}.${BASH_REMATCH[2]} is too old: Tandem needs 6.2 or later, and is tested with 6.3"
    fi
}

# Installs those of the named Debian packages that are missing. Asks nothing of the network when none is.
need_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "no dpkg here, so nothing is installed; needed are the equivalents of Debian's $*"
        return
    fi
    local package missing=() as_root=() log
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        command -v sudo >/dev/null 2>&1 ||
            give_up 2 "missing Debian packages, and neither root nor sudo to install them: ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing from Debian: ${missing[*]}"
    log=$(mktemp)
    # `update` fails for any one unreachable source; whether what is needed can be had, `install` says.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=1 update >"$log" 2>&1 || true
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o Acquire::Retries=1 install "${missing[@]}" >>"$log" 2>&1; then
        give_up 2 "Debian gave no ${missing[*]} (no network?); apt-get's words are in $log"
    fi
    rm -f -- "$log"
}

# The Python of our own, with what of PyPI is needed; nothing of the system's is changed.
python=$root/.build/python

# need_python MODULE PACKAGE: false when PyPI gives none.
need_python() {
    "$python/bin/python3" -c "import $1" >/dev/null 2>&1 && return
    { [ -x "$python/bin/python3" ] || python3 -m venv "$python"; } >/dev/null 2>&1 &&
        "$python/bin/python3" -m pip install --quiet "$2" >/dev/null 2>&1
}

# Builds quietly: `build WHAT-IT-IS ARGUMENTS-OF-SWIFT-BUILD...`.
build() {
    local what=$1 log
    shift
    log=$(mktemp)
    say "building $what; the first time takes a few minutes"
    if (cd -- "$root" && swift build "$@") >"$log" 2>&1; then
        rm -f -- "$log"
        return
    fi
    local unreachable='Could not resolve host|unable to access|Failed to clone|Couldn.t fetch|Connection (timed out|refused)'
    if [[ $(<"$log") =~ $unreachable ]]; then
        give_up 2 "could not fetch the Swift packages that Tandem uses (no network?); swift's words are in $log"
    fi
    tail -n 40 -- "$log" >&2
    give_up 1 "$what does not build: the end of the output is above, all of it in $log"
}

# Puts the path of the program to try into $binary: what it holds already, else the release build, else the debug build,
# else a release build that is made first.
find_binary() {
    local candidate
    for candidate in "$root/.build/release/tandem" "$root/.build/debug/tandem"; do
        [ -z "$binary" ] && [ -x "$candidate" ] && binary=$candidate
    done
    if [ -z "$binary" ]; then
        need_swift
        need_packages "${build_packages[@]}"
        build 'Tandem (release)' -c release --product tandem
        binary=$root/.build/release/tandem
    fi
    [ -x "$binary" ] || give_up 2 "no program at $binary"
    binary=$(realpath -- "$binary")
}

# wait_for SECONDS CONDITION...: polls; false when it has not come true in time.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# A UDP port that nobody holds, put into the named variable.
free_port() {
    local candidate used
    used=$(cat /proc/net/udp /proc/net/udp6 2>/dev/null)
    for ((;;)); do
        candidate=$((20000 + RANDOM % 10000))
        [[ $used == *":$(printf '%04X' "$candidate") "* ]] || break
    done
    printf -v "$1" '%s' "$candidate"
}

is_bound() { [[ $(cat /proc/net/udp) == *":$(printf '%04X' "$1") "* ]]; }

# What follows works in the folder $work and notes each program that it starts in the array children.
work='' children=() launcher=()
# shellcheck disable=SC2034  # for those who source this
server='' api='' proxy='' redirect=''

listening() {
    jq -rR --arg role "$1" 'fromjson? | select(.message == "listening" and .role == $role) | .address' \
        "$work/tandem.log" | sed -n 's/^udp://; 1p'
}
is_listening() { [ -n "$(listening api)" ] && [ -n "$(listening proxy)" ] && [ -n "$(listening redirect)" ]; }
is_up_or_gone() { is_listening || ! kill -0 "$server" 2>/dev/null; }

# start_tandem [OPTIONS]: the server with the database $work/tandem.db on free ports; its process in $server, its addresses
# in $api, $proxy and $redirect. $launcher, when it is set, is a command that runs it.
start_tandem() {
    (cd -- "$work" && exec "${launcher[@]}" "$binary" serve --database "$work/tandem.db" --api 127.0.0.1:0 \
        --proxy udp:127.0.0.1:0 --redirect udp:127.0.0.1:0 --log-format json "$@") >"$work/tandem.log" 2>&1 &
    server=$!
    children+=("$server")
    wait_for 20 is_up_or_gone
    is_listening || give_up 1 "the server did not come up: $(tail -n 1 "$work/tandem.log")"
    # shellcheck disable=SC2034
    api=$(listening api) proxy=$(listening proxy) redirect=$(listening redirect)
}

# put PATH BODY: one change; its status code has to be a success.
put() {
    local code
    code=$(curl -s -o "$work/answer" -w '%{http_code}' --max-time 10 -X PUT "$api/v1/$1" -d "$2")
    [[ $code == 20[01] ]] || give_up 1 "PUT $1 was answered $code: $(tr '\n' ' ' <"$work/answer")"
}
