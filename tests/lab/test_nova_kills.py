"""hamon's processes die at each step of an incident with a real Nova: every server runs once, and no service stays forced down for ever."""
import time

import pytest
from cluster import LONG
from host import FAULT_POINT
from spaces import LabError
from test_nova import HAMON, add, cloud, pytestmark, service  # noqa: F401: the fixture and the marks

assert cloud and pytestmark
KILLED = pytest.mark.lab(fault_points=True, hamon=dict(HAMON, evacuation={"retry_delay": "1s"}))

# Of the target's helper, in the order of a start: Nova's word is read; the dead host's service is forced down, and marked by the same
# request; the server is locked; Nova is asked, has been asked; libvirt runs it; the server is unlocked.
HELPER = ["helper-server a1", "helper-forced-down a1", "helper-locked a1", "helper-evacuate a1", "helper-posted a1",
          "helper-started a1", "helper-unlocked a1"]

# Of hamond, before and after each record of an incident, each fencing and each start.
FIRST = ["write host-lost", "send fence-intent", "fence h1", "send fence-confirmed", "start a1", "send instance-running",
         "send incident-closed"]
SECOND = ["written host-lost", "sent fence-intent", "fenced h1", "written fence-confirmed", "begun a1", "started a1",
          "sent instance-running", "sent incident-closed"]


def named(points, guest):
    return [point.replace("a1", guest.name) for point in points]


def left(hosts):
    """The points that a host has not passed."""
    return {host.name: [line[len("kill "):] for line in host.read(FAULT_POINT).splitlines()] if host.armed() else [] for host in hosts}


def incident(cluster, points, guest):
    """h1 dies, and on each other host whoever passes one of these points, once for each; hamond is started again as by its unit.
    Until the incident is over; returns which points were passed, and on how many hosts."""
    hosts = [host for host in cluster.lab.alive_hosts() if host.name != "h1"]
    before = (cluster.incident("h1") or {"epoch": 0})["epoch"]
    points = named(points, guest)
    for host in hosts:
        host.arm("\n".join("kill " + point for point in points))
    cluster.host("h1").power_off()
    end = time.monotonic() + 2 * LONG
    while not is_over(cluster, "h1", before):
        for host in hosts:
            if not host.pids("hamond"):
                host.start("hamond")
        assert time.monotonic() < end, "it does not end: %s\n%s" % (left(hosts), cluster.report())
        time.sleep(0.2)
    remaining = left(hosts)
    for host in hosts:
        host.arm("kill never here")
    time.sleep(1)  # who was about to die of it is dead now
    for host in hosts:
        if not host.pids("hamond"):
            host.start("hamond")
    passed = {point: sum(point not in remaining[host.name] for host in hosts) for point in points}
    print(passed)
    return passed


def is_over(cluster, host, before):
    """An incident of that host, later than the epoch before, is closed."""
    try:
        told = cluster.incident(host)
    except (LabError, ValueError):
        return False
    return bool(told) and told["epoch"] > before and told["state"] == "closed"


def ends_well(cluster, cloud, *moved):  # noqa: F811
    """Each of these runs in one host by everybody's word, started once more; nothing of it is left in Nova."""
    nova = cloud.nova
    cluster.wait_closed("h1")
    cluster.expect("moved", *[guest.name for guest in moved])
    cluster.wait_running(*[guest.name for guest in moved], on=("h2", "h3"))
    for guest in moved:
        (host,) = guest.hosts()
        cluster.wait("Nova says so", lambda: nova.state(guest.uuid) == ("ACTIVE", None, host))
        assert not nova.server(guest.uuid)["locked"]
    assert service(cloud, "h1") == ("disabled", True, "hamon: evacuated")
    assert service(cloud, "h2") == service(cloud, "h3") == ("enabled", False, None)


def returns(cluster, cloud, **point):  # noqa: F811
    if point:
        cluster.host("h1").arm("kill %s h1" % point["at"])
    cluster.host("h1").boot()
    cluster.wait_settled()
    cluster.wait("h1 takes servers again, says Nova", lambda: service(cloud, "h1") == ("enabled", False, None), LONG)
    cloud.wait_computes()
    assert not point or not cluster.host("h1").armed()


@pytest.mark.scenario(26, 38)
@KILLED
def test_targets_helper_dies_at_each_step(cluster, cloud):  # noqa: F811
    (a1,) = add(cluster, a1="h1")
    passed = incident(cluster, HELPER, a1)
    assert all(passed.values()), passed
    # A host that gave it back although it ran, for its helper had died too often, has ended it before another one started it.
    a1.boots = a1.read().boots - 1
    ends_well(cluster, cloud, a1)
    returns(cluster, cloud, at="helper-forced-up")


@pytest.mark.scenario(24, 25, 26)
@KILLED
def test_coordinator_dies_at_each_step(cluster, cloud):  # noqa: F811
    """Two incidents: in the first they die before each record, in the second after it."""
    (b1,) = add(cluster, b1="h2")
    for number, points in enumerate((FIRST, SECOND)):
        home = add(cluster, **{"a%d" % number: "h1", "c%d" % number: "h1"})
        passed = incident(cluster, points, home[0])
        # What is recorded before its coordinator dies the next one does not decide again.
        assert sum(map(bool, passed.values())) >= len(points) - 1, passed
        ends_well(cluster, cloud, *home)
        assert cloud.nova.migrations(b1.uuid) == [] and b1.hosts() == ["h2"]
        cluster.wait_settled()
        cluster.wait_known(*[guest.name for guest in home + [b1]])
        returns(cluster, cloud)
