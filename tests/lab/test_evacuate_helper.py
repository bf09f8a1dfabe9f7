"""hamon-evacuate against a real libvirtd and real QEMUs: start, stop, inspect, tidy, qemus."""
import json
import os
import subprocess

import evacuation
import guests
import pytest
from evacuation import evacuate, start
from spaces import wait_until

pytestmark = pytest.mark.xdist_group("test_evacuate_helper")


@pytest.fixture(scope="module")
def lab():
    lab = evacuation.lab_of(2, "test_evacuate_helper.py")
    yield lab
    lab.down()


@pytest.fixture
def host(lab):
    yield lab.host(1)
    for each in lab.hosts:
        each.thaw("libvirtd")
        for name in each.virsh("list", "--name").stdout.split():
            each.virsh("destroy", name, check=False)  # it may end by itself just now
    lab.referee.doubles.clear()


def saves(host):
    return sorted(os.listdir(host.path("/var/lib/libvirt/qemu/save")))


# start


def test_start_defines_runs_and_verifies(lab, host):
    guest = guests.file_guest(lab, "fresh")
    done = start(host, guest)
    assert done["ok"] and done["state"] == "running", done
    assert done["progress"] == ["defined", "starting", "started", "verified"]
    assert guest.wait_beating(boots=1).violations == 0
    assert evacuate(host, "qemus")["qemus"] == [{"uuid": guest.uuid, "name": "fresh", "pid": done["pid"]}]
    assert host.virsh("dominfo", "fresh").stdout.count("Persistent:     yes") == 1


def test_start_of_what_runs_only_verifies(lab, host):
    guest = guests.file_guest(lab, "again")
    first = start(host, guest)
    again = start(host, guest)
    assert again["ok"] and again["already"] and again["pid"] == first["pid"], again
    assert again["progress"] == ["verified"]
    assert guest.wait_beating().boots == 1


