"""hamon-evacuate watch against a real libvirtd: each change is told, with the reason that it really had."""
import os
import signal

import evacuation
import guests
import pytest
from evacuation import Watch
from spaces import wait_until

pytestmark = pytest.mark.xdist_group("test_evacuate_watch")

PLACE_ID = "5f0c9a52-6a1f-4a53-9d5e-0d6c4b4d9c11"


def place_mark(folder):
    os.makedirs(os.path.join(folder, ".hamon"))
    with open(os.path.join(folder, ".hamon/place-id"), "w") as mark:
        mark.write(PLACE_ID + "\n")


def identity(name):
    return "file:%s:%s" % (PLACE_ID, name)


@pytest.fixture(scope="module")
def lab():
    lab = evacuation.lab_of(1, "test_evacuate_watch.py")
    # Marked: else the watch would look at the disks again by itself, and find what it should have been told.
    place_mark(lab.shared)
    yield lab
    lab.down()


@pytest.fixture
def host(lab):
    host = lab.host(1)
    yield host
    host.thaw("libvirtd")
    for name in host.virsh("list", "--name").stdout.split():
        host.virsh("destroy", name, check=False)
    for name in host.virsh("list", "--all", "--name").stdout.split():
        host.virsh("undefine", name, "--managed-save", "--snapshots-metadata", "--nvram")


@pytest.fixture
def watch(host):
    with Watch(host) as watch:
        watch.synced()
        yield watch


def running(lab, host, name, **said):
    guest = guests.file_guest(lab, name, **said).define(host)
    guest.start(host)
    guest.wait_beating(boots=1)
    return guest


def test_first_list_is_whole(lab, host):
    up, down = running(lab, host, "up"), guests.file_guest(lab, "down", protected=True, priority=7, group="db",
                                                          allow="h1 h2", deny="h3").define(host)
    host.virsh("autostart", "down")
    with Watch(host) as watch:
        hello = watch.type("hello")
        assert hello["hypervisor"] == "QEMU" and hello["libvirt_version"].count(".") == 2
        told = watch.synced()
        assert sorted(told) == ["down", "up"]
        first, second = told["up"], told["down"]
        assert (first["uuid"], first["state"], first["reason"], first["event"]) == (up.uuid, "running", "booted", "list")
        assert first["protected"] is None and first["memory_mib"] == 4 and first["vcpus"] == 1
        assert first["persistent"] and not first["autostart"] and not first["block_job"] and first["job"] == "none"
        assert first["disks"] == [{"target": "vda", "what": "disk", "id": identity("up.img"), "writable": True,
                                   "shareable": False, "place": "/srv/shared", "source": "/srv/shared/up.img", "path": "path:/srv/shared/up.img"}]
        assert first["places"] == ["/srv/shared"]
        assert "<name>up</name>" in first["xml"] and "<domain type='qemu'>" in first["xml"], "the inactive definition"
        assert (second["uuid"], second["state"]) == (down.uuid, "shutoff") and second["autostart"]
        assert (second["protected"], second["priority"], second["group"]) == (True, 7, "db")
        assert second["allow"] == ["h1", "h2"] and second["deny"] == ["h3"]
        alive = watch.type("alive")
        assert 0 < alive["free_mib"] < alive["total_mib"] and alive["cpus"] > 0
        assert watch.end() == 0, "the end of its stdin is the order to leave"


def test_guest_that_powers_itself_off(lab, host, watch):
    guest = evacuation.poweroff_guest(lab, "off").define(host)
    watch.domain(guest, event="defined")
    guest.start(host)
    watch.domain(guest, event="started", state="running", reason="booted")
    evacuation.ask_off(guest)
    watch.domain(guest, event="stopped", state="shutoff", reason="shutdown")


def test_domain_that_is_destroyed(lab, host, watch):
    guest = running(lab, host, "destroyed")
    host.virsh("destroy", "destroyed")
    watch.domain(guest, event="stopped", state="shutoff", reason="destroyed")


def test_qemu_that_is_killed(lab, host, watch):
    guest = running(lab, host, "killed")
    evacuation.kill_qemu(host, guest, signal.SIGKILL)
    watch.domain(guest, event="stopped", state="shutoff", reason="crashed")


def test_qemu_that_is_terminated_by_its_host(lab, host, watch):
    """libvirt calls it a shutdown, as if the guest had wished it; it is not told so, by no line."""
    guest = running(lab, host, "terminated")
    evacuation.kill_qemu(host, guest, signal.SIGTERM)
    watch.domain(guest, event="stopped", state="shutoff", reason="killed")
    assert "shut off (shutdown)" in host.virsh("domstate", "terminated", "--reason").stdout, "libvirt's own word"
    host.virsh("desc", "terminated", "--config", "something else changed")
    watch.domain(guest, event="updated", state="shutoff", reason="killed")
    assert not [line for line in watch.told if line.get("reason") == "shutdown"]


