# Sourced by tests/demo, tests/bench, tests/chaos and tests/all: what all need before they can start, on a bare Debian 12 as root.
# shellcheck shell=bash

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(dirname "$HERE")
BUILD=${HAMON_BUILD:-$TOP/build}

PACKAGES_BUILD="gcc libc6-dev make autoconf automake pkg-config libcpg-dev libquorum-dev libcmap-dev libcfg-dev
	libqb-dev libjson-c-dev libsqlite3-dev libsystemd-dev libvirt-dev libxml2-dev libinih-dev libcurl4-openssl-dev libyaml-dev"
PACKAGES_LAB="corosync libvirt-daemon libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils
	fence-agents openipmi ipmitool nasm python3 iproute2 util-linux procps sqlite3"
PACKAGES_ALL="clang libclang-rt-14-dev xz-utils python3-pytest python3-pytest-xdist qemu-block-extra tgt glusterfs-server glusterfs-client
	faketime nftables pacemaker ovmf mtools systemd-boot-efi binutils patch"
# A real Ceph, for tests/all --long and tests/nova.
PACKAGES_CEPH="ceph-mon ceph-osd ceph-mgr ceph-common qemu-block-extra python3-rbd"
# A real OpenStack for the lab's hosts; tests/nova says how large that is.
PACKAGES_NOVA="rabbitmq-server mariadb-server python3-pymysql python3-keystone python3-placement python3-glance python3-nova
	python3-cinder python3-masakari python3-libvirt uwsgi-core uwsgi-plugin-python3"
# Of these only files are wanted (api-paste.ini): installing them would configure the daemons of this machine.
UNPACKED_NOVA="nova-common glance-common cinder-common masakari-api"

POLICY=/usr/sbin/policy-rc.d

say() { printf '%s\n' "$*"; }

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# What we put over the machine's own policy must go again, however we end.
policy_restore() {
	if [ -e "$POLICY.hamon-saved" ]; then
		mv -f "$POLICY.hamon-saved" "$POLICY"
	elif [ -e "$POLICY" ] && grep -q 'put here by hamon' "$POLICY"; then
		rm -f "$POLICY"
	fi
}

# No daemon may start on the machine itself merely because its package comes in: they run in the lab's hosts.
policy_refuse() {
	policy_restore # an earlier run may have been killed
	[ ! -e "$POLICY" ] || mv "$POLICY" "$POLICY.hamon-saved"
	printf '#!/bin/sh\n# put here by hamon while it installs packages\nexit 101\n' >"$POLICY"
	chmod 755 "$POLICY"
}

packages_missing() {
	local installed package
	installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | sed -n 's/^ii *//p')
	for package in "$@"; do
		printf '%s\n' "$installed" | grep -qx "$package" || printf '%s ' "$package"
	done
}

STEP= # process group of the step that runs

interrupted() {
	trap '' INT TERM HUP
	if [ -n "$STEP" ]; then
		kill -TERM -- "-$STEP" 2>/dev/null
		wait "$STEP" 2>/dev/null
		# That was perhaps a shell around it: labs need some seconds to be taken down.
		for _ in {1..300}; do
			kill -0 -- "-$STEP" 2>/dev/null || break
			sleep 0.1
		done
	fi
	policy_restore
	printf '\n  interrupted\n'
	exit "$1"
}

trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'interrupted 129' HUP

# job COMMAND..: run it in a process group of its own, so that an interrupt at once ends all of it
job() {
	local status=0
	set -m
	"$@" </dev/null &
	STEP=$!
	set +m
	wait "$STEP" || status=$?
	STEP=
	return $status
}

# step LOG TEXT COMMAND..: one line on the terminal, the rest in a file that is shown when it fails
step() {
	local log=$1 text=$2 start=$SECONDS
	shift 2
	mkdir -p "$(dirname "$log")"
	printf '  %-36s' "$text"
	if job "$@" >"$log" 2>&1; then
		printf 'done  %4d s\n' $((SECONDS - start))
		return 0
	fi
	printf 'FAILED after %d s, see %s\n' $((SECONDS - start)) "$log"
	tail -n 40 "$log"
	return 1
}

packages_apt() {
	export DEBIAN_FRONTEND=noninteractive
	dpkg --configure -a
	apt-get -o DPkg::Lock::Timeout=600 update
	apt-get -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold install -y --no-install-recommends "$@"
}

# setup_packages PACKAGE..: install what is missing
setup_packages() {
	local missing status=0
	[ "$(id -u)" = 0 ] || die "must run as root: it makes namespaces and installs packages"
	missing=$(packages_missing "$@")
	[ -n "$missing" ] || return 0
	policy_refuse
	# shellcheck disable=SC2086
	step "$BUILD/log/packages.log" "packages ($(echo $missing | wc -w) missing)" packages_apt $missing || status=1
	policy_restore
	return $status
}

build_configure() {
	[ -x "$TOP/configure" ] && [ "$TOP/configure" -nt "$TOP/configure.ac" ] &&
		! find "$TOP" -name automake.mk -newer "$TOP/configure" -not -path "$BUILD/*" | grep -q . || (cd "$TOP" && ./autogen.sh)
	mkdir -p "$1"
	cd "$1" || return 1
	shift
	[ -x config.status ] && [ config.status -nt "$TOP/configure" ] || "$TOP/configure" --prefix=/usr/local --sysconfdir=/etc \
		--localstatedir=/var --runstatedir=/run "$@"
}

# setup_build FOLDER CONFIGURE-OPTION..: build out of tree
setup_build() {
	local folder=$1
	shift
	step "$BUILD/log/${folder##*/}-configure.log" "configure" build_configure "$folder" "$@" || return 1
	step "$BUILD/log/${folder##*/}-make.log" "make" make -C "$folder" -j"$(nproc)"
}

# setup_stage FOLDER: the installed tree that the lab's hosts see at /usr/local and /etc
setup_stage() {
	rm -rf "$1/stage"
	step "$BUILD/log/${1##*/}-install.log" "make install" make -C "$1" install DESTDIR="$1/stage"
}

nova_unpack() {
	local folder=$BUILD/cloud package
	rm -rf "$folder/root" "$folder/root.new" "$folder/deb"
	mkdir -p "$folder/root.new" "$folder/deb"
	# shellcheck disable=SC2086
	(cd "$folder/deb" && apt-get -o APT::Sandbox::User=root download $UNPACKED_NOVA) || return 1
	for package in "$folder"/deb/*.deb; do
		dpkg-deb -x "$package" "$folder/root.new" || return 1
	done
	printf '%s\n' "$UNPACKED_NOVA" >"$folder/root.new/unpacked"
	mv "$folder/root.new" "$folder/root" && rm -rf "$folder/deb"
}

# setup_nova: what of Nova's packages is unpacked, not installed
setup_nova() {
	[ "$(cat "$BUILD/cloud/root/unpacked" 2>/dev/null)" = "$UNPACKED_NOVA" ] ||
		step "$BUILD/log/unpack-nova.log" "Nova's files" nova_unpack
}
