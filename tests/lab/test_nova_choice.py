"""Which servers hamon takes from a dead host of a real Nova, the locks on them, and what Nova refuses or cannot answer for a while."""
import json
import time

import pytest
from cluster import LONG
from test_nova import HAMON, TRACE, add, cloud, half_way, pytestmark, service  # noqa: F401: the fixture and the marks

assert cloud and pytestmark
CHOICE = dict(HAMON, nova={"cloud": "lab", "select": "metadata"}, evacuation={"retry_delay": "3s"})


def mark(nova, *marked):
    for guest in marked:
        nova.call("POST", "/servers/%s/metadata" % guest.uuid, {"metadata": {"HA_Enabled": "True"}})


HELPER = "/usr/local/libexec/hamon/hamon-evacuate"


def chosen_by(cluster, guest, select, key="evacuable", value="true"):
    """Whether a helper in h2 would take the server from h1: the class of its failure, for h2 takes nothing."""
    request = {"op": "look", "plane": "nova", "uuid": guest.uuid, "name": guest.name, "start_timeout_ms": 30000,
               "nova": {"cloud": "lab", "self": "h2", "dead": ["h1"], "select": select, "select_key": key, "select_value": value}}
    done = cluster.host("h2").run([HELPER, "start"], stdin=json.dumps(request), check=False)
    return json.loads(done.stdout.splitlines()[-1])["error_class"]


def check_kinds(cluster, nova, early, late):
    """Each kind of mark, before and after it is there; the flavor's was set between these two servers."""
    marks = {"tag": lambda: nova.call("PUT", "/servers/%s/tags/evacuable" % early.uuid),
             "image": lambda: nova.call("PUT", "/images/%s/tags/evacuable" % nova.image(), service="image"),
             "aggregate": lambda: nova.call("POST", "/os-aggregates/%d/action" % nova.call("POST", "/os-aggregates", {
                 "aggregate": {"name": "ha", "availability_zone": None}})["aggregate"]["id"], {"add_host": {"host": "h1"}})}
    for kind, set_mark in marks.items():
        assert chosen_by(cluster, early, kind) == "not-selected", kind
        set_mark()
        if kind == "aggregate":
            assert chosen_by(cluster, early, kind) == "not-selected"
            nova.call("POST", "/os-aggregates/1/action", {"set_metadata": {"metadata": {"evacuable": "True"}}})
        assert chosen_by(cluster, early, kind) == "no-valid-host", kind
    assert chosen_by(cluster, early, "flavor") == "not-selected"
    assert chosen_by(cluster, late, "flavor") == "no-valid-host"


def phases(cluster, guest):
    """What the helpers of that server's starts told, in all hosts that live."""
    return [line.split()[3] for host in cluster.lab.alive_hosts() for line in host.read(TRACE).splitlines()
            if " start %s " % guest.name in line]


def lock_of(nova, guest):
    told = nova.server(guest.uuid)
    return told["locked"], told["locked_reason"]


def moved(cluster, *guests):
    """Each runs on one host that lives, where Nova says that it is."""
    cluster.expect("moved", *[guest.name for guest in guests])
    cluster.wait_running(*[guest.name for guest in guests], on=("h2", "h3"))
    for guest in guests:
        (host,) = guest.hosts()
        cluster.wait("Nova agrees", lambda: guest.state() == ("ACTIVE", None, host))


