#!/bin/bash
# The order at the shutdown of a host, as systemd itself carries it out: hamond hears of it before the first guest is
# stopped, and watches until the last one is gone. A manager of systemd runs in namespaces, with the units as they are
# installed; corosync, libvirtd, the guests and hamon's programs are stand-ins that write down when they are stopped.
# Not with stand-ins, and so not here: what hamond makes of it.
set -u

manager=
for path in /usr/lib/systemd/systemd /lib/systemd/systemd; do
	[ -x "$path" ] && manager=$path && break
done

skip() {
	echo "shutdown_test: skipped: $*"
	exit 77
}

# In the namespaces: $1 is the folder for everything, $2 "guests-service" or nothing.
inside() {
	local run=$1 order=$1/order unit
	# Below a chroot the root is no mount that could be private.
	mount --make-rprivate / && mount -t proc proc /proc && mount -t tmpfs tmpfs /run &&
		mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 77
	# Where systemd looks for itself; in this mount namespace it is nobody else's /run.
	mkdir -p /run/systemd/system "$run/units" "$run/bin" && chmod 0700 "$run"
	export XDG_RUNTIME_DIR=$run HOME=$run SYSTEMD_UNIT_PATH=$run/units:

	for unit in corosync libvirtd; do
		printf '%s\n' '[Service]' Type=oneshot RemainAfterExit=yes ExecStart=/bin/true \
			"ExecStop=/bin/sh -c 'echo stop $unit >>$order'" >"$run/units/$unit.service"
	done
	# libvirt-guests stops the guests itself; its dependencies are those of libvirt's own unit.
	printf '%s\n' '#!/bin/sh' "touch $run/shutdown" "until grep -q 'stop guest' $order; do sleep 0.1; done" \
		"echo stop libvirt-guests >>$order" >"$run/bin/guests-stop"
	printf '%s\n' '[Unit]' Requires=virt-guest-shutdown.target After=virt-guest-shutdown.target '[Service]' \
		Type=oneshot RemainAfterExit=yes ExecStart=/bin/true "ExecStop=$run/bin/guests-stop" \
		>"$run/units/libvirt-guests.service"
	printf '%s\n' '[Unit]' Description=guests >"$run/units/virt-guest-shutdown.target"
	# A guest; libvirt gives the scope of every guest this order.
	printf '%s\n' '#!/bin/sh' "end() { echo stop guest >>$order; exit 0; }" 'trap end TERM' \
		"until [ -e $run/shutdown ]; do sleep 0.1; done" end >"$run/bin/guest"
	printf '%s\n' '[Unit]' Before=virt-guest-shutdown.target '[Service]' "ExecStart=$run/bin/guest" \
		>"$run/units/guest.service"
	printf '%s\n' '#!/bin/sh' "trap 'echo stop hamond >>$order; exit 0' TERM" \
		'systemd-notify --ready' 'while :; do sleep 0.1; done' >"$run/bin/hamond"
	# Slow, so that nothing else would wait for it by chance.
	printf '%s\n' '#!/bin/sh' 'sleep 0.5' "echo hamonctl \"\$@\" >>$order" >"$run/bin/hamonctl"
	chmod 0755 "$run"/bin/*
	for unit in hamond hamon-shutdown; do
		# A manager of a user can neither sandbox nor raise priorities; and it is asked with --user.
		sed -e "s|@sbindir@|$run/bin|g" -e "s|@bindir@|$run/bin|g" -e "s|@localstatedir@|$run|g" \
			-e "s|@runstatedir@|$run|g" -e 's/systemctl is-system/systemctl --user is-system/' \
			-e 's/^NotifyAccess=main/NotifyAccess=all/' \
			-e '/^\(Protect\|ReadWrite\|RestrictN\|RestrictA\|RestrictR\|RestrictS\|SystemCall\|Capab\|Lock\)/d' \
			-e '/^\(OOM\|Nice\|CPUW\)/d' \
			"$HAMON_SRCDIR/init/$unit.service.in" >"$run/units/$unit.service"
	done
	printf '%s\n' '[Unit]' "Wants=corosync.service libvirtd.service ${2:+libvirt-guests.service}" \
		'Wants=guest.service hamond.service' >"$run/units/all.target"

	"$manager" --user --unit=all.target --log-target=console --log-level=warning >"$run/log" 2>&1 &
	for _ in $(seq 100); do
		systemctl --user is-active -q all.target 2>/dev/null && break
		kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
	systemctl --user is-active -q hamond.service hamon-shutdown.service || {
		cat "$run/log"
		systemctl --user --no-pager status hamond.service hamon-shutdown.service
		exit 1
	} >&2
	# By hand it means nothing: nobody is told.
	systemctl --user restart hamon-shutdown.service
	echo shutdown >>"$order"
	systemctl --user exit
	wait
}

if [ "${1:-}" = inside ]; then
	inside "$2" "${3:-}"
	exit 0
fi

[ "$(id -u)" = 0 ] || skip "only root can make namespaces"
[ -n "$manager" ] || skip "there is no systemd here"
work=$(mktemp -d "${TMPDIR:-/tmp}/hamon-shutdown.XXXXXX")
mkdir "$work/cgroup"
mount -t cgroup2 cgroup2 "$work/cgroup" 2>/dev/null || {
	rm -r "$work"
	skip "there are no cgroups (version 2) here"
}
group=$work/cgroup/hamon-test-$$

# shellcheck disable=SC2317
cleanup() {
	find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
	umount "$work/cgroup"
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
mkdir "$group" || skip "no cgroup can be made here"
failed=0

# run NAME [guests-service]
run() {
	run=$work/$1
	mkdir "$run"
	# The shell in the new cgroup only starts the namespaces, which begin at that cgroup.
	sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec unshare --mount --propagation unchanged --pid --fork --kill-child --uts --ipc --cgroup "$@"' \
		sh "$group" bash "$0" inside "$run" "${2:-}"
	case $? in
	0) ;;
	77) skip "no namespaces for a manager of systemd here" ;;
	*) failed=1 ;;
	esac
}

# expect IGNORED LINE...: but for the stops that are ignored, the last run wrote down just these lines
expect() {
	local ignored=$1
	shift
	printf '%s\n' "$@" >"$run/expected"
	grep -vE "^stop ($ignored)\$" "$run/order" | diff -u "$run/expected" - >&2 || failed=1
}

run guests guests-service
# Which of corosync and libvirtd goes first is nobody's concern.
expect libvirtd \
	shutdown "hamonctl shutting-down on" "stop guest" "stop libvirt-guests" "stop hamond" "stop corosync"

# Without libvirt-guests systemd itself ends the guests, beside hamond; which must have heard of it before.
run bare
expect "libvirtd|corosync|hamond" shutdown "hamonctl shutting-down on" "stop guest"
expect "libvirtd|guest" shutdown "hamonctl shutting-down on" "stop hamond" "stop corosync"
exit $failed
