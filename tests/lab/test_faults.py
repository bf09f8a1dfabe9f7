"""Faults one by one, as scenarios.py numbers them: of the network, the machine, its people, and migration."""
import os
import shutil
import threading
import time

import bmc
import pytest
import spaces
import test_cluster_io
from cluster import LONG
from faults import FAILS_SOON, RETRIES, moves_from_h1, offs, quiet, stay
from spaces import LabError


# --- corosync, the processor, the network ---


@pytest.mark.scenario(4)
@pytest.mark.lab(hamon={"host h1": {"fence_delay": "30s"}})
def test_corosync_killed_and_back_within_the_grace(cluster):
    stay(cluster)
    cluster.host("h1").kill("corosync")
    cluster.wait("h1 is seen as lost", lambda: cluster.host_status("h1", "h2")["state"] == "lost")
    cluster.host("h1").start_corosync()
    cluster.wait_settled()
    cluster.wait_known()
    assert offs(cluster) == []


@pytest.mark.scenario(5)
@pytest.mark.lab(corosync={"token": 4000})
def test_corosync_stopped_for_a_while_and_for_too_long(cluster):
    stay(cluster)
    cluster.host("h1").freeze("corosync")
    quiet(cluster, 1.5)
    cluster.host("h1").thaw("corosync")
    quiet(cluster, 3)
    assert cluster.incidents() == [] and cluster.host_status("h1")["state"] == "admitted"
    cluster.host("h1").freeze("corosync")
    moves_from_h1(cluster)
    assert not cluster.host("h1").alive()


@pytest.mark.scenario(7)
@pytest.mark.alone
def test_starved_of_cpu(cluster):
    """Sixteen busy loops, far more than the machine has processors, on the coordinator's host."""
    stay(cluster)
    host = cluster.host(cluster.coordinator())
    for _ in range(16):
        host.spawn(["timeout", "8", "sh", "-c", "while :; do :; done"])
    quiet(cluster, 9)
    cluster.wait_settled()
    cluster.wait_known()
    assert offs(cluster) == [] and cluster.incidents() == []


def drop(host, source):
    """host hears nothing any more from source, on either of the cluster's networks."""
    host.run("nft add table inet lab; nft 'add chain inet lab in { type filter hook input priority 0; }'; "
             "nft add rule inet lab in ip saddr { 10.77.0.%d, 10.77.1.%d } drop" % (source.number, source.number))


@pytest.mark.scenario(13)
@pytest.mark.lab(hamon={"cluster": {"max_failed_hosts": 2}})
def test_one_host_does_not_hear_another(cluster):
    """h2 does not hear h1; h3 hears and is heard by both. One of the two may have to go; never h3, and never both."""
    for number in range(1, 4):
        cluster.file_guest("g%d" % number, "h%d" % number)
    cluster.wait_known()
    drop(cluster.host("h2"), cluster.host("h1"))
    # h3's corosync may form every ring anew with both before anyone can ask; then one of the two sees it.
    cluster.wait("corosync has noticed", lambda: any(
        not entry["member"] for name in ("h3", "h2", "h1") if cluster.host(name).alive()
        for entry in cluster.status(name)["hosts"]))
    quiet_until = time.monotonic() + 20
    while time.monotonic() < quiet_until and not offs(cluster):
        time.sleep(0.2)
    if cluster.host("h2").alive():
        cluster.host("h2").run(["nft", "delete", "table", "inet", "lab"])
    cluster.wait_settled()
    gone = set(offs(cluster))
    assert gone < {"h1", "h2"} and cluster.host("h3").alive()
    for name, guest in cluster.guests.items():
        if "h" + name[1:] in gone:
            cluster.wait_closed("h" + name[1:])
            cluster.expect("moved", name)
    cluster.wait_running(*cluster.guests)


@pytest.mark.scenario(33)
@pytest.mark.lab(hamon=RETRIES)
@pytest.mark.long
def test_host_that_flaps(cluster):
    """It comes and goes while its fencing fails: its guests run on there, and when it stays, all is as before."""
    stay(cluster)
    bmc.stop(cluster.lab, cluster.host("h1"))
    for _ in range(4):
        cluster.host("h1").cut()
        cluster.wait("h1 is gone", lambda: not cluster.host_status("h1", "h2")["member"])
        cluster.host("h1").join()
        cluster.wait("h1 is back", lambda: cluster.host_status("h1", "h2")["member"])
    cluster.wait_settled()
    bmc.start(cluster.lab, [cluster.host("h1")])
    cluster.wait_known()
    assert cluster.host("h1").alive()
    assert len({entry["id"] for entry in cluster.incidents() if entry["host"] == "h1"}) <= 4
    quiet(cluster, 5)


