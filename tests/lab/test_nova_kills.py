"""hamon's processes die at each step of an incident with a real Nova: every server runs once, and no service stays forced down for ever."""
import time

import pytest
from cluster import LONG
from test_nova import HAMON, add, cloud, pytestmark, service  # noqa: F401: the fixture and the marks
from spaces import LabError

assert cloud and pytestmark
KILLED = pytest.mark.lab(fault_points=True, hamon=dict(HAMON, evacuation={"retry_delay": "1s"}))

# Of the target's helper, in the order of a start: Nova's word is read; the dead host's service is forced down, and marked by the same
# request; the server is locked; Nova is asked, has been asked; libvirt runs it; the server is unlocked.
HELPER = ["helper-server", "helper-forced-down", "helper-locked", "helper-evacuate", "helper-posted", "helper-started",
          "helper-unlocked"]

# Of the coordinator, before and after each record of an incident that no other can stand for.
FIRST = ["write host-lost", "send fence-intent", "fence h1", "send fence-confirmed", "start NAME", "send instance-running",
         "send incident-closed"]
SECOND = ["written host-lost", "sent fence-intent", "fenced h1", "written fence-confirmed", "started NAME", "written instance-running",
          "sent incident-closed"]


def pass_point(cluster, point, over, timeout=LONG):
    """Until some host has passed it, and with it lost what was to die there; that host. None when it was over before."""
    hosts = cluster.lab.alive_hosts()
    for host in hosts:
        host.arm("kill " + point)
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        passed = next((host for host in hosts if not host.armed()), None)
        if passed or over():
            for host in hosts:
                host.arm("kill never here")
            return passed
        time.sleep(0.02)
    raise LabError("nobody passes %s\n%s" % (point, cluster.report()))


def is_over(cluster, host):
    def over():
        try:
            incident = cluster.incident(host)
        except (LabError, ValueError):
            return False
        return bool(incident) and incident["state"] == "closed"
    return over


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
    passed = []
    cluster.host("h1").power_off()
    for point in HELPER:
        host = pass_point(cluster, "%s %s" % (point, a1.name), is_over(cluster, "h1"))
        passed.append((point, host and host.name))
    print(passed)
    assert all(host for _, host in passed), passed
    ends_well(cluster, cloud, a1)
    returns(cluster, cloud, at="helper-forced-up")


@pytest.mark.scenario(24, 25, 26)
@KILLED
def test_coordinator_dies_at_each_step(cluster, cloud):  # noqa: F811
    """Two incidents: in the first it dies before each record, in the second after it."""
    (b1,) = add(cluster, b1="h2")
    for round, points in enumerate((FIRST, SECOND)):
        home = add(cluster, **{"a%d" % round: "h1", "c%d" % round: "h1"})
        passed = []
        cluster.host("h1").power_off()
        for point in points:
            host = pass_point(cluster, point.replace("NAME", home[0].name), is_over(cluster, "h1"))
            passed.append((point, host and host.name))
            if host:
                cluster.wait("it is dead", lambda: not host.pids("hamond"))
                host.start("hamond")
        print(passed)
        assert all(host for _, host in passed), passed
        ends_well(cluster, cloud, *home)
        assert cloud.nova.migrations(b1.uuid) == [] and b1.hosts() == ["h2"]
        cluster.wait_settled()
        cluster.wait_known()
        returns(cluster, cloud)
