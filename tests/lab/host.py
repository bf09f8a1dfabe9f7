"""One host of a lab: its power, its processes and services, its files. See lab.py."""
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import uuid

import config
import linux
import spaces
import stores
from spaces import LabError, wait_until

NETWORKS = (0, 1)  # the two knet links, 10.77.0.0/24 and 10.77.1.0/24; also where storage servers are
MANAGEMENT = 2     # 10.77.2.0/24: the BMCs
ALL_NETWORKS = NETWORKS + (MANAGEMENT,)  # in each the switch itself is .254, and hN is .N
FAULT_POINT = "/etc/hamon/fault-point"


class Host:
    """One host. Its folder is its disk: what is written there survives its power."""

    def __init__(self, lab, number):
        self.lab = lab
        self.number = number
        self.name = "h%d" % number
        self.folder = os.path.join(lab.folder, "hosts", self.name)
        self.address = "10.77.0.%d" % number
        self.tools = lab.tools

    # power

    def _state(self):
        try:
            with open(os.path.join(self.folder, "boot.json")) as state:
                return json.load(state)
        except FileNotFoundError:
            return {}

    @contextlib.contextmanager
    def _power_lock(self):
        """Power changes of one host come one after the other, whoever asks (a test, the BMC)."""
        fd = os.open(os.path.join(self.folder, "power.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    @property
    def pid(self):
        """The host's init, as seen from outside; LabError when the host is off."""
        state = self._state()
        if not spaces.alive(state.get("pid"), state.get("started")):
            raise LabError("%s is off" % self.name)
        return state["pid"]

    def alive(self):
        state = self._state()
        return spaces.alive(state.get("pid"), state.get("started"))

    @property
    def boot_id(self):
        return self._state().get("boot_id")

    def boot(self, services=None, cut=False):
        """Switch on and start the services (corosync, libvirtd, hamond; or those named here).

        cut: with the cluster's cables pulled.
        """
        with self._power_lock():
            if self.alive():
                raise LabError("%s is on already" % self.name)
            self._boot_spaces()
            self._boot_network(cut)
        for path, backing in self._list("fuse"):
            stores.fuse_mount(self, path, backing)
        for service in self.lab.services if services is None else services:
            self.start(service)
        return self

    def _boot_spaces(self):
        boot_id = str(uuid.uuid4())
        for name, text in (("boot_id", boot_id + "\n"), ("empty", "")):
            with open(os.path.join(self.folder, name), "w") as out:
                out.write(text)
        disk = lambda *parts: os.path.join(self.folder, *parts)
        table = [("hostname", self.name), ("tmpfs", "/dev/shm", "1777")]
        if self.lab.stage:
            table.append(("bind", os.path.join(self.lab.stage, "usr/local"), "/usr/local"))
        for target in ("/etc", "/var/lib", "/var/cache", "/var/log", "/srv", "/mnt"):
            table.append(("bind", disk("root", target[1:]), target))
        for source, target in self.lab.binds + self._own_binds():
            table += [("mkdir", target), ("bind", source, target)]
        table += [("bind", disk("boot_id"), "/proc/sys/kernel/random/boot_id")]
        if os.path.exists("/proc/sysrq-trigger"):  # it would act on the whole machine
            table.append(("bind", disk("empty"), "/proc/sysrq-trigger"))
        table += [("tmpfs", "/tmp", "1777"), ("tmpfs", "/run", "755")]
        table += [("mkdir", "/run/" + name) for name in ("lock", "corosync", "libvirt", "hamon", "gluster")]
        done = subprocess.run([self.tools.init, "host", str(self.lab.pid)], text=True, capture_output=True,
                              input="".join("\t".join(line) + "\n" for line in table), env=self.tools.ENVIRONMENT)
        if done.returncode:
            raise LabError("%s does not start: %s" % (self.name, done.stderr.strip()))
        pid = int(done.stdout)
        state = {"pid": pid, "started": spaces.start_time(pid), "boot_id": boot_id, "space": spaces.space_id(pid),
                 "cut": []}
        self._save(state)

    def _list(self, name):
        try:
            with open(os.path.join(self.folder, name + ".json")) as text:
                return [tuple(entry) for entry in json.load(text)]
        except FileNotFoundError:
            return []

    def _list_add(self, name, entry):
        entries = self._list(name) + [entry]
        with open(os.path.join(self.folder, name + ".json"), "w") as out:
            json.dump(entries, out)

    def _own_binds(self):
        return self._list("binds")

    def bind(self, source, target):
        """From its next boot this host, and no other, has source at target."""
        self._list_add("binds", (source, target))

    def _save(self, state):
        path = os.path.join(self.folder, "boot.json")
        with open(path + ".new", "w") as out:
            json.dump(state, out)
        os.rename(path + ".new", path)

    def _boot_network(self, cut):
        pid, n = self.pid, self.number
        # A killed host's links vanish a moment later than its processes.
        self.tools.ip(self.lab.pid, ["link del %s" % self._port(net) for net in ALL_NETWORKS], force=True)
        lines, inside = [], ["link set lo up"]
        for net in ALL_NETWORKS:
            # A network card keeps its address over a reboot: the others' ARP tables stay true.
            lines += ["link add %s address 02:77:00:%02x:ff:%02x type veth peer name eth%d address "
                      "02:77:00:%02x:00:%02x netns %d" % (self._port(net), net, n, net, net, n, pid),
                      "link set %s master br%d %s" % (self._port(net), net,
                                                      "down" if cut and net in NETWORKS else "up")]
            inside += ["addr add 10.77.%d.%d/24 dev eth%d" % (net, n, net), "link set eth%d up" % net]
        self.tools.ip(self.lab.pid, lines)
        self.tools.ip(pid, inside)

    def _port(self, net):
        return "p%de%d" % (self.number, net)

    def power_off(self):
        """The plug is pulled: silence on the network first, then everything dies. What the BMC does as well."""
        with self._power_lock():
            state = self._state()
            if not spaces.alive(state.get("pid"), state.get("started")):
                return
            self._ports(ALL_NETWORKS, "down")
            spaces.kill_wait(state["pid"], state["started"])

    def _ports(self, nets, state):
        self.tools.ip(self.lab.pid, ["link set %s %s" % (self._port(net), state) for net in nets], force=True)

    def cut(self, nets=NETWORKS):
        """Pull the cluster's cables; the host runs on, and still reaches the management network."""
        self._ports(nets, "down")

    def join(self, nets=NETWORKS):
        self._ports(nets, "up")

    # processes

    def run(self, command, timeout=60.0, check=True, text=True, stdin=None):
        if isinstance(command, str):
            command = ["/bin/sh", "-c", command]
        return self.tools.run(self.pid, command, timeout, check, text, stdin)

    def spawn(self, command, log="/dev/null", environment=None):
        """Start a daemon; its pid as seen from outside."""
        return self.tools.spawn(self.pid, log, command, environment)

    def processes(self):
        """pid -> command line of everything in this host."""
        space = self._state().get("space")
        return {pid: spaces.command_line(pid) for pid in spaces.pids_in(space)} if space else {}

    def pids(self, name):
        """Pids, in this host's PID namespace only, whose program has this name."""
        space = self._state().get("space")
        if not space:
            return []
        return [pid for pid in spaces.pids_in(space)
                if spaces.command_name(pid) == name[:15] and spaces.start_time(pid) is not None]

    def signal(self, name, number):
        """Send a signal to every process of that name in this host; how many there were."""
        hit = 0
        for pid in self.pids(name):
            hit += bool(spaces.kill(pid, spaces.start_time(pid), number))
        return hit

    def kill(self, name):
        """kill -9, and wait until they are gone."""
        pids = [(pid, spaces.start_time(pid)) for pid in self.pids(name)]
        for pid, started in pids:
            if started is not None:
                spaces.kill_wait(pid, started)
        return len(pids)

    def freeze(self, name):
        if not self.signal(name, signal.SIGSTOP):
            raise LabError("%s: no %s to freeze" % (self.name, name))

    def thaw(self, name):
        self.signal(name, signal.SIGCONT)

    def freeze_whole(self):
        """Everything in this host stands still, its guests too, as when a machine is suspended; what thaw_whole() needs."""
        state = self._state()
        there = [(pid, spaces.start_time(pid)) for pid in spaces.pids_in(state["space"]) if pid != state["pid"]]
        return [(pid, started) for pid, started in there if started is not None and spaces.kill(pid, started, signal.SIGSTOP)]

    def thaw_whole(self, stopped):
        for pid, started in stopped:
            spaces.kill(pid, started, signal.SIGCONT)

    def arm(self, point):
        """From now on the next hamond of this host that passes that fault point ends (or stops): "kill sent fence-intent".
        Several points are lines, each of which ends one. Only in a lab with fault_points; see hamon/daemon/faultpoint.h."""
        self.write(FAULT_POINT, point + "\n")

    def armed(self):
        return os.path.exists(self.path(FAULT_POINT))

    # services

    def start(self, service):
        getattr(self, "start_" + service)()

    def start_corosync(self):
        self.spawn(["corosync", "-f"], "/var/log/corosync/stderr.log")

    def start_gluster(self):
        stores.gluster_boot(self)

    def start_bridge(self):
        linux.bridge_up(self)

    def start_libvirtd(self, wait=True):
        self.spawn(["libvirtd", "--listen"], "/var/log/libvirt/stderr.log")
        if wait:
            wait_until("libvirtd of %s answers" % self.name, lambda: self.virsh("version", check=False).returncode == 0,
                       120, seen=lambda: self.log("/var/log/libvirt/stderr.log", 5))
            config.capabilities_keep(self)

    def start_nova(self):
        self.spawn(["/etc/nova/bin/nova-compute", "--config-file", "/etc/nova/nova.conf"], "/var/log/nova/stderr.log",
                   {"PATH": "/etc/nova/bin:" + self.tools.ENVIRONMENT["PATH"]})

    def start_hamond(self):
        if self.lab.stage:
            self.spawn(["/usr/local/sbin/hamond", "--foreground"] + self.lab.hamond, "/var/log/hamond.log", self.lab.environment)

    def stop(self, service, timeout=60):
        """SIGTERM, and wait for the end."""
        if not self.signal(service, signal.SIGTERM):
            return
        wait_until("%s of %s has ended" % (service, self.name), lambda: not self.pids(service), timeout)

    def virsh(self, *words, check=True, timeout=60.0):
        return self.run(["virsh", "-q", "-c", "qemu:///system"] + list(words), timeout, check)

    def hamonctl(self, *words, timeout=20.0):
        """hamonctl ... --json, parsed. Exit code 1 is an answer too: something needs attention."""
        done = self.run(["hamonctl"] + list(words) + ["--json"], timeout, check=False)
        if done.returncode not in (0, 1):
            raise LabError("hamonctl %s: exit %d\n%s%s" % (" ".join(words), done.returncode, done.stdout, done.stderr))
        return json.loads(done.stdout)

    # files

    def path(self, path):
        """Where a file of this host's disk is outside (below /etc, /var, /srv, /mnt)."""
        for source, target in reversed(self.lab.binds + self._own_binds()):  # what is mounted later hides the earlier
            if path == target or path.startswith(target + "/"):
                return source + path[len(target):]
        return os.path.join(self.folder, "root", path.lstrip("/"))

    def write(self, path, text, mode=0o644):
        outside = self.path(path)
        os.makedirs(os.path.dirname(outside), exist_ok=True)
        fd = os.open(outside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(fd, "w") as out:
            out.write(text)
        os.chmod(outside, mode)

    def read(self, path):
        with open(self.path(path), errors="replace") as text:
            return text.read()

    def log(self, path, lines=40):
        try:
            return "\n".join(self.read(path).splitlines()[-lines:])
        except OSError as error:
            return "(%s)" % error
