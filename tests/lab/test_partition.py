"""The network splits: only a side with quorum acts, and only within its limits."""
import bmc
import pytest
from cluster import LONG


def offs(cluster):
    return [host for _, host, what in bmc.power_log(cluster.lab) if what == "off"]


@pytest.mark.scenario(14, 18)
@pytest.mark.lab(hosts=5)
def test_minority_does_nothing_and_the_brake_holds_the_majority(cluster):
    """2 + 3. The two reach every BMC and do nothing. The three would have to fence more hosts than the brake
    allows in one window: they hold, say so, and go on when a person releases them."""
    for number in range(1, 6):
        cluster.file_guest("g%d" % number, "h%d" % number)
    cluster.wait_known()
    cluster.lab.partition([cluster.host("h1"), cluster.host("h2")])
    brake = cluster.wait("the majority's brake holds", lambda: cluster.status("h3")["cluster"]["brake"]["held"] and
                         cluster.status("h3")["cluster"]["brake"])
    assert brake["reason"]
    cluster.wait("the minority knows that it is one", lambda: not cluster.status("h1")["cluster"]["quorate"])
    assert offs(cluster) == []
    assert [cluster.guests["g%d" % number].hosts() for number in range(1, 6)] == [["h%d" % number] for number in range(1, 6)]
    refused = cluster.host("h1").run(["evacuate", "--on-shared-storage", "--host", "h4"], check=False)
    assert refused.returncode != 0
    cluster.host("h3").run(["hamonctl", "release"])
    cluster.wait_closed("h1")
    cluster.wait_closed("h2")
    assert set(offs(cluster)) == {"h1", "h2"}
    cluster.expect("moved", "g1", "g2")
    cluster.wait_running("g1", "g2", on=("h3", "h4", "h5"))


@pytest.mark.scenario(17)
def test_whole_network_freezes_and_heals(cluster):
    for number in range(1, 4):
        cluster.file_guest("g%d" % number, "h%d" % number)
    cluster.wait_known()
    for host in cluster.lab.hosts:
        host.cut()
    for host in cluster.lab.hosts:
        cluster.wait("%s has no quorum" % host.name, lambda: not cluster.status(host.name)["cluster"]["quorate"])
    for host in cluster.lab.hosts:
        host.join()
    cluster.wait_settled(LONG)
    assert offs(cluster) == []


@pytest.mark.scenario(17)
def test_guests_of_the_isolated_host_cannot_start_a_second_time_there(cluster):
    """The gate without quorum: the isolated host starts nothing that is protected, by hand either."""
    guest = cluster.file_guest("g1", "h1")
    cluster.wait_known()
    for host in cluster.lab.hosts:
        host.cut()
    cluster.wait("h2 has no quorum", lambda: not cluster.status("h2")["cluster"]["quorate"])
    refused = guest.create(cluster.host("h2"))
    assert refused.returncode != 0 and "hamon" in refused.stderr
    for host in cluster.lab.hosts:
        host.join()
    cluster.wait_settled(LONG)
    assert guest.hosts() == ["h1"]


@pytest.mark.lab(boot=False)
def test_new_cluster_waits_for_all_its_hosts(cluster):
    """Two new stores of three may be an old cluster's, whose third host knows what must run: they wait, and say for whom."""
    for name in ("h1", "h2"):
        cluster.host(name).boot()
    cluster.wait("the two have quorum", lambda: all(cluster.status(name)["cluster"]["quorate"] for name in ("h1", "h2")))
    cluster.wait("they say whom they wait for", lambda: "missing: h3" in cluster.host("h1").run(
        ["hamonctl", "status"], check=False).stdout)
    assert not any(cluster.status(name)["cluster"]["synced"] for name in ("h1", "h2"))
    cluster.host("h3").boot()
    cluster.wait_settled(LONG)
    assert offs(cluster) == []
