#!/usr/bin/python3
"""tests/bench nova: the servers of a dead host, from the proof of its death until all are ACTIVE elsewhere: by hamon, by a bare loop of
API calls, and by Debian's Masakari; one cloud, one machine, the same servers, in alternating order.

The servers are real guests (QEMU, by Nova's libvirt driver) that halt at once. When a server is there is read in Nova's database: it is on
another host, ACTIVE, without a task. For the rivals hamon is off, and its gate away; Nova's state is put back before each (cloudstate.py).
"""
import argparse
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import bench
import bench_nova_told
import cloud as cloud_module
import cloudconf
import cloudstate
import cluster as cluster_module
import crowd
import masakari as masakari_module
import nova as nova_module
from ending import Ended, end_by_exception
from lab import Lab, LabError, wait_until

HAMON = {"cluster": {"control_plane": "nova"}, "nova": {"cloud": "lab"}}
HOOK = "/etc/libvirt/hooks/qemu.d/50-hamon"
HOOK_AWAY = "/etc/libvirt/hooks/50-hamon.away"
VICTIM, TARGETS = "h1", ("h2", "h3")
LOOPS = [(width, named) for named in (True, False) for width in (1, 4, 20)]  # (calls at a time, targets named in turn)
SHORT = [(4, True), (20, True)]
LIMIT_S = 1800


class Clock:
    """The boot clock, which all hosts of the lab have, in seconds."""

    @staticmethod
    def now():
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class Watch(threading.Thread):
    """Looks ten times a second how many servers have arrived, and at the memory of hamon's helpers."""

    def __init__(self, bench_nova, run):
        """run: of which we tell how far it is. hamon brings a server in ERROR back; for the others it is the end of the run."""
        super().__init__(daemon=True)
        self._cloud, self._hosts, self._count = bench_nova.cloud, [bench_nova.lab.host(name) for name in TARGETS], run["servers"]
        self._live, self._label, self._cures = bench_nova.progress.live, bench_nova_told.label(run), run["way"] == "hamon"
        self.arrived, self.first_asked, self.spread, self.peak_kib = [], None, {}, 0
        self._end = threading.Event()
        self.start()

    def run(self):
        database = cloudstate.Database(self._cloud)
        done = 0
        while not self._end.wait(0.1):
            now = Clock.now()
            if self.first_asked is None and database.rows("SELECT 1 FROM nova.migrations WHERE migration_type = 'evacuation' AND "
                                                          "deleted = 0 LIMIT 1"):
                self.first_asked = now
            told = database.rows("SELECT host, COUNT(*) FROM nova.instances WHERE deleted = 0 AND host <> %s AND vm_state = "
                                 "'active' AND task_state IS NULL GROUP BY host", VICTIM)
            if not self._cures and self._is_lost(database):
                break
            there = sum(count for _, count in told)
            self.arrived += [now] * (there - done)
            done = max(done, there)
            self._live(self._label, done, self._count)
            if there >= self._count:
                self.spread = dict(told)
                break
            self._memory_look()
        database.close()

    @staticmethod
    def _is_lost(database):
        """One in ERROR does not arrive any more."""
        return database.rows("SELECT 1 FROM nova.instances WHERE deleted = 0 AND vm_state = 'error' LIMIT 1")

    def _memory_look(self):
        for host in self._hosts:
            for pid in host.pids("hamon-evacuate"):
                self.peak_kib = max(self.peak_kib, status_kib(pid, "VmHWM"))

    def end(self):
        self._end.set()
        self.join()

    def wait(self, timeout=LIMIT_S):
        """When the last one arrived."""
        self.join(timeout)
        self.end()
        if len(self.arrived) < self._count:
            raise LabError("%d of %d servers arrived\n%s" % (len(self.arrived), self._count, self._cloud.report()))
        return self.arrived[-1]


def status_kib(pid, key):
    try:
        with open("/proc/%d/status" % pid) as status:
            return next((int(line.split()[1]) for line in status if line.startswith(key + ":")), 0)
    except (OSError, ValueError):
        return 0


