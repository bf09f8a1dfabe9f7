"""What a real Nova refuses, and what it accepts and does not carry out: hamon tells it in Nova's words, and tries again elsewhere."""
import pytest
from cluster import LONG
from test_nova import HAMON, add, cloud, half_way, pytestmark  # noqa: F401: the fixture and the marks

assert cloud and pytestmark
AGAIN = dict(HAMON, evacuation={"retry_delay": "2s"})


def failed(cluster, guest, *words):
    """The record of a start of it that failed, with all these words."""
    return [one["text"] for one in cluster.records(guest.name, "instance-failed") if all(word in one["text"] for word in words)]


@pytest.mark.scenario(21, 38)
@pytest.mark.lab(hamon=AGAIN)
def test_it_is_refused_with_400_and_then_no_host_is_valid(cluster, cloud):  # noqa: F811
    """A service that stays up by Nova's word although it is forced down; then no room on any host: ERROR, from where it goes on."""
    (a1,) = add(cluster, a1="h1")
    # Not of h1: a host that has more than it may have cannot give anything away either, says Placement.
    inventories = "UPDATE placement.inventories i JOIN placement.resource_providers p ON i.resource_provider_id = p.id SET i.reserved = "
    cloud.sql("CREATE TRIGGER nova.stubborn BEFORE UPDATE ON services FOR EACH ROW SET NEW.forced_down = 0;" +
              inventories + "i.total WHERE p.name != 'h1';")
    cluster.host("h1").power_off()
    told = cluster.wait("Nova's 400 is told", lambda: failed(cluster, a1, "Nova answered 400", "(req-"), LONG)
    assert "Compute service of h1 is still in use" in told[0], told
    cluster.wait("no host is valid", lambda: failed(cluster, a1, "no-valid-host", "No valid host"), LONG)
    cluster.wait("it is in ERROR between two tries", lambda: cloud.nova.state(a1.uuid) == ("ERROR", None, "h1"))
    assert cluster.incident("h1")["state"] == "open"
    cloud.sql("DROP TRIGGER nova.stubborn;" + inventories + "0 WHERE p.name = 'h3';")
    cluster.wait_closed("h1")
    cluster.expect("moved", a1.name)
    cluster.wait_running(a1.name, on=("h3",))
    assert cloud.nova.state(a1.uuid) == ("ACTIVE", None, "h3") and not cloud.nova.server(a1.uuid)["locked"]
    ended = [(one["dest_compute"], one["status"]) for one in sorted(cloud.nova.migrations(a1.uuid), key=lambda one: one["id"])]
    assert ended[-1] == ("h3", "done") and {status for _, status in ended[:-1]} == {"error"}, ended


@pytest.mark.scenario(21, 38)
@pytest.mark.lab(hamon=dict(HAMON, evacuation={"retry_delay": "2s"}))
def test_an_evacuation_is_accepted_and_not_carried_out(cluster, cloud):  # noqa: F811
    """Its target's nova-compute hangs, and its hamond does not: given up there, it is brought up elsewhere. When nova-compute goes on,
    the gate refuses the old request, and nothing of it is left in Nova."""
    nova = cloud.nova
    (a1,) = add(cluster, a1="h1")
    half_way(cluster, a1)
    first = nova.migrations(a1.uuid)[0]["dest_compute"]
    other = {"h2": "h3", "h3": "h2"}[first]
    cluster.host(first).freeze("nova-compute")
    cloud.thaw("nova-scheduler")
    cluster.wait("it is given up", lambda: failed(cluster, a1, "on %s: " % first, "timeout", "REBUILD"), LONG + 60)
    cluster.wait_closed("h1", timeout=2 * LONG)
    cluster.expect("moved", a1.name)
    cluster.wait_running(a1.name, on=(other,))
    before = a1.wait_beating()
    cluster.host(first).thaw("nova-compute")
    cluster.wait("the old request is carried out, and refused", lambda: (first, "failed") in [
        (one["dest_compute"], one["status"]) for one in nova.migrations(a1.uuid)], LONG)
    cluster.wait("Nova knows that it runs", lambda: nova.state(a1.uuid) == ("ACTIVE", None, other), LONG)
    assert a1.hosts() == [other] and a1.wait_beating().nonce == before.nonce and not nova.server(a1.uuid)["locked"]
