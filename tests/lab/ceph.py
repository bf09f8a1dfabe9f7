"""A real Ceph on the switch: one monitor and one OSD (BlueStore on a file), with cephx, and guests on RBD images of it.

A pool and its images need no manager, but Nova does: it asks how much room there is. The hosts know Ceph as libvirt's own way
has it: by the monitor in the domain's XML and by a secret of libvirt; a keyring they have only for Nova.
"""
import glob
import json
import os
import uuid

import guests
import nova as nova_module
from spaces import wait_until
from stores import SERVER, libvirt_secret

POOL, USER = "vms", "libvirt"
SECRET = str(uuid.uuid5(uuid.NAMESPACE_DNS, "ceph.lab.hamon"))
# file -> its package
FILES = {"/usr/bin/ceph-mon": "ceph-mon", "/usr/bin/ceph-osd": "ceph-osd", "/usr/bin/rbd": "ceph-common",
         "/usr/lib/x86_64-linux-gnu/qemu/block-rbd.so": "qemu-block-extra"}
FILES_NOVA = {"/usr/bin/ceph-mgr": "ceph-mgr", "/usr/lib/python3/dist-packages/rbd*.so": "python3-rbd"}

CONF = """\
[global]
fsid = %(fsid)s
mon initial members = a
mon host = %(server)s
public network = 10.77.0.0/24
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = %(folder)s/keyring
run dir = %(folder)s
admin socket =
pid file =
log file = %(folder)s/$name.log
mon cluster log file = %(folder)s/cluster.log
mon data = %(folder)s/mon
mgr data = %(folder)s/mgr
osd data = %(folder)s/osd
mon data avail crit = 1
mon allow pool size one = true
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
osd objectstore = bluestore
bluestore block size = %(bytes)d
bluestore cache autotune = false
bluestore cache size = 33554432
"""

CAPS = {
    "mon.": ("mon", "allow *"),
    "client.admin": ("mon", "allow *", "osd", "allow *", "mgr", "allow *"),
    "mgr.x": ("mon", "allow profile mgr", "osd", "allow *"),
    "osd.0": ("mon", "allow profile osd", "osd", "allow *"),
    # A profile, and no bare "allow": whoever takes an image from a dead host must be able to put that client on the blocklist.
    "client." + USER: ("mon", "profile rbd", "osd", "profile rbd pool=" + POOL),
}


def missing(nova=False):
    """The packages that are not there, as one phrase; "" when all are."""
    return " ".join(package for file, package in dict(FILES, **(FILES_NOVA if nova else {})).items() if not glob.glob(file))