class Loop:
    """A bare loop: force the service down, list the servers, ask for an evacuation of each with so many calls at a time."""

    def __init__(self, cloud, width, spread):
        self._cloud, self._width, self._spread = cloud, width, spread
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(max_workers=width, initializer=nova_module.Inside._enter, initargs=(cloud.pid,))

    def _call(self, method, path, body=None):
        connection = getattr(self._local, "connection", None)
        if not connection:
            connection = self._local.connection = nova_module.http.client.HTTPConnection(
                cloudconf.ADDRESS, nova_module.PORTS["compute"], timeout=120)
        connection.request(method, nova_module.PREFIX["compute"] + path, body and json.dumps(body), {
            "X-Auth-Token": self._token, "Content-Type": "application/json",
            "OpenStack-API-Version": "compute " + nova_module.MICROVERSION})
        answer = connection.getresponse()
        told = answer.read()
        if answer.status >= 300:
            raise LabError("%s %s: %d %s" % (method, path, answer.status, told[:300]))
        return json.loads(told) if told else None

    def _one(self, numbered):
        number, server = numbered
        body = {"host": TARGETS[number % len(TARGETS)]} if self._spread else {}
        self._call("POST", "/servers/%s/action" % server, {"evacuate": body})

    def run(self):
        self._token = self._cloud.nova._login()
        do = lambda *words: self._pool.submit(self._call, *words).result()
        service = do("GET", "/os-services?binary=nova-compute&host=" + VICTIM)["services"][0]["id"]
        do("PUT", "/os-services/" + service, {"forced_down": True})
        servers = do("GET", "/servers?all_tenants=1&limit=1000&host=" + VICTIM)["servers"]
        list(self._pool.map(self._one, enumerate(server["id"] for server in servers)))
        self._pool.shutdown()


