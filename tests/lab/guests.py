"""Guests that prove on their own disks who ran them, and the referee that watches the QEMU processes."""
import collections
import os
import struct
import subprocess
import tempfile
import threading
import time
import uuid
from xml.sax.saxutils import escape, quoteattr

import spaces

Witness = collections.namedtuple("Witness", "boots nonce seq violations errors")

RECORD = struct.Struct("<4sIQIII")


def witness_parse(data):
    """The record of a witness from the first 1024 bytes of its disk, or None before its first start."""
    if len(data) < 512 + RECORD.size:
        return None
    magic, boots, nonce, seq, violations, errors = RECORD.unpack_from(data, 512)
    return Witness(boots, nonce, seq, violations, errors) if magic == b"HAMN" else None


def read_witness(image):
    """From a raw image, as a path that this process can open."""
    with open(image, "rb") as disk:
        return witness_parse(disk.read(1024))


def read_witness_qcow2(image, scratch):
    """From a qcow2 image while a QEMU may be writing it. scratch: a folder for the copy of its first sectors."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        copy = os.path.join(folder, "sectors")
        done = subprocess.run(["qemu-img", "dd", "-U", "-f", "qcow2", "-O", "raw", "bs=512", "count=2", "if=" + image,
                               "of=" + copy], capture_output=True, text=True)
        if done.returncode:
            raise spaces.LabError(done.stderr)
        return read_witness(copy)


def metadata_xml(protected=None, priority=None, group=None, allow=None, deny=None):
    """hamon's own element of a domain's <metadata>, or nothing."""
    said = {"protected": None if protected is None else ("yes" if protected else "no"), "priority": priority,
            "group": group, "allow": allow, "deny": deny}
    words = "".join(" %s=%s" % (key, quoteattr(str(value))) for key, value in said.items() if value is not None)
    if not words:
        return ""
    return "<metadata><hamon:instance xmlns:hamon='urn:hamon:instance:1'%s/></metadata>\n" % words


def cache_mode(folder):
    """none, as on a real host, where the lab's disk can do O_DIRECT."""
    try:
        fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_DIRECT, 0o600)
    except OSError:
        return "writethrough"
    os.close(fd)
    return "none"


class Guest:
    """One domain. reader() gives its Witness; disk_xml its <disk> elements."""

    def __init__(self, lab, name, disk_xml, reader, memory=4, metadata="", domain_uuid=None):
        self.lab, self.name, self.reader = lab, name, reader
        self.uuid = domain_uuid or str(uuid.uuid5(uuid.NAMESPACE_DNS, name + ".guest.lab.hamon"))
        self.disk_xml, self.memory, self.metadata = disk_xml, memory, metadata

    @property
    def xml(self):
        return """\
<domain type='qemu'>
<name>%s</name>
<uuid>%s</uuid>
%s<memory unit='MiB'>%d</memory>
<vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><boot dev='hd'/></os>
<features><acpi/></features>
<cpu mode='custom' match='exact' check='none'><model fallback='allow'>qemu64</model></cpu>
<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
<devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator>
%s
<controller type='usb' model='none'/>
<memballoon model='none'/>
</devices>
</domain>
""" % (escape(self.name), self.uuid, self.metadata, self.memory, self.disk_xml)

    def define(self, host):
        path = "/tmp/%s.xml" % self.name
        host.run(["tee", path], stdin=self.xml)
        host.virsh("define", path)
        return self

    def start(self, host, check=True, timeout=60.0):
        return host.virsh("start", self.name, check=check, timeout=timeout)

    def create(self, host):
        """Start it there in one step, without a definition that hamon might take away first; never raises."""
        path = "/tmp/%s.xml" % self.name
        host.run(["tee", path], stdin=self.xml)
        return host.virsh("create", path, check=False)

    def read(self):
        return self.reader()

    def hosts(self):
        return self.lab.who_runs(self.uuid)

    def wait_beating(self, timeout=120.0, boots=None):
        """Wait until the guest writes: two different records of one start (of that start number)."""
        first = {}

        def beats():
            now = self.read()
            if not now or (boots is not None and now.boots != boots):
                return None
            before = first.setdefault(now.nonce, now)
            return now if now.seq > before.seq else None

        return spaces.wait_until("%s writes to its disk%s" % (self.name, "" if boots is None else " in its start %d" % boots),
                                 beats, timeout, 0.1, seen=lambda: (self.read(), self.hosts()))


def raw_disk(source_xml, cache, target="vda", kind="file"):
    return ("<disk type='%s' device='disk'><driver name='qemu' type='raw' cache='%s'/>%s"
            "<target dev='%s' bus='virtio'/></disk>" % (kind, cache, source_xml, target))


