"""hamon-evacuate and hamon-qemu-hook in a lab host, without hamond: for the tests of these two alone."""
import collections
import contextlib
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import threading
import time

import guests
import spaces
from lab import Lab

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAMON_BUILDDIR", HERE.parents[1] / "build"))
PROGRAMS = ("hamon-evacuate", "hamon-qemu-hook", "tests/lab/gate_answers")
GATE_LIST = "/var/lib/hamon/gate.list"
HOOK = "/etc/libvirt/hooks/qemu.d/50-hamon"


def lab_of(hosts, what):
    """A lab of libvirt hosts only, with the programs of the build tree in it."""
    for name in PROGRAMS:
        assert (BUILD / name).exists(), "%s is not built: make check, and set HAMON_BUILDDIR" % name
    lab = Lab(hosts=hosts, services=["libvirtd"], what=what, wait=3600)
    lab.up()
    for name in PROGRAMS:
        shutil.copy(BUILD / name, os.path.join(lab.folder, "bin"))
    return lab


def program(lab, name):
    return os.path.join(lab.folder, "bin", name)


def evacuate(host, verb, **request):
    """One operation: its result, with the lines before it under "progress"."""
    request.setdefault("op", "test")
    done = host.run([program(host.lab, "hamon-evacuate"), "--state-dir", "/var/lib/hamon", verb],
                    stdin=json.dumps(request), timeout=240)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines and lines[-1]["type"] == "result" and lines[-1]["op"] == request["op"], done
    assert all(line["type"] == "progress" for line in lines[:-1]), lines
    return dict(lines[-1], progress=[line["phase"] for line in lines[:-1]])


def start(host, guest, **more):
    request = {"uuid": guest.uuid, "name": guest.name, "generation": 1, "xml": guest.xml, "start_timeout_ms": 60000,
               "verify_ms": 300, "lock_retry_ms": 0, "incident": "h9-e1"}
    return evacuate(host, "start", **dict(request, **more))


class Watch:
    """A running `hamon-evacuate watch`; preload: a library that stands between it and libvirt's."""

    def __init__(self, host, preload=None):
        self.told = []
        self._lines = queue.Queue()
        said = ["/usr/bin/env", "LD_PRELOAD=" + preload] if preload else []
        self.process = subprocess.Popen(
            [host.lab.tools.init, "run", str(host.pid), "--", *said, program(host.lab, "hamon-evacuate"), "watch"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=host.tools.ENVIRONMENT)
        threading.Thread(target=self._read, daemon=True).start()
        self.process.stdin.write('{"op":"w"}\n')
        self.process.stdin.flush()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def next(self, what, match, timeout=60):
        """The next line that matches; lines before it are only remembered."""
        seen, end = [], time.monotonic() + timeout
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, "%s: not told, but %s" % (what, seen)
            self.told.append(line)
            seen.append({key: value for key, value in line.items() if key not in ("xml", "disks", "def_hash")})
            if match(line):
                return line

    def type(self, kind, **keys):
        return self.next("%s %s" % (kind, keys), lambda line: line["type"] == kind
                         and all(line.get(key) == value for key, value in keys.items()))

    def domain(self, guest, **keys):
        return self.type("domain", uuid=guest.uuid, **keys)

    def synced(self):
        """Through the first list; what was told about each domain."""
        self.type("synced")
        return {line["name"]: line for line in self.told if line["type"] == "domain"}

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
        return self.process.wait(timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def late_events(lab):
    """The library that holds libvirt's events of a domain's life back for a second."""
    library = program(lab, "late_events.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, HERE / "late_events.c", "-lvirt", "-ldl"], check=True)
    return library


def poweroff_guest(lab, name, at_once=False):
    """A guest that powers itself off when it is asked (ask_off), or as soon as it has booted."""
    guest = guests.file_guest(lab, name)
    sector = os.path.join(lab.folder, "bin", "poweroff.bin")
    subprocess.run(["nasm", "-f", "bin", "-o", sector, HERE / "poweroff.asm"], check=True)
    with open(sector, "rb") as code, open(guest.image, "r+b") as disk:
        disk.write(code.read())
    if at_once:
        ask_off(guest)
    return guest


def ask_off(guest):
    with open(guest.image, "r+b") as disk:
        disk.seek(1024)
        disk.write(b"Q")


def qemu_pid(host, guest):
    """The guest's QEMU as seen from outside."""
    pids = [pid for name, pid in guests.qemus(host.lab).get(guest.uuid, []) if name == host.name]
    assert len(pids) == 1, pids
    return pids[0]


def kill_qemu(host, guest, number=signal.SIGKILL):
    pid = qemu_pid(host, guest)
    spaces.kill(pid, spaces.start_time(pid), number)


def state(host, guest):
    return host.virsh("domstate", guest.name).stdout.strip()


def restart_libvirtd(host, number=signal.SIGTERM):
    if number == signal.SIGKILL:
        host.kill("libvirtd")
    else:
        host.stop("libvirtd")
    host.start("libvirtd")


def hook_install(host):
    """As `make install` does, but the program of the build tree. libvirtd sees it from its next start on."""
    host.write(HOOK, "#!/bin/sh\nexec %s --list %s \"$@\"\n" % (program(host.lab, "hamon-qemu-hook"), GATE_LIST), 0o755)


def hook_remove(host):
    os.unlink(host.path(HOOK))


def gate_list_write(host, instances, protect="opted-in"):
    host.write(GATE_LIST, json.dumps({"instances": instances, "protect": protect}))


@contextlib.contextmanager
def dead_mount(host, folder):
    """Whoever touches the folder sleeps uninterruptibly, as on a dead NFS mount, until this ends."""
    host.run(["mkdir", "-p", folder])
    script = shutil.copy(HERE / "deadfs.py", os.path.join(host.lab.folder, "bin"))
    server = subprocess.Popen([host.lab.tools.init, "run", str(host.pid), "--", "/usr/bin/python3", script, folder], text=True,
                              stdout=subprocess.PIPE, env=host.tools.ENVIRONMENT)
    try:
        assert server.stdout.readline() == "mounted\n"
        yield
    finally:
        host.kill("python3")
        server.wait()
        host.run(["umount", "-l", folder])


class Gate:
    """A control socket that answers "gate" in hamond's place; .asked has the requests."""

    def __init__(self, host, mode):
        self.process = subprocess.Popen(
            [host.lab.tools.init, "run", str(host.pid), "--", program(host.lab, "gate_answers"), "hamon", mode],
            stdout=subprocess.PIPE, text=True, env=host.tools.ENVIRONMENT)
        self.asked = collections.deque()
        assert "ready" in self.process.stdout.readline()
        self.host = host
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.asked.append(json.loads(line))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.host.kill("gate_answers")
        self.process.wait()
        self.reader.join()
