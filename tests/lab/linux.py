"""A Linux guest as in life: UEFI with nvram, a bridged network, and a qcow2 chain. See linuxguest.c for its /init."""
import glob
import os
import shutil
import subprocess
import tempfile

import guests
from spaces import LabError

BRIDGE = "brvm"
HOST_ADDRESS = "10.77.9.254"
MODULES = ("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
           "failover", "net_failover", "virtio_net", "efivarfs")
FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
NETWORK = "<network>\n<name>vm</name>\n<forward mode='bridge'/>\n<bridge name='%s'/>\n</network>\n" % BRIDGE
STUB = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"


def _do(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise LabError("%s: %s%s" % (" ".join(command), done.stdout, done.stderr))
    return done.stdout


def kernel_folder(cache):
    """Debian's cloud kernel, unpacked and not installed: no boot loader of this machine is touched."""
    folder = os.path.join(cache, "kernel")
    if not glob.glob(os.path.join(folder, "boot", "vmlinuz-*")):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        depends = _do(["apt-cache", "depends", "linux-image-cloud-amd64"])
        package = next(line.split()[1] for line in depends.splitlines() if line.split()[:1] == ["Depends:"])
        _do(["apt-get", "-o", "APT::Sandbox::User=root", "download", package], cwd=folder)
        _do(["dpkg", "-x", glob.glob(os.path.join(folder, "*.deb"))[0], folder])
    return folder


def cpio(entries):
    """A newc archive, as Linux's initramfs wants it: [(name, mode, data)]."""
    out = b""
    for inode, (name, mode, data) in enumerate(entries + [("TRAILER!!!", 0, b"")], 1):
        fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
    return out


def disk_image(path, cache, work):
    """A raw disk with an EFI file system; its sector 1 is free for the witness's record."""
    kernel = kernel_folder(cache)
    init = os.path.join(work, "init")
    _do(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-static", "-o", init,
         os.path.join(os.path.dirname(os.path.abspath(__file__)), "linuxguest.c")])
    entries = [("modules", 0o040755, b"")]
    for name in MODULES:
        with open(glob.glob("%s/lib/modules/*/kernel/**/%s.ko" % (kernel, name), recursive=True)[0], "rb") as module:
            entries.append(("modules/%s.ko" % name, 0o100644, module.read()))
    with open(init, "rb") as program:
        entries.append(("init", 0o100755, program.read()))
    names = {name: os.path.join(work, name) for name in ("initrd", "cmdline", "linux.efi")}
    with open(names["initrd"], "wb") as out:
        out.write(cpio(entries))
    with open(names["cmdline"], "w") as out:
        out.write("console=ttyS0 quiet panic=1 net.ifnames=0\0")
    # One EFI program of stub, kernel, initramfs and command line, see systemd-stub(7).
    kernel_image = glob.glob(kernel + "/boot/vmlinuz-*")[0]
    start = 0x40000  # behind the stub's own sections; closely packed, for the firmware loads it as one piece
    sections = (".cmdline", names["cmdline"], 0x30000), (".linux", kernel_image, start), \
        (".initrd", names["initrd"], start + (os.path.getsize(kernel_image) + 0xffff & ~0xffff))
    command = ["objcopy"]
    for section, source, address in sections:
        command += ["--add-section", "%s=%s" % (section, source), "--change-section-vma", "%s=%#x" % (section, address)]
    _do(command + [STUB, names["linux.efi"]])
    with open(path, "wb") as disk:
        disk.truncate(48 << 20)
    # FAT over the whole disk, with 64 sectors before the first table: what the record needs is among them.
    _do(["mformat", "-i", path, "-R", "64", "::"])
    _do(["mmd", "-i", path, "::EFI", "::EFI/BOOT"])
    _do(["mcopy", "-i", path, names["linux.efi"], "::EFI/BOOT/BOOTX64.EFI"])


def bridge_up(host):
    """The service "bridge" of a host: what its network configuration would make at boot."""
    host.run("ip link add %s type bridge && ip addr add %s/24 dev %s && ip link set %s up" % (
        BRIDGE, HOST_ADDRESS, BRIDGE, BRIDGE))
    host.write("/etc/libvirt/qemu/networks/vm.xml", NETWORK)
    host.run("mkdir -p /etc/libvirt/qemu/networks/autostart && ln -sf ../vm.xml /etc/libvirt/qemu/networks/autostart/")


class LinuxGuest(guests.Guest):
    """The whole guest: define, start and read as any other. efi_boots(): its count in its nvram."""

    def __init__(self, lab, name, cache, memory=256, **said):
        self.base, self.top = os.path.join(lab.shared, name + "-base.qcow2"), os.path.join(lab.shared, name + ".qcow2")
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=lab.folder) as work:
            raw = os.path.join(work, "disk")
            disk_image(raw, cache, work)
            _do(["qemu-img", "convert", "-O", "qcow2", raw, self.base])
        _do(["qemu-img", "create", "-q", "-f", "qcow2", "-b", name + "-base.qcow2", "-F", "qcow2", self.top])
        os.makedirs(os.path.join(lab.shared, "nvram"), exist_ok=True)
        super().__init__(lab, name, "", lambda: guests.read_witness_qcow2(self.top, lab.folder), memory,
                         guests.metadata_xml(**said))

    @property
    def xml(self):
        return """\
<domain type='qemu'>
<name>%(name)s</name>
<uuid>%(uuid)s</uuid>
%(metadata)s<memory unit='MiB'>%(memory)d</memory>
<vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type>
<loader readonly='yes' type='pflash'>%(code)s</loader>
<nvram template='%(vars)s'>/srv/shared/nvram/%(name)s.fd</nvram></os>
<features><acpi/></features>
<cpu mode='custom' match='exact' check='none'><model fallback='allow'>qemu64</model></cpu>
<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
<devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='%(cache)s'/>
<source file='/srv/shared/%(name)s.qcow2'/><target dev='vda' bus='virtio'/></disk>
<interface type='network'><mac address='02:77:09:00:00:0a'/><source network='vm'/><model type='virtio'/></interface>
<serial type='file'><source path='/var/log/libvirt/qemu/%(name)s-console.log'/></serial>
<memballoon model='none'/>
</devices>
</domain>
""" % {"name": self.name, "uuid": self.uuid, "metadata": self.metadata, "memory": self.memory, "code": FIRMWARE[0],
       "vars": FIRMWARE[1], "cache": guests.cache_mode(self.lab.folder)}

    def efi_boots(self):
        """How often it was started by the count in its nvram, as it says on its disk."""
        with tempfile.TemporaryDirectory(dir=self.lab.folder) as folder:
            copy = os.path.join(folder, "sectors")
            _do(["qemu-img", "dd", "-U", "-f", "qcow2", "-O", "raw", "bs=512", "count=2", "if=" + self.top, "of=" + copy])
            with open(copy, "rb") as disk:
                return int.from_bytes(disk.read()[512 + 28:512 + 32], "little")

    def heard(self, host):
        """A record that came over the guest's network to this host."""
        script = ("import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('%s', 7077))\n"
                  "s.settimeout(20)\nprint(s.recv(64).hex())" % HOST_ADDRESS)
        told = bytes.fromhex(host.run(["/usr/bin/python3", "-c", script]).stdout)
        return guests.witness_parse(bytes(512) + told)
