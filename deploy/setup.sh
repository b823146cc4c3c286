#!/usr/bin/env bash
# Installs what hotpath needs on a fresh Debian 12 or 13 (git and make are there). Says it again
# at no cost: a second call finds everything in place and ends in well under a second.
#
#   deploy/setup.sh build    compilers, libraries, redis-server, python3: enough for make, make demo
#   deploy/setup.sh test     build, and what make test needs: Java with Kafka's jars
#                            (build/deps/kafka/libs), promtool, Python with the clients (build/venv)
#   deploy/setup.sh peers    test, and a Java compiler for what tests/bench/peers builds
#   deploy/setup.sh fuzz     build, and clang with libFuzzer
#
# Needs root, or sudo, only where a package is absent. What is not a package of this Debian goes
# into build/, never into the system; the machine's own apt sources stay as they are.
# HOTPATH_NO_APT=1 never installs packages: it only says what is absent.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/build/deps
venv=$root/build/venv
stamps=$deps/stamps
scratch=

say () { printf 'setup: %s\n' "$*" >&2; }
die () { say "error: $*"; exit 1; }

usage () {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
}

clean_up () {
    if [ -n "$scratch" ]; then
        rm -rf "$scratch"
    fi
}
trap clean_up EXIT

# --- The system ---------------------------------------------------------------------------------

require_debian () {
    local ID='' VERSION_ID='' PRETTY_NAME=''
    if [ -r /etc/os-release ]; then
        # shellcheck disable=SC1091
        . /etc/os-release
    fi
    command -v apt-get > /dev/null && command -v dpkg-query > /dev/null \
        || die "this needs Debian 12 or 13 (no apt-get here); see deploy/setup.sh for the packages"
    os=$ID
    os_version=${VERSION_ID%%.*}
    if [ "$os" != debian ] || { [ "$os_version" != 12 ] && [ "$os_version" != 13 ]; }; then
        say "warning: tried on Debian 12 and 13 only, this is ${PRETTY_NAME:-unknown}"
    fi
}

as_root () {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

is_installed () {   # package
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

# The names that differ: msgpack's C library was renamed after Debian 12.
packages_of () {    # mode
    local msgpack=libmsgpack-dev
    [ "$os_version" = 12 ] || msgpack=libmsgpack-c-dev
    printf '%s\n' build-essential pkg-config ca-certificates libzmq3-dev libczmq-dev \
        librdkafka-dev libhiredis-dev libmongoc-dev "$msgpack" liblmdb-dev libxxhash-dev \
        libmicrohttpd-dev libcurl4-openssl-dev libsodium-dev uthash-dev libcmocka-dev redis-server redis-tools python3
    [ "$os_version" = 12 ] || printf '%s\n' libyyjson-dev
    case $1 in
    test | peers)
        printf '%s\n' python3-venv iproute2
        java_is_new_enough || printf '%s\n' default-jre-headless
        [ "$1" = test ] || command -v javac > /dev/null || printf '%s\n' default-jdk-headless
        command -v mvn > /dev/null || printf '%s\n' maven
        ;;
    fuzz)
        printf '%s\n' clang llvm
        if [ "$os_version" = 12 ]; then
            printf '%s\n' libclang-rt-14-dev
        else
            printf '%s\n' libclang-rt-dev
        fi
        ;;
    esac
}

java_is_new_enough () {
    local version
    version=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p') || return 1
    [ -n "$version" ] && [ "$version" -ge 17 ]
}

