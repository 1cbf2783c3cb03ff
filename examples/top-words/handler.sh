#!/bin/bash
# The ten words that a text uses most: four programs that every Unix has, one call.
#
#     curl --data-binary @book.txt $URL/function/top-words
set -euo pipefail

sed 's/.*/\L&/' | { grep -oE '[[:alpha:]]{3,}' || true; } | sort | uniq -c | sort -k1,1nr -k2 | awk 'NR <= 10'
