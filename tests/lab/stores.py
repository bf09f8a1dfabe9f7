"""Storage servers on the switch (10.77.0.254), and GlusterFS on the hosts themselves."""
import base64
import os
import signal
import uuid

import guests
import spaces

SERVER = "10.77.0.254"
CHAP_USER, CHAP_PASSWORD = "lab", "chap-of-the-lab"
CHAP_SECRET = str(uuid.uuid5(uuid.NAMESPACE_DNS, "iscsi.lab.hamon"))


def libvirt_secret(host, secret, usage, value):
    """libvirt of this host keeps a secret. usage: its type and name, as XML; value: in base64."""
    path = "/tmp/secret.xml"
    host.run(["tee", path], stdin="<secret ephemeral='no' private='no'><uuid>%s</uuid>%s</secret>\n" % (secret, usage))
    host.virsh("secret-define", path)
    host.virsh("secret-set-value", secret, "--base64", value)


def chap_secret(host):
    libvirt_secret(host, CHAP_SECRET, "<usage type='iscsi'><target>lab</target></usage>",
                   base64.b64encode(CHAP_PASSWORD.encode()).decode())


def nbd_guest(lab, name, memory=4, **said):
    """A witness on an NBD export of its own. Nothing locks an NBD disk.

    Many clients: the server never hears that a host has lost its power, and keeps its place.
    """
    folder = os.path.join(lab.folder, "nbd")
    image = os.path.join(folder, name + ".img")
    guests.image_make(lab, image)
    port = 10809 + len(os.listdir(folder)) - 1
    lab.spawn(["qemu-nbd", "-f", "raw", "-b", SERVER, "-p", str(port), "-e", "1000", "-t", "-x", name, "--cache=writeback",
               image], os.path.join(lab.folder, "nbd.log"))
    spaces.wait_until("qemu-nbd listens", lambda: lab.run(
        ["qemu-img", "info", "nbd://%s:%d/%s" % (SERVER, port, name)], check=False).returncode == 0,
        seen=lambda: open(os.path.join(lab.folder, "nbd.log")).read())
    source = "<source protocol='nbd' name='%s'><host name='%s' port='%d'/></source>" % (name, SERVER, port)
    guest = guests.Guest(lab, name, guests.raw_disk(source, "none", kind="network"),
                         lambda: guests.read_witness(image), memory, guests.metadata_xml(**said))
    guest.image = image
    return guest


class Iscsi:
    """tgtd with a target and a LUN for each guest; QEMU's own libiscsi is the initiator. Nothing locks a LUN."""

    def __init__(self, lab):
        self.lab, self.made = lab, 0
        self.folder = os.path.join(lab.folder, "iscsi")
        os.makedirs(self.folder)
        lab.spawn(["tgtd", "-f", "--iscsi", "portal=%s:3260" % SERVER], os.path.join(lab.folder, "tgtd.log"))
        spaces.wait_until("tgtd answers", lambda: self._admin("--op", "show", "--mode", "sys", check=False).returncode == 0)

    def _admin(self, *words, check=True):
        return self.lab.run(["tgtadm", "--lld", "iscsi"] + list(words), check=check)

    def chap_account(self):
        self._admin("--op", "new", "--mode", "account", "--user", CHAP_USER, "--password", CHAP_PASSWORD)

    def guest(self, name, memory=4, chap=False, **said):
        """chap: the target wants the account's password, which libvirt has (chap_account, and chap_secret for each host)."""
        image = os.path.join(self.folder, name + ".img")
        guests.image_make(self.lab, image)
        self.made += 1
        tid, iqn = str(self.made), "iqn.2026-11.lab:" + name
        self._admin("--op", "new", "--mode", "target", "--tid", tid, "-T", iqn)
        self._admin("--op", "new", "--mode", "logicalunit", "--tid", tid, "--lun", "1", "-b", image)
        self._admin("--op", "bind", "--mode", "target", "--tid", tid, "-I", "ALL")
        auth = ""
        if chap:
            self._admin("--op", "bind", "--mode", "account", "--tid", tid, "--user", CHAP_USER)
            auth = "<auth username='%s'><secret type='iscsi' uuid='%s'/></auth>" % (CHAP_USER, CHAP_SECRET)
        source = "%s<source protocol='iscsi' name='%s/1'><host name='%s' port='3260'/></source>" % (auth, iqn, SERVER)
        guest = guests.Guest(self.lab, name, guests.raw_disk(source, "none", kind="network"),
                             lambda: guests.read_witness(image), memory, guests.metadata_xml(**said))
        guest.image = image
        return guest


