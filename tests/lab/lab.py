#!/usr/bin/python3
"""A cluster of KVM hosts on one machine, from real parts: corosync, libvirt, QEMU, IPMI, hamon.

A host is a set of namespaces (pid, mount, net, uts, ipc) with a private /etc, /var, /run, /srv and its own
boot id. All hosts live inside the lab's own namespaces, whose network is the switch between them; when the
lab's init ends, the kernel ends everything in it. See keeper.py for who holds that init.

    with Lab() as lab:
        lab.up()
        lab.host("h1").run(["corosync-quorumtool", "-s"])
        lab.host("h1").power_off()

As a program: lab.py enter HOST [COMMAND..] | boot HOST | off HOST | cut HOST | join HOST | list | down | scenarios
"""
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import bmc
import config
import guests
import keeper
import linux
import scenarios
import spaces
import stores
from spaces import LabError, wait_until

NETWORKS = (0, 1)  # the two knet links, 10.77.0.0/24 and 10.77.1.0/24; also where storage servers are
MANAGEMENT = 2     # 10.77.2.0/24: the BMCs
ALL_NETWORKS = NETWORKS + (MANAGEMENT,)
FAULT_POINT = "/etc/hamon/fault-point"
# In each network the switch itself is .254, and hN is .N
COVERED = ("/etc", "/var/lib", "/var/cache", "/var/log", "/srv", "/mnt", "/tmp", "/run", "/usr/local")


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
        for source, target in self.lab.binds + self._own_binds():
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


