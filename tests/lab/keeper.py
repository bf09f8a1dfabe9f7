#!/usr/bin/python3
"""The process that owns a running lab: while it lives the lab lives, and when it ends nothing is left.

It is a child of the program that uses the lab (a test run, the demo), in a session of its own so that a
terminal's Ctrl-C does not reach it. It ends when its standard input does, that is, however that program
ends; "keep" written there makes it stay. The hosts' power is in its hands too: the BMC simulators and
everyone else who switches a host off or on from inside the lab ask here.
"""
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import spaces

# Labs do not meet: each is in namespaces of its own. But there is one at a time for each base, because whoever starts a second
# one by mistake should be told; tests/all has a base for each of its processes (conftest.py).
BASE = os.environ.get("HAMON_LAB_BASE", "/var/tmp/hamon-lab")
LOCK = os.path.join(BASE, "lock")
ROUTE = ["blackhole", "10.77.0.0/16"]
ROUTE_USERS = "/run/hamon-lab-route"  # locked by each lab of the machine that wants the route; "ours" when a lab made it
MARK = ".hamon-lab"
FOLDER_BUSY_S = 30


def machine_boot_id():
    with open("/proc/sys/kernel/random/boot_id") as boot_id:
        return boot_id.read().strip()


def route_present():
    shown = subprocess.run(["ip", "route", "show", "type"] + ROUTE, capture_output=True, text=True)
    return bool(shown.stdout.strip())


