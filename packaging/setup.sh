#!/bin/sh
# Installs from Debian's packages what building, the tests and the demo need, and nothing where it is there already.
#
# `setup.sh tools` installs from PyPI what only tests run, too.
#
# PostgreSQL's package would make and start a cluster of its own: that is turned off for the installation. Clusters that
# exist are left alone: retcon runs a private PostgreSQL of its own, of which only the programs are needed.
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

has_c_compiler() {
    has cc && printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | cc -x c - -o /dev/null 2>/dev/null
}

has_postgresql() {
    if has initdb && has postgres; then
        return 0
    fi
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        if [ -x "$initdb" ]; then
            return 0
        fi
    done
    return 1
}

has_python() {
    has python3 && python3 -c 'import http.server, json, sqlite3, urllib.request' 2>/dev/null
}

has_venv() {
    has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null
}

# What the sources of the examples and of the tests are written in or talk to.
missing_packages() {
    has_c_compiler || printf 'gcc libc6-dev '
    has_postgresql || printf 'postgresql '
    has_python || printf 'python3 '
    has_venv || printf 'python3-venv '
    has sqlite3 || printf 'sqlite3 '
    has curl || printf 'curl '
    # For callgrind, which counts instructions.
    has valgrind || printf 'valgrind '
    # For promtool, which checks what is measured and the rules that rest on it.
    has promtool || printf 'prometheus '
    # A browser, and what drives it.
    has chromium || printf 'chromium '
    has chromedriver || printf 'chromium-driver '
}

check_rust() {
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    way="install Rust $wanted or later with rustup (https://rustup.rs), open a new shell and say make again"
    if ! has cargo || ! has rustc; then
        [ ! -x "$HOME/.cargo/bin/cargo" ] || way="it is in $HOME/.cargo/bin: put that on PATH and say make again"
        fail "cannot find cargo and rustc, the tools that build Rust programs" "$way"
    fi
    found=$(rustc --version | cut -d ' ' -f 2)
    oldest=$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)
    [ "$oldest" = "$wanted" ] || fail "cannot build with Rust $found: $wanted or later is needed" "$way"
}

# Runs apt-get as root; $1 tells what for.
apt() {
    what=$1
    shift
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        fail "cannot $what" "see above; Debian's packages come over the network"
    }
}

install_packages() {
    command="apt-get update && apt-get install -y --no-install-recommends $*"
    has apt-get || fail "cannot install what is missing: this system has no apt-get" \
        "install the equivalents of these packages of Debian: $*"
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif has sudo && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        fail "cannot install what is missing without being root: $*" "run this, then make again: sudo sh -c '$command'"
    fi

    log=$(mktemp)
    no_cluster=/etc/postgresql-common/createcluster.d/retcon-setup.conf
    trap 'rm -f "$log"; $as_root rm -f "$no_cluster"' EXIT
    trap 'exit 130' INT TERM HUP
    printf 'installing from Debian: %s\n' "$*" >&2
    $as_root mkdir -p "$(dirname "$no_cluster")"
    printf 'create_main_cluster = false\n' | $as_root tee "$no_cluster" >/dev/null
    apt "read the lists of Debian's packages" update
    # shellcheck disable=SC2086 # a list of words
    apt "install $*" install -y --no-install-recommends "$@"
}

# Programs of other people's that only tests run, in an environment of their own.
install_tools() {
    tools=${CARGO_TARGET_DIR:-target}/tools
    if cat packaging/requirements.txt packaging/axe.txt | cmp -s - "$tools/installed.txt"; then
        return 0
    fi
    printf 'installing from PyPI: what packaging/requirements.txt and packaging/axe.txt list\n' >&2
    rm -rf "$tools"
    mkdir -p "$(dirname "$tools")"
    python3 -m venv "$tools" || fail "cannot make an environment for Python's programs in $tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement packaging/requirements.txt ||
        fail "cannot install what packaging/requirements.txt lists" "see above; it comes over the network"
    # Only a file of it is wanted, and nothing that it needs to be run.
    "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement packaging/axe.txt ||
        fail "cannot install what packaging/axe.txt lists" "see above; it comes over the network"
    cat packaging/requirements.txt packaging/axe.txt >"$tools/installed.txt"
}

check_rust
missing=$(missing_packages)
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # a list of words
    install_packages $missing
    still=$(missing_packages)
    [ -z "$still" ] || fail "cannot find what was installed: $still"
fi
case ${1-} in
tools) install_tools ;;
esac
