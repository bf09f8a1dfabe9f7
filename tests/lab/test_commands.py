"""What people do by hand: evacuate, storage-check, hamonctl, and hosts that come and go for good."""
import shutil
import signal

import bmc
import guests
import linux
import pytest
from cluster import LONG


def offs(cluster):
    return [host for _, host, what in bmc.power_log(cluster.lab) if what == "off"]


def command(cluster, host, text):
    return cluster.host(host).run(text, check=False, timeout=120)


def test_evacuate_is_refused_while_the_host_lives(cluster):
    cluster.file_guest("a1", "h1")
    cluster.wait_known()
    for text in ("evacuate --on-shared-storage --host h1", "evacuate --on-shared-storage a1",
                 "evacuate --on-shared-storage a1 h2", "evacuate --on-shared-storage --accept-data-loss a1 a1"):
        done = command(cluster, "h2", text)
        assert done.returncode == 2, (text, done.stdout, done.stderr)
    assert cluster.guests["a1"].hosts() == ["h1"] and offs(cluster) == []


@pytest.mark.scenario(37)
def test_local_disk_by_hand(cluster):
    """Held; --on-shared-storage refuses; only the instance's own name after --accept-data-loss starts it."""
    guest = cluster.local_guest("l1", "h1")
    cluster.file_guest("a1", "h1")  # nobody is fenced merely for a guest that cannot move
    cluster.wait_known()
    cluster.host("h1").power_off()
    cluster.wait_closed("h1", held=1)
    cluster.expect("moved", "a1")
    told = command(cluster, "h2", "evacuate l1")
    assert told.returncode == 2 and "l1" in told.stdout + told.stderr
    refused = command(cluster, "h2", "evacuate --on-shared-storage l1 h2")
    assert refused.returncode == 2 and "local" in refused.stdout + refused.stderr
    assert guest.hosts() == []
    dry = command(cluster, "h2", "evacuate --dry-run --accept-data-loss l1 l1 h2")
    assert guest.hosts() == [], dry
    # The operator has brought the disk over from the dead machine.
    shutil.copy(guest.image, cluster.host("h2").path("/srv/local/l1.img"))
    copy = cluster.host("h2").path("/srv/local/l1.img")
    done = command(cluster, "h2", "evacuate --accept-data-loss l1 l1 h2")
    assert done.returncode == 0, done.stdout + done.stderr
    guest.reader = lambda: guests.read_witness(copy)
    cluster.expect("moved", "l1")
    cluster.wait_running("l1", on=("h2",))


@pytest.mark.scenario(41)
def test_maintenance_suppresses_fencing_and_evacuation(cluster):
    cluster.file_guest("a1", "h1")
    cluster.wait_known()
    cluster.host("h2").run(["hamonctl", "maintenance", "h1", "on"])
    cluster.wait("h1 is in maintenance", lambda: cluster.host_status("h1", "h2")["maintenance"])
    cluster.host("h1").power_off()
    cluster.wait("h1 is gone", lambda: not cluster.host_status("h1", "h2")["member"])
    refused = command(cluster, "h2", "evacuate --on-shared-storage --host h1")
    assert refused.returncode == 2 and cluster.guests["a1"].hosts() == [] and offs(cluster) == []
    cluster.host("h2").run(["hamonctl", "maintenance", "h1", "off"])
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))


