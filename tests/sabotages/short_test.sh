#!/bin/sh
# Every deliberate fault must still apply to the sources, and three of them must be caught.
set -eu
HAMON_BUILD=${HAMON_BUILDDIR:-.} exec "${HAMON_SRCDIR:-$(dirname "$0")/../..}/tests/sabotage" --short
