"""The lab proves itself: what it says about hosts, power, networks and double runs is true."""
import errno
import os
import shutil
import socket
import subprocess
import tempfile

import bmc
import guests
import pytest
import spaces
from config import BMC_PASSWORD, BMC_USER, bmc_address
from lab import Lab
from spaces import LabError, wait_until

pytestmark = pytest.mark.xdist_group("test_lab")


@pytest.fixture(scope="module")
def lab():
    with Lab(stage=None, what="test_lab.py", wait=1800) as lab:
        lab.up()
        yield lab


def members(host):
    """Node ids that corosync on this host counts as present, and whether it has quorum."""
    told = host.run(["corosync-quorumtool", "-p", "-l"], check=False).stdout
    status = host.run(["corosync-quorumtool", "-s"], check=False).stdout
    return sorted(int(line.split()[0]) for line in told.splitlines() if line.split() and line.split()[0].isdigit()), \
        "Quorate:          Yes" in status


def wait_members(host, nodes, quorate=True):
    wait_until("corosync on %s sees %s" % (host.name, nodes), lambda: members(host) == (nodes, quorate),
               seen=lambda: (members(host), host.log("/var/log/corosync/corosync.log", 10)))


def all_back(lab):
    for host in lab.hosts:
        if not host.alive():
            host.boot()
        host.join()
    for host in lab.hosts:
        wait_members(host, [1, 2, 3])


def fence(lab, number, action, by):
    """fence_ipmilan as an operator would call it, from one of the hosts."""
    options = "ip=%s\nusername=%s\npassword=%s\nlanplus=1\ncipher=3\nshell_timeout=4\naction=%s\n" % (
        bmc_address(number), BMC_USER, BMC_PASSWORD, action)
    return lab.host(by).run(["fence_ipmilan"], check=False, stdin=options).returncode


def test_corosync_forms_one_cluster(lab):
    for host in lab.hosts:
        wait_members(host, [1, 2, 3])
        up = "corosync-cmapctl -m stats | grep -v node%d | grep -c 'link[01].connected.*= 1'" % host.number
        wait_until("both links to both other hosts are up", lambda: host.run(up, check=False).stdout == "4\n")


def test_hosts_have_their_own_identity(lab):
    for path in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id", "/etc/hostname"):
        assert len({host.run(["cat", path]).stdout for host in lab.hosts}) == 3
    before = lab.host(3).boot_id
    lab.host(3).power_off()
    assert not lab.host(3).alive()
    lab.host(3).boot()
    assert lab.host(3).boot_id != before
    assert lab.host(3).run(["cat", "/proc/sys/kernel/random/boot_id"]).stdout.strip() == lab.host(3).boot_id
    all_back(lab)


