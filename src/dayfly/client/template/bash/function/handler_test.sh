#!/bin/bash
# Run with `bash handler_test.sh`, in this folder.
set -euo pipefail

check() {
    answer=$(printf %s "$1" | bash handler.sh)
    [ "$answer" = "$2" ] || { echo "'$1' was answered with '$answer', not '$2'" >&2; exit 1; }
}

check "Dayfly" "Hello, Dayfly!"
check "" "Hello, stranger!"
echo "passed"
