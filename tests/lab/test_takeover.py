"""The coordinator dies, or stands still, at each step of an incident; another goes on, and each guest starts once."""
import bmc
import pytest

FIVE = pytest.mark.lab(hosts=5, fault_points=True, hamon={"cluster": {"max_failed_hosts": 2}})
THREE = pytest.mark.lab(fault_points=True)
LATER = pytest.mark.long

# Steps of an incident, in their order: the loss and the intent are recorded, the agent is called and answers, the
# certificate and the assignments are recorded, guests run, the incident closes.
BEFORE_FENCING = ["write host-lost", "sent fence-intent", "written fence-intent", "fence VICTIM"]
AFTER_FENCING = ["fenced VICTIM", "send fence-confirmed", "sent fence-confirmed", "written fence-confirmed"]
AMONG_STARTS = ["sent instance-running", "written instance-running", "sent incident-closed"]


def steps(points, first):
    """The one that always runs, and the others with --long."""
    return pytest.mark.parametrize("point", [pytest.param(point, marks=[] if point == first else [LATER]) for point in points])


def offs(cluster, host):
    return [name for _, name, what in bmc.power_log(cluster.lab) if (name, what) == (host, "off")]


def incident(cluster, action, point):
    """The victim dies, the coordinator's hamond passes the point; returns who was the coordinator, and who the victim."""
    coordinator = cluster.coordinator()
    victim = "h5" if coordinator != "h5" else "h4"
    if len(cluster.lab.hosts) == 3:
        victim = "h3" if coordinator != "h3" else "h2"
    for name in ("a1", "a2", "a3"):
        cluster.file_guest(name, victim)
    cluster.file_guest("b1", coordinator)
    cluster.wait_known()
    cluster.host(coordinator).arm("%s %s" % (action, point.replace("VICTIM", victim)))
    cluster.host(victim).cut()  # its guests run on: whatever starts too early meets them
    cluster.wait("the coordinator has passed the point", lambda: not cluster.host(coordinator).armed())
    return coordinator, victim


def ends_well(cluster, victim):
    cluster.expect("moved", "a1", "a2", "a3")
    cluster.wait_running("a1", "a2", "a3")
    cluster.wait_closed(victim)
    assert not cluster.host(victim).alive() and len(offs(cluster, victim)) in (1, 2)
    assert {name for _, name, what in bmc.power_log(cluster.lab) if what == "off"} == {victim}


def dies_and_another_takes_over(cluster, point):
    coordinator, victim = incident(cluster, "kill", point)
    other = next(host.name for host in cluster.lab.alive_hosts() if host.name not in (coordinator, victim))
    cluster.wait("another coordinates", lambda: cluster.coordinator(other) not in (coordinator, victim, None))
    assert cluster.host_status(coordinator, other)["state"] == "admitted", "a daemon's death is no host's"
    cluster.host(coordinator).start_hamond()  # a guest that was given to it is known to run only once it can say so
    ends_well(cluster, victim)
    cluster.wait_settled()
    cluster.wait_known()


@pytest.mark.scenario(24)
@FIVE
@steps(BEFORE_FENCING, "written fence-intent")
def test_coordinator_dies_before_the_fencing(cluster, point):
    dies_and_another_takes_over(cluster, point)


@pytest.mark.scenario(25)
@FIVE
@steps(AFTER_FENCING, "fenced VICTIM")
def test_coordinator_dies_after_the_fencing(cluster, point):
    dies_and_another_takes_over(cluster, point)


@pytest.mark.scenario(26)
@FIVE
@steps(AMONG_STARTS, "sent instance-running")
def test_coordinator_dies_among_the_starts(cluster, point):
    dies_and_another_takes_over(cluster, point)


@pytest.mark.scenario(24, 25, 26)
@THREE
@steps(BEFORE_FENCING + AFTER_FENCING + AMONG_STARTS, "sent fence-confirmed")
def test_coordinator_dies_and_is_restarted(cluster, point):
    """Of three: without it there is no majority, so all waits for the service manager to start it again."""
    coordinator, victim = incident(cluster, "kill", point)
    cluster.wait("it is dead", lambda: not cluster.host(coordinator).pids("hamond"))
    cluster.host(coordinator).start_hamond()
    ends_well(cluster, victim)
    cluster.wait_settled()


@pytest.mark.scenario(27)
@pytest.mark.long
@FIVE
@steps(["fence VICTIM", "fenced VICTIM", "send fence-confirmed", "sent fence-confirmed"], "fenced VICTIM")
def test_coordinator_stands_still_and_wakes_after_it_was_replaced(cluster, point):
    coordinator, victim = incident(cluster, "stop", point)
    other = next(host.name for host in cluster.lab.alive_hosts() if host.name not in (coordinator, victim))
    cluster.wait("another coordinates", lambda: cluster.coordinator(other) not in (coordinator, victim, None))
    term = cluster.status(other)["cluster"]["term"]
    cluster.expect("moved", "a1", "a2", "a3")
    cluster.wait_running("a1", "a2", "a3")
    cluster.host(coordinator).thaw("hamond")
    cluster.wait("the old coordinator follows", lambda: cluster.status(coordinator)["cluster"]["term"] >= term and
                 cluster.status(coordinator)["cluster"]["coordinator"] != coordinator)
    cluster.wait_settled()
    assert set(name for _, name, what in bmc.power_log(cluster.lab) if what == "off") == {victim}


@pytest.mark.scenario(26, 38)
@FIVE
@pytest.mark.parametrize("point", ["start a1", pytest.param("begun a1", marks=LATER), pytest.param("started a1", marks=LATER)])
def test_targets_hamond_dies_at_each_step_of_a_start(cluster, point):
    """Wherever a1 is started: that hamond dies just before, or once libvirt runs it, or with the answer in its hands."""
    coordinator = cluster.coordinator()
    victim = "h5" if coordinator != "h5" else "h4"
    cluster.file_guest("a1", victim)
    cluster.file_guest("b1", coordinator)
    cluster.wait_known()
    for host in cluster.lab.hosts:
        host.arm("kill " + point)
    cluster.host(victim).power_off()
    alive = cluster.lab.alive_hosts()
    target = cluster.wait("the target's hamond has passed the point", lambda: next(
        (host for host in alive if not host.armed()), None))
    cluster.wait("it is dead", lambda: not target.pids("hamond"))
    for host in alive:
        if host is not target:
            host.arm("kill never here")
    target.start_hamond()
    cluster.expect("moved", "a1")
    cluster.wait_running("a1")
    cluster.wait_closed(victim)
    cluster.wait_settled()
