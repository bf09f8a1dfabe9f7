"""Reserved hosts beside a real Nova: their compute service is disabled until hamon needs them, as Masakari's rh_priority has it."""
import cloud as cloud_module
import pytest
from test_nova import HAMON, add, check_moved, cloud, service  # noqa: F401 (cloud is a fixture)

RESERVED = dict(HAMON, evacuation={"recovery_method": "rh_priority"}, **{"host h3": {"reserved": "yes"}})
pytestmark = [pytest.mark.nova, pytest.mark.lab(boot=False, services=cloud_module.SERVICES, hamon=RESERVED)]
MARK = "hamon: reserved"


@pytest.mark.scenario(1, 38)
def test_the_reserved_host_is_enabled_and_takes_all(cluster, cloud):  # noqa: F811
    nova = cloud.nova
    a1, a2 = add(cluster, a1="h1", a2="h1")
    nova.service_put("h3", status="disabled", disabled_reason=MARK)
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    check_moved(cluster, a1, a2)
    assert a1.hosts() == a2.hosts() == ["h3"]
    assert service(cloud, "h3") == ("enabled", False, None)
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
