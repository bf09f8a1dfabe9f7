#!/bin/sh
# The units: systemd understands every line of them, and what they start is there. systemd-analyze only warns about
# unknown keys, so any word of it counts.
set -eu
command -v systemd-analyze >/dev/null || {
	echo "units_test: skipped: no systemd-analyze here"
	exit 77
}
work=$(mktemp -d "${TMPDIR:-/tmp}/hamon-units.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$work/sbin" "$work/bin" "$work/state" "$work/run"
for program in sbin/hamond bin/hamonctl; do
	printf '#!/bin/sh\n' >"$work/$program"
	chmod 0755 "$work/$program"
done
for unit in hamond hamon-shutdown; do
	sed -e "s|@sbindir@|$work/sbin|g" -e "s|@bindir@|$work/bin|g" \
		-e "s|@localstatedir@|$work/state|g" -e "s|@runstatedir@|$work/run|g" \
		"$HAMON_SRCDIR/init/$unit.service.in" >"$work/$unit.service"
done
failed=0
said=$(systemd-analyze verify --man=no "$work/hamond.service" "$work/hamon-shutdown.service" 2>&1) || failed=1
# Other units of the machine may have faults of their own.
said=$(printf '%s\n' "$said" | grep -E 'hamon|Unknown|cycle' || true)
if test -n "$said"; then
	printf '%s\n' "$said" >&2
	failed=1
fi
grep -r '@[a-z]*dir@' "$work" "$HAMON_BUILDDIR"/init/*.service "$HAMON_BUILDDIR/init/hamon.tmpfiles" && failed=1
# A change that opens the sandbox shows here; the number is systemd's exposure level times ten.
systemd-analyze security --offline=yes --threshold=57 "$work/hamond.service" >"$work/security" 2>&1 || {
	tail -n 5 "$work/security" >&2
	failed=1
}
# The order at shutdown: hamon-shutdown first, then libvirt-guests, then hamond. It is the reverse of the start.
order() {
	grep -qx "$2=$3" "$work/$1.service" || {
		echo "units_test: $1.service lacks $2=$3" >&2
		failed=1
	}
}
order hamon-shutdown After libvirt-guests.service
order hamon-shutdown After virt-guest-shutdown.target
order hamon-shutdown After hamond.service
order hamond Before libvirt-guests.service
order hamond After corosync.service
order hamond After libvirtd.service
exit $failed