class Lab:
    """The hosts h1..hN and what stands around them.

    hosts: how many. stage: where `make install DESTDIR=stage` (prefix /usr/local) put hamon, or None for a
    lab without hamon. corosync, quorum, hamon: overrides, see config.py. members: how many of the hosts are in
    the cluster's configuration at first. keep_files: leave the folder. fault_points: see Host.arm().
    """

    def __init__(self, hosts=3, stage=None, corosync=None, quorum=None, hamon=None, services=None, folder=None,
                 members=None, wait=0.0, tell=None, what="lab", environment=None, keep_files=False, fault_points=False):
        self.options = {"hosts": hosts, "members": members or hosts, "stage": stage, "corosync": corosync or {}, "quorum": quorum or {},
                        "hamon": hamon or {}, "services": services, "environment": environment or {},
                        "fault_points": fault_points}
        self.wait, self.tell, self.what, self.keep_files = wait, tell, what, keep_files
        self.keeper = None
        self.record = None
        self.referee = None
        self._set_up(folder)

    def _set_up(self, folder):
        options = self.options
        self.folder = folder
        self.stage = options["stage"]
        self.environment = options["environment"]
        self.hamond = ["--fault-points", FAULT_POINT] if options["fault_points"] else []
        self.services = options["services"] or ["corosync", "libvirtd"] + (["hamond"] if self.stage else [])
        if folder:
            self.tools = spaces.Tools(os.path.join(folder, "bin"))
            self.shared = os.path.join(folder, "shared")
            self.binds = [(self.shared, "/srv/shared")]
            self.hosts = [Host(self, number) for number in range(1, options["hosts"] + 1)]

    @classmethod
    def attach(cls, folder=None):
        """The lab that runs in this folder (the one that is up on this machine), for a second program."""
        if not folder:
            try:
                with open(keeper.LOCK) as lock:
                    folder = json.load(lock)["dir"]
            except (OSError, ValueError):
                raise LabError("no lab is up") from None
        with open(os.path.join(folder, "lab.json")) as text:
            state = json.load(text)
        lab = cls.__new__(cls)
        lab.options, lab.record = state["options"], state["record"]
        lab.keeper = lab.referee = None
        lab._set_up(folder)
        return lab

    def host(self, which):
        number = int(str(which).lstrip("h"))
        return self.hosts[number - 1]

    @property
    def pid(self):
        return self.record["init"][0]

    @property
    def members(self):
        """The hosts that the cluster's configuration names."""
        return self.hosts[:self.options["members"]]

    def configure(self, members):
        """Write the configuration of a cluster of the first so many hosts to the disks of all; nobody reads it yet."""
        self.options["members"] = members
        for host in self.hosts:
            config.corosync(self, host)
            config.hamon(self, host)

    def alive_hosts(self):
        return [host for host in self.hosts if host.alive()]

    # up and down

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.down()

    def up(self, boot=True):
        """Make the lab; with boot, switch all hosts on, in parallel."""
        lock = keeper.lock_take(self.wait, self.tell)
        try:
            if not self.folder:
                self._set_up(tempfile.mkdtemp(prefix="lab-", dir=keeper.BASE))
            self._check_folder()
            os.makedirs(self.folder, exist_ok=True)
            # The mark comes with the lock's record: what has the one can be found by the other.
            keeper.lock_write(lock, {"what": self.what, "dir": self.folder, "boot_id": keeper.machine_boot_id()})
            with open(os.path.join(self.folder, keeper.MARK), "w"):
                pass
            self.tools.build()
            self._start_keeper(lock)
        except BaseException:
            if not self.keeper:
                keeper.folder_remove(self.folder)
                keeper.unlock(lock)
            raise
        os.close(lock)  # the keeper holds it now
        self._switch_up()
        for host in self.hosts:
            config.host_disk(self, host)
        self.referee = guests.Referee(self)
        self.referee.start()
        bmc.start(self)
        if boot:
            self.each(lambda host: host.boot(), self.members)
        return self

    def _check_folder(self):
        for cover in COVERED:
            if self.folder == cover or self.folder.startswith(cover + "/"):
                raise LabError("%s: a lab cannot live below %s, the hosts have their own" % (self.folder, cover))

    def _start_keeper(self, lock):
        here = os.path.dirname(os.path.abspath(__file__))
        log = os.open(os.path.join(self.folder, "keeper.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.keeper = subprocess.Popen(
            ["/usr/bin/python3", os.path.join(here, "keeper.py"), self.folder, str(lock), self.what],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, pass_fds=[lock],
            start_new_session=True)
        os.close(log)
        line = self.keeper.stdout.readline()
        self.record = json.loads(line) if line else {"error": "its keeper died"}
        if "error" in self.record:
            raise LabError("the lab does not start: %s" % self.record["error"])
        with open(os.path.join(self.folder, "lab.json"), "w") as out:
            json.dump({"options": self.options, "record": self.record}, out)

    def _switch_up(self):
        lines = ["link set lo up"]
        for net in ALL_NETWORKS:
            # An address of its own: else the bridge takes its lowest port's and changes it when that host dies.
            lines += ["link add br%d address 02:77:00:%02x:fe:fe type bridge stp_state 0 forward_delay 0 "
                      "mcast_snooping 0" % (net, net),
                      "addr add 10.77.%d.254/24 dev br%d" % (net, net), "link set br%d up" % net]
        self.tools.ip(self.pid, lines)
        os.makedirs(self.shared, exist_ok=True)

    def partition(self, away):
        """Split the cluster's networks: these hosts see each other, but nobody else."""
        lines = []
        for net in NETWORKS:
            lines += ["link add br%db address 02:77:00:%02x:fd:fd type bridge stp_state 0 forward_delay 0 "
                      "mcast_snooping 0" % (net, net), "link set br%db up" % net]
            lines += ["link set p%de%d master br%db" % (host.number, net, net) for host in away]
        self.tools.ip(self.pid, lines)

    def heal(self):
        """End the partition."""
        lines = []
        for net in NETWORKS:
            lines += ["link set p%de%d master br%d" % (host.number, net, net) for host in self.alive_hosts()]
            lines += ["link del br%db" % net]
        self.tools.ip(self.pid, lines)

    def each(self, action, hosts=None):
        """Do it for all hosts at once; the first failure is raised after all have ended."""
        hosts = self.hosts if hosts is None else hosts
        with ThreadPoolExecutor(max_workers=max(1, len(hosts))) as pool:
            jobs = [pool.submit(action, host) for host in hosts]
        return [job.result() for job in jobs]

    def down(self):
        """End everything and leave nothing. Safe at any time, and more than once."""
        if self.referee:
            self.referee.stop()
            self.referee = None
        if self.keeper:
            with contextlib.suppress(OSError, ValueError):
                self.keeper.stdin.write("keep-files\ndown\n" if self.keep_files else "down\n")
                self.keeper.stdin.close()
            self.keeper.wait()
            self.keeper.stdout.close()
            self.keeper = None
        elif self.record:  # attached
            subprocess.run([self.tools.init, "bmc", os.path.join(self.folder, "power"), "down"],
                           stdout=subprocess.DEVNULL)
            wait_until("the lab is down", lambda: not spaces.alive(*self.record["keeper"]))

    def keep(self):
        """Let the lab outlive this program."""
        self.keeper.stdin.write("keep\n")
        self.keeper.stdin.flush()
        self.keeper.stdout.readline()
        self.keeper.stdin.close()
        self.keeper = None

    # the switch

    def run(self, command, timeout=60.0, check=True):
        """Run a command on the switch (its address is 10.77.0.254)."""
        return self.tools.run(self.pid, command, timeout, check)

    def spawn(self, command, log):
        """Start a daemon on the switch: a BMC, a storage server."""
        return self.tools.spawn(self.pid, log, command)

    # guests

    def who_runs(self, uuid_text):
        """Names of the hosts in which a QEMU for this UUID exists now."""
        return sorted({host for host, _ in guests.qemus(self).get(uuid_text, [])})


def main(argv):
    usage = "usage: lab.py enter HOST [COMMAND..] | boot HOST | off HOST | cut HOST | join HOST | list | down | scenarios"
    if not argv or argv[0] in ("-h", "--help"):
        print(usage)
        return 0 if argv else 64
    verb, words = argv[0], argv[1:]
    if verb == "scenarios":
        print("\n".join(scenarios.table(scenarios.tests())))
        return 0
    lab = Lab.attach()
    if verb == "down":
        lab.down()
    elif verb == "list":
        for host in lab.hosts:
            print("%s %s" % (host.name, "on, pid %d, boot %s" % (host.pid, host.boot_id) if host.alive() else "off"))
    elif verb == "enter" and words:
        host = lab.host(words[0])
        command = words[1:] or ["/bin/bash", "--norc"]
        environment = dict(lab.tools.ENVIRONMENT, PS1=host.name + ":\\w# ")
        os.execve(lab.tools.init, [lab.tools.init, "run", str(host.pid), "--"] + command, environment)
    elif verb in ("boot", "off", "cut", "join") and len(words) == 1:
        getattr(lab.host(words[0]), {"off": "power_off"}.get(verb, verb))()
    else:
        print(usage, file=sys.stderr)
        return 64
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        print("lab.py: %s" % error, file=sys.stderr)
        sys.exit(1)
