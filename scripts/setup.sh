#!/bin/sh
# Makes .venv with the packages that a lock names: setup.sh runtime|test|bench
# Any Python from 3.11 on will do; PYTHON=... chooses one. The lock's hashes are checked by pip.
set -eu
cd "$(dirname "$0")/.."
wanted=$1

find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    echo "dayfly needs Python 3.11 or later; none was found. PYTHON=/path/to/python make ... names one." >&2
    exit 1
}

# Debian ships the venv module without what it needs to put pip into a new environment.
ensure_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        apt-get install -y -qq "$package" || apt-get install -y -qq python3-venv
    else
        echo "$1 cannot make virtual environments. As root, run: apt-get install $package" >&2
        exit 1
    fi
}

if ! [ -x .venv/bin/python ] || ! .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
    python=$(find_python)
    ensure_venv "$python"
    "$python" -m venv --clear .venv
fi

# The tools build this project without a second, unlocked environment, and install functions' dependencies quickly.
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip --quiet"
case $wanted in
    runtime) $pip install --require-hashes --requirement locks/runtime.txt --requirement locks/tools.txt ;;
    test)
        $pip install --require-hashes --requirement locks/test.txt
        # What faults are made with; tests that need them are skipped, with a sentence, where they cannot be had.
        if ! { command -v strace && command -v faketime; } >/dev/null &&
            [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            { apt-get update -qq && apt-get install -y -qq strace faketime e2fsprogs; } ||
                echo "left out: strace and faketime could not be installed" >&2
        fi
        ;;
    bench)
        # What users would run otherwise, and what makes the load.
        $pip install --require-hashes --requirement locks/test.txt
        $pip install --require-hashes --requirement locks/bench.txt
        if ! { command -v wrk && command -v h2load && command -v nginx; } >/dev/null &&
            [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq && apt-get install -y -qq wrk nghttp2-client nginx-light
        fi
        ;;
    *) echo "setup.sh: runtime, test or bench?" >&2; exit 2 ;;
esac
$pip install --no-deps --no-build-isolation --editable .