@pytest.mark.parametrize("how", ["terminated by its host", "powers itself off"])
def test_events_come_late(lab, host, how):
    """What libvirt's files tell comes first: whose doing it was is not known yet, and nothing is told."""
    name = how.split()[0]
    guest = evacuation.poweroff_guest(lab, name).define(host)
    with Watch(host, preload=evacuation.late_events(lab)) as watch:
        watch.synced()
        guest.start(host)
        watch.domain(guest, event="started", state="running")
        if how == "terminated by its host":
            evacuation.kill_qemu(host, guest, signal.SIGTERM)
            reason = "killed"
        else:
            evacuation.ask_off(guest)
            reason = "shutdown"
        told = watch.domain(guest, state="shutoff")
        assert (told["event"], told["reason"]) == ("stopped", reason), "the first that is told of its end"
        host.virsh("desc", name, "--config", "something else changed")
        watch.domain(guest, event="updated", state="shutoff", reason=reason)
        assert {line["reason"] for line in watch.told if line.get("state") == "shutoff" and line["event"] != "list"} == {reason}


def test_managed_save_comes_and_goes(lab, host, watch):
    guest = running(lab, host, "saved")
    host.virsh("managedsave", "saved")
    watch.domain(guest, event="stopped", reason="saved", managed_save=True)
    host.virsh("managedsave-remove", "saved")
    watch.domain(guest, event="updated", managed_save=False)


def test_pause_and_resume(lab, host, watch):
    guest = running(lab, host, "paused")
    host.virsh("suspend", "paused")
    watch.domain(guest, event="suspended", state="paused", reason="user")
    host.virsh("resume", "paused")
    watch.domain(guest, event="resumed", state="running")
    host.virsh("reset", "paused")
    watch.domain(guest, event="rebooted", state="running")


def test_undefine(lab, host, watch):
    guest = running(lab, host, "undefined")
    host.virsh("undefine", "undefined")
    assert watch.type("undefined", uuid=guest.uuid)["active"] is True
    watch.domain(guest, state="running", persistent=False)
    host.virsh("destroy", "undefined")
    watch.domain(guest, event="stopped", reason="destroyed", gone=True)
    guest.define(host)
    watch.domain(guest, event="defined", persistent=True)
    host.virsh("undefine", "undefined")
    assert watch.type("undefined", uuid=guest.uuid)["active"] is False


def test_transient_domain_that_dies_is_told_though_it_is_gone(lab, host, watch):
    guest = guests.file_guest(lab, "transient")
    host.run(["tee", "/tmp/transient.xml"], stdin=guest.xml)
    host.virsh("create", "/tmp/transient.xml")
    told = watch.domain(guest, event="started")
    assert told["persistent"] is False
    evacuation.kill_qemu(host, guest)
    gone = watch.domain(guest, event="stopped")
    assert gone["gone"] and gone["state"] == "shutoff" and gone["reason"] == "crashed"
    assert gone["xml"] == told["xml"] and gone["disks"] == told["disks"]


def test_rename_is_no_undefine(lab, host, watch):
    guest = guests.file_guest(lab, "before").define(host)
    host.virsh("domrename", "before", "after")
    watch.domain(guest, name="after")
    assert not [line for line in watch.told if line["type"] == "undefined"]


def test_changes_without_an_event_of_libvirts(lab, host, watch):
    """A disk-only snapshot, a block job's start and its end: the chain that is open is always told."""
    guest = running(lab, host, "chain")
    host.virsh("snapshot-create-as", "chain", "s1", "--disk-only")
    told = watch.next("the overlay", lambda line: line.get("disks", [{}])[0].get("id") == identity("chain.s1"))
    assert "chain.s1" in told["xml"] and not told["live_differs"]
    host.virsh("blockcommit", "chain", "vda", "--active", "--wait")
    watch.domain(guest, event="updated", block_job=True)
    host.virsh("blockjob", "chain", "vda", "--pivot")
    told = watch.domain(guest, block_job=False)
    assert told["disks"][0]["id"] == identity("chain.img")


def test_disk_that_only_the_running_guest_has(lab, host, watch):
    guest = running(lab, host, "plugged")
    other = guests.file_guest(lab, "plugged2")
    host.virsh("attach-disk", "plugged", other.path, "vdb", "--live", "--subdriver", "raw")
    told = watch.domain(guest, live_differs=True)
    assert [disk["source"] for disk in told["disks"]] == ["/srv/shared/plugged.img", "/srv/shared/plugged2.img"]