def test_a_persons_word_ends_the_wait_of_maintenance(cluster):
    """In maintenance nothing happens by itself; who confirms the death means it."""
    cluster.file_guest("a1", "h1")
    cluster.wait_known()
    cluster.host("h2").run(["hamonctl", "maintenance", "h1", "on"])
    cluster.wait("h1 is in maintenance", lambda: cluster.host_status("h1", "h2")["maintenance"])
    cluster.host("h1").power_off()
    cluster.wait("h1 is gone", lambda: not cluster.host_status("h1", "h2")["member"])
    cluster.host("h2").run(["hamonctl", "confirm-fenced", "h1", "--reason", "its plug is in my hand"])
    command(cluster, "h2", "evacuate --on-shared-storage --host h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))
    assert offs(cluster) == []


@pytest.mark.lab(services=["corosync", "bridge", "libvirtd", "hamond"], hamon={"evacuation": {"retry_delay": "1s"}})
@pytest.mark.lab(hamon={"evacuation": {"retry_delay": "5m"}})
def test_evacuate_by_hand_what_could_not_start(cluster):
    """No other host has the guest's network: it waits, in libvirt's words. When one has it, a person starts it there."""
    for name in ("h2", "h3"):
        cluster.host(name).virsh("net-destroy", "vm")
        cluster.host(name).virsh("net-undefine", "vm")
    guest = guests.file_guest(cluster.lab, "a1")
    guest.disk_xml += "<interface type='network'><source network='vm'/><model type='virtio'/></interface>"
    cluster.add(guest, "h1")
    cluster.wait_known()
    cluster.host("h1").power_off()
    cluster.wait("libvirt's words about the network", lambda: cluster.instance("a1")["phase"] == "waiting"
                 and "network not found" in cluster.instance("a1")["reason"].lower())
    cluster.host("h3").run(["tee", "/tmp/vm.xml"], stdin=linux.NETWORK)
    cluster.host("h3").virsh("net-define", "/tmp/vm.xml")
    cluster.host("h3").virsh("net-start", "vm")
    dry = command(cluster, "h2", "evacuate --on-shared-storage --dry-run a1 h3")
    assert dry.returncode == 0 and guest.hosts() == [], dry.stdout + dry.stderr
    done = command(cluster, "h2", "evacuate --on-shared-storage a1 h3")
    assert done.returncode == 0, done.stdout + done.stderr
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h3",))


def test_storage_check(cluster):
    cluster.file_guest("a1", "h1")
    cluster.local_guest("l1", "h1")
    cluster.wait_known()
    shared = command(cluster, "h1", "storage-check a1")
    assert shared.returncode == 0 and "h2" in shared.stdout and "h3" in shared.stdout
    local = command(cluster, "h1", "storage-check l1")
    assert local.returncode == 1 and "/srv/local" in local.stdout
    assert command(cluster, "h1", "storage-check nobody").returncode >= 64
    xml = cluster.host("h1").run(["storage-check", "--xml", "-"], check=False, stdin=cluster.guests["l1"].xml)
    assert xml.returncode in (1, 2)
    assert command(cluster, "h1", "storage-check --xml /etc/passwd").returncode == 65


def test_rules_of_placement(cluster):
    """Groups share no host; allowed and denied hosts hold, and who fits nowhere waits, with the reason."""
    cluster.file_guest("db1", "h1", group="db", priority=900)
    cluster.file_guest("db2", "h2", group="db")
    cluster.file_guest("never2", "h1", deny="h2")
    cluster.file_guest("only1", "h1", allow="h1")
    cluster.wait_known()
    cluster.host("h1").power_off()
    cluster.expect("moved", "db1", "never2")
    cluster.expect("absent", "only1")
    cluster.wait_running("db1", "never2", on=("h3",))
    cluster.wait("only1 waits", lambda: cluster.instance("only1")["phase"] == "waiting")
    assert "h2" in cluster.instance("only1")["reason"] and "h3" in cluster.instance("only1")["reason"]


def test_unprotected_guest_is_left_alone(cluster):
    guest = guests.file_guest(cluster.lab, "free", protected=False)
    cluster.add(guest, "h1", protected=False)
    cluster.file_guest("a1", "h1")
    cluster.wait_known("a1")
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.expect("absent", "free")
    cluster.wait_running("a1")


@pytest.mark.scenario(40)
def test_who_may_ask(cluster):
    """root and the group hamon, nobody else, whatever the verb."""
    as_nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups "
    assert command(cluster, "h1", as_nobody + "hamonctl status").returncode == 3 or \
        command(cluster, "h1", as_nobody + "hamonctl status").returncode == 2
    assert command(cluster, "h1", as_nobody + "hamonctl maintenance h2 on").returncode in (2, 3)
    assert not cluster.host_status("h2")["maintenance"]
    as_hamon = "setpriv --reuid 65534 --regid 65534 --groups %s " % next(
        line.split(":")[2] for line in cluster.host("h1").read("/etc/group").splitlines() if line.startswith("hamon:"))
    assert command(cluster, "h1", as_hamon + "hamonctl status").returncode in (0, 1)


def test_bad_configuration_is_refused_as_a_whole(cluster):
    host = cluster.host("h1")
    good = host.read("/etc/hamon/hamon.conf")
    host.write("/etc/hamon/hamon.conf", good + "[evacuation]\nparalel_starts = 2\n")
    checked = host.run(["hamond", "--check-config"], check=False)
    told = checked.stdout + checked.stderr
    assert checked.returncode != 0 and "paralel_starts" in told and "parallel_starts" in told
    host.signal("hamond", signal.SIGHUP)
    cluster.wait("hamond says that the reload failed", lambda: "paralel_starts" in host.log("/var/log/hamond.log"))
    cluster.wait_settled()
    host.write("/etc/hamon/hamon.conf", good)
    host.signal("hamond", signal.SIGHUP)
    cluster.wait_settled()


@pytest.mark.lab(hosts=4, members=3)
def test_adding_a_host(cluster):
    cluster.file_guest("a1", "h1")
    cluster.wait_known()
    cluster.lab.configure(4)
    cluster.host("h1").run(["corosync-cfgtool", "-R"])
    for host in cluster.lab.alive_hosts():
        host.run(["hamond", "--check-config"])
        host.signal("hamond", signal.SIGHUP)
    cluster.host("h4").boot()
    cluster.wait_settled()
    cluster.wait("four votes are configured", lambda: cluster.status("h4")["cluster"]["votes"]["configured"] == 4)
    cluster.wait("h4 reaches the disk of a1", lambda: {entry["host"]: entry["verdict"] for entry in cluster.instance(
        "a1")["verdicts"]}.get("h4") == "shared", LONG)
    cluster.file_guest("a4", "h4")
    cluster.wait_known()
    cluster.host("h4").power_off()
    cluster.wait_closed("h4")
    cluster.expect("moved", "a4")
    cluster.wait_running("a4", on=("h1", "h2", "h3"))


@pytest.mark.lab(hosts=4)
def test_removing_a_host(cluster):
    cluster.file_guest("a1", "h1")
    cluster.wait_known()
    refused = command(cluster, "h1", "hamonctl forget --yes h4")
    assert refused.returncode == 2  # it is a member
    cluster.host("h4").stop("hamond")
    cluster.host("h4").stop("corosync")
    cluster.wait("h4 has left", lambda: not cluster.host_status("h4", "h1")["member"])
    cluster.host("h4").power_off()
    done = command(cluster, "h1", "hamonctl forget --yes h4")
    if done.returncode == 2:  # not proven dead: a person says so first
        cluster.host("h1").run(["hamonctl", "confirm-fenced", "h4", "--reason", "taken out of the rack"])
        cluster.host("h1").run(["hamonctl", "forget", "--yes", "h4"])
    cluster.lab.configure(3)
    cluster.host("h1").run(["corosync-cfgtool", "-R"])
    for host in cluster.lab.alive_hosts():
        host.signal("hamond", signal.SIGHUP)
    cluster.wait("three votes are configured", lambda: all(
        cluster.status(name)["cluster"]["votes"]["configured"] == 3 for name in ("h1", "h2", "h3")))
    cluster.wait("h4 is gone from the status", lambda: "h4" not in [entry["name"] for entry in cluster.status("h2")["hosts"]])
    cluster.wait_settled()
    # What is left is a cluster of three, which survives the loss of one.
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "a1")
    cluster.wait_running("a1", on=("h2", "h3"))