class Ceph:
    """Started for the tests that need it: Ceph(lab).up()."""

    def __init__(self, lab):
        self.lab = lab
        self.folder = os.path.join(lab.folder, "ceph")
        self.conf = os.path.join(self.folder, "ceph.conf")
        self.keyring = os.path.join(self.folder, "keyring")
        self.fsid = str(uuid.uuid4())

    def run(self, *words, check=True, text=True, timeout=60.0):
        """A program of Ceph on the switch, as its administrator."""
        return self.lab.tools.run(self.lab.pid, [words[0], "-c", self.conf] + list(words[1:]), timeout, check, text)

    def up(self):
        for name in ("mon", "osd"):
            os.makedirs(os.path.join(self.folder, name))
        with open(self.conf, "w") as out:
            out.write(CONF % {"fsid": self.fsid, "server": SERVER, "folder": self.folder, "bytes": 2 << 30})
        for name, caps in CAPS.items():
            self.lab.run(["ceph-authtool", self.keyring, "--gen-key", "-n", name] + ([] if os.path.exists(self.keyring) else [
                "--create-keyring"]) + [word for kind, cap in zip(caps[::2], caps[1::2]) for word in ("--cap", kind, cap)])
        monmap, osd = os.path.join(self.folder, "monmap"), str(uuid.uuid4())
        self.lab.run(["monmaptool", "--create", "--fsid", self.fsid, "--add", "a", SERVER + ":6789", monmap])
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", self.keyring)
        self.spawn("ceph-mon", "a")
        self.run("ceph", "osd", "new", osd, "0")
        self.run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd)
        self.run("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=switch")
        self.spawn("ceph-osd", "0")
        self.run("ceph", "osd", "pool", "create", POOL, "8")
        self.run("rbd", "pool", "init", POOL)
        return self

    def manager_up(self):
        os.makedirs(os.path.join(self.folder, "mgr"))
        self.spawn("ceph-mgr", "x")
        room = lambda: [pool for pool in json.loads(self.run("ceph", "df", "--format=json").stdout)["pools"] if pool["name"] == POOL]
        wait_until("the manager knows how much room there is", room, 120, 0.5, seen=room)
        return self

    def spawn(self, program, name):
        self.lab.spawn([program, "-f", "-i", name, "-c", self.conf], os.path.join(self.folder, program + ".out"))

    def key(self):
        """The clients' key, in base64 as libvirt keeps it."""
        return self.lab.run(["ceph-authtool", "-p", "-n", "client." + USER, self.keyring]).stdout.strip()

    # what a host knows

    def secret(self, host):
        """libvirt of this host gets the secret."""
        libvirt_secret(host, SECRET, "<usage type='ceph'><name>client.%s</name></usage>" % USER, self.key())

    def client(self, host):
        """This host gets a configuration and a keyring of Ceph's own, as OpenStack wants it."""
        host.write("/etc/ceph/ceph.conf", "[global]\nfsid = %s\nmon host = %s\n" % (self.fsid, SERVER))
        host.write("/etc/ceph/ceph.client.%s.keyring" % USER, "[client.%s]\n\tkey = %s\n" % (USER, self.key()), 0o600)

    # images

    def image(self, name):
        """A witness's disk in the pool."""
        path = os.path.join(self.folder, name + ".img")
        guests.image_make(self.lab, path)
        self.run("rbd", "--no-progress", "import", path, "%s/%s" % (POOL, name))

    def read(self, name):
        """The witness's record, as any client sees it; None before its first."""
        done = self.run("rbd", "--no-progress", "export", "%s/%s" % (POOL, name), "-", check=False, text=False)
        return guests.witness_parse(done.stdout[:1024]) if done.returncode == 0 else None

    def openers(self, name):
        """The addresses of the clients that have this image open for writing, by Ceph's own word."""
        told = json.loads(self.run("rbd", "status", "--format", "json", "%s/%s" % (POOL, name)).stdout)
        return sorted(watcher["address"].split(":")[0] for watcher in told["watchers"])

    def guest(self, name, memory=4, **said):
        self.image(name)
        source = ("<auth username='%s'><secret type='ceph' uuid='%s'/></auth><source protocol='rbd' name='%s/%s'>"
                  "<host name='%s' port='6789'/></source>" % (USER, SECRET, POOL, name, SERVER))
        disk = guests.raw_disk(source, "none", kind="network")
        return guests.Guest(self.lab, name, disk, lambda: self.read(name), memory, guests.metadata_xml(**said))


def cut(host):
    """From now on nothing of this host reaches Ceph, and it hears nothing: as a network that drops, not as one that refuses."""
    host.run("nft add table inet ceph; nft 'add chain inet ceph out { type filter hook output priority 0; }'; "
             "nft add rule inet ceph out ip daddr %s drop" % SERVER)


def join(host):
    host.run(["nft", "delete", "table", "inet", "ceph"])


# Nova, whose servers' own disks are images of the pool

LIBVIRT = {"images_type": "rbd", "images_rbd_pool": POOL, "images_rbd_ceph_conf": "/etc/ceph/ceph.conf", "rbd_user": USER,
           "rbd_secret_uuid": SECRET}
COMPUTE = {"force_raw_images": "true"}


class Server(nova_module.Server):
    """One whose root disk is an image of the pool."""

    def __init__(self, nova, told, ceph):
        super().__init__(nova, told)
        self.path, self.home, self._ceph = None, None, ceph

    def _witness(self):
        return self._ceph.read(self.uuid + "_disk")
