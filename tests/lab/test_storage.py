"""What the disks are on decides where a guest may go; and every kind of shared storage is safe."""
import os

import bmc
import guests
import pytest
import stores
from cluster import LONG


def other_folder(cluster, *names):
    """Before the hosts boot: these have a storage of their own at the path of the shared one."""
    for name in names:
        own = os.path.join(cluster.lab.folder, "not-shared-" + name)
        os.makedirs(own)
        cluster.host(name).bind(own, "/srv/shared")


def verdicts(cluster, name):
    return {entry["host"]: (entry["verdict"], entry["reason"]) for entry in cluster.instance(name)["verdicts"]}


@pytest.mark.lab(boot=False)
def test_same_path_but_different_storage_on_one_host(cluster):
    other_folder(cluster, "h2")
    cluster.lab.each(lambda host: host.boot())
    cluster.wait_settled()
    for number in range(1, 4):
        cluster.file_guest("a%d" % number, "h1")
    cluster.wait_known()
    assert verdicts(cluster, "a1")["h2"][0] == "local" and verdicts(cluster, "a1")["h3"][0] == "shared"
    refused = cluster.host("h1").run(["storage-check", "a1", "--json"], check=False)
    assert '"h2"' in refused.stdout
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1", "a2", "a3")
    cluster.wait_running("a1", "a2", "a3", on=("h3",))


@pytest.mark.scenario(37)
@pytest.mark.lab(boot=False)
def test_same_path_but_different_storage_everywhere(cluster):
    other_folder(cluster, "h2", "h3")
    cluster.lab.each(lambda host: host.boot())
    cluster.wait_settled()
    cluster.file_guest("a1", "h1")
    # The trap: a file of the same name is there, on both.
    for name in ("h2", "h3"):
        trap = cluster.host(name).path("/srv/shared/a1.img")
        assert not os.path.exists(trap) and trap != cluster.guests["a1"].image
        guests.image_make(cluster.lab, trap)
        cluster.host(name).run(["cmp", "-n", "512", "/srv/shared/a1.img", cluster.lab.tools.witness])
    cluster.wait_known()
    cluster.host("h1").power_off()
    # Whoever decides knows why.
    deciding = lambda: cluster.coordinator() or "h2"
    lost = cluster.wait("h1 is lost, with a reason why nothing is done", lambda: cluster.host_status("h1")["state"] == "lost"
                        and cluster.host_status("h1", deciding())["reason"])
    assert "reach" in lost
    assert bmc.power_log(cluster.lab) == []  # a host is not fenced merely to evacuate nothing
    cluster.expect("absent", "a1")


@pytest.mark.parametrize("apart", [False, True], ids=["one folder", "three folders"])
def test_qcow2_chain(cluster, apart):
    """Every folder of the chain is proven, though only the top image's stands in the definition."""
    cluster.add(guests.qcow2_guest(cluster.lab, "chain", apart=apart), "h1")
    cluster.wait_known()
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "chain")
    cluster.wait_running("chain", on=("h2", "h3"))


def moves(cluster, whole=lambda: None):
    """The suite that every kind of storage goes through: power loss, then a cut host that runs on, then its return.

    whole: waits until the storage itself has got over the first loss, for one that has to.
    """
    cluster.wait_known()
    mine = [name for name, guest in cluster.guests.items() if guest.hosts() == ["h1"]]
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", *mine)
    cluster.wait_running(*mine, on=("h2", "h3"))
    cluster.host("h1").boot()
    cluster.wait_settled()
    cluster.wait_known()
    whole()
    # Now the host with most of them goes on running without its network.
    where = {name: guest.hosts()[0] for name, guest in cluster.guests.items()}
    victim = max(("h2", "h3"), key=list(where.values()).count)
    cluster.host(victim).cut()
    cluster.wait_closed(victim)
    assert not cluster.host(victim).alive()
    again = [name for name in cluster.guests if where[name] == victim]
    cluster.expect("moved", *again)
    cluster.wait_running(*again)
    cluster.host(victim).boot()
    cluster.wait_settled()