def start_in_background(lab, host, guest, **more):
    request = {"op": "a", "uuid": guest.uuid, "name": guest.name, "xml": guest.xml, "verify_ms": 0}
    helper = subprocess.Popen([lab.tools.init, "run", str(host.pid), "--", evacuation.program(lab, "hamon-evacuate"),
                               "start"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=host.tools.ENVIRONMENT)
    helper.stdin.write(json.dumps(dict(request, **more)))
    helper.stdin.close()
    return helper


def read_until(helper, phase):
    """The lines of a helper up to that of this phase."""
    told = []
    while not told or told[-1].get("phase") != phase:
        line = helper.stdout.readline()
        assert line, told
        told.append(json.loads(line))
    return told


@pytest.mark.parametrize("phase", ["defined", "starting", "started"])
def test_killed_helper_is_repeated_safely(lab, host, phase):
    """SIGKILL in the middle of a start: libvirt goes on alone, and the next start finds what it did."""
    guest = guests.file_guest(lab, "torn-" + phase)
    helper = start_in_background(lab, host, guest, verify_ms=600000)
    read_until(helper, phase)
    host.kill("hamon-evacuate")
    helper.wait()
    done = start(host, guest)
    assert done["ok"], done
    assert guest.hosts() == ["h1"]
    assert guest.wait_beating().boots == 1


def test_lock_is_met_with_patience(lab, host):
    """The image is locked by another host's QEMU; it is let go later, and the start then goes on."""
    guest, other = guests.file_guest(lab, "locked"), lab.host(2)
    guest.define(other).start(other)
    helper = start_in_background(lab, host, guest, lock_retry_ms=600000)
    told = read_until(helper, "lock-wait")
    assert 'Failed to get "write" lock' in told[-1]["detail"]
    other.virsh("destroy", "locked")
    told += [json.loads(line) for line in helper.stdout]
    helper.wait()
    assert told[-1]["ok"] and told[-1]["attempts"] > 1, told
    assert guest.hosts() == ["h1"]
    assert guest.wait_beating(boots=2).violations == 0


def test_lock_that_stays_is_told_as_one(lab, host):
    guest, other = guests.file_guest(lab, "taken"), lab.host(2)
    guest.define(other).start(other)
    done = start(host, guest, lock_retry_ms=500)
    assert not done["ok"] and done["error_class"] == "lock", done
    assert 'Failed to get "write" lock' in done["error"] and "taken.img" in done["error"]
    assert guest.hosts() == ["h2"]


def test_guest_that_ends_at_once_is_no_success(lab, host):
    guest = evacuation.poweroff_guest(lab, "brief", at_once=True)
    done = start(host, guest, verify_ms=60000)
    assert not done["ok"] and done["error_class"] == "exited", done
    assert "brief" in done["error"]


def test_qemu_that_dies_in_the_verification(lab, host):
    guest = guests.file_guest(lab, "dies")
    helper = start_in_background(lab, host, guest, verify_ms=600000)
    read_until(helper, "started")
    evacuation.kill_qemu(host, guest)
    done = json.loads(helper.stdout.readline())
    helper.wait()
    assert not done["ok"] and done["error_class"] == "exited", done


def test_name_that_another_domain_has(lab, host):
    other = guests.file_guest(lab, "same").define(host)
    guest = guests.file_guest(lab, "same")
    guest.uuid = "00000000-1111-4222-8333-444444444444"
    done = start(host, guest)
    assert not done["ok"] and done["error_class"] == "definition", done
    assert other.uuid in done["error"] and guest.uuid in done["error"]
    assert host.virsh("domuuid", "same").stdout.strip() == other.uuid
    host.virsh("undefine", "same")


def test_uuid_that_another_name_has(lab, host):
    old = guests.file_guest(lab, "oldname").define(host)
    guest = guests.file_guest(lab, "newname")
    guest.uuid = old.uuid
    done = start(host, guest)
    assert not done["ok"] and done["error_class"] == "definition", done
    assert "oldname" in done["error"] and "newname" in done["error"]
    host.virsh("undefine", "oldname")


def test_definitions_that_cannot_be_meant(lab, host):
    guest = guests.file_guest(lab, "mixed")
    for xml, words in ((guest.xml.replace(guest.uuid, "00000000-1111-4222-8333-444444444444"), "mixed"),
                       (guest.xml.replace("mixed</name>", "mingled</name>"), "mingled"), ("<domain>", "mixed"),
                       (guest.xml.replace("pc-i440fx-7.2", "pc-i440fx-0.1"), "mixed")):
        done = start(host, guest, xml=xml)
        assert not done["ok"] and done["error_class"] == "definition" and words in done["error"], done
    assert host.virsh("list", "--all", "--name").stdout.split().count("mixed") <= 1


def test_storage_that_is_missing(lab, host):
    guest = guests.file_guest(lab, "nodisk")
    os.unlink(guest.image)
    done = start(host, guest)
    assert not done["ok"] and done["error_class"] == "storage" and "nodisk.img" in done["error"], done


@pytest.mark.scenario(38)
def test_memory_that_is_missing(lab, host):
    guest = guests.file_guest(lab, "huge", memory=1 << 27)
    done = start(host, guest)
    assert not done["ok"] and done["error_class"] == "memory", done


def test_redefinition_keeps_what_the_domain_has(lab, host):
    """Autostart and snapshots belong to the domain, not to its XML; the changed XML is taken."""
    guest = guests.file_guest(lab, "richer")
    guest.define(host)
    host.virsh("autostart", "richer")
    guest.memory = 5
    assert start(host, guest)["ok"]
    info = host.virsh("dominfo", "richer").stdout
    assert "Autostart:      enable" in info and "Max memory:     5120 KiB" in info
    host.virsh("autostart", "--disable", "richer")


def saved_guest(lab, host, name):
    guest = guests.file_guest(lab, name).define(host)
    guest.start(host)
    guest.wait_beating(boots=1)
    host.virsh("managedsave", name)
    assert name + ".save" in saves(host)
    return guest


def test_stale_managed_save_is_set_aside(lab, host):
    guest = saved_guest(lab, host, "saved")
    with open(host.path("/var/lib/libvirt/qemu/save/saved.save"), "rb") as image:
        before = image.read()
    done = start(host, guest)
    assert done["ok"], done
    assert guest.wait_beating().boots == 2, "it was booted, not resumed"
    assert "saved.save" not in saves(host)
    with open(host.path(done["managed_save_aside"]), "rb") as image:
        assert image.read() == before, "its data is kept"
    assert "Managed save:   no" in host.virsh("dominfo", "saved").stdout


def test_managed_save_is_used_when_asked(lab, host):
    guest = saved_guest(lab, host, "resumed")
    assert start(host, guest, managed_save="use")["ok"]
    assert guest.wait_beating().boots == 1, "it was resumed, not booted"


def test_managed_save_of_an_unknown_domain(lab, host):
    """Undefined by hand, but its file is still there: libvirt would resume from it."""
    guest = saved_guest(lab, host, "ghost")
    os.rename(host.path("/var/lib/libvirt/qemu/save/ghost.save"), host.path("/var/lib/libvirt/qemu/save/kept"))
    evacuation.restart_libvirtd(host)
    host.virsh("undefine", "ghost")
    os.rename(host.path("/var/lib/libvirt/qemu/save/kept"), host.path("/var/lib/libvirt/qemu/save/ghost.save"))
    done = start(host, guest)
    assert done["ok"] and os.path.exists(host.path(done["managed_save_aside"])), done
    assert guest.wait_beating().boots == 2


def orphan(lab, host, name):
    """A QEMU that libvirtd has forgotten."""
    guest = guests.file_guest(lab, name).define(host)
    guest.start(host)
    pid = evacuation.qemu_pid(host, guest)
    host.kill("libvirtd")
    host.run(["rm", "/run/libvirt/qemu/%s.xml" % name, "/run/libvirt/qemu/%s.pid" % name])
    host.start("libvirtd")
    assert evacuation.state(host, guest) == "shut off"
    assert evacuation.qemu_pid(host, guest) == pid
    return guest


def test_orphan_qemu_is_neither_doubled_nor_taken_for_a_start(lab, host):
    guest = orphan(lab, host, "orphan")
    done = start(host, guest)
    assert not done["ok"] and "orphan" in done["error"] and "pid" in done["error"], done
    seen = evacuate(host, "inspect", uuid=guest.uuid)
    assert seen["qemu"] and seen["libvirt"] == "shutoff" and len(seen["pids"]) == 1, seen
    done = evacuate(host, "stop", uuid=guest.uuid, why="stale")
    assert done["ok"] and done["method"] == "kill", done
    assert guest.hosts() == []
    assert start(host, guest)["ok"]


# stop, inspect


def test_stop_ends_it_through_libvirt(lab, host):
    guest = guests.file_guest(lab, "stale")
    start(host, guest)
    done = evacuate(host, "stop", uuid=guest.uuid, why="its owner is h2")
    assert done["ok"] and done["method"] == "libvirt", done
    assert guest.hosts() == [] and evacuation.state(host, guest) == "shut off"
    assert evacuate(host, "stop", uuid=guest.uuid, why="again")["ok"]


def test_inspect_tells_what_is_there(lab, host):
    guest = guests.file_guest(lab, "seen")
    look = lambda: {key: value for key, value in evacuate(host, "inspect", uuid=guest.uuid).items()
                    if key in ("ok", "libvirt", "job", "qemu")}
    assert look() == {"ok": True, "libvirt": "none", "job": False, "qemu": False}
    guest.define(host)
    assert look() == {"ok": True, "libvirt": "shutoff", "job": False, "qemu": False}
    guest.start(host)
    assert look() == {"ok": True, "libvirt": "running", "job": False, "qemu": True}
    host.virsh("suspend", "seen")
    assert look() == {"ok": True, "libvirt": "paused", "job": False, "qemu": True}
    host.stop("libvirtd")
    assert look() == {"ok": True, "libvirt": "none", "job": False, "qemu": True}
    host.start("libvirtd")


HOLD = "while [ ! -e /tmp/go ]; do sleep 0.1; done"


@pytest.fixture
def held(lab, host):
    """Starts in the background what cannot get on before the test ends."""
    jobs = []

    def begin(guest, what):
        jobs.append(subprocess.Popen([lab.tools.init, "run", str(host.pid), "--", "virsh", "-q", "-c", "qemu:///system",
                                      "start", guest.name], env=host.tools.ENVIRONMENT))
        wait_until("the start holds", lambda: [line for line in host.processes().values() if what in " ".join(line)])
    yield begin
    host.run(["touch", "/tmp/go"])
    for job in jobs:
        assert job.wait() == 0
    host.run(["rm", "/tmp/go"])


def test_inspect_sees_a_start_under_way(lab, host, held):
    """There is a process already, but it does not answer libvirt yet."""
    guest = guests.file_guest(lab, "coming")
    host.write("/srv/shared/slow-qemu", "#!/bin/sh\ncase \"$*\" in *-uuid*) %s;; esac\n"
               "exec /usr/bin/qemu-system-x86_64 \"$@\"\n" % HOLD, 0o755)
    xml = guest.xml.replace("/usr/bin/qemu-system-x86_64", "/srv/shared/slow-qemu")
    host.run(["tee", "/tmp/coming.xml"], stdin=xml)
    host.virsh("define", "/tmp/coming.xml")
    held(guest, "slow-qemu -name guest=coming")
    seen = evacuate(host, "inspect", uuid=guest.uuid)
    assert seen["ok"] and seen["job"] and seen["libvirt"] == "paused" and seen["qemu"], seen


def hanging(host, name, guest, does="sleep 1"):
    """Its definition with a QEMU that never answers libvirt, as one that waits for its storage."""
    host.write("/srv/shared/" + name, "#!/bin/sh\ncase \"$*\" in *-uuid*) while :; do %s; done;; esac\n"
               "exec /usr/bin/qemu-system-x86_64 \"$@\"\n" % does, 0o755)
    return guest.xml.replace("/usr/bin/qemu-system-x86_64", "/srv/shared/" + name)


def test_qemu_that_does_not_come_up_is_ended(lab, host):
    """It would keep the guest from every other host for as long as it waits."""
    guest = guests.file_guest(lab, "waiting")
    xml = hanging(host, "hung-qemu", guest)
    done = start(host, guest, xml=xml, start_timeout_ms=6000)
    assert not done["ok"] and done["error_class"] == "timeout", done
    assert "did not come up within 6000 ms" in done["error"] and "was ended" in done["error"], done
    seen = evacuate(host, "inspect", uuid=guest.uuid)
    assert (seen["ok"], seen["job"], seen["qemu"], seen["libvirt"]) == (True, False, False, "shutoff"), seen


def test_qemu_that_is_at_work_is_not_ended(lab, host):
    """As one that makes a large memory ready: it would be ended on every host, and start on none."""
    guest = guests.file_guest(lab, "large")
    done = start(host, guest, xml=hanging(host, "busy-qemu", guest, ":"), start_timeout_ms=3000)
    assert not done["ok"] and done["error_class"] == "timeout" and "ended" not in done["error"], done
    seen = evacuate(host, "inspect", uuid=guest.uuid)
    assert seen["job"] and seen["qemu"], seen
    evacuate(host, "stop", uuid=guest.uuid, why="the test is over")


@pytest.mark.parametrize("where, runs", [("prepare", False), ("started", True)])
def test_start_that_hangs_in_libvirtd_is_left_alone(lab, host, where, runs):
    """libvirtd does not say that the QEMU is still to come up: there may be none yet, or its guest may run."""
    guest = guests.file_guest(lab, "in" + where)
    host.write("/etc/libvirt/hooks/qemu.d/10-slow", "#!/bin/sh\n[ \"$2\" != %s ] || %s\n" % (where, HOLD), 0o755)
    evacuation.restart_libvirtd(host)
    try:
        done = start(host, guest, start_timeout_ms=6000)
        assert done["progress"] == ["defined", "starting"], done
        assert not done["ok"] and done["error_class"] == "timeout" and "ended" not in done["error"], done
        seen = evacuate(host, "inspect", uuid=guest.uuid)
        assert seen["job"] and seen["qemu"] == runs, seen
    finally:
        host.run(["touch", "/tmp/go"])
        os.unlink(host.path("/etc/libvirt/hooks/qemu.d/10-slow"))
    assert guest.wait_beating().boots == 1
    host.run(["rm", "/tmp/go"])


def test_inspect_sees_a_start_that_its_hook_holds_up(lab, host, held):
    """There is no process yet. libvirt keeps the domain locked, so it cannot be asked, and the start not excluded."""
    guest = guests.file_guest(lab, "hooked").define(host)
    host.write("/etc/libvirt/hooks/qemu.d/10-slow", "#!/bin/sh\n[ \"$2\" != prepare ] || %s\n" % HOLD, 0o755)
    evacuation.restart_libvirtd(host)
    try:
        held(guest, "10-slow hooked prepare begin")
        seen = evacuate(host, "inspect", uuid=guest.uuid)
        assert seen["ok"] and seen["job"] and not seen["qemu"] and seen["libvirt"] == "hung", seen
    finally:
        os.unlink(host.path("/etc/libvirt/hooks/qemu.d/10-slow"))


def test_frozen_libvirtd_holds_nothing_up(lab, host):
    """Every operation ends by itself, and says what could not be told; a stale QEMU is ended all the same."""
    guest, new = guests.file_guest(lab, "frozen"), guests.file_guest(lab, "other")
    start(host, guest)
    host.freeze("libvirtd")
    seen = evacuate(host, "inspect", uuid=guest.uuid)
    assert seen["ok"] and seen["libvirt"] == "hung" and seen["job"] and seen["qemu"], seen
    assert evacuate(host, "qemus")["qemus"][0]["uuid"] == guest.uuid
    done = start(host, new, start_timeout_ms=500)
    assert not done["ok"] and done["error_class"] == "timeout", done
    done = evacuate(host, "stop", uuid=guest.uuid, why="stale")
    assert done["ok"] and done["method"] == "kill", done
    assert guest.hosts() == []
    host.thaw("libvirtd")
    wait_until("libvirt sees the end", lambda: evacuation.state(host, guest) == "shut off")


# tidy


def test_tidy_undefines_and_keeps_everything(lab, host):
    guest = guests.file_guest(lab, "left")
    nvram = "/var/lib/libvirt/qemu/nvram/left_VARS.fd"
    xml = guest.xml.replace("<boot dev='hd'/>", "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>"
                            "<nvram>%s</nvram>" % nvram)
    host.write(nvram, "settings of the firmware")
    host.run(["tee", "/tmp/left.xml"], stdin=xml)
    host.virsh("define", "/tmp/left.xml")
    snapshot = "<domainsnapshot><name>before update</name><state>shutoff</state><creationTime>1700000000</creationTime>%s</domainsnapshot>" % \
        host.virsh("dumpxml", "left").stdout
    host.run(["tee", "/tmp/snapshot.xml"], stdin=snapshot)
    host.virsh("snapshot-create", "left", "/tmp/snapshot.xml", "--redefine")
    done = evacuate(host, "tidy", uuid=guest.uuid, undefine=True, managed_save="aside")
    assert done["ok"] and done["undefined"], done
    assert "left" not in host.virsh("list", "--all", "--name").stdout.split()
    assert host.read(nvram) == "settings of the firmware"
    copies = host.path(done["copies"])
    assert sorted(os.listdir(copies)) == ["domain.xml", "snapshot-0.xml"]
    assert all(os.stat(os.path.join(copies, name)).st_mode & 0o777 == 0o600 for name in os.listdir(copies))
    assert "<name>before update</name>" in host.read(done["copies"] + "/snapshot-0.xml")
    # What was copied is whole: it can all be defined again.
    host.virsh("define", done["copies"] + "/domain.xml")
    host.virsh("snapshot-create", "left", done["copies"] + "/snapshot-0.xml", "--redefine")
    assert evacuate(host, "tidy", uuid=guest.uuid, undefine=True)["ok"]
    assert evacuate(host, "tidy", uuid=guest.uuid, undefine=True)["ok"], "nothing is left to do, which is no error"


def test_tidy_sets_a_managed_save_aside(lab, host):
    guest = saved_guest(lab, host, "laid")
    refused = evacuate(host, "tidy", uuid=guest.uuid, undefine=True)
    assert not refused["ok"] and "managed save" in refused["error"], refused
    done = evacuate(host, "tidy", uuid=guest.uuid, managed_save="aside")
    assert done["ok"] and os.path.exists(host.path(done["managed_save_aside"])), done
    assert "laid.save" not in saves(host)
    assert evacuation.state(host, guest) == "shut off"
    assert evacuate(host, "tidy", uuid=guest.uuid, managed_save="aside").get("managed_save_aside") is None
    assert evacuate(host, "tidy", uuid=guest.uuid, undefine=True)["undefined"]


def test_tidy_leaves_alone_what_runs(lab, host):
    guest = guests.file_guest(lab, "busy")
    start(host, guest)
    done = evacuate(host, "tidy", uuid=guest.uuid, undefine=True, managed_save="aside")
    assert not done["ok"] and done["error_class"] == "running", done
    assert evacuation.state(host, guest) == "running"


# requests


@pytest.mark.parametrize("verb, text, words", [
    ("start", '{"op":"x","uuid":"y"}', "uuid"), ("stop", "[]", "object"), ("tidy", "", "JSON"), ("watch", "{}\n", "op")])
def test_bad_requests_are_answered(lab, host, verb, text, words):
    done = host.run([evacuation.program(lab, "hamon-evacuate"), verb], stdin=text)
    told = json.loads(done.stdout)
    assert not told["ok"] and told["error_class"] == "bad-request" and words in told["error"], told