def test_metadata(lab, host, watch):
    guest = running(lab, host, "meta")
    change = lambda attributes: host.virsh("metadata", "meta", "urn:hamon:instance:1", "--key", "hamon", "--live",
                                           "--config", "--set", "<instance %s/>" % attributes)
    change("protected='no' priority='5'")
    told = watch.domain(guest, protected=False, priority=5, metadata_error=None)
    change("protected='perhaps'")
    wrong = watch.next("the error", lambda line: line.get("metadata_error"))
    assert "protected" in wrong["metadata_error"] and "perhaps" in wrong["metadata_error"]
    assert wrong["protected"] is None and wrong["def_hash"] != told["def_hash"]


def test_secrets_are_told_as_such(lab, host, watch):
    guest = guests.file_guest(lab, "secret")
    guest.disk_xml += "<graphics type='vnc' passwd='hidden'/>"
    guest.define(host)
    told = watch.domain(guest, event="defined")
    assert told["has_secrets"] and "passwd='hidden'" in told["xml"]


def test_place_that_is_marked_later(lab, host, watch):
    """The storage part marks a folder once the watch has named it; the identity of its disks is then told anew."""
    guest = guests.file_guest(lab, "marked", folder="/srv/local").define(host)
    told = watch.domain(guest, event="defined")
    assert told["disks"][0]["id"] == "path:/srv/local/marked.img" and told["places"] == ["/srv/local"]
    watch.type("alive")
    watch.type("alive")  # whatever else was to be read because of the definition has been read by now
    place_mark(host.path("/srv/local"))
    assert watch.domain(guest, event="updated")["disks"][0]["id"] == identity("marked.img")


def test_dead_mount_holds_up_only_its_own_disk(lab, host, watch):
    with evacuation.dead_mount(host, "/mnt/dead"):
        dead, well = guests.file_guest(lab, "dead"), guests.file_guest(lab, "well")
        dead.disk_xml = dead.disk_xml.replace("/srv/shared/dead.img", "/mnt/dead/dead.img")
        host.run(["tee", "/tmp/dead.xml"], stdin=dead.xml)
        host.virsh("define", "/tmp/dead.xml")
        well.define(host)
        told = watch.domain(dead, event="defined")
        assert told["disks"][0]["id"] == "path:/mnt/dead/dead.img" and told["places"] == []
        assert watch.domain(well, event="defined")["places"] == ["/srv/shared"]
        # And with more of them than may be stuck at a time.
        for number in range(10):
            host.virsh("desc", "dead", "--config", "--new-desc", "change %d" % number)
            watch.next("the change", lambda line: "change %d<" % number in (line.get("xml") or ""))
        well.start(host)
        watch.domain(well, event="started")
    host.virsh("undefine", "dead")


def test_libvirtd_that_ends_is_lost_and_its_guests_live(lab, host, watch):
    guest = running(lab, host, "survivor")
    pid = evacuation.qemu_pid(host, guest)
    for number in (signal.SIGTERM, signal.SIGKILL):
        evacuation.restart_libvirtd(host, number)
        lost = watch.type("lost")
        assert lost["error"] and watch.end() == 1
        watch.__init__(host)
        assert watch.domain(guest, event="list")["state"] == "running"
        assert evacuation.qemu_pid(host, guest) == pid


def test_qemu_that_died_while_libvirtd_was_away(lab, host):
    guest = running(lab, host, "meanwhile")
    host.stop("libvirtd")
    evacuation.kill_qemu(host, guest)
    wait_until("the QEMU is gone", lambda: not guest.hosts())
    host.start("libvirtd")
    with Watch(host) as watch:
        told = watch.synced()["meanwhile"]
        # Not "shutdown", and so nobody's wish.
        assert told["state"] == "shutoff" and told["reason"] in ("crashed", "unknown", "daemon"), told["reason"]


def test_frozen_libvirtd_is_silence(lab, host, watch):
    """Nothing is told of it: hamond judges by the missing signs of life. What happened meanwhile is told afterwards."""
    guest = running(lab, host, "frozen")
    watch.domain(guest, event="started")
    watch.type("alive")
    host.freeze("libvirtd")
    evacuation.kill_qemu(host, guest)
    with pytest.raises(AssertionError, match="not told"):
        watch.next("a sign of life", lambda line: line["type"] == "alive", timeout=12)
    host.thaw("libvirtd")
    watch.domain(guest, event="stopped", reason="crashed")
    watch.type("alive")


def test_watch_is_small_and_idle(lab, host, watch):
    """Numbers for an operator to know of; the bounds are far above what is measured (3 MiB, 0)."""
    pids = host.pids("hamon-evacuate")
    assert len(pids) == 2, "the watch and its resolver"
    anon = 0
    for pid in pids:
        with open("/proc/%d/status" % pid) as status:
            anon += sum(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
    assert anon < 16 * 1024, "%d KiB" % anon
    ticks = lambda: sum(sum(map(int, open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[11:13]))
                        for pid in pids)
    before = ticks()
    watch.type("alive")
    watch.type("alive")
    assert ticks() - before < 20, "hundredths of a second of CPU in the time between two signs of life"