class BenchNova:
    def __init__(self, lab, servers, progress, loops):
        self.lab, self.servers, self.progress, self.loops = lab, servers, progress, loops
        self.cluster = cluster_module.Cluster(lab)
        self.runs = []

    def up(self):
        self.lab.up(boot=False)
        self.lab.referee.stop()  # it would take part of the processors
        self.cloud = self.cluster.cloud = cloud_module.Cloud(self.lab, compute=crowd.COMPUTE)
        self.cloud.up_with_hosts()
        self.cluster.wait_settled()
        self.crowd = crowd.Crowd(self.cloud)
        self.database = self.crowd.database
        self.masakari = masakari_module.Masakari(self.cloud)

    # servers

    def boot(self, count):
        """So many servers on the victim, known to hamon."""
        self._wait_enabled()
        begin = Clock.now()
        self._boots(lambda tell: self.crowd.boot(VICTIM, count, LIMIT_S, tell))
        self.hamon_knows(count)
        self.progress.say("%d servers booted and known to hamon in %.0f s" % (count, Clock.now() - begin))

    def _boots(self, work):
        work(lambda done, count: self.progress.live("Nova boots servers", done, count))
        self.progress.end()

    def hamon_knows(self, count):
        def known():
            status = self.cluster.status(TARGETS[0])
            hosts = {entry["name"] for entry in status["hosts"] if entry["state"] == "admitted"}
            entries = [entry for entry in status["instances"] if entry["host"] == VICTIM and entry["state"] == "running" and
                       entry["phase"] == "settled" and entry["wish"] == "running"]
            shared = [entry for entry in entries if hosts - {VICTIM} <= {
                verdict["host"] for verdict in entry["verdicts"] if verdict["verdict"] in ("shared", "volume")}]
            return len(hosts) == 1 + len(TARGETS) and len(shared) == count
        self.cluster.wait("hamon knows %d servers on %s" % (count, VICTIM), known, 300, 0.5)

    def delete_all(self):
        self.crowd.delete_all(LIMIT_S)
        self.cluster.wait("hamon has forgotten them", lambda: not self.cluster.status()["instances"], 120, 0.5)

    # hamon

    def hamon_off(self):
        """As if it had never been there: no daemon, no gate."""
        for host in self.lab.alive_hosts():
            host.stop("hamond")
            os.path.lexists(host.path(HOOK)) and os.rename(host.path(HOOK), host.path(HOOK_AWAY))

    def hamon_on(self):
        """Everything begins anew: what its stores say of the servers is not true any more."""
        for host in self.lab.hosts:
            if os.path.lexists(host.path(HOOK_AWAY)):
                os.rename(host.path(HOOK_AWAY), host.path(HOOK))
            for name in os.listdir(host.path("/var/lib/hamon")):
                path = os.path.join(host.path("/var/lib/hamon"), name)
                os.path.isfile(path) and os.unlink(path)
        for host in self.lab.alive_hosts():
            host.start("hamond")
        self.lab.host(VICTIM).boot()
        self.cluster.wait_settled()
        self.cloud.wait_computes()

    def victim_back(self):
        self.lab.host(VICTIM).boot()
        self.cluster.wait_settled()
        self.cloud.wait_computes()

    def _wait_enabled(self):
        """Nova's scheduler goes by placement's trait, which follows the service's state when nova-compute looks next."""
        wait_until("%s takes servers again" % VICTIM, lambda: self.database.rows(
            "SELECT 1 FROM nova.services WHERE host = %s AND forced_down = 0 AND disabled = 0", VICTIM) and not self.database.rows(
                "SELECT 1 FROM placement.resource_provider_traits t JOIN placement.traits n ON n.id = t.trait_id JOIN "
                "placement.resource_providers p ON p.id = t.resource_provider_id WHERE n.name = 'COMPUTE_STATUS_DISABLED' AND "
                "p.name = %s", VICTIM), 180, 0.5, seen=self.cloud.nova.services)

    def hamon(self, count):
        """The host dies; hamon does all of it."""
        run = {"way": "hamon", "servers": count}
        for host in self.lab.alive_hosts():
            open(host.path(bench.TRACE), "a").close()
        watch = Watch(self, run)
        killed = Clock.now()
        self.lab.host(VICTIM).power_off()
        last = watch.wait()
        self.progress.end()
        closed = self.cluster.wait_closed(VICTIM, 300)
        lost, certified = closed["lost_ms"] / 1000, closed["certified_ms"] / 1000
        time.sleep(1.5)  # the traces are written out once a second
        run.update(detect=lost - killed, fence=certified - lost, whole=last - lost, verified=closed["closed_ms"] / 1000 - certified,
                   peak_kib=watch.peak_kib,
                   hamond_kib=max(status_kib(pid, "VmHWM") for host in self.lab.alive_hosts() for pid in host.pids("hamond")),
                   phases=phases(self.lab.alive_hosts(), certified, last))
        self._measured(run, watch, certified, last)

    # the rivals: one that fails is told, and the others go on; it has taken half an hour to come so far

    def loop(self, count, width, named):
        self._rival({"way": "loop", "servers": count, "width": width, "named": named}, self._loop)

    def masakari_run(self, count, shipped):
        self._rival({"way": "masakari", "servers": count, "shipped": shipped,
                     "threads": masakari_module.THREADS if shipped else self.threads()}, self._masakari)

    def _rival(self, run, work):
        self.progress.live("Nova's state is put back", 0, run["servers"])
        cloudstate.restore(self.cloud, self.database, "%d" % run["servers"], VICTIM)
        self._watch = None
        try:
            work(run)
        except LabError as error:
            run["failed"] = str(error)
            self.runs.append(run)
            self.progress.say(bench_nova_told.told(run))
        finally:
            if self._watch:
                self._watch.end()

    def _loop(self, run):
        loop = Loop(self.cloud, run["width"], run["named"])
        watch = self._watch = Watch(self, run)
        begin = Clock.now()
        loop.run()
        run["asked"] = Clock.now() - begin
        self._measured(run, watch, begin, watch.wait())

    def _masakari(self, run):
        """As shipped: told in the moment when the host dies, while Nova believes that it is up."""
        if run["shipped"]:
            self.lab.host(VICTIM).boot(["libvirtd", "nova"])
            self.cloud.wait_computes()
            self.masakari.start()
            self.lab.host(VICTIM).power_off()
        else:
            self.cloud.nova.service_put(VICTIM, forced_down=True)  # else its first call waits a minute for the dead host
            self.masakari.start(run["threads"], 0)
        watch = self._watch = Watch(self, run)
        begin = Clock.now()
        try:
            notification = self.masakari.host_failed(VICTIM)
            last = watch.wait()
            wait_until("Masakari has ended", lambda: self.masakari.state(notification) in ("finished", "error", "failed"), 300, 0.5)
        finally:
            self.masakari.stop()
        state = self.masakari.state(notification)
        if state != "finished":
            raise LabError("Masakari ended as %s" % state)
        run["whole"] = last - begin
        self._measured(run, watch, watch.first_asked, last)

    def threads(self):
        """As many as hamon uses: so many starts on each of the targets."""
        return 4 * len(TARGETS)

    def _measured(self, run, watch, begin, last):
        run.update(seconds=last - begin, spread=watch.spread, arrivals=[round(at - begin, 2) for at in watch.arrived],
                   load=os.getloadavg()[0])
        self.runs.append(run)
        self.progress.say(bench_nova_told.told(run))


