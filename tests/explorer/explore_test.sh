#!/bin/sh
# The search in short: within bounds that leave no state out, and with garbage in all that a core does not remember.
set -eu

explore=${HAMON_BUILDDIR:-.}/tests/explorer/explore
failed=0

# What it prints but for the times, which differ from run to run.
run() {
	"$explore" --json --out explore_test.found "$@" | sed 's/"seconds":.*"violation"/"violation"/'
}

check() { # NAME OUTPUT
	case $2 in
	*'"exhausted":true'*'"violation":false'*) echo "$1: $2" ;;
	*) failed=1; echo "$1: not every state was visited, or one is wrong: $2" ;;
	esac
}

plain=$(run --kills 0)
check "a crash and a return" "$plain"
poisoned=$(run --kills 0 --poison)
[ "$plain" = "$poisoned" ] || { failed=1; echo "what a core does not remember matters: $poisoned"; }
check "a failed start" "$(run --kills 0 --returns 0 --start-failures 1 --owner 2)"
check "a cut" "$(run --crashes 0 --kills 0 --returns 1 --cuts 1)"
check "a crash, and a daemon's death" "$(run --returns 0)"
check "timers overtake, one channel is slow" "$(run --kills 0 --returns 0 --early 2 --slow 1)"
check "a daemon dies while helpers work" "$(run --returns 0 --waits 1 --late 1)"
check "starts past hamon" "$(run --kills 0 --by-hand 1)"
check "a stopped instance is handed over, and started past hamon" "$(run --returns 0 --kills 0 --stops 1 --by-hand 2 --hand-over)"
pair=$(run --hosts 2 --kills 0)
check "two nodes" "$pair"
poisoned=$(run --hosts 2 --kills 0 --poison)
[ "$pair" = "$poisoned" ] || { failed=1; echo "two nodes: what a core does not remember matters: $poisoned"; }
check "two nodes, a stopped instance is started on the one that is left" "$(run --hosts 2 --kills 0 --returns 0 --stops 1 --by-hand 2)"
check "two nodes that lose each other" "$(run --hosts 2 --crashes 0 --kills 0 --cuts 1)"
check "every order: a host dies, a start fails" "$(run --all-orders --kills 0 --returns 0 --start-failures 1)"
# With more hosts in it, every order of everything only goes so deep in a moment.
shallow=$(run --all-orders --depth 8)
case $shallow in
*'"violation":false'*) echo "every order: $shallow" ;;
*) failed=1; echo "every order: $shallow" ;;
esac
rm -f explore_test.found
exit $failed
