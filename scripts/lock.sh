#!/bin/sh
# Writes locks/ anew from pyproject.toml: versions and hashes, for every Python we support, and no hosts.
set -eu
cd "$(dirname "$0")/.."
compile() {
    out=$1
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
        --no-emit-index-url "$@" --output-file "locks/$out.txt"
}
mkdir -p locks
compile runtime pyproject.toml
compile tools --group tools
compile test pyproject.toml --group test
compile charts --no-deps --group charts
compile bench pyproject.toml --group bench --constraint locks/runtime.txt
