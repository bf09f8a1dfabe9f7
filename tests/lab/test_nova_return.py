"""How a host comes back to a real Nova: in the middle of its evacuations, and only by a person's word."""
import time

import pytest
from cluster import LONG
from test_nova import HAMON, add, check_moved, cloud_up, domains, half_way, pytestmark, service
from test_nova_hand import command

assert pytestmark
BY_HAND = dict(HAMON, nova={"cloud": "lab", "automatic_return": "no"})


@pytest.fixture
def cloud(cluster, request):
    """Its nova-computes start by themselves what ran on their host when that went down, as many operators have it."""
    return cloud_up(cluster, request, compute={"resume_guests_state_on_host_boot": "true"})


def returned(cluster, *words):
    return command(cluster, "hamonctl", "return", "h1", "--timeout", "60", *words)


@pytest.mark.scenario(32, 38)
@pytest.mark.lab(hamon=BY_HAND)
def test_a_host_comes_back_in_the_middle_and_a_person_returns_it(cluster, cloud):
    """Its servers are other hosts' already: in quarantine it starts none, whoever wants it, and Nova gives it none before a person says so."""
    a1, a2 = add(cluster, a1="h1", a2="h1")
    half_way(cluster, a1, a2)
    code, text = returned(cluster)
    assert code == 2 and "h1 is not given back to Nova: it is not admitted" in text, text
    cluster.host("h1").boot()
    cluster.wait("h1 is back", lambda: cluster.host_status("h1", "h2")["state"] == "quarantined")
    # Nova still says that both are on h1, and its nova-compute there would start them again; so would a person.
    cluster.wait("nova-compute is back on h1", lambda: cluster.host("h1").pids("nova-compute"))
    time.sleep(15)
    started = cluster.host("h1").virsh("start", a1.name, check=False)
    assert started.returncode and "hamon: " in started.stderr, started.stdout + started.stderr
    assert a1.hosts() == a2.hosts() == [] and cluster.host_status("h1", "h2")["state"] == "quarantined"
    assert service(cloud, "h1") == ("disabled", True, "hamon: evacuated") and returned(cluster)[0] == 2

    cloud.thaw("nova-scheduler")
    cluster.wait_closed("h1")
    check_moved(cluster, a1, a2)
    cluster.wait_settled()
    # Nova wants its clean-up, which is done only when a nova-compute starts, and a person wants a look at the host.
    assert service(cloud, "h1") == ("disabled", True, "hamon: evacuated")
    code, text = returned(cluster)
    assert code == 2 and "nova-compute of h1 must be restarted" in text and "(req-" in text, text
    cluster.host("h1").kill("nova-compute")
    cluster.host("h1").start("nova")
    cluster.wait("Nova has cleaned up", lambda: {one["status"] for one in cloud.nova.migrations()} == {"completed"}, LONG)
    cluster.wait("it is told what it waits for", lambda: "until a person says \"hamonctl return h1\"" in str(
        cluster.explain("h1", host="h1")["why"]), LONG)
    assert service(cloud, "h1") == ("disabled", True, "hamon: evacuated")
    assert returned(cluster) == (0, "nova-compute of h1 takes instances again\n")
    assert service(cloud, "h1") == ("enabled", False, None)
    assert "by the word of root" in str(cluster.records("h2", "nova-return", host="h2"))
    assert returned(cluster, "--json")[1]["state"] == "enabled"
    assert domains(cluster.host("h1")) == {}
    # What a person does to a service, a person undoes.
    cloud.nova.service_put("h1", status="disabled", disabled_reason="broken fan")
    code, text = returned(cluster)
    assert code == 2 and "disabled by somebody else: it stays so" in text, text
    assert service(cloud, "h1") == ("disabled", False, "broken fan")
