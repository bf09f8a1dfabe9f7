"""hamon beside a real Nova: what runs a server of a dead host again is Nova, what lets it is hamon.

These need the packages that tests/nova brings, and are left out unless --nova is given.
"""

import time

import cloud as cloud_module
import conftest
import pytest
from cluster import LONG
from spaces import wait_until

TRACE = "/var/log/hamon-trace"
HAMON = {"cluster": {"control_plane": "nova"}, "nova": {"cloud": "lab"}}
pytestmark = [pytest.mark.nova, pytest.mark.lab(boot=False, services=cloud_module.SERVICES, hamon=HAMON)]


@pytest.fixture
def cloud(cluster, request):
    return cloud_up(cluster, request)


def cloud_up(cluster, request, **options):
    try:
        cluster.cloud = cloud_module.Cloud(cluster.lab, **options)
        cluster.cloud.up_with_hosts()
        cluster.wait_settled()
    except BaseException:
        conftest.save_logs(request.node)
        raise
    return cluster.cloud


def add(cluster, **servers):
    """Boot these servers, name -> host, all at once, and wait until hamon knows them; their guests in that order."""
    nova = cluster.cloud.nova
    asked = [(name, nova.boot(name, host), host) for name, host in servers.items()]
    made = [cluster.add_server(nova.adopt(nova.wait(server, "ACTIVE", host))) for _, server, host in asked]
    cluster.wait_known(*[guest.name for guest in made])
    return made


def domains(host):
    """uuid -> state of everything that libvirt of that host knows."""
    uuids = host.virsh("list", "--all", "--uuid").stdout.split()
    return {uuid: host.virsh("domstate", uuid).stdout.strip() for uuid in uuids}


def test_a_server_lives_through_nova_under_the_gate(cluster, cloud):
    """What Nova does with a server on its host, hamon lets it do, and knows."""
    nova = cloud.nova
    a1, a2 = add(cluster, a1="h1", a2="h2")
    nova.stop(a1.uuid)
    assert a1.hosts() == []
    cluster.wait("hamon knows that it is to be off", lambda: cluster.instance(a1.name)["wish"] == "stopped")
    nova.start(a1.uuid)
    a1.boots += 1
    cluster.wait_known(a1.name)
    nova.reboot(a1.uuid)
    a1.boots += 1
    cluster.wait_known(a1.name)
    nova.action(a1.uuid, pause=None)
    nova.wait(a1.uuid, "PAUSED")
    nova.action(a1.uuid, unpause=None)
    nova.wait(a1.uuid, "ACTIVE")
    cluster.wait_known(a1.name)
    del cluster.guests[a2.name]
    nova.delete(a2.uuid)
    nova.wait_gone(a2.uuid)
    cluster.wait("hamon forgets what Nova has deleted", lambda: cluster.instance(a1.name) and not cluster.instance(a2.name))
    assert cluster.incidents() == [] and domains(cluster.host("h2")) == {}


def moved_cold(cluster, guest, host):
    """Nova has stopped it on one host and started it on another; hamon agrees who has it."""
    cluster.handed_over.append((guest.uuid, host))
    cluster.expect("moved", guest.name)
    cluster.wait_running(guest.name, on=(host,))
    cluster.wait("hamon knows that it is on " + host, lambda: (cluster.instance(guest.name)["host"],
                 cluster.instance(guest.name)["wish"]) == (host, "running"))


def test_a_server_moves_cold(cluster, cloud):
    """Cold migration, resize, and its revert: a host that has a server stopped hands it over; afterwards it is as safe as before."""
    nova = cloud.nova
    (a1,) = add(cluster, a1="h1")
    nova.action(a1.uuid, migrate={"host": "h2"})
    nova.wait(a1.uuid, "VERIFY_RESIZE", "h2")
    moved_cold(cluster, a1, "h2")
    nova.action(a1.uuid, confirmResize=None)
    nova.wait(a1.uuid, "ACTIVE", "h2")
    assert a1.uuid not in domains(cluster.host("h1"))
    nova.action(a1.uuid, resize={"flavorRef": "2"})
    larger = nova.wait(a1.uuid, "VERIFY_RESIZE")["OS-EXT-SRV-ATTR:host"]
    moved_cold(cluster, a1, larger)
    cluster.wait("both were by its owner's consent", lambda: len(cluster.records(a1.name, "instance-handed-over")) == 2)
    nova.action(a1.uuid, revertResize=None)
    a1.boots -= 1  # its disk is the one of before the resize again
    nova.wait(a1.uuid, "ACTIVE", "h2")
    moved_cold(cluster, a1, "h2")
    assert cluster.incidents() == [] and not cluster.records(a1.name, "start-refused")
    cluster.expect("moved", a1.name)
    cluster.host("h2").power_off()
    cluster.wait_closed("h2")
    cluster.wait_running(a1.name, on=("h1", "h3"))
    assert nova.state(a1.uuid) == ("ACTIVE", None, a1.hosts()[0])


