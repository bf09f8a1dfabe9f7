"""A lab with hamon on every host, seen as an operator sees it, and the invariants that every test ends with."""
import os
import shutil
import time

import guests
from spaces import LabError, wait_until

# Bounds for a test that fails. What passes is far below them, on a busy machine too.
SOON, LONG = 60, 180


class Cluster:
    def __init__(self, lab):
        self.lab = lab
        self.began = time.monotonic()
        self.tell = None  # is told where the time goes
        self.guests = {}
        self.cloud = None  # see cloud.py
        self.cold = False  # the whole cluster was dead meanwhile: its starts have no certificate before them
        self.handed_over = []  # (domain, host): its owner had it stopped, and agreed to its start there

    def host(self, which):
        return self.lab.host(which)

    def up(self, boot=True):
        self.lab.up(boot)
        if boot:
            self.wait_settled()
        return self

    # what hamon says

    def speaker(self, host=None):
        """A host whose hamond can be asked: that one, else the first that lives and is not known to be cut."""
        if host:
            return self.host(host)
        alive = [host for host in self.lab.alive_hosts() if host.pids("hamond")]
        if not alive:
            raise LabError("no hamond runs anywhere")
        quorate = []
        for one in alive:
            try:
                if one.hamonctl("status")["cluster"]["quorate"]:
                    return one
            except (LabError, ValueError, KeyError) as error:
                quorate.append(str(error))
        return alive[0]

    def status(self, host=None):
        return self.speaker(host).hamonctl("status")

    def host_status(self, name, host=None):
        return {entry["name"]: entry for entry in self.status(host)["hosts"]}[name]

    def instance(self, name, host=None):
        """The status entry of an instance, or None while hamon does not know it."""
        for entry in self.status(host)["instances"]:
            if entry["name"] == name:
                return entry
        return None

    def incidents(self, host=None):
        return self.speaker(host).hamonctl("incidents")["incidents"]

    def incident(self, failed, host=None):
        """The newest incident of that failed host, or None."""
        of_host = [entry for entry in self.incidents(host) if entry["host"] == failed]
        return max(of_host, key=lambda entry: entry["epoch"]) if of_host else None

    def explain(self, what, host=None):
        return self.speaker(host).hamonctl("explain", what)

    def records(self, what, kind=None, host=None):
        """The timeline of an incident, instance or host; only those of a kind."""
        return [record for record in self.explain(what, host)["timeline"] if kind in (None, record["kind"])]

    def coordinator(self, host=None):
        return self.status(host)["cluster"]["coordinator"]

    # waiting

    def _tried(self, probe):
        """A daemon that does not answer yet is no failure of the wait, but is told if it stays so."""
        def attempt():
            try:
                value = probe()
                self._told = value
                return value
            except (LabError, ValueError, KeyError) as error:
                self._told = str(error)
                return None
        return attempt

    def wait(self, what, probe, timeout=SOON, every=0.1):
        self._told = None
        began = time.monotonic()
        try:
            return wait_until(what, self._tried(probe), timeout, every, seen=lambda: "%s\n%s" % (self._told, self.report()))
        finally:
            if self.tell:
                self.tell("%8.1f s, %5.1f s waited: %s" % (time.monotonic() - self.began, time.monotonic() - began, what))

    def wait_settled(self, timeout=LONG):
        """Every running host is admitted on every running host's word, there is a coordinator, nothing is open."""
        def settled():
            alive = [host.name for host in self.lab.alive_hosts()]
            for name in alive:
                status = self.status(name)
                entries = {entry["name"]: entry for entry in status["hosts"]}
                if not (status["cluster"]["quorate"] and status["cluster"]["synced"] and status["cluster"]["coordinator"]):
                    return False
                if any(entries[other]["state"] != "admitted" or entries[other]["daemon"] != "running" for other in alive):
                    return False
            return True
        self.wait("the cluster is settled", settled, timeout)

    def wait_known(self, *names, timeout=LONG):
        """hamon knows these guests, on the hosts where they run, and every other host's verdict on their disks;
        and each has written to its disk, so that its starts can be counted."""
        def known():
            status = self.status()
            hosts = {entry["name"] for entry in status["hosts"] if entry["state"] == "admitted"}
            entries = {entry["name"]: entry for entry in status["instances"]}
            for name in names or [name for name in self.guests if self.guests[name].protected]:
                entry = entries.get(name)
                if not entry or self.guests[name].hosts() != [entry["host"]] or entry["wish"] != "running" or \
                        entry["phase"] != "settled" or entry["state"] != "running":
                    return False
                verdicts = {verdict["host"]: verdict["verdict"] for verdict in entry["verdicts"]}
                if any(verdicts.get(host, "unknown") == "unknown" for host in hosts - {entry["host"]}):
                    return False
            return True
        self.wait("hamon knows the guests and their storage", known, timeout)
        for name in names or self.guests:
            if self.guests[name].expect == "running":
                self.guests[name].wait_beating(boots=self.guests[name].boots)

    def wait_lost(self, name, timeout=SOON, host=None):
        """hamon counts that host as lost (or further)."""
        return self.wait("%s is seen as lost" % name, lambda: self.incident(name, host), timeout)

    def wait_closed(self, name, timeout=LONG, held=0):
        """The newest incident of that host is over, but for so many instances that are held; returns it."""
        def closed():
            entry = self.incident(name)
            if not entry or entry["held"] != held or entry["state"] != ("held" if held else "closed"):
                return None
            return entry if entry["running"] + entry["held"] + entry.get("stopped", 0) == entry["total"] else None
        return self.wait("the incident of %s is over%s" % (name, " with %d held" % held if held else ""), closed, timeout)

    def wait_running(self, *names, timeout=LONG, on=None):
        """These guests run on exactly one host, and write."""
        for name in names:
            guest = self.guests[name]
            self.wait("%s runs on one host%s" % (name, " of %s" % (on,) if on else ""),
                      lambda: len(guest.hosts()) == 1 and (not on or guest.hosts()[0] in on), timeout)
            guest.wait_beating(boots=guest.boots)

    # guests

    def add(self, guest, on, protected=True):
        """Define and start a guest there; it is one of those that the test ends by checking."""
        guest.protected = protected
        guest.expect, guest.boots = "running", 1
        self.guests[guest.name] = guest
        guest.define(self.host(on))
        self.wait("%s starts on %s" % (guest.name, on), lambda: self._started(guest, on), LONG, 1)
        return guest

    def _started(self, guest, on):
        """A refused first start is no failure: hamon may still be learning about the host."""
        done = guest.start(self.host(on), check=False)
        if done.returncode and "already active" not in done.stderr and "already running" not in done.stderr:
            raise LabError(done.stderr.strip())
        return True

    def add_server(self, guest):
        """One that Nova has started (nova.py)."""
        guest.protected = True
        guest.expect, guest.boots = "running", 1
        self.guests[guest.name] = guest
        return guest

    def file_guest(self, name, on, **said):
        return self.add(guests.file_guest(self.lab, name, **said), on)

    def local_guest(self, name, on, **said):
        """On a folder that every host has, each its own."""
        return self.add(guests.file_guest(self.lab, name, folder="/srv/local", host=self.host(on), **said), on)

    def expect(self, state, *names):
        """What the test is to end with for these guests: moved (running, started once more), running, absent."""
        for name in names:
            guest = self.guests[name]
            if state == "moved":
                guest.boots += 1
            guest.expect = "absent" if state == "absent" else "running"

    # the end of every test

    def check(self):
        """The invariants. Every protected guest runs once or is reported; no double run ever; none lost."""
        for guest in self.guests.values():
            if guest.expect == "absent":
                assert guest.hosts() == [], "%s runs on %s" % (guest.name, guest.hosts())
                if guest.protected:
                    entry = self.instance(guest.name)
                    assert entry, "%s is not reported any more" % guest.name
                    assert entry["wish"] == "stopped" or entry["reason"] or self.host_status(entry["host"])["reason"], \
                        "no reason is given for %s" % guest.name
                continue
            witness = guest.wait_beating()
            assert len(guest.hosts()) == 1, "%s runs on %s" % (guest.name, guest.hosts())
            assert witness.boots == guest.boots, "%s was started %d times, not %d" % (guest.name, witness.boots, guest.boots)
        self.check_never_double()
        self.check_proof_first()

    def check_never_double(self):
        for guest in self.guests.values():
            witness = guest.read()
            assert not witness or witness.violations == 0, "%s saw another writer %d times" % (guest.name, witness.violations)
        assert self.lab.referee.rounds > 0 and self.lab.referee.doubles == [], self.lab.referee.doubles

    def check_proof_first(self):
        """No guest was started elsewhere before the host that ran it until then was certified dead."""
        names = {guest.uuid: guest.name for guest in self.guests.values()}
        proofs = [(entry["host"], entry["certified_ms"]) for entry in self.incidents() if entry.get("certified_ms")]
        last, handed_over = {}, list(self.handed_over)
        for started_ms, domain, host, pid in sorted(self.lab.referee.starts):
            before_ms, before = last.get(domain, (None, None))
            last[domain] = started_ms, host
            if domain not in names or before in (None, host) or self.cold:
                continue
            if (domain, host) in handed_over:
                handed_over.remove((domain, host))
                continue
            # The processes' start times are told in hundredths of a second.
            assert [when for of, when in proofs if of == before and before_ms - 10 <= when <= started_ms + 10], \
                "%s, until then on %s, was started on %s (QEMU %d) at %d ms; proofs of a death: %s" % (
                    names[domain], before, host, pid, started_ms, proofs)

    # what a failed test shows

    def report(self):
        lines = []
        for host in self.lab.hosts:
            if not host.alive():
                lines.append("%s: off" % host.name)
                continue
            done = host.run(["hamonctl", "status"], check=False, timeout=20)
            lines.append("%s:\n%s%s" % (host.name, done.stdout, done.stderr))
        for guest in self.guests.values():
            try:
                lines.append("guest %s: on %s, %s" % (guest.name, guest.hosts(), guest.read()))
            except (LabError, OSError) as error:
                lines.append("guest %s: %s" % (guest.name, error))
        if self.cloud:
            lines.append(self.cloud.report())
        return "\n".join(lines)

    def save_logs(self, folder):
        """What the hosts have written, for whoever looks into a failed test."""
        shutil.rmtree(folder, ignore_errors=True)
        for host in self.lab.hosts:
            shutil.copytree(host.path("/var/log"), os.path.join(folder, host.name), symlinks=True,
                            ignore=shutil.ignore_patterns("apt", "journal", "postgresql", "gcs*"))
            shutil.copytree(host.path("/var/lib/hamon"), os.path.join(folder, host.name, "lib-hamon"), symlinks=True,
                            ignore_dangling_symlinks=True)
        if self.cloud:
            self.cloud.save_logs(folder)
        with open(os.path.join(folder, "status"), "w") as out:
            out.write(self.report() + "\n\n")
            for started_ms, domain, host, pid in self.lab.referee.starts if self.lab.referee else []:
                out.write("%d ms: QEMU %d of %s on %s\n" % (started_ms, pid, domain, host))
        for host in self.lab.alive_hosts():
            for command in (["status"], ["incidents"], ["explain", host.name]):
                done = host.run(["hamonctl"] + command + ["--json"], check=False, timeout=20)
                with open(os.path.join(folder, host.name, "hamonctl-%s.json" % command[0]), "w") as out:
                    out.write(done.stdout + done.stderr)
