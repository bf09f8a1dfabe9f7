#!/bin/sh
# The rules of who may use whom: the core is pure, parts do not include each other, hamond links no library that can hang.
set -eu

srcdir=${HAMON_SRCDIR:-$(dirname "$0")/../..}
builddir=${HAMON_BUILDDIR:-.}
core=$builddir/libhamon_core.a
status=0

fail() {
	echo "core_pure_test: $*"
	status=1
}

# --- what the core's objects call ---
# Memory, text, the allocation at start, and assert: no clock, file, socket, random number, log or thread.
allowed='memcpy memset memmove memcmp strlen strcmp strncmp strstr strcpy snprintf vsnprintf calloc free
	__assert_fail __stack_chk_fail _GLOBAL_OFFSET_TABLE_
	__memcpy_chk __memset_chk __memmove_chk __snprintf_chk __vsnprintf_chk __strcpy_chk'
symbols=$(nm "$core")
printf '%s\n' "$symbols" | grep -q ' T core_step$' || fail "$core does not define core_step: is it the core?"
unknown=$(printf '%s\n' "$symbols" | awk -v allowed="$allowed" '
	BEGIN { n = split(allowed, a); for (i = 1; i <= n; i++) ok[a[i]] = 1 }
	NF == 2 && $1 ~ /^[UwvV]$/ { used[$2] = 1 }
	NF == 3 && $2 !~ /^[a-z]$/ { defined[$3] = 1 }
	END {
		for (s in used)
			if (!(s in defined) && !(s in ok) &&
			    s !~ /^__(asan|ubsan|tsan|sanitizer|sancov|gcov|llvm_profile|llvm_gcov|start___sancov|stop___sancov)_?/)
				print s
	}')
[ -z "$unknown" ] || fail "hamon/core is not pure, its objects use: $(echo $unknown)"
# Nothing of it is kept outside of the struct core: two cores in one process must not know of each other. (Sanitizers and
# gcov keep variables of their own in every object.)
if ! printf '%s\n' "$symbols" | grep -qE ' __(asan|ubsan|tsan|sancov|sanitizer|gcov|llvm)'; then
	globals=$(nm -f sysv "$core" | awk -F'|' '{ gsub(/ /, "", $1); gsub(/ /, "", $7) }
		$7 ~ /^\.(data|bss|tdata|tbss)$|COM/ && $4 ~ /OBJECT|TLS/ { print $1 }')
	[ -z "$globals" ] || fail "hamon/core has variables outside of struct core: $(echo $globals)"
fi

# --- who includes whom ---
includes() { # FILE...: "file<TAB>header" of each include with quotes or brackets
	grep -HE '^[[:space:]]*#[[:space:]]*include' "$@" |
		sed -E 's/^([^:]*):[[:space:]]*#[[:space:]]*include[[:space:]]*([<"][^>"]*[>"]).*/\1	\2/'
}

cd "$srcdir"
files=$(find hamon fencing evacuate storage-check -name '*.[ch]' | sort)
[ "$(echo "$files" | wc -l)" -gt 50 ] || fail "too few sources found in $srcdir"
wrong=$(includes $files | awk -F'\t' '
	function part(path) { return path ~ /^hamon\/common\// ? "common" : substr(path, 1, index(path, "/") - 1) }
	{
		file = $1; header = substr($2, 2, length($2) - 2); own = $2 ~ /^"/
		from = part(file); to = own ? part(header) : ""
	}
	own && header != "config.h" && to == "" { print file ": " header ": write it from the top of the tree"; next }
	file ~ /^hamon\/core\// && own && header !~ /^hamon\/core\// { print file ": the core includes " header; next }
	file ~ /^hamon\/core\// && !own && header !~ /^(assert|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|limits|inttypes)\.h$/ {
		print file ": the core includes <" header ">"; next
	}
	own && header != "config.h" && to != "common" && from != to {
		print file ": part " from " includes " header " of part " to
	}
	own && file !~ /^hamon\/core\// && header == "hamon/core/state.h" { print file ": the core'\''s own state is its own" }
')
[ -z "$wrong" ] || fail "$wrong"
cd - >/dev/null

# --- what hamond links ---
if [ -x "$builddir/hamond" ]; then
	needed=$(readelf -d "$builddir/hamond" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p')
	echo "$needed" | grep -q '^libcpg\.' || fail "hamond does not link libcpg? It needs: $(echo $needed)"
	hang=$(echo "$needed" | grep -E '^lib(virt|curl|xml2|ssl|gnutls|nfs|rbd|iscsi)' || :)
	[ -z "$hang" ] || fail "hamond links what can hang: $(echo $hang)"
fi
exit $status
