#!/usr/bin/python3
"""Faults drawn from a seed, on real hosts, until told to stop; tests/chaos starts it once hamon is built.

Rounds: a few faults at random moments, over each other; then all of them end, and everything must become whole: every
host admitted, each guest running exactly once, but for those that a person has stopped. The guests' own disks and the
machine's processes are the witness, all along; nothing that hamon says counts for that.
"""
import argparse
import json
import os
import random
import signal
import sys
import threading
import time

import bmc
import cluster as cluster_module
import stores
from ending import Ended, end_by_exception
from lab import Lab
from spaces import LabError

WHOLE_S = 300   # a pause that is not whole by then has lost something
PATIENCE_S = 90  # then a person does by hand what hamon has refused with a reason
CONFIG = {
    "cluster": {"failure_window": "5s", "start_grace": "20s"},
    "evacuation": {"retry_delay": "2s"},
    "fencing": {"retry_backoff": "2s", "retry_backoff_max": "5s", "check_interval": "60s"},
}
DEVICE = {"option.shell_timeout": "3", "option.power_timeout": "6", "timeout": "15s"}


class Wrong(Exception):
    """A double run, or a lost guest."""


class Chaos:
    def __init__(self, options, out=sys.stdout):
        self.options, self.out = options, out
        self.random = random.Random(options.seed)
        config = dict(CONFIG, **{"fence-device ipmi%d" % n: DEVICE for n in range(1, options.hosts + 1)})
        self.lab = Lab(hosts=options.hosts, stage=options.stage, hamon=config, what="tests/chaos", wait=3600)
        self.cluster = cluster_module.Cluster(self.lab)
        self.undo = []          # how the faults of this round end
        self.frozen = set()     # hosts that stand still as a whole
        self.stopped = set()    # guests that a person has stopped, as hamon has acknowledged
        self.counts, self.by_hand, self.rounds = {}, 0, 0
        self.longest = 0.0
        self.begin = time.monotonic()
        self.watch_end = threading.Event()
        self.alarm = None       # the first double run that was seen

    def say(self, text):
        print("%7.1f s  %s" % (time.monotonic() - self.begin, text), file=self.out, flush=True)

    # the witness

    def watch(self):
        while not self.watch_end.wait(0.3) and not self.alarm:
            for guest in list(self.cluster.guests.values()):
                try:
                    seen = guest.read()
                except (OSError, LabError):
                    continue
                if seen and seen.violations:
                    self.alarm = "%s saw another writer on its disk: %s" % (guest.name, seen)
            if self.lab.referee and self.lab.referee.doubles:
                self.alarm = "two QEMUs of one guest on two hosts: %s" % (self.lab.referee.doubles[:4],)

    def check(self):
        if self.alarm:
            raise Wrong("DOUBLE RUN: " + self.alarm)

    def sleep(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check()
            time.sleep(min(0.1, max(0.0, end - time.monotonic())))

    # set-up

    def start(self):
        self.lab.up()
        self.cluster.wait_settled()
        for number, host in enumerate(self.lab.hosts, 1):
            self.cluster.file_guest("file%d" % number, host.name)
            # Nothing locks these: two at a time would really both write.
            self.cluster.add(stores.nbd_guest(self.lab, "nbd%d" % number), host.name)
        self.cluster.add(stores.nbd_guest(self.lab, "nbd%d" % (len(self.lab.hosts) + 1)), "h1")
        self.cluster.wait_known()
        threading.Thread(target=self.watch, daemon=True).start()
        self.say("%d hosts, %d guests, seed %d" % (len(self.lab.hosts), len(self.cluster.guests), self.options.seed))

    # faults: each says what it does, and adds how it ends

    def usable(self, host):
        return host.alive() and host.name not in self.frozen

    def fault_power(self, host):
        self.say("%s loses its power" % host.name)
        host.power_off()

    def fault_reset(self, host):
        self.say("%s is reset: off, and on at once" % host.name)
        host.power_off()
        self.boot(host)

    def fault_cut(self, host):
        self.say("the network of %s is cut" % host.name)
        host.cut()
        self.later(lambda: host.alive() and host.join(), "the network of %s is back" % host.name)

    def fault_link(self, host):
        self.say("link 1 of %s is cut" % host.name)
        host.cut([1])
        self.later(lambda: host.alive() and host.join([1]), "link 1 of %s is back" % host.name)

    def fault_hamond(self, host):
        self.say("hamond of %s is killed" % host.name)
        host.kill("hamond")
        self.later(lambda: self.restart(host, "hamond"), "hamond of %s is started again" % host.name)

    def fault_hamonds(self, host):
        self.say("every hamond is killed")
        for one in self.lab.hosts:
            if self.usable(one):
                one.kill("hamond")
                self.later(lambda one=one: self.restart(one, "hamond"), "hamond of %s is started again" % one.name)

    def fault_corosync(self, host):
        self.say("corosync of %s is killed" % host.name)
        host.kill("corosync")
        self.later(lambda: self.restart(host, "corosync"), "corosync of %s is started again" % host.name)

    def fault_corosync_frozen(self, host):
        self.say("corosync of %s stands still" % host.name)
        host.signal("corosync", signal.SIGSTOP)
        self.later(lambda: host.thaw("corosync"), "corosync of %s goes on" % host.name)

    def fault_hamond_frozen(self, host):
        self.say("hamond of %s stands still" % host.name)
        host.signal("hamond", signal.SIGSTOP)
        self.later(lambda: host.thaw("hamond"), "hamond of %s goes on" % host.name)

    def fault_frozen(self, host):
        self.say("%s stands still, with its guests" % host.name)
        self.frozen.add(host.name)
        pids = host.freeze_whole()

        def thaw():
            if host.name in self.frozen:
                host.thaw_whole(pids)
                self.frozen.discard(host.name)

        self.later(thaw, "%s goes on as if nothing had happened" % host.name)

    def fault_libvirtd(self, host):
        self.say("libvirtd of %s is killed" % host.name)
        host.kill("libvirtd")
        self.later(lambda: self.restart(host, "libvirtd"), "libvirtd of %s is started again" % host.name)

    def fault_device(self, host):
        self.say("the BMC of %s has no power" % host.name)
        bmc.stop(self.lab, host)
        self.later(lambda: bmc.start(self.lab, [host]), "the BMC of %s is back" % host.name)

    def fault_maintenance(self, host):
        """Of that host, asked for on another."""
        for other in self.lab.hosts:
            if other is not host and self.usable(other) and other.run(
                    ["hamonctl", "maintenance", host.name, "on"], check=False, timeout=30).returncode == 0:
                self.say("maintenance of %s" % host.name)
                self.later(lambda: self.maintenance_off(host), "maintenance of %s ends" % host.name)
                return True
        return False

    def maintenance_off(self, host):
        if not any(self.usable(other) and other.run(["hamonctl", "maintenance", host.name, "off"], check=False,
                                                    timeout=30).returncode == 0 for other in self.lab.hosts):
            raise LabError("nobody takes the end of maintenance")

    def fault_stop(self, host):
        """A person ends a guest there, if there is one; once hamon says so, it must stay ended."""
        mine = [name for name in sorted(self.cluster.guests) if self.cluster.guests[name].hosts() == [host.name]]
        if not mine:
            return False
        name = self.random.choice(mine)
        if host.virsh("destroy", name, check=False, timeout=15).returncode:
            return False
        self.say("a person stops %s on %s" % (name, host.name))

        def known():
            entry = self.cluster.instance(name)
            if entry and entry["wish"] == "stopped":
                self.stopped.add(name)
                self.say("hamon knows that %s is to be stopped" % name)
                return True
            return False

        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                if known():
                    break
            except (LabError, ValueError, KeyError):
                pass
            time.sleep(0.2)
        return True

    FAULTS = {
        "power loss": (fault_power, 4), "reset": (fault_reset, 2), "network cut": (fault_cut, 4), "link cut": (fault_link, 1),
        "hamond killed": (fault_hamond, 3), "all hamonds killed": (fault_hamonds, 1), "corosync killed": (fault_corosync, 3),
        "corosync frozen": (fault_corosync_frozen, 2), "hamond frozen": (fault_hamond_frozen, 2), "host frozen": (fault_frozen, 2),
        "libvirtd killed": (fault_libvirtd, 2), "BMC lost": (fault_device, 2), "maintenance": (fault_maintenance, 1),
        "guest stopped": (fault_stop, 2),
    }

    def later(self, action, text):
        """How a fault ends: after a while of its own, or at the latest with its round."""
        self.undo.append([time.monotonic() + self.random.choice([0.3, 1, 3, 6, 12]), action, text])

    def undo_due(self, all_of_them=False):
        left = []
        for entry in self.undo:
            if not all_of_them and time.monotonic() < entry[0]:
                left.append(entry)
                continue
            try:
                entry[1]()
                self.say(entry[2])
            except (LabError, OSError) as error:
                if not all_of_them:
                    entry[0] = time.monotonic() + 2
                    left.append(entry)
                else:
                    self.say("not yet: %s (%s)" % (entry[2], str(error).splitlines()[0][:80]))
                    left.append(entry)
        self.undo = left

    def restart(self, host, service):
        if self.usable(host) and not host.pids(service):
            host.start(service)

    def boot(self, host):
        try:
            host.boot()
            self.say("%s is on" % host.name)
        except LabError as error:
            self.say("%s does not come up: %s" % (host.name, str(error).splitlines()[0][:100]))

    def round(self):
        self.rounds += 1
        names = sorted(self.FAULTS)
        weights = [self.FAULTS[name][1] for name in names]
        for _ in range(self.random.choice([1, 1, 2, 2, 3, 4])):
            name = self.random.choices(names, weights)[0]
            host = self.random.choice(self.lab.hosts)
            wait = self.random.choice([0.0, 0.2, 0.7, 1.5, 2.5, 4.0])
            if self.usable(host):
                try:
                    if self.FAULTS[name][0](self, host) is not False:
                        self.counts[name] = self.counts.get(name, 0) + 1
                except LabError as error:
                    self.say("(%s of %s: %s)" % (name, host.name, str(error).splitlines()[0][:100]))
            end = time.monotonic() + wait
            while time.monotonic() < end:
                self.sleep(0.1)
                self.undo_due()
        end = time.monotonic() + self.random.choice([0, 2, 5, 8])
        while time.monotonic() < end:
            self.sleep(0.2)
            self.undo_due()

    # the pause

    def mend(self, booted):
        """What the people and the machines around hamon do: what is dead is switched on, what has ended is started."""
        self.undo_due(all_of_them=True)
        for host in self.lab.hosts:
            if not host.alive():
                if time.monotonic() - booted.get(host.name, -100) > 15:
                    booted[host.name] = time.monotonic()
                    self.boot(host)
                continue
            if host.name in self.frozen:
                continue
            for service in ("corosync", "libvirtd", "hamond"):
                if not host.pids(service) and host.alive():
                    try:
                        host.start(service)
                        self.say("%s of %s is started" % (service, host.name))
                    except LabError:
                        pass

    def not_whole(self):
        """What is not as it must be, in a sentence; None when all is."""
        alive = [host.name for host in self.lab.alive_hosts()]
        if len(alive) < len(self.lab.hosts):
            return "off: %s" % (set(host.name for host in self.lab.hosts) - set(alive))
        for name in alive:
            status = self.cluster.status(name)
            if status["cluster"]["brake"]["held"]:
                self.lab.host(name).run(["hamonctl", "release"], check=False)
                return "the brake held, and is released"
            if not (status["cluster"]["quorate"] and status["cluster"]["synced"] and status["cluster"]["coordinator"]):
                return "%s: %s" % (name, status["cluster"])
            for entry in status["hosts"]:
                if entry["state"] != "admitted" or entry["daemon"] != "running" or entry["maintenance"]:
                    return "%s says of %s: %s %s" % (name, entry["name"], entry["state"], entry["reason"])
        entries = {entry["name"]: entry for entry in status["instances"]}
        for name, guest in self.cluster.guests.items():
            entry = entries.get(name)
            if not entry:
                return "%s is not known" % name
            if entry["wish"] == "stopped":
                if guest.hosts():
                    return "%s is to be stopped, and runs on %s" % (name, guest.hosts())
                continue
            if name in self.stopped:
                return "%s was stopped by a person, and hamon wants it %s" % (name, entry["wish"])
            if entry["phase"] != "settled" or entry["state"] != "running" or guest.hosts() != [entry["host"]]:
                return "%s: %s %s on %s, really on %s: %s" % (name, entry["phase"], entry["state"], entry["host"],
                                                             guest.hosts(), entry["reason"])
        return None

    def by_person(self):
        """What hamon holds or cannot place, with its reason: a person does it by hand."""
        for entry in self.cluster.status()["instances"]:
            if entry["phase"] == "held":
                done = self.cluster.speaker().run(["evacuate", "--on-shared-storage", entry["name"]], check=False, timeout=60)
                self.by_hand += 1
                self.say("by hand: evacuate %s, held (%s): exit %d" % (entry["name"], entry["reason"], done.returncode))

    def whole(self):
        begin, booted, why = time.monotonic(), {}, None
        asked = False
        while True:
            self.check()
            self.mend(booted)
            try:
                now = self.not_whole()
            except (LabError, ValueError, KeyError, OSError) as error:
                now = str(error).splitlines()[0][:100]
            if now is None:
                break
            if now != why and self.options.verbose:
                self.say("    (%s)" % now)
            why = now
            took = time.monotonic() - begin
            if took > PATIENCE_S and not asked:
                asked = True
                self.by_person()
            if took > WHOLE_S:
                raise Wrong("LOST: not whole after %d s: %s" % (WHOLE_S, why))
            time.sleep(0.5)
        for name, guest in self.cluster.guests.items():
            if guest.hosts():
                try:
                    guest.wait_beating(timeout=60)
                except LabError as error:
                    raise Wrong("LOST: %s runs and does not write: %s" % (name, error)) from None
        self.check()
        took = time.monotonic() - begin
        self.longest = max(self.longest, took)
        self.say("whole again after %.1f s: %s" % (took, self.where()))
        self.start_stopped()

    def where(self):
        return ", ".join("%s %s" % (host.name, "+".join(sorted(
            name for name, guest in self.cluster.guests.items() if guest.hosts() == [host.name])) or "-") for host in self.lab.hosts)

    def start_stopped(self):
        """What a person has stopped is started by a person, where hamon has it."""
        for entry in self.cluster.status()["instances"]:
            if entry["wish"] != "stopped":
                continue
            guest = self.cluster.guests[entry["name"]]
            host = self.lab.host(entry["host"] or "h1")
            if guest.name not in host.virsh("list", "--all", "--name").stdout.split():
                guest.define(host)
            self.cluster.wait("%s is started by a person" % guest.name,
                              lambda: self.cluster._started(guest, host.name), 60, 1)
            self.stopped.discard(guest.name)
            self.say("a person starts %s on %s" % (guest.name, host.name))

    # the whole

    def run(self):
        self.start()
        end = time.monotonic() + self.options.minutes * 60 if self.options.minutes else None
        while not end or time.monotonic() < end:
            self.round()
            self.whole()
        return 0

    def figures(self):
        starts = sorted(self.lab.referee.starts) if self.lab.referee else []
        where, moves = {}, 0
        for _, domain, host, _ in starts:
            moves += domain in where and where[domain] != host
            where[domain] = host
        told = {"seed": self.options.seed, "seconds": round(time.monotonic() - self.begin, 1), "rounds": self.rounds,
                "faults": sum(self.counts.values()), "faults_by_kind": dict(sorted(self.counts.items())),
                "qemu_starts": len(starts), "evacuations": moves, "by_hand": self.by_hand,
                "longest_pause_s": round(self.longest, 1),
                "fencings": len([1 for _, _, what in bmc.power_log(self.lab) if what == "off"])}
        try:
            said = [host.hamonctl("status") for host in self.lab.alive_hosts() if host.name not in self.frozen]
            status = next(status for status in said if status["cluster"]["synced"])
            told["generations"] = {entry["name"]: entry["generation"] for entry in status["instances"]}
            told["term"] = status["cluster"]["term"]
            told["incidents"] = sum(entry["epoch"] for entry in status["hosts"]) - len(status["hosts"])
            told["double_runs"] = len(self.lab.referee.doubles)
            told["violations"] = sum(guest.read().violations for guest in self.cluster.guests.values())
            told["writes_last_start"] = sum(guest.read().seq for guest in self.cluster.guests.values())
        except (LabError, ValueError, KeyError, OSError, AttributeError, StopIteration) as error:
            told["incomplete"] = repr(error)[:200]
        return told

    def tell(self, told):
        if self.options.json:
            print(json.dumps(told))
            return
        print("\nseed %d: %d rounds, %d faults in %.0f s" % (told["seed"], told["rounds"], told["faults"], told["seconds"]))
        for name, count in told["faults_by_kind"].items():
            print("  %4d  %s" % (count, name))
        print("%d power-offs by fencing, %d starts of a QEMU, %d of them on another host than before" % (
            told["fencings"], told["qemu_starts"], told["evacuations"]))
        print("generations: %s" % ", ".join("%s %d" % pair for pair in sorted(told.get("generations", {}).items())))
        print("longest pause until whole: %.1f s; by hand: %d" % (told["longest_pause_s"], told["by_hand"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", required=True)
    parser.add_argument("--logs", required=True)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--hosts", type=int, default=3, choices=range(3, 8))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()

    end_by_exception()
    chaos = Chaos(options, sys.stderr if options.json else sys.stdout)
    code = 0
    try:
        chaos.run()
    except Ended:
        chaos.say("told to stop")
    except (Wrong, LabError) as error:
        code = 1
        chaos.say("WRONG: %s" % error)
        folder = os.path.join(options.logs, "chaos-%d" % options.seed)
        try:
            chaos.cluster.save_logs(folder)
            chaos.say("logs: %s" % folder)
        except Exception as failed:
            chaos.say("logs could not be saved: %r" % failed)
    finally:
        try:
            told = chaos.figures()
            told["ok"] = code == 0
            chaos.tell(told)
        finally:
            chaos.watch_end.set()
            chaos.lab.down()
    return code


if __name__ == "__main__":
    sys.exit(main())
