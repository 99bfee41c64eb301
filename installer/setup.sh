#!/usr/bin/env bash
# Makes this folder ready: system packages, .venv, locked Python packages. `installer/setup.sh [run|test]`
# Says what it installs and skips what is there; when nothing changed since the last time it ends at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

purpose=${1:-run}
inputs=(installer/debian-packages.txt installer/setup.sh requirements.txt pyproject.toml)
stamp=.make/ready-$purpose
state=$(sha256sum "${inputs[@]}" | sha256sum | cut -d' ' -f1)

say() { printf '[setup] %s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

# The names of a purpose: "# run" and "# test" lines begin a part of the list. $1: "" for those that are needed, "?" for
# those that are taken where they are offered.
wanted_packages() {
    awk -v purpose="$purpose" -v mark="$1" '
        /^# test/ { test = 1 } /^# run/ { test = 0 }
        /^[a-z]/ && (!test || purpose == "test") && $2 == mark { print $1 }' installer/debian-packages.txt
}

# Those of the names on stdin that are not there.
missing_packages() {
    local name
    while read -r name; do is_installed "$name" || printf '%s\n' "$name"; done
}

# Those of the names on stdin that apt could install; says which it could not.
offered_packages() {
    local name
    while read -r name; do
        if [[ $(apt-cache policy "$name" 2>/dev/null) =~ Candidate:\ [0-9] ]]; then
            printf '%s\n' "$name"
        else
            say "not offered here, so what needs it is skipped: $name"
        fi
    done
}

is_installed() {
    [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null) == ii* ]] && return 0
    # Ubuntu 24.04 renamed some libraries (libfoo1 is provided by libfoo1t64).
    [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "${1}t64" 2>/dev/null) == ii* ]]
}

install_system_packages() {
    local needed=() welcome=() as_root=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "not Debian or Ubuntu; install the likes of these yourself:" $(wanted_packages "") $(wanted_packages "?")
        return
    fi
    mapfile -t needed < <(wanted_packages "" | missing_packages)
    mapfile -t welcome < <(wanted_packages "?" | missing_packages)
    if ((${#needed[@]} + ${#welcome[@]} == 0)); then
        say "system packages: all there"
        return
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            ((${#needed[@]} == 0)) || stop "these are missing and neither root nor sudo is at hand: ${needed[*]}"
            say "neither root nor sudo is at hand, so what needs these is skipped: ${welcome[*]}"
            return
        fi
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -q >&2
    if ((${#welcome[@]})); then
        mapfile -t welcome < <(printf '%s\n' "${welcome[@]}" | offered_packages)
    fi
    if ((${#needed[@]} + ${#welcome[@]} == 0)); then return; fi
    say "installing system packages: ${needed[*]} ${welcome[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${needed[@]}" "${welcome[@]}" >&2
}

# The first Python that is new enough and can make environments.
find_python() {
    local candidate
    for candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    stop "Python 3.11 or newer with venv is needed; found: $(python3 --version 2>&1 || echo none)"
}

install_python_packages() {
    if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        local python
        python=$(find_python)
        say "making .venv with $("$python" --version)"
        rm -rf .venv
        "$python" -m venv .venv
    fi
    say "installing the Python packages of requirements.txt into .venv"
    local pip=(.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --retries 5 --timeout 60)
    # Without dependencies: the lock names all of them, and rapidocr's headless OpenCV would overwrite the one we use.
    "${pip[@]}" --requirement requirements.txt >&2
    "${pip[@]}" --no-build-isolation --editable . >&2
}

if [[ -f $stamp && $(<"$stamp") == "$state" && -x .venv/bin/python ]]; then
    exit 0
fi
install_system_packages
install_python_packages
mkdir -p .make
printf '%s\n' "$state" >"$stamp"
# What is ready for the tests is ready for the product.
if [[ $purpose == test ]]; then printf '%s\n' "$state" >.make/ready-run; fi
say "ready"
