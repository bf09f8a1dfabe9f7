"""One hypervisor host of its own for the tests of hamon-evacuate and hamon-qemu-hook.

A host is a set of namespaces (pid, mount, net, uts, ipc) with a private /run, /etc/libvirt, /var/lib/libvirt,
/var/log and a real libvirtd that runs real QEMU guests under TCG. Killing its init ends everything in it.
"""
import hashlib
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import uuid

SRC = pathlib.Path(os.environ.get("HAMON_SRCDIR", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("HAMON_BUILDDIR", SRC / "build"))
LAB_DIR = os.environ.get("HAMON_LAB_DIR", "/var/tmp")

INIT_C = r"""
#include <signal.h>
#include <unistd.h>
/* PID 1: reaps orphans by SA_NOCLDWAIT, else libvirtd waits 40 s for each of its probing QEMUs. */
int main(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	sigaction(SIGCHLD, &sa, 0);
	for (;;)
		pause();
}
"""

SETUP_SH = r"""
set -e
d=$1
hostname "$2"
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/libvirt
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for p in varlib:/var/lib/libvirt etc:/etc/libvirt cache:/var/cache/libvirt log:/var/log; do
	mount --bind "$d/${p%%:*}" "${p#*:}"
done
mkdir -p /var/log/libvirt/qemu /var/lib/libvirt/qemu /var/lib/libvirt/images /var/lib/libvirt/boot /var/cache/libvirt/qemu
# reboot(2) ends only this host, but sysrq would act on the whole machine
if [ -e /proc/sysrq-trigger ]; then : >"$d/sysrq"; mount --bind "$d/sysrq" /proc/sysrq-trigger; fi
exec "$d/init" hamon-test-host
"""

LIBVIRTD_CONF = """
listen_tls = 0
listen_tcp = 0
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
host_uuid = "{uuid}"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
"""

QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
max_core = 0
"""

# A guest of 512 bytes: counts in LBA 1 of its disk, twice a second, after "HAMN", its boots and a nonce. When the
# first byte of LBA 2 is 'Q' it powers off by ACPI (the PM1a control port of QEMU's i440fx under SeaBIOS).
GUEST_ASM = r"""
org 0x7c00
bits 16
 cli
 xor ax,ax
 mov ds,ax
 mov es,ax
 mov ss,ax
 mov sp,0x7c00
 cld
 sti
 mov [drive],dl
 mov word [packet+4],record
 mov ah,0x42
 call disk
 mov dword [record],'HAMN'
 inc dword [record+4]
 rdtsc
 mov [record+8],eax
 mov dword [record+16],0
again: mov bx,9
wait_tick: mov ax,[0x46c]
same: hlt
 cmp ax,[0x46c]
 je same
 dec bx
 jnz wait_tick
 inc dword [record+16]
 mov word [packet+4],record
 mov word [packet+8],1
 mov ax,0x4300
 call disk
 mov word [packet+4],buffer
 mov word [packet+8],2
 mov ah,0x42
 call disk
 cmp byte [buffer],'Q'
 jne again
 mov byte [buffer],'q'
 mov ax,0x4300
 call disk
 mov dx,0x604
 mov ax,0x2000
 out dx,ax
 hlt
disk: mov dl,[drive]
 mov si,packet
 int 0x13
 ret
drive db 0
 align 4
packet db 0x10,0
 dw 1, record, 0
 dq 1
 times 510-($-$$) db 0
 dw 0xaa55
record equ 0x7e00
buffer equ 0x8000
"""


def wait_for(what, check, seconds=30):
    """Polls until check() is true and returns its value; the bound only ends a test that hangs."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(0.05)


def guest_image(directory):
    """The boot sector, assembled once a test session."""
    image = pathlib.Path(directory) / "guest.bin"
    if not image.exists():
        source = pathlib.Path(directory) / "guest.asm"
        source.write_text(GUEST_ASM)
        subprocess.run(["nasm", "-f", "bin", "-o", image, source], check=True)
    return image.read_bytes()


class Host:
    def __init__(self, name="h1", number=1):
        self.name = name
        self.number = number
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hamon-host-", dir=LAB_DIR))
        self.hooks = self.dir / "etc/hooks/qemu.d"
        self.libvirtd_pid = None
        self.outer = None
        self.init = None
        for folder in ("varlib", "etc/qemu", "cache", "log", "disks", "hamon"):
            (self.dir / folder).mkdir(parents=True)
        (self.dir / "init.c").write_text(INIT_C)
        subprocess.run(["gcc", "-O2", "-static", "-o", self.dir / "init", self.dir / "init.c"], check=True)
        (self.dir / "etc/libvirtd.conf").write_text(
            LIBVIRTD_CONF.format(uuid=f"00000000-0000-4000-8000-{number:012d}"))
        (self.dir / "etc/qemu.conf").write_text(QEMU_CONF)
        self.boot()

    def boot(self):
        self.outer = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--uts", "--ipc", "--net",
             "--mount-proc", "--kill-child", "sh", "-c", SETUP_SH, "sh", str(self.dir), self.name],
            stdin=subprocess.DEVNULL, stdout=open(self.dir / "console.log", "a"), stderr=subprocess.STDOUT,
            start_new_session=True)

        def child():
            assert self.outer.poll() is None, (self.dir / "console.log").read_text()
            path = f"/proc/{self.outer.pid}/task/{self.outer.pid}/children"
            pids = open(path).read().split()
            return pids and "init" == open(f"/proc/{pids[0]}/comm").read().strip() and int(pids[0])
        self.init = wait_for("the host's init", child)

    def end(self):
        """Power loss and removal: nothing of the host is left."""
        if self.outer:
            try:
                os.kill(self.init, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.outer.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def enter(self, *argv):
        return ["nsenter", "-t", str(self.init), "-m", "-n", "-p", "-u", "-i", "--", *map(str, argv)]

    def run(self, *argv, check=True, timeout=60, **kw):
        done = subprocess.run(self.enter(*argv), capture_output=True, text=True, timeout=timeout, **kw)
        if check:
            assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def popen(self, *argv, **kw):
        return subprocess.Popen(self.enter(*argv), text=True, **kw)

    def virsh(self, *argv, **kw):
        return self.run("virsh", "-q", "-c", "qemu:///system", *argv, **kw)

    def pids_of(self, pattern):
        """(pid outside, command line) of this host's processes whose command line matches."""
        found = []
        namespace = os.stat(f"/proc/{self.init}/ns/pid").st_ino
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if os.stat(f"/proc/{entry}/ns/pid").st_ino != namespace:
                    continue
                line = open(f"/proc/{entry}/cmdline").read().replace("\0", " ")
            except OSError:
                continue
            if re.search(pattern, line):
                found.append((int(entry), line))
        return found

    def qemu_pids(self, guest_uuid):
        return [pid for pid, _ in self.pids_of(rf"-uuid {guest_uuid}\b")]

    def libvirtd_start(self):
        self.run("libvirtd", "-d", "-p", "/run/libvirtd.pid")
        wait_for("libvirtd", lambda: self.virsh("version", check=False).returncode == 0)
        self.libvirtd_pid = self.pids_of(r"^libvirtd -d")[0][0]

    def libvirtd_stop(self, sig=signal.SIGTERM):
        os.kill(self.libvirtd_pid, sig)
        wait_for("libvirtd's end", lambda: not os.path.exists(f"/proc/{self.libvirtd_pid}"))

    def disk(self, name):
        """A new image with the guest in it."""
        path = self.dir / "disks" / f"{name}.img"
        image = guest_image(self.dir)
        path.write_bytes(image + bytes((1 << 20) - len(image)))
        return path

    def xml(self, name, disk=None, guest_uuid=None, metadata="", memory_mib=4, devices=""):
        guest_uuid = guest_uuid or str(uuid.UUID(hashlib.md5(name.encode()).hexdigest()))
        if disk is None:
            disk = self.disk(name)
        return guest_uuid, f"""<domain type='qemu'>
<name>{name}</name><uuid>{guest_uuid}</uuid>{metadata}<memory unit='MiB'>{memory_mib}</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><boot dev='hd'/></os><features><acpi/></features>
<cpu mode='custom' match='exact' check='none'><model fallback='allow'>qemu64</model></cpu>
<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
<controller type='usb' model='none'/><memballoon model='none'/>{devices}
</devices></domain>"""

    def define(self, name, **kw):
        guest_uuid, xml = self.xml(name, **kw)
        path = self.dir / f"{name}.xml"
        path.write_text(xml)
        self.virsh("define", path)
        return guest_uuid


def record(path):
    """(boots, writes since boot) that a guest wrote to its disk."""
    data = pathlib.Path(path).read_bytes()[512:1024]
    magic, boots, _, writes = struct.unpack("<4sIQI", data[:20])
    return (boots, writes) if magic == b"HAMN" else (0, 0)


def ask_to_power_off(path):
    with open(path, "r+b") as image:
        image.seek(1024)
        image.write(b"Q")