def image_make(lab, path, size=1 << 20):
    """A witness's disk: its boot sector and nothing else."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(lab.tools.witness, "rb") as sector, open(path, "wb") as disk:
        disk.write(sector.read())
        disk.truncate(size)


def file_guest(lab, name, folder="/srv/shared", host=None, memory=4, **said):
    """A witness on a raw file. host: whose disk holds it, for a folder that is not shared."""
    host = host or lab.hosts[0]
    path = "%s/%s.img" % (folder, name)
    outside = host.path(path)
    image_make(lab, outside)
    disk = raw_disk("<source file=%s/>" % quoteattr(path), cache_mode(lab.folder))
    guest = Guest(lab, name, disk, lambda: read_witness(outside), memory, metadata_xml(**said))
    guest.image, guest.path = outside, path
    return guest


def overlay_make(lab, top, backing, backing_format):
    done = subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", backing_format,
                           os.path.join(lab.shared, top)], capture_output=True, text=True)
    if done.returncode:
        raise spaces.LabError(done.stderr)


def qcow2_guest(lab, name, memory=4, apart=False, **said):
    """A witness on a chain on the shared folder: an overlay over a base image.

    apart: over a second overlay over a base image, each of the three in a folder of its own.
    """
    top = os.path.join(lab.shared, name + ".qcow2")
    if apart:
        for folder in ("golden", "roots"):
            os.makedirs(os.path.join(lab.shared, folder), exist_ok=True)
        image_make(lab, os.path.join(lab.shared, "roots", name + "-base.img"))
        overlay_make(lab, "golden/%s-middle.qcow2" % name, "../roots/%s-base.img" % name, "raw")
        overlay_make(lab, top, "golden/%s-middle.qcow2" % name, "qcow2")
    else:
        image_make(lab, os.path.join(lab.shared, name + "-base.img"))
        overlay_make(lab, top, name + "-base.img", "raw")
    disk = ("<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='%s'/>"
            "<source file='/srv/shared/%s.qcow2'/><target dev='vda' bus='virtio'/></disk>" % (cache_mode(lab.folder), name))
    guest = Guest(lab, name, disk, lambda: read_witness_qcow2(top, lab.folder), memory, metadata_xml(**said))
    guest.image, guest.path = top, "/srv/shared/%s.qcow2" % name
    return guest


def qemu_uuid(words):
    """The -uuid of a QEMU's command line, or None (libvirt's probing QEMUs have none)."""
    for word, value in zip(words, words[1:]):
        if word == "-uuid":
            return value
    return None


def _is_qemu(pid):
    try:
        fd = os.open("/proc/%d/comm" % pid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(fd, 16).startswith(b"qemu-system")
    except OSError:
        return False
    finally:
        os.close(fd)


def qemus(lab, skip=()):
    """uuid -> [(host name, pid)] of all QEMU processes in all hosts, now. skip: pids known to be others."""
    found = {}
    spaces_of = None
    for pid in spaces.all_pids():
        if pid in skip or not _is_qemu(pid):
            continue
        if spaces_of is None:
            spaces_of = {host._state().get("space"): host.name for host in lab.hosts if host.alive()}
        host = spaces_of.get(spaces.space_id(pid))
        domain = qemu_uuid(spaces.command_line(pid))
        if host and domain and spaces.start_time(pid) is not None:
            found.setdefault(domain, []).append((host, pid))
    return found


class Referee(threading.Thread):
    """Watches all the time whether a guest has QEMU processes in two live hosts.

    starts: every QEMU seen, [(boot clock ms of its start, uuid, host, pid)]. doubles: each pair seen together. An incoming live
    migration has two by nature: allow(uuid) says so.
    """

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab = lab
        self.starts, self.doubles, self.allowed = [], [], set()
        self.rounds = 0
        self._known = set()
        self._others = {}  # pid -> rounds that it has been there without being a QEMU
        self._end = threading.Event()

    def run(self):
        while not self._end.wait(0.1):
            try:
                self.look()
            except (OSError, ValueError):
                pass  # a host's state changes under our eyes; the next look sees it whole

    def look(self):
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        # What has not become a QEMU within 300 rounds does not become one: spare the machine the look.
        running = qemus(self.lab, {pid for pid, rounds in self._others.items() if rounds > 300})
        mine = {pid for runs in running.values() for _, pid in runs}
        self._others = {pid: self._others.get(pid, 0) + 1 for pid in spaces.all_pids() if pid not in mine}
        for domain, runs in running.items():
            for host, pid in runs:
                if (domain, host, pid) not in self._known:
                    self._known.add((domain, host, pid))
                    started = spaces.start_time(pid)
                    if started is not None:
                        self.starts.append((started * 1000 // os.sysconf("SC_CLK_TCK"), domain, host, pid))
            if len({host for host, _ in runs}) > 1 and domain not in self.allowed:
                self.doubles.append((now, domain, sorted(runs)))
        self.rounds += 1

    def allow(self, domain):
        self.allowed.add(domain)

    def stop(self):
        self._end.set()
        if self.is_alive():
            self.join()