@pytest.mark.scenario(27)
@pytest.mark.lab(hamon={"fence-device ipmi%d" % n: FAILS_SOON for n in (1, 2, 3)})
@pytest.mark.long
def test_whole_host_frozen_and_thawed(cluster):
    """The coordinator's host stands still with all it runs, wakes as if nothing had happened, and is heard by nobody as
    what it was. Meanwhile its BMC does not answer, so nothing of it was started."""
    coordinator = cluster.coordinator()
    other = next(name for name in ("h1", "h2", "h3") if name != coordinator)
    stay(cluster, coordinator, other)
    bmc.stop(cluster.lab, cluster.host(coordinator))
    stopped = cluster.host(coordinator).freeze_whole()
    cluster.wait("another coordinates", lambda: cluster.coordinator(other) not in (coordinator, None))
    cluster.wait("it cannot be fenced", lambda: cluster.records(coordinator, "fence-failed", other), LONG)
    term = cluster.status(other)["cluster"]["term"]
    cluster.host(coordinator).thaw_whole(stopped)
    cluster.wait_settled()
    assert cluster.status(coordinator)["cluster"]["term"] >= term
    bmc.start(cluster.lab, [cluster.host(coordinator)])
    cluster.wait_known()
    assert offs(cluster) == []


@pytest.mark.scenario(27)
def test_whole_host_frozen_is_fenced(cluster):
    stay(cluster)
    cluster.host("h1").freeze_whole()
    moves_from_h1(cluster)
    assert not cluster.host("h1").alive() and offs(cluster) == ["h1"]


# --- people, and who is none ---


def stays_ended(cluster, name, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert cluster.guests[name].hosts() == [], "%s was started again" % name
        time.sleep(0.1)


@pytest.mark.scenario(41)
@pytest.mark.lab(hamon={"evacuation": {"parallel_starts": "1", "verify": "3s"}})
def test_guest_is_stopped_in_the_middle_of_an_incident(cluster):
    """Recovered, and then ended by a person while the others of its host are still on their way: it stays ended."""
    names = ["a%d" % number for number in range(1, 6)]
    for name in names:
        cluster.file_guest(name, "h1")
    cluster.wait_known()
    cluster.host("h1").power_off()
    running = lambda: [record["instance"] for record in cluster.records("h1", "instance-running", "h2")]
    first = cluster.wait("the first of them runs again", running, LONG)[0]
    cluster.host(cluster.guests[first].hosts()[0]).virsh("destroy", first)
    assert len(running()) < len(names), "too late to be in the middle"
    cluster.wait("hamon takes it for a wish", lambda: cluster.instance(first, "h2")["wish"] == "stopped")
    cluster.wait_closed("h1")
    stays_ended(cluster, first, 5)
    cluster.expect("moved", *names)
    cluster.expect("absent", first)
    cluster.wait_running(*[name for name in names if name != first])


@pytest.mark.scenario(41)
@pytest.mark.lab(hamon={"evacuation": {"verify": "5s"}})
def test_guest_is_stopped_while_its_start_is_verified(cluster):
    stay(cluster)
    cluster.host("h1").power_off()
    guest = cluster.guests["a1"]
    target = cluster.wait("a1 starts elsewhere", lambda: next(iter(guest.hosts()), None), LONG, 0.02)
    cluster.wait("libvirt has it", lambda: cluster.host(target).virsh("domstate", "a1", check=False).stdout.strip() == "running",
                 every=0.02)
    cluster.host(target).virsh("destroy", "a1")
    cluster.wait("it has ended", lambda: guest.hosts() == [], every=0.02)
    cluster.expect("absent", "a1")
    stays_ended(cluster, "a1", 12)


@pytest.mark.scenario(41)
@pytest.mark.lab(hamon=RETRIES)
@pytest.mark.long
def test_maintenance_in_the_middle_of_an_incident(cluster):
    stay(cluster)
    bmc.stop(cluster.lab, cluster.host("h1"))
    cluster.host("h1").cut()
    cluster.wait("an attempt has failed", lambda: cluster.records("h1", "fence-failed", "h2"), LONG)
    cluster.host("h2").run(["hamonctl", "maintenance", "h1", "on"])
    bmc.start(cluster.lab, [cluster.host("h1")])
    cluster.wait("h1 is in maintenance", lambda: cluster.host_status("h1", "h2")["maintenance"])
    cluster.wait("that is why nothing more is done", lambda: "maintenance" in (cluster.host_status("h1", "h2")["reason"] or ""))
    quiet(cluster, 10)  # the next attempt was due long ago, and would succeed
    assert cluster.host("h1").alive() and cluster.guests["a1"].hosts() == ["h1"]
    cluster.host("h1").join()
    cluster.wait("h1 is back", lambda: cluster.host_status("h1", "h2")["member"])
    cluster.host("h2").run(["hamonctl", "maintenance", "h1", "off"])
    cluster.wait_settled()
    cluster.wait_known()
    assert offs(cluster) == []


@pytest.mark.scenario(40)
@pytest.mark.long
def test_garbage_among_the_daemons(cluster):
    """A process of h1 joins hamon's own group: torn frames, whole frames without sense, and the same through the control
    socket. Nothing changes, and the recovery goes on through it."""
    stay(cluster)
    host = cluster.host("h2")
    before = cluster.status()["cluster"]
    probe = test_cluster_io.Probe(host)
    os.makedirs(host.path(test_cluster_io.FOLDER), exist_ok=True)
    shutil.copy(test_cluster_io.PROGRAM, host.path(test_cluster_io.FOLDER + "/probe"))
    host.run([test_cluster_io.FOLDER + "/probe", "--garbage", "hamon"])
    os.mkfifo(host.path(probe.fifo))
    host.spawn([test_cluster_io.FOLDER + "/probe", "hamon", probe.fifo], probe.log)
    probe.wait("started")
    probe.wait("members")
    probe.send(5_000_000, 3)
    probe.send(1000, 100)
    refused = lambda: [line for line in cluster.host("h3").log("/var/log/hamond.log", 500).splitlines() if "refused" in line]
    cluster.wait("the frames without sense are refused", lambda: len(refused()) >= 50)
    big = host.run(["hamonctl", "explain", "x" * 100_000], check=False)
    assert big.returncode != 0
    after = cluster.status()["cluster"]
    assert (after["coordinator"], after["term"]) == (before["coordinator"], before["term"])
    assert cluster.incidents() == [] and offs(cluster) == []
    cluster.host("h1").power_off()
    probe.send(1000, 200)
    moves_from_h1(cluster)
    for one in cluster.lab.alive_hosts():
        pid = one.pids("hamond")[0]
        with open("/proc/%d/status" % pid) as text:
            rss = int(next(line for line in text if line.startswith("VmRSS")).split()[1])
        assert rss < 200 * 1024, "%s: %d KiB" % (one.name, rss)


# --- migration, two hosts ---


def migrate(cluster, name, source, target):
    """As an operator does it; what virsh said. Two QEMUs of one guest are in its nature."""
    cluster.lab.referee.allow(cluster.guests[name].uuid)
    return cluster.host(source).virsh("migrate", "--live", "--unsafe", "--p2p", "--persistent", "--undefinesource", name,
                                      "qemu+tcp://%s/system" % cluster.host(target).address, check=False, timeout=90)


def test_live_migration(cluster):
    """A protected guest moves while it runs; hamon follows, there and back, and recovers it where it went."""
    guest = cluster.file_guest("a1", "h1")
    cluster.wait_known()
    for source, target in (("h1", "h2"), ("h2", "h3"), ("h3", "h1")):
        done = migrate(cluster, "a1", source, target)
        assert done.returncode == 0, done.stderr
        cluster.wait("hamon has followed it to %s" % target, lambda: cluster.instance("a1")["host"] == target)
        cluster.wait_known()
    # What was granted to the migration is granted once: a start by hand elsewhere is refused as ever.
    refused = guest.create(cluster.host("h2"))
    assert refused.returncode != 0 and "hamon" in refused.stderr
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))
    cluster.cold = True  # the referee sees its migrations as starts elsewhere without a proof


