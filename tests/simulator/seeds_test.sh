#!/bin/sh
# The simulator over the seeds that found bugs, and over some more; `make soak` runs many.
set -eu

srcdir=${HAMON_SRCDIR:-$(dirname "$0")/../..}
sim=${HAMON_BUILDDIR:-.}/tests/simulator/sim

failed=0
run() {
	"$sim" "$@" || { failed=1; echo "failed: sim $*"; }
}

n=0
while read -r seed found; do
	case $seed in
	'' | '#'*) continue ;;
	esac
	n=$((n + 1))
	"$sim" --seeds "$seed-$seed" || { failed=1; echo "seed $seed failed again; it found: $found"; }
done <"$srcdir/tests/simulator/seeds"
# An empty list would pass in silence.
[ "$n" -gt 0 ] || { echo "no seeds in $srcdir/tests/simulator/seeds"; exit 1; }

# Cores that are used again are as good as new ones: the same digest of every step, or a field is not cleaned.
digest() {
	"$sim" --seeds 200-320 "$@" | sed -n 's/.*digest //p'
}
used=$(digest) fresh=$(digest --fresh-cores)
[ -n "$used" ] && [ "$used" = "$fresh" ] || { failed=1; echo "cores used again differ from new ones: $used, $fresh"; }

run --seeds 1-120
run --hosts 2 --seeds 1-130
run --disks --seeds 1-30
exit $failed
