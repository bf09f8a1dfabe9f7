"""Reserved hosts beside a real Nova: their compute service is disabled until hamon needs them, as Masakari's recovery methods have it."""
import cloud as cloud_module
import pytest
from cluster import LONG
from test_nova import HAMON, add, check_moved, cloud, service  # noqa: F401 (cloud is a fixture)


def recovery(method):
    """A lab whose h3 is reserved."""
    return pytest.mark.lab(boot=False, services=cloud_module.SERVICES, hamon=dict(
        HAMON, evacuation={"recovery_method": method}, **{"host h3": {"reserved": "yes"}}))


pytestmark = [pytest.mark.nova, recovery("rh_priority")]
MARK = "hamon: reserved"
KEPT, USED = ("disabled", False, MARK), ("enabled", False, None)


def lose_h1(cluster, cloud, before=lambda: None):  # noqa: F811
    """h1 dies with two servers, which would be spread over all that may take them: where they are then, and how Nova has h3."""
    a1, a2 = add(cluster, a1="h1", a2="h1")
    cloud.nova.service_put("h3", status="disabled", disabled_reason=MARK)
    before()
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    check_moved(cluster, a1, a2)
    return a1.hosts() + a2.hosts(), service(cloud, "h3")


@pytest.mark.scenario(38)
@recovery("auto")
def test_with_auto_a_reserved_host_is_never_used(cluster, cloud):  # noqa: F811
    """Not even where no other may: the servers wait, and say for what, until h2 may take them."""
    a1, a2 = add(cluster, a1="h1", a2="h1")
    h3 = cluster.host("h3")
    cloud.nova.service_put("h3", status="disabled", disabled_reason=MARK)
    h3.run(["hamonctl", "maintenance", "h2", "on"])
    cluster.host("h1").power_off()
    waits = lambda: [cluster.instance(guest.name, "h3")["reason"] or "" for guest in (a1, a2)]
    cluster.wait("both wait, and say for what", lambda: all("h3: reserved" in reason for reason in waits()), LONG)
    assert service(cloud, "h3") == KEPT and a1.hosts() + a2.hosts() == []
    h3.run(["hamonctl", "maintenance", "h2", "off"])
    cluster.wait_closed("h1")
    check_moved(cluster, a1, a2)
    assert (a1.hosts() + a2.hosts(), service(cloud, "h3")) == (["h2", "h2"], KEPT)


@pytest.mark.scenario(38)
@recovery("reserved_host")
def test_with_reserved_host_no_other_is_used(cluster, cloud):  # noqa: F811
    assert lose_h1(cluster, cloud) == (["h3", "h3"], USED)


@pytest.mark.scenario(38)
@recovery("auto_priority")
def test_with_auto_priority_the_reserved_host_is_kept_while_another_can(cluster, cloud):  # noqa: F811
    assert lose_h1(cluster, cloud) == (["h2", "h2"], KEPT)


@pytest.mark.scenario(38)
@recovery("auto_priority")
def test_with_auto_priority_the_reserved_host_is_used_when_no_other_can(cluster, cloud):  # noqa: F811
    maintain = lambda: cluster.host("h3").run(["hamonctl", "maintenance", "h2", "on"])
    assert lose_h1(cluster, cloud, maintain) == (["h3", "h3"], USED)


@pytest.mark.scenario(1, 38)
def test_the_reserved_host_is_enabled_and_takes_all(cluster, cloud):  # noqa: F811
    nova = cloud.nova
    a1, a2 = add(cluster, a1="h1", a2="h1")
    nova.service_put("h3", status="disabled", disabled_reason=MARK)
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    check_moved(cluster, a1, a2)
    assert a1.hosts() == a2.hosts() == ["h3"]
    assert service(cloud, "h3") == USED
    assert "This host was reserved, and is needed for" in str(cluster.records("h3", "reserved-host", host="h3"))


@pytest.mark.scenario(38)
def test_a_reserved_host_that_a_person_disabled_is_left_alone(cluster, cloud):  # noqa: F811
    nova = cloud.nova
    (a1,) = add(cluster, a1="h1")
    nova.service_put("h3", status="disabled", disabled_reason="new memory")
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    check_moved(cluster, a1)
    assert a1.hosts() == ["h2"]
    assert service(cloud, "h3") == ("disabled", False, "new memory")