def route_hold():
    """Have the route, as long as the descriptor that is returned is open, and whether it is ours to remove."""
    while True:
        fd = os.open(ROUTE_USERS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(fd, fcntl.LOCK_SH)
        try:
            if os.stat(ROUTE_USERS).st_ino == os.fstat(fd).st_ino:
                break
        except FileNotFoundError:
            pass
        os.close(fd)  # its last user removed it while we waited
    if not route_present():
        os.pwrite(fd, b"ours", 0)
        done = subprocess.run(["ip", "route", "replace"] + ROUTE, capture_output=True, text=True)
        if done.returncode:
            route_release(fd)
            raise spaces.LabError("ip route: " + done.stderr.strip())
    return fd, os.pread(fd, 16, 0) == b"ours"


def route_release(fd):
    """The last of its users takes the route away."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.pread(fd, 16, 0) == b"ours":
            subprocess.run(["ip", "route", "del"] + ROUTE, capture_output=True)
        os.unlink(ROUTE_USERS)
    except (BlockingIOError, FileNotFoundError):
        pass
    finally:
        os.close(fd)


def route_in_use():
    """Does a lab hold it now? Asked without a lock of our own, which would look like one more user."""
    try:
        inode = os.stat(ROUTE_USERS).st_ino
    except FileNotFoundError:
        return False
    with open("/proc/locks") as locks:
        return any(line.split()[-3].endswith(":%d" % inode) for line in locks)


def lock_take(wait=0.0, tell=None):
    """Take the one lock of all labs of this machine; returns its descriptor. What died before is cleared away.

    wait: how many seconds to wait for another lab to end. tell: called once with a sentence when we wait.
    """
    end = time.monotonic() + wait
    while True:
        os.makedirs(BASE, mode=0o755, exist_ok=True)
        fd = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(fd, 65536, 0).decode("utf-8", "replace")
            os.close(fd)
            who = _holder(text)
            if time.monotonic() >= end:
                raise spaces.LabError("another lab is up on this machine%s; one at a time" % who) from None
            if tell:
                tell("waiting for another lab on this machine to end%s" % who)
                tell = None
            time.sleep(1)
            continue
        try:
            same = os.stat(LOCK).st_ino == os.fstat(fd).st_ino
        except FileNotFoundError:
            same = False
        if same:
            break
        os.close(fd)  # its holder removed it while we waited
    text = os.pread(fd, 65536, 0).decode("utf-8", "replace")
    if text.strip():
        try:
            leftovers_clear(json.loads(text))
        except ValueError:
            pass  # torn by a crash in the middle of a write: nothing was started before it is whole
    os.ftruncate(fd, 0)
    return fd


def _holder(text):
    try:
        record = json.loads(text)
        return " (%s, process %d, in %s; end it with: %s/lab.py down)" % (
            record["what"], record["keeper"][0] if record.get("keeper") else 0, record["dir"],
            os.path.dirname(os.path.abspath(__file__)))
    except (ValueError, KeyError):
        return ""


def lock_write(fd, record):
    data = json.dumps(record).encode()
    os.ftruncate(fd, 0)
    os.pwrite(fd, data, 0)


def unlock(fd):
    """Give the lock up, with nothing left of it."""
    os.ftruncate(fd, 0)
    with contextlib.suppress(OSError):
        os.unlink(LOCK)
        os.rmdir(BASE)
    os.close(fd)


def leftovers_clear(record):
    """End and remove what a lab left whose keeper was killed. Only recorded processes that are still the same."""
    if record.get("boot_id") == machine_boot_id():
        for kind in ("keeper", "init"):
            if record.get(kind):
                spaces.kill_wait(*record[kind])
        if record.get("route"):
            with contextlib.suppress(FileNotFoundError):
                route_release(os.open(ROUTE_USERS, os.O_RDWR | os.O_CLOEXEC))
    folder_remove(record.get("dir"))


def folder_remove(folder):
    """Remove a lab's folder: only one that bears the mark of being one.

    A program that was interrupted while it copied files into it leaves a cp behind, which writes for a moment more.
    """
    if not folder or not os.path.exists(os.path.join(folder, MARK)):
        return
    until = time.monotonic() + FOLDER_BUSY_S
    while os.path.exists(folder) and time.monotonic() < until:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.1 if os.path.exists(folder) else 0)


class Keeper:
    def __init__(self, folder, lock):
        self.folder = folder
        self.lock = lock
        self.tools = spaces.Tools(os.path.join(folder, "bin"))
        self.record = {"what": sys.argv[3], "dir": folder, "boot_id": machine_boot_id(), "route": False,
                       "keeper": [os.getpid(), spaces.start_time(os.getpid())], "init": None}
        self.lab_init = None
        self.route = None
        self.stdin_open = True
        self.keep = False
        self.keep_files = False
        self.boots = []

    def save(self):
        lock_write(self.lock, self.record)

    def start(self):
        self.save()
        self.route, self.record["route"] = route_hold()
        self.save()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(os.path.join(self.folder, "power"))
        self.socket.listen(16)
        self.lab_init = subprocess.Popen([self.tools.init, "lab"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, env=self.tools.ENVIRONMENT)
        pid = ready = None
        while not (pid and ready):  # from two processes, in any order
            told = self.lab_init.stdout.readline().split()
            if not told:
                with open(os.path.join(self.folder, "keeper.log")) as log:
                    raise spaces.LabError("labinit: exit %s: %s" % (self.lab_init.wait(), log.read()))
            if told[0] == "pid":
                pid = int(told[1])
                self.record["init"] = [pid, spaces.start_time(pid)]
                self.save()
            ready = ready or told == ["ready"]
        print(json.dumps(self.record), flush=True)

    def loop(self):
        end = os.pidfd_open(self.lab_init.pid)
        while not (self.keep is False and self.stdin_open is False):
            poll = select.poll()
            if self.stdin_open:
                poll.register(0, select.POLLIN)
            poll.register(end, select.POLLIN)
            poll.register(self.socket, select.POLLIN)
            ready = [fd for fd, _ in poll.poll()]
            self.boots = [boot for boot in self.boots if boot.poll() is None]
            if end in ready:
                return
            if 0 in ready:
                self.command()
            if self.socket.fileno() in ready:
                self.serve()

    def command(self):
        data = os.read(0, 4096)
        if not data:
            self.stdin_open = False
        for word in data.decode().split():
            if word == "keep":
                self.keep = True
                print("kept", flush=True)
            elif word == "keep-files":
                self.keep_files = True
            elif word == "down":
                self.keep = self.stdin_open = False

    def serve(self):
        peer, _ = self.socket.accept()
        with peer:
            peer.settimeout(5)
            try:
                words = peer.makefile().readline().split()
                if words == ["down"]:
                    self.keep = self.stdin_open = False
                    answer = "ok\n"
                else:
                    answer = "ok\n" + self.power(words[0], words[1], words[2:])
            except Exception as error:
                answer = "error\n%s\n" % error
                print("power: %s" % error, file=sys.stderr, flush=True)
            try:
                peer.sendall(answer.encode())
            except OSError:
                pass

    def power(self, name, verb, words):
        """What ipmi_sim asks of its chassis_control program: get power.. | set power 0|1, reset 1, shutdown 1."""
        import lab  # late: lab.py starts this file
        host = lab.Lab.attach(self.folder).host(name)
        told = ""
        if verb == "get":
            for what in words:
                told += {"power": "power:%d\n" % host.alive(), "boot": "boot:default\n"}[what]
            return told
        while words:
            what, value = words[0], words[1]
            words = words[2:]
            if (what, value) == ("power", "0") or what in ("reset", "shutdown"):
                self.power_log("%s off" % name)
                host.power_off()
                self.spring(name)
            if (what, value) == ("power", "1") or what == "reset":
                self.power_log("%s on" % name)
                self.boots.append(subprocess.Popen(
                    ["/usr/bin/python3", os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab.py"), "boot", name],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        return told

    def spring(self, name):
        """A test may want another host dead at exactly this moment: see bmc.trap()."""
        import lab
        trap = os.path.join(self.folder, "trap-" + name)
        if os.path.exists(trap):
            with open(trap) as text:
                also = text.read().strip()
            os.unlink(trap)
            lab.Lab.attach(self.folder).host(also).power_off()

    def power_log(self, text):
        with open(os.path.join(self.folder, "power.log"), "a") as log:
            log.write("%.3f %s\n" % (time.clock_gettime(time.CLOCK_BOOTTIME), text))

    def down(self):
        if self.lab_init:
            self.lab_init.stdin.close()
            if self.record["init"]:
                spaces.kill_wait(*self.record["init"])
            self.lab_init.wait()
        for boot in self.boots:
            boot.wait()
        if self.route is not None:
            route_release(self.route)
        if not self.keep_files:
            folder_remove(self.folder)
        unlock(self.lock)


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which the programs we start would inherit
    keeper = Keeper(sys.argv[1], int(sys.argv[2]))
    try:
        try:
            keeper.start()
        except Exception as error:
            print(json.dumps({"error": str(error)}), flush=True)
            raise
        keeper.loop()
    finally:
        keeper.down()


if __name__ == "__main__":
    main()
