"""Disks that are RBD images of a real Ceph."""
import json

import bmc
import ceph as ceph_module
import conftest
import pytest
from cluster import LONG
from test_storage import TWO, moves, verdicts

MISSING = ceph_module.missing()
pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(MISSING), reason="needs Debian's packages: " + MISSING)]


@pytest.fixture
def ceph(cluster, request):
    try:
        made = ceph_module.Ceph(cluster.lab).up()
        cluster.lab.each(made.secret)
        return made
    except BaseException:
        conftest.save_logs(request.node)
        raise


@pytest.mark.scenario(9)
@TWO
def test_rbd(cluster, ceph):
    for number in range(1, 3):
        cluster.add(ceph.guest("r%d" % number), "h1")
    cluster.wait_known()
    assert verdicts(cluster, "r1")["h2"] == ("volume", "vda: h2 opened rbd:vms/r1")
    moves(cluster)


@pytest.mark.scenario(12)
def test_rbd_that_targets_cannot_reach(cluster, ceph):
    """One target's network drops what goes to Ceph, the other's libvirt lost the secret: neither is chosen, each for its own reason."""
    h1, h2, h3 = cluster.lab.hosts
    cluster.add(ceph.guest("r1"), "h1")
    cluster.wait_known()
    assert ceph.openers("r1") == [h1.address]  # those that prove their storage do not write
    ceph_module.cut(h2)
    h3.virsh("secret-undefine", ceph_module.SECRET)
    cluster.wait("neither is a target any more", lambda: {verdicts(cluster, "r1")[name][0] for name in ("h2", "h3")} == {"unknown"}, LONG)
    assert "no answer from vms/r1" in verdicts(cluster, "r1")["h2"][1]
    assert "libvirt has no secret " + ceph_module.SECRET in verdicts(cluster, "r1")["h3"][1]
    h1.power_off()
    deciding = lambda: cluster.coordinator() or "h2"
    lost = cluster.wait("h1 is lost, with a reason why nothing is done", lambda: cluster.host_status("h1", deciding())["state"] == "lost"
                        and cluster.host_status("h1", deciding())["reason"])
    assert "reach" in lost and bmc.power_log(cluster.lab) == []
    ceph.secret(h3)
    cluster.wait_closed("h1")
    cluster.expect("moved", "r1")
    cluster.wait_running("r1", on=("h3",))
    assert ceph.openers("r1") == [h3.address]
    assert verdicts(cluster, "r1")["h2"][0] == "unknown"


@pytest.mark.scenario(12)
@pytest.mark.lab(fault_points=True, hamon={"evacuation": {"start_timeout": "20s"}})
def test_target_that_loses_ceph_as_it_starts(cluster, ceph):
    """It was proven a moment ago and is given a guest; then its QEMU waits for a monitor that it does not reach. Another host takes it."""
    guest = cluster.add(ceph.guest("r1"), "h1")
    cluster.wait_known()
    h1, h2, h3 = cluster.lab.hosts
    for host in (h2, h3):
        host.arm("stop start r1")
    h1.power_off()
    target = cluster.wait("a target is to start r1", lambda: next((host for host in (h2, h3) if not host.armed()), None), every=0.02)
    other = h3 if target is h2 else h2
    other.arm("kill never here")
    ceph_module.cut(target)
    target.thaw("hamond")
    # Its QEMU has never run the guest, and was ended: no death had to be proven for the next one.
    cluster.handed_over.append((guest.uuid, other.name))
    cluster.wait_closed("h1", timeout=LONG)
    told = json.dumps(cluster.explain("r1"))
    assert "did not come up within 20000 ms" in told and "was ended" in told, told
    cluster.expect("moved", "r1")
    cluster.wait_running("r1", on=(other.name,))
