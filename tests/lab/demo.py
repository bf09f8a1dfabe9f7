#!/usr/bin/python3
"""The demo itself: tests/demo starts it once hamon is built. Real hosts, real guests, one real loss."""
import argparse
import os
import shutil
import sys
import textwrap
import time

import cluster as cluster_module
import guests
from ending import Ended, end_by_exception
from lab import Lab
from spaces import LabError

# name, host, folder, what its metadata says. h1 has the most guests, and dies.
GUESTS = [
    ("db1", "h1", "/srv/shared", {"priority": 900, "group": "db"}),
    ("web1", "h1", "/srv/shared", {"priority": 100}),
    ("mail1", "h1", "/srv/shared", {}),
    ("scratch1", "h1", "/srv/local", {}),
    ("db2", "h2", "/srv/shared", {"priority": 900, "group": "db"}),
    ("web2", "h2", "/srv/shared", {"priority": 100}),
    ("cache1", "h3", "/srv/shared", {}),
]
VICTIM = "h1"
BOUND_S = 120

COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def boot_ms():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


class Screen:
    """Lines for people: coloured and redrawn in place on a terminal, each change once anywhere else."""

    def __init__(self, out=sys.stdout):
        self.out = out
        self.tty = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colour = self.tty and "NO_COLOR" not in os.environ
        self.shown = 0
        self.before = {}

    def paint(self, text, *colours):
        if not self.colour or not colours:
            return text
        return "\033[%sm%s\033[0m" % (";".join(COLOURS[colour] for colour in colours), text)

    def say(self, text=""):
        print(text, file=self.out, flush=True)

    def step(self, what, value, *colours):
        self.say("  %-36s%s" % (what, self.paint(value, *colours)))

    def clip(self, text, room):
        return text if len(text) <= room else text[:max(0, room - 3)] + "..."

    def width(self):
        return shutil.get_terminal_size((100, 24)).columns if self.tty else 200

    def live(self, clock, rows):
        """clock: the line above the rows. rows: [(name, state, colours, detail)]."""
        if not self.tty:
            for name, state, _, detail in rows:
                if self.before.get(name) != (state, detail):
                    self.before[name] = (state, detail)
                    self.say("  %s  %-10s %-9s %s" % (clock[0], name, state, detail))
            return
        room = self.width() - 26
        lines = ["  %s  %s" % (self.paint(clock[0], "bold"), self.paint(clock[1], "cyan")), ""]
        for name, state, colours, detail in rows:
            lines.append("    %-10s %s %s" % (name, self.paint("%-9s" % state, *colours), self.clip(detail, room)))
        move = "\033[%dA" % self.shown if self.shown else ""
        self.out.write(move + "".join("\r%s\033[K\n" % line for line in lines))
        self.out.flush()
        self.shown = len(lines)


