"""Daemons die, hang and restart: no daemon's end is a host's death, and nothing that hangs hangs hamond."""
import signal
import time

import bmc
import guests
import pytest
import stores
from cluster import LONG


def offs(cluster):
    return [host for _, host, what in bmc.power_log(cluster.lab) if what == "off"]


def answers(cluster, name):
    """The quickest of a few answers of that host's hamond, in seconds. One busy moment of the machine is no hang."""
    best = None
    for _ in range(5):
        start = time.monotonic()
        cluster.host(name).hamonctl("status")
        took = time.monotonic() - start
        best = took if best is None else min(best, took)
    return best


def kept_definitions(host):
    """How many definitions the store of that host holds; None while there is no store."""
    done = host.run(["sqlite3", "-readonly", "/var/lib/hamon/hamon.db", "select count(*) from defs"], check=False)
    return int(done.stdout) if done.stdout.strip() else None


def stay(cluster, name):
    cluster.file_guest("a1", name)
    cluster.file_guest("a2", "h2" if name != "h2" else "h3")
    cluster.wait_known()


@pytest.mark.scenario(6)
def test_hamond_killed_while_its_host_lives_and_then_its_host(cluster):
    stay(cluster, "h1")
    assert cluster.host("h1").kill("hamond") == 1
    cluster.wait("h1 is seen as unwatched", lambda: cluster.host_status("h1", "h2")["daemon"] == "unwatched")
    assert cluster.host_status("h1", "h2")["state"] == "admitted" and offs(cluster) == []
    assert cluster.guests["a1"].hosts() == ["h1"]
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))


@pytest.mark.scenario(6)
def test_hamond_killed_and_started_again(cluster):
    stay(cluster, "h1")
    cluster.host("h1").kill("hamond")
    cluster.wait("h1 is seen as unwatched", lambda: cluster.host_status("h1", "h2")["daemon"] == "unwatched")
    cluster.host("h1").start_hamond()
    cluster.wait_settled()
    cluster.wait_known()
    assert offs(cluster) == [] and cluster.incidents() == []


def test_clean_stop_of_a_daemon(cluster):
    stay(cluster, "h1")
    cluster.host("h1").stop("hamond")
    cluster.wait("h1 has no running daemon", lambda: cluster.host_status("h1", "h2")["daemon"] != "running")
    assert offs(cluster) == [] and cluster.incidents() == []
    assert cluster.guests["a1"].hosts() == ["h1"]
    cluster.host("h1").start_hamond()
    cluster.wait_settled()
    cluster.wait_known()


@pytest.mark.scenario(6)
def test_all_hamonds_killed_at_once(cluster):
    stay(cluster, "h1")
    for host in cluster.lab.hosts:
        host.kill("hamond")
    for host in cluster.lab.hosts:
        host.start_hamond()
    cluster.wait_settled()
    cluster.wait_known()
    assert offs(cluster) == []
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))


def test_corosync_restarted_in_maintenance(cluster):
    """The operator's way: maintenance on, restart, maintenance off. hamond reconnects by itself."""
    stay(cluster, "h1")
    daemon = cluster.host("h1").pids("hamond")
    cluster.host("h2").run(["hamonctl", "maintenance", "h1", "on"])
    cluster.wait("h1 is in maintenance", lambda: cluster.host_status("h1", "h2")["maintenance"])
    cluster.host("h1").stop("corosync")
    cluster.wait("h1 has left", lambda: not cluster.host_status("h1", "h2")["member"])
    assert cluster.status("h1")["cluster"]["quorate"] is False  # it answers without corosync too
    cluster.host("h1").start_corosync()
    cluster.wait("h1 is a member again", lambda: cluster.host_status("h1", "h2")["member"])
    cluster.host("h2").run(["hamonctl", "maintenance", "h1", "off"])
    cluster.wait_settled()
    assert cluster.host("h1").pids("hamond") == daemon and offs(cluster) == []
    cluster.wait_known()


