"""The start gate in libvirt's qemu hook, and the proof that libvirtd has loaded it."""
import os
import signal
import subprocess

import evacuation
import guests
import pytest
from evacuation import Gate, Watch, gate_list_write
from spaces import wait_until

pytestmark = pytest.mark.xdist_group("test_start_gate")

FOREIGN = "00000000-2222-4222-8333-444444444444"


@pytest.fixture(scope="module")
def lab():
    lab = evacuation.lab_of(2, "test_start_gate.py")
    yield lab
    lab.down()


def clean(host):
    host.thaw("libvirtd")
    for name in host.virsh("list", "--name").stdout.split():
        host.virsh("destroy", name, check=False)
    for name in host.virsh("list", "--all", "--name").stdout.split():
        host.virsh("undefine", name)
    host.run(["rm", "-f", evacuation.GATE_LIST])


@pytest.fixture
def host(lab):
    """A host whose libvirtd has loaded the hook, without a hamond."""
    host = lab.host(1)
    if not os.path.exists(host.path(evacuation.HOOK)):
        evacuation.hook_install(host)
        evacuation.restart_libvirtd(host)
    yield host
    for each in lab.hosts:
        clean(each)


def probed(host):
    with Watch(host) as watch:
        hello = watch.type("hello")
        told = watch.synced()
    assert not [name for name in told if name.startswith("hamon-probe")]
    assert "hamon-probe" not in host.virsh("list", "--all", "--name").stdout, "the probe leaves nothing behind"
    return hello["gate"], hello["gate_detail"]


# the probe


def test_probe_without_a_hook(lab):
    host = lab.host(2)
    assert probed(host)[0] == "not-loaded"


def test_probe_of_a_hook_that_came_after_libvirtd(lab):
    """It lies in its folder, but libvirtd looked only when it started."""
    host = lab.host(2)
    evacuation.hook_install(host)
    gate, detail = probed(host)
    assert gate == "not-loaded" and "restart libvirtd" in detail
    host.signal("libvirtd", signal.SIGHUP)
    wait_until("the reloaded libvirtd has found it", lambda: probed(host)[0] == "ok", every=0.5)
    evacuation.restart_libvirtd(host)
    assert probed(host)[0] == "ok"
    evacuation.hook_remove(host)
    assert probed(host)[0] == "not-loaded", "libvirtd runs what is there at each start"
    evacuation.restart_libvirtd(host)


def test_probe_that_somebody_elses_hook_refuses(lab):
    host = lab.host(2)
    host.write("/etc/libvirt/hooks/qemu.d/10-other", "#!/bin/sh\necho no such guest here >&2\nexit 1\n", 0o755)
    evacuation.restart_libvirtd(host)
    try:
        gate, detail = probed(host)
        assert gate == "not-loaded" and "no such guest here" in detail
    finally:
        os.unlink(host.path("/etc/libvirt/hooks/qemu.d/10-other"))
        evacuation.restart_libvirtd(host)


def test_watch_notices_that_the_hook_goes_and_comes(lab, host):
    with Watch(host) as watch:
        assert watch.type("hello")["gate"] == "ok"
        evacuation.hook_remove(host)
        assert watch.type("gate")["gate"] == "not-loaded"
        evacuation.hook_install(host)
        assert watch.type("gate")["gate"] == "ok"


def test_killed_watch_leaves_no_probe(lab):
    """Without a hook the probe really starts; libvirt itself ends it with the connection."""
    host = lab.host(2)
    for _ in range(5):
        watch = Watch(host)
        wait_until("the probe runs", lambda: "hamon-probe" in host.virsh("list", "--all", "--name").stdout
                   or watch.process.poll() is not None or not watch._lines.empty(), every=0.01)
        host.kill("hamon-evacuate")
        watch.process.kill()
        watch.process.wait()
        wait_until("no probe is left", lambda: "hamon-probe" not in host.virsh("list", "--all", "--name").stdout
                   and not host.pids("qemu-system-x86"))


# hamond's answers


def test_allowed_start(lab, host):
    guest = guests.file_guest(lab, "allowed", protected=True).define(host)
    with Gate(host, "allow") as gate:
        guest.start(host)
        asked = gate.asked[0]
    assert len(gate.asked) == 1
    assert (asked["verb"], asked["op"], asked["uuid"], asked["name"]) == ("gate", "start", guest.uuid, "allowed")
    assert asked["protected"] is True and asked["disks_unknown"] is False
    assert [(disk["id"], disk["writable"]) for disk in asked["disks"]] == [("path:/srv/shared/allowed.img", True)]