@pytest.mark.scenario(38, 41)
@pytest.mark.lab(hamon=CHOICE, environment={"HAMON_TRACE": TRACE})
def test_what_is_not_selected_what_is_locked_and_what_is_refused(cluster, cloud):  # noqa: F811
    nova = cloud.nova
    chosen, locked, paused, other = add(cluster, chosen="h1", locked="h1", paused="h1", other="h2")
    nova.call("POST", "/flavors/1/os-extra_specs", {"extra_specs": {"evacuable": "yes"}})
    (plain,) = add(cluster, plain="h1")
    mark(nova, chosen, locked, paused)
    nova.action(locked.uuid, lock={"locked_reason": "mine"})
    nova.action(other.uuid, lock={"locked_reason": "hamon: evacuating to h2"})  # as somebody who was killed leaves it
    nova.action(paused.uuid, pause=None)
    nova.wait(paused.uuid, "PAUSED")
    for host in ("h2", "h3"):
        nova.service_put(host, status="disabled", disabled_reason="new memory")
    cluster.host("h1").power_off()

    # No host takes anything: said in these words, and tried until one does.
    cluster.wait("hamon says why nothing starts", lambda: "new memory" in (cluster.instance(chosen.name)["reason"] or ""), LONG)
    assert nova.migrations() == [] and service(cloud, "h1") == ("enabled", False, None)
    check_kinds(cluster, nova, chosen, plain)
    assert nova.migrations() == [] and service(cloud, "h1") == ("enabled", False, None)
    for host in ("h2", "h3"):
        nova.service_put(host, status="enabled")
    moved(cluster, chosen, locked)
    assert lock_of(nova, locked) == (True, "mine")
    cluster.wait("what hamon locked is unlocked", lambda: lock_of(nova, chosen) == (False, None))
    # When Nova is too slow at its end, its host's hamond does it soon.
    cluster.wait("its helper has said so", lambda: phases(cluster, chosen).count("locked") == 1 and
                 [phase.endswith("unlocked") for phase in phases(cluster, chosen)].count(True) == 1)
    assert not {"locked", "unlocked"} & set(phases(cluster, locked))

    # Nova does not evacuate what is paused: its words reach whoever asks, and what a person then does ends it well.
    refused = cluster.wait("Nova's refusal is told", lambda: [
        one for one in cluster.records(paused.name, "instance-failed") if "409" in str(one)], LONG)[-1]["text"]
    assert "while it is in vm_state paused" in refused and "(req-" in refused, refused
    assert lock_of(nova, paused) == (False, None) and nova.migrations(paused.uuid) == []
    assert cluster.incident("h1")["state"] == "open"
    nova.reset(paused.uuid, "error")
    moved(cluster, paused)

    # What is not selected: nothing was done about it, nobody waits for it, and it is there again with its host.
    incident = cluster.wait_closed("h1")
    assert (incident["running"], incident["total"]) == (3, 3)
    assert "[nova] select = metadata, and there is no metadata HA_Enabled" in str(cluster.records(plain.name, "instance-excluded"))
    assert "left alone until h1 is back" in str(cluster.explain(plain.name)["why"])
    assert (plain.state(), nova.migrations(plain.uuid), plain.hosts()) == (("ACTIVE", None, "h1"), [], [])
    cluster.wait("a lock that was left is taken off", lambda: lock_of(nova, other) == (False, None), LONG)
    cluster.host("h1").boot()
    cluster.wait_settled()
    cluster.expect("moved", plain.name)
    cluster.wait_running(plain.name, on=("h1",))
    cluster.wait("Nova agrees", lambda: plain.state() == ("ACTIVE", None, "h1"), LONG)
    cluster.wait("h1 takes servers again", lambda: service(cloud, "h1") == ("enabled", False, None), LONG)
    cluster.wait("hamon has nothing more to do with it", lambda: cluster.instance(plain.name)["phase"] == "settled" and
                 not cluster.instance(plain.name)["excluded"])


@pytest.mark.scenario(21, 23)
def test_keystone_is_down_for_a_minute_in_the_middle(cluster, cloud):  # noqa: F811
    a1, a2 = add(cluster, a1="h1", a2="h1")
    half_way(cluster, a1, a2)
    cloud.kill("keystone")
    cloud.thaw("nova-scheduler")
    time.sleep(60)
    cloud.start_keystone()
    cluster.wait_closed("h1", timeout=2 * LONG)
    moved(cluster, a1, a2)
    assert [cloud.nova.server(guest.uuid)["locked"] for guest in (a1, a2)] == [False, False]
