#!/bin/sh
# Every transcript must come out as it is written. `tests/transcripts/run --update FILE` writes it anew.
set -eu
dir=${HAMON_SRCDIR:-$(dirname "$0")/../..}/tests/transcripts
exec "${HAMON_BUILDDIR:-.}/tests/transcripts/run" "$dir"/*.txt