def test_refused_start(lab, host):
    """The refusal names the instance, the owner and what to do, to whoever tried."""
    guest = guests.file_guest(lab, "refused").define(host)
    with Gate(host, "refuse"):
        done = guest.start(host, check=False)
        helped = evacuation.start(host, guest)
    assert done.returncode and guest.hosts() == []
    for words in ("refused", guest.uuid, "it is owned by h2", "hamonctl explain"):
        assert words in done.stderr, done.stderr
    assert helped["error_class"] == "gate" and "it is owned by h2" in helped["error"], helped


@pytest.mark.parametrize("mode", ["silence", "error"])
def test_hamond_without_a_decision_counts_as_none(lab, host, mode):
    listed, free = guests.file_guest(lab, "listed-" + mode), guests.file_guest(lab, "free-" + mode)
    gate_list_write(host, [{"uuid": listed.uuid, "name": listed.name, "owner": "h1", "self": True, "disks": []}])
    with Gate(host, mode) as gate:
        done = listed.define(host).start(host, check=False)
        assert done.returncode and "protected" in done.stderr
        free.define(host).start(host)
    assert len(gate.asked) == 2


def test_frozen_hamond_counts_as_none(lab, host):
    listed, free = guests.file_guest(lab, "listed"), guests.file_guest(lab, "free")
    gate_list_write(host, [{"uuid": listed.uuid, "name": "listed", "owner": "h2", "self": False, "disks": []}])
    with Gate(host, "allow"):
        host.freeze("gate_answers")
        done = listed.define(host).start(host, check=False)
        assert done.returncode and "h2" in done.stderr
        free.define(host).start(host)


# without hamond


def test_without_hamond_and_list(lab, host):
    plain, said = guests.file_guest(lab, "plain"), guests.file_guest(lab, "said", protected=True)
    plain.define(host).start(host)
    done = said.define(host).start(host, check=False)
    assert done.returncode and "protected" in done.stderr and "hamond" in done.stderr


def test_without_hamond_all_protected(lab, host):
    plain, freed = guests.file_guest(lab, "plain"), guests.file_guest(lab, "freed", protected=False)
    gate_list_write(host, [], protect="all")
    assert plain.define(host).start(host, check=False).returncode
    freed.define(host).start(host)


def test_without_hamond_broken_list(lab, host):
    plain, freed = guests.file_guest(lab, "plain"), guests.file_guest(lab, "freed", protected=False)
    host.write(evacuation.GATE_LIST, '{"instances":[{"uu')
    done = plain.define(host).start(host, check=False)
    assert done.returncode and "cannot be read" in done.stderr
    freed.define(host).start(host)


def test_clone_with_a_protected_disk(lab, host):
    """Another name and another UUID, but the same bytes: known by the folder's mark, on whatever path."""
    clone = guests.file_guest(lab, "clone", protected=False)
    os.symlink("clone.img", os.path.join(lab.shared, "innocent.img"))
    clone.disk_xml = clone.disk_xml.replace("clone.img", "innocent.img")
    os.makedirs(os.path.join(lab.shared, ".hamon"))
    try:
        with open(os.path.join(lab.shared, ".hamon/place-id"), "w") as mark:
            mark.write("5f0c9a52-6a1f-4a53-9d5e-0d6c4b4d9c11\n")
        gate_list_write(host, [{"uuid": FOREIGN, "name": "original", "owner": "h2", "self": False,
                                "disks": ["file:5f0c9a52-6a1f-4a53-9d5e-0d6c4b4d9c11:clone.img"]}])
        done = clone.define(host).start(host, check=False)
        assert done.returncode and "original" in done.stderr and FOREIGN in done.stderr, done.stderr
    finally:
        os.unlink(os.path.join(lab.shared, ".hamon/place-id"))
        os.rmdir(os.path.join(lab.shared, ".hamon"))
        os.unlink(os.path.join(lab.shared, "innocent.img"))


@pytest.mark.parametrize("hamond", [True, False])
def test_disk_on_a_dead_mount(lab, host, hamond):
    """Which disk it is cannot be told; the hook leaves its stuck child behind and says so, or tells hamond."""
    guest = guests.file_guest(lab, "buried")
    guest.disk_xml = guest.disk_xml.replace("/srv/shared/buried.img", "/mnt/dead/buried.img")
    gate_list_write(host, [{"uuid": FOREIGN, "name": "original", "owner": "h2", "self": False, "disks": []}])
    with evacuation.dead_mount(host, "/mnt/dead"), Gate(host, "refuse" if hamond else "silence") as gate:
        done = guest.define(host).start(host, check=False)
        assert done.returncode and ("owned by h2" if hamond else "does not answer, so whether") in done.stderr, done.stderr
        assert gate.asked[0]["disks_unknown"] is True


# what must never be refused