def test_nova_cannot_run_a_server_twice(cluster, cloud):
    """An operator forces the service of a living host down and evacuates by hand: Nova believes it, hamon does not."""
    nova = cloud.nova
    (a1,) = add(cluster, a1="h1")
    before = a1.wait_beating()
    # Else h2's hamond may take the stale definition away before Nova starts it: what is to be seen here is the gate.
    cluster.host("h2").freeze("hamond")
    nova.service_put("h1", forced_down=True)
    nova.action(a1.uuid, evacuate={"host": "h2"})
    wait_until("Nova's evacuation fails", lambda: [one["status"] for one in nova.migrations(a1.uuid)] == ["failed"], LONG, 0.25,
               seen=lambda: (nova.state(a1.uuid), nova.migrations(a1.uuid)))
    assert nova.wait(a1.uuid, "ERROR", "h1")
    assert "Hook script execution failed" in nova.server(a1.uuid)["fault"]["details"]
    assert a1.hosts() == ["h1"] and a1.wait_beating().nonce == before.nonce
    cluster.host("h2").thaw("hamond")
    cluster.wait("h2 takes the stale definition away", lambda: a1.uuid not in domains(cluster.host("h2")))
    nova.reset(a1.uuid)
    nova.service_put("h1", forced_down=False)
    assert nova.state(a1.uuid) == ("ACTIVE", None, "h1")
    assert cluster.incidents() == []
    cluster.wait_known(a1.name)


def service(cloud, host):
    told = cloud.nova.service(host)
    return told["status"], told["forced_down"], told["disabled_reason"]


def check_moved(cluster, *moved):
    """Nova's word and the hosts' agree: each of these servers runs in one host, where one evacuation brought it."""
    nova = cluster.cloud.nova
    cluster.expect("moved", *[guest.name for guest in moved])
    cluster.wait_running(*[guest.name for guest in moved], on=("h2", "h3"))
    for guest in moved:
        (host,) = guest.hosts()
        assert nova.state(guest.uuid) == ("ACTIVE", None, host)
        evacuations = [(one["source_compute"], one["dest_compute"], one["status"]) for one in nova.migrations(guest.uuid)]
        assert evacuations == [("h1", host, "done")], evacuations


@pytest.mark.scenario(1, 32)
@pytest.mark.short
@pytest.mark.alone
def test_host_loses_power_and_returns(cluster, cloud):
    nova = cloud.nova
    a1, a2, off, b1 = add(cluster, a1="h1", a2="h1", off="h1", b1="h2")
    nova.stop(off.uuid)
    cluster.wait("hamon knows that it is to be off", lambda: cluster.instance(off.name)["wish"] == "stopped")
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("absent", off.name)
    check_moved(cluster, a1, a2)
    assert "ipmi1" in str(cluster.records("h1", "fence-confirmed"))
    # Only the dead host's service was touched, and only its servers.
    assert service(cloud, "h1") == ("disabled", True, "hamon: evacuated")
    assert service(cloud, "h2") == service(cloud, "h3") == ("enabled", False, None)
    # The one that was off went too, and is off: Nova starts it for a moment on its way, which its guest may have seen or not.
    where = nova.state(off.uuid)[2]
    assert where in ("h2", "h3") and nova.state(off.uuid) == ("SHUTOFF", None, where) and off.hosts() == []
    assert [one["status"] for one in nova.migrations(off.uuid)] == ["done"]
    entry = cluster.instance(off.name)
    assert (entry["host"], entry["wish"], entry["state"]) == (where, "stopped", "stopped")
    off.boots = off.read().boots
    assert nova.state(b1.uuid) == ("ACTIVE", None, "h2") and nova.migrations(b1.uuid) == []
    cluster.check()

    cluster.host("h1").boot()
    cluster.wait_settled()
    cluster.wait("h1 takes servers again, says Nova", lambda: service(cloud, "h1") == ("enabled", False, None), LONG)
    cloud.wait_computes()
    assert {one["status"] for one in nova.migrations()} == {"completed"}
    assert domains(cluster.host("h1")) == {}
    nova.start(off.uuid)
    assert nova.state(off.uuid) == ("ACTIVE", None, where)
    cluster.expect("moved", off.name)
    cluster.wait_running(off.name, on=(where,))


