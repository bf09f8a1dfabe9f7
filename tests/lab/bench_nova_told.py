"""What tests/bench nova tells: a line while it measures, and at the end the table, from the same dict that --json prints."""
import os
import platform
import shutil
import statistics
import subprocess
import time

MAX_LOOP, MAX_MASAKARI, MAX_SHIPPED, MAX_SHIPPED_ONE, MAX_MIB = 1.1, 0.9, 0.3, 0.05, 32
BAR = 30
PACKAGES = ("python3-nova", "python3-masakari", "libvirt-daemon", "qemu-system-x86", "corosync")


class Progress:
    """Lines that stay; on a terminal a bar below them of what goes on now."""

    def __init__(self, out):
        self._out = out
        self._tty = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._what, self._began = None, 0

    def say(self, text):
        self.end()
        print("  " + text, file=self._out, flush=True)

    def end(self):
        """Nothing goes on any more."""
        if self._what:
            print("\r\033[K", end="", file=self._out, flush=True)
        self._what = None

    def live(self, what, done, count):
        if not self._tty:
            return
        if what != self._what:
            self._what, self._began = what, time.monotonic()
        full = BAR * done // max(count, 1)
        text = "  %-44s [%s%s] %4d/%d %5.0f s" % (what, "#" * full, "." * (BAR - full), done, count, time.monotonic() - self._began)
        print("\r\033[K" + text[:shutil.get_terminal_size((100, 24)).columns - 1], end="", file=self._out, flush=True)


def machine():
    """What this ran on, and with."""
    def first(path, key):
        with open(path) as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "?")

    def said(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=os.path.dirname(os.path.abspath(__file__)))
        return done.stdout.strip() if not done.returncode else ""
    packages = said("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES)
    return {"processors": os.cpu_count(), "processor": first("/proc/cpuinfo", "model name"),
            "memory_mib": int(first("/proc/meminfo", "MemTotal").split()[0]) // 1024, "kernel": platform.release(),
            "packages": dict(line.split() for line in packages.splitlines()),
            "commit": said("git", "describe", "--always", "--dirty", "--abbrev=12"),
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}


def machine_told(told):
    return "%s; %d processors (%s), %d MiB, Linux %s; hamon %s" % (told["date"], told["processors"], told["processor"],
                                                                  told["memory_mib"], told["kernel"], told["commit"] or "?")


def told(run):
    name = label(run)
    if "failed" in run:
        return "%-44s %4d servers FAILED: %s" % (name, run["servers"], run["failed"].splitlines()[0])
    more = "" if "whole" not in run else ", %.1f s from the loss" % run["whole"]
    return "%-44s %4d servers in %6.1f s%s; %s" % (name, run["servers"], run["seconds"], more, " ".join(
        "%s:%d" % pair for pair in sorted(run["spread"].items())))


def label(run):
    if run["way"] == "loop":
        return "loop, %d at a time, %s" % (run["width"], "targets in turn" if run["named"] else "Nova's choice")
    if run["way"] == "masakari":
        return "Masakari, %d threads, %s" % (run["threads"], "as shipped" if run["shipped"] else "its waits 0")
    return "hamon"


def those(runs, **wanted):
    return [run for run in runs if all(run.get(key) == value for key, value in wanted.items())]


def middle(runs, key="seconds"):
    return statistics.median(run[key] for run in runs) if runs else None


def rows(result):
    """[(what, hamon, the other, ratio, required, good)] of what was measured; seconds."""
    runs, count, found = [run for run in result["runs"] if "failed" not in run], result["servers"], []

    def add(what, mine, other, most):
        if mine is not None and other:
            found.append({"what": what, "hamon": mine, "other": other, "ratio": mine / other, "most": most, "ok": mine / other <= most})

    hamon = those(runs, way="hamon", servers=count)
    loops = {}
    for run in those(runs, way="loop", servers=count):
        loops.setdefault((run["width"], run["named"]), []).append(run)
    if loops:
        chosen = min(loops.values(), key=lambda some: middle(some))
        add("certificate -> all ACTIVE; " + label(chosen[0]), middle(hamon), middle(chosen), MAX_LOOP)
    equal = those(runs, way="masakari", servers=count, shipped=False)
    if equal:
        add("the same; %s, its evacuating phase" % label(equal[0]), middle(hamon), middle(equal), MAX_MASAKARI)
    for some, most in ((count, MAX_SHIPPED), (1, MAX_SHIPPED_ONE)):
        add("loss -> all ACTIVE, %d server%s; Masakari as shipped" % (some, "s" if some > 1 else ""),
            middle(those(runs, way="hamon", servers=some), "whole"),
            middle(those(runs, way="masakari", servers=some, shipped=True), "whole"), most)
    return found


def tell(result, targets):
    print("\n  %d servers of a dead host, %d targets; seconds\n" % (result["servers"], len(targets)))
    print("    %-72s %8s %8s %7s %9s" % ("", "HAMON", "OTHER", "RATIO", "REQUIRED"))
    for row in rows(result):
        print("    %-72s %8.1f %8.1f %7.2f %9s   %s" % (row["what"], row["hamon"], row["other"], row["ratio"], "<= %g" % row["most"],
                                                      "ok" if row["ok"] else "NOT"))
    if not result["complete"]:
        print("\n    NOT all that was asked for has been measured")
    hamon = those(result["runs"], way="hamon")
    peak = max(run["peak_kib"] for run in hamon) / 1024
    print("\n    peak memory of hamon-evacuate %.1f MiB (< %d: %s), of hamond %.1f MiB" % (
        peak, MAX_MIB, "ok" if peak < MAX_MIB else "NOT", max(run["hamond_kib"] for run in hamon) / 1024))
    print("    Masakari as shipped was told of the loss at once; its own monitor takes up to a minute more")
    print("\n  every run, in the order in which they were made:")
    for run in result["runs"]:
        print("    " + told(run))
    print("\n  %s" % machine_told(result["machine"]))
    print("  load of the machine when hamon's runs ended: %s" % " ".join("%.1f" % run["load"] for run in hamon))