def test_reconnect_never_ends_a_guest(lab, host):
    """libvirtd comes back while the gate refuses everything: its guests live on."""
    guest = guests.file_guest(lab, "lives").define(host)
    guest.start(host)
    pid = evacuation.qemu_pid(host, guest)
    gate_list_write(host, [{"uuid": guest.uuid, "name": "lives", "owner": "h2", "self": False, "disks": []}])
    with Gate(host, "refuse") as gate:
        for number in (signal.SIGTERM, signal.SIGKILL):
            evacuation.restart_libvirtd(host, number)
            assert evacuation.state(host, guest) == "running" and evacuation.qemu_pid(host, guest) == pid
    assert not gate.asked
    host.virsh("destroy", "lives")  # stopped and release pass as well


def test_other_operations_pass_unread(lab, host):
    """A definition larger than a pipe: libvirtd is not disturbed by a hook that leaves it unread."""
    guest = guests.file_guest(lab, "large")
    guest.metadata = "<description>%s</description>\n" % ("x" * 300000)
    guest.define(host).start(host)
    host.virsh("destroy", "large")
    hook = evacuation.program(lab, "hamon-qemu-hook")
    for operation in ("prepare end", "start begin", "started begin", "stopped end", "release end", "reconnect begin",
                      "attach begin", "restore begin", "migrate end", "new-thing begin"):
        done = host.run([hook, "large"] + operation.split() + ["-"], stdin="no XML at all")
        assert (done.stdout, done.stderr) == ("", ""), operation


def test_options_of_a_hostile_name(lab, host):
    """libvirtd's four arguments are never options, however a domain is called."""
    hook = evacuation.program(lab, "hamon-qemu-hook")
    xml = guests.file_guest(lab, "hostile", protected=True).xml
    for name in ("--list", "--version", "--"):
        done = host.run([hook, name, "prepare", "begin", "-"], stdin=xml, check=False)
        assert done.returncode == 1 and "protected" in done.stderr, name
    done = host.run([hook, "--list", "--list", "prepare", "begin", "-"], stdin=xml, check=False)
    assert done.returncode == 64, "one argument too many is no pair of an option"


def test_unreadable_definitions_are_refused(lab, host):
    hook = evacuation.program(lab, "hamon-qemu-hook")
    for xml in ("", "<domain>", "x" * (2 << 20)):
        done = host.run([hook, "bad", "prepare", "begin", "-"], stdin=xml, check=False)
        assert done.returncode == 1 and "bad" in done.stderr and done.stdout == ""


def test_definition_that_never_ends(lab, host):
    """Whoever calls and holds its pipe open: the hook ends by itself."""
    hook = subprocess.Popen([lab.tools.init, "run", str(host.pid), "--", evacuation.program(lab, "hamon-qemu-hook"),
                             "slow", "prepare", "begin", "-"], text=True, stdin=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=host.tools.ENVIRONMENT)
    assert hook.wait(timeout=60) == 1
    assert "slow" in hook.stderr.read()
    hook.stdin.close()


# live migration


def migrate(lab, guest):
    return lab.host(1).virsh("migrate", "--live", "--unsafe", "--p2p", guest.name, "qemu+tcp://10.77.0.2/system", check=False)


@pytest.fixture
def pair(lab, host):
    target = lab.host(2)
    evacuation.hook_install(target)
    evacuation.restart_libvirtd(target)
    yield host, target
    clean(target)
    evacuation.hook_remove(target)
    evacuation.restart_libvirtd(target)


def test_migration_asks_on_its_target(lab, pair):
    source, target = pair
    guest = guests.file_guest(lab, "moves").define(source)
    guest.start(source)
    lab.referee.allow(guest.uuid)
    with Gate(target, "allow") as gate, Gate(source, "refuse") as at_source, Watch(source) as out, Watch(target) as into:
        out.synced()
        into.synced()
        done = migrate(lab, guest)
        assert done.returncode == 0, done.stderr
        assert guest.hosts() == ["h2"]
        assert out.domain(guest, event="migrated-out")["reason"] == "migrated"
        into.domain(guest, event="migrated-in", state="running")
    # The answers on stdout of "migrate begin" would have replaced the definition; there were none.
    assert [asked["op"] for asked in gate.asked] == ["migrate-in", "start"], "one migration asks twice"
    assert not [asked for asked in at_source.asked if asked["uuid"] == guest.uuid]
    guest.wait_beating(boots=1)
    lab.referee.doubles.clear()


def test_refused_migration_stays_where_it_is(lab, pair):
    source, target = pair
    guest = guests.file_guest(lab, "stays").define(source)
    guest.start(source)
    pid = evacuation.qemu_pid(source, guest)
    with Gate(target, "refuse"):
        done = migrate(lab, guest)
    assert done.returncode and "it is owned by h2" in done.stderr
    assert guest.hosts() == ["h1"] and evacuation.qemu_pid(source, guest) == pid
    assert evacuation.state(source, guest) == "running"
