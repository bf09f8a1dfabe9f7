"""A host is lost: it is proven dead, and its guests run again elsewhere, whoever else dies meanwhile."""
import json

import bmc
import pytest
from cluster import LONG

FIVE = pytest.mark.lab(hosts=5, hamon={"cluster": {"max_failed_hosts": 2}})
# fence_ipmilan gives a BMC up after 20 s; the tests need not wait for that
SHORT = {"option.shell_timeout": "3", "option.power_timeout": "6", "timeout": "15s"}


def three_guests(cluster, victim="h1", other="h2"):
    for name in ("a1", "a2"):
        cluster.file_guest(name, victim)
    cluster.file_guest("b1", other)
    cluster.wait_known()


def bmc_offs(cluster):
    return [host for _, host, what in bmc.power_log(cluster.lab) if what == "off"]


@pytest.mark.scenario(1, 37)
def test_host_loses_power(cluster):
    three_guests(cluster)
    cluster.local_guest("l1", "h1")
    cluster.wait_known()
    cluster.host("h1").power_off()
    incident = cluster.wait_closed("h1", held=1)
    cluster.expect("moved", "a1", "a2")
    cluster.expect("absent", "l1")
    cluster.wait_running("a1", "a2", on=("h2", "h3"))
    assert (incident["total"], incident["running"]) == (3, 2)
    local = cluster.instance("l1")
    assert local["phase"] == "held" and "local" in local["reason"]
    kinds = [record["kind"] for record in cluster.records("h1")]
    order = ["host-lost", "fence-intent", "fence-confirmed", "instance-assigned", "instance-running"]
    assert [kind for kind in order if kind in kinds] == order
    assert sorted(order, key=kinds.index) == order, kinds
    why = " ".join(cluster.explain("l1")["why"])
    assert "l1" in why and "local" in why
    # When it began is known on every host, and to a hamond that was started since.
    began = cluster.incident("h1", "h3")["wall"]
    assert began and cluster.incident("h1", "h2")["wall"]
    cluster.host("h3").stop("hamond")
    cluster.host("h3").start_hamond()
    cluster.host("h3").join()
    cluster.wait("h3 knows when it began", lambda: (cluster.incident("h1", "h3") or {}).get("wall") == began)


@pytest.mark.scenario(8)
def test_network_cut_from_a_host_that_goes_on_running(cluster):
    three_guests(cluster)
    cluster.host("h1").cut()
    cluster.wait_closed("h1")
    assert "h1" in bmc_offs(cluster) and not cluster.host("h1").alive()
    assert set(bmc_offs(cluster)) == {"h1"}
    cluster.expect("moved", "a1", "a2")
    cluster.wait_running("a1", "a2", on=("h2", "h3"))


def test_one_link_cut_is_no_failure(cluster):
    three_guests(cluster)
    cluster.host("h1").cut([1])
    cluster.wait("link 1 of h1 is down for corosync", lambda: cluster.host("h2").run(
        "corosync-cmapctl -m stats | grep -q 'node1.link1.connected.*= 0'", check=False).returncode == 0)
    assert cluster.incidents() == [] and bmc_offs(cluster) == []
    cluster.host("h1").join([1])


@pytest.mark.scenario(38)
@FIVE
def test_target_killed_while_guests_are_started_there(cluster):
    names = ["a%d" % number for number in range(1, 7)]
    for name in names:
        cluster.file_guest(name, "h5")
    cluster.wait_known()
    mark = len(cluster.lab.referee.starts)
    cluster.host("h5").power_off()
    # The first host on which a guest of h5 comes up dies at once, in the middle of the others' starts.
    first = cluster.wait("the first guest of h5 starts elsewhere", lambda: cluster.lab.referee.starts[mark:], every=0.01)
    target = first[0][2]
    cluster.host(target).power_off()
    cluster.wait_closed("h5")
    cluster.wait_closed(target)  # its own guests, those of h5 that had come up there
    alive = [host.name for host in cluster.lab.alive_hosts()]
    assert len(alive) == 3
    for name in names:
        # Those that had come up on the target before it died are started a second time elsewhere.
        guest = cluster.guests[name]
        cluster.wait("%s runs" % name, lambda: len(guest.hosts()) == 1 and guest.hosts()[0] in alive, LONG)
        guest.boots = guest.wait_beating().boots
        assert guest.boots in (2, 3)


@pytest.mark.scenario(25)
@FIVE
def test_coordinator_killed_between_fencing_and_start(cluster):
    coordinator = cluster.coordinator()
    victim = "h5" if coordinator != "h5" else "h4"
    for name in ("a1", "a2", "a3"):
        cluster.file_guest(name, victim)
    cluster.wait_known()
    for host in cluster.lab.hosts:
        host.write("/etc/hamon/alerts.d/10-keeps", "#!/bin/sh\n(cat; echo) >>/var/log/alerts-json\n", 0o755)
    # When the victim's BMC has switched it off, the coordinator dies before it can hear of it.
    bmc.trap(cluster.lab, cluster.host(victim), cluster.host(coordinator))
    cluster.host(victim).cut()
    cluster.wait_closed(victim)
    assert not cluster.host(victim).alive() and not cluster.host(coordinator).alive()
    assert cluster.coordinator() not in (victim, coordinator)
    cluster.expect("moved", "a1", "a2", "a3")
    cluster.wait_running("a1", "a2", "a3")
    assert cluster.host_status(coordinator)["state"] == "lost"  # it had no guests: nothing to prove or to move
    # Whether the dead one told its last records nobody knows: the next told them again.
    told = [json.loads(line) for line in cluster.host(cluster.coordinator()).read("/var/log/alerts-json").splitlines() if line]
    again = [record["kind"] for record in told if record.get("repeated")]
    assert "host-lost" in again and "fence-intent" in again, again
    assert len({record["id"] for record in told}) == len(told), told
    known = {record["id"]: record["kind"] for record in cluster.records(victim)}
    assert [known[record["id"]] for record in told if record["kind"] == "host-lost" and record["host"] == victim] == ["host-lost"]
    assert "instance-running" in [record["kind"] for record in told if not record.get("repeated")]