@pytest.mark.lab(boot=False)
def test_corosync_comes_after_hamond(cluster):
    """At the start of a host all comes in any order: libvirt may tell of a guest that is new while there is nobody to tell."""
    host = cluster.host("h1")
    cluster.lab.each(lambda one: one.boot(["libvirtd"] if one is host else None))
    guest = guests.file_guest(cluster.lab, "a1").define(host)
    host.start_hamond()
    cluster.wait("hamond has kept its definition", lambda: kept_definitions(host) == 1)
    daemon = host.pids("hamond")
    assert len(daemon) == 1
    # Another host coordinates, so that only the owner has what is missing.
    cluster.wait("h2 or h3 coordinates", lambda: cluster.coordinator("h2") in ("h2", "h3"))
    host.start_corosync()
    cluster.wait_settled()
    cluster.add(guest, "h1")
    for other in ("h2", "h3"):
        cluster.wait("%s could start it: the owner has told the definition" % other,
                     lambda: kept_definitions(cluster.host(other)) == 1)
    cluster.wait_known()
    assert host.pids("hamond") == daemon


@pytest.mark.scenario(4)
def test_corosync_killed(cluster):
    """Its guests run on, unwatched by anyone: the host is fenced before they start elsewhere."""
    stay(cluster, "h1")
    cluster.host("h1").kill("corosync")
    cluster.wait_closed("h1")
    assert not cluster.host("h1").alive()
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))


def test_libvirtd_restarted_while_hamond_is_down(cluster):
    """The hook must let every running guest reconnect, whatever it cannot ask."""
    stay(cluster, "h1")
    host = cluster.host("h1")
    qemu = {pid for pid, words in host.processes().items() if cluster.guests["a1"].uuid in words}
    host.kill("hamond")
    host.kill("libvirtd")
    host.start_libvirtd()
    assert "a1" in host.virsh("list", "--name").stdout.split()
    assert {pid for pid, words in host.processes().items() if cluster.guests["a1"].uuid in words} == qemu
    host.start_hamond()
    cluster.wait_settled()
    cluster.wait_known()


def test_libvirtd_restarted_under_hamond(cluster):
    stay(cluster, "h1")
    host = cluster.host("h1")
    host.kill("libvirtd")
    host.start_libvirtd()
    cluster.wait("hamond is connected again", lambda: cluster.host_status("h1")["libvirt"] == "ok" and
                 cluster.host_status("h1")["gate"] == "ok")
    cluster.wait_known()
    host.virsh("destroy", "a1")
    cluster.wait("its events arrive again", lambda: cluster.instance("a1")["wish"] == "stopped")
    cluster.expect("absent", "a1")


def test_orderly_shutdown_keeps_the_wish(cluster):
    """As systemd does it: hamon is told, guests are stopped, hamond and corosync leave, power goes."""
    stay(cluster, "h1")
    host = cluster.host("h1")
    host.run(["hamonctl", "shutting-down", "on"])
    host.virsh("destroy", "a1")  # the witness has no ears for ACPI
    cluster.wait("hamon sees that a1 has stopped", lambda: cluster.instance("a1", "h2")["state"] != "running")
    assert cluster.instance("a1", "h2")["wish"] == "running" and cluster.guests["a1"].hosts() == []
    host.stop("hamond")
    host.stop("corosync")
    host.power_off()
    cluster.wait("h1 has left", lambda: not cluster.host_status("h1", "h2")["member"])
    assert offs(cluster) == []
    host.boot()
    cluster.wait_settled()
    cluster.expect("moved", "a1")  # started once more: where it was, by hamond
    cluster.wait_running("a1")
    assert offs(cluster) == []


def test_hung_libvirtd(cluster):
    stay(cluster, "h1")
    cluster.host("h1").freeze("libvirtd")
    cluster.wait("h1's libvirt is seen as hung", lambda: cluster.host_status("h1", "h2")["libvirt"] == "hung")
    assert answers(cluster, "h1") < 1
    assert offs(cluster) == [] and cluster.guests["a1"].hosts() == ["h1"]
    cluster.host("h1").thaw("libvirtd")
    cluster.wait("h1's libvirt is well again", lambda: cluster.host_status("h1", "h2")["libvirt"] == "ok", LONG)