TWO = pytest.mark.lab(hamon={"cluster": {"max_failed_hosts": 2}})


@pytest.mark.scenario(9)
@TWO
def test_nbd(cluster):
    for number in range(1, 4):
        cluster.add(stores.nbd_guest(cluster.lab, "n%d" % number), "h1")
    cluster.add(stores.nbd_guest(cluster.lab, "n4"), "h2")
    cluster.wait_known()
    assert verdicts(cluster, "n1")["h2"][0] == "volume"
    moves(cluster)


@pytest.mark.scenario(9)
@TWO
def test_iscsi(cluster):
    """One target is open to all, the other asks for a password (CHAP), which libvirt of each host has."""
    server = stores.Iscsi(cluster.lab)
    server.chap_account()
    cluster.lab.each(stores.chap_secret)
    for number in range(1, 3):
        cluster.add(server.guest("i%d" % number, chap=number == 2), "h1")
    cluster.wait_known()
    assert verdicts(cluster, "i1")["h2"][0] == verdicts(cluster, "i2")["h2"][0] == "volume"
    moves(cluster)


@pytest.mark.lab(services=["corosync", "gluster", "libvirtd", "hamond"], hamon={"cluster": {"max_failed_hosts": 2}})
def test_gluster(cluster):
    """Replica 3, a brick on each host, mounted by FUSE: the storage loses a third of itself with each host."""
    stores.gluster_create(cluster.lab)
    for number in range(1, 3):
        cluster.add(stores.gluster_guest(cluster.lab, "g%d" % number), "h1")
    cluster.add(stores.gluster_guest(cluster.lab, "g3"), "h2")
    cluster.wait_known()
    assert verdicts(cluster, "g1")["h2"][0] == "shared"

    def whole():
        # The bricks kept the dead host's locks for a while, and hamon had the patience.
        told = "".join(host.log("/var/log/libvirt/qemu/%s.log" % name, 1000) for host in cluster.lab.hosts for name in ("g1", "g2"))
        assert "lock" in told, told
        stores.gluster_wait_whole(cluster.lab)

    moves(cluster, whole)


@pytest.mark.scenario(37)
def test_local_and_mixed_disks(cluster):
    """One local disk makes the whole guest local, and the reason names it."""
    guest = guests.file_guest(cluster.lab, "mixed")
    second = guests.file_guest(cluster.lab, "second", folder="/srv/local", host=cluster.host("h1"))
    guest.disk_xml += second.disk_xml.replace("vda", "vdb")
    cluster.add(guest, "h1")
    cluster.file_guest("a1", "h1")  # nobody is fenced merely for a guest that cannot move
    cluster.wait_known()
    verdict, reason = verdicts(cluster, "mixed")["h2"]
    assert verdict == "local" and "/srv/local" in reason
    cluster.host("h1").power_off()
    cluster.wait_closed("h1", held=1)
    cluster.expect("moved", "a1")
    cluster.expect("absent", "mixed")


@pytest.mark.scenario(12)
def test_dead_mount_blocks_only_its_own_probe(cluster):
    """h2's view of one place hangs: guests there cannot go to h2; everything else goes on."""
    guest = guests.file_guest(cluster.lab, "slow", folder="/srv/shared/slow")
    stores.fuse_over(cluster.host("h2"), "/srv/shared/slow")
    cluster.host("h2").stop("hamond")
    cluster.host("h2").stop("corosync")
    cluster.host("h2").power_off()
    cluster.host("h2").boot()
    cluster.wait_settled()
    cluster.add(guest, "h1")
    cluster.file_guest("quick", "h1")
    cluster.wait_known()
    stores.fuse_freeze(cluster.host("h2"))
    cluster.wait("h2 is no target for slow any more", lambda: verdicts(cluster, "slow")["h2"][0] == "unknown", LONG)
    assert verdicts(cluster, "quick")["h2"][0] == "shared"
    assert cluster.host_status("h2")["state"] == "admitted"
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "slow", "quick")
    cluster.wait_running("slow", on=("h3",))
    cluster.wait_running("quick", on=("h2", "h3"))