@pytest.mark.scenario(27)
@FIVE
def test_coordinators_hamond_frozen(cluster):
    coordinator = cluster.coordinator()
    victim = "h5" if coordinator != "h5" else "h4"
    three_guests(cluster, victim=victim, other=coordinator)
    cluster.host(coordinator).freeze("hamond")
    cluster.host(victim).power_off()
    other = next(host.name for host in cluster.lab.alive_hosts() if host.name != coordinator)
    cluster.expect("moved", "a1", "a2")
    cluster.wait_running("a1", "a2")
    taken = cluster.wait("another coordinates", lambda: cluster.coordinator(other) not in (coordinator, None) and
                         cluster.status(other)["cluster"])
    cluster.host(coordinator).thaw("hamond")
    cluster.wait("the old coordinator follows", lambda: cluster.status(coordinator)["cluster"]["coordinator"] not in (
        coordinator, None) and cluster.status(coordinator)["cluster"]["term"] >= taken["term"])
    cluster.wait_settled()
    assert cluster.host(coordinator).alive() and coordinator not in bmc_offs(cluster)


@pytest.mark.scenario(2)
@pytest.mark.lab(hamon={"fence-device ipmi1": SHORT, "fencing": {"retry_backoff": "2s"}})
def test_nothing_starts_while_fencing_fails_until_a_person_confirms(cluster):
    three_guests(cluster)
    cluster.host("h1").power_off()
    bmc.stop(cluster.lab, cluster.host("h1"))  # its BMC has lost power with it
    cluster.wait("two attempts to fence h1 have failed", lambda: len(cluster.records("h1", "fence-failed")) >= 2, LONG)
    assert cluster.guests["a1"].hosts() == cluster.guests["a2"].hosts() == []
    assert cluster.incident("h1")["state"] != "closed"
    assert cluster.incident("h1")["reason"]
    refused = cluster.host("h2").run(["hamonctl", "confirm-fenced", "h1"], check=False)
    assert refused.returncode != 0  # a person's word has a reason
    alive = cluster.host("h2").run(["hamonctl", "confirm-fenced", "h3", "--reason", "it is on fire"], check=False)
    assert alive.returncode != 0  # h3 is alive and well
    cluster.host("h2").run(["hamonctl", "confirm-fenced", "h1", "--reason", "pulled the plug myself"])
    incident = cluster.wait_closed("h1")
    assert "pulled the plug myself" in str(cluster.records("h1", "fence-confirmed")) and incident["proof"]
    cluster.expect("moved", "a1", "a2")
    cluster.wait_running("a1", "a2", on=("h2", "h3"))


@pytest.mark.scenario(8)
@pytest.mark.lab(hamon={"fence-device ipmi1": SHORT, "fencing": {"retry_backoff": "2s"}})
def test_fencing_that_fails_at_first_is_tried_again(cluster):
    three_guests(cluster)
    bmc.stop(cluster.lab, cluster.host("h1"))
    cluster.host("h1").cut()
    cluster.wait("an attempt to fence h1 has failed", lambda: cluster.records("h1", "fence-failed"), LONG)
    assert cluster.host("h1").alive() and cluster.guests["a1"].hosts() == ["h1"]
    bmc.start(cluster.lab, [cluster.host("h1")])
    cluster.wait_closed("h1")
    assert not cluster.host("h1").alive()
    cluster.expect("moved", "a1", "a2")
    cluster.wait_running("a1", "a2", on=("h2", "h3"))


@pytest.mark.scenario(2)
@pytest.mark.lab(hamon={"fence-device ipmi1": SHORT, "host h1": {"fence_level_1": "ipmi1", "fence_level_2": "ipmi9"},
                        "fence-device ipmi9": {"agent": "fence_ipmilan", "option.ip": "10.77.2.101",
                                               "option.username": "admin", "option.lanplus": "1", "option.cipher": "3"}})
def test_second_fence_level_when_the_first_fails(cluster):
    three_guests(cluster)
    for host in cluster.lab.hosts:  # the first level's password is wrong from now on
        host.write("/etc/hamon/secrets/ipmi1", "password=wrong\n", 0o600)
    cluster.host("h1").cut()
    cluster.wait_closed("h1")
    assert cluster.records("h1", "fence-failed")
    assert "ipmi9" in str(cluster.records("h1", "fence-confirmed"))
    cluster.expect("moved", "a1", "a2")
    cluster.wait_running("a1", "a2", on=("h2", "h3"))


@pytest.mark.scenario(15, 16)
@pytest.mark.lab(hosts=2, quorum={"two_node": 1, "wait_for_all": 1}, hamon={"host h1": {"fence_delay": "3s"}})
def test_two_hosts_never_kill_each_other(cluster):
    """Both are quorate after the cut and both reach both BMCs: h1's delay lets it win, h2 dies."""
    cluster.file_guest("a1", "h1")
    cluster.file_guest("a2", "h2")
    cluster.wait_known()
    cluster.lab.partition([cluster.host("h2")])
    cluster.wait_closed("h2")
    assert cluster.host("h1").alive() and not cluster.host("h2").alive()
    assert bmc_offs(cluster).count("h1") == 0
    cluster.expect("moved", "a2")
    cluster.wait_running("a2", on=("h1",))