def half_way(cluster, *guests):
    """h1 dies, and its servers' evacuations stand still in the middle: accepted by Nova, waiting for its scheduler."""
    cloud = cluster.cloud
    cloud.freeze("nova-scheduler")
    cluster.host("h1").power_off()
    for guest in guests:
        cluster.wait("Nova evacuates %s" % guest.title, lambda: [one["status"] for one in cloud.nova.migrations(guest.uuid)]
                     == ["accepted"])


@pytest.mark.scenario(21)
def test_api_is_down_for_a_while_in_the_middle(cluster, cloud):
    a1, a2 = add(cluster, a1="h1", a2="h1")
    half_way(cluster, a1, a2)
    cloud.kill("nova-api")
    cloud.thaw("nova-scheduler")
    time.sleep(30)
    assert cluster.incident("h1")["state"] != "closed"
    cloud.start_control("nova-api")
    cluster.wait_closed("h1")
    check_moved(cluster, a1, a2)


@pytest.mark.scenario(21, 26)
def test_hamond_dies_in_the_middle(cluster, cloud):
    """Whoever takes over finds the evacuations that were asked for, and asks for no second one."""
    a1, a2, a3 = add(cluster, a1="h1", a2="h1", a3="h1")
    half_way(cluster, a1, a2, a3)
    for host in cluster.lab.alive_hosts():
        host.kill("hamond")
        host.start("hamond")
        cluster.wait("%s is back" % host.name, lambda: cluster.status(host.name)["cluster"]["synced"])
    cloud.thaw("nova-scheduler")
    cluster.wait_closed("h1")
    check_moved(cluster, a1, a2, a3)


@pytest.mark.scenario(41)
def test_server_is_deleted_in_the_middle(cluster, cloud):
    a1, a2 = add(cluster, a1="h1", a2="h1")
    half_way(cluster, a1, a2)
    cloud.nova.delete(a1.uuid)
    cloud.thaw("nova-scheduler")
    check_moved(cluster, a2)
    # Nova lists it among the deleted servers: so it is no instance any more, and the incident is over without it.
    cluster.wait_closed("h1")
    assert a1.hosts() == [] and not cluster.instance(a1.name)
    assert "Nova has deleted it" in str(cluster.records("h1", "instance-undefined"))
    del cluster.guests[a1.name]


@pytest.mark.scenario(38)
def test_a_host_that_nova_refuses_is_no_target(cluster, cloud):
    """A person has disabled h2's compute service: both servers end on h3, and h2 keeps the person's word. So does h1 when it is back."""
    a1, a2 = add(cluster, a1="h1", a2="h1")
    cloud.nova.service_put("h1", status="disabled", disabled_reason="broken fan")
    cloud.nova.service_put("h2", status="disabled", disabled_reason="new memory")
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    check_moved(cluster, a1, a2)
    assert a1.hosts() == a2.hosts() == ["h3"]
    assert service(cloud, "h1") == ("disabled", True, "hamon: evacuated; before that disabled: broken fan")
    cluster.host("h1").boot()
    cluster.wait_settled()
    cluster.wait("h1 is as the person left it", lambda: service(cloud, "h1") == ("disabled", False, "broken fan"), LONG)
    assert service(cloud, "h2") == ("disabled", False, "new memory")


