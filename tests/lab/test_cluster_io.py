"""hamond's cluster modules (hamon/cluster/) on three real corosyncs: every way in which corosync comes and goes.

The program is cluster_probe, those modules and nothing else; HAMON_BUILDDIR says where it was built.
"""
import itertools
import json
import os
import shutil
import signal

import pytest

from lab import Lab
from spaces import LabError, wait_until

pytestmark = pytest.mark.xdist_group("test_cluster_io")

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(os.environ.get("HAMON_BUILDDIR", TOP), "tests/lab/cluster_probe")
FOLDER = "/var/lib/probe"
ENOTCONN, E2BIG = -107, -7
tokens = itertools.count(1)
seeds = itertools.count(1000, 1000)


class Probe:
    """One cluster_probe on one host."""

    def __init__(self, host, name="probe"):
        self.host, self.name = host, name
        self.log = "%s/%s.log" % (FOLDER, name)
        self.fifo = "%s/%s.fifo" % (FOLDER, name)
        self.mark = 0

    def start(self):
        os.makedirs(self.host.path(FOLDER), exist_ok=True)
        shutil.copy(PROGRAM, self.host.path(FOLDER + "/" + self.name))
        if not os.path.exists(self.host.path(self.fifo)):
            os.mkfifo(self.host.path(self.fifo))
        self.mark = len(self.events())
        self.host.spawn([FOLDER + "/" + self.name, "hamon-test", self.fifo], self.log)
        self.pid = self.wait("started")["pid"]
        return self

    def events(self):
        try:
            lines = self.host.read(self.log).split("\n")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[:-1]]

    def command(self, text):
        fd = os.open(self.host.path(self.fifo), os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(fd, (text + "\n").encode())
        finally:
            os.close(fd)

    def here(self):
        """From here on: what wait() looks at."""
        self.mark = len(self.events())

    def since(self, event):
        return [found for found in self.events()[self.mark:] if found["event"] == event]

    def wait(self, event, **fields):
        """The first event since here() with these fields; a callable is asked."""
        def fits(found):
            return all(value(found[key]) if callable(value) else found[key] == value for key, value in fields.items())

        return wait_until("%s of %s says %s %s" % (self.name, self.host.name, event, fields),
                          lambda: next(filter(fits, self.since(event)), None),
                          seen=lambda: self.events()[self.mark:][-20:])

    def status(self):
        token = str(next(tokens))
        self.command("status " + token)
        return self.wait("status", token=token)

    def send(self, size, count=1):
        seed = next(seeds)
        self.command("send %d %d %d" % (size, seed, count))
        return seed

    def last(self, event):
        found = [one for one in self.events() if one["event"] == event]
        return found[-1] if found else None

    def links(self):
        """(nodeid, link) -> connected, as it was told last since corosync came up."""
        told = {}
        for one in self.events():
            if one["event"] in ("cmap-down", "started"):
                told = {}
            elif one["event"] == "link":
                told[one["nodeid"], one["link"]] = one["connected"]
        return told

    def nodeids(self):
        """Who is in the group and who in the membership, as this one was told last."""
        members, quorum = self.last("members"), self.last("quorum")
        return (sorted(member["nodeid"] for member in members["members"]) if members else [],
                quorum["nodes"] if quorum else [])


def settled(probes, nodes):
    """Wait until all of them see these nodes, quorate, in one and the same ring of both services."""
    def seen():
        return [(probe.nodeids(), (probe.last("quorum") or {}).get("quorate"), (probe.last("quorum") or {}).get("ring"),
                 (probe.last("ring") or {}).get("ring")) for probe in probes]

    def same():
        now = seen()
        rings = {ring for state in now for ring in state[2:]}
        return all(state[:2] == ((nodes, nodes), True) for state in now) and len(rings) == 1

    wait_until("all see %s" % nodes, same, seen=seen)


def linked(probes):
    """Wait until all of them see both links to both others."""
    for probe in probes:
        others = dict.fromkeys([(n, link) for n in (1, 2, 3) if n != probe.host.number for link in (0, 1)], True)
        wait_until("%s sees all links up" % probe.host.name, lambda: probe.links() == others, seen=probe.links)


def heard(probes, seed, size, sender, count=1):
    """Wait until all have these messages, whole and in order."""
    for probe in probes:
        wait_until("%s has %d messages from %d" % (probe.host.name, count, seed),
                   lambda: len([one for one in probe.since("message") if seed <= one["seed"] < seed + count]) == count,
                   seen=lambda: (probe.last("status"), probe.last("message")))
        got = [one for one in probe.since("message") if seed <= one["seed"] < seed + count]
        assert [one["seed"] for one in got] == list(range(seed, seed + count))
        assert all(one["intact"] and one["size"] == size and one["nodeid"] == sender for one in got)


@pytest.fixture(scope="module")
def lab():
    if not os.path.exists(PROGRAM):
        raise LabError("%s is not built: run make check_PROGRAMS, and set HAMON_BUILDDIR" % PROGRAM)
    with Lab(3, services=["corosync"], corosync={"token": 500}, wait=3600, what="test_cluster_io") as one:
        one.up(boot=False)
        one.each(lambda host: host.boot(services=[]))
        one.probes = []
        yield one


@pytest.fixture
def probes(lab):
    """Three hosts with corosync and a probe each, settled; whatever the test before left."""
    for host in lab.hosts:
        host.join()
        if not host.alive():
            host.boot(services=[])
        host.thaw("corosync")
        if not host.pids("corosync"):
            host.start("corosync")
        if not host.pids("probe"):
            lab.probes = [probe for probe in lab.probes if probe.host is not host] + [Probe(host).start()]
    lab.probes.sort(key=lambda probe: probe.host.number)
    settled(lab.probes, [1, 2, 3])
    linked(lab.probes)
    for probe in lab.probes:
        probe.here()
    return lab.probes


def test_corosync_absent_at_start(lab):
    lab.probes = [Probe(host).start() for host in lab.hosts]
    for probe in lab.probes:
        assert probe.status()["up"] is False
        probe.send(10)
        assert probe.wait("sent")["rc"] == ENOTCONN
        assert not probe.since("down") and not probe.since("quorum-down") and not probe.since("cmap-down")
    lab.each(lambda host: host.start("corosync"))
    settled(lab.probes, [1, 2, 3])
    for probe in lab.probes:
        names = [one["event"] for one in probe.events() if one["event"] in ("up", "members", "message")]
        assert names[:2] == ["up", "members"]
        assert probe.last("up")["nodeid"] == probe.host.number


def test_configuration(probes):
    for probe in probes:
        config = probe.last("config")
        assert config["name"] == "lab" and config["crypto"] and config["votequorum"]
        assert config["local_nodeid"] == probe.host.number
        assert (config["token_ms"], config["consensus_ms"]) == (500, 600)
        assert not config["two_node"] and not config["wait_for_all"]
        assert config["nodes"] == [{"nodeid": n, "name": "h%d" % n, "votes": 1, "links": 2} for n in (1, 2, 3)]


def test_one_link_cut(probes):
    probes[2].host.cut([1])
    probes[0].wait("link", nodeid=3, link=1, connected=False)
    probes[2].wait("link", nodeid=1, link=1, connected=False)
    probes[2].wait("link", nodeid=2, link=1, connected=False)
    assert not probes[0].since("quorum")
    assert {(one["nodeid"], one["link"]) for one in probes[0].since("link")} == {(3, 1)}
    probes[2].host.join([1])
    probes[0].wait("link", nodeid=3, link=1, connected=True)


def test_configuration_reload(lab, probes):
    """A name and a vote change in a running cluster."""
    path = "/etc/corosync/corosync.conf"
    old = probes[0].host.read(path)
    for host in lab.hosts:
        host.write(path, old.replace("name: h3\n", "name: h3\n\t\tquorum_votes: 2\n").replace("name: h2\n", "name: h two\n"))
    probes[0].host.run(["corosync-cfgtool", "-R"])
    told = probes[0].wait("config", nodes=lambda nodes: nodes[2]["votes"] == 2)
    assert [node["name"] for node in told["nodes"]] == ["h1", "node2", "h3"]
    probes[0].wait("note", text=lambda text: "the name of node 2 is not made of" in text)
    for host in lab.hosts:
        host.write(path, old)
    probes[0].here()
    probes[0].host.run(["corosync-cfgtool", "-R"])
    told = probes[0].wait("config", nodes=lambda nodes: nodes[1]["name"] == "h2")
    assert told["nodes"][2]["votes"] == 1


@pytest.mark.parametrize("size", [1, 32 * 1024, 32 * 1024 + 1, 500_000, 8 * 1024 * 1024])
def test_message_on_all(probes, size):
    seed = probes[0].send(size)
    if size < 4:  # too short to carry its seed
        for probe in probes:
            assert probe.wait("message")["size"] == size
    else:
        heard(probes, seed, size, 1)


@pytest.mark.scenario(40)
def test_message_too_big(probes):
    probes[0].send(8 * 1024 * 1024 + 1)
    assert probes[0].wait("sent")["rc"] == E2BIG


def test_all_send_at_once(probes):
    """One order for all, whatever is in the middle of what."""
    firsts = [probe.send(100_000, 100) for probe in probes]
    for probe, seed in zip(probes, firsts):
        heard(probes, seed, 100_000, probe.host.number, 100)
    orders = [[one["seed"] for one in probe.since("message")] for probe in probes]
    assert orders[0] == orders[1] == orders[2]
    assert orders[0] != sorted(orders[0])
    wait_until("nothing is left", lambda: all(probe.status()["unsent"] == 0 for probe in probes))


def test_two_processes_of_one_host(probes):
    second = Probe(probes[0].host, "second").start()
    view = probes[1].wait("members", members=lambda members: len(members) == 4)
    assert {(one["nodeid"], one["pid"]) for one in view["joined"]} == {(1, second.pid)}
    seed = second.send(200_000)
    heard(probes + [second], seed, 200_000, 1)
    assert {one["pid"] for one in probes[1].since("message")} == {second.pid}
    second.command("quit")
    gone = probes[1].wait("members", left=lambda left: left != [])
    assert gone["left"] == [{"nodeid": 1, "pid": second.pid, "reason": "leave"}]
    second.wait("ended")


def test_leave_and_death_of_a_process(probes):
    for end, reason in ((lambda: probes[2].command("quit"), "leave"), (lambda: probes[2].host.kill("probe"), "procdown")):
        end()
        for probe in probes[:2]:
            gone = probe.wait("members", left=lambda left: left != [])
            assert gone["left"] == [{"nodeid": 3, "pid": probes[2].pid, "reason": reason}]
            assert not probe.since("quorum")  # its host is still a member
        wait_until("it is gone", lambda: not probes[2].host.pids("probe"))
        probes[2].start()
        settled(probes, [1, 2, 3])
        for probe in probes:
            probe.here()


@pytest.mark.scenario(40)
def test_garbage_in_the_group(probes):
    probes[0].host.run([FOLDER + "/probe", "--garbage", "hamon-test"])
    for probe in probes:
        probe.wait("note", text=lambda text: "dropped a message of node 1" in text)
        wait_until("all of it is refused", lambda: probe.status()["malformed"] >= 40, seen=probe.status)
    seed = probes[0].send(500_000)
    heard(probes, seed, 500_000, 1)
    assert all(len(probe.since("message")) == 1 for probe in probes)


def test_host_dies(probes):
    pid = probes[2].pid
    seed = probes[2].send(8 * 1024 * 1024, 3)  # in the middle of a message
    probes[0].wait("message", seed=seed)
    probes[2].host.power_off()
    for probe in probes[:2]:
        told = probe.wait("quorum")
        assert (told["quorate"], told["nodes"], told["left"]) == (True, [1, 2], [3])
        gone = probe.wait("members", left=lambda left: left != [])
        assert gone["left"] == [{"nodeid": 3, "pid": pid, "reason": "nodedown"}]
    settled(probes[:2], [1, 2])
    for probe in probes[:2]:
        assert probe.wait("message", seed=lambda value: value >= seed)["intact"]
        probe.here()
    seed = probes[0].send(500_000)
    heard(probes[:2], seed, 500_000, 1)
    probes[2].host.boot()
    probes[2].start()
    settled(probes, [1, 2, 3])
    seed = probes[2].send(500_000)
    heard(probes, seed, 500_000, 3)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_corosync_restarts(probes, how):
    middle = probes[1]
    middle.send(8 * 1024 * 1024, 4)  # unsent messages must not survive
    middle.host.signal("corosync", how)
    for event in ("down", "quorum-down", "cmap-down"):
        middle.wait(event)
    wait_until("corosync is gone", lambda: not middle.host.pids("corosync"))
    assert middle.status()["up"] is False
    assert middle.status()["unsent"] == 0
    for probe in probes[::2]:
        told = probe.wait("quorum")
        assert (told["quorate"], told["nodes"], told["left"]) == (True, [1, 3], [2])
    settled(probes[::2], [1, 3])
    for probe in probes:
        probe.here()
    middle.host.start("corosync")
    middle.wait("up", nodeid=2)
    settled(probes, [1, 2, 3])
    assert middle.pid == middle.last("started")["pid"]
    assert [one["event"] for one in middle.events()[middle.mark:] if one["event"] in ("down", "quorum-down")] == []
    for probe in probes:
        seed = probe.send(500_000)
        heard(probes, seed, 500_000, probe.host.number)
    linked(probes)


def test_partition(probes):
    """The minority is told that it is one, and all find together again."""
    probes[0].host.cut()
    alone = probes[0].wait("quorum", quorate=False)
    assert alone["nodes"] == [1] and alone["left"] == [2, 3]
    gone = probes[0].wait("members", members=lambda members: [one["nodeid"] for one in members] == [1])
    assert {one["reason"] for one in gone["left"]} == {"nodedown"}
    for probe in probes[1:]:
        told = probe.wait("quorum")
        assert (told["quorate"], told["nodes"], told["left"]) == (True, [2, 3], [1])
    # The group works on both sides: quorum is for its users to ask.
    for side in (probes[:1], probes[1:]):
        seed = side[0].send(100_000)
        heard(side, seed, 100_000, side[0].host.number)
    for probe in probes:
        probe.here()
    probes[0].host.join()
    settled(probes, [1, 2, 3])
    assert not probes[0].since("down")
    seed = probes[0].send(500_000)
    heard(probes, seed, 500_000, 1)


def test_corosync_hangs(probes):
    """A corosync that is stopped does not stop its client, however much there is to say."""
    host = probes[0].host
    host.freeze("corosync")
    probes[0].send(200, 2000)
    assert probes[0].wait("sent")["count"] == 2000
    probes[0].send(1_000_000, 100)
    assert probes[0].wait("sent", rc=lambda rc: rc != 0)["rc"] == -11
    for probe in probes[1:]:
        assert probe.wait("quorum")["nodes"] == [2, 3]
    assert probes[0].status()["unsent"] > 0
    host.thaw("corosync")
    settled(probes, [1, 2, 3])
    wait_until("all is sent", lambda: probes[0].status()["unsent"] == 0, seen=probes[0].status)
    seed = probes[0].send(500_000)
    heard(probes, seed, 500_000, 1)


def test_idle_costs_nothing(probes):
    """No retry, no timer, no descriptor that spins."""
    def ticks(probe):
        with open("/proc/%d/stat" % probe.host.pids("probe")[0]) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def wakes(probe):
        with open("/proc/%d/status" % probe.host.pids("probe")[0]) as status:
            return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)

    before = [(ticks(probe), wakes(probe)) for probe in probes]
    probes[0].host.run(["sleep", "5"])
    after = [(ticks(probe), wakes(probe)) for probe in probes]
    print("ticks and wake-ups in 5 s:", [(b[0] - a[0], b[1] - a[1]) for a, b in zip(before, after)])
    assert all(b[0] - a[0] <= 2 and b[1] - a[1] <= 500 for a, b in zip(before, after))
