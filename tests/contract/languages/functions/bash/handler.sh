#!/bin/bash
set -euo pipefail

read -r command argument || true
case $command in
    echo) cat ;;
    tell) printf '%s %s %s %s' "$Http_Method" "$Http_Path" "${Http_Query:-}" "${Http_X_Mark:-}" ;;
    raise) echo "told on purpose" >&2; exit 3 ;;
    log) rest=$(cat); echo "to stderr: $rest" >&2 ;;
    env) printf %s "${!argument:-}" ;;
    sleep) sleep "$argument"; printf awake ;;
esac
