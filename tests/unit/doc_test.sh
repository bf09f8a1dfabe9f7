#!/bin/sh
# The manual pages: without a formatter's warning, and hamon.conf(5) has every key of the parser with its default.
set -eu
tool=$HAMON_BUILDDIR/tests/unit/config_tool
doc=$HAMON_SRCDIR/doc
failed=0

fail() {
	echo "doc_test: $*" >&2
	failed=1
}

for page in "$doc"/*.[1-8]; do
	test -s "$page" || fail "there is no manual page"
	if command -v groff >/dev/null; then
		said=$(groff -mandoc -Tutf8 -ww -z "$page" 2>&1) || fail "$page: groff failed"
		test -z "$said" || fail "$said"
	fi
	if command -v mandoc >/dev/null; then
		said=$(mandoc -Tlint -W warning "$page" 2>&1) || fail "$said"
	fi
	# What one page refers to as a part of hamon must be there.
	for other in $(sed -n 's/^\.Xr \(hamon[a-z.]*\|evacuate\|storage-check\) \([0-9]\).*/\1.\2/p' "$page"); do
		test -f "$doc/$other" || fail "$page refers to $other, which is not there"
	done
done

# What a program tells in its --help is in its page, every option and every word of a choice, and every command of hamonctl.
help_check() {
	page=$1
	shift
	"$@" --help >doc_test.help 2>&1 || fail "$* --help failed"
	for option in $(grep -oE '(^|[^a-z-])--[a-z][a-z-]*' doc_test.help | sed 's/.*--//' | sort -u); do
		grep -qE "Fl (.*[ |] ?)?-$option( |\$)" "$doc/$page" || fail "$page says nothing of --$option"
	done
	for option in $(grep -oE '^  -[a-zA-Z],' doc_test.help | grep -o '[a-zA-Z]'); do
		grep -qE "^\.It Fl $option , -" "$doc/$page" || fail "$page says nothing of -$option"
	done
	for word in $(grep -oE '[a-z]+(\|[a-z]+)+' doc_test.help | tr '|' '\n'); do
		grep -qE "(Cm|\|) $word( |\$)" "$doc/$page" || fail "$page says nothing of $word"
	done
	cat doc_test.help >>"doc_test.$page"
	rm -f doc_test.help
}
rm -f doc_test.*.[1-8]
help_check hamond.8 "$HAMON_BUILDDIR/hamond"
help_check evacuate.1 "$HAMON_BUILDDIR/evacuate/command/evacuate"
help_check hamon-store.8 "$HAMON_BUILDDIR/hamon-store"
help_check hamonctl.8 "$HAMON_BUILDDIR/hamonctl"
help_check storage-check.1 "$HAMON_BUILDDIR/storage-check/storage-check"
help_check hamon-evacuate.8 "$HAMON_BUILDDIR/hamon-evacuate"
help_check hamon-fence.8 "$HAMON_BUILDDIR/hamon-fence"
help_check hamon-helpers.8 "$HAMON_BUILDDIR/hamon-storage"
help_check hamon-helpers.8 "$HAMON_BUILDDIR/hamon-alert"
commands=$("$HAMON_BUILDDIR/hamonctl" --help | sed -n 's/^  \([a-z-]*\)  .*/\1/p')
test "$(echo "$commands" | wc -l)" -gt 10 || fail "hamonctl --help has hardly any commands"
for command in $commands; do
	grep -q "^\.It Cm $command\>" "$doc/hamonctl.8" || fail "hamonctl.8 says nothing of $command"
	help_check hamonctl.8 "$HAMON_BUILDDIR/hamonctl" "$command"
done
# The other way round: a page has no option that its program does not tell.
for told in doc_test.*.[1-8]; do
	page=${told#doc_test.}
	for option in $(grep -E '^\.(It |Op |Pq )?(Cm [a-z]+ )?Fl ' "$doc/$page" | grep -oE ' -[a-z][a-z-]+' | sort -u); do
		grep -qE -- "(^|[^a-z-])-$option([^a-z-]|\$)" "$told" || fail "$page speaks of -$option, of which --help says nothing"
	done
done
rm -f doc_test.*.[1-8]

section_items() {
	awk -v name="$1" '/^\.S[sh] / { inside = ($0 ~ "^\\.Ss \\[" name "[] ]") } inside && /^\.It Sy /' \
		"$doc/hamon.conf.5"
}
"$tool" keys | {
	count=0
	while read -r section key default; do
		count=$((count + 1))
		line=$(section_items "$section" | awk -v key="$key" '$3 == key') || true
		if test -z "$line"; then
			fail "hamon.conf.5 says nothing of [$section] $key"
		elif test "$default" != -; then
			# The tree may be configured for another prefix than the manual speaks of.
			case $default in */lib/hamon) default=/var/lib/hamon ;; */hamon/*) default=/etc/hamon/${default##*/hamon/} ;; esac
			case $line in
			*" Pq $default") ;;
			*) fail "hamon.conf.5: \"$line\": the default is $default" ;;
			esac
		fi
	done
	test "$count" -gt 20 || fail "the parser has hardly any keys"
	exit $failed
} || failed=1
# The other way round: the page knows no key that the parser does not.
"$tool" keys >doc_test.keys
awk '/^\.Ss \[/ { section = $2; gsub(/[][]/, "", section) } /^\.It Sy / { print section, $3 }' "$doc/hamon.conf.5" |
	while read -r section key; do
		grep -q "^$section $key " doc_test.keys || echo "[$section] $key"
	done >doc_test.unknown
test ! -s doc_test.unknown || fail "hamon.conf.5 speaks of keys that are not: $(cat doc_test.unknown)"
rm -f doc_test.keys doc_test.unknown
exit $failed