# GlusterFS: replica 3 over the first three hosts, mounted on /mnt/gl in each

GLUSTER = "/mnt/gl"


def gluster_boot(host):
    """glusterd, and the mount once the volume exists (the service "gluster" of a host)."""
    host.spawn(["glusterd", "--no-daemon"], "/var/log/glusterfs/stderr.log")
    spaces.wait_until("glusterd of %s answers" % host.name, lambda: host.run(
        ["gluster", "volume", "list"], check=False).returncode == 0, 120)
    os.makedirs(host.path(GLUSTER), exist_ok=True)
    if os.path.exists(os.path.join(host.lab.folder, "gluster")):
        gluster_mount(host)


def gluster_mount(host):
    spaces.wait_until("%s mounts the gluster volume" % host.name, lambda: host.run(
        ["mount", "-t", "glusterfs", host.name + ":/gv", GLUSTER], check=False).returncode == 0 and
        host.run(["mountpoint", "-q", GLUSTER], check=False).returncode == 0, 120, 0.5,
        seen=lambda: host.log("/var/log/glusterfs/mnt-gl.log", 10))


def gluster_create(lab):
    first = lab.hosts[0]
    for host in lab.hosts[1:3]:
        spaces.wait_until("%s is a gluster peer" % host.name, lambda: first.run(
            ["gluster", "peer", "probe", host.name], check=False).returncode == 0)
    connected = lambda: first.run(["gluster", "peer", "status"]).stdout.count("Peer in Cluster (Connected)") == 2
    spaces.wait_until("the gluster peers are connected", connected, seen=lambda: first.run(["gluster", "peer", "status"]).stdout)
    for host in lab.hosts[:3]:
        os.makedirs(host.path("/srv/brick"), exist_ok=True)
    create = ["gluster", "--mode=script", "volume", "create", "gv", "replica", "3"] + [
        "%s:/srv/brick/b" % host.name for host in lab.hosts[:3]] + ["force"]
    spaces.wait_until("the volume is made", lambda: first.run(create, check=False).returncode == 0 or first.run(
        ["gluster", "volume", "info", "gv"], check=False).returncode == 0, seen=lambda: first.run(create, check=False).stderr)
    # How long the bricks keep the locks of a host that has lost its power: 42 s by default, which would show nothing more.
    for key, value in (("network.ping-timeout", "3"), ("server.tcp-user-timeout", "8"), ("server.keepalive-time", "4"),
                       ("server.keepalive-interval", "1"), ("server.keepalive-count", "4")):
        first.run(["gluster", "volume", "set", "gv", key, value])
    first.run(["gluster", "volume", "start", "gv"])
    lab.each(gluster_mount, lab.hosts[:3])
    with open(os.path.join(lab.folder, "gluster"), "w"):
        pass


def gluster_wait_whole(lab):
    """All bricks are up, nothing is left to heal, and every host's mount and healer talk to every brick."""
    def whole():
        told = lab.hosts[0].run(["gluster", "volume", "heal", "gv", "info"], check=False).stdout
        if told.count("Status: Connected") != 3 or told.count("Number of entries: 0") != 3:
            return False
        told = lab.hosts[0].run(["gluster", "volume", "status", "gv", "clients"], check=False).stdout
        return all(sum(part.count("%s:" % host.address) for host in lab.hosts[:3]) >= 6 for part in told.split("Brick : ")[1:])
    spaces.wait_until("the gluster volume is whole", whole, 180, 1, seen=lambda: lab.hosts[0].run(
        ["gluster", "volume", "heal", "gv", "info"], check=False).stdout + lab.hosts[0].run(
        ["gluster", "volume", "status", "gv", "clients"], check=False).stdout)