class Demo:
    def __init__(self, stage, screen):
        self.screen = screen
        self.lab = Lab(stage=stage, what="tests/demo")
        self.cluster = cluster_module.Cluster(self.lab)
        self.killed_ms = None
        self.kept = False

    # before

    def start(self):
        begin = time.monotonic()
        self.lab.up()
        self.cluster.wait_settled()
        self.screen.step("three hosts, a coordinator", "done  %4.1f s" % (time.monotonic() - begin))
        begin = time.monotonic()
        for name, host, folder, said in GUESTS:
            guest = guests.file_guest(self.lab, name, folder=folder, host=self.cluster.host(host), **said)
            self.cluster.add(guest, host)
        self.cluster.wait_known()
        self.screen.step("seven guests, their storage checked", "done  %4.1f s" % (time.monotonic() - begin))

    def table(self):
        """Who runs where, on which storage."""
        screen, status = self.screen, self.cluster.status("h2")
        entries = {entry["name"]: entry for entry in status["instances"]}
        screen.say()
        screen.say(screen.paint("  %-10s %-5s %-24s %-26s %s" % ("GUEST", "HOST", "DISK", "STORAGE, SEEN BY hamon", "RULES"), "bold"))
        for name, _, folder, said in GUESTS:
            entry = entries[name]
            verdicts = entry["verdicts"]
            good = sorted(v["host"] for v in verdicts if v["verdict"] in ("shared", "volume") and v["host"] != entry["host"])
            seen = "shared with %s" % ", ".join(good) if good else "local: on %s alone" % entry["host"]
            rules = ", ".join("%s %s" % (key, said[key]) for key in ("group", "priority") if key in said)
            screen.say("  %-10s %-5s %-24s %s %s" % (name, entry["host"], "%s/%s.img" % (folder, name),
                                                     screen.paint("%-26s" % seen, "green" if good else "yellow"), rules))
        screen.say()
        cluster = status["cluster"]
        screen.say("  hosts %s; %s; coordinator %s; fencing by IPMI" % (
            ", ".join(host["name"] for host in status["hosts"]), "quorate" if cluster["quorate"] else "NOT quorate",
            cluster["coordinator"]))
        screen.say()

    # the failure, live

    def kill(self):
        self.killed_ms = boot_ms()
        self.lab.host(VICTIM).power_off()
        self.screen.say(self.screen.paint("  %s loses its power, with %d guests, without a word to anyone" % (
            VICTIM, len(self.mine())), "bold", "red"))
        self.screen.say()

    def mine(self):
        return [name for name, host, _, _ in GUESTS if host == VICTIM]

    def shared(self):
        return [name for name, host, folder, _ in GUESTS if host == VICTIM and folder != "/srv/local"]

    def watch(self):
        """Redraw until all instances of the victim are recovered, or held with a reason."""
        end = time.monotonic() + BOUND_S
        while time.monotonic() < end:
            try:
                status = self.cluster.host("h2").hamonctl("status")
                incident = self.cluster.incident(VICTIM, "h2")
            except (LabError, ValueError, KeyError):
                time.sleep(0.2)
                continue
            rows = [self.row(entry, incident) for entry in sorted(
                (entry for entry in status["instances"] if entry["name"] in self.mine()),
                key=lambda entry: self.mine().index(entry["name"]))]
            over = incident and incident["certified_ms"] and all(row[1] in ("running", "refused") for row in rows)
            self.screen.live(("%5.1f s" % ((boot_ms() - self.killed_ms) / 1000), self.phase(incident, over)), rows)
            if over:
                return incident
            time.sleep(0.2)
        raise LabError("no recovery within %d s" % BOUND_S)

    @staticmethod
    def phase(incident, over):
        if not incident:
            return "corosync: waiting for the token of " + VICTIM
        if not incident["certified_ms"]:
            return "%s is lost; its BMC must say that its power is off" % VICTIM
        return "recovered" if over else "%s is proven dead; its guests start elsewhere" % VICTIM

    @staticmethod
    def row(entry, incident):
        name, reason = entry["name"], entry["reason"] or ""
        if not incident:
            return name, "silent", ("dim",), "nothing is heard of " + VICTIM
        if not incident["certified_ms"]:
            return name, "waiting", ("yellow",), "no start before a proof that %s is dead" % VICTIM
        if entry["phase"] == "held":
            return name, "refused", ("red",), reason
        if entry["host"] != VICTIM and entry["phase"] == "settled" and entry["state"] == "running":
            return name, "running", ("green",), "on %s, verified" % entry["host"]
        if entry["host"] != VICTIM:
            return name, "starting", ("cyan",), "on %s" % entry["host"]
        return name, "waiting", ("yellow",), reason or "for a host"

    # afterwards

    def timeline(self):
        screen = self.screen
        records = self.cluster.explain(VICTIM, "h2")["timeline"]
        screen.say()
        screen.say(screen.paint("  Timeline, as hamon recorded it (seconds since the power went)", "bold"))
        screen.say()
        colours = {"fence-confirmed": ("green",), "instance-running": ("green",), "instance-held": ("red",),
                   "host-lost": ("yellow",), "host-suspected": ("yellow",)}
        room = max(40, screen.width() - 31)
        for record in records:
            if record["t_ms"] < self.killed_ms:
                continue
            lines = textwrap.wrap(record["text"], room) or [""]
            screen.say("  %+7.2f  %s %s" % ((record["t_ms"] - self.killed_ms) / 1000,
                                           screen.paint("%-18s" % record["kind"], *colours.get(record["kind"], ())), lines[0]))
            for line in lines[1:]:
                screen.say(" " * 30 + line)
        return records

    def verify(self):
        """From the guests' own disks and the machine's processes; nothing that hamon says counts here."""
        screen, cluster = self.screen, self.cluster
        screen.say()
        screen.say(screen.paint("  What the guests' own disks say", "bold"))
        screen.say()
        cluster.expect("moved", *self.shared())
        cluster.expect("absent", *[name for name in self.mine() if name not in self.shared()])
        wrong = []
        for name, _, _, _ in GUESTS:
            guest = cluster.guests[name]
            state, colours, good = "not running, as it must be", ("green",), True
            if guest.expect == "absent":
                good = guest.hosts() == [] and guest.read().violations == 0
                told = "started %d time, on the host that died" % guest.read().boots
            else:
                try:
                    witness = guest.wait_beating(timeout=30)
                except LabError:
                    witness = guest.read()
                    good = False
                where = guest.hosts()
                good = good and len(where) == 1 and witness.violations == 0 and witness.boots == guest.boots
                state = "runs once, on %s" % where[0] if len(where) == 1 else "runs on %s" % (where or "no host")
                told = "started %d time%s, writes (%d so far), no other writer ever" % (
                    witness.boots, "" if witness.boots == 1 else "s", witness.seq)
                if witness.violations:
                    told = "saw ANOTHER WRITER %d times" % witness.violations
            if not good:
                wrong.append(name)
                colours = ("red", "bold")
            screen.say("    %-10s %s %s" % (name, screen.paint("%-28s" % state, *colours), told))
        if self.lab.referee.doubles:
            wrong.append("two QEMUs of one guest at one time: %s" % self.lab.referee.doubles[:3])
        try:
            cluster.check_proof_first()
        except AssertionError as error:
            wrong.append(str(error))
        return wrong

    def last_line(self, incident, records):
        """recovered N of N instances in S s (detect S, prove S, start S)"""
        running = {record["instance"]: record["t_ms"] for record in records
                   if record["kind"] == "instance-running" and record["t_ms"] >= self.killed_ms}
        done = [name for name in self.shared() if name in running]
        last = max([running[name] for name in done] or [incident["certified_ms"]])
        part = lambda end, begin: (end - begin) / 1000
        return len(done) == len(self.shared()), "recovered %d of %d instances in %.1f s (detect %.1f, prove %.1f, start %.1f)" % (
            len(done), len(self.shared()), part(last, self.killed_ms), part(incident["lost_ms"], self.killed_ms),
            part(incident["certified_ms"], incident["lost_ms"]), part(last, incident["certified_ms"]))

    def keep(self):
        here = os.path.relpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab.py"))
        self.lab.keep()
        self.kept = True
        self.screen.say("""
  The cluster stays up, in %(folder)s. To look around in it:

    %(lab)s enter h2                      a shell on a host; also: enter h2 COMMAND
      hamonctl status                     hosts, instances, what is wrong (also: watch, incidents)
      hamonctl explain scratch1           why an instance was not moved
      virsh list; corosync-quorumtool     what libvirt and corosync say
      storage-check db1                   which hosts reach its disk
    %(lab)s boot h1                       the dead host comes back
    %(lab)s off h3 | cut h3 | join h3     the next failure
    %(lab)s down                          the end; nothing is left
""" % {"folder": self.lab.folder, "lab": here})

    def run(self, keep):
        self.start()
        self.table()
        self.kill()
        incident = self.watch()
        records = self.timeline()
        wrong = self.verify()
        good, line = self.last_line(incident, records)
        local = [name for name in self.mine() if name not in self.shared()]
        for name in local:
            entry = self.cluster.instance(name, "h2")
            if not (entry["phase"] == "held" and entry["reason"]):
                wrong.append("%s is not refused with a reason" % name)
        if keep:
            self.keep()
        self.screen.say()
        for reason in wrong:
            self.screen.say(self.screen.paint("  WRONG: %s" % reason, "red", "bold"))
        self.screen.say(self.screen.paint(line, "bold", "green" if good and not wrong else "red"))
        return 0 if good and not wrong else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", required=True)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()

    end_by_exception()
    screen = Screen()
    demo = Demo(options.stage, screen)
    try:
        return demo.run(options.keep)
    except Ended as ended:
        screen.say("\n  interrupted: everything is taken down")
        return ended.args[0]
    except LabError as error:
        screen.say("\n" + screen.paint("  FAILED: %s" % error, "red", "bold"))
        return 1
    finally:
        if not demo.kept:
            demo.lab.down()


if __name__ == "__main__":
    sys.exit(main())