def test_hung_libvirtd_on_a_target(cluster):
    """The other host takes the guests."""
    stay(cluster, "h1")
    cluster.host("h3").freeze("libvirtd")
    cluster.wait("h3's libvirt is seen as hung", lambda: cluster.host_status("h3", "h2")["libvirt"] == "hung")
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2",))
    cluster.host("h3").thaw("libvirtd")


@pytest.mark.scenario(29)
@pytest.mark.lab(hamon={"fence-device ipmi1": {"timeout": "15s"}, "fencing": {"retry_backoff": "2s"}})
def test_hung_fence_agent(cluster):
    stay(cluster, "h1")
    bmc.freeze(cluster.lab, cluster.host("h1"))
    cluster.host("h1").power_off()
    cluster.wait("the fencing of h1 has begun", lambda: cluster.records("h1", "fence-intent", "h2"))
    assert answers(cluster, "h2") < 1 and answers(cluster, "h3") < 1
    cluster.wait("the hung agent was given up", lambda: cluster.records("h1", "fence-failed", "h2"), LONG)
    assert cluster.guests["a1"].hosts() == []
    bmc.thaw(cluster.lab, cluster.host("h1"))
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))


def test_hung_alert_agents(cluster):
    """One that hangs, one that fails, one that floods: recovery does not wait for them."""
    for host in cluster.lab.hosts:
        host.write("/etc/hamon/alerts.d/10-hangs", "#!/bin/sh\nexec sleep 1000\n", 0o755)
        host.write("/etc/hamon/alerts.d/20-fails", "#!/bin/sh\nexit 1\n", 0o755)
        host.write("/etc/hamon/alerts.d/30-floods", "#!/bin/sh\nexec yes flood\n", 0o755)
    for host in cluster.lab.hosts:
        host.signal("hamond", signal.SIGHUP)
    stay(cluster, "h1")
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    assert answers(cluster, "h2") < 1 and answers(cluster, "h3") < 1
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))


SAMPLE = "/usr/share/pacemaker/alerts/alert_file.sh.sample"


@pytest.mark.lab(hamon={"alerts": {"agent": SAMPLE + " /var/log/alerts-heard"}})
def test_pacemakers_sample_alert_agent(cluster):
    """Debian's own sample, unchanged, hears of the failure."""
    stay(cluster, "h1")
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    heard = lambda: "".join(host.log("/var/log/alerts-heard", 1000) for host in cluster.lab.alive_hosts())
    cluster.wait("the agent wrote of the node, the fencing and the guest", lambda: all(word in heard() for word in (
        "Node 'h1'", "Fencing", "a1")), LONG)
    cluster.expect("moved", "a1")
    cluster.wait_running("a1")


@pytest.mark.scenario(39)
def test_hung_store(cluster):
    """A disk that hangs under /var/lib/hamon: the daemon answers, the cluster goes on without that member."""
    host = cluster.host("h3")
    host.stop("hamond")
    host.power_off()
    stores.fuse_over(host, "/var/lib/hamon")
    host.boot()
    cluster.wait_settled()
    stay(cluster, "h1")
    stores.fuse_freeze(host)
    cluster.host("h2").run(["hamonctl", "maintenance", "h1", "on"])  # something that every store must write
    cluster.wait("the change is committed by the others", lambda: cluster.host_status("h1", "h2")["maintenance"])
    assert answers(cluster, "h3") < 1 and answers(cluster, "h2") < 1
    cluster.host("h2").run(["hamonctl", "maintenance", "h1", "off"])
    stores.fuse_thaw(host)
    cluster.wait_settled()
    cluster.wait("h3 has caught up", lambda: not cluster.host_status("h1", "h3")["maintenance"])
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))
