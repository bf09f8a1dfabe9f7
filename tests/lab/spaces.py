"""Processes and namespaces of the lab: the only place that signals a process.

Everything here goes by pid, and a pid is always checked against the time its process started, so that
a number that the kernel has given to someone else meanwhile is never touched.
"""
import errno
import os
import select
import signal
import subprocess
import time


class LabError(Exception):
    """The lab itself failed: what was tried, and what was seen."""


def wait_until(what, probe, timeout=60.0, every=0.05, seen=None):
    """Wait until probe() is true and return its value.

    The bound is for a test that fails, never a measure: it is generous. seen() tells in the error what
    was there instead.
    """
    end = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            told = ""
            if seen:
                try:
                    told = "\n  seen: %s" % (seen(),)
                except Exception as error:  # the error that matters is the timeout
                    told = "\n  seen: (%s)" % error
            raise LabError("waited %g s in vain until %s (last: %r)%s" % (timeout, what, value, told))
        time.sleep(every)


def start_time(pid):
    """The boot-clock tick at which pid started, or None when there is no such process (or only its corpse)."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def alive(pid, started):
    return pid is not None and started is not None and start_time(pid) == started


def kill(pid, started, number=signal.SIGKILL):
    """Send a signal to the process that started then; False when it is gone."""
    try:
        fd = os.pidfd_open(pid)
    except OSError as error:
        if error.errno == errno.ESRCH:
            return False
        raise
    try:
        if start_time(pid) != started:
            return False
        signal.pidfd_send_signal(fd, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)


def kill_wait(pid, started, timeout=20.0):
    """SIGKILL and wait until the process is gone. For the init of a PID namespace: until all in it are."""
    try:
        fd = os.pidfd_open(pid)
    except OSError as error:
        if error.errno == errno.ESRCH:
            return
        raise
    try:
        if start_time(pid) != started:
            return
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(timeout * 1000):
            raise LabError("process %d is still there %g s after SIGKILL" % (pid, timeout))
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def space_id(pid, kind="pid"):
    """The identity of a namespace of pid, or None."""
    try:
        return os.readlink("/proc/%d/ns/%s" % (pid, kind))
    except OSError:
        return None


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as line:
            return [part.decode("utf-8", "replace") for part in line.read().split(b"\0")[:-1]]
    except OSError:
        return []


def command_name(pid):
    try:
        with open("/proc/%d/comm" % pid) as name:
            return name.read().rstrip("\n")
    except OSError:
        return ""


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def pids_in(space):
    """All processes whose PID namespace is this one."""
    return [pid for pid in all_pids() if space_id(pid) == space]


class Tools:
    """The lab's own two programs, built where the lab lives."""

    ENVIRONMENT = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
    }

    def __init__(self, folder):
        self.init = os.path.join(folder, "labinit")
        self.witness = os.path.join(folder, "witness.bin")

    def build(self):
        here = os.path.dirname(os.path.abspath(__file__))
        os.makedirs(os.path.dirname(self.init), exist_ok=True)
        for command in (
            ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-static", "-o", self.init,
             os.path.join(here, "labinit.c")],
            ["nasm", "-f", "bin", "-DTICKS=9", "-o", self.witness, os.path.join(here, "witness.asm")],
        ):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                raise LabError("%s failed:\n%s" % (" ".join(command), done.stderr))

    def run(self, pid, command, timeout=60.0, check=True, text=True, stdin=None):
        """Run a command beside pid, in all its namespaces."""
        source = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        try:
            done = subprocess.run([self.init, "run", str(pid), "--"] + list(command), capture_output=True,
                                  text=text, timeout=timeout, env=self.ENVIRONMENT, **source)
        except subprocess.TimeoutExpired as late:
            raise LabError("%s: no end after %g s\n%s" % (" ".join(command), timeout, late.stderr or "")) from None
        if check and done.returncode:
            raise LabError("%s: exit %d\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
        return done

    def spawn(self, pid, log, command, environment=None):
        """Start a daemon beside pid; returns its pid as seen from here."""
        done = subprocess.run([self.init, "spawn", str(pid), log] + list(command), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env=dict(self.ENVIRONMENT, **(environment or {})))
        if done.returncode:
            raise LabError("start %s: %s" % (" ".join(command), done.stderr.strip()))
        return int(done.stdout)

    def ip(self, pid, lines, force=False):
        """Run ip(8) commands in the network namespace of pid, in one go. Pids in them are ours."""
        command = ["nsenter", "-t", str(pid), "-n", "ip"] + (["-force"] if force else []) + ["-batch", "-"]
        done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True)
        if done.returncode and not force:
            raise LabError("ip %s: %s" % (lines, done.stderr.strip()))