@pytest.mark.scenario(36)
@pytest.mark.parametrize("dies", ["h1", pytest.param("h2", marks=pytest.mark.long)])
def test_host_dies_while_a_guest_migrates(cluster, dies):
    """The source or the target, while both have a QEMU of it: its true owner is found, and it runs once."""
    guest = cluster.file_guest("a1", "h1", allow="h1 h2 h3")
    cluster.file_guest("b1", "h1")
    cluster.file_guest("b2", "h2")
    cluster.wait_known()
    moves = threading.Thread(target=lambda: _ignore(lambda: migrate(cluster, "a1", "h1", "h2")))
    moves.start()
    spaces.wait_until("both have a QEMU of it", lambda: guest.hosts() == ["h1", "h2"], LONG, 0.005)
    cluster.host(dies).power_off()
    moves.join()
    cluster.wait_closed(dies)
    moved = "b1" if dies == "h1" else "b2"
    cluster.expect("moved", moved)
    cluster.wait_running(moved)
    cluster.wait("a1 runs on one host", lambda: len(guest.hosts()) == 1 and cluster.instance("a1")["state"] == "running" and
                 cluster.instance("a1")["host"] == guest.hosts()[0], LONG)
    guest.boots = guest.wait_beating().boots
    assert guest.boots in (1, 2)
    cluster.cold = True  # as above


def _ignore(action):
    try:
        action()
    except LabError:
        pass  # its host has died under it


@pytest.mark.scenario(15)
@pytest.mark.lab(hosts=2, boot=False, quorum={"two_node": 1, "wait_for_all": 0})
def test_two_hosts_without_a_safe_configuration(cluster):
    """two_node without wait_for_all: both halves could act. It is said, and nothing is done."""
    cluster.lab.each(lambda host: host.boot())
    cluster.wait("the daemons answer", lambda: all(cluster.status(name) for name in ("h1", "h2")))
    cluster.wait("it is said", lambda: all("wait_for_all" in str(cluster.status(name)) + cluster.host(name).log(
        "/var/log/hamond.log", 200) for name in ("h1", "h2")))
    cluster.host("h2").power_off()
    quiet(cluster, 8)
