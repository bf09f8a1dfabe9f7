"""Storage that is gone for one or for all, too little memory, clocks that step, stores that are full or damaged."""
import os

import guests
import pytest
import stores
from cluster import LONG
from faults import moves_from_h1, quiet, stay


def on_fuse(cluster, *names):
    """These hosts see /srv/shared/slow through a file system that can be made to hang."""
    for name in names:
        stores.fuse_over(cluster.host(name), "/srv/shared/slow")
    for host in cluster.lab.hosts:  # one by one: their servers mark the one folder under all of them
        host.boot()
    cluster.wait_settled()
    guest = guests.file_guest(cluster.lab, "slow", folder="/srv/shared/slow")
    return guest


def verdict_of(cluster, name, host, asked=None):
    return {entry["host"]: entry["verdict"] for entry in cluster.instance(name, asked)["verdicts"]}[host]


@pytest.mark.scenario(10)
@pytest.mark.lab(boot=False)
@pytest.mark.long
def test_one_host_loses_its_storage(cluster):
    """Its guest hangs where it is: it could write again at any moment, so it runs nowhere else while its host lives."""
    guest = on_fuse(cluster, "h1")
    cluster.add(guest, "h1")
    cluster.file_guest("quick", "h1")
    cluster.wait_known()
    stores.fuse_freeze(cluster.host("h1"))
    quiet(cluster, 12)
    assert guest.hosts() == ["h1"] and cluster.host_status("h1")["state"] == "admitted"
    refused = cluster.host("h2").run(["evacuate", "--on-shared-storage", "slow"], check=False)
    assert refused.returncode == 2, refused
    stores.fuse_thaw(cluster.host("h1"))
    guest.wait_beating(boots=1)
    stores.fuse_freeze(cluster.host("h1"))
    cluster.host("h1").power_off()
    cluster.wait_closed("h1")
    cluster.expect("moved", "slow", "quick")
    cluster.wait_running("slow", "quick", on=("h2", "h3"))


@pytest.mark.scenario(11)
@pytest.mark.lab(boot=False)
def test_everybody_loses_the_storage(cluster):
    guest = on_fuse(cluster, "h1", "h2", "h3")
    cluster.add(guest, "h1")
    cluster.wait_known()
    for host in cluster.lab.hosts:
        stores.fuse_freeze(host)
    cluster.wait("nobody reaches it", lambda: all(verdict_of(cluster, "slow", name, "h2") == "unknown" for name in ("h2", "h3")), LONG)
    cluster.host("h1").power_off()
    cluster.wait("h1 is lost, with a reason why nothing is done", lambda: cluster.host_status("h1", "h2")["state"] == "lost"
                 and "reach" in cluster.host_status("h1", "h2")["reason"])
    quiet(cluster, 5)
    for name in ("h2", "h3"):
        stores.fuse_thaw(cluster.host(name))
    cluster.wait_closed("h1")
    cluster.expect("moved", "slow")
    cluster.wait_running("slow", on=("h2", "h3"))


@pytest.mark.scenario(38)
def test_targets_without_memory(cluster):
    """A guest that fits nowhere any more waits, and it is said why; the small ones do not wait for it."""
    free = max(entry["free_mib"] for entry in cluster.status("h2")["hosts"])
    cluster.add(guests.file_guest(cluster.lab, "big", memory=free + 1024, priority=900), "h1")
    cluster.file_guest("a1", "h1")
    cluster.file_guest("a2", "h1")
    cluster.wait_known()
    cluster.host("h1").power_off()
    cluster.expect("moved", "a1", "a2")
    cluster.wait_running("a1", "a2", on=("h2", "h3"))
    cluster.wait("big waits", lambda: cluster.instance("big")["phase"] == "waiting")
    assert "MiB free" in cluster.instance("big")["reason"] and cluster.guests["big"].hosts() == []
    cluster.expect("absent", "big")


# --- the clock, the store ---

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