# redis-server's package would start and enable a service on port 6379. hotpath's demo and tests
# start a server of their own, so the service stays off when it was us who brought the package.
install_packages () {   # package...
    local policy=/usr/sbin/policy-rc.d redis_was_there=yes policy_is_ours=no failed=no
    if [ "${HOTPATH_NO_APT:-}" = 1 ]; then
        die "absent, and HOTPATH_NO_APT is set: $*"
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo > /dev/null; then
        die "these packages are absent and installing them needs root or sudo: $*"
    fi
    say "installing $*"
    is_installed redis-server || redis_was_there=no
    # A third-party source that is down is not our matter as long as the packages are found.
    as_root apt-get update -q > "$scratch/apt.log" 2>&1 \
        || say "warning: apt-get update had errors; trying with the lists there are"
    if [ "$redis_was_there" = no ] && [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$scratch/policy-rc.d"
        as_root install -m 755 "$scratch/policy-rc.d" "$policy"
        policy_is_ours=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" >> "$scratch/apt.log" 2>&1 || failed=yes
    if [ "$policy_is_ours" = yes ]; then
        as_root rm -f "$policy"
    fi
    if [ "$redis_was_there" = no ] && is_installed redis-server; then
        keep_redis_service_off
    fi
    if [ "$failed" = yes ]; then
        tail -n 30 "$scratch/apt.log" >&2
        die "apt-get could not install: $*"
    fi
}

keep_redis_service_off () {
    if [ -d /run/systemd/system ]; then
        as_root systemctl disable --now redis-server.service > /dev/null 2>&1 || true
    elif command -v deb-systemd-helper > /dev/null; then
        as_root deb-systemd-helper disable redis-server.service > /dev/null 2>&1 || true
    fi
    if command -v update-rc.d > /dev/null; then
        as_root update-rc.d redis-server disable > /dev/null 2>&1 || true
    fi
}

ensure_packages () {    # mode
    local wanted absent=() name
    mapfile -t wanted < <(packages_of "$1")
    # One query for all: a call for each would cost most of the second that we have.
    local installed
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2> /dev/null \
        || true)
    for name in "${wanted[@]}"; do
        case $'\n'$installed$'\n' in
        *$'\n'"$name installed"$'\n'*) ;;
        *) absent+=("$name") ;;
        esac
    done
    if [ ${#absent[@]} -gt 0 ]; then
        install_packages "${absent[@]}"
    fi
}

# --- Things in build/ ---------------------------------------------------------------------------

# A stamp names what a result was made from; another input, another stamp, made again.
stamp_is_fresh () {     # name, input hash
    [ "$(cat "$stamps/$1" 2> /dev/null)" = "$2" ]
}

set_stamp () {          # name, input hash
    printf '%s\n' "$2" > "$stamps/$1"
}

hash_of () {            # file or literal...
    local item
    for item in "$@"; do
        if [ -f "$item" ]; then
            cat "$item"
        else
            printf '%s\n' "$item"
        fi
    done | sha256sum | cut -d ' ' -f 1
}

# Debian 12 has no yyjson. Debian 13's package needs only libc, so it is unpacked into build/deps
# by an apt of our own, with its own sources, lists and cache.
ensure_yyjson () {
    [ "$os_version" = 12 ] || return 0
    local apt=$deps/apt key mirror architecture
    # From where this machine has its own packages.
    mirror=${HOTPATH_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' |
        awk '/\/debian\/?$/ && !found { found = $1 } END { print found }')}
    [ -n "$mirror" ] || die "no Debian mirror in apt's sources: set HOTPATH_DEBIAN_MIRROR to one"
    architecture=$(dpkg --print-architecture)
    key=$(hash_of yyjson trixie "$architecture" 1)
    if stamp_is_fresh yyjson "$key" && [ -e "$deps/usr/include/yyjson.h" ]; then
        return 0
    fi
    say "unpacking Debian 13's libyyjson into build/deps"
    rm -rf "$apt"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/packages"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main\n' \
        "$mirror" > "$apt/sources.list"
    printf '%s\n' "Dir::Etc::sourcelist \"$apt/sources.list\";" \
        'Dir::Etc::sourceparts "-";' "Dir::State::lists \"$apt/lists\";" \
        "Dir::Cache \"$apt/cache\";" 'APT::Sandbox::User "root";' \
        'Acquire::Languages "none";' 'APT::Get::List-Cleanup "false";' > "$apt/apt.conf"
    (
        export APT_CONFIG=$apt/apt.conf
        cd "$apt/packages"
        apt-get update -q && apt-get download -q libyyjson0 libyyjson-dev
    ) > "$scratch/yyjson.log" 2>&1 || {
        tail -n 20 "$scratch/yyjson.log" >&2
        die "libyyjson0 and libyyjson-dev of Debian 13 could not be fetched from $mirror"
    }
    local package
    for package in "$apt"/packages/*.deb; do
        dpkg-deb -x "$package" "$deps"
    done
    [ -e "$deps/usr/include/yyjson.h" ] || die "the yyjson packages held no yyjson.h"
    rm -rf "$apt/lists" "$apt/cache" "$apt/packages"
    set_stamp yyjson "$key"
}

# promtool alone: the whole package would bring a service and web pages.
ensure_promtool () {
    local key
    key=$(hash_of promtool "$os_version" "$(dpkg --print-architecture)" 1)
    if stamp_is_fresh promtool "$key" && [ -x "$deps/bin/promtool" ]; then
        return 0
    fi
    say "unpacking promtool into build/deps"
    mkdir -p "$scratch/promtool" "$deps/bin"
    (
        cd "$scratch/promtool"
        # As root apt would take a user of its own, who cannot write here.
        apt-get -q -o APT::Sandbox::User=root download prometheus \
            || { as_root apt-get -q update \
                && apt-get -q -o APT::Sandbox::User=root download prometheus; }
        dpkg-deb -x prometheus_*.deb unpacked
    ) > "$scratch/promtool.log" 2>&1 || {
        tail -n 20 "$scratch/promtool.log" >&2
        die "Debian's package prometheus, which holds promtool, could not be fetched"
    }
    install -m 755 "$scratch/promtool/unpacked/usr/bin/promtool" "$deps/bin/promtool"
    set_stamp promtool "$key"
}

ensure_kafka () {
    local pom=$root/tests/support/kafka/pom.xml key
    key=$(hash_of "$pom")
    if stamp_is_fresh kafka "$key" && compgen -G "$deps/kafka/libs/kafka_*.jar" > /dev/null; then
        return 0
    fi
    say "fetching Kafka for the tests into build/deps/kafka"
    rm -rf "$deps/kafka"
    mkdir -p "$deps/kafka/libs"
    mvn -B -q -f "$pom" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$deps/kafka/libs" > "$scratch/mvn.log" 2>&1 || {
        tail -n 30 "$scratch/mvn.log" >&2
        die "Maven could not fetch Kafka's jars"
    }
    set_stamp kafka "$key"
}

ensure_python () {
    local requirements=$root/tests/support/requirements.txt python=/usr/bin/python3 key
    [ -x "$python" ] || python=$(command -v python3)
    key=$(hash_of "$requirements" "$("$python" -c 'import sys; print(sys.version)')" "$venv")
    if stamp_is_fresh venv "$key" && [ -x "$venv/bin/python" ]; then
        return 0
    fi
    say "making the tests' Python environment in build/venv"
    rm -rf "$venv"
    "$python" -m venv "$venv" > "$scratch/pip.log" 2>&1 \
        && "$venv/bin/python" -m pip install -q --disable-pip-version-check \
            -r "$requirements" >> "$scratch/pip.log" 2>&1 || {
        tail -n 30 "$scratch/pip.log" >&2
        die "the Python packages of tests/support/requirements.txt could not be installed"
    }
    set_stamp venv "$key"
}

# --- The call -----------------------------------------------------------------------------------

main () {
    local mode=${1:-}
    case $mode in
    build | test | peers | fuzz) ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
    esac
    require_debian
    mkdir -p "$stamps"
    # Two calls at once (make -j) would unpack over each other.
    exec 9> "$deps/setup.lock"
    flock 9
    scratch=$(mktemp -d)
    ensure_packages "$mode"
    ensure_yyjson
    if [ "$mode" = test ] || [ "$mode" = peers ]; then
        ensure_promtool
        ensure_kafka
        ensure_python
    fi
}

main "$@"
