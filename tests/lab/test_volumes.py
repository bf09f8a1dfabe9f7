"""Servers whose disks are Cinder's volumes, beside a real Nova and a real Cinder.

h1 keeps what its servers have beside their volumes on a disk of its own, as compute hosts of such clouds often do.
"""
import cloud as cloud_module
import conftest
import nova as nova_module
import pytest
import volumes
from cluster import LONG
from test_nova import HAMON, add, cloud_up, service

pytestmark = [pytest.mark.nova, pytest.mark.lab(boot=False, services=cloud_module.SERVICES, hamon=HAMON)]


@pytest.fixture
def cinder(cluster, request):
    cloud = cloud_up(cluster, request, local=("h1",))
    try:
        return volumes.Cinder(cloud).up()
    except BaseException:
        conftest.save_logs(request.node)
        raise


def add_on_volumes(cluster, cinder, host, **flavors):
    """Boot these servers there, name -> flavor, each on a volume of its own; their guests in that order."""
    nova = cinder.cloud.nova
    made = {name: cinder.make(name, nova.image()) for name in flavors}
    guests = []
    for name, volume in made.items():
        cinder.wait_available(volume)
    asked = [(volume, nova.boot_volume(name, host, volume, flavors[name])) for name, volume in made.items()]
    for volume, server in asked:
        guest = nova_module.VolumeServer(nova, nova.wait(server, "ACTIVE", host), cinder.path(volume))
        guest.volume = volume
        guests.append(cluster.add_server(guest))
    cluster.wait_known(*[guest.name for guest in guests])
    return guests


def check_refused(cluster, guest, disk):
    """Nothing was asked for it, and the reason names the disk that only its dead host has."""
    nova = cluster.cloud.nova
    entry = cluster.instance(guest.name)
    assert entry["phase"] == "held" and "%s: " % disk in entry["reason"] and "local" in entry["reason"], entry
    assert nova.migrations(guest.uuid) == [] and nova.state(guest.uuid) == ("ACTIVE", None, "h1") and guest.hosts() == []


@pytest.mark.scenario(1, 8)
def test_volumes_move_and_local_disks_stay(cluster, cinder):
    nova = cinder.cloud.nova
    nova.call("POST", "/flavors", {"flavor": {"name": "swap", "id": "swap", "ram": 16, "vcpus": 1, "disk": 0, "swap": 1}})
    v1, off, mixed = add_on_volumes(cluster, cinder, "h1", v1="1", off="1", mixed="swap")
    (own,) = add(cluster, own="h1")
    data = cinder.make("data")
    cinder.wait_available(data)
    nova.call("POST", "/servers/%s/os-volume_attachments" % own.uuid, {"volumeAttachment": {"volumeId": data}})
    cluster.wait("the volume is attached", lambda: cinder.attached(data) == ("in-use", [(own.uuid, "h1")]))
    nova.stop(off.uuid)
    cluster.wait("hamon knows that it is to be off", lambda: cluster.instance(off.name)["wish"] == "stopped")
    cluster.wait_known(v1.name, mixed.name, own.name)
    cluster.host("h1").power_off()
    cluster.wait_closed("h1", held=2)

    cluster.expect("moved", v1.name)
    cluster.wait_running(v1.name, on=("h2", "h3"))
    (host,) = v1.hosts()
    assert nova.state(v1.uuid) == ("ACTIVE", None, host)
    assert cinder.attached(v1.volume) == ("in-use", [(v1.uuid, host)])
    assert "Cinder has attached its volumes here (1)" in str(cluster.records("h1", "instance-running"))
    where = nova.state(off.uuid)[2]
    assert where in ("h2", "h3") and nova.state(off.uuid) == ("SHUTOFF", None, where) and off.hosts() == []
    assert cinder.attached(off.volume) == ("in-use", [(off.uuid, where)])
    cluster.expect("absent", off.name)
    off.boots = off.read().boots
    check_refused(cluster, mixed, "vdb")
    check_refused(cluster, own, "vda")
    assert cinder.attached(mixed.volume) == ("in-use", [(mixed.uuid, "h1")])
    assert cinder.attached(data) == ("in-use", [(own.uuid, "h1")])

    # What was refused is not lost: it waits for its host.
    cluster.host("h1").boot()
    cluster.wait_settled()
    for guest in (mixed, own):
        guest.boots += 1
    cluster.wait_running(mixed.name, own.name, on=("h1",))
    cluster.wait("h1 takes servers again, says Nova", lambda: service(cinder.cloud, "h1") == ("enabled", False, None), LONG)
    assert v1.hosts() == [host] and cinder.attached(v1.volume) == ("in-use", [(v1.uuid, host)])


@pytest.mark.scenario(21)
def test_the_volume_service_is_down(cluster, cinder):
    """Nova would accept the evacuation and end in ERROR half way; hamon asks for it once the service is back."""
    nova = cinder.cloud.nova
    (v1,) = add_on_volumes(cluster, cinder, "h1", v1="1")
    cinder.cloud.kill("cinder-volume")
    cinder.wait("down")
    cluster.host("h1").power_off()
    cluster.wait("it is told what it waits for", lambda: "cinder-volume on cloud@nfs is down" in (
        cluster.instance(v1.name)["reason"] or ""), LONG)
    assert nova.migrations(v1.uuid) == [] and nova.state(v1.uuid) == ("ACTIVE", None, "h1")
    assert cinder.attached(v1.volume) == ("in-use", [(v1.uuid, "h1")])
    cinder.start("cinder-volume")
    cluster.wait_closed("h1", timeout=2 * LONG)
    cluster.expect("moved", v1.name)
    cluster.wait_running(v1.name, on=("h2", "h3"))
    (host,) = v1.hosts()
    assert cinder.attached(v1.volume) == ("in-use", [(v1.uuid, host)])
