#!/bin/sh
# The sample configuration: it can be used as it is, shows every key of the parser, and its commented defaults are
# those of the parser.
set -eu
tool=$HAMON_BUILDDIR/tests/unit/config_tool
sample=$HAMON_BUILDDIR/init/hamon.conf.sample
work=$(mktemp -d ./sample_test.XXXXXX)
trap 'rm -rf "$work"' EXIT INT TERM
failed=0

fail() {
	echo "sample_test: $*" >&2
	failed=1
}

digest() {
	"$tool" check "$1" | sed -n 's/.* digest //p'
}

# 1. As it is: usable, and the same as nothing at all.
"$HAMON_BUILDDIR/hamond" --check-config "$sample" || fail "the sample cannot be used"
: >"$work/empty.conf"
test "$(digest "$sample")" = "$(digest "$work/empty.conf")" || fail "the sample sets something"

# 2. Every key is there, in its section, with its default. A comment has a blank behind its "#", a setting has none.
sed 's/^#\([^ ]\)/\1/' "$sample" >"$work/full.conf"
section_lines() {
	awk -v name="$1" '/^\[/ { inside = ($0 ~ "^\\[" name "[] ]") } inside' "$work/full.conf"
}
"$tool" keys >"$work/keys"
test "$(wc -l <"$work/keys")" -gt 20 || fail "the parser has hardly any keys"
while read -r section key default; do
	case $key in
	option.KEY) pattern='^option\.[a-z_]* = .' ;;
	fence_level_N) pattern='^fence_level_[1-9] = .' ;;
	*) pattern="^$key = " ;;
	esac
	lines=$(section_lines "$section" | grep "$pattern") || {
		fail "[$section] $key is not in the sample"
		continue
	}
	# In sections with a name, values are examples.
	case $section in fence-device | host) continue ;; esac
	test "$default" = - || test "$lines" = "$key = $default" ||
		fail "[$section] the sample says \"$lines\", the default is $default"
done <"$work/keys"

# 3. With everything uncommented it is still right, and complete: no warning but those about missing programs and keys of
# another choice than the default.
here=$(cd "$work" && pwd)
sed -i "s|^secrets = .*/|secrets = $here/|" "$work/full.conf"
for name in $(sed -n 's|^secrets = .*/||p' "$work/full.conf"); do
	(umask 077 && echo password=x >"$work/$name")
done
if test "$(id -u)" = 0; then
	"$tool" check "$work/full.conf" >"$work/report" || fail "the uncommented sample cannot be used"
	grep -v -e 'there is no program' -e 'with select = all' "$work/report" | grep 'warning:' && fail "the uncommented sample has warnings"
	cat "$work/report"
else
	echo "sample_test: skipped the secrets, which only root can own"
fi
exit $failed
