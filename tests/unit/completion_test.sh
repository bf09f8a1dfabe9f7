#!/bin/bash
# The completions: as a shell would ask them, against the real hamonctl and a control socket with canned replies; and
# none of the commands and options that --help tells is missing, nor is there one more.
set -u
work=$(mktemp -d ./completion_test.XXXXXX)
export HAMON_SERVICE=hamon-completion-$$
mkdir "$work/bin"
ln -s "$HAMON_BUILDDIR/hamonctl" "$HAMON_BUILDDIR/hamond" "$HAMON_BUILDDIR/evacuate/command/evacuate" \
	"$HAMON_BUILDDIR/storage-check/storage-check" "$work/bin"
PATH=$(cd "$work/bin" && pwd):$PATH

mkfifo "$work/ready"
"$HAMON_BUILDDIR/tests/unit/hamonctl_server" "$HAMON_SERVICE" "$HAMON_SRCDIR/tests/unit/hamonctl/worst.json" >"$work/ready" &
server=$!
trap 'kill $server; wait $server 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
exec {requests}<"$work/ready" # must stay open for as long as the server writes
word=
read -r -t 20 word <&$requests
if [ "$word" != ready ]; then
	echo "completion_test: no control socket" >&2
	exit 1
fi
# What the server says of every request must go somewhere.
cat <&$requests >/dev/null &
failed=0

# complete WORD...: the answers to TAB behind the last word, sorted, on one line
complete_words() {
	local program=$1
	(
		# Outside of readline there is nothing to tell options to.
		# shellcheck disable=SC2317
		compopt() { :; }
		# shellcheck disable=SC2317
		complete() { handler=$2; }
		handler=
		# shellcheck source=/dev/null
		. "$HAMON_SRCDIR/init/completion/$program"
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		COMPREPLY=()
		"$handler"
		printf '%s\n' "${COMPREPLY[@]}" | sort -u | tr '\n' ' '
	)
}

# expect "ANSWERS " WORD...
expect() {
	local expected=$1 found
	shift
	found=$(complete_words "$@")
	[ "$found" = "$expected" ] || {
		echo "completion_test: \"$*\": expected \"$expected\", found \"$found\"" >&2
		failed=1
	}
}

hosts=$(hamonctl status --json | python3 -c '
import json, sys
print(" ".join(sorted(host["name"] for host in json.load(sys.stdin)["hosts"])) + " ")')
[ "${#hosts}" -gt 3 ] || failed=1

expect "maintenance " hamonctl ma
expect "confirm-fenced " hamonctl c
expect "off on " hamonctl shutting-down o
expect "$hosts" hamonctl confirm-fenced h
expect "$hosts" hamonctl maintenance h
expect "off on " hamonctl maintenance h1 o
expect "--reason " hamonctl confirm-fenced h1 --r
expect " " hamonctl confirm-fenced h1 --reason ""
expect "$hosts" evacuate --host h
expect "--on-shared-storage " evacuate --o
expect "--check-config " hamond --ch
expect "--xml " storage-check --x
mapfile -t instances < <(hamonctl status --json | python3 -c '
import json, sys
for instance in json.load(sys.stdin)["instances"]:
	print(instance["name"])')
[ ${#instances[@]} -gt 1 ] || failed=1
for instance in "${instances[@]}"; do
	expect "$instance " hamonctl explain "$instance"
	expect "$instance " storage-check "$instance"
	expect "$instance " evacuate "$instance"
done

expect 'my\ web ' evacuate my
expect 'my\ web ' evacuate --accept-data-loss my
expect 'my\ web ' hamonctl explain my

# options_of PROGRAM [COMMAND]: those of its --help, sorted, on one line
options_of() {
	"$@" --help | grep -E '^  .*--' | grep -oE -- '--[a-z][a-z-]+' | sort -u | tr '\n' ' '
}

mapfile -t commands < <(hamonctl --help | sed -n 's/^  \([a-z-]*\)  .*/\1/p')
[ ${#commands[@]} -gt 10 ] || failed=1
expect "$(printf '%s\n' --help --version "${commands[@]}" | sort -u | tr '\n' ' ')" hamonctl ""
for command in "${commands[@]}"; do
	expect "$(options_of hamonctl "$command")" hamonctl "$command" --
done
for program in evacuate hamond storage-check; do
	expect "$(options_of "$program")" "$program" --
done
exit $failed