def phases(hosts, begin, end):
    """What hamon's helpers did when: [(seconds after the certificate, host, words)]."""
    lines = []
    for host in hosts:
        for at, what, words in bench.trace_read(host):
            if begin <= at / 1e6 <= end + 10 and what == "start":
                lines.append((round(at / 1e6 - begin, 3), host.name, " ".join(words)))
    return sorted(lines)


def rivals(session, count, rounds, only):
    """All ways of one round after the other, every second one backwards. hamon's is the first of the first: it has booted the servers."""
    loops = session.loops
    for number in range(rounds):
        if number:
            done = [run for run in session.runs if run["way"] == "loop" and run["servers"] == count and "failed" not in run]
            best = min(done, key=lambda run: run["seconds"], default=None)
            loops = [(best["width"], best["named"])] if best else []
        ways = [lambda width=width, spread=spread: session.loop(count, width, spread) for width, spread in loops]
        if "masakari" in only:
            ways.append(lambda: session.masakari_run(count, False))
        for way in reversed(ways) if number % 2 else ways:
            way()
        if number + 1 < rounds:
            again(session, count)


def again(session, count):
    """hamon once more, with the same servers: they start on the victim again before it dies again."""
    cloudstate.restore(session.cloud, session.database, "%d" % count, VICTIM)
    session.hamon_on()
    for server in session.crowd.servers():
        session.cloud.nova.action(server, reboot={"type": "HARD"})
    session._boots(lambda tell: session.crowd.wait_on(VICTIM, count, LIMIT_S, tell))
    session.hamon_knows(count)
    session.hamon(count)
    session.hamon_off()


def measure(session, rounds, only):
    count = session.servers
    session.up()
    if count > 1:
        session.boot(1)
        cloudstate.save(session.cloud, "1")
        session.hamon(1)
        session.victim_back()
        session.delete_all()
    session.boot(count)
    cloudstate.save(session.cloud, "%d" % count)
    session.hamon(count)
    session.hamon_off()
    rivals(session, count, rounds, only)
    if "shipped" in only:
        for some in sorted({1, count}, reverse=True):
            session.masakari_run(some, True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", required=True)
    parser.add_argument("--servers", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="masakari,shipped", help="which rivals besides the loop")
    parser.add_argument("--short", action="store_true", help="the loop only at the two that are the fastest as a rule")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not 1 <= options.servers <= 400 or options.rounds < 1:
        parser.error("1 to 400 servers, and at least one round")

    end_by_exception()
    progress = bench_nova_told.Progress(sys.stderr if options.json else sys.stdout)
    session, status, machine = None, 0, bench_nova_told.machine()
    try:
        with Lab(stage=options.stage, what="tests/bench nova", wait=3600, services=cloud_module.SERVICES, hamon=HAMON,
                 environment={"HAMON_TRACE": bench.TRACE}) as lab:
            session = BenchNova(lab, options.servers, progress, SHORT if options.short else LOOPS)
            try:
                measure(session, options.rounds, options.only.split(","))
            except BaseException:
                progress.end()
                logs = os.environ.get("HAMON_LAB_LOGS")
                if logs:
                    session.cluster.save_logs(os.path.join(logs, "bench-nova"))
                raise
    except Ended as ended:
        print("\n  interrupted: everything has been taken down", file=sys.stderr)
        status = ended.args[0]
    except LabError as error:
        print("bench: %s" % error, file=sys.stderr)
        status = 1
    if not session or not session.runs:
        return status
    if any("failed" in run for run in session.runs):
        status = status or 1
    result = {"servers": options.servers, "complete": not status, "machine": machine, "runs": session.runs}
    if options.json:
        print(json.dumps(dict(result, ratios=bench_nova_told.rows(result)), indent=1))
    else:
        bench_nova_told.tell(result, TARGETS)
    return status


if __name__ == "__main__":
    sys.exit(main())