@pytest.mark.scenario(20)
def test_the_control_plane_is_dead(cluster, cloud):
    """Nova holds a host for down, and then the whole cloud loses its power: no host is suspected, and what was up stays up."""
    a1, a2 = add(cluster, a1="h1", a2="h2")
    cluster.host("h1").kill("nova-compute")
    cluster.wait("Nova says that h1 is down", lambda: cloud.nova.service("h1")["state"] == "down")
    time.sleep(5)
    assert cluster.incidents() == [] and cloud.nova.migrations() == [] and service(cloud, "h1") == ("enabled", False, None)
    cloud.power_off()
    time.sleep(20)
    assert cluster.incidents() == [] and (a1.hosts(), a2.hosts()) == (["h1"], ["h2"])
    assert len(cluster.lab.alive_hosts()) == 3
    cluster.wait_settled()


@pytest.mark.scenario(22)
@pytest.mark.short
@pytest.mark.alone
@pytest.mark.lab(hamon=dict(HAMON, nova={"cloud": "lab", "timeout": "3s"}), environment={"HAMON_TRACE": TRACE})
def test_the_answer_to_an_evacuation_is_lost(cluster, cloud):
    """Nova takes longer to accept than hamon waits for one answer; it is asked once all the same."""
    (a1,) = add(cluster, a1="h1")
    cloud.sql("CREATE TRIGGER nova.slow BEFORE INSERT ON migrations FOR EACH ROW SET @slept = SLEEP(6);")
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    check_moved(cluster, a1)
    phases = [line.split()[3] for host in cluster.lab.alive_hosts() for line in host.read(TRACE).splitlines()
              if " start %s " % a1.name in line]
    assert phases.count("evacuate") == phases.count("answer-lost") == 1, phases


@pytest.mark.scenario(21, 23)
def test_every_token_is_void_in_the_middle(cluster, cloud):
    """hamon logs in again and finds that Nova, which went on with the void one, has lost the evacuations: they are asked for anew."""
    a1, a2 = add(cluster, a1="h1", a2="h1")
    half_way(cluster, a1, a2)
    cloud.kill("nova-api")  # it remembers tokens
    cloud.keystone_renew()
    cloud.start_control("nova-api")
    cloud.thaw("nova-scheduler")
    cluster.wait_closed("h1", timeout=2 * LONG)
    cluster.expect("moved", a1.name, a2.name)
    cluster.wait_running(a1.name, a2.name, on=("h2", "h3"))
    for guest in (a1, a2):
        assert [cloud.nova.state(guest.uuid)] == [("ACTIVE", None, host) for host in guest.hosts()]
        # The first stays open for ever, and is older than the one that brought it there.
        assert sorted(one["status"] for one in cloud.nova.migrations(guest.uuid)) in (["accepted", "done"], ["done"])


@pytest.mark.lab(hosts=5, hamon=dict(HAMON, cluster=dict(HAMON["cluster"], max_failed_hosts="2")))
def test_target_dies_with_the_request_in_its_queue(cluster, cloud):
    """Another host takes over. When the first target is back, its nova-compute carries the old request out: the gate refuses
    the start, and the server's state in Nova, which that spoils, is set right."""
    nova = cloud.nova
    (a1,) = add(cluster, a1="h1")
    half_way(cluster, a1)
    target = nova.migrations(a1.uuid)[0]["dest_compute"]
    cluster.host(target).freeze("nova-compute")
    cloud.thaw("nova-scheduler")
    time.sleep(4)  # the scheduler's choice is in the frozen one's queue now; nothing outside of it shows that
    assert nova.state(a1.uuid) == ("REBUILD", "rebuilding", "h1")
    cluster.host(target).power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", a1.name)
    cluster.wait_running(a1.name, on={"h2", "h3", "h4", "h5"} - {target})
    (host,) = a1.hosts()
    assert nova.state(a1.uuid) == ("ACTIVE", None, host)
    before = a1.wait_beating()

    cluster.host(target).boot()
    cluster.wait_settled()
    cluster.wait("the old request is carried out, and refused", lambda: (target, "failed") in [
        (one["dest_compute"], one["status"]) for one in nova.migrations(a1.uuid)], LONG)
    cluster.wait("Nova knows again that it runs", lambda: nova.state(a1.uuid) == ("ACTIVE", None, host), LONG)
    cluster.wait("the target takes servers again", lambda: service(cloud, target) == ("enabled", False, None), LONG)
    assert a1.hosts() == [host] and a1.wait_beating().nonce == before.nonce
