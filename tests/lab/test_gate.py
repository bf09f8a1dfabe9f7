"""Nothing starts a protected guest a second time: not a returning host, a clone, a person, or a stale store."""
import guests
import pytest
import stores
from cluster import LONG


def make(cluster, kind, name, on):
    if kind == "nbd":
        return cluster.add(stores.nbd_guest(cluster.lab, name), on)
    return cluster.file_guest(name, on)


@pytest.mark.scenario(32)
@pytest.mark.parametrize("kind", ["file", "nbd"])
def test_returning_host_with_autostart_cannot_start_the_old_copy(cluster, kind):
    guest = make(cluster, kind, "a1", "h1")
    cluster.host("h1").virsh("autostart", "a1")
    cluster.wait_known()
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))
    cluster.host("h1").boot()
    cluster.wait_settled()
    # h1 has had its chance by now; asked by hand it must still refuse.
    refused = guest.create(cluster.host("h1"))
    assert refused.returncode != 0 and guest.hosts() != ["h1"]
    cluster.wait("the old definition is gone from h1", lambda: "a1" not in cluster.host("h1").virsh(
        "list", "--all", "--name").stdout.split(), LONG)
    assert guest.hosts() != ["h1"]


@pytest.mark.scenario(32)
@pytest.mark.parametrize("kind", ["file", "nbd"])
def test_returning_host_that_sees_nobody(cluster, kind):
    """It comes back with autostart, cut from the cluster: its store still says that the guest is its own."""
    guest = make(cluster, kind, "a1", "h1")
    cluster.host("h1").virsh("autostart", "a1")
    cluster.wait_known()
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))
    cluster.host("h1").boot(cut=True)
    cluster.wait("h1's hamond answers", lambda: cluster.status("h1"))
    refused = guest.start(cluster.host("h1"), check=False)
    assert refused.returncode != 0 and "hamon" in refused.stderr
    # Without its hamond the hook still refuses, from the list on the disk.
    cluster.host("h1").kill("hamond")
    refused = guest.start(cluster.host("h1"), check=False)
    assert refused.returncode != 0 and "hamon" in refused.stderr
    cluster.host("h1").start_hamond()
    cluster.host("h1").join()
    cluster.wait_settled()
    assert guest.hosts() != ["h1"]


@pytest.mark.scenario(40)
@pytest.mark.parametrize("kind", ["file", "nbd"])
def test_clone_with_the_same_disk_is_refused(cluster, kind):
    """Whatever its name, UUID and metadata say: nothing else opens the disk of a protected guest."""
    guest = make(cluster, kind, "original", "h1")
    cluster.wait_known()
    for where in ("h1", "h2"):
        clone = guests.Guest(cluster.lab, "clone-" + where, guest.disk_xml, guest.reader)
        refused = clone.create(cluster.host(where))
        assert refused.returncode != 0 and "original" in refused.stderr, (where, refused.stderr)
        assert clone.hosts() == []
    unprotected = guests.Guest(cluster.lab, "sly", guest.disk_xml, guest.reader, metadata=guests.metadata_xml(protected=False))
    refused = unprotected.create(cluster.host("h2"))
    assert refused.returncode != 0 and "original" in refused.stderr
    assert guest.hosts() == ["h1"]


def test_second_start_by_hand_is_refused(cluster):
    guest = make(cluster, "nbd", "a1", "h1")
    cluster.wait_known()
    refused = guest.create(cluster.host("h2"))
    assert refused.returncode != 0 and "h1" in refused.stderr and "hamon" in refused.stderr
    assert guest.hosts() == ["h1"]
    # A definition there, however it came about, is taken away again.
    guest.define(cluster.host("h2"))
    cluster.wait("the second definition is gone", lambda: "a1" not in cluster.host("h2").virsh(
        "list", "--all", "--name").stdout.split())
    assert guest.hosts() == ["h1"]


@pytest.mark.scenario(41)
def test_stopped_guest_stays_stopped(cluster):
    """The wish: what an operator had stopped before the failure is not started by the recovery."""
    guest = cluster.file_guest("a1", "h1")
    cluster.file_guest("a2", "h1")
    cluster.wait_known()
    cluster.host("h1").virsh("destroy", "a1")
    cluster.wait("hamon knows the wish", lambda: cluster.instance("a1")["wish"] == "stopped")
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a2")
    cluster.expect("absent", "a1")
    cluster.wait_running("a2")
    assert guest.hosts() == []


def test_killed_qemu_keeps_its_wish(cluster):
    """Out of memory is no operator's wish: the guest of a killed QEMU is recovered with its host."""
    guest = cluster.file_guest("a1", "h1")
    cluster.wait_known()
    name = next(name for name in ("qemu-system-x86_64", "qemu-system-x86") if cluster.host("h1").pids(name))
    cluster.host("h1").kill(name)
    cluster.wait("hamon sees it or has it started again", lambda: cluster.instance("a1")["wish"] == "running" and (
        guest.hosts() or cluster.instance("a1")["state"] == "stopped"))
    assert cluster.instance("a1")["wish"] == "running"
    if guest.hosts():
        guest.boots = guest.wait_beating().boots
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))


@pytest.mark.scenario(26)
def test_whole_cluster_killed_in_the_middle_and_started_cold(cluster):
    """h3's guests are on their way when h1 and h2 die too. The stale h3 comes back alone first."""
    names = ["a%d" % number for number in range(1, 5)]
    for name in names:
        cluster.add(stores.nbd_guest(cluster.lab, name), "h3")
        cluster.host("h3").virsh("autostart", name)
    cluster.file_guest("b1", "h1")
    cluster.wait_known()
    mark = len(cluster.lab.referee.starts)
    cluster.host("h3").power_off()
    cluster.wait("the first guest of h3 starts elsewhere", lambda: cluster.lab.referee.starts[mark:], every=0.01)
    for name in ("h1", "h2"):
        cluster.host(name).power_off()
    moved = {domain for _, domain, _, _ in cluster.lab.referee.starts[mark:]}

    cluster.host("h3").boot()
    cluster.wait("h3's hamond answers", lambda: cluster.status("h3"))
    for name in names:
        refused = cluster.guests[name].start(cluster.host("h3"), check=False)
        assert refused.returncode != 0, "%s started on the stale h3" % name
        assert cluster.guests[name].hosts() == []

    cluster.lab.each(lambda host: host.boot(), [cluster.host("h1"), cluster.host("h2")])
    cluster.wait_settled()
    for name in names + ["b1"]:
        guest = cluster.guests[name]
        cluster.wait("%s runs" % name, lambda: len(guest.hosts()) == 1, LONG)
        guest.boots = guest.wait_beating().boots
        assert guest.boots in ((2, 3) if guest.uuid in moved else (2,)), (name, guest.boots)
    cluster.cold = True