def gluster_guest(lab, name, memory=4, **said):
    """A witness on the gluster volume, read through the mount of whichever host lives."""
    image = os.path.join(lab.folder, name + ".img")
    guests.image_make(lab, image)
    path = "%s/%s.img" % (GLUSTER, name)
    lab.hosts[0].run(["cp", image, path])

    def read():
        for host in lab.alive_hosts():
            done = host.run(["dd", "if=" + path, "iflag=direct", "bs=1024", "count=1", "status=none"], check=False,
                            text=False, timeout=30)
            if done.returncode == 0:
                return guests.witness_parse(done.stdout)
        return None

    disk = guests.raw_disk("<source file='%s'/>" % path, "none")
    return guests.Guest(lab, name, disk, read, memory, guests.metadata_xml(**said))


# A FUSE file system over one folder of one host, whose server can be stopped: a dead mount, at will.
# It is glusterfs with a server of its own over the folder itself, as that is outside the host.

def fuse_over(host, path):
    """From its next boot this host sees path through FUSE."""
    backing = host.path(path)
    os.makedirs(backing, exist_ok=True)
    host._list_add("fuse", (path, backing))


def _fuse_name(path):
    return path.strip("/").replace("/", "-")


SERVER_VOLUME = """\
volume posix
type storage/posix
option directory %(backing)s
end-volume
volume locks
type features/locks
subvolumes posix
end-volume
volume server
type protocol/server
option transport-type tcp
option transport.socket.bind-address 127.0.0.1
option transport.socket.listen-port %(port)d
option auth.addr.locks.allow *
subvolumes locks
end-volume
"""

CLIENT_VOLUME = """\
volume client
type protocol/client
option transport-type tcp
option remote-host 127.0.0.1
option remote-port %(port)d
option remote-subvolume locks
option ping-timeout 1000
end-volume
"""


def fuse_mount(host, path, backing):
    base = os.path.join(host.folder, _fuse_name(path))
    names = {"backing": backing, "port": 24950 + host._list("fuse").index((path, backing))}
    for end, text in (("server", SERVER_VOLUME), ("client", CLIENT_VOLUME)):
        with open("%s.%s" % (base, end), "w") as out:
            out.write(text % names)
    log = "/var/log/fuse-%s.log" % _fuse_name(path)
    pid = host.spawn(["glusterfsd", "--no-daemon", "-f", base + ".server", "-l", log])
    with open(base + ".pid", "w") as out:
        out.write("%d %d" % (pid, spaces.start_time(pid)))
    spaces.wait_until("the server of %s listens" % path, lambda: host.run(
        "grep -q ':%04X .* 0A ' /proc/net/tcp" % names["port"], check=False).returncode == 0, seen=lambda: host.log(log))
    host.spawn(["glusterfs", "--no-daemon", "-f", base + ".client", "-l", log, "--attribute-timeout=0",
                "--entry-timeout=0", path])
    spaces.wait_until("%s of %s is on FUSE" % (path, host.name), lambda: host.run(
        ["mountpoint", "-q", path], check=False).returncode == 0 and host.run(
        ["ls", path], check=False).returncode == 0, seen=lambda: host.log(log))


def _fuse_signal(host, number):
    for path, _ in host._list("fuse"):
        with open(os.path.join(host.folder, _fuse_name(path) + ".pid")) as text:
            pid, started = map(int, text.read().split())
        if not spaces.kill(pid, started, number):
            raise spaces.LabError("the FUSE server of %s on %s is gone" % (path, host.name))


def fuse_freeze(host):
    _fuse_signal(host, signal.SIGSTOP)


def fuse_thaw(host):
    _fuse_signal(host, signal.SIGCONT)
