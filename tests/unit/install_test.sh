#!/bin/sh
# What "make install" does beside copying: links, folders with their modes, a hamon.conf that is never overwritten;
# and "make uninstall" takes away all but what a person wrote.
set -eu
work=$(mktemp -d ./install_test.XXXXXX)
trap 'rm -rf "$work"' EXIT INT TERM
root=$(cd "$work" && pwd)/root
failed=0

fail() {
	echo "install_test: $*" >&2
	failed=1
}

run_make() {
	# A jobserver of the make above belongs to it, and so do its flags.
	(cd "$HAMON_BUILDDIR" && MAKEFLAGS='' MFLAGS='' "${MAKE:-make}" -s DESTDIR="$root" prefix=/usr \
		sysconfdir=/etc localstatedir=/var runstatedir=/run \
		systemdsystemunitdir=/usr/lib/systemd/system libvirthookdir=/etc/libvirt/hooks/qemu.d \
		"$@") >"$work/log" 2>&1 || {
		tail -n 20 "$work/log" >&2
		exit 1
	}
}

run_make install
hook=$root/etc/libvirt/hooks/qemu.d/50-hamon
case $(readlink "$hook") in
*/hamon/hamon-qemu-hook) ;;
*) fail "the hook points to \"$(readlink "$hook")\"" ;;
esac
for folder in etc/hamon/secrets var/lib/hamon; do
	test "$(stat -c %a "$root/$folder")" = 700 || fail "/$folder has mode $(stat -c %a "$root/$folder")"
done
for file in usr/lib/systemd/system/hamond.service usr/lib/systemd/system/hamon-shutdown.service \
	usr/lib/sysusers.d/hamon.conf usr/lib/tmpfiles.d/hamon.conf etc/hamon/hamon.conf.sample \
	usr/share/bash-completion/completions/hamonctl usr/share/man/man8/hamond.8 \
	usr/share/man/man5/hamon.conf.5; do
	test -s "$root/$file" || fail "/$file is not installed"
done
cmp "$root/etc/hamon/hamon.conf" "$root/etc/hamon/hamon.conf.sample" || fail "no hamon.conf from the sample"

echo "# mine" >"$root/etc/hamon/hamon.conf"
run_make install
grep -qx '# mine' "$root/etc/hamon/hamon.conf" || fail "a second install overwrote hamon.conf"
run_make uninstall
left=$(find "$root" ! -type d)
test "$left" = "$root/etc/hamon/hamon.conf" || fail "uninstall left: $left"
rm "$root/etc/hamon/hamon.conf"
run_make install
run_make uninstall
left=$(find "$root" ! -type d)
test -z "$left" || fail "uninstall left what nobody had changed: $left"
exit $failed
