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
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import bmc
import config
import guests
import keeper
import scenarios
import spaces
from host import ALL_NETWORKS, FAULT_POINT, NETWORKS, Host
from spaces import LabError, wait_until

COVERED = ("/etc", "/var/lib", "/var/cache", "/var/log", "/srv", "/mnt", "/tmp", "/run", "/usr/local")


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