@pytest.mark.scenario(34)
@pytest.mark.lab(boot=False, environment={
    "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": "/etc/faketime", "FAKETIME_NO_CACHE": "1",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"})
@pytest.mark.long
def test_wall_clock_steps(cluster):
    """Every hamond and what it starts sees a wall clock that jumps by an hour, by ten years, and back, each its own way."""
    for host in cluster.lab.hosts:
        host.write("/etc/faketime", "+0\n")
    cluster.lab.each(lambda host: host.boot())
    cluster.wait_settled()
    stay(cluster)
    for steps in (("+1h", "-1h", "+0"), ("+10y", "+0", "-10y"), ("+0", "+10y", "+1h")):
        for host, step in zip(cluster.lab.hosts, steps):
            host.write("/etc/faketime", step + "\n")
        quiet(cluster, 2)
        for _ in range(2):  # so that something is written and logged at each of them
            cluster.host("h2").run(["hamonctl", "maintenance", "h3", "on"])
            cluster.host("h2").run(["hamonctl", "maintenance", "h3", "off"])
    assert cluster.incidents() == [] and cluster.host_status("h1")["state"] == "admitted"
    cluster.host("h2").write("/etc/faketime", "-1h\n")
    cluster.host("h1").power_off()
    cluster.host("h3").write("/etc/faketime", "-10y\n")
    moves_from_h1(cluster)
    years = {line[:4] for host in cluster.lab.hosts for line in host.log("/var/log/hamond.log", 2000).splitlines()
             if line[:2] == "20"}
    assert len(years) > 1, "no wall clock stepped by years: %s" % years


def nothing_without_a_majority(cluster, mend):
    """Of three stores h3's cannot be written and h1's is gone with its host: no act that cannot be undone."""
    cluster.host("h1").power_off()
    cluster.wait("h1 is gone", lambda: not cluster.host_status("h1", "h2")["member"])
    quiet(cluster, 8)
    assert cluster.guests["a1"].hosts() == []
    mend()
    moves_from_h1(cluster)
    cluster.wait_settled()


@pytest.mark.scenario(39)
@pytest.mark.lab(boot=False)
@pytest.mark.long
def test_full_store(cluster):
    host = cluster.host("h3")
    cluster.lab.each(lambda one: one.boot(["corosync", "libvirtd"] if one is host else None))
    host.run("mount -t tmpfs -o size=16m,mode=700 tmpfs /var/lib/hamon")
    host.start_hamond()
    cluster.wait_settled()
    stay(cluster)
    host.run("dd if=/dev/zero of=/var/lib/hamon/ballast bs=4k", check=False)
    # Something that every store must write, again and again: what was written in place at first will not go on.
    turn = [0]

    def write():
        turn[0] += 1
        cluster.host("h2").run(["hamonctl", "maintenance", "h3", "on" if turn[0] % 2 else "off"])
        return not cluster.status("h3")["cluster"]["synced"]

    cluster.wait("h3's store is full, and it is said", write, LONG, 0.5)
    cluster.host("h2").run(["hamonctl", "maintenance", "h3", "off"])
    nothing_without_a_majority(cluster, lambda: host.run("rm /var/lib/hamon/ballast"))


@pytest.mark.scenario(39)
def test_damaged_store(cluster):
    """Found at its start; it has no vote until it is replaced, as the operator's guide says, from the others."""
    host = cluster.host("h3")
    stay(cluster)
    host.stop("hamond")
    path = host.path("/var/lib/hamon/hamon.db")
    with open(path, "r+b") as store:
        store.seek(4096)
        store.write(os.urandom(16384))
    for name in ("-wal", "-shm"):
        if os.path.exists(path + name):
            os.unlink(path + name)
    host.start_hamond()
    cluster.wait("h3 says that its store is damaged", lambda: "store" in str(cluster.status("h3")) and
                 not cluster.status("h3")["cluster"]["synced"] and "store-failed" in host.log("/var/log/hamond.log", 200))
    assert cluster.status("h2")["cluster"]["coordinator"]  # the others go on, and know
    host.stop("hamond")
    host.run(["/usr/local/libexec/hamon/hamon-store", "--reset"])
    host.start_hamond()
    cluster.wait_settled()
    cluster.host("h1").power_off()
    moves_from_h1(cluster)


@pytest.mark.scenario(39)
@pytest.mark.long
def test_damaged_store_has_no_vote(cluster):
    host = cluster.host("h3")
    stay(cluster)
    host.stop("hamond")
    path = host.path("/var/lib/hamon/hamon.db")
    with open(path, "r+b") as store:
        store.write(os.urandom(4096))
    host.start_hamond()
    cluster.wait("h3 says that its store is damaged", lambda: "store-failed" in host.log("/var/log/hamond.log", 200))
    cluster.host("h1").power_off()
    cluster.wait("h1 is gone", lambda: not cluster.host_status("h1", "h2")["member"])
    quiet(cluster, 8)
    assert cluster.guests["a1"].hosts() == []
    cluster.host("h1").boot()  # with its own store there is a majority again
    cluster.expect("moved", "a1")
    cluster.wait_running("a1")