def test_addresses_stay_inside(lab):
    """From the machine itself the lab's addresses lead nowhere, at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire, pytest.raises(OSError) as refused:
        wire.connect(("10.77.0.1", 9))
    assert refused.value.errno == errno.EINVAL  # what a blackhole route answers, see ip-route(8)


def test_lab_below_a_chroot(lab):
    """Its root is no mount there: whoever enters the lab finds the chroot all the same, and nothing comes back to where it was started,
    were that shared with others as systemd has it."""
    root = tempfile.mkdtemp(prefix="chroot-", dir=lab.folder)
    for name in ("proc", "sys", "run"):
        os.mkdir(os.path.join(root, name))
    shutil.copy(lab.tools.init, os.path.join(root, "labinit"))
    run = subprocess.Popen(["unshare", "--mount", "sh", "-c", "mount --make-rshared / && mount --bind /proc proc && echo mounted && "
                            "read go && chroot . /labinit lab"], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def mounts():
        with open("/proc/%d/mountinfo" % run.pid) as table:
            return table.read()

    def inside(*command):
        return subprocess.run([lab.tools.init, "run", pid, "--"] + list(command), capture_output=True, text=True).returncode

    try:
        assert run.stdout.readline() == "mounted\n"
        before = mounts()
        run.stdin.write("go\n")
        run.stdin.flush()
        said = sorted(word for _ in range(2) for word in run.stdout.readline().split())
        assert said[1:] == ["pid", "ready"], said
        pid = said[0]
        assert inside("/labinit") == 64  # it is there, and says how it is used
        assert inside("/bin/sh", "-c", "true") == 127  # the machine's is not
        assert mounts() == before
    finally:
        run.stdin.close()
        run.wait()
        run.stdout.close()
    shutil.rmtree(root)


def test_witness_counts_its_starts(lab):
    guest = guests.file_guest(lab, "counter").define(lab.host(1))
    guest.start(lab.host(1))
    guest.wait_beating(boots=1)
    assert guest.hosts() == ["h1"]
    lab.host(1).virsh("destroy", "counter")
    assert guest.hosts() == []
    guest.start(lab.host(1))
    assert guest.wait_beating(boots=2).violations == 0
    lab.host(1).virsh("destroy", "counter")


def test_witness_and_referee_see_a_double_run(lab):
    """The detector itself is proven: one NBD disk, which has no lock, run by two hosts on purpose."""
    import stores
    guest = stores.nbd_guest(lab, "double")
    for number in (1, 2):
        guest.define(lab.host(number)).start(lab.host(number))
    seen = wait_until("the witness sees the other", lambda: (guest.read() or guests.Witness(0, 0, 0, 0, 0)).violations,
                      seen=guest.read)
    assert seen > 0
    assert guest.hosts() == ["h1", "h2"]
    wait_until("the referee sees both", lambda: [d for d in lab.referee.doubles if d[1] == guest.uuid])
    for number in (1, 2):
        lab.host(number).virsh("destroy", "double")
    # It stays visible after a later, innocent start.
    before = guest.read()
    guest.start(lab.host(1))
    assert guest.wait_beating(boots=before.boots + 1).violations >= seen
    lab.host(1).virsh("destroy", "double")
    lab.referee.doubles.clear()


def test_file_lock_refuses_a_second_run(lab):
    guest = guests.file_guest(lab, "locked")
    for number in (1, 2):
        guest.define(lab.host(number))
    guest.start(lab.host(1))
    refused = guest.start(lab.host(2), check=False)
    assert refused.returncode != 0 and 'Failed to get "write" lock' in refused.stderr
    lab.host(1).virsh("destroy", "locked")
    lab.referee.doubles.clear()  # the refused QEMU was there for a moment


def test_qcow2_chain_is_read_while_it_runs(lab):
    guest = guests.qcow2_guest(lab, "chained").define(lab.host(2))
    guest.start(lab.host(2))
    guest.wait_beating(boots=1)
    lab.host(2).virsh("destroy", "chained")


def test_cut_and_join(lab):
    lab.host(1).cut()
    wait_members(lab.host(2), [2, 3])
    wait_members(lab.host(1), [1], quorate=False)
    assert lab.host(1).alive()
    lab.host(1).join()
    for host in lab.hosts:
        wait_members(host, [1, 2, 3])


def test_one_link_cut_keeps_the_cluster(lab):
    count = lambda: int(lab.host(2).run("corosync-cmapctl -m stats | grep -c 'node1.link1.connected.*= 1'", check=False).stdout)
    lab.host(1).cut([1])
    wait_until("link 1 of h1 is seen as down", lambda: count() == 0)
    assert members(lab.host(2)) == ([1, 2, 3], True)
    lab.host(1).join([1])
    wait_until("link 1 of h1 is back", lambda: count() == 1)


def test_partition_and_heal(lab):
    lab.partition([lab.host(3)])
    wait_members(lab.host(1), [1, 2])
    wait_members(lab.host(3), [3], quorate=False)
    assert fence(lab, 1, "status", by=3) == 0  # the management network is whole
    lab.heal()
    for host in lab.hosts:
        wait_members(host, [1, 2, 3])


def test_fence_agent_switches_the_power(lab):
    guest = guests.file_guest(lab, "fenced").define(lab.host(1))
    guest.start(lab.host(1))
    guest.wait_beating(boots=1)
    assert fence(lab, 1, "status", by=2) == 0
    assert fence(lab, 1, "off", by=2) == 0
    assert not lab.host(1).alive() and guest.hosts() == []
    assert fence(lab, 1, "status", by=2) == 2
    wait_members(lab.host(2), [2, 3])
    guest.define(lab.host(2)).start(lab.host(2))
    assert guest.wait_beating(boots=2).violations == 0
    assert fence(lab, 1, "on", by=2) == 0
    wait_until("h1 is back", lambda: lab.host(1).alive())
    wait_members(lab.host(1), [1, 2, 3])
    wait_until("libvirtd on h1 answers", lambda: lab.host(1).virsh("version", check=False).returncode == 0)
    lab.host(2).virsh("destroy", "fenced")


def test_bmc_that_fails(lab):
    bmc.stop(lab, lab.host(3))
    assert fence(lab, 3, "status", by=2) == 1
    bmc.start(lab, [lab.host(3)])
    wait_until("the BMC is back", lambda: fence(lab, 3, "status", by=2) == 0)


def test_signals_reach_only_one_host(lab):
    others = {host.name: host.pids("corosync") for host in lab.hosts[1:]}
    assert lab.host(1).kill("corosync") == 1
    assert lab.host(1).pids("corosync") == []
    assert {host.name: host.pids("corosync") for host in lab.hosts[1:]} == others
    lab.host(1).start_corosync()
    all_back(lab)


def test_only_one_lab_at_a_time(lab):
    with pytest.raises(LabError, match="another lab is up on this machine .*test_lab.py"):
        Lab().up()


def test_iscsi_guest_runs(lab):
    import stores
    guest = stores.Iscsi(lab).guest("lun").define(lab.host(1))
    guest.start(lab.host(1))
    guest.wait_beating(boots=1)
    lab.host(1).virsh("destroy", "lun")


def test_dead_mount(lab):
    """A folder of one host through FUSE, whose server stops: reads hang there, and nowhere else."""
    import stores
    host = lab.host(3)
    guest = guests.file_guest(lab, "onfuse", folder="/srv/shared/slow")
    host.power_off()
    stores.fuse_over(host, "/srv/shared/slow")
    host.boot()
    guest.define(host).start(host)
    guest.wait_beating(boots=1)
    host.virsh("destroy", "onfuse")
    stores.fuse_freeze(host)
    reader = host.spawn(["cat", "/srv/shared/slow/nothing"])
    state = lambda: open("/proc/%d/stat" % reader).read().rsplit(")", 1)[1].split()[0]
    started = spaces.start_time(reader)
    wait_until("it reads", lambda: spaces.command_name(reader) == "cat" and state() == "S")
    spaces.kill(reader, started)
    wait_until("it cannot even be killed", lambda: state() == "D")
    assert lab.host(1).run(["cat", "/srv/shared/slow/onfuse.img"], text=False).returncode == 0
    stores.fuse_thaw(host)
    wait_until("the reader is gone", lambda: spaces.start_time(reader) != started)
    stores.fuse_freeze(host)
    host.spawn(["cat", "/srv/shared/slow/nothing"])
    host.power_off()  # and still the host can lose its power


def test_gluster(lab):
    import stores
    for host in lab.hosts:
        if not host.alive():
            host.boot()
    lab.each(lambda host: host.start("gluster"))
    stores.gluster_create(lab)
    guest = stores.gluster_guest(lab, "replicated").define(lab.host(1))
    guest.start(lab.host(1))
    guest.wait_beating(boots=1)
    lab.host(1).power_off()
    guest.define(lab.host(2))
    wait_until("the dead host's lock is given up", lambda: guest.start(lab.host(2), check=False).returncode == 0, 180, 1)
    assert guest.wait_beating(boots=2).violations == 0
